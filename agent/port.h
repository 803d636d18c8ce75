/* SPDX-License-Identifier: MIT */
/*
 * The serial port: bytes out and in. It may be missing, slow, or vanish at any
 * time; nothing here opens it again by itself.
 */
#ifndef PORT_H
#define PORT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Opens a tty as a raw line of that many baud; 0 leaves its rate and its
 * control flags as they are. A path that is no tty is opened as it is.
 *
 * Returns a descriptor, or a negative errno.
 */
int port_open(const char *path, uint32_t baud);

void port_close(int port);

/*
 * Writes as much as the port takes at once. Returns how many bytes that is, 0
 * where it has no room now, or a negative errno when the port has vanished.
 */
long port_write(int port, const uint8_t *bytes, size_t size);

/*
 * Takes what has come in. Returns how many bytes that is, 0 for none yet, or a
 * negative errno when the port has vanished.
 */
long port_read(int port, uint8_t *bytes, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 of zlib and Ethernet: what a frame carries to prove itself.
 */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

/*
 * Returns the CRC-32 of len bytes: reflected polynomial 0xEDB88320, initial
 * value and final xor 0xFFFFFFFF. Two steps and a table of 64 bytes; a table of
 * 256 entries would be a quarter of the whole program.
 */
uint32_t crc32(const uint8_t *bytes, size_t len);

#endif

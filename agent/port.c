// SPDX-License-Identifier: MIT
#include <stdbool.h>

#include <asm/ioctls.h>
#include <asm/termbits.h>

#include "port.h"
#include "sys.h"

#define GONE	(POLLERR | POLLHUP | POLLNVAL)

int port_open(const char *path, uint32_t baud)
{
	int port = (int)sys_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	struct termios2 mode;

	if (port < 0 || sys_ioctl(port, TCGETS2, &mode))
		return port;
	mode.c_iflag = 0;
	mode.c_oflag = 0;
	mode.c_lflag = 0;
	mode.c_cc[VMIN] = 1;	/* read() of 0 bytes then means a hang-up */
	mode.c_cc[VTIME] = 0;
	if (baud) {
		/* No CIBAUD: the input has the output's rate. */
		mode.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
		mode.c_ospeed = baud;
	}
	sys_ioctl(port, TCSETS2, &mode);
	return port;
}

void port_close(int port)
{
	sys_close(port);
}

/* Waits for room after a write() that took nothing; false: there will be none. */
static bool still_there(int port, long error)
{
	struct pollfd room = { .fd = port, .events = POLLOUT };

	if (error != -EAGAIN && error != -EINTR)
		return false;
	return sys_poll(&room, 1, -1) <= 0 || !(room.revents & GONE);
}

size_t port_write(int port, const uint8_t *bytes, size_t size)
{
	long written;

	while (size) {
		written = sys_write(port, bytes, size);
		if (written > 0) {
			bytes += written;
			size -= (size_t)written;
		} else if (!still_there(port, written)) {
			break;
		}
	}
	return size;
}

long port_read(int port, uint8_t *bytes, size_t size)
{
	long ret = sys_read(port, bytes, size);

	if (ret == -EAGAIN || ret == -EINTR)
		return 0;
	return ret ? ret : -EIO;
}

// SPDX-License-Identifier: MIT
#include <asm/ioctls.h>
#include <asm/termbits.h>

#include "port.h"
#include "sys.h"

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

/* What a call without an answer means: 0, try again later. */
static long later(long ret)
{
	return ret == -EAGAIN || ret == -EINTR ? 0 : ret;
}

long port_write(int port, const uint8_t *bytes, size_t size)
{
	return later(sys_write(port, bytes, size));
}

long port_read(int port, uint8_t *bytes, size_t size)
{
	long ret = sys_read(port, bytes, size);

	return ret ? later(ret) : -EIO;
}

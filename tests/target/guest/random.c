// SPDX-License-Identifier: MIT
/* As init: prints "random" with a number and an address that nobody can know before. */
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/reboot.h>

int main(void)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		puts("bad getrandom");
	printf("random %08x at %p\n", number, (void *)&number);
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}

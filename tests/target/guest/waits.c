// SPDX-License-Identifier: MIT
/* As init: says so and does nothing for ever. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	puts("waiting");
	fflush(stdout);
	for (;;)
		pause();
}

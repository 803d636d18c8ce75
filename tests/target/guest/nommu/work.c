// SPDX-License-Identifier: MIT
/* A program that lives until the millisecond since boot that it is given. */
#include "guest.h"

static const char *const names[] = { "begin", "end" };
static uint32_t sum;

__attribute__((used)) int main(int argc, char **argv)
{
	uint32_t until = argc > 1 ? number_in(argv[1]) : 0;

	tell(names[0], argv[0]);
	for (uint32_t i = 0; i < 64; i++)
		sum += guest_words[i];
	wait_until_ms(until);
	tell(names[1], argv[0]);
	return sum == 1;
}

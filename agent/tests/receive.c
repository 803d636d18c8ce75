// SPDX-License-Identifier: MIT
/*
 * Feeds standard input to the agent's receiver, byte by byte, and writes a line
 * "type" and three arguments for each command it obeys, and "-" for each other zero. The
 * shared vectors and fuzzed runs hold it to the format (tests/agent).
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

int main(void)
{
	static struct wire_receiver receiver;
	struct wire_command command;
	int byte;

	while ((byte = getchar()) != EOF) {
		if (wire_receive(&receiver, (uint8_t)byte, &command))
			printf("%d %u %u %u\n", (int)command.type, command.arguments[0],
			       command.arguments[1], command.arguments[2]);
		else if (!byte)
			puts("-");
	}
	return EXIT_SUCCESS;
}

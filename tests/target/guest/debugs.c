// SPDX-License-Identifier: MIT
/*
 * As init: debugs another copy of itself through gdbserver, whose protocol it
 * speaks over the loopback interface. "start" as an argument lets gdbserver
 * start the program, "attach" starts it first. Prints "good WHAT" or
 * "bad WHAT: ANSWER" for each step, "went on ROUNDS" from the program after it
 * was let go, and "debugs done".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS		5
#define PORT		1234
#define PLACE		"127.0.0.1:1234"
#define LOOKED_AT	512
#define PC		15	/* the number of the register */

static int server;
static char answer[4096];

/*
 * The breakpoint is at its first instruction, of four bytes. It is not in page
 * 0, which exec has read and so cached.
 */
__attribute__((noinline, target("arm"), aligned(4096))) int visited(int round)
{
	__asm__ volatile("" : "+r"(round));
	return round + 1;
}

static int be_debugged(void)
{
	volatile int round = visited(-1);

	/* Long enough for gdbserver to attach. */
	sleep(20);
	while (round < ROUNDS)
		round = visited(round);
	printf("went on %d\n", round);
	return 0;
}

static void bring_up_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ioctl(fd, SIOCGIFFLAGS, &request);
	request.ifr_flags |= IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

static void connect_to_server(void)
{
	struct sockaddr_in place = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	for (int tries = 0; tries < 600; tries++) {
		server = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(server, (struct sockaddr *)&place, sizeof(place)))
			return;
		close(server);
		usleep(50000);
	}
	puts("bad connection: none");
}

static char next_byte(void)
{
	char byte = 0;

	return read(server, &byte, 1) == 1 ? byte : 0;
}

/* Send a command; its answer, without frame, is in answer. */
static const char *ask(const char *format, ...)
{
	char words[128], packet[160];
	uint8_t sum = 0;
	size_t size = 0;
	va_list list;
	char byte;

	va_start(list, format);
	vsnprintf(words, sizeof(words), format, list);
	va_end(list);
	for (const char *at = words; *at; at++)
		sum += *at;
	write(server, packet, snprintf(packet, sizeof(packet), "$%s#%02x", words, sum));
	do
		byte = next_byte();
	while (byte && byte != '$');
	while ((byte = next_byte()) && byte != '#' && size < sizeof(answer) - 128) {
		if (byte == '*')	/* The last character again, so many times. */
			for (int more = next_byte() - 29; more > 0 && size; more--, size++)
				answer[size] = answer[size - 1];
		else
			answer[size++] = byte;
	}
	answer[size] = '\0';
	next_byte();
	next_byte();
	write(server, "+", 1);
	return answer;
}

static void say(int good, const char *what)
{
	if (good)
		printf("good %s\n", what);
	else
		printf("bad %s: %s\n", what, answer);
	fflush(stdout);
}

/* Whether the program has at this address what this copy of it has. */
static int reads_right(uintptr_t address)
{
	char wanted[2 * LOOKED_AT + 1];

	for (size_t n = 0; n < LOOKED_AT; n++)
		sprintf(wanted + 2 * n, "%02x", ((const uint8_t *)address)[n]);
	return !strcmp(ask("m%lx,%x", (unsigned long)address, LOOKED_AT), wanted);
}

static int stands_at(uintptr_t address)
{
	char wanted[9];

	for (int n = 0; n < 4; n++)
		sprintf(wanted + 2 * n, "%02x", (unsigned int)(address >> 8 * n & 0xff));
	return !strncmp(ask("g") + PC * 8, wanted, 8);
}

static void debug(void)
{
	uintptr_t place = (uintptr_t)visited;

	ask("?");
	say(answer[0] == 'T', "it is stopped");
	say(reads_right(place), "its code is read");
	ask("Z0,%lx,4", (unsigned long)place);
	say(!strcmp(answer, "OK"), "a breakpoint is set");
	if (answer[0] == 'O') {
		ask("c");
		say(answer[0] == 'T' && stands_at(place), "it stops there");
		ask("z0,%lx,4", (unsigned long)place);
		say(!strcmp(answer, "OK") && reads_right(place), "the breakpoint is gone");
		ask("s");
		say(answer[0] == 'T' && stands_at(place + 4), "it does one step");
	}
	ask("D");
	say(!strcmp(answer, "OK"), "it is let go");
	close(server);
}

int main(int count, char **words)
{
	int attach = count > 1 && !strcmp(words[1], "attach");
	char number[16] = "/sbin/debugs";
	pid_t program = 0;

	if (count > 1 && !strcmp(words[1], "be-debugged"))
		return be_debugged();
	mount("proc", "/proc", "proc", 0, NULL);
	bring_up_loopback();
	if (attach) {
		program = fork();
		if (!program)
			execl("/sbin/debugs", "debugs", "be-debugged", NULL);
		snprintf(number, sizeof(number), "%d", program);
	}
	if (!fork()) {
		if (attach)
			execl("/usr/bin/gdbserver", "gdbserver", "--once", "--attach", PLACE, number,
			      NULL);
		execl("/usr/bin/gdbserver", "gdbserver", "--once", PLACE, number, "be-debugged", NULL);
		_exit(1);
	}
	connect_to_server();
	debug();
	while (wait(NULL) > 0)
		;
	puts("debugs done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}

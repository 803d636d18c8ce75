// SPDX-License-Identifier: MIT
/*
 * As init: how long a small program takes to start and end. Runs /bin/true
 * TIMES times after a few to warm up, and prints "start nanoseconds" of one,
 * then "starts done".
 */
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMES	250
#define WARM	5

static void start(void)
{
	if (!fork()) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	wait(NULL);
}

int main(void)
{
	struct timespec began, ended;

	for (int time = 0; time < WARM; time++)
		start();
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (int time = 0; time < TIMES; time++)
		start();
	clock_gettime(CLOCK_MONOTONIC, &ended);
	printf("start nanoseconds %lld\n", ((ended.tv_sec - began.tv_sec) * 1000000000LL +
					    ended.tv_nsec - began.tv_nsec) / TIMES);
	puts("starts done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}

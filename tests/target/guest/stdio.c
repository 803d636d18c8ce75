// SPDX-License-Identifier: MIT
/*
 * As init: reads /pattern as stdio does, a byte at a time. Prints "blksize
 * BYTES" and "stdio MICROSECONDS", then "stdio done".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int main(void)
{
	FILE *file = fopen("/pattern", "r");
	struct stat facts;
	long began = microseconds();

	fstat(fileno(file), &facts);
	while (getc(file) != EOF)
		;
	printf("blksize %ld\n", (long)facts.st_blksize);
	printf("stdio %ld\n", microseconds() - began);
	puts("stdio done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Programs for a machine without an MMU: a few system calls, and words for the console.
 * Each program says on the console when it begins and ends. A recording is held to that.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/sched.h>

#include <arch.h>

#define CLOCK_MONOTONIC_ID	1
#define CLOCK_BOOTTIME_ID	7
#define CHILD_SIGNAL		17	/* SIGCHLD */

struct guest_time {
	int64_t sec, nsec;
};

static inline size_t length_of(const char *text)
{
	size_t size = 0;

	while (text[size])
		size++;
	return size;
}

static inline void say(const char *text)
{
	my_syscall3(__NR_write, 1, text, length_of(text));
}

static inline char *digits_of(uint32_t value, char *end)
{
	*--end = 0;
	do {
		*--end = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return end;
}

static inline uint32_t number_in(const char *text)
{
	uint32_t value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = 10 * value + (uint32_t)(*text - '0');
	return value;
}

/* Milliseconds since boot. A guest of a test runs for less than an hour. */
static inline uint32_t now_ms(void)
{
	struct guest_time t = { 0, 0 };

	my_syscall2(__NR_clock_gettime64, CLOCK_BOOTTIME_ID, &t);
	return (uint32_t)t.sec * 1000 + (uint32_t)t.nsec / 1000000;
}

static inline void wait_until_ms(uint32_t ms)
{
	uint32_t now = now_ms();
	uint32_t left = ms > now ? ms - now : 0;
	uint32_t sec = left / 1000, nsec = left % 1000 * 1000000;
	struct guest_time t = { sec, nsec };

	my_syscall4(__NR_clock_nanosleep_time64, CLOCK_MONOTONIC_ID, 0, &t, NULL);
}

#ifndef WITHOUT_DATA
/* In one write, so that no other program's words come in between. */
static inline void tell(const char *event, const char *name)
{
	static char line[128];
	char number[12];
	const char *parts[] = { "truth: ", event, " ", name, " ",
				digits_of(now_ms(), number + sizeof(number)), "\n" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (const char *c = parts[i]; *c && used < sizeof(line) - 1; c++)
			line[used++] = *c;
	line[used] = 0;
	say(line);
}
#endif

/*
 * Bytes of the text that a compressor makes half as large, so that a program has the size of
 * a real one. Each program has others.
 */
#ifdef WORDS
__asm__(".section .rodata.words, \"a\"\n"
	".balign 4\n"
	".globl guest_words\n"
	"guest_words:\n"
	".set guest_word, " WORDS "\n"
	".rept " WORDS "\n"
	".set guest_word, (guest_word * 1103515245 + 12345) & 0xffffffff\n"
	".long (guest_word ^ (guest_word >> 15)) & 0xffff\n"
	".endr\n"
	".text\n");
extern const uint32_t guest_words[];
#endif

#endif

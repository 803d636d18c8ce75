// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stddef.h>

#include "settings.h"

/* The value of NAME=value, or NULL where the word is another. */
static const char *value_of(const char *word, const char *name)
{
	while (*name && *name == *word) {
		name++;
		word++;
	}
	return !*name && *word == '=' && word[1] ? word + 1 : NULL;
}

static const char *text(char **environment, const char *name, const char *otherwise)
{
	const char *value;

	for (; *environment; environment++) {
		value = value_of(*environment, name);
		if (value)
			return value;
	}
	return otherwise;
}

static bool parse(const char *digits, uint32_t *number)
{
	uint32_t value = 0;

	for (; *digits; digits++) {
		uint32_t digit = (uint32_t)*digits - '0';

		if (digit > 9 || value > (UINT32_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

static uint32_t number(struct settings *s, char **environment, const char *name, uint32_t otherwise)
{
	const char *value = text(environment, name, NULL);

	if (value && !parse(value, &otherwise))
		s->refused = value;
	return otherwise;
}

void settings_read(struct settings *s, char **environment)
{
	s->refused = NULL;
	s->tty = text(environment, "TINYPROF_TTY", "/dev/ttyAMA1");
	s->init = text(environment, "TINYPROF_INIT", "/sbin/init");
	s->baud = number(s, environment, "TINYPROF_BAUD", 115200);
	s->epoch_ms = number(s, environment, "TINYPROF_EPOCH", 1000);
}

// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stddef.h>

#include "settings.h"

/* The text behind prefix in word, or NULL if word does not begin with prefix. */
static const char *after(const char *word, const char *prefix)
{
	while (word && *prefix)
		word = *word++ == *prefix++ ? word : NULL;
	return word;
}

const char *settings_text(char **environment, const char *name, const char *otherwise)
{
	const char *value;

	for (; *environment; environment++) {
		value = after(after(*environment, "TINYPROF_"), name);
		if (value && *value)
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

uint32_t settings_number(struct settings *s, char **environment, const char *name,
			 uint32_t otherwise)
{
	const char *value = settings_text(environment, name, NULL);

	if (value && !parse(value, &otherwise)) {
		/* No name has another '_', and every word has the first. */
		while (value[-1] != '_')
			value--;
		s->refused = value;
	}
	return otherwise;
}

void settings_read(struct settings *s, char **environment)
{
	s->refused = NULL;
	s->tty = settings_text(environment, "TTY=", "/dev/ttyAMA1");
	s->init = settings_text(environment, "INIT=", "/sbin/init");
	s->baud = settings_number(s, environment, "BAUD=", 115200);
	s->epoch_ms = settings_number(s, environment, "EPOCH=", 1000);
	s->wait = settings_number(s, environment, "WAIT=", 0);
}

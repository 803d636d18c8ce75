// SPDX-License-Identifier: MIT
/*
 * tinyprof-agent: settings in, the agent out. As init (init=/sbin/tinyprof-agent)
 * it forks; the parent becomes the real init at once and the child records. The
 * real init finds its world as without us: descriptors, signals and mounts.
 *
 * Without an MMU nothing can fork. There the child is this program once more.
 */
#include <asm/signal.h>

#include "agent.h"
#include "sys.h"
#include "tracer.h"

#define STDERR	2

/* 1 in the program for machines without an MMU. */
#ifndef SPAWNS
#define SPAWNS	0
#endif

static void complain(const char *what, const char *subject)
{
	const char *parts[] = { "tinyprof-agent: ", what, subject, "\n" };

	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t size = 0;

		while (parts[i][size])
			size++;
		sys_write(STDERR, parts[i], size);
	}
}

/* In the kernel's own order, after the one asked for. */
static void become_init(const char *init, char **argv, char **environment)
{
	static const char inits[][sizeof("/sbin/init")] = {
		"/sbin/init", "/etc/init", "/bin/init", "/bin/sh",
	};

	for (unsigned int i = 0;; i++) {
		argv[0] = (char *)init;
		sys_execve(init, argv, environment);
		complain("cannot run ", init);
		if (i == sizeof(inits) / sizeof(inits[0]))
			sys_exit(127);
		init = inits[i];
	}
}

/* The child of init: away from its console, its session and, if need be, its /dev. */
static void step_aside(struct agent *a, const int ready[2])
{
	sys_setsid();
	/* Without a console of its own, init had them free. */
	for (int fd = 0; fd <= STDERR; fd++)
		if (fd != ready[0] && fd != ready[1])
			sys_close(fd);
	if (a->tracer < 0 && !sys_own_mounts())
		sys_mount("devtmpfs", "/dev");
}

/* The child gets its end of the pipe, a small number, as its only word. */
static void spawn(char **argv, char **environment, const int ready[2])
{
	char end[] = { (char)('0' + ready[1]), 0 };
	char *words[] = { argv[0], end, NULL };

	sys_pass_on(ready[1]);
	sys_spawn(argv[0], words, environment);
}

/* Whether this is the parent. */
static bool fork_or_spawn(char **argv, char **environment, const int ready[2])
{
	if (!SPAWNS)
		return sys_fork();
	spawn(argv, environment, ready);
	return true;
}

/* The child's source sees the real init's first instruction, if it has one. */
static void wait_until_closed(const int ends[2])
{
	char nothing;

	if (ends[0] < 0)
		return;
	sys_close(ends[1]);
	sys_read(ends[0], &nothing, 1);
	sys_close(ends[0]);
}

/* A vanished terminal, port or shell ends no recording, nor stops it. */
static void ignore_signals(void)
{
	static const uint8_t ignored[] = { SIGHUP, SIGPIPE, SIGTTIN, SIGTTOU };

	for (unsigned int i = 0; i < sizeof(ignored); i++)
		sys_ignore(ignored[i]);
}

__attribute__((used)) int main(int argc, char **argv, char **environment)
{
	struct agent a = { .port = -1, .tracer = -1 };
	bool init = sys_getpid() == 1;
	bool spawned = SPAWNS && !init && argc == 2;
	int ready[2];

	settings_read(&a.settings, environment);
	tracer_choose(&a.settings, environment);
	if (a.settings.refused)
		complain("no number: TINYPROF_", a.settings.refused);

	ready[0] = spawned ? argv[1][0] - '0' : -1;
	ready[1] = ready[0];
	if (init) {
		/* Before the fork: the real init's first instruction counts. */
		if (!SPAWNS)
			agent_find_tracer(&a);
		if (a.tracer < 0 && tracer_has_others())
			sys_pipe(ready);
		if (fork_or_spawn(argv, environment, ready)) {
			wait_until_closed(ready);
			become_init(a.settings.init, argv, environment);
		}
	}
	if (init || spawned)
		step_aside(&a, ready);
	ignore_signals();
	tracer_allow_others(init || spawned);
	if (ready[0] >= 0) {
		agent_find_tracer(&a);
		sys_close(ready[0]);
		sys_close(ready[1]);
	}
	agent_run(&a);
}

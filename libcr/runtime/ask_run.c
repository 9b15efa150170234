/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ask_run.c - from the arguments of a request to the command that serves it */
#include "runtime/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/asked.h"
#include "runtime/spawn.h"

#define DEST_FD 3
#define RESULT_FD 4
#define MAX_ARGS 20

#define KNOWN_FLAGS                                                            \
	(CR_CHKPT_PROHIBIT_SELF | CR_CHKPT_ASYNC_ERR | CR_CHKPT_PTRACED_SKIP | \
	 CR_CHKPT_PTRACED_ALLOW | CR_CHKPT_PTRACER_SKIP | CR_CHKPT_DUMP_ALL)
#define PTRACED_BOTH (CR_CHKPT_PTRACED_SKIP | CR_CHKPT_PTRACED_ALLOW)

/* Without stdio: a signal handler may ask. */
static pid_t parent_of(pid_t pid)
{
	char path[64], text[1024], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strstr(text, "\nPPid:\t");
	return p ? atoi(p + 7) : 0;
}

static bool includes_self(cr_scope_t scope, pid_t target)
{
	pid_t pid;

	switch (scope) {
	case CR_SCOPE_PROC:
		return target == getpid();
	case CR_SCOPE_PGRP:
		return target == getpgrp();
	case CR_SCOPE_SESS:
		return target == getsid(0);
	default:
		for (pid = getpid(); pid > 0; pid = parent_of(pid))
			if (pid == target)
				return true;
		return false;
	}
}

static pid_t target_of(const cr_checkpoint_args_t *args)
{
	if (args->cr_target)
		return args->cr_target;
	if (args->cr_scope == CR_SCOPE_PGRP)
		return getpgrp();
	return args->cr_scope == CR_SCOPE_SESS ? getsid(0) : getpid();
}

int cr_ask_check(const cr_checkpoint_args_t *args)
{
	pid_t target = target_of(args);
	int mode;

	if (args->cr_scope > CR_SCOPE_TREE || target < 0 ||
	    args->cr_signal < 0 || args->cr_signal > SIGRTMAX ||
	    args->cr_flags & ~KNOWN_FLAGS ||
	    (args->cr_flags & PTRACED_BOTH) == PTRACED_BOTH)
		return -EINVAL;
	if (args->cr_fd != CR_DEST_CWD) {
		mode = fcntl(args->cr_fd, F_GETFL);
		if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY)
			return -EBADF;
	}
	/* a session may have lost the process that it is named after */
	if (args->cr_scope != CR_SCOPE_SESS &&
	    kill(args->cr_scope == CR_SCOPE_PGRP ? -target : target, 0))
		return -errno;
	if ((args->cr_flags & CR_CHKPT_PROHIBIT_SELF) &&
	    includes_self(args->cr_scope, target))
		return -EDEADLK;
	return 0;
}

struct words {
	char text[4][16];
	char *argv[MAX_ARGS];
	int n, used;
};

static void add(struct words *w, const char *arg)
{
	w->argv[w->n++] = (char *)arg;
}

static void add_number(struct words *w, const char *option, long number)
{
	char *text = w->text[w->used++];

	snprintf(text, sizeof(w->text[0]), "%ld", number);
	add(w, option);
	add(w, text);
}

static void command_line(struct words *w, const cr_checkpoint_args_t *args,
			 const char *path)
{
	static const char *const scope[] = { "--pid", "--pgid", "--sid",
					     "--tree" };
	static const struct {
		int flag;
		const char *option;
	} flags[] = {
		{ CR_CHKPT_PTRACED_SKIP, "--ptraced-skip" },
		{ CR_CHKPT_PTRACED_ALLOW, "--ptraced-allow" },
		{ CR_CHKPT_PTRACER_SKIP, "--ptracer-skip" },
		{ CR_CHKPT_DUMP_EXEC, "--save-exe" },
		{ CR_CHKPT_DUMP_PRIVATE, "--save-private" },
		{ CR_CHKPT_DUMP_SHARED, "--save-shared" },
	};
	size_t i;

	add(w, "cr_checkpoint");
	add(w, scope[args->cr_scope]);
	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (args->cr_flags & flags[i].flag)
			add(w, flags[i].option);
	if (args->cr_signal)
		add_number(w, "-S", args->cr_signal);
	if (args->cr_timeout)
		add_number(w, "-t", args->cr_timeout);
	if (path) {
		add(w, "-f");
		add(w, path);
	} else if (args->cr_fd == CR_DEST_CWD) {
		add(w, "-c");
	} else {
		add_number(w, "-F", DEST_FD);
	}
	add_number(w, "--", target_of(args));
	add(w, NULL);
}

int cr_ask_run(const cr_checkpoint_args_t *args, const char *path, int log,
	       int result)
{
	char told[32], command[4096], *more[] = { told };
	struct words words = { 0 };
	struct cr_spawn spawn;
	int null, rc;
	size_t size;
	char **env;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	snprintf(told, sizeof(told), "CR_RESULT_FD=%d", RESULT_FD);
	env = cr_asked_environment(more, result >= 0, &size);
	cr_asked_command(command, sizeof(command), "cr_checkpoint");
	command_line(&words, args, path);
	spawn = (struct cr_spawn){
		.path = command,
		.argv = words.argv,
		.envp = env,
		.fd = { null, log >= 0 ? log : null, log >= 0 ? log : null,
			!path && args->cr_fd >= 0 ? args->cr_fd : -1, result,
			-1 },
	};
	rc = env ? cr_spawn(&spawn) : -ENOMEM;
	cr_asked_release(env, size);
	close(null);
	return rc < 0 ? rc : 0;
}

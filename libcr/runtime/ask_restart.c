/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask_restart.c - restarts asked for from inside a program
 *
 * The command cr_restart becomes a child of the program and has its standard
 * input, output and error, which the restarted processes get from it; what
 * it says itself goes to CR_LOG_FD, its result to CR_RESULT_FD.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcr_ext.h"
#include "runtime/asked.h"
#include "runtime/spawn.h"

#define VERSION 1
#define IMAGE_FD 3
#define RESULT_FD 4
#define LOG_FD 5
#define KNOWN_FLAGS                                                            \
	(CR_RSTRT_RESTORE_PID | CR_RSTRT_RESTORE_PGID | CR_RSTRT_RESTORE_SID | \
	 CR_RSTRT_ASYNC_ERR)
/* Each path twice for the backslashes, and what is around them. */
#define PATH_ROOM 4096u
#define PAIR_ROOM (3 * PATH_ROOM)

struct words {
	char *argv[16 + 2 * CR_MAX_RSTRT_RELOC];
	int n;
	char number[16];
	char pair[CR_MAX_RSTRT_RELOC][PAIR_ROOM];
};

int cr_initialize_restart_args_t(cr_restart_args_t *args)
{
	if (!args)
		return cr_asked_fail(EINVAL);
	memset(args, 0, sizeof(*args));
	args->cr_version = VERSION;
	args->cr_fd = -1;
	args->cr_flags = CR_RSTRT_RESTORE_PID;
	return 0;
}

static int check_relocate(const struct cr_rstrt_relocate *r)
{
	const struct cr_rstrt_relocate_pair *p;
	int i;

	if (!r)
		return 0;
	if (r->count < 0 || r->count > CR_MAX_RSTRT_RELOC)
		return -EINVAL;
	for (i = 0; i < r->count; i++) {
		p = &r->path[i];
		if (!p->oldpath || !p->newpath || p->oldpath[0] != '/' ||
		    p->newpath[0] != '/')
			return -EINVAL;
		if (strlen(p->oldpath) >= PATH_ROOM ||
		    strlen(p->newpath) >= PATH_ROOM)
			return -ENAMETOOLONG;
	}
	return 0;
}

static int check(const void *asked)
{
	const cr_restart_args_t *args = asked;
	int mode;

	if (args->cr_flags & ~KNOWN_FLAGS || args->cr_signal < 0 ||
	    args->cr_signal > SIGRTMAX)
		return -EINVAL;
	mode = fcntl(args->cr_fd, F_GETFL);
	if (mode < 0 || mode & O_PATH || (mode & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	return check_relocate(args->cr_relocate);
}

static void add(struct words *w, const char *arg)
{
	w->argv[w->n++] = (char *)arg;
}

/* OLD=NEW, with a backslash before each '=' and backslash of OLD. */
static void make_pair(char *to, const struct cr_rstrt_relocate_pair *p)
{
	const char *from;

	for (from = p->oldpath; *from; from++) {
		if (*from == '=' || *from == '\\')
			*to++ = '\\';
		*to++ = *from;
	}
	*to++ = '=';
	strcpy(to, p->newpath);
}

static void command_line(struct words *w, const cr_restart_args_t *args)
{
	const struct cr_rstrt_relocate *r = args->cr_relocate;
	int i;

	add(w, "cr_restart");
	if (!(args->cr_flags & CR_RSTRT_RESTORE_PID))
		add(w, "--no-restore-pid");
	if (args->cr_flags & CR_RSTRT_RESTORE_PGID)
		add(w, "--restore-pgid");
	if (args->cr_flags & CR_RSTRT_RESTORE_SID)
		add(w, "--restore-sid");
	if (args->cr_signal) {
		snprintf(w->number, sizeof(w->number), "%d", args->cr_signal);
		add(w, "-S");
		add(w, w->number);
	}
	for (i = 0; r && i < r->count; i++) {
		make_pair(w->pair[i], &r->path[i]);
		add(w, "--relocate");
		add(w, w->pair[i]);
	}
	add(w, "-F");
	add(w, "3");
	add(w, NULL);
}

static int standard(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

static int run(struct cr_request_state *q, const void *asked, int log,
	       int result)
{
	const cr_restart_args_t *args = asked;
	char command[4096];
	char *more[] = { "CR_RESULT_FD=4", "CR_LOG_FD=5" };
	struct words *w = cr_asked_memory(sizeof(*w));
	size_t size;
	char **env = cr_asked_environment(more, 2, &size);
	struct cr_spawn spawn = {
		.path = command,
		.envp = env,
		.fd = { standard(0), standard(1), standard(2),
			[IMAGE_FD] = args->cr_fd,
			[RESULT_FD] = result,
			[LOG_FD] = log },
		.child = true,
	};
	pid_t pid = -ENOMEM;

	if (w && env) {
		cr_asked_command(command, sizeof(command), "cr_restart");
		command_line(w, args);
		spawn.argv = w->argv;
		pid = cr_spawn(&spawn);
	}
	cr_asked_release(w, sizeof(*w));
	cr_asked_release(env, size);
	q->child = pid > 0 ? pid : 0;
	return pid < 0 ? pid : 0;
}

static const struct cr_asked_kind restart = { CR_ERSTRTABRT, check, run };

int cr_request_restart(cr_restart_args_t *args, cr_restart_handle_t *handle)
{
	int rc;

	if (!args || !handle)
		return cr_asked_fail(EINVAL);
	if (args->cr_version != VERSION)
		return cr_asked_fail(CR_EVERSION);
	rc = cr_asked_request(&restart, args,
			      args->cr_flags & CR_RSTRT_ASYNC_ERR, handle);
	return rc ? cr_asked_fail(-rc) : 0;
}

int cr_wait_restart(cr_restart_handle_t *handle, struct timeval *timeout)
{
	if (!handle || !*handle)
		return cr_asked_fail(EINVAL);
	return cr_asked_wait(*handle, timeout);
}

int cr_log_restart(cr_restart_handle_t *handle, unsigned int len, char *msg)
{
	if (!handle || !*handle || (len && !msg))
		return cr_asked_fail(EINVAL);
	return cr_asked_log(*handle, len, msg);
}

int cr_reap_restart(cr_restart_handle_t *handle)
{
	if (!handle || !*handle)
		return cr_asked_fail(EINVAL);
	return cr_asked_reap(handle);
}

pid_t cr_restart_child(cr_restart_handle_t *handle)
{
	if (!handle || !*handle)
		return cr_asked_fail(EINVAL);
	return (*handle)->child;
}

int cr_poll_restart_msg(cr_restart_handle_t *handle, struct timeval *timeout,
			char **msg)
{
	pid_t child;
	int rc;

	if (msg)
		*msg = NULL;
	if (!handle || !*handle) {
		errno = EINVAL;
		return CR_POLL_RSTRT_ERR_PRE;
	}
	child = (*handle)->child;
	rc = cr_asked_poll(handle, timeout, msg);
	return rc > 0 ? child : rc;
}

int cr_poll_restart(cr_restart_handle_t *handle, struct timeval *timeout)
{
	return cr_poll_restart_msg(handle, timeout, NULL);
}

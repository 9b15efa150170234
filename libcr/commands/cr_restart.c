/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cr_restart.c - restart the processes that a context file holds
 *
 * Stays as their parent's parent: forwards signals and ends as the root of
 * the tree ends.
 *
 * A library that started us (libcr's cr_request_restart()) has given the
 * program's own standard error to be handed on, and two descriptors more:
 * CR_LOG_FD for what we say, CR_RESULT_FD for 0 and a newline once the
 * processes run, or the number of the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/cr_restart.h"
#include "commands/descriptors.h"

FILE *cr_restart_log;
static int result_fd = -1;

/* A descriptor that is for us alone; the program does not see the variable. */
static int take_fd(const char *name)
{
	const char *text = getenv(name);
	int fd = text ? atoi(text) : -1;

	unsetenv(name);
	if (fd <= STDERR_FILENO || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -1;
	return fd;
}

/* Returns -1 if even /dev/null cannot be opened. */
static int take_descriptors(void)
{
	int fd = take_fd("CR_LOG_FD");

	if (cr_descriptors_fill())
		return -1;
	result_fd = take_fd("CR_RESULT_FD");
	cr_restart_log = fd < 0 ? stderr : fdopen(fd, "w");
	if (!cr_restart_log)
		cr_restart_log = stderr;
	return 0;
}

static void nothing(int signo)
{
}

/*
 * A message that nobody reads, or that a limit cuts off, must not end the
 * program.  Handlers, not SIG_IGN: commands that we run have it as it was.
 */
static void keep_calm(void)
{
	static const int signals[] = { SIGPIPE, SIGXFSZ };
	struct sigaction old, sa = { .sa_handler = nothing,
				     .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (!sigaction(signals[i], NULL, &old) &&
		    old.sa_handler == SIG_DFL)
			sigaction(signals[i], &sa, NULL);
}

/* The last thing that the library hears. */
static void tell_result(int code)
{
	fflush(cr_restart_log);
	if (result_fd < 0)
		return;
	dprintf(result_fd, "%d\n", code < 0 ? -code : code);
	close(result_fd);
	result_fd = -1;
	if (cr_restart_log != stderr)
		fclose(cr_restart_log);
	cr_restart_log = stderr;
}

/* Which of --run-on-fail-* a failure is. */
static const char *command_for(const struct cr_restart_options *o, int code)
{
	const char *cmd;

	switch (-code) {
	case EAGAIN:
	case EBUSY:
	case EEXIST:
	case ENOMEM:
	case EPIPE:
	case ETIMEDOUT:
		cmd = o->on_temp;
		break;
	case ENOENT:
	case ENOTDIR:
	case EACCES:
	case EPERM:
	case ESTALE:
	case EROFS:
	case EMFILE:
		cmd = o->on_env;
		break;
	default:
		cmd = o->on_perm;
	}
	return cmd ? cmd : o->on_failure;
}

static int exit_status(int status)
{
	if (status == -1)
		return CR_RESTART_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int fail(const struct cr_restart_options *o, const char *cmd,
		const struct cr_error *err)
{
	const char *name = o->file	     ? o->file
			   : o->restore.path ? o->restore.path
					     : "context file";

	if (!strncmp(err->text, name, strlen(name))) /* says it itself */
		name = "";
	fprintf(cr_restart_log, "cr_restart: %s%s%s\n", name,
		*name ? ": " : "", err->text);
	/* the supervisor or we ourselves were killed */
	tell_result(err->code == -EPIPE ? CR_ERSTRTABRT : err->code);
	return cmd ? exit_status(system(cmd)) : CR_RESTART_FAILED;
}

static void __attribute__((noreturn)) end_as(int status)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;
	int sig;

	fflush(NULL);
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	sig = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &none); /* the program's core is enough */
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), sig);
	_exit(128 + sig);
}

static void say_verified(const struct cr_restart_options *o,
			 struct cr_reader *r,
			 const struct cr_restore_status *st)
{
	const struct cr_image *img = cr_reader_image(r);
	unsigned long threads = 0;

	for (size_t i = 0; i < img->n_procs; i++)
		threads += img->procs[i].n_threads;
	if (o->verbose > 0 || o->restore.verify_only)
		fprintf(cr_restart_log,
			"cr_restart: %zu processes, %lu threads: verified in "
			"%.3f s\n",
			img->n_procs, threads, st->verify_s);
}

/* Not system(3): signals are held for the program, not for the command. */
static void run_on_success(const char *cmd, const struct cr_restore_status *st)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &st->mask, NULL);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		perror("cr_restart: --run-on-success");
}

static void say_running(const struct cr_restart_options *o,
			const struct cr_restore_status *st)
{
	if (o->verbose <= 0)
		return;
	fprintf(cr_restart_log,
		"cr_restart: processes and memory built in %.3f s, running "
		"after %.3f s\n",
		st->create_s, st->fill_s);
	fprintf(cr_restart_log, "cr_restart: root is process %d%s\n", st->root,
		st->own_namespace ? ", in a pid namespace of its own" : "");
}

/* What the file of a descriptor is called, or NULL. */
static const char *path_of(int fd, char path[PATH_MAX])
{
	struct stat a, b;
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		return NULL;
	path[n] = '\0';
	if (fstat(fd, &a) || stat(path, &b) || a.st_dev != b.st_dev ||
	    a.st_ino != b.st_ino)
		return NULL;
	return path;
}

static void say_found(const char *text, void *arg)
{
	fprintf(cr_restart_log, "cr_restart: %s\n", text);
}

static int open_image(struct cr_restart_options *o, struct cr_reader **r,
		      char path[PATH_MAX], struct cr_error *err)
{
	if (!o->file) {
		o->restore.path = path_of(o->fd, path);
		return cr_reader_open_fd(r, o->fd, err);
	}
	o->restore.path = realpath(o->file, path) ? path : o->file;
	return cr_reader_open(r, o->file, err);
}

int main(int argc, char **argv)
{
	static char path[PATH_MAX];
	struct cr_error err = { 0 };
	struct cr_restore_status st;
	struct cr_restart_options o;
	struct cr_reader *r = NULL;
	int ret;

	if (take_descriptors())
		return CR_RESTART_FAILED;
	keep_calm();
	ret = cr_restart_parse(&o, argc, argv);
	if (ret >= 0)
		tell_result(EINVAL);
	if (ret >= 0)
		return ret == CR_RESTART_FAILED && o.on_args
			       ? exit_status(system(o.on_args))
			       : ret;
	if (o.restore.verify_only)
		o.restore.found = say_found;
	if (open_image(&o, &r, path, &err) < 0) {
		cr_reader_destroy(r);
		return fail(&o, command_for(&o, err.code), &err);
	}
	if (cr_restore_run(r, &o.restore, &st, &err) < 0) {
		cr_reader_destroy(r);
		return fail(&o, command_for(&o, err.code), &err);
	}
	say_verified(&o, r, &st);
	cr_reader_destroy(r);
	if (o.restore.verify_only)
		return 0;
	say_running(&o, &st);
	tell_result(0);
	if (o.on_success)
		run_on_success(o.on_success, &st);
	if (cr_restore_wait(&st, &err) < 0) {
		cr_restore_end(&st);
		return fail(&o, NULL, &err);
	}
	cr_restore_end(&st);
	end_as(st.wait_status);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.c - requests from inside a program
 *
 * The checkpoint is made by the command cr_checkpoint, started outside the
 * scope (spawn.c).  It has two pipes to us: what it says, and its result as
 * the last thing, "0\n" or a code (CR_RESULT_FD).  Both are omitted, and so is
 * the destination, which cannot be part of what is written to it: in the
 * restarted process they are closed, and cr_restarts() has grown.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/ask.h"
#include "runtime/runtime.h"

#define TICK_MS 100
#define HIGH_FD 900 /* our ends are out of the way of the program's */
#define VERSION 1

struct cr_request_state {
	struct cr_request_state *next;
	int log_fd, result_fd;
	int dest;	   /* the caller's descriptor, omitted; -1: none */
	uint64_t restarts; /* at the start */
	char *log;
	size_t log_len;
	char result[32];
	size_t result_len;
	bool done;
	int code; /* done: 0, or errno */
};

static struct cr_request_state *requests; /* registry locked */

static int fail(int error)
{
	errno = error;
	return -1;
}

int cr_initialize_checkpoint_args_t(cr_checkpoint_args_t *args)
{
	if (!args)
		return fail(EINVAL);
	memset(args, 0, sizeof(*args));
	args->cr_version = VERSION;
	args->cr_scope = CR_SCOPE_TREE;
	args->cr_fd = CR_DEST_CWD;
	return 0;
}

static void request_close(int *fd)
{
	if (*fd < 0)
		return;
	close(*fd);
	cr_keep_fd(*fd);
	*fd = -1;
}

static struct cr_request_state *request_create(void)
{
	struct cr_request_state *q = calloc(1, sizeof(*q));
	sigset_t saved;

	if (!q)
		return NULL;
	q->log_fd = q->result_fd = q->dest = -1;
	cr_registry_lock(&saved);
	q->next = requests;
	requests = q;
	cr_registry_unlock(&saved);
	return q;
}

static void request_end(struct cr_request_state *q)
{
	request_close(&q->log_fd);
	request_close(&q->result_fd);
	if (q->dest >= 0)
		cr_keep_fd(q->dest);
	q->dest = -1;
}

static void request_destroy(struct cr_request_state *q)
{
	struct cr_request_state **p;
	sigset_t saved;

	cr_registry_lock(&saved);
	for (p = &requests; *p && *p != q; p = &(*p)->next)
		;
	if (*p)
		*p = q->next;
	cr_registry_unlock(&saved);
	request_end(q);
	free(q->log);
	free(q);
}

/* A pipe whose reading end is ours and not part of a checkpoint. */
static int private_pipe(int *ours, int *theirs)
{
	int fd[2], high, rc;

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	*theirs = fd[1];
	high = fcntl(fd[0], F_DUPFD_CLOEXEC, HIGH_FD);
	if (high >= 0) {
		close(fd[0]);
		fd[0] = high;
	}
	rc = cr_omit_fd(fd[0]);
	if (!rc && fcntl(fd[0], F_SETFL, O_NONBLOCK))
		rc = -errno;
	if (rc) {
		close(fd[0]);
		return rc;
	}
	*ours = fd[0];
	return 0;
}

static int request_start(struct cr_request_state *q,
			 const cr_checkpoint_args_t *args, const char *path)
{
	int log = -1, result = -1, rc;

	q->restarts = cr_restarts();
	rc = private_pipe(&q->log_fd, &log);
	if (!rc && !path && args->cr_fd >= 0) {
		rc = cr_omit_fd(args->cr_fd);
		q->dest = rc ? -1 : args->cr_fd;
	}
	if (!rc)
		rc = private_pipe(&q->result_fd, &result);
	if (!rc)
		rc = cr_ask_run(args, path, log, result);
	if (log >= 0)
		close(log);
	if (result >= 0)
		close(result);
	return rc;
}

int cr_request_checkpoint(cr_checkpoint_args_t *args,
			  cr_checkpoint_handle_t *handle)
{
	struct cr_request_state *q;
	int rc;

	if (!args || !handle)
		return fail(EINVAL);
	if (args->cr_version != VERSION)
		return fail(CR_EVERSION);
	q = request_create();
	if (!q)
		return fail(ENOMEM);
	rc = cr_ask_check(args);
	if (!rc)
		rc = request_start(q, args, NULL);
	if (rc && !(args->cr_flags & CR_CHKPT_ASYNC_ERR)) {
		request_destroy(q);
		return fail(-rc);
	}
	q->done = rc;
	q->code = -rc;
	*handle = q;
	return 0;
}

static void finish(struct cr_request_state *q, int code)
{
	q->done = true;
	q->code = code;
}

/* In the restarted process the pipes' numbers are not ours any more. */
static bool restarted(struct cr_request_state *q)
{
	if (cr_restarts() == q->restarts)
		return false;
	q->log_fd = q->result_fd = q->dest = -1;
	if (!q->done)
		finish(q, CR_ERESTARTED);
	return true;
}

/* The child has no part in the requests of its parent. */
void cr_ask_forked(void)
{
	struct cr_request_state *q;

	for (q = requests; q; q = q->next) {
		request_end(q);
		if (!q->done)
			finish(q, ECHILD);
	}
}

static void read_log(struct cr_request_state *q)
{
	char buf[4096], *log;
	ssize_t n = 0;

	while (q->log_fd >= 0 && (n = read(q->log_fd, buf, sizeof(buf))) > 0) {
		log = realloc(q->log, q->log_len + n + 1);
		if (!log)
			return;
		q->log = log;
		memcpy(log + q->log_len, buf, n);
		q->log_len += n;
		log[q->log_len] = '\0';
	}
	if (!n && !restarted(q)) /* the end */
		request_close(&q->log_fd);
}

/* Takes in what there is. */
static void update(struct cr_request_state *q)
{
	size_t room = sizeof(q->result) - 1 - q->result_len;
	ssize_t n;

	if (restarted(q) || q->done)
		return;
	n = read(q->result_fd, q->result + q->result_len, room);
	if (restarted(q))
		return;
	if (n > 0)
		q->result_len += n;
	if (strchr(q->result, '\n'))
		finish(q, atoi(q->result));
	else if (!n) /* it was killed before it could say */
		finish(q, EIO);
	read_log(q);
}

static long remaining_ms(const struct timespec *begin,
			 const struct timeval *timeout)
{
	struct timespec now;
	long ms;

	if (!timeout)
		return LONG_MAX;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000;
	ms -= (now.tv_sec - begin->tv_sec) * 1000 +
	      (now.tv_nsec - begin->tv_nsec) / 1000000;
	return ms > 0 ? ms : 0;
}

int cr_wait_checkpoint(cr_checkpoint_handle_t *handle, struct timeval *timeout)
{
	struct cr_request_state *q;
	struct timespec begin;
	struct pollfd p[2];
	long ms;

	if (!handle || !*handle)
		return fail(EINVAL);
	q = *handle;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		update(q);
		if (q->done)
			return 1;
		ms = remaining_ms(&begin, timeout);
		if (!ms)
			return 0;
		p[0] = (struct pollfd){ .fd = q->result_fd, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = q->log_fd, .events = POLLIN };
		if (poll(p, 2, ms < TICK_MS ? ms : TICK_MS) < 0 &&
		    errno == EINTR)
			return -1;
	}
}

int cr_log_checkpoint(cr_checkpoint_handle_t *handle, unsigned int len,
		      char *msg)
{
	struct cr_request_state *q;

	if (!handle || !*handle || (len && !msg))
		return fail(EINVAL);
	q = *handle;
	update(q);
	if (len)
		snprintf(msg, len, "%s", q->log ? q->log : "");
	return q->log_len + 1;
}

int cr_reap_checkpoint(cr_checkpoint_handle_t *handle)
{
	int code;

	if (!handle || !*handle)
		return fail(EINVAL);
	update(*handle);
	if (!(*handle)->done)
		return fail(EAGAIN);
	code = (*handle)->code;
	request_destroy(*handle);
	*handle = NULL;
	return code ? fail(code) : 0;
}

int cr_poll_checkpoint_msg(cr_checkpoint_handle_t *handle,
			   struct timeval *timeout, char **msg)
{
	struct cr_request_state *q;
	bool lost = false;
	int rc;

	if (msg)
		*msg = NULL;
	rc = cr_wait_checkpoint(handle, timeout);
	if (rc <= 0)
		return rc ? CR_POLL_CHKPT_ERR_PRE : 0;
	q = *handle;
	if (msg && q->log_len) {
		*msg = strdup(q->log);
		lost = !*msg;
	}
	if (cr_reap_checkpoint(handle))
		return CR_POLL_CHKPT_ERR_POST;
	return lost ? CR_POLL_CHKPT_ERR_LOG : 1;
}

int cr_poll_checkpoint(cr_checkpoint_handle_t *handle, struct timeval *timeout)
{
	return cr_poll_checkpoint_msg(handle, timeout, NULL);
}

/* Of this process, to path, or to where args says. */
static int request_self(cr_checkpoint_args_t *args, const char *path)
{
	struct cr_request_state *q;
	int rc;

	args->cr_scope = CR_SCOPE_PROC;
	rc = cr_ask_check(args);
	if (rc)
		return fail(-rc);
	if (cr_frame || (cr_self && cr_self->depth)) {
		/* it cannot be waited for: it waits for us */
		rc = cr_ask_run(args, path, -1, -1);
		return rc ? fail(-rc) : 0;
	}
	q = request_create();
	if (!q)
		return fail(ENOMEM);
	rc = request_start(q, args, path);
	if (rc) {
		request_destroy(q);
		return fail(-rc);
	}
	while (cr_wait_checkpoint(&q, NULL) < 0)
		;
	rc = cr_reap_checkpoint(&q);
	return rc && errno == CR_ERESTARTED ? 1 : rc;
}

int cr_request(void)
{
	return cr_request_file(NULL);
}

int cr_request_file(const char *path)
{
	cr_checkpoint_args_t args;

	cr_initialize_checkpoint_args_t(&args);
	return request_self(&args, path);
}

int cr_request_fd(int fd)
{
	cr_checkpoint_args_t args;

	cr_initialize_checkpoint_args_t(&args);
	args.cr_fd = fd;
	return request_self(&args, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asked.c - a request of the program, from its start to the reaping
 *
 * Both pipes are omitted, and so is a checkpoint's destination, which cannot
 * be part of what is written to it: in the restarted process they are closed,
 * and cr_restarts() has grown.
 */
#include "runtime/asked.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define TICK_MS 100
#define HIGH_FD 900 /* our ends are out of the way of the program's */
#define LOG_STEP 65536u

static struct cr_request_state *requests; /* registry locked */

int cr_asked_fail(int error)
{
	errno = error;
	return -1;
}

void *cr_asked_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void cr_asked_release(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

/* What follows is done under the lock, see make_pipes(). */
static void request_close(int *fd)
{
	if (*fd < 0)
		return;
	close(*fd);
	cr_keep_fd(*fd);
	*fd = -1;
}

static struct cr_request_state *create(void)
{
	struct cr_request_state *q = cr_asked_memory(sizeof(*q));
	sigset_t saved;

	if (!q)
		return NULL;
	q->log_fd = q->result_fd = q->dest = -1;
	q->theirs[0] = q->theirs[1] = -1;
	q->restarts = cr_restarts();
	cr_registry_lock(&saved);
	q->next = requests;
	requests = q;
	cr_registry_unlock(&saved);
	return q;
}

static void close_theirs(struct cr_request_state *q)
{
	for (int i = 0; i < 2; i++)
		if (q->theirs[i] >= 0)
			close(q->theirs[i]);
	q->theirs[0] = q->theirs[1] = -1;
}

static void request_end(struct cr_request_state *q)
{
	close_theirs(q);
	request_close(&q->log_fd);
	request_close(&q->result_fd);
	if (q->dest >= 0)
		cr_keep_fd(q->dest);
	q->dest = -1;
}

static void destroy(struct cr_request_state *q)
{
	struct cr_request_state **p;
	sigset_t saved;

	cr_registry_lock(&saved);
	for (p = &requests; *p && *p != q; p = &(*p)->next)
		;
	if (*p)
		*p = q->next;
	request_end(q);
	cr_registry_unlock(&saved);
	cr_asked_release(q->log, q->log_size);
	cr_asked_release(q, sizeof(*q));
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
	*ours = fd[0];
	rc = cr_omit_fd(fd[0]);
	if (!rc && fcntl(fd[0], F_SETFL, O_NONBLOCK))
		rc = -errno;
	return rc;
}

/*
 * Under the lock: a child that another thread forks either does not have the
 * pipes or closes them (cr_ask_forked).  Else we would wait for their end as
 * long as the child lives.
 */
static int make_pipes(struct cr_request_state *q)
{
	sigset_t saved;
	int rc;

	cr_registry_lock(&saved);
	rc = cr_control_create(); /* from when on forks are watched */
	if (!rc)
		rc = private_pipe(&q->log_fd, &q->theirs[0]);
	if (!rc)
		rc = private_pipe(&q->result_fd, &q->theirs[1]);
	cr_registry_unlock(&saved);
	return rc;
}

static int start(struct cr_request_state *q, const struct cr_asked_kind *kind,
		 const void *args)
{
	sigset_t saved;
	int rc;

	rc = make_pipes(q);
	if (!rc)
		rc = kind->run(q, args, q->theirs[0], q->theirs[1]);
	cr_registry_lock(&saved);
	close_theirs(q);
	cr_registry_unlock(&saved);
	return rc;
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

int cr_asked_request(const struct cr_asked_kind *kind, const void *args,
		     bool later, struct cr_request_state **result)
{
	struct cr_request_state *q = create();
	int rc;

	if (!q)
		return -ENOMEM;
	q->killed = kind->killed;
	rc = kind->check(args);
	if (!rc)
		rc = start(q, kind, args);
	if (rc && !later) {
		destroy(q);
		return rc;
	}
	q->done = rc;
	q->code = -rc;
	*result = q;
	return 0;
}

static bool make_room(struct cr_request_state *q, size_t len)
{
	size_t size = (q->log_len + len) / LOG_STEP * LOG_STEP + LOG_STEP;
	char *log;

	if (size <= q->log_size)
		return true;
	log = cr_asked_memory(size);
	if (!log)
		return false;
	if (q->log)
		memcpy(log, q->log, q->log_len + 1);
	cr_asked_release(q->log, q->log_size);
	q->log = log;
	q->log_size = size;
	return true;
}

static void read_log(struct cr_request_state *q)
{
	char buf[4096];
	sigset_t saved;
	ssize_t n = 0;

	while (q->log_fd >= 0 && (n = read(q->log_fd, buf, sizeof(buf))) > 0) {
		if (!make_room(q, (size_t)n + 1))
			return;
		memcpy(q->log + q->log_len, buf, n);
		q->log_len += n;
		q->log[q->log_len] = '\0';
	}
	if (n || restarted(q))
		return;
	cr_registry_lock(&saved); /* the end */
	request_close(&q->log_fd);
	cr_registry_unlock(&saved);
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
		finish(q, q->killed);
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

int cr_asked_wait(struct cr_request_state *q, struct timeval *timeout)
{
	struct timespec begin;
	struct pollfd p[2];
	long ms;

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

int cr_asked_log(struct cr_request_state *q, unsigned int len, char *msg)
{
	size_t n;

	update(q);
	if (len) {
		n = q->log_len < len - 1 ? q->log_len : len - 1;
		if (n)
			memcpy(msg, q->log, n);
		msg[n] = '\0';
	}
	return q->log_len + 1;
}

int cr_asked_reap(struct cr_request_state **q)
{
	int code;

	update(*q);
	if (!(*q)->done)
		return cr_asked_fail(EAGAIN);
	code = (*q)->code;
	destroy(*q);
	*q = NULL;
	return code ? cr_asked_fail(code) : 0;
}

int cr_asked_poll(struct cr_request_state **q, struct timeval *timeout,
		  char **msg)
{
	bool lost = false;
	int rc;

	rc = cr_asked_wait(*q, timeout);
	if (rc <= 0)
		return rc ? CR_POLL_CHKPT_ERR_PRE : 0;
	if (msg && (*q)->log_len) {
		*msg = strdup((*q)->log);
		lost = !*msg;
	}
	if (cr_asked_reap(q))
		return CR_POLL_CHKPT_ERR_POST;
	return lost ? CR_POLL_CHKPT_ERR_LOG : 1;
}

char **cr_asked_environment(char *const *more, size_t n_more, size_t *size)
{
	static const char *const not[] = { "LD_PRELOAD=", "CR_RESULT_FD=",
					   "CR_LOG_FD=" };
	size_t n = 0, i, k;
	char **env;

	while (environ && environ[n])
		n++;
	*size = (n + n_more + 1) * sizeof(*env);
	env = cr_asked_memory(*size);
	if (!env)
		return NULL;
	for (i = n = 0; environ && environ[i]; i++) {
		for (k = 0; k < sizeof(not) / sizeof(*not); k++)
			if (!strncmp(environ[i], not[k], strlen(not[k])))
				break;
		if (k == sizeof(not) / sizeof(*not))
			env[n++] = environ[i];
	}
	for (i = 0; i < n_more; i++)
		env[n++] = more[i];
	return env;
}

void cr_asked_command(char *path, size_t size, const char *name)
{
	const char *dir = NULL;

	if (!getauxval(AT_SECURE))
		dir = getenv("CR_BINDIR");
	snprintf(path, size, "%s/%s", dir ? dir : CR_BINDIR, name);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rendezvous.c - the requester's side of the talk with libcr in a program */
#include "runtime/rendezvous.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/protocol.h"

#define CONNECT_TIMEOUT 10.0 /* seconds */
#define TICK_MS 100

struct cr_rendezvous {
	enum cr_rendezvous_state state;
	pid_t pid, tid; /* of its process and libcr's thread in it */
	int listener, sock, pidfd;
	int epoll;	 /* over the above: what the caller polls */
	double deadline; /* to be connected */
	struct cr_message request;
	int (*forward)(void *arg, pid_t from, cr_scope_t scope, pid_t target);
	void *forward_arg;
	bool forwarded;	     /* since this was looked at */
	struct cr_error err; /* FAILED */
	unsigned int user_code;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static enum cr_rendezvous_state fail(struct cr_rendezvous *r, int code,
				     const char *why)
{
	cr_error_set(&r->err, code, "process %d: %s", r->pid, why);
	r->state = CR_RENDEZVOUS_FAILED;
	/* a permanent failure holds its callbacks until we are told to go */
	if (code != -CR_EPERMFAIL)
		close_fd(&r->sock);
	close_fd(&r->listener);
	return r->state;
}

static int watch(struct cr_rendezvous *r, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* Binds to a fresh token; the name lives exactly as long as the socket. */
static int rendezvous_listen(struct cr_rendezvous *r, uint64_t *token,
			     struct cr_error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n;

	if (getrandom(token, sizeof(*token), 0) != sizeof(*token))
		return cr_error_set(err, -errno, "getrandom: %m");
	r->listener = socket(AF_UNIX,
			     SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->listener < 0)
		return cr_error_set(err, -errno, "socket: %m");
	n = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
		     CR_SOCKET_PREFIX "%016llx", (unsigned long long)*token);
	if (bind(r->listener, (struct sockaddr *)&addr,
		 offsetof(struct sockaddr_un, sun_path) + 1 + n) ||
	    listen(r->listener, 1))
		return cr_error_set(err, -errno, "bind @%s: %m",
				    addr.sun_path + 1);
	return watch(r, r->listener);
}

static int rendezvous_signal(const struct cr_rendezvous *r, uint64_t token,
			     struct cr_error *err)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = CR_SIGNUM;
	info.si_code = SI_QUEUE;
	info.si_errno = CR_SIGNAL_MARK;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)(uintptr_t)token;
	if (!syscall(SYS_rt_tgsigqueueinfo, r->pid, r->tid, CR_SIGNUM, &info))
		return 0;
	return cr_error_set(err, -errno,
			    "cannot tell libcr in process %d about the "
			    "request: %m",
			    r->pid);
}

/* Abstract sockets do not reach into another network namespace. */
static bool same_network(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (stat("/proc/self/ns/net", &ours) || stat(path, &theirs))
		return true; /* not visible: the connection will tell */
	return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

static void fill_request(struct cr_message *m,
			 const struct cr_rendezvous_request *request)
{
	m->version = CR_PROTOCOL_VERSION;
	m->type = CR_MESSAGE_REQUEST;
	m->scope = request->scope;
	m->target = request->target;
	m->signal = request->signal;
	if (request->dest)
		snprintf(m->text, sizeof(m->text), "%s", request->dest);
}

int cr_rendezvous_create(struct cr_rendezvous **out, pid_t pid,
			 const struct cr_control *control,
			 const struct cr_rendezvous_request *request,
			 struct cr_error *err)
{
	struct cr_rendezvous *r = calloc(1, sizeof(*r));
	uint64_t token;
	int rc;

	if (!r)
		return cr_error_set(err, -ENOMEM, "out of memory");
	r->pid = pid;
	r->listener = r->sock = r->pidfd = r->epoll = -1;
	fill_request(&r->request, request);
	r->forward = request->forward;
	r->forward_arg = request->forward_arg;
	r->deadline =
		now() + (request->connect_timeout > 0 ? request->connect_timeout
						      : CONNECT_TIMEOUT);
	rc = r->tid = cr_control_thread(pid, control->helper_tid);
	if (rc < 0) {
		cr_error_set(err, rc, "process %d: libcr's thread (%d) is gone",
			     pid, control->helper_tid);
		goto error;
	}
	if (!same_network(pid)) {
		rc = cr_error_set(err, -EXDEV,
				  "process %d uses libcr in another network "
				  "namespace: make the request there",
				  pid);
		goto error;
	}
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0) {
		rc = cr_error_set(err, -errno, "epoll_create1: %m");
		goto error;
	}
	r->pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (r->pidfd < 0) {
		rc = cr_error_set(err, -errno, "process %d: %m", pid);
		goto error;
	}
	rc = watch(r, r->pidfd);
	if (!rc)
		rc = rendezvous_listen(r, &token, err);
	if (!rc)
		rc = rendezvous_signal(r, token, err);
	if (rc) {
		cr_error_set(err, rc, "process %d: epoll_ctl: %s", pid,
			     strerror(-rc));
		goto error;
	}
	*out = r;
	return 0;
error:
	cr_rendezvous_destroy(r);
	return rc;
}

int cr_rendezvous_fd(const struct cr_rendezvous *r)
{
	return r->epoll;
}

enum cr_rendezvous_state cr_rendezvous_state(const struct cr_rendezvous *r)
{
	return r->state;
}

pid_t cr_rendezvous_pid(const struct cr_rendezvous *r)
{
	return r->pid;
}

int cr_rendezvous_error(const struct cr_rendezvous *r, struct cr_error *err)
{
	if (r->state != CR_RENDEZVOUS_FAILED)
		return 0;
	return cr_error_set(err, r->err.code, "%s", r->err.text);
}

unsigned int cr_rendezvous_user_code(const struct cr_rendezvous *r)
{
	return r->user_code;
}

static int send_message(struct cr_rendezvous *r, const struct cr_message *m)
{
	ssize_t n;

	do
		n = send(r->sock, m, sizeof(*m), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int send_type(struct cr_rendezvous *r, enum cr_message_type type)
{
	const struct cr_message m = { .version = CR_PROTOCOL_VERSION,
				      .type = type };

	return send_message(r, &m);
}

static bool is_gone(const struct cr_rendezvous *r)
{
	struct pollfd p = { .fd = r->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 ||
	       (syscall(SYS_tgkill, r->pid, r->tid, 0) && errno == ESRCH);
}

/* The thread connected, or it has become certain that it will not. */
static enum cr_rendezvous_state step_connecting(struct cr_rendezvous *r)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int rc;

	r->sock = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
	if (r->sock < 0) {
		if (is_gone(r))
			return fail(r, -ESRCH,
				    "ended, or executed another program, "
				    "before it answered");
		if (now() > r->deadline)
			return fail(r, -ETIMEDOUT,
				    "libcr in it does not answer: it is "
				    "stopped, or busy with another request");
		return r->state;
	}
	if (getsockopt(r->sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
	    peer.pid != r->pid) {
		close_fd(&r->sock); /* a stranger; the right one may come */
		return r->state;
	}
	close_fd(&r->listener);
	rc = watch(r, r->sock);
	if (!rc)
		rc = send_message(r, &r->request);
	if (rc && rc != -EPIPE) /* closed already: it said why before */
		return fail(r, rc, "cannot talk with libcr in it");
	return r->state = CR_RENDEZVOUS_PREPARING;
}

static enum cr_rendezvous_state failure(struct cr_rendezvous *r,
					const struct cr_message *m)
{
	char why[CR_ERROR_MAX];
	int n;

	r->user_code = m->user_code;
	n = snprintf(why, sizeof(why), "%.900s",
		     m->text[0] ? m->text : cr_strerror(m->code));
	if (m->user_code)
		snprintf(why + n, sizeof(why) - n, " (code %u)", m->user_code);
	return fail(r, m->code > 0 ? -m->code : -EPROTO, why);
}

static enum cr_rendezvous_state forward(struct cr_rendezvous *r,
					const struct cr_message *m)
{
	struct cr_message answer = { .version = CR_PROTOCOL_VERSION,
				     .type = CR_MESSAGE_FORWARDED };
	int rc = -CR_ENOSUPPORT;

	if (m->scope < CR_SCOPE_PROC || m->scope > CR_SCOPE_TREE ||
	    m->target <= 0)
		rc = -EINVAL;
	else if (r->forward)
		rc = r->forward(r->forward_arg, r->pid, m->scope, m->target);
	answer.code = -rc;
	r->forwarded |= !rc;
	if (send_message(r, &answer))
		return fail(r, -ESRCH, "ended during the checkpoint");
	return r->state;
}

static enum cr_rendezvous_state step_talking(struct cr_rendezvous *r)
{
	struct cr_message m;
	ssize_t n;

	n = recv(r->sock, &m, sizeof(m), MSG_DONTWAIT);
	if (n < 0 && errno == ECONNRESET) /* closed; what it said is behind */
		n = recv(r->sock, &m, sizeof(m), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return r->state;
	if (n <= 0)
		return fail(r, -ESRCH,
			    "ended, or executed another program, "
			    "during the checkpoint");
	if (n != sizeof(m) || m.version != CR_PROTOCOL_VERSION)
		return fail(r, -EPROTO,
			    "its libcr is of another version than this");
	m.text[sizeof(m.text) - 1] = '\0';
	if (m.type == CR_MESSAGE_FAILURE)
		return failure(r, &m);
	if (m.type == CR_MESSAGE_BUSY)
		return fail(r, -EBUSY, "another checkpoint of it is going on");
	if (m.type == CR_MESSAGE_FORWARD && r->state == CR_RENDEZVOUS_PREPARING)
		return forward(r, &m);
	if (m.type == CR_MESSAGE_OMIT && r->state == CR_RENDEZVOUS_PREPARING) {
		close_fd(&r->sock);
		return r->state = CR_RENDEZVOUS_OMITTED;
	}
	if (m.type == CR_MESSAGE_PREPARED &&
	    r->state == CR_RENDEZVOUS_PREPARING)
		return r->state = CR_RENDEZVOUS_PREPARED;
	if (m.type == CR_MESSAGE_READY && r->state == CR_RENDEZVOUS_QUIESCING)
		return r->state = CR_RENDEZVOUS_READY;
	return fail(r, -EPROTO, "unexpected answer from its libcr");
}

enum cr_rendezvous_state cr_rendezvous_step(struct cr_rendezvous *r)
{
	switch (r->state) {
	case CR_RENDEZVOUS_CONNECTING:
		return step_connecting(r);
	case CR_RENDEZVOUS_PREPARING:
	case CR_RENDEZVOUS_PREPARED:
	case CR_RENDEZVOUS_QUIESCING:
	case CR_RENDEZVOUS_READY:
		return step_talking(r);
	default:
		return r->state;
	}
}

static bool at_goal(const struct cr_rendezvous *r,
		    enum cr_rendezvous_state goal)
{
	return r->state == CR_RENDEZVOUS_OMITTED || r->state >= goal;
}

int cr_rendezvous_wait(struct cr_rendezvous **r, size_t n,
		       enum cr_rendezvous_state goal, double timeout,
		       bool (*cancelled)(void *arg), void *arg,
		       struct cr_error *err)
{
	double deadline = now() + timeout;
	struct pollfd *p = calloc(n + 1, sizeof(*p));
	size_t i, waiting = 0;
	int rc = 0;

	if (!p)
		return cr_error_set(err, -ENOMEM, "out of memory");
	while (!rc) {
		pid_t slow = 0;

		for (i = waiting = 0; i < n && !rc; i++) {
			if (!r[i])
				continue;
			cr_rendezvous_step(r[i]);
			rc = cr_rendezvous_error(r[i], err);
			if (!rc && r[i]->forwarded)
				rc = 1;
			r[i]->forwarded = false;
			if (rc || at_goal(r[i], goal))
				continue;
			slow = r[i]->pid;
			p[waiting++] = (struct pollfd){ .fd = r[i]->epoll,
							.events = POLLIN };
		}
		if (rc)
			break;
		if (cancelled && cancelled(arg))
			rc = cr_error_set(err, -ECANCELED,
					  "cancelled while waiting for "
					  "callbacks");
		else if (!waiting)
			break;
		else if (timeout > 0 && now() > deadline)
			rc = cr_error_set(err, -ETIMEDOUT,
					  "process %d is not ready after %g s: "
					  "a callback or a critical section of "
					  "it takes longer",
					  slow, timeout);
		else
			poll(p, waiting, TICK_MS);
	}
	free(p);
	return rc;
}

static int advance(struct cr_rendezvous *r, enum cr_rendezvous_state from,
		   enum cr_message_type type, enum cr_rendezvous_state to,
		   struct cr_error *err)
{
	int rc;

	if (r->state == CR_RENDEZVOUS_OMITTED)
		return 0;
	if (r->state == CR_RENDEZVOUS_FAILED)
		return cr_rendezvous_error(r, err);
	if (r->state != from)
		return cr_error_set(err, -EINVAL,
				    "process %d: a step of the request is "
				    "missing",
				    r->pid);
	rc = send_type(r, type);
	if (rc) {
		fail(r, -ESRCH, "ended during the checkpoint");
		return cr_rendezvous_error(r, err);
	}
	r->state = to;
	return 0;
}

int cr_rendezvous_quiesce(struct cr_rendezvous *r, struct cr_error *err)
{
	return advance(r, CR_RENDEZVOUS_PREPARED, CR_MESSAGE_QUIESCE,
		       CR_RENDEZVOUS_QUIESCING, err);
}

int cr_rendezvous_resume(struct cr_rendezvous *r, struct cr_error *err)
{
	return advance(r, CR_RENDEZVOUS_READY, CR_MESSAGE_RESUME,
		       CR_RENDEZVOUS_RESUMED, err);
}

void cr_rendezvous_abort(struct cr_rendezvous *r)
{
	if (r->state == CR_RENDEZVOUS_RESUMED ||
	    r->state == CR_RENDEZVOUS_OMITTED)
		return;
	if (r->sock >= 0)
		send_type(r, CR_MESSAGE_ABORT);
	close_fd(&r->listener);
	if (r->state != CR_RENDEZVOUS_FAILED)
		r->state = CR_RENDEZVOUS_RESUMED;
}

void cr_rendezvous_destroy(struct cr_rendezvous *r)
{
	if (!r)
		return;
	cr_rendezvous_abort(r);
	close_fd(&r->sock);
	close_fd(&r->listener);
	close_fd(&r->pidfd);
	close_fd(&r->epoll);
	free(r);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer.c - one request in libcr's thread, from connection to outcome
 *
 * The snapshot is taken while the thread waits in wait_outcome().  In the
 * restarted process the connection's number is free and may belong to the
 * program a moment later: nothing is done with it before control->restarts
 * has been looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define TICK_MS 100
#define OUTCOME_TICK_MS 1000
/* The connection's descriptor is out of the way of the program's. */
#define HIGH_FD 900

static struct {
	_Atomic int fd; /* -1: no request */
	struct cr_message request;
	pid_t requester;
	uint64_t restarts; /* when it began */
} an = { .fd = -1 };

/* Callbacks in several threads may forward: one at a time. */
static struct {
	cr_spinlock_t lock;
	struct cr_message m; /* too large for the stack of a signal handler */
} forward;

/* guarded by the registry's mutex */
static const struct cr_coordinator *coordinator;
static void *coordinator_arg;

int cr_register_coordinator(const struct cr_coordinator *ops, void *arg)
{
	sigset_t saved;
	int rc;

	cr_registry_lock(&saved);
	rc = ops ? cr_helper_start() : 0;
	if (!rc && ops && coordinator)
		rc = -EBUSY;
	if (!rc) {
		coordinator = ops;
		coordinator_arg = arg;
	}
	cr_registry_unlock(&saved);
	return rc;
}

void cr_answer_forked(void)
{
	if (an.fd >= 0) {
		close(an.fd);
		cr_keep_fd(an.fd);
	}
	an.fd = -1;
	cr_spinlock_init(&forward.lock);
	coordinator = NULL; /* its peers are the parent's */
}

static bool is_restarted(void)
{
	return __atomic_load_n(&cr_control->restarts, __ATOMIC_ACQUIRE) !=
	       an.restarts;
}

static int transmit(int fd, enum cr_message_type type, int code,
		    unsigned int user_code, const char *text)
{
	struct cr_message m = { .version = CR_PROTOCOL_VERSION,
				.type = type,
				.code = code,
				.user_code = user_code };

	if (text)
		snprintf(m.text, sizeof(m.text), "%s", text);
	return send(fd, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m) ? 0 : -errno;
}

static int say(enum cr_message_type type)
{
	return transmit(an.fd, type, 0, 0, NULL);
}

/* Async-signal-safe: callbacks in signal context ask as well. */
bool cr_answer_cancelled(void)
{
	struct {
		uint32_t version, type;
	} head;
	int saved = errno, fd = an.fd;
	bool cancelled;
	ssize_t n;

	if (fd < 0)
		return true;
	n = recv(fd, &head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		cancelled = errno != EAGAIN && errno != EINTR;
	else
		cancelled = !n || head.type == CR_MESSAGE_ABORT;
	errno = saved;
	return cancelled;
}

int cr_request_cancelled(void)
{
	return cr_answer_cancelled();
}

const struct cr_message *cr_answer_request(pid_t *requester)
{
	*requester = an.requester;
	return &an.request;
}

/* The answer is next, or the request is over (which others are to see, too). */
static int receive_forwarded(struct cr_message *m)
{
	struct pollfd p = { .fd = an.fd, .events = POLLIN };
	ssize_t n;

	do {
		poll(&p, 1, TICK_MS);
		n = recv(an.fd, m, offsetof(struct cr_message, scope),
			 MSG_PEEK | MSG_DONTWAIT);
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n <= 0 || m->type != CR_MESSAGE_FORWARDED)
		return -CR_ETEMPFAIL;
	n = recv(an.fd, m, sizeof(*m), MSG_DONTWAIT);
	if (n != sizeof(*m) || m->version != CR_PROTOCOL_VERSION)
		return -EPROTO;
	return -m->code;
}

int cr_answer_forward(cr_scope_t scope, pid_t target)
{
	struct cr_message *m = &forward.m;
	sigset_t all, saved;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &saved);
	cr_spinlock_lock(&forward.lock);
	memset(m, 0, sizeof(*m));
	m->version = CR_PROTOCOL_VERSION;
	m->type = CR_MESSAGE_FORWARD;
	m->scope = scope;
	m->target = target;
	if (send(an.fd, m, sizeof(*m), MSG_NOSIGNAL) == sizeof(*m))
		rc = receive_forwarded(m);
	else
		rc = -CR_ETEMPFAIL; /* nobody is there any more */
	cr_spinlock_unlock(&forward.lock);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return rc;
}

/* A connected socket, or -1: the requester has gone. */
static int join(uint64_t token, struct ucred *peer)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(*peer);
	int fd, n, high;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	if (high >= 0) {
		close(fd);
		fd = high;
	}
	n = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
		     CR_SOCKET_PREFIX "%016llx", (unsigned long long)token);
	if (connect(fd, (struct sockaddr *)&addr,
		    offsetof(struct sockaddr_un, sun_path) + 1 + n) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Under the lock: a child of another thread must not have the socket. */
static void answer_busy(void)
{
	struct ucred peer;
	sigset_t saved;
	uint64_t token;
	int fd;

	while (cr_helper_next(&token)) {
		if (cr_answer_cancelled()) { /* this one is next */
			cr_helper_put_back(token);
			return;
		}
		cr_registry_lock(&saved);
		fd = join(token, &peer);
		if (fd >= 0) {
			transmit(fd, CR_MESSAGE_BUSY, EBUSY, 0, NULL);
			close(fd);
		}
		cr_registry_unlock(&saved);
	}
}

/*
 * The next message into *m; false if the requester gave up or died.  Other
 * requesters are told that they have to wait.
 */
static bool receive(struct cr_message *m)
{
	struct pollfd p = { .fd = an.fd, .events = POLLIN };
	ssize_t n;

	while (poll(&p, 1, TICK_MS) <= 0)
		answer_busy();
	n = recv(an.fd, m, sizeof(*m), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return receive(m);
	if (n != sizeof(*m) || m->version != CR_PROTOCOL_VERSION ||
	    m->type == CR_MESSAGE_ABORT)
		return false;
	m->text[sizeof(m->text) - 1] = '\0';
	return true;
}

/* Waits until the snapshot was taken, or this is it, restarted. */
static enum cr_outcome wait_outcome(void)
{
	struct cr_message m;
	struct pollfd p;

	for (;;) {
		p = (struct pollfd){ .fd = an.fd, .events = POLLIN };
		if (is_restarted())
			return CR_OUTCOME_RESTARTED;
		poll(&p, 1, OUTCOME_TICK_MS);
		if (is_restarted())
			return CR_OUTCOME_RESTARTED;
		if (!p.revents)
			continue;
		if (receive(&m) && m.type == CR_MESSAGE_RESUME)
			return CR_OUTCOME_CONTINUE;
		return CR_OUTCOME_ABORTED;
	}
}

/* A callback did not say READY. */
static int refuse(int verdict)
{
	unsigned int user_code = verdict >> 8 & 0xffff;
	struct cr_message m;

	if (verdict & CR_CHECKPOINT_OMIT) {
		say(CR_MESSAGE_OMIT);
		return -CR_EOMITTED;
	}
	if (verdict & CR_CHECKPOINT_TEMP_FAILURE) {
		transmit(an.fd, CR_MESSAGE_FAILURE, CR_ETEMPFAIL, user_code,
			 NULL);
		return -CR_ETEMPFAIL;
	}
	/* the requester is going to kill this process */
	transmit(an.fd, CR_MESSAGE_FAILURE, CR_EPERMFAIL, user_code, NULL);
	while (receive(&m))
		;
	return -CR_EPERMFAIL;
}

int cr_answer_finish(int verdict)
{
	const struct cr_coordinator *ops;
	char reason[512] = "";
	struct cr_message m;
	enum cr_outcome outcome;
	sigset_t saved;
	void *arg;
	int rc = 0;

	if (verdict)
		return refuse(verdict);
	if (say(CR_MESSAGE_PREPARED) || !receive(&m) ||
	    m.type != CR_MESSAGE_QUIESCE)
		return -CR_ETEMPFAIL;
	cr_registry_lock(&saved);
	ops = coordinator;
	arg = coordinator_arg;
	cr_registry_unlock(&saved);
	if (ops)
		rc = ops->quiesce(arg, reason, sizeof(reason));
	if (rc) {
		transmit(an.fd, CR_MESSAGE_FAILURE, CR_ETEMPFAIL, 0, reason);
		return -CR_ETEMPFAIL;
	}
	outcome = say(CR_MESSAGE_READY) ? CR_OUTCOME_ABORTED : wait_outcome();
	if (outcome == CR_OUTCOME_RESTARTED) {
		cr_keep_fd(an.fd);
		an.fd = -1; /* not closed: it is not ours any more */
		cr_info_restarted();
	}
	if (ops)
		ops->resume(arg, outcome);
	if (outcome == CR_OUTCOME_ABORTED)
		return -CR_ETEMPFAIL;
	return outcome == CR_OUTCOME_RESTARTED;
}

/*
 * A user that has no number in our user namespace, as root has none in one
 * made for a restart.  It has shown what it may: only who may send us signals
 * can have sent the token.
 */
static bool is_outsider(uid_t uid)
{
	unsigned int first, host, n;
	bool mapped = false;
	FILE *f = fopen("/proc/self/uid_map", "re");

	if (!f)
		return false;
	while (!mapped && fscanf(f, "%u %u %u", &first, &host, &n) == 3)
		mapped = uid - first < n;
	fclose(f);
	return !mapped;
}

/* May this requester ask, and can its connection be left out? */
static bool admit(const struct ucred *peer)
{
	char text[128];

	if (peer->uid != 0 && peer->uid != geteuid() &&
	    !is_outsider(peer->uid)) {
		snprintf(text, sizeof(text),
			 "libcr does not take requests from uid %u: it runs "
			 "as uid %u",
			 peer->uid, geteuid());
		transmit(an.fd, CR_MESSAGE_FAILURE, EPERM, 0, text);
		return false;
	}
	if (an.fd >= CR_CONTROL_OMIT_FDS) {
		transmit(an.fd, CR_MESSAGE_FAILURE, EMFILE, 0,
			 "libcr has no file descriptor below 8192");
		return false;
	}
	return true;
}

/* While threads are in critical sections. */
static bool wait_cancelled(void)
{
	answer_busy();
	return cr_answer_cancelled();
}

/*
 * Yama may let nobody but ancestors trace this program; the requester then has
 * to be named while it is at work.  0: nobody.
 */
static void name_tracer(pid_t pid)
{
	char scope = '0';
	int fd;

	fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, &scope, 1) == 1 && scope == '1')
		prctl(PR_SET_PTRACER, (unsigned long)pid, 0, 0, 0);
	close(fd);
}

/*
 * The connection is made and ended under the lock: a child that another thread
 * forks either does not have it or closes it (cr_answer_forked).
 */
static bool connect_to(uint64_t token, struct ucred *peer)
{
	sigset_t saved;

	cr_registry_lock(&saved);
	an.fd = join(token, peer);
	if (an.fd >= 0)
		cr_omit_fd(an.fd);
	cr_registry_unlock(&saved);
	return an.fd >= 0;
}

static void disconnect(void)
{
	sigset_t saved;
	int fd;

	cr_registry_lock(&saved);
	fd = an.fd;
	if (fd >= 0) {
		an.fd = -1;
		close(fd);
		cr_keep_fd(fd);
	}
	cr_registry_unlock(&saved);
}

void cr_answer(uint64_t token)
{
	struct ucred peer;
	pid_t pid = getpid();

	if (!connect_to(token, &peer))
		return;
	an.requester = peer.pid;
	an.restarts = cr_control->restarts;
	if (admit(&peer) && receive(&an.request) &&
	    an.request.type == CR_MESSAGE_REQUEST &&
	    cr_gate_close(wait_cancelled)) {
		name_tracer(peer.pid);
		cr_round_run();
		if (getpid() != pid) /* a child that a callback made */
			return;
		name_tracer(0);
		cr_gate_open();
	}
	disconnect();
}

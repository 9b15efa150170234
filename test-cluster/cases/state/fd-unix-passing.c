/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-unix-passing.c - descriptors and credentials on their way */
#include <sys/epoll.h>

#include "unix.h"

/* A descriptor on its way, of what is open as well. */
STATE(unix_descriptor_queued)
{
	int s[2], fd = open("unix_descriptor_queued", O_RDWR | O_CREAT, 0600);
	int got;

	CHECK(write(fd, "content", 7) == 7 && lseek(fd, 3, SEEK_SET) == 3);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	pass(s[0], "x", &fd, 1);
	checkpoint();
	take(s[1], "x", &got, 1);
	CHECK(same_description(fd, got));
	CHECK(empty(s[1]));
}

/* It is nowhere open any more; more comes before and after it. */
static void descriptors(int type)
{
	int s[2], p[2], q[2], got[2], one;
	char buf[8];

	CHECK(!socketpair(AF_UNIX, type, 0, s));
	CHECK(!pipe(p) && !socketpair(AF_UNIX, SOCK_STREAM, 0, q));
	CHECK(write(p[1], "pipe", 4) == 4);
	if (type != SOCK_STREAM)
		put(s[0], "before");
	pass(s[0], "two", (int[]){ p[0], q[1] }, 2);
	pass(s[0], "one", &p[1], 1);
	put(s[0], "after");
	put(q[0], "queued");
	close(p[0]);
	close(p[1]);
	close(q[1]);
	checkpoint();
	if (type != SOCK_STREAM)
		get(s[1], "before");
	take(s[1], "two", got, 2);
	take(s[1], "one", &one, 1);
	get(s[1], "after");
	CHECK(empty(s[1]));
	CHECK(read(got[0], buf, 4) == 4 && !memcmp(buf, "pipe", 4));
	CHECK(write(one, "more", 4) == 4);
	CHECK(read(got[0], buf, 4) == 4 && !memcmp(buf, "more", 4));
	get(got[1], "queued");
	put(got[1], "back");
	get(q[0], "back");
	close(one);
	CHECK(read(got[0], buf, 1) == 0);
}

STATE(unix_descriptors_stream)
{
	descriptors(SOCK_STREAM);
}

/* A socket on its way has another one on its way to it, and so on. */
STATE(unix_descriptors_deep)
{
	int s[4][2], ep = epoll_create1(0), last, fd;
	struct epoll_event e = { EPOLLIN, { .u64 = 7 } };

	for (int i = 0; i < 4; i++) {
		CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]));
		if (i) {
			pass(s[i][0], "s", &s[i - 1][1], 1);
			close(s[i - 1][1]);
		}
	}
	/* what the first of them gets is watched by what it gets */
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, s[3][1], &e));
	pass(s[0][0], "e", &ep, 1);
	close(ep);
	checkpoint();
	last = s[3][1];
	for (int i = 3; i > 0; i--) {
		take(last, "s", &fd, 1);
		last = fd;
	}
	take(last, "e", &ep, 1);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	put(s[3][0], "x");
	CHECK(epoll_wait(ep, &e, 1, 0) == 1 && e.data.u64 == 7);
	get(s[3][1], "x");
	put(s[0][0], "y");
	get(last, "y");
}

/* Which bytes they belong to could not be told. */
REFUSED(unix_descriptors_behind, "with descriptors behind other data")
{
	int s[2], fd = 0;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	put(s[0], "before");
	pass(s[0], "two", &fd, 1);
	checkpoint();
	get(s[1], "beforetwo");
}

STATE(unix_descriptors_datagram)
{
	descriptors(SOCK_DGRAM);
}

STATE(unix_descriptors_seqpacket)
{
	descriptors(SOCK_SEQPACKET);
}

/* Who sent it, as the receiver is told. */
static void check_sender(int s, const char *text, pid_t pid)
{
	struct ucred who;

	take_control(s, text, SCM_CREDENTIALS, &who, sizeof(who));
	CHECK(who.pid == pid);
	CHECK(!pid || (who.uid == getuid() && who.gid == getgid()));
}

static int cred_sock;

static void cred_sender(void)
{
	put(cred_sock, "child");
	await_checkpoint();
}

STATE(unix_credentials)
{
	int s[2], one = 1;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	put(s[0], "nobody");
	CHECK(!setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	put(s[0], "mine");
	cred_sock = s[0];
	pid = child(cred_sender);
	usleep(1000);
	checkpoint();
	check_sender(s[1], "nobody", 0);
	check_sender(s[1], "mine", getpid());
	check_sender(s[1], "child", pid);
	put(s[0], "new");
	check_sender(s[1], "new", getpid());
	join(pid);
}

REFUSED(unix_credentials_gone, "with credentials of a process that is not")
{
	int s[2], one = 1;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(!setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	pid = fork();
	if (!pid) {
		put(s[0], "gone");
		_exit(0);
	}
	CHECK(waitpid(pid, NULL, 0) == pid);
	checkpoint();
}

/* Datagrams of one that has gone, with a file and without. */
STATE(unix_datagram_sender_gone)
{
	int a = bound(SOCK_DGRAM, "a"), b = bound(SOCK_DGRAM, "b"), c;
	struct sockaddr_un from, want;
	socklen_t len = sizeof(from), n;
	char buf[16];

	c = bound(SOCK_DGRAM, "@c");
	connect_fd(b, "a");
	connect_fd(c, "a");
	put(b, "from b");
	put(c, "from c");
	close(b);
	close(c);
	checkpoint();
	CHECK(recvfrom(a, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &len) == 6);
	n = address(&want, "b");
	CHECK(len == n && !memcmp(&from, &want, n));
	len = sizeof(from);
	CHECK(recvfrom(a, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &len) == 6);
	n = address(&want, "@c");
	CHECK(len == n && !memcmp(&from, &want, n));
	CHECK(!unlink("a"));
	CHECK(sendto(a, "x", 1, 0, (struct sockaddr *)&want, n) == -1 &&
	      errno == ECONNREFUSED);
}

/* What cannot be saved cannot on its way either. */
REFUSED(unix_refused_queued, "on its way to .* is a socket, .*; close it")
{
	int s[2], fd = socket(AF_NETLINK, SOCK_RAW, 0);

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	pass(s[0], "x", &fd, 1);
	close(fd);
	checkpoint();
}

/* Where the program looks next; our looks must not move it. */
STATE(unix_peek_off)
{
	int s[2], at = 2;
	char buf[8];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	put(s[0], "01234567");
	CHECK(!setsockopt(s[1], SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)));
	CHECK(recv(s[1], buf, 2, MSG_PEEK) == 2 && !memcmp(buf, "23", 2));
	checkpoint();
	CHECK(recv(s[1], buf, 2, MSG_PEEK) == 2 && !memcmp(buf, "45", 2));
	get(s[1], "01234567");
}

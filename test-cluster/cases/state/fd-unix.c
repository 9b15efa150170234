/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-unix.c - UNIX sockets */
#include <sys/ioctl.h>
#include <sys/sendfile.h>

#include "unix.h"

/* Both ways, with data waiting on both sides. */
STATE(unix_pair_stream)
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
	put(s[0], "to one");
	put(s[1], "to ");
	put(s[1], "zero");
	checkpoint();
	CHECK(fcntl(s[0], F_GETFD) == FD_CLOEXEC);
	get(s[1], "to one");
	get(s[0], "to zero");
	CHECK(empty(s[0]) && empty(s[1]));
	put(s[0], "again");
	get(s[1], "again");
	close(s[0]);
	CHECK(recv(s[1], s, 1, 0) == 0);
}

/* The borders of messages are kept. */
STATE(unix_pair_seqpacket)
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	put(s[0], "first");
	put(s[0], "second");
	put(s[0], "3");
	checkpoint();
	get(s[1], "first");
	get(s[1], "second");
	get(s[1], "3");
	CHECK(empty(s[1]));
	put(s[1], "back");
	get(s[0], "back");
}

STATE(unix_pair_datagram)
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
	put(s[0], "one");
	put(s[0], "two!");
	checkpoint();
	CHECK(fcntl(s[0], F_GETFL) == (O_RDWR | O_NONBLOCK));
	get(s[1], "one");
	get(s[1], "two!");
	CHECK(empty(s[1]));
	put(s[1], "back");
	get(s[0], "back");
}

/* As much as fits in, and the order of it. */
STATE(unix_stream_full)
{
	static char buf[1024], back[1024];
	int s[2], n, i, last = 0;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	for (n = 0; !last; n += !last) {
		memset(buf, n & 0xff, sizeof(buf));
		if (send(s[0], buf, sizeof(buf), MSG_DONTWAIT) < 0)
			last = errno;
	}
	CHECK(last == EAGAIN && n > 50);
	checkpoint();
	for (i = 0; i < n; i++) {
		memset(buf, i & 0xff, sizeof(buf));
		CHECK(recv(s[1], back, sizeof(back), MSG_DONTWAIT |
			   MSG_WAITALL) == sizeof(back));
		CHECK(!memcmp(buf, back, sizeof(buf)));
	}
	CHECK(empty(s[1]));
}

/* Between parent and child, one end each. */
static int ends[2];

static void talker(void)
{
	char c;

	close(ends[0]);
	CHECK(recv(ends[1], &c, 1, 0) == 1 && c == 'q');
	put(ends[1], "answer");
}

STATE(unix_pair_processes)
{
	char buf[16];
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	pid = child(talker);
	close(ends[1]);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	put(ends[0], "q");
	CHECK(recv(ends[0], buf, sizeof(buf), 0) == 6);
	join(pid);
	CHECK(recv(ends[0], buf, sizeof(buf), 0) == 0);
}

/* Shut down in one direction. */
STATE(unix_shutdown)
{
	int s[2];
	char c;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	put(s[0], "last");
	CHECK(!shutdown(s[0], SHUT_WR));
	checkpoint();
	get(s[1], "last");
	CHECK(recv(s[1], &c, 1, 0) == 0);
	CHECK(send(s[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	put(s[1], "still");
	get(s[0], "still");
}

/* The other end was closed, what it sent is there. */
STATE(unix_peer_closed)
{
	int s[2];
	char c;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	put(s[0], "bye");
	close(s[0]);
	checkpoint();
	get(s[1], "bye");
	CHECK(recv(s[1], &c, 1, 0) == 0);
	CHECK(send(s[1], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
}

/* It was closed with something unread: the next call says so, once. */
STATE(unix_peer_reset)
{
	int s[2];
	char c;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	put(s[1], "unread");
	close(s[0]);
	checkpoint();
	CHECK(recv(s[1], &c, 1, 0) == -1 && errno == ECONNRESET);
	CHECK(recv(s[1], &c, 1, 0) == 0);
}

/* Listening at a path, with its mode; clients come afterwards. */
STATE(unix_listening)
{
	int l = bound(SOCK_STREAM, "sock"), c, a;
	struct stat st;

	CHECK(!chmod("sock", 0640) && !listen(l, 5));
	checkpoint();
	CHECK(!stat("sock", &st) && S_ISSOCK(st.st_mode));
	CHECK((st.st_mode & 0777) == 0640);
	CHECK(is_named(l, "sock"));
	c = connected(SOCK_STREAM, "sock");
	a = accept(l, NULL, NULL);
	CHECK(a >= 0);
	put(c, "hello");
	get(a, "hello");
}

STATE(unix_listening_abstract)
{
	int l = bound(SOCK_SEQPACKET, "@l"), c, a;

	CHECK(!listen(l, 5));
	checkpoint();
	c = connected(SOCK_SEQPACKET, "@l");
	a = accept(l, NULL, NULL);
	CHECK(a >= 0 && is_named(a, "@l") && has_peer(c, "@l"));
	put(a, "hello");
	get(c, "hello");
}

/* A process waits in accept(). */
static int accept_fd;

static void acceptor(void)
{
	int a = accept(accept_fd, NULL, NULL);

	CHECK(a >= 0);
	put(a, "welcome");
}

STATE(unix_accepting)
{
	char buf[16];
	pid_t pid;
	int c;

	accept_fd = bound(SOCK_STREAM, "sock");
	CHECK(!listen(accept_fd, 5));
	pid = child(acceptor);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	c = connected(SOCK_STREAM, "sock");
	CHECK(recv(c, buf, sizeof(buf), 0) == 7);
	join(pid);
}

/* Accepted connections have their names, and their data. */
STATE(unix_accepted)
{
	int l = bound(SOCK_STREAM, "sock"), c[2], a[2], i;

	CHECK(!listen(l, 5));
	c[0] = connected(SOCK_STREAM, "sock");
	c[1] = bound(SOCK_STREAM, "client");
	connect_fd(c[1], "sock");
	for (i = 0; i < 2; i++)
		a[i] = accept(l, NULL, NULL);
	put(c[0], "zero");
	put(a[1], "one");
	checkpoint();
	for (i = 0; i < 2; i++)
		CHECK(has_peer(c[i], "sock") && is_named(a[i], "sock"));
	CHECK(is_named(c[1], "client") && has_peer(a[1], "client"));
	get(a[0], "zero");
	get(c[1], "one");
	put(a[0], "0");
	get(c[0], "0");
	close(connected(SOCK_STREAM, "sock"));
}

/* The listening socket is closed, its file gone; connections go on. */
STATE(unix_accepted_unlinked)
{
	int l = bound(SOCK_STREAM, "sock"), c, a;

	CHECK(!listen(l, 5));
	c = connected(SOCK_STREAM, "sock");
	a = accept(l, NULL, NULL);
	close(l);
	unlink("sock");
	put(c, "data");
	checkpoint();
	CHECK(access("sock", F_OK) == -1 && errno == ENOENT);
	CHECK(has_peer(c, "sock") && is_named(a, "sock"));
	get(a, "data");
}

/* Connections that nobody has accepted yet. */
STATE(unix_pending)
{
	int l = bound(SOCK_STREAM, "@p"), c[3], a, i;
	char text[2] = "0";

	CHECK(!listen(l, 5));
	for (i = 0; i < 3; i++)
		c[i] = connected(SOCK_STREAM, "@p");
	checkpoint();
	for (i = 0; i < 3; i++) {
		text[0] = (char)('0' + i);
		put(c[i], text);
		a = accept(l, NULL, NULL);
		CHECK(a >= 0);
		get(a, text);
		close(a);
	}
}

REFUSED(unix_pending_data, "data for a connection that was not accepted")
{
	int l = bound(SOCK_STREAM, "@p"), c;

	CHECK(!listen(l, 5));
	c = connected(SOCK_STREAM, "@p");
	put(c, "early");
	checkpoint();
	get(accept(l, NULL, NULL), "early");
}

/* Datagram sockets with addresses; who sent a message is kept. */
STATE(unix_datagram_named)
{
	int a = bound(SOCK_DGRAM, "a"), b = bound(SOCK_DGRAM, "@b");
	int c = connected(SOCK_DGRAM, "a");
	struct sockaddr_un from, want;
	socklen_t len = sizeof(from), n;
	char buf[16] = { 0 };

	connect_fd(b, "a");
	put(b, "from b");
	put(c, "anonymous");
	checkpoint();
	CHECK(recvfrom(a, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &len) == 6);
	n = address(&want, "@b");
	CHECK(len == n && !memcmp(&from, &want, n));
	get(a, "anonymous");
	CHECK(sendto(a, "re", 2, 0, (struct sockaddr *)&from, len) == 2);
	/* b hears only a */
	get(b, "re");
	put(c, "more");
	get(a, "more");
	CHECK(has_peer(c, "a") && is_named(a, "a"));
}

/* Its file has another name by now, by which clients find it. */
STATE(unix_moved)
{
	int l = bound(SOCK_STREAM, "new"), c, s, d;
	struct stat st;

	unlink("ready");
	CHECK(!chmod("new", 0612) && !listen(l, 3));
	c = connected(SOCK_STREAM, "new");
	s = accept(l, NULL, NULL);
	put(c, "before");
	CHECK(!rename("new", "ready"));
	checkpoint();
	get(s, "before");
	CHECK(has_peer(c, "new") && is_named(l, "new"));
	d = connected(SOCK_STREAM, "ready");
	put(d, "after");
	get(accept(l, NULL, NULL), "after");
	CHECK(lstat("new", &st) == -1 && !stat("ready", &st));
	CHECK((st.st_mode & 0777) == 0612);
}

/* What others had sent before it was connected is received all the same. */
STATE(unix_datagram_before_connect)
{
	int a = bound(SOCK_DGRAM, "a"), b = bound(SOCK_DGRAM, "b");
	int c = connected(SOCK_DGRAM, "a"), d = connected(SOCK_DGRAM, "a");

	put(c, "from c");
	connect_fd(b, "a");
	put(b, "from b");
	put(d, "from d");
	connect_fd(a, "b");
	put(b, "b again");
	checkpoint();
	get(a, "from c");
	get(a, "from b");
	get(a, "from d");
	get(a, "b again");
	CHECK(empty(a) && has_peer(a, "b"));
	CHECK(send(c, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPERM);
}

/* Neither bound nor connected. */
STATE(unix_plain)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), l;

	checkpoint();
	l = bound(SOCK_STREAM, "@x");
	CHECK(!listen(l, 1));
	connect_fd(s, "@x");
}

/* Options that a program sets. */
STATE(unix_options)
{
	struct timeval t = { 7, 0 };
	int s[2], size = 20000, n, one = 1;
	socklen_t len = sizeof(n);

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(!setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	CHECK(!setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	CHECK(!setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	checkpoint();
	CHECK(!getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &n, &len) &&
	      n == 40000);
	CHECK(!getsockopt(s[1], SOL_SOCKET, SO_SNDBUF, &n, &len) &&
	      n != 40000);
	CHECK(!getsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &n, &len) && n == 1);
	len = sizeof(t);
	CHECK(!getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, &len) &&
	      t.tv_sec == 7);
}

/* One description under two numbers. */
STATE(unix_dup)
{
	int s[2], d;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	d = dup(s[0]);
	close(s[0]);
	put(s[1], "x");
	s[0] = dup(d);
	checkpoint();
	CHECK(same_description(s[0], d));
	get(d, "x");
	put(s[0], "y");
	get(s[1], "y");
}

/* Connected to one that has gone. */
STATE(unix_datagram_alone)
{
	int a = bound(SOCK_DGRAM, "@a"), b = bound(SOCK_DGRAM, "@b");

	connect_fd(b, "@a");
	close(a);
	checkpoint();
	CHECK(is_named(b, "@b"));
	CHECK(send(b, "x", 1, MSG_NOSIGNAL) == -1 && errno == ECONNREFUSED);
	CHECK(send(b, "x", 1, MSG_NOSIGNAL) == -1 && errno == ENOTCONN);
}

/* As much as goes in of a file's pages. */
STATE(unix_sendfile_full)
{
	int s[2], fd = open("data", O_RDWR | O_CREAT, 0600), i;
	static char page[4096], back[4096];
	ssize_t n, total = 0, got;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	for (i = 0; i < 300; i++) {
		memset(page, 'a' + i % 26, sizeof(page));
		CHECK(write(fd, page, sizeof(page)) == sizeof(page));
	}
	lseek(fd, 0, SEEK_SET);
	while ((n = sendfile(s[0], fd, NULL, sizeof(page))) > 0)
		total += n;
	CHECK(total > 100000);
	checkpoint();
	for (got = 0; got < total; got += n) {
		n = recv(s[1], back, sizeof(back) - (size_t)(got % 4096), 0);
		CHECK(n > 0);
		for (i = 0; i < n; i++)
			CHECK(back[i] == 'a' + (got + i) / 4096 % 26);
	}
	CHECK(empty(s[1]));
}

/* The other end is a process that is not saved. */
REFUSED(unix_outside, "connected to a process outside")
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			close(s[0]);
			await_checkpoint();
		}
		_exit(0);
	}
	wait(NULL);
	close(s[1]);
	checkpoint();
}

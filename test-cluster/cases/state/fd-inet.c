/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-inet.c - TCP and UDP inside the tree */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "state.h"

static void put(int fd, const char *text)
{
	CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	      (ssize_t)strlen(text));
}

/* It may be on its way for a moment. */
static void get(int fd, const char *text)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char buf[256] = { 0 };

	CHECK(poll(&p, 1, 50000) == 1);
	CHECK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) ==
	      (ssize_t)strlen(text));
	CHECK(!strcmp(buf, text));
}

static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	CHECK(!getsockname(fd, (struct sockaddr *)&a, &len));
	return a;
}

static struct sockaddr_in peer_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	CHECK(!getpeername(fd, (struct sockaddr *)&a, &len));
	return a;
}

static bool same(struct sockaddr_in a, struct sockaddr_in b)
{
	return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

static int bound(int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type, 0);

	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

/* No trace of the connection is left for a minute: the next life has it. */
static void reset(int fd)
{
	struct linger now = { 1, 0 };

	CHECK(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	close(fd);
}

static int listening(void)
{
	int fd = bound(SOCK_STREAM);

	CHECK(!listen(fd, 7));
	return fd;
}

static int connected(int type, int to)
{
	struct sockaddr_in a = name_of(to);
	int fd = socket(AF_INET, type, 0);

	CHECK(!connect(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

/* Listening at the same port; clients come afterwards. */
STATE(tcp_listening)
{
	int l = listening(), c, a;
	struct sockaddr_in was = name_of(l);

	checkpoint();
	CHECK(same(name_of(l), was));
	c = connected(SOCK_STREAM, l);
	a = accept(l, NULL, NULL);
	CHECK(a >= 0);
	put(c, "hello");
	get(a, "hello");
	reset(c);
}

/* Both ends in one process, with data waiting in both directions. */
STATE(tcp_connected)
{
	int l = listening(), c = connected(SOCK_STREAM, l);
	int a = accept(l, NULL, NULL), one = 1;
	struct sockaddr_in cn = name_of(c), an = name_of(a);
	socklen_t len = sizeof(one);

	CHECK(!setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	put(c, "to a");
	put(a, "to c");
	checkpoint();
	CHECK(same(name_of(c), cn) && same(peer_of(c), an));
	CHECK(same(name_of(a), an) && same(peer_of(a), cn));
	one = 0;
	CHECK(!getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, &len) && one);
	CHECK(!getsockopt(a, IPPROTO_TCP, TCP_NODELAY, &one, &len) && !one);
	get(a, "to a");
	get(c, "to c");
	put(a, "again");
	get(c, "again");
	CHECK(!shutdown(a, SHUT_WR));
	CHECK(recv(c, &one, 1, 0) == 0);
	reset(c);
	reset(a);
}

/* The listening socket is closed; the connection goes on. */
STATE(tcp_without_listener)
{
	int l = listening(), c = connected(SOCK_STREAM, l);
	int a = accept(l, NULL, NULL);

	close(l);
	put(a, "data");
	checkpoint();
	get(c, "data");
	put(c, "back");
	get(a, "back");
	reset(c);
}

/* A server process that waits in recv(), and its client. */
static int server_fd;

static void server(void)
{
	char buf[16];
	ssize_t n;
	int a = accept(server_fd, NULL, NULL);

	CHECK(a >= 0);
	while ((n = recv(a, buf, sizeof(buf), 0)) > 0)
		CHECK(send(a, buf, (size_t)n, MSG_NOSIGNAL) == n);
	CHECK(n == 0);
	reset(a);
}

STATE(tcp_server_process)
{
	pid_t pid;
	int c;

	server_fd = listening();
	pid = child(server);
	c = connected(SOCK_STREAM, server_fd);
	put(c, "one");
	get(c, "one");
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	put(c, "two");
	get(c, "two");
	CHECK(!shutdown(c, SHUT_WR));
	join(pid);
	reset(c);
}

/* A process waits in accept(). */
STATE(tcp_accepting)
{
	pid_t pid;
	int c;

	server_fd = listening();
	pid = child(server);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	c = connected(SOCK_STREAM, server_fd);
	put(c, "x");
	get(c, "x");
	CHECK(!shutdown(c, SHUT_WR));
	join(pid);
	reset(c);
}

/* Shut down in one direction. */
STATE(tcp_shutdown)
{
	int l = listening(), c = connected(SOCK_STREAM, l);
	int a = accept(l, NULL, NULL);
	char b;

	put(c, "last");
	CHECK(!shutdown(c, SHUT_WR));
	checkpoint();
	get(a, "last");
	CHECK(recv(a, &b, 1, 0) == 0);
	CHECK(send(c, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	put(a, "still");
	get(c, "still");
	reset(a);
}

/* A lot on its way. */
STATE(tcp_data)
{
	/* as much as older kernels have room for at first */
	static char buf[50000], back[50000];
	int l = listening(), c = connected(SOCK_STREAM, l);
	int a = accept(l, NULL, NULL);
	size_t i;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + i / 251);
	CHECK(send(c, buf, sizeof(buf), 0) == sizeof(buf));
	checkpoint();
	CHECK(recv(a, back, sizeof(back), MSG_WAITALL) == sizeof(back));
	CHECK(!memcmp(buf, back, sizeof(buf)));
	reset(c);
}

/* More is being sent than the receiver has room for. */
LATE(tcp_stuck, "not enough room for what is being sent")
{
	static char buf[65536];
	int l = listening(), c = connected(SOCK_STREAM, l);
	int a = accept(l, NULL, NULL), i;

	for (i = 0; i < 1000; i++)
		if (send(c, buf, sizeof(buf), MSG_DONTWAIT) < 0)
			usleep(1000);
	checkpoint();
	CHECK(a >= 0);
}

REFUSED(tcp_pending, "a connection that waits to be accepted")
{
	int l = listening(), c = connected(SOCK_STREAM, l);

	checkpoint();
	CHECK(c >= 0);
}

REFUSED(tcp_outside, "connected to a process outside")
{
	int l = listening(), c = connected(SOCK_STREAM, l);
	int a = accept(l, NULL, NULL);

	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			close(c);
			await_checkpoint();
		}
		_exit(0);
	}
	wait(NULL);
	close(a);
	checkpoint();
}

/* IPv6, dual: a client that speaks IPv4. */
STATE(tcp_ipv6)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct sockaddr_in a4 = { .sin_family = AF_INET };
	socklen_t len = sizeof(any);
	int l = socket(AF_INET6, SOCK_STREAM, 0), c, a;

	CHECK(l >= 0 && !bind(l, (struct sockaddr *)&any, sizeof(any)));
	CHECK(!listen(l, 3) && !getsockname(l, (struct sockaddr *)&any, &len));
	a4.sin_port = any.sin6_port;
	a4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!connect(c, (struct sockaddr *)&a4, sizeof(a4)));
	a = accept(l, NULL, NULL);
	put(a, "six");
	checkpoint();
	get(c, "six");
	put(c, "four");
	get(a, "four");
	reset(a);
}

static void keeps_open(void)
{
}

/* The port was taken by somebody else. */
FAILS(tcp_port_taken, "by another program")
{
	int l = listening();

	checkpoint();
	somebody_else(keeps_open);
	close(l);
}

/* UDP: bound, connected, with datagrams and who sent them. */
STATE(udp)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM), c;
	struct sockaddr_in an = name_of(a), bn = name_of(b), from;
	socklen_t len = sizeof(from);
	char buf[16] = { 0 };

	c = connected(SOCK_DGRAM, a);
	CHECK(sendto(b, "from b", 6, 0, (struct sockaddr *)&an, len) == 6);
	put(c, "c!");
	checkpoint();
	CHECK(same(name_of(a), an) && same(peer_of(c), an));
	CHECK(recvfrom(a, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &len) == 6);
	CHECK(same(from, bn) && !strcmp(buf, "from b"));
	get(a, "c!");
	CHECK(recv(a, buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	put(c, "more");
	get(a, "more");
}

/* Datagrams without anything, first, between others and last. */
STATE(udp_empty)
{
	int a = bound(SOCK_DGRAM), c = connected(SOCK_DGRAM, a);
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[16];

	CHECK(!send(c, "", 0, 0));
	put(c, "full");
	CHECK(!send(c, "", 0, 0) && !send(c, "", 0, 0));
	checkpoint();
	CHECK(!recvfrom(a, buf, sizeof(buf), MSG_DONTWAIT,
			(struct sockaddr *)&from, &len));
	CHECK(same(from, name_of(c)));
	CHECK(recv(a, buf, sizeof(buf), MSG_DONTWAIT) == 4);
	CHECK(!recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK(!recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK(recv(a, buf, sizeof(buf), MSG_DONTWAIT) == -1);
}

/* It has been looked at, after which it is seen by one way only. */
STATE(udp_empty_seen)
{
	int a = bound(SOCK_DGRAM), c = connected(SOCK_DGRAM, a);
	char buf[16];

	CHECK(!send(c, "", 0, 0));
	put(c, "full");
	CHECK(!recv(a, buf, sizeof(buf), MSG_PEEK));
	checkpoint();
	CHECK(!recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK(recv(a, buf, sizeof(buf), MSG_DONTWAIT) == 4);
	CHECK(recv(a, buf, sizeof(buf), MSG_DONTWAIT) == -1);
}

/* In either direction, with something to be received before. */
STATE(udp_shutdown)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM);
	int c = connected(SOCK_DGRAM, a), d = connected(SOCK_DGRAM, a);
	struct sockaddr_in an = name_of(a), cn = name_of(c);
	char buf[16];

	CHECK(!connect(b, (struct sockaddr *)&an, sizeof(an)));
	CHECK(sendto(a, "to c", 4, 0, (struct sockaddr *)&cn, sizeof(cn)) == 4);
	CHECK(!shutdown(c, SHUT_RD) && !shutdown(b, SHUT_WR));
	checkpoint();
	CHECK(recv(c, buf, sizeof(buf), 0) == 4);
	CHECK(recv(c, buf, sizeof(buf), 0) == 0);
	put(c, "goes on");
	get(a, "goes on");
	CHECK(send(b, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	CHECK(recv(b, buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	put(d, "not this");
	get(a, "not this");
	CHECK(recv(d, buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static void send_to(int fd, struct sockaddr_in a, const char *text)
{
	CHECK(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a,
		     sizeof(a)) == (ssize_t)strlen(text));
}

/* What others had sent before it was connected is received all the same. */
STATE(udp_before_connect)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM), c = bound(SOCK_DGRAM);
	struct sockaddr_in an = name_of(a), bn = name_of(b);

	send_to(c, an, "from c");
	send_to(b, an, "from b");
	send_to(c, an, "c again");
	CHECK(!connect(a, (struct sockaddr *)&bn, sizeof(bn)));
	send_to(b, an, "b again");
	checkpoint();
	get(a, "from c");
	get(a, "from b");
	get(a, "c again");
	get(a, "b again");
	CHECK(recv(a, &an, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	CHECK(same(peer_of(a), bn));
}

/* With an option that lets several have one port; port 0: any. */
static int sharing(int type, int option, in_port_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = port };
	int fd = socket(AF_INET, type, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)));
	CHECK(!bind(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

/* One for all, and one for a peer of its own. */
STATE(udp_shared_port)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM), all, own;
	struct sockaddr_in an = name_of(a), at;

	all = sharing(SOCK_DGRAM, SO_REUSEADDR, 0);
	at = name_of(all);
	own = sharing(SOCK_DGRAM, SO_REUSEADDR, at.sin_port);
	CHECK(!connect(own, (struct sockaddr *)&an, sizeof(an)));
	send_to(a, at, "a");
	send_to(b, at, "b");
	checkpoint();
	get(own, "a");
	get(all, "b");
	send_to(a, at, "a");
	get(own, "a");
}

/* The kernel chooses who of them gets a datagram: the same must have it. */
STATE(udp_reuseport)
{
	int fd[3], from[8], was[3], is;
	struct sockaddr_in at;

	fd[0] = sharing(SOCK_DGRAM, SO_REUSEPORT, 0);
	at = name_of(fd[0]);
	for (int i = 1; i < 3; i++)
		fd[i] = sharing(SOCK_DGRAM, SO_REUSEPORT, at.sin_port);
	for (int i = 0; i < 8; i++) {
		from[i] = bound(SOCK_DGRAM);
		send_to(from[i], at, &"12345678"[i]);
	}
	for (int i = 0; i < 3; i++)
		CHECK(!ioctl(fd[i], FIONREAD, &was[i]));
	checkpoint();
	for (int i = 0; i < 3; i++)
		CHECK(!ioctl(fd[i], FIONREAD, &is) && is == was[i]);
}

/* Nor is it the same one at a restart that accepts. */
STATE(tcp_reuseport)
{
	int l[3], c[6], s[6];
	struct pollfd p[3];
	struct sockaddr_in at;

	l[0] = sharing(SOCK_STREAM, SO_REUSEPORT, 0);
	at = name_of(l[0]);
	for (int i = 1; i < 3; i++)
		l[i] = sharing(SOCK_STREAM, SO_REUSEPORT, at.sin_port);
	for (int i = 0; i < 3; i++) {
		CHECK(!listen(l[i], 7));
		p[i] = (struct pollfd){ l[i], POLLIN, 0 };
	}
	for (int i = 0; i < 6; i++) {
		c[i] = connected(SOCK_STREAM, l[0]);
		CHECK(poll(p, 3, 50000) == 1);
		for (int k = 0; k < 3; k++)
			if (p[k].revents)
				s[i] = accept(l[k], NULL, NULL);
		put(c[i], "before");
	}
	checkpoint();
	for (int i = 0; i < 6; i++) {
		get(s[i], "before");
		put(c[i], "after");
		get(s[i], "after");
		reset(c[i]);
		reset(s[i]);
	}
}

/* Connected to itself, as two that call at the same time would be. */
STATE(tcp_itself)
{
	int fd = bound(SOCK_STREAM);
	struct sockaddr_in a = name_of(fd);

	CHECK(!connect(fd, (struct sockaddr *)&a, sizeof(a)));
	put(fd, "before");
	checkpoint();
	get(fd, "before");
	put(fd, "after");
	get(fd, "after");
	reset(fd);
}

/* One socket for both protocols, and what came by each of them. */
STATE(udp_both_protocols)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6 }, from;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), six;
	struct sockaddr_in four = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	char buf[8];

	if (fd < 0)
		skip("IPv6");
	CHECK(!bind(fd, (struct sockaddr *)&at, len));
	CHECK(!getsockname(fd, (struct sockaddr *)&at, &len));
	four.sin_port = at.sin6_port;
	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	send_to(bound(SOCK_DGRAM), four, "four");
	at.sin6_addr = in6addr_loopback;
	six = socket(AF_INET6, SOCK_DGRAM, 0);
	if (sendto(six, "sixsix", 6, 0, (struct sockaddr *)&at, len) != 6)
		skip("IPv6");
	checkpoint();
	CHECK(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &len) == 4);
	CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	CHECK(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &len) == 6);
	CHECK(IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
}

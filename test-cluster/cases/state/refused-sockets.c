/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refused-sockets.c - sockets and terminals in a state that cannot be saved
 *
 * Those that belong to what can be saved are beside that, in fd-*.c.
 */
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "unix.h"

/* --- TCP and UDP ------------------------------------------------------ */

static struct sockaddr_in local;

static void set_local(int fd)
{
	socklen_t len = sizeof(local);

	CHECK(!getsockname(fd, (struct sockaddr *)&local, &len));
}

static int inet_bound(int type)
{
	int fd = socket(AF_INET, type, 0);

	local = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CHECK(!bind(fd, (struct sockaddr *)&local, sizeof(local)));
	set_local(fd);
	return fd;
}

static int inet_connect(int type)
{
	int fd = socket(AF_INET, type, 0);

	int ret = connect(fd, (struct sockaddr *)&local, sizeof(local));

	CHECK(fd >= 0 && (!ret || type & SOCK_NONBLOCK));
	return fd;
}

static void tcp_pair(int s[2])
{
	int l = inet_bound(SOCK_STREAM);

	CHECK(!listen(l, 1));
	s[0] = inet_connect(SOCK_STREAM);
	s[1] = accept(l, NULL, NULL);
	CHECK(s[1] >= 0);
	close(l);
}

REFUSED(refused_tcp_connecting, "TCP socket (127.*) that is being con.*; try")
{
	int l = inet_bound(SOCK_STREAM);

	CHECK(!listen(l, 0));
	/* who comes when the queue is full is not answered */
	for (int i = 0; i < 3; i++)
		inet_connect(SOCK_STREAM | SOCK_NONBLOCK);
	checkpoint();
}

REFUSED(refused_tcp_encrypted, "TCP socket (127.*) that the kernel e.*; close")
{
	int s[2];

	tcp_pair(s);
	if (setsockopt(s[0], IPPROTO_TCP, TCP_ULP, "tls", 3))
		skip("kernel TLS");
	checkpoint();
}

/* "one" is before the urgent byte, and "two" behind it. */
static int urgent(void)
{
	int s[2], n;
	char buf[16];

	tcp_pair(s);
	CHECK(send(s[0], "one", 3, 0) == 3);
	CHECK(send(s[0], "!", 1, MSG_OOB) == 1);
	CHECK(send(s[0], "two", 3, 0) == 3);
	do
		n = recv(s[1], buf, 1, MSG_OOB | MSG_PEEK);
	while (n < 0 && errno == EAGAIN);
	CHECK(n == 1);
	return s[1];
}

static void receive(int fd, int flags, const char *text)
{
	char buf[16] = { 0 };

	CHECK(recv(fd, buf, 15, flags) > 0 && !strcmp(buf, text));
}

REFUSED(refused_tcp_urgent, "TCP socket (127.*) with urgent data, .*; receive it")
{
	int fd = urgent();

	checkpoint();
	receive(fd, 0, "one");
	receive(fd, MSG_OOB, "!");
	receive(fd, 0, "two");
}

LATE(refused_tcp_urgent_read, "TCP socket (127.*) with urgent data, .*; rec")
{
	int fd = urgent();

	receive(fd, MSG_OOB, "!");
	checkpoint();
	receive(fd, 0, "one");
	receive(fd, 0, "two");
}

REFUSED(refused_tcp_mark, "TCP socket (127.*) with urgent data, .*; receive it")
{
	int fd = urgent();

	receive(fd, 0, "one");
	receive(fd, MSG_OOB, "!");
	checkpoint();
	receive(fd, 0, "two");
}

LATE(refused_tcp_inline, "TCP socket (127.*) with urgent data, .*; receive it")
{
	int fd = urgent(), one = 1;

	CHECK(!setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)));
	checkpoint();
	receive(fd, 0, "one");
	receive(fd, 0, "!two");
}

REFUSED(refused_udp_error, "UDP socket (127.*) with an error to be .*; try again")
{
	int fd = inet_bound(SOCK_DGRAM), c = inet_connect(SOCK_DGRAM);

	close(fd);
	CHECK(send(c, "lost", 4, 0) == 4);
	checkpoint();
	CHECK(send(c, "lost", 4, 0) == -1 && errno == ECONNREFUSED);
}

/* --- UNIX sockets ----------------------------------------------------- */

static int unix_bound(int type, const char *name)
{
	int fd = bound(type, name);

	CHECK(type == SOCK_DGRAM || !listen(fd, 5));
	return fd;
}

static void connects(void)
{
	connected(SOCK_STREAM, "s");
}

REFUSED(refused_unix_from_outside, "with a connection from outside .*; try")
{
	unix_bound(SOCK_STREAM, "s");
	outsider(connects);
	checkpoint();
}

static void listens(void)
{
	unix_bound(SOCK_STREAM, "s");
}

REFUSED(refused_unix_to_outside, "accepted by a process outside of .*; try")
{
	outsider(listens);
	connects();
	checkpoint();
}

/* The other end has gone over to one with a name. */
REFUSED(refused_unix_nameless, "connected to one without a name, .*; close it")
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	unix_bound(SOCK_DGRAM, "s");
	connect_fd(s[1], "s");
	checkpoint();
}

static int ends[2];

static void keeps_one(void)
{
	close(ends[0]);
}

REFUSED(refused_unix_datagram_outside, "connected to another one .*; close")
{
	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	outsider(keeps_one);
	close(ends[1]);
	checkpoint();
}

REFUSED(refused_unix_error, "UNIX socket with an error to be reported, .*; try")
{
	int a = unix_bound(SOCK_DGRAM, "a"), b = unix_bound(SOCK_DGRAM, "b");
	int error = 0;
	socklen_t len = sizeof(error);

	connect_fd(a, "b");
	connect_fd(b, "a");
	unix_bound(SOCK_DGRAM, "c");
	CHECK(send(a, "lost", 4, 0) == 4);
	connect_fd(b, "c");
	checkpoint();
	CHECK(!getsockopt(a, SOL_SOCKET, SO_ERROR, &error, &len));
	CHECK(error == ECONNRESET);
}

REFUSED(refused_unix_empty, "UNIX socket with an empty message to be .*; receive")
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	CHECK(!send(s[0], "", 0, 0));
	checkpoint();
	CHECK(!recv(s[1], NULL, 0, 0));
}

REFUSED(refused_unix_empty_packet, "UNIX socket with an empty message .*; receive")
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	CHECK(!send(s[0], "", 0, 0));
	checkpoint();
	CHECK(!recv(s[1], NULL, 0, 0));
}

REFUSED(refused_unix_empty_descriptors, "an empty message with desc.*; rec")
{
	int s[2], fd;

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	pass(s[0], "", &s[0], 1);
	checkpoint();
	take(s[1], "", &fd, 1);
	CHECK(same_description(fd, s[0]));
}

REFUSED(refused_unix_urgent, "UNIX socket with urgent data, .*; receive it")
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(send(s[0], "text", 4, 0) == 4);
	if (send(s[0], "!", 1, MSG_OOB) != 1)
		skip("MSG_OOB of UNIX sockets");
	checkpoint();
	receive(s[1], MSG_OOB, "!");
	receive(s[1], 0, "text");
}

REFUSED(refused_unix_mark, "UNIX socket with urgent data, .*; receive it")
{
	int s[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	if (send(s[0], "!", 1, MSG_OOB) != 1)
		skip("MSG_OOB of UNIX sockets");
	CHECK(send(s[0], "text", 4, 0) == 4);
	receive(s[1], MSG_OOB, "!");
	checkpoint();
	receive(s[1], 0, "text");
}

/* --- pseudo terminals ------------------------------------------------- */

static int master = -1;

static int open_slave(void)
{
	return open(ptsname(master), O_RDWR | O_NOCTTY);
}

static void open_master(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && !grantpt(master) && !unlockpt(master));
}

static void leads(void)
{
	setsid();
	CHECK(!ioctl(open_slave(), TIOCSCTTY, 0));
	close(master);
}

REFUSED(refused_pty_leader, "(/dev/pts/[0-9]*) of a session whose .*; checkp")
{
	open_master();
	outsider(leads);
	CHECK(open_slave() >= 0);
	checkpoint();
}

REFUSED(refused_pty_given_up, "a process of its session has given up, .*; che")
{
	int up[2], status;
	char c;
	pid_t pid;

	open_master();
	CHECK(!pipe(up));
	pid = fork();
	if (!pid) {
		setsid();
		CHECK(!ioctl(open_slave(), TIOCSCTTY, 0));
		pid = fork();
		if (!pid) {
			CHECK(!ioctl(open("/dev/tty", O_RDWR), TIOCNOTTY));
			CHECK(write(up[1], "", 1) == 1);
			await_checkpoint();
			_exit(0);
		}
		await_checkpoint();
		CHECK(waitpid(pid, &status, 0) == pid && !status);
		_exit(0);
	}
	CHECK(read(up[0], &c, 1) == 1);
	checkpoint();
	join(pid);
}

REFUSED(refused_pty_packet, "with a change to be told in packet mode, .*; try")
{
	int on = 1, slave;
	char status;

	open_master();
	slave = open_slave();
	CHECK(!ioctl(master, TIOCPKT, &on));
	CHECK(!tcflush(slave, TCIOFLUSH));
	checkpoint();
	CHECK(read(master, &status, 1) == 1 && status & TIOCPKT_FLUSHREAD);
}

REFUSED(refused_pty_discipline, "with a line discipline of its own, .*; take it")
{
	int null = 27, slave; /* N_NULL */

	open_master();
	slave = open_slave();
	if (ioctl(slave, TIOCSETD, &null))
		skip("another line discipline");
	checkpoint();
}

/* --- what the kernel does with packets by itself ----------------------- */

static void filtered(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog all = { 1, &none };

	CHECK(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &all,
				     sizeof(all)));
	checkpoint();
}

REFUSED(refused_filter, "is a socket with a packet filter .*; detach")
{
	filtered(socket(AF_INET, SOCK_DGRAM, 0));
}

REFUSED(refused_filter_unix, "is a socket with a packet filter .*; detach")
{
	filtered(socket(AF_UNIX, SOCK_DGRAM, 0));
}

REFUSED(refused_udp_segments, "UDP socket that cuts or gathers .*; have")
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 500;

	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		skip("UDP_SEGMENT");
	checkpoint();
}

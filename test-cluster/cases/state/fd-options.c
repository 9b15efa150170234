/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-options.c - options of sockets, as many as the kernel here lets us set */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "state.h"

#ifndef SO_BUSY_POLL_BUDGET
#define SO_BUSY_POLL_BUDGET 70
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#ifndef TCP_TX_DELAY
#define TCP_TX_DELAY 37
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

static const struct {
	int level, name, value;
} options[] = {
	{ SOL_SOCKET, SO_PRIORITY, 5 },
	{ SOL_SOCKET, SO_BROADCAST, 1 },
	{ SOL_SOCKET, SO_OOBINLINE, 1 },
	{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ SOL_SOCKET, SO_TIMESTAMPING, 16 | 64 },
	{ SOL_SOCKET, SO_PEEK_OFF, 0 },
	{ SOL_SOCKET, SO_RXQ_OVFL, 1 },
	{ SOL_SOCKET, SO_NO_CHECK, 1 },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1 },
	{ SOL_SOCKET, SO_PASSSEC, 1 },
	{ SOL_SOCKET, SO_ZEROCOPY, 1 },
	{ SOL_SOCKET, SO_BUSY_POLL, 50 },
	{ SOL_SOCKET, SO_BUSY_POLL_BUDGET, 20 },
	{ SOL_SOCKET, SO_DEBUG, 1 },
	{ SOL_SOCKET, SO_WIFI_STATUS, 1 },
	{ SOL_SOCKET, SO_TXREHASH, 0 },
	{ SOL_SOCKET, SO_RCVMARK, 1 },
	{ IPPROTO_TCP, TCP_SAVE_SYN, 1 },
	{ IPPROTO_TCP, TCP_INQ, 1 },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 7777 },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1 },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000 },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1 },
	{ IPPROTO_TCP, TCP_TX_DELAY, 10 },
	{ IPPROTO_TCP, TCP_RTO_MAX_MS, 2000 },
	{ IPPROTO_UDP, UDP_GRO, 1 },
	{ IPPROTO_IP, IP_RECVTOS, 1 },
	{ IPPROTO_IP, IP_RECVTTL, 1 },
	{ IPPROTO_IP, IP_RECVOPTS, 1 },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, 1 },
	{ IPPROTO_IP, IP_CHECKSUM, 1 },
	{ IPPROTO_IP, IP_MINTTL, 2 },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
	{ IPPROTO_IP, IP_MULTICAST_TTL, 9 },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
	{ IPPROTO_IP, IP_MULTICAST_ALL, 0 },
	{ IPPROTO_IPV6, IPV6_TCLASS, 32 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, 1 },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, 1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0 },
};
#define N (sizeof(options) / sizeof(options[0]))

/* Of what they are after they were set: each kind has some of them. */
static void keeps_options(const int *fd, size_t n)
{
	int was[3][N], is;
	socklen_t len;
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < N; k++) {
			setsockopt(fd[i], options[k].level, options[k].name,
				   &options[k].value, sizeof(int));
			was[i][k] = -1;
			len = sizeof(int);
			getsockopt(fd[i], options[k].level, options[k].name,
				   &was[i][k], &len);
		}
	checkpoint();
	for (i = 0; i < n; i++)
		for (k = 0; k < N; k++) {
			is = -1;
			len = sizeof(int);
			getsockopt(fd[i], options[k].level, options[k].name,
				   &is, &len);
			if (is != was[i][k])
				dprintf(open("which", O_WRONLY | O_CREAT, 0666),
					"socket %zu option %zu", i, k);
			CHECK(is == was[i][k]);
		}
}

static int bound(int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

static int number(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value;

	CHECK(!getsockopt(fd, level, name, &value, &len));
	return value;
}

STATE(options_tcp)
{
	const int fd[] = { bound(SOCK_STREAM),
			   socket(AF_INET, SOCK_STREAM, 0) };
	const int cpu = 0, segment = 600;
	char name[16] = "";
	socklen_t len = sizeof(name);
	bool reno = !setsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 4);

	CHECK(!listen(fd[0], 5));
	/* of a connection the kernel chooses them */
	for (int i = 0; i < 2; i++) {
		setsockopt(fd[i], SOL_SOCKET, SO_INCOMING_CPU, &cpu,
			   sizeof(cpu));
		CHECK(!setsockopt(fd[i], IPPROTO_TCP, TCP_MAXSEG, &segment,
				  sizeof(segment)));
	}
	keeps_options(fd, 2);
	for (int i = 0; i < 2; i++) {
		CHECK(number(fd[i], SOL_SOCKET, SO_INCOMING_CPU) == cpu);
		CHECK(number(fd[i], IPPROTO_TCP, TCP_MAXSEG) == segment);
	}
	CHECK(!getsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, name, &len));
	CHECK(!reno || !strcmp(name, "reno"));
}

STATE(options_connected)
{
	struct linger now = { 1, 0 };
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int listener = bound(SOCK_STREAM), fd[2];

	CHECK(!listen(listener, 5));
	CHECK(!getsockname(listener, (struct sockaddr *)&a, &len));
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!connect(fd[0], (struct sockaddr *)&a, len));
	fd[1] = accept(listener, NULL, NULL);
	/* the kernel is not to remember it when it ends */
	setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	keeps_options(fd, 2);
	CHECK(send(fd[0], "abc", 3, 0) == 3);
	CHECK(recv(fd[1], (char[3]){ 0 }, 3, MSG_WAITALL) == 3);
}

STATE(options_udp)
{
	const int fd[] = { bound(SOCK_DGRAM), socket(AF_INET6, SOCK_DGRAM, 0) };

	if (fd[1] < 0)
		skip("IPv6");
	keeps_options(fd, 2);
}

STATE(options_unix)
{
	int fd[3];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	fd[2] = socket(AF_UNIX, SOCK_DGRAM, 0);
	keeps_options(fd, 3);
}

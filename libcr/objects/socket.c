/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket.c - what sockets of all families have in common: their options */
#include "objects/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#define LOCKED_SEND 1 /* the program has set SO_SNDBUF itself */
#define LOCKED_RECEIVE 2

/* Since Linux 4.18, 4.20, 5.1, 5.11, 5.19, 6.0, 6.1, 6.3, 6.5, 6.11, 6.15. */
#ifndef TCP_TX_DELAY
#define TCP_TX_DELAY 37
#endif
#ifndef SO_TIMESTAMP_NEW
#define SO_TIMESTAMP_NEW 63
#define SO_TIMESTAMPNS_NEW 64
#define SO_TIMESTAMPING_NEW 65
#endif
#ifndef SO_BUSY_POLL_BUDGET
#define SO_BUSY_POLL_BUDGET 70
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#define TCP_RTO_MAX_MS_ 44
#define TCP_RTO_MIN_US_ 45
#define TCP_DELACK_MAX_US_ 46
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static const struct name {
	int level, name;
} known[] = {
	{ SOL_SOCKET, SO_SNDBUF },
	{ SOL_SOCKET, SO_RCVBUF },
	{ SOL_SOCKET, SO_REUSEADDR },
	{ SOL_SOCKET, SO_REUSEPORT },
	{ SOL_SOCKET, SO_KEEPALIVE },
	{ SOL_SOCKET, SO_BROADCAST },
	{ SOL_SOCKET, SO_OOBINLINE },
	{ SOL_SOCKET, SO_PRIORITY },
	{ SOL_SOCKET, SO_LINGER },
	{ SOL_SOCKET, SO_RCVLOWAT },
	{ SOL_SOCKET, SO_RCVTIMEO },
	{ SOL_SOCKET, SO_SNDTIMEO },
	{ SOL_SOCKET, SO_PASSCRED },
	{ SOL_SOCKET, SO_TIMESTAMP },
	{ SOL_SOCKET, SO_TIMESTAMPNS },
	{ SOL_SOCKET, SO_TIMESTAMP_NEW },
	{ SOL_SOCKET, SO_TIMESTAMPNS_NEW },
	{ SOL_SOCKET, SO_DONTROUTE },
	{ SOL_SOCKET, SO_TIMESTAMPING },
	{ SOL_SOCKET, SO_TIMESTAMPING_NEW },
	{ SOL_SOCKET, SO_PEEK_OFF },
	{ SOL_SOCKET, SO_RXQ_OVFL },
	{ SOL_SOCKET, SO_NO_CHECK },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE },
	{ SOL_SOCKET, SO_PASSSEC },
	{ SOL_SOCKET, SO_PASSPIDFD },
	{ SOL_SOCKET, SO_MARK },
	{ SOL_SOCKET, SO_BINDTODEVICE },
	{ SOL_SOCKET, SO_ZEROCOPY },
	{ SOL_SOCKET, SO_BUSY_POLL },
	{ SOL_SOCKET, SO_PREFER_BUSY_POLL },
	{ SOL_SOCKET, SO_BUSY_POLL_BUDGET },
	{ SOL_SOCKET, SO_MAX_PACING_RATE },
	{ SOL_SOCKET, SO_DEBUG },
	{ SOL_SOCKET, SO_WIFI_STATUS },
	{ SOL_SOCKET, SO_INCOMING_CPU },
	{ SOL_SOCKET, SO_TXREHASH },
	{ SOL_SOCKET, SO_RCVMARK },
	{ IPPROTO_TCP, TCP_NODELAY },
	{ IPPROTO_TCP, TCP_CORK },
	{ IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL },
	{ IPPROTO_TCP, TCP_KEEPCNT },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_SYNCNT },
	{ IPPROTO_TCP, TCP_LINGER2 },
	{ IPPROTO_TCP, TCP_SAVE_SYN },
	{ IPPROTO_TCP, TCP_INQ },
	{ IPPROTO_TCP, TCP_FASTOPEN },
	{ IPPROTO_TCP, TCP_CONGESTION },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS },
	{ IPPROTO_TCP, TCP_MAXSEG },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE },
	{ IPPROTO_TCP, TCP_TX_DELAY },
	{ IPPROTO_TCP, TCP_RTO_MAX_MS_ },
	{ IPPROTO_TCP, TCP_RTO_MIN_US_ },
	{ IPPROTO_TCP, TCP_DELACK_MAX_US_ },
	{ IPPROTO_UDP, UDP_GRO },
	{ IPPROTO_UDP, UDP_NO_CHECK6_TX },
	{ IPPROTO_UDP, UDP_NO_CHECK6_RX },
	{ IPPROTO_IP, IP_TOS },
	{ IPPROTO_IP, IP_TTL },
	{ IPPROTO_IP, IP_PKTINFO },
	{ IPPROTO_IP, IP_RECVERR },
	{ IPPROTO_IP, IP_FREEBIND },
	{ IPPROTO_IP, IP_MTU_DISCOVER },
	{ IPPROTO_IP, IP_TRANSPARENT },
	{ IPPROTO_IP, IP_RECVTOS },
	{ IPPROTO_IP, IP_RECVTTL },
	{ IPPROTO_IP, IP_RECVOPTS },
	{ IPPROTO_IP, IP_RETOPTS },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR },
	{ IPPROTO_IP, IP_RECVFRAGSIZE },
	{ IPPROTO_IP, IP_CHECKSUM },
	{ IPPROTO_IP, IP_PASSSEC },
	{ IPPROTO_IP, IP_MINTTL },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE },
	{ IPPROTO_IP, IP_UNICAST_IF },
	{ IPPROTO_IP, IP_MULTICAST_IF },
	{ IPPROTO_IP, IP_MULTICAST_TTL },
	{ IPPROTO_IP, IP_MULTICAST_LOOP },
	{ IPPROTO_IP, IP_MULTICAST_ALL },
	{ IPPROTO_IPV6, IPV6_V6ONLY },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS },
	{ IPPROTO_IPV6, IPV6_TCLASS },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
	{ IPPROTO_IPV6, IPV6_RECVERR },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER },
	{ IPPROTO_IPV6, IPV6_DONTFRAG },
	{ IPPROTO_IPV6, IPV6_AUTOFLOWLABEL },
	{ IPPROTO_IPV6, IPV6_TRANSPARENT },
	{ IPPROTO_IPV6, IPV6_UNICAST_IF },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL },
};

/*
 * About speed only, or the search for faults: what is not to be had is left
 * out.
 */
static const struct name speed[] = {
	{ SOL_SOCKET, SO_BUSY_POLL_BUDGET },
	{ SOL_SOCKET, SO_DEBUG },
	{ SOL_SOCKET, SO_INCOMING_CPU },
	{ SOL_SOCKET, SO_TXREHASH },
	{ IPPROTO_TCP, TCP_MAXSEG },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE },
	{ IPPROTO_TCP, TCP_TX_DELAY },
	{ IPPROTO_TCP, TCP_RTO_MAX_MS_ },
	{ IPPROTO_TCP, TCP_RTO_MIN_US_ },
	{ IPPROTO_TCP, TCP_DELACK_MAX_US_ },
	{ SOL_SOCKET, SO_BUSY_POLL },
	{ SOL_SOCKET, SO_PREFER_BUSY_POLL },
	{ SOL_SOCKET, SO_MAX_PACING_RATE },
	{ IPPROTO_TCP, TCP_FASTOPEN },
	{ IPPROTO_TCP, TCP_CONGESTION },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS },
};

void cr_sockopts_record(struct cr_pack *p, struct cr_sockopts *o)
{
	CR_PACK_ARRAY(p, o->opt, o->n, 16);
	for (size_t i = 0; i < o->n && !p->status; i++) {
		cr_pack_u32(p, &o->opt[i].level);
		cr_pack_u32(p, &o->opt[i].name);
		cr_pack_blob(p, &o->opt[i].value);
	}
}

void cr_sockopts_free(struct cr_sockopts *o)
{
	for (size_t i = 0; o->opt && i < o->n; i++)
		free(o->opt[i].value.data);
	free(o->opt);
	o->opt = NULL;
	o->n = 0;
}

int cr_socket_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, level, name, &value, &len) ? -1 : value;
}

/* Behind what the data of an image is put back. */
static bool is_late(const struct cr_sockopt *s)
{
	return s->level == IPPROTO_TCP &&
	       (s->name == TCP_TX_DELAY || s->name == TCP_WINDOW_CLAMP);
}

static bool connected(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	return !getpeername(fd, (struct sockaddr *)&a, &len);
}

/*
 * The kernel changes the sizes of Internet sockets by itself, unless...; and
 * what a connection of TCP would do with multicast is as its peer's first
 * packet was.  How large its packets are, and where they come in, it finds
 * out by itself.
 */
static bool automatic(int fd, int domain, int level, int name)
{
	int locked = cr_socket_int(fd, SOL_SOCKET, SO_BUF_LOCK);

	if (((level == IPPROTO_TCP && name == TCP_MAXSEG) ||
	     (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT) ||
	     (level == SOL_SOCKET && name == SO_INCOMING_CPU &&
	      domain != AF_UNIX)) &&
	    connected(fd))
		return true;
	if (cr_socket_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
	    ((level == IPPROTO_IP &&
	      (name == IP_MULTICAST_TTL || name == IP_MULTICAST_IF)) ||
	     (level == IPPROTO_IPV6 &&
	      (name == IPV6_MULTICAST_HOPS || name == IPV6_MULTICAST_IF))))
		return true;
	if (level != SOL_SOCKET || domain == AF_UNIX || locked < 0)
		return false;
	return (name == SO_SNDBUF && !(locked & LOCKED_SEND)) ||
	       (name == SO_RCVBUF && !(locked & LOCKED_RECEIVE));
}

int cr_sockopts_check(const struct cr_object_source *src, int fd,
		      struct cr_error *err)
{
	socklen_t n = 0;

	/* the number of instructions; one of extended BPF is not told */
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n)
		    ? errno == EACCES
		    : n > 0)
		return cr_error_set(err, -ENOTSUP,
				    "%s is a socket with a packet filter "
				    "(SO_ATTACH_FILTER), which cannot be "
				    "saved; detach it before the checkpoint",
				    cr_object_label(src));
	if (cr_socket_int(fd, IPPROTO_UDP, UDP_SEGMENT) > 0 ||
	    cr_socket_int(fd, IPPROTO_UDP, UDP_CORK) > 0)
		return cr_error_set(err, -ENOTSUP,
				    "%s is a UDP socket that cuts or gathers "
				    "what is sent (UDP_SEGMENT, UDP_CORK), "
				    "which cannot be saved; have the program "
				    "ask for it with each message",
				    cr_object_label(src));
	return 0;
}

static bool about_speed(const struct cr_sockopt *s)
{
	for (size_t i = 0; i < sizeof(speed) / sizeof(speed[0]); i++)
		if (speed[i].level == (int)s->level &&
		    speed[i].name == (int)s->name)
			return true;
	return false;
}

int cr_sockopts_read(int fd, struct cr_sockopts *o, struct cr_error *err)
{
	int domain = cr_socket_int(fd, SOL_SOCKET, SO_DOMAIN);
	int type = cr_socket_int(fd, SOL_SOCKET, SO_TYPE);
	char value[64], usual[64];
	struct cr_sockopt *more;
	socklen_t len, n;
	int fresh = socket(domain, type | SOCK_CLOEXEC, 0);

	if (fresh < 0)
		return cr_error_set(err, -errno, "a new socket: %s",
				    strerror(errno));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		len = n = sizeof(value);
		if (getsockopt(fd, known[i].level, known[i].name, value,
			       &len) ||
		    getsockopt(fresh, known[i].level, known[i].name, usual,
			       &n) ||
		    (len == n && !memcmp(value, usual, len)) ||
		    automatic(fd, domain, known[i].level, known[i].name))
			continue;
		more = realloc(o->opt, (o->n + 1) * sizeof(*more));
		if (more)
			o->opt = more;
		if (more)
			more[o->n++] =
				(struct cr_sockopt){ (uint32_t)known[i].level,
						     (uint32_t)known[i].name,
						     { 0 } };
		if (!more || cr_blob_set(&more[o->n - 1].value, value, len)) {
			close(fresh);
			return cr_error_set(err, -ENOMEM, "out of memory");
		}
	}
	close(fresh);
	return 0;
}

/*
 * Before Linux 5.14 nobody tells whether the kernel has changed a size of an
 * Internet socket by itself.  It has where users may not ask for as much.
 */
static bool has_grown(int fd, int name, int half)
{
	int max = 0;
	FILE *f;

	if (cr_socket_int(fd, SOL_SOCKET, SO_BUF_LOCK) >= 0 ||
	    cr_socket_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX)
		return false;
	f = fopen(name == SO_SNDBUF ? "/proc/sys/net/core/wmem_max"
				    : "/proc/sys/net/core/rmem_max",
		  "re");
	if (!f)
		return false;
	if (fscanf(f, "%d", &max) != 1)
		max = half;
	fclose(f);
	return half > max;
}

/* The kernel doubles what it is given, and has a limit for users. */
static int set_size(int fd, int name, int want)
{
	int half = want / 2;

	if (setsockopt(fd, SOL_SOCKET,
		       name == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE,
		       &half, sizeof(half))) {
		if (has_grown(fd, name, half))
			return 0;
		if (setsockopt(fd, SOL_SOCKET, name, &half, sizeof(half)))
			return -errno;
	}
	return cr_socket_int(fd, SOL_SOCKET, name) < want ? -EPERM : 0;
}

int cr_sockopts_set(int fd, const struct cr_sockopts *o, struct cr_error *err)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct cr_sockopt *s = &o->opt[i];
		int ret = 0, size;

		if (is_late(s))
			continue;
		if (s->level == SOL_SOCKET && s->value.len == sizeof(size) &&
		    (s->name == SO_SNDBUF || s->name == SO_RCVBUF)) {
			memcpy(&size, s->value.data, sizeof(size));
			ret = set_size(fd, (int)s->name, size);
		} else if (setsockopt(fd, (int)s->level, (int)s->name,
				      s->value.data,
				      (socklen_t)s->value.len) &&
			   !about_speed(s)) {
			ret = -errno;
		}
		if (ret)
			return cr_error_set(err, ret,
					    "socket option %u of level %u: %s",
					    s->name, s->level, strerror(-ret));
	}
	return 0;
}

void cr_sockopts_set_late(int fd, const struct cr_sockopts *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (is_late(&o->opt[i]))
			setsockopt(fd, (int)o->opt[i].level,
				   (int)o->opt[i].name, o->opt[i].value.data,
				   (socklen_t)o->opt[i].value.len);
}

int cr_socket_kind(const struct cr_object_source *src, int *domain, int *type)
{
	int fd;

	if (!S_ISSOCK(src->st.st_mode))
		return -ENOTSOCK;
	fd = cr_object_dup(src, NULL);
	if (fd < 0)
		return fd;
	*domain = cr_socket_int(fd, SOL_SOCKET, SO_DOMAIN);
	*type = cr_socket_int(fd, SOL_SOCKET, SO_TYPE);
	cr_object_undup(src, fd);
	return 0;
}

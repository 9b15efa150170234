/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket.c - what sockets of all families have in common: their options */
#include "objects/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static const struct {
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
	{ SOL_SOCKET, SO_DONTROUTE },
	{ SOL_SOCKET, SO_PEEK_OFF },
	{ IPPROTO_TCP, TCP_NODELAY },
	{ IPPROTO_TCP, TCP_CORK },
	{ IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL },
	{ IPPROTO_TCP, TCP_KEEPCNT },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_SYNCNT },
	{ IPPROTO_TCP, TCP_LINGER2 },
	{ IPPROTO_IP, IP_TOS },
	{ IPPROTO_IP, IP_TTL },
	{ IPPROTO_IP, IP_PKTINFO },
	{ IPPROTO_IP, IP_RECVERR },
	{ IPPROTO_IP, IP_FREEBIND },
	{ IPPROTO_IP, IP_MTU_DISCOVER },
	{ IPPROTO_IPV6, IPV6_V6ONLY },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS },
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

/* The kernel changes the sizes of Internet sockets by itself, unless... */
static bool automatic(int fd, int domain, int level, int name)
{
	int locked = cr_socket_int(fd, SOL_SOCKET, SO_BUF_LOCK);

	if (level != SOL_SOCKET || domain == AF_UNIX || locked < 0)
		return false;
	return (name == SO_SNDBUF && !(locked & LOCKED_SEND)) ||
	       (name == SO_RCVBUF && !(locked & LOCKED_RECEIVE));
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

		if (s->level == SOL_SOCKET && s->value.len == sizeof(size) &&
		    (s->name == SO_SNDBUF || s->name == SO_RCVBUF)) {
			memcpy(&size, s->value.data, sizeof(size));
			ret = set_size(fd, (int)s->name, size);
		} else if (setsockopt(fd, (int)s->level, (int)s->name,
				      s->value.data, (socklen_t)s->value.len)) {
			ret = -errno;
		}
		if (ret)
			return cr_error_set(err, ret,
					    "socket option %u of level %u: %s",
					    s->name, s->level, strerror(-ret));
	}
	return 0;
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inet_socket.c - a new TCP or UDP socket at the address of an old one */
#include "objects/inet.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIME_WAIT 6 /* st of /proc/net/tcp */

const struct sockaddr *cr_inet_at(const struct cr_blob *b)
{
	return b->data;
}

bool cr_inet_has_port(const struct cr_blob *name)
{
	struct sockaddr_in in; /* the port of IPv6 lies at the same place */

	if (name->len < sizeof(in))
		return false;
	memcpy(&in, name->data, sizeof(in));
	return in.sin_port != 0;
}

int cr_inet_socket(const struct cr_inet_state *s, struct cr_error *err)
{
	int fd = socket((int)s->domain, (int)s->type | SOCK_CLOEXEC, 0);

	return fd < 0 ? cr_error_set(err, -errno, "socket: %s", strerror(errno))
		      : fd;
}

/* Is the port of this address in the way only as long as it is remembered? */
bool cr_inet_remembered(const struct cr_blob *name)
{
	static const char *const files[] = { "/proc/net/tcp",
					     "/proc/net/tcp6" };
	unsigned int port, state;
	struct sockaddr_in in;
	bool found = false;
	char line[256];

	memcpy(&in, name->data, sizeof(in));
	for (size_t i = 0; i < 2; i++) {
		FILE *f = fopen(files[i], "re");

		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line,
				   " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x "
				   "%x",
				   &port, &state) == 2 &&
			    port == ntohs(in.sin_port))
				found |= state == TIME_WAIT;
		if (f)
			fclose(f);
	}
	return found;
}

/*
 * An administrator need not wait: a socket under repair takes every port.
 * The kernel then forgets the old connection when the new one is made.
 */
static bool bind_at_once(int fd, const struct cr_inet_state *s)
{
	int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP;
	bool bound;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)))
		return false;
	bound = !bind(fd, cr_inet_at(&s->name), (socklen_t)s->name.len);
	return !setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) &&
	       bound;
}

static int bind_patiently(int fd, const struct cr_inet_state *s)
{
	int i;

	for (i = 0; i < CR_INET_PATIENCE_MS / CR_INET_NAP_MS; i++) {
		if (!bind(fd, cr_inet_at(&s->name), (socklen_t)s->name.len))
			return 0;
		if (errno != EADDRINUSE || s->type != SOCK_STREAM ||
		    !cr_inet_remembered(&s->name))
			return -errno;
		if (s->role == CR_INET_CONNECTED && bind_at_once(fd, s))
			return 0;
		usleep(CR_INET_NAP_MS * 1000);
	}
	return -EADDRINUSE;
}

int cr_inet_bind(int fd, const struct cr_inet_state *s, struct cr_error *err)
{
	int one = 1, zero = 0, only, ret;

	if (!cr_inet_has_port(&s->name))
		return 0;
	for (size_t i = 0; i < s->opts.n; i++)
		if (s->opts.opt[i].level == IPPROTO_IPV6 &&
		    s->opts.opt[i].name == IPV6_V6ONLY &&
		    s->opts.opt[i].value.len == sizeof(only)) {
			memcpy(&only, s->opts.opt[i].value.data, sizeof(only));
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only,
				   sizeof(only));
		} else if (s->opts.opt[i].level == SOL_SOCKET &&
			   (s->opts.opt[i].name == SO_REUSEPORT ||
			    s->opts.opt[i].name == SO_REUSEADDR)) {
			setsockopt(fd, SOL_SOCKET, (int)s->opts.opt[i].name,
				   &one, sizeof(one));
		}
	if (s->type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ret = bind_patiently(fd, s);
	if (ret)
		return cr_error_set(err, ret, "address %s: %s%s",
				    cr_inet_text(&s->name), strerror(-ret),
				    ret == -EADDRINUSE ? " (by another program)"
						       : "");
	if (s->type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &zero, sizeof(zero));
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inet_address.c - addresses of Internet sockets, compared and shown */
#include "objects/inet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* As IPv6, where IPv4 has a place of its own; false: no address. */
static bool normal(const struct cr_blob *b, struct in6_addr *a, in_port_t *port,
		   uint32_t *scope)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	sa_family_t family;

	if (b->len < sizeof(family))
		return false;
	memcpy(&family, b->data, sizeof(family));
	*scope = 0;
	if (family == AF_INET && b->len >= sizeof(v4)) {
		memcpy(&v4, b->data, sizeof(v4));
		memset(a, 0, sizeof(*a));
		a->s6_addr[10] = a->s6_addr[11] = 0xff;
		memcpy(&a->s6_addr[12], &v4.sin_addr, 4);
		*port = v4.sin_port;
		return true;
	}
	if (family == AF_INET6 && b->len >= sizeof(v6)) {
		memcpy(&v6, b->data, sizeof(v6));
		*a = v6.sin6_addr;
		*port = v6.sin6_port;
		*scope = v6.sin6_scope_id;
		return true;
	}
	return false;
}

bool cr_inet_same(const struct cr_blob *a, const struct cr_blob *b)
{
	struct in6_addr x, y;
	in_port_t p, q;
	uint32_t s, t;

	return normal(a, &x, &p, &s) && normal(b, &y, &q, &t) && p == q &&
	       s == t && !memcmp(&x, &y, sizeof(x));
}

bool cr_inet_covers(const struct cr_blob *a, const struct cr_blob *b)
{
	static const uint8_t any4[16] = { [10] = 0xff, 0xff };
	struct in6_addr x, y;
	in_port_t p, q;
	uint32_t s, t;

	if (cr_inet_same(a, b))
		return true;
	return normal(a, &x, &p, &s) && normal(b, &y, &q, &t) && p == q &&
	       (IN6_IS_ADDR_UNSPECIFIED(&y) ||
		(!memcmp(&y, any4, 16) && IN6_IS_ADDR_V4MAPPED(&x)));
}

const char *cr_inet_text(const struct cr_blob *b)
{
	static char text[INET6_ADDRSTRLEN + 16];
	char host[INET6_ADDRSTRLEN];
	struct in6_addr a;
	in_port_t port;
	uint32_t scope;

	if (!normal(b, &a, &port, &scope))
		return "no address";
	if (IN6_IS_ADDR_V4MAPPED(&a))
		inet_ntop(AF_INET, &a.s6_addr[12], host, sizeof(host));
	else
		inet_ntop(AF_INET6, &a, host, sizeof(host));
	snprintf(text, sizeof(text),
		 IN6_IS_ADDR_V4MAPPED(&a) ? "%s:%u" : "[%s]:%u", host,
		 ntohs(port));
	return text;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket.h - what sockets of all families have in common */
#ifndef CR_SOCKET_H
#define CR_SOCKET_H

#include "image/pack.h"
#include "objects/object.h"

/* Options that are not as a new socket has them. */
struct cr_sockopt {
	uint32_t level, name; /* setsockopt(2), x86-64 Linux */
	struct cr_blob value;
};
struct cr_sockopts {
	struct cr_sockopt *opt;
	size_t n;
};

void cr_sockopts_record(struct cr_pack *p, struct cr_sockopts *o);
void cr_sockopts_free(struct cr_sockopts *o);
/* Refuses those that only the kernel knows. */
int cr_sockopts_check(const struct cr_object_source *src, int fd,
		      struct cr_error *err);
int cr_sockopts_read(int fd, struct cr_sockopts *o, struct cr_error *err);
int cr_sockopts_set(int fd, const struct cr_sockopts *o, struct cr_error *err);
/* What slows TCP down, about speed only: when its data is put back. */
void cr_sockopts_set_late(int fd, const struct cr_sockopts *o);

/* Domain and type of a socket that another process has; -errno. */
int cr_socket_kind(const struct cr_object_source *src, int *domain, int *type);
/* An option that is an int; -1 if there is none. */
int cr_socket_int(int fd, int level, int name);

#endif

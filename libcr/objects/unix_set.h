/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix_set.h - all UNIX sockets of an image, between the files that make them
 */
#ifndef CR_UNIX_SET_H
#define CR_UNIX_SET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "objects/unix.h"

struct cr_unix_one {
	const struct cr_file *file;
	struct cr_unix_state s;
	int fd;
	int other;	/* CR_UNIX_ALONE: the end that is closed again */
	bool stands_in; /* a listening socket that is closed again */
};

struct cr_unix_all {
	struct cr_restore_context *ctx;
	struct cr_unix_one *one;
	size_t n, room;
	int cwd;
};

/* unix_address.c */
struct cr_unix_one *cr_unix_find(struct cr_unix_all *a, uint64_t id);
bool cr_unix_same(const struct cr_blob *a, const struct cr_blob *b);
/* With this address; role 0: of any. */
struct cr_unix_one *cr_unix_find_name(struct cr_unix_all *a,
				      const struct cr_blob *name,
				      uint32_t role);
/* For messages. */
const char *cr_unix_text(const struct cr_blob *name);
/* The address after --relocate. */
int cr_unix_address(struct cr_unix_all *a, const struct cr_blob *name,
		    struct sockaddr_un *to, socklen_t *len,
		    struct cr_error *err);
/* To the directory of a relative address, and back. */
int cr_unix_enter(struct cr_unix_all *a, const struct cr_unix_state *s,
		  struct cr_error *err);
int cr_unix_leave(struct cr_unix_all *a, int ret, struct cr_error *err);
int cr_unix_socket(uint32_t type, struct cr_error *err);
int cr_unix_bind(struct cr_unix_all *a, int fd, const struct cr_unix_state *s,
		 struct cr_error *err);
int cr_unix_connect(struct cr_unix_all *a, int fd, const struct cr_blob *name,
		    const struct cr_unix_state *owner, struct cr_error *err);

/* unix_make.c */
struct cr_unix_one *cr_unix_append(struct cr_unix_all *a);
int cr_unix_make_all(struct cr_unix_all *a, struct cr_error *err);
/* Gives the file at this address the name that it had (s.moved). */
int cr_unix_move(const struct sockaddr_un *from, socklen_t len,
		 const struct cr_unix_one *o, struct cr_error *err);
int cr_unix_connect_all(struct cr_unix_all *a, struct cr_error *err);
/* Messages that came before it was connected; then it is not yet again. */
size_t cr_unix_before_connect(const struct cr_unix_one *o);
int cr_unix_connect_datagram(struct cr_unix_all *a, struct cr_unix_one *o,
			     struct cr_error *err);
/* unix_fill.c */
int cr_unix_fill_all(struct cr_unix_all *a, struct cr_error *err);

#endif

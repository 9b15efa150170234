/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inet.h - between the files about TCP and UDP sockets */
#ifndef CR_INET_H
#define CR_INET_H

#include "image/pack.h"
#include "objects/object.h"
#include "objects/socket.h"

enum cr_inet_role {
	CR_INET_PLAIN = 1, /* neither of the following; bound or not */
	CR_INET_LISTENING,
	CR_INET_CONNECTED, /* TCP: the other end is in the tree; UDP: to any */
	CR_INET_RESET,	   /* TCP: the other end is not, and is given up */
};

struct cr_inet_message {
	struct cr_blob from; /* UDP: address of the sender */
	struct cr_blob data;
};

struct cr_inet_state {
	uint32_t domain, type; /* AF_INET or _INET6; SOCK_* */
	uint32_t role;
	struct cr_blob name, peer; /* sockaddrs, x86-64 Linux; or empty */
	uint32_t backlog;
	uint32_t shutdown; /* bit 0 receiving, bit 1 sending, by itself */
	struct cr_inet_message *message; /* to be received; TCP: one */
	size_t n_messages;
	struct cr_sockopts opts;
};

void cr_inet_record(struct cr_pack *p, void *state);
void cr_inet_free(struct cr_inet_state *s);
/* The same address, be it as IPv4 or as IPv6? */
bool cr_inet_same(const struct cr_blob *a, const struct cr_blob *b);
/* The same port, and b stands for every address or is the same. */
bool cr_inet_covers(const struct cr_blob *a, const struct cr_blob *b);
/* "127.0.0.1:80" */
const char *cr_inet_text(const struct cr_blob *a);
/* inet.c */
int cr_inet_refuse(const struct cr_object_source *src,
		   const struct cr_inet_state *s, const char *what,
		   const char *todo, struct cr_error *err);
/* A duplicate of the socket of the tree at the other end, or -ENOENT. */
int cr_inet_peer(const struct cr_object_source *src,
		 const struct cr_inet_state *s);

/* inet_queue.c */
int cr_inet_read_stream(const struct cr_object_source *src, int fd,
			struct cr_inet_state *s, struct cr_error *err);
int cr_inet_read_datagrams(const struct cr_object_source *src, int fd,
			   struct cr_inet_state *s, struct cr_error *err);
/*
 * Before anything is stopped: is there something that cannot be saved, as far
 * as can be seen without a trace?
 */
int cr_inet_check_stream(const struct cr_object_source *src, int fd,
			 const struct cr_inet_state *s, struct cr_error *err);

/* inet_socket.c */
/* The kernel remembers a connection that was closed for a minute. */
#define CR_INET_PATIENCE_MS 70000
#define CR_INET_NAP_MS 20
const struct sockaddr *cr_inet_at(const struct cr_blob *b);
bool cr_inet_has_port(const struct cr_blob *name);
int cr_inet_socket(const struct cr_inet_state *s, struct cr_error *err);
bool cr_inet_remembered(const struct cr_blob *name);
int cr_inet_bind(int fd, const struct cr_inet_state *s, struct cr_error *err);

/* inet_restore.c: all of an image */
struct cr_inet_one {
	const struct cr_file *file;
	struct cr_inet_state s;
	int fd;
	int stand_in; /* listens at its address for a moment */
};
struct cr_inet_all {
	struct cr_inet_one *one;
	size_t n;
};

/* inet_fill.c: what UDP sockets have to receive, and then whom they are
 * connected to */
int cr_inet_fill_datagrams(struct cr_inet_all *a, struct cr_inet_one *o,
			   struct cr_error *err);
int cr_inet_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		    struct cr_error *err);

#endif

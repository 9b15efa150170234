/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix.h - between the files about UNIX sockets */
#ifndef CR_UNIX_H
#define CR_UNIX_H

#include "image/pack.h"
#include "objects/object.h"
#include "objects/socket.h"

enum cr_unix_role {
	CR_UNIX_PLAIN = 1, /* neither of the following */
	CR_UNIX_LISTENING,
	CR_UNIX_CONNECTED, /* to the socket with the number peer */
	CR_UNIX_WAITING,   /* connected, but nobody has accepted it yet */
	CR_UNIX_ALONE,	   /* its other end has been closed */
	CR_UNIX_OUTSIDE,   /* datagrams: to an address outside of the tree */
};

struct cr_unix_message {
	struct cr_blob from; /* address of the sender, if it had one */
	struct cr_blob data;
	uint32_t *file; /* descriptors in it: indexes in cr_image.files */
	size_t n_files;
	int32_t pid; /* SCM_CREDENTIALS of the sender, 0: none */
	uint32_t uid, gid;
};

/* Addresses are what follows the family: a path, or 0 and a name. */
struct cr_unix_state {
	uint32_t type; /* SOCK_* */
	uint32_t role;
	uint64_t peer;	   /* inode then, which is the peer's object_id */
	uint32_t shutdown; /* bit 0 receiving, bit 1 sending */
	bool reset;	   /* the next call fails with ECONNRESET */
	uint32_t backlog;
	struct cr_blob name, peer_name;
	bool linked; /* the file of that name is there */
	char *moved; /* not that, but this one in the same directory */
	char *dir;   /* a relative name: in this directory */
	uint32_t mode;
	uint64_t *pending; /* listening: who waits, first one first */
	size_t n_pending;
	struct cr_unix_message *message; /* to be received; stream: one */
	size_t n_messages;
	struct cr_sockopts opts;
};

void cr_unix_record(struct cr_pack *p, void *state);
int cr_unix_unrecord(const struct cr_file *file, struct cr_unix_state *s,
		     struct cr_error *err);
void cr_unix_free(struct cr_unix_state *s);
/* unix_queue.c: what is to be received stays where it is */
int cr_unix_read_queue(const struct cr_object_source *src, int fd,
		       uint32_t total, struct cr_unix_state *s,
		       struct cr_error *err);
/*
 * Before anything is stopped: is something there that cannot be saved, as far
 * as can be seen without a trace?
 */
int cr_unix_check_queue(const struct cr_object_source *src, int fd,
			struct cr_unix_state *s, struct cr_error *err);
/*
 * Descriptors in its messages, given to fn; they become the caller's.  *unseen
 * is set if there may be more, while the program runs.
 */
int cr_unix_queued(const struct cr_object_source *src,
		   int (*fn)(void *arg, int fd), void *arg, bool *unseen);
/* unix_restore.c */
int cr_unix_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		    struct cr_error *err);
int cr_unix_complete(struct cr_restore_context *ctx, const struct cr_file *file,
		     int fd, struct cr_error *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn.h - an authenticated connection: frames sealed by MUNGE credentials */
#ifndef CR_CONN_H
#define CR_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "plugins/slurm/agent/frame.h"
#include "plugins/slurm/agent/json.h"

struct cr_conn {
	int fd;
	uint32_t job;
	bool server; /* we are the coordinator: we chose the challenge */
	char self[CR_FRAME_NAME], peer[CR_FRAME_NAME]; /* "-": not known yet */
	char address[64];			       /* for the log */
	char connection[CR_FRAME_HEX];
	uint64_t sent, received; /* sequence numbers */
	uid_t uid;		 /* of the peer; -1: not known yet */
	uid_t expected_uid;	 /* client: who must answer */
	uint8_t *in;
	size_t in_len, in_size;
};

/* Short name of this host. */
int cr_conn_hostname(char name[CR_FRAME_NAME]);
/* Takes an accepted descriptor and sends the welcome. */
int cr_conn_accept(struct cr_conn **c, int fd, uint32_t job,
		   struct cr_error *err);
/* Connects, and waits for the welcome of uid's coordinator on host. */
int cr_conn_connect(struct cr_conn **c, const char *address, int port,
		    uint32_t job, const char *host, uid_t uid, int timeout_ms,
		    struct cr_error *err);
int cr_conn_send(struct cr_conn *c, struct json_object *msg,
		 struct cr_error *err);
/*
 * Reads what is there (does not wait); 0, -EAGAIN if nothing, -EPIPE at the
 * end, other -errno.
 */
int cr_conn_read(struct cr_conn *c);
/*
 * The next whole message in *msg: 1; 0 if more must be read; -errno if the
 * peer is not to be trusted: close.
 */
int cr_conn_next(struct cr_conn *c, struct json_object **msg,
		 struct cr_error *err);
/* Waits for the next message, at most timeout_ms (-1: for ever). */
int cr_conn_wait(struct cr_conn *c, struct json_object **msg, int timeout_ms,
		 struct cr_error *err);
void cr_conn_destroy(struct cr_conn *c);

#endif

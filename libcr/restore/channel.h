/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h - between the restart command and its supervisor
 *
 * A SOCK_SEQPACKET pair.  Only the supervisor sends; that the other side has
 * closed means that it is dead, and what that demands is done at once: the
 * supervisor kills the tree, the command kills what the supervisor left.
 */
#ifndef CR_RESTORE_CHANNEL_H
#define CR_RESTORE_CHANNEL_H

#include <stdint.h>

#include "common/error.h"

enum cr_message_kind {
	CR_MESSAGE_FAILED = 1, /* code, text: nothing is left */
	CR_MESSAGE_CREATED,    /* seconds: processes and their memory */
	CR_MESSAGE_RELEASING,  /* from now on the tree may run */
	CR_MESSAGE_RUNNING,    /* seconds; pidfd of the root comes with it */
	CR_MESSAGE_STATUS,     /* status: the root ended, as wait(2) says */
	CR_MESSAGE_STOPPED,    /* the root was stopped, status says by what */
	CR_MESSAGE_CONTINUED,
};

struct cr_message {
	uint32_t kind;
	int32_t code, status;
	double seconds;
	char text[CR_ERROR_MAX];
};

int cr_channel_send(int channel, const struct cr_message *m, int fd);
/* 0, -EPIPE if the other side is gone, -EAGAIN; *fd: -1 if none came. */
int cr_channel_receive(int channel, struct cr_message *m, int *fd);

/* supervisor.c: the child's side; never returns. */
struct cr_restore_context;
void cr_supervisor_main(struct cr_restore_context *ctx, int channel)
	__attribute__((noreturn));

#endif

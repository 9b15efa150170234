/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pty.h - between the files about pseudo terminals */
#ifndef CR_PTY_H
#define CR_PTY_H

#include "image/pack.h"
#include "objects/object.h"

enum cr_pty_role {
	CR_PTY_MASTER = 1,
	CR_PTY_SLAVE, /* /dev/pts/N, or /dev/tty of such a session */
};

enum cr_pty_input_kind {
	CR_PTY_RAW = 1, /* as it is */
	CR_PTY_LINE,	/* with its end */
	CR_PTY_EOF,	/* ended by the end of file character */
};

struct cr_pty_input {
	uint32_t kind;
	struct cr_blob data;
};

/* All but role and index is the master's. */
struct cr_pty_state {
	uint32_t role, index;
	struct cr_blob termios; /* struct termios2 of x86-64 Linux */
	uint32_t row, col, xpixel, ypixel;
	bool locked, packet, exclusive;
	bool slave;		    /* is open */
	bool hung;		    /* the last slave has been closed */
	uint32_t uid, gid, mode;    /* of /dev/pts/N */
	int32_t sid, pgid;	    /* whose terminal it is, 0: nobody's */
	struct cr_pty_input *input; /* to be read by the slave */
	size_t n_input;
	struct cr_blob output; /* by the master */
};

void cr_pty_record(struct cr_pack *p, void *state);
void cr_pty_free(struct cr_pty_state *s);

/* pty_queue.c */
/* Takes what is to be read out, and puts it back. */
int cr_pty_read_queues(int master, int slave, struct cr_pty_state *s,
		       struct cr_error *err);
/* Into an empty one; termios is as before then. */
int cr_pty_fill_queues(int master, int slave, const struct cr_pty_state *s,
		       struct cr_error *err);
/* The other end of master; -1 and errno. */
int cr_pty_peer(int master, int flags);

/* pty_restore.c */
int cr_pty_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err);
int cr_pty_connect(struct cr_restore_context *ctx, const struct cr_file *file,
		   int fd, struct cr_error *err);
/* -EEXIST if a terminal of the image has a number that is taken here. */
int cr_pty_look(const struct cr_image *img, struct cr_error *err);

#endif

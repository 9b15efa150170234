/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worlds.h - what the coordinator knows about the ranks of the whole job
 *
 * A world is a set of ranks that belong together: a step of srun, or what
 * one mpirun has started.
 */
#ifndef CR_WORLDS_H
#define CR_WORLDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "plugins/slurm/agent/json.h"

enum cr_rank_state {
	CR_RANK_NEVER = 0, /* not heard of */
	CR_RANK_STARTED,   /* nothing heard of itself: runs as it likes */
	CR_RANK_HELD,	   /* waits for its first instruction */
	CR_RANK_LIVE,
	CR_RANK_ENDED,
};

struct cr_world {
	struct cr_world *next;
	char name[256];
	int size, launcher;
	struct cr_world_rank {
		enum cr_rank_state state;
		int status; /* ENDED: wait status, -1: not known */
		bool reported, mpi; /* in the generation in hand */
	} *ranks; /* [size] */
};

struct cr_worlds {
	struct cr_world *first;
	/* launchers of a restored script whose ranks are not all back */
	struct cr_expected {
		int launcher, size;
	} *expected;
	size_t n_expected;
};

/* A "rank" or "ended" message, or its like with another state. */
int cr_worlds_note(struct cr_worlds *w, struct json_object *msg,
		   enum cr_rank_state state);
/* Those that were held go on. */
void cr_worlds_release(struct cr_worlds *w);
/* The script was restored from this generation. */
void cr_worlds_expect(struct cr_worlds *w, struct json_object *manifest);
/*
 * Are all ranks of every world that runs among those reported?  -EAGAIN if
 * that may come, else -errno.
 */
int cr_worlds_check(struct cr_worlds *w, struct json_object *ranks,
		    struct cr_error *err);
/*
 * Maps the launchers in the script's tree (pids) to worlds.  -EAGAIN as
 * above.  On success *map is an array of {"pid", "world"}.
 */
int cr_worlds_map(struct cr_worlds *w, struct json_object *pids,
		  struct json_object **map, struct cr_error *err);
/* The "worlds" of a manifest; ranks: those of the STORE reports. */
struct json_object *cr_worlds_manifest(struct cr_worlds *w,
				       struct json_object *ranks);
/* Is there a rank that runs? */
bool cr_worlds_any(const struct cr_worlds *w);
void cr_worlds_destroy(struct cr_worlds *w);

#endif

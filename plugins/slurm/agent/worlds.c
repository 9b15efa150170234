/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worlds.c - what the coordinator knows about the ranks of the whole job */
#include "plugins/slurm/agent/worlds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define WORLDS_SIZE_MAX (1 << 22)

static struct cr_world *worlds_find(struct cr_worlds *w, const char *name)
{
	for (struct cr_world *i = w->first; i; i = i->next)
		if (!strcmp(i->name, name))
			return i;
	return NULL;
}

static struct cr_world *worlds_add(struct cr_worlds *w, const char *name,
				   int size)
{
	struct cr_world *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->ranks = calloc(size, sizeof(*i->ranks));
	if (!i->ranks) {
		free(i);
		return NULL;
	}
	strncpy(i->name, name, sizeof(i->name) - 1);
	i->size = size;
	i->next = w->first;
	w->first = i;
	return i;
}

static int worlds_count(const struct cr_world *i, enum cr_rank_state state)
{
	int n = 0;

	for (int r = 0; r < i->size; r++)
		n += i->ranks[r].state == state;
	return n;
}

/* All ranks of a restored launcher are back: nothing to wait for. */
static void worlds_arrived(struct cr_worlds *w, const struct cr_world *i)
{
	if (worlds_count(i, CR_RANK_NEVER) ||
	    worlds_count(i, CR_RANK_STARTED) || worlds_count(i, CR_RANK_HELD))
		return;
	for (size_t k = 0; k < w->n_expected; k++)
		if (w->expected[k].launcher == i->launcher)
			w->expected[k] = w->expected[--w->n_expected];
}

/* A pid may come again: what ended earlier under it says nothing more. */
static void worlds_forget_launcher(struct cr_worlds *w, int launcher,
				   const struct cr_world *keep)
{
	struct cr_world **at = &w->first;

	while (*at) {
		struct cr_world *i = *at;

		if (i == keep || i->launcher != launcher ||
		    worlds_count(i, CR_RANK_LIVE) ||
		    worlds_count(i, CR_RANK_STARTED) ||
		    worlds_count(i, CR_RANK_HELD)) {
			at = &i->next;
			continue;
		}
		*at = i->next;
		free(i->ranks);
		free(i);
	}
}

int cr_worlds_note(struct cr_worlds *w, struct json_object *msg,
		   enum cr_rank_state state)
{
	const char *name = cr_json_str(msg, "world", "");
	int64_t rank = cr_json_int(msg, "rank", -1);
	int64_t size = cr_json_int(msg, "size", 0);
	struct cr_world *i = worlds_find(w, name);
	struct cr_world_rank *r;

	if (!*name || rank < 0 || size < 1 || size > WORLDS_SIZE_MAX ||
	    rank >= size)
		return -EINVAL;
	if (!i) {
		if (state == CR_RANK_ENDED)
			return 0;
		i = worlds_add(w, name, size);
		if (!i)
			return -ENOMEM;
		i->launcher = cr_json_int(msg, "launcher", 0);
		worlds_forget_launcher(w, i->launcher, i);
	}
	if (i->size != size)
		return -EINVAL;
	r = &i->ranks[rank];
	if (state == CR_RANK_ENDED) {
		int status = cr_json_int(msg, "status", -1);

		if (r->state != CR_RANK_ENDED || status >= 0)
			r->status = status;
	}
	r->state = state;
	worlds_arrived(w, i);
	return 0;
}

void cr_worlds_release(struct cr_worlds *w)
{
	for (struct cr_world *i = w->first; i; i = i->next) {
		for (int r = 0; r < i->size; r++)
			if (i->ranks[r].state == CR_RANK_HELD)
				i->ranks[r].state = CR_RANK_LIVE;
		worlds_arrived(w, i);
	}
}

void cr_worlds_expect(struct cr_worlds *w, struct json_object *manifest)
{
	struct json_object *batch = cr_json_object(manifest, "batch");
	struct json_object *l = cr_json_array(batch, "launchers");
	size_t n = l ? json_object_array_length(l) : 0;

	w->expected = calloc(n ? n : 1, sizeof(*w->expected));
	for (size_t i = 0; w->expected && i < n; i++) {
		struct json_object *o = json_object_array_get_idx(l, i);

		w->expected[w->n_expected++].launcher =
			cr_json_int(o, "pid", 0);
	}
}

static int worlds_unknown(const struct cr_world *i, int rank,
			  struct cr_error *err)
{
	return cr_error_set(err, -EAGAIN,
			    "task %d of step %s runs, and not by way of "
			    "cr_task: it is just starting, or (--multi-prog) "
			    "a program that loads no libcr_slurm.so",
			    rank, i->name);
}

static int worlds_check_one(struct cr_world *i, struct cr_error *err)
{
	int reported = 0, unknown_end = 0, mpi = 0;

	for (int r = 0; r < i->size; r++) {
		reported += i->ranks[r].reported;
		mpi += i->ranks[r].mpi;
		unknown_end += i->ranks[r].state == CR_RANK_ENDED &&
			       i->ranks[r].status < 0;
	}
	for (int r = 0; r < i->size; r++)
		if (i->ranks[r].state == CR_RANK_STARTED)
			return worlds_unknown(i, r, err);
	if (!reported && !worlds_count(i, CR_RANK_LIVE))
		return 0; /* over, or not begun */
	for (int r = 0; r < i->size; r++) {
		struct cr_world_rank *k = &i->ranks[r];

		/* those that are further on would wait for it in the cut */
		if (k->reported && mpi && !k->mpi)
			return cr_error_set(err, -EAGAIN,
					    "rank %d of %s has not come out "
					    "of MPI_Init", r, i->name);
		/* to keep this would be to lose what is good */
		if (k->state == CR_RANK_ENDED && k->status >= 0 &&
		    WIFSIGNALED(k->status))
			return cr_error_set(err, -ECANCELED,
					    "rank %d of %s was killed by "
					    "signal %d", r, i->name,
					    WTERMSIG(k->status));
		if (k->reported || (k->state == CR_RANK_ENDED && !unknown_end))
			continue;
		if (k->state == CR_RANK_ENDED)
			return cr_error_set(err, -EAGAIN,
					    "rank %d of %s has ended, the "
					    "others have not, and how it "
					    "ended is not known (mpirun does "
					    "not say): it could not end so "
					    "again",
					    r, i->name);
		return cr_error_set(err, -EAGAIN, "rank %d of %s %s", r,
				    i->name,
				    k->state == CR_RANK_LIVE ?
					    "is on a node that does not answer" :
					    "has not started yet");
	}
	return 0;
}

int cr_worlds_check(struct cr_worlds *w, struct json_object *ranks,
		    struct cr_error *err)
{
	int rc = 0;

	for (struct cr_world *i = w->first; i; i = i->next)
		for (int r = 0; r < i->size; r++)
			i->ranks[r].reported = i->ranks[r].mpi = false;
	for (size_t k = 0; k < json_object_array_length(ranks); k++) {
		struct json_object *o = json_object_array_get_idx(ranks, k);
		struct cr_world *i;
		int64_t rank = cr_json_int(o, "rank", -1);

		if (!strcmp(cr_json_str(o, "kind", ""), "batch"))
			continue;
		i = worlds_find(w, cr_json_str(o, "world", ""));
		if (!i || rank < 0 || rank >= i->size)
			return cr_error_set(err, -EAGAIN,
					    "rank %d of %s is not known yet",
					    (int)rank,
					    cr_json_str(o, "world", "?"));
		if (i->ranks[rank].reported)
			return cr_error_set(err, -EEXIST,
					    "rank %d of %s is there twice",
					    (int)rank, i->name);
		i->ranks[rank].reported = true;
		i->ranks[rank].mpi = cr_json_bool(o, "mpi", false);
	}
	for (struct cr_world *i = w->first; i && !rc; i = i->next)
		rc = worlds_check_one(i, err);
	return rc;
}

static bool worlds_reported(const struct cr_world *i)
{
	for (int r = 0; r < i->size; r++)
		if (i->ranks[r].reported)
			return true;
	return false;
}

static int worlds_map_one(struct cr_worlds *w, int pid,
			  struct json_object *map, struct cr_error *err)
{
	struct cr_world *mine = NULL;
	struct json_object *o;
	bool over = false;

	for (size_t k = 0; k < w->n_expected; k++)
		if (w->expected[k].launcher == pid)
			return cr_error_set(err, -EAGAIN,
					    "the ranks of launcher %d are "
					    "still being restarted",
					    pid);
	for (struct cr_world *i = w->first; i; i = i->next) {
		if (i->launcher != pid)
			continue;
		for (int r = 0; r < i->size; r++)
			if (i->ranks[r].state == CR_RANK_STARTED)
				return worlds_unknown(i, r, err);
		if (!worlds_reported(i)) {
			over |= worlds_count(i, CR_RANK_ENDED) > 0;
			continue;
		}
		if (mine)
			return cr_error_set(err, -ENOTSUP,
					    "launcher %d of the batch script "
					    "has started two steps at once: "
					    "%s and %s",
					    pid, mine->name, i->name);
		mine = i;
	}
	if (!mine)
		return over ? cr_error_set(err, -EAGAIN,
					   "launcher %d of the batch script "
					   "is just ending",
					   pid) :
			      0;
	o = json_object_new_object();
	cr_json_put_int(o, "pid", pid);
	cr_json_put_str(o, "world", mine->name);
	json_object_array_add(map, o);
	return 0;
}

static bool worlds_has(struct json_object *pids, int pid)
{
	for (size_t k = 0; k < json_object_array_length(pids); k++)
		if (json_object_get_int(json_object_array_get_idx(pids, k)) ==
		    pid)
			return true;
	return false;
}

int cr_worlds_map(struct cr_worlds *w, struct json_object *pids,
		  struct json_object **out, struct cr_error *err)
{
	struct json_object *map = json_object_new_array();
	int rc = 0;

	for (size_t k = 0; k < json_object_array_length(pids) && !rc; k++)
		rc = worlds_map_one(
			w,
			json_object_get_int(
				json_object_array_get_idx(pids, k)),
			map, err);
	for (struct cr_world *i = w->first; i && !rc; i = i->next)
		if (worlds_reported(i) && !worlds_has(pids, i->launcher))
			rc = cr_error_set(
				err, i->launcher ? -EAGAIN : -ENOTSUP,
				"which command of the batch script runs %s is "
				"not known (%s)",
				i->name,
				i->launcher ?
					"it is not in the script's tree" :
					"was its environment not exported?");
	if (rc)
		json_object_put(map);
	else
		*out = map;
	return rc;
}

static struct json_object *worlds_rank_json(struct cr_world *i, int rank,
					    struct json_object *ranks)
{
	struct json_object *o = json_object_new_object();

	cr_json_put_int(o, "rank", rank);
	if (!i->ranks[rank].reported) {
		cr_json_put_int(o, "exited", i->ranks[rank].status);
		return o;
	}
	for (size_t k = 0; k < json_object_array_length(ranks); k++) {
		struct json_object *r = json_object_array_get_idx(ranks, k);

		if (cr_json_int(r, "rank", -1) != rank ||
		    strcmp(cr_json_str(r, "world", ""), i->name) ||
		    strcmp(cr_json_str(r, "kind", ""), "task"))
			continue;
		cr_json_put_str(o, "node", cr_json_str(r, "node", ""));
		cr_json_put_str(o, "file", cr_json_str(r, "file", ""));
		cr_json_put_int(o, "bytes", cr_json_int(r, "bytes", -1));
		cr_json_put_str(o, "digest", cr_json_str(r, "digest", ""));
	}
	return o;
}

struct json_object *cr_worlds_manifest(struct cr_worlds *w,
				       struct json_object *ranks)
{
	struct json_object *a = json_object_new_array(), *o, *list;

	for (struct cr_world *i = w->first; i; i = i->next) {
		if (!worlds_reported(i))
			continue;
		o = json_object_new_object();
		cr_json_put_str(o, "name", i->name);
		cr_json_put_int(o, "size", i->size);
		cr_json_put_int(o, "launcher", i->launcher);
		list = json_object_new_array();
		for (int r = 0; r < i->size; r++)
			json_object_array_add(list,
					      worlds_rank_json(i, r, ranks));
		json_object_object_add(o, "ranks", list);
		json_object_array_add(a, o);
	}
	return a;
}

bool cr_worlds_any(const struct cr_worlds *w)
{
	for (struct cr_world *i = w->first; i; i = i->next)
		if (worlds_count(i, CR_RANK_LIVE))
			return true;
	return false;
}

void cr_worlds_destroy(struct cr_worlds *w)
{
	while (w->first) {
		struct cr_world *i = w->first;

		w->first = i->next;
		free(i->ranks);
		free(i);
	}
	free(w->expected);
	memset(w, 0, sizeof(*w));
}

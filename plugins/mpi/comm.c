/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * comm.c - communicators: what we know of each, and how it is made anew
 *
 * A communicator is its two groups of world ranks, its topology and its
 * hints; from these it is rebuilt, in the order of an id on which all its
 * members agree without asking: it is mixed from the parent's id, the number
 * of the collective call on the parent, and the new groups.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/objects.h"
#include "mpi/request.h"

uint64_t cr_mpi_mix(uint64_t h, uint64_t x)
{
	h ^= x + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
	h *= 0xff51afd7ed558ccdull;
	return h ^ (h >> 33);
}

/* World ranks of a lower half's group; -1 for those outside. */
static int *world_ranks(MPI_Group group, int n)
{
	MPI_Comm lw = cr_mpi_lower_comm(CR_PRE(ompi_mpi_comm_world));
	int *from = cr_mpi_ints(NULL, n), *to = cr_mpi_ints(NULL, n);
	MPI_Group world;

	for (int i = 0; i < n; i++)
		from[i] = i;
	CR_LOWER(cr_mpi_low.Comm_group(lw, &world));
	CR_LOWER(cr_mpi_low.Group_translate_ranks(group, n, from, world, to));
	CR_LOWER(cr_mpi_low.Group_free(&world));
	free(from);
	for (int i = 0; i < n; i++)
		if (to[i] < 0)
			to[i] = -1;
	return to;
}

/* Inside. */
static void read_groups(struct cr_mpi_comm *c, MPI_Comm lower)
{
	MPI_Group group;
	int inter;

	CR_LOWER(cr_mpi_low.Comm_rank(lower, &c->rank));
	CR_LOWER(cr_mpi_low.Comm_size(lower, &c->size));
	CR_LOWER(cr_mpi_low.Comm_test_inter(lower, &inter));
	CR_LOWER(cr_mpi_low.Comm_group(lower, &group));
	c->member = world_ranks(group, c->size);
	CR_LOWER(cr_mpi_low.Group_free(&group));
	c->inter = inter;
	c->n_peer = c->size;
	c->peer = c->member;
	if (inter) {
		CR_LOWER(cr_mpi_low.Comm_remote_size(lower, &c->n_peer));
		CR_LOWER(cr_mpi_low.Comm_remote_group(lower, &group));
		c->peer = world_ranks(group, c->n_peer);
		CR_LOWER(cr_mpi_low.Group_free(&group));
	}
	c->foreign = false;
	for (int i = 0; i < c->size; i++)
		c->foreign |= c->member[i] < 0;
	for (int i = 0; i < c->n_peer; i++)
		c->foreign |= c->peer[i] < 0;
}

void cr_mpi_comm_init(void)
{
	struct cr_mpi_comm *world, *self;
	MPI_Comm null = CR_PRE(ompi_mpi_comm_null);
	struct cr_mpi_group *empty =
		CR_MPI_OBJECT(cr_mpi_group, CR_PRE(ompi_mpi_group_empty));

	world = cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_world));
	read_groups(world, world->o.head.lower);
	world->id = 1;
	world->o.name = strdup("MPI_COMM_WORLD");
	self = cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_self));
	read_groups(self, self->o.head.lower);
	self->id = cr_mpi_mix(2, cr_mpi_rank);
	self->o.name = strdup("MPI_COMM_SELF");
	cr_mpi_comm_of(null)->rank = MPI_UNDEFINED;
	cr_mpi_comm_of(null)->o.name = strdup("MPI_COMM_NULL");
	empty->rank = cr_mpi_ints(NULL, 0);
}

static uint64_t mix_ranks(uint64_t h, const int *rank, int n)
{
	for (int i = 0; i < n; i++)
		h = cr_mpi_mix(h, rank[i]);
	return h;
}

/*
 * How often this id was asked for: a call that has no number of its own (not
 * collective over the parent) may make the same communicator again.  Its
 * members have made the same ones, so all count alike.
 */
static uint64_t nth(uint64_t id)
{
	static struct known {
		uint64_t id, n;
		struct known *next;
	} *all;
	struct known *k;

	for (k = all; k && k->id != id; k = k->next)
		;
	if (!k) {
		k = cr_mpi_alloc(1, sizeof(*k));
		k->id = id;
		k->next = all;
		all = k;
	}
	return ++k->n;
}

static uint64_t new_id(const struct cr_mpi_comm *c,
		       const struct cr_mpi_comm *parent, uint64_t number)
{
	uint64_t id, local, remote, low, high;

	local = mix_ranks(4, c->member, c->size);
	if (c->inter) {
		/* the same from both sides, and so of no side's parent */
		remote = mix_ranks(4, c->peer, c->n_peer);
		low = local < remote ? local : remote;
		high = local < remote ? remote : local;
		id = parent && parent->inter ? parent->id : 3;
		id = cr_mpi_mix(cr_mpi_mix(id, low), high);
	} else {
		id = cr_mpi_mix(parent ? parent->id : 3, local);
	}
	return cr_mpi_mix(id, number);
}

static MPI_Comm adopt(MPI_Comm lower, MPI_Comm parent, uint64_t number,
		      bool numbered)
{
	struct cr_mpi_comm *c, *p = parent ? cr_mpi_comm_of(parent) : NULL;

	if (lower == cr_mpi_lower_comm(CR_PRE(ompi_mpi_comm_null)))
		return CR_PRE(ompi_mpi_comm_null);
	c = cr_mpi_alloc(1, sizeof(*c));
	read_groups(c, lower);
	c->id = new_id(c, p, number);
	if (!numbered) {
		pthread_mutex_lock(&cr_mpi_lock);
		c->id = cr_mpi_mix(c->id, nth(c->id));
		pthread_mutex_unlock(&cr_mpi_lock);
	}
	cr_mpi_object_init(&c->o, CR_MPI_COMM);
	cr_mpi_bind(&c->o, lower);
	if (p)
		cr_mpi_errhandler_inherit(c, p);
	if (c->foreign)
		cr_mpi_refuse("MPI_Comm_spawn, MPI_Comm_connect or the like");
	return (MPI_Comm)c;
}

MPI_Comm cr_mpi_comm_adopt(MPI_Comm lower, MPI_Comm parent, uint64_t number)
{
	return adopt(lower, parent, number, true);
}

MPI_Comm cr_mpi_comm_adopt_nth(MPI_Comm lower, MPI_Comm parent, uint64_t kind)
{
	return adopt(lower, parent, kind, false);
}

MPI_Comm cr_mpi_upper_comm(MPI_Comm lower)
{
	struct cr_mpi_object *o = cr_mpi_find(CR_MPI_COMM, lower);

	return o ? o->handle : cr_mpi_comm_adopt_nth(lower, NULL, 0);
}

void cr_mpi_comm_destroy(struct cr_mpi_comm *c)
{
	if (c->peer != c->member)
		free(c->peer);
	free(c->member);
	cr_mpi_comm_topology_free(c);
	if (c->info)
		cr_mpi_info_release((MPI_Info)c->info);
	cr_mpi_object_destroy(&c->o);
}

/* Tags below are those of cuts (exchange.c). */
int cr_mpi_private_tag(uint64_t id)
{
	return 16 + (int)(id & 0x3fffffff);
}

/* ---- at a restart ---- */

/* Over our own communicator, since others may be done and run already. */
static MPI_Comm create_from_ranks(const int *ranks, int n, int tag)
{
	MPI_Comm comm = NULL;
	MPI_Group world, group;

	CR_LOWER(cr_mpi_low.Comm_group(cr_mpi_private, &world));
	CR_LOWER(cr_mpi_low.Group_incl(world, n, ranks, &group));
	if (CR_LOWER(cr_mpi_low.Comm_create_group(cr_mpi_private, group, tag,
						  &comm)))
		comm = NULL;
	CR_LOWER(cr_mpi_low.Group_free(&group));
	CR_LOWER(cr_mpi_low.Group_free(&world));
	return comm;
}

static int rebuild_one(struct cr_mpi_comm *c, struct cr_error *err)
{
	int tag = cr_mpi_private_tag(c->id), r = MPI_SUCCESS;
	MPI_Comm plain, made;

	plain = create_from_ranks(c->member, c->size, tag);
	if (!plain)
		return cr_error_set(err, -EIO,
				    "communicator %s cannot be made again",
				    c->o.name ? c->o.name : "(no name)");
	made = plain;
	if (c->inter) {
		r = CR_LOWER(cr_mpi_low.Intercomm_create(
			plain, 0, cr_mpi_private, c->peer[0], tag, &made));
		CR_LOWER(cr_mpi_low.Comm_free(&plain));
	} else if (c->topology != CR_MPI_TOPO_NONE) {
		r = cr_mpi_topology_rebuild(c, plain, &made);
		CR_LOWER(cr_mpi_low.Comm_free(&plain));
	}
	if (r != MPI_SUCCESS)
		return cr_error_set(err, -EIO,
				    "communicator %s cannot be made again: "
				    "error %d", c->o.name ? c->o.name : "", r);
	cr_mpi_bind(&c->o, made);
	if (c->o.name)
		CR_LOWER(cr_mpi_low.Comm_set_name(made, c->o.name));
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct cr_mpi_comm *x = *(struct cr_mpi_comm *const *)a;
	const struct cr_mpi_comm *y = *(struct cr_mpi_comm *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* All ranks do this at the same time, each for its communicators. */
int cr_mpi_comm_rebuild(struct cr_error *err)
{
	struct cr_mpi_object *o;
	struct cr_mpi_comm **all;
	int n = 0, rc = 0;

	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = o->next)
		n++;
	all = cr_mpi_alloc(n, sizeof(*all));
	n = 0;
	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = o->next)
		all[n++] = (struct cr_mpi_comm *)o;
	/* the same order everywhere, so that nobody waits in a circle */
	qsort(all, n, sizeof(*all), compare_ids);
	for (int i = 0; i < n && rc == 0; i++)
		rc = rebuild_one(all[i], err);
	for (int i = 0; i < n && rc == 0; i++)
		if (!all[i]->freed &&
		    cr_mpi_errhandler_apply(all[i]) != MPI_SUCCESS)
			rc = cr_error_set(err, -EIO, "an error handler cannot "
					  "be set again");
	free(all);
	if (rc == 0)
		cr_mpi_errhandler_apply(
			cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_world)));
	if (rc == 0)
		cr_mpi_errhandler_apply(
			cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_self)));
	return rc;
}

/* When all requests are there again: what had been freed goes. */
void cr_mpi_comm_rebuild_end(void)
{
	struct cr_mpi_object *o;

	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = o->next) {
		MPI_Comm lower = o->head.lower;

		if (!((struct cr_mpi_comm *)o)->freed)
			continue;
		CR_LOWER(cr_mpi_low.Comm_free(&lower));
		cr_mpi_bind(o, NULL);
	}
}

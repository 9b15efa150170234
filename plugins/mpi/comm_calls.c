/* SPDX-License-Identifier: GPL-2.0-or-later */
/* comm_calls.c - the calls that make, free and ask about communicators */
#include <stdlib.h>
#include <string.h>

#include "mpi/objects.h"
#include "mpi/request.h"

static int copy_attributes(MPI_Comm from, MPI_Comm *to)
{
	int r = cr_mpi_attr_copy_all(from, *to);

	if (r != MPI_SUCCESS)
		PMPI_Comm_free(to);
	return r;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *newcomm)
{
	struct cr_mpi_comm *from = cr_mpi_comm_of(comm);
	int r;

	CR_MPI_CREATE(comm, newcomm, r, ,
		      cr_mpi_low.Comm_dup(lc, &made),
		      cr_mpi_comm_topology_copy(c, from);
		      if (from->info)
			      c->info = (struct cr_mpi_info *)cr_mpi_info_dup(
				      (MPI_Info)from->info););
	return r == MPI_SUCCESS ? copy_attributes(comm, newcomm) : r;
}
CR_MPI_ALIAS(Comm_dup, (MPI_Comm comm, MPI_Comm *newcomm));

int MPI_Comm_dup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm)
{
	struct cr_mpi_comm *from = cr_mpi_comm_of(comm);
	MPI_Info li;
	int r;

	CR_MPI_CREATE(comm, newcomm, r, li = cr_mpi_lower_info(info);,
		      cr_mpi_low.Comm_dup_with_info(lc, li, &made),
		      cr_mpi_comm_topology_copy(c, from);
		      c->info = (struct cr_mpi_info *)cr_mpi_info_dup(info););
	return r == MPI_SUCCESS ? copy_attributes(comm, newcomm) : r;
}
CR_MPI_ALIAS(Comm_dup_with_info,
	     (MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm));

/* The duplicate is made at once; the request is complete. */
int MPI_Comm_idup(MPI_Comm comm, MPI_Comm *newcomm, MPI_Request *request)
{
	struct cr_mpi_request *v;
	int r = PMPI_Comm_dup(comm, newcomm);

	if (r != MPI_SUCCESS)
		return r;
	v = cr_mpi_request_new(CR_MPI_REQ_SEND);
	memset(&v->status, 0, sizeof(v->status));
	v->status.MPI_SOURCE = MPI_ANY_SOURCE;
	v->status.MPI_TAG = MPI_ANY_TAG;
	v->done = v->active = 1;
	*request = (MPI_Request)v;
	return r;
}
CR_MPI_ALIAS(Comm_idup,
	     (MPI_Comm comm, MPI_Comm *newcomm, MPI_Request *request));

int MPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm)
{
	MPI_Group lg;
	int r;

	CR_MPI_CREATE(comm, newcomm, r, lg = cr_mpi_lower_group(group);,
	       cr_mpi_low.Comm_create(lc, lg, &made), );
	return r;
}
CR_MPI_ALIAS(Comm_create, (MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm));

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *newcomm)
{
	int r;

	CR_MPI_CREATE(comm, newcomm, r, ,
	       cr_mpi_low.Comm_split(lc, color, key, &made), );
	return r;
}
CR_MPI_ALIAS(Comm_split, (MPI_Comm comm, int color, int key,
			  MPI_Comm *newcomm));

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info,
			MPI_Comm *newcomm)
{
	MPI_Info li;
	int r;

	CR_MPI_CREATE(comm, newcomm, r, li = cr_mpi_lower_info(info);,
	       cr_mpi_low.Comm_split_type(lc, type, key, li, &made), );
	return r;
}
CR_MPI_ALIAS(Comm_split_type, (MPI_Comm comm, int type, int key, MPI_Info info,
			       MPI_Comm *newcomm));

/*
 * Only the members of group take part, so there is no count to compare: no
 * cut is taken while a rank is inside.  Open MPI sends messages with the
 * program's tag over the parent: a cut would take them for the program's.  So
 * they go over a communicator of ours.
 */
int MPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag,
			  MPI_Comm *newcomm)
{
	int own = cr_mpi_private_tag(cr_mpi_mix(cr_mpi_comm_of(comm)->id, tag));
	MPI_Comm made = NULL;
	MPI_Group lg;
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_THROUGH, lg = cr_mpi_lower_group(group);, r,
		    cr_mpi_low.Comm_create_group(cr_mpi_private, lg, own,
						 &made),
		    if (r == MPI_SUCCESS) {
			    *newcomm = cr_mpi_comm_adopt_nth(
				    made, comm, cr_mpi_mix(5, tag));
			    if (!cr_mpi_head(*newcomm)->predefined)
				    cr_mpi_errhandler_apply(
					    cr_mpi_comm_of(*newcomm));
		    });
	return r;
}
CR_MPI_ALIAS(Comm_create_group, (MPI_Comm comm, MPI_Group group, int tag,
				 MPI_Comm *newcomm));

/*
 * The leaders' messages go over a communicator of ours, too.
 */
int MPI_Intercomm_create(MPI_Comm local, int leader, MPI_Comm peer,
			 int remote_leader, int tag, MPI_Comm *newcomm)
{
	struct cr_mpi_comm *c = cr_mpi_comm_of(local);
	struct cr_mpi_comm *p = NULL;
	MPI_Comm lc, made = NULL;
	int r, remote = 0, own = 0;

	if (c->rank == leader) {
		p = cr_mpi_comm_of(peer);
		if (remote_leader < 0 || remote_leader >= p->n_peer ||
		    p->peer[remote_leader] < 0)
			return cr_mpi_error(local, MPI_ERR_RANK);
		remote = p->peer[remote_leader];
		own = cr_mpi_private_tag(cr_mpi_mix(p->id, tag));
	}
	CR_MPI_CALL(CR_MPI_CLASS_THROUGH, lc = cr_mpi_lower_comm(local);, r,
		    cr_mpi_low.Intercomm_create(lc, leader, cr_mpi_private,
						remote, own, &made),
		    if (r == MPI_SUCCESS)
			    *newcomm = cr_mpi_comm_adopt_nth(
				    made, local, cr_mpi_mix(7, tag)););
	return r;
}
CR_MPI_ALIAS(Intercomm_create, (MPI_Comm local, int leader, MPI_Comm peer,
				int remote_leader, int tag,
				MPI_Comm *newcomm));

int MPI_Intercomm_merge(MPI_Comm inter, int high, MPI_Comm *newcomm)
{
	MPI_Comm lc, made = NULL;
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_THROUGH, lc = cr_mpi_lower_comm(inter);, r,
		    cr_mpi_low.Intercomm_merge(lc, high, &made),
		    if (r == MPI_SUCCESS)
			    *newcomm = cr_mpi_comm_adopt_nth(made, inter, 8););
	return r;
}
CR_MPI_ALIAS(Intercomm_merge, (MPI_Comm inter, int high, MPI_Comm *newcomm));

/*
 * Freeing waits for nobody.  What we know of the communicator stays until a
 * cut finds that all members have freed it: until then they need us when it
 * is made anew at a restart, to free it again.
 */
int MPI_Comm_free(MPI_Comm *comm)
{
	struct cr_mpi_comm *c = cr_mpi_comm_of(*comm);
	MPI_Comm lc;
	int r;

	if (!c->o.head.predefined) {
		r = cr_mpi_attr_delete_all(*comm);
		if (r != MPI_SUCCESS)
			return r;
	}
	CR_MPI_CALL(CR_MPI_CLASS_LOCAL, lc = cr_mpi_lower_comm(*comm);, r,
		    cr_mpi_low.Comm_free(&lc),
		    if (r == MPI_SUCCESS && !c->o.head.predefined) {
			    cr_mpi_bind(&c->o, NULL);
			    c->freed = true;
			    *comm = CR_PRE(ompi_mpi_comm_null);
		    });
	return r;
}
CR_MPI_ALIAS(Comm_free, (MPI_Comm *comm));

/* All members wait for each other, then free. */
int MPI_Comm_disconnect(MPI_Comm *comm)
{
	int r = PMPI_Barrier(*comm);

	return r == MPI_SUCCESS ? PMPI_Comm_free(comm) : r;
}
CR_MPI_ALIAS(Comm_disconnect, (MPI_Comm *comm));

/* ---- answered here ---- */

#define CHECKED(comm)                                              \
	do {                                                       \
		if (__builtin_expect(cr_mpi_closed &               \
				     CR_MPI_HOLD_DOWN, 0))         \
			cr_mpi_die("an MPI function was called "   \
				   "before MPI_Init or after "     \
				   "MPI_Finalize");                \
		if ((comm) == CR_PRE(ompi_mpi_comm_null))          \
			return cr_mpi_error(NULL, MPI_ERR_COMM);   \
	} while (0)

int MPI_Comm_rank(MPI_Comm comm, int *rank)
{
	CHECKED(comm);
	*rank = cr_mpi_comm_of(comm)->rank;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_rank, (MPI_Comm comm, int *rank));

int MPI_Comm_size(MPI_Comm comm, int *size)
{
	CHECKED(comm);
	*size = cr_mpi_comm_of(comm)->size;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_size, (MPI_Comm comm, int *size));

int MPI_Comm_remote_size(MPI_Comm comm, int *size)
{
	CHECKED(comm);
	if (!cr_mpi_comm_of(comm)->inter)
		return cr_mpi_error(comm, MPI_ERR_COMM);
	*size = cr_mpi_comm_of(comm)->n_peer;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_remote_size, (MPI_Comm comm, int *size));

int MPI_Comm_test_inter(MPI_Comm comm, int *flag)
{
	CHECKED(comm);
	*flag = cr_mpi_comm_of(comm)->inter;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_test_inter, (MPI_Comm comm, int *flag));

int MPI_Comm_group(MPI_Comm comm, MPI_Group *group)
{
	CHECKED(comm);
	*group = cr_mpi_group_new(cr_mpi_comm_of(comm)->member,
				  cr_mpi_comm_of(comm)->size);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_group, (MPI_Comm comm, MPI_Group *group));

int MPI_Comm_remote_group(MPI_Comm comm, MPI_Group *group)
{
	CHECKED(comm);
	if (!cr_mpi_comm_of(comm)->inter)
		return cr_mpi_error(comm, MPI_ERR_COMM);
	*group = cr_mpi_group_new(cr_mpi_comm_of(comm)->peer,
				  cr_mpi_comm_of(comm)->n_peer);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_remote_group, (MPI_Comm comm, MPI_Group *group));

static int compare(const int *a, int na, const int *b, int nb)
{
	int r = MPI_CONGRUENT;

	if (na != nb)
		return MPI_UNEQUAL;
	for (int i = 0; i < na; i++) {
		int j = 0;

		if (a[i] == b[i])
			continue;
		r = MPI_SIMILAR;
		while (j < nb && b[j] != a[i])
			j++;
		if (j == nb)
			return MPI_UNEQUAL;
	}
	return r;
}

int MPI_Comm_compare(MPI_Comm comm1, MPI_Comm comm2, int *result)
{
	struct cr_mpi_comm *a, *b;
	int remote;

	CHECKED(comm1);
	CHECKED(comm2);
	a = cr_mpi_comm_of(comm1);
	b = cr_mpi_comm_of(comm2);
	if (a == b) {
		*result = MPI_IDENT;
		return MPI_SUCCESS;
	}
	*result = MPI_UNEQUAL;
	if (a->inter != b->inter)
		return MPI_SUCCESS;
	*result = compare(a->member, a->size, b->member, b->size);
	if (a->inter && *result != MPI_UNEQUAL) {
		remote = compare(a->peer, a->n_peer, b->peer, b->n_peer);
		if (remote != MPI_CONGRUENT)
			*result = remote;
	}
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_compare, (MPI_Comm comm1, MPI_Comm comm2, int *result));

int MPI_Comm_get_parent(MPI_Comm *parent)
{
	MPI_Comm lower = NULL;
	int r;

	CR_MPI_LOCAL(;, r, cr_mpi_low.Comm_get_parent(&lower));
	if (r == MPI_SUCCESS) {
		cr_mpi_enter(CR_MPI_CLASS_LOCAL);
		*parent = cr_mpi_upper_comm(lower);
		cr_mpi_leave();
	}
	return r;
}
CR_MPI_ALIAS(Comm_get_parent, (MPI_Comm *parent));

int MPI_Comm_set_name(MPI_Comm comm, const char *name)
{
	struct cr_mpi_object *o = &cr_mpi_comm_of(comm)->o;
	MPI_Comm lc;
	int r;

	CR_MPI_LOCAL(lc = cr_mpi_lower_comm(comm);, r,
		     cr_mpi_low.Comm_set_name(lc, name));
	if (r == MPI_SUCCESS) {
		free(o->name);
		o->name = strndup(name, MPI_MAX_OBJECT_NAME - 1);
	}
	return r;
}
CR_MPI_ALIAS(Comm_set_name, (MPI_Comm comm, const char *name));

int MPI_Comm_get_name(MPI_Comm comm, char *name, int *length)
{
	const char *s = cr_mpi_comm_of(comm)->o.name;

	strcpy(name, s ? s : "");
	*length = strlen(name);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_get_name, (MPI_Comm comm, char *name, int *length));

/* Hints are kept and given back; none changes what is done. */
int MPI_Comm_set_info(MPI_Comm comm, MPI_Info info)
{
	struct cr_mpi_comm *c;

	CHECKED(comm);
	c = cr_mpi_comm_of(comm);
	if (c->info)
		cr_mpi_info_release((MPI_Info)c->info);
	c->info = (struct cr_mpi_info *)cr_mpi_info_dup(info);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_set_info, (MPI_Comm comm, MPI_Info info));

int MPI_Comm_get_info(MPI_Comm comm, MPI_Info *info)
{
	struct cr_mpi_comm *c;

	CHECKED(comm);
	c = cr_mpi_comm_of(comm);
	*info = cr_mpi_info_dup((MPI_Info)c->info);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_get_info, (MPI_Comm comm, MPI_Info *info));

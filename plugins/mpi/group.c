/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * group.c - groups are lists of ranks in MPI_COMM_WORLD
 *
 * All operations are done here; a lower half's group is made only when one
 * of its functions needs it.  Ranks outside our world are negative.
 */
#include <stdlib.h>
#include <string.h>

#include "mpi/objects.h"

static struct cr_mpi_group *group_of(MPI_Group group)
{
	return CR_MPI_OBJECT(cr_mpi_group, group);
}

MPI_Group cr_mpi_group_new(const int *ranks, int n)
{
	struct cr_mpi_group *g;

	if (n == 0)
		return CR_PRE(ompi_mpi_group_empty);
	g = cr_mpi_alloc(1, sizeof(*g));
	cr_mpi_object_init(&g->o, CR_MPI_GROUP);
	g->n = n;
	g->rank = cr_mpi_ints(ranks, n);
	return (MPI_Group)g;
}

/* Inside. */
MPI_Group cr_mpi_lower_group(MPI_Group group)
{
	struct cr_mpi_group *g = group_of(group);
	MPI_Group world, lower;
	MPI_Comm lw;

	if (g->o.head.lower)
		return g->o.head.lower;
	lw = cr_mpi_lower_comm(CR_PRE(ompi_mpi_comm_world));
	CR_LOWER(cr_mpi_low.Comm_group(lw, &world));
	if (CR_LOWER(cr_mpi_low.Group_incl(world, g->n, g->rank, &lower)))
		cr_mpi_die("a group with ranks outside MPI_COMM_WORLD");
	CR_LOWER(cr_mpi_low.Group_free(&world));
	cr_mpi_bind(&g->o, lower);
	return lower;
}

MPI_Group cr_mpi_upper_group(MPI_Group lower)
{
	MPI_Comm lw = cr_mpi_lower_comm(CR_PRE(ompi_mpi_comm_world));
	MPI_Group world, mine;
	int n = 0, *from, *to;

	CR_LOWER(cr_mpi_low.Group_size(lower, &n));
	from = cr_mpi_ints(NULL, n);
	to = cr_mpi_ints(NULL, n);
	for (int i = 0; i < n; i++)
		from[i] = i;
	CR_LOWER(cr_mpi_low.Comm_group(lw, &world));
	CR_LOWER(cr_mpi_low.Group_translate_ranks(lower, n, from, world, to));
	CR_LOWER(cr_mpi_low.Group_free(&world));
	mine = cr_mpi_group_new(to, n);
	free(from);
	free(to);
	return mine;
}

static int find(const struct cr_mpi_group *g, int world)
{
	for (int i = 0; i < g->n; i++)
		if (g->rank[i] == world)
			return i;
	return MPI_UNDEFINED;
}

int MPI_Group_size(MPI_Group group, int *size)
{
	*size = group_of(group)->n;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_size, (MPI_Group group, int *size));

int MPI_Group_rank(MPI_Group group, int *rank)
{
	*rank = find(group_of(group), cr_mpi_rank);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_rank, (MPI_Group group, int *rank));

int MPI_Group_translate_ranks(MPI_Group group1, int n, const int ranks1[],
			      MPI_Group group2, int ranks2[])
{
	struct cr_mpi_group *a = group_of(group1), *b = group_of(group2);

	for (int i = 0; i < n; i++) {
		if (ranks1[i] == MPI_PROC_NULL)
			ranks2[i] = MPI_PROC_NULL;
		else if (ranks1[i] < 0 || ranks1[i] >= a->n)
			return cr_mpi_error(NULL, MPI_ERR_RANK);
		else
			ranks2[i] = find(b, a->rank[ranks1[i]]);
	}
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_translate_ranks,
	     (MPI_Group group1, int n, const int ranks1[], MPI_Group group2,
	      int ranks2[]));

int MPI_Group_compare(MPI_Group group1, MPI_Group group2, int *result)
{
	struct cr_mpi_group *a = group_of(group1), *b = group_of(group2);

	*result = MPI_UNEQUAL;
	if (a->n != b->n)
		return MPI_SUCCESS;
	if (a->n == 0 || !memcmp(a->rank, b->rank, a->n * sizeof(int))) {
		*result = MPI_IDENT;
		return MPI_SUCCESS;
	}
	for (int i = 0; i < a->n; i++)
		if (find(b, a->rank[i]) == MPI_UNDEFINED)
			return MPI_SUCCESS;
	*result = MPI_SIMILAR;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_compare, (MPI_Group group1, MPI_Group group2, int *result));

/* Members of a (all, or those in b or not in b), then rest of b if asked. */
static MPI_Group combine(MPI_Group group1, MPI_Group group2, bool in, bool out,
			 bool rest)
{
	struct cr_mpi_group *a = group_of(group1), *b = group_of(group2);
	int *r = cr_mpi_ints(NULL, a->n + b->n), n = 0;
	MPI_Group result;

	for (int i = 0; i < a->n; i++) {
		bool both = find(b, a->rank[i]) != MPI_UNDEFINED;

		if (both ? in : out)
			r[n++] = a->rank[i];
	}
	for (int i = 0; rest && i < b->n; i++)
		if (find(a, b->rank[i]) == MPI_UNDEFINED)
			r[n++] = b->rank[i];
	result = cr_mpi_group_new(r, n);
	free(r);
	return result;
}

int MPI_Group_union(MPI_Group group1, MPI_Group group2, MPI_Group *newgroup)
{
	*newgroup = combine(group1, group2, true, true, true);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_union,
	     (MPI_Group group1, MPI_Group group2, MPI_Group *newgroup));

int MPI_Group_intersection(MPI_Group group1, MPI_Group group2,
			   MPI_Group *newgroup)
{
	*newgroup = combine(group1, group2, true, false, false);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_intersection,
	     (MPI_Group group1, MPI_Group group2, MPI_Group *newgroup));

int MPI_Group_difference(MPI_Group group1, MPI_Group group2,
			 MPI_Group *newgroup)
{
	*newgroup = combine(group1, group2, false, true, false);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_difference,
	     (MPI_Group group1, MPI_Group group2, MPI_Group *newgroup));

/* Those named in ranks, in their order, or all others. */
static int select_ranks(MPI_Group group, int n, const int *ranks, bool incl,
			MPI_Group *newgroup)
{
	struct cr_mpi_group *g = group_of(group);
	int *r = cr_mpi_ints(NULL, incl ? n : g->n), k = 0;
	char *named = cr_mpi_alloc(g->n, 1);

	for (int i = 0; i < n; i++) {
		if (ranks[i] < 0 || ranks[i] >= g->n || named[ranks[i]]++) {
			free(r);
			free(named);
			return cr_mpi_error(NULL, MPI_ERR_RANK);
		}
		if (incl)
			r[k++] = g->rank[ranks[i]];
	}
	for (int i = 0; !incl && i < g->n; i++)
		if (!named[i])
			r[k++] = g->rank[i];
	*newgroup = cr_mpi_group_new(r, k);
	free(r);
	free(named);
	return MPI_SUCCESS;
}

int MPI_Group_incl(MPI_Group group, int n, const int ranks[],
		   MPI_Group *newgroup)
{
	return select_ranks(group, n, ranks, true, newgroup);
}
CR_MPI_ALIAS(Group_incl, (MPI_Group group, int n, const int ranks[],
			  MPI_Group *newgroup));

int MPI_Group_excl(MPI_Group group, int n, const int ranks[],
		   MPI_Group *newgroup)
{
	return select_ranks(group, n, ranks, false, newgroup);
}
CR_MPI_ALIAS(Group_excl, (MPI_Group group, int n, const int ranks[],
			  MPI_Group *newgroup));

static int select_ranges(MPI_Group group, int n, int ranges[][3], bool incl,
			 MPI_Group *newgroup)
{
	int size = group_of(group)->n, k = 0, r;
	int *ranks = cr_mpi_ints(NULL, size);

	for (int i = 0; i < n; i++) {
		int first = ranges[i][0], last = ranges[i][1];
		int step = ranges[i][2];

		if (step == 0 || (step > 0) != (last >= first)) {
			if (step != 0 && first != last)
				continue; /* an empty range */
			if (step == 0) {
				free(ranks);
				return cr_mpi_error(NULL, MPI_ERR_ARG);
			}
		}
		for (int j = first; step > 0 ? j <= last : j >= last;
		     j += step) {
			if (k == size) {
				free(ranks);
				return cr_mpi_error(NULL, MPI_ERR_RANK);
			}
			ranks[k++] = j;
		}
	}
	r = select_ranks(group, k, ranks, incl, newgroup);
	free(ranks);
	return r;
}

int MPI_Group_range_incl(MPI_Group group, int n, int ranges[][3],
			 MPI_Group *newgroup)
{
	return select_ranges(group, n, ranges, true, newgroup);
}
CR_MPI_ALIAS(Group_range_incl, (MPI_Group group, int n, int ranges[][3],
				MPI_Group *newgroup));

int MPI_Group_range_excl(MPI_Group group, int n, int ranges[][3],
			 MPI_Group *newgroup)
{
	return select_ranges(group, n, ranges, false, newgroup);
}
CR_MPI_ALIAS(Group_range_excl, (MPI_Group group, int n, int ranges[][3],
				MPI_Group *newgroup));

int MPI_Group_free(MPI_Group *group)
{
	struct cr_mpi_group *g = group_of(*group);
	MPI_Group lower;
	int r;

	if (!g->o.head.predefined) {
		lower = g->o.head.lower;
		if (lower) {
			CR_MPI_LOCAL(lower = g->o.head.lower;, r,
				     cr_mpi_low.Group_free(&lower));
			(void)r;
		}
		free(g->rank);
		cr_mpi_object_destroy(&g->o);
	}
	*group = CR_PRE(ompi_mpi_group_null);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Group_free, (MPI_Group *group));

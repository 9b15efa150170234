/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * type.c - derived datatypes: remembered as MPI_Type_get_contents gives them
 *
 * A constructor is its combiner with integers, addresses and datatypes in
 * the order of the standard.  From this record the lower half's datatype is
 * made the first time and at every restart; it also answers
 * MPI_Type_get_contents.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/type.h"

static struct cr_mpi_type *type_of(MPI_Datatype type)
{
	return CR_MPI_OBJECT(cr_mpi_type, type);
}

/* Inside: the lower half's datatype from the record. */
static int build(const struct cr_mpi_type *t, MPI_Datatype *made)
{
	const int *i = t->i;
	const MPI_Aint *a = t->a;
	MPI_Datatype *l = cr_mpi_alloc(t->nt, sizeof(*l));
	int r = MPI_ERR_TYPE, nd;

	for (int k = 0; k < t->nt; k++)
		l[k] = cr_mpi_lower_type(t->t[k]);
	switch (t->combiner) {
	case MPI_COMBINER_DUP:
		r = CR_LOWER(cr_mpi_low.Type_dup(l[0], made));
		break;
	case MPI_COMBINER_CONTIGUOUS:
		r = CR_LOWER(cr_mpi_low.Type_contiguous(i[0], l[0], made));
		break;
	case MPI_COMBINER_VECTOR:
		r = CR_LOWER(cr_mpi_low.Type_vector(i[0], i[1], i[2], l[0],
						    made));
		break;
	case MPI_COMBINER_HVECTOR:
		r = CR_LOWER(cr_mpi_low.Type_create_hvector(i[0], i[1], a[0],
							    l[0], made));
		break;
	case MPI_COMBINER_INDEXED:
		r = CR_LOWER(cr_mpi_low.Type_indexed(
			i[0], i + 1, i + 1 + i[0], l[0], made));
		break;
	case MPI_COMBINER_HINDEXED:
		r = CR_LOWER(cr_mpi_low.Type_create_hindexed(i[0], i + 1, a,
							     l[0], made));
		break;
	case MPI_COMBINER_INDEXED_BLOCK:
		r = CR_LOWER(cr_mpi_low.Type_create_indexed_block(
			i[0], i[1], i + 2, l[0], made));
		break;
	case MPI_COMBINER_HINDEXED_BLOCK:
		r = CR_LOWER(cr_mpi_low.Type_create_hindexed_block(
			i[0], i[1], a, l[0], made));
		break;
	case MPI_COMBINER_STRUCT:
		r = CR_LOWER(cr_mpi_low.Type_create_struct(i[0], i + 1, a, l,
							   made));
		break;
	case MPI_COMBINER_SUBARRAY:
		nd = i[0];
		r = CR_LOWER(cr_mpi_low.Type_create_subarray(
			nd, i + 1, i + 1 + nd, i + 1 + 2 * nd, i[1 + 3 * nd],
			l[0], made));
		break;
	case MPI_COMBINER_DARRAY:
		nd = i[2];
		r = CR_LOWER(cr_mpi_low.Type_create_darray(
			i[0], i[1], nd, i + 3, i + 3 + nd, i + 3 + 2 * nd,
			i + 3 + 3 * nd, i[3 + 4 * nd], l[0], made));
		break;
	case MPI_COMBINER_RESIZED:
		r = CR_LOWER(cr_mpi_low.Type_create_resized(l[0], a[0], a[1],
							    made));
		break;
	case MPI_COMBINER_F90_REAL:
		r = CR_LOWER(cr_mpi_low.Type_create_f90_real(i[0], i[1], made));
		break;
	case MPI_COMBINER_F90_COMPLEX:
		r = CR_LOWER(cr_mpi_low.Type_create_f90_complex(i[0], i[1],
								made));
		break;
	case MPI_COMBINER_F90_INTEGER:
		r = CR_LOWER(cr_mpi_low.Type_create_f90_integer(i[0], made));
		break;
	}
	free(l);
	return r;
}

void cr_mpi_type_ref(MPI_Datatype type)
{
	cr_mpi_ref(&type_of(type)->o);
}

void cr_mpi_type_unref(MPI_Datatype type)
{
	struct cr_mpi_type *t = type_of(type);

	if (t->o.head.predefined || !cr_mpi_unref(&t->o))
		return;
	for (int k = 0; k < t->nt; k++)
		cr_mpi_type_unref(t->t[k]);
	free(t->i);
	free(t->a);
	free(t->t);
	cr_mpi_object_destroy(&t->o);
}

int cr_mpi_type_create(int combiner, int ni, const int *i, int na,
		       const MPI_Aint *a, int nt, const MPI_Datatype *types,
		       MPI_Datatype *newtype)
{
	struct cr_mpi_type *t = cr_mpi_alloc(1, sizeof(*t));
	struct cr_mpi_object *known;
	MPI_Datatype lower = NULL;
	int r;

	t->combiner = combiner;
	t->ni = ni;
	t->na = na;
	t->nt = nt;
	t->i = cr_mpi_ints(i, ni);
	t->a = cr_mpi_alloc(na, sizeof(*t->a));
	t->t = cr_mpi_alloc(nt, sizeof(*t->t));
	if (na)
		memcpy(t->a, a, na * sizeof(*a));
	if (nt)
		memcpy(t->t, types, nt * sizeof(*types));

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	r = build(t, &lower);
	known = r == MPI_SUCCESS ? cr_mpi_find(CR_MPI_TYPE, lower) : NULL;
	if (r == MPI_SUCCESS && !known) {
		for (int k = 0; k < nt; k++)
			cr_mpi_type_ref(types[k]);
		cr_mpi_object_init(&t->o, CR_MPI_TYPE);
		cr_mpi_bind(&t->o, lower);
		if (combiner == MPI_COMBINER_DUP)
			t->committed = type_of(types[0])->committed;
		t->f90 = nt == 0;
		*newtype = (MPI_Datatype)t;
	} else if (known) {
		*newtype = known->handle; /* parametrised Fortran 90 types */
	}
	cr_mpi_leave();
	if (r != MPI_SUCCESS || known) {
		free(t->i);
		free(t->a);
		free(t->t);
		free(t);
	}
	return r;
}

int MPI_Type_commit(MPI_Datatype *type)
{
	struct cr_mpi_type *t = type_of(*type);
	MPI_Datatype lower;
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_LOCAL, lower = cr_mpi_lower_type(*type);, r,
		    cr_mpi_low.Type_commit(&lower), t->committed = true;);
	return r;
}
CR_MPI_ALIAS(Type_commit, (MPI_Datatype *type));

/* The record of a freed datatype stays while something is made of it. */
static int uses_type(struct cr_mpi_request *v, void *type)
{
	if (cr_mpi_persistent(v))
		return v->datatype == type;
	return cr_mpi_receives(v) && v->datatype == type && v->active &&
	       !v->done;
}

int MPI_Type_free(MPI_Datatype *type)
{
	struct cr_mpi_type *t = type_of(*type);
	MPI_Datatype lower, handle = *type;
	int r;

	if (t->o.head.predefined || t->f90)
		return cr_mpi_error(NULL, MPI_ERR_TYPE);
	r = cr_mpi_attr_delete_all(handle);
	if (r != MPI_SUCCESS)
		return r;
	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	/*
	 * While it is needed at a restart it lives on in the lower half too:
	 * there it is what the rebuilt one is found by.
	 */
	if (t->o.refs > 1 || cr_mpi_request_each(uses_type, handle)) {
		t->freed = true;
		r = MPI_SUCCESS;
		if (t->o.refs > 1)
			cr_mpi_type_unref(handle);
	} else {
		lower = cr_mpi_lower_type(handle);
		r = CR_LOWER(cr_mpi_low.Type_free(&lower));
		cr_mpi_type_unref(handle);
	}
	*type = CR_PRE(ompi_mpi_datatype_null);
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Type_free, (MPI_Datatype *type));

int MPI_Type_set_name(MPI_Datatype type, const char *name)
{
	struct cr_mpi_type *t = type_of(type);

	free(t->o.name);
	t->o.name = strndup(name, MPI_MAX_OBJECT_NAME - 1);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Type_set_name, (MPI_Datatype type, const char *name));

int MPI_Type_get_name(MPI_Datatype type, char *name, int *length)
{
	struct cr_mpi_type *t = type_of(type);
	MPI_Datatype lower;
	int r;

	if (!t->o.head.predefined || t->o.name) {
		strcpy(name, t->o.name ? t->o.name : "");
		*length = strlen(name);
		return MPI_SUCCESS;
	}
	CR_MPI_LOCAL(lower = cr_mpi_lower_type(type);, r,
		     cr_mpi_low.Type_get_name(lower, name, length));
	return r;
}
CR_MPI_ALIAS(Type_get_name, (MPI_Datatype type, char *name, int *length));

int MPI_Type_match_size(int class, int size, MPI_Datatype *type)
{
	MPI_Datatype lower = NULL;
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_LOCAL, , r,
		    cr_mpi_low.Type_match_size(class, size, &lower),
		    if (r == MPI_SUCCESS) *type = cr_mpi_upper_type(lower););
	return r;
}
CR_MPI_ALIAS(Type_match_size, (int class, int size, MPI_Datatype *type));

MPI_Datatype cr_mpi_upper_type(MPI_Datatype lower)
{
	struct cr_mpi_object *o = cr_mpi_find(CR_MPI_TYPE, lower);

	if (!o)
		cr_mpi_die("a datatype of the lower half that is not known");
	return o->handle;
}

int MPI_Type_get_envelope(MPI_Datatype type, int *ni, int *na, int *nt,
			  int *combiner)
{
	struct cr_mpi_type *t = type_of(type);

	*combiner = t->o.head.predefined ? MPI_COMBINER_NAMED : t->combiner;
	*ni = t->ni;
	*na = t->na;
	*nt = t->nt;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Type_get_envelope, (MPI_Datatype type, int *ni, int *na, int *nt,
				 int *combiner));

int MPI_Type_get_contents(MPI_Datatype type, int max_i, int max_a, int max_t,
			  int i[], MPI_Aint a[], MPI_Datatype types[])
{
	struct cr_mpi_type *t = type_of(type);

	if (t->o.head.predefined || max_i < t->ni || max_a < t->na ||
	    max_t < t->nt)
		return cr_mpi_error(NULL, MPI_ERR_ARG);
	memcpy(i, t->i, t->ni * sizeof(*i));
	memcpy(a, t->a, t->na * sizeof(*a));
	for (int k = 0; k < t->nt; k++) {
		types[k] = t->t[k];
		/* the program frees what it is given, unless predefined */
		if (!cr_mpi_head(types[k])->predefined)
			cr_mpi_type_create(MPI_COMBINER_DUP, 0, NULL, 0, NULL,
					   1, &t->t[k], &types[k]);
	}
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Type_get_contents,
	     (MPI_Datatype type, int max_i, int max_a, int max_t, int i[],
	      MPI_Aint a[], MPI_Datatype types[]));

/* ---- at a restart ---- */

static int rebuild(struct cr_mpi_type *t, struct cr_error *err)
{
	MPI_Datatype lower = NULL;
	int rc = 0;

	if (t->o.head.lower)
		return 0;
	for (int k = 0; k < t->nt && rc == 0; k++)
		rc = rebuild(type_of(t->t[k]), err);
	if (rc < 0)
		return rc;
	if (build(t, &lower) != MPI_SUCCESS)
		return cr_error_set(err, -EIO,
				    "a datatype cannot be made again "
				    "(combiner %d)", t->combiner);
	if (t->committed)
		CR_LOWER(cr_mpi_low.Type_commit(&lower));
	cr_mpi_bind(&t->o, lower);
	return 0;
}

int cr_mpi_type_rebuild(struct cr_error *err)
{
	struct cr_mpi_object *o;
	int rc = 0;

	for (o = cr_mpi_objects[CR_MPI_TYPE]; o && rc == 0; o = o->next)
		rc = rebuild((struct cr_mpi_type *)o, err);
	return rc;
}

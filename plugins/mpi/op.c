/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * op.c - the program's own reduction operations
 *
 * The lower half calls them from its side of the border and gives them
 * nothing to tell one from another by, so each has a thunk of its own.
 */
#include <errno.h>
#include <stdlib.h>

#include "mpi/objects.h"

#define THUNKS 256

static struct cr_mpi_op *op_of_thunk[THUNKS];

static void run(int thunk, void *in, void *inout, int *n, MPI_Datatype *type)
{
	unsigned long lower = cr_lower_callback_begin();
	struct cr_mpi_op *op = op_of_thunk[thunk];
	MPI_Datatype t;
	MPI_Fint ft;

	if (!lower)
		return;
	cr_mpi_nest();
	t = cr_mpi_upper_type(*type);
	if (op->fortran) {
		ft = PMPI_Type_c2f(t);
		((void (*)(void *, void *, int *, MPI_Fint *))op->function)(
			in, inout, n, &ft);
	} else {
		op->function(in, inout, n, &t);
	}
	cr_mpi_unnest();
	cr_lower_callback_end(lower);
}

#define THUNK(i)                                                        \
	static void thunk_##i(void *in, void *inout, int *n,            \
			      MPI_Datatype *type)                       \
	{                                                               \
		run(0x##i, in, inout, n, type);                         \
	}
#define EACH16(X, h)                                                  \
	X(h##0) X(h##1) X(h##2) X(h##3) X(h##4) X(h##5) X(h##6) X(h##7) \
	X(h##8) X(h##9) X(h##a) X(h##b) X(h##c) X(h##d) X(h##e) X(h##f)
#define EACH256(X)                                                    \
	EACH16(X, 0) EACH16(X, 1) EACH16(X, 2) EACH16(X, 3)           \
	EACH16(X, 4) EACH16(X, 5) EACH16(X, 6) EACH16(X, 7)           \
	EACH16(X, 8) EACH16(X, 9) EACH16(X, a) EACH16(X, b)           \
	EACH16(X, c) EACH16(X, d) EACH16(X, e) EACH16(X, f)
EACH256(THUNK)
#define NAME(i) thunk_##i,
static MPI_User_function *const thunks[THUNKS] = { EACH256(NAME) };

int cr_mpi_op_create(MPI_User_function *function, int commute, bool fortran,
		     MPI_Op *op)
{
	struct cr_mpi_op *o;
	MPI_Op lower = NULL;
	int i, r;

	pthread_mutex_lock(&cr_mpi_lock);
	for (i = 0; i < THUNKS && op_of_thunk[i]; i++)
		;
	if (i == THUNKS) {
		pthread_mutex_unlock(&cr_mpi_lock);
		cr_mpi_die("more than 256 user-defined operations at a time");
	}
	o = cr_mpi_alloc(1, sizeof(*o));
	op_of_thunk[i] = o;
	pthread_mutex_unlock(&cr_mpi_lock);
	o->function = function;
	o->commute = commute;
	o->fortran = fortran;
	o->thunk = i;
	CR_MPI_CALL(CR_MPI_CLASS_LOCAL, , r,
		    cr_mpi_low.Op_create(thunks[i], commute, &lower),
		    cr_mpi_object_init(&o->o, CR_MPI_OP);
		    cr_mpi_bind(&o->o, lower););
	*op = (MPI_Op)o;
	return r;
}

int MPI_Op_create(MPI_User_function *function, int commute, MPI_Op *op)
{
	return cr_mpi_op_create(function, commute, false, op);
}
CR_MPI_ALIAS(Op_create, (MPI_User_function *function, int commute,
			 MPI_Op *op));

int MPI_Op_free(MPI_Op *op)
{
	struct cr_mpi_op *o = CR_MPI_OBJECT(cr_mpi_op, *op);
	MPI_Op lower;
	int r;

	if (o->o.head.predefined)
		return cr_mpi_error(NULL, MPI_ERR_OP);
	CR_MPI_CALL(CR_MPI_CLASS_LOCAL, lower = cr_mpi_lower_op(*op);, r,
		    cr_mpi_low.Op_free(&lower),
		    if (r == MPI_SUCCESS) {
			    op_of_thunk[o->thunk] = NULL;
			    cr_mpi_object_destroy(&o->o);
			    *op = CR_PRE(ompi_mpi_op_null);
		    });
	return r;
}
CR_MPI_ALIAS(Op_free, (MPI_Op *op));

int MPI_Op_commutative(MPI_Op op, int *commute)
{
	struct cr_mpi_op *o = CR_MPI_OBJECT(cr_mpi_op, op);

	*commute = o->o.head.predefined ?
			   op != CR_PRE(ompi_mpi_op_replace) &&
				   op != CR_PRE(ompi_mpi_op_no_op) :
			   o->commute != 0;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Op_commutative, (MPI_Op op, int *commute));

MPI_Op cr_mpi_upper_op(MPI_Op lower)
{
	struct cr_mpi_object *o = cr_mpi_find(CR_MPI_OP, lower);

	return o ? o->handle : CR_PRE(ompi_mpi_op_null);
}

int cr_mpi_op_rebuild(struct cr_error *err)
{
	struct cr_mpi_object *o;

	for (o = cr_mpi_objects[CR_MPI_OP]; o; o = o->next) {
		struct cr_mpi_op *op = (struct cr_mpi_op *)o;
		MPI_Op lower = NULL;

		if (CR_LOWER(cr_mpi_low.Op_create(thunks[op->thunk],
						  op->commute, &lower)))
			return cr_error_set(err, -EIO,
					    "MPI_Op_create failed");
		cr_mpi_bind(o, lower);
	}
	return 0;
}

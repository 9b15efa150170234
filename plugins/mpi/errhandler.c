/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * errhandler.c - error handlers
 *
 * All of the program's own are behind one thunk: the lower half hands it the
 * communicator, from which ours, and so the handler, is found.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "mpi/objects.h"

/* In the lower half: an error handler that calls the thunk. */
static MPI_Errhandler lower_thunk;

static struct cr_mpi_errhandler *errhandler_of(MPI_Errhandler e)
{
	return CR_MPI_OBJECT(cr_mpi_errhandler, e);
}

static void call(struct cr_mpi_errhandler *e, MPI_Comm *comm, int *code)
{
	MPI_Fint handle, fcode = *code;

	if (e->fortran) {
		handle = PMPI_Comm_c2f(*comm);
		e->function.fortran(&handle, &fcode);
	} else {
		e->function.comm(comm, code);
	}
}

static void thunk(MPI_Comm *lower_comm, int *code, ...)
{
	unsigned long lower = cr_lower_callback_begin();
	struct cr_mpi_object *o;
	MPI_Comm comm;

	if (!lower)
		return;
	cr_mpi_nest();
	o = cr_mpi_find(CR_MPI_COMM, *lower_comm);
	if (!o)
		cr_mpi_die("an MPI error on an internal communicator");
	comm = o->handle;
	if (o->errhandler)
		call(o->errhandler, &comm, code);
	cr_mpi_unnest();
	cr_lower_callback_end(lower);
}

static MPI_Errhandler lower_of(struct cr_mpi_errhandler *e)
{
	if (e->o.head.predefined)
		return e->o.head.lower;
	if (!lower_thunk)
		CR_LOWER(cr_mpi_low.Comm_create_errhandler(thunk,
							   &lower_thunk));
	return lower_thunk;
}

void cr_mpi_errhandler_init(void)
{
	MPI_Errhandler fatal = CR_PRE(ompi_mpi_errors_are_fatal);

	cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_world))->o.errhandler =
		errhandler_of(fatal);
	cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_self))->o.errhandler =
		errhandler_of(fatal);
}

void cr_mpi_errhandler_inherit(struct cr_mpi_comm *to, struct cr_mpi_comm *from)
{
	to->o.errhandler = from->o.errhandler;
	if (to->o.errhandler)
		cr_mpi_ref(&to->o.errhandler->o);
}

/* Inside: tells the lower half what is to happen on an error of c. */
int cr_mpi_errhandler_apply(struct cr_mpi_comm *c)
{
	struct cr_mpi_errhandler *e = c->o.errhandler;
	MPI_Comm lower = c->o.head.lower;

	if (!e)
		return MPI_SUCCESS;
	return CR_LOWER(cr_mpi_low.Comm_set_errhandler(lower, lower_of(e)));
}

/* At a restart, before the communicators. */
int cr_mpi_errhandler_rebuild(struct cr_error *err)
{
	lower_thunk = NULL;
	cr_mpi_opened_rebuild();
	return 0;
}

int cr_mpi_error(MPI_Comm comm, int code)
{
	struct cr_mpi_errhandler *e;

	if (!comm)
		comm = CR_PRE(ompi_mpi_comm_world);
	e = cr_mpi_comm_of(comm)->o.errhandler;
	if (!e || e->o.handle == (void *)CR_PRE(ompi_mpi_errors_are_fatal)) {
		/* the library's own words and end */
		CR_LOWER(cr_mpi_low.Comm_call_errhandler(
			cr_mpi_lower_comm(comm), code));
	} else if (!e->o.head.predefined) {
		call(e, &comm, &code);
	}
	return code;
}

/* ---- made by the program ---- */

MPI_Errhandler cr_mpi_errhandler_new(int kind, void *function, bool fortran)
{
	struct cr_mpi_errhandler *e = cr_mpi_alloc(1, sizeof(*e));

	cr_mpi_object_init(&e->o, CR_MPI_ERRHANDLER);
	e->kind = kind;
	e->fortran = fortran;
	e->function.comm = (MPI_Comm_errhandler_function *)function;
	return (MPI_Errhandler)e;
}

int MPI_Comm_create_errhandler(MPI_Comm_errhandler_function *function,
			       MPI_Errhandler *errhandler)
{
	*errhandler = cr_mpi_errhandler_new(CR_MPI_COMM, function, false);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_create_errhandler, (MPI_Comm_errhandler_function * function,
				      MPI_Errhandler *errhandler));

int MPI_Errhandler_create(MPI_Comm_errhandler_function *function,
			  MPI_Errhandler *errhandler)
	__attribute__((alias("MPI_Comm_create_errhandler")));
int PMPI_Errhandler_create(MPI_Comm_errhandler_function *function,
			   MPI_Errhandler *errhandler)
	__attribute__((alias("MPI_Comm_create_errhandler")));

/* Those of windows and files: opened.c. */
int MPI_Win_create_errhandler(MPI_Win_errhandler_function *function,
			      MPI_Errhandler *errhandler)
{
	*errhandler = cr_mpi_errhandler_new(CR_MPI_WIN, function, false);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Win_create_errhandler, (MPI_Win_errhandler_function * function,
				     MPI_Errhandler *errhandler));

int MPI_File_create_errhandler(MPI_File_errhandler_function *function,
			       MPI_Errhandler *errhandler)
{
	*errhandler = cr_mpi_errhandler_new(CR_MPI_FILE, function, false);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(File_create_errhandler, (MPI_File_errhandler_function * function,
				      MPI_Errhandler *errhandler));

void cr_mpi_errhandler_release(struct cr_mpi_errhandler *e)
{
	if (!e->o.head.predefined && cr_mpi_unref(&e->o))
		cr_mpi_object_destroy(&e->o);
}

int MPI_Errhandler_free(MPI_Errhandler *errhandler)
{
	cr_mpi_errhandler_release(errhandler_of(*errhandler));
	*errhandler = CR_PRE(ompi_mpi_errhandler_null);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Errhandler_free, (MPI_Errhandler * errhandler));

int MPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler errhandler)
{
	struct cr_mpi_errhandler *e = errhandler_of(errhandler), *old;
	struct cr_mpi_comm *c = cr_mpi_comm_of(comm);
	int r;

	cr_mpi_enter(CR_MPI_CLASS_LOCAL);
	old = c->o.errhandler;
	cr_mpi_ref(&e->o);
	c->o.errhandler = e;
	r = cr_mpi_errhandler_apply(c);
	if (old)
		cr_mpi_errhandler_release(old);
	cr_mpi_leave();
	return r;
}
CR_MPI_ALIAS(Comm_set_errhandler, (MPI_Comm comm, MPI_Errhandler errhandler));

int MPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler errhandler)
	__attribute__((alias("MPI_Comm_set_errhandler")));
int PMPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler errhandler)
	__attribute__((alias("MPI_Comm_set_errhandler")));

int MPI_Comm_get_errhandler(MPI_Comm comm, MPI_Errhandler *errhandler)
{
	struct cr_mpi_errhandler *e = cr_mpi_comm_of(comm)->o.errhandler;

	if (!e)
		e = errhandler_of(CR_PRE(ompi_mpi_errors_are_fatal));
	cr_mpi_ref(&e->o); /* the program frees what it is given */
	*errhandler = e->o.handle;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_get_errhandler, (MPI_Comm comm, MPI_Errhandler *errhandler));

int MPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler *errhandler)
	__attribute__((alias("MPI_Comm_get_errhandler")));
int PMPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler *errhandler)
	__attribute__((alias("MPI_Comm_get_errhandler")));

int MPI_Comm_call_errhandler(MPI_Comm comm, int code)
{
	cr_mpi_error(comm, code);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Comm_call_errhandler, (MPI_Comm comm, int code));

MPI_Errhandler cr_mpi_upper_errhandler(MPI_Errhandler lower)
{
	struct cr_mpi_object *o = cr_mpi_find(CR_MPI_ERRHANDLER, lower);

	return o ? o->handle : CR_PRE(ompi_mpi_errhandler_null);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opened.c - windows and files: as long as one is open, no checkpoint
 *
 * They are the lower half's, with memory, descriptors and state of the
 * network that no image holds.  From before the call that opens one until
 * the call that closes it is over the process cannot be checkpointed; the
 * reason names the function.  Afterwards nothing is left of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mpi/objects.h"

struct opened {
	void *lower;
	const char *function;
	struct cr_mpi_errhandler *errhandler; /* the program's own, or NULL */
	struct opened *next;
};

static struct opened *all;

/* In the lower half: error handlers that call our thunks. */
static MPI_Errhandler win_thunk, file_thunk;

static void reason_of(char *reason, size_t size, const char *function)
{
	snprintf(reason, size, "the program called %s, and what that opened "
		 "cannot be checkpointed before it is closed", function);
}

void cr_mpi_opening(const char *function)
{
	char reason[160];

	reason_of(reason, sizeof(reason), function);
	cr_not_checkpointable(reason);
}

static void over(const char *function)
{
	char reason[160];

	reason_of(reason, sizeof(reason), function);
	cr_checkpointable(reason);
}

void cr_mpi_opened(const char *function, void *lower)
{
	struct opened *o;

	if (!lower) {
		over(function);
		return;
	}
	o = cr_mpi_alloc(1, sizeof(*o));
	o->lower = lower;
	o->function = function;
	pthread_mutex_lock(&cr_mpi_lock);
	o->next = all;
	all = o;
	pthread_mutex_unlock(&cr_mpi_lock);
}

static void closed(void *lower)
{
	struct opened **p, *o;

	pthread_mutex_lock(&cr_mpi_lock);
	for (p = &all; *p && (*p)->lower != lower; p = &(*p)->next)
		;
	o = *p;
	if (o)
		*p = o->next;
	pthread_mutex_unlock(&cr_mpi_lock);
	if (o) {
		over(o->function);
		if (o->errhandler)
			cr_mpi_errhandler_release(o->errhandler);
	}
	free(o);
}

/* ---- error handlers of the program ---- */

static struct cr_mpi_errhandler *errhandler_of(void *lower)
{
	struct cr_mpi_errhandler *e = NULL;
	struct opened *o;

	pthread_mutex_lock(&cr_mpi_lock);
	for (o = all; o; o = o->next)
		if (o->lower == lower)
			e = o->errhandler;
	pthread_mutex_unlock(&cr_mpi_lock);
	return e;
}

static void call(int kind, void *handle, int *code)
{
	unsigned long lower = cr_lower_callback_begin();
	struct cr_mpi_errhandler *e;
	MPI_Fint number, fcode;

	if (!lower)
		return;
	cr_mpi_nest();
	e = errhandler_of(*(void **)handle);
	if (e && e->fortran) {
		number = kind == CR_MPI_WIN ? PMPI_Win_c2f(*(MPI_Win *)handle) :
					      PMPI_File_c2f(*(MPI_File *)handle);
		fcode = *code;
		e->function.fortran(&number, &fcode);
	} else if (e && kind == CR_MPI_WIN) {
		e->function.win(handle, code);
	} else if (e) {
		e->function.file(handle, code);
	}
	cr_mpi_unnest();
	cr_lower_callback_end(lower);
}

static void call_win(MPI_Win *win, int *code, ...)
{
	call(CR_MPI_WIN, win, code);
}

static void call_file(MPI_File *file, int *code, ...)
{
	call(CR_MPI_FILE, file, code);
}

/* Remembers e for what is open; returns what the lower half is to be told. */
static MPI_Errhandler note_errhandler(void *lower, MPI_Errhandler handle,
				      MPI_Errhandler thunk)
{
	struct cr_mpi_errhandler *e = CR_MPI_OBJECT(cr_mpi_errhandler, handle);
	struct cr_mpi_errhandler *old = NULL;
	bool own = !e->o.head.predefined;
	struct opened *o;

	pthread_mutex_lock(&cr_mpi_lock);
	for (o = all; o; o = o->next) {
		if (o->lower != lower)
			continue;
		old = o->errhandler;
		o->errhandler = own ? e : NULL;
		if (own)
			cr_mpi_ref(&e->o);
	}
	pthread_mutex_unlock(&cr_mpi_lock);
	if (old)
		cr_mpi_errhandler_release(old);
	return own ? thunk : cr_mpi_lower_errhandler(handle);
}

void cr_mpi_opened_rebuild(void)
{
	win_thunk = file_thunk = NULL;
}

int MPI_Win_set_errhandler(MPI_Win win, MPI_Errhandler errhandler)
{
	MPI_Errhandler le;
	MPI_Win lw;
	int r;

	CR_MPI_LOCAL(lw = cr_mpi_lower_win(win);
		     if (!win_thunk)
			     CR_LOWER(cr_mpi_low.Win_create_errhandler(
				     call_win, &win_thunk));
		     le = note_errhandler(lw, errhandler, win_thunk);, r,
		     cr_mpi_low.Win_set_errhandler(lw, le));
	return r;
}
CR_MPI_ALIAS(Win_set_errhandler, (MPI_Win win, MPI_Errhandler errhandler));

/* What the program is told of a window or file; le: what the lower half says. */
static MPI_Errhandler give_errhandler(void *lower, MPI_Errhandler le)
{
	struct cr_mpi_errhandler *e = errhandler_of(lower);

	if (!e)
		return cr_mpi_upper_errhandler(le);
	cr_mpi_ref(&e->o); /* the program frees what it is given */
	return e->o.handle;
}

int MPI_Win_get_errhandler(MPI_Win win, MPI_Errhandler *errhandler)
{
	MPI_Errhandler le;
	MPI_Win lw;
	int r;

	CR_MPI_LOCAL(lw = cr_mpi_lower_win(win);, r,
		     cr_mpi_low.Win_get_errhandler(lw, &le));
	if (r == MPI_SUCCESS)
		*errhandler = give_errhandler(lw, le);
	return r;
}
CR_MPI_ALIAS(Win_get_errhandler, (MPI_Win win, MPI_Errhandler *errhandler));

int MPI_File_get_errhandler(MPI_File file, MPI_Errhandler *errhandler)
{
	MPI_Errhandler le;
	MPI_File lf;
	int r;

	CR_MPI_LOCAL(lf = cr_mpi_lower_file(file);, r,
		     cr_mpi_low.File_get_errhandler(lf, &le));
	if (r == MPI_SUCCESS)
		*errhandler = give_errhandler(lf, le);
	return r;
}
CR_MPI_ALIAS(File_get_errhandler, (MPI_File file, MPI_Errhandler *errhandler));

/* ---- the end of them ---- */

int MPI_Win_free(MPI_Win *win)
{
	MPI_Win lw, was;
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_THROUGH, was = lw = cr_mpi_lower_win(*win);, r,
		    cr_mpi_low.Win_free(&lw), *win = cr_mpi_upper_win(lw););
	if (r == MPI_SUCCESS)
		closed(was);
	return r;
}
CR_MPI_ALIAS(Win_free, (MPI_Win *win));

int MPI_File_close(MPI_File *file)
{
	MPI_File lf, was;
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_THROUGH, was = lf = cr_mpi_lower_file(*file);,
		    r, cr_mpi_low.File_close(&lf),
		    *file = cr_mpi_upper_file(lf););
	if (r == MPI_SUCCESS)
		closed(was);
	return r;
}
CR_MPI_ALIAS(File_close, (MPI_File *file));

/* What new files begin with is in the lower half alone, and would be lost. */
int MPI_File_set_errhandler(MPI_File file, MPI_Errhandler errhandler)
{
	MPI_Errhandler le;
	MPI_File lf;
	int r;

	if (file == CR_PRE(ompi_mpi_file_null))
		cr_mpi_refuse("MPI_File_set_errhandler of MPI_FILE_NULL");
	CR_MPI_LOCAL(lf = cr_mpi_lower_file(file);
		     if (!file_thunk)
			     CR_LOWER(cr_mpi_low.File_create_errhandler(
				     call_file, &file_thunk));
		     le = note_errhandler(lf, errhandler, file_thunk);, r,
		     cr_mpi_low.File_set_errhandler(lf, le));
	return r;
}
CR_MPI_ALIAS(File_set_errhandler, (MPI_File file, MPI_Errhandler errhandler));

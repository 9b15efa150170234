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
	struct opened *next;
};

static struct opened *all;

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
	if (o)
		over(o->function);
	free(o);
}

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
		     le = cr_mpi_lower_errhandler(errhandler);, r,
		     cr_mpi_low.File_set_errhandler(lf, le));
	return r;
}
CR_MPI_ALIAS(File_set_errhandler, (MPI_File file, MPI_Errhandler errhandler));

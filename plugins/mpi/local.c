/* SPDX-License-Identifier: GPL-2.0-or-later */
/* local.c - what is answered here, or is allowed before MPI_Init */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mpi/objects.h"

/* MPI_Wtime() goes on at a restart where it was, on whatever node. */
static double clock_offset, clock_at_cut;

double MPI_Wtime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9 + clock_offset;
}

void cr_mpi_time_stop(void)
{
	clock_at_cut = PMPI_Wtime();
}

void cr_mpi_time_go_on(void)
{
	clock_offset += clock_at_cut - PMPI_Wtime();
}

double PMPI_Wtime(void) __attribute__((alias("MPI_Wtime")));

double MPI_Wtick(void)
{
	return 1e-9;
}
double PMPI_Wtick(void) __attribute__((alias("MPI_Wtick")));

int MPI_Get_version(int *version, int *subversion)
{
	*version = MPI_VERSION;
	*subversion = MPI_SUBVERSION;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Get_version, (int *version, int *subversion));

int MPI_Get_library_version(char *version, int *length)
{
	int r;

	if (cr_mpi_phase != CR_MPI_UP) {
		*length = snprintf(version, MPI_MAX_LIBRARY_VERSION_STRING,
				   "Open MPI v%d.%d.%d (under libcr_mpi)",
				   OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION,
				   OMPI_RELEASE_VERSION);
		return MPI_SUCCESS;
	}
	CR_MPI_LOCAL(;, r, cr_mpi_low.Get_library_version(version, length));
	return r;
}
CR_MPI_ALIAS(Get_library_version, (char *version, int *length));

int MPI_Get_processor_name(char *name, int *length)
{
	int r;

	CR_MPI_LOCAL(;, r, cr_mpi_low.Get_processor_name(name, length));
	return r;
}
CR_MPI_ALIAS(Get_processor_name, (char *name, int *length));

int MPI_Pcontrol(const int level, ...)
{
	return MPI_SUCCESS;
}
int PMPI_Pcontrol(const int level, ...)
	__attribute__((alias("MPI_Pcontrol")));

int MPI_Get_address(const void *location, MPI_Aint *address)
{
	*address = (MPI_Aint)location;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Get_address, (const void *location, MPI_Aint *address));

int MPI_Address(void *location, MPI_Aint *address)
{
	*address = (MPI_Aint)location;
	return MPI_SUCCESS;
}
int PMPI_Address(void *location, MPI_Aint *address)
	__attribute__((alias("MPI_Address")));

/* The program's memory must be the program's: the lower half is not saved. */
int MPI_Alloc_mem(MPI_Aint size, MPI_Info info, void *baseptr)
{
	void *p = NULL;

	if (size < 0)
		return MPI_ERR_SIZE;
	if (posix_memalign(&p, 64, size ? size : 1))
		return MPI_ERR_NO_MEM;
	memcpy(baseptr, &p, sizeof(p));
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Alloc_mem, (MPI_Aint size, MPI_Info info, void *baseptr));

int MPI_Free_mem(void *base)
{
	free(base);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Free_mem, (void *base));

/* ---- the buffer of buffered sends: known, to be attached anew ---- */

static void *attached;
static int attached_size;

int MPI_Buffer_attach(void *buffer, int size)
{
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_LOCAL, , r,
		    cr_mpi_low.Buffer_attach(buffer, size),
		    if (r == MPI_SUCCESS) {
			    attached = buffer;
			    attached_size = size;
		    });
	return r;
}
CR_MPI_ALIAS(Buffer_attach, (void *buffer, int size));

/* Waits until the messages in it are sent, as a send does. */
int MPI_Buffer_detach(void *buffer, int *size)
{
	int r;

	CR_MPI_CALL(CR_MPI_CLASS_SEND, , r,
		    cr_mpi_low.Buffer_detach(buffer, size),
		    if (r == MPI_SUCCESS) attached = NULL;);
	return r;
}
CR_MPI_ALIAS(Buffer_detach, (void *buffer, int *size));

int cr_mpi_buffer_rebuild(void)
{
	return attached ? CR_LOWER(cr_mpi_low.Buffer_attach(attached,
							    attached_size)) :
			  MPI_SUCCESS;
}

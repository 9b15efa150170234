/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opened.c - a file and windows that are open for a while, then a child
 *
 *	opened DIR
 *
 * Goes on until a file DIR/stop exists.  When DIR/close appears, closes what
 * it has opened at the start; when DIR/again appears, opens it again; when
 * DIR/spawn appears, closes it and spawns a child, if that is possible.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size;
static const char *dir;

/* Rank 0 looks, for all. */
static int there(const char *name)
{
	char path[4096];
	int yes;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	yes = access(path, F_OK) == 0;
	MPI_Bcast(&yes, 1, MPI_INT, 0, MPI_COMM_WORLD);
	return yes;
}

static void work_until(const char *name)
{
	static long step;
	long sum;

	do {
		MPI_Allreduce(&step, &sum, 1, MPI_LONG, MPI_SUM,
			      MPI_COMM_WORLD);
		if (sum != step * size)
			MPI_Abort(MPI_COMM_WORLD, 3);
		usleep(10000);
		if (rank == 0 && ++step % 10 == 0) {
			printf("step %ld\n", step);
			fflush(stdout);
		}
		MPI_Bcast(&step, 1, MPI_LONG, 0, MPI_COMM_WORLD);
	} while (!there(name));
}

static void say(const char *text)
{
	MPI_Barrier(MPI_COMM_WORLD);
	if (rank == 0) {
		printf("%s\n", text);
		fflush(stdout);
	}
}

static MPI_Win bad_win;
static MPI_File bad_file;
static int errors;

static void win_error(MPI_Win *win, int *code, ...)
{
	int class;

	MPI_Error_class(*code, &class);
	errors += *win == bad_win && class == MPI_ERR_RANK;
}

static void file_error(MPI_File *file, int *code, ...)
{
	int class;

	MPI_Error_class(*code, &class);
	errors += 10 * (*file == bad_file && class == MPI_ERR_ARG);
}

/* Error handlers of our own. */
static void mistakes(MPI_Win win, MPI_File file)
{
	MPI_Errhandler on_win, on_file, got, was;
	int value = 0;

	MPI_Win_create_errhandler(win_error, &on_win);
	MPI_File_create_errhandler(file_error, &on_file);
	MPI_Win_get_errhandler(win, &was);
	if (was != MPI_ERRORS_ARE_FATAL)
		MPI_Abort(MPI_COMM_WORLD, 8);
	MPI_Win_set_errhandler(win, on_win);
	MPI_File_set_errhandler(file, on_file);
	MPI_Win_get_errhandler(win, &got);
	if (got != on_win)
		MPI_Abort(MPI_COMM_WORLD, 9);
	MPI_Errhandler_free(&got);
	MPI_Errhandler_free(&on_win);
	MPI_Errhandler_free(&on_file);
	bad_win = win;
	bad_file = file;
	errors = 0;
	MPI_Put(&value, 1, MPI_INT, size, 0, 1, MPI_INT, win);
	MPI_File_call_errhandler(file, MPI_ERR_ARG);
	if (errors != 11)
		MPI_Abort(MPI_COMM_WORLD, 10);
}

/* A file and two windows, used and closed. */
static void opened(const char *until)
{
	static int window[4];
	char path[4096];
	MPI_Win win, other;
	MPI_File file;
	int *memory, value = rank + 1, got = 0;

	snprintf(path, sizeof(path), "%s/data", dir);
	if (MPI_File_open(MPI_COMM_WORLD, path,
			  MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL,
			  &file) != MPI_SUCCESS)
		MPI_Abort(MPI_COMM_WORLD, 4);
	MPI_Win_create(window, sizeof(window), sizeof(int), MPI_INFO_NULL,
		       MPI_COMM_WORLD, &win);
	MPI_Win_allocate(64, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &memory,
			 &other);
	MPI_Win_fence(0, win);
	MPI_Put(&value, 1, MPI_INT, (rank + 1) % size, 0, 1, MPI_INT, win);
	MPI_Win_fence(0, win);
	if (window[0] != (rank + size - 1) % size + 1)
		MPI_Abort(MPI_COMM_WORLD, 5);
	MPI_File_write_at_all(file, rank * sizeof(int), &value, 1, MPI_INT,
			      MPI_STATUS_IGNORE);
	mistakes(win, file);
	work_until(until);
	MPI_File_read_at_all(file, (rank + 1) % size * sizeof(int), &got, 1,
			     MPI_INT, MPI_STATUS_IGNORE);
	if (got != (rank + 1) % size + 1)
		MPI_Abort(MPI_COMM_WORLD, 6);
	MPI_Win_free(&other);
	MPI_Win_free(&win);
	MPI_File_close(&file);
	if (win != MPI_WIN_NULL || file != MPI_FILE_NULL)
		MPI_Abort(MPI_COMM_WORLD, 7);
}

int main(int argc, char **argv)
{
	MPI_Comm parent, child;
	int value = 42, error = 0;

	MPI_Init(&argc, &argv);
	dir = argv[1];
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	MPI_Comm_get_parent(&parent);
	if (parent != MPI_COMM_NULL) {
		MPI_Send(&value, 1, MPI_INT, 0, 0, parent);
		MPI_Comm_disconnect(&parent);
		MPI_Finalize();
		return 0;
	}
	opened("close");
	say("closed");
	work_until("again");
	opened("spawn");
	say("closed again");
	value = 0;
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	if (MPI_Comm_spawn(argv[0], argv + 1, 1, MPI_INFO_NULL, 0,
			   MPI_COMM_WORLD, &child, &error) != MPI_SUCCESS) {
		if (child != MPI_COMM_NULL ||
		    (rank == 0 && error != MPI_ERR_SPAWN))
			MPI_Abort(MPI_COMM_WORLD, 11);
		say("not spawned");
		work_until("stop");
		say("ends");
		MPI_Finalize();
		return 0;
	}
	if (rank == 0)
		MPI_Recv(&value, 1, MPI_INT, 0, 0, child, MPI_STATUS_IGNORE);
	MPI_Comm_disconnect(&child);
	say(rank || value == 42 ? "spawned" : "wrong");
	work_until("stop");
	say("ends");
	MPI_Finalize();
	return 0;
}

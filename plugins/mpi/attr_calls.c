/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr_calls.c - the calls on attributes in C */
#include "mpi/attr.h"

static int create(int kind, void *copy, void *delete, bool dup, bool no_copy,
		  bool no_delete, int *key, void *extra)
{
	struct cr_mpi_keyval k = { .kind = kind, .extra = extra };

	k.copy = dup ? CR_MPI_ATTR_DUP : no_copy ? NULL : copy;
	k.delete = no_delete ? NULL : delete;
	*key = cr_mpi_keyval_new(&k);
	return MPI_SUCCESS;
}

/*
 * The predefined functions of mpi.h are those of the program's own libmpi;
 * they only look at their arguments, so they can simply be called.
 */
#define KEYVALS(Kind, kind, handle_t)                                        \
	int MPI_##Kind##_create_keyval(                                      \
		MPI_##Kind##_copy_attr_function *copy,                       \
		MPI_##Kind##_delete_attr_function *delete, int *key,         \
		void *extra)                                                 \
	{                                                                    \
		return create(kind, (void *)copy, (void *)delete, false,     \
			      !copy, !delete, key, extra);                   \
	}                                                                    \
	int PMPI_##Kind##_create_keyval(                                     \
		MPI_##Kind##_copy_attr_function *copy,                       \
		MPI_##Kind##_delete_attr_function *delete, int *key,         \
		void *extra)                                                 \
		__attribute__((alias("MPI_" #Kind "_create_keyval")));       \
	int MPI_##Kind##_free_keyval(int *key)                               \
	{                                                                    \
		return cr_mpi_keyval_free(key);                              \
	}                                                                    \
	int PMPI_##Kind##_free_keyval(int *key)                              \
		__attribute__((alias("MPI_" #Kind "_free_keyval")))

#define ATTRIBUTES(Kind, handle_t)                                           \
	int MPI_##Kind##_set_attr(handle_t handle, int key, void *value)     \
	{                                                                    \
		return cr_mpi_attr_set(handle, key, CR_MPI_ATTR_C, value);   \
	}                                                                    \
	int PMPI_##Kind##_set_attr(handle_t handle, int key, void *value)    \
		__attribute__((alias("MPI_" #Kind "_set_attr")));            \
	int MPI_##Kind##_get_attr(handle_t handle, int key, void *value,     \
				  int *flag)                                 \
	{                                                                    \
		return cr_mpi_attr_get_c(handle, key, value, flag);          \
	}                                                                    \
	int PMPI_##Kind##_get_attr(handle_t handle, int key, void *value,    \
				   int *flag)                                \
		__attribute__((alias("MPI_" #Kind "_get_attr")));            \
	int MPI_##Kind##_delete_attr(handle_t handle, int key)               \
	{                                                                    \
		return cr_mpi_attr_delete(handle, key);                      \
	}                                                                    \
	int PMPI_##Kind##_delete_attr(handle_t handle, int key)              \
		__attribute__((alias("MPI_" #Kind "_delete_attr")))

KEYVALS(Comm, CR_MPI_COMM, MPI_Comm);
ATTRIBUTES(Comm, MPI_Comm);
KEYVALS(Type, CR_MPI_TYPE, MPI_Datatype);
ATTRIBUTES(Type, MPI_Datatype);

/* ---- as MPI-1 had them ---- */

int MPI_Keyval_create(MPI_Copy_function *copy, MPI_Delete_function *delete,
		      int *key, void *extra)
{
	return PMPI_Comm_create_keyval(copy, delete, key, extra);
}
CR_MPI_ALIAS(Keyval_create,
	     (MPI_Copy_function * copy, MPI_Delete_function *delete, int *key,
	      void *extra));

int MPI_Keyval_free(int *key)
{
	return cr_mpi_keyval_free(key);
}
CR_MPI_ALIAS(Keyval_free, (int *key));

int MPI_Attr_put(MPI_Comm comm, int key, void *value)
{
	return cr_mpi_attr_set(comm, key, CR_MPI_ATTR_C, value);
}
CR_MPI_ALIAS(Attr_put, (MPI_Comm comm, int key, void *value));

int MPI_Attr_get(MPI_Comm comm, int key, void *value, int *flag)
{
	return cr_mpi_attr_get_c(comm, key, value, flag);
}
CR_MPI_ALIAS(Attr_get, (MPI_Comm comm, int key, void *value, int *flag));

int MPI_Attr_delete(MPI_Comm comm, int key)
{
	return cr_mpi_attr_delete(comm, key);
}
CR_MPI_ALIAS(Attr_delete, (MPI_Comm comm, int key));

/*
 * ---- windows are the lower half's, and so are their attributes; the copy
 * and delete functions would run there ----
 */

int MPI_Win_create_keyval(MPI_Win_copy_attr_function *copy,
			  MPI_Win_delete_attr_function *delete, int *key,
			  void *extra)
{
	cr_mpi_die("MPI_Win_create_keyval is not supported under libcr_mpi");
}
CR_MPI_ALIAS(Win_create_keyval,
	     (MPI_Win_copy_attr_function * copy,
	      MPI_Win_delete_attr_function *delete, int *key, void *extra));

int MPI_Win_free_keyval(int *key)
{
	return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
}
CR_MPI_ALIAS(Win_free_keyval, (int *key));

int MPI_Win_set_attr(MPI_Win win, int key, void *value)
{
	return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
}
CR_MPI_ALIAS(Win_set_attr, (MPI_Win win, int key, void *value));

int MPI_Win_get_attr(MPI_Win win, int key, void *value, int *flag)
{
	MPI_Win lw;
	int r;

	CR_MPI_LOCAL(lw = cr_mpi_lower_win(win);, r,
		     cr_mpi_low.Win_get_attr(lw, key, value, flag));
	return r;
}
CR_MPI_ALIAS(Win_get_attr, (MPI_Win win, int key, void *value, int *flag));

int MPI_Win_delete_attr(MPI_Win win, int key)
{
	return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
}
CR_MPI_ALIAS(Win_delete_attr, (MPI_Win win, int key));

int MPI_Register_datarep(const char *datarep,
			 MPI_Datarep_conversion_function *read_fn,
			 MPI_Datarep_conversion_function *write_fn,
			 MPI_Datarep_extent_function *extent_fn, void *extra)
{
	cr_mpi_die("MPI_Register_datarep is not supported under libcr_mpi");
}
CR_MPI_ALIAS(Register_datarep,
	     (const char *datarep, MPI_Datarep_conversion_function *read_fn,
	      MPI_Datarep_conversion_function *write_fn,
	      MPI_Datarep_extent_function *extent_fn, void *extra));

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fortran_calls.c - entry points of Fortran that Debian's libmpi_mpifh does
 * not build on the C functions
 *
 * Everything else in that library calls PMPI_* functions, which are ours.
 * These go to internals of libmpi, or write into what a handle points at.
 */
#include <string.h>

#include "mpi/attr.h"

#define EXPORT __attribute__((visibility("default")))

/* All names that a Fortran compiler may use. */
#define NAMES(lower, UPPER, args)                                           \
	EXPORT void mpi_##lower args;                                       \
	EXPORT void mpi_##lower##__ args                                    \
		__attribute__((alias("mpi_" #lower "_")));                  \
	EXPORT void mpi_##lower args                                        \
		__attribute__((alias("mpi_" #lower "_")));                  \
	EXPORT void MPI_##UPPER args                                        \
		__attribute__((alias("mpi_" #lower "_")));                  \
	EXPORT void pmpi_##lower##_ args                                    \
		__attribute__((alias("mpi_" #lower "_")));                  \
	EXPORT void pmpi_##lower##__ args                                   \
		__attribute__((alias("mpi_" #lower "_")));                  \
	EXPORT void pmpi_##lower args                                       \
		__attribute__((alias("mpi_" #lower "_")));                  \
	EXPORT void PMPI_##UPPER args                                       \
		__attribute__((alias("mpi_" #lower "_")));                  \
	EXPORT void ompi_##lower##_f args                                   \
		__attribute__((alias("mpi_" #lower "_")))

#define ENTRY(lower, UPPER, args)                         \
	EXPORT void mpi_##lower##_ args;                  \
	NAMES(lower, UPPER, args);                        \
	void mpi_##lower##_ args

typedef void fortran_function(void);

static void done(MPI_Fint *error, int r)
{
	if (error)
		*error = r;
}

ENTRY(op_create, OP_CREATE,
      (fortran_function *function, MPI_Fint *commute, MPI_Fint *op,
       MPI_Fint *error))
{
	MPI_Op c;
	int r = cr_mpi_op_create((MPI_User_function *)function, *commute, true,
				 &c);

	*op = PMPI_Op_c2f(c);
	done(error, r);
}

ENTRY(type_match_size, TYPE_MATCH_SIZE,
      (MPI_Fint *class, MPI_Fint *size, MPI_Fint *type, MPI_Fint *error))
{
	MPI_Datatype c;
	int r = PMPI_Type_match_size(*class, *size, &c);

	if (r == MPI_SUCCESS)
		*type = PMPI_Type_c2f(c);
	done(error, r);
}

/* ---- error handlers ---- */

static void new_errhandler(int kind, fortran_function *function,
			   MPI_Fint *errhandler, MPI_Fint *error)
{
	*errhandler = PMPI_Errhandler_c2f(
		cr_mpi_errhandler_new(kind, (void *)function, true));
	done(error, MPI_SUCCESS);
}

ENTRY(comm_create_errhandler, COMM_CREATE_ERRHANDLER,
      (fortran_function *function, MPI_Fint *errhandler, MPI_Fint *error))
{
	new_errhandler(CR_MPI_COMM, function, errhandler, error);
}

ENTRY(errhandler_create, ERRHANDLER_CREATE,
      (fortran_function *function, MPI_Fint *errhandler, MPI_Fint *error))
{
	new_errhandler(CR_MPI_COMM, function, errhandler, error);
}

ENTRY(win_create_errhandler, WIN_CREATE_ERRHANDLER,
      (fortran_function *function, MPI_Fint *errhandler, MPI_Fint *error))
{
	cr_mpi_refuse("MPI_WIN_CREATE_ERRHANDLER");
	new_errhandler(CR_MPI_WIN, function, errhandler, error);
}

ENTRY(file_create_errhandler, FILE_CREATE_ERRHANDLER,
      (fortran_function *function, MPI_Fint *errhandler, MPI_Fint *error))
{
	cr_mpi_refuse("MPI_FILE_CREATE_ERRHANDLER");
	new_errhandler(CR_MPI_FILE, function, errhandler, error);
}

/* ---- attributes ---- */

static void new_keyval(int kind, fortran_function *copy,
		       fortran_function *delete, MPI_Fint *key, MPI_Aint extra,
		       bool fortran_int, MPI_Fint *error)
{
	struct cr_mpi_keyval k = {
		.kind = kind,
		.copy = (void *)copy,
		.delete = (void *)delete,
		.fortran = true,
		.fortran_int = fortran_int,
		.fortran_extra = extra,
	};

	*key = cr_mpi_keyval_new(&k);
	done(error, MPI_SUCCESS);
}

ENTRY(comm_create_keyval, COMM_CREATE_KEYVAL,
      (fortran_function *copy, fortran_function *delete, MPI_Fint *key,
       MPI_Aint *extra, MPI_Fint *error))
{
	new_keyval(CR_MPI_COMM, copy, delete, key, *extra, false, error);
}

ENTRY(type_create_keyval, TYPE_CREATE_KEYVAL,
      (fortran_function *copy, fortran_function *delete, MPI_Fint *key,
       MPI_Aint *extra, MPI_Fint *error))
{
	new_keyval(CR_MPI_TYPE, copy, delete, key, *extra, false, error);
}

ENTRY(keyval_create, KEYVAL_CREATE,
      (fortran_function *copy, fortran_function *delete, MPI_Fint *key,
       MPI_Fint *extra, MPI_Fint *error))
{
	new_keyval(CR_MPI_COMM, copy, delete, key, *extra, true, error);
}

ENTRY(comm_set_attr, COMM_SET_ATTR,
      (MPI_Fint *comm, MPI_Fint *key, MPI_Aint *value, MPI_Fint *error))
{
	done(error, cr_mpi_attr_set(PMPI_Comm_f2c(*comm), *key,
				    CR_MPI_ATTR_FORTRAN, (void *)*value));
}

ENTRY(attr_put, ATTR_PUT,
      (MPI_Fint *comm, MPI_Fint *key, MPI_Fint *value, MPI_Fint *error))
{
	done(error, cr_mpi_attr_set(PMPI_Comm_f2c(*comm), *key,
				    CR_MPI_ATTR_FORTRAN,
				    (void *)(intptr_t)*value));
}

ENTRY(type_set_attr, TYPE_SET_ATTR,
      (MPI_Fint *type, MPI_Fint *key, MPI_Aint *value, MPI_Fint *error))
{
	done(error, cr_mpi_attr_set(PMPI_Type_f2c(*type), *key,
				    CR_MPI_ATTR_FORTRAN, (void *)*value));
}

static void get(void *handle, MPI_Fint key, MPI_Aint *value, MPI_Fint *flag,
		MPI_Fint *error)
{
	int found = 0;
	int r = cr_mpi_attr_get_fortran(handle, key, value, &found);

	*flag = found;
	done(error, r);
}

ENTRY(comm_get_attr, COMM_GET_ATTR,
      (MPI_Fint *comm, MPI_Fint *key, MPI_Aint *value, MPI_Fint *flag,
       MPI_Fint *error))
{
	get(PMPI_Comm_f2c(*comm), *key, value, flag, error);
}

ENTRY(type_get_attr, TYPE_GET_ATTR,
      (MPI_Fint *type, MPI_Fint *key, MPI_Aint *value, MPI_Fint *flag,
       MPI_Fint *error))
{
	get(PMPI_Type_f2c(*type), *key, value, flag, error);
}

ENTRY(attr_get, ATTR_GET,
      (MPI_Fint *comm, MPI_Fint *key, MPI_Fint *value, MPI_Fint *flag,
       MPI_Fint *error))
{
	MPI_Aint v = 0;

	get(PMPI_Comm_f2c(*comm), *key, &v, flag, error);
	if (*flag)
		*value = v;
}

/*
 * ---- what is left of libmpi's internals in libmpi_mpifh: attributes of
 * windows, and errors that it finds itself ----
 */

#define NEVER(name)                                                      \
	EXPORT int name(void);                                           \
	int name(void)                                                   \
	{                                                                \
		cr_mpi_die("attributes of windows are not supported in " \
			   "Fortran under libcr_mpi (" #name ")");       \
	}

NEVER(ompi_attr_create_keyval_aint)
NEVER(ompi_attr_create_keyval_fint)
NEVER(ompi_attr_get_aint)
NEVER(ompi_attr_get_fint)
NEVER(ompi_attr_set_aint)
NEVER(ompi_attr_set_fint)

EXPORT int ompi_errhandler_invoke(void *errhandler, void *object, int type,
				  int code, const char *message);
int ompi_errhandler_invoke(void *errhandler, void *object, int type, int code,
			   const char *message)
{
	return cr_mpi_error(NULL, code);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wrap.h - the objects behind the handles that the program sees
 *
 * Every handle is the address of a struct cr_mpi_head: the first words of an
 * object of ours, or, for predefined handles, of the never initialised
 * object of the program's own libmpi (ompi_mpi_comm_world and so on), into
 * whose memory we write them.  So the way to the lower half's handle is one
 * load.  The lower half's handles change at a restart, ours do not.
 */
#ifndef CR_MPI_WRAP_H
#define CR_MPI_WRAP_H

/* functions removed in MPI-3.0 are still in the library */
#define OMPI_OMIT_MPI1_COMPAT_DECLS 0
#define OMPI_REMOVED_USE_STATIC_ASSERT 0
#include <mpi.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "mpi/border.h"
#include "mpi_table.h"

extern struct cr_mpi_low cr_mpi_low CR_LOWER_HIDDEN;

enum cr_mpi_kind {
	CR_MPI_COMM,
	CR_MPI_GROUP,
	CR_MPI_TYPE,
	CR_MPI_OP,
	CR_MPI_INFO,
	CR_MPI_ERRHANDLER,
	CR_MPI_REQUEST,
	CR_MPI_MESSAGE,
	CR_MPI_WIN,
	CR_MPI_FILE,
	CR_MPI_KINDS
};

#define CR_MPI_MAGIC 0x6370696d /* "mipc" */

struct cr_mpi_head {
	uint32_t magic;
	uint16_t kind;
	uint16_t predefined;
	void *lower;
	struct cr_mpi_object *object;
};

struct cr_mpi_attribute {
	int keyval;

	void *value;
	intptr_t fortran; /* what a Fortran value is kept in */
	int origin;	  /* enum cr_mpi_attr_origin */
	struct cr_mpi_attribute *next;
};

struct cr_mpi_object {
	struct cr_mpi_head head; /* a handle of the program, if not predefined */
	void *handle;		 /* what the program sees */
	int refs;		 /* handle, and objects built on this one */
	int fint;		 /* Fortran's number, -1: none yet */
	char *name;
	struct cr_mpi_attribute *attributes;
	struct cr_mpi_errhandler *errhandler; /* NULL: as made */
	struct cr_mpi_object *next, **link; /* of its kind */
	struct cr_mpi_object *hash_next;    /* by lower handle */
};

struct cr_mpi_group {
	struct cr_mpi_object o;
	int n;
	int *rank; /* in MPI_COMM_WORLD */
};

enum cr_mpi_topology {
	CR_MPI_TOPO_NONE,
	CR_MPI_TOPO_CART,
	CR_MPI_TOPO_GRAPH,
	CR_MPI_TOPO_DIST_GRAPH,
};

struct cr_mpi_comm {
	struct cr_mpi_object o;
	uint64_t id;	/* the same at all members */
	int rank, size; /* of the local group */
	int *member;	/* world ranks of the local group */
	int *peer;	/* of those addressed: local or remote group */
	int n_peer;
	bool inter, foreign; /* foreign: has peers outside our world */
	/* collectives: begun, completed, and how far a cut lets them go */
	volatile uint64_t entered, done, target;
	uint64_t children; /* of Comm_create_group */
	bool freed;	   /* by the program; pending receives keep it */
	enum cr_mpi_topology topology;
	int ndims, *dims, *periods, *coords;   /* cartesian */
	int nnodes, nedges, *index, *edges;    /* graph */
	int indegree, outdegree, *sources, *destinations; /* dist_graph */
	int *source_weights, *destination_weights; /* NULL: unweighted */
	struct cr_mpi_info *info;
};

struct cr_mpi_op {
	struct cr_mpi_object o;
	MPI_User_function *function; /* NULL: predefined */
	int commute, thunk;
	bool fortran;
};

struct cr_mpi_errhandler {
	struct cr_mpi_object o;
	int kind; /* CR_MPI_COMM, CR_MPI_WIN, CR_MPI_FILE */
	bool fortran;
	union {
		MPI_Comm_errhandler_function *comm;
		MPI_Win_errhandler_function *win;
		MPI_File_errhandler_function *file;
		void (*fortran)(MPI_Fint *handle, MPI_Fint *code);
	} function;
};

static inline struct cr_mpi_head *cr_mpi_head(const void *handle)
{
	return (struct cr_mpi_head *)handle;
}

static inline __attribute__((always_inline)) void *
cr_mpi_lower(const void *handle)
{
	return __builtin_expect(handle != NULL, 1) ?
		       cr_mpi_head(handle)->lower : NULL;
}

/* Handle of the program to handle of the lower half, once inside. */
#define cr_mpi_lower_comm(h) ((MPI_Comm)cr_mpi_lower(h))
#define cr_mpi_lower_type(h) ((MPI_Datatype)cr_mpi_lower(h))
#define cr_mpi_lower_op(h) ((MPI_Op)cr_mpi_lower(h))
#define cr_mpi_lower_errhandler(h) ((MPI_Errhandler)cr_mpi_lower(h))
/* windows and files are the lower half's own, except the null handles */
#define cr_mpi_lower_win(h) \
	((MPI_Win)(cr_lower_owns(h) ? (void *)(h) : cr_mpi_lower(h)))
#define cr_mpi_lower_file(h) \
	((MPI_File)(cr_lower_owns(h) ? (void *)(h) : cr_mpi_lower(h)))
/* made when first needed */
MPI_Group cr_mpi_lower_group(MPI_Group group);
MPI_Info cr_mpi_lower_info(MPI_Info info);

/* And back; new objects for what was not known. */
MPI_Comm cr_mpi_upper_comm(MPI_Comm lower);
MPI_Datatype cr_mpi_upper_type(MPI_Datatype lower);
MPI_Op cr_mpi_upper_op(MPI_Op lower);
MPI_Group cr_mpi_upper_group(MPI_Group lower);
MPI_Info cr_mpi_upper_info(MPI_Info lower);
MPI_Errhandler cr_mpi_upper_errhandler(MPI_Errhandler lower);
MPI_Win cr_mpi_upper_win(MPI_Win lower);
MPI_File cr_mpi_upper_file(MPI_File lower);
MPI_Request cr_mpi_request_other(MPI_Request lower, const char *function);

#define CR_MPI_OBJECT(type, handle) \
	((struct type *)cr_mpi_head(handle)->object)

static inline struct cr_mpi_comm *cr_mpi_comm_of(MPI_Comm comm)
{
	return CR_MPI_OBJECT(cr_mpi_comm, comm);
}

/* handles.c */
enum cr_mpi_predefined {
#define X(kind, name) CR_PRE_##name,
#include "mpi/predefined.def"
#undef X
	CR_PRE_COUNT
};
extern void *cr_mpi_predefined[CR_PRE_COUNT] CR_LOWER_HIDDEN;
#define CR_PRE(name) (cr_mpi_predefined[CR_PRE_##name])

extern pthread_mutex_t cr_mpi_lock CR_LOWER_HIDDEN; /* lists, hash, Fortran */
extern struct cr_mpi_object *cr_mpi_objects[CR_MPI_KINDS] CR_LOWER_HIDDEN;
int cr_mpi_predefined_init(struct cr_error *err);
int cr_mpi_predefined_bind(struct cr_error *err);
/* Makes o an object of its kind whose handle is itself. */
void cr_mpi_object_init(struct cr_mpi_object *o, enum cr_mpi_kind kind);
void cr_mpi_bind(struct cr_mpi_object *o, void *lower);
void cr_mpi_unbind_all(void);
struct cr_mpi_object *cr_mpi_find(enum cr_mpi_kind kind, const void *lower);
/* Takes o off all lists and frees it (not what its kind adds). */
void cr_mpi_object_destroy(struct cr_mpi_object *o);
void cr_mpi_fint_drop(struct cr_mpi_object *o);
void *cr_mpi_alloc(size_t n, size_t size);
int *cr_mpi_ints(const int *from, int n);

/* init.c */
extern int cr_mpi_rank, cr_mpi_size;
extern MPI_Comm cr_mpi_private; /* lower half's: for libcr's threads */
extern MPI_Comm cr_mpi_private_self;
enum cr_mpi_phase {
	CR_MPI_NEVER,
	CR_MPI_UP,
	CR_MPI_FINALIZING,
	CR_MPI_FINALIZED
};
extern volatile int cr_mpi_phase;
void cr_mpi_die(const char *text) __attribute__((noreturn));
/* From now on not checkpointable, because function was called. */
void cr_mpi_refuse(const char *function);
/* opened.c: not checkpointable until it is closed; lower: NULL if it failed */
void cr_mpi_opening(const char *function);
void cr_mpi_opened(const char *function, void *lower);
void cr_mpi_opened_rebuild(void);
int cr_mpi_boot(char *const env[], struct cr_error *err);
int cr_mpi_bring_up(char *const env[], struct cr_error *err);

/* coll.c: CR_MPI_COLL(comm, translate, result, call) */
#define CR_MPI_COLL(comm_, translate, result, call)                        \
	do {                                                               \
		struct cr_mpi_comm *c_ = cr_mpi_comm_of(comm_);            \
		CR_MPI_BLOCKING(CR_MPI_CLASS_COLL, c_, { c_->entered++;    \
						       translate },        \
				result, call, { c_->done++; });            \
	} while (0)

#define CR_MPI_ALIAS(name, args) \
	int PMPI_##name args __attribute__((alias("MPI_" #name)))

#endif

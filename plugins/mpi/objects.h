/* SPDX-License-Identifier: GPL-2.0-or-later */
/* objects.h - how each kind of object is made, and made again at a restart */
#ifndef CR_MPI_OBJECTS_H
#define CR_MPI_OBJECTS_H

#include "mpi/wrap.h"

/* A reference more or less; the last one frees what o was made from, too. */
static inline void cr_mpi_ref(struct cr_mpi_object *o)
{
	__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
}
static inline bool cr_mpi_unref(struct cr_mpi_object *o)
{
	return __atomic_sub_fetch(&o->refs, 1, __ATOMIC_RELAXED) == 0;
}

/* comm.c */
void cr_mpi_comm_init(void);
/*
 * A communicator of ours for one of the lower half, NULL handle for the null
 * one.  number: what tells it from others made from the same parent.
 */
MPI_Comm cr_mpi_comm_adopt(MPI_Comm lower, MPI_Comm parent, uint64_t number);
/* The same where no number does: those of a kind are counted. */
MPI_Comm cr_mpi_comm_adopt_nth(MPI_Comm lower, MPI_Comm parent, uint64_t kind);
void cr_mpi_comm_destroy(struct cr_mpi_comm *c);
uint64_t cr_mpi_mix(uint64_t h, uint64_t x);
/* For messages of Open MPI's own over cr_mpi_private. */
int cr_mpi_private_tag(uint64_t id);
int cr_mpi_comm_rebuild(struct cr_error *err);
void cr_mpi_comm_rebuild_end(void);
int cr_mpi_topology_rebuild(struct cr_mpi_comm *c, MPI_Comm from, MPI_Comm *to);
void cr_mpi_comm_topology_free(struct cr_mpi_comm *c);
void cr_mpi_comm_topology_copy(struct cr_mpi_comm *to,
			       const struct cr_mpi_comm *from);

/*
 * A collective over parent makes a communicator.  It becomes ours before the
 * thread is counted as back, so that a cut sees both or none.  In "call", lc
 * is the lower half's parent and made the result; in "also", c is ours.
 */
#define CR_MPI_CREATE(parent, newcomm, r, translate, call, also)              \
	do {                                                                  \
		struct cr_mpi_comm *p_ = cr_mpi_comm_of(parent);              \
		MPI_Comm lc, made = NULL;                                     \
		CR_MPI_BLOCKING(CR_MPI_CLASS_COLL, p_,                        \
				{ p_->entered++;                              \
				  lc = cr_mpi_lower_comm(parent);             \
				  translate },                                \
				r, call,                                      \
				{ if (r == MPI_SUCCESS) {                     \
					*(newcomm) = cr_mpi_comm_adopt(       \
						made, parent, p_->entered);   \
					if (!cr_mpi_head(*(newcomm))          \
						     ->predefined) {          \
						struct cr_mpi_comm *c =       \
							cr_mpi_comm_of(       \
								*(newcomm));  \
						(void)c;                      \
						also                          \
					}                                     \
				  }                                           \
				  p_->done++; });                             \
	} while (0)

/* group.c */
MPI_Group cr_mpi_group_new(const int *ranks, int n);

int cr_mpi_op_create(MPI_User_function *function, int commute, bool fortran,
		     MPI_Op *op);
/* type.c, op.c, info.c, errhandler.c, local.c */
int cr_mpi_type_rebuild(struct cr_error *err);
void cr_mpi_type_ref(MPI_Datatype type);
void cr_mpi_type_unref(MPI_Datatype type);
int cr_mpi_op_rebuild(struct cr_error *err);
MPI_Errhandler cr_mpi_errhandler_new(int kind, void *function, bool fortran);
void cr_mpi_errhandler_release(struct cr_mpi_errhandler *e);
void cr_mpi_errhandler_init(void);
int cr_mpi_errhandler_rebuild(struct cr_error *err);
void cr_mpi_errhandler_inherit(struct cr_mpi_comm *to, struct cr_mpi_comm *from);
int cr_mpi_errhandler_apply(struct cr_mpi_comm *c);
int cr_mpi_buffer_rebuild(void);
MPI_Info cr_mpi_info_dup(MPI_Info info);
void cr_mpi_info_release(MPI_Info info);
void cr_mpi_time_stop(void);
void cr_mpi_time_go_on(void);
/* Error of comm as its error handler has it, from a function of ours. */
int cr_mpi_error(MPI_Comm comm, int code);

/* attr.c */
void cr_mpi_attr_init(void);
int cr_mpi_attr_copy_all(void *from, void *to);
int cr_mpi_attr_delete_all(void *handle);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handles.c - predefined handles, objects by lower handle, Fortran's numbers */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/wrap.h"

void *cr_mpi_predefined[CR_PRE_COUNT];
pthread_mutex_t cr_mpi_lock = PTHREAD_MUTEX_INITIALIZER;
struct cr_mpi_object *cr_mpi_objects[CR_MPI_KINDS];

static const struct {
	enum cr_mpi_kind kind;
	const char *name;
} predefined[] = {
#define X(kind, name) { CR_MPI_##kind, #name },
#include "mpi/predefined.def"
#undef X
};

/* The other address of one that was copied into the executable, or NULL. */
static void *twin[CR_PRE_COUNT];

#define BUCKETS 1024
static struct cr_mpi_object *bucket[BUCKETS];

#define FINT_MAX 65536
static void **by_fint[CR_MPI_KINDS]; /* handles by Fortran's number */
static int fint_next[CR_MPI_KINDS];

void *cr_mpi_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		cr_mpi_die("out of memory");
	return p;
}

int *cr_mpi_ints(const int *from, int n)
{
	int *p = cr_mpi_alloc(n > 0 ? n : 1, sizeof(int));

	if (from && n > 0)
		memcpy(p, from, n * sizeof(int));
	return p;
}

static unsigned int hash(const void *lower)
{
	return ((uintptr_t)lower >> 4) * 0x9e3779b1u % BUCKETS;
}

static size_t object_size(enum cr_mpi_kind kind)
{
	switch (kind) {
	case CR_MPI_COMM:
		return sizeof(struct cr_mpi_comm);
	case CR_MPI_GROUP:
		return sizeof(struct cr_mpi_group);
	case CR_MPI_OP:
		return sizeof(struct cr_mpi_op);
	case CR_MPI_ERRHANDLER:
		return sizeof(struct cr_mpi_errhandler);
	default:
		return 512; /* larger than every other object */
	}
}

static void write_head(void *memory, struct cr_mpi_object *o)
{
	struct cr_mpi_head *head = memory;

	head->magic = CR_MPI_MAGIC;
	head->kind = o->head.kind;
	head->predefined = 1;
	head->lower = o->head.lower;
	head->object = o;
}

/* Finds the program's predefined handles and makes objects for them. */
int cr_mpi_predefined_init(struct cr_error *err)
{
	void *lib = dlopen("libmpi.so.40", RTLD_NOLOAD | RTLD_NOW);

	for (int i = 0; i < CR_PRE_COUNT; i++) {
		void *a = dlsym(RTLD_DEFAULT, predefined[i].name);
		void *b = lib ? dlsym(lib, predefined[i].name) : NULL;
		struct cr_mpi_object *o;

		if (!a)
			a = b;
		if (!a)
			return cr_error_set(err, -ENOENT,
					    "the MPI library has no %s: it is "
					    "not the Open MPI 4 known here",
					    predefined[i].name);
		o = cr_mpi_alloc(1, object_size(predefined[i].kind));
		o->head.kind = predefined[i].kind;
		o->head.predefined = 1;
		o->handle = a;
		o->refs = 1;
		o->fint = -1;
		cr_mpi_predefined[i] = a;
		twin[i] = b && b != a ? b : NULL;
		write_head(a, o);
		if (twin[i])
			write_head(twin[i], o);
	}
	if (lib)
		dlclose(lib);
	return 0;
}

static int fint_of_lower(enum cr_mpi_kind kind, void *lower)
{
	switch (kind) {
	case CR_MPI_COMM:
		return CR_LOWER(cr_mpi_low.Comm_c2f(lower));
	case CR_MPI_GROUP:
		return CR_LOWER(cr_mpi_low.Group_c2f(lower));
	case CR_MPI_TYPE:
		return CR_LOWER(cr_mpi_low.Type_c2f(lower));
	case CR_MPI_OP:
		return CR_LOWER(cr_mpi_low.Op_c2f(lower));
	case CR_MPI_INFO:
		return CR_LOWER(cr_mpi_low.Info_c2f(lower));
	case CR_MPI_ERRHANDLER:
		return CR_LOWER(cr_mpi_low.Errhandler_c2f(lower));
	case CR_MPI_REQUEST:
		return CR_LOWER(cr_mpi_low.Request_c2f(lower));
	case CR_MPI_MESSAGE:
		return CR_LOWER(cr_mpi_low.Message_c2f(lower));
	case CR_MPI_WIN:
		return CR_LOWER(cr_mpi_low.Win_c2f(lower));
	default:
		return CR_LOWER(cr_mpi_low.File_c2f(lower));
	}
}

static void set_fint(enum cr_mpi_kind kind, int fint, void *handle)
{
	if (!by_fint[kind])
		by_fint[kind] = cr_mpi_alloc(FINT_MAX, sizeof(void *));
	if (fint >= 0 && fint < FINT_MAX) {
		by_fint[kind][fint] = handle;
		if (fint >= fint_next[kind])
			fint_next[kind] = fint + 1;
	}
}

/* After MPI_Init of a lower half: what the predefined handles are there. */
int cr_mpi_predefined_bind(struct cr_error *err)
{
	for (int i = 0; i < CR_PRE_COUNT; i++) {
		struct cr_mpi_object *o =
			cr_mpi_head(cr_mpi_predefined[i])->object;
		void *lower = cr_lower_symbol(predefined[i].name);

		if (!lower)
			return cr_error_set(err, -ENOENT,
					    "the lower half has no %s",
					    predefined[i].name);
		cr_mpi_bind(o, lower);
		write_head(o->handle, o);
		if (twin[i])
			write_head(twin[i], o);
		if (o->fint < 0) {
			o->fint = fint_of_lower(o->head.kind, lower);
			set_fint(o->head.kind, o->fint, o->handle);
		}
	}
	return 0;
}

void cr_mpi_object_init(struct cr_mpi_object *o, enum cr_mpi_kind kind)
{
	o->head.magic = CR_MPI_MAGIC;
	o->head.kind = kind;
	o->head.object = o;
	o->handle = o;
	o->refs = 1;
	o->fint = -1;
	pthread_mutex_lock(&cr_mpi_lock);
	o->next = cr_mpi_objects[kind];
	o->link = &cr_mpi_objects[kind];
	if (o->next)
		o->next->link = &o->next;
	cr_mpi_objects[kind] = o;
	pthread_mutex_unlock(&cr_mpi_lock);
}

static void unhash(struct cr_mpi_object *o)
{
	struct cr_mpi_object **p = &bucket[hash(o->head.lower)];

	while (*p && *p != o)
		p = &(*p)->hash_next;
	if (*p)
		*p = o->hash_next;
	o->hash_next = NULL;
}

void cr_mpi_bind(struct cr_mpi_object *o, void *lower)
{
	pthread_mutex_lock(&cr_mpi_lock);
	if (o->head.lower)
		unhash(o);
	o->head.lower = lower;
	if (lower) {
		o->hash_next = bucket[hash(lower)];
		bucket[hash(lower)] = o;
	}
	pthread_mutex_unlock(&cr_mpi_lock);
}

/* The lower half is gone. */
void cr_mpi_unbind_all(void)
{
	pthread_mutex_lock(&cr_mpi_lock);
	for (int i = 0; i < BUCKETS; i++) {
		struct cr_mpi_object *o = bucket[i], *next;

		for (; o; o = next) {
			next = o->hash_next;
			o->hash_next = NULL;
			o->head.lower = NULL;
		}
		bucket[i] = NULL;
	}
	pthread_mutex_unlock(&cr_mpi_lock);
}

struct cr_mpi_object *cr_mpi_find(enum cr_mpi_kind kind, const void *lower)
{
	struct cr_mpi_object *o;

	pthread_mutex_lock(&cr_mpi_lock);
	for (o = bucket[hash(lower)]; o; o = o->hash_next)
		if (o->head.lower == lower && o->head.kind == kind)
			break;
	pthread_mutex_unlock(&cr_mpi_lock);
	return o;
}

void cr_mpi_object_destroy(struct cr_mpi_object *o)
{
	cr_mpi_bind(o, NULL);
	pthread_mutex_lock(&cr_mpi_lock);
	if (o->link) {
		*o->link = o->next;
		if (o->next)
			o->next->link = o->link;
	}
	if (o->fint >= 0)
		by_fint[o->head.kind][o->fint] = NULL;
	pthread_mutex_unlock(&cr_mpi_lock);
	free(o->name);
	o->head.magic = 0;
	free(o);
}

/* ---- Fortran's numbers ---- */

static int c2f(enum cr_mpi_kind kind, void *handle)
{
	struct cr_mpi_object *o;
	int fint;

	if (!handle)
		return -1;
	o = cr_mpi_head(handle)->object;
	pthread_mutex_lock(&cr_mpi_lock);
	if (o->fint < 0) {
		/* a used one again when all have been given out */
		for (fint = fint_next[kind]; fint < FINT_MAX; fint++)
			if (!by_fint[kind] || !by_fint[kind][fint])
				break;
		if (fint == FINT_MAX)
			for (fint = 0; fint < FINT_MAX; fint++)
				if (!by_fint[kind][fint])
					break;
		if (fint == FINT_MAX) {
			pthread_mutex_unlock(&cr_mpi_lock);
			cr_mpi_die("more handles in Fortran than can be kept");
		}
		set_fint(kind, fint, o->handle);
		o->fint = fint;
	}
	fint = o->fint;
	pthread_mutex_unlock(&cr_mpi_lock);
	return fint;
}

static void *f2c(enum cr_mpi_kind kind, int fint, enum cr_mpi_predefined null)
{
	void *handle = NULL;

	pthread_mutex_lock(&cr_mpi_lock);
	if (fint >= 0 && fint < FINT_MAX && by_fint[kind])
		handle = by_fint[kind][fint];
	pthread_mutex_unlock(&cr_mpi_lock);
	return handle ? handle : cr_mpi_predefined[null];
}

#define CONVERT(Name, type, kind, null)                             \
	MPI_Fint MPI_##Name##_c2f(type handle)                      \
	{                                                           \
		return c2f(kind, handle);                           \
	}                                                           \
	MPI_Fint PMPI_##Name##_c2f(type handle)                     \
		__attribute__((alias("MPI_" #Name "_c2f")));        \
	type MPI_##Name##_f2c(MPI_Fint fint)                        \
	{                                                           \
		return f2c(kind, fint, CR_PRE_##null);              \
	}                                                           \
	type PMPI_##Name##_f2c(MPI_Fint fint)                       \
		__attribute__((alias("MPI_" #Name "_f2c")))

CONVERT(Comm, MPI_Comm, CR_MPI_COMM, ompi_mpi_comm_null);
CONVERT(Group, MPI_Group, CR_MPI_GROUP, ompi_mpi_group_null);
CONVERT(Type, MPI_Datatype, CR_MPI_TYPE, ompi_mpi_datatype_null);
CONVERT(Op, MPI_Op, CR_MPI_OP, ompi_mpi_op_null);
CONVERT(Info, MPI_Info, CR_MPI_INFO, ompi_mpi_info_null);
CONVERT(Errhandler, MPI_Errhandler, CR_MPI_ERRHANDLER,
	ompi_mpi_errhandler_null);
CONVERT(Request, MPI_Request, CR_MPI_REQUEST, ompi_request_null);
CONVERT(Message, MPI_Message, CR_MPI_MESSAGE, ompi_message_null);

/* Windows and files are the lower half's; their numbers are too. */
#define CONVERT_LOWER(Name, type, lname)                                   \
	MPI_Fint MPI_##Name##_c2f(type handle)                             \
	{                                                                  \
		MPI_Fint r;                                                \
		type l;                                                    \
		CR_MPI_LOCAL(l = cr_mpi_lower_##lname(handle);, r,         \
			     cr_mpi_low.Name##_c2f(l));                    \
		return r;                                                  \
	}                                                                  \
	MPI_Fint PMPI_##Name##_c2f(type handle)                            \
		__attribute__((alias("MPI_" #Name "_c2f")));               \
	type MPI_##Name##_f2c(MPI_Fint fint)                               \
	{                                                                  \
		type l;                                                    \
		CR_MPI_LOCAL(;, l, cr_mpi_low.Name##_f2c(fint));           \
		return cr_mpi_upper_##lname(l);                            \
	}                                                                  \
	type PMPI_##Name##_f2c(MPI_Fint fint)                              \
		__attribute__((alias("MPI_" #Name "_f2c")))

CONVERT_LOWER(Win, MPI_Win, win);
CONVERT_LOWER(File, MPI_File, file);

MPI_Win cr_mpi_upper_win(MPI_Win lower)
{
	struct cr_mpi_object *o = cr_mpi_find(CR_MPI_WIN, lower);

	return o ? o->handle : lower;
}

MPI_File cr_mpi_upper_file(MPI_File lower)
{
	struct cr_mpi_object *o = cr_mpi_find(CR_MPI_FILE, lower);

	return o ? o->handle : lower;
}

/* The object's number may be given to another. */
void cr_mpi_fint_drop(struct cr_mpi_object *o)
{
	pthread_mutex_lock(&cr_mpi_lock);
	by_fint[o->head.kind][o->fint] = NULL;
	o->fint = -1;
	pthread_mutex_unlock(&cr_mpi_lock);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attr.c - attributes and their keys, kept entirely in the upper half
 *
 * The lower half knows nothing of them, so that copy and delete functions
 * run as ordinary code of the program.  Only the predefined ones
 * (MPI_TAG_UB and so on) are asked for once, at MPI_Init.
 */
#include <stdlib.h>
#include <string.h>

#include "mpi/attr.h"

#define PREDEFINED (MPI_UNIVERSE_SIZE + 1)

static struct cr_mpi_keyval **keyvals;
static int n_keyvals;
static struct {
	bool set;
	int value;
} predefined[PREDEFINED];

void cr_mpi_attr_init(void)
{
	MPI_Comm lower = cr_mpi_lower_comm(CR_PRE(ompi_mpi_comm_world));

	for (int i = 0; i < PREDEFINED; i++) {
		int *value = NULL, flag = 0;

		CR_LOWER(cr_mpi_low.Comm_get_attr(lower, i, &value, &flag));
		predefined[i].set = flag && value;
		if (predefined[i].set)
			predefined[i].value = *value;
	}
}

/* Keys of the program begin beyond those of mpi.h. */
#define FIRST_KEY 1024

struct cr_mpi_keyval *cr_mpi_keyval(int key)
{
	key -= FIRST_KEY;
	return key >= 0 && key < n_keyvals ? keyvals[key] : NULL;
}

int cr_mpi_keyval_new(const struct cr_mpi_keyval *from)
{
	struct cr_mpi_keyval *k = cr_mpi_alloc(1, sizeof(*k));

	*k = *from;
	k->refs = 1;
	pthread_mutex_lock(&cr_mpi_lock);
	keyvals = realloc(keyvals, (n_keyvals + 1) * sizeof(*keyvals));
	if (!keyvals)
		cr_mpi_die("out of memory");
	keyvals[n_keyvals] = k;
	pthread_mutex_unlock(&cr_mpi_lock);
	return FIRST_KEY + n_keyvals++;
}

static void keyval_release(int key)
{
	struct cr_mpi_keyval *k = cr_mpi_keyval(key);

	if (--k->refs == 0) {
		keyvals[key - FIRST_KEY] = NULL;
		free(k);
	}
}

int cr_mpi_keyval_free(int *key)
{
	if (!cr_mpi_keyval(*key))
		return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
	keyval_release(*key);
	*key = MPI_KEYVAL_INVALID;
	return MPI_SUCCESS;
}

static struct cr_mpi_object *object_of(void *handle)
{
	return cr_mpi_head(handle)->object;
}

static struct cr_mpi_attribute **find(struct cr_mpi_object *o, int key)
{
	struct cr_mpi_attribute **p;

	for (p = &o->attributes; *p; p = &(*p)->next)
		if ((*p)->keyval == key)
			return p;
	return NULL;
}

/*
 * The value as the language of the reader has it.  C gets what C put, or the
 * address of what Fortran put; Fortran gets the number.
 */
static void *c_value(struct cr_mpi_attribute *a)
{
	return a->origin == CR_MPI_ATTR_C ? a->value : (void *)&a->fortran;
}

static MPI_Aint f_value(const struct cr_mpi_attribute *a)
{
	return a->origin == CR_MPI_ATTR_C ? (MPI_Aint)a->value : a->fortran;
}

static int delete_one(void *handle, struct cr_mpi_attribute **p)
{
	struct cr_mpi_attribute *a = *p;
	struct cr_mpi_keyval *k = cr_mpi_keyval(a->keyval);
	int r = MPI_SUCCESS, key = a->keyval;

	if (k && k->fortran)
		r = cr_mpi_attr_fortran_delete(k, handle, key, f_value(a));
	else if (k && k->delete)
		r = ((MPI_Comm_delete_attr_function *)k->delete)(
			handle, key, c_value(a), k->extra);
	if (r != MPI_SUCCESS)
		return r;
	/* the function may have changed the list */
	p = find(object_of(handle), key);
	if (p) {
		a = *p;
		*p = a->next;
		free(a);
		keyval_release(key);
	}
	return r;
}

int cr_mpi_attr_set(void *handle, int key, int origin, void *value)
{
	struct cr_mpi_keyval *k = cr_mpi_keyval(key);
	struct cr_mpi_attribute *a, **p;
	int r;

	if (!k)
		return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
	p = find(object_of(handle), key);
	if (p) {
		r = delete_one(handle, p);
		if (r != MPI_SUCCESS)
			return r;
	}
	a = cr_mpi_alloc(1, sizeof(*a));
	a->keyval = key;
	a->origin = origin;
	a->value = value;
	a->fortran = (intptr_t)value;
	a->next = object_of(handle)->attributes;
	object_of(handle)->attributes = a;
	k->refs++;
	return MPI_SUCCESS;
}

int cr_mpi_attr_get_c(void *handle, int key, void *value, int *flag)
{
	struct cr_mpi_attribute **p;
	void *v;

	*flag = 0;
	if (key >= 0 && key < PREDEFINED) {
		if (predefined[key].set && cr_mpi_head(handle)->kind ==
		    CR_MPI_COMM) {
			v = &predefined[key].value;
			memcpy(value, &v, sizeof(v));
			*flag = 1;
		}
		return MPI_SUCCESS;
	}
	p = find(object_of(handle), key);
	if (p) {
		v = c_value(*p);
		memcpy(value, &v, sizeof(v));
		*flag = 1;
	} else if (!cr_mpi_keyval(key)) {
		return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
	}
	return MPI_SUCCESS;
}

int cr_mpi_attr_get_fortran(void *handle, int key, MPI_Aint *value, int *flag)
{
	struct cr_mpi_attribute **p;

	*flag = 0;
	if (key >= 0 && key < PREDEFINED) {
		if (predefined[key].set) {
			*value = predefined[key].value;
			*flag = 1;
		}
		return MPI_SUCCESS;
	}
	p = find(object_of(handle), key);
	if (p) {
		*value = f_value(*p);
		*flag = 1;
	} else if (!cr_mpi_keyval(key)) {
		return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
	}
	return MPI_SUCCESS;
}

int cr_mpi_attr_delete(void *handle, int key)
{
	struct cr_mpi_attribute **p = find(object_of(handle), key);

	if (!p)
		return cr_mpi_error(NULL, MPI_ERR_KEYVAL);
	return delete_one(handle, p);
}

int cr_mpi_attr_delete_all(void *handle)
{
	struct cr_mpi_object *o = object_of(handle);
	int r = MPI_SUCCESS;

	while (o->attributes && r == MPI_SUCCESS)
		r = delete_one(handle, &o->attributes);
	return r;
}

/* For the duplicate "to" of "from", in the order in which they were set. */
static int copy(void *from, void *to, struct cr_mpi_attribute *a)
{
	struct cr_mpi_keyval *k;
	MPI_Aint fvalue = 0;
	void *value = NULL;
	int flag = 0, r;

	if (!a)
		return MPI_SUCCESS;
	r = copy(from, to, a->next);
	k = cr_mpi_keyval(a->keyval);
	if (r != MPI_SUCCESS || !k)
		return r;
	if (k->fortran) {
		r = cr_mpi_attr_fortran_copy(k, from, a->keyval, f_value(a),
					     &fvalue, &flag);
		if (r == MPI_SUCCESS && flag)
			r = cr_mpi_attr_set(to, a->keyval, CR_MPI_ATTR_FORTRAN,
					    (void *)fvalue);
	} else if (k->copy == CR_MPI_ATTR_DUP) {
		r = cr_mpi_attr_set(to, a->keyval, a->origin, a->value);
	} else if (k->copy) {
		r = ((MPI_Comm_copy_attr_function *)k->copy)(
			from, a->keyval, k->extra, c_value(a), &value, &flag);
		if (r == MPI_SUCCESS && flag)
			r = cr_mpi_attr_set(to, a->keyval, CR_MPI_ATTR_C,
					    value);
	}
	return r;
}

int cr_mpi_attr_copy_all(void *from, void *to)
{
	return copy(from, to, object_of(from)->attributes);
}

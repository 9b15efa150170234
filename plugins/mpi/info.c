/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info.c - hints: lists of keys and values, all ours */
#include <stdlib.h>
#include <string.h>

#include "mpi/objects.h"

struct entry {
	char *key, *value;
};

struct cr_mpi_info {
	struct cr_mpi_object o;
	int n;
	struct entry *entry;
};

static struct cr_mpi_info *info_of(MPI_Info info)
{
	return CR_MPI_OBJECT(cr_mpi_info, info);
}

static int find(const struct cr_mpi_info *info, const char *key)
{
	for (int i = 0; i < info->n; i++)
		if (!strcmp(info->entry[i].key, key))
			return i;
	return -1;
}

static void set(struct cr_mpi_info *info, const char *key, const char *value)
{
	int i = find(info, key);

	if (i >= 0) {
		free(info->entry[i].value);
	} else {
		i = info->n++;
		info->entry = realloc(info->entry,
				      info->n * sizeof(*info->entry));
		if (!info->entry)
			cr_mpi_die("out of memory");
		info->entry[i].key = strdup(key);
	}
	info->entry[i].value = strdup(value);
}

/* Inside: a lower half's info with the same entries, kept for the next time */
MPI_Info cr_mpi_lower_info(MPI_Info handle)
{
	struct cr_mpi_info *info = info_of(handle);
	MPI_Info lower = info->o.head.lower;

	if (info->o.head.predefined)
		return lower;
	if (lower)
		CR_LOWER(cr_mpi_low.Info_free(&lower));
	CR_LOWER(cr_mpi_low.Info_create(&lower));
	for (int i = 0; i < info->n; i++) {
		const char *key = info->entry[i].key;
		const char *value = info->entry[i].value;

		CR_LOWER(cr_mpi_low.Info_set(lower, key, value));
	}
	cr_mpi_bind(&info->o, lower);
	return lower;
}

MPI_Info cr_mpi_upper_info(MPI_Info lower)
{
	struct cr_mpi_object *o = cr_mpi_find(CR_MPI_INFO, lower);
	struct cr_mpi_info *info;
	int n = 0;

	if (o)
		return o->handle;
	info = cr_mpi_alloc(1, sizeof(*info));
	cr_mpi_object_init(&info->o, CR_MPI_INFO);
	CR_LOWER(cr_mpi_low.Info_get_nkeys(lower, &n));
	for (int i = 0; i < n; i++) {
		char key[MPI_MAX_INFO_KEY + 1], value[MPI_MAX_INFO_VAL + 1];
		int flag;

		CR_LOWER(cr_mpi_low.Info_get_nthkey(lower, i, key));
		CR_LOWER(cr_mpi_low.Info_get(lower, key, MPI_MAX_INFO_VAL,
					     value, &flag));
		set(info, key, value);
	}
	CR_LOWER(cr_mpi_low.Info_free(&lower));
	return (MPI_Info)info;
}

int MPI_Info_create(MPI_Info *info)
{
	struct cr_mpi_info *i = cr_mpi_alloc(1, sizeof(*i));

	cr_mpi_object_init(&i->o, CR_MPI_INFO);
	*info = (MPI_Info)i;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_create, (MPI_Info *info));

/* A copy; an empty one of NULL and of the null handle. */
MPI_Info cr_mpi_info_dup(MPI_Info info)
{
	MPI_Info copy;

	PMPI_Info_create(&copy);
	for (int i = 0; info && i < info_of(info)->n; i++)
		set(info_of(copy), info_of(info)->entry[i].key,
		    info_of(info)->entry[i].value);
	return copy;
}

void cr_mpi_info_release(MPI_Info handle)
{
	struct cr_mpi_info *info = info_of(handle);

	for (int i = 0; i < info->n; i++) {
		free(info->entry[i].key);
		free(info->entry[i].value);
	}
	free(info->entry);
	cr_mpi_object_destroy(&info->o);
}

int MPI_Info_dup(MPI_Info info, MPI_Info *newinfo)
{
	*newinfo = cr_mpi_info_dup(info);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_dup, (MPI_Info info, MPI_Info *newinfo));

int MPI_Info_free(MPI_Info *handle)
{
	struct cr_mpi_info *info = info_of(*handle);
	MPI_Info lower = info->o.head.lower;
	int r;

	if (info->o.head.predefined)
		return cr_mpi_error(NULL, MPI_ERR_INFO);
	if (lower) {
		CR_MPI_CALL(CR_MPI_CLASS_LOCAL, lower = info->o.head.lower;, r,
			    cr_mpi_low.Info_free(&lower),
			    cr_mpi_info_release(*handle););
		(void)r;
	} else {
		cr_mpi_info_release(*handle);
	}
	*handle = CR_PRE(ompi_mpi_info_null);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_free, (MPI_Info *info));

int MPI_Info_set(MPI_Info info, const char *key, const char *value)
{
	if (info_of(info)->o.head.predefined)
		return cr_mpi_error(NULL, MPI_ERR_INFO);
	if (!*key || strlen(key) > MPI_MAX_INFO_KEY)
		return cr_mpi_error(NULL, MPI_ERR_INFO_KEY);
	if (!*value || strlen(value) > MPI_MAX_INFO_VAL)
		return cr_mpi_error(NULL, MPI_ERR_INFO_VALUE);
	set(info_of(info), key, value);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_set, (MPI_Info info, const char *key, const char *value));

int MPI_Info_delete(MPI_Info handle, const char *key)
{
	struct cr_mpi_info *info = info_of(handle);
	int i = find(info, key);

	if (i < 0)
		return cr_mpi_error(NULL, MPI_ERR_INFO_NOKEY);
	free(info->entry[i].key);
	free(info->entry[i].value);
	memmove(&info->entry[i], &info->entry[i + 1],
		(--info->n - i) * sizeof(*info->entry));
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_delete, (MPI_Info info, const char *key));

int MPI_Info_get(MPI_Info info, const char *key, int length, char *value,
		 int *flag)
{
	int i = find(info_of(info), key);

	*flag = i >= 0;
	if (i >= 0) {
		strncpy(value, info_of(info)->entry[i].value, length);
		value[length] = '\0';
	}
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_get, (MPI_Info info, const char *key, int length,
			char *value, int *flag));

int MPI_Info_get_valuelen(MPI_Info info, const char *key, int *length,
			  int *flag)
{
	int i = find(info_of(info), key);

	*flag = i >= 0;
	if (i >= 0)
		*length = strlen(info_of(info)->entry[i].value);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_get_valuelen, (MPI_Info info, const char *key, int *length,
				 int *flag));

int MPI_Info_get_nkeys(MPI_Info info, int *n)
{
	*n = info_of(info)->n;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_get_nkeys, (MPI_Info info, int *n));

int MPI_Info_get_nthkey(MPI_Info info, int n, char *key)
{
	if (n < 0 || n >= info_of(info)->n)
		return cr_mpi_error(NULL, MPI_ERR_INFO_KEY);
	strcpy(key, info_of(info)->entry[n].key);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Info_get_nthkey, (MPI_Info info, int n, char *key));

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify.c - is every byte of a generation as it was when it was committed? */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/agent/gens.h"

#define VERIFY_THREADS 8

struct verify {
	const char *dir;
	struct json_object **file; /* {"file", "bytes", "digest"} */
	size_t n;
	atomic_size_t next;
	pthread_mutex_t lock;
	struct cr_error err; /* the first one */
};

static int verify_one(const struct verify *v, struct json_object *o,
		      struct cr_error *err)
{
	const char *want = cr_json_str(o, "digest", "");
	char path[PATH_MAX], digest[33];
	uint64_t bytes;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", v->dir,
		 cr_json_str(o, "file", ""));
	rc = cr_copy_digest(path, &bytes, digest, err);
	if (!rc && strcmp(want, digest))
		rc = cr_error_set(err, -EBADMSG,
				  "%s is damaged: digest %s instead of %s",
				  path, digest, want);
	return rc;
}

static void *verify_thread(void *arg)
{
	struct verify *v = arg;
	size_t i;

	while ((i = atomic_fetch_add(&v->next, 1)) < v->n) {
		struct cr_error err = { 0 };

		if (!verify_one(v, v->file[i], &err))
			continue;
		pthread_mutex_lock(&v->lock);
		if (!v->err.code)
			v->err = err;
		pthread_mutex_unlock(&v->lock);
		atomic_store(&v->next, v->n);
	}
	return NULL;
}

static void verify_add(struct verify *v, struct json_object *o)
{
	if (o && cr_json_int(o, "exited", -1) < 0)
		v->file[v->n++] = o;
}

/* All files with a digest; cr_gens_read() has accepted the manifest. */
static int verify_collect(struct verify *v, struct json_object *manifest)
{
	struct json_object *worlds = cr_json_array(manifest, "worlds");
	size_t n = 1;

	for (size_t i = 0; i < json_object_array_length(worlds); i++)
		n += json_object_array_length(cr_json_array(
			json_object_array_get_idx(worlds, i), "ranks"));
	v->file = calloc(n, sizeof(*v->file));
	if (!v->file)
		return -ENOMEM;
	verify_add(v, cr_json_object(manifest, "batch"));
	for (size_t i = 0; i < json_object_array_length(worlds); i++) {
		struct json_object *ranks = cr_json_array(
			json_object_array_get_idx(worlds, i), "ranks");

		for (size_t k = 0; k < json_object_array_length(ranks); k++)
			verify_add(v, json_object_array_get_idx(ranks, k));
	}
	return 0;
}

int cr_gens_verify(const char *dir, struct json_object *manifest,
		   struct cr_error *err)
{
	struct verify v = { .dir = dir, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t thread[VERIFY_THREADS];
	int n = 0;

	if (verify_collect(&v, manifest))
		return cr_error_set(err, -ENOMEM, "out of memory");
	while (n < VERIFY_THREADS && n + 1 < (int)v.n &&
	       !pthread_create(&thread[n], NULL, verify_thread, &v))
		n++;
	verify_thread(&v);
	while (n)
		pthread_join(thread[--n], NULL);
	free(v.file);
	if (v.err.code && err)
		*err = v.err;
	return v.err.code;
}

int cr_gens_mark_damaged(const char *dir, const char *why,
			 struct cr_error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" CR_GENS_DAMAGED, dir);
	return cr_copy_text(path, why, 0600, err);
}

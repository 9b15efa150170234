/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader_verify.c - checks the digests of all pages of a context file
 *
 * Some threads, each takes the next run, so that it goes at the speed of the
 * disk or the memory, not at that of one processor.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "image/reader.h"
#include "image/reader_private.h"

#define STEP (256u << 10) /* read, then digested from the cache */
#define THREADS_MAX 8
#define BYTES_PER_THREAD (64u << 20) /* less is not worth one more */

struct verify {
	const struct cr_reader *r;
	atomic_size_t next; /* run */
	pthread_mutex_t lock;
	size_t bad; /* the first run with a fault, and */
	struct cr_error err;
};

static int verify_run(const struct cr_reader *r, const struct cr_run *run,
		      struct cr_digest *digest, uint8_t *buf,
		      struct cr_error *err)
{
	uint8_t bytes[CR_DIGEST_SIZE];
	uint64_t done = 0;

	cr_digest_start(digest);
	while (done < run->stored) {
		uint64_t left = run->stored - done;
		size_t n = left < STEP ? left : STEP;
		int rc = cr_input_read(&r->in, run->offset + done, buf, n, err);

		if (rc)
			return rc;
		cr_digest_add(digest, buf, n);
		done += n;
	}
	cr_digest_get(digest, bytes);
	if (memcmp(bytes, run->digest, CR_DIGEST_SIZE))
		return cr_reader_damaged(r, run, "wrong digest of", err);
	return 0;
}

/* Keeps the fault of the first run, whoever finds one first. */
static void fault(struct verify *v, size_t run, const struct cr_error *err)
{
	pthread_mutex_lock(&v->lock);
	if (!v->err.code || run < v->bad) {
		v->bad = run;
		v->err = *err;
	}
	pthread_mutex_unlock(&v->lock);
	/* Runs before it are taken already; none after it needs to be. */
	atomic_store(&v->next, v->r->img->n_runs);
}

static void *verify_thread(void *arg)
{
	struct verify *v = arg;
	struct cr_digest *digest = cr_digest_create();
	uint8_t *buf = malloc(STEP);
	struct cr_error err = { 0 };
	size_t i;

	if (!digest || !buf) {
		cr_error_set(&err, -ENOMEM, "out of memory");
		fault(v, 0, &err);
	}
	while ((i = atomic_fetch_add(&v->next, 1)) < v->r->img->n_runs)
		if (verify_run(v->r, &v->r->img->runs[i], digest, buf, &err)) {
			fault(v, i, &err);
			break;
		}
	if (digest)
		cr_digest_destroy(digest);
	free(buf);
	return NULL;
}

/* How many more threads are worth it. */
static size_t helpers(const struct cr_image *img)
{
	uint64_t bytes = 0;
	cpu_set_t cpus;
	size_t n, most = 1;

	for (size_t i = 0; i < img->n_runs; i++)
		bytes += img->runs[i].stored;
	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		most = (size_t)CPU_COUNT(&cpus);
	n = bytes / BYTES_PER_THREAD;
	n = n < most ? n : most;
	n = n < THREADS_MAX ? n : THREADS_MAX;
	return n ? n - 1 : 0;
}

int cr_reader_verify(struct cr_reader *r, struct cr_error *err)
{
	struct verify v = { .r = r, .lock = PTHREAD_MUTEX_INITIALIZER };
	size_t wanted = helpers(r->img), n = 0;
	pthread_t threads[THREADS_MAX];
	sigset_t all, old;

	posix_fadvise(r->in.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	/* Signals are for the threads of our caller. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (n < wanted &&
	       !pthread_create(&threads[n], NULL, verify_thread, &v))
		n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	verify_thread(&v);
	while (n)
		pthread_join(threads[--n], NULL);
	pthread_mutex_destroy(&v.lock);
	if (v.err.code)
		return cr_error_set(err, v.err.code, "%s", v.err.text);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transfer.c - pages of a snapshot that the kernel module writes
 *
 * They go from the snapshot's memory into the context file; we get to see
 * where they were and their digests only.  The snapshot never runs, and its
 * pages are its own: the digest is that of what was written.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../kernel-module/uapi/cr.h"
#include "capture/internal.h"

/* With the snapshot pid, by the module if it is there and may. */
int cap_transfer_begin(struct cap_transfer *t, pid_t pid, struct cr_error *err)
{
	const bool must = t->c->opt.engine == CR_ENGINE_MODULE;
	struct cr_engine *e = &t->c->engine;
	int ret;

	t->pid = 0;
	t->n = 0;
	if (!cr_engine_has_pages(e))
		return must ? cr_error_set(err, -EOPNOTSUPP,
					   "the kernel module is too old to "
					   "write pages")
			    : 0;
	ret = cr_engine_attach(e, pid, must ? err : NULL);
	if (!ret)
		t->pid = pid;
	return must ? ret : 0;
}

void cap_transfer_end(struct cap_transfer *t)
{
	if (t->pid)
		cr_engine_detach(&t->c->engine, t->pid);
	t->pid = 0;
}

/* Is it the memory that has failed, not the file? */
static bool of_memory(int status)
{
	return status == -ESRCH || status == -ENOMEM || status == -EFAULT ||
	       status == -EHWPOISON || status == -ENODATA;
}

/*
 * As many of the ranges as one call does; arg remembers how far we are.
 * -ENOTSUP, without a message: this cannot be done with this file.
 */
static int transfer_some(struct cap_transfer *t, struct cr_ioc_pages *arg,
			 struct cr_error *err)
{
	struct cr_range ranges[CAP_RUNS];
	struct cr_range_digest digests[CAP_RUNS];
	struct cr_written_run runs[CAP_RUNS];
	struct cr_image *img = t->c->img;
	uint64_t offset, max_len;
	int ret, status, fd;
	uint32_t i;

	ret = cr_writer_lend(t->w, img, &fd, &offset, &max_len, err);
	if (ret)
		return ret;
	arg->fd = fd;
	arg->offset = offset;
	arg->max_len = max_len;
	arg->runs = (uintptr_t)ranges;
	arg->digests = (uintptr_t)digests;
	arg->max_runs = CAP_RUNS;
	status = cr_engine_pages(&t->c->engine, arg);
	for (i = 0; i < arg->n_runs; i++) {
		runs[i].addr = ranges[i].addr;
		runs[i].len = ranges[i].len;
		memcpy(runs[i].digest, digests[i].bytes, CR_DIGEST_BYTES);
	}
	t->c->stats.module_bytes += arg->offset - offset;
	/* Not every file system can be written to from within the kernel. */
	if (status == -EINVAL && !t->c->stats.module_bytes) {
		ret = cr_writer_give_back(t->w, img, t->space, NULL, 0, 0, err);
		return ret ? ret : -ENOTSUP;
	}
	ret = cr_writer_give_back(t->w, img, t->space, runs,
				  status ? 0 : arg->n_runs,
				  of_memory(status) ? 0 : status, err);
	if (!ret && status)
		ret = cr_error_set(err, status, "its snapshot's memory: %s",
				   strerror(-status));
	return ret;
}

int cap_transfer_flush(struct cap_transfer *t, struct cr_error *err)
{
	struct cr_ioc_pages arg = {
		.pid = t->pid,
		.ranges = (uintptr_t)t->ranges,
		.n_ranges = (uint32_t)t->n,
		.flags = t->keep_zeros ? 0 : CR_PAGES_NO_ZEROS,
	};
	size_t i;
	int ret = 0;

	_Static_assert(sizeof(t->ranges[0]) == sizeof(struct cr_range), "");
	while (!ret && arg.next_range < arg.n_ranges) {
		ret = transfer_some(t, &arg, err);
		if (!ret && cap_cancelled(t->c, err))
			ret = -ECANCELED;
	}
	if (ret == -ENOTSUP) { /* nothing was written */
		cap_transfer_end(t);
		for (ret = 0, i = 0; i < t->n && !ret; i++)
			ret = t->by_hand(t->by_hand_arg, t->ranges[i].addr,
					 t->ranges[i].len, t->keep_zeros, err);
	}
	t->n = 0;
	return ret;
}

int cap_transfer_add(struct cap_transfer *t, uint64_t addr, uint64_t len,
		     bool keep_zeros, struct cr_error *err)
{
	int ret = 0;

	if (t->n && (t->n == CAP_RANGES || t->keep_zeros != keep_zeros))
		ret = cap_transfer_flush(t, err);
	if (ret)
		return ret;
	if (!t->pid)
		return t->by_hand(t->by_hand_arg, addr, len, keep_zeros, err);
	t->keep_zeros = keep_zeros;
	t->ranges[t->n].addr = addr;
	t->ranges[t->n].len = len;
	t->n++;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify.c - everything that can be known to fail before anything is made */
#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects/object.h"
#include "restore/build.h"

#define XSAVE_LEGACY 512   /* x87 and SSE */
#define XSAVE_HEADER 64	   /* begins with the mask of what is in use */
#define XFEATURES_AVX 0x7u /* x87, SSE, AVX: at the same place everywhere */
#define HIGHEST_TID (1 << 22)

/* The extended states that this kernel saves, and the room they take. */
static int own_xsave(uint64_t *features, uint32_t *size)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return -ENOTSUP;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	*features = (uint64_t)d << 32 | a;
	if (!__get_cpuid_count(13, 0, &a, &b, &c, &d))
		return -ENOTSUP;
	*size = b;
	return 0;
}

/*
 * Every component in use must exist here and lie at the same place.  The
 * image does not say where it lay; the size of the whole tells apart the
 * layouts that exist, and up to AVX there is but one.
 */
static int check_xstate(const struct cr_process *p, const struct cr_thread *th,
			uint64_t features, uint32_t size, struct cr_error *err)
{
	uint64_t used;

	if (!th->xstate.len)
		return 0;
	if (th->xstate.len < XSAVE_LEGACY + XSAVE_HEADER)
		return cr_error_set(err, -EINVAL,
				    "process %d: thread %d: its extended "
				    "registers are cut short",
				    p->pid, th->tid);
	memcpy(&used, (char *)th->xstate.data + XSAVE_LEGACY, sizeof(used));
	if (used & ~features)
		return cr_error_set(err, -ENOTSUP,
				    "process %d: thread %d uses processor "
				    "features that this node has not "
				    "(xsave components 0x%" PRIx64 ")",
				    p->pid, th->tid, used & ~features);
	if ((used & ~(uint64_t)XFEATURES_AVX) && th->xstate.len != size)
		return cr_error_set(err, -ENOTSUP,
				    "process %d: thread %d: this processor "
				    "lays out extended registers differently "
				    "(%u bytes instead of %zu)",
				    p->pid, th->tid, size, th->xstate.len);
	return 0;
}

int cr_verify_machine(struct cr_restore_context *ctx, struct cr_error *err)
{
	const struct cr_image *img = ctx->img;
	uint64_t features = 0;
	uint32_t size = 0;

	if (img->page_size && img->page_size != (uint32_t)getpagesize())
		return cr_error_set(err, -ENOTSUP,
				    "the image has pages of %u bytes, this "
				    "kernel has %d",
				    img->page_size, getpagesize());
	if (own_xsave(&features, &size) < 0)
		return cr_error_set(err, -ENOTSUP,
				    "this processor or kernel "
				    "has no XSAVE");
	if (img->xfeatures & ~features)
		return cr_error_set(err, -ENOTSUP,
				    "the image uses processor features that "
				    "this node has not (xsave components "
				    "0x%" PRIx64 ")",
				    img->xfeatures & ~features);
	for (size_t i = 0; i < img->n_procs; i++)
		for (size_t k = 0; k < img->procs[i].n_threads; k++) {
			int ret = check_xstate(&img->procs[i],
					       &img->procs[i].threads[k],
					       features, size, err);

			if (ret < 0)
				return ret;
		}
	for (size_t i = 0; i < img->n_mms; i++) {
		int ret = cr_vdso_verify(ctx, &img->mms[i], err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int verify_directory(struct cr_restore_context *ctx,
			    const struct cr_process *p, const char *path,
			    const char *what, struct cr_error *err)
{
	struct stat st;

	path = cr_restore_path(ctx, path);
	if (!path)
		return 0;
	if (stat(path, &st) < 0)
		return cr_error_set(err, -errno, "process %d: %s %s: %s",
				    p->pid, what, path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return cr_error_set(err, -ENOTDIR,
				    "process %d: %s %s is no directory", p->pid,
				    what, path);
	return 0;
}

/* The supervisor takes as many as it may, and its children have them from it. */
static int verify_numbers(const struct cr_process *p, struct cr_error *err)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return 0;
	for (size_t i = 0; i < p->n_fds; i++)
		if ((rlim_t)p->fds[i].fd >= files.rlim_max)
			return cr_error_set(
				err, -EMFILE,
				"process %d has a descriptor %d, and a process "
				"may have %llu here; raise that (ulimit -Hn)",
				p->pid, p->fds[i].fd,
				(unsigned long long)files.rlim_max);
	return 0;
}

/* Shapes that are not restored; the reader has checked all indexes. */
static int verify_process(struct cr_restore_context *ctx, size_t i,
			  struct cr_error *err)
{
	const struct cr_process *p = &ctx->img->procs[i];
	int ret;

	if (p->pid <= 0 || p->pid >= HIGHEST_TID)
		return cr_error_set(err, -EINVAL, "process id %d", p->pid);
	if (p->kind == CR_PROC_ZOMBIE) {
		if (p->pid == ctx->img->root_pid)
			return cr_error_set(err, -ESRCH,
					    "process %d had ended already",
					    p->pid);
		return 0;
	}
	if (p->kind == CR_PROC_NORMAL && !p->n_threads)
		return cr_error_set(err, -EINVAL, "process %d has no thread",
				    p->pid);
	if (p->kind == CR_PROC_NORMAL && p->threads[0].tid != p->pid)
		return cr_error_set(err, -ENOTSUP,
				    "process %d: its first thread had ended "
				    "before the others",
				    p->pid);
	ret = verify_directory(ctx, p, p->cwd, "working directory", err);
	if (!ret)
		ret = verify_directory(ctx, p, p->root, "root directory", err);
	return ret ? ret : verify_numbers(p, err);
}

static int verify_object(struct cr_restore_context *ctx, size_t i,
			 struct cr_error *err)
{
	const struct cr_file *f = &ctx->img->files[i];
	const struct cr_object_ops *ops = cr_object_ops_of(f->kind);
	struct cr_file moved = *f;
	int ret;

	if (!ops)
		return cr_error_set(err, -ENOTSUP,
				    "open file %zu is of a kind (%u) that "
				    "this version cannot restore",
				    i, f->kind);
	moved.id.path = (char *)(uintptr_t)cr_restore_path(ctx, f->id.path);
	ret = ops->verify ? ops->verify(ctx->img, &moved, err) : 0;
	if (!ret)
		ret = cr_regular_verify_append(ctx, &moved, err);
	if (ret < 0)
		return cr_error_set(err, ret, "%s%s%s: %s", ops->name,
				    f->id.path ? " " : "",
				    f->id.path ? f->id.path : "",
				    strerror(-ret));
	return 0;
}

int cr_verify_found(struct cr_restore_context *ctx, int ret,
		    struct cr_error *err)
{
	if (ret >= 0 || !ctx->opt->found)
		return ret;
	if (!ctx->n_found++)
		ctx->first_found = ret;
	ctx->opt->found(err->text, ctx->opt->found_arg);
	cr_error_clear(err);
	return 0;
}

int cr_verify(struct cr_restore_context *ctx, struct cr_error *err)
{
	struct cr_plan_options plan = {
		.restore_pgid = ctx->opt->restore_pgid,
		.restore_sid = ctx->opt->restore_sid,
	};
	int ret;

	ret = cr_plan_create(&ctx->plan, ctx->img, &plan, err);
	if (!ret)
		ret = cr_vdso_find(&ctx->vdso, err);
	for (size_t i = 0; !ret && i < ctx->img->n_procs; i++)
		ret = cr_verify_found(ctx, verify_process(ctx, i, err), err);
	if (!ret)
		ret = cr_verify_found(ctx, cr_verify_machine(ctx, err), err);
	if (!ret)
		ret = cr_verify_found(ctx, cr_verify_memory(ctx, err), err);
	if (!ret)
		ret = cr_huge_verify(ctx, err);
	if (!ret)
		ret = cr_verify_found(ctx, cr_verify_identity(ctx, err), err);
	if (!ret)
		ret = cr_verify_found(ctx, cr_filters_verify(ctx, err), err);
	if (!ret)
		ret = cr_verify_mapped(ctx, err);
	for (size_t i = 0; !ret && i < ctx->img->n_files; i++)
		ret = cr_verify_found(ctx, verify_object(ctx, i, err), err);
	/* what takes long comes last */
	if (!ret)
		ret = cr_verify_found(ctx, cr_reader_verify(ctx->reader, err),
				      err);
	return ret;
}

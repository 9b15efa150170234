/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* context.c - the supervisor's state, and what object kinds may ask of it */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "restore/build.h"

/* What an object_id became: for pipes and others with several files. */
struct cr_object_memory {
	struct cr_object_memory *next;
	uint32_t kind;
	uint64_t object_id;
	int which, fd;
};

struct cr_path {
	struct cr_path *next;
	char text[];
};

static int by_number(const void *a, const void *b)
{
	const int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* The descriptors of the program, in order. */
static int list_wanted(struct cr_restore_context *ctx)
{
	const struct cr_image *img = ctx->img;
	size_t n = 0;

	for (size_t i = 0; i < img->n_procs; i++)
		n += img->procs[i].n_fds;
	ctx->wanted_fd = malloc((n + 1) * sizeof(int));
	if (!ctx->wanted_fd)
		return -ENOMEM;
	for (size_t i = 0; i < img->n_procs; i++)
		for (size_t k = 0; k < img->procs[i].n_fds; k++)
			ctx->wanted_fd[ctx->n_wanted_fds++] =
				img->procs[i].fds[k].fd;
	qsort(ctx->wanted_fd, n, sizeof(int), by_number);
	return 0;
}

int cr_context_create(struct cr_restore_context **out, struct cr_reader *r,
		      const struct cr_restore_options *opt,
		      struct cr_error *err)
{
	struct cr_restore_context *ctx = calloc(1, sizeof(*ctx));
	struct cr_image *img = cr_reader_image(r);

	*out = ctx;
	if (!ctx)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ctx->reader = r;
	ctx->img = img;
	ctx->opt = opt;
	ctx->parked = 2;
	ctx->channel = -1;
	ctx->image_fd = -1;
	ctx->late[0] = ctx->late[1] = -1;
	ctx->engine.fd = -1;
	ctx->requester = getpid();
	if (cr_context_note_image(ctx, err))
		return err->code;
	ctx->file_fd = malloc((img->n_files + 1) * sizeof(int));
	ctx->mapped_fd = malloc((img->n_mapped + 1) * sizeof(int));
	ctx->shm_fd = malloc((img->n_shms + 1) * sizeof(int));
	ctx->shm_readonly = malloc((img->n_shms + 1) * sizeof(int));
	ctx->mapped_readonly = malloc((img->n_mapped + 1) * sizeof(int));
	if (!ctx->file_fd || !ctx->mapped_fd || !ctx->shm_fd ||
	    !ctx->shm_readonly || !ctx->mapped_readonly || list_wanted(ctx))
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < img->n_files; i++)
		ctx->file_fd[i] = -1;
	for (size_t i = 0; i < img->n_mapped; i++)
		ctx->mapped_fd[i] = ctx->mapped_readonly[i] = -1;
	for (size_t i = 0; i < img->n_shms; i++)
		ctx->shm_fd[i] = ctx->shm_readonly[i] = -1;
	return 0;
}

void cr_context_forget(struct cr_restore_context *ctx)
{
	for (struct cr_object_memory *m = ctx->memory; m; m = m->next)
		if (m->fd > STDERR_FILENO)
			close(m->fd);
}

void cr_context_destroy(struct cr_restore_context *ctx)
{
	if (!ctx)
		return;
	while (ctx->memory) {
		struct cr_object_memory *m = ctx->memory;

		ctx->memory = m->next;
		free(m);
	}
	while (ctx->paths) {
		struct cr_path *p = ctx->paths;

		ctx->paths = p->next;
		free(p);
	}
	if (ctx->stubs)
		for (size_t i = 0; i < ctx->plan->n_stubs; i++)
			free(ctx->stubs[i].tasks);
	free(ctx->stubs);
	cr_plan_destroy(ctx->plan);
	free(ctx->bench.shm);
	free(ctx->bench.readonly);
	free(ctx->sysv_made);
	free(ctx->file_fd);
	free(ctx->mapped_fd);
	free(ctx->shm_fd);
	free(ctx->mapped_readonly);
	free(ctx->shm_readonly);
	free(ctx->wanted_fd);
	free(ctx);
}

static bool is_wanted(const struct cr_restore_context *ctx, int fd)
{
	return bsearch(&fd, ctx->wanted_fd, ctx->n_wanted_fds, sizeof(int),
		       by_number);
}

/* No duplicate may be closed again: that ends the module's session. */
static int duplicate(struct cr_restore_context *ctx, int fd, int from)
{
	while (is_wanted(ctx, from) || fcntl(from, F_GETFD) >= 0)
		from++;
	ctx->parked = from;
	return fcntl(fd, F_DUPFD_CLOEXEC, from);
}

int cr_context_park_fd(struct cr_restore_context *ctx, int *fd,
		       struct cr_error *err)
{
	int to;

	if (*fd > 2 && !is_wanted(ctx, *fd))
		return 0;
	to = duplicate(ctx, *fd, ctx->parked + 1);
	if (to < 0) /* some below may be free again */
		to = duplicate(ctx, *fd, 3);
	if (to < 0)
		return cr_error_set(err, -errno,
				    "no descriptor number is left for the "
				    "restart itself (see ulimit -n): %s",
				    strerror(errno));
	*fd = to;
	return 0;
}

int cr_restore_lookup(struct cr_restore_context *ctx, uint32_t kind,
		      uint64_t object_id, int which, int *fd)
{
	for (struct cr_object_memory *m = ctx->memory; m; m = m->next)
		if (m->kind == kind && m->object_id == object_id &&
		    m->which == which) {
			*fd = m->fd;
			return 0;
		}
	return -ENOENT;
}

int cr_restore_remember(struct cr_restore_context *ctx, uint32_t kind,
			uint64_t object_id, int which, int fd)
{
	struct cr_object_memory *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m = (struct cr_object_memory){ ctx->memory, kind, object_id, which,
					fd };
	ctx->memory = m;
	return 0;
}

/* Does path lie in (or is it) the directory or file old? */
static bool below(const char *path, const char *old, size_t len)
{
	return !strncmp(path, old, len) &&
	       (path[len] == '\0' || path[len] == '/');
}

const char *cr_restore_path(struct cr_restore_context *ctx, const char *path)
{
	const struct cr_rstrt_relocate *rel = ctx->opt->relocate;

	for (int i = 0; path && rel && i < rel->count; i++) {
		const char *to = rel->path[i].newpath;
		size_t len = strlen(rel->path[i].oldpath);
		struct cr_path *p;

		while (len && rel->path[i].oldpath[len - 1] == '/')
			len--; /* nothing is left of the root */
		if (!below(path, rel->path[i].oldpath, len))
			continue;
		p = malloc(sizeof(*p) + strlen(to) + strlen(path) + 1);
		if (!p)
			return NULL;
		strcpy(p->text, to);
		for (size_t n = strlen(to);
		     n > 1 && p->text[n - 1] == '/' && path[len];)
			p->text[--n] = '\0';
		strcat(p->text, path + len);
		p->next = ctx->paths;
		ctx->paths = p;
		return p->text;
	}
	return path;
}

bool cr_restore_grown(struct cr_restore_context *ctx, const char *path)
{
	for (int i = 0; i < ctx->opt->n_grown; i++)
		if (!strcmp(ctx->opt->grown[i], path))
			return true;
	return false;
}

int cr_context_note_image(struct cr_restore_context *ctx, struct cr_error *err)
{
	if (!fstat(cr_reader_fd(ctx->reader), &ctx->image))
		return 0;
	return cr_error_set(err, -errno, "context file: %s", strerror(errno));
}

int cr_context_same_image(struct cr_restore_context *ctx, struct cr_error *err)
{
	struct stat now;

	if (!fstat(cr_reader_fd(ctx->reader), &now) &&
	    now.st_size == ctx->image.st_size &&
	    now.st_mtim.tv_sec == ctx->image.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == ctx->image.st_mtim.tv_nsec)
		return 0;
	return cr_error_set(err, -ESTALE,
			    "the context file was written to while it was "
			    "read; restart it once it is complete");
}

enum cr_restore_append cr_restore_append(struct cr_restore_context *ctx)
{
	return ctx->opt->append;
}

bool cr_restore_is_image(struct cr_restore_context *ctx, const struct stat *st)
{
	struct stat img;

	return !fstat(cr_reader_fd(ctx->reader), &img) &&
	       img.st_dev == st->st_dev && img.st_ino == st->st_ino;
}

int cr_restore_stdio(struct cr_restore_context *ctx, int n)
{
	if (n < 0 || n > 2)
		return -1;
	return ctx->opt->stdio[n];
}

const struct cr_image *cr_restore_image(const struct cr_restore_context *ctx)
{
	return ctx->img;
}

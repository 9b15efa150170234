/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restorer.c - the restorer's side, as far as objects need it in tests */
#include "objects/test/restorer.h"

#include <errno.h>
#include <unistd.h>

static struct {
	uint32_t kind;
	uint64_t id;
	int which, fd;
} memory[16];
static int n_memory;
int restorer_stdio[3] = { 0, 1, 2 };
bool restorer_is_image;

int cr_restore_lookup(struct cr_restore_context *ctx, uint32_t kind,
		      uint64_t id, int which, int *fd)
{
	int i;

	for (i = 0; i < n_memory; i++)
		if (memory[i].kind == kind && memory[i].id == id &&
		    memory[i].which == which) {
			*fd = memory[i].fd;
			return 0;
		}
	return -ENOENT;
}

int cr_restore_remember(struct cr_restore_context *ctx, uint32_t kind,
			uint64_t id, int which, int fd)
{
	memory[n_memory].kind = kind;
	memory[n_memory].id = id;
	memory[n_memory].which = which;
	memory[n_memory++].fd = fd;
	return 0;
}

const char *cr_restore_path(struct cr_restore_context *ctx, const char *path)
{
	return path;
}

int cr_restore_stdio(struct cr_restore_context *ctx, int n)
{
	return restorer_stdio[n];
}

/* Other files and processes: the system tests have them. */
int cr_restore_file(struct cr_restore_context *ctx, uint32_t file)
{
	return -1;
}

int cr_restore_shared(struct cr_restore_context *ctx, uint32_t shm, int fd,
		      struct cr_error *err)
{
	return -EINVAL;
}

enum cr_restore_append cr_restore_append(struct cr_restore_context *ctx)
{
	return CR_APPEND_KEEP;
}

bool cr_restore_grown(struct cr_restore_context *ctx, const char *path)
{
	return false;
}

bool cr_restore_is_image(struct cr_restore_context *ctx, const struct stat *st)
{
	return restorer_is_image;
}

const struct cr_image *cr_restore_image(const struct cr_restore_context *ctx)
{
	return NULL;
}

int cr_restore_fd_of(struct cr_restore_context *ctx, int32_t pid,
		     const struct cr_file *file)
{
	return -1;
}

int cr_restore_call(struct cr_restore_context *ctx, int32_t pid,
		    const char *what, long nr, const uint64_t args[6], int at,
		    const void *data, size_t len, struct cr_error *err)
{
	return -ESRCH;
}

void restorer_forget(void)
{
	while (n_memory)
		close(memory[--n_memory].fd);
}

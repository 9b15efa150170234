/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stdio.c - a terminal, pipe or socket of standard input or output whose
 * other end is not in the tree: the restart command's own takes its place
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/unix_diag.h"
#include "restore/restore.h"

static bool is_terminal(const struct cr_object_source *src)
{
	unsigned int m = major(src->st.st_rdev);

	return S_ISCHR(src->st.st_mode) &&
	       (m == 4 || m == 5 || (m >= 136 && m <= 143));
}

static int number_of(const struct cr_object_source *src)
{
	int n = cr_object_tree_stdio(src->tree, src);

	if (n < 0 && is_terminal(src) &&
	    src->st.st_rdev == makedev(5, 0)) /* /dev/tty */
		n = cr_object_tree_terminal(src->tree);
	return n;
}

static bool claims(const struct cr_object_source *src)
{
	uint32_t peer;

	if (number_of(src) < 0)
		return false;
	if (S_ISSOCK(src->st.st_mode)) {
		/* both ends inside: the other one would wait for ever */
		peer = cr_unix_peer(src->st.st_ino);
		return !peer || !cr_object_tree_has_socket(src->tree, peer);
	}
	if (S_ISFIFO(src->st.st_mode))
		return !cr_object_tree_has_peer(src->tree, src);
	return is_terminal(src);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	file->object_id = cr_object_id(&src->st);
	file->stdio_fd = number_of(src);
	file->id.mode = src->st.st_mode;
	file->id.path = strdup(src->link);
	return file->id.path ? 0 : cr_error_set(err, -ENOMEM, "out of memory");
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	int have = cr_restore_stdio(ctx, file->stdio_fd), fd;

	if (have < 0)
		return cr_error_set(err, -EBADF,
				    "the program needs a descriptor %d, which "
				    "this command does not have",
				    file->stdio_fd);
	fd = fcntl(have, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return cr_error_set(err, -errno, "descriptor %d: %s", have,
				    strerror(errno));
	return fd;
}

const struct cr_object_ops cr_object_stdio = {
	.kind = CR_OBJ_STDIO,
	.name = "standard input or output",
	.claims = claims,
	.capture = capture,
	.restore = restore,
};

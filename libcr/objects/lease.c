/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lease.c - leases on files (F_SETLEASE)
 *
 * The kernel remembers by which number a lease was asked for, and tells it in
 * the signal of its break; so it is asked for by this number again, in the
 * supervisor, where numbers that the program uses are free.  Whoever opens a
 * file breaks a lease on it, we as well: a leased file may only be looked at
 * by its descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/procfs.h"
#include "objects/lock.h"
#include "restore/restore.h"

/* Does it have this file, or a part of it, in its memory? */
static bool maps(pid_t pid, const char *path)
{
	char *text = cr_procfs_read(pid, NULL, "maps");
	size_t n = strlen(path);
	bool found = false;

	for (char *p = text; p && !found; p = strstr(p + 1, path))
		found = p != text && p[-1] == ' ' && p[n] == '\n';
	free(text);
	return found;
}

static bool is_memory(const struct cr_object_source *src)
{
	pid_t pid, last = 0;
	int fd;

	for (size_t i = 0; cr_object_tree_any(src->tree, i, &pid, &fd); i++) {
		if (pid != last && maps(pid, src->link))
			return true;
		last = pid;
	}
	return false;
}

int cr_lease_check(const struct cr_object_source *src, struct cr_error *err)
{
	const char *why = NULL;

	if (!src->st.st_nlink)
		why = "has no name any more and a lease";
	else if (is_memory(src))
		why = "has a lease and is memory of a process as well";
	return why ? cr_error_set(err, -ENOTSUP,
				  "%s %s, which cannot be saved; give the "
				  "lease back before the checkpoint",
				  cr_object_label(src), why)
		   : 0;
}

static int ask(int fd, bool exclusive)
{
	struct f_owner_ex owner = { 0 };

	if (fcntl(fd, F_GETOWN_EX, &owner) ||
	    fcntl(fd, F_SETLEASE, exclusive ? F_WRLCK : F_RDLCK))
		return -errno;
	/* who asked first has died: the caller must not take its place */
	if (!owner.pid && fcntl(fd, F_SETOWN, 0))
		return -errno;
	return 0;
}

/* By this number, which is lent to it for the moment. */
static int ask_as(int fd, int number, bool exclusive)
{
	int kept = fcntl(number, F_DUPFD_CLOEXEC, 3), ret;

	if (dup2(fd, number) < 0) {
		ret = -errno;
	} else {
		ret = ask(number, exclusive);
		if (kept >= 0)
			dup2(kept, number);
		else
			close(number);
	}
	if (kept >= 0)
		close(kept);
	return ret;
}

int cr_lease_take(struct cr_restore_context *ctx, const struct cr_file *file,
		  const struct cr_lock *l, int fd, struct cr_error *err)
{
	int number = l->pid ? cr_restore_fd_of(ctx, l->pid, file) : -1;
	int ret = number < 0 || number == fd ? ask(fd, l->exclusive)
					     : ask_as(fd, number, l->exclusive);

	return ret ? cr_error_set(
			     err, ret,
			     "%s: its %s lease cannot be taken again: %s%s",
			     file->id.path, l->exclusive ? "write" : "read",
			     strerror(-ret),
			     ret == -EAGAIN ? " (somebody else has it open)"
					    : "")
		   : 0;
}

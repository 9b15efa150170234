/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pty_restore.c - pseudo terminals come back with the numbers they had */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "objects/pty.h"
#include "objects/record.h"
#include "restore/restore.h"

#define MOST_TRIES 4096 /* kernel.pty.max as a rule */

int cr_pty_look(const struct cr_image *img, struct cr_error *err)
{
	struct cr_pty_state s = { 0 };
	struct stat st;
	char path[32];
	int ret = 0;

	for (size_t i = 0; !ret && i < img->n_files; i++) {
		if (img->files[i].kind != CR_OBJ_PTY)
			continue;
		ret = cr_object_unrecord(&img->files[i], cr_pty_record, &s,
					 err);
		snprintf(path, sizeof(path), "/dev/pts/%u", s.index);
		if (!ret && s.role == CR_PTY_MASTER && !stat(path, &st))
			ret = cr_error_set(err, -EEXIST,
					   "the pseudo terminal %s is in use "
					   "by another program; use "
					   "--no-restore-pid",
					   path);
		cr_pty_free(&s);
	}
	return ret;
}

/* The kernel gives out the lowest number that is free. */
static int open_number(uint32_t index, struct cr_error *err)
{
	int *fd = malloc(MOST_TRIES * sizeof(*fd)), n = 0, got = -1, ret = 0;
	unsigned int is = 0;

	while (fd && !ret && got < 0 && n < MOST_TRIES) {
		fd[n] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd[n] < 0) {
			ret = cr_error_set(err, -errno, "/dev/ptmx: %s",
					   strerror(errno));
			break;
		}
		if (ioctl(fd[n], TIOCGPTN, &is) || is > index)
			ret = cr_error_set(err, -EEXIST,
					   "/dev/pts/%u is in use", index);
		if (!ret && is == index)
			got = fd[n];
		else
			n++;
	}
	while (fd && n-- > 0)
		close(fd[n]);
	free(fd);
	return got >= 0 ? got
	       : ret	? ret
			: cr_error_set(err, -EEXIST, "/dev/pts/%u is in use",
				       index);
}

static int set_node(const struct cr_pty_state *s, struct cr_error *err)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/pts/%u", s->index);
	/* the group of terminals may be unknown in a namespace */
	if (chown(path, s->uid, s->gid) && chown(path, s->uid, (gid_t)-1) &&
	    s->uid != geteuid())
		return cr_error_set(err, -errno, "%s: owner: %s", path,
				    strerror(errno));
	if (chmod(path, s->mode))
		return cr_error_set(err, -errno, "%s: mode: %s", path,
				    strerror(errno));
	return 0;
}

static int set_up(int master, const struct cr_pty_state *s, int *slave,
		  struct cr_error *err)
{
	struct winsize size = { (unsigned short)s->row, (unsigned short)s->col,
				(unsigned short)s->xpixel,
				(unsigned short)s->ypixel };
	int no = 0, ret;

	*slave = -1;
	if (s->termios.len != sizeof(struct termios2))
		return cr_error_set(err, -EINVAL, "settings of %zu bytes",
				    s->termios.len);
	if (ioctl(master, TIOCSPTLCK, &no) ||
	    ioctl(master, TIOCSWINSZ, &size) ||
	    ioctl(master, TCSETS2, s->termios.data))
		return cr_error_set(err, -errno, "/dev/pts/%u: settings: %s",
				    s->index, strerror(errno));
	ret = set_node(s, err);
	if (ret || (!s->slave && !s->hung && !s->sid))
		return ret;
	*slave = cr_pty_peer(master, O_RDWR | O_NONBLOCK);
	if (*slave < 0)
		return cr_error_set(err, -errno, "/dev/pts/%u: %s", s->index,
				    strerror(errno));
	return cr_pty_fill_queues(master, *slave, s, err);
}

static int make(struct cr_restore_context *ctx, const struct cr_file *file,
		const struct cr_pty_state *s, struct cr_error *err)
{
	int master = open_number(s->index, err), slave, ret;

	if (master < 0)
		return master;
	ret = set_up(master, s, &slave, err);
	if (!ret &&
	    cr_restore_remember(ctx, CR_OBJ_PTY, file->object_id, 0, master))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	if (!ret && slave >= 0 &&
	    cr_restore_remember(ctx, CR_OBJ_PTY, file->object_id, 1, slave))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	return ret;
}

/* The master of the same pair, which may come later in the image. */
static int make_pair(struct cr_restore_context *ctx, uint64_t id,
		     struct cr_error *err)
{
	const struct cr_image *img = cr_restore_image(ctx);
	struct cr_pty_state s = { 0 };
	bool found = false;
	int ret = 0;

	for (size_t i = 0; !ret && !found && i < img->n_files; i++) {
		const struct cr_file *f = &img->files[i];

		if (f->kind != CR_OBJ_PTY || f->object_id != id)
			continue;
		ret = cr_object_unrecord(f, cr_pty_record, &s, err);
		found = !ret && s.role == CR_PTY_MASTER;
		if (found)
			ret = make(ctx, f, &s, err);
		cr_pty_free(&s);
	}
	return ret || found ? ret
			    : cr_error_set(err, -EINVAL,
					   "its master is not in the image");
}

int cr_pty_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	struct cr_pty_state s = { 0 };
	int master, fd, ret;
	uint32_t role;

	ret = cr_object_unrecord(file, cr_pty_record, &s, err);
	role = s.role;
	cr_pty_free(&s);
	if (!ret &&
	    cr_restore_lookup(ctx, CR_OBJ_PTY, file->object_id, 0, &master))
		ret = make_pair(ctx, file->object_id, err);
	if (!ret &&
	    cr_restore_lookup(ctx, CR_OBJ_PTY, file->object_id, 0, &master))
		ret = cr_error_set(err, -EINVAL, "it was not made");
	if (ret)
		return ret;
	if (role == CR_PTY_MASTER) {
		fd = cr_object_another(master, err);
		ret = fd < 0 ? 0 : cr_object_set_flags(fd, file);
		if (!ret)
			return fd;
		close(fd);
		return cr_error_set(err, ret, "flags: %s", strerror(-ret));
	}
	fd = cr_pty_peer(master, cr_object_open_flags(file));
	return fd < 0 ? cr_error_set(err, -errno, "opening it: %s",
				     strerror(errno))
		      : fd;
}

/* All its ends are open now: what would be in the way of that. */
int cr_pty_connect(struct cr_restore_context *ctx, const struct cr_file *file,
		   int fd, struct cr_error *err)
{
	struct cr_pty_state s = { 0 };
	int one = 1, slave, ret;

	ret = cr_object_unrecord(file, cr_pty_record, &s, err);
	if (!ret && s.role == CR_PTY_MASTER) {
		if (cr_restore_lookup(ctx, CR_OBJ_PTY, file->object_id, 1,
				      &slave))
			slave = -1;
		if ((s.packet && ioctl(fd, TIOCPKT, &one)) ||
		    (s.locked && ioctl(fd, TIOCSPTLCK, &one)) ||
		    (s.exclusive && slave >= 0 && ioctl(slave, TIOCEXCL)))
			ret = cr_error_set(err, -errno, "/dev/pts/%u: %s",
					   s.index, strerror(errno));
	}
	cr_pty_free(&s);
	return ret;
}

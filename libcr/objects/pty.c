/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pty.c - pseudo terminals with both ends in the tree
 *
 * The master's description stands for the pair: settings, size, what is on
 * its way, and the session that it is the terminal of.
 */
#include "objects/pty.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/procfs.h"
#include "objects/kinds.h"
#include "objects/record.h"

void cr_pty_record(struct cr_pack *p, void *state)
{
	struct cr_pty_state *s = state;

	cr_pack_u32(p, &s->role);
	cr_pack_u32(p, &s->index);
	cr_pack_blob(p, &s->termios);
	cr_pack_u32(p, &s->row);
	cr_pack_u32(p, &s->col);
	cr_pack_u32(p, &s->xpixel);
	cr_pack_u32(p, &s->ypixel);
	cr_pack_bool(p, &s->locked);
	cr_pack_bool(p, &s->packet);
	cr_pack_bool(p, &s->exclusive);
	cr_pack_bool(p, &s->slave);
	cr_pack_bool(p, &s->hung);
	cr_pack_u32(p, &s->uid);
	cr_pack_u32(p, &s->gid);
	cr_pack_u32(p, &s->mode);
	cr_pack_s32(p, &s->sid);
	cr_pack_s32(p, &s->pgid);
	CR_PACK_ARRAY(p, s->input, s->n_input, 12);
	for (size_t i = 0; i < s->n_input && !p->status; i++) {
		cr_pack_u32(p, &s->input[i].kind);
		cr_pack_blob(p, &s->input[i].data);
	}
	cr_pack_blob(p, &s->output);
}

void cr_pty_free(struct cr_pty_state *s)
{
	for (size_t i = 0; s->input && i < s->n_input; i++)
		free(s->input[i].data.data);
	free(s->input);
	free(s->output.data);
	free(s->termios.data);
	memset(s, 0, sizeof(*s));
}

/* The number of the pair, or -1; /dev/tty is asked, the others show it. */
static int64_t index_of(const struct cr_object_source *src)
{
	unsigned int dev = 0;
	int64_t index;
	int fd;

	if (!S_ISCHR(src->st.st_mode))
		return -1;
	index = cr_object_terminal(src);
	if (index >= 0 || src->st.st_rdev != makedev(5, 0) ||
	    cr_object_flags(src) & O_PATH)
		return index;
	fd = cr_object_dup(src, NULL);
	if (fd < 0)
		return -1;
	if (!ioctl(fd, TIOCGDEV, &dev) && (dev >> 8 & 0xfff) == 136)
		index = (dev & 0xff) | (dev >> 12 & ~0xffu);
	cr_object_undup(src, fd);
	return index;
}

static bool is_master(const struct cr_object_source *src)
{
	return src->st.st_rdev == makedev(5, 2);
}

static bool claims(const struct cr_object_source *src)
{
	int64_t index = index_of(src);

	return index >= 0 && !(cr_object_flags(src) & O_PATH) &&
	       (is_master(src) ||
		cr_object_tree_terminal_end(src->tree, index, true));
}

static int refuse(const struct cr_object_source *src, const char *what,
		  const char *todo, struct cr_error *err)
{
	return cr_error_set(err, -ENOTSUP,
			    "%s is a pseudo terminal (/dev/pts/%d) %s, which "
			    "cannot be saved; %s",
			    cr_object_label(src), (int)index_of(src), what,
			    todo);
}

/* As the program calls them, whose terminal it is. */
static int read_session(const struct cr_object_source *src, int master,
			struct cr_pty_state *s, struct cr_error *err)
{
	unsigned int dev = 0;
	int sid = 0, pgid = 0, fd;
	struct cr_procfs_stat st;
	pid_t pid;

	s->sid = s->pgid = 0;
	if (ioctl(master, TIOCGSID, &sid) || sid <= 0)
		return 0;
	s->sid = src->number(src, sid, false);
	if (!s->sid)
		return refuse(src,
			      "of a session whose leader is not among those "
			      "to be saved",
			      "checkpoint them together", err);
	if (!ioctl(master, TIOCGPGRP, &pgid) && pgid > 0)
		s->pgid = src->group(src, pgid);
	ioctl(master, TIOCGDEV, &dev);
	for (size_t i = 0; cr_object_tree_any(src->tree, i, &pid, &fd); i++)
		if (!cr_procfs_stat(pid, &st) && st.session == sid &&
		    (unsigned int)st.tty_nr != dev && st.state != 'Z')
			return refuse(src,
				      "that a process of its session has given "
				      "up",
				      "checkpoint without it", err);
	return 0;
}

static int check_master(const struct cr_object_source *src, int master,
			struct cr_pty_state *s, struct cr_error *err)
{
	struct pollfd p = { master, POLLIN | POLLPRI, 0 };
	int ret;

	s->role = CR_PTY_MASTER;
	if (ioctl(master, TIOCGPTN, &s->index))
		return cr_error_set(err, -errno, "%s: its number: %s",
				    cr_object_label(src), strerror(errno));
	ret = read_session(src, master, s, err);
	if (ret)
		return ret;
	poll(&p, 1, 0);
	if (p.revents & POLLPRI)
		return refuse(src, "with a change to be told in packet mode",
			      "try again later", err);
	s->hung = p.revents & POLLHUP;
	return 0;
}

static int read_settings(const struct cr_object_source *src, int master,
			 struct cr_pty_state *s, struct cr_error *err)
{
	struct termios2 t;
	struct winsize size;
	int locked = 0, packet = 0;

	if (ioctl(master, TCGETS2, &t) || ioctl(master, TIOCGWINSZ, &size) ||
	    ioctl(master, TIOCGPTLCK, &locked) ||
	    ioctl(master, TIOCGPKT, &packet))
		return cr_error_set(err, -errno, "%s: settings: %s",
				    cr_object_label(src), strerror(errno));
	s->locked = locked;
	s->packet = packet;
	s->row = size.ws_row;
	s->col = size.ws_col;
	s->xpixel = size.ws_xpixel;
	s->ypixel = size.ws_ypixel;
	if (cr_blob_set(&s->termios, &t, sizeof(t)))
		return cr_error_set(err, -ENOMEM, "out of memory");
	s->slave = cr_object_tree_terminal_end(src->tree, s->index, false);
	return 0;
}

/* Its node: who may open it. */
static void read_node(const struct cr_object_source *src, int slave,
		      struct cr_pty_state *s)
{
	struct stat st = { .st_mode = 0620 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root/dev/pts/%u", src->pid,
		 s->index);
	if (slave >= 0 ? !fstat(slave, &st) : !stat(path, &st)) {
		s->uid = st.st_uid;
		s->gid = st.st_gid;
	}
	s->mode = st.st_mode & 07777;
}

/* The other end, as a process of the tree has it open; -1. */
static int slave_in_tree(const struct cr_object_source *src,
			 const struct cr_pty_state *s)
{
	struct cr_object_source other = { .local = -1 };
	int fd = -1;

	for (size_t i = 0;
	     fd < 0 && cr_object_tree_slave(src->tree, s->index, i, &other.pid,
					    &other.fd);
	     i++)
		fd = cr_object_dup(&other, NULL);
	return fd;
}

static int check_discipline(const struct cr_object_source *src, int slave,
			    struct cr_error *err)
{
	int disc = 0;

	if (ioctl(slave, TIOCGETD, &disc) || !disc)
		return 0;
	return refuse(src, "with a line discipline of its own",
		      "take it back before the checkpoint", err);
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	struct cr_pty_state s = { 0 };
	int fd, slave = -1, ret;

	if (!is_master(src))
		return 0;
	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	ret = check_master(src, fd, &s, err);
	if (!ret)
		slave = slave_in_tree(src, &s);
	if (slave >= 0) {
		ret = check_discipline(src, slave, err);
		close(slave);
	}
	cr_object_undup(src, fd);
	return ret;
}

/*
 * The other end.  What nobody has open must not be opened, for that shows,
 * unless something was left for the master.
 */
static int open_slave(const struct cr_object_source *src, int master,
		      const struct cr_pty_state *s)
{
	int waiting = 0, fd;

	if (!s->slave) {
		ioctl(master, FIONREAD, &waiting);
		return s->hung && waiting ? cr_pty_peer(master, O_RDWR)
					  : -ENOENT;
	}
	fd = cr_pty_peer(master, O_RDWR | O_NONBLOCK);
	/* an exclusive one is not opened again for everybody */
	if (fd < 0)
		fd = slave_in_tree(src, s);
	return fd < 0 ? -EBUSY : fd;
}

static int read_master(const struct cr_object_source *src, int master,
		       struct cr_pty_state *s, struct cr_error *err)
{
	int slave, exclusive = 0, ret;

	ret = check_master(src, master, s, err);
	if (!ret)
		ret = read_settings(src, master, s, err);
	if (ret)
		return ret;
	slave = open_slave(src, master, s);
	if (slave == -EBUSY)
		return refuse(src, "that cannot be opened",
			      "close it before the checkpoint", err);
	read_node(src, slave, s);
	if (slave < 0)
		return 0;
	ret = check_discipline(src, slave, err);
	s->exclusive = !ioctl(slave, TIOCGEXCL, &exclusive) && exclusive;
	if (!ret) {
		ret = cr_pty_read_queues(master, slave, s, err);
		if (ret)
			cr_error_prefix(err, "%s", cr_object_label(src));
	}
	close(slave);
	return ret;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct cr_pty_state s = { .role = CR_PTY_SLAVE,
				  .index = (uint32_t)index_of(src) };
	int fd, ret = 0;

	if (is_master(src)) {
		fd = cr_object_dup(src, err);
		if (fd < 0)
			return fd;
		ret = read_master(src, fd, &s, err);
		cr_object_undup(src, fd);
	}
	if (!ret)
		ret = cr_object_record(file, cr_pty_record, &s, err);
	file->object_id = s.index;
	cr_pty_free(&s);
	return ret;
}

const struct cr_object_ops cr_object_pty = {
	.kind = CR_OBJ_PTY,
	.name = "pseudo terminal",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = cr_pty_restore,
	.connect = cr_pty_connect,
};

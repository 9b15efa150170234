/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stdio.c - a terminal, pipe or socket of standard input or output whose
 * other end is not in the tree: the restart command's own takes its place
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "restore/restore.h"

static bool is_terminal(const struct cr_object_source *src)
{
	unsigned int m = major(src->st.st_rdev);

	return S_ISCHR(src->st.st_mode) &&
	       (m == 4 || m == 5 || (m >= 136 && m <= 143));
}

/* The inode of the socket at the other end; 0 if it cannot be told. */
static uint32_t unix_peer(uint32_t ino)
{
	struct {
		struct nlmsghdr h;
		struct unix_diag_req r;
	} req = {
		.h = { .nlmsg_len = sizeof(req),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST },
		.r = { .sdiag_family = AF_UNIX,
		       .udiag_states = ~0U,
		       .udiag_ino = ino,
		       .udiag_show = UDIAG_SHOW_PEER,
		       .udiag_cookie = { ~0U, ~0U } },
	};
	char buf[4096] __attribute__((aligned(8)));
	struct nlmsghdr *h = (struct nlmsghdr *)buf;
	struct unix_diag_msg *m;
	struct rtattr *a;
	uint32_t peer = 0;
	ssize_t n;
	int fd, len;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return 0;
	n = send(fd, &req, sizeof(req), 0);
	if (n == sizeof(req))
		n = recv(fd, buf, sizeof(buf), 0);
	close(fd);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(*m)) ||
	    h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return 0;
	m = NLMSG_DATA(h);
	len = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	for (a = (struct rtattr *)(m + 1); RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == UNIX_DIAG_PEER)
			memcpy(&peer, RTA_DATA(a), sizeof(peer));
	return peer;
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
		peer = unix_peer((uint32_t)src->st.st_ino);
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

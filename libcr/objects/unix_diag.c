/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix_diag.c - what the kernel tells of a UNIX socket (sock_diag(7)) */
#include "objects/unix_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 65536

/* Attributes that later kernels may make longer. */
static void take(void *to, size_t len, const struct rtattr *a)
{
	if (RTA_PAYLOAD(a) >= len)
		memcpy(to, RTA_DATA(a), len);
}

static void read_attribute(struct cr_unix_diag *d, const struct rtattr *a)
{
	struct unix_diag_vfs vfs = { 0 };
	struct unix_diag_rqlen len = { 0 };

	switch (a->rta_type) {
	case UNIX_DIAG_PEER:
		take(&d->peer, sizeof(d->peer), a);
		break;
	case UNIX_DIAG_SHUTDOWN:
		take(&d->shutdown, sizeof(d->shutdown), a);
		break;
	case UNIX_DIAG_VFS:
		take(&vfs, sizeof(vfs), a);
		d->file_ino = vfs.udiag_vfs_ino;
		d->file_dev = vfs.udiag_vfs_dev;
		break;
	case UNIX_DIAG_RQLEN:
		take(&len, sizeof(len), a);
		d->rqueue = len.udiag_rqueue;
		d->wqueue = len.udiag_wqueue;
		break;
	case UNIX_DIAG_ICONS:
		d->n_icons = (uint32_t)(RTA_PAYLOAD(a) / 4);
		if (d->n_icons > CR_UNIX_ICONS)
			d->n_icons = CR_UNIX_ICONS;
		memcpy(d->icons, RTA_DATA(a), d->n_icons * 4);
		break;
	}
}

static int ask(uint64_t ino, void *buf, ssize_t *n)
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
		       .udiag_ino = (uint32_t)ino,
		       .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_VFS |
				     UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN,
		       .udiag_cookie = { ~0U, ~0U } },
	};
	int fd, ret = 0;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	*n = send(fd, &req, sizeof(req), 0);
	if (*n >= 0)
		*n = recv(fd, buf, ANSWER_MAX, 0);
	if (*n < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int cr_unix_diag(uint64_t ino, struct cr_unix_diag *d)
{
	struct nlmsghdr *h = malloc(ANSWER_MAX);
	struct unix_diag_msg *m;
	struct rtattr *a;
	ssize_t n = 0;
	int ret, len;

	if (!h)
		return -ENOMEM;
	ret = ask(ino, h, &n);
	if (!ret && n >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) &&
	    h->nlmsg_type == NLMSG_ERROR)
		ret = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
	else if (!ret && (n < (ssize_t)NLMSG_LENGTH(sizeof(*m)) ||
			  h->nlmsg_type != SOCK_DIAG_BY_FAMILY))
		ret = -EPROTO;
	if (ret)
		goto out;
	memset(d, 0, sizeof(*d));
	m = NLMSG_DATA(h);
	d->type = m->udiag_type;
	d->state = m->udiag_state;
	len = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	for (a = (struct rtattr *)(m + 1); RTA_OK(a, len); a = RTA_NEXT(a, len))
		read_attribute(d, a);
out:
	free(h);
	return ret;
}

uint32_t cr_unix_peer(uint64_t ino)
{
	struct cr_unix_diag *d = malloc(sizeof(*d));
	uint32_t peer = 0;

	if (d && !cr_unix_diag(ino, d))
		peer = d->peer;
	free(d);
	return peer;
}

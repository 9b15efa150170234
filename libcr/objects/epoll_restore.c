/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* epoll_restore.c - makes epoll instances that watch what they watched */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects/epoll.h"
#include "restore/restore.h"

static int unrecord(const struct cr_file *file, struct cr_epoll_items *s,
		    struct cr_error *err)
{
	return cr_object_unrecord(file,
				  file->kind == CR_OBJ_EPOLL_BUSY
					  ? cr_epoll_pack_busy
					  : cr_epoll_pack,
				  s, err);
}

int cr_epoll_restore(struct cr_restore_context *ctx, const struct cr_file *file,
		     struct cr_error *err)
{
	struct cr_epoll_items s = { 0 };
	struct cr_epoll_params p = { 0 };
	int fd, ret = unrecord(file, &s, err);

	free(s.item);
	if (ret)
		return ret;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno, "%s", strerror(errno));
	/* about speed only: not every user may, or kernel can */
	p.usecs = s.usecs;
	p.budget = (uint16_t)s.budget;
	p.prefer = s.prefer;
	if (file->kind == CR_OBJ_EPOLL_BUSY)
		ioctl(fd, CR_EPOLL_SET_PARAMS, &p);
	return fd;
}

/* epoll_ctl(2) with the number that the entry is known by. */
static int add_as(int epoll, int target, int number, struct epoll_event *ev)
{
	int saved = -1, ret = 0;

	/* the entry's number may be one of ours */
	if (number == target)
		return epoll_ctl(epoll, EPOLL_CTL_ADD, number, ev) ? -errno : 0;
	saved = fcntl(number, F_DUPFD_CLOEXEC, 3);
	if (number == epoll && saved < 0)
		return -errno;
	if (dup3(target, number, O_CLOEXEC) < 0)
		ret = -errno;
	else if (epoll_ctl(number == epoll ? saved : epoll, EPOLL_CTL_ADD,
			   number, ev))
		ret = -errno;
	if (saved >= 0) {
		dup3(saved, number, O_CLOEXEC);
		close(saved);
	} else {
		close(number);
	}
	return ret;
}

static int add(struct cr_restore_context *ctx, const struct cr_file *file,
	       int epoll, const struct cr_epoll_item *it, struct cr_error *err)
{
	struct epoll_event ev = { .events = it->events, .data.u64 = it->data };
	struct epoll_event got;
	int ret, self;

	if (it->adder) {
		self = cr_restore_fd_of(ctx, it->adder, file);
		return cr_restore_call(ctx, it->adder,
				       "adding to an epoll "
				       "instance",
				       SYS_epoll_ctl,
				       (uint64_t[6]){ (uint64_t)self,
						      EPOLL_CTL_ADD,
						      (uint64_t)it->number },
				       3, &ev, sizeof(ev), err);
	}
	if (cr_epoll_disarmed(it->events))
		ev.events |= EPOLLIN | EPOLLOUT;
	ret = add_as(epoll, cr_restore_file(ctx, it->file), it->number, &ev);
	if (!ret && cr_epoll_disarmed(it->events) &&
	    epoll_wait(epoll, &got, 1, 0) != 1)
		ret = -EAGAIN;
	if (ret)
		return cr_error_set(err, ret,
				    "epoll instance: descriptor %d cannot be "
				    "added: %s",
				    it->number, strerror(-ret));
	return 0;
}

/* Those that have fired first: nothing else must be reported with them. */
int cr_epoll_connect(struct cr_restore_context *ctx, const struct cr_file *file,
		     int fd, struct cr_error *err)
{
	struct cr_epoll_items s = { 0 };
	int ret = unrecord(file, &s, err);

	for (int late = 0; late < 2; late++)
		for (size_t i = 0; i < s.n && !ret; i++)
			if (cr_epoll_disarmed(s.item[i].events) == !late)
				ret = add(ctx, file, fd, &s.item[i], err);
	free(s.item);
	return ret;
}

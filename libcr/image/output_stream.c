/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output_stream.c - fifos, pipes and sockets, whose reader takes its time */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/output_private.h"

#define PAUSE_MS 50

static bool cancelled(const struct cr_output *o)
{
	return o->cancelled && o->cancelled(o->cancelled_arg);
}

static bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/*
 * A description of our own can be one that does not block; the caller's is
 * shared with others who count on it.
 */
void cr_output_stream(struct cr_output *o, mode_t mode)
{
	char self[64];
	int fd;

	if (!S_ISFIFO(mode) && !S_ISSOCK(mode) && !isatty(o->fd) &&
	    !is_nonblocking(o->fd))
		return;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	fd = S_ISFIFO(mode) ? open(self, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
			    : -1;
	if (fd >= 0) {
		close(o->fd);
		o->fd = fd;
	}
	/* what is ready takes a page without blocking */
	o->portion = is_nonblocking(o->fd) ? CR_OUTPUT_MOST : 4096;
}

int cr_output_ready(const struct cr_output *o)
{
	struct pollfd wait = { o->fd, POLLOUT, 0 };

	while (poll(&wait, 1, PAUSE_MS) <= 0)
		if (cancelled(o))
			return -ECANCELED;
	return 0;
}

/* Something that is there and no file: a fifo or a device gets the bytes. */
int cr_output_open_special(struct cr_output **out, const char *path,
			   mode_t mode, const struct cr_writer_options *opt,
			   struct cr_error *err)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY;
	int fd, rc;

	if (S_ISFIFO(mode)) /* who reads it may come later */
		flags |= O_NONBLOCK;
	while ((fd = open(path, flags)) < 0 && errno == ENXIO &&
	       S_ISFIFO(mode)) {
		if (opt->cancelled && opt->cancelled(opt->cancelled_arg))
			return cr_error_set(err, -ECANCELED,
					    "nobody reads %s", path);
		poll(NULL, 0, PAUSE_MS);
	}
	if (fd < 0)
		return cr_error_set(err, -errno, "cannot open %s: %s", path,
				    strerror(errno));
	rc = cr_output_open_fd(out, fd, opt, err);
	close(fd);
	return rc;
}

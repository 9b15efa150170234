/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timerfd.c - timers to read from (timerfd_create(2))
 *
 * What remained is set anew when everything else is ready, so that the time
 * that the restart takes does not count.  Only what waits for a moment of
 * CLOCK_REALTIME goes on waiting for this moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

#define NS 1000000000LL
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

struct state {
	uint32_t clockid, settime_flags;
	uint64_t ticks; /* expirations that nobody has read yet */
	int64_t value_ns, interval_ns; /* value: remaining, 0 disarmed */
	int64_t at_ns; /* TFD_TIMER_ABSTIME of CLOCK_REALTIME: then */
};

static void record(struct cr_pack *p, void *state)
{
	struct state *s = state;

	cr_pack_u32(p, &s->clockid);
	cr_pack_u32(p, &s->settime_flags);
	cr_pack_u64(p, &s->ticks);
	cr_pack_s64(p, &s->value_ns);
	cr_pack_s64(p, &s->interval_ns);
	cr_pack_s64(p, &s->at_ns);
}

static bool claims(const struct cr_object_source *src)
{
	return !strcmp(src->link, "anon_inode:[timerfd]");
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	if (cr_object_field(src, "clockid:") && cr_object_field(src, "ticks:"))
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "%s is a timerfd, and this kernel does not tell "
			    "what it does; close it before the checkpoint",
			    cr_object_label(src));
}

static int64_t ns_of(const struct timespec *t)
{
	return t->tv_sec * NS + t->tv_nsec;
}

static bool keeps_date(const struct state *s)
{
	return s->settime_flags & TFD_TIMER_ABSTIME &&
	       (s->clockid == CLOCK_REALTIME ||
		s->clockid == CLOCK_REALTIME_ALARM);
}

static int read_state(const struct cr_object_source *src, int fd,
		      struct state *s, struct cr_error *err)
{
	struct cr_object_source *now = malloc(sizeof(*now));
	struct itimerspec it;
	struct timespec t;
	int ret;

	if (!now)
		return cr_error_set(err, -ENOMEM, "out of memory");
	/* this also counts the ticks of an interval that went by unread */
	if (timerfd_gettime(fd, &it))
		ret = cr_error_set(err, -errno, "%s: %s", cr_object_label(src),
				   strerror(errno));
	else
		ret = cr_object_source_read(now, src->pid, src->vpid, src->fd,
					    err);
	if (!ret)
		ret = check(now, err);
	if (!ret) {
		s->clockid = (uint32_t)strtoul(cr_object_field(now, "clockid:"),
					       NULL, 10);
		s->settime_flags = (uint32_t)strtoul(
			cr_object_field(now, "settime flags:"), NULL, 8);
		s->ticks = strtoull(cr_object_field(now, "ticks:"), NULL, 10);
		s->value_ns = ns_of(&it.it_value);
		s->interval_ns = ns_of(&it.it_interval);
		s->at_ns = 0;
		clock_gettime(CLOCK_REALTIME, &t);
		if (keeps_date(s))
			s->at_ns = ns_of(&t) + s->value_ns;
	}
	free(now);
	return ret;
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct state s;
	int fd, ret;

	ret = check(src, err);
	if (ret)
		return ret;
	fd = cr_object_dup(src, err);
	if (fd < 0)
		return fd;
	ret = read_state(src, fd, &s, err);
	cr_object_undup(src, fd);
	return ret ? ret : cr_object_record(file, record, &s, err);
}

static int restore(struct cr_restore_context *ctx, const struct cr_file *file,
		   struct cr_error *err)
{
	struct state s;
	int fd, ret;

	ret = cr_object_unrecord(file, record, &s, err);
	if (ret)
		return ret;
	fd = timerfd_create((int)s.clockid, TFD_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno, "clock %u: %s", s.clockid,
				    strerror(errno));
	if (cr_object_set_flags(fd, file)) {
		ret = cr_error_set(err, -errno, "%s", strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

static int start(struct cr_restore_context *ctx, const struct cr_file *file,
		 int fd, struct cr_error *err)
{
	struct itimerspec it = { 0 };
	struct state s;
	int64_t value;
	int ret, flags;

	ret = cr_object_unrecord(file, record, &s, err);
	if (ret)
		return ret;
	value = keeps_date(&s) && s.value_ns ? s.at_ns : s.value_ns;
	/* only its own flags tell a cancelled one; the rest is relative */
	flags = keeps_date(&s) ? (int)s.settime_flags : 0;
	it.it_value = (struct timespec){ value / NS, value % NS };
	it.it_interval =
		(struct timespec){ s.interval_ns / NS, s.interval_ns % NS };
	if (s.value_ns && timerfd_settime(fd, flags, &it, NULL))
		return cr_error_set(err, -errno, "timerfd: %s",
				    strerror(errno));
	if (s.ticks && ioctl(fd, TFD_IOC_SET_TICKS, &s.ticks))
		return cr_error_set(err, -errno,
				    "timerfd: %s (setting its expirations "
				    "needs a kernel with "
				    "CONFIG_CHECKPOINT_RESTORE)",
				    strerror(errno));
	return 0;
}

const struct cr_object_ops cr_object_timerfd = {
	.kind = CR_OBJ_TIMERFD,
	.name = "timerfd",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = restore,
	.start = start,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.c - clocks that count from the start of a machine do not go back
 *
 * On a machine that started later than the one before, CLOCK_MONOTONIC and
 * CLOCK_BOOTTIME would be earlier than the program has seen them: time that
 * passed would be negative, and what it waits for be weeks away.  There the
 * processes get a time namespace in which both go on from the checkpoint.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/procfs.h"
#include "restore/build.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define NS 1000000000LL

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

/* How far the clock must be ahead of this machine's; 0: it need not. */
static int64_t needed(clockid_t clock, const char *name, uint64_t recorded)
{
	int64_t now = now_ns(clock);

	if (recorded <= (uint64_t)now || recorded > INT64_MAX)
		return 0;
	/* offsets count from the machine, not from the namespace we are in */
	return (int64_t)recorded - now + cr_procfs_clock_offset(getpid(), name);
}

static int write_offsets(long long monotonic, long long boottime)
{
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	int n;

	if (fd < 0)
		return -errno;
	n = dprintf(fd,
		    "monotonic %lld %lld\nboottime %lld %lld\n",
		    monotonic / NS, monotonic % NS, boottime / NS,
		    boottime % NS);
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

static int refuse(int why, struct cr_error *err)
{
	return cr_error_set(err, why,
			    "this machine started later than the one of the "
			    "checkpoint, and the program's clocks cannot be "
			    "kept from going back (time namespace: %s); "
			    "restart it with --no-restore-pid",
			    strerror(-why));
}

int cr_clock_verify(const struct cr_image *img, struct cr_error *err)
{
	if (!needed(CLOCK_MONOTONIC, "monotonic", img->clock_monotonic_ns) &&
	    !needed(CLOCK_BOOTTIME, "boottime", img->clock_boottime_ns))
		return 0;
	return cr_may_set_clocks() ? 0 : refuse(-EPERM, err);
}

int cr_clock_continue(struct cr_restore_context *ctx, struct cr_error *err)
{
	int64_t monotonic = needed(CLOCK_MONOTONIC, "monotonic",
				   ctx->img->clock_monotonic_ns);
	int64_t boottime = needed(CLOCK_BOOTTIME, "boottime",
				  ctx->img->clock_boottime_ns);
	int ret = 0;

	if (!monotonic && !boottime)
		return 0;
	if (!monotonic)
		monotonic = cr_procfs_clock_offset(getpid(), "monotonic");
	if (!boottime)
		boottime = cr_procfs_clock_offset(getpid(), "boottime");
	/* for the children to come, which are the stubs; not for us */
	if (unshare(CLONE_NEWTIME) < 0)
		ret = -errno;
	if (!ret)
		ret = write_offsets(monotonic, boottime);
	return ret ? refuse(ret, err) : 0;
}

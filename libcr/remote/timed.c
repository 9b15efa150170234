/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* timed.c - system calls that wait for a limited time: where they have it */
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "remote/timed.h"

#define NS 1000000000LL

/*
 * To add a call is to add a line.  Made with what is left, and be it nothing,
 * each gives the result that it would have given.
 *
 * Not here, because they keep to a point in time by themselves: clock_nanosleep
 * with TIMER_ABSTIME, futex operations but FUTEX_WAIT, mq_timedsend and
 * mq_timedreceive.  Nor recvmmsg, which looks at its time-out only when a
 * message has come, and sends on sockets with SO_SNDTIMEO.
 */
static const struct cr_timed calls[] = {
	{ SYS_poll, 2, CR_TIME_MS, 0 },
	{ SYS_epoll_wait, 3, CR_TIME_MS, 0 },
	{ SYS_epoll_pwait, 3, CR_TIME_MS, 0 },
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, 3, CR_TIME_TIMESPEC, 0 },
#endif
	{ SYS_futex, 3, CR_TIME_TIMESPEC, 0 },
	{ SYS_nanosleep, 0, CR_TIME_TIMESPEC, 1 },
	{ SYS_clock_nanosleep, 2, CR_TIME_TIMESPEC, 3 },
	{ SYS_rt_sigtimedwait, 2, CR_TIME_TIMESPEC, 0 },
	{ SYS_semtimedop, 3, CR_TIME_TIMESPEC, 0 },
	{ SYS_io_getevents, 4, CR_TIME_TIMESPEC, 0 },
	{ SYS_io_pgetevents, 4, CR_TIME_TIMESPEC, 0 },
	{ SYS_ppoll, 2, CR_TIME_TIMESPEC, 2 },
	{ SYS_pselect6, 4, CR_TIME_TIMESPEC, 4 },
	{ SYS_select, 4, CR_TIME_TIMEVAL, 4 },
	{ SYS_read, 0, CR_TIME_SOCKET, 0 },
	{ SYS_readv, 0, CR_TIME_SOCKET, 0 },
	{ SYS_recvfrom, 0, CR_TIME_SOCKET, 0 },
	{ SYS_recvmsg, 0, CR_TIME_SOCKET, 0 },
	{ SYS_accept, 0, CR_TIME_SOCKET, 0 },
	{ SYS_accept4, 0, CR_TIME_SOCKET, 0 },
};

uint64_t cr_timed_arg(const struct user_regs_struct *r, int n)
{
	const uint64_t arg[] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	return arg[n];
}

void cr_timed_set_arg(struct user_regs_struct *r, int n, uint64_t value)
{
	unsigned long long *arg[] = { &r->rdi, &r->rsi, &r->rdx,
				      &r->r10, &r->r8,	&r->r9 };

	*arg[n] = value;
}

static bool is_relative(long nr, const struct user_regs_struct *r)
{
	switch (nr) {
	case SYS_futex:
		return ((uint32_t)r->rsi &
			~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) ==
		       FUTEX_WAIT;
	case SYS_clock_nanosleep:
		if ((uint32_t)r->rsi & TIMER_ABSTIME)
			return false;
		switch ((clockid_t)r->rdi) {
		case CLOCK_REALTIME:
		case CLOCK_MONOTONIC:
		case CLOCK_BOOTTIME:
		case CLOCK_TAI:
			return true;
		}
		return false;
	default:
		return true;
	}
}

const struct cr_timed *cr_timed_find(long nr, const struct user_regs_struct *r)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].nr == nr)
			return is_relative(nr, r) ? &calls[i] : NULL;
	return NULL;
}

int64_t cr_timed_read(pid_t pid, enum cr_time_format format, uint64_t addr)
{
	const int64_t unit = format == CR_TIME_TIMEVAL ? 1000 : 1;
	int64_t t[2]; /* of either */

	if (!addr || cr_remote_read(pid, addr, t, sizeof(t), NULL) ||
	    t[0] < 0 || t[1] < 0 || t[1] >= NS / unit ||
	    t[0] > CR_TIMED_MOST / NS)
		return -1;
	return t[0] * NS + t[1] * unit;
}

int64_t cr_timed_from_ms(uint64_t arg)
{
	const int32_t ms = (int32_t)arg;

	return ms < 0 ? -1 : (int64_t)ms * 1000000;
}

uint64_t cr_timed_to_ms(int64_t ns)
{
	const int64_t ms = (ns + 999999) / 1000000;

	return (uint64_t)(ms > INT_MAX ? INT_MAX : ms);
}

size_t cr_timed_pack(enum cr_time_format format, int64_t ns, uint64_t out[2])
{
	const int64_t unit = format == CR_TIME_TIMEVAL ? 1000 : 1;

	ns += unit - 1;
	out[0] = (uint64_t)(ns / NS);
	out[1] = (uint64_t)(ns % NS / unit);
	return 2 * sizeof(out[0]);
}

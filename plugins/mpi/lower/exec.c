/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec.c - no program that is executed gets the lower half's descriptors
 *
 * A command that the program runs could not be checkpointed with them, and
 * would keep peers waiting.  So each is made to close at execve(2), at once
 * and not by a second call: another thread may execute something meanwhile.
 * What the lower half itself executes gets those that it did not ask to be
 * closed (fds.c).
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/hook.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#ifndef FSMOUNT_CLOEXEC
#define FSMOUNT_CLOEXEC 1
#endif

/* Calls of old that have no flags, as those that have. */
static void renew(struct cr_hook_args *r)
{
	switch (r->nr) {
	case SYS_creat:
		r->nr = SYS_open;
		r->c = r->b;
		r->b = O_CREAT | O_WRONLY | O_TRUNC;
		return;
	case SYS_accept:
		r->nr = SYS_accept4;
		r->d = 0;
		return;
	case SYS_dup:
		r->nr = SYS_fcntl;
		r->b = F_DUPFD;
		r->c = 0;
		return;
	case SYS_dup2:
		if ((int)r->a == (int)r->b)
			return; /* makes nothing */
		r->nr = SYS_dup3;
		r->c = 0;
		return;
	case SYS_eventfd:
		r->nr = SYS_eventfd2;
		r->b = 0;
		return;
	case SYS_epoll_create:
		if ((int)r->a <= 0)
			return; /* an error */
		r->nr = SYS_epoll_create1;
		r->a = 0;
		return;
	case SYS_signalfd:
		r->nr = SYS_signalfd4;
		r->d = 0;
		return;
	case SYS_inotify_init:
		r->nr = SYS_inotify_init1;
		r->a = 0;
		return;
	case SYS_pipe:
		r->nr = SYS_pipe2;
		r->b = 0;
		return;
	}
}

/* Which argument has the flag; NULL: none. */
static long *flags_of(struct cr_hook_args *r, long *flag)
{
	*flag = O_CLOEXEC; /* also of sockets, event and other descriptors */
	switch (r->nr) {
	case SYS_epoll_create1:
	case SYS_inotify_init1:
	case SYS_userfaultfd:
	case SYS_memfd_secret:
		return &r->a;
	case SYS_fanotify_init:
		*flag = FAN_CLOEXEC;
		return &r->a;
	case SYS_open:
	case SYS_mq_open:
	case SYS_socket:
	case SYS_socketpair:
	case SYS_eventfd2:
	case SYS_timerfd_create:
	case SYS_pipe2:
		return &r->b;
	case SYS_memfd_create:
		*flag = MFD_CLOEXEC;
		return &r->b;
	case SYS_fsmount:
		*flag = FSMOUNT_CLOEXEC;
		return &r->b;
	case SYS_openat:
	case SYS_open_by_handle_at:
	case SYS_open_tree:
	case SYS_dup3:
		return &r->c;
	case SYS_recvmsg:
		*flag = MSG_CMSG_CLOEXEC;
		return &r->c;
	case SYS_recvmmsg:
		*flag = MSG_CMSG_CLOEXEC;
		return &r->d;
	case SYS_accept4:
	case SYS_signalfd4:
		return &r->d;
	case SYS_perf_event_open:
		*flag = PERF_FLAG_FD_CLOEXEC;
		return &r->e;
	}
	return NULL;
}

bool cr_exec_closes(struct cr_hook_args *r)
{
	long *flags, flag;
	bool asked;

	_Static_assert(SOCK_CLOEXEC == O_CLOEXEC && EFD_CLOEXEC == O_CLOEXEC &&
		       EPOLL_CLOEXEC == O_CLOEXEC &&
		       IN_CLOEXEC == O_CLOEXEC && SFD_CLOEXEC == O_CLOEXEC &&
		       TFD_CLOEXEC == O_CLOEXEC, "one flag for all of these");
	renew(r);
	if (r->nr == SYS_openat2)
		return ((const struct open_how *)r->c)->flags & O_CLOEXEC;
	if (r->nr == SYS_fcntl) {
		asked = r->b == F_DUPFD_CLOEXEC;
		if (r->b == F_DUPFD)
			r->b = F_DUPFD_CLOEXEC;
		return asked;
	}
	flags = flags_of(r, &flag);
	if (!flags)
		return true; /* the kernel makes them so */
	asked = *flags & flag;
	*flags |= flag;
	return asked;
}

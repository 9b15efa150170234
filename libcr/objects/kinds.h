/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kinds.h - the kinds of open things that there are, for object.c */
#ifndef CR_KINDS_H
#define CR_KINDS_H

#include "objects/object.h"

extern const struct cr_object_ops cr_object_regular, cr_object_unnamed,
	cr_object_directory,
	cr_object_device, cr_object_pipe, cr_object_stdio, cr_object_eventfd,
	cr_object_signalfd, cr_object_timerfd, cr_object_epoll, cr_object_unix,
	cr_object_fifo, cr_object_memfd, cr_object_memfd_huge, cr_object_inet, cr_object_pidfd,
	cr_object_proc, cr_object_mqueue, cr_object_inotify,
	cr_object_sysv_shm, cr_object_sysv_sem, cr_object_sysv_msg, cr_object_pty,
	cr_object_epoll_busy, cr_object_place,
	cr_object_unix_moved;

#endif

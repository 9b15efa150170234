/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal.h - between the files of libremote */
#ifndef CR_REMOTE_INTERNAL_H
#define CR_REMOTE_INTERNAL_H

#include "remote/remote.h"

/* What the kernel keeps to itself: results that ask for a restart. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* PTRACE_SETOPTIONS of a task outside cr_remote_clone3(). */
long cr_remote_options(const struct cr_task *t);

#endif

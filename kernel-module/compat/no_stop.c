// SPDX-License-Identifier: GPL-2.0
/* no_stop.c - stop.c for kernels that do not export task_work_add() */
#include <linux/errno.h>

#include "internal.h"

bool cr_stop_available(void)
{
	return false;
}

int cr_stop(struct cr_session *s, struct cr_ioc_stop *arg)
{
	return -EOPNOTSUPP;
}

int cr_stop_resume(struct cr_session *s, const struct cr_ioc_target *arg)
{
	return -EOPNOTSUPP;
}

int cr_stop_threads(struct cr_session *s, struct cr_ioc_threads *arg)
{
	return -EOPNOTSUPP;
}

int cr_stop_read(struct cr_session *s, struct cr_ioc_read *arg)
{
	return -EOPNOTSUPP;
}

void cr_stop_thaw(struct cr_target *t)
{
}

void cr_stop_exit(void)
{
}

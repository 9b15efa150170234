/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - the agent's diary: one dated line per event */
#ifndef CR_LOG_H
#define CR_LOG_H

/* Appends to path from now on (before: standard error). */
int cr_log_open(const char *path);
/* Which descriptor that is. */
int cr_log_descriptor(void);
void cr_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timespec.h - Slurm's ways of writing a length of time */
#ifndef CR_TIMESPEC_H
#define CR_TIMESPEC_H

/*
 * "minutes", "m:s", "h:m:s", "d-h", "d-h:m", "d-h:m:s" as seconds; 0 means
 * never.  -EINVAL if text is none of these, -ERANGE if it is beyond 68 years.
 */
long cr_timespec_parse(const char *text);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* procfs.h - reading /proc/PID */
#ifndef CR_PROCFS_H
#define CR_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* /proc/PID/FMT..., whole, NUL-terminated, malloc'ed; NULL with errno. */
char *cr_procfs_read(pid_t pid, size_t *len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The target of a link, malloc'ed; NULL with errno. */
char *cr_procfs_link(pid_t pid, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct cr_procfs_stat {
	char state;
	int32_t ppid, pgrp, session, tty_nr, tpgid;
	uint64_t start_time;
	uint64_t start_code, end_code, start_stack, start_data, end_data,
		start_brk, arg_start, arg_end, env_start, env_end;
	int32_t exit_signal, exit_code, processor;
};
int cr_procfs_stat(pid_t pid, struct cr_procfs_stat *st);
/* The same of one of its threads; the exit code is the thread's own. */
int cr_procfs_task_stat(pid_t pid, pid_t tid, struct cr_procfs_stat *st);

/* Text behind "name:" in the content of a status file; NULL if not there. */
const char *cr_procfs_field(const char *status, const char *name);
/* The last of the numbers of a field (innermost namespace), or dflt. */
/* Offset of a clock ("monotonic", "boottime") from the machine's, in ns. */
int64_t cr_procfs_clock_offset(pid_t pid, const char *clock);
int32_t cr_procfs_last(const char *status, const char *name, int32_t dflt);
uint64_t cr_procfs_hex(const char *status, const char *name);

/*
 * The numbers that are names in a directory below /proc/PID ("task", "fd"),
 * ascending; -errno.
 */
int cr_procfs_numbers(pid_t pid, const char *dir, int32_t **list, size_t *n);
/* All processes: /proc itself. */
int cr_procfs_pids(int32_t **list, size_t *n);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procs.h - a look at the processes of the node, and who belongs to whom */
#ifndef CR_PROCS_H
#define CR_PROCS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cr_proc {
	pid_t pid, ppid;
	uint64_t start; /* clock ticks since boot */
	char state;
	char comm[16];
};

struct cr_procs {
	struct cr_proc *p;
	size_t n;
};

int cr_procs_load(struct cr_procs *t);
void cr_procs_free(struct cr_procs *t);
const struct cr_proc *cr_procs_find(const struct cr_procs *t, pid_t pid);
/* One process; -ESRCH if there is none. */
int cr_proc_read(struct cr_proc *p, pid_t pid);

/* srun, mpirun, mpiexec, orterun, prterun: by the executable or argv[0]. */
bool cr_proc_is_launcher(pid_t pid, const char *exe);
/* mpirun and the like, whose children are ranks (srun's are not). */
bool cr_proc_forks_ranks(pid_t pid);
bool cr_proc_is_restart(pid_t pid); /* cr_restart */
/* pid, or the restored root below it if pid is cr_restart; 0: not yet. */
pid_t cr_procs_target(const struct cr_procs *t, pid_t pid);

#endif

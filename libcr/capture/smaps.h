/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smaps.h - parses /proc/PID/maps and /proc/PID/smaps */
#ifndef CR_SMAPS_H
#define CR_SMAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "image/model.h"

struct cap_map {
	uint64_t start, end, offset, dev, ino;
	char perm[5];
	bool swapped; /* some of it; smaps only, as what follows the path */
	char path[4128]; /* or [name], or empty; unescaped */
	/* smaps only */
	uint32_t vm_flags; /* CR_VM_* */
	bool has_flags; /* it is from smaps */
	bool device, userfault;
	uint8_t huge; /* made of huge pages (hugetlbfs) of 1 << huge bytes */
	bool untouched; /* it has no page of its own: neither in memory, but
			   for the page of zeros, nor swapped */
};

/*
 * Takes the next area from *text, which moves on; false at the end.  Text
 * without flags (maps) is fine.
 */
bool cap_map_next(const char **text, struct cap_map *m);

/*
 * Is it System V shared memory?  The inode is its id then, and dev has a bit
 * that tells it from other memory of the same file system.
 */
#define CAP_SYSV_DEV (UINT64_C(1) << 63)
bool cap_map_is_sysv(const struct cap_map *m);

/*
 * Its kind (enum cr_area_kind) in process pid; 0 with the reason in err if it
 * is of a kind that cannot be saved.
 */
int cap_map_kind(pid_t pid, const struct cap_map *m, struct cr_error *err);

/* mapped.c: does the file that is mapped have this name? */
bool cap_mapped_there(pid_t pid, const char *path, uint64_t ino);

#endif

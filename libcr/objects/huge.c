/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* huge.c - files of huge pages: of hugetlbfs, and memory files */
#include "objects/huge.h"

#include <linux/magic.h>
#include <sys/vfs.h>

unsigned int cr_huge_file(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) || fs.f_type != HUGETLBFS_MAGIC)
		return 0;
	return cr_huge_bits((uint64_t)fs.f_bsize);
}

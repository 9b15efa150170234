/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* huge.h - files of huge pages: of hugetlbfs, and memory files */
#ifndef CR_HUGE_H
#define CR_HUGE_H

#include <stdint.h>

#include "image/model.h"

/* Its pages have 1 << result bytes; 0: it is no file of huge pages. */
unsigned int cr_huge_file(int fd);

/*
 * The size of the pages of the memory file that shared memory number shm of
 * an image is; 0: none of huge pages.
 */
uint64_t cr_memfd_huge_size(const struct cr_image *img, uint32_t shm);

/* Which power of two that is. */
static inline unsigned int cr_huge_bits(uint64_t size)
{
	return size ? (unsigned int)__builtin_ctzll(size) : 0;
}

#endif

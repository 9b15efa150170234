/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libcr_stub.c - stands for libcr in tests of the lower half alone */
#include "include/libcr_ext.h"

static uint64_t words[8192 / 64];

int cr_omit_memory(const void *addr, size_t len)
{
	return 0;
}

int cr_keep_memory(const void *addr, size_t len)
{
	return 0;
}

int cr_omit_threads_by_fs(const void *start, size_t len)
{
	return 0;
}

uint64_t *cr_omit_fd_words(size_t *n)
{
	*n = sizeof(words) / sizeof(words[0]);
	return words;
}

pid_t cr_helper_tid(void)
{
	return 0;
}

int cr_not_checkpointable(const char *reason)
{
	return 0;
}

int cr_delivery_code(const void *start, size_t len)
{
	return 0;
}

uint64_t *cr_rollback_delivered(struct cr_rollback *slot)
{
	static __thread uint64_t list;

	return &list;
}

struct cr_rollback *cr_rollback_slot(void)
{
	static __thread struct cr_rollback slot;

	return &slot;
}

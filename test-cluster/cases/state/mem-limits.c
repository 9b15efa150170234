/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem-limits.c - programs that have reached a limit of their memory */
#include <sys/mman.h>
#include <sys/resource.h>

#include "state.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void set_limit(int which, rlim_t cur, rlim_t max)
{
	struct rlimit l = { cur, max };

	CHECK(!setrlimit(which, &l));
}

static bool is_limit(int which, rlim_t cur, rlim_t max)
{
	struct rlimit l;

	CHECK(!getrlimit(which, &l));
	return l.rlim_cur == cur && l.rlim_max == max;
}

/* Nothing more can be had, before or after. */
static void full(int which, rlim_t cur, rlim_t max)
{
	set_limit(which, cur, max);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON, -1, 0) ==
	      MAP_FAILED);
	checkpoint();
	CHECK(is_limit(which, cur, max));
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON, -1, 0) ==
	      MAP_FAILED);
}

STATE(limit_address_space)
{
	full(RLIMIT_AS, 4096, RLIM_INFINITY);
}

STATE(limit_address_space_hard)
{
	full(RLIMIT_AS, 4096, 4096);
}

STATE(limit_data)
{
	full(RLIMIT_DATA, 4096, RLIM_INFINITY);
}

STATE(limit_data_hard)
{
	full(RLIMIT_DATA, 4096, 4096);
}

/* What was lent has never been touched, and is not afterwards. */
STATE(limit_stack_untouched)
{
	unsigned char there[64];
	char *bottom = NULL;
	void *start, *end;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	int i;

	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[stack]") &&
		    sscanf(line, "%p-%p", &start, &end) == 2)
			bottom = start;
	fclose(f);
	CHECK(bottom);
	set_limit(RLIMIT_AS, 4096, 4096);
	checkpoint();
	CHECK(!mincore(bottom, 8 * 4096, there));
	for (i = 0; i < 8; i++)
		CHECK(!(there[i] & 1));
	for (i = 0; i < 8 * 4096; i++)
		CHECK(!bottom[i]);
}

/* A reservation that nobody could fill, shared: only what is there is saved. */
STATE(sparse_shared)
{
	size_t len = 64UL << 30;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *q;

	CHECK(p != MAP_FAILED);
	p[0] = 1;
	p[len / 2] = 2;
	p[len - 1] = 3;
	/* there, though no page table of ours says so */
	CHECK(!madvise(p + len / 2, 4096, MADV_DONTNEED));
	q = mremap(p + len / 2, 0, 4096, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	checkpoint();
	CHECK(p[0] == 1 && p[len / 2] == 2 && p[len - 1] == 3);
	CHECK(p[len / 4] == 0);
	p[len / 2] = 4;
	CHECK(q[0] == 4);
}

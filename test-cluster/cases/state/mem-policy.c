/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem-policy.c - what single areas have been told about their pages */
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "state.h"

#define PAGE 4096UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t pages, int flags)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, -1,
		       0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* Of the area at p in smaps: the line that begins so. */
static void area_line(const void *p, const char *begin, char *out, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	uintptr_t start, end;
	char line[512];
	bool in = false;

	out[0] = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2)
			in = (uintptr_t)p >= start && (uintptr_t)p < end;
		if (in && !strncmp(line, begin, strlen(begin)))
			snprintf(out, size, "%s", line);
	}
	fclose(f);
}

/* Locked, but only what is touched: the others do not come with the lock. */
STATE(mlock_on_fault)
{
	char *p = map(64, ANON), before[256], after[256];
	unsigned char there[16];

	if (syscall(SYS_mlock2, p, 16 * PAGE, MLOCK_ONFAULT))
		skip("mlock2");
	p[0] = 1;
	area_line(p, "VmFlags:", before, sizeof(before));
	checkpoint();
	area_line(p, "VmFlags:", after, sizeof(after));
	CHECK(!strcmp(before, after));
	CHECK(!mincore(p, 16 * PAGE, there));
	CHECK(there[0] & 1 && !(there[1] & 1) && !(there[15] & 1));
	CHECK(p[0] == 1);
}

static int policy_at(const void *p, unsigned long *nodes)
{
	unsigned long mask[16] = { 0 };
	int mode = -1;

	CHECK(!syscall(SYS_get_mempolicy, &mode, mask, 1024, p, MPOL_F_ADDR));
	*nodes = mask[0];
	return mode;
}

STATE(numa_areas)
{
	char *p = map(64, ANON), *s = map(16, MAP_SHARED | MAP_ANONYMOUS);
	unsigned long one = 1, nodes;

	p[0] = s[0] = 1;
	if (syscall(SYS_mbind, p, 16 * PAGE, MPOL_BIND, &one, 64, 0))
		skip("mbind");
	CHECK(!syscall(SYS_mbind, p + 32 * PAGE, 16 * PAGE, MPOL_INTERLEAVE,
		       &one, 64, 0));
	CHECK(!syscall(SYS_mbind, s, 8 * PAGE, MPOL_PREFERRED, &one, 64, 0));
	CHECK(!syscall(SYS_set_mempolicy, MPOL_BIND, &one, 64));
	checkpoint();
	CHECK(policy_at(p, &nodes) == MPOL_BIND && nodes == 1);
	CHECK(policy_at(p + 15 * PAGE, &nodes) == MPOL_BIND);
	CHECK(policy_at(p + 16 * PAGE, &nodes) == MPOL_DEFAULT);
	CHECK(policy_at(p + 40 * PAGE, &nodes) == MPOL_INTERLEAVE &&
	      nodes == 1);
	CHECK(policy_at(p + 50 * PAGE, &nodes) == MPOL_DEFAULT);
	CHECK(policy_at(s, &nodes) == MPOL_PREFERRED && nodes == 1);
	CHECK(p[0] == 1 && s[0] == 1);
}

/* No huge pages but where they were asked for. */
STATE(thp_disabled_but)
{
	int mode;

	if (prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0))
		skip("PR_THP_DISABLE_EXCEPT_ADVISED");
	mode = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	checkpoint();
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == mode);
}

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static bool can_read(volatile const char *p)
{
	if (sigsetjmp(back, 1))
		return false;
	(void)*p;
	return true;
}

/* The key is given back, but memory still has it, and may not be read. */
STATE(pkey_freed)
{
	int key = (int)syscall(SYS_pkey_alloc, 0, 1 /* no access */);
	char *p = map(3, ANON), before[64], after[64];

	if (key < 0)
		skip("protection keys");
	memset(p, 7, 3 * PAGE);
	CHECK(!syscall(SYS_pkey_mprotect, p + PAGE, PAGE,
		       PROT_READ | PROT_WRITE, key));
	CHECK(!syscall(SYS_pkey_free, key));
	signal(SIGSEGV, on_fault);
	area_line(p + PAGE, "ProtectionKey:", before, sizeof(before));
	CHECK(!can_read(p + PAGE));
	checkpoint();
	area_line(p + PAGE, "ProtectionKey:", after, sizeof(after));
	CHECK(before[0] && !strcmp(before, after));
	CHECK(can_read(p) && !can_read(p + PAGE));
	CHECK(syscall(SYS_pkey_alloc, 0, 0) == key);
}

static char *vdso(size_t *len)
{
	FILE *f = fopen("/proc/self/maps", "re");
	void *start = NULL, *end = NULL;
	char line[512];

	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]"))
			sscanf(line, "%p-%p", &start, &end);
	fclose(f);
	*len = (size_t)((char *)end - (char *)start);
	return start;
}

/* The kernel's code alone, away from its data. */
STATE(vdso_moved)
{
	size_t len;
	char *from = vdso(&len), *to;

	CHECK(from && len);
	to = mmap(NULL, len, PROT_NONE, ANON, -1, 0);
	CHECK(to != MAP_FAILED);
	CHECK(mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	checkpoint();
	CHECK(vdso(&len) == to && !memcmp(to, "\177ELF", 4));
}

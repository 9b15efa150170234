/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kern-proc.c - what a process has agreed with the kernel for itself */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "state.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

static long barrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

/* Without the registration the kernel says EPERM. */
STATE(membarrier_private)
{
	CHECK(!barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
	checkpoint();
	CHECK(!barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
}

STATE(membarrier_all)
{
	int cmds = (int)barrier(MEMBARRIER_CMD_QUERY), i;
	static const int pairs[][2] = {
		{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
		  MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE },
		{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
		  MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ },
		{ MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
		  MEMBARRIER_CMD_GLOBAL_EXPEDITED },
	};

	for (i = 0; i < 3; i++)
		if (cmds & pairs[i][0])
			CHECK(!barrier(pairs[i][0]));
	checkpoint();
	for (i = 0; i < 3; i++)
		if (cmds & pairs[i][0])
			CHECK(!barrier(pairs[i][1]));
}

STATE(membarrier_none)
{
	checkpoint();
	CHECK(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == -1);
}

STATE(secure_bits)
{
	int bits = SECBIT_NO_SETUID_FIXUP | SECBIT_NOROOT;
	int want = geteuid() ? 0 : bits;

	CHECK(prctl(PR_SET_SECUREBITS, want) == 0 || geteuid());
	checkpoint();
	CHECK(prctl(PR_GET_SECUREBITS) == want);
}

static void coredump_filter(const char *set, char *get)
{
	int fd = open("/proc/self/coredump_filter", O_RDWR);

	CHECK(fd >= 0);
	if (set)
		CHECK(write(fd, set, strlen(set)) == (ssize_t)strlen(set));
	memset(get, 0, 16);
	CHECK(pread(fd, get, 15, 0) > 0);
	close(fd);
}

STATE(core_filter)
{
	char was[16], is[16];

	coredump_filter("0x7f", was);
	CHECK(!strcmp(was, "0000007f\n"));
	checkpoint();
	coredump_filter(NULL, is);
	CHECK(!strcmp(was, is));
}

/* No memory is both writable and executable, nor becomes executable. */
STATE(memory_deny_write_execute)
{
	bool can = !prctl(PR_SET_MDWE, 1, 0, 0, 0);
	void *p;

	checkpoint();
	if (!can)
		return;
	CHECK(prctl(PR_GET_MDWE, 0, 0, 0, 0) == 1);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p == MAP_FAILED);
}

STATE(memory_merge)
{
	bool can = !prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0);

	checkpoint();
	CHECK(!can || prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1);
}

STATE(io_flusher)
{
	bool can = !prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);

	checkpoint();
	CHECK(!can || prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1);
}

/* What happens at a fault of the memory hardware. */
STATE(mce_kill)
{
	CHECK(!prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	checkpoint();
	CHECK(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY);
}


/* It has chosen to fault at rdtsc. */
STATE(tsc_fault)
{
	int mode = 0;

	CHECK(!prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	checkpoint();
	CHECK(!prctl(PR_GET_TSC, &mode));
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	CHECK(mode == PR_TSC_SIGSEGV);

}

STATE(locked_from_now_on)
{
	char line[200];
	struct rlimit limit;
	long locked = 0;
	char *p;
	FILE *f;

	/* 64 KiB, which kernels before 5.16 give: not enough for stdio */
	CHECK(!getrlimit(RLIMIT_MEMLOCK, &limit));
	errno = 0;
	if (geteuid() && limit.rlim_cur < 1 << 20)
		skip("needs 1 MiB of memory to lock");
	if (mlockall(MCL_FUTURE | MCL_ONFAULT))
		CHECK(errno == ENOMEM || errno == EPERM);
	else
		locked = 1;
	checkpoint();
	if (!locked)
		return;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 1;
	f = fopen("/proc/self/smaps", "re");
	for (locked = 0; fgets(line, sizeof(line), f);) {
		unsigned long a, b;

		if (sscanf(line, "%lx-%lx ", &a, &b) == 2)
			locked = (unsigned long)p >= a && (unsigned long)p < b;
		else if (locked && !strncmp(line, "VmFlags:", 8))
			break;
	}
	CHECK(locked && strstr(line, " lo"));
	fclose(f);
}

STATE(real_time)
{
	struct sched_param p = { 7 };
	bool can = !sched_setscheduler(0, SCHED_RR, &p);

	checkpoint();
	if (!can)
		return;
	CHECK(sched_getscheduler(0) == SCHED_RR && !sched_getparam(0, &p));
	CHECK(p.sched_priority == 7);
}

/* Memory is taken from certain nodes. */
STATE(memory_policy)
{
	unsigned long nodes = 1;
	int mode = -1;
	bool can = !syscall(SYS_set_mempolicy, 2 /* MPOL_BIND */, &nodes, 8);

	checkpoint();
	if (!can)
		return;
	nodes = 0;
	CHECK(!syscall(SYS_get_mempolicy, &mode, &nodes, 64, NULL, 0));
	CHECK(mode == 2 && nodes == 1);
}

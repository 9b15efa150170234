/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.c - memory in a held task for the arguments of our calls */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/procfs.h"
#include "remote/internal.h"

#define PAGE 4096u
#define RED_ZONE 128 /* bytes below the stack pointer that are in use */

static int map(struct cr_task *t, size_t size, struct cr_error *err)
{
	int64_t addr = 0;
	int r;

	r = cr_remote_syscall(t, &addr, SYS_mmap, 0, size,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1ULL, 0, err);
	if (r)
		return r;
	if (addr < 0 && addr > -4096)
		return (int)addr;
	t->scratch = (uint64_t)addr;
	t->scratch_size = size;
	t->scratch_lent = false;
	return 0;
}

static const int limits[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK };
#define N_LIMITS (sizeof(limits) / sizeof(limits[0]))

static void put_back(pid_t pid, const struct rlimit *old)
{
	for (size_t i = 0; i < N_LIMITS; i++)
		prlimit(pid, limits[i], &old[i], NULL);
}

/*
 * Puts the limits back when "up" is closed, by us or by our death.  It is
 * there before they are raised.
 */
static pid_t make_keeper(pid_t pid, const struct rlimit *old, int *up)
{
	int ends[2];
	pid_t keeper;
	char c;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	keeper = fork();
	if (!keeper) {
		close(ends[1]);
		setsid();
		while (read(ends[0], &c, 1) < 0 && errno == EINTR)
			;
		put_back(pid, old);
		_exit(0);
	}
	close(ends[0]);
	*up = ends[1];
	if (keeper < 0)
		close(ends[1]);
	return keeper;
}

/* As map(), with the task's limits out of the way for as long. */
static int map_raised(struct cr_task *t, size_t size, int why,
		      struct cr_error *err)
{
	struct rlimit old[N_LIMITS], new;
	int up = -1, ret = why;
	sigset_t all, mask;
	pid_t keeper;
	size_t i;

	for (i = 0; i < N_LIMITS; i++)
		if (prlimit(t->tgid, limits[i], NULL, &old[i]))
			return why;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	keeper = make_keeper(t->tgid, old, &up);
	if (keeper > 0) {
		for (i = 0; i < N_LIMITS; i++) {
			new = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
			if (prlimit(t->tgid, limits[i], &new, NULL)) {
				new.rlim_cur = new.rlim_max = old[i].rlim_max;
				prlimit(t->tgid, limits[i], &new, NULL);
			}
		}
		ret = map(t, size, err);
		close(up);
		while (waitpid(keeper, NULL, 0) < 0 && errno == EINTR)
			;
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return ret;
}

/* Has any of its memory been locked?  Then pages are there untouched. */
static bool any_locked(pid_t pid)
{
	char *status = cr_procfs_read(pid, NULL, "status");
	const char *text = status ? cr_procfs_field(status, "VmLck") : NULL;
	bool any = !text || strtoull(text, NULL, 10);

	free(status);
	return any;
}

/* The lowest stack pointer of the process's threads in [start, end). */
static uint64_t lowest_in(pid_t pid, uint64_t start, uint64_t end)
{
	uint64_t lowest = end, sp;
	int32_t *tids = NULL;
	size_t n = 0, i;
	char *text;

	if (cr_procfs_numbers(pid, "task", &tids, &n))
		return start;
	for (i = 0; i < n; i++) {
		/* "NR 0x... 0x... SP PC", or "running" */
		text = cr_procfs_read(pid, NULL, "task/%d/syscall", tids[i]);
		if (text && sscanf(text, "%*d %*x %*x %*x %*x %*x %*x %" SCNx64,
				   &sp) == 1 &&
		    sp >= start && sp < lowest)
			lowest = sp;
		else if (text && sscanf(text, "-1 %" SCNx64, &sp) == 1 &&
			 sp >= start && sp < lowest)
			lowest = sp;
		free(text);
	}
	free(tids);
	return lowest;
}

/* The lowest pages of [start, end) that were never touched; 0: none. */
static uint64_t find_untouched(pid_t pid, uint64_t start, uint64_t end,
			       size_t pages)
{
	uint64_t entry, at, found = 0;
	size_t run = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (at = start; fd >= 0 && at < end && !found; at += PAGE) {
		if (pread(fd, &entry, sizeof(entry), (off_t)(at / PAGE * 8)) !=
		    sizeof(entry))
			break;
		/* neither there, nor swapped, nor a guard */
		run = entry >> 56 ? 0 : run + 1;
		if (run == pages)
			found = at + PAGE - pages * PAGE;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/*
 * What lies below the stack is undefined, so that nobody could tell if the
 * tracer were killed before it has cleared these pages.
 */
static bool borrow(struct cr_task *t, size_t size)
{
	const size_t pages = (size + PAGE - 1) / PAGE;
	char path[64], line[512], perm[8];
	uint64_t start = 0, end = 0;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", t->tgid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "[stack]") &&
			sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &start,
			       &end, perm) == 3 &&
			!strncmp(perm, "rw", 2);
	if (f)
		fclose(f);
	if (!found || any_locked(t->tgid))
		return false;
	end = lowest_in(t->tgid, start, end) - RED_ZONE;
	start = end <= start ? 0
			     : find_untouched(t->tgid, start, end & ~(PAGE - 1ULL),
					      pages);
	if (!start)
		return false;
	t->scratch = start;
	t->scratch_size = pages * PAGE;
	t->scratch_lent = true;
	return true;
}

int cr_remote_map_scratch(struct cr_task *t, size_t size, struct cr_error *err)
{
	int r = map(t, size, err);

	if (r == -ENOMEM || r == -EAGAIN)
		r = map_raised(t, size, r, err);
	if ((r == -ENOMEM || r == -EAGAIN) && borrow(t, size))
		return 0;
	if (r == -ENOMEM || r == -EAGAIN)
		cr_error_set(err, r,
			     "process %d: there is no room in it for %zu bytes "
			     "(mmap: %s): its limit of address space "
			     "(RLIMIT_AS), of data (RLIMIT_DATA), of locked "
			     "memory (RLIMIT_MEMLOCK) or of areas "
			     "(vm.max_map_count) is reached; raise it with "
			     "prlimit(1) or sysctl(8)",
			     t->tgid, size, strerror(-r));
	return r;
}

int cr_remote_unmap_scratch(struct cr_task *t, struct cr_error *err)
{
	int64_t ret;
	int r;

	if (!t->scratch)
		return 0;
	r = t->scratch_lent ?
		    cr_remote_syscall(t, &ret, SYS_madvise, t->scratch,
				      t->scratch_size, MADV_DONTNEED, 0, 0, 0,
				      err) :
		    cr_remote_syscall(t, &ret, SYS_munmap, t->scratch,
				      t->scratch_size, 0, 0, 0, 0, err);
	if (r)
		return r;
	t->scratch = 0;
	t->scratch_size = 0;
	t->scratch_lent = false;
	if (ret < 0)
		return cr_error_set(err, (int)ret, "thread %d: munmap: %s",
				    t->tid, strerror((int)-ret));
	return 0;
}

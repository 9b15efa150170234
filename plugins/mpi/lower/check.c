/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.c - is everything that the lower half has known?
 *
 * What was missed would be saved as the program's, or keep a restart from
 * working: such a process must be called not checkpointable, never be
 * checkpointed wrongly.
 */
#include "mpi/lower/boot.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpi/lower/hook.h"

#define CHILDREN_MAX 64
#define PATHS_MAX 512
#define TASKS_MAX 16

/* What the process had before the boot. */
static struct {
	uint64_t fds[8192 / 64];
	int child[CHILDREN_MAX];
	int task[TASKS_MAX]; /* 0 at the end */
	uint64_t path[PATHS_MAX]; /* hashes of what was mapped */
	size_t children, tasks, paths;
	bool alone; /* no thread but the caller's and libcr's */
} before;

static bool probed;

static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */

	while (*s && *s != '\n')
		h = (h ^ (unsigned char)*s++) * 1099511628211ULL;
	return h;
}

static bool contains(const int *set, size_t n, int value)
{
	while (n--)
		if (set[n] == value)
			return true;
	return false;
}

/* ---- looking at the process ---- */

/* Calls visit for each number that is a name in dir; stops if it fails. */
static int each_number(const char *dir, int (*visit)(int n, void *arg),
		       void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	while (d && !rc && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			rc = visit(atoi(e->d_name), arg);
	if (d)
		closedir(d);
	return rc;
}

static size_t read_children(int *child, size_t max)
{
	char path[64];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", gettid());
	f = fopen(path, "re");
	while (f && n < max && fscanf(f, "%d", &child[n]) == 1)
		n++;
	if (f)
		fclose(f);
	return n;
}

/*
 * The name of a mapping outside of the arena that is not the process' own
 * memory: a file, a device, shared memory.  NULL for others.
 */
static const char *mapped_name(char *line)
{
	unsigned long start, end, inode;
	int at = 0;

	if (sscanf(line, "%lx-%lx %*s %*s %*s %lu %n", &start, &end, &inode,
		   &at) < 3 || !at || !inode ||
	    cr_lower_owns((void *)start))
		return NULL;
	return line + at;
}

static int remember_fd(int fd, void *arg)
{
	if (fd < cr_fds_limit())
		before.fds[fd / 64] |= 1ULL << fd % 64;
	return 0;
}

static int remember_task(int tid, void *arg)
{
	if (before.tasks < TASKS_MAX)
		before.task[before.tasks++] = tid;
	return 0;
}

void cr_check_baseline(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	const char *name;
	char line[4352];
	size_t i;

	memset(&before, 0, sizeof(before));
	probed = false;
	while (f && fgets(line, sizeof(line), f))
		if ((name = mapped_name(line)) && before.paths < PATHS_MAX)
			before.path[before.paths++] = hash(name);
	if (f)
		fclose(f);
	before.children = read_children(before.child, CHILDREN_MAX);
	each_number("/proc/self/fd", remember_fd, NULL);
	each_number("/proc/self/task", remember_task, NULL);
	before.alone = before.tasks < TASKS_MAX &&
		       before.paths < PATHS_MAX &&
		       before.children < CHILDREN_MAX;
	for (i = 0; i < before.tasks; i++)
		if (before.task[i] != gettid() &&
		    before.task[i] != cr_helper_tid())
			before.alone = false;
}

/* ---- what is new ---- */

static int check_fd(int fd, void *arg)
{
	char path[64], target[256];
	ssize_t n;

	if (cr_fds_has(fd) || cr_fds_omitted(fd) || fd >= cr_fds_limit() ||
	    (before.fds[fd / 64] >> fd % 64 & 1))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	if (strstr(target, "libcr"))
		return 0;
	return cr_error_set(arg, -EBADF,
			    "the MPI library opened descriptor %d (%s) by a "
			    "way that is not known", fd, target);
}

static bool is_lower_thread(int tid)
{
	return contains(cr_lower_link.thread, CR_LOWER_THREADS, tid);
}

static int check_task(int tid, void *arg)
{
	char path[64];

	if (contains(before.task, before.tasks, tid) || is_lower_thread(tid) ||
	    tid == cr_helper_tid())
		return 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	if (access(path, F_OK) < 0 || is_lower_thread(tid))
		return 0;
	return cr_error_set(arg, -ESRCH,
			    "the MPI library started thread %d by a way that "
			    "is not known", tid);
}

static int check_children(struct cr_error *err)
{
	int child[CHILDREN_MAX];
	size_t n = read_children(child, CHILDREN_MAX), i;

	for (i = 0; i < n; i++)
		if (!contains(before.child, before.children, child[i]))
			return cr_error_set(err, -ECHILD,
					    "the MPI library started process "
					    "%d", child[i]);
	return 0;
}

static bool was_mapped(const char *name)
{
	uint64_t h = hash(name);
	size_t i;

	for (i = 0; i < before.paths; i++)
		if (before.path[i] == h)
			return true;
	return false;
}

static int check_maps(struct cr_error *err)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4352];
	const char *name;
	int rc = 0;

	while (f && !rc && fgets(line, sizeof(line), f)) {
		name = mapped_name(line);
		if (!name || was_mapped(name) || strstr(name, "libcr"))
			continue;
		rc = cr_error_set(err, -EFAULT,
				  "the MPI library mapped %.*s outside of its "
				  "place", (int)strcspn(name, "\n"), name);
	}
	if (f)
		fclose(f);
	return rc;
}

static int check_new(struct cr_error *err)
{
	int rc = check_children(err);

	if (!rc && before.alone)
		rc = each_number("/proc/self/fd", check_fd, err);
	if (!rc && before.alone)
		rc = each_number("/proc/self/task", check_task, err);
	if (!rc && before.alone)
		rc = check_maps(err);
	return rc;
}

/* ---- what the hook counted ---- */

static int check_counts(struct cr_error *err)
{
	const struct cr_hook *h = &cr_hook;

	if (h->no_exec)
		return cr_error_set(err, -EPERM,
				    "text of the MPI library cannot be "
				    "changed (SELinux execmod, MDWE?)");
	if (h->unpatched)
		return cr_error_set(err, -ENOEXEC,
				    "%u system call sites of the MPI library "
				    "are of an unknown form, one at %#lx",
				    h->unpatched, h->unpatched_at);
	if (h->outside)
		return cr_error_set(err, -EFAULT,
				    "the MPI library maps memory at addresses "
				    "of its own choice");
	if (h->fds_lost)
		return cr_error_set(err, -EMFILE,
				    "the MPI library has descriptors above "
				    "%d", cr_fds_limit());
	if (cr_lower_link.threads_lost)
		return cr_error_set(err, -EAGAIN,
				    "the MPI library has more than %d threads",
				    CR_LOWER_THREADS);
	return 0;
}

static int check_probes(struct cr_error *err)
{
	const char *(*probe)(bool (*)(int)) = cr_lower_link.probe;
	bool (*known)(int) = cr_fds_kept_back;
	const char *missed = CR_LOWER(probe(known));

	if (missed)
		return cr_error_set(err, -ENOEXEC,
				    "%s() of this libc goes past the hook",
				    missed);
	probed = true;
	return 0;
}

int cr_lower_check(bool after_init, struct cr_error *err)
{
	int rc, fd;

	if (!cr_lower.generation)
		return 0;
	for (fd = 0; fd < cr_fds_limit(); fd++)
		if (cr_fds_has(fd))
			cr_fds_verify(fd);
	rc = check_counts(err);
	if (!rc && !probed)
		rc = check_probes(err);
	if (!rc && after_init)
		rc = check_new(err);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control_read.c - find and read the control block of another process */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "runtime/rendezvous.h"

/*
 * The last number of a line, "NSpid:" (of a thread) or "NStgid:" (of its
 * process): the id in the innermost namespace.
 */
static int innermost_id(const char *path, const char *name)
{
	char *line = NULL, *last;
	size_t size = 0;
	int id = -ESRCH;
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		if (strncmp(line, name, strlen(name)))
			continue;
		last = strrchr(line, '\t');
		id = last ? atoi(last + 1) : -EPROTO;
		break;
	}
	free(line);
	fclose(f);
	return id;
}

pid_t cr_control_thread(pid_t pid, int32_t vtid)
{
	char path[64];
	struct dirent *d;
	pid_t tid = -ESRCH;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (tid < 0 && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.12s/status", pid,
			 d->d_name);
		if (innermost_id(path, "NSpid:") == vtid)
			tid = atoi(d->d_name);
	}
	closedir(dir);
	return tid;
}

/* The mapping that begins the control block; 0 if there is none. */
static int find_control(pid_t pid, uint64_t *addr)
{
	static const char name[] = "/memfd:" CR_CONTROL_NAME;
	unsigned long long start;
	char path[64], *line = NULL, *found;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	*addr = 0;
	while (!*addr && getline(&line, &size, f) > 0) {
		found = strchr(line, '/');
		if (!found || strncmp(found, name, sizeof(name) - 1))
			continue;
		if (sscanf(line, "%llx-", &start) == 1)
			*addr = start;
	}
	free(line);
	fclose(f);
	return 0;
}

static int read_own(void *arg, pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int cr_control_read(pid_t pid, uint64_t *where, struct cr_control *control,
		    struct cr_error *err)
{
	return cr_control_read_by(pid, where, control, read_own, NULL, err);
}

int cr_control_read_by(pid_t pid, uint64_t *where, struct cr_control *control,
		       cr_memory_reader reader, void *arg, struct cr_error *err)
{
	char path[64];
	uint64_t addr = 0;
	int rc;

	rc = find_control(pid, &addr);
	if (rc)
		return cr_error_set(err, rc, "/proc/%d/maps: %s", pid,
				    strerror(-rc));
	if (!addr)
		return -ENOENT;
	rc = reader(arg, pid, addr, control, sizeof(*control));
	if (rc)
		return cr_error_set(err, rc,
				    "process %d: cannot read the control "
				    "block of libcr at %#llx: %s",
				    pid, (unsigned long long)addr,
				    strerror(-rc));
	if (!control->magic)
		return -ENOENT; /* being made */
	if (control->magic != CR_CONTROL_MAGIC ||
	    control->version != CR_CONTROL_VERSION ||
	    control->size < sizeof(*control))
		return cr_error_set(err, -EPROTO,
				    "process %d: its libcr is of another "
				    "version than this (control block %u, "
				    "known %u)",
				    pid, control->version, CR_CONTROL_VERSION);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (innermost_id(path, "NStgid:") != control->pid)
		return -ECHILD;
	if (where)
		*where = addr;
	return 0;
}

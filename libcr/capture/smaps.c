/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* smaps.c - parses /proc/PID/maps and /proc/PID/smaps */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/smaps.h"
#include "runtime/control.h"

static const struct {
	char name[3];
	uint32_t flag;
} vm_flags[] = {
	{ "dc", CR_VM_DONTFORK },   { "wf", CR_VM_WIPEONFORK },
	{ "dd", CR_VM_DONTDUMP },   { "hg", CR_VM_HUGEPAGE },
	{ "nh", CR_VM_NOHUGEPAGE }, { "mg", CR_VM_MERGEABLE },
	{ "lo", CR_VM_LOCKED },	    { "lf", CR_VM_LOCKONFAULT },
	{ "sr", CR_VM_SEQ_READ },
	{ "rr", CR_VM_RAND_READ },  { "gd", CR_VM_GROWSDOWN },
	{ "nr", CR_VM_NORESERVE },  { "ac", CR_VM_ACCOUNT },
	{ "sl", CR_VM_SEALED },	    { "dp", CR_VM_DROPPABLE },
};

static void parse_flags(const char *line, struct cap_map *m, uint64_t page)
{
	bool writable = false;
	size_t i;

	for (; *line && *line != '\n'; line += *line == ' ' ? 1 : 2) {
		if (*line == ' ' || !line[1])
			continue;
		for (i = 0; i < sizeof(vm_flags) / sizeof(vm_flags[0]); i++)
			if (!strncmp(line, vm_flags[i].name, 2))
				m->vm_flags |= vm_flags[i].flag;
		writable |= !strncmp(line, "mw", 2);
		if (!strncmp(line, "io", 2) || !strncmp(line, "pf", 2))
			m->device = true;
		else if (!strncmp(line, "ht", 2))
			m->huge = (uint8_t)__builtin_ctzll(page | 1ULL << 63);
		else if (!strncmp(line, "um", 2) || !strncmp(line, "uw", 2) ||
			 !strncmp(line, "ui", 2))
			m->userfault = true;
	}
	m->has_flags = true;
	if (m->perm[3] == 's' && !writable)
		m->vm_flags |= CR_VM_READONLY;
}

/* A newline in a path is shown as \012. */
static void copy_path(char *to, size_t size, const char *from, size_t len)
{
	size_t n = 0;

	while (len && n + 1 < size) {
		if (len >= 4 && !strncmp(from, "\\012", 4)) {
			to[n++] = '\n';
			from += 4;
			len -= 4;
		} else {
			to[n++] = *from++;
			len--;
		}
	}
	to[n] = 0;
}

bool cap_map_is_sysv(const struct cap_map *m)
{
	uint32_t key;
	int n = 0;

	return m->perm[3] == 's' && !(m->dev >> 32 & ~(CAP_SYSV_DEV >> 32)) &&
	       sscanf(m->path, "/SYSV%8" SCNx32 " (deleted)%n", &key, &n) ==
		       1 &&
	       n && !m->path[n];
}

static bool number(const char **p, int base, char end, uint64_t *value)
{
	char *after;

	*value = strtoull(*p, &after, base);
	if (after == *p || *after != end)
		return false;
	*p = after + 1;
	return true;
}

/*
 * "START-END PERM OFFSET MAJOR:MINOR INODE   PATH", up to the path.  Not by
 * sscanf(3): that measures all of the text, which may be very long.
 */
static bool parse_line(const char **text, struct cap_map *m)
{
	const char *p = *text;
	uint64_t major, minor;

	if (!number(&p, 16, '-', &m->start) || !number(&p, 16, ' ', &m->end) ||
	    strcspn(p, " \n") != 4 || p[4] != ' ')
		return false;
	memcpy(m->perm, p, 4);
	p += 5;
	if (!number(&p, 16, ' ', &m->offset) || !number(&p, 16, ':', &major) ||
	    !number(&p, 16, ' ', &minor))
		return false;
	m->dev = major << 32 | minor;
	m->ino = strtoull(p, (char **)&p, 10);
	while (*p == ' ')
		p++;
	*text = p;
	return true;
}

bool cap_map_next(const char **text, struct cap_map *m)
{
	const char *p = *text, *eol;
	uint64_t page = 0;

	memset(m, 0, offsetof(struct cap_map, path));
	m->path[0] = 0;
	m->vm_flags = 0;
	m->huge = 0;
	m->has_flags = m->device = m->userfault = m->untouched = false;
	eol = strchr(p, '\n');
	if (!eol || !parse_line(&p, m))
		return false;
	copy_path(m->path, sizeof(m->path), p, (size_t)(eol - p));
	if (cap_map_is_sysv(m))
		m->dev |= CAP_SYSV_DEV;
	/* the lines of smaps begin with a capital, those of areas do not */
	for (p = eol + 1; isupper((unsigned char)*p); p = eol + 1) {
		eol = strchr(p, '\n');
		if (!strncmp(p, "VmFlags: ", 9))
			parse_flags(p + 9, m, page);
		else if (!strncmp(p, "KernelPageSize:", 15))
			page = strtoull(p + 15, NULL, 10) << 10;
		else if (!strncmp(p, "Anonymous:", 10))
			m->untouched = !strtoull(p + 10, NULL, 10);
		else if (!strncmp(p, "Swap:", 5))
			m->swapped = strtoull(p + 5, NULL, 10);
		else if (!strncmp(p, "ProtectionKey: ", 15))
			m->vm_flags |= (uint32_t)strtoul(p + 15, NULL, 10)
				       << CR_VM_PKEY_SHIFT & CR_VM_PKEY;
		if (!eol) {
			p += strlen(p);
			break;
		}
	}
	if (m->huge || m->swapped) /* huge ones are counted otherwise */
		m->untouched = false;
	*text = p;
	return true;
}

static int refuse(const struct cap_map *m, const char *what, const char *todo,
		  struct cr_error *err)
{
	cr_error_set(err, -ENOTSUP,
		     "memory 0x%" PRIx64 "-0x%" PRIx64 " (%s) is %s, which "
		     "cannot be saved; %s",
		     m->start, m->end, m->path[0] ? m->path : "anonymous", what,
		     todo);
	return 0;
}

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* What the kernel calls memory of mmap(2) with MAP_HUGETLB. */
static const char anon_huge[] = "/anon_hugepage (deleted)";

/* Private memory without a file: what the kernel calls it does not matter. */
static bool plain_name(const char *path)
{
	return !path[0] || !strcmp(path, "[heap]") || begins(path, "[stack") ||
	       begins(path, "[anon:");
}

/* The kernel says so; but a file may be called so, too. */
static bool is_deleted(pid_t pid, const struct cap_map *m)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(m->path), k = sizeof(mark) - 1;

	return n > k && !strcmp(m->path + n - k, mark) &&
	       !cap_mapped_there(pid, m->path, m->ino);
}

/*
 * Which pages of a file without a name have content the kernel does not tell:
 * all of them are looked at.  A huge page that was never touched comes into
 * being by that.  It must be the file's already: reserved.
 */
static int huge_kind(pid_t pid, const struct cap_map *m, struct cr_error *err)
{
	bool shared = m->perm[3] == 's';

	if (m->dev & CAP_SYSV_DEV)
		return refuse(m, "made of reserved huge pages (SHM_HUGETLB)",
			      "have the program use mmap(2) with MAP_HUGETLB, "
			      "or System V shared memory without them",
			      err);
	if (!is_deleted(pid, m))
		return shared ? CR_AREA_FILE_SHARED : CR_AREA_FILE_PRIVATE;
	if (!shared && strcmp(m->path, anon_huge) != 0)
		return refuse(m, "private memory of a file of huge pages that "
				 "has no name",
			      "have the program use MAP_ANONYMOUS and "
			      "MAP_HUGETLB, or give the file a name",
			      err);
	if (shared && m->vm_flags & CR_VM_NORESERVE)
		return refuse(m, "shared memory of huge pages that are not "
				 "reserved",
			      "have the program do without MAP_NORESERVE", err);
	return shared ? CR_AREA_ANON_SHARED : CR_AREA_ANON;
}

int cap_map_kind(pid_t pid, const struct cap_map *m, struct cr_error *err)
{
	const char *p = m->path;
	bool shared = m->perm[3] == 's';
	struct stat st;

	if (!strcmp(p, "[vdso]"))
		return CR_AREA_VDSO;
	if (!strcmp(p, "[vvar]") || !strcmp(p, "[vvar_vclock]"))
		return CR_AREA_VVAR;
	if (!strcmp(p, "[vsyscall]"))
		return CR_AREA_VSYSCALL;
	if (m->device)
		return refuse(m, "memory of a device",
			      "have the program close the device before the "
			      "checkpoint",
			      err);
	if (m->userfault)
		return refuse(m, "watched by userfaultfd",
			      "unregister it before the checkpoint", err);
	if (begins(p, "/secretmem"))
		return refuse(m, "secret (memfd_secret(2))",
			      "have the program unmap it before the "
			      "checkpoint", err);
	if (begins(p, "/[aio]"))
		return refuse(m, "an asynchronous I/O context (io_setup(2))",
			      "have the program destroy it before the "
			      "checkpoint", err);
	if (begins(p, "anon_inode:") || begins(p, "socket:"))
		return refuse(m, "no memory of the program's own",
			      "close it before the checkpoint", err);
	if (m->huge)
		return huge_kind(pid, m, err);
	if (m->dev & CAP_SYSV_DEV) /* the first one's id, 0, is its inode */
		return CR_AREA_ANON_SHARED;
	if (!m->ino) {
		if (shared)
			return refuse(m, "shared memory of an unknown kind",
				      "unmap it before the checkpoint", err);
		if (plain_name(p) || !strcmp(p, "/dev/zero"))
			return CR_AREA_ANON;
		return refuse(m, "of a kind unknown here", "please report it",
			      err);
	}
	if (!m->has_flags && !strcmp(p, anon_huge))
		return shared ? CR_AREA_ANON_SHARED : CR_AREA_ANON;
	if (begins(p, "/memfd:" CR_CONTROL_NAME) && !shared)
		return CR_AREA_CONTROL;
	if (!strcmp(p, "/dev/zero") && !shared)
		return CR_AREA_ANON;
	if (p[0] == '[') /* [anon_shmem:name] */
		return shared ? CR_AREA_ANON_SHARED : CR_AREA_ANON;
	if (p[0] != '/')
		return refuse(m, "of a kind unknown here", "please report it",
			      err);
	if (is_deleted(pid, m))
		return shared ? CR_AREA_ANON_SHARED : CR_AREA_FILE_PRIVATE;
	/*
	 * Java's counters, for others to look at: the file ends with the
	 * process, and another node does not have it.
	 */
	if (shared && begins(p, "/tmp/hsperfdata_"))
		return CR_AREA_ANON_SHARED;
	if (!stat(p, &st) && !S_ISREG(st.st_mode))
		return refuse(m, "a device", "close it before the checkpoint",
			      err);
	return shared ? CR_AREA_FILE_SHARED : CR_AREA_FILE_PRIVATE;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info_text.c - words for the numbers of a context file */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/cr_info.h"

#define COMMAND_MAX 4096 /* bytes of arguments that are shown */

void *info_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		fputs("cr_info: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

struct info_size info_size(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	struct info_size size;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(size.text, sizeof(size.text), "%" PRIu64 " B", bytes);
		return size;
	}
	while (value >= 1023.95 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(size.text, sizeof(size.text), "%.1f %s", value, units[unit]);
	return size;
}

#define WORD(words, i)                                                         \
	((i) < sizeof(words) / sizeof((words)[0]) && (words)[i] ? (words)[i]   \
								: "?")

const char *info_process_kind(uint32_t kind)
{
	static const char *const words[] = {
		[CR_PROC_NORMAL] = "normal",
		[CR_PROC_ZOMBIE] = "zombie",
		[CR_PROC_RESPAWNED] = "respawned",
	};

	return WORD(words, kind);
}

const char *info_object_kind(uint32_t kind)
{
	static const char *const words[] = {
		[CR_OBJ_REGULAR] = "file",
		[CR_OBJ_DIRECTORY] = "directory",
		[CR_OBJ_PIPE] = "pipe",
		[CR_OBJ_DEVICE] = "device",
		[CR_OBJ_STDIO] = "stdio",
		[CR_OBJ_EVENTFD] = "eventfd",
		[CR_OBJ_EPOLL] = "epoll",
		[CR_OBJ_TIMERFD] = "timerfd",
		[CR_OBJ_SIGNALFD] = "signalfd",
		[CR_OBJ_MEMFD] = "memfd",
		[CR_OBJ_UNIX] = "unix",
		[CR_OBJ_FIFO] = "fifo",
		[CR_OBJ_INET] = "inet",
		[CR_OBJ_PIDFD] = "pidfd",
		[CR_OBJ_PROC] = "proc",
		[CR_OBJ_MQUEUE] = "mqueue",
		[CR_OBJ_INOTIFY] = "inotify",
		[CR_OBJ_SYSV_SHM] = "System V shared memory",
		[CR_OBJ_SYSV_SEM] = "System V semaphores",
		[CR_OBJ_SYSV_MSG] = "System V message queue",
		[CR_OBJ_PTY] = "pty",
		[CR_OBJ_UNNAMED] = "file without a name",
		[CR_OBJ_MEMFD_HUGE] = "memfd of huge pages",
		[CR_OBJ_EPOLL_BUSY] = "epoll",
		[CR_OBJ_PLACE] = "place (O_PATH)",
		[CR_OBJ_UNIX_MOVED] = "unix",
	};

	return WORD(words, kind);
}

const char *info_area_kind(uint32_t kind)
{
	static const char *const words[] = {
		[CR_AREA_ANON] = "anonymous",
		[CR_AREA_FILE_PRIVATE] = "private file",
		[CR_AREA_FILE_SHARED] = "shared file",
		[CR_AREA_ANON_SHARED] = "shared anonymous",
		[CR_AREA_VDSO] = "vdso",
		[CR_AREA_VVAR] = "vvar",
		[CR_AREA_VSYSCALL] = "vsyscall",
		[CR_AREA_CONTROL] = "libcr control block",
	};

	return WORD(words, kind);
}

const char *info_scope(uint32_t scope)
{
	static const char *const words[] = { "process", "process group",
					     "session", "tree" };

	return WORD(words, scope);
}

const char *info_policy(uint32_t policy)
{
	static const char *const words[] = { "other",	"fifo", "rr",
					     "batch",	NULL,	"idle",
					     "deadline" };

	return WORD(words, policy);
}

char *info_vm_flags(uint64_t flags)
{
	static const char names[][3] = { "dc", "wf", "dd", "hg", "nh", "mg",
					 "lo", "sr", "rr", "gd", "nr", "ac" };
	size_t n = sizeof(names) / sizeof(names[0]);
	char *text = info_alloc(n + sizeof("key 15"), sizeof(names[0]));
	unsigned int key = (unsigned int)(flags & CR_VM_PKEY) >> CR_VM_PKEY_SHIFT;

	/* Two letters and a space each, or the zero at the end. */
	for (size_t i = 0; i < n; i++) {
		if (!(flags & UINT64_C(1) << i))
			continue;
		if (*text)
			strcat(text, " ");
		strcat(text, names[i]);
	}
	if (key)
		sprintf(text + strlen(text), "%skey %u", *text ? " " : "", key);
	return text;
}

void info_hex(char *to, const uint8_t *bytes, size_t len)
{
	*to = '\0';
	for (size_t i = 0; i < len; i++)
		sprintf(to + 2 * i, "%02x", bytes[i]);
}

void info_time(char *to, size_t size, uint64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    !strftime(to, size, "%Y-%m-%d %H:%M:%S %z", &tm))
		snprintf(to, size, "?");
}

/* Bytes of the UTF-8 character at s, 0 if it is none. */
static size_t utf8_length(const uint8_t *s)
{
	uint32_t c;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	c = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* Overlong forms, surrogates, and what lies beyond Unicode. */
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	/* C1 control characters steer terminals as well. */
	return c < 0xa0 ? 0 : n;
}

char *info_printable(const char *s, bool json)
{
	const uint8_t *at = (const uint8_t *)s;
	char *text, *to;

	if (!s)
		return NULL;
	text = to = info_alloc(strlen(s) * 4 + 1, 1);
	while (*at) {
		size_t n = utf8_length(at);

		if (n == 1 && !json && (*at < 0x20 || *at == 0x7f))
			n = 0;
		if (n) {
			memcpy(to, at, n);
			to += n;
			at += n;
		} else {
			to += sprintf(to, "\\x%02x", *at++);
		}
	}
	return text;
}

static char **copy_list(char *const *list)
{
	size_t n = 0, len = 0;
	char **copy, *to;

	for (; list[n]; n++)
		len += strlen(list[n]) + 1;
	copy = info_alloc(1, (n + 1) * sizeof(*copy) + len);
	to = (char *)(copy + n + 1);
	for (size_t i = 0; i < n; i++) {
		copy[i] = to;
		to = stpcpy(to, list[i]) + 1;
	}
	return copy;
}

char **info_command(const struct info *in, const struct cr_process *p)
{
	char bytes[COMMAND_MAX + 1] = "", *list[COMMAND_MAX / 2 + 1];
	const struct cr_mm_fields *f;
	size_t len, n = 0;

	if (p->argv)
		return copy_list(p->argv);
	if (p->mm == CR_NONE)
		return NULL;
	f = &in->img->mms[p->mm].fields;
	if (f->arg_end <= f->arg_start)
		return NULL;
	len = f->arg_end - f->arg_start;
	if (len > COMMAND_MAX)
		len = COMMAND_MAX;
	if (cr_reader_memory(in->reader, p->mm, f->arg_start, bytes, len,
			     NULL) ||
	    !bytes[0])
		return NULL;
	for (char *at = bytes; at < bytes + len && n < COMMAND_MAX / 2;
	     at += strlen(at) + 1)
		list[n++] = at;
	list[n] = NULL;
	return copy_list(list);
}

char *info_command_line(const struct info *in, const struct cr_process *p)
{
	char **list = info_command(in, p), *line, *printable;
	size_t len = 1;

	if (!list)
		return info_printable(p->n_threads ? p->threads[0].comm : "?",
				      false);
	for (size_t i = 0; list[i]; i++)
		len += strlen(list[i]) + 1;
	line = info_alloc(len, 1);
	for (size_t i = 0; list[i]; i++) {
		if (i)
			strcat(line, " ");
		strcat(line, list[i]);
	}
	printable = info_printable(line, false);
	free(line);
	free(list);
	return printable;
}

bool info_selected(const struct info *in, const struct cr_process *p)
{
	return !in->pid || p->pid == in->pid;
}

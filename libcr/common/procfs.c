/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* procfs.c - reading /proc/PID */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/procfs.h"

static void make_path(char *path, size_t size, pid_t pid, const char *fmt,
		      va_list ap)
{
	int n = snprintf(path, size, "/proc/%d/", pid);

	vsnprintf(path + n, size - (size_t)n, fmt, ap);
}

static char *read_all(int fd, size_t *len)
{
	size_t size = 4096, used = 0;
	char *buf = malloc(size), *more;
	ssize_t n;

	while (buf) {
		n = read(fd, buf + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(buf);
			return NULL;
		}
		if (n == 0)
			break;
		used += (size_t)n;
		if (size - used > 1024)
			continue;
		size *= 2;
		more = realloc(buf, size);
		if (!more)
			free(buf);
		buf = more;
	}
	if (buf) {
		buf[used] = 0;
		if (len)
			*len = used;
	}
	return buf;
}

char *cr_procfs_read(pid_t pid, size_t *len, const char *fmt, ...)
{
	char path[PATH_MAX], *buf;
	va_list ap;
	int fd, e;

	va_start(ap, fmt);
	make_path(path, sizeof(path), pid, fmt, ap);
	va_end(ap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	buf = read_all(fd, len);
	e = errno;
	close(fd);
	errno = e;
	return buf;
}

char *cr_procfs_link(pid_t pid, const char *fmt, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	va_list ap;
	ssize_t n;

	va_start(ap, fmt);
	make_path(path, sizeof(path), pid, fmt, ap);
	va_end(ap);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return NULL;
	target[n] = 0;
	return strdup(target);
}

/* Frees buf, the content of a stat file; NULL: errno tells. */
static int parse_stat(char *buf, struct cr_procfs_stat *st)
{
	char *p, *end;
	/* numbers of the fields in proc(5); 3 is the state */
	uint64_t f[53] = { 0 };
	int i;

	if (!buf)
		return -errno;
	p = strrchr(buf, ')');
	if (!p || !p[1] || !p[2]) {
		free(buf);
		return -EPROTO;
	}
	st->state = p[2];
	p += 3;
	for (i = 4; i <= 52; i++) {
		f[i] = *p ? strtoull(p, &end, 10) : 0;
		if (*p)
			p = end;
	}
	free(buf);
	st->ppid = (int32_t)f[4];
	st->pgrp = (int32_t)f[5];
	st->session = (int32_t)f[6];
	st->tty_nr = (int32_t)f[7];
	st->tpgid = (int32_t)f[8];
	st->start_time = f[22];
	st->start_code = f[26];
	st->end_code = f[27];
	st->start_stack = f[28];
	st->exit_signal = (int32_t)f[38];
	st->processor = (int32_t)f[39];
	st->start_data = f[45];
	st->end_data = f[46];
	st->start_brk = f[47];
	st->arg_start = f[48];
	st->arg_end = f[49];
	st->env_start = f[50];
	st->env_end = f[51];
	st->exit_code = (int32_t)f[52];
	return 0;
}

int cr_procfs_stat(pid_t pid, struct cr_procfs_stat *st)
{
	return parse_stat(cr_procfs_read(pid, NULL, "stat"), st);
}

int cr_procfs_task_stat(pid_t pid, pid_t tid, struct cr_procfs_stat *st)
{
	return parse_stat(cr_procfs_read(pid, NULL, "task/%d/stat", tid), st);
}

const char *cr_procfs_field(const char *status, const char *name)
{
	size_t n = strlen(name);
	const char *p = status;

	while (p) {
		if (!strncmp(p, name, n) && p[n] == ':') {
			p += n + 1;
			while (*p == '\t' || *p == ' ')
				p++;
			return p;
		}
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return NULL;
}

int32_t cr_procfs_last(const char *status, const char *name, int32_t dflt)
{
	const char *p = cr_procfs_field(status, name);
	int32_t value = dflt;
	char *end;

	while (p && *p && *p != '\n') {
		value = (int32_t)strtol(p, &end, 10);
		if (end == p)
			break;
		p = end;
		while (*p == '\t' || *p == ' ')
			p++;
	}
	return value;
}

uint64_t cr_procfs_hex(const char *status, const char *name)
{
	const char *p = cr_procfs_field(status, name);

	return p ? strtoull(p, NULL, 16) : 0;
}

static int by_number(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

static int numbers(const char *path, int32_t **list, size_t *n)
{
	int32_t *more;
	struct dirent *e;
	size_t room = 0;
	int ret = 0;
	DIR *d;

	*list = NULL;
	*n = 0;
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		if (*n == room) {
			room = room ? room * 2 : 64;
			more = realloc(*list, room * sizeof(**list));
			if (!more) {
				ret = -ENOMEM;
				free(*list);
				*list = NULL;
				*n = 0;
				break;
			}
			*list = more;
		}
		(*list)[(*n)++] = atoi(e->d_name);
	}
	closedir(d);
	if (*n)
		qsort(*list, *n, sizeof(**list), by_number);
	return ret;
}

int cr_procfs_numbers(pid_t pid, const char *dir, int32_t **list, size_t *n)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, dir);
	return numbers(path, list, n);
}

int cr_procfs_pids(int32_t **list, size_t *n)
{
	return numbers("/proc", list, n);
}

int64_t cr_procfs_clock_offset(pid_t pid, const char *clock)
{
	char *text = cr_procfs_read(pid, NULL, "timens_offsets");
	const char *p = text ? strstr(text, clock) : NULL;
	long long s = 0, ns = 0;

	if (!p || sscanf(p + strlen(clock), "%lld %lld", &s, &ns) != 2)
		s = ns = 0;
	free(text);
	return s * 1000000000LL + ns;
}

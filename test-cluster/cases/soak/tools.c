// SPDX-License-Identifier: GPL-2.0-or-later
/* tools.c - chance, naps, and bytes that can be checked */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

void wrong(const char *fmt, ...)
{
	char buf[300];
	va_list ap;
	int n;

	n = snprintf(buf, sizeof(buf), "wrong: process %d thread %d: ", me,
		     my_thread);
	va_start(ap, fmt);
	n += vsnprintf(buf + n, sizeof(buf) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	buf[n++] = '\n';
	if (write(STDOUT_FILENO, buf, (size_t)n) == n)
		atomic_store(&sh->failed, 1);
	_exit(1);
}

uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

unsigned int below(unsigned int n)
{
	return (unsigned int)(next() >> 33) % n;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

void nap(void)
{
	struct timespec t = { .tv_nsec = 1000000 + below(40000000) };
	int64_t begin = now_ns();
	const int before = handled;

	if (nanosleep(&t, NULL))
		wrong("nap: %s, after %d signals", strerror(errno),
		      handled - before);
	CHECK(now_ns() - begin >= t.tv_nsec);
}

void step(void)
{
	atomic_fetch_add(&sh->done[me][my_thread], 1);
	if (below(8))
		nap();
}

void fill(unsigned char *p, size_t len, uint64_t key)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(key * 31 + i * 7 + i / 253);
}

void verify(const unsigned char *p, size_t len, uint64_t key)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != (unsigned char)(key * 31 + i * 7 + i / 253))
			wrong("byte %zu of %zu with key %lx", i, len,
			      (long)key);
}

void read_all(int fd, void *buf, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		CHECK(n > 0);
		got += (size_t)n;
	}
}

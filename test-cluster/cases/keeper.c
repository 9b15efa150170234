// SPDX-License-Identifier: GPL-2.0-or-later
/* keeper.c - memory of all kinds, and is it still as it was?
 *
 * usage: keeper MIB
 *
 * Fills MIB MiB and some areas of other kinds, prints "ready", and then, for
 * each SIGUSR1, "right" or what is wrong.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef WITH_LIBCR /* it can be asked for a checkpoint then */
#include <libcr.h>
#endif

#define PAGE 4096UL
#define LONG (1UL << 33) /* without PAGEMAP_SCAN more takes for ever */

enum { LARGE, HUGE, HOLE, HIDDEN, ZEROS, N_AREAS };
static const char *const names[] = { "large", "huge", "hole", "hidden",
				     "zeros" };
static uint64_t *area[N_AREAS];
static size_t len[N_AREAS];
static uint64_t own_data[3 * PAGE] = { 1 }; /* of the file, then ours */

static uint64_t value(int which, size_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15 + which;
}

/* The pages of an area that have something. */
static size_t next_page(int which, size_t page)
{
	switch (which) {
	case HOLE: /* far from each other */
		return page ? page * 2 + 1 : 1;
	case HIDDEN:
		return page + 3;
	default:
		return page + 1;
	}
}

static uint64_t *word(int which, size_t page)
{
	return area[which] + page * PAGE / sizeof(uint64_t) +
	       page % (PAGE / sizeof(uint64_t));
}

/* All of the large ones, one word of each page of the others. */
static void fill(int which)
{
	size_t i;

	if (which == LARGE || which == HUGE)
		for (i = 0; i < len[which] / sizeof(uint64_t); i++)
			area[which][i] = value(which, i);
	else
		for (i = 0; i < len[which] / PAGE; i = next_page(which, i))
			*word(which, i) = which == ZEROS ? 0 : value(which, i);
}

static const char *check(int which)
{
	size_t i;

	if (which == LARGE || which == HUGE) {
		for (i = 0; i < len[which] / sizeof(uint64_t); i++)
			if (area[which][i] != value(which, i))
				return names[which];
		return NULL;
	}
	for (i = 0; i < len[which] / PAGE; i = next_page(which, i))
		if (*word(which, i) != (which == ZEROS ? 0 : value(which, i)))
			return names[which];
	return NULL;
}

static void make(size_t mib)
{
	len[LARGE] = mib << 20;
	len[HUGE] = 8UL << 20;
	len[HOLE] = LONG;
	len[HIDDEN] = 1UL << 20;
	len[ZEROS] = 2UL << 20;
	for (int i = 0; i < N_AREAS; i++) {
		area[i] = mmap(NULL, len[i], PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0);
		if (area[i] == MAP_FAILED)
			exit(1);
		madvise(area[i], len[i],
			i == HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		fill(i);
	}
	for (size_t i = 0; i < sizeof(own_data) / PAGE; i += 2)
		own_data[i * PAGE / sizeof(uint64_t)] = value(9, i);
	mprotect(area[HIDDEN], len[HIDDEN], PROT_NONE);
}

static const char *check_all(void)
{
	const char *wrong = NULL;

	if (mprotect(area[HIDDEN], len[HIDDEN], PROT_READ))
		return "mprotect";
	for (int i = 0; i < N_AREAS && !wrong; i++)
		wrong = check(i);
	mprotect(area[HIDDEN], len[HIDDEN], PROT_NONE);
	for (size_t i = 0; i < sizeof(own_data) / PAGE; i += 2)
		if (own_data[i * PAGE / sizeof(uint64_t)] != value(9, i))
			wrong = "own data";
	return wrong;
}

int main(int argc, char **argv)
{
	const char *wrong;
	sigset_t set;
	int signo;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
#ifdef WITH_LIBCR
	if (cr_init() < 0)
		return 1;
#endif
	make((size_t)atoi(argc > 1 ? argv[1] : "16"));
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (!sigwait(&set, &signo)) {
		wrong = check_all();
		puts(wrong ? wrong : "right");
	}
	return 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - from all members' counts of collectives to what is to happen */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/table.h"

static int by_id(const void *a, const void *b)
{
	const struct cr_mpi_standing *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void finish(struct cr_mpi_lines *lines, struct cr_mpi_line *l)
{
	/* not made there yet: that rank is behind on the parent */
	if (l->reported < l->size)
		l->min_entered = l->min_done = 0;
	l->target = l->max_done;
	if (l->min_entered > l->max_done) {
		/* everybody is in: they come out by themselves */
		l->target++;
		lines->at_rest = false;
	}
	if (l->min_done < l->max_done) {
		lines->behind = true;
		lines->at_rest = false;
	}
}

int cr_mpi_lines_make(struct cr_mpi_lines *lines,
		      const struct cr_mpi_standing *all, int n)
{
	struct cr_mpi_standing *s = malloc((n + 1) * sizeof(*s));
	struct cr_mpi_line *l = NULL;

	memset(lines, 0, sizeof(*lines));
	lines->line = calloc(n + 1, sizeof(*lines->line));
	if (!s || !lines->line) {
		free(s);
		free(lines->line);
		return -ENOMEM;
	}
	memcpy(s, all, n * sizeof(*s));
	qsort(s, n, sizeof(*s), by_id);
	lines->at_rest = true;
	for (int i = 0; i < n; i++) {
		if (!l || l->id != s[i].id) {
			if (l)
				finish(lines, l);
			l = &lines->line[lines->n++];
			l->id = s[i].id;
			l->size = s[i].size;
			l->min_entered = s[i].entered;
			l->min_done = s[i].done;
		}
		l->reported++;
		l->want += s[i].want;
		l->freed += s[i].freed;
		if (s[i].done > l->max_done)
			l->max_done = s[i].done;
		if (s[i].done < l->min_done)
			l->min_done = s[i].done;
		if (s[i].entered < l->min_entered)
			l->min_entered = s[i].entered;
		lines->motion += s[i].entered + s[i].done;
	}
	if (l)
		finish(lines, l);
	free(s);
	return 0;
}

void cr_mpi_lines_raise(struct cr_mpi_lines *lines)
{
	for (int i = 0; i < lines->n; i++)
		if (lines->line[i].want)
			lines->line[i].target++;
}

const struct cr_mpi_line *cr_mpi_lines_find(const struct cr_mpi_lines *lines,
					    uint64_t id)
{
	int low = 0, high = lines->n;

	while (low < high) {
		int mid = (low + high) / 2;

		if (lines->line[mid].id == id)
			return &lines->line[mid];
		if (lines->line[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void cr_mpi_lines_free(struct cr_mpi_lines *lines)
{
	free(lines->line);
	lines->line = NULL;
}

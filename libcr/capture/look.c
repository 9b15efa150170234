/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.c - what stands in the way for more than a moment
 *
 * Nothing stands still while it is looked at: a pipe of a shell seems to lead
 * out when the process at its other end is too young to be known.  So what is
 * found is looked for again, and only what is there both times counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/internal.h"

struct obstacle {
	char *line;
	int kind;
	bool still;
};

struct found {
	struct cr_capture *c;
	struct obstacle *o;
	size_t n;
	bool out_of_memory;
};

static void note(const char *line, void *arg)
{
	struct found *f = arg;
	struct obstacle *more = realloc(f->o, (f->n + 1) * sizeof(*more));

	if (more)
		f->o = more;
	if (!more || !(more[f->n].line = strdup(line))) {
		f->out_of_memory = true;
		return;
	}
	more[f->n].kind = f->c->obstacle;
	more[f->n].still = false;
	f->n++;
}

static void note_again(const char *line, void *arg)
{
	struct found *f = arg;
	size_t i;

	for (i = 0; i < f->n; i++)
		if (!strcmp(f->o[i].line, line))
			f->o[i].still = true;
}

int cr_capture_check(struct cr_capture *c,
		     void (*report)(const char *line, void *arg), void *arg,
		     struct cr_error *err)
{
	struct found f = { .c = c };
	size_t i, n = 0;
	int ret;

	c->checked = false;
	ret = cap_look(c, note, &f, err);
	if (ret > 0)
		ret = cap_look(c, note_again, &f, err);
	if (ret >= 0 && f.out_of_memory)
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < f.n; i++) {
		if (ret >= 0 && f.o[i].still) {
			if (!n++)
				c->obstacle = f.o[i].kind;
			if (report)
				report(f.o[i].line, arg);
		}
		free(f.o[i].line);
	}
	free(f.o);
	if (ret < 0)
		return ret;
	c->checked = !n;
	return (int)n;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy.c - from which nodes single areas get their memory (mbind(2)) */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "capture/internal.h"
#include "capture/smaps.h"

#define BATCH 128 /* areas that are asked for at a time */
#define POLICY_BITS 1024 /* more nodes than any kernel has */

struct asking {
	struct cr_capture *c;
	struct cap_proc *p;
	struct {
		uint64_t start, len;
	} area[BATCH];
	size_t n;
	bool none; /* this kernel has no policies */
};

static int add(struct asking *a, size_t i, struct cr_error *err)
{
	struct {
		uint64_t len, mode;
		uint8_t nodes[POLICY_BITS / 8];
	} out = { .len = a->area[i].len };
	struct cr_task *t = &a->p->threads[0]->task;
	struct cr_image *img = a->c->img;
	int64_t r = 0;
	int ret;

	ret = cr_remote_write(t->tid, t->scratch, &out, sizeof(out), err);
	if (!ret)
		ret = cr_remote_syscall(t, &r, SYS_get_mempolicy,
					t->scratch + 8, t->scratch + 16,
					POLICY_BITS + 1, a->area[i].start,
					MPOL_F_ADDR, 0, err);
	if (!ret)
		ret = cr_remote_read(t->tid, t->scratch, &out, sizeof(out),
				     err);
	if (ret || r || !out.mode)
		return ret;
	ret = cap_add_setting(a->c, CR_SETTING_BIND, cap_model(a->c, a->p)->mm,
			      a->area[i].start, err);
	if (!ret && cr_blob_set(&img->settings[img->n_settings - 1].data, &out,
				sizeof(out)))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	return ret;
}

/* Few have one, so only whether they do, at first. */
static int ask(struct asking *a, struct cr_error *err)
{
	struct cr_task *t = &a->p->threads[0]->task;
	struct cr_remote_call call[BATCH];
	int32_t mode[BATCH] = { 0 };
	size_t i;
	int ret;

	for (i = 0; i < a->n; i++)
		call[i] = (struct cr_remote_call){
			.nr = SYS_get_mempolicy,
			.arg = { t->scratch + i * sizeof(mode[0]), 0, 0,
				 a->area[i].start, MPOL_F_ADDR },
		};
	ret = cr_remote_batch(t, call, a->n, err);
	if (!ret)
		ret = cr_remote_read(t->tid, t->scratch, mode,
				     a->n * sizeof(mode[0]), err);
	for (i = 0; i < a->n && !ret; i++) {
		a->none |= call[i].ret == -ENOSYS;
		if (!call[i].ret && mode[i] != MPOL_DEFAULT)
			ret = add(a, i, err);
	}
	a->n = 0;
	return ret;
}

int cap_read_policies(struct cr_capture *c, struct cap_proc *p,
		      struct cr_error *err)
{
	char *maps = cr_procfs_read(p->tid, NULL, "maps");
	struct asking a = { .c = c, .p = p };
	struct cap_map *m = malloc(sizeof(*m));
	const char *text = maps;
	int ret = 0;

	if (!maps || !m)
		ret = cr_error_set(err, maps ? -ENOMEM : -errno, "maps: %s",
				   strerror(maps ? ENOMEM : errno));
	while (!ret && !a.none && cap_map_next(&text, m)) {
		if (!strncmp(m->path, "[v", 2) ||
		    cap_is_cut(p, m->start, m->end))
			continue;
		a.area[a.n].start = m->start;
		a.area[a.n++].len = m->end - m->start;
		if (a.n == BATCH)
			ret = ask(&a, err);
	}
	if (!ret && !a.none && a.n)
		ret = ask(&a, err);
	free(m);
	free(maps);
	return ret;
}

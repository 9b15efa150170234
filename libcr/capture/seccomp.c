/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seccomp.c - the seccomp filters of threads
 *
 * Whoever may have them suspended may read them, too; else a call of ours
 * would meet them, and that may be the end of the program.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/internal.h"

/* Who makes checkpoints where everybody has one is told what that is. */
static const char *way_out(void)
{
	char *mine = cr_procfs_read(getpid(), NULL, "status");
	bool all = mine && cr_procfs_last(mine, "Seccomp", 0);

	free(mine);
	return all ? "this command has one, too: run it outside of the "
		     "container, as root, or both in one without (docker, "
		     "podman: --security-opt seccomp=unconfined)"
		   : "that needs CAP_SYS_ADMIN on this host: run cr_checkpoint "
		     "as root, or the program outside of its sandbox";
}

static const char text[] =
	"process %d: has a seccomp filter, which cannot be saved; %s";

void cap_check_filters(struct cr_capture *c, const struct cap_proc *p,
		       const char *status)
{
	if (cr_procfs_last(status, "Seccomp", 0) &&
	    !cr_remote_can_suspend_filters())
		cap_report(c, text, p->vpid, way_out());
}

/* It may have one since it was looked at. */
int cap_refuse_filters(const struct cap_proc *p, struct cr_error *err)
{
	char *status;
	bool some;

	if (!p->n_threads || p->threads[0]->task.unfiltered)
		return 0;
	status = cr_procfs_read(p->threads[0]->task.tid, NULL, "status");
	some = status && cr_procfs_last(status, "Seccomp", 0);
	free(status);
	return some ? cr_error_set(err, -ENOTSUP, text, p->vpid, way_out()) : 0;
}

/* What an answer of this filter is for; NULL: nobody. */
static const char *asks(const struct cr_remote_filter *f)
{
	const struct sock_filter *code = f->code;
	size_t i;

	for (i = 0; i < f->len / sizeof(*code); i++) {
		if (BPF_CLASS(code[i].code) != BPF_RET)
			continue;
		if (BPF_RVAL(code[i].code) != BPF_K)
			return "gives an answer that it computes";
		switch (code[i].k & SECCOMP_RET_ACTION_FULL) {
		case SECCOMP_RET_USER_NOTIF:
			return "asks another process (SECCOMP_RET_USER_NOTIF)";
		case SECCOMP_RET_TRACE:
			return "asks a tracer (SECCOMP_RET_TRACE)";
		}
	}
	return NULL;
}

static int add_filter(struct cr_capture *c, struct cap_thread *t,
		      const struct cr_remote_filter *f, struct cr_error *err)
{
	const char *who = asks(f);
	int ret;

	if (who)
		return cr_error_set(err, -ENOTSUP,
				    "thread %d: has a seccomp filter that %s, "
				    "which cannot be saved; run the program "
				    "outside of its sandbox",
				    t->vtid, who);
	ret = cap_add_setting(c, CR_SETTING_FILTER, (uint32_t)t->vtid, f->log,
			      err);
	if (!ret &&
	    cr_blob_set(&c->img->settings[c->img->n_settings - 1].data, f->code,
			f->len))
		ret = cr_error_set(err, -ENOMEM, "out of memory");
	return ret;
}

/* Filter i of t is x; there is no such filter, and x is none. */
static int is_filter(struct cap_thread *t, unsigned int i,
		     const struct cr_setting *x, bool *same,
		     struct cr_error *err)
{
	struct cr_remote_filter f;
	int ret = cr_remote_get_filter(&t->task, i, &f, err);

	if (ret == -ENOENT) {
		*same = !x;
		return 0;
	}
	if (ret)
		return ret;
	*same = x && x->value == f.log && x->data.len == f.len &&
		!memcmp(x->data.data, f.code, f.len);
	free(f.code);
	return 0;
}

/* Has t the filters that are the settings from first on? */
static int compare(struct cr_capture *c, struct cap_thread *t, size_t first,
		   size_t n, bool *same, struct cr_error *err)
{
	size_t i;
	int ret = 0;

	*same = true;
	for (i = 0; i <= n && !ret && *same; i++)
		ret = is_filter(t, (unsigned int)i,
				i < n ? &c->img->settings[first + i] : NULL,
				same, err);
	return ret;
}

static int read_list(struct cr_capture *c, struct cap_thread *t, size_t *n,
		     struct cr_error *err)
{
	struct cr_remote_filter f;
	int ret = 0;

	for (*n = 0; !ret; ++*n) {
		ret = cr_remote_get_filter(&t->task, (unsigned int)*n, &f, err);
		if (ret == -ENOENT)
			return 0;
		if (!ret) {
			ret = add_filter(c, t, &f, err);
			free(f.code);
		}
	}
	return ret;
}

static int read_filters(struct cr_capture *c, struct cap_proc *p,
			struct cr_error *err)
{
	size_t first = c->img->n_settings, n = 0, k, others;
	struct cap_thread *owner = NULL, *t;
	bool same;
	int ret = 0;

	for (k = 0; k < p->n_threads && !ret; k++) {
		t = p->threads[k];
		if (t->omitted)
			continue;
		if (!owner) {
			owner = t;
			ret = read_list(c, t, &n, err);
			continue;
		}
		ret = compare(c, t, first, n, &same, err);
		if (!ret && same)
			ret = cap_add_setting(c, CR_SETTING_FILTERS_OF,
					      (uint32_t)t->vtid,
					      (uint64_t)owner->vtid, err);
		else if (!ret)
			ret = read_list(c, t, &others, err);
	}
	return ret;
}

int cap_read_filters(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err)
{
	int mode = cr_procfs_last(p->status, "Seccomp", 0);
	size_t k;
	int ret = 0;

	if (!mode)
		return 0;
	if (!p->threads[0]->task.unfiltered)
		return cap_refuse_filters(p, err);
	if (mode == SECCOMP_MODE_FILTER)
		ret = read_filters(c, p, err);
	for (k = 0; k < p->n_threads && !ret; k++)
		if (mode == SECCOMP_MODE_STRICT && !p->threads[k]->omitted)
			ret = cap_add_setting(c, CR_SETTING_STRICT,
					      (uint32_t)p->threads[k]->vtid, 0,
					      err);
	return ret ? cr_error_prefix(err, "process %d", p->vpid) : 0;
}

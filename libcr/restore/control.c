/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - tells libcr in a restored process that it was restored */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "restore/build.h"
#include "runtime/control.h"

/* One field of the control block. */
static int put(struct cr_stub *s, uint64_t block, size_t offset,
	       const void *data, size_t len, struct cr_error *err)
{
	return cr_remote_write(s->pid, block + offset, data, len, err);
}

/* Copies the restart command's environment into a mapping of its own. */
static int give_environment(struct cr_restore_context *ctx, struct cr_stub *s,
			    uint64_t block, struct cr_error *err)
{
	char **env = ctx->opt->environment ? ctx->opt->environment : environ;
	uint64_t len = 0, at = 0;
	int64_t addr;
	char *all;
	int ret;

	for (size_t i = 0; env[i]; i++)
		len += strlen(env[i]) + 1;
	all = malloc(len + 1);
	if (!all)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; env[i]; i++) {
		size_t n = strlen(env[i]) + 1;

		memcpy(all + at, env[i], n);
		at += n;
	}
	addr = cr_stub_call(
		&s->tasks[0], "memory for the environment", SYS_mmap,
		(uint64_t[6]){ 0, len ? len : 1, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0 },
		err);
	ret = addr < 0 ? (int)addr : 0;
	at = (uint64_t)addr;
	if (!ret)
		ret = cr_remote_write(s->pid, at, all, len, err);
	if (!ret)
		ret = put(s, block, offsetof(struct cr_control, restart_env),
			  &at, sizeof(at), err);
	if (!ret)
		ret = put(s, block,
			  offsetof(struct cr_control, restart_env_len), &len,
			  sizeof(len), err);
	free(all);
	return ret;
}

static const struct cr_control none;

/* What was not saved does not exist any more: the lists of it are empty. */
static int clear_omitted(struct cr_stub *s, uint64_t block,
			 struct cr_error *err)
{
	size_t from = offsetof(struct cr_control, n_omit_ranges);

	return put(s, block, from, (const char *)&none + from,
		   offsetof(struct cr_control, rollback) - from, err);
}

int cr_control_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err)
{
	uint64_t block = ctx->img->mms[s->p->mm].control;
	int32_t requester = ctx->own_namespace ? 0 : ctx->requester;
	struct cr_control *c;
	uint64_t restarts;
	int ret;

	if (!block)
		return 0;
	c = malloc(sizeof(*c));
	if (!c)
		return cr_error_set(err, -ENOMEM, "out of memory");
	ret = cr_remote_read(s->pid, block, c, sizeof(*c), err);
	/* a copy that fork() left belongs to nobody */
	if (ret || c->magic != CR_CONTROL_MAGIC || c->pid != s->pid)
		goto out;
	restarts = c->restarts + 1;
	memset(c->restart_src, 0, sizeof(c->restart_src));
	if (ctx->opt->path)
		strncpy(c->restart_src, ctx->opt->path,
			sizeof(c->restart_src) - 1);
	ret = put(s, block, offsetof(struct cr_control, restarts), &restarts,
		  sizeof(restarts), err);
	if (!ret)
		ret = put(s, block,
			  offsetof(struct cr_control, restart_requester),
			  &requester, sizeof(requester), err);
	if (!ret)
		ret = put(s, block, offsetof(struct cr_control, restart_src),
			  c->restart_src, sizeof(c->restart_src), err);
	if (!ret)
		ret = clear_omitted(s, block, err);
	if (!ret)
		ret = put(s, block, offsetof(struct cr_control, delivered),
			  none.delivered, sizeof(none.delivered), err);
	if (!ret)
		ret = give_environment(ctx, s, block, err);
out:
	free(c);
	return ret;
}

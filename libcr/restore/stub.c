/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stub.c - remote calls with messages that name process and operation */
#include <errno.h>
#include <string.h>

#include "restore/build.h"

void cr_stub_prepare(struct cr_restore_context *ctx, struct cr_task *t)
{
	t->gadget = ctx->bench.code;
	t->scratch = ctx->bench.scratch;
	t->scratch_size = CR_BENCH_SCRATCH;
}

int cr_stub_try(struct cr_task *t, int64_t *ret, long nr,
		const uint64_t args[6], struct cr_error *err)
{
	return cr_remote_syscall(t, ret, nr, args[0], args[1], args[2], args[3],
				 args[4], args[5], err);
}

int64_t cr_stub_call(struct cr_task *t, const char *what, long nr,
		     const uint64_t args[6], struct cr_error *err)
{
	int64_t ret;
	int r = cr_stub_try(t, &ret, nr, args, err);

	if (r < 0)
		return r;
	if (ret < 0 && ret >= -4095) {
		if (t->tid == t->tgid)
			cr_error_set(err, (int)ret, "process %d: %s: %s",
				     t->tgid, what, strerror((int)-ret));
		else
			cr_error_set(err, (int)ret,
				     "process %d, thread %d: %s: %s", t->tgid,
				     t->tid, what, strerror((int)-ret));
	}
	return ret;
}

uint64_t cr_stub_put(struct cr_restore_context *ctx, struct cr_task *t,
		     size_t offset, const void *data, size_t len,
		     struct cr_error *err)
{
	uint64_t addr = ctx->bench.data + offset;

	if (len > CR_BENCH_DATA || offset > CR_BENCH_DATA - len) {
		cr_error_set(err, -E2BIG,
			     "process %d: an argument of %zu "
			     "bytes is too long",
			     t->tgid, len);
		return 0;
	}
	if (len && cr_remote_write(t->tid, addr, data, len, err) < 0)
		return 0;
	return addr;
}

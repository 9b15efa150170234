/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.c - registers and signal state of a held task */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "remote/internal.h"

#define XSTATE_MAX (64u << 10)
#define PEEK_BATCH 32

static int failed(const struct cr_task *t, const char *what,
		  struct cr_error *err)
{
	return cr_error_set(err, -errno, "thread %d: %s: %s", t->tid, what,
			    strerror(errno));
}

int cr_remote_get_xstate(struct cr_task *t, void **data, size_t *len,
			 struct cr_error *err)
{
	struct iovec iov = { .iov_len = XSTATE_MAX };
	int ret;

	iov.iov_base = calloc(1, XSTATE_MAX);
	if (!iov.iov_base)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (ptrace(PTRACE_GETREGSET, t->tid, NT_X86_XSTATE, &iov) < 0) {
		ret = failed(t, "extended registers", err);
		free(iov.iov_base);
		return ret;
	}
	*data = iov.iov_base;
	*len = iov.iov_len;
	return 0;
}

int cr_remote_set_xstate(struct cr_task *t, const void *data, size_t len,
			 struct cr_error *err)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };

	if (ptrace(PTRACE_SETREGSET, t->tid, NT_X86_XSTATE, &iov) < 0)
		return failed(t, "setting extended registers", err);
	return 0;
}

int cr_remote_get_sigmask(struct cr_task *t, uint64_t *mask,
			  struct cr_error *err)
{
	if (t->masked) {
		*mask = t->sigmask;
		return 0;
	}
	if (ptrace(PTRACE_GETSIGMASK, t->tid, sizeof(*mask), mask) < 0)
		return failed(t, "signal mask", err);
	return 0;
}

int cr_remote_set_sigmask(struct cr_task *t, uint64_t mask,
			  struct cr_error *err)
{
	if (t->masked) {
		t->sigmask = mask; /* written at the release */
		return 0;
	}
	if (ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(mask), &mask) < 0)
		return failed(t, "setting the signal mask", err);
	return 0;
}

int cr_remote_get_rseq(struct cr_task *t, struct cr_remote_rseq *rseq,
		       struct cr_error *err)
{
	struct __ptrace_rseq_configuration c;

	memset(rseq, 0, sizeof(*rseq));
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, t->tid, sizeof(c), &c) < 0) {
		if (errno != EIO && errno != EINVAL)
			return failed(t, "rseq", err);
		rseq->unknown = true;
		return 0;
	}
	rseq->addr = c.rseq_abi_pointer;
	rseq->len = c.rseq_abi_size;
	rseq->sig = c.signature;
	rseq->flags = c.flags;
	return 0;
}

int cr_remote_get_pending(struct cr_task *t, bool shared, void **infos,
			  size_t *n, struct cr_error *err)
{
	struct __ptrace_peeksiginfo_args a = {
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = PEEK_BATCH,
	};
	siginfo_t *list = NULL, *more;
	long got;
	int ret;

	*infos = NULL;
	*n = 0;
	do {
		more = realloc(list, (*n + PEEK_BATCH) * sizeof(*list));
		if (!more) {
			ret = cr_error_set(err, -ENOMEM, "out of memory");
			goto error;
		}
		list = more;
		a.off = *n;
		got = ptrace(PTRACE_PEEKSIGINFO, t->tid, &a, list + *n);
		if (got < 0) {
			ret = failed(t, "pending signals", err);
			goto error;
		}
		*n += (size_t)got;
	} while (got == PEEK_BATCH);
	if (!*n) {
		free(list);
		list = NULL;
	}
	*infos = list;
	return 0;
error:
	free(list);
	*n = 0;
	return ret;
}

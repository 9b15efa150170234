/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ask.c - checkpoints asked for from inside a program */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/ask.h"
#include "runtime/asked.h"
#include "runtime/runtime.h"

#define VERSION 1

int cr_initialize_checkpoint_args_t(cr_checkpoint_args_t *args)
{
	if (!args)
		return cr_asked_fail(EINVAL);
	memset(args, 0, sizeof(*args));
	args->cr_version = VERSION;
	args->cr_scope = CR_SCOPE_TREE;
	args->cr_fd = CR_DEST_CWD;
	return 0;
}

static int request_start(struct cr_request_state *q,
			 const cr_checkpoint_args_t *args, const char *path)
{
	int log = -1, result = -1, rc = 0;

	if (!path && args->cr_fd >= 0) {
		rc = cr_omit_fd(args->cr_fd);
		q->dest = rc ? -1 : args->cr_fd;
	}
	if (!rc)
		rc = cr_asked_pipes(q, &log, &result);
	if (!rc)
		rc = cr_ask_run(args, path, log, result);
	if (log >= 0)
		close(log);
	if (result >= 0)
		close(result);
	return rc;
}

int cr_request_checkpoint(cr_checkpoint_args_t *args,
			  cr_checkpoint_handle_t *handle)
{
	struct cr_request_state *q;
	int rc;

	if (!args || !handle)
		return cr_asked_fail(EINVAL);
	if (args->cr_version != VERSION)
		return cr_asked_fail(CR_EVERSION);
	q = cr_asked_create();
	if (!q)
		return cr_asked_fail(ENOMEM);
	rc = cr_ask_check(args);
	if (!rc)
		rc = request_start(q, args, NULL);
	if (rc && !(args->cr_flags & CR_CHKPT_ASYNC_ERR)) {
		cr_asked_destroy(q);
		return cr_asked_fail(-rc);
	}
	q->done = rc;
	q->code = -rc;
	*handle = q;
	return 0;
}

int cr_wait_checkpoint(cr_checkpoint_handle_t *handle, struct timeval *timeout)
{
	if (!handle || !*handle)
		return cr_asked_fail(EINVAL);
	return cr_asked_wait(*handle, timeout);
}

int cr_log_checkpoint(cr_checkpoint_handle_t *handle, unsigned int len,
		      char *msg)
{
	if (!handle || !*handle || (len && !msg))
		return cr_asked_fail(EINVAL);
	return cr_asked_log(*handle, len, msg);
}

int cr_reap_checkpoint(cr_checkpoint_handle_t *handle)
{
	if (!handle || !*handle)
		return cr_asked_fail(EINVAL);
	return cr_asked_reap(handle);
}

int cr_poll_checkpoint_msg(cr_checkpoint_handle_t *handle,
			   struct timeval *timeout, char **msg)
{
	if (msg)
		*msg = NULL;
	if (!handle || !*handle) {
		errno = EINVAL;
		return CR_POLL_CHKPT_ERR_PRE;
	}
	return cr_asked_poll(handle, timeout, msg);
}

int cr_poll_checkpoint(cr_checkpoint_handle_t *handle, struct timeval *timeout)
{
	return cr_poll_checkpoint_msg(handle, timeout, NULL);
}

/* Of this process, to path, or to where args says. */
static int request_self(cr_checkpoint_args_t *args, const char *path)
{
	struct cr_request_state *q;
	int rc;

	args->cr_scope = CR_SCOPE_PROC;
	rc = cr_ask_check(args);
	if (rc)
		return cr_asked_fail(-rc);
	if (cr_frame || (cr_self && cr_self->depth)) {
		/* it cannot be waited for: it waits for us */
		rc = cr_ask_run(args, path, -1, -1);
		return rc ? cr_asked_fail(-rc) : 0;
	}
	q = cr_asked_create();
	if (!q)
		return cr_asked_fail(ENOMEM);
	rc = request_start(q, args, path);
	if (rc) {
		cr_asked_destroy(q);
		return cr_asked_fail(-rc);
	}
	while (cr_asked_wait(q, NULL) < 0)
		;
	rc = cr_asked_reap(&q);
	return rc && errno == CR_ERESTARTED ? 1 : rc;
}

int cr_request(void)
{
	return cr_request_file(NULL);
}

int cr_request_file(const char *path)
{
	cr_checkpoint_args_t args;

	cr_initialize_checkpoint_args_t(&args);
	return request_self(&args, path);
}

int cr_request_fd(int fd)
{
	cr_checkpoint_args_t args;

	cr_initialize_checkpoint_args_t(&args);
	args.cr_fd = fd;
	return request_self(&args, NULL);
}

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

/* path, if not NULL, instead of args->cr_fd. */
struct asked {
	const cr_checkpoint_args_t *args;
	const char *path;
};

static int check(const void *asked)
{
	return cr_ask_check(((const struct asked *)asked)->args);
}

static int run(struct cr_request_state *q, const void *asked, int log,
	       int result)
{
	const struct asked *a = asked;
	int rc = 0;

	if (!a->path && a->args->cr_fd >= 0) {
		rc = cr_omit_fd(a->args->cr_fd);
		q->dest = rc ? -1 : a->args->cr_fd;
	}
	return rc ? rc : cr_ask_run(a->args, a->path, log, result);
}

static const struct cr_asked_kind checkpoint = { EIO, check, run };

int cr_request_checkpoint(cr_checkpoint_args_t *args,
			  cr_checkpoint_handle_t *handle)
{
	struct asked asked = { args, NULL };
	int rc;

	if (!args || !handle)
		return cr_asked_fail(EINVAL);
	if (args->cr_version != VERSION)
		return cr_asked_fail(CR_EVERSION);
	rc = cr_asked_request(&checkpoint, &asked,
			      args->cr_flags & CR_CHKPT_ASYNC_ERR, handle);
	return rc ? cr_asked_fail(-rc) : 0;
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
	struct asked asked = { args, path };
	struct cr_request_state *q;
	int rc;

	args->cr_scope = CR_SCOPE_PROC;
	if (cr_frame || (cr_self && cr_self->depth)) {
		/* it cannot be waited for: it waits for us */
		rc = cr_ask_check(args);
		if (!rc)
			rc = cr_ask_run(args, path, -1, -1);
		return rc ? cr_asked_fail(-rc) : 0;
	}
	rc = cr_asked_request(&checkpoint, &asked, false, &q);
	if (rc)
		return cr_asked_fail(-rc);
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

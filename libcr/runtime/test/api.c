/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api.c - touches all that libcr.h declares, in C and in C++
 *
 * What can be called without a checkpoint is called, and must say what the
 * documentation says; of the rest the types are checked by the compiler.
 */
#include <errno.h>
#include <libcr.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEED(what)                                                             \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "line %d: not so: %s (%s)\n",          \
				__LINE__, #what, cr_strerror(errno));          \
			exit(1);                                               \
		}                                                              \
	} while (0)

static int callback(void *arg)
{
	const struct cr_checkpoint_info *before = cr_get_checkpoint_info();
	const struct cr_restart_info *after;
	int rc;

	if (before && before->signal + (before->dest != NULL) +
				      before->requester + before->target +
				      (int)before->scope ==
			      -1)
		cr_forward_checkpoint(CR_SCOPE_PGRP, 0);
	cr_enter_cs(CR_ID_CALLBACK);
	cr_leave_cs(CR_ID_CALLBACK);
	cr_replace_self(callback, arg, CR_THREAD_CONTEXT);
	rc = cr_checkpoint(CR_CHECKPOINT_READY);
	after = cr_get_restart_info();
	if (rc > 0 && after && after->requester && after->src)
		return 1;
	switch (rc) {
	case -CR_ETEMPFAIL:
	case -CR_EPERMFAIL:
	case -CR_EOMITTED:
		return cr_checkpoint(CR_CHECKPOINT_OMIT |
				     CR_CHECKPOINT_TEMP_FAILURE |
				     CR_CHECKPOINT_PERM_FAILURE |
				     CR_CHECKPOINT_TEMP_FAILURE_CODE(1) |
				     CR_CHECKPOINT_PERM_FAILURE_CODE(0xffff));
	default:
		return 0;
	}
}

static void hook(cr_hook_event_t event)
{
	(void)event;
}

static void errors(void)
{
	static const int codes[] = { CR_ETEMPFAIL, CR_EPERMFAIL, CR_ENOSUPPORT,
				     CR_EVERSION,  CR_EOMITTED,	 CR_EBADARCH,
				     CR_EPTRACED,  CR_EPTRACER,	 CR_ERSTRTABRT,
				     CR_ERESTARTED, CR_ENOTCB,	 CR_ENOINIT };
	unsigned int i, k;

	for (i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		NEED(codes[i] == 2354 + (int)i);
		for (k = 0; k < i; k++)
			NEED(strcmp(cr_strerror(codes[i]),
				    cr_strerror(codes[k])));
	}
	NEED(!strcmp(cr_strerror(ENOENT), strerror(ENOENT)));
	NEED(strcmp(cr_strerror(2354 + (int)i), cr_strerror(codes[i - 1])));
}

static void callbacks(void)
{
	cr_callback_t func = callback;
	cr_callback_id_t id;

	NEED(cr_register_callback(func, NULL, CR_THREAD_CONTEXT) == -1 &&
	     errno == CR_ENOINIT);
	NEED(cr_inc_persist() == -1 && errno == CR_ENOINIT);
	NEED(cr_enter_cs(0) == -1 && errno == CR_ENOINIT);
	NEED(cr_init() >= 0);
	id = cr_register_callback(func, NULL, CR_SIGNAL_CONTEXT);
	NEED(id >= 0);
	NEED(!cr_replace_callback(id, NULL, NULL, CR_SIGNAL_CONTEXT));
	NEED(cr_register_callback(func, NULL, 0) == -1 && errno == EINVAL);
	NEED(cr_replace_self(func, NULL, CR_THREAD_CONTEXT) == -1 &&
	     errno == CR_ENOTCB);
	NEED(cr_checkpoint(CR_CHECKPOINT_READY) == -CR_ENOTCB);
	NEED(!cr_get_checkpoint_info() && !cr_get_restart_info());
	NEED(cr_forward_checkpoint(CR_SCOPE_TREE, 0) == -1 &&
	     errno == CR_ENOTCB);
	for (id = 1; id < CR_MAX_CALLBACKS; id++)
		NEED(cr_register_callback(func, NULL, CR_THREAD_CONTEXT) >= 0);
	NEED(cr_register_callback(func, NULL, CR_THREAD_CONTEXT) == -1 &&
	     errno == ENOSPC);
}

static void sections(void)
{
	cr_client_id_t id = cr_init();
	cr_spinlock_t lock = CR_SPINLOCK_INITIALIZER;

	NEED(cr_status() == CR_STATE_IDLE);
	NEED(CR_STATE_IDLE < CR_STATE_PENDING &&
	     CR_STATE_PENDING < CR_STATE_ACTIVE);
	NEED(!cr_enter_cs(id) && !cr_tryenter_cs(id));
	NEED(!cr_leave_cs(id) && !cr_leave_cs(id));
	NEED(cr_leave_cs(id) == -1 && errno == EPERM);
	NEED(cr_enter_cs(id + 1) == -1 && errno == EINVAL);
	NEED(cr_enter_cs(CR_ID_CALLBACK) == -1 && errno == CR_ENOTCB);
	cr_spinlock_lock(&lock);
	NEED(!cr_spinlock_trylock(&lock));
	cr_spinlock_unlock(&lock);
	NEED(cr_spinlock_trylock(&lock));
	cr_spinlock_init(&lock);
	NEED(cr_spinlock_trylock(&lock));
	NEED(!cr_inc_persist() && !cr_dec_persist());
	NEED(cr_dec_persist() == -1 && errno == ERANGE);
}

static void hooks(void)
{
	static const cr_hook_event_t events[] = {
		CR_HOOK_CONT_SIGNAL_CONTEXT,  CR_HOOK_CONT_THREAD_CONTEXT,
		CR_HOOK_CONT_NO_CALLBACKS,    CR_HOOK_RSTRT_SIGNAL_CONTEXT,
		CR_HOOK_RSTRT_THREAD_CONTEXT, CR_HOOK_RSTRT_NO_CALLBACKS
	};
	cr_hook_fn_t fn = hook;
	int i;

	for (i = 0; i < CR_NUM_HOOKS; i++) {
		NEED(!cr_register_hook(events[i], fn));
		NEED(cr_register_hook(events[i], NULL) == fn);
	}
	NEED(cr_register_hook(CR_NUM_HOOKS, fn) == CR_HOOK_FN_ERROR);
	NEED(cr_hold_ctrl(CR_HOLD_SCOPE_THREAD, CR_HOLD_CONT) == CR_HOLD_DFLT);
	NEED(cr_hold_ctrl(CR_HOLD_SCOPE_THREAD, CR_HOLD_DFLT) == CR_HOLD_CONT);
	NEED(cr_hold_ctrl(CR_HOLD_SCOPE_INIT, CR_HOLD_RSTRT) == CR_HOLD_NONE);
	NEED(cr_hold_ctrl(CR_HOLD_SCOPE_INIT, CR_HOLD_READ) == CR_HOLD_RSTRT);
	NEED(cr_hold_ctrl(CR_HOLD_SCOPE_UNINIT, CR_HOLD_BOTH) == CR_HOLD_NONE);
	NEED(CR_HOLD_BOTH == (CR_HOLD_CONT | CR_HOLD_RSTRT));
}

static void checkpoints(void)
{
	struct timeval soon = { 0, 1000 };
	cr_checkpoint_handle_t h = NULL;
	cr_checkpoint_args_t args;
	cr_version_t version;
	cr_scope_t scope;
	char *msg;

	NEED(!cr_initialize_checkpoint_args_t(&args));
	version = args.cr_version;
	scope = args.cr_scope;
	NEED(version > 0 && scope == CR_SCOPE_TREE);
	NEED(args.cr_fd == CR_DEST_CWD && !args.cr_signal && !args.cr_timeout);
	args.cr_target = getpid();
	args.cr_flags = CR_CHKPT_PROHIBIT_SELF | CR_CHKPT_PTRACED_SKIP |
			CR_CHKPT_PTRACER_SKIP | CR_CHKPT_DUMP_EXEC |
			CR_CHKPT_DUMP_PRIVATE | CR_CHKPT_DUMP_SHARED;
	NEED(cr_request_checkpoint(&args, &h) == -1 && errno == EDEADLK);
	args.cr_flags |= CR_CHKPT_ASYNC_ERR;
	NEED(!cr_request_checkpoint(&args, &h));
	NEED(cr_wait_checkpoint(&h, &soon) == 1);
	NEED(cr_log_checkpoint(&h, 0, NULL) == 1);
	NEED(cr_reap_checkpoint(&h) == -1 && errno == EDEADLK && !h);
	args.cr_flags = CR_CHKPT_PTRACED_ALLOW | CR_CHKPT_PTRACED_SKIP |
			CR_CHKPT_DUMP_ALL;
	NEED(cr_request_checkpoint(&args, &h) == -1 && errno == EINVAL);
	NEED(cr_poll_checkpoint(&h, &soon) == CR_POLL_CHKPT_ERR_PRE);
	NEED(cr_poll_checkpoint_msg(&h, &soon, &msg) == CR_POLL_CHKPT_ERR_PRE);
	NEED(CR_POLL_CHKPT_ERR_PRE == -1 && CR_POLL_CHKPT_ERR_POST == -2 &&
	     CR_POLL_CHKPT_ERR_LOG == -3);
	NEED(cr_request_fd(-7) == -1 && errno == EBADF);
	args.cr_scope = (cr_scope_t)(CR_SCOPE_PROC | CR_SCOPE_PGRP |
				     CR_SCOPE_SESS | CR_SCOPE_TREE);
}

static void restarts(void)
{
	struct timeval soon = { 0, 1000 };
	struct cr_rstrt_relocate moves;
	struct cr_rstrt_relocate_pair pair;
	cr_restart_handle_t h = NULL;
	cr_restart_args_t args;
	char path[] = "relative";
	char *msg;

	NEED(!cr_initialize_restart_args_t(&args));
	NEED(args.cr_version > 0 && !args.cr_signal && !args.cr_relocate);
	NEED(args.cr_flags == CR_RSTRT_RESTORE_PID);
	NEED(cr_request_restart(&args, &h) == -1 && errno == EBADF);
	pair.oldpath = pair.newpath = path;
	moves.count = 1;
	moves.path[0] = pair;
	NEED(sizeof(moves.path) == CR_MAX_RSTRT_RELOC * sizeof(pair));
	args.cr_fd = 0;
	args.cr_relocate = &moves;
	args.cr_flags = CR_RSTRT_RESTORE_PGID | CR_RSTRT_RESTORE_SID |
			CR_RSTRT_ASYNC_ERR;
	NEED(!cr_request_restart(&args, &h));
	NEED(cr_wait_restart(&h, &soon) == 1);
	NEED(cr_log_restart(&h, 0, NULL) == 1);
	NEED(cr_reap_restart(&h) == -1 && errno == EINVAL && !h);
	NEED(cr_poll_restart(&h, &soon) == CR_POLL_RSTRT_ERR_PRE);
	NEED(cr_poll_restart_msg(&h, &soon, &msg) == CR_POLL_RSTRT_ERR_PRE);
	NEED(CR_POLL_RSTRT_ERR_POST == -2 && CR_POLL_RSTRT_ERR_LOG == -3);
}

int main(int argc, char **argv)
{
	NEED(CR_RELEASE_MAJOR + CR_RELEASE_MINOR + CR_RELEASE_PATCHLEVEL > 0);
	NEED(&cr_link_me != NULL);
#ifdef WITH_RUN
	NEED(&cr_run_link_me != NULL);
#endif
#ifdef WITH_OMIT
	NEED(&cr_omit_link_me != NULL);
#endif
	errors();
	callbacks();
	sections();
	hooks();
	checkpoints();
	restarts();
	if (argc > 1) /* never: they would write to the current directory */
		return cr_request() + cr_request_file(argv[1]);
	puts("all there");
	return 0;
}

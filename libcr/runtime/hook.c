/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hook.c - functions that run when a checkpoint or restart is over */
#include <errno.h>

#include "runtime/runtime.h"

static _Atomic(cr_hook_fn_t) hooks[CR_NUM_HOOKS];

cr_hook_fn_t cr_register_hook(cr_hook_event_t event, cr_hook_fn_t func)
{
	if (!cr_self && !cr_frame) {
		errno = CR_ENOINIT;
		return CR_HOOK_FN_ERROR;
	}
	if ((unsigned int)event >= CR_NUM_HOOKS || func == CR_HOOK_FN_ERROR) {
		errno = EINVAL;
		return CR_HOOK_FN_ERROR;
	}
	return atomic_exchange(&hooks[event], func);
}

void cr_hook_run(int outcome, cr_hook_event_t cont, cr_hook_event_t rstrt)
{
	cr_hook_event_t event = outcome > 0 ? rstrt : cont;
	cr_hook_fn_t func = outcome < 0 ? NULL : atomic_load(&hooks[event]);

	if (func)
		func(event);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine.h - the kernel module's help, where it is there (doc/device.md)
 *
 * Everything can be done without it: an engine that is "user" refuses nothing
 * and helps with nothing.  A session belongs to the process that opens it and
 * ends with it.
 */
#ifndef CR_ENGINE_H
#define CR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

struct cr_ioc_pages;
struct cr_task;

enum cr_engine_choice { CR_ENGINE_AUTO, CR_ENGINE_MODULE, CR_ENGINE_USER };

struct cr_engine {
	int fd;		       /* of the device, -1: user */
	unsigned int features; /* CR_FEATURE_ */
	unsigned int policy;   /* CR_POLICY_ */
};

/*
 * What the environment's CR_ENGINE says; without it, and if it says something
 * else, CR_ENGINE_AUTO.
 */
enum cr_engine_choice cr_engine_default(void);
/* "auto", "module" or "user"; -EINVAL. */
int cr_engine_parse(const char *text, enum cr_engine_choice *choice);
/* Fails only where the module was asked for and cannot be had. */
int cr_engine_open(struct cr_engine *e, enum cr_engine_choice choice,
		   struct cr_error *err);
void cr_engine_close(struct cr_engine *e);
/* Would the calling thread be given a window?  -errno without a message. */
int cr_engine_may_grant(struct cr_engine *e);

/*
 * The right to choose the id of one new task: for the calling thread, or for
 * one that is held and has the session's descriptor.
 */
int cr_engine_grant(struct cr_engine *e, struct cr_error *err);
void cr_engine_revoke(struct cr_engine *e);
int cr_engine_grant_to(struct cr_engine *e, struct cr_task *t,
		       struct cr_error *err);
/* Takes it back if it was not used.  Until then it is CAP_CHECKPOINT_RESTORE. */
int cr_engine_revoke_from(struct cr_engine *e, struct cr_task *t,
			  struct cr_error *err);
/* Does it write pages, with digests? */
bool cr_engine_has_pages(const struct cr_engine *e);
/* May it look into the process?  Until cr_engine_detach(). */
int cr_engine_attach(struct cr_engine *e, pid_t pid, struct cr_error *err);
void cr_engine_detach(struct cr_engine *e, pid_t pid);
/*
 * CR_IOC_PAGES of a process that was attached, until all ranges or the room
 * for runs are used up; -errno without a message.
 */
int cr_engine_pages(struct cr_engine *e, struct cr_ioc_pages *arg);

/*
 * Reads memory of a process that it may look into, though nobody may trace it
 * (Yama).  -errno without a message.
 */
int cr_engine_read(struct cr_engine *e, pid_t pid, uint64_t addr, void *buf,
		   size_t len);

/*
 * The line in the kernel log, where the module is; result: 0 or -errno.  Of
 * the session in e, or, if e is NULL or "user", of one for this alone.
 */
enum cr_engine_work { CR_ENGINE_CHECKPOINT, CR_ENGINE_RESTART };
void cr_engine_done(struct cr_engine *e, enum cr_engine_choice choice,
		    enum cr_engine_work work, pid_t pid, int result);

#endif

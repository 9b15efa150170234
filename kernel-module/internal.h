/* SPDX-License-Identifier: GPL-2.0 */
/*
 * internal.h - between the files of the module
 *
 * A session is one opening of /dev/cr.  It has targets: processes that its
 * user may look into, found out once, when they were attached.  A target that
 * is stopped has a hold, which lives on in its threads until the last of them
 * has left it, whatever has become of the session.
 */
#ifndef CR_INTERNAL_H
#define CR_INTERNAL_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched.h>

#include "uapi/cr.h"

#define CR_MAX_TARGETS 4096
#define CR_MAX_THREADS 16384

struct cr_hold;
struct cr_window;

struct cr_session {
	struct mutex lock;		/* all that follows */
	const struct cred *cred;	/* of who opened it */
	struct pid *owner;		/* its process, for the log */
	fl_owner_t table;		/* its descriptors; compared only */
	bool over;			/* closed by its owner */
	struct list_head targets;
	unsigned int n_targets;
	struct list_head windows;
	bool unreported;		/* work was done, but not cr_ioc_done */
	pid_t last;			/* the target attached last */
};

/* mm is what was permitted; the process may have another by exec. */
struct cr_target {
	struct kref ref;
	struct list_head node;
	struct pid *pid;
	struct mm_struct *mm;		/* mm_count only */
	struct cr_hold *hold;		/* session lock; NULL: runs */
};

/* main.c: parameters */
extern bool cr_strict;
extern bool cr_pids;

/* session.c */
extern const struct file_operations cr_session_fops;

/* target.c */
int cr_target_attach(struct cr_session *s, const struct cr_ioc_target *arg);
int cr_target_detach(struct cr_session *s, const struct cr_ioc_target *arg);
void cr_target_drop_all(struct cr_session *s);
struct cr_target *cr_target_find(struct cr_session *s, pid_t pid);
void cr_target_put(struct cr_target *t);
/* mmget(), or NULL when the memory has gone. */
struct mm_struct *cr_target_mm(struct cr_target *t);

/* authorise.c */
int cr_authorise_init(void);
void cr_authorise_exit(void);
int cr_authorise(struct pid *pid, struct task_struct *task,
		 struct mm_struct **mm);

/* pages.c */
int cr_pages_write(struct cr_target *t, struct cr_ioc_pages *arg);

/* stop.c, or compat/no_stop.c */
bool cr_stop_available(void);
int cr_stop(struct cr_session *s, struct cr_ioc_stop *arg);
int cr_stop_resume(struct cr_session *s, const struct cr_ioc_target *arg);
int cr_stop_threads(struct cr_session *s, struct cr_ioc_threads *arg);
int cr_stop_read(struct cr_session *s, struct cr_ioc_read *arg);
void cr_stop_thaw(struct cr_target *t);
void cr_stop_exit(void);

/* pids.c */
void cr_pids_init(void);
void cr_pids_exit(void);
bool cr_pids_available(void);
int cr_pids_open(struct cr_session *s);
int cr_pids_close(struct cr_session *s);
/* Notes which windows have been used. */
void cr_pids_settle(struct cr_session *s);
void cr_pids_drop_all(struct cr_session *s);

/* audit.c */
int cr_audit_done(struct cr_session *s, const struct cr_ioc_done *arg);
void cr_audit_over(struct cr_session *s);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * internal.h - between the files of libcapture
 *
 * cap_proc and cap_thread are what capture knows of a process and a thread
 * while it works; the results go into the model (image/model.h).
 */
#ifndef CR_CAPTURE_INTERNAL_H
#define CR_CAPTURE_INTERNAL_H

#include <time.h>

#include "capture/capture.h"
#include "common/procfs.h"
#include "objects/object.h"
#include "remote/remote.h"
#include "runtime/rendezvous.h"

struct cap_thread {
	struct cr_task task;
	int32_t vtid; /* as the program sees it */
	bool interrupted;		    /* asked to stop */
	bool gone;			    /* ended while we came */
	bool slept; /* before the stop */
	struct cr_sleep sleep;
	bool timed; /* its time-out is to be kept */
	bool omitted;			    /* not saved */
	const struct cr_rollback *rollback; /* in proc->control, or NULL */
	bool has_undone; /* a signal whose delivery is undone (torn.c) */
	struct cr_siginfo undone;
};

/* The copy-on-write child that stands for a process after the resume. */
struct cap_snapshot {
	struct cr_task task;
	struct cr_guard guard;
	bool alive;
};

struct cap_proc {
	pid_t pid;
	pid_t tid; /* its main thread, or one that lives if that has ended:
		      whom the kernel tells of its memory, files, ... */
	int32_t vpid;
	bool nested; /* its pid namespace is not the caller's */
	pid_t ppid;  /* caller's namespace */
	struct cr_procfs_stat stat;
	bool zombie, launcher;
	bool forbidden; /* we may not look into it; reported */
	bool by_consent; /* it is to name us as its tracer first (Yama) */
	bool ended; /* and collected: its pid may be another's; omitted, too */
	bool omitted; /* wants to be left out (libcr_omit, CR_CHECKPOINT_OMIT)
		       */
	size_t root;  /* why it is here: c->roots[root] */
	bool tree, had_tree; /* its children are here for the same reason */

	/* [0] is the main thread, or if that has ended any other */
	struct cap_thread **threads;
	size_t n_threads, n_timed;

	bool has_control;
	bool borrows_control; /* it was made just now, and has its parent's */
	uint64_t control_addr;
	struct cr_control *control; /* malloc'ed */
	struct cr_rendezvous *rendezvous;
	int tries; /* to ask it */

	uint32_t index; /* in cr_image.procs */
	struct cap_proc *mm_of, *fds_of, *fs_of, *sighand_of;
	uint64_t scratch; /* ours; shared with mm_of's */
	bool scratch_lent; /* it is the program's own memory */
	struct cr_guard guard;
	bool checked;	  /* its memory was looked at before the stop */
	bool special;	  /* it has areas that fork() does not copy, or
			     locked ones, or huge pages */
	bool huge;	  /* it has memory of huge pages (hugetlbfs) */
	uint32_t pkeys;	  /* in use by its memory: 1 << key */
	char *status;	  /* /proc/PID/status under the stop */
	char *smaps;	  /* of the process itself under the stop, where the
			     snapshot's are not enough */
	struct cap_snapshot snap;
};

/* What was asked for: first by the request, then by callbacks. */
struct cap_root {
	cr_scope_t scope;
	pid_t target; /* in the caller's namespace */
	bool found;
	int32_t by;   /* who forwarded, as it sees itself; 0: the request */
	uid_t uid;    /* that it runs as */
	bool anybody; /* which is root, who may ask for every process */
};

/* A piece of memory that had to be copied under the stop. */
struct cap_piece {
	uint32_t space; /* as cr_run.space; shm: index | CAP_SHM */
	uint64_t addr;
	size_t len;
	void *data;
};
#define CAP_SHM 0x80000000u
/* of the scratch memory: results, then the table of cr_remote_batch() */
#define CAP_SCRATCH_SIZE 16384
#define CAP_SCRATCH_TABLE 4096
#define CAP_CHUNK (1u << 20) /* bytes copied at a time */

struct cr_capture {
	struct cr_capture_options opt;
	struct cr_capture_stats stats;
	struct cr_image *img;
	struct cr_engine engine;

	struct cap_root *roots;
	size_t n_roots;
	struct cap_proc **procs; /* parents first once they are held */
	size_t n_procs;
	pid_t self, command; /* never part of the scope */

	struct cr_rendezvous **rendezvous; /* borrowed from procs */
	size_t n_rendezvous;
	bool checked, requested, quiesced;

	int obstacle; /* kind of the last; after the check of the first */
	void (*report)(const char *line, void *arg);
	void *report_arg;
	int n_obstacles;

	bool stopped;	  /* tasks are held */
	bool snapshotted; /* img is complete but for pages */
	bool copied;	  /* memory was copied, there are no snap tasks */
	bool late_done;	  /* what the snapshot was asked for */
	struct timespec stop_begin;
	int64_t monotonic_ahead, boottime_ahead; /* of ours, in nanoseconds */

	struct cap_piece *pieces; /* in the order they were copied */
	size_t n_pieces;
	uint64_t piece_bytes;
	struct cap_shm_id {
		uint64_t dev, ino;
		uint8_t *seen; /* one per page: is in the pieces */
		size_t n_seen;
	} * shm_ids; /* parallel to img->shms */
};

/* capture.c */
double cap_since(const struct timespec *t0);
bool cap_cancelled(const struct cr_capture *c, struct cr_error *err);
/* For the administrator, where the kernel module is there. */
void cap_log_result(struct cr_capture *c, int result);

/* snapshot.c */
/* For all threads that have the memory of p, which is p->mm_of. */
int cap_guard(struct cr_capture *c, struct cap_proc *p, struct cr_error *err);
/* The clocks of the image are as of now. */
void cap_note_clocks(struct cr_capture *c);
/* What the snapshot is asked for when the program runs again. */
int cap_late(struct cr_capture *c, struct cr_error *err);
/* rests.c: what the stop must not change */
int cap_make_rests(struct cr_capture *c, struct cr_error *err);

/* scope.c: the processes of the scope */
int cap_scope_scan(struct cr_capture *c, size_t *added, struct cr_error *err);
struct cap_proc *cap_scope_find(struct cr_capture *c, pid_t pid);
/* The main thread if it lives, another that does, or 0. */
pid_t cap_living(pid_t pid, char main_state);
void cap_note_ended(struct cr_capture *c, bool held);
void cap_scope_free(struct cr_capture *c);
/* Takes back what was found from the n-th process and root on. */
void cap_scope_cut(struct cr_capture *c, size_t n_procs, size_t n_roots);
void cap_scope_order(struct cr_capture *c);
/* The process that stands for all, or NULL: none is left that runs. */
struct cap_proc *cap_scope_root(struct cr_capture *c);

/* forward.c: what callbacks add to the scope */
int cap_add_root(struct cr_capture *c, const struct cap_root *root);
int cap_forward(void *arg, pid_t from, cr_scope_t scope, pid_t target);
int cap_forward_allowed(const struct cap_root *root, pid_t pid,
			const char *status, struct cr_error *err);

/* seize.c: asks the threads of p that are not known yet to stop */
int cap_seize_new(struct cap_proc *p, size_t *added, struct cr_error *err);

/* hold.c: stop them all, let them go */
int cap_hold(struct cr_capture *c, struct cr_error *err);
/* Somebody must be there to stand for all: else -CR_EOMITTED, -ESRCH. */
int cap_check_root(struct cr_capture *c, struct cr_error *err);
int cap_release(struct cr_capture *c, int signal, struct cr_error *err);

/* share.c: which processes share memory, descriptors, ... (kcmp) */
int cap_share(struct cr_capture *c, struct cr_error *err);

/* Others run on; the process stays until they end, too. */
static inline bool cap_main_ended(const struct cap_proc *p)
{
	return p->tid != p->pid;
}
/* Is memory, ... of this process to be read at all? */
static inline bool cap_live(const struct cap_proc *p)
{
	return !p->zombie && !p->launcher && !p->omitted;
}
static inline struct cr_process *cap_model(struct cr_capture *c,
					   const struct cap_proc *p)
{
	return &c->img->procs[p->index];
}

/* threads.c */
int32_t cap_thread_vtid(const struct cap_proc *p, pid_t tid);
/*
 * Is it not saved, or as it was earlier?  It is held, and p->control is what
 * the process has there now.
 */
void cap_judge_thread(struct cap_proc *p, struct cap_thread *t);
int cap_read_threads(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err);
/* torn.c: signals on top of the call that t is rolled back out of */
int cap_undo_deliveries(struct cap_proc *p, struct cap_thread *t,
			struct cr_thread *th, struct cr_error *err);
/* settings.c: what differs from the state of a new program */
int cap_add_setting(struct cr_capture *c, uint32_t kind, uint32_t owner,
		    uint64_t value, struct cr_error *err);
int cap_read_mm_settings(struct cr_capture *c, struct cap_proc *p,
			 struct cr_error *err);
int cap_read_thread_settings(struct cr_capture *c, struct cap_thread *t,
			     struct cr_error *err);
/* seccomp.c: before the stop; under it, before any call; after the threads */
void cap_check_filters(struct cr_capture *c, const struct cap_proc *p,
		       const char *status);
int cap_refuse_filters(const struct cap_proc *p, struct cr_error *err);
int cap_read_filters(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err);
/* parents.c: children of threads; after all threads */
int cap_read_parents(struct cr_capture *c, struct cr_error *err);
/* signals.c: timers that cannot be saved */
void cap_check_timers(struct cr_capture *c, struct cap_proc *p,
		      size_t n_threads);
/* pending signals and timers, after the threads */
int cap_read_signals(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err);
/* process.c */
struct cr_remote_call;
int cap_check_calls(const struct cr_remote_call *c, size_t n,
		    struct cr_error *err);
/* under the stop, and what can be read from the snapshot */
int cap_read_process(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err);
int cap_read_process_late(struct cr_capture *c, struct cap_proc *p,
			  struct cr_task *from, struct cr_error *err);
/* files.c */
int cap_read_files(struct cr_capture *c, struct cr_error *err);
int cap_check_files(struct cr_capture *c, struct cr_error *err);
/* They are about to be killed, see objects/object.h. */
void cap_forget_connections(struct cr_capture *c);
/* check.c: everything once; the number of obstacles, or -errno */
int cap_look(struct cr_capture *c, void (*report)(const char *line, void *arg),
	     void *arg, struct cr_error *err);
/* one obstacle; of a kind of its own */
void cap_report(struct cr_capture *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cap_report_kind(struct cr_capture *c, int kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Its control block says that it is not to be saved. */
bool cap_wants_out(struct cr_capture *c, const struct cap_proc *p);
/* check_trace.c: who traces, and is traced.  True: it is left out. */
bool cap_check_traced(struct cr_capture *c, struct cap_proc *p,
		      const char *status);
void cap_check_tracers(struct cr_capture *c);
/* check_threads.c */
void cap_check_threads(struct cr_capture *c, struct cap_proc *p);
/* namespaces.c: does it see the same system as we and the others? */
void cap_check_namespaces(struct cr_capture *c, const struct cap_proc *p);
/* check_held.c */
int cap_check_held(struct cr_capture *c, struct cr_error *err);
/* mapped.c: files behind areas */
/* saved: its content is in the image, as that of a deleted one */
int cap_mapped_file(struct cr_capture *c, pid_t pid, const char *path,
		    bool exec, uint64_t ino, bool saved, uint32_t *index,
		    struct cr_error *err);
/* Of files that have no build id; once the program runs again. */
void cap_digest_mapped(struct cr_capture *c);
/* areas.c */
/* All of it is memory that is not saved. */
bool cap_is_cut(const struct cap_proc *p, uint64_t start, uint64_t end);
struct cap_map;
/* Its kind (enum cr_area_kind) by what is asked for; 0 with err. */
int cap_area_kind(const struct cr_capture *c, pid_t pid,
		  const struct cap_map *m, struct cr_error *err);
int cap_find_shm(struct cr_capture *c, const struct cap_map *m, uint32_t *index,
		 struct cr_error *err);
int cap_read_areas(struct cr_capture *c, struct cap_proc *p, pid_t from,
		   struct cr_error *err);
/* sysv.c: System V IPC */
void cap_check_sysv(struct cr_capture *c);
int cap_read_sysv(struct cr_capture *c, struct cr_error *err);
int cap_detach_sysv(struct cr_capture *c, struct cap_proc *p,
		    struct cr_error *err);
/* fork.c */
int cap_fork_snapshot(struct cr_capture *c, struct cap_proc *p,
		      struct cr_error *err);
int cap_fork_rest(struct cr_capture *c, struct cap_proc *p,
		  struct cr_error *err);
void cap_drop_snapshot(struct cap_proc *p);
/*
 * A copy that lives during the stop only, where one is needed: for threads
 * inside the vdso, which it leads out.
 */
int cap_fork_beside(struct cr_capture *c, struct cap_proc *p,
		    struct cr_error *err);
int cap_drop_beside(struct cap_proc *p, struct cr_error *err);
/* vdso.c: threads inside the vdso, with the memory of p; areas are known */
bool cap_any_in_vdso(struct cr_capture *c, struct cap_proc *p);
/* Leads them out in the snapshot of p. */
void cap_leave_vdso(struct cr_capture *c, struct cap_proc *p);
/* copy.c: memory that must be copied under the stop */
int cap_copy_shared(struct cr_capture *c, struct cap_proc *p,
		    struct cr_error *err);
/* All of an open file, as shared memory of the image. */
struct stat;
int cap_copy_file(struct cr_capture *c, const struct stat *st, int fd,
		  uint64_t size, uint32_t *index, struct cr_error *err);
int cap_copy_private(struct cr_capture *c, struct cap_proc *p, bool all,
		     struct cr_error *err);
/* Is this area, of a process with a snapshot, among the pieces? */
static inline bool cap_unforked(const struct cr_area *a)
{
	return a->vm_flags & (CR_VM_DONTFORK | CR_VM_WIPEONFORK) ||
	       (cr_area_huge(a) && a->kind != CR_AREA_ANON_SHARED);
}
/* pages.c: which pages of an area are to be saved */
typedef int (*cap_run_fn)(void *arg, uint64_t addr, size_t len,
			  struct cr_error *err);
enum cap_which {
	CAP_PAGES_NONE,
	CAP_PAGES_PRESENT,
	CAP_PAGES_OWN,
	CAP_PAGES_ALL
};
int cap_pages(pid_t pid, uint64_t start, uint64_t end, enum cap_which which,
	      cap_run_fn fn, void *arg, struct cr_error *err);
/* Calls fn for what of [start, end) is not lent to us by p->mm_of. */
int cap_outside(const struct cap_proc *p, uint64_t start, uint64_t end,
		cap_run_fn fn, void *arg, struct cr_error *err);
/* the same for guards (MADV_GUARD_INSTALL) of all its memory */
int cap_guards(pid_t pid, cap_run_fn fn, void *arg, struct cr_error *err);
/*
 * Private memory that is there, but cannot be read: why.  The second one
 * decides: would a read fail so of a guard that the kernel, as it shows one of
 * ours in pagemap, hides?
 */
int cap_unreadable(uint64_t addr, int code, struct cr_error *err);
bool cap_hidden_guard(int code, bool installs, uint64_t entry);
/* Of shared memory: does mincore(2) tell all that is there, but for swapped? */
struct cap_map;
bool cap_tells_pages(const struct cap_proc *p, const struct cap_map *m);
/* Is some of the area around addr swapped? */
bool cap_is_swapped(pid_t pid, uint64_t addr);
/* policy.c: those of the areas of p, which is p->mm_of */
int cap_read_policies(struct cr_capture *c, struct cap_proc *p,
		      struct cr_error *err);
/* cet.c: -ENOTSUP if the thread with this status has a shadow stack */
int cap_refuse_shadow_stack(int32_t vpid, int32_t vtid, const char *status,
			    struct cr_error *err);
/* permit.c: who may look into it, and how */
bool cap_permitted(struct cr_capture *c, struct cap_proc *p);
/* p->control as it is now, if it has one, which is no error if not. */
int cap_read_control(struct cr_capture *c, struct cap_proc *p,
		     struct cr_error *err);
/* transfer.c: pages that the kernel module writes */
#define CAP_RANGES 512
#define CAP_RUNS 16 /* in one call, so that it does not take for ever */
struct cap_transfer {
	struct cr_capture *c;
	struct cr_writer *w;
	uint32_t space;
	pid_t pid; /* of the snapshot; 0: the module does not help */
	/* What to do with a range then; keep_zeros: it is of own pages. */
	int (*by_hand)(void *arg, uint64_t addr, uint64_t len, bool keep_zeros,
		       struct cr_error *err);
	void *by_hand_arg;
	bool keep_zeros; /* of those that are in ranges */
	size_t n;
	struct cap_range {
		uint64_t addr, len;
	} ranges[CAP_RANGES];
};
int cap_transfer_begin(struct cap_transfer *t, pid_t pid, struct cr_error *err);
int cap_transfer_add(struct cap_transfer *t, uint64_t addr, uint64_t len,
		     bool keep_zeros, struct cr_error *err);
int cap_transfer_flush(struct cap_transfer *t, struct cr_error *err);
void cap_transfer_end(struct cap_transfer *t);
/* store.c */
int cap_store_pages(struct cr_capture *c, struct cr_writer *w,
		    struct cr_error *err);
enum cap_which cap_which_pages(const struct cr_image *img,
			       const struct cr_area *a);

#endif

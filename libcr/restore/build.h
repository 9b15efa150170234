/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build.h - a restore under way, shared by the files of restore/
 *
 * All of this lives in the supervisor.  It opens what the tree needs, maps a
 * "bench" that no area of the image overlaps, and makes stubs: processes that
 * inherit both and that it holds with ptrace from their first moment on.
 */
#ifndef CR_RESTORE_BUILD_H
#define CR_RESTORE_BUILD_H

#include <sys/stat.h>

#include "engine/engine.h"
#include "remote/remote.h"
#include "restore/plan.h"
#include "restore/restore.h"

/* Pages at the same address in the supervisor and in every stub. */
struct cr_bench {
	uint64_t start, end;
	uint64_t code;	  /* a system call instruction */
	uint64_t scratch; /* for remote.h */
	uint64_t data;	  /* for arguments of remote calls */
	uint64_t park;	  /* room for the stub's vdso while memory is laid */
	uint64_t *shm;	  /* shared memory, one address per cr_image.shms */
	uint64_t *readonly; /* System V: attached by SHM_RDONLY, or 0 */
};
#define CR_BENCH_SCRATCH (64u << 10)
#define CR_BENCH_DATA (256u << 10)
#define CR_BENCH_PARK (1u << 20)

/* The end of user addresses on x86-64 without five-level page tables. */
#define CR_END_4_LEVELS 0x7ffffffff000ULL

/* The kernel's pages in a process: [vvar]s and [vdso], in address order. */
#define CR_VDSO_PIECES 4
struct cr_vdso {
	struct {
		uint64_t start, end;
	} piece[CR_VDSO_PIECES];
	unsigned int n;		 /* 0: it has none */
	uint64_t code, code_end; /* the [vdso] among them */
};

/* One process being built, or a helper that goes again. */
struct cr_stub {
	const struct cr_process *p; /* NULL: a helper */
	int32_t pid;
	struct cr_task *tasks; /* [0] is the leader; n_threads of p */
	size_t n_tasks;
	size_t first; /* of tasks: 1 once a main thread that had ended has */
	struct cr_places places; /* for threads that wait for a time */
	bool created;
};

/* Who makes the calls that are about its process. */
static inline struct cr_task *cr_stub_task(struct cr_stub *s)
{
	return &s->tasks[s->first];
}

struct cr_restore_context {
	struct cr_reader *reader;
	struct cr_image *img;
	struct stat image; /* of the file, before it was verified */
	const struct cr_restore_options *opt;
	struct cr_plan *plan;
	struct cr_stub *stubs; /* plan->n_stubs */
	bool own_namespace;    /* made for this restart */
	int channel;	       /* to the caller */
	int image_fd;
	int late[2];	/* sends the stubs what was opened later; -1: nothing */
	int *file_fd;	/* one per cr_image.files, -1: not needed */
	int *shm_fd;	/* one per cr_image.shms, -1: anonymous */
	int *mapped_fd; /* one per cr_image.mapped, -1: not needed */
	/* the same, open for reading only; -1: nobody wants that */
	int *shm_readonly, *mapped_readonly;
	int *wanted_fd; /* numbers that the program uses, in order */
	size_t n_wanted_fds;
	int parked; /* the highest number that got one of the others */
	struct cr_engine engine; /* the supervisor's, and every new stub's */
	struct cr_bench bench;
	struct cr_vdso vdso; /* the supervisor's, and so every new stub's */
	struct cr_object_memory *memory; /* what objects remember */
	struct cr_path *paths;		 /* of cr_restore_path() */
	bool *sysv_made; /* one per cr_image.files; NULL: none wanted */
	pid_t requester;		 /* the restart command */
	unsigned int n_found;		 /* told to opt->found */
	int first_found;
};

/* context.c */
int cr_context_create(struct cr_restore_context **ctx, struct cr_reader *r,
		      const struct cr_restore_options *opt,
		      struct cr_error *err);
void cr_context_destroy(struct cr_restore_context *ctx);
/* Nobody has written to it since it was noted, and verified; -ESTALE. */
int cr_context_note_image(struct cr_restore_context *ctx, struct cr_error *err);
int cr_context_same_image(struct cr_restore_context *ctx, struct cr_error *err);
/* Closes and forgets what objects remember. */
void cr_context_forget(struct cr_restore_context *ctx);
/* Moves fd to a number that no process of the image uses, close-on-exec. */
int cr_context_park_fd(struct cr_restore_context *ctx, int *fd,
		       struct cr_error *err);

/* verify.c, verify_files.c, verify_ids.c: nothing is created yet */
int cr_verify(struct cr_restore_context *ctx, struct cr_error *err);
int cr_verify_mapped(struct cr_restore_context *ctx, struct cr_error *err);
/* Is this the executable that is described? */
bool cr_verify_same(const struct cr_file_id *id, int fd);
/* verify_memory.c */
/* Addresses that a restart needs besides the program's. */
uint64_t cr_bench_size(const struct cr_image *img);
/* The protection keys that its areas have: 1 << key. */
uint32_t cr_keys_used(const struct cr_mm *mm);
int cr_verify_memory(struct cr_restore_context *ctx, struct cr_error *err);
/* huge.c: are there enough huge pages?  Then shared memory of them. */
int cr_huge_verify(struct cr_restore_context *ctx, struct cr_error *err);
int cr_huge_fill(struct cr_restore_context *ctx, uint32_t shm, int fd,
		 struct cr_error *err);
int cr_huge_make_shared(struct cr_restore_context *ctx, struct cr_error *err);
/*
 * With --check everything that stands in the way is told, one line each, not
 * only the first; err then holds the first.  0 to go on, or ret.
 */
int cr_verify_found(struct cr_restore_context *ctx, int ret,
		    struct cr_error *err);
int cr_verify_machine(struct cr_restore_context *ctx, struct cr_error *err);
int cr_verify_identity(struct cr_restore_context *ctx, struct cr_error *err);
/* -EEXIST with the holder's name if an id is taken on this host. */
int cr_verify_pids(struct cr_restore_context *ctx, struct cr_error *err);
bool cr_may_choose_pids(void);
bool cr_may_raise_limits(void);
bool cr_may_set_clocks(void);

/* omit.c: no part of checkpoints; again in every process that is not a stub */
int cr_omit_create(const struct cr_restore_options *opt, struct cr_error *err);
void cr_omit_here(void);

/* namespace.c: in the new first process of the namespaces */
int cr_namespace_enter(uid_t uid, gid_t gid, bool user, struct cr_error *err);

/* space.c: free addresses */
int cr_space_find(const struct cr_image *img, uint64_t len, uint64_t *addr,
		  struct cr_error *err);
int cr_bench_create(struct cr_restore_context *ctx, struct cr_error *err);

/* stub.c: remote calls with messages that name process and operation */
/*
 * One system call; its result >= 0, or -errno with "process PID: what:
 * reason" in err.
 */
int64_t cr_stub_call(struct cr_task *t, const char *what, long nr,
		     const uint64_t args[6], struct cr_error *err);
/* The same where a failure is an answer: err only if no call was possible. */
int cr_stub_try(struct cr_task *t, int64_t *ret, long nr,
		const uint64_t args[6], struct cr_error *err);
/* Copies bytes into the stub's bench at data + offset; its address or 0. */
/* clock.c: can its clocks go on here?  Then, before the first stub, they do. */
int cr_clock_verify(const struct cr_image *img, struct cr_error *err);
int cr_clock_continue(struct cr_restore_context *ctx, struct cr_error *err);
/* settings.c */
/*
 * seccomp.c: is it about seccomp?  All filters of a process, when all of its
 * memory and threads are there; whose calls are no longer subject to them
 * while they are held.
 */
bool cr_is_filter(const struct cr_setting *s);
int cr_filters_verify(struct cr_restore_context *ctx, struct cr_error *err);
int cr_filters_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err);
int cr_settings_restore(struct cr_restore_context *ctx, struct cr_stub *s,
			bool of_memory, struct cr_error *err);
uint64_t cr_stub_put(struct cr_restore_context *ctx, struct cr_task *t,
		     size_t offset, const void *data, size_t len,
		     struct cr_error *err);
void cr_stub_prepare(struct cr_restore_context *ctx, struct cr_task *t);

/* tree.c */
int cr_tree_create(struct cr_restore_context *ctx, struct cr_error *err);
int cr_tree_create_threads(struct cr_restore_context *ctx,
			   struct cr_error *err);
int cr_tree_end_zombies(struct cr_restore_context *ctx, struct cr_error *err);
/* Main threads that had ended before their processes. */
int cr_tree_end_mains(struct cr_restore_context *ctx, struct cr_error *err);

/* memory.c, pages.c, frames.c, vdso.c, mm.c */
int cr_memory_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err);
int cr_pages_fill(struct cr_restore_context *ctx, struct cr_task *t,
		  uint32_t space, struct cr_error *err);
int cr_pages_fill_shm(struct cr_restore_context *ctx, uint32_t shm,
		      struct cr_error *err);
/*
 * 1: a signal handler that the thread runs will return to somewhere in
 * [from, to); 0: none will, -errno.
 */
int cr_frames_lead_into(struct cr_restore_context *ctx,
			const struct cr_process *p, const struct cr_thread *th,
			uint64_t from, uint64_t to, struct cr_error *err);
int cr_vdso_find(struct cr_vdso *vdso, struct cr_error *err);
int cr_vdso_verify(struct cr_restore_context *ctx, const struct cr_mm *mm,
		   struct cr_error *err);
int cr_vdso_park(struct cr_restore_context *ctx, struct cr_task *t,
		 struct cr_error *err);
int cr_vdso_place(struct cr_restore_context *ctx, struct cr_task *t,
		  const struct cr_mm *mm, struct cr_error *err);
int cr_mm_fields_restore(struct cr_restore_context *ctx, struct cr_stub *s,
			 struct cr_error *err);

/* readonly.c: shared memory that cannot be made writable */
/* Of a file that is open as ctx->mapped_fd. */
int cr_readonly_file(struct cr_restore_context *ctx, uint32_t i,
		     struct cr_error *err);
/* Of all shared memory but System V's, which is ... */
int cr_readonly_shared(struct cr_restore_context *ctx, struct cr_error *err);
/* ... attached so. */
bool cr_readonly_attached(const struct cr_image *img, uint32_t shm);

/* sysv.c: System V IPC */
bool cr_sysv_wanted(const struct cr_image *img);
/* Can all of it be had in this IPC namespace?  -EEXIST, -EPERM: not all. */
int cr_sysv_verify(const struct cr_image *img, struct cr_error *err);
/* Makes what is not there; and takes it away after a failure. */
int cr_sysv_create(struct cr_restore_context *ctx, struct cr_error *err);
void cr_sysv_undo(struct cr_restore_context *ctx);
/* Maps a segment to the bench; 1: that memory is none. */
int cr_sysv_attach(struct cr_restore_context *ctx, uint32_t shm,
		   struct cr_error *err);
/* Once more, for reading only, at bench.readonly. */
int cr_sysv_attach_readonly(struct cr_restore_context *ctx, uint32_t shm,
			    struct cr_error *err);
/* Values and messages, by those who had set and sent them. */
int cr_sysv_fill(struct cr_restore_context *ctx, struct cr_error *err);
/* The supervisor is not to count as attached. */
void cr_sysv_detach(struct cr_restore_context *ctx);

/* terminal.c: pseudo terminals of the tree */
/* Room for their numbers, in namespaces of our own. */
int cr_terminals_prepare(struct cr_restore_context *ctx, struct cr_error *err);
/* Process pid has just become the leader of its session. */
int cr_terminal_take(struct cr_restore_context *ctx, int32_t pid,
		     struct cr_error *err);
/* There are all groups: the foreground. */
int cr_terminals_give(struct cr_restore_context *ctx, struct cr_error *err);

/* files.c */
int cr_files_open(struct cr_restore_context *ctx, struct cr_error *err);
/* Those that need the processes. */
int cr_files_open_late(struct cr_restore_context *ctx, struct cr_error *err);
int cr_files_place(struct cr_restore_context *ctx, struct cr_stub *s,
		   struct cr_error *err);

/* The second and the last step of those that have them (objects/object.h). */
int cr_files_connect(struct cr_restore_context *ctx, struct cr_error *err);
int cr_files_start(struct cr_restore_context *ctx, struct cr_error *err);

/* process.c, limits.c, creds.c, thread.c, pending.c, timer.c: of existing stubs
 */
int cr_process_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err);
/*
 * Who gets SIGIO of which file: ids that exist only now, and signals that
 * nothing sends any more that is done to the files.
 */
int cr_process_owners(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err);
int cr_creds_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		     struct cr_task *t, struct cr_error *err);
int cr_thread_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      size_t i, struct cr_error *err);
/* Before anything is limited; registers come last. */
void cr_thread_places(struct cr_stub *s);
int cr_thread_registers(struct cr_stub *s, size_t i, struct cr_error *err);
int cr_signals_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err);
/* The part of it that needs the main thread, before that ends. */
int cr_signals_of_process(struct cr_restore_context *ctx, struct cr_stub *s,
			  struct cr_error *err);
int cr_limits_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err);
int cr_timers_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		      struct cr_error *err);

/* control.c, respawn.c */
int cr_control_restore(struct cr_restore_context *ctx, struct cr_stub *s,
		       struct cr_error *err);
int cr_respawn(struct cr_restore_context *ctx, struct cr_stub *s,
	       struct cr_error *err);

/* build.c: everything above in its order, then the release */
int cr_build(struct cr_restore_context *ctx, struct cr_error *err);
int cr_release(struct cr_restore_context *ctx, struct cr_error *err);

#endif

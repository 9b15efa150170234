/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.h - what a context file says, in memory
 *
 * Capture fills a cr_image, the writer stores it, the reader gives it back,
 * restore rebuilds the processes from it.  All ids of tasks are those that
 * the program itself sees (its innermost pid namespace).  Everything hangs
 * off the image and is freed by cr_image_destroy().  Absent strings are NULL.
 * How each field is stored: doc/context-file.md.
 */
#ifndef CR_MODEL_H
#define CR_MODEL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CR_NSIG 64	/* signals 1..64; element [signo - 1] */
#define CR_NRLIMIT 16	/* RLIMIT_CPU .. RLIMIT_RTTIME */
#define CR_NONE UINT32_MAX /* "no such index" */
#define CR_PAGE_SIZE 4096u /* of x86-64, the only one */

/* A piece of bytes that the model owns. */
struct cr_blob {
	void *data;
	size_t len;
};

/* A siginfo as the kernel keeps it: 128 bytes, PTRACE_PEEKSIGINFO's form. */
struct cr_siginfo {
	uint8_t raw[128];
};

/* What a file was at the checkpoint, to notice that it is another one now. */
struct cr_file_id {
	char *path;	   /* absolute, as the program would open it */
	uint32_t mode;	   /* st_mode */
	uint64_t dev, ino; /* st_dev, st_ino */
	uint64_t size;	   /* bytes */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	struct cr_blob build_id; /* executables and libraries that have one */
	uint8_t digest[16];	 /* XXH3-128, where has_digest */
	bool has_digest;
	bool deleted; /* had no name any more */
};

enum cr_object_kind {
	CR_OBJ_REGULAR = 1, /* regular file, unlinked ones included */
	CR_OBJ_DIRECTORY,
	CR_OBJ_PIPE,	 /* both kinds of ends; all ends of one pipe share
			    object_id */
	CR_OBJ_DEVICE,	 /* /dev/null, zero, full, random, urandom */
	CR_OBJ_STDIO,	 /* terminal, pipe or socket that leads out of the
			    tree at 0, 1 or 2: the restart command's own
			    descriptor number stdio_fd takes its place */
	CR_OBJ_EVENTFD,
	CR_OBJ_EPOLL,
	CR_OBJ_TIMERFD,
	CR_OBJ_SIGNALFD,
	CR_OBJ_MEMFD,
	CR_OBJ_UNIX, /* unix sockets whose peers are inside the tree */
	CR_OBJ_FIFO,
	CR_OBJ_INET, /* TCP and UDP sockets */
	CR_OBJ_PIDFD,
	CR_OBJ_PROC, /* file or directory below /proc/PID */
	CR_OBJ_MQUEUE,
	CR_OBJ_INOTIFY,
	CR_OBJ_SYSV_SHM, /* System V IPC: no descriptor refers to them */
	CR_OBJ_SYSV_SEM,
	CR_OBJ_SYSV_MSG,
	CR_OBJ_PTY,	 /* pseudo terminal, both ends */
	CR_OBJ_UNNAMED = 22, /* file without a name, open and mapped shared */
	CR_OBJ_MEMFD_HUGE,   /* memory file of huge pages */
	CR_OBJ_EPOLL_BUSY,   /* epoll instance that polls devices itself */
	CR_OBJ_PLACE,	     /* O_PATH, neither file nor directory */
	CR_OBJ_UNIX_MOVED,   /* unix socket whose file has another name now */
	CR_OBJ_KINDS, /* not a kind: behind the last one */
};

/* One open file description; descriptors refer to it by index. */
struct cr_file {
	uint32_t kind;	    /* enum cr_object_kind */
	uint32_t flags;	    /* open(2) flags: access mode and status flags */
	int64_t offset;	    /* bytes, where it has a meaning */
	uint64_t object_id; /* same object, same id: pipes, sockets, files */
	int32_t owner_type; /* F_OWNER_TID, _PID, _PGRP; -1 for none */
	int32_t owner_pid;
	int32_t owner_sig; /* F_GETSIG */
	struct cr_file_id id;
	int32_t stdio_fd;    /* CR_OBJ_STDIO: 0, 1 or 2 */
	struct cr_blob data; /* content of deleted files, data in pipes, ... */
	struct cr_blob extra; /* what else the object's file defines */
};

struct cr_fd {
	int32_t fd;
	bool cloexec;
	uint32_t file; /* index in cr_image.files */
};

enum cr_area_kind {
	CR_AREA_ANON = 1,     /* private anonymous: heap, stacks, ... */
	CR_AREA_FILE_PRIVATE, /* private mapping of a file */
	CR_AREA_FILE_SHARED,  /* shared mapping of a file */
	CR_AREA_ANON_SHARED,  /* shared anonymous; same shm: same memory */
	CR_AREA_VDSO,
	CR_AREA_VVAR,	  /* all of [vvar] and [vvar_vclock] */
	CR_AREA_VSYSCALL, /* recorded, never mapped */
	CR_AREA_CONTROL,  /* libcr's control block, see runtime/control.h */
};

struct cr_area {
	uint64_t start, end; /* addresses */
	uint32_t prot;	     /* PROT_* */
	uint32_t kind;	     /* enum cr_area_kind */
	uint32_t map_flags;  /* MAP_GROWSDOWN, MAP_NORESERVE, MAP_HUGETLB... */
	uint64_t vm_flags;   /* CR_VM_*, the lasting madvise and mlock state */
	uint64_t offset;     /* in file or shared memory, bytes */
	uint32_t shm;	     /* index in cr_image.shms, or CR_NONE */
	uint32_t file;	     /* index in cr_image.mapped, or CR_NONE */
	char *name;	     /* "[heap]", "[stack]", "[anon:...]" or NULL */
	bool untouched; /* capture only: it has no page of its own */
};

/*
 * Memory of huge pages (hugetlbfs) of 1 << bits bytes: MAP_HUGETLB and the
 * bits where mmap(2) has them.
 */
#define CR_MAP_HUGETLB 0x40000u
#define CR_MAP_HUGE_SHIFT 26
static inline uint32_t cr_huge_flags(unsigned int bits)
{
	return CR_MAP_HUGETLB | (uint32_t)bits << CR_MAP_HUGE_SHIFT;
}
/* The size of its huge pages; 0: it has none. */
static inline uint64_t cr_area_huge(const struct cr_area *a)
{
	return a->map_flags & CR_MAP_HUGETLB
		       ? 1ULL << (a->map_flags >> CR_MAP_HUGE_SHIFT & 63)
		       : 0;
}

/* vm_flags: the names are those of VmFlags in /proc/PID/smaps */
#define CR_VM_DONTFORK (1u << 0)     /* dc */
#define CR_VM_WIPEONFORK (1u << 1)   /* wf */
#define CR_VM_DONTDUMP (1u << 2)     /* dd */
#define CR_VM_HUGEPAGE (1u << 3)     /* hg */
#define CR_VM_NOHUGEPAGE (1u << 4)   /* nh */
#define CR_VM_MERGEABLE (1u << 5)    /* mg */
#define CR_VM_LOCKED (1u << 6)	     /* lo */
#define CR_VM_SEQ_READ (1u << 7)     /* sr */
#define CR_VM_RAND_READ (1u << 8)    /* rr */
#define CR_VM_GROWSDOWN (1u << 9)    /* gd */
#define CR_VM_NORESERVE (1u << 10)   /* nr */
#define CR_VM_ACCOUNT (1u << 11)     /* ac */
#define CR_VM_PKEY_SHIFT 12	     /* ProtectionKey */
#define CR_VM_PKEY (15u << CR_VM_PKEY_SHIFT)
#define CR_VM_SEALED (1u << 16)	     /* sl */
#define CR_VM_DROPPABLE (1u << 17)   /* dp */
#define CR_VM_READONLY (1u << 18)    /* shared, and without mw */
#define CR_VM_LOCKONFAULT (1u << 19) /* lf, with lo */

/* Shared memory without a name of its own; its pages are stored once. */
struct cr_shm {
	uint64_t size; /* bytes */
};

/* The fields of PR_SET_MM_MAP, and the auxiliary vector. */
struct cr_mm_fields {
	uint64_t start_code, end_code, start_data, end_data;
	uint64_t start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	struct cr_blob auxv;
};

/* One address space. */
struct cr_mm {
	struct cr_mm_fields fields;
	struct cr_area *areas; /* ascending, not overlapping */
	size_t n_areas;
	uint32_t exe; /* index in cr_image.mapped */
	bool thp_disable;
	uint32_t dumpable;
	uint64_t control; /* address of libcr's control block, 0 if none */
};

struct cr_posix_timer {
	int32_t id, clockid, notify, signo, tid;
	uint64_t sigev_value;
	int64_t it_value_ns, it_interval_ns; /* value: remaining, 0 disarmed */
	int32_t overrun;
};

struct cr_thread {
	int32_t tid;
	struct cr_blob regs;   /* NT_PRSTATUS: struct user_regs_struct */
	struct cr_blob xstate; /* NT_X86_XSTATE, standard (not compacted) */
	uint64_t sigmask;
	struct cr_siginfo *pending; /* directed at the thread, in order */
	size_t n_pending;
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	uint64_t robust_head, robust_len;
	uint64_t rseq_addr;
	uint32_t rseq_len, rseq_sig, rseq_flags;
	uint64_t clear_child_tid;
	char comm[16];
	uint32_t sched_policy, sched_priority, sched_flags;
	int32_t nice;
	int32_t ioprio;
	struct cr_blob affinity; /* bit mask */
	uint64_t timerslack_ns;
	int32_t pdeath_signal;
	int64_t timeout_ns; /* of the interrupted system call: what remained
			       of it, -1 if it has none */
};

struct cr_sigaction {
	uint64_t handler, flags, restorer, mask; /* the kernel's layout */
};

struct cr_itimer {
	int64_t value_ns, interval_ns;
};

enum cr_proc_kind {
	CR_PROC_NORMAL = 1,
	CR_PROC_ZOMBIE,	   /* exit_status says how it ended */
	CR_PROC_RESPAWNED, /* launcher: argv is run anew at restart */
};

struct cr_process {
	uint32_t kind; /* enum cr_proc_kind */
	int32_t pid, ppid, pgid, sid;
	bool foreground; /* its group is the terminal's foreground group */
	bool stopped;	 /* job control stop; stop_signal says by what */
	int32_t stop_signal;
	int32_t exit_status; /* zombies: as wait(2) gives it */
	int32_t exit_signal; /* to the parent, SIGCHLD as a rule */
	bool child_subreaper;

	uint32_t mm;	 /* index in cr_image.mms; shared if the same */
	uint32_t fds_of; /* index of the process whose descriptors, */
	uint32_t fs_of;	 /* directories, */
	uint32_t sighand_of; /* signal actions it shares; itself as a rule */

	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	uint32_t *groups;
	size_t n_groups;
	uint64_t cap[5]; /* inheritable, permitted, effective, bounding,
			    ambient */
	uint32_t securebits;
	bool no_new_privs;
	uint32_t personality;
	int32_t oom_score_adj;

	char *cwd, *root;
	uint32_t umask;
	struct {
		uint64_t cur, max;
	} rlimit[CR_NRLIMIT];

	struct cr_sigaction sigaction[CR_NSIG];
	struct cr_siginfo *pending; /* directed at the process, in order */
	size_t n_pending;
	struct cr_itimer itimer[3];
	struct cr_posix_timer *timers;
	size_t n_timers;

	struct cr_fd *fds; /* ascending */
	size_t n_fds;
	struct cr_thread *threads; /* [0] is the leader */
	size_t n_threads;

	char **argv, **envp; /* CR_PROC_RESPAWNED, NULL-terminated */
};

/*
 * A run of pages in the context file.  space < n_mms: of mms[space],
 * otherwise of shms[space - n_mms], with addr an offset.
 */
struct cr_run {
	uint32_t space;
	uint64_t addr;	 /* first byte, page aligned */
	uint64_t len;	 /* bytes, multiple of the page size */
	uint64_t offset; /* of the stored bytes in the context file */
	uint64_t stored; /* their number: len unless compressed */
	uint32_t codec;	 /* enum cr_codec */
	uint8_t digest[16]; /* XXH3-128 of the stored bytes */
};

enum cr_codec { CR_CODEC_NONE = 0, CR_CODEC_LZ4 = 1, CR_CODEC_ZSTD = 2 };

/*
 * What a program has agreed with the kernel that is not what a new program
 * has: of an address space (owner: index in mms), or a thread (its tid).
 */
enum cr_setting_kind {
	CR_SETTING_MEMBARRIER = 1, /* registered commands, as bits */
	CR_SETTING_CORE_FILTER,	   /* /proc/PID/coredump_filter */
	CR_SETTING_MDWE,	   /* PR_SET_MDWE */
	CR_SETTING_MEMORY_MERGE,   /* PR_SET_MEMORY_MERGE */
	CR_SETTING_LOCK_FUTURE,	   /* flags of mlockall() */
	CR_SETTING_PKEYS,	   /* protection keys: 1 << key */
	CR_SETTING_HUGE_PAGES,	   /* it has some: their sizes, ORed */
	CR_SETTING_GUARD,	   /* MADV_GUARD_INSTALL from here; length */
	CR_SETTING_BIND,	   /* mbind(2) from here; length, mode, nodes */
	CR_SETTING_THP,		   /* flags of PR_SET_THP_DISABLE */
	CR_SETTING_TSC = 16,	   /* PR_SET_TSC */
	CR_SETTING_MCE_KILL,	   /* PR_MCE_KILL_SET */
	CR_SETTING_MEMORY_POLICY,  /* mode; data: mask of nodes */
	CR_SETTING_MAIN_ENDED,	   /* others run on; status as of wait(2) */
	/* seccomp(2): in the order of their installation */
	CR_SETTING_FILTER,	   /* 1: log; data: struct sock_filter[] */
	CR_SETTING_FILTERS_OF,	   /* the same as this thread of its process */
	CR_SETTING_STRICT,	   /* strict mode */
	CR_SETTING_SCHED_TIMES,	   /* runtime; deadline, period, flags */
	CR_SETTING_PARENT_THREAD,  /* of its parent, which is not the main one */
};
/* Those of threads. */
static inline bool cr_setting_of_thread(uint32_t kind)
{
	return kind >= CR_SETTING_TSC;
}
struct cr_setting {
	uint32_t kind, owner;
	uint64_t value;
	struct cr_blob data;
};

struct cr_image {
	/* where and when */
	uint64_t created_ns; /* CLOCK_REALTIME */
	uint64_t clock_monotonic_ns, clock_boottime_ns;
	char *hostname, *kernel, *creator; /* creator: "stillpoint 0.1.0" */
	uint64_t xfeatures;		   /* extended states in use */
	uint32_t page_size;
	int32_t root_pid; /* stands for all: what the request named */
	uint32_t scope;	  /* cr_scope_t */

	struct cr_process *procs; /* parents before children */
	size_t n_procs;
	struct cr_mm *mms;
	size_t n_mms;
	struct cr_shm *shms;
	size_t n_shms;
	struct cr_file_id *mapped; /* files behind areas and executables */
	size_t n_mapped;
	struct cr_file *files; /* open file descriptions */
	size_t n_files;
	struct cr_run *runs; /* by space, then address once committed */
	size_t n_runs;
	struct cr_setting *settings;
	size_t n_settings;
};

/* An empty image; NULL if out of memory. */
struct cr_image *cr_image_create(void);
/* Frees it with all it holds; NULL is fine. */
void cr_image_destroy(struct cr_image *img);

/*
 * Append one zeroed element and return it, NULL if out of memory.  Fields for
 * which zero would mean something are preset: indexes to CR_NONE, owner_type,
 * stdio_fd and timeout_ns to -1.  Elements move: keep indexes.
 */
struct cr_process *cr_image_add_process(struct cr_image *img);
struct cr_mm *cr_image_add_mm(struct cr_image *img);
struct cr_shm *cr_image_add_shm(struct cr_image *img);
struct cr_setting *cr_image_add_setting(struct cr_image *img);
/* The status of its main thread, if that has ended and others run on; -1. */
int cr_image_main_ended(const struct cr_image *img, const struct cr_process *p);
struct cr_file_id *cr_image_add_mapped(struct cr_image *img);
struct cr_file *cr_image_add_file(struct cr_image *img);
struct cr_run *cr_image_add_run(struct cr_image *img);
struct cr_thread *cr_process_add_thread(struct cr_process *p);
struct cr_fd *cr_process_add_fd(struct cr_process *p);
struct cr_posix_timer *cr_process_add_timer(struct cr_process *p);
struct cr_area *cr_mm_add_area(struct cr_mm *mm);

/* Copies len bytes into b (which must be empty); 0 or -ENOMEM. */
int cr_blob_set(struct cr_blob *b, const void *data, size_t len);

/* A zeroed array of n elements that the functions above can append to. */
void *cr_array_alloc(size_t n, size_t size);

/* The runs of one space in address order, and their number; NULL if none. */
const struct cr_run *cr_image_runs_of(const struct cr_image *img,
				      uint32_t space, size_t *n);
/* The run that holds addr, else the next one of the space, else NULL. */
const struct cr_run *cr_image_find_run(const struct cr_image *img,
				       uint32_t space, uint64_t addr);

/*
 * Is the image one that a context file may hold (doc/context-file.md)?  0, or
 * -EINVAL with the element and the reason.  Writer and reader both ask.
 */
int cr_image_check(const struct cr_image *img, struct cr_error *err);

#endif

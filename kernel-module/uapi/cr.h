/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * cr.h - what user space sees of the kernel module: the device /dev/cr
 *
 * doc/device.md defines every call.  A call is known by its number alone;
 * the size of its argument, which is part of the command, may differ between
 * a program and a module of different age: what one side does not have counts
 * as zero, and a module refuses (E2BIG) what it does not know and is not zero.
 */
#ifndef _UAPI_CR_H
#define _UAPI_CR_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CR_DEVICE "/dev/cr"
#define CR_ABI_VERSION 1

/* cr_ioc_info.features */
#define CR_FEATURE_PAGES (1u << 0)	/* CR_IOC_PAGES */
#define CR_FEATURE_PIDS (1u << 1)	/* CR_IOC_PIDS_OPEN */
#define CR_FEATURE_STOP (1u << 2)	/* CR_IOC_STOP, _THREADS, _READ */
#define CR_FEATURE_DIGESTS (1u << 3)	/* cr_ioc_pages: flags and digests */

/* cr_ioc_info.policy: what the administrator has set */
#define CR_POLICY_STRICT (1u << 0)	/* targets need the ATTACH check */
#define CR_POLICY_NO_PIDS (1u << 1)	/* nobody may choose pids */

struct cr_ioc_info {
	__u32 version;		/* out: CR_ABI_VERSION */
	__u32 features;		/* out: CR_FEATURE_ */
	__u32 policy;		/* out: CR_POLICY_ */
	__u32 max_targets;	/* out: per session */
	__u32 max_threads;	/* out: per target */
	__u32 reserved;
};

struct cr_ioc_target {
	__s32 pid;		/* in: of a process, caller's pid namespace */
	__u32 flags;		/* in: 0 */
};

struct cr_range {
	__u64 addr;
	__u64 len;
};

#define CR_DIGEST_BYTES 16

/* XXH3-128, canonical: the digest of a run of pages in a context file */
struct cr_range_digest {
	__u8 bytes[CR_DIGEST_BYTES];
};

/* cr_ioc_pages.flags */
#define CR_PAGES_NO_ZEROS (1u << 0)	/* leave out pages full of zeros */

struct cr_ioc_pages {
	__s32 pid;		/* in: of a target */
	__s32 fd;		/* in: where the pages go */
	__u64 offset;		/* in, out: where in it; 0 for a pipe */
	__u64 ranges;		/* in: struct cr_range *, page aligned */
	__u64 runs;		/* in: struct cr_range *, filled */
	__u32 n_ranges;		/* in */
	__u32 max_runs;		/* in: room behind runs */
	__u32 n_runs;		/* out */
	__u32 flags;		/* in: CR_PAGES_ */
	__u64 next_addr;	/* in, out: where in that range, or 0 */
	__u32 next_range;	/* in, out: n_ranges when all is done */
	__u32 reserved;
	__u64 digests;		/* in: struct cr_range_digest *, or 0 */
	__u64 max_len;		/* in: the longest run, whole pages; 0: any */
};

/* cr_ioc_stop.why: what keeps a thread from stopping */
#define CR_WHY_NONE 0
#define CR_WHY_STOPPED 1	/* by job control, before the request */
#define CR_WHY_TRACED 2		/* somebody else is its tracer */
#define CR_WHY_VFORK 3		/* it waits for a child of vfork(2) */
#define CR_WHY_WAITS 4		/* in the kernel, uninterruptibly */
#define CR_WHY_WORKER 5		/* a thread of io_uring or vhost */
#define CR_WHY_SLOW 6		/* it runs but has not come yet */

struct cr_ioc_stop {
	__s32 pid;		/* in: of a target */
	__u32 timeout_ms;	/* in */
	__u32 flags;		/* in: 0 */
	__u32 n_threads;	/* out: held */
	__s32 tid;		/* out: the thread that hinders, or 0 */
	__u32 why;		/* out: CR_WHY_ */
};

struct cr_ioc_threads {
	__s32 pid;		/* in: of a stopped target */
	__u32 max;		/* in: room behind tids */
	__u64 tids;		/* in: __s32 *, filled */
	__u32 n;		/* out: how many there are */
	__u32 reserved;
};

/* cr_ioc_read.what */
#define CR_READ_REGS 1		/* struct user_regs_struct */
#define CR_READ_XSTATE 2	/* as PTRACE_GETREGSET NT_X86_XSTATE */
#define CR_READ_PENDING 3	/* siginfo_t[], the thread's, in order */
#define CR_READ_SHARED 4	/* siginfo_t[], its process's */
#define CR_READ_STATE 5		/* struct cr_thread_state */

struct cr_ioc_read {
	__s32 pid;		/* in: of a stopped target */
	__s32 tid;		/* in */
	__u32 what;		/* in: CR_READ_ */
	__u32 size;		/* in: room, out: what there is */
	__u64 buf;		/* in */
};

/*
 * restart is meaningful where ax is -ERESTART_RESTARTBLOCK (-516); its meaning
 * follows from the system call, orig_ax: what the sleep still waits for,
 * which user space is not told otherwise.
 */
struct cr_thread_state {
	__u64 sigmask;
	__u64 altstack_sp;
	__u64 altstack_size;
	__u64 altstack_flags;
	__u64 clear_child_tid;
	__u64 robust_list;
	__u64 restart_ns;	/* nanosleep, futex: absolute end */
	__u32 restart_clock;	/* nanosleep: clockid */
	__u32 reserved;
};

/* cr_ioc_done.what */
#define CR_DONE_CHECKPOINT 1
#define CR_DONE_RESTART 2

struct cr_ioc_done {
	__u32 what;		/* in: CR_DONE_ */
	__s32 pid;		/* in: of whom, for the log */
	__s32 result;		/* in: 0 or -errno */
	__u32 reserved;
};

#define CR_IOC_MAGIC 0xc7
#define CR_IOC_INFO _IOR(CR_IOC_MAGIC, 0, struct cr_ioc_info)
#define CR_IOC_ATTACH _IOW(CR_IOC_MAGIC, 1, struct cr_ioc_target)
#define CR_IOC_DETACH _IOW(CR_IOC_MAGIC, 2, struct cr_ioc_target)
#define CR_IOC_PAGES _IOWR(CR_IOC_MAGIC, 3, struct cr_ioc_pages)
#define CR_IOC_STOP _IOWR(CR_IOC_MAGIC, 4, struct cr_ioc_stop)
#define CR_IOC_RESUME _IOW(CR_IOC_MAGIC, 5, struct cr_ioc_target)
#define CR_IOC_THREADS _IOWR(CR_IOC_MAGIC, 6, struct cr_ioc_threads)
#define CR_IOC_READ _IOWR(CR_IOC_MAGIC, 7, struct cr_ioc_read)
#define CR_IOC_PIDS_OPEN _IO(CR_IOC_MAGIC, 8)
#define CR_IOC_PIDS_CLOSE _IO(CR_IOC_MAGIC, 9)
#define CR_IOC_DONE _IOW(CR_IOC_MAGIC, 10, struct cr_ioc_done)

#endif

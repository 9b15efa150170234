/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refused-process.c - what of processes, memory and System V IPC cannot be
 * saved, and how that is told
 */
#include <asm/ldt.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "state.h"

/* --- processes -------------------------------------------------------- */

/* pause(), again and again, of i386 */
static const unsigned char pauses[] = {
	0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* ident */
	2, 0, 3, 0, 1, 0, 0, 0, 0x54, 0x80, 0x04, 0x08, /* entry */
	52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0,
	0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x04, 0x08, 0, 0x80, 0x04, 0x08,
	96, 0, 0, 0, 96, 0, 0, 0, 5, 0, 0, 0, 0, 0x10, 0, 0, /* to load */
	0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7, 0, 0, 0,
};

REFUSED(refused_32bit, "is a 32-bit program, .*; use a 64-bit build")
{
	int fd = open("pauses", O_WRONLY | O_CREAT, 0700), up[2];
	pid_t pid;
	char c;

	CHECK(write(fd, pauses, sizeof(pauses)) == sizeof(pauses));
	close(fd);
	CHECK(!pipe2(up, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		execl("./pauses", "state", NULL);
		CHECK(write(up[1], "", 1) == 1);
		_exit(0);
	}
	close(up[1]);
	if (read(up[0], &c, 1))
		skip("32-bit programs");
	checkpoint();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void chrooted(void)
{
	CHECK(!chroot("gone"));
}

static void unshared(void)
{
	CHECK(!unshare(CLONE_NEWUTS));
}

/* A child that does it, and waits where it was for the end. */
static void child_that(void (*fn)(void))
{
	int up[2], down[2];
	char c;
	pid_t pid;

	CHECK(!pipe(up) && !pipe(down));
	pid = fork();
	if (!pid) {
		close(up[0]);
		close(down[1]);
		fn();
		close(up[1]);
		CHECK(read(down[0], &c, 1) == 0);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	CHECK(read(up[0], &c, 1) == 0);
	if (fn == chrooted)
		CHECK(!rmdir("gone"));
	checkpoint();
	close(down[1]);
	join(pid);
}

static void need_root(void)
{
	if (geteuid())
		skip("root");
}

REFUSED(refused_root_directory, "its root directory (.*) was removed; change")
{
	need_root();
	CHECK(!mkdir("gone", 0700));
	child_that(chrooted);
}

REFUSED(refused_current_directory, "its current directory (.*) was removed; ch")
{
	int fd = open(".", O_RDONLY);

	CHECK(!mkdir("gone", 0700) && !chdir("gone") && !rmdir("../gone"));
	/* go, for the end, where the driver looks */
	if (fork() == 0) {
		CHECK(!fchdir(fd));
		close(fd);
		checkpoint();
		_exit(0);
	}
	close(fd);
	CHECK(wait(NULL) > 0);
}

REFUSED(refused_namespace, "in another uts namespace than process .*; ch")
{
	need_root();
	child_that(unshared);
}

/* --- threads ---------------------------------------------------------- */

static pthread_barrier_t twice;

static void *alone(void *fn)
{
	((void (*)(void))fn)();
	pthread_barrier_wait(&twice);
	pthread_barrier_wait(&twice);
	return NULL;
}

/* A thread that does it for itself alone. */
static void thread_that(void (*fn)(void))
{
	pthread_t th;

	pthread_barrier_init(&twice, NULL, 2);
	CHECK(!pthread_create(&th, NULL, alone, fn));
	pthread_barrier_wait(&twice);
	checkpoint();
	pthread_barrier_wait(&twice);
	CHECK(!pthread_join(th, NULL));
}

static void own_directory(void)
{
	CHECK(!unshare(CLONE_FS) && !chdir("/"));
}

static void own_descriptors(void)
{
	CHECK(!unshare(CLONE_FILES) && !close(0));
}

static void own_user(void)
{
	CHECK(syscall(SYS_setresuid, -1, 20001, -1) == 0);
}

static void own_group(void)
{
	CHECK(syscall(SYS_setresgid, -1, 20001, -1) == 0);
}

static void own_groups(void)
{
	gid_t g[] = { 20005, 20006 };

	CHECK(syscall(SYS_setgroups, 2, g) == 0);
}

static void own_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	CHECK(!syscall(SYS_capget, &h, d));
	d[0].effective &= ~1u;
	CHECK(!syscall(SYS_capset, &h, d));
}

static void own_no_new_privs(void)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

REFUSED(refused_own_directory, "thread [0-9]* has current directory of its own")
{
	thread_that(own_directory);
}

REFUSED(refused_own_descriptors, "thread [0-9]* has descriptors of its own, ")
{
	thread_that(own_descriptors);
}

REFUSED(refused_own_user, "thread [0-9]* has user ids of its own, .*; let it")
{
	need_root();
	thread_that(own_user);
}

REFUSED(refused_own_group, "thread [0-9]* has group ids of its own, .*; let it")
{
	need_root();
	thread_that(own_group);
}

REFUSED(refused_own_groups, "thread [0-9]* has groups of its own, .*; let it")
{
	need_root();
	thread_that(own_groups);
}

REFUSED(refused_own_capabilities, "thread [0-9]* has capabilities of its own, ")
{
	need_root();
	thread_that(own_capabilities);
}

REFUSED(refused_own_no_new_privs, "thread [0-9]* has no_new_privs setting of ")
{
	thread_that(own_no_new_privs);
}

/* --- memory ----------------------------------------------------------- */

REFUSED(refused_aio, "is an asynchronous I/O context .*; have the program des")
{
	aio_context_t aio = 0;

	if (syscall(SYS_io_setup, 4, &aio))
		skip("io_setup");
	checkpoint();
}

REFUSED(refused_device_memory, "is memory of a device, .*; have the program")
{
	int fd = open("/dev/mem", O_RDONLY);
	void *p = MAP_FAILED;

	/* the video memory of old, which no kernel forbids */
	if (fd >= 0)
		p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0xa0000);
	if (p == MAP_FAILED)
		skip("memory of a device");
	close(fd);
	checkpoint();
}

/* --- System V IPC ----------------------------------------------------- */

static int queue;

static void sends(void)
{
	struct { long type; char c; } m = { 1, 'x' };

	CHECK(!msgsnd(queue, &m, 1, 0));
}

REFUSED(refused_queue_outside, "is also used by process [0-9]*, .*; checkpoint")
{
	struct { long type; char c; } m;

	queue = msgget(IPC_PRIVATE, 0600);
	outsider(sends);
	CHECK(msgrcv(queue, &m, 1, 0, 0) == 1);
	checkpoint();
	CHECK(!msgctl(queue, IPC_RMID, NULL));
}

static void put_number(const char *file, const char *number)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, number, strlen(number)) < 0)
		skip(file);
	close(fd);
}

REFUSED(refused_message_large, "message 0 of System V message queue .*; receive")
{
	static struct { long type; char text[20000]; } m = { .type = 1 };

	if (unshare(CLONE_NEWIPC))
		skip("an IPC namespace");
	put_number("/proc/sys/kernel/msgmax", "32768");
	put_number("/proc/sys/kernel/msgmnb", "65536");
	queue = msgget(IPC_PRIVATE, 0600);
	CHECK(!msgsnd(queue, &m, sizeof(m.text), 0));
	checkpoint();
	CHECK(msgrcv(queue, &m, sizeof(m.text), 0, 0) == sizeof(m.text));
}

REFUSED(refused_semaphores, "set [0-9]* has more than 4096 semaphores, .*; make")
{
	int id = semget(IPC_PRIVATE, 5000, 0600);
	struct sembuf up = { 4999, 1, 0 }, first = { 0, 1, 0 };

	if (id < 0)
		skip("5000 semaphores");
	CHECK(!semop(id, &up, 1) && !semop(id, &first, 1));
	checkpoint();
	CHECK(!semctl(id, 0, IPC_RMID));
}

static int set;
static volatile int undo_set;

/* Without libc, which has no thread here. */
static int adjusts(void *arg)
{
	struct sembuf up = { 0, 1, SEM_UNDO };

	syscall(SYS_semop, set, &up, 1);
	undo_set = 1;
	for (;;)
		syscall(SYS_pause);
	return 0;
}

REFUSED(refused_own_adjustments, "thread [0-9]* may have adjustments of .*; h")
{
	static char stack[65536];
	struct sembuf up = { 0, 1, 0 };

	set = semget(IPC_PRIVATE, 1, 0600);
	CHECK(!semop(set, &up, 1));
	CHECK(clone(adjusts, stack + sizeof(stack),
		    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			    CLONE_THREAD, NULL) > 0);
	while (!undo_set)
		usleep(1000);
	checkpoint();
	CHECK(!semctl(set, 0, IPC_RMID));
}

/* --- what only the thread itself tells --------------------------------- */

static char dispatching; /* SYSCALL_DISPATCH_FILTER_ALLOW */
static volatile int dispatched;

static void on_dispatch(int sig)
{
	dispatching = 0;
	dispatched++;
}

/* The kernel lets nobody see it before Linux 6.4. */
static bool older(int major, int minor)
{
	struct utsname u;
	int a, b;

	CHECK(!uname(&u) && sscanf(u.release, "%d.%d", &a, &b) == 2);
	return a < major || (a == major && b < minor);
}

LATE(refused_dispatch, "thread [0-9]* has its system calls dispatched .*; have")
{
	signal(SIGSYS, on_dispatch);
	if (prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, 0UL, 0UL,
		  &dispatching))
		skip("needs syscall user dispatch");
	if (older(6, 4))
		skip("needs Linux 6.4, which tells of it");
	checkpoint();
	dispatching = 1;
	syscall(SYS_getppid);
	CHECK(dispatched == 1);
}

static struct user_desc segment(unsigned int number)
{
	return (struct user_desc){
		.entry_number = number,
		.base_addr = 0x10000,
		.limit = 0xfffff,
		.seg_32bit = 1,
		.limit_in_pages = 1,
		.useable = 1,
	};
}

LATE(refused_ldt, "has segments of its own (modify_ldt(2)), .*; use")
{
	struct user_desc d = segment(3);
	char ldt[64];

	if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)))
		skip("needs modify_ldt(2)");
	checkpoint();
	CHECK(syscall(SYS_modify_ldt, 0, ldt, sizeof(ldt)) > 0);
}

static void no_such_calls(int sig)
{
	skip("needs calls of 32-bit programs");
}

LATE(refused_segment, "has a segment for 32-bit code .*; have")
{
	struct user_desc *d = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
				   0);
	long ret;

	*d = segment(-1U);
	signal(SIGSEGV, no_such_calls);
	/* set_thread_area() of 32-bit programs, which others may call, too */
	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(243), "b"(d)
		     : "memory", "r8", "r9", "r10", "r11");
	if (ret)
		skip("needs calls of 32-bit programs");
	checkpoint();
}

LATE(refused_keys, "keeps keys in a keyring of its process .*; have")
{
	char key[4] = "";
	long id = syscall(SYS_add_key, "user", "state", "abc", 3,
			  KEY_SPEC_PROCESS_KEYRING);

	if (id < 0)
		skip("needs keyrings");
	checkpoint();
	CHECK(syscall(SYS_keyctl, KEYCTL_READ, id, key, 3) == 3);
	CHECK(!strcmp(key, "abc"));
}

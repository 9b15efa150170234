/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refused-objects.c - open things that cannot be saved, and how that is told
 *
 * Those that belong to what can be saved are beside that, in fd-*.c.
 */
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "state.h"

/* --- kinds that nobody knows ------------------------------------------ */

REFUSED(refused_netlink, "(socket:.*) is a socket, which .*; close it")
{
	CHECK(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
	checkpoint();
}

static int ring(void)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);

	if (fd < 0)
		skip("io_uring");
	return fd;
}

REFUSED(refused_io_uring, "is an io_uring, .*; make the program use ordinary")
{
	ring();
	checkpoint();
}

REFUSED(refused_io_uring_memory, "io_uring.* is no memory of the program's")
{
	int fd = ring();

	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, IORING_OFF_SQ_RING) !=
	      MAP_FAILED);
	checkpoint();
}

REFUSED(refused_userfaultfd, "is a userfaultfd, which .*; close it")
{
	if (syscall(SYS_userfaultfd, O_CLOEXEC) < 0)
		skip("userfaultfd");
	checkpoint();
}

REFUSED(refused_perf, "is a performance counter, .*; run it without perf")
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
				     .size = sizeof(a),
				     .config = PERF_COUNT_SW_TASK_CLOCK,
				     .exclude_kernel = 1 };

	if (syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) < 0)
		skip("perf_event_open");
	checkpoint();
}

REFUSED(refused_fanotify, "is a fanotify group, which .*; close it")
{
	if (fanotify_init(FAN_CLASS_NOTIF, O_RDONLY) < 0)
		skip("fanotify");
	checkpoint();
}

REFUSED(refused_unknown, "landlock.* is of a kind that is unknown .*; close it")
{
	unsigned long long handled = 1; /* LANDLOCK_ACCESS_FS_EXECUTE */

	if (syscall(444, &handled, sizeof(handled), 0) < 0)
		skip("landlock");
	checkpoint();
}

/* The first of these that can be opened. */
static int open_any(const char *const *path, int flags)
{
	for (int fd; *path; path++) {
		fd = open(*path, flags);
		if (fd >= 0)
			return fd;
	}
	skip("no such device");
}

REFUSED(refused_device, "(/dev/.*) is a device, which .*; close it")
{
	static const char *const path[] = { "/dev/fuse", "/dev/kmsg",
					    "/dev/net/tun", "/dev/hpet",
					    "/dev/rtc0", "/dev/loop-control",
					    NULL };

	open_any(path, O_RDONLY);
	checkpoint();
}

static const char *const block[] = { "/dev/vda", "/dev/sda", "/dev/nvme0n1",
				     "/dev/loop0", "/dev/ram0", NULL };

REFUSED(refused_block, "is a block device, which .*; close it")
{
	open_any(block, O_RDONLY);
	checkpoint();
}

REFUSED(refused_block_memory, "memory .* (/dev/.*) is a device, .*; close it")
{
	int fd = open_any(block, O_RDONLY);

	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		skip("mmap");
	close(fd);
	checkpoint();
}

/* --- files ------------------------------------------------------------ */

REFUSED(refused_directory, "is a directory that was removed; close it")
{
	CHECK(!mkdir("gone", 0700) && open("gone", O_RDONLY) >= 0);
	CHECK(!rmdir("gone"));
	checkpoint();
}

REFUSED(refused_other_name, "lost this name but has another one, .*; give it")
{
	CHECK(open("first", O_RDWR | O_CREAT, 0600) >= 0);
	CHECK(!link("first", "second") && !unlink("first"));
	checkpoint();
}

REFUSED(refused_large, "(1073745920 bytes) is too large .*; give it a name")
{
	int fd = open("large", O_RDWR | O_CREAT, 0600);

	CHECK(!ftruncate(fd, (1 << 30) + 4096) && !unlink("large"));
	checkpoint();
}

REFUSED(refused_locks, "has too many locks to be saved; unlock some")
{
	int fd = open("locks", O_RDWR | O_CREAT, 0600);
	struct flock l = { .l_type = F_WRLCK, .l_len = 1 };

	for (l.l_start = 0; l.l_start < 2000; l.l_start += 2)
		CHECK(!fcntl(fd, F_SETLK, &l));
	checkpoint();
}

static void opens_fifo(void)
{
	CHECK(open("fifo", O_RDWR) >= 0);
}

REFUSED(refused_place, "opened with O_PATH and has been removed, .*; close")
{
	CHECK(!mkfifo("fifo", 0600) && open("fifo", O_PATH) >= 0);
	CHECK(!unlink("fifo") && !mkfifo("fifo", 0600));
	checkpoint();
}

/* A place is no end of it. */
REFUSED(refused_fifo_place, "is a FIFO that leads out of .*; checkpoint both")
{
	int fd;

	CHECK(!mkfifo("fifo", 0600));
	fd = open("fifo", O_RDWR);
	CHECK(open("fifo", O_PATH) >= 0 && open("fifo", O_WRONLY) >= 0);
	outsider(opens_fifo);
	CHECK(!close(fd));
	checkpoint();
}

REFUSED(refused_fifo_outside, "is a FIFO that leads out of .*; checkpoint both")
{
	CHECK(!mkfifo("fifo", 0600));
	outsider(opens_fifo);
	CHECK(open("fifo", O_WRONLY) >= 0);
	checkpoint();
}

/* --- events ----------------------------------------------------------- */

/* Only the kernel may add to a full one. */
REFUSED(refused_eventfd, "is an eventfd that has overflown, .*; read it")
{
	int fd = open("data", O_RDWR | O_CREAT, 0600), e = eventfd(0, 0);
	uint64_t full = UINT64_MAX - 1;
	char buf[8] = "content";
	struct iocb io = { .aio_lio_opcode = IOCB_CMD_PWRITE,
			   .aio_fildes = (uint32_t)fd,
			   .aio_buf = (uintptr_t)buf,
			   .aio_nbytes = sizeof(buf),
			   .aio_flags = IOCB_FLAG_RESFD,
			   .aio_resfd = (uint32_t)e };
	struct iocb *list[] = { &io };
	struct io_event done;
	aio_context_t aio = 0;

	CHECK(write(e, &full, 8) == 8);
	if (syscall(SYS_io_setup, 1, &aio))
		skip("io_setup");
	CHECK(syscall(SYS_io_submit, aio, 1, list) == 1);
	CHECK(syscall(SYS_io_getevents, aio, 1, 1, &done, NULL) == 1);
	CHECK(!syscall(SYS_io_destroy, aio));
	checkpoint();
	CHECK(read(e, &full, 8) == 8 && full == UINT64_MAX);
}

static int watched_signal(int ep)
{
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, 0);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return fd;
}

REFUSED(refused_signalfd_shared, "a signalfd that several processes share, .*; cl")
{
	pid_t pid;

	watched_signal(epoll_create1(0));
	pid = child(await_checkpoint);
	checkpoint();
	join(pid);
}

REFUSED(refused_signalfd_closed, "a signalfd that its process has closed, .*; kee")
{
	int ep = epoll_create1(0), fd = watched_signal(ep);
	pid_t pid = fork();

	if (!pid) {
		close(ep);
		close(open("closed", O_WRONLY | O_CREAT, 0666));
		await_checkpoint();
		_exit(0);
	}
	close(fd);
	while (access("closed", F_OK))
		usleep(1000);
	checkpoint();
	join(pid);
}

REFUSED(refused_watches, "has too many watches to be saved; close it")
{
	int fd = inotify_init1(0);
	char name[32];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "dir%d", i);
		CHECK(!mkdir(name, 0700));
		if (inotify_add_watch(fd, name, IN_CREATE) < 0)
			skip("inotify_add_watch");
	}
	checkpoint();
}

static void opens_file(void)
{
	CHECK(open("watched", O_RDONLY) >= 0);
}

REFUSED(refused_watch, "watches something (inode [0-9]*) .*; have the")
{
	int fd = inotify_init1(0);

	close(open("watched", O_RDWR | O_CREAT, 0600));
	outsider(opens_file);
	CHECK(inotify_add_watch(fd, "watched", IN_MODIFY) >= 0);
	CHECK(!unlink("watched"));
	checkpoint();
}

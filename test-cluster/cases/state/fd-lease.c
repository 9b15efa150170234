/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-lease.c - leases on files (F_SETLEASE), and locks on their way */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "state.h"

static volatile sig_atomic_t told;

static void on_break(int sig, siginfo_t *info, void *context)
{
	told = info->si_fd + 1;
}

/* Signals with the descriptor's number tell of the break. */
static void listen_to(int fd)
{
	struct sigaction sa = { .sa_sigaction = on_break,
				.sa_flags = SA_SIGINFO };

	CHECK(!sigaction(SIGRTMIN + 3, &sa, NULL));
	CHECK(!fcntl(fd, F_SETSIG, SIGRTMIN + 3));
}

/* Somebody opens the file: the break is told by this number. */
static void breaks(const char *name, int flags, int number)
{
	int i;

	told = 0;
	CHECK(open(name, flags | O_NONBLOCK) == -1 && errno == EWOULDBLOCK);
	for (i = 0; i < 50000 && !told; i++)
		usleep(1000);
	CHECK(told == number + 1);
}

STATE(lease_read)
{
	int first = new_file("l", O_RDONLY), fd = dup2(first, 57), other;

	CHECK(fd == 57 && !fcntl(fd, F_SETLEASE, F_RDLCK));
	close(first);
	listen_to(fd);
	other = open("l", O_RDONLY);
	checkpoint();
	CHECK(fcntl(fd, F_GETLEASE) == F_RDLCK);
	CHECK(fcntl(fd, F_GETSIG) == SIGRTMIN + 3);
	CHECK(fcntl(fd, F_GETOWN) == getpid());
	CHECK(fcntl(other, F_GETLEASE) == F_UNLCK);
	breaks("l", O_WRONLY, 57);
	CHECK(!fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK(open("l", O_WRONLY | O_NONBLOCK) >= 0);
}

STATE(lease_write)
{
	int fd = new_file("l", O_RDWR);

	CHECK(!fcntl(fd, F_SETLEASE, F_WRLCK));
	listen_to(fd);
	checkpoint();
	CHECK(!told && fcntl(fd, F_GETLEASE) == F_WRLCK);
	breaks("l", O_RDONLY, fd);
	CHECK(fcntl(fd, F_GETLEASE) == F_RDLCK); /* what is left to it */
	CHECK(!fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK(open("l", O_RDONLY | O_NONBLOCK) >= 0);
}

/* What a leased file got meanwhile is moved aside before it is leased. */
STATE(lease_grown)
{
	int fd = new_file("l", O_WRONLY);
	struct stat st;

	CHECK(write(fd, "before\n", 7) == 7);
	CHECK(!fcntl(fd, F_SETLEASE, F_WRLCK));
	listen_to(fd);
	checkpoint();
	CHECK(!told && fcntl(fd, F_GETLEASE) == F_WRLCK);
	CHECK(!fstat(fd, &st) && st.st_size == 7);
	CHECK(write(fd, "after\n", 6) == 6);
}

/* Of a description that two processes have; the one that asked has ended. */
static int lease_fd;

static void asks(void)
{
	CHECK(!fcntl(lease_fd, F_SETLEASE, F_RDLCK));
}

STATE(lease_inherited)
{
	struct f_owner_ex owner;

	lease_fd = new_file("l", O_RDONLY);
	join(child(asks));
	checkpoint();
	CHECK(fcntl(lease_fd, F_GETLEASE) == F_RDLCK);
	CHECK(!fcntl(lease_fd, F_GETOWN_EX, &owner) && !owner.pid);
	CHECK(open("l", O_WRONLY | O_NONBLOCK) == -1 && errno == EWOULDBLOCK);
}

/* And the one that asked is a child that still has it. */
static void asks_and_stays(void)
{
	CHECK(!fcntl(lease_fd, F_SETLEASE, F_RDLCK));
	close(open("child.ready", O_CREAT | O_WRONLY, 0666));
	await_checkpoint();
	CHECK(fcntl(lease_fd, F_GETOWN) == getpid());
}

STATE(lease_of_child)
{
	pid_t pid;

	unlink("child.ready");
	lease_fd = new_file("l", O_RDONLY);
	pid = child(asks_and_stays);
	while (access("child.ready", F_OK))
		usleep(2000);
	checkpoint();
	CHECK(fcntl(lease_fd, F_GETLEASE) == F_RDLCK);
	join(pid);
}

static void writes(void)
{
	CHECK(open("l", O_WRONLY) >= 0);
}

/* Somebody else writes it: the promise cannot be given again. */
FAILS(lease_lost, "read lease cannot be taken again.*has it open")
{
	int fd = new_file("l", O_RDONLY);

	CHECK(!fcntl(fd, F_SETLEASE, F_RDLCK));
	checkpoint();
	CHECK(!fcntl(fd, F_SETLEASE, F_UNLCK));
	somebody_else(writes);
}

REFUSED(lease_deleted, "has no name any more and a lease")
{
	int fd = new_file("l", O_RDONLY);

	CHECK(!fcntl(fd, F_SETLEASE, F_RDLCK) && !unlink("l"));
	checkpoint();
	CHECK(fcntl(fd, F_GETLEASE) == F_RDLCK);
}

REFUSED(lease_mapped, "has a lease and is memory of a process as well")
{
	int fd = new_file("l", O_RDWR);
	char *p;

	CHECK(write(fd, "text", 4) == 4);
	p = mmap(NULL, 4, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && !fcntl(fd, F_SETLEASE, F_WRLCK));
	listen_to(fd);
	checkpoint();
	CHECK(!told && fcntl(fd, F_GETLEASE) == F_WRLCK);
}

REFUSED(lease_breaking, "lease or lock.*BREAKING.*cannot be saved")
{
	int fd = new_file("l", O_RDONLY);

	CHECK(!fcntl(fd, F_SETLEASE, F_RDLCK));
	listen_to(fd);
	breaks("l", O_WRONLY, fd);
	checkpoint();
	CHECK(!fcntl(fd, F_SETLEASE, F_UNLCK));
}

/* A locked file on its way to a process of the tree, and nowhere else. */
STATE(lock_on_its_way)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec vec = { &byte, 1 };
	struct msghdr m = { .msg_iov = &vec,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct flock l = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };
	int s[2], fd = new_file("l", O_RDWR), other = open("l", O_RDWR);

	CHECK(!flock(fd, LOCK_EX) && !fcntl(fd, F_OFD_SETLK, &l));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(s[0], &m, 0) == 1 && !close(fd));
	checkpoint();
	CHECK(flock(other, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	CHECK(fcntl(other, F_OFD_SETLK, &l) == -1 && errno == EAGAIN);
	CHECK(recvmsg(s[1], &m, 0) == 1);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	CHECK(!flock(fd, LOCK_UN) && !flock(other, LOCK_SH | LOCK_NB));
	CHECK(!close(fd) && !fcntl(other, F_OFD_SETLK, &l));
}

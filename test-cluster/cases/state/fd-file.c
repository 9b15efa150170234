/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-file.c - regular files, directories, their locks and owners */
#include <dirent.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "state.h"

/* Position and flags. */
STATE(file_position)
{
	int fd = new_file("f", O_RDWR | O_CLOEXEC);
	char buf[8] = { 0 };

	CHECK(write(fd, "0123456789", 10) == 10 && lseek(fd, 3, 0) == 3);
	checkpoint();
	CHECK(read(fd, buf, 3) == 3 && !strcmp(buf, "345"));
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
}

/* Two descriptors of one description move together, others do not. */
STATE(file_shared_position)
{
	int fd = new_file("f", O_RDWR), d, own;

	CHECK(write(fd, "0123456789", 10) == 10);
	d = dup(fd);
	own = open("f", O_RDONLY);
	CHECK(lseek(fd, 4, 0) == 4 && lseek(own, 7, 0) == 7);
	checkpoint();
	CHECK(same_description(fd, d) && !same_description(fd, own));
	CHECK(lseek(fd, 1, SEEK_CUR) == 5);
	CHECK(lseek(d, 0, SEEK_CUR) == 5 && lseek(own, 0, SEEK_CUR) == 7);
}

/* A file without a name keeps its content. */
STATE(file_deleted)
{
	int fd = new_file("f", O_RDWR);
	char buf[8] = { 0 };
	struct stat st;

	CHECK(write(fd, "secret", 6) == 6);
	unlink("f");
	checkpoint();
	CHECK(pread(fd, buf, 6, 0) == 6 && !strcmp(buf, "secret"));
	CHECK(!fstat(fd, &st) && st.st_nlink == 0);
	CHECK(access("f", F_OK) == -1);
}

STATE(file_tmpfile)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	char buf[8] = { 0 };

	CHECK(fd >= 0 && write(fd, "temp", 4) == 4);
	checkpoint();
	CHECK(pread(fd, buf, 4, 0) == 4 && !strcmp(buf, "temp"));
}

/* How long what is written will live (F_SET_RW_HINT). */
STATE(file_hint)
{
	int fd[2] = { new_file("f", O_RDWR), new_file("g", O_RDWR) };
	uint64_t hint = RWH_WRITE_LIFE_MEDIUM;

	for (int i = 0; i < 2; i++)
		if (fcntl(fd[i], F_SET_RW_HINT, &hint))
			skip("F_SET_RW_HINT");
	CHECK(!flock(fd[1], LOCK_EX) && !unlink("f") && !unlink("g"));
	checkpoint();
	for (int i = 0; i < 2; i++) {
		CHECK(!fcntl(fd[i], F_GET_RW_HINT, &hint));
		CHECK(hint == RWH_WRITE_LIFE_MEDIUM);
	}
}

/* O_APPEND: what was added later stays before what is added now. */
STATE(file_append)
{
	int fd = new_file("log", O_WRONLY | O_APPEND);
	struct stat st;
	off_t size;

	CHECK(write(fd, "before\n", 7) == 7);
	checkpoint();
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
	CHECK(!fstat(fd, &st) && st.st_size >= 7);
	size = st.st_size;
	CHECK(write(fd, "after\n", 6) == 6);
	CHECK(!fstat(fd, &st) && st.st_size == size + 6);
}

/* What a file got after the checkpoint is put aside: it will come again. */
STATE(file_grown)
{
	int fd = new_file("data", O_WRONLY);
	struct stat st;

	CHECK(write(fd, "before\n", 7) == 7);
	checkpoint();
	CHECK(!fstat(fd, &st) && st.st_size == 7);
	CHECK(write(fd, "after\n", 6) == 6);
}

/* It became shorter: what was read is not there any more. */
FAILS(file_shorter, "is shorter than at the checkpoint")
{
	int fd = new_file("data", O_RDONLY);

	CHECK(!truncate("data", 100));
	checkpoint();
	CHECK(!truncate("data", 50));
	close(fd);
}

FAILS(file_gone, "No such file")
{
	int fd = new_file("data", O_RDONLY);

	checkpoint();
	CHECK(!unlink("data"));
	close(fd);
}

/* flock(2), exclusive, held by a description that two processes share. */
static int lock_fd;

static void flock_child(void)
{
	await_checkpoint();
}

STATE(lock_flock)
{
	int other;
	pid_t pid;

	lock_fd = new_file("l", O_RDWR);
	CHECK(!flock(lock_fd, LOCK_EX));
	pid = child(flock_child);
	other = open("l", O_RDWR);
	checkpoint();
	CHECK(flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	join(pid);
	CHECK(!flock(lock_fd, LOCK_UN) && !flock(other, LOCK_EX | LOCK_NB));
}

STATE(lock_flock_shared)
{
	int a = new_file("l", O_RDWR), b = open("l", O_RDWR);
	int c = open("l", O_RDWR);

	CHECK(!flock(a, LOCK_SH) && !flock(b, LOCK_SH));
	checkpoint();
	CHECK(!flock(c, LOCK_SH | LOCK_NB));
	CHECK(flock(c, LOCK_EX | LOCK_NB) == -1);
	CHECK(!flock(a, LOCK_UN) && !flock(b, LOCK_UN));
	CHECK(!flock(c, LOCK_EX | LOCK_NB));
}

static struct flock range(short type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET,
			       .l_start = start, .l_len = len };
}

/* Whose lock is in the way of one of ours, 0: nobody's. */
static pid_t holder(int fd, short type, off_t start, off_t len)
{
	struct flock l = range(type, start, len);

	CHECK(!fcntl(fd, F_GETLK, &l));
	return l.l_type == F_UNLCK ? 0 : l.l_pid;
}

/* fcntl(2) locks of two processes, on parts of the file. */
static pid_t lock_parent;

static void posix_child(void)
{
	struct flock mine = range(F_RDLCK, 100, 0);

	CHECK(!fcntl(lock_fd, F_SETLK, &mine));
	close(open("child.ready", O_CREAT | O_WRONLY, 0666));
	await_checkpoint();
	CHECK(holder(lock_fd, F_RDLCK, 0, 10) == lock_parent);
	CHECK(holder(lock_fd, F_WRLCK, 50, 10) == 0);
	close(open("child.saw", O_CREAT | O_WRONLY, 0666));
	while (access("parent.saw", F_OK))
		usleep(2000);
}

STATE(lock_posix)
{
	struct flock mine = range(F_WRLCK, 0, 10);
	pid_t pid;

	unlink("child.ready");
	lock_parent = getpid();
	lock_fd = new_file("l", O_RDWR);
	CHECK(!fcntl(lock_fd, F_SETLK, &mine));
	pid = child(posix_child);
	while (access("child.ready", F_OK))
		usleep(2000);
	unlink("parent.saw");
	checkpoint();
	CHECK(holder(lock_fd, F_WRLCK, 200, 1) == pid);
	CHECK(holder(lock_fd, F_RDLCK, 200, 1) == 0);
	while (access("child.saw", F_OK))
		usleep(2000);
	close(open("parent.saw", O_CREAT | O_WRONLY, 0666));
	join(pid);
	unlink("child.saw");
	unlink("parent.saw");
}

/* Somebody waits in F_SETLKW: it goes on waiting, and gets the lock. */
static void waiting_child(void)
{
	struct flock mine = range(F_WRLCK, 0, 0);

	CHECK(!fcntl(lock_fd, F_SETLKW, &mine));
}

STATE(lock_posix_waiting)
{
	struct flock mine = range(F_WRLCK, 0, 0);
	pid_t pid;

	lock_fd = new_file("l", O_RDWR);
	CHECK(!fcntl(lock_fd, F_SETLK, &mine));
	pid = child(waiting_child);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	mine.l_type = F_UNLCK;
	CHECK(!fcntl(lock_fd, F_SETLK, &mine));
	join(pid);
}

/* Locks of an open file description. */
STATE(lock_ofd)
{
	int a = new_file("l", O_RDWR), b = open("l", O_RDWR);
	struct flock l = range(F_WRLCK, 10, 5);

	CHECK(!fcntl(a, F_OFD_SETLK, &l));
	l = range(F_RDLCK, 100, 5);
	CHECK(!fcntl(a, F_OFD_SETLK, &l));
	checkpoint();
	l = range(F_RDLCK, 12, 1);
	CHECK(fcntl(b, F_OFD_SETLK, &l) == -1 && errno == EAGAIN);
	l = range(F_RDLCK, 15, 1);
	CHECK(!fcntl(b, F_OFD_SETLK, &l));
	l = range(F_WRLCK, 104, 1);
	CHECK(fcntl(b, F_OFD_SETLK, &l) == -1);
	l = range(F_RDLCK, 104, 1);
	CHECK(!fcntl(b, F_OFD_SETLK, &l));
}

static void locks(void)
{
	int fd = open("l", O_RDWR);

	CHECK(!close(lock_fd) && !flock(fd, LOCK_EX));
}

/* The lock was taken by somebody else meanwhile. */
FAILS(lock_taken, "lock cannot be taken again")
{
	lock_fd = new_file("l", O_RDWR);
	CHECK(!flock(lock_fd, LOCK_EX));
	checkpoint();
	CHECK(!flock(lock_fd, LOCK_UN));
	somebody_else(locks);
}

/* A directory in the middle of being read. */
STATE(directory_position)
{
	char seen[100] = { 0 };
	struct dirent *e;
	int i, n = 0;
	DIR *d;

	mkdir("d", 0755);
	for (i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d/%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	d = opendir("d");
	while (n < 30 && (e = readdir(d)))
		if (e->d_name[0] != '.') {
			seen[atoi(e->d_name)]++;
			n++;
		}
	checkpoint();
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			seen[atoi(e->d_name)]++;
			n++;
		}
	CHECK(n == 100);
	for (i = 0; i < 100; i++)
		CHECK(seen[i] == 1);
}

/* The same with the kernel's own position: nothing of it is buffered. */
STATE(directory_kernel_position)
{
	char buf[256];
	long n, total = 0, fd, i;

	mkdir("d", 0755);
	for (i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d/%ld", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	fd = open("d", O_RDONLY | O_DIRECTORY);
	for (i = 0; i < 2; i++) {
		n = syscall(SYS_getdents64, fd, buf, sizeof(buf));
		for (long at = 0; at < n; total++)
			at += *(unsigned short *)(buf + at + 16);
	}
	checkpoint();
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n; total++)
			at += *(unsigned short *)(buf + at + 16);
	CHECK(total == 52);
}

REFUSED(directory_watched, "is watched by signals (F_NOTIFY)")
{
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	signal(SIGIO, SIG_IGN);
	CHECK(!fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	checkpoint();
	CHECK(!fcntl(fd, F_NOTIFY, 0));
}

/* What is removed meanwhile does not move the others. */
STATE(directory_removed)
{
	char name[32], buf[1024];
	bool seen[200] = { 0 };
	int fd, twice = 0;
	long n;

	CHECK(!mkdir("removed", 0700));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "removed/%d", i);
		close(new_file(name, O_RDWR));
	}
	fd = open("removed", O_RDONLY | O_DIRECTORY);
	for (int k = 0; (n = syscall(SYS_getdents64, fd, buf, 1024)) > 0; k++) {
		for (long at = 0; at < n;) {
			struct dirent64 *e = (struct dirent64 *)(buf + at);
			int i = atoi(e->d_name);

			at += e->d_reclen;
			if (e->d_name[0] == '.')
				continue;
			twice += seen[i];
			seen[i] = true;
		}
		if (k != 1)
			continue;
		for (int i = 0; i < 200; i += 3) {
			snprintf(name, sizeof(name), "removed/%d", i);
			CHECK(!unlink(name));
		}
		checkpoint();
	}
	CHECK(!twice);
	for (int i = 0; i < 200; i++)
		CHECK(i % 3 == 0 || seen[i]);
}

/* O_PATH: a place and nothing more. */
STATE(path_only)
{
	int fd = new_file("f", O_WRONLY), p, d;
	struct stat st;
	char c;

	CHECK(write(fd, "x", 1) == 1);
	p = open("f", O_PATH);
	d = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	checkpoint();
	CHECK(read(p, &c, 1) == -1 && errno == EBADF);
	CHECK(!fstat(p, &st) && st.st_size == 1);
	CHECK(!fstatat(d, "f", &st, 0) && st.st_size == 1);
	CHECK(fcntl(p, F_GETFL) & O_PATH && fcntl(d, F_GETFD) == FD_CLOEXEC);
}

/* The same of what is neither a file nor a directory. */
STATE(path_only_others)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "socket" };
	struct stat was[3], is;
	char target[16] = "";
	int fd[3], s;

	s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(!bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK(!close(s) && !symlink("target", "link") && !mkfifo("fifo", 0600));
	fd[0] = open("link", O_PATH | O_NOFOLLOW);
	fd[1] = open("fifo", O_PATH | O_CLOEXEC);
	fd[2] = open("socket", O_PATH);
	for (int i = 0; i < 3; i++)
		CHECK(fd[i] >= 0 && !fstat(fd[i], &was[i]));
	checkpoint();
	for (int i = 0; i < 3; i++)
		CHECK(!fstat(fd[i], &is) && is.st_ino == was[i].st_ino);
	CHECK(readlinkat(fd[0], "", target, sizeof(target)) == 6);
	CHECK(fcntl(fd[0], F_GETFL) == (O_PATH | O_NOFOLLOW));
	CHECK(fcntl(fd[1], F_GETFL) == O_PATH);
	CHECK(fcntl(fd[1], F_GETFD) == FD_CLOEXEC);
}

/* A name that looks like that of one without. */
STATE(file_called_deleted)
{
	int fd = new_file("f (deleted)", O_RDWR), other = new_file("f", O_RDWR);
	struct stat st, named;

	CHECK(write(fd, "this", 4) == 4 && write(other, "other", 5) == 5);
	checkpoint();
	CHECK(!fstat(fd, &st) && st.st_size == 4);
	CHECK(!stat("f (deleted)", &named) && named.st_ino == st.st_ino);
}

/* Of no use for a file, but fcntl(2) tells. */
STATE(file_flags)
{
	int fd = new_file("f", O_RDWR | O_APPEND | O_NONBLOCK | O_SYNC);
	int gone = new_file("g", O_WRONLY | O_NONBLOCK);
	int flags = fcntl(fd, F_GETFL), others = fcntl(gone, F_GETFL);

	CHECK(flags & O_NONBLOCK && !unlink("g"));
	checkpoint();
	CHECK(fcntl(fd, F_GETFL) == flags && fcntl(gone, F_GETFL) == others);
}

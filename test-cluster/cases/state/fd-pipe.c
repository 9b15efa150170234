/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-pipe.c - pipes and FIFOs */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "state.h"

static void get(int fd, const char *text)
{
	char buf[256] = { 0 };

	CHECK(read(fd, buf, sizeof(buf)) == (ssize_t)strlen(text));
	CHECK(!strcmp(buf, text));
}

static void put(int fd, const char *text)
{
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static bool empty(int fd)
{
	int n = -1;

	return !ioctl(fd, FIONREAD, &n) && n == 0;
}

/* What is in it, its size, its flags. */
STATE(pipe_data)
{
	int p[2];

	CHECK(!pipe2(p, O_CLOEXEC | O_NONBLOCK));
	CHECK(fcntl(p[0], F_SETPIPE_SZ, 8192) == 8192);
	put(p[1], "some ");
	put(p[1], "bytes");
	checkpoint();
	CHECK(fcntl(p[0], F_GETPIPE_SZ) == 8192);
	CHECK(fcntl(p[1], F_GETFL) == (O_WRONLY | O_NONBLOCK));
	CHECK(fcntl(p[0], F_GETFD) == FD_CLOEXEC);
	get(p[0], "some bytes");
	CHECK(empty(p[0]));
}

STATE(pipe_full)
{
	static char buf[65536], back[65536];
	int p[2];

	CHECK(!pipe2(p, O_NONBLOCK));
	memset(buf, 'f', sizeof(buf));
	CHECK(write(p[1], buf, sizeof(buf)) == sizeof(buf));
	checkpoint();
	CHECK(write(p[1], "x", 1) == -1 && errno == EAGAIN);
	CHECK(read(p[0], back, sizeof(back)) == sizeof(back));
	CHECK(!memcmp(buf, back, sizeof(buf)));
}

/* Packet mode: each read gives what one write gave. */
STATE(pipe_packets)
{
	int p[2];

	CHECK(!pipe2(p, O_DIRECT));
	put(p[1], "first");
	put(p[1], "2");
	put(p[1], "the third one");
	checkpoint();
	get(p[0], "first");
	get(p[0], "2");
	get(p[0], "the third one");
	CHECK(empty(p[0]));
	put(p[1], "a");
	put(p[1], "b");
	get(p[0], "a");
	get(p[0], "b");
	CHECK(fcntl(p[1], F_GETFL) == (O_WRONLY | O_DIRECT));
}

/* The writer has gone: what is left, then the end. */
STATE(pipe_end)
{
	char c;
	int p[2];

	CHECK(!pipe2(p, O_NONBLOCK));
	put(p[1], "left");
	close(p[1]);
	checkpoint();
	get(p[0], "left");
	CHECK(read(p[0], &c, 1) == 0);
}

/* The reader has gone. */
STATE(pipe_broken)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK(!pipe(p));
	close(p[0]);
	checkpoint();
	CHECK(write(p[1], "x", 1) == -1 && errno == EPIPE);
}

/* A child waits in read(), a parent in wait(). */
static int ends[2];

static void reader(void)
{
	char c;

	close(ends[1]);
	CHECK(read(ends[0], &c, 1) == 1 && c == 'x');
	CHECK(read(ends[0], &c, 1) == 0);
}

STATE(pipe_blocked_reader)
{
	pid_t pid;

	CHECK(!pipe(ends));
	pid = child(reader);
	close(ends[0]);
	checkpoint();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	put(ends[1], "x");
	close(ends[1]);
	join(pid);
}

static void writer(void)
{
	static char buf[100000];
	size_t done = 0;
	ssize_t n;

	memset(buf, 'w', sizeof(buf));
	for (; done < sizeof(buf); done += (size_t)n) {
		n = write(ends[1], buf + done, sizeof(buf) - done);
		CHECK(n > 0);
	}
}

/* A child is in the middle of a long write(): nothing is lost or doubled. */
STATE(pipe_blocked_writer)
{
	char buf[4096];
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	CHECK(!pipe(ends));
	pid = child(writer);
	close(ends[1]);
	checkpoint();
	while ((n = read(ends[0], buf, sizeof(buf))) > 0) {
		CHECK(buf[0] == 'w' && buf[n - 1] == 'w');
		got += (size_t)n;
	}
	CHECK(n == 0 && got == 100000);
	join(pid);
}

/* One end opened a second time: two descriptions, two sets of flags. */
STATE(pipe_reopened)
{
	int p[2], again;
	char path[32];

	CHECK(!pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	again = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(again >= 0);
	put(p[1], "once");
	checkpoint();
	CHECK(!same_description(p[0], again));
	CHECK(fcntl(p[0], F_GETFL) == O_RDONLY);
	CHECK((fcntl(again, F_GETFL) & O_NONBLOCK) == O_NONBLOCK);
	get(again, "once");
	CHECK(empty(p[0]));
}

/* Its other end is in a process that is not saved. */
REFUSED(pipe_outside, "a pipe that leads out of the processes")
{
	int p[2];

	CHECK(!pipe(p));
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			close(p[0]);
			await_checkpoint();
		}
		_exit(0);
	}
	wait(NULL);
	close(p[1]);
	checkpoint();
}

STATE(fifo_data)
{
	int r, w;

	unlink("fifo");
	CHECK(!mkfifo("fifo", 0644));
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	w = open("fifo", O_WRONLY);
	put(w, "in the fifo");
	checkpoint();
	get(r, "in the fifo");
	close(w);
	CHECK(read(r, &w, 1) == 0);
	w = open("fifo", O_WRONLY);
	put(w, "more");
	get(r, "more");
}

/* Packets stay packets, which only reading them would show. */
LATE(pipe_packets_left, "has packets in it but is not in packet mode .*; read")
{
	int fd[2];

	CHECK(!pipe2(fd, O_DIRECT));
	put(fd[1], "packet");
	CHECK(!fcntl(fd[0], F_SETFL, 0) && !fcntl(fd[1], F_SETFL, 0));
	checkpoint();
	put(fd[1], "stream");
	get(fd[0], "packet");
	get(fd[0], "stream");
}

/* Nobody reads any more, but who comes will find what is in it. */
STATE(fifo_left)
{
	char path[32];
	int r, w, p[2];

	unlink("fifo");
	CHECK(!mkfifo("fifo", 0600) && !pipe(p));
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	w = open("fifo", O_WRONLY);
	put(w, "in the fifo");
	put(p[1], "in the pipe");
	CHECK(!close(r) && !close(p[0]));
	checkpoint();
	signal(SIGPIPE, SIG_IGN);
	CHECK(write(w, "x", 1) == -1 && errno == EPIPE);
	CHECK(write(p[1], "x", 1) == -1 && errno == EPIPE);
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	get(r, "in the fifo");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
	get(open(path, O_RDONLY | O_NONBLOCK), "in the pipe");
	put(w, "more");
	get(r, "more");
}

/* One descriptor for both directions, in two processes. */
static void both_child(void)
{
	await_checkpoint();
	put(ends[0], "child");
}

STATE(fifo_both_ways)
{
	pid_t pid;

	unlink("fifo");
	CHECK(!mkfifo("fifo", 0644));
	ends[0] = open("fifo", O_RDWR);
	pid = child(both_child);
	checkpoint();
	join(pid);
	get(ends[0], "child");
}

/* `exec 3<>fifo; rm fifo`, as shell scripts do. */
STATE(fifo_deleted)
{
	int fd;

	unlink("fifo");
	CHECK(!mkfifo("fifo", 0644));
	fd = open("fifo", O_RDWR);
	unlink("fifo");
	put(fd, "kept");
	checkpoint();
	get(fd, "kept");
	CHECK(empty(fd));
}

/* Nobody has written yet. */
STATE(fifo_waiting)
{
	int r, w;

	unlink("fifo");
	CHECK(!mkfifo("fifo", 0644));
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	checkpoint();
	CHECK(read(r, &w, 1) == 0);
	w = open("fifo", O_WRONLY);
	put(w, "first");
	get(r, "first");
}

static int used_fifo;

static void uses_fifo(void)
{
	put(used_fifo, "x");
}

/* Somebody has put something else into it since. */
FAILS(fifo_used, "somebody else uses this FIFO")
{
	unlink("fifo");
	CHECK(!mkfifo("fifo", 0644));
	used_fifo = open("fifo", O_RDWR);
	checkpoint();
	somebody_else(uses_fifo);
}

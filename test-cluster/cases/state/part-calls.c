/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * part-calls.c - a thread has transferred a part and waits to go on: the
 * call comes back when all is done, with all of it
 */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "blocked.h"

#define ALL (1 << 20)
#define VECTORS 300

static unsigned char out[ALL], in[ALL];
static size_t n_in;

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + i / 251);
}

static void fill(void)
{
	size_t i;

	for (i = 0; i < ALL; i++)
		out[i] = pattern(i);
}

static void drain(size_t n)
{
	ssize_t r;

	while (n) {
		r = read(fds[0], in + n_in, n);
		CHECK(r > 0);
		n_in += (size_t)r;
		n -= (size_t)r;
	}
}

/* Everything has come, in order and once. */
static void came(size_t len)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	size_t i;

	CHECK(n_in == len);
	for (i = 0; i < len; i++)
		CHECK(in[i] == pattern(i));
	CHECK(poll(&p, 1, 0) == 0);
}

/* fn writes all; a part of it has gone when the checkpoint comes. */
static void writes(long (*fn)(void))
{
	fill();
	start_blocked(fn);
	drain(100000);
	blocked_now();
	drain(300000);
	CHECK(!came_back);
	drain(ALL - 400000);
	ends_with(ALL);
	came(ALL);
}

static long do_write(void)
{
	return write(fds[1], out, ALL);
}

STATE(partial_write)
{
	CHECK(!pipe(fds));
	writes(do_write);
}

static long do_write_registers(void)
{
	register long rax asm("rax") = SYS_write;
	register long rdi asm("rdi") = fds[1];
	register long rsi asm("rsi") = (long)out;
	register long rdx asm("rdx") = ALL;
	register long r8 asm("r8") = 8, r9 asm("r9") = 9, r10 asm("r10") = 10;
	register long rbx asm("rbx") = 11, r15 asm("r15") = 15;
	long carry = 0, is[9];

	asm volatile("stc\n\tsyscall\n\tsetc %b[carry]"
		     : "+r"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r8),
		       "+r"(r9), "+r"(r10), "+r"(rbx), "+r"(r15),
		       [carry] "+r"(carry)
		     :
		     : "rcx", "r11", "memory", "cc");
	is[0] = rax, is[1] = rdi, is[2] = rsi, is[3] = rdx, is[4] = r8;
	is[5] = r9, is[6] = r10, is[7] = rbx, is[8] = r15;
	CHECK(is[1] == fds[1] && is[2] == (long)out && is[3] == ALL);
	CHECK(is[4] == 8 && is[5] == 9 && is[6] == 10);
	CHECK(is[7] == 11 && is[8] == 15 && carry == 1);
	return is[0];
}

/* It changes no register but those that a system call changes. */
STATE(partial_registers)
{
	CHECK(!pipe(fds));
	writes(do_write_registers);
}

static struct iovec vectors[VECTORS];

static void make_vectors(unsigned char *at)
{
	size_t i, pos = 0, len;

	for (i = 0; i < VECTORS; i++) {
		len = i % 10 == 3 ? 0 : 2000 + 7 * i;
		if (len > ALL - pos || i == VECTORS - 1)
			len = ALL - pos;
		vectors[i] = (struct iovec){ at + pos, len };
		pos += len;
	}
}

static long do_writev(void)
{
	return writev(fds[1], vectors, VECTORS);
}

STATE(partial_writev)
{
	CHECK(!pipe(fds));
	make_vectors(out);
	writes(do_writev);
	make_vectors(in);
	CHECK(vectors[7].iov_base == in + 12000 + 7 * (1 + 2 + 4 + 5 + 6));
}

static long do_send(void)
{
	return send(fds[1], out, ALL, 0);
}

STATE(partial_send)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	writes(do_send);
}

static long do_sendmsg(void)
{
	struct msghdr m = { .msg_iov = vectors, .msg_iovlen = VECTORS };

	return sendmsg(fds[1], &m, 0);
}

STATE(partial_sendmsg)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	make_vectors(out);
	writes(do_sendmsg);
}

static void connect_tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	/* no TIME_WAIT at the end, which the restart would wait for */
	struct linger reset = { 1, 0 };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!bind(l, (struct sockaddr *)&a, sizeof(a)) && !listen(l, 1));
	CHECK(!getsockname(l, (struct sockaddr *)&a, &len));
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!connect(fds[1], (struct sockaddr *)&a, sizeof(a)));
	fds[0] = accept(l, NULL, NULL);
	CHECK(fds[0] >= 0 && !close(l));
	CHECK(!setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &reset,
			  sizeof(reset)));
}

static size_t all = ALL;

static long do_waitall(void)
{
	return recv(fds[0], in, all, MSG_WAITALL);
}

/* fn receives all; a part of it has come when the checkpoint comes. */
static void receives(long (*fn)(void))
{
	size_t a = all / 10, b = all / 3, c = all - a - b;
	int left = 1;

	fill();
	start_blocked(fn);
	CHECK(write(fds[1], out, a) == (ssize_t)a);
	while (left) {
		CHECK(!ioctl(fds[0], FIONREAD, &left));
		usleep(1000);
	}
	blocked_now();
	CHECK(write(fds[1], out + a, b) == (ssize_t)b);
	CHECK(!came_back);
	CHECK(write(fds[1], out + a + b, c) == (ssize_t)c);
	ends_with((long)all);
	n_in = all;
	came(all);
}

STATE(partial_recv)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	receives(do_waitall);
}

STATE(partial_recv_tcp)
{
	connect_tcp();
	all = 30000;
	receives(do_waitall);
}

static long do_recvmsg(void)
{
	struct msghdr m = { .msg_iov = vectors, .msg_iovlen = VECTORS };

	return recvmsg(fds[0], &m, MSG_WAITALL);
}

STATE(partial_recvmsg)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	make_vectors(in);
	receives(do_recvmsg);
}

/* The other side has no more: what has come is the result. */
STATE(partial_recv_end)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	fill();
	start_blocked(do_waitall);
	CHECK(write(fds[1], out, 100000) == 100000);
	blocked_now();
	CHECK(write(fds[1], out + 100000, 5000) == 5000);
	CHECK(!close(fds[1]));
	ends_with(105000);
}

static volatile int handled;

static void on_usr1(int sig)
{
	handled++;
}

/* A handler ends a transfer with what was done, as ever. */
static void interrupted(int flags)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = flags };

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!pipe(fds));
	fill();
	start_blocked(do_write);
	drain(100000);
	blocked_now();
	CHECK(!pthread_kill(thread, SIGUSR1));
	while (!handled)
		usleep(1000);
}

STATE(partial_interrupted)
{
	int left;

	interrupted(0);
	CHECK(!pthread_join(thread, NULL));
	CHECK(!ioctl(fds[0], FIONREAD, &left));
	CHECK(result == 100000 + left && result < ALL);
	drain((size_t)left);
	came((size_t)result);
}

/* What could not be transferred is not counted. */
STATE(partial_broken)
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	signal(SIGPIPE, SIG_IGN);
	fill();
	start_blocked(do_send);
	drain(100000);
	blocked_now();
	CHECK(!came_back && !close(fds[0]));
	CHECK(!pthread_join(thread, NULL));
	CHECK(result > 100000 && result < ALL);
}

/* No part of it is special: it asks for so many that a stop may be there. */
static volatile int enough;

static long do_getrandom(void)
{
	static char big[32 << 20];

	while (!enough)
		if (getrandom(big, sizeof(big), 0) != sizeof(big))
			return -1;
	return 0;
}

STATE(partial_getrandom)
{
	CHECK(!pthread_create(&thread, NULL, body, (void *)do_getrandom));
	checkpoint();
	enough = 1;
	ends_with(0);
}

static long do_nonblock(void)
{
	long n = write(fds[1], out, ALL);

	CHECK(n > 0 && n < ALL);
	pause();
	return n;
}

/* One that does not wait has its result, and keeps it. */
STATE(partial_nonblock)
{
	int left;

	CHECK(!pipe2(fds, O_NONBLOCK));
	signal(SIGUSR1, on_usr1);
	start_blocked(do_nonblock);
	blocked_now();
	CHECK(!pthread_kill(thread, SIGUSR1));
	CHECK(!pthread_join(thread, NULL));
	CHECK(!ioctl(fds[0], FIONREAD, &left) && result == left);
}

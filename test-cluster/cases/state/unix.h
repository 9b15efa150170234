/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix.h - what programs with UNIX sockets have in common */
#ifndef STATE_UNIX_H
#define STATE_UNIX_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "state.h"

static inline void put(int fd, const char *text)
{
	CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	      (ssize_t)strlen(text));
}

static inline void get(int fd, const char *text)
{
	char buf[4096] = { 0 };

	CHECK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) ==
	      (ssize_t)strlen(text));
	CHECK(!strcmp(buf, text));
}

static inline bool empty(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static inline socklen_t address(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, name);
	if (name[0] == '@') {
		snprintf(a->sun_path + 1, 100, "state-%d-%s", getpid(), name);
		a->sun_path[0] = 0;
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				   strlen(a->sun_path + 1));
	}
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(name) + 1);
}

static inline int bound(int type, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, name);
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&a, len));
	return fd;
}

static inline void connect_fd(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, name);

	CHECK(!connect(fd, (struct sockaddr *)&a, len));
}

/* A message of len bytes of text, with room for what comes along. */
struct message {
	char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec vec;
	struct msghdr m;
};

static inline struct msghdr *message(struct message *m, void *text, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->vec = (struct iovec){ text, len };
	m->m = (struct msghdr){ .msg_iov = &m->vec,
				.msg_iovlen = 1,
				.msg_control = m->control,
				.msg_controllen = sizeof(m->control) };
	return &m->m;
}

/* n descriptors along with text; and what comes of them. */
static inline void pass(int s, const char *text, const int *fd, size_t n)
{
	struct message all;
	struct msghdr *m = message(&all, (void *)(uintptr_t)text, strlen(text));
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	m->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fd, n * sizeof(int));
	CHECK(sendmsg(s, m, 0) == (ssize_t)strlen(text));
}

/* What came along with text; len bytes of it. */
static inline void take_control(int s, const char *text, int type, void *to,
				size_t len)
{
	char buf[64] = { 0 };
	struct message all;
	struct msghdr *m = message(&all, buf, sizeof(buf));
	struct cmsghdr *c;

	CHECK(recvmsg(s, m, MSG_DONTWAIT) == (ssize_t)strlen(text));
	CHECK(!strcmp(buf, text));
	c = CMSG_FIRSTHDR(m);
	CHECK(c && c->cmsg_type == type && c->cmsg_len == CMSG_LEN(len));
	memcpy(to, CMSG_DATA(c), len);
}

static inline void take(int s, const char *text, int *fd, size_t n)
{
	take_control(s, text, SCM_RIGHTS, fd, n * sizeof(int));
}

static inline int connected(int type, const char *name)
{
	int fd = socket(AF_UNIX, type, 0);

	connect_fd(fd, name);
	return fd;
}

static inline bool has_name(int fd, const char *name,
		     int (*get_name)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_un a, b;
	socklen_t len = address(&a, name), n = sizeof(b);

	return !get_name(fd, (struct sockaddr *)&b, &n) && n == len &&
	       !memcmp(&a, &b, len);
}

static inline bool is_named(int fd, const char *name)
{
	return has_name(fd, name, (void *)getsockname);
}

static inline bool has_peer(int fd, const char *name)
{
	return has_name(fd, name, (void *)getpeername);
}

#endif

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

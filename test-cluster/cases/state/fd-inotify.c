/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-inotify.c - inotify instances */
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "state.h"

static char buf[4096] __attribute__((aligned(8)));

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_APPEND, 0644);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && !close(fd));
}

/* The next event is this one. */
static void event(int fd, int wd, uint32_t mask, const char *name)
{
	struct inotify_event *e = (void *)buf;
	struct pollfd p = { fd, POLLIN, 0 };

	CHECK(poll(&p, 1, 50000) == 1 && read(fd, buf, sizeof(buf)) > 0);
	CHECK(e->wd == wd && e->mask & mask);
	CHECK(!name || !strcmp(e->name, name));
}

static bool quiet(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 0;
}

/* A file that is open (tail -f) and the directory where it works. */
STATE(inotify_watches)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), file, dir, i;

	touch("log");
	file = open("log", O_RDONLY);
	/* numbers that were used before are not used again */
	for (i = 0; i < 3; i++)
		inotify_rm_watch(fd, inotify_add_watch(fd, "log", IN_MODIFY));
	CHECK(read(fd, buf, sizeof(buf)) > 0);
	file = inotify_add_watch(fd, "log", IN_MODIFY);
	mkdir("watched", 0755);
	CHECK(open("watched", O_RDONLY | O_DIRECTORY) >= 0);
	dir = inotify_add_watch(fd, "watched", IN_CREATE | IN_DELETE);
	CHECK(file == 4 && dir == 5);
	checkpoint();
	CHECK(quiet(fd) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	touch("log");
	event(fd, file, IN_MODIFY, NULL);
	unlink("watched/new");
	while (!quiet(fd))
		CHECK(read(fd, buf, sizeof(buf)) > 0);
	touch("watched/new");
	event(fd, dir, IN_CREATE, "new");
	CHECK(quiet(fd));
	CHECK(!inotify_rm_watch(fd, dir));
}

REFUSED(inotify_events, "an inotify instance with events to be read")
{
	int fd = inotify_init1(0);

	touch("log");
	CHECK(open("log", O_RDONLY) >= 0);
	CHECK(inotify_add_watch(fd, "log", IN_MODIFY) == 1);
	touch("log");
	checkpoint();
	event(fd, 1, IN_MODIFY, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refused-restart.c - what is not there any more as it was, at a restart */
#include <sys/inotify.h>
#include <sys/stat.h>

#include "unix.h"

static void put_file(const char *name)
{
	close(open(name, O_CREAT | O_WRONLY, 0666));
}

FAILS(restart_fifo_replaced, "fifo is no FIFO any more")
{
	unlink("fifo");
	CHECK(!mkfifo("fifo", 0600) && open("fifo", O_RDWR) >= 0);
	checkpoint();
	CHECK(!unlink("fifo"));
	put_file("fifo");
}

FAILS(restart_place_replaced, "place is of another kind than at the")
{
	CHECK(!symlink("target", "place"));
	CHECK(open("place", O_PATH | O_NOFOLLOW) >= 0);
	checkpoint();
	CHECK(!unlink("place") && !mkfifo("place", 0600));
}

FAILS(restart_file_replaced, "file is no regular file any more")
{
	put_file("file");
	CHECK(open("file", O_RDONLY) >= 0);
	checkpoint();
	CHECK(!unlink("file") && !mkdir("file", 0700));
}

FAILS(restart_directory_replaced, "dir: Not a directory")
{
	CHECK(!mkdir("dir", 0700) && open("dir", O_RDONLY) >= 0);
	checkpoint();
	CHECK(!rmdir("dir"));
	put_file("dir");
}

FAILS(restart_watch_gone, "watching .*dir again: No such file")
{
	int fd = inotify_init1(0);

	/* nobody has it open: it was found by its handle */
	if (geteuid())
		skip("needs root");
	CHECK(!mkdir("dir", 0700) && inotify_add_watch(fd, "dir", IN_CREATE) > 0);
	checkpoint();
	CHECK(!rmdir("dir"));
}

static void binds(void)
{
	CHECK(!unlink("s") && !listen(bound(SOCK_STREAM, "s"), 1));
}

FAILS(restart_socket_used, "s: a running program uses this socket")
{
	CHECK(!listen(bound(SOCK_STREAM, "s"), 1));
	checkpoint();
	somebody_else(binds);
}

FAILS(restart_socket_replaced, "s is there and no socket")
{
	CHECK(!listen(bound(SOCK_STREAM, "s"), 1));
	checkpoint();
	CHECK(!unlink("s"));
	put_file("s");
}

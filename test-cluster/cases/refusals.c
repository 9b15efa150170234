/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refusals.c THING - has THING, which cannot be saved, and waits
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *thing;

static int is(const char *name)
{
	return !strcmp(thing, name);
}

static int ready(void)
{
	return write(STDOUT_FILENO, "ready\n", 6) != 6;
}

static void *thread(void *arg)
{
	if (is("directory") && (unshare(CLONE_FS) || chdir("/")))
		exit(1);
	if (is("descriptors") && (unshare(CLONE_FILES) || close(0)))
		exit(1);
	if (is("ids") && syscall(SYS_setfsuid, 20001) < 0)
		exit(1);
	ready();
	for (;;)
		pause();
	return arg;
}

int main(int argc, char **argv)
{
	aio_context_t aio = 0;
	pthread_t th;

	if (argc != 2)
		return 2;
	thing = argv[1];
	if (is("aio")) {
		if (syscall(SYS_io_setup, 4, &aio))
			return 1;
	} else {
		return pthread_create(&th, NULL, thread, NULL) ||
		       pthread_join(th, NULL);
	}
	ready();
	for (;;)
		pause();
}

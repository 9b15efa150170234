/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem-named.c - memory with a name of its own: POSIX shared memory, vsyscall */
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "state.h"

#define PAGE 4096UL

static char *named, name[64];

static void named_child(void)
{
	await_checkpoint();
	CHECK(!strcmp(named + PAGE, "shared"));
	named[2 * PAGE] = 'c';
}

/* Once the test has ended, by somebody who has nothing to do with it. */
static void remove_name(void)
{
	if (fork())
		return;
	while (!access("shm_named.ready", F_OK))
		usleep(2000);
	shm_unlink(name);
	_exit(0);
}

/* The object is a file, which stays; what is mapped is this file again. */
STATE(shm_named)
{
	char buf[8] = "";
	struct stat st;
	pid_t pid;
	int fd;

	snprintf(name, sizeof(name), "/cr-state-named-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, 4 * PAGE));
	named = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(named != MAP_FAILED);
	strcpy(named + PAGE, "shared");
	pid = child(named_child);
	checkpoint();
	somebody_else(remove_name);
	join(pid);
	CHECK(named[2 * PAGE] == 'c');
	CHECK(pread(fd, buf, 6, PAGE) == 6 && !strcmp(buf, "shared"));
	close(fd);
	fd = shm_open(name, O_RDWR, 0);
	CHECK(fd >= 0 && !fstat(fd, &st) && st.st_size == 4 * PAGE);
	CHECK(pwrite(fd, "S", 1, PAGE) == 1 && named[PAGE] == 'S');
	named[PAGE] = 's'; /* for the next restart */
	close(fd);
}

/* Where old programs call the kernel; the page is the same everywhere. */
STATE(vsyscall_page)
{
	time_t (*ask)(time_t *) = (void *)0xffffffffff600400UL;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, "[vsyscall]") != NULL;
	fclose(f);
	if (!found)
		skip("this kernel has no vsyscall page");
	CHECK(ask(NULL) > 0);
	checkpoint();
	CHECK(ask(NULL) > 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kern-mem.c - memory of which the kernel knows more than its content */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "state.h"

#define PAGE 4096

static void *pages(int prot)
{
	void *p = mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/*
 * Memory protection keys: of the areas, and the rights of each thread.  Memory
 * that may be executed only has one that the kernel chooses.
 */
STATE(protection_keys)
{
	int first = pkey_alloc(0, 0), key, second, zero;
	char *p, *closed;

	if (first < 0)
		skip("needs a processor with protection keys");
	key = pkey_alloc(0, PKEY_DISABLE_WRITE);
	p = pages(PROT_READ | PROT_WRITE);
	closed = pages(PROT_READ | PROT_WRITE);
	pages(PROT_EXEC);
	zero = open("/dev/zero", O_RDONLY);
	CHECK(key > 0 && zero >= 0);
	*p = *closed = 'k';
	CHECK(!pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, key));
	CHECK(!pkey_mprotect(closed, PAGE, PROT_NONE, first));
	CHECK(!pkey_free(first) && (second = pkey_alloc(0, 0)) == first);
	checkpoint();
	CHECK(*p == 'k');
	CHECK(pkey_get(key) == PKEY_DISABLE_WRITE && pkey_get(second) == 0);
	CHECK(read(zero, p, 1) == -1 && errno == EFAULT);
	CHECK(!pkey_set(key, 0));
	CHECK(read(zero, p, 1) == 1 && !*p);
	CHECK(!pkey_set(second, PKEY_DISABLE_ACCESS));
	CHECK(!mprotect(closed, PAGE, PROT_READ | PROT_WRITE));
	CHECK(read(zero, closed, 1) == -1 && errno == EFAULT);
	CHECK(!pkey_set(second, 0) && *closed == 'k');
	CHECK(!pkey_free(second) && pkey_alloc(0, 0) == second);
	CHECK(!pkey_free(key) && pkey_alloc(0, 0) == key);
}

/* /dev/zero, shared: memory without a name. */
STATE(shared_zero)
{
	int fd = open("/dev/zero", O_RDWR);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	CHECK(p != MAP_FAILED && !close(fd));
	strcpy(p, "shared");
	checkpoint();
	CHECK(!strcmp(p, "shared") && !p[PAGE]);
	p[PAGE] = 1;
}

static int uffd_kind(int flags)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, flags | O_CLOEXEC);

	if (fd >= 0)
		CHECK(!ioctl(fd, UFFDIO_API, &api));
	return fd;
}

REFUSED(user_faults, "userfaultfd")
{
	int fd = uffd_kind(UFFD_USER_MODE_ONLY);

	if (fd < 0) /* before Linux 5.11 */
		fd = uffd_kind(0);
	if (fd < 0)
		skip("userfaultfd");
	checkpoint();
	close(fd);
}

REFUSED(secret_memory, "secret")
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	char *p;

	if (fd < 0 && errno == ENOSYS)
		skip("memfd_secret");
	CHECK(fd >= 0 && !ftruncate(fd, PAGE));
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && !close(fd));
	strcpy(p, "secret");
	checkpoint();
	CHECK(!strcmp(p, "secret"));
}

/* Whether the area of address p has a flag in smaps. */
static bool has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start = 0, end = 0, a, b;
	bool found = false;
	char line[4096];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			start = a;
			end = b;
		}
		if (!strncmp(line, "VmFlags:", 8) && (unsigned long)p >= start &&
		    (unsigned long)p < end)
			found = strstr(line, flag);
	}
	fclose(f);
	return found;
}

/* Memory that nobody may change or unmap any more. */
STATE(sealed_memory)
{
	char *p = pages(PROT_READ | PROT_WRITE), *q = pages(PROT_READ);

	*p = 's';
	if (syscall(462 /* mseal */, p, PAGE, 0))
		skip("needs mseal(2) of Linux 6.10");
	CHECK(!syscall(462, q, PAGE, 0));
	checkpoint();
	CHECK(*p == 's' && munmap(p, PAGE) && errno == EPERM);
	CHECK(mprotect(q, PAGE, PROT_WRITE) && errno == EPERM);
}

static unsigned long long started(void)
{
	unsigned long long when = 0;
	char text[1024] = "", *p;
	int fd = open("/proc/self/stat", O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	p = strrchr(text, ')');
	CHECK(p && sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			  "%*u %*u %*d %*d %*d %*d %*d %*d %llu", &when) == 1);
	return when;
}

/*
 * Memory that the kernel may take back: vgetrandom() keeps its state there,
 * which a restarted program must not have again.
 */
STATE(droppable_memory)
{
	unsigned long long when = started();
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       0x08 /* MAP_DROPPABLE */ | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		skip("needs MAP_DROPPABLE of Linux 6.11");
	*p = 'd';
	checkpoint();
	CHECK(!*p || (*p == 'd' && when == started()));
	CHECK(has_flag(p, " dp") && has_flag(p, " wf"));
}

static bool is_guard(char *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*(volatile char *)p);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

/* Guards without areas of their own: at the ends of stacks, since glibc 2.42. */
STATE(guard_pages)
{
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *empty = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 'g', 8 * PAGE);
	if (madvise(p + PAGE, 2 * PAGE, 102 /* MADV_GUARD_INSTALL */))
		skip("needs guards of Linux 6.13");
	CHECK(!madvise(p + 5 * PAGE, PAGE, 102));
	CHECK(!madvise(empty, PAGE, 102));
	checkpoint();
	CHECK(is_guard(p + PAGE) && is_guard(p + 2 * PAGE));
	CHECK(is_guard(p + 5 * PAGE) && is_guard(empty));
	CHECK(p[0] == 'g' && p[3 * PAGE] == 'g' && p[7 * PAGE] == 'g');
	CHECK(!is_guard(p + 6 * PAGE) && !is_guard(empty + PAGE));
	CHECK(!madvise(p + PAGE, PAGE, 103 /* MADV_GUARD_REMOVE */));
	CHECK(!p[PAGE] && is_guard(p + 2 * PAGE));
}

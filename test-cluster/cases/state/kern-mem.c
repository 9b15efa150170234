/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kern-mem.c - memory of which the kernel knows more than its content */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "state.h"

#define PAGE 4096

/* Memory protection keys: of the areas, and the rights of each thread. */
STATE(protection_keys)
{
	int key = pkey_alloc(0, PKEY_DISABLE_WRITE), second;
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = 'k';
	if (key >= 0)
		CHECK(!pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, key));
	checkpoint();
	CHECK(*p == 'k');
	if (key < 0)
		return;
	CHECK(pkey_get(key) == PKEY_DISABLE_WRITE);
	CHECK(read(open("/dev/zero", O_RDONLY), p, 1) == -1 &&
	      errno == EFAULT);
	CHECK(!pkey_set(key, 0));
	*p = 'w';
	second = pkey_alloc(0, 0);
	CHECK(second >= 0 && second != key && !pkey_free(key));
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

	CHECK(fd >= 0);
	checkpoint();
	close(fd);
}

REFUSED(secret_memory, "secret")
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	char *p;

	CHECK(fd >= 0 && !ftruncate(fd, PAGE));
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && !close(fd));
	strcpy(p, "secret");
	checkpoint();
	CHECK(!strcmp(p, "secret"));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * huge.c - memory of huge pages (hugetlbfs) in one form, checked and changed
 * after each SIGUSR1
 *
 * huge FORM BITS [DIR]: pages of 1 << BITS bytes; DIR is a hugetlbfs.  FORM may
 * be a number of pages, of which little is written, or all: "20full".  "ready"
 * when set up, "good N" after the Nth check; SIGTERM: status 7.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL 4096UL
#define RW (PROT_READ | PROT_WRITE)

static size_t size;
static int bits, round_no;

static void bad(const char *what, int line)
{
	dprintf(1, "%d: line %d: %s (%s)\n", getpid(), line, what,
		strerror(errno));
	_exit(1);
}
#define CHECK(c) do { if (!(c)) bad(#c, __LINE__); } while (0)

/* The value in kB, or the flag (1, 0), that smaps shows of the area at p. */
static long shows(const void *p, const char *field, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	size_t n = strlen(field);
	uintptr_t start, end;
	char line[512];
	long value = -1;
	int in = 0;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = (uintptr_t)p >= start && (uintptr_t)p < end;
		if (in && !strncmp(line, field, n))
			value = flag ? strstr(line + n, flag) != NULL
				     : atol(line + n);
	}
	fclose(f);
	return value;
}

static char *map(size_t pages, int prot, int flags, int fd)
{
	if (fd < 0)
		flags |= MAP_ANONYMOUS | MAP_HUGETLB |
			 bits << MAP_HUGE_SHIFT;
	char *p = mmap(NULL, pages * size, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* A huge page of numbers that tell where they are and which round it is. */
static void fill(char *p, unsigned int seed)
{
	for (size_t i = 0; i < size; i += SMALL) {
		memset(p + i, 0, 64);
		*(size_t *)(p + i) = seed * 1000003UL + i;
		p[i + SMALL - 1] = (char)seed;
	}
}

static int holds(const char *p, unsigned int seed)
{
	for (size_t i = 0; i < size; i += SMALL)
		if (*(const size_t *)(p + i) != seed * 1000003UL + i ||
		    p[i + SMALL - 1] != (char)seed)
			return 0;
	return 1;
}

static int empty(const char *p)
{
	for (size_t i = 0; i < size; i += 8)
		if (*(const size_t *)(p + i))
			return 0;
	return 1;
}

static void is_huge(const char *p)
{
	CHECK(shows(p, "KernelPageSize:", NULL) == (long)(size >> 10));
	CHECK(shows(p, "VmFlags:", " ht") == 1);
}

static char *a, *b;
static int fd = -1;
static long touched;
static volatile int *word; /* ordinary memory that processes share */
static pid_t other;

/* Private: with content, untouched, full of zeros, out of reach. */
static void make_private(int flags)
{
	a = map(4, RW, MAP_PRIVATE | flags, -1);
	fill(a, 1);
	a[2 * size] = 0;
	fill(a + 3 * size, 2);
	CHECK(!mprotect(a + 3 * size, size, PROT_NONE));
	b = map(1, RW, MAP_PRIVATE | flags, -1);
	fill(b, 3);
	CHECK(!madvise(b, size, MADV_DONTDUMP));
	CHECK(!mprotect(b, size, PROT_READ));
	touched = shows(a, "Private_Hugetlb:", NULL);
	CHECK(touched == 2L * (long)(size >> 10));
}

static void check_private(void)
{
	is_huge(a);
	is_huge(a + 3 * size);
	CHECK(shows(a, "Private_Hugetlb:", NULL) == touched);
	CHECK(holds(a, (unsigned int)round_no * 10 + 1));
	CHECK(shows(a + 3 * size, "VmFlags:", " rd") == 0);
	CHECK(!mprotect(a + 3 * size, size, RW));
	CHECK(holds(a + 3 * size, (unsigned int)round_no * 10 + 2));
	fill(a, (unsigned int)round_no * 10 + 11);
	fill(a + 3 * size, (unsigned int)round_no * 10 + 12);
	CHECK(!mprotect(a + 3 * size, size, PROT_NONE));
	CHECK(holds(b, 3) && shows(b, "VmFlags:", " wr") == 0);
	CHECK(shows(b, "VmFlags:", " dd") == 1);
}

/* What must be there when it is touched for the first time. */
static void end_private(void)
{
	CHECK(empty(a + size) && empty(a + 2 * size));
}

static void serve(void)
{
	for (int n = 0;; usleep(1000)) {
		if (getppid() == 1 || *word < 0)
			_exit(0);
		if (*word == n)
			continue;
		n = *word;
		if (!holds(a, (unsigned int)n * 10 - 9))
			_exit(1);
		fill(a + size, (unsigned int)n * 10 + 2);
		word[1] = n;
	}
}

/* Shared: written by one that has ended, by one that runs, and by nobody. */
static void make_shared(void)
{
	word = mmap(NULL, SMALL, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	a = map(4, RW, MAP_SHARED, -1);
	fill(a, 1);
	fill(a + size, 2);
	other = fork();
	if (!other) {
		fill(a + 2 * size, 9);
		_exit(0);
	}
	CHECK(waitpid(other, NULL, 0) == other);
	other = fork();
	if (!other)
		serve();
}

static void check_shared(void)
{
	is_huge(a);
	CHECK(holds(a, (unsigned int)round_no * 10 + 1));
	CHECK(holds(a + size, (unsigned int)round_no * 10 + 2));
	CHECK(round_no || holds(a + 2 * size, 9));
	*word = round_no + 1;
	while (word[1] != round_no + 1) {
		CHECK(!waitpid(other, NULL, WNOHANG));
		usleep(1000);
	}
	fill(a, (unsigned int)round_no * 10 + 11);
	fill(a + 2 * size, 9);
}

static void end_shared(void)
{
	int status;

	CHECK(empty(a + 3 * size));
	*word = -1;
	CHECK(waitpid(other, &status, 0) == other && !status);
}

/* Private memory of a parent and its child: each has its own. */
static void own(void)
{
	for (int n = 0;; usleep(1000)) {
		if (getppid() == 1 || *word < 0)
			_exit(0);
		if (*word == n)
			continue;
		if (!holds(a, n ? (unsigned int)n + 500 : 1) ||
		    !holds(a + size, 2))
			_exit(1);
		n = *word;
		fill(a, (unsigned int)n + 500);
		word[1] = n;
	}
}

static void make_fork(void)
{
	word = mmap(NULL, SMALL, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	a = map(2, RW, MAP_PRIVATE, -1);
	fill(a, 1);
	fill(a + size, 2);
	other = fork();
	if (!other)
		own();
}

static void check_fork(void)
{
	is_huge(a);
	CHECK(holds(a, (unsigned int)round_no + 1) && holds(a + size, 2));
	fill(a, (unsigned int)round_no + 2);
	*word = round_no + 1;
	while (word[1] != round_no + 1) {
		CHECK(!waitpid(other, NULL, WNOHANG));
		usleep(1000);
	}
}

static void end_fork(void)
{
	int status;

	*word = -1;
	CHECK(waitpid(other, &status, 0) == other && !status);
}

/* A memory file: open, mapped, or both; twice at once. */
static int seals;

static void make_file(int open_file)
{
	fill(a, 1);
	fill(a + 2 * size, 2);
	if (!open_file) {
		close(fd);
		fd = -1;
	} else {
		CHECK(lseek(fd, 12345, SEEK_SET) == 12345);
	}
}

static void make_memfd(const char *form)
{
	fd = memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING |
				  (unsigned int)bits << MAP_HUGE_SHIFT);
	CHECK(fd >= 0 && !ftruncate(fd, (off_t)(3 * size)));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	seals = F_SEAL_SHRINK;
	a = map(3, RW, MAP_SHARED, fd);
	make_file(strcmp(form, "memfd-mapped") != 0);
	if (!strcmp(form, "memfd-open")) {
		munmap(a, 3 * size);
		a = NULL;
	}
	if (!strcmp(form, "memfd-both"))
		b = map(3, PROT_READ, MAP_SHARED, fd);
}

static void make_named(const char *form, const char *dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, form);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, (off_t)(3 * size)));
	a = map(3, RW, MAP_SHARED, fd);
	make_file(1);
	if (!strcmp(form, "file-unlinked"))
		CHECK(!unlink(path));
	if (!strcmp(form, "file-private")) {
		b = map(3, RW, MAP_PRIVATE, fd);
		fill(b, 77);
	}
}

static void check_file(void)
{
	char *p = a ? a : map(3, RW, MAP_SHARED, fd), c[2 * SMALL];

	is_huge(p);
	CHECK(holds(p, (unsigned int)round_no * 10 + 1));
	CHECK(holds(p + 2 * size, (unsigned int)round_no * 10 + 2));
	fill(p, (unsigned int)round_no * 10 + 11);
	fill(p + 2 * size, (unsigned int)round_no * 10 + 12);
	if (fd >= 0) {
		CHECK(lseek(fd, 0, SEEK_CUR) == 12345);
		CHECK(pread(fd, c, sizeof(c), 0) == sizeof(c));
		CHECK(!memcmp(c, p, sizeof(c)));
		if (seals)
			CHECK(fcntl(fd, F_GET_SEALS) == seals);
	}
	if (b && shows(b, "VmFlags:", " sh") == 1)
		CHECK(holds(b, (unsigned int)round_no * 10 + 11));
	else if (b)
		CHECK(holds(b, 77) && holds(b + 2 * size,
			(unsigned int)round_no * 10 + 12));
	if (!a)
		munmap(p, 3 * size);
}

static void end_file(void)
{
	CHECK(!a || empty(a + size));
}

/* What cannot be saved. */
static void make_refused(const char *form)
{
	int id;

	if (!strcmp(form, "sysv")) {
		id = shmget(IPC_PRIVATE, size, 0600 | SHM_HUGETLB);
		a = shmat(id, NULL, 0);
		shmctl(id, IPC_RMID, NULL);
		CHECK(a != (void *)-1);
	} else if (!strcmp(form, "memfd-private")) {
		fd = memfd_create("huge", MFD_HUGETLB);
		CHECK(fd >= 0 && !ftruncate(fd, (off_t)size));
		a = map(1, RW, MAP_PRIVATE, fd);
	} else {
		a = map(1, RW, MAP_SHARED | MAP_NORESERVE, -1);
	}
	fill(a, 1);
}

static void check_refused(void)
{
	is_huge(a);
	CHECK(holds(a, 1));
}

/* N pages with three bytes in each. */
static size_t pages;
static int ground; /* what is in the rest */

static void make_pages(const char *form)
{
	a = map(pages, RW, MAP_PRIVATE, -1);
	ground = strstr(form, "full") ? 99 : 0;
	if (ground)
		memset(a, ground, pages * size);
	for (size_t i = 0; i < pages; i++) {
		a[i * size] = 1;
		a[i * size + size / 2 + 12345] = (char)i;
		a[(i + 1) * size - 1] = 2;
	}
}

static void check_pages(void)
{
	is_huge(a);
	for (size_t i = 0; i < pages; i++) {
		CHECK(a[i * size] == round_no + 1);
		CHECK(a[i * size + size / 2 + 12345] == (char)i);
		CHECK(a[(i + 1) * size - 1] == 2 && a[i * size + size / 2] == ground);
		a[i * size]++;
	}
}

static void nothing(void)
{
}

int main(int argc, char **argv)
{
	const char *form = argc > 2 ? argv[1] : "";
	void (*check)(void) = check_file, (*end)(void) = end_file;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	bits = argc > 2 ? atoi(argv[2]) : 21;
	size = 1UL << bits;
	if (!strcmp(form, "private") || !strcmp(form, "unreserved")) {
		make_private(form[0] == 'u' ? MAP_NORESERVE : 0);
		check = check_private;
		end = end_private;
	} else if (!strcmp(form, "shared")) {
		make_shared();
		check = check_shared;
		end = end_shared;
	} else if (!strcmp(form, "fork")) {
		make_fork();
		check = check_fork;
		end = end_fork;
	} else if ((pages = strtoul(form, NULL, 10))) {
		make_pages(form);
		check = check_pages;
		end = nothing;
	} else if (!strncmp(form, "refused-", 8)) {
		make_refused(form + 8);
		check = check_refused;
		end = nothing;
	} else if (!strncmp(form, "memfd", 5)) {
		make_memfd(form);
	} else {
		CHECK(argc > 3);
		make_named(form, argv[3]);
	}
	dprintf(1, "ready\n");
	for (;;) {
		CHECK(!sigwait(&set, &sig));
		if (sig == SIGTERM)
			break;
		check();
		dprintf(1, "good %d\n", ++round_no);
	}
	end();
	return 7;
}

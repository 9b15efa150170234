/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.c - every kind of memory, checked after each SIGUSR1 by all processes
 *
 * "ready" when set up, "good N" after the Nth check; SIGTERM: status 7.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define MAPS 400

static void bad(const char *what, int line)
{
	dprintf(2, "%d: line %d: %s (%s)\n", getpid(), line, what,
		strerror(errno));
	_exit(1);
}
#define CHECK(c) do { if (!(c)) bad(#c, __LINE__); } while (0)

static char *map(size_t n, int prot, int flags, int fd)
{
	char *p = mmap(NULL, n, prot,
		       flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static char *many[MAPS], *shared, *sparse, *none, *priv, *dontfork, *wipe,
	*deleted, *half, *zero, *readonly, *grow;
static volatile uint64_t *counter;
static char *heap;
static size_t heap_size = 1 << 20;
static pid_t child;
static int check_no;
static int unlinked[2], append, dupped[2];

static int flag_of(const char *p, const char *flag)
{
	unsigned long a, b;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");
	int in = 0, found = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2 && strchr(line, '-'))
			in = (unsigned long)p >= a && (unsigned long)p < b;
		if (in && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, flag) != NULL;
	}
	if (f)
		fclose(f);
	return found;
}

static void fill(char *p, size_t n, unsigned int seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
}

static int same(const char *p, size_t n, unsigned int seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != (char)((seed = seed * 1103515245 + 12345) >> 16))
			return 0;
	return 1;
}

static void set_up(void)
{
	char name[] = "./fileXXXXXX";
	int fd, i;

	for (i = 0; i < MAPS; i++) { /* neighbours that cannot be merged */
		many[i] = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
		fill(many[i], PAGE, i);
		if (i % 2)
			mprotect(many[i], PAGE, PROT_READ);
	}
	shared = map(64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, -1);
	fill(shared + PAGE, PAGE, 1000);
	counter = (void *)shared;
	/* half of it is not mapped any more, the rest cut in two */
	half = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, -1);
	fill(half, 16 * PAGE, 1001);
	munmap(half, 4 * PAGE);
	munmap(half + 8 * PAGE, 2 * PAGE);
	mprotect(half + 12 * PAGE, PAGE, PROT_NONE);
	sparse = map(1UL << 36, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_NORESERVE, -1);
	fill(sparse + (1UL << 35), PAGE, 1002);
	none = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	fill(none, PAGE, 1003);
	mprotect(none, 4 * PAGE, PROT_NONE);
	dontfork = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	fill(dontfork, 4 * PAGE, 1004);
	wipe = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	fill(wipe, 4 * PAGE, 1005);
	zero = map(16 * PAGE, PROT_READ, MAP_PRIVATE, -1);
	CHECK(zero[5 * PAGE] == 0); /* the zero page, not memory of its own */
	fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (i = 0; i < 8 * PAGE; i++)
		CHECK(write(fd, "f", 1) == 1);
	priv = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	fill(priv + 2 * PAGE, PAGE, 1006);
	memset(priv + 4 * PAGE, 0, PAGE); /* zeros are not the file's f */
	readonly = map(8 * PAGE, PROT_READ, MAP_SHARED, fd);
	close(fd);
	fd = mkstemp(name);
	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	deleted = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	fill(deleted, 4 * PAGE, 1007);
	unlink(name);
	close(fd);
	grow = mmap((void *)0x500000000000UL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	CHECK(grow != MAP_FAILED);
	fill(grow, PAGE, 1008);
	heap = sbrk(heap_size);
	fill(heap, heap_size, 1009);

	strcpy(name, "./goneXXXXXX");
	unlinked[0] = mkstemp(name);
	unlinked[1] = open(name, O_RDONLY);
	unlink(name);
	CHECK(write(unlinked[0], "content", 7) == 7);
	append = open("log", O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0600);
	dupped[0] = open("data", O_RDONLY);
	dupped[1] = dup(dupped[0]);
	fcntl(dupped[1], F_SETFD, FD_CLOEXEC);
}

static void check_memory(void)
{
	char *p;
	int i;

	for (i = 0; i < MAPS; i++)
		CHECK(same(many[i], PAGE, i));
	CHECK(flag_of(many[1], " wr") == 0 && flag_of(many[0], " wr") == 1);
	CHECK(same(shared + PAGE, PAGE, 1000));
	fill(wipe, 0, 0);
	p = malloc(16 * PAGE);
	fill(p, 16 * PAGE, 1001);
	CHECK(!memcmp(half + 4 * PAGE, p + 4 * PAGE, 4 * PAGE));
	CHECK(!memcmp(half + 10 * PAGE, p + 10 * PAGE, 2 * PAGE));
	CHECK(!memcmp(half + 13 * PAGE, p + 13 * PAGE, 3 * PAGE));
	mprotect(half + 12 * PAGE, PAGE, PROT_READ);
	CHECK(!memcmp(half + 12 * PAGE, p + 12 * PAGE, PAGE));
	mprotect(half + 12 * PAGE, PAGE, PROT_NONE);
	free(p);
	CHECK(msync(half + 8 * PAGE, 2 * PAGE, MS_ASYNC) && errno == ENOMEM);
	CHECK(same(sparse + (1UL << 35), PAGE, 1002) && sparse[12345] == 0);
	CHECK(flag_of(none, " rd") == 0);
	mprotect(none, 4 * PAGE, PROT_READ);
	CHECK(same(none, PAGE, 1003) && none[PAGE] == 0);
	mprotect(none, 4 * PAGE, PROT_NONE);
	CHECK(zero[5 * PAGE] == 0 && zero[9 * PAGE] == 0);
	CHECK(same(priv + 2 * PAGE, PAGE, 1006) && priv[0] == 'f' &&
	      priv[4 * PAGE + 7] == 0 && priv[7 * PAGE] == 'f');
	CHECK(readonly[3] == 'f');
	CHECK(same(deleted, 4 * PAGE, 1007));
	CHECK(same(grow, PAGE, 1008));
	CHECK(flag_of(grow, " gd") == 1);
	CHECK(same(heap, 1 << 20, 1009));
}

/* Only in the parent, whose they are. */
static void check_own(void)
{
	char buf[64] = "";
	struct stat st;
	off_t at;

	CHECK(same(dontfork, 4 * PAGE, 1004) && flag_of(dontfork, " dc") == 1);
	CHECK(same(wipe, 4 * PAGE, 1005) && flag_of(wipe, " wf") == 1);
	/* the heap grows where it ended */
	CHECK(sbrk(0) >= (void *)(heap + heap_size));
	CHECK(sbrk(3 * PAGE + 5) != (void *)-1);
	/* the area below grows, page by page */
	if (check_no < 100)
		grow[-(check_no + 1) * PAGE] = 1;
	CHECK(lseek(unlinked[0], 0, SEEK_CUR) == 7);
	CHECK(pread(unlinked[1], buf, 64, 0) == 7 && !strcmp(buf, "content"));
	CHECK(lseek(unlinked[1], 0, SEEK_CUR) == 0);
	CHECK(fstat(unlinked[0], &st) == 0 && st.st_nlink == 0);
	CHECK(fcntl(append, F_GETFL) & O_APPEND);
	/* one offset for both, and for the child, which reads on */
	at = lseek(dupped[0], 0, SEEK_CUR);
	CHECK(read(dupped[1], buf, 3) == 3);
	CHECK(lseek(dupped[0], 0, SEEK_CUR) == at + 3);
	CHECK(fcntl(dupped[1], F_GETFD) == FD_CLOEXEC &&
	      fcntl(dupped[0], F_GETFD) == 0);
}

static void wait_counter(uint64_t value)
{
	int i;

	for (i = 0; *counter != value; i++) {
		CHECK(i < 100000);
		usleep(200);
	}
}

int main(void)
{
	struct rlimit lim;
	sigset_t set;
	off_t at;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	set_up();
	CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){200, 300}) == 0);
	CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 4096}) == 0);
	umask(027);
	CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
	child = fork();
	if (!child) {
		madvise(wipe, PAGE, MADV_WIPEONFORK);
		for (;;) { /* answers each step of the parent */
			uint64_t v = *counter;

			if (v % 2) {
				check_memory();
				CHECK(read(dupped[0], (char[5]){0}, 5) == 5);
				*counter = v + 1;
			}
			if (getppid() == 1)
				_exit(0);
			usleep(500);
		}
	}
	madvise(dontfork, 4 * PAGE, MADV_DONTFORK);
	madvise(wipe, 4 * PAGE, MADV_WIPEONFORK);
	dprintf(1, "ready\n");
	for (;;) {
		sigwait(&set, &sig);
		if (sig == SIGTERM)
			break;
		check_memory();
		check_own();
		at = lseek(dupped[0], 0, SEEK_CUR);
		++*counter;
		wait_counter(2 * ++check_no);
		CHECK(lseek(dupped[0], 0, SEEK_CUR) == at + 5);
		CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0 &&
		      lim.rlim_cur == 200 && lim.rlim_max == 300);
		CHECK(getrlimit(RLIMIT_CORE, &lim) == 0 && lim.rlim_cur == 0);
		CHECK(umask(027) == 027);
		errno = 0;
		CHECK(getpriority(PRIO_PROCESS, 0) == 5);
		CHECK(waitpid(-1, NULL, WNOHANG) == 0);
		dprintf(1, "good %d\n", check_no);
	}
	kill(child, SIGKILL);
	CHECK(waitpid(child, &sig, 0) == child);
	_exit(7);
}

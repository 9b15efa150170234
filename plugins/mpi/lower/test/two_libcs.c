/* SPDX-License-Identifier: GPL-2.0-or-later */
/* two_libcs.c - a lower half without MPI: two C libraries side by side */
#include <dlfcn.h>
#include <elf.h>
#include <sys/stat.h>

#include "mpi/lower/test/test.h"

static void *(*lower_malloc)(size_t);
static void (*lower_free)(void *);
static char *(*lower_getenv)(const char *);
static int *(*lower_errno)(void);
static int (*lower_open)(const char *, int, ...);
static int (*lower_fork)(void);
static void (*lower_exit_now)(int);
static int (*lower_system)(const char *);
static void *(*lower_dlopen)(const char *, int);

static void find(void)
{
	lower_malloc = cr_lower_symbol("malloc");
	lower_free = cr_lower_symbol("free");
	lower_getenv = cr_lower_symbol("getenv");
	lower_errno = cr_lower_symbol("__errno_location");
	lower_open = cr_lower_symbol("open64");
	lower_fork = cr_lower_symbol("fork");
	lower_exit_now = cr_lower_symbol("_exit");
	lower_system = cr_lower_symbol("system");
	lower_dlopen = cr_lower_symbol("dlopen");
	CHECK(lower_malloc && lower_free && lower_getenv && lower_errno);
	CHECK(!cr_lower_symbol("no_such_symbol_at_all"));
}

static void *work(void *arg)
{
	int i;

	for (i = 1; i < 100; i++) {
		size_t n = 100 * (size_t)i;
		void *p = CR_LOWER(lower_malloc(n)), *q = malloc(n);
		int *e;

		CHECK(cr_lower_owns(p) && !cr_lower_owns(q));
		memset(p, i, n);
		free(q);
		CR_LOWER_VOID(lower_free(p));
		errno = 5;
		CR_LOWER(lower_open("/does/not/exist", 0));
		CHECK(errno == 5);
		e = CR_LOWER(lower_errno());
		CHECK(*e == ENOENT);
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t t[8];
	int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 8; i++)
			CHECK(!pthread_create(&t[i], NULL, work, NULL));
		for (i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
	}
}

/* The program forks: the child has no lower half; the parent goes on. */
static void run_fork(void)
{
	int fd = CR_LOWER(lower_open("/", 0)), status;
	pid_t pid = fork();

	if (!pid) {
		errno = 0;
		if (cr_lower_attach() != -ENXIO || cr_lower.generation)
			_exit(1);
		if (fcntl(fd, F_GETFD) != -1) /* closed in the child */
			_exit(2);
		if (cr_lower_abandon(true) ||
		    cr_lower_boot(NULL, environ, NULL))
			_exit(3);
		find();
		work(NULL);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	/* the lower half forks: its child has the lower half's memory */
	pid = CR_LOWER(lower_fork());
	if (!pid)
		CR_LOWER_VOID(lower_exit_now(7));
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(CR_LOWER(lower_system("exit 3")) == 3 << 8);
	work(NULL);
}

/* ---- one thread pointer for each half ---- */

#define UNKNOWN "/tmp/unknown-XXXXXX"

/* A library without an unwind table: where its code is cannot be told. */
static void make_unknown(char *path)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[];
	} *copy;
	int from, to = mkstemp(path), i;
	struct stat st;
	void *libm = dlopen("libm.so.6", RTLD_NOW);
	Dl_info info;

	CHECK(libm && dladdr(dlsym(libm, "sin"), &info));
	from = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	CHECK(from >= 0 && to >= 0 && !fstat(from, &st));
	copy = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, from, 0);
	CHECK(copy != MAP_FAILED);
	CHECK(write(to, copy, (size_t)st.st_size) == st.st_size);
	munmap(copy, (size_t)st.st_size);
	copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	CHECK(copy != MAP_FAILED && copy->eh.e_phoff == sizeof(copy->eh));
	for (i = 0; i < copy->eh.e_phnum; i++)
		if (copy->ph[i].p_type == PT_GNU_EH_FRAME)
			copy->ph[i].p_type = PT_NULL;
	munmap(copy, 4096);
	close(from);
	close(to);
	dlclose(libm);
}

/* While the lower half comes up such a library can be loaded, not later. */
static void run_unknown(void)
{
	char path[] = UNKNOWN;
	const char *at = path;

	if (cr_lower.switching)
		return; /* this machine knows one way only */
	make_unknown(path);
	CHECK(!CR_LOWER(lower_dlopen(at, RTLD_NOW)));
	work(NULL);
	CHECK(!cr_lower_abandon(false));
	CHECK(!cr_lower_boot(NULL, environ, NULL));
	find();
	CHECK(CR_LOWER(lower_dlopen(at, RTLD_NOW)));
	cr_lower_settled();
	CHECK(cr_lower.switching);
	work(NULL);
	unlink(path);
}

int main(void)
{
	struct cr_error err = { 0 };
	struct census a, b;
	int i, rc;

	setenv("WHO", "lower", 1);
	rc = cr_lower_boot(NULL, environ, &err);
	if (rc)
		fprintf(stderr, "boot: %s\n", err.text);
	CHECK(!rc);
	setenv("WHO", "upper", 1);
	find();
	cr_lower_settled();
	CHECK(!strcmp(CR_LOWER(lower_getenv("WHO")), "lower"));
	CHECK(!CR_LOWER(lower_getenv("CR_LOWER_LINK")));
	if (cr_lower_check(true, &err))
		fprintf(stderr, "check: %s\n", err.text);
	CHECK(!err.code);
	CHECK(!cr_lower_inside());
	work(NULL);
	run_threads();
	run_fork();
	CHECK(!cr_lower_check(false, &err));
	run_unknown();

	CHECK(!cr_lower_abandon(false));
	setenv("WHO", "lower", 1);
	take_census(&a);
	for (i = 0; i < 25; i++) {
		CHECK(!cr_lower_boot(NULL, environ, &err));
		find();
		if (i & 1)
			cr_lower_settled();
		work(NULL);
		run_threads();
		CHECK(!cr_lower_check(true, &err));
		CHECK(!cr_lower_abandon(false));
	}
	take_census(&b);
	CHECK(a.fds == b.fds && a.tasks == b.tasks);
	CHECK(b.maps <= a.maps + 20); /* stacks kept by the program's libc */
	printf("26 boots: fds %d, threads %d, maps %d\n", b.fds, b.tasks,
	       b.maps);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * borders.c - the edges of the lower half: descriptors that change hands,
 * rollback out of a call, exit from inside; all the same where crossings
 * must set FS, and where the kernel has to do that
 */
#include "mpi/lower/test/test.h"

static int (*lower_open)(const char *, int, ...);
static ssize_t (*lower_read)(int, void *, size_t);
static void (*lower_exit)(int);
static void (*lower_qsort)(void *, size_t, size_t,
			   int (*)(const void *, const void *));
static int (*lower_create)(pthread_t *, const pthread_attr_t *,
			   void *(*)(void *), void *);
static int (*lower_join)(pthread_t, void **);

/* A descriptor that the program closed and opened anew is the program's. */
static void check_stale_descriptor(void)
{
	size_t n;
	uint64_t *omitted = cr_omit_fd_words(&n);
	int fd = CR_LOWER(lower_open("/", O_RDONLY)), own;

	CHECK(fd >= 0 && fd < 64 && (omitted[0] >> fd & 1));
	CHECK(!cr_lower_check(false, NULL));
	CHECK(omitted[0] >> fd & 1);
	close(fd);
	own = open("/proc", O_RDONLY | O_CLOEXEC);
	CHECK(own == fd);
	CHECK(!cr_lower_check(false, NULL));
	CHECK(!(omitted[0] >> fd & 1));
	fd = CR_LOWER(lower_open("/", O_RDONLY));
	close(fd);
	CHECK(dup2(own, fd) == fd);
	CHECK(!cr_lower_abandon(false));
	CHECK(fcntl(own, F_GETFD) >= 0 && fcntl(fd, F_GETFD) >= 0);
	CHECK(!omitted[0]);
	close(own);
	close(fd);
}

/* ---- rollback ---- */

static struct cr_rollback slot;

/* What restore does with a thread that has an active slot. */
static void roll_back(const struct cr_rollback *s)
{
	cr_lower_set_fs(s->fs_base);
	__asm__ volatile("fld1\n\tfld1\n\tfld1\n\tstd\n\t"
			 "mov 8(%0), %%rbx\n\t"
			 "mov 16(%0), %%rbp\n\t"
			 "mov 24(%0), %%r12\n\t"
			 "mov 32(%0), %%r13\n\t"
			 "mov 40(%0), %%r14\n\t"
			 "mov 48(%0), %%r15\n\t"
			 "mov 56(%0), %%rsp\n\t"
			 "mov $1, %%eax\n\t"
			 "jmp *64(%0)" : : "D"(s) : "memory");
	__builtin_unreachable();
}

static int tear_out(const void *a, const void *b)
{
	if (slot.active)
		roll_back(&slot);
	return *(const char *)a - *(const char *)b;
}

static void check_rollback(void)
{
	char text[] = "stillpoint";
	volatile int tries = 0;
	volatile long double half = 0.5L, x;

	errno = 11;
	if (cr_lower_save(&slot)) {
		cr_lower_rolled_back();
		slot.active = 0;
	} else {
		slot.active = 1;
	}
	tries++;
	CHECK(slot.fs_base == cr_lower_get_fs() && !cr_lower_inside());
	CR_LOWER_VOID(lower_qsort(text, strlen(text), 1, tear_out));
	CHECK(tries == 2 && errno == 11 && !strcmp(text, "iillnopstt"));
	/* all eight x87 registers are free again */
	x = ((half + half) * (half + (half + half * (half + half)))) /
	    (half * (half + half * (half + half * half)));
	CHECK(x > 3.42L && x < 3.43L);
}

/* ---- handlers on top of a call ---- */

static volatile int handled;
static int wake[2];

static void handle(int sig)
{
	handled++;
}

static void *wait_inside(void *arg)
{
	struct cr_rollback *own = cr_rollback_slot();
	char byte;

	CHECK(!cr_lower_attach());
	own->active = 1;
	CHECK(CR_LOWER(lower_read(wake[0], &byte, 1)) == 1);
	own->active = 0;
	return NULL;
}

static bool never(void *arg)
{
	return false;
}

/* While the lower half is held, a handler waits at its beginning. */
static void check_held_handler(void)
{
	struct sigaction act = { .sa_handler = handle,
				 .sa_flags = SA_RESTART };
	pthread_t t;
	int i;

	CHECK(!pipe(wake));
	CHECK(!sigaction(SIGUSR1, &act, NULL));
	CHECK(!pthread_create(&t, NULL, wait_inside, NULL));
	usleep(10000);
	pthread_kill(t, SIGUSR1);
	for (i = 0; !handled && i < 1000; i++)
		usleep(1000);
	CHECK(handled == 1);
	CHECK(!cr_lower_hold(never, NULL, NULL));
	pthread_kill(t, SIGUSR1);
	usleep(50000);
	CHECK(handled == 1);
	cr_lower_release();
	for (i = 0; handled < 2 && i < 1000; i++)
		usleep(1000);
	CHECK(handled == 2);
	CHECK(write(wake[1], "x", 1) == 1);
	pthread_join(t, NULL);
	close(wake[0]);
	close(wake[1]);
}

/* A thread torn out of a moment when the lower half blocks signals. */
static void check_mask_after_rollback(void)
{
	struct cr_lower_thread *self = &cr_lower_self;
	sigset_t all, old, now;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	memcpy(&self->signal_mask, &old, sizeof(self->signal_mask));
	self->masked = 1;
	cr_lower_rolled_back();
	CHECK(!self->masked);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	CHECK(!memcmp(&now, &old, 8));
}

/* ---- signals of the lower half's threads ---- */

static volatile int on_lower_thread;

static void *look_at_mask(void *arg)
{
	uint64_t mask = 0;
	long r = SYS_rt_sigprocmask;

	/* on a lower half's thread: no libc of ours */
	__asm__ volatile("mov %2, %%r10\n\tsyscall"
			 : "+a"(r)
			 : "D"((long)SIG_BLOCK), "r"(8L), "S"(0L), "d"(&mask)
			 : "rcx", "r10", "r11", "memory");
	/* all but SIGKILL and SIGSTOP */
	on_lower_thread = (mask | 1UL << (SIGKILL - 1) |
			   1UL << (SIGSTOP - 1)) == ~0UL;
	return NULL;
}

static void check_lower_thread(void)
{
	sigset_t before, after;
	pthread_t t;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	CHECK(!CR_LOWER(lower_create(&t, NULL, look_at_mask, NULL)));
	CHECK(!CR_LOWER(lower_join(t, NULL)));
	CHECK(on_lower_thread);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	CHECK(!memcmp(&before, &after, 8));
}

/* ---- the end ---- */

static int out[2];

static void at_exit(void)
{
	CHECK(!cr_lower_inside());
	printf(" handler");
}

/* exit() called by the MPI library is the program's. */
static void check_exit(void)
{
	char text[64] = "";
	int status;
	pid_t pid;

	CHECK(!pipe(out));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		CHECK(!cr_lower_boot(NULL, environ, NULL));
		lower_exit = cr_lower_symbol("exit");
		dup2(out[1], 1);
		atexit(at_exit);
		printf("buffered");
		CR_LOWER_VOID(lower_exit(3));
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	CHECK(read(out[0], text, sizeof(text) - 1) > 0);
	CHECK(!strcmp(text, "buffered handler"));
}

static void up(void)
{
	struct cr_error err = { 0 };

	if (cr_lower_boot(NULL, environ, &err))
		fprintf(stderr, "boot: %s\n", err.text);
	CHECK(!err.code);
	cr_lower_settled();
	CHECK((lower_open = cr_lower_symbol("open")));
	CHECK((lower_read = cr_lower_symbol("read")));
	CHECK((lower_qsort = cr_lower_symbol("qsort")));
	CHECK((lower_create = cr_lower_symbol("pthread_create")));
	CHECK((lower_join = cr_lower_symbol("pthread_join")));
	CHECK(!cr_lower_check(true, &err));
}

static void check_refusals(void)
{
	struct cr_error err = { 0 };
	char path[64];
	void *taken;

	CHECK(cr_lower_boot(NULL, environ, &err) == -EALREADY);
	cr_error_clear(&err);
	CHECK(cr_lower_library(path, sizeof(path), &err) == -ENOENT);
	CHECK(!cr_lower_abandon(false));
	cr_error_clear(&err);
	CHECK(cr_lower_boot("/no/such/libmpi.so", environ, &err) < 0);
	CHECK(strstr(err.text, "/no/such/libmpi.so"));
	taken = mmap((void *)(CR_LOWER_START + (1UL << 33)), 4096, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		     0);
	CHECK(taken != MAP_FAILED);
	cr_error_clear(&err);
	CHECK(cr_lower_boot(NULL, environ, &err) == -EEXIST);
	munmap(taken, 4096);
	CHECK(!cr_lower_symbol("malloc") && cr_lower_attach() == -ENXIO);
	cr_lower_flush();
	up();
}

int main(void)
{
	bool fast;

	up();
	check_stale_descriptor();
	up();
	check_rollback();
	check_lower_thread();
	check_held_handler();
	check_mask_after_rollback();
	check_refusals();
	cr_lower.switching = true;
	check_rollback();
	check_lower_thread();
	fast = cr_lower.fsgsbase;
	cr_lower.fsgsbase = false;
	check_rollback();
	check_lower_thread();
	cr_lower.fsgsbase = fast;
	check_exit();
	CHECK(!cr_lower_check(false, NULL));
	printf("borders hold\n");
	return 0;
}

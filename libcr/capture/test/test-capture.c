/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-capture.c - what a capture finds, and that nobody notices it */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture/test/lib.h"

#define PAGE 4096
#define MAGIC 0x5157494c4c504f49ULL

static void idle(void)
{
	sh->ready = 1;
	while (!sh->stop)
		usleep(1000);
}

/* A process with something of everything. */
static void rich(void)
{
	static char altstack[16384];
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };
	struct sigaction sa = { .sa_handler = SIG_IGN, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 0 }, { 1000, 0 } };
	struct itimerspec ts = { { 7, 0 }, { 2000, 0 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGUSR2,
			       .sigev_value.sival_int = 77 };
	struct rlimit lim = { 100, 200 };
	union sigval v = { .sival_int = 5 };
	timer_t timer;
	sigset_t set;

	sigaltstack(&ss, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigqueue(getpid(), SIGRTMIN, v);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	setitimer(ITIMER_REAL, &it, NULL);
	timer_create(CLOCK_MONOTONIC, &ev, &timer);
	timer_settime(timer, 0, &ts, NULL);
	umask(027);
	EXPECT(chdir("/usr") == 0);
	setrlimit(RLIMIT_NOFILE, &lim);
	prctl(PR_SET_NAME, "richie");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	EXPECT(setpriority(PRIO_PROCESS, 0, 3) == 0);
	sh->addr[0] = (uintptr_t)altstack;
	idle();
}

static void check_rich(struct cr_reader *r, pid_t pid)
{
	const struct cr_image *img = cr_reader_image(r);
	const struct cr_process *p = &img->procs[0];
	const struct cr_thread *t = &p->threads[0];
	siginfo_t info;

	assert_int_equal(img->n_procs, 1);
	assert_int_equal(p->pid, pid);
	assert_int_equal(p->ppid, getpid());
	assert_int_equal(p->sid, pid);
	assert_int_equal(p->umask, 027);
	assert_string_equal(p->cwd, "/usr");
	assert_string_equal(p->root, "/");
	assert_true(p->child_subreaper);
	assert_int_equal(p->exit_signal, SIGCHLD);
	assert_int_equal(p->rlimit[RLIMIT_NOFILE].cur, 100);
	assert_int_equal(p->sigaction[SIGHUP - 1].handler, 1);
	assert_true(p->sigaction[SIGHUP - 1].flags & SA_RESTART);
	assert_int_equal(p->n_pending, 1);
	memcpy(&info, p->pending[0].raw, sizeof(info));
	assert_int_equal(info.si_signo, SIGRTMIN);
	assert_int_equal(info.si_value.sival_int, 5);
	assert_int_equal(t->n_pending, 1);
	memcpy(&info, t->pending[0].raw, sizeof(info));
	assert_int_equal(info.si_signo, SIGUSR1);
	assert_true(t->sigmask >> (SIGRTMIN - 1) & 1);
	assert_true(p->itimer[0].value_ns > 900000000000LL);
	assert_int_equal(p->n_timers, 1);
	assert_int_equal(p->timers[0].signo, SIGUSR2);
	assert_int_equal(p->timers[0].clockid, CLOCK_MONOTONIC);
	assert_int_equal(p->timers[0].sigev_value & 0xffffffff, 77);
	assert_int_equal(p->timers[0].it_interval_ns, 7000000000LL);
	assert_true(p->timers[0].it_value_ns > 1900000000000LL);
	assert_int_equal(t->altstack_sp, sh->addr[0]);
	assert_int_equal(t->altstack_size, 16384);
	assert_string_equal(t->comm, "richie");
	assert_int_equal(t->pdeath_signal, SIGTERM);
	assert_int_equal(t->nice, 3);
	assert_int_not_equal(t->robust_head, 0);
	assert_int_not_equal(t->clear_child_tid, 0);
	assert_true(t->affinity.len > 0);
	assert_true(img->mms[p->mm].fields.brk >=
		    img->mms[p->mm].fields.start_brk);
	assert_non_null(img->mapped[img->mms[p->mm].exe].path);
}

static void test_state(void **state)
{
	pid_t pid = lib_spawn(rich);
	struct cr_reader *r;

	/* it is a subreaper: copied, for it would see the snapshot's end */
	r = lib_capture(pid, CR_SNAPSHOT_AUTO);
	check_rich(r, pid);
	cr_reader_destroy(r);
	if (sh->failed)
		fail_msg("%s", sh->why);
	lib_kill(pid);
}

static char *read_maps(pid_t pid)
{
	char path[64], *text = calloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static void *sleeper(void *arg)
{
	struct timespec t;

	while (!sh->stop) {
		t = (struct timespec){ 0, 2000000 };
		EXPECT(nanosleep(&t, NULL) == 0);
	}
	return NULL;
}

static void on_child(int signo)
{
	lib_fail("SIGCHLD");
}

/* Looks for every trace that a capture might leave. */
static void watchful(void)
{
	pthread_t t;
	int status;

	signal(SIGCHLD, on_child);
	pthread_create(&t, NULL, sleeper, NULL);
	while (!sh->stop) {
		usleep(500);
		EXPECT(waitpid(-1, &status, __WALL) == -1 && errno == ECHILD);
		if (sh->count++ == 3)
			sh->ready = 1;
	}
	pthread_join(t, NULL);
}

static void watch(int snapshot)
{
	pid_t pid = lib_spawn(watchful);
	char *maps = read_maps(pid), *now;
	int i, before, status;

	for (i = 0; i < 40; i++) {
		cr_reader_destroy(lib_capture(pid, snapshot));
		before = sh->count;
		while (sh->count < before + 2 && !sh->failed)
			sched_yield();
	}
	now = read_maps(pid);
	assert_string_equal(maps, now);
	free(maps);
	free(now);
	sh->stop = 1;
	waitpid(pid, &status, 0);
	if (sh->failed)
		fail_msg("%s", sh->why);
	assert_true(WIFEXITED(status));
}

static void test_unnoticed_fork(void **state)
{
	watch(CR_SNAPSHOT_FORK);
}

static void test_unnoticed_copy(void **state)
{
	watch(CR_SNAPSHOT_COPY);
}

/* Memory that a fork copies, and memory that it does not. */
static void memories(void)
{
	const int advice[] = { MADV_NORMAL, MADV_DONTFORK, MADV_WIPEONFORK };
	uint64_t *m;
	int i;

	for (i = 0; i < 3; i++) {
		m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		EXPECT(madvise(m, 4 * PAGE, advice[i]) == 0);
		m[PAGE / 8] = MAGIC + (uint64_t)i;
		sh->addr[i] = (uintptr_t)m + PAGE;
	}
	EXPECT(mprotect((void *)(sh->addr[0] - PAGE), 4 * PAGE, PROT_NONE) ==
	       0);
	m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	m[PAGE / 8] = MAGIC + 3;
	sh->addr[3] = (uintptr_t)m + PAGE;
	idle();
}

static const struct cr_area *area_at(const struct cr_mm *mm, uint64_t addr)
{
	size_t i;

	for (i = 0; i < mm->n_areas; i++)
		if (addr >= mm->areas[i].start && addr < mm->areas[i].end)
			return &mm->areas[i];
	fail_msg("no area at %#lx", (unsigned long)addr);
	return NULL;
}

static void check_memories(int snapshot)
{
	pid_t pid = lib_spawn(memories);
	struct cr_reader *r = lib_capture(pid, snapshot);
	const struct cr_image *img = cr_reader_image(r);
	const struct cr_area *a;
	uint64_t value;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		lib_memory(r, 0, sh->addr[i], &value, sizeof(value));
		assert_true(value == MAGIC + i);
	}
	assert_int_equal(area_at(img->mms, sh->addr[0])->prot, PROT_NONE);
	assert_true(area_at(img->mms, sh->addr[1])->vm_flags & CR_VM_DONTFORK);
	assert_true(area_at(img->mms, sh->addr[2])->vm_flags &
		    CR_VM_WIPEONFORK);
	a = area_at(img->mms, sh->addr[3]);
	assert_int_equal(a->kind, CR_AREA_ANON_SHARED);
	lib_memory(r, (uint32_t)img->n_mms + a->shm,
		   sh->addr[3] - a->start + a->offset, &value, sizeof(value));
	assert_true(value == MAGIC + 3);
	cr_reader_destroy(r);
	lib_kill(pid);
}

static void test_memory_fork(void **state)
{
	check_memories(CR_SNAPSHOT_FORK);
}

static void test_memory_copy(void **state)
{
	check_memories(CR_SNAPSHOT_COPY);
}

/* Files: one description in three places, a pipe with data, no name. */
static void files(void)
{
	char path[] = "/tmp/test-capture-XXXXXX";
	int p[2], fd;

	EXPECT(pipe(p) == 0);
	EXPECT(write(p[1], "in the pipe", 11) == 11);
	fd = mkstemp(path);
	unlink(path);
	EXPECT(write(fd, "no name", 7) == 7);
	sh->fd[0] = p[0];
	sh->fd[1] = p[1];
	sh->fd[2] = fd;
	sh->fd[3] = dup(fd);
	sh->fd[4] = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	lseek(sh->fd[4], 10, SEEK_SET);
	if (fork() == 0) {
		while (!sh->stop)
			usleep(1000);
		_exit(0);
	}
	idle();
	fd = (int)read(p[0], path, 11);
	EXPECT(fd == 11 && !memcmp(path, "in the pipe", 11));
	wait(NULL);
}

static void test_files(void **state)
{
	pid_t pid = lib_spawn(files);
	struct cr_reader *r = lib_capture(pid, CR_SNAPSHOT_AUTO);
	const struct cr_image *img = cr_reader_image(r);
	const struct cr_process *p = img->procs, *q = img->procs + 1;
	const struct cr_file *f;
	int i;

	assert_int_equal(img->n_procs, 2);
	assert_int_equal(q->ppid, p->pid);
	for (i = 0; i < 5; i++)
		assert_int_equal(lib_fd(p, sh->fd[i])->file,
				 lib_fd(q, sh->fd[i])->file);
	assert_int_equal(lib_fd(p, sh->fd[2])->file,
			 lib_fd(p, sh->fd[3])->file);
	f = &img->files[lib_fd(p, sh->fd[0])->file];
	assert_int_equal(f->kind, CR_OBJ_PIPE);
	assert_int_equal(f->data.len, 11);
	assert_memory_equal(f->data.data, "in the pipe", 11);
	assert_int_equal(f->object_id,
			 img->files[lib_fd(p, sh->fd[1])->file].object_id);
	f = &img->files[lib_fd(p, sh->fd[2])->file];
	assert_true(f->id.deleted);
	assert_int_equal(f->offset, 7);
	assert_memory_equal(f->data.data, "no name", 7);
	f = &img->files[lib_fd(p, sh->fd[4])->file];
	assert_string_equal(f->id.path, "/etc/passwd");
	assert_int_equal(f->offset, 10);
	assert_true(lib_fd(p, sh->fd[4])->cloexec);
	assert_int_equal(img->files[lib_fd(p, 0)->file].kind, CR_OBJ_DEVICE);
	cr_reader_destroy(r);
	sh->stop = 1;
	waitpid(pid, NULL, 0);
	if (sh->failed)
		fail_msg("%s", sh->why);
}

static void test_stopped(void **state)
{
	pid_t pid = lib_spawn(idle);
	struct cr_reader *r;
	int status;

	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	r = lib_capture(pid, CR_SNAPSHOT_AUTO);
	assert_true(cr_reader_image(r)->procs[0].stopped);
	assert_int_equal(cr_reader_image(r)->procs[0].stop_signal, SIGSTOP);
	cr_reader_destroy(r);
	assert_int_equal(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	sh->stop = 1;
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
}

static void with_zombie(void)
{
	siginfo_t info;

	if (fork() == 0)
		_exit(9);
	waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
	idle();
	EXPECT(wait(&sh->fd[0]) > 0 && WEXITSTATUS(sh->fd[0]) == 9);
}

static void test_zombie(void **state)
{
	pid_t pid = lib_spawn(with_zombie);
	struct cr_reader *r = lib_capture(pid, CR_SNAPSHOT_AUTO);
	const struct cr_image *img = cr_reader_image(r);

	assert_int_equal(img->n_procs, 2);
	assert_int_equal(img->procs[1].kind, CR_PROC_ZOMBIE);
	assert_int_equal(WEXITSTATUS(img->procs[1].exit_status), 9);
	cr_reader_destroy(r);
	sh->stop = 1;
	waitpid(pid, NULL, 0);
	if (sh->failed)
		fail_msg("%s", sh->why);
}

/* A parent in vfork() stops only after its child. */
static void vforks(void)
{
	while (!sh->stop) {
		pid_t pid = vfork();

		if (pid == 0) {
			syscall(SYS_nanosleep,
				&(struct timespec){ 0, 80000000 }, NULL);
			_exit(3);
		}
		EXPECT(waitpid(pid, &sh->fd[0], 0) == pid);
		EXPECT(WEXITSTATUS(sh->fd[0]) == 3);
		sh->ready = 1;
	}
}

static void test_vfork(void **state)
{
	pid_t pid = lib_spawn(vforks);
	int i;

	for (i = 0; i < 3; i++)
		cr_reader_destroy(lib_capture(pid, CR_SNAPSHOT_AUTO));
	sh->stop = 1;
	waitpid(pid, NULL, 0);
	if (sh->failed)
		fail_msg("%s", sh->why);
}

static bool cancel_now(void *arg)
{
	return true;
}

static void test_cancelled(void **state)
{
	pid_t pid = lib_spawn(watchful);
	const struct cr_capture_options opt = { .scope = CR_SCOPE_TREE,
						.target = pid,
						.cancelled = cancel_now };
	struct cr_error err = { 0 };
	int before;

	assert_null(lib_try(&opt, &err));
	if (err.code != -ECANCELED)
		fail_msg("%s", err.text);
	before = sh->count;
	while (sh->count < before + 2 && !sh->failed)
		sched_yield();
	sh->stop = 1;
	waitpid(pid, NULL, 0);
	if (sh->failed)
		fail_msg("%s", sh->why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_unnoticed_fork),
		cmocka_unit_test(test_unnoticed_copy),
		cmocka_unit_test(test_memory_fork),
		cmocka_unit_test(test_memory_copy),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_zombie),
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_cancelled),
	};

	return cmocka_run_group_tests(tests, lib_setup, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_vdso.c - a process saved under a kernel with another vdso
 *
 * There is but one kernel here, so the image is changed: in its copy of the
 * vdso every function's body becomes traps.  A process that runs on after
 * the restart, and tells the time, cannot have used it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "capture/capture.h"
#include "restore/restore.h"

static char dir[] = "/tmp/cr-vdso.XXXXXX";

/* Tells the time until the file "go" is there. */
static void __attribute__((noreturn)) program(void)
{
	struct timespec t, last = { 0, 0 };
	int null = open("/dev/null", O_RDWR);

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close_range(3, ~0u, 0);
	while (access("go", F_OK)) {
		for (int i = 0; i < 1000; i++) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			if (t.tv_sec < last.tv_sec)
				_exit(1);
			last = t;
		}
		if (sched_getcpu() < 0 || labs(time(NULL) - 0) < 1000000)
			_exit(2);
		usleep(1000);
	}
	_exit(5);
}

/* On the alternate stack or not; a file tells that it has happened. */
static void interrupt(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uint64_t vdso = getauxval(AT_SYSINFO_EHDR);

	if ((uint64_t)uc->uc_mcontext.gregs[REG_RIP] - vdso >= 0x4000)
		return;
	close(open("inside", O_CREAT | O_WRONLY, 0600));
	while (access("go", F_OK))
		usleep(1000);
	_exit(5);
}

/* Its signal handler has interrupted the vdso, sooner or later. */
static void __attribute__((noreturn)) handler_program(int flags)
{
	static char other[65536];
	const stack_t stack = { .ss_sp = other, .ss_size = sizeof(other) };
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction sa = { .sa_sigaction = interrupt,
				.sa_flags = SA_SIGINFO | flags };
	int null = open("/dev/null", O_RDWR);
	struct timespec t;

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close_range(3, ~0u, 0);
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (;;)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void must(int ret, struct cr_error *err)
{
	if (ret < 0)
		fail_msg("%s", err->text);
}

static void save(pid_t pid, const char *path)
{
	struct cr_capture_options opt = { .scope = CR_SCOPE_TREE,
					  .target = pid };
	struct cr_writer_options wo = { .codec = CR_CODEC_NONE };
	struct cr_error err = { 0 };
	struct cr_capture *c;
	struct cr_writer *w;

	must(cr_capture_create(&c, &opt, &err), &err);
	must(cr_capture_request(c, &err), &err);
	must(cr_capture_snapshot(c, &err), &err);
	must(cr_writer_create(&w, path, &wo, &err), &err);
	must(cr_capture_store(c, w, &err), &err);
	must(cr_capture_resume(c, &err), &err);
	cr_writer_destroy(w);
	cr_capture_destroy(c);
}

/* Traps in every function; the first bytes are replaced by the restart. */
static unsigned int spoil(uint8_t *elf, size_t len)
{
	Elf64_Ehdr *eh = (Elf64_Ehdr *)elf;
	Elf64_Shdr *sh = (Elf64_Shdr *)(elf + eh->e_shoff);
	unsigned int n = 0;

	for (int i = 0; i < eh->e_shnum; i++) {
		Elf64_Sym *sym = (Elf64_Sym *)(elf + sh[i].sh_offset);

		if (sh[i].sh_type != SHT_DYNSYM)
			continue;
		for (size_t k = 0; k < sh[i].sh_size / sizeof(*sym); k++) {
			if (ELF64_ST_TYPE(sym[k].st_info) != STT_FUNC ||
			    sym[k].st_value + sym[k].st_size > len)
				continue;
			memset(elf + sym[k].st_value, 0xcc, sym[k].st_size);
			n++;
		}
	}
	return n;
}

static void copy_spoilt(const char *from, const char *to)
{
	struct cr_writer_options wo = { .codec = CR_CODEC_NONE };
	struct cr_error err = { 0 };
	struct cr_run *runs;
	struct cr_reader *r;
	struct cr_writer *w;
	struct cr_image *img;
	size_t n_runs;
	unsigned int spoilt = 0;

	must(cr_reader_open(&r, from, &err), &err);
	img = cr_reader_image(r);
	runs = img->runs;
	n_runs = img->n_runs;
	img->runs = NULL;
	img->n_runs = 0;
	must(cr_writer_create(&w, to, &wo, &err), &err);
	for (size_t i = 0; i < n_runs; i++) {
		uint8_t *buf = malloc(runs[i].len);

		must(cr_reader_pages(r, &runs[i], 0, buf, runs[i].len, &err),
		     &err);
		for (size_t m = 0; m < img->n_mms; m++)
			for (size_t k = 0; k < img->mms[m].n_areas; k++) {
				struct cr_area *a = &img->mms[m].areas[k];

				if (a->kind == CR_AREA_VDSO &&
				    runs[i].space == m &&
				    a->start >= runs[i].addr &&
				    a->end <= runs[i].addr + runs[i].len)
					spoilt += spoil(buf + a->start -
								runs[i].addr,
							a->end - a->start);
			}
		must(cr_writer_pages(w, img, runs[i].space, runs[i].addr, buf,
				     runs[i].len, true, &err),
		     &err);
		free(buf);
	}
	assert_true(spoilt > 3);
	must(cr_writer_commit(w, img, &err), &err);
	cr_writer_destroy(w);
	free(runs);
	cr_reader_destroy(r);
}

static void restart(const char *path, struct cr_restore_status *st)
{
	struct cr_restore_options opt = { .stdio = { 0, 1, 2 } };
	struct cr_error err = { 0 };
	struct cr_reader *r;

	must(cr_reader_open(&r, path, &err), &err);
	must(cr_restore_run(r, &opt, st, &err), &err);
	cr_reader_destroy(r);
}

static void another_vdso(void **state)
{
	struct cr_restore_status st;
	struct cr_error err = { 0 };
	pid_t pid = fork();

	if (!pid)
		program();
	/* /dev/null on 0 shows that it is under way */
	for (int i = 0; i < 5000; i++) {
		char path[64], link[64] = "";

		snprintf(path, sizeof(path), "/proc/%d/fd/3", pid);
		if (readlink(path, link, sizeof(link) - 1) < 0 &&
		    getsid(pid) == pid)
			break;
		usleep(1000);
	}
	save(pid, "image");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	copy_spoilt("image", "foreign");

	restart("foreign", &st);
	assert_int_equal(access("/proc/self", F_OK), 0);
	/* what was restored so can be saved and restored again */
	save(st.root, "second");
	kill(st.root, SIGKILL);
	must(cr_restore_wait(&st, &err), &err);
	assert_true(WIFSIGNALED(st.wait_status));
	cr_restore_end(&st);

	restart("second", &st);
	close(open("go", O_CREAT | O_WRONLY, 0600));
	must(cr_restore_wait(&st, &err), &err);
	assert_true(WIFEXITED(st.wait_status));
	assert_int_equal(WEXITSTATUS(st.wait_status), 5);
	cr_restore_end(&st);
}

/* Under the same kernel it goes on, under another one that is refused. */
static void interrupted(int flags)
{
	struct cr_restore_options opt = { .stdio = { 0, 1, 2 } };
	struct cr_restore_status st;
	struct cr_error err = { 0 };
	struct cr_reader *r;
	pid_t pid;

	unlink("go");
	unlink("inside");
	pid = fork();
	if (!pid)
		handler_program(flags);
	for (int i = 0; access("inside", F_OK) && i < 10000; i++)
		usleep(1000);
	assert_int_equal(access("inside", F_OK), 0);
	save(pid, "image");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	copy_spoilt("image", "foreign");
	must(cr_reader_open(&r, "foreign", &err), &err);
	assert_int_equal(cr_restore_run(r, &opt, &st, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "in a signal handler that returns "
					 "into the vdso of another kernel"));
	cr_reader_destroy(r);

	restart("image", &st);
	close(open("go", O_CREAT | O_WRONLY, 0600));
	must(cr_restore_wait(&st, &err), &err);
	assert_true(WIFEXITED(st.wait_status));
	assert_int_equal(WEXITSTATUS(st.wait_status), 5);
	cr_restore_end(&st);
}

static void handler(void **state)
{
	interrupted(0);
}

static void handler_on_other_stack(void **state)
{
	interrupted(SA_ONSTACK);
}

static int set_up(void **state)
{
	return mkdtemp(dir) && !chdir(dir) ? 0 : -1;
}

static int clean_up(void **state)
{
	static const char *const names[] = { "image", "foreign", "second",
					     "go", "inside" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(names[i]);
	return chdir("/") || rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_vdso),
		cmocka_unit_test(handler),
		cmocka_unit_test(handler_on_other_stack),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}

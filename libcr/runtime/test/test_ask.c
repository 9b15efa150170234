/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ask.c - requests from inside, served by a script in place of the command
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"

static char dir[] = "/tmp/test_ask.XXXXXX";
static char script[sizeof(dir) + 32];
static char alias[sizeof(dir) + 32]; /* the same as "cr_restart" */

/* What "cr_checkpoint" does. */
static void command_is(const char *text)
{
	FILE *f = fopen(script, "we");

	CHECK(f && fprintf(f, "#!/bin/sh\n%s\n", text) > 0 && !fclose(f));
	CHECK(!chmod(script, 0755));
}

static void child_handler(int signo)
{
	note('C');
}

static void start(void)
{
	signal(SIGCHLD, child_handler);
	CHECK(!setenv("CR_BINDIR", dir, 1));
	CHECK(!setenv("LD_PRELOAD", "", 1));
	CHECK(cr_init() >= 0);
}

/* Nothing of a request is left with the program. */
static void no_trace(void)
{
	int fd;

	CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
	CHECK(shared->log[0] == '\0');
	for (fd = 900; fd < 910; fd++)
		CHECK(fcntl(fd, F_GETFD) == -1);
}

static struct cr_control *own_control(void)
{
	struct cr_control *copy = malloc(sizeof(*copy));
	uint64_t addr;

	CHECK(copy && !cr_control_read(getpid(), &addr, copy, NULL));
	free(copy);
	return (struct cr_control *)(uintptr_t)addr;
}

static void options_program(void)
{
	cr_checkpoint_args_t args;
	cr_checkpoint_handle_t h;
	char log[512], want[512];
	int fd = memfd_create("dest", 0);

	start();
	command_is("echo \"$0 $*\"; echo ${LD_PRELOAD-unset} >&2; "
		   "echo dest >&3;"
		   "ls /proc/$$/fd;"
		   "echo 0 >&$CR_RESULT_FD");
	CHECK(!cr_initialize_checkpoint_args_t(&args));
	args.cr_scope = CR_SCOPE_PROC;
	args.cr_fd = fd;
	args.cr_signal = SIGTERM;
	args.cr_timeout = 60;
	args.cr_flags = CR_CHKPT_DUMP_ALL | CR_CHKPT_PTRACED_SKIP |
			CR_CHKPT_PTRACER_SKIP;
	CHECK(!cr_request_checkpoint(&args, &h));
	CHECK(own_control()->omit_fd[0] == 1ull << fd);
	CHECK(cr_wait_checkpoint(&h, NULL) == 1);
	/*
	 * Behind it: standard ones, destination, result, and the shell's
	 * script (a pipe or a redirection in it would show).
	 */
	snprintf(want, sizeof(want),
		 "%s --pid --ptraced-skip --ptracer-skip --save-exe "
		 "--save-private --save-shared -S 15 -t 60 -F 3 -- %d\n"
		 "unset\n0\n1\n10\n2\n3\n4\n",
		 script, getpid());
	CHECK(cr_log_checkpoint(&h, sizeof(log), log) > 0);
	if (strcmp(log, want))
		fprintf(stderr, "log: %s\n", log);
	CHECK(!strcmp(log, want));
	CHECK(!cr_reap_checkpoint(&h) && !h);
	CHECK(!own_control()->omit_fd[0]);
	CHECK(lseek(fd, 0, SEEK_END) == 5);
	no_trace();
}

static void test_options(void **state)
{
	program_end(program_start(options_program));
}

static int refused(cr_checkpoint_args_t args)
{
	cr_checkpoint_handle_t h;

	CHECK(cr_request_checkpoint(&args, &h) == -1);
	return errno;
}

static void refused_program(void)
{
	cr_checkpoint_args_t args, a;
	cr_checkpoint_handle_t h;

	start();
	CHECK(!cr_initialize_checkpoint_args_t(&args));
	CHECK(refused(args) == ENOENT); /* no command */
	a = args, a.cr_version++;
	CHECK(refused(a) == CR_EVERSION);
	a = args, a.cr_flags = CR_CHKPT_PROHIBIT_SELF;
	CHECK(refused(a) == EDEADLK);
	a.cr_target = getppid();
	CHECK(refused(a) == EDEADLK); /* its tree */
	a = args, a.cr_target = 0x3ffffff;
	CHECK(refused(a) == ESRCH);
	a = args, a.cr_fd = 77;
	CHECK(refused(a) == EBADF);
	a.cr_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(refused(a) == EBADF);
	close(a.cr_fd);
	a = args, a.cr_flags = 0x40000;
	CHECK(refused(a) == EINVAL);
	a = args, a.cr_flags = CR_CHKPT_PTRACED_ALLOW | CR_CHKPT_PTRACED_SKIP;
	CHECK(refused(a) == EINVAL);
	a = args, a.cr_fd = 77, a.cr_flags = CR_CHKPT_ASYNC_ERR;
	CHECK(!cr_request_checkpoint(&a, &h));
	CHECK(cr_poll_checkpoint(&h, NULL) == CR_POLL_CHKPT_ERR_POST);
	CHECK(errno == EBADF);
	h = NULL;
	CHECK(cr_poll_checkpoint(&h, NULL) == CR_POLL_CHKPT_ERR_PRE);
	CHECK(errno == EINVAL);
	no_trace();
}

static void test_refused(void **state)
{
	program_end(program_start(refused_program));
}

static void results_program(void)
{
	struct timeval soon = { 0, 50000 };
	cr_checkpoint_args_t args;
	cr_checkpoint_handle_t h;
	char *msg;

	start();
	CHECK(!cr_initialize_checkpoint_args_t(&args));
	command_is("echo why; echo 2354 >&$CR_RESULT_FD"); /* CR_ETEMPFAIL */
	CHECK(!cr_request_checkpoint(&args, &h));
	CHECK(cr_poll_checkpoint_msg(&h, NULL, &msg) == CR_POLL_CHKPT_ERR_POST);
	CHECK(errno == CR_ETEMPFAIL && !strcmp(msg, "why\n") && !h);
	free(msg);
	command_is("kill -9 $$");
	CHECK(!cr_request_checkpoint(&args, &h));
	CHECK(cr_poll_checkpoint(&h, NULL) == CR_POLL_CHKPT_ERR_POST);
	CHECK(errno == EIO);
	/* slow, and it closes its output before */
	command_is("exec >&- 2>&-; while [ ! -e $0.go ]; do sleep 0.01; done;"
		   "rm $0.go; echo 0 >&$CR_RESULT_FD");
	CHECK(!cr_request_checkpoint(&args, &h));
	CHECK(cr_reap_checkpoint(&h) == -1 && errno == EAGAIN);
	CHECK(cr_poll_checkpoint_msg(&h, &soon, &msg) == 0);
	strcat(script, ".go");
	CHECK(close(open(script, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
	script[strlen(script) - 3] = '\0';
	CHECK(cr_poll_checkpoint_msg(&h, NULL, &msg) == 1 && !msg);
	no_trace();
}

static void test_results(void **state)
{
	program_end(program_start(results_program));
}

/* What restore does, as far as a request can see it. */
static void restart_self(void)
{
	int fd;

	for (fd = 900; fd < 910; fd++)
		close(fd);
	own_control()->restarts++;
}

static void restarted_program(void)
{
	cr_checkpoint_args_t args;
	cr_checkpoint_handle_t h;
	int status;
	pid_t pid;

	start();
	CHECK(!cr_initialize_checkpoint_args_t(&args));
	command_is("sleep 1");
	CHECK(!cr_request_checkpoint(&args, &h));
	CHECK((own_control()->omit_fd[900 / 64] >> (900 % 64) & 3) == 3);
	pid = fork(); /* has no part in it, and no pipes */
	if (!pid) {
		CHECK(!own_control()->omit_fd[900 / 64]);
		CHECK(fcntl(900, F_GETFD) == -1);
		CHECK(cr_reap_checkpoint(&h) == -1 && errno == ECHILD);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	shared->log[0] = '\0'; /* of SIGCHLD */
	restart_self();
	CHECK(cr_poll_checkpoint(&h, NULL) == CR_POLL_CHKPT_ERR_POST);
	CHECK(errno == CR_ERESTARTED);
	no_trace();
}

static void test_restarted(void **state)
{
	program_end(program_start(restarted_program));
}

static cr_checkpoint_args_t asked;
static volatile sig_atomic_t handled;

/* At any instruction of the program, malloc(3) included. */
static void ask_in_handler(int signo)
{
	struct timeval long_enough = { 20, 0 };
	cr_checkpoint_handle_t h;
	char text[8];

	if (cr_request_checkpoint(&asked, &h) ||
	    cr_wait_checkpoint(&h, &long_enough) != 1 ||
	    cr_log_checkpoint(&h, sizeof(text), text) != 5 ||
	    strcmp(text, "said") || cr_reap_checkpoint(&h))
		_exit(4);
	handled++;
}

static void handler_program(void)
{
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
	struct itimerval never = { 0 };
	size_t i = 0, last = 0;
	void *p[64] = { 0 };

	start();
	signal(SIGCHLD, SIG_DFL);
	command_is("printf said; echo 0 >&$CR_RESULT_FD");
	CHECK(!cr_initialize_checkpoint_args_t(&asked));
	signal(SIGALRM, ask_in_handler);
	CHECK(!setitimer(ITIMER_REAL, &every, NULL));
	while (handled < 60) {
		for (last = handled; handled == (int)last; i++) {
			free(p[i % 64]);
			p[i % 64] = malloc(i * 7919 % 5000);
		}
	}
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN);
	no_trace();
}

static void test_handler(void **state)
{
	program_end(program_start(handler_program));
}

/* Restarts */

static void restart_program(void)
{
	struct cr_rstrt_relocate *moves = calloc(1, sizeof(*moves));
	cr_restart_args_t args;
	cr_restart_handle_t h;
	char log[512], want[512];
	int fd = memfd_create("image", 0), status;
	pid_t child;

	start();
	signal(SIGCHLD, SIG_DFL);
	command_is("printf '%s\\n' \"$0 $*\" >&$CR_LOG_FD; cat <&3 >&$CR_LOG_FD;"
		   "echo ${LD_PRELOAD-unset} >&$CR_LOG_FD;"
		   "echo 0 >&$CR_RESULT_FD; exec 3>&- 4>&- 5>&-;"
		   "i=0; while [ ! -e $0.go ] && [ $i -lt 2000 ]; do "
		   "i=$((i + 1)); sleep 0.01; done; rm $0.go; exit 9");
	CHECK(write(fd, "bytes\n", 6) == 6 && !lseek(fd, 0, SEEK_SET));
	CHECK(!cr_initialize_restart_args_t(&args));
	CHECK(args.cr_flags == CR_RSTRT_RESTORE_PID && !args.cr_relocate);
	args.cr_fd = fd;
	args.cr_signal = SIGCONT;
	args.cr_flags = CR_RSTRT_RESTORE_PGID | CR_RSTRT_RESTORE_SID;
	args.cr_relocate = moves;
	moves->count = 2;
	moves->path[0].oldpath = "/a=b\\c";
	moves->path[0].newpath = "/d=e";
	moves->path[1].oldpath = "/x y";
	moves->path[1].newpath = "/";
	CHECK(!cr_request_restart(&args, &h));
	child = cr_restart_child(&h);
	CHECK(child > 0);
	CHECK(cr_wait_restart(&h, NULL) == 1);
	snprintf(want, sizeof(want),
		 "%s --no-restore-pid --restore-pgid --restore-sid -S 18 "
		 "--relocate /a\\=b\\\\c=/d=e --relocate /x y=/ -F 3\n"
		 "bytes\nunset\n",
		 alias);
	CHECK(cr_log_restart(&h, sizeof(log), log) == (int)strlen(want) + 1);
	if (strcmp(log, want))
		fprintf(stderr, "log: %s\n", log);
	CHECK(!strcmp(log, want));
	CHECK(!cr_reap_restart(&h) && !h);
	/* a child like any other, that stands for the restarted */
	CHECK(!waitpid(-1, NULL, WNOHANG));
	snprintf(want, sizeof(want), "%s.go", alias);
	CHECK(close(open(want, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
	CHECK(waitpid(-1, &status, 0) == child && status == 9 << 8);
	free(moves);
	no_trace();
}

static void test_restart(void **state)
{
	program_end(program_start(restart_program));
}

static int restart_refused(cr_restart_args_t args)
{
	cr_restart_handle_t h;

	CHECK(cr_request_restart(&args, &h) == -1);
	return errno;
}

static void restart_refused_program(void)
{
	struct cr_rstrt_relocate moves = { .count = 1 };
	cr_restart_args_t args, a;
	cr_restart_handle_t h;
	char *msg;

	start();
	signal(SIGCHLD, SIG_DFL);
	CHECK(cr_initialize_restart_args_t(NULL) == -1 && errno == EINVAL);
	CHECK(!cr_initialize_restart_args_t(&args));
	CHECK(cr_request_restart(NULL, &h) == -1 && errno == EINVAL);
	CHECK(restart_refused(args) == EBADF);
	args.cr_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(restart_refused(args) == ENOENT); /* no command, no child */
	a = args, a.cr_version++;
	CHECK(restart_refused(a) == CR_EVERSION);
	a = args, a.cr_flags |= 0x4000;
	CHECK(restart_refused(a) == EINVAL);
	a = args, a.cr_signal = 65;
	CHECK(restart_refused(a) == EINVAL);
	a = args, a.cr_relocate = &moves;
	CHECK(restart_refused(a) == EINVAL);
	moves.path[0].oldpath = "/a";
	moves.path[0].newpath = "b";
	CHECK(restart_refused(a) == EINVAL);
	moves.path[0].newpath = "/b";
	moves.count = CR_MAX_RSTRT_RELOC + 1;
	CHECK(restart_refused(a) == EINVAL);
	a = args, a.cr_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CHECK(restart_refused(a) == EBADF);
	a.cr_flags |= CR_RSTRT_ASYNC_ERR;
	CHECK(!cr_request_restart(&a, &h));
	CHECK(cr_poll_restart(&h, NULL) == CR_POLL_RSTRT_ERR_POST);
	CHECK(errno == EBADF);
	CHECK(cr_poll_restart(&h, NULL) == CR_POLL_RSTRT_ERR_PRE);
	CHECK(errno == EINVAL);
	command_is("echo why >&5; echo 2359 >&$CR_RESULT_FD; exit 125");
	CHECK(!cr_request_restart(&args, &h));
	CHECK(cr_poll_restart_msg(&h, NULL, &msg) == CR_POLL_RSTRT_ERR_POST);
	CHECK(errno == CR_EBADARCH && !strcmp(msg, "why\n"));
	free(msg);
	CHECK(wait(NULL) > 0);
	command_is("kill -9 $$");
	CHECK(!cr_request_restart(&args, &h));
	CHECK(cr_poll_restart(&h, NULL) == CR_POLL_RSTRT_ERR_POST);
	CHECK(errno == CR_ERSTRTABRT);
	CHECK(wait(NULL) > 0);
	command_is("echo 0 >&$CR_RESULT_FD");
	CHECK(!cr_request_restart(&args, &h));
	CHECK(cr_poll_restart_msg(&h, NULL, &msg) == wait(NULL) && !msg);
	no_trace();
}

static void test_restart_refused(void **state)
{
	program_end(program_start(restart_refused_program));
}

static void deprecated_program(void)
{
	int fd = memfd_create("dest", 0);
	cr_client_id_t id;

	start();
	id = cr_init();
	/* not for a shell of the test before that begins late */
	command_is("[ \"$1\" = --tree ] || echo $* >> ${0%/*}/out;"
		   "[ -z \"$CR_RESULT_FD\" ] || echo 0 >&$CR_RESULT_FD");
	CHECK(cr_request() == 0);
	CHECK(cr_request_file("/a/file") == 0);
	CHECK(cr_request_fd(fd) == 0);
	CHECK(cr_request_fd(77) == -1 && errno == EBADF);
	CHECK(!cr_enter_cs(id));
	CHECK(cr_request_file("/a/later") == 0); /* does not wait */
	CHECK(!cr_leave_cs(id));
	no_trace();
	stage(1);
	wait_go(1);
}

static void test_deprecated(void **state)
{
	pid_t pid = program_start(deprecated_program);
	char command[256];
	int i;

	wait_stage(1);
	snprintf(command, sizeof(command),
		 "printf '%%s\\n' '--pid -c -- %d' '--pid -f /a/file -- %d' "
		 "'--pid -F 3 -- %d' '--pid -f /a/later -- %d' |"
		 "diff - %s/out >%s/differ",
		 pid, pid, pid, pid, dir, dir);
	for (i = 0; i < LIMIT_MS / 50 && system(command); i++)
		sleep_ms(50);
	if (system(command)) {
		snprintf(command, sizeof(command), "cat %s/differ >&2", dir);
		assert_int_equal(system(command), -1);
	}
	atomic_store(&shared->go, 1);
	program_end(pid);
}

static int group_setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(script, sizeof(script), "%s/cr_checkpoint", dir);
	snprintf(alias, sizeof(alias), "%s/cr_restart", dir);
	return symlink("cr_checkpoint", alias);
}

static int group_teardown(void **state)
{
	char path[sizeof(dir) + 16];

	snprintf(path, sizeof(path), "%s/out", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/differ", dir);
	unlink(path);
	unlink(script);
	unlink(alias);
	return rmdir(dir);
}

static int setup(void **state)
{
	unlink(script);
	return program_setup(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, program_teardown)
	const struct CMUnitTest tests[] = {
		T(test_options),   T(test_refused),    T(test_results),
		T(test_restarted), T(test_deprecated), T(test_handler),
		T(test_restart),   T(test_restart_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-refusals.c - what a capture refuses, and with which words */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/internal.h"
#include "capture/test/lib.h"

static void idle(void)
{
	sh->ready = 1;
	while (!sh->stop)
		usleep(1000);
}

static void has_socket(void)
{
	sh->fd[0] = socket(AF_NETLINK, SOCK_RAW, 0);
	idle();
}

static void has_no_directory(void)
{
	char dir[] = "/tmp/test-capture-XXXXXX";

	EXPECT(mkdtemp(dir) && chdir(dir) == 0 && rmdir(dir) == 0);
	idle();
}

static void has_device(void)
{
	sh->fd[0] = open("/dev/kmsg", O_RDONLY);
	EXPECT(sh->fd[0] >= 0);
	idle();
}

/* What cannot be saved is refused by name before anything is stopped. */
static void test_refusals(void **state)
{
	static const struct {
		void (*program)(void);
		const char *text;
	} cases[] = {
		{ has_socket, "is a socket" },
		{ has_no_directory, "was removed" },
		{ has_device, "is a device" },
	};
	struct cr_capture_options opt = { .scope = CR_SCOPE_TREE };
	struct cr_error err;
	char process[32];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].program == has_device && access("/dev/kmsg", R_OK))
			continue;
		opt.target = lib_spawn(cases[i].program);
		cr_error_clear(&err);
		assert_null(lib_try(&opt, &err));
		snprintf(process, sizeof(process), "process %d", opt.target);
		if (!strstr(err.text, cases[i].text) ||
		    !strstr(err.text, process))
			fail_msg("\"%s\" instead of \"%s\"", err.text,
				 cases[i].text);
		lib_kill(opt.target);
	}
}

static void test_no_such_process(void **state)
{
	const struct cr_capture_options opt = { .scope = CR_SCOPE_TREE,
						.target = 0x3ffffffe };
	struct cr_error err = { 0 };

	assert_null(lib_try(&opt, &err));
	assert_int_equal(err.code, -ESRCH);
	assert_non_null(strstr(err.text, "no such process"));
}

/* Nor is who asks. */
static void test_itself(void **state)
{
	const struct cr_capture_options opt = { .scope = CR_SCOPE_TREE,
						.target = getpid() };
	struct cr_capture *c = NULL;
	struct cr_error err = { 0 };

	assert_int_equal(cr_capture_create(&c, &opt, &err), -EDEADLK);
	assert_string_equal(err.text, "a process cannot capture itself");
	assert_null(c);
}

/* As Linux 6.6 and newer show it, on a machine that has it; and others. */
static void test_shadow_stack(void **state)
{
	static const char begin[] = "Name:\tprog\nSeccomp:\t0\n";
	static const struct {
		const char *line;
		int ret;
	} cases[] = {
		{ "x86_Thread_features:\tshstk \n", -ENOTSUP },
		{ "x86_Thread_features:\tshstk wrss \n", -ENOTSUP },
		{ "x86_Thread_features:\twrss shstk\n", -ENOTSUP },
		{ "x86_Thread_features:\t\n", 0 },
		{ "x86_Thread_features:\t", 0 },
		{ "x86_Thread_features:\twrss \n", 0 },
		{ "x86_Thread_features:\tshstk2 \n", 0 },
		{ "x86_Thread_features_locked:\tshstk wrss \n", 0 },
		{ "x86_Thread_features:\t\n"
		  "x86_Thread_features_locked:\tshstk \n", 0 },
		{ "", 0 },
	};
	struct cr_error err;
	char status[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(status, sizeof(status), "%s%s", begin, cases[i].line);
		cr_error_clear(&err);
		assert_int_equal(cap_refuse_shadow_stack(17, 18, status, &err),
				 cases[i].ret);
		if (cases[i].ret)
			assert_non_null(strstr(
				err.text, "process 17: thread 18 has a shadow "
					  "stack (CET), which cannot be saved; "
					  "run the program with "));
	}
}

/* Linux 6.13 and 6.14 show a guard as if it were swapped; newer ones tell. */
static void test_hidden_guard(void **state)
{
	const uint64_t swapped = 1ULL << 62, guard = 1ULL << 58;
	struct cr_error err = { 0 };

	assert_true(cap_hidden_guard(-EIO, true, swapped));
	assert_true(cap_hidden_guard(-EFAULT, true, swapped));
	assert_true(cap_hidden_guard(-EFAULT, true, 0));
	assert_false(cap_hidden_guard(-EIO, true, swapped | guard));
	assert_false(cap_hidden_guard(-EIO, false, 0));
	assert_false(cap_hidden_guard(-ENOMEM, true, swapped));
	assert_int_equal(cap_unreadable(0x1000, -ENOMEM, &err), -ENOMEM);
	assert_string_equal(err.text, "its memory at 0x1000 cannot be read: "
				      "Cannot allocate memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_such_process),
		cmocka_unit_test(test_itself),
		cmocka_unit_test(test_shadow_stack),
		cmocka_unit_test(test_hidden_guard),
	};

	return cmocka_run_group_tests(tests, lib_setup, NULL);
}

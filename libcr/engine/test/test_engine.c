/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_engine.c - the choice of an engine; the module's side is in a VM */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"

static void test_parse(void **state)
{
	enum cr_engine_choice c = CR_ENGINE_AUTO;

	assert_int_equal(cr_engine_parse("user", &c), 0);
	assert_int_equal(c, CR_ENGINE_USER);
	assert_int_equal(cr_engine_parse("module", &c), 0);
	assert_int_equal(c, CR_ENGINE_MODULE);
	assert_int_equal(cr_engine_parse("auto", &c), 0);
	assert_int_equal(c, CR_ENGINE_AUTO);
	assert_int_equal(cr_engine_parse("", &c), -EINVAL);
	assert_int_equal(cr_engine_parse("modules", &c), -EINVAL);
	assert_int_equal(c, CR_ENGINE_AUTO);
}

/* It refuses nothing and gives nothing. */
static void test_user(void **state)
{
	struct cr_error err = { 0 };
	struct cr_engine e;

	assert_int_equal(cr_engine_open(&e, CR_ENGINE_USER, &err), 0);
	assert_int_equal(e.fd, -1);
	assert_int_equal(cr_engine_may_grant(&e), -ENODEV);
	assert_int_equal(cr_engine_grant(&e, &err), 0);
	assert_int_equal(cr_engine_grant_to(&e, NULL, &err), 0);
	assert_int_equal(cr_engine_revoke_from(&e, NULL, &err), 0);
	cr_engine_done(&e, CR_ENGINE_USER, CR_ENGINE_RESTART, 1, 0);
	cr_engine_close(&e);
	assert_int_equal(err.code, 0);
}

static void test_absent(void **state)
{
	struct cr_error err = { 0 };
	struct cr_engine e;

	if (!access("/dev/cr", F_OK))
		skip();
	assert_int_equal(cr_engine_open(&e, CR_ENGINE_AUTO, &err), 0);
	assert_int_equal(e.fd, -1);
	assert_int_equal(err.code, 0);
	assert_int_equal(cr_engine_open(&e, CR_ENGINE_MODULE, &err), -ENOENT);
	assert_int_equal(e.fd, -1);
	assert_non_null(strstr(err.text, "/dev/cr"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timespec.c - tests of Slurm's ways of writing a length of time */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugins/slurm/timespec.h"

static void forms(void **state)
{
	(void)state;
	assert_int_equal(cr_timespec_parse("0"), 0);
	assert_int_equal(cr_timespec_parse("30"), 1800);
	assert_int_equal(cr_timespec_parse("0:30"), 30);
	assert_int_equal(cr_timespec_parse("2:05"), 125);
	assert_int_equal(cr_timespec_parse("1:02:03"), 3723);
	assert_int_equal(cr_timespec_parse("1-2"), 86400 + 7200);
	assert_int_equal(cr_timespec_parse("1-2:3"), 86400 + 7200 + 180);
	assert_int_equal(cr_timespec_parse("1-2:3:4"), 86400 + 7200 + 184);
	assert_int_equal(cr_timespec_parse("0-0:0:1"), 1);
	assert_int_equal(cr_timespec_parse("00010"), 600);
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		"",	"x",	"5x",	"-5",	 "5-",	  "1:",	 ":1", "1:2:3:4",
		"1-2-3", "1.5", " 5",	"5 ",	 "+5",	  "1-:2", "1--2",
		"1-2:3:4:5", "0x10", "(null)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(cr_timespec_parse(bad[i]), -EINVAL);
}

static void too_long(void **state)
{
	static const char *const bad[] = {
		"99999999999", "35791395", "9999999999999999999999999999",
		"24856-0",     "99999999999-1", "1-99999999999",
		"0:0:99999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(cr_timespec_parse(bad[i]), -ERANGE);
	assert_int_equal(cr_timespec_parse("35791394"), 35791394L * 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_table.c - what is decided from the members' counts of collectives */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mpi/table.h"

static struct cr_mpi_lines lines;

static void make(const struct cr_mpi_standing *s, int n)
{
	cr_mpi_lines_free(&lines);
	assert_int_equal(cr_mpi_lines_make(&lines, s, n), 0);
}

static uint64_t target(uint64_t id)
{
	const struct cr_mpi_line *l = cr_mpi_lines_find(&lines, id);

	assert_non_null(l);
	return l->target;
}

static void all_outside(void **state)
{
	const struct cr_mpi_standing s[] = {
		{ 7, 5, 5, 2, 0, 0 }, { 7, 5, 5, 2, 0, 0 },
	};

	make(s, 2);
	assert_true(lines.at_rest);
	assert_false(lines.behind);
	assert_int_equal(target(7), 5);
}

/* Those inside a collective that nobody has left will be rolled back. */
static void some_inside(void **state)
{
	const struct cr_mpi_standing s[] = {
		{ 7, 6, 5, 3, 0, 0 }, { 7, 5, 5, 3, 0, 0 },
		{ 7, 6, 5, 3, 0, 0 },
	};

	make(s, 3);
	assert_true(lines.at_rest);
	assert_int_equal(target(7), 5);
}

/* All inside: it ends by itself, so it must be waited for. */
static void all_inside(void **state)
{
	const struct cr_mpi_standing s[] = {
		{ 7, 6, 5, 2, 0, 0 }, { 7, 6, 5, 2, 0, 0 },
	};

	make(s, 2);
	assert_false(lines.at_rest);
	assert_false(lines.behind);
	assert_int_equal(target(7), 6);
}

static void one_has_left(void **state)
{
	const struct cr_mpi_standing s[] = {
		{ 9, 1, 1, 1, 0, 0 }, { 7, 6, 6, 3, 0, 0 },
		{ 7, 5, 5, 3, 1, 0 }, { 7, 6, 5, 3, 0, 0 },
	};

	make(s, 4);
	assert_false(lines.at_rest);
	assert_true(lines.behind);
	assert_int_equal(target(7), 6);
	assert_int_equal(target(9), 1);
	assert_null(cr_mpi_lines_find(&lines, 8));
	cr_mpi_lines_raise(&lines);
	assert_int_equal(target(7), 7);
	assert_int_equal(target(9), 1);
}

/* A member that has not made it yet counts as one at the beginning. */
static void not_made_everywhere(void **state)
{
	const struct cr_mpi_standing s[] = { { 7, 1, 1, 2, 0, 0 } };

	make(s, 1);
	assert_true(lines.behind);
	assert_false(lines.at_rest);
}

static void motion(void **state)
{
	struct cr_mpi_standing s[] = {
		{ 7, 6, 5, 2, 0, 0 }, { 7, 5, 5, 2, 0, 0 },
	};
	uint64_t before;

	make(s, 2);
	before = lines.motion;
	make(s, 2);
	assert_int_equal(lines.motion, before);
	s[1].entered++;
	make(s, 2);
	assert_int_not_equal(lines.motion, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_outside),
		cmocka_unit_test(some_inside),
		cmocka_unit_test(all_inside),
		cmocka_unit_test(one_has_left),
		cmocka_unit_test(not_made_everywhere),
		cmocka_unit_test(motion),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	cr_mpi_lines_free(&lines);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worlds.c - tests of what makes a generation whole */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "plugins/slurm/agent/worlds.h"

static struct json_object *rank(const char *world, int n, int size,
				int launcher)
{
	struct json_object *o = json_object_new_object();

	cr_json_put_str(o, "kind", "task");
	cr_json_put_str(o, "world", world);
	cr_json_put_int(o, "rank", n);
	cr_json_put_int(o, "size", size);
	cr_json_put_int(o, "launcher", launcher);
	return o;
}

static void note(struct cr_worlds *w, const char *world, int n, int size,
		 int launcher, enum cr_rank_state state, int status)
{
	struct json_object *o = rank(world, n, size, launcher);

	if (status >= 0)
		cr_json_put_int(o, "status", status);
	assert_int_equal(cr_worlds_note(w, o, state), 0);
	json_object_put(o);
}

/* Reports ranks first..last of the world and checks. */
static int check(struct cr_worlds *w, const char *world, int first, int last,
		 int size)
{
	struct json_object *a = json_object_new_array();
	struct cr_error err = { 0 };
	int rc;

	for (int i = first; i <= last; i++)
		json_object_array_add(a, rank(world, i, size, 0));
	rc = cr_worlds_check(w, a, &err);
	json_object_put(a);
	return rc;
}

static int map(struct cr_worlds *w, int pid, const char *want)
{
	struct json_object *pids = json_object_new_array(), *m = NULL;
	struct cr_error err = { 0 };
	int rc;

	if (pid)
		json_object_array_add(pids, json_object_new_int(pid));
	rc = cr_worlds_map(w, pids, &m, &err);
	if (!rc && want)
		assert_string_equal(
			cr_json_str(json_object_array_get_idx(m, 0), "world",
				    ""),
			want);
	else if (!rc)
		assert_int_equal(json_object_array_length(m), 0);
	json_object_put(m);
	json_object_put(pids);
	return rc;
}

static void whole(void **state)
{
	struct cr_worlds w = { 0 };

	(void)state;
	note(&w, "1.0", 0, 2, 50, CR_RANK_LIVE, -1);
	assert_int_equal(check(&w, "1.0", 0, 0, 2), -EAGAIN); /* 1 to come */
	note(&w, "1.0", 1, 2, 50, CR_RANK_LIVE, -1);
	assert_int_equal(check(&w, "1.0", 0, 0, 2), -EAGAIN); /* 1 is silent */
	assert_int_equal(check(&w, "1.0", 0, 1, 2), 0);
	assert_int_equal(map(&w, 50, "1.0"), 0);
	assert_int_equal(map(&w, 0, NULL), -EAGAIN); /* its srun is not there */
	assert_int_equal(check(&w, "9.9", 0, 0, 1), -EAGAIN);
	cr_worlds_destroy(&w);
}

static void ended(void **state)
{
	struct cr_worlds w = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		note(&w, "1.0", i, 3, 50, CR_RANK_LIVE, -1);
	note(&w, "1.0", 2, 3, 50, CR_RANK_ENDED, -1);
	assert_int_equal(check(&w, "1.0", 0, 1, 3), -EAGAIN); /* how? */
	note(&w, "1.0", 2, 3, 50, CR_RANK_ENDED, 256);
	assert_int_equal(check(&w, "1.0", 0, 1, 3), 0);
	note(&w, "1.0", 2, 3, 50, CR_RANK_ENDED, 9);
	assert_int_equal(check(&w, "1.0", 0, 1, 3), -ECANCELED);
	for (int i = 0; i < 2; i++)
		note(&w, "1.0", i, 3, 50, CR_RANK_ENDED, 0);
	assert_int_equal(check(&w, "1.0", 0, -1, 3), 0);
	/* to run srun anew would repeat the step */
	assert_int_equal(map(&w, 50, NULL), -EAGAIN);
	/* a later srun that happens to have its pid has begun nothing */
	note(&w, "1.1", 0, 1, 50, CR_RANK_HELD, -1);
	assert_int_equal(check(&w, "1.1", 0, -1, 1), 0);
	assert_int_equal(map(&w, 50, NULL), 0);
	cr_worlds_destroy(&w);
}

/* A task that runs and says nothing would begin anew at a restart. */
static void silent_tasks(void **state)
{
	struct cr_worlds w = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++)
		note(&w, "1.0", i, 2, 50, CR_RANK_STARTED, -1);
	assert_int_equal(check(&w, "1.0", 0, -1, 2), -EAGAIN);
	assert_int_equal(map(&w, 50, NULL), -EAGAIN);
	note(&w, "1.0", 0, 2, 50, CR_RANK_LIVE, -1);
	assert_int_equal(check(&w, "1.0", 0, 0, 2), -EAGAIN);
	note(&w, "1.0", 1, 2, 50, CR_RANK_LIVE, -1);
	assert_int_equal(check(&w, "1.0", 0, 1, 2), 0);
	cr_worlds_destroy(&w);
	/* what mpirun starts its ranks with is none itself */
	note(&w, "1.1", 0, 1, 50, CR_RANK_STARTED, -1);
	note(&w, "1.1", 0, 1, 50, CR_RANK_NEVER, -1);
	assert_int_equal(check(&w, "1.1", 0, -1, 1), 0);
	assert_int_equal(map(&w, 50, NULL), 0);
	/* and one that has ended is over */
	note(&w, "1.2", 0, 1, 60, CR_RANK_STARTED, -1);
	note(&w, "1.2", 0, 1, 60, CR_RANK_ENDED, 0);
	assert_int_equal(check(&w, "1.2", 0, -1, 1), 0);
	cr_worlds_destroy(&w);
}

static void two_of_one(void **state)
{
	struct cr_worlds w = { 0 };
	struct json_object *a = json_object_new_array();
	struct cr_error err = { 0 };

	(void)state;
	note(&w, "1.0", 0, 1, 50, CR_RANK_LIVE, -1);
	note(&w, "1.1", 0, 1, 50, CR_RANK_LIVE, -1);
	json_object_array_add(a, rank("1.0", 0, 1, 50));
	json_object_array_add(a, rank("1.1", 0, 1, 50));
	assert_int_equal(cr_worlds_check(&w, a, &err), 0);
	assert_int_equal(map(&w, 50, NULL), -ENOTSUP);
	json_object_array_add(a, rank("1.1", 0, 1, 50));
	assert_int_equal(cr_worlds_check(&w, a, &err), -EEXIST);
	json_object_put(a);
	cr_worlds_destroy(&w);
}

/* The job was restarted while launcher 50 ran world 1.0. */
static void expect(struct cr_worlds *w)
{
	static const char text[] =
		"{\"batch\":{\"launchers\":[{\"pid\":50,\"world\":\"1.0\"}]}}";
	struct json_object *m = cr_json_parse(text, strlen(text));

	memset(w, 0, sizeof(*w));
	cr_worlds_expect(w, m);
	json_object_put(m);
}

static void restarted(void **state)
{
	struct cr_worlds w;

	(void)state;
	expect(&w);
	assert_int_equal(check(&w, "1.0", 0, -1, 2), 0);
	/* it would begin anew what has been saved */
	assert_int_equal(map(&w, 50, NULL), -EAGAIN);
	note(&w, "1.0", 0, 2, 50, CR_RANK_LIVE, -1);
	assert_int_equal(map(&w, 50, NULL), -EAGAIN);
	note(&w, "1.0", 1, 2, 50, CR_RANK_LIVE, -1);
	assert_int_equal(check(&w, "1.0", 0, 1, 2), 0);
	assert_int_equal(map(&w, 50, "1.0"), 0);
	cr_worlds_destroy(&w);
}

/* A checkpoint was asked for while they came back, and held them. */
static void restarted_and_held(void **state)
{
	struct cr_worlds w;

	(void)state;
	expect(&w);
	note(&w, "1.0", 0, 2, 50, CR_RANK_LIVE, -1);
	note(&w, "1.0", 1, 2, 50, CR_RANK_HELD, -1);
	assert_int_equal(map(&w, 50, NULL), -EAGAIN);
	cr_worlds_release(&w);
	assert_int_equal(check(&w, "1.0", 0, 1, 2), 0);
	assert_int_equal(map(&w, 50, "1.0"), 0);
	cr_worlds_destroy(&w);
}

static void all_in_mpi(void **state)
{
	struct cr_worlds w = { 0 };
	struct cr_error err = { 0 };
	struct json_object *a = json_object_new_array();

	(void)state;
	for (int i = 0; i < 2; i++) {
		note(&w, "1.0", i, 2, 50, CR_RANK_LIVE, -1);
		json_object_array_add(a, rank("1.0", i, 2, 50));
	}
	assert_int_equal(cr_worlds_check(&w, a, &err), 0);
	cr_json_put_bool(json_object_array_get_idx(a, 0), "mpi", true);
	assert_int_equal(cr_worlds_check(&w, a, &err), -EAGAIN);
	cr_json_put_bool(json_object_array_get_idx(a, 1), "mpi", true);
	assert_int_equal(cr_worlds_check(&w, a, &err), 0);
	json_object_put(a);
	cr_worlds_destroy(&w);
}

static void impossible(void **state)
{
	static const int bad[][2] = { { -1, 2 }, { 2, 2 }, { 0, 0 },
				      { 0, -1 }, { 0, 1 << 30 } };
	struct cr_worlds w = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct json_object *o = rank("1.0", bad[i][0], bad[i][1], 1);

		assert_int_equal(cr_worlds_note(&w, o, CR_RANK_LIVE), -EINVAL);
		json_object_put(o);
	}
	cr_worlds_destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),      cmocka_unit_test(ended),
		cmocka_unit_test(silent_tasks),
		cmocka_unit_test(two_of_one), cmocka_unit_test(restarted),
		cmocka_unit_test(restarted_and_held),
		cmocka_unit_test(all_in_mpi), cmocka_unit_test(impossible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

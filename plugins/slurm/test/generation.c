/* SPDX-License-Identifier: GPL-2.0-or-later */
/* generation.c - tests of the coordinator with a made-up agent */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "plugins/slurm/agent/coord.h"
#include "plugins/slurm/agent/gens.h"

static struct {
	struct cr_loop *loop;
	struct cr_coord *coord;
	char dir[64];
	enum cr_phase silent; /* the agent does not report this one */
	int phases[CR_PHASE_ABORT + 1];
	int at_finish; /* generations on the disk when FINISH came */
	const char *batch; /* its file, reported by the agent */
} t;

static void stop(void *arg)
{
	(void)arg;
	cr_loop_stop(t.loop);
}

static struct json_object *batch_report(const char *dir, enum cr_phase phase)
{
	struct json_object *o = json_object_new_object();
	char path[PATH_MAX];
	FILE *f;

	cr_json_put_str(o, "kind", "batch");
	if (phase == CR_PHASE_SNAPSHOT) {
		json_object_object_add(o, "launchers", json_object_new_array());
		json_object_object_add(o, "stdio", json_object_new_array());
	}
	if (phase != CR_PHASE_STORE)
		return o;
	snprintf(path, sizeof(path), "%s/batch.context", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("batch\n", f);
	fclose(f);
	cr_json_put_str(o, "file", "batch.context");
	cr_json_put_int(o, "bytes", 6);
	return o;
}

/* The agent: reports the phase at once. */
static void agent(void *arg)
{
	struct json_object *msg = arg, *report = cr_json_message("report");
	struct json_object *ranks = json_object_new_array();
	const char *name = cr_json_str(msg, "phase", "ABORT");
	enum cr_phase phase = cr_phase_parse(name);
	struct cr_gens g;

	t.phases[phase]++;
	if (phase == CR_PHASE_FINISH) {
		assert_int_equal(cr_gens_list(&g, t.dir, false), 0);
		t.at_finish = g.n;
		cr_gens_free(&g);
	}
	cr_json_put_str(report, "phase", name);
	cr_json_put_int(report, "generation", cr_json_int(msg, "generation", 0));
	cr_json_put_int(report, "status", 0);
	if (phase != CR_PHASE_FINISH && phase != CR_PHASE_ABORT)
		json_object_array_add(
			ranks, batch_report(cr_json_str(msg, "dir", "?"), phase));
	json_object_object_add(report, "ranks", ranks);
	if (phase != t.silent)
		cr_coord_from_local(t.coord, report);
	json_object_put(report);
	json_object_put(msg);
	if (!t.coord->active)
		cr_loop_stop(t.loop);
}

static void to_local(struct json_object *msg, void *arg)
{
	struct json_object *copy = NULL;

	(void)arg;
	assert_int_equal(json_object_deep_copy(msg, &copy, NULL), 0);
	cr_loop_after(t.loop, 0, agent, copy);
}

static int set_up(void **state)
{
	struct cr_coord_options o = { .job = 1, .uid = getuid(), .node = "n1",
				      .jobdir = t.dir, .keep = 2,
				      .to_local = to_local };

	(void)state;
	memset(&t, 0, sizeof(t));
	strcpy(t.dir, "/tmp/test_slurm_generation.XXXXXX");
	if (!mkdtemp(t.dir))
		return -1;
	t.loop = o.loop = cr_loop_create();
	t.coord = cr_coord_create(&o);
	return t.loop && t.coord ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	cr_coord_destroy(t.coord);
	cr_loop_destroy(t.loop);
	cr_gens_prune(t.dir, 1);
	for (int i = 1; i < 9; i++) {
		char path[PATH_MAX];

		cr_gens_path(path, sizeof(path), t.dir, i);
		cr_gens_remove(path, NULL);
	}
	return rmdir(t.dir);
}

static void ask(const char *op, int max_wait)
{
	int limit;

	cr_coord_queue(t.coord, NULL, op, "", max_wait);
	limit = cr_loop_after(t.loop, 20000, stop, NULL);
	cr_loop_run(t.loop);
	cr_loop_cancel(t.loop, limit);
	cr_loop_destroy(t.loop);
	t.loop = t.coord->opt.loop = cr_loop_create();
}

/* Who is told that a generation is there may count those that are left. */
static void retention_before_answer(void **state)
{
	(void)state;
	for (int i = 1; i <= 4; i++) {
		ask("create", 30);
		assert_int_equal(t.coord->last_error.code, 0);
		assert_int_equal(cr_gens_newest(t.dir, NULL), i);
		assert_int_equal(t.at_finish, i < 2 ? i : 2);
	}
	assert_int_equal(t.phases[CR_PHASE_FINISH], 4);
}

/* The time is over although nobody says anything any more. */
static void time_limit(void **state)
{
	(void)state;
	t.silent = CR_PHASE_QUIESCE;
	ask("create", 1);
	assert_int_equal(t.phases[CR_PHASE_ABORT], 1);
	assert_int_equal(t.phases[CR_PHASE_SNAPSHOT], 0);
	assert_int_equal(t.coord->last_error.code, -ETIMEDOUT);
	assert_non_null(strstr(t.coord->last_error.text, "QUIESCE"));
	assert_int_equal(cr_gens_newest(t.dir, NULL), 0);
}

/* A request does not wait for ever behind one that hangs. */
static void time_limit_in_queue(void **state)
{
	(void)state;
	t.silent = CR_PHASE_STORE;
	cr_coord_queue(t.coord, NULL, "create", "", 30);
	cr_coord_queue(t.coord, NULL, "vacate", "", 1);
	cr_loop_after(t.loop, 1500, stop, NULL);
	cr_loop_run(t.loop);
	assert_true(t.coord->active);
	assert_non_null(t.coord->queue);
	assert_null(t.coord->queue->next);
	assert_string_equal(t.coord->queue->op, "create");
}

/* "able" looks only: nothing on the disk, and no failure of a checkpoint. */
static void able_begins_nothing(void **state)
{
	struct cr_gens g;

	(void)state;
	ask("able", 30);
	assert_int_equal(t.phases[CR_PHASE_CHECK], 1);
	assert_int_equal(t.phases[CR_PHASE_ABORT], 1);
	t.silent = CR_PHASE_CHECK;
	ask("able", 1);
	assert_int_equal(t.phases[CR_PHASE_ABORT], 2);
	assert_int_equal(t.phases[CR_PHASE_REQUEST], 0);
	assert_int_equal(t.coord->last_error.code, 0);
	assert_int_equal(cr_gens_list(&g, t.dir, false), 0);
	assert_int_equal(g.n, 0);
	cr_gens_free(&g);

	ask("create", 30);
	assert_int_equal(cr_gens_newest(t.dir, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(retention_before_answer, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(time_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_limit_in_queue, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(able_begins_nothing, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

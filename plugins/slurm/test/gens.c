/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gens.c - tests of generations on the disk: what counts, what is kept */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/agent/gens.h"

static char jobdir[] = "/tmp/cr-gens-XXXXXX";

static const char *const good =
	"{\"format\":\"stillpoint generation\",\"version\":1,"
	"\"batch\":{\"file\":\"batch.context\",\"bytes\":6},"
	"\"worlds\":[{\"name\":\"1.0\",\"size\":2,\"ranks\":["
	"{\"rank\":0,\"file\":\"1.0.0.context\",\"bytes\":6},"
	"{\"rank\":1,\"exited\":0}]}]}";

/* gen-N with its files, and a manifest unless it is NULL. */
static char *make(int number, const char *manifest)
{
	static char dir[PATH_MAX];
	char path[PATH_MAX + 32];
	struct json_object *m;

	cr_gens_path(dir, sizeof(dir), jobdir, number);
	assert_int_equal(cr_gens_mkdir(dir, 0700, NULL), 0);
	snprintf(path, sizeof(path), "%s/batch.context", dir);
	assert_int_equal(cr_copy_text(path, "12345", 0600, NULL), 0);
	snprintf(path, sizeof(path), "%s/1.0.0.context", dir);
	assert_int_equal(cr_copy_text(path, "12345", 0600, NULL), 0);
	if (manifest) {
		m = cr_json_parse(manifest, strlen(manifest));
		assert_non_null(m);
		assert_int_equal(cr_gens_commit(dir, m, NULL), 0);
		json_object_put(m);
	}
	return dir;
}

static int usable(const char *manifest)
{
	char *dir = make(9, manifest);
	struct json_object *m = cr_gens_read(dir, NULL);
	int yes = m != NULL;

	json_object_put(m);
	assert_int_equal(cr_gens_remove(dir, NULL), 0);
	return yes;
}

static void committed_only(void **state)
{
	struct cr_gens g;

	(void)state;
	make(1, good);
	make(2, NULL);
	make(10, good);
	assert_int_equal(cr_gens_list(&g, jobdir, true), 0);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.number[0], 1);
	assert_int_equal(g.number[1], 10); /* by number, not by name */
	cr_gens_free(&g);
	assert_int_equal(cr_gens_newest(jobdir, NULL), 10);
}

static void newest_usable(void **state)
{
	char path[PATH_MAX];

	(void)state;
	make(11, good);
	snprintf(path, sizeof(path), "%s/gen-11/1.0.0.context", jobdir);
	assert_int_equal(truncate(path, 3), 0);
	assert_int_equal(cr_gens_newest(jobdir, NULL), 10);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(cr_gens_newest(jobdir, NULL), 10);
}

static void kept(void **state)
{
	struct cr_gens g;

	(void)state;
	make(12, good);
	make(13, NULL); /* in the middle of being written by one that died */
	cr_gens_prune(jobdir, 2);
	assert_int_equal(cr_gens_list(&g, jobdir, false), 0);
	assert_int_equal(g.n, 3); /* 11 is not usable, and does not count */
	assert_int_equal(g.number[0], 10);
	assert_int_equal(g.number[1], 11);
	assert_int_equal(g.number[2], 12);
	cr_gens_free(&g);
}

/* The same length, and one bit is another one: seen, and remembered. */
static void damaged(void **state)
{
	char *dir = make(9, NULL), path[PATH_MAX + 32], text[2048], digest[33];
	struct cr_error err = { 0 };
	struct json_object *m;
	uint64_t bytes;

	(void)state;
	snprintf(path, sizeof(path), "%s/1.0.0.context", dir);
	assert_int_equal(cr_copy_digest(path, &bytes, digest, NULL), 0);
	snprintf(text, sizeof(text),
		 "{\"format\":\"stillpoint generation\",\"version\":1,"
		 "\"batch\":{\"file\":\"batch.context\",\"bytes\":6,"
		 "\"digest\":\"%s\"},\"worlds\":[{\"name\":\"1.0\",\"size\":2,"
		 "\"ranks\":[{\"rank\":0,\"file\":\"1.0.0.context\","
		 "\"bytes\":6,\"digest\":\"%s\"},{\"rank\":1,\"exited\":0}]}]}",
		 digest, digest);
	dir = make(9, text);
	m = cr_gens_read(dir, &err);
	assert_non_null(m);
	assert_int_equal(cr_gens_verify(dir, m, &err), 0);
	assert_int_equal(cr_copy_text(path, "12344", 0600, NULL), 0);
	assert_int_equal(cr_gens_verify(dir, m, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "1.0.0.context is damaged"));
	json_object_put(m);
	assert_int_equal(cr_gens_mark_damaged(dir, err.text, NULL), 0);
	cr_error_clear(&err);
	assert_null(cr_gens_read(dir, &err));
	assert_non_null(strstr(err.text, "1.0.0.context is damaged"));
	assert_int_equal(cr_gens_remove(dir, NULL), 0);
}

static void manifests(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"format\":\"stillpoint generation\",\"version\":2,"
		"\"worlds\":[]}",
		"{\"format\":\"stillpoint generation\",\"version\":1}",
		"{\"format\":\"stillpoint generation\",\"version\":1,"
		"\"worlds\":[{\"name\":\"1.0\",\"size\":2,\"ranks\":[]}]}",
		"{\"format\":\"stillpoint generation\",\"version\":1,"
		"\"batch\":{\"file\":\"../x\",\"bytes\":6},\"worlds\":[]}",
		"{\"format\":\"stillpoint generation\",\"version\":1,"
		"\"batch\":{\"bytes\":6},\"worlds\":[]}",
		"{\"format\":\"stillpoint generation\",\"version\":1,"
		"\"batch\":{\"file\":\"batch.context\",\"bytes\":7},"
		"\"worlds\":[]}",
		"{\"format\":7,\"version\":\"1\",\"worlds\":{}}",
	};

	(void)state;
	assert_true(usable(good));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(usable(bad[i]));
}

/* Whatever stands in the manifest: an answer, never a crash. */
static void fuzz(void **state)
{
	char *dir = make(9, good), path[PATH_MAX + 32], text[512];

	(void)state;
	srandom(2);
	snprintf(path, sizeof(path), "%s/" CR_GENS_MANIFEST, dir);
	for (int i = 0; i < 3000; i++) {
		size_t len = strlen(good);
		FILE *f = fopen(path, "w");

		strcpy(text, good);
		for (int n = random() % 3; n >= 0; n--)
			text[random() % len] = " {}[],:\"0a\\\x01"[random() % 12];
		fwrite(text, random() % (len + 1), 1, f);
		fclose(f);
		json_object_put(cr_gens_read(dir, NULL));
	}
	assert_int_equal(cr_gens_remove(dir, NULL), 0);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(jobdir) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct cr_gens g;
	char dir[PATH_MAX];

	(void)state;
	cr_gens_list(&g, jobdir, false);
	for (size_t i = 0; i < g.n; i++) {
		cr_gens_path(dir, sizeof(dir), jobdir, g.number[i]);
		cr_gens_remove(dir, NULL);
	}
	cr_gens_free(&g);
	return rmdir(jobdir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(committed_only),
		cmocka_unit_test(newest_usable),
		cmocka_unit_test(kept),
		cmocka_unit_test(damaged),
		cmocka_unit_test(manifests),
		cmocka_unit_test(fuzz),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

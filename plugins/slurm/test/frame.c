/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - tests of the bytes of frames and of the JSON in them, with fuzz */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugins/slurm/agent/frame.h"
#include "plugins/slurm/agent/json.h"

#define FUZZ 200000

static size_t make(uint8_t *buf, const char *body, const char *cred)
{
	cr_frame_header(buf, strlen(body), strlen(cred));
	memcpy(buf + CR_FRAME_HEADER, body, strlen(body));
	memcpy(buf + CR_FRAME_HEADER + strlen(body), cred, strlen(cred));
	return CR_FRAME_HEADER + strlen(body) + strlen(cred);
}

/* The example of doc/job-protocol.md. */
static void bytes(void **state)
{
	static const uint8_t want[] = "SPJ1\1\0\0\0\2\0\0\0\3\0\0\0{}abc";
	uint8_t buf[64];

	(void)state;
	assert_int_equal(make(buf, "{}", "abc"), sizeof(want) - 1);
	assert_memory_equal(buf, want, sizeof(want) - 1);
}

static void whole_and_parts(void **state)
{
	uint8_t buf[256];
	size_t len = make(buf, "{\"type\":\"hello\"}", "MUNGE:xyz:");
	struct cr_frame f;

	(void)state;
	for (size_t i = 0; i < len; i++)
		assert_int_equal(cr_frame_parse(&f, buf, i, 4096), 0);
	assert_int_equal(cr_frame_parse(&f, buf, len + 9, 4096), 1);
	assert_int_equal(f.total, len);
	assert_int_equal(f.body_len, 16);
	assert_memory_equal(f.cred, "MUNGE:xyz:", f.cred_len);
}

static void refused(void **state)
{
	uint8_t buf[256];
	size_t len = make(buf, "{}", "abc");
	struct cr_frame f;
	/* offset, value: each alone makes it no frame */
	static const int change[][2] = { { 0, 'X' }, { 3, '2' }, { 4, 2 },
					 { 6, 1 },   { 8, 0 },	 { 11, 1 },
					 { 12, 0 },  { 14, 1 } };

	(void)state;
	assert_int_equal(cr_frame_parse(&f, buf, len, 1), -EPROTO);
	for (size_t i = 0; i < sizeof(change) / sizeof(*change); i++) {
		len = make(buf, "{}", "abc");
		buf[change[i][0]] = change[i][1];
		assert_int_equal(cr_frame_parse(&f, buf, len, 4096), -EPROTO);
	}
	len = make(buf, "{}", "abc");
	buf[len - 2] = '\0'; /* a credential has no NUL */
	assert_int_equal(cr_frame_parse(&f, buf, len, 4096), -EPROTO);
	assert_int_equal(cr_frame_parse(&f, "GET /", 5, 4096), -EPROTO);
}

static void seal(void **state)
{
	struct cr_frame_seal s = { .job = 12,
				   .from = "n2",
				   .to = "n1",
				   .sequence = 1 };
	static const char begin[] = "stillpoint 1\njob 12\nfrom n2\nto n1\n"
				    "connection aaaaaaaa";
	char text[512];

	(void)state;
	memset(s.connection, 'a', 32);
	cr_frame_digest(s.digest, "{}", 2);
	assert_int_equal(strlen(s.digest), 32);
	assert_true(cr_frame_seal_text(&s, text, sizeof(text)) > 0);
	assert_memory_equal(text, begin, sizeof(begin) - 1);
	assert_int_equal(cr_frame_seal_text(&s, text, 20), -ENOSPC);
}

static void random_bytes(void **state)
{
	uint8_t buf[128];
	struct cr_frame f;
	struct json_object *o;

	(void)state;
	srandom(1);
	for (int i = 0; i < FUZZ; i++) {
		size_t len = make(buf, "{\"a\":[1,\"x\",{}]}", "MUNGE:abc:");
		int rc;

		for (int n = random() % 4; n >= 0; n--)
			buf[random() % len] = random();
		len = random() % (len + 1);
		rc = cr_frame_parse(&f, buf, len, 64);
		if (rc != 1)
			continue;
		assert_true(f.total <= len && f.body_len <= 64);
		assert_true(f.cred + f.cred_len == (char *)buf + f.total);
		o = cr_json_parse(f.body, f.body_len);
		if (o) {
			cr_json_str(o, "a", "");
			cr_json_int(o, "a", 0);
			cr_json_array(o, "a");
			json_object_put(o);
		}
	}
}

static void json(void **state)
{
	static const char *const bad[] = { "",	   "1",	   "[]", "{} x",
					   "{}{}", "{\"a\":", "nul", "{a:1}",
					   "{\"a\":\"\xff\"}" };
	struct json_object *o;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_null(cr_json_parse(bad[i], strlen(bad[i])));
	o = cr_json_parse("{\"n\":7,\"s\":\"t\",\"b\":true}", 24);
	assert_non_null(o);
	assert_int_equal(cr_json_int(o, "n", 0), 7);
	assert_int_equal(cr_json_int(o, "s", -3), -3); /* another type */
	assert_string_equal(cr_json_str(o, "s", ""), "t");
	assert_true(cr_json_bool(o, "b", false));
	assert_null(cr_json_array(o, "s"));
	assert_int_equal(cr_json_int(NULL, "n", 5), 5);
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),   cmocka_unit_test(whole_and_parts),
		cmocka_unit_test(refused), cmocka_unit_test(seal),
		cmocka_unit_test(json),	   cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - fields of JSON objects, with a default where they are not there */
#include "plugins/slurm/agent/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JSON_DEPTH 16
#define JSON_FILE_MAX (64 << 20)

static struct json_object *json_get(struct json_object *o, const char *key,
				    enum json_type type)
{
	struct json_object *v;

	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, type))
		return NULL;
	return v;
}

const char *cr_json_str(struct json_object *o, const char *key,
			const char *otherwise)
{
	struct json_object *v = json_get(o, key, json_type_string);

	return v ? json_object_get_string(v) : otherwise;
}

int64_t cr_json_int(struct json_object *o, const char *key, int64_t otherwise)
{
	struct json_object *v = json_get(o, key, json_type_int);

	return v ? json_object_get_int64(v) : otherwise;
}

bool cr_json_bool(struct json_object *o, const char *key, bool otherwise)
{
	struct json_object *v = json_get(o, key, json_type_boolean);

	return v ? json_object_get_boolean(v) : otherwise;
}

struct json_object *cr_json_array(struct json_object *o, const char *key)
{
	return json_get(o, key, json_type_array);
}

struct json_object *cr_json_object(struct json_object *o, const char *key)
{
	return json_get(o, key, json_type_object);
}

void cr_json_put_str(struct json_object *o, const char *key, const char *s)
{
	json_object_object_add(o, key, json_object_new_string(s));
}

void cr_json_put_int(struct json_object *o, const char *key, int64_t n)
{
	json_object_object_add(o, key, json_object_new_int64(n));
}

void cr_json_put_bool(struct json_object *o, const char *key, bool b)
{
	json_object_object_add(o, key, json_object_new_boolean(b));
}

struct json_object *cr_json_message(const char *type)
{
	struct json_object *o = json_object_new_object();

	cr_json_put_str(o, "type", type);
	return o;
}

struct json_object *cr_json_parse(const char *text, size_t len)
{
	struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *o;

	if (!t)
		return NULL;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT |
				  JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(t, text, len);
	/* a number or a word may still be going on at the end: no object */
	if (o && (json_tokener_get_error(t) != json_tokener_success ||
		  json_tokener_get_parse_end(t) != len ||
		  !json_object_is_type(o, json_type_object))) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(t);
	return o;
}

struct json_object *cr_json_read(const char *path)
{
	struct json_object *o = NULL;
	struct stat st;
	char *text = NULL;
	size_t len = 0;
	ssize_t n = 1;
	int fd, saved = EBADMSG;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st)) {
		saved = errno;
	} else if (S_ISREG(st.st_mode) && st.st_size < JSON_FILE_MAX) {
		text = malloc(st.st_size + 1);
		while (text && len < (size_t)st.st_size &&
		       (n = read(fd, text + len, st.st_size - len)) > 0)
			len += n;
		while (text && len && strchr(" \n\t\r", text[len - 1]))
			len--;
		if (text && n >= 0)
			o = cr_json_parse(text, len);
	}
	free(text);
	close(fd);
	errno = saved;
	return o;
}

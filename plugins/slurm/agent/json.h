/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - fields of JSON objects, with a default where they are not there */
#ifndef CR_JSON_H
#define CR_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

const char *cr_json_str(struct json_object *o, const char *key,
			const char *otherwise);
int64_t cr_json_int(struct json_object *o, const char *key, int64_t otherwise);
bool cr_json_bool(struct json_object *o, const char *key, bool otherwise);
/* NULL if it is not there or not of that type. */
struct json_object *cr_json_array(struct json_object *o, const char *key);
struct json_object *cr_json_object(struct json_object *o, const char *key);

void cr_json_put_str(struct json_object *o, const char *key, const char *s);
void cr_json_put_int(struct json_object *o, const char *key, int64_t n);
void cr_json_put_bool(struct json_object *o, const char *key, bool b);
/* A new message {"type": type}. */
struct json_object *cr_json_message(const char *type);
/* Parses len bytes that must be one object and nothing more, else NULL. */
struct json_object *cr_json_parse(const char *text, size_t len);
/* A whole file; NULL with errno set. */
struct json_object *cr_json_read(const char *path);

#endif

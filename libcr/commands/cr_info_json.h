/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cr_info_json.h - members of JSON objects, for cr_info --json */
#ifndef CR_INFO_JSON_H
#define CR_INFO_JSON_H

#include <json.h>

#include "commands/cr_info.h"

/* Numbers that are addresses or masks are strings, "0x...". */
void info_json_hex(struct json_object *to, const char *key, uint64_t value);
void info_json_int(struct json_object *to, const char *key, int64_t value);
void info_json_bool(struct json_object *to, const char *key, bool value);
/* null for NULL */
void info_json_string(struct json_object *to, const char *key, const char *s);
/* An index of the model: null for CR_NONE. */
void info_json_index(struct json_object *to, const char *key, uint32_t index);
/* A new array or object that is a member of to. */
struct json_object *info_json_array(struct json_object *to, const char *key);
struct json_object *info_json_element(struct json_object *array);

void info_json_processes(const struct info *in, struct json_object *root);

#endif

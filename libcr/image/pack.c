/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pack.c - fields to bytes and back */
#include "image/pack.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/format.h"

void cr_pack_fail(struct cr_pack *p, int code, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (p->status)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->status = code;
	if (p->unpack)
		cr_error_set(p->err, code,
			     "section %s, byte %zu (file offset %" PRIu64
			     "): %s",
			     p->name, p->pos, p->offset + p->pos, text);
	else
		cr_error_set(p->err, code, "section %s: %s", p->name, text);
}

static void *room_for(struct cr_pack *p, size_t len)
{
	size_t size = p->size ? p->size : 4096;
	uint8_t *grown;

	while (size - p->pos < len) {
		if (size > SIZE_MAX / 2) {
			cr_pack_fail(p, -ENOMEM, "out of memory");
			return NULL;
		}
		size *= 2;
	}
	if (size != p->size) {
		grown = realloc(p->buf, size);
		if (!grown) {
			cr_pack_fail(p, -ENOMEM, "out of memory");
			return NULL;
		}
		p->buf = grown;
		p->size = size;
	}
	return p->buf + p->pos;
}

void cr_pack_bytes(struct cr_pack *p, void *data, size_t len)
{
	void *to;

	if (p->status || !len)
		return;
	if (!p->unpack) {
		to = room_for(p, len);
		if (!to)
			return;
		memcpy(to, data, len);
	} else {
		if (p->size - p->pos < len) {
			cr_pack_fail(p, -EINVAL,
				     "%zu bytes wanted, only %zu left", len,
				     p->size - p->pos);
			return;
		}
		memcpy(data, p->buf + p->pos, len);
	}
	p->pos += len;
}

void cr_pack_bool(struct cr_pack *p, bool *v)
{
	uint8_t byte = *v;

	cr_pack_bytes(p, &byte, sizeof(byte));
	if (p->status)
		return;
	if (byte > 1)
		cr_pack_fail(p, -EINVAL, "%u is neither 0 nor 1", byte);
	else
		*v = byte;
}

void cr_pack_u32(struct cr_pack *p, uint32_t *v)
{
	uint32_t le = htole32(*v);

	cr_pack_bytes(p, &le, sizeof(le));
	if (!p->status)
		*v = le32toh(le);
}

void cr_pack_u64(struct cr_pack *p, uint64_t *v)
{
	uint64_t le = htole64(*v);

	cr_pack_bytes(p, &le, sizeof(le));
	if (!p->status)
		*v = le64toh(le);
}

void cr_pack_s32(struct cr_pack *p, int32_t *v)
{
	uint32_t u = (uint32_t)*v;

	cr_pack_u32(p, &u);
	*v = (int32_t)u;
}

void cr_pack_s64(struct cr_pack *p, int64_t *v)
{
	uint64_t u = (uint64_t)*v;

	cr_pack_u64(p, &u);
	*v = (int64_t)u;
}

void cr_pack_blob(struct cr_pack *p, struct cr_blob *v)
{
	uint64_t len = v->len;

	cr_pack_u64(p, &len);
	if (p->status)
		return;
	if (p->unpack) {
		if (len > p->size - p->pos) {
			cr_pack_fail(p, -EINVAL,
				     "%" PRIu64 " bytes announced, %zu left",
				     len, p->size - p->pos);
			return;
		}
		if (!len)
			return;
		v->data = malloc(len);
		if (!v->data) {
			cr_pack_fail(p, -ENOMEM, "out of memory");
			return;
		}
		v->len = len;
	}
	cr_pack_bytes(p, v->data, len);
}

void cr_pack_string(struct cr_pack *p, char **v)
{
	size_t have = !p->unpack && *v ? strlen(*v) : 0;
	uint32_t len = p->unpack || *v ? (uint32_t)have : CR_NONE;

	if (have > CR_STRING_MAX) {
		cr_pack_fail(p, -E2BIG, "string of %zu bytes is too long",
			     have);
		return;
	}
	cr_pack_u32(p, &len);
	if (p->status || len == CR_NONE)
		return;
	if (p->unpack) {
		if (len > CR_STRING_MAX || len > p->size - p->pos) {
			cr_pack_fail(p, -EINVAL,
				     "string of %u bytes announced, %zu left",
				     len, p->size - p->pos);
			return;
		}
		if (memchr(p->buf + p->pos, 0, len)) {
			cr_pack_fail(p, -EINVAL, "string with a zero byte");
			return;
		}
		*v = calloc(1, len + 1);
		if (!*v) {
			cr_pack_fail(p, -ENOMEM, "out of memory");
			return;
		}
	}
	cr_pack_bytes(p, *v, len);
}

void cr_pack_array(struct cr_pack *p, void **array, size_t *n, size_t size,
		   size_t least)
{
	uint32_t count = (uint32_t)*n;

	if (!p->unpack && *n >= CR_NONE) {
		cr_pack_fail(p, -E2BIG, "%zu elements are too many", *n);
		return;
	}
	cr_pack_u32(p, &count);
	if (p->status || !p->unpack || !count)
		return;
	if (count > (p->size - p->pos) / least) {
		cr_pack_fail(p, -EINVAL,
			     "%u elements announced, room for at most %zu",
			     count, (p->size - p->pos) / least);
		return;
	}
	*array = cr_array_alloc(count, size);
	if (*array)
		*n = count;
	else
		cr_pack_fail(p, -ENOMEM, "out of memory");
}

void cr_pack_strings(struct cr_pack *p, char ***v)
{
	uint32_t n = 0;

	if (!p->unpack && !*v)
		n = CR_NONE;
	else if (!p->unpack)
		while ((*v)[n])
			n++;
	cr_pack_u32(p, &n);
	if (p->status || n == CR_NONE)
		return;
	if (p->unpack) {
		if (n > (p->size - p->pos) / sizeof(uint32_t)) {
			cr_pack_fail(p, -EINVAL,
				     "%u strings announced, %zu bytes left", n,
				     p->size - p->pos);
			return;
		}
		*v = calloc((size_t)n + 1, sizeof(**v));
		if (!*v) {
			cr_pack_fail(p, -ENOMEM, "out of memory");
			return;
		}
	}
	for (uint32_t i = 0; i < n && !p->status; i++) {
		cr_pack_string(p, &(*v)[i]);
		if (!p->status && !(*v)[i])
			cr_pack_fail(p, -EINVAL, "no string in a list of them");
	}
}

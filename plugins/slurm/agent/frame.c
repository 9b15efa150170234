/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - bytes of a frame (doc/job-protocol.md, part 2), no input/output */
#include "plugins/slurm/agent/frame.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

static const char frame_magic[4] = { 'S', 'P', 'J', '1' };

int cr_frame_parse(struct cr_frame *f, const void *buf, size_t len,
		   size_t body_max)
{
	const char *p = buf;
	uint32_t body, cred;
	uint16_t version, zero;

	if (memcmp(p, frame_magic, len < 4 ? len : 4))
		return -EPROTO;
	if (len < CR_FRAME_HEADER)
		return 0;
	memcpy(&version, p + 4, 2);
	memcpy(&zero, p + 6, 2);
	memcpy(&body, p + 8, 4);
	memcpy(&cred, p + 12, 4);
	body = le32toh(body);
	cred = le32toh(cred);
	if (le16toh(version) != CR_FRAME_VERSION || zero || body > body_max ||
	    cred > CR_FRAME_CRED_MAX || !body || !cred)
		return -EPROTO;
	f->total = CR_FRAME_HEADER + (size_t)body + cred;
	if (len < f->total)
		return 0;
	f->body = p + CR_FRAME_HEADER;
	f->body_len = body;
	f->cred = f->body + body;
	f->cred_len = cred;
	if (memchr(f->cred, '\0', cred))
		return -EPROTO;
	return 1;
}

void cr_frame_header(uint8_t header[CR_FRAME_HEADER], size_t body_len,
		     size_t cred_len)
{
	uint16_t version = htole16(CR_FRAME_VERSION);
	uint32_t body = htole32(body_len), cred = htole32(cred_len);

	memset(header, 0, CR_FRAME_HEADER);
	memcpy(header, frame_magic, 4);
	memcpy(header + 4, &version, 2);
	memcpy(header + 8, &body, 4);
	memcpy(header + 12, &cred, 4);
}

int cr_frame_seal_text(const struct cr_frame_seal *seal, char *buf, size_t size)
{
	int n = snprintf(buf, size,
			 "stillpoint %d\njob %" PRIu32 "\nfrom %s\nto %s\n"
			 "connection %s\nsequence %" PRIu64 "\ndigest %s\n",
			 CR_FRAME_VERSION, seal->job, seal->from, seal->to,
			 seal->connection, seal->sequence, seal->digest);

	return n < 0 || (size_t)n >= size ? -ENOSPC : n;
}

static void frame_hex(char hex[CR_FRAME_HEX], const uint8_t *b)
{
	for (int i = 0; i < 16; i++)
		sprintf(hex + 2 * i, "%02x", b[i]);
}

void cr_frame_digest(char hex[CR_FRAME_HEX], const void *data, size_t len)
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits(data, len));
	frame_hex(hex, c.digest);
}

int cr_frame_random(char hex[CR_FRAME_HEX])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return -EIO;
	frame_hex(hex, b);
	return 0;
}

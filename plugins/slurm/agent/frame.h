/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h - bytes of a frame (doc/job-protocol.md, part 2), no input/output */
#ifndef CR_FRAME_H
#define CR_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define CR_FRAME_VERSION 1
#define CR_FRAME_HEADER 16
#define CR_FRAME_BODY_MAX (4u << 20)
#define CR_FRAME_BODY_FIRST (64u << 10) /* from who is not known yet */
#define CR_FRAME_CRED_MAX 8192u
#define CR_FRAME_HEX 33 /* 128 bits in hex, with the NUL */
#define CR_FRAME_NAME 65

/* What a credential vouches for. */
struct cr_frame_seal {
	uint32_t job;
	char from[CR_FRAME_NAME], to[CR_FRAME_NAME];
	char connection[CR_FRAME_HEX];
	uint64_t sequence;
	char digest[CR_FRAME_HEX];
};

/* Parts of a frame inside a buffer. */
struct cr_frame {
	const char *body, *cred;
	size_t body_len, cred_len, total;
};

/*
 * Looks at the beginning of buf: 1 and the parts if a whole frame is there,
 * 0 if more is to come, -EPROTO if it can never become one.
 */
int cr_frame_parse(struct cr_frame *f, const void *buf, size_t len,
		   size_t body_max);
void cr_frame_header(uint8_t header[CR_FRAME_HEADER], size_t body_len,
		     size_t cred_len);
/* The payload of a credential; its length or -ENOSPC. */
int cr_frame_seal_text(const struct cr_frame_seal *seal, char *buf,
		       size_t size);
/* XXH3-128 of data in hex. */
void cr_frame_digest(char hex[CR_FRAME_HEX], const void *data, size_t len);
/* 128 random bits in hex; 0 or -errno. */
int cr_frame_random(char hex[CR_FRAME_HEX]);

#endif

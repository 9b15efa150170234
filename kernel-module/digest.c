// SPDX-License-Identifier: GPL-2.0
/*
 * digest.c - what a context file says of the pages in it: XXH3-128
 *
 * The hash is defined in the xxHash specification; this is its form for long
 * input, seed 0 and the default secret, of which whole pages are all that we
 * ever see.  The canonical form is that of doc/context-file.md.
 *
 * Input is worked on in stripes of 64 bytes, 16 of them a block.  The last
 * stripe of all is taken with another part of the secret than the last one of
 * a block, so the last stripe of each page is kept until it is known which of
 * both it is.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "digest.h"

#define STRIPE CR_DIGEST_STRIPE
#define STRIPES_PER_BLOCK 16
#define BLOCK (STRIPE * STRIPES_PER_BLOCK)
#define LAST_STRIPE ((STRIPES_PER_BLOCK - 1) * 8) /* its place in the secret */
#define SCRAMBLE (sizeof(secret) - STRIPE)
#define END_STRIPE (SCRAMBLE - 7)
#define MERGE 11

#define PRIME32_1 0x9E3779B1U
#define PRIME32_2 0x85EBCA77U
#define PRIME32_3 0xC2B2AE3DU
#define PRIME64_1 0x9E3779B185EBCA87ULL
#define PRIME64_2 0xC2B2AE3D27D4EB4FULL
#define PRIME64_3 0x165667B19E3779F9ULL
#define PRIME64_4 0x85EBCA77C2B2AE63ULL
#define PRIME64_5 0x27D4EB2F165667C5ULL
#define PRIME_END 0x165667919E3779F9ULL

static const u8 secret[192] __aligned(64) = {
	0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe,
	0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
	0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb,
	0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
	0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78,
	0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
	0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e,
	0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
	0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
	0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
	0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e,
	0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
	0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f,
	0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
	0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31,
	0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
	0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3,
	0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
	0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49,
	0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
	0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc,
	0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
	0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28,
	0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

static __always_inline u64 load(const u8 *from)
{
	u64 v;

	memcpy(&v, from, sizeof(v));
	return le64_to_cpu((__force __le64)v);
}

/* Two lanes: each takes in the other's input as it is, and its own mixed. */
static __always_inline void pair(u64 acc[8], const u8 *in, const u8 *key,
				 unsigned int i)
{
	u64 a = load(in + 8 * i), b = load(in + 8 * i + 8);
	u64 x = a ^ load(key + 8 * i), y = b ^ load(key + 8 * i + 8);

	acc[i] += b + (u64)(u32)x * (x >> 32);
	acc[i + 1] += a + (u64)(u32)y * (y >> 32);
}

static __always_inline void stripe(u64 acc[8], const u8 *in, const u8 *key)
{
	pair(acc, in, key, 0);
	pair(acc, in, key, 2);
	pair(acc, in, key, 4);
	pair(acc, in, key, 6);
}

static void scramble(u64 acc[8])
{
	int i;

	for (i = 0; i < 8; i++) {
		acc[i] ^= acc[i] >> 47;
		acc[i] ^= load(secret + SCRAMBLE + 8 * i);
		acc[i] *= PRIME32_1;
	}
}

void cr_digest_start(struct cr_digest *d)
{
	static const u64 start[8] = {
		PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3,
		PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1,
	};

	memcpy(d->acc, start, sizeof(start));
	d->len = 0;
}

void cr_digest_page(struct cr_digest *d, const void *page)
{
	const u8 *in = page;
	u64 acc[8];
	unsigned int block, i;

	BUILD_BUG_ON(PAGE_SIZE % BLOCK);
	memcpy(acc, d->acc, sizeof(acc));
	if (d->len) {
		stripe(acc, d->tail, secret + LAST_STRIPE);
		scramble(acc);
	}
	for (block = 0; block < PAGE_SIZE / BLOCK; block++) {
		for (i = 0; i < STRIPES_PER_BLOCK - 1; i++, in += STRIPE)
			stripe(acc, in, secret + 8 * i);
		if (block == PAGE_SIZE / BLOCK - 1)
			break;
		stripe(acc, in, secret + LAST_STRIPE);
		scramble(acc);
		in += STRIPE;
	}
	memcpy(d->tail, in, STRIPE);
	memcpy(d->acc, acc, sizeof(acc));
	d->len += PAGE_SIZE;
}

static u64 fold(u64 a, u64 b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

static u64 merge(const u64 acc[8], const u8 *key, u64 h)
{
	int i;

	for (i = 0; i < 4; i++)
		h += fold(acc[2 * i] ^ load(key + 16 * i),
			  acc[2 * i + 1] ^ load(key + 16 * i + 8));
	h ^= h >> 37;
	h *= PRIME_END;
	return h ^ h >> 32;
}

void cr_digest_end(struct cr_digest *d, u8 to[CR_DIGEST_BYTES])
{
	__be64 high, low;

	stripe(d->acc, d->tail, secret + END_STRIPE);
	low = cpu_to_be64(merge(d->acc, secret + MERGE, d->len * PRIME64_1));
	high = cpu_to_be64(merge(d->acc, secret + SCRAMBLE - MERGE,
				 ~(d->len * PRIME64_2)));
	memcpy(to, &high, sizeof(high));
	memcpy(to + sizeof(high), &low, sizeof(low));
}

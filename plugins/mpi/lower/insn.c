/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insn.c - lengths of x86-64 instructions
 *
 * One letter for each opcode:
 *   -  no operand bytes      m  ModRM
 *   b  8-bit immediate       B  ModRM, 8-bit immediate
 *   z  16 or 32 bits         Z  ModRM, 16 or 32 bits
 *   j  32-bit displacement   w  16 bits
 *   v  16, 32 or 64 bits     e  enter: 24 bits
 *   o  address (moffs)       s  string: address in a register
 *   3  F6, F7: immediate for TEST only
 *   p  prefix                x  escape to another table
 *   .  no instruction in 64-bit mode, or none that is met
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/insn.h"

#include <stdint.h>

#define LENGTH_MAX 15

static const char one[257] =
	"mmmmbz..mmmmbz.x" /* 00 */
	"mmmmbz..mmmmbz.." /* 10 */
	"mmmmbzp.mmmmbzp." /* 20 */
	"mmmmbzp.mmmmbzp." /* 30 */
	"pppppppppppppppp" /* 40: REX */
	"----------------" /* 50 */
	"..xmppppzZbBssss" /* 60: 62 EVEX */
	"bbbbbbbbbbbbbbbb" /* 70 */
	"BZ.Bmmmmmmmmmmmm" /* 80 */
	"----------.-----" /* 90 */
	"oooossssbzssssss" /* a0 */
	"bbbbbbbbvvvvvvvv" /* b0 */
	"BBw-xxBZe-w--b.-" /* c0: c4, c5 VEX */
	"mmmm...smmmmmmmm" /* d0 */
	"bbbbbbbbjj.b----" /* e0 */
	"p-pp--33------mm" /* f0 */;

/* after 0f */
static const char two[257] =
	"mmmm.-----.-.m-B" /* 00 */
	"mmmmmmmmmmmmmmmm" /* 10 */
	"mmmm....mmmmmmmm" /* 20 */
	"------.-x.x....." /* 30 */
	"mmmmmmmmmmmmmmmm" /* 40 */
	"mmmmmmmmmmmmmmmm" /* 50 */
	"mmmmmmmmmmmmmmmm" /* 60 */
	"BBBBmmm-mm..mmmm" /* 70 */
	"jjjjjjjjjjjjjjjj" /* 80 */
	"mmmmmmmmmmmmmmmm" /* 90 */
	"---mBmmm---mBmmm" /* a0 */
	"mmmmmmmmmmBmmmmm" /* b0 */
	"mmBmBBBm--------" /* c0 */
	"mmmmmmmmmmmmmmmm" /* d0 */
	"mmmmmmmmmmmmmmmm" /* e0 */
	"mmmmmmmmmmmmmmmm" /* f0 */;

struct cursor {
	const unsigned char *p;
	size_t max;
	unsigned int at;
};

/* The next byte, -1 at the end. */
static int next(struct cursor *c)
{
	return c->at < c->max && c->at < LENGTH_MAX ? c->p[c->at++] : -1;
}

static bool skip(struct cursor *c, unsigned int n)
{
	c->at += n;
	return c->at <= c->max && c->at <= LENGTH_MAX;
}

/* ModRM and what it brings along; *reg: its middle field. */
static bool operand(struct cursor *c, struct cr_insn *insn, int *reg)
{
	int m = next(c), sib, mod = m >> 6;

	if (m < 0)
		return false;
	*reg = m >> 3 & 7;
	if (mod == 3)
		return true;
	insn->memory = true;
	if ((m & 7) == 4) {
		sib = next(c);
		if (sib < 0)
			return false;
		if ((sib & 7) == 5 && mod == 0)
			return skip(c, 4);
	} else if ((m & 7) == 5 && mod == 0) {
		return skip(c, 4);
	}
	return skip(c, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* The rest of an instruction of kind k. */
static bool rest(struct cursor *c, struct cr_insn *insn, char k, bool narrow,
		 bool wide, bool short_address, int opcode)
{
	unsigned int z = narrow && !wide ? 2 : 4;
	int reg = 0;

	switch (k) {
	case '-': return true;
	case 'b': return skip(c, 1);
	case 'w': return skip(c, 2);
	case 'e': return skip(c, 3);
	case 'z': return skip(c, z);
	case 'v': return skip(c, wide ? 8 : z);
	/* a 16-bit displacement is one on some processors only */
	case 'j': return (!narrow || wide) && skip(c, 4);
	case 's':
		insn->string = true;
		return true;
	case 'o':
		insn->memory = true;
		return skip(c, short_address ? 4 : 8);
	case 'm': return operand(c, insn, &reg);
	case 'B': return operand(c, insn, &reg) && skip(c, 1);
	case 'Z': return operand(c, insn, &reg) && skip(c, z);
	case '3':
		return operand(c, insn, &reg) &&
		       (reg > 1 || skip(c, opcode & 1 ? z : 1));
	}
	return false;
}

/* VEX and EVEX: the map says whether there is an immediate. */
static bool vector(struct cursor *c, struct cr_insn *insn, int first)
{
	int map = 1, opcode, b = next(c), reg;
	char k;

	if (b < 0)
		return false;
	if (first == 0xc4)
		map = b & 31;
	else if (first == 0x62)
		map = b & 7;
	if (first != 0xc5 && !skip(c, first == 0x62 ? 2 : 1))
		return false;
	opcode = next(c);
	if (opcode < 0)
		return false;
	switch (map) {
	case 1:
		k = two[opcode];
		if (k == '-' && opcode != 0x77)
			return false;
		if (k == '-')
			return true;
		if (k == 'j') /* 90-9f and 80-8f: operations on masks */
			return false;
		return (k == 'm' || k == 'B') && operand(c, insn, &reg) &&
		       (k == 'm' || skip(c, 1));
	case 2:
		return operand(c, insn, &reg);
	case 3:
		return operand(c, insn, &reg) && skip(c, 1);
	case 5:
	case 6:
		return first == 0x62 && operand(c, insn, &reg);
	}
	return false;
}

bool cr_insn_decode(const unsigned char *p, size_t max, struct cr_insn *insn)
{
	bool narrow = false, wide = false, short_address = false;
	struct cursor c = { p, max, 0 };
	int b, opcode;
	char k;

	insn->fs = 0;
	insn->memory = insn->string = false;
	for (;;) {
		b = next(&c);
		if (b < 0)
			return false;
		k = one[b];
		if (k != 'p')
			break;
		wide = (b & 0xf8) == 0x48; /* REX.W, if it is the last one */
		if (b == 0x64)
			insn->fs = c.at;
		else if (b == 0x66)
			narrow = true;
		else if (b == 0x67)
			short_address = true;
		else if (b == 0x65 && insn->fs)
			return false;
	}
	opcode = b;
	if (opcode == 0x0f) {
		opcode = next(&c);
		if (opcode < 0)
			return false;
		k = two[opcode];
		if (opcode == 0x38 || opcode == 0x3a) {
			b = next(&c);
			k = opcode == 0x38 ? 'm' : 'B';
			if (b < 0)
				return false;
		}
		if (opcode == 0x78 && (narrow || p[c.at - 3] == 0xf2))
			return false; /* SSE4a, two immediates */
	} else if (k == 'x') {
		if (!vector(&c, insn, opcode))
			return false;
		insn->len = c.at;
		return true;
	}
	/* 8f is POP, or AMD's XOP */
	if (b == 0x8f && k == 'm' && opcode == 0x8f && c.at < max &&
	    (p[c.at] & 0x38))
		return false;
	if (!rest(&c, insn, k, narrow, wide, short_address, opcode))
		return false;
	insn->len = c.at;
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insn.h - how long an instruction is, and whether it uses FS */
#ifndef CR_LOWER_INSN_H
#define CR_LOWER_INSN_H

#include <stdbool.h>
#include <stddef.h>

struct cr_insn {
	unsigned int len;
	unsigned int fs;  /* offset of the FS prefix, plus one; 0: none */
	bool memory;	  /* has an operand in memory that the prefix is for */
	bool string;	  /* whose address is no part of the instruction */
};

/*
 * Decodes the 64-bit instruction at p, of which max bytes are there.  False
 * when it is none, or none that we know for certain.
 */
bool cr_insn_decode(const unsigned char *p, size_t max, struct cr_insn *insn);

#endif

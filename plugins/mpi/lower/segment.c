/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.c - finds the instructions of a library that use FS
 *
 * The unwind table (.eh_frame) says where each function begins and ends;
 * compilers put nothing but code there.  Functions are decoded one
 * instruction after the other, and the last one must end where the function
 * does.  Between functions lie padding and a few pieces of start-up code;
 * there nothing in an executable section may look as if it used FS.  Whatever
 * is not as expected makes the library one that is left as it is.
 */
#include "mpi/lower/raw.h"

#include "mpi/lower/segment.h"

#include <elf.h>

#include "mpi/lower/insn.h"

#define PHDRS_MAX 64
#define ENC_PCREL_SDATA4 0x1b
#define ENC_DATAREL_SDATA4 0x3b
#define ENC_UDATA4 0x03
#define CIE_MAX 32 /* as much of it as is looked at */
#define FS 0x64

struct table {
	const unsigned char *file;
	size_t size;
	const Elf64_Phdr *ph;
	unsigned int phnum;
	const Elf64_Shdr *sh; /* NULL: none */
	unsigned int shnum;
	uint64_t hdr_addr; /* of .eh_frame_hdr */
	const unsigned char *entries;
	uint32_t count;
	uint64_t plain; /* address of a CIE that was found so */
};

static uint32_t get32(const unsigned char *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* n bytes of the file at a virtual address, NULL if they are not all there */
static const unsigned char *at_address(const struct table *t, uint64_t addr,
				       size_t n)
{
	unsigned int i;

	for (i = 0; i < t->phnum; i++) {
		const Elf64_Phdr *ph = &t->ph[i];
		uint64_t o = addr - ph->p_vaddr;

		if (ph->p_type != PT_LOAD || addr < ph->p_vaddr ||
		    o >= ph->p_filesz || ph->p_filesz - o < n)
			continue;
		if (ph->p_offset > t->size || t->size - ph->p_offset < o + n)
			return NULL;
		return t->file + ph->p_offset + o;
	}
	return NULL;
}

static void find_sections(struct table *t, const Elf64_Ehdr *eh)
{
	t->sh = NULL;
	t->shnum = eh->e_shnum;
	if (eh->e_shnum && eh->e_shentsize == sizeof(Elf64_Shdr) &&
	    eh->e_shoff % 8 == 0 && eh->e_shoff < t->size &&
	    t->size - eh->e_shoff >= eh->e_shnum * sizeof(Elf64_Shdr))
		t->sh = (const Elf64_Shdr *)(t->file + eh->e_shoff);
}

static bool find_table(struct table *t, const struct cr_segment_text *text)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)text->file;
	const unsigned char *h;
	unsigned int i;

	if (text->size < sizeof(*eh) || get32(text->file) != 0x464c457f ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_machine != EM_X86_64 ||
	    eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum > PHDRS_MAX ||
	    eh->e_phoff > text->size || eh->e_phoff % 8 ||
	    text->size - eh->e_phoff < eh->e_phnum * sizeof(Elf64_Phdr))
		return false;
	t->file = text->file;
	t->size = text->size;
	t->ph = (const Elf64_Phdr *)(text->file + eh->e_phoff);
	t->phnum = eh->e_phnum;
	find_sections(t, eh);
	for (i = 0; i < t->phnum; i++)
		if (t->ph[i].p_type == PT_GNU_EH_FRAME)
			break;
	if (i == t->phnum)
		return false;
	t->hdr_addr = t->ph[i].p_vaddr;
	h = at_address(t, t->hdr_addr, 12);
	if (!h || h[0] != 1 || h[2] != ENC_UDATA4 || h[3] != ENC_DATAREL_SDATA4)
		return false;
	t->count = get32(h + 8);
	t->entries = at_address(t, t->hdr_addr + 12, (size_t)t->count * 8);
	return t->entries != NULL;
}

/* Is there a byte that may be the prefix? */
static bool has_prefix(const unsigned char *p, size_t n)
{
	while (n--)
		if (*p++ == FS)
			return true;
	return false;
}

/* Are the FDE's addresses coded as all compilers do, by its CIE? */
static bool plain_cie(const struct table *t, uint64_t addr)
{
	const unsigned char *c = at_address(t, addr, CIE_MAX), *p, *end;
	const unsigned char *letter;
	int i;

	if (!c || get32(c + 4) != 0 || c[9] != 'z')
		return false;
	end = c + CIE_MAX;
	for (letter = p = c + 9; *p; p++)
		if (p - letter > 6)
			return false;
	p++;
	/* code and data alignment, return register, length: LEB128 */
	for (i = 0; i < 4; i++) {
		while (p < end && *p & 0x80)
			p++;
		p++;
	}
	for (letter++; *letter && p < end; letter++) {
		if (*letter == 'R')
			return *p == ENC_PCREL_SDATA4;
		if (*letter == 'L')
			p++;
		else if (*letter == 'P')
			p += (*p & 7) == 3 ? 5 : (*p & 0xf) == 0xb ? 5 : 9;
		else if (*letter != 'S')
			return false;
	}
	return false;
}

/* Function number i of the table: its addresses. */
static bool function(struct table *t, uint32_t i, uint64_t *start,
		     uint64_t *end)
{
	const unsigned char *e = t->entries + (size_t)i * 8, *fde;
	uint64_t addr = t->hdr_addr + (uint64_t)(int32_t)get32(e + 4), cie;

	*start = t->hdr_addr + (uint64_t)(int32_t)get32(e);
	fde = at_address(t, addr, 16);
	if (!fde || get32(fde) < 12 || get32(fde) >= 0xfffffff0)
		return false;
	cie = addr + 4 - get32(fde + 4);
	if (cie != t->plain && !plain_cie(t, cie))
		return false;
	t->plain = cie;
	if (addr + 8 + (uint64_t)(int32_t)get32(fde + 8) != *start)
		return false;
	*end = *start + get32(fde + 12);
	return true;
}

/* Decodes a function that lies at p; false when it does not come out even. */
static bool scan_function(const unsigned char *p, size_t n, size_t at,
			  void (*found)(size_t at, void *arg), void *arg)
{
	struct cr_insn insn;
	size_t i;

	if (!has_prefix(p, n))
		return true;
	for (i = 0; i < n; i += insn.len) {
		if (!cr_insn_decode(p + i, n - i, &insn))
			return false;
		if (!insn.fs)
			continue;
		if (insn.string)
			return false;
		if (insn.memory)
			found(at + i + insn.fs - 1, arg);
	}
	return true;
}

/* No instruction here, wherever it may begin, uses FS. */
static bool scan_gap(const unsigned char *p, size_t n)
{
	struct cr_insn insn;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] != FS)
			continue;
		/* as compilers write it: %fs:number or %fs:(register) */
		if (cr_insn_decode(p + i, n - i, &insn) &&
		    (insn.memory || insn.string))
			return false;
	}
	return true;
}

/* The same for addresses; of them only what sections call executable. */
static bool scan_gap_of(const struct table *t, const unsigned char *p,
			uint64_t start, uint64_t end)
{
	uint64_t from, to;
	unsigned int i;

	if (!t->sh)
		return scan_gap(p, end - start);
	for (i = 0; i < t->shnum; i++) {
		if (!(t->sh[i].sh_flags & SHF_EXECINSTR))
			continue;
		from = t->sh[i].sh_addr;
		to = from + t->sh[i].sh_size;
		if (from < start)
			from = start;
		if (to > end)
			to = end;
		if (from < to && !scan_gap(p + (from - start), to - from))
			return false;
	}
	return true;
}

bool cr_segment_scan(const struct cr_segment_text *text,
		     void (*found)(size_t at, void *arg), void *arg)
{
	const unsigned char *p;
	uint64_t base, limit, done, start, end;
	struct table t = { 0 };
	unsigned int i;
	uint32_t n;

	if (text->offset > text->size || text->size - text->offset < text->len)
		return false;
	if (!find_table(&t, text))
		return scan_gap(text->file + text->offset, text->len);
	for (i = 0; i < t.phnum; i++)
		if (t.ph[i].p_type == PT_LOAD &&
		    text->offset >= (t.ph[i].p_offset & -4096UL) &&
		    text->offset < t.ph[i].p_offset + t.ph[i].p_filesz)
			break;
	if (i == t.phnum)
		return false;
	base = t.ph[i].p_vaddr - t.ph[i].p_offset; /* file offset to address */
	done = base + text->offset;
	limit = done + text->len;
	/* the last page of the file may hold other things */
	if (limit > t.ph[i].p_vaddr + t.ph[i].p_filesz)
		limit = t.ph[i].p_vaddr + t.ph[i].p_filesz;
	for (n = 0; n < t.count; n++) {
		if (!function(&t, n, &start, &end))
			return false;
		if (end <= done || start >= limit) {
			if (start < done && end > base + text->offset &&
			    start < end)
				return false; /* functions overlap */
			continue;
		}
		if (start < done || end > limit)
			return false;
		p = text->file + (done - base);
		if (!scan_gap_of(&t, p, done, start))
			return false;
		p = text->file + (start - base);
		if (!scan_function(p, end - start,
				   start - base - text->offset, found, arg))
			return false;
		done = end;
	}
	return scan_gap_of(&t, text->file + (done - base), done, limit);
}

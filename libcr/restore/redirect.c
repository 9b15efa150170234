/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* redirect.c - lets an old vdso's functions lead into another kernel's vdso */
#include "restore/redirect.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

/* What each function does where the other vdso has none. */
static const struct {
	const char *name;
	int nr;
} plain_calls[] = {
	{ "__vdso_clock_gettime", SYS_clock_gettime },
	{ "__vdso_gettimeofday", SYS_gettimeofday },
	{ "__vdso_time", SYS_time },
	{ "__vdso_getcpu", SYS_getcpu },
	{ "__vdso_clock_getres", SYS_clock_getres },
	{ "__vdso_getrandom", 318 },
	/* no call, -ENOSYS: an enclave is memory of a device, never saved */
	{ "__vdso_sgx_enter_enclave", -1 },
};

/* The dynamic symbols of a vdso, all inside its bytes. */
struct symbols {
	const Elf64_Sym *sym;
	size_t n;
	const char *str;
	size_t str_len;
	uint64_t base; /* address the file was linked for */
};

static bool inside(uint64_t off, uint64_t size, size_t len)
{
	return off <= len && size <= len - off;
}

static int find_symbols(const uint8_t *elf, size_t len, struct symbols *s)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)elf;
	const Elf64_Shdr *sh, *str;
	const Elf64_Phdr *ph;
	size_t i;

	if (len < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
	    eh->e_shentsize != sizeof(*sh) || eh->e_phentsize != sizeof(*ph) ||
	    eh->e_shoff % 8 || eh->e_phoff % 8 ||
	    !inside(eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(*sh), len) ||
	    !inside(eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(*ph), len))
		return -EINVAL;
	ph = (const Elf64_Phdr *)(elf + eh->e_phoff);
	for (i = 0; i < eh->e_phnum && ph[i].p_type != PT_LOAD; i++)
		;
	if (i == eh->e_phnum)
		return -EINVAL;
	s->base = ph[i].p_vaddr - ph[i].p_offset;
	sh = (const Elf64_Shdr *)(elf + eh->e_shoff);
	for (i = 0; i < eh->e_shnum && sh[i].sh_type != SHT_DYNSYM; i++)
		;
	if (i == eh->e_shnum || sh[i].sh_link >= eh->e_shnum)
		return -EINVAL;
	str = &sh[sh[i].sh_link];
	if (!inside(sh[i].sh_offset, sh[i].sh_size, len) ||
	    !inside(str->sh_offset, str->sh_size, len) || sh[i].sh_offset % 8 ||
	    !str->sh_size || elf[str->sh_offset + str->sh_size - 1] != '\0')
		return -EINVAL;
	s->sym = (const Elf64_Sym *)(elf + sh[i].sh_offset);
	s->n = sh[i].sh_size / sizeof(*s->sym);
	s->str = (const char *)elf + str->sh_offset;
	s->str_len = str->sh_size;
	return 0;
}

/* The name of a function that is in the file's bytes, else NULL. */
static const char *function_name(const struct symbols *s, size_t i, size_t len)
{
	const Elf64_Sym *sym = &s->sym[i];

	if (ELF64_ST_TYPE(sym->st_info) != STT_FUNC ||
	    sym->st_shndx == SHN_UNDEF || sym->st_name >= s->str_len ||
	    sym->st_value < s->base ||
	    !inside(sym->st_value - s->base, sym->st_size, len))
		return NULL;
	return s->str + sym->st_name;
}

static bool plain_call(const char *name, int *nr)
{
	for (size_t i = 0; i < sizeof(plain_calls) / sizeof(*plain_calls); i++)
		if (!strcmp(plain_calls[i].name, name)) {
			*nr = plain_calls[i].nr;
			return true;
		}
	return false;
}

/* Every name exists with and without its prefix; these come in pairs. */
static bool is_alias(const char *name)
{
	return strncmp(name, "__vdso_", 7) != 0;
}

/* movabs $to, %r11; jmp *%r11 */
static size_t make_jump(uint8_t code[16], uint64_t to)
{
	memcpy(code, "\x49\xbb", 2);
	memcpy(code + 2, &to, 8);
	memcpy(code + 10, "\x41\xff\xe3", 3);
	return 13;
}

/* mov $nr, %eax; syscall; ret.  The fourth argument comes in rcx. */
static size_t make_call(uint8_t code[16], int nr)
{
	memcpy(code, "\x49\x89\xca\xb8", 4);
	memcpy(code + 4, &nr, 4);
	memcpy(code + 8, "\x0f\x05\xc3", 3);
	return 11;
}

int cr_redirect(void *old, size_t old_len, const void *fresh, size_t fresh_len,
		uint64_t fresh_addr, struct cr_error *err)
{
	struct symbols o, f;

	if (find_symbols(old, old_len, &o) < 0 ||
	    find_symbols(fresh, fresh_len, &f) < 0)
		return cr_error_set(err, -ENOTSUP,
				    "the vdso of the image or "
				    "of this kernel is not understood");
	for (size_t i = 0; i < o.n; i++) {
		const char *name = function_name(&o, i, old_len);
		uint64_t at, to = 0;
		uint8_t code[16];
		size_t n;
		int nr;

		if (!name || is_alias(name))
			continue;
		at = o.sym[i].st_value - o.base;
		/* the state that getrandom keeps differs between kernels */
		for (size_t k = 0; k < f.n && strcmp(name, "__vdso_getrandom");
		     k++) {
			const char *other = function_name(&f, k, fresh_len);

			if (other && !strcmp(other, name))
				to = fresh_addr + f.sym[k].st_value - f.base;
		}
		if (to)
			n = make_jump(code, to);
		else if (plain_call(name, &nr))
			n = make_call(code, nr);
		else
			return cr_error_set(err, -ENOTSUP,
					    "this kernel's vdso has no %s",
					    name);
		if (n > o.sym[i].st_size || !inside(at, n, old_len))
			return cr_error_set(err, -ENOTSUP,
					    "no room in the old vdso to "
					    "replace %s",
					    name);
		memcpy((uint8_t *)old + at, code, n);
	}
	return 0;
}

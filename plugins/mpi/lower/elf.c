/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf.c - maps a second dynamic linker, as the kernel would at execve() */
#include "mpi/lower/boot.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mpi/lower/hook.h"

#define PHDRS_MAX 32
#define PAGE 4096UL

static unsigned long page_up(unsigned long n)
{
	return (n + PAGE - 1) & -PAGE;
}

static int read_headers(int fd, ElfW(Ehdr) *eh, ElfW(Phdr) *ph)
{
	size_t size;

	if (pread(fd, eh, sizeof(*eh), 0) != (ssize_t)sizeof(*eh) ||
	    memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_machine != EM_X86_64 || eh->e_type != ET_DYN ||
	    eh->e_phentsize != sizeof(*ph) || eh->e_phnum == 0 ||
	    eh->e_phnum > PHDRS_MAX)
		return -ENOEXEC;
	size = eh->e_phnum * sizeof(*ph);
	if (pread(fd, ph, size, (off_t)eh->e_phoff) != (ssize_t)size)
		return -ENOEXEC;
	return 0;
}

/* Reserves one piece of the arena for all segments; its load address. */
static long reserve(int fd, const ElfW(Phdr) *ph, unsigned int n)
{
	struct cr_hook_args r = { 0, 0, PROT_READ,
				  MAP_PRIVATE | MAP_DENYWRITE, fd, 0, 0 };
	unsigned long low = -1UL, high = 0;
	unsigned int i;
	long addr;

	for (i = 0; i < n; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (ph[i].p_vaddr < low)
			low = ph[i].p_vaddr & -PAGE;
		if (ph[i].p_vaddr + ph[i].p_memsz > high)
			high = ph[i].p_vaddr + ph[i].p_memsz;
	}
	if (low >= high)
		return -ENOEXEC;
	r.b = (long)(page_up(high) - low);
	addr = cr_arena_map(&r);
	return addr < 0 ? addr : addr - (long)low;
}

static int map_segment(int fd, unsigned long base, const ElfW(Phdr) *ph)
{
	unsigned long start = base + (ph->p_vaddr & -PAGE);
	unsigned long file_end = base + ph->p_vaddr + ph->p_filesz;
	unsigned long end = base + ph->p_vaddr + ph->p_memsz;
	unsigned long bss = page_up(file_end);
	int prot = (ph->p_flags & PF_R ? PROT_READ : 0) |
		   (ph->p_flags & PF_W ? PROT_WRITE : 0) |
		   (ph->p_flags & PF_X ? PROT_EXEC : 0);

	if (mmap((void *)start, file_end - start, prot,
		 MAP_PRIVATE | MAP_FIXED, fd,
		 (off_t)(ph->p_offset & -PAGE)) == MAP_FAILED)
		return -errno;
	if (prot & PROT_WRITE) {
		/*
		 * To the end of the page, not of the segment: ld.so hands out
		 * the rest of its last page as zeroed memory.
		 */
		memset((void *)file_end, 0, bss - file_end);
		if (end > bss &&
		    mmap((void *)bss, end - bss, prot,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			return -errno;
	}
	if (prot & PROT_EXEC) {
		cr_rewrite((void *)start, file_end - start);
		cr_pointer_rewrite((void *)start, file_end - start, fd,
				   ph->p_offset & -PAGE);
	}
	if (madvise((void *)start, page_up(end) - start, MADV_DONTFORK) < 0)
		return -errno;
	return 0;
}

int cr_elf_map(const char *path, struct cr_elf *elf, struct cr_error *err)
{
	ElfW(Phdr) ph[PHDRS_MAX];
	ElfW(Ehdr) eh;
	unsigned int i;
	int fd, rc;
	long base;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_set(err, -errno, "cannot open %s: %s", path,
				    strerror(errno));
	rc = read_headers(fd, &eh, ph);
	if (rc) {
		cr_error_set(err, rc, "%s is no dynamic linker for x86-64",
			     path);
		goto out;
	}
	base = reserve(fd, ph, eh.e_phnum);
	for (i = 0; base > 0 && !rc && i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			rc = map_segment(fd, (unsigned long)base, &ph[i]);
	if (base < 0)
		rc = (int)base;
	if (rc) {
		cr_error_set(err, rc, "cannot map %s: %s", path,
			     strerror(-rc));
		goto out;
	}
	if (cr_hook.no_exec || cr_hook.unpatched) {
		rc = cr_error_set(err, -EPERM,
				  "system calls of %s cannot be redirected "
				  "(SELinux execmod, MDWE, unknown libc?)",
				  path);
		goto out;
	}
	elf->base = (unsigned long)base;
	elf->entry = elf->base + eh.e_entry;
	elf->phdr = elf->base + eh.e_phoff;
	elf->phnum = eh.e_phnum;
out:
	close(fd);
	return rc;
}

struct find {
	unsigned long base;
	char *path;
	size_t size;
};

static int find_interpreter(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct find *f = arg;

	if (info->dlpi_addr != f->base || !info->dlpi_name ||
	    info->dlpi_name[0] != '/')
		return 0;
	snprintf(f->path, f->size, "%s", info->dlpi_name);
	return 1;
}

void cr_elf_interpreter(char *path, size_t size)
{
	struct find f = { getauxval(AT_BASE), path, size };

	if (!dl_iterate_phdr(find_interpreter, &f))
		snprintf(path, size, "/lib64/ld-linux-x86-64.so.2");
}

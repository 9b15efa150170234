/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.c - prints what segment.c finds in a library
 *
 * One line for each instruction that uses FS: its address in the file, in
 * hexadecimal.  Exit status 3: the library cannot be told apart.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "mpi/lower/segment.h"

static size_t base;

static void print_found(size_t at, void *arg)
{
	printf("%zx\n", base + at);
}

int main(int argc, char **argv)
{
	const Elf64_Ehdr *eh;
	const Elf64_Phdr *ph;
	struct stat st;
	bool good = true;
	int fd, i;

	if (argc != 2 || (fd = open(argv[1], O_RDONLY)) < 0 || fstat(fd, &st))
		return 2;
	eh = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (eh == MAP_FAILED)
		return 2;
	ph = (const void *)((const char *)eh + eh->e_phoff);
	for (i = 0; i < eh->e_phnum; i++) {
		struct cr_segment_text t = {
			(const void *)eh, (size_t)st.st_size,
			ph[i].p_offset & -4096UL,
			ph[i].p_filesz + (ph[i].p_offset & 4095)
		};

		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_X))
			continue;
		base = ph[i].p_vaddr & -4096UL;
		good = cr_segment_scan(&t, print_found, NULL) && good;
	}
	return good ? 0 : 3;
}

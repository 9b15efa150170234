/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build_id.c - what the linker wrote into an executable to tell it by */
#include "common/build_id.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTES_MAX (64u << 10)

static int find_note(const char *buf, size_t len, void **id, size_t *id_len)
{
	size_t at = 0;

	while (at + sizeof(Elf64_Nhdr) <= len) {
		const Elf64_Nhdr *n = (const Elf64_Nhdr *)(buf + at);
		size_t name = ((size_t)n->n_namesz + 3) & ~(size_t)3;
		size_t desc = ((size_t)n->n_descsz + 3) & ~(size_t)3;

		at += sizeof(*n);
		if (name + desc > len - at)
			break;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
		    n->n_descsz && !memcmp(buf + at, "GNU", 4)) {
			*id = malloc(n->n_descsz);
			if (!*id)
				return -ENOMEM;
			memcpy(*id, buf + at + name, n->n_descsz);
			*id_len = n->n_descsz;
			return 0;
		}
		at += name + desc;
	}
	return 0;
}

int cr_build_id_read(int fd, void **id, size_t *len)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int ret = 0;

	*id = NULL;
	*len = 0;
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_phentsize != sizeof(ph))
		return 0;
	for (int i = 0; i < eh.e_phnum && !*id && !ret; i++) {
		off_t at = (off_t)(eh.e_phoff + (uint64_t)i * sizeof(ph));
		char *buf;

		if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
			return 0;
		if (ph.p_type != PT_NOTE || ph.p_filesz > NOTES_MAX)
			continue;
		buf = malloc(ph.p_filesz + 1);
		if (!buf)
			return -ENOMEM;
		if (pread(fd, buf, ph.p_filesz, (off_t)ph.p_offset) ==
		    (ssize_t)ph.p_filesz)
			ret = find_note(buf, ph.p_filesz, id, len);
		free(buf);
	}
	return ret;
}

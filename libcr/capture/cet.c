/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cet.c - threads with a shadow stack (CET): refused
 *
 * The processor keeps a second copy of all return addresses in memory that no
 * program writes, and its pointer is in no register set of the image.
 */
#include <errno.h>
#include <string.h>

#include "capture/internal.h"

/* Is word among those of a field, which are separated by blanks? */
static bool has_word(const char *field, const char *word)
{
	size_t n;

	for (; field && *field && *field != '\n'; field += n) {
		field += strspn(field, " \t");
		n = strcspn(field, " \t\n");
		if (n && n == strlen(word) && !strncmp(field, word, n))
			return true;
	}
	return false;
}

int cap_refuse_shadow_stack(int32_t vpid, int32_t vtid, const char *status,
			    struct cr_error *err)
{
	if (!has_word(cr_procfs_field(status, "x86_Thread_features"), "shstk"))
		return 0;
	return cr_error_set(err, -ENOTSUP,
			    "process %d: thread %d has a shadow stack (CET), "
			    "which cannot be saved; run the program with "
			    "GLIBC_TUNABLES=glibc.cpu.x86_shstk=off, or build "
			    "it with -fcf-protection=none",
			    vpid, vtid);
}

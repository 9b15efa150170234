/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build_id.h - what the linker wrote into an executable to tell it by */
#ifndef CR_BUILD_ID_H
#define CR_BUILD_ID_H

#include <stddef.h>

/*
 * The GNU build id of the ELF file behind fd, in malloc'ed *id; *id is NULL
 * where it has none or is no ELF file.  0 or -ENOMEM.
 */
int cr_build_id_read(int fd, void **id, size_t *len);

#endif

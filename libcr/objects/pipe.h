/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pipe.h - what pipes and FIFOs have in common: what is in them */
#ifndef CR_PIPE_H
#define CR_PIPE_H

#include "objects/object.h"

/* Nobody has the other end: poll(2) says so of any duplicate. */
bool cr_pipe_abandoned(const struct cr_object_source *src);
/* All but what the kind adds; reading ends: with the content. */
int cr_pipe_capture(const struct cr_object_source *src, struct cr_file *file,
		    struct cr_error *err);
/* Of any descriptor of it. */
int cr_pipe_resize(int fd, const struct cr_file *file, struct cr_error *err);
int cr_pipe_fill(int fd, const struct cr_file *file, struct cr_error *err);
/* A new description with the flags of file. */
int cr_pipe_reopen(int fd, const struct cr_file *file, struct cr_error *err);

#endif

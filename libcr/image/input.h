/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* input.h - where a context file comes from: a file, or a stream kept in one */
#ifndef CR_INPUT_H
#define CR_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct cr_input {
	int fd;	       /* a file, its byte 0 is the context file's */
	uint64_t size; /* bytes */
};

int cr_input_open(struct cr_input *in, const char *path, struct cr_error *err);
/* fd stays the caller's. */
int cr_input_open_fd(struct cr_input *in, int fd, struct cr_error *err);
/* All of len bytes at offset, or an error that says where. */
int cr_input_read(const struct cr_input *in, uint64_t offset, void *buf,
		  size_t len, struct cr_error *err);
void cr_input_close(struct cr_input *in);

#endif

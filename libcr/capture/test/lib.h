/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib.h - programs to capture, and what came out, for the tests of capture */
#ifndef CR_CAPTURE_TEST_LIB_H
#define CR_CAPTURE_TEST_LIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"
#include "image/reader.h"

/* Memory shared with the program under test. */
struct shared {
	volatile int ready, stop, failed, count;
	char why[256];
	uint64_t addr[8];
	int fd[8];
};
extern struct shared *sh;

int lib_setup(void **state);
/* Runs f in a child without inherited descriptors; waits for sh->ready. */
pid_t lib_spawn(void (*f)(void));
void lib_kill(pid_t pid);
/* The program finds something wrong. */
void lib_fail(const char *why);
#define EXPECT(cond)                                                           \
	do {                                                                   \
		if (!(cond))                                                   \
			lib_fail(#cond);                                       \
	} while (0)

/* One capture of a tree, from check to commit; fails the test if it fails. */
struct cr_reader *lib_capture(pid_t pid, int snapshot);
/* The same for any scope; NULL with err where it fails. */
struct cr_reader *lib_try(const struct cr_capture_options *opt,
			  struct cr_error *err);
/* Bytes of an address space, or shared memory, of the image. */
void lib_memory(struct cr_reader *r, uint32_t space, uint64_t addr, void *buf,
		size_t len);
const struct cr_fd *lib_fd(const struct cr_process *p, int fd);

#endif

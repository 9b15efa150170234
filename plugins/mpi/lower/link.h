/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - what the two halves tell each other at the boot
 *
 * Lies in the upper half; its address is in the lower half's environment
 * (CR_LOWER_LINK, hexadecimal) and is taken out by lh_main.
 */
#ifndef CR_LOWER_LINK_H
#define CR_LOWER_LINK_H

#include "mpi/lower/lower.h"

#define CR_LOWER_LINK_ENV "CR_LOWER_LINK"
#define CR_LOWER_LINK_VERSION 1
#define CR_LOWER_THREADS 512

struct cr_lower_link {
	unsigned int version; /* lh_main and library belong together */

	/* upper half; called with the lower half's FS base */
	void (*back)(void); /* lh_main is ready; does not return */
	/* the program's exit(); returns if the thread is not the program's */
	void (*leave)(int status);

	/* lower half; called with an FS base of the lower half */
	void *(*symbol)(const char *name);
	unsigned long (*make_tcb)(void); /* 0: no more threads allowed */
	void (*flush)(void);
	/*
	 * Tries the entry points of its libc that make descriptors and
	 * memory; NULL or the name of one that went past the hook.
	 */
	const char *(*probe)(bool (*fd_is_known)(int fd));
	void *r_debug; /* for debuggers */
	unsigned long main_fs;	  /* control block of the booting thread */
	unsigned long factory_fs; /* one on which further ones are made */
	unsigned long spare_fs;	  /* the first of the pool */
	long upper_offset;	  /* struct cr_lower_tls from the FS base */
	long tid_offset;	  /* libc's thread id from the FS base */
	char error[256];	  /* why the boot failed, "" if it did not */
	/* threads of its own, 0: ended or free */
	int thread[CR_LOWER_THREADS];
	unsigned int threads_lost; /* not recorded: table full */
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.h - how the lower half comes up, for the files of this folder */
#ifndef CR_LOWER_BOOT_H
#define CR_LOWER_BOOT_H

#include <link.h>

#include "mpi/lower/link.h"

extern struct cr_lower_link cr_lower_link CR_LOWER_HIDDEN;

/* ---- elf.c ---- */

struct cr_elf {
	unsigned long base, entry, phdr;
	unsigned int phnum;
};

/* Maps the program interpreter at path into the arena, text rewritten. */
int cr_elf_map(const char *path, struct cr_elf *elf, struct cr_error *err)
	CR_LOWER_HIDDEN;
/* Path of the dynamic linker that the program itself runs under. */
void cr_elf_interpreter(char *path, size_t size) CR_LOWER_HIDDEN;

/* ---- stack.c ---- */

/*
 * Makes the first stack of a program: arguments, environment (a filtered
 * copy of envp and what we add), auxiliary vector.  Its stack pointer is put
 * in *sp.
 */
int cr_stack_make(const struct cr_elf *ld, const char *const argv[],
		  char *const envp[], unsigned long *sp, struct cr_error *err)
	CR_LOWER_HIDDEN;
/* A value of the auxiliary vector that the kernel now has for us. */
unsigned long cr_stack_auxv(unsigned long type) CR_LOWER_HIDDEN;

/* ---- cross.S ---- */

void cr_boot_go(unsigned long stack, unsigned long entry,
		unsigned long save[8]) CR_LOWER_HIDDEN;
void cr_boot_return(const unsigned long save[8])
	__attribute__((noreturn)) CR_LOWER_HIDDEN;

/* ---- thread.c ---- */

/* The lower half is up: the calling thread has its main control block. */
void cr_thread_init(void) CR_LOWER_HIDDEN;
/* Forgets all control blocks; the lock is made anew. */
void cr_thread_reset(void) CR_LOWER_HIDDEN;

/* ---- deliver.c ---- */

/* Handlers on top of a call with an active slot wait from now on. */
void cr_signals_close(void) CR_LOWER_HIDDEN;
bool cr_signals_running(void) CR_LOWER_HIDDEN;
void cr_signals_open(void) CR_LOWER_HIDDEN;
/* As cr_signals_open(), in a process where none can be running. */
void cr_signals_reset(void) CR_LOWER_HIDDEN;

/* ---- check.c ---- */

/* Remembers what the process has before the boot. */
void cr_check_baseline(void) CR_LOWER_HIDDEN;

#endif

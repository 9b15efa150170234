/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.h - for tests: a program with libcr and a requester that needs no
 * ptrace
 *
 * The test process is the requester and never uses libcr itself; the program
 * is a child of it that runs a function and tells what happens by adding
 * letters to a log in shared memory.
 */
#ifndef CR_TEST_PROGRAM_H
#define CR_TEST_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "libcr.h"
#include "libcr_ext.h"
#include "runtime/rendezvous.h"

#define LIMIT_MS 20000 /* for anything to happen */

struct shared {
	_Atomic int stage; /* set by the program */
	_Atomic int go;	   /* set by the test */
	_Atomic int n;
	char log[256]; /* letters in the order of note() */
	_Atomic int value[8];
};
extern struct shared *shared;

/* In the program. */
void note(char c);
void stage(int n);
void wait_go(int n);
void check(bool ok, const char *what);
#define CHECK(cond) check(cond, #cond)

/* In the test. */
int program_setup(void **state); /* for each test */
int program_teardown(void **state);
pid_t program_start(void (*run)(void));
void program_end(pid_t pid); /* asserts that it ends with status 0 */
void wait_stage(int n);
void wait_log(const char *text);
void wait_value(int i, int value);
struct cr_rendezvous *request(pid_t pid);
void expect(struct cr_rendezvous *r, enum cr_rendezvous_state goal);
/* Asserts that it fails with this code. */
void expect_failure(struct cr_rendezvous *r, int code, const char *text);
/* A whole checkpoint that succeeds. */
void checkpoint(pid_t pid);
/* To READY, then what restore does, seen from inside the same process. */
void restart(pid_t pid);
void sleep_ms(int ms);

#endif

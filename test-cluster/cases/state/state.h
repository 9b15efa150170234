/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - small programs that look at one piece of state each
 *
 * Each STATE() is a program of its own: it makes something, calls
 * checkpoint(), and checks that everything is as it was.  It runs on after
 * the checkpoint, and again after each restart; both times it must return.
 * A REFUSED() one is not to be saved: TEXT, a basic regular expression, is
 * in the message of cr_checkpoint and of its --check, and the program runs on.
 * A LATE() one is refused only when the program stands still, which --check
 * does not do.  A FAILS() one is saved, but cr_restart says TEXT.  The table of all of them is the sources: state.sh
 * and scripts/check find them by grep, so the macro's name begins its line.
 */
#ifndef STATE_H
#define STATE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct state_case {
	const char *name, *text;
	void (*run)(void);
	struct state_case *next;
};
void state_add(struct state_case *c);

#define STATE_CASE_(id, pattern)                                      \
	static void id(void);                                         \
	static struct state_case id##_case = { #id, pattern, id, 0 }; \
	__attribute__((constructor)) static void id##_add(void)       \
	{                                                             \
		state_add(&id##_case);                                \
	}                                                             \
	static void id(void)
#define STATE(id) STATE_CASE_(id, "")
#define REFUSED(id, text) STATE_CASE_(id, text)
#define LATE(id, text) STATE_CASE_(id, text)
#define FAILS(id, text) STATE_CASE_(id, text)

/* Says that all is made and comes back when the checkpoint is over. */
void checkpoint(void);
/* The same for a process that is not the first: it only waits. */
void await_checkpoint(void);
/* A child that runs fn(); its exit status tells whether it came back. */
pid_t child(void (*fn)(void));
/* Waits for it; it must have come back. */
void join(pid_t pid);
/* Runs fn() and waits, as a process that is none of the tree. */
void outsider(void (*fn)(void));
/*
 * After the checkpoint: runs fn() as somebody else, who stays until the test
 * has ended and its directory is gone.  Comes back when fn() has.
 */
void somebody_else(void (*fn)(void));
/* Ends, because this cannot be had here. */
void skip(const char *why) __attribute__((noreturn));
/* eventfd(2), where the kernel tells all of it (since Linux 6.5). */
int make_eventfd(unsigned int value, int flags);
/* Ends with "what: file:line" (and errno) where the driver finds it. */
void fail_at(const char *file, int line, const char *what)
	__attribute__((noreturn));
/* Opens a file that was not there before; flags of open(2) besides O_CREAT. */
int new_file(const char *name, int flags);
/* fds a and b are the same open file description. */
bool same_description(int a, int b);
int64_t now_ns(clockid_t clock);

#define CHECK(cond)                                             \
	do {                                                    \
		errno = 0;                                      \
		if (!(cond))                                    \
			fail_at(__FILE__, __LINE__, #cond);     \
	} while (0)

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lib.h - for the tests of the module
 *
 * They start as root, make what they need, and call the device as an ordinary
 * user.  expect() tells what was not as it should be and goes on;
 * test_end() is main()'s result.
 */
#ifndef TEST_LIB_H
#define TEST_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "uapi/cr.h"

#define USER 1000
#define STRANGER 1001
#define ENOUGH_MS 60000 /* for what ends by itself, however slow it is here */

void expect_at(bool ok, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#define expect(ok, ...) expect_at(ok, __FILE__, __LINE__, __VA_ARGS__)
int test_end(void);

/* 0 or -errno */
int call(int dev, unsigned long cmd, void *arg);
int attach(int dev, pid_t pid);
int dev_open(void);
/* Can the module here stop threads?  Says so if not. */
bool can_stop_threads(void);
int dev_stop(int dev, pid_t pid, uint32_t ms, struct cr_ioc_stop *arg);
/* Becomes an ordinary user without any right. */
void become(uid_t uid);
/* A child that is uid by now and runs fn; it dies with us. */
pid_t start_as(uid_t uid, void (*fn)(void *), void *arg);
/* A child that runs fn as uid and whose failures are ours. */
void run_as(uid_t uid, void (*fn)(void *), void *arg);
void finish(pid_t pid);
/* Polls until fn is true; false after a minute. */
bool wait_until(bool (*fn)(void *), void *arg);
/* The state letter of /proc/PID/stat. */
char state_of(pid_t pid);
void wait_state(pid_t pid, const char *letters);
/* Until so much of its memory is swapped out. */
void wait_swapped(pid_t pid, size_t bytes);
bool write_text(const char *path, const char *text);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soak.h - what the threads of the soak share */
#ifndef SOAK_H
#define SOAK_H

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pthread.h>
#include <signal.h>

#define PROCS 50
#define THREADS 10
#define ACCOUNTS 64
#define MONEY 1000
#define RT SIGRTMIN

struct shared {
	pthread_mutex_t bank;
	long account[ACCOUNTS];
	atomic_long done[PROCS][THREADS];
	atomic_int failed;
};

extern struct shared *sh;
extern int me;		   /* which process */
extern int from_fd, to_fd; /* the ring of pipes */
extern int pair_fd[2];	   /* with the neighbour; in it one of the two */
extern _Thread_local uint64_t seed;
extern _Thread_local int my_thread;

/* tools.c */
void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint64_t next(void);
unsigned int below(unsigned int n);
/* It must not come back early, nor be interrupted. */
void nap(void);
/* Something is done; sometimes it naps. */
void step(void);
/* Bytes that tell whose they are. */
void fill(unsigned char *p, size_t len, uint64_t key);
void verify(const unsigned char *p, size_t len, uint64_t key);
void read_all(int fd, void *buf, size_t len);

/* work.c: threads, which never return */
void *player(void *arg); /* 0 or 1 of the two */
void *pipe_writer(void *arg);
void *pipe_reader(void *arg);
void *socket_writer(void *arg);
void *socket_reader(void *arg);
void *mapper(void *arg);
void *forker(void *arg);
void *signaller(void *arg);
/* Of RT + 3, for the last one, and how often it ran. */
extern _Thread_local volatile int handled;
void handler(int sig, siginfo_t *info, void *context);

#define CHECK(cond)                                                        \
	do {                                                               \
		errno = 0;                                                 \
		if (!(cond))                                               \
			wrong("%s, line %d: %s: %s", __func__, __LINE__,   \
			      #cond, strerror(errno));                     \
	} while (0)

#endif

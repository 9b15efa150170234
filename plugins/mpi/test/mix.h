/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mix.h - between the files of the program mix */
#ifndef MIX_H
#define MIX_H

#include <mpi.h>
#include <stdint.h>

#define MAX_WORDS (1 << 16)

extern int rank, size;
extern uint64_t shared, own, sum; /* random states, checksum */
extern uint64_t *a, *b;		  /* MAX_WORDS each */
extern MPI_Comm world2;
extern long step;

uint64_t draw(uint64_t *s);
void add(const uint64_t *v, int n);
void fill(uint64_t *v, int n);
int words(void);
void pause_some(void);
/* Ends the program if not true. */
void must(int true_, const char *what);

/* mix_more.c */
void modes(void);
void in_place(void);
void cancelled(void);
void layouts(void);
void attributes(void);
void restarted_requests(void);
void order(void);
void noncommutative(void);

#endif

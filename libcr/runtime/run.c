/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c - libcr_run: what cr_run preloads
 *
 * A program needs nothing inside to be checkpointed; this brings libcr into
 * it, for programs that look for its functions at run time.
 */
#include "libcr.h"

int cr_run_link_me;

/* keeps libcr among the libraries that are needed */
extern int *const cr_run_needs;
int *const cr_run_needs = &cr_link_me;

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * yield.c - the lower half's sched_yield sleeps now and then, so that a rank
 * that waits cannot keep others from the processor; not while libcr's thread
 * has the token
 */
#include <sys/resource.h>

#include "mpi/lower/test/test.h"

#define YIELDS (100 * 1024)

static int (*lower_yield)(void);

static long sleeps(void)
{
	struct rusage u;

	CHECK(!getrusage(RUSAGE_THREAD, &u));
	return u.ru_nvcsw;
}

static long yield_often(void)
{
	long before = sleeps();

	for (int i = 0; i < YIELDS; i++)
		CHECK(!CR_LOWER(lower_yield()));
	return sleeps() - before;
}

static bool outside(void *arg)
{
	return false;
}

int main(void)
{
	struct cr_error err = { 0 };

	CHECK(!cr_lower_boot(NULL, environ, &err));
	CHECK((lower_yield = cr_lower_symbol("sched_yield")));
	CHECK(yield_often() >= YIELDS / 1024 / 2);
	CHECK(!cr_lower_token_take(outside, outside, NULL));
	CHECK(yield_often() < YIELDS / 1024 / 2);
	cr_lower_token_give();
	printf("waiting leaves the processor to others\n");
	return 0;
}

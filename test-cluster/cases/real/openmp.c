// SPDX-License-Identifier: GPL-2.0-or-later
/* openmp.c - parallel loops, reductions, tasks, locks; until there is ./go */
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEPS 50
#define N 200000

static uint32_t a[N];

static long fib(int n)
{
	long x, y;

	if (n < 12)
		return n < 2 ? n : fib(n - 1) + fib(n - 2);
#pragma omp task shared(x)
	x = fib(n - 1);
#pragma omp task shared(y)
	y = fib(n - 2);
#pragma omp taskwait
	return x + y;
}

static uint64_t step(int n)
{
	uint64_t sum = 0, ordered = 0, hits = 0;
	long f = 0;

#pragma omp parallel for schedule(dynamic, 1000) reduction(+ : sum)
	for (int i = 0; i < N; i++) {
		uint32_t x = (uint32_t)(i + n);

		for (int k = 0; k < 20; k++)
			x = x * 1103515245u + 12345u;
		a[i] = x;
		sum += x;
	}
#pragma omp parallel for ordered schedule(static, 1)
	for (int i = 0; i < 64; i++) {
		uint32_t x = a[i * 1000] % 1000;
#pragma omp ordered
		ordered = ordered * 31 + x;
	}
#pragma omp parallel num_threads(4)
	{
#pragma omp single
		f = fib(18 + n % 3);
#pragma omp barrier
#pragma omp critical
		hits += (uint64_t)(omp_get_thread_num() + 1);
	}
	return sum * 7 + ordered * 5 + (uint64_t)f * 3 + hits;
}

int main(void)
{
	uint64_t seen[STEPS], acc = 1, x;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	omp_set_num_threads(4);
	for (i = 0; i < STEPS || access("go", F_OK); i++) {
		x = step(i % STEPS);
		if (i < STEPS) {
			seen[i] = x;
			acc = acc * 69069 + x;
			printf("%d: %lx: %lx\n", i, (long)x, (long)acc);
		} else if (seen[i % STEPS] != x) {
			printf("wrong: %d: %lx\n", i % STEPS, (long)x);
		}
	}
	printf("end: %lx\n", (long)acc);
	return 0;
}

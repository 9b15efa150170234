// SPDX-License-Identifier: GPL-2.0-or-later
/* fill.c - a process with MIB MiB of memory of which no page is like another
 *
 * usage: fill MIB; prints "ready", then waits to be killed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t n = (size_t)atoi(argc > 1 ? argv[1] : "256") << 20;
	uint64_t *p = malloc(n), x = 88172645463325252;

	if (!p)
		return 1;
	for (size_t i = 0; i < n / sizeof(*p); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

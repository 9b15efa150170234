/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ticker.c - counts until the file "go" is there, then returns 5 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "one"
#endif

int main(int argc, char **argv)
{
	FILE *f = argc > 1 ? fopen(argv[1], "w") : NULL;
	char *heap = malloc(3 << 20);

	memset(heap, 1, 3 << 20);
	printf("ready, version " VERSION "\n");
	fflush(stdout);
	while (access("go", F_OK)) {
		if (f) {
			fputc('x', f);
			fflush(f);
		}
		usleep(3000);
	}
	printf("done\n");
	return 5;
}

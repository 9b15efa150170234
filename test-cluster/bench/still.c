// SPDX-License-Identifier: GPL-2.0-or-later
/* still.c - a process with much memory that notices when it stands still
 *
 * usage: still MIB
 *
 * Fills MIB MiB, prints "fork SECONDS" (the best of five), "write SECONDS"
 * and "read SECONDS" for as many bytes to and from the file still.data, then
 * "ready PID".  From then on it watches the clock and prints every moment
 * longer than half a millisecond in which it did not run: "still FROM TO",
 * in seconds of CLOCK_REALTIME.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double fork_once(void)
{
	double t = now();
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	t = now() - t;
	waitpid(pid, NULL, 0);
	return t;
}

static double transfer(char *mem, size_t size, int out)
{
	int fd = open("still.data", out ? O_WRONLY | O_CREAT | O_TRUNC
					: O_RDONLY, 0600);
	double t = now();
	size_t done = 0;
	ssize_t n = 1;

	while (fd >= 0 && done < size && n > 0) {
		size_t part = size - done < 1 << 20 ? size - done : 1 << 20;

		n = out ? write(fd, mem + done, part)
			: read(fd, mem + done, part);
		done += n > 0 ? n : 0;
	}
	if (done < size || (out && fsync(fd))) {
		perror("still.data");
		exit(1);
	}
	close(fd);
	return now() - t;
}

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20, i;
	uint64_t x = 88172645463325252ULL;
	double best = 1e9, t, last;
	uint64_t *mem;
	char *fresh;

	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (i = 0; i < size / 8; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		mem[i] = x;
	}
	for (i = 0; i < 5; i++) {
		t = fork_once();
		best = t < best ? t : best;
	}
	printf("fork %.6f\n", best);
	printf("write %.6f\n", transfer((char *)mem, size, 1));
	fresh = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	printf("read %.6f\n", transfer(fresh, size, 0));
	munmap(fresh, size);
	unlink("still.data");
	printf("ready %d\n", getpid());
	fflush(stdout);

	for (last = now();; last = t) {
		t = now();
		if (t - last > 0.0005) {
			printf("still %.6f %.6f\n", last, t);
			fflush(stdout);
		}
	}
}

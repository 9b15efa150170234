/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * again.c - a program that restarts a context file and waits for it
 *
 *	cc -o again again.c -lcr
 *	./again context.4711 [OLD NEW]...
 *
 * The child that the library makes stands for the restarted processes: this
 * program ends with their status.  What has moved from OLD to NEW since the
 * checkpoint is found there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libcr.h>

int main(int argc, char **argv)
{
	struct cr_rstrt_relocate moves = { 0 };
	cr_restart_args_t args;
	cr_restart_handle_t handle;
	char *messages;
	int status, i;
	pid_t child;

	if (argc < 2 || argc % 2 || argc > 2 + 2 * CR_MAX_RSTRT_RELOC) {
		fprintf(stderr, "usage: again FILE [OLD NEW]...\n");
		return 2;
	}
	for (i = 2; i < argc; i += 2) {
		moves.path[moves.count].oldpath = argv[i];
		moves.path[moves.count++].newpath = argv[i + 1];
	}
	cr_init();
	cr_initialize_restart_args_t(&args);
	args.cr_relocate = &moves;
	args.cr_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (args.cr_fd < 0) {
		perror(argv[1]);
		return 2;
	}
	if (cr_request_restart(&args, &handle)) {
		fprintf(stderr, "again: %s\n", cr_strerror(errno));
		return 2;
	}
	close(args.cr_fd);
	child = cr_poll_restart_msg(&handle, NULL, &messages);
	if (child < 0) {
		fprintf(stderr, "again: %s\n%s", cr_strerror(errno),
			messages ? messages : "");
		free(messages);
		return 2;
	}
	free(messages);
	printf("again: runs as child %d\n", (int)child);
	fflush(stdout);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 2;
	printf("again: %s %d\n", WIFEXITED(status) ? "status" : "signal",
	       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * killer.c - "killer USEC CMD...": runs cr_checkpoint and kills its helper,
 * the tracer, USEC microseconds after that has begun
 *
 * Exit status 0 if it was killed, 1 if it had ended before.
 */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The child of parent with this name, 0: there is none. */
static pid_t child_of(pid_t parent, const char *name)
{
	char path[300], line[512], *end;
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;
	int ppid;
	FILE *f;

	while (!found && (e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f) &&
		    (end = strrchr(line, ')')) &&
		    sscanf(end + 1, " %*c %d", &ppid) == 1 && ppid == parent &&
		    strstr(line, name))
			found = atoi(e->d_name);
		fclose(f);
	}
	closedir(d);
	return found;
}

int main(int argc, char **argv)
{
	long usec = atol(argv[1]);
	struct timespec t = { usec / 1000000, usec % 1000000 * 1000 };
	pid_t command = fork(), tracer = 0;
	int status, killed = 0;

	if (command == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while (!tracer && waitpid(command, &status, WNOHANG) == 0)
		tracer = child_of(command, "(cr_tracer)");
	nanosleep(&t, NULL);
	if (tracer && child_of(command, "(cr_tracer)") == tracer)
		killed = kill(tracer, SIGKILL) == 0;
	waitpid(command, &status, 0);
	return !killed;
}

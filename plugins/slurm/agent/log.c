/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - the agent's diary: one dated line per event */
#include "plugins/slurm/agent/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int log_fd = STDERR_FILENO;

int cr_log_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	log_fd = fd;
	return 0;
}

int cr_log_descriptor(void)
{
	return log_fd;
}

void cr_log(const char *fmt, ...)
{
	char line[2048];
	time_t now = time(NULL);
	struct tm tm;
	size_t n;
	va_list ap;

	n = strftime(line, sizeof(line), "%FT%T ", localtime_r(&now, &tm));
	n += snprintf(line + n, sizeof(line) - n, "[%d] ", (int)getpid());
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	/* what peers send may be in it: one event stays one line */
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	strcat(line, "\n");
	if (write(log_fd, line, strlen(line)) < 0)
		return; /* nowhere to say it */
}

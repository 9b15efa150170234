/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptors.c - for commands that are started with some of 0, 1, 2 closed */
#include "commands/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

int cr_descriptors_fill(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		/* the first that is free; good for what nobody does with it */
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			return -1;
	return 0;
}

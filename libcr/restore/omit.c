/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * omit.c - leaves the restart command and its supervisor out of checkpoints
 *
 * They say so in the way that libcr does: by a control block that whoever
 * looks at the process from outside finds.  The stubs unmap it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "restore/build.h"
#include "runtime/control.h"

static struct cr_control *block;

int cr_omit_create(const struct cr_restore_options *opt, struct cr_error *err)
{
	struct cr_control *c = MAP_FAILED;
	int fd, ret = 0;

	if (opt->omit == CR_OMIT_NEVER || block)
		return 0;
	fd = memfd_create(CR_CONTROL_NAME, MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, CR_CONTROL_SIZE))
		ret = -errno;
	if (!ret)
		c = mmap(NULL, CR_CONTROL_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE, fd, 0);
	if (!ret && c == MAP_FAILED)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	if (ret)
		return cr_error_set(err, ret, "a block of memory: %s",
				    strerror(-ret));
	c->version = CR_CONTROL_VERSION;
	c->size = CR_CONTROL_SIZE;
	c->omit_process = opt->omit == CR_OMIT_ALWAYS ? CR_CONTROL_OMIT
						      : CR_CONTROL_OMIT_ROOT;
	c->magic = CR_CONTROL_MAGIC;
	block = c;
	cr_omit_here();
	return 0;
}

void cr_omit_here(void)
{
	if (block)
		block->pid = getpid();
}

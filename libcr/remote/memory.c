/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - read and write the memory of another process */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "remote/internal.h"

/* What process_vm_*v() may not touch (by protection) /proc/PID/mem may. */
static int mem_file(pid_t pid, uint64_t addr, void *buf, size_t len, bool wr)
{
	char path[64];
	size_t done = 0;
	ssize_t n;
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, (wr ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done < len) {
		if (wr)
			n = pwrite(fd, (char *)buf + done, len - done,
				   (off_t)(addr + done));
		else
			n = pread(fd, (char *)buf + done, len - done,
				  (off_t)(addr + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ret = n < 0 ? -errno : -EIO;
			break;
		}
		done += (size_t)n;
	}
	close(fd);
	return ret;
}

static int transfer(pid_t pid, uint64_t addr, void *buf, size_t len, bool wr,
		    struct cr_error *err)
{
	struct iovec local, remote;
	size_t done = 0;
	ssize_t n;
	int ret;

	while (done < len) {
		local.iov_base = (char *)buf + done;
		local.iov_len = len - done;
		remote.iov_base = (void *)(uintptr_t)(addr + done);
		remote.iov_len = len - done;
		if (wr)
			n = process_vm_writev(pid, &local, 1, &remote, 1, 0);
		else
			n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == len)
		return 0;
	ret = mem_file(pid, addr + done, (char *)buf + done, len - done, wr);
	if (ret)
		return cr_error_set(
			err, ret,
			"process %d: %s %zu bytes at 0x%" PRIx64 ": %s", pid,
			wr ? "write" : "read", len, addr, strerror(-ret));
	return 0;
}

int cr_remote_read(pid_t pid, uint64_t addr, void *buf, size_t len,
		   struct cr_error *err)
{
	return transfer(pid, addr, buf, len, false, err);
}

int cr_remote_write(pid_t pid, uint64_t addr, const void *buf, size_t len,
		    struct cr_error *err)
{
	return transfer(pid, addr, (void *)(uintptr_t)buf, len, true, err);
}

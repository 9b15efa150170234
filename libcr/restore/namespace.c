/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* namespace.c - the inside of the namespaces that a restart is given */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "restore/build.h"

static int write_file(const char *path, const char *text, struct cr_error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = cr_error_set(err, -errno, "user namespace: %s: %s", path,
				   strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Every user but our own is a stranger there; ours keeps its number. */
static int map_ids(uid_t uid, gid_t gid, struct cr_error *err)
{
	char line[64];
	int ret;

	ret = write_file("/proc/self/setgroups", "deny", err);
	if (ret < 0)
		return ret;
	snprintf(line, sizeof(line), "%u %u 1", uid, uid);
	ret = write_file("/proc/self/uid_map", line, err);
	if (ret < 0)
		return ret;
	snprintf(line, sizeof(line), "%u %u 1", gid, gid);
	return write_file("/proc/self/gid_map", line, err);
}

int cr_namespace_enter(uid_t uid, gid_t gid, bool user, struct cr_error *err)
{
	int ret;

	if (user) {
		ret = map_ids(uid, gid, err);
		if (ret < 0)
			return ret;
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return cr_error_set(err, -errno, "mount namespace: %s",
				    strerror(errno));
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return cr_error_set(err, -errno,
				    "mounting /proc for the restored "
				    "processes: %s",
				    strerror(errno));
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* local.c - the agent's place on its node: directory, lock, socket */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugins/slurm/agent/agent.h"
#include "plugins/slurm/agent/log.h"

#define LOCAL_CLAIM_MS 10000
#define LOCAL_RUN "/tmp/stillpoint-%d"

/* Nobody else may have made it: in /tmp anybody can. */
static int local_own_dir(const char *path, struct cr_error *err)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return cr_error_set(err, -errno, "cannot create %s: %s", path,
				    strerror(errno));
	if (lstat(path, &st) || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 077))
		return cr_error_set(err, -EPERM,
				    "%s is not a directory of ours alone",
				    path);
	return 0;
}

int cr_agent_local_dir(struct cr_agent *a, struct cr_error *err)
{
	struct stat st;
	int rc;

	snprintf(a->run, sizeof(a->run), LOCAL_RUN, (int)geteuid());
	rc = local_own_dir(a->run, err);
	if (rc)
		return rc;
	snprintf(a->run, sizeof(a->run), LOCAL_RUN "/%u", (int)geteuid(),
		 a->job);
	/* a job restored here under another number may have left a link */
	if (!lstat(a->run, &st) && S_ISLNK(st.st_mode))
		unlink(a->run);
	return local_own_dir(a->run, err);
}

/* Tells the agent that is there about our slurmstepd. */
static int local_tell(const struct cr_agent *a, const char *path)
{
	struct cr_register m = { .kind = CR_REGISTER_STEPD,
				 .rank = -1,
				 .value = a->stepd };

	return cr_register_send(path, &m, NULL, 2000);
}

/*
 * 1: locked.  0: by another.  One that ends removes the file while it holds
 * the lock, so a lock counts only if the file still has its name.
 */
static int local_lock(struct cr_agent *a, struct cr_error *err)
{
	struct stat mine, there;
	char path[PATH_MAX];

	cr_agent_local_dir(a, err);
	snprintf(path, sizeof(path), "%s/lock", a->run);
	a->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->lock < 0)
		return cr_error_set(err, -errno, "cannot open %s: %s", path,
				    strerror(errno));
	if (!flock(a->lock, LOCK_EX | LOCK_NB) && !fstat(a->lock, &mine) &&
	    !lstat(path, &there) && mine.st_ino == there.st_ino)
		return 1;
	close(a->lock);
	return 0;
}

int cr_agent_local_claim(struct cr_agent *a, struct cr_error *err)
{
	long end = cr_loop_now() + LOCAL_CLAIM_MS;
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/agent", a->run);
	do {
		rc = local_lock(a, err);
		if (rc)
			return rc;
		if (!local_tell(a, path))
			return 0;
		/* it is just coming or going */
		poll(NULL, 0, 50);
	} while (cr_loop_now() < end);
	return cr_error_set(err, -EBUSY, "the job's agent does not answer");
}

static void local_message(int fd, short revents, void *arg)
{
	struct cr_agent *a = arg;
	struct cr_register m;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	ssize_t n;

	(void)revents;
	cr_loop_unwatch(a->loop, fd);
	n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);
	if (!n) { /* only wanted to know whether we listen */
		close(fd);
		return;
	}
	if (n != (ssize_t)sizeof(m) ||
	    m.magic != CR_REGISTER_MAGIC ||
	    m.version != CR_REGISTER_VERSION ||
	    !memchr(m.world, '\0', sizeof(m.world)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) ||
	    (cred.uid != geteuid() && cred.uid != 0)) {
		cr_log("refused: a local message that is not ours");
		close(fd);
		return;
	}
	cr_node_register(&a->node, &m, cred.pid, fd);
}

static void local_accept(int fd, short revents, void *arg)
{
	struct cr_agent *a = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)revents;
	if (client >= 0 &&
	    cr_loop_watch(a->loop, client, POLLIN, local_message, a))
		close(client);
}

int cr_agent_local_listen(struct cr_agent *a, struct cr_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/agent", a->run);
	unlink(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(fd, 1024))
		return cr_error_set(err, -errno, "cannot listen at %s: %s",
				    sa.sun_path, strerror(errno));
	a->listen_local = fd;
	return cr_loop_watch(a->loop, fd, POLLIN, local_accept, a);
}

/* The lock is let go last, by the end of the process. */
void cr_agent_local_close(struct cr_agent *a)
{
	static const char *const names[] = { "agent", "environment", "lock" };
	char path[PATH_MAX];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", a->run, names[i]);
		unlink(path);
	}
	rmdir(a->run);
	snprintf(path, sizeof(path), LOCAL_RUN, (int)geteuid());
	rmdir(path); /* if it was the last job */
}

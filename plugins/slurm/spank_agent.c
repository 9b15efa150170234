/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spank_agent.c - starts cr_agent from inside slurmstepd */
#include "plugins/slurm/spank_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SPANK_AGENT_SECONDS 20
#define SPANK_AGENT_GROUPS 1024

const char *spank_agent_path(const char *variable, const char *configured)
{
	const char *v = getenv(variable);

	return v && *v == '/' ? v : configured;
}

/* From effective to real: nothing of root may be left in the agent. */
static int spank_agent_drop(const struct spank_agent *a)
{
	gid_t groups[SPANK_AGENT_GROUPS];
	int n;

	if (getuid() == a->uid)
		return 0; /* slurmd itself is not root */
	n = getgroups(SPANK_AGENT_GROUPS, groups);
	if (n < 0 || seteuid(0) || setgroups(n, groups) ||
	    setresgid(a->gid, a->gid, a->gid) ||
	    setresuid(a->uid, a->uid, a->uid))
		return -1;
	return setuid(0) ? 0 : -1; /* must not be possible any more */
}

static void spank_agent_child(const struct spank_agent *a, int fd)
{
	char job[16], stepd[16], period[24], keep[16];
	char path[PATH_MAX], conf[PATH_MAX + 16], fault[80];
	const char *slurm_conf = getenv("SLURM_CONF");
	char *env[] = { "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8",
			conf, fault, NULL };
	char *argv[24] = { "cr_agent", "--job", job, "--stepd", stepd,
			   "--dir", (char *)a->dir, "--site",
			   (char *)a->site, "--period", period, "--keep", keep };
	int n = 13;
	sigset_t none;

	if (a->step == SPANK_AGENT_BATCH_STEP)
		argv[n++] = "--batch";
	if (a->first)
		argv[n++] = "--first";
	snprintf(job, sizeof(job), "%u", a->job);
	snprintf(stepd, sizeof(stepd), "%d", (int)getppid());
	snprintf(period, sizeof(period), "%ld", a->period);
	snprintf(keep, sizeof(keep), "%d", a->keep);
	snprintf(conf, sizeof(conf), "SLURM_CONF=%s",
		 slurm_conf ? slurm_conf : "");
	if (!slurm_conf)
		strcpy(conf, "STILLPOINT=1");
	snprintf(fault, sizeof(fault), "CR_AGENT_FAULT=%s", a->fault);
	snprintf(path, sizeof(path), "%s/cr_agent",
		 spank_agent_path("CR_LIBEXEC", PKGLIBEXECDIR));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	if (spank_agent_drop(a) || dup2(fd, 2) < 0 ||
	    dup2(open("/dev/null", O_RDWR), 0) < 0 || dup2(0, 1) < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	execve(path, argv, env);
	dprintf(2, "%s: %s", path, strerror(errno));
	_exit(127);
}

bool spank_agent_listens(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool yes;

	if (fd < 0 || strlen(path) >= sizeof(a.sun_path)) {
		close(fd);
		return false;
	}
	strcpy(a.sun_path, path);
	yes = !connect(fd, (struct sockaddr *)&a, sizeof(a));
	close(fd);
	return yes;
}

/* What is written until the end of the file is why there is no agent. */
static int spank_agent_listen(int fd, char *text, size_t size)
{
	time_t end = time(NULL) + SPANK_AGENT_SECONDS;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	for (;;) {
		long left = end - time(NULL);

		if (left <= 0 || len == size - 1) {
			snprintf(text, size, "its agent does not come up");
			return -ETIMEDOUT;
		}
		if (poll(&p, 1, left * 1000) <= 0)
			continue;
		n = read(fd, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return len ? -EIO : 0;
}

int spank_agent_start(const struct spank_agent *a, char *text, size_t size)
{
	int pipefd[2], rc;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC)) {
		snprintf(text, size, "pipe: %s", strerror(errno));
		return -errno;
	}
	pid = fork();
	if (!pid)
		spank_agent_child(a, pipefd[1]);
	close(pipefd[1]);
	if (pid < 0) {
		snprintf(text, size, "fork: %s", strerror(errno));
		rc = -EAGAIN;
	} else {
		rc = spank_agent_listen(pipefd[0], text, size);
	}
	close(pipefd[0]);
	return rc;
}

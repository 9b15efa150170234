/* SPDX-License-Identifier: GPL-2.0-or-later */
/* register.c - the sender's side of register.h */
#include "register.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int register_exchange(int fd, const struct cr_register *m,
			     struct cr_register_reply *reply, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;
	int rc;

	if (send(fd, m, sizeof(*m), MSG_NOSIGNAL) != (ssize_t)sizeof(*m))
		return -errno;
	do
		rc = poll(&p, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return -errno;
	if (rc == 0)
		return -ETIMEDOUT;
	n = recv(fd, reply, sizeof(*reply), 0);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(*reply) ||
	    reply->magic != CR_REGISTER_MAGIC ||
	    reply->version != CR_REGISTER_VERSION)
		return -EPROTO;
	reply->text[sizeof(reply->text) - 1] = '\0';
	return reply->status;
}

int cr_register_send(const char *path, struct cr_register *m,
		     struct cr_register_reply *reply, int timeout_ms)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct cr_register_reply mine;
	int fd, rc;

	if (!reply)
		reply = &mine;
	memset(reply, 0, sizeof(*reply));
	m->magic = CR_REGISTER_MAGIC;
	m->version = CR_REGISTER_VERSION;
	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		rc = -errno;
	else
		rc = register_exchange(fd, m, reply, timeout_ms);
	close(fd);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unix_fill.c - what UNIX sockets have to be received at a restart */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects/unix_set.h"
#include "restore/restore.h"

#define MOST_FDS 253 /* in a message, SCM_MAX_FD */

/* How the next message is sent. */
struct sender {
	int fd, temp; /* temp is closed again */
	struct sockaddr_un to;
	socklen_t to_len;
};

/*
 * Who sent it is not in the image any more, but had this name: so has the one
 * that sends it now.  Its file is there after that if it was there before.
 */
static int stand_in(struct cr_unix_all *a, const struct cr_unix_one *o,
		    const struct cr_blob *name, struct cr_error *err)
{
	struct cr_unix_state s = {
		.type = SOCK_DGRAM, .name = *name, .dir = o->s.dir, .mode = 0600
	};
	struct sockaddr_un at;
	struct stat st = { .st_mode = 0600 };
	socklen_t len;
	int fd = cr_unix_socket(SOCK_DGRAM, err), ret;
	bool there;

	if (fd < 0 || !name->len)
		return fd;
	ret = cr_unix_address(a, name, &at, &len, err);
	if (!ret)
		ret = cr_unix_enter(a, &s, err);
	there = !ret && at.sun_path[0] && !lstat(at.sun_path, &st);
	s.mode = st.st_mode & 07777;
	ret = cr_unix_leave(a, ret, err);
	if (!ret)
		ret = cr_unix_bind(a, fd, &s, err);
	if (!ret && at.sun_path[0] && !there) {
		ret = cr_unix_enter(a, &s, err);
		if (!ret)
			unlink(at.sun_path);
		ret = cr_unix_leave(a, ret, err);
	}
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

static int choose_sender(struct cr_unix_all *a, const struct cr_unix_one *o,
			 const struct cr_unix_message *m, struct sender *s,
			 struct cr_error *err)
{
	struct cr_unix_one *from = cr_unix_find_name(a, &m->from, 0);
	struct cr_unix_one *p = cr_unix_find(a, o->s.peer);

	memset(s, 0, sizeof(*s));
	s->temp = -1;
	s->fd = o->other;
	if (s->fd < 0 && o->s.role == CR_UNIX_CONNECTED && p)
		s->fd = p->fd;
	if (o->s.type != SOCK_DGRAM || o->other >= 0)
		return 0;
	if (from)
		s->fd = from->fd;
	else if (s->fd < 0 || m->from.len)
		s->fd = s->temp = stand_in(a, o, &m->from, err);
	if (s->fd < 0)
		return s->fd;
	return o->s.name.len
		       ? cr_unix_address(a, &o->s.name, &s->to, &s->to_len, err)
		       : 0;
}

static void add_control(struct cr_unix_all *a, const struct cr_unix_message *m,
			struct msghdr *h)
{
	struct ucred who = { m->pid, m->uid, m->gid };
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	size_t used = 0;

	if (m->n_files) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(m->n_files * sizeof(int));
		for (size_t i = 0; i < m->n_files; i++) {
			int fd = cr_restore_file(a->ctx, m->file[i]);

			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
		}
		used += CMSG_SPACE(m->n_files * sizeof(int));
		c = (struct cmsghdr *)((char *)h->msg_control + used);
	}
	if (m->pid) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_CREDENTIALS;
		c->cmsg_len = CMSG_LEN(sizeof(who));
		memcpy(CMSG_DATA(c), &who, sizeof(who));
		used += CMSG_SPACE(sizeof(who));
	}
	h->msg_controllen = used;
	if (!used)
		h->msg_control = NULL;
}

/*
 * What was in the pages of a file may take more room than it took there: so
 * there is twice as much while it is needed.
 */
static ssize_t send_some(int fd, const struct msghdr *h)
{
	socklen_t len = sizeof(int);
	ssize_t n = sendmsg(fd, h, MSG_DONTWAIT | MSG_NOSIGNAL);
	int size, e;

	if (n >= 0 || (errno != EAGAIN && errno != ENOBUFS) ||
	    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len))
		return n;
	/* the kernel doubles what it is given */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
		return -1;
	n = sendmsg(fd, h, MSG_DONTWAIT | MSG_NOSIGNAL);
	e = errno;
	size /= 2;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	errno = e;
	return n;
}

static int deliver(struct cr_unix_all *a, struct cr_unix_one *o,
		   const struct cr_unix_message *m, struct cr_error *err)
{
	union {
		char buf[CMSG_SPACE(MOST_FDS * sizeof(int)) +
			 CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec vec = { m->data.data, m->data.len };
	struct sender s;
	struct msghdr h = { .msg_iov = &vec,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	ssize_t n;
	int ret;

	if (m->n_files > MOST_FDS)
		return cr_error_set(err, -EINVAL,
				    "%zu descriptors in a message", m->n_files);
	ret = choose_sender(a, o, m, &s, err);
	if (!ret)
		ret = cr_unix_enter(a, &o->s, err);
	if (s.to_len) {
		h.msg_name = &s.to;
		h.msg_namelen = s.to_len;
	}
	add_control(a, m, &h);
	while (!ret && vec.iov_len) {
		n = send_some(s.fd, &h);
		if (n < 0) {
			ret = cr_error_set(err, -errno,
					   "data in socket %s cannot be put "
					   "back: %s",
					   cr_unix_text(&o->s.name),
					   strerror(errno));
			break;
		}
		vec.iov_base = (char *)vec.iov_base + n;
		vec.iov_len -= (size_t)n;
		/* descriptors come with the first part */
		h.msg_control = NULL;
		h.msg_controllen = 0;
	}
	if (s.temp >= 0)
		close(s.temp);
	return cr_unix_leave(a, ret, err);
}

/*
 * Who asks for credentials has them only of messages that have them.  Signals
 * of what comes in (O_ASYNC) were sent long ago; they are asked for again
 * later, by the process itself.
 */
static void keep_quiet(const struct cr_unix_one *o)
{
	int off = 0;

	setsockopt(o->fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
	fcntl(o->fd, F_SETFL, fcntl(o->fd, F_GETFL) & ~O_ASYNC);
}

int cr_unix_fill_all(struct cr_unix_all *a, struct cr_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < a->n; i++)
		keep_quiet(&a->one[i]);
	for (size_t i = 0; !ret && i < a->n; i++) {
		struct cr_unix_one *o = &a->one[i];

		size_t early = o->s.role == CR_UNIX_OUTSIDE ||
					       o->s.role == CR_UNIX_CONNECTED
				       ? cr_unix_before_connect(o)
				       : 0;

		for (size_t k = 0; !ret && k < o->s.n_messages; k++) {
			ret = deliver(a, o, &o->s.message[k], err);
			if (!ret && k + 1 == early)
				ret = cr_unix_connect_datagram(a, o, err);
		}
		if (!ret && o->s.reset && send(o->fd, "", 1, MSG_DONTWAIT) != 1)
			ret = cr_error_set(err, -errno,
					   "resetting a socket: %s",
					   strerror(errno));
	}
	for (size_t i = 0; i < a->n; i++)
		cr_sockopts_set(a->one[i].fd, &a->one[i].s.opts, NULL);
	return ret;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inet.c - TCP and UDP sockets: listening, connected inside the tree
 *
 * What TCP still has on its way inside the tree arrives while everything
 * stands still; it is then kept as what the receiver has to read.
 */
#include "objects/inet.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "objects/kinds.h"
#include "objects/record.h"

void cr_inet_record(struct cr_pack *p, void *state)
{
	struct cr_inet_state *s = state;

	cr_pack_u32(p, &s->domain);
	cr_pack_u32(p, &s->type);
	cr_pack_u32(p, &s->role);
	cr_pack_blob(p, &s->name);
	cr_pack_blob(p, &s->peer);
	cr_pack_u32(p, &s->backlog);
	cr_pack_u32(p, &s->shutdown);
	CR_PACK_ARRAY(p, s->message, s->n_messages, 16);
	for (size_t i = 0; i < s->n_messages && !p->status; i++) {
		cr_pack_blob(p, &s->message[i].from);
		cr_pack_blob(p, &s->message[i].data);
	}
	cr_sockopts_record(p, &s->opts);
}

void cr_inet_free(struct cr_inet_state *s)
{
	for (size_t i = 0; s->message && i < s->n_messages; i++) {
		free(s->message[i].from.data);
		free(s->message[i].data.data);
	}
	free(s->message);
	free(s->name.data);
	free(s->peer.data);
	cr_sockopts_free(&s->opts);
	memset(s, 0, sizeof(*s));
}

static bool claims(const struct cr_object_source *src)
{
	int domain, type, fd, proto;

	if (cr_socket_kind(src, &domain, &type) ||
	    (domain != AF_INET && domain != AF_INET6))
		return false;
	fd = cr_object_dup(src, NULL);
	if (fd < 0)
		return false;
	proto = cr_socket_int(fd, SOL_SOCKET, SO_PROTOCOL);
	cr_object_undup(src, fd);
	return (type == SOCK_STREAM && proto == IPPROTO_TCP) ||
	       (type == SOCK_DGRAM && proto == IPPROTO_UDP);
}

int cr_inet_refuse(const struct cr_object_source *src,
		   const struct cr_inet_state *s, const char *what,
		   const char *todo, struct cr_error *err)
{
	return cr_error_set(
		err, -ENOTSUP,
		"%s is a %s socket (%s) %s, which cannot be "
		"saved; %s",
		cr_object_label(src), s->type == SOCK_STREAM ? "TCP" : "UDP",
		cr_inet_text(s->peer.len ? &s->peer : &s->name), what, todo);
}

static int read_names(int fd, struct cr_inet_state *s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return -errno;
	if (cr_blob_set(&s->name, &a, len))
		return -ENOMEM;
	len = sizeof(a);
	if (!getpeername(fd, (struct sockaddr *)&a, &len) &&
	    cr_blob_set(&s->peer, &a, len))
		return -ENOMEM;
	return 0;
}

int cr_inet_peer(const struct cr_object_source *src,
		 const struct cr_inet_state *s)
{
	struct cr_object_source other = { .local = -1 };
	struct cr_inet_state o;
	int fd;

	for (size_t i = 0; cr_object_tree_place(src->tree, S_IFSOCK, i,
						&other.pid, &other.fd);
	     i++) {
		fd = cr_object_dup(&other, NULL);
		if (fd < 0)
			continue;
		memset(&o, 0, sizeof(o));
		if (cr_socket_int(fd, SOL_SOCKET, SO_TYPE) == (int)s->type &&
		    !read_names(fd, &o) && cr_inet_same(&o.name, &s->peer) &&
		    cr_inet_same(&o.peer, &s->name)) {
			cr_inet_free(&o);
			return fd;
		}
		cr_inet_free(&o);
		close(fd);
	}
	return -ENOENT;
}

static int find_tcp_role(const struct cr_object_source *src, int fd,
			 struct cr_inet_state *s, struct cr_error *err)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	char ulp[16] = { 0 };
	int peer;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return cr_error_set(err, -errno, "%s: TCP_INFO: %s",
				    cr_object_label(src), strerror(errno));
	len = sizeof(ulp);
	if (!getsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, &len) && ulp[0])
		return cr_inet_refuse(src, s, "that the kernel encrypts",
				      "close it before the checkpoint", err);
	switch (info.tcpi_state) {
	case TCP_CLOSE:
		s->role = CR_INET_PLAIN;
		return 0;
	case TCP_LISTEN:
		s->role = CR_INET_LISTENING;
		s->backlog = info.tcpi_sacked;
		if (info.tcpi_unacked && !src->drop)
			return cr_inet_refuse(
				src, s,
				"with a connection that waits "
				"to be accepted",
				"try again in a moment, when it was "
				"accepted",
				err);
		return 0;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		s->shutdown |= 2;
		break;
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		break;
	default:
		s->role = CR_INET_RESET;
		if (src->drop)
			return 0;
		return cr_inet_refuse(src, s, "that is being connected",
				      "try again later", err);
	}
	s->role = CR_INET_CONNECTED;
	peer = cr_inet_peer(src, s);
	if (peer >= 0) {
		close(peer);
		return 0;
	}
	s->role = CR_INET_RESET;
	if (src->drop)
		return 0;
	return cr_inet_refuse(
		src, s, "connected to a process outside of those to be saved",
		"checkpoint both together, close it before the "
		"checkpoint, or have it reset (--drop-connections)",
		err);
}

static int find_role(const struct cr_object_source *src, int fd,
		     struct cr_inet_state *s, struct cr_error *err)
{
	int ret = read_names(fd, s);

	s->domain = (uint32_t)cr_socket_int(fd, SOL_SOCKET, SO_DOMAIN);
	s->type = (uint32_t)cr_socket_int(fd, SOL_SOCKET, SO_TYPE);
	if (ret)
		return cr_error_set(err, ret, "%s: its addresses: %s",
				    cr_object_label(src), strerror(-ret));
	ret = cr_sockopts_check(src, fd, err);
	if (ret)
		return ret;
	if (s->type == SOCK_STREAM)
		return find_tcp_role(src, fd, s, err);
	s->role = s->peer.len ? CR_INET_CONNECTED : CR_INET_PLAIN;
	return 0;
}

static int check_error(const struct cr_object_source *src, int fd,
		       const struct cr_inet_state *s, struct cr_error *err)
{
	struct pollfd p = { .fd = fd };

	if (s->role == CR_INET_LISTENING || s->role == CR_INET_RESET ||
	    poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR))
		return 0;
	return cr_inet_refuse(src, s, "with an error to be reported",
			      "try again later", err);
}

static int check(const struct cr_object_source *src, struct cr_error *err)
{
	struct cr_inet_state s = { 0 };
	int fd = cr_object_dup(src, err), ret;

	if (fd < 0)
		return fd;
	ret = find_role(src, fd, &s, err);
	if (!ret)
		ret = check_error(src, fd, &s, err);
	if (!ret && s.type == SOCK_STREAM &&
	    (s.role == CR_INET_CONNECTED || s.role == CR_INET_RESET))
		ret = cr_inet_check_stream(src, fd, &s, err);
	cr_object_undup(src, fd);
	cr_inet_free(&s);
	return ret;
}

/*
 * Has it been shut down?  Only sending tells, of what cannot be sent: the
 * kernel asks for this before it looks at the data.
 */
static uint32_t udp_shutdown(int fd, const struct cr_inet_state *s)
{
	struct pollfd p = { fd, POLLRDHUP, 0 };
	uint32_t how = 0;
	char *nowhere;

	poll(&p, 1, 0);
	if (p.revents & POLLRDHUP)
		how |= 1;
	nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (nowhere == MAP_FAILED || !cr_inet_has_port(&s->name))
		return how;
	if (sendto(fd, nowhere, 1, MSG_DONTWAIT | MSG_NOSIGNAL,
		   s->peer.len ? NULL : cr_inet_at(&s->name),
		   s->peer.len ? 0 : (socklen_t)s->name.len) < 0 &&
	    errno == EPIPE)
		how |= 2;
	munmap(nowhere, 4096);
	return how;
}

static int read_rest(const struct cr_object_source *src, int fd,
		     struct cr_inet_state *s, struct cr_error *err)
{
	struct pollfd p = { fd, POLLRDHUP, 0 };
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int ret;

	ret = cr_sockopts_read(fd, &s->opts, err);
	if (ret || s->role == CR_INET_LISTENING)
		return ret;
	poll(&p, 1, 0);
	if (s->type != SOCK_STREAM)
		s->shutdown = udp_shutdown(fd, s);
	if (s->type != SOCK_STREAM)
		return cr_inet_read_datagrams(src, fd, s, err);
	if (s->role == CR_INET_RESET)
		return cr_inet_read_stream(src, fd, s, err);
	if (s->role != CR_INET_CONNECTED)
		return 0;
	/* shut down by itself, not by a FIN that came */
	if (p.revents & POLLRDHUP &&
	    !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	    (info.tcpi_state == TCP_ESTABLISHED ||
	     info.tcpi_state == TCP_FIN_WAIT2))
		s->shutdown |= 1;
	return cr_inet_read_stream(src, fd, s, err);
}

static int capture(const struct cr_object_source *src, struct cr_file *file,
		   struct cr_error *err)
{
	struct cr_inet_state s = { 0 };
	int fd = cr_object_dup(src, err), ret;

	if (fd < 0)
		return fd;
	ret = find_role(src, fd, &s, err);
	if (!ret)
		ret = check_error(src, fd, &s, err);
	if (!ret)
		ret = read_rest(src, fd, &s, err);
	cr_object_undup(src, fd);
	if (!ret)
		ret = cr_object_record(file, cr_inet_record, &s, err);
	file->object_id = src->st.st_ino;
	cr_inet_free(&s);
	return ret;
}

void cr_object_forget_connection(const struct cr_object_source *src)
{
	struct linger now = { 1, 0 };
	int fd;

	if (!claims(src))
		return;
	fd = cr_object_dup(src, NULL);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	cr_object_undup(src, fd);
}

const struct cr_object_ops cr_object_inet = {
	.kind = CR_OBJ_INET,
	.name = "TCP or UDP socket",
	.claims = claims,
	.check = check,
	.capture = capture,
	.restore = cr_inet_restore,
};

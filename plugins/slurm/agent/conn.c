/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn.c - an authenticated connection: frames sealed by MUNGE credentials */
#include "plugins/slurm/agent/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <munge.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "plugins/slurm/agent/loop.h"

#define CONN_NOBODY ((uid_t)-1)
#define CONN_SEND_SECONDS 20

int cr_conn_hostname(char name[CR_FRAME_NAME])
{
	if (gethostname(name, CR_FRAME_NAME))
		return -errno;
	name[CR_FRAME_NAME - 1] = '\0';
	name[strcspn(name, ".")] = '\0';
	return 0;
}

static struct cr_conn *conn_create(int fd, uint32_t job)
{
	struct cr_conn *c = calloc(1, sizeof(*c));
	struct timeval tv = { .tv_sec = CONN_SEND_SECONDS };

	if (!c)
		return NULL;
	c->fd = fd;
	c->job = job;
	c->uid = c->expected_uid = CONN_NOBODY;
	cr_conn_hostname(c->self);
	strcpy(c->peer, "-");
	memset(c->connection, '0', CR_FRAME_HEX - 1);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return c;
}

static void conn_name_address(struct cr_conn *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[46], port[8];

	strcpy(c->address, "?");
	if (!getpeername(c->fd, (struct sockaddr *)&ss, &len) &&
	    !getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port,
			 sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(c->address, sizeof(c->address), "%s:%s", host, port);
}

static int conn_encode(struct cr_conn *c, const char *body, size_t len,
		       char **cred, struct cr_error *err)
{
	struct cr_frame_seal seal = { .job = c->job, .sequence = c->sent + 1 };
	uid_t only = c->uid != CONN_NOBODY ? c->uid : c->expected_uid;
	munge_ctx_t ctx = munge_ctx_create();
	munge_err_t e = EMUNGE_NO_MEMORY;
	char text[512];
	int n;

	strcpy(seal.from, c->self);
	strcpy(seal.to, c->peer);
	strcpy(seal.connection, c->connection);
	cr_frame_digest(seal.digest, body, len);
	n = cr_frame_seal_text(&seal, text, sizeof(text));
	if (n < 0)
		return cr_error_set(err, n, "credential too long");
	if (ctx) {
		e = only == CONN_NOBODY ?
			    EMUNGE_SUCCESS :
			    munge_ctx_set(ctx, MUNGE_OPT_UID_RESTRICTION, only);
		if (e == EMUNGE_SUCCESS)
			e = munge_encode(cred, ctx, text, n);
	}
	n = e == EMUNGE_SUCCESS ?
		    0 :
		    cr_error_set(err, -EACCES, "cannot get a credential: %s",
				 ctx && munge_ctx_strerror(ctx) ?
					 munge_ctx_strerror(ctx) :
					 munge_strerror(e));
	munge_ctx_destroy(ctx);
	return n;
}

int cr_conn_send(struct cr_conn *c, struct json_object *msg,
		 struct cr_error *err)
{
	uint8_t header[CR_FRAME_HEADER];
	struct iovec iov[3] = { { header, sizeof(header) } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 3 };
	size_t len;
	const char *body;
	char *cred = NULL;
	int rc;

	body = json_object_to_json_string_length(msg, JSON_C_TO_STRING_PLAIN,
						 &len);
	if (!body || len > CR_FRAME_BODY_MAX)
		return cr_error_set(err, -EMSGSIZE, "message too long");
	rc = conn_encode(c, body, len, &cred, err);
	if (rc)
		return rc;
	cr_frame_header(header, len, strlen(cred));
	iov[1] = (struct iovec){ (void *)body, len };
	iov[2] = (struct iovec){ cred, strlen(cred) };
	while (mh.msg_iovlen) {
		ssize_t n = sendmsg(c->fd, &mh, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = cr_error_set(err, -errno, "cannot send to %s: %s",
					  c->address, strerror(errno));
			break;
		}
		while (mh.msg_iovlen && (size_t)n >= mh.msg_iov->iov_len) {
			n -= mh.msg_iov->iov_len;
			mh.msg_iov++;
			mh.msg_iovlen--;
		}
		if (mh.msg_iovlen) {
			mh.msg_iov->iov_base = (char *)mh.msg_iov->iov_base + n;
			mh.msg_iov->iov_len -= n;
		}
	}
	free(cred);
	if (!rc)
		c->sent++;
	return rc;
}

int cr_conn_read(struct cr_conn *c)
{
	ssize_t n;

	if (c->in_size - c->in_len < 16384) {
		size_t size = c->in_size ? 2 * c->in_size : 65536;
		uint8_t *p = realloc(c->in, size);

		if (!p)
			return -ENOMEM;
		c->in = p;
		c->in_size = size;
	}
	n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len,
		 MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return -EPIPE;
	c->in_len += n;
	return 0;
}

/* The value of "key value\n" in the payload, if it is the next line. */
static const char *conn_line(char **p, const char *key)
{
	size_t n = strlen(key);
	char *value = *p + n + 1, *end;

	if (strncmp(*p, key, n) || (*p)[n] != ' ')
		return NULL;
	end = strchr(value, '\n');
	if (!end)
		return NULL;
	*end = '\0';
	*p = end + 1;
	return value;
}

/* What the sender is called is known only after its first frame. */
static int conn_learn_name(struct cr_conn *c, char *payload)
{
	char *p = payload;
	const char *from;

	if (!conn_line(&p, "stillpoint") || !conn_line(&p, "job"))
		return -EPROTO;
	from = conn_line(&p, "from");
	if (!from || !*from || strlen(from) >= sizeof(c->peer) ||
	    !strcmp(from, "-"))
		return -EPROTO;
	strcpy(c->peer, from);
	return 0;
}

static int conn_check_payload(struct cr_conn *c, const struct cr_frame *f,
			      char *payload, size_t len)
{
	struct cr_frame_seal seal = { .job = c->job,
				      .sequence = c->received + 1 };
	char text[512], *copy;
	int n, rc = 0;

	if (!c->received && c->server) {
		copy = strndup(payload, len);
		rc = copy ? conn_learn_name(c, copy) : -ENOMEM;
		free(copy);
	}
	if (rc)
		return rc;
	strcpy(seal.from, c->peer);
	strcpy(seal.to, !c->received && !c->server ? "-" : c->self);
	strcpy(seal.connection, c->connection);
	cr_frame_digest(seal.digest, f->body, f->body_len);
	n = cr_frame_seal_text(&seal, text, sizeof(text));
	if (n < 0 || (size_t)n != len || memcmp(text, payload, len))
		return -EPROTO;
	return 0;
}

static int conn_open(struct cr_conn *c, const struct cr_frame *f,
		     struct cr_error *err)
{
	char *cred = strndup(f->cred, f->cred_len);
	void *payload = NULL;
	uid_t uid = CONN_NOBODY, want = c->uid;
	gid_t gid;
	munge_err_t e;
	int len = 0, rc = 0;

	if (!cred)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (want == CONN_NOBODY)
		want = c->expected_uid;
	e = munge_decode(cred, NULL, &payload, &len, &uid, &gid);
	free(cred);
	if (e != EMUNGE_SUCCESS)
		rc = cr_error_set(err, -EACCES, "from %s (uid %d): %s",
				  c->address, (int)uid, munge_strerror(e));
	else if (conn_check_payload(c, f, payload, len))
		rc = cr_error_set(err, -EBADMSG,
				  "from %s (uid %d): the credential is not for "
				  "this message",
				  c->address, (int)uid);
	else if (want != CONN_NOBODY && uid != want)
		rc = cr_error_set(err, -EPERM,
				  "from %s: sent by uid %d instead of %d",
				  c->address, (int)uid, (int)want);
	else
		c->uid = uid;
	free(payload);
	return rc;
}

int cr_conn_next(struct cr_conn *c, struct json_object **msg,
		 struct cr_error *err)
{
	struct cr_frame f;
	int rc;

	rc = cr_frame_parse(&f, c->in ? c->in : (uint8_t *)"", c->in_len,
			    c->received ? CR_FRAME_BODY_MAX :
					  CR_FRAME_BODY_FIRST);
	if (rc < 0)
		return cr_error_set(err, rc, "from %s: not our protocol",
				    c->address);
	if (!rc)
		return 0;
	rc = conn_open(c, &f, err);
	if (rc)
		return rc;
	*msg = cr_json_parse(f.body, f.body_len);
	if (!*msg)
		return cr_error_set(err, -EPROTO,
				    "from %s (uid %d): not a JSON object",
				    c->address, (int)c->uid);
	c->received++;
	memmove(c->in, c->in + f.total, c->in_len - f.total);
	c->in_len -= f.total;
	return 1;
}

int cr_conn_wait(struct cr_conn *c, struct json_object **msg, int timeout_ms,
		 struct cr_error *err)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	long end = timeout_ms < 0 ? 0 : cr_loop_now() + timeout_ms;
	int rc;

	while (!(rc = cr_conn_next(c, msg, err))) {
		long left = timeout_ms < 0 ? -1 : end - cr_loop_now();

		if (timeout_ms >= 0 && left <= 0)
			return cr_error_set(err, -ETIMEDOUT,
					    "no answer from %s", c->address);
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return cr_error_set(err, -errno, "poll: %s",
					    strerror(errno));
		if (!p.revents)
			continue;
		rc = cr_conn_read(c);
		if (rc && rc != -EAGAIN)
			return cr_error_set(err, rc,
					    "%s has closed the connection",
					    c->address);
	}
	return rc < 0 ? rc : 0;
}

int cr_conn_accept(struct cr_conn **out, int fd, uint32_t job,
		   struct cr_error *err)
{
	struct cr_conn *c = conn_create(fd, job);
	char challenge[CR_FRAME_HEX];
	struct json_object *msg;
	int rc;

	if (!c || cr_frame_random(challenge)) {
		free(c);
		close(fd);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	c->server = true;
	conn_name_address(c);
	msg = cr_json_message("welcome");
	cr_json_put_str(msg, "challenge", challenge);
	rc = cr_conn_send(c, msg, err);
	json_object_put(msg);
	if (rc) {
		cr_conn_destroy(c);
		return rc;
	}
	strcpy(c->connection, challenge);
	*out = c;
	return 0;
}

static int conn_dial(const char *address, int port, int timeout_ms)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICSERV }, *ai;
	struct pollfd p = { .events = POLLOUT };
	int fd, rc, e = 0;
	socklen_t len = sizeof(e);
	char service[8];

	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(address, service, &hints, &ai))
		return -EHOSTUNREACH;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0) {
		freeaddrinfo(ai);
		return -errno;
	}
	rc = connect(fd, ai->ai_addr, ai->ai_addrlen) ? -errno : 0;
	freeaddrinfo(ai);
	if (rc == -EINPROGRESS) {
		p.fd = fd;
		if (poll(&p, 1, timeout_ms) <= 0)
			rc = -ETIMEDOUT;
		else
			rc = getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) ?
				     -errno :
				     -e;
	}
	if (rc) {
		close(fd);
		return rc;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

int cr_conn_connect(struct cr_conn **out, const char *address, int port,
		    uint32_t job, const char *host, uid_t uid, int timeout_ms,
		    struct cr_error *err)
{
	struct json_object *msg = NULL;
	const char *challenge = NULL;
	struct cr_conn *c;
	int fd, rc;

	if (strlen(host) >= CR_FRAME_NAME)
		return cr_error_set(err, -ENAMETOOLONG, "host name too long");
	fd = conn_dial(address, port, timeout_ms);
	if (fd < 0)
		return cr_error_set(err, fd,
				    "cannot reach the job's agent on %s (%s "
				    "port %d): %s",
				    host, address, port, strerror(-fd));
	c = conn_create(fd, job);
	if (!c) {
		close(fd);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	conn_name_address(c);
	strcpy(c->peer, host);
	c->expected_uid = uid;
	rc = cr_conn_wait(c, &msg, timeout_ms, err);
	if (!rc && !strcmp(cr_json_str(msg, "type", ""), "welcome"))
		challenge = cr_json_str(msg, "challenge", NULL);
	if (!rc && (!challenge || strlen(challenge) != CR_FRAME_HEX - 1))
		rc = cr_error_set(err, -EPROTO, "%s did not welcome us",
				  c->address);
	if (!rc)
		strcpy(c->connection, challenge);
	json_object_put(msg);
	if (rc)
		cr_conn_destroy(c);
	else
		*out = c;
	return rc;
}

void cr_conn_destroy(struct cr_conn *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c->in);
	free(c);
}

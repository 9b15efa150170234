/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pty_queue.c - what is on its way through a pseudo terminal
 *
 * It cannot be looked at, only taken out; so it is put back at once, under
 * settings with which the terminal does nothing to it.  Poll(2) makes the
 * kernel finish what is between the two ends.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "objects/pty.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define LINE_MAX_BYTES 8192 /* twice what the kernel keeps */
#define SOME 256	    /* bytes that a terminal takes at once */
#define PATIENCE_MS 60000

int cr_pty_peer(int master, int flags)
{
	return ioctl(master, TIOCGPTPEER, flags | O_NOCTTY | O_CLOEXEC);
}

static bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static int append(struct cr_blob *b, const void *data, size_t len)
{
	char *more = realloc(b->data, b->len + len + 1);

	if (!more)
		return -ENOMEM;
	memcpy(more + b->len, data, len);
	b->data = more;
	b->len += len;
	return 0;
}

/* In packet mode each piece has a byte before it. */
static int take_output(int master, struct cr_pty_state *s)
{
	char buf[LINE_MAX_BYTES];
	ssize_t n;
	int ret = 0;

	while (!ret && readable(master)) {
		n = read(master, buf, sizeof(buf));
		if (n < 0)
			return errno == EIO || errno == EAGAIN ? 0 : -errno;
		if (n > s->packet)
			ret = append(&s->output, buf + s->packet,
				     (size_t)n - s->packet);
		if (n <= s->packet)
			break;
	}
	return ret;
}

static int add_input(struct cr_pty_state *s, uint32_t kind, const char *data,
		     size_t len)
{
	struct cr_pty_input *more;

	more = realloc(s->input, (s->n_input + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->input = more;
	more += s->n_input++;
	memset(more, 0, sizeof(*more));
	more->kind = kind;
	return cr_blob_set(&more->data, data, len);
}

static bool ends_line(const struct termios2 *t, char c)
{
	return c == '\n' || (t->c_cc[VEOL] && c == (char)t->c_cc[VEOL]) ||
	       (t->c_cc[VEOL2] && c == (char)t->c_cc[VEOL2]);
}

/* Whole lines come one by one; what is typed of the next only without lines. */
static int take_input(int slave, const struct termios2 *t,
		      struct cr_pty_state *s)
{
	bool lines = t->c_lflag & ICANON, rest = !lines;
	struct termios2 raw = *t;
	char buf[LINE_MAX_BYTES];
	ssize_t n;
	int ret = 0;

	for (;;) {
		while (!ret && readable(slave)) {
			n = read(slave, buf, sizeof(buf));
			if (n < 0)
				ret = errno == EAGAIN ? 0 : -errno;
			if (n < 0 || (rest && !n))
				break;
			ret = add_input(s,
					rest ? CR_PTY_RAW
					: n && ends_line(t, buf[n - 1])
						? CR_PTY_LINE
						: CR_PTY_EOF,
					buf, (size_t)n);
		}
		if (ret || rest)
			break;
		raw.c_lflag &= ~(tcflag_t)ICANON;
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		if (ioctl(slave, TCSETS2, &raw))
			return -errno;
		rest = true;
	}
	if (lines && ioctl(slave, TCSETS2, t) && !ret)
		ret = -errno;
	return ret;
}

/* Not every change wakes who waits: so it is looked at again and again. */
static bool wait_for(int fd, short what)
{
	struct pollfd p = { fd, what, 0 };

	for (int i = 0; i < PATIENCE_MS; i++)
		if (poll(&p, 1, 1) == 1)
			return true;
	return false;
}

static int put(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len) {
		if (!wait_for(fd, POLLOUT))
			return -ETIMEDOUT;
		n = write(fd, data, len < SOME ? len : SOME);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		data += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* Nothing is done to what comes in, but that lines are lines and are echoed. */
static struct termios2 plain(const struct termios2 *t)
{
	struct termios2 p = *t;

	p.c_iflag &= IXON; /* a change of it would be told in packet mode */
	p.c_oflag = 0;
	p.c_lflag = (p.c_lflag & (ICANON | EXTPROC)) | ECHO;
	p.c_cc[VERASE] = p.c_cc[VKILL] = 0;
	if (!p.c_cc[VEOF])
		p.c_cc[VEOF] = 4;
	return p;
}

/* The echo says that it is there, which nothing else tells. */
static int drop_echo(int master, bool packet, size_t len)
{
	char buf[SOME + 1];
	ssize_t n;

	while (len) {
		if (!wait_for(master, POLLIN))
			return -ETIMEDOUT;
		n = read(master, buf,
			 len + packet < sizeof(buf) ? len + packet
						    : sizeof(buf));
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > packet)
			len -= (size_t)n - packet;
	}
	return 0;
}

static int put_input(int master, const struct cr_pty_state *s,
		     const struct cr_pty_input *in, char eof)
{
	const char *data = in->data.data;
	size_t left = in->data.len, n;
	int packet = 0, ret = 0;

	ioctl(master, TIOCGPKT, &packet);
	for (; !ret && left; left -= n, data += n) {
		n = left < SOME ? left : SOME;
		ret = put(master, data, n);
		/* what the kernel itself sends on is not echoed (EXTPROC) */
		if (!ret &&
		    !(((struct termios2 *)s->termios.data)->c_lflag & EXTPROC))
			ret = drop_echo(master, packet, n);
	}
	if (!ret && in->kind == CR_PTY_EOF)
		ret = put(master, &eof, 1);
	return ret;
}

int cr_pty_fill_queues(int master, int slave, const struct cr_pty_state *s,
		       struct cr_error *err)
{
	struct termios2 t, p;
	int ret = 0;

	if (!s->n_input && !s->output.len)
		return 0;
	if (ioctl(slave, TCGETS2, &t))
		return cr_error_set(err, -errno, "settings: %s",
				    strerror(errno));
	p = plain(&t);
	if (ioctl(slave, TCSETS2, &p))
		ret = -errno;
	/* first, for the echo comes the other way */
	for (size_t i = 0; !ret && i < s->n_input; i++)
		ret = put_input(master, s, &s->input[i], (char)p.c_cc[VEOF]);
	if (!ret)
		ret = put(slave, s->output.data, s->output.len);
	readable(slave);
	readable(master);
	if (ioctl(slave, TCSETS2, &t) && !ret)
		ret = -errno;
	return ret ? cr_error_set(err, ret,
				  "what was on its way cannot be put back: %s",
				  strerror(-ret))
		   : 0;
}

int cr_pty_read_queues(int master, int slave, struct cr_pty_state *s,
		       struct cr_error *err)
{
	struct termios2 t;
	int ret, filled;

	if (ioctl(slave, TCGETS2, &t))
		return cr_error_set(err, -errno, "settings: %s",
				    strerror(errno));
	ret = take_output(master, s);
	if (!ret)
		ret = take_input(slave, &t, s);
	filled = cr_pty_fill_queues(master, slave, s, err);
	return ret ? cr_error_set(err, ret, "what is on its way: %s",
				  strerror(-ret))
		   : filled;
}

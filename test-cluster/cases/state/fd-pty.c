/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fd-pty.c - pseudo terminals with both ends in the tree */
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "state.h"

static int master, slave;
static char name[64];

static void open_pair(void)
{
	CHECK(!openpty(&master, &slave, name, NULL, NULL));
}

static void put(int fd, const char *text)
{
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void get(int fd, const char *text)
{
	char buf[256] = { 0 };
	size_t n = 0;
	struct pollfd p = { fd, POLLIN, 0 };

	while (n < strlen(text)) {
		CHECK(poll(&p, 1, 5000) == 1);
		CHECK(read(fd, buf + n, 1) == 1);
		n++;
	}
	CHECK(!strcmp(buf, text));
}

static bool empty(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 0;
}

static void set_flags(tcflag_t on, tcflag_t off)
{
	struct termios t;

	CHECK(!tcgetattr(slave, &t));
	t.c_lflag = (t.c_lflag & ~off) | on;
	CHECK(!tcsetattr(slave, TCSANOW, &t));
}

/* Number, name, settings, size, and both directions work. */
STATE(pty_settings)
{
	struct winsize size = { 33, 77, 3, 4 }, is;
	struct termios t, got;
	unsigned int n, m;
	struct stat st;
	char path[64];

	open_pair();
	/* what lies between the fields is compared, too */
	memset(&t, 0, sizeof(t));
	memset(&got, 0, sizeof(got));
	CHECK(!ioctl(master, TIOCGPTN, &n));
	CHECK(!tcgetattr(slave, &t));
	t.c_cc[VINTR] = 7;
	t.c_cc[VERASE] = 8;
	t.c_lflag &= ~(tcflag_t)(ECHOE | ECHOK);
	t.c_iflag |= ISTRIP;
	cfsetispeed(&t, B9600);
	cfsetospeed(&t, B9600);
	CHECK(!tcsetattr(slave, TCSANOW, &t) && !tcgetattr(slave, &t));
	CHECK(!ioctl(master, TIOCSWINSZ, &size));
	CHECK(!fchmod(slave, 0604));
	checkpoint();
	CHECK(!ioctl(master, TIOCGPTN, &m) && m == n);
	CHECK(!ttyname_r(slave, path, sizeof(path)) && !strcmp(path, name));
	CHECK(!ptsname_r(master, path, sizeof(path)) && !strcmp(path, name));
	CHECK(!tcgetattr(slave, &got) && !memcmp(&t, &got, sizeof(t)));
	CHECK(!ioctl(slave, TIOCGWINSZ, &is) && !memcmp(&size, &is, sizeof(is)));
	CHECK(!fstat(slave, &st) && (st.st_mode & 0777) == 0604);
	CHECK(st.st_uid == geteuid());
	put(slave, "out\n");
	get(master, "out\r\n");
	put(master, "in\n");
	get(slave, "in\n");
	get(master, "in\r\n"); /* the echo */
	CHECK(empty(master) && empty(slave));
	close(slave);
	CHECK(read(master, path, 1) == -1 && errno == EIO);
}

/* Whole lines that wait, a part of one, an end of file. */
STATE(pty_lines)
{
	char c;

	open_pair();
	set_flags(0, ECHO);
	put(master, "one\ntwo\n\004rest\004par");
	checkpoint();
	get(slave, "one\n");
	get(slave, "two\n");
	CHECK(read(slave, &c, 1) == 0);
	get(slave, "rest");
	CHECK(empty(slave));
	put(master, "t\177\n"); /* t is erased */
	get(slave, "par\n");
	CHECK(empty(slave) && empty(master));
}

/* Nothing is done to it. */
STATE(pty_raw)
{
	struct termios t;

	open_pair();
	CHECK(!tcgetattr(slave, &t));
	cfmakeraw(&t);
	CHECK(!tcsetattr(slave, TCSANOW, &t));
	put(master, "a\003b\004c\r\n");
	put(slave, "d\ne");
	checkpoint();
	get(slave, "a\003b\004c\r\n");
	get(master, "d\ne");
	CHECK(empty(slave) && empty(master));
}

/* What the program has written, as much as goes in. */
STATE(pty_output)
{
	static char buf[65536];
	size_t n = 0, i, got = 0;
	ssize_t r;
	int e;

	open_pair();
	CHECK(!fcntl(slave, F_SETFL, O_NONBLOCK));
	do {
		buf[0] = (char)('a' + n % 26);
		r = write(slave, buf, 1);
		e = errno;
		n += r == 1;
	} while (r == 1);
	CHECK(e == EAGAIN && n > 1000);
	checkpoint();
	CHECK(fcntl(slave, F_GETFL) & O_NONBLOCK);
	for (i = 0; i < n; i++)
		if (i == got) {
			r = read(master, buf, sizeof(buf));
			CHECK(r > 0);
			for (ssize_t k = 0; k < r; k++)
				CHECK(buf[k] == (char)('a' + (got + k) % 26));
			got += (size_t)r;
		}
	CHECK(got == n && empty(master));
}

STATE(pty_packet)
{
	int one = 1, is = 0;
	char buf[64];

	open_pair();
	CHECK(!ioctl(master, TIOCPKT, &one));
	put(slave, "packet\n");
	checkpoint();
	CHECK(!ioctl(master, TIOCGPKT, &is) && is == 1);
	CHECK(read(master, buf, sizeof(buf)) == 9);
	CHECK(!memcmp(buf, "\0packet\r\n", 9));
	CHECK(!tcflush(slave, TCIFLUSH));
	CHECK(read(master, buf, sizeof(buf)) == 1 && buf[0] & TIOCPKT_FLUSHREAD);
}

/* The other end was closed, and left something. */
STATE(pty_slave_closed)
{
	char c;

	open_pair();
	put(slave, "bye");
	close(slave);
	checkpoint();
	get(master, "bye");
	CHECK(read(master, &c, 1) == -1 && errno == EIO);
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	put(slave, "again");
	get(master, "again");
}

/* Nobody has opened the other end yet. */
STATE(pty_new)
{
	struct pollfd p = { 0, POLLIN, 0 };
	char path[64];
	int s;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && !ptsname_r(master, path, sizeof(path)));
	checkpoint();
	p.fd = master;
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(open(path, O_RDWR | O_NOCTTY) == -1 && errno == EIO);
	CHECK(!unlockpt(master));
	s = open(path, O_RDWR | O_NOCTTY);
	CHECK(s >= 0);
	put(s, "x");
	get(master, "x");
}

STATE(pty_exclusive)
{
	int is = 0;

	open_pair();
	CHECK(!ioctl(slave, TIOCEXCL));
	checkpoint();
	CHECK(!ioctl(slave, TIOCGEXCL, &is) && is);
	put(slave, "x");
	get(master, "x");
}

/* Two descriptions of the slave, with flags of their own. */
STATE(pty_two_slaves)
{
	int s;

	open_pair();
	s = open(name, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	checkpoint();
	CHECK((fcntl(s, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) ==
	      (O_WRONLY | O_NONBLOCK));
	CHECK(fcntl(s, F_GETFD) == FD_CLOEXEC);
	CHECK(!(fcntl(slave, F_GETFL) & O_NONBLOCK));
	CHECK(!same_description(s, slave));
	put(s, "x");
	get(master, "x");
}

/* A session of its own whose terminal it is; ^C comes through. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	interrupted = sig;
}

static void session(void)
{
	int tty;

	signal(SIGINT, on_interrupt);
	put(1, "ready\n");
	await_checkpoint();
	CHECK(getsid(0) == getpid() && tcgetpgrp(0) == getpid());
	tty = open("/dev/tty", O_RDWR);
	CHECK(tty >= 0 && isatty(tty));
	put(tty, "tty\n");
	while (!interrupted)
		usleep(1000);
	put(1, "interrupted\n");
}

STATE(pty_session)
{
	pid_t pid = forkpty(&master, name, NULL, NULL);

	CHECK(pid >= 0);
	if (!pid) {
		session();
		_exit(0);
	}
	get(master, "ready\r\n");
	checkpoint();
	get(master, "tty\r\n");
	CHECK(tcgetpgrp(master) == pid);
	put(master, "\003");
	get(master, "^C");
	get(master, "interrupted\r\n");
	join(pid);
}

/* Job control: the foreground is not the leader; the background is stopped. */
static pid_t front, back;

static void waits_for_line(void)
{
	char buf[16];

	setpgid(0, 0);
	CHECK(read(0, buf, sizeof(buf)) == 5);
	put(1, "got\n");
}

static void shell(void)
{
	int status;

	signal(SIGTTOU, SIG_IGN);
	back = child(waits_for_line);
	front = fork();
	if (!front) {
		setpgid(0, 0);
		while (tcgetpgrp(0) != getpid())
			usleep(1000);
		waits_for_line();
		_exit(0);
	}
	setpgid(front, front);
	CHECK(!tcsetpgrp(0, front));
	CHECK(waitpid(back, &status, WUNTRACED) == back);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
	put(1, "ready\n");
	await_checkpoint();
	CHECK(tcgetpgrp(0) == front);
	join(front);
	CHECK(!tcsetpgrp(0, back) && !kill(back, SIGCONT));
	join(back);
}

STATE(pty_job_control)
{
	pid_t pid = forkpty(&master, name, NULL, NULL);

	CHECK(pid >= 0);
	if (!pid) {
		shell();
		_exit(0);
	}
	get(master, "ready\r\n");
	checkpoint();
	put(master, "line\n");
	get(master, "line\r\ngot\r\n");
	put(master, "line\n");
	get(master, "line\r\ngot\r\n");
	join(pid);
}

/* It has the terminal open by the name that stands for it. */
static void by_tty(void)
{
	int tty = open("/dev/tty", O_RDWR), i;

	for (i = 0; i < 3; i++)
		close(i);
	CHECK(tty >= 0);
	put(tty, "ready\n");
	await_checkpoint();
	put(tty, "here\n");
}

STATE(pty_dev_tty)
{
	pid_t pid = forkpty(&master, name, NULL, NULL);

	CHECK(pid >= 0);
	if (!pid) {
		by_tty();
		_exit(0);
	}
	get(master, "ready\r\n");
	checkpoint();
	get(master, "here\r\n");
	join(pid);
}

/* Two pairs, as a terminal multiplexer has them. */
STATE(pty_many)
{
	int m[4], s[4], i;
	char text[16];

	for (i = 0; i < 4; i++)
		CHECK(!openpty(&m[i], &s[i], NULL, NULL, NULL));
	close(s[2]);
	close(m[1]);
	close(s[1]);
	checkpoint();
	for (i = 0; i < 4; i += 3) {
		snprintf(text, sizeof(text), "%d", i);
		put(s[i], text);
		get(m[i], text);
	}
	CHECK(read(m[2], text, 1) == -1 && errno == EIO);
}

REFUSED(pty_master_outside, "a terminal that is not its standard input")
{
	int go[2];

	CHECK(!pipe(go));
	open_pair();
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			close(slave);
			close(go[0]);
			await_checkpoint();
		}
		_exit(0);
	}
	wait(NULL);
	close(master);
	close(go[0]);
	close(go[1]);
	checkpoint();
}

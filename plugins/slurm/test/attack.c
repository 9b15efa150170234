/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attack.c - says to a job's coordinator what it must not believe
 *
 * attack HOW ADDRESS PORT JOB HOST UID; succeeds if it was not believed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/slurm/agent/conn.h"

static const char *address, *host;
static int port;
static uint32_t job;
static uid_t owner;

static void die(const char *text)
{
	fprintf(stderr, "attack: %s\n", text);
	exit(1);
}

static int dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, address, &sin.sin_addr);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect");
	return fd;
}

/* Reads until the end; more than the welcome must not come. */
static void expect_end(int fd, int frames)
{
	char buf[65536];
	size_t len = 0;
	struct cr_frame f;
	ssize_t n;

	while (len < sizeof(buf) &&
	       (n = read(fd, buf + len, sizeof(buf) - len)) > 0)
		len += n;
	for (size_t at = 0; at < len; at += f.total)
		if (cr_frame_parse(&f, buf + at, len - at, 65536) != 1 ||
		    --frames < 0)
			die("it answered");
	close(fd);
}

static struct cr_conn *greet(const char *to, int at)
{
	struct cr_error err = { 0 };
	struct cr_conn *c;

	if (cr_conn_connect(&c, to, at, job, host, owner, 10000, &err))
		die(err.text);
	return c;
}

static struct json_object *able(void)
{
	struct json_object *msg = cr_json_message("request");

	cr_json_put_str(msg, "op", "able");
	return msg;
}

static int must_send(struct cr_conn *c, struct json_object *msg)
{
	struct cr_error err = { 0 };

	if (cr_conn_send(c, msg, &err))
		die(err.text);
	return c->fd;
}

/* Stands between a client and the coordinator; what the client sends goes
 * through change and into kept. */
static size_t between(int listener, char *kept, size_t size, bool change)
{
	int client = accept(listener, NULL, NULL), server = dial();
	struct pollfd p[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	char buf[65536], *body;
	size_t len = 0;
	ssize_t n;

	for (;;) {
		if (poll(p, 2, 10000) <= 0)
			break;
		if (p[1].revents) {
			n = read(server, buf, sizeof(buf));
			if (n <= 0 || write(client, buf, n) != n)
				break;
		}
		if (p[0].revents) {
			n = read(client, buf, sizeof(buf));
			if (n <= 0 || len + n > size)
				break;
			body = memmem(buf, n, "able", 4);
			if (change && body)
				*body = 'A';
			memcpy(kept + len, buf, n);
			len += n;
			if (write(server, buf, n) != n)
				break;
		}
	}
	close(client);
	close(server);
	return len;
}

/* A client of our own that asks through us; was it answered? */
static bool ask_between(char *kept, size_t *len, size_t size, bool change)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t sl = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM, 0), status;
	pid_t pid;

	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&sin, &sl))
		die("listen");
	pid = fork();
	if (!pid) {
		struct cr_error err = { 0 };
		struct json_object *a;
		struct cr_conn *c = greet("127.0.0.1", ntohs(sin.sin_port));

		must_send(c, able());
		_exit(cr_conn_wait(c, &a, 10000, &err) ? 3 : 0);
	}
	*len = between(listener, kept, size, change);
	waitpid(pid, &status, 0);
	close(listener);
	return status == 0;
}

static void attack_replay(void)
{
	static char kept[65536];
	size_t len;
	int fd;

	if (!ask_between(kept, &len, sizeof(kept), false))
		die("an honest request was refused");
	fd = dial();
	if (write(fd, kept, len) != (ssize_t)len)
		die("write");
	expect_end(fd, 1);
}

static void attack_other_body(void)
{
	static char kept[65536];
	size_t len;

	if (ask_between(kept, &len, sizeof(kept), true))
		die("a changed body was believed");
}

static void attack_other_connection(void)
{
	struct cr_conn *a = greet(address, port), *b = greet(address, port);

	strcpy(a->connection, b->connection);
	expect_end(must_send(a, able()), 0);
}

static void attack_other_job(void)
{
	struct cr_conn *c = greet(address, port);

	c->job++;
	expect_end(must_send(c, able()), 0);
}

static void attack_bytes(const char *bytes, size_t len)
{
	int fd = dial();

	if (write(fd, bytes, len) != (ssize_t)len)
		die("write");
	shutdown(fd, SHUT_WR);
	expect_end(fd, 1);
}

/* As the owner: nonsense from an agent must do no harm.  As another: no. */
static void attack_agent(void)
{
	static const char *const nonsense[] = {
		"{\"type\":\"rank\"}",
		"{\"type\":\"rank\",\"world\":\"w\",\"rank\":5,\"size\":2}",
		"{\"type\":\"rank\",\"world\":7,\"rank\":\"x\",\"size\":-1}",
		"{\"type\":\"ended\",\"world\":\"no\",\"rank\":0,\"size\":1}",
		"{\"type\":\"report\",\"ranks\":{},\"phase\":\"STORE\"}",
		"{\"type\":\"report\",\"ranks\":[1,null,[]],\"phase\":\"\"}",
		"{\"type\":\"welcome\"}", "{\"type\":[]}", "{}",
	};
	struct json_object *hello = cr_json_message("hello"), *a;
	struct cr_conn *c = greet(address, port);
	struct cr_error err = { 0 };

	must_send(c, hello);
	if (geteuid() != owner) {
		if (cr_conn_wait(c, &a, 10000, &err) ||
		    strcmp(cr_json_str(a, "type", ""), "error"))
			die("not refused");
		return;
	}
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++)
		must_send(c, cr_json_parse(nonsense[i], strlen(nonsense[i])));
	close(c->fd);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		die("HOW ADDRESS PORT JOB HOST UID");
	address = argv[2];
	port = atoi(argv[3]);
	job = strtoul(argv[4], NULL, 10);
	host = argv[5];
	owner = strtoul(argv[6], NULL, 10);
	if (!strcmp(argv[1], "garbage"))
		attack_bytes("GET / HTTP/1.0\r\n\r\n", 18);
	else if (!strcmp(argv[1], "huge"))
		attack_bytes("SPJ1\1\0\0\0\377\377\377\177\1\0\0\0", 16);
	else if (!strcmp(argv[1], "half"))
		attack_bytes("SPJ1\1\0\0", 7);
	else if (!strcmp(argv[1], "replay"))
		attack_replay();
	else if (!strcmp(argv[1], "other-body"))
		attack_other_body();
	else if (!strcmp(argv[1], "other-connection"))
		attack_other_connection();
	else if (!strcmp(argv[1], "other-job"))
		attack_other_job();
	else if (!strcmp(argv[1], "agent"))
		attack_agent();
	else
		die("HOW?");
	return 0;
}

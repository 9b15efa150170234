#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Connections to others: refused by name, or given up by --drop-connections.
# time limit: 60
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"

# It is connected in all ways; at "go" it finds them reset, or still there.
cc_prog client - <<'C'
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
	if (ok)
		return;
	printf("not so: %s (%m)\n", what);
	fflush(stdout);
	_exit(1);
}

/* SERVER: accepts three connections, greets them and waits. */
static int serve(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	struct sockaddr_un u = { .sun_family = AF_UNIX, .sun_path = "sock" };
	socklen_t len = sizeof(a);
	int in = socket(AF_INET6, SOCK_STREAM, 0), un, fd[3], i;
	FILE *f;

	un = socket(AF_UNIX, SOCK_STREAM, 0);
	need(!bind(in, (void *)&a, len) && !listen(in, 5), "server");
	need(!bind(un, (void *)&u, sizeof(u)) && !listen(un, 5), "server");
	getsockname(in, (void *)&a, &len);
	f = fopen("port.new", "w");
	fprintf(f, "%d\n", ntohs(a.sin6_port));
	fclose(f);
	rename("port.new", "port");
	for (i = 0; i < 3; i++) {
		fd[i] = accept(i < 2 ? in : un, NULL, NULL);
		need(fd[i] >= 0 && send(fd[i], "hello", 5, 0) == 5, "accept");
	}
	for (;;)
		pause();
	return 0;
}

static int dial(int domain, int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port) };
	struct sockaddr_un u = { .sun_family = AF_UNIX, .sun_path = "sock" };
	struct pollfd p = { socket(domain, SOCK_STREAM, 0), POLLIN, 0 };

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &in6.sin6_addr);
	need(!connect(p.fd, domain == AF_INET ? (void *)&in :
			    domain == AF_INET6 ? (void *)&in6 : (void *)&u,
		      domain == AF_INET ? sizeof(in) :
		      domain == AF_INET6 ? sizeof(in6) : sizeof(u)),
	     "connect");
	need(poll(&p, 1, 10000) == 1, "greeting");
	return p.fd;
}

int main(int argc, char **argv)
{
	int fd[3], i;
	char buf[8];

	if (argc == 1)
		return serve();
	fd[0] = dial(AF_INET, atoi(argv[1]));
	fd[1] = dial(AF_INET6, atoi(argv[1]));
	fd[2] = dial(AF_UNIX, 0);
	puts("ready");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(2000);
	for (i = 0; i < 3; i++) {
		need(recv(fd[i], buf, 8, MSG_DONTWAIT) == 5, "greeting");
		if (!access("reset", F_OK)) {
			need(recv(fd[i], buf, 8, 0) == -1 &&
				     errno == ECONNRESET, "reset");
			need(send(fd[i], "x", 1, MSG_NOSIGNAL) == -1 &&
				     errno == EPIPE, "pipe");
			need(recv(fd[i], buf, 8, 0) == 0, "end");
		} else {
			need(recv(fd[i], buf, 8, MSG_DONTWAIT) == -1 &&
				     errno == EAGAIN, "still there");
			need(send(fd[i], "x", 1, MSG_NOSIGNAL) == 1, "send");
		}
	}
	puts("good");
	return 0;
}
C

setsid ./client </dev/null >server.out 2>&1 &
server=$!
at_exit "kill -9 $server 2>/dev/null"
wait_for '[ -s port ] || gone $server' 20
start ./client "$(cat port)"

note "without the option they are refused, all three, and say what to do"
must_fail cr_checkpoint -f img "$PID" 2>err
[ "$(grep -c 'outside of those.*have it reset (--drop-connections)' err)" = 3 ] ||
	fail "$(cat err)"

note "with it the program runs on with them"
cr_checkpoint --drop-connections -f img "$PID"
touch go
wait "$PID" || fail "$(cat out)"
grep -q good out

note "and after a restart finds them reset, behind what had come"
touch reset
for how in $(pid_options); do
	cr_restart $how img || fail "$how: $(cat out)"
	[ "$(tail -n 1 out)" = good ] || fail "$how: $(cat out)"
done

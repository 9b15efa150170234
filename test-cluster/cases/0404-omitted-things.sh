#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A library keeps memory, a thread and a socket out of images and rebuilds them.
# time limit: 90
. "$(dirname "$0")/lib.sh"
enter_pidns
tmpdir
cc_prog library - -lcr "-Wl,-rpath,$CR_PREFIX/lib" <<'END'
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <libcr.h>
#include <libcr_ext.h>

#define SIZE (64ul << 20)

static char *memory;
static int sock, peer;
static pthread_t thread;
static volatile pid_t tid;
static volatile int generation;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	printf("not so: %s: %m\n", what);
	exit(1);
}

static void *forever(void *arg)
{
	tid = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static void create(void)
{
	int s[2];

	memory = mmap((void *)0x300000000000, SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	need(memory != MAP_FAILED, "the place of the memory is free");
	memset(memory, 0xa5, SIZE);
	need(!cr_omit_memory(memory, SIZE), "omit_memory");
	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s), "socketpair");
	sock = s[0];
	peer = s[1];
	need(!cr_omit_fd(sock) && !cr_omit_fd(peer), "omit_fd");
	tid = 0;
	need(!pthread_create(&thread, NULL, forever, NULL), "thread");
	while (!tid)
		usleep(100);
	need(!cr_omit_thread(tid), "omit_thread");
}

static int threads(void)
{
	char line[128];
	int n = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %d", &n);
	fclose(f);
	return n;
}

static int quiesce(void *arg, char *reason, size_t size)
{
	need(write(sock, "x", 1) == 1, "the socket works");
	return 0;
}

static void resume(void *arg, int outcome)
{
	char **env = cr_restart_environment();

	if (outcome != CR_OUTCOME_RESTARTED) {
		need(memory[SIZE - 1] == (char)0xa5, "untouched");
		printf("outcome %d\n", outcome);
		return;
	}
	need(threads() == 2, "the thread is gone");
	need(fcntl(sock, F_GETFD) < 0 && errno == EBADF, "socket closed");
	need(cr_keep_memory(memory, SIZE) == -ENOENT, "no omitted memory");
	need(cr_keep_thread(tid) == -ENOENT, "no omitted thread");
	need(!(cr_omit_fd_words(NULL)[sock / 64] >> (sock % 64) & 1),
	     "no omitted descriptor");
	create(); /* needs the addresses */
	while (env && *env && strncmp(*env, "MARK=", 5))
		env++;
	printf("restart %d, %s\n", (int)cr_restarts(), env ? *env : "none");
	generation = cr_restarts();
}

int main(int argc, char **argv)
{
	static const struct cr_coordinator ops = { quiesce, resume };

	setvbuf(stdout, NULL, _IONBF, 0);
	create();
	need(!cr_register_coordinator(&ops, NULL), "coordinator");
	if (argc > 1) {
		need(!cr_not_checkpointable("the moon is full"), "reason");
		printf("full\n");
		while (access("wane", F_OK))
			usleep(1000);
		need(!cr_checkpointable("the moon is full"), "no reason");
	}
	printf("ready\n");
	while (generation < 4 && access("end", F_OK))
		usleep(1000);
	need(threads() == 3, "threads");
	return 7;
}
END
says() { wait_for "grep -qx -- '$1' out" 20; }
./library >out 2>&1 &
pid=$!
says ready
cr_checkpoint -f ctx $pid
says 'outcome 0'
[ "$(stat -c %s ctx)" -lt 20000000 ] || fail "the memory was saved"
cr_checkpoint --kill -f ctx $pid
wait $pid || true
for g in 1 2 3; do
	MARK=m$g cr_restart ctx &
	restart=$!
	says "restart $g, MARK=m$g"
	cr_checkpoint --kill -f ctx $pid
	wait $restart || true
done
status=0
MARK=last cr_restart ctx || status=$?
[ $status = 7 ] || fail "status $status: $(cat out)"
says 'restart 4, MARK=last'

note "a reason not to be checkpointed is given, and taken back"
./library moon >out &
pid=$!
says full
must_fail cr_checkpoint -f ctx2 $pid 2>err
grep -q 'the moon is full' err || fail "$(cat err)"
[ ! -e ctx2 ] || fail "a file was left"
touch wane
says ready
cr_checkpoint -f ctx2 $pid
touch end
status=0
wait $pid || status=$?
[ $status = 7 ] || fail "status $status: $(cat out)"

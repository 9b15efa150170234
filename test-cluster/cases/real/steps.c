// SPDX-License-Identifier: GPL-2.0-or-later
/* steps.c - threads, timers, children with any C library; until ./go is */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS 60
#define TEAM 4

static pthread_barrier_t begin, end;
static _Thread_local uint64_t mine;
static uint64_t parts[TEAM];
static volatile int step_no;
static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void *work(void *arg)
{
	int me = (int)(intptr_t)arg;

	mine = (uint64_t)me;
	for (;;) {
		pthread_barrier_wait(&begin);
		if (step_no < 0)
			return NULL;
		mine = (uint64_t)(me + step_no * TEAM);
		for (int i = 0; i < 1000000; i++)
			mine = mine * 6364136223846793005u + 1442695040888963407u;
		parts[me] = mine;
		pthread_barrier_wait(&end);
	}
}

static unsigned int child(int n)
{
	char buf[32] = "";
	int fd[2], status;
	pid_t pid;

	if (pipe(fd) || (pid = fork()) < 0)
		return 1u << 30;
	if (pid == 0) {
		snprintf(buf, sizeof(buf), "%d", n * n);
		_exit(write(fd[1], buf, sizeof(buf)) == sizeof(buf) ? n % 7
								    : 99);
	}
	close(fd[1]);
	if (read(fd[0], buf, sizeof(buf)) != sizeof(buf))
		printf("wrong: short\n");
	close(fd[0]);
	while (waitpid(pid, &status, 0) < 0)
		;
	return (unsigned int)atoi(buf) * 256 + (unsigned int)WEXITSTATUS(status);
}

int main(void)
{
	struct sigaction sa = { .sa_handler = tick, .sa_flags = SA_RESTART };
	struct itimerspec every = { { 0, 3000000 }, { 0, 3000000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN + 3 };
	uint64_t seen[STEPS], sum, acc = 1;
	pthread_t team[TEAM];
	timer_t timer;
	int i, k;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGRTMIN + 3, &sa, NULL);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) ||
	    timer_settime(timer, 0, &every, NULL))
		return 1;
	pthread_barrier_init(&begin, NULL, TEAM + 1);
	pthread_barrier_init(&end, NULL, TEAM + 1);
	for (k = 0; k < TEAM; k++)
		pthread_create(&team[k], NULL, work, (void *)(intptr_t)k);
	for (i = 0; i < STEPS || access("go", F_OK); i++) {
		int before = ticks;

		step_no = i % STEPS;
		pthread_barrier_wait(&begin);
		sum = child(step_no);
		pthread_barrier_wait(&end);
		for (k = 0; k < TEAM; k++)
			sum = sum * 31 + parts[k];
		while (ticks == before)
			usleep(1000);
		if (i >= STEPS && seen[step_no] != sum)
			printf("wrong: %d: %lx, %lx\n", step_no,
			       (long)seen[step_no], (long)sum);
		if (i >= STEPS)
			continue;
		seen[i] = sum;
		acc = acc * 69069 + sum;
		printf("%d: %lx: %lx\n", i, (long)sum, (long)acc);
	}
	step_no = -1;
	pthread_barrier_wait(&begin);
	for (k = 0; k < TEAM; k++)
		pthread_join(team[k], NULL);
	printf("end: %lx\n", (long)acc);
	return 0;
}

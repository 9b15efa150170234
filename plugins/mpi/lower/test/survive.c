/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * survive.c - a program with a lower half under real checkpoints
 *
 * One thread waits inside the lower half for ever (it reads from a pipe that
 * says something at the end), one calls MPI all the time.  Both are rolled
 * back at a restart.  Prints "restarts N" whenever it has got up; ends when
 * DIR/end exists.  Usage: survive DIR
 */
#include "mpi/lower/test/held.h"
#include "mpi/lower/test/lower_mpi.h"

static atomic_int up;
static int talk[2];
static ssize_t (*lower_read)(int, void *, size_t);

static void exchange(int x)
{
	int y = -1;

	ROLL_BACK_TO_HERE();
	border();
	CHECK(!CR_LOWER(L.Sendrecv(&x, 1, L.integer, 0, 1, &y, 1, L.integer,
				   0, 1, L.world, MPI_STATUS_IGNORE)));
	slot->active = 0;
	CHECK(x == y);
}

static void *wait_inside(void *arg)
{
	char byte = 0;
	ssize_t n;

	ROLL_BACK_TO_HERE();
	border();
	n = CR_LOWER(lower_read(talk[0], &byte, 1));
	slot->active = 0;
	CHECK(n == 1 && byte == 'x');
	return NULL;
}

static void bring_up(char **env)
{
	lower_mpi_up(env, MPI_THREAD_SINGLE);
	CHECK((lower_read = cr_lower_symbol("read")));
}

static void resume(void *arg, int outcome)
{
	char **env;

	if (outcome == CR_OUTCOME_RESTARTED) {
		CHECK(!cr_lower_abandon(true));
		env = cr_restart_environment();
		CHECK(env);
		bring_up(env);
	} else {
		cr_lower_release();
	}
	atomic_fetch_add(&up, outcome == CR_OUTCOME_RESTARTED);
	atomic_store(&closed, 0);
}

static const struct cr_coordinator coordinator = { quiesce, resume };

int main(int argc, char **argv)
{
	int said = -1, i;
	struct census c;
	pthread_t t;

	CHECK(argc == 2 && !chdir(argv[1]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	CHECK(!cr_register_coordinator(&coordinator, NULL));
	CHECK(!pipe2(talk, O_CLOEXEC));
	bring_up(environ);
	CHECK(!pthread_create(&t, NULL, wait_inside, NULL));
	for (i = 0; access("end", F_OK) < 0; i++) {
		exchange(i);
		if (said != atomic_load(&up)) {
			said = atomic_load(&up);
			take_census(&c);
			printf("restarts %d fds %d threads %d maps %d\n",
			       said, c.fds, c.tasks, c.maps);
		}
	}
	CHECK(write(talk[1], "x", 1) == 1);
	CHECK(!pthread_join(t, NULL));
	printf("end after %d restarts\n", said);
	return 0;
}

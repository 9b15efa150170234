/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init.c - MPI_Init to MPI_Finalize: bringing the lower half up and down */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libcr.h"
#include "mpi/complete.h"
#include "mpi/cut.h"
#include "mpi/objects.h"
#include "mpi/request.h"
#include "slurm/register.h"

extern char **environ;

struct cr_mpi_low cr_mpi_low;
int cr_mpi_rank = -1, cr_mpi_size;
MPI_Comm cr_mpi_private, cr_mpi_private_self;
volatile int cr_mpi_phase;

static int required, provided, lower_level;
static pid_t main_thread;
static char library[4096]; /* path of the program's MPI library */

void cr_mpi_die(const char *text)
{
	fprintf(stderr, "libcr_mpi: rank %d (pid %d): %s\n", cr_mpi_rank,
		(int)getpid(), text);
	fflush(NULL);
	abort();
}

void cr_mpi_refuse(const char *function)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static const char *told[64];
	char reason[160];
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < 63 && told[i]; i++)
		if (!strcmp(told[i], function))
			break;
	if (!told[i]) {
		told[i] = function;
		snprintf(reason, sizeof(reason),
			 "the program called %s, which cannot be checkpointed",
			 function);
		cr_not_checkpointable(reason);
	}
	pthread_mutex_unlock(&lock);
}

/* The environment of the launch that this process belongs to now. */
static const char *launch_env(const char *name)
{
	char **env = cr_restart_environment();
	size_t n = strlen(name);

	for (env = env ? env : environ; *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

/* Tells the agent of the node, if there is one, that this is a rank. */
int cr_mpi_register(void)
{
	const char *path = launch_env(CR_AGENT_SOCKET_ENV);
	const char *world = launch_env("PMIX_NAMESPACE");
	const char *launcher = launch_env(CR_LAUNCHER_ENV);
	struct cr_register m = { .kind = CR_REGISTER_MPI };
	struct cr_register_reply reply;
	int rc;

	if (!path || !*path)
		return 0;
	m.rank = cr_mpi_rank;
	m.size = cr_mpi_size;
	m.launcher = launcher ? atoi(launcher) : 0;
	snprintf(m.world, sizeof(m.world), "%s", world ? world : "");
	for (char *p = m.world; *p; p++)
		if (*p == '/')
			*p = '_';
	memset(&reply, 0, sizeof(reply));
	rc = cr_register_send(path, &m, &reply, 10000);
	if (rc < 0)
		fprintf(stderr,
			"libcr_mpi: rank %d is not known to the job's agent "
			"and cannot be checkpointed: %s\n", cr_mpi_rank,
			reply.text[0] ? reply.text : strerror(-rc));
	return rc;
}

static int fill_table(struct cr_error *err)
{
	int missing = 0;

#define X(member, name, class)                                             \
	cr_mpi_low.member = (__typeof__(cr_mpi_low.member))(uintptr_t)     \
		cr_lower_symbol(name);                                     \
	if (!cr_mpi_low.member && strncmp(name, "MPIX_", 5) && !missing++) \
		cr_error_set(err, -ENOENT, "%s has no %s", library, name);
	CR_MPI_FUNCTIONS(X)
#undef X
	return missing ? -ENOENT : 0;
}

/* Our copy of env, where this launch needs other transports. */
static char **adapted(char *const env[])
{
	static char none[] = "OMPI_MCA_btl_vader_single_copy_mechanism=none";
	static char osc[] = "OMPI_MCA_osc=^rdma";
	char **copy;
	int n = 0;

	while (env[n])
		n++;
	copy = cr_mpi_alloc(n + 3, sizeof(*copy));
	memcpy(copy, env, n * sizeof(*copy));
	/*
	 * Restored in a user namespace of its own, a process may not read
	 * its peers' memory any more; and without that, Open MPI's windows
	 * over "rdma" cannot be made.  What the user has set comes first.
	 */
	if (cr_restarts() > 0) {
		copy[n++] = none;
		copy[n] = osc;
	}
	return copy;
}

/* A lower half with MPI initialised in it, our predefined handles bound. */
int cr_mpi_bring_up(char *const env[], struct cr_error *err)
{
	char **copy = adapted(env);
	MPI_Comm world, self;
	int rc, r, n, rank;

	rc = cr_lower_boot(library, copy, err);
	free(copy);
	if (rc < 0)
		return rc;
	rc = fill_table(err);
	if (rc < 0)
		return rc;
	/*
	 * Without MPI_THREAD_MULTIPLE our token sees to it that one thread
	 * at a time is inside, and MPI_THREAD_SINGLE is all that takes.
	 */
	n = required == MPI_THREAD_MULTIPLE ? required : MPI_THREAD_SINGLE;
	r = CR_LOWER(cr_mpi_low.Init_thread(NULL, NULL, n, &lower_level));
	if (r != MPI_SUCCESS)
		return cr_error_set(err, -EIO, "MPI_Init_thread failed: %d", r);
	cr_lower_settled();
	if (cr_mpi_multiple && lower_level < MPI_THREAD_MULTIPLE)
		return cr_error_set(err, -EIO,
				    "the MPI library gives less thread support "
				    "than before the restart");
	cr_mpi_multiple = lower_level == MPI_THREAD_MULTIPLE;
	rc = cr_mpi_predefined_bind(err);
	if (rc < 0)
		return rc;
	world = cr_mpi_lower_comm(CR_PRE(ompi_mpi_comm_world));
	self = cr_mpi_lower_comm(CR_PRE(ompi_mpi_comm_self));
	CR_LOWER(cr_mpi_low.Comm_rank(world, &rank));
	CR_LOWER(cr_mpi_low.Comm_size(world, &n));
	if (cr_mpi_rank >= 0 && (rank != cr_mpi_rank || n != cr_mpi_size))
		return cr_error_set(err, -EINVAL,
				    "was rank %d of %d, is now rank %d of %d: "
				    "an MPI program must be restarted with the "
				    "same number of ranks", cr_mpi_rank,
				    cr_mpi_size, rank, n);
	cr_mpi_rank = rank;
	cr_mpi_size = n;
	r = CR_LOWER(cr_mpi_low.Comm_dup(world, &cr_mpi_private));
	if (r == MPI_SUCCESS)
		r = CR_LOWER(cr_mpi_low.Comm_dup(self, &cr_mpi_private_self));
	if (r != MPI_SUCCESS)
		return cr_error_set(err, -EIO, "MPI_Comm_dup failed: %d", r);
	rc = cr_mpi_complete_init(cr_mpi_private_self, err);
	if (rc < 0)
		return rc;
	if (!cr_mpi_multiple) {
		rc = cr_lower_token_init(err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void fork_child_cb(void)
{
	/* MPI is not usable in a child, as with the library alone */
	cr_mpi_fork_child();
}

static int start(int level, int *level_provided)
{
	struct cr_error err = { 0 };
	char **env = cr_restart_environment();
	cr_client_id_t client;
	int rc;

	if (cr_mpi_phase != CR_MPI_NEVER)
		cr_mpi_die("MPI_Init was called twice");
	required = level;
	main_thread = syscall(SYS_gettid);
	client = cr_init();
	if (client >= 0)
		cr_enter_cs(client);
	rc = cr_lower_library(library, sizeof(library), &err);
	if (rc == 0)
		rc = cr_mpi_predefined_init(&err);
	if (rc == 0)
		rc = cr_mpi_bring_up(env ? env : environ, &err);
	if (rc < 0)
		cr_mpi_die(err.text);
	provided = level == MPI_THREAD_MULTIPLE ? lower_level : level;
	*level_provided = provided;
	cr_mpi_comm_init();
	cr_mpi_attr_init();
	cr_mpi_errhandler_init();
	cr_mpi_sent = cr_mpi_alloc(cr_mpi_size, sizeof(*cr_mpi_sent));
	cr_mpi_received = cr_mpi_alloc(cr_mpi_size, sizeof(*cr_mpi_received));
	if (cr_lower_check(true, &err) < 0) {
		fprintf(stderr, "libcr_mpi: rank %d cannot be checkpointed: "
			"%s\n", cr_mpi_rank, err.text);
		cr_not_checkpointable(err.text);
	}
	pthread_atfork(NULL, NULL, fork_child_cb);
	cr_mpi_phase = CR_MPI_UP;
	cr_mpi_open(CR_MPI_HOLD_DOWN);
	cr_mpi_cut_init();
	if (client >= 0)
		cr_leave_cs(client);
	cr_mpi_register();
	return MPI_SUCCESS;
}

int MPI_Init_thread(int *argc, char ***argv, int level, int *level_provided)
{
	if (level < MPI_THREAD_SINGLE || level > MPI_THREAD_MULTIPLE)
		level = MPI_THREAD_MULTIPLE;
	return start(level, level_provided);
}
CR_MPI_ALIAS(Init_thread, (int *argc, char ***argv, int level,
			   int *level_provided));

int MPI_Init(int *argc, char ***argv)
{
	int level;

	return start(MPI_THREAD_SINGLE, &level);
}
CR_MPI_ALIAS(Init, (int *argc, char ***argv));

int MPI_Finalize(void)
{
	MPI_Comm world = CR_PRE(ompi_mpi_comm_world), lc;
	int r;

	if (cr_mpi_phase != CR_MPI_UP)
		cr_mpi_die("MPI_Finalize without MPI_Init, or twice");
	cr_mpi_attr_delete_all(CR_PRE(ompi_mpi_comm_self));
	/*
	 * As long as a rank is missing the others wait in a barrier, where
	 * they can be checkpointed; in MPI_Finalize itself they cannot.
	 */
	CR_MPI_COLL(world, lc = cr_mpi_lower_comm(world);, r,
		    cr_mpi_low.Barrier(lc));
	cr_mpi_phase = CR_MPI_FINALIZING;
	cr_mpi_enter(CR_MPI_CLASS_THROUGH);
	r = CR_LOWER(cr_mpi_low.Finalize());
	cr_mpi_leave();
	__atomic_or_fetch(&cr_mpi_closed, CR_MPI_HOLD_DOWN, __ATOMIC_SEQ_CST);
	cr_mpi_phase = CR_MPI_FINALIZED;
	cr_lower_flush();
	return r;
}
CR_MPI_ALIAS(Finalize, (void));

int MPI_Abort(MPI_Comm comm, int code)
{
	int r;

	if (cr_mpi_phase != CR_MPI_UP)
		cr_mpi_die("MPI_Abort");
	/* not held at the border: the program ends here */
	r = CR_LOWER(cr_mpi_low.Abort(cr_mpi_lower_comm(comm), code));
	return r;
}
CR_MPI_ALIAS(Abort, (MPI_Comm comm, int code));

int MPI_Initialized(int *flag)
{
	*flag = cr_mpi_phase != CR_MPI_NEVER;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Initialized, (int *flag));

int MPI_Finalized(int *flag)
{
	*flag = cr_mpi_phase == CR_MPI_FINALIZED;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Finalized, (int *flag));

int MPI_Query_thread(int *level)
{
	*level = provided;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Query_thread, (int *level));

int MPI_Is_thread_main(int *flag)
{
	*flag = syscall(SYS_gettid) == main_thread;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Is_thread_main, (int *flag));

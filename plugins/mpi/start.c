/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.c - a rank that mpirun starts anew becomes its own restart
 *
 * A launcher that is run again at a restart hands CR_RESTART_STEP down to
 * the ranks.  The first process of a rank that has this library preloaded
 * turns into cr_restart, before the program has run an instruction.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpi/border.h"
#include "slurm/register.h"

static bool is_launcher(const char *name)
{
	static const char *const names[] = { "orted", "mpirun", "orterun",
					     "mpiexec", "prted", "prterun",
					     "srun", "slurmstepd",
					     "cr_restart", "cr_task" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name, names[i], strlen(names[i])) &&
		    (!name[strlen(names[i])] || name[strlen(names[i])] == '.'))
			return true;
	return false;
}

/* cr_restart: beside the library's programs, or where it was installed. */
static void find_restart(char *path, size_t size)
{
	const char *bin = getenv("CR_BINDIR"), *lib = getenv("CR_LIBEXEC");

	snprintf(path, size, "%s/cr_restart", bin ? bin : BINDIR);
	if (!bin && lib && access(path, X_OK) < 0)
		snprintf(path, size, "%s/cr_restart", lib);
}

static void __attribute__((constructor)) become_restart(void)
{
	const char *step = getenv(CR_RESTART_STEP_ENV);
	const char *rank = getenv("PMIX_RANK");
	char exe[4096], path[4096], image[4096];
	ssize_t n;

	if (!rank)
		return;
	/*
	 * A restart before MPI_Init leaves the environment of its launch in
	 * libcr's control block, which asking for anything makes.
	 */
	cr_checkpointable("");
	if (!step || !*step)
		return;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		return;
	exe[n] = '\0';
	if (is_launcher(strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe))
		return;
	if (snprintf(image, sizeof(image), "%s.%s.context", step, rank) >=
	    (int)sizeof(image))
		return;
	find_restart(path, sizeof(path));
	unsetenv(CR_RESTART_STEP_ENV);
	unsetenv("LD_PRELOAD");
	execl(path, "cr_restart", image, (char *)NULL);
	/* the program must not begin from its start instead */
	fprintf(stderr, "libcr_mpi: rank %s cannot be restarted: %s: %s\n",
		rank, path, strerror(errno));
	_exit(127);
}

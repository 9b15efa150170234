/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restart.c - a fresh lower half in a restored process */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mpi/cut.h"
#include "mpi/drain.h"
#include "mpi/exchange.h"
#include "mpi/objects.h"

extern char **environ;

/* All that the program has made, made again. */
static int rebuild(struct cr_error *err)
{
	int rc;

	rc = cr_mpi_errhandler_rebuild(err);
	if (rc == 0)
		rc = cr_mpi_type_rebuild(err);
	if (rc == 0)
		rc = cr_mpi_op_rebuild(err);
	if (rc == 0)
		rc = cr_mpi_comm_rebuild(err);
	if (rc == 0 && cr_mpi_buffer_rebuild() != MPI_SUCCESS)
		rc = cr_error_set(err, -1, "MPI_Buffer_attach failed");
	if (rc == 0)
		rc = cr_mpi_request_rebuild(err);
	if (rc == 0)
		cr_mpi_comm_rebuild_end();
	return rc;
}

/* What was begun and left by nobody is begun again. */
static void reset_collectives(void)
{
	struct cr_mpi_object *o;
	struct cr_mpi_comm *c;

	c = cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_world));
	c->entered = c->done;
	c = cr_mpi_comm_of(CR_PRE(ompi_mpi_comm_self));
	c->entered = c->done;
	for (o = cr_mpi_objects[CR_MPI_COMM]; o; o = o->next) {
		c = (struct cr_mpi_comm *)o;
		c->entered = c->done;
	}
}

void cr_mpi_restart(void)
{
	struct cr_error err = { 0 };
	char **env = cr_restart_environment();
	int rc;

	cr_lower_abandon(true);
	cr_mpi_unbind_all();
	cr_mpi_exchange_forget();
	if (cr_mpi_phase == CR_MPI_FINALIZED)
		return;
	rc = cr_mpi_bring_up(env ? env : environ, &err);
	if (rc == 0)
		rc = rebuild(&err);
	if (rc < 0)
		cr_mpi_die(err.text);
	reset_collectives();
	cr_mpi_time_go_on();
	cr_mpi_register();
	cr_mpi_helper_reset();
	cr_mpi_gate_open();
	cr_mpi_open(CR_MPI_HOLD_ALL | CR_MPI_HOLD_COLL | CR_MPI_HOLD_TOKEN);
}

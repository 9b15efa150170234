#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# LAMMPS under mpirun in the batch script: 5 checkpoints at random moments,
# killed after each, on other nodes and with another distribution of ranks; the
# same numbers come out
# time limit: 500
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
. "$(dirname "$0")/lammps.sh"
enter_pidns
lammps_case mpirun

# SPDX-License-Identifier: GPL-2.0-or-later
# lammps.sh - Debian's LAMMPS as a job: saved, killed, restarted elsewhere,
# and compared with an undisturbed run
#
# For cases in the 30xx range, after lib.sh and slurm.sh.
# shellcheck shell=bash

# What LAMMPS says of the melt, without its times: "step numbers...".
lammps_thermo() { grep -E '^ +[0-9]+( +-?[0-9.e+-]+){4} *$' "$1"; }

lammps_step() {
	lammps_thermo "$BOX/shared/job.log" 2>/dev/null |
		awk 'END { print $1 + 0 }' || true
}

lammps_further() { [ "$(lammps_step)" -ge "$1" ]; }

# As many steps as take about so many seconds here.
lammps_steps() {
	local t0=${EPOCHREALTIME/./} ms
	as_alice timeout 60 srun -N2 -n4 lmp -in melt.lmp -var STEPS 200 \
		-var CELLS 10 -log calibrate.log >calibrate.out 2>&1 ||
		{ cat calibrate.out; fail "LAMMPS does not run"; }
	ms=$(((${EPOCHREALTIME/./} - t0) / 1000))
	echo $((($1 * 1000 * 200 / ms / 200 + 3) * 200))
}

# lammps_save_and_move K NODES: checkpoint at a random moment, kill the job
# some time later, restart it on so many nodes.
lammps_save_and_move() {
	local at=$(($(lammps_step) + 20 + RANDOM % (steps / 10))) saved
	wait_for "lammps_further $at" 60
	slurm_try_mpi create "$JOB"
	saved=$(lammps_step)
	wait_for "lammps_further $((saved + 40))" 60
	as_alice timeout 30 scontrol requeue "$JOB"
	wait_for '[ "$(job_state $JOB)" = PENDING ]' 60
	as_alice timeout 30 scontrol update "job=$JOB" "NumNodes=$2-$2" \
		StartTime=now
	slurm_restarted "$1"
	note "saved near step $saved; goes on, on $(job_nodes)"
}

job_nodes() {
	box in ctl scontrol show job "$JOB" | sed -n 's/^ *NodeList=//p'
}

# lammps_case LAUNCHER...: the whole case, with `srun` or `mpirun`.
lammps_case() {
	local k=0 nodes
	need lmp
	export BOX_CPUS=4
	slurm_up 3
	cp "$CR_SRC/test-cluster/cases/melt.lmp" "$BOX/shared"
	note "seed ${RANDOM_SEED:=$((${EPOCHREALTIME/./} % 32768))}"
	RANDOM=$RANDOM_SEED
	steps=$(lammps_steps 12)
	note "$steps steps"
	slurm_script job.sh <<-END
		#!/bin/bash
		#SBATCH -N2 -n4
		echo begins
		$* lmp -in melt.lmp -var STEPS $steps -var CELLS 10 -log \$1.log >\$1.screen
		echo "ends with \$?"
	END

	slurm_submit job.sh ref
	[ "$(slurm_finish)" = "COMPLETED 0:0" ]
	slurm_has 'ends with 0'

	slurm_submit --checkpoint job.sh job
	for nodes in 3 1 2 3 2; do
		k=$((k + 1))
		lammps_save_and_move $k $nodes
	done
	[ "$(slurm_finish "$JOB" 120)" = "COMPLETED 0:0" ]
	slurm_has 'ends with 0'
	[ "$(grep -c '^begins' "$OUT")" = 1 ] || fail "the script began again"

	for k in log screen; do
		lammps_thermo "$BOX/shared/ref.$k" >ref.$k
		lammps_thermo "$BOX/shared/job.$k" >job.$k
		[ "$(wc -l <ref.$k)" = $((steps / 20 + 1)) ]
		cmp ref.$k job.$k
	done
}

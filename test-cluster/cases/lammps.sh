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

# lammps_end NAME STEP: the job with this argument ends after that step, at the
# next 200.  Never a file that is half written, nor one that is open.
lammps_end() {
	echo "$2" >"$BOX/shared/end.new"
	mv "$BOX/shared/end.new" "$BOX/shared/$1.end"
}

# lammps_save_and_move K NODES: checkpoint at a random moment, kill the job
# some time later, restart it on so many nodes.
lammps_save_and_move() {
	local at=$(($(lammps_step) + 20 + RANDOM % 200)) saved
	wait_for "lammps_further $at" 120
	slurm_try create "$JOB"
	saved=$(lammps_step)
	wait_for "lammps_further $((saved + 40))" 120
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
	slurm_script job.sh <<-END
		#!/bin/bash
		#SBATCH -N2 -n4
		echo begins
		$* lmp -in melt.lmp -var END \$1.end -var CELLS 8 -log \$1.log >\$1.screen
		echo "ends with \$?"
	END

	lammps_end job 1000000000
	slurm_submit --checkpoint job.sh job
	for nodes in 3 1 2 3 2; do
		k=$((k + 1))
		lammps_save_and_move $k $nodes
	done
	lammps_end job 0
	[ "$(slurm_finish "$JOB" 120)" = "COMPLETED 0:0" ]
	slurm_has 'ends with 0'
	[ "$(grep -c '^begins' "$OUT")" = 1 ] || fail "the script began again"

	lammps_end ref "$(lammps_step)"
	slurm_submit job.sh ref
	[ "$(slurm_finish "$JOB" 200)" = "COMPLETED 0:0" ]
	slurm_has 'ends with 0'
	for k in log screen; do
		lammps_thermo "$BOX/shared/ref.$k" >ref.$k
		lammps_thermo "$BOX/shared/job.$k" >job.$k
		[ -s ref.$k ]
		cmp ref.$k job.$k
	done
}

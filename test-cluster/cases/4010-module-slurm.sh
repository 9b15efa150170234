#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A Slurm cluster in a machine with the module: an MPI job is checkpointed, ended, restarted.
# time limit: 2000
#
# The guest has the box with two nodes.  Alice's job, who has no capability
# and no user namespaces, comes back with the process ids that it had.  The
# field is that of an undisturbed run outside of the guest.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
need_root
need slurmctld slurmd munged
tmpdir
[ -e "$CR_PREFIX/lib/libcr_mpi.so" ] || skip "built without MPI"
[ -e "$CR_PREFIX/lib/stillpoint/spank_stillpoint.so" ] ||
	skip "built without Slurm"
vm_need 6.1
module=$(vm_build 6.1)
mpicc_prog heat2d "$CR_SRC/examples/heat2d.c" -lm

cat >in-guest <<'END2'
#!/bin/bash
# what happens in the guest
. "$CR_SRC/test-cluster/cases/lib.sh"
. "$CR_SRC/test-cluster/cases/slurm.sh"
sysctl -q kernel.unprivileged_userns_clone=0
# Programs start four times as fast under emulation (see vm/suite).
sysctl -q kernel.randomize_va_space=0
built=$1
# Everything takes long in here, and is no sign of a dead node.
export BOX_CONF="SlurmdTimeout=300
MessageTimeout=60
TCPTimeout=30
BatchStartTimeout=120
KillWait=30"
slurm_up 2
install -m 755 "$built/heat2d" "$BOX/shared/heat2d"
slurm_script mpi.sh <<'X'
#!/bin/bash
#SBATCH -N2 -n2
export CR_MPI_VERBOSE=1
srun --mpi=pmix bash -c 'echo "rank $SLURM_PROCID is $$"
	# Slurm needs the processors, too
	exec nice ./heat2d -n 64 -i 2000000000 -s stop -o field'
echo "ends $?"
X
furthest() {
	awk '/^iteration/ && $2 > n { n = $2 } END { print n + 0 }' "$OUT" \
		2>/dev/null || echo 0
}
more() {
	local now
	now=$(furthest)
	wait_for "[ \$(furthest) -gt $now ]" 90
}
# ids: the ranks as the nodes know them
ids() {
	local node
	for node in n1 n2; do
		echo "$node $(box in $node pgrep -x heat2d)"
	done
}

note "$(date +%T) the cluster is up"
slurm_submit --checkpoint mpi.sh
more
ids >before
note "$(date +%T) it runs: $(paste -s -d ' ' before)"
slurm_try create "$JOB"
note "$(date +%T) checkpointed"
slurm_try requeue "$JOB"
slurm_restarted 1
more
ids >after
note "$(date +%T) it runs again: $(paste -s -d ' ' after)"
cmp before after
dmesg | grep 'cr: restart of process .* by uid 20001.*: done'
touch "$BOX/shared/stop"
[ "$(slurm_finish "$JOB" 120)" = "COMPLETED 0:0" ]
slurm_has 'ends 0'
note "$(date +%T) it has ended"
cp "$BOX/shared/field" "$OUT" "$built/out"
furthest >"$built/out/iterations"
END2
mkdir out
vm_source src
vm run -m 3072 -t 1800 -i "$module" -l log -d "$T/out" -- \
	env CR_SRC="$T/src" CR_PREFIX="$CR_PREFIX" CR_TEST_PATIENCE=5 \
	bash "$T/in-guest" "$T" || fail "in the guest"
vm_log_clean log

timeout 100 mpirun --oversubscribe -n 2 ./heat2d -n 64 \
	-i "$(cat out/iterations)" -o reference >/dev/null
cmp reference out/field

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A box comes up, runs jobs on all its nodes and goes without a trace, also
# when its `up` was killed half way.
# time limit: 90
. "$(dirname "$0")/lib.sh"
enter_pidns
need_root
need slurmctld slurmd munged
tmpdir

processes() { ps -e -o comm= | grep -cE '^(unshare|slurm|munge|node)' || true; }

my_cgroups() {
	find /sys/fs/cgroup -maxdepth 2 \
		-name "stillpoint-box-$(echo "$BOX" | cksum | cut -d' ' -f1)"
}

export BOX=$T/box
at_exit 'box down'
findmnt -rn -o TARGET | sort >before

box up 3
[ "$(box as alice ctl timeout 20 srun -N3 hostname | sort | xargs)" = "n1 n2 n3" ]
[ "$(box in n2 hostname)" = n2 ]
[ "$(box as bob n1 id -un)" = bob ]
status=0
box in n1 sh -c 'exit 5' || status=$?
[ $status = 5 ] || fail "exit status $status, not 5"
[ -n "$(my_cgroups)" ] || note "without cgroups"
# Each node has its own /tmp and /dev/shm; all have shared/.
box in n1 sh -c 'touch /tmp/a /dev/shm/a; echo x >shared-file'
must_fail box in n2 ls /tmp/a 2>/dev/null
must_fail box in n2 ls /dev/shm/a 2>/dev/null
[ "$(box in n2 cat shared-file)" = x ]
box down
gone_all() { [ "$(processes)" = 0 ]; }
wait_for gone_all 5
[ -z "$(my_cgroups)" ] || fail "cgroups are left"
[ ! -e "$BOX" ] || fail "files are left"
findmnt -rn -o TARGET | sort | cmp - before

for ms in 05 2 4; do
	note "up killed after 0.$ms s"
	timeout -s KILL 0.$ms "$CR_SRC/test-cluster/box/box" up 2 >/dev/null 2>&1 || true
	box down
	wait_for gone_all 5
	[ -z "$(my_cgroups)" ] || fail "cgroups are left"
	[ ! -e "$BOX" ] || fail "files are left"
done

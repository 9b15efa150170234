#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A user with nothing but the module passes the tests of libcr, on each kernel.
# time limit: 1500
#
# The cases run in guests (test-cluster/vm/suite): uid 1000, no capabilities,
# no user namespaces, CR_ENGINE=module.  There are two guests at once, with one
# processor each: emulated ones lose more by talking to each other than two of
# them can do.  With CR_TEST_LONG=1 it is all cases from 01 to 08 on all
# kernels, twice what is repeated.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
need_root
tmpdir
vm_need 6.1 6.12 5.10
cc_prog pid1 "$CR_SRC/test-cluster/cases/pid1.c"
vm_source src
declare -A module
for kver in 6.1 6.12 5.10; do module[$kver]=$(vm_build $kver); done
runs=1 limit=1200
[ -z "${CR_TEST_LONG:-}" ] || runs=2 limit=5000

# on KVER NAME...: these in a guest; what it says goes to KVER.said
on() {
	local kver=$1
	shift
	vm run -k "$kver" -c 1 -m 3072 -t $limit -i "${module[$kver]}" \
		-l "$kver.log" -- \
		env CR_PREFIX="$CR_PREFIX" CR_SRC="$T/src" CR_PID1="$T/pid1" \
		CR_PROGRAMS="${CR_PROGRAMS:-}" \
		CR_TEST_RUNS="${CR_TEST_RUNS:-$runs}" \
		"$T/src/test-cluster/vm/suite" "$@" >"$kver.said" 2>&1 ||
		failed+=" $kver"
}

if [ -n "${CR_TEST_LONG:-}" ]; then
	one() {
		on 6.1 01 02 03 04 05 06 07 08
		on 5.10 01 02 03 04 05 06 07 08
	}
	other() { on 6.12 01 02 03 04 05 06 07 08; }
else
	one() {
		on 6.1 01 02 03 04 05
		on 5.10 0102 0201 0505 0601-objects/pipe 0701-process/timer
	}
	other() { on 6.12 0102 0601 0701 0703; }
fi
failed=
one &
other
wait $!
for kver in 6.1 6.12 5.10; do
	cat $kver.said
	tail -n 1 $kver.said | grep -q ' 0 failed' || failed+=" $kver"
	(vm_log_clean $kver.log) || failed+=" $kver"
	grep -q 'cr: restart of process .* by uid 1000.*: done' $kver.log ||
		fail "no restart by the module in the log of $kver"
done
[ -z "$failed" ] || fail "on$failed"

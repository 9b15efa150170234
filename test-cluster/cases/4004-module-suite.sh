#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A user with nothing but the module passes the tests of libcr, on each kernel.
# time limit: 900
#
# The cases run in guests (test-cluster/vm/suite): uid 1000, no capabilities,
# no user namespaces, CR_ENGINE=module.  On 6.1 it is the quicker half of 01 to
# 05, on the others few.  With CR_TEST_LONG=1 it is all cases, with every program
# of state/, on all kernels, which takes hours without KVM.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
need_root
tmpdir
vm_need 6.1 6.12 5.10
cc_prog pid1 "$CR_SRC/test-cluster/cases/pid1.c"
vm_source src

# on KVER CASE...
on() {
	local kver=$1 module
	shift
	module=$(vm_build "$kver")
	note "$kver"
	vm run -k "$kver" -m 3072 -t "$limit" -i "$module" -l "log-$kver" -- \
		env CR_PREFIX="$CR_PREFIX" CR_SRC="$T/src" CR_PID1="$T/pid1" \
		CR_PROGRAMS="${CR_PROGRAMS:-}" CR_TEST_RUNS="${CR_TEST_RUNS:-2}" \
		"$T/src/test-cluster/vm/suite" "$@" || failed+=" $kver"
	(vm_log_clean "log-$kver") || failed+=" $kver"
	grep -q 'cr: restart of process .* by uid 1000.*: done' "log-$kver" ||
		fail "no restart by the module in the log of $kver"
}

failed='' limit=800
if [ -n "${CR_TEST_LONG:-}" ]; then
	limit=7200
	for kver in 6.1 6.12 5.10; do on $kver 01 02 03 04 05 06 07; done
else
	on 6.1 0101 0102 0103 0104 0110 0201 0203 0204 0302 0303 0320 0402 \
		0404 0405 0504
	on 6.12 0102 0201
	on 5.10 0201 0505
fi
[ -z "$failed" ] || fail "on$failed"

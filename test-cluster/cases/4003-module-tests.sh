#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The device does what doc/device.md says, on each kernel, for ordinary users.
# time limit: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
tmpdir
vm_need 6.1 6.12 5.10

mkdir tests
make -s -C "$CR_SRC/kernel-module/test" O="$T/tests" CFLAGS="-O1 -g -Wall -Werror"
# a guest has a /tmp of its own, and the sources may lie in ours
cp "$CR_SRC/kernel-module/test/run" tests

# Random calls are the same everywhere: many on one kernel, few on the others.
failed=''
for kver in 6.1:100000 6.12:5000 5.10:5000; do
	calls=${kver#*:} kver=${kver%:*}
	module=$(vm_build $kver)
	# Yama is switched on by the tests that need it, swap and file
	# systems in memory are made by them.
	vm run -k $kver -i "$module" -l log-$kver -t 300 -- \
		env CR_KMOD_TESTS="$T/tests" "$T/tests/run" \
		-c $calls || failed+=" $kver"
	(vm_log_clean log-$kver) || failed+=" $kver"
done
[ -z "$failed" ] || fail "on$failed"

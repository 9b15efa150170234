#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel module builds without warnings for each kernel, comes and goes.
# time limit: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
tmpdir
vm_need 6.1 6.12 5.10

for kver in 6.1 6.12 5.10; do
	note "$kver"
	module=$(vm_build $kver)
	[ "$(basename "$module")" = cr.ko ] || fail "built: $module"
	vm run -k $kver -l log-$kver -- bash -ec '
		for i in 1 2 3; do
			insmod "$1"
			[ "$(stat -c %a /dev/cr)" = 666 ]
			rmmod cr
			[ ! -e /dev/cr ]
		done
		insmod "$1"
		exec 3<>/dev/cr
		! rmmod cr 2>/dev/null
		exec 3>&-
		rmmod cr
	' - "$module"
	vm_log_clean log-$kver
done

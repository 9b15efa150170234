#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels boot in QEMU with this machine's root: output, exit status, limits.
# time limit: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
tmpdir
vm_need 6.1 6.12 5.10

[ "$(vm list | wc -l)" -ge 3 ] || fail "vm list"
must_fail vm prepare 0.99
must_fail vm run -k 0.99 -- true

mkdir shared
echo before >private
status=0
vm run -d "$T/shared" -l log -- bash -ec '
	uname -r
	echo after >private
	echo through >shared/file
	[ "$(cat private)" = after ]
	[ "$(id -u)" = 0 ]
	# User namespaces and another user, as tests need them.
	setpriv --reuid=1000 --regid=1000 --clear-groups \
		unshare --user --pid --fork --map-root-user id -u
	seq 20000
	exit 7
' >out || status=$?
cat out | head -n 2
[ $status = 7 ] || fail "exit status $status"
[ "$(head -n 1 out)" = "$(vm list | grep '^6\.1\.')" ] || fail "another kernel"
[ "$(sed -n 2p out)" = 0 ] || fail "user namespaces"
[ "$(tail -n +3 out)" = "$(seq 20000)" ] || fail "the output is not complete"
[ "$(cat private)" = before ] || fail "the guest writes in our root"
[ "$(cat shared/file)" = through ] || fail "the shared directory"
vm_log_clean log

note "a guest that dies"
status=0
vm run -l log -- sh -c 'echo c >/proc/sysrq-trigger; sleep 60' || status=$?
[ $status = 125 ] || fail "exit status $status"
grep -q 'sysrq triggered crash' log || fail "its last words are not in the log"

note "a guest that goes on for ever"
status=0
vm run -t 4 -- sleep 600 || status=$?
[ $status = 124 ] || fail "exit status $status"

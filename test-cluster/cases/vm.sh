# SPDX-License-Identifier: GPL-2.0-or-later
# vm.sh - for cases that need another kernel; comes after lib.sh
# shellcheck shell=bash

vm() { "$CR_SRC/test-cluster/vm/vm" "$@"; }

# vm_need KVER...: skip when this machine cannot boot one of these kernels.
vm_need() {
	local kver said status=0
	need qemu-system-x86_64
	for kver; do
		said=$(vm prepare "$kver" 2>&1) || status=$?
		[ $status = 0 ] || echo "$said"
		[ $status != 77 ] || skip "${said##*skipped: }"
		[ $status = 0 ] || fail "vm prepare $kver"
	done
}

# vm_build KVER [MAKEARG...]: build the module below $T; prints its path.
# Warnings are errors.
vm_build() {
	local kver=$1 module log=$T/build-$1.log
	shift
	module=$(vm build -o "$T/module-$kver" "$kver" W=1 "$@" 2>"$log") || {
		cat "$log" >&2
		fail "the module does not build for $kver"
	}
	if grep -E 'warning:|error:' "$log" >&2; then
		fail "building the module for $kver gives warnings"
	fi
	echo "$module"
}

# vm_log_clean FILE: fail when a kernel log has complaints.
vm_log_clean() {
	[ -s "$1" ] || fail "no kernel log in $1"
	if grep -nE -A 30 'WARNING|BUG:|Oops|Call Trace|INFO: (task|rcu)|general protection|UBSAN|KASAN|kmemleak: [1-9]|refcount_t|possible (recursive|circular)|suspicious RCU|invalid context|Bad page|bad: scheduling' "$1"; then
		fail "complaints in the kernel log"
	fi
}

# vm_source DIR: the source in DIR, below $T, where guests see it: they have a
# /tmp of their own.
vm_source() {
	mkdir "$1"
	tar -C "$CR_SRC" --exclude=.git --exclude=autom4te.cache -cf - . |
		tar -C "$1" -xf -
}

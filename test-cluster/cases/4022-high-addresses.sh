#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Addresses of 57 bits, in a guest that has them: data, shared memory, stack, code; the image is refused where they are missing.
# time limit: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
tmpdir
kver=${CR_TEST_KVER:-6.1}
vm_need $kver
module=$(vm_build $kver)
cc_prog high "$CR_SRC/test-cluster/cases/high.c"
mkdir images

cat >inside <<'END'
#!/bin/bash
set -eu
cd "$(mktemp -d /tmp/high.XXXXXX)"
n=0

fail() {
	echo "FAILED: $*"
	exit 1
}

# until_said TEXT PID: it is in ./out
until_said() {
	until grep -q "^$1\$" out; do
		[ -d "/proc/$2" ] || fail "ended: $(cat out said)"
		sleep 0.02
	done
}

good() {
	n=$((n + 1))
	kill -USR1 $pid
	until_said "good $n" $pid
}

: >out
: >said
setsid "$T/high" >>out 2>&1 </dev/null &
pid=$! job=$!
until_said ready $pid
good
cr_checkpoint --check $pid
cr_checkpoint -f first $pid || fail "checkpoint"
good
for options in --engine=user --engine=module --snapshot=copy; do
	cr_checkpoint $options --kill -f image $pid || fail "save"
	wait $job || true
	cr_restart --restore-pid image 2>said &
	job=$!
	until grep -qs '^TracerPid:.*[^0-9]0$' /proc/$pid/status; do
		[ -d /proc/$job ] || fail "restart: $(cat said)"
		sleep 0.02
	done
	good
done
kill -TERM $pid
status=0
wait $job || status=$?
[ $status = 7 ] || fail "status $status: $(cat out said)"
cp image "$T/images"
END
chmod +x inside

export T
vm run -5 -k $kver -i "$module" -d "$T/images" -l log -- env T="$T" PATH="$PATH" bash ./inside || {
	status=$?
	[ $status != 77 ] || skip "no guest"
	fail "in the guest: $status"
}
vm_log_clean log

note "where addresses have 47 bits"
if grep -qw la57 /proc/cpuinfo; then
	exit 0
fi
must_fail cr_restart --check images/image 2>check
must_fail cr_restart images/image 2>err
grep -q "process .* has memory at 0xffffffffffe000, beyond the 47 bits of an address that this node has (five-level" check ||
	fail "$(cat check)"
[ -s err ] || fail "no reason"

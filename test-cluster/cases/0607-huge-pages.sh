#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory of huge pages (hugetlbfs) in all forms, over checkpoints and generations; by name what cannot be saved.
# time limit: 180
. "$(dirname "$0")/lib.sh"
# huge pages of System V memory are counted by namespace
enter_ipcns
enter_pidns
need_root
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"
. "$CR_SRC/test-cluster/cases/huge.sh"
huge_pool 21 24
cc_prog huge "$CR_SRC/test-cluster/cases/huge.c"
at_exit 'umount hugetlbfs 2>/dev/null'
mkdir hugetlbfs
mount -t hugetlbfs -o pagesize=2M,mode=1777 none hugetlbfs

# rounds FORM OPTION...: checkpoints that it runs on from, and generations
rounds() {
	local form=$1 i
	shift
	note "$form $*"
	huge_start "$form" 21 "$PWD/hugetlbfs"
	for i in 1 2; do
		"${as[@]}" cr_checkpoint "$@" -f img "$PID" || fail "checkpoint $i"
		huge_good
	done
	for i in 1 2 3; do
		huge_save "$@"
		huge_back
		huge_good
	done
	huge_end
	rm -f img
}

forms=(private unreserved shared fork memfd-open memfd-mapped memfd-both
	file-shared file-private file-unlinked)
for form in "${forms[@]}"; do
	rounds "$form"
done
for form in private shared fork memfd-both; do
	rounds "$form" --snapshot=copy
done
chmod 777 .
as=(as_user)
for form in private shared memfd-mapped; do
	rounds "$form"
done
as=(env)

# refused FORM TEXT [OPTION...]
refused() {
	local form=$1 text=$2
	shift 2
	note "refused: $form"
	huge_start "$form" 21 "$PWD/hugetlbfs"
	must_fail cr_checkpoint --check "$@" "$PID" 2>check
	must_fail cr_checkpoint "$@" -f img "$PID" 2>err
	[ ! -e img ] || fail "there is an image"
	grep -q "^cr_checkpoint: process $PID: memory 0x.* is $text" err ||
		fail "$(cat err)"
	grep -q "process $PID: memory 0x.* is $text" check ||
		fail "$(cat check)"
	huge_good
	huge_end
}
refused refused-sysv 'made of reserved huge pages (SHM_HUGETLB).*use mmap'
refused refused-memfd-private 'private memory of a file of huge pages that has no name'
refused refused-unreserved 'shared memory of huge pages that are not reserved.*MAP_NORESERVE'
refused file-shared 'of .*file-shared, a file of huge pages, whose content' --save-shared

note "refused: open without a name, and not mapped"
sleep 1000 9<>hugetlbfs/open &
PID=$!
wait_for '[ "$(cat /proc/$PID/comm)" = sleep ]' 20
rm hugetlbfs/open
must_fail cr_checkpoint --check "$PID" 2>check
must_fail cr_checkpoint -f img "$PID" 2>err
for said in check err; do
	grep -q "process $PID: descriptor 9 .* is a file of huge pages without a name, which no write brings back" $said ||
		fail "$(cat $said)"
done
[ ! -e img ] || fail "there is an image"
kill "$PID"
wait "$PID" || true

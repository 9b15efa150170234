#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reserved huge pages in all their forms: refused by name, and the program runs on.
# time limit: 60
. "$(dirname "$0")/lib.sh"
# huge pages of System V memory are counted by namespace
if [ "$(id -u)" = 0 ] && [ -z "${CR_IN_IPCNS:-}" ]; then
	CR_IN_IPCNS=1 exec unshare --ipc bash "$CASE"
fi
enter_pidns
need_root
tmpdir
. "$CR_SRC/test-cluster/cases/restart.sh"

# a few pages more than there are; they are given back
pool=/proc/sys/vm/nr_hugepages
had=$(cat $pool 2>/dev/null) || skip "this kernel has no huge pages"
at_exit "echo $had >$pool"
echo $((had + 4)) 2>/dev/null >$pool || skip "the number of huge pages is fixed"
[ "$(cat $pool)" -ge $((had + 4)) ] || skip "there is no room for huge pages"

cc_prog huge - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define SIZE (2UL << 20)

int main(int argc, char **argv)
{
	int flags = MAP_ANONYMOUS, fd = -1, id;
	char *p = MAP_FAILED;

	switch (argv[1][0]) {
	case 'f': /* open, not mapped */
	case 'm': /* and mapped */
		flags = 0;
		fd = memfd_create("huge", MFD_HUGETLB);
		if (fd < 0 || ftruncate(fd, SIZE))
			return 1;
		/* fall through */
	case 's':
		p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | (fd < 0 ? MAP_HUGETLB : 0) | flags, fd, 0);
		if (argv[1][0] == 'm')
			close(fd);
		break;
	case 'p':
		p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_HUGETLB | flags, fd, 0);
		break;
	case 'v':
		id = shmget(IPC_PRIVATE, SIZE, 0600 | SHM_HUGETLB);
		p = shmat(id, NULL, 0);
		shmctl(id, IPC_RMID, NULL);
	}
	if (p == MAP_FAILED)
		return 1;
	memset(p, 7, SIZE);
	if (argv[1][0] == 'f')
		munmap(p, SIZE);
	puts("ready");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(2000);
	if (argv[1][0] == 'f')
		p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return 1;
	return p[SIZE - 1] != 7;
}
C

# refused FORM TEXT
refused() {
	note "$1"
	start ./huge "$1"
	must_fail cr_checkpoint --check "$PID" 2>check
	must_fail cr_checkpoint -f img "$PID" 2>err
	[ ! -e img ] || fail "there is an image"
	grep -q "^cr_checkpoint: process $PID: .*$2" err || fail "$(cat err)"
	grep -q "process $PID: .*$2" check || fail "$(cat check)"
	touch go
	wait "$PID" || fail "it did not end well"
	rm go
}
area='memory 0x.* is made of reserved huge pages (hugetlbfs).*run the program without them'
refused private "$area"
refused shared "$area"
refused mapped "$area"
refused v "$area"
refused file 'memory file of huge pages, which cannot be saved; make it without MFD_HUGETLB'

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Parents, sessions, groups, zombies, shared memory: a tree is as it was.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
cc_prog tree "$CR_SRC/test-cluster/cases/tree.c"

for opt in $(pid_options); do
	rm -f go
	start ./tree
	save image
	touch go
	restart_is 5 $opt image
	tail -n 1 out | grep -q "all right" || fail "$(cat out)"
	[ -z "$(running tree)" ] || fail "left: $(running tree)"
done

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal at any instruction on its way into and out of a handler is neither lost nor doubled by a checkpoint
# time limit: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpi.sh"
enter_pidns
tmpdir

lower_prog window
# with the lower half's thread pointer in GS, and in FS
for gs in 1 0; do
	export CR_MPI_GS=$gs
	mkdir "$gs"
	"$T/window" program "$T/$gs" > "$gs/out" 2>&1 < /dev/null &
	pid=$!
	wait_for '[ -s "$gs/out" ]' 30
	timeout 200 "$T/window" drive "$T/$gs"
	wait "$pid" || :
	cat "$gs/out"
	grep -q '^end after 2 restarts$' "$gs/out"
done

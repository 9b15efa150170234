#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All registers come back: general, x87, SSE, AVX, AVX-512, flags, MXCSR.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
grep -qw avx /proc/cpuinfo || skip "needs AVX"
level=-mavx
grep -qw avx512f /proc/cpuinfo && level="-mavx512f -mavx512bw"
# shellcheck disable=SC2086
cc_prog regs "$CR_SRC/test-cluster/cases/regs.c" $level

for run in 1 2 3; do
	rm -f go image
	start ./regs
	save image
	touch go
	restart_is 5 image
	tail -n 1 out | grep -q "all right" || fail "run $run: $(cat out)"
done

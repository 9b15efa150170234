#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cr_run.sh - what cr_run preloads, and its exit status
set -eu
cr_run=$PWD/cr_run
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export CR_LIBDIR=$dir
unset LD_PRELOAD

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# is WANT STATUS CMD...: the output and exit status of CMD.
is() {
	local want=$1 status=$2 out got=0
	shift 2
	out=$("$@" 2>&1) || got=$?
	[ "$got" = "$status" ] || fail "$*: status $got, not $status: $out"
	[ "$out" = "$want" ] || fail "$*: \"$out\", not \"$want\""
}

preloaded() { echo 'echo $LD_PRELOAD'; }

is "cr_run: $dir/libcr_run.so: No such file or directory" 125 "$cr_run" true
# any shared library will do
cp "$PWD/.libs/libcr.so" "$dir/libcr_run.so"
cp "$PWD/.libs/libcr.so" "$dir/libcr_omit.so"
show=(sh -c "$(preloaded)")
is "$dir/libcr_run.so" 0 "$cr_run" "${show[@]}"
is "$dir/libcr_run.so" 0 "$cr_run" --run -- "${show[@]}"
is "$dir/libcr_omit.so" 0 "$cr_run" --omit "${show[@]}"
is "$dir/libcr_run.so" 0 "$cr_run" "$cr_run" "${show[@]}"
is "$dir/libcr_omit.so:$dir/libcr_run.so" 0 \
	"$cr_run" "$cr_run" --omit "${show[@]}"
cp "$PWD/.libs/libcr.so" "$dir/libcr_mpi.so"
is "$dir/libcr_mpi.so:$dir/libcr_run.so" 0 "$cr_run" "${show[@]}"
is "$dir/libcr_omit.so" 0 "$cr_run" --omit "${show[@]}"

is "" 7 "$cr_run" sh -c 'exit 7'
is "cr_run: /no/such: No such file or directory" 127 "$cr_run" /no/such
is "cr_run: $dir: Permission denied" 126 "$cr_run" "$dir"
is "cr_run: no command given
Try 'cr_run --help' for more information." 125 "$cr_run"
is "cr_run: unknown option --what
Try 'cr_run --help' for more information." 125 "$cr_run" --what true
"$cr_run" --help | grep -q '^Usage: cr_run' || fail --help
"$cr_run" --version | grep -q '^cr_run ' || fail --version

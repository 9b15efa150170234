# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what every system test may use; doc in test-cluster/cases/README
# shellcheck shell=bash
#
# A case begins
#
#	#!/bin/bash
#	# SPDX-License-Identifier: GPL-2.0-or-later
#	# One line: what this case shows.
#	# time limit: 60
#	. "$(dirname "$0")/lib.sh"
#
# and from then on `set -eu` holds: the first command that fails fails the
# case.  Exit status 0 is passed, 77 skipped, everything else failed.

set -eEu

CASE=$(readlink -f "$0")
CR_SRC=${CR_SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
: "${CR_PREFIX:?is not set: give the prefix that Stillpoint is installed in}"
PATH=$CR_PREFIX/bin:$PATH
export CR_SRC CR_PREFIX PATH
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1

# --- results -------------------------------------------------------------

note() { echo "# $*"; }

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

skip() {
	echo "SKIPPED: $*" >&2
	exit 77
}

# must_fail CMD...: CMD has to fail (a plain `! CMD` never fails a case).
must_fail() {
	if "$@"; then
		fail "succeeded, and should not have: $*"
	fi
}

trap 'echo "FAILED: line $LINENO: $BASH_COMMAND (status $?)" >&2' ERR

# --- cleaning up ---------------------------------------------------------

# at_exit CMD: run CMD (a string) at the end of the case, last one first.
_at_exit=()
at_exit() { _at_exit+=("$1"); }

_run_at_exit() {
	local status=$? i
	trap - EXIT ERR
	set +e
	for ((i = ${#_at_exit[@]} - 1; i >= 0; i--)); do
		eval "${_at_exit[i]}"
	done
	exit $status
}
trap _run_at_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# tmpdir: make a directory of this case's own, name it $T and go there.  All
# users may write in it.  It lies below /var/tmp because the nodes of a box
# have a /tmp of their own.
tmpdir() {
	[ -z "${T:-}" ] || return 0
	T=$(mktemp -d "${TMPDIR:-/var/tmp}/cr-case.XXXXXX")
	chmod 1777 "$T"
	at_exit 'cd /; rm -rf "$T"'
	cd "$T"
}

# --- waiting -------------------------------------------------------------

# wait_for COND SECONDS: evaluate COND until it holds.  Fails the case after
# SECONDS.
wait_for() {
	local end=$((SECONDS + $2 + 1))
	until eval "$1"; do
		[ $SECONDS -lt $end ] || fail "after $2 s still not: $1"
		sleep 0.05
	done
}

# gone PID: true when the process is no more (a zombie counts as gone).
gone() {
	local state
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' \
		"/proc/$1/status" 2>/dev/null) || true
	[ -z "$state" ] || [ "$state" = Z ]
}

# --- who and where -------------------------------------------------------

need_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }

# need PROGRAM...: skip when one is not installed.
need() {
	local p
	for p; do
		command -v "$p" >/dev/null || skip "needs $p"
	done
}

# as_user CMD...: run CMD as an ordinary user without any capability.
CR_TEST_UID=20001
as_user() {
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return
	fi
	setpriv --reuid=$CR_TEST_UID --regid=$CR_TEST_UID --clear-groups \
		--inh-caps=-all env HOME="${T:-/tmp}" USER=tester "$@"
}

# in_pidns CMD...: run CMD in a pid namespace of its own whose first process
# reaps at once, with no descriptors but 0, 1, 2; the exit status is CMD's.
# Whatever CMD leaves running is killed.  Needs root, or else user
# namespaces, in which CMD then believes to be root.
in_pidns() {
	local -a ns=(unshare --pid --fork --mount-proc --kill-child)
	[ "$(id -u)" = 0 ] || ns+=(--user --map-root-user)
	"${ns[@]}" "$(_pid1)" "$@"
}

# enter_pidns: go on with the rest of the case inside in_pidns; comes right
# after lib.sh.  scripts/check, as root, has done it already.
enter_pidns() {
	[ -z "${CR_IN_PIDNS:-}" ] || return 0
	tmpdir
	CR_IN_PIDNS=1 in_pidns bash "$CASE" || exit $?
	exit 0
}

_pid1() {
	if [ -z "${CR_PID1:-}" ]; then
		CR_PID1=${T:?in_pidns needs tmpdir}/pid1
		[ -x "$CR_PID1" ] || cc_prog "$CR_PID1" \
			"$CR_SRC/test-cluster/cases/pid1.c" >&2
	fi
	echo "$CR_PID1"
}

# --- test programs -------------------------------------------------------

# cc_prog OUT SOURCE [FLAG...]: compile a C program; SOURCE - is stdin.
cc_prog() { _compile "${CC:-gcc}" "$@"; }

# mpicc_prog, mpifort_prog: the same for MPI programs.
mpicc_prog() { _compile mpicc.openmpi "$@"; }
mpifort_prog() { need mpif90.openmpi; mpif90.openmpi -O2 -o "$1" "$2" "${@:3}"; }

_compile() {
	local cc=$1 out=$2 src=$3
	shift 3
	need "$cc"
	"$cc" -std=gnu11 -D_GNU_SOURCE= -O1 -g -Wall -pthread \
		-I"$CR_PREFIX/include" -L"$CR_PREFIX/lib" \
		-o "$out" -x c "$src" -x none "$@"
}

# --- boxes: a Slurm cluster on this machine ------------------------------

# box_up N: bring a box of N nodes up, below $T, for this case alone; it goes
# down when the case ends.  Afterwards `box CMD...` talks to it, and
# $BOX/shared is the directory that all nodes see.
box_up() {
	need_root
	need slurmctld slurmd munged
	tmpdir
	export BOX=$T/box
	at_exit 'box down'
	box up "$1"
}

box() { "$CR_SRC/test-cluster/box/box" "$@"; }

# as_alice CMD...: run CMD as user alice on the controller, in $BOX/shared.
as_alice() { box as alice ctl "$@"; }

# job_state JOB: RUNNING, PENDING, COMPLETED, ...
job_state() {
	box in ctl scontrol show job "$1" 2>/dev/null |
		sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | head -n 1
}

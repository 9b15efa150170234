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
# SECONDS, times $CR_TEST_PATIENCE on slow machines.
wait_for() {
	local end=$((SECONDS + $2 * ${CR_TEST_PATIENCE:-1} + 1))
	until eval "$1"; do
		[ $SECONDS -lt $end ] || fail "after $2 s still not: $1"
		sleep 0.05
	done
}

# gone PID: true when the process is no more (a zombie counts as gone).  No
# program is started for it: guests (case 4004) are slow at that.
gone() {
	local stat=
	read -r -d '' stat 2>/dev/null <"/proc/$1/stat" || true
	stat=${stat##*) }
	[ -z "$stat" ] || [ "${stat%% *}" = Z ]
}

# --- who and where -------------------------------------------------------

need_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }

# can_choose_ids: may cr_restart give processes their ids in this namespace?
# Case 4004 runs all cases as a user who may by the module.
can_choose_ids() {
	[ "$(id -u)" = 0 ] || [ "${CR_ENGINE:-}" = module ]
}
need_choose_ids() { can_choose_ids || skip "needs to choose process ids"; }

# can_make_namespaces: may it make a namespace for them?
can_make_namespaces() {
	unshare --user --map-root-user --pid --fork true 2>/dev/null ||
		unshare --pid --fork true 2>/dev/null
}
need_namespaces() { can_make_namespaces || skip "needs namespaces"; }

# pid_options: the options of cr_restart for ids that can be had here.
pid_options() {
	! can_choose_ids || echo --restore-pid
	! can_make_namespaces || echo --no-restore-pid
}

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

# user_dir DIR: make a directory that belongs to that user.
user_dir() {
	mkdir "$1"
	[ "$(id -u)" != 0 ] || chown $CR_TEST_UID:$CR_TEST_UID "$1"
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

# enter_ipcns: go on with the rest of the case, as root, where nobody else takes
# ids of System V IPC; comes before enter_pidns.
enter_ipcns() {
	[ "$(id -u)" = 0 ] && [ -z "${CR_IN_IPCNS:-}" ] || return 0
	CR_IN_IPCNS=1 exec unshare --ipc bash "$CASE"
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
	local cc=$1 out=$2 src=$3 code=
	shift 3
	need "$cc"
	if [ "$src" = - ]; then code=$(cat); else code=$(cat "$src"); fi
	program "$out" "$code" "$cc" -std=gnu11 -D_GNU_SOURCE= -O1 -g -Wall \
		-pthread -I"$CR_PREFIX/include" -L"$CR_PREFIX/lib" \
		-x c "$src" -x none "$@"
}

# program OUT TEXT CMD...: CMD -o OUT makes a program from TEXT.  scripts/check
# keeps it in $CR_PROGRAMS: compiling it again in a guest (case 4004), where
# the source lies elsewhere, would take half a minute.
program() {
	local out=$1 text=$2 kept=
	shift 2
	if [ -n "${CR_PROGRAMS:-}" ]; then
		kept=$(printf '%s\n' "$text" "${@//"$CR_SRC"/}" | md5sum)
		kept=$CR_PROGRAMS/${kept%% *}
		! cp "$kept" "$out" 2>/dev/null || return 0
	fi
	printf '%s\n' "$text" | "$@" -o "$out"
	[ ! -w "${CR_PROGRAMS:-/nowhere}" ] ||
		{ cp "$out" "$kept.$$" && mv "$kept.$$" "$kept"; }
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

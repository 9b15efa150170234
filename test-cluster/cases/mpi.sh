# SPDX-License-Identifier: GPL-2.0-or-later
# mpi.sh - MPI programs under plain mpirun: start, checkpoint, kill, restart
# shellcheck shell=bash
#
# For cases in the 10xx range, after lib.sh and enter_pidns; uses $T.
#
#	mpi_start N [MPIRUN OPTION]... PROGRAM...
#			with libcr_mpi.so; output in $T/out
#	mpi_checkpoint G	all ranks at once; images G.RANK
#	mpi_kill		all ranks, without a warning
#	mpi_restart G [MPIRUN OPTION]...
#			a new mpirun; output added to $T/out; waits for more
#	mpi_generations N REGEX	N times: a line of output like that, then a
#				checkpoint, an end and a restart
#	mpi_wait		until the program ends; its status
#	mpi_stop		tell the program to end, and wait for that
#	lower_prog NAME		compile plugins/mpi/lower/test/NAME.c, with the
#				lower half inside
#	mpi_reports N REGEX	wait for N more lines of output like that
#	mpi_caught_up REGEX	wait until the first number in a line like that is
#				greater than all before the last restart
#
# A program must not end before the case has done with it all it wants to,
# however fast the machine is: so it goes on until the file $STOP exists,
# and then tells how far it was.  An undisturbed run that goes so far, made
# afterwards, has to say the same.

MPI_LIMIT=${MPI_LIMIT:-120} # seconds that one mpirun may take
MPIRUN=(timeout "$MPI_LIMIT" mpirun --oversubscribe)
MPI_RANKS=0
MPI_PROGRAM=
MPI_INPUT=/dev/null	# of rank 0, when it is started
MPI_SCOPE=-p		# what of each rank is saved; -T: its children, too
MPI_PID=
MPI_LINES=0 # of output before the last restart
STOP=stop

# When a case fails, it shows what the program said, and what a cut waited for.
export CR_MPI_VERBOSE=1

mpi_start() {
	[ -n "$MPI_PID" ] || at_exit '[ $status = 0 ] || tail -n 40 "$T/out"'
	rm -f "$STOP"
	MPI_RANKS=$1
	shift
	local arg
	for arg; do
		[ -f "$arg" ] && [ -x "$arg" ] || continue
		MPI_PROGRAM=$(readlink -f "$arg")
		break
	done
	"${MPIRUN[@]}" -n "$MPI_RANKS" \
		-x CR_MPI_VERBOSE -x LD_PRELOAD="$CR_PREFIX/lib/libcr_mpi.so" "$@" \
		> "$T/out" 2>&1 < "$MPI_INPUT" &
	MPI_PID=$!
}

# All processes of the program, children of ranks included.
mpi_processes() {
	local dir
	for dir in /proc/[0-9]*; do
		[ "$(readlink "$dir/exe")" != "$MPI_PROGRAM" ] ||
			echo "${dir#/proc/}"
	done 2>/dev/null
}

# The ranks, in their order.
mpi_pids() {
	local pid parent rank
	for pid in $(mpi_processes); do
		# a child may end at any moment
		parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status") ||
			continue
		[ "$(readlink "/proc/$parent/exe")" != "$MPI_PROGRAM" ] ||
			continue
		rank=$(tr '\0' '\n' < "/proc/$pid/environ" |
			sed -n 's/^PMIX_RANK=//p') || continue
		[ -z "$rank" ] || echo "$rank $pid"
	done 2>/dev/null | sort -n | sed 's/.* //'
}

mpi_checkpoint() {
	local generation=$1 rank=0 pid status=0 pids requests=() t=$SECONDS
	mapfile -t pids < <(mpi_pids)
	if [ ${#pids[@]} != "$MPI_RANKS" ]; then
		mpi_still_runs
		fail "${#pids[@]} ranks instead of $MPI_RANKS"
	fi
	for pid in "${pids[@]}"; do
		timeout 60 cr_checkpoint "$MPI_SCOPE" -f "$T/$generation.$rank" "$pid" &
		requests+=($!)
		rank=$((rank + 1))
	done
	# when one rank says no, nobody waits for the others
	while [ ${#requests[@]} -gt 0 ]; do
		for rank in "${!requests[@]}"; do
			pid=${requests[rank]}
			! kill -0 "$pid" 2>/dev/null || continue
			unset "requests[$rank]"
			wait "$pid" || {
				status=$?
				kill "${requests[@]}" 2>/dev/null || :
			}
		done
		sleep 0.05
	done
	note "checkpoint $generation: status $status, $((SECONDS - t)) s"
	return $status
}

mpi_kill() {
	local pids
	mapfile -t pids < <(mpi_processes)
	kill -9 "${pids[@]}" 2>/dev/null || :
	wait "$MPI_PID" || :
	for pid in "${pids[@]}"; do
		wait_for "gone $pid" 10
	done
}

mpi_restart() {
	local generation=$1
	MPI_LINES=$(wc -l < "$T/out")
	shift
	"${MPIRUN[@]}" -n "$MPI_RANKS" "$@" bash -c \
		"exec cr_restart $T/$generation.\$PMIX_RANK" \
		>> "$T/out" 2>&1 < /dev/null &
	MPI_PID=$!
	mpi_wait_for "[ \$(wc -l < '$T/out') -gt $MPI_LINES ]"
}

mpi_generations() {
	local n
	for n in $(seq "$1"); do
		mpi_reports 1 "$2"
		mpi_checkpoint "$n"
		mpi_kill
		mpi_restart "$n"
	done
}

mpi_wait() { wait "$MPI_PID"; }

mpi_stop() {
	touch "$STOP"
	mpi_wait
}

lower_prog() {
	local lower=$CR_SRC/plugins/mpi/lower f
	local sources=("$lower"/*.S "$CR_SRC/libcr/common/error.c")
	for f in "$lower"/*.c; do
		case ${f##*/} in lh_*) ;; *) sources+=("$f") ;; esac
	done
	mpicc_prog "$1" "$lower/test/$1.c" "${sources[@]}" \
		-I"$CR_SRC/plugins" -I"$CR_SRC/libcr" -I"$CR_SRC/libcr/include" \
		-DPKGLIBEXECDIR="\"$CR_PREFIX/libexec/stillpoint\"" \
		-fno-stack-protector -lcr -Wl,-rpath,"$CR_PREFIX/lib" -lm \
		-Wl,--no-as-needed
}

mpi_count() { grep -c -e "$1" "$T/out" || :; }

# A program that has ended says nothing more, and timeout(1) says nothing at all.
mpi_still_runs() {
	local status=0
	! kill -0 "$MPI_PID" 2>/dev/null || return 0
	wait "$MPI_PID" || status=$?
	[ $status != 124 ] || fail "mpirun was ended after $MPI_LIMIT s"
	fail "mpirun has ended with status $status"
}

mpi_wait_for() {
	wait_for "$1 || ! kill -0 $MPI_PID 2>/dev/null" 60
	eval "$1" || mpi_still_runs
}

mpi_reports() {
	local more=$(($(mpi_count "$2") + $1))
	mpi_wait_for "[ \$(mpi_count '$2') -ge $more ]"
}

mpi_caught_up() {
	mpi_wait_for "awk '/$1/ { match(\$0, /[0-9]+/)
		n = substr(\$0, RSTART, RLENGTH) + 0
		if (NR > $MPI_LINES) now = n; else if (n > old) old = n }
		END { exit now <= old }' '$T/out'"
}

# mpi_reference PROGRAM...: the undisturbed run, without us, into $T/reference.
mpi_reference() {
	"${MPIRUN[@]}" -n "$MPI_RANKS" "$@" > "$T/reference" 2>&1 < /dev/null
}

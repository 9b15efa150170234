#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# With the module an ordinary user restarts with the recorded process ids.
# time limit: 1300
#
# In the guest: uid 1000, no capabilities, no user namespaces.  Without the
# module the same restart is refused; another user's process is.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
tmpdir
kver=${CR_TEST_KVER:-6.1}
vm_need $kver
module=$(vm_build $kver)
cp "$CR_SRC/test-cluster/vm/leaks" .
cc_prog crthreadtest "$CR_SRC/examples/crthreadtest.c"

cat >as-user <<'END'
#!/bin/bash
set -eu
runs=$1 workers=4 pause=50
cd "$(mktemp -d /tmp/restart.XXXXXX)"

fail() {
	echo "FAILED: $*"
	exit 1
}

start() {
	: >out
	setsid "$T/crthreadtest" $pause >out 2>&1 </dev/null &
	pid=$!
	until grep -q iteration out; do
		kill -0 $pid || grep -q iteration out || fail "it does not run"
		sleep 0.02
	done
}

# It is in the image and gone.  The guest may be slow: then it had ended, and
# the next one has more time.
start_and_save() {
	local try
	for try in {1..20}; do
		start
		if cr_checkpoint --kill -f image $pid 2>said; then
			wait $pid 2>/dev/null || true
			return
		fi
		grep -q 'no such process\|has ended' said ||
			fail "checkpoint: $(cat said)"
		pause=$((pause * 2))
	done
	fail "no checkpoint before its end, $try times"
}

# restart STATUS OPTION...: cr_restart must end so
restart() {
	local want=$1 status=0
	shift
	cr_restart "$@" image >said 2>&1 || status=$?
	[ $status = "$want" ] || fail "status $status, not $want: $(cat said out)"
}

# seed N: N restarts of the seed program
seed() {
	local run id
	for ((run = 0; run < $1; run++)); do
		start_and_save
		restart 7 --engine=module
		# 1 + 20 + 1 + 20 lines, all of the right process and threads
		[ "$(wc -l <out)" = 42 ] || fail "run $run: $(cat out)"
		[ "$(grep -c "^main $pid" out)" = 2 ] ||
			fail "run $run: $(cat out)"
		for id in $(sed -n "s/^main $pid, threads //p" out); do
			[ "$(grep -c "thread $id," out)" = 10 ] ||
				fail "run $run: thread $id: $(cat out)"
		done
	done
}

start_and_save
restart 125 --engine=user --restore-pid
restart 125 --engine=user
restart 7 --engine=module

seeds=()
for ((worker = 0; worker < workers; worker++)); do
	mkdir $worker
	(cd $worker && seed $(((runs + worker) / workers))) &
	seeds+=($!)
done
for worker in "${seeds[@]}"; do
	wait $worker || fail "a worker"
done
echo "$runs restarts of the seed program"

# A parent and its child with a pipe, which it waits for; by itself this time.
setsid perl -e '
	$| = 1;
	$child = open my $pipe, "-|";
	unless ($child) {
		for (1..20) { print "$_ $$\n"; select undef, undef, undef, 0.5; }
		exit 3;
	}
	while (<$pipe>) { chomp; print "$_ $$\n"; }
	$ended = wait;
	print "end $$ $child $ended $?\n";' >out 2>&1 </dev/null &
pid=$!
until grep -q '^2 ' out; do kill -0 $pid || fail "the tree does not run"; done
cr_checkpoint --tree --kill -f image $pid
wait $pid 2>/dev/null || true
restart 0
child=$(sed -n '1s/^1 \([0-9]*\) .*/\1/p' out)
[ "$(grep -c "^[0-9]* $child $pid\$" out)" = 20 ] &&
	grep -q "^end $pid $child $child 768\$" out || fail "the tree: $(cat out)"

# The executable's link is the program's, not that of the restart command.
start_and_save
cr_restart image >said 2>&1 &
restart=$!
until [ "$(readlink /proc/$pid/exe 2>/dev/null)" = "$T/crthreadtest" ]; do
	kill -0 $restart 2>/dev/null || fail "exe: $(cat said out)"
done
grep -q '^CapEff:.*[1-9a-f]' /proc/$pid/status && fail "it has a capability"
status=0
wait $restart || status=$?
[ $status = 7 ] || fail "after the restart: $(cat said out)"
echo "all runs are right"
END
chmod +x as-user
# quoted: it is the guest's
cat >in-guest <<'END'
set -eu
sysctl -q kernel.unprivileged_userns_clone=0
chmod 1777 /tmp
setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all \
	"$T/as-user" "$1" &
wait $! || exit 1
dmesg | grep -q 'cr: checkpoint of process .* by uid 1000.*: done'
dmesg | grep -q 'cr: restart of process .* by uid 1000.*: done'
dmesg | grep -q 'cr: session' && exit 1
"$T/leaks"
rmmod cr
END
export T
log=${CR_TEST_LOG:-log}
vm run -k $kver -i "$module" -l "$log" -t $((1200 * ${CR_TEST_PATIENCE:-1})) -- env "T=$T" "PATH=$PATH" \
	sh "$T/in-guest" "${CR_TEST_RUNS:-50}" | tee said
grep -q 'all runs are right' said || fail "see above"
vm_log_clean "$log"

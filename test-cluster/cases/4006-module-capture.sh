#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# With the module memory goes into the context file without us, and is right.
# time limit: 600
#
# In the guest: uid 1000, no capabilities, no user namespaces.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
tmpdir
kver=${CR_TEST_KVER:-6.1}
vm_need $kver
module=$(vm_build $kver)
cp "$CR_SRC/test-cluster/vm/leaks" .
cc_prog keeper "$CR_SRC/test-cluster/cases/keeper.c"
cc_prog with-libcr "$CR_SRC/test-cluster/cases/keeper.c" -DWITH_LIBCR \
	-lcr "-Wl,-rpath,$CR_PREFIX/lib"

cat >as-user <<'END_USER'
#!/bin/bash
set -eu
runs=$1
cd /tmp/disk/user

fail() {
	echo "FAILED: $*"
	exit 1
}

# right WHAT: the program finds its memory as it was
right() {
	local n
	n=$(grep -c . out)
	kill -USR1 $pid
	until [ "$(grep -c . out)" -gt "$n" ]; do
		kill -0 $pid || fail "$1: it has ended: $(cat out)"
	done
	[ "$(tail -n 1 out)" = right ] || fail "$1: $(tail -n 1 out)"
}

# save OPTION...: checkpoint into the file image
save() { cr_checkpoint -v -p "$@" -f image $pid >said 2>&1; }

saved_by_module() { grep -q 'bytes written by the kernel module' said; }

# pages FILE: what lies between the header and the sections
pages() {
	local at
	at=$(tail -c 64 "$1" | od -A n -t u8 -j 16 -N 8 | tr -d ' ')
	tail -c +4097 "$1" | head -c $((at - 4096))
}

# back PID: it runs again
back() {
	[ "$(readlink /proc/$1/exe 2>/dev/null)" = "$T/keeper" ] &&
		grep -q '^TracerPid:.0$' /proc/$1/status
}

# On one processor, whose number is in its memory.
setsid taskset -c 0 "$T/keeper" 12 >out 2>&1 </dev/null &
pid=$!
until grep -q ready out; do kill -0 $pid || fail "it does not run: $(cat out)"; done

echo "# the same file as without the module"
save --engine=user || fail "user: $(cat said)"
! saved_by_module || fail "by the module"
pages image >by-user
[ "$(stat -c %s by-user)" -gt 20000000 ] || fail "too few pages"
for options in "--engine=module --direct" "" "--engine=user --direct"; do
	save $options || fail "$options: $(cat said)"
	[ "$options" = "--engine=user --direct" ] || saved_by_module ||
		fail "$options: not by the module: $(cat said)"
	cr_info --verify image >/dev/null || fail "$options: not verified"
	pages image | cmp - by-user || fail "$options: other pages"
done
CR_ENGINE=user save || fail "CR_ENGINE: $(cat said)"
! saved_by_module || fail "CR_ENGINE"
cr_checkpoint -p --engine=module -F 1 $pid | cat >through
cr_info --verify through >/dev/null || fail "through a pipe"
pages through | cmp - by-user || fail "through a pipe: other pages"
right "after checkpoints"

echo "# a damaged file is refused"
save --engine=module
size=$(stat -c %s image)
for at in 5000 $((size / 3)) $((size / 2)); do
	cp image damaged
	byte=$(tail -c +$((at + 1)) image | head -c 1 | od -A n -t u1)
	printf "\\x$(printf %x $((byte ^ 1)))" |
		dd of=damaged bs=1 seek=$at conv=notrunc 2>/dev/null
	! cr_info --verify damaged >said 2>&1 || fail "byte $at: verified"
	! cr_restart --engine=module damaged >said 2>&1 || fail "byte $at: restarted"
	grep -q 'wrong digest' said || fail "byte $at: $(cat said)"
done

echo "# failures leave the program and no file"
must_be() { # TEXT COMMAND...
	local text=$1 before
	shift
	before=$(ls -A small small2)
	! "$@" >said 2>&1 || fail "$text: no failure"
	grep -q "$text" said || fail "not $text: $(cat said)"
	[ "$(ls -A small small2)" = "$before" ] || fail "$text: left a file"
	right "$text"
}
must_be 'No space left' cr_checkpoint -p --engine=module -f small/image $pid
must_be 'File too large' bash -c "ulimit -f 10000
	exec cr_checkpoint -p --engine=module -f small2/image $pid"

echo "# killed while the module writes"
for ((i = 0; i < 4 * runs; i++)); do
	cr_checkpoint -p --engine=module -f small2/image $pid 2>/dev/null &
	perl -e 'select undef, undef, undef, '"0.$((i % 10))$((i % 7))"
	kill -9 $! 2>/dev/null || true
	wait $! 2>/dev/null || true
done
until [ "$(pgrep -c -u 1000 cr_tracer)" = 0 ]; do :; done
until [ "$(pgrep -c -u 1000 keeper)" = 1 ]; do :; done
right "after killed checkpoints"

echo "# back again"
for ((i = 0; i < runs; i++)); do
	save --kill --engine=module || fail "checkpoint: $(cat said)"
	wait $pid 2>/dev/null || true
	cr_restart --engine=module image >said 2>&1 &
	restart=$!
	until back $pid; do
		kill -0 $restart 2>/dev/null || fail "restart: $(cat said)"
	done
	right "after restart $i"
done
kill -9 $pid
wait $restart 2>/dev/null || true
END_USER
chmod +x as-user

# Yama lets ancestors trace only: programs with libcr consent when asked.
cat >under-yama <<'END_USER'
#!/bin/bash
set -eu
cd /tmp/disk/user
echo "# Yama"

fail() {
	echo "FAILED: $*"
	exit 1
}

start() { # COMMAND...
	setsid "$@" >out 2>&1 </dev/null &
	pid=$!
	until grep -q ready out; do kill -0 $pid || fail "it does not run: $(cat out)"; done
}

refused() { # WHAT OPTION...
	local what=$1
	shift
	! cr_checkpoint -p "$@" -f image $pid >said 2>&1 || fail "$what: saved"
	grep -q "ptrace_scope is $scope" said || fail "$what: $(cat said)"
}

# back PID: it runs again
back() {
	[ "$(readlink /proc/$1/exe 2>/dev/null)" = "$T/with-libcr" ] &&
		grep -q '^TracerPid:.0$' /proc/$1/status
}

scope=$1
start "$T/keeper" 1
refused "a program without libcr"
kill -9 $pid
wait $pid 2>/dev/null || true
start "$T/with-libcr" 1
refused "without the module" --engine=user
if [ $scope = 2 ]; then
	refused "scope 2"
	kill -9 $pid
	exit 0
fi
for i in 1 2; do
	cr_checkpoint -p -f image $pid || fail "not saved"
	refused "afterwards" --engine=user
done
cr_checkpoint -p --kill -f image $pid || fail "not saved"
wait $pid 2>/dev/null || true
cr_restart --engine=module image >said 2>&1 &
restart=$!
until back $pid; do
	kill -0 $restart 2>/dev/null || fail "restart: $(cat said)"
done
n=$(grep -c . out)
kill -USR1 $pid
until [ "$(grep -c . out)" -gt "$n" ]; do kill -0 $restart; done
[ "$(tail -n 1 out)" = right ] || fail "$(tail -n 1 out)"
kill -9 $pid
wait $restart 2>/dev/null || true
END_USER
chmod +x under-yama

# A disk for O_DIRECT, a small one to fill, and one for killed checkpoints.
cat >in-guest <<'END_GUEST'
set -eu
modprobe brd rd_nr=1 rd_size=262144
modprobe ext4
mkfs.ext2 -q /dev/ram0
mkdir -p /tmp/disk
mount -t ext2 /dev/ram0 /tmp/disk
mkdir /tmp/disk/user /tmp/disk/user/small /tmp/disk/user/small2
chown 1000:1000 /tmp/disk/user /tmp/disk/user/small2
mount -t tmpfs -o size=8m,mode=1777 small /tmp/disk/user/small
sysctl -q kernel.unprivileged_userns_clone=0
echo always >/sys/kernel/mm/transparent_hugepage/enabled
user="setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all"
$user "$T/as-user" "$1" &
wait $!
for scope in 1 2; do
	sysctl -q kernel.yama.ptrace_scope=$scope
	$user "$T/under-yama" $scope &
	wait $!
done
"$T/leaks"
rmmod cr
echo "all is right"
END_GUEST
export T
log=${CR_TEST_LOG:-log}
vm run -k $kver -i "$module" -m 1536 -l "$log" -t $((400 * ${CR_TEST_PATIENCE:-1})) -- env "T=$T" "PATH=$PATH" \
	sh "$T/in-guest" "${CR_TEST_RUNS:-3}" | tee said
grep -q 'all is right' said || fail "see above"
vm_log_clean "$log"

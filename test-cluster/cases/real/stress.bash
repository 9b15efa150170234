# SPDX-License-Identifier: GPL-2.0-or-later
# stress.bash CLASS - two workers of a class of stress-ng; until there is ./go
# A step is over when every worker has used 20 ms more of processor time.
stress-ng "--$1" 2 --verify --timeout 0 --vm-bytes 32m --temp-path "$PWD" >log 2>&1 &
main=$!

# used PID...: sets $ticks, those of all of them and of their descendants
used() {
	local pid line f children
	for pid; do
		read -r line 2>/dev/null <"/proc/$pid/stat" || continue
		read -r -a f <<<"${line##*) }"
		ticks=$((ticks + f[11] + f[12] + f[13] + f[14]))
		read -r -a children 2>/dev/null <"/proc/$pid/task/$pid/children"
		used "${children[@]}"
	done
}

workers=()
while [ ${#workers[@]} -lt 2 ]; do
	read -r -a workers <"/proc/$main/task/$main/children"
	sleep 0.01
done
for ((i = 0; ; i++)); do
	[ $i -lt 6 ] || [ ! -e go ] || break
	for w in "${workers[@]:0:2}"; do
		ticks=0
		used "$w"
		goal=$((ticks + 2))
		while ticks=0; used "$w"; [ $ticks -lt $goal ]; do
			kill -0 "$w" || { echo "wrong: no worker"; exit 1; }
			sleep 0.01
		done
	done
	[ $i -ge 6 ] || echo "step $i"
done
kill -INT $main
wait $main
status=$?
# Its end sends SIGALRM more than once, and with a slow reader the second ends
# the last write of "pipe", which is complained of, with us or without.
sed -i '/termination write failed, errno=4 /d' log
echo "end: $status, $(grep -c -i fail log) failures"
! grep -i fail log

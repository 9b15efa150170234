# SPDX-License-Identifier: GPL-2.0-or-later
# steps.sh - what scripts of sh do; 40 steps, and more until there is ./go
trap 'traps=$((traps + 1))' USR1
traps=0 acc=1 i=0

step() {
	a=$(seq 1 $(($1 % 50 + 10)) | sort -rn | (read -r x; echo "$x"; cat >/dev/null))
	(exit $(($1 % 7))) &
	wait $!
	status=$?
	sum=0
	for x in $(seq 1 $(($1 % 20 + 3))); do sum=$((sum + x)); done
	kill -USR1 $$
	cat >part <<-EOF
		$a $sum
	EOF
	result="$a status $status sum $sum $(cksum <part)"
}

while [ $i -lt 40 ] || [ ! -e go ]; do
	n=$((i % 40))
	step $n
	if [ $i -lt 40 ]; then
		eval "seen_$n=\$result"
		acc=$(((acc * 1103515245 + ${#result}) % 2147483648))
		echo "$i: $result: $acc"
	else
		eval "was=\$seen_$n"
		[ "$was" = "$result" ] || echo "wrong: $n: $was, $result"
	fi
	i=$((i + 1))
	[ $traps = $i ] || echo "wrong: $traps traps in $i steps"
done
echo "end: $acc"

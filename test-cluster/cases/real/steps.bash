# SPDX-License-Identifier: GPL-2.0-or-later
# steps.bash - what scripts of bash do; 40 steps, and more until there is ./go
trap 'traps=$((traps + 1))' USR1
traps=0 acc=1 i=0
declare -A seen

# step I: sets $result, the same for the same I.
step() {
	local a b c v status sum=0 line
	v=$(seq 1 $(($1 % 50 + 10)) | sort -rn | head -n 3 | tr '\n' ' ')
	read -r a b c <<<"$v"
	(exit $(($1 % 7))) &
	wait $!
	status=$?
	while read -r line; do
		sum=$((sum + line))
	done < <(seq 1 $(($1 % 20 + 3)))
	kill -USR1 $$
	cat >part <<-EOF
		$a $b $c
		${v// /-}
	EOF
	result="$a+$b+$c status $status sum $sum $(cksum <part)"
}

coproc DOUBLE { while read -r n; do echo $((n * 2)); done; }
while [ $i -lt 40 ] || [ ! -e go ]; do
	n=$((i % 40))
	step $n
	echo $n >&"${DOUBLE[1]}"
	read -r twice <&"${DOUBLE[0]}"
	[ $twice = $((2 * n)) ] || echo "wrong: twice $n is $twice"
	if [ $i -lt 40 ]; then
		seen[$n]=$result
		acc=$(((acc * 1103515245 + twice + ${#result}) % 2147483648))
		echo "$i: $result: $acc"
	elif [ "${seen[$n]}" != "$result" ]; then
		echo "wrong: step $n was ${seen[$n]}, is $result"
	fi
	i=$((i + 1))
	[ $traps = $i ] || echo "wrong: $traps traps in $i steps"
done
eval "exec ${DOUBLE[1]}>&-"
wait
echo "end: $acc"

# SPDX-License-Identifier: GPL-2.0-or-later
# steps.zsh - what scripts of zsh do; 40 steps, and more until there is ./go
zmodload zsh/zselect zsh/system
integer i=0 acc=1 traps=0 n
typeset -A seen
TRAPUSR1() { traps+=1 }

step() {
	local -a words
	words=(${(f)"$(seq 1 $(($1 % 50 + 10)) | sort -rn)"})
	(exit $(($1 % 7))) &
	wait $!
	local st=$?
	local sum=0 line
	while read -r line; do (( sum += line )); done < <(seq 1 $(($1 % 20 + 3)))
	zselect -t 1
	kill -USR1 $$
	result="${(j:+:)words[1,3]} status $st sum $sum $(cksum =(print -l $words))"
	result=${result%% /*}
}

coproc while read -r n; do print $((n * 2)); done
while (( i < 40 )) || [[ ! -e go ]]; do
	n=$((i % 40))
	step $n
	print -p $n
	read -p twice
	(( twice == 2 * n )) || print "wrong: twice $n is $twice"
	if (( i < 40 )); then
		seen[$n]=$result
		acc=$(((acc * 1103515245 + twice + ${#result}) % 2147483648))
		print "$i: $result: $acc"
	elif [[ $seen[$n] != $result ]]; then
		print "wrong: step $n was $seen[$n], is $result"
	fi
	i+=1
	(( traps == i )) || print "wrong: $traps traps in $i steps"
done
coproc exit
print "end: $acc"

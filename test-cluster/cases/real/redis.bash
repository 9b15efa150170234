# SPDX-License-Identifier: GPL-2.0-or-later
# redis.bash - a server and its client over a socket; until there is ./go
redis-server --port 0 --unixsocket "$PWD/socket" --appendonly yes --save '' \
	--dir "$PWD" >server.log &
server=$!
until [ -S socket ]; do sleep 0.01; done
coproc C { exec redis-cli -s "$PWD/socket"; }
ask() {
	echo "$1" >&"${C[1]}"
	read -r answer <&"${C[0]}" || { echo "wrong: no answer to $1"; exit 1; }
}
acc=1 i=0
while [ $i -lt 60 ] || [ ! -e go ]; do
	n=$((i % 60))
	ask 'INCR steps'
	[ "$answer" = $((i + 1)) ] || echo "wrong: $answer steps, not $((i + 1))"
	for k in 1 2 3 4 5; do ask "LPUSH list $((n * k % 17))"; done
	ask "SET key$n $((n * n)) PX 600000"
	ask "GET key$n"
	[ "$answer" = $((n * n)) ] || echo "wrong: $answer"
	ask "EVAL \"local s = 0; for _, v in ipairs(redis.call('LRANGE', 'list', 0, 99)) do s = s + v end; return s\" 0"
	if [ $i -lt 60 ]; then
		acc=$(((acc * 69069 + answer) % 2147483648))
		echo "$i: $answer: $acc"
	fi
	[ $((i % 20)) != 7 ] || redis-cli -s "$PWD/socket" BGREWRITEAOF >/dev/null
	i=$((i + 1))
done
eval "exec ${C[1]}>&-"
redis-cli -s "$PWD/socket" SHUTDOWN NOSAVE
wait $server
echo "server: $?"
echo "end: $acc"

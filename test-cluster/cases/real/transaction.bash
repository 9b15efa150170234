# SPDX-License-Identifier: GPL-2.0-or-later
# transaction.bash - sqlite3 with a transaction open most of the time, in
# which a cache too small makes it write early; until there is ./go
coproc DB { sqlite3 -batch -bail data.db; }
ask() {
	echo "$1 SELECT 'done';" >&"${DB[1]}"
	answer=
	while read -r line <&"${DB[0]}"; do
		[ "$line" != 'done' ] || return 0
		answer+="$line "
	done
	echo "wrong: no answer to: $1"
	exit 1
}
ask 'PRAGMA cache_size = 5; PRAGMA cache_spill = 5;
	CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, text TEXT);
	CREATE INDEX by_n ON t (n);'
rows=0 acc=1 i=0
while [ $i -lt 25 ] || [ ! -e go ]; do
	ask 'BEGIN IMMEDIATE;'
	for k in 1 2 3 4 5; do
		ask "INSERT INTO t (n, text) WITH RECURSIVE c (x) AS (SELECT 1
			UNION ALL SELECT x + 1 FROM c WHERE x < 40)
			SELECT x * $k + $i % 25, hex (zeroblob (x)) FROM c;"
	done
	ask 'SELECT count (*) FROM t;'
	[ "$answer" = "$((rows + 200)) " ] || echo "wrong: $answer rows"
	if [ $((i % 3)) = 1 ]; then
		ask 'ROLLBACK;'
	else
		ask 'COMMIT;'
		rows=$((rows + 200))
	fi
	if [ $i -lt 25 ]; then
		ask 'SELECT sum (n), max (n), sum (length (text)) FROM t;'
		acc=$(((acc * 69069 + ${answer%%|*}) % 2147483648))
		echo "$i: $answer: $acc"
	else
		ask "DELETE FROM t WHERE id % 2; SELECT count (*) FROM t;"
		rows=$((answer))
	fi
	i=$((i + 1))
done
ask 'PRAGMA integrity_check;'
echo "check: $answer"
eval "exec ${DB[1]}>&-"
wait
sqlite3 data.db 'PRAGMA integrity_check; SELECT count (*) > 0 FROM t;'
echo "end: $acc"

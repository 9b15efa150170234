# SPDX-License-Identifier: GPL-2.0-or-later
# tmux.bash - a shell in tmux, driven by keys and read back; until ./go is
export TMUX_TMPDIR=$PWD
t() { tmux -S "$PWD/socket" -f /dev/null "$@"; }
t -D &
server=$!
until t -N new-session -d -s s -x 100 -y 30 'exec dash' 2>/dev/null; do
	sleep 0.02
done
t send-keys -t s "PS1='% '; n=0" Enter
acc=1 i=0
while [ $i -lt 12 ] || [ ! -e go ]; do
	n=$((i % 12))
	t send-keys -t s "n=\$((n + 1)); clear; echo \"<\$n:\$((n % 12 * 7)):\$(tty | wc -l):\$(stty size)>\"" Enter
	until line=$(t capture-pane -p -t s | grep "^<$((i + 1)):"); do
		sleep 0.01
	done
	if [ $i -lt 12 ]; then
		acc=$(((acc * 69069 + ${#line}) % 2147483648))
		echo "$i: $line: $acc"
	fi
	i=$((i + 1))
done
t send-keys -t s 'exit 0' Enter
while t has-session -t s 2>/dev/null; do sleep 0.02; done
t kill-server
wait $server
echo "end: $acc"

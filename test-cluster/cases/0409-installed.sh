#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is installed is enough: pkg-config, archives, pages, examples.
# time limit: 60
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/restart.sh"
enter_pidns
tmpdir
need pkg-config
export PKG_CONFIG_PATH=$CR_PREFIX/lib/pkgconfig
cc=${CC:-gcc}

note "by pkg-config, shared and static"
cat >one.c <<'END'
#include <libcr.h>
#include <libcr_ext.h>

int main(void)
{
	return cr_init() >= 0 && cr_restarts() == 0 ? 7 : 1;
}
END
status() { # WANT CMD...
	local want=$1 status=0
	shift
	"$@" || status=$?
	[ $status = "$want" ] || fail "$*: status $status"
}
# shellcheck disable=SC2046 # several words
"$cc" -Wall -Werror -o one one.c $(pkg-config --cflags --libs libcr) \
	"-Wl,-rpath,$CR_PREFIX/lib"
status 7 ./one
# shellcheck disable=SC2046
"$cc" -Wall -Werror -static -o one-static one.c \
	$(pkg-config --static --cflags --libs libcr)
status 7 ./one-static
[ "$(pkg-config --modversion libcr)" ] || fail "no version"

note "an archive that leaves out: a static process in a tree vanishes"
cat >nap.c <<'END'
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
END
"$cc" -static -o watcher nap.c -Wl,-u,cr_omit_link_me -L"$CR_PREFIX/lib" \
	-lcr_omit -lcr -pthread
"$cc" -static -o runner nap.c -Wl,-u,cr_run_link_me -L"$CR_PREFIX/lib" \
	-lcr_run -lcr -pthread
"$cc" -o plain nap.c
"$cc" -o linked nap.c -Wl,--no-as-needed -L"$CR_PREFIX/lib" -lcr_omit \
	"-Wl,-rpath,$CR_PREFIX/lib"
cat >tree <<'END'
./watcher &
./runner &
./plain &
./linked &
echo ready
wait
END
start bash tree
for name in watcher linked; do
	wait_for "grep -qs libcr-control /proc/\$(running $name)/maps" 20
done
cr_checkpoint -f image "$PID"
cr_info --tree image >said
for name in plain runner; do
	grep -q "$name" said || fail "no $name: $(cat said)"
done
for name in watcher linked; do
	must_fail grep "$name" said
done
for name in watcher linked plain runner; do
	kill "$(running $name)"
done
wait "$PID"

note "each example is there, and compiles without a warning"
for example in callbacks again crthreadtest; do
	file=$(find "$CR_PREFIX/share/doc" -name $example.c)
	[ -n "$file" ] || fail "$example.c is not installed"
	"$cc" -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -pthread \
		-I"$CR_PREFIX/include" -L"$CR_PREFIX/lib" -o example "$file" -lcr
done

note "a page for each command and function, and none that leads nowhere"
man=$CR_PREFIX/share/man
for page in cr_checkpoint.1 cr_restart.1 cr_run.1 cr_info.1; do
	[ -s "$man/man1/$page" ] || fail "no $page"
done
nm -D --defined-only "$CR_PREFIX/lib/libcr.so" |
	sed -n 's/.* [TBDR] \(cr_[a-z_]*\)@.*/\1/p' >symbols
[ "$(wc -l <symbols)" -gt 50 ] || fail "$(cat symbols)"
while read -r name; do
	page=$man/man3/$name.3
	[ -s "$page" ] || fail "no $name.3"
	target=$(sed -n 's/^\.so //p' "$page")
	[ -z "$target" ] || [ -s "$man/$target" ] || fail "$name.3: no $target"
done <symbols

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# api.sh - libcr.h in C and C++, libraries shared and static, a man page each
set -eu
src=$(cd "${srcdir:-$(dirname "$0")/../../..}" && pwd)
build=$PWD
api=$src/libcr/runtime/test/api.c
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# compile OUT COMPILER LANGUAGE ARG...: with all warnings, and run it
compile() {
	local out=$dir/$1 cc=$2 lang=$3
	shift 3
	command -v "${cc%% *}" >"$dir/which" || {
		echo "no $cc here"
		return 0
	}
	$cc -x "$lang" -Wall -Wextra -Werror -pedantic -O1 \
		-I"$src/libcr/include" -o "$out" "$api" -x none "$@" -pthread
	[ "$(LD_LIBRARY_PATH=$build/.libs "$out" </dev/null)" = "all there" ] ||
		fail "$out"
}
shared="-L$build/.libs -lcr"
compile c "${CC:-gcc}" c $shared
compile cxx98 "g++ -std=c++98 -Wno-variadic-macros" c++ $shared
compile run "${CC:-gcc}" c -DWITH_RUN -L"$build/.libs" -lcr_run -lcr
compile omit "${CC:-gcc}" c -DWITH_OMIT -L"$build/.libs" -lcr_omit -lcr
compile static "${CC:-gcc} -static" c -DWITH_RUN -DWITH_OMIT \
	"$build/libcr_run.a" "$build/libcr_omit.a" "$build/libcr.a"

# with the symbol named on the command line only
echo 'int main(void) { return 0; }' >"$dir/none.c"
for lib in run omit; do
	${CC:-gcc} -static -o "$dir/none" "$dir/none.c" "-Wl,-u,cr_${lib}_link_me" \
		"$build/libcr_$lib.a" "$build/libcr.a" -pthread
	nm "$dir/none" | grep -q " T cr_init\| T cr_omit_process" ||
		fail "libcr_$lib.a brings nothing"
	"$dir/none"
done

# what is exported: versioned, declared, and described
exported() { # LIBRARY
	nm -D --defined-only "$build/.libs/$1" |
		sed -n 's/.* [TBDR] \(cr_[a-z_]*\)@@.*/\1/p' | sort
}
for lib in libcr libcr_run libcr_omit; do
	exported $lib.so >"$dir/$lib"
	[ -s "$dir/$lib" ] || fail "$lib.so exports nothing"
	nm -D --defined-only "$build/.libs/$lib.so" | grep -v '@@LIBCR' |
		grep -v ' A LIBCR' >"$dir/bare" || true
	[ ! -s "$dir/bare" ] || fail "$lib.so: without version: $(cat "$dir/bare")"
done
[ "$(cat "$dir/libcr_run" "$dir/libcr_omit")" = "cr_run_link_me
cr_omit_link_me" ] || fail "$(cat "$dir/libcr_run" "$dir/libcr_omit")"
# declared: a function, or one of the symbols to be referred to
cat "$src/libcr/include/libcr.h" "$src/libcr/include/libcr_ext.h" |
	${CC:-gcc} -fpreprocessed -dD -E -P - 2>/dev/null |
	sed -n 's/^extern int \(cr_[a-z_]*\);/\1(/; s/[^(]*\<\(cr_[a-z_]*\)(.*/\1/p
		s/^\(cr_[a-z_]*\)($/\1/p' | sort -u >"$dir/declared"
cat "$dir"/libcr "$dir"/libcr_run "$dir"/libcr_omit | sort >"$dir/all"
comm -3 "$dir/all" "$dir/declared" >"$dir/differ"
[ ! -s "$dir/differ" ] || fail "exported | declared: $(cat "$dir/differ")"
while read -r name; do
	page=$src/libcr/runtime/man/$name.3
	[ -e "$page" ] || fail "$name has no man page"
	grep -q "^.so man3/" "$page" &&
		page=$src/libcr/runtime/$(sed -n 's,^.so man3/,man/,p' "$page")
	grep -q "$name" "$page" || fail "$page does not describe $name"
	grep -q "man/$name\.3" "$src/libcr/runtime/runtime.am" ||
		fail "$name.3 is not installed"
done <"$dir/all"
if command -v mandoc >"$dir/which"; then
	grep -L "^.so man3/" "$src"/libcr/runtime/man/*.3 \
		"$src"/libcr/commands/*.1 >"$dir/pages"
	xargs mandoc -T lint -W warning <"$dir/pages" |
		grep -v 'referenced manual not found' >"$dir/lint" || true
	[ ! -s "$dir/lint" ] || fail "$(cat "$dir/lint")"
fi

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# coverage.sh - every test that doc/coverage.md names is there
set -eu
top=${srcdir:?}
cases=$top/test-cluster/cases

names() {
	local file globs
	# all of them, though make check may have been asked for a few
	env -u MAKEFLAGS -u MFLAGS make -s list-tests | sed 's,.*/,,; s,^,unit/,'
	for file in "$cases"/[0-9][0-9][0-9][0-9]-*.sh; do
		globs=$(sed -n 's/^# sub-cases: *//p' "$file")
		file=$(basename "$file" .sh)
		echo "$file"
		# shellcheck disable=SC1091,SC2086 # patterns
		[ -z "$globs" ] || (cd "$cases" && . ./state.sh &&
			state_names $globs) | sed "s,^,$file/,"
	done
}

gone=$(comm -23 <(grep -oE '`([0-9]{4}-|unit/)[^` ]*`' "$top/doc/coverage.md" |
	tr -d '`' | sort -u) <(names | sort -u))
[ -z "$gone" ] || { echo "FAILED: doc/coverage.md names $gone"; exit 1; }

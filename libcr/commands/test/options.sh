#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# options.sh - what a command takes, its --help and its man page agree
set -eu
src=${srcdir:?}/libcr/commands
status=0

# What getopt_long() is given.
taken() { sed -n 's/^\t*{ "\([a-z][a-z-]*\)",.*/--\1/p' "$1" | sort -u; }

# What is offered: words that begin so.
offered() { grep -oE -- '(^|[^a-z-])--[a-z][a-z-]*' | grep -oE -- '--.*' | sort -u; }

# The entries of its lists, not what the text says of others.  mdoc(7) writes
# one of the two dashes itself.
described() {
	sed 's/\\//g' "$1" | awk '
		/^\.It Fl/ { gsub(/[ \t]-/, " --"); print; next }
		entry { print }
		{ entry = /^\.TP/ }' | offered
}

for command in cr_checkpoint cr_restart cr_info cr_run; do
	table=$src/${command}_options.c
	[ -e "$table" ] || table=$src/$command.c
	[ "$(taken "$table" | wc -l)" -ge 4 ] || {
		echo "FAILED: $command: where are its options?"
		exit 1
	}
	for other in "--help:./$command --help | offered" \
		"the man page:described $src/$command.1"; do
		diff <(taken "$table") <(eval "${other#*:}") || {
			echo "FAILED: $command: its options (<) and ${other%%:*} (>)"
			status=1
		}
	done
done
exit $status

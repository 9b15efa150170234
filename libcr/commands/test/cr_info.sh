#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cr_info.sh - cr_info on the sample image: tables, JSON, damage, usage
set -eu
top=$PWD
source=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C TZ=UTC
cd "$dir"

die() {
	echo "cr_info.sh: $*" >&2
	exit 1
}

info() {
	"$top/cr_info" "$@"
}

# wants STATUS ARG...: runs cr_info, keeps what it says, checks its status
wants() {
	local want=$1 got=0
	shift
	info "$@" >out 2>err || got=$?
	[ "$got" = "$want" ] || die "cr_info $*: status $got, not $want: $(cat err)"
}

# says FILE TEXT...: each text is in what was kept
says() {
	local file=$1 text
	shift
	for text; do
		grep -qF -- "$text" "$file" ||
			die "\"$text\" is not in: $(cat "$file")"
	done
}

wants 0 --system
says out "module" "exact pids" "namespaces" "tracing"
wants 0 --system --json
says out '"available"' '"exact pids"'

for codec in none lz4 zstd; do
	"$top/make_sample_image" $codec $codec
	wants 0 --verify $codec
	says err "$codec: verified"
	[ ! -s out ] || die "--verify alone shows more"
done

wants 0 lz4
says out "lz4: 4 processes, 3 threads" "request    tree of 100" \
	"compressed to" "\`- thread 101" "{thread 102} 102" \
	"(run anew at a restart)" "(ended, exit status 7)"
LC_ALL=C.UTF-8 wants 0 -t lz4
says out "└─ thread 101"
wants 0 -a none
says out "555555560000-5555557b8000 rw-p     2.3 MiB     2.0 MiB  [heap] [hg ac key 3]" \
	"/tmp/data (deleted)" "Shared memory" "4c pipe" "pipe:[1234]" "/tmp/a file" \
	"descriptor 1 of cr_restart" "8000000000000001"
wants 0 -m -p 101 none
grep -q "Memory of 100" out && die "-p shows another process"

# The same from a pipe, and as JSON that a parser takes.
info --verify --json - <zstd >out 2>err
if command -v python3 >/dev/null; then
	python3 - <<-EOT || die "JSON: $(head -c 300 out)"
		import json
		d = json.load(open("out"))
		assert d["verified"] and d["totals"]["processes"] == 4
		assert d["processes"][2]["command"] == ["srun", ""]
		assert d["processes"][1]["threads"][1]["tid"] == 102
		assert d["mapped_files"][0]["path"] == "/usr/bin/program"
		assert sum(d["codec_runs"].values()) == d["totals"]["runs"]
	EOT
	# The document says what is in the file, field by field.
	python3 "$source/libcr/image/test/document.py" \
		"$source/doc/context-file.md" "$top/cr_info" none lz4 zstd ||
		die "the file is not what doc/context-file.md says"
fi

# Damage in a page is found by --verify, damage elsewhere always.
printf '\x55' | dd of=none bs=1 seek=5000 conv=notrunc status=none
wants 0 none
wants 1 --verify none
says err "cr_info: none: damaged: wrong digest of the pages at 0x" "of shared memory 0"
truncate -s -1 lz4
wants 1 lz4
says err "cr_info: lz4: incomplete or damaged"
wants 1 lz4 zstd
says out "zstd: 4 processes"

wants 1 nothing
says err "nothing: cannot open: No such file or directory"
wants 1 -p 999 zstd
says err "there is no process 999"
wants 2
wants 2 --nonsense zstd
wants 2 -p x zstd
wants 0 --help
says out "Usage: cr_info"
wants 0 --version
says out "cr_info (stillpoint)"
info zstd >/dev/full 2>err && die "a full device goes unnoticed"
says err "cannot write"

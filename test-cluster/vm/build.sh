# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh - build the kernel module for a kernel in vm's cache
# shellcheck shell=bash disable=SC2154 # $cache, $here: vm

vm_build() {
	local src=$here/../../kernel-module out='' opt OPTIND=1 kver
	while getopts s:o: opt; do
		case $opt in
		s) src=$OPTARG ;;
		o) out=$OPTARG ;;
		*) exit 2 ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -gt 0 ] || die "build: which kernel?"
	need make gcc
	kver=$(need_kernel "$1")
	shift
	[ -e "$src/Kbuild" ] || [ -e "$src/Makefile" ] ||
		die "$src has no kernel module"
	out=$(realpath -m "${out:-$cache/module/$kver}")
	copy_source "$src" "$out"
	# shellcheck disable=SC2046 # words
	make -C "$(build_tree "$kver")" M="$out" $(build_flags "$kver") \
		"$@" modules >&2
	find "$out" -name '*.ko'
}

# build_tree KVER: what kbuild is run in.
build_tree() {
	local dir=$cache/$1/root/usr/src/linux-headers-$1
	[ -d "$dir" ] || dir=$cache/$1/build
	echo "$dir"
}

# build_flags KVER: the type information of modules takes a program that only
# kernels are built with; a compiler older or newer than the kernel's does.
build_flags() {
	echo CONFIG_DEBUG_INFO_BTF_MODULES=
	if ! command -v "$(configured_compiler "$1")" >/dev/null; then
		echo "CC=gcc"
	fi
}

configured_compiler() {
	sed -n 's/^CC[[:space:]]*[:?]*= *//p' \
		"$(build_tree "$1")/.kernelvariables" 2>/dev/null | tail -n 1 |
		sed 's/.*\(gcc-[0-9.]*\).*/\1/' | grep . || echo gcc
}

# copy_source SRC OUT: kbuild writes beside the source.  Only what differs is
# copied, so that make builds only that again, and what is gone goes.
copy_source() {
	local file
	mkdir -p "$2"
	(cd "$1" && find . -type f ! -name '.*.cmd' ! -name '*.o' ! -name '*.ko' \
		! -name '*.mod' ! -name '*.mod.c' ! -name modules.order \
		! -name Module.symvers) >"$2/.files.new"
	while read -r file; do
		cmp -s "$1/$file" "$2/$file" && continue
		mkdir -p "$2/$(dirname "$file")"
		cp "$1/$file" "$2/$file"
	done <"$2/.files.new"
	[ ! -e "$2/.files" ] ||
		(cd "$2" && grep -vxFf .files.new .files | xargs -r rm -f)
	mv "$2/.files.new" "$2/.files"
}

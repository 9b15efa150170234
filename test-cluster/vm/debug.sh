# SPDX-License-Identifier: GPL-2.0-or-later
# debug.sh - build the debugging kernel from the distribution's sources
# shellcheck shell=bash disable=SC2154 # $cache, $here: vm

DEBUG_SERIES=6.1

# prepare_debug: source-VERSION/ is kept, and what an interrupted build made.
# Memory and processor time are the machine's: CR_VM_JOBS at once (2).
prepare_debug() {
	local version new source
	need make gcc bc bison flex
	mkdir -p "$cache" || unable "cannot write in $cache"
	exec 8>"$cache/lock"
	flock 8
	[ -z "$(kernel_of debug)" ] || return 0
	debug_source
	source=$(echo "$cache"/source-"$DEBUG_SERIES".*)
	version=${source##*/source-}
	new=$cache/debug-$version
	mkdir -p "$new/build"
	debug_make -C "$source" O="$new/build" \
		KCONFIG_ALLCONFIG="$here/debug.config" allnoconfig
	debug_config_is_complete "$new/build/.config"
	debug_make -C "$new/build" -j"${CR_VM_JOBS:-2}" bzImage modules
	debug_make -C "$new/build" INSTALL_MOD_PATH="$new/root" modules_install
	cp "$new/build/arch/x86/boot/bzImage" "$new/vmlinux"
	initrd "$new"
}

debug_make() {
	make -s "$@" >&2 || die "building the debugging kernel failed"
}

# debug_config_is_complete CONFIG: what another option forbids is left out
# silently by kconfig.
debug_config_is_complete() {
	local missing
	missing=$(grep '^CONFIG_' "$here/debug.config" | grep -vxFf "$1") || return 0
	die "the kernel does not take" "$missing"
}

# debug_source: fetch and unpack the sources of the kernel, patched as the
# distribution's kernels are.
debug_source() {
	local new=$cache/source-new suite version
	[ -z "$(compgen -G "$cache/source-$DEBUG_SERIES.*")" ] || return 0
	for suite in $(suites_of "$DEBUG_SERIES"); do
		apt_setup "$suite" || continue
		version=$(apt-cache "${apt_options[@]}" show --no-all-versions \
			"linux-source-$DEBUG_SERIES" 2>/dev/null |
			sed -n 's/^Version: \([0-9.]*\).*/\1/p')
		[ -z "$version" ] || break
	done
	[ -n "${version:-}" ] ||
		unable "the configured package mirror offers no linux-source-$DEBUG_SERIES"
	rm -rf "$new"
	mkdir -p "$new/debs"
	fetch "$new/debs" "linux-source-$DEBUG_SERIES"
	dpkg-deb -x "$new"/debs/*.deb "$new/debs"
	tar -C "$new" -xf "$new/debs/usr/src/linux-source-$DEBUG_SERIES.tar.xz"
	mv "$new/linux-source-$DEBUG_SERIES" "$cache/source-$version"
	rm -rf "$new"
}

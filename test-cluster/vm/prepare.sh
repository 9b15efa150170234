# SPDX-License-Identifier: GPL-2.0-or-later
# prepare.sh - fetch kernels with apt and unpack them into vm's cache
# shellcheck shell=bash disable=SC2154 # $cache, $here: vm

# What the guest loads before it has a root file system.
BOOT_MODULES="virtio_pci virtio_console 9pnet_virtio 9p overlay"

vm_prepare() {
	local want
	[ $# -gt 0 ] || set -- 6.1 6.12 5.10
	for want; do
		if [ -n "$(kernel_of "$want")" ]; then
			kernel_of "$want"
			continue
		fi
		need apt-get apt-cache dpkg-deb depmod modprobe cpio busybox
		case $want in
		debug) . "$here/debug.sh"; (prepare_debug) ;;
		*)     (prepare_one "$want") ;;
		esac
		kernel_of "$want"
	done
}

# prepare_one WANT: one at a time, in a directory that gets its name when it
# is complete.
prepare_one() {
	local want=$1 suite image kver new
	mkdir -p "$cache" || unable "cannot write in $cache"
	exec 8>"$cache/lock"
	flock 8
	[ -z "$(kernel_of "$want")" ] || return 0

	for suite in $(suites_of "$want"); do
		apt_setup "$suite" || continue
		image=$(newest_image "$want")
		[ -z "$image" ] || break
	done
	[ -n "${image:-}" ] ||
		unable "the configured package mirror offers no kernel $want"

	kver=${image#linux-image-}
	new=$cache/new
	rm -rf "$new"
	mkdir -p "$new/debs" "$new/root"
	# shellcheck disable=SC2046 # words
	fetch "$new/debs" "$image" $(build_packages "linux-headers-$kver")
	unpack "$new" "$kver"
	rm -rf "$new/debs"
	mv "$new" "$cache/$kver"
}

# --- apt -----------------------------------------------------------------
# The machine's own configuration with lists and caches of our own, so that
# nothing of the system changes.

codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# suites_of WANT: where to look, the likeliest first.
suites_of() {
	case $1 in
	5.10*) echo bullseye ;;
	6.1|6.1.*) echo native bookworm ;;
	6.12*) echo native bookworm-backports trixie ;;
	*) echo "native $(codename)-backports" ;;
	esac
}

# mirrors: "URI SUITE" of the distribution's own archives.
mirrors() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format \
		'$(IDENTIFIER) $(COMPONENT) $(REPO_URI) $(RELEASE)' |
		awk -v c="$(codename)" '$1 == "Packages" && $2 == "main" &&
			($4 == c || index($4, c "-") == 1) { print $3, $4 }'
}

# apt_setup SUITE: fetch its lists, once a day; sets apt_options.
apt_setup() {
	local dir=$cache/apt/$1 uri suite key
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	key=
	[ ! -e $keyring ] || key="[signed-by=$keyring]"
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	case $1 in
	native) mirrors ;;
	*) mirrors | sed -n "s/ $(codename)\$/ $1/p" ;;
	esac | while read -r uri suite; do
		echo "deb $key $uri $suite main"
	done >"$dir/sources"
	[ -s "$dir/sources" ] || return 1
	apt_options=(-q=2 -o "Dir::Etc::SourceList=$dir/sources"
		-o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir"
		-o APT::Sandbox::User= -o Acquire::Languages=none
		-o Acquire::Retries=3)
	[ -z "$(find "$dir/fetched" -mtime -1 2>/dev/null)" ] || return 0
	apt-get "${apt_options[@]}" update >&2 || return 1
	touch "$dir/fetched"
}

# newest_image WANT: the package name of the newest kernel that is called so.
newest_image() {
	apt-cache "${apt_options[@]}" pkgnames "linux-image-$1" |
		grep -E "^linux-image-$(quoted "${1%-amd64}")([.-][0-9a-z.+~-]*)?-amd64\$" |
		grep -vE -- '-(cloud|rt|unsigned|dbg)' | sort -V | tail -n 1
}

# build_packages HEADERS: it and those of its dependencies that building
# takes.
build_packages() {
	echo "$1"
	apt-cache "${apt_options[@]}" depends "$1" |
		sed -n 's/.*Depends: \(linux-headers-.*\|linux-kbuild-.*\)/\1/p'
}

fetch() {
	local dir=$1
	shift
	(cd "$dir" && apt-get "${apt_options[@]}" download "$@" >&2) ||
		unable "cannot fetch $*"
}

# --- unpacking -----------------------------------------------------------

# unpack NEW KVER: make NEW/root, NEW/vmlinux and NEW/initrd.cpio.
unpack() {
	local new=$1 kver=$2 deb
	for deb in "$new"/debs/*.deb; do
		dpkg-deb -x "$deb" "$new/root"
	done
	[ -e "$new/root/lib" ] || ln -s usr/lib "$new/root/lib"
	# The packages' makefile knows its parts by absolute paths.
	sed -i "s#\([ =]\)/usr/src/#\1$cache/$kver/root/usr/src/#" \
		"$new/root/usr/src/linux-headers-$kver/Makefile"
	depmod -b "$new/root" "$kver"
	vmlinux "$new/root/boot/vmlinuz-$kver" "$new/vmlinux" ||
		cp "$new/root/boot/vmlinuz-$kver" "$new/vmlinux"
	initrd "$new" "$kver"
}

# vmlinux IMAGE OUT: unpack the kernel inside a bzImage, which takes the
# emulated processor seconds.
vmlinux() {
	local magic unpacker at
	while read -r magic unpacker; do
		command -v "${unpacker%% *}" >/dev/null || continue
		for at in $(LC_ALL=C grep -aboP "$magic" "$1" | cut -d: -f1); do
			# What follows the stream in the file is not an error.
			tail -c +$((at + 1)) "$1" | $unpacker >"$2" 2>/dev/null || true
			[ "$(head -c 4 "$2" | tail -c 3)" != ELF ] || return 0
		done
	done <<-'END'
	\xfd7zXZ\x00 xz -dc
	\x28\xb5\x2f\xfd zstd -dcq
	\x1f\x8b\x08 gzip -dc
	END
	rm -f "$2"
	return 1
}

# initrd NEW [KVER]: busybox and BOOT_MODULES; /init is added when it runs.
# Without KVER the kernel needs no modules.
initrd() {
	local new=$1 kver=${2:-} tree=$1/initrd module file name
	rm -rf "$tree"
	mkdir -p "$tree"/{bin,proc,sys,dev,mnt,lower,mods}
	cp -L "$(command -v busybox)" "$tree/bin/busybox"
	[ -z "$kver" ] || for module in $BOOT_MODULES; do
		modprobe -d "$new/root" -S "$kver" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
	while read -r file; do
		name=$(basename "${file%.[xzg]*}")
		case $file in
		*.xz)  xz -dc "$file" ;;
		*.zst) zstd -dcq "$file" ;;
		*.gz)  gzip -dc "$file" ;;
		*)     cat "$file" ;;
		esac >"$tree/mods/$name"
		echo "$name" >>"$tree/mods/order"
	done
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$new/initrd.new"
	mv "$new/initrd.new" "$new/initrd.cpio"
	rm -rf "$tree"
}

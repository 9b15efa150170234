# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - boot a kernel of vm's cache and run a command in it
# shellcheck shell=bash disable=SC2154 # $cache, $here: vm

vm_run() {
	local kver=6.1 mem=1024 cpus=2 limit=300 log='' append='' dir
	local shares=() modules=() image=vmlinux opt OPTIND=1
	while getopts k:m:c:t:d:i:l:a:5 opt; do
		case $opt in
		k) kver=$OPTARG ;;
		m) mem=$OPTARG ;;
		c) cpus=$OPTARG ;;
		t) limit=$OPTARG ;;
		d) shares+=("$(readlink -e "$OPTARG")") || die "no $OPTARG" ;;
		i) modules+=("$(readlink -e "$OPTARG")") || die "no $OPTARG" ;;
		l) log=$(realpath -m "$OPTARG") ;;
		a) append=$OPTARG ;;
		5) image=root/boot/vmlinuz-* ;;
		*) exit 2 ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -gt 0 ] || die "run: no command"
	need qemu-system-x86_64 cpio
	kver=$(need_kernel "$kver")

	run=$(mktemp -d "${TMPDIR:-/tmp}/vm.XXXXXX")
	trap 'rm -rf "$run"' EXIT
	make_initrd
	mkdir "$run/share"
	guest_files "$@"
	local try
	for try in 1 2 3 4 5; do
		rm -f "$run/share/again"
		start_qemu
		[ -e "$run/share/again" ] || break
	done
	guest_result
}

# make_initrd: the prepared archive, and one more with today's /init.
make_initrd() {
	mkdir "$run/init"
	install -m 755 "$here/guest-init" "$run/init/init"
	{
		cat "$cache/$kver/initrd.cpio"
		(cd "$run/init" && echo init | cpio -o -H newc --quiet)
	} >"$run/initrd"
}

# guest_files CMD...: what the guest finds in /run/vm.
guest_files() {
	local m
	cp "$here/guest-pid1" "$run/share/pid1"
	printf '%s\n' ${shares[@]+"${shares[@]}"} | grep . >"$run/share/shares" || true
	dir=$(echo "$cache/$kver"/root/lib/modules/*)
	readlink -f "$dir" >"$run/share/modules" || true
	{
		echo 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
		echo 'export HOME=/root TERM=dumb LANG=C.UTF-8'
		for m in ${modules[@]+"${modules[@]}"}; do
			cp "$m" "$run/share"
			printf 'insmod %q || exit\n' "/run/vm/${m##*/}"
		done
		printf 'cd %q 2>/dev/null || cd /\n' "$PWD"
		printf '%q ' "$@"
		echo
	} >"$run/share/cmd"
}

# tsc_khz: the guest's time stamp counter is the host's, and measuring it
# under emulation goes wrong when the host is busy.
tsc_khz() {
	local khz
	khz=$(dmesg 2>/dev/null |
		sed -n 's/.*tsc: Detected \([0-9]*\)\.\([0-9]*\) MHz.*/\1\2/p' |
		head -n 1)
	[ -n "$khz" ] ||
		khz=$(awk -F'[:. ]+' '/^cpu MHz/ { print $3 $4; exit }' /proc/cpuinfo)
	echo "${khz:-0}"
}

filesystem() {
	echo -fsdev
	echo "local,id=$1,path=$2,security_model=none,multidevs=remap${3:-}"
	echo -device
	echo "virtio-9p-pci,fsdev=$1,mount_tag=$1"
}

filesystems() {
	local n=0 dir
	filesystem root / ,readonly=on
	filesystem vm "$run/share"
	for dir in ${shares[@]+"${shares[@]}"}; do
		filesystem share$n "$dir"
		n=$((n + 1))
	done
}

start_qemu() {
	local fs cmdline
	mapfile -t fs < <(filesystems)
	cmdline="console=ttyS0 panic=-1 oops=panic loglevel=5 nokaslr"
	cmdline+=" mitigations=off random.trust_cpu=on rcupdate.rcu_expedited=1"
	# The host may let the guest wait for long; that is no lock-up.
	cmdline+=" nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
	cmdline+=" tsc=reliable tsc_early_khz=$(tsc_khz) no_timer_check"
	# QEMU ends with timeout, and timeout with this shell, however it ends.
	status=0
	setpriv --pdeathsig TERM timeout --foreground -k 5 "$limit" \
		setpriv --pdeathsig KILL qemu-system-x86_64 \
		-nodefaults -no-user-config -no-reboot -display none -net none \
		-machine q35,usb=off,vmport=off -vga none \
		-accel "${CR_VM_ACCEL:-tcg,thread=multi,tb-size=512}" \
		-cpu max -smp "$cpus" -m "$mem" \
		-kernel "$(echo "$cache/$kver"/$image)" -initrd "$run/initrd" \
		-append "$cmdline $append" -serial "file:$run/serial" \
		-device virtio-serial-pci -device virtconsole,chardev=console \
		-chardev stdio,id=console,signal=off "${fs[@]}" \
		</dev/null || status=$?
}

# guest_result: write the log, exit as the guest's command.
guest_result() {
	local source=$run/share/dmesg
	[ -s "$source" ] || source=$run/serial
	[ -z "$log" ] || cp "$source" "$log"
	if [ -s "$run/share/status" ]; then
		exit "$(cat "$run/share/status")"
	fi
	if [ "$status" = 124 ]; then
		echo "vm: over its time limit of $limit s; the console said last:" >&2
	else
		echo "vm: the guest died (qemu: $status); its console said last:" >&2
	fi
	tail -n 40 "$run/serial" >&2 || true
	[ "$status" = 124 ] || status=125
	exit "$status"
}

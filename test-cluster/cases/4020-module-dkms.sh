#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What make install leaves for dkms is complete: it builds, and the module loads.
# time limit: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm.sh"
need_root
need dkms modinfo
tmpdir
vm_need 6.1

kver=$(vm list | grep '^6\.1\.' | tail -n 1)
headers=${CR_VM_CACHE:-/var/cache/stillpoint/vm}/$kver/root/usr/src/linux-headers-$kver
source=$(echo "$CR_PREFIX"/src/stillpoint-*)
[ -e "$source/dkms.conf" ] || fail "no source of the module in $CR_PREFIX/src"
version=${source##*-}

# dkms with directories of its own: nothing of this machine's changes.
mkdir src tree inst
cp -r "$source" src/
dkms build -m stillpoint -v "$version" -k "$kver" --arch x86_64 \
	--kernelsourcedir "$headers" --dkmstree "$T/tree" \
	--sourcetree "$T/src" --installtree "$T/inst"
module=$(find tree -name 'cr.ko*')
[ -n "$module" ] || fail "dkms built no module"
[ "$(modinfo -F license "$module")" = GPL ] || fail "its license"
[ "$(modinfo -F version "$module")" = "$version" ] ||
	fail "the module's version is not that of the package, $version"

vm run -i "$module" -l log -- sh -c '[ -c /dev/cr ] && rmmod cr'
vm_log_clean log

for file in udev/rules.d/60-stillpoint.rules modules-load.d/stillpoint.conf; do
	[ -e "$CR_PREFIX/lib/$file" ] || fail "no lib/$file"
done

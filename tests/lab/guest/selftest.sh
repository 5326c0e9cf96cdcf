#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Inside the lab: one boot, and what everything else in the lab stands on. Exit 1 when anything is missing.
set -u
# shellcheck source=tests/lab/guest/lib.sh
. /src/tests/lab/guest/lib.sh
pf=0000:01:00.0
gpu=0000:41:00.0
bad=0

check() { # WHAT COMMAND…
	local what=$1
	shift
	if "$@" >/tmp/said 2>&1; then
		echo "ok   $what"
	else
		echo "FAIL $what"
		tail -n 5 /tmp/said
		bad=1
	fi
}
# refused ERROR FILE VALUE: the write fails with this error
refused() {
	{ echo "$3" >"$2"; } 2>/tmp/refused && return 1
	grep "$1" /tmp/refused || { cat /tmp/refused && false; }
}
vfs_are() { [ "$(find "$devices/$1/" -maxdepth 1 -name 'virtfn*' | wc -l)" = "$2" ]; }
file_is() { [ "$(cat "$1")" = "$2" ]; }
driver_is() { [ "$(driver_of "$1")" = "$2" ]; }

nvme() {
	check 'an NVMe controller can have 8 VFs' file_is "$devices/$pf/sriov_totalvfs" 8
	echo 0 >"$devices/$pf/sriov_drivers_autoprobe"
	echo 4 >"$devices/$pf/sriov_numvfs"
	check 'it has 4' vfs_are $pf 4
	check 'from 4 to 2: EBUSY' refused 'Device or resource busy' "$devices/$pf/sriov_numvfs" 2
	vf=$(vf_of $pf 1)
	check 'a VF has an IOMMU group of its own' [ "$(find "$devices/$vf/iommu_group/devices/" -type l | wc -l)" = 1 ]
}

gpus() {
	modprobe nvidia
	check 'four GPUs of NVIDIA' [ "$(lspci -n -d 10de: | wc -l)" = 4 ]
	check 'they can have 16 VFs' file_is "$devices/$gpu/sriov_totalvfs" 16
	check 'their driver is nvidia' driver_is $gpu nvidia
	check 'they have their slots' file_is "$devices/$gpu/class" 0x030200
}

program() {
	check 'gpupart runs, and finds its libraries' gpupart --version
	check 'gpupart sees the GPUs' eval 'gpupart observe | grep 0000:41:00.0'
}

daemon() {
	local uri=qemu:///system
	check 'libvirt answers' virsh -c $uri uri
	check "its daemon is called $LAB_DAEMON" file_is "/proc/$(cat /run/libvirt/lab.pid)/comm" "$LAB_DAEMON"
	case $LAB_DAEMON in
	libvirtd) socket=/run/libvirt/libvirt-sock absent=/run/libvirt/virtqemud-sock ;;
	virtqemud) socket=/run/libvirt/virtqemud-sock absent=/run/libvirt/libvirt-sock ;;
	esac
	check "there is no $absent" [ ! -e "$absent" ]
	check "a client connects to $socket" eval "strace -f -e trace=connect virsh -c $uri uri 2>&1 | grep '$socket\".* = 0'"
	domain_xml t1 "$vf" >/tmp/t1.xml
	check 'a domain with a VF starts' eval 'virsh define /tmp/t1.xml && virsh start t1'
	check 'its VF is with vfio-pci' driver_is "$vf" vfio-pci
	check 'its QEMU has the VFIO group open' eval "vfio_descriptors t1 | grep -x /dev/vfio/$(group_of "$vf")"
	lab_libvirt kill
	check 'the VM outlives its daemon' [ -e "/proc/$(cat /run/libvirt/qemu/t1.pid)" ]
	lab_libvirt start
	check 'the daemon finds it again' eval "virsh domstate t1 | grep -x running"
	virsh destroy t1 >/dev/null
	check 'the VF is free again' wait_until 10 driver_is "$vf" ''
}

nvme
gpus
program
[ "$LAB_DAEMON" = none ] || daemon
echo 0 >"$devices/$pf/sriov_numvfs"
check 'no VFs are left' vfs_are $pf 0
check 'the driver of the GPUs unloads' modprobe -r nvidia
result 'the lab itself' "libvirt $(libvirtd --version | sed 's/.* //'), $LAB_DAEMON" - "$([ $bad = 0 ] && echo pass || echo FAIL)" 'lab only: what the others stand on'
exit $bad

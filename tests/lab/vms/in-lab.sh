#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In the lab: in-lab.sh DAEMON GUEST PLAYER SCRIPT… plays the scripts on libvirt, which is started here, and leaves the traces
# in /lab/out/traces, the words of errors in /lab/out/words and libvirt's release in /lab/out/release. GUEST: the disk of
# guests that hear the power button, in base64.
set -euo pipefail
export LAB_DAEMON=$1
base64 -d <<<"$2" >/tmp/gpupart-power-button.img
truncate -s 1M /tmp/gpupart-power-button.img # firmware reads no smaller disk
{ # the firmware of the others: cli; hlt; back to hlt
	head -c 65520 /dev/zero
	printf '\xfa\xf4\xeb\xfd'
	head -c 12 /dev/zero
} >/tmp/gpupart-firmware.img
player=$3
shift 3
# Scripts start libvirt again and again, and want nothing but its VMs.
rm -f /usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_{nodedev,secret,storage,lxc,vbox,libxl}.so
/src/tests/lab/guest/libvirt.sh start
# shellcheck source=tests/lab/guest/lib.sh
. /src/tests/lab/guest/lib.sh
modprobe nvme
pf=/sys/bus/pci/devices/0000:01:00.0
wait_until 60 test -e "$pf/driver"
echo 0 >"$pf/sriov_drivers_autoprobe"
echo 8 >"$pf/sriov_numvfs"
mkdir -p /lab/out/traces
virsh -c qemu:///system version --daemon | sed -n 's/^Running against daemon: //p' >/lab/out/release
"$player" libvirt /src/tests/lab/guest/libvirt.sh /lab/out/traces "$@" 2>/lab/out/words

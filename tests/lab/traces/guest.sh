#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Inside the lab: guest.sh PLAYER OUT SCRIPT… plays scripts on the real kernel, each after what its "# lab:" line says.
# shellcheck disable=SC2317  # pci_driver is also called by what "# lab:" says
set -euo pipefail
player=$1 out=$2
shift 2

# What else reacts to devices that appear would be in the way: modules are loaded here alone.
udevadm control --exit 2>/dev/null || true

# pci_driver DRIVER: it, and no other, has the NVMe drives.
pci_driver() {
	local pf=/sys/bus/pci/devices/0000:01:00.0 second=/sys/bus/pci/devices/0000:02:00.0 module
	for module in nvme pci-pf-stub pci-stub; do
		[ "$module" = "$1" ] || modprobe -r "$module" 2>/dev/null || true
	done
	modprobe vfio-pci
	modprobe "$1"
	[ "$1" = nvme ] || [ -e "$pf/driver" ] || echo '1b36 0010' >"/sys/bus/pci/drivers/$1/new_id"
	until [ -e "$pf/driver" ] && [ -e "$second/driver" ]; do sleep 0.05; done
	# Each script begins as after boot.
	for pf in "$pf" "$second"; do
		[ "$(cat "$pf/sriov_numvfs")" = 0 ] || echo 0 >"$pf/sriov_numvfs"
		echo 1 >"$pf/sriov_drivers_autoprobe"
		[ "$(cat "$pf/driver_override")" = '(null)' ] || echo >"$pf/driver_override"
	done
	# It is bound before it has looked at its drive.
	[ "$1" != nvme ] || until [ "$(cat /sys/class/nvme/nvme*/state 2>/dev/null)" = $'live\nlive' ]; do sleep 0.05; done
}

# What is there at rest, for rest.sh: below a PF, a VF, their driver and a group.
list_names() {
	local devices=/sys/bus/pci/devices directory
	pci_driver nvme
	echo 0 >"$devices/0000:01:00.0/sriov_drivers_autoprobe"
	echo 1 >"$devices/0000:01:00.0/sriov_numvfs"
	for directory in "$devices/0000:01:00.0" "$devices/0000:01:00.1" /sys/bus/pci/drivers/nvme "$devices/0000:01:00.1/iommu_group"; do
		find "$directory/" -mindepth 1 -maxdepth 1 -printf '%f\n'
	done | grep -v '^0000:' | sort -u
	echo 0 >"$devices/0000:01:00.0/sriov_numvfs"
}

status=0
for script; do
	name=$(basename "$script" .play)
	prepare=$(sed -n 's/^# lab: //p' "$script")
	if ! { eval "$prepare" && "$player" --real "$script" >"$out/$name.trace"; } 2>"$out/$name.err"; then
		echo "$name: the script failed on the real kernel: $(cat "$out/$name.err")" >&2
		status=1
	fi
	[ "$name" != rest ] || list_names >"$out/rest.names" || status=1
done
exit $status

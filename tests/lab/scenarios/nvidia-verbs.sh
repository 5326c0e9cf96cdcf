# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2034  # $devices, $world, $work come from scenario.sh, $machine goes there
# What the scenarios about NVIDIA's GPUs do and look at, beside the verbs of scenario.sh. The lab's GPUs are those of
# tests/lab/module; the simulation's are described in nvidia-FRAMEWORK.yaml beside this file.

# nvidia_machine vfio|mdev: one board of four A16, 0000:41:00.0 to 44:00.0, and the vGPU host driver in that framework
nvidia_machine() {
	framework=$1
	machine=$here/scenarios/nvidia-$framework.yaml
}

# Loaded anew for each scenario: all VFs, types and mediated devices of the one before are gone.
lab_setup() {
	/src/tests/lab/module/install.sh
	modprobe -r nvidia 2>/dev/null || true
	modprobe nvidia "framework=$framework"
}

# ---- framework vendor VFIO -------------------------------------------------------------------------------------------

# has_types PF TYPE…: the first VFs have these vGPU types; 0 is none
has_types() {
	local pf=$1 index=0 found=()
	shift
	for _ in "$@"; do
		found+=("$(cat "$devices/$(vf "$pf" $index)/nvidia/current_vgpu_type")")
		index=$((index + 1))
	done
	equal "${found[*]}" "$*"
}

# ---- mediated devices ------------------------------------------------------------------------------------------------

# One a line: UUID VF nvidia-TYPE
mdevs() {
	local link path
	for link in "${devices%/pci/devices}"/mdev/devices/*; do
		[ -L "$link" ] || continue
		path=$(readlink -f "$link")
		echo "${link##*/} $(basename "${path%/*}") $(basename "$(readlink -f "$link/mdev_type")")"
	done
}

# has_mdev 'UUID VF nvidia-TYPE'
has_mdev() {
	local all
	all=$(mdevs)
	grep -qxF "$1" <<<"$all" || {
		printf 'not %s, but\n%s\n' "$1" "$all"
		return 1
	}
}

# mdevs_of nvidia-TYPE: how many
mdevs_of() {
	local all
	all=$(mdevs)
	grep -c " $1\$" <<<"$all" || true
}

# mdev_of VM: the UUID in its definition
mdev_of() {
	definition "$1" | sed -n "/<hostdev/,/<\/hostdev>/s/.*<address uuid=['\"]\([^'\"]*\).*/\1/p"
}

# ---- VMs -------------------------------------------------------------------------------------------------------------

# definition VM: as libvirt keeps it
definition() { cat "${devices%/sys/bus/pci/devices}/etc/libvirt/qemu/$1.xml"; }

# How libvirt is to take the device of its definition: yes or no
managed() { definition "$1" | sed -n "s/.*<hostdev .*managed=[\"']\([a-z]*\).*/\1/p"; }

# holds VM DEVICE: QEMU has the VFIO group of this VF or mediated device open
holds() {
	local group
	group=$(basename "$(readlink "$2/iommu_group")")
	[ -n "$(find "/proc/$(cat "/run/libvirt/qemu/$1.pid")/fd" -lname "/dev/vfio/$group")" ]
}

# holds_mdev VM: that of its definition
holds_mdev() { holds "$1" "/sys/bus/mdev/devices/$(mdev_of "$1")"; }

# How many times gpupart has saved the state before, which it does whenever it changes anything
saved() { find "${devices%/sys/bus/pci/devices}/var/lib/gpupart/previous" -name '*.yaml' 2>/dev/null | wc -l; }

# ---- what is in the way ------------------------------------------------------------------------------------------------

# client NAME PF: a process of this name has /dev/nvidiaN open, until client_gone
client() {
	local minor=$((16#${2:5:2} - 16#41))
	if [ "$world" = sim ]; then
		sim fault client "$2" "$1"
		return
	fi
	cp /bin/sleep "$work/$1"
	"$work/$1" 1000 7<>"/dev/nvidia$minor" &
	client_pid=$!
	wait_until 10 test -e "/proc/$client_pid/fd/7"
}

client_gone() {
	if [ "$world" = sim ]; then
		sim fault clear
		return
	fi
	kill "$client_pid"
	wait "$client_pid" || true
}

# ---- gpupart is killed -------------------------------------------------------------------------------------------------

# Has somebody taken the lock that keeps others from opening the GPU? Its file is gone while the GPU has no driver.
is_managed() { ! grep -qx 0 "${devices%/sys/bus/pci/devices}/proc/driver/nvidia/gpus/$1/unbindLock" 2>/dev/null; }

driver_of_is() { # PF DRIVER
	equal "$(basename "$(readlink "$devices/$1/driver")")" "$2"
}

# equal_now TEXT COMMAND…: asked anew each time
equal_now() { equal "$("${@:2}")" "$1"; }

# kill_while_enabling PF: kill -9 of an apply whose sriov-manage is at work
kill_while_enabling() {
	local timeout gpupart
	gp_begin killed apply --yes want.yaml
	await 'sriov-manage is at work' is_managed "$1"
	timeout=$(pgrep -P "${background[killed]}")
	gpupart=$(pgrep -P "$timeout")
	helpers=$(pgrep -P "$gpupart")
	kill -KILL "$gpupart"
	wait "${background[killed]}" 2>/dev/null || true
	check 'gpupart is dead' fails kill -0 "$gpupart"
}

helpers_are_alive() {
	local pid
	for pid in $helpers; do
		if kill -0 "$pid" 2>/dev/null && ! grep -q 'State:.*Z' "/proc/$pid/status"; then return; fi
	done
	return 1
}

# ---- doctor, whose rows are about much else ----------------------------------------------------------------------------

# says_row pass|warn|FAIL CHECK
says_row() {
	grep -qE "^ +$1 +$2 " <<<"$out" || {
		echo "$out"
		return 1
	}
}

# ---- captures ------------------------------------------------------------------------------------------------------------

# What gpupart would do here is what it says it would do, where nothing but a capture of this machine is.
same_plan_elsewhere() {
	local folder same=0
	folder=$(mktemp -d) # in memory in the lab: a capture is a thousand files, and each is written out
	gp_quietly plan want.yaml
	comparable <<<"$out" >"$folder/here"
	gp_quietly capture "$folder/captured"
	gpupart plan --root "$folder/captured" want.yaml 2>&1 | comparable >"$folder/there" || true # in which case it says so
	[ "$status" -eq 0 ] && diff -u "$folder/here" "$folder/there" || same=1
	[ "$status" -eq 0 ] || echo "$out"
	rm -rf "$folder"
	return $same
}

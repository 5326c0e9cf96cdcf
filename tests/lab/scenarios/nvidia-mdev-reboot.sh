# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# Framework mdev: a reboot takes VFs and mediated devices away, and a VM with autostart comes before them. The next
# apply makes them under the same names, so that no definition changes.
# shellcheck source=tests/lab/scenarios/nvidia-verbs.sh
. "$here/scenarios/nvidia-verbs.sh"
nvidia_machine mdev
gpu=0000:41:00.0
q8=nvidia-714 # A16-8Q

# wish [POWER]
wish() {
	want <<-END
		version: 1
		gpus: [{class: cad, match: {address: "$gpu"}, partitions: 2, series: Q}]
		vms:
		  - {name: one, partition: cad, power: ${1:-keep}}
		  - {name: two, partition: cad}
	END
}

# made VM VF: the mediated device that its definition names is there
made() { has_mdev "$(mdev_of "$1") $(vf $gpu "$2") $q8"; }

part_1() {
	vm define one
	vm define two
	wish
	gp_quietly apply --yes want.yaml
	check 'one has its device' made one 0
	check 'two has its device' made two 1
	check 'one starts with the host' vm autostart one
	definition one >one.before
	definition two >two.before
}

part_2() {
	check 'there is no VF, and no mediated device' equal "$(vfs $gpu) $(mdevs_of $q8)" '0 0'
	check 'one could not start' is off one
	gp_quietly doctor want.yaml
	check 'doctor warns of it' says_row warn 'devices of VMs'
	wish running
	gp plan want.yaml
	gp apply --yes want.yaml
	check 'one has its device again' made one 0
	check 'two has its device again' made two 1
	check 'no definition was touched' equal "$(definition one; definition two)" "$(cat one.before two.before)"
	check 'one runs' is running one
	only lab 'QEMU has the VFIO group open' check 'QEMU holds the device' holds_mdev one
	gp plan want.yaml
}

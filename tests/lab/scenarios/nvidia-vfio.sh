# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# Framework vendor VFIO from nothing to VMs that run with a vGPU, another size while one runs, a reboot, and back to
# nothing. Needs libvirt 9.7; nvidia-old-libvirt.sh is about what an older one does.
# shellcheck source=tests/lab/scenarios/nvidia-verbs.sh
. "$here/scenarios/nvidia-verbs.sh"
nvidia_machine vfio
gpu=0000:41:00.0
q4=713 q8=714 # A16-4Q, A16-8Q

# wish COUNT [DISRUPTION [POWER]]
wish() {
	want <<-END
		version: 1
		policy: {disruption: ${2:-defer}}
		gpus:
		  - class: cad
		    match: {address: "$gpu"}
		    partitions: $1
		    series: Q
		vms:
		  - {name: one, partition: cad, power: ${3:-keep}}
		  - {name: two, partition: cad}
	END
}

part_1() {
	vm define one
	vm define two
	made_from_nothing
	started
	resize_waits
	resize_is_refused
	resize_by_restart
	vm autostart one
}

made_from_nothing() {
	wish 4
	gp plan want.yaml
	check 'elsewhere, a capture of this machine gives the same plan' same_plan_elsewhere
	check 'a plan makes no VF' equal "$(vfs $gpu) $(numvfs_of $gpu)" '0 0'
	gp apply --yes want.yaml
	check 'all 16 VFs are there' equal "$(vfs $gpu) $(numvfs_of $gpu)" '16 16'
	check 'four of them have the type of which four fit' has_types $gpu $q4 $q4 $q4 $q4 0
	check 'one has the first' equal "$(vm_defined one)" "$(vf $gpu 0)"
	check 'two has the second' equal "$(vm_defined two)" "$(vf $gpu 1)"
	check 'libvirt is told to leave its driver alone' equal "$(managed one)" no
	gp apply --yes want.yaml
}

started() {
	check 'one starts' vm start one
	check 'it has its VF' equal "$(vm_vf one)" "$(vf $gpu 0)"
	check 'whose driver is still nvidia' equal "$(vf_driver $gpu 0)" nvidia
	only lab 'QEMU has the VFIO group open' check 'QEMU holds the VF' holds one "$devices/$gpu/virtfn0"
	gp vms want.yaml
	gp gpus want.yaml
	gp plan want.yaml
}

resize_waits() {
	wish 2
	gp apply --yes want.yaml
	check 'it says for whom it waits' says 'once one is off'
	check 'nobody lost a type' has_types $gpu $q4 $q4 $q4 $q4 0
}

resize_is_refused() {
	local before
	before=$(saved)
	wish 2 refuse
	gp apply --yes want.yaml
	check 'refused' equal "$status" 4
	check 'nothing was written' equal "$(saved)" "$before"
	check 'nobody lost a type' has_types $gpu $q4 $q4 $q4 $q4 0
	check 'one runs' is running one
}

resize_by_restart() {
	local seen
	seen=$(vm_guest_address one)
	wish 2 restart
	gp apply --yes want.yaml
	check 'there are two of the larger size' has_types $gpu $q8 $q8 0 0
	check 'one runs again' is running one
	check 'with its VF' equal "$(vm_vf one)" "$(vf $gpu 0)"
	check 'where the guest knows it' equal "$(vm_guest_address one)" "$seen"
	only lab 'QEMU has the VFIO group open' check 'QEMU holds the VF' holds one "$devices/$gpu/virtfn0"
	gp apply --yes want.yaml
}

# VFs and types are gone, and so are VMs: one with autostart came before its VF.
part_2() {
	local before
	before=$(definition one)
	check 'there is no VF' equal "$(vfs $gpu)" 0
	check 'one could not start' is off one
	wish 2 defer running
	gp apply --yes want.yaml
	check 'the types are back' has_types $gpu $q8 $q8 0
	check 'no definition was touched' equal "$(definition one)" "$before"
	check 'one runs' is running one
	check 'with its VF' equal "$(vm_vf one)" "$(vf $gpu 0)"
	gp plan want.yaml
	released
}

released() {
	want <<-END
		version: 1
		gpus: [{class: cad, match: {address: "$gpu"}, partitions: 0}]
		vms:
		  - {name: one, partition: none}
		  - {name: two, partition: none}
	END
	gp apply --yes want.yaml
	check 'while one runs, the types stay' has_types $gpu $q8 $q8 0
	check 'its definition has no VF any more' equal "$(vm_defined one)$(vm_defined two)" ''
	driver settle_ms 4000 settle $gpu 4000
	vm destroy one
	gp apply --yes want.yaml
	check 'the driver took a while to let go; now no VF has a type' has_types $gpu 0 0 0
	driver_back
	check 'the VFs stay' equal "$(vfs $gpu)" 16
	gp apply --yes want.yaml
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# Framework mdev from nothing to VMs that run with a mediated device, another size, and back to nothing; and what other
# people made stays. nvidia-mdev-reboot.sh is about a reboot.
# shellcheck source=tests/lab/scenarios/nvidia-verbs.sh
. "$here/scenarios/nvidia-verbs.sh"
nvidia_machine mdev
gpu=0000:41:00.0 others=0000:44:00.0
somebodys_mdev=5a0b5f6e-3a1c-4f0e-9d0c-1d2f3a4b5c6d
q4=nvidia-713 q8=nvidia-714 # A16-4Q, A16-8Q

# wish COUNT
wish() {
	want <<-END
		version: 1
		gpus:
		  - class: cad
		    match: {address: "$gpu"}
		    partitions: $1
		    series: Q
		vms:
		  - {name: one, partition: cad}
		  - {name: two, partition: cad}
		  - {name: three, partition: cad}
	END
}

# made VM VF TYPE: the mediated device that its definition names is there, and nobody made it for another VM
made() { has_mdev "$(mdev_of "$1") $(vf $gpu "$2") $3"; }

part_1() {
	only lab 'the simulated machine begins with it' somebody_makes_one
	vm define one
	vm define two
	made_from_nothing
	started
	left_over
	resized
	released
}

somebody_makes_one() {
	check 'it has VFs' /usr/lib/nvidia/sriov-manage -e $others
	check 'it has a mediated device' make_mdev "$somebodys_mdev" "$devices/$others/virtfn5/mdev_supported_types/nvidia-712"
}

make_mdev() { echo "$1" >"$2/create"; }

made_from_nothing() {
	wish 4
	gp plan want.yaml
	check 'elsewhere, a capture of this machine gives the same plan' same_plan_elsewhere
	check 'a plan makes no VF' equal "$(vfs $gpu) $(numvfs_of $gpu)" '0 0'
	gp apply --yes want.yaml
	check 'all 16 VFs are there' equal "$(vfs $gpu) $(numvfs_of $gpu)" '16 16'
	check 'one has a mediated device of the type of which four fit' made one 0 $q4
	check 'two has another' made two 1 $q4
	check 'that nobody asks for makes none' equal "$(mdevs_of $q4)" 2
	gp apply --yes want.yaml
}

started() {
	check 'one starts' vm start one
	check 'the VF keeps its driver' equal "$(vf_driver $gpu 0)" nvidia
	only lab 'QEMU has the VFIO group open' check 'QEMU holds the device' holds_mdev one
	gp vms want.yaml
	gp gpus want.yaml
	gp plan want.yaml
}

# A VM is undefined: its mediated device has no owner any more. It is nobody's to take away while it is not in the way.
left_over() {
	local left
	vm define three
	gp apply --yes want.yaml
	check 'three has one, too' made three 2 $q4
	left=$(mdev_of three)
	vm undefine three
	gp apply --yes want.yaml
	check 'it outlives its VM' has_mdev "$left $(vf $gpu 2) $q4"
}

resized() {
	wish 2
	gp apply --yes want.yaml
	check 'it says for whom it waits' says 'once one is off'
	check 'nobody lost anything' equal "$(mdevs_of $q4)" 3
	vm destroy one
	gp apply --yes want.yaml
	check 'one has a larger one, of the same name' made one 0 $q8
	check 'so has two' made two 1 $q8
	check 'nothing of the old size is there' equal "$(mdevs_of $q4)" 0
	check 'one starts' vm start one
	gp apply --yes want.yaml
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
	check 'while one runs, its device stays' equal "$(mdevs_of $q8)" 2
	check 'no definition has one' equal "$(mdev_of one)$(mdev_of two)" ''
	vm destroy one
	gp apply --yes want.yaml
	check 'none of ours is left' equal "$(mdevs_of $q8)" 0
	check 'what somebody made on another GPU stays' has_mdev "$somebodys_mdev $(vf $others 5) nvidia-712"
	check 'the VFs stay' equal "$(vfs $gpu)" 16
	gp apply --yes want.yaml
}

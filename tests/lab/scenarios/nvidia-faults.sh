# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# What goes wrong with NVIDIA's driver and sriov-manage: gpupart says what it found, and changes nothing that it did not
# say. The next run does what is left. One GPU after the other.
# shellcheck source=tests/lab/scenarios/nvidia-verbs.sh
. "$here/scenarios/nvidia-verbs.sh"
nvidia_machine vfio
q8=714 # A16-8Q

# wish PF
wish() {
	want <<-END
		version: 1
		gpus: [{class: cad, match: {address: "$1"}, partitions: 2, series: Q}]
	END
}

part_1() {
	driver_starts 0000:41:00.0
	only lab 'the simulated driver always knows its types' types_come_late 0000:41:00.0
	in_use 0000:42:00.0
	enabling_fails 0000:42:00.0
	type_fails 0000:42:00.0
	type_is_dropped 0000:42:00.0
	killed 0000:43:00.0
	killed_with_fewer 0000:44:00.0
}

# For a while sriov-manage says success and makes no VF; it is run until it does.
driver_starts() {
	wish "$1"
	driver initialising_ms 2500 initialising "$1" 2500
	gp apply --yes want.yaml
	check 'it has its VFs and types' has_types "$1" $q8 $q8 0
	driver_back
}

# VFs are there, and no type can be made yet: the next run finds them.
types_come_late() {
	check 'its VFs are gone again' /usr/lib/nvidia/sriov-manage -d "$1"
	driver late_types_ms 60000
	gp apply --yes want.yaml
	check 'it says what it sees' says 'the driver offers none'
	check 'it failed' equal "$status" 1
	driver_back
	gp apply --yes want.yaml
	check 'now it has its types' has_types "$1" $q8 $q8 0
}

in_use() {
	wish "$1"
	client dcgm-exporter "$1"
	gp plan want.yaml
	check 'the plan names who has it open' says 'process dcgm-exporter'
	gp apply --yes want.yaml
	check 'nothing was run' equal "$(vfs "$1")" 0
	check 'it failed' equal "$status" 1
	client_gone
}

enabling_fails() {
	driver fail_enable 5 attr "$1" sriov-manage EIO
	gp_quietly apply --yes want.yaml
	only lab "what the program says is its own affair" check 'its words are told' says '; it says: '
	check 'it says how sriov-manage ended' says 'sriov-manage ended with status 1, and there are no VFs'
	check 'it failed' equal "$status" 1
	check 'the GPU has its driver' driver_of_is "$1" nvidia
	driver_back
}

type_fails() {
	driver fail_type 5 attr "$1/0" nvidia/current_vgpu_type EIO
	driver enable_delay_ms 1000 slow "$1" sriov-manage 1000
	gp apply --yes want.yaml
	check 'its VFs are there, and have no type' has_types "$1" 0 0
	driver_back
}

type_is_dropped() {
	driver drops Y drops "$1"
	gp apply --yes want.yaml
	check 'what is read back disagrees' equal "$status" 5
	driver_back
	gp apply --yes want.yaml
	check 'now it has its types' has_types "$1" $q8 $q8 0
	gp plan want.yaml
}

# Killed while sriov-manage works: that goes on, and until it has ended nobody else touches the GPU.
killed() {
	wish "$1"
	driver block_enable Y block "$1" sriov-manage
	kill_while_enabling "$1"
	gp plan want.yaml
	check 'it says who is at work' says 'a writer of gpupart is at work on it'
	gp_quietly doctor want.yaml
	check 'so does doctor' says_row warn 'at rest'
	check 'which blames no driver for it' fails says_row FAIL driver
	driver_back
	await 'sriov-manage has made all VFs' equal_now 16 vfs "$1"
	await 'its helper has ended, too' fails helpers_are_alive
	check 'the GPU has its driver' driver_of_is "$1" nvidia
	gp apply --yes want.yaml
	check 'the rest is done' has_types "$1" $q8 $q8 0
}

# Half the VFs are not enough for NVIDIA's driver, and what is there is not touched.
killed_with_fewer() {
	wish "$1"
	driver enable_delay_ms 5000 slow "$1" sriov-manage 5000
	driver fewer_vfs 8 short "$1" sriov_numvfs
	kill_while_enabling "$1"
	await 'sriov-manage has made some VFs' equal_now 8 vfs "$1"
	await 'its helper has ended, too' fails helpers_are_alive
	driver_back
	gp apply --yes want.yaml
	check 'it is told what helps' says "sriov-manage -d $1"
	check 'those VFs stay' equal "$(vfs "$1")" 8
}

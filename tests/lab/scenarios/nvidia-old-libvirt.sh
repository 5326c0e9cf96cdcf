# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# Framework vendor VFIO on libvirt 9.0, which takes an unmanaged VF from vfio-pci only: gpupart says so before it does
# anything, and puts nothing into a definition that could not start. That 9.7.0 is the first that can is what libvirt's
# NEWS says; here 9.0 cannot, and in nvidia-vfio.sh 11.3 can.
# shellcheck source=tests/lab/scenarios/nvidia-verbs.sh
. "$here/scenarios/nvidia-verbs.sh"
nvidia_machine vfio
gpu=0000:41:00.0
q8=714 # A16-8Q

# wish [VM]
wish() {
	{
		echo 'version: 1'
		echo "gpus: [{class: cad, match: {address: \"$gpu\"}, partitions: 2, series: Q}]"
		[ $# -eq 0 ] || echo "vms: [{name: $1, partition: cad}]"
	} | want
}

part_1() {
	local why='libvirt N cannot start one with vf:0000:41:00.0/0'
	vm define one
	wish one
	gp plan want.yaml
	check 'it says so before anything is done' says "$why"
	check 'a warning, for the framework is only expected' equal "$status" 0
	gp_quietly doctor want.yaml
	check 'so does doctor' says_row warn 'libvirt new enough'
	gp apply --yes want.yaml
	check 'the VFs show the framework: now it is an error' says "error: $why"
	check 'it failed' equal "$status" 1
	check 'nothing more was done' has_types $gpu 0 0
	check 'nothing is in the definition' equal "$(vm_defined one)" ''
	gp plan want.yaml
	check 'it stays an error' equal "$status" 1
	gp_quietly doctor want.yaml
	check 'doctor says it for certain' says_row FAIL 'libvirt new enough'
	without_vms
	by_hand
}

# Partitions alone need no libvirt.
without_vms() {
	wish
	gp apply --yes want.yaml
	check 'the types are made' has_types $gpu $q8 $q8 0
	gp gpus want.yaml
	check 'gpus says which libvirt would do' says '9.7.0 can'
}

# That the release matters: what gpupart refuses is made by hand.
by_hand() {
	check 'an unmanaged VF gets into a definition' define_unmanaged one "$(vf $gpu 0)"
	check 'libvirt does not start that' fails vm start one
	only lab "libvirt's words" check 'it wants another driver' refused_for_its_driver one
	check 'the VF keeps its driver' equal "$(vf_driver $gpu 0)" nvidia
}

# define_unmanaged VM VF
define_unmanaged() {
	vm undefine "$1"
	domain_of "$1" hears "$2" | sed "s/managed='yes'/managed='no'/" >unmanaged.xml
	if [ "$world" = sim ]; then
		sim vm define unmanaged.xml
	else
		quietly virsh define unmanaged.xml
	fi
}

refused_for_its_driver() {
	local words
	words=$(virsh start "$1" 2>&1) || true
	echo "$words"
	grep -q 'Unmanaged PCI device .* must be manually detached from the host' <<<"$words"
}

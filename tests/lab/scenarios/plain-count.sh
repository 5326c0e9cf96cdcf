# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Another count while a VM runs. The kernel takes all VFs of a device away first, and would take this VM's, too. By
# default gpupart waits and says for whom; with `refuse` nothing is done; with `restart` the VM is shut down, and is back with its
# VF at the same place in the guest. A VM that is pulled down meanwhile is not waited for any more, and one whose guest does
# not react to the power button keeps everything as it is.
pf=0000:01:00.0

wish() { # COUNT DISRUPTION [POLICY]
	want <<-END
		version: 1
		gpus:
		  - class: disk
		    match: {address: "0000:01:00.0"}
		    partitions: $1
		vms:
		  - {name: one, partition: disk}
		  - {name: two, partition: disk}
		policy: {disruption: $2${3:-}}
	END
}

counts() { # COUNT
	equal "$(vfs $pf) $(numvfs_of $pf)" "$1 $1"
}

part_1() {
	local place
	vm define one
	vm define two
	wish 2 defer
	gp apply --yes want.yaml
	vm start one
	place=$(vm_guest_address one)
	check 'the guest has the VF somewhere' fails equal "$place" ''

	wish 4 defer
	gp apply --yes want.yaml
	gp status want.yaml
	check 'nothing has changed' counts 2
	wish 4 refuse
	gp plan want.yaml
	gp apply --yes want.yaml
	check 'nothing has changed' counts 2
	check 'one runs' is running one

	wish 4 restart
	gp apply --yes want.yaml
	check '4 VFs' counts 4
	check 'one runs again' is running one
	check 'with its VF' equal "$(vm_vf one)" "$(vf $pf 0)"
	check 'where the guest had it' equal "$(vm_guest_address one)" "$place"
	check 'through VFIO' equal "$(vf_driver $pf 0)" vfio-pci
	gp plan want.yaml

	vm_ready one
	wish 2 defer
	gp plan want.yaml
	vm destroy one
	gp apply --yes want.yaml
	check '2 VFs' counts 2
	check 'one stays off, since it was off' is off one
	gp plan want.yaml

	vm undefine two
	vm define_deaf two
	gp apply --yes want.yaml
	vm start two
	wish 4 restart ', shutdown_timeout: 1s'
	gp apply --yes want.yaml
	check 'two runs on' is running two
	check 'with its VF' equal "$(vm_vf two)" "$(vf $pf 1)"
	check '2 VFs' counts 2
}

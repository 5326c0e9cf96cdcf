# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154  # $devices, $status and $out are set by scenario.sh
# A VF that somebody has is never pulled, whoever it is: a process without a VM, a VM that no file lists, a driver, nobody knows
# who because libvirt is down. And where somebody else pulls one, and hangs in the kernel until it is free, gpupart keeps its
# hands off, says so, and does not hang with it.
pf=0000:01:00.0

wish() { # COUNT
	want <<-END
		version: 1
		gpus:
		  - class: disk
		    match: {address: "0000:01:00.0"}
		    partitions: $1
		vms:
		  - {name: one, partition: disk}
	END
}

counts() { # COUNT
	equal "$(vfs $pf) $(numvfs_of $pf)" "$1 $1"
}

is_in_transition() { [ "$(vfs $pf)" -lt "$(numvfs_of $pf)" ]; }

doctor_finds_it() {
	gp doctor want.yaml
	check 'a process hangs' says "hangs in the kernel's vfio_unregister_group_dev"
}

# As `driverctl` does it.
a_driver_has_one() {
	local held
	held=$(vf $pf 2)
	modprobe pci-stub
	echo "$held" >"$devices/$held/driver/unbind" # from vfio-pci, which the process needed
	echo pci-stub >"$devices/$held/driver_override"
	echo "$held" >/sys/bus/pci/drivers_probe
	check 'pci-stub has taken it' equal "$(vf_driver $pf 2)" pci-stub
	gp apply --yes want.yaml
	check 'it says which driver' says "vf:$pf/2 is bound to driver pci-stub"
	check 'and refuses' equal "$status" 4
	check 'the driver keeps its VF' equal "$(vf_driver $pf 2)" pci-stub
	echo "$held" >/sys/bus/pci/drivers/pci-stub/unbind
	echo >"$devices/$held/driver_override"
}

part_1() {
	vm define one
	wish 4
	gp apply --yes want.yaml
	wish 2

	hold "$(vf $pf 2)"
	gp plan want.yaml
	gp apply --yes want.yaml
	check 'the process keeps its VF' counts 4
	unhold

	only lab 'a driver that the simulation does not have holds a VF' a_driver_has_one

	vm define other "$(vf $pf 3)"
	vm start other
	gp plan want.yaml
	gp apply --yes want.yaml
	check 'the other VM keeps its VF' counts 4
	check 'and runs' is running other

	libvirt down
	gp plan want.yaml
	gp apply --yes want.yaml
	gp status want.yaml
	check 'who cannot be asked keeps it, too' counts 4
	libvirt up
	check 'it runs still' is running other
	vm destroy other
	vm undefine other

	hold "$(vf $pf 3)"
	somebody_writes "$devices/$pf/sriov_numvfs" 0
	await 'the links are gone, and NumVFs is not' is_in_transition
	gp plan want.yaml
	gp apply --yes want.yaml
	gp status want.yaml
	gp gpus want.yaml
	only lab 'doctor names who hangs in the kernel' doctor_finds_it
	unhold
	somebody_is_done
	await 'now all are gone' counts 0
	gp apply --yes want.yaml
	check '2 VFs' counts 2
	gp plan want.yaml
}

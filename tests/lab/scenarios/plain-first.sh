# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The first apply of a file, on two NVMe controllers: partitions are made and put into definitions, a VM runs with its own,
# and everything that only looks, shows it. A second apply has nothing to do, and opens nothing for writing.
pf=0000:01:00.0

wish() {
	want <<-'END'
		version: 1
		gpus:
		  - class: disk
		    match: {address: "0000:01:00.0"}
		    partitions: 4
		vms:
		  - names: ["one", "two"]
		    partition: disk
	END
}

# Files that a run opened to write or to make, but for the terminal's.
opened_for_writing() {
	grep -E 'O_WRONLY|O_RDWR|O_CREAT|O_TRUNC' strace.log | grep -vE '/dev/(null|tty)|ENOENT|anon_inode' || true
}

part_1() {
	vm define one
	vm define two
	wish
	gp gpus want.yaml
	gp plan want.yaml
	check 'plan has made no VF' equal "$(vfs $pf)" 0
	gp apply --yes want.yaml
	check '4 VFs are there' equal "$(vfs $pf) $(numvfs_of $pf)" '4 4'
	check 'no driver of the host has taken them' equal "$(vf_driver $pf 0)" none
	check 'one has the first' equal "$(vm_defined one)" "$(vf $pf 0)"
	check 'two has the second' equal "$(vm_defined two)" "$(vf $pf 1)"
	gp apply --yes want.yaml
	check 'one starts' vm start one
	check 'it has its VF' equal "$(vm_vf one)" "$(vf $pf 0)"
	check 'through VFIO' equal "$(vf_driver $pf 0)" vfio-pci
	only lab 'QEMU has the VFIO group open' qemu_holds one
	gp vms want.yaml
	gp status want.yaml
	gp gpus want.yaml
	gp plan want.yaml
	gp doctor want.yaml
	only lab 'an apply with nothing to do opens nothing for writing' opens_nothing
	gp export
	vm shutdown one
	check 'the guest obeys the power button' is off one
	check 'its VF is nobodys again' equal "$(vf_driver $pf 0)" none
	gp plan want.yaml
}

qemu_holds() {
	local group
	group=$(group_of "$(vf $pf 0)")
	check "/dev/vfio/GROUP is open in its QEMU" grep -qx "/dev/vfio/$group" <<<"$(vfio_descriptors one)"
}

opens_nothing() {
	gp_traced open,openat,openat2,creat apply --yes want.yaml
	check 'nothing was opened for writing' equal "$(opened_for_writing)" ''
}

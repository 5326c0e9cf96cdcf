# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# After a reboot the kernel has forgotten every VF, and a VM with autostart could not start. The next apply makes what the
# definitions name, and one after that has nothing to do.
pf=0000:01:00.0

wish() {
	want <<-'END'
		version: 1
		gpus:
		  - class: disk
		    match: {address: "0000:01:00.0"}
		    partitions: 4
		vms:
		  - {name: one, partition: disk, power: running}
		  - {name: two, partition: disk}
	END
}

part_1() {
	vm define one
	vm define two
	wish
	gp apply --yes want.yaml
	vm autostart one
	check 'one runs' is running one
}

part_2() {
	check 'no VF is there' equal "$(vfs $pf) $(numvfs_of $pf)" '0 0'
	check 'one could not start' is off one
	gp status want.yaml
	gp plan want.yaml
	gp apply --yes want.yaml
	check '4 VFs' equal "$(vfs $pf) $(numvfs_of $pf)" '4 4'
	check 'one runs' is running one
	check 'with its VF' equal "$(vm_vf one)" "$(vf $pf 0)"
	gp apply --yes want.yaml
}

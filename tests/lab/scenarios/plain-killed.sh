# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# gpupart dies at once, at several moments of a change for which a VM was shut down: the next apply finishes the work, and
# nothing stays off that ran.
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
		policy: {disruption: restart}
	END
}

counts() { # COUNT
	equal "$(vfs $pf) $(numvfs_of $pf)" "$1 $1"
}

finishes() { # COUNT
	gp plan want.yaml
	gp apply --yes want.yaml
	check "$1 VFs" counts "$1"
	check 'one runs' is running one
	check 'with its VF' equal "$(vm_vf one)" "$(vf $pf 0)"
	gp plan want.yaml
	vm_ready one
}

# Changes: note, stop, sriov_numvfs 0, sriov_numvfs N, start, forget.
part_1() {
	vm define one
	wish 2
	gp apply --yes want.yaml
	vm start one

	wish 4
	gp_killed before $pf 1 3 apply --yes want.yaml
	check 'one is off' is off one
	check 'the VFs are those from before' counts 2
	finishes 4

	wish 2
	gp_killed after $pf 1 3 apply --yes want.yaml
	check 'one is off' is off one
	check 'no VF is there' counts 0
	finishes 2

	wish 3
	gp_killed after $pf 2 4 apply --yes want.yaml
	check 'one is off' is off one
	check 'all VFs are there' counts 3
	finishes 3
}

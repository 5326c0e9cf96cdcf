# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Several at once: two applies; a writer that hangs in the kernel, and an apply beside it; a VM that is started between
# gpupart's last look and its write. No VM loses a VF, and nobody hangs for longer than what he waits for.
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

part_1() {
	vm define one
	wish 2
	gp_frozen $pf apply --yes want.yaml
	gp_begin second apply --yes want.yaml
	await 'the second waits for the first' begun_says second 'Waiting for another run on this host: gpupart apply, pid '
	gp plan want.yaml
	gp_thaw
	gp_end frozen
	gp_end second
	check '2 VFs' counts 2

	# A process gets hold of a VF after gpupart's last look: the kernel makes the writer wait.
	wish 4
	gp_frozen $pf apply --yes want.yaml
	hold "$(vf $pf 1)"
	gp_thaw
	await 'the links are gone, and NumVFs is not' is_in_transition
	gp plan want.yaml
	gp_begin second apply --yes want.yaml
	await 'the second waits for the first' begun_says second 'Waiting for another run on this host: gpupart apply, pid '
	unhold
	gp_end frozen
	gp_end second
	check '4 VFs' counts 4

	# The same with a VM. It keeps its VF as long as it runs, and gpupart waits for it. That it cannot be started at all in
	# that moment is for libvirt's hook, which is not there yet.
	wish 3
	gp_frozen $pf apply --yes want.yaml
	check 'one starts in the window' vm start one
	gp_thaw
	await 'the links are gone, and NumVFs is not' is_in_transition
	check 'one runs' is running one
	gp plan want.yaml
	vm destroy one
	gp_end frozen
	check '3 VFs' counts 3
	gp plan want.yaml
	check 'one starts' vm start one
	check 'with its VF' equal "$(vm_vf one)" "$(vf $pf 0)"
}

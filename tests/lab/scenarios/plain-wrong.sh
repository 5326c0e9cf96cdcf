# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A file with faults: all of them in one go, with their places, and nothing is written. A count that the device does not have,
# devices that are not there.
part_1() {
	want <<-'END'
		version: 1
		gpus:
		  - class: Disk
		    match: {adress: "0000:01:00.0"}
		    partitions: many
		vms:
		  - {name: one, partition: nothing}
	END
	gp validate want.yaml
	gp plan want.yaml
	gp apply --yes want.yaml
	want <<-'END'
		version: 1
		gpus:
		  - class: disk
		    match: {address: "0000:01:00.0"}
		    partitions: 9
		  - class: gone
		    match: {address: "0000:77:00.0"}
		    partitions: 1
	END
	gp plan want.yaml
	gp apply --yes want.yaml
	check 'no VF was made' equal "$(vfs 0000:01:00.0)" 0
}

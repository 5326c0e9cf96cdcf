# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What others do to definitions between two applies: a hostdev of ours is taken out, a foreign one is put in, a VM is
# undefined and one defined anew. What plan says of it, and that apply makes it what the file says.
pf=0000:01:00.0

part_1() {
	vm define one
	vm define two
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
	gp apply --yes want.yaml

	vm detach one "$(vf $pf 0)"
	gp plan want.yaml
	gp apply --yes want.yaml
	check 'one has a VF again' equal "$(vm_defined one)" "$(vf $pf 0)"

	vm detach two "$(vf $pf 1)"
	vm attach two "$(vf $pf 0)" # which is that of one
	gp plan want.yaml
	gp apply --yes want.yaml
	gp vms want.yaml
	vm detach two "$(vf $pf 0)"
	gp apply --yes want.yaml
	check 'each has its own' equal "$(vm_defined one) $(vm_defined two)" "$(vf $pf 1) $(vf $pf 2)"

	vm attach two "$(vf $pf 3)"
	gp plan want.yaml
	check 'the foreign one stays' equal "$(vm_defined two)" "$(vf $pf 2) $(vf $pf 3)"
	vm detach two "$(vf $pf 3)"

	vm undefine one
	gp plan want.yaml
	gp vms want.yaml
	vm define one
	gp apply --yes want.yaml
	check 'one has a VF' equal "$(vm_defined one)" "$(vf $pf 0)"
	gp plan want.yaml
}

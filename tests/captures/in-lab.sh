#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# in-lab.sh NAME: run in the lab by record.sh. Brings its machine into the state that the capture NAME is to show, by
# gpupart itself, and captures it anonymously.
set -euo pipefail
# shellcheck disable=SC1091  # that is where the lab has it
. /src/tests/lab/guest/lib.sh
name=$1
mkdir -p /etc/gpupart

quietly() { # COMMAND…
	"$@" >/tmp/log 2>&1 || {
		local status=$?
		echo "$* ends with $status:" >&2
		cat /tmp/log >&2
		exit 1
	}
}

define() { # VM…
	local vm
	for vm; do
		domain_xml "$vm" >"/tmp/$vm.xml"
		quietly virsh -q define "/tmp/$vm.xml"
	done
}

load_look_alike() { # OPTION…
	quietly modprobe nvidia "$@"
	quietly /src/tests/lab/module/install.sh
}

case $name in
lab-nvme)
	define web-1 web-2 web-3
	cat >/etc/gpupart/want.yaml <<-'END'
		version: 1
		gpus: [{class: drive, match: {address: "0000:01:00.0"}, partitions: 4}]
		vms:
		  - {names: ["web-[1-2]"], partition: drive}
	END
	;;
lab-a16-vfio | lab-a16-mdev)
	load_look_alike "framework=${name#lab-a16-}"
	define cad-1 cad-2 cad-3
	cat >/etc/gpupart/want.yaml <<-'END'
		version: 1
		gpus: [{class: cad, match: {model: A16}, partitions: 4, series: Q}]
		vms:
		  - {names: ["cad-[1-2]"], partition: cad}
	END
	;;
*)
	echo "there is no capture $name" >&2
	exit 64
	;;
esac
quietly gpupart apply --yes
for vm in $(virsh -q list --all --name | head -n 1); do # one of them runs
	quietly virsh -q start "$vm"
done
quietly gpupart capture --anonymize capture
tar -cf /lab/out/capture.tar capture # thousands of small files take minutes on the way out

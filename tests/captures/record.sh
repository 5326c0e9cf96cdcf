#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   record.sh [NAME]…      lab-nvme lab-a16-vfio lab-a16-mdev
#
# Makes the captures of the lab anew: boots it (tests/lab/run.sh), brings it into a state by gpupart (in-lab.sh), captures
# that anonymously, and writes down what gpupart says of it. LAB_BUILD: see tests/lab/run.sh. Then read the diff.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(dirname "$(dirname "$here")")
build=${LAB_BUILD:-$top/build/gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ $# -gt 0 ] || set -- lab-nvme lab-a16-vfio lab-a16-mdev
for name; do
	options=(--gpus 2)
	case $name in
	lab-nvme) options=(--gpus 0) ;;
	# A VF with a driver of its own needs libvirt 9.7.
	lab-a16-vfio) options+=(--suite trixie) ;;
	esac
	"$top/tests/lab/run.sh" --build "$build" --out "$work/$name" "${options[@]}" -- /src/tests/captures/in-lab.sh "$name"
	tar -xf "$work/$name/capture.tar" -C "$work/$name" --no-same-owner
	"$here/pack.sh" "$work/$name/capture" "$name"
	UPDATE_GOLDEN=1 GPUPART=$build/bin/gpupart "$here/run.sh" "$name"
done

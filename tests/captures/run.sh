#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Plays captured machines, all or those that are named, and compares what gpupart says of each with what is written down.
# UPDATE_GOLDEN=1 writes it down; then read the diff. See README.md beside this file.
set -euo pipefail
export LC_ALL=C.UTF-8 NO_COLOR=1 TZ=UTC
here=$(dirname "$(readlink -f "$0")")
GPUPART=${GPUPART:-$here/../../build/gcc/bin/gpupart}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where it was unpacked, and for how long VMs run, differ from time to time.
plain() {
	sed -E "s#$work/##g; s/\"running_ms\": [0-9]+/\"running_ms\": 1/"
}

# say FILE COMMAND…: what a command says of the machine, beside its exit status.
say() {
	local file=$1 status=0
	shift
	(cd "$work" && "$GPUPART" "$@" --root machine) >"$work/said" 2>&1 || status=$?
	{
		plain <"$work/said"
		[ "$file" = observe.json ] || echo "--- exit $status"
	} >"$work/$file"
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		cp "$work/$file" "$here/$name/$file"
	else
		diff -u "$here/$name/$file" "$work/$file" || return 1
	fi
}

play() {
	rm -rf "${work:?}"/*
	tar -xzf "$here/$name/machine.tar.gz" -C "$work" --no-same-owner
	[ -d "$work/machine/sys/bus/pci/devices" ] || { echo "no captured machine is in it" >&2 && return 1; }
	cp "$here/$name/want.yaml" "$work/"
	say observe.json observe && say gpus.txt gpus want.yaml && say plan.txt plan want.yaml && say doctor.txt doctor want.yaml
}

[ $# -gt 0 ] || set -- "$here"/*/machine.tar.gz
result=0
count=0
for machine; do
	[ -e "$machine" ] || machine=$here/$machine/machine.tar.gz
	name=$(basename "$(dirname "$machine")")
	if play; then
		count=$((count + 1))
	else
		echo "FAIL $name" >&2
		result=1
	fi
done
[ "$count" -gt 0 ] || { echo "no machine was played" >&2 && exit 1; }
echo "$count captured machines"
exit $result

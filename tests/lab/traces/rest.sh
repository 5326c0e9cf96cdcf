#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rest.sh [NAMES]: whether rest.play and not-modelled.txt tell the whole truth.
#   1. every file that the simulated machine has of a PF, a VF, a driver and a group is in rest.play;
#   2. gpupart opens nothing that not-modelled.txt names;
#   3. NAMES (what the lab's kernel has there, from guest.sh): each is in rest.play or in not-modelled.txt, and no name
#      in not-modelled.txt is one of the simulated machine's.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=${GP_BINARY_DIR:-$here/../../../build/gcc}
gpupart=${GPUPART:-$build/bin/gpupart}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() {
	echo "rest.sh: $*"
	failed=1
}

# In the order of rest.play: the last words of its paths, by section.
played() { grep -oE '^(read|mode|link) [^ ]+' "$here/rest.play" | sed 's#.*/##' | sort -u; }
played >"$work/played"
echo config >>"$work/played" # by `header` and `capability`
grep -v '^#' "$here/not-modelled.txt" | sort >"$work/not-modelled"

sed 's/^    totalvfs: 8/&\n    vfs: 1\n    vf_driver: none/' "$here/machine.yaml" >"$work/machine.yaml"
"$gpupart" sim create "$work/machine" "$work/machine.yaml" >"$work/log"
bus=$work/machine/sys/bus/pci
for directory in "$bus/devices/0000:01:00.0/" "$bus/devices/0000:01:00.1/" "$bus/drivers/nvme/" "$bus/devices/0000:01:00.1/iommu_group/"; do
	find "$directory" -mindepth 1 -printf '%f\n'
done | grep -v '^0000:' | sort -u >"$work/simulated"
while read -r name; do
	grep -qxF -- "$name" "$work/played" || complain "the simulated machine has $name, and rest.play does not show it"
done <"$work/simulated"

if command -v strace >/dev/null; then
	# gpupart looks at graphics cards.
	sed 's/class: "010802"/class: "038000"/' "$work/machine.yaml" >"$work/gpus.yaml"
	"$gpupart" sim create "$work/gpus" "$work/gpus.yaml" >"$work/log"
	for command in gpus vms doctor export; do
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=%file -o "$work/strace" "$gpupart" "$command" --root "$work/gpus" \
			>"$work/log" 2>&1 || true
		grep -oE '"[^"]*"' "$work/strace" | tr -d '"' | grep -E '^[^/]+$|/devices/[^/]+/[^/]+$' | sed 's#.*/##' >>"$work/opened"
	done
	grep -qxF sriov_totalvfs "$work/opened" || complain "strace did not see gpupart read"
	while read -r name; do
		! grep -qxF -- "$name" "$work/opened" || complain "gpupart opens $name, so it must be modelled"
	done <"$work/not-modelled"
else
	echo "strace is not here: what gpupart opens is not compared"
fi

[ $# -eq 0 ] || while read -r name; do
	grep -qxF -- "$name" "$work/played" "$work/not-modelled" >"$work/log" ||
		complain "the kernel has $name: rest.play does not show it, and not-modelled.txt does not name it"
done <"$1"
while read -r name; do
	! grep -qxF -- "$name" "$work/simulated" || complain "$name is modelled, and not-modelled.txt names it"
done <"$work/not-modelled"
exit $failed

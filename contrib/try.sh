#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# From a fresh clone to partitioned GPUs: builds gpupart, makes a simulated machine, and does the main job on it.
# Nothing of this machine is changed but the packages that the build needs and the folder build/.
#
#   contrib/try.sh [EXAMPLE]      an example of examples/ that has its machine in examples/hosts/; default a16-vdi
set -euo pipefail
top=$(dirname "$(dirname "$(readlink -f "$0")")")
cd "$top"
example=${1:-a16-vdi}
for file in "examples/$example.yaml" "examples/hosts/$example.yaml"; do
	[ -e "$file" ] || { echo "try.sh: there is no $file; there are: $(cd examples/hosts && echo *.yaml)" >&2; exit 64; }
done

contrib/packages.sh build
mkdir -p build
if ! { cmake -S . -B build/try -G Ninja -DGP_TESTS=OFF && cmake --build build/try; } >build/try.log 2>&1; then
	tail -n 30 build/try.log >&2
	exit 1
fi

gpupart=build/try/bin/gpupart
machine=build/try/machine-$example
rm -rf "$machine"

step() {
	printf '\n\033[1m$ %s\033[0m\n' "gpupart $*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi
	"$gpupart" "$@"
}
step sim create "$machine" "examples/hosts/$example.yaml"
step doctor --root "$machine" "examples/$example.yaml" || true # its fails say what would mend them
step gpus --root "$machine" "examples/$example.yaml"
step plan --root "$machine" "examples/$example.yaml"
step apply --yes --root "$machine" "examples/$example.yaml"
step plan --root "$machine" "examples/$example.yaml"
step vms --root "$machine" "examples/$example.yaml"

cat <<END

That was a simulated machine: $machine is laid out like /, so look around in it. Things to try next:
  $gpupart sim reboot $machine          # kernel and driver forget all VFs and vGPUs …
  $gpupart status --root $machine examples/$example.yaml
  $gpupart apply --yes --root $machine examples/$example.yaml
END

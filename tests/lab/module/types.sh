#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The look-alike driver and the simulated one know the same vGPU types of an A16.
# usage: types.sh GPUPART
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
host=$here/../../../reconciler/host
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

rows() { # FILE TABLE
	sed -n "/ $2\\[\\] = {/,/^};/p" "$1" | grep -oE '\{[0-9]+, [0-9]+, .[A-Z].\}'
}

rows "$here/types.c" vgpu_types >"$scratch/ours"
rows "$host/sim_vgpu_types.c" a16_types >"$scratch/simulated"
[ -s "$scratch/ours" ] || { echo "no types found in types.c" >&2; exit 1; }
diff -u "$scratch/simulated" "$scratch/ours"

cat >"$scratch/machine.yaml" <<'END'
version: 1
gpus:
  - {address: "0000:41:00.0", preset: a16}
END
"$1" sim create "$scratch/machine" "$scratch/machine.yaml" >/dev/null
diff -u "$scratch/machine/usr/share/nvidia/vgpu/vgpuConfig.xml" "$here/vgpuConfig.xml" | head -n 20

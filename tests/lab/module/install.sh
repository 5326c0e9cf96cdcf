#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# In the lab: puts beside the look-alike driver what NVIDIA's package brings, owned by root as that is.
# usage: install.sh [ROOT]
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=${1:-}
# gpupart runs a program only from directories that root alone can change; the lab's own belong to who made its files.
chown root:root "$root/" "$root/usr" "$root/usr/lib" "$root/usr/share"
for directory in usr/lib/nvidia usr/share/nvidia usr/share/nvidia/vgpu; do
	install -d -o root -g root -m 755 "$root/$directory"
done
install -o root -g root -m 755 "$here/sriov-manage" "$root/usr/lib/nvidia/sriov-manage"
install -o root -g root -m 644 "$here/vgpuConfig.xml" "$root/usr/share/nvidia/vgpu/vgpuConfig.xml"
# doctor looks for a process of this name: nvidia-vgpu-mgr infinity &
install -o root -g root -m 755 "$(command -v sleep)" "$root/usr/bin/nvidia-vgpu-mgr"

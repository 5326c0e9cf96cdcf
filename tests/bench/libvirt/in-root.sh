#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   in-root.sh ROOT BUILD [ARGUMENT]…      the benchmark with another release of libvirt: that of a root folder of the lab
#
# For the root of Debian 13, whose folder tests/lab/build.sh --suite trixie prints. What is changed is changed in memory.
# Exit 77, with the reason, where that is not possible.
set -euo pipefail
top=$(dirname "$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")")

if [ "${1:-}" = --inside ]; then
	root=$2 build=$3
	shift 3
	space=/mnt # here it is private
	mount -t tmpfs gpupart-bench "$space"
	mkdir "$space"/{upper,work,root}
	mount -t overlay -o "lowerdir=$root,upperdir=$space/upper,workdir=$space/work" gpupart-bench "$space/root"
	mkdir -p "$space"/root/{src,build}
	mount --bind "$top" "$space/root/src"
	mount --bind "$build" "$space/root/build"
	mount --rbind /dev "$space/root/dev"
	mount --rbind /sys "$space/root/sys"
	mount -t proc proc "$space/root/proc"
	mount -t tmpfs gpupart-bench "$space/root/run"
	mount -t tmpfs gpupart-bench "$space/root/tmp"
	exec chroot "$space/root" /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		/src/tests/libvirt/private.sh /build/tests/bench/libvirt/libvirt_bench "$@"
fi

if [ $# -lt 2 ] || [ ! -x "$1/usr/sbin/libvirtd" ] || [ ! -x "$2/tests/bench/libvirt/libvirt_bench" ]; then
	echo "usage: in-root.sh ROOT BUILD [ARGUMENT]... (ROOT: a root folder with libvirt, BUILD: with the benchmark)" >&2
	exit 64
fi
if ! unshare --mount --net --pid --fork true 2>/dev/null; then
	echo "skipped: no private namespaces can be made here"
	exit 77
fi
exec unshare --mount --net --pid --fork --kill-child "$0" --inside "$(readlink -f "$1")" "$(readlink -f "$2")" "${@:3}"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   pack.sh DIR NAME      DIR: from `gpupart capture --anonymize DIR`
#
# Makes tests/captures/NAME/machine.tar.gz of a captured machine. A tree in git would lose its empty directories, and some
# of them tell something. The same tree gives the same bytes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
if [ $# != 2 ] || [ ! -d "$1/sys/bus/pci/devices" ]; then
	echo "usage: pack.sh DIR NAME (DIR: a captured machine)" >&2
	exit 64
fi
if [ "$(cat "$1/etc/hostname")" != anonymous ]; then
	echo "$1 tells whose machine it is: gpupart capture --anonymize NEW --root $1" >&2
	exit 1
fi
mkdir -p "$here/$2"
tar -c -C "$1" --transform='s#^[.]#machine#S' --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r-w,a+X \
	--mtime=@0 --format=gnu . | gzip -9n >"$here/$2/machine.new"
mv "$here/$2/machine.new" "$here/$2/machine.tar.gz"

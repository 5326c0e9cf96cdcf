#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The initramfs: this machine's folder as the root, read only, under a throw-away layer in memory; then guest/init.sh.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /mod/*.ko; do
	insmod "$module"
done

die() {
	echo "lab: $*"
	echo o >/proc/sysrq-trigger
	sleep 10
}
share() { # TAG WHERE OPTIONS
	mkdir -p "$2"
	mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2" || die "no share $1"
}

share root /ro ro,cache=loose
mount -t tmpfs -o size=75% tmpfs /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work overlay /new || die "no overlay"
for directory in proc sys dev; do
	mkdir -p "/new/$directory"
	mount -o move "/$directory" "/new/$directory"
done
# Nothing of it is kept by the guest: what the two machines write there, each sees at once.
share run /new/lab rw,cache=none,access=client
. /new/lab/env
share modules "/new/lib/modules/$LAB_KERNEL" ro,cache=loose
share src /new/src ro,cache=loose
[ -z "$LAB_BUILD" ] || share build /new/build ro,cache=loose
ifconfig lo 127.0.0.1 up
exec switch_root /new /bin/bash /lab/guest/init.sh

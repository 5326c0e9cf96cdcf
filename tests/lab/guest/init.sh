#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Process 1 of the lab: the few things of an init that a virtualization host cannot do without, then the command.
# What it leaves for run.sh: /lab/out (dmesg, libvirt's logs, what the command wrote) and /lab/end, how this boot ended.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
# Where nothing listens at the socket of libvirtd, virsh finds no libvirt by itself.
export LIBVIRT_DEFAULT_URI=qemu:///system
export ASAN_OPTIONS=intercept_tls_get_addr=0 # for programs that load libvirt: tests/libvirt/run.sh says why
set -a
# LAB_SUITE, LAB_DAEMON, LAB_BOOT …: see tell() in run.sh
. /lab/env
set +a
[ -z "$LAB_BUILD" ] || PATH=/build/bin:$PATH

mount_the_rest() {
	mount -t tmpfs -o mode=755 run /run
	mkdir -p /run/lock /dev/pts /dev/shm
	mount -t tmpfs -o mode=1777 tmp /tmp
	mount -t devpts devpts /dev/pts
	mount -t tmpfs -o mode=1777 shm /dev/shm
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	echo lab >/proc/sys/kernel/hostname
}

# What outlives a reboot on a machine with a disk: see lab_reboot.
take_back_what_was_kept() {
	[ ! -e /lab/kept.tar ] || tar -x -C / -f /lab/kept.tar
}

find_devices() {
	# A GPU of NVIDIA would be taken by the kernel's own drivers.
	printf 'blacklist %s\n' nouveau nvidiafb >/etc/modprobe.d/lab.conf
	/lib/systemd/systemd-udevd --daemon --children-max=2
	udevadm trigger --action=add --subsystem-match=pci --attr-match=class=0x010802 # the NVMe controllers; the others wait for nobody
	# systemd would make /dev/vfio/vfio from the modules' list; without it libvirt refuses every VF.
	modprobe -a vfio-pci vfio_iommu_type1
	udevadm settle --timeout=20
}

# The ports to run.sh: 1 takes the command's output, 2 its errors.
port() {
	local name
	for name in /sys/class/virtio-ports/*/name; do
		if [ "$(cat "$name")" = "$1" ]; then
			name=${name%/name}
			echo "/dev/${name##*/}"
		fi
	done
}

run_the_command() {
	cd /root || return
	if [ -n "$LAB_SHELL" ]; then
		TERM=$LAB_SHELL setsid --ctty bash -i </dev/ttyS1 >/dev/ttyS1 2>&1
	else
		timeout --kill-after=5 "$LAB_TIMEOUT" bash /lab/command >"$(port stdout)" 2>"$(port stderr)" </dev/null
	fi
}

mount_the_rest
take_back_what_was_kept
find_devices
/src/tests/lab/guest/libvirt.sh start "$LAB_DAEMON" || echo "lab: libvirt did not start" >/dev/kmsg
read -r up _ </proc/uptime
echo "$up" >/lab/up_at_command
run_the_command
status=$?
if [ $status = 124 ] || [ $status = 137 ]; then
	echo w >/proc/sysrq-trigger # who waits for what: into the kernel's log
	ps -eo pid,ppid,stat,wchan:32,args >/lab/out/processes
fi
# shellcheck source=tests/lab/guest/lib.sh
. /src/tests/lab/guest/lib.sh
lab_leave "exit $status"
lab_press o

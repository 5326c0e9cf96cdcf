# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What several scripts in the lab need; sourced.

devices=/sys/bus/pci/devices

# wait_until SECONDS COMMAND…: true as soon as the command is
wait_until() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.1
	done
}

# The name of the driver that a device is with; empty without one.
driver_of() { # ADDRESS
	local link
	link=$(readlink "$devices/$1/driver") && echo "${link##*/}"
}

group_of() { # ADDRESS
	local link
	link=$(readlink "$devices/$1/iommu_group") && echo "${link##*/}"
}

vf_of() { # PF INDEX: its address
	local link
	link=$(readlink "$devices/$1/virtfn$2") && echo "${link##*/}"
}

# hostdev_xml ADDRESS [ALIAS [MANAGED]]
hostdev_xml() {
	local domain bus slot function
	IFS=:. read -r domain bus slot function <<<"$1"
	cat <<-END
		<hostdev mode='subsystem' type='pci' managed='${3:-yes}'>
		  <source><address domain='0x$domain' bus='0x$bus' slot='0x$slot' function='0x$function'/></source>
		  <alias name='ua-${2:-vf}'/>
		</hostdev>
	END
}

# domain_xml NAME [ADDRESS]…: a small machine without a disk, and room to plug devices in
domain_xml() {
	local name=$1 number=0
	shift
	cat <<-END
		<domain type='qemu'>
		  <name>$name</name>
		  <memory unit='MiB'>64</memory>
		  <vcpu>1</vcpu>
		  <os><type arch='x86_64' machine='q35'>hvm</type></os>
		  <features><acpi/></features>
		  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
		  <on_poweroff>destroy</on_poweroff>
		  <on_reboot>restart</on_reboot>
		  <on_crash>destroy</on_crash>
		  <devices>
		    <emulator>/usr/bin/qemu-system-x86_64</emulator>
		    <controller type='pci' model='pcie-root'/>
		    <controller type='pci' model='pcie-root-port'/>
		    <controller type='pci' model='pcie-root-port'/>
		    <controller type='pci' model='pcie-root-port'/>
		    <controller type='usb' model='none'/>
		    <memballoon model='none'/>
	END
	for address in "$@"; do
		hostdev_xml "$address" "vf$number"
		number=$((number + 1))
	done
	printf '  </devices>\n</domain>\n'
}

# The VFIO descriptors that the QEMU of a domain has open, one a line: /dev/vfio/vfio, /dev/vfio/7, anon_inode:[vfio-device]
vfio_descriptors() { # DOMAIN
	local pid
	pid=$(cat "/run/libvirt/qemu/$1.pid") && find "/proc/$pid/fd" -lname '*vfio*' -printf '%l\n' | sort
}

# lab_libvirt start|stop|kill: the daemon of this run; its VMs run on without it
lab_libvirt() { /src/tests/lab/guest/libvirt.sh "$@"; }

# result SCENARIO WHERE SIMULATED REAL VERDICT: a row of the table
result() {
	local IFS=$'\t'
	echo "$*" | tee -a "${LAB_RESULTS:-/dev/null}"
}

# Hands over what this boot leaves, and how it ended: "exit STATUS" or "reboot".
lab_leave() {
	{ echo "# boot $LAB_BOOT" && dmesg; } >>/lab/out/dmesg
	cp -r /var/log/libvirt /lab/out/ 2>/dev/null
	# For the next run: libvirt wrote it anew where it did not believe what it was given.
	[ -z "$(find /var/cache/libvirt -name '*.xml' 2>/dev/null)" ] ||
		tar -c -C /var/cache/libvirt --sort=name --format=posix --pax-option=delete=atime,delete=ctime -f /lab/found.tar qemu/capabilities
	sync
	echo "$1" >/lab/end
}

# Power off (o) or reset (b): at once, like the button. Nothing can be read from the root any more while it works.
lab_press() {
	echo "$1" >/proc/sysrq-trigger
	while :; do :; done
}

# Switches the machine off and on; the command is run again from its start, with LAB_BOOT one higher. What a disk would
# keep is kept: the folders below and /lab/out. run.sh must have been told so (--boots).
lab_reboot() {
	local folder kept=()
	for folder in etc/libvirt etc/gpupart var/lib/gpupart var/lib/libvirt; do
		[ ! -e "/$folder" ] || kept+=("$folder")
	done
	tar -c -C / -f /lab/kept.tar --exclude='*.sock' --exclude='*.monitor' "${kept[@]}"
	lab_leave reboot
	lab_press b
}

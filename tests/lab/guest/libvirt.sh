#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   libvirt.sh start [libvirtd|virtqemud|none] | stop | kill
#
# The libvirt of the lab, without systemd. `start` (default: LAB_DAEMON) returns when it answers; `stop` and `kill` end the
# daemon alone, its VMs run on.
#
# virtqemud: no release of Debian has it. Here it is Debian's libvirtd under that name, with the QEMU driver as its only
# driver, at virtqemud's socket, and no socket of libvirtd: what a client sees is the modular libvirt, whose library goes to
# the socket of the driver that it wants. What runs behind the socket is still the code of libvirtd.
set -u
pid_file=/run/libvirt/lab.pid
drivers=/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver

configure() {
	mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt/qemu /var/log/libvirt/qemu /var/cache/libvirt/qemu
	[ ! -e /lab/capabilities.tar ] || [ -d /var/cache/libvirt/qemu/capabilities ] || tar -x -C /var/cache/libvirt -f /lab/capabilities.tar
	# The last two are for speed alone: a filter for every call of QEMU's, and 130 questions about the processor of a VM that
	# starts, each of which QEMU reads with six calls a character.
	cat >/etc/libvirt/qemu.conf <<-'END'
		user = "root"
		group = "root"
		security_driver = "none"
		namespaces = []
		cgroup_controllers = []
		stdio_handler = "file"
		dynamic_ownership = 0
		remember_owner = 0
		seccomp_sandbox = 0
		capability_filters = [ "cpu-unavailable-features" ]
	END
	cat >/etc/libvirt/libvirtd.conf <<-END
		auth_unix_ro = "none"
		auth_unix_rw = "none"
		unix_sock_dir = "$1"
		log_outputs = "2:file:/var/log/libvirt/$2.log"
	END
}

answers() { # DAEMON SOCKET
	for _ in $(seq 300); do
		[ ! -S "$2" ] || return 0
		kill -0 "$(cat "$pid_file" 2>/dev/null)" 2>/dev/null || [ ! -e "$pid_file" ] || break
		sleep 0.1
	done
	echo "$1 does not come up" >&2
	cat "/var/log/libvirt/$1.log" >&2
	return 1
}

start() { # DAEMON
	local directory=/run/libvirt name
	case $1 in
	none) return ;;
	virtqemud) directory=/run/libvirt/sockets ;;
	esac
	mkdir -p "$directory"
	configure "$directory" "$1"
	# A driver more is seconds more: those of networks call iptables again and again.
	case $1 in
	libvirtd) rm -f "$drivers"_{network,nwfilter,interface}.so ;;
	virtqemud)
		rm -f "$drivers"_{network,nwfilter,interface,nodedev,secret,storage}.so
		ln -sf libvirtd /usr/sbin/virtqemud
		;;
	esac
	"$1" --daemon --pid-file "$pid_file" || return
	answers "$1" "$directory/libvirt-sock" || return
	if [ "$1" = virtqemud ]; then
		for name in sock sock-ro admin-sock; do
			[ ! -S "$directory/libvirt-$name" ] || mv "$directory/libvirt-$name" "/run/libvirt/virtqemud-$name"
		done
	fi
}

end_with() { # SIGNAL
	local pid
	pid=$(cat "$pid_file" 2>/dev/null) || return 0
	kill "-$1" "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.05
	done
	rm -f "$pid_file" /run/libvirt/{libvirt,virtqemud}-{sock,sock-ro,admin-sock}
}

case ${1:-} in
start) start "${2:-$LAB_DAEMON}" ;;
stop) end_with TERM ;;
kill) end_with KILL ;;
*)
	echo "usage: libvirt.sh start [libvirtd|virtqemud|none] | stop | kill" >&2
	exit 64
	;;
esac

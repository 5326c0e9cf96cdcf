#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   private.sh COMMAND [ARGUMENT]…
#
# Runs a command beside a libvirt of its own: private mounts hide /etc/libvirt, /var/lib/libvirt and the sockets of this
# machine, so nothing of it is seen or changed; a private PID namespace takes every daemon and every QEMU along when the
# command ends. The command finds daemon.sh, which starts and stops the daemon, in GP_LIBVIRT_DAEMON.
# Exit 77, with the reason, where that is not possible.
set -u
here=$(cd "$(dirname "$0")" && pwd)

skip() {
	echo "skipped: $1"
	exit 77
}

hide() { # DIRECTORY: an empty file system over it
	mkdir -p "$1" && mount -t tmpfs -o mode=0755 gpupart-test "$1"
}

# QEMU's capabilities take 8 s to probe: what this machine's libvirt has found out already is taken over.
take_over_capabilities() {
	[ -d "$1" ] && mkdir -p /var/cache/libvirt/qemu && cp -a "$1" /var/cache/libvirt/qemu/
}

# The user that Debian's libvirt falls back on must exist, even when it is not used; a package that was installed
# without its scripts (in a container) may lack it.
know_user() { # NAME
	getent passwd "$1" >/dev/null && getent group "$1" >/dev/null && return
	sed "/^$1:/d" /etc/passwd >/etc/libvirt/passwd && sed "/^$1:/d" /etc/group >/etc/libvirt/group
	echo "$1:x:64055:64055::/nonexistent:/usr/sbin/nologin" >>/etc/libvirt/passwd
	echo "$1:x:64055:" >>/etc/libvirt/group
	mount --bind /etc/libvirt/passwd /etc/passwd && mount --bind /etc/libvirt/group /etc/group
}

configure() {
	cat >/etc/libvirt/libvirtd.conf <<-'END'
		auth_unix_ro = "none"
		auth_unix_rw = "none"
		unix_sock_rw_perms = "0700"
	END
	cat >/etc/libvirt/qemu.conf <<-'END'
		stdio_handler = "file"
		security_driver = "none"
		user = "root"
		group = "root"
		remember_owner = 0
		namespaces = []
		cgroup_controllers = []
	END
}

inside() {
	local cache
	cache=$(mktemp -d)
	cp -a /var/cache/libvirt/qemu/capabilities "$cache/" 2>/dev/null
	for directory in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt; do
		hide "$directory" || skip "cannot mount over $directory"
	done
	take_over_capabilities "$cache/capabilities"
	rm -rf "$cache"
	configure
	know_user libvirt-qemu || skip "cannot mount over /etc/passwd"
	export GP_LIBVIRT_DAEMON=$here/daemon.sh
	# Not exec: this shell is process 1 here and has to bury the QEMUs that libvirt lets go of.
	"$@"
	local status=$?
	"$GP_LIBVIRT_DAEMON" stop
	exit $status
}

if [ "${1:-}" = --inside ]; then
	shift
	inside "$@"
fi

[ "$(id -u)" = 0 ] || skip "a private libvirtd needs root"
for program in libvirtd virsh qemu-system-x86_64 unshare; do
	command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || skip "$program is not installed"
done
unshare --mount --net --pid --fork --mount-proc true 2>/dev/null || skip "no private namespaces can be made here"
exec unshare --mount --net --pid --fork --mount-proc --kill-child "$here/private.sh" --inside "$@"

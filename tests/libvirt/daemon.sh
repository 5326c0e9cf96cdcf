#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   daemon.sh start | stop | kill
#
# The libvirtd of private.sh; `start` returns when it answers. `kill` gives it no chance to say goodbye.
set -u
pid_file=/run/libvirt/gpupart-test.pid

end_with() { # SIGNAL
	local pid
	pid=$(cat "$pid_file" 2>/dev/null) || return 0
	kill "-$1" "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.05
	done
	rm -f "$pid_file"
}

start() {
	PATH=$PATH:/usr/sbin libvirtd -d -p "$pid_file" || return
	# The first answer of all takes as long as QEMU's probing: half a minute on a slow machine.
	for _ in $(seq 1200); do
		virsh -q -c qemu:///system list >/dev/null 2>&1 && return
		kill -0 "$(cat "$pid_file" 2>/dev/null)" 2>/dev/null || break
		sleep 0.05
	done
	echo "libvirtd does not answer; it says:" >&2
	PATH=$PATH:/usr/sbin timeout 10 libvirtd 2>&1 | tail -n 5 >&2
	return 1
}

case ${1:-} in
start) start ;;
stop) end_with TERM ;;
kill) end_with KILL ;;
*)
	echo "usage: daemon.sh start | stop | kill" >&2
	exit 64
	;;
esac

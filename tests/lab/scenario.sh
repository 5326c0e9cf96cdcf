#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   tests/lab/scenario.sh lab|sim SCENARIO.sh…
#
# Plays scenarios in one of two worlds: the lab, with Linux and libvirt, or gpupart's simulated machine. A scenario is a file of
# functions: part_1, and part_2 and so on after a reboot of the machine. All that gpupart prints, and each check, goes into
# a transcript, and both worlds' transcripts must be equal (scenarios/run.sh plays both and compares).
#
# A scenario may set `machine`, the description of the simulated twin (default: scenarios/machine.yaml), and may define
# lab_setup, which makes the lab's machine like that: loads modules.
#
# The verbs, the same in both worlds:
#
#   want <<'END' … END              writes want.yaml
#   gp ARGUMENT…                    runs gpupart; sets $status, and $out to what it printed, made comparable
#   gp_traced CALLS ARGUMENT…       the same; these system calls of it are in strace.log; lab only
#   gp_begin NAME ARGUMENT…         the same in the background; gp_end NAME waits for it and prints; begun_says NAME TEXT…
#   gp_frozen PF ARGUMENT…          runs gpupart in the background until its helper is about to write that PF's sriov_numvfs: its
#                                   guard has been passed. gp_thaw lets the helper go on, gp_end frozen gpupart, which
#                                   till then does not look at the clock: no deadline ends, however slow the machine is
#   gp_killed before|after PF COUNT MUTATION ARGUMENT…   gpupart and its helper are killed before or after the COUNTth write of
#                                   sriov_numvfs, which is the MUTATIONth change of all (the simulation counts those)
#   check 'what' COMMAND…           prints "ok   what" or "FAIL what"
#   await 'what' COMMAND…           the same, and has patience for a minute
#   fails COMMAND…                  is true when the command is not
#   equal A B                       are two texts the same?
#   says TEXT…                      did the last gp print this?
#   only lab|sim 'reason' COMMAND…  what the other world cannot show; not in the transcript, but in the table
#
#   vm define NAME [VF-ADDRESS…]    a VM with hostdevs that are not ours; its guest obeys the power button
#   vm define_deaf NAME [VF…]       one whose guest does not
#   vm start|destroy|shutdown|undefine|save|autostart NAME
#   vm attach|detach NAME VF        edits the definition behind gpupart's back
#   vm_state NAME                   running, paused, off, or none; is STATE NAME
#   vm_vf NAME, vm_defined NAME     VFs of the live definition, of the persistent one
#   vm_guest_address NAME           where the guest sees the first of them; empty in the simulation, where nobody says
#   vm_ready NAME                   waits until its guest hears the power button
#
#   vf PF INDEX                     address of a VF; vfs PF counts their links; vf_driver PF INDEX
#   numvfs_of PF                    NumVFs as the SR-IOV capability tells; reading sriov_numvfs can hang
#   somebody_writes PATH TEXT       a program that is not gpupart writes an attribute, in the background; somebody_is_done waits
#   hold VF, unhold                 a process that is no VM has the VF open through VFIO; lets go of all
#   libvirt down|up
#   driver KNOB VALUE FAULT…        the lab's nvidia module gets a parameter, the simulation a fault; driver_back undoes it
#   $devices                        the folder of PCI devices
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
export LC_ALL=C.UTF-8 NO_COLOR=1 TZ=UTC

[ $# -ge 2 ] || {
	echo "usage: scenario.sh lab|sim SCENARIO.sh…" >&2
	exit 64
}
world=$1
shift
case $world in lab | sim) ;; *)
	echo "scenario.sh: no world '$world'" >&2
	exit 64
	;;
esac
suite=${LAB_SUITE:-bookworm}
patience=${LAB_PATIENCE:-90} # seconds; a busy machine is slow, and that is no fault

# ---- the transcript ----------------------------------------------------------------------------------------------------

apart='' # in a block that the other world cannot show

tell() {
	if [ -n "$apart" ]; then
		sed 's/^/    /'
	else
		tee -a "$transcript"
	fi
}

# What differs between two runs of one thing, or between the worlds, and means nothing: where the root is, times, numbers
# of processes and IOMMU groups, releases, progress of threads.
comparable() {
	sed -E "s#$work/##g; s# --root machine##g; s#(^|[ '\"(=])machine/#\1/#g
		s#previous/[^ ]*\.yaml#previous/TIME.yaml#g
		s# in [0-9]+\.[0-9]s\$##
		s#\bpid [0-9]+#pid N#g; s#\bprocess [0-9]+#process N#g
		s#since [0-9T:-]+[0-9][0-9:TZ. +-]*#since TIME#g
		s#(after|tried for) [0-9]+\.[0-9] s#\1 N s#g
		s#socket to '[^']*': (No such file or directory|Connection refused)#socket to SOCKET: REASON#g
		s#/dev/vfio/[0-9]+#/dev/vfio/N#g; s#group [0-9]+#group N#g
		s#libvirt [0-9]+\.[0-9]+\.[0-9]+#libvirt N#g; s#QEMU [0-9]+\.[0-9]+\.[0-9]+#QEMU N#g
		s#Linux [0-9]+\.[0-9]+\.[^ ]+#Linux N#g
		/^\[[0-9]+\/[0-9]+\]|^      step |^Observed again:/d"
}

failures() { [ ! -e "$results/failed" ] || cat "$results/failed"; }
failed() { echo "$*" >>"$results/failed"; }

# verdict WHAT STATUS OUTPUT
verdict() {
	if [ "$2" -eq 0 ]; then
		echo "ok   $1" | tell
		return
	fi
	echo "FAIL $1" | tell
	failed "$1"
	echo "     | ${3//$'\n'/$'\n'     | }"
}

check() {
	local what=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	verdict "$what" "$status" "$output"
}

await() {
	local what=$1 output status=0
	shift
	output=$(patiently "$@" 2>&1) || status=$?
	verdict "$what" "$status" "$output"
}

# As soon as the command is true; with what it says at last
patiently() {
	local output until=$((SECONDS + patience))
	until output=$("$@" 2>&1); do
		if [ $SECONDS -ge $until ]; then
			echo "$output"
			return 1
		fi
		sleep 0.2
	done
}

fails() { ! "$@"; }

equal() {
	[ "$1" = "$2" ] || {
		printf "'%s', and not '%s'\n" "$1" "$2"
		return 1
	}
}

says() {
	grep -qF -- "$*" <<<"$out" || {
		printf 'it does not say: %s\nbut:\n%s\n' "$*" "$out"
		return 1
	}
}

only() {
	local where=$1 why=$2 was=$apart before
	shift 2
	if [ "$where" != "$world" ]; then return; fi
	before=$(failures)
	apart=1
	echo "    only here: $why"
	"$@"
	apart=$was
	local verdict=pass
	[ "$before" = "$(failures)" ] || verdict=FAIL
	printf '%s\t%s\t%s\t%s\n' "$name" "$world" "$verdict" "$why" >>"$results/only"
}

# ---- gpupart -----------------------------------------------------------------------------------------------------------

want() { cat >want.yaml; }

# Its arguments as the world wants them, in the array `arguments`.
with_root() {
	arguments=("$@")
	if [ "$world" = sim ]; then
		case $1 in
		validate) arguments+=(--host lab) ;;
		*) arguments+=(--root machine) ;;
		esac
	fi
}

# run_gp NAME ARGUMENT…: output into $work/NAME.out and .err, the exit status into NAME.status
run_gp() {
	local run=$1 ended=0
	shift
	with_root "$@"
	# A leak cannot be looked for under strace.
	ASAN_OPTIONS="detect_leaks=$((${#through[@]} == 0)):${ASAN_OPTIONS:-}" \
		timeout --kill-after=5 "$gp_limit" "${through[@]}" gpupart "${arguments[@]}" >"$run.out" 2>"$run.err" </dev/null || ended=$?
	echo "$ended" >"$run.status"
}

# tell_gp NAME ARGUMENT…: what that run printed
tell_gp() {
	local run=$1
	shift
	status=$(cat "$run.status")
	if grep -qE 'AddressSanitizer|LeakSanitizer|runtime error:' "$run.err"; then
		failed "gpupart $*: a sanitizer's report"
		cat "$run.err"
	fi
	{
		cat "$run.out"
		if [ -s "$run.err" ]; then
			echo "--- stderr"
			cat "$run.err"
		fi
	} | comparable | sed '${/^--- stderr$/d}' >"$run.text"
	out=$(cat "$run.text")
	{
		echo "\$ gpupart $*"
		cat "$run.text"
		echo "--- exit $status"
	} | tell
}

gp_limit=$((patience * 4)) # the longest deadline of a step is 120 s
through=() # a program that watches gpupart: strace

gp() {
	run_gp gp "$@"
	tell_gp gp "$@"
}

# gp_traced CALLS ARGUMENT…: those system calls, of gpupart and of its helpers, are in strace.log afterwards
gp_traced() {
	through=(strace -f -qq -o strace.log -e "trace=$1")
	gp "${@:2}"
	through=()
}

# No program's output in the transcript, only what it came to.
gp_quietly() {
	local run_status
	run_gp gp "$@"
	run_status=$(cat gp.status)
	status=$run_status
	out=$(cat gp.out gp.err)
}

declare -A background=() background_arguments=()

gp_begin() {
	local run=$1
	shift
	rm -f "$run".{out,err,status}
	: >"$run.out"
	run_gp "$run" "$@" 2>"$run.shell" & # where bash says that a program was killed
	background[$run]=$!
	background_arguments[$run]=$*
}

gp_end() {
	[ "$1" != frozen ] || let_go
	wait "${background[$1]}" || true
	# shellcheck disable=SC2086  # words again
	tell_gp "$1" ${background_arguments[$1]}
}

# Does a run in the background say this by now?
begun_says() {
	local run=$1
	shift
	cat "$run.out" "$run.err" 2>/dev/null | grep -qF -- "$*" || {
		cat "$run.out" "$run.err"
		return 1
	}
}

gp_frozen() { # PF ARGUMENT…
	"${world}_freeze" open 1 "$@"
	kill -STOP "$(frozen_gpupart)"
}

frozen_gpupart() { pgrep -P "$(pgrep -P "${background[frozen]}")"; } # the shell's child is timeout
frozen_helper() { pgrep -P "$(frozen_gpupart)"; }

gp_thaw() { "${world}_thaw"; }

let_go() {
	patiently has_ended "$(frozen_helper)" || true
	kill -CONT "$(frozen_gpupart)"
}

has_ended() { ! grep '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null; }

gp_killed() { # before|after PF COUNT MUTATION ARGUMENT…
	"${world}_killed" "$@"
}

# ---- PCI devices: read alike in both worlds ------------------------------------------------------------------------------

vf() { # PF INDEX
	local link
	link=$(readlink "$devices/$1/virtfn$2") && echo "${link##*/}"
}

vfs() { find "$devices/$1/" -maxdepth 1 -name 'virtfn*' | wc -l; }

vf_driver() { # PF INDEX
	local link
	link=$(readlink "$devices/$1/virtfn$2/driver") && echo "${link##*/}" || echo none
}

# NumVFs stands 16 bytes into the extended capability 0x10 (PCI Express, 9.3.3.7).
numvfs_of() { # PF
	od -An -v -tu1 -w1 "$devices/$1/config" | awk '
		{ byte[NR - 1] = $1 }
		END {
			for (at = 256; at; at = byte[at + 3] * 16 + int(byte[at + 2] / 16))
				if (byte[at] + byte[at + 1] * 256 == 16)
					print byte[at + 16] + byte[at + 17] * 256
		}'
}

# ---- VMs -----------------------------------------------------------------------------------------------------------------

guests=/var/lib/libvirt/images

# The same for every run, since the simulation derives it from the name, too, in its own way.
uuid_of() {
	md5sum <<<"$1" | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-4\3-8\4-\5/'
}

hostdev_of() { # ADDRESS
	local domain bus slot function
	IFS=:. read -r domain bus slot function <<<"$1"
	cat <<-END
		    <hostdev mode='subsystem' type='pci' managed='yes'>
		      <source>
		        <address domain='0x$domain' bus='0x$bus' slot='0x$slot' function='0x$function'/>
		      </source>
		    </hostdev>
	END
}

domain_of() { # NAME deaf|hears [ADDRESS]…
	local address name=$1 guest=$2 firmware=''
	shift 2
	[ "$guest" = deaf ] || firmware="<loader readonly='yes' type='rom'>$guests/power-button.rom</loader>"
	cat <<-END
		<domain type='qemu'>
		  <name>$name</name>
		  <uuid>$(uuid_of "$name")</uuid>
		  <memory unit='MiB'>32</memory>
		  <vcpu>1</vcpu>
		  <os><type arch='x86_64' machine='q35'>hvm</type>$firmware</os>
		  <features><acpi/></features>
		  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
		  <on_poweroff>destroy</on_poweroff>
		  <devices>
		    <emulator>/usr/bin/qemu-system-x86_64</emulator>
		    <controller type='usb' model='none'/>
		    <memballoon model='none'/>
		    <serial type='file'><source path='$guests/$name.serial'/></serial>
	END
	for address in "$@"; do hostdev_of "$address"; done
	printf '  </devices>\n</domain>\n'
}

# Addresses of the PCI hostdevs in a domain's XML on stdin: WHICH is source (of the host) or guest.
hostdev_addresses() { # WHICH
	tr '"' "'" | sed 's/</\n</g' | awk -v which="$1" -F"'" '
		function padded(digits, width) { return substr("0000" digits, length(digits) + 5 - width) }
		/<hostdev/ { inside = 1; source = 0 }
		inside && /<source/ { source = 1 }
		inside && /<address/ && (which == "source") == source {
			delete value
			for (i = 1; i < NF; i += 2) {
				key = $i
				gsub(/.*[ \t]|=/, "", key)
				gsub(/^0x/, "", $(i + 1))
				value[key] = $(i + 1)
			}
			text = text (text == "" ? "" : " ") padded(value["domain"], 4) ":" padded(value["bus"], 2) ":" padded(value["slot"], 2) "." value["function"]
		}
		/<\/source>/ { source = 0 }
		/<\/hostdev>/ { inside = 0 }
		END { print text }'
}

vm() {
	local verb=$1
	shift
	"${world}_vm_$verb" "$@"
}

# What libvirt writes down of its VMs is what it says of them, and virsh is slow in the lab.
live_xml() { echo "${devices%/sys/bus/pci/devices}/run/libvirt/qemu/$1.xml"; }
defined_xml() { echo "${devices%/sys/bus/pci/devices}/etc/libvirt/qemu/$1.xml"; }

vm_state() {
	if [ -e "$(live_xml "$1")" ]; then
		sed -n "s/.*<domstatus state='\([a-z]*\)'.*/\1/p" "$(live_xml "$1")"
	elif [ -e "$(defined_xml "$1")" ]; then
		echo off
	else
		echo none
	fi
}

vm_vf() { hostdev_addresses source <"$(live_xml "$1")"; }
vm_defined() { hostdev_addresses source <"$(defined_xml "$1")"; }
vm_guest_address() { hostdev_addresses guest <"$(live_xml "$1")"; }
vm_ready() { "${world}_vm_ready" "$1"; }
is() { # STATE VM
	equal "$(vm_state "$2")" "$1"
}

# ---- the lab -------------------------------------------------------------------------------------------------------------

lab_vm_define() { domain_of "$1" hears "${@:2}" >"$1.xml" && quietly virsh define "$1.xml"; }
lab_vm_define_deaf() { domain_of "$1" deaf "${@:2}" >"$1.xml" && quietly virsh define "$1.xml"; }
lab_vm_start() { quietly virsh start "$1" && lab_vm_ready "$1"; }
lab_vm_destroy() { quietly virsh destroy "$1"; }
lab_vm_undefine() { quietly virsh undefine "$1"; }
lab_vm_save() { quietly virsh managedsave "$1"; }
lab_vm_autostart() { quietly virsh autostart "$1"; }
lab_vm_shutdown() {
	quietly virsh shutdown "$1"
	wait_until "$patience" is off "$1"
}
lab_vm_attach() { hostdev_of "$2" >device.xml && quietly virsh attach-device "$1" device.xml --config; }
lab_vm_detach() { hostdev_of "$2" >device.xml && quietly virsh detach-device "$1" device.xml --config; }

quietly() {
	local output
	output=$("$@" 2>&1) || {
		echo "$*: $output"
		return 1
	}
}

# A button that is pressed before the guest is up is lost.
lab_vm_ready() {
	if ! grep -qF power-button.rom "$(defined_xml "$1")"; then return; fi
	local until=$((SECONDS + patience))
	until grep -q '^up' "$guests/$1.serial" 2>/dev/null; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.2
	done
}

# strace stops each helper in its first call that concerns a PF's sriov_numvfs: once it has opened it, or once it has
# written it. Each of them writes once, so that the COUNTth helper makes the COUNTth write.
lab_freeze() { # open|write COUNT PF ARGUMENT…
	local call=$1 count=$2 path=$devices/$3/sriov_numvfs helper
	shift 3
	if [ "$call" = open ]; then call="openat,openat2"; fi
	# -D: gpupart is no child of strace's, and outlives it
	through=(strace -D -f -qq -o strace.log -P "${path#/}" -P "$(readlink -f "$path")"
		-e "trace=$call" -e "inject=$call:signal=STOP:when=1")
	gp_begin frozen "$@"
	through=()
	while [ "$count" -gt 1 ]; do
		patiently lab_helper_is_frozen || true
		helper=$(frozen_helper)
		kill -CONT "$helper"
		patiently has_ended "$helper" || true
		count=$((count - 1))
	done
	await "gpupart is about to write, or has written" lab_helper_is_frozen
	kill -KILL "$(sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$(frozen_helper)/status")"
}

lab_helper_is_frozen() { grep '^State:[[:space:]]*[Tt]' "/proc/$(frozen_helper)/status"; }

lab_thaw() { kill -CONT "$(frozen_helper)"; }

lab_killed() { # before|after PF COUNT MUTATION ARGUMENT…
	local helper
	case $1 in
	before) lab_freeze open "$3" "$2" "${@:5}" ;;
	after) lab_freeze write "$3" "$2" "${@:5}" ;;
	esac
	helper=$(frozen_helper)
	kill -KILL "$(frozen_gpupart)" "$helper"
	wait "${background[frozen]}" || true
	await 'it is gone' has_ended "$helper"
}

lab_write() { timeout "$patience" sh -c "echo '$2' >'$1'"; }

holders=()

lab_hold() {
	local ready=$work/holding.$1
	rm -f "$ready"
	python3 "$here/scenarios/hold.py" "$1" "$ready" &
	holders+=($!)
	wait_until "$patience" test -e "$ready"
}

lab_unhold() {
	local pid
	for pid in "${holders[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	holders=()
}

lab_libvirt_is() {
	case $1 in
	down) lab_libvirt stop ;;
	up) lab_libvirt start && lab_vms_are_attended ;;
	esac
}

# A daemon that comes up takes its running VMs on in the background, and `destroy` meanwhile kills the VM and fails. What asks
# QEMU something waits for that.
lab_vms_are_attended() {
	local status
	for status in /run/libvirt/qemu/*.xml; do
		[ ! -e "$status" ] || patiently quietly virsh dommemstat "$(basename "$status" .xml)"
	done
}

declare -A knobs=()

lab_driver() {
	local file=/sys/module/nvidia/parameters/$1
	knobs[$1]=$(cat "$file")
	echo "$2" >"$file"
}

lab_driver_back() {
	local knob
	for knob in "${!knobs[@]}"; do echo "${knobs[$knob]}" >"/sys/module/nvidia/parameters/$knob"; done
	knobs=()
}

lab_prepare() {
	devices=/sys/bus/pci/devices
	mkdir -p "$guests"
	base64 -d <<<"$LAB_GUEST_OS" | gunzip >"$guests/power-button.rom"
	if declare -F lab_setup >/dev/null; then
		lab_setup
	else
		modprobe nvme
	fi
	mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
	udevadm settle --timeout=30 || true
}

# The next scenario finds a machine that nobody has touched.
lab_tidy() {
	local vm pf commands=''
	lab_unhold
	lab_driver_back
	for vm in $(virsh list --all --name 2>/dev/null); do
		if [ -e "$(live_xml "$vm")" ]; then commands+="destroy $vm; "; fi
		if [ -e "$(defined_xml "$vm")" ]; then commands+="undefine --managed-save $vm; "; fi
	done
	[ -z "$commands" ] || virsh "$commands" >/dev/null 2>&1 || true
	for pf in "$devices"/*/sriov_numvfs; do
		pf=${pf%/sriov_numvfs}
		if [ "$(find "$pf/" -maxdepth 1 -name 'virtfn*' | wc -l)" -gt 0 ]; then
			timeout 20 sh -c "echo 0 >$pf/sriov_numvfs" || true
		fi
		timeout 20 sh -c "echo 1 >$pf/sriov_drivers_autoprobe" || true
	done
	rm -rf /run/gpupart /var/lib/gpupart "$guests"/*.serial
}

lab_reboot_machine() {
	lab_reboot
}

# ---- the simulated machine -----------------------------------------------------------------------------------------------

sim() {
	local verb=$1
	shift
	gpupart sim "$verb" machine "$@" >sim.log 2>&1 || {
		cat sim.log
		return 1
	}
}

sim_vm_define() { domain_of "$1" hears "${@:2}" >"$1.xml" && sim vm define "$1.xml"; }
sim_vm_define_deaf() { domain_of "$1" deaf "${@:2}" >"$1.xml" && sim vm define "$1.xml" && sim fault ignore-shutdown "$1"; }
sim_vm_start() { sim vm start "$1"; }
sim_vm_destroy() { sim vm destroy "$1"; }
sim_vm_undefine() { sim vm undefine "$1"; }
sim_vm_save() { sim vm save "$1"; }
sim_vm_shutdown() { sim vm stop "$1"; }
sim_vm_autostart() {
	mkdir -p machine/etc/libvirt/qemu/autostart
	ln -sf "/etc/libvirt/qemu/$1.xml" "machine/etc/libvirt/qemu/autostart/$1.xml"
}
sim_vm_ready() { true; }

sim_vm_attach() {
	hostdev_of "$2" >device.xml
	awk 'FNR == NR { device = device $0 "\n"; next } /<\/devices>/ { printf "%s", device } { print }' \
		device.xml "machine/etc/libvirt/qemu/$1.xml" >"$1.xml"
	sim vm define "$1.xml"
}

sim_vm_detach() {
	python3 - "machine/etc/libvirt/qemu/$1.xml" "$2" >"$1.xml" <<-'END'
		import re, sys
		text = open(sys.argv[1]).read()
		words = re.match(r"(....):(..):(..)\.(.)", sys.argv[2]).groups()
		def is_it(hostdev):
		    source = re.search(r"<source>(.*?)</source>", hostdev, re.S).group(1)
		    return all(re.search(r"%s=['\"]0x0*%x['\"]" % (key, int(value, 16)), source)
		               for key, value in zip(("bus", "slot", "function"), words[1:]))
		print(re.sub(r"\s*<hostdev.*?</hostdev>", lambda found: "" if is_it(found.group(0)) else found.group(0), text, flags=re.S))
	END
	sim vm define "$1.xml"
}

# A write that blocks is about to be made.
sim_freeze() { # open 1 PF ARGUMENT…
	sim fault block "$3" sriov_numvfs
	gp_begin frozen "${@:4}"
	await "gpupart is about to write, or has written" sim_is_writing
}

sim_is_writing() { tail -n 1 machine/.sim/trace | grep -q 'begin .*sriov_numvfs'; }
sim_thaw() { sed -i '/^block /d' machine/.sim/faults; }

sim_killed() { # before|after PF COUNT MUTATION ARGUMENT…
	sim fault kill "$4" "$1"
	echo "ok   gpupart is about to write, or has written" | tell
	gp_quietly "${@:5}" 2>/dev/null # the shell says that it was killed
	sim fault clear
	check 'it is gone' equal "$status" 137
}

# The player of the traces asks the pretend kernel, as no command of gpupart does.
sim_write() {
	printf "write %s '%s'\n" "${1#"$work/machine"}" "$2" >"poke.$BASHPID"
	timeout "$patience" "${LAB_PLAYER:?}" --sim machine "poke.$BASHPID"
}

sim_hold() { sim fault hold "$1"; }
sim_unhold() { sim fault clear; }

sim_libvirt_is() {
	case $1 in
	down) sim fault libvirt-down ;;
	up) sim fault clear ;;
	esac
}

sim_driver() { sim fault "${@:3}"; }
sim_driver_back() { sim fault clear; }

sim_prepare() {
	devices=$work/machine/sys/bus/pci/devices
	{
		cat "${machine:-$here/scenarios/machine.yaml}"
		# As in the roots of the lab.
		case $suite in
		bookworm) printf 'libvirt: 9.0.0\nqemu: 7.2.0\n' ;;
		trixie) printf 'libvirt: 11.3.0\nqemu: 10.0.0\n' ;;
		esac
	} >host.yaml
	gpupart sim create machine host.yaml >sim.log || {
		cat sim.log
		exit 1
	}
}

sim_tidy() { sim fault clear || true; }

writers=()

# ---- verbs that only differ by world ---------------------------------------------------------------------------------------

hold() { "${world}_hold" "$1"; }
somebody_writes() {
	"${world}_write" "$@" >>writers.log 2>&1 &
	writers+=($!)
}
somebody_is_done() {
	wait "${writers[@]}" || true
	writers=()
}
unhold() { "${world}_unhold"; }
libvirt() { "${world}_libvirt_is" "$1"; }
driver() { "${world}_driver" "$@"; }
driver_back() { "${world}_driver_back"; }

# ---- playing -------------------------------------------------------------------------------------------------------------

boot=${LAB_BOOT:-1}
if [ "$world" = lab ]; then
	# shellcheck source=tests/lab/guest/lib.sh
	. "$here/guest/lib.sh"
	results=/lab/out/scenarios
else
	results=${SCENARIO_RESULTS:-$(mktemp -d)}
fi
mkdir -p "$results"

has_part() { # SCENARIO NUMBER
	grep -q "^part_$2()" "$1"
}

# enter SCENARIO: its own folder, transcript and functions
enter() {
	name=$(basename "$1" .sh)
	work=$results/$name
	transcript=$results/$name.transcript
	mkdir -p "$work"
	cd "$work"
	machine=''
	# shellcheck source=/dev/null
	. "$1"
	echo "=== $name, part $2"
}

play_part() { # SCENARIO NUMBER
	local ended
	set +e # and not "|| ended=$?", behind which bash would take no notice of what fails in here
	(
		set -eEuo pipefail
		enter "$1" "$2"
		trap 'failed "$name: line $LINENO: $BASH_COMMAND"; echo "FAIL line $LINENO: $BASH_COMMAND"' ERR
		if [ "$world" = lab ] || [ "$2" -eq 1 ]; then
			"${world}_prepare"
		else
			devices=$work/machine/sys/bus/pci/devices
			sim reboot
		fi
		"part_$2"
		if ! has_part "$1" $(($2 + 1)); then "${world}_tidy"; fi
	)
	ended=$?
	set -e
	[ "$ended" -eq 0 ] || failed "$(basename "$1" .sh): ended with status $ended"
	if [ -s "$results/failed" ]; then
		sed "s/^/$(basename "$1" .sh)\t/" "$results/failed" >>"$results/failures"
		rm "$results/failed"
	fi
}

again=''
for scenario in "$@"; do
	scenario=$(readlink -f "$scenario")
	part=$boot
	while has_part "$scenario" "$part"; do
		play_part "$scenario" "$part"
		part=$((part + 1))
		if [ "$world" = lab ]; then
			has_part "$scenario" "$part" && again=1
			break
		fi
	done
done
[ -z "$again" ] || lab_reboot_machine
echo "$boot" >"$results/complete"
if [ -s "$results/failures" ]; then
	echo "failed:"
	sed 's/^/  /' "$results/failures"
	exit 1
fi

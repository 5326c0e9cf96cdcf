#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In the lab: does the look-alike driver do what it says, in both frameworks, with every knob once? run.sh fails it for
# any warning in the kernel's log.
# usage: check.sh [vfio|mdev|others]…
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/lab/guest/lib.sh
. "$here/../guest/lib.sh"
manage=/usr/lib/nvidia/sriov-manage
knobs=/sys/module/nvidia/parameters
pf=0000:41:00.0
gpu=/sys/bus/pci/devices/$pf
failed=0

# is WHAT EXPECTED GOT
is() {
	if [ "$2" = "$3" ]; then
		echo "ok   $1"
	else
		echo "FAIL $1: '$3', not '$2'"
		failed=1
	fi
}

# What a write gives: ok, or the kernel's word for the errno.
put() { # VALUE FILE
	local said
	if said=$( { printf '%s\n' "$1" >"$2"; } 2>&1); then echo ok; else echo "${said##*: }"; fi
}
refused() { # WHAT ERROR VALUE FILE
	is "$1" "$2" "$(put "$3" "$4")"
}
done_() { refused "$1" ok "$2" "$3"; }
knob() { is "knob $1=$2" ok "$(put "$2" "$knobs/$1")"; }

io='Input/output error' invalid='Invalid argument' not_permitted='Operation not permitted'
full='No space left on device' no_device='No such device' no_address='No such device or address'

vfs() { find "$devices/${1:-$pf}/" -name 'virtfn*' | wc -l; }
manages() { # WHAT STATUS VFS OPTION
	local status=0
	"$manage" "$4" $pf >/run/said 2>&1 || status=$?
	is "$1: status, VFs" "$2 $3" "$status $(vfs)"
}
type_of() { cat "$gpu/virtfn$1/nvidia/current_vgpu_type"; }
creatable() { sed 1d "$gpu/virtfn5/nvidia/creatable_vgpu_types" | awk '{print $1}' | paste -sd ' '; }
# shellcheck disable=SC2317  # called by wait_until
hangs() { grep -qs '^State:.D' /proc/[0-9]*/status; }
load() {
	modprobe nvidia "$@" || { echo "FAIL modprobe nvidia $*"; exit 1; }
}
unload() {
	is 'unloads' 0 "$(modprobe -r nvidia && echo 0)"
	is 'nothing is left' '' "$(ls -d /dev/nvidia* /proc/driver/nvidia "$gpu" 2>/dev/null)"
}
# A QEMU that has a device open, and does nothing else.
guest() { # ARGUMENT of -device vfio-pci
	qemu-system-x86_64 -machine q35 -accel tcg -m 64 -display none -nodefaults -S -monitor none -device pcie-root-port,id=r \
		-device "vfio-pci,bus=r,$1" -pidfile /run/guest.pid -daemonize >/run/said 2>&1 || { cat /run/said >&2; return 1; }
}
guest_gone() {
	local pid
	pid=$(cat /run/guest.pid)
	kill "$pid"
	wait_until 20 eval "! kill -0 $pid 2>/dev/null"
}

whole='709 710 711 712 713 714 715 716 717 718 719 720 721 722 723'

check_driver() {
	is 'version' 550.144.02 "$(cat /sys/module/nvidia/version)"
	is 'GPUs' 4 "$(find /sys/bus/pci/drivers/nvidia/ -name '0000:*' | wc -l)"
	is 'ids' '0x10de 0x25b6 0x10de 0x14a9 0x030200' "$(cat "$gpu"/{vendor,device,subsystem_vendor,subsystem_device,class} | paste -sd ' ')"
	is 'minor' 'Device Minor: 	 0' "$(grep Minor /proc/driver/nvidia/gpus/$pf/information)"
	is 'without VFs, no framework' '' "$(ls -d /sys/class/mdev_bus 2>/dev/null)"
	refused 'sriov_numvfs' 'No such file or directory' 16 "$gpu"/sriov_numvfs
	refused 'sriov_numvfs above its most' 'Numerical result out of range' 17 "$gpu"/sriov_numvfs
}

check_manage() {
	knob fail_enable 12
	manages 'it fails' 1 0 -e
	knob fewer_vfs 8
	manages 'fewer' 0 8 -e
	manages 'none of them again' 0 0 -d
	knob fewer_vfs 0
	manages 'none' 0 0 -e
	knob fewer_vfs -1
	knob initialising_ms 600000
	manages 'initialising' 0 0 -e
	knob initialising_ms 0
	exec 7</dev/nvidia0
	manages 'somebody has it open' 1 0 -e
	is 'and says so' "Cannot obtain unbindLock for $pf" "$(cat /run/said)"
	exec 7<&-
	done_ 'lock' 1 /proc/driver/nvidia/gpus/$pf/unbindLock
	is 'nobody can open it then' "$no_device" "$( (: </dev/nvidia0) 2>&1 | sed 's/.*: //')"
	done_ 'unlock' 0 /proc/driver/nvidia/gpus/$pf/unbindLock
	knob enable_delay_ms 100
	knob block_enable Y
	"$manage" -e $pf >/run/said &
	is 'enabling hangs' 0 "$(wait_until 20 hangs && echo 0)"
	is 'and there are no VFs' 0 "$(vfs)"
	knob block_enable N
	wait $!
	is 'until it goes on' '0 16' "$? $(vfs)"
	knob enable_delay_ms 0
	is 'VFs lie' '0000:41:00.4 0000:41:02.3' "$(vf_of $pf 0) $(vf_of $pf 15)"
	is 'their driver' 'nvidia nvidia' "$(driver_of "$(vf_of $pf 0)") $(driver_of $pf)"
	manages 'again is no work' 0 16 -e
}

check_types() {
	is 'all types' "$whole" "$(creatable)"
	is 'header' 'ID    : vGPU Name' "$(head -n 1 "$gpu"/virtfn5/nvidia/creatable_vgpu_types)"
	is 'blank' 0 "$(type_of 0)"
	is 'outputs of a blank one' "$no_address" "$( (cat "$gpu"/virtfn0/nvidia/placement_id) 2>&1 | sed 's/.*: //')"
	done_ 'a type' 713 "$gpu"/virtfn0/nvidia/current_vgpu_type
	is 'reads back' 713 "$(type_of 0)"
	is 'outputs' 0 "$(cat "$gpu"/virtfn0/nvidia/placement_id)"
	is 'one size' '713 718 721' "$(creatable)"
	refused 'over another' "$io" 713 "$gpu"/virtfn0/nvidia/current_vgpu_type
	refused 'of another size' "$io" 712 "$gpu"/virtfn1/nvidia/current_vgpu_type
	refused 'unknown' "$invalid" 9999 "$gpu"/virtfn1/nvidia/current_vgpu_type
	refused 'no number' "$invalid" A16-4Q "$gpu"/virtfn1/nvidia/current_vgpu_type
	done_ 'another series' 721 "$gpu"/virtfn1/nvidia/current_vgpu_type
	done_ 'the third' 713 "$gpu"/virtfn2/nvidia/current_vgpu_type
	done_ 'the fourth' 718 "$gpu"/virtfn3/nvidia/current_vgpu_type
	is 'full' '' "$(creatable)"
	refused 'a fifth' "$io" 713 "$gpu"/virtfn4/nvidia/current_vgpu_type
	is 'the next GPU' 0 "$(vfs 0000:42:00.0)"
	done_ 'cleared' 0 "$gpu"/virtfn3/nvidia/current_vgpu_type
	is 'room again' '713 718 721' "$(creatable)"
	done_ 'params' frame_rate_limiter=0,disable_vnc=1 "$gpu"/virtfn0/nvidia/vgpu_params
	is 'read back' frame_rate_limiter=0,disable_vnc=1 "$(cat "$gpu"/virtfn0/nvidia/vgpu_params)"
	refused 'params that are none' "$invalid" frame_rate_limiter "$gpu"/virtfn0/nvidia/vgpu_params
	refused 'params of a blank one' "$invalid" disable_vnc=1 "$gpu"/virtfn4/nvidia/vgpu_params
	done_ 'no params' ' ' "$gpu"/virtfn0/nvidia/vgpu_params
	is 'cleared' '' "$(cat "$gpu"/virtfn0/nvidia/vgpu_params)"
}

check_type_knobs() {
	knob drops Y
	done_ 'taken' 713 "$gpu"/virtfn3/nvidia/current_vgpu_type
	is 'and dropped' 0 "$(type_of 3)"
	knob drops N
	knob fail_type 5
	refused 'fails' "$io" 713 "$gpu"/virtfn3/nvidia/current_vgpu_type
	knob fail_type 0
	knob late_types_ms 600000
	is 'no types yet' '' "$(creatable)"
	refused 'too early' "$io" 713 "$gpu"/virtfn3/nvidia/current_vgpu_type
	knob late_types_ms 0
	knob type_delay_ms 50
	knob block_type Y
	(put 713 "$gpu"/virtfn3/nvidia/current_vgpu_type >/run/type) &
	is 'hangs' 0 "$(wait_until 20 hangs && echo 0)"
	knob block_type N
	wait $!
	is 'goes on' 'ok 713' "$(cat /run/type) $(type_of 3)"
	knob type_delay_ms 0
	done_ 'cleared' 0 "$gpu"/virtfn3/nvidia/current_vgpu_type
	knob mixed Y
	is 'other sizes' '709 710 711 712 713 716 717 718 721' "$(creatable)"
	knob mixed N
}

check_vfio_guest() {
	local vf blank
	vf=$(vf_of $pf 0) blank=$(vf_of $pf 4)
	is 'a VFIO device' 1 "$(find "$gpu"/virtfn0/vfio-dev/ -name 'vfio*' -path '*vfio-dev/vfio*' | wc -l)"
	is 'a guest cannot have a blank one' 1 "$(guest host="$blank" 2>/dev/null; echo $?)"
	is 'a guest' 0 "$(guest host="$vf"; echo $?)"
	refused 'held: clearing' "$not_permitted" 0 "$gpu"/virtfn0/nvidia/current_vgpu_type
	refused 'held: params' "$not_permitted" disable_vnc=1 "$gpu"/virtfn0/nvidia/vgpu_params
	(put "$vf" /sys/bus/pci/drivers/nvidia/unbind >/run/unbound) &
	is 'unbinding waits' 0 "$(wait_until 20 eval "dmesg | grep -q 'nvidia $vf: Relaying device request'" && echo 0)"
	is 'and is not done' '' "$(cat /run/unbound)"
	knob settle_ms 600000
	guest_gone
	wait $!
	is 'until the guest is gone' "ok " "$(cat /run/unbound) $(driver_of "$vf")"
	done_ 'bound again' "$vf" /sys/bus/pci/drivers/nvidia/bind
	is 'its vGPU is lost' 0 "$(type_of 0)"
	done_ 'a type' 713 "$gpu"/virtfn0/nvidia/current_vgpu_type
	is 'a guest' 0 "$(guest host="$vf"; echo $?)"
	guest_gone
	refused 'the driver lets go late' "$not_permitted" 0 "$gpu"/virtfn0/nvidia/current_vgpu_type
	knob settle_ms 0
	done_ 'vfio-pci' vfio-pci "$gpu"/virtfn4/driver_override
	done_ 'unbound' "$blank" /sys/bus/pci/drivers/nvidia/unbind
	refused 'vfio-pci does not take it' "$invalid" "$blank" /sys/bus/pci/drivers/vfio-pci/bind
	knob vfio_pci_refused N
	done_ 'but for the knob' "$blank" /sys/bus/pci/drivers/vfio-pci/bind
	is 'bound' vfio-pci "$(driver_of "$blank")"
}

check_vfio() {
	load
	check_driver
	check_manage
	check_types
	check_type_knobs
	check_vfio_guest
	manages 'all of it away' 0 0 -d
	unload
}

type_dir() { echo "$gpu/virtfn$1/mdev_supported_types/nvidia-$2"; }
available() { cat "$(type_dir "$1" "$2")/available_instances"; }
uuid() { echo "83b8f4f2-509f-382f-3c1e-e6bfe0fa100$1"; }

check_mdev_types() {
	is 'types' 15 "$(find "$gpu"/virtfn0/mdev_supported_types/ -name 'nvidia-*' | wc -l)"
	is 'bus' 16 "$(find /sys/class/mdev_bus/ -name '0000:41:*' | wc -l)"
	is 'a type' 'NVIDIA A16-4Q vfio-pci 1' "$(cat "$(type_dir 0 713)"/{name,device_api,available_instances} | paste -sd ' ')"
	is 'described' 'num_heads=4, frl_config=60, framebuffer=4096M, max_resolution=7680x4320, max_instance=4' "$(cat "$(type_dir 0 713)/description")"
	done_ 'made' "$(uuid 1)" "$(type_dir 0 713)/create"
	refused 'made twice' 'File exists' "$(uuid 1)" "$(type_dir 1 713)/create"
	refused 'a second on it' "$full" "$(uuid 2)" "$(type_dir 0 713)/create"
	refused 'another size' "$full" "$(uuid 2)" "$(type_dir 1 712)/create"
	refused 'no UUID' "$invalid" A16-4Q "$(type_dir 1 713)/create"
	is 'available' '0 1 0' "$(available 0 713) $(available 1 713) $(available 1 712)"
	is 'its type' nvidia-713 "$(basename "$(readlink "/sys/bus/mdev/devices/$(uuid 1)/mdev_type")")"
	done_ 'params' disable_vnc=1 "/sys/bus/mdev/devices/$(uuid 1)/nvidia/vgpu_params"
	is 'read back' disable_vnc=1 "$(cat "/sys/bus/mdev/devices/$(uuid 1)/nvidia/vgpu_params")"
	knob fail_type 5
	refused 'fails' "$io" "$(uuid 2)" "$(type_dir 1 713)/create"
	knob fail_type 0
}

check_mdev_guest() {
	is 'a guest' 0 "$(guest sysfsdev="/sys/bus/mdev/devices/$(uuid 1)"; echo $?)"
	refused 'held: params' "$not_permitted" disable_vnc=0 "/sys/bus/mdev/devices/$(uuid 1)/nvidia/vgpu_params"
	(put 1 "/sys/bus/mdev/devices/$(uuid 1)/remove" >/run/removed) &
	is 'removal waits' 0 "$(wait_until 20 test ! -e "/sys/bus/mdev/devices/$(uuid 1)" && echo 0)"
	is 'and is not done' ' 0' "$(cat /run/removed) $(available 0 713)"
	guest_gone
	wait $!
	is 'until the guest is gone' ok "$(cat /run/removed)"
	is 'free' '1 1' "$(available 0 713) $(available 1 712)"
	done_ 'made again' "$(uuid 1)" "$(type_dir 0 720)/create"
	done_ 'the VF loses its driver' "$(vf_of $pf 0)" /sys/bus/pci/drivers/nvidia/unbind
	is 'and its vGPU' '' "$(ls /sys/bus/mdev/devices)"
	is 'bus' 15 "$(find /sys/class/mdev_bus/ -name '0000:41:*' | wc -l)"
}

check_mdev() {
	load framework=mdev
	manages 'all VFs' 0 16 -e
	check_mdev_types
	check_mdev_guest
	unload
	modprobe -r nvidia-vgpu-vfio
}

check_others() {
	load raw_numvfs=1 totalvfs=32 gpus=2 fb_mb=32768 NVreg_RegistryDwords=RmPVMRL=0x01
	is 'GPUs' 2 "$(find /sys/bus/pci/drivers/nvidia/ -name '0000:*' | wc -l)"
	is 'scheduler' 'RegistryDwords: "RmPVMRL=0x01"' "$(grep RegistryDwords: /proc/driver/nvidia/params)"
	done_ 'as other drivers' 20 "$gpu"/sriov_numvfs
	is 'VFs' 20 "$(vfs)"
	refused 'another number' 'Device or resource busy' 10 "$gpu"/sriov_numvfs
	done_ 'none' 0 "$gpu"/sriov_numvfs
	unload
	load mmio=N
	manages 'no room' 1 0 -e
	unload
	load drvname=other device=0x2236 vf_device=0x2237 subsystem=0x1482 vf_offset=8 vf_stride=2
	manages 'another name' 0 16 -e
	is 'VFs lie' '0000:41:01.0 0000:41:04.6' "$(vf_of $pf 0) $(vf_of $pf 15)"
	is 'ids' '0x2236 0x1482 0x2237' "$(cat "$gpu"/{device,subsystem_device} "$gpu"/virtfn0/device | paste -sd ' ')"
	is 'driver' other "$(driver_of "$(vf_of $pf 0)")"
	unload
	is 'nonsense' 1 "$(modprobe nvidia totalvfs=0 2>/dev/null; echo $?)"
}

"$here/install.sh"
[ $# -gt 0 ] || set -- vfio mdev others
for part; do
	case $part in
	vfio) check_vfio ;;
	mdev) check_mdev ;;
	others) check_others ;;
	*) echo "FAIL what is $part?"; failed=1 ;;
	esac
done
verdict=pass
[ $failed = 0 ] || verdict=FAIL
result 'look-alike driver' 'kernel 6.1' - "$verdict" 'lab only: the driver checks itself'
exit $failed

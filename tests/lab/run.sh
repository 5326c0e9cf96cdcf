#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   tests/lab/run.sh [OPTION]… -- COMMAND [ARGUMENT]…
#
# Boots the lab, runs one command in it as root, and hands back its output and its exit status. Makes what is missing first.
#
#   --suite bookworm|trixie             libvirt 9.0 and QEMU 7.2 (default), or libvirt 11 and QEMU 10
#   --daemon libvirtd|virtqemud|none    which libvirt is started (default: libvirtd); see guest/libvirt.sh
#   --build DIR                         build directory, seen as /build (default: build/gcc of this checkout)
#   --out DIR                           gets what the command leaves in /lab/out, the kernel's log, console, libvirt's logs
#   --timeout SECONDS                   of the command, each boot (default: 300)
#   --boots N                           how often it may boot (default: 1); see lab_reboot in guest/lib.sh
#   --no-iommu, --gpus N (4), --vfs N (8), --cpus N (2), --memory MIB (2048)
#   --shell                             a shell in place of the command
#
# LAB_SUITE, LAB_DAEMON, LAB_BUILD and LAB_CPUS in the environment are other defaults. LAB_RESULTS names a file that gets the rows
# which the command writes to its own LAB_RESULTS.
#
# Exit: 124 time limit; 97 the kernel's log holds a fault (printed); 98 booted more often than allowed; 99 the lab died;
# 77 the lab cannot be had here; 64 wrong use.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
source_dir=$(dirname "$(dirname "$here")")

wrong_use() {
	echo "run.sh: $*" >&2
	exit 64
}

suite=${LAB_SUITE:-bookworm} daemon=${LAB_DAEMON:-libvirtd} build=${LAB_BUILD:-} out='' limit=300 boots=1
iommu=1 gpus=4 vfs=8 cpus=${LAB_CPUS:-2} memory=2048 shell=''
while [ $# -gt 0 ]; do
	case $1 in
	--no-iommu) iommu='' ;;
	--shell) shell=${TERM:-dumb} ;;
	--)
		shift
		break
		;;
	--suite | --daemon | --build | --out | --timeout | --boots | --gpus | --vfs | --cpus | --memory)
		[ $# -gt 1 ] || wrong_use "$1 wants a value"
		case $1 in
		--suite) suite=$2 ;;
		--daemon) daemon=$2 ;;
		--build) build=$2 ;;
		--out) out=$2 ;;
		--timeout) limit=$2 ;;
		--boots) boots=$2 ;;
		--gpus) gpus=$2 ;;
		--vfs) vfs=$2 ;;
		--cpus) cpus=$2 ;;
		--memory) memory=$2 ;;
		esac
		shift
		;;
	*) wrong_use "unknown option $1" ;;
	esac
	shift
done
[ $# -gt 0 ] || [ -n "$shell" ] || wrong_use "no command: run.sh [OPTION]... -- COMMAND [ARGUMENT]..., or --shell"
case $suite in bookworm | trixie) ;; *) wrong_use "unknown suite '$suite': bookworm or trixie" ;; esac
case $daemon in libvirtd | virtqemud | none) ;; *) wrong_use "unknown daemon '$daemon': libvirtd, virtqemud or none" ;; esac
if [ -n "$build" ]; then
	[ -x "$build/bin/gpupart" ] || wrong_use "no bin/gpupart in $build"
elif [ -x "$source_dir/build/gcc/bin/gpupart" ]; then
	build=$source_dir/build/gcc
fi

made=$("$here/build.sh" --suite "$suite")
kernel='' initramfs='' modules='' root=''
eval "$made"

# A program that was linked on a newer system than the root does not run there.
if [ -n "$build" ]; then
	wanted=$(LC_ALL=C grep -aoE 'GLIBC_2\.[0-9]+' "$build/bin/gpupart" | sort -uV | tail -n 1)
	if ! LC_ALL=C grep -aqF "$wanted" "$root"/lib/x86_64-linux-gnu/libc.so.6; then
		echo "skipped: $build/bin/gpupart needs $wanted, and the C library of $suite is older" >&2
		exit 77
	fi
fi

# --- what the lab sees of this machine ------------------------------------------------------------------------------------

work=$(mktemp -d "${TMPDIR:-/tmp}/gpupart-lab.XXXXXX")
trap 'rm -rf "$work"' EXIT
share=$work/share
mkdir -p "$share/out"
cp -r "$here/guest" "$share/guest"
printf '%q ' "$@" >"$share/command"

# libvirt asks QEMU for its capabilities at the first definition, and that takes seconds: what an earlier run has found out
# is used again. libvirt itself looks at the change times of QEMU and of its drivers, and asks anew where they differ.
capabilities=$(dirname "$root")/capabilities-${root##*/root-}-$daemon.tar
if [ -e "$capabilities" ]; then
	cp "$capabilities" "$share/capabilities.tar"
	touch "$capabilities" 2>/dev/null || true
fi
keep_capabilities() {
	[ -e "$share/found.tar" ] && ! cmp --quiet "$share/found.tar" "$capabilities" || return 0
	cp "$share/found.tar" "$capabilities.$$" 2>/dev/null && mv "$capabilities.$$" "$capabilities"
}

tell() { # BOOT
	cat >"$share/env" <<-END
		LAB_SUITE=$suite
		LAB_DAEMON=$daemon
		LAB_BOOT=$1
		LAB_BUILD=${build:+/build}
		LAB_KERNEL=${modules##*/}
		LAB_TIMEOUT=$limit
		LAB_SHELL=$shell
		LAB_RESULTS=${LAB_RESULTS:+/lab/out/results.tsv}
	END
}

# --- the machine ----------------------------------------------------------------------------------------------------------

machine=(-machine "q35,kernel-irqchip=split" -accel "tcg,thread=multi,tb-size=512" -cpu Nehalem -smp "$cpus" -m "$memory"
	-nodefaults -no-user-config -display none -no-reboot -kernel "$kernel" -initrd "$initramfs"
	-chardev "file,id=console,path=$work/console,append=on" -serial chardev:console)
[ -z "$iommu" ] || machine+=(-device "intel-iommu,intremap=on,caching-mode=on")

shared() { # TAG DIRECTORY [,readonly=on]
	machine+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap${3:-}" -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}
shared root "$root" ,readonly=on
shared modules "$modules" ,readonly=on
shared run "$share"
shared src "$source_dir" ,readonly=on
[ -z "$build" ] || shared build "$(readlink -f "$build")" ,readonly=on

if [ -n "$shell" ]; then
	machine+=(-chardev "stdio,id=shell,signal=off" -serial chardev:shell)
else
	machine+=(-add-fd "fd=3,set=1" -add-fd "fd=4,set=2"
		-chardev "file,id=stdout,path=/dev/fdset/1,append=on" -chardev "file,id=stderr,path=/dev/fdset/2,append=on"
		-device "virtio-serial-pci,max_ports=4"
		-device "virtserialport,chardev=stdout,nr=1,name=stdout" -device "virtserialport,chardev=stderr,nr=2,name=stderr")
fi

# Two NVMe controllers with SR-IOV: 0000:01:00.0 and 0000:02:00.0
for bus in 1 2; do
	machine+=(-device "pcie-root-port,id=port$bus,chassis=$bus,slot=$bus,bus=pcie.0" -device "nvme-subsys,id=subsys$bus,nqn=lab$bus"
		-device "nvme,serial=lab$bus,bus=port$bus,subsys=subsys$bus,sriov_max_vfs=$vfs,sriov_vq_flexible=$((vfs * 2)),sriov_vi_flexible=$vfs,max_ioqpairs=$((vfs * 2 + 2)),msix_qsize=$((vfs + 2))")
done
# Empty root ports, under which the module shows its GPUs; on a host bridge of their own, so that these are 0000:41:00.0 …
[ "$gpus" -eq 0 ] || machine+=(-device "pxb-pcie,id=gpus,bus_nr=64,bus=pcie.0")
for ((gpu = 0; gpu < gpus; gpu++)); do
	machine+=(-device "pcie-root-port,id=gpu$gpu,chassis=$((gpu + 65)),slot=$((gpu + 65)),bus=gpus,addr=$gpu")
done

# Time is read from the HPET: the TSC is measured at boot, and a busy host makes that measurement wrong by a multiple.
arguments="console=ttyS0 loglevel=4 panic=-1 log_buf_len=4M mitigations=off tsc=reliable no_timer_check clocksource=hpet random.trust_cpu=on nokaslr"
arguments+=" audit=0 selinux=0 apparmor=0 cryptomgr.notests vfio_iommu_type1.allow_unsafe_interrupts=1"
[ -z "$iommu" ] || arguments+=" intel_iommu=on,sm_off"

exec 3>&1 4>&2
qemu=
trap 'rm -rf "$work"; [ -z "$qemu" ] || kill "$qemu" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

boot() {
	rm -f "$share/end"
	tell "$1"
	# The lab minds the command's time itself; this one is for a lab that does not.
	if [ -n "$shell" ]; then
		qemu-system-x86_64 "${machine[@]}" -append "$arguments" 2>"$work/qemu.log"
	else
		setpriv --pdeathsig TERM timeout --kill-after=5 $((limit + 120)) qemu-system-x86_64 "${machine[@]}" -append "$arguments" </dev/null >"$work/qemu.log" 2>&1 3>&3 4>&4 &
		qemu=$!
		wait "$qemu"
		qemu=
	fi
}

# --- how it ended ---------------------------------------------------------------------------------------------------------

died() {
	echo "lab: $1; the console's end:" >&2
	tail -n 40 "$work/console" >&2
	tail -n 10 "$work/qemu.log" >&2
	status=99
}

status=
booted=0
while [ -z "$status" ]; do
	booted=$((booted + 1))
	qemu_status=0
	boot "$booted" || qemu_status=$?
	how=$(cat "$share/end" 2>/dev/null || true)
	case $how in
	exit\ *) status=${how#exit } ;;
	reboot)
		if [ "$booted" -eq "$boots" ]; then
			echo "lab: it wants to boot more often than --boots $boots" >&2
			status=98
		fi
		;;
	*)
		if [ "$qemu_status" = 124 ] || [ "$qemu_status" = 137 ]; then
			died "no answer within the time limit"
			status=124
		else
			died "it went down without being told to (QEMU's exit status $qemu_status)"
		fi
		;;
	esac
done
[ "$status" != 137 ] || status=124
[ "$status" != 124 ] || echo "lab: the time limit of $limit s is over" >&2

faults=$(cat "$share/out/dmesg" "$work/console" 2>/dev/null | grep -aE 'WARNING:|BUG:|Oops|Call Trace|general protection|Kernel panic' |
	grep -avE -f <(grep -v '^#' "$here/guest/known-kernel-lines") | sort -u || true)
if [ -n "$faults" ]; then
	printf 'lab: the kernel says (the command ended with %s):\n%s\n' "$status" "$faults" >&2
	case $status in 99 | 124) ;; *) status=97 ;; esac
fi
keep_capabilities
[ -z "${LAB_RESULTS:-}" ] || [ ! -e "$share/out/results.tsv" ] || cat "$share/out/results.tsv" >>"$LAB_RESULTS"
if [ -n "$out" ]; then
	mkdir -p "$out"
	cp "$work/console" "$share/out/console"
	cp "$share/up_at_command" "$share/out/" 2>/dev/null || true
	cp -r "$share/out/." "$out/"
fi
exit "$status"

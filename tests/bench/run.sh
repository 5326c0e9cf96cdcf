#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Measures gpupart against its targets and prints a table. Ratios of neighbours from one run: a bare time of a shared
# machine says nothing. A missed target is no failure; the exit code is 1 only when something could not be measured.
#
#   tests/bench/run.sh           all of it, some minutes
#   tests/bench/run.sh --quick   without the machine of sixteen times the size, and without libvirt
set -euo pipefail
cd "$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")"
quick=
case ${1:-} in
'') ;;
--quick) quick=1 ;;
*) echo "Usage: tests/bench/run.sh [--quick]" >&2; exit 64 ;;
esac
export NO_COLOR=1

contrib/packages.sh build bench
build=build/bench
mkdir -p build
if ! { cmake -S . -B "$build" -G Ninja -DGP_TESTS=OFF -DGP_BENCH=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
	cmake --build "$build"; } >build/bench.log 2>&1; then
	tail -n 30 build/bench.log >&2
	exit 1
fi
gpupart=$PWD/$build/bin/gpupart
pairs=$PWD/$build/tests/bench/pairs
floor_files=$PWD/$build/tests/bench/floor_files
floor_yaml=$PWD/$build/tests/bench/floor_yaml
reads=$PWD/tests/bench/reads.awk
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# ---- machines and files ----

# GPUs of 16 VFs each, half of which are bound to VMs; half of the VMs run.
describe_machine() { # GPUS
	local gpus=$1 domain count vms=$(($1 * 8))
	local half=$((vms / 2))
	printf 'version: 1\nhostname: bench\ngpus:\n'
	for ((domain = 0; domain * 128 < gpus; domain++)); do
		count=$((gpus - domain * 128))
		printf '  - {address: "%04x:10:00.0", repeat: %d, preset: flex-170, vfs: 16, autoprobe: false}\n' \
			"$domain" $((count > 128 ? 128 : count))
	done
	printf 'vms:\n'
	printf '  - {names: ["vm-[%05d-%05d]"], state: running, hostdevs: [{vf: "0000:10:00.0/0", ours: vdi}]}\n' 1 "$half"
	printf '  - {names: ["vm-[%05d-%05d]"], hostdevs: [{vf: "%04x:%02x:00.0/0", ours: vdi}]}\n' \
		$((half + 1)) "$vms" $((half / 16 / 128)) $((16 + half / 16 % 128))
}

describe_want() { # GPUS
	printf 'version: 1\ngpus:\n  - {class: vdi, match: {model: Flex 170}, expect: %d, partitions: 16}\n' "$1"
	printf 'vms:\n  - {names: ["vm-[00001-%05d]"], partition: vdi}\n' $(($1 * 8))
}

# machine-NAME, and what a plan of want-NAME.yaml looks up in it: names-NAME, and there-NAME without what is not there.
make_from() { # NAME
	local name=$1 said kind path
	"$gpupart" sim create "machine-$name" "host-$name.yaml" >/dev/null
	said=$("$gpupart" plan --root "machine-$name" "want-$name.yaml")
	if [ "$said" != "No changes." ]; then
		echo "a plan for the machine $name says: $said" >&2
		exit 1
	fi
	strace -f -y -o "trace-$name" -e trace=open,openat,openat2,readlink,readlinkat \
		"$gpupart" plan --root "machine-$name" "want-$name.yaml" >/dev/null
	awk -v below="$work" -f "$reads" "trace-$name" >"names-$name"
	while read -r kind path; do
		if [ -e "$path" ] || [ -L "$path" ]; then echo "$kind $path"; fi
	done <"names-$name" >"there-$name"
}

make_machine() { # GPUS
	describe_machine "$1" >"host-$1.yaml"
	describe_want "$1" >"want-$1.yaml"
	make_from "$1"
}

# 32 GPUs of A16 boards, 16 VFs each, all of type A16-1Q; half of them bound to VMs, of which half run.
make_a16() { # FRAMEWORK
	cat >"host-a16-$1.yaml" <<-END
		version: 1
		hostname: bench
		gpus:
		  - {address: "0000:10:00.0", repeat: 32, preset: a16, framework: $1, vfs: 16, profile: A16-1Q}
		vms:
		  - {names: ["vm-[001-128]"], state: running, hostdevs: [{vf: "0000:10:00.0/0", ours: vdi}]}
		  - {names: ["vm-[129-256]"], hostdevs: [{vf: "0000:18:00.0/0", ours: vdi}]}
	END
	cat >"want-a16-$1.yaml" <<-END
		version: 1
		gpus:
		  - {class: vdi, match: {model: A16}, expect: 32, partitions: 16, series: Q}
		vms:
		  - {names: ["vm-[001-256]"], partition: vdi}
	END
	make_from "a16-$1"
}

describe_many_vms() { # COUNT
	printf 'version: 1\ngpus:\n  - {class: vdi, match: {model: Flex 170}, expect: 32, partitions: 16}\nvms:\n'
	for ((i = 1; i <= $1; i++)); do
		printf '  - name: vm-%05d\n    partition: {class: vdi, vram: {min: 512MiB, max: 2GiB}}\n' "$i"
		printf '    disruption: restart\n'
	done
}

# ---- the table ----

row() { # WHAT RESULT TARGET VERDICT
	printf '%-58s %10s %10s  %s\n' "$@"
}

# met A B: is A at most B?
met() {
	awk -v a="$1" -v b="$2" 'BEGIN { print (a <= b) ? "met" : "MISSED" }'
}

# "wall 1.37 cpu 1.38 peak-kib 3756 vs 1668 pairs 100": the nth word.
word() {
	awk -v n="$2" '{ print $n }' <<<"$1"
}

measure_plan() {
	local result mib
	result=$("$pairs" 200 "$gpupart" plan --root machine-32 want-32.yaml --vs "$floor_files" names-32)
	mib=$(awk -v kib="$(word "$result" 6)" 'BEGIN { printf "%.1f", kib / 1024 }')
	row "no-op plan, 32 GPUs x 16 VFs, 256 VMs: time over floor" "$(word "$result" 2)" 1.50 \
		"$(met "$(word "$result" 2)" 1.5)"
	row "  processor time over floor" "$(word "$result" 4)" "" ""
	row "  names looked up (all in the floor)" "$(wc -l <names-32)" "" ""
	row "  peak memory, MiB" "$mib" 16.0 "$(met "$mib" 16)"
	result=$("$pairs" 200 "$gpupart" plan --root machine-32 want-32.yaml --vs "$floor_files" there-32)
	row "  time over a floor without the $(($(wc -l <names-32) - $(wc -l <there-32))) names that are not there" \
		"$(word "$result" 2)" "" ""
}

measure_writes() { # MACHINE
	local opened
	strace -f -y -o trace -e trace=file,desc "$gpupart" plan --root "machine-$1" "want-$1.yaml" >/dev/null
	opened=$(grep -cE 'O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)' trace || true)
	row "  files opened for writing" "$opened" 0 "$(met "$opened" 0)"
}

measure_a16() { # FRAMEWORK TITLE
	local result name=a16-$1
	make_a16 "$1"
	result=$("$pairs" 200 "$gpupart" plan --root "machine-$name" "want-$name.yaml" --vs "$floor_files" "names-$name")
	row "no-op plan, 32 A16 x 16 VFs, 256 VMs, $2: time over floor" "$(word "$result" 2)" 1.50 \
		"$(met "$(word "$result" 2)" 1.5)"
	row "  processor time over floor" "$(word "$result" 4)" "" ""
	row "  names looked up (all in the floor)" "$(wc -l <"names-$name")" "" ""
	row "  peak memory, MiB" "$(awk -v kib="$(word "$result" 6)" 'BEGIN { printf "%.1f", kib / 1024 }')" 16.0 \
		"$(met "$(word "$result" 6)" 16384)"
	measure_writes "$name"
}

measure_growth() {
	local result exponent
	make_machine 512
	result=$("$pairs" 10 "$gpupart" plan --root machine-512 want-512.yaml \
		--vs "$gpupart" plan --root machine-32 want-32.yaml)
	exponent=$(awk -v r="$(word "$result" 4)" 'BEGIN { printf "%.2f", log(r) / log(16) }')
	row "16 times the size (512 x 16, 4096 VMs): processor time" "$(word "$result" 4)x" 16x \
		"$(met "$(word "$result" 4)" 16)"
	row "  growth exponent" "$exponent" 1.00 "$(met "$exponent" 1)"
	row "  peak memory, MiB" "$(awk -v kib="$(word "$result" 6)" 'BEGIN { printf "%.1f", kib / 1024 }')" "" ""
	row "  names looked up" "$(wc -l <names-512)" "" ""
}

measure_validate() {
	local result
	describe_many_vms 10000 >many.yaml
	result=$("$pairs" 50 "$gpupart" validate many.yaml --vs "$floor_yaml" many.yaml)
	row "validate, 10,000 VMs ($(wc -l <many.yaml) lines): time over floor" "$(word "$result" 2)" 2.00 \
		"$(met "$(word "$result" 2)" 2)"
	row "  processor time over floor" "$(word "$result" 4)" "" ""
	row "  peak memory, MiB" "$(awk -v kib="$(word "$result" 6)" 'BEGIN { printf "%.1f", kib / 1024 }')" "" ""
}

measure_libvirt() {
	local here=$OLDPWD/tests/bench/libvirt bench=$OLDPWD/$build/tests/bench/libvirt/libvirt_bench shape root
	local shapes=("1000 31 10" "1000 31 1" "3000 15 10" "3000 15 1") # domains, pairs, hostdevs in every so many
	[ -x "$bench" ] || return 0
	echo
	echo "libvirt $(virsh --version), observing over a bare list and XML fetch (target: at most 1.20):"
	for shape in "${shapes[@]}"; do
		# shellcheck disable=SC2086  # words on purpose
		"$here/run.sh" "$bench" $shape || [ $? = 77 ]
	done
	# The lab's root of Debian 13 has a newer one, where that was made already.
	for root in "${GPUPART_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gpupart-lab}"/root-trixie-*; do
		[ -d "$root" ] || continue
		echo "the same with the libvirt of the lab's Debian 13:"
		for shape in "${shapes[@]}"; do
			# shellcheck disable=SC2086  # words on purpose
			"$here/in-root.sh" "$root" "$OLDPWD/$build" $shape || [ $? = 77 ]
		done
		break
	done
}

echo "$(nproc) processors, $(uname -sr), load $(cut -d' ' -f1 /proc/loadavg)"
row "" result target ""
make_machine 32
measure_plan
measure_writes 32
measure_a16 vfio "vendor VFIO"
measure_a16 mdev mdev
[ -n "$quick" ] || measure_growth
measure_validate
[ -n "$quick" ] || measure_libvirt

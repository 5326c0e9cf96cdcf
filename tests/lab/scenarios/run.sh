#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   tests/lab/scenarios/run.sh [--sim] SUITE DAEMON SCENARIO.sh…
#
# Plays scenarios on the simulated machine and, in one lab, on Linux and libvirt, and compares: a row of the table for each
# and for each thing that one of the two cannot show. --sim: the simulated machine alone.
#
# GPUPART is the program, LAB_BUILD its build directory, LAB_OUT gets transcripts and logs, LAB_RESULTS the rows.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(readlink -f "$here/../../..")
sim_only=''
if [ "${1:-}" = --sim ]; then
	sim_only=1
	shift
fi
[ $# -ge 3 ] || {
	echo "usage: run.sh [--sim] SUITE DAEMON SCENARIO.sh…" >&2
	exit 64
}
export LAB_SUITE=$1 LAB_DAEMON=$2
shift 2
build=${LAB_BUILD:-$top/build/gcc}
GPUPART=${GPUPART:-$build/bin/gpupart}
PATH=$(dirname "$GPUPART"):$PATH
out=${LAB_OUT:-}
if [ -z "$out" ]; then
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
fi
rm -rf "${out:?}/sim" "$out/lab"
mkdir -p "$out/sim" "$out/lab"
rows=${LAB_RESULTS:-/dev/null}
export -n LAB_RESULTS 2>/dev/null || true
case $LAB_SUITE in
bookworm) where='libvirt 9.0' ;;
trixie) where='libvirt 11.3' ;;
esac
[ "$LAB_DAEMON" = libvirtd ] || where="$where, $LAB_DAEMON"

# All that the guests run: a ROM, which travels in the environment.
guest_rom() {
	as --32 -o "$out/power-button.o" "$here/../guest-os/power-button-rom.S"
	ld -m elf_i386 -Ttext 0 -e start --oformat binary -o "$out/power-button.rom" "$out/power-button.o"
	gzip --best <"$out/power-button.rom" | base64 -w 0
}

play_simulated() {
	echo "--- simulated"
	SCENARIO_RESULTS=$out/sim LAB_PLAYER=${LAB_PLAYER:-$build/tests/lab/traces/play} "$here/../scenario.sh" sim "$@"
}

# How often the lab boots: as often as the scenario with the most parts has parts.
boots_of() {
	cat "$@" | sed -n 's/^part_\([0-9]*\)().*/\1/p' | sort -n | tail -n 1
}

play_in_lab() {
	local guest_os boots
	echo "--- $where"
	guest_os=$(guest_rom)
	boots=$(boots_of "$@")
	lab_status=0
	"$here/../run.sh" --suite "$LAB_SUITE" --daemon "$LAB_DAEMON" --build "$build" --boots "$boots" --out "$out/lab" \
		--timeout "${LAB_LIMIT:-1200}" -- \
		env "LAB_GUEST_OS=$guest_os" "LAB_PATIENCE=${LAB_PATIENCE:-90}" bash /src/tests/lab/scenario.sh lab "${@/#"$top"/\/src}" || lab_status=$?
}

failed_in() { # WORLD NAME: did a check of it fail, or did it not end?
	[ ! -e "$out/$1/complete" ] || grep -q "^$2	" "$out/$1/failures" 2>/dev/null
}

row() {
	(
		IFS=$'\t'
		echo "$*"
	) | tee -a "$rows"
}

# compare NAME: its row, and the rows of what only one world shows
compare() {
	local simulated=pass real=pass verdict=equal
	if failed_in sim "$1"; then simulated=FAIL; fi
	if failed_in lab "$1"; then real=FAIL; fi
	if ! diff -u --label "$1: simulated" --label "$1: $where" "$out/sim/$1.transcript" "$out/lab/$1.transcript"; then
		verdict=DIFFERS
	fi
	row "$1" "$where" "$simulated" "$real" "$verdict"
	[ "$simulated $real $verdict" = 'pass pass equal' ] || result=1
}

rows_of_one_world() { # WORLD
	local name world verdict reason
	[ -e "$out/$1/only" ] || return 0
	while IFS=$'\t' read -r name world verdict reason; do
		case $world in
		lab) row "$name" "$where" - "$verdict" "lab only: $reason" ;;
		sim) row "$name" "$where" "$verdict" - "simulated only: $reason" ;;
		esac
	done <"$out/$1/only"
}

scenarios=()
for scenario; do scenarios+=("$(readlink -f "$scenario")"); done
result=0
if [ -n "$sim_only" ]; then
	play_simulated "${scenarios[@]}"
	exit
fi
play_simulated "${scenarios[@]}" >"$out/sim/log" 2>&1 & # it mostly waits, while the lab computes
simulated=$! sim_status=0
play_in_lab "${scenarios[@]}"
wait "$simulated" || sim_status=$?
cat "$out/sim/log"
case $lab_status in 77) exit 77 ;; esac
mv "$out/lab/scenarios"/* "$out/lab/" 2>/dev/null || true
echo "--- compared"
for scenario in "${scenarios[@]}"; do compare "$(basename "$scenario" .sh)"; done
rows_of_one_world lab
rows_of_one_world sim
[ "$sim_status" -eq 0 ] && [ "$lab_status" -eq 0 ] || result=1
exit $result

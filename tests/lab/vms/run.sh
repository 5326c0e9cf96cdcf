#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   run.sh [--record] PLAYER [SCRIPT.vm]…
#
# Plays the scripts on a real libvirt in the lab (LAB_SUITE, LAB_DAEMON) and on the simulated machine, and compares. A row of
# the table a script. --record keeps the traces of the real one in expected/RELEASE, against which every build plays the
# simulated machine.
# Exit 0: all are equal; 1: some differ; 77: no lab here.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
record=
if [ "${1:-}" = --record ]; then
	record=1
	shift
fi
player=$1 suite=${LAB_SUITE:-bookworm} daemon=${LAB_DAEMON:-libvirtd}
shift
[ $# -gt 0 ] || set -- "$here"/scripts/*.vm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The build is seen as /build in the lab, this checkout as /src.
build=$(dirname "$(dirname "$player")")
while [ ! -e "$build/CMakeCache.txt" ] && [ "$build" != / ]; do
	build=$(dirname "$build")
done
scripts=()
for script in "$@"; do
	scripts+=("/src/tests/lab/vms/scripts/$(basename "$script")")
done
# The guest that hears the power button: one boot sector, handed to the lab as text.
as --32 -o "$work/guest.o" "$here/../guest-os/power-button.S"
ld -m elf_i386 -Ttext 0x7c00 -e start --oformat binary -o "$work/guest.img" "$work/guest.o"
status=0
LAB_RESULTS='' "$here/../run.sh" --suite "$suite" --daemon none --build "$build" --out "$work/lab" --gpus 0 --timeout 900 \
	-- bash /src/tests/lab/vms/in-lab.sh "$daemon" "$(base64 -w 0 "$work/guest.img")" "/build/${player#"$build"/}" \
	"${scripts[@]}" || status=$?
[ $status -ne 77 ] || exit 77
[ $status -eq 0 ] || {
	echo "the scripts could not be played in the lab: exit $status"
	tail -n 5 "$work/lab/words" || true
	exit 1
}
release=$(cat "$work/lab/release")
mkdir "$work/simulated"
"$player" sim "$here/machine.yaml" "$release" "$work/simulated" "$@" 2>"$work/words"

failed=0
rows=${LAB_RESULTS:-/dev/null}
for script in "$@"; do
	name=$(basename "$script" .vm)
	simulated=pass real=pass verdict=equal
	if ! diff -U 8 --label "libvirt $release, $name" --label simulated "$work/lab/traces/$name.trace" "$work/simulated/$name.trace"; then
		grep "^$name.vm:" "$work/lab/words" | sed 's/^/real: /' || true
		grep "^$name.vm:" "$work/words" | sed 's/^/simulated: /' || true
		simulated=FAIL verdict=DIFFERS
		failed=1
	fi
	printf 'VMs: %s\tlibvirt %s, %s\t%s\t%s\t%s\n' "$name" "${release%.*}" "$daemon" "$simulated" "$real" "$verdict" | tee -a "$rows"
	if [ -n "$record" ]; then
		mkdir -p "$here/expected/$release"
		cp "$work/lab/traces/$name.trace" "$here/expected/$release/"
	fi
done
exit $failed

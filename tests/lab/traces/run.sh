#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [--record | --sim] [SCRIPT…]: plays scripts (README.md beside this file; default: all) and compares.
#   (nothing)  on the lab's kernel and on a simulated machine: the traces must be equal
#   --record   the same, and what the lab's kernel did becomes expected/NAME.trace
#   --sim      on a simulated machine alone, against expected/NAME.trace: needs no lab
# GPUPART is the program, GP_BINARY_DIR the build directory. Exit status 1 on any difference, 77 where the lab cannot be.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(readlink -f "$here/../../..")
build=${GP_BINARY_DIR:-$top/build/gcc}
gpupart=${GPUPART:-$build/bin/gpupart}
player=$build/tests/lab/traces/play
how=compare
case ${1:-} in --record | --sim) how=${1#--}; shift ;; esac
[ $# -gt 0 ] || set -- "$here"/*.play
for script; do set -- "${@:2}" "$(readlink -f "$script")"; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lab" "$work/sim"

say() { printf '%s\t%s\t%s\t%s\t%s\n' "$@" | tee -a "${LAB_RESULTS:-/dev/null}"; }

# play_simulated SCRIPT NAME: each script on a machine of its own.
play_simulated() {
	local machine=$work/machine
	rm -rf "$machine"
	"$gpupart" sim create "$machine" "$here/$(sed -n 's/^# machine: //p' "$1").yaml" >"$work/log" &&
		"$player" --sim "$machine" "$1" >"$work/sim/$2.trace"
}

if [ "$how" != sim ]; then
	status=0
	"$top/tests/lab/run.sh" --daemon none --build "$build" --out "$work/lab" --timeout 300 -- \
		bash /src/tests/lab/traces/guest.sh /build/tests/lab/traces/play /lab/out "${@/#"$top"/\/src}" || status=$?
	# 1: a script failed, which its row tells.
	[ $status -le 1 ] || exit $status
fi

failed=0
for script; do
	name=$(basename "$script" .play)
	simulated=pass real=pass verdict=equal
	play_simulated "$script" "$name" || simulated=FAIL
	if [ "$how" = sim ]; then
		real=-
		cp "$here/expected/$name.trace" "$work/lab/" || real=FAIL
	else
		[ -e "$work/lab/$name.trace" ] && ! grep -q '^NOT AS EXPECTED' "$work/lab/$name.trace" || real=FAIL
	fi
	diff -u --label "$name: Linux" --label "$name: simulated" "$work/lab/$name.trace" "$work/sim/$name.trace" || verdict=DIFFERS
	say "trace $name" 'kernel 6.1' "$simulated" "$real" "$verdict"
	[ "$simulated $verdict" = 'pass equal' ] && [ "$real" != FAIL ] || failed=1
	[ "$how" != record ] || [ "$real" = FAIL ] || cp "$work/lab/$name.trace" "$here/expected/"
done
if [ -e "$work/lab/rest.names" ] && ! "$here/rest.sh" "$work/lab/rest.names"; then failed=1; fi
exit $failed

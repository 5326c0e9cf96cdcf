#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   expected.sh PLAYER [SCRIPT.vm]…
#
# Plays the scripts on the simulated machine, once as each release of libvirt that was played on: the traces must be those
# that the real one left in expected/. A script that was not recorded on one of them fails (run.sh --record), and so does a
# recording without a script.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
player=$1
shift
[ $# -gt 0 ] || set -- "$here"/scripts/*.vm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

if ! compgen -G "$here/expected/*/" >/dev/null; then
	echo "nothing was recorded"
	exit 1
fi
for expected in "$here"/expected/*/; do
	release=$(basename "$expected")
	mkdir "$work/$release"
	"$player" sim "$here/machine.yaml" "$release" "$work/$release" "$@" 2>"$work/$release.words" || {
		cat "$work/$release.words"
		exit 1
	}
	for script in "$@"; do
		name=$(basename "$script" .vm)
		if [ ! -e "$expected$name.trace" ]; then
			echo "$name was not recorded on libvirt $release"
			failed=1
			continue
		fi
		diff -U 8 --label "libvirt $release, $name" --label "simulated" "$expected$name.trace" "$work/$release/$name.trace" && continue
		grep "^$name.vm:" "$work/$release.words" || true
		failed=1
	done
	for trace in "$expected"*.trace; do
		[ ! -e "$trace" ] || [ -e "$here/scripts/$(basename "$trace" .trace).vm" ] || {
			echo "$trace is of no script"
			failed=1
		}
	done
done
exit $failed

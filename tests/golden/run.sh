#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs one golden case (or all of them, without an argument). See README.md beside this file.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(dirname "$(dirname "$here")")
GPUPART=${GPUPART:-$top/build/gcc/bin/gpupart}
export LC_ALL=C.UTF-8 NO_COLOR=1 TZ=UTC
unset UPDATE_FAILED

fail() {
	echo "FAIL $name: $*" >&2
	exit 1
}

# compare FILE: holds $work/FILE against expected/FILE.
compare() {
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		mkdir -p "$case/expected"
		cp "$work/$1" "$case/expected/$1"
	else
		diff -u "$case/expected/$1" "$work/$1" || fail "$1 is not as expected"
	fi
}

# In the machine's folder, so that no path of this machine is printed.
gpupart() { (cd "$work" && "$GPUPART" "$@"); }

# play FILE: one line, one `gpupart sim` command; the machine's folder is put in after the verb.
play() {
	while read -r verb rest; do
		case $verb in '' | '#'*) continue ;; esac
		# shellcheck disable=SC2086  # words on purpose
		gpupart sim "$verb" machine $rest >>"$work/setup.log" 2>&1 || fail "setup: sim $verb $rest: $(cat "$work/setup.log")"
	done <"$1"
}

# with_status FILE COMMAND…: output of both streams and the exit status.
with_status() {
	local file=$work/$1 status=0
	shift
	"$@" >"$file.out" 2>"$file.err" || status=$?
	# What apply saves carries the time in its name.
	{
		cat "$file.out"
		[ -s "$file.err" ] && { echo "--- stderr"; cat "$file.err"; }
		echo "--- exit $status"
	} | sed -E 's#previous/[^ ]*\.yaml#previous/TIME.yaml#; s/ in [0-9]+\.[0-9]s$//' >"$file"
}

state() { python3 "$top/tests/support/state.py" "$work/machine"; }
writes() { cat "$work/machine/.sim/writes" 2>/dev/null || echo 0; }

# JSON parses, and says "changed" as the text does.
check_json() {
	gpupart plan --json --root machine "$want" >"$work/plan.json" 2>/dev/null || true
	python3 - "$work/plan.json" "$work/plan.txt.out" <<'END' || fail "plan --json disagrees with plan"
import json, sys
plan = json.load(open(sys.argv[1]))
if plan["kind"] == "plan":
    text = open(sys.argv[2]).read()
    sys.exit(plan["changed"] == text.startswith("No changes."))
END
}

# One round: plan, apply, plan.
round() {
	local suffix=$1 before
	before=$(state; writes)
	with_status "plan$suffix.txt" gpupart plan --root machine "$want"
	[ "$before" = "$(state; writes)" ] || fail "plan has changed the machine"
	cp "$work/plan$suffix.txt" "$work/first"
	with_status "plan$suffix.txt" gpupart plan --root machine "$want"
	cmp -s "$work/first" "$work/plan$suffix.txt" || fail "two plans of the same state differ"
	compare "plan$suffix.txt"
	[ -n "$suffix" ] || check_json
	with_status "apply$suffix.full" gpupart apply --yes --root machine "$want"
	# The plan was compared already; progress lines come in the order in which chains finish.
	{
		{ sed -n '/^\(Applied\|Not all applied\)/,$p' "$work/apply$suffix.full.out" | sed -E 's#previous/[^ ]*\.yaml#previous/TIME.yaml#'; }
		{ grep -vE '^\[[0-9]+/[0-9]+\]' "$work/apply$suffix.full.err" || true; } | grep -v '^      step ' || true
		tail -n 1 "$work/apply$suffix.full"
	} >"$work/apply$suffix.txt"
	compare "apply$suffix.txt"
	state >"$work/after$suffix.txt"
	compare "after$suffix.txt"
	with_status "again$suffix.txt" gpupart plan --root machine "$want"
	compare "again$suffix.txt"
	if grep -q '^No changes\.' "$work/again$suffix.txt.out"; then
		before=$(state; writes)
		gpupart apply --yes --root machine "$want" >"$work/second.out" 2>"$work/second.err" || fail "the second apply fails: $(cat "$work/second.err")"
		[ "$before" = "$(state; writes)" ] || fail "the second apply has changed something"
	fi
}

run_case() {
	case=$here/$1
	name=$1
	[ -e "$case/host.yaml" ] || fail "there is no $case/host.yaml"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	want=want.yaml
	[ -d "$case/want" ] && want=want
	cp -r "$case/$want" "$case/host.yaml" "$work/"
	gpupart sim create machine host.yaml >"$work/setup.log" 2>&1 || fail "sim create: $(cat "$work/setup.log")"
	if [ -e "$case/setup" ]; then play "$case/setup"; fi
	round ''
	if [ -e "$case/between" ]; then
		play "$case/between"
		round -2
	fi
	echo "ok $name"
}

if [ $# -gt 0 ]; then
	run_case "$1"
else
	status=0
	for host in "$here"/*/host.yaml; do
		("$0" "$(basename "$(dirname "$host")")") || status=1
	done
	exit $status
fi

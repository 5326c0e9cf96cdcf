#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs one golden case (or all of them, without an argument). See README.md beside this file.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(dirname "$(dirname "$here")")
GPUPART=${GPUPART:-$top/build/gcc/bin/gpupart}
export LC_ALL=C.UTF-8 NO_COLOR=1 TZ=UTC

fail() {
	echo "FAIL $name: $*" >&2
	exit 1
}

# compare FILE: holds $work/FILE against expected/FILE.
compare() {
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		cp "$work/$1" "$case/expected/$1"
	else
		diff -u "$case/expected/$1" "$work/$1" || fail "$1 is not as expected"
	fi
}

# In the machine's folder, so that no path of this machine is printed.
gpupart() { (cd "$work" && "$GPUPART" "$@"); }

# What differs from run to run: the time in the name of a saved state, how long a step took, where this runs, where the
# schema is installed, and why root cannot read what others may not.
plain() {
	sed -E "s#$work/##g; s#previous/[^ ]*\.yaml#previous/TIME.yaml#; s/ in [0-9]+\.[0-9]s\$//
		s#schema=[^ ]*/gpupart\.schema#schema=SCHEMAS/gpupart.schema#
		s/Too many levels of symbolic links|Permission denied/REASON/g"
}

# play FILE: one line, one `gpupart sim` command; the machine's folder is put in after the verb. And a few things that
# people do without gpupart, or with another command of it.
play() {
	local verb rest
	while read -r verb rest; do
		case $verb in
		'' | '#'*) continue ;;
		rm) rm "$work/machine/$rest" || fail "$1: rm $rest" ;;
		try)
			# shellcheck disable=SC2086  # words on purpose
			gpupart sim "${rest%% *}" machine ${rest#* } >>"$work/setup.log" 2>&1 || true # others fail, too
			;;
		empty) : >"$work/machine/$rest" || fail "$1: empty $rest" ;;
		export) gpupart export --root machine >"$work/$rest" || fail "$1: export" ;;
		back) cp "$(find "$work/machine/var/lib/gpupart/previous" -name '*.yaml' | sort | tail -n 1)" "$work/$rest" ;;
		*)
			# shellcheck disable=SC2086  # words on purpose
			gpupart sim "$verb" machine $rest >>"$work/setup.log" 2>&1 || fail "$1: sim $verb $rest: $(cat "$work/setup.log")"
			;;
		esac
	done <"$1"
}

# with_status FILE COMMAND…: output of both streams and the exit status, which stays in $status.
with_status() {
	local file=$work/$1
	status=0
	shift
	"$@" >"$file.out" 2>"$file.err" || status=$?
	if grep -qE 'AddressSanitizer|LeakSanitizer|runtime error:' "$file.err"; then fail "$*: $(cat "$file.err")"; fi
	{
		cat "$file.out"
		if [ -s "$file.err" ]; then
			echo "--- stderr"
			cat "$file.err"
		fi
		echo "--- exit $status"
	} | plain >"$file"
}

# Every path of a JSON document once: its shape without its values.
keys() {
	python3 -c '
import json, sys
def walk(path, value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield path + "." + key
            yield from walk(path + "." + key, item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(path + "[]", item)
print("\n".join(sorted(set(walk("", json.load(sys.stdin))))))'
}

# Reading commands, one a line without "--root machine"; "keys COMMAND…" shows the keys of its JSON alone.
show() {
	local line root shown=$1
	[ -e "$case/commands" ] || return 0
	while read -r line; do
		root="--root machine"
		case $line in
		'' | '#'*) continue ;;
		validate*) root="--host gpu-01" ;; # reads the files alone
		esac
		echo "\$ gpupart ${line#keys }"
		# shellcheck disable=SC2086  # words on purpose
		with_status command gpupart ${line#keys } $root
		case $line in
		keys\ *) keys <"$work/command.out" ;;
		*) cat "$work/command" ;;
		esac
		echo
	done <"$case/commands" >"$work/$shown"
	compare "$shown"
}

state() { python3 "$top/tests/support/state.py" "$work/machine"; }

# Every file of the machine, with the time of its last change and what it holds, as far as it can be read (`bind` cannot).
fingerprint() { tar -C "$work" -cf - --sort=name --ignore-failed-read machine 2>/dev/null | cksum; }

# JSON parses, and says "changed" as the text does.
check_json() {
	gpupart plan --json --root machine "$want" >"$work/plan.json" 2>/dev/null || true
	python3 - "$work/plan.json" "$work/$1.out" <<'PYTHON' || fail "plan --json disagrees with plan"
import json, sys
plan = json.load(open(sys.argv[1]))
if plan["kind"] == "plan":
    text = open(sys.argv[2]).read()
    sys.exit(plan["changed"] != text.startswith("Changes to host"))
PYTHON
}

# apply's result. The plan was compared already; progress lines come in the order in which chains finish.
apply() {
	with_status apply.full gpupart apply --yes --root machine "$want"
	{
		sed -n '/^\(Applied\|Not all applied\)/,$p' "$work/apply.full.out"
		grep -vE '^\[[0-9]+/[0-9]+\]|^      step |^Observed again:|^[^ ]*run\.sh: line [0-9]+: .* Killed ' "$work/apply.full.err" || true
		echo "--- exit $status"
	} | plain >"$work/$1"
}

# One round: plan, apply, plan.
round() {
	local suffix=$1 found planned applied
	found=$(fingerprint)
	with_status "plan$suffix.txt" gpupart plan --root machine "$want"
	planned=$status
	cp "$work/plan$suffix.txt" "$work/first"
	with_status "plan$suffix.txt" gpupart plan --root machine "$want"
	cmp -s "$work/first" "$work/plan$suffix.txt" || fail "two plans of the same state differ"
	check_json "plan$suffix.txt"
	[ "$found" = "$(fingerprint)" ] || fail "plan has changed the machine"
	compare "plan$suffix.txt"
	apply "apply$suffix.txt"
	applied=$status
	compare "apply$suffix.txt"
	state >"$work/after$suffix.txt"
	compare "after$suffix.txt"
	[ "$planned" -eq 0 ] || [ "$planned" -eq "$applied" ] || fail "plan exits $planned, and apply $applied"
	[ "$planned" -eq 0 ] || [ "$found" = "$(fingerprint)" ] || fail "a plan that must not run has run"
	with_status "again$suffix.txt" gpupart plan --root machine "$want"
	compare "again$suffix.txt"
	if grep -q '^No changes\.' "$work/again$suffix.txt.out"; then
		second_apply
	elif [ "$applied" -eq 0 ]; then
		fail "apply says that all is well, and plan that there is more to do"
	fi
}

# Nothing is left to do: then nothing is done. Another apply that holds the lock is not even noticed.
second_apply() {
	local found lock=$work/machine/run/gpupart/lock
	local -a held=()
	found=$(fingerprint)
	if [ -e "$lock" ]; then held=(flock "$lock"); fi
	local status=0
	(cd "$work" && "${held[@]}" timeout 20 "$GPUPART" apply --yes --root machine "$want") >"$work/second.out" 2>"$work/second.err" ||
		status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq "$applied" ] || fail "the second apply exits $status and the first $applied: $(cat "$work/second.err")"
	if grep -q '^Waiting for another run' "$work/second.err"; then fail "the second apply waits for the lock"; fi
	[ "$found" = "$(fingerprint)" ] || fail "the second apply has changed something"
}

# take NAME: the files of a round, if the case has any.
take() {
	local file
	for file in "$case/$1.yaml" "$case/$1"; do
		[ -e "$file" ] || continue
		cp -r "$file" "$work/"
		want=$(basename "$file")
	done
}

run_case() {
	name=$1
	case=$here/$1
	[ -e "$case/host.yaml" ] || fail "there is no $case/host.yaml"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	if [ -n "${UPDATE_GOLDEN:-}" ]; then rm -rf "$case/expected"; fi
	mkdir -p "$case/expected"
	find "$case" -maxdepth 1 \( -name host.yaml -o -name '*.xml' \) -exec cp {} "$work/" \;
	gpupart sim create machine host.yaml >"$work/setup.log" 2>&1 || fail "sim create: $(cat "$work/setup.log")"
	take want
	if [ -e "$case/setup" ]; then play "$case/setup"; fi
	show shown-before.txt
	round ''
	if [ -e "$case/between" ]; then play "$case/between"; fi
	first=$want
	take want-2
	if [ -e "$work/want-2.yaml" ]; then want="want-2.yaml"; fi # perhaps written by `between`
	if [ -e "$case/between" ] || [ "$want" != "$first" ]; then round -2; fi
	show shown-after.txt
	echo "ok $name"
}

if [ $# -gt 0 ]; then
	run_case "$1"
else
	result=0
	for host in "$here"/*/host.yaml; do
		("$0" "$(basename "$(dirname "$host")")") || result=1
	done
	exit $result
fi

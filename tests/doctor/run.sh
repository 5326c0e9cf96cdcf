#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs one case (or all of them, without an argument). See README.md beside this file.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
: "${GPUPART:?the program to test}"
export LC_ALL=C.UTF-8 NO_COLOR=1 TZ=UTC
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAIL $name: $*" >&2
	exit 1
}

# In the machine's folder, so that no path of this machine is printed.
gpupart() { (cd "$work" && "$GPUPART" "$@"); }

play() {
	local verb rest
	while read -r verb rest; do
		case $verb in
		'' | '#'*) ;;
		rm) rm -r "$work/machine/${rest:?}" ;;
		share) mkdir -p "$work/machine/sys/bus/pci/devices/${rest% *}/iommu_group/devices/${rest#* }" ;;
		put) mkdir -p "$(dirname "$work/machine/${rest%% *}")" && printf '%s\n' "${rest#* }" >"$work/machine/${rest%% *}" ;;
		*)
			# shellcheck disable=SC2086  # words on purpose
			gpupart sim "$verb" machine $rest >"$work/log" 2>&1 || fail "sim $verb $rest: $(cat "$work/log")"
			;;
		esac
	done <"$1"
}

fingerprint() { tar -C "$work" -cf - --sort=name --ignore-failed-read machine 2>/dev/null | cksum; }

# doctor FILE DIR [ARGUMENT]…: what it says, and its exit status.
doctor() {
	local file=$work/$1 root=$2 status=0
	shift 2
	gpupart doctor --root "$root" "$@" >"$file" 2>"$file.err" || status=$?
	[ ! -s "$file.err" ] || fail "doctor says on stderr: $(cat "$file.err")"
	echo "--- exit $status" >>"$file"
}

# The JSON of the machine and of its copy, and the exit status of the text.
check_json() {
	python3 - "$work/machine.json" "$work/copy.json" "$work/all.txt" <<'PYTHON' || fail "JSON or capture disagree"
import json, sys
def read(name):
    text = open(name).read().rpartition("--- exit ")[0]
    return json.loads(text)
machine, copy = read(sys.argv[1]), read(sys.argv[2])
text = open(sys.argv[3]).read()
failed = [c for c in machine["checks"] if c["status"] == "fail"]
bad = []
if machine["kind"] != "doctor" or machine["format_version"] != "1.0":
    bad.append("kind or version")
if machine["ready"] != (not failed) or machine["ready"] != text.endswith("--- exit 0\n"):
    bad.append("ready")
for status, count in machine["summary"].items():
    if count != sum(c["status"] == status for c in machine["checks"]):
        bad.append("summary of " + status)
for check in machine["checks"]:
    if check["status"] != "not-applicable" and check["found"] not in text:
        bad.append("the text does not say: " + check["found"])
of_machine = {(c["id"], c["subject"]): c for c in machine["checks"]}
for check in copy["checks"]:
    was = of_machine.get((check["id"], check["subject"]))
    if was is None or (check["status"] == "pass" and was["status"] != "pass"):
        bad.append("the copy says %s, the machine %s" % (check, was))
    if check["status"] == "fail" and was["status"] != "fail":
        bad.append("the copy fails %s, the machine says %s" % (check, was))
    if was and was["status"] == "fail" and check["status"] not in ("fail", "unknown", "not-applicable"):
        bad.append("the copy lost %s" % was)
print("\n".join(bad), end="")
sys.exit(bool(bad))
PYTHON
}

run_case() {
	name=$1
	rm -rf "${work:?}"/*
	gpupart sim create machine "$here/$name.yaml" >/dev/null || fail "sim create"
	if [ -e "$here/$name.setup" ]; then play "$here/$name.setup"; fi
	local want=()
	if [ -e "$here/$name.want.yaml" ]; then want=("$here/$name.want.yaml"); fi
	local before after
	before=$(fingerprint)
	doctor all.txt machine "${want[@]}"
	after=$(fingerprint)
	[ "$before" = "$after" ] || fail "doctor changed the machine"
	doctor machine.json machine --json "${want[@]}"
	gpupart capture copy --root machine >/dev/null || fail "capture"
	doctor copy.json copy --json "${want[@]}"
	check_json
	case $name in
	ready* | sick*) cp "$work/all.txt" "$work/shown.txt" ;;
	*) grep -v '^  pass ' "$work/all.txt" >"$work/shown.txt" ;;
	esac
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		cp "$work/shown.txt" "$here/$name.txt"
	else
		diff -u "$here/$name.txt" "$work/shown.txt" || fail "doctor does not say what is expected"
	fi
}

if [ $# -gt 0 ]; then
	for each in "$@"; do run_case "$each"; done
	exit
fi
count=0
for machine in "$here"/*.yaml; do
	case $machine in
	*.want.yaml) continue ;;
	esac
	run_case "$(basename "$machine" .yaml)"
	count=$((count + 1))
done
[ "$count" -gt 0 ] || exit 1
echo "$count cases"

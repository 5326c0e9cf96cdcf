#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is printed is what runs, also behind an `observe again`: the steps of `plan --json`, those that are only expected
# among them, are those that `apply --json` then reports, one by one and in the same order. And the copy of a machine that
# `gpupart capture` makes is planned as the machine itself.
set -euo pipefail
export LC_ALL=C.UTF-8 NO_COLOR=1
top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
GPUPART=${GPUPART:-$top/build/gcc/bin/gpupart}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# compare PLAN APPLY: the steps of both, with the stage that each is in.
compare() {
	python3 - "$1" "$2" <<'PYTHON'
import json, sys
plan, done = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
planned = [(number, step["kind"], "%s: %s" % (step["device"], step["what"]))
           for number, stage in enumerate(plan["stages"], 1) for chain in stage["chains"] for step in chain["steps"]]
ran = [(step["stage"], step["kind"], step["what"]) for step in done["steps"]]
if len(plan["stages"]) < 2 or not plan["stages"][-1]["expected"]:
    sys.exit("nothing is expected, so that this proves nothing")
if not done["verified"] or any(step["state"] != "done" for step in done["steps"]):
    sys.exit("not all of it was done")
# What ran tells the attribute and the value as well.
for want, have in zip(planned, ran):
    if want[:2] != have[:2] or not have[2].startswith(want[2]):
        sys.exit("planned %s\nran     %s" % (want, have))
if len(planned) != len(ran):
    sys.exit("%d steps were planned, and %d ran" % (len(planned), len(ran)))
print("%d steps in %d stages" % (len(ran), len(plan["stages"])))
PYTHON
}

# check NAME HOST WANT [reboot]
check() {
	local name=$1 host=$2 want=$3
	mkdir "$name"
	"$GPUPART" sim create "$name/machine" "$host" >"$name/log" || { cat "$name/log"; return 1; }
	[ -z "${4:-}" ] || "$GPUPART" sim "$4" "$name/machine" >>"$name/log" 2>&1
	"$GPUPART" capture "$name/copy" --root "$name/machine" >>"$name/log"
	"$GPUPART" plan --json --root "$name/machine" "$want" >"$name/plan.json"
	"$GPUPART" plan --json --root "$name/copy" "$want" >"$name/copy.json"
	cmp "$name/plan.json" "$name/copy.json" || { echo "FAIL $name: the captured machine is planned otherwise"; return 1; }
	"$GPUPART" apply --json --yes --root "$name/machine" "$want" >"$name/apply.json" 2>"$name/apply.err" ||
		{ echo "FAIL $name: apply"; cat "$name/apply.json" "$name/apply.err"; return 1; }
	compare "$name/plan.json" "$name/apply.json" >"$name/verdict" 2>&1 || { echo "FAIL $name: $(cat "$name/verdict")"; return 1; }
	echo "ok $name: $(cat "$name/verdict")"
	rm -rf "$name"
}

golden() { check "$1" "$top/tests/golden/$1/host.yaml" "$top/tests/golden/$1/want.yaml" "${2:-}"; }

result=0
golden 222-vgpu-board || result=1
golden 223-vgpu-board-mdev || result=1
golden 251-vgpu-reboot reboot || result=1
golden 252-vgpu-reboot-mdev reboot || result=1
golden 266-vgpu-manage-elsewhere || result=1
for example in a16-vdi a16-mdev a2-edge a40-l40s; do
	check "$example" "$top/examples/hosts/$example.yaml" "$top/examples/$example.yaml" || result=1
done
exit $result

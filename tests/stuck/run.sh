#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sriov-manage of one GPU hangs, and gpupart is killed meanwhile, and so is its helper: the program is not, and holds the
# locks. Another plan keeps its hands off that GPU and says who is at work on it, and no other GPU's sriov-manage begins;
# when it has ended, that one has its turn, and an apply goes on from there, without running anything again.
set -euo pipefail
export LC_ALL=C.UTF-8 NO_COLOR=1
top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
GPUPART=${GPUPART:-$top/build/gcc/bin/gpupart}
work=$(mktemp -d)
tidy() {
	"$GPUPART" sim fault "$work/machine" clear >/dev/null 2>&1 || true
	until rm -rf "$work" 2>/dev/null; do sleep 0.1; done # what hung goes on, and makes files
}
trap tidy EXIT
cd "$work"

cat >host.yaml <<'END'
version: 1
hostname: gpu-01
gpus:
  - {address: "0000:41:00.0", repeat: 2, preset: a16}
vms:
  - names: ["desktop-[1-4]"]
END
cat >want.yaml <<'END'
version: 1
gpus:
  - {class: vdi, match: {model: A16}, partitions: 2, series: Q}
vms:
  - {names: ["desktop-[1-4]"], partition: vdi}
END

fail() {
	echo "FAIL: $*"
	tail -n 20 first.err plan.out machine/.sim/trace 2>/dev/null || true
	exit 1
}

vfs() { find machine/sys/devices -path "*/$1/virtfn*" -prune | wc -l; }

# until_so SECONDS COMMAND…
until_so() {
	local rounds=$(($1 * 10))
	shift
	until "$@"; do
		rounds=$((rounds - 1))
		[ "$rounds" -gt 0 ] || fail "waited in vain for: $*"
		sleep 0.1
	done
}
begun() { grep -q "begin .*sriov-manage.*0000:41:00.0\|begin .*0000:41:00.0.*sriov-manage" machine/.sim/trace; }
is_free() { flock --nonblock "machine/run/gpupart/$1.lock" true; }
is_gone() { ! grep -qs '^State:.[^Z]' "/proc/$1/status"; }
has_vfs() { [ "$(vfs "$1")" -eq 16 ]; }

"$GPUPART" sim create machine host.yaml >/dev/null
"$GPUPART" sim fault machine block 0000:41:00.0 sriov-manage >/dev/null
"$GPUPART" apply --yes --root machine want.yaml >first.out 2>first.err &
apply=$!
until_so 60 begun
other_before=$(vfs 0000:42:00.0)
kill -KILL "$apply"
wait "$apply" 2>/dev/null || true
helper=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' machine/run/gpupart/pf-0000:41:00.0.lock)
kill -KILL "$helper" || fail "the helper of the first GPU is gone: $(cat machine/run/gpupart/pf-0000:41:00.0.lock)"
until_so 60 is_gone "$helper"

is_free "pf-0000:41:00.0" && fail "nobody holds the GPU's lock, and sriov-manage goes on"
is_free sriov-manage && fail "another sriov-manage may begin, and the first one goes on"
status=0
"$GPUPART" plan --root machine want.yaml >plan.out 2>&1 || status=$?
[ "$status" -eq 1 ] || fail "plan exits $status while somebody is at work on the GPU"
grep -q "0000:41:00.0.*at work on it" plan.out || fail "the plan does not say who is at work: $(cat plan.out)"
[ "$(vfs 0000:41:00.0)" -eq 0 ] || fail "the program has ended"
[ "$(vfs 0000:42:00.0)" -eq "$other_before" ] || fail "two programs ran at the same time"

"$GPUPART" sim fault machine clear >/dev/null
for gpu in 0000:41:00.0 0000:42:00.0; do
	until_so 60 has_vfs "$gpu"
	until_so 60 is_free "pf-$gpu"
done
"$GPUPART" apply --yes --root machine want.yaml >second.out 2>&1 || fail "the second apply: $(cat second.out)"
[ "$(grep -c 'begin .*sriov-manage' machine/.sim/trace)" -eq 2 ] || fail "sriov-manage did not run once for each GPU"
"$GPUPART" plan --root machine want.yaml | grep -q '^No changes\.' || fail "something is left to do"
echo "ok"

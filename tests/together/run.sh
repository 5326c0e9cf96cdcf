#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two applies of one file on one host: the second waits, says for whom, and finds everything done.
set -euo pipefail
export LC_ALL=C.UTF-8 NO_COLOR=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >host.yaml <<'END'
version: 1
hostname: gpu-01
gpus:
  - {address: "0000:41:00.0", repeat: 4, preset: flex-170, latency_ms: 3000}
vms:
  - names: ["desktop-[1-8]"]
END
cat >want.yaml <<'END'
version: 1
gpus:
  - {class: vdi, match: {model: Flex 170}, partitions: 2}
vms:
  - {names: ["desktop-[1-8]"], partition: vdi}
END

# once: 0 held, 2 the first was done before the second looked (a busy machine), 1 wrong
once() {
	local first status=0
	rm -rf machine
	"$GPUPART" sim create machine host.yaml >/dev/null
	"$GPUPART" apply --yes --root machine want.yaml >first.out 2>first.err &
	first=$!
	until [ -s machine/run/gpupart/lock ] || ! kill -0 "$first" 2>/dev/null; do sleep 0.02; done
	"$GPUPART" apply --yes --root machine want.yaml >second.out 2>second.err || status=$?
	wait "$first" || { echo "the first apply fails"; cat first.out first.err; return 1; }
	[ "$status" -eq 0 ] || { echo "the second apply exits $status"; cat second.out second.err; return 1; }
	"$GPUPART" plan --root machine want.yaml | grep -q '^No changes\.' || { echo "something is left to do"; return 1; }
	grep -q "^Waiting for another run on this host: gpupart apply, pid $first, since " second.err || return 2
	# Four GPUs: each was written once.
	[ "$(grep -c 'sriov_numvfs' machine/.sim/trace)" -eq 4 ] || { echo "sriov_numvfs was written more than once"; cat machine/.sim/trace; return 1; }
}

for _ in 1 2 3; do
	status=0
	once || status=$?
	[ "$status" -eq 2 ] || exit "$status"
done
echo "skipped: this machine is too busy to run two applies at the same time"
exit 77

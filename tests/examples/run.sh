#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every example is valid, has its machine, can be planned and applied there, and a second plan has nothing left to do.
set -euo pipefail
export LC_ALL=C.UTF-8 NO_COLOR=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$GP_SOURCE_DIR"
status=0
played=0

# try NAME WANT
try() {
	local machine=$work/$1 want=$2
	"$GPUPART" validate "$want" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	[ -e "examples/hosts/$1.yaml" ] || { echo "there is no examples/hosts/$1.yaml"; return 1; }
	"$GPUPART" sim create "$machine" "examples/hosts/$1.yaml" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	"$GPUPART" plan --root "$machine" "$want" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	"$GPUPART" apply --yes --root "$machine" "$want" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	"$GPUPART" plan --root "$machine" "$want" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	head -n 1 "$work/out" | grep -qx 'No changes\.' || { cat "$work/out"; return 1; }
}

for want in examples/*; do
	name=$(basename "$want" .yaml)
	[ "$name" = hosts ] && continue
	played=$((played + 1))
	if try "$name" "$want"; then
		echo "ok $name"
	else
		echo "FAIL $name"
		status=1
	fi
done
[ "$played" -gt 0 ] || { echo "no example was found"; exit 1; }
exit $status

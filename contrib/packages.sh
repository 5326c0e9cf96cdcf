#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the missing Debian packages of the named purposes: contrib/packages.sh build [test]
# Installs nothing, and needs no privileges, when nothing is missing.
set -euo pipefail
list=$(dirname "$(readlink -f "$0")")/packages.txt

wanted=()
for purpose in "$@"; do
	while read -r what name; do
		[ "$what" = "$purpose" ] && wanted+=("$name")
	done <"$list"
done

missing=()
for name in "${wanted[@]}"; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Missing Debian packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
		echo "They need root to install. Run this, then the same command again:" >&2
		echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { "${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; }
# The package lists of a fresh machine are empty or old: refresh them once.
install || { "${as_root[@]}" apt-get update >/dev/null && install; } || {
	tail -n 20 "$log" >&2
	exit 1
}

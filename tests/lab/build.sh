#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes what the lab is booted from, where it is missing, and prints where it lies, as assignments for a shell.
#
#   tests/lab/build.sh [--suite bookworm|trixie]…      (default: bookworm)
#
# Everything goes into one cache, ${GPUPART_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gpupart-lab}; nothing but the
# packages of contrib/packages.txt (purpose "lab") is installed on this machine. A folder of the cache carries in its name
# the digest of what it was made from, is made under another name and renamed when it is whole: what is there can be used.
# Exit 77, after saying why, where the lab cannot be made.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
source_dir=$(dirname "$(dirname "$here")")
packages=$source_dir/contrib/packages.txt
module_sources=${GPUPART_LAB_MODULE:-$here/module}
cache=${GPUPART_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gpupart-lab}
kernel_suite=bookworm

say() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }
skip() {
	echo "skipped: $*" >&2
	exit 77
}

suites=()
while [ $# -gt 0 ]; do
	case $1 in
	--suite)
		suites+=("$2")
		shift 2
		;;
	*)
		echo "usage: build.sh [--suite bookworm|trixie]..." >&2
		exit 64
		;;
	esac
done
[ ${#suites[@]} -gt 0 ] || suites=("$kernel_suite")

# --- the cache ------------------------------------------------------------------------------------------------------------

digest() { sha256sum | cut -c 1-12; }
# Not the files' times: a fresh clone finds what an older one has made.
contents() { (cd "$1" && find . -type f ! -name '.*' -print0 | sort -z | xargs -0 sha256sum); }
# The lines of this script between two headings are the recipe of one thing.
recipe() { sed -n "/^# --- $1 /,/^# --- /p" "$here/build.sh"; }
names() { awk -v what="$1" '$1 == what {print $2}' "$packages"; }

unfinished=
trap 'rm -rf "$unfinished"' EXIT

# make_once DIRECTORY RECIPE…: the recipe fills the directory that it gets as its last argument.
make_once() {
	local whole=$1 lock
	shift
	[ ! -d "$whole" ] || return 0
	exec {lock}>"$cache/lock-$(basename "${whole%-*}")"
	flock --nonblock "$lock" || {
		say "waiting for another run that makes ${whole##*/}"
		flock "$lock"
	}
	if [ ! -d "$whole" ]; then
		unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
		chmod 755 "$unfinished"
		"$@" "$unfinished"
		mv "$unfinished" "$whole"
		unfinished=
	fi
	exec {lock}>&-
}

# What nothing has used for three days was made from something that is no more.
forget_the_old() {
	find "$cache" -mindepth 1 -maxdepth 1 ! -name 'lock-*' -mtime +3 -exec rm -rf {} + 2>/dev/null || true
}
# A cache that belongs to somebody else may be read only.
used() { touch "$@" 2>/dev/null || true; }

# --- packages of a Debian suite, from the apt sources that this machine has -----------------------------------------------

sources_of() { # SUITE FOLDER: prints the file it wrote
	local from=/etc/apt/sources.list.d/debian.sources to ours
	ours=$(. /etc/os-release && echo "${ID:-} ${VERSION_CODENAME:-}")
	[ "${ours%% *}" = debian ] || skip "the lab is made of Debian's packages, and this is no Debian: its apt sources do not lead to them"
	[ -e "$from" ] || from=/etc/apt/sources.list
	to=$2/lab.${from##*.}
	sed "s/\\b${ours##* }\\b/$1/g" "$from" >"$to"
	echo "$to"
}

# Where this machine reaches its mirror through a proxy, apt's own settings say so.
apt_settings() { grep -lsE '^ *Acquire' /etc/apt/apt.conf /etc/apt/apt.conf.d/* || true; }

# download SUITE FOLDER PACKAGE…: with lists of its own, so that it needs no root and leaves this machine's apt alone
download() {
	local suite=$1 folder=$2 sources
	shift 2
	mkdir -p "$folder/lists/partial" "$folder/archives/partial"
	: >"$folder/status"
	sources=$(sources_of "$suite" "$folder")
	apt=(-o Dir::State::Lists="$folder/lists" -o Dir::State::status="$folder/status" -o Dir::Cache="$folder" -o Dir::Etc::SourceList="$sources"
		-o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root -o Acquire::Languages=none -o APT::Architecture=amd64)
	apt-get "${apt[@]}" update >"$folder/log" 2>&1 || { cat "$folder/log" >&2; skip "the package lists of $suite cannot be had"; }
	"$@"
}

# --- kernel ---------------------------------------------------------------------------------------------------------------
# version, vmlinux, initramfs.cpio, modules/ (of the kernel's package), headers/ (to compile the GPU's module with)

download_kernel() { # FOLDER VERSION-FILE
	local version
	version=$(apt-cache "${apt[@]}" depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-\(.*-amd64\)$/\1/p' | head -n 1)
	[ -n "$version" ] || skip "no package linux-image-amd64 in $kernel_suite"
	say "Linux $version"
	(cd "$1" && apt-get "${apt[@]}" download "linux-image-$version" "linux-headers-$version" "linux-headers-${version%-amd64}-common" \
		"linux-kbuild-$(echo "$version" | cut -d. -f1,2)" busybox-static >"$1/log" 2>&1) || { cat "$1/log" >&2; skip "the kernel's packages cannot be had"; }
	echo "$version" >"$2"
}

# The kernel within a bzImage: QEMU starts it through its PVH entry, and nothing is decompressed under emulation.
uncompressed() { # BZIMAGE
	local offset
	offset=$(LC_ALL=C grep -aboP '\xFD7zXZ\x00' "$1" | head -n 1 | cut -d: -f1)
	# xz finds more than its own stream in the file, and says so.
	tail -c "+$((offset + 1))" "$1" | xz -dc 2>/dev/null || true
}

early_modules() {
	local module number=10
	for module in fs/netfs/netfs fs/fscache/fscache net/9p/9pnet drivers/virtio/virtio_ring drivers/virtio/virtio \
		drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci \
		net/9p/9pnet_virtio fs/9p/9p fs/overlayfs/overlay drivers/char/virtio_console; do
		cp "$1/kernel/$module.ko" "$2/$number-${module##*/}.ko"
		number=$((number + 1))
	done
}

make_kernel() { # DIRECTORY
	local made=$1 work=$1/work version early=$1/work/early applet
	mkdir -p "$work/packages" "$work/tree" "$early"/{bin,mod,proc,sys,dev,ro,rw,new}
	download "$kernel_suite" "$work/packages" download_kernel "$work/packages" "$made/version"
	version=$(cat "$made/version")
	for deb in "$work"/packages/*.deb; do
		dpkg-deb -x "$deb" "$work/tree"
	done
	uncompressed "$work/tree/boot/vmlinuz-$version" >"$made/vmlinux"
	[ "$(head -c 4 "$made/vmlinux" | tail -c 3)" = ELF ] || { echo "no kernel found in vmlinuz-$version" >&2; exit 1; }
	mv "$work/tree/lib/modules/$version" "$made/modules"
	rm -f "$made/modules/build" "$made/modules/source"
	mkdir -p "$made/headers/usr"
	mv "$work/tree/usr/src" "$made/headers/usr/src"
	mv "$work/tree/usr/lib" "$made/headers/usr/lib"
	cp "$work"/tree/bin/busybox "$early/bin/" 2>/dev/null || cp "$work"/tree/usr/bin/busybox "$early/bin/"
	for applet in sh mount insmod mkdir switch_root echo sleep ifconfig; do
		ln -s busybox "$early/bin/$applet"
	done
	early_modules "$made/modules" "$early/mod"
	install -m 755 "$here/guest/early-init.sh" "$early/init"
	(cd "$early" && find . | bin/busybox cpio -o -H newc 2>/dev/null) >"$made/initramfs.cpio"
	rm -rf "$work"
}

# --- modules --------------------------------------------------------------------------------------------------------------
# The kernel's own and ours in one folder: /lib/modules/VERSION of the lab.

make_modules() { # KERNEL DIRECTORY
	local kernel=$1 made=$2 version headers
	version=$(cat "$kernel/version")
	headers=$made/headers
	say "module of the GPUs"
	# The package's Makefile names the common headers by an absolute path.
	cp -a --reflink=auto "$kernel/headers/usr/src/linux-headers-$version" "$headers"
	rm -f "$headers/scripts" "$headers/tools"
	ln -s "$kernel/headers/usr/lib/linux-kbuild-$(echo "$version" | cut -d. -f1,2)/scripts" "$headers/scripts"
	ln -s "$kernel/headers/usr/lib/linux-kbuild-$(echo "$version" | cut -d. -f1,2)/tools" "$headers/tools"
	sed -i "s|/usr/src/|$kernel/headers/usr/src/|" "$headers/Makefile"
	cp -r "$module_sources" "$made/ours"
	make -s -j "$(nproc)" -C "$headers" M="$made/ours" modules >"$made/log" 2>&1 || { cat "$made/log" >&2; exit 1; }
	if grep -E 'warning|error' "$made/log"; then exit 1; fi >&2
	mkdir -p "$made/lib/modules"
	cp -al "$kernel/modules" "$made/lib/modules/$version"
	rm -f "$made/lib/modules/$version"/modules.*.bin "$made/lib/modules/$version"/modules.{dep,alias,symbols,devname,softdep}
	mkdir "$made/lib/modules/$version/extra"
	find "$made/ours" -name '*.ko' -exec strip --strip-debug {} + -exec cp -t "$made/lib/modules/$version/extra" {} +
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$made" "$version"
	mv "$made/lib/modules/$version" "$made/$version"
	rm -rf "${made:?}/lib" "$made/ours" "$headers" "$made/log"
}

# --- root -----------------------------------------------------------------------------------------------------------------
# A folder with a Debian suite: what a virtualization host has, and what gpupart and its sanitizers link to.

# The first way of making a root that works for this user.
way_to_make_a_root() {
	if [ "$(id -u)" -eq 0 ]; then
		echo root
	elif unshare --map-root-user --map-auto true 2>/dev/null; then
		echo unshare
	elif command -v fakechroot >/dev/null && command -v fakeroot >/dev/null; then
		echo fakechroot
	else
		echo none
	fi
}

make_root() { # SUITE DIRECTORY
	local suite=$1 made=$2 work=$2/.work include option options=() way
	mkdir -p "$work"
	include=$( (names lab-root && names "lab-root-$suite") | paste -sd ,)
	way=$(way_to_make_a_root)
	[ "$way" != none ] || skip "an ordinary user makes a root file system with user namespaces and a range in /etc/subuid and" \
		"/etc/subgid (package uidmap), or with the packages fakechroot and fakeroot; this machine has neither. root needs neither"
	say "root file system: $suite (mmdebstrap, mode $way)"
	while read -r option; do
		[ -z "$option" ] || options+=(--aptopt="$option")
	done < <(apt_settings)
	options+=(--dpkgopt=force-unsafe-io)
	for option in doc man locale info lintian bug; do
		options+=(--dpkgopt="path-exclude=/usr/share/$option/*")
	done
	# As a tar file, and device nodes left out: so the folder belongs to who made it, whatever the way.
	TMPDIR=/var/tmp mmdebstrap --quiet --mode="$way" --variant=apt --format=tar "${options[@]}" --aptopt='APT::Install-Recommends "false"' \
		--include="$include" "$suite" - "$(sources_of "$suite" "$work")" |
		tar -x --exclude='./dev/*' -C "$made"
	# libvirt probes each emulator that it finds: one is enough.
	find "$made/usr/bin" -name 'qemu-system-*' ! -name qemu-system-x86_64 -delete
	rm -rf "$work" "$made"/var/cache/apt/* "$made"/var/lib/apt/lists/*
}

# --- all of it ------------------------------------------------------------------------------------------------------------

"$source_dir/contrib/packages.sh" lab >&2 || skip "packages are missing"
mkdir -p "$cache"
cache=$(readlink -f "$cache")
forget_the_old

kernel=$cache/kernel-$( (recipe kernel; recipe packages; cat "$here/guest/early-init.sh") | digest)
make_once "$kernel" make_kernel
modules=$cache/modules-$( (basename "$kernel"; cat "$kernel/version"; recipe modules; contents "$module_sources") | digest)
make_once "$modules" make_modules "$kernel"
used "$kernel" "$modules"
version=$(cat "$kernel/version")
printf 'kernel=%q\ninitramfs=%q\nmodules=%q\n' "$kernel/vmlinux" "$kernel/initramfs.cpio" "$modules/$version"
for suite in "${suites[@]}"; do
	root=$cache/root-$suite-$( (recipe root; recipe packages; names lab-root; names "lab-root-$suite") | digest)
	make_once "$root" make_root "$suite"
	used "$root"
	printf 'root=%q\n' "$root"
done

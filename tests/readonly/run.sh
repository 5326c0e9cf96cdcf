#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What only reads does not write: plan and its sisters, and an apply with nothing to do. Seen from outside, twice:
#   - strace must see nothing that is opened for writing, made, renamed, removed or locked;
#   - on a machine that is mounted read-only the same commands must say the same.
# Each is done where it can be; exit 77 where neither can.
set -u
: "${GPUPART:?the program to test}" "${GP_SOURCE_DIR:?}"
export NO_COLOR=1
# The leak check cannot work under strace, and every unit test has it.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
machine=$work/machine
want=$GP_SOURCE_DIR/examples/flex-vdi.yaml
failed=0

fail() {
	echo "FAILED: $*"
	failed=1
}

make_machine() {
	rm -rf "$machine"
	"$GPUPART" sim create "$machine" "$GP_SOURCE_DIR/examples/hosts/flex-vdi.yaml" >/dev/null
}

reading_commands() {
	cat <<-END
		plan --root $machine $want
		plan --json --root $machine $want
		apply --yes --root $machine $want
		doctor --root $machine $want
		gpus --root $machine $want
		vms --root $machine $want
		status --root $machine $want
		observe --root $machine
		export --root $machine
		validate $want
	END
}

# ---- with strace ----

# Prints each call of the command that could change a file. Descriptors 1 and 2 are what it says; /dev/null is no file.
writing_calls() {
	strace -f -y -o "$work/trace" \
		-e trace=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,unlink,unlinkat \
		-e trace=rmdir,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat \
		-e trace=utimensat,flock,setxattr,fsetxattr,mount,execve \
		"$@" >"$work/said" 2>&1
	grep -vE '^[0-9]+ +(open|openat|openat2)\(' "$work/trace" | grep -E '^[0-9]+ +[a-z0-9_]+\(' |
		grep -v "execve(\"$GPUPART\"" | grep -v '/dev/shm'
	grep -E 'O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)' "$work/trace" | grep -v '/dev/null'
	return 0
}

strace_works() {
	command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null
}

check_with_strace() {
	local calls
	make_machine
	calls=$(writing_calls "$GPUPART" plan --root "$machine" "$want")
	[ -z "$calls" ] || fail "a plan that has much to do writes: $calls"
	calls=$(writing_calls "$GPUPART" apply --yes --root "$machine" "$want")
	case $calls in
	*gpupart-write*) ;;
	*) fail "strace does not see the writes of an apply, so it proves nothing: $calls" ;;
	esac
	while read -r arguments; do
		# shellcheck disable=SC2086 # a list of words
		calls=$(writing_calls "$GPUPART" $arguments)
		[ -z "$calls" ] || fail "gpupart $arguments writes: $calls"
	done < <(reading_commands)
}

# ---- on a read-only mount ----

# Runs its arguments with the machine mounted read-only, in a mount namespace of its own.
read_only() {
	# shellcheck disable=SC2016 # expanded inside
	unshare --user --map-root-user --mount bash -c \
		'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"' "$machine" "$@"
}

mount_works() {
	command -v unshare >/dev/null && read_only true 2>/dev/null
}

check_read_only() {
	local said
	if read_only touch "$machine/gpupart-sim.yaml" 2>/dev/null; then
		fail "the mount is not read-only, so it proves nothing"
	fi
	while read -r arguments; do
		# shellcheck disable=SC2086 # a list of words
		"$GPUPART" $arguments >"$work/expected" 2>&1
		# shellcheck disable=SC2086
		read_only "$GPUPART" $arguments >"$work/said" 2>&1 || fail "gpupart $arguments fails on a read-only machine"
		said=$(diff "$work/expected" "$work/said") || fail "gpupart $arguments says something else: $said"
	done < <(reading_commands)
}

# ---- both ----

make_machine
with_strace='' with_mount=''
strace_works && with_strace=1
mount_works && with_mount=1
if [ -z "$with_strace$with_mount" ]; then
	echo "skipped: strace is not installed or may not trace, and no mount namespace can be made"
	exit 77
fi

if [ -n "$with_strace" ]; then
	check_with_strace
else
	echo "skipped in part: strace is not installed or may not trace"
fi

"$GPUPART" apply --yes --root "$machine" "$want" >/dev/null 2>&1 || fail "apply"
find "$machine" -printf '%p %y %s %m %T@ %C@\n' | sort >"$work/before"
if [ -n "$with_mount" ]; then
	check_read_only
else
	echo "skipped in part: no mount namespace can be made"
	while read -r arguments; do
		# shellcheck disable=SC2086 # a list of words
		"$GPUPART" $arguments >/dev/null 2>&1 || fail "gpupart $arguments"
	done < <(reading_commands)
fi
find "$machine" -printf '%p %y %s %m %T@ %C@\n' | sort >"$work/after"
diff "$work/before" "$work/after" >"$work/changes" || fail "files have changed: $(head -n 5 "$work/changes")"
[ "$failed" = 0 ] && echo "nothing is written: strace ${with_strace:-0}, read-only mount ${with_mount:-0}"
exit "$failed"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An anonymous capture holds nothing of a machine that is stuffed with canaries, in no file, no name and no link; and yet
# every command says of it what it says of the plain capture, with the words replaced that the owner was told.
set -euo pipefail
export LC_ALL=C.UTF-8 NO_COLOR=1 TZ=UTC
here=$(dirname "$(readlink -f "$0")")
GPUPART=${GPUPART:-$here/../../build/gcc/bin/gpupart}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
	echo "FAIL $*" >&2
	exit 1
}

cat >host.yaml <<'END'
version: 1
hostname: canary-host
gpus:
  - {address: "0000:41:00.0", preset: flex-170, vfs: 4, slot: "3"}
  - {address: "0000:42:00.0", preset: a16, profiles: [A16-4Q, A16-4Q, none]}
  - {address: "0000:43:00.0", preset: a40, framework: mdev, profile: A40-12Q,
     mdevs: [{vf: 5, profile: A40-12Q, uuid: ca7a7e00-aaaa-4bbb-8ccc-00000000beef}]}
vms:
  - {name: canary-web, state: running, running_for: 3h, vnc_password: canary-vnc, autostart: true, external: nova,
     hostdevs: [{vf: "0000:41:00.0/0", ours: canary-class, address: "0000:07:00.0"}]}
  - {name: canary-draw, hostdevs: [{vf: "0000:43:00.0/0", ours: canary-cad}]}
  - {name: canary-hand, hostdevs: [{mdev: ca7a7e00-aaaa-4bbb-8ccc-00000000beef}]}
  - {name: canary-saved, managed_save: true}
  - {name: canary-passing, state: running, running_for: 2m, persistent: false}
  - {name: canary-new}
END
cat >want.yaml <<'END'
version: 1
hosts: [canary-host]
gpus:
  - {class: canary-class, match: {model: Flex 170}, partitions: 4}
  - {class: canary-cad, match: {model: A40}, partitions: 4, series: Q}
  - {class: canary-a16, match: {model: A16}, partitions: 4, series: Q}
vms:
  - {name: canary-web, partition: canary-cad, disruption: restart, power: running}
  - {name: canary-draw, partition: canary-cad}
  - {name: canary-hand, partition: canary-cad, adopt: true}
  - {name: canary-saved, partition: canary-class}
  - {name: canary-new, partition: [{class: canary-class}, {class: canary-a16}]}
END

# All that is not gpupart's business, wherever such a machine has it.
stuff() {
	python3 - "$1" <<'PYTHON'
import os, re, struct, sys
root = sys.argv[1] + "/"

def put(path, text):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    open(root + path, "w").write(text)

def change(path, old, new):
    text = open(root + path).read()
    assert old in text, path + " has no " + old
    put(path, text.replace(old, new))

web = "etc/libvirt/qemu/canary-web.xml"
change(web, "</uuid>", """</uuid><title>canary title</title><description>canary</description>
<sysinfo type='smbios'><system><entry name='serial'>canary</entry></system></sysinfo>
<os><nvram>/var/canary.fd</nvram><cmdline>canary</cmdline></os>""")
change(web, "<devices>", """<devices>
<disk type='file'><source file='/srv/canary.qcow2'/><serial>canary</serial></disk>
<disk type='nvme'><source type='pci' namespace='1'><address domain='0' bus='0x08' slot='0' function='0'/></source>
<serial>canary</serial></disk>
<interface type='hostdev' managed='yes'><mac address='52:54:00:ca:7a:7e'/><source>
<address type='pci' domain='0' bus='0x09' slot='0' function='1'/></source></interface>
<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x41' slot='0' function='2'/></source>
<alias name='ua-canary'/><rom bar='on' file='/srv/canary.rom'/><teaming type='transient' persistent='ua-canary-net'/>
<address type='pci' domain='0x0000' bus='0x0a' slot='0x00' function='0x0'/></hostdev>
<hostdev mode='subsystem' type='usb'><source><vendor id='0xca7a'/></source></hostdev>""")
change("etc/libvirt/qemu/canary-new.xml", "</domain>", """<metadata>
<c:note xmlns:c='http://canary.example/'>canary</c:note>
<g:state xmlns:g='urn:gpupart:domain:1' to_start='yes'><g:place alias='ua-gpupart-0-canary-old' type='mdev'
 source='ca7a7e00-aaaa-4bbb-8ccc-00000000feed' managed='no'>&lt;rom file='/srv/canary.rom'/&gt;</g:place></g:state>
</metadata></domain>""")
put("etc/libvirt/qemu/canary-broken.xml", "<domain><name>canary")

# A serial number, and a VPD register that still shows some of another.
config = root + "sys/bus/pci/devices/0000:41:00.0/config"
space = bytearray(open(config, "rb").read().ljust(4096, b"\0"))
end = 0x100
while struct.unpack_from("<I", space, end)[0] >> 20:
    end = struct.unpack_from("<I", space, end)[0] >> 20
space[end:end + 4] = struct.pack("<I", struct.unpack_from("<I", space, end)[0] | 0xf00 << 20)
space[0xf00:0xf0c] = struct.pack("<I", 0x00010003) + b"canary-1"
last = space[0x34]
while space[last + 1]:
    last = space[last + 1]
space[last + 1] = 0xf0
space[0xf0:0xf8] = b"\x03\0\0\0cana"
os.chmod(config, 0o644)
open(config, "wb").write(space)

change("proc/cpuinfo", "flags", "Serial\t\t: canary\nflags")
put("proc/cmdline", "BOOT_IMAGE=/canary root=UUID=canary intel_iommu=on pci=realloc,noari ip=::::canary-host\n")
release = open(root + "proc/sys/kernel/osrelease").read().strip()
put("proc/sys/kernel/osrelease", "6.8.0-45-canary\n")
os.rename(root + "lib/modules/" + release, root + "lib/modules/6.8.0-45-canary")
put("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module  550.90.05  (root@canary)\n")
put("proc/driver/nvidia/params", 'ExcludedGpus: "GPU-canary"\n'
    'RegistryDwords: "canary=1;RmPVMRL=0x11;canary2=3"\nRegistryDwordsPerDevice: "pci=0000:42:00.0;canary=2"\n')
put("proc/driver/nvidia/gpus/0000:42:00.0/information",
    "Model: \t\t NVIDIA A16\nGPU UUID: \t GPU-canary\nVideo BIOS: \t canary\nDevice Minor: \t 3\n")
put("proc/4711/comm", "canary-backup\n")
put("proc/4711/stat", "4711 (canary-backup) D 1 4711\n")
put("proc/4711/status", "Name:\tcanary-backup\nCapEff:\t000001ffffffffff\n")
put("proc/4711/stack", "[<0>] vfio_unregister_group_dev+0x12/0x34\n")
put("proc/4711/cmdline", "/opt/canary\n")
PYTHON
}

"$GPUPART" sim create machine host.yaml >log
stuff machine
mkdir plain anonymous later
"$GPUPART" capture --root machine plain/machine >log
(cd anonymous && "$GPUPART" capture --json --anonymize --root ../machine machine) >renames.json
(cd later && "$GPUPART" capture --anonymize --root ../plain/machine machine) >table.txt

# ---- nothing is left ----

show_canaries() { # DIR
	grep -rli --binary-files=text -e canary -e ca7a7e00 -e 'ca:7a:7e' "$1" || true
	find "$1" \( -iname '*canary*' -o -lname '*canary*' -o -iname '*ca7a7e00*' -o -lname '*ca7a7e00*' \)
}
found=$(show_canaries plain/machine | wc -l)
[ "$found" -gt 10 ] || fail "a plain capture has $found canaries, so that this would prove nothing"
show_canaries anonymous/machine >left
[ ! -s left ] || fail "canaries in the anonymous capture: $(cat left)"
show_canaries later/machine >left
[ ! -s left ] || fail "canaries in the capture that was anonymized later: $(cat left)"
grep -q 'VM  *canary-web  *vm-' table.txt || fail "the owner is not told what stands for what: $(cat table.txt)"
diff -r --no-dereference -I since= anonymous/machine later/machine ||
	fail "a capture that was anonymized later is another one"

# ---- and yet all is the same ----

# replace FILE: what the owner was told, in one go.
replace() {
	python3 - renames.json "$1" <<'PYTHON'
import json, re, sys
renames = {each["from"]: each["to"] for each in json.load(open(sys.argv[1]))["renamed"]}
words = "|".join(re.escape(word) for word in sorted(renames, key=len, reverse=True))
text = re.sub(words, lambda found: renames[found.group()], open(sys.argv[2]).read())
text = re.sub(r'"running_ms": \d+', '"running_ms": 1', text)
text = re.sub(r'"root": ".*?"', '"root": ""', text)
sys.stdout.write(re.sub(r"[ \n]+", " ", text)) # names of another length break lines elsewhere
PYTHON
}

python3 - renames.json >anonymous/want.yaml <<'PYTHON'
import json, re, sys
renames = {each["from"]: each["to"] for each in json.load(open(sys.argv[1]))["renamed"]}
words = "|".join(re.escape(word) for word in sorted(renames, key=len, reverse=True))
sys.stdout.write(re.sub(words, lambda found: renames[found.group()], open("want.yaml").read()))
PYTHON
cp want.yaml plain/

say() { # DIR COMMAND…: output of both streams and the exit status
	local dir=$1 status=0
	shift
	(cd "$dir" && "$GPUPART" "$@" 2>&1) || status=$?
	echo "--- exit $status"
}

# What all commands say of both.
compare() {
	local command
	while read -r command; do
		# shellcheck disable=SC2086  # words on purpose
		say plain $command >said
		replace said >expected
		# shellcheck disable=SC2086  # words on purpose
		say anonymous $command >said
		replace said >found
		cmp -s expected found || {
			diff <(tr , '\n' <expected) <(tr , '\n' <found) || true
			fail "$command says something else"
		}
		compared=$((compared + 1))
	done <<-'END'
		observe --root machine
		plan --json --root machine want.yaml
		plan --root machine want.yaml
		gpus --json --root machine want.yaml
		gpus --root machine
		vms --json --root machine want.yaml
		doctor --json --root machine want.yaml
		doctor --root machine
		status --json --root machine want.yaml
		export --root machine
	END
}

compared=0
compare
# One definition that cannot be read makes all VMs unknown: what a plan says of known ones is compared without it.
rm plain/machine/etc/libvirt/qemu/canary-broken.xml anonymous/machine/etc/libvirt/qemu/vm-1.xml
compare
say plain plan --root machine want.yaml >said
grep -q 'canary-web' said || fail "a plan that names no VM proves little: $(cat said)"

# ---- what is refused ----

refused() { # WORDS COMMAND…
	local words=$1 status=0
	shift
	"$GPUPART" "$@" >said 2>&1 || status=$?
	[ "$status" = 64 ] || fail "$*: exit $status"
	grep -q -e "$words" said || fail "$*: $(cat said)"
}
refused 'is not empty' capture --anonymize --root machine anonymous/machine
refused 'unrecognized option' plan --anonymize --root machine want.yaml

echo "$found canaries, none left; $compared commands say the same"

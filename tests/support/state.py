#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints the state of a simulated machine, read from its tree alone: what a golden case calls "after".

    gpu 0000:41:00.0 numvfs=4 autoprobe=0 enable=1
      vf 0 0000:41:00.1 driver=-
      vf 1 0000:41:00.5 driver=nvidia type=712 params=disable_vnc=1
      vf 2 0000:41:00.6 driver=nvidia mdev=2d3b2f6e-… type=712
    domain web-01 off
      hostdev 0000:41:00.1 managed=yes alias=ua-gpupart-0-vdi
"""
import os
import struct
import sys
import xml.etree.ElementTree as ET

MARK = "{urn:gpupart:domain:1}"


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return "?"


def link(path):
    return os.path.basename(os.readlink(path)) if os.path.islink(path) else "-"


def capability(config):
    """(VF Enable, NumVFs) from the SR-IOV extended capability (PCIe 9.3.3), or (-, -)."""
    try:
        data = open(config, "rb").read()
    except OSError:
        return "?", "?"
    offset = 0x100
    while offset and offset + 4 <= len(data):
        header = struct.unpack_from("<I", data, offset)[0]
        if header & 0xFFFF == 0x10:
            return struct.unpack_from("<H", data, offset + 8)[0] & 1, struct.unpack_from("<H", data, offset + 0x10)[0]
        offset = header >> 20
    return "-", "-"


def vgpu(device, mdevs):
    """What NVIDIA's driver makes of a VF, in either of its frameworks."""
    found = ["type=" + read(os.path.join(device, "nvidia/current_vgpu_type"))] if os.path.isdir(os.path.join(device, "nvidia")) else []
    where = device
    for uuid in mdevs.get(os.path.basename(device), []):
        where = os.path.join(device, uuid)
        found.append("mdev=%s type=%s" % (uuid, link(os.path.join(where, "mdev_type")).replace("nvidia-", "")))
    params = os.path.join(where, "nvidia/vgpu_params")
    if os.path.exists(params) and read(params):
        found.append("params=" + read(params))
    return "".join(" " + word for word in found)


def mdevs_by_vf(root):
    bus, found = os.path.join(root, "sys/bus/mdev/devices"), {}
    for uuid in sorted(os.listdir(bus)) if os.path.isdir(bus) else []:
        vf = os.path.basename(os.path.dirname(os.readlink(os.path.join(bus, uuid))))
        found.setdefault(vf, []).append(uuid)
    return found


def print_gpus(root):
    mdevs = mdevs_by_vf(root)
    devices = os.path.join(root, "sys/bus/pci/devices")
    for name in sorted(os.listdir(devices)):
        device = os.path.join(devices, name)
        if not os.path.exists(os.path.join(device, "sriov_totalvfs")):
            continue
        vfs = sorted((int(f[6:]), f) for f in os.listdir(device) if f.startswith("virtfn"))
        enable, num = capability(os.path.join(device, "config"))
        print("gpu %s driver=%s links=%d numvfs=%s autoprobe=%s enable=%s"
              % (name, link(os.path.join(device, "driver")), len(vfs), num,
                 read(os.path.join(device, "sriov_drivers_autoprobe")), enable))
        for index, file in vfs:
            address = link(os.path.join(device, file))
            vf = os.path.join(devices, address)
            print("  vf %d %s driver=%s%s" % (index, address, link(os.path.join(vf, "driver")), vgpu(vf, mdevs)))


def address(element):
    get = lambda key: int(element.get(key, "0"), 0)
    return "%04x:%02x:%02x.%x" % (get("domain"), get("bus"), get("slot"), get("function"))


def print_domain(kind, tree):
    for hostdev in tree.iter("hostdev"):
        source = hostdev.find("source/address")
        alias = hostdev.find("alias")
        guest = hostdev.find("address")
        print("  %s %s managed=%s alias=%s%s"
              % (kind, address(source) if source.get("bus") else source.get("uuid"), hostdev.get("managed", "no"),
                 alias.get("name") if alias is not None else "-",
                 " guest=" + address(guest) if guest is not None else ""))


def definition(path):
    return ET.parse(path).getroot() if os.path.lexists(path) else None


def print_domains(root):
    config, live = os.path.join(root, "etc/libvirt/qemu"), os.path.join(root, "run/libvirt/qemu")
    names = {f[:-4] for d in (config, live) if os.path.isdir(d) for f in os.listdir(d) if f.endswith(".xml")}
    for name in sorted(names):
        state = "off"
        try:
            live_tree = definition(os.path.join(live, name + ".xml"))
            config_tree = definition(os.path.join(config, name + ".xml"))
        except OSError:
            print("domain %s unreadable" % name)
            continue
        if live_tree is not None:
            state = live_tree.get("state", "running")
        mark = config_tree is not None and any(e.tag.startswith(MARK) for e in config_tree.iter())
        print("domain %s %s%s%s" % (name, state, "" if config_tree is not None else " transient", " marked" if mark else ""))
        if config_tree is not None:
            print_domain("hostdev", config_tree)
        if live_tree is not None:
            print_domain("live", live_tree)


def main():
    root = sys.argv[1]
    print_gpus(root)
    print_domains(root)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has a VF open through VFIO, as QEMU has it, until it is killed: hold.py ADDRESS READY-FILE

A group alone does not stop anybody: the kernel waits for open devices (vfio_unregister_group_dev). So this opens a
container, the group in it, and the device out of that (Documentation/driver-api/vfio.rst).
"""
import fcntl
import os
import signal
import struct
import sys

TYPE1_IOMMU = 1
SET_IOMMU, GROUP_SET_CONTAINER, GROUP_GET_DEVICE_FD = 0x3B66, 0x3B68, 0x3B6A


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def give_to_vfio(address):
    device = "/sys/bus/pci/devices/" + address
    write(device + "/driver_override", "vfio-pci")
    if os.path.exists(device + "/driver"):
        if os.path.basename(os.readlink(device + "/driver")) == "vfio-pci":
            return
        write(device + "/driver/unbind", address)
    write("/sys/bus/pci/drivers_probe", address)


def main():
    address, ready = sys.argv[1:]
    write("/proc/self/comm", "vfio-holder")
    give_to_vfio(address)
    group_number = os.path.basename(os.readlink("/sys/bus/pci/devices/%s/iommu_group" % address))
    container = os.open("/dev/vfio/vfio", os.O_RDWR)
    group = os.open("/dev/vfio/" + group_number, os.O_RDWR)
    fcntl.ioctl(group, GROUP_SET_CONTAINER, struct.pack("i", container))
    fcntl.ioctl(container, SET_IOMMU, TYPE1_IOMMU)
    fcntl.ioctl(group, GROUP_GET_DEVICE_FD, address.encode() + b"\0")
    write(ready, "")
    signal.pause()


main()

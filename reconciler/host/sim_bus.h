/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI bus of the simulated machine: devices and the drivers they are bound to, IOMMU groups. Devices are named as
 * their directory is ("0000:41:00.0"). The caller holds the machine's lock, or is the only one at work.
 *
 * What may fail returns 0 or -errno.
 */
#ifndef GP_HOST_SIM_BUS_H
#define GP_HOST_SIM_BUS_H

#include "host/sim_device.h"

#define GP_BUS_DEVICES "sys/bus/pci/devices"
#define GP_BUS_DRIVERS "sys/bus/pci/drivers"
#define GP_BUS_GROUPS  "sys/kernel/iommu_groups"
#define GP_BUS_VFIO    "vfio-pci"

bool gp_bus_has(int root, const char *addr);
/* Driver and IOMMU group of a device, caller frees; "" none. */
char *gp_bus_driver(int root, const char *addr);
/* The driver that was asked to let go of the device and has not done so yet; "" none. */
char *gp_bus_leaving(int root, const char *addr);
char *gp_bus_group(int root, const char *addr);
/* Is anybody's descriptor of the group open; of its group, or of that of a mediated device on it? */
bool gp_bus_group_is_open(int root, const char *group);
bool gp_bus_is_held(int root, const char *addr);

/* A group of its own. *next: the number to look at first; the lowest free one from there is taken. -1 with errno. */
int gp_bus_join_group(int root, unsigned *next, const struct gp_sim_device *device, const char *addr);
void gp_bus_leave_group(int root, const char *addr);
/* An empty group. */
int gp_bus_new_group(int root, unsigned *next, char name[GP_SIM_WORD_SIZE]);

int gp_bus_load_driver(int root, const char *driver);                    /* its directory; "" is fine */
int gp_bus_set_override(int root, const char *addr, const char *driver); /* "" clears */
/* Would the bus offer this device to this driver? */
bool gp_bus_matches(int root, const char *addr, const char *driver);
/* With sriov_drivers_autoprobe off, a VF is probed only by the driver that its override names. */
bool gp_bus_may_probe(int root, const char *addr);
/* -EINVAL: the driver does not take this device after all. */
int gp_bus_bind(int root, const char *addr, const char *driver);
/* Leaves the device without a driver, whoever holds it. */
void gp_bus_unbind(int root, const char *addr);
/* Its first half: what the kernel does before it calls the driver, which may take its time. */
void gp_bus_begin_unbind(int root, const char *addr);
/* Offers a device without a driver to those that match. */
int gp_bus_probe(int root, const char *addr);

/* new_id_store(), remove_id_store(). */
int gp_bus_add_id(int root, const char *driver, const char *value);
int gp_bus_remove_id(int root, const char *driver, const char *value);

#endif

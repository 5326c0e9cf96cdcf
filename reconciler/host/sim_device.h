/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pretend PCI device: what its silicon and its firmware say, what it looks like in config space, and its directory in
 * sysfs. What happens to it is kernel_sim.c's business.
 */
#ifndef GP_HOST_SIM_DEVICE_H
#define GP_HOST_SIM_DEVICE_H

#include "host/host_internal.h"

enum {
	GP_SIM_WORD_SIZE = 64,
	GP_SIM_CONFIG_SIZE = 4096, /* extended config space, as root sees it */
};

/* A physical function. Kept in .sim/devices/ADDRESS, one "key=value" a line. */
struct gp_sim_device {
	struct gp_pci_addr addr;
	uint32_t vendor, device, subsystem_vendor, subsystem_device;
	uint32_t pci_class, revision;
	int32_t numa_node;
	char slot[GP_SIM_WORD_SIZE];   /* "" none */
	char driver[GP_SIM_WORD_SIZE]; /* that binds at boot and fits the PF and its VFs; "" none */
	bool driver_sriov;             /* that driver has sriov_configure */
	uint32_t driver_total_vfs;     /* that driver allows no more than this; 0 no limit of its own */
	uint64_t vram;                 /* that driver shows it; 0 it does not */
	uint32_t card;                 /* N of drm/cardN */
	uint32_t total_vfs;            /* 0: no SR-IOV capability */
	uint32_t initial_vfs;
	uint32_t vf_device, offset, stride;
	bool offset_before_enable; /* First VF Offset and VF Stride are told while VFs are off */
	bool mmio;                 /* firmware gave the VF BARs room */
	uint32_t buses;            /* bus numbers from its own on that firmware left for it */
	uint32_t latency_ms;       /* of enabling and disabling VFs */
	/* With NVIDIA's driver (nvidia_sim.c) */
	bool vgpu_driver;                 /* that can make vGPUs */
	char framework[GP_SIM_WORD_SIZE]; /* "vfio", "mdev": how it hands VFs to VMs */
	char scheduler[GP_SIM_WORD_SIZE]; /* "best-effort", "equal-share", "fixed-share" */
	uint32_t minor;                   /* N of /dev/nvidiaN */

	/* Of the running kernel, gone at reboot */
	uint32_t num_vfs;
	bool autoprobe;
};

int gp_sim_device_load(int root, struct gp_pci_addr addr, struct gp_sim_device *out); /* -1: no such PF */
int gp_sim_device_save(int root, const struct gp_sim_device *device);

/* Where VF `index` is, by offset and stride. */
struct gp_pci_addr gp_sim_vf_addr(const struct gp_sim_device *device, uint32_t index);
bool gp_sim_vf_bus_fits(const struct gp_sim_device *device, uint32_t count);

/* Config space of the PF, when `enabled` VFs are on (0: off); and of a VF. */
void gp_sim_config_pf(const struct gp_sim_device *device, uint32_t enabled, uint8_t out[GP_SIM_CONFIG_SIZE]);
void gp_sim_config_vf(const struct gp_sim_device *device, uint8_t out[GP_SIM_CONFIG_SIZE]);

/* The device's directory, with all that does not depend on a driver, and its link in sys/bus/pci/devices. Crash
 * tolerant: what is there already is completed. */
int gp_sim_plug_pf(int root, const struct gp_sim_device *device);
int gp_sim_plug_vf(int root, const struct gp_sim_device *device, uint32_t index);
/* Makes the SR-IOV capability and the attributes that mirror it say that `enabled` VFs are on. */
int gp_sim_show_enabled(int root, const struct gp_sim_device *device, uint32_t enabled);
int gp_sim_show_num_vfs(int root, const struct gp_sim_device *device);
/* sriov_totalvfs, and what the driver shows of itself, for a PF bound to `driver` ("" none). */
int gp_sim_show_driver(int root, const struct gp_sim_device *device, const char *driver);

/* Does this driver show the memory of its GPU? */
bool gp_sim_driver_shows_vram(const char *driver);

/* "sys/devices/pci0000:41": PFs and VFs stand side by side below it. Returns out. */
const char *gp_sim_bus_path(const struct gp_sim_device *device, char out[GP_SIM_WORD_SIZE]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The personality of NVIDIA's vGPU host driver on the simulated machine: what it shows under /proc and sysfs, and what
 * it does when a vGPU is made or given up, in both kernel frameworks. VFs themselves come and go in kernel_sim.c.
 *
 * Which VF has which vGPU is kept in .sim/vgpus/PF, one "VF TYPE UUID" a line; what sysfs shows follows from that. The
 * caller holds the machine's lock, or is the only one at work. What may fail returns 0 or -errno.
 */
#ifndef GP_HOST_NVIDIA_SIM_H
#define GP_HOST_NVIDIA_SIM_H

#include "host/sim_vgpu_types.h"

#define GP_NVIDIA_DRIVER    "nvidia"
#define GP_NVIDIA_PROC_GPUS "proc/driver/nvidia/gpus"
#define GP_MDEV_DEVICES     "sys/bus/mdev/devices"

enum { GP_NVIDIA_VENDOR = 0x10de, GP_NVIDIA_MOST_VGPUS = 64 };

/* Is it NVIDIA's, with NVIDIA's driver; and can that driver make vGPUs of it? */
bool gp_nvidia_drives(const struct gp_sim_device *device);
bool gp_nvidia_makes_vgpus(const struct gp_sim_device *device);
bool gp_nvidia_is_mdev(const struct gp_sim_device *device);

/* What the package of the vGPU driver puts on the disk: the types, and sriov-manage (NULL: where it usually is). */
int gp_nvidia_install(int root, const char *sriov_manage);
/* The module, as it is loaded at boot; with `mdev`, on a kernel on which it uses mediated devices. */
int gp_nvidia_load(int root, bool mdev);

/* What the driver shows of a device that it is bound to, and takes away when it is not any more: vGPUs go with it. */
int gp_nvidia_show_pf(int root, const struct gp_sim_device *device);
void gp_nvidia_hide_pf(int root, const struct gp_sim_device *device);
int gp_nvidia_show_vf(int root, const struct gp_sim_device *device, const char *vf);
void gp_nvidia_hide_vf(int root, const struct gp_sim_device *device, const char *vf);

/* A VF with a vGPU. */
struct gp_sim_vgpu {
	uint32_t vf, type;
	struct gp_uuid mdev; /* null: it is no mediated device */
};

/* Made before anybody looked. *next_group: see gp_bus_join_group. */
int gp_nvidia_preset(int root, const struct gp_sim_device *device, const struct gp_sim_vgpu *vgpus, size_t count,
		     unsigned *next_group);

enum gp_nvidia_kind { GP_NVIDIA_TYPE, GP_NVIDIA_PARAMS, GP_NVIDIA_CREATE, GP_NVIDIA_REMOVE };

/* An attribute of the driver that can be written. */
struct gp_nvidia_attribute {
	enum gp_nvidia_kind kind;
	const char *name; /* as faults name it */
	char pf[GP_PCI_ADDR_SIZE], vf[GP_PCI_ADDR_SIZE];
	uint32_t type;       /* CREATE */
	struct gp_uuid mdev; /* REMOVE, and PARAMS of a mediated device */
};

/* directory: where it lies, without links. False: it is none of the driver's. */
bool gp_nvidia_find_attribute(int root, const char *directory, const char *name, struct gp_nvidia_attribute *out);
/* -EAGAIN: it is done when nobody has the device open any more; ask again then. */
int gp_nvidia_store(int root, const struct gp_nvidia_attribute *attribute, const char *value, unsigned *next_group);

/* Why the VF cannot be handed to a guest: it has no vGPU. NULL: it can. */
const char *gp_nvidia_unready(int root, const char *vf);
/* The mediated device on a VF; false: there is none. And is it open? */
bool gp_nvidia_find_mdev(int root, const char *vf, struct gp_uuid *out);
bool gp_nvidia_mdev_is_held(int root, const char *vf);
char *gp_nvidia_mdev_group(int root, const char *uuid); /* caller frees; "" none */

/* /proc/driver/nvidia/gpus/PF/unbindLock: nobody else may open the GPU from now on. False: somebody has it open. */
bool gp_nvidia_lock_unbind(int root, const struct gp_sim_device *device, bool lock);
int gp_nvidia_open(int root, const struct gp_sim_device *device, uint64_t pid);
void gp_nvidia_close(int root, uint64_t pid);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The description of a simulated machine: YAML in, checked values out. The language: docs/simulated-machine.md. */
#ifndef GP_HOST_SIM_DESCRIBE_H
#define GP_HOST_SIM_DESCRIBE_H

#include "base/source.h"
#include "host/nvidia_sim.h"
#include "host/sim_device.h"
#include "host/sim_domain.h"
#include "host/sim_host.h"

/* One PF, `repeat` expanded. */
struct gp_sim_gpu {
	struct gp_sim_device device;
	const char *vendor_name, *name, *subsystem_name, *vf_name; /* for pci.ids; NULL: not listed there */
	uint32_t vfs;                                              /* enabled when the machine is made */
	const char *vf_driver;                                     /* that they are bound to; "" none */
	bool autoprobe;
	/* NVIDIA's: which VFs have which vGPU when the machine is made; and, where those are mediated devices, the type
	 * of those that hostdevs bring along (0: they bring none) */
	struct gp_sim_vgpu *vgpus;
	size_t vgpu_count;
	uint32_t mdev_type;
	uint32_t used_vfs;   /* of those, how many are for VMs; 0: all */
	struct gp_mark mark; /* of its address */
};

struct gp_sim_hostdev {
	enum gp_hostdev_type type;
	struct gp_pci_addr source; /* PCI */
	struct gp_uuid mdev;       /* mdev */
	bool managed;
	const char *alias;                /* NULL none */
	struct gp_pci_addr guest_address; /* bus 0: none given */
	struct gp_mark mark;
};

enum gp_sim_power { GP_SIM_OFF, GP_SIM_RUNNING, GP_SIM_PAUSED };

/* One domain, the pattern of `names` expanded. */
struct gp_sim_vm {
	const char *name;
	struct gp_uuid uuid;
	enum gp_sim_power power;
	bool persistent, autostart, managed_save;
	const char *external; /* URI and prefix follow from it; NULL none */
	const char *vnc_password;
	struct gp_sim_guest guest;
	uint64_t running_for_ms;
	struct gp_sim_hostdev *hostdevs;
	size_t hostdev_count;
	struct gp_mark mark;
};

struct gp_sim_description {
	const char *hostname;
	const char *libvirt, *qemu; /* their versions; NULL: not said */
	const char *sriov_manage;   /* NULL: where it usually is */
	struct gp_sim_host host;
	struct gp_sim_gpu *gpus; /* ascending address */
	size_t gpu_count;
	struct gp_sim_vm *vms;
	size_t vm_count;
};

/* 0, or -1 with faults in diags. Strings live in the arena. */
int gp_sim_describe(const struct gp_source *source, struct gp_arena *arena, struct gp_sim_description *out,
		    struct gp_diags *diags);
/* The element that a cluster manager of this name leaves in <metadata>: NULL for an unknown one. */
const char *gp_sim_external_uri(const char *name);

#endif

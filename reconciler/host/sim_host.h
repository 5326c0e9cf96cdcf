/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a simulated machine shows of itself besides its devices: processors, IOMMU, kernel, services. It is there for
 * those who look whether a host is ready; nothing of it changes what the pretend kernel does.
 */
#ifndef GP_HOST_SIM_HOST_H
#define GP_HOST_SIM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "host/sim_device.h"

enum gp_sim_iommu { GP_SIM_IOMMU_ACTIVE, GP_SIM_IOMMU_KERNEL_OFF, GP_SIM_IOMMU_FIRMWARE_OFF };
enum { GP_SIM_SERVICES = 8, GP_SIM_COMMAND_LINE = 256 };

struct gp_sim_host {
	char cpu[GP_SIM_WORD_SIZE]; /* "intel", "amd", "arm" */
	bool cpu_virtualization;    /* the flag, and /dev/kvm */
	bool kvm;                   /* /dev/kvm alone */
	enum gp_sim_iommu iommu;
	char kernel[GP_SIM_WORD_SIZE]; /* release */
	char command_line[GP_SIM_COMMAND_LINE];
	char lockdown[GP_SIM_WORD_SIZE]; /* "none", "integrity", "confidentiality"; "" not built in */
	char vfio[GP_SIM_WORD_SIZE];     /* its modules: "loaded", "loadable", "missing" */
	char stuck[GP_SIM_WORD_SIZE];    /* function of the kernel in which a process hangs; "" none does */
	uint64_t memlock;                /* libvirt's daemon may not raise limits, and has this one; 0: it may */
	char services[GP_SIM_SERVICES][GP_SIM_WORD_SIZE]; /* processes that run from boot on; "" ends the list */
};

/* A machine that is ready. */
void gp_sim_host_defaults(struct gp_sim_host *host);
int gp_sim_host_save(int root, const struct gp_sim_host *host);
/* Makes it all anew, of what was saved; nothing, where nothing was. */
int gp_sim_host_boot(int root);
/* Devices are in no IOMMU groups. */
bool gp_sim_host_lacks_iommu(int root);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rest of the simulated machine asks of the pretend kernel (kernel_sim.c): booting, and processes that hold
 * VFs. The caller holds the machine's lock (gp_tree_lock_machine) unless said otherwise.
 */
#ifndef GP_HOST_SIM_KERNEL_H
#define GP_HOST_SIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "model/ident.h"

/* Makes sys, proc, dev and run from .sim/devices: no VFs, every PF bound to its boot driver, new IOMMU group numbers.
 */
int gp_kernel_boot(int root, struct gp_error *err);
/* What an admin did before anybody looked: `count` VFs, each bound to `driver` ("" none). Takes no lock. */
int gp_kernel_preset_vfs(int root, struct gp_pci_addr pf, uint32_t count, const char *driver, bool autoprobe,
			 struct gp_error *err);
struct gp_sim_vgpu;
/* The same for vGPUs on VFs that are there already. */
int gp_kernel_preset_vgpus(int root, struct gp_pci_addr pf, const struct gp_sim_vgpu *vgpus, size_t count,
			   struct gp_error *err);

/* Which PF would have a VF at this address, whether it is enabled or not; -1: none. */
int gp_kernel_vf_owner(int root, struct gp_pci_addr addr, struct gp_pci_addr *pf);
/* Is it there, and does anybody have its VFIO group open? */
bool gp_kernel_device_exists(int root, struct gp_pci_addr addr);
bool gp_kernel_device_held(int root, struct gp_pci_addr addr);
/* The driver it is bound to, caller frees; "" none. */
char *gp_kernel_device_driver(int root, struct gp_pci_addr addr);

/* A process of this name appears under proc/; its pid. */
int gp_kernel_new_process(int root, const char *comm, uint64_t *pid);
/* The process opens the device's VFIO group. `managed`: it is bound to vfio-pci for that, and given back later. */
int gp_kernel_open(int root, struct gp_pci_addr addr, uint64_t pid, bool managed, struct gp_error *err);
/* The same of a mediated device. */
int gp_kernel_open_mdev(int root, struct gp_uuid uuid, uint64_t pid, struct gp_error *err);
/* Can it be opened without another driver? A VF whose own driver is a VFIO driver, too, can. */
bool gp_kernel_device_is_vfio(int root, struct gp_pci_addr addr);
bool gp_kernel_mdev_exists(int root, struct gp_uuid uuid);
bool gp_kernel_mdev_held(int root, struct gp_uuid uuid);
/* A new process that does nothing but hold the device, or the mediated device on it. */
int gp_kernel_hold(int root, struct gp_pci_addr addr, const char *comm, uint64_t *pid, struct gp_error *err);
/* A new process that has NVIDIA's PF open. */
int gp_kernel_client(int root, struct gp_pci_addr pf, const char *comm, uint64_t *pid, struct gp_error *err);
/* The process ends: descriptors are closed, managed devices go back to where they came from. */
void gp_kernel_let_go(int root, uint64_t pid);

/*
 * For a process that outlives its caller: forks twice. True in the new process, which is nobody's child any more, keeps
 * `root` and (as far as it is not -1) `keep` open, has its other descriptors closed and ends with _exit; false in the
 * caller, also when there was no process to be had.
 */
bool gp_sim_background(int root, int keep);
/* The same with all descriptors left open; and the closing alone. */
bool gp_sim_fork_away(void);
void gp_sim_close_all_but(int first, int second);
/* How often the machine was booted. A background process stops when that changes. */
uint64_t gp_sim_boots(int root);
/* Sleeps in small pieces. False: the machine was rebooted or is gone meanwhile. */
bool gp_sim_pause(int root, uint64_t boot, uint64_t ms);

#endif

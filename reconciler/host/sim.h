/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated machine: real code, pretend kernel.
 *
 * A directory laid out like "/", made from a short YAML description (docs/simulated-machine.md). All state lives in the
 * directory: anyone can `ls` it. A write is carried out by the pretend kernel (kernel_sim.c) in the helper process,
 * which does what Linux does: EBUSY on N → M, ERANGE, VF directories and links, driver binding, IOMMU groups. It is
 * asked for by
 * --root, never chosen automatically, and never when the root is "/".
 *
 * The directory holds gpupart-sim.yaml (the description as given) and .sim/: `lock`, `faults` (one a line), `writes`
 * (how many mutations were asked for so far), `trace` (two lines a mutation, its begin and its end: kernel and VM side
 * alike), `dmesg` (what the kernel would have logged), `boots`, and what silicon and drivers remember.
 */
#ifndef GP_HOST_SIM_H
#define GP_HOST_SIM_H

#include "host/host.h"

/* Makes a machine. All faults of the description go to diags, whose marks point into `sources`: keep those as long.
 * With such faults nothing is made. DIR must not exist or be empty. */
int gp_sim_create(const char *directory, const char *description, struct gp_sources *sources, struct gp_diags *diags,
		  struct gp_error *err);
/* All that the kernel forgets is gone: VFs, drivers' state, run/; running domains are off, autostarted ones are tried.
 * One that does not start (its VF is gone, say) is a warning in diags (may be NULL), not a failure. */
int gp_sim_reboot(const char *directory, struct gp_diags *diags, struct gp_error *err);
/* define FILE.xml | create FILE.xml (a transient one) | start NAME | stop NAME | destroy NAME | undefine NAME | pause
 * NAME | resume NAME | suspend NAME (to memory) | crash NAME | save NAME (managed save) | unsave NAME | autostart NAME
 * | no-autostart NAME. What others do on the machine: not counted as mutations, not struck by faults. */
int gp_sim_vm(const char *directory, const char *action, const char *argument, struct gp_error *err);
/*
 * A fault, as one line of words; "clear" removes all, and DIR/.sim/faults lists them. DEVICE is an address, or a VF as
 * "0000:41:00.0/3".
 *
 * - fail N ERRNO: the Nth mutation from now (kernel or VM side) fails with that errno
 * - kill N before|after: the process that asked for the Nth mutation is killed (SIGKILL), before or after it happens
 * - attr DEVICE ATTR ERRNO: each write of that attribute fails
 * - short DEVICE sriov_numvfs: it succeeds with fewer VFs than asked (half), be it a write or sriov-manage
 * - late DEVICE MS: VFs appear that much after the write, or the program, returned
 * - slow DEVICE ATTR MS: the write takes that long
 * - block DEVICE ATTR: the write never returns (until cleared)
 * - initialising DEVICE MS: for that long from now, and from each boot, on, sriov-manage does nothing and succeeds
 * - client DEVICE [NAME]: a process has NVIDIA's PF open (pid invented, under proc/)
 * - settle DEVICE MS: for that long after a guest let go of a VF, or of its mediated device, the driver keeps it
 * - drops DEVICE: a vGPU type is taken, or a mediated device made, without an error, and is not there
 * - ignore-shutdown NAME: the guest does not react to a shutdown request
 * - unreadable PATH: nobody can read it: mode 000, and for root a link that leads nowhere
 * - hold DEVICE: a process with the VF's VFIO group open, or that of the mediated device on it
 * - libvirt VERSION: the VM side is that of another release
 * - libvirt-down: the VM side does not answer
 */
int gp_sim_fault(const char *directory, const char *const *words, size_t count, struct gp_error *err);

/*
 * The pretend kernel's half of gp_host_write, called by the helper program (root_fd: the simulated root). 0 or -errno,
 * like write(2). A process of its own does it and goes on when the caller is killed.
 */
int gp_kernel_sim_write(int root_fd, const char *path, const char *value);
/*
 * The same for a vendor's program, with one argument and a device: NVIDIA's sriov-manage, wherever it was installed
 * (`program` is its path from the root on, and there must be a file). Its exit status, or -errno when it could not be
 * run.
 */
int gp_kernel_sim_run(int root_fd, const char *program, const char *argument, const char *device);

/*
 * Waits until nothing is at work on the machine any more: no write of the pretend kernel, no helper of a gpupart that
 * was killed. What comes after a kill can so be told from what was still under way. GP_E_TIMEOUT names what is still at
 * work.
 */
int gp_sim_settle(const char *directory, uint64_t timeout_ms, struct gp_error *err);

/* The root directory of a simulated machine, or -1 (GP_E_USAGE when it is none). */
int gp_sim_open(const char *directory, struct gp_error *err);

#endif

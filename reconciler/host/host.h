/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One handle on a machine: the real one, a captured tree, or a simulated machine.
 *
 * The root directory is in the handle, so that two hosts in one process are ordinary. Every path is relative to the
 * root
 * ("sys/bus/pci/devices/…", no leading slash) and is resolved inside it: no link leads out (openat2 with
 * RESOLVE_IN_ROOT). All reading goes through the same code whatever the machine is; only writing differs.
 *
 * A handle that was opened read-only cannot write: gp_host_write() is GP_E_INTERNAL, and the domains are opened on
 * libvirt's read-only connection.
 */
#ifndef GP_HOST_HOST_H
#define GP_HOST_HOST_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/log.h"
#include "host/vmm.h"
#include "model/observed.h"
#include "model/plan.h"

struct gp_host;

enum gp_host_mode { GP_HOST_READ_ONLY, GP_HOST_READ_WRITE };

struct gp_host_options {
	const char *root;        /* NULL or "/": the real machine */
	const char *connect_uri; /* libvirt; NULL: qemu:///system, or a simulated machine's own VMs; a captured tree has
				    none */
	const char *writer_path; /* the helper program gpupart-write; NULL only when read-only */
	enum gp_host_mode mode;
};

/* GP_E_NOT_FOUND: no such root. GP_E_USAGE: a captured tree was asked to be written, or has a live libvirt asked of it.
 */
int gp_host_open(const struct gp_host_options *options, struct gp_host **out, struct gp_error *err);
void gp_host_close(struct gp_host *host);
GP_DEFINE_CLEANUP(struct gp_host, gp_host_close)

enum gp_host_kind gp_host_kind_of(const struct gp_host *host);
const char *gp_host_root(const struct gp_host *host);
/* etc/hostname under the root of a simulated or captured machine, else gethostname(). */
const char *gp_host_name(const struct gp_host *host);
int gp_host_root_fd(const struct gp_host *host);

/* ---- reading (sysfs.c) ---- */

enum { GP_ATTR_MAX = 4096 }; /* the kernel's PAGE_SIZE limit of an attribute */

/* Opens for reading, inside the root; -1 and *err (GP_E_NOT_FOUND, GP_E_PERMISSION, GP_E_IO). */
int gp_host_open_file(struct gp_host *host, const char *path, struct gp_error *err);
/* The text of an attribute without its trailing newline. Returns its length, or -1. */
int gp_host_read(struct gp_host *host, const char *path, char *buffer, size_t size, struct gp_error *err);
int gp_host_read_u64(struct gp_host *host, const char *path, uint64_t *out, struct gp_error *err);
/* A whole file of at most max_bytes into the arena. */
int gp_host_read_file(struct gp_host *host, const char *path, size_t max_bytes, struct gp_arena *arena, char **text,
		      size_t *size, struct gp_error *err);
/* Last component of what a symbolic link points to ("xe" of …/drivers/xe). */
int gp_host_read_link(struct gp_host *host, const char *path, char *buffer, size_t size, struct gp_error *err);
bool gp_host_exists(struct gp_host *host, const char *path);
/* Names in a directory, sorted; the callback returns non-zero to stop. */
int gp_host_list(struct gp_host *host, const char *path, int (*each)(void *context, const char *name), void *context,
		 struct gp_error *err);

/* ---- PCI (pci.c: the only file that knows libpci) ---- */

/*
 * Every PF that gpupart could manage, in address order: devices of class 03xx or 12xx that are no VF, and those whose
 * address a file names (wanted). Identity, driver, slot, NUMA node, SR-IOV facts and VFs (address, driver) are filled
 * in; the rest is the vendor's. GPUs go to `observed`.
 */
int gp_host_observe_pci(struct gp_host *host, const struct gp_pci_addr *wanted, size_t wanted_count,
			struct gp_observed *observed, struct gp_error *err);
/* Reads the facts of one PF again (used between steps and while waiting). Names, slot and what the vendor has filled in
 * stay as they are in *gpu. */
int gp_host_observe_pf(struct gp_host *host, struct gp_arena *arena, struct gp_pci_addr addr, struct gp_gpu *gpu,
		       struct gp_error *err);
/* Names from pci.ids under the root or of this system; "8086" style numbers when there is none. */
void gp_host_pci_names(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu);

/* ---- vGPU types (vgpu_config.c: NVIDIA's vgpuConfig.xml, which its vGPU host driver installs) ---- */

struct gp_vgpu_type {
	uint32_t id;      /* the driver's: nvidia-ID, current_vgpu_type */
	const char *name; /* "A16-4Q", without "NVIDIA " or "GRID " before it */
	/* Bytes that it takes of the GPU's memory, with those that the driver keeps of it: what the name counts, and
	 * the driver shows. 0: not told. */
	uint64_t framebuffer;
	bool mig;      /* it takes an instance of a GPU in MIG mode, not a slice of time */
	bool multiple; /* a VM may have several vGPUs, this among them */
	uint32_t most; /* of it on one GPU; never 0 */
};

#define GP_VGPU_CONFIG "usr/share/nvidia/vgpu/vgpuConfig.xml"
/* Where its program that makes VFs lies, unless a file says otherwise. */
#define GP_SRIOV_MANAGE "/usr/lib/nvidia/sriov-manage"

/*
 * The types that the driver knows for a physical GPU, in the order of the file; none when it does not list the GPU. An
 * entry for just this subsystem goes before one for any. The list is read once a handle and kept with it: what a driver
 * that is updated meanwhile brings, the next handle sees. GP_E_NOT_FOUND: no such file, under GP_VGPU_CONFIG or
 * etc/nvidia/vgpu; GP_E_CORRUPT: it is none, or larger than can be.
 */
int gp_host_vgpu_types(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_vgpu_type **types, size_t *count,
		       struct gp_error *err);

/* ---- mediated devices (mdev.c) ---- */

struct gp_mdev {
	struct gp_uuid uuid;
	struct gp_pci_addr parent; /* the VF that it was made on */
	char type[64];             /* as the directory of the type is named: "nvidia-712" */
	/* Made on something that is no PCI device, as mtty, vfio-ap and vfio-ccw are: none of ours. All that is told of
	 * it is that it is there. */
	bool foreign;
};

/* 1: *out tells what it is; 0: there is none of this name; -1: that cannot be told. */
int gp_host_find_mdev(struct gp_host *host, struct gp_uuid uuid, struct gp_mdev *out, struct gp_error *err);
/* All on PCI devices, in the order of their names; none where there is no such bus. */
int gp_host_each_mdev(struct gp_host *host, void (*each)(void *context, const struct gp_mdev *mdev), void *context,
		      struct gp_error *err);

/* ---- holders (holders.c) ---- */

/* Adds the VFIO holders (processes with /dev/vfio/GROUP of the VF or of the mediated device on it, or the VF's
 * /dev/vfio/devices/vfioN, open) to all partitions, processes that have /dev/nvidiaN open to the clients of that GPU,
 * and, when any VFIO file is open, the IOMMU groups of those that have a driver. Sets observed->vfio_state; not being
 * able to read every /proc/PID/fd makes it unknown. */
void gp_host_observe_vfio(struct gp_host *host, struct gp_observed *observed);

/* ---- writing (write.c): in a helper process, with a deadline ---- */

struct gp_write_request {
	enum gp_step_kind kind; /* WRITE, BIND, UNBIND, HELPER */
	enum gp_step_base base;
	const char *device; /* concrete: "0000:41:00.0" */
	const char *attribute;
	const char *before; /* read again first; different: GP_E_STALE. NULL: do not care */
	const char *after;
	const char
		*program; /* HELPER: absolute path; its last component must be on the list of programs that are run */
	enum gp_guard guard;
	struct gp_pci_addr pf;
	uint64_t timeout_ms;
};

/*
 * Runs gpupart-write for one primitive change: it takes the PF's exclusive lock (run/gpupart/pf-ADDR.lock under the
 * root), evaluates the guard (no VF bound to a foreign driver, no VFIO descriptor open), compares `before`, writes,
 * reads back (a mediated device that was made: that it is there, and of its type). It holds no descriptor of ours but
 * its own. Past the deadline it is left alone: GP_E_TIMEOUT, and the holder is named. Errors: GP_E_STALE, GP_E_REFUSED
 * (guard), GP_E_BUSY, GP_E_TIMEOUT, GP_E_PERMISSION, GP_E_VERIFY (the read-back differs), GP_E_IO. Thread safe.
 */
int gp_host_write(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err);

/* May root run this program of a vendor? It is there, and it and every directory on its way belong to root and can be
 * changed by nobody else (GP_E_REFUSED, with the remedy). The path is absolute, inside the root. */
int gp_host_check_program(struct gp_host *host, const char *program, struct gp_error *err);

/* The path of an attribute, relative to the root; only the host room makes paths. -1: no such base or a hostile name.
 */
int gp_host_attribute_path(enum gp_step_base base, const char *device, const char *attribute, struct gp_str *path,
			   struct gp_error *err);

/* ---- locks and state (state.c) ---- */

/*
 * The host-wide lock (run/gpupart/lock under the root): one apply at a time. Waits up to wait_ms; `waiting` is called
 * once with who holds it ("gpupart apply, pid 812, since 14:02:11"). Returns a descriptor to close, or -1 (GP_E_BUSY).
 */
int gp_host_lock(struct gp_host *host, uint64_t wait_ms, void (*waiting)(void *context, const char *holder),
		 void *context, struct gp_error *err);
/* Does another process hold that lock now? Nothing is written or made to find out. */
bool gp_host_is_locked(struct gp_host *host);
/* Saves a text as var/lib/gpupart/previous/NAME under the root, atomically, mode 0600; *path is for the screen, owned
 * by the caller. Keeps the newest 20. */
int gp_host_save_previous(struct gp_host *host, const char *name, const char *text, char **path, struct gp_error *err);

/* ---- domains ---- */

/* Opened on first use; NULL and *err when libvirt does not answer (GP_E_UNAVAILABLE). The handle owns it. */
struct gp_vmm *gp_host_vmm(struct gp_host *host, struct gp_error *err);

/* ---- capture (capture.c) ---- */

/* One word that was replaced in an anonymous capture, for the owner alone. */
struct gp_rename {
	const char *what; /* "host", "VM", "UUID" … */
	char *from, *to;
};
struct gp_renames {
	struct gp_rename *items;
	size_t count;
};
void gp_renames_clear(struct gp_renames *renames);

/* Copies what gpupart reads into DIR (must not exist or be empty): a tree that --root DIR replays. No secrets, no
 * domain XML of libvirt beyond what is compared. With `renames` nothing in it tells whose machine it is (disguise.h),
 * and what stands for what is in the list. Returns the number of files, or -1. */
int gp_host_capture(struct gp_host *host, const char *directory, struct gp_renames *renames, struct gp_error *err);

#endif

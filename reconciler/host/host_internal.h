/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share, and nobody else includes (but the room's tests). */
#ifndef GP_HOST_HOST_INTERNAL_H
#define GP_HOST_HOST_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "host/host.h"

struct gp_host {
	int root_fd;
	enum gp_host_kind kind;
	enum gp_host_mode mode;
	char *root;       /* absolute, for the screen */
	char *shown_root; /* as it was named, before the paths in errors; "" for the real machine */
	char *name;
	char *connect_uri; /* NULL: the kind's own */
	char *writer_path;

	pthread_mutex_t vmm_lock; /* opening the domains' side */
	struct gp_vmm *vmm;
	pthread_mutex_t pci_lock; /* libpci is not thread safe */
	struct pci_access *pci;
	pthread_mutex_t vgpu_lock;
	struct gp_vgpu_config *vgpu_config; /* NULL: not read so far, or not readable */
	pthread_mutex_t abandoned_lock;     /* helpers past their deadline, reaped when they end at last */
	pid_t *abandoned;
	size_t abandoned_count;
};

/* A file that makes a directory a simulated machine. */
#define GP_SIM_MARK_FILE "gpupart-sim.yaml"

/* The helper's own handle on an inherited root: takes over root_fd, has no domains, finds out the kind itself. */
int gp_host_adopt_root(int root_fd, struct gp_host **out, struct gp_error *err);

/* ---- sysfs.c: everything is opened inside a directory, or not at all ---- */

enum gp_inside {
	GP_INSIDE_ROOT,  /* links are followed as if the directory were "/" */
	GP_INSIDE_PLAIN, /* no link on the way, no "..": for names directly below a directory that was opened already */
};

/* openat2(2) with O_CLOEXEC. -1 with errno. */
int gp_open_inside(int dir_fd, const char *path, int flags, mode_t mode, enum gp_inside inside);
/* The text of a symbolic link, NUL-terminated. Its length, or -1 with errno (ENAMETOOLONG when it does not fit). The
 * link itself is never followed. */
ssize_t gp_readlink_inside(int dir_fd, const char *path, char *buffer, size_t size, enum gp_inside inside);
/* What follows the last slash. */
const char *gp_last_component(const char *path);
/* Text of a small file without its trailing newline: its length, or -1 with errno (EMSGSIZE: longer than that; EBADMSG:
 * holds a NUL). */
ssize_t gp_read_inside(int dir_fd, const char *path, char *buffer, size_t size, enum gp_inside inside);
/* "0000:41:00.0 sriov_numvfs", or the path with its slash. */
void gp_host_path_subject(struct gp_error *err, const char *path);
/* gp_fail_errno with the words and the subject that a path deserves. */
int gp_host_fail_path(struct gp_error *err, int sys, const char *path, const char *verb);
/* Puts the root before a subject that is a path ("box/run/gpupart/lock"); -1, for the caller to return. */
int gp_host_show_root(const struct gp_host *host, struct gp_error *err);
/* Both. */
int gp_host_fail_in(const struct gp_host *host, struct gp_error *err, int sys, const char *path, const char *verb);
/* Makes the directories of a path that do not exist yet; the last one gets `mode`, those above it 0755. */
int gp_host_make_directories(int root_fd, const char *path, mode_t mode, struct gp_error *err);

/* Names in a directory, in no order, without "." and "..", from where it was read last. The callback returns non-zero
 * to stop. 0, or -1 with errno. */
int gp_each_name_in(int dir_fd, int (*each)(void *context, const char *name), void *context);
/* The same of all of them; takes over dir_fd. */
int gp_each_name(int dir_fd, int (*each)(void *context, const char *name), void *context);

/* A sorted list of names. All zero is empty. */
struct gp_names {
	char *text;
	size_t text_size, text_capacity;
	size_t *starts;
	size_t count, capacity;
};
void gp_names_clear(struct gp_names *names);
void gp_names_add(struct gp_names *names, const char *name);
const char *gp_names_at(const struct gp_names *names, size_t index);
void gp_names_sort(struct gp_names *names);
/* Takes over dir_fd. 0, or -1 with errno. */
int gp_names_read(int dir_fd, struct gp_names *names);

/* ---- pci.c: libpci ---- */

enum { GP_PCI_CONFIG_SIZE = 4096 };

struct gp_pci_config {
	bool identity_known;
	uint16_t vendor, device, subsystem_vendor, subsystem_device;
	bool capability_known; /* SR-IOV */
	bool vf_enable;
	uint16_t num_vfs, vf_offset, vf_stride;
};

/* `bytes`: the config space of a tree that is not the kernel's, GP_PCI_CONFIG_SIZE of them, zero where it could not be
 * read; NULL: libpci reads for itself. */
int gp_pci_read_config(struct gp_host *host, struct gp_pci_addr addr, const uint8_t *bytes,
		       struct gp_pci_config *config, struct gp_error *err);
void gp_pci_close(struct gp_host *host);
/* Runs `call` with libpci's fatal error turned into GP_E_IO; afterwards libpci's state of this host is a fresh one. */
int gp_pci_fenced(struct gp_host *host, int (*call)(struct pci_access *pci, void *context), void *context,
		  struct gp_error *err);

/* ---- pci_observe.c ---- */

/* As gp_host_observe_pci, and with `all_sriov` every device that has sriov_totalvfs. */
int gp_pci_observe(struct gp_host *host, const struct gp_pci_addr *wanted, size_t wanted_count, bool all_sriov,
		   struct gp_observed *observed, struct gp_error *err);
/* Links and SR-IOV capability disagree: somebody is enabling or disabling. False when the capability could not be read.
 */
bool gp_pci_in_transition(const struct gp_gpu *gpu);
/* Fills in the IOMMU groups of the VFs that have a driver, or of those that have none. */
void gp_pci_read_iommu_groups(struct gp_host *host, struct gp_gpu *gpu, bool bound);

/* ---- pci_ids.c: names of devices in the text of a pci.ids file ---- */

struct gp_pci_id_names {
	const char *vendor, *device, *subsystem; /* into the text, not NUL-terminated; NULL: not listed */
	size_t vendor_length, device_length, subsystem_length;
};
void gp_pci_ids_find(const char *text, size_t size, const struct gp_gpu *gpu, struct gp_pci_id_names *names);
/* What match: model is compared with and people read: the subsystem's name where it picks one of the device's, else the
 * marketing name in brackets, else the device's name; "10de:25b6" when nothing is listed. */
char *gp_pci_ids_model(struct gp_arena *arena, const struct gp_gpu *gpu, const struct gp_pci_id_names *names);
/* Opens the list that speaks for this host; -1 when there is none. */
int gp_pci_ids_open(struct gp_host *host);

/* ---- pci_observe.c: VFs mostly lie beside their PF, which is the shortest way to them ---- */

/* The directory that the PF is in, or -1: then the way to a VF is by its address. Caller closes. */
int gp_pci_open_siblings(struct gp_host *host, struct gp_pci_addr pf);
/* Text of a link below a VF, such as "driver". */
bool gp_pci_read_vf_link(struct gp_host *host, int siblings, const char *vf, const char *name, char *target,
			 size_t size);

/* ---- mdev.c ---- */

/* The UUIDs of all mediated devices of the host. 0, or -1 with errno. */
int gp_mdev_list(struct gp_host *host, struct gp_names *names);
/* The group of one whose VF is not known; or, faster, of one on this VF (siblings: see gp_pci_read_vf_link). */
bool gp_mdev_iommu_group(struct gp_host *host, const char *uuid, uint32_t *group);
bool gp_mdev_iommu_group_on(struct gp_host *host, int siblings, const char *vf, const char *uuid, uint32_t *group);

/* ---- vgpu_config.c ---- */

struct gp_vgpu_config;
void gp_vgpu_config_free(struct gp_vgpu_config *config);

/* ---- holders.c ---- */

/* Adds VFIO holders to the partitions of these GPUs and clients to the GPUs themselves, and says whether all processes
 * could be seen, as far as that matters for the partitions. */
void gp_holders_scan(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpus, size_t gpu_count,
		     struct gp_source_state *state);
/* A driver through which a VF is handed to a guest; it holds nothing by itself. */
bool gp_driver_is_vfio(const char *driver);

/* ---- capture.c ---- */

/* Of libvirt and QEMU on the machine that was captured; zeros when the copy does not tell. */
void gp_capture_versions(int root_fd, struct gp_hypervisor *out);

/* ---- write.c ---- */

/* The helper program cannot be run, and what to do about it. -1. */
int gp_host_fail_writer(struct gp_error *err, int sys, const char *path);

/* ---- state.c: locks ---- */

/* Takes an exclusive flock on a file under run/gpupart and signs it. A descriptor, or -1 (GP_E_BUSY names the holder).
 */
int gp_state_lock(int root_fd, const char *path, const char *who, uint64_t wait_ms,
		  void (*waiting)(void *context, const char *holder), void *context, struct gp_error *err);
/* Notes in each GPU whether its PF's lock is held, and by whom. Nothing is made, and nobody is kept waiting. */
void gp_state_note_writers(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpus, size_t gpu_count);

#endif

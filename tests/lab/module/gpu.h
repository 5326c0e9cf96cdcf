/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver that looks like NVIDIA's vGPU host driver, and the GPUs for it, which are nothing but config space.
 *
 * Real, because the kernel does it: SR-IOV itself (drivers/pci/iov.c works on the capability that config_space.c
 * shows), VFs and their IOMMU groups, binding and unbinding, VFIO (vgpu_vfio.c is a variant driver on vfio_pci_core),
 * mediated devices (drivers/vfio/mdev), sysfs and procfs with their modes and the order in which things appear.
 *
 * From documents: the PCI ids of an A16 and where its VFs lie; names, sizes, heads and numbers of its vGPU types; the
 * names of the files below VF/nvidia and below mdev_supported_types, and the form of their lists; one size of
 * framebuffer per GPU; that VFs are made by sriov-manage and lose their types with their driver; /proc/driver/nvidia,
 * what unbindLock does, that nobody can open a GPU that has it (ENODEV), and that unbinding waits for those who have
 * the GPU open (NVIDIA's open kernel modules).
 *
 * Guesses, the same as in the simulation: the errnos of current_vgpu_type, vgpu_params and create (but those that the
 * mdev core gives), that sriov_numvfs gives ENOENT, what a VF shows while its GPU has another driver.
 *
 * Not modelled: memory, interrupts, DMA, MIG, placement, what NVIDIA's user space does.
 */
#ifndef LOOKALIKE_GPU_H
#define LOOKALIKE_GPU_H

#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/proc_fs.h>
#include <linux/spinlock.h>
#include <linux/version.h>
#include <linux/wait.h>

#define DRIVER_VERSION "550.144.02"
#define VF_MAKER       "nvidia-vf-maker"

enum { MOST_GPUS = 8, MOST_VFS = 64, CONFIG_SIZE = 4096, LONGEST_PARAMS = 1024, LONGEST_NAME = 32 };

/* ---- config_space.c: what reads and writes of config space give ---- */

struct function {
	u8 content[CONFIG_SIZE], writable[CONFIG_SIZE]; /* which bits can be written */
};

struct gpu;
extern struct pci_ops config_ops;
void config_fill_pf(struct function *function);
void config_fill_vf(struct function *function);

/* ---- types.c: the vGPU types of an A16 ---- */

struct vgpu_type {
	u32 id;
	u32 gib; /* of framebuffer */
	char series;
};

extern const struct vgpu_type vgpu_types[];
extern const unsigned int vgpu_type_count;
const struct vgpu_type *vgpu_type_by_id(u32 id);
u32 vgpu_type_most(const struct vgpu_type *type);
const char *vgpu_type_name(const struct vgpu_type *type, char out[LONGEST_NAME]);
ssize_t vgpu_type_describe(const struct vgpu_type *type, char *page);

/* ---- gpu.c: the GPUs ---- */

struct vf {
	const struct vgpu_type *type; /* NULL: it has no vGPU */
	char params[LONGEST_PARAMS];
	unsigned int opened;
	unsigned long settled; /* jiffies: until then the driver does not let go of what a guest had */
	bool settling;
};

/* Lives as long as the module, whatever drivers the PF and its VFs have. */
struct gpu {
	struct pci_bus *bus;
	struct pci_ops *bus_ops; /* those of the bus, which are replaced while the GPU is there */
	unsigned int minor;

	raw_spinlock_t config_lock; /* taken by config accesses, under the kernel's pci_lock */
	struct function pf, *vf_functions;

	struct mutex lock; /* for what follows; nothing sleeps for long with it, and no other lock is taken under it */
	struct vf vfs[MOST_VFS];
	bool driven; /* the PF is bound to this driver */
	unsigned long driven_since;
	bool unbind_lock, leaving;
	unsigned int clients; /* who has /dev/nvidiaN open */

	wait_queue_head_t unused; /* by clients */
	struct miscdevice node;
	char node_name[16];
	struct proc_dir_entry *proc;
};

extern struct gpu *gpus[MOST_GPUS];
extern unsigned int gpu_count;
int gpus_plug(void);
void gpus_unplug(void);
/* Of a PF or a VF; NULL: it is none of ours. */
struct gpu *gpu_of(struct pci_dev *pdev);
struct vf *vf_of(struct pci_dev *pdev);

/* ---- client.c: /dev/nvidiaN and /proc/driver/nvidia, and who is in the way of an unbinding ---- */

int clients_init(void);
void clients_exit(void);
int client_node_show(struct gpu *gpu, struct pci_dev *pdev);
void client_node_hide(struct gpu *gpu); /* waits for those who have it open */

/* ---- driver.c ---- */

int nvidia_driver_init(void);
void nvidia_driver_exit(void);

/* ---- vgpu.c: which VF has which vGPU ---- */

/* With gpu->lock held. */
bool vgpu_fits(const struct gpu *gpu, const struct vgpu_type *type);
bool vgpu_is_held(const struct vf *vf);
void vgpu_set(struct vf *vf, const struct vgpu_type *type); /* NULL: none */
int vgpu_set_params(struct vf *vf, const char *text, size_t length);
ssize_t vgpu_show_params(const struct vf *vf, char *page);

/* Without it. A guest opens what it has, and closes it. */
void vgpu_open(struct gpu *gpu, struct vf *vf);
void vgpu_close(struct gpu *gpu, struct vf *vf);
/* What knobs make of a write that makes a vGPU. */
int vgpu_stumble(void);

/* ---- the two frameworks ---- */

int vfio_vgpu_probe(struct pci_dev *vf);
void vfio_vgpu_remove(struct pci_dev *vf);

int mdev_vgpu_init(void);
void mdev_vgpu_exit(void);
int mdev_vgpu_probe(struct pci_dev *vf);
void mdev_vgpu_remove(struct pci_dev *vf);

#endif

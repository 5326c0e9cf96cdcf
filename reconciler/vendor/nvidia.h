/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NVIDIA vGPU, time-sliced: what the files of this back-end share. Private to this room.
 *
 *	nvidia.c        the back-end: is the GPU fit, what is the same in both frameworks, steps, words
 *	nvidia_types.c  vGPU types: names, layouts, what a type has
 *	nvidia_check.c  what of a class cannot be done
 *	nvidia_vfio.c   framework "vendor VFIO": a VF is told its type
 *	nvidia_mdev.c   framework "mdev": a mediated device of a type is made on a VF
 *
 * A GPU gets all its VFs at once and keeps them; a VF without a type is blank. Which of the two frameworks a driver has
 * depends on its version and the kernel's, and can only be seen at a VF.
 */
#ifndef GP_VENDOR_NVIDIA_H
#define GP_VENDOR_NVIDIA_H

#include "host/host.h"
#include "vendor/vendor.h"

#define GP_NVIDIA_DRIVER "nvidia"
#define GP_NVIDIA_PARAMS "nvidia/vgpu_params"

/* What is the same for all GPUs of a host. Found out once a snapshot, and kept at each of them. */
struct gp_nvidia_survey {
	const char *driver_version;
	/* Settings of the driver: "RmPVMRL=0x01;…" for all, "pci=0000:41:00.0;RmPVMRL=0x11;…" by device. NULL: not
	 * readable. */
	const char *settings, *device_settings;
	bool has_mdev_bus;
	bool mdevs_known;
	struct gp_mdev *mdevs; /* ascending parent */
	size_t mdev_count;
};

/* A GPU that is looked at. */
struct gp_nvidia_look {
	struct gp_host *host;
	struct gp_arena *arena;
	struct gp_gpu *gpu;
	struct gp_nvidia_survey *survey;
	const struct gp_vgpu_type *types; /* that the driver knows for it */
	size_t type_count;
};

struct gp_nvidia_framework {
	const char *name;
	/* VMs can be given VFs from this libvirt on; 0: from any that is around. */
	uint32_t libvirt_min;
	const char *libvirt_why;
	/* Finds out what the VFs are now. 1: done; 0: the driver has another framework; -1: something is unreadable. */
	int (*observe)(struct gp_nvidia_look *look, struct gp_error *err);
	/* Steps of one VF. */
	void (*clear)(struct gp_step_sink *sink, const struct gp_vf_change *change);
	void (*give)(struct gp_step_sink *sink, const struct gp_vf_change *change);
	void (*set_params)(struct gp_step_sink *sink, const struct gp_vf_change *change);
	/* How a VM is given one. */
	void (*device)(struct gp_hostdev *out);
};

extern const struct gp_nvidia_framework gp_nvidia_vfio; /* nvidia_vfio.c */
extern const struct gp_nvidia_framework gp_nvidia_mdev; /* nvidia_mdev.c */

/* ---- nvidia.c ---- */

/* The first VF from `from` on that the vGPU driver drives; partition_count: there is none. */
size_t gp_nvidia_next_driven(const struct gp_gpu *gpu, size_t from);
/* "sys/bus/pci/devices/0000:41:00.4/ATTRIBUTE"; caller frees. */
char *gp_nvidia_vf_path(const struct gp_partition *vf, const char *attribute);
/* The partition becomes one of this type, known or not. */
void gp_nvidia_set_type(struct gp_nvidia_look *look, struct gp_partition *vf, uint32_t id);
/* Reads vgpu_params into the partition when they are wanted. */
void gp_nvidia_read_params(struct gp_nvidia_look *look, struct gp_partition *vf, const char *path);
/* A write for the sake of one VF, with the reason and case of the change; and one to an attribute of the VF itself. */
struct gp_step *gp_nvidia_push_write(struct gp_step_sink *sink, const struct gp_vf_change *change);
struct gp_step *gp_nvidia_push_vf_write(struct gp_step_sink *sink, const struct gp_vf_change *change,
					const char *attribute);
/* Makes the step the one that writes the change's params. */
void gp_nvidia_fill_params(struct gp_step_sink *sink, const struct gp_vf_change *change, struct gp_step *step);
/* "A16-4Q (713)"; "713" when nobody knows its name. */
const char *gp_nvidia_type_text(struct gp_arena *arena, const char *profile, uint32_t id);

/* ---- nvidia_types.c: pure ---- */

/* What stands before the size in a type's name, which is the board: "A16", "RTX6000-Ada". */
const char *gp_nvidia_board_of(struct gp_arena *arena, const char *profile);
/* Sets layouts, series and VRAM of the GPU from the types that take turns; needs total_vfs and scheduler. */
void gp_nvidia_lay_out(struct gp_nvidia_look *look);
/* What each partition of a type has. */
void gp_nvidia_offers(const struct gp_gpu *gpu, const struct gp_vgpu_type *type,
		      struct gp_offer offers[GP_RESOURCE_COUNT]);
/* gp_vendor.layouts */
void gp_nvidia_layouts(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
		       struct gp_layout **layouts, size_t *count);
/* The type that an entry of a list of sizes means; NULL: none, or it is not clear which. */
const struct gp_layout_group *gp_nvidia_size_group(const struct gp_gpu *gpu, const struct gp_class *class_of,
						   const struct gp_partition_size *size);
/* Has the type just the size that is asked for? */
bool gp_nvidia_has_size(const struct gp_layout_group *type, struct gp_amount vram);
/* So many partitions of these types together the GPU can have: 0 when their sizes differ. */
uint32_t gp_nvidia_most_together(const struct gp_gpu *gpu, const struct gp_layout_group *const *types, size_t count);

/* ---- nvidia_check.c: gp_vendor.check ---- */

bool gp_nvidia_check(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags);

#endif

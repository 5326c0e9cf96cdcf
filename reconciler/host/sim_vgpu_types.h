/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vGPU types that the pretend vGPU driver knows: a board's time-sliced types, and vgpuConfig.xml, which that driver
 * installs. The numbers are the driver's own: whoever looks for a type looks for its name.
 */
#ifndef GP_HOST_SIM_VGPU_TYPES_H
#define GP_HOST_SIM_VGPU_TYPES_H

#include "host/sim_device.h"

struct gp_sim_vgpu_type {
	uint32_t id;
	uint32_t gib; /* of framebuffer */
	char series;  /* Q, B, A or C */
};

struct gp_sim_board {
	const char *brand, *name; /* "NVIDIA", "A16" */
	uint32_t device;
	uint32_t subsystem; /* 0: any */
	uint32_t gib, vfs;
	const struct gp_sim_vgpu_type *types;
	size_t type_count;
};

/* NULL: the driver knows no vGPU types for it. */
const struct gp_sim_board *gp_sim_board_of(const struct gp_sim_device *device);
/* NULL: it has none of this number, or name ("A16-4Q"). */
const struct gp_sim_vgpu_type *gp_sim_vgpu_by_id(const struct gp_sim_board *board, uint32_t id);
const struct gp_sim_vgpu_type *gp_sim_vgpu_by_name(const struct gp_sim_board *board, const char *name);
/* So many on one GPU. */
uint32_t gp_sim_vgpu_most(const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type);
/* "NVIDIA A16-4Q". Returns out. */
const char *gp_sim_vgpu_name(const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type,
			     char out[GP_SIM_WORD_SIZE]);
/* "num_heads=4, frl_config=60, framebuffer=4096M, …". Returns out. */
enum { GP_SIM_VGPU_DESCRIPTION_SIZE = 160 };
const char *gp_sim_vgpu_description(const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type,
				    char out[GP_SIM_VGPU_DESCRIPTION_SIZE]);
/* The whole of vgpuConfig.xml. */
void gp_sim_vgpu_config(struct gp_str *out);

#endif

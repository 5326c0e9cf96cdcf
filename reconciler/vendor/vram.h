/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory a GPU has, as far as its PF driver tells, and what of it a VF gets when nobody sets quotas. */
#ifndef GP_VENDOR_VRAM_H
#define GP_VENDOR_VRAM_H

#include "host/host.h"

/* Sets vram_bytes and vram_source. What cannot be read is unknown (0), never guessed. */
void gp_vram_observe(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu);

/* The memory that each of `count` VFs has at least; 0: not known. Pure. */
uint64_t gp_vram_of_each(const struct gp_gpu *gpu, uint32_t count);

#endif

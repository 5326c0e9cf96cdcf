/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a PF fit to be partitioned? What all back-ends judge alike. Private to this room. */
#ifndef GP_VENDOR_FITNESS_H
#define GP_VENDOR_FITNESS_H

#include "host/host.h"

void gp_unfit(struct gp_gpu *gpu, enum gp_unfit kind, const char *why, const char *remedy);

/* Each returns true when it called the GPU unfit. */

/* It has no driver, or one that only keeps the device for somebody else. */
bool gp_judge_driver(struct gp_arena *arena, struct gp_gpu *gpu);
/* Somebody is enabling or disabling its VFs. */
bool gp_judge_transition(struct gp_arena *arena, struct gp_gpu *gpu);
/* There are no VFs, and no room for their memory. */
bool gp_judge_room(struct gp_host *host, struct gp_gpu *gpu);

/* What helps when the firmware left no address space for VF BARs. */
#define GP_ROOM_REMEDY                                                                                                 \
	"switch on \"Above 4G decoding\" (and \"SR-IOV\", a larger \"MMIO high size\") in the firmware setup, or "     \
	"boot "                                                                                                        \
	"with pci=realloc"

#endif

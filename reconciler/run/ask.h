/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GP_RUN_ASK_H
#define GP_RUN_ASK_H

#include "host/host.h"

/* Lets the back-end of a GPU, whose host facts are there, add what it knows: fitness, layouts, profiles and offers. */
void gp_ask_vendor(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu);

#endif

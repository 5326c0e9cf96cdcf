/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/ask.h"

#include <string.h>

#include "vendor/vendor.h"

static bool says_nothing(const struct gp_offer *offers)
{
	for (size_t i = 0; i < GP_RESOURCE_COUNT; i++)
		if (offers[i].hold != GP_HOLD_NOT_EXPRESSIBLE || offers[i].has_bytes || offers[i].has_share ||
		    offers[i].has_engines)
			return false;
	return true;
}

/* What the existing partitions offer, unless the back-end already said so for each of them. Where each has a profile of
 * its own, nobody else can tell. */
static void offer_as_laid_out(struct gp_gpu *gpu)
{
	if (gpu->backend->by_profile)
		return;
	const struct gp_layout *layout = gp_gpu_layout(gpu, (uint32_t)gpu->partition_count);
	for (size_t i = 0; layout != NULL && i < gpu->partition_count; i++) {
		struct gp_partition *partition = &gpu->partitions[i];
		const struct gp_layout_group *group = gp_layout_group_of(layout, partition->index);
		if (group != NULL && says_nothing(partition->offers))
			memcpy(partition->offers, group->offers, sizeof(partition->offers));
	}
}

void gp_ask_vendor(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gpu->backend = gp_vendor_for(gpu);
	gpu->backend_name = gpu->backend->name;
	if (gpu->backend->observe(host, arena, gpu, &err) != 0) {
		gpu->unfit = GP_UNFIT_UNREADABLE;
		gpu->unfit_why = gp_arena_strdup(arena, err.message);
		gpu->unfit_remedy = gp_arena_strdup(arena, err.remedy);
		return;
	}
	if (gpu->backend->layouts != NULL && gpu->layout_count == 0)
		gpu->backend->layouts(gpu, NULL, arena, &gpu->layouts, &gpu->layout_count);
	offer_as_laid_out(gpu);
}

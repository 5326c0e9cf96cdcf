/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "vendor/backends.h"

/* A back-end is a row. The last takes everything. */
static const struct gp_vendor *const rows[] = {
	&gp_vendor_nvidia,
	&gp_vendor_gim,
	&gp_vendor_generic_sriov,
	&gp_vendor_none,
};

const struct gp_vendor *gp_vendor_for(const struct gp_gpu *gpu)
{
	const struct gp_vendor *best = &gp_vendor_none;
	int best_score = GP_MATCH_NOT_MINE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int score = rows[i]->match(gpu);
		if (score > best_score) {
			best = rows[i];
			best_score = score;
		}
	}
	return best;
}

bool gp_is_vfio_driver(const char *driver)
{
	return driver != NULL && strstr(driver, "vfio") != NULL;
}

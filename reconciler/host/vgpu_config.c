/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/host_internal.h"

int gp_host_vgpu_types(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_vgpu_type **types, size_t *count,
		       struct gp_error *err)
{
	(void)host, (void)gpu;
	*types = NULL;
	*count = 0;
	return gp_fail(err, GP_E_NOT_FOUND, "there is no vgpuConfig.xml");
}

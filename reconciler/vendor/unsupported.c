/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GPUs that are shown and never changed: families whose back-end is not part of this version, and GPUs that cannot be
 * partitioned at all. They differ in words only.
 */
#include "vendor/backends.h"

static void no_layouts(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
		       struct gp_layout **layouts, size_t *count)
{
	(void)gpu;
	(void)class_of;
	(void)arena;
	*layouts = NULL;
	*count = 0;
}

/* That nothing can be asked of such a GPU is said once, by its unfit_why. */
static bool nothing_to_check(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	(void)class_of;
	(void)gpu;
	(void)diags;
	return false;
}

static void no_steps(const struct gp_delta *delta, struct gp_step_sink *sink)
{
	(void)delta;
	(void)sink;
}

static void no_words(const struct gp_gpu *gpu, const struct gp_step *step, struct gp_error *err)
{
	(void)gpu;
	(void)step;
	(void)err;
}

/* A hand-made VF of such a GPU: who made it knows what drives it, so nothing here may say "managed". */
static void unmanaged_device(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out)
{
	(void)gpu;
	(void)index;
	out->type = GP_HOSTDEV_PCI;
	out->managed = false;
}

static bool only_vfio_is_idle(const char *driver)
{
	return driver == NULL || gp_is_vfio_driver(driver);
}

/* ---- AMD, host driver gim ---- */

static int match_gim(const struct gp_gpu *gpu)
{
	return gp_streq(gpu->driver, "gim") ? GP_MATCH_FAMILY : GP_MATCH_NOT_MINE;
}

static int observe_gim(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err)
{
	(void)host;
	(void)arena;
	(void)err;
	gpu->backend_name = gp_vendor_gim.name;
	gpu->count = gpu->num_vfs;
	gpu->count = gpu->num_vfs;
	gpu->unfit = GP_UNFIT_NEEDS_BACKEND;
	gpu->unfit_why =
		"needs its own back-end: the driver gim makes its VFs when it is loaded, by its parameter vf_num, and "
		"refuses a change through sriov_numvfs";
	gpu->unfit_remedy = "let no class match it, for instance with not: {vendor: amd}";
	return 0;
}

const struct gp_vendor gp_vendor_gim = {
	.name = "gim",
	.match = match_gim,
	.observe = observe_gim,
	.layouts = no_layouts,
	.check = nothing_to_check,
	.steps = no_steps,
	.device = unmanaged_device,
	.explain = no_words,
	.idle_driver = only_vfio_is_idle,
};

/* ---- all others ---- */

static int match_anything(const struct gp_gpu *gpu)
{
	(void)gpu;
	return GP_MATCH_ANYTHING;
}

static int observe_none(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err)
{
	(void)host;
	(void)arena;
	(void)err;
	gpu->backend_name = gp_vendor_none.name;
	gpu->count = gpu->num_vfs;
	gpu->count = gpu->num_vfs;
	gpu->unfit = GP_UNFIT_NO_SRIOV;
	gpu->unfit_why = "it shows no SR-IOV capability (no sriov_totalvfs), so it cannot be partitioned";
	gpu->unfit_remedy = "if the device has SR-IOV: switch it on in the firmware setup, and use a kernel with "
			    "CONFIG_PCI_IOV";
	return 0;
}

const struct gp_vendor gp_vendor_none = {
	.name = "none",
	.match = match_anything,
	.observe = observe_none,
	.layouts = no_layouts,
	.check = nothing_to_check,
	.steps = no_steps,
	.device = unmanaged_device,
	.explain = no_words,
	.idle_driver = only_vfio_is_idle,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WAIT: until the kernel or a driver has done what an earlier step asked for. */
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "run/steps.h"
#include "vendor/vendor.h"

enum { FIRST_ROUND_MS = 5, LONGEST_ROUND_MS = 250, VFS_TO_NAME = 8 };

bool gp_wait_round(unsigned *round, uint64_t deadline_ms)
{
	uint64_t now = gp_clock_ms();
	if (now >= deadline_ms)
		return false;
	uint64_t pause = *round < 6 ? (uint64_t)FIRST_ROUND_MS << *round : LONGEST_ROUND_MS;
	uint64_t left = deadline_ms - now;
	++*round;
	gp_sleep_ms(pause < left ? pause : left);
	return true;
}

/* ---- a number of VFs ---- */

bool gp_vfs_settled_at(const struct gp_gpu *gpu, uint32_t count)
{
	if (gpu->num_vfs != count || gpu->partition_count != count)
		return false;
	return !gpu->capability_known || (gpu->vf_enable == (count > 0) && (count == 0 || gpu->cap_num_vfs == count));
}

static int fail_fewer_vfs(const struct gp_step_run *run, const struct gp_gpu *gpu, uint32_t wanted,
			  struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str waited = {0};
	char pf[GP_PCI_ADDR_SIZE];
	gp_add_duration(&waited, run->step->timeout_ms);
	gp_fail(err, GP_E_VERIFY, "%u VFs were asked of %s, and after %s there are %u%s", wanted,
		gp_pci_addr_format(run->step->pf, pf), gp_str_text(&waited), gpu->num_vfs,
		gp_vendor_for(gpu)->by_profile ? "; sriov-manage reported success, but the driver may still be "
						 "initialising (15 to 30 s after it is loaded)"
					       : "");
	if (gpu->capability_known && gpu->cap_num_vfs != gpu->num_vfs)
		gp_error_holder(err, "the device itself tells %s with NumVFs %u: its driver is still at work",
				gpu->vf_enable ? "VFs enabled" : "VFs disabled", gpu->cap_num_vfs);
	gp_run_explain(run, err);
	if (err == NULL || err->remedy != NULL)
		return -1;
	return gp_error_remedy(err,
			       "see 'dmesg' for what the driver%s%s says, ask for fewer partitions, or run apply again",
			       gpu->driver == NULL ? "" : " ", gpu->driver == NULL ? "" : gpu->driver);
}

static int wait_for_vfs(struct gp_step_run *run, struct gp_error *err)
{
	uint64_t deadline = run->started_ms + run->step->timeout_ms;
	unsigned round = 0;
	uint32_t wanted;
	if (gp_parse_u32(run->step->after, &wanted) != 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no number of VFs to wait for", run->step->after);
	for (;;) {
		GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
		struct gp_gpu gpu;
		if (gp_run_observe_pf(run->bench, arena, run->step->pf, &gpu, err) != 0)
			return -1;
		if (gp_vfs_settled_at(&gpu, wanted))
			return 0;
		if (!gp_wait_round(&round, deadline))
			return fail_fewer_vfs(run, &gpu, wanted, err);
	}
}

/* ---- their driver ---- */

static size_t count_without(const struct gp_gpu *gpu, const char *driver)
{
	size_t count = 0;
	for (size_t i = 0; i < gpu->partition_count; i++)
		count += !gp_streq(gpu->partitions[i].driver, driver);
	return count;
}

static int fail_without_driver(const struct gp_step_run *run, const struct gp_gpu *gpu, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str waited = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	const char *driver = run->step->after;
	char pf[GP_PCI_ADDR_SIZE];
	size_t count = count_without(gpu, driver), named = 0;
	gp_add_duration(&waited, run->step->timeout_ms);
	gp_pci_addr_format(run->step->pf, pf);
	if (gpu->partition_count == 0) {
		gp_fail(err, GP_E_VERIFY, "%s has no VFs that could be bound to driver %s", pf, driver);
		gp_run_explain(run, err);
		return -1;
	}
	for (size_t i = 0; i < gpu->partition_count && named < VFS_TO_NAME; i++) {
		const struct gp_partition *vf = &gpu->partitions[i];
		if (gp_streq(vf->driver, driver))
			continue;
		gp_str_printf(&names, "%sVF %u (%s)", named++ > 0 ? ", " : "", vf->index,
			      vf->driver == NULL ? "no driver" : vf->driver);
	}
	gp_fail(err, GP_E_VERIFY, "after %s, %zu of %zu VFs of %s are not bound to driver %s: %s%s",
		gp_str_text(&waited), count, gpu->partition_count, pf, driver, gp_str_text(&names),
		count > named ? ", …" : "");
	return gp_error_remedy(
		err,
		"let the driver %s have them: no driver_override, no rule that binds them to another, and "
		"sriov_drivers_autoprobe 1; see 'dmesg'; then run apply again",
		driver);
}

static int wait_for_driver(struct gp_step_run *run, struct gp_error *err)
{
	uint64_t deadline = run->started_ms + run->step->timeout_ms;
	unsigned round = 0;
	for (;;) {
		GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
		struct gp_gpu gpu;
		if (gp_run_observe_pf(run->bench, arena, run->step->pf, &gpu, err) != 0)
			return -1;
		if (gpu.partition_count > 0 && count_without(&gpu, run->step->after) == 0)
			return 0;
		if (!gp_wait_round(&round, deadline))
			return fail_without_driver(run, &gpu, err);
	}
}

/* ---- what the driver shows of them ---- */

static bool shows_any(struct gp_step_run *run, const struct gp_partition *vf, const char *names)
{
	char text[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(vf->addr, text);
	while (*names != '\0') {
		GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
		size_t length = strcspn(names, " ");
		gp_autofree char *name = gp_xasprintf("%.*s", (int)length, names);
		if (gp_host_attribute_path(GP_BASE_PCI, text, name, &path, NULL) == 0 &&
		    gp_host_exists(run->bench->host, gp_str_text(&path)))
			return true;
		names += length + strspn(names + length, " ");
	}
	return false;
}

/* The first VF that shows none of the names; the number of VFs: none. */
static size_t first_without(struct gp_step_run *run, const struct gp_gpu *gpu)
{
	size_t vf = 0;
	while (vf < gpu->partition_count && shows_any(run, &gpu->partitions[vf], run->step->after))
		vf++;
	return vf;
}

static int wait_for_show(struct gp_step_run *run, struct gp_error *err)
{
	uint64_t deadline = run->started_ms + run->step->timeout_ms;
	char pf[GP_PCI_ADDR_SIZE];
	unsigned round = 0;
	for (;;) {
		GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
		struct gp_gpu gpu;
		if (gp_run_observe_pf(run->bench, arena, run->step->pf, &gpu, err) != 0)
			return -1;
		size_t missing = first_without(run, &gpu);
		if (gpu.partition_count > 0 && missing == gpu.partition_count)
			return 0;
		if (gp_wait_round(&round, deadline))
			continue;
		gp_fail(err, GP_E_VERIFY, "the driver has the VFs of %s, and shows for VF %zu none of: %s",
			gp_pci_addr_format(run->step->pf, pf), missing, run->step->after);
		gp_run_explain(run, err);
		return -1;
	}
}

/* ---- an attribute ---- */

static int wait_for_attribute(struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	uint64_t deadline = run->started_ms + step->timeout_ms;
	unsigned round = 0;
	while (!gp_attribute_is(run, step->device, step->after))
		if (!gp_wait_round(&round, deadline))
			return gp_fail(err, GP_E_TIMEOUT, "%s of %s did not become '%s' in time", step->attribute,
				       step->device, step->after);
	return 0;
}

int gp_run_wait(struct gp_step_run *run, struct gp_error *err)
{
	run->changed = true; /* having waited is what the step does, even when it was short */
	if (gp_streq(run->step->attribute, "virtfn"))
		return wait_for_vfs(run, err);
	if (gp_streq(run->step->attribute, "vf-driver"))
		return wait_for_driver(run, err);
	if (gp_streq(run->step->attribute, "vf-shows"))
		return wait_for_show(run, err);
	return wait_for_attribute(run, err);
}

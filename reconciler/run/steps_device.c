/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps on PCI devices: changes through the writing helper, and waiting for the kernel to have done them. */
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "run/steps.h"
#include "vendor/vendor.h"

enum { FIRST_ROUND_MS = 5, LONGEST_ROUND_MS = 250 };

/* Attributes whose reading may hang behind a stuck writer, or that cannot be read: the helper alone touches them. */
static bool reads_are_harmless(const char *attribute)
{
	static const char *const not_to_read[] = {"sriov_numvfs", "driver_override", "bind", "unbind", "reset"};
	for (size_t i = 0; i < sizeof(not_to_read) / sizeof(not_to_read[0]); i++)
		if (gp_streq(attribute, not_to_read[i]))
			return false;
	return true;
}

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

/* ---- what a name means now ---- */

static int device_path(const char *device, const char *attribute, struct gp_str *path, struct gp_error *err)
{
	return gp_host_attribute_path(GP_BASE_PCI, device, attribute, path, err);
}

static int resolve_vf(struct gp_host *host, struct gp_vf_ref vf, struct gp_pci_addr *addr, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	char pf[GP_PCI_ADDR_SIZE], link[32], target[64];
	snprintf(link, sizeof(link), "virtfn%u", vf.index);
	if (device_path(gp_pci_addr_format(vf.pf, pf), link, &path, err) != 0)
		return -1;
	if (gp_host_read_link(host, gp_str_text(&path), target, sizeof(target), err) < 0)
		return gp_error_prefix(err, "VF %u of %s cannot be found", vf.index, pf);
	if (gp_pci_addr_parse(target, addr) != 0)
		return gp_fail(err, GP_E_CORRUPT, "%s of %s points to '%s', which is no PCI address", link, pf, target);
	return 0;
}

int gp_resolve_device(struct gp_bench *bench, const char *name, struct gp_pci_addr *addr, struct gp_error *err)
{
	struct gp_vf_ref vf;
	if (gp_pci_addr_parse(name, addr) == 0)
		return 0;
	if (gp_vf_ref_parse(name, &vf) != 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' names no device", name);
	if (resolve_vf(bench->host, vf, addr, err) != 0)
		return -1;
	if (!gp_device_exists(bench, *addr))
		return gp_fail(err, GP_E_NOT_FOUND, "%s is linked from its PF, but the device is not there", name);
	return 0;
}

bool gp_device_exists(struct gp_bench *bench, struct gp_pci_addr addr)
{
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	char text[GP_PCI_ADDR_SIZE];
	return device_path(gp_pci_addr_format(addr, text), "vendor", &path, NULL) == 0 &&
	       gp_host_exists(bench->host, gp_str_text(&path));
}

static int observe_pf(struct gp_bench *bench, struct gp_arena *arena, struct gp_pci_addr pf, struct gp_gpu *gpu,
		      struct gp_error *err)
{
	*gpu = (struct gp_gpu){.addr = pf};
	return gp_host_observe_pf(bench->host, arena, pf, gpu, err);
}

/* Links and SR-IOV capability tell the same number of VFs; unequal means that somebody is enabling or disabling. */
static bool has_settled_at(const struct gp_gpu *gpu, uint32_t count)
{
	if (gpu->num_vfs != count || gpu->partition_count != count)
		return false;
	return !gpu->capability_known || (gpu->vf_enable == (count > 0) && (count == 0 || gpu->cap_num_vfs == count));
}

/* ---- the guard that needs libvirt ---- */

static int fail_unknown_holders(const struct gp_step *step, struct gp_error *err, const struct gp_error *why)
{
	char pf[GP_PCI_ADDR_SIZE];
	gp_fail(err, GP_E_REFUSED, "who holds the VFs of %s cannot be known, and unknown counts as in use: %s",
		gp_pci_addr_format(step->pf, pf), why->message == NULL ? "no reason given" : why->message);
	return gp_error_remedy(err, "make sure that libvirt answers ('virsh list'), then run apply again");
}

/*
 * Asked right before the write, because a VM may have been started since the plan was made. The rest of the guard
 * (foreign drivers, VFIO descriptors) is evaluated in the helper, under the lock of the PF.
 */
static int check_unheld(struct gp_step_run *run, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_error_clear) struct gp_error why = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	struct gp_vmm *vmm = run->bench->vmm;
	struct gp_gpu gpu;
	char pf[GP_PCI_ADDR_SIZE];

	if (observe_pf(run->bench, arena, run->step->pf, &gpu, err) != 0)
		return -1;
	if (gpu.partition_count == 0)
		return 0;
	if (vmm == NULL)
		return fail_unknown_holders(run->step, err, &run->bench->vmm_error);
	struct gp_hostdev *vfs = gp_arena_array_of(arena, struct gp_hostdev, gpu.partition_count);
	for (size_t i = 0; i < gpu.partition_count; i++)
		vfs[i] = (struct gp_hostdev){.type = GP_HOSTDEV_PCI, .source = gpu.partitions[i].addr};
	if (vmm->ops->live_holders(vmm, vfs, gpu.partition_count, &names, &why) != 0)
		return fail_unknown_holders(run->step, err, &why);
	if (names.length == 0)
		return 0;
	gp_fail(err, GP_E_REFUSED, "VFs of %s are in use by a running VM", gp_pci_addr_format(run->step->pf, pf));
	gp_error_holder(err, "%s", gp_str_text(&names));
	return gp_error_remedy(err, "it was started after the plan was made; shut it down, then run apply again");
}

/* ---- WRITE, BIND, UNBIND, HELPER ---- */

static bool pf_has_vfs(struct gp_step_run *run, const char *wanted)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_gpu gpu;
	uint32_t count;
	return gp_parse_u32(wanted, &count) == 0 && observe_pf(run->bench, arena, run->step->pf, &gpu, NULL) == 0 &&
	       has_settled_at(&gpu, count);
}

static bool is_bound_to(struct gp_bench *bench, const char *device, const char *driver)
{
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	char name[128] = "";
	if (device_path(device, "driver", &path, NULL) != 0)
		return false;
	bool bound = gp_host_read_link(bench->host, gp_str_text(&path), name, sizeof(name), NULL) >= 0;
	return driver == NULL ? !bound : bound && gp_streq(name, driver);
}

static bool attribute_is(struct gp_step_run *run, const char *device, const char *wanted)
{
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	const struct gp_step *step = run->step;
	char value[GP_ATTR_MAX];
	return gp_host_attribute_path(step->base, device, step->attribute, &path, NULL) == 0 &&
	       gp_host_read(run->bench->host, gp_str_text(&path), value, sizeof(value), NULL) >= 0 &&
	       gp_streq(value, wanted);
}

/* Is the host as the step wants it already? When that cannot be told, it is not. */
static bool was_so_already(struct gp_step_run *run, const char *device)
{
	const struct gp_step *step = run->step;
	switch (step->kind) {
	case GP_STEP_BIND:
		return step->after != NULL && is_bound_to(run->bench, device, step->after);
	case GP_STEP_UNBIND:
		return is_bound_to(run->bench, device, NULL);
	case GP_STEP_WRITE:
		if (step->after == NULL)
			return false;
		if (step->base == GP_BASE_PCI && gp_streq(step->attribute, "sriov_numvfs"))
			return pf_has_vfs(run, step->after);
		return reads_are_harmless(step->attribute) && attribute_is(run, device, step->after);
	default:
		return false;
	}
}

/* What the errno means for this device is known by its back-end. */
static void explain(const struct gp_step_run *run, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_gpu gpu;
	if (observe_pf(run->bench, arena, run->step->pf, &gpu, NULL) != 0)
		return;
	const struct gp_vendor *vendor = gp_vendor_for(&gpu);
	if (vendor->explain != NULL)
		vendor->explain(&gpu, run->step, err);
}

int gp_run_change(struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	struct gp_pci_addr addr;
	char device[GP_PCI_ADDR_SIZE];
	const char *name = step->device;

	if (name != NULL && gp_starts_with(name, "vf:")) {
		if (gp_resolve_device(run->bench, name, &addr, err) != 0)
			return -1;
		name = gp_pci_addr_format(addr, device);
	}
	if (was_so_already(run, name))
		return 0;
	if (step->guard == GP_GUARD_UNHELD && check_unheld(run, err) != 0)
		return -1;
	struct gp_write_request request = {.kind = step->kind,
					   .base = step->base,
					   .device = name,
					   .attribute = step->attribute,
					   .before = step->before,
					   .after = step->after,
					   .guard = step->guard,
					   .pf = step->pf,
					   .timeout_ms = step->timeout_ms};
	run->changed = true;
	if (gp_host_write(run->bench->host, &request, err) == 0)
		return 0;
	explain(run, err);
	return -1;
}

/* ---- WAIT ---- */

static int fail_fewer_vfs(const struct gp_step_run *run, const struct gp_gpu *gpu, uint32_t wanted,
			  struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str waited = {0};
	char pf[GP_PCI_ADDR_SIZE];
	gp_add_duration(&waited, run->step->timeout_ms);
	gp_fail(err, GP_E_VERIFY, "%u VFs were asked of %s, and after %s there are %u", wanted,
		gp_pci_addr_format(run->step->pf, pf), gp_str_text(&waited), gpu->num_vfs);
	if (gpu->capability_known && gpu->cap_num_vfs != gpu->num_vfs)
		gp_error_holder(err, "the device itself tells %s with NumVFs %u: its driver is still at work",
				gpu->vf_enable ? "VFs enabled" : "VFs disabled", gpu->cap_num_vfs);
	return gp_error_remedy(err,
			       "see 'dmesg' for what the driver%s%s says, ask for fewer partitions, or run apply again",
			       gpu->driver == NULL ? "" : " ", gpu->driver == NULL ? "" : gpu->driver);
}

static int wait_for_vfs(struct gp_step_run *run, uint32_t wanted, struct gp_error *err)
{
	uint64_t deadline = run->started_ms + run->step->timeout_ms;
	unsigned round = 0;
	for (;;) {
		GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
		struct gp_gpu gpu;
		if (observe_pf(run->bench, arena, run->step->pf, &gpu, err) != 0)
			return -1;
		if (has_settled_at(&gpu, wanted))
			return 0;
		if (!gp_wait_round(&round, deadline))
			return fail_fewer_vfs(run, &gpu, wanted, err);
	}
}

static int wait_for_attribute(struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	uint64_t deadline = run->started_ms + step->timeout_ms;
	unsigned round = 0;
	while (!attribute_is(run, step->device, step->after))
		if (!gp_wait_round(&round, deadline))
			return gp_fail(err, GP_E_TIMEOUT, "%s of %s did not become '%s' in time", step->attribute,
				       step->device, step->after);
	return 0;
}

int gp_run_wait(struct gp_step_run *run, struct gp_error *err)
{
	uint32_t count;
	run->changed = true; /* having waited is what the step does, even when it was short */
	if (!gp_streq(run->step->attribute, "virtfn"))
		return wait_for_attribute(run, err);
	if (gp_parse_u32(run->step->after, &count) != 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no number of VFs to wait for", run->step->after);
	return wait_for_vfs(run, count, err);
}

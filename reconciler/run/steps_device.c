/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps on PCI devices: changes through the writing helper. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "run/ask.h"
#include "run/steps.h"
#include "vendor/vendor.h"

#define MDEV_TYPES "mdev_supported_types/"

/* Attributes whose reading may hang behind a stuck writer, or that cannot be read: the helper alone touches them. */
static bool reads_are_harmless(const char *attribute)
{
	static const char *const not_to_read[] = {"sriov_numvfs", "driver_override", "bind",  "unbind",
						  "reset",        "create",          "remove"};
	const char *slash = strrchr(attribute, '/'), *name = slash == NULL ? attribute : slash + 1;
	for (size_t i = 0; i < sizeof(not_to_read) / sizeof(not_to_read[0]); i++)
		if (gp_streq(name, not_to_read[i]))
			return false;
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

int gp_run_observe_pf(struct gp_bench *bench, struct gp_arena *arena, struct gp_pci_addr pf, struct gp_gpu *gpu,
		      struct gp_error *err)
{
	*gpu = (struct gp_gpu){.addr = pf};
	return gp_host_observe_pf(bench->host, arena, pf, gpu, err);
}

/* ---- the guard that needs libvirt ---- */

static int fail_unknown_holders(const struct gp_step *step, struct gp_error *err, const struct gp_error *why)
{
	char pf[GP_PCI_ADDR_SIZE];
	gp_fail(err, GP_E_REFUSED, "who holds the VFs of %s cannot be known, and unknown counts as in use: %s",
		gp_pci_addr_format(step->pf, pf), why->message == NULL ? "no reason given" : why->message);
	return gp_error_remedy(err, "make sure that libvirt answers ('virsh list'), then run apply again");
}

static int fail_started(const struct gp_str *names, struct gp_error *err)
{
	gp_error_holder(err, "%s", gp_str_text(names));
	return gp_error_remedy(err, "it was started after the plan was made; shut it down, then run apply again");
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

	if (gp_run_observe_pf(run->bench, arena, run->step->pf, &gpu, err) != 0)
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
	return fail_started(&names, err);
}

/* The VF or mediated device that the step is about, as a VM would name it. */
static int device_of_step(const struct gp_step *step, const char *device, struct gp_hostdev *out, struct gp_error *err)
{
	*out = (struct gp_hostdev){.type = step->base == GP_BASE_MDEV ? GP_HOSTDEV_MDEV : GP_HOSTDEV_PCI};
	int parsed = out->type == GP_HOSTDEV_MDEV ? gp_uuid_parse(device, &out->mdev)
						  : gp_pci_addr_parse(device, &out->source);
	return parsed == 0 ? 0 : gp_fail(err, GP_E_INTERNAL, "'%s' names nothing that a VM could have", device);
}

static int check_vf_unheld(struct gp_step_run *run, const char *device, struct gp_error *err)
{
	GP_CLEANUP(gp_error_clear) struct gp_error why = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	struct gp_vmm *vmm = run->bench->vmm;
	struct gp_hostdev hostdev;
	if (device_of_step(run->step, device, &hostdev, err) != 0)
		return -1;
	if (vmm == NULL)
		return fail_unknown_holders(run->step, err, &run->bench->vmm_error);
	if (vmm->ops->live_holders(vmm, &hostdev, 1, &names, &why) != 0)
		return fail_unknown_holders(run->step, err, &why);
	if (names.length == 0)
		return 0;
	gp_fail(err, GP_E_REFUSED, "%s %s is in use by a running VM",
		hostdev.type == GP_HOSTDEV_MDEV ? "the mediated device" : "VF", device);
	return fail_started(&names, err);
}

static int check_guard(struct gp_step_run *run, const char *device, struct gp_error *err)
{
	switch (run->step->guard) {
	case GP_GUARD_UNHELD:
		return check_unheld(run, err);
	case GP_GUARD_VF_UNHELD:
		return check_vf_unheld(run, device, err);
	default:
		return 0;
	}
}

/* ---- WRITE, BIND, UNBIND, HELPER ---- */

static bool pf_has_vfs(struct gp_step_run *run, const char *wanted)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_gpu gpu;
	uint32_t count;
	return gp_parse_u32(wanted, &count) == 0 &&
	       gp_run_observe_pf(run->bench, arena, run->step->pf, &gpu, NULL) == 0 && gp_vfs_settled_at(&gpu, count);
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

bool gp_attribute_is(struct gp_step_run *run, const char *device, const char *wanted)
{
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	const struct gp_step *step = run->step;
	char value[GP_ATTR_MAX];
	return gp_host_attribute_path(step->base, device, step->attribute, &path, NULL) == 0 &&
	       gp_host_read(run->bench->host, gp_str_text(&path), value, sizeof(value), NULL) >= 0 &&
	       gp_same_list(value, wanted);
}

/* "mdev_supported_types/nvidia-712/create" written with a UUID: is it there, of that type, on that VF? */
static bool mdev_was_made(struct gp_step_run *run, const char *device)
{
	const char *type = run->step->attribute + strlen(MDEV_TYPES);
	struct gp_pci_addr addr;
	struct gp_uuid uuid;
	struct gp_mdev found;
	size_t length = strcspn(type, "/");
	return gp_pci_addr_parse(device, &addr) == 0 && gp_uuid_parse(run->step->after, &uuid) == 0 &&
	       gp_host_find_mdev(run->bench->host, uuid, &found, NULL) == 1 &&
	       gp_pci_addr_compare(found.parent, addr) == 0 && strlen(found.type) == length &&
	       memcmp(found.type, type, length) == 0;
}

static bool mdev_is_gone(struct gp_step_run *run, const char *device)
{
	struct gp_uuid uuid;
	struct gp_mdev found;
	return gp_uuid_parse(device, &uuid) == 0 && gp_host_find_mdev(run->bench->host, uuid, &found, NULL) == 0;
}

static bool was_written(struct gp_step_run *run, const char *device)
{
	const struct gp_step *step = run->step;
	if (step->after == NULL)
		return false;
	if (step->base == GP_BASE_PCI && gp_streq(step->attribute, "sriov_numvfs"))
		return pf_has_vfs(run, step->after);
	if (step->base == GP_BASE_PCI && gp_starts_with(step->attribute, MDEV_TYPES))
		return mdev_was_made(run, device);
	if (step->base == GP_BASE_MDEV && gp_streq(step->attribute, "remove"))
		return mdev_is_gone(run, device);
	return reads_are_harmless(step->attribute) && gp_attribute_is(run, device, step->after);
}

/* A program that makes VFs must not be run again where there are any: it would take them from their users. */
static bool has_any_vf(struct gp_step_run *run)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_gpu gpu;
	return gp_run_observe_pf(run->bench, arena, run->step->pf, &gpu, NULL) == 0 && gpu.num_vfs > 0;
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
		return was_written(run, device);
	case GP_STEP_HELPER:
		return step->guard == GP_GUARD_NO_VFS && has_any_vf(run);
	default:
		return false;
	}
}

void gp_run_explain(const struct gp_step_run *run, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_gpu gpu;
	if (gp_run_observe_pf(run->bench, arena, run->step->pf, &gpu, NULL) != 0)
		return;
	gp_ask_vendor(run->bench->host, arena, &gpu);
	if (gpu.backend->explain != NULL)
		gpu.backend->explain(&gpu, run->step, err);
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
	if (check_guard(run, name, err) != 0)
		return -1;
	struct gp_write_request request = {.kind = step->kind,
					   .base = step->base,
					   .device = name,
					   .attribute = step->attribute,
					   .before = step->before,
					   .after = step->after,
					   .program = step->program,
					   .guard = step->guard,
					   .pf = step->pf,
					   .timeout_ms = step->timeout_ms};
	run->changed = true;
	if (gp_host_write(run->bench->host, &request, err) == 0)
		return 0;
	gp_run_explain(run, err);
	return -1;
}

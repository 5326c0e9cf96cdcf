/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain SR-IOV: any device whose PF driver makes VFs when sriov_numvfs is written. A partition is a VF, all VFs are
 * alike, and the count is all that can be set.
 */
#include <errno.h>
#include <inttypes.h>

#include "host/host.h"
#include "vendor/backends.h"
#include "vendor/faults.h"
#include "vendor/fitness.h"
#include "vendor/vram.h"

enum {
	WHOLE = 1000 * 1000, /* millionths */
	CHANGE_TIMEOUT_MS =
		120 * 1000, /* enabling and disabling: firmware may be slow, and the kernel alone sleeps 1 s */
	APPEAR_TIMEOUT_MS = 30 * 1000,   /* VFs that come after the write returned */
	ATTRIBUTE_TIMEOUT_MS = 10 * 1000 /* an attribute behind which no hardware stands */
};

static const char *addr_text(const struct gp_gpu *gpu, char out[GP_PCI_ADDR_SIZE])
{
	return gp_pci_addr_format(gpu->addr, out);
}

static int match(const struct gp_gpu *gpu)
{
	return gpu->sriov ? GP_MATCH_CAPABILITY : GP_MATCH_NOT_MINE;
}

/* ---- is it fit to be partitioned? ---- */

static void judge(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu)
{
	if (gp_judge_driver(arena, gpu))
		return;
	if (gpu->total_vfs == 0)
		gp_unfit(gpu, GP_UNFIT_DRIVER,
			 gp_arena_printf(arena, "the driver %s offers no VFs (sriov_totalvfs is 0)", gpu->driver),
			 "switch SR-IOV on in the driver; xe and i915 need the GuC firmware and max_vfs other than 0");
	else if (!gp_judge_transition(arena, gpu))
		gp_judge_room(host, gpu);
}

/* ---- what a partition has ---- */

/* An exact part is a round share, whatever the bytes round to. */
static uint32_t share_of_bytes(uint64_t bytes, uint64_t total, uint32_t count)
{
	uint64_t scaled;
	if (bytes == total / count || __builtin_mul_overflow(bytes, (uint64_t)WHOLE, &scaled))
		return WHOLE / count;
	return (uint32_t)(scaled / total);
}

static struct gp_offer offer_vram(const struct gp_gpu *gpu, uint32_t count)
{
	uint64_t bytes = gp_vram_of_each(gpu, count);
	if (bytes == 0)
		return (struct gp_offer){.hold = GP_HOLD_NOT_EXPRESSIBLE};
	return (struct gp_offer){.hold = GP_HOLD_ADMISSION,
				 .has_bytes = true,
				 .bytes = bytes,
				 .has_share = true,
				 .share = share_of_bytes(bytes, gpu->vram_bytes, count)};
}

/* 1/count of everything: checked when a VM is placed, and enforced by nothing that can be seen from here. */
static void offer_equal_parts(const struct gp_gpu *gpu, uint32_t count, struct gp_offer offers[GP_RESOURCE_COUNT])
{
	struct gp_offer part = {.hold = GP_HOLD_ADMISSION, .has_share = true, .share = WHOLE / count};
	/* A NIC or a disk has neither engines nor GPU memory. */
	if (gpu->named_only)
		return;
	offers[GP_VRAM] = offer_vram(gpu, count);
	offers[GP_ENCODE] = part;
	offers[GP_DECODE] = part;
	offers[GP_COMPUTE] = part;
}

static void offer_what_is(struct gp_gpu *gpu)
{
	for (size_t i = 0; i < gpu->partition_count; i++)
		offer_equal_parts(gpu, (uint32_t)gpu->partition_count, gpu->partitions[i].offers);
}

static int observe(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err)
{
	(void)err; /* an attribute that cannot be read leaves its fact unknown */
	gpu->backend_name = gp_vendor_generic_sriov.name;
	gpu->count = gpu->num_vfs;
	judge(host, arena, gpu);
	if (!gpu->named_only)
		gp_vram_observe(host, arena, gpu);
	offer_what_is(gpu);
	return 0;
}

static void layouts(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
		    struct gp_layout **out, size_t *count)
{
	(void)class_of; /* no key of a class narrows the choice here */
	*count = gpu->total_vfs;
	*out = NULL;
	if (gpu->total_vfs == 0)
		return;
	struct gp_layout_group *groups = gp_arena_array_of(arena, struct gp_layout_group, gpu->total_vfs);
	*out = gp_arena_array_of(arena, struct gp_layout, gpu->total_vfs);
	for (uint32_t i = 0; i < gpu->total_vfs; i++) {
		groups[i].count = i + 1;
		offer_equal_parts(gpu, i + 1, groups[i].offers);
		(*out)[i] = (struct gp_layout){.count = i + 1, .groups = &groups[i], .group_count = 1};
	}
}

/* ---- what of a class cannot be done here ---- */

static void fault(struct gp_diags *diags, const struct gp_gpu *gpu, const char *code, struct gp_mark mark,
		  const char *message, const char *remedy)
{
	gp_vendor_fault(diags, gpu, code, mark, message, remedy);
}

static bool check_keys(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	if (class_of->series != NULL)
		fault(diags, gpu, "unsupported-series", class_of->series_mark,
		      "series needs an NVIDIA GPU with the vGPU driver, and this one is partitioned by plain SR-IOV",
		      "leave series out: the VFs of this GPU have no types");
	if (class_of->backing != GP_BACKING_DEFAULT)
		fault(diags, gpu, "unsupported-backing", class_of->backing_mark,
		      "backing needs an NVIDIA GPU with the vGPU driver, and this one is partitioned by plain SR-IOV",
		      "leave backing out");
	if (class_of->scheduler != NULL)
		fault(diags, gpu, "unsupported-scheduler", class_of->scheduler_mark,
		      "scheduler needs a back-end that sets scheduling policies, and plain SR-IOV has none",
		      "leave scheduler out: the GPU's own default stays");
	if (class_of->vgpu_params != NULL)
		fault(diags, gpu, "unsupported-vgpu-params", class_of->vgpu_params_mark,
		      "vgpu_params needs an NVIDIA GPU with the vGPU driver, and this one is partitioned by plain "
		      "SR-IOV",
		      "leave vgpu_params out");
	return class_of->series != NULL || class_of->backing != GP_BACKING_DEFAULT || class_of->scheduler != NULL ||
	       class_of->vgpu_params != NULL;
}

static void fault_size(const struct gp_partition_size *size, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	if (size->profile != NULL)
		fault(diags, gpu, "unsupported-profile", size->mark,
		      "profile needs a GPU whose driver has vGPU types, and plain SR-IOV has none",
		      "write partitions: and a count");
	if (size->mig != NULL)
		fault(diags, gpu, "unsupported-mig", size->mark,
		      "mig needs an NVIDIA GPU in MIG mode, and this one is partitioned by plain SR-IOV",
		      "write partitions: and a count");
}

/* A list may be meant for this GPU all the same, when its partitions are alike: the remedy counts them. */
static void fault_sizes(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	uint64_t count = 0;
	for (size_t i = 0; i < class_of->size_count; i++) {
		fault_size(&class_of->sizes[i], gpu, diags);
		count += class_of->sizes[i].count;
	}
	gp_autofree char *remedy =
		gp_xasprintf("write partitions: %" PRIu64 ", which makes as many of equal size", count);
	fault(diags, gpu, "unsupported-sizes", class_of->partitions_mark,
	      "a list of sizes needs a back-end that can make partitions of different sizes; plain SR-IOV makes all "
	      "VFs alike",
	      remedy);
}

static void fault_count(const struct gp_gpu *gpu, struct gp_mark mark, const char *code, const char *message,
			struct gp_diags *diags)
{
	gp_autofree char *remedy = gp_xasprintf("choose a count from 1 to %" PRIu32 ", or 0 for none", gpu->total_vfs);
	fault(diags, gpu, code, mark, message, remedy);
}

static bool check_count(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	/* A device without any VF is unfit, which is said elsewhere. */
	if (gpu->total_vfs == 0 || class_of->count <= gpu->total_vfs)
		return false;
	gp_autofree char *message = gp_xasprintf(
		"%" PRIu32 " partitions are asked for, and the device can have at most %" PRIu32 " (sriov_totalvfs)",
		class_of->count, gpu->total_vfs);
	fault_count(gpu, class_of->partitions_mark, "count-above-total", message, diags);
	return true;
}

static bool check_partitions(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	switch (class_of->partitions) {
	case GP_PARTITIONS_COUNT:
		return check_count(class_of, gpu, diags);
	case GP_PARTITIONS_KEEP:
		return false;
	case GP_PARTITIONS_AUTO:
		fault_count(gpu, class_of->partitions_mark, "unsupported-auto",
			    "partitions: auto needs a later version of gpupart", diags);
		return true;
	case GP_PARTITIONS_LIST:
		fault_sizes(class_of, gpu, diags);
		return true;
	}
	return false;
}

static bool check(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	bool keys = check_keys(class_of, gpu, diags);
	bool partitions = check_partitions(class_of, gpu, diags);
	gp_say_capability(diags, gpu);
	return keys || partitions;
}

/* ---- steps ---- */

static struct gp_step *push_pf_step(struct gp_step_sink *sink, enum gp_step_kind kind, const char *attribute)
{
	char addr[GP_PCI_ADDR_SIZE];
	struct gp_step *step = sink->push(sink, kind);
	step->base = GP_BASE_PCI;
	step->device = gp_arena_strdup(sink->arena, addr_text(sink->delta->gpu, addr));
	step->attribute = attribute;
	step->pf = sink->delta->gpu->addr;
	return step;
}

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

static void push_set_numvfs(struct gp_step_sink *sink, uint32_t from, uint32_t to)
{
	struct gp_step *step = push_pf_step(sink, GP_STEP_WRITE, "sriov_numvfs");
	step->before = gp_arena_printf(sink->arena, "%" PRIu32, from);
	step->after = gp_arena_printf(sink->arena, "%" PRIu32, to);
	step->timeout_ms = CHANGE_TIMEOUT_MS;
	if (to > 0) {
		step->what = gp_arena_printf(sink->arena, "enable %" PRIu32 " VF%s", to, plural(to));
		return;
	}
	/* The kernel asks nobody: it takes a VF away from a running VM. */
	step->guard = GP_GUARD_UNHELD;
	step->disruption = GP_DISRUPTS_PARTITION;
	step->what =
		gp_arena_printf(sink->arena, "disable %s%" PRIu32 " VF%s", from == 1 ? "" : "all ", from, plural(from));
}

static void push_wait(struct gp_step_sink *sink, uint32_t count)
{
	struct gp_step *step = push_pf_step(sink, GP_STEP_WAIT, "virtfn");
	step->after = gp_arena_printf(sink->arena, "%" PRIu32, count);
	step->timeout_ms = APPEAR_TIMEOUT_MS;
	step->what = count == 0 ? "wait until no VF is left"
				: gp_arena_printf(sink->arena, "wait for %" PRIu32 " VF%s", count, plural(count));
}

/* A VF that is for a VM must not get the host's driver first. Kernels before 4.12 have no such attribute. */
static void push_autoprobe_off(struct gp_step_sink *sink)
{
	const struct gp_gpu *gpu = sink->delta->gpu;
	if (!gpu->autoprobe_known || !gpu->autoprobe)
		return;
	struct gp_step *step = push_pf_step(sink, GP_STEP_WRITE, "sriov_drivers_autoprobe");
	step->before = "1";
	step->after = "0";
	step->timeout_ms = ATTRIBUTE_TIMEOUT_MS;
	step->what = "keep the host's drivers off new VFs";
}

/* The kernel refuses N to M with EBUSY: all VFs go, then all come. */
static void steps(const struct gp_delta *delta, struct gp_step_sink *sink)
{
	if (delta->from == delta->to)
		return;
	if (delta->from > 0)
		push_set_numvfs(sink, delta->from, 0);
	if (delta->to > 0) {
		push_autoprobe_off(sink);
		push_set_numvfs(sink, 0, delta->to);
	}
	push_wait(sink, delta->to);
}

/* ---- a VM's device, and who holds a VF ---- */

static void device(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out)
{
	(void)gpu;
	(void)index;
	out->type = GP_HOSTDEV_PCI;
	out->managed = true; /* libvirt binds vfio when the VM starts, and gives the VF back when it stops */
}

static bool idle_driver(const char *driver)
{
	return driver == NULL || gp_is_vfio_driver(driver);
}

/* ---- what would work when the kernel said no ---- */

/* Answers to a write of sriov_numvfs (Linux: drivers/pci/iov.c, sriov_numvfs_store and sriov_enable), or of the driver.
 */
static const struct answer {
	int sys;
	const char *remedy;
} answers[] = {
	{ENOENT, "bind a driver that can make VFs"},
	{ENOSYS, "bind a driver that can make VFs"},
	{ERANGE, "plan again: sriov_totalvfs has become smaller"},
	{EBUSY, "plan again: somebody else may have changed the VFs meanwhile"},
	{ENOMEM,
	 GP_ROOM_REMEDY "; when bus numbers are short ('dmesg' tells): pci=assign-busses; or ask for fewer partitions"},
	{ENOSPC, "ask for fewer partitions"},
	{EIO, "see 'dmesg'; a reset or a cold start of the device may help"},
	{EPERM, "shut down the VMs that have VFs of this device; see 'dmesg'"},
	{ENODEV, "switch virtualization on in the firmware setup: the driver does not act as a PF; see 'dmesg'"},
	{EINVAL, "ask for another count; 'dmesg' may tell which"},
};

static void explain(const struct gp_gpu *gpu, const struct gp_step *step, struct gp_error *err)
{
	(void)gpu;
	if (err->remedy != NULL || step->kind != GP_STEP_WRITE || !gp_streq(step->attribute, "sriov_numvfs"))
		return;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].sys == err->sys)
			gp_error_remedy(err, "%s", answers[i].remedy);
}

const struct gp_vendor gp_vendor_generic_sriov = {
	.name = "sriov",
	.match = match,
	.observe = observe,
	.layouts = layouts,
	.check = check,
	.steps = steps,
	.device = device,
	.explain = explain,
	.idle_driver = idle_driver,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framework "vendor VFIO": the driver nvidia on a VF is a VFIO driver itself.
 *
 *	VF/nvidia/current_vgpu_type      number of its type, 0: none. Any other needs 0 first
 *	VF/nvidia/creatable_vgpu_types   what it could be told now: shrinks with what the other VFs are, down to nothing
 *	VF/nvidia/vgpu_params            settings that take effect when a VM starts
 */
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "vendor/nvidia.h"

/* ---- what the driver offers now ---- */

/* A number, or a number in brackets, with blanks around it. */
static bool take_number(const char *text, size_t length, uint32_t *out)
{
	char digits[16];
	while (length > 0 && strchr(" \t(", *text) != NULL) {
		text++;
		length--;
	}
	while (length > 0 && strchr(" \t)\r", text[length - 1]) != NULL)
		length--;
	if (length == 0 || length >= sizeof(digits))
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	return gp_parse_u32(digits, out) == 0;
}

/* "1145  : NVIDIA L40S-1B", "NVIDIA L40S-1B : 1145", or without the colon. A header has no number. */
static bool take_type(const char *line, size_t length, uint32_t *id)
{
	const char *colon = memchr(line, ':', length);
	if (colon != NULL)
		return take_number(line, (size_t)(colon - line), id) ||
		       take_number(colon + 1, length - (size_t)(colon + 1 - line), id);
	while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL)
		length--;
	size_t first = 0, last = length;
	while (first < length && strchr(" \t", line[first]) == NULL)
		first++;
	while (last > 0 && strchr(" \t", line[last - 1]) == NULL)
		last--;
	return take_number(line, first, id) || take_number(line + last, length - last, id);
}

/* Is it in the list? Sets *lines to the number of types that the list has. */
static bool lists_type(const char *text, uint32_t id, size_t *lines)
{
	bool found = false;
	*lines = 0;
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		uint32_t other;
		if (take_type(text, length, &other)) {
			found = found || other == id;
			++*lines;
		}
		text += length + (text[length] == '\n');
	}
	return found;
}

/* A header, blanks: nothing that could be a type in a form that is not known. */
static bool says_nothing(const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		bool blank = strspn(text, " \t\r") >= length;
		if (!blank && memmem(text, length, "Name", 4) == NULL && memmem(text, length, "ID", 2) == NULL)
			return false;
		text += length + (text[length] == '\n');
	}
	return true;
}

/* Of the types that take turns: sets not_creatable unless all of them are in the list. */
static void compare_creatable(struct gp_nvidia_look *look, const char *text)
{
	GP_CLEANUP(gp_str_clear) struct gp_str offered = {0};
	size_t known = 0, creatable = 0, lines = 0;
	for (size_t i = 0; i < look->type_count; i++) {
		if (look->types[i].mig)
			continue;
		known++;
		if (!lists_type(text, look->types[i].id, &lines))
			continue;
		gp_str_printf(&offered, "%s%s", creatable > 0 ? ", " : "", look->types[i].name);
		creatable++;
	}
	bool told = lines > 0 || says_nothing(text);
	if (!told || creatable == known)
		return;
	look->gpu->not_creatable = creatable == 0 ? "none" : gp_arena_strdup(look->arena, offered.text);
}

/* Once a VF has a type, the list is about that and tells nothing of what the GPU could be cut into. */
static void observe_creatable(struct gp_nvidia_look *look)
{
	char text[GP_ATTR_MAX + 1];
	size_t vf = gp_nvidia_next_driven(look->gpu, 0);
	if (look->gpu->count > 0 || vf == look->gpu->partition_count)
		return;
	gp_autofree char *path = gp_nvidia_vf_path(&look->gpu->partitions[vf], "nvidia/creatable_vgpu_types");
	if (gp_host_read(look->host, path, text, sizeof(text), NULL) >= 0)
		compare_creatable(look, text);
}

/* ---- what the VFs are ---- */

static int fail_number(const struct gp_partition *vf, uint64_t id, struct gp_error *err)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_fail(err, GP_E_CORRUPT, "holds '%" PRIu64 "', which is no number of a vGPU type", id);
	return gp_error_subject(err, "%s nvidia/current_vgpu_type", gp_pci_addr_format(vf->addr, addr));
}

static int observe_vf(struct gp_nvidia_look *look, struct gp_partition *vf, struct gp_error *err)
{
	uint64_t id;
	gp_autofree char *path = gp_nvidia_vf_path(vf, "nvidia/current_vgpu_type");
	if (gp_host_read_u64(look->host, path, &id, err) < 0)
		return -1;
	if (id == 0)
		return 0;
	if (id > UINT32_MAX)
		return fail_number(vf, id, err);
	gp_nvidia_set_type(look, vf, (uint32_t)id);
	gp_autofree char *params = gp_nvidia_vf_path(vf, GP_NVIDIA_PARAMS);
	gp_nvidia_read_params(look, vf, params);
	return 0;
}

static int observe(struct gp_nvidia_look *look, struct gp_error *err)
{
	struct gp_gpu *gpu = look->gpu;
	size_t first = gp_nvidia_next_driven(gpu, 0);
	for (size_t i = first; i < gpu->partition_count; i = gp_nvidia_next_driven(gpu, i + 1)) {
		GP_CLEANUP(gp_error_clear) struct gp_error why = {0};
		if (observe_vf(look, &gpu->partitions[i], &why) == 0)
			continue;
		if (why.kind != GP_E_NOT_FOUND) {
			gp_error_move(err, &why);
			return -1;
		}
		if (i == first)
			return 0;
		gpu->partitions[i].unusable_why = "its driver shows no vGPU type for it (nvidia/current_vgpu_type)";
	}
	observe_creatable(look);
	return 1;
}

/* ---- steps ---- */

static struct gp_step *push_type(struct gp_step_sink *sink, const struct gp_vf_change *change, uint32_t from,
				 uint32_t to)
{
	struct gp_step *step = gp_nvidia_push_vf_write(sink, change, "nvidia/current_vgpu_type");
	step->before = gp_arena_printf(sink->arena, "%" PRIu32, from);
	step->after = gp_arena_printf(sink->arena, "%" PRIu32, to);
	return step;
}

static void clear(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	struct gp_step *step = push_type(sink, change, change->now->profile_id, 0);
	step->guard = GP_GUARD_VF_UNHELD;
	step->disruption = GP_DISRUPTS_PARTITION;
	step->what = gp_arena_printf(sink->arena, "take vGPU type %s from it",
				     gp_nvidia_type_text(sink->arena, change->now->profile, change->now->profile_id));
}

static void give(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	struct gp_step *step = push_type(sink, change, 0, change->to->profile_id);
	step->what = gp_arena_printf(sink->arena, "give it vGPU type %s",
				     gp_nvidia_type_text(sink->arena, change->to->profile, change->to->profile_id));
}

static void set_params(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	struct gp_step *step = gp_nvidia_push_vf_write(sink, change, GP_NVIDIA_PARAMS);
	gp_nvidia_fill_params(sink, change, step);
}

static void device(struct gp_hostdev *out)
{
	out->type = GP_HOSTDEV_PCI;
	out->managed = false; /* libvirt would take the VF from its driver, and with it its type */
}

const struct gp_nvidia_framework gp_nvidia_vfio = {
	.name = "vendor VFIO",
	.libvirt_min = GP_LIBVIRT_VFIO_VARIANTS,
	.libvirt_why = "older ones refuse a VF that keeps its driver (managed='no' with the driver nvidia)",
	.observe = observe,
	.clear = clear,
	.give = give,
	.set_params = set_params,
	.device = device,
};

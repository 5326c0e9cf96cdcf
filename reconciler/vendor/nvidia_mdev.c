/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framework "mdev": a vGPU is a mediated device, made on a VF under a name (UUID) that its VM knows it by.
 *
 *	VF/mdev_supported_types/nvidia-712/create    a UUID makes one; available_instances: 0 or 1 more
 *	sys/bus/mdev/devices/UUID → …/VF/UUID        with mdev_type → …/nvidia-712, remove, nvidia/vgpu_params
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "vendor/nvidia.h"

#define MDEV_DEVICES "sys/bus/mdev/devices"
#define TYPE_PREFIX  "nvidia-"

/* ---- the host's mediated devices, by the VF that they are on ---- */

static void add_mdev(void *context, const struct gp_mdev *mdev)
{
	struct gp_nvidia_look *look = context;
	*gp_arena_push(look->arena, look->survey->mdevs, look->survey->mdev_count) = *mdev;
}

static int by_parent(const void *a, const void *b)
{
	const struct gp_mdev *left = a, *right = b;
	int order = gp_pci_addr_compare(left->parent, right->parent);
	return order != 0 ? order : memcmp(&left->uuid, &right->uuid, sizeof(left->uuid));
}

static int list_mdevs(struct gp_nvidia_look *look, struct gp_error *err)
{
	struct gp_nvidia_survey *survey = look->survey;
	if (survey->mdevs_known)
		return 0;
	survey->mdevs = NULL;
	survey->mdev_count = 0;
	if (gp_host_each_mdev(look->host, add_mdev, look, err) < 0)
		return -1;
	if (survey->mdev_count > 1)
		qsort(survey->mdevs, survey->mdev_count, sizeof(*survey->mdevs), by_parent);
	survey->mdevs_known = true;
	return 0;
}

static const struct gp_mdev *find_on(const struct gp_nvidia_survey *survey, struct gp_pci_addr vf)
{
	size_t low = 0, high = survey->mdev_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (gp_pci_addr_compare(survey->mdevs[middle].parent, vf) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < survey->mdev_count && gp_pci_addr_compare(survey->mdevs[low].parent, vf) == 0;
	return found ? &survey->mdevs[low] : NULL;
}

/* ---- what the VFs are ---- */

static void observe_vf(struct gp_nvidia_look *look, struct gp_partition *vf)
{
	const struct gp_mdev *mdev = find_on(look->survey, vf->addr);
	uint32_t id = 0;
	char uuid[GP_UUID_SIZE];
	if (mdev == NULL)
		return;
	vf->has_mdev = true;
	vf->mdev = mdev->uuid;
	if (!gp_starts_with(mdev->type, TYPE_PREFIX) || gp_parse_u32(mdev->type + strlen(TYPE_PREFIX), &id) < 0)
		id = 0;
	gp_nvidia_set_type(look, vf, id);
	gp_autofree char *path = gp_xasprintf(MDEV_DEVICES "/%s/" GP_NVIDIA_PARAMS, gp_uuid_format(mdev->uuid, uuid));
	gp_nvidia_read_params(look, vf, path);
}

struct type_search {
	struct gp_nvidia_look *look;
	const struct gp_partition *vf;
	bool any_type, any_free;
};

static int look_at_type(void *context, const char *name)
{
	struct type_search *search = context;
	if (!gp_starts_with(name, TYPE_PREFIX))
		return 0;
	uint64_t instances;
	gp_autofree char *attribute = gp_xasprintf("mdev_supported_types/%s/available_instances", name);
	gp_autofree char *path = gp_nvidia_vf_path(search->vf, attribute);
	search->any_type = true;
	/* What cannot be read is tried. */
	search->any_free = gp_host_read_u64(search->look->host, path, &instances, NULL) < 0 || instances > 0;
	return search->any_free;
}

/* A GPU without any vGPU can have one of each type; if it can have none, there is something in the way (MIG mode). */
static void observe_creatable(struct gp_nvidia_look *look, const struct gp_partition *vf)
{
	struct type_search search = {.look = look, .vf = vf};
	if (look->gpu->count > 0)
		return;
	gp_autofree char *path = gp_nvidia_vf_path(vf, "mdev_supported_types");
	(void)gp_host_list(look->host, path, look_at_type, &search, NULL); /* nothing is known then */
	if (search.any_type && !search.any_free)
		look->gpu->not_creatable = "none";
}

static int observe(struct gp_nvidia_look *look, struct gp_error *err)
{
	struct gp_gpu *gpu = look->gpu;
	size_t first = gp_nvidia_next_driven(gpu, 0);
	if (first == gpu->partition_count)
		return 0;
	gp_autofree char *path = gp_nvidia_vf_path(&gpu->partitions[first], "mdev_supported_types");
	if (!gp_host_exists(look->host, path))
		return 0;
	if (list_mdevs(look, err) < 0)
		return -1;
	for (size_t i = first; i < gpu->partition_count; i = gp_nvidia_next_driven(gpu, i + 1))
		observe_vf(look, &gpu->partitions[i]);
	observe_creatable(look, &gpu->partitions[first]);
	return 1;
}

/* ---- steps ---- */

static struct gp_step *push_mdev_write(struct gp_step_sink *sink, const struct gp_vf_change *change,
				       struct gp_uuid uuid, const char *attribute)
{
	char text[GP_UUID_SIZE];
	struct gp_step *step = gp_nvidia_push_write(sink, change);
	step->base = GP_BASE_MDEV;
	step->device = gp_arena_strdup(sink->arena, gp_uuid_format(uuid, text));
	step->attribute = attribute;
	return step;
}

static void clear(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	struct gp_step *step = push_mdev_write(sink, change, change->now->mdev, "remove");
	step->after = "1";
	step->guard = GP_GUARD_VF_UNHELD;
	step->disruption = GP_DISRUPTS_PARTITION;
	step->what = gp_arena_printf(sink->arena, "remove this mediated device from VF %" PRIu32 ", vGPU type %s",
				     change->vf,
				     gp_nvidia_type_text(sink->arena, change->now->profile, change->now->profile_id));
}

static void give(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	char uuid[GP_UUID_SIZE];
	if (change->mdev == NULL)
		return;
	const char *attribute = gp_arena_printf(sink->arena, "mdev_supported_types/" TYPE_PREFIX "%" PRIu32 "/create",
						change->to->profile_id);
	struct gp_step *step = gp_nvidia_push_vf_write(sink, change, attribute);
	step->after = gp_arena_strdup(sink->arena, gp_uuid_format(*change->mdev, uuid));
	step->what = gp_arena_printf(sink->arena, "make a mediated device of vGPU type %s on it",
				     gp_nvidia_type_text(sink->arena, change->to->profile, change->to->profile_id));
}

static void set_params(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	bool stays = change->to == NULL && change->now != NULL && change->now->has_mdev;
	if (!stays && change->mdev == NULL)
		return;
	struct gp_uuid uuid = stays ? change->now->mdev : *change->mdev;
	gp_nvidia_fill_params(sink, change, push_mdev_write(sink, change, uuid, GP_NVIDIA_PARAMS));
}

static void device(struct gp_hostdev *out)
{
	out->type = GP_HOSTDEV_MDEV;
	out->managed = false;
}

const struct gp_nvidia_framework gp_nvidia_mdev = {
	.name = "mdev",
	.observe = observe,
	.clear = clear,
	.give = give,
	.set_params = set_params,
	.device = device,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/observed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/names.h"

enum { RID_END = 0x10000, MILLION = 1000 * 1000 };

/* Far away, and still four of them can be added. */
#define FARTHEST (UINT64_C(1) << 60)

struct gp_observed *gp_observed_new(void)
{
	struct gp_arena *arena = gp_arena_new();
	struct gp_observed *observed = gp_arena_new_of(arena, struct gp_observed);
	observed->arena = arena;
	return observed;
}

void gp_observed_free(struct gp_observed *observed)
{
	if (observed != NULL)
		gp_arena_free(observed->arena); /* which holds *observed, too */
}

const char *gp_version_format(uint32_t version, char out[GP_VERSION_SIZE])
{
	enum { MAJOR = 1000 * 1000, MINOR = 1000 };
	snprintf(out, GP_VERSION_SIZE, "%u.%u.%u", version / MAJOR, version / MINOR % MINOR, version % MINOR);
	return out;
}

/* ---- looking up ---- */

const struct gp_gpu *gp_observed_gpu(const struct gp_observed *observed, struct gp_pci_addr addr)
{
	size_t low = 0, high = observed->gpu_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = gp_pci_addr_compare(observed->gpus[middle].addr, addr);
		if (order == 0)
			return &observed->gpus[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static const struct gp_domain *domain_by_name(const struct gp_observed *observed, const char *name)
{
	size_t low = 0, high = observed->domain_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(observed->domains[middle].name, name);
		if (order == 0)
			return &observed->domains[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool gp_hostdev_same_source(const struct gp_hostdev *a, const struct gp_hostdev *b)
{
	if (a->type != b->type)
		return false;
	return a->type == GP_HOSTDEV_PCI ? gp_pci_addr_compare(a->source, b->source) == 0
					 : gp_uuid_equal(a->mdev, b->mdev);
}

bool gp_place_is_empty(const struct gp_domain *domain, const struct gp_hostdev *place)
{
	for (size_t i = 0; i < domain->config_count; i++)
		if (gp_hostdev_same_source(&domain->config[i], place))
			return false;
	return true;
}

const struct gp_domain *gp_observed_domain(const struct gp_observed *observed, const struct gp_want_vm *vm)
{
	if (!vm->by_uuid)
		return domain_by_name(observed, vm->name);
	for (size_t i = 0; i < observed->domain_count; i++)
		if (gp_uuid_equal(observed->domains[i].uuid, vm->uuid))
			return &observed->domains[i];
	return NULL;
}

const struct gp_partition *gp_gpu_partition(const struct gp_gpu *gpu, uint32_t index)
{
	/* Nearly always there is no gap, and the index is the place. */
	if (index < gpu->partition_count && gpu->partitions[index].index == index)
		return &gpu->partitions[index];
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (gpu->partitions[i].index == index)
			return &gpu->partitions[i];
	return NULL;
}

const struct gp_layout *gp_gpu_layout(const struct gp_gpu *gpu, uint32_t count)
{
	size_t low = 0, high = gpu->layout_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (gpu->layouts[middle].count < count)
			low = middle + 1;
		else
			high = middle;
	}
	/* The first of that count: there may be several. */
	return low < gpu->layout_count && gpu->layouts[low].count == count ? &gpu->layouts[low] : NULL;
}

const struct gp_layout_group *gp_layout_group_of(const struct gp_layout *layout, uint32_t index)
{
	for (size_t i = 0; i < layout->group_count; i++) {
		if (index < layout->groups[i].count)
			return &layout->groups[i];
		index -= layout->groups[i].count;
	}
	return NULL;
}

/* ---- addresses of VFs ---- */

/* Routing ID of a VF by the capability: RID(PF) + offset + index × stride. It may spill to further buses. */
static bool predict_addr(const struct gp_gpu *gpu, uint32_t index, struct gp_pci_addr *out)
{
	bool told = gpu->vf_offset != 0 && (gpu->vf_stride != 0 || index == 0);
	if (!told || index >= gpu->total_vfs)
		return false;
	uint64_t rid = gp_pci_addr_rid(gpu->addr) + (uint64_t)gpu->vf_offset + (uint64_t)index * gpu->vf_stride;
	if (rid >= RID_END)
		return false;
	*out = gp_pci_addr_from_rid(gpu->addr.domain, (uint32_t)rid);
	return true;
}

bool gp_gpu_vf_addr(const struct gp_gpu *gpu, uint32_t index, struct gp_pci_addr *out)
{
	const struct gp_partition *partition = gp_gpu_partition(gpu, index);
	if (partition == NULL)
		return predict_addr(gpu, index, out);
	*out = partition->addr;
	return true;
}

/* The index that the capability gives to an address, whether or not that VF exists. */
static bool predict_index(const struct gp_gpu *gpu, struct gp_pci_addr addr, uint32_t *index)
{
	uint32_t first = gp_pci_addr_rid(gpu->addr) + gpu->vf_offset;
	uint32_t rid = gp_pci_addr_rid(addr);
	if (gpu->vf_offset == 0 || addr.domain != gpu->addr.domain || rid < first)
		return false;
	uint32_t distance = rid - first;
	if (distance != 0 && (gpu->vf_stride == 0 || distance % gpu->vf_stride != 0))
		return false;
	*index = distance == 0 ? 0 : distance / gpu->vf_stride;
	return *index < gpu->total_vfs;
}

bool gp_gpu_vf_at(const struct gp_gpu *gpu, struct gp_pci_addr addr, uint32_t *index)
{
	for (size_t i = 0; i < gpu->partition_count; i++) {
		if (gp_pci_addr_compare(gpu->partitions[i].addr, addr) == 0) {
			*index = gpu->partitions[i].index;
			return true;
		}
	}
	/* A VF that exists is where its link says: a prediction that contradicts the link is wrong. */
	uint32_t predicted;
	if (!predict_index(gpu, addr, &predicted) || gp_gpu_partition(gpu, predicted) != NULL)
		return false;
	*index = predicted;
	return true;
}

/* ---- bounds ---- */

static enum gp_unit unit_of(const struct gp_bound *bound)
{
	if (bound->min.unit != GP_UNIT_NONE)
		return bound->min.unit;
	return bound->max.unit != GP_UNIT_NONE ? bound->max.unit : bound->optimal.unit;
}

/* The offer in a unit; false: the back-end does not tell it in this unit. */
static bool offer_in(const struct gp_offer *offer, enum gp_unit unit, uint64_t *value)
{
	bool known = false;
	if (offer->hold == GP_HOLD_NOT_EXPRESSIBLE)
		return false;
	if (unit == GP_UNIT_BYTES) {
		known = offer->has_bytes;
		*value = offer->bytes;
	} else if (unit == GP_UNIT_SHARE) {
		known = offer->has_share;
		*value = offer->share;
	} else if (unit == GP_UNIT_ENGINES) {
		known = offer->has_engines;
		*value = offer->engines;
	}
	return known;
}

static const char *words_of_unit(enum gp_unit unit)
{
	static const char *const words[] = {
		[GP_UNIT_NONE] = "nothing",
		[GP_UNIT_BYTES] = "an amount of memory",
		[GP_UNIT_SHARE] = "a share of the GPU",
		[GP_UNIT_ENGINES] = "whole engines",
	};
	return words[unit];
}

/* A unit in which the offer could be compared, or NONE. */
static enum gp_unit unit_told(const struct gp_offer *offer)
{
	if (offer->hold == GP_HOLD_NOT_EXPRESSIBLE)
		return GP_UNIT_NONE;
	if (offer->has_bytes)
		return GP_UNIT_BYTES;
	if (offer->has_share)
		return GP_UNIT_SHARE;
	return offer->has_engines ? GP_UNIT_ENGINES : GP_UNIT_NONE;
}

static void explain_not_expressible(const struct gp_offer *offer, enum gp_unit asked, enum gp_resource resource,
				    struct gp_str *why)
{
	enum gp_unit told = unit_told(offer);
	const char *name = gp_resource_name(resource);
	if (told == GP_UNIT_NONE)
		gp_str_printf(why, "not expressible: how much %s a partition has is not known", name);
	else
		gp_str_printf(why, "not expressible: %s is asked as %s, and known only as %s", name,
			      words_of_unit(asked), words_of_unit(told));
}

/* "vram 4GiB < min 8GiB" */
static void explain_outside(enum gp_resource resource, struct gp_amount found, const char *relation,
			    struct gp_amount limit, struct gp_str *why)
{
	gp_str_printf(why, "%s ", gp_resource_name(resource));
	gp_amount_format(found, why);
	gp_str_add(why, relation);
	gp_amount_format(limit, why);
}

bool gp_bound_fits(const struct gp_bound *bound, const struct gp_offer *offer, enum gp_resource resource,
		   struct gp_str *why)
{
	struct gp_amount found = {.unit = unit_of(bound)};
	if (!bound->given || found.unit == GP_UNIT_NONE)
		return true;
	if (!offer_in(offer, found.unit, &found.value)) {
		if (why != NULL)
			explain_not_expressible(offer, found.unit, resource, why);
		return false;
	}
	if (bound->min.unit != GP_UNIT_NONE && found.value < bound->min.value) {
		if (why != NULL)
			explain_outside(resource, found, " < min ", bound->min, why);
		return false;
	}
	if (bound->max.unit != GP_UNIT_NONE && found.value > bound->max.value) {
		if (why != NULL)
			explain_outside(resource, found, " > max ", bound->max, why);
		return false;
	}
	return true;
}

/* What is best: as asked, else min, else max. */
static struct gp_amount best_of(const struct gp_bound *bound)
{
	if (bound->optimal.unit != GP_UNIT_NONE)
		return bound->optimal;
	return bound->min.unit != GP_UNIT_NONE ? bound->min : bound->max;
}

/* difference × 1000000 / whole, without overflow. */
static uint64_t millionths(uint64_t difference, uint64_t whole)
{
	uint64_t scaled;
	if (__builtin_mul_overflow(difference, (uint64_t)MILLION, &scaled))
		scaled = whole >= MILLION ? difference / (whole / MILLION) : UINT64_MAX;
	else
		scaled = whole == 0 ? UINT64_MAX : scaled / whole;
	return scaled < FARTHEST ? scaled : FARTHEST;
}

uint64_t gp_bound_distance(const struct gp_bound *bound, const struct gp_offer *offer)
{
	struct gp_amount best = best_of(bound);
	uint64_t found;
	if (!bound->given || best.unit == GP_UNIT_NONE)
		return 0;
	if (!offer_in(offer, best.unit, &found))
		return FARTHEST;
	uint64_t difference = found > best.value ? found - best.value : best.value - found;
	return difference == 0 ? 0 : millionths(difference, best.value);
}

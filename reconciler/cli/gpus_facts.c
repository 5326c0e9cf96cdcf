/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is total, free and alike. Under-report: when a place of truth cannot be read, nothing counts as free. */
#include <string.h>

#include "base/num.h"
#include "cli/gpus.h"

enum { WHOLE = 1000 * 1000 };

const struct gp_partition *gp_gpu_sample(const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (!gpu->partitions[i].blank)
			return &gpu->partitions[i];
	return NULL;
}

/* ---- what it is cut into ---- */

static bool is_there(const struct gp_partition *partition, const char *profile)
{
	return !partition->blank && gp_streq(partition->profile, profile);
}

static uint32_t count_of(const struct gp_gpu *gpu, const char *profile)
{
	uint32_t count = 0;

	for (size_t i = 0; i < gpu->partition_count; i++)
		count += is_there(&gpu->partitions[i], profile);
	return count;
}

static bool was_before(const struct gp_gpu *gpu, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (is_there(&gpu->partitions[i], gpu->partitions[index].profile))
			return true;
	return false;
}

static bool has_profiles(const struct gp_gpu *gpu)
{
	return gpu->backend && gpu->backend->by_profile;
}

static const char *describe_cut(const struct gp_gpu *gpu, struct gp_arena *arena)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	if (!has_profiles(gpu) || gpu->count == 0)
		return gp_arena_printf(arena, "%u", gpu->count);
	for (size_t i = 0; i < gpu->partition_count; i++) {
		const char *profile = gpu->partitions[i].profile;

		if (gpu->partitions[i].blank || was_before(gpu, i))
			continue;
		gp_str_printf(&text, "%s%u × %s", text.length ? " + " : "", count_of(gpu, profile),
			      profile ? profile : "unknown type");
	}
	return gp_arena_strdup(arena, gp_str_text(&text));
}

/* ---- what is free ---- */

static bool is_free(const struct gp_partition *partition)
{
	return !partition->blank && partition->holder_count == 0 && !partition->unusable_why;
}

/* Its partitions are mediated devices, each made when a VM gets it. */
static bool makes_mdevs(const struct gp_gpu *gpu)
{
	struct gp_hostdev form = {0};

	if (!has_profiles(gpu) || gpu->unfit != GP_FIT)
		return false;
	gpu->backend->device(gpu, 0, &form);
	return form.type == GP_HOSTDEV_MDEV;
}

/* Mediated devices of the one kind that is there: so many more can be. */
static uint32_t still_to_be_made(const struct gp_gpu *gpu, const struct gp_partition *sample)
{
	bool one_kind = sample && sample->profile && count_of(gpu, sample->profile) == gpu->count;

	for (size_t i = 0; one_kind && makes_mdevs(gpu) && i < gpu->layout_count; i++) {
		const struct gp_layout *layout = &gpu->layouts[i];

		for (size_t g = 0; g < layout->group_count; g++)
			if (gp_streq(layout->groups[g].profile, sample->profile) && layout->groups[g].most > gpu->count)
				return layout->groups[g].most - gpu->count;
	}
	return 0;
}

static bool amount_of(const struct gp_offer *offer, bool in_bytes, uint64_t *amount)
{
	*amount = in_bytes ? offer->bytes : offer->share;
	return in_bytes ? offer->has_bytes : offer->has_share;
}

/* Shares are rounded down, each to a millionth: three thirds are the whole again. */
static uint64_t without_rounding(uint64_t sum, uint32_t parts)
{
	enum { FINE = 100 };
	uint64_t near = (sum + parts) / FINE * FINE;

	return near > sum ? near : sum;
}

/* What the free partitions have of one resource. False: nobody knows how much that is. */
static bool sum_free(const struct gp_gpu *gpu, enum gp_resource resource, bool in_bytes, uint32_t to_be_made,
		     uint64_t *sum)
{
	const struct gp_partition *sample = gp_gpu_sample(gpu);
	uint32_t parts = to_be_made;
	uint64_t amount;

	if (!sample || !amount_of(&sample->offers[resource], in_bytes, &amount))
		return false;
	*sum = to_be_made * amount;
	for (size_t i = 0; i < gpu->partition_count; i++) {
		if (!is_free(&gpu->partitions[i]))
			continue;
		if (!amount_of(&gpu->partitions[i].offers[resource], in_bytes, &amount))
			return false;
		*sum += amount;
		parts++;
	}
	if (!in_bytes)
		*sum = without_rounding(*sum, parts);
	return true;
}

static struct gp_gpu_resource find_resource(const struct gp_gpu_facts *facts, enum gp_resource resource,
					    uint32_t to_be_made)
{
	const struct gp_gpu *gpu = facts->gpu;
	const struct gp_partition *sample = gp_gpu_sample(gpu);
	struct gp_gpu_resource found = {.total = resource == GP_VRAM ? gpu->vram_bytes : WHOLE};

	if (gpu->named_only)
		return found; /* a NIC has none of the four */
	found.in_bytes = resource == GP_VRAM && (gpu->vram_bytes || (sample && sample->offers[resource].has_bytes));
	found.total_known = found.total != 0;
	if (sample) {
		found.hold = sample->offers[resource].hold;
		found.each_known = amount_of(&sample->offers[resource], found.in_bytes, &found.each);
		found.available_known =
			facts->free_known && sum_free(gpu, resource, found.in_bytes, to_be_made, &found.available);
	} else if (gpu->unfit == GP_FIT) {
		found.available_known = found.total_known;
		found.available = found.total;
	}
	return found;
}

/* ---- all of a GPU ---- */

static const struct gp_class *class_of(const struct gp_desired *desired, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < desired->class_count; i++)
		if (gp_match_holds(&desired->classes[i].match, gpu))
			return &desired->classes[i];
	return NULL;
}

static struct gp_gpu_facts find_facts(const struct gp_desired *desired, const struct gp_observed *observed,
				      const struct gp_gpu *gpu, struct gp_arena *arena)
{
	struct gp_gpu_facts facts = {
		.gpu = gpu,
		.class_of = class_of(desired, gpu),
		.free_known = observed->domains_state.known && observed->vfio_state.known,
		.cut = describe_cut(gpu, arena),
	};
	uint32_t to_be_made = still_to_be_made(gpu, gp_gpu_sample(gpu));

	for (size_t i = 0; facts.free_known && i < gpu->partition_count; i++)
		facts.free += is_free(&gpu->partitions[i]);
	if (facts.free_known)
		facts.free += to_be_made;
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		facts.resources[r] = find_resource(&facts, (enum gp_resource)r, to_be_made);
	return facts;
}

struct gp_gpu_facts *gp_gpu_facts_find(const struct gp_desired *desired, const struct gp_observed *observed,
				       struct gp_arena *arena)
{
	struct gp_gpu_facts *facts = gp_arena_array_of(arena, struct gp_gpu_facts, observed->gpu_count);

	for (size_t i = 0; i < observed->gpu_count; i++)
		facts[i] = find_facts(desired, observed, &observed->gpus[i], arena);
	return facts;
}

void gp_gpu_add_amount(const struct gp_gpu_resource *resource, bool known, uint64_t amount, struct gp_str *out)
{
	if (!known)
		gp_str_add_char(out, '-');
	else if (resource->in_bytes)
		gp_add_size(out, amount);
	else
		gp_add_share(out, amount);
}

/* ---- counts ---- */

bool gp_layout_is_first(const struct gp_gpu *gpu, size_t layout)
{
	return layout == 0 || gpu->layouts[layout].count != gpu->layouts[layout - 1].count;
}

void gp_gpu_add_valid_counts(const struct gp_gpu *gpu, struct gp_str *out)
{
	uint32_t last = gpu->layout_count ? gpu->layouts[gpu->layout_count - 1].count : 0;
	size_t counts = 0;

	for (size_t i = 0; i < gpu->layout_count; i++)
		counts += gp_layout_is_first(gpu, i);
	if (counts == 0) {
		gp_str_add_char(out, '-');
	} else if (counts == last && counts > 2) {
		gp_str_printf(out, "0-%u", last);
	} else {
		gp_str_add_char(out, '0');
		for (size_t i = 0; i < gpu->layout_count; i++)
			if (gp_layout_is_first(gpu, i))
				gp_str_printf(out, ",%u", gpu->layouts[i].count);
	}
}

/* ---- homogeneity ---- */

/* `add` returns false where there is nothing to compare: not all drivers tell a version, and what an mdev GPU is cut
 * into follows from its VMs. */
struct trait {
	const char *name;
	bool (*add)(const struct gp_gpu_facts *facts, struct gp_str *out);
};

static bool add_or(const char *text, const char *otherwise, struct gp_str *out)
{
	gp_str_add(out, text ? text : otherwise);
	return true;
}

static bool add_model(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	return add_or(facts->gpu->model, "unknown", out);
}
static bool add_driver(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	return add_or(facts->gpu->driver, "none", out);
}
static bool add_driver_version(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	return facts->gpu->driver_version && add_or(facts->gpu->driver_version, "", out);
}
static bool add_framework(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	return facts->gpu->framework && add_or(facts->gpu->framework, "", out);
}
static bool add_cut(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	gp_str_add(out, facts->cut);
	return !makes_mdevs(facts->gpu);
}
static bool add_vram(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	if (facts->gpu->vram_bytes)
		gp_add_size(out, facts->gpu->vram_bytes);
	else
		gp_str_add(out, "unknown");
	return true;
}
static bool add_each(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	const struct gp_gpu_resource *resources = facts->resources;

	if (!gp_gpu_sample(facts->gpu)) {
		gp_str_add(out, "none");
		return !makes_mdevs(facts->gpu);
	}
	for (int r = 0; r < GP_RESOURCE_COUNT; r++) {
		if (r > 0)
			gp_str_add_char(out, ' ');
		gp_gpu_add_amount(&resources[r], resources[r].each_known, resources[r].each, out);
	}
	return true;
}
static bool add_valid(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	gp_gpu_add_valid_counts(facts->gpu, out);
	return true;
}

static const struct trait traits[] = {
	{"model", add_model},         {"memory", add_vram},
	{"driver", add_driver},       {"driver version", add_driver_version},
	{"framework", add_framework}, {"partition count", add_cut},
	{"partition size", add_each}, {"valid counts", add_valid},
};
const char gp_gpu_trait_names[] = "model, memory, driver, framework, count, size";

struct gp_members gp_gpu_members(const struct gp_gpu_facts *facts, size_t count, const struct gp_class *of,
				 struct gp_arena *arena)
{
	struct gp_members members = {0};

	for (size_t i = 0; i < count; i++)
		if (gp_match_holds(&of->match, facts[i].gpu))
			*gp_arena_push(arena, members.facts, members.count) = &facts[i];
	return members;
}

/* One value of a trait, and who has it. */
struct variant {
	struct gp_str text;
	size_t votes;
};

static size_t find_variant(const struct variant *variants, size_t count, const char *text)
{
	size_t i = 0;

	while (i < count && strcmp(gp_str_text(&variants[i].text), text) != 0)
		i++;
	return i;
}

/* What most have; on a tie, what the first of them has. */
static size_t most_common(const struct variant *variants, size_t count)
{
	size_t best = 0;

	for (size_t i = 1; i < count; i++)
		if (variants[i].votes > variants[best].votes)
			best = i;
	return best;
}

static size_t compare_trait(const struct trait *trait, const struct gp_members *members, gp_odd_one *report,
			    void *context)
{
	struct variant *variants = gp_xcalloc(members->count, sizeof(*variants));
	size_t *variant_of = gp_xcalloc(members->count, sizeof(*variant_of));
	size_t count = 0, usual, found = 0;

	for (size_t i = 0; i < members->count; i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

		variant_of[i] = SIZE_MAX;
		if (!trait->add(members->facts[i], &text))
			continue;
		variant_of[i] = find_variant(variants, count, gp_str_text(&text));
		if (variant_of[i] == count)
			gp_str_add(&variants[count++].text, gp_str_text(&text));
		variants[variant_of[i]].votes++;
	}
	usual = most_common(variants, count);
	for (size_t i = 0; i < members->count; i++) {
		if (variant_of[i] == SIZE_MAX || variant_of[i] == usual)
			continue;
		found++;
		report(context, members->facts[i]->gpu, trait->name, gp_str_text(&variants[variant_of[i]].text),
		       gp_str_text(&variants[usual].text));
	}
	for (size_t i = 0; i < count; i++)
		gp_str_clear(&variants[i].text);
	free(variants);
	free(variant_of);
	return found;
}

size_t gp_gpu_find_odd_ones(const struct gp_members *members, gp_odd_one *report, void *context)
{
	size_t found = 0;

	for (size_t t = 0; members->count > 1 && t < sizeof(traits) / sizeof(traits[0]); t++)
		found += compare_trait(&traits[t], members, report, context);
	return found;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "vendor/nvidia.h"

enum { WHOLE = 1000 * 1000 }; /* millionths */

/* ---- names ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The size in a name: "4Q" of "A16-4Q"; NULL: there is none. */
static const char *size_in_name(const char *profile)
{
	const char *dash = strrchr(profile, '-');
	return dash != NULL && dash != profile && is_digit(dash[1]) ? dash + 1 : NULL;
}

/* "Q" of "A16-4Q", "B" of "A40-1B4"; NULL: none can be told. What follows the letter tells variants apart (a frame
 * rate, media engines). */
static const char *series_of(const char *profile)
{
	static const char *const series[] = {"A", "B", "C", "Q"};
	const char *at = size_in_name(profile);
	while (at != NULL && is_digit(*at))
		at++;
	for (size_t i = 0; at != NULL && i < sizeof(series) / sizeof(series[0]); i++)
		if (*at == series[i][0])
			return series[i];
	return NULL;
}

const char *gp_nvidia_board_of(struct gp_arena *arena, const char *profile)
{
	const char *size = size_in_name(profile);
	return size == NULL ? NULL : gp_arena_strndup(arena, profile, (size_t)(size - 1 - profile));
}

/* ---- what a type has ---- */

/* An exact part is a round share, whatever the bytes round to. */
static uint32_t share_of_bytes(uint64_t bytes, uint64_t total, uint32_t most)
{
	uint64_t scaled;
	if (bytes >= total)
		return WHOLE;
	if (bytes == total / most || __builtin_mul_overflow(bytes, (uint64_t)WHOLE, &scaled))
		return WHOLE / most;
	return (uint32_t)(scaled / total);
}

static struct gp_offer offer_vram(const struct gp_gpu *gpu, const struct gp_vgpu_type *type)
{
	if (type->framebuffer == 0 || gpu->vram_bytes == 0)
		return (struct gp_offer){.hold = GP_HOLD_NOT_EXPRESSIBLE};
	return (struct gp_offer){.hold = GP_HOLD_HARDWARE,
				 .has_bytes = true,
				 .bytes = type->framebuffer,
				 .has_share = true,
				 .share = share_of_bytes(type->framebuffer, gpu->vram_bytes, type->most)};
}

/* Best effort hands turns to whoever has work; the other two keep some for each that could be there. */
static bool scheduler_holds_shares(const struct gp_gpu *gpu)
{
	return gp_streq(gpu->scheduler, "equal share") || gp_streq(gpu->scheduler, "fixed share");
}

void gp_nvidia_offers(const struct gp_gpu *gpu, const struct gp_vgpu_type *type,
		      struct gp_offer offers[GP_RESOURCE_COUNT])
{
	struct gp_offer part = {.hold = GP_HOLD_ADMISSION, .has_share = true, .share = WHOLE / type->most};
	offers[GP_VRAM] = offer_vram(gpu, type);
	/* What an instance of a GPU in MIG mode has is in no list that is read here. */
	if (type->mig)
		return;
	/* The policy is one of the graphics engine: those for video are not under it. */
	offers[GP_ENCODE] = part;
	offers[GP_DECODE] = part;
	if (scheduler_holds_shares(gpu))
		part.hold = GP_HOLD_SCHEDULER;
	offers[GP_COMPUTE] = part;
}

/* ---- layouts: one a type ---- */

static int compare_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a == NULL) - (b == NULL);
	return strcmp(a, b);
}

/* By count and series; then what comes first is what the count stands for. */
static int compare_layouts(const void *left, const void *right)
{
	const struct gp_layout *a = left, *b = right;
	const struct gp_layout_group *of_a = a->groups, *of_b = b->groups;
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	int series = compare_text(of_a->series, of_b->series);
	if (series != 0)
		return series;
	bool cut_a = of_a->most != a->count, cut_b = of_b->most != b->count;
	if (cut_a != cut_b)
		return cut_a ? 1 : -1;
	if (of_a->offers[GP_VRAM].bytes != of_b->offers[GP_VRAM].bytes)
		return of_a->offers[GP_VRAM].bytes > of_b->offers[GP_VRAM].bytes ? -1 : 1;
	return strcmp(of_a->profile, of_b->profile);
}

/* Each needs a VF of its own. */
static uint32_t most_on(const struct gp_gpu *gpu, uint32_t most)
{
	return gpu->total_vfs > 0 && most > gpu->total_vfs ? gpu->total_vfs : most;
}

static void add_layout(struct gp_nvidia_look *look, const struct gp_vgpu_type *type)
{
	struct gp_gpu *gpu = look->gpu;
	struct gp_layout_group *group = gp_arena_new_of(look->arena, struct gp_layout_group);
	*group = (struct gp_layout_group){
		.count = most_on(gpu, type->most),
		.profile = gp_arena_strdup(look->arena, type->name),
		.profile_id = type->id,
		.series = series_of(type->name),
		.most = type->most,
		.alone = !type->multiple,
	};
	gp_nvidia_offers(gpu, type, group->offers);
	*gp_arena_push(look->arena, gpu->layouts, gpu->layout_count) =
		(struct gp_layout){.count = group->count, .groups = group, .group_count = 1};
}

/* All of it is what the largest type takes. */
static void find_vram(struct gp_nvidia_look *look)
{
	const struct gp_vgpu_type *largest = NULL;
	for (size_t i = 0; i < look->type_count; i++)
		if (!look->types[i].mig && (largest == NULL || look->types[i].framebuffer > largest->framebuffer))
			largest = &look->types[i];
	look->gpu->vram_bytes = largest == NULL ? 0 : largest->framebuffer;
	look->gpu->vram_source =
		look->gpu->vram_bytes == 0 ? NULL : gp_arena_printf(look->arena, "vGPU type %s", largest->name);
}

static void find_series(struct gp_nvidia_look *look)
{
	static const char *const series[] = {"A", "B", "C", "Q"};
	GP_CLEANUP(gp_str_clear) struct gp_str all = {0};
	for (size_t s = 0; s < sizeof(series) / sizeof(series[0]); s++)
		for (size_t i = 0; i < look->gpu->layout_count; i++)
			if (gp_streq(look->gpu->layouts[i].groups->series, series[s])) {
				gp_str_printf(&all, "%s%s", all.length > 0 ? " " : "", series[s]);
				break;
			}
	look->gpu->series = all.length == 0 ? NULL : gp_arena_strdup(look->arena, all.text);
}

void gp_nvidia_lay_out(struct gp_nvidia_look *look)
{
	look->gpu->layouts = NULL;
	look->gpu->layout_count = 0;
	find_vram(look);
	for (size_t i = 0; i < look->type_count; i++)
		if (!look->types[i].mig)
			add_layout(look, &look->types[i]);
	if (look->gpu->layout_count > 1)
		qsort(look->gpu->layouts, look->gpu->layout_count, sizeof(struct gp_layout), compare_layouts);
	find_series(look);
}

/* ---- a list of sizes ---- */

bool gp_nvidia_has_size(const struct gp_layout_group *type, struct gp_amount vram)
{
	const struct gp_offer *offer = &type->offers[GP_VRAM];
	if (vram.unit == GP_UNIT_BYTES)
		return offer->has_bytes && offer->bytes == vram.value;
	return vram.unit == GP_UNIT_SHARE && offer->has_share && offer->share == vram.value;
}

static bool is_of_series(const struct gp_layout_group *type, const char *series)
{
	return series == NULL || gp_streq(type->series, series);
}

static bool is_meant(const struct gp_layout_group *type, const struct gp_class *class_of,
		     const struct gp_partition_size *size)
{
	if (size->mig != NULL || !is_of_series(type, class_of->series))
		return false;
	return size->profile != NULL ? gp_streq(type->profile, size->profile) : gp_nvidia_has_size(type, size->vram);
}

const struct gp_layout_group *gp_nvidia_size_group(const struct gp_gpu *gpu, const struct gp_class *class_of,
						   const struct gp_partition_size *size)
{
	const struct gp_layout_group *found = NULL;
	for (size_t i = 0; i < gpu->layout_count; i++) {
		const struct gp_layout_group *type = gpu->layouts[i].groups;
		if (!is_meant(type, class_of, size))
			continue;
		if (found != NULL && !gp_streq(found->series, type->series))
			return NULL;
		if (found == NULL)
			found = type;
	}
	return found;
}

uint32_t gp_nvidia_most_together(const struct gp_gpu *gpu, const struct gp_layout_group *const *types, size_t count)
{
	uint32_t most = UINT32_MAX;
	for (size_t i = 0; i < count; i++) {
		const struct gp_offer *first = &types[0]->offers[GP_VRAM], *vram = &types[i]->offers[GP_VRAM];
		bool alike = gp_streq(types[i]->profile, types[0]->profile) ||
			     (first->has_bytes && vram->has_bytes && first->bytes == vram->bytes);
		if (!alike)
			return 0;
		if (types[i]->most < most)
			most = types[i]->most;
	}
	return most_on(gpu, most);
}

/* The one layout that a list stands for; false: there is none, and check says why. */
static bool lay_out_list(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
			 struct gp_layout *layout)
{
	size_t count = class_of->size_count;
	const struct gp_layout_group **types = gp_arena_array_of(arena, const struct gp_layout_group *, count);
	uint64_t sum = 0;
	layout->groups = gp_arena_array_of(arena, struct gp_layout_group, count);
	layout->group_count = count;
	for (size_t i = 0; i < count; i++) {
		types[i] = gp_nvidia_size_group(gpu, class_of, &class_of->sizes[i]);
		if (types[i] == NULL)
			return false;
		layout->groups[i] = *types[i];
		layout->groups[i].count = class_of->sizes[i].count;
		sum += class_of->sizes[i].count;
	}
	if (sum == 0 || sum > gp_nvidia_most_together(gpu, types, count))
		return false;
	layout->count = (uint32_t)sum;
	return true;
}

static void keep_series(const struct gp_gpu *gpu, const char *series, struct gp_arena *arena,
			struct gp_layout **layouts, size_t *count)
{
	for (size_t i = 0; i < gpu->layout_count; i++)
		if (gp_streq(gpu->layouts[i].groups->series, series))
			*gp_arena_push(arena, *layouts, *count) = gpu->layouts[i];
}

void gp_nvidia_layouts(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
		       struct gp_layout **layouts, size_t *count)
{
	*layouts = NULL;
	*count = 0;
	if (class_of != NULL && class_of->partitions == GP_PARTITIONS_LIST) {
		struct gp_layout layout = {0};
		if (lay_out_list(gpu, class_of, arena, &layout))
			*gp_arena_push(arena, *layouts, *count) = layout;
	} else if (class_of != NULL && class_of->series != NULL) {
		keep_series(gpu, class_of->series, arena, layouts, count);
	} else {
		*layouts = gpu->layouts;
		*count = gpu->layout_count;
	}
}

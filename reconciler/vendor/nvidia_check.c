/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a class an NVIDIA GPU cannot be given, and what would work. */
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "vendor/faults.h"
#include "vendor/nvidia.h"

struct question {
	const struct gp_class *class_of;
	const struct gp_gpu *gpu;
	struct gp_diags *diags;
	bool faulty;
};

static void fault_of(struct question *q, enum gp_error_kind kind, const char *code, struct gp_mark mark,
		     const char *message, const char *remedy)
{
	gp_vendor_fault_of(q->diags, q->gpu, kind, code, mark, message, remedy);
	q->faulty = true;
}

static void fault(struct question *q, const char *code, struct gp_mark mark, const char *message, const char *remedy)
{
	fault_of(q, GP_E_INPUT, code, mark, message, remedy);
}

#define gp_autostr GP_CLEANUP(gp_str_clear) struct gp_str

/* ---- keys ---- */

static void check_backing(struct question *q)
{
	if (q->class_of->backing == GP_BACKING_MIG)
		fault(q, "unsupported-backing", q->class_of->backing_mark,
		      "backing: mig needs a later version of gpupart; this one makes time-sliced vGPUs",
		      "leave backing out, or write time-sliced");
}

static void check_scheduler(struct question *q)
{
	if (q->class_of->scheduler == NULL)
		return;
	gp_autostr message = {0};
	gp_str_printf(
		&message, "scheduler needs a later version of gpupart%s%s",
		q->gpu->scheduler == NULL ? "" : "; it is now: ", q->gpu->scheduler == NULL ? "" : q->gpu->scheduler);
	fault(q, "unsupported-scheduler", q->class_of->scheduler_mark, gp_str_text(&message),
	      "leave scheduler out, and set RmPVMRL in NVreg_RegistryDwords of the module nvidia");
}

/* ---- what there is ---- */

static const char *const all_series[] = {"A", "B", "C", "Q", NULL};
enum { SERIES_COUNT = 5 }; /* with types whose series cannot be told */

static const char *series_meaning(const char *series)
{
	switch (*series) {
	case 'A':
		return "applications";
	case 'B':
		return "desktops";
	case 'C':
		return "compute";
	default:
		return "workstations";
	}
}

/* "1, 2, 4, 8, 16": of one series. */
static bool add_counts(struct gp_str *out, const struct gp_gpu *gpu, const char *series)
{
	uint32_t last = 0;
	bool any = false;
	for (size_t i = 0; i < gpu->layout_count; i++) {
		const struct gp_layout *layout = &gpu->layouts[i];
		if (!gp_streq(layout->groups->series, series) || layout->count == last)
			continue;
		gp_str_printf(out, "%s%" PRIu32, any ? ", " : "", layout->count);
		last = layout->count;
		any = true;
	}
	return any;
}

/* "series A: 1, 2, 4, 8, 16; series B: 8, 16" */
static void add_all_counts(struct gp_str *out, const struct gp_gpu *gpu)
{
	bool any = false;
	for (size_t s = 0; s < SERIES_COUNT; s++) {
		gp_autostr counts = {0};
		if (!add_counts(&counts, gpu, all_series[s]))
			continue;
		gp_str_add(out, any ? "; " : "");
		if (all_series[s] != NULL)
			gp_str_printf(out, "series %s: ", all_series[s]);
		gp_str_add(out, gp_str_text(&counts));
		any = true;
	}
}

/* Known to the driver; but can it be made as things are? A name may hold blanks, and no comma. */
static bool is_creatable(const struct gp_gpu *gpu, const char *profile)
{
	const char *at = gpu->not_creatable;
	size_t length = strlen(profile);
	if (at == NULL)
		return true;
	while (*at != '\0') {
		size_t name = strcspn(at, ",");
		if (name == length && memcmp(at, profile, name) == 0)
			return true;
		at += name;
		at += strspn(at, ", ");
	}
	return false;
}

static void check_creatable(struct question *q, const struct gp_layout_group *type, struct gp_mark mark)
{
	if (is_creatable(q->gpu, type->profile))
		return;
	gp_autostr message = {0};
	gp_str_printf(&message, "vGPU type %s cannot be made now, though no VF has any: the driver offers %s",
		      type->profile, q->gpu->not_creatable);
	fault_of(q, GP_E_UNAVAILABLE, "not-creatable", mark, gp_str_text(&message),
		 "see whether the GPU is in MIG mode ('nvidia-smi mig -lgi'; off: 'nvidia-smi -mig 0'), and "
		 "'systemctl status nvidia-vgpud nvidia-vgpu-mgr'");
}

/* ---- a count ---- */

static void fault_series(struct question *q)
{
	gp_autostr message = {0}, remedy = {0};
	gp_str_printf(&message, "there is no vGPU type of series %s for %s", q->class_of->series, q->gpu->model);
	gp_str_printf(&remedy, "choose one of its series: %s", q->gpu->series == NULL ? "none" : q->gpu->series);
	fault(q, "series-unknown", q->class_of->series_mark, gp_str_text(&message), gp_str_text(&remedy));
}

static bool has_series(const struct gp_gpu *gpu, const char *series)
{
	return gpu->series != NULL && strstr(gpu->series, series) != NULL;
}

static void fault_count(struct question *q)
{
	gp_autostr message = {0}, remedy = {0};
	const char *series = q->class_of->series;
	gp_str_printf(&message, "%s cannot have %" PRIu32 " partition%s%s%s", q->gpu->model, q->class_of->count,
		      q->class_of->count == 1 ? "" : "s", series == NULL ? "" : " of series ",
		      series == NULL ? "" : series);
	gp_str_add(&remedy, "choose a count that it can have (");
	add_all_counts(&remedy, q->gpu);
	gp_str_add(&remedy, "), or 0 for none");
	fault(q, "partition-count", q->class_of->partitions_mark, gp_str_text(&message), gp_str_text(&remedy));
}

static bool is_first_of_series(const struct gp_gpu *gpu, size_t layout)
{
	return layout == 0 || gpu->layouts[layout - 1].count != gpu->layouts[layout].count ||
	       !gp_streq(gpu->layouts[layout - 1].groups->series, gpu->layouts[layout].groups->series);
}

/* No default: some series want a licence of their own. */
static void fault_many_series(struct question *q)
{
	gp_autostr message = {0}, remedy = {0};
	const struct gp_gpu *gpu = q->gpu;
	gp_str_printf(&message, "series is missing: %" PRIu32 " partitions of %s can be", q->class_of->count,
		      gpu->model);
	gp_str_add(&remedy, "add one of");
	bool any = false;
	for (size_t i = 0; i < gpu->layout_count; i++) {
		const struct gp_layout_group *type = gpu->layouts[i].groups;
		if (gpu->layouts[i].count != q->class_of->count || !is_first_of_series(gpu, i))
			continue;
		gp_str_printf(&message, "%s %s", any ? " or" : "", type->profile);
		if (type->series != NULL)
			gp_str_printf(&remedy, "%s series: %s (%s)", any ? "," : "", type->series,
				      series_meaning(type->series));
		any = true;
	}
	gp_str_add(&remedy, "; each needs its licence");
	fault(q, "series-needed", q->class_of->partitions_mark, gp_str_text(&message), gp_str_text(&remedy));
}

static void check_count(struct question *q)
{
	const struct gp_layout *found = NULL;
	for (size_t i = 0; i < q->gpu->layout_count; i++) {
		const struct gp_layout *layout = &q->gpu->layouts[i];
		const char *series = layout->groups->series;
		if (layout->count != q->class_of->count ||
		    (q->class_of->series != NULL && !gp_streq(series, q->class_of->series)))
			continue;
		if (found != NULL && !gp_streq(found->groups->series, series)) {
			fault_many_series(q);
			return;
		}
		if (found == NULL)
			found = layout;
	}
	if (found == NULL)
		fault_count(q);
	else
		check_creatable(q, found->groups, q->class_of->partitions_mark);
}

/* ---- a list ---- */

static const struct gp_layout_group *type_named(const struct gp_gpu *gpu, const char *profile)
{
	for (size_t i = 0; i < gpu->layout_count; i++)
		if (gp_streq(gpu->layouts[i].groups->profile, profile))
			return gpu->layouts[i].groups;
	return NULL;
}

/* All types of the series that is asked for; of all, when none is. */
static void add_profiles(struct gp_str *out, const struct question *q)
{
	bool any = false;
	for (size_t i = 0; i < q->gpu->layout_count; i++) {
		const struct gp_layout_group *type = q->gpu->layouts[i].groups;
		if (q->class_of->series != NULL && !gp_streq(type->series, q->class_of->series))
			continue;
		gp_str_printf(out, "%s%s", any ? ", " : "", type->profile);
		any = true;
	}
}

static const char *near_profile(const struct gp_gpu *gpu, const char *profile)
{
	const char **names = gp_xcalloc(gpu->layout_count + 1, sizeof(*names));
	for (size_t i = 0; i < gpu->layout_count; i++)
		names[i] = gpu->layouts[i].groups->profile;
	const char *found = gp_did_you_mean(profile, names, gpu->layout_count);
	free(names);
	return found;
}

static void fault_profile(struct question *q, const struct gp_partition_size *size)
{
	gp_autostr message = {0}, remedy = {0};
	const char *near = near_profile(q->gpu, size->profile);
	gp_str_printf(&message, "%s has no vGPU type '%s'", q->gpu->model, size->profile);
	if (near != NULL)
		gp_str_printf(&message, "; did you mean '%s'?", near);
	gp_str_add(&remedy, "choose one of ");
	add_profiles(&remedy, q);
	fault(q, "profile-unknown", size->mark, gp_str_text(&message), gp_str_text(&remedy));
}

static void check_profile(struct question *q, const struct gp_partition_size *size)
{
	const struct gp_layout_group *type = type_named(q->gpu, size->profile);
	const char *series = q->class_of->series;
	if (type == NULL) {
		fault_profile(q, size);
		return;
	}
	if (series == NULL || gp_streq(type->series, series))
		return;
	gp_autostr message = {0};
	gp_str_printf(&message, "vGPU type %s is not of series %s, which the class asks for", type->profile, series);
	fault(q, "profile-series", size->mark, gp_str_text(&message),
	      "leave series out: the profile names the type already");
}

/* The sizes that there are, of the series that is asked for. */
static void add_sizes(struct gp_str *out, const struct question *q)
{
	uint64_t last = UINT64_MAX;
	bool any = false;
	/* The more there can be, the smaller they are. */
	for (size_t i = q->gpu->layout_count; i-- > 0;) {
		const struct gp_layout_group *type = q->gpu->layouts[i].groups;
		const struct gp_offer *vram = &type->offers[GP_VRAM];
		bool counts = q->class_of->series == NULL || gp_streq(type->series, q->class_of->series);
		if (!counts || !vram->has_bytes || vram->bytes == last)
			continue;
		gp_str_add(out, any ? ", " : "");
		gp_add_size(out, vram->bytes);
		last = vram->bytes;
		any = true;
	}
	if (!any)
		gp_str_add(out, "none is known");
}

static void fault_size(struct question *q, const struct gp_partition_size *size)
{
	gp_autostr message = {0}, remedy = {0};
	gp_str_printf(&message, "%s has no vGPU type%s%s with just ", q->gpu->model,
		      q->class_of->series == NULL ? "" : " of series ",
		      q->class_of->series == NULL ? "" : q->class_of->series);
	gp_amount_format(size->vram, &message);
	gp_str_add(&message, " of VRAM");
	gp_str_add(&remedy, "choose one of its sizes: ");
	add_sizes(&remedy, q);
	fault(q, "size-unknown", size->mark, gp_str_text(&message), gp_str_text(&remedy));
}

static void check_vram(struct question *q, const struct gp_partition_size *size)
{
	gp_autostr names = {0};
	bool many = false;
	const struct gp_layout_group *first = NULL;
	for (size_t i = 0; i < q->gpu->layout_count; i++) {
		const struct gp_layout_group *type = q->gpu->layouts[i].groups;
		if (!gp_nvidia_has_size(type, size->vram) ||
		    (q->class_of->series != NULL && !gp_streq(type->series, q->class_of->series)))
			continue;
		gp_str_printf(&names, "%s%s", first == NULL ? "" : " or ", type->profile);
		many = many || (first != NULL && !gp_streq(first->series, type->series));
		first = first == NULL ? type : first;
	}
	if (first == NULL) {
		fault_size(q, size);
	} else if (many) {
		gp_autostr message = {0};
		gp_str_add(&message, "series is missing: a partition of ");
		gp_amount_format(size->vram, &message);
		gp_str_printf(&message, " can be %s", gp_str_text(&names));
		fault(q, "series-needed", size->mark, gp_str_text(&message),
		      "name the type with profile:, or add series: to the class");
	}
}

static void check_size(struct question *q, const struct gp_partition_size *size)
{
	if (size->compute.unit != GP_UNIT_NONE)
		fault(q, "unsupported-compute", size->mark,
		      "compute cannot be chosen for time-sliced vGPUs: each type has its part of the GPU's time",
		      "leave compute out; what a VM needs of it can be asked for with the VM");
	if (size->mig != NULL)
		fault(q, "unsupported-mig", size->mark,
		      "mig needs a later version of gpupart; this one makes time-sliced vGPUs",
		      "name a vGPU type with profile:, or a size with vram:");
	else if (size->profile != NULL)
		check_profile(q, size);
	else
		check_vram(q, size);
}

static void fault_mixed(struct question *q, const struct gp_layout_group *const *types)
{
	gp_autostr message = {0};
	gp_str_add(&message, "partitions of different sizes on one GPU need a later version of gpupart: ");
	for (size_t i = 0; i < q->class_of->size_count; i++) {
		gp_str_printf(&message, "%s%s", i == 0 ? "" : ", ", types[i]->profile);
		if (types[i]->offers[GP_VRAM].has_bytes) {
			gp_str_add(&message, " has ");
			gp_add_size(&message, types[i]->offers[GP_VRAM].bytes);
		}
	}
	fault(q, "mixed-sizes", q->class_of->partitions_mark, gp_str_text(&message),
	      "give all partitions of a GPU one size; a class of its own can have another on other GPUs");
}

static void fault_too_many(struct question *q, uint64_t sum, uint32_t most)
{
	gp_autostr message = {0}, remedy = {0};
	gp_str_printf(&message, "%" PRIu64 " partitions of this size are asked for, and %s can have %" PRIu32, sum,
		      q->gpu->model, most);
	gp_str_printf(&remedy, "ask for at most %" PRIu32 ", or for smaller ones", most);
	fault(q, "profile-count", q->class_of->partitions_mark, gp_str_text(&message), gp_str_text(&remedy));
}

static void check_together(struct question *q, const struct gp_layout_group **types)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < q->class_of->size_count; i++) {
		types[i] = gp_nvidia_size_group(q->gpu, q->class_of, &q->class_of->sizes[i]);
		if (types[i] == NULL)
			return; /* said already */
		sum += q->class_of->sizes[i].count;
	}
	uint32_t most = gp_nvidia_most_together(q->gpu, types, q->class_of->size_count);
	if (most == 0)
		fault_mixed(q, types);
	else if (sum > most)
		fault_too_many(q, sum, most);
	for (size_t i = 0; i < q->class_of->size_count; i++)
		check_creatable(q, types[i], q->class_of->sizes[i].mark);
}

static void check_list(struct question *q)
{
	for (size_t i = 0; i < q->class_of->size_count; i++)
		check_size(q, &q->class_of->sizes[i]);
	const struct gp_layout_group **types =
		gp_xcalloc(q->class_of->size_count + 1, sizeof(struct gp_layout_group *));
	check_together(q, types);
	free(types);
}

static void check_partitions(struct question *q)
{
	switch (q->class_of->partitions) {
	case GP_PARTITIONS_COUNT:
		if (q->class_of->count > 0)
			check_count(q);
		break;
	case GP_PARTITIONS_KEEP:
		break;
	case GP_PARTITIONS_AUTO:
		fault(q, "unsupported-auto", q->class_of->partitions_mark,
		      "partitions: auto needs a later version of gpupart", "write a count, or a list of types");
		break;
	case GP_PARTITIONS_LIST:
		check_list(q);
		break;
	}
}

bool gp_nvidia_check(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	struct question q = {class_of, gpu, diags, false};
	check_backing(&q);
	check_scheduler(&q);
	/* Without such types there is nothing to count. */
	if (class_of->series != NULL && !has_series(gpu, class_of->series))
		fault_series(&q);
	else
		check_partitions(&q);
	gp_say_capability(diags, gpu);
	return q.faulty;
}

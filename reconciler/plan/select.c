/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which class speaks for which GPU, and how many partitions it is to have. */
#include <string.h>

#include "plan/sheet.h"

/* A NIC or an NVMe drive is not even looked at unless a file names its address: no model and no pattern reaches it, and
 * nobody knows whether that is what was meant. */
static const char *hint_on_match(const struct gp_match *match)
{
	struct gp_pci_addr addr;

	for (size_t t = 0; t < match->term_count; t++) {
		const struct gp_match_term *term = &match->terms[t];

		for (size_t v = 0; term->key == GP_MATCH_ADDRESS && v < term->value_count; v++) {
			if (gp_pci_addr_parse(term->values[v], &addr) == 0)
				return "";
		}
	}
	return "; a device that is no GPU has to be named by its full address";
}

/* case 23: two classes on one GPU */
static void fault_two_classes(struct gp_sheet *sheet, struct gp_gpu_row *row, const struct gp_class *second)
{
	struct gp_diag *diag =
		gp_sheet_fault(sheet, GP_E_INPUT, "two-classes", second->match.mark,
			       "GPU %s (%s) is selected by class %s and by class %s", gp_gpu_name(sheet, row),
			       row->gpu->model, row->class_of->name, second->name);

	gp_error_remedy(&diag->error, "make one match narrower, for example with not: or address:");
	gp_diag_other(diag, row->class_of->match.mark, "class %s selects it here", row->class_of->name);
	row->faulty = true;
	row->case_number = 23;
}

/* case 24: expect says another number. case 25: nothing matches */
static void check_expectation(struct gp_sheet *sheet, const struct gp_class *class_of, uint32_t matched)
{
	if (class_of->has_expect && class_of->expect != matched) {
		struct gp_diag *diag = gp_sheet_fault(sheet, GP_E_INPUT, "expect", class_of->expect_mark,
						      "class %s expects %u GPUs, but %u of this host match",
						      class_of->name, class_of->expect, matched);

		gp_error_remedy(&diag->error, "compare with 'gpupart gpus'; if %u is right, write expect: %u%s",
				matched, matched, matched == 0 ? hint_on_match(&class_of->match) : "");
	} else if (matched == 0 && !class_of->has_expect) {
		struct gp_diag *diag =
			gp_diags_add(&sheet->plan->diags, GP_WARNING, GP_E_NOT_FOUND, "no-gpu", class_of->match.mark,
				     "class %s matches no GPU of this host", class_of->name);

		gp_error_remedy(&diag->error, "compare with 'gpupart gpus', or say expect: 0 if that is meant%s",
				hint_on_match(&class_of->match));
	}
}

static void match_classes(struct gp_sheet *sheet)
{
	for (size_t c = 0; c < sheet->desired->class_count; c++) {
		const struct gp_class *class_of = &sheet->desired->classes[c];
		uint32_t matched = 0;

		for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
			struct gp_gpu_row *row = &sheet->gpus[g];

			if (!gp_match_holds(&class_of->match, row->gpu))
				continue;
			matched++;
			if (row->class_of)
				fault_two_classes(sheet, row, class_of);
			else
				row->class_of = class_of;
		}
		check_expectation(sheet, class_of, matched);
	}
}

/* What kind of fault an unfit GPU is: some pass by themselves, others mean that the file asks what cannot be. */
static enum gp_error_kind unfit_kind(enum gp_unfit unfit)
{
	switch (unfit) {
	case GP_UNFIT_TRANSITION:
		return GP_E_BUSY;
	case GP_UNFIT_UNREADABLE:
		return GP_E_PERMISSION;
	case GP_UNFIT_NO_DRIVER:
		return GP_E_UNAVAILABLE;
	default:
		return GP_E_INPUT;
	}
}

/* Nothing is asked of it and it has nothing: then what it cannot do is nobody's trouble. */
static bool asks_nothing(const struct gp_gpu_row *row)
{
	bool none = row->class_of->partitions == GP_PARTITIONS_KEEP ||
		    (row->class_of->partitions == GP_PARTITIONS_COUNT && row->class_of->count == 0);

	return none && row->gpu->count == 0 && row->gpu->unfit != GP_UNFIT_TRANSITION &&
	       row->gpu->unfit != GP_UNFIT_UNREADABLE;
}

/* case 20: unfit. case 21: in transition */
static void fault_unfit(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	const struct gp_gpu *gpu = row->gpu;
	struct gp_diag *diag;

	row->faulty = true;
	row->case_number = gpu->unfit == GP_UNFIT_TRANSITION ? 21 : 20;
	diag = gp_sheet_fault(sheet, unfit_kind(gpu->unfit), "gpu-unfit", row->class_of->mark, "GPU %s (%s): %s",
			      gp_gpu_name(sheet, row), gpu->model,
			      gpu->unfit_why ? gpu->unfit_why : "it cannot be partitioned now");
	gp_error_subject(&diag->error, "%s", gp_gpu_name(sheet, row));
	if (gpu->unfit_remedy)
		gp_error_remedy(&diag->error, "%s", gpu->unfit_remedy);
}

static const struct gp_layout *layout_for(const struct gp_gpu_row *row, uint32_t count)
{
	for (size_t i = 0; i < row->layout_count; i++) {
		if (row->layouts[i].count == count)
			return &row->layouts[i];
	}
	return NULL;
}

/* "0, 1, 2, 4, 8", or "0…7" where nothing is left out. */
static void describe_counts(const struct gp_gpu_row *row, struct gp_str *out)
{
	for (size_t i = 0; i < row->layout_count;) {
		size_t end = i;

		if (i && row->layouts[i].count == row->layouts[i - 1].count) {
			i++; /* of another series */
			continue;
		}
		while (end + 1 < row->layout_count && row->layouts[end + 1].count == row->layouts[end].count + 1)
			end++;
		gp_str_printf(out, "%s%u", i ? ", " : "", row->layouts[i].count);
		if (end > i + 1)
			gp_str_printf(out, "…%u", row->layouts[end].count);
		else if (end == i + 1)
			gp_str_printf(out, ", %u", row->layouts[end].count);
		i = end + 1;
	}
}

static uint32_t count_asked(const struct gp_class *class_of)
{
	uint32_t count = class_of->count;

	for (size_t i = 0; i < class_of->size_count; i++)
		count += class_of->sizes[i].count;
	return count;
}

/* case 22: not a count that the device can be cut into */
static void fault_count(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	GP_CLEANUP(gp_str_clear) struct gp_str counts = {0};
	struct gp_diag *diag;

	describe_counts(row, &counts);
	diag = gp_sheet_fault(sheet, GP_E_INPUT, "partition-count", row->class_of->partitions_mark,
			      "GPU %s (%s) cannot have %u partitions", gp_gpu_name(sheet, row), row->gpu->model,
			      count_asked(row->class_of));
	gp_error_subject(&diag->error, "%s", gp_gpu_name(sheet, row));
	if (counts.length)
		gp_error_remedy(&diag->error, "it can have %s", gp_str_text(&counts));
	row->faulty = true;
	row->case_number = 22;
}

/* The back-end has the first word: it knows what this version lacks. case 26: auto and lists */
static bool backend_objects(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	if (!row->gpu->backend || !row->gpu->backend->check ||
	    !row->gpu->backend->check(row->class_of, row->gpu, &sheet->plan->diags))
		return false;
	row->faulty = true;
	row->case_number = row->class_of->partitions == GP_PARTITIONS_COUNT ? 22 : 26;
	return true;
}

static void read_layouts(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	row->layouts = row->gpu->layouts;
	row->layout_count = row->gpu->layout_count;
	/* Only a class that narrows the choice needs to be asked again. */
	if ((row->class_of->series || row->class_of->partitions == GP_PARTITIONS_LIST) && row->gpu->backend &&
	    row->gpu->backend->layouts) {
		struct gp_layout *narrowed = NULL;
		size_t count = 0;

		row->gpu->backend->layouts(row->gpu, row->class_of, sheet->arena, &narrowed, &count);
		row->layouts = narrowed;
		row->layout_count = count;
	}
}

static void decide_count(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	if (row->gpu->unfit != GP_FIT) {
		if (!asks_nothing(row))
			fault_unfit(sheet, row);
		return;
	}
	read_layouts(sheet, row);
	if (backend_objects(sheet, row))
		return;
	if (row->class_of->partitions == GP_PARTITIONS_KEEP)
		return; /* case 19: keep */
	row->to = count_asked(row->class_of);
	row->layout = layout_for(row, row->to);
	if (row->to > 0 && !row->layout) {
		row->to = row->from;
		fault_count(sheet, row);
	}
}

/* Every VF that the GPU has, and those that it will have. */
static void lay_out_slots(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	uint32_t count = row->from > row->to ? row->from : row->to;

	if (row->by_profile)
		count = row->gpu->total_vfs > row->gpu->num_vfs ? row->gpu->total_vfs : row->gpu->num_vfs;
	row->slot_count = count;
	row->slots = gp_arena_array_of(sheet->scratch, struct gp_slot, count);
	for (uint32_t i = 0; i < count; i++)
		row->slots[i] = (struct gp_slot){.gpu = row, .index = i};
	for (size_t p = 0; p < row->gpu->partition_count; p++) {
		if (row->gpu->partitions[p].index < count)
			row->slots[row->gpu->partitions[p].index].now = &row->gpu->partitions[p];
	}
}

static bool makes_mdevs(const struct gp_gpu_row *row)
{
	struct gp_hostdev form = {0};

	if (!row->by_profile)
		return false;
	row->gpu->backend->device(row->gpu, 0, &form);
	return form.type == GP_HOSTDEV_MDEV;
}

void gp_select(struct gp_sheet *sheet)
{
	sheet->gpus = gp_arena_array_of(sheet->scratch, struct gp_gpu_row, sheet->observed->gpu_count);
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		row->gpu = &sheet->observed->gpus[g];
		row->by_profile = row->gpu->backend && row->gpu->backend->by_profile;
		row->mdevs = makes_mdevs(row);
		row->from = row->to = row->gpu->count;
	}
	match_classes(sheet);
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		if (row->class_of && !row->faulty)
			decide_count(sheet, row);
		lay_out_slots(sheet, row);
	}
}

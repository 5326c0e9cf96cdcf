/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VFs are to be what, and what of that takes a partition away.
 *
 * Plain SR-IOV knows no choice: VFs 0…N-1 exist, and any other number means that all go and come. Where VFs get their
 * profiles one by one, those that are right stay, those that somebody has come next, then the first ones.
 */
#include <stdlib.h>

#include "plan/mdev.h"
#include "plan/sheet.h"
#include "plan/wait.h"

/* ---- small questions ---- */

bool gp_slot_is_there(const struct gp_slot *slot)
{
	return slot->now && !slot->now->blank;
}

static bool has_profile(const struct gp_slot *slot, const char *profile)
{
	return gp_slot_is_there(slot) && gp_streq(slot->now->profile, profile);
}

/* Before any VF is made, all that will be made are. */
static bool is_usable(const struct gp_slot *slot)
{
	return slot->now ? !slot->now->unusable_why : slot->gpu->gpu->num_vfs == 0;
}

/* ---- what a GPU is cut into, in words ---- */

static const char *counted(struct gp_sheet *sheet, uint32_t count)
{
	return gp_sheet_printf(sheet, "%u partition%s", count, count == 1 ? "" : "s");
}

static const char *cut_now(struct gp_sheet *sheet, const struct gp_gpu_row *row)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	if (row->from == 0)
		return counted(sheet, 0);
	for (uint32_t i = 0; i < row->slot_count; i++) {
		const struct gp_slot *slot = &row->slots[i];
		uint32_t count = 0;
		bool told = !gp_slot_is_there(slot);

		for (uint32_t before = 0; before < i && !told; before++)
			told = has_profile(&row->slots[before], slot->now->profile);
		for (uint32_t j = i; j < row->slot_count && !told; j++)
			count += has_profile(&row->slots[j], slot->now->profile);
		if (!told)
			gp_str_printf(&text, "%s%u × %s", text.length ? " + " : "", count,
				      slot->now->profile ? slot->now->profile : "an unknown type");
	}
	return gp_sheet_printf(sheet, "%s", gp_str_text(&text));
}

const char *gp_cut_wanted(struct gp_sheet *sheet, const struct gp_gpu_row *row)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	if (!row->by_profile || !row->layout)
		return counted(sheet, row->to);
	for (size_t g = 0; g < row->layout->group_count; g++)
		gp_str_printf(&text, "%s%u × %s", g ? " + " : "", row->layout->groups[g].count,
			      row->layout->groups[g].profile);
	return gp_sheet_printf(sheet, "%s", gp_str_text(&text));
}

const char *gp_cut_change(struct gp_sheet *sheet, const struct gp_gpu_row *row, const char *between)
{
	if (!row->by_profile)
		return gp_sheet_printf(sheet, "%u%s%u partitions", row->from, between, row->to);
	return gp_sheet_printf(sheet, "%s%s%s", cut_now(sheet, row), between, gp_cut_wanted(sheet, row));
}

/* ---- plain: all go and all come ---- */

static void arrange_plain(struct gp_gpu_row *row)
{
	row->changes = !row->faulty && row->class_of && row->to != row->from;
	for (uint32_t i = 0; i < row->slot_count; i++) {
		struct gp_slot *slot = &row->slots[i];

		slot->group = row->layout ? gp_layout_group_of(row->layout, i) : NULL;
		slot->lost = row->changes && slot->now;
		slot->made = row->changes && i < row->to;
		slot->offered = i < row->to;
	}
}

/* ---- one by one ---- */

/* Whoever has it: a running VM weighs more than a definition, a listed VM more than another. */
static unsigned weight_of(const struct gp_slot *slot)
{
	unsigned weight = slot->outsider ? 4 : 0;

	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		unsigned own = (claim->live ? 2U : 0U) + (claim->vm->want ? 2U : 1U);

		if (gp_claim_is_given_up(claim))
			continue;
		weight = own > weight ? own : weight;
	}
	return weight;
}

struct candidate {
	struct gp_slot *slot;
	unsigned weight;
};

static int by_weight(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->weight != right->weight)
		return left->weight > right->weight ? -1 : 1;
	return left->slot->index < right->slot->index ? -1 : left->slot->index > right->slot->index;
}

static struct candidate *candidates_of(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	struct candidate *all = gp_arena_array_of(sheet->scratch, struct candidate, row->slot_count);

	for (uint32_t i = 0; i < row->slot_count; i++)
		all[i] = (struct candidate){&row->slots[i], weight_of(&row->slots[i])};
	if (row->slot_count > 1)
		qsort(all, row->slot_count, sizeof(*all), by_weight);
	return all;
}

/* Gives out what is left of the groups: to those that are it already, or to any. */
static void give_groups(struct gp_gpu_row *row, struct candidate *candidates, uint32_t *left, bool to_any)
{
	for (uint32_t i = 0; i < row->slot_count; i++) {
		struct gp_slot *slot = candidates[i].slot;

		for (size_t g = 0; !slot->group && is_usable(slot) && g < row->layout->group_count; g++) {
			const struct gp_layout_group *group = &row->layout->groups[g];

			if (left[g] == 0 || !(to_any || has_profile(slot, group->profile)))
				continue;
			slot->group = group;
			left[g]--;
		}
	}
}

/* case 105: VFs that no VM can be given, and too few others */
static void fault_too_few(struct gp_sheet *sheet, struct gp_gpu_row *row, uint32_t missing)
{
	struct gp_diag *diag =
		gp_sheet_fault(sheet, GP_E_UNAVAILABLE, "vfs-unusable", row->class_of->partitions_mark,
			       "GPU %s (%s) has too few usable VFs for %s: %u %s missing", gp_gpu_name(sheet, row),
			       row->gpu->model, gp_cut_wanted(sheet, row), missing, missing == 1 ? "is" : "are");

	for (uint32_t i = 0; i < row->slot_count; i++) {
		if (!row->slots[i].now || is_usable(&row->slots[i]))
			continue;
		gp_error_holder(&diag->error, "%s: %s", gp_slot_name(sheet, &row->slots[i]),
				row->slots[i].now->unusable_why);
		break;
	}
	gp_error_remedy(&diag->error, "bind these VFs to the GPU's own driver again; a type that is lost is set anew");
	row->faulty = true;
	row->case_number = 105;
}

static void choose_vfs(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	struct candidate *candidates = candidates_of(sheet, row);
	uint32_t *left = gp_arena_array_of(sheet->scratch, uint32_t, row->layout->group_count);
	uint32_t missing = 0;

	for (size_t g = 0; g < row->layout->group_count; g++)
		left[g] = row->layout->groups[g].count;
	give_groups(row, candidates, left, false);
	give_groups(row, candidates, left, true);
	for (size_t g = 0; g < row->layout->group_count; g++)
		missing += left[g];
	if (missing)
		fault_too_few(sheet, row, missing);
}

/* keep: what is there may be given to VMs. A mediated device may have to be made again for that, so its group is told.
 */
static void keep_vfs(struct gp_gpu_row *row)
{
	for (uint32_t i = 0; i < row->slot_count; i++) {
		struct gp_slot *slot = &row->slots[i];

		for (size_t l = 0; gp_slot_is_there(slot) && is_usable(slot) && !slot->group && l < row->layout_count;
		     l++)
			for (size_t g = 0; g < row->layouts[l].group_count && !slot->group; g++)
				if (has_profile(slot, row->layouts[l].groups[g].profile))
					slot->group = &row->layouts[l].groups[g];
	}
}

static void arrange_by_profile(struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	bool keeps = !row->class_of || row->class_of->partitions == GP_PARTITIONS_KEEP;

	if (row->faulty || !row->class_of)
		return;
	if (keeps)
		keep_vfs(row);
	else if (row->layout)
		choose_vfs(sheet, row);
	for (uint32_t i = 0; i < row->slot_count && !row->faulty; i++) {
		struct gp_slot *slot = &row->slots[i];

		slot->wrong =
			!keeps && gp_slot_is_there(slot) && !(slot->group && has_profile(slot, slot->group->profile));
		slot->lost = slot->wrong;
		/* A mediated device is made when it is known for whom. */
		slot->made = slot->group && !row->mdevs && (!gp_slot_is_there(slot) || slot->lost);
		slot->offered = slot->group != NULL;
	}
}

/* ---- what that amounts to ---- */

void gp_count_changes(struct gp_gpu_row *row)
{
	row->lost_count = row->made_count = 0;
	for (uint32_t i = 0; i < row->slot_count; i++) {
		row->lost_count += row->slots[i].lost;
		row->made_count += row->slots[i].made;
	}
	if (row->by_profile)
		row->changes = row->lost_count || row->made_count || row->enables || row->retunes;
}

static void name_case(struct gp_gpu_row *row)
{
	if (row->case_number)
		return;
	if (!row->class_of)
		row->case_number = row->from ? 2 : 1; /* cases 1, 2: foreign */
	else if (row->class_of->partitions == GP_PARTITIONS_KEEP)
		row->case_number = 19;
	else if (!row->changes)
		row->case_number = row->to ? 3 : 6; /* cases 3, 6: in sync */
	else if (row->enables)
		row->case_number = 100; /* case 100: VFs first, then another look */
	else if (row->lost_count == 0)
		row->case_number =
			row->from && row->by_profile ? 101 : 4; /* case 4: made from nothing. case 101: completed */
	else if (row->by_profile && row->to == row->from)
		row->case_number = 102; /* case 102: as many as before, of another kind */
	else
		row->case_number = row->to ? 5 : 7; /* case 5: reset. case 7: removed */
}

static void fill_in_offers(struct gp_gpu_row *row)
{
	for (uint32_t i = 0; i < row->slot_count; i++) {
		struct gp_slot *slot = &row->slots[i];

		slot->offers = slot->group ? slot->group->offers : slot->now ? slot->now->offers : NULL;
		slot->profile = slot->group ? slot->group->profile : slot->now ? slot->now->profile : NULL;
		slot->offered = slot->offered && row->class_of && !row->faulty && slot->offers;
	}
}

/* case 104: the program that makes VFs will not get hold of the GPU */
static void warn_of_clients(struct gp_sheet *sheet, const struct gp_gpu_row *row)
{
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	struct gp_diag *diag;

	if (!row->enables || row->gpu->client_count == 0)
		return;
	for (size_t i = 0; i < row->gpu->client_count; i++)
		gp_str_printf(&names, "%sprocess %s, pid %llu", i ? "; " : "", row->gpu->clients[i].name,
			      (unsigned long long)row->gpu->clients[i].pid);
	diag = gp_diags_add(&sheet->plan->diags, GP_WARNING, GP_E_BUSY, "gpu-in-use", row->class_of->mark,
			    "GPU %s is in use, and its VFs can only be made while nobody uses it",
			    gp_gpu_name(sheet, row));
	gp_error_subject(&diag->error, "%s", gp_gpu_name(sheet, row));
	gp_error_holder(&diag->error, "%s", gp_str_text(&names));
	gp_error_remedy(&diag->error, "end it before apply: monitoring (DCGM, an exporter, nvidia-smi), "
				      "nvidia-persistenced, whatever computes on it");
}

/* case 112: the program that makes VFs is not there. Told once. */
static void warn_of_missing_program(struct gp_sheet *sheet)
{
	const char *program = sheet->observed->missing_program;
	struct gp_mark named = sheet->desired->policy.sriov_manage_mark;

	for (size_t g = 0; program && g < sheet->observed->gpu_count; g++) {
		const struct gp_gpu_row *row = &sheet->gpus[g];
		struct gp_diag *diag;

		if (!row->enables)
			continue;
		diag = gp_diags_add(&sheet->plan->diags, GP_WARNING, GP_E_NOT_FOUND, "no-program",
				    named.source ? named : row->class_of->mark,
				    "there is no %s, and only that program makes VFs: apply will fail", program);
		gp_error_subject(&diag->error, "%s", gp_gpu_name(sheet, row));
		gp_error_remedy(
			&diag->error,
			"install NVIDIA's vGPU host driver, or say where its sriov-manage is (policy: sriov_manage)");
		return;
	}
}

void gp_arrange(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		row->enables = row->by_profile && row->layout && !row->faulty && row->gpu->num_vfs == 0;
		if (row->by_profile)
			arrange_by_profile(sheet, row);
		else
			arrange_plain(row);
		gp_count_changes(row);
		fill_in_offers(row);
		name_case(row);
		warn_of_clients(sheet, row);
	}
	warn_of_missing_program(sheet);
}

/* ---- what depends on who got what ---- */

/* What somebody has by hand stays as it is. */
static bool is_of_others(const struct gp_slot *slot)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (gp_claim_is_foreign(claim))
			return true;
	}
	return slot->outsider != NULL;
}

/* case 106: parameters are read when a VM starts, so they are written while none has it. A mediated device that nobody
 * has is made anew with them. */
static bool wants_other_params(const struct gp_slot *slot)
{
	const struct gp_class *class_of = slot->gpu->class_of;

	if ((slot->gpu->mdevs && !slot->taken_by) || is_of_others(slot))
		return false;
	return slot->group && class_of && class_of->vgpu_params && !slot->made && !slot->lost &&
	       gp_slot_is_there(slot) && slot->now->params && !gp_same_list(slot->now->params, class_of->vgpu_params);
}

static void settle_params(struct gp_sheet *sheet, struct gp_slot *slot)
{
	const struct gp_vm_row *holder = gp_slot_live_holder(slot, NULL);
	const struct gp_class *class_of = slot->gpu->class_of;

	if (!wants_other_params(slot))
		return;
	if (!holder || gp_vm_goes_down(sheet, holder)) {
		slot->retuned = slot->gpu->retunes = true;
		return;
	}
	gp_wait_for_vm(sheet,
		       gp_sheet_printf(sheet, "%s: vgpu_params '%s'", gp_slot_name(sheet, slot), class_of->vgpu_params),
		       holder->domain->name,
		       (struct gp_reason){"vgpu-params",
					  gp_sheet_printf(sheet, "class %s asks for %s", class_of->name,
							  *class_of->vgpu_params ? "them" : "none"),
					  class_of->vgpu_params_mark},
		       106);
}

void gp_settle(struct gp_sheet *sheet)
{
	if (!sheet->mdevs)
		return;
	gp_settle_mdevs(sheet);
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];
		bool changed = row->changes;

		if (!row->mdevs || row->faulty)
			continue;
		gp_count_changes(row);
		if (row->changes && !changed)
			row->case_number = 103;
	}
}

void gp_settle_params(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];
		bool changed = row->changes;

		if (!row->by_profile || row->faulty || row->waits)
			continue;
		for (uint32_t i = 0; i < row->slot_count; i++)
			settle_params(sheet, &row->slots[i]);
		gp_count_changes(row);
		if (row->changes && !changed)
			row->case_number = 106;
	}
}

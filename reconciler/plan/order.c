/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drafts to stages, chains and numbered steps. */
#include "base/num.h"
#include "plan/sheet.h"

/* Connected drafts, by union and find: all of a subject, and all that need each other. */
struct forest {
	size_t *parent;
};

static size_t root_of(struct forest *forest, size_t item)
{
	while (forest->parent[item] != item)
		item = forest->parent[item] = forest->parent[forest->parent[item]];
	return item;
}

/* The smaller number stays the root, so that chains come in the order of their first step. */
static void join(struct forest *forest, size_t a, size_t b)
{
	a = root_of(forest, a);
	b = root_of(forest, b);
	if (a < b)
		forest->parent[b] = a;
	else
		forest->parent[a] = b;
}

/* Subjects: GPUs first, then VMs. They are what chains are made of. */
static size_t subject_of(const struct gp_sheet *sheet, const struct gp_draft *draft)
{
	return draft->gpu ? (size_t)(draft->gpu - sheet->gpus)
			  : sheet->observed->gpu_count + (size_t)(draft->vm - sheet->vms);
}

static struct forest connect(struct gp_sheet *sheet, bool later)
{
	size_t count = sheet->observed->gpu_count + sheet->vm_count;
	struct forest forest = {gp_arena_array_of(sheet->scratch, size_t, count)};

	for (size_t i = 0; i < count; i++)
		forest.parent[i] = i;
	for (size_t d = 0; d < sheet->draft_count; d++) {
		const struct gp_draft *draft = &sheet->drafts[d];

		for (size_t n = 0; draft->later == later && n < draft->need_count; n++) {
			const struct gp_draft *other = &sheet->drafts[draft->needs[n]];

			if (other->later == later)
				join(&forest, subject_of(sheet, draft), subject_of(sheet, other));
		}
	}
	return forest;
}

static void add_gpu(struct gp_sheet *sheet, struct gp_chain *chain, struct gp_pci_addr addr)
{
	for (size_t i = 0; i < chain->gpu_count; i++) {
		if (gp_pci_addr_compare(chain->gpus[i], addr) == 0)
			return;
	}
	*gp_arena_push(sheet->arena, chain->gpus, chain->gpu_count) = addr;
}

static void add_domain(struct gp_sheet *sheet, struct gp_chain *chain, const char *name)
{
	for (size_t i = chain->domain_count; i > 0; i--) {
		if (gp_streq(chain->domains[i - 1], name))
			return;
	}
	*gp_arena_push(sheet->arena, chain->domains, chain->domain_count) = name;
}

/* Ids are given when chains are complete; until then a step's needs are numbers of drafts. */
struct numbering {
	uint32_t next_step, next_chain;
	uint32_t *id_of; /* by draft */
};

static void add_step(struct gp_sheet *sheet, struct gp_chain *chain, size_t number, struct numbering *numbering)
{
	struct gp_draft *draft = &sheet->drafts[number];
	struct gp_step *step = gp_arena_push(sheet->arena, chain->steps, chain->step_count);

	*step = draft->step;
	step->id = numbering->id_of[number] = numbering->next_step++;
	for (size_t n = 0; n < draft->need_count; n++) {
		const struct gp_draft *other = &sheet->drafts[draft->needs[n]];

		if (other->later == draft->later)
			*gp_arena_push(sheet->arena, step->needs, step->need_count) = numbering->id_of[draft->needs[n]];
	}
	if (draft->gpu)
		add_gpu(sheet, chain, draft->gpu->gpu->addr);
	else
		add_domain(sheet, chain, step->device);
	chain->vms_down += step->kind == GP_STEP_STOP && draft->vm->restores;
}

/* Stopped for a while, and not because the file wants it off. */
static bool is_restarted(const struct gp_step *step)
{
	return step->kind == GP_STEP_STOP && !gp_streq(step->reason.code, "power");
}

static void add_who_goes_down(const struct gp_chain *chain, struct gp_str *out)
{
	enum { SHOWN = 4 };
	size_t count = 0;

	for (size_t s = 0; s < chain->step_count; s++) {
		if (!is_restarted(&chain->steps[s]))
			continue;
		if (count++ < SHOWN)
			gp_str_printf(out, "%s%s", count > 1 ? ", " : "", chain->steps[s].device);
	}
	if (count > SHOWN)
		gp_str_printf(out, " and %zu more", count - SHOWN);
}

/* case 84: the chain needs them all down at the same time, and that many are not allowed */
static void check_at_once(struct gp_sheet *sheet, const struct gp_chain *chain)
{
	const struct gp_policy *policy = &sheet->desired->policy;
	uint32_t allowed = policy->at_once ? policy->at_once : 1;
	struct gp_mark mark = policy->at_once_mark;
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	struct gp_diag *diag;

	if (chain->vms_down <= allowed)
		return;
	for (size_t s = 0; !mark.source && s < chain->step_count; s++)
		mark = chain->steps[s].reason.mark;
	add_who_goes_down(chain, &names);
	diag = gp_sheet_fault(sheet, GP_E_REFUSED, "at-once", mark,
			      "%u VMs would be down at the same time (%s), and at_once allows %u", chain->vms_down,
			      gp_str_text(&names), allowed);
	for (size_t s = 0; s < chain->step_count && !diag->other_note; s++) {
		if (is_restarted(&chain->steps[s]))
			gp_diag_other(diag, chain->steps[s].reason.mark, "%s", chain->steps[s].reason.text);
	}
	gp_error_remedy(&diag->error, "at_once: %u, or shut some of them down first", chain->vms_down);
}

static void add_stage(struct gp_sheet *sheet, bool later, struct numbering *numbering)
{
	size_t subjects = sheet->observed->gpu_count + sheet->vm_count, count = 0;
	struct forest forest = connect(sheet, later);
	size_t *chain_of =
		gp_arena_array_of(sheet->scratch, size_t, subjects); /* root → place in the stage, plus one */
	size_t **drafts_of, *counts;
	struct gp_stage *stage;

	/* Chains come in order of their first subject: those with GPUs first, then those of VMs alone. */
	for (size_t d = 0; d < sheet->draft_count; d++) {
		if (sheet->drafts[d].later == later)
			chain_of[root_of(&forest, subject_of(sheet, &sheet->drafts[d]))] = 1;
	}
	for (size_t s = 0; s < subjects; s++) {
		if (chain_of[s])
			chain_of[s] = ++count;
	}
	if (count == 0)
		return;
	drafts_of = gp_arena_array_of(sheet->scratch, size_t *, count);
	counts = gp_arena_array_of(sheet->scratch, size_t, count);
	for (size_t d = 0; d < sheet->draft_count; d++) {
		if (sheet->drafts[d].later != later)
			continue;
		size_t c = chain_of[root_of(&forest, subject_of(sheet, &sheet->drafts[d]))] - 1;

		*gp_arena_push(sheet->scratch, drafts_of[c], counts[c]) = d;
	}
	stage = gp_arena_push(sheet->arena, sheet->plan->stages, sheet->plan->stage_count);
	stage->expected = later;
	for (size_t c = 0; c < count; c++) {
		struct gp_chain *chain = gp_arena_push(sheet->arena, stage->chains, stage->chain_count);

		chain->id = numbering->next_chain++;
		for (size_t i = 0; i < counts[c]; i++)
			add_step(sheet, chain, drafts_of[c][i], numbering);
		check_at_once(sheet, chain);
	}
}

void gp_order(struct gp_sheet *sheet)
{
	struct numbering numbering = {1, 1, gp_arena_array_of(sheet->scratch, uint32_t, sheet->draft_count)};

	add_stage(sheet, false, &numbering);
	for (size_t g = 0; g < sheet->observed->gpu_count && sheet->plan->stage_count; g++) {
		const char *why = sheet->gpus[g].observe_why;

		if (sheet->observe_again && why && !sheet->plan->stages[0].observe_why)
			sheet->plan->stages[0].observe_why = why;
	}
	add_stage(sheet, true, &numbering);
}

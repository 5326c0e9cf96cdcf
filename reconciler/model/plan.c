/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/plan.h"

struct gp_plan *gp_plan_new(void)
{
	struct gp_arena *arena = gp_arena_new();
	struct gp_plan *plan = gp_arena_new_of(arena, struct gp_plan);
	plan->arena = arena;
	return plan;
}

void gp_plan_free(struct gp_plan *plan)
{
	if (plan == NULL)
		return;
	gp_diags_clear(&plan->diags);
	gp_arena_free(plan->arena); /* which holds *plan, too */
}

static size_t steps_of_chain(const struct gp_chain *chain)
{
	size_t count = 0;
	for (size_t i = 0; i < chain->step_count; i++)
		count += chain->steps[i].kind != GP_STEP_OBSERVE_AGAIN;
	return count;
}

size_t gp_plan_step_count(const struct gp_plan *plan)
{
	size_t count = 0;
	for (size_t i = 0; i < plan->stage_count; i++)
		for (size_t j = 0; j < plan->stages[i].chain_count; j++)
			count += steps_of_chain(&plan->stages[i].chains[j]);
	return count;
}

bool gp_plan_has_changes(const struct gp_plan *plan)
{
	return gp_plan_step_count(plan) > 0;
}

/*
 * What must be mended first ranks first: while files are wrong, or a fact could not be had, the refusals that were
 * found need not be all.
 */
static unsigned rank(enum gp_error_kind kind)
{
	switch (kind) {
	case GP_E_NONE:
		return 0;
	case GP_E_REFUSED:
		return 1;
	case GP_E_STALE:
		return 2;
	case GP_E_VERIFY:
		return 3;
	case GP_E_INPUT:
		return 5;
	case GP_E_USAGE:
		return 6;
	case GP_E_INTERNAL:
		return 7;
	default:
		return 4;
	}
}

enum gp_error_kind gp_plan_verdict(const struct gp_plan *plan)
{
	enum gp_error_kind worst = GP_E_NONE;
	for (size_t i = 0; i < plan->diags.count; i++) {
		const struct gp_diag *diag = &plan->diags.items[i];
		if (diag->severity == GP_ERROR && rank(diag->error.kind) > rank(worst))
			worst = diag->error.kind;
	}
	return worst;
}

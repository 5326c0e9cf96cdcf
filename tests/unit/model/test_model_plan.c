/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../base/base_suite.h"
#include "model/outcome.h"

START_TEST(an_empty_plan_changes_nothing_and_may_run)
{
	GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *plan = gp_plan_new();
	ck_assert_uint_eq(gp_plan_step_count(plan), 0);
	ck_assert(!gp_plan_has_changes(plan));
	ck_assert_int_eq(gp_plan_verdict(plan), GP_E_NONE);
	gp_plan_free(NULL);
}
END_TEST

START_TEST(steps_of_all_stages_count_but_observing_does_not)
{
	struct gp_step first[] = {{.kind = GP_STEP_WRITE}, {.kind = GP_STEP_WAIT}},
		       second[] = {{.kind = GP_STEP_START}}, again[] = {{.kind = GP_STEP_OBSERVE_AGAIN}};
	struct gp_chain chains[] = {{.steps = first, .step_count = 2}, {.steps = second, .step_count = 1}};
	struct gp_chain last[] = {{.steps = again, .step_count = 1}};
	struct gp_stage stages[] = {{.chains = chains, .chain_count = 2}, {.chains = last, .chain_count = 1}};
	struct gp_plan plan = {.stages = stages, .stage_count = 2};
	ck_assert_uint_eq(gp_plan_step_count(&plan), 3);
	ck_assert(gp_plan_has_changes(&plan));
	struct gp_plan looking = {.stages = &stages[1], .stage_count = 1};
	ck_assert(!gp_plan_has_changes(&looking));
}
END_TEST

START_TEST(waiting_is_no_change)
{
	struct gp_waiting waiting = {.what = "GPU 0000:41:00.0: 4 → 8 partitions", .for_domain = "web-01"};
	struct gp_plan plan = {.waiting = &waiting, .waiting_count = 1};
	ck_assert(!gp_plan_has_changes(&plan));
}
END_TEST

static void add(struct gp_plan *plan, enum gp_severity severity, enum gp_error_kind kind)
{
	gp_diags_add(&plan->diags, severity, kind, "test", (struct gp_mark){0}, "kind %d", (int)kind);
}

START_TEST(the_verdict_is_what_must_be_mended_first)
{
	/* Each is worse than all before it. */
	static const enum gp_error_kind ascending[] = {GP_E_REFUSED, GP_E_STALE, GP_E_VERIFY,  GP_E_UNAVAILABLE,
						       GP_E_INPUT,   GP_E_USAGE, GP_E_INTERNAL};
	GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *plan = gp_plan_new();
	add(plan, GP_INFO, GP_E_INTERNAL);
	add(plan, GP_WARNING, GP_E_INPUT);
	ck_assert_int_eq(gp_plan_verdict(plan), GP_E_NONE);
	for (size_t i = 0; i < COUNT_OF(ascending); i++) {
		add(plan, GP_ERROR, ascending[i]);
		ck_assert_int_eq(gp_plan_verdict(plan), ascending[i]);
		add(plan, GP_ERROR, ascending[0]);
		ck_assert_int_eq(gp_plan_verdict(plan), ascending[i]);
	}
}
END_TEST

START_TEST(an_outcome_gives_back_what_it_owns)
{
	struct gp_outcome outcome = {0};
	gp_outcome_clear(&outcome);
	outcome.steps = gp_xcalloc(2, sizeof(*outcome.steps));
	outcome.step_count = 2;
	gp_fail(&outcome.steps[1].error, GP_E_BUSY, "held");
	gp_diags_add(&outcome.diags, GP_ERROR, GP_E_VERIFY, "test", (struct gp_mark){0}, "differs");
	outcome.saved_export = gp_xstrdup("/var/lib/gpupart/previous/1.yaml");
	gp_outcome_clear(&outcome); /* the leak checker is the judge */
	ck_assert_ptr_null(outcome.steps);
	ck_assert_ptr_null(outcome.saved_export);
	ck_assert_uint_eq(outcome.step_count + outcome.diags.count, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_empty_plan_changes_nothing_and_may_run,
		steps_of_all_stages_count_but_observing_does_not,
		waiting_is_no_change,
		the_verdict_is_what_must_be_mended_first,
		an_outcome_gives_back_what_it_owns,
	};
	return run_tests("model_plan", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the test programs of the planner share. */
#ifndef GP_TEST_PLAN_SUITE_H
#define GP_TEST_PLAN_SUITE_H

#include <check.h>

#include "base/cleanup.h"
#include "plan/planner.h"
#include "plan_builders.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline int run_tests(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, 240);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

/* One planning run with all that it stands on. */
struct run {
	struct scene *scene;
	struct gp_desired *desired;
	struct gp_observed *observed;
	struct gp_plan *plan;
	struct gp_str digest;
};

static inline void run_clear(struct run *run)
{
	gp_plan_free(run->plan);
	gp_observed_free(run->observed);
	gp_desired_free(run->desired);
	gp_str_clear(&run->digest);
	free(run->scene);
	*run = (struct run){0};
}

static inline void run_again(struct run *run)
{
	gp_plan_free(run->plan);
	gp_observed_free(run->observed);
	gp_str_clear(&run->digest);
	run->observed = scene_observe(run->scene);
	run->plan = gp_plan_make(run->desired, run->observed);
	plan_digest(run->plan, &run->digest);
}

static inline struct run run_with(const struct gp_vendor *vendor, const char *host, const char *want)
{
	struct run run = {.scene = calloc(1, sizeof(struct scene))};

	run.scene->vendor = vendor;
	scene_read(run.scene, host);
	run.desired = want_text(want);
	run_again(&run);
	return run;
}

static inline struct run run_plan(const char *host, const char *want)
{
	return run_with(NULL, host, want);
}

/* Was the case met, as a step, a GPU's verdict or something that waits? */
static inline bool plan_met_case(const struct gp_plan *plan, unsigned number)
{
	for (size_t i = 0; i < plan->verdict_count; i++) {
		if (plan->verdicts[i].case_number == number)
			return true;
	}
	for (size_t i = 0; i < plan->waiting_count; i++) {
		if (plan->waiting[i].case_number == number)
			return true;
	}
	for (size_t s = 0; s < plan->stage_count; s++) {
		for (size_t c = 0; c < plan->stages[s].chain_count; c++) {
			for (size_t i = 0; i < plan->stages[s].chains[c].step_count; i++) {
				if (plan->stages[s].chains[c].steps[i].case_number == number)
					return true;
			}
		}
	}
	return false;
}

static inline const struct gp_diag *diag_of(const struct gp_plan *plan, const char *code)
{
	for (size_t i = 0; i < plan->diags.count; i++) {
		if (gp_streq(plan->diags.items[i].code, code))
			return &plan->diags.items[i];
	}
	return NULL;
}

/* The same; ends the test when there is none. */
static inline const struct gp_diag *the_diag(const struct gp_plan *plan, const char *code)
{
	static char nothing[] = "";
	static const struct gp_diag none = {.error = {.message = nothing, .remedy = nothing, .holder = nothing}};
	const struct gp_diag *diag = diag_of(plan, code);

	ck_assert_msg(diag != NULL, "no fault %s", code);
	return diag ? diag : &none;
}

/* number 0: the case leaves no trace but the digest. */
static inline void expect(unsigned number, const char *host, const char *want, const char *digest)
{
	GP_CLEANUP(run_clear) struct run run = run_plan(host, want);

	ck_assert_str_eq(gp_str_text(&run.digest), digest);
	if (number)
		ck_assert_msg(plan_met_case(run.plan, number), "case %u was not met: %s", number, digest);
}

static inline void expect_fault(const char *host, const char *want, const char *code, enum gp_error_kind kind,
				const char *words)
{
	GP_CLEANUP(run_clear) struct run run = run_plan(host, want);
	const struct gp_diag *diag = diag_of(run.plan, code);

	ck_assert_msg(diag != NULL, "no fault %s; the plan is: %s", code, gp_str_text(&run.digest));
	ck_assert_int_eq(diag->error.kind, kind);
	ck_assert_msg(strstr(diag->error.message, words) != NULL, "'%s' does not hold '%s'", diag->error.message,
		      words);
	if (diag->severity == GP_ERROR)
		ck_assert_uint_eq(run.plan->stage_count, 0);
}

/* Carries the plan out, stage by stage, and plans again: nothing but waiting may be left. */
static inline void expect_converges(const char *host, const char *want)
{
	GP_CLEANUP(run_clear) struct run run = run_plan(host, want);
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};

	for (int rounds = 0; run.plan->stage_count && rounds < 4; rounds++) {
		ck_assert_msg(scene_apply(run.scene, &run.plan->stages[0], &why), "%s: %s", gp_str_text(&run.digest),
			      gp_str_text(&why));
		run_again(&run);
	}
	ck_assert_msg(run.plan->stage_count == 0 && run.plan->diags.error_count == 0, "left: %s",
		      gp_str_text(&run.digest));
}

#define CLASS(...)          "version: 1\ngpus:\n  - {class: vdi, match: {vendor: '8086'}, partitions: " #__VA_ARGS__ "}\n"
#define VMS                 "vms:\n"
#define VM(name)            "  - {name: " #name ", partition: vdi}\n"
#define VM_WITH(name, more) "  - {name: " #name ", partition: vdi, " more "}\n"
#define POLICY(text)        "policy: {" text "}\n"

#endif

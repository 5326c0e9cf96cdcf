/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of reconciler/plan/CASES.md that are about files, and about looking again: a test for each. */
#include <stdlib.h>
#include <string.h>

#include "intent/intent.h"
#include "plan_suite.h"

START_TEST(case_90_an_empty_directory)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	scene_read(scene, "gpu 41 8 4\nvm a off c:0.vdi@41/0");
	struct gp_observed *observed = scene_observe(scene);
	struct gp_desired *desired = gp_desired_new(); /* what is left when nothing was read */
	struct gp_plan *plan = gp_plan_make(desired, observed);

	ck_assert_uint_eq(plan->stage_count, 0);
	ck_assert_int_eq(gp_plan_verdict(plan), GP_E_INPUT);
	ck_assert_ptr_nonnull(diag_of(plan, "no-files"));
	gp_plan_free(plan);
	gp_desired_free(desired);
	gp_observed_free(observed);
	free(scene);
}
END_TEST

START_TEST(case_91_files_for_other_hosts)
{
	/* Reading the files says so already; the planner does not rely on being asked only then. */
	const char *text = "version: 1\nhosts: ['other-*']\n";
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	struct scene *scene = calloc(1, sizeof(*scene));

	scene_read(scene, "gpu 41 8 4\nvm a off c:0.vdi@41/0");
	struct gp_observed *observed = scene_observe(scene);
	struct gp_desired *desired = gp_intent_load_text("want.yaml", text, strlen(text), "gpu-01", &diags);
	struct gp_plan *plan = gp_plan_make(desired, observed);

	ck_assert_uint_eq(plan->stage_count, 0);
	ck_assert_int_eq(gp_plan_verdict(plan), GP_E_INPUT);
	ck_assert_ptr_nonnull(strstr(the_diag(plan, "no-file-for-host")->error.message, "speaks for host gpu-01"));
	gp_plan_free(plan);
	gp_desired_free(desired);
	gp_observed_free(observed);
	free(scene);
}
END_TEST

START_TEST(case_92_a_deleted_class)
{
	/* The VM went with it: released. The partitions stay, and are reported. */
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off c:0.vdi@41/0", "version: 1\n");

	ck_assert_str_eq(gp_str_text(&run.digest), "detach a 41/0");
	ck_assert_uint_eq(run.plan->verdicts[0].count_wanted, 4);
	ck_assert_ptr_nonnull(diag_of(run.plan, "left-alone"));
	expect_converges("gpu 41 8 4\nvm a off c:0.vdi@41/0", "version: 1\n");
}
END_TEST

START_TEST(case_93_export_then_nothing_then_adopt)
{
	struct run run =
		run_plan("gpu 41 8 4 vram=16\ngpu 42 8 0\nvm a off c:hand@41/2\nvm b run b:0.vdi@41/3\nvm c off",
			 "version: 1\n");
	GP_CLEANUP(gp_str_clear) struct gp_str exported = {0};

	gp_intent_export(run.observed, (struct gp_export_options){0}, &exported);
	gp_desired_free(run.desired);
	run.desired = want_text(gp_str_text(&exported));
	run_again(&run);
	ck_assert_uint_eq(run.plan->diags.error_count, 0);
	ck_assert_uint_eq(run.plan->summary.vms_stopped, 0);
	ck_assert_uint_eq(run.plan->summary.partitions_lost + run.plan->summary.partitions_created, 0);
	for (size_t c = 0; run.plan->stage_count && c < run.plan->stages[0].chain_count; c++) {
		for (size_t s = 0; s < run.plan->stages[0].chains[c].step_count; s++) {
			unsigned number = run.plan->stages[0].chains[c].steps[s].case_number;

			ck_assert_msg(number == 41 || number == 46, "case %u: %s", number, gp_str_text(&run.digest));
		}
	}
	run_clear(&run);
	/* Brownfield, with a class of our own name: first nothing, then adopted. */
	expect(3, "gpu 41 8 4\nvm a run b:hand@41/2", CLASS(4), "");
	expect(41, "gpu 41 8 4\nvm a run b:hand@41/2", CLASS(4) VMS VM_WITH(a, "adopt: true"), "replace a 41/2>41/2");
	expect(0, "gpu 41 8 4\nvm a run c:0.vdi@41/2 l:hand@41/2", CLASS(4) VMS VM_WITH(a, "adopt: true"), "");
}
END_TEST

START_TEST(case_94_defined_nowhere)
{
	expect_fault("gpu 41 8 4", CLASS(4) VMS VM(ghost), "vm-undefined", GP_E_NOT_FOUND, "ghost is not defined");
	expect(3, "gpu 41 8 4", CLASS(4) VMS VM(ghost), "");
}
END_TEST

START_TEST(case_95_look_again_before_definitions_are_touched)
{
	GP_CLEANUP(run_clear)
	struct run run =
		run_plan("gpu 41 8 0 blind\ngpu 42 8 0\nvm a off c:0.vdi@?/3\nvm b off\nvm c off c:0.two@42/1",
			 "version: 1\ngpus:\n  - {class: vdi, match: {address: '0000:41:00.0'}, partitions: 4}\n"
			 "  - {class: two, match: {address: '0000:42:00.0'}, partitions: 4}\n" VMS
			 "  - {name: a, partition: vdi, power: running}\n" VM(
				 b) "  - {name: c, partition: two, power: running}\n");

	/* c hangs on nothing that is unknown, and does not wait for the look. */
	ck_assert_str_eq(gp_str_text(&run.digest),
			 "41 0>4 | 42 0>4, start c || replace a ?>41/0, start a | attach b 41/1");
	ck_assert_ptr_nonnull(run.plan->stages[0].observe_why);
	ck_assert(!run.plan->stages[0].expected);
	ck_assert(run.plan->stages[1].expected);
	ck_assert(plan_met_case(run.plan, 95));

	/* After the look the VF is known to be the right one: less is done than was expected, so it is within. */
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};
	struct gp_plan *approved = run.plan;

	ck_assert(scene_apply(run.scene, &run.plan->stages[0], &why));
	run.scene->vms[0].config[0].known = true;
	run.scene->vms[0].config[0].bus = 0x41;
	run.plan = NULL;
	run_again(&run);
	ck_assert_str_eq(gp_str_text(&run.digest), "start a | attach b 41/0");
	ck_assert_msg(gp_plan_within(run.plan, approved, &why), "%s", gp_str_text(&why));
	gp_plan_free(approved);
}
END_TEST

START_TEST(case_96_symbolic_names_will_do)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 0 blind\nvm a off", CLASS(4) VMS VM(a));

	ck_assert_str_eq(gp_str_text(&run.digest), "41 0>4, attach a 41/0");
	ck_assert_uint_eq(run.plan->stage_count, 1);
	ck_assert_str_eq(run.plan->stages[0].chains[0].steps[1].source, "vf:0000:41:00.0/0");
	ck_assert_uint_eq(run.plan->stages[0].chains[0].steps[1].hostdev.source.bus, 0);
}
END_TEST

START_TEST(case_97_ours_but_no_such_vf_on_this_host)
{
	expect(97, "gpu 41 8 4\nvm a off c:0.vdi@?/3", CLASS(4) VMS VM(a), "replace a ?>41/0");
	/* A GPU that is made, but tells where its VFs will be: it is not one of those. */
	expect(97, "gpu 41 8 0\nvm a off c:0.vdi@?/3", CLASS(4) VMS VM(a), "41 0>4, replace a ?>41/0");
}
END_TEST

START_TEST(case_98_the_back_end_wants_another_look)
{
	GP_CLEANUP(run_clear)
	struct run run = run_with(&scene_vendor_looks_again, "gpu 41 8 0\nvm a off\nvm b off c:0.vdi@41/1",
				  CLASS(4) VMS VM(a) VM_WITH(b, "power: running"));

	ck_assert_str_eq(gp_str_text(&run.digest), "41 0>4 || attach a 41/0 | start b");
	ck_assert_str_eq(run.plan->stages[0].observe_why, "the framework shows only once VFs are there");
}
END_TEST

START_TEST(case_99_a_place_that_nobody_comes_to)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm a off c:0.vdi@41/2 p:0.vdi@41/1", CLASS(4) VMS VM(a));
	const struct gp_step *step = &run.plan->stages[0].chains[0].steps[0];

	/* Interrupted right before its end. */
	ck_assert_str_eq(gp_str_text(&run.digest), "forget a");
	ck_assert_uint_eq(step->case_number, 99);
	ck_assert_str_eq(step->before, "ua-gpupart-0-vdi");
	/* Not wanted any more; and what was put in again by hand stays. */
	expect(99, "gpu 41 8 4\nvm a off p:0.vdi@41/1", CLASS(4) VMS "  - {name: a, partition: none}\n", "forget a");
	expect(99, "gpu 41 8 4\nvm a off c:hand@41/1 p:0.vdi@41/1", CLASS(4), "forget a");
	expect(30, "gpu 41 8 4\nvm a off c:hand@41/1 p:0.vdi@41/1", CLASS(4) VMS VM(a), "attach a 41/0");
	expect_converges("gpu 41 8 4\nvm a off c:hand@41/1 p:0.vdi@41/1", CLASS(4) VMS VM(a));
	expect_converges("gpu 41 8 4\nvm a off p:0.old@41/1", CLASS(4) VMS VM(a));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		case_90_an_empty_directory,
		case_91_files_for_other_hosts,
		case_92_a_deleted_class,
		case_93_export_then_nothing_then_adopt,
		case_94_defined_nowhere,
		case_95_look_again_before_definitions_are_touched,
		case_96_symbolic_names_will_do,
		case_97_ours_but_no_such_vf_on_this_host,
		case_98_the_back_end_wants_another_look,
		case_99_a_place_that_nobody_comes_to,
	};
	return run_tests("plan_cases_files", tests, COUNT_OF(tests));
}

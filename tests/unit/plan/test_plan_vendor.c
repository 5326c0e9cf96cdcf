/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The planner with the real back-end for plain SR-IOV. */
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"
#include "vendor/backends.h"

static void expect_of(const char *host, const char *want, const char *digest)
{
	GP_CLEANUP(run_clear) struct run run = run_with(&gp_vendor_generic_sriov, host, want);

	ck_assert_str_eq(gp_str_text(&run.digest), digest);
}

START_TEST(made_reset_and_removed)
{
	expect_of("gpu 41 8 0", CLASS(8), "41 0>8, 41 wait 8");
	expect_of("gpu 41 8 4", CLASS(8), "41 4>0, 41 0>8, 41 wait 8");
	expect_of("gpu 41 8 4", CLASS(0), "41 4>0, 41 wait 0");
	expect_of("gpu 41 8 4", CLASS(4), "");
	expect_of("gpu 41 8 4", CLASS(keep), "");
}
END_TEST

START_TEST(a_vm_waits_for_the_last_step_of_its_gpu)
{
	GP_CLEANUP(run_clear)
	struct run run =
		run_with(&gp_vendor_generic_sriov, "gpu 41 8 0\nvm a off", CLASS(8) VMS VM_WITH(a, "power: running"));
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "41 0>8, 41 wait 8, attach a 41/0, start a");
	ck_assert_uint_eq(chain->steps[2].need_count, 1);
	ck_assert_uint_eq(chain->steps[2].needs[0], 2);
}
END_TEST

START_TEST(every_step_that_may_take_long_has_a_deadline)
{
	GP_CLEANUP(run_clear)
	struct run run = run_with(&gp_vendor_generic_sriov, "gpu 41 8 4\nvm a run b:0.vdi@41/0",
				  CLASS(8) VMS VM_WITH(a, "disruption: restart"));
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	for (size_t i = 0; i < chain->step_count; i++) {
		const struct gp_step *step = &chain->steps[i];

		if (step->kind == GP_STEP_WRITE || step->kind == GP_STEP_WAIT || step->kind == GP_STEP_STOP)
			ck_assert_uint_gt(step->timeout_ms, 0);
	}
}
END_TEST

START_TEST(what_it_lacks_is_said_once_for_all_gpus)
{
	expect_of("gpu 41 8 0\ngpu 42 8 0", CLASS(auto), "; error: unsupported-auto");
	expect_of("gpu 41 8 0\ngpu 42 8 0", CLASS(9), "; error: count-above-total");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		made_reset_and_removed,
		a_vm_waits_for_the_last_step_of_its_gpu,
		every_step_that_may_take_long_has_a_deadline,
		what_it_lacks_is_said_once_for_all_gpus,
	};
	return run_tests("plan_vendor", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of reconciler/plan/CASES.md that are about a GPU: a test for each, named after its number. */
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

START_TEST(case_01_no_class_no_partitions)
{
	expect(1, "gpu 41 8 0\ngpu 42 8 0",
	       "version: 1\ngpus:\n  - {class: vdi, match: {address: '0000:42:00.0'}, partitions: 0}\n", "");
}
END_TEST

START_TEST(case_02_no_class_but_partitions_stay)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4", "version: 1\n");

	ck_assert_str_eq(gp_str_text(&run.digest), "");
	ck_assert(plan_met_case(run.plan, 2));
	ck_assert_ptr_nonnull(diag_of(run.plan, "left-alone"));
}
END_TEST

START_TEST(case_03_has_what_is_asked)
{
	expect(3, "gpu 41 8 4", CLASS(4), "");
}
END_TEST

START_TEST(case_04_made_from_nothing)
{
	expect(4, "gpu 41 8 0", CLASS(4), "41 0>4");
}
END_TEST

START_TEST(case_05_reset_when_nobody_holds_any)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4", CLASS(8));

	ck_assert_str_eq(gp_str_text(&run.digest), "41 4>0, 41 0>8");
	ck_assert(plan_met_case(run.plan, 5));
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];
	ck_assert_int_eq(chain->steps[0].guard, GP_GUARD_UNHELD);
	ck_assert_int_eq(chain->steps[1].guard, GP_GUARD_NONE);
	ck_assert_uint_eq(chain->steps[1].need_count, 1);
	ck_assert_uint_eq(chain->steps[1].needs[0], chain->steps[0].id);
	ck_assert_uint_eq(run.plan->summary.partitions_lost, 4);
	ck_assert_uint_eq(run.plan->summary.partitions_created, 8);
}
END_TEST

START_TEST(case_06_none_and_none_asked)
{
	expect(6, "gpu 41 8 0", CLASS(0), "");
}
END_TEST

START_TEST(case_07_removed_when_nobody_holds_any)
{
	expect(7, "gpu 41 8 4", CLASS(0), "41 4>0");
}
END_TEST

START_TEST(case_08_stopped_vms_keep_their_claim_over_a_reset)
{
	expect(8, "gpu 41 8 4\nvm a off c:0.vdi@41/2", CLASS(8) VMS VM(a), "41 4>0, 41 0>8");
	expect_converges("gpu 41 8 4\nvm a off c:0.vdi@41/2", CLASS(8) VMS VM(a));
	/* Its place goes: it moves, and lets go first. */
	expect(8, "gpu 41 8 8\nvm a off c:0.vdi@41/6\nvm b off c:0.vdi@41/0", CLASS(4) VMS VM(a) VM(b),
	       "41 8>0, 41 0>4, replace a 41/6>41/1");
	expect_converges("gpu 41 8 8\nvm a off c:0.vdi@41/6\nvm b off c:0.vdi@41/0", CLASS(4) VMS VM(a) VM(b));
}
END_TEST

START_TEST(case_09_a_running_vm_lets_the_reset_wait)
{
	expect(9, "gpu 41 8 4\nvm a run b:0.vdi@41/2", CLASS(8) VMS VM(a), "; wait: a");
	/* The other GPU does not wait for it. */
	expect(9, "gpu 41 8 4\ngpu 42 8 4\nvm a run b:0.vdi@41/2", CLASS(8) VMS VM(a), "42 4>0, 42 0>8; wait: a");
}
END_TEST

START_TEST(case_10_a_running_vm_is_restarted_for_the_reset)
{
	expect(10, "gpu 41 8 4\nvm a run b:0.vdi@41/2", CLASS(8) VMS VM_WITH(a, "disruption: restart"),
	       "mark a, stop a, 41 4>0, 41 0>8, start a, unmark a");
	expect(10, "gpu 41 8 8\nvm a run b:0.vdi@41/6", CLASS(4) VMS VM(a) POLICY("disruption: restart"),
	       "mark a, stop a, 41 8>0, 41 0>4, replace a 41/6>41/0, start a, unmark a");
	expect_converges("gpu 41 8 8\nvm a run b:0.vdi@41/6", CLASS(4) VMS VM(a) POLICY("disruption: restart"));
}
END_TEST

START_TEST(case_11_a_running_vm_and_refuse)
{
	expect_fault("gpu 41 8 4\nvm a run b:0.vdi@41/2", CLASS(8) VMS VM_WITH(a, "disruption: refuse"),
		     "policy-refuse", GP_E_REFUSED, "a would have to be stopped");
}
END_TEST

START_TEST(case_12_held_by_a_running_vm_that_no_file_lists)
{
	expect_fault("gpu 41 8 4\nvm x run b:hand@41/2", CLASS(8), "held-by-foreign", GP_E_REFUSED,
		     "x, which no file lists");
	expect_fault("gpu 41 8 4\nvm x run b:0.vdi@41/2", CLASS(8), "held-by-foreign", GP_E_REFUSED,
		     "x, which no file lists");
}
END_TEST

START_TEST(case_13_claimed_by_a_stopped_vm_that_no_file_lists)
{
	expect_fault("gpu 41 8 4\nvm x off c:hand@41/2", CLASS(8), "claimed-by-foreign", GP_E_REFUSED,
		     "the definition of x");
}
END_TEST

START_TEST(case_14_held_by_hand_by_a_listed_vm)
{
	expect_fault("gpu 41 8 4\nvm a off c:hand@41/2", CLASS(8) VMS VM(a), "held-by-hand", GP_E_REFUSED,
		     "a has vf:0000:41:00.0/2 by hand");
	expect(10, "gpu 41 8 4\nvm a run b:hand@41/2", CLASS(8) VMS VM_WITH(a, "adopt: true, disruption: restart"),
	       "mark a, stop a, 41 4>0, 41 0>8, replace a 41/2>41/2, start a, unmark a");
}
END_TEST

START_TEST(case_15_held_by_a_driver_of_the_host)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\ndriver 41 1 xe", CLASS(8));
	const struct gp_diag *diag = the_diag(run.plan, "held-by-driver");

	ck_assert_str_eq(diag->error.holder, "driver xe");
	ck_assert(plan_met_case(run.plan, 15));
}
END_TEST

START_TEST(case_16_held_by_a_process_that_is_no_vm)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvfio 41 1 dpdk 77", CLASS(8));
	const struct gp_diag *diag = the_diag(run.plan, "held-by-process");

	ck_assert_str_eq(diag->error.holder, "process dpdk, pid 77");
}
END_TEST

START_TEST(case_17_what_is_unknown_is_in_use)
{
	expect_fault("gpu 41 8 4\nnolibvirt", CLASS(8), "unknown-in-use", GP_E_REFUSED, "libvirt does not answer");
	expect_fault("gpu 41 8 4\nnoproc", CLASS(8), "unknown-in-use", GP_E_REFUSED, "Permission denied");
	expect_fault("gpu 41 8 4\nvm x off unreadable", CLASS(0), "unknown-in-use", GP_E_REFUSED, "domain x");
}
END_TEST

START_TEST(case_18_nothing_is_held_where_nothing_is)
{
	expect(18, "gpu 41 8 0\nnolibvirt\nnoproc", CLASS(8), "41 0>8");
	expect(18, "gpu 41 8 0\nnoproc", CLASS(8), "41 0>8");
}
END_TEST

START_TEST(case_19_keep)
{
	expect(19, "gpu 41 8 3\nvm a off", CLASS(keep) VMS VM(a), "attach a 41/0");
	expect(19, "gpu 41 8 0", CLASS(keep), "");
}
END_TEST

START_TEST(case_20_unfit)
{
	expect_fault("gpu 41 8 0 unfit", CLASS(4), "gpu-unfit", GP_E_UNAVAILABLE, "no driver is bound");
	expect(20, "gpu 41 8 0 unfit", CLASS(4), "; error: gpu-unfit");
	expect(0, "gpu 41 8 0 unfit", CLASS(0), "");
}
END_TEST

START_TEST(case_21_in_transition)
{
	expect_fault("gpu 41 8 4 transition", CLASS(4), "gpu-unfit", GP_E_BUSY, "enabling or disabling");
	expect(21, "gpu 41 8 4 transition", CLASS(4), "; error: gpu-unfit");
}
END_TEST

START_TEST(case_22_not_a_count_of_the_device)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 0", CLASS(9));
	const struct gp_diag *diag = the_diag(run.plan, "partition-count");

	ck_assert_uint_eq(diag->error.mark.line, 3);
	ck_assert_str_eq(diag->error.remedy, "it can have 1…8");
	ck_assert(plan_met_case(run.plan, 22));
}
END_TEST

START_TEST(case_23_two_classes_on_one_gpu)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 0", CLASS(4) "  - {class: cad, match: {model: Flex}, partitions: 2}\n");
	const struct gp_diag *diag = the_diag(run.plan, "two-classes");

	ck_assert_uint_eq(diag->error.mark.line, 4);
	ck_assert_uint_eq(diag->other.line, 3);
	ck_assert_int_eq(diag->error.kind, GP_E_INPUT);
}
END_TEST

START_TEST(case_24_expect)
{
	GP_CLEANUP(run_clear)
	struct run nic =
		run_plan("gpu 42 8 4 named",
			 "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, expect: 1, partitions: 4}\n");

	ck_assert_str_eq(
		the_diag(nic.plan, "expect")->error.remedy,
		"compare with 'gpupart gpus'; if 0 is right, write expect: 0; a device that is no GPU has to be "
		"named by its full address");
	expect_fault("gpu 41 8 4",
		     "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, expect: 2, partitions: 4}\n", "expect",
		     GP_E_INPUT, "expects 2 GPUs, but 1");
	expect(3, "gpu 41 8 4", "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, expect: 1, partitions: 4}\n",
	       "");
}
END_TEST

START_TEST(case_25_a_class_that_matches_nothing)
{
	static const char *const said = "compare with 'gpupart gpus', or say expect: 0 if that is meant";
	GP_CLEANUP(run_clear) struct run pattern = run_plan("gpu 41 8 4 named", CLASS(4));
	GP_CLEANUP(run_clear)
	struct run address = run_plan(
		"gpu 41 8 4", "version: 1\ngpus:\n  - {class: net, match: {address: '0000:82:00.0'}, partitions: 2}\n");

	expect_fault("gpu 41 8 4 named", CLASS(4), "no-gpu", GP_E_NOT_FOUND, "matches no GPU");
	/* A NIC is only found by its name. Who has named one has no need to be told. */
	ck_assert_ptr_nonnull(strstr(the_diag(pattern.plan, "no-gpu")->error.remedy,
				     "; a device that is no GPU has to be named by its full address"));
	ck_assert_str_eq(the_diag(address.plan, "no-gpu")->error.remedy, said);
	expect(0, "gpu 41 8 4 model=Arc",
	       "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, expect: 0, partitions: 4}\n", "");
}
END_TEST

START_TEST(case_26_what_the_back_end_lacks)
{
	expect(26, "gpu 41 8 0", CLASS(auto), "; error: needs-backend");
	expect(26, "gpu 41 8 0", CLASS([ {count : 2, vram : 4GiB} ]), "; error: needs-backend");
}
END_TEST

START_TEST(case_27_a_reset_waits_for_whoever_cannot_leave_yet)
{
	/* a is off and sits on a place that goes; its new place is on 42, which waits for b. */
	const char *want = "version: 1\ngpus:\n  - {class: one, match: {address: '0000:41:00.0'}, partitions: 1}\n"
			   "  - {class: two, match: {address: '0000:42:00.0'}, partitions: 8}\n"
			   "vms:\n  - {name: a, partition: two}\n  - {name: b, partition: two}\n";

	expect(27, "gpu 41 8 4\ngpu 42 8 4\nvm a off c:0.one@41/3\nvm b run b:0.two@42/0", want, "; wait: b b b");
	expect_converges("gpu 41 8 4\ngpu 42 8 4\nvm a off c:0.one@41/3\nvm b off c:0.two@42/0", want);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		case_01_no_class_no_partitions,
		case_02_no_class_but_partitions_stay,
		case_03_has_what_is_asked,
		case_04_made_from_nothing,
		case_05_reset_when_nobody_holds_any,
		case_06_none_and_none_asked,
		case_07_removed_when_nobody_holds_any,
		case_08_stopped_vms_keep_their_claim_over_a_reset,
		case_09_a_running_vm_lets_the_reset_wait,
		case_10_a_running_vm_is_restarted_for_the_reset,
		case_11_a_running_vm_and_refuse,
		case_12_held_by_a_running_vm_that_no_file_lists,
		case_13_claimed_by_a_stopped_vm_that_no_file_lists,
		case_14_held_by_hand_by_a_listed_vm,
		case_15_held_by_a_driver_of_the_host,
		case_16_held_by_a_process_that_is_no_vm,
		case_17_what_is_unknown_is_in_use,
		case_18_nothing_is_held_where_nothing_is,
		case_19_keep,
		case_20_unfit,
		case_21_in_transition,
		case_22_not_a_count_of_the_device,
		case_23_two_classes_on_one_gpu,
		case_24_expect,
		case_25_a_class_that_matches_nothing,
		case_26_what_the_back_end_lacks,
		case_27_a_reset_waits_for_whoever_cannot_leave_yet,
	};
	return run_tests("plan_cases_gpu", tests, COUNT_OF(tests));
}

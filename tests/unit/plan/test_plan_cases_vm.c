/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of reconciler/plan/CASES.md that are about a VM and its partition: a test for each. */
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

START_TEST(case_30_a_partition_for_a_vm_that_is_off)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off", CLASS(4) VMS VM(a));
	const struct gp_step *step = &run.plan->stages[0].chains[0].steps[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "attach a 41/0");
	ck_assert_uint_eq(step->case_number, 30);
	ck_assert_str_eq(step->hostdev.alias, "ua-gpupart-0-vdi");
	ck_assert_str_eq(step->source, "vf:0000:41:00.0/0");
	ck_assert(step->hostdev.managed);
	ck_assert_uint_eq(step->reason.mark.line, 5);
	ck_assert_int_eq(step->guard, GP_GUARD_OFF);
	/* On a GPU that gets its partitions in the same plan. */
	expect(30, "gpu 41 8 0\nvm a off", CLASS(4) VMS VM(a), "41 0>4, attach a 41/0");
	expect_converges("gpu 41 8 0\nvm a off\nvm b off", CLASS(4) VMS VM(a) VM(b));
}
END_TEST

START_TEST(case_31_running_and_defer)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a run", CLASS(4) VMS VM(a));

	ck_assert_str_eq(gp_str_text(&run.digest), "attach a 41/0; wait: a");
	ck_assert(plan_met_case(run.plan, 31));
	ck_assert_int_eq(run.plan->stages[0].chains[0].steps[0].guard, GP_GUARD_NONE);
	ck_assert_uint_eq(run.plan->summary.vms_stopped, 0);
	expect_converges("gpu 41 8 4\nvm a run", CLASS(4) VMS VM(a));
}
END_TEST

START_TEST(case_32_running_and_restart)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm a run", CLASS(4) VMS VM_WITH(a, "disruption: restart"));
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "mark a, stop a, attach a 41/0, start a, unmark a");
	ck_assert_uint_eq(chain->vms_down, 1);
	ck_assert_uint_eq(chain->steps[1].case_number, 32);
	ck_assert_uint_eq(chain->steps[1].timeout_ms, 120000);
	ck_assert(!chain->steps[1].force);
	for (size_t i = 1; i < chain->step_count; i++) { /* one after the other, and nothing said twice */
		ck_assert_uint_eq(chain->steps[i].need_count, 1);
		ck_assert_uint_eq(chain->steps[i].needs[0], chain->steps[i - 1].id);
	}
	ck_assert_str_eq(run.plan->summary.stopped[0], "a");
	expect_converges("gpu 41 8 4\nvm a run", CLASS(4) VMS VM_WITH(a, "disruption: restart"));
}
END_TEST

START_TEST(case_33_running_and_refuse)
{
	expect_fault("gpu 41 8 4\nvm a run", CLASS(4) VMS VM_WITH(a, "disruption: refuse"), "policy-refuse",
		     GP_E_REFUSED, "for its partition to take effect");
	/* The class may say so, too; the VM goes before the class. */
	expect_fault(
		"gpu 41 8 4\nvm a run",
		"version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, partitions: 4, disruption: refuse}\n" VMS VM(
			a),
		"policy-refuse", GP_E_REFUSED, "for its partition");
	expect(31, "gpu 41 8 4\nvm a run",
	       "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, partitions: 4, disruption: refuse}\n" VMS
		       VM_WITH(a, "disruption: defer"),
	       "attach a 41/0; wait: a");
}
END_TEST

START_TEST(case_34_has_what_it_asks_for)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm a run b:0.vdi@41/3\nvm b off c:0.vdi@41/1", CLASS(4) VMS VM(a) VM(b));

	ck_assert_str_eq(gp_str_text(&run.digest), "");
	ck_assert_uint_eq(run.plan->stage_count, 0);
	ck_assert(run.plan->assignments[0].kept);
	ck_assert_uint_eq(run.plan->assignments[0].vf.index, 3);
	ck_assert_uint_eq(run.plan->assignments[1].vf.index, 1);
}
END_TEST

#define TWO_CLASSES                                                                                                    \
	"version: 1\ngpus:\n  - {class: big, match: {address: '0000:41:00.0'}, partitions: 2}\n"                       \
	"  - {class: small, match: {address: '0000:42:00.0'}, partitions: 8}\n"
#define TWO_GPUS "gpu 41 8 2 vram=16\ngpu 42 8 8 vram=16\n"

START_TEST(case_35_off_and_what_it_has_does_not_do)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan(TWO_GPUS "vm a off c:0.small@42/5",
				  TWO_CLASSES "vms:\n  - {name: a, partition: {class: [small, big], vram: 4GiB}}\n");
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "replace a 42/5>41/0");
	ck_assert_uint_eq(chain->steps[0].case_number, 35);
	ck_assert_str_eq(chain->steps[0].hostdev.guest_xml, "<address slot='5'/>");
	ck_assert_str_eq(chain->steps[0].hostdev.alias, "ua-gpupart-0-big");
	ck_assert_int_eq(chain->steps[0].disruption, GP_DISRUPTS_NOTHING);
	expect(35, TWO_GPUS "vm a off c:0.small@42/5", TWO_CLASSES VMS "  - {name: a, partition: big}\n",
	       "replace a 42/5>41/0");
}
END_TEST

START_TEST(case_36_running_and_what_it_has_does_not_do_defer)
{
	expect(36, TWO_GPUS "vm a run b:0.small@42/5", TWO_CLASSES VMS "  - {name: a, partition: big}\n",
	       "replace a 42/5>41/0; wait: a");
	expect_converges(TWO_GPUS "vm a run b:0.small@42/5", TWO_CLASSES VMS "  - {name: a, partition: big}\n");
}
END_TEST

START_TEST(case_37_running_and_what_it_has_does_not_do_restart)
{
	expect(37, TWO_GPUS "vm a run b:0.small@42/5",
	       TWO_CLASSES VMS "  - {name: a, partition: big, disruption: restart}\n",
	       "mark a, stop a, replace a 42/5>41/0, start a, unmark a");
}
END_TEST

START_TEST(case_38_the_definition_is_right_but_not_what_is_plugged)
{
	expect(38, "gpu 41 8 4\nvm a run c:0.vdi@41/0", CLASS(4) VMS VM(a), "; wait: a");
}
END_TEST

START_TEST(case_39_the_same_with_restart)
{
	expect(39, "gpu 41 8 4\nvm a run c:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "disruption: restart"),
	       "mark a, stop a, start a, unmark a");
}
END_TEST

START_TEST(case_40_the_same_with_refuse)
{
	expect_fault("gpu 41 8 4\nvm a run c:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "disruption: refuse"),
		     "policy-refuse", GP_E_REFUSED, "for its partition to take effect");
}
END_TEST

START_TEST(case_41_adopt)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm a off c:hand@41/2", CLASS(4) VMS VM_WITH(a, "adopt: true"));
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "replace a 41/2>41/2");
	ck_assert_uint_eq(chain->steps[0].case_number, 41);
	ck_assert_str_eq(chain->steps[0].hostdev.guest_xml, "<address slot='2'/>");
	/* While it runs, too: the same device, so nothing waits. */
	expect(41, "gpu 41 8 4\nvm a run b:hand@41/2", CLASS(4) VMS VM_WITH(a, "adopt: true"), "replace a 41/2>41/2");
	expect_converges("gpu 41 8 4\nvm a run b:hand@41/2", CLASS(4) VMS VM_WITH(a, "adopt: true"));
}
END_TEST

START_TEST(case_42_hand_made_and_not_adopted)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off c:hand@41/0", CLASS(4) VMS VM(a));

	ck_assert_str_eq(gp_str_text(&run.digest), "attach a 41/1");
	ck_assert_str_eq(the_diag(run.plan, "hand-made")->error.remedy, "adopt: true, to take it over");
}
END_TEST

START_TEST(case_43_more_by_hand_than_asked)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan(TWO_GPUS "vm a off c:hand@42/3 c:hand@41/1 c:hand@42/1",
				  TWO_CLASSES VMS "  - {name: a, partition: big, adopt: true}\n");

	ck_assert_str_eq(gp_str_text(&run.digest), "replace a 41/1>41/1");
	ck_assert_ptr_nonnull(diag_of(run.plan, "hand-made"));
}
END_TEST

START_TEST(case_44_ours_but_it_points_to_nothing)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off c:0.vdi@41/6", CLASS(4) VMS VM(a));

	ck_assert_str_eq(gp_str_text(&run.digest), "replace a 41/6>41/0");
	ck_assert_uint_eq(run.plan->stages[0].chains[0].steps[0].case_number, 44);
	ck_assert_str_eq(run.plan->stages[0].chains[0].steps[0].hostdev.guest_xml, "<address slot='6'/>");
}
END_TEST

START_TEST(case_45_after_a_reboot)
{
	/* The VFs are gone, the definitions are not: no definition is touched. */
	expect(4, "gpu 41 8 0\nvm a off c:0.vdi@41/3", CLASS(4) VMS VM(a), "41 0>4");
	expect(70, "gpu 41 8 0\nvm a off c:0.vdi@41/3", CLASS(4) VMS VM_WITH(a, "power: running"), "41 0>4, start a");
}
END_TEST

START_TEST(case_46_our_mark_says_otherwise)
{
	/* The class has another name now. */
	expect(46, "gpu 41 8 4\nvm a run b:0.old@41/3", CLASS(4) VMS VM(a), "replace a 41/3>41/3");
	/* A wish was put before it. */
	expect(46, "gpu 41 8 4\nvm a off c:0.vdi@41/3 c:1.old@41/1",
	       CLASS(4) VMS "  - {name: a, partition: [vdi, vdi]}\n", "replace a 41/1>41/1");
	expect_converges("gpu 41 8 4\nvm a off c:1.vdi@41/3 c:0.old@41/1",
			 CLASS(4) VMS "  - {name: a, partition: [vdi, vdi]}\n");
}
END_TEST

START_TEST(case_47_partition_none)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm a off c:0.vdi@41/3 c:hand@41/2",
				  CLASS(4) VMS "  - {name: a, partition: none}\n");

	ck_assert_str_eq(gp_str_text(&run.digest), "detach a 41/3");
	ck_assert_int_eq(run.plan->stages[0].chains[0].steps[0].disruption, GP_DISRUPTS_VM_DEVICE);
	/* Fewer than before. */
	expect(47, "gpu 41 8 4\nvm a off c:0.vdi@41/3 c:1.vdi@41/2", CLASS(4) VMS VM(a), "detach a 41/2");
}
END_TEST

START_TEST(case_48_partition_none_while_it_runs)
{
	expect(48, "gpu 41 8 4\nvm a run b:0.vdi@41/3", CLASS(4) VMS "  - {name: a, partition: none}\n",
	       "detach a 41/3; wait: a");
	expect(48, "gpu 41 8 4\nvm a run b:0.vdi@41/3",
	       CLASS(4) VMS "  - {name: a, partition: none, disruption: restart}\n",
	       "mark a, stop a, detach a 41/3, start a, unmark a");
}
END_TEST

START_TEST(case_49_a_deleted_stanza)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off c:0.vdi@41/3", CLASS(4));

	ck_assert_str_eq(gp_str_text(&run.digest), "detach a 41/3");
	ck_assert_uint_eq(run.plan->stages[0].chains[0].steps[0].case_number, 49);
	ck_assert_uint_eq(run.plan->summary.released, 1);
}
END_TEST

START_TEST(case_50_a_deleted_stanza_while_it_runs)
{
	expect(50, "gpu 41 8 4\nvm a run b:0.vdi@41/3", CLASS(4) POLICY("disruption: restart"),
	       "detach a 41/3; wait: a");
	/* Once that is done, what is plugged is all that is left of it. */
	expect(38, "gpu 41 8 4\nvm a run l:0.vdi@41/3", CLASS(4), "; wait: a");
}
END_TEST

START_TEST(case_51_listed_but_not_defined_here)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm a-2 off", CLASS(4) VMS "  - {names: ['a-[1-3]'], partition: vdi}\n");

	ck_assert_str_eq(gp_str_text(&run.digest), "attach a-2 41/0");
	ck_assert_str_eq(the_diag(run.plan, "vm-undefined")->error.message,
			 "2 VMs are not defined on this host: a-1 … a-3");
	ck_assert_uint_eq(run.plan->assignment_count, 3);
	ck_assert(!run.plan->assignments[0].defined);
	ck_assert(run.plan->assignments[1].placed);
}
END_TEST

START_TEST(case_52_a_place_that_a_running_vm_is_giving_up)
{
	const char *want = "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, partitions: 1}\n" VMS VM(
		b) "  - {name: a, partition: none}\n";

	expect(52, "gpu 41 8 1\nvm a run b:0.vdi@41/0\nvm b off", want, "detach a 41/0; wait: a a");
	expect(52, "gpu 41 8 1\nvm a run l:0.vdi@41/0\nvm b off", want, "; wait: a a");
	expect(30, "gpu 41 8 1\nvm a off\nvm b off", want, "attach b 41/0");
	/* A VM that no file lists any more is never stopped: b waits for it, too. */
	expect(52, "gpu 41 8 1\nvm a run b:0.vdi@41/0\nvm b off",
	       "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, partitions: 1}\n" VMS VM(b)
		       POLICY("disruption: restart"),
	       "detach a 41/0; wait: a a");
	/* With restart, a is stopped first, and b has its place when both are done. */
	expect(30, "gpu 41 8 1\nvm a run b:0.vdi@41/0\nvm b off",
	       "version: 1\ngpus:\n  - {class: vdi, match: {model: Flex}, partitions: 1}\n" VMS VM(
		       b) "  - {name: a, partition: none, disruption: restart}\n",
	       "mark a, stop a, detach a 41/0, attach b 41/0, start a, unmark a");
}
END_TEST

START_TEST(case_53_no_partition_fits)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 8 vram=16\nvm a off",
				  CLASS(8) VMS "  - {name: a, partition: {class: vdi, vram: 4GiB}}\n");
	const struct gp_diag *diag = the_diag(run.plan, "no-partition");

	ck_assert_int_eq(diag->error.kind, GP_E_INPUT);
	ck_assert_uint_eq(diag->error.mark.line, 5);
	ck_assert_msg(strstr(diag->error.message, "none of the 8 of class vdi fits") != NULL, "%s",
		      diag->error.message);
	ck_assert_str_eq(diag->error.remedy, "partitions: 1, 2, 3, 4 in class vdi");
	ck_assert_uint_eq(diag->other.line, 3);
}
END_TEST

START_TEST(case_54_too_few_partitions)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan(
		"gpu 41 8 4\nvm a-1 off\nvm a-2 off c:0.vdi@41/1\nvm a-3 off\nvm a-4 off\nvm a-5 off\nvm a-6 off",
		CLASS(4) VMS "  - {names: ['a-[1-6]'], partition: vdi}\n");
	const struct gp_diag *diag = the_diag(run.plan, "no-partition");

	ck_assert_str_eq(diag->error.message, "a-5, a-6 get no partition: 6 are asked of class vdi, and 4 can be had");
	ck_assert_str_eq(diag->error.remedy, "partitions: 6, 7, 8 in class vdi");
	ck_assert_uint_eq(run.plan->diags.error_count, 1);
}
END_TEST

START_TEST(case_55_all_are_held_by_others)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 2\nvm x run b:hand@41/0\nvm a off\ndriver 41 1 xe", CLASS(2) VMS VM(a));
	const struct gp_diag *diag = the_diag(run.plan, "no-partition");

	ck_assert_msg(strstr(diag->error.message, "2 held by others") != NULL, "%s", diag->error.message);
	ck_assert_str_eq(diag->error.holder, "vf:0000:41:00.0/0: VM x has it plugged");
}
END_TEST

START_TEST(case_56_two_definitions_name_one_partition)
{
	/* libvirt does not mind while both are off. The one that is listed first keeps it, unless the other runs with
	 * it. */
	expect(35, "gpu 41 8 4\nvm a off c:0.vdi@41/2\nvm b off c:0.vdi@41/2", CLASS(4) VMS VM(a) VM(b),
	       "replace b 41/2>41/0");
	expect(35, "gpu 41 8 4\nvm a off c:0.vdi@41/2\nvm b run b:0.vdi@41/2", CLASS(4) VMS VM(a) VM(b),
	       "replace a 41/2>41/0");
	/* A claim by hand goes before one of ours that nobody runs with. */
	expect(35, "gpu 41 8 4\nvm a off c:0.vdi@41/2\nvm x off c:hand@41/2", CLASS(4) VMS VM(a),
	       "replace a 41/2>41/0");
	expect(0, "gpu 41 8 4\nvm a run b:0.vdi@41/2\nvm x off c:hand@41/2", CLASS(4) VMS VM(a), "");
}
END_TEST

START_TEST(case_57_a_saved_image)
{
	expect_fault("gpu 41 8 4\nvm a saved", CLASS(4) VMS VM(a), "managed-save", GP_E_REFUSED, "it is saved");
	expect(0, "gpu 41 8 4\nvm a saved c:0.vdi@41/0", CLASS(4) VMS VM(a), "");
	expect_fault("gpu 41 8 4\nvm a saved c:0.vdi@41/0", CLASS(8) VMS VM(a), "managed-save", GP_E_REFUSED,
		     "a is saved with vf:0000:41:00.0/0");
}
END_TEST

START_TEST(case_58_a_transient_vm)
{
	expect_fault("gpu 41 8 4\nvm a run transient", CLASS(4) VMS VM(a), "transient", GP_E_REFUSED,
		     "it is transient");
}
END_TEST

START_TEST(case_59_its_gpu_waits)
{
	expect(59, "gpu 41 8 4\nvm a off\nvm b run b:0.vdi@41/0", CLASS(8) VMS VM(a) VM(b), "; wait: b b");
	expect_converges("gpu 41 8 4\nvm a off\nvm b off c:0.vdi@41/0", CLASS(8) VMS VM(a) VM(b));
}
END_TEST

START_TEST(case_60_one_domain_listed_twice)
{
	/* "a" is also 61000000-0000-0000-0000-000000000000 in a scene. */
	GP_CLEANUP(run_clear)
	struct run run =
		run_plan("gpu 41 8 4\nvm a off",
			 CLASS(4) VMS VM(a) "  - {name: 61000000-0000-0000-0000-000000000000, partition: vdi}\n");
	const struct gp_diag *diag = the_diag(run.plan, "vm-twice");

	ck_assert_uint_eq(diag->error.mark.line, 6);
	ck_assert_uint_eq(diag->other.line, 5);
}
END_TEST

START_TEST(case_61_its_definition_cannot_be_read)
{
	expect_fault("gpu 41 8 4\nvm a off unreadable", CLASS(4) VMS VM(a), "domain-unreadable", GP_E_UNAVAILABLE,
		     "does not parse");
}
END_TEST

START_TEST(case_62_the_definition_of_a_bystander_cannot_be_read)
{
	expect_fault("gpu 41 8 4\nvm a off\nvm x off unreadable", CLASS(4) VMS VM(a), "domain-unreadable",
		     GP_E_UNAVAILABLE, "domain x cannot be read");
	expect(0, "gpu 41 8 4\nvm a off c:0.vdi@41/1\nvm x off unreadable", CLASS(4) VMS VM(a), "");
}
END_TEST

START_TEST(case_63_libvirt_does_not_answer)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 0\nnolibvirt", CLASS(4) VMS VM(a));

	ck_assert_str_eq(gp_str_text(&run.digest), "41 0>4; wait: -");
	ck_assert_int_eq(the_diag(run.plan, "domains-unknown")->severity, GP_WARNING);
	ck_assert_uint_eq(run.plan->summary.vms_waiting, 0);
}
END_TEST

START_TEST(case_64_what_others_hold_is_not_given)
{
	expect(30, "gpu 41 8 8\nvm a off\nvm w off c:hand@41/0\nvm x run b:hand@41/1\ndriver 41 2 xe\nvfio 41 3 dpdk 7",
	       CLASS(8) VMS VM(a), "attach a 41/4");
}
END_TEST

START_TEST(case_65_taken_out_of_the_definition_by_hand)
{
	expect(65, "gpu 41 8 4\nvm a run l:0.vdi@41/3", CLASS(4) VMS VM(a), "attach a 41/3");
	/* Or changed there: what is plugged fits, so the definition follows it and nobody is disturbed. */
	expect(65, "gpu 41 8 4\nvm a run c:0.vdi@41/0 l:0.vdi@41/2", CLASS(4) VMS VM(a), "replace a 41/0>41/2");
}
END_TEST

START_TEST(case_66_bind_start)
{
	expect_fault("gpu 41 8 4\nvm a off", CLASS(4) VMS VM_WITH(a, "bind: start"), "bind-start", GP_E_UNSUPPORTED,
		     "bind: start");
}
END_TEST

START_TEST(case_67_several_partitions_for_one_vm)
{
	const char *want = TWO_CLASSES VMS "  - {name: a, partition: [big, {class: [small, big], vram: 2GiB}]}\n";

	expect(30, TWO_GPUS "vm a off", want, "attach a 41/0, attach a 42/0");
	expect_converges(TWO_GPUS "vm a off", want);
	/* Swapped in the file: nothing moves, the marks follow. */
	expect(46, TWO_GPUS "vm a off c:1.big@41/0 c:0.small@42/0", want, "replace a 41/0>41/0, replace a 42/0>42/0");
}
END_TEST

START_TEST(case_68_two_vms_change_places)
{
	const char *want = TWO_CLASSES VMS "  - {name: a, partition: big}\n  - {name: b, partition: small}\n";
	const char *one =
		"gpu 41 8 2\ngpu 42 8 8\nvm a off c:0.small@42/0\nvm b off c:0.big@41/0\nvm x off c:hand@41/1";

	expect(35, one, want, "take out a 42/0, replace b 41/0>42/0, replace a 42/0>41/0");
	expect_converges(one, want);
	/* In one definition, where no two may have one name. */
	expect_converges("gpu 41 8 4 vram=16\ngpu 42 8 2 vram=16\nvm a off c:0.vdi@41/0 c:1.vdi@42/0",
			 CLASS(keep) VMS "  - {name: a, partition: [{class: vdi, vram: {min: 8GiB}}, "
					 "{class: vdi, vram: {max: 4GiB}}]}\n");
	/* A row of them needs no such thing: from its free end on. */
	expect(35, "gpu 41 8 2\ngpu 42 8 8\nvm a off c:0.small@42/0\nvm b off c:0.small@42/1\nvm x off c:0.big@41/1",
	       TWO_CLASSES VMS "  - {name: a, partition: big}\n  - {name: b, partition: big}\n"
			       "  - {name: x, partition: small}\n",
	       "replace a 42/0>41/0, replace x 41/1>42/0, replace b 42/1>41/1");
}
END_TEST

/* "p:": taken out by a run that did not get to the end. */
START_TEST(case_69_an_exchange_that_was_interrupted)
{
	static const char adopt[] = CLASS(4) VMS VM_WITH(a, "adopt: true");
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off p:0.vdi@41/2", adopt);
	const struct gp_step *step = &run.plan->stages[0].chains[0].steps[0];

	/* Not the first that is free: its own. At the address that the guest knows. */
	ck_assert_str_eq(gp_str_text(&run.digest), "replace a 41/2>41/2");
	ck_assert_uint_eq(step->case_number, 69);
	ck_assert_str_eq(step->hostdev.guest_xml, "<address slot='2'/>");
	ck_assert_str_eq(step->hostdev.alias, "ua-gpupart-0-vdi");
	ck_assert_str_eq(step->replaces.alias, "ua-gpupart-0-vdi");
	ck_assert_uint_eq(run.plan->summary.taken_over, 1); /* what it had before, it has again */
	ck_assert(!run.plan->assignments[0].kept);
	expect_converges("gpu 41 8 4\nvm a off p:0.vdi@41/2", adopt);
	/* Noted, and not yet taken out: as if nothing had been begun. */
	expect(41, "gpu 41 8 4\nvm a off c:hand@41/2 p:0.vdi@41/2", adopt, "replace a 41/2>41/2");
	/* Nobody gets it meanwhile; and it goes where it was going. */
	expect(69, "gpu 41 8 4\nvm a off\nvm b off p:0.vdi@41/0", CLASS(4) VMS VM(a) VM(b),
	       "attach a 41/1 | replace b 41/0>41/0");
	expect(69, "gpu 41 8 2\ngpu 42 8 8\nvm a off p:0.small@42/5", TWO_CLASSES VMS "  - {name: a, partition: big}\n",
	       "replace a 42/5>41/0, forget a");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		case_30_a_partition_for_a_vm_that_is_off,
		case_31_running_and_defer,
		case_32_running_and_restart,
		case_33_running_and_refuse,
		case_34_has_what_it_asks_for,
		case_35_off_and_what_it_has_does_not_do,
		case_36_running_and_what_it_has_does_not_do_defer,
		case_37_running_and_what_it_has_does_not_do_restart,
		case_38_the_definition_is_right_but_not_what_is_plugged,
		case_39_the_same_with_restart,
		case_40_the_same_with_refuse,
		case_41_adopt,
		case_42_hand_made_and_not_adopted,
		case_43_more_by_hand_than_asked,
		case_44_ours_but_it_points_to_nothing,
		case_45_after_a_reboot,
		case_46_our_mark_says_otherwise,
		case_47_partition_none,
		case_48_partition_none_while_it_runs,
		case_49_a_deleted_stanza,
		case_50_a_deleted_stanza_while_it_runs,
		case_51_listed_but_not_defined_here,
		case_52_a_place_that_a_running_vm_is_giving_up,
		case_53_no_partition_fits,
		case_54_too_few_partitions,
		case_55_all_are_held_by_others,
		case_56_two_definitions_name_one_partition,
		case_57_a_saved_image,
		case_58_a_transient_vm,
		case_59_its_gpu_waits,
		case_60_one_domain_listed_twice,
		case_61_its_definition_cannot_be_read,
		case_62_the_definition_of_a_bystander_cannot_be_read,
		case_63_libvirt_does_not_answer,
		case_64_what_others_hold_is_not_given,
		case_65_taken_out_of_the_definition_by_hand,
		case_66_bind_start,
		case_67_several_partitions_for_one_vm,
		case_68_two_vms_change_places,
		case_69_an_exchange_that_was_interrupted,
	};
	return run_tests("plan_cases_vm", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of reconciler/plan/CASES.md that are about power, and about what must not be stopped: a test for each. */
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

START_TEST(case_70_power_running_and_off)
{
	expect(70, "gpu 41 8 4\nvm a off c:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "power: running"), "start a");
	expect(70, "gpu 41 8 0\nvm a off", CLASS(4) VMS VM_WITH(a, "power: running"), "41 0>4, attach a 41/0, start a");
	expect_converges("gpu 41 8 0\nvm a off", CLASS(4) VMS VM_WITH(a, "power: running"));
	expect(70, "gpu 41 8 4\nvm a crash c:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "power: running"), "start a");
}
END_TEST

START_TEST(case_71_power_running_but_its_partition_waits)
{
	expect(71, "gpu 41 8 4\nvm a off\nvm b run b:0.vdi@41/0", CLASS(8) VMS VM_WITH(a, "power: running") VM(b),
	       "; wait: b b b");
	/* With a partition that is there already it need not wait. */
	expect(70, "gpu 41 8 4\nvm a off c:0.vdi@41/1\nvm b run b:0.vdi@41/0",
	       CLASS(8) VMS VM_WITH(a, "power: running") VM(b), "start a; wait: b");
}
END_TEST

START_TEST(case_72_power_stopped_and_running)
{
	expect(72, "gpu 41 8 4\nvm a run b:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "power: stopped"), "stop a");
	/* That is permission enough for the reset of its GPU. */
	expect(72, "gpu 41 8 4\nvm a run b:0.vdi@41/0", CLASS(8) VMS VM_WITH(a, "power: stopped"),
	       "stop a, 41 4>0, 41 0>8");
	expect_converges("gpu 41 8 4\nvm a run b:0.vdi@41/0", CLASS(8) VMS VM_WITH(a, "power: stopped"));
}
END_TEST

START_TEST(case_73_power_stopped_but_protected)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm db1 run b:0.vdi@41/0",
				  CLASS(4) VMS VM_WITH(db1, "power: stopped") POLICY("protect: ['db*']"));
	const struct gp_diag *diag = the_diag(run.plan, "protected");

	ck_assert_int_eq(diag->error.kind, GP_E_REFUSED);
	ck_assert_uint_eq(diag->other.line, 6);
}
END_TEST

START_TEST(case_74_power_stopped_but_disruption_refuse)
{
	expect_fault("gpu 41 8 4\nvm a run b:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "power: stopped, disruption: refuse"),
		     "policy-refuse", GP_E_REFUSED, "power: stopped");
}
END_TEST

START_TEST(case_75_power_as_found)
{
	expect(0, "gpu 41 8 4\nvm a off c:0.vdi@41/0\nvm b run b:0.vdi@41/1", CLASS(4) VMS VM(a) VM(b), "");
	expect(0, "gpu 41 8 4\nvm a run b:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "power: running"), "");
	expect(0, "gpu 41 8 4\nvm a off c:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "power: stopped"), "");
}
END_TEST

START_TEST(case_76_we_stopped_it_and_owe_it_a_start)
{
	expect(76, "gpu 41 8 4\nvm a off c:0.vdi@41/0 mark", CLASS(4) VMS VM(a), "start a, unmark a");
	/* Whether or not a file still lists it. */
	expect(76, "gpu 41 8 4\nvm a off mark", CLASS(4), "start a, unmark a");
	/* In the middle of the work: after the stop, after the detach, after the disable. */
	expect(76, "gpu 41 8 8\nvm a off c:0.vdi@41/6 mark", CLASS(4) VMS VM(a),
	       "41 8>0, 41 0>4, replace a 41/6>41/0, start a, unmark a");
	expect(76, "gpu 41 8 8\nvm a off mark", CLASS(4) VMS VM(a), "41 8>0, 41 0>4, attach a 41/0, start a, unmark a");
	expect(76, "gpu 41 8 0\nvm a off mark", CLASS(4) VMS VM(a), "41 0>4, attach a 41/0, start a, unmark a");
	expect_converges("gpu 41 8 0\nvm a off mark", CLASS(4) VMS VM(a));
}
END_TEST

START_TEST(case_77_seen_running_so_the_mark_is_void)
{
	expect(77, "gpu 41 8 4\nvm a run b:0.vdi@41/0 mark", CLASS(4) VMS VM(a), "unmark a");
}
END_TEST

START_TEST(case_78_a_cluster_manager_runs_it)
{
	expect_fault("gpu 41 8 4\nvm a run", CLASS(4) VMS VM_WITH(a, "disruption: restart, power: external"),
		     "external", GP_E_REFUSED, "power: external");
	expect_fault("gpu 41 8 4\nvm a run b:0.vdi@41/0 external", CLASS(8) VMS VM_WITH(a, "disruption: restart"),
		     "external", GP_E_REFUSED, "pacemaker starts and stops it");
	/* Never started either, even when a mark says so. */
	expect(0, "gpu 41 8 4\nvm a off c:0.vdi@41/0 mark", CLASS(4) VMS VM_WITH(a, "power: external"), "");
}
END_TEST

START_TEST(case_79_a_cluster_manager_runs_it_and_only_its_definition_changes)
{
	expect(31, "gpu 41 8 4\nvm a run", CLASS(4) VMS VM_WITH(a, "power: external"), "attach a 41/0; wait: a");
	expect(30, "gpu 41 8 4\nvm a off", CLASS(4) VMS VM_WITH(a, "power: external"), "attach a 41/0");
}
END_TEST

START_TEST(case_80_protected)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm db1 run b:0.vdi@41/0",
				  CLASS(8) VMS VM_WITH(db1, "disruption: restart") POLICY("protect: ['db*']"));
	const struct gp_diag *diag = the_diag(run.plan, "protected");

	ck_assert_msg(strstr(diag->error.message, "protect: \"db*\"") != NULL, "%s", diag->error.message);
	ck_assert_uint_eq(diag->error.mark.line, 5);
	ck_assert_uint_eq(diag->other.line, 6);
	/* With defer it is not to be stopped, so nothing speaks against waiting. */
	expect(9, "gpu 41 8 4\nvm db1 run b:0.vdi@41/0", CLASS(8) VMS VM(db1) POLICY("protect: ['db*']"),
	       "; wait: db1");
}
END_TEST

START_TEST(case_81_a_transient_vm_would_vanish)
{
	expect_fault("gpu 41 8 4\nvm a run l:0.vdi@41/0 c:0.vdi@41/0 transient",
		     CLASS(8) VMS VM_WITH(a, "disruption: restart"), "transient", GP_E_REFUSED,
		     "its definition would vanish");
}
END_TEST

START_TEST(case_82_a_paused_vm_cannot_react)
{
	expect_fault("gpu 41 8 4\nvm a pause b:0.vdi@41/0", CLASS(8) VMS VM_WITH(a, "disruption: restart"),
		     "not-running", GP_E_REFUSED, "it is paused");
	expect(9, "gpu 41 8 4\nvm a pause b:0.vdi@41/0", CLASS(8) VMS VM(a), "; wait: a");
}
END_TEST

START_TEST(case_83_just_started_and_force_off)
{
	const char *forced = CLASS(8) VMS VM_WITH(a, "disruption: restart") POLICY("force_off: true");

	expect_fault("gpu 41 8 4\nvm a run b:0.vdi@41/0 fresh", forced, "just-started", GP_E_REFUSED,
		     "less than a minute");
	expect(10, "gpu 41 8 4\nvm a run b:0.vdi@41/0", forced, "mark a, stop a, 41 4>0, 41 0>8, start a, unmark a");
	/* It is asked only, never forced: nothing speaks against that. */
	expect(10, "gpu 41 8 4\nvm a run b:0.vdi@41/0 fresh", CLASS(8) VMS VM_WITH(a, "disruption: restart"),
	       "mark a, stop a, 41 4>0, 41 0>8, start a, unmark a");
}
END_TEST

START_TEST(case_84_more_than_at_once)
{
	const char *host = "gpu 41 8 4\nvm a run b:0.vdi@41/0\nvm b run b:0.vdi@41/1";

	expect_fault(host, CLASS(8) VMS VM(a) VM(b) POLICY("disruption: restart, at_once: 1"), "at-once", GP_E_REFUSED,
		     "2 VMs would be down at the same time");
	expect(10, host, CLASS(8) VMS VM(a) VM(b) POLICY("disruption: restart, at_once: 2"),
	       "mark a, stop a, mark b, stop b, 41 4>0, 41 0>8, start a, start b, unmark a, unmark b");
	/* VMs that have nothing to do with each other take turns. */
	expect(32, "gpu 41 8 4\nvm a run\nvm b run", CLASS(4) VMS VM(a) VM(b) POLICY("disruption: restart, at_once: 1"),
	       "mark a, stop a, attach a 41/0, start a, unmark a | mark b, stop b, attach b 41/1, start b, unmark b");
}
END_TEST

START_TEST(case_85_shutting_down_already)
{
	expect(9, "gpu 41 8 4\nvm a stop b:0.vdi@41/0", CLASS(8) VMS VM_WITH(a, "disruption: restart"), "; wait: a");
	expect(31, "gpu 41 8 4\nvm a stop", CLASS(4) VMS VM_WITH(a, "disruption: restart"), "attach a 41/0; wait: a");
	expect(0, "gpu 41 8 4\nvm a stop b:0.vdi@41/0", CLASS(4) VMS VM_WITH(a, "power: stopped"), "");
}
END_TEST

START_TEST(case_86_marked_but_to_stay_off)
{
	expect(86, "gpu 41 8 4\nvm a off c:0.vdi@41/0 mark", CLASS(4) VMS VM_WITH(a, "power: stopped"), "unmark a");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		case_70_power_running_and_off,
		case_71_power_running_but_its_partition_waits,
		case_72_power_stopped_and_running,
		case_73_power_stopped_but_protected,
		case_74_power_stopped_but_disruption_refuse,
		case_75_power_as_found,
		case_76_we_stopped_it_and_owe_it_a_start,
		case_77_seen_running_so_the_mark_is_void,
		case_78_a_cluster_manager_runs_it,
		case_79_a_cluster_manager_runs_it_and_only_its_definition_changes,
		case_80_protected,
		case_81_a_transient_vm_would_vanish,
		case_82_a_paused_vm_cannot_react,
		case_83_just_started_and_force_off,
		case_84_more_than_at_once,
		case_85_shutting_down_already,
		case_86_marked_but_to_stay_off,
	};
	return run_tests("plan_cases_power", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of reconciler/plan/CASES.md that are about VFs which are given their profiles one by one: a test for each,
 * and what these rows promise together. The GPUs are like an A16: 16 VFs; 16 × 1Q, 8 × 2Q, 4 × 4Q, 2 × 8Q or 16Q.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

#define OF(n, letter) CLASS(n, series : letter)
#define LIST(text)    "version: 1\ngpus:\n  - {class: vdi, match: {vendor: '8086'}, partitions: [" text "]}\n"
#define TWO(n, m)                                                                                                      \
	"version: 1\ngpus:\n  - {class: one, match: {address: '0000:41:00.0'}, partitions: " #n ", series: Q}\n"       \
	"  - {class: two, match: {address: '0000:42:00.0'}, partitions: " #m ", series: Q}\n" VMS
#define ONE_GPU(of_class)               "version: 1\ngpus:\n  - {class: vdi, match: {address: '0000:41:00.0'}, " of_class "}\n" VMS
#define PARAMS(n)                       ONE_GPU("partitions: " #n ", series: Q, vgpu_params: 'x=1'")
#define IN(name, class_name)            "  - {name: " #name ", partition: " #class_name "}\n"
#define IN_WITH(name, class_name, more) "  - {name: " #name ", partition: " #class_name ", " more "}\n"

#define VFIO  "gpu 41 16 16 vfio\n"
#define MDEV  "gpu 41 16 16 mdev\n"
#define MDEVS MDEV "gpu 42 16 16 mdev\n"

/* The digest; then the plan is carried out, in some order that its needs allow, and nothing may be left. */
static void expect_done(unsigned number, const char *host, const char *want, const char *digest)
{
	uint32_t random = 1;

	expect(number, host, want, digest);
	for (int order = 0; order < 4; order++) {
		GP_CLEANUP(run_clear) struct run run = run_plan(host, want);
		GP_CLEANUP(gp_str_clear) struct gp_str why = {0};

		for (int rounds = 0; run.plan->stage_count && rounds < 3; rounds++) {
			ck_assert_msg(scene_apply_in_any_order(run.scene, &run.plan->stages[0], &random, &why),
				      "%s: %s", gp_str_text(&run.digest), gp_str_text(&why));
			run_again(&run);
		}
		ck_assert_msg(run.plan->stage_count == 0 && run.plan->diags.error_count == 0, "left: %s",
			      gp_str_text(&run.digest));
	}
}

/* What is expected of the second stage is what is planned when it comes; and that is within what was approved. */
static void expect_as_expected(const char *host, const char *want)
{
	GP_CLEANUP(run_clear) struct run run = run_plan(host, want);
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};
	GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *approved = NULL;
	const char *second = strstr(gp_str_text(&run.digest), " || ");
	gp_autofree char *expected = gp_xstrdup(second ? second + strlen(" || ") : "no second stage");

	ck_assert_uint_eq(run.plan->stage_count, 2);
	ck_assert(run.plan->stages[1].expected);
	ck_assert_ptr_nonnull(run.plan->stages[0].observe_why);
	ck_assert_msg(scene_apply(run.scene, &run.plan->stages[0], &why), "%s", gp_str_text(&why));
	approved = run.plan;
	run.plan = NULL;
	run_again(&run);
	ck_assert_str_eq(gp_str_text(&run.digest), expected);
	ck_assert_msg(gp_plan_within(run.plan, approved, &why), "%s", gp_str_text(&why));
}

static bool edits_a_definition(const struct run *run)
{
	return strstr(gp_str_text(&run->digest), "attach") || strstr(gp_str_text(&run->digest), "detach") ||
	       strstr(gp_str_text(&run->digest), "replace");
}

/* ---- the VFs themselves ---- */

START_TEST(case_100_no_vfs_yet)
{
	const char *of_vfio = "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q, 41/1 +4Q, 41/2 +4Q, 41/3 +4Q, "
			      "attach a 41/0";
	const char *of_mdev = "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q a/0, attach a 41/0";

	expect_done(100, "gpu 41 16 0 vfio\nvm a off", OF(4, Q) VMS VM(a), of_vfio);
	expect_done(100, "gpu 41 16 0 mdev\nvm a off", OF(4, Q) VMS VM(a), of_mdev);
	expect_as_expected("gpu 41 16 0 vfio\nvm a off", OF(4, Q) VMS VM(a));
	expect_as_expected("gpu 41 16 0 mdev\nvm a off", OF(4, Q) VMS VM(a));
	/* Without a VM mediated devices are not made, but the VFs are. */
	expect_done(100, "gpu 41 16 0 mdev", OF(4, Q), "41 sriov-manage, 41 wait 16, 41 wait nvidia");
	/* None are asked for: then no VFs, either. */
	expect_done(6, "gpu 41 16 0 mdev", CLASS(0), "");
}
END_TEST

START_TEST(a_running_vm_is_not_stopped_before_the_second_stage)
{
	const char *want = OF(4, Q) VMS VM_WITH(a, "disruption: restart");

	expect_done(100, "gpu 41 16 0 vfio\nvm a run", want,
		    "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q, 41/1 +4Q, 41/2 +4Q, 41/3 +4Q, mark a, "
		    "stop a, attach a 41/0, start a, unmark a");
	expect_done(100, "gpu 41 16 0 mdev\nvm a run", want,
		    "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q a/0, mark a, stop a, attach a 41/0, "
		    "start a, unmark a");
	expect_as_expected("gpu 41 16 0 vfio\nvm a run", want);
	expect_as_expected("gpu 41 16 0 mdev\nvm a run", want);
}
END_TEST

/* Only what is expected hangs on the guess; what is done once VFs are there is right. */
START_TEST(a_framework_that_was_guessed_wrongly)
{
	const char *wants[] = {OF(4, Q) VMS VM(a) VM(b), OF(4, Q) VMS VM(b)};
	const char *hosts[] = {"gpu 41 16 0 vfio seems=mdev\nvm a off c:0.vdi@41/5\nvm b off",
			       "gpu 41 16 0 mdev seems=vfio\nvm a off c:0.vdi=a/0\nvm b off"};

	for (size_t h = 0; h < COUNT_OF(hosts); h++) {
		for (size_t w = 0; w < COUNT_OF(wants); w++)
			expect_converges(hosts[h], wants[w]);
	}
	for (size_t h = 0; h < COUNT_OF(hosts); h++) {
		GP_CLEANUP(run_clear) struct run run = run_plan(hosts[h], OF(4, Q) VMS VM(a));
		GP_CLEANUP(gp_str_clear) struct gp_str why = {0};

		ck_assert_uint_eq(run.plan->stages[0].chain_count, 1); /* the GPU; no VM */
		ck_assert_msg(scene_apply(run.scene, &run.plan->stages[0], &why), "%s", gp_str_text(&why));
		run_again(&run);
		ck_assert_msg(!edits_a_definition(&run), "%s", gp_str_text(&run.digest));
	}
}
END_TEST

START_TEST(case_101_completed)
{
	/* An apply was interrupted after five of eight. The definition of b has one more already. */
	expect_done(101, VFIO "vf 41 0-4 2Q\nvm a run b:0.vdi@41/2\nvm b off c:0.vdi@41/11", OF(8, Q) VMS VM(a) VM(b),
		    "41/5 +2Q, 41/6 +2Q, 41/11 +2Q");
	/* Nobody is disturbed: not those who run under any policy, nor what others have. */
	expect_done(101, VFIO "vf 41 0-4 2Q\nvm a run b:0.vdi@41/2\nvm x run b:hand@41/4\nvm y off c:hand@41/9",
		    OF(8, Q) VMS VM_WITH(a, "disruption: refuse"), "41/5 +2Q, 41/6 +2Q, 41/9 +2Q");
	/* All are there, of both kinds. */
	expect_done(3, VFIO "vf 41 0-7 2Q", OF(8, Q), "");
	expect_done(3, MDEV "vf 41 3 2Q a/0\nvm a off c:0.vdi=a/0", OF(8, Q) VMS VM(a), "");
	/* Types are set one by one: no unusable VF is chosen. */
	expect_done(4, VFIO "vf 41 0-11 unusable", OF(4, Q), "41/12 +4Q, 41/13 +4Q, 41/14 +4Q, 41/15 +4Q");
}
END_TEST

START_TEST(case_102_another_type)
{
	GP_CLEANUP(run_clear) struct run run = run_plan(VFIO "vf 41 0-3 4Q", OF(4, C));
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "41/0 -4Q, 41/1 -4Q, 41/2 -4Q, 41/3 -4Q, "
						   "41/0 +4C, 41/1 +4C, 41/2 +4C, 41/3 +4C");
	ck_assert(plan_met_case(run.plan, 102));
	ck_assert_int_eq(chain->steps[0].guard, GP_GUARD_VF_UNHELD);
	ck_assert_int_eq(chain->steps[0].disruption, GP_DISRUPTS_PARTITION);
	ck_assert_int_eq(chain->steps[7].disruption, GP_DISRUPTS_NOTHING);
	ck_assert_uint_eq(run.plan->summary.partitions_lost, 4);
	ck_assert_uint_eq(run.plan->summary.partitions_created, 4);
	/* Two of four become another one: those that nobody has. Who has one of the right type keeps it and runs on. */
	expect_done(102, VFIO "vf 41 0-3 4Q\nvm a run b:0.vdi@41/3\nvm b run b:0.vdi@41/1\nvm c off",
		    LIST("{count: 2, profile: A16-4Q}, {count: 2, profile: A16-4C}") VMS VM(a) VM(b) VM(c),
		    "41/0 -4Q, 41/2 -4Q, 41/0 +4C, 41/2 +4C, attach c 41/0");
	expect_done(5, MDEV "vf 41 0 4C x/0\nvf 41 1 4Q a/0\nvm a run b:0.vdi=a/0", OF(4, Q) VMS VM(a), "41 -x/0");
	/* Of the same size, so that nobody has to be told that all must be off. */
	GP_CLEANUP(run_clear) struct run held = run_plan(VFIO "vf 41 0-3 4Q\nvm x run b:hand@41/3", OF(4, C));
	ck_assert(the_diag(held.plan, "held-by-foreign")->other_note == NULL);
}
END_TEST

START_TEST(several_types_of_one_size)
{
	const char *want = LIST("{count: 2, profile: A16-4Q}, {count: 2, profile: A16-4C}") VMS VM(a);

	expect_done(4, VFIO "vm a off", want, "41/0 +4Q, 41/1 +4Q, 41/2 +4C, 41/3 +4C, attach a 41/0");
	expect_done(100, "gpu 41 16 0 mdev\nvm a off", want,
		    "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q a/0, attach a 41/0");
	/* Fewer than fit are fine, too: the rest stays blank. */
	expect_done(5, VFIO "vf 41 0-7 2Q", LIST("{count: 1, profile: A16-8Q}"),
		    "41/0 -2Q, 41/1 -2Q, 41/2 -2Q, 41/3 -2Q, 41/4 -2Q, 41/5 -2Q, 41/6 -2Q, 41/7 -2Q, 41/0 +8Q");
}
END_TEST

START_TEST(case_104_a_process_has_the_gpu_open)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 16 0 vfio\nclient 41 nv-hostengine 812", OF(16, Q));
	const struct gp_diag *diag = the_diag(run.plan, "gpu-in-use");

	ck_assert_int_eq(diag->severity, GP_WARNING);
	ck_assert_str_eq(diag->error.holder, "process nv-hostengine, pid 812");
	ck_assert(plan_met_case(run.plan, 100));
	ck_assert_uint_eq(run.plan->stage_count, 2);
	/* Types can be set while it is open. */
	GP_CLEANUP(run_clear) struct run made = run_plan(VFIO "client 41 nv-hostengine 812", OF(1, Q));
	ck_assert_ptr_null(diag_of(made.plan, "gpu-in-use"));
}
END_TEST

START_TEST(case_112_the_program_is_missing)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 16 0 vfio\ngpu 42 16 0 vfio\nnoprogram", OF(16, Q));
	const struct gp_diag *diag = the_diag(run.plan, "no-program");

	ck_assert_int_eq(diag->severity, GP_WARNING);
	ck_assert_ptr_nonnull(strstr(diag->error.message, "/usr/lib/nvidia/sriov-manage"));
	ck_assert(plan_met_case(run.plan, 100));
	/* What is there needs no program. */
	GP_CLEANUP(run_clear) struct run made = run_plan(VFIO "noprogram", OF(1, Q));
	ck_assert_ptr_null(diag_of(made.plan, "no-program"));
}
END_TEST

START_TEST(case_105_too_few_usable_vfs)
{
	expect_fault(VFIO "vf 41 0-13 unusable", OF(4, Q), "vfs-unusable", GP_E_UNAVAILABLE, "2 are missing");
	GP_CLEANUP(run_clear) struct run run = run_plan(VFIO "vf 41 2-15 unusable", OF(4, Q));

	ck_assert_str_eq(the_diag(run.plan, "vfs-unusable")->error.holder,
			 "vf:0000:41:00.0/2: it is bound to vfio-pci");
}
END_TEST

/* ---- another size: all have to be off ---- */

START_TEST(another_size_with_vms_that_are_off)
{
	/* They keep their VFs, though 0 to 3 would be the first; no definition is touched. */
	expect_done(8, VFIO "vf 41 0-7 2Q\nvm a off c:0.vdi@41/5\nvm b off c:0.vdi@41/6\nvm c off c:0.vdi@41/7",
		    OF(4, Q) VMS VM(a) VM(b) VM(c),
		    "41/0 -2Q, 41/1 -2Q, 41/2 -2Q, 41/3 -2Q, 41/4 -2Q, 41/5 -2Q, 41/6 -2Q, 41/7 -2Q, "
		    "41/0 +4Q, 41/5 +4Q, 41/6 +4Q, 41/7 +4Q");
	expect_done(8, MDEV "vf 41 11 1Q a/0\nvf 41 3 1Q b/0\nvm a off c:0.vdi=a/0\nvm b off c:0.vdi=b/0",
		    OF(8, Q) VMS VM(a) VM(b), "41 -b/0, 41 -a/0, 41/3 +2Q b/0, 41/11 +2Q a/0");
}
END_TEST

START_TEST(another_size_under_vms_that_run)
{
	const char *vfio = VFIO "vf 41 0-1 8Q\nvm a run b:0.vdi@41/1\nvm b off";
	const char *mdev = MDEV "vf 41 1 8Q a/0\nvm a run b:0.vdi=a/0\nvm b off";

	expect_done(9, vfio, OF(4, Q) VMS VM(a) VM(b), "; wait: a a");
	expect_done(9, mdev, OF(4, Q) VMS VM(a) VM(b), "; wait: a a");
	expect_done(10, vfio, OF(4, Q) VMS VM_WITH(a, "disruption: restart") VM(b),
		    "mark a, stop a, 41/0 -8Q, 41/1 -8Q, 41/0 +4Q, 41/1 +4Q, 41/2 +4Q, 41/3 +4Q, attach b 41/0, "
		    "start a, unmark a");
	expect_done(10, mdev, OF(4, Q) VMS VM_WITH(a, "disruption: restart") VM(b),
		    "mark a, stop a, 41 -a/0, 41/0 +4Q b/0, 41/1 +4Q a/0, attach b 41/0, start a, unmark a");
	expect_fault(vfio, OF(4, Q) VMS VM_WITH(a, "disruption: refuse"), "policy-refuse", GP_E_REFUSED,
		     "to go from 2 × A16-8Q to 4 × A16-4Q");
	expect_fault(mdev, OF(4, Q) VMS VM_WITH(a, "disruption: refuse"), "policy-refuse", GP_E_REFUSED,
		     "to go from 1 × A16-8Q to 4 × A16-4Q");
	/* Not ours to stop. */
	expect_fault(VFIO "vf 41 0-1 8Q\nvm x run b:hand@41/1", OF(4, Q), "held-by-foreign", GP_E_REFUSED,
		     "going from 2 × A16-8Q to 4 × A16-4Q takes all 2 away");
	expect_fault(MDEV "vf 41 3 8Q x/0\nvm x off c:hand=x/0", OF(4, Q), "claimed-by-foreign", GP_E_REFUSED,
		     "the definition of x");
	expect_fault(VFIO "vf 41 0-1 8Q\nnoproc", OF(4, Q), "unknown-in-use", GP_E_REFUSED, "Permission denied");
	GP_CLEANUP(run_clear) struct run held = run_plan(VFIO "vf 41 0-1 8Q\nvm x run b:hand@41/1", OF(4, Q));
	ck_assert_ptr_nonnull(strstr(the_diag(held.plan, "held-by-foreign")->other_note, "have one size"));
	/* A process that is no VM has one of them open. */
	expect_fault(VFIO "vf 41 0-1 8Q\nvfio 41 1 dpdk 77", OF(4, Q), "held-by-process", GP_E_REFUSED, "open in");
}
END_TEST

START_TEST(none_clears_the_types_and_keeps_the_vfs)
{
	expect_done(7, VFIO "vf 41 3-4 8Q", CLASS(0), "41/3 -8Q, 41/4 -8Q");
	expect(7, MDEV "vf 41 4 2Q a/0\nvm a off c:0.vdi=a/0", CLASS(0) VMS VM(a), "; error: no-partition");
	expect_done(7, MDEV "vf 41 4 2Q a/0\nvm a off c:0.vdi=a/0", CLASS(0) VMS "  - {name: a, partition: none}\n",
		    "detach a 41/4, 41 -a/0");
	expect_done(6, VFIO, CLASS(0), "");
}
END_TEST

START_TEST(keep_gives_what_is_there_to_vms)
{
	expect_done(19, VFIO "vf 41 4-7 2Q\nvm a off\nvm b off c:0.vdi@41/6", CLASS(keep) VMS VM(a) VM(b),
		    "attach a 41/4");
	expect_done(103, MDEV "vf 41 4 2Q x/0\nvf 41 5 2Q b/0\nvm a off\nvm b off c:0.vdi=b/0",
		    CLASS(keep) VMS VM(a) VM(b), "41 -x/0, 41/4 +2Q a/0, attach a 41/4");
	expect_fault(VFIO "vm a off", CLASS(keep) VMS VM(a), "no-partition", GP_E_INPUT, "has no partitions");
}
END_TEST

/* ---- after a boot ---- */

START_TEST(after_a_boot_no_definition_is_edited)
{
	const char *want = OF(4, Q) VMS VM(a) VM(b);
	const char *hosts[] = {"gpu 41 16 0 vfio\nvm a off c:0.vdi@41/5\nvm b off c:0.vdi@41/11",
			       VFIO "vm a off c:0.vdi@41/5\nvm b off c:0.vdi@41/11",
			       "gpu 41 16 0 mdev\nvm a off c:0.vdi=a/0\nvm b off c:0.vdi=b/0"};

	expect_done(100, hosts[0], want,
		    "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q, 41/1 +4Q, 41/5 +4Q, 41/11 +4Q");
	expect_done(4, hosts[1], want, "41/0 +4Q, 41/1 +4Q, 41/5 +4Q, 41/11 +4Q");
	expect_done(100, hosts[2], want, "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q a/0, 41/1 +4Q b/0");
	expect_as_expected(hosts[0], want);
	expect_as_expected(hosts[2], want);
	/* Who was running when the power went is started when its partition is there, and not before. */
	expect_done(100, "gpu 41 16 0 mdev\nvm a off mark c:0.vdi=a/0\nvm b off", want,
		    "41 sriov-manage, 41 wait 16, 41 wait nvidia || 41/0 +4Q a/0, 41/1 +4Q b/0, attach b 41/1, "
		    "start a, unmark a");
	/* Not too old for what is there already. */
	expect_done(4, "gpu 41 16 16 vfio needs=10000000\nlibvirt 9000000\nvm a off c:0.vdi@41/5", OF(1, Q) VMS VM(a),
		    "41/5 +16Q");
}
END_TEST

START_TEST(case_111_mediated_devices_are_made_again)
{
	expect_done(103, MDEV "vm a off c:0.vdi=a/0\nvm b off c:0.vdi=b/0", OF(4, Q) VMS VM(a) VM(b),
		    "41/0 +4Q a/0, 41/1 +4Q b/0");
	/* The class that its definition says is better than the one that it would be given today. */
	expect_done(103, MDEVS "vm a off c:0.two=a/0", TWO(4, 4) "  - {name: a, partition: {class: [one, two]}}\n",
		    "42/0 +4Q a/0");
	/* With a name that was taken over. */
	expect_done(103, MDEV "vm a off c:0.vdi=x/7", OF(4, Q) VMS VM(a), "41/0 +4Q ?");
	/* By hand, to be adopted, and gone: its name is all that is left. */
	expect_done(41, MDEV "vm a off c:hand=x/0", OF(4, Q) VMS VM_WITH(a, "adopt: true"),
		    "41/0 +4Q x/0, replace a ?>41/0");
}
END_TEST

/* ---- mediated devices ---- */

START_TEST(case_103_made_for_its_vm)
{
	GP_CLEANUP(run_clear) struct run run = run_plan(MDEV "vm a off", OF(4, Q) VMS VM(a));
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "41/0 +4Q a/0, attach a 41/0");
	ck_assert_uint_eq(chain->steps[0].case_number, 103);
	ck_assert_str_eq(chain->steps[0].reason.code, "vm-mdev");
	ck_assert_int_eq(chain->steps[1].hostdev.type, GP_HOSTDEV_MDEV);
	ck_assert(gp_uuid_equal(chain->steps[1].hostdev.mdev, gp_mdev_uuid(run.observed->domains[0].uuid, 0)));
	expect_done(103, MDEV "vm a off", OF(4, Q) VMS VM(a), "41/0 +4Q a/0, attach a 41/0");
	/* Released, it stays; it is used last, */
	expect_done(103, MDEV "vf 41 0 4Q a/0\nvm a off c:0.vdi=a/0\nvm b off", OF(4, Q) VMS VM(b),
		    "41/1 +4Q b/0, attach b 41/1 | detach a 41/0");
	/* and made anew for another VM; */
	expect_done(103, MDEV "vf 41 0 8Q a/0\nvf 41 1 8Q c/0\nvm a off c:0.vdi=a/0\nvm b off",
		    OF(2, Q) VMS VM(a) VM(b), "41 -c/0, 41/1 +8Q b/0, attach b 41/1");
	/* the VM gets it back when it is listed again, also when another one asks first. */
	expect_done(0, MDEV "vf 41 7 4Q a/0\nvm a off\nvm b off", OF(4, Q) VMS VM(b) VM(a),
		    "41/0 +4Q b/0, attach b 41/0, attach a 41/7");
	/* Nobody asks for it, and it is of the right type. */
	expect_done(3, MDEV "vf 41 7 4Q a/0\nvm a off", OF(4, Q), "");
}
END_TEST

START_TEST(a_left_over_that_somebody_runs_with)
{
	/* a gives it up while it runs; b waits for that, and nobody else does. */
	expect_done(52, MDEV "vf 41 0 16Q a/0\nvm a run b:0.vdi=a/0\nvm b off", OF(1, Q) VMS VM(b),
		    "detach a 41/0; wait: a a");
	expect_done(103, MDEV "vf 41 0 16Q a/0\nvm a run b:0.vdi=a/0\nvm b off",
		    OF(1, Q) VMS "  - {name: a, partition: none, disruption: restart}\n" VM(b),
		    "mark a, stop a, detach a 41/0, 41 -a/0, 41/0 +16Q b/0, attach b 41/0, start a, unmark a");
	expect_done(103, MDEV "vf 41 0 8Q a/0\nvf 41 1 8Q z/0\nvm a run b:0.vdi=a/0\nvm b off\nvm c off",
		    OF(2, Q) VMS VM(b) VM(c), "41 -z/0, 41/1 +8Q b/0, attach b 41/1 | detach a 41/0; wait: a a");
}
END_TEST

START_TEST(adoption)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan(VFIO "vf 41 0-3 4Q\nvm a off c:yes@41/2", OF(4, Q) VMS VM_WITH(a, "adopt: true"));

	/* managed='yes' would take the VF from its driver: replaced. */
	ck_assert_str_eq(gp_str_text(&run.digest), "replace a 41/2>41/2");
	ck_assert(!run.plan->stages[0].chains[0].steps[0].hostdev.managed);
	ck_assert(run.plan->stages[0].chains[0].steps[0].replaces.managed);
	expect_done(41, VFIO "vf 41 0-3 4Q\nvm a off c:yes@41/2\nvm b run b:hand@41/3",
		    OF(4, Q) VMS VM_WITH(a, "adopt: true") VM_WITH(b, "adopt: true"),
		    "replace a 41/2>41/2 | replace b 41/3>41/3");
	/* A mediated device keeps its name. */
	expect_done(41, MDEV "vf 41 2 4Q x/0\nvf 41 3 4Q y/0\nvm a off c:hand=x/0\nvm b run b:hand=y/0",
		    OF(4, Q) VMS VM_WITH(a, "adopt: true") VM_WITH(b, "adopt: true"),
		    "replace a 41/2>41/2 | replace b 41/3>41/3");
	/* One of our own names, whose mark was lost: left alone, and the VM gets one of another name. */
	expect_done(103, MDEV "vf 41 2 4Q a/0\nvm a off c:hand=a/0", OF(4, Q) VMS VM(a), "41/0 +4Q a/4, attach a 41/0");
	/* How the driver gives its VFs to VMs has changed. */
	expect_done(97, VFIO "vf 41 0-1 8Q\nvm a off c:0.vdi=a/0", OF(2, Q) VMS VM(a), "replace a ?>41/0");
	expect_done(46, MDEV "vm a off c:0.vdi@41/3", OF(2, Q) VMS VM(a), "41/3 +8Q a/0, replace a 41/3>41/3");
}
END_TEST

/* A copy of a definition names what the first one names; on a host there can be one of a name only. */
START_TEST(two_definitions_with_one_name)
{
	expect_done(103, MDEV "vf 41 2 4Q a/0\nvm a off c:0.vdi=a/0\nvm b off c:0.vdi=a/0", OF(4, Q) VMS VM(a) VM(b),
		    "41/0 +4Q b/0, replace b 41/2>41/0");
	/* Who runs with it keeps it, and the other gets the next name that follows from it. */
	expect_done(103, MDEV "vf 41 2 4Q a/0\nvm a off c:0.vdi=a/0\nvm b run b:0.vdi=a/0", OF(4, Q) VMS VM(a) VM(b),
		    "41/0 +4Q a/4, replace a 41/2>41/0");
	expect_done(103, MDEV "vm a off c:0.vdi=a/0\nvm b off c:0.vdi=a/0", OF(4, Q) VMS VM(a) VM(b),
		    "41/0 +4Q a/0, 41/1 +4Q b/0, replace b ?>41/1");
	expect_done(49, MDEV "vf 41 2 4Q a/0\nvm a off c:0.vdi=a/0\nvm b off c:0.vdi=a/0", OF(4, Q) VMS VM(b),
		    "detach a 41/2");
}
END_TEST

START_TEST(several_partitions_of_one_vm)
{
#define TWICE(name) "  - {name: " #name ", partition: [{class: vdi}, {class: vdi}]}\n"
	expect_done(103, MDEV "vm a off\nvm b off", OF(4, Q) VMS TWICE(a) VM(b),
		    "41/0 +4Q a/0, 41/1 +4Q a/1, 41/2 +4Q b/0, attach a 41/0, attach a 41/1, attach b 41/2");
	/* Fewer: the other one stays what it is, under its name. */
	expect_done(47, MDEV "vf 41 2 4Q a/0\nvf 41 3 4Q a/1\nvm a off c:0.vdi=a/0 c:1.vdi=a/1", OF(4, Q) VMS VM(a),
		    "detach a 41/3");
	/* The first one has the name of a second: then the second gets another. */
	expect_done(103, MDEV "vf 41 3 4Q a/1\nvm a off c:0.vdi=a/1", OF(4, Q) VMS TWICE(a),
		    "41/0 +4Q a/5, attach a 41/0");
	expect_done(4, VFIO "vm a off", OF(2, Q) VMS TWICE(a), "41/0 +8Q, 41/1 +8Q, attach a 41/0, attach a 41/1");
	/* One of them waits: then the definition does, and nothing is made in vain. */
	expect_done(9, MDEVS "vf 41 6 16Q a/1\nvm a run b:1.one=a/1",
		    TWO(4, 16) "  - {name: a, partition: [{class: one}, {class: two}]}\n", "; wait: a a");
}
END_TEST

START_TEST(case_107_a_type_that_suffers_no_other)
{
	expect_fault(MDEV "vm a off", OF(2, A) VMS TWICE(a), "one-per-vm", GP_E_INPUT, "can have no other");
	expect_fault(VFIO "vm a off", OF(2, B) VMS TWICE(a), "one-per-vm", GP_E_INPUT, "A16-8B");
	expect_fault(VFIO "gpu 42 16 16 vfio\nvf 42 0 4Q\nvm a off c:hand@42/0",
		     ONE_GPU("partitions: 2, series: B") VM(a), "one-per-vm", GP_E_INPUT,
		     "has vf:0000:42:00.0/0 by hand");
	expect_done(4, VFIO "vm a off", OF(1, B) VMS VM(a), "41/0 +16B, attach a 41/0");
}
END_TEST

START_TEST(case_106_other_parameters)
{
	expect_done(106, VFIO "vf 41 0-3 4Q\nvf 41 1 params=x=1\nvm a off c:0.vdi@41/1\nvm c run b:0.vdi@41/2",
		    PARAMS(4) VM(a) VM(c), "41/0 params, 41/3 params; wait: c");
	expect_done(106, MDEV "vf 41 0 4Q a/0\nvf 41 2 4Q c/0\nvm a off c:0.vdi=a/0\nvm c run b:0.vdi=c/0",
		    PARAMS(4) VM(a) VM(c), "a/0 params; wait: c");
	/* With what is made, at once; what nobody has gets them when it is made anew. */
	expect_done(103, MDEV "vf 41 5 4Q z/0\nvm a off", PARAMS(4) VM(a), "41/0 +4Q a/0, a/0 params, attach a 41/0");
	/* What goes gets none. */
	expect_done(103, MDEV "vf 41 5 8Q z/0\nvm a off", PARAMS(4) VM(a),
		    "41 -z/0, 41/0 +4Q a/0, a/0 params, attach a 41/0");
	/* Who is stopped for something else is not waited for. */
	expect_done(
		106, VFIO "gpu 42 16 16 vfio\nvf 41 0-3 4Q\nvf 42 0-3 4Q\nvm a run b:0.vdi@41/2",
		"version: 1\ngpus:\n  - {class: vdi, match: {address: '0000:41:00.0'}, partitions: 4, series: Q, "
		"vgpu_params: 'x=1'}\n  - {class: two, match: {address: '0000:42:00.0'}, partitions: 4, series: Q}\n"
		"vms:\n  - {name: a, partition: two, disruption: restart}\n",
		"mark a, stop a, 41/0 params, 41/1 params, 41/2 params, 41/3 params, replace a 41/2>42/0, "
		"start a, unmark a");
}
END_TEST

START_TEST(case_108_libvirt_is_too_old)
{
	const char *host = "gpu 41 16 16 vfio needs=10000000\nvf 41 0-1 8Q\n";
	gp_autofree char *old = gp_xasprintf("%slibvirt 9000000\nvm a off", host);
	gp_autofree char *new = gp_xasprintf("%slibvirt 10000000\nvm a off", host);
	gp_autofree char *unknown = gp_xasprintf("%svm a off", host);
	gp_autofree char *alone = gp_xasprintf("%slibvirt 9000000\nvm a off c:0.vdi@41/0", host);

	expect_fault(old, OF(2, Q) VMS VM(a), "libvirt-too-old", GP_E_UNSUPPORTED, "libvirt 9.0.0 cannot start a");
	expect_done(30, new, OF(2, Q) VMS VM(a), "attach a 41/0");
	expect_done(30, unknown, OF(2, Q) VMS VM(a), "attach a 41/0");
	expect_done(0, alone, OF(2, Q) VMS VM(a), "");
	expect_done(49, alone, OF(2, Q), "detach a 41/0");
}
END_TEST

/* ---- mediated devices that move ---- */

START_TEST(case_109_its_name_is_out_of_reach)
{
	const char *want = ONE_GPU("partitions: 4, series: Q") VM(a);

	expect_done(103, MDEVS "vf 42 3 4Q a/0\nvm a off", want, "41/0 +4Q a/4, attach a 41/0");
	expect_done(103, MDEVS "vf 42 3 4Q a/0\nvm a off c:0.vdi=a/0", want, "41/0 +4Q a/4, replace a 42/3>41/0");
	/* `keep` lets none go, either. */
	expect_done(103, MDEVS "vf 41 3 4Q a/0\nvm a off c:0.one=a/0", TWO(keep, 4) IN(a, two),
		    "42/0 +4Q a/4, replace a 41/3>42/0");
	/* The next one is there, too. */
	expect_done(103, MDEVS "vf 42 3 4Q a/0\nvf 42 4 4Q a/65536\nvm a off", want, "41/0 +4Q a/8, attach a 41/0");
}
END_TEST

#define ON_BOTH(size) MDEVS "vf 41 7 " #size " a/0\nvf 42 3 " #size " b/0\n"

START_TEST(case_110_it_moves)
{
	expect_done(103, MDEVS "vf 41 7 4Q a/0\nvm a off c:0.one=a/0", TWO(4, 4) IN(a, two),
		    "41 -a/0, 42/0 +4Q a/0, replace a 41/7>42/0");
	expect_done(103, MDEVS "vf 41 7 4Q a/0\nvm a run b:0.one=a/0", TWO(4, 4) IN_WITH(a, two, "disruption: restart"),
		    "mark a, stop a, 41 -a/0, 42/0 +4Q a/0, replace a 41/7>42/0, start a, unmark a");
	/* It has to wait: then nothing of it is done, and nobody else waits with it. */
	expect_done(110, ON_BOTH(4Q) "vm a run b:0.one=a/0\nvm b off c:0.two=b/0\nvm c off",
		    TWO(4, 4) IN(a, two) IN(b, two) IN(c, two), "42/1 +4Q c/0, attach c 42/1; wait: a");
	expect_fault(MDEVS "vf 41 7 4Q a/0\nvm a run b:0.one=a/0", TWO(4, 4) IN_WITH(a, two, "disruption: refuse"),
		     "policy-refuse", GP_E_REFUSED, "a would have to be stopped");
	/* It cannot come where it is to be: it is not taken away where it is, and its VM is not stopped in vain. */
	expect_done(59, MDEVS "vf 41 7 4Q a/0\nvf 42 3 8Q b/0\nvm a off c:0.one=a/0\nvm b run b:0.two=b/0\nvm c off",
		    TWO(4, 4) IN(a, two) IN(b, two) IN(c, one), "41/0 +4Q c/0, attach c 41/0; wait: b b");
	expect_done(9, MDEVS "vf 41 7 4Q a/0\nvf 42 3 8Q b/0\nvm a run b:0.two=a/0\nvm b run b:0.two=b/0",
		    TWO(4, 4) IN_WITH(a, two, "disruption: restart") IN(b, two), "; wait: b a");
	/* Nor is the GPU cut anew that it is on. */
	expect_done(27, MDEVS "vf 41 7 4Q a/0\nvf 42 3 8Q b/0\nvm a off c:0.one=a/0\nvm b run b:0.two=b/0",
		    TWO(8, 4) IN(a, two) IN(b, two), "; wait: b b b");
}
END_TEST

START_TEST(two_vms_change_places)
{
	const char *want = TWO(1, 1) IN(a, two) IN(b, one);

	/* Both are removed before any is made; no circle of needs, and no definition is in the way of another. */
	expect_done(103, ON_BOTH(16Q) "vm a off c:0.one=a/0\nvm b off c:0.two=b/0", want,
		    "41 -a/0, 42 -b/0, 41/7 +16Q b/0, 42/3 +16Q a/0, replace a 41/7>42/3, replace b 42/3>41/7");
	expect_done(103, ON_BOTH(16Q) "vm a run b:0.one=a/0\nvm b off c:0.two=b/0",
		    TWO(1, 1) IN_WITH(a, two, "disruption: restart") IN(b, one),
		    "mark a, stop a, 41 -a/0, 42 -b/0, 41/7 +16Q b/0, 42/3 +16Q a/0, replace a 41/7>42/3, "
		    "replace b 42/3>41/7, start a, unmark a");
	/* One runs and is waited for: both stay as they are until it is off. */
	expect_done(52, ON_BOTH(16Q) "vm a run b:0.one=a/0\nvm b off c:0.two=b/0", want, "; wait: a a");
	expect_done(52, ON_BOTH(16Q) "vm a off c:0.one=a/0\nvm b run b:0.two=b/0", want, "; wait: b b");
	/* There is room: then each goes to a blank one. */
	expect_done(103, ON_BOTH(4Q) "vm a off c:0.one=a/0\nvm b off c:0.two=b/0", TWO(4, 4) IN(a, two) IN(b, one),
		    "41 -a/0, 42 -b/0, 41/0 +4Q b/0, 42/0 +4Q a/0, replace a 41/7>42/0, replace b 42/3>41/0");
}
END_TEST

START_TEST(a_row_of_vms_that_move_on)
{
	const char *want = "version: 1\ngpus:\n"
			   "  - {class: one, match: {address: '0000:41:00.0'}, partitions: 1, series: Q}\n"
			   "  - {class: two, match: {address: '0000:42:00.0'}, partitions: 1, series: Q}\n"
			   "  - {class: three, match: {address: '0000:43:00.0'}, partitions: 1, series: Q}\n"
			   "vms:\n  - {name: a, partition: two}\n  - {name: b, partition: three}\n"
			   "  - {name: c, partition: one}\n";

	expect_done(103,
		    MDEVS "gpu 43 16 16 mdev\nvf 41 3 16Q a/0\nvf 42 3 16Q b/0\nvm a off c:0.one=a/0\n"
			  "vm b off c:0.two=b/0\nvm c off",
		    want,
		    "41 -a/0, 42 -b/0, 41/3 +16Q c/0, 42/3 +16Q a/0, 43/0 +16Q b/0, replace a 41/3>42/3, "
		    "replace b 42/3>43/0, attach c 41/3");
	expect_done(110,
		    MDEVS "gpu 43 16 16 mdev\nvf 41 3 16Q a/0\nvf 42 3 16Q b/0\nvm a off c:0.one=a/0\n"
			  "vm b run b:0.two=b/0\nvm c off",
		    want, "; wait: b b b");
}
END_TEST

/* Until there are VFs where it is to go, it stays where it is. */
START_TEST(it_moves_to_a_gpu_without_vfs)
{
	const char *host = MDEV "gpu 42 16 0 mdev\nvf 41 3 4Q a/0\nvm a off c:0.one=a/0";
	const char *running = MDEV "gpu 42 16 0 mdev\nvf 41 3 4Q a/0\nvm a run b:0.one=a/0";

	expect_done(103, host, TWO(4, 4) IN(a, two),
		    "42 sriov-manage, 42 wait 16, 42 wait nvidia || 41 -a/0, 42/0 +4Q a/0, replace a 41/3>42/0");
	expect_done(103, running, TWO(4, 4) IN_WITH(a, two, "disruption: restart"),
		    "42 sriov-manage, 42 wait 16, 42 wait nvidia || mark a, stop a, 41 -a/0, 42/0 +4Q a/0, "
		    "replace a 41/3>42/0, start a, unmark a");
	expect_as_expected(host, TWO(4, 4) IN(a, two));
	expect_as_expected(running, TWO(4, 4) IN_WITH(a, two, "disruption: restart"));
}
END_TEST

START_TEST(a_start_waits_for_its_mediated_device)
{
	/* Its definition is right, its device is not there, and cannot be made before b is off. */
	expect_done(71, MDEVS "vf 41 0 8Q b/0\nvm a off c:0.vdi=a/0\nvm b run b:0.vdi=b/0",
		    ONE_GPU("partitions: 4, series: Q") VM_WITH(a, "power: running") VM(b), "; wait: b b b");
	/* What is there for another VM does not do. */
	expect_done(71, MDEV "vf 41 0 16Q b/0\nvm a off c:0.vdi=a/0\nvm b run b:0.vdi=b/0",
		    OF(1, Q) VMS VM_WITH(a, "power: running") "  - {name: b, partition: none}\n",
		    "detach b 41/0; wait: b b b");
	expect_done(70, MDEV "vm a off c:0.vdi=a/0", OF(1, Q) VMS VM_WITH(a, "power: running"),
		    "41/0 +16Q a/0, start a");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		case_100_no_vfs_yet,
		a_running_vm_is_not_stopped_before_the_second_stage,
		a_framework_that_was_guessed_wrongly,
		case_101_completed,
		case_102_another_type,
		several_types_of_one_size,
		case_103_made_for_its_vm,
		case_104_a_process_has_the_gpu_open,
		case_112_the_program_is_missing,
		case_105_too_few_usable_vfs,
		case_106_other_parameters,
		case_107_a_type_that_suffers_no_other,
		case_108_libvirt_is_too_old,
		case_109_its_name_is_out_of_reach,
		case_110_it_moves,
		case_111_mediated_devices_are_made_again,
		another_size_with_vms_that_are_off,
		another_size_under_vms_that_run,
		none_clears_the_types_and_keeps_the_vfs,
		keep_gives_what_is_there_to_vms,
		after_a_boot_no_definition_is_edited,
		a_left_over_that_somebody_runs_with,
		adoption,
		two_definitions_with_one_name,
		several_partitions_of_one_vm,
		two_vms_change_places,
		a_row_of_vms_that_move_on,
		it_moves_to_a_gpu_without_vfs,
		a_start_waits_for_its_mediated_device,
	};

	return run_tests("plan_cases_profile", tests, COUNT_OF(tests));
}

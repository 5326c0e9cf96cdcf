/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text that a person reads before saying yes. Exact: a change of it is to be seen. */
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

static char *text_of(const char *host, const char *want, struct gp_render_options options)
{
	struct run run = run_plan(host, want);
	struct gp_str text = {0};

	gp_plan_render(run.plan, run.desired, run.observed, options, &text);
	run_clear(&run);
	return gp_str_take(&text);
}

static void expect_text(const char *host, const char *want, const char *expected)
{
	gp_autofree char *text = text_of(host, want, (struct gp_render_options){.utf8 = true});

	ck_assert_str_eq(text, expected);
}

START_TEST(in_sync)
{
	expect_text("gpu 41 8 4", CLASS(4), "No changes.\n");
	expect_text("gpu 41 8 4\nvm a run c:0.vdi@41/0", CLASS(4) VMS VM(a),
		    "No changes.\n\nWaiting\n  VM a: takes effect when it is next started"
		    "  # its definition says so (want.yaml:5)\n");
}
END_TEST

START_TEST(a_reset_with_a_restart)
{
	expect_text(
		"gpu 41 8 4\nvm a run b:0.vdi@41/2\nvm bb off", CLASS(8) VMS VM_WITH(a, "disruption: restart") VM(bb),
		"Changes to host gpu-01:\n"
		"\n"
		"GPU 0000:41:00.0  Flex, class vdi: 4 → 8 partitions  (want.yaml:3)\n"
		"   1  .  a             note that it is to be started again\n"
		"   2  !  a             stop it: ask it to shut down, wait up to 2m\n"
		"   3  -  0000:41:00.0  disable all 4 VFs (sriov_numvfs 4 → 0), only while nobody holds a VF of it\n"
		"   4  ~  0000:41:00.0  enable 8 VFs (sriov_numvfs 0 → 8)\n"
		"   5  +  bb            put vf:0000:41:00.0/0 into its definition, class vdi"
		"  # asks for class vdi (want.yaml:6)\n"
		"   6  >  a             start it  # it ran before (want.yaml:3)\n"
		"   7  .  a             it runs; forget that it was to be started\n"
		"\n"
		"Plan: 7 steps; 8 partitions made, 4 partitions taken away, 1 bound to a VM, 1 VM stopped, 1 VM "
		"started.\n"
		"Disturbs: 1 running VM is stopped (a); 4 partitions are taken away and others made.\n");
}
END_TEST

/* A step is a line, and why it is done is said once. */
START_TEST(many_alike_are_short)
{
	gp_autofree char *text = text_of(
		"gpu 41 16 16\nvm a-1 run\nvm a-2 run\nvm a-3 run\nvm a-4 run\nvm a-5 run\nvm a-6 off",
		CLASS(16) VMS "  - {names: ['a-[1-6]'], partition: vdi}\n", (struct gp_render_options){.utf8 = true});

	ck_assert_str_eq(
		text, "Changes to host gpu-01:\n"
		      "\n"
		      "VMs\n"
		      "   1  +  a-1  put vf:0000:41:00.0/0 into its definition, class vdi  # asks for class vdi "
		      "(want.yaml:5)\n"
		      "   2  +  a-2  put vf:0000:41:00.0/1 into its definition, class vdi\n"
		      "   3  +  a-3  put vf:0000:41:00.0/2 into its definition, class vdi\n"
		      "   4  +  a-4  put vf:0000:41:00.0/3 into its definition, class vdi\n"
		      "   5  +  a-5  put vf:0000:41:00.0/4 into its definition, class vdi\n"
		      "   6  +  a-6  put vf:0000:41:00.0/5 into its definition, class vdi\n"
		      "\n"
		      "Waiting\n"
		      "  5 VMs (a-1 … a-5): takes effect when it is next started  # asks for class vdi (want.yaml:5)\n"
		      "\n"
		      "Plan: 6 steps; 6 bound to VMs, 5 VMs waited for.\n"
		      "Disturbs no running VM and takes no partition away.\n");
}
END_TEST

START_TEST(what_was_made_by_hand_is_taken_over)
{
	expect_text("gpu 41 8 4\nvm a off c:hand@41/0", CLASS(4) VMS VM_WITH(a, "adopt: true"),
		    "Changes to host gpu-01:\n"
		    "\n"
		    "VMs\n"
		    "   1  ~  a  take over vf:0000:41:00.0/0 (made by hand), class vdi, at the same guest address"
		    "  # adopt: true, a partition of class vdi made by hand (want.yaml:5)\n"
		    "\n"
		    "Plan: 1 step; 1 taken over.\n"
		    "Disturbs no running VM and takes no partition away.\n");
}
END_TEST

START_TEST(a_gpu_waits_for_several)
{
	expect_text("gpu 41 8 4\nvm a run b:0.vdi@41/0\nvm b run b:0.vdi@41/1", CLASS(8) VMS VM(a) VM(b),
		    "No changes.\n\nWaiting\n  GPU 0000:41:00.0: 4 → 8 partitions, once a, b are off"
		    "  # class vdi asks for 8 partitions (want.yaml:3)\n");
}
END_TEST

START_TEST(another_look)
{
	expect_text("gpu 41 8 0 blind\nvm a off c:0.vdi@?/3", CLASS(4) VMS VM(a),
		    "Changes to host gpu-01:\n"
		    "\n"
		    "GPU 0000:41:00.0  Flex, class vdi: 0 → 4 partitions  (want.yaml:3)\n"
		    "   1  ~  0000:41:00.0  enable 4 VFs (sriov_numvfs 0 → 4)\n"
		    "\n"
		    "Then observe again: GPU 0000:41:00.0 does not tell where its VFs will be before they exist, and "
		    "definitions name VFs that are not known yet.\n"
		    "\n"
		    "Expected after that, and planned again before it is done:\n"
		    "\n"
		    "VMs\n"
		    "   2  ~  a  exchange 0000:ee:03.0 for vf:0000:41:00.0/0, class vdi, at the same guest address"
		    "  # asks for class vdi; what it names does not exist (want.yaml:5)\n"
		    "\n"
		    "Plan: 2 steps; 4 partitions made, 1 bound to a VM, 1 released.\n"
		    "Disturbs no running VM and takes no partition away.\n");
}
END_TEST

START_TEST(errors_are_counted)
{
	expect_text("gpu 41 8 4\nvm a run b:0.vdi@41/0", CLASS(8) VMS VM_WITH(a, "disruption: refuse"),
		    "Nothing will be done: 1 error, refused for the sake of what runs.\n");
	expect_text("gpu 41 8 4", CLASS(9), "Nothing will be done: 1 error.\n");
}
END_TEST

START_TEST(plain_ascii)
{
	gp_autofree char *text = text_of("gpu 41 8 4", CLASS(8), (struct gp_render_options){0});

	for (const char *at = text; *at; at++)
		ck_assert((unsigned char)*at < 0x80);
	ck_assert_ptr_nonnull(strstr(text, "4 -> 8 partitions"));
}
END_TEST

START_TEST(colour_only_when_asked)
{
	gp_autofree char *plain = text_of("gpu 41 8 4", CLASS(8), (struct gp_render_options){.utf8 = true});
	gp_autofree char *colour =
		text_of("gpu 41 8 4", CLASS(8), (struct gp_render_options){.utf8 = true, .colour = true});

	ck_assert_ptr_null(strchr(plain, '\033'));
	ck_assert_ptr_nonnull(strstr(colour, "\033[31m-\033[0m"));
}
END_TEST

START_TEST(long_lines_are_wrapped_to_the_terminal)
{
	enum { WIDTH = 60 };
	gp_autofree char *text = text_of("gpu 41 8 4\nvm a off", CLASS(8) VMS VM(a),
					 (struct gp_render_options){.utf8 = true, .width = WIDTH});

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t columns = 0;

		for (size_t i = 0; i < strcspn(line, "\n"); i++)
			columns += ((unsigned char)line[i] & 0xC0) != 0x80;
		ck_assert_uint_le(columns, WIDTH);
	}
}
END_TEST

START_TEST(one_step_as_one_line)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off", CLASS(8) VMS VM(a));
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};

	gp_step_render(&run.plan->stages[0].chains[0].steps[1], (struct gp_render_options){.utf8 = true}, &line);
	ck_assert_str_eq(gp_str_text(&line), "0000:41:00.0: enable 8 VFs (sriov_numvfs 0 → 8)");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		in_sync,
		a_reset_with_a_restart,
		many_alike_are_short,
		what_was_made_by_hand_is_taken_over,
		a_gpu_waits_for_several,
		another_look,
		errors_are_counted,
		plain_ascii,
		colour_only_when_asked,
		long_lines_are_wrapped_to_the_terminal,
		one_step_as_one_line,
	};
	return run_tests("plan_render", tests, COUNT_OF(tests));
}

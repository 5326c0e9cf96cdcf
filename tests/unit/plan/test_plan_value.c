/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan as a value: its numbers, its chains, its JSON, and comparing it with what was approved. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

START_TEST(ids_count_from_one_over_the_whole_plan_and_needs_point_back)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\ngpu 42 8 0\nvm a run b:0.vdi@41/2\nvm b off\nvm c off",
				  CLASS(8) VMS VM_WITH(a, "disruption: restart") VM(b) VM(c));
	uint32_t next = 1;

	for (size_t s = 0; s < run.plan->stage_count; s++) {
		for (size_t c = 0; c < run.plan->stages[s].chain_count; c++) {
			const struct gp_chain *chain = &run.plan->stages[s].chains[c];

			for (size_t i = 0; i < chain->step_count; i++) {
				ck_assert_uint_eq(chain->steps[i].id, next++);
				ck_assert_ptr_nonnull(chain->steps[i].what);
				ck_assert_ptr_nonnull(chain->steps[i].reason.code);
				ck_assert_ptr_nonnull(chain->steps[i].reason.text);
				ck_assert_uint_ne(chain->steps[i].case_number, 0);
				for (size_t n = 0; n < chain->steps[i].need_count; n++) {
					ck_assert_uint_lt(chain->steps[i].needs[n], chain->steps[i].id);
					ck_assert_uint_ge(chain->steps[i].needs[n], chain->steps[0].id);
				}
			}
		}
	}
	ck_assert_uint_gt(next, 5);
}
END_TEST

/* Two GPUs of one chain are worked on at the same time; the VM on both starts when both are done. */
START_TEST(a_vm_on_two_gpus_ties_them_into_one_chain)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\ngpu 42 8 4\nvm a run b:0.one@41/0 b:1.two@42/0\nvm b run b:0.two@42/1",
				  "version: 1\npolicy: {disruption: restart}\ngpus:\n"
				  "  - {class: one, match: {address: '0000:41:00.0'}, partitions: 2}\n"
				  "  - {class: two, match: {address: '0000:42:00.0'}, partitions: 2}\n" VMS
				  "  - {name: a, partition: [one, two]}\n  - {name: b, partition: two}\n");
	const struct gp_chain *chain = &run.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&run.digest), "mark a, stop a, mark b, stop b, 41 4>0, 41 0>2, 42 4>0, 42 0>2, "
						   "start a, start b, unmark a, unmark b");
	ck_assert_uint_eq(run.plan->stages[0].chain_count, 1);
	ck_assert_uint_eq(chain->vms_down, 2);
	ck_assert_uint_eq(chain->steps[4].need_count, 1); /* 41 4>0 needs the stop of a alone */
	ck_assert_uint_eq(chain->steps[4].needs[0], 2);
	ck_assert_uint_eq(chain->steps[6].need_count, 2); /* 42 4>0 needs both */
	ck_assert_uint_eq(chain->steps[8].need_count, 2); /* a starts when both GPUs are done */
	ck_assert_uint_eq(chain->steps[9].need_count, 1); /* b needs 42 alone */
	ck_assert_uint_eq(chain->steps[9].needs[0], 8);
}
END_TEST

START_TEST(gpus_without_a_common_vm_are_chains_of_their_own)
{
	expect(5, "gpu 41 8 4\ngpu 42 8 4\ngpu 43 8 0", CLASS(8), "41 4>0, 41 0>8 | 42 4>0, 42 0>8 | 43 0>8");
}
END_TEST

START_TEST(the_summary_counts_what_the_steps_do)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 8\ngpu 42 8 0\nvm a run b:0.vdi@41/6\nvm b off\nvm old off c:0.vdi@41/1",
				  CLASS(4) VMS VM_WITH(a, "disruption: restart") VM(b));
	const struct gp_plan_summary *sum = &run.plan->summary;

	ck_assert_uint_eq(sum->partitions_lost, 8);
	ck_assert_uint_eq(sum->partitions_created, 8);
	ck_assert_uint_eq(sum->bound, 2);
	ck_assert_uint_eq(sum->released, 2);
	ck_assert_uint_eq(sum->vms_stopped, 1);
	ck_assert_uint_eq(sum->vms_started, 1);
	ck_assert_uint_eq(sum->stopped_count, 1);
	ck_assert_str_eq(sum->stopped[0], "a");
}
END_TEST

START_TEST(what_is_taken_over_is_neither_bound_nor_released)
{
	GP_CLEANUP(run_clear)
	struct run run = run_plan("gpu 41 8 4\nvm a off c:hand@41/0\nvm b off c:0.cad@41/1\nvm c off",
				  CLASS(4) VMS VM_WITH(a, "adopt: true") VM(b) VM(c));
	struct json_object *json = gp_plan_to_json(run.plan), *summary, *value;

	ck_assert_str_eq(gp_str_text(&run.digest), "replace a 41/0>41/0 | replace b 41/1>41/1 | attach c 41/2");
	ck_assert_uint_eq(run.plan->summary.taken_over, 2);
	ck_assert_uint_eq(run.plan->summary.bound, 1);
	ck_assert_uint_eq(run.plan->summary.released, 0);
	json_object_object_get_ex(json, "summary", &summary);
	ck_assert(json_object_object_get_ex(summary, "taken_over", &value));
	ck_assert_int_eq(json_object_get_int(value), 2);
	json_object_put(json);
}
END_TEST

static const struct gp_step *step_of(const struct gp_plan *plan, const char *device, enum gp_step_kind kind)
{
	static const struct gp_step none = {0};

	for (size_t c = 0; plan->stage_count && c < plan->stages[0].chain_count; c++) {
		const struct gp_chain *chain = &plan->stages[0].chains[c];

		for (size_t i = 0; i < chain->step_count; i++) {
			if (chain->steps[i].kind == kind && gp_streq(chain->steps[i].device, device))
				return &chain->steps[i];
		}
	}
	ck_abort_msg("%s has no such step", device);
	return &none;
}

/* If the kernel does not make the partitions, nobody has been stopped; and if it does, nobody is off while it works. */
START_TEST(who_is_stopped_for_a_new_partition_runs_until_it_is_there)
{
	static const char restart[] = CLASS(4) VMS VM_WITH(a, "disruption: restart");
	GP_CLEANUP(run_clear) struct run fresh = run_plan("gpu 41 8 0\nvm a run", restart);
	GP_CLEANUP(run_clear) struct run marked = run_plan("gpu 41 8 0\nvm a run mark", restart);
	const struct gp_chain *chain = &fresh.plan->stages[0].chains[0];

	ck_assert_str_eq(gp_str_text(&fresh.digest), "41 0>4, mark a, stop a, attach a 41/0, start a, unmark a");
	for (size_t i = 1; i < chain->step_count; i++) {
		ck_assert_uint_eq(chain->steps[i].need_count, 1);
		ck_assert_uint_eq(chain->steps[i].needs[0], chain->steps[i - 1].id);
	}
	ck_assert_str_eq(gp_str_text(&marked.digest), "41 0>4, stop a, attach a 41/0, start a, unmark a");
	ck_assert_uint_eq(step_of(marked.plan, "a", GP_STEP_STOP)->needs[0], 1);
	/* The definition is right already, and what it names comes back: nothing but a restart. */
	expect(39, "gpu 41 8 0\nvm a run c:0.vdi@41/0", restart, "41 0>4, mark a, stop a, start a, unmark a");
	expect_converges("gpu 41 8 0\nvm a run", restart);
	expect_converges("gpu 41 8 0 blind\nvm a run c:0.vdi@?/1", restart);
}
END_TEST

START_TEST(who_holds_what_goes_is_stopped_before_it_goes)
{
	static const char both[] =
		CLASS(8) VMS VM_WITH(a, "disruption: restart") VM_WITH(b, "disruption: restart") POLICY("at_once: 2");
	static const char *const host = "gpu 41 8 4\nvm a run b:0.vdi@41/0\nvm b run";
	GP_CLEANUP(run_clear) struct run run = run_plan(host, both);

	ck_assert_str_eq(gp_str_text(&run.digest), "mark a, stop a, 41 4>0, 41 0>8, mark b, stop b, attach b 41/1, "
						   "start a, start b, unmark a, unmark b");
	ck_assert_uint_eq(step_of(run.plan, "a", GP_STEP_MARK)->need_count, 0);
	ck_assert_uint_eq(step_of(run.plan, "b", GP_STEP_MARK)->needs[0], 4);
	ck_assert_uint_eq(step_of(run.plan, "a", GP_STEP_START)->needs[0], 4);
	expect_converges(host, both);
	/* Plugged into nothing, but what its definition gives up goes with the reset. */
	expect(48, "gpu 41 8 4\nvm a run c:0.vdi@41/0 c:1.vdi@41/3", CLASS(2) VMS VM_WITH(a, "disruption: restart"),
	       "mark a, stop a, detach a 41/3, 41 4>0, 41 0>2, start a, unmark a");
	/* On one GPU it holds what goes, on the other it gets something: it is off before the first is touched. */
	expect(10, "gpu 41 8 4\ngpu 42 8 0\nvm a run b:0.one@41/0",
	       "version: 1\npolicy: {disruption: restart}\ngpus:\n"
	       "  - {class: one, match: {address: '0000:41:00.0'}, partitions: 2}\n"
	       "  - {class: two, match: {address: '0000:42:00.0'}, partitions: 2}\n" VMS
	       "  - {name: a, partition: [one, two]}\n",
	       "mark a, stop a, 41 4>0, 41 0>2, 42 0>2, attach a 42/0, start a, unmark a");
}
END_TEST

START_TEST(pack_fills_the_gpu_that_is_used)
{
	expect(30, "gpu 41 4 4\ngpu 42 4 4\nvm a off c:0.vdi@42/0\nvm b off\nvm c off", CLASS(4) VMS VM(a) VM(b) VM(c),
	       "attach b 42/1 | attach c 42/2");
	expect(30, "gpu 41 4 2\ngpu 42 4 2\nvm a off\nvm b off\nvm c off", CLASS(2) VMS VM(a) VM(b) VM(c),
	       "attach a 41/0 | attach b 41/1 | attach c 42/0");
}
END_TEST

START_TEST(spread_goes_round)
{
	expect(30, "gpu 41 4 4\ngpu 42 4 4\nvm a off c:0.vdi@41/0\nvm b off\nvm c off\nvm d off",
	       CLASS(4) VMS VM(a) VM(b) VM(c) VM(d) POLICY("placement: spread"),
	       "attach b 42/0 | attach c 41/1 | attach d 42/1");
}
END_TEST

START_TEST(nearest_to_optimal)
{
	expect(30, "gpu 41 8 2 vram=16\ngpu 42 8 4 vram=16\nvm a off",
	       "version: 1\ngpus:\n  - {class: big, match: {address: '0000:41:00.0'}, partitions: 2}\n"
	       "  - {class: small, match: {address: '0000:42:00.0'}, partitions: 4}\n" VMS
	       "  - {name: a, partition: {class: big, vram: {min: 4GiB, optimal: 4GiB, max: 8GiB}}}\n",
	       "attach a 41/0");
	expect(30, "gpu 41 8 2 vram=16\ngpu 42 8 4 vram=16\nvm a off",
	       "version: 1\ngpus:\n  - {class: any, match: {model: Flex}, partitions: keep}\n" VMS
	       "  - {name: a, partition: {class: any, vram: {min: 2GiB, optimal: 4GiB, max: 8GiB}}}\n",
	       "attach a 42/0");
}
END_TEST

/* Whoever has a partition gives way only if nothing else serves all, and then to the least harm. */
START_TEST(a_vm_moves_only_to_make_room)
{
	const char *want = "version: 1\ngpus:\n  - {class: big, match: {address: '0000:41:00.0'}, partitions: 1}\n"
			   "  - {class: small, match: {address: '0000:42:00.0'}, partitions: 1}\n" VMS
			   "  - {name: a, partition: {class: [big, small]}}\n  - {name: b, partition: big}\n";

	expect(35, "gpu 41 8 1\ngpu 42 8 1\nvm a off c:0.big@41/0\nvm b off", want,
	       "replace a 41/0>42/0, attach b 41/0");
	expect_converges("gpu 41 8 1\ngpu 42 8 1\nvm a off c:0.big@41/0\nvm b off", want);
}
END_TEST

START_TEST(json_has_the_form_that_it_promises)
{
	GP_CLEANUP(run_clear) struct run run = run_plan("gpu 41 8 4\nvm a off", CLASS(8) VMS VM(a));
	struct json_object *json = gp_plan_to_json(run.plan), *value;
	static const char *const keys[] = {"format_version", "kind",        "changed", "host",    "stages",
					   "waiting",        "assignments", "gpus",    "summary", "diagnostics"};
	size_t at = 0;

	struct json_object_iterator it = json_object_iter_begin(json), end = json_object_iter_end(json);

	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		ck_assert_uint_lt(at, COUNT_OF(keys));
		ck_assert_str_eq(json_object_iter_peek_name(&it), keys[at]);
		at++;
	}
	ck_assert_uint_eq(at, COUNT_OF(keys));
	json_object_object_get_ex(json, "changed", &value);
	ck_assert(json_object_get_boolean(value));
	json_object_object_get_ex(json, "format_version", &value);
	ck_assert_str_eq(json_object_get_string(value), "1.0");
	json_object_put(json);
}
END_TEST

START_TEST(a_plan_lives_without_what_it_was_made_from)
{
	struct run run = run_plan("gpu 41 8 4\nvm a run b:0.vdi@41/2\nvm b off",
				  CLASS(8) VMS VM_WITH(a, "disruption: restart") VM(b));
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	/* Marks point into the files; the observation is gone when an apply has looked again. */
	gp_observed_free(run.observed);
	run.observed = NULL;
	free(run.scene);
	run.scene = NULL;
	gp_plan_render(run.plan, run.desired, NULL, (struct gp_render_options){0}, &text);
	ck_assert_ptr_nonnull(strstr(gp_str_text(&text), "GPU 0000:41:00.0, class vdi: 4 -> 8 partitions"));
	struct json_object *json = gp_plan_to_json(run.plan);

	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(json), "ua-gpupart-0-vdi"));
	json_object_put(json);
	run_clear(&run);
}
END_TEST

/* ---- comparing with what was approved ---- */

static void expect_within(const char *approved_host, const char *next_host, const char *want, bool within)
{
	GP_CLEANUP(run_clear) struct run approved = run_plan(approved_host, want);
	GP_CLEANUP(run_clear) struct run next = run_plan(next_host, want);
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};

	ck_assert_msg(gp_plan_within(next.plan, approved.plan, &why) == within, "%s", gp_str_text(&why));
	ck_assert_int_eq(why.length == 0, within);
}

START_TEST(less_than_approved_is_within)
{
	const char *want = CLASS(8) VMS VM_WITH(a, "disruption: restart");

	expect_within("gpu 41 8 4\nvm a run b:0.vdi@41/0", "gpu 41 8 4\nvm a run b:0.vdi@41/0", want, true);
	expect_within("gpu 41 8 4\nvm a run b:0.vdi@41/0", "gpu 41 8 8\nvm a run b:0.vdi@41/0", want, true);
	expect_within("gpu 41 8 4\nvm a run b:0.vdi@41/0", "gpu 41 8 4\nvm a off c:0.vdi@41/0", want, true);
}
END_TEST

START_TEST(more_than_approved_is_not)
{
	const char *want = CLASS(8) VMS VM_WITH(a, "disruption: restart") VM(b);

	/* It runs now, and would have to be stopped. */
	expect_within("gpu 41 8 4\nvm a off c:0.vdi@41/0\nvm b off", "gpu 41 8 4\nvm a run b:0.vdi@41/0\nvm b off",
		      want, false);
	/* Partitions are there now that would be lost. */
	expect_within("gpu 41 8 0\nvm a off", "gpu 41 8 4\nvm a off", want, false);
	/* Refused now. */
	expect_within("gpu 41 8 4\nvm a off", "gpu 41 8 4\nvm a off\nvm x off c:hand@41/0", want, false);
	/* Somebody else's definition. */
	expect_within("gpu 41 8 8\nvm a off\nvm b off c:0.vdi@41/0", "gpu 41 8 8\nvm a off c:0.vdi@41/1\nvm b off",
		      want, false);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		ids_count_from_one_over_the_whole_plan_and_needs_point_back,
		a_vm_on_two_gpus_ties_them_into_one_chain,
		gpus_without_a_common_vm_are_chains_of_their_own,
		the_summary_counts_what_the_steps_do,
		what_is_taken_over_is_neither_bound_nor_released,
		who_is_stopped_for_a_new_partition_runs_until_it_is_there,
		who_holds_what_goes_is_stopped_before_it_goes,
		pack_fills_the_gpu_that_is_used,
		spread_goes_round,
		nearest_to_optimal,
		a_vm_moves_only_to_make_room,
		json_has_the_form_that_it_promises,
		a_plan_lives_without_what_it_was_made_from,
		less_than_approved_is_within,
		more_than_approved_is_not,
	};
	return run_tests("plan_value", tests, COUNT_OF(tests));
}

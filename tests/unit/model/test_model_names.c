/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words are an interface: files, JSON and scripts hold them. */
#include "../base/base_suite.h"
#include "model/names.h"

struct table {
	const char *const *(*words)(size_t *count);
	int (*from)(const char *word);
	int first;
	const char *expected[13];
};

static const struct table tables[] = {
	{gp_resource_words, gp_resource_from, 0, {"vram", "encode", "decode", "compute"}},
	{gp_hold_words, gp_hold_from, 0, {"not expressible", "admission", "scheduler", "hardware"}},
	{gp_policy_words, gp_policy_from, 1, {"defer", "restart", "refuse"}},
	{gp_placement_words, gp_placement_from, 1, {"pack", "spread"}},
	{gp_power_words, gp_power_from, 0, {"keep", "running", "stopped", "external"}},
	{gp_bind_words, gp_bind_from, 0, {"config", "start"}},
	{gp_match_key_words,
	 gp_match_key_from,
	 0,
	 {"address", "vendor", "device", "subsystem", "model", "slot", "numa_node"}},
	{gp_backing_words, gp_backing_from, 0, {"default", "time-sliced", "mig"}},
	{gp_domain_state_words,
	 gp_domain_state_from,
	 0,
	 {"off", "running", "paused", "stopping", "crashed", "suspended", "unknown"}},
	{gp_holder_kind_words, gp_holder_kind_from, 0, {"domain-live", "domain-config", "vfio", "driver", "client"}},
	{gp_unfit_words,
	 gp_unfit_from,
	 0,
	 {"fit", "no-sriov", "needs-backend", "no-driver", "driver", "no-mmio", "transition", "unreadable"}},
	{gp_host_kind_words, gp_host_kind_from, 0, {"live", "simulated", "captured"}},
	{gp_hostdev_type_words, gp_hostdev_type_from, 0, {"pci", "mdev"}},
	{gp_step_kind_words,
	 gp_step_kind_from,
	 0,
	 {"write", "bind", "unbind", "helper", "wait", "attach", "detach", "replace", "mark", "stop", "start",
	  "observe-again"}},
	{gp_step_base_words,
	 gp_step_base_from,
	 0,
	 {"pci", "mdev", "drm", "nvidia-proc", "debugfs", "modprobe.d", "domain"}},
	{gp_disruption_words,
	 gp_disruption_from,
	 0,
	 {"none", "partition-lost", "vm-device-gone", "vm-stopped", "driver-reload"}},
	{gp_guard_words, gp_guard_from, 0, {"none", "unheld", "vf-unheld", "no-vfs", "off"}},
};

START_TEST(every_word_is_as_documented_and_comes_back)
{
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		size_t count, expected = 0;
		const char *const *words = tables[i].words(&count);
		while (expected < COUNT_OF(tables[i].expected) && tables[i].expected[expected] != NULL)
			expected++;
		ck_assert_uint_eq(count, expected);
		for (size_t w = 0; w < count; w++) {
			ck_assert_str_eq(words[w], tables[i].expected[w]);
			ck_assert_int_eq(tables[i].from(words[w]), tables[i].first + (int)w);
		}
		ck_assert_int_eq(tables[i].from("no such word"), -1);
		ck_assert_int_eq(tables[i].from(""), -1);
		ck_assert_int_eq(tables[i].from("Pack"), -1);
	}
}
END_TEST

START_TEST(values_have_names)
{
	ck_assert_str_eq(gp_resource_name(GP_DECODE), "decode");
	ck_assert_str_eq(gp_policy_name(GP_POLICY_REFUSE), "refuse");
	ck_assert_str_eq(gp_placement_name(GP_PLACEMENT_PACK), "pack");
	ck_assert_str_eq(gp_step_kind_name(GP_STEP_OBSERVE_AGAIN), "observe-again");
	ck_assert_str_eq(gp_unfit_name(GP_UNFIT_NO_MMIO), "no-mmio");
	ck_assert_str_eq(gp_step_base_name(GP_BASE_MODPROBE), "modprobe.d");
	ck_assert_str_eq(gp_disruption_name(GP_DISRUPTS_VM), "vm-stopped");
	ck_assert_str_eq(gp_domain_state_name(GP_DOMAIN_UNKNOWN), "unknown");
}
END_TEST

START_TEST(a_value_without_a_word_has_a_name_all_the_same)
{
	ck_assert_str_eq(gp_policy_name(GP_POLICY_INHERIT), "inherit");
	ck_assert_int_eq(gp_policy_from("inherit"), -1);
	ck_assert_str_eq(gp_guard_name(GP_GUARD_COUNT), "unknown");
	ck_assert_str_eq(gp_policy_name(GP_POLICY_COUNT), "unknown");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_word_is_as_documented_and_comes_back,
		values_have_names,
		a_value_without_a_word_has_a_name_all_the_same,
	};
	return run_tests("model_names", tests, COUNT_OF(tests));
}

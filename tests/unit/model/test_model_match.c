/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../base/base_suite.h"
#include "model/observed.h"

static const struct gp_gpu flex = {
	.addr = {.bus = 0x41},
	.vendor = 0x8086,
	.device = 0x56c0,
	.subsystem_vendor = 0x8086,
	.subsystem_device = 0x4905,
	.pci_class = 0x038000,
	.vendor_name = "Intel Corporation",
	.model = "ATS-M [Data Center GPU Flex 170]",
	.slot = "4-1",
	.numa_node = 1,
};

static bool holds(enum gp_match_key key, const char *value, const struct gp_gpu *gpu)
{
	struct gp_match_term term = {.key = key, .values = &value, .value_count = 1};
	struct gp_match match = {.terms = &term, .term_count = 1};
	return gp_match_holds(&match, gpu);
}

struct row {
	enum gp_match_key key;
	const char *value;
	bool expected;
};

static void check_rows(const struct row *rows, size_t count, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(holds(rows[i].key, rows[i].value, gpu) == rows[i].expected, "key %d, value '%s'",
			      (int)rows[i].key, rows[i].value);
}

START_TEST(each_key_compares_its_own_way)
{
	static const struct row rows[] = {
		{GP_MATCH_ADDRESS, "0000:41:00.0", true},
		{GP_MATCH_ADDRESS, "41:00.0", true},
		{GP_MATCH_ADDRESS, "0001:41:00.0", false},
		{GP_MATCH_ADDRESS, "41:00.1", false},
		{GP_MATCH_ADDRESS, "41:*", true},
		{GP_MATCH_ADDRESS, "0000:4*", true},
		{GP_MATCH_ADDRESS, "*:00.0", true},
		{GP_MATCH_ADDRESS, "*", true},
		{GP_MATCH_ADDRESS, "42:*", false},
		{GP_MATCH_ADDRESS, "", false},
		{GP_MATCH_ADDRESS, "gpu", false},
		{GP_MATCH_VENDOR, "8086", true},
		{GP_MATCH_VENDOR, "0x8086", true},
		{GP_MATCH_VENDOR, "intel", true},
		{GP_MATCH_VENDOR, "Intel", true},
		{GP_MATCH_VENDOR, "nvidia", false},
		{GP_MATCH_VENDOR, "10de", false},
		{GP_MATCH_VENDOR, "matrox", false},
		{GP_MATCH_DEVICE, "56c0", true},
		{GP_MATCH_DEVICE, "0x56C0", true},
		{GP_MATCH_DEVICE, "56c1", false},
		{GP_MATCH_DEVICE, "156c0", false},
		{GP_MATCH_DEVICE, "x", false},
		{GP_MATCH_SUBSYSTEM, "8086:4905", true},
		{GP_MATCH_SUBSYSTEM, "0x8086:0x4905", true},
		{GP_MATCH_SUBSYSTEM, "4905", true},
		{GP_MATCH_SUBSYSTEM, "10de:4905", false},
		{GP_MATCH_SUBSYSTEM, "8086:4906", false},
		{GP_MATCH_SUBSYSTEM, "4906", false},
		{GP_MATCH_SUBSYSTEM, "8086:", false},
		{GP_MATCH_SUBSYSTEM, ":4905", false},
		{GP_MATCH_SUBSYSTEM, "0000000008086:4905", false},
		{GP_MATCH_MODEL, "Flex 170", true},
		{GP_MATCH_MODEL, "flex", true},
		{GP_MATCH_MODEL, "Flex 17", false},
		{GP_MATCH_MODEL, "Flex 1*", true},
		{GP_MATCH_MODEL, "Flex 140", false},
		{GP_MATCH_SLOT, "4-1", true},
		{GP_MATCH_SLOT, "4*", true},
		{GP_MATCH_SLOT, "4", false},
		{GP_MATCH_NUMA_NODE, "1", true},
		{GP_MATCH_NUMA_NODE, "0", false},
		{GP_MATCH_NUMA_NODE, "-1", false},
		{GP_MATCH_KEY_COUNT, "1", false},
	};
	check_rows(rows, COUNT_OF(rows), &flex);
}
END_TEST

START_TEST(vendors_have_names)
{
	struct gp_gpu nvidia = {.vendor = 0x10de}, amd = {.vendor = 0x1002};
	ck_assert(holds(GP_MATCH_VENDOR, "NVIDIA", &nvidia));
	ck_assert(!holds(GP_MATCH_VENDOR, "amd", &nvidia));
	ck_assert(holds(GP_MATCH_VENDOR, "AMD", &amd));
	ck_assert(holds(GP_MATCH_VENDOR, "1002", &amd));
}
END_TEST

START_TEST(similar_models_are_told_apart)
{
	static const struct {
		const char *wanted, *model;
		bool expected;
	} rows[] = {
		{"A10", "GA107GL [A10]", true},
		{"A10", "GA100 [A100 PCIe 40GB]", false},
		{"A16", "GA107GL [A2 / A16]", true},
		{"L4", "AD104GL [L4]", true},
		{"L4", "AD102GL [L40S]", false},
		{"L40", "AD102GL [L40S]", false},
		{"L40*", "AD102GL [L40S]", true},
		{"NVIDIA A16", "A16", true},
		{"nvidia L4", "L40S", false},
		{"Intel A16", "A16", false},
		{"NVIDIA", "A16", false},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct gp_gpu gpu = {.vendor = 0x10de, .model = rows[i].model};
		ck_assert_msg(holds(GP_MATCH_MODEL, rows[i].wanted, &gpu) == rows[i].expected, "%s in %s",
			      rows[i].wanted, rows[i].model);
	}
}
END_TEST

START_TEST(what_is_not_known_does_not_match)
{
	struct gp_gpu bare = {.numa_node = -1};
	ck_assert(!holds(GP_MATCH_MODEL, "*", &bare));
	ck_assert(!holds(GP_MATCH_SLOT, "*", &bare));
	ck_assert(holds(GP_MATCH_NUMA_NODE, "-1", &bare));
	ck_assert(!holds(GP_MATCH_NUMA_NODE, "0", &bare));
}
END_TEST

START_TEST(short_addresses_are_those_of_domain_zero)
{
	struct gp_gpu far = {.addr = {.domain = 1, .bus = 0x41}};
	ck_assert(!holds(GP_MATCH_ADDRESS, "41:00.0", &far));
	ck_assert(!holds(GP_MATCH_ADDRESS, "41:*", &far));
	ck_assert(holds(GP_MATCH_ADDRESS, "0001:41:*", &far));
	ck_assert(holds(GP_MATCH_ADDRESS, "*:41:00.0", &far));
}
END_TEST

START_TEST(all_terms_must_hold_and_any_value_of_a_term)
{
	const char *models[] = {"A16", "Flex 170"}, *nodes[] = {"0"}, *same_node[] = {"1"};
	struct gp_match_term terms[] = {{.key = GP_MATCH_MODEL, .values = models, .value_count = 2},
					{.key = GP_MATCH_NUMA_NODE, .values = nodes, .value_count = 1}};
	struct gp_match match = {.terms = terms, .term_count = 1};
	ck_assert(gp_match_holds(&match, &flex));
	match.term_count = 2;
	ck_assert(!gp_match_holds(&match, &flex));
	terms[1].values = same_node;
	ck_assert(gp_match_holds(&match, &flex));
	ck_assert(gp_match_holds(&(struct gp_match){0}, &flex));
}
END_TEST

START_TEST(not_keeps_out_what_fits_all_of_it)
{
	const char *model[] = {"Flex 170"}, *node[] = {"1"}, *other_node[] = {"0"};
	struct gp_match_term not_terms[] = {{.key = GP_MATCH_MODEL, .values = model, .value_count = 1},
					    {.key = GP_MATCH_NUMA_NODE, .values = other_node, .value_count = 1}};
	struct gp_match match = {.not_terms = not_terms, .not_count = 2};
	ck_assert(gp_match_holds(&match, &flex)); /* only one of them holds */
	not_terms[1].values = node;
	ck_assert(!gp_match_holds(&match, &flex));
	match.not_count = 1;
	ck_assert(!gp_match_holds(&match, &flex));
}
END_TEST

START_TEST(a_device_that_is_no_gpu_must_be_named)
{
	struct gp_gpu nic = {.addr = {.bus = 0x18}, .vendor = 0x8086, .pci_class = 0x020000, .named_only = true};
	const char *address[] = {"42:00.0", "18:00.0"}, *glob[] = {"18:*"}, *vendor[] = {"intel"};
	struct gp_match_term terms[] = {{.key = GP_MATCH_VENDOR, .values = vendor, .value_count = 1},
					{.key = GP_MATCH_ADDRESS, .values = address, .value_count = 2}};
	struct gp_match match = {.terms = terms, .term_count = 1};
	ck_assert(!gp_match_holds(&match, &nic));
	ck_assert(!gp_match_holds(&(struct gp_match){0}, &nic));
	match.term_count = 2;
	ck_assert(gp_match_holds(&match, &nic));
	ck_assert(gp_match_names_address(&match, nic.addr));
	terms[1].values = glob;
	terms[1].value_count = 1;
	ck_assert(!gp_match_holds(&match, &nic));
	ck_assert(!gp_match_names_address(&match, nic.addr));
}
END_TEST

START_TEST(an_address_under_not_names_nothing)
{
	const char *address[] = {"18:00.0"};
	struct gp_match_term term = {.key = GP_MATCH_ADDRESS, .values = address, .value_count = 1};
	struct gp_match match = {.not_terms = &term, .not_count = 1};
	ck_assert(!gp_match_names_address(&match, (struct gp_pci_addr){.bus = 0x18}));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_key_compares_its_own_way,
		vendors_have_names,
		similar_models_are_told_apart,
		what_is_not_known_does_not_match,
		short_addresses_are_those_of_domain_zero,
		all_terms_must_hold_and_any_value_of_a_term,
		not_keeps_out_what_fits_all_of_it,
		a_device_that_is_no_gpu_must_be_named,
		an_address_under_not_names_nothing,
	};
	return run_tests("model_match", tests, COUNT_OF(tests));
}

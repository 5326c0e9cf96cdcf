/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Good paths: each key ends in its field, with the place where it stands. */
#include "support.h"

#define GOOD GP_CLEANUP(gp_cleanup_gp_desired_free) struct gp_desired *

/* ---- gpus ---- */

static const char class_text[] = "version: 1\n"
				 "gpus:\n"
				 "  - class: vdi\n"
				 "    match:\n"
				 "      model: A16\n"
				 "      address: [41:00.0, 0000:C1:*]\n"
				 "      vendor: [NVIDIA, 0x8086]\n"
				 "      device: 56e0\n"
				 "      subsystem: [\"10DE:14a9\", 14a9]\n"
				 "      slot: 4\n"
				 "      numa_node: [0, 01]\n"
				 "      not: {vendor: amd, model: A2}\n"
				 "    expect: 8\n"
				 "    partitions: 4\n"
				 "    series: B\n"
				 "    disruption: restart\n"
				 "    placement: spread\n"
				 "    backing: mig\n"
				 "    scheduler: equal-share\n"
				 "    vgpu_params: a=1,b=2\n";

START_TEST(class_keys)
{
	GOOD desired = read_good(class_text, NULL);
	ck_assert_uint_eq(desired->class_count, 1);
	const struct gp_class *class_of = &desired->classes[0];
	ck_assert_str_eq(class_of->name, "vdi");
	ck_assert_place(class_of->mark, 3, 12);
	ck_assert(class_of->has_expect);
	ck_assert_uint_eq(class_of->expect, 8);
	ck_assert_place(class_of->expect_mark, 13, 13);
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_COUNT);
	ck_assert_uint_eq(class_of->count, 4);
	ck_assert_place(class_of->partitions_mark, 14, 17);
	ck_assert_str_eq(class_of->series, "B");
	ck_assert_place(class_of->series_mark, 15, 13);
	ck_assert_int_eq(class_of->disruption, GP_POLICY_RESTART);
	ck_assert_int_eq(class_of->placement, GP_PLACEMENT_SPREAD);
	ck_assert_int_eq(class_of->backing, GP_BACKING_MIG);
	ck_assert_place(class_of->backing_mark, 18, 14);
	ck_assert_str_eq(class_of->scheduler, "equal-share");
	ck_assert_place(class_of->scheduler_mark, 19, 16);
	ck_assert_str_eq(class_of->vgpu_params, "a=1,b=2");
	ck_assert_place(class_of->vgpu_params_mark, 20, 18);
}
END_TEST

static const struct gp_match_term *term_of(const struct gp_match *match, enum gp_match_key key)
{
	for (size_t i = 0; i < match->term_count; i++)
		if (match->terms[i].key == key)
			return &match->terms[i];
	ck_abort_msg("no such term");
}

static void check_term(const struct gp_match *match, enum gp_match_key key, const char *first, const char *second)
{
	const struct gp_match_term *term = term_of(match, key);
	ck_assert_str_eq(term->values[0], first);
	ck_assert_uint_eq(term->value_count, second == NULL ? 1 : 2);
	if (second != NULL)
		ck_assert_str_eq(term->values[1], second);
}

/* Texts come in one form, so that nobody else needs to know how they may be written. */
START_TEST(match_keys)
{
	GOOD desired = read_good(class_text, NULL);
	const struct gp_match *match = &desired->classes[0].match;
	ck_assert_place(match->mark, 4, 5);
	ck_assert_uint_eq(match->term_count, GP_MATCH_KEY_COUNT);
	check_term(match, GP_MATCH_MODEL, "A16", NULL);
	check_term(match, GP_MATCH_ADDRESS, "0000:41:00.0", "0000:c1:*");
	check_term(match, GP_MATCH_VENDOR, "nvidia", "8086");
	check_term(match, GP_MATCH_DEVICE, "56e0", NULL);
	check_term(match, GP_MATCH_SUBSYSTEM, "10de:14a9", "14a9");
	check_term(match, GP_MATCH_SLOT, "4", NULL);
	check_term(match, GP_MATCH_NUMA_NODE, "0", "1");
	ck_assert_place(term_of(match, GP_MATCH_MODEL)->mark, 5, 14);
	ck_assert_place(term_of(match, GP_MATCH_ADDRESS)->mark, 6, 7);
	ck_assert_uint_eq(match->not_count, 2);
	ck_assert_int_eq(match->not_terms[0].key, GP_MATCH_VENDOR);
	ck_assert_str_eq(match->not_terms[1].values[0], "A2");
	ck_assert_place(match->not_terms[1].mark, 12, 33);
}
END_TEST

START_TEST(class_defaults)
{
	GOOD desired = read_good("version: 1\ngpus: [{class: a, match: {model: X}, partitions: keep}]\n", NULL);
	const struct gp_class *class_of = &desired->classes[0];
	ck_assert(!class_of->has_expect);
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_KEEP);
	ck_assert_ptr_null(class_of->series);
	ck_assert_int_eq(class_of->disruption, GP_POLICY_INHERIT);
	ck_assert_int_eq(class_of->placement, GP_PLACEMENT_INHERIT);
	ck_assert_int_eq(class_of->backing, GP_BACKING_DEFAULT);
	ck_assert_ptr_null(class_of->scheduler);
	ck_assert_ptr_null(class_of->vgpu_params);
	ck_assert_ptr_null(class_of->match.not_terms);
}
END_TEST

START_TEST(partitions_of_all_kinds)
{
	GOOD desired = read_good("version: 1\n"
				 "gpus:\n"
				 "  - {class: none-at-all, match: {model: X}, partitions: 0}\n"
				 "  - {class: auto, match: {model: Y}, partitions: auto}\n"
				 "  - class: list\n"
				 "    match: {model: Z}\n"
				 "    partitions:\n"
				 "      - {count: 2, vram: 12GiB, compute: 50%}\n"
				 "      - {count: 1, profile: A16-4Q, compute: {engines: 3}}\n"
				 "      - {count: 4, mig: 1g.10gb}\n"
				 "      - {count: 1, vram: 25%}\n",
				 NULL);
	ck_assert_int_eq(desired->classes[0].partitions, GP_PARTITIONS_COUNT);
	ck_assert_uint_eq(desired->classes[0].count, 0);
	ck_assert_int_eq(desired->classes[1].partitions, GP_PARTITIONS_AUTO);
	const struct gp_class *list = &desired->classes[2];
	ck_assert_int_eq(list->partitions, GP_PARTITIONS_LIST);
	ck_assert_place(list->partitions_mark, 7, 5);
	ck_assert_uint_eq(list->size_count, 4);
	ck_assert_uint_eq(list->sizes[0].count, 2);
	ck_assert_int_eq(list->sizes[0].vram.unit, GP_UNIT_BYTES);
	ck_assert_uint_eq(list->sizes[0].vram.value, UINT64_C(12) << 30);
	ck_assert_int_eq(list->sizes[0].compute.unit, GP_UNIT_SHARE);
	ck_assert_uint_eq(list->sizes[0].compute.value, 500000);
	ck_assert_place(list->sizes[0].mark, 8, 9);
	ck_assert_str_eq(list->sizes[1].profile, "A16-4Q");
	ck_assert_int_eq(list->sizes[1].compute.unit, GP_UNIT_ENGINES);
	ck_assert_uint_eq(list->sizes[1].compute.value, 3);
	ck_assert_str_eq(list->sizes[2].mig, "1g.10gb");
	ck_assert_int_eq(list->sizes[3].vram.unit, GP_UNIT_SHARE);
}
END_TEST

/* Boards have names of several words, and types are named after boards. */
START_TEST(the_name_of_a_profile_may_have_blanks)
{
	static const char *const good[] = {"RTX Pro 6000 Blackwell DC-4Q", "A16-4Q", "B (x/y)_1.2+z",
					   "a23456789 123456789 123456789 123456789 123456789 123456789 1234"};
	static const char *const bad[] = {"A16-4Q ",
					  " A16-4Q",
					  " ",
					  "",
					  "A16-4Q, A16-4C",
					  "A16\\n4Q",
					  "A16:4Q",
					  "a23456789 123456789 123456789 123456789 123456789 123456789 12345"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		gp_autofree char *text = gp_xasprintf("version: 1\ngpus: [{class: a, match: {model: X}, partitions: "
						      "[{count: 1, profile: \"%s\"}]}]\n",
						      good[i]);
		GOOD desired = read_good(text, NULL);
		ck_assert_str_eq(desired->classes[0].sizes[0].profile, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		gp_autofree char *text = gp_xasprintf("version: 1\ngpus: [{class: a, match: {model: X}, partitions: "
						      "[{count: 1, profile: \"%s\"}]}]\n",
						      bad[i]);
		GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
		gp_desired_free(gp_intent_load_text("test.yaml", text, strlen(text), NULL, &diags));
		ck_assert_msg(diags.error_count == 1, "row %zu: %zu faults", i, diags.error_count);
	}
}
END_TEST

/* ---- vms ---- */

#define ONE_CLASS                                                                                                      \
	"version: 1\ngpus: [{class: vdi, match: {model: X}, partitions: 4}, {class: cad, match: {model: Y}, "          \
	"partitions: 2}]\n"

START_TEST(vm_keys)
{
	GOOD desired = read_good(ONE_CLASS "vms:\n"
					   "  - name: cad-01\n"
					   "    partition: vdi\n"
					   "    disruption: refuse\n"
					   "    power: external\n"
					   "    bind: start\n"
					   "    adopt: true\n",
				 NULL);
	ck_assert_uint_eq(desired->vm_count, 1);
	const struct gp_want_vm *vm = &desired->vms[0];
	ck_assert_str_eq(vm->name, "cad-01");
	ck_assert(!vm->by_uuid);
	ck_assert_place(vm->mark, 4, 11);
	ck_assert(!vm->release);
	ck_assert_uint_eq(vm->request_count, 1);
	ck_assert_uint_eq(vm->requests[0].class_count, 1);
	ck_assert_str_eq(vm->requests[0].classes[0], "vdi");
	ck_assert_place(vm->requests[0].mark, 5, 16);
	ck_assert(!vm->requests[0].bounds[GP_VRAM].given);
	ck_assert_int_eq(vm->disruption, GP_POLICY_REFUSE);
	ck_assert_int_eq(vm->power, GP_POWER_EXTERNAL);
	ck_assert_place(vm->power_mark, 7, 12);
	ck_assert_int_eq(vm->bind, GP_BIND_START);
	ck_assert_place(vm->bind_mark, 8, 11);
	ck_assert(vm->adopt);
}
END_TEST

START_TEST(vm_defaults_and_release)
{
	GOOD desired =
		read_good("version: 1\nvms: [{name: 4DEA22B3-1D52-D8F3-2516-782E98AB3FA0, partition: none}]\n", NULL);
	const struct gp_want_vm *vm = &desired->vms[0];
	ck_assert(vm->by_uuid);
	ck_assert_str_eq(vm->name, "4dea22b3-1d52-d8f3-2516-782e98ab3fa0");
	ck_assert_uint_eq(vm->uuid.bytes[0], 0x4d);
	ck_assert(vm->release);
	ck_assert_uint_eq(vm->request_count, 0);
	ck_assert_int_eq(vm->disruption, GP_POLICY_INHERIT);
	ck_assert_int_eq(vm->power, GP_POWER_KEEP);
	ck_assert_int_eq(vm->bind, GP_BIND_CONFIG);
	ck_assert(!vm->adopt);
}
END_TEST

static void check_amount(struct gp_amount amount, enum gp_unit unit, uint64_t value)
{
	ck_assert_int_eq(amount.unit, unit);
	ck_assert_uint_eq(amount.value, value);
}

START_TEST(bounds)
{
	GOOD desired = read_good(ONE_CLASS "vms:\n"
					   "  - name: a\n"
					   "    partition:\n"
					   "      class: [cad, vdi]\n"
					   "      vram: {min: 8GiB, optimal: 12GiB, max: 24GiB}\n"
					   "      encode: {engines: 2}\n"
					   "      decode: 12.5%\n"
					   "      compute: {min: {engines: 1}, max: {engines: 4}}\n",
				 NULL);
	const struct gp_request *request = &desired->vms[0].requests[0];
	ck_assert_place(request->mark, 5, 5);
	ck_assert_uint_eq(request->class_count, 2);
	ck_assert_str_eq(request->classes[0], "cad");
	ck_assert_str_eq(request->classes[1], "vdi");

	const struct gp_bound *vram = &request->bounds[GP_VRAM];
	ck_assert(vram->given);
	ck_assert_place(vram->mark, 7, 7);
	check_amount(vram->min, GP_UNIT_BYTES, UINT64_C(8) << 30);
	check_amount(vram->optimal, GP_UNIT_BYTES, UINT64_C(12) << 30);
	check_amount(vram->max, GP_UNIT_BYTES, UINT64_C(24) << 30);

	check_amount(request->bounds[GP_ENCODE].min, GP_UNIT_ENGINES, 2);
	ck_assert_int_eq(request->bounds[GP_ENCODE].max.unit, GP_UNIT_NONE);

	const struct gp_bound *decode = &request->bounds[GP_DECODE];
	ck_assert(decode->given);
	ck_assert_place(decode->mark, 9, 15);
	check_amount(decode->min, GP_UNIT_SHARE, 125000);
	ck_assert_int_eq(decode->optimal.unit, GP_UNIT_NONE);
	ck_assert_int_eq(decode->max.unit, GP_UNIT_NONE);

	check_amount(request->bounds[GP_COMPUTE].min, GP_UNIT_ENGINES, 1);
	check_amount(request->bounds[GP_COMPUTE].max, GP_UNIT_ENGINES, 4);
}
END_TEST

START_TEST(equal_bounds_are_in_order)
{
	GOOD desired = read_good(
		ONE_CLASS "vms: [{name: a, partition: {class: vdi, vram: {min: 8GiB, optimal: 8GiB, max: 8192MiB}}}]\n",
		NULL);
	check_amount(desired->vms[0].requests[0].bounds[GP_VRAM].max, GP_UNIT_BYTES, UINT64_C(8) << 30);
}
END_TEST

START_TEST(several_partitions)
{
	GOOD desired = read_good(ONE_CLASS "vms:\n"
					   "  - name: a\n"
					   "    partition:\n"
					   "      - vdi\n"
					   "      - {class: cad, vram: 50%}\n"
					   "      - vdi\n",
				 NULL);
	const struct gp_want_vm *vm = &desired->vms[0];
	ck_assert_uint_eq(vm->request_count, 3);
	ck_assert_str_eq(vm->requests[0].classes[0], "vdi");
	ck_assert_place(vm->requests[0].mark, 6, 9);
	ck_assert_str_eq(vm->requests[1].classes[0], "cad");
	ck_assert_place(vm->requests[1].mark, 7, 9);
	check_amount(vm->requests[1].bounds[GP_VRAM].min, GP_UNIT_SHARE, 500000);
	ck_assert_str_eq(vm->requests[2].classes[0], "vdi");
}
END_TEST

START_TEST(names_share_what_they_ask_for)
{
	GOOD desired = read_good(ONE_CLASS "vms:\n"
					   "  - names: [first, \"desktop-[08-10]\"]\n"
					   "    partition: vdi\n"
					   "    power: running\n",
				 NULL);
	ck_assert_uint_eq(desired->vm_count, 4);
	ck_assert_str_eq(desired->vms[0].name, "first");
	ck_assert_place(desired->vms[0].mark, 4, 13);
	ck_assert_str_eq(desired->vms[1].name, "desktop-08");
	ck_assert_str_eq(desired->vms[3].name, "desktop-10");
	ck_assert_place(desired->vms[3].mark, 4, 20);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_ptr_eq(desired->vms[i].requests, desired->vms[0].requests);
		ck_assert_int_eq(desired->vms[i].power, GP_POWER_RUNNING);
	}
}
END_TEST

/* What a YAML 1.1 reader would turn into numbers and truth values. */
START_TEST(names_stay_as_written)
{
	GOOD desired = read_good(ONE_CLASS "vms: [{names: [007, 1e3, on, 0x10, no], partition: vdi}]\n", NULL);
	static const char *const wanted[] = {"007", "1e3", "on", "0x10", "no"};
	ck_assert_uint_eq(desired->vm_count, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_str_eq(desired->vms[i].name, wanted[i]);
}
END_TEST

/* ---- policy, file ---- */

START_TEST(policy_keys)
{
	GOOD desired = read_good("version: 1\n"
				 "policy:\n"
				 "  disruption: refuse\n"
				 "  placement: spread\n"
				 "  at_once: 7\n"
				 "  shutdown_timeout: 1h30m\n"
				 "  force_off: true\n"
				 "  protect: [\"db-*\", web-1]\n"
				 "  sriov_manage: /opt/nvidia/sriov-manage\n",
				 NULL);
	const struct gp_policy *policy = &desired->policy;
	ck_assert_int_eq(policy->disruption, GP_POLICY_REFUSE);
	ck_assert_int_eq(policy->placement, GP_PLACEMENT_SPREAD);
	ck_assert_uint_eq(policy->at_once, 7);
	ck_assert_place(policy->at_once_mark, 5, 12);
	ck_assert_uint_eq(policy->shutdown_timeout_ms, 5400000);
	ck_assert(policy->force_off);
	ck_assert_uint_eq(policy->protect_count, 2);
	ck_assert_str_eq(policy->protect[1], "web-1");
	ck_assert_place(policy->protect_mark, 8, 3);
	ck_assert_place(policy->mark, 2, 1);
	ck_assert(gp_desired_is_protected(desired, "db-9"));
	ck_assert_str_eq(policy->sriov_manage, "/opt/nvidia/sriov-manage");
	ck_assert_place(policy->sriov_manage_mark, 9, 17);
}
END_TEST

START_TEST(policy_defaults)
{
	GOOD desired = read_good("version: 1\n", NULL);
	ck_assert_int_eq(desired->policy.disruption, GP_POLICY_DEFER);
	ck_assert_int_eq(desired->policy.placement, GP_PLACEMENT_PACK);
	ck_assert_uint_eq(desired->policy.at_once, 4);
	ck_assert_uint_eq(desired->policy.shutdown_timeout_ms, 120000);
	ck_assert(!desired->policy.force_off);
	ck_assert_uint_eq(desired->policy.protect_count, 0);
	ck_assert_ptr_null(desired->policy.sriov_manage);
	ck_assert_ptr_null(desired->policy.mark.source);
	ck_assert_uint_eq(desired->files_read, 1);
	ck_assert_uint_eq(desired->files_for_host, 1);
	ck_assert_ptr_null(desired->host);
}
END_TEST

START_TEST(hosts_by_full_or_short_name)
{
	static const struct {
		const char *hosts, *host;
		unsigned speaks;
	} cases[] = {
		{"gpu-01", "gpu-01", 1},
		{"gpu-01", "GPU-01.example.com", 1},
		{"gpu-01.example.com", "gpu-01.example.com", 1},
		{"\"gpu-*\"", "gpu-77", 1},
		{"[web, \"*.example.com\"]", "gpu-1.example.com", 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		gp_autofree char *text = gp_xasprintf("version: 1\nhosts: %s\n"
						      "vms: [{name: a, partition: none}]\n",
						      cases[i].hosts);
		GOOD desired = read_good(text, cases[i].host);
		ck_assert_uint_eq(desired->files_for_host, cases[i].speaks);
		ck_assert_uint_eq(desired->vm_count, 1);
		ck_assert_str_eq(desired->host, cases[i].host);
	}
}
END_TEST

START_TEST(keys_are_listed_in_order)
{
	GP_CLEANUP(gp_str_clear) struct gp_str keys = {0};
	gp_intent_list_keys(&keys);
	ck_assert(strstr(gp_str_text(&keys), "\ngpus[].match.not.model\n") != NULL);
	ck_assert(strstr(gp_str_text(&keys), "\nvms[].partition[].decode.min.engines\n") != NULL);
	const char *before = "";
	for (char *line = strtok(keys.text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		ck_assert_str_lt(before, line);
		before = line;
	}
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, class_keys);
	tcase_add_test(tcase, match_keys);
	tcase_add_test(tcase, class_defaults);
	tcase_add_test(tcase, partitions_of_all_kinds);
	tcase_add_test(tcase, the_name_of_a_profile_may_have_blanks);
	tcase_add_test(tcase, vm_keys);
	tcase_add_test(tcase, vm_defaults_and_release);
	tcase_add_test(tcase, bounds);
	tcase_add_test(tcase, equal_bounds_are_in_order);
	tcase_add_test(tcase, several_partitions);
	tcase_add_test(tcase, names_share_what_they_ask_for);
	tcase_add_test(tcase, names_stay_as_written);
	tcase_add_test(tcase, policy_keys);
	tcase_add_test(tcase, policy_defaults);
	tcase_add_test(tcase, hosts_by_full_or_short_name);
	tcase_add_test(tcase, keys_are_listed_in_order);
}

int main(void)
{
	return run_suite("intent_language", add_tests);
}

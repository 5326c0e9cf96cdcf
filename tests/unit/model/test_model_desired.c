/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../base/base_suite.h"
#include "model/desired.h"

#define GIB (UINT64_C(1) << 30)

static struct gp_amount bytes(uint64_t value)
{
	return (struct gp_amount){GP_UNIT_BYTES, value};
}
static struct gp_amount share(uint64_t ppm)
{
	return (struct gp_amount){GP_UNIT_SHARE, ppm};
}
static struct gp_amount engines(uint64_t value)
{
	return (struct gp_amount){GP_UNIT_ENGINES, value};
}

START_TEST(a_new_desired_state_has_the_documented_defaults)
{
	GP_CLEANUP(gp_cleanup_gp_desired_free) struct gp_desired *desired = gp_desired_new();
	ck_assert_ptr_nonnull(desired->arena);
	ck_assert_int_eq(desired->policy.disruption, GP_POLICY_DEFER);
	ck_assert_int_eq(desired->policy.placement, GP_PLACEMENT_PACK);
	ck_assert_uint_eq(desired->policy.at_once, 4);
	ck_assert_uint_eq(desired->policy.shutdown_timeout_ms, 120000);
	ck_assert(!desired->policy.force_off);
	ck_assert_uint_eq(desired->class_count + desired->vm_count + desired->files_read, 0);
	gp_desired_free(NULL);
}
END_TEST

START_TEST(the_nearest_disruption_policy_wins)
{
	struct gp_desired desired = {.policy.disruption = GP_POLICY_DEFER};
	struct gp_class silent = {.name = "a"}, strict = {.name = "b", .disruption = GP_POLICY_REFUSE};
	struct gp_want_vm quiet = {.name = "x"}, bold = {.name = "y", .disruption = GP_POLICY_RESTART};
	ck_assert_int_eq(gp_desired_disruption(&desired, NULL, NULL), GP_POLICY_DEFER);
	ck_assert_int_eq(gp_desired_disruption(&desired, &silent, &quiet), GP_POLICY_DEFER);
	ck_assert_int_eq(gp_desired_disruption(&desired, &strict, &quiet), GP_POLICY_REFUSE);
	ck_assert_int_eq(gp_desired_disruption(&desired, &strict, &bold), GP_POLICY_RESTART);
	ck_assert_int_eq(gp_desired_disruption(&desired, NULL, &bold), GP_POLICY_RESTART);
	desired.policy.disruption = GP_POLICY_RESTART;
	ck_assert_int_eq(gp_desired_disruption(&desired, &silent, NULL), GP_POLICY_RESTART);
	desired.policy.disruption = GP_POLICY_INHERIT;
	ck_assert_int_eq(gp_desired_disruption(&desired, NULL, NULL), GP_POLICY_DEFER);
}
END_TEST

START_TEST(a_class_is_found_by_its_name)
{
	struct gp_class classes[] = {{.name = "vdi"}, {.name = "cad"}};
	struct gp_desired desired = {.classes = classes, .class_count = 2};
	ck_assert_ptr_eq(gp_desired_class(&desired, "cad"), &classes[1]);
	ck_assert_ptr_null(gp_desired_class(&desired, "ca"));
	ck_assert_ptr_null(gp_desired_class(&desired, "VDI"));
}
END_TEST

START_TEST(protected_names_are_patterns)
{
	const char *protect[] = {"db-*", "mail"};
	struct gp_desired desired = {.policy = {.protect = protect, .protect_count = 2}};
	ck_assert(gp_desired_is_protected(&desired, "db-7"));
	ck_assert(gp_desired_is_protected(&desired, "mail"));
	ck_assert(!gp_desired_is_protected(&desired, "mail2"));
	ck_assert(!gp_desired_is_protected(&desired, "DB-7"));
	ck_assert(!gp_desired_is_protected(&(struct gp_desired){0}, "db-7"));
}
END_TEST

static void check_amount(struct gp_amount amount, const char *expected)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_amount_format(amount, &text);
	ck_assert_str_eq(gp_str_text(&text), expected);
}

START_TEST(amounts_read_as_they_are_written)
{
	check_amount(bytes(8 * GIB), "8GiB");
	check_amount(share(250000), "25%");
	check_amount(share(333333), "33.3%");
	check_amount(engines(1), "1 engine");
	check_amount(engines(2), "2 engines");
	check_amount((struct gp_amount){0}, "-");
}
END_TEST

static void check_bound(struct gp_bound bound, const char *expected)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_bound_format(&bound, &text);
	ck_assert_str_eq(gp_str_text(&text), expected);
}

START_TEST(bounds_read_as_a_range)
{
	check_bound((struct gp_bound){.given = true, .min = bytes(8 * GIB)}, "at least 8GiB");
	check_bound((struct gp_bound){.given = true, .max = share(500000)}, "at most 50%");
	check_bound((struct gp_bound){.given = true, .min = bytes(8 * GIB), .max = bytes(8 * GIB)}, "exactly 8GiB");
	check_bound((struct gp_bound){.given = true, .min = bytes(8 * GIB), .max = bytes(24 * GIB)}, "8GiB…24GiB");
	check_bound(
		(struct gp_bound){
			.given = true, .min = bytes(8 * GIB), .optimal = bytes(12 * GIB), .max = bytes(24 * GIB)},
		"8GiB…24GiB, best 12GiB");
	check_bound((struct gp_bound){.given = true, .optimal = engines(2)}, "best 2 engines");
	check_bound((struct gp_bound){0}, "-");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_new_desired_state_has_the_documented_defaults,
		the_nearest_disruption_policy_wins,
		a_class_is_found_by_its_name,
		protected_names_are_patterns,
		amounts_read_as_they_are_written,
		bounds_read_as_a_range,
	};
	return run_tests("model_desired", tests, COUNT_OF(tests));
}

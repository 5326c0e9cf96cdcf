/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "base_suite.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define TIB (GIB * 1024)

/* ---- bare numbers ---- */

START_TEST(decimal_numbers_are_the_whole_text)
{
	uint64_t value = 42;
	ck_assert_int_eq(gp_parse_u64("0", &value), 0);
	ck_assert_uint_eq(value, 0);
	ck_assert_int_eq(gp_parse_u64("18446744073709551615", &value), 0);
	ck_assert_uint_eq(value, UINT64_MAX);
	static const char *const bad[] = {"",
					  " 1",
					  "1 ",
					  "+1",
					  "-1",
					  "1.0",
					  "0x10",
					  "1e3",
					  "1_000",
					  "abc",
					  "12a",
					  "1\n",
					  "18446744073709551616",
					  "99999999999999999999999"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		value = 42;
		ck_assert_msg(gp_parse_u64(bad[i], &value) == -1, "'%s' was taken", bad[i]);
		ck_assert_uint_eq(value, 42);
	}
}
END_TEST

START_TEST(u32_ends_at_its_end)
{
	uint32_t value = 42;
	ck_assert_int_eq(gp_parse_u32("4294967295", &value), 0);
	ck_assert_uint_eq(value, UINT32_MAX);
	value = 42;
	ck_assert_int_eq(gp_parse_u32("4294967296", &value), -1);
	ck_assert_uint_eq(value, 42);
}
END_TEST

START_TEST(hex_numbers_with_and_without_prefix)
{
	uint32_t value = 42;
	ck_assert_int_eq(gp_parse_hex32("0x10de", &value), 0);
	ck_assert_uint_eq(value, 0x10de);
	ck_assert_int_eq(gp_parse_hex32("10DE", &value), 0);
	ck_assert_uint_eq(value, 0x10de);
	ck_assert_int_eq(gp_parse_hex32("0XffffFFFF", &value), 0);
	ck_assert_uint_eq(value, UINT32_MAX);
	static const char *const bad[] = {"", "0x", "0x0x1", "g", "-1", " 1", "1 ", "100000000", "0x1g"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		value = 42;
		ck_assert_msg(gp_parse_hex32(bad[i], &value) == -1, "'%s' was taken", bad[i]);
		ck_assert_uint_eq(value, 42);
	}
}
END_TEST

START_TEST(booleans_are_those_of_yaml_1_2)
{
	bool value = false;
	ck_assert(gp_parse_bool("true", &value) == 0 && value);
	ck_assert(gp_parse_bool("FALSE", &value) == 0 && !value);
	static const char *const bad[] = {"", "yes", "on", "1", "tRUE", "true ", "no"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_msg(gp_parse_bool(bad[i], &value) == -1, "'%s' was taken", bad[i]);
}
END_TEST

/* ---- sizes ---- */

START_TEST(sizes_are_exact)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{"0", 0},
		{"1024", 1024},
		{"1000B", 1000},
		{"8GiB", 8 * GIB},
		{"512 MiB", 512 * MIB},
		{"0.5TiB", 512 * GIB},
		{"1.5GiB", 1536 * MIB},
		{"1.500GiB", 1536 * MIB},
		{"0.25KiB", 256},
		{"0.0009765625KiB", 1},
		{"16777215TiB", 16777215 * TIB},
		{"18446744073709551615", UINT64_MAX},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t bytes = 42;
		ck_assert_msg(gp_parse_size(cases[i].text, &bytes, NULL) == 0, "'%s' was refused", cases[i].text);
		ck_assert_uint_eq(bytes, cases[i].bytes);
	}
}
END_TEST

START_TEST(what_is_no_size_is_refused)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"", "'' is not a size"},
		{"GiB", "'GiB' is not a size"},
		{"-1GiB", "'-1GiB' is not a size"},
		{"+1GiB", "'+1GiB' is not a size"},
		{" 1GiB", "' 1GiB' is not a size"},
		{"1GiB ", "'1GiB ' is not a size"},
		{"1  GiB", "'1  GiB' is not a size"},
		{"1 ", "'1 ' is not a size"},
		{".5GiB", "'.5GiB' is not a size"},
		{"1.GiB", "'1.GiB' is not a size"},
		{"1,5GiB", "'1,5GiB' is not a size"},
		{"1e3GiB", "'1e3GiB' is not a size"},
		{"0x10", "'0x10' is not a size"},
		{"8EiB", "'8EiB' is not a size"},
		{"8gib", "'8gib' has the unit 'gib'"},
		{"16777216TiB", "'16777216TiB' is larger than any size can be"},
		{"18446744073709551616", "'18446744073709551616' is larger than any size can be"},
		{"99999999999999999999GB", "'99999999999999999999GB' is larger than any size can be"},
		{"0.5", "'0.5' is not a whole number of bytes"},
		{"0.1GiB", "'0.1GiB' is not a whole number of bytes"},
		{"0.00000000000000000001TiB", "'0.00000000000000000001TiB' is not a whole number of bytes"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		uint64_t bytes = 42;
		ck_assert_msg(gp_parse_size(cases[i].text, &bytes, &err) == -1, "'%s' was taken", cases[i].text);
		ck_assert_uint_eq(bytes, 42);
		ck_assert_int_eq(err.kind, GP_E_INPUT);
		ck_assert_str_eq(err.message, cases[i].message);
	}
}
END_TEST

START_TEST(decimal_units_are_refused_with_both_meanings)
{
	static const struct {
		const char *text;
		const char *message;
		const char *remedy;
	} cases[] = {
		{"8GB", "'8GB' could mean 8GiB (8589934592 bytes) or about 7629MiB (8000000000 bytes)",
		 "write 8GiB or 7629MiB"},
		{"8g", "'8g' could mean 8GiB (8589934592 bytes) or about 7629MiB (8000000000 bytes)",
		 "write 8GiB or 7629MiB"},
		{"1.5 TB", "'1.5 TB' could mean 1536GiB (1649267441664 bytes) or about 1397GiB (1500000000000 bytes)",
		 "write 1536GiB or 1397GiB"},
		{"512M", "'512M' could mean 512MiB (536870912 bytes) or about 488MiB (512000000 bytes)",
		 "write 512MiB or 488MiB"},
		{"64kB", "'64kB' could mean 64KiB (65536 bytes) or about 64000B (64000 bytes)",
		 "write 64KiB or 64000B"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		uint64_t bytes = 42;
		ck_assert_int_eq(gp_parse_size(cases[i].text, &bytes, &err), -1);
		ck_assert_str_eq(err.message, cases[i].message);
		ck_assert_str_eq(err.remedy, cases[i].remedy);
	}
}
END_TEST

START_TEST(sizes_print_short_and_come_back)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0B"},         {1000, "1000B"}, {1024, "1KiB"},          {1536 * MIB, "1536MiB"},
		{8 * GIB, "8GiB"}, {TIB, "1TiB"},   {1024 * TIB, "1024TiB"}, {UINT64_MAX, "18446744073709551615B"}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str str = {0};
		gp_add_size(&str, cases[i].bytes);
		ck_assert_str_eq(gp_str_text(&str), cases[i].text);
		uint64_t back = 42;
		ck_assert_int_eq(gp_parse_size(gp_str_text(&str), &back, NULL), 0);
		ck_assert_uint_eq(back, cases[i].bytes);
	}
}
END_TEST

/* ---- shares ---- */

START_TEST(shares_are_millionths)
{
	static const struct {
		const char *text;
		uint32_t ppm;
	} cases[] = {{"25%", 250000}, {"12.5%", 125000},    {"100%", 1000000}, {"100.0%", 1000000},
		     {"0.0001%", 1},  {"33.3333%", 333333}, {"1%", 10000},     {"4.10%", 41000}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint32_t ppm = 42;
		ck_assert_msg(gp_parse_share(cases[i].text, &ppm, NULL) == 0, "'%s' was refused", cases[i].text);
		ck_assert_uint_eq(ppm, cases[i].ppm);
	}
}
END_TEST

START_TEST(what_is_no_share_is_refused)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"", "'' is not a share"},
		{"%", "'%' is not a share"},
		{"25", "'25' has no '%' sign"},
		{"0.25", "'0.25' has no '%' sign"},
		{"25 %", "'25 %' is not a share"},
		{"-5%", "'-5%' is not a share"},
		{"25%%", "'25%%' is not a share"},
		{"0%", "'0%' is nothing"},
		{"0.0%", "'0.0%' is nothing"},
		{"100.0001%", "'100.0001%' is more than the whole"},
		{"101%", "'101%' is more than the whole"},
		{"99999999999999999999%", "'99999999999999999999%' is more than the whole"},
		{"0.00001%", "'0.00001%' is finer than the smallest share, 0.0001%"},
		{"1.00000000000000000000001%",
		 "'1.00000000000000000000001%' is finer than the smallest share, 0.0001%"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		uint32_t ppm = 42;
		ck_assert_msg(gp_parse_share(cases[i].text, &ppm, &err) == -1, "'%s' was taken", cases[i].text);
		ck_assert_uint_eq(ppm, 42);
		ck_assert_int_eq(err.kind, GP_E_INPUT);
		ck_assert_str_eq(err.message, cases[i].message);
	}
}
END_TEST

START_TEST(shares_print_short_and_never_round_to_an_end)
{
	static const struct {
		uint64_t ppm;
		const char *text;
	} cases[] = {{0, "0%"},         {250000, "25%"}, {125000, "12.5%"}, {122500, "12.25%"},   {333333, "33.3%"},
		     {666667, "66.7%"}, {41667, "4.2%"}, {1000000, "100%"}, {999999, "99.9999%"}, {1, "0.0001%"},
		     {50, "0.005%"}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str str = {0};
		gp_add_share(&str, cases[i].ppm);
		ck_assert_str_eq(gp_str_text(&str), cases[i].text);
	}
}
END_TEST

/* ---- durations ---- */

START_TEST(durations_are_milliseconds)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {{"120s", 120000}, {"2m", 120000},    {"1h30m", 5400000}, {"500ms", 500},
		     {"0s", 0},        {"7d", 604800000}, {"1m1ms", 60001},   {"168h", 604800000}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t ms = 42;
		ck_assert_msg(gp_parse_duration(cases[i].text, &ms, NULL) == 0, "'%s' was refused", cases[i].text);
		ck_assert_uint_eq(ms, cases[i].ms);
	}
}
END_TEST

START_TEST(what_is_no_duration_is_refused)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"", "'' is not a duration"},
		{"s", "'s' is not a duration"},
		{"120", "'120' has no unit"},
		{"1h30", "'1h30' has no unit"},
		{"-1s", "'-1s' is not a duration"},
		{"1.5h", "'1.5h' is not a duration"},
		{"1 h", "'1 h' is not a duration"},
		{"1h 30m", "'1h 30m' is not a duration"},
		{"30m1h", "'30m1h' is not a duration"},
		{"1h1h", "'1h1h' is not a duration"},
		{"1w", "'1w' is not a duration"},
		{"1H", "'1H' is not a duration"},
		{"1hm", "'1hm' is not a duration"},
		{"7d1ms", "'7d1ms' is longer than 7 days"},
		{"18446744073709551615d", "'18446744073709551615d' is longer than 7 days"},
		{"99999999999999999999s", "'99999999999999999999s' is longer than 7 days"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		uint64_t ms = 42;
		ck_assert_msg(gp_parse_duration(cases[i].text, &ms, &err) == -1, "'%s' was taken", cases[i].text);
		ck_assert_uint_eq(ms, 42);
		ck_assert_str_eq(err.message, cases[i].message);
	}
}
END_TEST

START_TEST(durations_print_and_come_back)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {{0, "0s"}, {500, "500ms"}, {120000, "2m"}, {5400000, "1h30m"}, {90061001, "1d1h1m1s1ms"}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str str = {0};
		gp_add_duration(&str, cases[i].ms);
		ck_assert_str_eq(gp_str_text(&str), cases[i].text);
		uint64_t back = 42;
		ck_assert_int_eq(gp_parse_duration(gp_str_text(&str), &back, NULL), 0);
		ck_assert_uint_eq(back, cases[i].ms);
	}
}
END_TEST

START_TEST(a_huge_text_is_not_repeated_in_full)
{
	GP_CLEANUP(gp_str_clear) struct gp_str huge = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	uint64_t value;
	uint32_t ppm;
	gp_str_add_repeated(&huge, 'x', 1000 * 1000);
	ck_assert_int_eq(gp_parse_size(gp_str_text(&huge), &value, &err), -1);
	ck_assert_uint_lt(strlen(err.message), 200);
	ck_assert_int_eq(gp_parse_share(gp_str_text(&huge), &ppm, &err), -1);
	ck_assert_uint_lt(strlen(err.message), 200);
	ck_assert_int_eq(gp_parse_duration(gp_str_text(&huge), &value, &err), -1);
	ck_assert_uint_lt(strlen(err.message), 200);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		decimal_numbers_are_the_whole_text,
		u32_ends_at_its_end,
		hex_numbers_with_and_without_prefix,
		booleans_are_those_of_yaml_1_2,
		sizes_are_exact,
		what_is_no_size_is_refused,
		decimal_units_are_refused_with_both_meanings,
		sizes_print_short_and_come_back,
		shares_are_millionths,
		what_is_no_share_is_refused,
		shares_print_short_and_never_round_to_an_end,
		durations_are_milliseconds,
		what_is_no_duration_is_refused,
		durations_print_and_come_back,
		a_huge_text_is_not_repeated_in_full,
	};
	return run_tests("base/num", tests, COUNT_OF(tests));
}

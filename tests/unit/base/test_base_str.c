/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "base_suite.h"

/* ---- the growing string ---- */

START_TEST(an_untouched_string_is_empty_and_not_null)
{
	struct gp_str str = {0};
	ck_assert_str_eq(gp_str_text(&str), "");
	char *text = gp_str_take(&str);
	ck_assert_str_eq(text, "");
	free(text);
	gp_str_clear(&str);
}
END_TEST

START_TEST(a_string_grows_by_all_ways_of_adding)
{
	GP_CLEANUP(gp_str_clear) struct gp_str str = {0};
	gp_str_add(&str, "ab");
	gp_str_add_n(&str, "cdXX", 2);
	gp_str_add_char(&str, 'e');
	gp_str_add_repeated(&str, '-', 3);
	gp_str_printf(&str, "%s=%d", "f", 7);
	ck_assert_str_eq(gp_str_text(&str), "abcde---f=7");
	ck_assert_uint_eq(str.length, strlen("abcde---f=7"));
}
END_TEST

START_TEST(printf_works_across_every_capacity)
{
	for (int width = 1; width < 600; width += 7) {
		GP_CLEANUP(gp_str_clear) struct gp_str str = {0};
		gp_str_printf(&str, "<%*d>", width, 5);
		gp_str_printf(&str, "%*d", width, 6);
		ck_assert_uint_eq(str.length, (size_t)width * 2 + 2);
		ck_assert_int_eq(str.text[width], '5');
		ck_assert_int_eq(str.text[str.length - 1], '6');
		ck_assert_int_eq(str.text[str.length], '\0');
	}
}
END_TEST

START_TEST(a_taken_string_leaves_an_empty_one)
{
	struct gp_str str = {0};
	gp_str_add(&str, "mine");
	char *text = gp_str_take(&str);
	ck_assert_str_eq(text, "mine");
	ck_assert_ptr_null(str.text);
	ck_assert_uint_eq(str.length, 0);
	free(text);
}
END_TEST

START_TEST(padding_counts_characters_of_the_last_line)
{
	GP_CLEANUP(gp_str_clear) struct gp_str str = {0};
	gp_str_add(&str, "a longer first line\nmüß");
	gp_str_pad_to(&str, 5);
	gp_str_add(&str, "|");
	gp_str_pad_to(&str, 3); /* already wider: nothing is added, nothing is cut */
	ck_assert_str_eq(gp_str_text(&str), "a longer first line\nmüß  |");
}
END_TEST

/* ---- UTF-8 ---- */

START_TEST(utf8_is_read_strictly)
{
	static const struct {
		const char *bytes;
		uint32_t code;
		size_t length;
	} cases[] = {
		{"A", 'A', 1},
		{"\xC3\xA4", 0xE4, 2},
		{"\xE2\x82\xAC", 0x20AC, 3},
		{"\xF0\x9F\x98\x80", 0x1F600, 4},
		{"\xF4\x8F\xBF\xBF", 0x10FFFF, 4},
		{"\xC0\x80", GP_UTF8_INVALID, 1},         /* overlong NUL */
		{"\xE0\x80\xAF", GP_UTF8_INVALID, 1},     /* overlong slash */
		{"\xF0\x80\x80\xAF", GP_UTF8_INVALID, 1}, /* the same, longer still */
		{"\xED\xA0\x80", GP_UTF8_INVALID, 1},     /* half a surrogate pair */
		{"\xF4\x90\x80\x80", GP_UTF8_INVALID, 1}, /* behind the last plane */
		{"\x80", GP_UTF8_INVALID, 1},             /* a trail without its lead */
		{"\xE2\x82", GP_UTF8_INVALID, 1},         /* cut short */
		{"\xFF", GP_UTF8_INVALID, 1},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint32_t code = 0;
		ck_assert_uint_eq(gp_utf8_next(cases[i].bytes, strlen(cases[i].bytes), &code), cases[i].length);
		ck_assert_uint_eq(code, cases[i].code);
		char back[4];
		if (code == GP_UTF8_INVALID)
			continue;
		ck_assert_uint_eq(gp_utf8_put(back, code), cases[i].length);
		ck_assert_mem_eq(back, cases[i].bytes, cases[i].length);
	}
	uint32_t code;
	ck_assert_uint_eq(gp_utf8_next("", 0, &code), 0);
	ck_assert_uint_eq(gp_utf8_next("", 1, &code), 1); /* a NUL is a character like another */
	ck_assert_uint_eq(code, 0);
}
END_TEST

START_TEST(text_from_outside_is_shown_without_its_poison)
{
	static const struct {
		const char *raw;
		const char *shown;
	} cases[] = {
		{"plain ä €", "plain ä €"},
		{"\033[31mred", "\\x1b[31mred"},
		{"two\nlines\ttab", "two\\x0alines\\x09tab"},
		{"\xC2\x9B"
		 "31m",
		 "\\x9b31m"}, /* CSI as one character */
		{"a\xFFz", "a\\xffz"},
		{"\x7F", "\\x7f"},
		{"\xE2\x80\xAEgpj.exe", "\\u202egpj.exe"}, /* turns the writing direction */
		{"zero\xE2\x80\x8Bwidth", "zero\\u200bwidth"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str str = {0};
		gp_str_add_shown(&str, cases[i].raw);
		ck_assert_str_eq(gp_str_text(&str), cases[i].shown);
	}
}
END_TEST

/* ---- comparing ---- */

START_TEST(null_equals_only_null)
{
	ck_assert(gp_streq(NULL, NULL));
	ck_assert(!gp_streq(NULL, ""));
	ck_assert(!gp_streq("", NULL));
	ck_assert(gp_streq("a", "a"));
	ck_assert(!gp_streq("a", "A"));
}
END_TEST

START_TEST(a_prefix_is_a_prefix)
{
	ck_assert(gp_starts_with("gpu-1", "gpu-"));
	ck_assert(gp_starts_with("gpu", ""));
	ck_assert(!gp_starts_with("gp", "gpu"));
}
END_TEST

START_TEST(lists_are_the_same_whatever_blanks_are_in_them)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"", "", true},
		{" ", "", true},
		{"a", "a", true},
		{"a=1,b=2", "a=1, b=2 ", true},
		{" a=1 ,b=2", "a=1,b=2", true},
		{"a b", "a b", true},
		{"a b", "ab", false},
		{"a", "b", false},
		{"a", "a,", false},
		{"a,b", "a", false},
		{"a,b", "b,a", false},
		{"a,,b", "a,b", false},
		{"7", "71", false},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		ck_assert_msg(gp_same_list(rows[i].a, rows[i].b) == rows[i].same, "%s | %s", rows[i].a, rows[i].b);
		ck_assert_msg(gp_same_list(rows[i].b, rows[i].a) == rows[i].same, "%s | %s", rows[i].b, rows[i].a);
	}
}
END_TEST

START_TEST(globs_know_only_the_star)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool matches;
	} cases[] = {
		{"", "", true},
		{"*", "", true},
		{"**", "x", true},
		{"gpu-*", "gpu-1", true},
		{"gpu-*", "gpu", false},
		{"*-1", "gpu-1", true},
		{"*-1", "gpu-12", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "acb", false},
		{"?", "x", false},
		{"[a]", "a", false},
		{"db-*", "DB-1", false},
		{"*a*a*b", "aaaaaaac", false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		ck_assert_msg(gp_glob_match(cases[i].pattern, cases[i].text, false) == cases[i].matches, "'%s' on '%s'",
			      cases[i].pattern, cases[i].text);
	ck_assert(gp_glob_match("db-*", "DB-1", true));
}
END_TEST

/* A matcher that tries every split would need longer than the sun will last. */
START_TEST(a_glob_of_many_stars_takes_no_time)
{
	GP_CLEANUP(gp_str_clear) struct gp_str pattern = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (int i = 0; i < 50; i++)
		gp_str_add(&pattern, "*a");
	gp_str_add(&pattern, "b");
	gp_str_add_repeated(&text, 'a', 5000);
	ck_assert(!gp_glob_match(gp_str_text(&pattern), gp_str_text(&text), false));
}
END_TEST

START_TEST(models_match_by_whole_words)
{
	static const struct {
		const char *words;
		const char *text;
		bool matches;
	} cases[] = {
		{"A10", "NVIDIA A10", true},
		{"A10", "NVIDIA A100", false},
		{"A100", "NVIDIA A10", false},
		{"a16", "NVIDIA A16-4Q", true},
		{"L4", "NVIDIA L4", true},
		{"L4", "NVIDIA L40S", false},
		{"L4", "NVIDIA L40", false},
		{"Flex 170", "Data Center GPU Flex 170", true},
		{"flex  170", "Data Center GPU Flex-170", true},
		{"170 Flex", "Data Center GPU Flex 170", false}, /* in order */
		{"GPU 170", "Data Center GPU Flex 170", false},  /* adjacent */
		{"GPU Flex 170 Max", "GPU Flex 170", false},
		{"A10*", "NVIDIA A100", true},
		{"A1*", "NVIDIA A16", true},
		{"*", "NVIDIA A16", true},
		{"A10 * 80GB", "A10 PCIe 80GB", true},
		{"A10 * 80GB", "A10 80GB", false}, /* a star is a word too, never none */
		{"RTX 6000", "RTX 6000+", false},
		{"Max 1100", "Max Max 1100", true}, /* the second try starts in time */
		{"", "NVIDIA A16", false},
		{" - ", "NVIDIA A16", false},
		{"A16", "", false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		ck_assert_msg(gp_word_match(cases[i].words, cases[i].text) == cases[i].matches, "'%s' on '%s'",
			      cases[i].words, cases[i].text);
}
END_TEST

/* ---- did you mean ---- */

START_TEST(edit_distance_counts_single_slips)
{
	ck_assert_uint_eq(gp_edit_distance("", ""), 0);
	ck_assert_uint_eq(gp_edit_distance("", "abc"), 3);
	ck_assert_uint_eq(gp_edit_distance("abc", ""), 3);
	ck_assert_uint_eq(gp_edit_distance("partitons", "partitions"), 1);
	ck_assert_uint_eq(gp_edit_distance("vrma", "vram"), 1); /* two letters changed places */
	ck_assert_uint_eq(gp_edit_distance("ca", "abc"), 3);    /* optimal string alignment: 3, not 2 */
	ck_assert_uint_eq(gp_edit_distance("kitten", "sitting"), 3);
}
END_TEST

static const char *const keys[] = {"class",     "match",   "expect",  "partitions",       "series", "vram",
				   "encode",    "decode",  "compute", "disruption",       "name",   "names",
				   "placement", "at_once", "min",     "shutdown_timeout", "max",    "gpus"};

START_TEST(a_slip_is_found)
{
	static const struct {
		const char *found;
		const char *meant;
	} cases[] = {
		{"partitons", "partitions"},
		{"Partitions", "partitions"},
		{"PARTITIONS", "partitions"},
		{"vrma", "vram"},
		{"clas", "class"},
		{"disrupton", "disruption"},
		{"endcode", "encode"},
		{"nmaes", "names"},
		{"shutdown-timeout", "shutdown_timeout"},
		{"mni", "min"},
		{"MAX", "max"},
		{"gpu", "gpus"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		ck_assert_pstr_eq(gp_did_you_mean(cases[i].found, keys, COUNT_OF(keys)), cases[i].meant);
}
END_TEST

START_TEST(nonsense_is_not_suggested)
{
	static const char *const found[] = {"", "x", "id", "foo", "colour", "memory", "bios", "latch key", "nodes"};
	for (size_t i = 0; i < COUNT_OF(found); i++)
		ck_assert_pstr_eq(gp_did_you_mean(found[i], keys, COUNT_OF(keys)), NULL);
	ck_assert_pstr_eq(gp_did_you_mean("vram", NULL, 0), NULL);
}
END_TEST

START_TEST(a_huge_word_is_not_even_compared)
{
	GP_CLEANUP(gp_str_clear) struct gp_str huge = {0};
	gp_str_add_repeated(&huge, 'a', 10 * 1000 * 1000);
	const char *candidates[] = {gp_str_text(&huge), "vram"};
	ck_assert_pstr_eq(gp_did_you_mean(gp_str_text(&huge), candidates, 2), NULL);
	ck_assert_pstr_eq(gp_did_you_mean("vrma", candidates, 2), "vram");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_untouched_string_is_empty_and_not_null,
		a_string_grows_by_all_ways_of_adding,
		printf_works_across_every_capacity,
		a_taken_string_leaves_an_empty_one,
		padding_counts_characters_of_the_last_line,
		utf8_is_read_strictly,
		text_from_outside_is_shown_without_its_poison,
		null_equals_only_null,
		a_prefix_is_a_prefix,
		lists_are_the_same_whatever_blanks_are_in_them,
		globs_know_only_the_star,
		a_glob_of_many_stars_takes_no_time,
		models_match_by_whole_words,
		edit_distance_counts_single_slips,
		a_slip_is_found,
		nonsense_is_not_suggested,
		a_huge_word_is_not_even_compared,
	};
	return run_tests("base/str", tests, COUNT_OF(tests));
}

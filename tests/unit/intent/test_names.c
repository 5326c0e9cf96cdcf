/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "intent/file.h"
#include "support.h"

/* The names of a pattern, blanks between them. */
static void expand(const char *pattern, struct gp_str *out)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_error err = {0};
	struct gp_names *names = gp_names_parse(arena, pattern, 1000, &err);
	ck_assert_msg(names != NULL, "%s: %s", pattern, err.message);
	uint64_t count = 0;
	for (const char *name; (name = gp_names_next(names, arena)) != NULL; count++)
		gp_str_printf(out, "%s%s", count == 0 ? "" : " ", name);
	ck_assert_uint_eq(count, gp_names_count(names));
}

START_TEST(patterns)
{
	static const struct {
		const char *pattern, *names;
	} cases[] = {
		{"plain", "plain"},
		{"d-[1-3]", "d-1 d-2 d-3"},
		{"d-[08-11]", "d-08 d-09 d-10 d-11"},
		{"d-[8-11]x", "d-8x d-9x d-10x d-11x"},
		{"d-[007]", "d-007"},
		{"d-[0-1]", "d-0 d-1"},
		{"d-[1-2,5,spare]", "d-1 d-2 d-5 d-spare"},
		{"r[1-2]-g[0-2]", "r1-g0 r1-g1 r1-g2 r2-g0 r2-g1 r2-g2"},
		{"[a,b][1,3-4][x]", "a1x a3x a4x b1x b3x b4x"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str found = {0};
		expand(cases[i].pattern, &found);
		ck_assert_str_eq(gp_str_text(&found), cases[i].names);
	}
}
END_TEST

START_TEST(no_patterns)
{
	static const char *const wrong[] = {
		"d-[",
		"d-]",
		"d-[1-2",
		"d-1]",
		"d-[[1]]",
		"d-[]",
		"d-[1,]",
		"d-[2-1]",
		"d-[1-0]",
		"d-[01-100]",
		"d-[a-c]",
		"d-[1-]",
		"d-[-1]",
		"d-[1-2-3]",
		"d-[1 2]",
		"d-[*]",
		"a/[1-2]",
		"*[1-2]",
		"d-[1-1001]",
		"[1-99][1-99]",
		"d-[1-99999999999]",
		"[1][1][1][1][1][1][1][1][1]",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
		struct gp_error err = {0};
		ck_assert_msg(gp_names_parse(arena, wrong[i], 1000, &err) == NULL, "%s", wrong[i]);
		ck_assert_int_eq(err.kind, GP_E_INPUT);
		ck_assert_ptr_nonnull(err.message);
		gp_error_clear(&err);
	}
}
END_TEST

START_TEST(names_of_domains)
{
	ck_assert_ptr_null(gp_domain_name_fault("win 10 (büro)"));
	static const char *const wrong[] = {"", " a", "a ", "a/b", "a*", "a[1]", "a\nb", "\x7f"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(gp_domain_name_fault(wrong[i]) != NULL, "'%s'", wrong[i]);
	char longest[257];
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	ck_assert_ptr_nonnull(gp_domain_name_fault(longest));
	longest[255] = '\0';
	ck_assert_ptr_null(gp_domain_name_fault(longest));
}
END_TEST

START_TEST(globs_that_can_meet)
{
	static const struct {
		const char *a, *b;
		bool meet;
	} cases[] = {
		{"a", "a", true},         {"a", "A", true},        {"a", "b", false},         {"a*", "ab", true},
		{"a*", "b*", false},      {"a*", "*b", true},      {"*", "*", true},          {"a*c", "ab*", true},
		{"a*c", "ab", false},     {"a*b*c", "a*c", true},  {"*-east", "gpu-*", true}, {"x*y", "*z", false},
		{"a*bb", "*b*ab", false}, {"aa*", "a*a*b*", true}, {"", "*", true},           {"1*", "q*", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(gp_globs_can_meet(cases[i].a, cases[i].b) == cases[i].meet, "%s %s", cases[i].a,
			      cases[i].b);
		ck_assert_msg(gp_globs_can_meet(cases[i].b, cases[i].a) == cases[i].meet, "%s %s", cases[i].b,
			      cases[i].a);
	}
}
END_TEST

/* Against the plain definition, over all short texts of two letters. */
START_TEST(globs_that_can_meet_by_trial)
{
	static const char letters[] = "ab*";
	enum { PATTERN = 4, TEXT = 8 };
	for (unsigned p = 0; p < 81 * 81; p++) {
		char a[PATTERN + 1] = "", b[PATTERN + 1] = "";
		unsigned rest = p;
		for (int i = 0; i < PATTERN; i++, rest /= 3)
			a[i] = letters[rest % 3];
		for (int i = 0; i < PATTERN; i++, rest /= 3)
			b[i] = letters[rest % 3];
		bool meet = false;
		for (unsigned length = 0; length <= TEXT && !meet; length++)
			for (unsigned t = 0; t < 1U << length && !meet; t++) {
				char text[TEXT + 1] = "";
				for (unsigned i = 0; i < length; i++)
					text[i] = (t >> i & 1) != 0 ? 'b' : 'a';
				meet = gp_glob_match(a, text, true) && gp_glob_match(b, text, true);
			}
		ck_assert_msg(gp_globs_can_meet(a, b) == meet, "%s %s", a, b);
	}
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, patterns);
	tcase_add_test(tcase, no_patterns);
	tcase_add_test(tcase, names_of_domains);
	tcase_add_test(tcase, globs_that_can_meet);
	tcase_add_test(tcase, globs_that_can_meet_by_trial);
}

int main(void)
{
	return run_suite("intent_names", add_tests);
}

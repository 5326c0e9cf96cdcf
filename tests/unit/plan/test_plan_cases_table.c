/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CASES.md, the tests and the code name the same numbers. */
#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "base/str.h"

enum { MOST_CASES = 200, MOST_BYTES = 1 << 20, AT_LEAST = 40 };

struct numbers {
	bool has[MOST_CASES];
};

static void read_file(struct gp_sources *sources, const char *directory, const char *name)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_autofree char *path = gp_xasprintf(GP_SOURCE_DIR "/%s/%s", directory, name);

	ck_assert_msg(gp_sources_read(sources, path, MOST_BYTES, &err) != NULL, "%s: %s", path,
		      err.message ? err.message : "?");
}

static void read_all(struct gp_sources *sources, const char *directory, const char *ending)
{
	gp_autofree char *path = gp_xasprintf(GP_SOURCE_DIR "/%s", directory);
	DIR *dir = opendir(path);

	ck_assert_ptr_nonnull(dir);
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		size_t length = strlen(entry->d_name);

		if (length > strlen(ending) && strcmp(entry->d_name + length - strlen(ending), ending) == 0)
			read_file(sources, directory, entry->d_name);
	}
	closedir(dir);
}

static void note(struct numbers *numbers, unsigned long number)
{
	ck_assert_uint_lt(number, MOST_CASES);
	numbers->has[number] = true;
}

/* "| 7 | …" at the beginning of a line; a number stands in one row only. */
static struct numbers of_table(void)
{
	struct gp_sources sources = {0};
	struct numbers numbers = {{false}};

	read_file(&sources, "reconciler/plan", "CASES.md");
	for (const char *at = sources.items[0]->text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!gp_starts_with(at, "| ") || !isdigit((unsigned char)at[2]))
			continue;
		unsigned long number = strtoul(at + 2, NULL, 10);

		ck_assert_msg(number < MOST_CASES && !numbers.has[number], "case %lu stands there twice", number);
		note(&numbers, number);
	}
	gp_sources_clear(&sources);
	return numbers;
}

/* A test for each number, and one only. */
static struct numbers of_tests(void)
{
	static const char start[] = "START_TEST(case_";
	struct gp_sources sources = {0};
	struct numbers numbers = {{false}};

	read_all(&sources, "tests/unit/plan", ".c");
	for (size_t i = 0; i < sources.count; i++) {
		for (const char *at = strstr(sources.items[i]->text, start); at; at = strstr(at + 1, start)) {
			if (!isdigit((unsigned char)at[strlen(start)]))
				continue;
			unsigned long number = strtoul(at + strlen(start), NULL, 10);

			ck_assert_msg(number < MOST_CASES && !numbers.has[number], "case %lu has two tests", number);
			note(&numbers, number);
		}
	}
	gp_sources_clear(&sources);
	return numbers;
}

/* "case 7", "cases 7, 8" in the comments of the room. */
static struct numbers of_code(void)
{
	struct gp_sources sources = {0};
	struct numbers numbers = {{false}};

	read_all(&sources, "reconciler/plan", ".c");
	for (size_t i = 0; i < sources.count; i++) {
		for (const char *at = strstr(sources.items[i]->text, "case"); at; at = strstr(at + 1, "case")) {
			const char *digits = at + strlen("case");

			digits += *digits == 's';
			while (*digits == ' ' && isdigit((unsigned char)digits[1])) {
				note(&numbers, strtoul(digits + 1, (char **)&digits, 10));
				digits += *digits == ',';
			}
		}
	}
	gp_sources_clear(&sources);
	return numbers;
}

START_TEST(every_row_has_a_test_and_every_test_a_row)
{
	struct numbers table = of_table(), tests = of_tests();
	size_t rows = 0;

	for (unsigned number = 0; number < MOST_CASES; number++) {
		ck_assert_msg(table.has[number] == tests.has[number], "case %u: %s", number,
			      table.has[number] ? "has no test" : "has no row in CASES.md");
		rows += table.has[number];
	}
	ck_assert_uint_ge(rows, AT_LEAST);
}
END_TEST

START_TEST(the_code_cites_rows_that_exist)
{
	struct numbers table = of_table(), code = of_code();
	size_t cited = 0;

	for (unsigned number = 0; number < MOST_CASES; number++) {
		ck_assert_msg(!code.has[number] || table.has[number], "the code cites case %u", number);
		cited += code.has[number];
	}
	ck_assert_uint_ge(cited, AT_LEAST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan_cases_table");
	TCase *tcase = tcase_create("table");

	tcase_add_test(tcase, every_row_has_a_test_and_every_test_a_row);
	tcase_add_test(tcase, the_code_cites_rows_that_exist);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

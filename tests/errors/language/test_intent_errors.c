/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person reads when a file is wrong, word for word.
 *
 * A case is CASE.yaml, or a directory CASE/ of several files, and CASE.err: the exact text. CASE.host holds the name of
 * the host (without it, all files count, as for `gpupart validate`); CASE.args holds paths, one a line, where neither
 * file nor directory is what is to be read. With UPDATE_GOLDEN=1 in the environment the .err files are written: read
 * them before they are committed, as somebody would who sees this program for the first time.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "intent/intent.h"

enum { MOST_CASES = 512, LEAST_CASES = 40, MOST_PATHS = 8, MOST_TEXT = 256 * 1024 };

static char *cases[MOST_CASES];
static int case_count;

static bool exists(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0;
}

/* NULL when there is no such file. */
static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return NULL;
	char *text = gp_xcalloc(1, MOST_TEXT);
	size_t size = fread(text, 1, MOST_TEXT - 1, file);
	text[size] = '\0';
	fclose(file);
	return text;
}

static size_t find_paths(const char *name, char *args, const char *paths[MOST_PATHS], char *own)
{
	size_t count = 0;
	if (args == NULL) {
		sprintf(own, "%s.yaml", name);
		paths[0] = exists(own) ? own : name;
		return 1;
	}
	for (char *line = strtok(args, "\n"); line != NULL && count < MOST_PATHS; line = strtok(NULL, "\n"))
		paths[count++] = line;
	return count;
}

static void render_case(const char *name, struct gp_str *out)
{
	char own[512], file[512];
	const char *paths[MOST_PATHS];
	sprintf(file, "%s.args", name);
	gp_autofree char *args = read_text(file);
	sprintf(file, "%s.host", name);
	gp_autofree char *host = read_text(file);
	if (host != NULL)
		host[strcspn(host, "\n")] = '\0';
	struct gp_diags diags = {0};
	struct gp_desired *desired = gp_intent_load(paths, find_paths(name, args, paths, own), host, &diags);
	ck_assert_msg(diags.error_count > 0, "%s: no fault was found", name);
	for (size_t i = 0; i < diags.count; i++) {
		ck_assert_int_eq(diags.items[i].error.kind, GP_E_INPUT);
		ck_assert_ptr_nonnull(diags.items[i].code);
	}
	gp_diags_render(&diags, out, false);
	gp_diags_clear(&diags);
	gp_desired_free(desired);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(says_exactly_this)
{
	const char *name = cases[_i];
	char file[512];
	GP_CLEANUP(gp_str_clear) struct gp_str found = {0};
	render_case(name, &found);
	sprintf(file, "%s.err", name);
	if (getenv("UPDATE_GOLDEN") != NULL)
		write_text(file, gp_str_text(&found));
	gp_autofree char *wanted = read_text(file);
	ck_assert_msg(wanted != NULL, "%s: there is no %s", name, file);
	ck_assert_msg(gp_streq(gp_str_text(&found), wanted), "%s\n--- wanted\n%s--- found\n%s", name, wanted,
		      gp_str_text(&found));
}
END_TEST

START_TEST(enough_cases)
{
	ck_assert_int_ge(case_count, LEAST_CASES);
}
END_TEST

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);
	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Each .yaml, each directory and each .args is a case: one that has no .err fails, it is not passed over. */
static void find_cases(void)
{
	DIR *directory = opendir(".");
	if (directory == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL && case_count < MOST_CASES;) {
		struct stat status;
		bool is_directory = stat(entry->d_name, &status) == 0 && S_ISDIR(status.st_mode);
		if (entry->d_name[0] == '.' ||
		    (!is_directory && !ends_with(entry->d_name, ".yaml") && !ends_with(entry->d_name, ".args")))
			continue;
		char *name = gp_xstrdup(entry->d_name);
		if (!is_directory)
			*strrchr(name, '.') = '\0';
		cases[case_count++] = name;
	}
	closedir(directory);
	qsort(cases, (size_t)case_count, sizeof(cases[0]), compare_names);
}

int main(void)
{
	if (chdir(GP_SOURCE_DIR "/tests/errors/language") != 0) {
		perror(GP_SOURCE_DIR "/tests/errors/language");
		return 1;
	}
	find_cases();
	Suite *suite = suite_create("intent_errors");
	TCase *tcase = tcase_create("language");
	tcase_add_test(tcase, enough_cases);
	tcase_add_loop_test(tcase, says_exactly_this, 0, case_count);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (int i = 0; i < case_count; i++)
		free(cases[i]);
	return failed == 0 ? 0 : 1;
}

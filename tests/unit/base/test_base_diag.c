/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources, and faults as people and programs see them. The texts are exact on purpose. */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/source.h"
#include "base_suite.h"

static const char site_text[] = "version: 1\n"
				"gpus:\n"
				"  - class: vdi\n"
				"    partitons: 8\n"
				"\tmodel: A16\n"
				"  - class: \"B\xC3\xBCro\" # \xE7\x95\x8C \x1B[31m\n";

struct fixture {
	struct gp_sources sources;
	struct gp_source *site;
	struct gp_diags diags;
	struct gp_str text;
};

static void clear_fixture(struct fixture *f)
{
	gp_str_clear(&f->text);
	gp_diags_clear(&f->diags);
	gp_sources_clear(&f->sources);
}

static void set_up(struct fixture *f)
{
	f->site = gp_sources_add(&f->sources, "site.yaml", site_text, strlen(site_text));
}

static struct gp_mark at(const struct fixture *f, uint32_t line, uint32_t column)
{
	return (struct gp_mark){f->site, line, column};
}

static struct gp_diag *add_error(struct fixture *f, uint32_t line, uint32_t column, const char *message)
{
	return gp_diags_add(&f->diags, GP_ERROR, GP_E_INPUT, "a-code", at(f, line, column), "%s", message);
}

#define ck_assert_rendered(f, colour, expected)                                                                        \
	do {                                                                                                           \
		gp_str_clear(&(f)->text);                                                                              \
		gp_diags_render(&(f)->diags, &(f)->text, (colour));                                                    \
		ck_assert_str_eq(gp_str_text(&(f)->text), (expected));                                                 \
	} while (0)

/* ---- sources ---- */

static void check_line(const struct gp_source *source, uint32_t line, const char *expected)
{
	size_t length = 0;
	const char *text = gp_source_line(source, line, &length);
	if (expected == NULL) {
		ck_assert_msg(text == NULL, "line %u is there", line);
		return;
	}
	ck_assert_msg(text != NULL, "line %u is not there", line);
	ck_assert_uint_eq(length, strlen(expected));
	ck_assert_mem_eq(text, expected, length);
}

START_TEST(lines_end_where_libyaml_ends_them)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	static const char text[] = "\xEF\xBB\xBFone\r\ntwo\rthree\n\nfive\xC2\x85six\xE2\x80\xA8seven\xE2\x80\xA9"
				   "eight";
	struct gp_source *source = gp_sources_add(&sources, "x", text, strlen(text));
	static const char *const lines[] = {"one", "two", "three", "", "five", "six", "seven", "eight"};
	for (uint32_t i = 0; i < COUNT_OF(lines); i++)
		check_line(source, i + 1, lines[i]);
	check_line(source, 0, NULL);
	check_line(source, 9, NULL);
	check_line(source, UINT32_MAX, NULL);
	check_line(NULL, 1, NULL);
}
END_TEST

START_TEST(a_last_line_end_begins_no_line)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	struct gp_source *source = gp_sources_add(&sources, "x", "one\n", 4);
	check_line(source, 1, "one");
	check_line(source, 2, NULL);
	source = gp_sources_add(&sources, "empty", "", 0);
	check_line(source, 1, "");
	check_line(source, 2, NULL);
	check_line(gp_sources_add(&sources, "cut", "a\xE2\x80", 3), 1, "a\xE2\x80");
}
END_TEST

START_TEST(sources_never_move)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	const struct gp_source *first = gp_sources_add(&sources, "first", "a", 1);
	for (int i = 0; i < 100; i++)
		gp_sources_add(&sources, "other", "b", 1);
	ck_assert_ptr_eq(sources.items[0], first);
	ck_assert_str_eq(first->path, "first");
}
END_TEST

struct scratch {
	char folder[64];
	char file[96];
};

static void make_scratch(struct scratch *scratch, const char *text)
{
	snprintf(scratch->folder, sizeof(scratch->folder), "/tmp/gp-test-base-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch->folder));
	snprintf(scratch->file, sizeof(scratch->file), "%s/x.yaml", scratch->folder);
	gp_autoclose int fd = open(scratch->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void remove_scratch(const struct scratch *scratch)
{
	unlink(scratch->file);
	rmdir(scratch->folder);
}

START_TEST(files_are_read_within_their_bound)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct scratch scratch;
	make_scratch(&scratch, "0123456789");
	const struct gp_source *source = gp_sources_read(&sources, scratch.file, 10, &err);
	ck_assert_ptr_nonnull(source);
	ck_assert_str_eq(source->text, "0123456789");
	ck_assert_str_eq(source->path, scratch.file);
	ck_assert_uint_eq(source->size, 10);

	ck_assert_ptr_null(gp_sources_read(&sources, scratch.file, 9, &err));
	ck_assert_int_eq(err.kind, GP_E_INPUT);
	ck_assert_str_eq(err.message, "the file is larger than 9B");
	ck_assert_str_eq(err.subject, scratch.file);

	ck_assert_ptr_null(gp_sources_read(&sources, scratch.folder, 10, &err));
	ck_assert_int_eq(err.kind, GP_E_INPUT);
	ck_assert_str_eq(err.message, "a file was expected, this is a directory");
	ck_assert_ptr_null(gp_sources_read(&sources, "/dev/zero", 10, &err));
	ck_assert_int_eq(err.kind, GP_E_INPUT);

	remove_scratch(&scratch);
	ck_assert_ptr_null(gp_sources_read(&sources, scratch.file, 10, &err));
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	ck_assert_str_eq(err.message, "cannot open: No such file or directory");
	ck_assert_uint_eq(sources.count, 1);
}
END_TEST

START_TEST(a_pipe_is_read_and_bounded_too)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	for (size_t bound = 9; bound <= 10; bound++) {
		int ends[2];
		char path[64];
		ck_assert_int_eq(pipe(ends), 0);
		ck_assert_int_eq(write(ends[1], "0123456789", 10), 10);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
		int second = open(path, O_RDONLY | O_CLOEXEC);
		close(ends[1]);
		const struct gp_source *source = gp_sources_read(&sources, path, bound, &err);
		close(second);
		close(ends[0]);
		ck_assert_int_eq(source != NULL, bound == 10);
		ck_assert_int_eq(err.kind, GP_E_INPUT); /* of the first round */
	}
}
END_TEST

/* ---- as text ---- */

START_TEST(a_fault_answers_the_five_questions)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	struct gp_diag *diag = add_error(&f, 4, 5, "unknown key 'partitons'; did you mean 'partitions'?");
	diag->caret_length = strlen("partitons");
	gp_error_holder(&diag->error, "VM web-01");
	gp_error_remedy(&diag->error, "stop it");
	gp_diag_other(diag, at(&f, 3, 5), "in the class that starts here");
	ck_assert_rendered(&f, false,
			   "site.yaml:4:5: error: unknown key 'partitons'; did you mean 'partitions'?\n"
			   "    4 |     partitons: 8\n"
			   "      |     ^~~~~~~~~\n"
			   "      held by: VM web-01\n"
			   "      try: stop it\n"
			   "site.yaml:3:5: note: in the class that starts here\n"
			   "    3 |   - class: vdi\n"
			   "      |     ^\n");
}
END_TEST

START_TEST(a_fault_without_a_file_names_its_subject)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_fail(&err, GP_E_BUSY, "8 VFs cannot be removed");
	gp_error_subject(&err, "0000:41:00.0 sriov_numvfs");
	gp_error_holder(&err, "VM web-01");
	gp_diags_add_error(&f.diags, "busy", &err);
	ck_assert_int_eq(err.kind, GP_E_NONE);
	gp_fail(&err, GP_E_IO, "bare");
	gp_diags_add_error(&f.diags, NULL, &err);
	gp_diags_add(&f.diags, GP_WARNING, GP_E_INPUT, "w", (struct gp_mark){0}, "careful");
	gp_diags_add(&f.diags, GP_INFO, GP_E_NONE, "i", (struct gp_mark){0}, "by the way");
	ck_assert_rendered(&f, false,
			   "error: 0000:41:00.0 sriov_numvfs: 8 VFs cannot be removed\n"
			   "      held by: VM web-01\n"
			   "error: bare\n"
			   "warning: careful\n"
			   "info: by the way\n");
	ck_assert_uint_eq(f.diags.error_count, 2);
}
END_TEST

START_TEST(a_place_and_a_subject_both_show)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	struct gp_diag *diag = add_error(&f, 1, 10, "offers 4, 8 asked");
	gp_error_subject(&diag->error, "0000:41:00.0");
	ck_assert_rendered(&f, false,
			   "site.yaml:1:10: error: 0000:41:00.0: offers 4, 8 asked\n"
			   "    1 | version: 1\n"
			   "      |          ^\n");
}
END_TEST

START_TEST(the_caret_stands_right_behind_tabs_and_wide_characters)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	add_error(&f, 5, 2, "behind a tab")->caret_length = 5;
	add_error(&f, 6, 12, "an umlaut is one column")->caret_length = 6;
	add_error(&f, 6, 23, "a wide character is two, an escape is spelled out")->caret_length = 2;
	ck_assert_rendered(&f, false,
			   "site.yaml:5:2: error: behind a tab\n"
			   "    5 |         model: A16\n"
			   "      |         ^~~~~\n"
			   "site.yaml:6:12: error: an umlaut is one column\n"
			   "    6 |   - class: \"B\xC3\xBCro\" # \xE7\x95\x8C \\x1b[31m\n"
			   "      |            ^~~~~~\n"
			   "site.yaml:6:23: error: a wide character is two, an escape is spelled out\n"
			   "    6 |   - class: \"B\xC3\xBCro\" # \xE7\x95\x8C \\x1b[31m\n"
			   "      |                        ^~~~~\n");
}
END_TEST

START_TEST(a_tab_reaches_to_the_next_stop)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	f.site = gp_sources_add(&f.sources, "tab.yaml", "a:\tb\t\tc", 7);
	add_error(&f, 1, 4, "b");
	add_error(&f, 1, 7, "c");
	ck_assert_rendered(&f, false,
			   "tab.yaml:1:4: error: b\n"
			   "    1 | a:      b               c\n"
			   "      |         ^\n"
			   "tab.yaml:1:7: error: c\n"
			   "    1 | a:      b               c\n"
			   "      |                         ^\n");
}
END_TEST

START_TEST(places_at_and_beyond_the_ends)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	add_error(&f, 1, 11, "behind the last character");
	add_error(&f, 2, 4000000000u, "far behind it")->caret_length = SIZE_MAX;
	add_error(&f, 1, 1, "too long an underline")->caret_length = 1000;
	add_error(&f, 7, 1, "behind the last line");
	add_error(&f, 2, 0, "a whole line");
	add_error(&f, 0, 0, "a whole file");
	ck_assert_rendered(&f, false,
			   "site.yaml:1:11: error: behind the last character\n"
			   "    1 | version: 1\n"
			   "      |           ^\n"
			   "site.yaml:2:4000000000: error: far behind it\n"
			   "    2 | gpus:\n"
			   "      |      ^\n"
			   "site.yaml:1:1: error: too long an underline\n"
			   "    1 | version: 1\n"
			   "      | ^~~~~~~~~~\n"
			   "site.yaml:7:1: error: behind the last line\n"
			   "site.yaml:2: error: a whole line\n"
			   "    2 | gpus:\n"
			   "site.yaml: error: a whole file\n");
}
END_TEST

START_TEST(large_line_numbers_widen_the_gutter)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add_repeated(&text, '\n', 123455);
	gp_str_add(&text, "a: 1\n");
	f.site = gp_sources_add(&f.sources, "long.yaml", gp_str_text(&text), text.length);
	add_error(&f, 123456, 4, "one");
	ck_assert_rendered(&f, false,
			   "long.yaml:123456:4: error: one\n"
			   "123456 | a: 1\n"
			   "       |    ^\n");
}
END_TEST

START_TEST(long_lines_are_cut_around_the_caret)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add_repeated(&text, 'a', 500);
	gp_str_add(&text, "HERE");
	gp_str_add_repeated(&text, 'b', 500);
	f.site = gp_sources_add(&f.sources, "long.yaml", gp_str_text(&text), text.length);
	add_error(&f, 1, 501, "in the middle")->caret_length = 4;
	add_error(&f, 1, 1, "at the start")->caret_length = 1000;
	add_error(&f, 1, 1005, "at the end");
#define A10 "aaaaaaaaaa"
#define B10 "bbbbbbbbbb"
#define T9  "~~~~~~~~~"
#define T10 "~~~~~~~~~~"
	ck_assert_rendered(&f, false,
			   "long.yaml:1:501: error: in the middle\n"
			   "    1 | ..." A10 A10 A10 A10 A10 "HERE" B10 B10 B10 B10 "bbbbbb...\n"
			   "      |                                                      ^~~~\n"
			   "long.yaml:1:1: error: at the start\n"
			   "    1 | " A10 A10 A10 A10 A10 A10 A10 A10 A10 A10 "...\n"
			   "      | ^" T9 T10 T10 T10 T10 T10 T10 T10 T10 T10 "\n"
			   "long.yaml:1:1005: error: at the end\n"
			   "    1 | ..." B10 B10 B10 B10 B10 "\n"
			   "      |                                                      ^\n");
}
END_TEST

static void add_wide(struct gp_str *text, int count)
{
	for (int i = 0; i < count; i++)
		gp_str_add(text, "\xE7\x95\x8C");
}

/* Characters two columns wide, so that one cut or the other falls into the middle of one. */
START_TEST(a_cut_through_a_wide_character_keeps_the_columns)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str expected = {0};
	add_wide(&text, 100);
	gp_str_add(&text, "X");
	add_wide(&text, 100);
	f.site = gp_sources_add(&f.sources, "wide.yaml", gp_str_text(&text), text.length);
	add_error(&f, 1, 101, "the X: cut through behind");
	add_error(&f, 1, 102, "behind the X: cut through before");

	gp_str_add(&expected, "wide.yaml:1:101: error: the X: cut through behind\n    1 | ...");
	add_wide(&expected, 25);
	gp_str_add(&expected, "X");
	add_wide(&expected, 24);
	gp_str_add(&expected, "...\n      | ");
	gp_str_add_repeated(&expected, ' ', 53);
	gp_str_add(&expected, "^\nwide.yaml:1:102: error: behind the X: cut through before\n    1 | ... ");
	add_wide(&expected, 24);
	gp_str_add(&expected, "X");
	add_wide(&expected, 25);
	gp_str_add(&expected, "...\n      | ");
	gp_str_add_repeated(&expected, ' ', 53);
	gp_str_add(&expected, "^\n");
	ck_assert_rendered(&f, false, gp_str_text(&expected));
}
END_TEST

START_TEST(nothing_from_outside_reaches_the_terminal_raw)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	static const char text[] = "\x1B]0;title\x07\xC2\x9B\xFF\x7F\r";
	f.site = gp_sources_add(&f.sources, "\x1B[2Jx.yaml", text, strlen(text));
	struct gp_diag *diag = add_error(&f, 1, 1, "key '\x1B[31m\n'");
	gp_error_subject(&diag->error, "VM \x1B[0m");
	gp_error_holder(&diag->error, "\x9B");
	gp_error_remedy(&diag->error, "\xE2\x80\xAE");
	gp_diag_other(diag, at(&f, 1, 2), "\x1B");
	gp_diags_render(&f.diags, &f.text, false);
	for (size_t i = 0; i < f.text.length; i++) {
		unsigned char c = (unsigned char)f.text.text[i];
		ck_assert_msg(c == '\n' || (c >= 0x20 && c < 0x7F), "byte 0x%02x at %zu", c, i);
	}
	ck_assert_ptr_nonnull(strstr(gp_str_text(&f.text),
				     "\\x1b[2Jx.yaml:1:1: error: VM \\x1b[0m: key '\\x1b[31m\\x0a'\n"
				     "    1 | \\x1b]0;title\\x07\\x9b\\xff\\x7f\n"
				     "      | ^\n"
				     "      held by: \\x9b\n"
				     "      try: \\u202e\n"));
}
END_TEST

START_TEST(colour_only_when_asked)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	add_error(&f, 1, 10, "x");
	ck_assert_rendered(&f, true,
			   "\033[1msite.yaml:1:10:\033[0m \033[1;31merror:\033[0m x\n"
			   "    1 | version: 1\n"
			   "      |          \033[1;31m^\033[0m\n");
	gp_str_clear(&f.text);
	gp_diags_render(&f.diags, &f.text, false);
	ck_assert_ptr_null(strchr(gp_str_text(&f.text), '\033'));
}
END_TEST

START_TEST(a_mark_prints_as_file_and_line)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	gp_mark_format((struct gp_mark){0}, &f.text);
	ck_assert_str_eq(gp_str_text(&f.text), "");
	gp_mark_format(at(&f, 7, 3), &f.text);
	ck_assert_str_eq(gp_str_text(&f.text), "site.yaml:7");
}
END_TEST

/* ---- the list ---- */

START_TEST(faults_sort_by_place_and_infos_go_last)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	const struct gp_source *other = gp_sources_add(&f.sources, "b.yaml", "x", 1);
	gp_diags_add(&f.diags, GP_INFO, GP_E_NONE, "i", at(&f, 1, 1), "g");
	gp_diags_add(&f.diags, GP_ERROR, GP_E_IO, "n", (struct gp_mark){0}, "e");
	gp_diags_add(&f.diags, GP_ERROR, GP_E_IO, "n", (struct gp_mark){0}, "f");
	add_error(&f, 4, 1, "d");
	gp_diags_add(&f.diags, GP_WARNING, GP_E_INPUT, "w", at(&f, 2, 9), "b");
	add_error(&f, 2, 9, "c");
	gp_diags_add(&f.diags, GP_ERROR, GP_E_INPUT, "o", (struct gp_mark){other, 9, 9}, "a");
	gp_diags_sort(&f.diags);
	for (size_t i = 0; i < f.diags.count; i++)
		gp_str_add(&f.text, f.diags.items[i].error.message);
	ck_assert_str_eq(gp_str_text(&f.text), "abcdefg");
}
END_TEST

START_TEST(sorting_many_equals_keeps_their_order)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	for (int i = 0; i < 1000; i++)
		gp_diags_add(&f.diags, GP_ERROR, GP_E_INPUT, "x", (struct gp_mark){0}, "%d", i);
	gp_diags_sort(&f.diags);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(atoi(f.diags.items[i].error.message), i);
}
END_TEST

START_TEST(appending_moves_all)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_diags_clear) struct gp_diags from = {0};
	set_up(&f);
	add_error(&f, 1, 1, "first");
	for (int i = 0; i < 5; i++)
		gp_diags_add(&from, i % 2 == 0 ? GP_ERROR : GP_WARNING, GP_E_INPUT, "x", at(&f, 1, 1), "%d", i);
	gp_diags_append(&f.diags, &from);
	ck_assert_uint_eq(from.count, 0);
	ck_assert_ptr_null(from.items);
	ck_assert_uint_eq(from.error_count, 0);
	ck_assert_uint_eq(f.diags.count, 6);
	ck_assert_uint_eq(f.diags.error_count, 4);
	add_error(&f, 1, 1, "last");
	ck_assert_str_eq(f.diags.items[5].error.message, "4");
	ck_assert_str_eq(f.diags.items[6].error.message, "last");
}
END_TEST

/* ---- as JSON ---- */

START_TEST(json_carries_every_field)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	set_up(&f);
	struct gp_diag *diag = add_error(&f, 4, 5, "unknown key");
	gp_error_subject(&diag->error, "class vdi");
	gp_error_holder(&diag->error, "VM");
	gp_error_remedy(&diag->error, "stop");
	gp_diag_other(diag, at(&f, 3, 5), "here");
	gp_diags_add(&f.diags, GP_INFO, GP_E_BUSY, NULL, (struct gp_mark){0}, "x \xFF \x1B \"");
	struct json_object *json = gp_diags_to_json(&f.diags);
	ck_assert_str_eq(
		json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		"[{\"severity\":\"error\",\"kind\":\"input\",\"code\":\"a-code\",\"message\":\"unknown key\","
		"\"subject\":\"class vdi\",\"file\":\"site.yaml\",\"line\":4,\"column\":5,\"holder\":\"VM\","
		"\"remedy\":\"stop\",\"other\":{\"file\":\"site.yaml\",\"line\":3,\"column\":5,\"note\":\"here\"}},"
		"{\"severity\":\"info\",\"kind\":\"busy\",\"code\":\"busy\",\"message\":\"x \\\\xff \\u001b \\\"\"}]");
	json_object_put(json);
	json = gp_mark_to_json(at(&f, 4, 5));
	ck_assert_str_eq(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
			 "{\"file\":\"site.yaml\",\"line\":4,\"column\":5}");
	json_object_put(json);
	ck_assert_ptr_null(gp_mark_to_json((struct gp_mark){0}));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		lines_end_where_libyaml_ends_them,
		a_last_line_end_begins_no_line,
		sources_never_move,
		files_are_read_within_their_bound,
		a_pipe_is_read_and_bounded_too,
		a_fault_answers_the_five_questions,
		a_fault_without_a_file_names_its_subject,
		a_place_and_a_subject_both_show,
		the_caret_stands_right_behind_tabs_and_wide_characters,
		a_tab_reaches_to_the_next_stop,
		places_at_and_beyond_the_ends,
		large_line_numbers_widen_the_gutter,
		long_lines_are_cut_around_the_caret,
		a_cut_through_a_wide_character_keeps_the_columns,
		nothing_from_outside_reaches_the_terminal_raw,
		colour_only_when_asked,
		a_mark_prints_as_file_and_line,
		faults_sort_by_place_and_infos_go_last,
		sorting_many_equals_keeps_their_order,
		appending_moves_all,
		json_carries_every_field,
	};
	return run_tests("base/diag", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree, the faults, and what a hostile file may not do. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/yaml_tree.h"
#include "base_suite.h"

struct fixture {
	struct gp_arena *arena;
	struct gp_sources sources;
	struct gp_diags diags;
	struct gp_str text;
	const struct gp_yaml_node *root;
};

static void clear_fixture(struct fixture *f)
{
	gp_str_clear(&f->text);
	gp_diags_clear(&f->diags);
	gp_sources_clear(&f->sources);
	gp_arena_free(f->arena);
}

static void parse_bytes(struct fixture *f, const char *text, size_t size)
{
	f->arena = gp_arena_new();
	f->root = gp_yaml_parse(f->arena, gp_sources_add(&f->sources, "x.yaml", text, size), &f->diags);
}

static void parse(struct fixture *f, const char *text)
{
	parse_bytes(f, text, strlen(text));
}

/* Faults as "line:column code message", one a line: what is short enough to write fifty times. */
static const char *faults(struct fixture *f)
{
	gp_str_clear(&f->text);
	gp_diags_sort(&f->diags);
	for (size_t i = 0; i < f->diags.count; i++) {
		const struct gp_diag *diag = &f->diags.items[i];
		gp_str_printf(&f->text, "%s%u:%u %s: ", i == 0 ? "" : "\n", diag->error.mark.line,
			      diag->error.mark.column, diag->code);
		gp_str_add_shown(&f->text, diag->error.message);
		if (diag->other.source != NULL)
			gp_str_printf(&f->text, " (%s %u:%u)", diag->other_note, diag->other.line, diag->other.column);
	}
	return gp_str_text(&f->text);
}

/* The tree as one line: scalars bare when plain and in '…' when not. */
static void add_node(struct gp_str *out, const struct gp_yaml_node *node)
{
	if (node->type == GP_YAML_SCALAR) {
		gp_str_printf(out, node->plain ? "%s" : "'%s'", node->text);
		return;
	}
	gp_str_add(out, node->type == GP_YAML_MAPPING ? "{" : "[");
	uint32_t count = 0;
	for (const struct gp_yaml_item *item = node->first; item != NULL; item = item->next, count++) {
		if (count > 0)
			gp_str_add(out, ",");
		ck_assert_int_eq(item->key != NULL, node->type == GP_YAML_MAPPING);
		if (item->key != NULL) {
			add_node(out, item->key);
			gp_str_add(out, ":");
		}
		add_node(out, item->value);
	}
	ck_assert_uint_eq(count, node->count);
	gp_str_add(out, node->type == GP_YAML_MAPPING ? "}" : "]");
}

static const char *tree(struct fixture *f)
{
	gp_str_clear(&f->text);
	if (f->root != NULL)
		add_node(&f->text, f->root);
	return gp_str_text(&f->text);
}

static void check_tree(const char *text, const char *expected)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, text);
	ck_assert_str_eq(faults(&f), "");
	ck_assert_str_eq(tree(&f), expected);
}

static void check_faults(const char *text, const char *expected)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, text);
	ck_assert_str_eq(faults(&f), expected);
	ck_assert_uint_gt(f.diags.error_count, 0);
	for (size_t i = 0; i < f.diags.count; i++)
		ck_assert_int_eq(f.diags.items[i].error.kind, GP_E_INPUT);
}

/* ---- trees ---- */

START_TEST(a_document_becomes_a_tree)
{
	check_tree(
		"version: 1\n"
		"gpus:\n"
		"  - class: vdi   # a comment\n"
		"    match: {model: A16, slot: \"3\"}\n"
		"  - 'one'\n"
		"empty:\n"
		"none: []\n"
		"text: |\n"
		"  two\n"
		"  lines\n",
		"{version:1,gpus:[{class:vdi,match:{model:A16,slot:'3'}},'one'],empty:,none:[],text:'two\nlines\n'}");
}
END_TEST

START_TEST(nothing_is_no_tree_and_no_fault)
{
	static const char *const texts[] = {"", "\n\n", "# a comment alone\n", "---\n", "--- \n...\n", "\xEF\xBB\xBF"};
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		GP_CLEANUP(clear_fixture) struct fixture f = {0};
		parse(&f, texts[i]);
		ck_assert_ptr_null(f.root);
		ck_assert_uint_eq(f.diags.count, 0);
	}
}
END_TEST

START_TEST(a_root_may_be_of_any_type)
{
	check_tree("just text\n", "just text");
	check_tree("[]\n", "[]");
	check_tree("~\n", "~");
	check_tree("''\n", "''");
}
END_TEST

static void check_mark(const struct gp_yaml_node *node, uint32_t line, uint32_t column)
{
	ck_assert_ptr_nonnull(node);
	ck_assert_ptr_nonnull(node->mark.source);
	ck_assert_uint_eq(node->mark.line, line);
	ck_assert_uint_eq(node->mark.column, column);
}

START_TEST(marks_count_characters_from_one)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "\xEF\xBB\xBF"
		  "a: 1\n"
		  "\xC3\xA4\xE7\x95\x8C: \"quoted\"\n"
		  "m: {k: [x]}\n"
		  "block:\n"
		  "  - y\n");
	ck_assert_str_eq(faults(&f), "");
	check_mark(f.root, 1, 1);
	check_mark(f.root->first->key, 1, 1); /* the byte order mark is no character */
	check_mark(gp_yaml_get(f.root, "a"), 1, 4);
	check_mark(gp_yaml_get(f.root, "\xC3\xA4\xE7\x95\x8C"), 2, 5); /* at the quote */
	const struct gp_yaml_node *inner = gp_yaml_get(gp_yaml_get(f.root, "m"), "k");
	check_mark(gp_yaml_get(f.root, "m"), 3, 4);
	check_mark(inner, 3, 8);
	check_mark(inner->first->value, 3, 9);
	check_mark(gp_yaml_get(f.root, "block"), 5, 3);
	ck_assert_uint_eq(gp_yaml_caret_length(gp_yaml_get(f.root, "\xC3\xA4\xE7\x95\x8C")), strlen("\"quoted\""));
	ck_assert_uint_eq(gp_yaml_caret_length(f.root->first->next->key), 2);
	ck_assert_uint_eq(gp_yaml_caret_length(f.root), 1);
}
END_TEST

START_TEST(get_finds_whole_keys)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "name: a\nnames: b\n'': c\n");
	ck_assert_str_eq(gp_yaml_get(f.root, "name")->text, "a");
	ck_assert_str_eq(gp_yaml_get(f.root, "names")->text, "b");
	ck_assert_str_eq(gp_yaml_get(f.root, "")->text, "c");
	ck_assert_ptr_null(gp_yaml_get(f.root, "nam"));
	ck_assert_ptr_null(gp_yaml_get(gp_yaml_get(f.root, "name"), "name"));
	ck_assert_ptr_null(gp_yaml_get(NULL, "name"));
}
END_TEST

START_TEST(null_is_plain)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "- ~\n- null\n- Null\n- NULL\n-\n- ''\n- 'null'\n- nUll\n- []\n- !!str ~\n- !!str\n- !!null ''\n");
	static const bool expected[] = {true, true, true, true, true, false, false, false, false, false, false, true};
	size_t i = 0;
	for (const struct gp_yaml_item *item = f.root->first; item != NULL; item = item->next, i++)
		ck_assert_msg(gp_yaml_is_null(item->value) == expected[i], "entry %zu", i);
	ck_assert_uint_eq(i, COUNT_OF(expected));
	ck_assert(!gp_yaml_is_null(NULL));
}
END_TEST

/* ---- aliases ---- */

START_TEST(aliases_are_shared)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "a: &x {k: [1, 2]}\nb: *x\nc: *x\n");
	ck_assert_str_eq(faults(&f), "");
	ck_assert_str_eq(tree(&f), "{a:{k:[1,2]},b:{k:[1,2]},c:{k:[1,2]}}");
	ck_assert_ptr_eq(gp_yaml_get(f.root, "a"), gp_yaml_get(f.root, "b"));
	ck_assert_ptr_eq(gp_yaml_get(f.root, "a"), gp_yaml_get(f.root, "c"));
}
END_TEST

START_TEST(an_anchor_may_be_defined_again)
{
	check_tree("[&x 1, *x, &x 2, *x]", "[1,1,2,2]");
	check_tree("a: &x {b: &x 1, c: *x}\nd: *x\n", "{a:{b:1,c:1},d:1}");
}
END_TEST

START_TEST(a_key_that_is_an_alias_has_a_mark_of_its_own)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "a: &x k\n*x : 1\n");
	ck_assert_str_eq(faults(&f), "");
	ck_assert_str_eq(tree(&f), "{a:k,k:1}");
	check_mark(f.root->first->next->key, 2, 1);
	check_faults("k: 0\na: &x k\n*x : 1\n",
		     "3:1 duplicate-key: the key 'k' appears twice (first defined here 1:1)");
}
END_TEST

START_TEST(an_alias_needs_an_anchor_before_it)
{
	check_faults("a: *x\nb: &x 1\n", "1:4 yaml-alias: no anchor '&x' stands before this alias");
}
END_TEST

START_TEST(an_alias_cannot_make_a_ring)
{
	check_faults("a: &x\n  b:\n    - *x\n",
		     "3:7 yaml-alias: the alias '*x' stands inside what it stands for ('&x' starts here 1:4)");
	check_faults("&r [*r]",
		     "1:5 yaml-alias: the alias '*r' stands inside what it stands for ('&r' starts here 1:1)");
	check_faults("&r {*r : 1}",
		     "1:5 yaml-alias: the alias '*r' stands inside what it stands for ('&r' starts here 1:1)");
}
END_TEST

/* ---- what is refused ---- */

START_TEST(a_key_appears_once)
{
	check_faults("a: 1\nb: 2\n\"a\": 3\n'a': 4\n",
		     "3:1 duplicate-key: the key 'a' appears twice (first defined here 1:1)\n"
		     "4:1 duplicate-key: the key 'a' appears twice (first defined here 1:1)");
	check_faults("- {x: 1}\n- {x: 1, y: {z: 1, z: 2}}\n",
		     "2:20 duplicate-key: the key 'z' appears twice (first defined here 2:14)");
	check_tree("- {x: 1}\n- {x: 1}\n", "[{x:1},{x:1}]");
}
END_TEST

START_TEST(duplicates_among_many_keys_are_found_too)
{
	for (int count = 10; count < 40; count++) { /* across the border between comparing and sorting */
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		GP_CLEANUP(gp_str_clear) struct gp_str expected = {0};
		for (int i = 0; i < count; i++)
			gp_str_printf(&text, "key-%02d: %d\n", (i * 7) % count, i);
		gp_str_add(&text, "key-03: again\nkey-0: like none\nkey-03: and again\n");
		GP_CLEANUP(clear_fixture) struct fixture f = {0};
		parse(&f, gp_str_text(&text));
		uint32_t first = 0;
		for (int i = count - 1; i >= 0; i--)
			if ((i * 7) % count == 3)
				first = (uint32_t)i + 1;
		if (count % 7 == 0)
			continue; /* the keys of such a count are no permutation */
		for (int again = 1; again <= 3; again += 2)
			gp_str_printf(&expected,
				      "%s%d:1 duplicate-key: the key 'key-03' appears twice (first defined here %u:1)",
				      again == 1 ? "" : "\n", count + again, first);
		ck_assert_str_eq(faults(&f), gp_str_text(&expected));
		ck_assert_ptr_nonnull(f.root);
	}
}
END_TEST

START_TEST(after_a_duplicate_key_reading_goes_on)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "a: 1\na: {b: 1, b: 2}\nc: *none\nd: !x 1\n");
	ck_assert_str_eq(faults(&f), "2:1 duplicate-key: the key 'a' appears twice (first defined here 1:1)\n"
				     "2:11 duplicate-key: the key 'b' appears twice (first defined here 2:5)\n"
				     "3:4 yaml-alias: no anchor '&none' stands before this alias\n"
				     "4:4 yaml-tag: the tag '!x' is not supported here");
	ck_assert_str_eq(tree(&f), "{a:1,a:{b:1,b:2},d:1}");
}
END_TEST

START_TEST(merge_keys_are_refused_unless_quoted)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "a: &x {k: 1}\nb:\n  <<: *x\n  c: 2\n");
	ck_assert_str_eq(faults(&f), "3:3 merge-key: merge keys (<<) are not supported");
	ck_assert_str_eq(tree(&f), "{a:{k:1},b:{c:2}}");
	check_tree("'<<': 1", "{'<<':1}");
}
END_TEST

START_TEST(a_key_is_a_text)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "? [a, b]\n: dropped\n? {c: 1}\n: [dropped, {too: 1}]\nkept: 1\nl: &l [1]\n*l : dropped\n");
	ck_assert_str_eq(faults(&f), "1:3 complex-key: a key must be a plain text, not a list or a mapping\n"
				     "3:3 complex-key: a key must be a plain text, not a list or a mapping\n"
				     "7:1 complex-key: a key must be a plain text, not a list or a mapping");
	ck_assert_str_eq(tree(&f), "{kept:1,l:[1]}");
}
END_TEST

START_TEST(a_file_holds_one_document)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	parse(&f, "a: 1\n---\nb: 2\n");
	ck_assert_str_eq(faults(&f),
			 "2:1 yaml-documents: a second document; a file holds one (the first starts here 1:1)");
	ck_assert_str_eq(tree(&f), "{a:1}");
	check_tree("%YAML 1.2\n---\na: 1\n...\n", "{a:1}");
}
END_TEST

START_TEST(only_core_tags_are_taken)
{
	check_tree("[!!str 5, !!int 5, ! 5, !!bool true, !!null ~, !!float '1.5', !!map {}, !!seq []]",
		   "['5',5,'5',true,~,1.5,{},[]]");
	check_tree("!<tag:yaml.org,2002:str> 5", "'5'");
	check_faults("a: !!binary aGk=\n", "1:4 yaml-tag: the tag 'tag:yaml.org,2002:binary' is not supported here");
	check_faults("a: !!set {}\n", "1:4 yaml-tag: the tag 'tag:yaml.org,2002:set' is not supported here");
	check_faults("a: !include x\n", "1:4 yaml-tag: the tag '!include' is not supported here");
	check_faults("a: !!map x\n", "1:4 yaml-tag: the tag 'tag:yaml.org,2002:map' is not supported here");
	check_faults("a: !!str [x]\n", "1:4 yaml-tag: the tag 'tag:yaml.org,2002:str' is not supported here");
}
END_TEST

/* ---- syntax ---- */

START_TEST(syntax_faults_have_a_place_and_plain_words)
{
	static const struct {
		const char *text;
		const char *fault;
	} cases[] = {
		{"a: b: c\n", "1:5 yaml-syntax: a ':' is not expected here"},
		{"a:\n\tb: 1\n", "2:1 yaml-syntax: a tab cannot indent"},
		{"a: 1\nbcd\nc: 2\n", "2:1 yaml-syntax: a key without its ':'"},
		{"x: \"never\n  closed\n", "1:4 yaml-syntax: this quote is never closed"},
		{"x: 'a\n---\n", "1:4 yaml-syntax: this quote is not closed before the document ends"},
		{"a: [1, 2\nb: 3\n", "2:2 yaml-syntax: ',' or ']' is expected here (the list starts here 1:4)"},
		{"a: {b: 1\nc: [\n", "2:2 yaml-syntax: ',' or '}' is expected here (the mapping starts here 1:4)"},
		{"a: 1\n- b\n",
		 "2:1 yaml-syntax: this does not continue the mapping it stands in (the mapping starts here 1:1)"},
		{"- a\nb: 1\n",
		 "2:1 yaml-syntax: this does not continue the list it stands in (the list starts here 1:1)"},
		{"a: - b\n", "1:4 yaml-syntax: a '-' entry is not expected here"},
		{"a: @b\n", "1:4 yaml-syntax: no value can start with this character"},
		{"a: %b\n", "1:4 yaml-syntax: no value can start with this character"},
		{"a: \"\\q\"\n", "1:5 yaml-syntax: no such escape in a text in double quotes"},
		{"a: * b\n", "1:5 yaml-syntax: a name is expected after '&' or '*'"},
		{"{a: 1}\nfoo\n", "2:1 yaml-syntax: nothing more is expected after the document"},
		{"a: !e!x 1\n", "1:4 yaml-syntax: unknown tag"},
		{"%YAML 2.0\n---\na: 1\n", "1:1 yaml-syntax: only YAML 1.1 and 1.2 can be read"},
		{"\xC3\xA4\xC3\xA4: b: c\n", "1:6 yaml-syntax: a ':' is not expected here"}, /* characters, not bytes */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(clear_fixture) struct fixture f = {0};
		parse(&f, cases[i].text);
		ck_assert_str_eq(faults(&f), cases[i].fault);
		ck_assert_ptr_null(f.root);
	}
}
END_TEST

START_TEST(a_syntax_fault_shows_its_line)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	parse(&f, "gpus:\n  - model: @A16\n");
	gp_diags_render(&f.diags, &text, false);
	ck_assert_str_eq(gp_str_text(&text), "x.yaml:2:12: error: no value can start with this character\n"
					     "    2 |   - model: @A16\n"
					     "      |            ^\n"
					     "      try: put the value in quotes\n");
}
END_TEST

START_TEST(a_duplicate_key_shows_both_places)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	parse(&f, "name: 1\nclass: 2\n'name': 3\n");
	gp_diags_render(&f.diags, &text, false);
	ck_assert_str_eq(gp_str_text(&text), "x.yaml:3:1: error: the key 'name' appears twice\n"
					     "    3 | 'name': 3\n"
					     "      | ^~~~~~\n"
					     "x.yaml:1:1: note: first defined here\n"
					     "    1 | name: 1\n"
					     "      | ^\n");
}
END_TEST

/* ---- encodings ---- */

START_TEST(bytes_that_are_no_utf8_have_a_place)
{
	static const struct {
		const char *text;
		const char *fault;
	} cases[] = {
		{"a: 1\nb: \xC3\xA4\xFF\n", "2:5 yaml-encoding: the byte 0xff is not UTF-8"},
		{"a: \xC3\n", "1:4 yaml-encoding: the byte 0xc3 is not UTF-8"},
		{"a: \xE2\x82", "1:4 yaml-encoding: the byte 0xe2 is not UTF-8"},
		{"a: \xC0\x80", "1:4 yaml-encoding: the byte 0xc0 is not UTF-8"},
		{"a: \xED\xA0\x80", "1:4 yaml-encoding: the byte 0xed is not UTF-8"},
		{"\xFF\xFE"
		 "a",
		 "1:1 yaml-encoding: the byte 0xff is not UTF-8"}, /* UTF-16 */
		{"a: \x1B[31m\n", "1:4 yaml-encoding: the control character U+001B is not allowed"},
		{"a: \x7F\n", "1:4 yaml-encoding: the control character U+007F is not allowed"},
		{"\xEF\xBB\xBF"
		 "a: \x01\n",
		 "1:4 yaml-encoding: the control character U+0001 is not allowed"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_faults(cases[i].text, cases[i].fault);
}
END_TEST

START_TEST(a_nul_is_refused_wherever_it_stands)
{
	GP_CLEANUP(clear_fixture) struct fixture raw = {0};
	parse_bytes(&raw, "a: b\0c\n", 7);
	ck_assert_str_eq(faults(&raw), "1:5 yaml-encoding: the control character U+0000 is not allowed");
	ck_assert_ptr_null(raw.root);
	GP_CLEANUP(clear_fixture) struct fixture last = {0};
	parse_bytes(&last, "a: b\n\0", 6);
	ck_assert_str_eq(faults(&last), "2:1 yaml-encoding: the control character U+0000 is not allowed");

	GP_CLEANUP(clear_fixture) struct fixture escaped = {0};
	parse(&escaped, "a: \"x\\0y\"\n\"\\x00\": 1\nc: 2\n");
	ck_assert_str_eq(faults(&escaped), "1:4 yaml-encoding: a text cannot hold the character U+0000\n"
					   "2:1 yaml-encoding: a text cannot hold the character U+0000");
	ck_assert_str_eq(tree(&escaped), "{c:2}");
}
END_TEST

/* ---- hostile files ---- */

START_TEST(a_billion_laughs_are_counted_not_laughed)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 20; i++) {
		gp_str_printf(&text, "a%d: &a%d [*a%d", i, i, i - 1);
		for (int j = 0; j < 8; j++)
			gp_str_printf(&text, ",*a%d", i - 1);
		gp_str_add(&text, "]\n");
	}
	uint64_t before = gp_clock_ms();
	parse(&f, gp_str_text(&text));
	ck_assert_uint_lt(gp_clock_ms() - before, 2000);
	ck_assert_ptr_null(f.root);
	ck_assert_uint_eq(f.diags.count, 1);
	ck_assert_str_eq(f.diags.items[0].code, "yaml-limit");
	ck_assert_str_eq(f.diags.items[0].error.message, "more than 4000000 values (aliases counted in full)");
}
END_TEST

/* The bound counts each value once where it stands and once for each alias to it. */
START_TEST(the_bound_on_values_is_exact)
{
	for (int over = 0; over <= 1; over++) {
		GP_CLEANUP(clear_fixture) struct fixture f = {0};
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		/* The root, a list of 999 values, and 3999 aliases to it: 1 + 1000 + 3999 * 1000, so 999 are left. */
		gp_str_add(&text, "[&x [1");
		for (int i = 1; i < 999; i++)
			gp_str_add(&text, ",1");
		gp_str_add(&text, "]");
		gp_str_add(&text, "\n");
		for (int i = 0; i < 3998; i++)
			gp_str_add(&text, ",*x\n");
		for (int i = 0; i < 999 + over; i++)
			gp_str_add(&text, ",2");
		gp_str_add(&text, "]");
		parse(&f, gp_str_text(&text));
		ck_assert_int_eq(f.root == NULL, over);
		ck_assert_uint_eq(f.diags.count, (size_t)over);
	}
}
END_TEST

static void nest(struct gp_str *text, int levels)
{
	gp_str_add_repeated(text, '[', (size_t)levels);
	gp_str_add_repeated(text, ']', (size_t)levels);
}

START_TEST(depth_is_bounded)
{
	for (int over = 0; over <= 1; over++) {
		GP_CLEANUP(clear_fixture) struct fixture f = {0};
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		nest(&text, GP_YAML_MAX_DEPTH + over);
		parse(&f, gp_str_text(&text));
		ck_assert_int_eq(f.root == NULL, over);
		ck_assert_str_eq(faults(&f), over ? "1:33 yaml-limit: nested more than 32 levels deep" : "");
	}
}
END_TEST

START_TEST(aliases_cannot_dig_deeper)
{
	for (int over = 0; over <= 1; over++) {
		GP_CLEANUP(clear_fixture) struct fixture f = {0};
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		gp_str_add(&text, "- &x ");
		nest(&text, 16);
		/* The root, fourteen lists and an entry's list are 16; the alias is 16 more. */
		gp_str_add(&text, "\n- ");
		gp_str_add_repeated(&text, '[', (size_t)(15 + over));
		gp_str_add(&text, "*x");
		gp_str_add_repeated(&text, ']', (size_t)(15 + over));
		parse(&f, gp_str_text(&text));
		ck_assert_int_eq(f.root == NULL, over);
		ck_assert_str_eq(faults(&f), over ? "2:19 yaml-limit: nested more than 32 levels deep" : "");
	}
}
END_TEST

/* A chain of aliases, each one level deeper than the one before it. */
START_TEST(a_chain_of_aliases_cannot_dig_deeper_either)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, "- &a0 x\n");
	for (int i = 1; i < 100; i++)
		gp_str_printf(&text, "- &a%d [*a%d]\n", i, i - 1);
	parse(&f, gp_str_text(&text));
	ck_assert_str_eq(faults(&f), "33:9 yaml-limit: nested more than 32 levels deep");
}
END_TEST

START_TEST(endless_opening_brackets_end_soon)
{
	static const char openings[] = "[{";
	for (size_t i = 0; i < strlen(openings); i++) {
		GP_CLEANUP(clear_fixture) struct fixture f = {0};
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		gp_str_add_repeated(&text, openings[i], 1000 * 1000);
		uint64_t before = gp_clock_ms();
		parse(&f, gp_str_text(&text));
		ck_assert_uint_lt(gp_clock_ms() - before, 5000);
		ck_assert_ptr_null(f.root);
		ck_assert_uint_le(f.diags.error_count, GP_YAML_MAX_DEPTH);
	}
}
END_TEST

START_TEST(a_huge_scalar_is_whole)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, "a: ");
	gp_str_add_repeated(&text, 'x', 10 * 1000 * 1000);
	parse(&f, gp_str_text(&text));
	ck_assert_str_eq(faults(&f), "");
	ck_assert_uint_eq(gp_yaml_get(f.root, "a")->length, 10 * 1000 * 1000);
	ck_assert_uint_eq(strlen(gp_yaml_get(f.root, "a")->text), 10 * 1000 * 1000);
}
END_TEST

START_TEST(a_huge_key_is_not_repeated_in_full)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str shown = {0};
	for (int i = 0; i < 2; i++) {
		gp_str_add(&text, "? ");
		gp_str_add_repeated(&text, 'k', 100 * 1000);
		gp_str_add(&text, "\n: 1\n");
	}
	parse(&f, gp_str_text(&text));
	ck_assert_uint_eq(f.diags.count, 1);
	ck_assert_str_eq(f.diags.items[0].code, "duplicate-key");
	gp_diags_render(&f.diags, &shown, false);
	ck_assert_uint_lt(shown.length, 2000);
}
END_TEST

/* Comparing each key with each would take half an hour. */
START_TEST(a_mapping_of_very_many_keys_takes_no_time)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	enum { KEYS = 200 * 1000 };
	for (int i = 0; i < KEYS; i++)
		gp_str_printf(&text, "a-key-with-a-long-common-start-%06d:\n", i);
	gp_str_printf(&text, "a-key-with-a-long-common-start-%06d:\n", KEYS / 2);
	uint64_t before = gp_clock_ms();
	parse(&f, gp_str_text(&text));
	ck_assert_uint_lt(gp_clock_ms() - before, 10 * 1000);
	ck_assert_str_eq(faults(&f),
			 "200001:1 duplicate-key: the key 'a-key-with-a-long-common-start-100000' appears twice "
			 "(first defined here 100001:1)");
	ck_assert_uint_eq(f.root->count, KEYS + 1);
}
END_TEST

START_TEST(very_many_anchors_are_refused)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (int i = 0; i < 5000; i++)
		gp_str_printf(&text, "- &a%d x\n", i);
	parse(&f, gp_str_text(&text));
	ck_assert_str_eq(faults(&f), "4097:3 yaml-limit: more than 4096 anchors");
	ck_assert_ptr_null(f.root);
}
END_TEST

START_TEST(the_list_of_faults_is_bounded)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (int i = 0; i < 1000; i++)
		gp_str_add(&text, "- *nobody\n");
	parse(&f, gp_str_text(&text));
	ck_assert_ptr_null(f.root);
	ck_assert_uint_eq(f.diags.count, 101);
	ck_assert_str_eq(f.diags.items[100].error.message, "too many faults; the rest of the file was not read");

	GP_CLEANUP(clear_fixture) struct fixture same = {0};
	gp_str_clear(&text);
	for (int i = 0; i < 1000; i++)
		gp_str_add(&text, "same: 1\n");
	parse(&same, gp_str_text(&text));
	ck_assert_uint_eq(same.diags.count, 101);
}
END_TEST

/* Every text cut at every place, and with every byte turned: nothing may crash, and a text without a tree has said
 * why. */
START_TEST(damaged_texts_end_in_a_tree_or_a_fault)
{
	static const char text[] = "version: 1\n# c\ngpus: &g\n  - {class: \"v\\x41di\", match: [A16, *x]}\n"
				   "vms: [*g, 'a''b', !!str 1]\n? |\n  x\n: >-\n  y\n--- \n\xC3\xA4: ~\n";
	char damaged[sizeof(text)];
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		GP_CLEANUP(clear_fixture) struct fixture cut = {0};
		parse_bytes(&cut, text, at);
		static const unsigned char turns[] = {0x01, 0x10, 0x20, 0x80, 0xFF};
		for (size_t i = 0; i < COUNT_OF(turns); i++) {
			GP_CLEANUP(clear_fixture) struct fixture turned = {0};
			memcpy(damaged, text, sizeof(text));
			damaged[at] = (char)((unsigned char)damaged[at] ^ turns[i]);
			parse_bytes(&turned, damaged, sizeof(text) - 1);
			ck_assert_msg(turned.root != NULL || turned.diags.error_count > 0, "at %zu", at);
			GP_CLEANUP(gp_str_clear) struct gp_str shown = {0};
			gp_diags_render(&turned.diags, &shown, true);
		}
	}
}
END_TEST

/* ---- writing ---- */

START_TEST(strings_are_quoted_only_when_they_must_be)
{
	static const struct {
		const char *text;
		const char *yaml;
	} cases[] = {
		{"desktop-01", "desktop-01"},
		{"A16-4Q", "A16-4Q"},
		{"8GiB", "8GiB"},
		{"Data Center GPU Flex 170", "Data Center GPU Flex 170"},
		{"/etc/gpupart", "/etc/gpupart"},
		{"", "\"\""},
		{"0000:41:00.0", "\"0000:41:00.0\""}, /* a number to base 60 for YAML 1.1 */
		{"12", "\"12\""},
		{"1.5", "\"1.5\""},
		{"0x10", "\"0x10\""},
		{"2026-01-01", "\"2026-01-01\""},
		{".inf", "\".inf\""},
		{"-", "\"-\""},
		{"---", "\"---\""},
		{"true", "\"true\""},
		{"No", "\"No\""},
		{"~", "\"~\""},
		{"NULL", "\"NULL\""},
		{"<<", "\"<<\""},
		{"=", "\"=\""},
		{" a", "\" a\""},
		{"a ", "\"a \""},
		{"a: b", "\"a: b\""},
		{"a:", "\"a:\""},
		{"a:b", "a:b"},
		{"a #b", "\"a #b\""},
		{"gpu-*", "\"gpu-*\""},
		{"desktop-[01-64]", "\"desktop-[01-64]\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"tab\tnl\n\x1B", "\"tab\\tnl\\n\\x1B\""},
		{"B\xC3\xBCro", "\"B\xC3\xBCro\""},
		{"\xC2\x85\xE2\x80\xA8\xEF\xBB\xBF", "\"\\x85\\u2028\\uFEFF\""},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str out = {0};
		gp_yaml_add_string(&out, cases[i].text);
		ck_assert_str_eq(gp_str_text(&out), cases[i].yaml);
	}
}
END_TEST

static void check_round_trip(const char *text)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str out = {0};
	/* Once as a value of a line, once inside brackets, once as a key. */
	gp_str_add(&out, "a: ");
	gp_yaml_add_string(&out, text);
	gp_str_add(&out, "\nb: [");
	gp_yaml_add_string(&out, text);
	gp_str_add(&out, "]\nc:\n  ");
	gp_yaml_add_string(&out, text);
	gp_str_add(&out, ": 1\n");
	parse(&f, gp_str_text(&out));
	ck_assert_msg(f.root != NULL && f.diags.count == 0, "does not parse: %s\n%s", gp_str_text(&out), faults(&f));
	ck_assert_str_eq(gp_yaml_get(f.root, "a")->text, text);
	ck_assert(!gp_yaml_is_null(gp_yaml_get(f.root, "a")));
	const struct gp_yaml_node *list = gp_yaml_get(f.root, "b");
	ck_assert_uint_eq(list->count, 1);
	ck_assert_str_eq(list->first->value->text, text);
	ck_assert_str_eq(gp_yaml_get(f.root, "c")->first->key->text, text);
}

START_TEST(every_string_comes_back)
{
	/* All pairs of characters that mean something to YAML, with something before, between and behind. */
	static const char signs[] = "-?:,[]{}#&*!|>'\"%@`=<~\\ \t\n\r\x01\x7F"
				    "a0.+_/()";
	char text[8];
	for (const char *one = signs; *one != '\0'; one++) {
		for (const char *two = signs; *two != '\0'; two++) {
			snprintf(text, sizeof(text), "%c%c", *one, *two);
			check_round_trip(text);
			snprintf(text, sizeof(text), "x%c%cy", *one, *two);
			check_round_trip(text);
		}
	}
	for (uint32_t code = 1; code < 0x11000; code += code < 0x3000 ? 1 : 97) {
		if (code >= 0xD800 && code <= 0xDFFF)
			continue;
		memset(text, 0, sizeof(text));
		gp_utf8_put(text, code);
		check_round_trip(text);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_document_becomes_a_tree,
		nothing_is_no_tree_and_no_fault,
		a_root_may_be_of_any_type,
		marks_count_characters_from_one,
		get_finds_whole_keys,
		null_is_plain,
		aliases_are_shared,
		an_anchor_may_be_defined_again,
		a_key_that_is_an_alias_has_a_mark_of_its_own,
		an_alias_needs_an_anchor_before_it,
		an_alias_cannot_make_a_ring,
		a_key_appears_once,
		duplicates_among_many_keys_are_found_too,
		after_a_duplicate_key_reading_goes_on,
		merge_keys_are_refused_unless_quoted,
		a_key_is_a_text,
		a_file_holds_one_document,
		only_core_tags_are_taken,
		syntax_faults_have_a_place_and_plain_words,
		a_syntax_fault_shows_its_line,
		a_duplicate_key_shows_both_places,
		bytes_that_are_no_utf8_have_a_place,
		a_nul_is_refused_wherever_it_stands,
		a_billion_laughs_are_counted_not_laughed,
		the_bound_on_values_is_exact,
		depth_is_bounded,
		aliases_cannot_dig_deeper,
		a_chain_of_aliases_cannot_dig_deeper_either,
		endless_opening_brackets_end_soon,
		a_huge_scalar_is_whole,
		a_huge_key_is_not_repeated_in_full,
		a_mapping_of_very_many_keys_takes_no_time,
		very_many_anchors_are_refused,
		the_list_of_faults_is_bounded,
		damaged_texts_end_in_a_tree_or_a_fault,
		strings_are_quoted_only_when_they_must_be,
		every_string_comes_back,
	};
	return run_tests("base/yaml_tree", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns of names:
 *
 *	desktop-[01-64]         desktop-01 … desktop-64: both ends are written alike, zeros count
 *	cad-[1-3,7,spare]       cad-1 cad-2 cad-3 cad-7 cad-spare
 *	r[1-2]-gpu[0-3]         eight names; the last group counts fastest
 */
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "intent/file.h"

enum { MAX_GROUPS = 8, MAX_DIGITS = 9, LONGEST_NAME = 255, SHOWN = 60 };

#define WORDS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

/* "01-64", or "spare". */
struct element {
	const char *word; /* NULL: a range */
	uint32_t first;
	int width;
	uint64_t count;
};

struct group {
	const char *before; /* the text that stands before it */
	struct element *elements;
	size_t element_count;
	uint64_t count;
	size_t at_element; /* the counter's digit: which element… */
	uint64_t at_index; /* …and where in its range */
};

struct gp_names {
	struct group groups[MAX_GROUPS];
	size_t group_count;
	const char *after; /* the text behind the last group */
	uint64_t count;
	bool done;
};

const char *gp_domain_name_fault(const char *name)
{
	size_t length = strlen(name);
	if (length == 0)
		return "it is empty";
	if (length > LONGEST_NAME)
		return "it is longer than 255 bytes";
	if (name[0] == ' ' || name[length - 1] == ' ')
		return "a blank stands at its end";
	for (const char *at = name; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7F)
			return "it holds a control character";
	if (strchr(name, '/') != NULL)
		return "libvirt allows no '/' in it";
	if (strchr(name, '*') != NULL)
		return "'*' stands for nothing here, since the files are read without looking at the host";
	return strpbrk(name, "[]") != NULL ? "brackets stand for a pattern" : NULL;
}

/* ---- reading a pattern ---- */

static int fail_pattern(struct gp_error *err, const char *pattern, const char *why)
{
	gp_fail(err, GP_E_INPUT, "'%.*s' %s", SHOWN, pattern, why);
	return gp_error_remedy(err, "write a pattern such as desktop-[01-64] or cad-[1-3,7]");
}

static int parse_range(const char *first, const char *last, struct element *element, struct gp_error *err)
{
	uint32_t from, to;
	size_t width = strlen(first);
	if (width > MAX_DIGITS || strlen(last) > MAX_DIGITS || gp_parse_u32(first, &from) < 0 ||
	    gp_parse_u32(last, &to) < 0)
		return gp_fail(err, GP_E_INPUT, "the range '%.*s-%.*s' has too many digits", SHOWN, first, SHOWN, last);
	if (from > to) {
		gp_fail(err, GP_E_INPUT, "the range '%s-%s' runs backwards", first, last);
		return gp_error_remedy(err, "write [%s-%s]", last, first);
	}
	bool padded = first[0] == '0' || last[0] == '0';
	if (padded && width != strlen(last)) {
		gp_fail(err, GP_E_INPUT, "the ends of the range '%s-%s' are not written with as many digits", first,
			last);
		return gp_error_remedy(err, "write [%0*u-%s], or leave out the zeros", (int)strlen(last), from, last);
	}
	*element = (struct element){.first = from, .width = padded ? (int)width : 1, .count = (uint64_t)to - from + 1};
	return 0;
}

/* Text between commas; cut in two at its '-' when it is a range. */
static int parse_element(char *text, struct element *element, struct gp_error *err)
{
	static const char digits[] = "0123456789";
	char *dash = strchr(text, '-');
	if (dash == NULL) {
		*element = (struct element){.word = text, .count = 1};
		if (text[0] != '\0' && text[strspn(text, WORDS)] == '\0')
			return 0;
		return text[0] == '\0' ? fail_pattern(err, "[]", "has nothing between its brackets or commas")
				       : fail_pattern(err, text, "cannot stand in brackets");
	}
	*dash = '\0';
	bool numbers = text[0] != '\0' && text[strspn(text, digits)] == '\0' && dash[1] != '\0' &&
		       dash[1 + strspn(dash + 1, digits)] == '\0';
	if (numbers)
		return parse_range(text, dash + 1, element, err);
	*dash = '-';
	return fail_pattern(err, text, "is not a range of numbers");
}

/* `text` is what stands between the brackets. */
static int parse_group(struct gp_arena *arena, char *text, struct group *group, struct gp_error *err)
{
	for (char *at = text, *comma; at != NULL; at = comma) {
		comma = strchr(at, ',');
		if (comma != NULL)
			*comma++ = '\0';
		struct element *element = gp_arena_push(arena, group->elements, group->element_count);
		if (parse_element(at, element, err) < 0)
			return -1;
		group->count += element->count;
	}
	return 0;
}

static int parse_groups(struct gp_arena *arena, struct gp_names *names, const char *pattern, struct gp_error *err)
{
	char *at = gp_arena_strdup(arena, pattern);
	for (;;) {
		names->after = at;
		char *bracket = strpbrk(at, "[]");
		if (bracket == NULL)
			return 0;
		char *end = strpbrk(bracket + 1, "[]");
		if (*bracket == ']' || end == NULL || *end == '[')
			return fail_pattern(err, pattern, "has a bracket without its partner");
		if (names->group_count == MAX_GROUPS)
			return fail_pattern(err, pattern, "has more than 8 pairs of brackets");
		*bracket = '\0';
		*end = '\0';
		struct group *group = &names->groups[names->group_count++];
		group->before = at;
		if (parse_group(arena, bracket + 1, group, err) < 0)
			return -1;
		at = end + 1;
	}
}

static int check_count(struct gp_names *names, const char *pattern, uint64_t most, struct gp_error *err)
{
	names->count = 1;
	for (size_t i = 0; i < names->group_count; i++) {
		if (!__builtin_mul_overflow(names->count, names->groups[i].count, &names->count) &&
		    names->count <= most)
			continue;
		return gp_fail(err, GP_E_INPUT, "'%.*s' stands for more than %" PRIu64 " names", SHOWN, pattern, most);
	}
	return 0;
}

static char *current_name(const struct gp_names *names, struct gp_arena *arena);

/* The texts of all names of a pattern hold the same characters but for digits and words: one stands for all. */
static int check_first(const struct gp_names *names, struct gp_arena *arena, const char *pattern, struct gp_error *err)
{
	const char *why = gp_domain_name_fault(current_name(names, arena));
	if (why == NULL)
		return 0;
	return gp_fail(err, GP_E_INPUT, "'%.*s' cannot name domains: %s", SHOWN, pattern, why);
}

struct gp_names *gp_names_parse(struct gp_arena *arena, const char *pattern, uint64_t most, struct gp_error *err)
{
	struct gp_names *names = gp_arena_new_of(arena, struct gp_names);
	if (parse_groups(arena, names, pattern, err) < 0 || check_count(names, pattern, most, err) < 0 ||
	    check_first(names, arena, pattern, err) < 0)
		return NULL;
	return names;
}

uint64_t gp_names_count(const struct gp_names *names)
{
	return names->count;
}

/* ---- counting ---- */

static void add_element(struct gp_str *out, const struct group *group)
{
	const struct element *element = &group->elements[group->at_element];
	if (element->word != NULL)
		gp_str_add(out, element->word);
	else
		gp_str_printf(out, "%0*" PRIu64, element->width, element->first + group->at_index);
}

static char *current_name(const struct gp_names *names, struct gp_arena *arena)
{
	GP_CLEANUP(gp_str_clear) struct gp_str name = {0};
	for (size_t i = 0; i < names->group_count; i++) {
		gp_str_add(&name, names->groups[i].before);
		add_element(&name, &names->groups[i]);
	}
	gp_str_add(&name, names->after);
	return gp_arena_strndup(arena, gp_str_text(&name), name.length);
}

/* True when the digit went past its end and starts again. */
static bool step_group(struct group *group)
{
	if (++group->at_index < group->elements[group->at_element].count)
		return false;
	group->at_index = 0;
	if (++group->at_element < group->element_count)
		return false;
	group->at_element = 0;
	return true;
}

const char *gp_names_next(struct gp_names *names, struct gp_arena *arena)
{
	if (names->done)
		return NULL;
	const char *name = current_name(names, arena);
	size_t i = names->group_count;
	while (i > 0 && step_group(&names->groups[i - 1]))
		i--;
	names->done = i == 0;
	return name;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/str.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { LEAST_CAPACITY = 64, SUGGESTION_MAX = 64 };

/* ---- memory ---- */

void gp_out_of_memory(void)
{
	fputs("gpupart: out of memory\n", stderr);
	_exit(1);
}

void *gp_xmalloc(size_t size)
{
	void *memory = malloc(size == 0 ? 1 : size);
	if (memory == NULL)
		gp_out_of_memory();
	return memory;
}

void *gp_xcalloc(size_t count, size_t size)
{
	void *memory = count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
	if (memory == NULL)
		gp_out_of_memory();
	return memory;
}

void *gp_xrealloc(void *old, size_t size)
{
	void *memory = realloc(old, size == 0 ? 1 : size);
	if (memory == NULL)
		gp_out_of_memory();
	return memory;
}

char *gp_xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;
	return memcpy(gp_xmalloc(size), text, size);
}

char *gp_xasprintf(const char *format, ...)
{
	struct gp_str text = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&text, format, args);
	va_end(args);
	return gp_str_take(&text);
}

/* ---- the growing string ---- */

void gp_str_clear(struct gp_str *str)
{
	free(str->text);
	*str = (struct gp_str){0};
}

const char *gp_str_text(const struct gp_str *str)
{
	return str->text == NULL ? "" : str->text;
}

char *gp_str_take(struct gp_str *str)
{
	char *text = str->text == NULL ? gp_xstrdup("") : str->text;
	*str = (struct gp_str){0};
	return text;
}

/* Room for `extra` bytes and the NUL. */
static void reserve(struct gp_str *str, size_t extra)
{
	size_t needed;
	if (__builtin_add_overflow(str->length, extra, &needed) || __builtin_add_overflow(needed, (size_t)1, &needed))
		gp_out_of_memory();
	if (str->text != NULL && needed <= str->capacity)
		return;
	size_t capacity = str->capacity > SIZE_MAX / 2 ? needed : str->capacity * 2;
	if (capacity < needed)
		capacity = needed;
	if (capacity < LEAST_CAPACITY)
		capacity = LEAST_CAPACITY;
	str->text = gp_xrealloc(str->text, capacity);
	str->capacity = capacity;
}

void gp_str_add(struct gp_str *str, const char *text)
{
	gp_str_add_n(str, text, strlen(text));
}

void gp_str_add_n(struct gp_str *str, const char *text, size_t length)
{
	reserve(str, length);
	if (length > 0)
		memcpy(str->text + str->length, text, length);
	str->length += length;
	str->text[str->length] = '\0';
}

void gp_str_add_char(struct gp_str *str, char c)
{
	gp_str_add_n(str, &c, 1);
}

void gp_str_add_repeated(struct gp_str *str, char c, size_t count)
{
	reserve(str, count);
	memset(str->text + str->length, c, count);
	str->length += count;
	str->text[str->length] = '\0';
}

void gp_str_printf(struct gp_str *str, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	gp_str_vprintf(str, format, args);
	va_end(args);
}

void gp_str_vprintf(struct gp_str *str, const char *format, va_list args)
{
	reserve(str, LEAST_CAPACITY);
	va_list again;
	va_copy(again, args);
	size_t room = str->capacity - str->length;
	int length = vsnprintf(str->text + str->length, room, format, args);
	if (length >= 0 && (size_t)length >= room) {
		reserve(str, (size_t)length);
		length = vsnprintf(str->text + str->length, (size_t)length + 1, format, again);
	}
	va_end(again);
	/* glibc fails here for a text over 2 GiB alone: there is no way on. */
	if (length < 0)
		gp_out_of_memory();
	str->length += (size_t)length;
}

void gp_str_add_shown(struct gp_str *str, const char *text)
{
	struct gp_utf8_shown shown;
	size_t size = strlen(text);
	for (size_t at = 0; at < size;) {
		at += gp_utf8_show(text + at, size - at, &shown);
		gp_str_add(str, shown.text);
	}
}

void gp_str_pad_to(struct gp_str *str, size_t column)
{
	const char *text = gp_str_text(str);
	const char *line_end = memrchr(text, '\n', str->length);
	const char *line = line_end == NULL ? text : line_end + 1;
	size_t width = gp_utf8_count(line, str->length - (size_t)(line - text));
	if (width < column)
		gp_str_add_repeated(str, ' ', column - width);
}

/* ---- plain strings ---- */

static char fold_char(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool gp_streq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool gp_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The next item and its length, without blanks around it; moves behind its comma, or to NULL behind the last. */
static const char *take_item(const char **text, size_t *length)
{
	const char *item = *text + strspn(*text, " \t");
	const char *end = item + strcspn(item, ",");
	*text = *end == ',' ? end + 1 : NULL;
	while (end > item && strchr(" \t", end[-1]) != NULL)
		end--;
	*length = (size_t)(end - item);
	return item;
}

bool gp_same_list(const char *a, const char *b)
{
	while (a != NULL && b != NULL) {
		size_t left_length, right_length;
		const char *left = take_item(&a, &left_length), *right = take_item(&b, &right_length);
		if (left_length != right_length || memcmp(left, right, left_length) != 0)
			return false;
	}
	return a == b;
}

struct span {
	const char *text;
	size_t length;
};

static bool same_char(char a, char b, bool fold)
{
	return a == b || (fold && fold_char(a) == fold_char(b));
}

/* Only the last '*' is ever tried again: what the earlier ones took can stay as it is. */
static bool glob_match(struct span pattern, struct span text, bool fold)
{
	size_t p = 0, t = 0, star = SIZE_MAX, retry = 0;
	while (t < text.length) {
		if (p < pattern.length && pattern.text[p] == '*') {
			star = p++;
			retry = t;
		} else if (p < pattern.length && same_char(pattern.text[p], text.text[t], fold)) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++retry;
		} else {
			return false;
		}
	}
	while (p < pattern.length && pattern.text[p] == '*')
		p++;
	return p == pattern.length;
}

bool gp_glob_match(const char *pattern, const char *text, bool fold)
{
	return glob_match((struct span){pattern, strlen(pattern)}, (struct span){text, strlen(text)}, fold);
}

/* Bytes of UTF-8 sequences count as letters. */
static bool is_word_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '+' ||
	       c == '*' || (unsigned char)c >= 0x80;
}

/* The next word at or after *at, which moves behind it; no text when there is none. */
static struct span next_word(const char **at)
{
	while (**at != '\0' && !is_word_char(**at))
		(*at)++;
	struct span word = {*at, 0};
	while (is_word_char(**at))
		(*at)++;
	word.length = (size_t)(*at - word.text);
	return word;
}

static bool words_match_here(const char *words, const char *text)
{
	for (;;) {
		struct span wanted = next_word(&words);
		if (wanted.length == 0)
			return true;
		struct span found = next_word(&text);
		if (found.length == 0 || !glob_match(wanted, found, true))
			return false;
	}
}

bool gp_word_match(const char *words, const char *text)
{
	const char *first = words;
	if (next_word(&first).length == 0)
		return false; /* nothing was asked for: that selects nothing, not everything */
	for (;;) {
		const char *start = text;
		if (next_word(&text).length == 0)
			return false;
		if (words_match_here(words, start))
			return true;
	}
}

/* ---- did you mean ---- */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* NOLINTBEGIN(clang-analyzer-*): it follows neither strlen() nor the cleanup attribute here */
/* Row i of the table, from the two rows before it: three rows are kept, and take turns. */
static void distance_row(const char *a, size_t i, struct span b, unsigned *rows)
{
	size_t width = b.length + 1;
	const unsigned *two_before = rows + (i + 1) % 3 * width, *before = rows + (i + 2) % 3 * width;
	unsigned *row = rows + i % 3 * width;
	row[0] = (unsigned)i;
	for (size_t j = 1; j <= b.length; j++) {
		unsigned changed = before[j - 1] + (a[i - 1] == b.text[j - 1] ? 0 : 1);
		row[j] = least(changed, least(before[j], row[j - 1]) + 1);
		if (i > 1 && j > 1 && a[i - 1] == b.text[j - 2] && a[i - 2] == b.text[j - 1])
			row[j] = least(row[j], two_before[j - 2] + 1);
	}
}

unsigned gp_edit_distance(const char *a, const char *b)
{
	size_t a_length = strlen(a);
	struct span to = {b, strlen(b)};
	gp_autofree unsigned *rows = gp_xcalloc(to.length + 1, 3 * sizeof(unsigned));
	for (size_t j = 0; j <= to.length; j++)
		rows[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++)
		distance_row(a, i, to, rows);
	return rows[a_length % 3 * (to.length + 1) + to.length];
}
/* NOLINTEND(clang-analyzer-*) */

/* A slip is one in three letters or so; a short word with a slip could be any other short word. */
static unsigned slips_allowed(size_t length)
{
	if (length < 3)
		return 0;
	if (length < 6)
		return 1;
	return length < 9 ? 2 : 3;
}

static void fold_copy(char out[SUGGESTION_MAX + 1], const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		out[i] = fold_char(text[i]);
	out[length] = '\0';
}

const char *gp_did_you_mean(const char *found, const char *const *candidates, size_t count)
{
	size_t found_length = strlen(found);
	if (found_length == 0 || found_length > SUGGESTION_MAX)
		return NULL;
	char folded[SUGGESTION_MAX + 1], candidate[SUGGESTION_MAX + 1];
	fold_copy(folded, found, found_length);

	const char *nearest = NULL;
	unsigned nearest_distance = UINT32_MAX;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(candidates[i]);
		size_t shorter = length < found_length ? length : found_length;
		size_t longer = length < found_length ? found_length : length;
		unsigned allowed = slips_allowed(shorter);
		if (longer > SUGGESTION_MAX || longer - shorter > allowed)
			continue;
		fold_copy(candidate, candidates[i], length);
		unsigned distance = gp_edit_distance(folded, candidate);
		if (distance <= allowed && distance < nearest_distance) {
			nearest = candidates[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}

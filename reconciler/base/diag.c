/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/diag.h"

#include <ctype.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "base/utf8.h"

enum {
	TAB = 8,
	WIDEST_EXCERPT = 100, /* columns of a source line; the rest is cut off */
	BEFORE_CARET = 50     /* columns of it kept before the caret, when it is cut */
};

/* ---- the list ---- */

static void clear_diag(struct gp_diag *diag)
{
	gp_error_clear(&diag->error);
	free(diag->other_note);
	*diag = (struct gp_diag){0};
}

void gp_diags_clear(struct gp_diags *diags)
{
	for (size_t i = 0; i < diags->count; i++)
		clear_diag(&diags->items[i]);
	free(diags->items);
	*diags = (struct gp_diags){0};
}

/* Capacity is the next power of two, so the list is full when the count is one. */
static struct gp_diag *push(struct gp_diags *diags, struct gp_diag diag)
{
	if ((diags->count & (diags->count - 1)) == 0) {
		size_t capacity = diags->count == 0 ? 1 : diags->count * 2;
		diags->items = gp_xrealloc(diags->items, capacity * sizeof(struct gp_diag));
	}
	if (diag.severity == GP_ERROR)
		diags->error_count++;
	diags->items[diags->count] = diag;
	return &diags->items[diags->count++];
}

struct gp_diag *gp_diags_add(struct gp_diags *diags, enum gp_severity severity, enum gp_error_kind kind,
			     const char *code, struct gp_mark mark, const char *format, ...)
{
	struct gp_str message = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&message, format, args);
	va_end(args);
	struct gp_error error = {.kind = kind, .mark = mark, .message = gp_str_take(&message)};
	return push(diags, (struct gp_diag){.severity = severity, .code = code, .error = error});
}

struct gp_diag *gp_diags_add_error(struct gp_diags *diags, const char *code, struct gp_error *err)
{
	struct gp_diag diag = {.severity = GP_ERROR, .code = code};
	gp_error_move(&diag.error, err);
	return push(diags, diag);
}

void gp_diags_append(struct gp_diags *diags, struct gp_diags *from)
{
	for (size_t i = 0; i < from->count; i++)
		push(diags, from->items[i]);
	free(from->items);
	*from = (struct gp_diags){0};
}

void gp_diag_other(struct gp_diag *diag, struct gp_mark mark, const char *format, ...)
{
	struct gp_str note = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&note, format, args);
	va_end(args);
	free(diag->other_note);
	diag->other_note = gp_str_take(&note);
	diag->other = mark;
}

/* ---- order ---- */

struct numbered {
	struct gp_diag diag;
	size_t found_as;
};

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int compare_marks(const struct gp_mark *a, const struct gp_mark *b)
{
	if (a->source == NULL || b->source == NULL)
		return (a->source == NULL) - (b->source == NULL);
	int by_path = strcmp(a->source->path, b->source->path);
	if (by_path != 0)
		return by_path;
	int by_line = compare_numbers(a->line, b->line);
	return by_line != 0 ? by_line : compare_numbers(a->column, b->column);
}

static int compare_diags(const void *left, const void *right)
{
	const struct numbered *a = left, *b = right;
	int by_weight = (a->diag.severity == GP_INFO) - (b->diag.severity == GP_INFO);
	if (by_weight != 0)
		return by_weight;
	int by_place = compare_marks(&a->diag.error.mark, &b->diag.error.mark);
	return by_place != 0 ? by_place : compare_numbers(a->found_as, b->found_as);
}

void gp_diags_sort(struct gp_diags *diags)
{
	if (diags->count < 2)
		return;
	gp_autofree struct numbered *order = gp_xcalloc(diags->count, sizeof(*order));
	for (size_t i = 0; i < diags->count; i++)
		order[i] = (struct numbered){.diag = diags->items[i], .found_as = i};
	qsort(order, diags->count, sizeof(*order), compare_diags);
	for (size_t i = 0; i < diags->count; i++)
		diags->items[i] = order[i].diag;
}

/* ---- words for a person ---- */

struct palette {
	const char *bold;
	const char *tint; /* of the severity */
	const char *off;
};

static const char *severity_name(enum gp_severity severity)
{
	return severity == GP_ERROR ? "error" : severity == GP_WARNING ? "warning" : "info";
}

static struct palette palette_for(enum gp_severity severity, bool colour)
{
	static const char *const tints[] = {
		[GP_INFO] = "\033[1;36m", [GP_WARNING] = "\033[1;35m", [GP_ERROR] = "\033[1;31m"};
	if (!colour)
		return (struct palette){"", "", ""};
	return (struct palette){.bold = "\033[1m", .tint = tints[severity], .off = "\033[0m"};
}

void gp_mark_format(struct gp_mark mark, struct gp_str *out)
{
	if (mark.source == NULL)
		return;
	gp_str_add_shown(out, mark.source->path);
	if (mark.line > 0)
		gp_str_printf(out, ":%" PRIu32, mark.line);
}

/* "site.yaml:7:17: error: " */
static void add_heading(struct gp_str *out, struct gp_mark mark, const char *severity, struct palette paint)
{
	if (mark.source != NULL) {
		gp_str_add(out, paint.bold);
		gp_mark_format(mark, out);
		if (mark.line > 0 && mark.column > 0)
			gp_str_printf(out, ":%" PRIu32, mark.column);
		gp_str_printf(out, ":%s ", paint.off);
	}
	gp_str_printf(out, "%s%s:%s ", paint.tint, severity, paint.off);
}

/* The part of a source line that is shown, in columns from the start of the whole line. */
struct excerpt {
	const char *text;
	size_t size;
	size_t caret;         /* column under which the caret stands */
	size_t underline_end; /* column behind the last '~' */
	size_t width;         /* of the whole line */
	size_t first;         /* shown are the columns from here … */
	size_t last;          /* … to before here */
};

/* One character of the line, which starts in `column`. Returns its bytes. */
static size_t show_at(const struct excerpt *excerpt, size_t at, size_t column, struct gp_utf8_shown *shown)
{
	size_t length = gp_utf8_show(excerpt->text + at, excerpt->size - at, shown);
	if (excerpt->text[at] == '\t') {
		/* Spelled out as blanks, so that the caret stands right whatever the terminal does with tabs. */
		*shown = (struct gp_utf8_shown){.width = (unsigned)(TAB - column % TAB)};
		memset(shown->text, ' ', shown->width);
	}
	return length;
}

static void measure(struct excerpt *excerpt, uint32_t mark_column, size_t caret_length)
{
	size_t caret_at = mark_column > 0 ? mark_column - 1 : 0;
	size_t caret_end = caret_length > SIZE_MAX - caret_at ? SIZE_MAX : caret_at + caret_length;
	size_t column = 0, character = 0;
	bool caret_found = false;
	for (size_t at = 0; at < excerpt->size; character++) {
		struct gp_utf8_shown shown;
		at += show_at(excerpt, at, column, &shown);
		if (character == caret_at) {
			excerpt->caret = column;
			caret_found = true;
		}
		column += shown.width;
		if (character < caret_end)
			excerpt->underline_end = column;
	}
	excerpt->width = column;
	if (!caret_found)
		excerpt->caret = column;
	if (caret_length <= 1 || excerpt->underline_end <= excerpt->caret)
		excerpt->underline_end = excerpt->caret + 1;
}

static void choose_columns(struct excerpt *excerpt)
{
	excerpt->last = excerpt->width;
	if (excerpt->width <= WIDEST_EXCERPT)
		return;
	if (excerpt->caret > BEFORE_CARET)
		excerpt->first = excerpt->caret - BEFORE_CARET;
	if (excerpt->width - excerpt->first > WIDEST_EXCERPT)
		excerpt->last = excerpt->first + WIDEST_EXCERPT;
}

static const char *cut_before(const struct excerpt *excerpt)
{
	return excerpt->first > 0 ? "..." : "";
}

static const char *cut_after(const struct excerpt *excerpt)
{
	return excerpt->last < excerpt->width ? "..." : "";
}

static void add_line_text(struct gp_str *out, const struct excerpt *excerpt)
{
	gp_str_add(out, cut_before(excerpt));
	size_t column = 0;
	for (size_t at = 0; at < excerpt->size && column < excerpt->last;) {
		struct gp_utf8_shown shown;
		at += show_at(excerpt, at, column, &shown);
		/* A wide character across the cut leaves blanks, so that what follows keeps its column. */
		if (column >= excerpt->first && column + shown.width <= excerpt->last)
			gp_str_add(out, shown.text);
		else if (column < excerpt->first && column + shown.width > excerpt->first)
			gp_str_add_repeated(out, ' ', column + shown.width - excerpt->first);
		column += shown.width;
	}
	gp_str_add(out, cut_after(excerpt));
}

static void add_underline(struct gp_str *out, const struct excerpt *excerpt, struct palette paint)
{
	size_t end = excerpt->underline_end;
	if (end > excerpt->last)
		end = excerpt->last;
	gp_str_add_repeated(out, ' ', strlen(cut_before(excerpt)) + excerpt->caret - excerpt->first);
	gp_str_add(out, paint.tint);
	gp_str_add_char(out, '^');
	if (end > excerpt->caret + 1)
		gp_str_add_repeated(out, '~', end - excerpt->caret - 1);
	gp_str_add(out, paint.off);
}

static void trim_blanks_at_end(struct gp_str *out)
{
	while (out->length > 0 && out->text[out->length - 1] == ' ')
		out->text[--out->length] = '\0';
}

/*
 *	    7 |     partitons: 8
 *	      |     ^~~~~~~~~
 */
static void add_excerpt(struct gp_str *out, struct gp_mark mark, size_t caret_length, struct palette paint)
{
	struct excerpt excerpt = {0};
	excerpt.text = gp_source_line(mark.source, mark.line, &excerpt.size);
	if (excerpt.text == NULL)
		return;
	measure(&excerpt, mark.column, caret_length);
	choose_columns(&excerpt);

	size_t gutter_start = out->length;
	gp_str_printf(out, "%5" PRIu32 " ", mark.line);
	size_t gutter = out->length - gutter_start;
	gp_str_add(out, "| ");
	add_line_text(out, &excerpt);
	trim_blanks_at_end(out);
	gp_str_add_char(out, '\n');
	if (mark.column == 0)
		return;
	gp_str_add_repeated(out, ' ', gutter);
	gp_str_add(out, "| ");
	add_underline(out, &excerpt, paint);
	gp_str_add_char(out, '\n');
}

static void add_answer(struct gp_str *out, const char *label, const char *text)
{
	if (text == NULL)
		return;
	gp_str_printf(out, "      %s: ", label);
	gp_str_add_shown(out, text);
	gp_str_add_char(out, '\n');
}

static void add_other(struct gp_str *out, const struct gp_diag *diag, bool colour)
{
	if (diag->other_note == NULL && diag->other.source == NULL)
		return;
	struct palette paint = palette_for(GP_INFO, colour);
	add_heading(out, diag->other, "note", paint);
	gp_str_add_shown(out, diag->other_note == NULL ? "see here" : diag->other_note);
	gp_str_add_char(out, '\n');
	add_excerpt(out, diag->other, 1, paint);
}

static bool is_part_of_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/*
 * Does the message name what it is about? "domain web-01" does not have to stand before "web-01 gets no partition", nor
 * "0000:41:00.0 sriov_numvfs" before "GPU 0000:41:00.0: …".
 */
static bool says_subject(const struct gp_error *error)
{
	const char *subject = error->subject, *message = error->message;
	bool domain = gp_starts_with(subject, "domain ");
	gp_autofree char *name = domain ? gp_xstrdup(subject + strlen("domain "))
					: gp_xasprintf("%.*s", (int)strcspn(subject, " "), subject);
	const char *at = message != NULL && name[0] != '\0' ? strstr(message, name) : NULL;
	for (; at != NULL; at = strstr(at + 1, name))
		if ((at == message || !is_part_of_word(at[-1])) && !is_part_of_word(at[strlen(name)]))
			return true;
	return false;
}

void gp_diag_render(const struct gp_diag *diag, struct gp_str *out, bool colour)
{
	const struct gp_error *error = &diag->error;
	struct palette paint = palette_for(diag->severity, colour);
	add_heading(out, error->mark, severity_name(diag->severity), paint);
	if (error->subject != NULL && !says_subject(error)) {
		gp_str_add_shown(out, error->subject);
		gp_str_add(out, ": ");
	}
	gp_str_add_shown(out, error->message == NULL ? gp_error_kind_name(error->kind) : error->message);
	gp_str_add_char(out, '\n');
	add_excerpt(out, error->mark, diag->caret_length, paint);
	add_answer(out, "held by", error->holder);
	add_answer(out, "try", error->remedy);
	add_other(out, diag, colour);
}

void gp_diags_render(const struct gp_diags *diags, struct gp_str *out, bool colour)
{
	for (size_t i = 0; i < diags->count; i++)
		gp_diag_render(&diags->items[i], out, colour);
}

/* ---- JSON for a program ---- */

/* JSON must be UTF-8; text from outside need not be. Control characters are escaped by json-c. */
static struct json_object *new_text(const char *text)
{
	GP_CLEANUP(gp_str_clear) struct gp_str valid = {0};
	size_t size = strlen(text);
	uint32_t code;
	for (size_t at = 0, length; at < size; at += length) {
		length = gp_utf8_next(text + at, size - at, &code);
		if (code == GP_UTF8_INVALID)
			gp_str_printf(&valid, "\\x%02x", (unsigned char)text[at]);
		else
			gp_str_add_n(&valid, text + at, length);
	}
	return json_object_new_string(gp_str_text(&valid));
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	if (text != NULL)
		json_object_object_add(object, key, new_text(text));
}

static void add_mark(struct json_object *object, struct gp_mark mark)
{
	if (mark.source == NULL)
		return;
	add_text(object, "file", mark.source->path);
	if (mark.line > 0)
		json_object_object_add(object, "line", json_object_new_int64(mark.line));
	if (mark.line > 0 && mark.column > 0)
		json_object_object_add(object, "column", json_object_new_int64(mark.column));
}

struct json_object *gp_mark_to_json(struct gp_mark mark)
{
	if (mark.source == NULL)
		return NULL;
	struct json_object *object = json_object_new_object();
	add_mark(object, mark);
	return object;
}

struct json_object *gp_diag_to_json(const struct gp_diag *diag)
{
	const struct gp_error *error = &diag->error;
	const char *kind = gp_error_kind_name(error->kind);
	struct json_object *object = json_object_new_object();
	add_text(object, "severity", severity_name(diag->severity));
	add_text(object, "kind", kind);
	add_text(object, "code", diag->code == NULL ? kind : diag->code);
	add_text(object, "message", error->message == NULL ? kind : error->message);
	add_text(object, "subject", error->subject);
	add_mark(object, error->mark);
	add_text(object, "holder", error->holder);
	add_text(object, "remedy", error->remedy);
	if (diag->other.source != NULL || diag->other_note != NULL) {
		struct json_object *other = json_object_new_object();
		add_mark(other, diag->other);
		add_text(other, "note", diag->other_note);
		json_object_object_add(object, "other", other);
	}
	return object;
}

struct json_object *gp_diags_to_json(const struct gp_diags *diags)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < diags->count; i++)
		json_object_array_add(array, gp_diag_to_json(&diags->items[i]));
	return array;
}

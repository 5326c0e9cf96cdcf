/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int gp_exit_of(enum gp_error_kind kind)
{
	switch (kind) {
	case GP_E_NONE:
		return GP_EXIT_OK;
	case GP_E_USAGE:
		return GP_EXIT_USAGE;
	case GP_E_INPUT:
		return GP_EXIT_INPUT;
	case GP_E_REFUSED:
		return GP_EXIT_REFUSED;
	case GP_E_VERIFY:
		return GP_EXIT_VERIFY;
	case GP_E_STALE:
		return GP_EXIT_STALE;
	default:
		return GP_EXIT_FAILED;
	}
}

void gp_print(const struct gp_str *text)
{
	fwrite(gp_str_text(text), 1, text->length, stdout);
}

void gp_print_json(struct json_object *object)
{
	fputs(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							     JSON_C_TO_STRING_NOSLASHESCAPE),
	      stdout);
	fputc('\n', stdout);
	json_object_put(object);
}

void gp_print_diags(const struct gp_cli *cli, const struct gp_diags *diags)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	/* What was said before on stdout comes before it on a terminal, too. */
	fflush(stdout);
	gp_diags_render(diags, &text, cli->colour_err);
	fwrite(gp_str_text(&text), 1, text.length, stderr);
}

int gp_print_faults(const struct gp_cli *cli, struct gp_diags *diags, int exit_code)
{
	gp_diags_sort(diags);
	if (!cli->json) {
		gp_print_diags(cli, diags);
		return exit_code;
	}
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "format_version", json_object_new_string("1.0"));
	json_object_object_add(root, "kind", json_object_new_string("error"));
	json_object_object_add(root, "changed", json_object_new_boolean(false));
	json_object_object_add(root, "diagnostics", gp_diags_to_json(diags));
	gp_print_json(root);
	return exit_code;
}

int gp_print_error(const struct gp_cli *cli, struct gp_error *err)
{
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	int code = gp_exit_of(err->kind == GP_E_NONE ? GP_E_INTERNAL : err->kind);

	gp_diags_add_error(&diags, gp_error_kind_name(err->kind), err);
	return gp_print_faults(cli, &diags, code);
}

struct gp_render_options gp_cli_render_options(const struct gp_cli *cli, bool for_stderr)
{
	return (struct gp_render_options){
		.colour = for_stderr ? cli->colour_err : cli->colour_out,
		.utf8 = cli->utf8,
	};
}

/* Characters, not bytes: names may hold any UTF-8. */
static size_t width_of(const char *text, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length; i++)
		width += ((unsigned char)text[i] & 0xC0) != 0x80;
	return width;
}

void gp_add_folded(struct gp_str *out, size_t indent, const char *text)
{
	enum { WIDEST = 100, HANGING = 2 };
	size_t column = indent;
	bool first = true;

	gp_str_add_repeated(out, ' ', indent);
	while (*(text += strspn(text, " ")) != '\0') {
		size_t length = strcspn(text, " "), width = width_of(text, length);

		if (!first && column + 1 + width > WIDEST) {
			gp_str_add_char(out, '\n');
			gp_str_add_repeated(out, ' ', indent + HANGING);
			column = indent + HANGING;
		} else if (!first) {
			gp_str_add_char(out, ' ');
			column++;
		}
		gp_str_add_n(out, text, length);
		column += width;
		text += length;
		first = false;
	}
	gp_str_add_char(out, '\n');
}

/* ---- tables ---- */

struct gp_table {
	size_t columns;
	size_t cell_count;
	char **cells; /* headings first */
};

struct gp_table *gp_table_new(const char *const *headings, size_t columns)
{
	struct gp_table *table = gp_xcalloc(1, sizeof(*table));

	table->columns = columns;
	for (size_t i = 0; i < columns; i++)
		gp_table_cell(table, "%s", headings[i]);
	return table;
}

void gp_table_free(struct gp_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void gp_table_cell(struct gp_table *table, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	va_list args;

	va_start(args, format);
	gp_str_vprintf(&text, format, args);
	va_end(args);
	table->cells = gp_xrealloc(table->cells, (table->cell_count + 1) * sizeof(*table->cells));
	table->cells[table->cell_count++] = gp_str_take(&text);
}

void gp_table_render(const struct gp_table *table, struct gp_str *out)
{
	gp_autofree size_t *widths = gp_xcalloc(table->columns, sizeof(*widths));
	size_t pending = 0;

	for (size_t i = 0; i < table->cell_count; i++) {
		size_t width = width_of(table->cells[i], strlen(table->cells[i]));

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t column = i % table->columns;

		/* Blanks go before a cell, so that none stand at the end of a line. */
		if (table->cells[i][0] != '\0')
			gp_str_add_repeated(out, ' ', pending);
		gp_str_add(out, table->cells[i]);
		pending = table->cells[i][0] != '\0' ? 0 : pending;
		pending += widths[column] - width_of(table->cells[i], strlen(table->cells[i])) + 2;
		if (column + 1 == table->columns) {
			gp_str_add_char(out, '\n');
			pending = 0;
		}
	}
}

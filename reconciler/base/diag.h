/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list of faults, so that a person mends five mistakes in one go.
 *
 * A fault prints as
 *
 *	site.yaml:7:17: error: unknown key 'partitons'; did you mean 'partitions'?
 *	    7 |     partitons: 8
 *	      |     ^~~~~~~~~
 *	      held by: …
 *	      try: …
 */
#ifndef GP_BASE_DIAG_H
#define GP_BASE_DIAG_H

#include <json-c/json_types.h>

#include "base/error.h"
#include "base/str.h"

enum gp_severity {
	GP_INFO,    /* worth knowing; changes nothing */
	GP_WARNING, /* works, but probably not as meant */
	GP_ERROR    /* stops */
};

struct gp_diag {
	enum gp_severity severity;
	const char *code; /* stable word for scripts and tests, static storage: "unknown-key" */
	struct gp_error error;
	size_t caret_length;  /* characters to underline from the mark; 0 or 1: only the caret */
	struct gp_mark other; /* second place ("first defined here"), if any */
	char *other_note;
};

struct gp_diags {
	struct gp_diag *items;
	size_t count;
	size_t error_count;
};

void gp_diags_clear(struct gp_diags *diags);
/* All three return the new fault, valid until the next is added, so that the caller may fill in more. */
struct gp_diag *gp_diags_add(struct gp_diags *diags, enum gp_severity severity, enum gp_error_kind kind,
			     const char *code, struct gp_mark mark, const char *format, ...) GP_PRINTF(6, 7);
/* Takes over what *err owns and leaves it empty. */
struct gp_diag *gp_diags_add_error(struct gp_diags *diags, const char *code, struct gp_error *err);
void gp_diags_append(struct gp_diags *diags, struct gp_diags *from); /* moves all; `from` is left empty */

void gp_diag_other(struct gp_diag *diag, struct gp_mark mark, const char *format, ...) GP_PRINTF(3, 4);

/* Errors and warnings in file order (then in order of finding), infos last. Stable. */
void gp_diags_sort(struct gp_diags *diags);
void gp_diags_render(const struct gp_diags *diags, struct gp_str *out, bool colour);
void gp_diag_render(const struct gp_diag *diag, struct gp_str *out, bool colour);
struct json_object *gp_diags_to_json(const struct gp_diags *diags); /* caller puts */
struct json_object *gp_diag_to_json(const struct gp_diag *diag);
struct json_object *gp_mark_to_json(struct gp_mark mark); /* {file, line, column}, or NULL without a place */
/* "site.yaml:7", or "" without a place. */
void gp_mark_format(struct gp_mark mark, struct gp_str *out);

#endif

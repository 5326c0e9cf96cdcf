/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source texts and places in them.
 *
 * A mark is carried by every object that came from a file, to the very end, so
 * that a fault which the planner finds still shows the line and a caret. Marks
 * point into a `gp_source`; sources are owned by a `gp_sources`, which outlives
 * all marks (the desired state owns it).
 */
#ifndef GP_BASE_SOURCE_H
#define GP_BASE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gp_source {
	char *path;          /* as the user named it */
	char *text;          /* NUL-terminated; the bytes that were parsed, never re-read */
	size_t size;         /* bytes, without the NUL */
	size_t *line_starts; /* where each line begins; a line end at the very end begins no further line */
	size_t line_count;
};

struct gp_sources {
	struct gp_source **items;
	size_t count;
};

void gp_sources_clear(struct gp_sources *sources);
/* Reads a file of at most `max_bytes`. NULL and *err set on failure (GP_E_NOT_FOUND, GP_E_PERMISSION,
 * GP_E_INPUT when too large or not a regular file or pipe, GP_E_IO). */
struct gp_source *gp_sources_read(struct gp_sources *sources, const char *path, size_t max_bytes, struct gp_error *err);
/* Adds a text that is already in memory (copied). Never fails. */
struct gp_source *gp_sources_add(struct gp_sources *sources, const char *path, const char *text, size_t size);

/* The 1-based line, without its line end; NULL when there is no such line. */
const char *gp_source_line(const struct gp_source *source, uint32_t line, size_t *length);

#endif

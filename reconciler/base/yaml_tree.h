/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML text to a tree of nodes with source marks. The only file that knows libyaml.
 *
 * Bounded, since files are not trusted: at most GP_YAML_MAX_DEPTH levels, GP_YAML_MAX_NODES nodes after
 * aliases are expanded, one document a file. An alias is shared, not copied; an alias to an enclosing node is a
 * fault. Merge keys (<<) are refused, and so are duplicate keys and tags other than the core schema's.
 */
#ifndef GP_BASE_YAML_TREE_H
#define GP_BASE_YAML_TREE_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/source.h"

enum { GP_YAML_MAX_DEPTH = 32, GP_YAML_MAX_NODES = 4 * 1000 * 1000 };

enum gp_yaml_type { GP_YAML_SCALAR, GP_YAML_MAPPING, GP_YAML_SEQUENCE };

struct gp_yaml_node {
	enum gp_yaml_type type;
	bool plain; /* scalar without quotes: may be a number, a boolean or null */
	struct gp_mark mark;
	uint32_t length;            /* scalar: bytes of text */
	uint32_t count;             /* mapping, sequence: children */
	const char *text;           /* scalar: NUL-terminated, holds no NUL itself */
	struct gp_yaml_item *first; /* mapping, sequence: children in file order; NULL when empty */
};

struct gp_yaml_item {
	struct gp_yaml_item *next;
	const struct gp_yaml_node *key; /* mapping: always a scalar; sequence: NULL */
	const struct gp_yaml_node *value;
};

/* The root, or NULL: an empty text (no fault added), or a syntax fault (added to diags). */
const struct gp_yaml_node *gp_yaml_parse(struct gp_arena *arena, const struct gp_source *source,
					 struct gp_diags *diags);

const struct gp_yaml_node *gp_yaml_get(const struct gp_yaml_node *mapping, const char *key); /* NULL: absent */
/* Characters to underline for this node: a scalar as it was written, more or less; else 1. */
size_t gp_yaml_caret_length(const struct gp_yaml_node *node);
bool gp_yaml_is_null(const struct gp_yaml_node *node); /* plain ~, null or nothing */

/* Quotes a string for YAML output if it must be quoted to come back as the same string. */
void gp_yaml_add_string(struct gp_str *out, const char *text);

#endif

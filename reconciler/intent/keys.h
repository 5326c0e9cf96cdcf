/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language as tables: a key is a row. Private to this room.
 *
 * A table lists the keys of one kind of mapping. gp_walk() reads a mapping by its table: it refuses keys that have no
 * row, hands each value to the taker of its row, and asks for those keys that must be there. Whatever is wrong becomes
 * a fault, and reading goes on: a person mends all mistakes in one go.
 */
#ifndef GP_INTENT_KEYS_H
#define GP_INTENT_KEYS_H

#include "base/yaml_tree.h"
#include "model/desired.h"

struct gp_file;
struct gp_key;
struct gp_keys;

/* Where a class is asked for by name; looked up when all files are read. */
struct gp_class_use {
	const char *name;
	struct gp_mark mark;
	size_t caret_length;
	size_t file;
};

/* What the takers of one load share. */
struct gp_reader {
	struct gp_arena *arena;
	struct gp_diags *diags;
	struct gp_file *file; /* the one that is being read */
	size_t file_index;
	size_t vm_total; /* over all files */
	bool incomplete; /* a file could not be read: what is missing may stand there */
	struct gp_class_use *uses;
	size_t use_count;
};

/* A value and where it stands. */
struct gp_place {
	const struct gp_key *key;            /* its row */
	const struct gp_yaml_node *key_node; /* NULL: an item of a list */
	const struct gp_yaml_node *value;
};

/* Reads a value into a field; a value that it cannot read it reports, and leaves the field as it was. True: read. */
typedef bool gp_take_fn(struct gp_reader *reader, const struct gp_place *place, void *field);

enum gp_shape { GP_INSIDE_ONE = 1, GP_INSIDE_LIST = 2 };

struct gp_key {
	const char *name;
	gp_take_fn *take;
	size_t offset;                /* of the field in the object that the mapping fills */
	size_t size;                  /* of the field; only where values are compared over files */
	size_t mark;                  /* offset of a struct gp_mark that gets the place; 0: none wanted */
	size_t given;                 /* offset of a bool that gets true; 0: none wanted */
	const void *detail;           /* what the taker goes by: a range, words, a rule for texts */
	const struct gp_keys *inside; /* mappings that may stand here… */
	unsigned shape;               /* …alone, in a list, or both: enum gp_shape */
	const char *missing;          /* the key must be there; if not, this would work */
};

struct gp_keys {
	const char *what;    /* "a class": for faults */
	const char *example; /* of such a mapping: for faults */
	const struct gp_key *rows;
	size_t count;
};

extern const struct gp_keys gp_keys_file;

/* False when anything in the mapping was at fault. */
bool gp_walk(struct gp_reader *reader, const struct gp_keys *keys, const struct gp_yaml_node *node, void *object);

/* A scalar is marked at the value, a mapping or a list at its key: there a caret says most. */
struct gp_mark gp_place_mark(const struct gp_place *place);

/* ---- faults ---- */

struct gp_diag *gp_fault(struct gp_reader *reader, const char *code, const struct gp_yaml_node *node,
			 const char *format, ...) GP_PRINTF(4, 5);
/* "'expect' must be WANTED, not 'many'"; returns false. `remedy` may be NULL. */
bool gp_fault_wanted(struct gp_reader *reader, const struct gp_place *place, const char *wanted, const char *remedy);
/* Takes over what a parser of base said: "'vram': MESSAGE"; returns false. */
bool gp_fault_parse(struct gp_reader *reader, const struct gp_place *place, struct gp_error *err);

#endif

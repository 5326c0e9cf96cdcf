/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a mapping by its table, and words the faults that are common to all keys. */
#include <string.h>

#include "intent/take.h"

enum { MAX_ROWS = 16, SHOWN = 60 /* bytes of a text in a message */ };

struct gp_mark gp_place_mark(const struct gp_place *place)
{
	bool at_key = place->value->type != GP_YAML_SCALAR && place->key_node != NULL;
	return at_key ? place->key_node->mark : place->value->mark;
}

/* ---- faults ---- */

static struct gp_diag *add_fault(struct gp_reader *reader, const char *code, struct gp_mark mark, size_t caret_length,
				 const char *message)
{
	struct gp_diag *diag = gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, code, mark, "%s", message);
	diag->caret_length = caret_length;
	return diag;
}

struct gp_diag *gp_fault(struct gp_reader *reader, const char *code, const struct gp_yaml_node *node,
			 const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str message = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&message, format, args);
	va_end(args);
	return add_fault(reader, code, node->mark, gp_yaml_caret_length(node), gp_str_text(&message));
}

/* The node under which a caret says most about this value. */
static const struct gp_yaml_node *pointed_at(const struct gp_place *place)
{
	bool at_key = place->key_node != NULL && (place->value->type != GP_YAML_SCALAR || place->value->length == 0);
	return at_key ? place->key_node : place->value;
}

static void add_found(struct gp_str *out, const struct gp_yaml_node *node)
{
	static const char *const containers[] = {[GP_YAML_MAPPING] = "mapping", [GP_YAML_SEQUENCE] = "list"};
	if (node->type != GP_YAML_SCALAR)
		gp_str_printf(out, "%s %s", node->count == 0 ? "an empty" : "a", containers[node->type]);
	else if (node->plain || node->length == 0)
		gp_str_printf(out, "'%.*s'", SHOWN, node->text);
	else
		gp_str_printf(out, "the text \"%.*s\"", SHOWN, node->text);
}

bool gp_fault_wanted(struct gp_reader *reader, const struct gp_place *place, const char *wanted, const char *remedy)
{
	GP_CLEANUP(gp_str_clear) struct gp_str found = {0};
	add_found(&found, place->value);
	struct gp_diag *diag;
	if (gp_node_is_null(place->value))
		diag = gp_fault(reader, "wrong-value", pointed_at(place), "'%s' has no value; it must be %s",
				place->key->name, wanted);
	else
		diag = gp_fault(reader, "wrong-value", pointed_at(place), "'%s' must be %s, not %s", place->key->name,
				wanted, gp_str_text(&found));
	if (remedy != NULL)
		gp_error_remedy(&diag->error, "%s", remedy);
	return false;
}

bool gp_fault_parse(struct gp_reader *reader, const struct gp_place *place, struct gp_error *err)
{
	const struct gp_yaml_node *node = pointed_at(place);
	err->mark = node->mark;
	gp_error_prefix(err, "'%s'", place->key->name);
	gp_diags_add_error(reader->diags, "wrong-value", err)->caret_length = gp_yaml_caret_length(node);
	return false;
}

static size_t find_row(const struct gp_keys *keys, const char *name)
{
	size_t i = 0;
	while (i < keys->count && (keys->rows[i].name[0] != name[0] || strcmp(keys->rows[i].name, name) != 0))
		i++;
	return i;
}

/* Returns the row that was probably meant, or the count of rows. */
static size_t fault_unknown_key(struct gp_reader *reader, const struct gp_keys *keys, const struct gp_yaml_node *key)
{
	const char *names[MAX_ROWS];
	GP_CLEANUP(gp_str_clear) struct gp_str all = {0};
	for (size_t i = 0; i < keys->count; i++) {
		names[i] = keys->rows[i].name;
		gp_str_printf(&all, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
	const char *meant = gp_did_you_mean(key->text, names, keys->count);
	if (meant != NULL) {
		gp_fault(reader, "unknown-key", key, "unknown key '%.*s'; did you mean '%s'?", SHOWN, key->text, meant);
		return find_row(keys, meant);
	}
	struct gp_diag *diag = gp_fault(reader, "unknown-key", key, "unknown key '%.*s'", SHOWN, key->text);
	gp_error_remedy(&diag->error, "%s has these keys: %s", keys->what, gp_str_text(&all));
	return keys->count;
}

static void fault_missing_key(struct gp_reader *reader, const struct gp_keys *keys, const struct gp_key *row,
			      const struct gp_yaml_node *node)
{
	struct gp_diag *diag = gp_fault(reader, "missing-key", node, "%s needs the key '%s'", keys->what, row->name);
	gp_error_remedy(&diag->error, "%s", row->missing);
}

static void fault_no_mapping(struct gp_reader *reader, const struct gp_keys *keys, const struct gp_yaml_node *node)
{
	GP_CLEANUP(gp_str_clear) struct gp_str found = {0};
	add_found(&found, node);
	bool nothing = gp_node_is_null(node);
	struct gp_diag *diag =
		gp_fault(reader, "wrong-value", node, "%s is a mapping of keys and values%s%s", keys->what,
			 nothing ? ", but nothing is here" : ", not ", nothing ? "" : gp_str_text(&found));
	gp_error_remedy(&diag->error, "write %s", keys->example);
}

/* ---- the walk ---- */

static bool take_value(struct gp_reader *reader, const struct gp_key *row, const struct gp_yaml_item *item,
		       char *object)
{
	struct gp_place place = {row, item->key, item->value};
	if (!row->take(reader, &place, object + row->offset))
		return false;
	struct gp_mark mark = gp_place_mark(&place);
	if (row->mark != 0)
		memcpy(object + row->mark, &mark, sizeof(mark));
	if (row->given != 0)
		*(bool *)(object + row->given) = true;
	return true;
}

bool gp_walk(struct gp_reader *reader, const struct gp_keys *keys, const struct gp_yaml_node *node, void *object)
{
	if (node->type != GP_YAML_MAPPING) {
		fault_no_mapping(reader, keys, node);
		return false;
	}
	bool good = true;
	uint32_t seen = 0;
	for (const struct gp_yaml_item *item = node->first; item != NULL; item = item->next) {
		size_t at = find_row(keys, item->key->text);
		bool known = at < keys->count;
		if (known)
			good = take_value(reader, &keys->rows[at], item, object) && good;
		else
			at = fault_unknown_key(reader, keys, item->key);
		good = good && known;
		seen |= UINT32_C(1) << at; /* a key with a slip is not missing as well */
	}
	for (size_t i = 0; i < keys->count; i++) {
		if (keys->rows[i].missing == NULL || (seen >> i & 1) != 0)
			continue;
		fault_missing_key(reader, keys, &keys->rows[i], node);
		good = false;
	}
	return good;
}

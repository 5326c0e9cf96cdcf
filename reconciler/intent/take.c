/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takers of plain values: numbers, truth, words, texts, durations; and the two shapes, one or many. */
#include "intent/take.h"

#include <string.h>

#include "base/num.h"

enum { SHORTEST_SHUTDOWN_MS = 1000 };

/* Asked of each value, so most are answered by their first letter. */
bool gp_node_is_null(const struct gp_yaml_node *node)
{
	return node->type == GP_YAML_SCALAR && (node->length == 0 || strchr("~nN", node->text[0]) != NULL) &&
	       gp_yaml_is_null(node);
}

static bool is_plain_scalar(const struct gp_yaml_node *node)
{
	return node->type == GP_YAML_SCALAR && node->plain;
}

bool gp_node_u32(const struct gp_yaml_node *node, uint32_t *out)
{
	return is_plain_scalar(node) && gp_parse_u32(node->text, out) == 0;
}

/* It was checked before the walk: in another version each key may mean something else. */
bool gp_take_version(struct gp_reader *reader GP_UNUSED, const struct gp_place *place GP_UNUSED, void *field GP_UNUSED)
{
	return true;
}

bool gp_take_u32(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	const struct gp_range *range = place->key->detail;
	uint32_t number;
	if (gp_node_u32(place->value, &number) && number >= range->least && number <= range->most) {
		*(uint32_t *)field = number;
		return true;
	}
	gp_autofree char *wanted = gp_xasprintf("a whole number from %u to %u", range->least, range->most);
	return gp_fault_wanted(reader, place, wanted, NULL);
}

/* What a person of YAML 1.1 writes. */
static const char *truth_meant(const struct gp_yaml_node *node)
{
	static const struct {
		const char *word, *meant;
	} words[] = {{"yes", "true"}, {"on", "true"},   {"y", "true"},  {"1", "true"},
		     {"no", "false"}, {"off", "false"}, {"n", "false"}, {"0", "false"}};
	bool value;
	if (node->type != GP_YAML_SCALAR)
		return NULL;
	if (!node->plain && gp_parse_bool(node->text, &value) == 0)
		return value ? "true" : "false";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (gp_glob_match(words[i].word, node->text, true))
			return words[i].meant;
	return NULL;
}

bool gp_take_bool(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	if (is_plain_scalar(place->value) && gp_parse_bool(place->value->text, field) == 0)
		return true;
	const char *meant = truth_meant(place->value);
	gp_autofree char *remedy = meant == NULL ? NULL : gp_xasprintf("write %s, without quotes", meant);
	return gp_fault_wanted(reader, place, "true or false", remedy);
}

/* ---- words ---- */

static void fault_word(struct gp_reader *reader, const struct gp_place *place, const char *const *words, size_t count)
{
	GP_CLEANUP(gp_str_clear) struct gp_str wanted = {0};
	for (size_t i = 0; i < count; i++)
		gp_str_printf(&wanted, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", words[i]);
	const struct gp_yaml_node *node = place->value;
	const char *meant = node->type == GP_YAML_SCALAR ? gp_did_you_mean(node->text, words, count) : NULL;
	gp_autofree char *remedy = meant == NULL ? NULL : gp_xasprintf("did you mean '%s'?", meant);
	gp_fault_wanted(reader, place, gp_str_text(&wanted), remedy);
}

/* Any enum of ours: a compiler that gave one another size than `unsigned` would be told so here. */
_Static_assert(sizeof(enum gp_power) == sizeof(unsigned), "enums are as large as unsigned");

bool gp_take_word(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	const struct gp_words *words = place->key->detail;
	size_t count;
	const char *const *all = words->words(&count);
	const struct gp_yaml_node *node = place->value;
	int value = node->type == GP_YAML_SCALAR ? words->from(node->text) : -1;
	for (size_t i = 0; value >= 0 && i < words->unspoken; i++)
		if (gp_streq(node->text, all[i]))
			value = -1;
	if (value < 0) {
		fault_word(reader, place, all + words->unspoken, count - words->unspoken);
		return false;
	}
	memcpy(field, &(unsigned){(unsigned)value}, sizeof(unsigned));
	return true;
}

/* ---- texts ---- */

bool gp_node_is_truth(const struct gp_yaml_node *node)
{
	bool value;
	return is_plain_scalar(node) && node->length > 0 && strchr("tTfF", node->text[0]) != NULL &&
	       gp_parse_bool(node->text, &value) == 0;
}

const char *gp_node_text(struct gp_reader *reader, const struct gp_place *place, const struct gp_text_rule *rule)
{
	const struct gp_yaml_node *node = place->value;
	bool is_text = node->type == GP_YAML_SCALAR && !gp_node_is_null(node) && !gp_node_is_truth(node);
	/* A number without quotes is a text here: what was written counts, not what it is worth. */
	const char *text = is_text ? rule->normal(reader->arena, node->text) : NULL;
	if (text == NULL)
		gp_fault_wanted(reader, place, rule->wanted,
				gp_node_is_truth(node) ? "put the text in quotes" : rule->remedy);
	return text;
}

bool gp_take_text(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	const char *text = gp_node_text(reader, place, place->key->detail);
	if (text == NULL)
		return false;
	*(const char **)field = text;
	return true;
}

struct text_list {
	const struct gp_text_rule *rule;
	struct gp_texts texts;
};

static bool add_text(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	struct text_list *list = context;
	const char *text = gp_node_text(reader, place, list->rule);
	if (text == NULL)
		return false;
	*gp_arena_push(reader->arena, list->texts.items, list->texts.count) = text;
	return true;
}

bool gp_take_texts(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	struct text_list list = {.rule = place->key->detail};
	gp_autofree char *wanted = gp_xasprintf("%s, or a list of such", list.rule->wanted);
	bool good = gp_one_or_many(reader, place, wanted, add_text, &list);
	*(struct gp_texts *)field = list.texts;
	return good;
}

bool gp_take_duration(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	static const char wanted[] = "a duration such as 120s or 2m";
	const struct gp_yaml_node *node = place->value;
	if (node->type != GP_YAML_SCALAR || gp_node_is_null(node))
		return gp_fault_wanted(reader, place, wanted, NULL);
	struct gp_error err = {0};
	uint64_t ms;
	if (gp_parse_duration(node->text, &ms, &err) < 0)
		return gp_fault_parse(reader, place, &err);
	if (ms < SHORTEST_SHUTDOWN_MS)
		return gp_fault_wanted(reader, place, "at least one second (1s)", "give the guest time to shut down");
	*(uint64_t *)field = ms;
	return true;
}

bool gp_take_mapping(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	if (place->value->type == GP_YAML_MAPPING)
		return gp_walk(reader, place->key->inside, place->value, field);
	return gp_fault_wanted(reader, place, "a mapping of keys and values", NULL);
}

/* ---- one or many ---- */

bool gp_each_item(struct gp_reader *reader, const struct gp_place *place, const char *wanted, gp_visit_fn *visit,
		  void *context)
{
	const char *remedy = gp_node_is_null(place->value) ? "leave the key out, or write [] for none" : NULL;
	if (place->value->type != GP_YAML_SEQUENCE)
		return gp_fault_wanted(reader, place, wanted, remedy);
	bool good = true;
	for (const struct gp_yaml_item *item = place->value->first; item != NULL; item = item->next) {
		struct gp_place at = {.key = place->key, .value = item->value};
		good = visit(reader, &at, context) && good;
	}
	return good;
}

bool gp_one_or_many(struct gp_reader *reader, const struct gp_place *place, const char *wanted, gp_visit_fn *visit,
		    void *context)
{
	if (place->value->type == GP_YAML_SCALAR)
		return visit(reader, place, context);
	if (place->value->count == 0)
		return gp_fault_wanted(reader, place, wanted, NULL);
	return gp_each_item(reader, place, wanted, visit, context);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpus: classes, what they match, and how they are cut. */
#include <string.h>

#include "base/num.h"
#include "intent/file.h"

enum { SHOWN = 60 };

/* ---- names ---- */

/* "VDI_large" → "vdi-large", or NULL when that is no name either. */
static const char *near_class_name(struct gp_arena *arena, const char *text)
{
	char *near = gp_arena_strdup(arena, text);
	for (char *at = near; *at != '\0'; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
		else if (*at == '_' || *at == ' ' || *at == '.')
			*at = '-';
	}
	return gp_rule_class.normal(arena, near);
}

static bool fault_none(struct gp_reader *reader, const struct gp_yaml_node *node)
{
	struct gp_diag *diag = gp_fault(reader, "wrong-value", node, "'none' is not a class");
	gp_error_remedy(&diag->error, "'partition: none', alone, takes back what a VM has");
	return false;
}

const char *gp_node_class_name(struct gp_reader *reader, const struct gp_place *place)
{
	const struct gp_yaml_node *node = place->value;
	if (node->type == GP_YAML_SCALAR && gp_rule_class.normal(reader->arena, node->text) != NULL)
		return gp_node_text(reader, place, &gp_rule_class);
	if (node->type == GP_YAML_SCALAR && gp_streq(node->text, "none") && !fault_none(reader, node))
		return NULL;
	struct gp_text_rule rule = gp_rule_class;
	const char *near = node->type == GP_YAML_SCALAR ? near_class_name(reader->arena, node->text) : NULL;
	if (near != NULL)
		rule.remedy = gp_arena_printf(reader->arena, "write '%s'", near);
	return gp_node_text(reader, place, &rule);
}

bool gp_take_class_name(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	const char *name = gp_node_class_name(reader, place);
	if (name == NULL)
		return false;
	*(const char **)field = name;
	return true;
}

/* ---- match ---- */

struct term_list {
	const struct gp_text_rule *rule;
	struct gp_texts values;
};

static bool add_value(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	struct term_list *list = context;
	const char *text = gp_node_text(reader, place, list->rule);
	if (text == NULL)
		return false;
	*gp_arena_push(reader->arena, list->values.items, list->values.count) = text;
	return true;
}

bool gp_take_match_term(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	const struct gp_term_rule *rule = place->key->detail;
	struct gp_match_terms *terms = field;
	struct term_list list = {.rule = &rule->text};
	gp_autofree char *wanted = gp_xasprintf("%s, or a list of such", rule->text.wanted);
	if (!gp_one_or_many(reader, place, wanted, add_value, &list))
		return false;
	*gp_arena_push(reader->arena, terms->items, terms->count) = (struct gp_match_term){
		.key = rule->key,
		.values = list.values.items,
		.value_count = list.values.count,
		.mark = gp_place_mark(place),
	};
	return true;
}

static bool take_terms(struct gp_reader *reader, const struct gp_place *place, const char *remedy, void *object)
{
	const struct gp_yaml_node *node = place->value;
	gp_autofree char *as_model = NULL;
	if (node->type == GP_YAML_SCALAR && !gp_node_is_null(node))
		as_model = gp_xasprintf("write '%s: {model: %.*s}'", place->key->name, SHOWN, node->text);
	if (node->type != GP_YAML_MAPPING)
		return gp_fault_wanted(reader, place, "a mapping such as {model: Flex 170}",
				       as_model != NULL ? as_model : remedy);
	if (place->value->count > 0)
		return gp_walk(reader, place->key->inside, place->value, object);
	struct gp_diag *diag = gp_fault(reader, "wrong-value", place->key_node, "'%s' is empty", place->key->name);
	gp_error_remedy(&diag->error, "%s", remedy);
	return false;
}

bool gp_take_match_not(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	return take_terms(reader, place, "leave it out, or say which GPUs are not meant", field);
}

bool gp_take_match(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	struct gp_match_draft draft = {0};
	bool good = take_terms(reader, place, "say which GPUs are meant, such as {vendor: intel}", &draft);
	struct gp_match *match = field;
	match->terms = draft.terms.items;
	match->term_count = draft.terms.count;
	match->not_terms = draft.not_terms.items;
	match->not_count = draft.not_terms.count;
	return good;
}

/* ---- partitions ---- */

static unsigned kinds_of_size(const struct gp_partition_size *size)
{
	return (size->vram.unit != GP_UNIT_NONE) + (size->profile != NULL) + (size->mig != NULL);
}

static bool add_size(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	struct gp_class *class_of = context;
	struct gp_partition_size size = {.mark = gp_place_mark(place)};
	bool good = gp_walk(reader, place->key->inside, place->value, &size);
	if (good && kinds_of_size(&size) != 1) {
		struct gp_diag *diag = gp_fault(reader, "contradiction", place->value,
						"a partition size needs one of 'vram', 'profile' and 'mig'; %s",
						kinds_of_size(&size) == 0 ? "none is here" : "here are several");
		gp_error_remedy(&diag->error, "write {count: 2, vram: 12GiB}");
		good = false;
	}
	if (good)
		*gp_arena_push(reader->arena, class_of->sizes, class_of->size_count) = size;
	return good;
}

static bool fault_partitions(struct gp_reader *reader, const struct gp_place *place)
{
	static const char *const words[] = {"keep", "auto"};
	const struct gp_yaml_node *node = place->value;
	uint32_t number;
	const char *meant = node->type == GP_YAML_SCALAR ? gp_did_you_mean(node->text, words, 2) : NULL;
	gp_autofree char *remedy = NULL;
	if (meant != NULL)
		remedy = gp_xasprintf("did you mean '%s'?", meant);
	else if (node->type == GP_YAML_SCALAR && !node->plain && gp_parse_u32(node->text, &number) == 0)
		remedy = gp_xasprintf("write %u, without quotes", number);
	else if (node->type == GP_YAML_SCALAR && gp_streq(node->text, "none"))
		remedy = gp_xstrdup("write 0 for none");
	return gp_fault_wanted(reader, place, "a number from 0 to 65535, keep, auto, or a list of sizes", remedy);
}

bool gp_take_partitions(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	struct gp_class *class_of = field;
	const struct gp_yaml_node *node = place->value;
	uint32_t count;
	if (node->type == GP_YAML_SEQUENCE && node->count > 0) {
		class_of->partitions = GP_PARTITIONS_LIST;
		return gp_each_item(reader, place, "a list", add_size, class_of);
	}
	if (gp_node_u32(node, &count) && count <= UINT16_MAX) {
		class_of->partitions = GP_PARTITIONS_COUNT;
		class_of->count = count;
		return true;
	}
	if (node->type != GP_YAML_SCALAR || (!gp_streq(node->text, "keep") && !gp_streq(node->text, "auto")))
		return fault_partitions(reader, place);
	class_of->partitions = gp_streq(node->text, "keep") ? GP_PARTITIONS_KEEP : GP_PARTITIONS_AUTO;
	return true;
}

/* ---- series ---- */

/* "q" is a slip, and so is "Q-series"; what names no series gets no suggestion. */
bool gp_take_series(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	const struct gp_yaml_node *node = place->value;
	struct gp_text_rule rule = gp_rule_series;
	char letter[] = {'\0', '\0'};
	bool alone = node->type == GP_YAML_SCALAR && node->length > 0 && strchr(" -_", node->text[1]) != NULL;
	if (alone && node->text[0] >= 'a' && node->text[0] <= 'z')
		letter[0] = (char)(node->text[0] - 'a' + 'A');
	else if (alone)
		letter[0] = node->text[0];
	if (rule.normal(reader->arena, letter) != NULL)
		rule.remedy = gp_arena_printf(reader->arena, "did you mean '%s'?", letter);
	const char *series = gp_node_text(reader, place, &rule);
	if (series == NULL)
		return false;
	*(const char **)field = series;
	return true;
}

/* ---- classes ---- */

static bool add_class(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	struct gp_file *file = context;
	/* Until the file says a number, nothing is asked for: a count of 0 would remove what is there. */
	struct gp_class class_of = {.mark = gp_place_mark(place), .partitions = GP_PARTITIONS_KEEP};
	bool good = gp_walk(reader, place->key->inside, place->value, &class_of);
	if (class_of.name != NULL)
		*gp_arena_push(reader->arena, file->classes, file->class_count) = class_of;
	return good;
}

bool gp_take_classes(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	return gp_each_item(reader, place, "a list of classes, such as '- class: vdi'", add_class, field);
}

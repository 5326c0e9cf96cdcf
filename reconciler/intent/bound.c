/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Amounts (8GiB, 25%, {engines: 1}) and bounds ({min, optimal, max}, or one amount that means "at least this"). */
#include <string.h>

#include "base/num.h"
#include "intent/take.h"

const struct gp_amount_rule gp_amount_vram = {true, "a size such as 8GiB or a share such as 25%"};
const struct gp_amount_rule gp_amount_part = {false, "a share such as 25%, or {engines: 1}"};

bool gp_take_engines(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	uint32_t engines = 0;
	if (!gp_take_u32(reader, place, &engines))
		return false;
	*(struct gp_amount *)field = (struct gp_amount){GP_UNIT_ENGINES, engines};
	return true;
}

static bool take_share(struct gp_reader *reader, const struct gp_place *place, struct gp_amount *amount)
{
	struct gp_error err = {0};
	uint32_t share;
	if (gp_parse_share(place->value->text, &share, &err) < 0)
		return gp_fault_parse(reader, place, &err);
	*amount = (struct gp_amount){GP_UNIT_SHARE, share};
	return true;
}

static bool take_size(struct gp_reader *reader, const struct gp_place *place, struct gp_amount *amount)
{
	const char *text = place->value->text;
	struct gp_error err = {0};
	uint64_t bytes;
	if (gp_parse_size(text, &bytes, &err) < 0)
		return gp_fault_parse(reader, place, &err);
	/* A bare number would be bytes; whoever writes 8192 means something else. */
	if (text[strspn(text, "0123456789.")] == '\0') {
		gp_autofree char *remedy = gp_xasprintf("write the unit, such as %sMiB", text);
		return gp_fault_wanted(reader, place, "a size with its unit", remedy);
	}
	if (bytes == 0)
		return gp_fault_wanted(reader, place, "more than nothing", "leave the key out if it does not matter");
	*amount = (struct gp_amount){GP_UNIT_BYTES, bytes};
	return true;
}

static bool is_share(const char *text)
{
	return strchr(text, '%') != NULL;
}

bool gp_take_amount(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	const struct gp_amount_rule *rule = place->key->detail;
	const struct gp_yaml_node *node = place->value;
	if (node->type == GP_YAML_MAPPING && place->key->inside != NULL)
		return gp_walk(reader, place->key->inside, node, field);
	if (node->type != GP_YAML_SCALAR || gp_node_is_null(node))
		return gp_fault_wanted(reader, place, rule->wanted, NULL);
	if (is_share(node->text))
		return take_share(reader, place, field);
	if (rule->bytes)
		return take_size(reader, place, field);
	uint32_t number;
	gp_autofree char *remedy = NULL;
	if (gp_parse_u32(node->text, &number) == 0 && number >= 1 && number <= 100)
		remedy = gp_xasprintf("write %u%%, or {engines: %u}", number, number);
	return gp_fault_wanted(reader, place, rule->wanted, remedy);
}

/* ---- bounds ---- */

static const char *const field_names[] = {"min", "optimal", "max"};

static struct gp_diag *add_pair_fault(struct gp_reader *reader, const char *code, const struct gp_bound_draft *draft,
				      size_t low, size_t high, const char *message)
{
	struct gp_diag *diag =
		gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, code, draft->marks[high], "%s", message);
	gp_diag_other(diag, draft->marks[low], "'%s' is here", field_names[low]);
	return diag;
}

static bool check_pair(struct gp_reader *reader, const struct gp_bound_draft *draft, size_t low, size_t high)
{
	struct gp_amount a = draft->amounts[low], b = draft->amounts[high];
	if (a.unit == GP_UNIT_NONE || b.unit == GP_UNIT_NONE)
		return true;
	if (a.unit == b.unit && a.value <= b.value)
		return true;
	GP_CLEANUP(gp_str_clear) struct gp_str low_text = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str high_text = {0};
	gp_amount_format(a, &low_text);
	gp_amount_format(b, &high_text);
	bool same_unit = a.unit == b.unit;
	gp_autofree char *message =
		gp_xasprintf(same_unit ? "'%s' is %s, less than '%s', which is %s"
				       : "'%s' is %s, but '%s' is %s: the amounts of one bound must have one unit",
			     field_names[high], gp_str_text(&high_text), field_names[low], gp_str_text(&low_text));
	struct gp_diag *diag =
		add_pair_fault(reader, same_unit ? "bound-order" : "bound-unit", draft, low, high, message);
	if (same_unit)
		gp_error_remedy(&diag->error, "the order is min ≤ optimal ≤ max");
	return false;
}

/* Each pair that stands side by side: if those are in order, all are; one slip is one fault. */
static bool check_order(struct gp_reader *reader, const struct gp_bound_draft *draft)
{
	bool has_optimal = draft->amounts[GP_BOUND_OPTIMAL].unit != GP_UNIT_NONE;
	if (!has_optimal)
		return check_pair(reader, draft, GP_BOUND_MIN, GP_BOUND_MAX);
	bool good = check_pair(reader, draft, GP_BOUND_MIN, GP_BOUND_OPTIMAL);
	return check_pair(reader, draft, GP_BOUND_OPTIMAL, GP_BOUND_MAX) && good;
}

static bool has_any(const struct gp_bound_draft *draft)
{
	for (size_t i = GP_BOUND_MIN; i <= GP_BOUND_MAX; i++)
		if (draft->amounts[i].unit != GP_UNIT_NONE)
			return true;
	return false;
}

/* `decode: {engines: 1}` is one amount, as `decode: 25%` is. */
static bool take_engines_alone(struct gp_reader *reader, struct gp_bound_draft *draft)
{
	if (draft->amounts[GP_BOUND_ENGINES].unit == GP_UNIT_NONE)
		return true;
	if (has_any(draft)) {
		struct gp_diag *diag =
			gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, "contradiction",
				     draft->marks[GP_BOUND_ENGINES], "'engines' stands beside min, optimal or max");
		gp_error_remedy(&diag->error, "write {engines: 1} alone, or {min: {engines: 1}, max: {engines: 2}}");
		return false;
	}
	draft->amounts[GP_BOUND_MIN] = draft->amounts[GP_BOUND_ENGINES];
	return true;
}

static bool take_bound_mapping(struct gp_reader *reader, const struct gp_place *place, struct gp_bound_draft *draft)
{
	if (place->value->count == 0)
		return gp_fault_wanted(reader, place, "an amount, or a mapping of min, optimal and max",
				       "leave the key out if it does not matter");
	return gp_walk(reader, place->key->inside, place->value, draft) && take_engines_alone(reader, draft) &&
	       check_order(reader, draft);
}

bool gp_take_bound(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	struct gp_bound_draft draft = {0};
	bool good;
	if (place->value->type == GP_YAML_MAPPING)
		good = take_bound_mapping(reader, place, &draft);
	else
		good = gp_take_amount(reader, place, &draft.amounts[GP_BOUND_MIN]);
	if (!good)
		return false;
	struct gp_bound *bound = field;
	bound->given = true;
	bound->min = draft.amounts[GP_BOUND_MIN];
	bound->optimal = draft.amounts[GP_BOUND_OPTIMAL];
	bound->max = draft.amounts[GP_BOUND_MAX];
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takers: a value of the tree into a field. What each goes by stands in `detail` of its row. Private to this room. */
#ifndef GP_INTENT_TAKE_H
#define GP_INTENT_TAKE_H

#include "intent/keys.h"

struct gp_range {
	uint32_t least, most;
};

/* The words of an enum. The first `unspoken` cannot be written: they stand for "not given". */
struct gp_words {
	int (*from)(const char *word);
	const char *const *(*words)(size_t *count);
	size_t unspoken;
};

/* How a text must be. `normal` returns it in the one form that the rest of the program compares, or NULL. */
struct gp_text_rule {
	const char *wanted;
	const char *remedy; /* or NULL */
	const char *(*normal)(struct gp_arena *arena, const char *text);
};

/* A key of `match`. */
struct gp_term_rule {
	enum gp_match_key key;
	struct gp_text_rule text;
};

/* Amounts: of VRAM in bytes or as a share; of the rest as a share or in engines. */
struct gp_amount_rule {
	bool bytes; /* else engines */
	const char *wanted;
};

struct gp_texts {
	const char **items;
	size_t count;
};

/* ---- plain values: take.c ---- */
gp_take_fn gp_take_version;
gp_take_fn gp_take_u32;      /* struct gp_range → uint32_t */
gp_take_fn gp_take_bool;     /* → bool */
gp_take_fn gp_take_word;     /* struct gp_words → an enum */
gp_take_fn gp_take_text;     /* struct gp_text_rule → const char * */
gp_take_fn gp_take_texts;    /* struct gp_text_rule → struct gp_texts: one text, or a list of them */
gp_take_fn gp_take_duration; /* → uint64_t milliseconds, at least a second */
gp_take_fn gp_take_mapping;  /* `inside` → the object itself */

/* A whole number without quotes. */
bool gp_node_u32(const struct gp_yaml_node *node, uint32_t *out);
/* Nothing, ~ or null without quotes; true or false without quotes. */
bool gp_node_is_null(const struct gp_yaml_node *node);
bool gp_node_is_truth(const struct gp_yaml_node *node);
/* A text of this rule, or NULL after a fault. */
const char *gp_node_text(struct gp_reader *reader, const struct gp_place *place, const struct gp_text_rule *rule);
/* One value or a list of values: visits each. False: nothing to visit, a fault was added. */
typedef bool gp_visit_fn(struct gp_reader *reader, const struct gp_place *place, void *context);
bool gp_one_or_many(struct gp_reader *reader, const struct gp_place *place, const char *wanted, gp_visit_fn *visit,
		    void *context);
/* A list: visits each item. */
bool gp_each_item(struct gp_reader *reader, const struct gp_place *place, const char *wanted, gp_visit_fn *visit,
		  void *context);

/* ---- texts: rules.c ---- */
extern const struct gp_text_rule gp_rule_class, gp_rule_series, gp_rule_scheduler, gp_rule_vgpu_params, gp_rule_profile,
	gp_rule_mig, gp_rule_host, gp_rule_protect, gp_rule_sriov_manage;
extern const struct gp_term_rule gp_term_rules[GP_MATCH_KEY_COUNT];

/* ---- amounts and bounds: bound.c ---- */
extern const struct gp_amount_rule gp_amount_vram, gp_amount_part;
gp_take_fn gp_take_engines; /* struct gp_range → struct gp_amount */
gp_take_fn gp_take_amount;  /* struct gp_amount_rule, `inside` where engines may be asked → struct gp_amount */
gp_take_fn gp_take_bound;   /* struct gp_amount_rule, `inside` → struct gp_bound */

/* What a mapping of a bound is read into. */
enum { GP_BOUND_MIN, GP_BOUND_OPTIMAL, GP_BOUND_MAX, GP_BOUND_ENGINES, GP_BOUND_FIELDS };
struct gp_bound_draft {
	struct gp_amount amounts[GP_BOUND_FIELDS];
	struct gp_mark marks[GP_BOUND_FIELDS];
};

/* ---- gpus: class.c ---- */
gp_take_fn gp_take_class_name; /* → const char * */
/* The name of a class, or NULL after a fault. */
const char *gp_node_class_name(struct gp_reader *reader, const struct gp_place *place);
gp_take_fn gp_take_classes;    /* → struct gp_file */
gp_take_fn gp_take_match;      /* → struct gp_match */
gp_take_fn gp_take_match_term; /* struct gp_term_rule → struct gp_match_terms */
gp_take_fn gp_take_match_not;  /* → struct gp_match_terms */
gp_take_fn gp_take_partitions; /* → struct gp_class */
gp_take_fn gp_take_series;     /* → const char * */

struct gp_match_terms {
	struct gp_match_term *items;
	size_t count;
};
struct gp_match_draft {
	struct gp_match_terms terms; /* first, so that the rows serve for `not` as well */
	struct gp_match_terms not_terms;
};

/* ---- vms: vm.c ---- */
gp_take_fn gp_take_vms;           /* → struct gp_file */
gp_take_fn gp_take_vm_names;      /* → struct gp_place: kept, read once the whole VM is */
gp_take_fn gp_take_vm_partition;  /* → struct gp_want_vm */
gp_take_fn gp_take_request_class; /* → struct gp_request_draft */

struct gp_request_draft {
	struct gp_request request;
	struct gp_bound bounds[GP_RESOURCE_COUNT];
};

struct gp_vm_draft {
	struct gp_want_vm vm;
	struct gp_place name, names;
	struct gp_mark adopt_mark;
};

#endif

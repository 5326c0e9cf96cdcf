/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole language, version 1: each key is one row here and one line of schema/gpupart.schema.json. */
#include "intent/keys.h"

#include <stddef.h>
#include <string.h>

#include "intent/file.h"
#include "intent/intent.h"
#include "model/names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS(label, table, like)                                                                                       \
	{                                                                                                              \
		.what = (label), .example = (like), .rows = (table), .count = COUNT(table)                             \
	}
#define FIELD(type, member)   .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)
#define MARK(type, member)    .mark = offsetof(type, member)
#define GIVEN(type, member)   .given = offsetof(type, member)
#define INSIDE(keys, how)     .inside = &(keys), .shape = (how)
#define POLICY(member, index) FIELD(struct gp_policy_draft, values.member), MARK(struct gp_policy_draft, given[index])

static const struct gp_words disruption_words = {gp_policy_from, gp_policy_words, 0};
static const struct gp_words placement_words = {gp_placement_from, gp_placement_words, 0};
static const struct gp_words power_words = {gp_power_from, gp_power_words, 0};
static const struct gp_words bind_words = {gp_bind_from, gp_bind_words, 0};
static const struct gp_words backing_words = {gp_backing_from, gp_backing_words, 1};

/* What a PF can have at most: TotalVFs is a number of 16 bits. */
static const struct gp_range partition_range = {1, UINT16_MAX};
static const struct gp_range expect_range = {0, UINT16_MAX};
static const struct gp_range at_once_range = {1, GP_INTENT_MAX_VMS};
static const struct gp_range engine_range = {1, UINT16_MAX};

/* ---- amounts: {engines: 1}; bounds: {min: …, optimal: …, max: …} ---- */

static const struct gp_key amount_rows[] = {
	{"engines", gp_take_engines, .detail = &engine_range, .missing = "write {engines: 1}"},
};
static const struct gp_keys amount_keys = KEYS("an amount in engines", amount_rows, "{engines: 1}");

#define BOUND_FIELD(index) FIELD(struct gp_bound_draft, amounts[index]), MARK(struct gp_bound_draft, marks[index])

static const struct gp_key vram_rows[] = {
	{"min", gp_take_amount, BOUND_FIELD(GP_BOUND_MIN), .detail = &gp_amount_vram},
	{"optimal", gp_take_amount, BOUND_FIELD(GP_BOUND_OPTIMAL), .detail = &gp_amount_vram},
	{"max", gp_take_amount, BOUND_FIELD(GP_BOUND_MAX), .detail = &gp_amount_vram},
};
static const struct gp_keys vram_keys = KEYS("a bound", vram_rows, "{min: 8GiB, max: 16GiB}");

#define PART_AMOUNT .detail = &gp_amount_part, INSIDE(amount_keys, GP_INSIDE_ONE)

static const struct gp_key part_rows[] = {
	{"min", gp_take_amount, BOUND_FIELD(GP_BOUND_MIN), PART_AMOUNT},
	{"optimal", gp_take_amount, BOUND_FIELD(GP_BOUND_OPTIMAL), PART_AMOUNT},
	{"max", gp_take_amount, BOUND_FIELD(GP_BOUND_MAX), PART_AMOUNT},
	{"engines", gp_take_engines, BOUND_FIELD(GP_BOUND_ENGINES), .detail = &engine_range},
};
static const struct gp_keys part_keys = KEYS("a bound", part_rows, "{min: 25%}");

/* ---- gpus ---- */

#define TERM(word, index)                                                                                              \
	{                                                                                                              \
		word, gp_take_match_term, .detail = &gp_term_rules[index]                                              \
	}
#define TERMS                                                                                                          \
	TERM("address", GP_MATCH_ADDRESS), TERM("vendor", GP_MATCH_VENDOR), TERM("device", GP_MATCH_DEVICE),           \
		TERM("subsystem", GP_MATCH_SUBSYSTEM), TERM("model", GP_MATCH_MODEL), TERM("slot", GP_MATCH_SLOT),     \
		TERM("numa_node", GP_MATCH_NUMA_NODE)

static const struct gp_key not_rows[] = {TERMS};
static const struct gp_keys not_keys = KEYS("'not'", not_rows, "{model: A2}");

static const struct gp_key match_rows[] = {
	TERMS,
	{"not", gp_take_match_not, FIELD(struct gp_match_draft, not_terms), INSIDE(not_keys, GP_INSIDE_ONE)},
};
static const struct gp_keys match_keys = KEYS("'match'", match_rows, "{model: Flex 170}");

static const struct gp_key size_rows[] = {
	{"count", gp_take_u32, FIELD(struct gp_partition_size, count), .detail = &partition_range,
	 .missing = "say how many partitions of this size: 'count: 2'"},
	{"vram", gp_take_amount, FIELD(struct gp_partition_size, vram), .detail = &gp_amount_vram},
	{"profile", gp_take_text, FIELD(struct gp_partition_size, profile), .detail = &gp_rule_profile},
	{"mig", gp_take_text, FIELD(struct gp_partition_size, mig), .detail = &gp_rule_mig},
	{"compute", gp_take_amount, FIELD(struct gp_partition_size, compute), PART_AMOUNT},
};
static const struct gp_keys size_keys = KEYS("a partition size", size_rows, "{count: 2, vram: 12GiB}");

static const struct gp_key class_rows[] = {
	{"class", gp_take_class_name, FIELD(struct gp_class, name), MARK(struct gp_class, mark),
	 .missing = "give it the name that VMs ask for: 'class: vdi'"},
	{"match", gp_take_match, FIELD(struct gp_class, match), MARK(struct gp_class, match.mark),
	 INSIDE(match_keys, GP_INSIDE_ONE), .missing = "say which GPUs it means, such as 'match: {model: Flex 170}'"},
	{"expect", gp_take_u32, FIELD(struct gp_class, expect), MARK(struct gp_class, expect_mark),
	 GIVEN(struct gp_class, has_expect), .detail = &expect_range},
	{"partitions", gp_take_partitions, MARK(struct gp_class, partitions_mark), INSIDE(size_keys, GP_INSIDE_LIST),
	 .missing = "write 'partitions: 8', or 'partitions: keep' to leave the GPUs as they are"},
	{"series", gp_take_series, FIELD(struct gp_class, series), MARK(struct gp_class, series_mark)},
	{"disruption", gp_take_word, FIELD(struct gp_class, disruption), .detail = &disruption_words},
	{"placement", gp_take_word, FIELD(struct gp_class, placement), .detail = &placement_words},
	{"backing", gp_take_word, FIELD(struct gp_class, backing), MARK(struct gp_class, backing_mark),
	 .detail = &backing_words},
	{"scheduler", gp_take_text, FIELD(struct gp_class, scheduler), MARK(struct gp_class, scheduler_mark),
	 .detail = &gp_rule_scheduler},
	{"vgpu_params", gp_take_text, FIELD(struct gp_class, vgpu_params), MARK(struct gp_class, vgpu_params_mark),
	 .detail = &gp_rule_vgpu_params},
};
static const struct gp_keys class_keys =
	KEYS("a class of GPUs", class_rows, "{class: vdi, match: {model: Flex 170}, partitions: 8}");

/* ---- vms ---- */

#define BOUND(resource)                                                                                                \
	FIELD(struct gp_request_draft, bounds[resource]), MARK(struct gp_request_draft, bounds[resource].mark)

static const struct gp_key request_rows[] = {
	{"class", gp_take_request_class, .missing = "name a class of 'gpus': 'class: vdi'"},
	{"vram", gp_take_bound, BOUND(GP_VRAM), .detail = &gp_amount_vram, INSIDE(vram_keys, GP_INSIDE_ONE)},
	{"encode", gp_take_bound, BOUND(GP_ENCODE), .detail = &gp_amount_part, INSIDE(part_keys, GP_INSIDE_ONE)},
	{"decode", gp_take_bound, BOUND(GP_DECODE), .detail = &gp_amount_part, INSIDE(part_keys, GP_INSIDE_ONE)},
	{"compute", gp_take_bound, BOUND(GP_COMPUTE), .detail = &gp_amount_part, INSIDE(part_keys, GP_INSIDE_ONE)},
};
static const struct gp_keys request_keys = KEYS("a partition", request_rows, "{class: vdi}");

static const struct gp_key vm_rows[] = {
	{"name", gp_take_vm_names, FIELD(struct gp_vm_draft, name)},
	{"names", gp_take_vm_names, FIELD(struct gp_vm_draft, names)},
	{"partition", gp_take_vm_partition, FIELD(struct gp_vm_draft, vm),
	 INSIDE(request_keys, GP_INSIDE_ONE | GP_INSIDE_LIST),
	 .missing = "write 'partition: CLASS', or 'partition: none' to take back what it has"},
	{"disruption", gp_take_word, FIELD(struct gp_vm_draft, vm.disruption), .detail = &disruption_words},
	{"power", gp_take_word, FIELD(struct gp_vm_draft, vm.power), MARK(struct gp_vm_draft, vm.power_mark),
	 .detail = &power_words},
	{"bind", gp_take_word, FIELD(struct gp_vm_draft, vm.bind), MARK(struct gp_vm_draft, vm.bind_mark),
	 .detail = &bind_words},
	{"adopt", gp_take_bool, FIELD(struct gp_vm_draft, vm.adopt), MARK(struct gp_vm_draft, adopt_mark)},
};
static const struct gp_keys vm_keys = KEYS("a VM", vm_rows, "{name: cad-01, partition: vdi}");

/* ---- policy: in the order of enum gp_policy_key ---- */

static const struct gp_key policy_rows[] = {
	{"disruption", gp_take_word, POLICY(disruption, GP_POLICY_KEY_DISRUPTION), .detail = &disruption_words},
	{"placement", gp_take_word, POLICY(placement, GP_POLICY_KEY_PLACEMENT), .detail = &placement_words},
	{"at_once", gp_take_u32, POLICY(at_once, GP_POLICY_KEY_AT_ONCE), .detail = &at_once_range},
	{"shutdown_timeout", gp_take_duration, POLICY(shutdown_timeout_ms, GP_POLICY_KEY_SHUTDOWN_TIMEOUT)},
	{"force_off", gp_take_bool, POLICY(force_off, GP_POLICY_KEY_FORCE_OFF)},
	{"protect", gp_take_texts, FIELD(struct gp_policy_draft, protect),
	 MARK(struct gp_policy_draft, given[GP_POLICY_KEY_PROTECT]), .detail = &gp_rule_protect},
	{"sriov_manage", gp_take_text, POLICY(sriov_manage, GP_POLICY_KEY_SRIOV_MANAGE),
	 .detail = &gp_rule_sriov_manage},
};
_Static_assert(COUNT(policy_rows) == GP_POLICY_KEYS, "a row of enum gp_policy_key for each key of the policy");
const struct gp_keys gp_keys_policy = KEYS("'policy'", policy_rows, "{disruption: restart}");

/* ---- a file ---- */

static const struct gp_key file_rows[] = {
	{"version", gp_take_version, .missing = "begin the file with 'version: 1'"},
	{"hosts", gp_take_texts, FIELD(struct gp_file, hosts), MARK(struct gp_file, hosts_mark),
	 .detail = &gp_rule_host},
	{"gpus", gp_take_classes, INSIDE(class_keys, GP_INSIDE_LIST)},
	{"vms", gp_take_vms, INSIDE(vm_keys, GP_INSIDE_LIST)},
	{"policy", gp_take_mapping, FIELD(struct gp_file, policy), MARK(struct gp_file, policy_mark),
	 INSIDE(gp_keys_policy, GP_INSIDE_ONE)},
};
const struct gp_keys gp_keys_file = KEYS("a file", file_rows, "'version: 1', then 'gpus' and 'vms'");

/* ---- all keys by name ---- */

struct key_list {
	char **paths;
	size_t count, capacity;
};

static void add_keys(struct key_list *list, const struct gp_keys *keys, const char *prefix);

static void add_path(struct key_list *list, const char *path)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
		list->paths = gp_xrealloc(list->paths, list->capacity * sizeof(list->paths[0]));
	}
	list->paths[list->count++] = gp_xstrdup(path);
}

static void add_key(struct key_list *list, const struct gp_key *row, const char *prefix)
{
	gp_autofree char *path = gp_xasprintf("%s%s", prefix, row->name);
	add_path(list, path);
	if (row->shape & GP_INSIDE_ONE) {
		gp_autofree char *inside = gp_xasprintf("%s.", path);
		add_keys(list, row->inside, inside);
	}
	if (row->shape & GP_INSIDE_LIST) {
		gp_autofree char *inside = gp_xasprintf("%s[].", path);
		add_keys(list, row->inside, inside);
	}
}

static void add_keys(struct key_list *list, const struct gp_keys *keys, const char *prefix)
{
	for (size_t i = 0; i < keys->count; i++)
		add_key(list, &keys->rows[i], prefix);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void gp_intent_list_keys(struct gp_str *out)
{
	struct key_list list = {0};
	add_keys(&list, &gp_keys_file, "");
	qsort(list.paths, list.count, sizeof(list.paths[0]), compare_paths);
	for (size_t i = 0; i < list.count; i++) {
		gp_str_printf(out, "%s\n", list.paths[i]);
		free(list.paths[i]);
	}
	free(list.paths);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpus: what Get-VMHostPartitionableGpu shows, and whether the GPUs of a class are alike. */
#include <json-c/json.h>
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"
#include "model/names.h"
#include "vendor/vendor.h"

/* ---- one GPU's figures ---- */

struct usage {
	uint32_t count, free;
	bool free_known;
};

static bool is_free(const struct gp_partition *partition)
{
	return partition->holder_count == 0;
}

/* Under-report: when a place of truth cannot be read, nothing counts as free. */
static struct usage usage_of(const struct gp_observed *observed, const struct gp_gpu *gpu)
{
	struct usage usage = {
		.count = gpu->num_vfs,
		.free_known = observed->domains_state.known && observed->vfio_state.known,
	};

	for (size_t i = 0; usage.free_known && i < gpu->partition_count; i++)
		usage.free += is_free(&gpu->partitions[i]);
	return usage;
}

static void add_amount(const struct gp_offer *offer, enum gp_resource resource, uint32_t times, struct gp_str *out)
{
	if (resource == GP_VRAM && offer->has_bytes)
		gp_add_size(out, offer->bytes * times);
	else if (offer->has_share)
		gp_add_share(out, (uint64_t)offer->share * times);
	else
		gp_str_add_char(out, '-');
}

/* The first partition speaks for all: a back-end that cuts unequal sizes shows them by `vms` and --json. */
static void add_each(const struct gp_gpu *gpu, struct gp_str *out)
{
	if (gpu->partition_count == 0 || gpu->named_only) { /* a NIC has none of the four */
		gp_str_add_char(out, '-');
		return;
	}
	for (int r = 0; r < GP_RESOURCE_COUNT; r++) {
		if (r > 0)
			gp_str_add_char(out, ' ');
		add_amount(&gpu->partitions[0].offers[r], (enum gp_resource)r, 1, out);
	}
}

/* "0-31" when every count is valid, else "0,1,2,4". */
static void add_valid_counts(const struct gp_gpu *gpu, struct gp_str *out)
{
	bool gapless = gpu->layout_count > 0;

	for (size_t i = 0; i < gpu->layout_count; i++)
		gapless = gapless && gpu->layouts[i].count == i + 1;
	if (gpu->layout_count == 0) {
		gp_str_add_char(out, '-');
	} else if (gapless) {
		gp_str_printf(out, "0-%zu", gpu->layout_count);
	} else {
		gp_str_add_char(out, '0');
		for (size_t i = 0; i < gpu->layout_count; i++)
			gp_str_printf(out, ",%u", gpu->layouts[i].count);
	}
}

static const char *class_of(const struct gp_desired *desired, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < desired->class_count; i++)
		if (gp_match_holds(&desired->classes[i].match, gpu))
			return desired->classes[i].name;
	return NULL;
}

static void add_gpu_row(struct gp_table *table, const struct gp_session *session, const struct gp_gpu *gpu)
{
	GP_CLEANUP(gp_str_clear) struct gp_str valid = {0}, vram = {0}, each = {0};
	struct usage usage = usage_of(session->observed, gpu);
	const char *class_name = class_of(session->desired, gpu);
	char addr[GP_PCI_ADDR_SIZE];

	add_valid_counts(gpu, &valid);
	if (gpu->vram_bytes)
		gp_add_size(&vram, gpu->vram_bytes);
	add_each(gpu, &each);
	gp_table_cell(table, "%s", gp_pci_addr_format(gpu->addr, addr));
	gp_table_cell(table, "%s", gpu->model);
	gp_table_cell(table, "%s", gpu->driver ? gpu->driver : "none");
	gp_table_cell(table, "%s", class_name ? class_name : "-");
	gp_table_cell(table, "%u", usage.count);
	if (usage.free_known)
		gp_table_cell(table, "%u", usage.free);
	else
		gp_table_cell(table, "?");
	gp_table_cell(table, "%s", gp_str_text(&valid));
	gp_table_cell(table, "%s", vram.length ? gp_str_text(&vram) : "?");
	gp_table_cell(table, "%s", gp_str_text(&each));
}

/* ---- homogeneity ---- */

struct trait {
	const char *name;
	void (*add)(const struct gp_gpu *gpu, struct gp_str *out);
};

static void add_model(const struct gp_gpu *gpu, struct gp_str *out)
{
	gp_str_add(out, gpu->model);
}
static void add_driver(const struct gp_gpu *gpu, struct gp_str *out)
{
	gp_str_add(out, gpu->driver ? gpu->driver : "none");
}
static void add_count(const struct gp_gpu *gpu, struct gp_str *out)
{
	gp_str_printf(out, "%u", gpu->num_vfs);
}
static void add_vram(const struct gp_gpu *gpu, struct gp_str *out)
{
	if (gpu->vram_bytes)
		gp_add_size(out, gpu->vram_bytes);
	else
		gp_str_add(out, "unknown");
}

static const struct trait traits[] = {
	{"model", add_model},         {"driver", add_driver}, {"partition count", add_count},
	{"partition size", add_each}, {"memory", add_vram},   {"valid counts", add_valid_counts},
};

struct members {
	const struct gp_gpu **gpus;
	size_t count;
};

static void trait_text(const struct trait *trait, const struct gp_gpu *gpu, struct gp_str *out)
{
	gp_str_clear(out);
	trait->add(gpu, out);
}

/* One value of a trait, and who has it. */
struct variant {
	struct gp_str text;
	size_t first, votes;
};

static struct variant *find_variant(struct variant *variants, size_t count, const struct gp_str *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(gp_str_text(&variants[i].text), gp_str_text(text)) == 0)
			return &variants[i];
	return NULL;
}

/* The member whose value most members share; the first of them on a tie. */
static size_t most_common(const struct trait *trait, const struct members *members)
{
	struct variant *variants = gp_xcalloc(members->count, sizeof(*variants));
	size_t variant_count = 0, best = 0;

	for (size_t i = 0; i < members->count; i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		struct variant *variant;

		trait->add(members->gpus[i], &text);
		variant = find_variant(variants, variant_count, &text);
		if (!variant) {
			variant = &variants[variant_count++];
			variant->first = i;
			gp_str_add(&variant->text, gp_str_text(&text));
		}
		variant->votes++;
	}
	for (size_t i = 1; i < variant_count; i++)
		if (variants[i].votes > variants[best].votes)
			best = i;
	best = variants[best].first;
	for (size_t i = 0; i < variant_count; i++)
		gp_str_clear(&variants[i].text);
	free(variants);
	return best;
}

typedef void (*odd_one)(void *context, const struct gp_gpu *gpu, const char *trait, const char *value,
			const char *usual);

static size_t find_odd_ones(const struct members *members, odd_one report, void *context)
{
	size_t found = 0;

	for (size_t t = 0; members->count > 1 && t < sizeof(traits) / sizeof(traits[0]); t++) {
		GP_CLEANUP(gp_str_clear) struct gp_str usual = {0}, value = {0};

		trait_text(&traits[t], members->gpus[most_common(&traits[t], members)], &usual);
		for (size_t i = 0; i < members->count; i++) {
			trait_text(&traits[t], members->gpus[i], &value);
			if (strcmp(gp_str_text(&usual), gp_str_text(&value)) == 0)
				continue;
			found++;
			report(context, members->gpus[i], traits[t].name, gp_str_text(&value), gp_str_text(&usual));
		}
	}
	return found;
}

static struct members members_of(const struct gp_session *session, const struct gp_class *class)
{
	struct members members = {gp_xcalloc(session->observed->gpu_count + 1, sizeof(struct gp_gpu *)), 0};

	for (size_t i = 0; i < session->observed->gpu_count; i++)
		if (gp_match_holds(&class->match, &session->observed->gpus[i]))
			members.gpus[members.count++] = &session->observed->gpus[i];
	return members;
}

static void odd_one_text(void *context, const struct gp_gpu *gpu, const char *trait, const char *value,
			 const char *usual)
{
	char addr[GP_PCI_ADDR_SIZE];

	gp_str_printf(context, "  %s differs: %s %s, the others have %s\n", gp_pci_addr_format(gpu->addr, addr), trait,
		      value, usual);
}

static void render_homogeneity(const struct gp_session *session, struct gp_str *out)
{
	for (size_t i = 0; i < session->desired->class_count; i++) {
		const struct gp_class *class = &session->desired->classes[i];
		GP_CLEANUP(gp_str_clear) struct gp_str odd = {0};
		struct members members = members_of(session, class);
		size_t differences = find_odd_ones(&members, odd_one_text, &odd);

		gp_str_printf(out, "Class %s: %zu %s%s\n", class->name, members.count,
			      members.count == 1 ? "GPU" : "GPUs",
			      members.count < 2  ? "."
			      : differences == 0 ? ", all alike (model, driver, count, size, memory)."
						 : ", not all alike:");
		gp_str_add(out, gp_str_text(&odd));
		free(members.gpus);
	}
}

/* ---- output ---- */

static void render_unfit(const struct gp_observed *observed, struct gp_str *out)
{
	for (size_t i = 0; i < observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &observed->gpus[i];
		char addr[GP_PCI_ADDR_SIZE];

		if (gpu->unfit == GP_FIT)
			continue;
		gp_str_printf(out, "%s cannot be partitioned: %s\n", gp_pci_addr_format(gpu->addr, addr),
			      gpu->unfit_why);
		if (gpu->unfit_remedy)
			gp_str_printf(out, "  try: %s\n", gpu->unfit_remedy);
	}
}

static void render_unknown(const struct gp_observed *observed, struct gp_str *out)
{
	if (!observed->domains_state.known)
		gp_str_printf(out, "FREE is unknown: %s\n", observed->domains_state.why);
	if (!observed->vfio_state.known)
		gp_str_printf(out, "FREE is unknown: %s\n", observed->vfio_state.why);
}

static void render_text(const struct gp_session *session, struct gp_str *out)
{
	static const char *const headings[] = {"GPU",   "MODEL", "DRIVER",
					       "CLASS", "COUNT", "FREE",
					       "VALID", "VRAM",  "EACH (vram encode decode compute)"};
	struct gp_table *table = gp_table_new(headings, sizeof(headings) / sizeof(headings[0]));

	if (session->observed->gpu_count == 0) {
		gp_str_add(out, "No GPU here: no PCI device of a display (03) or accelerator (12) class.\n");
		gp_table_free(table);
		return;
	}
	for (size_t i = 0; i < session->observed->gpu_count; i++)
		add_gpu_row(table, session, &session->observed->gpus[i]);
	gp_table_render(table, out);
	gp_table_free(table);
	gp_str_add_char(out, '\n');
	render_unfit(session->observed, out);
	render_unknown(session->observed, out);
	render_homogeneity(session, out);
}

static void odd_one_json(void *context, const struct gp_gpu *gpu, const char *trait, const char *value,
			 const char *usual)
{
	struct json_object *item = json_object_new_object();
	char addr[GP_PCI_ADDR_SIZE];

	json_object_object_add(item, "gpu", json_object_new_string(gp_pci_addr_format(gpu->addr, addr)));
	json_object_object_add(item, "trait", json_object_new_string(trait));
	json_object_object_add(item, "value", json_object_new_string(value));
	json_object_object_add(item, "usual", json_object_new_string(usual));
	json_object_array_add(context, item);
}

static struct json_object *amount_to_json(const struct gp_offer *offer, uint64_t times, enum gp_resource resource)
{
	if (resource == GP_VRAM && offer->has_bytes)
		return json_object_new_uint64(offer->bytes * times);
	return offer->has_share ? json_object_new_uint64((uint64_t)offer->share * times) : NULL;
}

static struct json_object *resources_to_json(const struct gp_observed *observed, const struct gp_gpu *gpu)
{
	struct json_object *resources = json_object_new_object();
	struct usage usage = usage_of(observed, gpu);

	for (int r = 0; r < GP_RESOURCE_COUNT; r++) {
		struct json_object *item = json_object_new_object();
		const struct gp_offer none = {0};
		const struct gp_offer *offer = gpu->partition_count ? &gpu->partitions[0].offers[r] : &none;
		bool bytes = r == GP_VRAM && (offer->has_bytes || gpu->vram_bytes);

		json_object_object_add(item, "unit", json_object_new_string(bytes ? "bytes" : "ppm"));
		json_object_object_add(item, "total",
				       r == GP_VRAM ? (gpu->vram_bytes ? json_object_new_uint64(gpu->vram_bytes) : NULL)
						    : json_object_new_uint64(1000000));
		json_object_object_add(item, "available",
				       usage.free_known ? amount_to_json(offer, usage.free, (enum gp_resource)r)
							: NULL);
		json_object_object_add(item, "per_partition", amount_to_json(offer, 1, (enum gp_resource)r));
		json_object_object_add(item, "hold", json_object_new_string(gp_hold_name(offer->hold)));
		json_object_object_add(resources, gp_resource_name((enum gp_resource)r), item);
	}
	return resources;
}

static struct json_object *gpu_to_json(const struct gp_session *session, const struct gp_gpu *gpu)
{
	struct json_object *item = json_object_new_object();
	struct json_object *valid = json_object_new_array();
	struct usage usage = usage_of(session->observed, gpu);
	const char *class_name = class_of(session->desired, gpu);
	char addr[GP_PCI_ADDR_SIZE];

	json_object_array_add(valid, json_object_new_int(0));
	for (size_t i = 0; i < gpu->layout_count; i++)
		json_object_array_add(valid, json_object_new_uint64(gpu->layouts[i].count));
	json_object_object_add(item, "address", json_object_new_string(gp_pci_addr_format(gpu->addr, addr)));
	json_object_object_add(item, "model", json_object_new_string(gpu->model));
	json_object_object_add(item, "driver", gpu->driver ? json_object_new_string(gpu->driver) : NULL);
	json_object_object_add(item, "backend", json_object_new_string(gpu->backend->name));
	json_object_object_add(item, "class", class_name ? json_object_new_string(class_name) : NULL);
	json_object_object_add(item, "partitionable", json_object_new_boolean(gpu->unfit == GP_FIT));
	json_object_object_add(item, "why_not", gpu->unfit_why ? json_object_new_string(gpu->unfit_why) : NULL);
	json_object_object_add(item, "partition_count", json_object_new_uint64(usage.count));
	json_object_object_add(item, "partitions_free", usage.free_known ? json_object_new_uint64(usage.free) : NULL);
	json_object_object_add(item, "valid_partition_counts", valid);
	json_object_object_add(item, "numa_node", gpu->numa_node >= 0 ? json_object_new_int(gpu->numa_node) : NULL);
	json_object_object_add(item, "slot", gpu->slot ? json_object_new_string(gpu->slot) : NULL);
	json_object_object_add(item, "resources", resources_to_json(session->observed, gpu));
	return item;
}

static struct json_object *to_json(const struct gp_session *session)
{
	struct json_object *root = json_object_new_object();
	struct json_object *gpus = json_object_new_array();
	struct json_object *classes = json_object_new_array();

	for (size_t i = 0; i < session->observed->gpu_count; i++)
		json_object_array_add(gpus, gpu_to_json(session, &session->observed->gpus[i]));
	for (size_t i = 0; i < session->desired->class_count; i++) {
		struct members members = members_of(session, &session->desired->classes[i]);
		struct json_object *item = json_object_new_object();
		struct json_object *odd = json_object_new_array();
		size_t differences = find_odd_ones(&members, odd_one_json, odd);

		json_object_object_add(item, "class", json_object_new_string(session->desired->classes[i].name));
		json_object_object_add(item, "gpus", json_object_new_uint64(members.count));
		json_object_object_add(item, "homogeneous", json_object_new_boolean(differences == 0));
		json_object_object_add(item, "deviations", odd);
		json_object_array_add(classes, item);
		free(members.gpus);
	}
	json_object_object_add(root, "format_version", json_object_new_string("1.0"));
	json_object_object_add(root, "kind", json_object_new_string("gpus"));
	json_object_object_add(root, "gpus", gpus);
	json_object_object_add(root, "classes", classes);
	return root;
}

int gp_cmd_gpus(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	int code;

	if ((code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY)) != GP_EXIT_OK ||
	    (code = gp_session_read_files_if_any(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_observe(&session, cli)) != GP_EXIT_OK)
		return code;
	if (cli->json) {
		gp_print_json(to_json(&session));
	} else {
		render_text(&session, &text);
		gp_print(&text);
	}
	return GP_EXIT_OK;
}

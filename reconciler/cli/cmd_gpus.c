/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpus: what Get-VMHostPartitionableGpu shows, whether the GPUs of a class are alike, and how many partitions their VMs
 * need. One row a GPU; whatever several GPUs have in common is said once, with the addresses of all that it goes for.
 */
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"
#include "cli/gpus.h"
#include "model/names.h"

enum { MOST_SIZED_COUNTS = 12, FEW_ADDRESSES = 4, SHOWN_ADDRESSES = 2 };

/* ---- sentences about several GPUs ---- */

struct remark {
	char *text;
	const struct gp_gpu **gpus;
	size_t count;
};

struct remarks {
	struct gp_arena *arena;
	struct remark *items;
	size_t count;
};

static void remark(struct remarks *remarks, const struct gp_gpu *gpu, const char *text)
{
	size_t at = 0;

	while (at < remarks->count && strcmp(remarks->items[at].text, text) != 0)
		at++;
	if (at == remarks->count)
		gp_arena_push(remarks->arena, remarks->items, remarks->count)->text =
			gp_arena_strdup(remarks->arena, text);
	*gp_arena_push(remarks->arena, remarks->items[at].gpus, remarks->items[at].count) = gpu;
}

/* "0000:41:00.0, 0000:42:00.0 and 14 more" */
static void add_addresses(const struct remark *of, struct gp_str *out)
{
	size_t shown = of->count <= FEW_ADDRESSES ? of->count : SHOWN_ADDRESSES;
	char addr[GP_PCI_ADDR_SIZE];

	for (size_t i = 0; i < shown; i++)
		gp_str_printf(out, "%s%s", i ? ", " : "", gp_pci_addr_format(of->gpus[i]->addr, addr));
	if (shown < of->count)
		gp_str_printf(out, " and %zu more", of->count - shown);
}

/* ---- one row a GPU ---- */

/* "4GiB 25% 25% 25%", "none"; "?": who holds what is not known; "-": nothing to be had of it. */
static void add_available(const struct gp_gpu_facts *facts, struct gp_str *out)
{
	const struct gp_gpu *gpu = facts->gpu;

	if (gpu->named_only || (gpu->unfit != GP_FIT && gpu->count == 0)) {
		gp_str_add_char(out, '-');
	} else if (gpu->count > 0 && !facts->free_known) {
		gp_str_add_char(out, '?');
	} else if (gpu->count > 0 && facts->free == 0) {
		gp_str_add(out, "none");
	} else {
		for (int r = 0; r < GP_RESOURCE_COUNT; r++) {
			const struct gp_gpu_resource *resource = &facts->resources[r];

			gp_str_add(out, r ? " " : "");
			gp_gpu_add_amount(resource, resource->available_known, resource->available, out);
		}
	}
}

static void add_gpu_row(struct gp_table *table, const struct gp_gpu_facts *facts)
{
	GP_CLEANUP(gp_str_clear) struct gp_str available = {0};
	char addr[GP_PCI_ADDR_SIZE];

	add_available(facts, &available);
	gp_table_cell(table, "%s", gp_pci_addr_format(facts->gpu->addr, addr));
	gp_table_cell(table, "%s", facts->gpu->model);
	gp_table_cell(table, "%s", facts->class_of ? facts->class_of->name : "-");
	gp_table_cell(table, "%s", facts->cut);
	if (facts->free_known || facts->gpu->count == 0)
		gp_table_cell(table, "%u", facts->free);
	else
		gp_table_cell(table, "?");
	gp_table_cell(table, "%s", gp_str_text(&available));
}

static void render_rows(const struct gp_gpu_facts *facts, size_t count, struct gp_str *out)
{
	static const char *const headings[] = {"GPU",        "MODEL", "CLASS",
					       "PARTITIONS", "FREE",  "AVAILABLE (vram encode decode compute)"};
	struct gp_table *table = gp_table_new(headings, sizeof(headings) / sizeof(headings[0]));

	for (size_t i = 0; i < count; i++)
		add_gpu_row(table, &facts[i]);
	gp_table_render(table, out);
	gp_table_free(table);
	gp_str_add_char(out, '\n');
}

/* ---- what GPUs alike have ---- */

static void add_resource_row(struct gp_table *table, const char *label, const struct gp_gpu_facts *facts, bool each)
{
	gp_table_cell(table, "  %s", label);
	for (int r = 0; r < GP_RESOURCE_COUNT; r++) {
		const struct gp_gpu_resource *resource = &facts->resources[r];
		GP_CLEANUP(gp_str_clear) struct gp_str cell = {0};

		gp_gpu_add_amount(resource, each ? resource->each_known : resource->total_known,
				  each ? resource->each : resource->total, &cell);
		gp_table_cell(table, "%s", gp_str_text(&cell));
	}
}

static void add_hold_row(struct gp_table *table, const struct gp_gpu_facts *facts)
{
	gp_table_cell(table, "  held by");
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		gp_table_cell(table, "%s", gp_hold_name(facts->resources[r].hold));
}

static bool held_alike(const struct gp_gpu_facts *a, const struct gp_gpu_facts *b)
{
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		if (a->resources[r].hold != b->resources[r].hold)
			return false;
	return true;
}

/* "each A16-2Q", "each of 8"; NULL: not cut */
static const char *label_of(const struct gp_gpu_facts *facts, struct gp_arena *arena)
{
	const struct gp_partition *sample = gp_gpu_sample(facts->gpu);

	if (!sample)
		return NULL;
	return sample->profile ? gp_arena_printf(arena, "each %s", sample->profile)
			       : gp_arena_printf(arena, "each of %u", facts->gpu->count);
}

/* The facts of a GPU stand where it stands in the snapshot. */
static const struct gp_gpu_facts *facts_of(const struct gp_gpu_facts *all, const struct gp_gpu *gpu)
{
	return &all[gpu - all[0].gpu];
}

/* What a GPU of this kind has, and then each size of partition that one of them is cut into. */
static void add_resources(const struct remark *kind, const struct gp_gpu_facts *all, struct gp_arena *arena,
			  struct gp_str *out)
{
	static const char *const headings[] = {"", "VRAM", "ENCODE", "DECODE", "COMPUTE"};
	const struct gp_gpu_facts *held = NULL;
	const char **labels = gp_arena_array_of(arena, const char *, kind->count);
	struct gp_table *table;

	if (kind->gpus[0]->named_only)
		return;
	table = gp_table_new(headings, sizeof(headings) / sizeof(headings[0]));
	add_resource_row(table, "a GPU", facts_of(all, kind->gpus[0]), false);
	for (size_t i = 0; i < kind->count; i++) {
		const struct gp_gpu_facts *facts = facts_of(all, kind->gpus[i]);
		bool told = false;

		labels[i] = label_of(facts, arena);
		for (size_t before = 0; before < i && !told; before++)
			told = gp_streq(labels[before], labels[i]);
		if (!labels[i] || told)
			continue;
		if (held && !held_alike(held, facts))
			add_hold_row(table, held);
		add_resource_row(table, labels[i], facts, true);
		held = facts;
	}
	if (held)
		add_hold_row(table, held);
	gp_table_render(table, out);
	gp_table_free(table);
}

static size_t unique_counts(const struct gp_gpu *gpu)
{
	size_t counts = 0;

	for (size_t i = 0; i < gpu->layout_count; i++)
		counts += gp_layout_is_first(gpu, i);
	return counts;
}

/* "1 (16GiB each), 2 (8GiB), 4 (4GiB)", as long as that can be read; else "0-31". */
static void add_counts(const struct gp_gpu *gpu, struct gp_str *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	bool first = true;

	gp_str_add(&line, "valid counts: ");
	if (unique_counts(gpu) > MOST_SIZED_COUNTS || gpu->layout_count == 0) {
		gp_gpu_add_valid_counts(gpu, &line);
		gp_add_folded(out, 2, gp_str_text(&line));
		return;
	}
	gp_str_add_char(&line, '0');
	for (size_t i = 0; i < gpu->layout_count; i++) {
		const struct gp_offer *vram = &gpu->layouts[i].groups[0].offers[GP_VRAM];

		if (!gp_layout_is_first(gpu, i))
			continue;
		gp_str_printf(&line, ", %u", gpu->layouts[i].count);
		if (!vram->has_bytes)
			continue;
		gp_str_add(&line, " (");
		gp_add_size(&line, vram->bytes);
		gp_str_add(&line, first ? " each)" : ")");
		first = false;
	}
	gp_add_folded(out, 2, gp_str_text(&line));
}

/* The next series after `told`, in order of name; NULL: that was the last. */
static const char *next_series(const struct gp_gpu *gpu, const char *told)
{
	const char *next = NULL;

	for (size_t i = 0; i < gpu->layout_count; i++) {
		const char *series = gpu->layouts[i].groups[0].series;

		if (series && strcmp(series, told) > 0 && (!next || strcmp(series, next) < 0))
			next = series;
	}
	return next;
}

/* "8, 16"; how many. A series may have two types of one count. */
static size_t add_counts_of_series(const struct gp_gpu *gpu, const char *series, struct gp_str *out)
{
	size_t counts = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < gpu->layout_count; i++) {
		if (!gp_streq(gpu->layouts[i].groups[0].series, series) || gpu->layouts[i].count == last)
			continue;
		last = gpu->layouts[i].count;
		gp_str_printf(out, "%s%u", counts++ ? ", " : "", last);
	}
	return counts;
}

/* "A, Q for all of these; B for 8, 16; C for 1, 2, 4" */
static void add_series(const struct gp_gpu *gpu, struct gp_str *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0}, some = {0};

	for (const char *series = next_series(gpu, ""); series; series = next_series(gpu, series)) {
		GP_CLEANUP(gp_str_clear) struct gp_str counts = {0};

		if (add_counts_of_series(gpu, series, &counts) == unique_counts(gpu))
			gp_str_printf(&line, "%s%s", line.length ? ", " : "series: ", series);
		else
			gp_str_printf(&some, "%s%s for %s", some.length ? "; " : "", series, gp_str_text(&counts));
	}
	if (line.length && some.length)
		gp_str_add(&line, " for all of these; ");
	else if (some.length)
		gp_str_add(&line, "series: ");
	gp_str_add(&line, gp_str_text(&some));
	if (line.length)
		gp_add_folded(out, 2, gp_str_text(&line));
}

static void add_driver(const struct gp_gpu *gpu, struct gp_str *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};

	gp_str_printf(&line, "driver: %s", gpu->driver ? gpu->driver : "none");
	if (gpu->driver_version)
		gp_str_printf(&line, " %s", gpu->driver_version);
	if (gpu->framework)
		gp_str_printf(&line, ", framework %s%s", gpu->framework,
			      gpu->framework_expected ? " (expected; it can be seen once VFs exist)" : "");
	if (gpu->scheduler)
		gp_str_printf(&line, ", scheduler %s", gpu->scheduler);
	gp_add_folded(out, 2, gp_str_text(&line));
}

/* GPUs of one text are of one kind: it is what they are, not what they are cut into. */
static void describe_kind(const struct gp_gpu *gpu, struct gp_str *out)
{
	if (gpu->layout_count > 0) {
		add_counts(gpu, out);
		add_series(gpu, out);
	}
	add_driver(gpu, out);
}

static void render_kinds(const struct gp_gpu_facts *facts, size_t count, struct gp_arena *arena, struct gp_str *out)
{
	struct remarks kinds = {.arena = arena};

	for (size_t i = 0; i < count; i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

		if (facts[i].gpu->unfit != GP_FIT)
			continue;
		gp_str_printf(&text, "%s, %llu bytes\n", facts[i].gpu->model,
			      (unsigned long long)facts[i].gpu->vram_bytes);
		describe_kind(facts[i].gpu, &text);
		remark(&kinds, facts[i].gpu, gp_str_text(&text));
	}
	for (size_t i = 0; i < kinds.count; i++) {
		gp_str_printf(out, "%s: ", kinds.items[i].gpus[0]->model);
		add_addresses(&kinds.items[i], out);
		gp_str_add_char(out, '\n');
		add_resources(&kinds.items[i], facts, arena, out);
		describe_kind(kinds.items[i].gpus[0], out);
		gp_str_add_char(out, '\n');
	}
}

/* ---- what speaks against it ---- */

static void remark_unfit(struct remarks *remarks, const struct gp_gpu *gpu)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	if (gpu->unfit == GP_FIT)
		return;
	gp_str_printf(&text, "cannot be partitioned: %s", gpu->unfit_why);
	if (gpu->unfit_remedy)
		gp_str_printf(&text, "\ntry: %s", gpu->unfit_remedy);
	remark(remarks, gpu, gp_str_text(&text));
}

static void remark_clients(struct remarks *remarks, const struct gp_gpu *gpu)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	if (gpu->client_count == 0 || gpu->num_vfs > 0 || gpu->unfit != GP_FIT)
		return;
	gp_str_add(&text, "in use, and its VFs can only be made while nobody uses it: ");
	for (size_t i = 0; i < gpu->client_count; i++)
		gp_str_printf(&text, "%s%s (pid %llu)", i ? ", " : "", gpu->clients[i].name,
			      (unsigned long long)gpu->clients[i].pid);
	remark(remarks, gpu, gp_str_text(&text));
}

static void remark_unusable(struct remarks *remarks, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < gpu->partition_count; i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		const char *why = gpu->partitions[i].unusable_why;
		size_t count = 0;

		for (size_t before = 0; why && before < i; before++)
			if (gp_streq(gpu->partitions[before].unusable_why, why))
				why = NULL;
		for (size_t j = i; why && j < gpu->partition_count; j++) {
			if (!gp_streq(gpu->partitions[j].unusable_why, why))
				continue;
			gp_str_printf(&text, "%s%u", count++ ? ", " : "", gpu->partitions[j].index);
		}
		if (!why)
			continue;
		gp_autofree char *sentence = gp_xasprintf("VF%s %s cannot be given to a VM: %s", count > 1 ? "s" : "",
							  gp_str_text(&text), why);

		remark(remarks, gpu, sentence);
	}
}

static void remark_libvirt(struct remarks *remarks, const struct gp_gpu *gpu, const struct gp_hypervisor *hypervisor)
{
	char found[GP_VERSION_SIZE], least[GP_VERSION_SIZE];

	if (hypervisor->version == 0 || hypervisor->version >= gpu->libvirt_min || gpu->unfit != GP_FIT)
		return;
	gp_autofree char *text =
		gp_xasprintf("libvirt %s cannot give its partitions to VMs, %s can%s%s",
			     gp_version_format(hypervisor->version, found), gp_version_format(gpu->libvirt_min, least),
			     gpu->libvirt_why ? "; " : "", gpu->libvirt_why ? gpu->libvirt_why : "");
	remark(remarks, gpu, text);
}

static void remark_types(struct remarks *remarks, const struct gp_gpu *gpu)
{
	if (!gpu->not_creatable)
		return;
	gp_autofree char *text =
		gp_xasprintf("not all of its vGPU types can be made now, although it has none yet; the "
			     "driver offers: %s",
			     gpu->not_creatable);
	remark(remarks, gpu, text);
}

/* A remark of two lines has what would work in the second. */
static void render_remark(const struct remark *of, struct gp_str *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	const char *second = strchr(of->text, '\n');

	add_addresses(of, &line);
	gp_str_add(&line, ": ");
	gp_str_add_n(&line, of->text, second ? (size_t)(second - of->text) : strlen(of->text));
	gp_add_folded(out, 0, gp_str_text(&line));
	if (second)
		gp_add_folded(out, 2, second + 1);
}

static void render_unknown(const struct gp_source_state *state, struct gp_str *out)
{
	if (state->known)
		return;
	gp_autofree char *line = gp_xasprintf("FREE is unknown: %s", state->why);

	gp_add_folded(out, 0, line);
}

static void render_remarks(const struct gp_observed *observed, struct gp_arena *arena, struct gp_str *out)
{
	struct remarks remarks = {.arena = arena};
	size_t before = out->length;

	for (size_t i = 0; i < observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &observed->gpus[i];

		remark_unfit(&remarks, gpu);
		remark_clients(&remarks, gpu);
		remark_unusable(&remarks, gpu);
		remark_types(&remarks, gpu);
		remark_libvirt(&remarks, gpu, &observed->hypervisor);
	}
	for (size_t i = 0; i < remarks.count; i++)
		render_remark(&remarks.items[i], out);
	render_unknown(&observed->domains_state, out);
	render_unknown(&observed->vfio_state, out);
	if (out->length > before)
		gp_str_add_char(out, '\n');
}

/* ---- classes ---- */

static void add_odd_one(void *context, const struct gp_gpu *gpu, const char *trait, const char *value,
			const char *usual)
{
	gp_autofree char *text = gp_xasprintf("%s %s, the others have %s", trait, value, usual);

	remark(context, gpu, text);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* "8 per GPU (1GiB each, 16 in all)" */
static void add_count_of(const struct gp_recommendation *best, struct gp_str *out)
{
	const struct gp_offer *vram = best->group ? &best->group->offers[GP_VRAM] : NULL;

	gp_str_printf(out, "%u per GPU (", best->count);
	if (vram && vram->has_bytes) {
		gp_add_size(out, vram->bytes);
		gp_str_add(out, " each, ");
	}
	gp_str_printf(out, "%zu in all)", best->total);
}

static void render_recommendation(const struct gp_class *class_of, const struct gp_recommendation *best,
				  struct gp_str *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	if (best->asked == 0)
		return;
	gp_str_printf(&text, "%zu partition%s asked for by VMs: ", best->asked, plural(best->asked));
	if (!best->has_best) {
		gp_str_add(&text, "no GPU of the class can be partitioned");
	} else if (best->unserved == 0) {
		gp_str_add(&text, "recommended ");
		add_count_of(best, &text);
	} else {
		gp_str_add(&text, "no valid count serves all; ");
		add_count_of(best, &text);
		gp_str_printf(&text, " leaves %zu without", best->unserved);
		if (best->first)
			gp_str_printf(&text, ", such as %s (%s)", best->first, best->why);
	}
	if (best->has_best && class_of->partitions == GP_PARTITIONS_COUNT)
		gp_str_printf(&text, "; the file says %u%s", class_of->count,
			      class_of->count == best->count ? ", too" : "");
	if (best->needs_series)
		gp_str_add(&text, "; it must say which series, too");
	gp_add_folded(out, 2, gp_str_text(&text));
}

static void render_class(const struct gp_session *session, const struct gp_gpu_facts *facts,
			 const struct gp_class *class_of, struct gp_arena *arena, struct gp_str *out)
{
	struct gp_members members = gp_gpu_members(facts, session->observed->gpu_count, class_of, arena);
	struct gp_recommendation best = gp_recommend(session->desired, session->observed, class_of, &members, arena);
	struct remarks odd = {.arena = arena};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	size_t differences = gp_gpu_find_odd_ones(&members, add_odd_one, &odd);

	gp_str_printf(&text, "Class %s: %zu GPU%s", class_of->name, members.count, plural(members.count));
	if (members.count < 2)
		gp_str_add_char(&text, '.');
	else if (differences == 0)
		gp_str_printf(&text, ", all alike (%s).", gp_gpu_trait_names);
	else
		gp_str_add(&text, ", not all alike:");
	gp_add_folded(out, 0, gp_str_text(&text));
	for (size_t i = 0; i < odd.count; i++) {
		gp_str_add(out, "  ");
		add_addresses(&odd.items[i], out);
		gp_str_printf(out, " differ%s: %s\n", odd.items[i].count == 1 ? "s" : "", odd.items[i].text);
	}
	render_recommendation(class_of, &best, out);
}

/* ---- all ---- */

static void render_text(const struct gp_session *session, const struct gp_gpu_facts *facts, struct gp_arena *arena,
			struct gp_str *out)
{
	size_t count = session->observed->gpu_count;

	if (count == 0) {
		gp_str_add(out, "No GPU here: no PCI device of a display (03) or accelerator (12) class.\n");
		return;
	}
	render_rows(facts, count, out);
	render_kinds(facts, count, arena, out);
	render_remarks(session->observed, arena, out);
	for (size_t i = 0; i < session->desired->class_count; i++)
		render_class(session, facts, &session->desired->classes[i], arena, out);
	/* No blank line at the end, whatever came last. */
	while (out->length > 1 && out->text[out->length - 1] == '\n' && out->text[out->length - 2] == '\n')
		out->text[--out->length] = '\0';
}

int gp_cmd_gpus(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	int code;

	if ((code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY)) != GP_EXIT_OK ||
	    (code = gp_session_read_files_if_any(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_observe(&session, cli)) != GP_EXIT_OK)
		return code;
	struct gp_gpu_facts *facts = gp_gpu_facts_find(session.desired, session.observed, arena);

	if (cli->json) {
		gp_print_json(gp_gpus_to_json(session.desired, session.observed, facts, arena));
	} else {
		render_text(&session, facts, arena, &text);
		gp_print(&text);
	}
	return GP_EXIT_OK;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The story of planning, on one page. Each stage fills in its columns of the sheet (sheet.h) for the next. */
#include "plan/planner.h"

#include "plan/diff.h"
#include "plan/gate.h"
#include "plan/sheet.h"

/* ---- small words that all stages use ---- */

const char *gp_sheet_printf(struct gp_sheet *sheet, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = gp_arena_vprintf(sheet->arena, format, args);
	va_end(args);
	return text;
}

const char *gp_slot_name(struct gp_sheet *sheet, const struct gp_slot *slot)
{
	char text[GP_VF_REF_SIZE];

	return gp_arena_strdup(sheet->arena,
			       gp_vf_ref_format((struct gp_vf_ref){slot->gpu->gpu->addr, slot->index}, text));
}

const char *gp_gpu_name(struct gp_sheet *sheet, const struct gp_gpu_row *row)
{
	char text[GP_PCI_ADDR_SIZE];

	return gp_arena_strdup(sheet->arena, gp_pci_addr_format(row->gpu->addr, text));
}

struct gp_diag *gp_sheet_fault(struct gp_sheet *sheet, enum gp_error_kind kind, const char *code, struct gp_mark mark,
			       const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = gp_arena_vprintf(sheet->scratch, format, args);
	va_end(args);
	return gp_diags_add(&sheet->plan->diags, GP_ERROR, kind, code, mark, "%s", text);
}

/* ---- what the plan says beside its steps ---- */

static const char *note_on(struct gp_sheet *sheet, const struct gp_gpu_row *row)
{
	if (row->faulty)
		return "see the errors";
	if (!row->class_of)
		return row->from ? "no file selects it; its partitions stay" : "no file selects it";
	if (row->waits || (row->waits_for && !row->changes))
		return gp_sheet_printf(sheet, "waits for %s", row->waits_for);
	if (row->class_of->partitions == GP_PARTITIONS_KEEP)
		return "keep";
	return row->changes ? "changes" : "in sync";
}

static void report_gpus(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		const struct gp_gpu_row *row = &sheet->gpus[g];
		struct gp_gpu_verdict *verdict =
			gp_arena_push(sheet->arena, sheet->plan->verdicts, sheet->plan->verdict_count);

		verdict->addr = row->gpu->addr;
		verdict->class_name = row->class_of ? gp_arena_strdup(sheet->arena, row->class_of->name) : NULL;
		verdict->count_now = row->from;
		verdict->count_wanted = row->to;
		if (row->mdevs && row->layout) { /* they are made as VMs need them */
			verdict->count_wanted = row->from - row->lost_count + row->made_count;
			verdict->profiles = gp_sheet_printf(sheet, "at most %s", gp_cut_wanted(sheet, row));
		} else if (row->by_profile && row->layout) {
			verdict->profiles = gp_cut_wanted(sheet, row);
		}
		verdict->case_number = row->case_number;
		verdict->note = note_on(sheet, row);
	}
}

static bool is_left_alone(const struct gp_gpu_row *row)
{
	return !row->class_of && row->from > 0 && !row->gpu->named_only;
}

/* case 92: partitions that no class asks for any more. Boards alike are told of once. */
static void tell_left_alone(struct gp_sheet *sheet)
{
	bool *told = gp_arena_array_of(sheet->scratch, bool, sheet->observed->gpu_count);

	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		const struct gp_gpu_row *row = &sheet->gpus[g];
		size_t more = 0;

		if (told[g] || !is_left_alone(row))
			continue;
		for (size_t other = g + 1; other < sheet->observed->gpu_count; other++) {
			const struct gp_gpu_row *like = &sheet->gpus[other];

			told[other] = told[other] || (is_left_alone(like) && like->from == row->from &&
						      gp_streq(like->gpu->model, row->gpu->model));
			more += told[other] && gp_streq(like->gpu->model, row->gpu->model) && like->from == row->from;
		}
		gp_error_remedy(
			&gp_diags_add(&sheet->plan->diags, GP_INFO, GP_E_INPUT, "left-alone", (struct gp_mark){0},
				      "GPU %s%s (%s) %s %u partition%s%s that no file asks for; %s",
				      gp_gpu_name(sheet, row),
				      more ? gp_sheet_printf(sheet, " and %zu more", more) : "", row->gpu->model,
				      more ? "have" : "has", row->from, row->from == 1 ? "" : "s", more ? " each" : "",
				      more || row->from > 1 ? "they stay" : "it stays")
				 ->error,
			"a class with partitions: 0 removes %s", more || row->from > 1 ? "them" : "it");
	}
}

/* ---- the blast radius ---- */

/* The partition stays with its VM: made by hand and ours now, or ours under another name. */
static bool takes_over(const struct gp_step *step)
{
	const struct gp_hostdev *old = &step->replaces, *new = &step->hostdev;

	return step->kind == GP_STEP_REPLACE && old->resolved && old->gpu == new->gpu && old->vf == new->vf;
}

static void count_step(struct gp_sheet *sheet, const struct gp_step *step)
{
	struct gp_plan_summary *sum = &sheet->plan->summary;

	sum->vms_started += step->kind == GP_STEP_START;
	if (takes_over(step)) {
		sum->taken_over++;
		return;
	}
	sum->bound += step->kind == GP_STEP_ATTACH || step->kind == GP_STEP_REPLACE;
	/* What only keeps its place is counted when the other comes. */
	sum->released += (step->kind == GP_STEP_DETACH && !step->keeps_for) || step->kind == GP_STEP_REPLACE;
	if (step->kind == GP_STEP_STOP) {
		sum->vms_stopped++;
		*gp_arena_push(sheet->arena, sum->stopped, sum->stopped_count) = step->device;
	}
}

static uint32_t count_waited_for(const struct gp_plan *plan)
{
	uint32_t count = 0;

	for (size_t i = 0; i < plan->waiting_count; i++) {
		bool seen = plan->waiting[i].for_domain == NULL;

		for (size_t j = 0; j < i && !seen; j++)
			seen = gp_streq(plan->waiting[j].for_domain, plan->waiting[i].for_domain);
		count += !seen;
	}
	return count;
}

static void summarise(struct gp_sheet *sheet)
{
	struct gp_plan *plan = sheet->plan;

	plan->summary.vms_waiting = count_waited_for(plan);
	for (size_t s = 0; s < plan->stage_count; s++) {
		for (size_t c = 0; c < plan->stages[s].chain_count; c++) {
			for (size_t i = 0; i < plan->stages[s].chains[c].step_count; i++)
				count_step(sheet, &plan->stages[s].chains[c].steps[i]);
		}
	}
	for (size_t g = 0; g < sheet->observed->gpu_count && plan->stage_count; g++) {
		const struct gp_gpu_row *row = &sheet->gpus[g];

		if (!row->changes || row->waits || row->faulty)
			continue;
		plan->summary.partitions_lost += row->lost_count;
		plan->summary.partitions_created += row->made_count;
	}
}

/* ---- the story ---- */

/* case 90: an empty directory. case 91: files, but for other hosts. Nobody speaks, so nothing may be released. */
static bool nobody_speaks(struct gp_sheet *sheet)
{
	const struct gp_desired *desired = sheet->desired;
	struct gp_diag *diag;

	if (desired->files_for_host > 0)
		return false;
	if (desired->files_read == 0)
		diag = gp_sheet_fault(sheet, GP_E_INPUT, "no-files", (struct gp_mark){0},
				      "no file was read; nothing is changed and nothing is released");
	else
		diag = gp_sheet_fault(
			sheet, GP_E_INPUT, "no-file-for-host", (struct gp_mark){0},
			"none of the %zu files read speaks for host %s; nothing is changed and nothing is "
			"released",
			desired->files_read, sheet->plan->hostname);
	gp_error_remedy(&diag->error, "to release all that gpupart gave, write a file with version: 1 alone%s",
			desired->files_read ? ", or mend its hosts:" : "");
	return true;
}

static void think(struct gp_sheet *sheet)
{
	gp_select(sheet);
	gp_roster(sheet);
	gp_arrange(sheet);
	gp_assign(sheet);
	gp_diff(sheet);
	gp_settle(sheet);
	gp_gate(sheet);
	if (sheet->plan->diags.error_count == 0)
		gp_steps(sheet);
	if (sheet->plan->diags.error_count == 0)
		gp_order(sheet);
}

struct gp_plan *gp_plan_make(const struct gp_desired *desired, const struct gp_observed *observed)
{
	struct gp_plan *plan = gp_plan_new();
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *scratch = gp_arena_new();
	struct gp_sheet sheet = {
		.desired = desired, .observed = observed, .plan = plan, .arena = plan->arena, .scratch = scratch};

	plan->hostname = gp_arena_strdup(plan->arena, observed->hostname ? observed->hostname : "");
	if (!nobody_speaks(&sheet)) {
		think(&sheet);
		report_gpus(&sheet);
		tell_left_alone(&sheet);
		gp_report_assignments(&sheet);
	}
	if (plan->diags.error_count) /* at_once is only known once chains are: nothing may run now */
		plan->stage_count = 0;
	summarise(&sheet);
	gp_diags_sort(&plan->diags);
	return plan;
}

/* ---- comparing with what was approved ---- */

static bool same_subject(const struct gp_step *a, const struct gp_step *b)
{
	if ((a->base == GP_BASE_DOMAIN) != (b->base == GP_BASE_DOMAIN))
		return false;
	return a->base == GP_BASE_DOMAIN ? gp_uuid_equal(a->domain, b->domain) : gp_pci_addr_compare(a->pf, b->pf) == 0;
}

/* Was a step on the same GPU or VM approved that disturbs at least as much? */
static bool was_approved(const struct gp_step *step, const struct gp_plan *approved)
{
	for (size_t s = 0; s < approved->stage_count; s++) {
		for (size_t c = 0; c < approved->stages[s].chain_count; c++) {
			const struct gp_chain *chain = &approved->stages[s].chains[c];

			for (size_t i = 0; i < chain->step_count; i++) {
				if (same_subject(step, &chain->steps[i]) &&
				    chain->steps[i].disruption >= step->disruption)
					return true;
			}
		}
	}
	return false;
}

bool gp_plan_within(const struct gp_plan *next, const struct gp_plan *approved, struct gp_str *why)
{
	const char *worse = NULL;
	struct gp_render_options plain = {0};

	if (next->diags.error_count)
		worse = "it has errors that the approved plan had not";
	else if (next->summary.partitions_lost > approved->summary.partitions_lost)
		worse = "it takes more partitions away";
	if (worse) {
		if (why)
			gp_str_add(why, worse);
		return false;
	}
	for (size_t s = 0; s < next->stage_count; s++) {
		for (size_t c = 0; c < next->stages[s].chain_count; c++) {
			const struct gp_chain *chain = &next->stages[s].chains[c];

			for (size_t i = 0; i < chain->step_count; i++) {
				if (was_approved(&chain->steps[i], approved))
					continue;
				if (why) {
					gp_str_add(why, "not approved: ");
					gp_step_render(&chain->steps[i], plain, why);
				}
				return false;
			}
		}
	}
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan as text for a person who has to say yes or no.
 *
 *	GPU 0000:41:00.0  Flex 170, class vdi: 4 → 8 partitions  (site.yaml:4)
 *	  1  !  web-01        stop it: ask it to shut down, wait up to 2m
 *	  2  -  0000:41:00.0  disable all 4 VFs (sriov_numvfs 4 → 0), only while nobody holds one
 *
 * A step is one line. Why it is done stands at its end, once for all the lines below that are done for the same reason.
 */
#include <string.h>

#include "base/utf8.h"
#include "plan/planner.h"

#define ARROW    "→"
#define ELLIPSIS "…"

enum { ID_WIDTH = 4, FOLD_FROM = 4, WRAP_INDENT = 12 };

struct page {
	const struct gp_plan *plan;
	const struct gp_desired *desired;   /* may be NULL */
	const struct gp_observed *observed; /* may be NULL */
	struct gp_render_options options;
	struct gp_str *out;
	size_t subject_width;
};

/* ---- colour ---- */

enum tint { PLAIN, BOLD, RED, GREEN, YELLOW, FAINT };

static const char *const tints[] = {"", "\033[1m", "\033[31m", "\033[32m", "\033[33m", "\033[2m"};

static void add_tinted(const struct page *page, enum tint tint, const char *text)
{
	bool colour = page->options.colour && tint != PLAIN;

	if (colour)
		gp_str_add(page->out, tints[tint]);
	gp_str_add_shown(page->out, text);
	if (colour)
		gp_str_add(page->out, "\033[0m");
}

/* ---- one step ---- */

static bool is_removal(const struct gp_step *step)
{
	return step->kind == GP_STEP_DETACH || step->disruption == GP_DISRUPTS_PARTITION;
}

static const char *symbol_of(const struct gp_step *step, enum tint *tint)
{
	*tint = PLAIN;
	if (step->kind == GP_STEP_STOP || step->disruption >= GP_DISRUPTS_VM) {
		*tint = RED;
		return "!";
	}
	if (is_removal(step)) {
		*tint = RED;
		return "-";
	}
	if (step->kind == GP_STEP_ATTACH) {
		*tint = GREEN;
		return "+";
	}
	if (step->kind == GP_STEP_START) {
		*tint = GREEN;
		return ">";
	}
	if (step->kind == GP_STEP_WAIT || step->kind == GP_STEP_MARK)
		return ".";
	*tint = YELLOW;
	return "~";
}

static void add_change(const struct gp_step *step, struct gp_str *out)
{
	if (step->base == GP_BASE_DOMAIN || step->kind == GP_STEP_WAIT || !step->attribute)
		return;
	if (step->kind == GP_STEP_HELPER) {
		gp_str_printf(out, " (%s %s %s)", step->program, step->after, step->device);
		return;
	}
	gp_str_printf(out, " (%s", step->attribute);
	if (step->kind == GP_STEP_WRITE && !step->before && step->after)
		gp_str_printf(out, " = %s", *step->after == ' ' ? "''" : step->after);
	else if (step->before || step->after)
		gp_str_printf(out, " %s " ARROW " %s", step->before ? step->before : "any",
			      step->after ? step->after : "none");
	gp_str_add_char(out, ')');
}

static void add_step_text(const struct gp_step *step, struct gp_str *out)
{
	gp_str_add(out, step->what ? step->what : "change it");
	add_change(step, out);
	if (step->guard == GP_GUARD_UNHELD)
		gp_str_add(out, ", only while nobody holds a VF of it");
	else if (step->guard == GP_GUARD_VF_UNHELD)
		gp_str_add(out, ", only while nobody holds it");
	else if (step->guard == GP_GUARD_NO_VFS)
		gp_str_add(out, ", only while it has no VF and nobody uses it");
}

static const char *subject_of(const struct gp_step *step)
{
	return step->device ? step->device : "";
}

/* ---- making a finished text fit the terminal ---- */

static void to_ascii(struct gp_str *text)
{
	struct gp_str plain = {0};
	const char *at = gp_str_text(text);

	while (*at) {
		if (gp_starts_with(at, ARROW)) {
			gp_str_add(&plain, "->");
			at += strlen(ARROW);
		} else if (gp_starts_with(at, ELLIPSIS)) {
			gp_str_add(&plain, "...");
			at += strlen(ELLIPSIS);
		} else {
			gp_str_add_char(&plain, *at++);
		}
	}
	gp_str_clear(text);
	*text = plain;
}

/* Columns up to `end`, leaving out colour and counting characters, not bytes. */
static size_t columns_of(const char *line, size_t length)
{
	size_t columns = 0;

	for (size_t i = 0; i < length; i++) {
		if (line[i] == '\033') {
			while (i < length && line[i] != 'm')
				i++;
			continue;
		}
		columns += ((unsigned char)line[i] & 0xC0) != 0x80;
	}
	return columns;
}

static void add_wrapped(struct gp_str *out, const char *line, size_t length, size_t width)
{
	size_t indent = 0;

	while (indent + columns_of(line, length) > width) {
		size_t cut = 0;

		for (size_t i = WRAP_INDENT; i < length && indent + columns_of(line, i) <= width; i++) {
			if (line[i] == ' ')
				cut = i;
		}
		if (cut == 0)
			break;
		gp_str_add_n(out, line, cut);
		gp_str_add_char(out, '\n');
		gp_str_add_repeated(out, ' ', WRAP_INDENT);
		indent = WRAP_INDENT;
		for (line += cut, length -= cut; length && *line == ' '; line++)
			length--;
	}
	gp_str_add_n(out, line, length);
}

static void wrap(struct gp_str *text, size_t width)
{
	struct gp_str wrapped = {0};
	const char *line = gp_str_text(text);

	while (*line) {
		size_t length = strcspn(line, "\n");

		add_wrapped(&wrapped, line, length, width);
		line += length;
		if (*line)
			gp_str_add_char(&wrapped, *line++);
	}
	gp_str_clear(text);
	*text = wrapped;
}

static void hand_over(struct gp_str *text, struct gp_render_options options, struct gp_str *out)
{
	if (!options.utf8)
		to_ascii(text);
	if (options.width > 2 * WRAP_INDENT)
		wrap(text, options.width);
	gp_str_add_n(out, gp_str_text(text), text->length);
	gp_str_clear(text);
}

void gp_step_render(const struct gp_step *step, struct gp_render_options options, struct gp_str *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str words = {0};
	struct gp_str line = {0};
	struct page page = {.options = options, .out = &line};

	add_step_text(step, &words);
	add_tinted(&page, BOLD, subject_of(step));
	gp_str_add(&line, ": ");
	gp_str_add_shown(&line, gp_str_text(&words));
	options.width = 0;
	hand_over(&line, options, out);
}

/* ---- why ---- */

static bool same_reason(const struct gp_reason *a, const struct gp_reason *b)
{
	return gp_streq(a->text, b->text) && a->mark.source == b->mark.source && a->mark.line == b->mark.line;
}

static void add_reason(const struct page *page, const struct gp_reason *reason)
{
	GP_CLEANUP(gp_str_clear) struct gp_str words = {0}, mark = {0};

	gp_mark_format(reason->mark, &mark);
	gp_str_add(&words, "  # ");
	gp_str_add(&words, reason->text ? reason->text : "");
	if (mark.length)
		gp_str_printf(&words, " (%s)", gp_str_text(&mark));
	add_tinted(page, FAINT, gp_str_text(&words));
}

/* ---- sections ---- */

/* VFs of one PF that get the same, one after the other, share a line: 64 desktops are not 64 lines. */
static size_t count_alike(const struct gp_step *steps, size_t count)
{
	struct gp_vf_ref first, vf;
	size_t alike = 1;

	if (steps[0].kind != GP_STEP_WRITE || !steps[0].device || gp_vf_ref_parse(steps[0].device, &first) != 0)
		return 1;
	while (alike < count && steps[alike].kind == GP_STEP_WRITE && steps[alike].device &&
	       gp_vf_ref_parse(steps[alike].device, &vf) == 0 && gp_pci_addr_compare(vf.pf, first.pf) == 0 &&
	       vf.index == first.index + alike && gp_streq(steps[alike].attribute, steps[0].attribute) &&
	       gp_streq(steps[alike].before, steps[0].before) && gp_streq(steps[alike].after, steps[0].after) &&
	       gp_streq(steps[alike].what, steps[0].what) && same_reason(&steps[alike].reason, &steps[0].reason))
		alike++;
	return alike;
}

/* "vf:0000:41:00.0/0…7" */
static void add_subject(const struct gp_step *step, size_t alike, struct gp_str *out)
{
	struct gp_vf_ref vf;

	gp_str_add(out, subject_of(step));
	if (alike > 1 && gp_vf_ref_parse(step->device, &vf) == 0)
		gp_str_printf(out, ELLIPSIS "%zu", vf.index + alike - 1);
}

static void add_step_line(const struct page *page, const struct gp_step *step, size_t alike,
			  const struct gp_reason *above)
{
	GP_CLEANUP(gp_str_clear) struct gp_str words = {0}, name = {0};
	enum tint tint;
	const char *symbol = symbol_of(step, &tint);

	gp_str_printf(page->out, "%*u  ", ID_WIDTH, step->id);
	add_tinted(page, tint, symbol);
	gp_str_add(page->out, "  ");
	add_subject(step, alike, &name);
	size_t subject = columns_of(gp_str_text(&name), name.length);
	add_tinted(page, PLAIN, gp_str_text(&name));
	gp_str_add_repeated(page->out, ' ', 2 + (page->subject_width > subject ? page->subject_width - subject : 0));
	add_step_text(step, &words);
	if (alike > 1)
		gp_str_printf(&words, " [steps %u to %u]", step->id, step->id + (uint32_t)alike - 1);
	add_tinted(page, tint == RED && step->disruption >= GP_DISRUPTS_VM ? RED : PLAIN, gp_str_text(&words));
	if (step->reason.text && !(above && same_reason(above, &step->reason)))
		add_reason(page, &step->reason);
	gp_str_add_char(page->out, '\n');
}

static const struct gp_gpu_verdict *verdict_on(const struct page *page, struct gp_pci_addr addr)
{
	for (size_t i = 0; i < page->plan->verdict_count; i++) {
		if (gp_pci_addr_compare(page->plan->verdicts[i].addr, addr) == 0)
			return &page->plan->verdicts[i];
	}
	return NULL;
}

static void add_gpu_heading(const struct page *page, struct gp_pci_addr addr)
{
	const struct gp_gpu_verdict *verdict = verdict_on(page, addr);
	const struct gp_gpu *gpu = page->observed ? gp_observed_gpu(page->observed, addr) : NULL;
	const struct gp_class *class_of = verdict && verdict->class_name && page->desired
						  ? gp_desired_class(page->desired, verdict->class_name)
						  : NULL;
	GP_CLEANUP(gp_str_clear) struct gp_str words = {0}, mark = {0};
	char text[GP_PCI_ADDR_SIZE];

	gp_str_printf(&words, "GPU %s", gp_pci_addr_format(addr, text));
	if (gpu && gpu->model)
		gp_str_printf(&words, "  %s", gpu->model);
	if (verdict)
		gp_str_printf(&words, ", class %s: ", verdict->class_name ? verdict->class_name : "none");
	if (verdict && verdict->count_now != verdict->count_wanted)
		gp_str_printf(&words, "%u " ARROW " ", verdict->count_now);
	if (verdict)
		gp_str_printf(&words, "%u partition%s", verdict->count_wanted,
			      verdict->count_now == verdict->count_wanted && verdict->count_now == 1 ? "" : "s");
	if (verdict && verdict->profiles)
		gp_str_printf(&words, ", %s", verdict->profiles);
	if (class_of)
		gp_mark_format(class_of->partitions_mark, &mark);
	if (mark.length)
		gp_str_printf(&words, "  (%s)", gp_str_text(&mark));
	add_tinted(page, BOLD, gp_str_text(&words));
	gp_str_add_char(page->out, '\n');
}

/* The reason that the headings above a chain have said already. */
static struct gp_reason said_by_headings(const struct gp_chain *chain)
{
	for (size_t i = 0; chain->gpu_count && i < chain->step_count; i++) {
		if (gp_streq(chain->steps[i].reason.code, "partition-count"))
			return chain->steps[i].reason;
	}
	return (struct gp_reason){0};
}

static void measure(struct page *page, const struct gp_chain *chain)
{
	for (size_t i = 0, alike; i < chain->step_count; i += alike) {
		GP_CLEANUP(gp_str_clear) struct gp_str name = {0};

		alike = count_alike(&chain->steps[i], chain->step_count - i);
		add_subject(&chain->steps[i], alike, &name);
		size_t width = columns_of(gp_str_text(&name), name.length);
		if (width > page->subject_width)
			page->subject_width = width;
	}
}

static void add_stage(struct page *page, const struct gp_stage *stage)
{
	struct gp_reason above = {0};
	bool in_vms = false;

	page->subject_width = 0;
	for (size_t c = 0; c < stage->chain_count; c++)
		measure(page, &stage->chains[c]);
	for (size_t c = 0; c < stage->chain_count; c++) {
		const struct gp_chain *chain = &stage->chains[c];

		if (chain->gpu_count || !in_vms)
			gp_str_add_char(page->out, '\n');
		for (size_t g = 0; g < chain->gpu_count; g++)
			add_gpu_heading(page, chain->gpus[g]);
		if (chain->gpu_count) {
			above = said_by_headings(chain);
		} else if (!in_vms) {
			add_tinted(page, BOLD, "VMs");
			gp_str_add_char(page->out, '\n');
			above = (struct gp_reason){0};
		}
		in_vms = chain->gpu_count == 0;
		for (size_t i = 0, alike; i < chain->step_count; i += alike) {
			alike = count_alike(&chain->steps[i], chain->step_count - i);
			add_step_line(page, &chain->steps[i], alike, &above);
			above = chain->steps[i].reason;
		}
	}
	if (stage->observe_why)
		gp_str_printf(page->out, "\nThen observe again: %s.\n", stage->observe_why);
}

/* ---- what waits ---- */

static const char *after_subject(const char *what)
{
	const char *colon = strstr(what, ": ");

	return colon ? colon : "";
}

/* One thing that waits for several VMs. */
static bool is_same_thing(const struct gp_waiting *a, const struct gp_waiting *b)
{
	return gp_streq(a->what, b->what) && same_reason(&a->reason, &b->reason) && a->for_domain && b->for_domain;
}

static bool waits_for_itself(const struct gp_waiting *waiting)
{
	size_t subject = strlen(waiting->what) - strlen(after_subject(waiting->what));

	return waiting->for_domain && gp_starts_with(waiting->what, "VM ") &&
	       strlen(waiting->for_domain) + strlen("VM ") == subject &&
	       strncmp(waiting->what + strlen("VM "), waiting->for_domain, strlen(waiting->for_domain)) == 0;
}

/* The same of several VMs, each for itself. */
static bool is_alike(const struct gp_waiting *a, const struct gp_waiting *b)
{
	return a->case_number == b->case_number && same_reason(&a->reason, &b->reason) && waits_for_itself(a) &&
	       waits_for_itself(b) && gp_streq(after_subject(a->what), after_subject(b->what));
}

static void add_names(const struct gp_waiting *first, size_t count, struct gp_str *out)
{
	for (size_t i = 0; i < count && i < FOLD_FROM; i++)
		gp_str_printf(out, "%s%s", i ? ", " : "", first[i].for_domain);
	if (count > FOLD_FROM)
		gp_str_printf(out, " and %zu more", count - FOLD_FROM);
}

static void add_waiting_line(const struct page *page, const struct gp_waiting *first, size_t count)
{
	GP_CLEANUP(gp_str_clear) struct gp_str words = {0};

	if (count > 1 && waits_for_itself(first)) {
		gp_str_printf(&words, "%zu VMs (%s " ELLIPSIS " %s)%s", count, first->for_domain,
			      first[count - 1].for_domain, after_subject(first->what));
	} else {
		gp_str_add(&words, first->what);
		if (first->for_domain && !waits_for_itself(first)) {
			gp_str_add(&words, ", once ");
			add_names(first, count, &words);
			gp_str_add(&words, count == 1 ? " is off" : " are off");
		}
	}
	gp_str_add(page->out, "  ");
	add_tinted(page, YELLOW, gp_str_text(&words));
	if (first->reason.text)
		add_reason(page, &first->reason);
	gp_str_add_char(page->out, '\n');
}

static size_t run_of(const struct gp_plan *plan, size_t first,
		     bool (*same)(const struct gp_waiting *a, const struct gp_waiting *b))
{
	size_t end = first + 1;

	while (end < plan->waiting_count && same(&plan->waiting[first], &plan->waiting[end]))
		end++;
	return end - first;
}

static void add_waiting_lines(const struct page *page)
{
	const struct gp_plan *plan = page->plan;
	size_t count;

	for (size_t i = 0; i < plan->waiting_count; i += count) {
		count = run_of(plan, i, is_same_thing);
		if (count == 1)
			count = run_of(plan, i, is_alike);
		if (count < FOLD_FROM && waits_for_itself(&plan->waiting[i]))
			count = 1;
		add_waiting_line(page, &plan->waiting[i], count);
	}
}

void gp_plan_render_waiting(const struct gp_plan *plan, struct gp_render_options options, struct gp_str *out)
{
	struct gp_str text = {0};
	struct page page = {.plan = plan, .options = options, .out = &text};

	add_waiting_lines(&page);
	hand_over(&text, options, out);
}

static void add_waiting(const struct page *page)
{
	if (page->plan->waiting_count == 0)
		return;
	gp_str_add_char(page->out, '\n');
	add_tinted(page, BOLD, "Waiting");
	gp_str_add_char(page->out, '\n');
	add_waiting_lines(page);
}

/* ---- the last lines ---- */

static void add_count(struct gp_str *out, const char *separator, uint32_t count, const char *singular,
		      const char *plural)
{
	if (count == 0)
		return;
	gp_str_printf(out, "%s%u %s", out->length ? separator : "", count, count == 1 ? singular : plural);
}

static void add_summary(const struct page *page)
{
	const struct gp_plan_summary *sum = &page->plan->summary;
	GP_CLEANUP(gp_str_clear) struct gp_str parts = {0}, radius = {0};
	size_t steps = gp_plan_step_count(page->plan);

	add_count(&parts, ", ", sum->partitions_created, "partition made", "partitions made");
	add_count(&parts, ", ", sum->partitions_lost, "partition taken away", "partitions taken away");
	add_count(&parts, ", ", sum->bound, "bound to a VM", "bound to VMs");
	add_count(&parts, ", ", sum->released, "released", "released");
	add_count(&parts, ", ", sum->taken_over, "taken over", "taken over");
	add_count(&parts, ", ", sum->vms_stopped, "VM stopped", "VMs stopped");
	add_count(&parts, ", ", sum->vms_started, "VM started", "VMs started");
	add_count(&parts, ", ", sum->vms_waiting, "VM waited for", "VMs waited for");
	gp_str_printf(page->out, "\nPlan: %zu step%s%s%s.\n", steps, steps == 1 ? "" : "s", parts.length ? "; " : "",
		      gp_str_text(&parts));
	if (sum->vms_stopped == 0 && sum->partitions_lost == 0) {
		gp_str_add(page->out, "Disturbs no running VM and takes no partition away.\n");
		return;
	}
	for (size_t i = 0; i < sum->stopped_count; i++)
		gp_str_printf(&radius, "%s%s", i ? ", " : "", sum->stopped[i]);
	gp_str_add(page->out, "Disturbs: ");
	if (sum->vms_stopped) {
		gp_str_printf(page->out, "%u running VM%s stopped (", sum->vms_stopped,
			      sum->vms_stopped == 1 ? " is" : "s are");
		add_tinted(page, RED, gp_str_text(&radius));
		gp_str_add(page->out, ")");
	} else {
		gp_str_add(page->out, "no running VM");
	}
	if (sum->partitions_lost)
		gp_str_printf(page->out, "; %u partition%s taken away%s", sum->partitions_lost,
			      sum->partitions_lost == 1 ? " is" : "s are",
			      sum->partitions_created ? " and others made" : "");
	gp_str_add(page->out, ".\n");
}

static void add_errors(const struct page *page)
{
	const struct gp_diags *diags = &page->plan->diags;
	size_t refused = 0;

	for (size_t i = 0; i < diags->count; i++)
		refused += diags->items[i].severity == GP_ERROR && diags->items[i].error.kind == GP_E_REFUSED;
	gp_str_printf(page->out, "Nothing will be done: %zu error%s", diags->error_count,
		      diags->error_count == 1 ? "" : "s");
	if (refused == diags->error_count)
		gp_str_add(page->out, ", refused for the sake of what runs");
	else if (refused)
		gp_str_printf(page->out, ", %zu of them refused for the sake of what runs", refused);
	gp_str_add(page->out, ".\n");
}

void gp_plan_render(const struct gp_plan *plan, const struct gp_desired *desired, const struct gp_observed *observed,
		    struct gp_render_options options, struct gp_str *out)
{
	struct gp_str text = {0};
	struct page page = {plan, desired, observed, options, &text, 0};

	if (plan->diags.error_count) {
		add_errors(&page);
		add_waiting(&page);
	} else if (!gp_plan_has_changes(plan)) {
		gp_str_add(&text, "No changes.\n");
		add_waiting(&page);
	} else {
		gp_str_printf(&text, "Changes to host %s:\n", plan->hostname);
		for (size_t s = 0; s < plan->stage_count; s++) {
			if (plan->stages[s].expected)
				gp_str_add(&text, "\nExpected after that, and planned again before it is done:\n");
			add_stage(&page, &plan->stages[s]);
		}
		add_waiting(&page);
		add_summary(&page);
	}
	hand_over(&text, options, out);
}

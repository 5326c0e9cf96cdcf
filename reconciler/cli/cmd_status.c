/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status: how the host stands against the files, in one word, then what differs. */
#include <json-c/json.h>

#include "cli/cli.h"
#include "model/names.h"

enum standing { IN_SYNC, WAITING, DRIFTED, DEGRADED };

static const char *const standing_words[] = {"in-sync", "waiting", "drifted", "degraded"};

/* Waiting for no VM: for somebody to answer who could tell. */
static bool cannot_be_known(const struct gp_plan *plan)
{
	for (size_t i = 0; i < plan->waiting_count; i++)
		if (!plan->waiting[i].for_domain)
			return true;
	return false;
}

static enum standing standing_of(const struct gp_plan *plan)
{
	if (gp_plan_verdict(plan) != GP_E_NONE)
		return DEGRADED;
	if (gp_plan_has_changes(plan))
		return DRIFTED;
	if (cannot_be_known(plan))
		return DEGRADED;
	return plan->waiting_count ? WAITING : IN_SYNC;
}

static int exit_code_of(enum standing standing, const struct gp_plan *plan)
{
	switch (standing) {
	case DEGRADED:
		return gp_exit_of(gp_plan_verdict(plan) != GP_E_NONE ? gp_plan_verdict(plan) : GP_E_UNAVAILABLE);
	case DRIFTED:
		return GP_EXIT_CHANGES;
	default:
		return GP_EXIT_OK;
	}
}

/* One thing that is not as asked. */
struct difference {
	const char *object, *field, *actual, *desired;
	const char *words; /* NULL: field, actual and desired say it */
	struct gp_mark mark;
};

static bool is_write_of(const struct gp_step *a, const struct gp_step *b)
{
	return a->kind == GP_STEP_WRITE && b->kind == GP_STEP_WRITE && gp_streq(a->device, b->device) &&
	       gp_streq(a->attribute, b->attribute);
}

/* A count is changed by two writes: the first tells what is, the last what is wanted. NULL: not the first. */
static const struct gp_step *last_write(const struct gp_chain *chain, size_t first)
{
	const struct gp_step *last = &chain->steps[first];

	for (size_t i = 0; i < chain->step_count; i++) {
		if (!is_write_of(&chain->steps[i], last))
			continue;
		if (i < first)
			return NULL;
		last = &chain->steps[i];
	}
	return last;
}

/* Stopped and started again, or a mark beside that: it follows from another difference. */
static bool is_part_of_power(const struct gp_chain *chain, const struct gp_step *step)
{
	for (size_t i = 0; i < chain->step_count; i++) {
		const struct gp_step *other = &chain->steps[i];

		if (other != step && (other->kind == GP_STEP_STOP || other->kind == GP_STEP_START) &&
		    gp_streq(other->device, step->device))
			return true;
	}
	return false;
}

/* Waits, marks and restarts follow from a difference; they are none themselves. */
static bool is_difference(const struct gp_chain *chain, size_t index, struct difference *out)
{
	const struct gp_step *step = &chain->steps[index], *last;

	*out = (struct difference){.object = step->device, .actual = step->before, .mark = step->reason.mark};
	switch (step->kind) {
	case GP_STEP_WAIT:
	case GP_STEP_OBSERVE_AGAIN:
		return false;
	case GP_STEP_MARK:
		out->field = gp_step_kind_name(step->kind);
		out->words = step->what;
		return !is_part_of_power(chain, step);
	case GP_STEP_STOP:
	case GP_STEP_START:
		out->field = "power";
		out->desired = step->after;
		return !is_part_of_power(chain, step);
	case GP_STEP_WRITE:
		last = last_write(chain, index);
		out->field = step->attribute;
		out->desired = last ? last->after : NULL;
		if (last && gp_starts_with(last->device, "vf:")) /* an id says nothing to anybody */
			out->words = last->what;
		return last != NULL;
	default:
		out->field = gp_step_kind_name(step->kind);
		out->desired = step->after;
		out->words = step->what;
		return true;
	}
}

static void add_difference(const struct difference *difference, struct gp_str *out)
{
	gp_str_printf(out, "  %s: ", difference->object ? difference->object : "host");
	if (difference->words)
		gp_str_add(out, difference->words);
	else
		gp_str_printf(out, "%s is %s, wanted %s", difference->field,
			      difference->actual ? difference->actual : "unknown",
			      difference->desired ? difference->desired : "none");
	if (difference->mark.source) {
		gp_str_add(out, "  (");
		gp_mark_format(difference->mark, out);
		gp_str_add_char(out, ')');
	}
	gp_str_add_char(out, '\n');
}

static void each_difference(const struct gp_plan *plan, void (*visit)(const struct difference *, void *), void *context)
{
	struct difference difference;

	for (size_t s = 0; s < plan->stage_count; s++)
		for (size_t c = 0; c < plan->stages[s].chain_count; c++) {
			const struct gp_chain *chain = &plan->stages[s].chains[c];

			for (size_t i = 0; i < chain->step_count; i++)
				if (is_difference(chain, i, &difference))
					visit(&difference, context);
		}
}

/* VFs of one PF that differ alike, one after the other, share a line. */
struct fold {
	struct gp_str *out;
	struct difference first;
	struct gp_vf_ref vf;
	uint32_t count; /* 0: nothing is held back */
};

static bool is_alike(const struct difference *a, const struct difference *b)
{
	return gp_streq(a->field, b->field) && gp_streq(a->actual, b->actual) && gp_streq(a->desired, b->desired) &&
	       gp_streq(a->words, b->words) && a->mark.source == b->mark.source && a->mark.line == b->mark.line;
}

static bool goes_with(const struct fold *fold, const struct difference *difference, struct gp_vf_ref vf)
{
	return fold->count && gp_pci_addr_compare(fold->vf.pf, vf.pf) == 0 &&
	       vf.index == fold->vf.index + fold->count && is_alike(&fold->first, difference);
}

static void unfold(struct fold *fold)
{
	GP_CLEANUP(gp_str_clear) struct gp_str name = {0};

	if (fold->count > 1) {
		gp_str_printf(&name, "%s…%u", fold->first.object, fold->vf.index + fold->count - 1);
		fold->first.object = gp_str_text(&name);
	}
	if (fold->count)
		add_difference(&fold->first, fold->out);
	fold->count = 0;
}

static void visit_text(const struct difference *difference, void *context)
{
	struct fold *fold = context;
	struct gp_vf_ref vf;
	bool is_vf = difference->object && gp_vf_ref_parse(difference->object, &vf) == 0;

	if (is_vf && goes_with(fold, difference, vf)) {
		fold->count++;
		return;
	}
	unfold(fold);
	if (is_vf)
		*fold = (struct fold){fold->out, *difference, vf, 1};
	else
		add_difference(difference, fold->out);
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static void visit_json(const struct difference *difference, void *context)
{
	struct json_object *item = json_object_new_object();

	json_object_object_add(item, "object", text_or_null(difference->object));
	json_object_object_add(item, "field", text_or_null(difference->field));
	json_object_object_add(item, "actual", text_or_null(difference->actual));
	json_object_object_add(item, "desired", text_or_null(difference->desired));
	json_object_object_add(item, "asked_by", gp_mark_to_json(difference->mark));
	json_object_array_add(context, item);
}

static void render_text(const struct gp_plan *plan, const struct gp_desired *desired, enum standing standing,
			struct gp_render_options options, struct gp_str *out)
{
	static const char *const headlines[] = {
		[IN_SYNC] = "In sync: the host is as the files ask",
		[WAITING] = "Waiting: the rest cannot be done now",
		[DRIFTED] = "Drifted: 'gpupart apply' would act now",
		[DEGRADED] = "Degraded: what the files ask cannot be done on this host as it stands",
	};

	struct fold fold = {.out = out};

	gp_str_printf(out, "%s (%zu %s, %zu %s).\n", headlines[standing], desired->class_count,
		      desired->class_count == 1 ? "class" : "classes", desired->vm_count,
		      desired->vm_count == 1 ? "VM" : "VMs");
	each_difference(plan, visit_text, &fold);
	unfold(&fold);
	gp_plan_render_waiting(plan, options, out);
}

static struct json_object *to_json(const struct gp_plan *plan, enum standing standing)
{
	struct json_object *root = json_object_new_object();
	struct json_object *differences = json_object_new_array();
	struct json_object *waiting = json_object_new_array();

	each_difference(plan, visit_json, differences);
	for (size_t i = 0; i < plan->waiting_count; i++) {
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "what", text_or_null(plan->waiting[i].what));
		json_object_object_add(item, "for_domain", text_or_null(plan->waiting[i].for_domain));
		json_object_array_add(waiting, item);
	}
	json_object_object_add(root, "format_version", json_object_new_string("1.0"));
	json_object_object_add(root, "kind", json_object_new_string("status"));
	json_object_object_add(root, "state", json_object_new_string(standing_words[standing]));
	json_object_object_add(root, "differences", differences);
	json_object_object_add(root, "waiting", waiting);
	json_object_object_add(root, "diagnostics", gp_diags_to_json(&plan->diags));
	return root;
}

int gp_cmd_status(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	int code;

	if ((code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY)) != GP_EXIT_OK ||
	    (code = gp_session_read_files(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_observe(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_plan(&session)) != GP_EXIT_OK)
		return code;

	enum standing standing = standing_of(session.plan);

	if (cli->json) {
		gp_print_json(to_json(session.plan, standing));
	} else {
		render_text(session.plan, session.desired, standing, gp_cli_render_options(cli, false), &text);
		gp_print(&text);
		gp_print_diags(cli, &session.plan->diags);
	}
	return exit_code_of(standing, session.plan);
}

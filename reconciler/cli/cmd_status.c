/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status: how the host stands against the files, in one word, then what differs. */
#include <json-c/json.h>

#include "cli/cli.h"
#include "model/names.h"

enum standing { IN_SYNC, WAITING, DRIFTED, DEGRADED };

static const char *const standing_words[] = {"in-sync", "waiting", "drifted", "degraded"};

static enum standing standing_of(const struct gp_plan *plan)
{
	if (gp_plan_verdict(plan) != GP_E_NONE)
		return DEGRADED;
	if (gp_plan_has_changes(plan))
		return DRIFTED;
	return plan->waiting_count ? WAITING : IN_SYNC;
}

static int exit_code_of(enum standing standing, const struct gp_plan *plan)
{
	switch (standing) {
	case DEGRADED:
		return gp_exit_of(gp_plan_verdict(plan));
	case DRIFTED:
		return GP_EXIT_CHANGES;
	default:
		return GP_EXIT_OK;
	}
}

/* Waits, marks and power follow from a difference; they are none themselves. */
static bool is_difference(const struct gp_step *step)
{
	return step->kind != GP_STEP_WAIT && step->kind != GP_STEP_MARK && step->kind != GP_STEP_OBSERVE_AGAIN;
}

static void add_difference(const struct gp_step *step, struct gp_str *out)
{
	gp_str_printf(out, "  %s: %s", step->device, step->what);
	if (step->before && step->after)
		gp_str_printf(out, ": is %s, wanted %s", step->before, step->after);
	if (step->reason.mark.source) {
		gp_str_add(out, "  (");
		gp_mark_format(step->reason.mark, out);
		gp_str_add_char(out, ')');
	}
	gp_str_add_char(out, '\n');
}

static void each_difference(const struct gp_plan *plan, void (*visit)(const struct gp_step *, void *), void *context)
{
	for (size_t s = 0; s < plan->stage_count; s++)
		for (size_t c = 0; c < plan->stages[s].chain_count; c++) {
			const struct gp_chain *chain = &plan->stages[s].chains[c];

			for (size_t i = 0; i < chain->step_count; i++)
				if (is_difference(&chain->steps[i]))
					visit(&chain->steps[i], context);
		}
}

static void visit_text(const struct gp_step *step, void *context)
{
	add_difference(step, context);
}

static void visit_json(const struct gp_step *step, void *context)
{
	struct json_object *item = json_object_new_object();

	json_object_object_add(item, "object", step->device ? json_object_new_string(step->device) : NULL);
	json_object_object_add(item, "field",
			       step->attribute ? json_object_new_string(step->attribute)
					       : json_object_new_string(gp_step_kind_name(step->kind)));
	json_object_object_add(item, "actual", step->before ? json_object_new_string(step->before) : NULL);
	json_object_object_add(item, "desired", step->after ? json_object_new_string(step->after) : NULL);
	json_object_object_add(item, "asked_by", gp_mark_to_json(step->reason.mark));
	json_object_array_add(context, item);
}

static void render_text(const struct gp_plan *plan, const struct gp_desired *desired, enum standing standing,
			struct gp_str *out)
{
	static const char *const headlines[] = {
		[IN_SYNC] = "In sync: the host is as the files ask",
		[WAITING] = "Waiting: the rest is done when VMs are off",
		[DRIFTED] = "Drifted: 'gpupart apply' would act now",
		[DEGRADED] = "Degraded: what the files ask cannot be done on this host as it stands",
	};

	gp_str_printf(out, "%s (%zu %s, %zu %s).\n", headlines[standing], desired->class_count,
		      desired->class_count == 1 ? "class" : "classes", desired->vm_count,
		      desired->vm_count == 1 ? "VM" : "VMs");
	each_difference(plan, visit_text, out);
	for (size_t i = 0; i < plan->waiting_count; i++)
		gp_str_printf(out, "  waits for %s: %s\n", plan->waiting[i].for_domain, plan->waiting[i].what);
}

static struct json_object *to_json(const struct gp_plan *plan, enum standing standing)
{
	struct json_object *root = json_object_new_object();
	struct json_object *differences = json_object_new_array();
	struct json_object *waiting = json_object_new_array();

	each_difference(plan, visit_json, differences);
	for (size_t i = 0; i < plan->waiting_count; i++) {
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "what", json_object_new_string(plan->waiting[i].what));
		json_object_object_add(item, "for_domain", json_object_new_string(plan->waiting[i].for_domain));
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
		render_text(session.plan, session.desired, standing, &text);
		gp_print(&text);
		gp_print_diags(cli, &session.plan->diags);
	}
	return exit_code_of(standing, session.plan);
}

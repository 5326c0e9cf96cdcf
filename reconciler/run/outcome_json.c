/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outcome of an apply, for machines. */
#include <json-c/json.h>

#include "model/names.h"
#include "run/reconcile.h"

const char *gp_step_state_name(enum gp_step_state state)
{
	static const char *const names[] = {
		[GP_STEP_PENDING] = "pending", [GP_STEP_RUNNING] = "running", [GP_STEP_DONE] = "done",
		[GP_STEP_SKIPPED] = "skipped", [GP_STEP_FAILED] = "failed",   [GP_STEP_NOT_RUN] = "not-run",
	};
	return names[state];
}

static void add_string(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text == NULL ? NULL : json_object_new_string(text));
}

static void add_count(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static struct json_object *error_to_json(const struct gp_error *err)
{
	struct json_object *object = json_object_new_object();
	add_string(object, "kind", gp_error_kind_name(err->kind));
	add_string(object, "subject", err->subject);
	add_string(object, "message", err->message);
	add_string(object, "holder", err->holder);
	add_string(object, "remedy", err->remedy);
	json_object_object_add(object, "place", gp_mark_to_json(err->mark));
	return object;
}

static struct json_object *step_to_json(const struct gp_step_outcome *step)
{
	struct json_object *object = json_object_new_object();
	add_count(object, "stage", step->stage);
	add_count(object, "id", step->id);
	add_string(object, "kind", gp_step_kind_name(step->kind));
	add_string(object, "what", step->what);
	add_string(object, "state", gp_step_state_name(step->state));
	add_count(object, "took_ms", step->took_ms);
	json_object_object_add(object, "error", step->state == GP_STEP_FAILED ? error_to_json(&step->error) : NULL);
	return object;
}

static struct json_object *steps_to_json(const struct gp_outcome *outcome)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < outcome->step_count; i++)
		json_object_array_add(array, step_to_json(&outcome->steps[i]));
	return array;
}

static struct json_object *counts_to_json(const struct gp_outcome *outcome)
{
	struct json_object *object = json_object_new_object();
	add_count(object, "planned", outcome->step_count);
	add_count(object, "done", outcome->done);
	add_count(object, "skipped", outcome->skipped);
	add_count(object, "failed", outcome->failed);
	add_count(object, "not_run", outcome->not_run);
	add_count(object, "writes", outcome->writes);
	return object;
}

static struct json_object *waiting_to_json(const struct gp_plan *plan)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; plan != NULL && i < plan->waiting_count; i++) {
		struct json_object *object = json_object_new_object();
		add_string(object, "what", plan->waiting[i].what);
		add_string(object, "for_domain", plan->waiting[i].for_domain);
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *gp_outcome_to_json(const struct gp_outcome *outcome, const struct gp_plan *plan)
{
	struct json_object *object = json_object_new_object();
	add_string(object, "format_version", "1.0");
	add_string(object, "kind", "outcome");
	add_string(object, "host", plan == NULL ? NULL : plan->hostname);
	json_object_object_add(object, "changed", json_object_new_boolean(outcome->writes > 0));
	json_object_object_add(object, "verified", json_object_new_boolean(outcome->verified));
	json_object_object_add(object, "counts", counts_to_json(outcome));
	json_object_object_add(object, "steps", steps_to_json(outcome));
	json_object_object_add(object, "waiting", waiting_to_json(plan));
	add_string(object, "saved_export", outcome->saved_export);
	json_object_object_add(object, "diagnostics", gp_diags_to_json(&outcome->diags));
	return object;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan for machines. Keys come in a fixed order; what is absent is null or left out as docs say, never guessed. */
#include <json-c/json.h>

#include "model/names.h"
#include "plan/planner.h"

static void put(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void put_text(struct json_object *object, const char *key, const char *text)
{
	put(object, key, text ? json_object_new_string(text) : NULL);
}

static void put_number(struct json_object *object, const char *key, uint64_t number)
{
	put(object, key, json_object_new_uint64(number));
}

static void put_bool(struct json_object *object, const char *key, bool value)
{
	put(object, key, json_object_new_boolean(value));
}

static void put_address(struct json_object *object, const char *key, struct gp_pci_addr addr)
{
	char text[GP_PCI_ADDR_SIZE];

	put_text(object, key, gp_pci_addr_format(addr, text));
}

static void put_reason(struct json_object *object, const struct gp_reason *reason)
{
	struct json_object *out = json_object_new_object();

	put_text(out, "code", reason->code);
	put_text(out, "text", reason->text);
	put(out, "mark", gp_mark_to_json(reason->mark));
	put(object, "reason", out);
}

static struct json_object *hostdev_to_json(const struct gp_hostdev *hostdev)
{
	struct json_object *out = json_object_new_object();
	char uuid[GP_UUID_SIZE];

	put_text(out, "type", hostdev->type == GP_HOSTDEV_MDEV ? "mdev" : "pci");
	if (hostdev->type == GP_HOSTDEV_MDEV)
		put_text(out, "mdev", gp_uuid_format(hostdev->mdev, uuid));
	else if (hostdev->source.domain || hostdev->source.bus || hostdev->source.slot || hostdev->source.function)
		put_address(out, "source", hostdev->source);
	else
		put_text(out, "source", NULL);
	put_bool(out, "managed", hostdev->managed);
	put_text(out, "alias", hostdev->alias);
	put_text(out, "guest_xml", hostdev->guest_xml);
	return out;
}

static struct json_object *needs_to_json(const struct gp_step *step)
{
	struct json_object *out = json_object_new_array();

	for (size_t i = 0; i < step->need_count; i++)
		json_object_array_add(out, json_object_new_uint64(step->needs[i]));
	return out;
}

static struct json_object *step_to_json(const struct gp_step *step)
{
	struct json_object *out = json_object_new_object();
	bool on_domain = step->base == GP_BASE_DOMAIN;
	char uuid[GP_UUID_SIZE];

	put_number(out, "id", step->id);
	put_text(out, "kind", gp_step_kind_name(step->kind));
	put_text(out, "base", gp_step_base_name(step->base));
	put_text(out, "device", step->device);
	put_text(out, "attribute", step->attribute);
	put_text(out, "program", step->program);
	put_text(out, "before", step->before);
	put_text(out, "after", step->after);
	if (!on_domain)
		put_address(out, "pf", step->pf);
	if (on_domain)
		put_text(out, "domain", gp_uuid_format(step->domain, uuid));
	if (step->kind == GP_STEP_ATTACH || step->kind == GP_STEP_DETACH || step->kind == GP_STEP_REPLACE)
		put(out, "hostdev", hostdev_to_json(&step->hostdev));
	if (step->kind == GP_STEP_ATTACH || step->kind == GP_STEP_REPLACE)
		put_text(out, "source", step->source);
	if (step->kind == GP_STEP_REPLACE)
		put(out, "replaces", hostdev_to_json(&step->replaces));
	if (step->kind == GP_STEP_DETACH)
		put_text(out, "keeps_for", step->keeps_for);
	if (step->timeout_ms)
		put_number(out, "timeout_ms", step->timeout_ms);
	if (step->kind == GP_STEP_STOP)
		put_bool(out, "force", step->force);
	put_text(out, "disruption", gp_disruption_name(step->disruption));
	put_text(out, "guard", gp_guard_name(step->guard));
	put_text(out, "what", step->what);
	put_reason(out, &step->reason);
	put_number(out, "case", step->case_number);
	put(out, "needs", needs_to_json(step));
	return out;
}

static struct json_object *chain_to_json(const struct gp_chain *chain)
{
	struct json_object *out = json_object_new_object(), *gpus = json_object_new_array(),
			   *domains = json_object_new_array(), *steps = json_object_new_array();
	char addr[GP_PCI_ADDR_SIZE];

	for (size_t i = 0; i < chain->gpu_count; i++)
		json_object_array_add(gpus, json_object_new_string(gp_pci_addr_format(chain->gpus[i], addr)));
	for (size_t i = 0; i < chain->domain_count; i++)
		json_object_array_add(domains, json_object_new_string(chain->domains[i]));
	for (size_t i = 0; i < chain->step_count; i++)
		json_object_array_add(steps, step_to_json(&chain->steps[i]));
	put_number(out, "id", chain->id);
	put(out, "gpus", gpus);
	put(out, "domains", domains);
	put_number(out, "vms_down", chain->vms_down);
	put(out, "steps", steps);
	return out;
}

static struct json_object *stages_to_json(const struct gp_plan *plan)
{
	struct json_object *out = json_object_new_array();

	for (size_t s = 0; s < plan->stage_count; s++) {
		struct json_object *stage = json_object_new_object(), *chains = json_object_new_array();

		for (size_t c = 0; c < plan->stages[s].chain_count; c++)
			json_object_array_add(chains, chain_to_json(&plan->stages[s].chains[c]));
		put_bool(stage, "expected", plan->stages[s].expected);
		put(stage, "chains", chains);
		put_text(stage, "observe_again", plan->stages[s].observe_why);
		json_object_array_add(out, stage);
	}
	return out;
}

static struct json_object *waiting_to_json(const struct gp_plan *plan)
{
	struct json_object *out = json_object_new_array();

	for (size_t i = 0; i < plan->waiting_count; i++) {
		struct json_object *item = json_object_new_object();

		put_text(item, "what", plan->waiting[i].what);
		put_text(item, "for_domain", plan->waiting[i].for_domain);
		put_reason(item, &plan->waiting[i].reason);
		put_number(item, "case", plan->waiting[i].case_number);
		json_object_array_add(out, item);
	}
	return out;
}

static struct json_object *offers_to_json(const struct gp_offer *offers)
{
	struct json_object *out = json_object_new_object();

	for (enum gp_resource r = 0; r < GP_RESOURCE_COUNT; r++) {
		struct json_object *offer = json_object_new_object();

		put_text(offer, "hold", gp_hold_name(offers[r].hold));
		if (offers[r].has_bytes)
			put_number(offer, "bytes", offers[r].bytes);
		if (offers[r].has_share)
			put_number(offer, "share_ppm", offers[r].share);
		if (offers[r].has_engines)
			put_number(offer, "engines", offers[r].engines);
		put(out, gp_resource_name(r), offer);
	}
	return out;
}

static struct json_object *assignments_to_json(const struct gp_plan *plan)
{
	struct json_object *out = json_object_new_array();
	char vf[GP_VF_REF_SIZE];

	for (size_t i = 0; i < plan->assignment_count; i++) {
		const struct gp_assignment *assignment = &plan->assignments[i];
		struct json_object *item = json_object_new_object();

		put_text(item, "domain", assignment->domain);
		put_bool(item, "defined", assignment->defined);
		put_number(item, "request", assignment->request);
		put_bool(item, "placed", assignment->placed);
		if (assignment->placed) {
			put_text(item, "class", assignment->class_name);
			put_text(item, "vf", gp_vf_ref_format(assignment->vf, vf));
			put_text(item, "profile", assignment->profile);
			put_bool(item, "kept", assignment->kept);
			put(item, "offers", offers_to_json(assignment->offers));
		}
		json_object_array_add(out, item);
	}
	return out;
}

static struct json_object *verdicts_to_json(const struct gp_plan *plan)
{
	struct json_object *out = json_object_new_array();

	for (size_t i = 0; i < plan->verdict_count; i++) {
		const struct gp_gpu_verdict *verdict = &plan->verdicts[i];
		struct json_object *item = json_object_new_object();

		put_address(item, "address", verdict->addr);
		put_text(item, "class", verdict->class_name);
		put_number(item, "partitions_now", verdict->count_now);
		put_number(item, "partitions_wanted", verdict->count_wanted);
		put_number(item, "case", verdict->case_number);
		put_text(item, "note", verdict->note);
		json_object_array_add(out, item);
	}
	return out;
}

static struct json_object *summary_to_json(const struct gp_plan *plan)
{
	const struct gp_plan_summary *sum = &plan->summary;
	struct json_object *out = json_object_new_object(), *stopped = json_object_new_array();

	for (size_t i = 0; i < sum->stopped_count; i++)
		json_object_array_add(stopped, json_object_new_string(sum->stopped[i]));
	put_number(out, "steps", gp_plan_step_count(plan));
	put_number(out, "partitions_created", sum->partitions_created);
	put_number(out, "partitions_lost", sum->partitions_lost);
	put_number(out, "bound", sum->bound);
	put_number(out, "released", sum->released);
	put_number(out, "taken_over", sum->taken_over);
	put_number(out, "vms_stopped", sum->vms_stopped);
	put_number(out, "vms_started", sum->vms_started);
	put_number(out, "vms_waiting", sum->vms_waiting);
	put(out, "stopped", stopped);
	return out;
}

struct json_object *gp_plan_to_json(const struct gp_plan *plan)
{
	struct json_object *out = json_object_new_object();

	put_text(out, "format_version", "1.0");
	put_text(out, "kind", "plan");
	put_bool(out, "changed", gp_plan_has_changes(plan));
	put_text(out, "host", plan->hostname);
	put(out, "stages", stages_to_json(plan));
	put(out, "waiting", waiting_to_json(plan));
	put(out, "assignments", assignments_to_json(plan));
	put(out, "gpus", verdicts_to_json(plan));
	put(out, "summary", summary_to_json(plan));
	put(out, "diagnostics", gp_diags_to_json(&plan->diags));
	return out;
}

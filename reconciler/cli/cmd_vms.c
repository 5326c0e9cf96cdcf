/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vms: what Get-VMGpuPartitionAdapter shows: asked beside current, and how each bound holds. */
#include <json-c/json.h>
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"
#include "model/names.h"

/* One row: a partition that a VM has, or one that it asks for and has not. */
struct row {
	const char *name;
	const struct gp_domain *domain;       /* NULL: defined nowhere on this host */
	const struct gp_hostdev *hostdev;     /* NULL: asked, not there yet */
	const struct gp_gpu *gpu;             /* of the hostdev; NULL: nobody can tell which */
	const struct gp_partition *partition; /* the VF, if it exists */
	const struct gp_request *request;     /* NULL: nobody asks */
	const char *class_name;
	const char *note;
};

struct rows {
	struct row *items;
	size_t count;
};

static struct row *add_row(struct gp_arena *arena, struct rows *rows)
{
	return gp_arena_push(arena, rows->items, rows->count);
}

/* What the files ask for each domain, in the order of the domains; NULL: nothing. */
static const struct gp_want_vm **wants_by_domain(struct gp_arena *arena, const struct gp_session *session)
{
	const struct gp_observed *observed = session->observed;
	const struct gp_want_vm **wants = gp_arena_array_of(arena, const struct gp_want_vm *, observed->domain_count);

	for (size_t i = session->desired->vm_count; i > 0; i--) {
		const struct gp_want_vm *want = &session->desired->vms[i - 1];
		const struct gp_domain *domain = gp_observed_domain(observed, want);

		if (domain)
			wants[domain - observed->domains] = want; /* the first one wins */
	}
	return wants;
}

/* The request of `want` that a hostdev serves, by its alias; NULL: none. */
static const struct gp_request *request_of(const struct gp_want_vm *want, const struct gp_hostdev *hostdev,
					   const char **class_name)
{
	uint32_t request;

	if (gp_alias_parse(hostdev->alias, &request, class_name) != 0 || !want || request >= want->request_count)
		return NULL;
	return &want->requests[request];
}

static bool plugged_now(const struct gp_domain *domain, const struct gp_hostdev *hostdev)
{
	for (size_t i = 0; i < domain->live_count; i++)
		if (gp_hostdev_same_source(&domain->live[i], hostdev))
			return true;
	return false;
}

static bool is_in_definition(const struct gp_domain *domain, const struct gp_hostdev *live)
{
	for (size_t i = 0; i < domain->config_count; i++)
		if (gp_hostdev_same_source(&domain->config[i], live))
			return true;
	return false;
}

static bool is_to_be_adopted(const struct gp_want_vm *want, const struct gp_hostdev *hostdev)
{
	return want && want->adopt && !want->release && hostdev->resolved && !hostdev->ours;
}

/* A mediated device that is gone tells no VF; that it was one of ours, its alias does. */
static bool is_shown(const struct gp_hostdev *hostdev)
{
	return hostdev->resolved || (hostdev->type == GP_HOSTDEV_MDEV && hostdev->ours);
}

static const char *note_of(const struct row *row, const struct gp_want_vm *want)
{
	const struct gp_hostdev *hostdev = row->hostdev;

	if (!row->gpu)
		return "its mediated device does not exist now";
	if (!row->partition)
		return "the VF does not exist now";
	if (row->partition->blank)
		return "the VF has no vGPU type now";
	if (row->partition->unusable_why)
		return row->partition->unusable_why;
	if (!hostdev->ours)
		return is_to_be_adopted(want, hostdev) ? "hand-made, to be adopted" : "hand-made: shown, never changed";
	if (row->domain->state != GP_DOMAIN_OFF && !plugged_now(row->domain, hostdev))
		return "from its next start";
	return "";
}

static struct row *add_hostdev_row(struct gp_arena *arena, const struct gp_session *session,
				   const struct gp_domain *domain, const struct gp_hostdev *hostdev, struct rows *rows)
{
	struct row *row = add_row(arena, rows);

	row->name = domain->name;
	row->domain = domain;
	row->hostdev = hostdev;
	if (hostdev->resolved) {
		row->gpu = &session->observed->gpus[hostdev->gpu];
		row->partition = gp_gpu_partition(row->gpu, hostdev->vf);
	}
	return row;
}

static void add_domain_rows(struct gp_arena *arena, const struct gp_session *session, const struct gp_domain *domain,
			    const struct gp_want_vm *want, struct rows *rows)
{
	for (size_t i = 0; i < domain->config_count; i++) {
		const struct gp_hostdev *hostdev = &domain->config[i];

		if (!is_shown(hostdev))
			continue; /* not a VF of a GPU that we see */
		struct row *row = add_hostdev_row(arena, session, domain, hostdev, rows);

		row->note = note_of(row, want);
		row->request = request_of(want, hostdev, &row->class_name);
	}
}

/* What it runs with, and its definition does not have any more. */
static void add_live_rows(struct gp_arena *arena, const struct gp_session *session, const struct gp_domain *domain,
			  struct rows *rows)
{
	for (size_t i = 0; domain->persistent && i < domain->live_count; i++) {
		const struct gp_hostdev *hostdev = &domain->live[i];

		if (!is_shown(hostdev) || is_in_definition(domain, hostdev))
			continue;
		struct row *row = add_hostdev_row(arena, session, domain, hostdev, rows);

		row->note = "until it is off";
		request_of(NULL, hostdev, &row->class_name);
	}
}

static bool is_there(const struct gp_domain *domain, const struct gp_want_vm *want, const struct gp_request *request)
{
	const char *class_name;

	for (size_t i = 0; domain && i < domain->config_count; i++)
		if (is_shown(&domain->config[i]) && request_of(want, &domain->config[i], &class_name) == request)
			return true;
	return false;
}

/* What is asked and not there yet. */
static void add_missing_rows(struct gp_arena *arena, const struct gp_session *session, struct rows *rows)
{
	for (size_t i = 0; i < session->desired->vm_count; i++) {
		const struct gp_want_vm *want = &session->desired->vms[i];
		const struct gp_domain *domain = gp_observed_domain(session->observed, want);

		size_t adopted = 0;

		for (size_t h = 0; domain && h < domain->config_count; h++)
			adopted += is_to_be_adopted(want, &domain->config[h]);
		for (size_t r = 0; r < want->request_count; r++) {
			if (is_there(domain, want, &want->requests[r]))
				continue;
			if (adopted > 0) {
				adopted--; /* it has a row already */
				continue;
			}
			struct row *row = add_row(arena, rows);

			row->name = domain ? domain->name : want->name;
			row->domain = domain;
			row->request = &want->requests[r];
			row->class_name = want->requests[r].classes[0];
			row->note = domain ? "asked, not there yet" : "not defined on this host";
		}
	}
}

static const struct gp_offer *offer_of(const struct row *row, enum gp_resource resource)
{
	return row->partition && !row->partition->blank ? &row->partition->offers[resource] : NULL;
}

static const struct gp_bound *bound_of(const struct row *row, enum gp_resource resource)
{
	return row->request && row->request->bounds[resource].given ? &row->request->bounds[resource] : NULL;
}

/* Where a VM finds it on the host: of the VF, even if a mediated device is what it is given. */
static const char *address_of(const struct row *row, char text[GP_PCI_ADDR_SIZE])
{
	if (row->partition)
		return gp_pci_addr_format(row->partition->addr, text);
	if (row->hostdev && row->hostdev->type == GP_HOSTDEV_PCI)
		return gp_pci_addr_format(row->hostdev->source, text);
	return NULL;
}

/* "4GiB a": has, how it holds. */
static void add_resource_cell(struct gp_table *table, const struct row *row, enum gp_resource resource)
{
	static const char letters[GP_HOLD_COUNT] = {'-', 'a', 's', 'h'};
	const struct gp_offer *offer = offer_of(row, resource);
	GP_CLEANUP(gp_str_clear) struct gp_str cell = {0};

	if (offer && resource == GP_VRAM && offer->has_bytes)
		gp_add_size(&cell, offer->bytes);
	else if (offer && offer->has_share)
		gp_add_share(&cell, offer->share);
	else if (offer && offer->has_engines)
		gp_str_printf(&cell, "%u engine%s", offer->engines, offer->engines == 1 ? "" : "s");
	else
		gp_str_add_char(&cell, '-');
	if (offer && offer->hold != GP_HOLD_NOT_EXPRESSIBLE)
		gp_str_printf(&cell, " %c", letters[offer->hold]);
	gp_table_cell(table, "%s", gp_str_text(&cell));
}

static bool asks_for_amounts(const struct row *row)
{
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		if (bound_of(row, (enum gp_resource)r))
			return true;
	return false;
}

/* A line below: "2GiB…8GiB, best 4GiB". */
static void add_asked_row(struct gp_table *table, const struct row *row, size_t before)
{
	for (size_t i = 0; i + 1 < before; i++)
		gp_table_cell(table, "%s", "");
	gp_table_cell(table, "asked:");
	for (int r = 0; r < GP_RESOURCE_COUNT; r++) {
		const struct gp_bound *bound = bound_of(row, (enum gp_resource)r);
		GP_CLEANUP(gp_str_clear) struct gp_str cell = {0};

		if (bound)
			gp_bound_format(bound, &cell);
		gp_table_cell(table, "%s", gp_str_text(&cell));
	}
	gp_table_cell(table, "%s", "");
}

/* The columns that say something: few hosts have vGPU types, and most VMs have no note. */
static void add_table_row(struct gp_table *table, const struct row *row, bool types)
{
	char vf[GP_VF_REF_SIZE] = "-", addr[GP_PCI_ADDR_SIZE];
	const char *address = address_of(row, addr);

	if (row->gpu && row->hostdev)
		gp_vf_ref_format((struct gp_vf_ref){row->gpu->addr, row->hostdev->vf}, vf);
	gp_table_cell(table, "%s", row->name);
	gp_table_cell(table, "%s", row->domain ? gp_domain_state_name(row->domain->state) : "-");
	gp_table_cell(table, "%s", row->class_name ? row->class_name : "-");
	gp_table_cell(table, "%s", strncmp(vf, "vf:", 3) == 0 ? vf + 3 : vf);
	gp_table_cell(table, "%s", address ? address : "-");
	if (types)
		gp_table_cell(table, "%s", row->partition && row->partition->profile ? row->partition->profile : "-");
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		add_resource_cell(table, row, (enum gp_resource)r);
	gp_table_cell(table, "%s", row->note ? row->note : "");
	if (asks_for_amounts(row))
		add_asked_row(table, row, types ? 6 : 5);
}

static struct gp_table *new_table(bool types)
{
	static const char *const with[] = {"VM",   "STATE",  "CLASS",  "PARTITION", "ADDRESS", "TYPE",
					   "VRAM", "ENCODE", "DECODE", "COMPUTE",   "NOTE"};
	static const char *const without[] = {"VM",   "STATE",  "CLASS",  "PARTITION", "ADDRESS",
					      "VRAM", "ENCODE", "DECODE", "COMPUTE",   "NOTE"};

	return types ? gp_table_new(with, sizeof(with) / sizeof(with[0]))
		     : gp_table_new(without, sizeof(without) / sizeof(without[0]));
}

static void render_text(const struct rows *rows, struct gp_str *out)
{
	bool types = false, amounts = false;

	if (rows->count == 0) {
		gp_str_add(out, "No VM has a partition, and no file asks for one.\n");
		return;
	}
	for (size_t i = 0; i < rows->count; i++) {
		types = types || (rows->items[i].partition && rows->items[i].partition->profile);
		amounts = amounts || asks_for_amounts(&rows->items[i]);
	}
	struct gp_table *table = new_table(types);

	for (size_t i = 0; i < rows->count; i++)
		add_table_row(table, &rows->items[i], types);
	gp_table_render(table, out);
	gp_table_free(table);
	gp_str_add(out,
		   "\nHow it holds: h hardware, s scheduler (when all are busy), a admission (checked when placed, "
		   "not enforced).\n");
	if (amounts)
		gp_str_add(out, "Below what a VM has stands what was asked.\n");
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static enum gp_unit unit_of(const struct gp_bound *bound)
{
	if (bound->min.unit != GP_UNIT_NONE)
		return bound->min.unit;
	return bound->optimal.unit != GP_UNIT_NONE ? bound->optimal.unit : bound->max.unit;
}

static struct json_object *bound_to_json(const struct gp_bound *bound)
{
	static const char *const units[] = {[GP_UNIT_NONE] = NULL,
					    [GP_UNIT_BYTES] = "bytes",
					    [GP_UNIT_SHARE] = "ppm",
					    [GP_UNIT_ENGINES] = "engines"};
	const struct gp_amount *amounts[] = {&bound->min, &bound->optimal, &bound->max};
	static const char *const names[] = {"min", "optimal", "max"};
	struct json_object *item = json_object_new_object();

	for (size_t i = 0; i < 3; i++)
		json_object_object_add(item, names[i],
				       amounts[i]->unit == GP_UNIT_NONE ? NULL
									: json_object_new_uint64(amounts[i]->value));
	json_object_object_add(item, "unit", text_or_null(units[unit_of(bound)]));
	return item;
}

static struct json_object *resource_to_json(const struct row *row, enum gp_resource resource)
{
	const struct gp_offer *offer = offer_of(row, resource);
	const struct gp_bound *bound = bound_of(row, resource);
	struct json_object *one = json_object_new_object();

	json_object_object_add(one, "bytes", offer && offer->has_bytes ? json_object_new_uint64(offer->bytes) : NULL);
	json_object_object_add(one, "share_ppm",
			       offer && offer->has_share ? json_object_new_uint64(offer->share) : NULL);
	json_object_object_add(one, "engines",
			       offer && offer->has_engines ? json_object_new_uint64(offer->engines) : NULL);
	json_object_object_add(one, "hold", offer ? json_object_new_string(gp_hold_name(offer->hold)) : NULL);
	json_object_object_add(one, "asked", bound ? bound_to_json(bound) : NULL);
	json_object_object_add(one, "fits",
			       bound && offer ? json_object_new_boolean(gp_bound_fits(bound, offer, resource, NULL))
					      : NULL);
	return one;
}

static struct json_object *row_to_json(const struct row *row)
{
	struct json_object *item = json_object_new_object();
	struct json_object *resources = json_object_new_object();
	const struct gp_hostdev *hostdev = row->hostdev;
	char vf[GP_VF_REF_SIZE], addr[GP_PCI_ADDR_SIZE], uuid[GP_UUID_SIZE];

	json_object_object_add(item, "vm", json_object_new_string(row->name));
	json_object_object_add(item, "state",
			       row->domain ? json_object_new_string(gp_domain_state_name(row->domain->state)) : NULL);
	json_object_object_add(item, "class", text_or_null(row->class_name));
	json_object_object_add(item, "ours", json_object_new_boolean(hostdev && hostdev->ours));
	json_object_object_add(item, "partition",
			       row->gpu && hostdev ? json_object_new_string(gp_vf_ref_format(
							     (struct gp_vf_ref){row->gpu->addr, hostdev->vf}, vf))
						   : NULL);
	json_object_object_add(item, "address", text_or_null(address_of(row, addr)));
	json_object_object_add(item, "type", text_or_null(hostdev ? gp_hostdev_type_name(hostdev->type) : NULL));
	json_object_object_add(item, "mdev",
			       hostdev && hostdev->type == GP_HOSTDEV_MDEV
				       ? json_object_new_string(gp_uuid_format(hostdev->mdev, uuid))
				       : NULL);
	json_object_object_add(item, "profile", text_or_null(row->partition ? row->partition->profile : NULL));
	json_object_object_add(item, "note", text_or_null(row->note));
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		json_object_object_add(resources, gp_resource_name((enum gp_resource)r),
				       resource_to_json(row, (enum gp_resource)r));
	json_object_object_add(item, "resources", resources);
	return item;
}

static struct json_object *to_json(const struct rows *rows)
{
	struct json_object *root = json_object_new_object();
	struct json_object *items = json_object_new_array();

	for (size_t i = 0; i < rows->count; i++)
		json_object_array_add(items, row_to_json(&rows->items[i]));
	json_object_object_add(root, "format_version", json_object_new_string("1.0"));
	json_object_object_add(root, "kind", json_object_new_string("vms"));
	json_object_object_add(root, "vms", items);
	return root;
}

int gp_cmd_vms(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct rows rows = {0};
	int code;

	if ((code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY)) != GP_EXIT_OK ||
	    (code = gp_session_read_files_if_any(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_observe(&session, cli)) != GP_EXIT_OK)
		return code;
	if (!session.observed->domains_state.known) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};

		gp_fail(&err, GP_E_UNAVAILABLE, "VMs cannot be listed: %s", session.observed->domains_state.why);
		return gp_print_error(cli, &err);
	}
	const struct gp_want_vm **wants = wants_by_domain(arena, &session);

	for (size_t i = 0; i < session.observed->domain_count; i++) {
		add_domain_rows(arena, &session, &session.observed->domains[i], wants[i], &rows);
		add_live_rows(arena, &session, &session.observed->domains[i], &rows);
	}
	add_missing_rows(arena, &session, &rows);
	if (cli->json) {
		gp_print_json(to_json(&rows));
	} else {
		render_text(&rows, &text);
		gp_print(&text);
	}
	return GP_EXIT_OK;
}

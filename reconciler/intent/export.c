/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `export`: what is, as the desired state that would change nothing.
 *
 * GPUs of one model that are cut alike form a class, named by address so that no other GPU can fall into it. Where VMs
 * already hold partitions of ours, the class is called as the alias on their devices says: another name would have us
 * write those devices anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml_tree.h"
#include "intent/file.h"
#include "intent/intent.h"

enum { LONGEST_CLASS = 32 };

/* A GPU of the snapshot, and what the export says of it. */
struct slot {
	const struct gp_gpu *gpu;
	bool left_out;
	uint32_t count;
	const char *alias_class; /* as our devices on it say; NULL: none is there */
	size_t group;
};

struct group {
	char name[LONGEST_CLASS + 1];
	const struct slot *first;
};

struct export
{
	const struct gp_observed *observed;
	struct gp_str *out;
	struct gp_arena *arena;
	struct slot *slots; /* one a GPU, in the order of the snapshot */
	struct group *groups;
	size_t group_count;
};

/* ---- GPUs into groups ---- */

static bool names_class(struct gp_arena *arena, const char *name)
{
	return gp_rule_class.normal(arena, name) != NULL;
}

/* Ours, and beyond the partitions that are there: as after a reboot. The VM is to get its VF back. */
static void note_our_device(struct export *export, const struct gp_hostdev *device)
{
	uint32_t request;
	const char *class_name;
	if (!device->ours || !device->resolved)
		return;
	struct slot *slot = &export->slots[device->gpu];
	if (device->vf >= slot->count)
		slot->count = device->vf + 1;
	if (slot->alias_class == NULL && gp_alias_parse(device->alias, &request, &class_name) == 0 &&
	    names_class(export->arena, class_name))
		slot->alias_class = class_name;
}

/* The least valid count that holds so many. */
static uint32_t valid_count(const struct gp_gpu *gpu, uint32_t count)
{
	for (size_t i = 0; i < gpu->layout_count; i++)
		if (gpu->layouts[i].count >= count)
			return gpu->layouts[i].count;
	return count;
}

static void find_slots(struct export *export)
{
	const struct gp_observed *observed = export->observed;
	export->slots = gp_arena_array_of(export->arena, struct slot, observed->gpu_count);
	for (size_t i = 0; i < observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &observed->gpus[i];
		export->slots[i] = (struct slot){.gpu = gpu, .left_out = gpu->unfit != GP_FIT, .count = gpu->num_vfs};
	}
	for (size_t i = 0; i < observed->domain_count; i++)
		for (size_t j = 0; j < observed->domains[i].config_count; j++)
			note_our_device(export, &observed->domains[i].config[j]);
	for (size_t i = 0; i < observed->gpu_count; i++)
		if (export->slots[i].count > observed->gpus[i].num_vfs)
			export->slots[i].count = valid_count(&observed->gpus[i], export->slots[i].count);
}

static bool same_model(const struct gp_gpu *a, const struct gp_gpu *b)
{
	return a->vendor == b->vendor && a->device == b->device && a->subsystem_vendor == b->subsystem_vendor &&
	       a->subsystem_device == b->subsystem_device && gp_streq(a->model, b->model);
}

static bool same_group(const struct slot *a, const struct slot *b)
{
	if (a->count != b->count)
		return false;
	if (a->alias_class != NULL && b->alias_class != NULL)
		return gp_streq(a->alias_class, b->alias_class);
	return a->alias_class == b->alias_class && same_model(a->gpu, b->gpu);
}

/* A GPU on which nothing of ours is joins the class of its likes, if that is one. */
static void join_alias_class(struct export *export, struct slot *slot)
{
	const char *only = NULL;
	for (size_t i = 0; i < export->observed->gpu_count; i++) {
		const struct slot *other = &export->slots[i];
		if (other->left_out || other->alias_class == NULL || other->count != slot->count ||
		    !same_model(other->gpu, slot->gpu))
			continue;
		if (only != NULL && !gp_streq(only, other->alias_class))
			return;
		only = other->alias_class;
	}
	slot->alias_class = only;
}

/* ---- names of classes ---- */

/* Of a name that is too long the end is kept: there the number is. */
static const char *fit(const char *name, size_t room)
{
	const char *dash;
	while (strlen(name) > room && (dash = strchr(name, '-')) != NULL)
		name = dash + 1;
	return name;
}

/* "ATS-M [Data Center GPU Flex 170]" → "data-center-gpu-flex-170": in pci.ids the brackets hold the name of the board.
 */
static void make_base_name(const char *model, struct gp_str *out)
{
	const char *bracket = model == NULL ? NULL : strchr(model, '[');
	for (const char *at = bracket != NULL ? bracket : model; at != NULL && *at != '\0'; at++) {
		char c = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			gp_str_add_char(out, c);
		else if (out->length > 0 && out->text[out->length - 1] != '-')
			gp_str_add_char(out, '-');
	}
	while (out->length > 0 && out->text[out->length - 1] == '-')
		out->text[--out->length] = '\0';
	if (out->length > 0 && !gp_streq(out->text, "none"))
		return;
	gp_str_clear(out);
	gp_str_add(out, "gpu");
}

static bool is_taken(const struct export *export, const char *name)
{
	for (size_t i = 0; i < export->group_count; i++)
		if (gp_streq(export->groups[i].name, name))
			return true;
	return false;
}

/* Tries "flex-170", "flex-170-x8", "flex-170-2", … */
static void name_group(const struct export *export, const struct slot *slot, char out[LONGEST_CLASS + 1])
{
	GP_CLEANUP(gp_str_clear) struct gp_str base = {0};
	if (slot->alias_class != NULL)
		gp_str_add(&base, slot->alias_class);
	else
		make_base_name(slot->gpu->model, &base);
	char suffix[16] = "";
	for (unsigned attempt = 0;; attempt++) {
		if (attempt == 1)
			snprintf(suffix, sizeof(suffix), "-x%" PRIu32, slot->count);
		else if (attempt > 1)
			snprintf(suffix, sizeof(suffix), "-%u", attempt);
		size_t room = LONGEST_CLASS - strlen(suffix);
		snprintf(out, LONGEST_CLASS + 1, "%.*s%s", (int)room, fit(gp_str_text(&base), room), suffix);
		if (!is_taken(export, out))
			return;
	}
}

static void put_into_group(struct export *export, struct slot *slot)
{
	for (size_t i = 0; i < export->group_count; i++)
		if (same_group(export->groups[i].first, slot)) {
			slot->group = i;
			return;
		}
	char name[LONGEST_CLASS + 1];
	name_group(export, slot, name);
	slot->group = export->group_count;
	struct group *group = gp_arena_push(export->arena, export->groups, export->group_count);
	group->first = slot;
	memcpy(group->name, name, sizeof(name));
}

/* Those that aliases name come first: a class of ours keeps its name. */
static void find_groups(struct export *export)
{
	size_t count = export->observed->gpu_count;
	for (size_t i = 0; i < count; i++)
		if (!export->slots[i].left_out && export->slots[i].alias_class == NULL)
			join_alias_class(export, &export->slots[i]);
	for (int with_alias = 1; with_alias >= 0; with_alias--)
		for (size_t i = 0; i < count; i++)
			if (!export->slots[i].left_out && (export->slots[i].alias_class != NULL) == with_alias)
				put_into_group(export, &export->slots[i]);
}

/* ---- writing GPUs ---- */

static void add_address(struct gp_str *out, struct gp_pci_addr addr)
{
	char text[GP_PCI_ADDR_SIZE];
	gp_str_add(out, gp_pci_addr_format(addr, text));
}

/* In a comment: text from pci.ids or from a domain must not end it. */
static void add_remark(struct export *export, const char *text)
{
	gp_str_add_shown(export->out, text == NULL ? "?" : text);
}

static void write_addresses(struct export *export, size_t group)
{
	size_t written = 0;
	gp_str_add(export->out, "    match: {address: [");
	for (size_t i = 0; i < export->observed->gpu_count; i++) {
		const struct slot *slot = &export->slots[i];
		if (slot->left_out || slot->group != group)
			continue;
		if (written > 0)
			gp_str_add(export->out, written % 4 == 0 ? ",\n                      " : ", ");
		written++;
		gp_str_add_char(export->out, '"');
		add_address(export->out, slot->gpu->addr);
		gp_str_add_char(export->out, '"');
	}
	gp_str_add(export->out, "]}\n");
}

static void write_class(struct export *export, size_t index)
{
	const struct group *group = &export->groups[index];
	const struct gp_gpu *gpu = group->first->gpu;
	gp_str_add(export->out, "  # ");
	add_remark(export, gpu->vendor_name);
	gp_str_add(export->out, " ");
	add_remark(export, gpu->model);
	gp_str_add(export->out, "\n  - class: ");
	gp_yaml_add_string(export->out, group->name);
	gp_str_add_char(export->out, '\n');
	write_addresses(export, index);
	gp_str_printf(export->out, "    partitions: %" PRIu32 "\n", group->first->count);
}

static void write_left_out(struct export *export)
{
	for (size_t i = 0; i < export->observed->gpu_count; i++) {
		const struct gp_gpu *gpu = export->slots[i].gpu;
		if (!export->slots[i].left_out)
			continue;
		gp_str_add(export->out, "  # left out: ");
		add_address(export->out, gpu->addr);
		gp_str_add(export->out, " ");
		add_remark(export, gpu->model);
		gp_str_add(export->out, ": ");
		add_remark(export, gpu->unfit_why);
		gp_str_add_char(export->out, '\n');
	}
}

static void write_gpus(struct export *export)
{
	gp_str_add(export->out, export->group_count == 0 ? "gpus: []\n" : "gpus:\n");
	for (size_t i = 0; i < export->group_count; i++)
		write_class(export, i);
	write_left_out(export);
}

/* ---- writing VMs ---- */

/* A device that the export can ask for: it is on a GPU of a class, and the partition is there or will be. */
static bool is_exported(const struct export *export, const struct gp_hostdev *device)
{
	if (!device->resolved)
		return false;
	const struct slot *slot = &export->slots[device->gpu];
	return !slot->left_out && device->vf < slot->count;
}

static uint32_t request_of(const struct gp_hostdev *device)
{
	uint32_t request;
	const char *class_name;
	return device->ours && gp_alias_parse(device->alias, &request, &class_name) == 0 ? request : UINT32_MAX;
}

/* In the order of their aliases, which is the order in which they were asked for; foreign ones after. */
static size_t collect_devices(const struct export *export, const struct gp_domain *domain,
			      const struct gp_hostdev **devices)
{
	size_t count = 0;
	for (size_t i = 0; i < domain->config_count; i++) {
		const struct gp_hostdev *device = &domain->config[i];
		if (!is_exported(export, device))
			continue;
		size_t at = count++;
		for (; at > 0 && request_of(devices[at - 1]) > request_of(device); at--)
			devices[at] = devices[at - 1];
		devices[at] = device;
	}
	return count;
}

static size_t count_on_our_gpus(const struct gp_hostdev *devices, size_t count)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += devices[i].resolved;
	return found;
}

/* What the file cannot say of this VM, so that nobody takes the file for more than it is. */
static void write_vm_remark(struct export *export, const struct gp_domain *domain, size_t written)
{
	const char *remark = NULL;
	if (!domain->config_known && domain->persistent)
		remark = "its definition could not be read";
	else if (count_on_our_gpus(domain->config, domain->config_count) > written)
		remark = "its definition names a partition that is not there or that cannot be managed; that one is "
			 "left out";
	else if (written == 0 && count_on_our_gpus(domain->live, domain->live_count) > 0)
		remark = "it holds a partition only as long as it runs; left out";
	if (remark == NULL)
		return;
	gp_str_add(export->out, "  # ");
	add_remark(export, domain->name);
	gp_str_printf(export->out, ": %s\n", remark);
}

static void write_vm_name(struct export *export, const struct gp_domain *domain)
{
	struct gp_uuid uuid;
	char text[GP_UUID_SIZE];
	gp_str_add(export->out, "  - name: ");
	if (gp_domain_name_fault(domain->name) == NULL && gp_uuid_parse(domain->name, &uuid) < 0) {
		gp_yaml_add_string(export->out, domain->name);
	} else {
		gp_str_printf(export->out, "%s # ", gp_uuid_format(domain->uuid, text));
		add_remark(export, domain->name);
	}
	gp_str_add_char(export->out, '\n');
}

static void write_vm(struct export *export, const struct gp_domain *domain, const struct gp_hostdev **devices,
		     size_t count)
{
	bool adopt = false;
	write_vm_name(export, domain);
	gp_str_add(export->out, count > 1 ? "    partition: [" : "    partition: ");
	for (size_t i = 0; i < count; i++) {
		gp_str_add(export->out, i == 0 ? "" : ", ");
		gp_yaml_add_string(export->out, export->groups[export->slots[devices[i]->gpu].group].name);
		adopt = adopt || !devices[i]->ours;
	}
	gp_str_add(export->out, count > 1 ? "]\n" : "\n");
	if (adopt)
		gp_str_add(export->out, "    adopt: true\n");
}

static void write_vms(struct export *export)
{
	const struct gp_observed *observed = export->observed;
	struct gp_str vms = {0}, *out = export->out;
	bool any = false;
	export->out = &vms;
	for (size_t i = 0; i < observed->domain_count; i++) {
		const struct gp_domain *domain = &observed->domains[i];
		const struct gp_hostdev **devices =
			gp_arena_array_of(export->arena, const struct gp_hostdev *, domain->config_count);
		size_t count = collect_devices(export, domain, devices);
		write_vm_remark(export, domain, count);
		if (count > 0)
			write_vm(export, domain, devices, count);
		any = any || count > 0;
	}
	export->out = out;
	gp_str_add(out, any ? "vms:\n" : "vms: []\n");
	gp_str_add(out, gp_str_text(&vms));
	gp_str_clear(&vms);
	if (observed->domains_state.known)
		return;
	gp_str_add(out, "  # VMs could not be seen: ");
	add_remark(export, observed->domains_state.why);
	gp_str_add_char(out, '\n');
}

/* ---- the file ---- */

static void write_head(struct export *export)
{
	gp_str_add(export->out, "# yaml-language-server: $schema=" GP_SCHEMA_PATH "\n");
	gp_str_add(export->out, "# What is on ");
	add_remark(export, export->observed->hostname);
	gp_str_add(export->out,
		   " now. Applying this file changes nothing, but takes over the devices marked `adopt`.\n");
	gp_str_add(export->out, "version: 1\n");
	const char *host = export->observed->hostname;
	if (host == NULL || gp_rule_host.normal(export->arena, host) == NULL)
		return; /* no pattern could name it */
	gp_str_add(export->out, "hosts: [");
	gp_yaml_add_string(export->out, host);
	gp_str_add(export->out, "]\n");
}

void gp_intent_export(const struct gp_observed *observed, struct gp_str *out)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct export export = {.observed = observed, .out = out, .arena = arena};
	find_slots(&export);
	find_groups(&export);
	write_head(&export);
	write_gpus(&export);
	write_vms(&export);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `export`: what is, as the desired state that would change nothing.
 *
 * GPUs of one model that are cut alike form a class, named by address so that no other GPU can fall into it. Where VMs
 * already hold partitions of ours, the class is called as the alias on their devices says: another name would have us
 * write those devices anew.
 *
 * Where VFs have profiles, a class says how many of which, and by a plain number when the GPU is full of one of them.
 * Mediated devices are made for VMs as they are bound, so what a VM of ours has is written as all that it could be.
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
	bool is_bound;           /* a VM has a partition of it from us */
	uint32_t forgotten;      /* partitions that VMs had from us: their VFs have no profile now, or are not there */
	const char *cut;         /* what its class says after `match` */
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
	struct gp_export_options options;
	struct gp_str *out;
	struct gp_arena *arena;
	struct slot *slots; /* one a GPU, in the order of the snapshot */
	struct group *groups;
	size_t group_count;
};

/* ---- what is there ---- */

static bool names_class(struct gp_arena *arena, const char *name)
{
	return gp_rule_class.normal(arena, name) != NULL;
}

/* Do its VFs get profiles one by one? */
static bool gives_profiles(const struct gp_gpu *gpu)
{
	return gpu->layout_count > 0 && gpu->layouts[0].group_count > 0 && gpu->layouts[0].groups[0].profile != NULL;
}

static bool is_there(const struct gp_gpu *gpu, uint32_t vf)
{
	const struct gp_partition *partition = gp_gpu_partition(gpu, vf);
	return partition != NULL && !partition->blank;
}

/* The class that the alias of a device of ours names; NULL: none that the language could. */
static const char *alias_class_of(const struct export *export, const struct gp_hostdev *device)
{
	uint32_t request;
	const char *class_name;
	bool named = device->ours && gp_alias_parse(device->alias, &request, &class_name) == 0 &&
		     names_class(export->arena, class_name);
	return named ? class_name : NULL;
}

/* Ours, and beyond the partitions that are there: as after a reboot. The VM is to get its VF back. */
static void note_our_device(struct export *export, const struct gp_hostdev *device)
{
	if (!device->ours || !device->resolved)
		return;
	struct slot *slot = &export->slots[device->gpu];
	if (!gives_profiles(slot->gpu)) {
		if (device->vf >= slot->count)
			slot->count = device->vf + 1;
	} else if (is_there(slot->gpu, device->vf)) {
		slot->is_bound = true;
	} else {
		slot->forgotten++;
	}
	if (slot->alias_class == NULL)
		slot->alias_class = alias_class_of(export, device);
}

static void note_our_devices(struct export *export)
{
	const struct gp_observed *observed = export->observed;
	for (size_t i = 0; i < observed->domain_count; i++)
		for (size_t j = 0; j < observed->domains[i].config_count; j++)
			note_our_device(export, &observed->domains[i].config[j]);
}

/* A mediated device that is gone tells no GPU, only its class. */
static bool is_forgotten_mdev(const struct gp_hostdev *device)
{
	return device->type == GP_HOSTDEV_MDEV && device->ours && !device->resolved;
}

static bool has_class(const struct export *export, const char *name)
{
	for (size_t i = 0; i < export->observed->gpu_count; i++)
		if (!export->slots[i].left_out && gp_streq(export->slots[i].alias_class, name))
			return true;
	return false;
}

/* The one class of such that no GPU has any more; NULL: none, or nobody can tell which GPU was of which. */
static const char *find_forgotten_class(const struct export *export)
{
	const struct gp_observed *observed = export->observed;
	const char *only = NULL;
	for (size_t i = 0; i < observed->domain_count; i++)
		for (size_t j = 0; j < observed->domains[i].config_count; j++) {
			const struct gp_hostdev *device = &observed->domains[i].config[j];
			const char *name = is_forgotten_mdev(device) ? alias_class_of(export, device) : NULL;
			if (name == NULL || has_class(export, name))
				continue;
			if (only != NULL && !gp_streq(name, only))
				return NULL;
			only = name;
		}
	return only;
}

/* They were on GPUs that have nothing now. */
static void place_forgotten_mdevs(struct export *export)
{
	const char *name = find_forgotten_class(export);
	for (size_t i = 0; name != NULL && i < export->observed->gpu_count; i++) {
		struct slot *slot = &export->slots[i];
		if (slot->left_out || !gives_profiles(slot->gpu) || slot->count > 0 || slot->alias_class != NULL)
			continue;
		slot->alias_class = name;
		slot->forgotten++;
	}
}

/* ---- how a GPU is cut, as its class says it ---- */

/* The least valid count that holds so many. */
static uint32_t valid_count(const struct gp_gpu *gpu, uint32_t count)
{
	for (size_t i = 0; i < gpu->layout_count; i++)
		if (gpu->layouts[i].count >= count)
			return gpu->layouts[i].count;
	return count;
}

static const struct gp_layout_group *group_of_profile(const struct gp_gpu *gpu, const char *profile)
{
	for (size_t i = 0; i < gpu->layout_count; i++)
		for (size_t j = 0; j < gpu->layouts[i].group_count; j++)
			if (gp_streq(gpu->layouts[i].groups[j].profile, profile))
				return &gpu->layouts[i].groups[j];
	return NULL;
}

/* Is there just one way to have so many of this series, and a word for it? */
static bool is_told_by_count(struct export *export, const struct gp_gpu *gpu, uint32_t count, const char *series)
{
	size_t ways = 0;
	if (series == NULL || gp_rule_series.normal(export->arena, series) == NULL)
		return false;
	for (size_t i = 0; i < gpu->layout_count; i++)
		ways += gpu->layouts[i].count == count && gpu->layouts[i].group_count == 1 &&
			gp_streq(gpu->layouts[i].groups[0].series, series);
	return ways == 1;
}

/* How many partitions have each profile; the first of each stands for it. */
struct tally {
	const struct gp_layout_group *group;
	uint32_t count;
};

/* False: the language has no words for what is there, which *why tells. */
static bool tally_profiles(struct export *export, const struct gp_gpu *gpu, struct tally **tallies, size_t *count,
			   const char **why)
{
	for (size_t i = 0; i < gpu->partition_count; i++) {
		const struct gp_partition *partition = &gpu->partitions[i];
		if (partition->blank)
			continue;
		const struct gp_layout_group *group = group_of_profile(gpu, partition->profile);
		*why = partition->profile == NULL        ? "the name of a vGPU type that it has is not known"
		       : group == NULL                   ? "the driver lists no such vGPU type for it as it has"
		       : partition->unusable_why != NULL ? "it has a vGPU type on a VF that no VM can be given"
							 : NULL;
		if (*why != NULL)
			return false;
		size_t at = 0;
		while (at < *count && (*tallies)[at].group != group)
			at++;
		if (at == *count)
			gp_arena_push(export->arena, *tallies, *count)->group = group;
		(*tallies)[at].count++;
	}
	for (size_t i = 1; i < *count; i++)
		if ((*tallies)[i].group->offers[GP_VRAM].bytes != (*tallies)[0].group->offers[GP_VRAM].bytes)
			*why = "it has vGPU types of several sizes";
	return *why == NULL;
}

static void add_sizes(const struct tally *tallies, size_t count, struct gp_str *out)
{
	gp_str_add(out, "    partitions: [");
	for (size_t i = 0; i < count; i++) {
		gp_str_printf(out, "%s{count: %" PRIu32 ", profile: ", i == 0 ? "" : ", ", tallies[i].count);
		gp_yaml_add_string(out, tallies[i].group->profile);
		gp_str_add_char(out, '}');
	}
	gp_str_add(out, "]\n");
}

/* Without the blanks that the driver may show around the items of the list. */
static const char *without_blanks(struct gp_arena *arena, const char *list)
{
	char *copy = gp_arena_strdup(arena, list), *to = copy;
	while (*list != '\0') {
		list += strspn(list, " \t");
		size_t length = strcspn(list, ","), kept = length;
		while (kept > 0 && strchr(" \t", list[kept - 1]) != NULL)
			kept--;
		memmove(to, list, kept);
		to += kept;
		list += length;
		if (*list == ',')
			*to++ = *list++;
	}
	*to = '\0';
	return copy;
}

/* What all have alike, "" nothing; NULL: they differ, or nobody has looked. */
static const char *common_params(struct export *export, const struct gp_gpu *gpu)
{
	const char *common = NULL;
	for (size_t i = 0; i < gpu->partition_count; i++) {
		const struct gp_partition *partition = &gpu->partitions[i];
		if (partition->blank)
			continue;
		if (partition->params == NULL || (common != NULL && !gp_same_list(common, partition->params)))
			return NULL;
		common = partition->params;
	}
	return common == NULL ? NULL : without_blanks(export->arena, common);
}

/* What cannot be said is left as it is. */
static void add_params(struct export *export, const struct gp_gpu *gpu, struct gp_str *out)
{
	const char *params = common_params(export, gpu);
	if (params == NULL || (*params == '\0' && !export->options.clears_params))
		return;
	const char *word = *params == '\0' ? "none" : params;
	if (gp_rule_vgpu_params.normal(export->arena, word) == NULL)
		return;
	gp_str_add(out, "    vgpu_params: ");
	gp_yaml_add_string(out, word);
	gp_str_add_char(out, '\n');
}

static void add_profiles(struct export *export, struct slot *slot, struct tally *tallies, size_t count,
			 struct gp_str *out)
{
	const struct gp_layout_group *group = tallies[0].group;
	/* Mediated devices: one is made when a VM gets it, and only so many may be. */
	bool made_for_vms = slot->is_bound && count == 1 && gp_streq(slot->gpu->framework, "mdev");
	if (made_for_vms)
		tallies[0].count = group->most;
	if (count == 1 && tallies[0].count == group->most &&
	    is_told_by_count(export, slot->gpu, group->most, group->series))
		gp_str_printf(out, "    partitions: %" PRIu32 "\n    series: %s\n", group->most, group->series);
	else
		add_sizes(tallies, count, out);
	add_params(export, slot->gpu, out);
}

/* What the VMs had, they had of the one profile that is there still; if there is one. */
static void recall_forgotten(const struct slot *slot, struct tally *tallies, size_t count, const char **why)
{
	if (slot->forgotten == 0)
		return;
	if (count != 1) {
		*why = "the driver has forgotten the vGPU types that VMs had of it: say 'partitions' and 'series' anew";
		return;
	}
	uint32_t room = tallies[0].group->most - tallies[0].count;
	tallies[0].count += slot->forgotten < room ? slot->forgotten : room;
}

static void describe_cut(struct export *export, struct slot *slot)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	struct tally *tallies = NULL;
	size_t count = 0;
	const char *why = NULL;
	if (gives_profiles(slot->gpu) && tally_profiles(export, slot->gpu, &tallies, &count, &why))
		recall_forgotten(slot, tallies, count, &why);
	if (why != NULL)
		gp_str_printf(&text, "    # left as it is: %s\n    partitions: keep\n", why);
	else if (count > 0)
		add_profiles(export, slot, tallies, count, &text);
	else
		gp_str_printf(&text, "    partitions: %" PRIu32 "\n", slot->count);
	slot->cut = gp_arena_strdup(export->arena, gp_str_text(&text));
}

static void find_slots(struct export *export)
{
	const struct gp_observed *observed = export->observed;
	export->slots = gp_arena_array_of(export->arena, struct slot, observed->gpu_count);
	for (size_t i = 0; i < observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &observed->gpus[i];
		export->slots[i] = (struct slot){.gpu = gpu, .left_out = gpu->unfit != GP_FIT, .count = gpu->count};
	}
	note_our_devices(export);
	place_forgotten_mdevs(export);
	for (size_t i = 0; i < observed->gpu_count; i++) {
		struct slot *slot = &export->slots[i];
		if (slot->count > slot->gpu->count)
			slot->count = valid_count(slot->gpu, slot->count);
		describe_cut(export, slot);
	}
}

/* ---- GPUs into groups ---- */

static bool same_model(const struct gp_gpu *a, const struct gp_gpu *b)
{
	return a->vendor == b->vendor && a->device == b->device && a->subsystem_vendor == b->subsystem_vendor &&
	       a->subsystem_device == b->subsystem_device && gp_streq(a->model, b->model);
}

static bool same_group(const struct slot *a, const struct slot *b)
{
	if (!gp_streq(a->cut, b->cut))
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
		if (other->left_out || other->alias_class == NULL || !gp_streq(other->cut, slot->cut) ||
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
	gp_str_add(export->out, group->first->cut);
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

/* NULL: the class of a mediated device that is gone, and no class of this file. */
static const char *class_of_device(const struct export *export, const struct gp_hostdev *device)
{
	if (device->resolved)
		return export->groups[export->slots[device->gpu].group].name;
	const char *name = alias_class_of(export, device);
	return name != NULL && is_taken(export, name) ? name : NULL;
}

/* A device that the export can ask for: it is on a GPU of a class, and the partition is there or will be. */
static bool is_exported(const struct export *export, const struct gp_hostdev *device)
{
	if (is_forgotten_mdev(device))
		return class_of_device(export, device) != NULL;
	if (!device->resolved)
		return false;
	const struct slot *slot = &export->slots[device->gpu];
	if (!gives_profiles(slot->gpu))
		return !slot->left_out && device->vf < slot->count;
	return !slot->left_out && (is_there(slot->gpu, device->vf) || device->ours);
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
		found += devices[i].resolved || is_forgotten_mdev(&devices[i]);
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
		gp_yaml_add_string(export->out, class_of_device(export, devices[i]));
		adopt = adopt || !devices[i]->ours;
	}
	gp_str_add(export->out, count > 1 ? "]\n" : "\n");
	if (adopt)
		gp_str_add(export->out, "    adopt: true\n");
}

static bool is_listed(const struct gp_desired *desired, const struct gp_observed *observed,
		      const struct gp_domain *domain)
{
	for (size_t i = 0; i < desired->vm_count; i++)
		if (gp_observed_domain(observed, &desired->vms[i]) == domain)
			return true;
	return false;
}

/* Nothing of it is ours, and no file asked for it. */
static bool is_others(const struct export *export, const struct gp_domain *domain, const struct gp_hostdev **devices,
		      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (devices[i]->ours)
			return false;
	return count > 0 && export->options.listed != NULL &&
	       !is_listed(export->options.listed, export->observed, domain);
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
		if (is_others(export, domain, devices, count)) {
			gp_str_add(export->out, "  # ");
			add_remark(export, domain->name);
			gp_str_add(export->out, " has what somebody gave it by hand; left out\n");
			continue;
		}
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

void gp_intent_export(const struct gp_observed *observed, struct gp_export_options options, struct gp_str *out)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct export export = {.observed = observed, .options = options, .out = out, .arena = arena};
	find_slots(&export);
	find_groups(&export);
	write_head(&export);
	write_gpus(&export);
	write_vms(&export);
}

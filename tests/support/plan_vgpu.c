/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The half of the builders that is about VFs with vGPU types: a back-end, and the machine that it would speak to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_scene.h"

/*
 * An A16 in every respect that the planner can see: 16 VFs, and of each series types of 1 to 16 GiB, of which there can
 * be as many as fit into 16 GiB. Types of a GPU are of one size. A and B suffer no other type beside them in a VM.
 */
enum { GIB_SHIFT = 30, TOTAL_GIB = SCENE_VFS, SIZES = 5, FIRST_ID = 700 };
static const char series_names[][2] = {"A", "B", "C", "Q"};
enum { SERIES = sizeof(series_names) / sizeof(series_names[0]), TYPES = SIZES * SERIES };
static const char family[] = "A16-";

static uint32_t gib_of(uint32_t type)
{
	return 1U << type / SERIES;
}

static const char *series_of(uint32_t type)
{
	return series_names[type % SERIES];
}

static uint32_t most_of(uint32_t type)
{
	return TOTAL_GIB / gib_of(type);
}

static const char *type_name(uint32_t type, char out[SCENE_TYPE])
{
	snprintf(out, SCENE_TYPE, "%s%u%s", family, gib_of(type), series_of(type));
	return out;
}

/* "A16-4Q" or "4Q"; TYPES: none of that name. */
static uint32_t type_of(const char *name)
{
	for (uint32_t type = 0; type < TYPES; type++) {
		char full[SCENE_TYPE];

		if (gp_streq(type_name(type, full), name) || gp_streq(full + strlen(family), name))
			return type;
	}
	return TYPES;
}

/* ---- the back-end ---- */

static void offer(uint32_t type, struct gp_offer offers[GP_RESOURCE_COUNT])
{
	uint32_t share = 1000000 / most_of(type);

	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		offers[r] = (struct gp_offer){.hold = GP_HOLD_ADMISSION, .has_share = true, .share = share};
	offers[GP_VRAM] = (struct gp_offer){.hold = GP_HOLD_HARDWARE,
					    .has_bytes = true,
					    .bytes = (uint64_t)gib_of(type) << GIB_SHIFT,
					    .has_share = true,
					    .share = share};
}

static struct gp_layout_group group_of(uint32_t type, uint32_t count, struct gp_arena *arena)
{
	char name[SCENE_TYPE];
	struct gp_layout_group group = {.count = count,
					.profile = gp_arena_strdup(arena, type_name(type, name)),
					.profile_id = FIRST_ID + type,
					.series = series_of(type),
					.most = most_of(type),
					.alone = type % SERIES < 2};

	offer(type, group.offers);
	return group;
}

static void layouts_of_list(const struct gp_class *class_of, struct gp_arena *arena, struct gp_layout **out,
			    size_t *count)
{
	struct gp_layout *layout = gp_arena_push(arena, *out, *count);

	for (size_t i = 0; i < class_of->size_count; i++) {
		const struct gp_partition_size *size = &class_of->sizes[i];
		uint32_t type = type_of(size->profile);

		if (type == TYPES)
			continue; /* check() says so */
		layout->count += size->count;
		*gp_arena_push(arena, layout->groups, layout->group_count) = group_of(type, size->count, arena);
	}
}

static void layouts(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
		    struct gp_layout **out, size_t *count)
{
	(void)gpu;
	*out = NULL;
	*count = 0;
	if (class_of && class_of->partitions == GP_PARTITIONS_LIST) {
		layouts_of_list(class_of, arena, out, count);
		return;
	}
	for (uint32_t size = SIZES; size-- > 0;) {
		for (uint32_t type = size * SERIES; type < (size + 1) * SERIES; type++) {
			struct gp_layout *layout;

			if (class_of && class_of->series && !gp_streq(class_of->series, series_of(type)))
				continue;
			layout = gp_arena_push(arena, *out, *count);
			layout->count = most_of(type);
			*gp_arena_push(arena, layout->groups, layout->group_count) =
				group_of(type, most_of(type), arena);
		}
	}
}

static bool object(const struct gp_class *class_of, struct gp_diags *diags, const char *code, const char *what)
{
	gp_diags_add(diags, GP_ERROR, GP_E_INPUT, code, class_of->partitions_mark, "%s", what);
	return true;
}

static bool check(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	uint32_t gib = 0, sum = 0;

	(void)gpu;
	if (class_of->partitions == GP_PARTITIONS_AUTO)
		return object(class_of, diags, "needs-backend", "needs another back-end");
	if (class_of->partitions == GP_PARTITIONS_COUNT && class_of->count > 0 && !class_of->series)
		return object(class_of, diags, "series", "which series?");
	for (size_t i = 0; class_of->partitions == GP_PARTITIONS_LIST && i < class_of->size_count; i++) {
		uint32_t type = type_of(class_of->sizes[i].profile);

		if (type == TYPES)
			return object(class_of, diags, "profile", "no such type");
		if (gib && gib_of(type) != gib)
			return object(class_of, diags, "mixed", "one size for all");
		gib = gib_of(type);
		sum += class_of->sizes[i].count;
	}
	return gib && sum > TOTAL_GIB / gib ? object(class_of, diags, "too-many", "too many") : false;
}

static struct gp_step *push(struct gp_step_sink *sink, enum gp_step_kind kind, const char *attribute, const char *after)
{
	struct gp_step *step = sink->push(sink, kind);
	char addr[GP_PCI_ADDR_SIZE];

	step->base = GP_BASE_PCI;
	step->device = gp_arena_strdup(sink->arena, gp_pci_addr_format(sink->delta->gpu->addr, addr));
	step->attribute = attribute;
	step->after = after;
	step->what = gp_arena_printf(sink->arena, "%s %s", attribute, after);
	return step;
}

static void make_vfs(struct gp_step_sink *sink)
{
	const struct gp_gpu *gpu = sink->delta->gpu;
	struct gp_step *step = push(sink, GP_STEP_HELPER, "sriov-manage", "-e");

	step->program = "/usr/lib/nvidia/sriov-manage";
	step->guard = GP_GUARD_NO_VFS;
	push(sink, GP_STEP_WAIT, "virtfn", gp_arena_printf(sink->arena, "%u", gpu->total_vfs));
	push(sink, GP_STEP_WAIT, "vf-driver", "nvidia");
	sink->observe_why = "which vGPU framework the driver uses can only be seen once VFs exist";
}

static bool has_mdevs(const struct gp_gpu *gpu)
{
	return gp_streq(gpu->framework, "mdev");
}

static struct gp_step *push_of(struct gp_step_sink *sink, const struct gp_vf_change *change, const char *attribute,
			       const char *before, const char *after)
{
	struct gp_step *step = push(sink, GP_STEP_WRITE, attribute, after);
	char vf[GP_VF_REF_SIZE];

	step->device = gp_arena_strdup(sink->arena,
				       gp_vf_ref_format((struct gp_vf_ref){sink->delta->gpu->addr, change->vf}, vf));
	step->before = before;
	step->reason = change->reason;
	step->case_number = change->case_number;
	return step;
}

static void name_mdev(struct gp_step_sink *sink, struct gp_step *step, struct gp_uuid uuid)
{
	char text[GP_UUID_SIZE];

	step->base = GP_BASE_MDEV;
	step->device = gp_arena_strdup(sink->arena, gp_uuid_format(uuid, text));
}

static void clear(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	bool mdev = has_mdevs(sink->delta->gpu);
	struct gp_step *step =
		push_of(sink, change, mdev ? "remove" : "nvidia/current_vgpu_type",
			mdev ? NULL : gp_arena_printf(sink->arena, "%u", change->now->profile_id), mdev ? "1" : "0");

	if (mdev)
		name_mdev(sink, step, change->now->mdev);
	step->guard = GP_GUARD_VF_UNHELD;
	step->disruption = GP_DISRUPTS_PARTITION;
}

static void give(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	char text[GP_UUID_SIZE];

	if (has_mdevs(sink->delta->gpu))
		push_of(sink, change,
			gp_arena_printf(sink->arena, "mdev_supported_types/nvidia-%u/create", change->to->profile_id),
			NULL, gp_arena_strdup(sink->arena, gp_uuid_format(*change->mdev, text)));
	else
		push_of(sink, change, "nvidia/current_vgpu_type", "0",
			gp_arena_printf(sink->arena, "%u", change->to->profile_id));
}

static void tune(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	struct gp_step *step = push_of(sink, change, "nvidia/vgpu_params", NULL, change->params);

	if (has_mdevs(sink->delta->gpu))
		name_mdev(sink, step, change->mdev ? *change->mdev : change->now->mdev);
}

static void steps(const struct gp_delta *delta, struct gp_step_sink *sink)
{
	if (delta->gpu->num_vfs == 0 && delta->to > 0)
		make_vfs(sink);
	for (size_t i = 0; i < delta->vf_count; i++) {
		if (delta->vfs[i].clears)
			clear(sink, &delta->vfs[i]);
	}
	for (size_t i = 0; i < delta->vf_count; i++) {
		if (delta->vfs[i].to)
			give(sink, &delta->vfs[i]);
	}
	for (size_t i = 0; i < delta->vf_count; i++) {
		if (delta->vfs[i].params)
			tune(sink, &delta->vfs[i]);
	}
}

static void device(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out)
{
	(void)index;
	out->type = has_mdevs(gpu) ? GP_HOSTDEV_MDEV : GP_HOSTDEV_PCI;
	out->managed = false;
}

const struct gp_vendor scene_vendor_vgpu = {
	.name = "vgpu", .by_profile = true, .layouts = layouts, .check = check, .steps = steps, .device = device};

/* ---- reading ---- */

static struct scene_gpu *vgpu_at(struct scene *scene, const char *bus)
{
	struct scene_gpu *gpu = &scene->gpus[scene_gpu_at(scene, (unsigned)strtoul(bus, NULL, 16))];

	if (gpu->form == SCENE_PLAIN)
		scene_give_up("no vGPUs at this bus", bus);
	return gpu;
}

static void read_vfs(struct scene_gpu *gpu, char **words, size_t count)
{
	char *dash = strchr(words[2], '-');
	uint32_t first = (uint32_t)strtoul(words[2], NULL, 10);
	uint32_t last = dash ? (uint32_t)strtoul(dash + 1, NULL, 10) : first;

	if (count < 4 || last >= gpu->vfs)
		scene_give_up("vf BUS FIRST[-LAST] TYPE", words[2]);
	for (uint32_t i = first; i <= last; i++) {
		struct scene_vf *vf = &gpu->vf[i];

		for (size_t w = 3; w < count; w++) {
			if (gp_streq(words[w], "unusable")) {
				vf->unusable = true;
			} else if (gp_starts_with(words[w], "params=")) {
				scene_add_words(vf->params, sizeof(vf->params), words[w] + strlen("params="));
			} else if (gpu->form == SCENE_MDEV && strchr(words[w], '/')) {
				vf->mdev = scene_mdev_uuid(words[w]);
			} else if (type_of(words[w]) < TYPES) {
				type_name(type_of(words[w]), vf->type);
			} else {
				scene_give_up("of a vf", words[w]);
			}
		}
		if (gpu->form == SCENE_MDEV && *vf->type && gp_uuid_is_null(vf->mdev))
			scene_give_up("a mediated device without a name", words[2]);
	}
}

bool vgpu_read_line(struct scene *scene, char **words, size_t count)
{
	if (gp_streq(words[0], "vf") && count > 2) {
		read_vfs(vgpu_at(scene, words[1]), words, count);
	} else if (gp_streq(words[0], "client") && count > 3) {
		struct scene_gpu *gpu = vgpu_at(scene, words[1]);

		scene_add_words(gpu->client, sizeof(gpu->client), words[2]);
		gpu->client_pid = strtoul(words[3], NULL, 10);
	} else if (gp_streq(words[0], "noprogram")) {
		scene->no_program = true;
	} else if (gp_streq(words[0], "libvirt") && count > 1) {
		scene->libvirt = (uint32_t)strtoul(words[1], NULL, 10);
	} else {
		return false;
	}
	return true;
}

/* ---- observing ---- */

static void observe_vf(struct gp_observed *observed, const struct scene_gpu *from, const struct scene_vf *vf,
		       struct gp_partition *partition)
{
	uint32_t type = type_of(vf->type);

	partition->driver = vf->unusable ? "vfio-pci" : "nvidia";
	partition->unusable_why = vf->unusable ? "it is bound to vfio-pci" : NULL;
	partition->blank = !*vf->type;
	partition->params = gp_arena_strdup(observed->arena, vf->params);
	if (partition->blank)
		return;
	partition->profile = gp_arena_strdup(observed->arena, vf->type);
	partition->profile_id = FIRST_ID + type;
	partition->has_mdev = from->form == SCENE_MDEV;
	partition->mdev = vf->mdev;
	offer(type, partition->offers);
}

void vgpu_observe(struct gp_observed *observed, const struct scene_gpu *from, struct gp_gpu *gpu)
{
	enum scene_form form = from->vfs ? from->form : from->seems;

	gpu->framework = form == SCENE_MDEV ? "mdev" : "vendor VFIO";
	gpu->framework_expected = from->vfs == 0;
	gpu->libvirt_min = from->needs;
	gpu->libvirt_why = "it takes no VF that stays with its driver";
	gpu->count = 0;
	for (size_t i = 0; i < gpu->partition_count; i++) {
		observe_vf(observed, from, &from->vf[i], &gpu->partitions[i]);
		gpu->count += !gpu->partitions[i].blank;
	}
	if (*from->client)
		*gp_arena_push(observed->arena, gpu->clients, gpu->client_count) =
			(struct gp_holder){.kind = GP_HOLDER_CLIENT,
					   .name = gp_arena_strdup(observed->arena, from->client),
					   .pid = from->client_pid};
}

bool vgpu_find_mdev(const struct scene *scene, struct gp_uuid uuid, size_t *gpu, uint32_t *vf)
{
	for (size_t g = 0; g < scene->gpu_count; g++) {
		for (uint32_t i = 0; scene->gpus[g].form == SCENE_MDEV && i < scene->gpus[g].vfs; i++) {
			if (*scene->gpus[g].vf[i].type && gp_uuid_equal(scene->gpus[g].vf[i].mdev, uuid)) {
				*gpu = g;
				*vf = i;
				return true;
			}
		}
	}
	return false;
}

/* ---- carrying out ---- */

static const struct scene_vm *who_runs_with(const struct scene *scene, const struct scene_gpu *gpu, uint32_t index)
{
	for (size_t v = 0; v < scene->vm_count; v++) {
		for (size_t i = 0; i < scene->vms[v].live_count; i++) {
			const struct scene_hostdev *live = &scene->vms[v].live[i];

			if (live->is_mdev ? *gpu->vf[index].type && gp_uuid_equal(live->mdev, gpu->vf[index].mdev)
					  : live->bus == gpu->bus && live->index == index)
				return &scene->vms[v];
		}
	}
	return NULL;
}

static bool clear_vf(struct scene *scene, struct scene_gpu *gpu, const struct gp_step *step, uint32_t index,
		     struct gp_str *why)
{
	const struct scene_vm *user = who_runs_with(scene, gpu, index);

	if (!*gpu->vf[index].type)
		gp_str_printf(why, "%x/%u has nothing to lose", gpu->bus, index);
	if (user)
		gp_str_printf(why, "%s runs with %x/%u", user->name, gpu->bus, index);
	if (step->guard != GP_GUARD_VF_UNHELD)
		gp_str_add(why, "not guarded");
	gpu->vf[index] = (struct scene_vf){.unusable = gpu->vf[index].unusable};
	return why->length == 0;
}

/* All of one size, and no more of it than fit: so the driver would say. */
static bool give_vf(struct scene_gpu *gpu, uint32_t index, uint32_t id, struct gp_str *why)
{
	struct scene_vf *vf = &gpu->vf[index];
	uint32_t count = 0, type = id - FIRST_ID;

	if (index >= gpu->vfs || vf->unusable || *vf->type || type >= TYPES) {
		gp_str_printf(why, "%x/%u cannot be given a type", gpu->bus, index);
		return false;
	}
	type_name(type, vf->type);
	for (uint32_t i = 0; i < gpu->vfs; i++) {
		count += *gpu->vf[i].type != '\0';
		if (*gpu->vf[i].type && gib_of(type_of(gpu->vf[i].type)) != gib_of(type))
			gp_str_printf(why, "%x/%u has another size than %x/%u", gpu->bus, i, gpu->bus, index);
	}
	if (count > most_of(type))
		gp_str_printf(why, "%x has no room for %u × %s", gpu->bus, count, vf->type);
	return why->length == 0;
}

static bool apply_type(struct scene *scene, struct scene_gpu *gpu, const struct gp_step *step, uint32_t index,
		       struct gp_str *why)
{
	uint32_t now = *gpu->vf[index].type ? FIRST_ID + type_of(gpu->vf[index].type) : 0;

	if (now != strtoul(step->before, NULL, 10)) {
		gp_str_printf(why, "%x/%u has %u, not %s", gpu->bus, index, now, step->before);
		return false;
	}
	return gp_streq(step->after, "0") ? clear_vf(scene, gpu, step, index, why)
					  : give_vf(gpu, index, (uint32_t)strtoul(step->after, NULL, 10), why);
}

static bool apply_create(struct scene *scene, struct scene_gpu *gpu, const struct gp_step *step, uint32_t index,
			 struct gp_str *why)
{
	const char *number = strchr(step->attribute, '-');
	struct gp_uuid uuid;
	size_t other;
	uint32_t vf;

	if (!number || gp_uuid_parse(step->after, &uuid) != 0) {
		gp_str_printf(why, "not to be understood: %s %s", step->attribute, step->after);
		return false;
	}
	if (vgpu_find_mdev(scene, uuid, &other, &vf)) {
		gp_str_printf(why, "%s is there already, on %x/%u", step->after, scene->gpus[other].bus, vf);
		return false;
	}
	if (!give_vf(gpu, index, (uint32_t)strtoul(number + 1, NULL, 10), why))
		return false;
	gpu->vf[index].mdev = uuid;
	return true;
}

static bool apply_params(struct scene *scene, struct scene_gpu *gpu, const struct gp_step *step, uint32_t index,
			 struct gp_str *why)
{
	const struct scene_vm *user = who_runs_with(scene, gpu, index);

	if (user || !*gpu->vf[index].type)
		gp_str_printf(why, "%x/%u cannot be given parameters: %s", gpu->bus, index,
			      user ? user->name : "it is blank");
	memset(gpu->vf[index].params, 0, sizeof(gpu->vf[index].params));
	scene_add_words(gpu->vf[index].params, sizeof(gpu->vf[index].params), step->after);
	return why->length == 0;
}

static bool apply_helper(struct scene_gpu *gpu, const struct gp_step *step, struct gp_str *why)
{
	if (gpu->vfs || *gpu->client || step->guard != GP_GUARD_NO_VFS)
		gp_str_printf(why, "%x: sriov-manage must not run now", gpu->bus);
	gpu->vfs = gpu->total;
	memset(gpu->vf, 0, sizeof(gpu->vf));
	return why->length == 0;
}

bool vgpu_apply(struct scene *scene, struct scene_gpu *gpu, const struct gp_step *step, struct gp_str *why)
{
	struct gp_vf_ref ref = {.index = SCENE_VFS};
	struct gp_uuid uuid;
	size_t at;

	if (step->kind == GP_STEP_HELPER)
		return apply_helper(gpu, step, why);
	if (step->kind != GP_STEP_WRITE)
		return true;
	if (step->base == GP_BASE_MDEV
		    ? gp_uuid_parse(step->device, &uuid) != 0 || !vgpu_find_mdev(scene, uuid, &at, &ref.index) ||
			      &scene->gpus[at] != gpu
		    : gp_vf_ref_parse(step->device, &ref) != 0 || ref.index >= gpu->vfs) {
		gp_str_printf(why, "%s is not there", step->device);
		return false;
	}
	if (gp_streq(step->attribute, "remove"))
		return clear_vf(scene, gpu, step, ref.index, why);
	if (gp_streq(step->attribute, "nvidia/vgpu_params"))
		return apply_params(scene, gpu, step, ref.index, why);
	if (gpu->form == SCENE_MDEV)
		return apply_create(scene, gpu, step, ref.index, why);
	return apply_type(scene, gpu, step, ref.index, why);
}

bool vgpu_can_start_with(const struct scene *scene, const struct scene_vm *vm, const struct scene_hostdev *hostdev,
			 struct gp_str *why)
{
	size_t g = hostdev->bus ? scene_gpu_at(scene, hostdev->bus) : 0;
	uint32_t index = hostdev->index, type;
	bool there = hostdev->is_mdev ? vgpu_find_mdev(scene, hostdev->mdev, &g, &index)
				      : hostdev->known && scene->gpus[g].form == SCENE_VFIO &&
						index < scene->gpus[g].vfs && *scene->gpus[g].vf[index].type;
	const struct scene_vm *user;

	if (!there) {
		gp_str_printf(why, "%s cannot start: its vGPU is not there", vm->name);
		return false;
	}
	user = who_runs_with(scene, &scene->gpus[g], index);
	type = type_of(scene->gpus[g].vf[index].type);
	if (user)
		gp_str_printf(why, "%s cannot start: %s has its vGPU", vm->name, user->name);
	else if (vm->config_count > 1 && type % SERIES < 2)
		gp_str_printf(why, "%s cannot start: its vGPU suffers no other", vm->name);
	else if (hostdev->ours && !hostdev->is_mdev && hostdev->managed)
		gp_str_printf(why, "%s cannot start: managed='yes' would take the VF from its driver", vm->name);
	return why->length == 0;
}

/* ---- the digest ---- */

enum { NAMES_OF_A_VM = 4, STRIDE = 1 << 16 };

/* "a/0", as it would be written in a scene; VMs with names of one letter only. */
static void add_mdev(const char *text, struct gp_str *out)
{
	struct gp_uuid uuid;

	for (char name[] = "a"; gp_uuid_parse(text, &uuid) == 0 && *name <= 'z'; ++*name) {
		for (uint32_t n = 0; n < NAMES_OF_A_VM * NAMES_OF_A_VM; n++) {
			uint32_t number = n % NAMES_OF_A_VM + n / NAMES_OF_A_VM * STRIDE;

			if (gp_uuid_equal(uuid, gp_mdev_uuid(scene_vm_uuid(name), number))) {
				gp_str_printf(out, "%s/%u", name, n);
				return;
			}
		}
	}
	gp_str_add(out, "?");
}

static void add_vf(const struct gp_step *step, struct gp_str *out)
{
	struct gp_vf_ref ref;

	if (gp_vf_ref_parse(step->device, &ref) == 0)
		gp_str_printf(out, "%x/%u", ref.pf.bus, ref.index);
}

static void add_type(const char *id, struct gp_str *out)
{
	char name[SCENE_TYPE];

	gp_str_add(out, type_name((uint32_t)strtoul(id, NULL, 10) - FIRST_ID, name) + strlen(family));
}

bool vgpu_knows(const struct gp_step *step)
{
	return gp_streq(step->attribute, "remove") || gp_streq(step->attribute, "nvidia/vgpu_params") ||
	       gp_streq(step->attribute, "nvidia/current_vgpu_type") ||
	       gp_starts_with(step->attribute, "mdev_supported_types/");
}

/* "41/3 +4Q", "41/3 -4Q", "41/3 +4Q a/0", "41 -a/0", "41/3 params", "a/0 params" */
void vgpu_digest(const struct gp_step *step, struct gp_str *out)
{
	if (step->kind == GP_STEP_HELPER) {
		gp_str_printf(out, "%x %s", step->pf.bus, step->attribute);
	} else if (gp_streq(step->attribute, "remove")) {
		gp_str_printf(out, "%x -", step->pf.bus);
		add_mdev(step->device, out);
	} else if (gp_streq(step->attribute, "nvidia/vgpu_params")) {
		if (step->base == GP_BASE_MDEV)
			add_mdev(step->device, out);
		add_vf(step, out);
		gp_str_add(out, " params");
	} else {
		bool clears = gp_streq(step->after, "0");

		add_vf(step, out);
		gp_str_add(out, clears ? " -" : " +");
		if (gp_starts_with(step->attribute, "mdev_supported_types/")) {
			add_type(strchr(step->attribute, '-') + 1, out);
			gp_str_add_char(out, ' ');
			add_mdev(step->after, out);
		} else {
			add_type(clears ? step->before : step->after, out);
		}
	}
}

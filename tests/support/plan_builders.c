/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan_builders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intent/intent.h"
#include "plan_scene.h"

enum { OFFSET = 16, GIB_SHIFT = 30, LONG_UP_MS = 3600 * 1000, FRESH_MS = 10 * 1000, WORDS = 16 };

_Noreturn void scene_give_up(const char *what, const char *word)
{
	fprintf(stderr, "plan_builders: %s: '%s'\n", what, word);
	exit(2);
}

static unsigned hex(const char *word)
{
	return (unsigned)strtoul(word, NULL, 16);
}
static uint32_t number(const char *word)
{
	return (uint32_t)strtoul(word, NULL, 10);
}

void scene_add_words(char *to, size_t size, const char *from)
{
	if (strlen(from) >= size)
		scene_give_up("too long", from);
	memcpy(to, from, strlen(from) + 1);
}

/* ---- reading ---- */

static enum scene_form form_of(const char *word)
{
	return gp_streq(word, "vfio") ? SCENE_VFIO : gp_streq(word, "mdev") ? SCENE_MDEV : SCENE_PLAIN;
}

static void read_gpu(struct scene *scene, char **words, size_t count)
{
	struct scene_gpu *gpu = &scene->gpus[scene->gpu_count++];

	if (count < 4 || scene->gpu_count > SCENE_GPUS)
		scene_give_up("gpu BUS TOTAL VFS", words[0]);
	*gpu = (struct scene_gpu){
		.bus = hex(words[1]), .total = number(words[2]), .vfs = number(words[3]), .vendor = 0x8086};
	scene_add_words(gpu->model, sizeof(gpu->model), "Flex");
	for (size_t i = 4; i < count; i++) {
		if (gp_starts_with(words[i], "vram="))
			gpu->vram = (uint64_t)number(words[i] + 5) << GIB_SHIFT;
		else if (gp_starts_with(words[i], "vendor="))
			gpu->vendor = (uint16_t)hex(words[i] + 7);
		else if (gp_starts_with(words[i], "model="))
			scene_add_words(gpu->model, sizeof(gpu->model), words[i] + 6);
		else if (gp_starts_with(words[i], "seems="))
			gpu->seems = form_of(words[i] + strlen("seems="));
		else if (gp_starts_with(words[i], "needs="))
			gpu->needs = number(words[i] + strlen("needs="));
		else if (form_of(words[i]) != SCENE_PLAIN)
			gpu->form = gpu->seems = form_of(words[i]);
		else if (gp_streq(words[i], "blind"))
			gpu->blind = true;
		else if (gp_streq(words[i], "named"))
			gpu->named = true;
		else if (gp_streq(words[i], "unfit"))
			gpu->unfit = GP_UNFIT_NO_DRIVER;
		else if (gp_streq(words[i], "transition"))
			gpu->unfit = GP_UNFIT_TRANSITION;
		else
			scene_give_up("flag of a gpu", words[i]);
	}
	if (gpu->form != SCENE_PLAIN && (gpu->total != SCENE_VFS || (gpu->vfs && gpu->vfs != gpu->total)))
		scene_give_up("vGPUs: 16 VFs, all or none", words[1]);
}

static struct scene_hostdev read_hostdev(const struct scene *scene, char *text)
{
	struct scene_hostdev hostdev = {.known = true, .managed = true};
	char *at = strpbrk(text, "@="), *slash = at ? strchr(at, '/') : NULL, *dot = strchr(text, '.');

	if (!slash)
		scene_give_up("hostdev", text);
	hostdev.is_mdev = *at == '=';
	if (hostdev.is_mdev)
		hostdev.mdev = scene_mdev_uuid(at + 1);
	*at = *slash = '\0';
	hostdev.ours = !gp_streq(text, "hand") && !gp_streq(text, "yes");
	if (hostdev.ours && dot) {
		*dot = '\0';
		snprintf(hostdev.alias, sizeof(hostdev.alias), "ua-gpupart-%s-%s", text, dot + 1);
	}
	hostdev.index = number(slash + 1);
	snprintf(hostdev.guest, sizeof(hostdev.guest), "<address slot='%u'/>", hostdev.index);
	if (hostdev.is_mdev)
		return hostdev;
	hostdev.known = at[1] != '?';
	hostdev.bus = hostdev.known ? hex(at + 1) : 0;
	if (hostdev.known && scene->gpus[scene_gpu_at(scene, hostdev.bus)].form != SCENE_PLAIN)
		hostdev.managed = gp_streq(text, "yes");
	return hostdev;
}

static enum gp_domain_state read_state(const char *word, struct scene_vm *vm)
{
	static const struct {
		const char *word;
		enum gp_domain_state state;
	} states[] = {{"run", GP_DOMAIN_RUNNING}, {"off", GP_DOMAIN_OFF},       {"pause", GP_DOMAIN_PAUSED},
		      {"saved", GP_DOMAIN_OFF},   {"stop", GP_DOMAIN_STOPPING}, {"crash", GP_DOMAIN_CRASHED}};

	vm->saved = gp_streq(word, "saved");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (gp_streq(states[i].word, word))
			return states[i].state;
	}
	scene_give_up("state", word);
}

static void read_vm(struct scene *scene, char **words, size_t count)
{
	struct scene_vm *vm = &scene->vms[scene->vm_count++];

	if (count < 3 || scene->vm_count > SCENE_VMS)
		scene_give_up("vm NAME STATE", words[0]);
	*vm = (struct scene_vm){0};
	scene_add_words(vm->name, sizeof(vm->name), words[1]);
	vm->state = read_state(words[2], vm);
	for (size_t i = 3; i < count; i++) {
		char place = words[i][0];

		if (words[i][1] == ':' && strchr("clbp", place)) {
			struct scene_hostdev hostdev = read_hostdev(scene, words[i] + 2);

			if (place == 'p') {
				vm->places[vm->place_count++] = hostdev;
				continue;
			}
			if (place != 'l')
				vm->config[vm->config_count++] = hostdev;
			if (place != 'c')
				vm->live[vm->live_count++] = hostdev;
		} else if (gp_streq(words[i], "transient")) {
			vm->transient = true;
		} else if (gp_streq(words[i], "mark")) {
			vm->mark = true;
		} else if (gp_streq(words[i], "fresh")) {
			vm->fresh = true;
		} else if (gp_streq(words[i], "external")) {
			vm->external = true;
		} else if (gp_streq(words[i], "unreadable")) {
			vm->unreadable = true;
		} else {
			scene_give_up("flag of a vm", words[i]);
		}
	}
}

static void read_holder(struct scene *scene, char **words, size_t count)
{
	struct scene_holder *holder = &scene->holders[scene->holder_count++];

	if (count < 4 || scene->holder_count > SCENE_HOLDERS)
		scene_give_up("driver|vfio BUS INDEX NAME", words[0]);
	*holder = (struct scene_holder){.kind = gp_streq(words[0], "vfio") ? GP_HOLDER_VFIO : GP_HOLDER_DRIVER,
					.bus = hex(words[1]),
					.index = number(words[2]),
					.pid = count > 4 ? number(words[4]) : 0};
	scene_add_words(holder->name, sizeof(holder->name), words[3]);
}

static void read_line(struct scene *scene, char *line)
{
	char *words[WORDS], *rest = NULL;
	size_t count = 0;

	for (char *word = strtok_r(line, " ", &rest); word && count < WORDS; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (count == 0)
		return;
	if (gp_streq(words[0], "gpu"))
		read_gpu(scene, words, count);
	else if (gp_streq(words[0], "vm"))
		read_vm(scene, words, count);
	else if (gp_streq(words[0], "driver") || gp_streq(words[0], "vfio"))
		read_holder(scene, words, count);
	else if (gp_streq(words[0], "nolibvirt"))
		scene->no_libvirt = true;
	else if (gp_streq(words[0], "noproc"))
		scene->no_proc = true;
	else if (!vgpu_read_line(scene, words, count))
		scene_give_up("line", words[0]);
}

struct gp_uuid scene_vm_uuid(const char *name)
{
	struct gp_uuid uuid = {{0}};

	memcpy(uuid.bytes, name, strlen(name) < sizeof(uuid.bytes) ? strlen(name) : sizeof(uuid.bytes));
	return uuid;
}

struct gp_uuid scene_mdev_uuid(const char *text)
{
	gp_autofree char *name = gp_xstrdup(text);
	char *slash = strchr(name, '/');

	if (!slash)
		scene_give_up("mediated device VM/N", text);
	*slash = '\0';
	return gp_mdev_uuid(scene_vm_uuid(name), number(slash + 1));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct scene_vm *)a)->name, ((const struct scene_vm *)b)->name);
}

void scene_read(struct scene *scene, const char *text)
{
	gp_autofree char *copy = gp_xstrdup(text);
	char *rest = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		read_line(scene, line);
	qsort(scene->vms, scene->vm_count, sizeof(scene->vms[0]), by_name);
}

/* ---- the tests' own back-end ---- */

static void offer(const struct gp_gpu *gpu, uint32_t count, struct gp_offer offers[GP_RESOURCE_COUNT])
{
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		offers[r] = (struct gp_offer){.hold = GP_HOLD_ADMISSION, .has_share = true, .share = 1000000 / count};
	if (gpu->vram_bytes)
		offers[GP_VRAM] = (struct gp_offer){
			.hold = GP_HOLD_HARDWARE, .has_bytes = true, .bytes = gpu->vram_bytes / count};
	else
		offers[GP_VRAM] = (struct gp_offer){.hold = GP_HOLD_NOT_EXPRESSIBLE};
}

static void layouts(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
		    struct gp_layout **out, size_t *count)
{
	(void)class_of;
	*count = gpu->total_vfs;
	*out = gp_arena_array_of(arena, struct gp_layout, *count);
	for (uint32_t i = 0; i < *count; i++) {
		struct gp_layout_group *group = gp_arena_new_of(arena, struct gp_layout_group);

		group->count = i + 1;
		offer(gpu, i + 1, group->offers);
		(*out)[i] = (struct gp_layout){i + 1, group, 1};
	}
}

static bool check(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags)
{
	bool lacks = class_of->partitions == GP_PARTITIONS_AUTO || class_of->partitions == GP_PARTITIONS_LIST;

	(void)gpu;
	if (lacks)
		gp_diags_add(diags, GP_ERROR, GP_E_INPUT, "needs-backend", class_of->partitions_mark,
			     "needs another back-end");
	return lacks;
}

static void push_write(struct gp_step_sink *sink, uint32_t from, uint32_t to)
{
	struct gp_step *step = sink->push(sink, GP_STEP_WRITE);
	char addr[GP_PCI_ADDR_SIZE];

	step->device = gp_arena_strdup(sink->arena, gp_pci_addr_format(sink->delta->gpu->addr, addr));
	step->attribute = "sriov_numvfs";
	step->before = gp_arena_printf(sink->arena, "%u", from);
	step->after = gp_arena_printf(sink->arena, "%u", to);
	step->what = to ? gp_arena_printf(sink->arena, "enable %u VFs", to)
			: gp_arena_printf(sink->arena, "disable all %u VFs", from);
	if (to == 0)
		step->disruption = GP_DISRUPTS_PARTITION;
}

static void steps(const struct gp_delta *delta, struct gp_step_sink *sink)
{
	if (delta->from)
		push_write(sink, delta->from, 0);
	if (delta->to)
		push_write(sink, 0, delta->to);
}

static void steps_and_look(const struct gp_delta *delta, struct gp_step_sink *sink)
{
	steps(delta, sink);
	if (delta->to)
		sink->observe_why = "the framework shows only once VFs are there";
}

static void device(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out)
{
	(void)gpu;
	(void)index;
	out->type = GP_HOSTDEV_PCI;
	out->managed = true;
}

const struct gp_vendor scene_vendor = {
	.name = "scene", .layouts = layouts, .check = check, .steps = steps, .device = device};
const struct gp_vendor scene_vendor_looks_again = {
	.name = "looks-again", .layouts = layouts, .check = check, .steps = steps_and_look, .device = device};

/* ---- observing ---- */

static void observe_gpu(struct gp_observed *observed, const struct scene *scene, const struct scene_gpu *from)
{
	struct gp_gpu *gpu = gp_arena_push(observed->arena, observed->gpus, observed->gpu_count);

	gpu->addr = (struct gp_pci_addr){0, (uint8_t)from->bus, 0, 0};
	gpu->vendor = from->vendor;
	gpu->vendor_name = "Intel";
	gpu->model = gp_arena_strdup(observed->arena, from->model);
	gpu->driver = "xe";
	gpu->numa_node = -1;
	gpu->backend = scene->vendor ? scene->vendor : from->form == SCENE_PLAIN ? &scene_vendor : &scene_vendor_vgpu;
	gpu->unfit = from->unfit;
	gpu->unfit_why = from->unfit == GP_UNFIT_TRANSITION ? "somebody is enabling or disabling its VFs"
			 : from->unfit                      ? "no driver is bound to it"
							    : NULL;
	gpu->unfit_remedy = from->unfit ? "wait, or bind its driver" : NULL;
	gpu->named_only = from->named;
	gpu->sriov = true;
	gpu->total_vfs = from->total;
	gpu->num_vfs = gpu->count = from->vfs;
	gpu->capability_known = true;
	gpu->vf_enable = from->vfs > 0;
	gpu->cap_num_vfs = from->vfs;
	gpu->vf_offset = from->blind && from->vfs == 0 ? 0 : OFFSET;
	gpu->vf_stride = from->blind && from->vfs == 0 ? 0 : 1;
	gpu->vram_bytes = from->vram;
	gpu->backend->layouts(gpu, NULL, observed->arena, &gpu->layouts, &gpu->layout_count);
	for (uint32_t i = 0; i < from->vfs; i++) {
		struct gp_partition *partition = gp_arena_push(observed->arena, gpu->partitions, gpu->partition_count);

		partition->index = i;
		partition->addr = gp_pci_addr_from_rid(0, (uint32_t)(from->bus << 8) + OFFSET + i);
		offer(gpu, from->vfs, partition->offers);
	}
	if (from->form != SCENE_PLAIN)
		vgpu_observe(observed, from, gpu);
}

size_t scene_gpu_at(const struct scene *scene, unsigned bus)
{
	for (size_t g = 0; g < scene->gpu_count; g++) {
		if (scene->gpus[g].bus == bus)
			return g;
	}
	scene_give_up("no gpu at this bus", "");
}

static struct gp_hostdev observe_hostdev(struct gp_observed *observed, const struct scene *scene,
					 const struct scene_hostdev *from)
{
	struct gp_hostdev hostdev = {.type = from->is_mdev ? GP_HOSTDEV_MDEV : GP_HOSTDEV_PCI,
				     .managed = !from->is_mdev && from->managed,
				     .ours = from->ours,
				     .mdev = from->mdev};

	hostdev.alias = from->ours ? gp_arena_strdup(observed->arena, from->alias) : NULL;
	hostdev.guest_xml = gp_arena_strdup(observed->arena, from->guest);
	if (from->is_mdev) {
		hostdev.resolved = vgpu_find_mdev(scene, from->mdev, &hostdev.gpu, &hostdev.vf);
	} else if (from->known) {
		const struct scene_gpu *gpu = &scene->gpus[scene_gpu_at(scene, from->bus)];

		hostdev.source = gp_pci_addr_from_rid(0, (uint32_t)(from->bus << 8) + OFFSET + from->index);
		hostdev.resolved = !(gpu->blind && gpu->vfs == 0);
		hostdev.gpu = scene_gpu_at(scene, from->bus);
		hostdev.vf = from->index;
	} else {
		hostdev.source = (struct gp_pci_addr){0, 0xEE, (uint8_t)from->index, 0};
	}
	return hostdev;
}

static struct gp_partition *partition_of(struct gp_observed *observed, size_t gpu, uint32_t index)
{
	return index < observed->gpus[gpu].partition_count ? &observed->gpus[gpu].partitions[index] : NULL;
}

static void hold(struct gp_observed *observed, struct gp_partition *partition, struct gp_holder holder)
{
	if (partition)
		*gp_arena_push(observed->arena, partition->holders, partition->holder_count) = holder;
}

static void observe_vm(struct gp_observed *observed, const struct scene *scene, const struct scene_vm *from)
{
	struct gp_domain *vm = gp_arena_push(observed->arena, observed->domains, observed->domain_count);

	vm->name = gp_arena_strdup(observed->arena, from->name);
	vm->uuid = scene_vm_uuid(from->name);
	vm->state = from->state;
	vm->persistent = !from->transient;
	vm->managed_save = from->saved;
	vm->external = from->external ? "pacemaker" : NULL;
	vm->to_start = from->mark;
	vm->running_ms = from->fresh ? FRESH_MS : LONG_UP_MS;
	vm->config_known = vm->live_known = !from->unreadable;
	vm->unknown_why = from->unreadable ? "its XML does not parse" : NULL;
	for (size_t i = 0; i < from->config_count; i++)
		*gp_arena_push(observed->arena, vm->config, vm->config_count) =
			observe_hostdev(observed, scene, &from->config[i]);
	for (size_t i = 0; i < from->place_count; i++)
		*gp_arena_push(observed->arena, vm->places, vm->place_count) =
			observe_hostdev(observed, scene, &from->places[i]);
	for (size_t i = 0; i < from->live_count; i++) {
		struct gp_hostdev live = observe_hostdev(observed, scene, &from->live[i]);

		*gp_arena_push(observed->arena, vm->live, vm->live_count) = live;
		if (!live.resolved)
			continue;
		hold(observed, partition_of(observed, live.gpu, live.vf),
		     (struct gp_holder){.kind = GP_HOLDER_DOMAIN_LIVE, .name = vm->name});
		hold(observed, partition_of(observed, live.gpu, live.vf),
		     (struct gp_holder){.kind = GP_HOLDER_VFIO, .name = "qemu-system-x86", .pid = 100});
	}
}

struct gp_observed *scene_observe(const struct scene *scene)
{
	struct gp_observed *observed = gp_observed_new();

	observed->hostname = "gpu-01";
	observed->kind = GP_HOST_SIMULATED;
	observed->root = "/sim";
	observed->domains_state.known = !scene->no_libvirt;
	observed->domains_state.why = scene->no_libvirt ? "libvirt does not answer" : NULL;
	observed->vfio_state.known = !scene->no_proc;
	observed->vfio_state.why = scene->no_proc ? "/proc/1/fd: Permission denied" : NULL;
	observed->hypervisor.version = scene->libvirt;
	observed->missing_program = scene->no_program ? "/usr/lib/nvidia/sriov-manage" : NULL;
	for (size_t g = 0; g < scene->gpu_count; g++)
		observe_gpu(observed, scene, &scene->gpus[g]);
	for (size_t v = 0; v < scene->vm_count && !scene->no_libvirt; v++)
		observe_vm(observed, scene, &scene->vms[v]);
	for (size_t h = 0; h < scene->holder_count; h++) {
		const struct scene_holder *holder = &scene->holders[h];

		hold(observed, partition_of(observed, scene_gpu_at(scene, holder->bus), holder->index),
		     (struct gp_holder){.kind = holder->kind,
					.name = gp_arena_strdup(observed->arena, holder->name),
					.pid = holder->pid});
	}
	return observed;
}

/* ---- carrying out ---- */

static struct scene_vm *vm_named(struct scene *scene, const char *name)
{
	for (size_t v = 0; v < scene->vm_count; v++) {
		if (gp_streq(scene->vms[v].name, name))
			return &scene->vms[v];
	}
	scene_give_up("no such vm", name);
}

static bool plugged_anywhere(const struct scene *scene, unsigned bus)
{
	for (size_t v = 0; v < scene->vm_count; v++) {
		for (size_t i = 0; i < scene->vms[v].live_count; i++) {
			if (scene->vms[v].live[i].known && scene->vms[v].live[i].bus == bus)
				return true;
		}
	}
	return false;
}

static bool apply_write(struct scene *scene, const struct gp_step *step, struct gp_str *why)
{
	struct scene_gpu *gpu = &scene->gpus[scene_gpu_at(scene, step->pf.bus)];

	if (!gp_streq(step->attribute, "sriov_numvfs"))
		return true;
	if (number(step->before) != gpu->vfs)
		gp_str_printf(why, "numvfs is %u, not %s", gpu->vfs, step->before);
	else if (gpu->vfs && number(step->after) && gpu->vfs != number(step->after))
		gp_str_add(why, "EBUSY");
	else if (number(step->after) > gpu->total)
		gp_str_add(why, "ERANGE");
	else if (number(step->after) == 0 && plugged_anywhere(scene, gpu->bus))
		gp_str_add(why, "a running VM would lose its device");
	else if (number(step->after) == 0 && step->guard != GP_GUARD_UNHELD)
		gp_str_add(why, "not guarded");
	gpu->vfs = number(step->after);
	return why->length == 0;
}

static void forget_place(struct scene_vm *vm, const char *alias)
{
	for (size_t i = 0; i < vm->place_count; i++) {
		if (!gp_streq(vm->places[i].alias, alias))
			continue;
		vm->places[i] = vm->places[--vm->place_count];
		return;
	}
}

/* As gp_vmm_take_out does it: under the name of what is to come. */
static void note_place(struct scene_vm *vm, const struct scene_hostdev *old, const char *alias)
{
	forget_place(vm, alias);
	vm->places[vm->place_count] = *old;
	vm->places[vm->place_count].ours = true;
	scene_add_words(vm->places[vm->place_count++].alias, sizeof(old->alias), alias);
}

static bool is_meant(const struct scene_hostdev *have, const struct gp_hostdev *step)
{
	if (!gp_streq(have->ours ? have->alias : "", step->alias ? step->alias : ""))
		return false;
	if (have->is_mdev != (step->type == GP_HOSTDEV_MDEV))
		return false;
	if (have->is_mdev)
		return have->ours || gp_uuid_equal(have->mdev, step->mdev);
	return have->ours || (have->bus == step->source.bus && have->index == step->vf);
}

static bool apply_detach(struct scene_vm *vm, const struct gp_step *step, struct gp_str *why)
{
	for (size_t i = 0; i < vm->config_count; i++) {
		if (!is_meant(&vm->config[i], &step->hostdev))
			continue;
		if (step->keeps_for)
			note_place(vm, &vm->config[i], step->keeps_for);
		memmove(&vm->config[i], &vm->config[i + 1], (vm->config_count - i - 1) * sizeof(vm->config[0]));
		vm->config_count--;
		return true;
	}
	gp_str_printf(why, "%s has no such hostdev", vm->name);
	return false;
}

/* What libvirt would not mind, and we do: two definitions that name one partition. */
static bool others_name(const struct scene *scene, const struct scene_vm *vm, const struct scene_hostdev *hostdev,
			struct gp_str *why)
{
	for (size_t v = 0; v < scene->vm_count; v++) {
		const struct scene_vm *other = &scene->vms[v];

		for (size_t i = 0; other != vm && i < other->config_count; i++) {
			const struct scene_hostdev *have = &other->config[i];

			if (have->is_mdev == hostdev->is_mdev &&
			    (have->is_mdev ? gp_uuid_equal(have->mdev, hostdev->mdev)
					   : have->bus == hostdev->bus && have->index == hostdev->index)) {
				gp_str_printf(why, "%s would have what the definition of %s names", vm->name,
					      other->name);
				return true;
			}
		}
	}
	return false;
}

static bool is_there(const struct scene *scene, const struct gp_step *step, struct gp_vf_ref vf, struct gp_str *why)
{
	const struct scene_gpu *gpu = &scene->gpus[scene_gpu_at(scene, vf.pf.bus)];
	bool right_form = gpu->form == SCENE_MDEV ? step->hostdev.type == GP_HOSTDEV_MDEV
						  : step->hostdev.type == GP_HOSTDEV_PCI &&
							    step->hostdev.managed == (gpu->form == SCENE_PLAIN);

	if (vf.index >= gpu->vfs || (gpu->form != SCENE_PLAIN && !*gpu->vf[vf.index].type))
		gp_str_printf(why, "%s does not exist", step->source);
	else if (!right_form)
		gp_str_printf(why, "%s is not given to VMs like that", step->source);
	else if (gpu->form == SCENE_MDEV && !gp_uuid_equal(gpu->vf[vf.index].mdev, step->hostdev.mdev))
		gp_str_printf(why, "%s has a mediated device of another name", step->source);
	return why->length == 0;
}

static bool apply_attach(struct scene *scene, struct scene_vm *vm, const struct gp_step *step, struct gp_str *why)
{
	struct scene_hostdev *hostdev = &vm->config[vm->config_count];
	struct gp_vf_ref vf;

	if (gp_vf_ref_parse(step->source, &vf) != 0 || !is_there(scene, step, vf, why)) {
		gp_str_printf(why, " (%s of %s)", step->source, vm->name);
		return false;
	}
	for (size_t i = 0; i < vm->config_count; i++) {
		if (gp_streq(vm->config[i].alias, step->hostdev.alias)) {
			gp_str_add(why, "the alias is there already");
			return false;
		}
	}
	*hostdev = (struct scene_hostdev){.ours = true, .known = true, .bus = vf.pf.bus, .index = vf.index};
	hostdev->managed = step->hostdev.managed;
	hostdev->is_mdev = step->hostdev.type == GP_HOSTDEV_MDEV;
	hostdev->mdev = step->hostdev.mdev;
	if (hostdev->is_mdev)
		hostdev->bus = hostdev->index = 0;
	scene_add_words(hostdev->alias, sizeof(hostdev->alias), step->hostdev.alias);
	scene_add_words(hostdev->guest, sizeof(hostdev->guest), step->hostdev.guest_xml);
	vm->config_count++;
	/* What it named before, it may have under another of our names. */
	if (hostdev->is_mdev && step->kind == GP_STEP_REPLACE && gp_uuid_equal(hostdev->mdev, step->replaces.mdev))
		return true;
	return !others_name(scene, vm, hostdev, why);
}

/* Either it is there, or its place is noted: who has neither would give the guest a new address. */
static bool apply_replace(struct scene *scene, struct scene_vm *vm, const struct gp_step *step, struct gp_str *why)
{
	struct gp_step detach = *step;
	bool has_old = false, has_place = false;

	for (size_t i = 0; i < vm->config_count; i++)
		has_old = has_old || is_meant(&vm->config[i], &step->replaces);
	for (size_t i = 0; i < vm->place_count; i++)
		has_place = has_place || (vm->places[i].is_mdev ? gp_uuid_equal(vm->places[i].mdev, step->replaces.mdev)
								: vm->places[i].index == step->replaces.vf);
	if (!has_old && !has_place)
		gp_str_printf(why, "%s has nothing to replace", vm->name);
	detach.hostdev = step->replaces;
	detach.keeps_for = step->hostdev.alias;
	if ((has_old && !apply_detach(vm, &detach, why)) || !apply_attach(scene, vm, step, why))
		return false;
	forget_place(vm, step->hostdev.alias);
	return why->length == 0;
}

static bool apply_start(struct scene *scene, struct scene_vm *vm, struct gp_str *why)
{
	for (size_t i = 0; i < vm->config_count; i++) {
		const struct scene_hostdev *mine = &vm->config[i];

		if (mine->is_mdev || scene->gpus[mine->bus ? scene_gpu_at(scene, mine->bus) : 0].form != SCENE_PLAIN) {
			vgpu_can_start_with(scene, vm, mine, why);
			continue;
		}
		if (!mine->known || mine->index >= scene->gpus[scene_gpu_at(scene, mine->bus)].vfs)
			gp_str_printf(why, "%s cannot start: its VF does not exist", vm->name);
		for (size_t v = 0; v < scene->vm_count; v++) {
			for (size_t l = 0; l < scene->vms[v].live_count; l++) {
				const struct scene_hostdev *other = &scene->vms[v].live[l];

				if (other->known && other->bus == mine->bus && other->index == mine->index)
					gp_str_printf(why, "%s cannot start: its VF is in use", vm->name);
			}
		}
	}
	vm->state = GP_DOMAIN_RUNNING;
	memcpy(vm->live, vm->config, sizeof(vm->live));
	vm->live_count = vm->config_count;
	return why->length == 0;
}

static bool apply_step(struct scene *scene, const struct gp_step *step, struct gp_str *why)
{
	struct scene_vm *vm = step->base == GP_BASE_DOMAIN ? vm_named(scene, step->device) : NULL;

	if (vm && step->guard == GP_GUARD_OFF && vm->state == GP_DOMAIN_RUNNING) {
		gp_str_printf(why, "%s is running", vm->name);
		return false;
	}
	if (!vm && scene->gpus[scene_gpu_at(scene, step->pf.bus)].form != SCENE_PLAIN)
		return vgpu_apply(scene, &scene->gpus[scene_gpu_at(scene, step->pf.bus)], step, why);
	switch (step->kind) {
	case GP_STEP_WRITE:
		return apply_write(scene, step, why);
	case GP_STEP_DETACH:
		return apply_detach(vm, step, why);
	case GP_STEP_ATTACH:
		return apply_attach(scene, vm, step, why);
	case GP_STEP_REPLACE:
		return apply_replace(scene, vm, step, why);
	case GP_STEP_START:
		return apply_start(scene, vm, why);
	case GP_STEP_STOP:
		vm->state = GP_DOMAIN_OFF;
		vm->live_count = 0;
		return true;
	case GP_STEP_MARK:
		if (gp_streq(step->attribute, GP_MARK_PLACE)) {
			forget_place(vm, step->before);
			return true;
		}
		vm->mark = gp_streq(step->after, GP_MARK_TO_START);
		return true;
	default:
		return true;
	}
}

static bool needs_are_done(const struct gp_chain *chain, size_t index, struct gp_str *why)
{
	for (size_t n = 0; n < chain->steps[index].need_count; n++) {
		bool found = false;

		for (size_t before = 0; before < index; before++)
			found = found || chain->steps[before].id == chain->steps[index].needs[n];
		if (!found)
			gp_str_printf(why, "step %u needs %u, which does not stand before it", chain->steps[index].id,
				      chain->steps[index].needs[n]);
	}
	return why->length == 0;
}

bool scene_apply(struct scene *scene, const struct gp_stage *stage, struct gp_str *why)
{
	for (size_t c = 0; c < stage->chain_count; c++) {
		for (size_t s = 0; s < stage->chains[c].step_count; s++) {
			if (!needs_are_done(&stage->chains[c], s, why) ||
			    !apply_step(scene, &stage->chains[c].steps[s], why))
				return false;
		}
	}
	return true;
}

static bool is_ready(const struct gp_chain *chain, size_t index, const bool *done)
{
	for (size_t n = 0; n < chain->steps[index].need_count; n++) {
		for (size_t other = 0; other < chain->step_count; other++) {
			if (chain->steps[other].id == chain->steps[index].needs[n] && !done[other])
				return false;
		}
	}
	return !done[index];
}

/* Any step that is ready; chain->step_count: none. */
static size_t any_ready(const struct gp_chain *chain, const bool *done, uint32_t *random)
{
	size_t ready = 0, chosen = chain->step_count;

	for (size_t s = 0; s < chain->step_count; s++) {
		if (!is_ready(chain, s, done))
			continue;
		*random = *random * 1664525u + 1013904223u;
		if ((*random >> 8) % ++ready == 0)
			chosen = s;
	}
	return chosen;
}

bool scene_apply_in_any_order(struct scene *scene, const struct gp_stage *stage, uint32_t *random, struct gp_str *why)
{
	for (size_t left = stage->chain_count; left-- > 0;) { /* chains do not need each other, either */
		const struct gp_chain *chain = &stage->chains[left];
		gp_autofree bool *done = gp_xcalloc(chain->step_count, sizeof(*done));
		size_t next;

		while ((next = any_ready(chain, done, random)) < chain->step_count) {
			done[next] = true;
			if (!apply_step(scene, &chain->steps[next], why)) {
				gp_str_printf(why, " (step %u, in another order)", chain->steps[next].id);
				return false;
			}
		}
	}
	return true;
}

void scene_reboot(struct scene *scene)
{
	for (size_t g = 0; g < scene->gpu_count; g++) {
		scene->gpus[g].vfs = 0;
		memset(scene->gpus[g].vf, 0, sizeof(scene->gpus[g].vf));
	}
	for (size_t v = 0; v < scene->vm_count; v++) {
		scene->vms[v].state = GP_DOMAIN_OFF;
		scene->vms[v].live_count = 0;
	}
	scene->holder_count = 0;
}

/* ---- wanting ---- */

struct gp_desired *want_text(const char *yaml)
{
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	struct gp_desired *desired = gp_intent_load_text("want.yaml", yaml, strlen(yaml), "gpu-01", &diags);

	if (diags.error_count) {
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

		gp_diags_render(&diags, &text, false);
		scene_give_up("the wish does not parse", gp_str_text(&text));
	}
	return desired;
}

/* ---- the digest ---- */

static void add_place(const char *vf, struct gp_str *out)
{
	struct gp_vf_ref ref;

	if (gp_vf_ref_parse(vf, &ref) == 0)
		gp_str_printf(out, "%x/%u", ref.pf.bus, ref.index);
	else
		gp_str_add(out, "?");
}

static void digest_step(const struct gp_step *step, struct gp_str *out)
{
	switch (step->kind) {
	case GP_STEP_HELPER:
		vgpu_digest(step, out);
		break;
	case GP_STEP_WRITE:
		if (vgpu_knows(step)) {
			vgpu_digest(step, out);
			break;
		}
		gp_str_printf(out, "%x %s%s%s>%s", step->pf.bus,
			      gp_streq(step->attribute, "sriov_numvfs") ? "" : step->attribute,
			      gp_streq(step->attribute, "sriov_numvfs") ? "" : " ", step->before, step->after);
		break;
	case GP_STEP_WAIT:
		gp_str_printf(out, "%x wait %s", step->pf.bus, step->after);
		break;
	case GP_STEP_DETACH:
		gp_str_printf(out, "%s %s ", step->keeps_for ? "take out" : "detach", step->device);
		add_place(step->before, out);
		break;
	case GP_STEP_ATTACH:
		gp_str_printf(out, "attach %s ", step->device);
		add_place(step->source, out);
		break;
	case GP_STEP_REPLACE:
		gp_str_printf(out, "replace %s ", step->device);
		add_place(step->before, out);
		gp_str_add_char(out, '>');
		add_place(step->source, out);
		break;
	case GP_STEP_MARK:
		if (gp_streq(step->attribute, GP_MARK_PLACE)) {
			gp_str_printf(out, "forget %s", step->device);
			break;
		}
		gp_str_printf(out, "%s %s", step->after ? "mark" : "unmark", step->device);
		break;
	case GP_STEP_STOP:
		gp_str_printf(out, "stop %s", step->device);
		break;
	case GP_STEP_START:
		gp_str_printf(out, "start %s", step->device);
		break;
	default:
		gp_str_printf(out, "other %s", step->device);
	}
}

static void digest_chains(const struct gp_stage *stage, struct gp_str *out)
{
	for (size_t c = 0; c < stage->chain_count; c++) {
		for (size_t s = 0; s < stage->chains[c].step_count; s++) {
			gp_str_add(out, s ? ", " : c ? " | " : "");
			digest_step(&stage->chains[c].steps[s], out);
		}
	}
}

void plan_digest(const struct gp_plan *plan, struct gp_str *out)
{
	for (size_t s = 0; s < plan->stage_count; s++) {
		gp_str_add(out, s ? " || " : "");
		digest_chains(&plan->stages[s], out);
	}
	for (size_t w = 0; w < plan->waiting_count; w++)
		gp_str_printf(out, "%s%s",
			      w ? " " : "; wait: ", plan->waiting[w].for_domain ? plan->waiting[w].for_domain : "-");
	for (size_t d = 0, n = 0; d < plan->diags.count; d++) {
		if (plan->diags.items[d].severity == GP_ERROR)
			gp_str_printf(out, "%s%s", n++ ? " " : "; error: ", plan->diags.items[d].code);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deltas to primitive steps. Drafts are made in passes, so that each needs only what stands before it:
 *
 *	leave     VMs that GPUs need off are stopped, marked first; hostdevs go for good
 *	GPUs      whatever the back-end asks for
 *	leave     VMs that are stopped for nothing but a partition of these GPUs: if the kernel says no, they run on
 *	attach    hostdevs that come, new or in the place of others
 *	start     VMs whose own GPUs and edits are done
 *	unmark    marks that are void now
 */
#include "base/num.h"
#include "model/names.h"
#include "plan/sheet.h"

enum { DEFAULT_DEADLINE_MS = 60 * 1000 };

/* ---- drafts ---- */

static struct gp_draft *add_draft(struct gp_sheet *sheet, enum gp_step_kind kind, struct gp_reason reason,
				  unsigned case_number)
{
	struct gp_draft *draft = gp_arena_push(sheet->scratch, sheet->drafts, sheet->draft_count);

	draft->step.kind = kind;
	draft->step.reason = reason;
	draft->step.case_number = case_number;
	return draft;
}

static size_t number_of(const struct gp_sheet *sheet, const struct gp_draft *draft)
{
	return (size_t)(draft - sheet->drafts);
}

static void need(struct gp_sheet *sheet, struct gp_draft *draft, size_t other)
{
	if (other == GP_NO_STEP || other == number_of(sheet, draft))
		return;
	for (size_t i = 0; i < draft->need_count; i++) {
		if (draft->needs[i] == other)
			return;
	}
	*gp_arena_push(sheet->scratch, draft->needs, draft->need_count) = other;
}

static struct gp_draft *add_vm_draft(struct gp_sheet *sheet, struct gp_vm_row *vm, enum gp_step_kind kind,
				     struct gp_reason reason, unsigned case_number)
{
	struct gp_draft *draft = add_draft(sheet, kind, reason, case_number);

	draft->vm = vm;
	draft->step.base = GP_BASE_DOMAIN;
	draft->step.device = gp_arena_strdup(sheet->arena, vm->domain->name);
	draft->step.domain = vm->domain->uuid;
	return draft;
}

/* ---- GPUs: the back-end speaks ---- */

static struct gp_step *push_vendor_step(struct gp_step_sink *sink, enum gp_step_kind kind)
{
	struct gp_gpu_row *gpu = sink->context;
	struct gp_step *step = gp_arena_new_of(sink->arena, struct gp_step);

	if (!sink->observe_why)
		gpu->step_later = gpu->step_count + 1;
	*gp_arena_push(sink->arena, gpu->steps, gpu->step_count) = step;
	step->kind = kind;
	step->pf = gpu->gpu->addr;
	step->reason = sink->delta->reason;
	step->case_number = sink->delta->case_number;
	return step;
}

static bool goes_ahead(const struct gp_gpu_row *gpu)
{
	return gpu->changes && !gpu->waits;
}

/* A mediated device is made for its VM, all else because of the class. */
static struct gp_reason reason_of(struct gp_sheet *sheet, const struct gp_slot *slot)
{
	const struct gp_class *class_of = slot->gpu->class_of;

	if (slot->made && slot->gpu->mdevs)
		return (struct gp_reason){"vm-mdev",
					  gp_sheet_printf(sheet, "for %s, which asks for class %s",
							  slot->taken_by->vm->domain->name, class_of->name),
					  slot->taken_by->want->mark};
	if (slot->retuned)
		return (struct gp_reason){"vgpu-params",
					  gp_sheet_printf(sheet, "class %s asks for %s", class_of->name,
							  *class_of->vgpu_params ? "them" : "none"),
					  class_of->vgpu_params_mark};
	return slot->gpu->reason;
}

/* What is made anew has none. */
static const char *params_for(const struct gp_slot *slot)
{
	const char *params = slot->gpu->class_of->vgpu_params;

	return slot->retuned || (slot->made && params && *params) ? params : NULL;
}

static void list_vf_changes(struct gp_sheet *sheet, struct gp_gpu_row *gpu, struct gp_delta *delta)
{
	struct gp_vf_change *changes = NULL;
	size_t count = 0;

	for (uint32_t i = 0; i < gpu->slot_count; i++) {
		const struct gp_slot *slot = &gpu->slots[i];

		if (!slot->lost && !slot->made && !slot->retuned)
			continue;
		*gp_arena_push(sheet->arena, changes, count) = (struct gp_vf_change){
			.vf = i,
			.now = slot->now,
			.clears = slot->lost,
			.to = slot->made ? slot->group : NULL,
			.mdev = slot->made && gpu->mdevs ? &slot->taken_by->mdev : NULL,
			.params = params_for(slot),
			.reason = reason_of(sheet, slot),
			.case_number = slot->made && gpu->mdevs ? 103
				       : slot->retuned          ? 106
								: gpu->case_number,
		};
	}
	delta->vfs = changes;
	delta->vf_count = count;
}

static void ask_backend(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	struct gp_delta delta = {.gpu = gpu->gpu,
				 .class_of = gpu->class_of,
				 .policy = &sheet->desired->policy,
				 .from = gpu->from,
				 .to = gpu->to,
				 .reason = gpu->reason,
				 .case_number = gpu->case_number};

	if (gpu->by_profile)
		list_vf_changes(sheet, gpu, &delta);
	struct gp_step_sink sink = {sheet->arena, &delta, push_vendor_step, gpu, NULL};

	gpu->gpu->backend->steps(&delta, &sink);
	gpu->observe_why = sink.observe_why;
	for (size_t i = 0; i < gpu->step_count; i++) {
		struct gp_step *step = gpu->steps[i];

		if (!step->timeout_ms)
			step->timeout_ms = DEFAULT_DEADLINE_MS;
		/* Nothing that takes partitions away is done unguarded, whatever the back-end forgot. */
		if (step->disruption >= GP_DISRUPTS_PARTITION && step->guard == GP_GUARD_NONE)
			step->guard = GP_GUARD_UNHELD;
	}
}

/* ---- stages: what must wait for another look ---- */

/* The device does not tell where its VFs will be before they are made. */
static bool is_blind(const struct gp_gpu_row *gpu)
{
	return goes_ahead(gpu) && !gpu->by_profile && gpu->from == 0 && gpu->gpu->vf_offset == 0 &&
	       gpu->gpu->vf_stride == 0;
}

static bool comes_after_a_look(const struct gp_vm_row *vm)
{
	for (size_t a = 0; a < vm->ask_count; a++) {
		const struct gp_gpu_row *gpu = vm->asks[a].slot ? vm->asks[a].slot->gpu : NULL;

		if (gpu && (gpu->observe_why || gpu->later))
			return true;
	}
	return false;
}

static bool hangs_on_a_look(const struct gp_vm_row *vm)
{
	for (size_t e = 0; e < vm->edit_count; e++) {
		const struct gp_slot *slot = vm->edits[e].ask ? vm->edits[e].ask->slot : NULL;

		if (!slot)
			continue;
		if (slot->gpu->blind || slot->gpu->observe_why || slot->gpu->later)
			return true;
		for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
			if (claim->vm != vm && claim->vm->later)
				return true;
		}
	}
	return comes_after_a_look(vm);
}

/* A mediated device stays where it is until there is a place for its VM to go to; and a VM that is restarted then need
 * not be off now for other parameters. */
static bool leads_to_a_look(const struct gp_gpu_row *gpu)
{
	for (size_t s = 0; goes_ahead(gpu) && s < gpu->slot_count; s++) {
		const struct gp_slot *slot = &gpu->slots[s];
		bool goes = slot->lost && gpu->mdevs;

		if (goes && slot->leaver && comes_after_a_look(slot->leaver->vm))
			return true;
		for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
			if ((goes || (slot->retuned && claim->live)) && comes_after_a_look(claim->vm))
				return true;
		}
	}
	return false;
}

static void find_later_gpus(struct gp_sheet *sheet)
{
	bool again = sheet->observe_again;

	while (again) {
		again = false;
		for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
			struct gp_gpu_row *gpu = &sheet->gpus[g];

			if (!gpu->later && !gpu->observe_why && leads_to_a_look(gpu))
				again = gpu->later = true;
		}
	}
}

/*
 * case 95: hostdevs of ours that name no VF we know, while a GPU is about to get VFs nobody knows the addresses of.
 * They may well be the right ones: look again before anybody's definition is touched. Without such hostdevs nothing has
 * to be chosen, and symbolic names will do (case 96).
 */
static void split_stages(struct gp_sheet *sheet)
{
	bool unresolved = false, again = true;

	for (size_t v = 0; v < sheet->vm_count; v++)
		unresolved = unresolved || (sheet->vms[v].unresolved && sheet->vms[v].ask_count);
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *gpu = &sheet->gpus[g];

		gpu->blind = unresolved && is_blind(gpu);
		sheet->observe_again = sheet->observe_again || gpu->blind || gpu->observe_why;
		if (gpu->blind && !gpu->observe_why)
			gpu->observe_why = gp_sheet_printf(
				sheet,
				"GPU %s does not tell where its VFs will be before they exist, and definitions name "
				"VFs that are not known yet",
				gp_gpu_name(sheet, gpu));
	}
	find_later_gpus(sheet);
	for (size_t v = 0; v < sheet->vm_count; v++) {
		struct gp_vm_row *vm = &sheet->vms[v];

		vm->later = sheet->observe_again && vm->unresolved && vm->ask_count;
		for (size_t e = 0; vm->later && e < vm->edit_count; e++)
			vm->edits[e].case_number = 95;
	}
	while (sheet->observe_again && again) {
		again = false;
		for (size_t v = 0; v < sheet->vm_count; v++) {
			struct gp_vm_row *vm = &sheet->vms[v];

			if (!vm->later && hangs_on_a_look(vm))
				again = vm->later = true;
		}
	}
}

/* ---- VMs ---- */

static size_t step_of_gpu(const struct gp_slot *slot)
{
	return goes_ahead(slot->gpu) ? slot->gpu->last_step : GP_NO_STEP;
}

static void need_its_gpus(struct gp_sheet *sheet, struct gp_draft *draft, const struct gp_vm_row *vm)
{
	for (size_t a = 0; a < vm->ask_count; a++) {
		if (vm->asks[a].slot)
			need(sheet, draft, step_of_gpu(vm->asks[a].slot));
	}
}

static bool takes_away(const struct gp_slot *slot, bool now)
{
	return goes_ahead(slot->gpu) && (slot->lost || slot->retuned) && !(now && slot->gpu->later);
}

/* A reset has to wait until it is off: it runs with a partition that goes, or lets one go that it is stopped for. */
static bool is_in_the_way(struct gp_sheet *sheet, const struct gp_vm_row *vm, bool now)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (vm->claims[c]->live && takes_away(vm->claims[c]->slot, now))
			return true;
	}
	for (size_t e = 0; e < vm->edit_count; e++) {
		const struct gp_slot *slot = vm->edits[e].ask ? NULL : gp_sheet_slot(sheet, vm->edits[e].remove);

		if (slot && takes_away(slot, now))
			return true;
	}
	return false;
}

/* Stopped for nothing but the partitions that are being made for it. */
static void find_who_lingers(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	bool waits_for_gpu = false, in_the_way = is_in_the_way(sheet, vm, false);

	for (size_t a = 0; a < vm->ask_count; a++)
		waits_for_gpu = waits_for_gpu || (vm->asks[a].slot && goes_ahead(vm->asks[a].slot->gpu));
	vm->lingers = vm->stops && vm->restores && waits_for_gpu && !in_the_way;
	/* Until then it runs on. */
	vm->stops_later = vm->later && (vm->lingers || (vm->restores && in_the_way && !is_in_the_way(sheet, vm, true)));
}

static bool stays_off(const struct gp_vm_row *vm)
{
	return !vm->starts && (vm->stops || !vm->up);
}

static void draft_mark(struct gp_sheet *sheet, struct gp_vm_row *vm, bool set, size_t after)
{
	struct gp_draft *draft =
		add_vm_draft(sheet, vm, GP_STEP_MARK, set ? vm->stop_reason : vm->start_reason, vm->power_case);

	draft->step.attribute = GP_MARK_TO_START;
	draft->step.before = set ? NULL : GP_MARK_TO_START;
	draft->step.after = set ? GP_MARK_TO_START : NULL;
	draft->step.what = set             ? "note that it is to be started again"
			   : stays_off(vm) ? "it is to stay off; forget that it was to be started"
					   : "it runs; forget that it was to be started";
	draft->later = set ? vm->stops_later : vm->later;
	need(sheet, draft, after);
	if (set)
		vm->stop_step = number_of(sheet, draft);
}

static void draft_stop(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_policy *policy = &sheet->desired->policy;
	struct gp_draft *draft;
	GP_CLEANUP(gp_str_clear) struct gp_str grace = {0};

	if (vm->restores && !vm->domain->to_start) {
		draft_mark(sheet, vm, true, GP_NO_STEP);
		if (vm->lingers)
			need_its_gpus(sheet, &sheet->drafts[vm->stop_step], vm);
	}
	draft = add_vm_draft(sheet, vm, GP_STEP_STOP, vm->stop_reason, vm->power_case);
	draft->later = vm->stops_later;
	draft->step.before = "running";
	draft->step.after = "off";
	draft->step.timeout_ms = policy->shutdown_timeout_ms ? policy->shutdown_timeout_ms : DEFAULT_DEADLINE_MS;
	draft->step.force = policy->force_off;
	draft->step.disruption = GP_DISRUPTS_VM;
	gp_add_duration(&grace, draft->step.timeout_ms);
	draft->step.what = gp_sheet_printf(sheet, "stop it: ask it to shut down, wait up to %s%s", gp_str_text(&grace),
					   policy->force_off ? ", then force it off" : "");
	need(sheet, draft, vm->stop_step);
	if (vm->lingers)
		need_its_gpus(sheet, draft, vm);
	vm->stop_step = number_of(sheet, draft);
}

static struct gp_hostdev copy_of(struct gp_sheet *sheet, const struct gp_hostdev *hostdev)
{
	struct gp_hostdev copy = *hostdev;

	copy.alias = gp_arena_strdup(sheet->arena, hostdev->alias);
	copy.guest_xml = gp_arena_strdup(sheet->arena, hostdev->guest_xml);
	return copy;
}

static const char *name_of_hostdev(struct gp_sheet *sheet, const struct gp_hostdev *hostdev)
{
	char address[GP_PCI_ADDR_SIZE], uuid[GP_UUID_SIZE], vf[GP_VF_REF_SIZE];

	if (hostdev->resolved && hostdev->gpu < sheet->observed->gpu_count)
		return gp_sheet_printf(
			sheet, "%s",
			gp_vf_ref_format((struct gp_vf_ref){sheet->observed->gpus[hostdev->gpu].addr, hostdev->vf},
					 vf));
	if (hostdev->type == GP_HOSTDEV_MDEV)
		return gp_sheet_printf(sheet, "mdev:%s", gp_uuid_format(hostdev->mdev, uuid));
	return gp_sheet_printf(sheet, "%s", gp_pci_addr_format(hostdev->source, address));
}

static enum gp_guard guard_of(const struct gp_vm_row *vm)
{
	return vm->stops || !vm->up ? GP_GUARD_OFF : GP_GUARD_NONE;
}

static struct gp_draft *add_edit_draft(struct gp_sheet *sheet, struct gp_edit *edit, enum gp_step_kind kind)
{
	struct gp_draft *draft = add_vm_draft(sheet, edit->vm, kind, edit->reason, edit->case_number);

	draft->later = edit->vm->later;
	draft->step.guard = guard_of(edit->vm);
	need(sheet, draft, edit->vm->stops ? edit->vm->stop_step : GP_NO_STEP);
	need(sheet, draft, edit->vm->last_edit);
	edit->vm->last_edit = number_of(sheet, draft);
	return draft;
}

/* Out for good; or, keeping its place, until what is to come there can come. */
static void draft_detach(struct gp_sheet *sheet, struct gp_edit *edit, const char *keeps_for)
{
	struct gp_draft *draft = add_edit_draft(sheet, edit, GP_STEP_DETACH);

	draft->step.hostdev = copy_of(sheet, edit->remove);
	draft->step.keeps_for = keeps_for;
	draft->step.before = name_of_hostdev(sheet, edit->remove);
	draft->step.disruption = keeps_for ? GP_DISRUPTS_NOTHING : GP_DISRUPTS_VM_DEVICE;
	draft->step.what = gp_sheet_printf(sheet, "take %s out of its definition, %s", draft->step.before,
					   keeps_for ? "and keep its place" : "for good");
	edit->detach_step = number_of(sheet, draft);
}

static void draft_releases(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	for (size_t e = 0; e < vm->edit_count && !vm->edits_wait; e++) {
		if (!vm->edits[e].ask)
			draft_detach(sheet, &vm->edits[e], NULL);
	}
}

static void draft_leaves(struct gp_sheet *sheet, bool lingering)
{
	for (size_t v = 0; v < sheet->vm_count; v++) {
		if (sheet->vms[v].stops && sheet->vms[v].lingers == lingering)
			draft_stop(sheet, &sheet->vms[v]);
	}
	for (size_t v = 0; v < sheet->vm_count; v++) {
		if (sheet->vms[v].lingers == lingering)
			draft_releases(sheet, &sheet->vms[v]);
	}
}

/* Before a GPU loses VFs, or they get other parameters: those who run with one are off, those who give one up have let
 * go. Who is off and moves keeps its old hostdev until its new one can come: what is not there holds nothing up. */
static void need_the_gpu_empty(struct gp_sheet *sheet, struct gp_draft *draft, const struct gp_gpu_row *gpu)
{
	for (size_t s = 0; s < gpu->slot_count; s++) {
		for (const struct gp_claim *claim = gpu->slots[s].claims; claim && takes_away(claim->slot, false);
		     claim = claim->next) {
			if (claim->live && claim->vm->stops)
				need(sheet, draft, claim->vm->stop_step);
			for (size_t e = 0; e < claim->vm->edit_count; e++) {
				if (claim->vm->edits[e].remove == claim->hostdev && (draft->later || !claim->vm->later))
					need(sheet, draft, claim->vm->edits[e].detach_step);
			}
		}
	}
}

/* A mediated device that moves has to be gone where it was, perhaps on another GPU. */
static void need_its_name_free(struct gp_sheet *sheet, struct gp_draft *draft)
{
	for (size_t d = 0; d < sheet->draft_count; d++) {
		const struct gp_step *other = &sheet->drafts[d].step;

		if (other->base == GP_BASE_MDEV && gp_streq(other->device, draft->step.after) &&
		    gp_streq(other->attribute, "remove"))
			need(sheet, draft, d);
	}
}

/* The steps up to `end`, one after the other. */
static void draft_gpu(struct gp_sheet *sheet, struct gp_gpu_row *gpu, size_t end)
{
	for (; gpu->drafted < end; gpu->drafted++) {
		const struct gp_step *step = gpu->steps[gpu->drafted];
		struct gp_draft *draft = add_draft(sheet, step->kind, step->reason, step->case_number);

		draft->gpu = gpu;
		draft->step = *step;
		draft->later = gpu->later || gpu->drafted >= gpu->step_later;
		if (gpu->drafted == 0)
			need_the_gpu_empty(sheet, draft, gpu);
		if (gpu->mdevs)
			need_its_name_free(sheet, draft);
		need(sheet, draft, gpu->last_step);
		gpu->last_step = number_of(sheet, draft);
	}
}

/* The steps at the beginning that take partitions away, where others need not wait for those that make some. */
static size_t clearing_steps(const struct gp_gpu_row *gpu)
{
	size_t count = 0;

	while (gpu->by_profile && count < gpu->step_count && gpu->steps[count]->disruption == GP_DISRUPTS_PARTITION)
		count++;
	return count;
}

static void draft_gpus(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		sheet->gpus[g].last_step = GP_NO_STEP;
		draft_gpu(sheet, &sheet->gpus[g], clearing_steps(&sheet->gpus[g]));
	}
	for (size_t g = 0; g < sheet->observed->gpu_count; g++)
		draft_gpu(sheet, &sheet->gpus[g], sheet->gpus[g].step_count);
}

/* Whoever had the slot has let go of it: in its definition, and plugged. */
static void need_the_slot_free(struct gp_sheet *sheet, struct gp_draft *draft, const struct gp_edit *edit)
{
	for (const struct gp_claim *claim = edit->ask->slot->claims; claim; claim = claim->next) {
		if (claim->vm == edit->vm)
			continue;
		if (claim->live && claim->vm->stops)
			need(sheet, draft, claim->vm->stop_step);
		for (size_t e = 0; !edit->ask->slot->gpu->mdevs && e < claim->vm->edit_count; e++) {
			if (claim->vm->edits[e].remove == claim->hostdev)
				need(sheet, draft, claim->vm->edits[e].detach_step);
		}
	}
}

static struct gp_hostdev hostdev_for(struct gp_sheet *sheet, const struct gp_edit *edit)
{
	const struct gp_slot *slot = edit->ask->slot;
	struct gp_hostdev hostdev = {.type = GP_HOSTDEV_PCI, .managed = true, .guest_xml = ""};
	GP_CLEANUP(gp_str_clear) struct gp_str alias = {0};

	if (slot->gpu->gpu->backend && slot->gpu->gpu->backend->device)
		slot->gpu->gpu->backend->device(slot->gpu->gpu, slot->index, &hostdev);
	hostdev.alias =
		gp_sheet_printf(sheet, "%s", gp_alias_format(&alias, edit->ask->request, slot->gpu->class_of->name));
	hostdev.ours = true;
	/* Kept from what is replaced, or the guest sees a new GPU. */
	hostdev.guest_xml =
		gp_arena_strdup(sheet->arena, edit->remove && edit->remove->guest_xml ? edit->remove->guest_xml : "");
	hostdev.display = hostdev.type == GP_HOSTDEV_MDEV && edit->remove && edit->remove->display;
	hostdev.ramfb = hostdev.type == GP_HOSTDEV_MDEV && edit->remove && edit->remove->ramfb;
	hostdev.resolved = true;
	hostdev.gpu = (size_t)(slot->gpu - sheet->gpus);
	hostdev.vf = slot->index;
	hostdev.mdev = edit->ask->mdev;
	if (hostdev.type == GP_HOSTDEV_PCI && !gp_gpu_vf_addr(slot->gpu->gpu, slot->index, &hostdev.source))
		hostdev.source = (struct gp_pci_addr){0};
	return hostdev;
}

static enum gp_unit unit_of(const struct gp_bound *bound)
{
	if (bound->min.unit != GP_UNIT_NONE)
		return bound->min.unit;
	return bound->optimal.unit != GP_UNIT_NONE ? bound->optimal.unit : bound->max.unit;
}

static struct gp_amount amount_of(const struct gp_offer *offer, enum gp_unit unit)
{
	uint64_t value = unit == GP_UNIT_BYTES ? offer->bytes : unit == GP_UNIT_SHARE ? offer->share : offer->engines;

	return (struct gp_amount){unit, value};
}

/* "; vram 2GiB by admission, decode 25% by admission": what is got for each amount asked, and how that holds. */
static const char *how_bounds_hold(struct gp_sheet *sheet, const struct gp_ask *ask)
{
	GP_CLEANUP(gp_str_clear) struct gp_str words = {0};

	for (enum gp_resource r = 0; r < GP_RESOURCE_COUNT; r++) {
		const struct gp_bound *bound = &ask->want->bounds[r];
		const struct gp_offer *offer = &ask->slot->offers[r];

		if (!bound->given)
			continue;
		gp_str_printf(&words, "%s%s ", words.length ? ", " : "; ", gp_resource_name(r));
		gp_amount_format(amount_of(offer, unit_of(bound)), &words);
		gp_str_printf(&words, " by %s", gp_hold_name(offer->hold));
	}
	return gp_sheet_printf(sheet, "%s", gp_str_text(&words));
}

static const char *name_of_old(struct gp_sheet *sheet, const struct gp_edit *edit)
{
	return gp_sheet_printf(sheet, "%s%s", name_of_hostdev(sheet, edit->remove),
			       edit->remove->ours ? "" : " (made by hand)");
}

/* "vf:0000:41:00.0/3", with the profile that it has. */
static const char *name_of_new(struct gp_sheet *sheet, const struct gp_edit *edit)
{
	const struct gp_slot *slot = edit->ask->slot;
	const char *name = gp_slot_name(sheet, slot);

	if (slot->gpu->mdevs)
		return gp_sheet_printf(sheet, "the mediated device on %s (%s)", name, slot->profile);
	return slot->profile ? gp_sheet_printf(sheet, "%s (%s)", name, slot->profile) : name;
}

/* What happens to the definition, up to the class. */
static const char *what_comes(struct gp_sheet *sheet, const struct gp_edit *edit, const char *slot)
{
	const char *old = edit->remove ? name_of_old(sheet, edit) : NULL;

	if (!old)
		return gp_sheet_printf(sheet, "put %s into its definition", slot);
	if (edit->noted)
		return gp_sheet_printf(sheet, "go on exchanging %s, taken out before, for %s", old, slot);
	if (gp_sheet_slot(sheet, edit->remove) != edit->ask->slot)
		return gp_sheet_printf(sheet, "exchange %s for %s", old, slot);
	return gp_sheet_printf(sheet, edit->remove->ours ? "put %s into its definition anew" : "take over %s", old);
}

static void draft_attach(struct gp_sheet *sheet, struct gp_edit *edit)
{
	const struct gp_slot *slot = edit->ask->slot;
	struct gp_draft *draft = add_edit_draft(sheet, edit, edit->remove ? GP_STEP_REPLACE : GP_STEP_ATTACH);

	draft->step.hostdev = hostdev_for(sheet, edit);
	draft->step.source = draft->step.after = gp_slot_name(sheet, slot);
	draft->step.pf = slot->gpu->gpu->addr;
	if (edit->remove) {
		draft->step.replaces = copy_of(sheet, edit->remove);
		draft->step.before = name_of_hostdev(sheet, edit->remove);
	}
	draft->step.what = gp_sheet_printf(
		sheet, "%s, class %s%s%s", what_comes(sheet, edit, name_of_new(sheet, edit)), slot->gpu->class_of->name,
		*draft->step.hostdev.guest_xml ? ", at the same guest address" : "", how_bounds_hold(sheet, edit->ask));
	need(sheet, draft, step_of_gpu(slot));
	need_the_slot_free(sheet, draft, edit);
	edit->attach_step = number_of(sheet, draft);
	if (edit->remove && edit->detach_step == GP_NO_STEP)
		edit->detach_step = edit->attach_step;
}

/* ---- exchanges among each other ---- */

static bool still_has_what_it_gives(const struct gp_edit *edit)
{
	return edit->ask && edit->remove && !edit->noted && edit->detach_step == GP_NO_STEP && !edit->vm->edits_wait;
}

/* Two hostdevs of one definition cannot have the same name, not even for a moment. */
static bool has_its_name(const struct gp_edit *other, const struct gp_edit *edit)
{
	uint32_t request;
	const char *class_name;

	return gp_alias_parse(other->remove->alias, &request, &class_name) == 0 && request == edit->ask->request &&
	       gp_streq(class_name, edit->ask->slot->gpu->class_of->name);
}

/* Who still has the partition, or in the same definition the name, that is to come with this edit. */
static struct gp_edit *in_the_way_of(const struct gp_edit *edit)
{
	/* A mediated device has a name of its own: no two definitions are in each other's way. */
	for (const struct gp_claim *claim = edit->ask->slot->claims; claim && !edit->ask->slot->gpu->mdevs;
	     claim = claim->next) {
		for (size_t e = 0; e < claim->vm->edit_count; e++) {
			struct gp_edit *other = &claim->vm->edits[e];

			if (other != edit && other->remove == claim->hostdev && still_has_what_it_gives(other))
				return other;
		}
	}
	for (size_t e = 0; e < edit->vm->edit_count; e++) {
		struct gp_edit *other = &edit->vm->edits[e];

		if (other != edit && still_has_what_it_gives(other) && has_its_name(other, edit))
			return other;
	}
	return NULL;
}

static bool is_to_come(const struct gp_edit *edit)
{
	return edit->ask && edit->attach_step == GP_NO_STEP && !edit->vm->edits_wait;
}

/* Drafts all that have nobody in their way. Returns one that has, or NULL. */
static struct gp_edit *draft_free_attaches(struct gp_sheet *sheet, bool *any, size_t *edit_count)
{
	struct gp_edit *stuck = NULL;

	*any = false;
	*edit_count = 0;
	for (size_t v = 0; v < sheet->vm_count; v++) {
		for (size_t e = 0; e < sheet->vms[v].edit_count; e++) {
			struct gp_edit *edit = &sheet->vms[v].edits[e];

			++*edit_count;
			if (!is_to_come(edit))
				continue;
			if (in_the_way_of(edit)) {
				stuck = stuck ? stuck : edit;
				continue;
			}
			draft_attach(sheet, edit);
			*any = true;
		}
	}
	return stuck;
}

/* case 68: a circle of exchanges. One of them lets go first, and its place is kept: it is the last to be served. */
static void open_circle(struct gp_sheet *sheet, struct gp_edit *stuck, size_t edit_count)
{
	GP_CLEANUP(gp_str_clear) struct gp_str alias = {0};

	for (size_t i = 0; i < edit_count; i++) /* whoever waits for a circle is led into it */
		stuck = in_the_way_of(stuck);
	gp_alias_format(&alias, stuck->ask->request, stuck->ask->slot->gpu->class_of->name);
	draft_detach(sheet, stuck, gp_sheet_printf(sheet, "%s", gp_str_text(&alias)));
}

static void draft_attaches(struct gp_sheet *sheet)
{
	size_t edit_count;
	bool any;

	for (struct gp_edit *stuck; (stuck = draft_free_attaches(sheet, &any, &edit_count));) {
		if (!any)
			open_circle(sheet, stuck, edit_count);
	}
}

/* case 99: after the edits, since the place may be that of one of them, kept under another name */
static void draft_forgets(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	struct gp_reason reason = {"place-void", "nobody is to come to the place that was kept",
				   vm->want ? vm->want->mark : (struct gp_mark){0}};

	for (size_t f = 0; f < vm->forget_count && !vm->edits_wait; f++) {
		struct gp_draft *draft = add_vm_draft(sheet, vm, GP_STEP_MARK, reason, 99);

		draft->later = vm->later;
		draft->step.attribute = GP_MARK_PLACE;
		draft->step.before = gp_arena_strdup(sheet->arena, vm->forgets[f]->alias);
		draft->step.what = gp_sheet_printf(sheet, "forget the place kept for %s", draft->step.before);
		need(sheet, draft, vm->last_edit);
		vm->last_edit = number_of(sheet, draft);
	}
}

static void draft_start(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	struct gp_draft *draft;
	struct gp_reason reason = vm->start_reason;

	if (!vm->starts)
		return;
	if (!reason.code)
		reason = vm->start_reason = (struct gp_reason){"restore-power", "it ran before", vm->stop_reason.mark};
	draft = add_vm_draft(sheet, vm, GP_STEP_START, reason, vm->power_case);
	draft->later = vm->later;
	draft->step.before = "off";
	draft->step.after = "running";
	draft->step.timeout_ms = DEFAULT_DEADLINE_MS;
	draft->step.what = "start it";
	need(sheet, draft, vm->stops ? vm->stop_step : GP_NO_STEP);
	need(sheet, draft, vm->last_edit);
	need_its_gpus(sheet, draft, vm);
	for (size_t c = 0; c < vm->claim_count; c++) {
		/* Whoever runs with what its definition names goes off first. */
		const struct gp_vm_row *holder = gp_slot_live_holder(vm->claims[c]->slot, vm);

		if (!vm->claims[c]->live && !vm->claims[c]->noted && holder && holder->stops)
			need(sheet, draft, holder->stop_step);
		/* It starts with what it has, since its edits wait, or since that is its own by hand: not in the middle
		 * of a reset, nor of what it gets for parameters. */
		if (!vm->claims[c]->live && !vm->claims[c]->noted && (vm->edits_wait || vm->claims[c]->slot->retuned))
			need(sheet, draft, step_of_gpu(vm->claims[c]->slot));
	}
	vm->start_step = number_of(sheet, draft);
}

static void draft_unmark(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	if (vm->clears_mark && !vm->start_reason.code)
		vm->start_reason = (struct gp_reason){"mark-void", "the mark says nothing any more",
						      vm->want ? vm->want->mark : (struct gp_mark){0}};
	if (vm->clears_mark || (vm->starts && (vm->restores || vm->domain->to_start)))
		draft_mark(sheet, vm, false, vm->starts ? vm->start_step : vm->stop_step);
}

/* ---- needs that follow from others are not said ---- */

static void mark_ancestors(const struct gp_sheet *sheet, size_t number, size_t *seen, size_t stamp)
{
	const struct gp_draft *draft = &sheet->drafts[number];

	for (size_t i = 0; i < draft->need_count; i++) {
		if (seen[draft->needs[i]] == stamp)
			continue;
		seen[draft->needs[i]] = stamp;
		mark_ancestors(sheet, draft->needs[i], seen, stamp);
	}
}

static void drop_implied_needs(struct gp_sheet *sheet)
{
	size_t *seen = gp_arena_array_of(sheet->scratch, size_t, sheet->draft_count);

	for (size_t d = 0; d < sheet->draft_count; d++) {
		struct gp_draft *draft = &sheet->drafts[d];
		size_t kept = 0;

		if (draft->need_count < 2)
			continue;
		for (size_t i = 0; i < draft->need_count; i++)
			mark_ancestors(sheet, draft->needs[i], seen, d + 1);
		for (size_t i = 0; i < draft->need_count; i++) {
			if (seen[draft->needs[i]] != d + 1)
				draft->needs[kept++] = draft->needs[i];
		}
		draft->need_count = kept;
	}
}

static void each_vm(struct gp_sheet *sheet, void (*draft)(struct gp_sheet *sheet, struct gp_vm_row *vm))
{
	for (size_t v = 0; v < sheet->vm_count; v++)
		draft(sheet, &sheet->vms[v]);
}

void gp_steps(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		if (goes_ahead(&sheet->gpus[g]) && !sheet->gpus[g].faulty)
			ask_backend(sheet, &sheet->gpus[g]);
	}
	split_stages(sheet);
	each_vm(sheet, find_who_lingers);
	draft_leaves(sheet, false);
	draft_gpus(sheet);
	draft_leaves(sheet, true);
	draft_attaches(sheet);
	each_vm(sheet, draft_forgets);
	each_vm(sheet, draft_start);
	each_vm(sheet, draft_unmark);
	drop_implied_needs(sheet);
}

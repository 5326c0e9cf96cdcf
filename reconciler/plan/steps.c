/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deltas to primitive steps. Drafts are made in six passes, so that each needs only what stands before it:
 *
 *	stop      VMs that the plan takes down, marked first
 *	detach    hostdevs that go
 *	GPUs      whatever the back-end asks for
 *	attach    hostdevs that come
 *	start     VMs whose own GPUs and edits are done
 *	unmark    marks that are void now
 */
#include "base/num.h"
#include "model/names.h"
#include "plan/gate.h"
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

static void ask_backend(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	struct gp_delta delta = {gpu->gpu, gpu->class_of, gpu->from, gpu->to, gpu->reason, gpu->case_number};
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
	return goes_ahead(gpu) && gpu->from == 0 && gpu->gpu->vf_offset == 0 && gpu->gpu->vf_stride == 0;
}

static bool hangs_on_a_look(const struct gp_vm_row *vm)
{
	for (size_t e = 0; e < vm->edit_count; e++) {
		const struct gp_slot *slot = vm->edits[e].ask ? vm->edits[e].ask->slot : NULL;

		if (!slot)
			continue;
		if (slot->gpu->blind || slot->gpu->observe_why)
			return true;
		for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
			if (claim->vm != vm && claim->vm->later)
				return true;
		}
	}
	for (size_t a = 0; a < vm->ask_count; a++) {
		if (vm->asks[a].slot && vm->asks[a].slot->gpu->observe_why)
			return true;
	}
	return false;
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

static void draft_mark(struct gp_sheet *sheet, struct gp_vm_row *vm, bool set, size_t after)
{
	struct gp_draft *draft =
		add_vm_draft(sheet, vm, GP_STEP_MARK, set ? vm->stop_reason : vm->start_reason, vm->power_case);

	draft->step.attribute = GP_MARK_TO_START;
	draft->step.before = set ? NULL : GP_MARK_TO_START;
	draft->step.after = set ? GP_MARK_TO_START : NULL;
	draft->step.what = set ? "note that it is to be started again" : "it runs; forget that it was to be started";
	draft->later = !set && vm->later;
	need(sheet, draft, after);
	if (set)
		vm->stop_step = number_of(sheet, draft);
}

static void draft_stop(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_policy *policy = &sheet->desired->policy;
	struct gp_draft *draft;
	GP_CLEANUP(gp_str_clear) struct gp_str grace = {0};

	if (!vm->stops)
		return;
	if (vm->restores && !vm->domain->to_start)
		draft_mark(sheet, vm, true, GP_NO_STEP);
	draft = add_vm_draft(sheet, vm, GP_STEP_STOP, vm->stop_reason, vm->power_case);
	draft->step.before = "running";
	draft->step.after = "off";
	draft->step.timeout_ms = policy->shutdown_timeout_ms ? policy->shutdown_timeout_ms : DEFAULT_DEADLINE_MS;
	draft->step.force = policy->force_off;
	draft->step.disruption = GP_DISRUPTS_VM;
	gp_add_duration(&grace, draft->step.timeout_ms);
	draft->step.what = gp_sheet_printf(sheet, "stop it: ask it to shut down, wait up to %s%s", gp_str_text(&grace),
					   policy->force_off ? ", then force it off" : "");
	need(sheet, draft, vm->stop_step);
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

static void draft_detach(struct gp_sheet *sheet, struct gp_edit *edit, size_t *previous)
{
	struct gp_draft *draft;

	if (!edit->remove)
		return;
	draft = add_vm_draft(sheet, edit->vm, GP_STEP_DETACH, edit->reason, edit->case_number);
	draft->later = edit->vm->later;
	draft->step.hostdev = copy_of(sheet, edit->remove);
	draft->step.before = name_of_hostdev(sheet, edit->remove);
	draft->step.guard = guard_of(edit->vm);
	draft->step.disruption = edit->ask ? GP_DISRUPTS_NOTHING : GP_DISRUPTS_VM_DEVICE;
	draft->step.what = gp_sheet_printf(sheet, "take %s out of its definition%s", draft->step.before,
					   edit->ask ? "" : ", for good");
	need(sheet, draft, edit->vm->stops ? edit->vm->stop_step : GP_NO_STEP);
	need(sheet, draft, *previous);
	edit->detach_step = *previous = number_of(sheet, draft);
}

static void draft_detaches(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	size_t previous = GP_NO_STEP;

	for (size_t e = 0; e < vm->edit_count && !vm->edits_wait; e++)
		draft_detach(sheet, &vm->edits[e], &previous);
}

/* Before a GPU loses its VFs: those who run with one are off, those who give one up have let go. */
static void need_the_gpu_empty(struct gp_sheet *sheet, struct gp_draft *draft, const struct gp_gpu_row *gpu)
{
	if (gpu->from == 0)
		return;
	for (size_t s = 0; s < gpu->slot_count; s++) {
		for (const struct gp_claim *claim = gpu->slots[s].claims; claim; claim = claim->next) {
			if (claim->live && claim->vm->stops)
				need(sheet, draft, claim->vm->stop_step);
			for (size_t e = 0; e < claim->vm->edit_count; e++) {
				if (claim->vm->edits[e].remove == claim->hostdev && !claim->vm->later)
					need(sheet, draft, claim->vm->edits[e].detach_step);
			}
		}
	}
}

static void draft_gpu(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	gpu->last_step = GP_NO_STEP;
	for (size_t i = 0; i < gpu->step_count; i++) {
		struct gp_draft *draft = add_draft(sheet, gpu->steps[i]->kind, gpu->reason, gpu->case_number);

		draft->gpu = gpu;
		draft->step = *gpu->steps[i];
		if (i == 0)
			need_the_gpu_empty(sheet, draft, gpu);
		need(sheet, draft, gpu->last_step);
		gpu->last_step = number_of(sheet, draft);
	}
}

static size_t step_of_gpu(const struct gp_slot *slot)
{
	return goes_ahead(slot->gpu) ? slot->gpu->last_step : GP_NO_STEP;
}

/* Whoever had the slot has let go of it: in its definition, and plugged. */
static void need_the_slot_free(struct gp_sheet *sheet, struct gp_draft *draft, const struct gp_edit *edit)
{
	for (const struct gp_claim *claim = edit->ask->slot->claims; claim; claim = claim->next) {
		if (claim->vm == edit->vm)
			continue;
		if (claim->live && claim->vm->stops)
			need(sheet, draft, claim->vm->stop_step);
		for (size_t e = 0; e < claim->vm->edit_count; e++) {
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
	hostdev.resolved = true;
	hostdev.gpu = (size_t)(slot->gpu - sheet->gpus);
	hostdev.vf = slot->index;
	if (hostdev.type == GP_HOSTDEV_PCI && !gp_gpu_vf_addr(slot->gpu->gpu, slot->index, &hostdev.source))
		hostdev.source = (struct gp_pci_addr){0};
	return hostdev;
}

static void draft_attach(struct gp_sheet *sheet, struct gp_edit *edit, size_t *previous)
{
	struct gp_draft *draft;

	if (!edit->ask)
		return;
	draft = add_vm_draft(sheet, edit->vm, GP_STEP_ATTACH, edit->reason, edit->case_number);
	draft->later = edit->vm->later;
	draft->step.hostdev = hostdev_for(sheet, edit);
	draft->step.source = draft->step.after = gp_slot_name(sheet, edit->ask->slot);
	draft->step.pf = edit->ask->slot->gpu->gpu->addr;
	draft->step.guard = guard_of(edit->vm);
	draft->step.what = gp_sheet_printf(sheet, "put %s into its definition, class %s%s", draft->step.after,
					   edit->ask->slot->gpu->class_of->name,
					   *draft->step.hostdev.guest_xml ? ", at the same guest address" : "");
	need(sheet, draft, edit->vm->stops ? edit->vm->stop_step : GP_NO_STEP);
	need(sheet, draft, *previous);
	need(sheet, draft, step_of_gpu(edit->ask->slot));
	need_the_slot_free(sheet, draft, edit);
	edit->attach_step = *previous = number_of(sheet, draft);
}

static void draft_attaches(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	size_t previous = GP_NO_STEP;

	for (size_t e = 0; e < vm->edit_count; e++) {
		if (vm->edits[e].detach_step != GP_NO_STEP)
			previous = vm->edits[e].detach_step;
	}
	for (size_t e = 0; e < vm->edit_count && !vm->edits_wait; e++)
		draft_attach(sheet, &vm->edits[e], &previous);
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
	for (size_t e = 0; e < vm->edit_count; e++) {
		need(sheet, draft, vm->edits[e].detach_step);
		need(sheet, draft, vm->edits[e].attach_step);
	}
	for (size_t a = 0; a < vm->ask_count; a++) {
		if (vm->asks[a].slot)
			need(sheet, draft, step_of_gpu(vm->asks[a].slot));
	}
	for (size_t c = 0; c < vm->claim_count; c++) { /* whoever runs with what is in its definition goes off first */
		const struct gp_vm_row *holder = gp_slot_live_holder(vm->claims[c]->slot, vm);

		if (!vm->claims[c]->live && holder && holder->stops)
			need(sheet, draft, holder->stop_step);
	}
	vm->start_step = number_of(sheet, draft);
}

static void draft_unmark(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	if (vm->clears_mark && !vm->start_reason.code)
		vm->start_reason = (struct gp_reason){"mark-void", "the mark says nothing any more",
						      vm->want ? vm->want->mark : (struct gp_mark){0}};
	if (vm->clears_mark || (vm->starts && (vm->restores || vm->domain->to_start)))
		draft_mark(sheet, vm, false, vm->start_step);
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
	each_vm(sheet, draft_stop);
	each_vm(sheet, draft_detaches);
	for (size_t g = 0; g < sheet->observed->gpu_count; g++)
		draft_gpu(sheet, &sheet->gpus[g]);
	each_vm(sheet, draft_attaches);
	each_vm(sheet, draft_start);
	each_vm(sheet, draft_unmark);
	drop_implied_needs(sheet);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/wait.h"

#include "plan/mdev.h"

/* ---- who will be off ---- */

enum gp_disruption_policy gp_vm_policy(const struct gp_sheet *sheet, const struct gp_vm_row *vm,
				       const struct gp_class *class_of)
{
	return gp_desired_disruption(sheet->desired, class_of, vm->want);
}

bool gp_vm_is_asked_to_stop(const struct gp_vm_row *vm)
{
	return vm->up && vm->want && vm->want->power == GP_POWER_STOPPED;
}

bool gp_gpu_resets(const struct gp_gpu_row *gpu)
{
	return gpu->changes && gpu->lost_count > 0;
}

bool gp_slot_is_reset(const struct gp_slot *slot)
{
	return slot->lost && (!slot->gpu->mdevs || slot->wrong);
}

/* A GPU that is reset under the VM, and whose class (or the VM, or the host) lets us restart it. */
static bool restarts_for_a_gpu(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		const struct gp_gpu_row *gpu = vm->claims[c]->slot->gpu;

		if (vm->claims[c]->live && gp_slot_is_reset(vm->claims[c]->slot) && !gpu->waits &&
		    gp_vm_policy(sheet, vm, gpu->class_of) == GP_POLICY_RESTART)
			return true;
	}
	return false;
}

static bool restarts_for_its_binding(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	return vm->live_differs && !vm->edits_wait && gp_vm_policy(sheet, vm, vm->class_of) == GP_POLICY_RESTART;
}

bool gp_vm_goes_down(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	if (!vm->up || !vm->want || vm->faulty || vm->domain->state == GP_DOMAIN_STOPPING)
		return false;
	return gp_vm_is_asked_to_stop(vm) || restarts_for_a_gpu(sheet, vm) || restarts_for_its_binding(sheet, vm);
}

bool gp_claim_is_to_go(const struct gp_claim *claim)
{
	for (size_t e = 0; e < claim->vm->edit_count; e++) {
		if (claim->vm->edits[e].remove == claim->hostdev)
			return true;
	}
	return false;
}

/* ---- what waits ---- */

/* Listed, plugged in, and not to be stopped by us: the GPU waits until it is off. */
static bool is_waited_for(const struct gp_sheet *sheet, const struct gp_claim *claim)
{
	const struct gp_vm_row *vm = claim->vm;

	if (!claim->live || !vm->want || gp_vm_goes_down(sheet, vm))
		return false;
	return vm->domain->state == GP_DOMAIN_STOPPING ||
	       gp_vm_policy(sheet, vm, claim->slot->gpu->class_of) == GP_POLICY_DEFER;
}

/* Who is to leave the slot cannot leave yet; NULL: nobody is like that. */
static const char *who_cannot_leave(const struct gp_slot *slot)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		bool leaves = slot->gpu->mdevs ? !slot->taken_by || slot->taken_by->vm != claim->vm : !slot->offered;

		if (!claim->live && !claim->noted && leaves && claim->vm->edits_wait)
			return claim->vm->waits_for;
	}
	return slot->gpu->mdevs ? gp_mdev_leaver_waits_for(slot) : NULL;
}

static bool gpu_must_wait(const struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	for (size_t s = 0; s < gpu->slot_count; s++) {
		const struct gp_slot *slot = &gpu->slots[s];

		if (!gp_slot_is_reset(slot))
			continue;
		for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
			if (!is_waited_for(sheet, claim))
				continue;
			gpu->waits_for = claim->vm->domain->name; /* case 9 */
			gpu->case_number = 9;
			return true;
		}
		if (who_cannot_leave(slot)) {
			gpu->waits_for = who_cannot_leave(slot); /* case 27: whoever is to leave cannot leave yet */
			gpu->case_number = 27;
			return true;
		}
	}
	return false;
}

static bool edit_must_wait(const struct gp_sheet *sheet, struct gp_edit *edit)
{
	const struct gp_slot *slot = edit->ask ? edit->ask->slot : NULL;

	if (!slot)
		return false;
	if (slot->waits) {
		edit->vm->waits_for = slot->waits_for;
		edit->case_number = slot->wait_case;
		return true;
	}
	if (slot->gpu->changes && slot->gpu->waits) {
		edit->vm->waits_for = slot->gpu->waits_for; /* case 59 */
		edit->case_number = 59;
		return true;
	}
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		const struct gp_vm_row *other = claim->vm;

		if (other == edit->vm)
			continue;
		if (claim->live && !gp_vm_goes_down(sheet, other))
			edit->vm->waits_for = other->domain->name; /* case 52 */
		else if (!claim->live && !claim->noted && other->edits_wait)
			edit->vm->waits_for = other->waits_for;
		else
			continue;
		edit->case_number = 52;
		return true;
	}
	return false;
}

/* Its definition may be right, and what it names not there yet. */
static bool mdev_must_wait(const struct gp_ask *ask)
{
	const struct gp_slot *slot = ask->slot;

	if (!slot || !slot->gpu->mdevs || gp_ask_has_its_mdev(ask) || !(slot->waits || slot->gpu->waits))
		return false;
	ask->vm->waits_for = slot->waits ? slot->waits_for : slot->gpu->waits_for;
	return true;
}

/* A VM's edits are one: they are done together or wait together. */
static bool vm_must_wait(const struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	for (size_t e = 0; e < vm->edit_count; e++) {
		if (edit_must_wait(sheet, &vm->edits[e]))
			return true;
	}
	for (size_t a = 0; a < vm->ask_count; a++) {
		if (mdev_must_wait(&vm->asks[a]))
			return true;
	}
	return false;
}

/* What cannot be made now is not made, and what is in its place, or of its name, stays. */
static bool spread_over_mdevs(struct gp_sheet *sheet, bool any)
{
	for (size_t a = 0; a < sheet->ask_count; a++) {
		struct gp_slot *slot = sheet->asks[a]->slot;

		any = (slot && slot->gpu->mdevs && gp_mdev_must_wait(sheet, slot)) || any;
	}
	if (any)
		gp_settle_mdevs(sheet);
	return any;
}

/* Of GPUs whose mediated devices all wait. */
static void recount(struct gp_gpu_row *gpu)
{
	bool changed = gpu->changes;

	if (!gpu->mdevs || gpu->faulty)
		return;
	gp_count_changes(gpu);
	for (size_t s = 0; changed && !gpu->changes && s < gpu->slot_count; s++) {
		if (gpu->slots[s].waits)
			gpu->case_number = gpu->slots[s].wait_case;
	}
}

/* Waiting spreads until nothing more has to wait; it never shrinks, so this ends. */
void gp_spread_waiting(struct gp_sheet *sheet)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
			struct gp_gpu_row *gpu = &sheet->gpus[g];

			if (gpu->changes && !gpu->waits && gpu_must_wait(sheet, gpu))
				again = gpu->waits = true;
		}
		for (size_t v = 0; v < sheet->vm_count; v++) {
			struct gp_vm_row *vm = &sheet->vms[v];

			if (!vm->faulty && !vm->edits_wait && vm_must_wait(sheet, vm))
				again = vm->edits_wait = true;
		}
		again = (sheet->mdevs && spread_over_mdevs(sheet, again)) || again;
	}
	for (size_t g = 0; g < sheet->observed->gpu_count; g++)
		recount(&sheet->gpus[g]);
}

void gp_wait_for_vm(struct gp_sheet *sheet, const char *what, const char *domain, struct gp_reason reason,
		    unsigned case_number)
{
	struct gp_waiting *waiting = gp_arena_push(sheet->arena, sheet->plan->waiting, sheet->plan->waiting_count);

	*waiting = (struct gp_waiting){what, gp_arena_strdup(sheet->arena, domain), reason, case_number};
}

/* Waits for the change of a GPU. One entry for each VM that must be off: they must be so at the same time. */
void gp_wait_for_gpu(struct gp_sheet *sheet, const struct gp_gpu_row *gpu, const char *what, struct gp_reason reason,
		     unsigned case_number)
{
	bool *told = gp_arena_array_of(sheet->scratch, bool, sheet->vm_count);

	if (gpu->case_number == 27)
		gp_wait_for_vm(sheet, what, gpu->waits_for, reason, case_number);
	for (size_t s = 0; s < gpu->slot_count; s++) {
		for (const struct gp_claim *claim = gpu->slots[s].claims; claim; claim = claim->next) {
			if (told[claim->vm - sheet->vms] || !gp_slot_is_reset(claim->slot) ||
			    !is_waited_for(sheet, claim))
				continue;
			told[claim->vm - sheet->vms] = true;
			gp_wait_for_vm(sheet, what, claim->vm->domain->name, reason, case_number);
		}
	}
}

/* ---- edits that wait ---- */

const struct gp_edit *gp_vm_telling_edit(const struct gp_vm_row *vm)
{
	for (size_t e = 0; e < vm->edit_count; e++) {
		if (vm->edits[e].ask)
			return &vm->edits[e];
	}
	return vm->edit_count ? &vm->edits[0] : NULL;
}

const struct gp_gpu_row *gp_vm_gpu_waited_for(const struct gp_vm_row *vm)
{
	for (size_t e = 0; vm->edits_wait && e < vm->edit_count; e++) {
		if (vm->edits[e].case_number == 59)
			return vm->edits[e].ask->slot->gpu;
	}
	return NULL;
}

/* Its definition is right: nothing but what it names has to wait. */
static void tell_waiting_mdev(struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t a = 0; a < vm->ask_count; a++) {
		const struct gp_ask *ask = &vm->asks[a];
		const struct gp_gpu_row *gpu = ask->slot ? ask->slot->gpu : NULL;
		struct gp_reason reason = {"vm-mdev", NULL, ask->want->mark};
		const char *what;

		if (!gpu || !gpu->mdevs || gp_ask_has_its_mdev(ask) || !(ask->slot->waits || gpu->waits))
			continue;
		reason.text = gp_sheet_printf(sheet, "asks for class %s", gpu->class_of->name);
		what = gp_sheet_printf(sheet, "VM %s: %s", vm->domain->name, gp_slot_name(sheet, ask->slot));
		if (ask->slot->waits)
			gp_wait_for_vm(sheet, what, ask->slot->waits_for, reason, ask->slot->wait_case);
		else
			gp_wait_for_gpu(sheet, gpu, what, reason, 59);
	}
}

void gp_tell_waiting_edits(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_edit *edit = gp_vm_telling_edit(vm);
	const struct gp_gpu_row *gpu = gp_vm_gpu_waited_for(vm);
	const char *what;

	for (size_t e = 0; e < vm->edit_count; e++) {
		unsigned number = vm->edits[e].case_number;

		if (number == 59 || number == 52 || number == 110)
			edit = &vm->edits[e];
	}
	if (!edit) {
		tell_waiting_mdev(sheet, vm);
		return;
	}
	what = edit->ask ? gp_sheet_printf(sheet, "VM %s: %s", vm->domain->name, gp_slot_name(sheet, edit->ask->slot))
			 : gp_sheet_printf(sheet, "VM %s", vm->domain->name);
	if (gpu)
		gp_wait_for_gpu(sheet, gpu, what, edit->reason, edit->case_number);
	else
		gp_wait_for_vm(sheet, what, vm->waits_for, edit->reason, edit->case_number);
}

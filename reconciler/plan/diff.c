/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/diff.h"

#include "model/names.h"

/* Which hostdevs of a definition, and which places in it, are spoken for; index: domain->config, domain->places. */
struct used {
	bool *config, *places;
};

/* What its definition has of the partition: by where that is; a mediated device also by its name, wherever it is or is
 * to be made. */
static const struct gp_hostdev *hostdev_on(const struct gp_ask *ask, size_t *index)
{
	const struct gp_vm_row *vm = ask->vm;

	for (size_t i = 0; i < vm->claim_count; i++) {
		const struct gp_claim *claim = vm->claims[i];

		if (claim->slot == ask->slot && !claim->noted && gp_claim_is_own(claim)) {
			*index = (size_t)(claim->hostdev - vm->domain->config);
			return claim->hostdev;
		}
	}
	for (size_t i = 0; ask->slot->gpu->mdevs && i < vm->domain->config_count; i++) {
		const struct gp_hostdev *hostdev = &vm->domain->config[i];

		if ((hostdev->ours || vm->want->adopt) && hostdev->type == GP_HOSTDEV_MDEV &&
		    gp_uuid_equal(hostdev->mdev, ask->mdev)) {
			*index = i;
			return hostdev;
		}
	}
	return NULL;
}

/* How the VM is given the slot may have changed with the back-end: a hostdev that is managed otherwise is replaced. */
static bool has_right_form(const struct gp_hostdev *have, const struct gp_slot *slot)
{
	struct gp_hostdev form = {0};

	if (!slot->gpu->gpu->backend || !slot->gpu->gpu->backend->device)
		return true;
	slot->gpu->gpu->backend->device(slot->gpu->gpu, slot->index, &form);
	return form.type == have->type && (form.type == GP_HOSTDEV_MDEV || form.managed == have->managed);
}

static bool has_number(const struct gp_hostdev *hostdev, uint32_t request)
{
	uint32_t number;
	const char *class_name;

	return gp_alias_parse(hostdev->alias, &number, &class_name) == 0 && number == request;
}

static bool has_name_of(const struct gp_hostdev *hostdev, const struct gp_ask *ask)
{
	uint32_t number;
	const char *class_name;

	return gp_alias_parse(hostdev->alias, &number, &class_name) == 0 && number == ask->request &&
	       gp_streq(class_name, ask->slot->gpu->class_of->name);
}

/* Of what is left over the one with this number, or with any. */
static const struct gp_hostdev *left_over(const struct gp_vm_row *vm, const uint32_t *request, struct used *used)
{
	const struct gp_domain *domain = vm->domain;

	for (size_t i = 0; i < domain->config_count; i++) {
		if (used->config[i] || !domain->config[i].ours ||
		    (request && !has_number(&domain->config[i], *request)))
			continue;
		used->config[i] = true;
		return &domain->config[i];
	}
	return NULL;
}

/* The place that an interrupted exchange keeps for this ask: under its name, else under another class. */
static const struct gp_hostdev *place_for(const struct gp_ask *ask, struct used *used)
{
	const struct gp_domain *domain = ask->vm->domain;
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < domain->place_count; i++) {
		const struct gp_hostdev *place = &domain->places[i];

		if (used->places[i] || !has_number(place, ask->request) || !gp_place_is_empty(domain, place))
			continue;
		if (found == SIZE_MAX || has_name_of(place, ask))
			found = i;
	}
	if (found == SIZE_MAX)
		return NULL;
	used->places[found] = true;
	return &domain->places[found];
}

static struct gp_edit *add_edit(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	struct gp_edit *edit = gp_arena_push(sheet->scratch, vm->edits, vm->edit_count);

	edit->vm = vm;
	edit->detach_step = edit->attach_step = GP_NO_STEP;
	return edit;
}

static const char *class_name_of(const struct gp_ask *ask)
{
	return ask->slot->gpu->class_of->name;
}

static const char *why_it_stays(struct gp_sheet *sheet, const struct gp_ask *ask, const struct gp_hostdev *have)
{
	uint32_t request;
	const char *class_name;

	if (have->type == GP_HOSTDEV_PCI && ask->slot->gpu->mdevs)
		return "has it already, but as a PCI device";
	if (!has_right_form(have, ask->slot) && have->type == GP_HOSTDEV_PCI)
		return gp_sheet_printf(sheet, "has it already, but with managed='%s'", have->managed ? "yes" : "no");
	if (gp_alias_parse(have->alias, &request, &class_name) == 0 && !gp_streq(class_name, class_name_of(ask)))
		return gp_sheet_printf(sheet, "has it already; its mark still says class %s", class_name);
	return gp_sheet_printf(sheet, "has it already; its mark says %s", have->alias ? have->alias : "nothing");
}

/* The hostdev stands on the right partition, but not as ours or not under this wish. */
static void replace_in_place(struct gp_sheet *sheet, struct gp_ask *ask, const struct gp_hostdev *have)
{
	struct gp_edit *edit = add_edit(sheet, ask->vm);

	edit->ask = ask;
	edit->remove = have;
	if (have->ours) {
		edit->case_number = 46; /* case 46: its mark says otherwise */
		edit->reason = (struct gp_reason){"relabel", why_it_stays(sheet, ask, have), ask->want->mark};
	} else {
		edit->case_number = 41; /* case 41: adopt */
		edit->reason = (struct gp_reason){
			"adopt",
			gp_sheet_printf(sheet, "adopt: true, a partition of class %s made by hand", class_name_of(ask)),
			ask->vm->want->mark};
	}
}

static bool names_no_partition(struct gp_sheet *sheet, const struct gp_hostdev *hostdev)
{
	const struct gp_slot *slot = gp_sheet_slot(sheet, hostdev);

	return !slot || (!gp_slot_is_there(slot) && !slot->offered);
}

static const char *why_it_moves(struct gp_sheet *sheet, const struct gp_vm_row *vm, const struct gp_hostdev *remove)
{
	const struct gp_slot *slot = gp_sheet_slot(sheet, remove);

	if (slot && !slot->offered && slot->gpu->changes)
		return gp_sheet_printf(sheet, "what it has goes with the change to %s",
				       gp_cut_wanted(sheet, slot->gpu));
	if (slot && slot->taken_by && slot->taken_by->vm != vm)
		return gp_sheet_printf(sheet, "what it has is for %s", slot->taken_by->vm->domain->name);
	return "what it has will not do";
}

static void add_binding(struct gp_sheet *sheet, struct gp_ask *ask, const struct gp_hostdev *remove)
{
	struct gp_edit *edit = add_edit(sheet, ask->vm);

	edit->ask = ask;
	edit->remove = remove;
	edit->reason.mark = ask->want->mark;
	if (gp_slot_is_live_for(ask->slot, ask->vm)) {
		edit->case_number = 65; /* case 65: it runs with it, but its definition says otherwise */
		edit->reason.code = "vm-drift";
		edit->reason.text =
			gp_sheet_printf(sheet, "asks for class %s, and runs with this one", class_name_of(ask));
	} else if (!remove) {
		edit->case_number = 30; /* case 30: a partition for a VM that has none */
		edit->reason.code = "vm-binding";
		edit->reason.text = gp_sheet_printf(sheet, "asks for class %s", class_name_of(ask));
	} else if (names_no_partition(sheet, remove)) {
		edit->case_number = remove->resolved ? 44 : 97; /* cases 44, 97: it points to nothing */
		edit->reason.code = "vm-stale";
		edit->reason.text =
			gp_sheet_printf(sheet, "asks for class %s; what it names does not exist", class_name_of(ask));
	} else {
		edit->case_number = 35; /* case 35: another partition than it has */
		edit->reason.code = "vm-rebinding";
		edit->reason.text = gp_sheet_printf(sheet, "asks for class %s; %s", class_name_of(ask),
						    why_it_moves(sheet, ask->vm, remove));
	}
}

/* case 47: partition: none, or fewer partitions than before. case 49: the stanza is gone */
static void add_release(struct gp_sheet *sheet, struct gp_vm_row *vm, const struct gp_hostdev *remove)
{
	struct gp_edit *edit = add_edit(sheet, vm);

	edit->remove = remove;
	edit->reason.code = "release";
	if (vm->want) {
		edit->case_number = 47;
		edit->reason.mark = vm->want->mark;
		edit->reason.text = vm->want->release ? "partition: none" : "asks for fewer partitions than it has";
	} else {
		edit->case_number = 49;
		edit->reason.text = "no file lists this VM any more";
	}
}

/* case 42: hand-made, not adopted. case 43: hand-made, and more than the VM asks for */
static void tell_hand_made(struct gp_sheet *sheet, struct gp_vm_row *vm, const struct used *used)
{
	for (size_t i = 0; i < vm->domain->config_count; i++) {
		const struct gp_hostdev *hostdev = &vm->domain->config[i];
		const struct gp_slot *slot = gp_sheet_slot(sheet, hostdev);
		struct gp_diag *diag;

		if (hostdev->ours || used->config[i] || !slot || !slot->gpu->class_of)
			continue;
		diag = gp_diags_add(&sheet->plan->diags, GP_INFO, GP_E_INPUT, "hand-made", vm->want->mark,
				    "%s has %s by hand; it stays as it is", vm->domain->name,
				    gp_slot_name(sheet, slot));
		if (!vm->want->adopt && !vm->want->release)
			gp_error_remedy(&diag->error, "adopt: true, to take it over");
	}
}

/* case 69: an exchange was interrupted: what was there is out, and its place is noted */
static void finish_exchange(struct gp_sheet *sheet, struct gp_ask *ask, const struct gp_hostdev *place)
{
	struct gp_edit *edit = add_edit(sheet, ask->vm);

	edit->ask = ask;
	edit->remove = place;
	edit->noted = true;
	edit->case_number = 69;
	edit->reason = (struct gp_reason){
		"vm-unfinished",
		gp_sheet_printf(sheet, "asks for class %s; what it had was taken out, and the run interrupted",
				class_name_of(ask)),
		ask->want->mark};
}

/* What an ask that has no hostdev on its slot replaces: the one with its number, else any that is left over. */
static void compare_ask(struct gp_sheet *sheet, struct gp_ask *ask, struct used *used)
{
	const struct gp_hostdev *remove = left_over(ask->vm, &ask->request, used);
	const struct gp_hostdev *place = remove ? NULL : place_for(ask, used);

	if (place)
		finish_exchange(sheet, ask, place);
	else
		add_binding(sheet, ask, remove ? remove : left_over(ask->vm, NULL, used));
}

static bool is_filled(const struct gp_vm_row *vm, const struct gp_hostdev *place)
{
	for (size_t e = 0; e < vm->edit_count; e++) {
		if (vm->edits[e].ask && has_name_of(place, vm->edits[e].ask))
			return true;
	}
	return false;
}

/* case 99: a place that nobody is to come to */
static void collect_forgets(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	for (size_t i = 0; i < vm->domain->place_count; i++) {
		if (!is_filled(vm, &vm->domain->places[i]))
			*gp_arena_push(sheet->scratch, vm->forgets, vm->forget_count) = &vm->domain->places[i];
	}
}

static bool live_is_as_wanted(const struct gp_vm_row *vm)
{
	for (size_t a = 0; a < vm->ask_count; a++) {
		if (vm->asks[a].slot && !gp_slot_is_live_for(vm->asks[a].slot, vm))
			return false;
	}
	for (size_t c = 0; c < vm->claim_count; c++) {
		const struct gp_claim *claim = vm->claims[c];

		if (claim->live && claim->hostdev->ours && !(claim->slot->taken_by && claim->slot->taken_by->vm == vm))
			return false;
	}
	return true;
}

/* Whose policy speaks: the class of its first partition. */
static const struct gp_class *class_of_vm(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t a = 0; a < vm->ask_count; a++) {
		if (vm->asks[a].slot)
			return vm->asks[a].slot->gpu->class_of;
	}
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (vm->claims[c]->hostdev->ours)
			return vm->claims[c]->slot->gpu->class_of;
	}
	return sheet->desired->class_count == 1 ? &sheet->desired->classes[0] : NULL;
}

static void compare_vm(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	struct used used = {gp_arena_array_of(sheet->scratch, bool, vm->domain->config_count),
			    gp_arena_array_of(sheet->scratch, bool, vm->domain->place_count)};
	bool *settled = gp_arena_array_of(sheet->scratch, bool, vm->ask_count);

	for (size_t a = 0; a < vm->ask_count; a++) {
		struct gp_ask *ask = &vm->asks[a];
		size_t index = 0;
		const struct gp_hostdev *have = ask->slot ? hostdev_on(ask, &index) : NULL;

		if (!have)
			continue;
		settled[a] = true;
		used.config[index] = true;
		ask->kept = ask->kept && has_right_form(have, ask->slot);
		if (!ask->kept) /* case 34: kept, and nothing to do */
			replace_in_place(sheet, ask, have);
	}
	for (size_t a = 0; a < vm->ask_count; a++) {
		/* A transient VM has no definition that could say so: what it runs with is all there is. */
		if (!vm->domain->persistent && vm->asks[a].slot && gp_slot_is_live_for(vm->asks[a].slot, vm))
			continue;
		if (vm->asks[a].slot && !settled[a])
			compare_ask(sheet, &vm->asks[a], &used);
	}
	for (size_t i = 0; i < vm->domain->config_count; i++) {
		if (vm->domain->config[i].ours && !used.config[i])
			add_release(sheet, vm, &vm->domain->config[i]);
	}
	collect_forgets(sheet, vm);
	if (vm->want)
		tell_hand_made(sheet, vm, &used);
	vm->class_of = class_of_vm(sheet, vm);
	vm->live_differs = vm->up && !live_is_as_wanted(vm);
}

/* case 62: an unreadable domain may have any partition; so none is given away that nobody is known to have */
static void fault_unreadable_bystander(struct gp_sheet *sheet, const struct gp_edit *edit)
{
	struct gp_diag *diag = gp_sheet_fault(
		sheet, GP_E_UNAVAILABLE, "domain-unreadable", edit->ask->want->mark,
		"%s cannot be given %s: the definition of domain %s cannot be read, and it may have that partition",
		edit->vm->domain->name, gp_slot_name(sheet, edit->ask->slot), sheet->unreadable->name);

	gp_error_subject(&diag->error, "domain %s", sheet->unreadable->name);
	if (sheet->unreadable->unknown_why)
		gp_error_holder(&diag->error, "%s", sheet->unreadable->unknown_why);
}

static void check_bystanders(struct gp_sheet *sheet)
{
	for (size_t v = 0; v < sheet->vm_count; v++) {
		for (size_t e = 0; e < sheet->vms[v].edit_count; e++) {
			const struct gp_edit *edit = &sheet->vms[v].edits[e];

			if (edit->ask && edit->case_number != 41 && edit->case_number != 46) {
				fault_unreadable_bystander(sheet, edit);
				return; /* the first says it all */
			}
		}
	}
}

void gp_diff(struct gp_sheet *sheet)
{
	/* Who cannot be seen is not released. */
	if (!sheet->observed->domains_state.known)
		return;
	for (size_t v = 0; v < sheet->vm_count; v++) {
		struct gp_vm_row *vm = &sheet->vms[v];

		if (!vm->faulty && vm->domain->config_known)
			compare_vm(sheet, vm);
	}
	if (sheet->unreadable)
		check_bystanders(sheet);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/gate.h"

#include <string.h>

#include "base/num.h"
#include "model/names.h"

enum { JUST_STARTED_MS = 60 * 1000 };

/* ---- questions about one VM ---- */

bool gp_vm_is_external(const struct gp_vm_row *vm)
{
	return vm->domain->external || (vm->want && vm->want->power == GP_POWER_EXTERNAL);
}

bool gp_vm_is_owed_a_start(const struct gp_vm_row *vm)
{
	return vm->domain->to_start && !vm->up && !gp_vm_is_external(vm) &&
	       !(vm->want && vm->want->power == GP_POWER_STOPPED);
}

static enum gp_disruption_policy policy_of(const struct gp_sheet *sheet, const struct gp_vm_row *vm,
					   const struct gp_class *class_of)
{
	return gp_desired_disruption(sheet->desired, class_of, vm->want);
}

static bool asked_to_stop(const struct gp_vm_row *vm)
{
	return vm->up && vm->want && vm->want->power == GP_POWER_STOPPED;
}

/* Its partitions go with the reset of this GPU: what is plugged is lost. */
static bool is_plugged_into(const struct gp_vm_row *vm, const struct gp_gpu_row *gpu)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (vm->claims[c]->live && vm->claims[c]->slot->gpu == gpu)
			return true;
	}
	return false;
}

static bool resets(const struct gp_gpu_row *gpu)
{
	return gpu->changes && gpu->from > 0;
}

/* A GPU that is reset under the VM, and whose class (or the VM, or the host) lets us restart it. */
static bool restarts_for_a_gpu(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		const struct gp_gpu_row *gpu = vm->claims[c]->slot->gpu;

		if (vm->claims[c]->live && resets(gpu) && !gpu->waits &&
		    policy_of(sheet, vm, gpu->class_of) == GP_POLICY_RESTART)
			return true;
	}
	return false;
}

static bool restarts_for_its_binding(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	return vm->live_differs && !vm->edits_wait && policy_of(sheet, vm, vm->class_of) == GP_POLICY_RESTART;
}

/* Will it be off in the course of this plan, if nothing is refused? */
static bool goes_down(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	if (!vm->up || !vm->want || vm->faulty || vm->domain->state == GP_DOMAIN_STOPPING)
		return false;
	return asked_to_stop(vm) || restarts_for_a_gpu(sheet, vm) || restarts_for_its_binding(sheet, vm);
}

/* ---- what waits ---- */

/* Listed, plugged in, and not to be stopped by us: the GPU waits until it is off. */
static bool is_waited_for(const struct gp_sheet *sheet, const struct gp_claim *claim)
{
	const struct gp_vm_row *vm = claim->vm;

	if (!claim->live || !vm->want || goes_down(sheet, vm))
		return false;
	return vm->domain->state == GP_DOMAIN_STOPPING ||
	       policy_of(sheet, vm, claim->slot->gpu->class_of) == GP_POLICY_DEFER;
}

static bool gpu_must_wait(const struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	for (size_t s = 0; s < gpu->slot_count; s++) {
		for (const struct gp_claim *claim = gpu->slots[s].claims; claim; claim = claim->next) {
			const struct gp_vm_row *vm = claim->vm;

			if (is_waited_for(sheet, claim)) {
				gpu->waits_for = vm->domain->name; /* case 9 */
				gpu->case_number = 9;
				return true;
			}
			if (!claim->live && !claim->noted && gpu->slots[s].index >= gpu->to && vm->edits_wait) {
				gpu->waits_for = vm->waits_for; /* case 27: whoever is to leave cannot leave yet */
				gpu->case_number = 27;
				return true;
			}
		}
	}
	return false;
}

static bool edit_must_wait(const struct gp_sheet *sheet, struct gp_edit *edit)
{
	const struct gp_slot *slot = edit->ask ? edit->ask->slot : NULL;

	if (!slot)
		return false;
	if (slot->gpu->changes && slot->gpu->waits) {
		edit->vm->waits_for = slot->gpu->waits_for; /* case 59 */
		edit->case_number = 59;
		return true;
	}
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		const struct gp_vm_row *other = claim->vm;

		if (other == edit->vm)
			continue;
		if (claim->live && !goes_down(sheet, other))
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

/* A VM's edits are one: they are done together or wait together. */
static bool vm_must_wait(const struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	for (size_t e = 0; e < vm->edit_count; e++) {
		if (edit_must_wait(sheet, &vm->edits[e]))
			return true;
	}
	return false;
}

/* Waiting spreads until nothing more has to wait; it never shrinks, so this ends. */
static void spread_waiting(struct gp_sheet *sheet)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
			struct gp_gpu_row *gpu = &sheet->gpus[g];

			if (resets(gpu) && !gpu->waits && gpu_must_wait(sheet, gpu))
				again = gpu->waits = true;
		}
		for (size_t v = 0; v < sheet->vm_count; v++) {
			struct gp_vm_row *vm = &sheet->vms[v];

			if (vm->edit_count && !vm->edits_wait && vm_must_wait(sheet, vm))
				again = vm->edits_wait = true;
		}
	}
}

static void add_waiting(struct gp_sheet *sheet, const char *what, const char *domain, struct gp_reason reason,
			unsigned case_number)
{
	struct gp_waiting *waiting = gp_arena_push(sheet->arena, sheet->plan->waiting, sheet->plan->waiting_count);

	*waiting = (struct gp_waiting){what, gp_arena_strdup(sheet->arena, domain), reason, case_number};
}

/* ---- GPUs: who may not be disturbed ---- */

static struct gp_diag *refuse_change(struct gp_sheet *sheet, struct gp_gpu_row *gpu, unsigned case_number,
				     const char *code, const char *why)
{
	struct gp_diag *diag = gp_sheet_fault(sheet, GP_E_REFUSED, code, gpu->class_of->partitions_mark,
					      "GPU %s: going from %u to %u partitions takes all %u away, and %s",
					      gp_gpu_name(sheet, gpu), gpu->from, gpu->to, gpu->from, why);

	gp_error_subject(&diag->error, "%s sriov_numvfs", gp_gpu_name(sheet, gpu));
	gpu->case_number = case_number;
	return diag;
}

/* case 17: unknown is in use */
static void check_truth(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	const struct gp_observed *observed = sheet->observed;
	const char *why = NULL;

	if (!observed->domains_state.known)
		why = gp_sheet_printf(sheet, "which VMs hold them cannot be read: %s",
				      observed->domains_state.why ? observed->domains_state.why : "no reason given");
	else if (!observed->vfio_state.known)
		why = gp_sheet_printf(sheet, "which processes hold them cannot be read: %s",
				      observed->vfio_state.why ? observed->vfio_state.why : "no reason given");
	else if (sheet->unreadable)
		why = gp_sheet_printf(
			sheet, "domain %s, which may hold one, cannot be read: %s", sheet->unreadable->name,
			sheet->unreadable->unknown_why ? sheet->unreadable->unknown_why : "no reason given");
	if (why)
		gp_error_remedy(
			&refuse_change(sheet, gpu, 17, "unknown-in-use", why)->error,
			"make it readable (libvirtd running, gpupart run as root); what is unknown counts as in "
			"use");
}

/* cases 12, 13, 14: a VM that is not ours to stop or to edit */
static void refuse_foreign_claim(struct gp_sheet *sheet, struct gp_gpu_row *gpu, const struct gp_claim *claim)
{
	const char *name = claim->vm->domain->name, *vf = gp_slot_name(sheet, claim->slot);
	struct gp_diag *diag;

	if (claim->vm->want) {
		diag = refuse_change(sheet, gpu, 14, "held-by-hand",
				     gp_sheet_printf(sheet, "%s has %s by hand", name, vf));
		gp_diag_other(diag, claim->vm->want->mark, "%s is listed here%s", name,
			      claim->vm->want->adopt ? ", and asks for something else" : ", without adopt: true");
		gp_error_remedy(&diag->error, "%stake the hostdev out of its definition",
				claim->vm->want->adopt ? "" : "adopt: true, or ");
	} else if (claim->live) {
		diag = refuse_change(sheet, gpu, 12, "held-by-foreign",
				     gp_sheet_printf(sheet, "%s, which no file lists, is running with %s", name, vf));
		if (claim->hostdev->ours)
			gp_error_remedy(&diag->error, "shut %s down, or list it", name);
		else
			gp_error_remedy(&diag->error,
					"take the hostdev out of %s and shut it down, or list %s with adopt: true",
					name, name);
	} else {
		diag = refuse_change(
			sheet, gpu, 13, "claimed-by-foreign",
			gp_sheet_printf(sheet, "the definition of %s, which no file lists, has %s", name, vf));
		gp_error_remedy(&diag->error, "take the hostdev out of %s, or list %s with adopt: true", name, name);
	}
	gp_error_holder(&diag->error, "VM %s", name);
}

static bool is_same_outsider(const struct gp_holder *a, const struct gp_holder *b)
{
	return a && b && a->kind == b->kind && a->pid == b->pid && gp_streq(a->name, b->name);
}

/* "vf:0000:41:00.0/0" or "vf:0000:41:00.0/0 and 3 more": all that one outsider has of the GPU are told of at once. */
static const char *name_of_held(struct gp_sheet *sheet, const struct gp_gpu_row *gpu, const struct gp_slot *first)
{
	size_t more = 0;

	for (size_t s = first->index + 1; s < gpu->slot_count; s++)
		more += is_same_outsider(gpu->slots[s].outsider, first->outsider);
	return more ? gp_sheet_printf(sheet, "%s and %zu more", gp_slot_name(sheet, first), more)
		    : gp_slot_name(sheet, first);
}

static bool was_told_of(const struct gp_gpu_row *gpu, const struct gp_slot *slot)
{
	for (size_t s = 0; s < slot->index; s++) {
		if (is_same_outsider(gpu->slots[s].outsider, slot->outsider))
			return true;
	}
	return false;
}

/* cases 15, 16: something that is no VM */
static void refuse_outsider(struct gp_sheet *sheet, struct gp_gpu_row *gpu, const struct gp_slot *slot)
{
	const struct gp_holder *holder = slot->outsider;
	const char *vf = name_of_held(sheet, gpu, slot);
	bool several = strchr(vf, ' ') != NULL;
	struct gp_diag *diag;

	if (holder->kind == GP_HOLDER_DRIVER) {
		diag = refuse_change(
			sheet, gpu, 15, "held-by-driver",
			gp_sheet_printf(sheet, "%s %s bound to driver %s", vf, several ? "are" : "is", holder->name));
		gp_error_holder(&diag->error, "driver %s", holder->name);
		gp_error_remedy(&diag->error, "unbind %s from it once nothing on the host uses %s",
				several ? "them" : "it", several ? "them" : "it");
	} else {
		diag = refuse_change(sheet, gpu, 16, "held-by-process",
				     gp_sheet_printf(sheet, "%s %s open in a process that is none of the VMs known", vf,
						     several ? "are" : "is"));
		gp_error_holder(&diag->error, "process %s, pid %llu", holder->name, (unsigned long long)holder->pid);
		gp_error_remedy(&diag->error, "end that process");
	}
}

static bool is_to_go(const struct gp_claim *claim)
{
	for (size_t e = 0; e < claim->vm->edit_count; e++) {
		if (claim->vm->edits[e].remove == claim->hostdev)
			return true;
	}
	return false;
}

/* Its own definition speaks for what is plugged; a live claim of a listed VM is dealt with as that VM's restart. */
static bool claim_forbids(const struct gp_claim *claim)
{
	if (gp_claim_is_foreign(claim))
		return true;
	if (!claim->live && !claim->hostdev->ours)
		return !is_to_go(claim);        /* adopt: true, but it is not what is asked for */
	return claim->live && !claim->vm->want; /* ours once, but its VM is nobody's to stop */
}

/* case 57: its image would resume with a partition that is another one by then */
static void refuse_saved(struct gp_sheet *sheet, struct gp_gpu_row *gpu, const struct gp_claim *claim)
{
	const char *name = claim->vm->domain->name;
	struct gp_diag *diag =
		refuse_change(sheet, gpu, 57, "managed-save",
			      gp_sheet_printf(sheet, "%s is saved with %s, and would resume with another one", name,
					      gp_slot_name(sheet, claim->slot)));

	gp_error_holder(&diag->error, "VM %s, saved", name);
	gp_error_remedy(&diag->error, "start %s and shut it down, or 'virsh managedsave-remove %s'", name, name);
}

static bool is_kept_by_saved(const struct gp_claim *claim)
{
	return !claim->live && !claim->noted && claim->vm->domain->managed_save && !is_to_go(claim);
}

static void check_holders(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	for (size_t s = 0; s < gpu->slot_count; s++) {
		struct gp_slot *slot = &gpu->slots[s];
		const struct gp_vm_row *told = NULL;

		if (!slot->now)
			continue;
		if (slot->outsider && !was_told_of(gpu, slot))
			refuse_outsider(sheet, gpu, slot);
		for (int live = 1; live >= 0; live--) {
			for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
				if (claim->live != (live == 1) || claim->vm == told)
					continue;
				if (claim_forbids(claim))
					refuse_foreign_claim(sheet, gpu, claim);
				else if (is_kept_by_saved(claim))
					refuse_saved(sheet, gpu, claim);
				else
					continue;
				told = claim->vm;
			}
		}
	}
}

/* case 8: those who are off keep their claim over the reset. case 10: those who run are restarted */
static unsigned case_of_reset(const struct gp_gpu_row *gpu)
{
	unsigned case_number = 5;

	for (size_t s = 0; s < gpu->slot_count; s++) {
		for (const struct gp_claim *claim = gpu->slots[s].claims; claim; claim = claim->next) {
			if (claim->live)
				return 10;
			if (gpu->slots[s].taken_by && gpu->slots[s].taken_by->vm == claim->vm)
				case_number = 8;
		}
	}
	return case_number;
}

/* Waits for the change of a GPU. One entry for each VM that must be off: they must be so at the same time. */
static void add_waiting_for_gpu(struct gp_sheet *sheet, const struct gp_gpu_row *gpu, const char *what,
				struct gp_reason reason, unsigned case_number)
{
	bool *told = gp_arena_array_of(sheet->scratch, bool, sheet->vm_count);

	if (gpu->case_number == 27)
		add_waiting(sheet, what, gpu->waits_for, reason, case_number);
	for (size_t s = 0; s < gpu->slot_count; s++) {
		for (const struct gp_claim *claim = gpu->slots[s].claims; claim; claim = claim->next) {
			if (told[claim->vm - sheet->vms] || !is_waited_for(sheet, claim))
				continue;
			told[claim->vm - sheet->vms] = true;
			add_waiting(sheet, what, claim->vm->domain->name, reason, case_number);
		}
	}
}

static void judge_gpu(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	if (!gpu->changes)
		return;
	gpu->reason = (struct gp_reason){"partition-count",
					 gp_sheet_printf(sheet, "class %s asks for %u partition%s", gpu->class_of->name,
							 gpu->to, gpu->to == 1 ? "" : "s"),
					 gpu->class_of->partitions_mark};
	if (gpu->from == 0) {
		if (!sheet->observed->domains_state.known || !sheet->observed->vfio_state.known)
			gpu->case_number = 18; /* case 18: nothing can be held where nothing is */
		return;
	}
	if (gpu->case_number == 5)
		gpu->case_number = case_of_reset(gpu);
	check_truth(sheet, gpu);
	check_holders(sheet, gpu);
	if (gpu->waits)
		add_waiting_for_gpu(sheet, gpu,
				    gp_sheet_printf(sheet, "GPU %s: %u → %u partitions", gp_gpu_name(sheet, gpu),
						    gpu->from, gpu->to),
				    gpu->reason, gpu->case_number);
}

/* ---- VMs: stopping ---- */

struct obstacle {
	unsigned case_number;
	const char *code, *text, *remedy;
	struct gp_mark mark; /* another place that has a say */
	const char *note;    /* what it says; NULL: it is the obstacle itself */
};

static const char *protect_pattern(const struct gp_desired *desired, const char *name)
{
	for (size_t i = 0; i < desired->policy.protect_count; i++) {
		if (gp_glob_match(desired->policy.protect[i], name, false))
			return desired->policy.protect[i];
	}
	return "";
}

/* What speaks against stopping a running VM, whatever the policy. Case 0: nothing. */
static struct obstacle obstacle_of(struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	const struct gp_domain *domain = vm->domain;

	if (gp_desired_is_protected(sheet->desired, domain->name))
		return (struct obstacle){.case_number = 80,
					 .code = "protected",
					 .text = gp_sheet_printf(sheet, "protect: \"%s\" says it is never stopped",
								 protect_pattern(sheet->desired, domain->name)),
					 .remedy = "wait for it with disruption: defer, or shut it down by hand",
					 .mark = sheet->desired->policy.protect_mark};
	if (gp_vm_is_external(vm))
		return (struct obstacle){.case_number = 78,
					 .code = "external",
					 .text = gp_sheet_printf(sheet, "%s starts and stops it",
								 domain->external
									 ? domain->external
									 : "a cluster manager (power: external)"),
					 .remedy = "have the cluster manager stop it"};
	if (!domain->persistent)
		return (struct obstacle){.case_number = 81,
					 .code = "transient",
					 .text = "it is transient: its definition would vanish",
					 .remedy = "define it (virsh define)"};
	if (domain->state != GP_DOMAIN_RUNNING)
		return (struct obstacle){.case_number = 82,
					 .code = "not-running",
					 .text = gp_sheet_printf(sheet, "it is %s, and cannot react",
								 gp_domain_state_name(domain->state)),
					 .remedy = "resume it, or destroy it by hand"};
	if (sheet->desired->policy.force_off && domain->running_ms < JUST_STARTED_MS)
		return (struct obstacle){
			.case_number = 83,
			.code = "just-started",
			.text = "it was started less than a minute ago and might be forced off (force_off: true)",
			.remedy = "wait a minute"};
	return (struct obstacle){0};
}

/* "class vdi says disruption: refuse": the nearest of VM, class and host that says so. */
static const char *who_refuses(struct gp_sheet *sheet, const struct gp_vm_row *vm, const struct gp_class *class_of)
{
	if (vm->want && vm->want->disruption == GP_POLICY_REFUSE)
		return "it has disruption: refuse";
	if (class_of && class_of->disruption == GP_POLICY_REFUSE)
		return gp_sheet_printf(sheet, "class %s has disruption: refuse", class_of->name);
	return "the policy of this host is disruption: refuse";
}

static void refuse_stop(struct gp_sheet *sheet, struct gp_vm_row *vm, struct obstacle obstacle, const char *purpose)
{
	struct gp_diag *diag =
		gp_sheet_fault(sheet, GP_E_REFUSED, obstacle.code, vm->want->mark,
			       "%s would have to be stopped %s, but %s", vm->domain->name, purpose, obstacle.text);

	gp_error_subject(&diag->error, "domain %s", vm->domain->name);
	if (obstacle.remedy)
		gp_error_remedy(&diag->error, "%s", obstacle.remedy);
	if (obstacle.mark.source)
		gp_diag_other(diag, obstacle.mark, "%s", obstacle.note ? obstacle.note : "said here");
	vm->power_case = obstacle.case_number;
}

/* ---- VMs: what is refused, what is told, what is stopped ---- */

/* The GPU that takes a plugged partition away from the VM, if any. */
static const struct gp_gpu_row *gpu_reset_under(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		const struct gp_gpu_row *gpu = &sheet->gpus[g];

		if (resets(gpu) && !gpu->waits && is_plugged_into(vm, gpu))
			return gpu;
	}
	return NULL;
}

static void stop(struct gp_sheet *sheet, struct gp_vm_row *vm, struct gp_reason reason, const char *purpose,
		 unsigned case_number)
{
	struct obstacle obstacle = obstacle_of(sheet, vm);

	if (obstacle.case_number) {
		if (!obstacle.mark.source && reason.mark.line != vm->want->mark.line) {
			obstacle.mark = reason.mark;
			obstacle.note = reason.text;
		}
		refuse_stop(sheet, vm, obstacle, purpose);
		return;
	}
	vm->stops = true;
	vm->stop_reason = reason;
	vm->power_case = case_number;
}

/* cases 72, 73, 74: power: stopped is itself the permission, unless it is protected or policy refuses */
static void judge_asked_stop(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	struct obstacle obstacle = obstacle_of(sheet, vm);
	struct gp_reason reason = {"power", "power: stopped", vm->want->power_mark};

	if (obstacle.case_number == 80) {
		obstacle.case_number = 73;
	} else if (policy_of(sheet, vm, vm->class_of) == GP_POLICY_REFUSE) {
		obstacle = (struct obstacle){.case_number = 74,
					     .code = "policy-refuse",
					     .text = who_refuses(sheet, vm, vm->class_of),
					     .remedy = "disruption: restart for this VM, or shut it down by hand"};
	}
	if (obstacle.case_number)
		refuse_stop(sheet, vm, obstacle, "(power: stopped)");
	else
		stop(sheet, vm, reason, "", 72);
}

static const struct gp_edit *telling_edit(const struct gp_vm_row *vm)
{
	for (size_t e = 0; e < vm->edit_count; e++) {
		if (vm->edits[e].ask)
			return &vm->edits[e];
	}
	return vm->edit_count ? &vm->edits[0] : NULL;
}

static struct gp_reason why_it_differs(const struct gp_vm_row *vm)
{
	const struct gp_edit *edit = telling_edit(vm);

	if (edit)
		return edit->reason;
	return (struct gp_reason){"vm-binding", "its definition says so",
				  vm->want ? vm->want->mark : (struct gp_mark){0}};
}

/* Cases come in threes: off, running and left running, running and restarted. */
static unsigned case_when(unsigned off, bool restarted)
{
	switch (off) {
	case 30:
		return restarted ? 32 : 31;
	case 35:
	case 44:
		return restarted ? 37 : 36;
	case 47:
		return 48;
	case 49:
		return 50;
	default:
		return off;
	}
}

static void renumber_edits(struct gp_vm_row *vm, bool restarted)
{
	for (size_t e = 0; e < vm->edit_count; e++)
		vm->edits[e].case_number = case_when(vm->edits[e].case_number, restarted);
}

/* A running VM whose plugged partitions are not those of its (coming) definition. */
static void judge_binding_of_running(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_edit *edit = telling_edit(vm);
	struct gp_reason reason = why_it_differs(vm);
	enum gp_disruption_policy policy = vm->want ? policy_of(sheet, vm, vm->class_of) : GP_POLICY_DEFER;
	bool restart = policy == GP_POLICY_RESTART && vm->domain->state != GP_DOMAIN_STOPPING;

	renumber_edits(vm, restart);
	if (restart) {
		stop(sheet, vm, reason, "to be given its partition", edit ? edit->case_number : 39);
		vm->restores = vm->stops;
	} else if (policy == GP_POLICY_REFUSE) {
		unsigned case_number = edit ? 33 : 40;
		struct obstacle obstacle = {.case_number = case_number,
					    .code = "policy-refuse",
					    .text = who_refuses(sheet, vm, vm->class_of),
					    .remedy = "shut it down by hand, or disruption: restart or defer"};

		refuse_stop(sheet, vm, obstacle, "for its partition to take effect");
	} else {
		const char *what = vm->ask_count ? "takes effect when it is next started"
						 : "its partition is free for others once it is off";

		if (vm->domain->state == GP_DOMAIN_STOPPING)
			vm->power_case = 85;
		add_waiting(sheet, gp_sheet_printf(sheet, "VM %s: %s", vm->domain->name, what), vm->domain->name,
			    reason, edit ? edit->case_number : 38);
	}
}

/* case 10: restarted for the GPU. case 11: refused */
static void judge_reset_under(struct gp_sheet *sheet, struct gp_vm_row *vm, const struct gp_gpu_row *gpu)
{
	const char *purpose = gp_sheet_printf(sheet, "for GPU %s to go from %u to %u partitions",
					      gp_gpu_name(sheet, gpu), gpu->from, gpu->to);

	if (policy_of(sheet, vm, gpu->class_of) == GP_POLICY_REFUSE) {
		struct obstacle obstacle = {.case_number = 11,
					    .code = "policy-refuse",
					    .text = who_refuses(sheet, vm, gpu->class_of),
					    .remedy = "shut it down by hand, or disruption: restart or defer",
					    .mark = gpu->class_of->partitions_mark,
					    .note = gpu->reason.text};

		refuse_stop(sheet, vm, obstacle, purpose);
		return;
	}
	renumber_edits(vm, true);
	stop(sheet, vm, gpu->reason, purpose, 10);
	vm->restores = vm->stops;
}

static void refuse_edit(struct gp_sheet *sheet, struct gp_vm_row *vm, unsigned case_number, const char *code,
			const char *why, const char *remedy)
{
	const struct gp_edit *edit = telling_edit(vm);
	struct gp_diag *diag =
		gp_sheet_fault(sheet, GP_E_REFUSED, code, vm->want ? vm->want->mark : edit->reason.mark,
			       "the definition of %s would have to be changed, but %s", vm->domain->name, why);

	gp_error_subject(&diag->error, "domain %s", vm->domain->name);
	gp_error_remedy(&diag->error, "%s", remedy);
	vm->power_case = case_number;
}

/* case 57: a saved image holds the old devices. case 58: no definition to edit */
static bool edits_are_refused(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	if (vm->edit_count == 0 || vm->edits_wait)
		return false;
	if (!vm->domain->persistent) {
		refuse_edit(sheet, vm, 58, "transient", "it is transient: it has none that would last",
			    "define it (virsh define)");
		return true;
	}
	if (vm->domain->managed_save) {
		refuse_edit(sheet, vm, 57, "managed-save", "it is saved, and would resume with its old devices",
			    "start it and shut it down, or 'virsh managedsave-remove'");
		return true;
	}
	return false;
}

/* The GPU whose change the VM's edits wait for; NULL: they wait for a VM. */
static const struct gp_gpu_row *gpu_waited_for(const struct gp_vm_row *vm)
{
	for (size_t e = 0; vm->edits_wait && e < vm->edit_count; e++) {
		if (vm->edits[e].case_number == 59)
			return vm->edits[e].ask->slot->gpu;
	}
	return NULL;
}

static void tell_waiting_edits(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_edit *edit = telling_edit(vm);
	const struct gp_gpu_row *gpu = gpu_waited_for(vm);
	const char *what;

	for (size_t e = 0; e < vm->edit_count; e++) {
		if (vm->edits[e].case_number == 59 || vm->edits[e].case_number == 52)
			edit = &vm->edits[e];
	}
	if (!edit)
		return;
	what = edit->ask ? gp_sheet_printf(sheet, "VM %s: %s", vm->domain->name, gp_slot_name(sheet, edit->ask->slot))
			 : gp_sheet_printf(sheet, "VM %s", vm->domain->name);
	if (gpu)
		add_waiting_for_gpu(sheet, gpu, what, edit->reason, edit->case_number);
	else
		add_waiting(sheet, what, vm->waits_for, edit->reason, edit->case_number);
}

/* ---- VMs: starting ---- */

/* All that its definition is going to name will exist when the other steps are done. */
static bool will_have_its_partitions(const struct gp_vm_row *vm)
{
	for (size_t a = 0; a < vm->ask_count; a++) {
		const struct gp_slot *slot = vm->asks[a].slot;

		if (!slot || (!slot->now && (!slot->gpu->changes || slot->gpu->waits)))
			return false;
	}
	return true;
}

/* All that its definition names now does exist. */
static bool has_its_partitions(const struct gp_vm_row *vm)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (!vm->claims[c]->live && !vm->claims[c]->noted && !vm->claims[c]->slot->now &&
		    vm->claims[c]->slot->gpu->waits)
			return false;
	}
	return true;
}

/* Does this claim of another VM keep a VM from starting that names the same partition? */
static bool keeps_from_starting(const struct gp_sheet *sheet, const struct gp_claim *claim)
{
	if (claim->noted)
		return false;
	if (claim->live)
		return !goes_down(sheet, claim->vm);
	return claim->vm->starts && (claim->vm->edits_wait || !is_to_go(claim));
}

/* Who runs, or is about to be started, with something that the VM's definition names: its start would fail. */
static const char *plugged_elsewhere(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (vm->claims[c]->live || vm->claims[c]->noted || (!vm->edits_wait && is_to_go(vm->claims[c])))
			continue;
		for (const struct gp_claim *claim = vm->claims[c]->slot->claims; claim; claim = claim->next) {
			if (claim->vm != vm && keeps_from_starting(sheet, claim))
				return claim->vm->domain->name;
		}
	}
	return NULL;
}

static struct gp_reason reason_to_start(const struct gp_vm_row *vm, bool owed)
{
	struct gp_mark nowhere = {0};

	if (owed)
		return (struct gp_reason){"restore-power", "was stopped by gpupart to be started again",
					  vm->want ? vm->want->mark : nowhere};
	return (struct gp_reason){"power", "power: running", vm->want ? vm->want->power_mark : nowhere};
}

static void judge_start(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const char *holder = plugged_elsewhere(sheet, vm);
	bool asked = vm->want && vm->want->power == GP_POWER_RUNNING;
	bool owed = gp_vm_is_owed_a_start(vm);

	if (vm->want && asked && gp_vm_is_external(vm))
		gp_diags_add(&sheet->plan->diags, GP_INFO, GP_E_INPUT, "external-power", vm->want->power_mark,
			     "power: running is not carried out: %s starts and stops %s", vm->domain->external,
			     vm->domain->name);
	if ((!asked && !owed) || gp_vm_is_external(vm))
		return;
	vm->start_reason = reason_to_start(vm, owed);
	vm->power_case = owed ? 76 : 70; /* case 76: we owe it. case 70: asked for */
	if (!holder && (vm->edits_wait ? owed && has_its_partitions(vm) : will_have_its_partitions(vm))) {
		vm->starts = true;
		return;
	}
	vm->power_case = 71; /* case 71: starts once it has its partition */
	if (!holder && gpu_waited_for(vm)) {
		add_waiting_for_gpu(sheet, gpu_waited_for(vm), gp_sheet_printf(sheet, "VM %s: start", vm->domain->name),
				    vm->start_reason, 71);
		return;
	}
	add_waiting(sheet, gp_sheet_printf(sheet, "VM %s: start", vm->domain->name),
		    holder          ? holder
		    : vm->waits_for ? vm->waits_for
				    : vm->domain->name,
		    vm->start_reason, 71);
}

/* case 77: seen running, so the mark is void. case 86: it is to stay off, so the mark is void, too */
static void judge_mark(struct gp_vm_row *vm)
{
	bool stays_off = !vm->up && vm->want && vm->want->power == GP_POWER_STOPPED;

	if (!vm->domain->to_start)
		return;
	if (vm->stops) { /* for good: then it goes with the stop. Else the start after it needs the mark */
		vm->clears_mark = !vm->restores;
		return;
	}
	if (vm->up && vm->domain->state != GP_DOMAIN_RUNNING)
		return;
	if (!vm->up && !stays_off)
		return;
	vm->clears_mark = true;
	vm->power_case = stays_off ? 86 : 77;
}

static void judge_vm(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_gpu_row *gpu = vm->want ? gpu_reset_under(sheet, vm) : NULL;

	if (vm->faulty || edits_are_refused(sheet, vm))
		return;
	if (asked_to_stop(vm) && vm->domain->state != GP_DOMAIN_STOPPING)
		judge_asked_stop(sheet, vm);
	else if (vm->up && gpu)
		judge_reset_under(sheet, vm, gpu);
	else if (vm->live_differs && !vm->edits_wait)
		judge_binding_of_running(sheet, vm);
	if (vm->edits_wait)
		tell_waiting_edits(sheet, vm);
	if (!vm->up)
		judge_start(sheet, vm);
	judge_mark(vm);
	vm->starts = vm->starts || vm->restores;
}

void gp_gate(struct gp_sheet *sheet)
{
	spread_waiting(sheet);
	for (size_t g = 0; g < sheet->observed->gpu_count; g++)
		judge_gpu(sheet, &sheet->gpus[g]);
	if (!sheet->observed->domains_state.known)
		return;
	for (size_t v = 0; v < sheet->vm_count; v++)
		judge_vm(sheet, &sheet->vms[v]);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/power.h"

#include "base/num.h"
#include "model/names.h"
#include "plan/mdev.h"
#include "plan/wait.h"

enum { JUST_STARTED_MS = 60 * 1000 };

bool gp_vm_is_external(const struct gp_vm_row *vm)
{
	return vm->domain->external || (vm->want && vm->want->power == GP_POWER_EXTERNAL);
}

bool gp_vm_is_owed_a_start(const struct gp_vm_row *vm)
{
	return vm->domain->to_start && !vm->up && !gp_vm_is_external(vm) &&
	       !(vm->want && vm->want->power == GP_POWER_STOPPED);
}

/* ---- stopping ---- */

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

/* Its partitions go with the reset of this GPU: what is plugged is lost. */
static bool is_plugged_into(const struct gp_vm_row *vm, const struct gp_gpu_row *gpu)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (vm->claims[c]->live && vm->claims[c]->slot->gpu == gpu && gp_slot_is_reset(vm->claims[c]->slot))
			return true;
	}
	return false;
}

/* The GPU that takes a plugged partition away from the VM, if any. */
static const struct gp_gpu_row *gpu_reset_under(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		const struct gp_gpu_row *gpu = &sheet->gpus[g];

		if (gp_gpu_resets(gpu) && !gpu->waits && is_plugged_into(vm, gpu))
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
static void judge_asked_stop(struct gp_sheet *sheet, struct gp_vm_row *vm, struct gp_mark asked_at)
{
	struct obstacle obstacle = obstacle_of(sheet, vm);
	struct gp_reason reason = {"power", "power: stopped", asked_at};

	if (obstacle.case_number == 80) {
		obstacle.case_number = 73;
	} else if (gp_vm_policy(sheet, vm, vm->class_of) == GP_POLICY_REFUSE) {
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

static struct gp_reason why_it_differs(const struct gp_vm_row *vm)
{
	const struct gp_edit *edit = gp_vm_telling_edit(vm);

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
	const struct gp_edit *edit = gp_vm_telling_edit(vm);
	struct gp_reason reason = why_it_differs(vm);
	enum gp_disruption_policy policy = vm->want ? gp_vm_policy(sheet, vm, vm->class_of) : GP_POLICY_DEFER;
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
		gp_wait_for_vm(sheet, gp_sheet_printf(sheet, "VM %s: %s", vm->domain->name, what), vm->domain->name,
			       reason, edit ? edit->case_number : 38);
	}
}

/* case 10: restarted for the GPU. case 11: refused */
static void judge_reset_under(struct gp_sheet *sheet, struct gp_vm_row *vm, const struct gp_gpu_row *gpu)
{
	const char *purpose = gp_sheet_printf(sheet, "for GPU %s to go from %s", gp_gpu_name(sheet, gpu),
					      gp_cut_change(sheet, gpu, " to "));

	if (gp_vm_policy(sheet, vm, gpu->class_of) == GP_POLICY_REFUSE) {
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

/* ---- starting ---- */

static bool is_there_for(const struct gp_ask *ask)
{
	return gp_slot_is_there(ask->slot) && (!ask->slot->gpu->mdevs || gp_ask_has_its_mdev(ask));
}

/* All that its definition is going to name will exist when the other steps are done. */
static bool will_have_its_partitions(const struct gp_vm_row *vm)
{
	for (size_t a = 0; a < vm->ask_count; a++) {
		const struct gp_slot *slot = vm->asks[a].slot;

		if (!slot)
			return false;
		if (!is_there_for(&vm->asks[a]) && (!slot->gpu->changes || slot->gpu->waits || slot->waits))
			return false;
	}
	return true;
}

/* What its definition names there will be there when the other steps are done. */
static bool will_be_there(const struct gp_claim *claim)
{
	const struct gp_slot *slot = claim->slot;
	bool changes = slot->gpu->changes && !slot->gpu->waits;

	if (changes && slot->made)
		return !slot->gpu->mdevs || slot->taken_by->vm == claim->vm;
	return gp_slot_is_there(slot) && !(changes && slot->lost);
}

/* All that its definition names now. */
static bool has_its_partitions(const struct gp_vm_row *vm)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (!vm->claims[c]->live && !vm->claims[c]->noted && !will_be_there(vm->claims[c]))
			return false;
	}
	for (size_t i = 0; i < vm->domain->config_count; i++) {
		/* A mediated device that is nowhere. */
		if (vm->domain->config[i].type == GP_HOSTDEV_MDEV && !vm->domain->config[i].resolved)
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
		return !gp_vm_goes_down(sheet, claim->vm);
	return claim->vm->starts && (claim->vm->edits_wait || !gp_claim_is_to_go(claim));
}

/* Who runs, or is about to be started, with something that the VM's definition names: its start would fail. */
static const char *plugged_elsewhere(const struct gp_sheet *sheet, const struct gp_vm_row *vm)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		if (vm->claims[c]->live || vm->claims[c]->noted ||
		    (!vm->edits_wait && gp_claim_is_to_go(vm->claims[c])))
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

static void judge_power_on(struct gp_sheet *sheet, struct gp_vm_row *vm)
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
	if (!holder && gp_vm_gpu_waited_for(vm)) {
		gp_wait_for_gpu(sheet, gp_vm_gpu_waited_for(vm),
				gp_sheet_printf(sheet, "VM %s: start", vm->domain->name), vm->start_reason, 71);
		return;
	}
	gp_wait_for_vm(sheet, gp_sheet_printf(sheet, "VM %s: start", vm->domain->name),
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

void gp_judge_stop(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_gpu_row *gpu = vm->want ? gpu_reset_under(sheet, vm) : NULL;

	if (vm->want && gp_vm_is_asked_to_stop(vm) && vm->domain->state != GP_DOMAIN_STOPPING)
		judge_asked_stop(sheet, vm, vm->want->power_mark);
	else if (vm->up && gpu)
		judge_reset_under(sheet, vm, gpu);
	else if (vm->live_differs && !vm->edits_wait)
		judge_binding_of_running(sheet, vm);
}

void gp_judge_start(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	if (!vm->up)
		judge_power_on(sheet, vm);
	judge_mark(vm);
	vm->starts = vm->starts || vm->restores;
}

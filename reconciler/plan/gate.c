/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/gate.h"

#include <string.h>

#include "plan/power.h"
#include "plan/wait.h"

/* ---- GPUs: who may not be disturbed ---- */

/* Another size needs all of them gone, another type of the same size only those that get it. */
static bool changes_size(const struct gp_gpu_row *gpu)
{
	for (size_t s = 0; gpu->by_profile && gpu->layout && s < gpu->slot_count; s++) {
		const struct gp_slot *slot = &gpu->slots[s];

		if (slot->wrong && slot->now->offers[GP_VRAM].bytes != gpu->layout->groups[0].offers[GP_VRAM].bytes)
			return true;
	}
	return false;
}

/* "going from 4 to 8 partitions takes all 4 away" */
static const char *what_goes(struct gp_sheet *sheet, const struct gp_gpu_row *gpu)
{
	bool reset = false;

	for (size_t s = 0; s < gpu->slot_count; s++)
		reset = reset || gp_slot_is_reset(&gpu->slots[s]);
	if (!reset)
		return gp_sheet_printf(sheet, "%u of its vGPUs would be made anew for another VM", gpu->lost_count);
	return gp_sheet_printf(sheet, "going from %s takes %s%u away", gp_cut_change(sheet, gpu, " to "),
			       gpu->lost_count == gpu->from ? "all " : "", gpu->lost_count);
}

static struct gp_diag *refuse_change(struct gp_sheet *sheet, struct gp_gpu_row *gpu, unsigned case_number,
				     const char *code, const char *why)
{
	struct gp_diag *diag =
		gp_sheet_fault(sheet, GP_E_REFUSED, code, gpu->class_of->partitions_mark, "GPU %s: %s, and %s",
			       gp_gpu_name(sheet, gpu), what_goes(sheet, gpu), why);

	gp_error_subject(&diag->error, "%s %s", gp_gpu_name(sheet, gpu),
			 gpu->by_profile ? "vGPU types" : "sriov_numvfs");
	if (changes_size(gpu))
		gp_diag_other(diag, gpu->class_of->partitions_mark,
			      "all vGPUs of a GPU have one size, so every VM of it has to be off for another one");
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
		more += gpu->slots[s].lost && is_same_outsider(gpu->slots[s].outsider, first->outsider);
	return more ? gp_sheet_printf(sheet, "%s and %zu more", gp_slot_name(sheet, first), more)
		    : gp_slot_name(sheet, first);
}

static bool was_told_of(const struct gp_gpu_row *gpu, const struct gp_slot *slot)
{
	for (size_t s = 0; s < slot->index; s++) {
		if (gpu->slots[s].lost && is_same_outsider(gpu->slots[s].outsider, slot->outsider))
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
		bool may_be_vm = !sheet->observed->domains_state.known;

		diag = refuse_change(sheet, gpu, 16, "held-by-process",
				     gp_sheet_printf(sheet, "%s %s open in a process%s", vf, several ? "are" : "is",
						     may_be_vm ? "" : " that is none of the VMs known"));
		gp_error_holder(&diag->error, "process %s, pid %llu", holder->name, (unsigned long long)holder->pid);
		gp_error_remedy(&diag->error, may_be_vm ? "leave it alone until the VMs can be listed: it may be one"
							: "end that process");
	}
}

/* Its own definition speaks for what is plugged; a live claim of a listed VM is dealt with as that VM's restart. */
static bool claim_forbids(const struct gp_claim *claim)
{
	if (gp_claim_is_foreign(claim))
		return true;
	if (!claim->live && !claim->hostdev->ours)
		return !gp_claim_is_to_go(claim); /* adopt: true, but it is not what is asked for */
	return claim->live && !claim->vm->want;   /* ours once, but its VM is nobody's to stop */
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
	return !claim->live && !claim->noted && claim->vm->domain->managed_save && !gp_claim_is_to_go(claim);
}

static void check_holders(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	for (size_t s = 0; s < gpu->slot_count; s++) {
		struct gp_slot *slot = &gpu->slots[s];
		const struct gp_vm_row *told = NULL;

		if (!slot->lost)
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
	unsigned case_number = gpu->case_number;

	for (size_t s = 0; s < gpu->slot_count; s++) {
		for (const struct gp_claim *claim = gpu->slots[s].claims; claim && claim->slot->lost;
		     claim = claim->next) {
			if (claim->live)
				return 10;
			if (gpu->slots[s].taken_by && gpu->slots[s].taken_by->vm == claim->vm)
				case_number = 8;
		}
	}
	return case_number;
}

static void judge_gpu(struct gp_sheet *sheet, struct gp_gpu_row *gpu)
{
	if (!gpu->changes)
		return;
	gpu->reason = (struct gp_reason){
		"partition-count",
		gp_sheet_printf(sheet, "class %s asks for %s", gpu->class_of->name, gp_cut_wanted(sheet, gpu)),
		gpu->class_of->partitions_mark};
	if (gpu->lost_count == 0) {
		if (gpu->from == 0 && !gpu->by_profile &&
		    (!sheet->observed->domains_state.known || !sheet->observed->vfio_state.known))
			gpu->case_number = 18; /* case 18: nothing can be held where nothing is */
		return;
	}
	if (gpu->case_number == 5 || gpu->case_number == 102)
		gpu->case_number = case_of_reset(gpu);
	check_truth(sheet, gpu);
	check_holders(sheet, gpu);
	if (gpu->waits)
		gp_wait_for_gpu(
			sheet, gpu,
			gp_sheet_printf(sheet, "GPU %s: %s", gp_gpu_name(sheet, gpu), gp_cut_change(sheet, gpu, " → ")),
			gpu->reason, gpu->case_number);
}

/* ---- VMs: whose definition may not be changed ---- */

static void refuse_edit(struct gp_sheet *sheet, struct gp_vm_row *vm, unsigned case_number, const char *code,
			const char *why, const char *remedy)
{
	const struct gp_edit *edit = gp_vm_telling_edit(vm);
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

/* The first of the VMs that are to get a partition which libvirt could not plug in. */
static const struct gp_ask *ask_beyond_libvirt(const struct gp_sheet *sheet, size_t *others)
{
	const struct gp_ask *first = NULL;

	*others = 0;
	for (size_t v = 0; v < sheet->vm_count; v++) {
		for (size_t e = 0; e < sheet->vms[v].edit_count; e++) {
			const struct gp_ask *ask = sheet->vms[v].edits[e].ask;

			if (!ask || sheet->observed->hypervisor.version >= ask->slot->gpu->gpu->libvirt_min)
				continue;
			*others += first != NULL;
			first = first ? first : ask;
		}
	}
	return first;
}

/* case 108: libvirt would take the definition, and then not start the VM. Told once for all; and no more than a warning
 * while nobody has seen yet how VMs are given these VFs. */
static void check_libvirt(struct gp_sheet *sheet)
{
	size_t others;
	const struct gp_ask *ask = sheet->observed->hypervisor.version ? ask_beyond_libvirt(sheet, &others) : NULL;
	const struct gp_gpu *gpu = ask ? ask->slot->gpu->gpu : NULL;
	char found[GP_VERSION_SIZE], least[GP_VERSION_SIZE];
	struct gp_diag *diag;

	if (!gpu)
		return;
	diag = gp_diags_add(&sheet->plan->diags, gpu->framework_expected ? GP_WARNING : GP_ERROR, GP_E_UNSUPPORTED,
			    "libvirt-too-old", ask->want->mark,
			    "libvirt %s cannot start %s%s with %s%s; it must be %s or newer: %s",
			    gp_version_format(sheet->observed->hypervisor.version, found), ask->vm->domain->name,
			    others ? gp_sheet_printf(sheet, " and %zu more", others) : "",
			    others ? "their partitions" : gp_slot_name(sheet, ask->slot),
			    gpu->framework_expected ? ", if the driver uses the framework that is expected" : "",
			    gp_version_format(gpu->libvirt_min, least), gpu->libvirt_why);
	gp_error_subject(&diag->error, "domain %s", ask->vm->domain->name);
	gp_error_remedy(&diag->error, "update libvirt (Debian 13 has 11.3)");
}

static void judge_vm(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	if (vm->faulty || edits_are_refused(sheet, vm))
		return;
	gp_judge_stop(sheet, vm);
	if (vm->edits_wait)
		gp_tell_waiting_edits(sheet, vm);
	gp_judge_start(sheet, vm);
}

void gp_gate(struct gp_sheet *sheet)
{
	gp_spread_waiting(sheet);
	gp_settle_params(sheet);
	for (size_t g = 0; g < sheet->observed->gpu_count; g++)
		judge_gpu(sheet, &sheet->gpus[g]);
	if (!sheet->observed->domains_state.known)
		return;
	for (size_t v = 0; v < sheet->vm_count; v++)
		judge_vm(sheet, &sheet->vms[v]);
	check_libvirt(sheet);
}

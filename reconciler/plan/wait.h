/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GP_PLAN_WAIT_H
#define GP_PLAN_WAIT_H

#include "plan/sheet.h"

/*
 * What waits for a VM to be off. A GPU waits for those who are plugged into it, an edit for its GPU or for whoever has
 * its partition, and a start for both.
 */

/* Sets waits and waits_for of GPUs, edits_wait and waits_for of VMs, and the numbers of those cases. */
void gp_spread_waiting(struct gp_sheet *sheet);

/* Adds to what the plan says is waiting; for a GPU, one entry for each VM that must be off. */
void gp_wait_for_vm(struct gp_sheet *sheet, const char *what, const char *domain, struct gp_reason reason,
		    unsigned case_number);
void gp_wait_for_gpu(struct gp_sheet *sheet, const struct gp_gpu_row *gpu, const char *what, struct gp_reason reason,
		     unsigned case_number);
void gp_tell_waiting_edits(struct gp_sheet *sheet, struct gp_vm_row *vm);

/* ---- questions ---- */

enum gp_disruption_policy gp_vm_policy(const struct gp_sheet *sheet, const struct gp_vm_row *vm,
				       const struct gp_class *class_of);
/* power: stopped, and it runs. */
bool gp_vm_is_asked_to_stop(const struct gp_vm_row *vm);
/* Will it be off in the course of this plan, if nothing is refused? */
bool gp_vm_goes_down(const struct gp_sheet *sheet, const struct gp_vm_row *vm);
/* Its partitions are taken away before others are made. */
bool gp_gpu_resets(const struct gp_gpu_row *gpu);
/* What it is goes, whoever has it: not because a VM is to have something else there. */
bool gp_slot_is_reset(const struct gp_slot *slot);
/* An edit takes it out of the definition. */
bool gp_claim_is_to_go(const struct gp_claim *claim);
/* The edit whose reason speaks for all of the VM: the first that gives it something; NULL: it has none. */
const struct gp_edit *gp_vm_telling_edit(const struct gp_vm_row *vm);
/* The GPU whose change the VM's edits wait for; NULL: they wait for a VM. */
const struct gp_gpu_row *gp_vm_gpu_waited_for(const struct gp_vm_row *vm);

#endif

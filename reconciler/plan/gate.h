/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GP_PLAN_GATE_H
#define GP_PLAN_GATE_H

#include "plan/sheet.h"

/*
 * What of the differences goes ahead, what waits for a VM to be off, and what is refused. Sees the complete picture:
 * the last moment to say no is before the first step.
 *
 * Sets waits and waits_for of GPUs and VMs, and stops, starts, restores and clears_mark of VMs; adds waiting entries
 * and refusals to the plan.
 */
void gp_gate(struct gp_sheet *sheet);

/* A cluster manager starts and stops it. */
bool gp_vm_is_external(const struct gp_vm_row *vm);
/* An interrupted run stopped it and owes it a start. It is placed as if it ran with what its definition names, so that
 * the interrupted plan is finished as it was made. */
bool gp_vm_is_owed_a_start(const struct gp_vm_row *vm);

#endif

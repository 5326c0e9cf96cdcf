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

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GP_PLAN_POWER_H
#define GP_PLAN_POWER_H

#include "plan/sheet.h"

/* Who is stopped and started, and who must not be. `power:` asks for it, or a binding, or the reset of a GPU needs it.
 */

/* Sets stops and restores with their reason, or refuses; renumbers the VM's edits to the rows of VMs that run. */
void gp_judge_stop(struct gp_sheet *sheet, struct gp_vm_row *vm);
/* After that: sets starts and clears_mark, or says what the start waits for. */
void gp_judge_start(struct gp_sheet *sheet, struct gp_vm_row *vm);

/* A cluster manager starts and stops it. */
bool gp_vm_is_external(const struct gp_vm_row *vm);
/* An interrupted run stopped it and owes it a start. It is placed as if it ran with what its definition names, so that
 * the interrupted plan is finished as it was made. */
bool gp_vm_is_owed_a_start(const struct gp_vm_row *vm);

#endif

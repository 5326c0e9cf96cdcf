/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GP_PLAN_DIFF_H
#define GP_PLAN_DIFF_H

#include "plan/sheet.h"

/*
 * Want × have, VM by VM: which hostdevs of the definitions go, come, or are replaced (vm->edits), and whether what is
 * plugged differs from what the VM is to have (vm->live_differs). GPUs were compared when they were selected. Decides
 * nothing about what is allowed: that is the gate's.
 */
void gp_diff(struct gp_sheet *sheet);

#endif

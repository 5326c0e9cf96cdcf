/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/outcome.h"

void gp_outcome_clear(struct gp_outcome *outcome)
{
	for (size_t i = 0; i < outcome->step_count; i++) {
		free(outcome->steps[i].what);
		gp_error_clear(&outcome->steps[i].error);
	}
	free(outcome->steps);
	gp_diags_clear(&outcome->diags);
	free((char *)outcome->saved_export);
	*outcome = (struct gp_outcome){0};
}

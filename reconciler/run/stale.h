/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does an approved plan still stand? Pure. */
#ifndef GP_RUN_STALE_H
#define GP_RUN_STALE_H

#include "model/plan.h"

/* Do both plans run the same steps? Ids, and the words around them, do not count. False: *why names the first that
 * differs. */
bool gp_plan_same_steps(const struct gp_plan *approved, const struct gp_plan *now, struct gp_str *why);

/* Was each step of the chain printed, be it as expected? Addresses that could not be known then do not count. */
bool gp_plan_foresaw(const struct gp_plan *approved, const struct gp_chain *chain);

/* What changed on the host between two observations, as far as plans stand on it: at most `most` facts with
 * "; " between them. Returns how many were added. */
size_t gp_observed_changes(const struct gp_observed *before, const struct gp_observed *now, size_t most,
			   struct gp_str *out);

#endif

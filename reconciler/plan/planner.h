/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Desired × observed → plan. Pure: no host, no clock, no environment; same input, byte-identical plan.
 */
#ifndef GP_PLAN_PLANNER_H
#define GP_PLAN_PLANNER_H

#include "model/plan.h"
#include "vendor/vendor.h"

/*
 * Never NULL. What must not run is in plan->diags (see gp_plan_verdict); a plan with errors still shows all that could
 * be worked out, and has no stages when nothing may be written.
 */
struct gp_plan *gp_plan_make(const struct gp_desired *desired, const struct gp_observed *observed);

/* After an `observe again`: does `next` disturb no more than what was approved in `approved`? False: *why says what
 * more. */
bool gp_plan_within(const struct gp_plan *next, const struct gp_plan *approved, struct gp_str *why);

struct gp_render_options {
	bool colour;
	bool utf8;      /* arrows and bullets; false: ASCII */
	unsigned width; /* 0: do not wrap */
};
/* The text that a person reviews; ends with the summary line, or "No changes." */
void gp_plan_render(const struct gp_plan *plan, const struct gp_desired *desired, const struct gp_observed *observed,
		    struct gp_render_options options, struct gp_str *out);
/* What the plan waits for, one line each, as in the plan. */
void gp_plan_render_waiting(const struct gp_plan *plan, struct gp_render_options options, struct gp_str *out);
/* One step as one line, as in the plan; used for progress, too. */
void gp_step_render(const struct gp_step *step, struct gp_render_options options, struct gp_str *out);
/* {"format_version": "1.0", "kind": "plan", "changed": …}; caller puts. */
struct json_object *gp_plan_to_json(const struct gp_plan *plan);

#endif

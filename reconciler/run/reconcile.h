/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * START HERE. The whole story on one page: observe, plan, gate, apply, verify, report.
 */
#ifndef GP_RUN_RECONCILE_H
#define GP_RUN_RECONCILE_H

#include <signal.h>

#include "host/host.h"
#include "model/desired.h"
#include "model/outcome.h"
#include "model/plan.h"

/* One snapshot: PCI facts, vendors, domains, holders, joined. desired (may be NULL) names addresses beyond GPUs. What
 * cannot be read is unknown, not an error; NULL only when not even the PCI devices can be listed. */
struct gp_observed *gp_observe(struct gp_host *host, const struct gp_desired *desired, struct gp_error *err);

/* What the run tells while it goes on. Any may be NULL. Called from the thread that called gp_apply(). */
struct gp_progress {
	void *context;
	void (*step_started)(void *context, const struct gp_step *step);
	void (*step_finished)(void *context, const struct gp_step *step, const struct gp_step_outcome *outcome);
	/* Once a second while a step takes long; detail is complete: "waiting for web-01 to shut down, 35s of 120s". */
	void (*still)(void *context, const struct gp_step *step, uint64_t elapsed_ms, const char *detail);
	void (*stage)(void *context, size_t steps); /* after an observe again: so many follow */
	void (*lock_wait)(void *context, const char *holder);
};

struct gp_apply_options {
	struct gp_progress progress;
	uint64_t lock_wait_ms; /* default of the command: 10 minutes */
	/* Set to non-zero (by a signal handler) to stop in good order: what runs is finished, nothing more is started,
	 * every VM that was stopped is started again, and what was not run is reported. NULL: cannot be stopped. */
	const volatile sig_atomic_t *stop;
};

/*
 * Applies an approved plan, then observes again and plans again: verified means that nothing differs any more (waiting
 * is no difference). Later stages run only if they disturb no more than was approved.
 *
 * Takes the host lock when there is something to do, and makes sure under the lock that the plan still stands (else
 * GP_E_STALE and nothing written). Returns the kind that decides the exit code: GP_E_NONE, or the worst that happened.
 */
enum gp_error_kind gp_apply(struct gp_host *host, const struct gp_desired *desired, const struct gp_observed *observed,
			    const struct gp_plan *plan, const struct gp_apply_options *options,
			    struct gp_outcome *outcome);

/* For machines: {"format_version": "1.0", "kind": "outcome", "changed": …, "verified": …}; caller puts. */
struct json_object *gp_outcome_to_json(const struct gp_outcome *outcome, const struct gp_plan *plan);
const char *gp_step_state_name(enum gp_step_state state); /* "done", "not-run" … */

#endif

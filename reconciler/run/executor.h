/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter of steps: it decides nothing.
 *
 * A step runs when all that it needs is done. Steps wait in helper processes, in libvirt and in guests, so that many
 * run at the same time: 32 GPUs whose kernel takes 2 s each take little more than 2 s.
 */
#ifndef GP_RUN_EXECUTOR_H
#define GP_RUN_EXECUTOR_H

#include "run/reconcile.h"

struct gp_execution {
	uint32_t at_once;                   /* VMs that may be down at the same time, over all chains */
	uint32_t stage_number;              /* 1…, for the outcome */
	const struct gp_progress *progress; /* may be NULL; called in the thread that called gp_execute_stage() */
	const volatile sig_atomic_t *stop;  /* see gp_apply_options; may be NULL */
};

/*
 * Runs all steps of one stage: each when what it needs is done, chains in parallel, at most at_once VMs down (a chain
 * takes its vms_down before its first stop). Before each step `before` is read again and its guard is evaluated. When a
 * chain fails, the rest of it is not run, but every VM that the chain stopped and whose devices still exist is started.
 *
 * Appends an outcome for each step of this stage, and a diagnostic for each failure. 0, or -1 when any step failed.
 */
int gp_execute_stage(struct gp_host *host, const struct gp_stage *stage, const struct gp_execution *execution,
		     struct gp_outcome *outcome);

/* After a stage that went well, when the next cannot run: starts the VMs that it left off and marked. */
void gp_restore_stage(struct gp_host *host, const struct gp_stage *stage, struct gp_outcome *outcome);

/* The steps of a stage that will not be run, because an earlier one failed. */
void gp_skip_stage(const struct gp_stage *stage, uint32_t stage_number, struct gp_outcome *outcome);

#endif

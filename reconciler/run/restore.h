/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a chain fails: bring back what it took away. */
#ifndef GP_RUN_RESTORE_H
#define GP_RUN_RESTORE_H

#include "model/outcome.h"
#include "run/steps.h"

struct chain_run;

/* A step in the executor's hands. */
struct gp_step_task {
	const struct gp_step *step;
	struct chain_run *chain;
	size_t outcome; /* index into outcome->steps */
	size_t needs_left;
	size_t *dependents; /* indices of those that need it */
	size_t dependent_count;
	enum gp_step_state state;
	bool running, over;
	bool changed;            /* it ran, and something was changed */
	bool asked_to_shut_down; /* STOP: the guest was told to */
	bool left_to_kernel;     /* its write passed the deadline, and may still happen */
	uint64_t started_ms, told_ms;
};

/*
 * Starts every VM of these tasks that is off, carries our mark and whose devices still exist; clears the mark of those,
 * and of the ones that were marked but never asked to stop. What stays off, and who will start it, is said in diags.
 * Returns how many changes were made.
 */
size_t gp_restore_domains(struct gp_bench *bench, const struct gp_step_task *tasks, size_t count,
			  struct gp_diags *diags);

#endif

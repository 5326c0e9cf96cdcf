/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened to each step of a plan, and to the run. */
#ifndef GP_MODEL_OUTCOME_H
#define GP_MODEL_OUTCOME_H

#include "model/plan.h"

enum gp_step_state {
	GP_STEP_PENDING,
	GP_STEP_RUNNING,
	GP_STEP_DONE,
	GP_STEP_SKIPPED, /* it was so already when its turn came */
	GP_STEP_FAILED,
	GP_STEP_NOT_RUN /* its chain failed before */
};

struct gp_step_outcome {
	uint32_t stage; /* 1…: a later stage is planned again, so its ids begin anew */
	uint32_t id;
	enum gp_step_kind kind;
	char *what; /* the line of the plan; owned */
	enum gp_step_state state;
	uint64_t took_ms;
	struct gp_error error; /* FAILED */
};

/* done + skipped + failed + not_run == planned, asserted at the end of every run. */
struct gp_outcome {
	struct gp_step_outcome *steps;
	size_t step_count;
	size_t done, skipped, failed, not_run;
	size_t writes;            /* primitive changes really made: 0 for a second apply */
	size_t waiting;           /* for VMs to be off, at the end */
	bool verified;            /* the host was observed again and nothing differs */
	struct gp_diags diags;    /* failures; read-back that disagrees (GP_E_VERIFY); staleness */
	const char *saved_export; /* path of the previous state, or NULL; owned */
};

void gp_outcome_clear(struct gp_outcome *outcome);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is this host ready to partition GPUs? A table of checks; each looks at one thing and says what it found and what
 * would mend it.
 *
 * Reads only, through the host handle: a simulated and a captured machine are examined like a real one. What could not
 * be read is unknown, with the reason, and unknown is not pass.
 */
#ifndef GP_RUN_DOCTOR_H
#define GP_RUN_DOCTOR_H

#include "host/host.h"
#include "model/desired.h"
#include "model/observed.h"

enum gp_check_status {
	GP_CHECK_NOT_APPLICABLE, /* nothing of the kind is here, or another check's remedy comes first */
	GP_CHECK_PASS,
	GP_CHECK_WARN, /* works now, or for others; somebody should look */
	GP_CHECK_FAIL, /* GPUs cannot be partitioned, or VMs not be given partitions, until this is mended */
	GP_CHECK_UNKNOWN,
	GP_CHECK_STATUS_COUNT
};

enum gp_check_scope { GP_CHECK_OF_HOST, GP_CHECK_OF_GPU, GP_CHECK_OF_VMS };

/* One row of the table. Ids are stable: scripts and docs/doctor.md name them. */
struct gp_check_kind {
	const char *id;    /* "iommu-active" */
	const char *title; /* "IOMMU active" */
	enum gp_check_scope scope;
};
const struct gp_check_kind *gp_check_kind_at(size_t index); /* NULL: there are no more */

/* What one check found, about the host, one GPU, or the VMs. */
struct gp_check {
	const struct gp_check_kind *kind;
	const struct gp_gpu *gpu; /* OF_GPU, else NULL */
	enum gp_check_status status;
	const char *found;  /* one sentence, never NULL; names no address of `gpu`, so that GPUs alike read alike */
	const char *remedy; /* a command, a setting of the firmware; NULL: none needed, or none known */
};

/* Checks of the host, then of each GPU in turn, then of the VMs; within each in the order of the table. */
struct gp_checkup {
	struct gp_arena *arena;
	struct gp_check *checks;
	size_t count;
	size_t tally[GP_CHECK_STATUS_COUNT];
};

/*
 * `desired` may be NULL. With classes, a GPU that none of them selects is only warned about, not failed. The result
 * points into `observed`, which must live as long.
 */
struct gp_checkup *gp_doctor(struct gp_host *host, const struct gp_desired *desired,
			     const struct gp_observed *observed);
void gp_checkup_free(struct gp_checkup *checkup);
GP_DEFINE_CLEANUP(struct gp_checkup, gp_checkup_free)

const char *gp_check_status_name(enum gp_check_status status); /* "pass" */

#endif

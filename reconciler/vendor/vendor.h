/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vendor is one file and one row of registry.c.
 *
 * Vendors read and decide; they never write. Only observe() is given the host. All else is pure: a function of the
 * snapshot, so that the planner can be tested without a machine, and so that a saved snapshot can be planned on.
 */
#ifndef GP_VENDOR_VENDOR_H
#define GP_VENDOR_VENDOR_H

#include "model/desired.h"
#include "model/observed.h"
#include "model/plan.h"

struct gp_host;

/* A change of one GPU's partitioning that the planner has decided on. */
struct gp_delta {
	const struct gp_gpu *gpu;
	const struct gp_class *class_of; /* who asks */
	uint32_t from, to;               /* partition counts */
	struct gp_reason reason;
	unsigned case_number;
};

/*
 * Where a vendor puts its steps. Steps added are chained: each needs the one before it, and the first needs what the
 * planner names (VMs stopped). The planner fills in ids. push() returns a zeroed step with reason and case filled in
 * from the delta; strings must come from `arena`.
 */
struct gp_step_sink {
	struct gp_arena *arena;
	const struct gp_delta *delta;
	struct gp_step *(*push)(struct gp_step_sink *sink, enum gp_step_kind kind);
	void *context;
	/* Set by the vendor when what follows depends on a fact that these steps bring to light; ends the stage. */
	const char *observe_why;
};

struct gp_vendor {
	const char *name; /* "sriov", shown by gpus */
	/* 0: not mine; higher is more specific. Sees identity and SR-IOV facts only. */
	int (*match)(const struct gp_gpu *gpu);
	/* Completes the GPU: unfit, vram, profiles and offers of the partitions. Host facts that every PF has
	 * (identity, driver, SR-IOV, VFs with driver and IOMMU group) are filled in already. An unfit GPU is no error;
	 * -1 only when the host cannot be read at all. */
	int (*observe)(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err);
	/* Fills gpu->layouts with every way to cut this GPU, ascending by count, and from them the offers of the
	 * partitions that exist. Pure; called once after observe, and again by the planner with the class that selects
	 * the GPU when the class narrows the choice (series). `class_of` may be NULL. */
	void (*layouts)(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
			struct gp_layout **layouts, size_t *count);
	/* What this back-end cannot do of what the class asks for this GPU: adds faults, and returns true when there
	 * are any. A fault of many GPUs alike is added once: its subject then tells that it goes for others, too. */
	bool (*check)(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags);
	/* Steps that lead from delta->from to delta->to. */
	void (*steps)(const struct gp_delta *delta, struct gp_step_sink *sink);
	/* How a VM is given partition `index`: type and managed. For a PCI partition the address is resolved by lookup.
	 */
	void (*device)(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out);
	/* Says what would work when one of its steps failed (err->sys is the kernel's answer), unless that is said
	 * already. */
	void (*explain)(const struct gp_gpu *gpu, const struct gp_step *step, struct gp_error *err);
	/* True when a VF bound to this driver is held by nobody (its own vGPU driver). vfio drivers never hold. */
	bool (*idle_driver)(const char *driver);
};

/* The most specific back-end; never NULL (the last row takes everything and says that it cannot be partitioned). */
const struct gp_vendor *gp_vendor_for(const struct gp_gpu *gpu);

#endif

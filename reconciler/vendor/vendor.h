/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vendor is one file, or a few with one prefix, and one row of registry.c.
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

/* What one VF needs, where VFs get their profiles one by one. */
struct gp_vf_change {
	uint32_t vf;
	const struct gp_partition *now;   /* NULL: it is only about to be made */
	bool clears;                      /* what it is now goes first: its profile, or its mediated device */
	const struct gp_layout_group *to; /* the profile that it gets then; NULL: none */
	const struct gp_uuid *mdev;       /* the name that the VM knows it by, where profiles are mediated devices */
	const char *params;               /* vgpu_params that it gets; NULL: they stay */
	struct gp_reason reason;
	unsigned case_number;
};

/* A change of one GPU's partitioning that the planner has decided on. */
struct gp_delta {
	const struct gp_gpu *gpu;
	const struct gp_class *class_of; /* who asks */
	const struct gp_policy *policy;
	uint32_t from, to; /* partition counts */
	/* by_profile: VFs that change, ascending. Those that clear something do so before any gets something. */
	const struct gp_vf_change *vfs;
	size_t vf_count;
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
	/* Set by the vendor when what follows depends on a fact that the steps so far bring to light; ends the stage.
	 * Steps pushed after it was set belong to the next one, and are printed as expected. */
	const char *observe_why;
};

struct gp_vendor {
	const char *name; /* "sriov", shown by gpus */
	/* VFs are made all at once and stay; each is given a profile, and loses it, by itself. Else a partition is a
	 * VF, and all go and come together. */
	bool by_profile;
	/* 0: not mine; higher is more specific. Sees identity and SR-IOV facts only. */
	int (*match)(const struct gp_gpu *gpu);
	/* Completes the GPU: unfit, vram, profiles and offers of the partitions. Host facts that every PF has
	 * (identity, driver, SR-IOV, VFs with driver and IOMMU group) are filled in already. An unfit GPU is no error;
	 * -1 only when the host cannot be read at all. */
	int (*observe)(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err);
	/* Every way to cut this GPU, ascending by count (of one count: by series). Pure; called once after observe, and
	 * again by the planner with the class that selects the GPU when the class narrows the choice: by its series, or
	 * by a list of sizes, which leaves at most one. `class_of` may be NULL. */
	void (*layouts)(const struct gp_gpu *gpu, const struct gp_class *class_of, struct gp_arena *arena,
			struct gp_layout **layouts, size_t *count);
	/* What this back-end cannot do of what the class asks for this GPU: adds faults, and returns true when there
	 * are any. A fault of many GPUs alike is added once: its subject then tells that it goes for others, too. */
	bool (*check)(const struct gp_class *class_of, const struct gp_gpu *gpu, struct gp_diags *diags);
	/* Steps that lead from delta->from to delta->to. A by_profile step about one VF has the reason and case of its
	 * gp_vf_change. */
	void (*steps)(const struct gp_delta *delta, struct gp_step_sink *sink);
	/* How a VM is given partition `index`: type and managed. For a PCI partition the address is resolved by lookup;
	 * a mediated device is made for its VM, under gp_mdev_uuid(). */
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan is a value: printable, storable, comparable. What is printed is what runs.
 *
 *	stage ── chain ── step
 *
 * A *stage* is planned on one observation. Where a choice depends on a fact that only an earlier step brings to light,
 * the stage ends with a printed `observe again`, and the later stages are what is expected.
 *
 * A *chain* is a connected set of GPUs and VMs: its failure stops nobody else's work. Chains run in parallel.
 *
 * A *step* is primitive. It starts when all steps named in `needs` (of the same chain) are done; so, within a chain,
 * two GPUs are worked on at the same time, and a VM starts as soon as its own GPUs are done. Steps are stored in an
 * order in which they could run one by one.
 *
 * The executor interprets steps and decides nothing.
 */
#ifndef GP_MODEL_PLAN_H
#define GP_MODEL_PLAN_H

#include "base/diag.h"
#include "model/observed.h"

enum gp_step_kind {
	GP_STEP_WRITE, /* write an attribute and read it back */
	GP_STEP_BIND,  /* bind a device to a driver */
	GP_STEP_UNBIND,
	GP_STEP_HELPER,  /* run an allow-listed vendor program */
	GP_STEP_WAIT,    /* wait until an attribute, the number of VFs or their driver is as named */
	GP_STEP_ATTACH,  /* add a hostdev to the persistent definition */
	GP_STEP_DETACH,  /* remove one */
	GP_STEP_REPLACE, /* one in the place of another: the guest sees the same slot */
	GP_STEP_MARK,    /* set or clear our metadata mark on a domain */
	GP_STEP_STOP,    /* ask a VM to shut down, wait, force only if allowed */
	GP_STEP_START,
	GP_STEP_OBSERVE_AGAIN,
	GP_STEP_KIND_COUNT
};

/* What a step's device and attribute are relative to. Only the host room turns them into paths. */
enum gp_step_base {
	GP_BASE_PCI, /* device "0000:41:00.0" or "vf:0000:41:00.0/3", attribute "sriov_numvfs" */
	GP_BASE_MDEV,
	GP_BASE_DRM,
	GP_BASE_NVIDIA_PROC,
	GP_BASE_DEBUGFS,
	GP_BASE_MODPROBE,
	GP_BASE_DOMAIN, /* device: the domain's name */
	GP_STEP_BASE_COUNT
};

/* The worst that the step does to anybody. Ascending. */
enum gp_disruption {
	GP_DISRUPTS_NOTHING,
	GP_DISRUPTS_PARTITION, /* partitions are lost (nobody holds them) */
	GP_DISRUPTS_VM_DEVICE, /* a VM loses its device */
	GP_DISRUPTS_VM,        /* a VM is stopped */
	GP_DISRUPTS_DRIVER,    /* a driver is reloaded */
	GP_DISRUPTION_COUNT
};

/* Evaluated in the writing helper right before the write, under the PF's exclusive lock. */
enum gp_guard {
	GP_GUARD_NONE,
	GP_GUARD_UNHELD,    /* no VF of the PF is held by anybody, and all four places of truth can be read */
	GP_GUARD_VF_UNHELD, /* the same of the one VF (or mediated device) that the step is about. What was just let go
			     * of may take a while to settle: tried again for GP_SETTLE_MS */
	GP_GUARD_NO_VFS,    /* the PF has no VF, and nobody has the physical GPU open */
	GP_GUARD_OFF,       /* the domain is off (before its definition is changed for good) */
	GP_GUARD_COUNT
};

enum { GP_SETTLE_MS = 10 * 1000 };

struct gp_reason {
	const char *code; /* stable word: "partition-count", "vm-binding", "release", "restore-power" … */
	const char *text; /* "class vdi asks for 8 partitions" */
	struct gp_mark mark;
};

/* What a MARK step has as `after`: "stopped by gpupart, to be started again". Anything else clears the mark. */
#define GP_MARK_TO_START "yes"
/* `attribute` of a MARK step that forgets a place (gp_domain.places), whose alias is `before`. */
#define GP_MARK_PLACE "place"

struct gp_step {
	uint32_t id; /* 1… in printed order over the whole plan */
	enum gp_step_kind kind;
	enum gp_step_base base;
	const char *device; /* PCI address, symbolic VF, or domain name */
	/* "sriov_numvfs"; HELPER: the program's name; WAIT: what is waited for: "virtfn" (number of VFs), "vf-driver"
	 * (the driver that all of them are bound to), "vf-shows" (one of these names, with a blank between them,
	 * below every VF), or an attribute */
	const char *attribute;
	const char *program; /* HELPER: absolute path */
	const char *before;  /* NULL: not known or does not matter */
	const char *after;
	struct gp_pci_addr pf; /* WRITE, WAIT, guards: whose lock and VFs */
	struct gp_uuid domain; /* domain steps */
	/* ATTACH, DETACH, REPLACE */
	struct gp_hostdev
		hostdev;    /* DETACH: the one to remove. Else: alias, managed, guest_xml, type; source when known */
	const char *source; /* ATTACH, REPLACE: "vf:0000:41:00.0/3", resolved by lookup when the step runs */
	struct gp_hostdev replaces; /* REPLACE: the one that goes; it may be gone, and only its place noted */
	const char *keeps_for;      /* DETACH: alias of what is to come in its place, which is noted; NULL: for good */
	/* STOP */
	uint64_t timeout_ms; /* STOP: grace time. WRITE, WAIT, HELPER: deadline. Never 0 where it matters */
	bool force;          /* STOP: destroy after the grace time */

	enum gp_disruption disruption;
	enum gp_guard guard;
	struct gp_reason reason;
	unsigned case_number; /* row of plan/CASES.md; 0 none */
	const char *what;     /* the line a person reads: "set sriov_numvfs" */
	uint32_t *needs;      /* ids of steps of this chain that must be done before */
	size_t need_count;
};

struct gp_chain {
	uint32_t id; /* 1… over the whole plan */
	struct gp_pci_addr *gpus;
	size_t gpu_count;
	const char **domains;
	size_t domain_count;
	struct gp_step *steps;
	size_t step_count;
	uint32_t vms_down; /* VMs that this chain keeps down at the same time: taken from at_once before its first stop
			    */
};

struct gp_stage {
	struct gp_chain *chains;
	size_t chain_count;
	bool expected;           /* later stage: printed as expected, planned again before it runs */
	const char *observe_why; /* non-NULL: the stage ends with `observe again`, for this reason */
};

/* Something that would be done if a VM were off. Not a difference: apply succeeds, `plan` exits 0. */
struct gp_waiting {
	const char *what;       /* "GPU 0000:41:00.0: 4 → 8 partitions" */
	const char *for_domain; /* whose switching off it waits for */
	struct gp_reason reason;
	unsigned case_number;
};

/* Where a wish was placed: what `vms` shows, and the tests assert. */
struct gp_assignment {
	const char *domain; /* as desired */
	bool defined;       /* the domain exists on this host */
	size_t want;        /* index into desired->vms */
	uint32_t request;   /* index into its requests */
	bool placed;
	const char *class_name;
	struct gp_vf_ref vf;
	const char *profile;
	struct gp_offer offers[GP_RESOURCE_COUNT];
	bool kept; /* it already has this partition */
};

/* What the plan would do to a GPU, also when it is nothing. */
struct gp_gpu_verdict {
	struct gp_pci_addr addr;
	const char *class_name; /* NULL: no file selects it: foreign */
	uint32_t count_now, count_wanted;
	const char *profiles; /* that are wanted, "8 × A16-2Q"; NULL: it has no such thing */
	unsigned case_number;
	const char *note; /* "kept", "waits for web-01", … */
};

/* The blast radius. */
struct gp_plan_summary {
	uint32_t partitions_created, partitions_lost;
	uint32_t bound, released; /* hostdevs attached / detached, a replacement counts in both */
	uint32_t taken_over;      /* replaced by one on the same partition: counts in neither */
	uint32_t vms_stopped, vms_started, vms_waiting;
	const char **stopped; /* names */
	size_t stopped_count;
};

struct gp_plan {
	struct gp_arena *arena;
	const char *hostname;
	struct gp_stage *stages;
	size_t stage_count; /* 0: no changes */
	struct gp_waiting *waiting;
	size_t waiting_count;
	struct gp_assignment *assignments; /* order of desired->vms, then request */
	size_t assignment_count;
	struct gp_gpu_verdict *verdicts; /* order of observed->gpus */
	size_t verdict_count;
	struct gp_plan_summary summary;
	struct gp_diags
		diags; /* refusals (GP_E_REFUSED), faults of the files on this host (GP_E_INPUT …), and information */
};

struct gp_plan *gp_plan_new(void);
void gp_plan_free(struct gp_plan *plan);
GP_DEFINE_CLEANUP(struct gp_plan, gp_plan_free)

size_t gp_plan_step_count(const struct gp_plan *plan); /* OBSERVE_AGAIN not counted */
bool gp_plan_has_changes(const struct gp_plan *plan);
/* The kind that decides the exit code of a plan that must not run: the worst of its errors; GP_E_NONE: it may run. */
enum gp_error_kind gp_plan_verdict(const struct gp_plan *plan);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worksheet of one planning run: what is wanted beside what is, row by row. Private to this room.
 *
 *	GPUs ── slots ── claims          VMs ── asks, edits
 *
 * Each stage of the story fills in its columns and reads those of the stages before it:
 *
 *	select   which class speaks for which GPU, and how many partitions it is to have
 *	roster   which domain is meant by which wish; who claims which partition now
 *	arrange  which VFs are to be what; what of that takes a partition away
 *	assign   which ask gets which slot
 *	diff     what differs in definitions, with the number of its case
 *	settle   what of the GPUs depends on who got what: mediated devices, parameters
 *	gate     what of that goes ahead, waits (wait.c) or is refused; who is stopped and started (power.c)
 *	steps    the primitive steps of what goes ahead
 *	order    chains, stages, numbers
 */
#ifndef GP_PLAN_SHEET_H
#define GP_PLAN_SHEET_H

#include "model/plan.h"
#include "vendor/vendor.h"

struct gp_vm_row;
struct gp_gpu_row;
struct gp_ask;

/* A hostdev, live or in the persistent definition, that names a slot. */
struct gp_claim {
	struct gp_vm_row *vm;
	const struct gp_hostdev *hostdev;
	struct gp_slot *slot;
	bool live;
	bool noted;            /* not in the definition: taken out of it by an exchange that has not ended */
	struct gp_claim *next; /* on the same slot */
};

/* A partition that is, or is to be, or that somebody names: a VF. */
struct gp_slot {
	struct gp_gpu_row *gpu;
	uint32_t index;
	bool offered;                        /* will exist, and may be given to VMs as far as the GPU is concerned */
	bool wrong;                          /* by_profile: it has a profile, and not the one that it is to have */
	bool lost;                           /* what it is now goes with the change of its GPU */
	bool made;                           /* it becomes a partition, or another one, with that change */
	bool retuned;                        /* it stays, and gets other parameters */
	const struct gp_layout_group *group; /* what it is to be; NULL: nothing, or what it is */
	const struct gp_offer *offers;       /* GP_RESOURCE_COUNT of them; when offered */
	const char *profile;
	const struct gp_partition *now; /* the VF; NULL: does not exist */
	struct gp_claim *claims;
	const struct gp_holder *outsider; /* a foreign driver, or a process that is no VM we know; NULL: none */
	struct gp_ask *taken_by;          /* set by assign */
	/* mediated devices */
	const struct gp_ask *leaver; /* what is here is to move to that one's slot */
	bool waits;                  /* what is to be made here cannot be made now, */
	const char *waits_for;       /* before that domain is off */
	unsigned wait_case;
	uint64_t preference; /* pack or spread: less is better */
	size_t number;       /* place in sheet->offered */
};

struct gp_gpu_row {
	const struct gp_gpu *gpu;
	const struct gp_class *class_of; /* NULL: foreign */
	bool faulty;                     /* an error was reported; it takes no part */
	const struct gp_layout *layouts; /* as narrowed by the class */
	size_t layout_count;
	const struct gp_layout *layout; /* the one that is asked for; NULL: no partitions, or those that are */
	bool by_profile;                /* gp_vendor.by_profile */
	bool mdevs;                     /* its partitions are mediated devices, made for one VM each */
	uint32_t from, to;
	struct gp_slot *slots;
	size_t slot_count;
	unsigned case_number;

	/* gate */
	bool changes; /* what it is cut into is not what is asked for, and no fault speaks against it */
	uint32_t lost_count, made_count; /* slots */
	bool enables;                    /* VFs are made first */
	bool retunes;                    /* parameters of partitions that stay */
	bool waits;
	const char *waits_for; /* a domain: the GPU waits for it, or the making of a mediated device */
	bool blind;            /* where its VFs will be is only known once they are made */
	struct gp_reason reason;
	/* steps */
	struct gp_step **steps; /* what the back-end asks for */
	size_t step_count;
	size_t step_later; /* from this one on they belong to the second stage */
	size_t drafted;    /* so many are drafts already */
	size_t last_step;  /* number of its last draft: what users of the GPU need; GP_NO_STEP */
	const char *observe_why;
	bool later; /* all of it belongs to the second stage: what goes here is to come where nobody has looked yet */
};

/* One partition that a VM asks for. */
struct gp_ask {
	struct gp_vm_row *vm;
	uint32_t request;
	const struct gp_request *want;
	struct gp_slot *slot;    /* NULL: gets none */
	bool kept;               /* the definition has it already, with the right alias */
	struct gp_uuid mdev;     /* the mediated device that it knows its partition by, on GPUs that have such */
	struct gp_slot *mdev_at; /* where that is now; NULL: nowhere */
	bool named;              /* the name is that of what is on its slot already */
	const char *gone_from;   /* its definition names a mediated device of this class, and that is nowhere */
};

/* A change of a persistent definition: remove, add, or replace. */
struct gp_edit {
	struct gp_vm_row *vm;
	struct gp_ask *ask;              /* NULL: release */
	const struct gp_hostdev *remove; /* NULL: nothing was there */
	bool noted;                      /* `remove` was taken out before; only its place is noted */
	unsigned case_number;
	struct gp_reason reason;
	size_t detach_step, attach_step; /* drafts; GP_NO_STEP. A replacement is both */
};

struct gp_vm_row {
	const struct gp_domain *domain;
	size_t domain_index;
	const struct gp_want_vm *want; /* NULL: no file lists it */
	size_t want_index;
	bool faulty;
	bool up; /* anything but off: it may hold devices */
	struct gp_ask *asks;
	size_t ask_count;
	struct gp_edit *edits;
	size_t edit_count;
	struct gp_claim **claims; /* its own, on managed and foreign GPUs alike */
	size_t claim_count;
	bool unresolved;                   /* a hostdev of ours names no VF that is known now */
	const struct gp_hostdev **forgets; /* places that no edit fills */
	size_t forget_count;

	/* gate */
	const struct gp_class *class_of; /* whose policy speaks for its bindings; may be NULL */
	bool live_differs;               /* what is plugged is not what it is to have */
	bool edits_wait;
	const char *waits_for;
	bool stops, starts, restores; /* restores: stopped to be started again */
	bool clears_mark;
	unsigned power_case;
	struct gp_reason stop_reason, start_reason;
	bool later; /* its edits and its start belong to the second stage */
	/* steps */
	bool lingers; /* runs on until the GPUs that it is to get partitions of are done */
	bool stops_later;
	size_t stop_step, start_step;
	size_t last_edit; /* the edits of one definition are done one after the other */
};

/* A step on its way into a chain. Drafts stand in an order in which they could run one by one. */
struct gp_draft {
	struct gp_step step;
	struct gp_gpu_row *gpu; /* whose step this is: one of gpu, vm */
	struct gp_vm_row *vm;
	bool later;
	size_t *needs; /* numbers of drafts */
	size_t need_count;
};

#define GP_NO_STEP SIZE_MAX

struct gp_sheet {
	const struct gp_desired *desired;
	const struct gp_observed *observed;
	struct gp_plan *plan;
	struct gp_arena *arena; /* the plan's: what is written here may be pointed to by the plan */
	struct gp_arena *scratch;

	struct gp_gpu_row *gpus; /* order of observed->gpus */
	struct gp_vm_row *vms;   /* listed ones in order of desired->vms, then others in order of observed->domains */
	size_t vm_count;
	struct gp_vm_row **by_domain; /* index: observed->domains; NULL: of no interest */
	struct gp_vm_row **by_want;   /* index: desired->vms; NULL: not defined here */
	struct gp_slot **offered;
	size_t offered_count;
	struct gp_ask **asks;
	size_t ask_count;
	const struct gp_domain *unreadable; /* a domain whose definition could not be read; NULL: none */
	bool observe_again;
	bool mdevs; /* some GPU has mediated devices */

	struct gp_draft *drafts;
	size_t draft_count;
};

/* The stages, in the order of the story. */
void gp_select(struct gp_sheet *sheet);
void gp_roster(struct gp_sheet *sheet);
void gp_arrange(struct gp_sheet *sheet);
void gp_assign(struct gp_sheet *sheet);
void gp_settle(struct gp_sheet *sheet);
void gp_settle_params(struct gp_sheet *sheet); /* once it is known who goes down */
void gp_report_assignments(struct gp_sheet *sheet);
void gp_steps(struct gp_sheet *sheet);
void gp_order(struct gp_sheet *sheet);

/* ---- small questions that several stages ask ---- */

/* Words for diagnostics and reasons; in the plan's arena. */
const char *gp_sheet_printf(struct gp_sheet *sheet, const char *format, ...) GP_PRINTF(2, 3);
const char *gp_slot_name(struct gp_sheet *sheet, const struct gp_slot *slot);  /* "vf:0000:41:00.0/3" */
const char *gp_gpu_name(struct gp_sheet *sheet, const struct gp_gpu_row *row); /* "0000:41:00.0" */
struct gp_diag *gp_sheet_fault(struct gp_sheet *sheet, enum gp_error_kind kind, const char *code, struct gp_mark mark,
			       const char *format, ...) GP_PRINTF(5, 6);

/* Is it a partition now that a VM could use? */
bool gp_slot_is_there(const struct gp_slot *slot);
/* "4 → 8 partitions", "8 × A16-2Q → 4 × A16-4Q": what a GPU is cut into, and is to be; and that alone. */
const char *gp_cut_change(struct gp_sheet *sheet, const struct gp_gpu_row *row, const char *between);
const char *gp_cut_wanted(struct gp_sheet *sheet, const struct gp_gpu_row *row);
/* What is lost and made of it, in numbers. */
void gp_count_changes(struct gp_gpu_row *row);
/* The slot that a hostdev names, or NULL. */
struct gp_slot *gp_sheet_slot(struct gp_sheet *sheet, const struct gp_hostdev *hostdev);
/* A hostdev that we must not change: nobody asked us to take it over. */
bool gp_claim_is_foreign(const struct gp_claim *claim);
/* A claim of the definition that the VM may go on having: ours, or hand-made and to be adopted. */
bool gp_claim_is_own(const struct gp_claim *claim);
/* A definition that gives it back, whatever else is planned: it says nothing any more. */
bool gp_claim_is_given_up(const struct gp_claim *claim);
bool gp_slot_is_live_for(const struct gp_slot *slot, const struct gp_vm_row *vm);
/* The row of a VM that has the slot plugged now, other than `vm`; NULL: nobody. */
struct gp_vm_row *gp_slot_live_holder(const struct gp_slot *slot, const struct gp_vm_row *vm);

#endif

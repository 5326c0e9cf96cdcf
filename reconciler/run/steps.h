/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each kind of step does, behind one table (steps_run.c). A step knows its host and itself: nothing of chains, of
 * order or of other steps. Each function is called in a worker thread and may wait.
 */
#ifndef GP_RUN_STEPS_H
#define GP_RUN_STEPS_H

#include <signal.h>

#include "host/host.h"
#include "model/plan.h"

/* What the steps of one stage share. */
struct gp_bench {
	struct gp_host *host;
	struct gp_vmm *vmm;        /* NULL: nobody answers */
	struct gp_error vmm_error; /* why */
	const volatile sig_atomic_t *stop;
};

void gp_bench_init(struct gp_bench *bench, struct gp_host *host, const struct gp_stage *stage,
		   const volatile sig_atomic_t *stop);
void gp_bench_clear(struct gp_bench *bench);
bool gp_bench_stopped(const struct gp_bench *bench);

/* One step while it runs. */
struct gp_step_run {
	struct gp_bench *bench;
	const struct gp_step *step;
	uint64_t started_ms;
	bool changed;            /* false after success: it was so already */
	bool asked_to_shut_down; /* STOP: the guest was told, whatever came of it */
};

/* 0: the host is as the step says; -1 and *err otherwise. */
int gp_step_perform(struct gp_step_run *run, struct gp_error *err);
/* What is waited for, when a step takes long: "waiting for web-01 to shut down, 35s of 120s". */
void gp_step_still(const struct gp_step *step, uint64_t elapsed_ms, struct gp_str *out);

/* ---- steps_device.c ---- */
int gp_run_change(struct gp_step_run *run, struct gp_error *err);
/* "vf:0000:41:00.0/3" to its address, by the link of the PF and nothing else; a plain address is only parsed. */
int gp_resolve_device(struct gp_bench *bench, const char *name, struct gp_pci_addr *addr, struct gp_error *err);
/* Is there a device at this address now? */
bool gp_device_exists(struct gp_bench *bench, struct gp_pci_addr addr);
/* The facts of a PF as they are now, without what its vendor knows. */
int gp_run_observe_pf(struct gp_bench *bench, struct gp_arena *arena, struct gp_pci_addr pf, struct gp_gpu *gpu,
		      struct gp_error *err);
/* What a failure means for this device is known by its back-end, which looks at the device as it is now. */
void gp_run_explain(const struct gp_step_run *run, struct gp_error *err);
/* Does the attribute of the step read so on this device? When that cannot be told, it does not. */
bool gp_attribute_is(struct gp_step_run *run, const char *device, const char *wanted);

/* ---- steps_wait.c ---- */
int gp_run_wait(struct gp_step_run *run, struct gp_error *err);
/* Waits a little, longer with each round (at least 4 rounds a second); false when the deadline has passed. */
bool gp_wait_round(unsigned *round, uint64_t deadline_ms);
/* Links and SR-IOV capability tell the same number of VFs; unequal means that somebody is enabling or disabling. */
bool gp_vfs_settled_at(const struct gp_gpu *gpu, uint32_t count);

/* ---- steps_domain.c ---- */
bool gp_is_domain_step(const struct gp_step *step);
int gp_run_attach(struct gp_step_run *run, struct gp_error *err);
int gp_run_detach(struct gp_step_run *run, struct gp_error *err);
int gp_run_replace(struct gp_step_run *run, struct gp_error *err);
int gp_run_mark(struct gp_step_run *run, struct gp_error *err);
int gp_run_stop(struct gp_step_run *run, struct gp_error *err);
int gp_run_start(struct gp_step_run *run, struct gp_error *err);
bool gp_mark_sets(const struct gp_step *step); /* MARK: sets the mark, else clears it */
/* Starts a domain and sees it running. */
int gp_domain_start(struct gp_bench *bench, struct gp_uuid uuid, const char *name, bool *changed, struct gp_error *err);

#endif

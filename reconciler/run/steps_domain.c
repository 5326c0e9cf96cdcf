/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps on virtual machines: their definitions, our mark on them, and their power. */
#include "base/clock.h"
#include "base/num.h"
#include "model/names.h"
#include "run/steps.h"

enum {
	START_SEEN_MS = 30 * 1000,      /* a started domain must be seen running within */
	NO_FORCE_AFTER_START_MS = 60000 /* a guest that boots is not forced off: it could not have answered */
};

bool gp_is_domain_step(const struct gp_step *step)
{
	return step->kind >= GP_STEP_ATTACH && step->kind <= GP_STEP_START;
}

static struct gp_vmm *vmm_of(const struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_bench *bench = run->bench;
	if (bench->vmm == NULL)
		gp_fail(err, GP_E_UNAVAILABLE, "%s cannot be reached: %s", run->step->device,
			bench->vmm_error.message == NULL ? "no virtual machines here" : bench->vmm_error.message);
	return bench->vmm;
}

static int state_of(struct gp_vmm *vmm, const struct gp_step *step, enum gp_domain_state *state, struct gp_error *err)
{
	return vmm->ops->state(vmm, step->domain, state, err);
}

/* The guard OFF: a definition is changed only while nobody runs on it. */
static int check_off(struct gp_vmm *vmm, const struct gp_step *step, struct gp_error *err)
{
	enum gp_domain_state state;
	if (step->guard != GP_GUARD_OFF)
		return 0;
	if (state_of(vmm, step, &state, err) != 0)
		return -1;
	if (state == GP_DOMAIN_OFF || state == GP_DOMAIN_CRASHED)
		return 0;
	gp_fail(err, GP_E_STALE, "%s was to be off, and it is %s", step->device, gp_domain_state_name(state));
	return gp_error_remedy(err, "somebody started it meanwhile; run plan again");
}

/* ---- ATTACH, DETACH, REPLACE, MARK ---- */

/* The device that the step puts in, its source looked up; the VM side, or NULL. */
static struct gp_vmm *prepare_to_put_in(struct gp_step_run *run, struct gp_hostdev *hostdev, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	struct gp_vmm *vmm = vmm_of(run, err);
	*hostdev = step->hostdev;
	if (vmm == NULL || check_off(vmm, step, err) != 0)
		return NULL;
	/* A mediated device has its name before it is made. */
	if (hostdev->type == GP_HOSTDEV_PCI && step->source != NULL &&
	    gp_resolve_device(run->bench, step->source, &hostdev->source, err) != 0)
		return NULL;
	return vmm;
}

int gp_run_attach(struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	struct gp_hostdev hostdev;
	struct gp_vmm *vmm = prepare_to_put_in(run, &hostdev, err);
	if (vmm == NULL)
		return -1;
	return vmm->ops->attach(vmm, step->domain, &hostdev, &run->changed, err);
}

int gp_run_detach(struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	struct gp_vmm *vmm = vmm_of(run, err);
	if (vmm == NULL || check_off(vmm, step, err) != 0)
		return -1;
	if (step->keeps_for != NULL)
		return gp_vmm_take_out(vmm, step->domain, &step->hostdev, step->keeps_for, &run->changed, err);
	return vmm->ops->detach(vmm, step->domain, &step->hostdev, &run->changed, err);
}

int gp_run_replace(struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	struct gp_hostdev hostdev;
	struct gp_vmm *vmm = prepare_to_put_in(run, &hostdev, err);
	if (vmm == NULL)
		return -1;
	return gp_vmm_replace(vmm, step->domain, &step->replaces, &hostdev, &run->changed, err);
}

bool gp_mark_sets(const struct gp_step *step)
{
	return gp_streq(step->after, GP_MARK_TO_START);
}

int gp_run_mark(struct gp_step_run *run, struct gp_error *err)
{
	struct gp_vmm *vmm = vmm_of(run, err);
	if (vmm == NULL)
		return -1;
	if (gp_streq(run->step->attribute, GP_MARK_PLACE))
		return vmm->ops->forget_place(vmm, run->step->domain, run->step->before, &run->changed, err);
	return vmm->ops->set_mark(vmm, run->step->domain, gp_mark_sets(run->step), &run->changed, err);
}

/* ---- STOP ---- */

/* Only a running, persistent domain is stopped: a transient one would vanish, a paused one does not answer. */
static int check_stoppable(struct gp_step_run *run, struct gp_vmm *vmm, enum gp_domain_state *state,
			   uint64_t *running_ms, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	const struct gp_step *step = run->step;
	struct gp_domain domain = {0};
	if (vmm->ops->observe_one(vmm, step->domain, arena, &domain, err) != 0)
		return -1;
	*state = domain.state;
	*running_ms = domain.running_ms;
	if (domain.state == GP_DOMAIN_OFF || domain.state == GP_DOMAIN_CRASHED)
		return 0;
	if (!domain.persistent)
		return gp_fail(err, GP_E_STALE, "%s is transient now: its definition would vanish when it stops",
			       step->device);
	if (domain.state == GP_DOMAIN_RUNNING || domain.state == GP_DOMAIN_STOPPING)
		return 0;
	return gp_fail(err, GP_E_STALE, "%s was to be running, and it is %s", step->device,
		       gp_domain_state_name(domain.state));
}

static int fail_still_running(const struct gp_step_run *run, struct gp_error *err, const char *why_not_forced)
{
	GP_CLEANUP(gp_str_clear) struct gp_str grace = {0};
	gp_add_duration(&grace, run->step->timeout_ms);
	gp_fail(err, GP_E_TIMEOUT, "%s did not shut down within %s, and %s", run->step->device, gp_str_text(&grace),
		why_not_forced);
	return gp_error_remedy(err, "shut it down from inside, then run apply again; it carries the mark 'stopped by "
				    "gpupart', so that apply starts it again even if it goes off later");
}

static int force_off(struct gp_step_run *run, struct gp_vmm *vmm, uint64_t running_ms, struct gp_error *err)
{
	uint64_t ran = running_ms + (gp_clock_ms() - run->started_ms);
	if (!run->step->force)
		return fail_still_running(run, err, "no file allows to force it off (force_off)");
	if (ran < NO_FORCE_AFTER_START_MS)
		return fail_still_running(run, err, "it is not forced off within 60s of its start");
	return vmm->ops->destroy(vmm, run->step->domain, err);
}

/* 1: off. 0: the grace time is over. -1: an error. */
static int wait_until_off(struct gp_step_run *run, struct gp_vmm *vmm, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	uint64_t deadline = run->started_ms + step->timeout_ms;
	uint64_t half_way = run->started_ms + step->timeout_ms / 2;
	bool asked_again = false;
	enum gp_domain_state state;
	unsigned round = 0;
	do {
		if (state_of(vmm, step, &state, err) != 0)
			return -1;
		if (state == GP_DOMAIN_OFF || state == GP_DOMAIN_CRASHED)
			return 1;
		if (gp_bench_stopped(run->bench))
			return fail_still_running(run, err, "the run was interrupted");
		if (!asked_again && gp_clock_ms() >= half_way) {
			asked_again = true;
			vmm->ops->shutdown(vmm, step->domain,
					   NULL); /* the first may have come before the guest listened */
		}
	} while (gp_wait_round(&round, deadline));
	return 0;
}

int gp_run_stop(struct gp_step_run *run, struct gp_error *err)
{
	struct gp_vmm *vmm = vmm_of(run, err);
	enum gp_domain_state state;
	uint64_t running_ms;
	if (vmm == NULL || check_stoppable(run, vmm, &state, &running_ms, err) != 0)
		return -1;
	if (state == GP_DOMAIN_OFF || state == GP_DOMAIN_CRASHED)
		return 0;
	run->changed = true;
	run->asked_to_shut_down = true;
	if (state != GP_DOMAIN_STOPPING && vmm->ops->shutdown(vmm, run->step->domain, err) != 0)
		return -1;
	int off = wait_until_off(run, vmm, err);
	if (off != 0)
		return off < 0 ? -1 : 0;
	return force_off(run, vmm, running_ms, err);
}

/* ---- START ---- */

int gp_domain_start(struct gp_bench *bench, struct gp_uuid uuid, const char *name, bool *changed, struct gp_error *err)
{
	struct gp_vmm *vmm = bench->vmm;
	uint64_t deadline = gp_clock_ms() + START_SEEN_MS;
	enum gp_domain_state state;
	unsigned round = 0;
	*changed = false;
	if (vmm->ops->state(vmm, uuid, &state, err) != 0)
		return -1;
	if (state == GP_DOMAIN_RUNNING)
		return 0;
	*changed = true;
	if (vmm->ops->start(vmm, uuid, err) != 0)
		return -1;
	do {
		if (vmm->ops->state(vmm, uuid, &state, err) != 0)
			return -1;
		if (state == GP_DOMAIN_RUNNING)
			return 0;
	} while (gp_wait_round(&round, deadline));
	return gp_fail(err, GP_E_VERIFY, "%s was started, and it is %s", name, gp_domain_state_name(state));
}

int gp_run_start(struct gp_step_run *run, struct gp_error *err)
{
	const struct gp_step *step = run->step;
	if (vmm_of(run, err) == NULL)
		return -1;
	return gp_domain_start(run->bench, step->domain, step->device, &run->changed, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kind of step is a row. */
#include "run/steps.h"

#include "base/clock.h"
#include "base/num.h"

struct kind_of_step {
	int (*run)(struct gp_step_run *run, struct gp_error *err);
	void (*still)(const struct gp_step *step, struct gp_str *out); /* what is waited for */
};

static void still_changing(const struct gp_step *step, struct gp_str *out)
{
	gp_str_printf(out, "the kernel works on %s of %s", step->attribute == NULL ? "a change" : step->attribute,
		      step->device == NULL ? "a device" : step->device);
}

static void still_waiting(const struct gp_step *step, struct gp_str *out)
{
	gp_str_printf(out, "waiting for %s %s of %s", step->after == NULL ? "" : step->after, step->attribute,
		      step->device);
}

static void still_editing(const struct gp_step *step, struct gp_str *out)
{
	gp_str_printf(out, "editing the definition of %s", step->device);
}

static void still_stopping(const struct gp_step *step, struct gp_str *out)
{
	gp_str_printf(out, "waiting for %s to shut down", step->device);
}

static void still_starting(const struct gp_step *step, struct gp_str *out)
{
	gp_str_printf(out, "waiting for %s to run", step->device);
}

static int run_unsupported(struct gp_step_run *run, struct gp_error *err)
{
	return gp_fail(err, GP_E_UNSUPPORTED, "this version cannot carry out '%s'", run->step->what);
}

static const struct kind_of_step kinds[GP_STEP_KIND_COUNT] = {
	[GP_STEP_WRITE] = {gp_run_change, still_changing},
	[GP_STEP_BIND] = {gp_run_change, still_changing},
	[GP_STEP_UNBIND] = {gp_run_change, still_changing},
	[GP_STEP_HELPER] = {gp_run_change, still_changing},
	[GP_STEP_WAIT] = {gp_run_wait, still_waiting},
	[GP_STEP_ATTACH] = {gp_run_attach, still_editing},
	[GP_STEP_DETACH] = {gp_run_detach, still_editing},
	[GP_STEP_REPLACE] = {gp_run_replace, still_editing},
	[GP_STEP_MARK] = {gp_run_mark, still_editing},
	[GP_STEP_STOP] = {gp_run_stop, still_stopping},
	[GP_STEP_START] = {gp_run_start, still_starting},
	[GP_STEP_OBSERVE_AGAIN] = {run_unsupported, still_waiting}, /* ends a stage; never handed to a worker */
};

int gp_step_perform(struct gp_step_run *run, struct gp_error *err)
{
	run->started_ms = gp_clock_ms();
	return kinds[run->step->kind].run(run, err);
}

void gp_step_still(const struct gp_step *step, uint64_t elapsed_ms, struct gp_str *out)
{
	kinds[step->kind].still(step, out);
	gp_str_add(out, ", ");
	gp_add_duration(out, elapsed_ms / 1000 * 1000);
	if (step->timeout_ms != 0) {
		gp_str_add(out, " of ");
		gp_add_duration(out, step->timeout_ms);
	}
}

static bool needs_domains(const struct gp_stage *stage)
{
	for (size_t c = 0; c < stage->chain_count; c++)
		for (size_t s = 0; s < stage->chains[c].step_count; s++) {
			const struct gp_step *step = &stage->chains[c].steps[s];
			if (gp_is_domain_step(step) || step->guard == GP_GUARD_UNHELD ||
			    step->guard == GP_GUARD_VF_UNHELD)
				return true;
		}
	return false;
}

void gp_bench_init(struct gp_bench *bench, struct gp_host *host, const struct gp_stage *stage,
		   const volatile sig_atomic_t *stop)
{
	*bench = (struct gp_bench){.host = host, .stop = stop};
	/* Opened here, once, because the handle opens it on first use and workers would do so all at once. */
	if (needs_domains(stage))
		bench->vmm = gp_host_vmm(host, &bench->vmm_error);
}

void gp_bench_clear(struct gp_bench *bench)
{
	gp_error_clear(&bench->vmm_error);
}

/* Set by a signal handler, which may run in any thread. */
bool gp_bench_stopped(const struct gp_bench *bench)
{
	return bench->stop != NULL && __atomic_load_n(bench->stop, __ATOMIC_RELAXED) != 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole story on one page. gp_apply() reads like this:
 *
 *	gate     a plan with faults or refusals is not run at all; a plan without steps is done already
 *	lock     one apply at a time
 *	confirm  observe and plan again under the lock: what was approved must still be what would be done
 *	save     the state before, as files that lead back to it
 *	run      stage by stage; after an `observe again`, what follows must disturb no more than was approved
 *	verify   observe and plan once more: nothing may differ any more
 */
#include "run/reconcile.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "intent/intent.h"
#include "plan/planner.h"
#include "run/executor.h"
#include "run/stale.h"

enum { MOST_STAGES = 4, CHANGES_TO_NAME = 3 };

/* One apply under way. */
struct apply {
	struct gp_host *host;
	const struct gp_desired *desired;
	const struct gp_observed *observed; /* what the approved plan stands on */
	const struct gp_plan *approved;
	const struct gp_apply_options *options;
	struct gp_outcome *outcome;
};

/* What the host is now, and what would be done about it. */
struct look {
	struct gp_observed *observed;
	struct gp_plan *plan;
};

static void look_clear(struct look *look)
{
	gp_plan_free(look->plan);
	gp_observed_free(look->observed);
	*look = (struct look){0};
}

static int look_again(const struct apply *apply, struct look *look)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	look->observed = gp_observe(apply->host, apply->desired, &err);
	if (look->observed == NULL) {
		gp_diags_add_error(&apply->outcome->diags, "observe", &err);
		return -1;
	}
	look->plan = gp_plan_make(apply->desired, look->observed);
	return 0;
}

/* ---- the exit code ---- */

/* A plain failure hides the others; after it a host that moved tells more than a reading that does not agree. */
static unsigned rank(enum gp_error_kind kind)
{
	switch (kind) {
	case GP_E_NONE:
		return 0;
	case GP_E_VERIFY:
		return 1;
	case GP_E_REFUSED:
		return 2;
	case GP_E_STALE:
		return 3;
	default:
		return 4;
	}
}

static enum gp_error_kind worst_of(const struct gp_outcome *outcome)
{
	enum gp_error_kind worst = GP_E_NONE;
	for (size_t i = 0; i < outcome->diags.count; i++) {
		const struct gp_diag *diag = &outcome->diags.items[i];
		if (diag->severity == GP_ERROR && rank(diag->error.kind) > rank(worst))
			worst = diag->error.kind;
	}
	/* "Refused" promises that nothing was written. A guard that says no half-way means that the host has moved. */
	return worst == GP_E_REFUSED && outcome->writes > 0 ? GP_E_STALE : worst;
}

/* ---- lock, confirm, save ---- */

static int take_lock(const struct apply *apply)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const struct gp_apply_options *options = apply->options;
	int lock = gp_host_lock(apply->host, options->lock_wait_ms, options->progress.lock_wait,
				options->progress.context, &err);
	if (lock < 0)
		gp_diags_add_error(&apply->outcome->diags, "locked", &err);
	return lock;
}

static int fail_stale(const struct apply *apply, const struct look *now, const char *what, const char *difference)
{
	GP_CLEANUP(gp_str_clear) struct gp_str facts = {0};
	size_t changes = gp_observed_changes(apply->observed, now->observed, CHANGES_TO_NAME, &facts);
	struct gp_diag *diag = gp_diags_add(&apply->outcome->diags, GP_ERROR, GP_E_STALE, "stale-plan",
					    (struct gp_mark){0}, "%s%s%s%s; %s", what, changes > 0 ? " (" : "",
					    gp_str_text(&facts), changes > 0 ? ")" : "", difference);
	gp_error_remedy(&diag->error, "review the output of 'gpupart plan' again, then run apply");
	return -1;
}

/* Does the plan of now wait for something that the approved one would have done, or did not know of? */
static bool waits_for_more(const struct gp_plan *now, const struct gp_plan *approved)
{
	for (size_t i = 0; i < now->waiting_count; i++) {
		bool known = false;
		for (size_t j = 0; j < approved->waiting_count && !known; j++)
			known = gp_streq(now->waiting[i].what, approved->waiting[j].what) &&
				gp_streq(now->waiting[i].for_domain, approved->waiting[j].for_domain);
		if (!known)
			return true;
	}
	return false;
}

enum confirmation { STANDS, DONE_BY_OTHERS, FALLEN };

static enum confirmation confirm(const struct apply *apply, struct look *now)
{
	GP_CLEANUP(gp_str_clear) struct gp_str difference = {0};
	if (look_again(apply, now) != 0)
		return FALLEN;
	if (gp_plan_verdict(now->plan) != GP_E_NONE) {
		fail_stale(apply, now, "the host has changed since the plan was made", "the plan would be refused now");
		gp_diags_append(&apply->outcome->diags, &now->plan->diags);
		return FALLEN;
	}
	if (!gp_plan_has_changes(now->plan)) {
		if (!waits_for_more(now->plan, apply->approved))
			return DONE_BY_OTHERS;
		fail_stale(apply, now, "the host has changed since the plan was made",
			   "what was planned would have to wait now");
		return FALLEN;
	}
	if (gp_plan_same_steps(apply->approved, now->plan, &difference))
		return STANDS;
	fail_stale(apply, now, "the host has changed since the plan was made", gp_str_text(&difference));
	return FALLEN;
}

static void name_of_save(char *name, size_t size)
{
	uint64_t now = gp_clock_unix_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	snprintf(name, size, "%04d-%02d-%02dT%02d%02d%02d.%03uZ.yaml", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
		 utc.tm_hour, utc.tm_min, utc.tm_sec, (unsigned)(now % 1000));
}

static int save_state_before(const struct apply *apply, const struct look *now)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	char name[96], *path = NULL;
	/* Where they were read, they are about to change: the file leads back to none, too. */
	gp_intent_export(now->observed, (struct gp_export_options){.clears_params = true, .listed = apply->desired},
			 &text);
	name_of_save(name, sizeof(name));
	if (gp_host_save_previous(apply->host, name, gp_str_text(&text), &path, &err) != 0) {
		gp_error_prefix(&err, "the state before cannot be saved, so nothing was changed");
		gp_diags_add_error(&apply->outcome->diags, "save-previous", &err);
		return -1;
	}
	apply->outcome->saved_export = path;
	return 0;
}

/* ---- run ---- */

static int run_stage(const struct apply *apply, const struct gp_stage *stage, uint32_t number)
{
	uint32_t at_once = apply->desired->policy.at_once;
	struct gp_execution execution = {.at_once = at_once == 0 ? 1 : at_once,
					 .stage_number = number,
					 .progress = &apply->options->progress,
					 .stop = apply->options->stop};
	return gp_execute_stage(apply->host, stage, &execution, apply->outcome);
}

/* ---- those who failed, and those who go on ---- */

/* GPUs and VMs of chains that failed: nothing more is done about them in this run, nor anything that was not printed
 * before, such as giving their VMs the partitions of others. */
struct trouble {
	struct gp_arena *arena;
	const struct gp_plan *approved;
	struct gp_pci_addr *gpus;
	const char **domains;
	size_t gpu_count, domain_count;
};

static bool is_in(const struct gp_chain *chain, const struct gp_step_outcome *step)
{
	return chain->step_count > 0 && step->id >= chain->steps[0].id &&
	       step->id <= chain->steps[chain->step_count - 1].id;
}

static bool has_failed(const struct gp_chain *chain, uint32_t stage_number, const struct gp_outcome *outcome)
{
	for (size_t i = 0; i < outcome->step_count; i++) {
		const struct gp_step_outcome *step = &outcome->steps[i];
		if (step->stage == stage_number && step->state == GP_STEP_FAILED && is_in(chain, step))
			return true;
	}
	return false;
}

static void note_trouble(const struct gp_stage *stage, uint32_t number, const struct gp_outcome *outcome,
			 struct trouble *trouble)
{
	for (size_t c = 0; c < stage->chain_count; c++) {
		const struct gp_chain *chain = &stage->chains[c];
		if (!has_failed(chain, number, outcome))
			continue;
		for (size_t i = 0; i < chain->gpu_count; i++)
			*gp_arena_push(trouble->arena, trouble->gpus, trouble->gpu_count) = chain->gpus[i];
		for (size_t i = 0; i < chain->domain_count; i++)
			*gp_arena_push(trouble->arena, trouble->domains, trouble->domain_count) = chain->domains[i];
	}
}

static bool is_hit(const struct gp_chain *chain, const struct trouble *trouble)
{
	for (size_t t = 0; t < trouble->gpu_count; t++)
		for (size_t i = 0; i < chain->gpu_count; i++)
			if (gp_pci_addr_compare(chain->gpus[i], trouble->gpus[t]) == 0)
				return true;
	for (size_t t = 0; t < trouble->domain_count; t++)
		for (size_t i = 0; i < chain->domain_count; i++)
			if (gp_streq(chain->domains[i], trouble->domains[t]))
				return true;
	return false;
}

static bool is_troubled(const struct gp_chain *chain, const struct trouble *trouble)
{
	bool any = trouble->gpu_count + trouble->domain_count > 0;
	return is_hit(chain, trouble) || (any && !gp_plan_foresaw(trouble->approved, chain));
}

/* The stage without the chains of those in trouble. */
static struct gp_stage leave_out(const struct gp_stage *stage, const struct trouble *trouble)
{
	struct gp_stage rest = {.expected = stage->expected, .observe_why = stage->observe_why};
	for (size_t c = 0; c < stage->chain_count; c++)
		if (!is_troubled(&stage->chains[c], trouble))
			*gp_arena_push(trouble->arena, rest.chains, rest.chain_count) = stage->chains[c];
	return rest;
}

/* What was left out although nothing of it failed. */
static void tell_left_out(const struct apply *apply, const struct gp_plan *plan, const struct trouble *trouble)
{
	size_t steps = 0;
	for (size_t s = 0; s < plan->stage_count; s++)
		for (size_t c = 0; c < plan->stages[s].chain_count; c++)
			if (is_troubled(&plan->stages[s].chains[c], trouble) &&
			    !is_hit(&plan->stages[s].chains[c], trouble))
				steps += plan->stages[s].chains[c].step_count;
	if (steps == 0)
		return;
	struct gp_diag *diag =
		gp_diags_add(&apply->outcome->diags, GP_WARNING, GP_E_STALE, "left-for-later", (struct gp_mark){0},
			     "what follows from the failure was not printed before (%zu step%s); it is left for the "
			     "next run",
			     steps, steps == 1 ? "" : "s");
	gp_error_remedy(&diag->error, "review the output of 'gpupart plan', then run apply again");
}

/* A stage that was run. */
struct past {
	struct gp_stage stage;
	uint32_t number;
};

/* VMs that a stage left off for the next one, which does not come. Chains that failed have seen to theirs. */
static void restore_past(const struct apply *apply, const struct past *past, size_t count, struct gp_arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		struct gp_stage good = {0};
		for (size_t c = 0; c < past[i].stage.chain_count; c++)
			if (!has_failed(&past[i].stage.chains[c], past[i].number, apply->outcome))
				*gp_arena_push(arena, good.chains, good.chain_count) = past[i].stage.chains[c];
		gp_restore_stage(apply->host, &good, apply->outcome);
	}
}

static size_t steps_that_go_on(const struct gp_plan *plan, const struct trouble *trouble)
{
	size_t count = 0;
	for (size_t s = 0; s < plan->stage_count; s++)
		for (size_t c = 0; c < plan->stages[s].chain_count; c++)
			if (!is_troubled(&plan->stages[s].chains[c], trouble))
				count += plan->stages[s].chains[c].step_count;
	return count;
}

/* The files were in order when the run began: what they cannot have now is not for them to mend. */
static void blame_the_host(struct gp_diags *diags)
{
	for (size_t i = 0; i < diags->count; i++)
		if (diags->items[i].error.kind == GP_E_INPUT)
			diags->items[i].error.kind = GP_E_UNAVAILABLE;
}

/*
 * A GPU that was left half-way must not keep the others from their work: what it shows now may be nothing that a plan
 * can be made of. So the plan is made as if it were as before, and its part of that is left out. (What holders say of
 * domains stands in the older list: the planner reads the domains alone.)
 */
static void plan_without(const struct apply *apply, const struct trouble *trouble, struct look *look)
{
	for (size_t t = 0; t < trouble->gpu_count; t++) {
		const struct gp_gpu *before = gp_observed_gpu(apply->observed, trouble->gpus[t]);
		for (size_t g = 0; g < look->observed->gpu_count && before != NULL; g++)
			if (gp_pci_addr_compare(look->observed->gpus[g].addr, before->addr) == 0)
				look->observed->gpus[g] = *before;
	}
	gp_plan_free(look->plan);
	look->plan = gp_plan_make(apply->desired, look->observed);
}

/* After an `observe again`: what is to follow now, if it disturbs no more than was approved. 1: nothing is left to do
 * for those who go on. */
static int plan_next_stage(const struct apply *apply, const struct trouble *trouble, struct look *next)
{
	GP_CLEANUP(gp_str_clear) struct gp_str more = {0};
	if (look_again(apply, next) != 0)
		return -1;
	if (gp_plan_verdict(next->plan) != GP_E_NONE && trouble->gpu_count > 0)
		plan_without(apply, trouble, next);
	if (gp_plan_verdict(next->plan) != GP_E_NONE) {
		blame_the_host(&next->plan->diags);
		gp_diags_append(&apply->outcome->diags, &next->plan->diags);
		return -1;
	}
	if (!gp_plan_within(next->plan, apply->approved, &more))
		return fail_stale(apply, next, "what follows would disturb more than was approved", gp_str_text(&more));
	tell_left_out(apply, next->plan, trouble);
	size_t steps = steps_that_go_on(next->plan, trouble);
	if (steps == 0)
		return 1;
	if (apply->options->progress.stage != NULL)
		apply->options->progress.stage(apply->options->progress.context, steps);
	return 0;
}

/* Where the run stands: which plan, and its next stage. */
struct position {
	const struct gp_plan *plan;
	size_t stage;
	uint32_t number; /* of stages begun */
};

static void skip_the_rest(const struct apply *apply, struct position at)
{
	for (; at.stage < at.plan->stage_count; at.stage++)
		gp_skip_stage(&at.plan->stages[at.stage], ++at.number, apply->outcome);
}

static int fail_unsettled(const struct apply *apply)
{
	gp_diags_add(&apply->outcome->diags, GP_ERROR, GP_E_INTERNAL, "unsettled", (struct gp_mark){0},
		     "after %d stages there is still something to find out", MOST_STAGES);
	return -1;
}

static int fail_interrupted(const struct apply *apply)
{
	for (size_t i = 0; i < apply->outcome->diags.count; i++)
		if (gp_streq(apply->outcome->diags.items[i].code, "interrupted"))
			return -1; /* said already, of the steps that were running */
	gp_diags_add(&apply->outcome->diags, GP_ERROR, GP_E_BUSY, "interrupted", (struct gp_mark){0},
		     "interrupted: what was under way is finished, nothing more was begun");
	return -1;
}

/* Goes on to what follows the stage `done`, if anything may: 0. 1: that was all. */
static int step_forward(const struct apply *apply, const struct gp_stage *done, const struct trouble *trouble,
			struct look *next, struct position *at)
{
	at->stage++;
	if (done->observe_why == NULL && at->stage == at->plan->stage_count)
		return 0;
	if (apply->options->stop != NULL && *apply->options->stop != 0)
		return fail_interrupted(apply);
	if (at->number == MOST_STAGES)
		return fail_unsettled(apply);
	if (done->observe_why == NULL)
		return 0;
	int result = plan_next_stage(apply, trouble, next);
	if (result != 0)
		return result;
	*at = (struct position){.plan = next->plan, .number = at->number};
	return 0;
}

/*
 * Stage by stage. Where a chain failed in a stage that ends with another look, the others go on behind it: one GPU that
 * does not give its VFs keeps no other from its work.
 */
static int run_stages(const struct apply *apply)
{
	struct look looks[MOST_STAGES] = {0}; /* kept to the end: steps of a stage are told of by pointer */
	struct position at = {.plan = apply->approved};
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct trouble trouble = {.arena = arena, .approved = apply->approved};
	struct past *past = NULL;
	size_t past_count = 0;
	int result = 0;
	while (at.stage < at.plan->stage_count) {
		const struct gp_stage *stage = &at.plan->stages[at.stage];
		struct gp_stage rest = leave_out(stage, &trouble);
		if (rest.chain_count == 0) {
			at.stage++;
			break;
		}
		int failed = run_stage(apply, &rest, ++at.number);
		*gp_arena_push(arena, past, past_count) = (struct past){rest, at.number};
		if (failed != 0) {
			result = -1;
			note_trouble(&rest, at.number, apply->outcome, &trouble);
		}
		if (failed != 0 && stage->observe_why == NULL) {
			at.stage++; /* all of it is accounted for */
			break;
		}
		int forward = step_forward(apply, stage, &trouble, &looks[at.number - 1], &at);
		if (forward > 0)
			break;
		if (forward < 0) {
			result = -1;
			break;
		}
	}
	if (result != 0) {
		restore_past(apply, past, past_count, arena);
		skip_the_rest(apply, at);
	}
	for (size_t i = 0; i < MOST_STAGES; i++)
		look_clear(&looks[i]);
	return result;
}

/* ---- verify ---- */

static void tell_what_differs(const struct apply *apply, const struct gp_stage *stage)
{
	for (size_t c = 0; c < stage->chain_count; c++)
		for (size_t s = 0; s < stage->chains[c].step_count; s++) {
			static const struct gp_render_options plainly = {.utf8 = true};
			GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
			const struct gp_step *step = &stage->chains[c].steps[s];
			gp_step_render(step, plainly, &line);
			gp_diags_add(&apply->outcome->diags, GP_ERROR, GP_E_VERIFY, "read-back", step->reason.mark,
				     "applied, but on reading back this is still to be done: %s", gp_str_text(&line));
		}
}

static void tell_what_is_refused(const struct apply *apply, struct gp_plan *plan)
{
	for (size_t i = 0; i < plan->diags.count; i++)
		if (plan->diags.items[i].severity == GP_ERROR)
			plan->diags.items[i].error.kind = GP_E_VERIFY;
	gp_diags_append(&apply->outcome->diags, &plan->diags);
}

/* Waiting for a VM to be off is no failure; waiting for somebody to tell who holds what is one. */
static void account_for_waiting(const struct gp_plan *plan, struct gp_outcome *outcome)
{
	outcome->waiting = plan->waiting_count;
	for (size_t i = 0; i < plan->waiting_count; i++)
		if (plan->waiting[i].for_domain == NULL)
			gp_diags_add(&outcome->diags, GP_ERROR, GP_E_UNAVAILABLE, "not-known",
				     plan->waiting[i].reason.mark, "not done: %s", plan->waiting[i].what);
}

/* Success is a read-back, never a write that returned. */
static void verify(const struct apply *apply)
{
	GP_CLEANUP(look_clear) struct look after = {0};
	if (look_again(apply, &after) != 0)
		return;
	if (gp_plan_verdict(after.plan) != GP_E_NONE)
		tell_what_is_refused(apply, after.plan);
	for (size_t i = 0; i < after.plan->stage_count; i++)
		tell_what_differs(apply, &after.plan->stages[i]);
	account_for_waiting(after.plan, apply->outcome);
	apply->outcome->verified = apply->outcome->diags.error_count == 0;
}

/* ---- the story ---- */

/* Another run asked for the same and was first: every step was so already, and `confirm` is the reading that agrees. */
static void account_as_done(const struct apply *apply)
{
	struct gp_outcome *outcome = apply->outcome;
	skip_the_rest(apply, (struct position){.plan = apply->approved});
	for (size_t i = 0; i < outcome->step_count; i++)
		outcome->steps[i].state = GP_STEP_SKIPPED;
	outcome->skipped = outcome->step_count;
	outcome->not_run = 0;
	outcome->waiting = apply->approved->waiting_count;
	outcome->verified = true;
}

static void run_locked(const struct apply *apply)
{
	GP_CLEANUP(look_clear) struct look now = {0};
	enum confirmation confirmation = confirm(apply, &now);
	if (apply->options->stop != NULL && *apply->options->stop != 0) {
		fail_interrupted(apply); /* while it waited for the lock */
		skip_the_rest(apply, (struct position){.plan = apply->approved});
	} else if (confirmation == DONE_BY_OTHERS)
		account_as_done(apply);
	else if (confirmation == FALLEN || save_state_before(apply, &now) != 0)
		skip_the_rest(apply, (struct position){.plan = apply->approved});
	else if (run_stages(apply) == 0)
		verify(apply);
}

enum gp_error_kind gp_apply(struct gp_host *host, const struct gp_desired *desired, const struct gp_observed *observed,
			    const struct gp_plan *plan, const struct gp_apply_options *options,
			    struct gp_outcome *outcome)
{
	struct apply apply = {.host = host,
			      .desired = desired,
			      .observed = observed,
			      .approved = plan,
			      .options = options,
			      .outcome = outcome};
	if (gp_plan_verdict(plan) != GP_E_NONE)
		return gp_plan_verdict(plan);
	if (!gp_plan_has_changes(plan)) {
		account_for_waiting(plan, outcome);
		outcome->verified = outcome->diags.error_count == 0; /* the plan itself is the reading that agrees */
		return worst_of(outcome);
	}
	gp_autoclose int lock = take_lock(&apply);
	if (lock < 0)
		skip_the_rest(&apply, (struct position){.plan = plan});
	else
		run_locked(&apply);
	return worst_of(outcome);
}

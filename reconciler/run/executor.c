/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which step runs when. One mutex guards everything that changes; steps themselves run outside it, in workers.
 *
 *	pending ── all needs done ──► ready ── a worker takes it ──► running ──► done | skipped | failed
 *	                                └── its chain failed ──► not run
 *
 * The calling thread does no work: it hands on what happened, so that callbacks need no locks.
 */
#include "run/executor.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "plan/planner.h"
#include "run/restore.h"
#include "run/steps.h"

enum { MOST_WORKERS = 64, LOOK_AROUND_MS = 100, STILL_EVERY_MS = 1000 };

/* A chain while it runs. */
struct chain_run {
	const struct gp_chain *planned;
	struct gp_step_task *tasks;
	size_t task_count;
	size_t open;    /* tasks that are not over */
	size_t running; /* tasks in workers */
	bool failed;
	bool restoring, over;
	bool may_stop;      /* has taken its share of at_once */
	uint32_t down_held; /* what is left of it */
};

enum event_kind { EVENT_STARTED, EVENT_FINISHED };

struct event {
	enum event_kind kind;
	struct gp_step_task *task;
};

struct executor {
	struct gp_bench bench;
	const struct gp_execution *execution;
	struct gp_outcome *outcome;
	struct chain_run *chains;
	size_t chain_count;
	struct gp_step_task *tasks; /* of all chains, in printed order */
	size_t task_count;
	size_t *ready; /* indices of tasks, in the order in which they became so */
	size_t ready_count;
	struct event *events;
	size_t event_count, events_told;
	struct gp_diags others; /* what is to be said besides the failures of steps */
	size_t chains_over;
	uint32_t down_free;
	bool stopping; /* the run is to stop in good order */
	pthread_mutex_t lock;
	pthread_cond_t work; /* for workers */
	pthread_cond_t news; /* for the calling thread */
};

/* ---- making the net of tasks ---- */

static struct gp_step_outcome *outcome_of(struct executor *ex, const struct gp_step_task *task)
{
	return &ex->outcome->steps[task->outcome];
}

static size_t append_outcome(struct gp_outcome *outcome, const struct gp_step *step, uint32_t stage_number)
{
	static const struct gp_render_options plainly = {.utf8 = true};
	GP_CLEANUP(gp_str_clear) struct gp_str what = {0};
	gp_step_render(step, plainly, &what);
	size_t at = outcome->step_count++;
	outcome->steps = gp_xrealloc(outcome->steps, outcome->step_count * sizeof(*outcome->steps));
	outcome->steps[at] = (struct gp_step_outcome){
		.stage = stage_number, .id = step->id, .kind = step->kind, .what = gp_str_take(&what)};
	return at;
}

static bool is_work(const struct gp_step *step)
{
	return step->kind != GP_STEP_OBSERVE_AGAIN;
}

static size_t count_work(const struct gp_stage *stage)
{
	size_t count = 0;
	for (size_t c = 0; c < stage->chain_count; c++)
		for (size_t s = 0; s < stage->chains[c].step_count; s++)
			count += is_work(&stage->chains[c].steps[s]);
	return count;
}

static struct gp_step_task *find_task(struct chain_run *chain, uint32_t id)
{
	size_t low = 0, high = chain->task_count; /* ids ascend within a chain */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (chain->tasks[middle].step->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < chain->task_count && chain->tasks[low].step->id == id ? &chain->tasks[low] : NULL;
}

static void add_dependent(const struct executor *ex, struct gp_step_task *needed, struct gp_step_task *dependent)
{
	size_t count = needed->dependent_count++;
	needed->dependents = gp_xrealloc(needed->dependents, (count + 1) * sizeof(*needed->dependents));
	needed->dependents[count] = (size_t)(dependent - ex->tasks);
	dependent->needs_left++;
}

static void tie_needs(const struct executor *ex, struct chain_run *chain)
{
	for (size_t t = 0; t < chain->task_count; t++)
		for (size_t n = 0; n < chain->tasks[t].step->need_count; n++) {
			struct gp_step_task *needed = find_task(chain, chain->tasks[t].step->needs[n]);
			if (needed != NULL)
				add_dependent(ex, needed, &chain->tasks[t]);
		}
}

static void make_ready(struct executor *ex, struct gp_step_task *task)
{
	ex->ready[ex->ready_count++] = (size_t)(task - ex->tasks);
}

static void lay_out_chain(struct executor *ex, struct chain_run *chain, const struct gp_chain *planned)
{
	chain->planned = planned;
	chain->tasks = &ex->tasks[ex->task_count];
	for (size_t s = 0; s < planned->step_count; s++) {
		if (!is_work(&planned->steps[s]))
			continue;
		struct gp_step_task *task = &ex->tasks[ex->task_count++];
		task->step = &planned->steps[s];
		task->chain = chain;
		task->outcome = append_outcome(ex->outcome, task->step, ex->execution->stage_number);
		chain->task_count++;
	}
	chain->open = chain->task_count;
	tie_needs(ex, chain);
	for (size_t t = 0; t < chain->task_count; t++)
		if (chain->tasks[t].needs_left == 0)
			make_ready(ex, &chain->tasks[t]);
	if (chain->task_count == 0) {
		chain->over = true;
		ex->chains_over++;
	}
}

static void executor_init(struct executor *ex, struct gp_host *host, const struct gp_stage *stage,
			  const struct gp_execution *execution, struct gp_outcome *outcome)
{
	size_t work = count_work(stage);
	*ex = (struct executor){.execution = execution,
				.outcome = outcome,
				.chains = gp_xcalloc(stage->chain_count + 1, sizeof(struct chain_run)),
				.chain_count = stage->chain_count,
				.tasks = gp_xcalloc(work + 1, sizeof(struct gp_step_task)),
				.ready = gp_xcalloc(work + 1, sizeof(size_t)),
				.events = gp_xcalloc(2 * work + 1, sizeof(struct event)),
				.down_free = execution->at_once,
				.lock = PTHREAD_MUTEX_INITIALIZER,
				.work = PTHREAD_COND_INITIALIZER,
				.news = PTHREAD_COND_INITIALIZER};
	gp_bench_init(&ex->bench, host, stage, execution->stop);
	for (size_t c = 0; c < stage->chain_count; c++)
		lay_out_chain(ex, &ex->chains[c], &stage->chains[c]);
}

static void executor_clear(struct executor *ex)
{
	for (size_t t = 0; t < ex->task_count; t++)
		free(ex->tasks[t].dependents);
	free(ex->tasks);
	free(ex->chains);
	free(ex->ready);
	free(ex->events);
	gp_bench_clear(&ex->bench);
	pthread_mutex_destroy(&ex->lock);
	pthread_cond_destroy(&ex->work);
	pthread_cond_destroy(&ex->news);
}

/* ---- VMs down at the same time ---- */

/* From here on the chain is about to take a VM away: the mark comes first, so it waits for its turn as well. */
static bool takes_a_vm_down(const struct gp_step *step)
{
	return step->kind == GP_STEP_STOP || (step->kind == GP_STEP_MARK && gp_mark_sets(step));
}

/* All that a chain will ever hold is taken at once, so that no two chains wait for each other. */
static bool take_turn(struct executor *ex, struct chain_run *chain)
{
	if (chain->may_stop)
		return true;
	if (chain->planned->vms_down > ex->down_free)
		return false;
	ex->down_free -= chain->planned->vms_down;
	chain->down_held = chain->planned->vms_down;
	chain->may_stop = true;
	return true;
}

/* Does this chain still have something to do on that domain? */
static bool domain_is_open(const struct chain_run *chain, struct gp_uuid domain)
{
	for (size_t t = 0; t < chain->task_count; t++)
		if (!chain->tasks[t].over && gp_is_domain_step(chain->tasks[t].step) &&
		    gp_uuid_equal(chain->tasks[t].step->domain, domain))
			return true;
	return false;
}

/* A chain holds no more than the VMs that it has still to bring back. */
static void give_back(struct executor *ex, struct chain_run *chain)
{
	uint32_t needed = 0;
	if (chain->down_held == 0)
		return;
	for (size_t t = 0; t < chain->task_count && !chain->over; t++)
		needed += chain->tasks[t].step->kind == GP_STEP_STOP &&
			  domain_is_open(chain, chain->tasks[t].step->domain);
	if (needed < chain->down_held) {
		ex->down_free += chain->down_held - needed;
		chain->down_held = needed;
	}
}

/* ---- the life of a task (all under the lock) ---- */

static void tell(struct executor *ex, enum event_kind kind, struct gp_step_task *task)
{
	ex->events[ex->event_count++] = (struct event){kind, task};
	pthread_cond_signal(&ex->news);
}

static void count(struct gp_outcome *outcome, enum gp_step_state state)
{
	outcome->done += state == GP_STEP_DONE;
	outcome->skipped += state == GP_STEP_SKIPPED;
	outcome->failed += state == GP_STEP_FAILED;
	outcome->not_run += state == GP_STEP_NOT_RUN;
}

static void finish(struct executor *ex, struct gp_step_task *task, enum gp_step_state state)
{
	outcome_of(ex, task)->state = state;
	task->state = state;
	count(ex->outcome, state);
	task->over = true;
	task->chain->open--;
}

static void drop_from_ready(struct executor *ex, const struct chain_run *chain)
{
	size_t kept = 0;
	for (size_t i = 0; i < ex->ready_count; i++)
		if (ex->tasks[ex->ready[i]].chain != chain)
			ex->ready[kept++] = ex->ready[i];
	ex->ready_count = kept;
}

/* Nothing more of this chain is started; what runs is let finish. */
static void give_up(struct executor *ex, struct chain_run *chain)
{
	if (chain->failed || chain->over)
		return;
	chain->failed = true;
	drop_from_ready(ex, chain);
	for (size_t t = 0; t < chain->task_count; t++)
		if (!chain->tasks[t].over && !chain->tasks[t].running)
			finish(ex, &chain->tasks[t], GP_STEP_NOT_RUN);
}

static void end_chain(struct executor *ex, struct chain_run *chain)
{
	chain->over = true;
	ex->chains_over++;
	give_back(ex, chain);
	pthread_cond_broadcast(&ex->work);
	pthread_cond_signal(&ex->news);
}

static void report_failure(struct executor *ex, struct gp_step_task *task, struct gp_error *err)
{
	struct gp_step_outcome *outcome = outcome_of(ex, task);
	const struct gp_step *step = task->step;
	if (err->subject == NULL && step->device != NULL)
		gp_error_subject(err, "%s%s%s", step->device, step->attribute == NULL ? "" : " ",
				 step->attribute == NULL ? "" : step->attribute);
	if (err->mark.source == NULL)
		err->mark = step->reason.mark;
	gp_error_copy(&outcome->error, err);
}

static bool is_a_write(const struct gp_step_task *task)
{
	return task->step->kind != GP_STEP_WAIT && task->changed;
}

static bool is_left_to_the_kernel(const struct gp_step *step, const struct gp_error *err)
{
	return err->kind == GP_E_TIMEOUT && step->kind != GP_STEP_WAIT && !gp_is_domain_step(step);
}

static void complete(struct executor *ex, struct gp_step_task *task, int result, struct gp_error *err)
{
	task->running = false;
	task->left_to_kernel = result != 0 && is_left_to_the_kernel(task->step, err);
	task->chain->running--;
	outcome_of(ex, task)->took_ms = gp_clock_ms() - task->started_ms;
	if (result != 0)
		report_failure(ex, task, err);
	else
		ex->outcome->writes += is_a_write(task);
	finish(ex, task, result != 0 ? GP_STEP_FAILED : task->changed ? GP_STEP_DONE : GP_STEP_SKIPPED);
	tell(ex, EVENT_FINISHED, task);
	if (result != 0)
		give_up(ex, task->chain);
	for (size_t d = 0; d < task->dependent_count && !task->chain->failed; d++) {
		struct gp_step_task *dependent = &ex->tasks[task->dependents[d]];
		if (--dependent->needs_left == 0)
			make_ready(ex, dependent);
	}
	if (!task->chain->failed) /* else when its VMs are back */
		give_back(ex, task->chain);
	if (task->chain->open == 0 && !task->chain->failed)
		end_chain(ex, task->chain);
	pthread_cond_broadcast(&ex->work);
}

/* ---- workers ---- */

static void stop_if_asked(struct executor *ex)
{
	if (ex->stopping || !gp_bench_stopped(&ex->bench))
		return;
	ex->stopping = true;
	if (ex->chains_over == ex->chain_count)
		return; /* too late to matter */
	for (size_t c = 0; c < ex->chain_count; c++)
		give_up(ex, &ex->chains[c]);
	gp_diags_add(&ex->others, GP_ERROR, GP_E_BUSY, "interrupted", (struct gp_mark){0},
		     "interrupted: what ran was finished, nothing more was started");
	pthread_cond_broadcast(&ex->work);
}

/* The next task that may start. A chain that waits for its turn to take VMs down is not overtaken by a later one. */
static struct gp_step_task *next_task(struct executor *ex)
{
	bool somebody_waits = false;
	for (size_t i = 0; i < ex->ready_count; i++) {
		struct gp_step_task *task = &ex->tasks[ex->ready[i]];
		if (takes_a_vm_down(task->step) && !task->chain->may_stop &&
		    (somebody_waits || !take_turn(ex, task->chain))) {
			somebody_waits = true;
			continue;
		}
		memmove(&ex->ready[i], &ex->ready[i + 1], (--ex->ready_count - i) * sizeof(*ex->ready));
		return task;
	}
	return NULL;
}

static struct chain_run *next_to_restore(struct executor *ex)
{
	for (size_t c = 0; c < ex->chain_count; c++) {
		struct chain_run *chain = &ex->chains[c];
		if (chain->failed && chain->running == 0 && !chain->restoring && !chain->over)
			return chain;
	}
	return NULL;
}

static void run_task(struct executor *ex, struct gp_step_task *task)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	task->running = true;
	task->started_ms = gp_clock_ms();
	task->told_ms = task->started_ms;
	task->chain->running++;
	outcome_of(ex, task)->state = GP_STEP_RUNNING;
	tell(ex, EVENT_STARTED, task);

	pthread_mutex_unlock(&ex->lock);
	struct gp_step_run run = {.bench = &ex->bench, .step = task->step};
	int result = gp_step_perform(&run, &err);
	pthread_mutex_lock(&ex->lock);

	task->changed = run.changed;
	task->asked_to_shut_down = run.asked_to_shut_down;
	complete(ex, task, result, &err);
}

static void restore_chain(struct executor *ex, struct chain_run *chain)
{
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	chain->restoring = true;
	pthread_mutex_unlock(&ex->lock);
	size_t writes = gp_restore_domains(&ex->bench, chain->tasks, chain->task_count, &diags);
	pthread_mutex_lock(&ex->lock);
	ex->outcome->writes += writes;
	gp_diags_append(&ex->others, &diags);
	end_chain(ex, chain);
}

static void *work(void *context)
{
	struct executor *ex = context;
	pthread_mutex_lock(&ex->lock);
	while (ex->chains_over < ex->chain_count) {
		stop_if_asked(ex);
		struct chain_run *broken = next_to_restore(ex);
		struct gp_step_task *task = broken == NULL ? next_task(ex) : NULL;
		if (broken != NULL)
			restore_chain(ex, broken);
		else if (task != NULL)
			run_task(ex, task);
		else
			pthread_cond_wait(&ex->work, &ex->lock);
	}
	pthread_mutex_unlock(&ex->lock);
	return NULL;
}

/* ---- the calling thread ---- */

static void deliver(struct executor *ex)
{
	const struct gp_progress *progress = ex->execution->progress;
	while (ex->events_told < ex->event_count) {
		struct event event = ex->events[ex->events_told++];
		struct gp_step_outcome *outcome = outcome_of(ex, event.task); /* final once it is told as finished */
		pthread_mutex_unlock(&ex->lock);
		if (progress != NULL && event.kind == EVENT_STARTED && progress->step_started != NULL)
			progress->step_started(progress->context, event.task->step);
		if (progress != NULL && event.kind == EVENT_FINISHED && progress->step_finished != NULL)
			progress->step_finished(progress->context, event.task->step, outcome);
		pthread_mutex_lock(&ex->lock);
	}
}

static void tell_what_takes_long(struct executor *ex)
{
	const struct gp_progress *progress = ex->execution->progress;
	uint64_t now = gp_clock_ms();
	for (size_t t = 0; t < ex->task_count && progress != NULL && progress->still != NULL; t++) {
		struct gp_step_task *task = &ex->tasks[t];
		if (!task->running || now - task->told_ms < STILL_EVERY_MS)
			continue;
		GP_CLEANUP(gp_str_clear) struct gp_str detail = {0};
		uint64_t elapsed = now - task->started_ms;
		task->told_ms = now;
		pthread_mutex_unlock(&ex->lock);
		gp_step_still(task->step, elapsed, &detail);
		progress->still(progress->context, task->step, elapsed, gp_str_text(&detail));
		pthread_mutex_lock(&ex->lock);
	}
}

static void wait_for_news(struct executor *ex)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_AROUND_MS * 1000L * 1000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&ex->news, &ex->lock, &until);
}

static void watch(struct executor *ex)
{
	pthread_mutex_lock(&ex->lock);
	for (;;) {
		deliver(ex);
		if (ex->chains_over == ex->chain_count && ex->events_told == ex->event_count)
			break;
		stop_if_asked(ex);
		tell_what_takes_long(ex);
		if (ex->events_told == ex->event_count && ex->chains_over < ex->chain_count)
			wait_for_news(ex);
	}
	pthread_mutex_unlock(&ex->lock);
}

static size_t start_workers(struct executor *ex, pthread_t *workers)
{
	size_t wanted = ex->task_count < MOST_WORKERS ? ex->task_count : MOST_WORKERS;
	size_t started = 0;
	while (started < wanted && pthread_create(&workers[started], NULL, work, ex) == 0)
		started++;
	return started;
}

static int refuse_too_many_down(const struct gp_stage *stage, const struct gp_execution *execution,
				struct gp_outcome *outcome)
{
	for (size_t c = 0; c < stage->chain_count; c++) {
		if (stage->chains[c].vms_down <= execution->at_once)
			continue;
		gp_diags_add(&outcome->diags, GP_ERROR, GP_E_REFUSED, "at-once", (struct gp_mark){0},
			     "%u VMs would be down at the same time, and at_once allows %u", stage->chains[c].vms_down,
			     execution->at_once);
		gp_skip_stage(stage, execution->stage_number, outcome);
		return -1;
	}
	return 0;
}

static void abandon(struct executor *ex)
{
	for (size_t c = 0; c < ex->chain_count; c++)
		give_up(ex, &ex->chains[c]);
	gp_diags_add(&ex->others, GP_ERROR, GP_E_INTERNAL, "no-thread", (struct gp_mark){0},
		     "no thread can be started, so nothing was run");
}

/* In the order of the plan, not in that in which chains came to their end: two runs that fail alike say the same. */
static void tell_failures(struct executor *ex)
{
	for (size_t t = 0; t < ex->task_count; t++) {
		const struct gp_step_outcome *outcome = outcome_of(ex, &ex->tasks[t]);
		struct gp_error err = {0};
		if (outcome->state != GP_STEP_FAILED)
			continue;
		gp_error_copy(&err, &outcome->error);
		gp_diags_add_error(&ex->outcome->diags, "step-failed", &err);
	}
	gp_diags_append(&ex->outcome->diags, &ex->others);
}

int gp_execute_stage(struct gp_host *host, const struct gp_stage *stage, const struct gp_execution *execution,
		     struct gp_outcome *outcome)
{
	size_t errors_before = outcome->diags.error_count;
	pthread_t workers[MOST_WORKERS];
	struct executor ex;

	if (refuse_too_many_down(stage, execution, outcome) != 0)
		return -1;
	executor_init(&ex, host, stage, execution, outcome);
	stop_if_asked(&ex);
	size_t worker_count = start_workers(&ex, workers);
	if (worker_count == 0 && ex.task_count > 0)
		abandon(&ex);
	else
		watch(&ex);
	for (size_t i = 0; i < worker_count; i++)
		pthread_join(workers[i], NULL);
	tell_failures(&ex);
	executor_clear(&ex);
	assert(outcome->done + outcome->skipped + outcome->failed + outcome->not_run == outcome->step_count);
	return outcome->diags.error_count == errors_before ? 0 : -1;
}

void gp_restore_stage(struct gp_host *host, const struct gp_stage *stage, struct gp_outcome *outcome)
{
	struct gp_bench bench;
	gp_bench_init(&bench, host, stage, NULL);
	for (size_t c = 0; c < stage->chain_count; c++) {
		const struct gp_chain *chain = &stage->chains[c];
		struct gp_step_task *tasks = gp_xcalloc(chain->step_count + 1, sizeof(*tasks));
		for (size_t s = 0; s < chain->step_count; s++)
			tasks[s] = (struct gp_step_task){.step = &chain->steps[s], .state = GP_STEP_DONE, .over = true};
		outcome->writes += gp_restore_domains(&bench, tasks, chain->step_count, &outcome->diags);
		free(tasks);
	}
	gp_bench_clear(&bench);
}

void gp_skip_stage(const struct gp_stage *stage, uint32_t stage_number, struct gp_outcome *outcome)
{
	for (size_t c = 0; c < stage->chain_count; c++)
		for (size_t s = 0; s < stage->chains[c].step_count; s++) {
			const struct gp_step *step = &stage->chains[c].steps[s];
			if (!is_work(step))
				continue;
			size_t at = append_outcome(outcome, step, stage_number);
			outcome->steps[at].state = GP_STEP_NOT_RUN;
			count(outcome, GP_STEP_NOT_RUN);
		}
}

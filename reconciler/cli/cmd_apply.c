/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply: shows the plan, asks, does exactly that, and reads back. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

struct progress {
	const struct gp_cli *cli;
	size_t total, finished;
	bool live_line; /* a "still …" line stands on the terminal and is to be overwritten */
};

static void end_live_line(struct progress *progress)
{
	if (progress->live_line)
		fputs("\r\033[K", stderr);
	progress->live_line = false;
}

static void step_finished(void *context, const struct gp_step *step, const struct gp_step_outcome *outcome)
{
	struct progress *progress = context;
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	static const char *const words[] = {
		[GP_STEP_DONE] = "done",       [GP_STEP_SKIPPED] = "was so already", [GP_STEP_FAILED] = "FAILED",
		[GP_STEP_NOT_RUN] = "not run", [GP_STEP_PENDING] = "pending",        [GP_STEP_RUNNING] = "running",
	};

	end_live_line(progress);
	gp_str_printf(&line, "[%zu/%zu] ", ++progress->finished, progress->total);
	gp_step_render(step, gp_cli_render_options(progress->cli, true), &line);
	gp_str_printf(&line, "  %s", words[outcome->state]);
	if (outcome->took_ms >= 100) {
		gp_str_add(&line, " in ");
		gp_str_printf(&line, "%.1fs", (double)outcome->took_ms / 1000.0);
	}
	fprintf(stderr, "%s\n", gp_str_text(&line));
}

static void still(void *context, const struct gp_step *step, uint64_t elapsed_ms, const char *detail)
{
	struct progress *progress = context;

	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "\r\033[K      step %u: %s", step->id, detail);
		fflush(stderr);
		progress->live_line = true;
	} else if (elapsed_ms / 1000 % 10 == 0) { /* a log wants no line a second */
		fprintf(stderr, "      step %u: %s\n", step->id, detail);
	}
}

static void lock_wait(void *context, const char *holder)
{
	(void)context;
	fprintf(stderr, "Waiting for another run on this host: %s\n", holder);
}

static void next_stage(void *context, size_t steps)
{
	struct progress *progress = context;

	end_live_line(progress);
	/* What was printed as expected is counted as what it turned out to be. */
	progress->total = progress->finished + steps;
	fprintf(stderr, "Observed again: %zu more steps, within what was approved.\n", steps);
}

static int print_plan(const struct gp_cli *cli, const struct gp_session *session)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	gp_plan_render(session->plan, session->desired, session->observed, gp_cli_render_options(cli, false), &text);
	gp_print(&text);
	if (fflush(stdout) == EOF || ferror(stdout))
		return -1;
	gp_print_diags(cli, &session->plan->diags);
	return 0;
}

static bool confirmed(void)
{
	char answer[16];

	fputs("\nApply these changes? Only 'yes' is taken as yes: ", stdout);
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return strcmp(answer, "yes\n") == 0;
}

/* GP_EXIT_OK: go on. */
static int ask(const struct gp_cli *cli)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};

	if (cli->yes)
		return GP_EXIT_OK;
	if (cli->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		gp_fail(&err, GP_E_USAGE,
			"there is no terminal to ask on, and --yes is not given; nothing was changed");
		gp_error_remedy(&err, "review the output of 'gpupart plan', then run 'gpupart apply --yes'");
		return gp_print_error(cli, &err);
	}
	if (confirmed())
		return GP_EXIT_OK;
	fputs("Not applied; nothing was changed.\n", stdout);
	return GP_EXIT_FAILED;
}

static void print_result(const struct gp_cli *cli, const struct gp_outcome *outcome)
{
	gp_print_diags(cli, &outcome->diags);
	printf("\n%s: %zu done, %zu were so already, %zu failed, %zu not run.%s\n",
	       outcome->failed || outcome->not_run || outcome->diags.error_count ? "Not all applied" : "Applied",
	       outcome->done, outcome->skipped, outcome->failed, outcome->not_run,
	       !outcome->verified ? ""
	       : outcome->waiting ? " Read back: the host is as asked, but for what waits."
				  : " Read back: the host is as asked.");
	if (outcome->saved_export) {
		bool elsewhere = cli->root && strcmp(cli->root, "/") != 0;

		printf("The state before is saved; to go back:\n  gpupart apply %s%s%s%s\n", elsewhere ? "--root " : "",
		       elsewhere ? cli->root : "", elsewhere ? " " : "", outcome->saved_export);
	}
}

static int observe_and_plan(struct gp_session *session, const struct gp_cli *cli)
{
	int code = gp_session_observe(session, cli);

	return code != GP_EXIT_OK ? code : gp_session_plan(session);
}

/* GP_EXIT_OK once no other run is under way. */
static int wait_for_others(const struct gp_session *session, const struct gp_cli *cli)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_autoclose int lock =
		gp_host_lock(session->host, cli->lock_wait_ms, cli->json ? NULL : lock_wait, NULL, &err);

	return lock < 0 ? gp_print_error(cli, &err) : GP_EXIT_OK;
}

/* What looks like a fault beside a run that is half-way may be that run's work: then wait for its end, and look again.
 */
static int plan_beside_others(struct gp_session *session, const struct gp_cli *cli)
{
	bool others = gp_host_is_locked(session->host);
	int code = observe_and_plan(session, cli);

	if (code != GP_EXIT_OK || !others || gp_plan_verdict(session->plan) == GP_E_NONE)
		return code;
	if ((code = wait_for_others(session, cli)) != GP_EXIT_OK)
		return code;
	gp_session_forget_plan(session);
	return observe_and_plan(session, cli);
}

int gp_cmd_apply(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_outcome_clear) struct gp_outcome outcome = {0};
	int code;

	if ((code = gp_session_open_host(&session, cli, GP_HOST_READ_WRITE)) != GP_EXIT_OK ||
	    (code = gp_session_read_files(&session, cli)) != GP_EXIT_OK ||
	    (code = plan_beside_others(&session, cli)) != GP_EXIT_OK)
		return code;

	bool changes = gp_plan_has_changes(session.plan);
	enum gp_error_kind verdict = gp_plan_verdict(session.plan);

	/* What is printed is what runs: what could not be printed does not run. */
	if (!cli->json && print_plan(cli, &session) != 0)
		return GP_EXIT_FAILED;
	if (verdict == GP_E_NONE && changes && (code = ask(cli)) != GP_EXIT_OK)
		return code;

	struct progress progress = {.cli = cli, .total = gp_plan_step_count(session.plan)};
	struct gp_apply_options options = {
		.lock_wait_ms = cli->lock_wait_ms,
		.stop = &gp_cli_stop,
		.progress = {.context = &progress},
	};

	if (!cli->json) {
		options.progress.step_finished = step_finished;
		options.progress.still = still;
		options.progress.lock_wait = lock_wait;
		options.progress.stage = next_stage;
	}
	gp_cli_catch_signals();
	enum gp_error_kind result =
		gp_apply(session.host, session.desired, session.observed, session.plan, &options, &outcome);

	end_live_line(&progress);
	if (cli->json)
		gp_print_json(gp_outcome_to_json(&outcome, session.plan));
	else if (verdict == GP_E_NONE && changes)
		print_result(cli, &outcome);
	else
		gp_print_diags(cli, &outcome.diags);
	return gp_exit_of(result);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: what apply would do now. The host is opened read-only: this command cannot write. */
#include "cli/cli.h"

int gp_cmd_plan(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	int code;

	if ((code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY)) != GP_EXIT_OK ||
	    (code = gp_session_read_files(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_observe(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_plan(&session)) != GP_EXIT_OK)
		return code;

	if (cli->json) {
		gp_print_json(gp_plan_to_json(session.plan));
	} else {
		gp_plan_render(session.plan, session.desired, session.observed, gp_cli_render_options(cli, false),
			       &text);
		gp_print(&text);
		gp_print_diags(cli, &session.plan->diags);
	}
	enum gp_error_kind verdict = gp_plan_verdict(session.plan);

	if (verdict != GP_E_NONE)
		return gp_exit_of(verdict);
	return cli->detailed_exitcode && gp_plan_has_changes(session.plan) ? GP_EXIT_CHANGES : GP_EXIT_OK;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* observe, export: what is, for machines, and as a file to start from. */
#include <stdio.h>

#include "cli/cli.h"

static int observe_host(struct gp_session *session, const struct gp_cli *cli)
{
	int code = gp_session_open_host(session, cli, GP_HOST_READ_ONLY);

	return code != GP_EXIT_OK ? code : gp_session_observe(session, cli);
}

/* What could not be read is said, since it counts as not available and as in use. */
static void warn_unknown(const struct gp_observed *observed)
{
	if (!observed->domains_state.known)
		fprintf(stderr, "warning: VMs are unknown: %s\n", observed->domains_state.why);
	if (!observed->vfio_state.known)
		fprintf(stderr, "warning: VFIO holders are unknown: %s\n", observed->vfio_state.why);
}

int gp_cmd_observe(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	int code;

	cli->json = true;
	if ((code = observe_host(&session, cli)) != GP_EXIT_OK)
		return code;
	warn_unknown(session.observed);
	gp_print_json(gp_observed_to_json(session.observed));
	return GP_EXIT_OK;
}

int gp_cmd_export(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	int code;

	if ((code = observe_host(&session, cli)) != GP_EXIT_OK)
		return code;
	warn_unknown(session.observed);
	gp_intent_export(session.observed, (struct gp_export_options){0}, &text);
	gp_print(&text);
	return GP_EXIT_OK;
}

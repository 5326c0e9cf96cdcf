/* SPDX-License-Identifier: GPL-2.0-or-later */
/* observe, export, capture: what is, for machines, as a file to start from, and as a tree to replay. */
#include <json-c/json.h>
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

int gp_cmd_capture(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	int code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY);

	if (code != GP_EXIT_OK)
		return code;
	int files = gp_host_capture(session.host, cli->args[0], &err);

	if (files < 0)
		return gp_print_error(cli, &err);
	if (cli->json) {
		struct json_object *root = json_object_new_object();

		json_object_object_add(root, "format_version", json_object_new_string("1.0"));
		json_object_object_add(root, "kind", json_object_new_string("capture"));
		json_object_object_add(root, "directory", json_object_new_string(cli->args[0]));
		json_object_object_add(root, "files", json_object_new_int(files));
		gp_print_json(root);
	} else {
		printf("Captured %d files of %s. To replay:\n  gpupart gpus --root %s\n", files,
		       gp_host_name(session.host), cli->args[0]);
	}
	return GP_EXIT_OK;
}

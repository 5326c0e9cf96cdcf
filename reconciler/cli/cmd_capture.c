/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture: what is, as a tree to replay elsewhere. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/cli.h"

static void print_as_json(const struct gp_cli *cli, int files, const struct gp_renames *renames)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "format_version", json_object_new_string("1.0"));
	json_object_object_add(root, "kind", json_object_new_string("capture"));
	json_object_object_add(root, "directory", json_object_new_string(cli->args[0]));
	json_object_object_add(root, "files", json_object_new_int(files));
	if (cli->anonymize) {
		struct json_object *renamed = json_object_new_array();

		for (size_t i = 0; i < renames->count; i++) {
			struct json_object *one = json_object_new_object();

			json_object_object_add(one, "what", json_object_new_string(renames->items[i].what));
			json_object_object_add(one, "from", json_object_new_string(renames->items[i].from));
			json_object_object_add(one, "to", json_object_new_string(renames->items[i].to));
			json_object_array_add(renamed, one);
		}
		json_object_object_add(root, "renamed", renamed);
	}
	gp_print_json(root);
}

/* The key to the tree: on the screen, for the owner to keep, and nowhere else. */
static void print_renames(const struct gp_renames *renames)
{
	static const char *const headings[] = {"WHAT", "HERE", "IN THE CAPTURE"};
	GP_CLEANUP(gp_cleanup_gp_table_free) struct gp_table *table = gp_table_new(headings, 3);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};

	for (size_t i = 0; i < renames->count; i++) {
		gp_table_cell(table, "%s", renames->items[i].what);
		gp_table_cell(table, "%s", renames->items[i].from);
		gp_table_cell(table, "%s", renames->items[i].to);
	}
	gp_str_add(&text, "\nWhat stands for what. Keep this, and do not give it away: it is not in the capture.\n\n");
	gp_table_render(table, &text);
	gp_print(&text);
}

int gp_cmd_capture(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_renames_clear) struct gp_renames renames = {0};
	int code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY);

	if (code != GP_EXIT_OK)
		return code;
	int files = gp_host_capture(session.host, cli->args[0], cli->anonymize ? &renames : NULL, &err);

	if (files < 0)
		return gp_print_error(cli, &err);
	if (cli->json) {
		print_as_json(cli, files, &renames);
		return GP_EXIT_OK;
	}
	printf("Captured %d files of %s. To replay:\n  gpupart gpus --root %s\n", files, gp_host_name(session.host),
	       cli->args[0]);
	if (cli->anonymize)
		print_renames(&renames);
	return GP_EXIT_OK;
}

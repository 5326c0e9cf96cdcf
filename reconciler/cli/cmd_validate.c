/* SPDX-License-Identifier: GPL-2.0-or-later */
/* validate: reads the files alone; no host is looked at. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/cli.h"

static struct json_object *to_json(const struct gp_desired *desired, const struct gp_diags *diags)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "format_version", json_object_new_string("1.0"));
	json_object_object_add(root, "kind", json_object_new_string("validation"));
	json_object_object_add(root, "valid", json_object_new_boolean(diags->error_count == 0));
	json_object_object_add(root, "files", json_object_new_uint64(desired->files_read));
	json_object_object_add(root, "classes", json_object_new_uint64(desired->class_count));
	json_object_object_add(root, "vms", json_object_new_uint64(desired->vm_count));
	json_object_object_add(root, "diagnostics", gp_diags_to_json(diags));
	return root;
}

static const char *plural(size_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

static void print_verdict(const struct gp_cli *cli, const struct gp_desired *d)
{
	printf("Valid: %zu %s, %zu %s, %zu %s", d->files_read, plural(d->files_read, "file", "files"), d->class_count,
	       plural(d->class_count, "class", "classes"), d->vm_count, plural(d->vm_count, "VM", "VMs"));
	if (cli->host_name)
		printf(" for host %s (%zu of the files speak for it)", cli->host_name, d->files_for_host);
	printf(".\n");
}

int gp_cmd_validate(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	struct gp_cli quiet = *cli;

	/* With --json there is one object whatever the verdict, so faults are not printed on the way. */
	if (cli->json) {
		static const char *const default_paths[] = {"/etc/gpupart"};
		bool named = cli->arg_count > 0;

		session.desired = gp_intent_load(named ? (const char *const *)cli->args : default_paths,
						 named ? (size_t)cli->arg_count : 1, cli->host_name, &session.diags);
		gp_diags_sort(&session.diags);
		gp_print_json(to_json(session.desired, &session.diags));
		return session.diags.error_count ? GP_EXIT_INPUT : GP_EXIT_OK;
	}
	int code = gp_session_read_files(&session, &quiet);

	if (code != GP_EXIT_OK) {
		fprintf(stderr, "%zu %s.\n", session.diags.error_count,
			plural(session.diags.error_count, "error", "errors"));
		return code;
	}
	print_verdict(cli, session.desired);
	return GP_EXIT_OK;
}

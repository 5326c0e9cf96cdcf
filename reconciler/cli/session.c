/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define GP_DEFAULT_FILES "/etc/gpupart"

void gp_session_clear(struct gp_session *session)
{
	gp_plan_free(session->plan);
	gp_observed_free(session->observed);
	gp_desired_free(session->desired);
	gp_host_close(session->host);
	gp_diags_clear(&session->diags);
	*session = (struct gp_session){0};
}

/*
 * The helper that writes: beside this program in a build tree, else where `install` puts it. Static storage would be a
 * global, so the caller frees.
 */
static char *find_writer(void)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length > 0) {
		self[length] = '\0';
		char *slash = strrchr(self, '/');

		if (slash)
			*slash = '\0';
		gp_autofree char *beside = gp_xasprintf("%s/gpupart-write", self);

		if (access(beside, X_OK) == 0)
			return gp_take(beside);
	}
	return gp_xstrdup(GP_LIBEXECDIR "/gpupart-write");
}

int gp_session_open_host(struct gp_session *session, const struct gp_cli *cli, enum gp_host_mode mode)
{
	gp_autofree char *writer = find_writer();
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_host_options options = {
		.root = cli->root,
		.connect_uri = cli->connect,
		.writer_path = writer,
		.mode = mode,
	};

	if (gp_host_open(&options, &session->host, &err) < 0)
		return gp_print_error(cli, &err);
	return GP_EXIT_OK;
}

int gp_session_read_files(struct gp_session *session, const struct gp_cli *cli)
{
	static const char *const default_paths[] = {GP_DEFAULT_FILES};
	const char *host = cli->host_name ? cli->host_name : session->host ? gp_host_name(session->host) : NULL;
	bool named = cli->arg_count > 0;

	session->desired = gp_intent_load(named ? (const char *const *)cli->args : default_paths,
					  named ? (size_t)cli->arg_count : 1, host, &session->diags);
	if (session->diags.error_count > 0)
		return gp_print_faults(cli, &session->diags, GP_EXIT_INPUT);
	if (!cli->json)
		gp_print_diags(cli, &session->diags);
	return GP_EXIT_OK;
}

int gp_session_read_files_if_any(struct gp_session *session, const struct gp_cli *cli)
{
	if (cli->arg_count == 0 && access(GP_DEFAULT_FILES, F_OK) < 0) {
		session->desired = gp_desired_new();
		return GP_EXIT_OK;
	}
	return gp_session_read_files(session, cli);
}

int gp_session_observe(struct gp_session *session, const struct gp_cli *cli)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};

	session->observed = gp_observe(session->host, session->desired, &err);
	if (!session->observed)
		return gp_print_error(cli, &err);
	return GP_EXIT_OK;
}

int gp_session_plan(struct gp_session *session)
{
	session->plan = gp_plan_make(session->desired, session->observed);
	gp_diags_sort(&session->plan->diags);
	return GP_EXIT_OK;
}

void gp_session_forget_plan(struct gp_session *session)
{
	gp_plan_free(gp_take(session->plan));
	gp_observed_free(gp_take(session->observed));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim: make and poke a simulated machine. */
#include <stdio.h>
#include <string.h>

#include "base/source.h"
#include "cli/cli.h"
#include "host/sim.h"

static int sim_create(struct gp_cli *cli, struct gp_error *err)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};

	if (gp_sim_create(cli->args[1], cli->args[2], &sources, &diags, err) < 0)
		return diags.error_count > 0 ? gp_print_faults(cli, &diags, GP_EXIT_INPUT) : -1;
	gp_print_diags(cli, &diags);
	printf("Simulated machine in %s. To look at it:\n  gpupart gpus --root %s\n", cli->args[1], cli->args[1]);
	return GP_EXIT_OK;
}

static int sim_reboot(struct gp_cli *cli, struct gp_error *err)
{
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};

	if (gp_sim_reboot(cli->args[1], &diags, err) < 0)
		return -1;
	gp_print_diags(cli, &diags);
	puts("Rebooted: all that a kernel forgets is gone, VFs first of all.");
	return GP_EXIT_OK;
}

static int sim_vm(struct gp_cli *cli, struct gp_error *err)
{
	return gp_sim_vm(cli->args[1], cli->args[2], cli->args[3], err);
}

static int sim_fault(struct gp_cli *cli, struct gp_error *err)
{
	return gp_sim_fault(cli->args[1], (const char *const *)cli->args + 2, (size_t)cli->arg_count - 2, err);
}

/* run: an exit code, or -1 with *err set. */
static const struct {
	const char *verb, *usage;
	int min_args, max_args;
	int (*run)(struct gp_cli *cli, struct gp_error *err);
} verbs[] = {
	{"create", "create DIR HOST.yaml", 3, 3, sim_create},
	{"reboot", "reboot DIR", 2, 2, sim_reboot},
	{"vm",
	 "vm DIR "
	 "define|create|start|stop|destroy|undefine|pause|resume|suspend|crash|save|unsave|autostart|no-autostart "
	 "NAME|FILE.xml",
	 4, 4, sim_vm},
	{"fault", "fault DIR FAULT…", 3, -1, sim_fault},
};

int gp_cmd_sim(struct gp_cli *cli)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};

	if (cli->arg_count > 1 && (strcmp(cli->args[1], "--help") == 0 || strcmp(cli->args[1], "-h") == 0)) {
		gp_cli_print_help("sim");
		return GP_EXIT_OK;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(cli->args[0], verbs[i].verb) != 0)
			continue;
		if (cli->arg_count < verbs[i].min_args ||
		    (verbs[i].max_args >= 0 && cli->arg_count > verbs[i].max_args)) {
			fprintf(stderr, "Usage: gpupart sim %s\n", verbs[i].usage);
			return GP_EXIT_USAGE;
		}
		int code = verbs[i].run(cli, &err);

		return code < 0 ? gp_print_error(cli, &err) : code;
	}
	fprintf(stderr,
		"gpupart sim: unknown verb '%s'; there are create, reboot, vm and fault\n"
		"Try 'gpupart sim --help'.\n",
		cli->args[0]);
	return GP_EXIT_USAGE;
}

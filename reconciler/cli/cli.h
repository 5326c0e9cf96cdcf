/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments in, exit code out. One cmd_*.c a command; main.c has the table of them.
 *
 * Output goes to stdout, diagnostics and progress to stderr; colour only on a terminal and never with NO_COLOR.
 */
#ifndef GP_CLI_CLI_H
#define GP_CLI_CLI_H

#include <json-c/json_types.h>
#include <signal.h>

#include "base/diag.h"
#include "cli/exit.h"
#include "host/host.h"
#include "intent/intent.h"
#include "plan/planner.h"
#include "run/reconcile.h"

/* What may stand on the command line of a command; each command says which it takes. */
enum gp_option {
	GP_OPT_ROOT = 1 << 0,      /* --root DIR, --connect URI */
	GP_OPT_JSON = 1 << 1,      /* --json */
	GP_OPT_HOST = 1 << 2,      /* --host NAME */
	GP_OPT_YES = 1 << 3,       /* --yes, --lock-timeout DURATION */
	GP_OPT_DETAILED = 1 << 4,  /* --detailed-exitcode */
	GP_OPT_ANONYMIZE = 1 << 5, /* --anonymize */
};

struct gp_cli {
	const char *root;
	const char *connect;
	const char *host_name;
	bool json;
	bool yes;
	bool detailed_exitcode;
	bool anonymize;
	uint64_t lock_wait_ms;
	char **args; /* what is left: files, directories, names */
	int arg_count;
	bool colour_out, colour_err, utf8;
};

struct gp_command {
	const char *name;
	const char *summary;    /* one line for `gpupart --help` */
	const char *usage;      /* "[FILE|DIR]…" */
	const char *help;       /* paragraphs and an example */
	unsigned options;       /* enum gp_option */
	int min_args, max_args; /* -1: any number */
	int (*run)(struct gp_cli *cli);
};

int gp_cmd_validate(struct gp_cli *cli);
int gp_cmd_gpus(struct gp_cli *cli);
int gp_cmd_vms(struct gp_cli *cli);
int gp_cmd_doctor(struct gp_cli *cli);
int gp_cmd_plan(struct gp_cli *cli);
int gp_cmd_apply(struct gp_cli *cli);
int gp_cmd_status(struct gp_cli *cli);
int gp_cmd_observe(struct gp_cli *cli);
int gp_cmd_export(struct gp_cli *cli);
int gp_cmd_capture(struct gp_cli *cli);
int gp_cmd_sim(struct gp_cli *cli);

/* Set by a signal once gp_cli_catch_signals() was called; the one global of the program. */
extern volatile sig_atomic_t gp_cli_stop;
/* From here on the first ^C, TERM or hang-up lets running steps finish and stopped VMs come back, and says so; the
 * second ends the program at once. Commands that only read never call it. */
void gp_cli_catch_signals(void);
void gp_cli_print_help(const char *name); /* of that command; nothing for an unknown one */

/* ---- what commands share (session.c) ---- */

/*
 * The first half of every command: host opened, files read, host observed, plan made. Fields are NULL when a command
 * did not ask for them.
 */
struct gp_session {
	struct gp_host *host;
	struct gp_desired *desired;
	struct gp_observed *observed;
	struct gp_plan *plan;
	struct gp_diags diags; /* of the files */
};
void gp_session_clear(struct gp_session *session);

/* All return an exit code; GP_EXIT_OK means go on. Faults were printed already (as JSON when asked). */
int gp_session_open_host(struct gp_session *session, const struct gp_cli *cli, enum gp_host_mode mode);
int gp_session_read_files(struct gp_session *session, const struct gp_cli *cli);
/* For gpus and vms: no files is fine when none were named and /etc/gpupart does not exist. */
int gp_session_read_files_if_any(struct gp_session *session, const struct gp_cli *cli);
int gp_session_observe(struct gp_session *session, const struct gp_cli *cli);
int gp_session_plan(struct gp_session *session);
void gp_session_forget_plan(struct gp_session *session); /* and what it stands on: to look again */

/* ---- output (output.c) ---- */

void gp_print(const struct gp_str *text);                                    /* stdout */
void gp_print_json(struct json_object *object);                              /* stdout, pretty; puts the object */
void gp_print_diags(const struct gp_cli *cli, const struct gp_diags *diags); /* stderr */
int gp_print_error(const struct gp_cli *cli, struct gp_error *err);          /* stderr; clears; the exit code */
/* {"format_version", "kind": "error", "diagnostics": […]} on stdout with --json, else text on stderr. */
int gp_print_faults(const struct gp_cli *cli, struct gp_diags *diags, int exit_code);
struct gp_render_options gp_cli_render_options(const struct gp_cli *cli, bool for_stderr);

/* One paragraph, broken between words so that a line is no wider than a terminal; lines after the first stand 2
 * further. */
void gp_add_folded(struct gp_str *out, size_t indent, const char *text);

/* A table with aligned columns; cells are copied. The last column is not padded. */
struct gp_table;
struct gp_table *gp_table_new(const char *const *headings, size_t columns);
void gp_table_free(struct gp_table *table);
GP_DEFINE_CLEANUP(struct gp_table, gp_table_free)
void gp_table_cell(struct gp_table *table, const char *format, ...) GP_PRINTF(2, 3); /* left to right, row by row */
void gp_table_render(const struct gp_table *table, struct gp_str *out);

#endif

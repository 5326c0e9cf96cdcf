/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exit codes are an interface: docs/commands.md and every --help name them, and tests hold them. */
#ifndef GP_CLI_EXIT_H
#define GP_CLI_EXIT_H

#include "base/error.h"

enum gp_exit {
	GP_EXIT_OK = 0, /* done, in sync, or only waiting for VMs to be off */
	GP_EXIT_FAILED = 1,
	GP_EXIT_CHANGES = 2, /* apply would act now (plan --detailed-exitcode); drift (status) */
	GP_EXIT_INPUT = 3,   /* the files are wrong */
	GP_EXIT_REFUSED = 4, /* would disturb a VM; nothing was written */
	GP_EXIT_VERIFY = 5,  /* applied, but the read-back does not agree */
	GP_EXIT_STALE = 6,   /* the host is no longer what the plan stands on */
	GP_EXIT_USAGE = 64   /* sysexits.h EX_USAGE */
};

/* By kind, never by text. */
int gp_exit_of(enum gp_error_kind kind);

#endif

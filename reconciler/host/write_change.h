/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helper's half of a write. Runs in gpupart-write only, single-threaded, and may never return.
 * `host` is the helper's own handle on the root.
 */
#ifndef GP_HOST_WRITE_CHANGE_H
#define GP_HOST_WRITE_CHANGE_H

#include "host/host.h"

/* Lock, compare, guard, change, read back: see gp_host_write(). */
int gp_write_change(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err);
/* What a failed write of sriov_numvfs means, in words (-1 always). gpu: the PF as read before the write. */
int gp_write_explain_numvfs(int sys, const struct gp_gpu *gpu, const char *asked, struct gp_error *err);
/* Runs a vendor's program with one argument and the device, nothing open, and waits for it. */
int gp_write_run_program(const char *path, const char *argument, const char *device, struct gp_error *err);

#endif

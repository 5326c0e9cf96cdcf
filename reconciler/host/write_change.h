/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helper's half of a write. Runs in gpupart-write only, single-threaded, and may never return.
 *
 *	write_change.c   lock, attributes, drivers
 *	write_guard.c    is it in use?
 *	write_mdev.c     mediated devices: made and removed
 *	write_program.c  programs of vendors
 */
#ifndef GP_HOST_WRITE_CHANGE_H
#define GP_HOST_WRITE_CHANGE_H

#include "host/host.h"

/* Lock, compare, guard, change, read back: see gp_host_write(). `host` is the helper's own handle on the root. */
int gp_write_change(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err);
/* What a failed write of sriov_numvfs means, in words (-1 always). gpu: the PF as read before the write. */
int gp_write_explain_numvfs(int sys, const struct gp_gpu *gpu, const char *asked, struct gp_error *err);

/* ---- what the parts share ---- */

/* One change while it is made. */
struct gp_write {
	struct gp_host *host;
	const struct gp_write_request *request;
	struct gp_arena *arena;
	uint64_t until_ms; /* on gp_clock_ms: who asked gives up soon after */
	int lock;          /* the PF's; a program that is run keeps it when this process is gone */
};

/* Waits a quarter of a second, but not beyond `until_ms`. False: that is over. */
bool gp_write_pause(uint64_t until_ms);

/* The one place that writes. 0 or an errno. */
int gp_write_value(struct gp_host *host, const char *path, const char *value);
/* The PF of the request as it is now. */
int gp_write_observe_pf(const struct gp_write *write, struct gp_gpu *gpu, struct gp_error *err);
/* The same PF is being changed by somebody: links and capability disagree. */
int gp_write_fail_transition(const struct gp_gpu *gpu, struct gp_error *err);

/* The request's guard, evaluated now. Unknown is in use. */
int gp_write_check_guard(const struct gp_write *write, struct gp_error *err);
/* The same with what is known of the PF already. */
int gp_write_check_guard_of(const struct gp_write *write, struct gp_gpu *gpu, struct gp_error *err);
/* "process nvidia-smi (pid 812), …" of those that are seen to have the physical GPU open, nothing when none is. -1: the
 * GPU itself cannot be read. */
int gp_write_name_clients(const struct gp_write *write, struct gp_str *names, struct gp_error *err);

/*
 * Tries once; when that fails with *settles, again until GP_SETTLE_MS or the time of the request are over: a vGPU that
 * was just let go of keeps its VF for some seconds, and its place on the GPU.
 */
typedef int gp_write_try(const struct gp_write *write, const char *path, bool *settles, struct gp_error *err);
int gp_write_settling(const struct gp_write *write, const char *path, gp_write_try *try_once, struct gp_error *err);
/* Does the kernel's answer mean that it may work a little later? Only where a VF's vGPU is taken or given, and where
 * nobody has that VF open. */
bool gp_write_may_settle(const struct gp_write *write, int sys);
/* Does it give a VF its vGPU, as a type or as a mediated device? */
bool gp_write_gives_vgpu(const struct gp_write_request *request);

/* PCI: DEVICE mdev_supported_types/TYPE/create; MDEV: UUID remove. */
bool gp_write_makes_mdev(const struct gp_write_request *request);
bool gp_write_removes_mdev(const struct gp_write_request *request);
gp_write_try gp_write_make_mdev;
gp_write_try gp_write_remove_mdev;

/* HELPER. Runs the program until there are VFs; what it says of itself is not believed. */
int gp_write_run_program(const struct gp_write *write, struct gp_error *err);
/*
 * May root run it? It, all directories on its way, and all that links on that way lead to, belong to root and can be
 * written by nobody else. The path is absolute, inside the root; so is *real, without links: what was looked at, and
 * therefore what is to be run. The caller frees it.
 */
int gp_write_check_program(int root_fd, const char *program, char **real, struct gp_error *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is what a write is about in use? Asked right before it, under the PF's lock. What cannot be told is in use. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host/host_internal.h"
#include "host/write_change.h"

enum { CLIENTS_LEAVE_MS = 5000, LOOK_EVERY_MS = 250 };

int gp_write_observe_pf(const struct gp_write *write, struct gp_gpu *gpu, struct gp_error *err)
{
	*gpu = (struct gp_gpu){0};
	return gp_host_observe_pf(write->host, write->arena, write->request->pf, gpu, err);
}

/* ---- VFs ---- */

static int refuse_foreign_driver(const struct gp_partition *vf, struct gp_error *err)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_fail(err, GP_E_REFUSED,
		"VF %u (%s) is bound to driver %s, which hands nothing to VMs: something on this host uses it",
		vf->index, gp_pci_addr_format(vf->addr, addr), vf->driver);
	gp_error_holder(err, "driver %s", vf->driver);
	return gp_error_remedy(err, "stop what uses it (a container, a display), then unbind it from %s", vf->driver);
}

static int refuse_held(const struct gp_partition *vf, struct gp_error *err)
{
	const struct gp_holder *holder = &vf->holders[0];
	gp_fail(err, GP_E_REFUSED, "VF %u is open in process %s (pid %llu)", vf->index, holder->name,
		(unsigned long long)holder->pid);
	gp_error_holder(err, "process %s (pid %llu)", holder->name, (unsigned long long)holder->pid);
	return gp_error_remedy(err, "shut down the VM that the process runs");
}

static int refuse_unknown(const struct gp_source_state *state, struct gp_error *err)
{
	gp_fail(err, GP_E_REFUSED, "who has the VFs open cannot be told: %s", state->why);
	return gp_error_remedy(err, "run as root, outside of containers");
}

static int check_unheld(const struct gp_write *write, struct gp_gpu *gpu, struct gp_error *err)
{
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (gpu->partitions[i].driver != NULL && !gp_driver_is_vfio(gpu->partitions[i].driver))
			return refuse_foreign_driver(&gpu->partitions[i], err);
	struct gp_source_state state;
	gp_holders_scan(write->host, write->arena, gpu, 1, &state);
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (gpu->partitions[i].holder_count > 0)
			return refuse_held(&gpu->partitions[i], err);
	return state.known ? 0 : refuse_unknown(&state, err);
}

/* The address of the VF that the request is about, or that its mediated device was made on. */
static int find_vf_addr(const struct gp_write *write, struct gp_pci_addr *addr, struct gp_error *err)
{
	const char *device = write->request->device;
	struct gp_mdev mdev;
	struct gp_uuid uuid;
	if (write->request->base != GP_BASE_MDEV) {
		if (device != NULL && gp_pci_addr_parse(device, addr) == 0)
			return 0;
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no VF", device != NULL ? device : "");
	}
	if (device == NULL || gp_uuid_parse(device, &uuid) < 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no mediated device", device != NULL ? device : "");
	int found = gp_host_find_mdev(write->host, uuid, &mdev, err);
	if (found <= 0)
		return found < 0 ? -1 : gp_fail(err, GP_E_NOT_FOUND, "there is no such mediated device");
	if (mdev.foreign)
		return gp_fail(err, GP_E_INTERNAL, "the mediated device is on no PCI device");
	*addr = mdev.parent;
	return 0;
}

static const struct gp_partition *partition_at(const struct gp_gpu *gpu, struct gp_pci_addr addr)
{
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (gp_pci_addr_compare(gpu->partitions[i].addr, addr) == 0)
			return &gpu->partitions[i];
	return NULL;
}

/* Its driver is no matter: what is written belongs to that driver. */
static int check_vf_unheld(const struct gp_write *write, struct gp_gpu *gpu, struct gp_error *err)
{
	struct gp_pci_addr addr = {0};
	struct gp_source_state state;
	if (find_vf_addr(write, &addr, err) < 0)
		return -1;
	const struct gp_partition *vf = partition_at(gpu, addr);
	if (vf == NULL) {
		char pf[GP_PCI_ADDR_SIZE], name[GP_PCI_ADDR_SIZE];
		return gp_fail(err, GP_E_INTERNAL, "the lock is for %s, and %s is no VF of it",
			       gp_pci_addr_format(gpu->addr, pf), gp_pci_addr_format(addr, name));
	}
	gp_holders_scan(write->host, write->arena, gpu, 1, &state);
	if (vf->holder_count > 0)
		return refuse_held(vf, err);
	return state.known ? 0 : refuse_unknown(&state, err);
}

/* ---- the physical GPU ---- */

static void add_clients(const struct gp_gpu *gpu, struct gp_str *names)
{
	for (size_t i = 0; i < gpu->client_count; i++)
		gp_str_printf(names, "%sprocess %s (pid %llu)", names->length > 0 ? ", " : "", gpu->clients[i].name,
			      (unsigned long long)gpu->clients[i].pid);
}

static int fail_clients(const struct gp_str *names, struct gp_error *err)
{
	gp_fail(err, GP_E_BUSY, "the GPU is open in %s: its driver makes no VFs while somebody has it open",
		gp_str_text(names));
	gp_error_holder(err, "%s", gp_str_text(names));
	return gp_error_remedy(err, "stop what watches or uses the GPU (DCGM, an exporter, nvidia-persistenced, "
				    "nvidia-smi), then run apply again");
}

static void scan_clients(const struct gp_write *write, struct gp_gpu *gpu, struct gp_str *names)
{
	struct gp_source_state
		state; /* a client that cannot be seen is one that the driver sees: it then makes no VFs */
	gp_holders_scan(write->host, write->arena, gpu, 1, &state);
	add_clients(gpu, names);
}

int gp_write_name_clients(const struct gp_write *write, struct gp_str *names, struct gp_error *err)
{
	struct gp_gpu gpu;
	if (gp_write_observe_pf(write, &gpu, err) < 0)
		return -1;
	scan_clients(write, &gpu, names);
	return 0;
}

static int fail_has_vfs(const struct gp_gpu *gpu, struct gp_error *err)
{
	gp_fail(err, GP_E_STALE, "has %u VFs now; the plan stands on none", gpu->num_vfs);
	return gp_error_remedy(err, "plan again");
}

static int observe_without_vfs(const struct gp_write *write, struct gp_gpu *gpu, struct gp_error *err)
{
	if (gp_write_observe_pf(write, gpu, err) < 0)
		return -1;
	if (gp_pci_in_transition(gpu))
		return gp_write_fail_transition(gpu, err);
	return gpu->num_vfs > 0 ? fail_has_vfs(gpu, err) : 0;
}

/* A monitor that looks every second is gone in a moment; one that stays is named. Meanwhile somebody else may make VFs,
 * so that each look is a fresh one, and the last one comes after the processes were gone through. */
static int check_no_vfs(const struct gp_write *write, struct gp_error *err)
{
	uint64_t patience = gp_clock_ms() + CLIENTS_LEAVE_MS;
	if (patience > write->until_ms)
		patience = write->until_ms;
	for (;;) {
		GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
		struct gp_gpu gpu;
		if (observe_without_vfs(write, &gpu, err) < 0)
			return -1;
		scan_clients(write, &gpu, &names);
		if (names.length == 0)
			return observe_without_vfs(write, &gpu, err);
		if (!gp_write_pause(patience))
			return fail_clients(&names, err);
	}
}

/* ---- which of them ---- */

int gp_write_check_guard_of(const struct gp_write *write, struct gp_gpu *gpu, struct gp_error *err)
{
	switch (write->request->guard) {
	case GP_GUARD_UNHELD:
		return check_unheld(write, gpu, err);
	case GP_GUARD_VF_UNHELD:
		return check_vf_unheld(write, gpu, err);
	case GP_GUARD_NO_VFS:
		return check_no_vfs(write, err);
	default:
		return 0;
	}
}

int gp_write_check_guard(const struct gp_write *write, struct gp_error *err)
{
	struct gp_gpu gpu;
	if (write->request->guard == GP_GUARD_NONE)
		return 0;
	return gp_write_observe_pf(write, &gpu, err) < 0 ? -1 : gp_write_check_guard_of(write, &gpu, err);
}

/* ---- what was just let go of ---- */

bool gp_write_pause(uint64_t until_ms)
{
	uint64_t now = gp_clock_ms();
	if (now >= until_ms)
		return false;
	gp_sleep_ms(until_ms - now < LOOK_EVERY_MS ? until_ms - now : LOOK_EVERY_MS);
	return true;
}

static bool settles_when_taken(int sys)
{
	return sys == EPERM || sys == EBUSY || sys == EAGAIN || sys == EIO;
}

/* The place of a vGPU that was just taken away may be free a little later only. EPERM does not come from that. */
static bool settles_when_given(int sys)
{
	return sys == EBUSY || sys == EAGAIN || sys == EIO || sys == ENOSPC;
}

static bool is_vf_unheld(const struct gp_write *write)
{
	struct gp_gpu gpu;
	return gp_write_observe_pf(write, &gpu, NULL) == 0 && check_vf_unheld(write, &gpu, NULL) == 0;
}

bool gp_write_may_settle(const struct gp_write *write, int sys)
{
	if (write->request->guard == GP_GUARD_VF_UNHELD)
		return settles_when_taken(sys);
	return gp_write_gives_vgpu(write->request) && settles_when_given(sys) && is_vf_unheld(write);
}

int gp_write_settling(const struct gp_write *write, const char *path, gp_write_try *try_once, struct gp_error *err)
{
	uint64_t began = gp_clock_ms(), until = began + GP_SETTLE_MS;
	if (until > write->until_ms)
		until = write->until_ms;
	for (;;) {
		GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
		bool settles = false;
		if (try_once(write, path, &settles, &problem) == 0)
			return 0;
		if (settles && gp_write_pause(until))
			continue;
		if (settles)
			gp_error_prefix(&problem,
					write->request->guard == GP_GUARD_VF_UNHELD
						? "nobody has it open, and yet after %.1f s"
						: "tried for %.1f s",
					(double)(gp_clock_ms() - began) / 1000);
		gp_error_move(err, &problem);
		return -1;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vendor/fitness.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vendor/backends.h"

void gp_unfit(struct gp_gpu *gpu, enum gp_unfit kind, const char *why, const char *remedy)
{
	gpu->unfit = kind;
	gpu->unfit_why = why;
	gpu->unfit_remedy = remedy;
}

/* Drivers that only keep a device for somebody else: they make no VFs. (vfio-pci does if so configured, but then the
 * whole device is meant for a VM.) */
static bool is_placeholder_driver(const char *driver)
{
	return gp_is_vfio_driver(driver) || gp_streq(driver, "pci-stub") || gp_streq(driver, "pciback");
}

bool gp_judge_driver(struct gp_arena *arena, struct gp_gpu *gpu)
{
	if (gpu->driver == NULL)
		gp_unfit(gpu, GP_UNFIT_NO_DRIVER, "no driver is bound to it, and only its driver can make VFs",
			 "load the driver of the device, or bind it");
	else if (is_placeholder_driver(gpu->driver))
		gp_unfit(gpu, GP_UNFIT_DRIVER,
			 gp_arena_printf(arena,
					 "it is bound to %s, which keeps the whole device for a VM and makes no VFs",
					 gpu->driver),
			 "bind the device to its own driver");
	else
		return false;
	return true;
}

/* ---- transition ---- */

/* The VFs that config space tells, which can be read without a lock while a writer is at work. */
static uint32_t vfs_of_capability(const struct gp_gpu *gpu)
{
	return gpu->vf_enable ? gpu->cap_num_vfs : 0;
}

static void judge_busy(struct gp_arena *arena, struct gp_gpu *gpu)
{
	gp_unfit(gpu, GP_UNFIT_TRANSITION,
		 gp_arena_printf(arena, "a writer of gpupart is at work on it: %s",
				 gpu->busy_by == NULL ? "it has not said who it is" : gpu->busy_by),
		 "wait until it has ended; if it does not, it is stuck in the kernel (state D) until the VM that "
		 "holds a VF is off");
}

bool gp_judge_transition(struct gp_arena *arena, struct gp_gpu *gpu)
{
	if (gpu->busy) {
		judge_busy(arena, gpu);
		return true;
	}
	if (!gpu->capability_known || vfs_of_capability(gpu) == gpu->num_vfs)
		return false;
	gp_unfit(gpu, GP_UNFIT_TRANSITION,
		 gp_arena_printf(arena,
				 "somebody is enabling or disabling its VFs: %" PRIu32
				 " are linked, and its SR-IOV capability tells %" PRIu32,
				 gpu->num_vfs, vfs_of_capability(gpu)),
		 "wait until that is done; if it stays so, a writer is stuck in the kernel (a process in state D) "
		 "until the VM that holds a VF is off");
	return true;
}

/* ---- VF BARs ---- */

enum vf_bars { VF_BARS_UNKNOWN, VF_BARS_PLACED, VF_BARS_WITHOUT_ROOM };

/* One line of `resource`: "0x0000003fd0000000 0x0000003fdfffffff 0x000000000014220c", start, end and flags. Moves
 * behind the line. */
static bool take_resource(const char **text, uint64_t *start, uint64_t *end)
{
	char *rest;
	*start = strtoull(*text, &rest, 16);
	if (rest == *text || *rest != ' ')
		return false;
	const char *second = rest;
	*end = strtoull(second, &rest, 16);
	if (rest == second)
		return false;
	*text = rest + strcspn(rest, "\n");
	if (**text == '\n')
		++*text;
	return true;
}

/*
 * `resource` has a line for each of 6 BARs, the ROM, and then 6 VF BARs (Linux: drivers/pci/pci-sysfs.c,
 * resource_show). A VF BAR without room has a size and no start, or was reset to zeros altogether.
 */
static enum vf_bars judge_vf_bars(const char *text)
{
	enum { FIRST_VF_BAR = 7, VF_BARS = 6 };
	bool any_placed = false;
	for (int line = 0; line < FIRST_VF_BAR + VF_BARS; line++) {
		uint64_t start, end;
		if (!take_resource(&text, &start, &end))
			return VF_BARS_UNKNOWN;
		if (line < FIRST_VF_BAR)
			continue;
		if (start == 0 && end != 0)
			return VF_BARS_WITHOUT_ROOM;
		any_placed = any_placed || start != 0;
	}
	return any_placed ? VF_BARS_PLACED : VF_BARS_WITHOUT_ROOM;
}

bool gp_judge_room(struct gp_host *host, struct gp_gpu *gpu)
{
	char addr[GP_PCI_ADDR_SIZE], text[GP_ATTR_MAX];
	if (gpu->num_vfs > 0)
		return false;
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/resource", gp_pci_addr_format(gpu->addr, addr));
	/* What cannot be read is left to the kernel, which tells when VFs are enabled. */
	if (gp_host_read(host, path, text, sizeof(text), NULL) < 0 || judge_vf_bars(text) != VF_BARS_WITHOUT_ROOM)
		return false;
	gp_unfit(gpu, GP_UNFIT_NO_MMIO, "the firmware left no address space for the memory of its VFs (VF BARs)",
		 GP_ROOM_REMEDY);
	return true;
}

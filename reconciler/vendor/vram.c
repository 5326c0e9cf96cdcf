/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vendor/vram.h"

#include <stdio.h>
#include <string.h>

enum { TILES_MAX = 16 };

#define DEVICES "sys/bus/pci/devices/"
#define MIB     ((uint64_t)1024 * 1024)

static char *attribute_path(const struct gp_gpu *gpu, const char *attribute)
{
	char addr[GP_PCI_ADDR_SIZE];
	return gp_xasprintf(DEVICES "%s/%s", gp_pci_addr_format(gpu->addr, addr), attribute);
}

static uint64_t read_bytes(struct gp_host *host, const struct gp_gpu *gpu, const char *attribute)
{
	gp_autofree char *path = attribute_path(gpu, attribute);
	uint64_t bytes;
	return gp_host_read_u64(host, path, &bytes, NULL) == 0 ? bytes : 0;
}

/* ---- amdgpu: mem_info_vram_total (Linux: drivers/gpu/drm/amd/amdgpu/amdgpu_vram_mgr.c, "DOC: mem_info_vram_total")
 * ---- */

static uint64_t read_amdgpu(struct gp_host *host, struct gp_arena *arena, const struct gp_gpu *gpu, const char **source)
{
	(void)arena;
	*source = "mem_info_vram_total";
	return read_bytes(host, gpu, *source);
}

/* ---- xe: tileN/physical_vram_size_bytes, one a tile, discrete GPUs alone (Linux: drivers/gpu/drm/xe/xe_tile_sysfs.c)
 * ---- */

static uint64_t read_xe(struct gp_host *host, struct gp_arena *arena, const struct gp_gpu *gpu, const char **source)
{
	(void)arena;
	uint64_t total = 0;
	*source = "tile*/physical_vram_size_bytes";
	for (unsigned tile = 0; tile < TILES_MAX; tile++) {
		char attribute[64];
		snprintf(attribute, sizeof(attribute), "tile%u/physical_vram_size_bytes", tile);
		uint64_t bytes = read_bytes(host, gpu, attribute);
		if (bytes == 0)
			break;
		if (__builtin_add_overflow(total, bytes, &total))
			return 0;
	}
	return total;
}

/* ---- i915: drm/cardN/lmem_total_bytes (Intel's out-of-tree driver; the one of mainline does not tell) ---- */

struct first_card {
	char name[32];
};

static int take_card(void *context, const char *name)
{
	struct first_card *card = context;
	const char *digits = name + strlen("card");
	if (!gp_starts_with(name, "card") || *digits == '\0' || digits[strspn(digits, "0123456789")] != '\0' ||
	    strlen(name) >= sizeof(card->name))
		return 0;
	strcpy(card->name, name);
	return 1;
}

static uint64_t read_i915(struct gp_host *host, struct gp_arena *arena, const struct gp_gpu *gpu, const char **source)
{
	gp_autofree char *directory = attribute_path(gpu, "drm");
	struct first_card card = {""};
	(void)gp_host_list(host, directory, take_card, &card, NULL); /* no such directory: no card, nothing known */
	if (card.name[0] == '\0')
		return 0;
	*source = gp_arena_printf(arena, "drm/%s/lmem_total_bytes", card.name);
	return read_bytes(host, gpu, *source);
}

/* ---- what of it a VF gets ---- */

static uint64_t equal_part(uint64_t total, uint32_t count)
{
	return total / count;
}

/*
 * Without quotas xe and i915 share out what they have left after keeping some for the PF, and how they round has
 * changed several times: some kernels round down to a power of two. So this is what every one of them gives at least;
 * the total that they tell is the physical one.
 */
static uint64_t intel_part(uint64_t total, uint32_t count)
{
	const uint64_t kept_by_pf = 128 * MIB;
	uint64_t part = total > kept_by_pf ? (total - kept_by_pf) / count : 0;
	return part == 0 ? 0 : (uint64_t)1 << (63 - __builtin_clzll(part));
}

static const struct vram_driver {
	const char *name;
	uint64_t (*read)(struct gp_host *host, struct gp_arena *arena, const struct gp_gpu *gpu, const char **source);
	uint64_t (*part)(uint64_t total, uint32_t count);
} drivers[] = {
	{"amdgpu", read_amdgpu, equal_part},
	{"xe", read_xe, intel_part},
	{"i915", read_i915, intel_part},
};

static const struct vram_driver *driver_of(const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (gp_streq(gpu->driver, drivers[i].name))
			return &drivers[i];
	return NULL;
}

void gp_vram_observe(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu)
{
	const struct vram_driver *driver = driver_of(gpu);
	const char *source = NULL;
	gpu->vram_bytes = driver == NULL ? 0 : driver->read(host, arena, gpu, &source);
	gpu->vram_source = gpu->vram_bytes == 0 ? NULL : source;
}

uint64_t gp_vram_of_each(const struct gp_gpu *gpu, uint32_t count)
{
	const struct vram_driver *driver = driver_of(gpu);
	if (gpu->vram_bytes == 0 || count == 0)
		return 0;
	return driver == NULL ? equal_part(gpu->vram_bytes, count) : driver->part(gpu->vram_bytes, count);
}

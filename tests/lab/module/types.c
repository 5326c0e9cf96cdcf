// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vGPU types of an A16, as reconciler/host/sim_vgpu_types.c has them; tests/lab/module/types.sh compares. Their
 * numbers are from a public list of types, and the driver's own affair.
 */
#include "gpu.h"
#include "knobs.h"

const struct vgpu_type vgpu_types[] = {
	{709, 1, 'B'}, {710, 2, 'B'},  {711, 1, 'Q'}, {712, 2, 'Q'}, {713, 4, 'Q'},
	{714, 8, 'Q'}, {715, 16, 'Q'}, {716, 1, 'A'}, {717, 2, 'A'}, {718, 4, 'A'},
	{719, 8, 'A'}, {720, 16, 'A'}, {721, 4, 'C'}, {722, 8, 'C'}, {723, 16, 'C'},
};
const unsigned int vgpu_type_count = ARRAY_SIZE(vgpu_types);

static const struct series {
	char letter;
	unsigned int heads, fps, width, height;
} series[] = {
	{'Q', 4, 60, 7680, 4320},
	{'B', 4, 45, 5120, 2880},
	{'A', 1, 60, 1280, 1024},
	{'C', 1, 60, 4096, 2160},
};

static const struct series *find_series(char letter)
{
	unsigned int i = 0;

	while (i + 1 < ARRAY_SIZE(series) && series[i].letter != letter)
		i++;
	return &series[i];
}

const struct vgpu_type *vgpu_type_by_id(u32 id)
{
	unsigned int i;

	for (i = 0; i < vgpu_type_count; i++)
		if (vgpu_types[i].id == id)
			return &vgpu_types[i];
	return NULL;
}

/* On one GPU; each needs a VF of its own. */
u32 vgpu_type_most(const struct vgpu_type *type)
{
	return min(knob_fb_mb / (type->gib * 1024), knob_totalvfs);
}

const char *vgpu_type_name(const struct vgpu_type *type, char out[LONGEST_NAME])
{
	snprintf(out, LONGEST_NAME, "NVIDIA A16-%u%c", type->gib, type->series);
	return out;
}

ssize_t vgpu_type_describe(const struct vgpu_type *type, char *page)
{
	const struct series *own = find_series(type->series);
	/* 1Q has the displays of series B. */
	const struct series *display = type->series == 'Q' && type->gib == 1 ? find_series('B') : own;

	return sysfs_emit(page, "num_heads=%u, frl_config=%u, framebuffer=%uM, max_resolution=%ux%u, max_instance=%u\n",
			  own->heads, own->fps, type->gib * 1024, display->width, display->height,
			  vgpu_type_most(type));
}

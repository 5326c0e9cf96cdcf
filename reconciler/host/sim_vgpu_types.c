/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sim_vgpu_types.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what there is ---- */

static const struct gp_sim_vgpu_type a16_types[] = {
	{709, 1, 'B'}, {710, 2, 'B'},  {711, 1, 'Q'}, {712, 2, 'Q'}, {713, 4, 'Q'},
	{714, 8, 'Q'}, {715, 16, 'Q'}, {716, 1, 'A'}, {717, 2, 'A'}, {718, 4, 'A'},
	{719, 8, 'A'}, {720, 16, 'A'}, {721, 4, 'C'}, {722, 8, 'C'}, {723, 16, 'C'},
};

static const struct gp_sim_vgpu_type a2_types[] = {
	{742, 1, 'B'}, {743, 2, 'B'},  {744, 1, 'Q'}, {745, 2, 'Q'}, {746, 4, 'Q'},
	{747, 8, 'Q'}, {748, 16, 'Q'}, {749, 1, 'A'}, {750, 2, 'A'}, {751, 4, 'A'},
	{752, 8, 'A'}, {753, 16, 'A'}, {754, 4, 'C'}, {755, 8, 'C'}, {756, 16, 'C'},
};

static const struct gp_sim_vgpu_type a40_types[] = {
	{555, 1, 'B'},  {556, 2, 'B'},  {557, 1, 'Q'},  {558, 2, 'Q'},  {559, 3, 'Q'},  {560, 4, 'Q'},
	{561, 6, 'Q'},  {562, 8, 'Q'},  {563, 12, 'Q'}, {564, 16, 'Q'}, {565, 24, 'Q'}, {566, 48, 'Q'},
	{567, 1, 'A'},  {568, 2, 'A'},  {569, 3, 'A'},  {570, 4, 'A'},  {571, 6, 'A'},  {572, 8, 'A'},
	{573, 12, 'A'}, {574, 16, 'A'}, {575, 24, 'A'}, {576, 48, 'A'}, {581, 4, 'C'},  {582, 6, 'C'},
	{583, 8, 'C'},  {584, 12, 'C'}, {585, 16, 'C'}, {586, 24, 'C'}, {587, 48, 'C'},
};

static const struct gp_sim_vgpu_type a10_types[] = {
	{588, 1, 'B'}, {589, 2, 'B'}, {590, 1, 'Q'},  {591, 2, 'Q'},  {592, 3, 'Q'},  {593, 4, 'Q'},
	{594, 6, 'Q'}, {595, 8, 'Q'}, {596, 12, 'Q'}, {597, 24, 'Q'}, {598, 1, 'A'},  {599, 2, 'A'},
	{600, 3, 'A'}, {601, 4, 'A'}, {602, 6, 'A'},  {603, 8, 'A'},  {604, 12, 'A'}, {605, 24, 'A'},
	{610, 4, 'C'}, {611, 6, 'C'}, {612, 8, 'C'},  {613, 12, 'C'}, {614, 24, 'C'},
};

/* The ids of series C are made up; so are all those of the L4 and the A100 below. */
static const struct gp_sim_vgpu_type l40s_types[] = {
	{1145, 1, 'B'},  {1146, 2, 'B'},  {2164, 3, 'B'},  {1147, 1, 'Q'},  {1148, 2, 'Q'},  {1149, 3, 'Q'},
	{1150, 4, 'Q'},  {1151, 6, 'Q'},  {1152, 8, 'Q'},  {1153, 12, 'Q'}, {1154, 16, 'Q'}, {1155, 24, 'Q'},
	{1156, 48, 'Q'}, {1157, 1, 'A'},  {1158, 2, 'A'},  {1159, 3, 'A'},  {1160, 4, 'A'},  {1161, 6, 'A'},
	{1162, 8, 'A'},  {1163, 12, 'A'}, {1164, 16, 'A'}, {1165, 24, 'A'}, {1166, 48, 'A'}, {9101, 4, 'C'},
	{9102, 6, 'C'},  {9103, 8, 'C'},  {9104, 12, 'C'}, {9105, 16, 'C'}, {9106, 24, 'C'}, {9107, 48, 'C'},
};

static const struct gp_sim_vgpu_type l4_types[] = {
	{9201, 1, 'B'}, {9202, 2, 'B'},  {9203, 1, 'Q'},  {9204, 2, 'Q'},  {9205, 3, 'Q'}, {9206, 4, 'Q'},
	{9207, 6, 'Q'}, {9208, 8, 'Q'},  {9209, 12, 'Q'}, {9210, 24, 'Q'}, {9211, 1, 'A'}, {9212, 2, 'A'},
	{9213, 4, 'A'}, {9214, 8, 'A'},  {9215, 12, 'A'}, {9216, 24, 'A'}, {9217, 4, 'C'}, {9218, 6, 'C'},
	{9219, 8, 'C'}, {9220, 12, 'C'}, {9221, 24, 'C'},
};

static const struct gp_sim_vgpu_type a100_types[] = {
	{9301, 4, 'C'}, {9302, 5, 'C'}, {9303, 8, 'C'}, {9304, 10, 'C'}, {9305, 20, 'C'}, {9306, 40, 'C'},
};

/* An A16 and an A2 have one device id: their subsystems tell them apart. Older drivers call some boards GRID. */
static const struct gp_sim_board boards[] = {
	{"NVIDIA", "A40", 0x2235, 0, 48, 32, a40_types, COUNT(a40_types)},
	{"NVIDIA", "A10", 0x2236, 0, 24, 32, a10_types, COUNT(a10_types)},
	{"NVIDIA", "A16", 0x25b6, 0x14a9, 16, 16, a16_types, COUNT(a16_types)},
	{"NVIDIA", "A2", 0x25b6, 0x157e, 16, 16, a2_types, COUNT(a2_types)},
	{"NVIDIA", "L40S", 0x26b9, 0, 48, 32, l40s_types, COUNT(l40s_types)},
	{"NVIDIA", "L4", 0x27b8, 0, 24, 32, l4_types, COUNT(l4_types)},
	{"GRID", "A100", 0x20f1, 0, 40, 20, a100_types, COUNT(a100_types)},
};

static const struct series {
	const char *class_name;
	unsigned heads, fps, width, height;
	char letter;
	bool cuda, several; /* a VM may have several vGPUs, one of these among them */
} series[] = {
	{"Quadro", 4, 60, 7680, 4320, 'Q', true, true},
	{"NVS", 4, 45, 5120, 2880, 'B', false, false},
	{"NVS", 1, 60, 1280, 1024, 'A', false, false},
	{"Compute", 1, 60, 4096, 2160, 'C', true, false},
};

/* ---- looking up ---- */

const struct gp_sim_board *gp_sim_board_of(const struct gp_sim_device *device)
{
	for (size_t i = 0; i < COUNT(boards); i++)
		if (boards[i].device == device->device &&
		    (boards[i].subsystem == 0 || boards[i].subsystem == device->subsystem_device))
			return &boards[i];
	return NULL;
}

const struct gp_sim_vgpu_type *gp_sim_vgpu_by_id(const struct gp_sim_board *board, uint32_t id)
{
	for (size_t i = 0; board != NULL && i < board->type_count; i++)
		if (board->types[i].id == id)
			return &board->types[i];
	return NULL;
}

const struct gp_sim_vgpu_type *gp_sim_vgpu_by_name(const struct gp_sim_board *board, const char *name)
{
	char full[GP_SIM_WORD_SIZE];
	for (size_t i = 0; board != NULL && i < board->type_count; i++) {
		gp_sim_vgpu_name(board, &board->types[i], full);
		if (gp_streq(full + strlen(board->brand) + 1, name))
			return &board->types[i];
	}
	return NULL;
}

/* Each needs a VF of its own. */
uint32_t gp_sim_vgpu_most(const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type)
{
	uint32_t most = board->gib / type->gib;
	return most < board->vfs ? most : board->vfs;
}

const char *gp_sim_vgpu_name(const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type,
			     char out[GP_SIM_WORD_SIZE])
{
	snprintf(out, GP_SIM_WORD_SIZE, "%s %s-%" PRIu32 "%c", board->brand, board->name, type->gib, type->series);
	return out;
}

static const struct series *series_of(const struct gp_sim_vgpu_type *type)
{
	size_t i = 0;
	while (i + 1 < COUNT(series) && series[i].letter != type->series)
		i++;
	return &series[i];
}

/* 1Q has the displays of series B. */
static const struct series *display_of(const struct gp_sim_vgpu_type *type)
{
	return type->series == 'Q' && type->gib == 1 ? &series[1] : series_of(type);
}

const char *gp_sim_vgpu_description(const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type,
				    char out[GP_SIM_VGPU_DESCRIPTION_SIZE])
{
	const struct series *own = series_of(type);
	const struct series *display = display_of(type);
	snprintf(out, GP_SIM_VGPU_DESCRIPTION_SIZE,
		 "num_heads=%u, frl_config=%u, framebuffer=%" PRIu32 "M, max_resolution=%ux%u, max_instance=%" PRIu32,
		 own->heads, own->fps, type->gib * 1024, display->width, display->height,
		 gp_sim_vgpu_most(board, type));
	return out;
}

/* ---- vgpuConfig.xml ---- */

static void add_type(struct gp_str *out, const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type)
{
	char name[GP_SIM_WORD_SIZE];
	const struct series *own = series_of(type);
	const struct series *display = display_of(type);

	gp_str_printf(out, "  <vgpuType id=\"%" PRIu32 "\" name=\"%s\" class=\"%s\">\n", type->id,
		      gp_sim_vgpu_name(board, type, name), own->class_name);
	/* What the guest sees: the subsystem is the type's own. */
	gp_str_printf(out,
		      "    <devId vendorId=\"0x10de\" deviceId=\"0x%04" PRIx32
		      "\" subsystemVendorId=\"0x10de\" subsystemId=\"0x%04" PRIx32 "\"></devId>\n",
		      board->device, 0x4000 + type->id);
	/* The name counts both: what the guest has, and what the driver keeps of it. */
	uint64_t whole = (uint64_t)type->gib << 30;
	uint64_t kept = whole / 64 * 5;
	gp_str_printf(
		out, "    <framebuffer>0x%" PRIx64 "</framebuffer>\n    <fbReservation>0x%" PRIx64 "</fbReservation>\n",
		whole - kept, kept);
	gp_str_printf(out, "    <numHeads>%u</numHeads>\n", own->heads);
	gp_str_printf(out, "    <display width=\"%u\" height=\"%u\"></display>\n", display->width, display->height);
	gp_str_printf(out, "    <mappableVideoSize>0x400000</mappableVideoSize>\n    <frlConfig>0x%x</frlConfig>\n",
		      own->fps);
	gp_str_printf(out, "    <cudaEnabled>%d</cudaEnabled>\n    <eccSupported>1</eccSupported>\n", own->cuda);
	gp_str_printf(out, "    <multiVgpuSupported>%d</multiVgpuSupported>\n", own->several);
	gp_str_add(
		out,
		"    <encoderCapacity>0x64</encoderCapacity>\n    <pluginParams><![CDATA[a=1 & b<2]]></pluginParams>\n"
		"  </vgpuType>\n");
}

static void add_board(struct gp_str *out, const struct gp_sim_board *board)
{
	gp_str_printf(out,
		      "  <pgpu>\n    <devId vendorId=\"0x10de\" deviceId=\"0x%04" PRIX32
		      "\" subsystemVendorId=\"0x10de\" subsystemId=\"0x%" PRIx32 "\"></devId>\n",
		      board->device, board->subsystem);
	for (size_t i = 0; i < board->type_count; i++)
		gp_str_printf(
			out,
			"    <supportedVgpu vgpuId=\"%" PRIu32 "\">\n      <maxVgpus>%" PRIu32
			"</maxVgpus>\n      <digest type=\"signature\">c2ltdWxhdGVk</digest>\n    </supportedVgpu>\n",
			board->types[i].id, gp_sim_vgpu_most(board, &board->types[i]));
	gp_str_add(out, "  </pgpu>\n");
}

void gp_sim_vgpu_config(struct gp_str *out)
{
	gp_str_add(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
			"<!DOCTYPE vgpu SYSTEM \"http://www.nvidia.com/dtd/vgpuConfig.dtd\">\n\n"
			"<vgpuconfig>\n"
			"  <!-- What the pretend driver knows. -->\n"
			"  <version>1.0</version>\n"
			"  <globalSettings>\n"
			"    <homogeneousVgpus>1</homogeneousVgpus>\n"
			"    <pluginSoName>libnvidia-vgpu.so</pluginSoName>\n"
			"  </globalSettings>\n");
	for (size_t i = 0; i < COUNT(boards); i++)
		for (size_t j = 0; j < boards[i].type_count; j++)
			add_type(out, &boards[i], &boards[i].types[j]);
	for (size_t i = 0; i < COUNT(boards); i++)
		add_board(out, &boards[i]);
	gp_str_add(out, "</vgpuconfig>\n");
}

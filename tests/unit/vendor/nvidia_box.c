/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nvidia_box.h"

#include <inttypes.h>
#include <stdio.h>

#define PCI "sys/bus/pci/devices/"

struct type_row {
	unsigned id;
	const char *name;
	unsigned gib, most;
	bool several;
};

static const struct type_row types_a16[] = {
	{709, "NVIDIA A16-1B", 1, 16, false}, {710, "NVIDIA A16-2B", 2, 8, false},
	{711, "NVIDIA A16-1Q", 1, 16, false}, {712, "NVIDIA A16-2Q", 2, 8, false},
	{713, "NVIDIA A16-4Q", 4, 4, false},  {714, "NVIDIA A16-8Q", 8, 2, false},
	{715, "NVIDIA A16-16Q", 16, 1, true}, {716, "NVIDIA A16-1A", 1, 16, false},
	{717, "NVIDIA A16-2A", 2, 8, false},  {718, "NVIDIA A16-4A", 4, 4, false},
	{719, "NVIDIA A16-8A", 8, 2, false},  {720, "NVIDIA A16-16A", 16, 1, false},
	{721, "NVIDIA A16-4C", 4, 4, false},  {722, "NVIDIA A16-8C", 8, 2, false},
	{723, "NVIDIA A16-16C", 16, 1, true},
};
static const struct type_row types_a2[] = {
	{744, "NVIDIA A2-1Q", 1, 16, false},
	{745, "NVIDIA A2-2Q", 2, 8, false},
	{746, "NVIDIA A2-4Q", 4, 4, false},
};
static const struct type_row types_a40[] = {
	{555, "NVIDIA A40-1B", 1, 32, false},  {556, "NVIDIA A40-2B", 2, 24, false},
	{557, "NVIDIA A40-1Q", 1, 32, false},  {558, "NVIDIA A40-2Q", 2, 24, false},
	{559, "NVIDIA A40-3Q", 3, 16, false},  {560, "NVIDIA A40-4Q", 4, 12, false},
	{561, "NVIDIA A40-6Q", 6, 8, false},   {562, "NVIDIA A40-8Q", 8, 6, false},
	{563, "NVIDIA A40-12Q", 12, 4, false}, {564, "NVIDIA A40-16Q", 16, 3, false},
	{565, "NVIDIA A40-24Q", 24, 2, false}, {566, "NVIDIA A40-48Q", 48, 1, true},
	{567, "NVIDIA A40-1B4", 1, 32, false},
};
static const struct type_row types_a100[] = {
	{468, "GRID A100-4C", 4, 10, true},
	{469, "GRID A100-5C", 5, 8, true},
	{474, "GRID A100-1-5C", 5, 7, true},
};

#define ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])
static const struct board_row {
	uint16_t device, subsystem;
	const char *model;
	uint32_t total_vfs;
	const struct type_row *types;
	size_t type_count;
} boards[] = {
	[BOX_A16] = {0x25b6, 0x14a9, "A2 / A16", 16, ROWS(types_a16)},
	[BOX_A2] = {0x25b6, 0x157e, "A2 / A16", 16, ROWS(types_a2)},
	[BOX_A40] = {0x2235, 0x145a, "A40", 32, ROWS(types_a40)},
	[BOX_A100] = {0x20f1, 0x145f, "A100 PCIe 40GB", 16, ROWS(types_a100)},
};

static void add_board(struct gp_str *xml, const struct board_row *board)
{
	for (size_t i = 0; i < board->type_count; i++) {
		const struct type_row *type = &board->types[i];
		gp_str_printf(xml,
			      "<vgpuType id=\"%u\" name=\"%s\" class=\"Quadro\"><framebuffer>0x%" PRIx64
			      "</framebuffer><fbReservation>0x4000000</fbReservation>"
			      "<multiVgpuSupported>%d</multiVgpuSupported></vgpuType>\n",
			      type->id, type->name, type->gib * GIB - 0x4000000, type->several);
	}
	gp_str_printf(xml, "<pgpu><devId vendorId=\"0x10de\" deviceId=\"0x%04x\" subsystemId=\"0x%04x\"/>\n",
		      board->device, board->subsystem);
	for (size_t i = 0; i < board->type_count; i++)
		gp_str_printf(xml, "<supportedVgpu vgpuId=\"%u\"><maxVgpus>%u</maxVgpus></supportedVgpu>\n",
			      board->types[i].id, board->types[i].most);
	gp_str_add(xml, "</pgpu>\n");
}

static void write_types(const struct tree *tree)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	gp_str_add(&xml, "<vgpuconfig>\n");
	for (size_t i = 0; i < sizeof(boards) / sizeof(boards[0]); i++)
		add_board(&xml, &boards[i]);
	gp_str_add(&xml, "</vgpuconfig>\n");
	tree_file(tree, GP_VGPU_CONFIG, xml.text);
}

struct box box_make(enum box_board board)
{
	struct box box = {.arena = gp_arena_new()};
	tree_make(&box.tree);
	tree_directory(&box.tree, "sys/bus/pci/devices/0000:41:00.0");
	tree_file(&box.tree, "sys/module/nvidia/version", "550.54.16\n");
	tree_file(&box.tree, "proc/driver/nvidia/params",
		  "ResmanDebugLevel: 4294967295\nRegistryDwords: \"\"\nRegistryDwordsPerDevice: \"\"\n");
	write_types(&box.tree);
	box.host = tree_open(&box.tree, false, GP_HOST_READ_ONLY);
	box.gpu = (struct gp_gpu){
		.addr = {.bus = 0x41},
		.vendor = 0x10de,
		.device = boards[board].device,
		.subsystem_vendor = 0x10de,
		.subsystem_device = boards[board].subsystem,
		.pci_class = 0x030200,
		.model = boards[board].model,
		.driver = "nvidia",
		.sriov = true,
		.total_vfs = boards[board].total_vfs,
		.capability_known = true,
		.autoprobe_known = true,
		.autoprobe = true,
	};
	return box;
}

void box_clear(struct box *box)
{
	gp_host_close(box->host);
	gp_diags_clear(&box->diags);
	gp_str_clear(&box->text);
	gp_error_clear(&box->err);
	gp_arena_free(box->arena);
	tree_remove(&box->tree);
}

void box_enable(struct box *box, uint32_t count, const char *driver)
{
	struct gp_gpu *gpu = &box->gpu;
	gpu->num_vfs = count;
	gpu->vf_enable = true;
	gpu->cap_num_vfs = count;
	gpu->partitions = gp_arena_array_of(box->arena, struct gp_partition, count);
	gpu->partition_count = count;
	for (uint32_t i = 0; i < count; i++)
		gpu->partitions[i] = (struct gp_partition){
			.index = i, .addr = gp_pci_addr_from_rid(0, 0x4100 + 4 + i), .driver = driver};
}

void box_vf_file(struct box *box, uint32_t index, const char *name, const char *text)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_autofree char *path =
		gp_xasprintf(PCI "%s/%s", gp_pci_addr_format(box->gpu.partitions[index].addr, addr), name);
	tree_file(&box->tree, path, text);
}

void box_vfio(struct box *box)
{
	box_enable(box, box->gpu.total_vfs, "nvidia");
	for (uint32_t i = 0; i < box->gpu.total_vfs; i++)
		box_vf_file(box, i, "nvidia/current_vgpu_type", "0\n");
}

void box_mdev(struct box *box)
{
	box_enable(box, box->gpu.total_vfs, "nvidia");
	for (uint32_t i = 0; i < box->gpu.total_vfs; i++)
		box_vf_file(box, i, "mdev_supported_types/nvidia-712/available_instances", "1\n");
	tree_directory(&box->tree, "sys/bus/mdev/devices");
	tree_directory(&box->tree, "sys/class/mdev_bus");
}

void box_make_mdev(struct box *box, uint32_t index, const char *uuid, const char *type)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(box->gpu.partitions[index].addr, addr);
	gp_autofree char *file = gp_xasprintf("%s/nvidia/vgpu_params", uuid);
	box_vf_file(box, index, file, "frame_rate_limiter=0 \n");
	gp_autofree char *type_link = gp_xasprintf(PCI "%s/%s/mdev_type", addr, uuid);
	gp_autofree char *type_target = gp_xasprintf("../mdev_supported_types/%s", type);
	tree_link(&box->tree, type_link, type_target);
	gp_autofree char *bus_link = gp_xasprintf("sys/bus/mdev/devices/%s", uuid);
	gp_autofree char *bus_target = gp_xasprintf("../../pci/devices/%s/%s", addr, uuid);
	tree_link(&box->tree, bus_link, bus_target);
}

void box_observe(struct box *box)
{
	const struct gp_vendor *vendor = gp_vendor_for(&box->gpu);
	ck_assert_str_eq(vendor->name, "nvidia");
	box->gpu.backend = vendor;
	box->gpu.layout_count = 0;
	ck_assert_msg(vendor->observe(box->host, box->arena, &box->gpu, &box->err) == 0, "%s", box->err.message);
	ck_assert_str_eq(box->gpu.backend_name, "nvidia");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVIDIA: what a GPU is, what it could be cut into, what its VFs are now, and why it cannot be partitioned. */
#include <inttypes.h>
#include <string.h>

#include "../base/base_suite.h"
#include "base/num.h"
#include "model/names.h"
#include "nvidia_box.h"

/* ---- model ---- */

START_TEST(one_device_id_two_boards)
{
	BOX a16 = box_make(BOX_A16);
	BOX a2 = box_make(BOX_A2);
	box_observe(&a16);
	box_observe(&a2);
	ck_assert_str_eq(a16.gpu.model, "A16");
	ck_assert_str_eq(a2.gpu.model, "A2");
}
END_TEST

static bool matches(const char *model, const struct gp_gpu *gpu)
{
	const char *values[] = {model};
	struct gp_match_term term = {.key = GP_MATCH_MODEL, .values = values, .value_count = 1};
	struct gp_match match = {.terms = &term, .term_count = 1};
	return gp_match_holds(&match, gpu);
}

START_TEST(a_name_that_says_more_is_kept)
{
	static const struct {
		enum box_board board;
		const char *before, *after;
	} rows[] = {
		{BOX_A100, "A100 PCIe 40GB", "A100 PCIe 40GB"},
		{BOX_A100, "GA100 SXM4", "GA100 SXM4 (A100)"},
		{BOX_A100, "10de:20f1", "A100"},
		{BOX_A100, NULL, "A100"},
		{BOX_A40, "A40", "A40"},
		{BOX_A16, "A16", "A16"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		BOX box = box_make(rows[i].board);
		box.gpu.model = rows[i].before;
		box_observe(&box);
		ck_assert_str_eq(box.gpu.model, rows[i].after);
		/* Looked at again it stays so. */
		box_observe(&box);
		ck_assert_str_eq(box.gpu.model, rows[i].after);
	}
	BOX a100 = box_make(BOX_A100);
	box_observe(&a100);
	ck_assert(matches("A100", &a100.gpu));
	ck_assert(!matches("A10", &a100.gpu));
	BOX a16 = box_make(BOX_A16);
	box_observe(&a16);
	ck_assert(matches("a16", &a16.gpu));
	ck_assert(!matches("A2", &a16.gpu));
	ck_assert(!matches("A1", &a16.gpu));
}
END_TEST

/* ---- types ---- */

static void add_offer(struct gp_str *out, const char *name, const struct gp_offer *offer)
{
	gp_str_printf(out, " %s", name);
	if (offer->has_bytes) {
		gp_str_add(out, " ");
		gp_add_size(out, offer->bytes);
	}
	if (offer->has_share)
		gp_str_printf(out, " %" PRIu32, offer->share);
	gp_str_printf(out, " %s,", gp_hold_name(offer->hold));
}

static const char *layouts_text(struct box *box)
{
	gp_str_clear(&box->text);
	for (size_t i = 0; i < box->gpu.layout_count; i++) {
		const struct gp_layout *layout = &box->gpu.layouts[i];
		ck_assert_uint_eq(layout->group_count, 1);
		ck_assert_uint_eq(layout->groups->count, layout->count);
		gp_str_printf(&box->text, "%s%" PRIu32 ":%s", i == 0 ? "" : " ", layout->count,
			      layout->groups->profile);
		if (layout->groups->most != layout->count)
			gp_str_printf(&box->text, "(%" PRIu32 ")", layout->groups->most);
	}
	return gp_str_text(&box->text);
}

START_TEST(counts_come_from_the_types)
{
	BOX a16 = box_make(BOX_A16);
	box_observe(&a16);
	ck_assert_str_eq(layouts_text(&a16),
			 "1:A16-16A 1:A16-16C 1:A16-16Q 2:A16-8A 2:A16-8C 2:A16-8Q 4:A16-4A 4:A16-4C 4:A16-4Q 8:A16-2A "
			 "8:A16-2B 8:A16-2Q 16:A16-1A 16:A16-1B 16:A16-1Q");
	ck_assert_str_eq(a16.gpu.series, "A B C Q");
	ck_assert_uint_eq(a16.gpu.vram_bytes, 16 * GIB);
	ck_assert_int_eq(a16.gpu.unfit, GP_FIT);
	ck_assert_str_eq(a16.gpu.driver_version, "550.54.16");
	BOX a40 = box_make(BOX_A40);
	box_observe(&a40);
	ck_assert_str_eq(layouts_text(&a40), "1:A40-48Q 2:A40-24Q 3:A40-16Q 4:A40-12Q 6:A40-8Q 8:A40-6Q 12:A40-4Q "
					     "16:A40-3Q 24:A40-2B 24:A40-2Q 32:A40-1B 32:A40-1B4 32:A40-1Q");
	ck_assert_str_eq(a40.gpu.series, "B Q");
	ck_assert_uint_eq(a40.gpu.vram_bytes, 48 * GIB);
}
END_TEST

/* Those for MIG mode are of another kind, and no more of a type can be than there are VFs. */
START_TEST(counts_are_bounded_by_vfs)
{
	BOX a100 = box_make(BOX_A100);
	box_observe(&a100);
	ck_assert_str_eq(layouts_text(&a100), "8:A100-5C 10:A100-4C");
	BOX a40 = box_make(BOX_A40);
	a40.gpu.total_vfs = 12;
	box_observe(&a40);
	ck_assert_str_eq(layouts_text(&a40),
			 "1:A40-48Q 2:A40-24Q 3:A40-16Q 4:A40-12Q 6:A40-8Q 8:A40-6Q 12:A40-2B(24) 12:A40-1B(32) "
			 "12:A40-1B4(32) 12:A40-4Q 12:A40-3Q(16) 12:A40-2Q(24) 12:A40-1Q(32)");
}
END_TEST

static const struct gp_layout_group *type_named(const struct gp_gpu *gpu, const char *profile)
{
	for (size_t i = 0; i < gpu->layout_count; i++)
		if (gp_streq(gpu->layouts[i].groups->profile, profile))
			return gpu->layouts[i].groups;
	ck_abort_msg("no %s", profile);
	return NULL;
}

static const char *offers_text(struct box *box, const struct gp_offer *offers)
{
	gp_str_clear(&box->text);
	for (size_t i = 0; i < GP_RESOURCE_COUNT; i++)
		add_offer(&box->text, gp_resource_name(i), &offers[i]);
	return gp_str_text(&box->text);
}

START_TEST(a_type_says_what_it_has)
{
	BOX box = box_make(BOX_A16);
	box_observe(&box);
	const struct gp_layout_group *type = type_named(&box.gpu, "A16-4Q");
	ck_assert_uint_eq(type->profile_id, 713);
	ck_assert_str_eq(type->series, "Q");
	ck_assert_uint_eq(type->most, 4);
	ck_assert(type->alone);
	ck_assert(!type_named(&box.gpu, "A16-16Q")->alone);
	ck_assert_str_eq(box.gpu.scheduler, "best effort");
	ck_assert_str_eq(offers_text(&box, type->offers),
			 " vram 4GiB 250000 hardware, encode 250000 admission, decode 250000 admission, compute 250000 "
			 "admission,");
	BOX a40 = box_make(BOX_A40);
	box_observe(&a40);
	/* A third of the GPU's memory stays unused: the share of it is what is true. */
	ck_assert_str_eq(offers_text(&a40, type_named(&a40.gpu, "A40-1B")->offers),
			 " vram 1GiB 20833 hardware, encode 31250 admission, decode 31250 admission, compute 31250 "
			 "admission,");
}
END_TEST

/* ---- scheduling ---- */

START_TEST(the_policy_is_what_the_driver_was_told)
{
	static const struct {
		const char *all, *device, *expected;
	} rows[] = {
		{"", "", "best effort"},
		{"RmPVMRL=0x00", "", "best effort"},
		{"RmPVMRL=0x01", "", "equal share"},
		{"RmPVMRL=0x11", "", "fixed share"},
		{"RmPVMRL=0x00030011", "", "fixed share"},
		{"RmPVMRL=0x001e0001", "", "equal share"},
		{"RmPVMRL=17", "", "fixed share"},
		{"RMSome=5;RmPVMRL=0x03;Other=1", "", "equal share"},
		{"RmPVMRL=0x77", "", NULL},
		{"RmPVMRL=", "", NULL},
		{"RmPVMRLX=0x01", "", "best effort"},
		{"", "pci=0000:41:00.0;RmPVMRL=0x01", "equal share"},
		{"RmPVMRL=0x11", "pci=0000:42:00.0;RmPVMRL=0x01", "fixed share"},
		{"RmPVMRL=0x11", "pci=0000:42:00.0;RmPVMRL=0x00;pci=41:00.0;RmPVMRL=0x01", "equal share"},
		{"RmPVMRL=0x01", "pci=0000:41:00.0;RmPVMRL=0x00;pci=0000:42:00.0;RmPVMRL=0x11", "best effort"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		BOX box = box_make(BOX_A16);
		gp_autofree char *params = gp_xasprintf(
			"EnableMSI: 1\nRegistryDwords: \"%s\"\nRegistryDwordsPerDevice: \"%s\"\nRmMsg: \"\"\n",
			rows[i].all, rows[i].device);
		tree_file(&box.tree, "proc/driver/nvidia/params", params);
		box_observe(&box);
		ck_assert_msg(gp_streq(box.gpu.scheduler, rows[i].expected), "row %zu: %s", i, box.gpu.scheduler);
		bool holds = gp_streq(rows[i].expected, "equal share") || gp_streq(rows[i].expected, "fixed share");
		ck_assert_int_eq(type_named(&box.gpu, "A16-4Q")->offers[GP_COMPUTE].hold,
				 holds ? GP_HOLD_SCHEDULER : GP_HOLD_ADMISSION);
	}
}
END_TEST

START_TEST(a_policy_that_cannot_be_read_is_unknown)
{
	BOX box = box_make(BOX_A16);
	tree_file(&box.tree, "proc/driver/nvidia/params", "");
	box_observe(&box);
	ck_assert_ptr_null(box.gpu.scheduler);
	ck_assert_int_eq(type_named(&box.gpu, "A16-4Q")->offers[GP_COMPUTE].hold, GP_HOLD_ADMISSION);
}
END_TEST

/* ---- frameworks ---- */

START_TEST(before_there_are_vfs_the_framework_is_expected)
{
	BOX box = box_make(BOX_A16);
	box_observe(&box);
	ck_assert_str_eq(box.gpu.framework, "vendor VFIO");
	ck_assert(box.gpu.framework_expected);
	ck_assert_uint_eq(box.gpu.libvirt_min, GP_LIBVIRT_VFIO_VARIANTS);
	ck_assert_ptr_nonnull(box.gpu.libvirt_why);
	ck_assert_uint_eq(box.gpu.count, 0);
	tree_directory(&box.tree, "sys/class/mdev_bus");
	box.gpu.survey = NULL;
	box_observe(&box);
	ck_assert_str_eq(box.gpu.framework, "mdev");
	ck_assert(box.gpu.framework_expected);
	ck_assert_uint_eq(box.gpu.libvirt_min, 0);
}
END_TEST

static const char *vfs_text(struct box *box)
{
	gp_str_clear(&box->text);
	for (size_t i = 0; i < box->gpu.partition_count; i++) {
		const struct gp_partition *vf = &box->gpu.partitions[i];
		if (vf->blank)
			continue;
		gp_str_printf(&box->text, "%s%" PRIu32 ":%s/%" PRIu32, box->text.length > 0 ? " " : "", vf->index,
			      vf->profile == NULL ? "?" : vf->profile, vf->profile_id);
		if (vf->params != NULL)
			gp_str_printf(&box->text, "[%s]", vf->params);
	}
	return gp_str_text(&box->text);
}

START_TEST(vendor_vfio_tells_the_type_of_each_vf)
{
	BOX box = box_make(BOX_A16);
	box_vfio(&box);
	box_vf_file(&box, 0, "nvidia/current_vgpu_type", "713\n");
	box_vf_file(&box, 3, "nvidia/current_vgpu_type", "713\n");
	box_vf_file(&box, 7, "nvidia/current_vgpu_type", "718\n");
	box_vf_file(&box, 0, "nvidia/vgpu_params", "frame_rate_limiter=0,disable_vnc=1 \n");
	box_vf_file(&box, 3, "nvidia/vgpu_params", "\n");
	box_observe(&box);
	ck_assert_int_eq(box.gpu.unfit, GP_FIT);
	ck_assert_str_eq(box.gpu.framework, "vendor VFIO");
	ck_assert(!box.gpu.framework_expected);
	ck_assert_uint_eq(box.gpu.count, 3);
	/* Nobody wants to know the params. */
	ck_assert_str_eq(vfs_text(&box), "0:A16-4Q/713 3:A16-4Q/713 7:A16-4A/718");
	ck_assert_ptr_eq(box.gpu.partitions[0].profile, box.gpu.partitions[3].profile);
	ck_assert_str_eq(offers_text(&box, box.gpu.partitions[7].offers),
			 " vram 4GiB 250000 hardware, encode 250000 admission, decode 250000 admission, compute 250000 "
			 "admission,");
	ck_assert_ptr_null(box.gpu.partitions[1].unusable_why);
	box.gpu.want_params = true;
	box_observe(&box);
	ck_assert_str_eq(vfs_text(&box),
			 "0:A16-4Q/713[frame_rate_limiter=0,disable_vnc=1] 3:A16-4Q/713[] 7:A16-4A/718");
}
END_TEST

START_TEST(a_type_that_nobody_knows_is_there_all_the_same)
{
	BOX box = box_make(BOX_A16);
	box_vfio(&box);
	box_vf_file(&box, 2, "nvidia/current_vgpu_type", "1145\n");
	box_observe(&box);
	ck_assert_str_eq(vfs_text(&box), "2:?/1145");
	ck_assert_uint_eq(box.gpu.count, 1);
	ck_assert_int_eq(box.gpu.partitions[2].offers[GP_VRAM].hold, GP_HOLD_NOT_EXPRESSIBLE);
	ck_assert(!box.gpu.partitions[2].offers[GP_COMPUTE].has_share);
}
END_TEST

START_TEST(of_a_mig_type_only_the_memory_is_known)
{
	BOX box = box_make(BOX_A100);
	box_vfio(&box);
	box_vf_file(&box, 0, "nvidia/current_vgpu_type", "474\n");
	box_observe(&box);
	ck_assert_str_eq(vfs_text(&box), "0:A100-1-5C/474");
	ck_assert_str_eq(offers_text(&box, box.gpu.partitions[0].offers),
			 " vram 5GiB 1000000 hardware, encode not expressible, decode not expressible, compute not "
			 "expressible,");
}
END_TEST

#define UUID_1 "11111111-2222-5333-8444-555555555555"
#define UUID_2 "aaaaaaaa-2222-5333-8444-555555555555"
#define UUID_3 "bbbbbbbb-2222-5333-8444-555555555555"

/* As the kernel's samples, and those of IBM Z, make them: on no PCI device. */
START_TEST(mediated_devices_of_others_are_passed_over)
{
	BOX box = box_make(BOX_A16);
	box_mdev(&box);
	box_make_mdev(&box, 5, UUID_1, "nvidia-712");
	tree_directory(&box.tree, "sys/devices/virtual/mtty/mtty/" UUID_2);
	tree_link(&box.tree, "sys/devices/virtual/mtty/mtty/" UUID_2 "/mdev_type", "../mdev_supported_types/mtty-1");
	tree_link(&box.tree, "sys/bus/mdev/devices/" UUID_2, "../../../devices/virtual/mtty/mtty/" UUID_2);
	tree_link(&box.tree, "sys/bus/mdev/devices/" UUID_3, "../../../devices/css0/0.0.0313/" UUID_3);
	box_observe(&box);
	ck_assert_uint_eq(box.gpu.count, 1);
	ck_assert(box.gpu.partitions[5].has_mdev);
}
END_TEST

START_TEST(mdev_tells_the_type_of_each_mediated_device)
{
	BOX box = box_make(BOX_A16);
	box_mdev(&box);
	box_make_mdev(&box, 5, UUID_1, "nvidia-712");
	box_make_mdev(&box, 1, UUID_2, "nvidia-717");
	box_make_mdev(&box, 9, UUID_3, "nvidia-99999");
	tree_link(&box.tree, "sys/bus/mdev/devices/not-a-uuid", "../../pci/devices/0000:41:00.4/not-a-uuid");
	box_observe(&box);
	ck_assert_int_eq(box.gpu.unfit, GP_FIT);
	ck_assert_str_eq(box.gpu.framework, "mdev");
	ck_assert(!box.gpu.framework_expected);
	ck_assert_str_eq(vfs_text(&box), "1:A16-2A/717 5:A16-2Q/712 9:?/99999");
	ck_assert_uint_eq(box.gpu.count, 3);
	char uuid[GP_UUID_SIZE];
	ck_assert(box.gpu.partitions[5].has_mdev);
	ck_assert_str_eq(gp_uuid_format(box.gpu.partitions[5].mdev, uuid), UUID_1);
	ck_assert(!box.gpu.partitions[4].has_mdev);
	ck_assert(box.gpu.partitions[4].blank);
	box.gpu.want_params = true;
	box_observe(&box);
	ck_assert_str_eq(vfs_text(&box), "1:A16-2A/717[frame_rate_limiter=0] 5:A16-2Q/712[frame_rate_limiter=0] "
					 "9:?/99999[frame_rate_limiter=0]");
}
END_TEST

START_TEST(mediated_devices_are_listed_once_for_all_gpus)
{
	BOX box = box_make(BOX_A16);
	box_mdev(&box);
	box_observe(&box);
	ck_assert_ptr_nonnull(box.gpu.survey);
	box_make_mdev(&box, 5, UUID_1, "nvidia-712");
	box_observe(&box);
	ck_assert_uint_eq(box.gpu.count, 0);
	box.gpu.survey = NULL; /* another snapshot */
	box_observe(&box);
	ck_assert_uint_eq(box.gpu.count, 1);
}
END_TEST

START_TEST(a_vf_with_another_driver_cannot_be_used)
{
	BOX box = box_make(BOX_A16);
	box_vfio(&box);
	box.gpu.partitions[0].driver = NULL;
	box.gpu.partitions[2].driver = "vfio-pci";
	box_vf_file(&box, 2, "nvidia/current_vgpu_type", "713\n");
	box_vf_file(&box, 4, "nvidia/current_vgpu_type", "713\n");
	box_observe(&box);
	ck_assert_int_eq(box.gpu.unfit, GP_FIT);
	ck_assert_str_eq(vfs_text(&box), "4:A16-4Q/713");
	ck_assert_str_eq(box.gpu.partitions[0].unusable_why,
			 "no driver is bound to it, and only with nvidia it can have a vGPU type");
	ck_assert_str_eq(box.gpu.partitions[2].unusable_why,
			 "it is bound to vfio-pci, and only with nvidia it can have a vGPU type");
	ck_assert(box.gpu.partitions[2].blank);
}
END_TEST

START_TEST(a_vf_without_the_file_cannot_be_used)
{
	BOX box = box_make(BOX_A16);
	box_enable(&box, 16, "nvidia");
	for (uint32_t i = 0; i < 16; i++)
		if (i != 6)
			box_vf_file(&box, i, "nvidia/current_vgpu_type", "0\n");
	box_observe(&box);
	ck_assert_int_eq(box.gpu.unfit, GP_FIT);
	ck_assert_str_eq(box.gpu.partitions[6].unusable_why,
			 "its driver shows no vGPU type for it (nvidia/current_vgpu_type)");
}
END_TEST

START_TEST(a_type_that_cannot_be_read_is_an_error)
{
	BOX box = box_make(BOX_A16);
	box_vfio(&box);
	box_vf_file(&box, 3, "nvidia/current_vgpu_type", "what?\n");
	const struct gp_vendor *vendor = gp_vendor_for(&box.gpu);
	ck_assert_int_eq(vendor->observe(box.host, box.arena, &box.gpu, &box.err), -1);
	ck_assert_int_eq(box.err.kind, GP_E_CORRUPT);
	ck_assert_str_eq(box.err.subject, "0000:41:00.7 nvidia/current_vgpu_type");
}
END_TEST

/* Cut off, it would be another type. */
START_TEST(a_type_beyond_any_number_is_an_error)
{
	BOX box = box_make(BOX_A16);
	box_vfio(&box);
	box_vf_file(&box, 3, "nvidia/current_vgpu_type", "4294968008\n"); /* 712 and 2^32 */
	const struct gp_vendor *vendor = gp_vendor_for(&box.gpu);
	ck_assert_int_eq(vendor->observe(box.host, box.arena, &box.gpu, &box.err), -1);
	ck_assert_int_eq(box.err.kind, GP_E_CORRUPT);
	ck_assert_str_eq(box.err.subject, "0000:41:00.7 nvidia/current_vgpu_type");
}
END_TEST

/* ---- what can be made now ---- */

#define ALL_2 "ID    : vGPU Name\n744  : NVIDIA A2-1Q\n745   : NVIDIA A2-2Q\n746   : NVIDIA A2-4Q\n"

START_TEST(the_list_of_creatable_types_has_many_forms)
{
	static const struct {
		const char *list, *expected;
	} rows[] = {
		{ALL_2, NULL},
		{"744 : NVIDIA A2-1Q\n745 : NVIDIA A2-2Q\n746 : NVIDIA A2-4Q", NULL},
		{"vGPU Name : ID\nNVIDIA A2-1Q : 744\nNVIDIA A2-2Q : 745\nNVIDIA A2-4Q : 746\n", NULL},
		{"744 NVIDIA A2-1Q\n745 NVIDIA A2-2Q\n746 NVIDIA A2-4Q\n", NULL},
		{"NVIDIA A2-1Q (744)\nNVIDIA A2-2Q (745)\nNVIDIA A2-4Q (746)\r\n", NULL},
		{"ID    : vGPU Name\n", "none"},
		{"", "none"},
		{"ID    : vGPU Name\n745   : NVIDIA A2-2Q\n999   : NVIDIA A2-9Q\n", "A2-2Q"},
		{"NVIDIA A2-4Q : 746\nNVIDIA A2-1Q : 744\n", "A2-1Q, A2-4Q"},
		{"999   : NVIDIA A2-1-2Q\n", "none"},
		{"a form that nobody has seen\n", NULL},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		BOX box = box_make(BOX_A2);
		box_vfio(&box);
		box_vf_file(&box, 0, "nvidia/creatable_vgpu_types", rows[i].list);
		box_observe(&box);
		ck_assert_msg(gp_streq(box.gpu.not_creatable, rows[i].expected), "row %zu: %s", i,
			      box.gpu.not_creatable);
	}
}
END_TEST

START_TEST(a_full_gpu_creates_nothing_and_that_is_fine)
{
	BOX box = box_make(BOX_A2);
	box_vfio(&box);
	for (uint32_t i = 0; i < 16; i++) {
		box_vf_file(&box, i, "nvidia/current_vgpu_type", "744\n");
		box_vf_file(&box, i, "nvidia/creatable_vgpu_types", "ID    : vGPU Name\n");
	}
	box_observe(&box);
	ck_assert_uint_eq(box.gpu.count, 16);
	ck_assert_ptr_null(box.gpu.not_creatable);
}
END_TEST

START_TEST(mdev_types_without_any_instance_are_said)
{
	BOX box = box_make(BOX_A16);
	box_mdev(&box);
	box_observe(&box);
	ck_assert_ptr_null(box.gpu.not_creatable);
	box_vf_file(&box, 0, "mdev_supported_types/nvidia-712/available_instances", "0\n");
	box_observe(&box);
	ck_assert_str_eq(box.gpu.not_creatable, "none");
	box_vf_file(&box, 0, "mdev_supported_types/nvidia-713/available_instances", "1\n");
	box.gpu.not_creatable = NULL;
	box_observe(&box);
	ck_assert_ptr_null(box.gpu.not_creatable);
}
END_TEST

/* ---- fitness ---- */

static void check_unfit(struct box *box, const char *what, enum gp_unfit unfit, const char *why, const char *remedy)
{
	box_observe(box);
	ck_assert_msg(box->gpu.unfit == unfit, "%s: %s", what, gp_unfit_name(box->gpu.unfit));
	ck_assert_str_eq(box->gpu.unfit_why, why);
	ck_assert_str_eq(box->gpu.unfit_remedy, remedy);
}

#define DRIVER "NVIDIA's vGPU host driver (of the vGPU software, for KVM)"

START_TEST(the_driver_may_be_wrong)
{
	BOX box = box_make(BOX_A16);
	box.gpu.driver = NULL;
	check_unfit(&box, "no driver", GP_UNFIT_NO_DRIVER,
		    "no driver is bound to it, and only its vGPU host driver makes VFs",
		    "install " DRIVER ", and load the module nvidia");
	/* Its types are known without. */
	ck_assert_str_eq(box.gpu.model, "A16");
	box.gpu.driver = "nouveau";
	check_unfit(&box, "nouveau", GP_UNFIT_DRIVER, "it is bound to nouveau, which has no vGPU",
		    "keep the module nouveau from being loaded, and install " DRIVER);
	box.gpu.driver = "vfio-pci";
	check_unfit(&box, "vfio-pci", GP_UNFIT_DRIVER,
		    "it is bound to vfio-pci, which keeps the whole device for a VM and makes no VFs",
		    "bind the device to its own driver");
}
END_TEST

static void remove_types(struct box *box, const char *text)
{
	gp_host_close(box->host);
	tree_file(&box->tree, GP_VGPU_CONFIG, text);
	if (*text == '\0') {
		char path[256];
		tree_path(&box->tree, GP_VGPU_CONFIG, path, sizeof(path));
		ck_assert_int_eq(unlink(path), 0);
	}
	box->host = tree_open(&box->tree, false, GP_HOST_READ_ONLY);
}

START_TEST(the_driver_may_have_no_types)
{
	BOX plain = box_make(BOX_A16);
	remove_types(&plain, "");
	check_unfit(&plain, "plain", GP_UNFIT_DRIVER,
		    "its driver has no vGPU types (/usr/share/nvidia/vgpu/vgpuConfig.xml is not there): it is NVIDIA's "
		    "plain driver",
		    "install the vGPU host driver (of NVIDIA's vGPU software, for KVM) in its place");
	ck_assert_str_eq(plain.gpu.model, "A2 / A16");
	BOX broken = box_make(BOX_A16);
	remove_types(&broken, "<vgpuconfig>");
	box_observe(&broken);
	ck_assert_int_eq(broken.gpu.unfit, GP_UNFIT_UNREADABLE);
	ck_assert_ptr_nonnull(strstr(broken.gpu.unfit_why, "/usr/share/nvidia/vgpu/vgpuConfig.xml: NVIDIA's list of "
							   "vGPU types, line 1: ends before its end tag"));
	ck_assert_str_eq(broken.gpu.unfit_remedy, "install the vGPU host driver anew");
	BOX consumer = box_make(BOX_A16);
	consumer.gpu.device = 0x2684;
	consumer.gpu.subsystem_device = 0x1657;
	consumer.gpu.sriov = false;
	check_unfit(&consumer, "consumer", GP_UNFIT_DRIVER,
		    "the vGPU driver 550.54.16 has no vGPU types for it (10de:2684, subsystem 10de:1657)",
		    "GPUs for consumers have none; for a new GPU, install a newer release of NVIDIA's vGPU software");
}
END_TEST

#define NO_VFS                                                                                                           \
	"GPUs before Ampere (T4, V100, M10 …) have none; on later ones switch SR-IOV and \"Above 4G decoding\" on in " \
	"the firmware setup, and, where the board has a display, switch that off with NVIDIA's displaymodeselector"

START_TEST(there_may_be_no_sriov)
{
	BOX box = box_make(BOX_A40);
	box.gpu.sriov = false;
	box.gpu.total_vfs = 0;
	check_unfit(&box, "no capability", GP_UNFIT_NO_SRIOV,
		    "it shows no SR-IOV capability (no sriov_totalvfs), and without VFs gpupart cannot partition it",
		    NO_VFS);
	box.gpu.sriov = true;
	check_unfit(&box, "none", GP_UNFIT_NO_SRIOV, "it offers no VFs (sriov_totalvfs is 0)", NO_VFS);
}
END_TEST

START_TEST(vfs_may_be_on_their_way)
{
	BOX box = box_make(BOX_A16);
	box_vfio(&box);
	box.gpu.cap_num_vfs = 3;
	box_observe(&box);
	ck_assert_int_eq(box.gpu.unfit, GP_UNFIT_TRANSITION);
	box.gpu.cap_num_vfs = 16;
	box.gpu.busy = true;
	box.gpu.busy_by = "gpupart-write, pid 812";
	box_observe(&box);
	ck_assert_int_eq(box.gpu.unfit, GP_UNFIT_TRANSITION);
	ck_assert_str_eq(box.gpu.unfit_why, "a writer of gpupart is at work on it: gpupart-write, pid 812");
	/* What the VFs are is told all the same. */
	ck_assert(!box.gpu.framework_expected);
}
END_TEST

/* sriov-manage takes the GPU from its driver for as long as it works: that is no wrong driver. */
START_TEST(a_writer_may_have_it_unbound)
{
	static const char *const drivers[] = {NULL, "pci-pf-stub", "vfio-pci"};
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		BOX box = box_make(BOX_A16);
		box.gpu.driver = drivers[i];
		box.gpu.busy = true;
		box.gpu.busy_by = "gpupart-write, pid 812";
		check_unfit(&box, "busy", GP_UNFIT_TRANSITION,
			    "a writer of gpupart is at work on it: gpupart-write, pid 812",
			    "wait until it has ended; if it does not, it is stuck in the kernel (state D) until the VM "
			    "that holds a VF is off");
		ck_assert_str_eq(box.gpu.model, "A16");
	}
}
END_TEST

START_TEST(vf_bars_may_have_no_room)
{
	GP_CLEANUP(gp_str_clear) struct gp_str resource = {0};
	for (int i = 0; i < 13; i++)
		gp_str_add(&resource, "0x0000000000000000 0x0000000000000000 0x0000000000000000\n");
	BOX box = box_make(BOX_A16);
	tree_file(&box.tree, "sys/bus/pci/devices/0000:41:00.0/resource", resource.text);
	box_observe(&box);
	ck_assert_int_eq(box.gpu.unfit, GP_UNFIT_NO_MMIO);
}
END_TEST

START_TEST(all_vfs_or_none)
{
	BOX box = box_make(BOX_A16);
	box_enable(&box, 4, "nvidia");
	check_unfit(&box, "4 of 16", GP_UNFIT_DRIVER,
		    "it has 4 of its 16 VFs, and NVIDIA's driver wants all: sriov-manage stopped half-way, or somebody "
		    "enabled them by hand",
		    "when no VM uses them: sriov-manage -d 0000:41:00.0, and gpupart enables all (or "
		    "reboot)");
}
END_TEST

START_TEST(vfs_may_show_no_framework)
{
	BOX box = box_make(BOX_A16);
	box_enable(&box, 16, "nvidia");
	check_unfit(&box, "nothing", GP_UNFIT_DRIVER,
		    "its VFs can be given no vGPU type: they show neither mdev_supported_types nor "
		    "nvidia/current_vgpu_type",
		    "wait half a minute if the driver was just loaded; see 'systemctl status nvidia-vgpud "
		    "nvidia-vgpu-mgr' and their journal, and 'dmesg'; a driver package that is not for this kernel has "
		    "no framework at all");
	box_enable(&box, 16, NULL);
	check_unfit(&box, "unbound", GP_UNFIT_DRIVER,
		    "no driver is bound to its VFs, and only with the driver nvidia they can have a vGPU type",
		    "wait if they were just enabled; else bind them to nvidia (their drivers_probe), and write 1 into "
		    "sriov_drivers_autoprobe of the GPU before VFs are enabled the next time");
	box_enable(&box, 16, "vfio-pci");
	check_unfit(&box, "vfio-pci", GP_UNFIT_DRIVER,
		    "its VFs are bound to vfio-pci, and only with the driver nvidia they can have a vGPU type",
		    "take away what binds them (driver_override, driverctl, ids= of vfio-pci), and reboot");
}
END_TEST

START_TEST(mig_alone_needs_a_later_version)
{
	BOX box = box_make(BOX_A16);
	remove_types(&box, "<vgpuconfig><vgpuType id=\"5\" name=\"A16-1-4C\"/><pgpu><devId deviceId=\"0x25b6\"/>"
			   "<supportedVgpu vgpuId=\"5\"><maxVgpus>4</maxVgpus></supportedVgpu></pgpu></vgpuconfig>");
	check_unfit(&box, "MIG", GP_UNFIT_NEEDS_BACKEND,
		    "all its vGPU types are for MIG mode, which needs a later version of gpupart",
		    "let no class match it");
}
END_TEST

/* ---- layouts as a class narrows them ---- */

static const char *narrowed(struct box *box, const struct gp_class *class_of)
{
	struct gp_layout *layouts = NULL;
	size_t count = 9;
	gp_vendor_for(&box->gpu)->layouts(&box->gpu, class_of, box->arena, &layouts, &count);
	gp_str_clear(&box->text);
	for (size_t i = 0; i < count; i++) {
		gp_str_printf(&box->text, "%s%" PRIu32 ":", i == 0 ? "" : " ", layouts[i].count);
		for (size_t g = 0; g < layouts[i].group_count; g++)
			gp_str_printf(&box->text, "%s%" PRIu32 "x%s", g == 0 ? "" : "+", layouts[i].groups[g].count,
				      layouts[i].groups[g].profile);
	}
	return gp_str_text(&box->text);
}

START_TEST(a_series_narrows_the_layouts)
{
	BOX box = box_make(BOX_A16);
	box_observe(&box);
	struct gp_class class_of = {.name = "vdi", .series = "B"};
	ck_assert_str_eq(narrowed(&box, &class_of), "8:8xA16-2B 16:16xA16-1B");
	class_of.series = NULL;
	ck_assert_uint_eq(strlen(narrowed(&box, &class_of)), strlen(narrowed(&box, NULL)));
}
END_TEST

static const char *listed(struct box *box, const char *series, const struct gp_partition_size *sizes, size_t count)
{
	struct gp_class class_of = {.name = "vdi",
				    .series = series,
				    .partitions = GP_PARTITIONS_LIST,
				    .sizes = (struct gp_partition_size *)sizes,
				    .size_count = count};
	return narrowed(box, &class_of);
}
#define LIST(...)                                                                                                      \
	(const struct gp_partition_size[]){__VA_ARGS__}, COUNT_OF(((const struct gp_partition_size[]){__VA_ARGS__}))
#define VRAM(gib)                                                                                                      \
	{                                                                                                              \
		.unit = GP_UNIT_BYTES, .value = (gib)*GIB                                                              \
	}

START_TEST(a_list_is_one_layout_or_none)
{
	BOX box = box_make(BOX_A16);
	box_observe(&box);
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 3, .profile = "A16-4Q"})), "3:3xA16-4Q");
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 3, .profile = "A16-4Q"}, {.count = 1, .profile = "A16-4C"})),
			 "4:3xA16-4Q+1xA16-4C");
	ck_assert_str_eq(listed(&box, "A", LIST({.count = 2, .vram = VRAM(4)})), "2:2xA16-4A");
	ck_assert_str_eq(listed(&box, "Q", LIST({.count = 2, .vram = {.unit = GP_UNIT_SHARE, .value = 500000}})),
			 "2:2xA16-8Q");
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 2, .vram = VRAM(4)})), "");
	ck_assert_str_eq(listed(&box, "B", LIST({.count = 2, .vram = VRAM(4)})), "");
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 5, .profile = "A16-4Q"})), "");
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 1, .profile = "A16-4Q"}, {.count = 1, .profile = "A16-2Q"})),
			 "");
	ck_assert_str_eq(listed(&box, "B", LIST({.count = 1, .profile = "A16-4Q"})), "");
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 1, .profile = "A40-4Q"})), "");
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 1, .mig = "1g.5gb"})), "");
	ck_assert_str_eq(listed(&box, NULL, LIST({.count = 0, .profile = "A16-4Q"})), "");
	/* Of two variants of one size the plain one is meant. */
	BOX a40 = box_make(BOX_A40);
	box_observe(&a40);
	ck_assert_str_eq(listed(&a40, "B", LIST({.count = 30, .vram = VRAM(1)})), "30:30xA40-1B");
	ck_assert_str_eq(listed(&a40, NULL, LIST({.count = 1, .profile = "A40-1B4"})), "1:1xA40-1B4");
}
END_TEST

TREE_RUN("vendor_nvidia_observe", one_device_id_two_boards, a_name_that_says_more_is_kept, counts_come_from_the_types,
	 counts_are_bounded_by_vfs, a_type_says_what_it_has, the_policy_is_what_the_driver_was_told,
	 a_policy_that_cannot_be_read_is_unknown, before_there_are_vfs_the_framework_is_expected,
	 vendor_vfio_tells_the_type_of_each_vf, a_type_that_nobody_knows_is_there_all_the_same,
	 of_a_mig_type_only_the_memory_is_known, mdev_tells_the_type_of_each_mediated_device,
	 mediated_devices_of_others_are_passed_over, mediated_devices_are_listed_once_for_all_gpus,
	 a_vf_with_another_driver_cannot_be_used, a_vf_without_the_file_cannot_be_used,
	 a_type_that_cannot_be_read_is_an_error, a_type_beyond_any_number_is_an_error,
	 the_list_of_creatable_types_has_many_forms, a_full_gpu_creates_nothing_and_that_is_fine,
	 mdev_types_without_any_instance_are_said, the_driver_may_be_wrong, the_driver_may_have_no_types,
	 there_may_be_no_sriov, vfs_may_be_on_their_way, a_writer_may_have_it_unbound, vf_bars_may_have_no_room,
	 all_vfs_or_none, vfs_may_show_no_framework, mig_alone_needs_a_later_version, a_series_narrows_the_layouts,
	 a_list_is_one_layout_or_none)

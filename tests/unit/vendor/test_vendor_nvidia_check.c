/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVIDIA: what of a class cannot be done, and what would work. The texts are exact on purpose. */
#include <string.h>

#include "../base/base_suite.h"
#include "nvidia_box.h"

/* Marks are told apart by their line alone. */
enum { LINE_PARTITIONS = 3, LINE_SERIES = 4, LINE_BACKING = 5, LINE_SCHEDULER = 6, LINE_SIZE = 10 };

static struct gp_class class_with(enum gp_partitions_kind kind, uint32_t count, const char *series)
{
	return (struct gp_class){
		.name = "vdi",
		.partitions = kind,
		.count = count,
		.partitions_mark = {.line = LINE_PARTITIONS},
		.series = series,
		.series_mark = {.line = LINE_SERIES},
		.backing_mark = {.line = LINE_BACKING},
		.scheduler_mark = {.line = LINE_SCHEDULER},
	};
}

static const char *faults(struct box *box, const struct gp_class *class_of)
{
	gp_diags_clear(&box->diags);
	gp_str_clear(&box->text);
	bool faulty = gp_vendor_for(&box->gpu)->check(class_of, &box->gpu, &box->diags);
	ck_assert(faulty == (box->diags.error_count > 0));
	for (size_t i = 0; i < box->diags.count; i++) {
		const struct gp_diag *diag = &box->diags.items[i];
		gp_str_printf(&box->text, "%s%u %s: %s; try: %s", i == 0 ? "" : "\n", diag->error.mark.line, diag->code,
			      diag->error.message, diag->error.remedy);
		ck_assert_str_eq(diag->error.subject, "0000:41:00.0");
	}
	return gp_str_text(&box->text);
}

#define A16_COUNTS                                                                                                     \
	"choose a count that it can have (series A: 1, 2, 4, 8, 16; series B: 8, 16; series C: 1, 2, 4; series Q: 1, " \
	"2, 4, 8, 16), or 0 for none"

START_TEST(a_count_is_one_that_the_types_have)
{
	static const struct {
		uint32_t count;
		const char *series, *expected;
	} rows[] = {
		{8, "B", ""},
		{16, "Q", ""},
		{1, "C", ""},
		{0, NULL, ""},
		{0, "Q", ""},
		{3, "Q", "3 partition-count: A16 cannot have 3 partitions of series Q; try: " A16_COUNTS},
		{4, "B", "3 partition-count: A16 cannot have 4 partitions of series B; try: " A16_COUNTS},
		{5, NULL, "3 partition-count: A16 cannot have 5 partitions; try: " A16_COUNTS},
		{32, NULL, "3 partition-count: A16 cannot have 32 partitions; try: " A16_COUNTS},
		{8, NULL,
		 "3 series-needed: series is missing: 8 partitions of A16 can be A16-2A or A16-2B or A16-2Q; try: add "
		 "one of series: A (applications), series: B (desktops), series: Q (workstations); each needs its "
		 "licence"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		BOX box = box_make(BOX_A16);
		box_observe(&box);
		struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, rows[i].count, rows[i].series);
		ck_assert_str_eq(faults(&box, &class_of), rows[i].expected);
	}
}
END_TEST

START_TEST(every_count_of_an_a40_is_valid)
{
	static const uint32_t valid[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
	BOX box = box_make(BOX_A40);
	box_observe(&box);
	for (uint32_t count = 1, at = 0; count <= 33; count++) {
		struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, count, "Q");
		bool is_valid = at < COUNT_OF(valid) && valid[at] == count;
		ck_assert_msg((*faults(&box, &class_of) == '\0') == is_valid, "%u", count);
		at += is_valid;
	}
	/* Where only one series has it, it need not be named. */
	struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, 12, NULL);
	ck_assert_str_eq(faults(&box, &class_of), "");
}
END_TEST

START_TEST(a_series_is_one_that_there_is)
{
	BOX box = box_make(BOX_A40);
	box_observe(&box);
	struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, 8, "C");
	ck_assert_str_eq(faults(&box, &class_of),
			 "4 series-unknown: there is no vGPU type of series C for A40; try: choose one of its series: "
			 "B Q");
}
END_TEST

/* ---- lists ---- */

static const char *list_faults(enum box_board board, const char *series, const struct gp_partition_size *sizes,
			       size_t count)
{
	static char text[2000];
	BOX box = box_make(board);
	box_observe(&box);
	struct gp_class class_of = class_with(GP_PARTITIONS_LIST, 0, series);
	struct gp_partition_size *marked = gp_arena_array_of(box.arena, struct gp_partition_size, count);
	for (size_t i = 0; i < count; i++) {
		marked[i] = sizes[i];
		marked[i].mark.line = LINE_SIZE + (uint32_t)i;
	}
	class_of.sizes = marked;
	class_of.size_count = count;
	ck_assert_uint_lt(strlen(faults(&box, &class_of)), sizeof(text));
	strcpy(text, gp_str_text(&box.text));
	return text;
}
#define LIST(...)                                                                                                      \
	(const struct gp_partition_size[]){__VA_ARGS__}, COUNT_OF(((const struct gp_partition_size[]){__VA_ARGS__}))
#define BYTES(amount)                                                                                                  \
	{                                                                                                              \
		.unit = GP_UNIT_BYTES, .value = (amount)                                                               \
	}

START_TEST(a_list_that_can_be)
{
	ck_assert_str_eq(list_faults(BOX_A16, NULL, LIST({.count = 3, .profile = "A16-4Q"})), "");
	ck_assert_str_eq(
		list_faults(BOX_A16, NULL, LIST({.count = 3, .profile = "A16-4Q"}, {.count = 1, .profile = "A16-4C"})),
		"");
	ck_assert_str_eq(list_faults(BOX_A16, "Q", LIST({.count = 4, .vram = BYTES(4 * GIB)})), "");
	/* The only one of that size. */
	ck_assert_str_eq(list_faults(BOX_A40, NULL, LIST({.count = 12, .vram = BYTES(4 * GIB)})), "");
}
END_TEST

START_TEST(a_profile_is_one_that_there_is)
{
	ck_assert_str_eq(list_faults(BOX_A2, NULL, LIST({.count = 3, .profile = "A2-4B"})),
			 "10 profile-unknown: A2 has no vGPU type 'A2-4B'; did you mean 'A2-4Q'?; try: choose one of "
			 "A2-4Q, A2-2Q, A2-1Q");
	ck_assert_str_eq(
		list_faults(BOX_A2, NULL, LIST({.count = 3, .profile = "A2-4Q"}, {.count = 1, .profile = "B"})),
		"11 profile-unknown: A2 has no vGPU type 'B'; try: choose one of A2-4Q, A2-2Q, A2-1Q");
	ck_assert_str_eq(
		list_faults(BOX_A100, NULL, LIST({.count = 1, .profile = "A100-1-5C"})),
		"10 profile-unknown: A100 PCIe 40GB has no vGPU type 'A100-1-5C'; did you mean 'A100-5C'?; try: "
		"choose one of A100-5C, A100-4C");
	ck_assert_str_eq(list_faults(BOX_A16, "B", LIST({.count = 3, .profile = "A16-4Q"})),
			 "10 profile-series: vGPU type A16-4Q is not of series B, which the class asks for; try: leave "
			 "series out: the profile names the type already");
}
END_TEST

START_TEST(a_size_is_one_that_there_is)
{
	ck_assert_str_eq(list_faults(BOX_A2, NULL, LIST({.count = 3, .vram = BYTES(3 * GIB)})),
			 "10 size-unknown: A2 has no vGPU type with just 3GiB of VRAM; try: choose one of its sizes: "
			 "1GiB, 2GiB, 4GiB");
	ck_assert_str_eq(list_faults(BOX_A16, "B", LIST({.count = 3, .vram = BYTES(4 * GIB)})),
			 "10 size-unknown: A16 has no vGPU type of series B with just 4GiB of VRAM; try: choose one of "
			 "its sizes: 1GiB, 2GiB");
	ck_assert_str_eq(list_faults(BOX_A16, NULL, LIST({.count = 3, .vram = BYTES(4 * GIB)})),
			 "10 series-needed: series is missing: a partition of 4GiB can be A16-4A or A16-4C or A16-4Q; "
			 "try: name the type with profile:, or add series: to the class");
}
END_TEST

START_TEST(all_of_a_gpu_have_one_size_and_fit)
{
	ck_assert_str_eq(
		list_faults(BOX_A16, NULL, LIST({.count = 2, .profile = "A16-4Q"}, {.count = 1, .profile = "A16-8Q"})),
		"3 mixed-sizes: partitions of different sizes on one GPU need a later version of gpupart: A16-4Q has "
		"4GiB, A16-8Q has 8GiB; try: give all partitions of a GPU one size; a class of its own can have "
		"another on other GPUs");
	ck_assert_str_eq(
		list_faults(BOX_A16, NULL, LIST({.count = 3, .profile = "A16-4Q"}, {.count = 2, .profile = "A16-4C"})),
		"3 profile-count: 5 partitions of this size are asked for, and A16 can have 4; try: ask for at most 4, "
		"or for smaller ones");
}
END_TEST

START_TEST(what_a_list_cannot_say)
{
	ck_assert_str_eq(list_faults(BOX_A16, NULL, LIST({.count = 1, .mig = "1g.5gb"})),
			 "10 unsupported-mig: mig needs a later version of gpupart; this one makes time-sliced vGPUs; "
			 "try: name a vGPU type with profile:, or a size with vram:");
	ck_assert_str_eq(
		list_faults(
			BOX_A16, NULL,
			LIST({.count = 1, .profile = "A16-4Q", .compute = {.unit = GP_UNIT_SHARE, .value = 250000}})),
		"10 unsupported-compute: compute cannot be chosen for time-sliced vGPUs: each type has its "
		"part of the GPU's time; try: leave compute out; what a VM needs of it can be asked for with "
		"the VM");
}
END_TEST

/* ---- keys ---- */

START_TEST(what_needs_a_later_version)
{
	BOX box = box_make(BOX_A16);
	box_observe(&box);
	struct gp_class class_of = class_with(GP_PARTITIONS_AUTO, 0, NULL);
	ck_assert_str_eq(
		faults(&box, &class_of),
		"3 unsupported-auto: partitions: auto needs a later version of gpupart; try: write a count, or "
		"a list of types");
	class_of = class_with(GP_PARTITIONS_KEEP, 0, NULL);
	class_of.backing = GP_BACKING_TIME_SLICED;
	ck_assert_str_eq(faults(&box, &class_of), "");
	class_of.backing = GP_BACKING_MIG;
	class_of.scheduler = "fixed-share";
	ck_assert_str_eq(
		faults(&box, &class_of),
		"5 unsupported-backing: backing: mig needs a later version of gpupart; this one makes time-sliced "
		"vGPUs; try: leave backing out, or write time-sliced\n"
		"6 unsupported-scheduler: scheduler needs a later version of gpupart; it is now: best effort; try: "
		"leave scheduler out, and set RmPVMRL in NVreg_RegistryDwords of the module nvidia");
}
END_TEST

START_TEST(what_the_driver_does_not_offer_now_is_said)
{
	BOX box = box_make(BOX_A2);
	box_vfio(&box);
	box_vf_file(&box, 0, "nvidia/creatable_vgpu_types", "745 : NVIDIA A2-2Q\n");
	box_observe(&box);
	struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, 8, NULL);
	ck_assert_str_eq(faults(&box, &class_of), "");
	class_of.count = 16;
	ck_assert_str_eq(faults(&box, &class_of),
			 "3 not-creatable: vGPU type A2-1Q cannot be made now, though no VF has any: the driver offers "
			 "A2-2Q; try: see whether the GPU is in MIG mode ('nvidia-smi mig -lgi'; off: 'nvidia-smi -mig "
			 "0'), and 'systemctl status nvidia-vgpud nvidia-vgpu-mgr'");
	ck_assert_int_eq(box.diags.items[0].error.kind, GP_E_UNAVAILABLE);
}
END_TEST

/* Names of types have blanks since the boards have. */
START_TEST(a_name_with_blanks_is_one_name)
{
	BOX box = box_make(BOX_A2);
	tree_file(
		&box.tree, GP_VGPU_CONFIG,
		"<vgpuconfig>"
		"<vgpuType id=\"7\" name=\"NVIDIA RTX Pro 6000 DC-1Q\"><profileSize>0x40000000</profileSize></vgpuType>"
		"<vgpuType id=\"8\" name=\"NVIDIA RTX Pro 6000 DC-2Q\"><profileSize>0x80000000</profileSize></vgpuType>"
		"<vgpuType id=\"9\" name=\"NVIDIA RTX Pro 6000 "
		"DC-4Q\"><profileSize>0x100000000</profileSize></vgpuType>"
		"<pgpu><devId vendorId=\"0x10de\" deviceId=\"0x25b6\" subsystemId=\"0\"/>"
		"<supportedVgpu vgpuId=\"7\"><maxVgpus>16</maxVgpus></supportedVgpu>"
		"<supportedVgpu vgpuId=\"8\"><maxVgpus>8</maxVgpus></supportedVgpu>"
		"<supportedVgpu vgpuId=\"9\"><maxVgpus>4</maxVgpus></supportedVgpu></pgpu></vgpuconfig>");
	box_vfio(&box);
	box_vf_file(&box, 0, "nvidia/creatable_vgpu_types",
		    "8 : NVIDIA RTX Pro 6000 DC-2Q\n9 : NVIDIA RTX Pro 6000 DC-4Q\n");
	box_observe(&box);
	ck_assert_str_eq(box.gpu.not_creatable, "RTX Pro 6000 DC-2Q, RTX Pro 6000 DC-4Q");
	struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, 8, NULL);
	ck_assert_str_eq(faults(&box, &class_of), "");
	class_of.count = 4;
	ck_assert_str_eq(faults(&box, &class_of), "");
	class_of.count = 16;
	ck_assert_ptr_nonnull(strstr(faults(&box, &class_of), "vGPU type RTX Pro 6000 DC-1Q cannot be made now"));
}
END_TEST

START_TEST(of_many_gpus_alike_a_fault_is_said_once)
{
	BOX box = box_make(BOX_A16);
	box_observe(&box);
	struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, 3, "Q");
	const struct gp_vendor *vendor = gp_vendor_for(&box.gpu);
	ck_assert(vendor->check(&class_of, &box.gpu, &box.diags));
	box.gpu.addr.bus = 0x42;
	ck_assert(vendor->check(&class_of, &box.gpu, &box.diags));
	ck_assert_uint_eq(box.diags.count, 1);
	ck_assert_str_eq(box.diags.items[0].error.subject, "0000:41:00.0 and others");
}
END_TEST

START_TEST(what_could_not_be_read_is_said)
{
	BOX box = box_make(BOX_A16);
	box.gpu.capability_known = false;
	box_observe(&box);
	struct gp_class class_of = class_with(GP_PARTITIONS_COUNT, 16, "Q");
	ck_assert(!gp_vendor_for(&box.gpu)->check(&class_of, &box.gpu, &box.diags));
	ck_assert_uint_eq(box.diags.count, 1);
	ck_assert_str_eq(box.diags.items[0].code, "capability-unreadable");
}
END_TEST

TREE_RUN("vendor_nvidia_check", a_count_is_one_that_the_types_have, every_count_of_an_a40_is_valid,
	 a_series_is_one_that_there_is, a_list_that_can_be, a_profile_is_one_that_there_is, a_size_is_one_that_there_is,
	 all_of_a_gpu_have_one_size_and_fit, what_a_list_cannot_say, what_needs_a_later_version,
	 what_the_driver_does_not_offer_now_is_said, a_name_with_blanks_is_one_name,
	 of_many_gpus_alike_a_fault_is_said_once, what_could_not_be_read_is_said)

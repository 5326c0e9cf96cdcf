/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain SR-IOV: fitness, offers, layouts, and what is refused of a class. The texts are exact on purpose. */
#include <string.h>

#include "../base/base_suite.h"
#include "fake_host.h"
#include "vendor/vendor.h"

#define PF  "sys/bus/pci/devices/0000:41:00.0/"
#define GIB (UINT64_C(1) << 30)

#define BAR_AND_ROM_LINES                                                                                              \
	"0x00000000d0000000 0x00000000d0ffffff 0x0000000000140204\n"                                                   \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n"                                                   \
	"0x0000003800000000 0x0000003bffffffff 0x000000000014220c\n"                                                   \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n"                                                   \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n"                                                   \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n"                                                   \
	"0x00000000d1000000 0x00000000d11fffff 0x0000000000046200\n"
#define EMPTY_LINE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

static const char bars_placed[] =
	BAR_AND_ROM_LINES "0x0000003c00000000 0x0000003c1effffff 0x0000000000140204\n" EMPTY_LINE
			  "0x0000004000000000 0x0000005effffffff 0x000000000014220c\n" EMPTY_LINE EMPTY_LINE EMPTY_LINE;
static const char bars_zero[] = BAR_AND_ROM_LINES EMPTY_LINE EMPTY_LINE EMPTY_LINE EMPTY_LINE EMPTY_LINE EMPTY_LINE;
static const char one_bar_unplaced[] =
	BAR_AND_ROM_LINES "0x0000003c00000000 0x0000003c1effffff 0x0000000000140204\n" EMPTY_LINE
			  "0x0000000000000000 0x0000001effffffff 0x000000002014220c\n" EMPTY_LINE EMPTY_LINE EMPTY_LINE;
static const char bars_not_shown[] = BAR_AND_ROM_LINES;

/* A GPU with nothing wrong: 16 VFs possible, none enabled. */
static const struct gp_gpu fit = {
	.addr = {.bus = 0x41},
	.vendor = 0x8086,
	.device = 0x56c0,
	.pci_class = 0x038000,
	.driver = "gpudrv",
	.sriov = true,
	.total_vfs = 16,
	.capability_known = true,
	.autoprobe_known = true,
	.autoprobe = true,
};

struct fixture {
	struct gp_arena *arena;
	struct gp_host host;
	struct gp_gpu gpu;
	struct gp_diags diags;
	struct gp_str text;
};

static void clear_fixture(struct fixture *f)
{
	gp_str_clear(&f->text);
	gp_diags_clear(&f->diags);
	gp_arena_free(f->arena);
}

static struct fixture set_up(struct gp_gpu gpu)
{
	return (struct fixture){.arena = gp_arena_new(), .gpu = gpu};
}

static const struct gp_vendor *observe(struct fixture *f)
{
	const struct gp_vendor *vendor = gp_vendor_for(&f->gpu);
	ck_assert_str_eq(vendor->name, "sriov");
	ck_assert_int_eq(vendor->observe(&f->host, f->arena, &f->gpu, NULL), 0);
	ck_assert_str_eq(f->gpu.backend_name, "sriov");
	return vendor;
}

/* ---- fitness ---- */

struct unfit_row {
	struct gp_gpu gpu;
	const char *resource; /* the PF's file of this name; NULL: none */
	enum gp_unfit unfit;
	const char *why, *remedy;
};

static struct gp_gpu with(struct gp_gpu gpu, const char *driver, uint32_t total, uint32_t links)
{
	gpu.driver = driver;
	gpu.total_vfs = total;
	gpu.num_vfs = links;
	return gpu;
}

static struct gp_gpu with_capability(struct gp_gpu gpu, bool known, bool enabled, uint32_t count)
{
	gpu.capability_known = known;
	gpu.vf_enable = enabled;
	gpu.cap_num_vfs = count;
	return gpu;
}

#define NO_DRIVER_WHY    "no driver is bound to it, and only its driver can make VFs"
#define NO_DRIVER_REMEDY "load the driver of the device, or bind it"
#define OWN_DRIVER       "bind the device to its own driver"
#define SWITCH_ON        "switch SR-IOV on in the driver; xe and i915 need the GuC firmware and max_vfs other than 0"
#define WAIT_FOR_IT                                                                                                    \
	"wait until that is done; if it stays so, a writer is stuck in the kernel (a process in state D) until the "   \
	"VM "                                                                                                          \
	"that holds a VF is off"
#define NO_ROOM "the firmware left no address space for the memory of its VFs (VF BARs)"
#define MORE_ROOM                                                                                                      \
	"switch on \"Above 4G decoding\" (and \"SR-IOV\", a larger \"MMIO high size\") in the firmware setup, or "     \
	"boot "                                                                                                        \
	"with pci=realloc"

static void check_unfit(const struct unfit_row *row, size_t number)
{
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(row->gpu);
	struct fake_file resource = {PF "resource", row->resource};
	if (row->resource != NULL) {
		f.host.files = &resource;
		f.host.file_count = 1;
	}
	observe(&f);
	ck_assert_msg(f.gpu.unfit == row->unfit, "row %zu: %d", number, (int)f.gpu.unfit);
	if (row->why == NULL) {
		ck_assert_ptr_null(f.gpu.unfit_why);
		ck_assert_ptr_null(f.gpu.unfit_remedy);
		return;
	}
	ck_assert_str_eq(f.gpu.unfit_why, row->why);
	ck_assert_str_eq(f.gpu.unfit_remedy, row->remedy);
}

START_TEST(a_gpu_is_fit_or_says_why_not)
{
	const struct unfit_row rows[] = {
		{fit, bars_placed, GP_FIT, NULL, NULL},
		{fit, NULL, GP_FIT, NULL, NULL},           /* what cannot be read is left to the kernel's answer */
		{fit, bars_not_shown, GP_FIT, NULL, NULL}, /* a kernel that shows no VF BARs */
		{fit, "garbage\n", GP_FIT, NULL, NULL},
		{fit, "0x1 \n", GP_FIT, NULL, NULL},
		{fit, bars_zero, GP_UNFIT_NO_MMIO, NO_ROOM, MORE_ROOM},
		{fit, one_bar_unplaced, GP_UNFIT_NO_MMIO, NO_ROOM, MORE_ROOM},
		/* VFs that are there have room. */
		{with_capability(with(fit, "gpudrv", 16, 4), true, true, 4), bars_zero, GP_FIT, NULL, NULL},

		{with(fit, NULL, 16, 0), bars_placed, GP_UNFIT_NO_DRIVER, NO_DRIVER_WHY, NO_DRIVER_REMEDY},
		{with(fit, NULL, 0, 0), bars_placed, GP_UNFIT_NO_DRIVER, NO_DRIVER_WHY, NO_DRIVER_REMEDY},
		{with(fit, "vfio-pci", 16, 0), bars_placed, GP_UNFIT_DRIVER,
		 "it is bound to vfio-pci, which keeps the whole device for a VM and makes no VFs", OWN_DRIVER},
		{with(fit, "pci-stub", 16, 0), bars_placed, GP_UNFIT_DRIVER,
		 "it is bound to pci-stub, which keeps the whole device for a VM and makes no VFs", OWN_DRIVER},
		{with(fit, "pci-pf-stub", 16, 0), bars_placed, GP_FIT, NULL, NULL}, /* made for PFs: it does make VFs */
		{with(fit, "xe", 0, 0), bars_placed, GP_UNFIT_DRIVER,
		 "the driver xe offers no VFs (sriov_totalvfs is 0)", SWITCH_ON},

		{with_capability(with(fit, "gpudrv", 16, 4), true, true, 4), NULL, GP_FIT, NULL, NULL},
		/* NumVFs keeps its value when VF Enable is cleared: that is no VF. */
		{with_capability(fit, true, false, 4), NULL, GP_FIT, NULL, NULL},
		{with_capability(fit, true, true, 4), NULL, GP_UNFIT_TRANSITION,
		 "somebody is enabling or disabling its VFs: 0 are linked, and its SR-IOV capability tells 4",
		 WAIT_FOR_IT},
		{with_capability(with(fit, "gpudrv", 16, 3), true, true, 4), NULL, GP_UNFIT_TRANSITION,
		 "somebody is enabling or disabling its VFs: 3 are linked, and its SR-IOV capability tells 4",
		 WAIT_FOR_IT},
		{with_capability(with(fit, "gpudrv", 16, 3), true, false, 0), NULL, GP_UNFIT_TRANSITION,
		 "somebody is enabling or disabling its VFs: 3 are linked, and its SR-IOV capability tells 0",
		 WAIT_FOR_IT},
		/* An ordinary user does not see the capability: that is no reason to call the GPU unfit. */
		{with_capability(with(fit, "gpudrv", 16, 3), false, false, 0), NULL, GP_FIT, NULL, NULL},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_unfit(&rows[i], i);
}
END_TEST

START_TEST(a_writer_at_work_is_a_transition_and_is_named)
{
	struct gp_gpu gpu = fit;
	gpu.busy = true;
	gpu.busy_by = "gpupart-write, pid 812, since 14:02:11";
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(gpu);
	observe(&f);
	ck_assert_int_eq(f.gpu.unfit, GP_UNFIT_TRANSITION);
	ck_assert_str_eq(f.gpu.unfit_why,
			 "a writer of gpupart is at work on it: gpupart-write, pid 812, since 14:02:11");
	ck_assert_ptr_nonnull(f.gpu.unfit_remedy);
}
END_TEST

START_TEST(only_what_decides_is_read)
{
	GP_CLEANUP(clear_fixture) struct fixture idle = set_up(fit);
	observe(&idle);
	ck_assert_uint_eq(idle.host.reads, 1); /* resource */
	GP_CLEANUP(clear_fixture)
	struct fixture busy = set_up(with_capability(with(fit, "gpudrv", 16, 4), true, true, 4));
	observe(&busy);
	ck_assert_uint_eq(busy.host.reads, 0);
}
END_TEST

/* ---- offers and layouts ---- */

static void check_shares(const struct gp_offer offers[GP_RESOURCE_COUNT], uint32_t expected)
{
	for (int i = GP_ENCODE; i < GP_RESOURCE_COUNT; i++) {
		ck_assert_int_eq(offers[i].hold, GP_HOLD_ADMISSION);
		ck_assert(offers[i].has_share && !offers[i].has_bytes && !offers[i].has_engines);
		ck_assert_uint_eq(offers[i].share, expected);
	}
}

START_TEST(every_count_up_to_the_total_is_a_layout)
{
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	struct fake_file vram = {PF "mem_info_vram_total", "17179869184"};
	f.gpu.driver = "amdgpu";
	f.host.files = &vram;
	f.host.file_count = 1;
	const struct gp_vendor *vendor = observe(&f);
	vendor->layouts(&f.gpu, NULL, f.arena, &f.gpu.layouts, &f.gpu.layout_count);
	ck_assert_uint_eq(f.gpu.layout_count, 16);
	for (uint32_t count = 1; count <= 16; count++) {
		const struct gp_layout *layout = gp_gpu_layout(&f.gpu, count);
		ck_assert_ptr_nonnull(layout);
		ck_assert_uint_eq(layout->group_count, 1);
		ck_assert_uint_eq(layout->groups[0].count, count);
		ck_assert_ptr_null(layout->groups[0].profile);
		check_shares(layout->groups[0].offers, 1000000 / count);
		const struct gp_offer *memory = &layout->groups[0].offers[GP_VRAM];
		ck_assert_int_eq(memory->hold, GP_HOLD_ADMISSION);
		ck_assert(memory->has_bytes && memory->has_share);
		ck_assert_uint_eq(memory->bytes, 16 * GIB / count);
		ck_assert_uint_eq(memory->share, 1000000 / count);
	}
	ck_assert_ptr_null(gp_gpu_layout(&f.gpu, 17));
}
END_TEST

START_TEST(memory_that_is_not_known_is_not_expressible)
{
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	const struct gp_vendor *vendor = observe(&f);
	vendor->layouts(&f.gpu, NULL, f.arena, &f.gpu.layouts, &f.gpu.layout_count);
	const struct gp_offer *offers = gp_gpu_layout(&f.gpu, 2)->groups[0].offers;
	ck_assert_int_eq(offers[GP_VRAM].hold, GP_HOLD_NOT_EXPRESSIBLE);
	ck_assert(!offers[GP_VRAM].has_bytes && !offers[GP_VRAM].has_share);
	check_shares(offers, 500000);
	struct gp_bound bound = {.given = true, .min = {GP_UNIT_BYTES, GIB}};
	ck_assert(!gp_bound_fits(&bound, &offers[GP_VRAM], GP_VRAM, &f.text));
	ck_assert_str_eq(gp_str_text(&f.text), "not expressible: how much vram a partition has is not known");
}
END_TEST

START_TEST(a_share_of_memory_follows_what_is_there_at_least)
{
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	f.gpu.driver = "xe";
	f.gpu.vram_bytes = 16 * GIB;
	gp_vendor_for(&f.gpu)->layouts(&f.gpu, NULL, f.arena, &f.gpu.layouts, &f.gpu.layout_count);
	const struct gp_offer *memory = &gp_gpu_layout(&f.gpu, 2)->groups[0].offers[GP_VRAM];
	ck_assert_uint_eq(memory->bytes, 4 * GIB);
	ck_assert_uint_eq(memory->share, 250000);
}
END_TEST

START_TEST(what_exists_offers_its_part)
{
	struct gp_partition partitions[4] = {{.index = 0}, {.index = 1}, {.index = 2}, {.index = 3}};
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(with_capability(with(fit, "gpudrv", 16, 4), true, true, 4));
	f.gpu.partitions = partitions;
	f.gpu.partition_count = 4;
	observe(&f);
	for (size_t i = 0; i < 4; i++)
		check_shares(partitions[i].offers, 250000);
}
END_TEST

START_TEST(a_device_that_is_no_gpu_offers_nothing_to_bound)
{
	static const struct gp_offer nothing[GP_RESOURCE_COUNT];
	struct fake_file vram = {PF "mem_info_vram_total", "17179869184"};
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(with(fit, "amdgpu", 8, 0));
	f.gpu.named_only = true;
	f.host.files = &vram;
	f.host.file_count = 1;
	const struct gp_vendor *vendor = observe(&f);
	vendor->layouts(&f.gpu, NULL, f.arena, &f.gpu.layouts, &f.gpu.layout_count);
	ck_assert_uint_eq(f.gpu.layout_count, 8);
	ck_assert_uint_eq(f.gpu.vram_bytes, 0);
	ck_assert_int_eq(memcmp(f.gpu.layouts[3].groups[0].offers, nothing, sizeof(nothing)), 0);
}
END_TEST

START_TEST(no_vfs_no_layouts)
{
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(with(fit, "xe", 0, 0));
	size_t count = 7;
	struct gp_layout *layouts = &(struct gp_layout){0};
	gp_vendor_for(&f.gpu)->layouts(&f.gpu, NULL, f.arena, &layouts, &count);
	ck_assert_ptr_null(layouts);
	ck_assert_uint_eq(count, 0);
}
END_TEST

/* ---- what of a class cannot be done ---- */

static const char site_text[] = "version: 1\n"
				"gpus:\n"
				"  - class: vdi\n"
				"    partitions: 32\n"
				"    series: Q\n"
				"    backing: mig\n"
				"    scheduler: fixed\n"
				"    vgpu_params: a=1\n";

struct site {
	struct gp_sources sources;
	struct gp_source *source;
};

static void clear_site(struct site *site)
{
	gp_sources_clear(&site->sources);
}

static struct site make_site(void)
{
	struct site site = {0};
	site.source = gp_sources_add(&site.sources, "site.yaml", site_text, sizeof(site_text) - 1);
	return site;
}

static struct gp_mark line(const struct site *site, uint32_t number)
{
	return (struct gp_mark){site->source, number, 5};
}

static bool check(struct fixture *f, const struct gp_class *class_of)
{
	return gp_vendor_for(&f->gpu)->check(class_of, &f->gpu, &f->diags);
}

static void check_fault(const struct gp_diag *diag, const char *code, uint32_t at_line, const char *message,
			const char *remedy)
{
	ck_assert_str_eq(diag->code, code);
	ck_assert_int_eq(diag->severity, GP_ERROR);
	ck_assert_int_eq(diag->error.kind, GP_E_INPUT);
	ck_assert_uint_eq(diag->error.mark.line, at_line);
	ck_assert_str_eq(diag->error.message, message);
	ck_assert_str_eq(diag->error.remedy, remedy);
	ck_assert_str_eq(diag->error.subject, "0000:41:00.0");
}

START_TEST(a_plain_count_is_fine)
{
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	struct gp_class class_of = {.name = "vdi", .count = 16};
	ck_assert(!check(&f, &class_of));
	class_of.count = 0;
	ck_assert(!check(&f, &class_of));
	class_of = (struct gp_class){.name = "vdi", .partitions = GP_PARTITIONS_KEEP, .count = 99};
	ck_assert(!check(&f, &class_of));
	ck_assert_uint_eq(f.diags.count, 0);
}
END_TEST

START_TEST(all_that_needs_another_back_end_is_said_at_once)
{
	GP_CLEANUP(clear_site) struct site site = make_site();
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	struct gp_class class_of = {.name = "vdi",
				    .count = 32,
				    .partitions_mark = line(&site, 4),
				    .series = "Q",
				    .series_mark = line(&site, 5),
				    .backing = GP_BACKING_MIG,
				    .backing_mark = line(&site, 6),
				    .scheduler = "fixed",
				    .scheduler_mark = line(&site, 7),
				    .vgpu_params = "a=1",
				    .vgpu_params_mark = line(&site, 8)};
	ck_assert(check(&f, &class_of));
	ck_assert_uint_eq(f.diags.count, 5);
	check_fault(&f.diags.items[0], "unsupported-series", 5,
		    "series needs an NVIDIA GPU with the vGPU driver, and this one is partitioned by plain SR-IOV",
		    "leave series out: the VFs of this GPU have no types");
	check_fault(&f.diags.items[1], "unsupported-backing", 6,
		    "backing needs an NVIDIA GPU with the vGPU driver, and this one is partitioned by plain SR-IOV",
		    "leave backing out");
	check_fault(&f.diags.items[2], "unsupported-scheduler", 7,
		    "scheduler needs a back-end that sets scheduling policies, and plain SR-IOV has none",
		    "leave scheduler out: the GPU's own default stays");
	check_fault(&f.diags.items[3], "unsupported-vgpu-params", 8,
		    "vgpu_params needs an NVIDIA GPU with the vGPU driver, and this one is partitioned by plain SR-IOV",
		    "leave vgpu_params out");
	check_fault(&f.diags.items[4], "count-above-total", 4,
		    "32 partitions are asked for, and the device can have at most 16 (sriov_totalvfs)",
		    "choose a count from 1 to 16, or 0 for none");
}
END_TEST

START_TEST(each_key_alone_is_enough)
{
	static const struct gp_class classes[] = {{.name = "a", .series = "Q"},
						  {.name = "b", .backing = GP_BACKING_TIME_SLICED},
						  {.name = "c", .scheduler = "equal"},
						  {.name = "d", .vgpu_params = "a=1"},
						  {.name = "e", .count = 17}};
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
		ck_assert(check(&f, &classes[i]));
		ck_assert_uint_eq(f.diags.error_count, 1);
	}
}
END_TEST

START_TEST(auto_needs_a_later_version)
{
	GP_CLEANUP(clear_site) struct site site = make_site();
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	struct gp_class class_of = {.name = "vdi", .partitions = GP_PARTITIONS_AUTO, .partitions_mark = line(&site, 4)};
	ck_assert(check(&f, &class_of));
	ck_assert_uint_eq(f.diags.count, 1);
	check_fault(&f.diags.items[0], "unsupported-auto", 4, "partitions: auto needs a later version of gpupart",
		    "choose a count from 1 to 16, or 0 for none");
}
END_TEST

START_TEST(a_list_of_sizes_needs_another_back_end)
{
	GP_CLEANUP(clear_site) struct site site = make_site();
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	struct gp_partition_size sizes[] = {{.count = 2, .vram = {GP_UNIT_BYTES, GIB}, .mark = line(&site, 5)},
					    {.count = 1, .profile = "A16-4Q", .mark = line(&site, 6)},
					    {.count = 3, .mig = "1g.10gb", .mark = line(&site, 7)}};
	struct gp_class class_of = {.name = "vdi",
				    .partitions = GP_PARTITIONS_LIST,
				    .partitions_mark = line(&site, 4),
				    .sizes = sizes,
				    .size_count = 3};
	ck_assert(check(&f, &class_of));
	ck_assert_uint_eq(f.diags.count, 3);
	check_fault(&f.diags.items[0], "unsupported-profile", 6,
		    "profile needs a GPU whose driver has vGPU types, and plain SR-IOV has none",
		    "write partitions: and a count");
	check_fault(&f.diags.items[1], "unsupported-mig", 7,
		    "mig needs an NVIDIA GPU in MIG mode, and this one is partitioned by plain SR-IOV",
		    "write partitions: and a count");
	check_fault(
		&f.diags.items[2], "unsupported-sizes", 4,
		"a list of sizes needs a back-end that can make partitions of different sizes; plain SR-IOV makes all "
		"VFs alike",
		"write partitions: 6, which makes as many of equal size");
}
END_TEST

START_TEST(a_fault_of_many_gpus_is_said_once)
{
	GP_CLEANUP(clear_site) struct site site = make_site();
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(fit);
	struct gp_class class_of = {.name = "vdi", .count = 32, .partitions_mark = line(&site, 4)};
	for (uint8_t bus = 0x41; bus < 0x49; bus++) {
		f.gpu.addr.bus = bus;
		ck_assert(check(&f, &class_of));
		ck_assert(check(&f, &class_of));
		ck_assert_uint_eq(f.diags.count, 1);
		ck_assert_str_eq(f.diags.items[0].error.subject,
				 bus == 0x41 ? "0000:41:00.0" : "0000:41:00.0 and others");
	}
	f.gpu.total_vfs = 8; /* another fault: other words */
	ck_assert(check(&f, &class_of));
	ck_assert_uint_eq(f.diags.count, 2);
	ck_assert_str_eq(f.diags.items[1].error.remedy, "choose a count from 1 to 8, or 0 for none");
}
END_TEST

START_TEST(an_ordinary_user_is_told_what_is_not_seen)
{
	GP_CLEANUP(clear_fixture) struct fixture f = set_up(with_capability(fit, false, false, 0));
	struct gp_class class_of = {.name = "vdi", .count = 4};
	ck_assert(!check(&f, &class_of));
	ck_assert_uint_eq(f.diags.count, 1);
	ck_assert_uint_eq(f.diags.error_count, 0);
	gp_diags_render(&f.diags, &f.text, false);
	ck_assert_str_eq(
		gp_str_text(&f.text),
		"info: 0000:41:00.0: the SR-IOV capability could not be read (an ordinary user sees 64 bytes of "
		"config space), so whether VFs are being enabled or disabled right now is not known\n"
		"      try: run as root to see it\n");
}
END_TEST

START_TEST(a_vf_is_given_to_a_vm_managed)
{
	struct gp_hostdev device = {.type = GP_HOSTDEV_MDEV};
	gp_vendor_for(&fit)->device(&fit, 3, &device);
	ck_assert_int_eq(device.type, GP_HOSTDEV_PCI);
	ck_assert(device.managed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_gpu_is_fit_or_says_why_not,
		a_writer_at_work_is_a_transition_and_is_named,
		only_what_decides_is_read,
		every_count_up_to_the_total_is_a_layout,
		memory_that_is_not_known_is_not_expressible,
		a_share_of_memory_follows_what_is_there_at_least,
		what_exists_offers_its_part,
		a_device_that_is_no_gpu_offers_nothing_to_bound,
		no_vfs_no_layouts,
		a_plain_count_is_fine,
		all_that_needs_another_back_end_is_said_at_once,
		each_key_alone_is_enough,
		auto_needs_a_later_version,
		a_list_of_sizes_needs_another_back_end,
		a_fault_of_many_gpus_is_said_once,
		an_ordinary_user_is_told_what_is_not_seen,
		a_vf_is_given_to_a_vm_managed,
	};
	return run_tests("vendor_sriov_observe", tests, COUNT_OF(tests));
}

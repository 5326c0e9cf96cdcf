/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../base/base_suite.h"
#include "model/observed.h"

#define GIB (UINT64_C(1) << 30)

static struct gp_amount bytes(uint64_t value)
{
	return (struct gp_amount){GP_UNIT_BYTES, value};
}
static struct gp_amount share(uint64_t ppm)
{
	return (struct gp_amount){GP_UNIT_SHARE, ppm};
}
static struct gp_amount engines(uint64_t value)
{
	return (struct gp_amount){GP_UNIT_ENGINES, value};
}

static struct gp_pci_addr addr(const char *text)
{
	struct gp_pci_addr out;
	ck_assert_int_eq(gp_pci_addr_parse(text, &out), 0);
	return out;
}

static bool same(struct gp_pci_addr a, const char *text)
{
	return gp_pci_addr_compare(a, addr(text)) == 0;
}

/* ---- looking up ---- */

START_TEST(gpus_are_found_by_address)
{
	struct gp_gpu gpus[] = {
		{.addr = addr("0000:41:00.0")}, {.addr = addr("0000:42:00.0")}, {.addr = addr("0001:01:00.0")}};
	struct gp_observed observed = {.gpus = gpus, .gpu_count = 3};
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_eq(gp_observed_gpu(&observed, gpus[i].addr), &gpus[i]);
	ck_assert_ptr_null(gp_observed_gpu(&observed, addr("0000:41:00.1")));
	ck_assert_ptr_null(gp_observed_gpu(&observed, addr("0002:01:00.0")));
	ck_assert_ptr_null(gp_observed_gpu(&observed, addr("0000:00:00.0")));
	ck_assert_ptr_null(gp_observed_gpu(&(struct gp_observed){0}, addr("41:00.0")));
}
END_TEST

START_TEST(domains_are_found_by_name_or_uuid)
{
	struct gp_domain domains[] = {{.name = "a", .uuid = {{1}}}, {.name = "b", .uuid = {{2}}}, {.name = "c"}};
	struct gp_observed observed = {.domains = domains, .domain_count = 3};
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_eq(gp_observed_domain(&observed, &(struct gp_want_vm){.name = domains[i].name}),
				 &domains[i]);
	ck_assert_ptr_null(gp_observed_domain(&observed, &(struct gp_want_vm){.name = "aa"}));
	ck_assert_ptr_null(gp_observed_domain(&observed, &(struct gp_want_vm){.name = "d"}));
	struct gp_want_vm by_uuid = {.name = "02000000-0000-0000-0000-000000000000", .by_uuid = true, .uuid = {{2}}};
	ck_assert_ptr_eq(gp_observed_domain(&observed, &by_uuid), &domains[1]);
	by_uuid.uuid.bytes[15] = 1;
	ck_assert_ptr_null(gp_observed_domain(&observed, &by_uuid));
}
END_TEST

START_TEST(partitions_are_found_by_index_even_with_gaps)
{
	struct gp_partition partitions[] = {{.index = 0}, {.index = 2}, {.index = 5}};
	struct gp_gpu gpu = {.partitions = partitions, .partition_count = 3};
	ck_assert_ptr_eq(gp_gpu_partition(&gpu, 0), &partitions[0]);
	ck_assert_ptr_eq(gp_gpu_partition(&gpu, 2), &partitions[1]);
	ck_assert_ptr_eq(gp_gpu_partition(&gpu, 5), &partitions[2]);
	ck_assert_ptr_null(gp_gpu_partition(&gpu, 1));
	ck_assert_ptr_null(gp_gpu_partition(&gpu, 6));
}
END_TEST

START_TEST(layouts_are_found_by_count)
{
	struct gp_layout layouts[] = {{.count = 1}, {.count = 2}, {.count = 4}, {.count = 4}, {.count = 16}};
	struct gp_gpu gpu = {.layouts = layouts, .layout_count = 5};
	ck_assert_ptr_eq(gp_gpu_layout(&gpu, 1), &layouts[0]);
	ck_assert_ptr_eq(gp_gpu_layout(&gpu, 4), &layouts[2]); /* the first of that count */
	ck_assert_ptr_eq(gp_gpu_layout(&gpu, 16), &layouts[4]);
	ck_assert_ptr_null(gp_gpu_layout(&gpu, 0));
	ck_assert_ptr_null(gp_gpu_layout(&gpu, 3));
	ck_assert_ptr_null(gp_gpu_layout(&gpu, 17));
}
END_TEST

START_TEST(a_partition_falls_into_a_group)
{
	struct gp_layout_group groups[] = {{.count = 2}, {.count = 0}, {.count = 3}};
	struct gp_layout layout = {.count = 5, .groups = groups, .group_count = 3};
	ck_assert_ptr_eq(gp_layout_group_of(&layout, 0), &groups[0]);
	ck_assert_ptr_eq(gp_layout_group_of(&layout, 1), &groups[0]);
	ck_assert_ptr_eq(gp_layout_group_of(&layout, 2), &groups[2]);
	ck_assert_ptr_eq(gp_layout_group_of(&layout, 4), &groups[2]);
	ck_assert_ptr_null(gp_layout_group_of(&layout, 5));
}
END_TEST

/* ---- addresses of VFs ---- */

START_TEST(a_vf_that_exists_is_where_its_link_points)
{
	struct gp_partition partitions[] = {{.index = 0, .addr = addr("0000:41:00.4")}};
	struct gp_gpu gpu = {.addr = addr("41:00.0"),
			     .total_vfs = 8,
			     .vf_offset = 1,
			     .vf_stride = 1,
			     .partitions = partitions,
			     .partition_count = 1};
	struct gp_pci_addr found;
	uint32_t index = 99;
	ck_assert(gp_gpu_vf_addr(&gpu, 0, &found) && same(found, "41:00.4"));
	ck_assert(gp_gpu_vf_at(&gpu, addr("41:00.4"), &index));
	ck_assert_uint_eq(index, 0);
	/* The capability would put index 0 here, but index 0 is elsewhere. */
	ck_assert(!gp_gpu_vf_at(&gpu, addr("41:00.1"), &index));
}
END_TEST

START_TEST(a_vf_that_is_to_come_is_where_the_capability_says)
{
	struct gp_gpu gpu = {.addr = addr("41:00.0"), .total_vfs = 31, .vf_offset = 1, .vf_stride = 1};
	struct gp_pci_addr found;
	uint32_t index;
	ck_assert(gp_gpu_vf_addr(&gpu, 0, &found) && same(found, "41:00.1"));
	ck_assert(gp_gpu_vf_addr(&gpu, 7, &found) && same(found, "41:01.0"));
	ck_assert(gp_gpu_vf_addr(&gpu, 30, &found) && same(found, "41:03.7"));
	ck_assert(!gp_gpu_vf_addr(&gpu, 31, &found));
	for (uint32_t i = 0; i < 31; i++) {
		ck_assert(gp_gpu_vf_addr(&gpu, i, &found));
		ck_assert(gp_gpu_vf_at(&gpu, found, &index));
		ck_assert_uint_eq(index, i);
	}
	ck_assert(!gp_gpu_vf_at(&gpu, addr("41:04.0"), &index));
	ck_assert(!gp_gpu_vf_at(&gpu, addr("41:00.0"), &index));
	ck_assert(!gp_gpu_vf_at(&gpu, addr("0001:41:00.1"), &index));
}
END_TEST

START_TEST(vfs_spill_to_the_next_bus_and_step_by_the_stride)
{
	struct gp_gpu gpu = {.addr = addr("3b:00.0"), .total_vfs = 4, .vf_offset = 0x100, .vf_stride = 2};
	struct gp_pci_addr found;
	uint32_t index;
	ck_assert(gp_gpu_vf_addr(&gpu, 3, &found) && same(found, "3c:00.6"));
	ck_assert(gp_gpu_vf_at(&gpu, addr("3c:00.4"), &index));
	ck_assert_uint_eq(index, 2);
	ck_assert(!gp_gpu_vf_at(&gpu, addr("3c:00.3"), &index)); /* between two */
	gpu.addr = addr("ff:1f.0");
	gpu.vf_offset = 8;
	ck_assert(!gp_gpu_vf_addr(&gpu, 0, &found)); /* behind the last bus */
}
END_TEST

START_TEST(what_the_device_does_not_tell_is_not_guessed)
{
	struct gp_gpu silent = {.addr = addr("41:00.0"), .total_vfs = 8};
	struct gp_gpu no_stride = {.addr = addr("41:00.0"), .total_vfs = 8, .vf_offset = 4};
	struct gp_pci_addr found;
	uint32_t index;
	ck_assert(!gp_gpu_vf_addr(&silent, 0, &found));
	ck_assert(!gp_gpu_vf_at(&silent, addr("41:00.1"), &index));
	ck_assert(gp_gpu_vf_addr(&no_stride, 0, &found) && same(found, "41:00.4"));
	ck_assert(!gp_gpu_vf_addr(&no_stride, 1, &found));
	ck_assert(gp_gpu_vf_at(&no_stride, addr("41:00.4"), &index));
	ck_assert(!gp_gpu_vf_at(&no_stride, addr("41:00.5"), &index));
}
END_TEST

/* ---- bounds ---- */

static const struct gp_offer four_gib = {
	.hold = GP_HOLD_HARDWARE, .has_bytes = true, .bytes = 4 * GIB, .has_share = true, .share = 250000};
static const struct gp_offer quarter = {.hold = GP_HOLD_ADMISSION, .has_share = true, .share = 250000};
static const struct gp_offer two_engines = {.hold = GP_HOLD_HARDWARE, .has_engines = true, .engines = 2};

struct fit_row {
	struct gp_bound bound;
	const struct gp_offer *offer;
	enum gp_resource resource;
	const char *why; /* NULL: it fits */
};

START_TEST(an_offer_fits_or_says_why_not)
{
	static const struct gp_offer nothing = {0};
	static const struct gp_offer empty = {.hold = GP_HOLD_ADMISSION};
	const struct fit_row rows[] = {
		{{0}, &nothing, GP_VRAM, NULL},
		{{.given = true}, &nothing, GP_VRAM, NULL},
		{{.given = true, .min = bytes(4 * GIB)}, &four_gib, GP_VRAM, NULL},
		{{.given = true, .max = bytes(4 * GIB)}, &four_gib, GP_VRAM, NULL},
		{{.given = true, .min = bytes(4 * GIB + 1)}, &four_gib, GP_VRAM, "vram 4GiB < min 4294967297B"},
		{{.given = true, .min = bytes(8 * GIB)}, &four_gib, GP_VRAM, "vram 4GiB < min 8GiB"},
		{{.given = true, .min = bytes(GIB), .max = bytes(2 * GIB)}, &four_gib, GP_VRAM, "vram 4GiB > max 2GiB"},
		{{.given = true, .min = share(250000), .max = share(250000)}, &four_gib, GP_VRAM, NULL},
		{{.given = true, .min = share(300000)}, &quarter, GP_DECODE, "decode 25% < min 30%"},
		{{.given = true, .min = engines(2)}, &two_engines, GP_ENCODE, NULL},
		{{.given = true, .max = engines(1)}, &two_engines, GP_ENCODE, "encode 2 engines > max 1 engine"},
		{{.given = true, .optimal = share(900000)}, &quarter, GP_COMPUTE, NULL},
		{{.given = true, .min = engines(1)},
		 &quarter,
		 GP_DECODE,
		 "not expressible: decode is asked as whole engines, and known only as a share of the GPU"},
		{{.given = true, .max = bytes(GIB)},
		 &quarter,
		 GP_VRAM,
		 "not expressible: vram is asked as an amount of memory, and known only as a share of the GPU"},
		{{.given = true, .min = share(100000)},
		 &two_engines,
		 GP_ENCODE,
		 "not expressible: encode is asked as a share of the GPU, and known only as whole engines"},
		{{.given = true, .optimal = bytes(GIB)},
		 &nothing,
		 GP_VRAM,
		 "not expressible: how much vram a partition has is not known"},
		{{.given = true, .min = share(1)},
		 &empty,
		 GP_COMPUTE,
		 "not expressible: how much compute a partition has is not known"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str why = {0};
		bool fits = gp_bound_fits(&rows[i].bound, rows[i].offer, rows[i].resource, &why);
		ck_assert_msg(fits == (rows[i].why == NULL), "row %zu", i);
		ck_assert_str_eq(gp_str_text(&why), rows[i].why == NULL ? "" : rows[i].why);
		ck_assert(gp_bound_fits(&rows[i].bound, rows[i].offer, rows[i].resource, NULL) == fits);
	}
}
END_TEST

START_TEST(a_not_expressible_offer_never_fits_even_with_numbers)
{
	struct gp_offer offer = {.has_bytes = true, .bytes = 4 * GIB};
	struct gp_bound bound = {.given = true, .min = bytes(GIB)};
	ck_assert(!gp_bound_fits(&bound, &offer, GP_VRAM, NULL));
}
END_TEST

static uint64_t distance(struct gp_bound bound, const struct gp_offer *offer)
{
	return gp_bound_distance(&bound, offer);
}

START_TEST(distance_is_measured_from_optimal)
{
	ck_assert_uint_eq(distance((struct gp_bound){0}, &four_gib), 0);
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .min = bytes(4 * GIB)}, &four_gib), 0);
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .min = bytes(2 * GIB)}, &four_gib), 1000000);
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .max = bytes(16 * GIB)}, &four_gib), 750000);
	ck_assert_uint_eq(
		distance((struct gp_bound){.given = true, .min = bytes(GIB), .optimal = bytes(8 * GIB)}, &four_gib),
		500000);
	ck_assert_uint_eq(
		distance((struct gp_bound){.given = true, .min = bytes(GIB), .max = bytes(4 * GIB)}, &four_gib),
		3000000);
}
END_TEST

START_TEST(distance_does_not_overflow)
{
	struct gp_offer huge = {.hold = GP_HOLD_HARDWARE, .has_bytes = true, .bytes = UINT64_MAX};
	uint64_t far = UINT64_C(1) << 60;
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .min = bytes(1)}, &huge), far);
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .min = bytes(0)}, &huge), far);
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .min = engines(1)}, &huge), far);
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .min = bytes(UINT64_MAX / 2)}, &huge) / 100, 10000);
	struct gp_offer none = {.hold = GP_HOLD_HARDWARE, .has_bytes = true, .bytes = 0};
	ck_assert_uint_eq(distance((struct gp_bound){.given = true, .min = bytes(0)}, &none), 0);
	ck_assert_uint_eq(far + far + far + far, UINT64_C(1) << 62);
}
END_TEST

START_TEST(versions_are_shown_as_people_write_them)
{
	char text[GP_VERSION_SIZE];
	ck_assert_str_eq(gp_version_format(9003002, text), "9.3.2");
	ck_assert_str_eq(gp_version_format(10000000, text), "10.0.0");
	ck_assert_str_eq(gp_version_format(UINT32_MAX, text), "4294.967.295");
}
END_TEST

START_TEST(a_device_is_known_by_type_and_source)
{
	struct gp_hostdev pci = {.source = {.bus = 0x41}, .mdev = {{1}}}, other = pci, mdev = pci;
	mdev.type = GP_HOSTDEV_MDEV;
	other.mdev.bytes[0] = 2; /* means nothing to a PCI device */
	ck_assert(gp_hostdev_same_source(&pci, &other));
	ck_assert(!gp_hostdev_same_source(&pci, &mdev));
	other.type = GP_HOSTDEV_MDEV;
	ck_assert(!gp_hostdev_same_source(&mdev, &other));
	other.mdev = mdev.mdev;
	other.source.bus = 0x42;
	ck_assert(gp_hostdev_same_source(&mdev, &other));
	other.type = GP_HOSTDEV_PCI;
	ck_assert(!gp_hostdev_same_source(&pci, &other));
}
END_TEST

START_TEST(a_new_snapshot_is_empty)
{
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *observed = gp_observed_new();
	ck_assert_ptr_nonnull(observed->arena);
	ck_assert_uint_eq(observed->gpu_count + observed->domain_count, 0);
	ck_assert(!observed->domains_state.known); /* unknown until somebody looked */
	ck_assert(!observed->vfio_state.known);
	gp_observed_free(NULL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		gpus_are_found_by_address,
		domains_are_found_by_name_or_uuid,
		partitions_are_found_by_index_even_with_gaps,
		layouts_are_found_by_count,
		a_partition_falls_into_a_group,
		a_vf_that_exists_is_where_its_link_points,
		a_vf_that_is_to_come_is_where_the_capability_says,
		vfs_spill_to_the_next_bus_and_step_by_the_stride,
		what_the_device_does_not_tell_is_not_guessed,
		an_offer_fits_or_says_why_not,
		a_not_expressible_offer_never_fits_even_with_numbers,
		distance_is_measured_from_optimal,
		distance_does_not_overflow,
		versions_are_shown_as_people_write_them,
		a_device_is_known_by_type_and_source,
		a_new_snapshot_is_empty,
	};
	return run_tests("model_observed", tests, COUNT_OF(tests));
}

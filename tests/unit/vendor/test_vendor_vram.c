/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory a GPU has, and what a VF has of it at least. */
#include "../base/base_suite.h"
#include "fake_host.h"
#include "vendor/vram.h"

#define PF  "sys/bus/pci/devices/0000:41:00.0/"
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void check_total(const char *driver, const struct fake_file *files, size_t count, uint64_t bytes,
			const char *source)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_host host = {.files = files, .file_count = count};
	struct gp_gpu gpu = {.addr = {.bus = 0x41}, .driver = driver, .vram_bytes = 7, .vram_source = "before"};
	gp_vram_observe(&host, arena, &gpu);
	ck_assert_uint_eq(gpu.vram_bytes, bytes);
	if (source == NULL)
		ck_assert_ptr_null(gpu.vram_source);
	else
		ck_assert_str_eq(gpu.vram_source, source);
}

START_TEST(amdgpu_tells_one_number)
{
	static const struct fake_file files[] = {{PF "mem_info_vram_total", "34342961152"}};
	check_total("amdgpu", files, 1, UINT64_C(34342961152), "mem_info_vram_total");
}
END_TEST

START_TEST(xe_tells_one_number_a_tile)
{
	static const struct fake_file files[] = {{PF "tile0/physical_vram_size_bytes", "8589934592"},
						 {PF "tile1/physical_vram_size_bytes", "8589934592"},
						 {PF "tile3/physical_vram_size_bytes", "1"}};
	check_total("xe", files, 1, 8 * GIB, "tile*/physical_vram_size_bytes");
	check_total("xe", files, 3, 16 * GIB, "tile*/physical_vram_size_bytes");
}
END_TEST

START_TEST(i915_tells_under_its_card)
{
	static const struct fake_file files[] = {{PF "drm", "by-path\ncard\ncard1-DP-1\ncard7\nrenderD128\n"},
						 {PF "drm/card7/lmem_total_bytes", "17179869184"}};
	check_total("i915", files, 2, 16 * GIB, "drm/card7/lmem_total_bytes");
	check_total("i915", files, 1, 0, NULL);
}
END_TEST

START_TEST(what_is_not_told_is_unknown)
{
	static const struct fake_file amd[] = {{PF "mem_info_vram_total", "34342961152"}};
	static const struct fake_file garbage[] = {{PF "mem_info_vram_total", "lots"}};
	static const struct fake_file zero[] = {{PF "mem_info_vram_total", "0"}};
	static const struct fake_file overflow[] = {{PF "tile0/physical_vram_size_bytes", "18446744073709551615"},
						    {PF "tile1/physical_vram_size_bytes", "18446744073709551615"}};
	check_total(NULL, amd, 1, 0, NULL);
	check_total("ast", amd, 1, 0, NULL);
	check_total("xe", amd, 1, 0, NULL);
	check_total("i915", amd, 1, 0, NULL);
	check_total("amdgpu", NULL, 0, 0, NULL);
	check_total("amdgpu", garbage, 1, 0, NULL);
	check_total("amdgpu", zero, 1, 0, NULL);
	check_total("xe", overflow, 2, 0, NULL);
}
END_TEST

struct part_row {
	const char *driver;
	uint64_t total;
	uint32_t count;
	uint64_t expected;
};

START_TEST(each_vf_has_its_part_at_least)
{
	static const struct part_row rows[] = {
		{"amdgpu", 32 * GIB, 1, 32 * GIB},
		{"amdgpu", 32 * GIB, 3, 11453246122},
		{"gpu-of-tomorrow", 16 * GIB, 4, 4 * GIB},
		{"amdgpu", 0, 4, 0},
		{"amdgpu", 32 * GIB, 0, 0},
		{"amdgpu", 3, 4, 0},
		/* The PF keeps some, and some kernels round down to a power of two. */
		{"xe", 14096 * MIB, 1, 8 * GIB},
		{"xe", 14096 * MIB, 2, 4 * GIB},
		{"xe", 16 * GIB, 1, 8 * GIB},
		{"xe", 16 * GIB + 128 * MIB, 2, 8 * GIB},
		{"i915", 16 * GIB, 8, GIB},
		{"i915", 16 * GIB, 16, 512 * MIB},
		{"xe", 128 * MIB, 1, 0},
		{"xe", 128 * MIB + 1, 1, 1},
		{"xe", UINT64_MAX, 1, UINT64_C(1) << 63},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct gp_gpu gpu = {.driver = rows[i].driver, .vram_bytes = rows[i].total};
		ck_assert_msg(gp_vram_of_each(&gpu, rows[i].count) == rows[i].expected, "row %zu: %llu", i,
			      (unsigned long long)gp_vram_of_each(&gpu, rows[i].count));
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		amdgpu_tells_one_number,     xe_tells_one_number_a_tile,    i915_tells_under_its_card,
		what_is_not_told_is_unknown, each_vf_has_its_part_at_least,
	};
	return run_tests("vendor_vram", tests, COUNT_OF(tests));
}

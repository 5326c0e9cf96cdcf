/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which back-end takes a GPU, and what it says of those that it cannot partition. */
#include "../base/base_suite.h"
#include "fake_host.h"
#include "vendor/vendor.h"

struct row {
	const char *what;
	struct gp_gpu gpu;
	const char *expected;
};

START_TEST(the_most_specific_back_end_takes_a_gpu)
{
	static const struct row rows[] = {
		{"NVIDIA with SR-IOV",
		 {.vendor = 0x10de, .sriov = true, .total_vfs = 16, .driver = "nvidia"},
		 "nvidia"},
		{"NVIDIA without", {.vendor = 0x10de, .driver = "nouveau"}, "nvidia"},
		{"NVIDIA without a driver", {.vendor = 0x10de, .sriov = true, .total_vfs = 16}, "nvidia"},
		{"AMD with gim", {.vendor = 0x1002, .sriov = true, .total_vfs = 8, .driver = "gim"}, "gim"},
		{"AMD with another driver",
		 {.vendor = 0x1002, .sriov = true, .total_vfs = 8, .driver = "amdgpu"},
		 "sriov"},
		{"Intel", {.vendor = 0x8086, .sriov = true, .total_vfs = 31, .driver = "xe"}, "sriov"},
		{"a NIC",
		 {.vendor = 0x8086, .sriov = true, .total_vfs = 64, .driver = "ice", .named_only = true},
		 "sriov"},
		{"driver switched SR-IOV off", {.vendor = 0x8086, .sriov = true, .driver = "xe"}, "sriov"},
		{"a server's VGA", {.vendor = 0x1a03, .driver = "ast"}, "none"},
		{"nothing known", {.numa_node = -1}, "none"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct gp_vendor *vendor = gp_vendor_for(&rows[i].gpu);
		ck_assert_ptr_nonnull(vendor);
		ck_assert_msg(gp_streq(vendor->name, rows[i].expected), "%s went to %s", rows[i].what, vendor->name);
	}
}
END_TEST

static struct gp_gpu observed(struct gp_gpu gpu)
{
	struct gp_host host = {0};
	const struct gp_vendor *vendor = gp_vendor_for(&gpu);
	ck_assert_int_eq(vendor->observe(&host, NULL, &gpu, NULL), 0);
	ck_assert_str_eq(gpu.backend_name, vendor->name);
	ck_assert_uint_eq(host.reads, 0);
	return gpu;
}

START_TEST(gim_needs_its_own_back_end)
{
	struct gp_gpu gpu = observed((struct gp_gpu){.vendor = 0x1002, .driver = "gim", .sriov = true, .total_vfs = 8});
	ck_assert_int_eq(gpu.unfit, GP_UNFIT_NEEDS_BACKEND);
	ck_assert_str_eq(gpu.unfit_why,
			 "needs its own back-end: the driver gim makes its VFs when it is loaded, by its "
			 "parameter vf_num, and refuses a change through sriov_numvfs");
	ck_assert_str_eq(gpu.unfit_remedy, "let no class match it, for instance with not: {vendor: amd}");
}
END_TEST

START_TEST(a_gpu_without_sriov_says_so)
{
	struct gp_gpu gpu = observed((struct gp_gpu){.vendor = 0x1a03, .driver = "ast"});
	ck_assert_int_eq(gpu.unfit, GP_UNFIT_NO_SRIOV);
	ck_assert_str_eq(gpu.unfit_why,
			 "it shows no SR-IOV capability (no sriov_totalvfs), so it cannot be partitioned");
	ck_assert_str_eq(gpu.unfit_remedy, "if the device has SR-IOV: switch it on in the firmware setup, and use a "
					   "kernel with CONFIG_PCI_IOV");
}
END_TEST

static struct gp_step *push_nothing(struct gp_step_sink *sink, enum gp_step_kind kind)
{
	(void)sink;
	ck_abort_msg("a step of kind %d", (int)kind);
	return NULL;
}

START_TEST(what_is_not_supported_is_never_changed)
{
	struct gp_gpu gpus[] = {{.driver = "gim", .sriov = true, .total_vfs = 8}, {.vendor = 0x1a03}};
	struct gp_class class_of = {.name = "vdi", .count = 8, .series = "Q"};
	for (size_t i = 0; i < COUNT_OF(gpus); i++) {
		const struct gp_vendor *vendor = gp_vendor_for(&gpus[i]);
		struct gp_delta delta = {.gpu = &gpus[i], .class_of = &class_of, .from = 0, .to = 8};
		struct gp_step_sink sink = {.delta = &delta, .push = push_nothing};
		struct gp_layout *layouts = (struct gp_layout[1]){{0}};
		struct gp_hostdev device = {.managed = true};
		GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		size_t count = 7;
		vendor->steps(&delta, &sink);
		vendor->layouts(&gpus[i], &class_of, NULL, &layouts, &count);
		ck_assert(!vendor->check(&class_of, &gpus[i], &diags));
		vendor->device(&gpus[i], 0, &device);
		gp_fail(&err, GP_E_IO, "as it was");
		vendor->explain(&gpus[i], &(struct gp_step){.kind = GP_STEP_WRITE}, &err);
		ck_assert_ptr_null(layouts);
		ck_assert_uint_eq(count, 0);
		ck_assert_uint_eq(diags.count, 0); /* the GPU's own words say it */
		ck_assert(!device.managed);
		ck_assert_str_eq(err.message, "as it was");
	}
}
END_TEST

START_TEST(only_vfio_and_the_vgpu_driver_are_idle)
{
	static const struct {
		struct gp_gpu gpu;
		const char *driver;
		bool idle;
	} rows[] = {
		{{.vendor = 0x8086, .sriov = true}, NULL, true},
		{{.vendor = 0x8086, .sriov = true}, "vfio-pci", true},
		{{.vendor = 0x8086, .sriov = true}, "xe-vfio-pci", true},
		{{.vendor = 0x15b3, .sriov = true}, "mlx5_vfio_pci", true},
		{{.vendor = 0x8086, .sriov = true}, "xe", false},
		{{.vendor = 0x8086, .sriov = true}, "iavf", false},
		{{.vendor = 0x8086, .sriov = true}, "nvidia", false},
		{{.vendor = 0x10de, .sriov = true}, "nvidia", true},
		{{.vendor = 0x10de, .sriov = true}, "vfio-pci", true},
		{{.vendor = 0x10de, .sriov = true}, "nouveau", false},
		{{.driver = "gim", .sriov = true}, NULL, true},
		{{.driver = "gim", .sriov = true}, "amdgpu", false},
		{{.vendor = 0x1a03}, "ast", false},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		ck_assert_msg(gp_vendor_for(&rows[i].gpu)->idle_driver(rows[i].driver) == rows[i].idle, "row %zu, %s",
			      i, rows[i].driver == NULL ? "no driver" : rows[i].driver);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_most_specific_back_end_takes_a_gpu,
		gim_needs_its_own_back_end,
		a_gpu_without_sriov_says_so,
		what_is_not_supported_is_never_changed,
		only_vfio_and_the_vgpu_driver_are_idle,
	};
	return run_tests("vendor_registry", tests, COUNT_OF(tests));
}

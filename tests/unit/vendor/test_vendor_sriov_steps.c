/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain SR-IOV: which steps lead from one count to another, and what the kernel's answers to them mean. */
#include <errno.h>
#include <inttypes.h>

#include "../base/base_suite.h"
#include "model/names.h"
#include "vendor/vendor.h"

static const struct gp_gpu gpu_with_autoprobe = {.addr = {.bus = 0x41},
						 .driver = "xe",
						 .sriov = true,
						 .total_vfs = 16,
						 .autoprobe_known = true,
						 .autoprobe = true};

enum { STEPS_MAX = 8 };

struct fixture {
	struct gp_arena *arena;
	struct gp_delta delta;
	struct gp_step_sink sink;
	struct gp_step steps[STEPS_MAX];
	size_t step_count;
	struct gp_str text;
};

static void clear_fixture(struct fixture *f)
{
	gp_str_clear(&f->text);
	gp_arena_free(f->arena);
}

static struct gp_step *push(struct gp_step_sink *sink, enum gp_step_kind kind)
{
	struct fixture *f = sink->context;
	ck_assert_uint_lt(f->step_count, STEPS_MAX);
	struct gp_step *step = &f->steps[f->step_count++];
	*step = (struct gp_step){.kind = kind, .reason = sink->delta->reason, .case_number = sink->delta->case_number};
	return step;
}

/* One line a step: all that the executor and a reader see of it. */
static void describe(const struct gp_step *step, struct gp_str *out)
{
	char pf[GP_PCI_ADDR_SIZE];
	gp_str_printf(out, "%s %s %s %s: %s -> %s, %" PRIu64 " s, pf %s, guard %s, disrupts %s [%s] case %u\n",
		      gp_step_kind_name(step->kind), gp_step_base_name(step->base), step->device, step->attribute,
		      step->before == NULL ? "any" : step->before, step->after, step->timeout_ms / 1000,
		      gp_pci_addr_format(step->pf, pf), gp_guard_name(step->guard),
		      gp_disruption_name(step->disruption), step->what, step->case_number);
}

static void check_steps(const struct gp_gpu *gpu, uint32_t from, uint32_t to, const char *expected)
{
	GP_CLEANUP(clear_fixture) struct fixture f = {.arena = gp_arena_new()};
	struct gp_class class_of = {.name = "vdi"};
	f.delta = (struct gp_delta){.gpu = gpu,
				    .class_of = &class_of,
				    .from = from,
				    .to = to,
				    .reason = {.code = "partition-count", .text = "class vdi asks for it"},
				    .case_number = 3};
	f.sink = (struct gp_step_sink){.arena = f.arena, .delta = &f.delta, .push = push, .context = &f};
	gp_vendor_for(gpu)->steps(&f.delta, &f.sink);
	for (size_t i = 0; i < f.step_count; i++) {
		describe(&f.steps[i], &f.text);
		ck_assert_str_eq(f.steps[i].reason.code, "partition-count");
	}
	ck_assert_str_eq(gp_str_text(&f.text), expected);
	ck_assert_ptr_null(f.sink.observe_why);
}

#define AUTOPROBE                                                                                                      \
	"write pci 0000:41:00.0 sriov_drivers_autoprobe: 1 -> 0, 10 s, pf 0000:41:00.0, guard none, disrupts none "    \
	"[keep the host's drivers off new VFs] case 3\n"
#define ENABLE_8                                                                                                       \
	"write pci 0000:41:00.0 sriov_numvfs: 0 -> 8, 120 s, pf 0000:41:00.0, guard none, disrupts none "              \
	"[enable 8 VFs] case 3\n"
#define WAIT_8                                                                                                         \
	"wait pci 0000:41:00.0 virtfn: any -> 8, 30 s, pf 0000:41:00.0, guard none, disrupts none [wait for 8 VFs] "   \
	"case 3\n"
#define DISABLE_4                                                                                                      \
	"write pci 0000:41:00.0 sriov_numvfs: 4 -> 0, 120 s, pf 0000:41:00.0, guard unheld, disrupts partition-lost "  \
	"[disable all 4 VFs] case 3\n"
#define WAIT_0                                                                                                         \
	"wait pci 0000:41:00.0 virtfn: any -> 0, 30 s, pf 0000:41:00.0, guard none, disrupts none "                    \
	"[wait until no VF is left] case 3\n"

START_TEST(from_none_vfs_are_enabled_without_host_drivers)
{
	check_steps(&gpu_with_autoprobe, 0, 8, AUTOPROBE ENABLE_8 WAIT_8);
}
END_TEST

START_TEST(autoprobe_is_left_when_it_is_off_or_absent)
{
	struct gp_gpu gpu = gpu_with_autoprobe;
	gpu.autoprobe = false;
	check_steps(&gpu, 0, 8, ENABLE_8 WAIT_8);
	gpu.autoprobe_known = false;
	gpu.autoprobe = true;
	check_steps(&gpu, 0, 8, ENABLE_8 WAIT_8);
}
END_TEST

START_TEST(another_count_goes_through_zero)
{
	check_steps(&gpu_with_autoprobe, 4, 8, DISABLE_4 AUTOPROBE ENABLE_8 WAIT_8);
}
END_TEST

START_TEST(to_none_is_guarded_and_leaves_autoprobe)
{
	check_steps(&gpu_with_autoprobe, 4, 0, DISABLE_4 WAIT_0);
}
END_TEST

START_TEST(one_vf_is_one_vf)
{
	check_steps(&gpu_with_autoprobe, 1, 0,
		    "write pci 0000:41:00.0 sriov_numvfs: 1 -> 0, 120 s, pf 0000:41:00.0, guard unheld, disrupts "
		    "partition-lost [disable 1 VF] case 3\n" WAIT_0);
	struct gp_gpu gpu = gpu_with_autoprobe;
	gpu.autoprobe = false;
	check_steps(&gpu, 0, 1,
		    "write pci 0000:41:00.0 sriov_numvfs: 0 -> 1, 120 s, pf 0000:41:00.0, guard none, disrupts none "
		    "[enable 1 VF] case 3\n"
		    "wait pci 0000:41:00.0 virtfn: any -> 1, 30 s, pf 0000:41:00.0, guard none, disrupts none "
		    "[wait for 1 VF] case 3\n");
}
END_TEST

START_TEST(no_difference_no_steps)
{
	check_steps(&gpu_with_autoprobe, 8, 8, "");
	check_steps(&gpu_with_autoprobe, 0, 0, "");
}
END_TEST

/* ---- the kernel's answers ---- */

struct answer_row {
	int sys;
	const char *remedy;
};

static const struct gp_step write_numvfs = {.kind = GP_STEP_WRITE, .attribute = "sriov_numvfs"};

static void explain(const struct gp_step *step, struct gp_error *err)
{
	gp_vendor_for(&gpu_with_autoprobe)->explain(&gpu_with_autoprobe, step, err);
}

START_TEST(every_answer_of_the_kernel_has_a_remedy)
{
	static const struct answer_row rows[] = {
		{ENOENT, "bind a driver that can make VFs"},
		{ENOSYS, "bind a driver that can make VFs"},
		{ERANGE, "plan again: sriov_totalvfs has become smaller"},
		{EBUSY, "plan again: somebody else may have changed the VFs meanwhile"},
		{ENOMEM,
		 "switch on \"Above 4G decoding\" (and \"SR-IOV\", a larger \"MMIO high size\") in the firmware "
		 "setup, or boot with pci=realloc; when bus numbers are short ('dmesg' tells): "
		 "pci=assign-busses; or ask for fewer partitions"},
		{ENOSPC, "ask for fewer partitions"},
		{EIO, "see 'dmesg'; a reset or a cold start of the device may help"},
		{EPERM, "shut down the VMs that have VFs of this device; see 'dmesg'"},
		{ENODEV,
		 "switch virtualization on in the firmware setup: the driver does not act as a PF; see 'dmesg'"},
		{EINVAL, "ask for another count; 'dmesg' may tell which"},
		{EXDEV, NULL},
		{0, NULL},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		gp_fail(&err, GP_E_IO, "the write failed");
		err.sys = rows[i].sys;
		explain(&write_numvfs, &err);
		ck_assert_int_eq(err.kind, GP_E_IO);
		ck_assert_str_eq(err.message, "the write failed");
		if (rows[i].remedy == NULL)
			ck_assert_ptr_null(err.remedy);
		else
			ck_assert_str_eq(err.remedy, rows[i].remedy);
	}
}
END_TEST

START_TEST(a_remedy_that_is_there_stays)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_fail_errno(&err, ENOMEM, "the write failed");
	gp_error_remedy(&err, "buy memory");
	explain(&write_numvfs, &err);
	ck_assert_str_eq(err.remedy, "buy memory");
}
END_TEST

START_TEST(answers_to_other_steps_are_left_alone)
{
	static const struct gp_step others[] = {{.kind = GP_STEP_WRITE, .attribute = "sriov_drivers_autoprobe"},
						{.kind = GP_STEP_WAIT, .attribute = "sriov_numvfs"},
						{.kind = GP_STEP_START}};
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		gp_fail_errno(&err, ENOENT, "it failed");
		explain(&others[i], &err);
		ck_assert_str_eq(err.message, "it failed: No such file or directory");
		ck_assert_ptr_null(err.remedy);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		from_none_vfs_are_enabled_without_host_drivers,
		autoprobe_is_left_when_it_is_off_or_absent,
		another_count_goes_through_zero,
		to_none_is_guarded_and_leaves_autoprobe,
		one_vf_is_one_vf,
		no_difference_no_steps,
		every_answer_of_the_kernel_has_a_remedy,
		a_remedy_that_is_there_stays,
		answers_to_other_steps_are_left_alone,
	};
	return run_tests("vendor_sriov_steps", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVIDIA: which steps lead from types to types in either framework, how VMs are given a VF, and what answers mean. */
#include <errno.h>
#include <inttypes.h>

#include "../base/base_suite.h"
#include "model/names.h"
#include "nvidia_box.h"

#define MDEV_OLD "11111111-2222-5333-8444-555555555555"
#define MDEV_NEW "aaaaaaaa-2222-5333-8444-555555555555"

enum { STEPS_MAX = 16, VFS_MAX = 4 };

struct fixture {
	struct box box;
	struct gp_delta delta;
	struct gp_policy policy;
	struct gp_vf_change vfs[VFS_MAX];
	struct gp_uuid mdev;
	struct gp_step_sink sink;
	struct gp_step steps[STEPS_MAX];
	size_t step_count, later; /* steps after which another look is wanted */
};

static void clear_fixture(struct fixture *f)
{
	box_clear(&f->box);
}
#define FIXTURE GP_CLEANUP(clear_fixture) struct fixture

static struct gp_step *push(struct gp_step_sink *sink, enum gp_step_kind kind)
{
	struct fixture *f = sink->context;
	ck_assert_uint_lt(f->step_count, STEPS_MAX);
	f->later += sink->observe_why != NULL;
	struct gp_step *step = &f->steps[f->step_count++];
	*step = (struct gp_step){.kind = kind, .reason = sink->delta->reason, .case_number = sink->delta->case_number};
	return step;
}

static void describe(const struct gp_step *step, struct gp_str *out)
{
	char pf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(step->pf, pf);
	ck_assert_str_eq(pf, "0000:41:00.0");
	gp_str_printf(out, "%s %s %s %s: %s -> %s, %" PRIu64 " s, guard %s, disrupts %s [%s] case %u\n",
		      gp_step_kind_name(step->kind), gp_step_base_name(step->base), step->device, step->attribute,
		      step->before == NULL ? "any" : step->before, step->after, step->timeout_ms / 1000,
		      gp_guard_name(step->guard), gp_disruption_name(step->disruption), step->what, step->case_number);
}

static const struct gp_layout_group *type_named(const struct gp_gpu *gpu, const char *profile)
{
	for (size_t i = 0; i < gpu->layout_count; i++)
		if (gp_streq(gpu->layouts[i].groups->profile, profile))
			return gpu->layouts[i].groups;
	ck_abort_msg("no %s", profile);
	return NULL;
}

/* A change of one VF; "" as a type is none. */
static void change(struct fixture *f, uint32_t vf, bool clears, const char *to, const char *params)
{
	ck_assert_uint_lt(f->delta.vf_count, VFS_MAX);
	f->vfs[f->delta.vf_count++] = (struct gp_vf_change){
		.vf = vf,
		.now = gp_gpu_partition(&f->box.gpu, vf),
		.clears = clears,
		.to = *to == '\0' ? NULL : type_named(&f->box.gpu, to),
		.mdev = &f->mdev,
		.params = params,
		.reason = {.code = "vf"},
		.case_number = 40 + vf,
	};
}

static const char *steps_text(struct fixture *f, uint32_t from, uint32_t to)
{
	f->delta.gpu = &f->box.gpu;
	f->delta.policy = &f->policy;
	f->delta.from = from;
	f->delta.to = to;
	f->delta.vfs = f->vfs;
	f->delta.reason.code = "gpu";
	f->delta.case_number = 5;
	f->sink = (struct gp_step_sink){.arena = f->box.arena, .delta = &f->delta, .push = push, .context = f};
	gp_vendor_for(&f->box.gpu)->steps(&f->delta, &f->sink);
	gp_str_clear(&f->box.text);
	for (size_t i = 0; i < f->step_count; i++)
		describe(&f->steps[i], &f->box.text);
	return gp_str_text(&f->box.text);
}

static struct fixture with(struct box box)
{
	struct fixture f = {.box = box};
	ck_assert_int_eq(gp_uuid_parse(MDEV_NEW, &f.mdev), 0);
	box_observe(&f.box);
	return f;
}

#define ENABLE                                                                                                         \
	"helper pci 0000:41:00.0 sriov-manage: any -> -e, 540 s, guard no-vfs, disrupts none [enable all its 16 "      \
	"VFs] case 5\n"                                                                                                \
	"wait pci 0000:41:00.0 virtfn: any -> 16, 60 s, guard none, disrupts none [wait for 16 VFs] case 5\n"          \
	"wait pci 0000:41:00.0 vf-driver: any -> nvidia, 60 s, guard none, disrupts none [wait until all of them are " \
	"bound to nvidia] case 5\n"                                                                                    \
	"wait pci 0000:41:00.0 vf-shows: any -> nvidia/current_vgpu_type mdev_supported_types, 60 s, guard none, "     \
	"disrupts none [wait until they can be given vGPU types] case 5\n"

START_TEST(vfs_are_enabled_and_then_looked_at)
{
	FIXTURE f = with(box_make(BOX_A16));
	change(&f, 0, false, "A16-8Q", NULL);
	change(&f, 1, false, "A16-8Q", "disable_vnc=1");
	ck_assert_str_eq(steps_text(&f, 0, 2), ENABLE
			 "write pci vf:0000:41:00.0/0 nvidia/current_vgpu_type: 0 -> 714, 60 s, guard none, disrupts "
			 "none [give it vGPU type A16-8Q (714)] case 40\n"
			 "write pci vf:0000:41:00.0/1 nvidia/current_vgpu_type: 0 -> 714, 60 s, guard none, disrupts "
			 "none [give it vGPU type A16-8Q (714)] case 41\n"
			 "write pci vf:0000:41:00.0/1 nvidia/vgpu_params: any -> disable_vnc=1, 10 s, guard none, "
			 "disrupts none [set its vgpu_params] case 41\n");
	ck_assert_str_eq(f.sink.observe_why, "which vGPU framework the driver uses can only be seen once VFs exist");
	ck_assert_uint_eq(f.later, 3);
	ck_assert_str_eq(f.steps[0].program, "/usr/lib/nvidia/sriov-manage");
	ck_assert_str_eq(f.steps[0].reason.code, "gpu");
	ck_assert_str_eq(f.steps[4].reason.code, "vf");
}
END_TEST

START_TEST(the_program_may_lie_elsewhere_and_drivers_are_let_in)
{
	struct box box = box_make(BOX_A16);
	box.gpu.autoprobe = false;
	FIXTURE f = with(box);
	f.policy.sriov_manage = "/opt/nvidia/sriov-manage";
	ck_assert_str_eq(steps_text(&f, 0, 4),
			 "write pci 0000:41:00.0 sriov_drivers_autoprobe: 0 -> 1, 10 s, guard none, disrupts none [let "
			 "new VFs have their driver] case 5\n" ENABLE);
	ck_assert_str_eq(f.steps[1].program, "/opt/nvidia/sriov-manage");
	ck_assert_ptr_nonnull(f.sink.observe_why);
}
END_TEST

START_TEST(nothing_needs_no_vfs)
{
	FIXTURE f = with(box_make(BOX_A16));
	ck_assert_str_eq(steps_text(&f, 0, 0), "");
	ck_assert_ptr_null(f.sink.observe_why);
}
END_TEST

/* ---- vendor VFIO ---- */

static struct fixture vfio_with(const char *type_of_0, const char *type_of_2)
{
	struct box box = box_make(BOX_A16);
	box_vfio(&box);
	box_vf_file(&box, 0, "nvidia/current_vgpu_type", type_of_0);
	box_vf_file(&box, 2, "nvidia/current_vgpu_type", type_of_2);
	return with(box);
}

START_TEST(vendor_vfio_clears_all_before_it_gives_any)
{
	FIXTURE f = vfio_with("713\n", "713\n");
	change(&f, 0, true, "A16-2Q", NULL);
	change(&f, 1, false, "A16-2Q", NULL);
	change(&f, 2, true, "", NULL);
	ck_assert_str_eq(
		steps_text(&f, 2, 2),
		"write pci vf:0000:41:00.0/0 nvidia/current_vgpu_type: 713 -> 0, 60 s, guard vf-unheld, disrupts "
		"partition-lost [take vGPU type A16-4Q (713) from it] case 40\n"
		"write pci vf:0000:41:00.0/2 nvidia/current_vgpu_type: 713 -> 0, 60 s, guard vf-unheld, disrupts "
		"partition-lost [take vGPU type A16-4Q (713) from it] case 42\n"
		"write pci vf:0000:41:00.0/0 nvidia/current_vgpu_type: 0 -> 712, 60 s, guard none, disrupts none [give "
		"it vGPU type A16-2Q (712)] case 40\n"
		"write pci vf:0000:41:00.0/1 nvidia/current_vgpu_type: 0 -> 712, 60 s, guard none, disrupts none [give "
		"it vGPU type A16-2Q (712)] case 41\n");
	ck_assert_ptr_null(f.sink.observe_why);
}
END_TEST

START_TEST(an_unknown_type_is_cleared_by_its_number)
{
	FIXTURE f = vfio_with("1145\n", "0\n");
	change(&f, 0, true, "", NULL);
	ck_assert_str_eq(
		steps_text(&f, 1, 0),
		"write pci vf:0000:41:00.0/0 nvidia/current_vgpu_type: 1145 -> 0, 60 s, guard vf-unheld, disrupts "
		"partition-lost [take vGPU type 1145 from it] case 40\n");
}
END_TEST

START_TEST(params_alone_disturb_nothing)
{
	FIXTURE f = vfio_with("713\n", "713\n");
	change(&f, 0, false, "", "disable_vnc=1");
	change(&f, 2, false, "", "");
	ck_assert_str_eq(
		steps_text(&f, 2, 2),
		"write pci vf:0000:41:00.0/0 nvidia/vgpu_params: any -> disable_vnc=1, 10 s, guard vf-unheld, "
		"disrupts none [set its vgpu_params] case 40\n"
		"write pci vf:0000:41:00.0/2 nvidia/vgpu_params: any ->  , 10 s, guard vf-unheld, disrupts none "
		"[clear its vgpu_params] case 42\n");
}
END_TEST

/* ---- mdev ---- */

static struct fixture mdev_with(uint32_t vf, const char *type)
{
	struct box box = box_make(BOX_A16);
	box_mdev(&box);
	box_make_mdev(&box, vf, MDEV_OLD, type);
	return with(box);
}

START_TEST(mdev_removes_before_it_makes)
{
	FIXTURE f = mdev_with(1, "nvidia-713");
	change(&f, 0, false, "A16-2Q", NULL);
	change(&f, 1, true, "", NULL);
	ck_assert_str_eq(
		steps_text(&f, 1, 1),
		"write mdev " MDEV_OLD " remove: any -> 1, 60 s, guard vf-unheld, disrupts partition-lost "
		"[remove this mediated device from VF 1, vGPU type A16-4Q (713)] case 41\n"
		"write pci vf:0000:41:00.0/0 mdev_supported_types/nvidia-712/create: any -> " MDEV_NEW
		", 60 s, guard none, disrupts none [make a mediated device of vGPU type A16-2Q (712) on it] case 40\n");
}
END_TEST

START_TEST(mdev_params_belong_to_the_device)
{
	FIXTURE f = mdev_with(1, "nvidia-712");
	change(&f, 0, false, "A16-2Q", "disable_vnc=1");
	change(&f, 1, false, "", "");
	ck_assert_str_eq(
		steps_text(&f, 1, 2),
		"write pci vf:0000:41:00.0/0 mdev_supported_types/nvidia-712/create: any -> " MDEV_NEW
		", 60 s, guard none, disrupts none [make a mediated device of vGPU type A16-2Q (712) on it] case 40\n"
		"write mdev " MDEV_NEW " nvidia/vgpu_params: any -> disable_vnc=1, 10 s, guard none, disrupts "
		"none [set its vgpu_params] case 40\n"
		"write mdev " MDEV_OLD " nvidia/vgpu_params: any ->  , 10 s, guard vf-unheld, disrupts none [clear "
		"its vgpu_params] case 41\n");
}
END_TEST

/* ---- a VM's device ---- */

START_TEST(a_vf_stays_with_its_driver)
{
	FIXTURE vfio = vfio_with("713\n", "0\n");
	FIXTURE mdev = mdev_with(0, "nvidia-713");
	const struct gp_vendor *vendor = gp_vendor_for(&vfio.box.gpu);
	ck_assert(vendor->by_profile);
	struct gp_hostdev device = {.managed = true, .type = GP_HOSTDEV_MDEV};
	vendor->device(&vfio.box.gpu, 0, &device);
	ck_assert_int_eq(device.type, GP_HOSTDEV_PCI);
	ck_assert(!device.managed);
	device.managed = true;
	vendor->device(&mdev.box.gpu, 0, &device);
	ck_assert_int_eq(device.type, GP_HOSTDEV_MDEV);
	ck_assert(!device.managed);
}
END_TEST

/* ---- words ---- */

#define DAEMONS "see 'systemctl status nvidia-vgpud nvidia-vgpu-mgr' and their journal, and 'dmesg'"

static const struct gp_step helper = {.kind = GP_STEP_HELPER, .attribute = "sriov-manage", .after = "-e"};
static const struct gp_step links = {.kind = GP_STEP_WAIT, .attribute = "virtfn", .after = "16"};
static const struct gp_step drivers = {.kind = GP_STEP_WAIT, .attribute = "vf-driver", .after = "nvidia"};
static const struct gp_step give = {.kind = GP_STEP_WRITE, .attribute = "nvidia/current_vgpu_type", .after = "712"};
static const struct gp_step clear = {.kind = GP_STEP_WRITE, .attribute = "nvidia/current_vgpu_type", .after = "0"};
static const struct gp_step create = {
	.kind = GP_STEP_WRITE, .attribute = "mdev_supported_types/nvidia-712/create", .after = MDEV_NEW};
static const struct gp_step remove_mdev = {
	.kind = GP_STEP_WRITE, .base = GP_BASE_MDEV, .attribute = "remove", .after = "1"};
static const struct gp_step params = {.kind = GP_STEP_WRITE, .attribute = "nvidia/vgpu_params", .after = "x=1"};
static const struct gp_step others[] = {{.kind = GP_STEP_WRITE, .attribute = "sriov_drivers_autoprobe"},
					{.kind = GP_STEP_WRITE, .base = GP_BASE_PCI, .attribute = "remove"},
					{.kind = GP_STEP_WAIT, .attribute = "power_state"},
					{.kind = GP_STEP_START}};

START_TEST(every_answer_of_the_driver_has_a_remedy)
{
	static const struct {
		const struct gp_step *step;
		enum gp_error_kind kind;
		int sys;
		const char *remedy;
	} rows[] = {
		{&helper, GP_E_TIMEOUT, 0,
		 "let it end: killed half-way it would leave the GPU without a driver; 'dmesg' tells what it waits "
		 "for. Then plan again"},
		{&helper, GP_E_NOT_FOUND, ENOENT,
		 "install the vGPU host driver, or say where the program is (policy: sriov_manage)"},
		{&helper, GP_E_VERIFY, 0,
		 "stop what keeps /dev/nvidia* open (DCGM, exporters, nvidia-persistenced, nvidia-smi); see 'dmesg'; a "
		 "driver that was just loaded needs half a minute"},
		{&links, GP_E_TIMEOUT, 0, DAEMONS},
		{&drivers, GP_E_TIMEOUT, 0,
		 "look whether sriov_drivers_autoprobe of the GPU is 1, and what else binds its VFs (driver_override, "
		 "driverctl, ids= of vfio-pci); see 'dmesg'"},
		{&give, GP_E_VERIFY, 0,
		 "see 'dmesg' and the journal of nvidia-vgpu-mgr for why the driver did not take the type, then plan "
		 "again"},
		{&give, GP_E_PERMISSION, EPERM,
		 "run gpupart as root; if it does: shut down the VM that has this VF, and see 'dmesg'"},
		{&give, GP_E_PERMISSION, EACCES, "run as root"},
		{&give, GP_E_IO, EIO,
		 "see 'dmesg' (NVRM): the GPU may be in MIG mode, or have no room left for this type; then plan again"},
		{&give, GP_E_IO, EINVAL,
		 "plan again: the driver cannot make this type on the VF now (it has another one, or vGPUs of another "
		 "size are on the GPU)"},
		{&give, GP_E_BUSY, EBUSY, "plan again: somebody else is at work on this VF"},
		{&give, GP_E_IO, ENXIO, DAEMONS},
		{&create, GP_E_IO, ENODEV, DAEMONS},
		{&create, GP_E_IO, ENOSPC, "plan again: no more vGPUs of this type fit on the GPU"},
		{&create, GP_E_IO, EEXIST, "plan again: a mediated device of this name is there already"},
		{&clear, GP_E_VERIFY, 0,
		 "shut down the VM that has this VF; if none has, its release has not settled: wait, and plan again"},
		{&clear, GP_E_PERMISSION, EPERM, "run gpupart as root; if it does: shut down the VM that has this VF"},
		{&remove_mdev, GP_E_BUSY, EBUSY,
		 "shut down the VM that has this VF, wait until it has let go, and plan again"},
		{&clear, GP_E_IO, EIO,
		 "see 'dmesg' (NVRM); a VM that was killed while it started may have left the VF unusable: then the "
		 "GPU's VFs must be made anew, with no VM on them"},
		{&clear, GP_E_IO, ENXIO, DAEMONS},
		{&params, GP_E_IO, EINVAL,
		 "look into NVIDIA's manual which vgpu_params this release of the driver knows"},
		{&params, GP_E_PERMISSION, EPERM,
		 "run gpupart as root; if it does: they can be set only while no VM has this VF"},
		{&params, GP_E_IO, ENXIO, "plan again: the VF has no vGPU type any more"},
		{&give, GP_E_STALE, 0, NULL},
		{&clear, GP_E_REFUSED, 0, NULL},
		{&helper, GP_E_NONE, 0, NULL},
		{&give, GP_E_IO, EXDEV, NULL},
		{&others[0], GP_E_IO, EIO, NULL},
		{&others[1], GP_E_IO, EIO, NULL},
		{&others[2], GP_E_TIMEOUT, 0, NULL},
		{&others[3], GP_E_IO, EIO, NULL},
	};
	struct gp_gpu gpu = {.vendor = 0x10de};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		if (rows[i].kind != GP_E_NONE)
			gp_fail(&err, rows[i].kind, "it failed");
		err.sys = rows[i].sys;
		gp_vendor_for(&gpu)->explain(&gpu, rows[i].step, &err);
		if (rows[i].remedy == NULL)
			ck_assert_msg(err.remedy == NULL, "row %zu: %s", i, err.remedy);
		else
			ck_assert_str_eq(err.remedy, rows[i].remedy);
	}
}
END_TEST

START_TEST(what_could_be_made_is_mentioned)
{
	struct gp_gpu gpu = {.vendor = 0x10de, .not_creatable = "A16-4Q, A16-4C"};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_fail(&err, GP_E_VERIFY, "fell to 0");
	gp_vendor_for(&gpu)->explain(&gpu, &give, &err);
	ck_assert_str_eq(err.remedy,
			 "see 'dmesg' and the journal of nvidia-vgpu-mgr for why the driver did not take the "
			 "type, then plan again; the driver offers now: A16-4Q, A16-4C");
	gp_error_remedy(&err, "as it was");
	gp_vendor_for(&gpu)->explain(&gpu, &give, &err);
	ck_assert_str_eq(err.remedy, "as it was");
}
END_TEST

TREE_RUN("vendor_nvidia_steps", vfs_are_enabled_and_then_looked_at,
	 the_program_may_lie_elsewhere_and_drivers_are_let_in, nothing_needs_no_vfs,
	 vendor_vfio_clears_all_before_it_gives_any, an_unknown_type_is_cleared_by_its_number,
	 params_alone_disturb_nothing, mdev_removes_before_it_makes, mdev_params_belong_to_the_device,
	 a_vf_stays_with_its_driver, every_answer_of_the_driver_has_a_remedy, what_could_be_made_is_mentioned)

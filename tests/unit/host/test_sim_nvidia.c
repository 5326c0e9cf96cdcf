/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The simulated machine with NVIDIA's vGPU driver, in both kernel frameworks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim_machine.h"

#define PF       "0000:41:00.0"
#define VF0      "0000:41:00.4" /* four functions after the PF */
#define VF1      "0000:41:00.5"
#define VF2      "0000:41:00.6"
#define VF15     "0000:41:02.3"
#define NVIDIA   "sys/bus/pci/drivers/nvidia/"
#define TYPE     "/nvidia/current_vgpu_type"
#define PARAMS   "/nvidia/vgpu_params"
#define CAN_MAKE "/nvidia/creatable_vgpu_types"
#define TYPES    "/mdev_supported_types/"
#define MDEV     "sys/bus/mdev/devices/"
#define MANAGE   "/usr/lib/nvidia/sriov-manage"
#define UUID1    "11111111-2222-4333-8444-555555555501"
#define UUID2    "11111111-2222-4333-8444-555555555502"

static struct machine m;
static struct gp_error err;

/* One GPU, and VMs. */
static void make(const char *gpu, const char *vms)
{
	gp_autofree char *text = gp_xasprintf(
		"version: 1\nhostname: h1\ngpus:\n  - {address: \"" PF "\", preset: a16%s}\nvms:\n%s", gpu, vms);
	machine_make(&m, text);
}

static void finish(void)
{
	gp_error_clear(&err);
	machine_remove(&m);
}

static int run(const char *argument)
{
	return gp_kernel_sim_run(m.root, MANAGE, argument, PF);
}

static int set_type(const char *vf, const char *type)
{
	gp_autofree char *path = gp_xasprintf(DEVICES "%s" TYPE, vf);
	return machine_write(&m, path, type);
}

static const char *type_of(const char *vf)
{
	gp_autofree char *path = gp_xasprintf(DEVICES "%s" TYPE, vf);
	return machine_text(&m, path);
}

static int create(const char *vf, unsigned type, const char *uuid)
{
	gp_autofree char *path = gp_xasprintf(DEVICES "%s" TYPES "nvidia-%u/create", vf, type);
	return machine_write(&m, path, uuid);
}

static const char *available(const char *vf, unsigned type)
{
	gp_autofree char *path = gp_xasprintf(DEVICES "%s" TYPES "nvidia-%u/available_instances", vf, type);
	return machine_text(&m, path);
}

static void fails(int result, enum gp_error_kind kind, const char *message)
{
	ck_assert_int_eq(result, -1);
	ck_assert_str_eq(err.message, message);
	ck_assert_int_eq(err.kind, kind);
	gp_error_clear(&err);
}

static int start(const char *vm)
{
	return gp_sim_vm(m.dir, "start", vm, &err);
}

/* ---- the driver ---- */

START_TEST(the_driver_is_there_before_any_vf)
{
	make(", repeat: 2, scheduler: equal-share", "");
	const char *config = machine_raw(&m, GP_VGPU_CONFIG);
	ck_assert_ptr_nonnull(strstr(config, "<!DOCTYPE vgpu SYSTEM \"http"));
	ck_assert_ptr_nonnull(strstr(config, "<vgpuType id=\"557\" name=\"NVIDIA A40-1Q\" class=\"Quadro\">"));
	ck_assert_str_eq(machine_text(&m, "sys/module/nvidia/version"), "550.144.02");
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, "proc/driver/nvidia/version"), "550.144.02"));
	ck_assert_ptr_nonnull(
		strstr(machine_raw(&m, "proc/driver/nvidia/params"), "RegistryDwords: \"RmPVMRL=0x01\"\n"));
	ck_assert_ptr_nonnull(
		strstr(machine_raw(&m, "proc/driver/nvidia/gpus/0000:42:00.0/information"), "Device Minor: \t 1\n"));
	ck_assert_str_eq(machine_text(&m, "proc/driver/nvidia/gpus/" PF "/unbindLock"), "0");
	ck_assert(machine_has(&m, "dev/nvidiactl") && machine_has(&m, "dev/nvidia1"));
	ck_assert(!machine_has(&m, "sys/class/mdev_bus"));
	finish();

	/* Another kernel: the mediated devices' bus is there as well. */
	make(", framework: mdev", "");
	ck_assert(machine_has(&m, "sys/class/mdev_bus") && machine_has(&m, "sys/bus/mdev/devices"));
	finish();
}
END_TEST

START_TEST(one_scheduler_a_gpu)
{
	machine_make(&m, "version: 1\ngpus:\n"
			 "  - {address: \"" PF "\", preset: a16, scheduler: fixed-share}\n"
			 "  - {address: \"0000:81:00.0\", preset: a40}\n");
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, "proc/driver/nvidia/params"),
				     "RegistryDwords: \"\"\nRegistryDwordsPerDevice: \"pci=" PF ";RmPVMRL=0x11\"\n"));
	finish();
}
END_TEST

START_TEST(the_plain_driver_makes_no_vgpus)
{
	make(", vgpu_driver: false", "");
	ck_assert(machine_has(&m, "dev/nvidia0"));
	ck_assert(!machine_has(&m, GP_VGPU_CONFIG));
	ck_assert_int_eq(run("-e"), -ENOENT);
	ck_assert_int_eq(machine_write(&m, DEVICES PF "/sriov_numvfs", "16"), -ENOENT);
	finish();
}
END_TEST

START_TEST(a_driver_that_lets_go_takes_its_files_along)
{
	make(", profile: A16-4Q", "");
	ck_assert_int_eq(machine_write(&m, NVIDIA "unbind", PF), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert(!machine_has(&m, "dev/nvidia0") && !machine_has(&m, "proc/driver/nvidia/gpus/" PF));
	ck_assert_int_eq(run("-e"), 1);
	ck_assert_int_eq(machine_write(&m, NVIDIA "bind", PF), 0);
	ck_assert(machine_has(&m, "dev/nvidia0"));
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_str_eq(type_of(VF0), "0");
	finish();
}
END_TEST

/* ---- sriov-manage ---- */

START_TEST(it_makes_all_vfs_at_once)
{
	make("", "");
	/* And nothing else does. */
	ck_assert_int_eq(machine_write(&m, DEVICES PF "/sriov_numvfs", "16"), -ENOENT);
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 16);
	ck_assert_str_eq(machine_text(&m, DEVICES PF "/sriov_numvfs"), "16");
	ck_assert_str_eq(machine_link(&m, DEVICES PF "/virtfn0"), VF0);
	ck_assert_str_eq(machine_link(&m, DEVICES PF "/virtfn15"), VF15);
	ck_assert_str_eq(machine_link(&m, DEVICES VF15 "/driver"), "nvidia");
	/* Which board it is of, a VF does not tell. */
	ck_assert_str_eq(machine_text(&m, DEVICES PF "/subsystem_device"), "0x14a9");
	ck_assert_str_eq(machine_text(&m, DEVICES VF0 "/subsystem_device"), "0x0000");
	ck_assert_str_eq(machine_text(&m, "proc/driver/nvidia/gpus/" PF "/unbindLock"), "0");
	ck_assert_str_eq(machine_raw(&m, ".sim/trace"),
			 "1 begin write sys/bus/pci/devices/" PF "/sriov_numvfs = 16\n1 end ENOENT\n"
			 "2 begin run " MANAGE " -e " PF "\n2 end ok\n");
	finish();
}
END_TEST

START_TEST(again_is_no_work)
{
	make("", "");
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_int_eq(set_type(VF0, "713"), 0);
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_str_eq(type_of(VF0), "713");
	ck_assert_int_eq(run("-d"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_str_eq(type_of(VF0), "0");
	finish();
}
END_TEST

START_TEST(who_has_the_gpu_open_is_in_the_way)
{
	make(", repeat: 2", "");
	machine_fault(&m, "client " PF);
	ck_assert_str_eq(machine_text(&m, ".sim/faults"), "client " PF " 2001");
	ck_assert_str_eq(machine_text(&m, "proc/2001/comm"), "nvidia-persiste");
	ck_assert_str_eq(machine_link(&m, "proc/2001/fd/21"), "nvidia0");
	ck_assert_int_eq(run("-e"), 1);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_str_eq(machine_raw(&m, ".sim/dmesg"),
			 "pci " PF ": sriov-manage: Cannot obtain unbindLock for " PF "\n");
	ck_assert_str_eq(machine_raw(&m, ".sim/trace"), "1 begin run " MANAGE " -e " PF "\n1 end failed\n");
	/* By hand: the write succeeds, and the lock was not had. */
	ck_assert_int_eq(machine_write(&m, "proc/driver/nvidia/gpus/" PF "/unbindLock", "1"), 0);
	ck_assert_str_eq(machine_text(&m, "proc/driver/nvidia/gpus/" PF "/unbindLock"), "0");
	/* The other GPU is not meant. */
	ck_assert_int_eq(gp_kernel_sim_run(m.root, MANAGE, "-e", "0000:42:00.0"), 0);
	ck_assert_uint_eq(machine_vfs(&m, "0000:42:00.0"), 16);

	machine_fault(&m, "clear");
	ck_assert(!machine_has(&m, "proc/2001"));
	ck_assert_int_eq(machine_write(&m, "proc/driver/nvidia/gpus/" PF "/unbindLock", "1"), 0);
	ck_assert_str_eq(machine_text(&m, "proc/driver/nvidia/gpus/" PF "/unbindLock"), "1");
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 16);
	machine_fault(&m, "client " PF " dcgm");
	ck_assert_str_eq(machine_text(&m, "proc/2001/comm"), "dcgm");
	finish();
}
END_TEST

START_TEST(its_exit_status_says_little)
{
	make("", "");
	machine_fault(&m, "initialising " PF " 3600000");
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	/* From each boot on. */
	ck_assert_int_eq(gp_sim_reboot(m.dir, NULL, &err), 0);
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	machine_fault(&m, "clear");
	machine_fault(&m, "initialising " PF " 0");
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 16);
	ck_assert_int_eq(run("-d"), 0);

	machine_fault(&m, "short " PF " sriov_numvfs");
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 8);
	ck_assert_int_eq(run("-d"), 0);
	machine_fault(&m, "clear");

	machine_fault(&m, "late " PF " 50");
	ck_assert_int_eq(run("-e"), 0);
	ck_assert(machine_wait(&m, DEVICES VF15 TYPE, true));
	finish();
}
END_TEST

START_TEST(how_it_can_fail)
{
	make(", mmio: false", "");
	ck_assert_int_eq(run("-e"), 1);
	ck_assert_int_eq(run("-x"), 1);
	ck_assert_int_eq(gp_kernel_sim_run(m.root, MANAGE, "-e", "0000:99:00.0"), 1);
	ck_assert_int_eq(gp_kernel_sim_run(m.root, "/opt/sriov-manage", "-e", PF), -ENOENT);
	ck_assert_int_eq(gp_kernel_sim_run(m.root, "/etc/hostname", "-e", PF), -ENOENT);
	machine_fault(&m, "fail 1 EAGAIN");
	ck_assert_int_eq(run("-e"), -EAGAIN);
	machine_fault(&m, "attr " PF " sriov-manage EIO");
	ck_assert_int_eq(run("-e"), 1);
	finish();

	machine_make(&m,
		     "version: 1\nsriov_manage: /opt/nv/sriov-manage\ngpus:\n  - {address: \"" PF "\", preset: a2}\n");
	ck_assert_int_eq(run("-e"), -ENOENT);
	ck_assert_int_eq(gp_kernel_sim_run(m.root, "/opt/nv/sriov-manage", "-e", PF), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 16);
	finish();
}
END_TEST

START_TEST(without_autoprobe_nobody_has_the_vfs)
{
	make("", "");
	ck_assert_int_eq(machine_write(&m, DEVICES PF "/sriov_drivers_autoprobe", "0"), 0);
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "<none>");
	ck_assert(!machine_has(&m, DEVICES VF0 "/nvidia"));
	finish();
}
END_TEST

/* ---- vendor VFIO ---- */

static const char all_types[] = "ID    : vGPU Name\n"
				"709   : NVIDIA A16-1B\n710   : NVIDIA A16-2B\n711   : NVIDIA A16-1Q\n"
				"712   : NVIDIA A16-2Q\n713   : NVIDIA A16-4Q\n714   : NVIDIA A16-8Q\n"
				"715   : NVIDIA A16-16Q\n716   : NVIDIA A16-1A\n717   : NVIDIA A16-2A\n"
				"718   : NVIDIA A16-4A\n719   : NVIDIA A16-8A\n720   : NVIDIA A16-16A\n"
				"721   : NVIDIA A16-4C\n722   : NVIDIA A16-8C\n723   : NVIDIA A16-16C\n";

START_TEST(what_a_blank_vf_shows)
{
	make(", vfs: 16", "");
	ck_assert_str_eq(machine_raw(&m, DEVICES VF0 CAN_MAKE), all_types);
	ck_assert_str_eq(type_of(VF0), "0");
	ck_assert_str_eq(machine_raw(&m, DEVICES VF0 PARAMS), "\n");
	ck_assert_uint_eq(machine_mode(&m, DEVICES VF0 CAN_MAKE), 0444);
	ck_assert_uint_eq(machine_mode(&m, DEVICES VF0 TYPE), 0644);
	ck_assert_str_eq(machine_raw(&m, DEVICES VF0 "/nvidia/gpu_instance_id"), "");
	/* A VFIO device with a driver of its own. */
	ck_assert(machine_has(&m, DEVICES VF0 "/vfio-dev/vfio0") && machine_has(&m, "dev/vfio/devices/vfio15"));
	gp_autofree char *group = gp_xasprintf("dev/vfio/%s", machine_link(&m, DEVICES VF0 "/iommu_group"));
	ck_assert(machine_has(&m, group));
	ck_assert(!machine_has(&m, DEVICES VF0 "/mdev_supported_types"));
	finish();
}
END_TEST

START_TEST(lists_shrink_and_grow)
{
	make(", vfs: 16", "");
	ck_assert_int_eq(set_type(VF0, "714\n"), 0);
	ck_assert_str_eq(type_of(VF0), "714");
	/* One size on the whole GPU, of any series. */
	const char *rest = "ID    : vGPU Name\n714   : NVIDIA A16-8Q\n719   : NVIDIA A16-8A\n722   : NVIDIA A16-8C\n";
	ck_assert_str_eq(machine_raw(&m, DEVICES VF0 CAN_MAKE), rest);
	ck_assert_str_eq(machine_raw(&m, DEVICES VF15 CAN_MAKE), rest);
	ck_assert_int_eq(set_type(VF1, "712"), -EIO);
	ck_assert_int_eq(set_type(VF1, "719"), 0);
	/* Full. */
	ck_assert_str_eq(machine_raw(&m, DEVICES VF2 CAN_MAKE), "ID    : vGPU Name\n");
	ck_assert_int_eq(set_type(VF2, "714"), -EIO);
	ck_assert_str_eq(type_of(VF2), "0");
	ck_assert_int_eq(set_type(VF0, "0"), 0);
	ck_assert_str_eq(machine_raw(&m, DEVICES VF2 CAN_MAKE), rest);
	ck_assert_int_eq(set_type(VF1, "0"), 0);
	ck_assert_str_eq(machine_raw(&m, DEVICES VF15 CAN_MAKE), all_types);
	finish();
}
END_TEST

START_TEST(types_that_are_not_taken)
{
	make(", vfs: 16", "");
	ck_assert_int_eq(set_type(VF0, "Q"), -EINVAL);
	ck_assert_int_eq(set_type(VF0, "\n"), -EINVAL);
	ck_assert_int_eq(set_type(VF0, "744"), -EINVAL); /* an A2's */
	ck_assert_int_eq(set_type(VF0, "0"), 0);
	ck_assert_int_eq(set_type(VF0, "713"), 0);
	/* First to 0. */
	ck_assert_int_eq(set_type(VF0, "718"), -EIO);
	ck_assert_int_eq(set_type(VF0, "713"), -EIO);
	ck_assert_str_eq(type_of(VF0), "713");
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 CAN_MAKE, "1"), -EACCES);
	machine_fault(&m, "drops " PF "/1");
	ck_assert_int_eq(set_type(VF1, "713"), 0);
	ck_assert_str_eq(type_of(VF1), "0");
	ck_assert_int_eq(set_type(VF2, "713"), 0);
	ck_assert_str_eq(type_of(VF2), "713");
	machine_fault(&m, "clear");
	machine_fault(&m, "drops " PF);
	ck_assert_int_eq(set_type(VF1, "713"), 0);
	ck_assert_str_eq(type_of(VF1), "0");
	finish();
}
END_TEST

START_TEST(the_board_decides_which_types)
{
	machine_make(&m, "version: 1\ngpus:\n  - {address: \"" PF "\", preset: a40, vfs: 32}\n"
			 "  - {address: \"0000:81:00.0\", preset: l40s, vfs: 32}\n");
	for (unsigned i = 0; i < 32; i++) {
		gp_autofree char *vf = gp_xasprintf("0000:41:%02x.%x", (i + 4) / 8, (i + 4) % 8);
		ck_assert_int_eq(set_type(vf, "557"), 0);
	}
	/* 48 GB, and no VF more. */
	ck_assert_str_eq(machine_raw(&m, DEVICES "0000:41:04.3" CAN_MAKE), "ID    : vGPU Name\n");
	ck_assert_int_eq(set_type("0000:81:00.4", "557"), -EINVAL);
	ck_assert_int_eq(set_type("0000:81:00.4", "1155"), 0);
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, DEVICES "0000:81:00.5" CAN_MAKE), "1155  : NVIDIA L40S-24Q\n"));
	finish();
}
END_TEST

START_TEST(parameters_are_kept_with_the_vgpu)
{
	make(", vfs: 16", "");
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 PARAMS, "disable_vnc=1"), -EINVAL);
	ck_assert_int_eq(set_type(VF0, "713"), 0);
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 PARAMS, "frame_rate_limiter=0,disable_vnc=1\n"), 0);
	ck_assert_str_eq(machine_text(&m, DEVICES VF0 PARAMS), "frame_rate_limiter=0,disable_vnc=1");
	static const char *const bad[] = {"\n", "vnc", "=1", "a=", "a=1,", "a=1 b=2", "a=1,,b=2", ",a=1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(machine_write(&m, DEVICES VF0 PARAMS, bad[i]), -EINVAL);
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 PARAMS, " "), 0);
	ck_assert_str_eq(machine_raw(&m, DEVICES VF0 PARAMS), "\n");
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 PARAMS, "enable_uvm=1"), 0);
	ck_assert_int_eq(set_type(VF0, "0"), 0);
	ck_assert_str_eq(machine_raw(&m, DEVICES VF0 PARAMS), "\n");
	finish();
}
END_TEST

#define RUNNING                                                                                                        \
	"  - {name: web, state: running, hostdevs: [{vf: \"" PF "/0\", ours: vdi}]}\n"                                 \
	"  - {name: off, hostdevs: [{vf: \"" PF "/1\"}]}\n"

START_TEST(a_vf_in_use_is_left_alone)
{
	make(", profiles: [A16-4Q, none, A16-4C]", RUNNING);
	ck_assert_str_eq(type_of(VF2), "721");
	ck_assert_int_eq(set_type(VF0, "0"), -EPERM);
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 PARAMS, "disable_vnc=1"), -EPERM);
	ck_assert_str_eq(type_of(VF0), "713");
	machine_fault(&m, "settle " PF "/0 3600000");
	machine_vm(&m, "stop", "web");
	ck_assert_int_eq(set_type(VF0, "0"), -EPERM);
	machine_fault(&m, "clear");
	ck_assert_int_eq(set_type(VF0, "0"), 0);
	/* A process that is no VM. */
	machine_fault(&m, "hold " PF "/2");
	ck_assert_int_eq(set_type(VF2, "0"), -EPERM);
	ck_assert_str_eq(machine_link(&m, DEVICES VF2 "/driver"), "nvidia");
	machine_fault(&m, "clear");
	ck_assert_int_eq(set_type(VF2, "0"), 0);
	finish();
}
END_TEST

START_TEST(no_other_driver_takes_a_vf)
{
	make(", profile: A16-4Q", "");
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 "/driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(machine_write(&m, NVIDIA "unbind", VF0), 0);
	ck_assert(!machine_has(&m, DEVICES VF0 "/nvidia") && !machine_has(&m, DEVICES VF0 "/vfio-dev"));
	ck_assert(!machine_has(&m, "dev/vfio/devices/vfio0"));
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, DEVICES VF1 CAN_MAKE), "713   : NVIDIA A16-4Q\n"));
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers/vfio-pci/bind", VF0), -EINVAL);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "<none>");
	/* Back with its own driver, it is blank. */
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 "/driver_override", "\n"), 0);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	ck_assert_str_eq(type_of(VF0), "0");
	finish();
}
END_TEST

START_TEST(a_type_can_be_slow_or_fail)
{
	make(", vfs: 16", "");
	machine_fault(&m, "attr " PF "/0 nvidia/current_vgpu_type ENOSPC");
	ck_assert_int_eq(set_type(VF0, "713"), -ENOSPC);
	ck_assert_int_eq(set_type(VF1, "713"), 0);
	machine_fault(&m, "slow " PF "/2 nvidia/current_vgpu_type 20");
	ck_assert_int_eq(set_type(VF2, "713"), 0);
	machine_fault(&m, "fail 1 EIO");
	ck_assert_int_eq(set_type(VF15, "713"), -EIO);
	ck_assert_str_eq(machine_text(&m, ".sim/writes"), "4");
	finish();
}
END_TEST

START_TEST(a_reboot_forgets_them_all)
{
	make(", profile: A16-2Q", "");
	ck_assert_str_eq(type_of("0000:41:01.3"), "712");
	ck_assert_str_eq(type_of("0000:41:01.4"), "0");
	ck_assert_int_eq(gp_sim_reboot(m.dir, NULL, &err), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_int_eq(run("-e"), 0);
	ck_assert_str_eq(machine_raw(&m, DEVICES VF0 CAN_MAKE), all_types);
	finish();
}
END_TEST

/* ---- mediated devices ---- */

START_TEST(what_a_parent_shows)
{
	make(", framework: mdev, vfs: 16", "");
	ck_assert_str_eq(machine_link(&m, "sys/class/mdev_bus/" VF0), VF0);
	ck_assert_str_eq(machine_text(&m, DEVICES VF0 TYPES "nvidia-713/name"), "NVIDIA A16-4Q");
	ck_assert_str_eq(machine_text(&m, DEVICES VF0 TYPES "nvidia-713/device_api"), "vfio-pci");
	ck_assert_str_eq(machine_text(&m, DEVICES VF0 TYPES "nvidia-713/description"),
			 "num_heads=4, frl_config=60, framebuffer=4096M, max_resolution=7680x4320, max_instance=4");
	ck_assert_str_eq(available(VF0, 713), "1");
	ck_assert_uint_eq(machine_mode(&m, DEVICES VF0 TYPES "nvidia-713/create"), 0200);
	ck_assert(!machine_has(&m, DEVICES VF0 "/nvidia") && !machine_has(&m, DEVICES VF0 "/vfio-dev"));
	finish();
}
END_TEST

START_TEST(a_mediated_device_comes_and_goes)
{
	make(", framework: mdev, vfs: 16", "");
	ck_assert_int_eq(create(VF0, 714, UUID1 "\n"), 0);
	ck_assert_str_eq(machine_link(&m, MDEV UUID1), UUID1);
	ck_assert_str_eq(machine_link(&m, MDEV UUID1 "/mdev_type"), "nvidia-714");
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 TYPES "nvidia-714/devices/" UUID1), UUID1);
	ck_assert_str_eq(machine_text(&m, MDEV UUID1 "/mdev_type/name"), "NVIDIA A16-8Q");
	ck_assert(machine_has(&m, DEVICES VF0 "/" UUID1 "/remove"));
	/* A group of its own. */
	gp_autofree char *group = gp_xstrdup(machine_link(&m, MDEV UUID1 "/iommu_group"));
	gp_autofree char *node = gp_xasprintf("dev/vfio/%s", group);
	gp_autofree char *member = gp_xasprintf("sys/kernel/iommu_groups/%s/devices/" UUID1 "/mdev_type", group);
	ck_assert_str_ne(group, machine_link(&m, DEVICES VF0 "/iommu_group"));
	ck_assert(machine_has(&m, node));
	ck_assert_str_eq(machine_link(&m, member), "nvidia-714");

	/* One on a VF, one size on a GPU. */
	ck_assert_str_eq(available(VF0, 714), "0");
	ck_assert_str_eq(available(VF1, 714), "1");
	ck_assert_str_eq(available(VF1, 722), "1");
	ck_assert_str_eq(available(VF1, 713), "0");
	ck_assert_int_eq(create(VF0, 714, UUID2), -ENOSPC);
	ck_assert_int_eq(create(VF1, 713, UUID2), -ENOSPC);
	ck_assert_int_eq(create(VF1, 714, UUID1), -EEXIST);
	ck_assert_int_eq(create(VF1, 714, "x"), -EINVAL);
	ck_assert_int_eq(create(VF1, 722, UUID2), 0);
	ck_assert_str_eq(available(VF2, 714), "0");
	ck_assert_int_eq(machine_write(&m, MDEV UUID2 PARAMS, "disable_vnc=1"), 0);
	ck_assert_str_eq(machine_text(&m, MDEV UUID2 PARAMS), "disable_vnc=1");
	ck_assert_str_eq(machine_raw(&m, MDEV UUID1 PARAMS), "\n");

	ck_assert_int_eq(machine_write(&m, MDEV UUID1 "/remove", "x"), -EINVAL);
	ck_assert_int_eq(machine_write(&m, MDEV UUID1 "/remove", "0"), 0);
	ck_assert(machine_has(&m, MDEV UUID1));
	ck_assert_int_eq(machine_write(&m, MDEV UUID1 "/remove", "1"), 0);
	ck_assert(!machine_has(&m, MDEV UUID1) && !machine_has(&m, node));
	ck_assert(!machine_has(&m, DEVICES VF0 "/" UUID1));
	ck_assert_str_eq(available(VF0, 714), "1");
	ck_assert_str_eq(available(VF1, 714), "0");
	ck_assert_int_eq(machine_write(&m, MDEV UUID1 "/remove", "1"), -ENOENT);
	ck_assert_int_eq(machine_write(&m, MDEV UUID2 "/remove", "1"), 0);
	ck_assert_str_eq(available(VF2, 711), "1");
	finish();
}
END_TEST

START_TEST(a_mediated_device_can_be_lost_at_birth)
{
	make(", framework: mdev, vfs: 16", "");
	machine_fault(&m, "drops " PF "/0");
	ck_assert_int_eq(create(VF0, 714, UUID1), 0);
	ck_assert(!machine_has(&m, MDEV UUID1));
	machine_fault(&m, "attr " PF "/1 create EIO");
	ck_assert_int_eq(create(VF1, 714, UUID1), -EIO);
	finish();
}
END_TEST

/* mdev_device_remove(): its links and its type's go first, then its driver is waited for (drivers/vfio/mdev). */
START_TEST(a_held_mediated_device_is_removed_when_it_is_closed)
{
	make(", framework: mdev, mdevs: [{vf: 1, profile: A16-4C, uuid: " UUID2 "}]", "");
	machine_fault(&m, "hold " PF "/1");
	pid_t writer = fork();
	if (writer == 0)
		_exit(machine_write(&m, MDEV UUID2 "/remove", "1") == 0 ? 0 : 1);
	ck_assert(machine_wait(&m, DEVICES VF1 "/" UUID2 "/remove", false));
	ck_assert(!machine_has(&m, MDEV UUID2) && !machine_has(&m, DEVICES VF1 TYPES "nvidia-721/devices/" UUID2));
	ck_assert(!machine_has(&m, DEVICES VF1 "/" UUID2 "/mdev_type"));
	ck_assert(machine_has(&m, DEVICES VF1 "/" UUID2 "/iommu_group"));
	ck_assert_str_eq(machine_text(&m, DEVICES VF1 TYPES "nvidia-721/available_instances"), "0");
	/* Nothing else waits; its name is not free yet. */
	ck_assert_int_eq(create(VF2, 713, UUID2), -EEXIST);
	ck_assert_int_eq(create(VF1, 713, UUID1), -ENOSPC);
	ck_assert_int_eq(create(VF2, 713, UUID1), 0);
	machine_fault(&m, "clear");
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert(!machine_has(&m, DEVICES VF1 "/" UUID2));
	ck_assert_int_eq(create(VF1, 713, UUID2), 0);
	finish();
}
END_TEST

START_TEST(vms_hold_their_mediated_devices)
{
	make(", framework: mdev, profile: A16-4Q, mdevs: [{vf: 5, profile: A16-4C, uuid: " UUID2 "}]",
	     "  - {name: web, state: running, hostdevs: [{vf: \"" PF "/0\", ours: vdi}]}\n"
	     "  - {name: hand, state: running, hostdevs: [{mdev: " UUID2 "}]}\n"
	     "  - {name: twin, hostdevs: [{mdev: " UUID2 "}]}\n"
	     "  - {name: lost, hostdevs: [{mdev: " UUID1 "}]}\n");
	char uuid[GP_UUID_SIZE];
	struct gp_uuid own = gp_mdev_uuid(machine_uuid(&m, "web"), 0);
	gp_autofree char *directory = gp_xasprintf(MDEV "%s", gp_uuid_format(own, uuid));
	gp_autofree char *type = gp_xasprintf("%s/mdev_type", directory);
	gp_autofree char *removal = gp_xasprintf("%s/remove", directory);
	gp_autofree char *group = gp_xasprintf("%s/iommu_group", directory);
	ck_assert_str_eq(machine_link(&m, type), "nvidia-713");
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, "etc/libvirt/qemu/web.xml"), uuid));
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, "etc/libvirt/qemu/web.xml"), "type='mdev'"));
	gp_autofree char *held = gp_xasprintf("/dev/vfio/%s", machine_link(&m, group));
	ck_assert_str_eq(machine_link(&m, "proc/2001/fd/20"), held + strlen("/dev/vfio/"));
	fails(start("lost"), GP_E_NOT_FOUND, "device not found: mediated device '" UUID1 "' not found");
	fails(start("twin"), GP_E_BUSY,
	      "Requested operation is not valid: mediated device /sys/bus/mdev/devices/" UUID2
	      " is in use by driver QEMU, domain hand");

	machine_fault(&m, "settle " PF " 3600000");
	machine_vm(&m, "stop", "web");
	ck_assert_int_eq(machine_write(&m, removal, "1"), -EBUSY);
	machine_fault(&m, "clear");
	ck_assert_int_eq(machine_write(&m, removal, "1"), 0);
	machine_vm(&m, "stop", "hand");
	/* Who takes the VFs takes them along. */
	ck_assert_int_eq(run("-d"), 0);
	ck_assert(!machine_has(&m, MDEV UUID2) && !machine_has(&m, "sys/class/mdev_bus/" VF0));
	finish();
}
END_TEST

/* ---- VMs on VFs with the vendor's own driver ---- */

START_TEST(a_vm_needs_a_vgpu_on_its_vf)
{
	make(", profiles: [A16-4Q]", RUNNING);
	gp_autofree char *group = gp_xstrdup(machine_link(&m, DEVICES VF1 "/iommu_group"));
	gp_autofree char *message = gp_xasprintf("internal error: qemu unexpectedly closed the monitor: vfio " VF1
						 ": error getting device from group %s: Input/output error",
						 group);
	fails(start("off"), GP_E_IO, message);
	ck_assert_str_eq(machine_link(&m, DEVICES VF1 "/driver"), "nvidia");
	ck_assert_int_eq(set_type(VF1, "718"), 0);
	ck_assert_int_eq(start("off"), 0);
	/* Neither start nor stop touches the driver. */
	ck_assert_str_eq(machine_link(&m, DEVICES VF1 "/driver"), "nvidia");
	machine_vm(&m, "stop", "off");
	ck_assert_str_eq(type_of(VF1), "718");
	finish();
}
END_TEST

START_TEST(old_libvirt_wants_vfio_pci)
{
	make(", profile: A16-4Q", RUNNING);
	machine_fault(&m, "libvirt 9.0.0");
	fails(start("off"), GP_E_BUSY, "Unmanaged PCI device " VF1 " must be manually detached from the host");
	struct gp_vmm *vmm = machine_vmm(&m);
	struct gp_hypervisor hypervisor;
	vmm->ops->version(vmm, &hypervisor);
	ck_assert_uint_eq(hypervisor.version, 9000000);
	machine_fault(&m, "clear");
	vmm->ops->version(vmm, &hypervisor);
	ck_assert_uint_eq(hypervisor.version, 11003000);
	ck_assert_uint_eq(hypervisor.emulator, 10000000);
	ck_assert_int_eq(start("off"), 0);
	finish();

	machine_make(&m, "version: 1\nlibvirt: 8.10.2\nqemu: \"9.2\"\ngpus: []\n");
	vmm = machine_vmm(&m);
	vmm->ops->version(vmm, &hypervisor);
	ck_assert_uint_eq(hypervisor.version, 8010002);
	ck_assert_uint_eq(hypervisor.emulator, 9002000);
	finish();
}
END_TEST

START_TEST(managed_kills_the_vgpu)
{
	make(", profile: A16-4Q", "  - {name: bad, hostdevs: [{vf: \"" PF "/0\", managed: true}]}\n");
	fails(start("bad"), GP_E_IO, "Failed to bind PCI device '" VF0 "' to vfio-pci: Invalid argument");
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "nvidia");
	ck_assert_str_eq(machine_text(&m, DEVICES VF0 "/driver_override"), "(null)");
	ck_assert_str_eq(type_of(VF0), "0");
	ck_assert_str_eq(type_of(VF1), "713");
	finish();
}
END_TEST

START_TEST(holders_are_found_by_what_they_hold)
{
	make(", framework: mdev, profile: A16-4Q",
	     "  - {name: web, state: running, hostdevs: [{vf: \"" PF "/0\", ours: vdi}]}\n");
	struct gp_vmm *vmm = machine_vmm(&m);
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	struct gp_hostdev device = {.type = GP_HOSTDEV_MDEV, .mdev = gp_mdev_uuid(machine_uuid(&m, "web"), 0)};
	ck_assert_int_eq(vmm->ops->live_holders(vmm, &device, 1, &names, &err), 0);
	ck_assert_str_eq(gp_str_text(&names), "web");
	device.mdev = gp_mdev_uuid(machine_uuid(&m, "web"), 1);
	gp_str_clear(&names);
	ck_assert_int_eq(vmm->ops->live_holders(vmm, &device, 1, &names, &err), 0);
	ck_assert_str_eq(gp_str_text(&names), "");
	finish();
}
END_TEST

MACHINE_RUN("sim_nvidia", the_driver_is_there_before_any_vf, one_scheduler_a_gpu, the_plain_driver_makes_no_vgpus,
	    a_driver_that_lets_go_takes_its_files_along, it_makes_all_vfs_at_once, again_is_no_work,
	    who_has_the_gpu_open_is_in_the_way, its_exit_status_says_little, how_it_can_fail,
	    without_autoprobe_nobody_has_the_vfs, what_a_blank_vf_shows, lists_shrink_and_grow,
	    types_that_are_not_taken, the_board_decides_which_types, parameters_are_kept_with_the_vgpu,
	    a_vf_in_use_is_left_alone, no_other_driver_takes_a_vf, a_type_can_be_slow_or_fail,
	    a_reboot_forgets_them_all, what_a_parent_shows, a_mediated_device_comes_and_goes,
	    a_mediated_device_can_be_lost_at_birth, a_held_mediated_device_is_removed_when_it_is_closed,
	    vms_hold_their_mediated_devices, a_vm_needs_a_vgpu_on_its_vf, old_libvirt_wants_vfio_pci,
	    managed_kills_the_vgpu, holders_are_found_by_what_they_hold)

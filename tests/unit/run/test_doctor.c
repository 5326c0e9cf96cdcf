/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every check of the doctor, once for each thing that it can say. The host is a tree of files in a temporary directory,
 * the snapshot is made by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/sim_tree.h"
#include "run/doctor.h"
#include "run_suite.h"

static char directory[64];
static int root;
static struct gp_host *host;
static struct gp_observed *observed;
static struct gp_desired *desired;
static struct gp_checkup *checkup;

static const char pf[] = "0000:41:00.0";

static struct gp_pci_addr addr(const char *text)
{
	struct gp_pci_addr out;
	ck_assert_int_eq(gp_pci_addr_parse(text, &out), 0);
	return out;
}

/* Directories above it are made; text NULL: it is a directory. */
static void put(const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	if (text == NULL)
		ck_assert_int_eq(gp_tree_mkdir(root, "%s", path), 0);
	else
		ck_assert_int_eq(slash == NULL ? 0 : gp_tree_mkdir(root, "%.*s", (int)(slash - path), path), 0);
	if (text != NULL)
		ck_assert_int_eq(gp_tree_write(root, 0644, text, "%s", path), 0);
}

static void drop(const char *path)
{
	ck_assert(gp_tree_exists(root, "%s", path));
	ck_assert_int_eq(gp_tree_remove(root, "%s", path), 0);
}

static void put_process(unsigned pid, const char *name, char state)
{
	char path[64], text[128];
	snprintf(path, sizeof(path), "proc/%u/comm", pid);
	snprintf(text, sizeof(text), "%s\n", name);
	put(path, text);
	snprintf(path, sizeof(path), "proc/%u/stat", pid);
	snprintf(text, sizeof(text), "%u (%s) %c 1 1 1\n", pid, name, state);
	put(path, text);
}

static void put_device(const char *address, const char *class_code, const char *group)
{
	char path[128], target[128];
	snprintf(path, sizeof(path), "sys/devices/pci0000:40/0000:40:01.0/%s/class", address);
	put(path, class_code);
	snprintf(path, sizeof(path), "sys/devices/pci0000:40/0000:40:01.0/%s/iommu_group", address);
	snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%s", group);
	ck_assert_int_eq(gp_tree_link(root, target, "%s", path), 0);
	put("sys/bus/pci/devices", NULL);
	snprintf(target, sizeof(target), "../../../devices/pci0000:40/0000:40:01.0/%s", address);
	ck_assert_int_eq(gp_tree_link(root, target, "sys/bus/pci/devices/%s", address), 0);
	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%s/devices/%s", group, address);
	put(path, NULL);
}

/* Six BARs, the ROM, six VF BARs. */
static void put_resource(const char *first_vf_bar)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	static const char none[] = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
	gp_str_add(&text, "0x00000000d0000000 0x00000000d0ffffff 0x0000000000040200\n");
	for (int i = 1; i < 13; i++)
		gp_str_add(&text, i == 7 ? first_vf_bar : none);
	put("sys/devices/pci0000:40/0000:40:01.0/0000:41:00.0/resource", gp_str_text(&text));
}
#define VF_BAR_16_GIB "0x0000002000000000 0x00000023ffffffff 0x000000000014220c\n"

/* One A16 GPU without VFs, on a host that is ready. */
static void make_ready_host(void)
{
	put(".sim/tmp", NULL); /* where gp_tree_write() makes its files */
	put("etc/hostname", "box\n");
	put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx ht\n\n");
	put("proc/cmdline", "ro quiet\n");
	put("proc/sys/kernel/osrelease", "6.8.0-45-generic\n");
	put("dev/kvm", "");
	put("sys/firmware/acpi/tables/DMAR", "");
	put("sys/class/iommu/dmar0", NULL);
	put("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	put("sys/module/vfio_pci", NULL);
	put("sys/module/vfio_iommu_type1", NULL);
	put("usr/lib/nvidia/sriov-manage", "#!/bin/sh\n");
	put("usr/share/nvidia/vgpu/vgpuConfig.xml",
	    "<?xml version=\"1.0\"?>\n<vgpuconfig><vgpuType id=\"712\" name=\"NVIDIA A16-2Q\" class=\"Quadro\">"
	    "<framebuffer>0x78000000</framebuffer><profileSize>0x80000000</profileSize></vgpuType>"
	    "<pgpu><devId vendorId=\"0x10de\" deviceId=\"0x25b6\" subsystemVendorId=\"0x10de\" subsystemId=\"0x0\"/>"
	    "<supportedVgpu vgpuId=\"712\"><maxVgpus>8</maxVgpus></supportedVgpu></pgpu></vgpuconfig>\n");
	put_process(1, "systemd", 'S');
	put_process(650, "libvirtd", 'S');
	put("proc/650/status", "Name:\tlibvirtd\nCapEff:\t000001ffffffffff\n");
	put("proc/650/limits", "Limit                     Soft Limit           Hard Limit           Units\n"
			       "Max locked memory         8388608              8388608              bytes\n");
	put_process(701, "nvidia-vgpu-mgr", 'S');
	put_device(pf, "0x030200\n", "7");
	put_device("0000:40:01.0", "0x060400\n", "7");
	put_resource(VF_BAR_16_GIB);
	put("sys/devices/pci0000:40/0000:40:01.0/subordinate_bus_number", "65\n");
}

static struct gp_gpu *gpu(void)
{
	return &observed->gpus[0];
}

static void set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/gpupart-doctor-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
	make_ready_host();
	ck_assert_int_eq(gp_host_open(&(struct gp_host_options){.root = directory}, &host, NULL), 0);

	observed = gp_observed_new();
	desired = gp_desired_new();
	checkup = NULL;
	observed->hostname = "box";
	observed->kind = GP_HOST_CAPTURED;
	observed->root = directory;
	observed->domains_state.known = observed->vfio_state.known = true;
	observed->hypervisor = (struct gp_hypervisor){.version = 10000000, .emulator = 8002002};
	struct gp_gpu *new = gp_arena_push(observed->arena, observed->gpus, observed->gpu_count);
	*new = (struct gp_gpu){
		.addr = addr(pf),
		.vendor = 0x10de,
		.device = 0x25b6,
		.pci_class = 0x030200,
		.model = "A16",
		.driver = "nvidia",
		.driver_version = "550.90.05",
		.backend_name = "nvidia",
		.framework = "vendor VFIO",
		.framework_expected = true,
		.libvirt_min = GP_LIBVIRT_VFIO_VARIANTS,
		.libvirt_why = "older ones refuse it",
		.sriov = true,
		.total_vfs = 16,
		.capability_known = true,
		.vf_offset = 4,
		.vf_stride = 1,
		.autoprobe_known = true,
		.autoprobe = true,
		.numa_node = -1,
	};
}

static void tear_down(void)
{
	gp_checkup_free(checkup);
	gp_desired_free(desired);
	gp_observed_free(observed);
	gp_host_close(host);
	close(root);
	gp_autofree char *command = gp_xasprintf("rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void add_vfs(uint32_t count)
{
	char text[GP_PCI_ADDR_SIZE], group[16];
	gpu()->num_vfs = count;
	gpu()->framework_expected = false;
	for (uint32_t i = 0; i < count; i++) {
		struct gp_partition *vf = gp_arena_push(observed->arena, gpu()->partitions, gpu()->partition_count);
		vf->index = i;
		vf->addr = gp_pci_addr_from_rid(0, gp_pci_addr_rid(gpu()->addr) + 4 + i);
		vf->driver = "nvidia";
		vf->blank = true;
		snprintf(group, sizeof(group), "%u", 20 + i);
		put_device(gp_pci_addr_format(vf->addr, text), "0x030200\n", group);
	}
}

static void add_class(const char *model)
{
	struct gp_class *class = gp_arena_push(desired->arena, desired->classes, desired->class_count);
	struct gp_match_term *term = gp_arena_push(desired->arena, class->match.terms, class->match.term_count);
	class->name = "vdi";
	term->key = GP_MATCH_MODEL;
	*gp_arena_push(desired->arena, term->values, term->value_count) = model;
}

static const struct gp_check *look(const char *id)
{
	gp_checkup_free(checkup);
	checkup = gp_doctor(host, desired, observed);
	for (size_t i = 0; i < checkup->count; i++)
		if (gp_streq(checkup->checks[i].kind->id, id))
			return &checkup->checks[i];
	ck_abort_msg("there is no check %s", id);
	return NULL;
}

/* `found` and `remedy` are parts of what is said; NULL: it has no remedy. */
static void expect(const char *id, enum gp_check_status status, const char *found, const char *remedy)
{
	const struct gp_check *check = look(id);
	ck_assert_msg(check->status == status, "%s: %s, not %s: %s", id, gp_check_status_name(check->status),
		      gp_check_status_name(status), check->found);
	ck_assert_msg(strstr(check->found, found) != NULL, "%s: found '%s', not '%s'", id, check->found, found);
	if (remedy == NULL)
		ck_assert_msg(check->remedy == NULL, "%s: remedy '%s'", id, check->remedy);
	else
		ck_assert_msg(check->remedy != NULL && strstr(check->remedy, remedy) != NULL,
			      "%s: remedy '%s', not '%s'", id, check->remedy == NULL ? "none" : check->remedy, remedy);
}

#define PASS    GP_CHECK_PASS
#define WARN    GP_CHECK_WARN
#define FAIL    GP_CHECK_FAIL
#define UNKNOWN GP_CHECK_UNKNOWN
#define ABSENT  GP_CHECK_NOT_APPLICABLE

/* ---- the whole ---- */

START_TEST(ready_host_passes)
{
	observed->kind = GP_HOST_SIMULATED;
	look("kernel");
	for (size_t i = 0; i < checkup->count; i++)
		ck_assert_msg(checkup->checks[i].status == PASS || checkup->checks[i].status == ABSENT, "%s: %s: %s",
			      checkup->checks[i].kind->id, gp_check_status_name(checkup->checks[i].status),
			      checkup->checks[i].found);
	ck_assert_uint_gt(checkup->tally[PASS], 12);
}
END_TEST

/* What a tree lacks is unknown: an empty one passes nothing. */
START_TEST(empty_tree_passes_nothing)
{
	drop("proc");
	drop("sys");
	drop("dev");
	drop("usr");
	observed->domains_state = (struct gp_source_state){.why = "a captured tree has no VMs"};
	observed->vfio_state = (struct gp_source_state){.why = "a captured tree has no /proc"};
	observed->hypervisor = (struct gp_hypervisor){0};
	gpu()->capability_known = false;
	gpu()->vf_offset = gpu()->vf_stride = 0;
	look("kernel");
	for (size_t i = 0; i < checkup->count; i++) {
		const struct gp_check *check = &checkup->checks[i];
		/* These three tell of the snapshot alone. */
		bool of_snapshot = gp_streq(check->kind->id, "gpus") || gp_streq(check->kind->id, "sriov") ||
				   gp_streq(check->kind->id, "driver") || gp_streq(check->kind->id, "usable");
		ck_assert_msg(of_snapshot || check->status == UNKNOWN || check->status == ABSENT, "%s: %s: %s",
			      check->kind->id, gp_check_status_name(check->status), check->found);
	}
}
END_TEST

START_TEST(every_check_is_documented)
{
	gp_autofree char *path = gp_xasprintf("%s/docs/doctor.md", GP_SOURCE_DIR);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	static char text[64 * 1024];
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (size_t i = 0; gp_check_kind_at(i) != NULL; i++) {
		gp_autofree char *cell = gp_xasprintf("| `%s` |", gp_check_kind_at(i)->id);
		const char *row = strstr(text, cell);
		ck_assert_msg(row != NULL, "docs/doctor.md has no row %s", cell);
		ck_assert_msg(strstr(row + 1, cell) == NULL, "docs/doctor.md has two rows %s", cell);
	}
}
END_TEST

START_TEST(ids_are_unique)
{
	for (size_t i = 0; gp_check_kind_at(i) != NULL; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(gp_check_kind_at(i)->id, gp_check_kind_at(j)->id);
}
END_TEST

/* ---- the host ---- */

START_TEST(kernel)
{
	expect("kernel", PASS, "6.8.0-45-generic", NULL);
	put("proc/sys/kernel/osrelease", "5.15.0-100-generic\n");
	expect("kernel", PASS, "5.15.0", NULL);
	add_vfs(1);
	expect("kernel", FAIL, "since 6.1", "6.1 or newer");
	put("proc/sys/kernel/osrelease", "rubbish\n");
	expect("kernel", UNKNOWN, "cannot be read", NULL);
}
END_TEST

START_TEST(cpu_virtualization)
{
	expect("cpu-virtualization", PASS, "VT-x", NULL);
	drop("dev/kvm");
	expect("cpu-virtualization", FAIL, "/dev/kvm", "modprobe kvm_intel");
	put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx_like xsvm ht\n\n");
	expect("cpu-virtualization", FAIL, "vmx", "VT-x");
	put("proc/cpuinfo",
	    "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu\n\nprocessor\t: 1\nflags\t: svm\n");
	expect("cpu-virtualization", FAIL, "svm", "SVM");
	put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu svm\n\n");
	expect("cpu-virtualization", FAIL, "/dev/kvm", "kvm_amd");
	put("dev/kvm", "");
	expect("cpu-virtualization", PASS, "AMD-V", NULL);
	put("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp\nCPU implementer\t: 0x41\n\n");
	expect("cpu-virtualization", PASS, "/dev/kvm", NULL);
	drop("proc/cpuinfo");
	expect("cpu-virtualization", UNKNOWN, "/proc/cpuinfo", NULL);
}
END_TEST

START_TEST(iommu_firmware)
{
	expect("iommu-firmware", PASS, "DMAR", NULL);
	drop("sys/firmware/acpi/tables/DMAR");
	expect("iommu-firmware", PASS, "without an ACPI table", NULL);
	drop("sys/class/iommu/dmar0");
	expect("iommu-firmware", FAIL, "DMAR", "VT-d");
	expect("iommu-active", ABSENT, "firmware", NULL);
	put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: svm\n\n");
	expect("iommu-firmware", FAIL, "IVRS", "NBIO");
	put("sys/firmware/acpi/tables/IVRS", "");
	expect("iommu-firmware", PASS, "AMD", NULL);
	drop("sys/firmware");
	expect("iommu-firmware", UNKNOWN, "ACPI", NULL);
}
END_TEST

START_TEST(iommu_active)
{
	expect("iommu-active", PASS, "groups", NULL);
	drop("sys/class/iommu/dmar0");
	expect("iommu-active", WARN, "no IOMMU is listed", "noiommu");
	drop("sys/kernel/iommu_groups");
	expect("iommu-active", FAIL, "does not use", "intel_iommu=on");
	put("proc/cmdline", "ro intel_iommu=off\n");
	expect("iommu-active", FAIL, "intel_iommu=off", "take intel_iommu=off");
	put("proc/cmdline", "ro intel_iommu=on,sm_on nointel_iommu=off\n");
	expect("iommu-active", FAIL, "does not use it", "add intel_iommu=on");
	put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: svm\n\n");
	expect("iommu-active", FAIL, "does not use it", "amd-vi");
	drop("proc/1");
	expect("iommu-active", UNKNOWN, "does not tell", NULL);
}
END_TEST

START_TEST(vfio)
{
	static const char dep[] = "lib/modules/6.8.0-45-generic/modules.dep";
	expect("vfio", PASS, "are there", NULL);
	drop("sys/module/vfio_pci");
	expect("vfio", UNKNOWN, "vfio-pci is not loaded", "modprobe vfio-pci");
	put(dep, "kernel/drivers/vfio/pci/vfio-pci.ko.zst: kernel/x.ko\n");
	expect("vfio", PASS, "loaded when needed", NULL);
	put(dep, "kernel/drivers/vfio/pci/mlx5-vfio-pci.ko: kernel/x.ko\n");
	expect("vfio", FAIL, "vfio-pci", "linux-modules-extra-6.8.0-45-generic");
	put("lib/modules/6.8.0-45-generic/modules.builtin", "kernel/drivers/vfio/pci/vfio-pci.ko\n");
	expect("vfio", PASS, "are there", NULL);
	drop("sys/module/vfio_iommu_type1");
	expect("vfio", FAIL, "vfio_iommu_type1", "CONFIG_VFIO_IOMMU_TYPE1");
	put("sys/module/iommufd", NULL);
	expect("vfio", UNKNOWN, "vfio_iommu_type1", "modprobe");
}
END_TEST

START_TEST(lockdown)
{
	expect("lockdown", PASS, "none", NULL);
	put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	expect("lockdown", PASS, "signed", NULL);
	gpu()->vendor = 0x8086;
	gpu()->driver = "xe";
	expect("lockdown", WARN, "debugfs", "7.0");
	put("proc/sys/kernel/osrelease", "7.1.0\n");
	expect("lockdown", PASS, "integrity", NULL);
	put("sys/kernel/security/lockdown", "rubbish\n");
	expect("lockdown", UNKNOWN, "rubbish", NULL);
	drop("sys/kernel/security/lockdown");
	expect("lockdown", UNKNOWN, "cannot be read", NULL);
	put("sys/kernel/security/lsm", "capability\n");
	expect("lockdown", PASS, "has none", NULL);
}
END_TEST

START_TEST(stuck)
{
	expect("stuck", PASS, "no process", NULL);
	put_process(900, "a) D (b", 'D');
	expect("stuck", UNKNOWN, "a) D (b (process 900)", NULL);
	put("proc/900/wchan", "0");
	expect("stuck", UNKNOWN, "only root", NULL);
	put("proc/900/wchan", "io_schedule");
	expect("stuck", PASS, "no process", NULL);
	put("proc/900/wchan", "vfio_unregister_group_dev");
	expect("stuck", FAIL, "vfio_unregister_group_dev", "reboot");
	put("proc/900/stack", "[<0>] msleep+0x1\n[<0>] sriov_numvfs_store+0xaa/0x150\n");
	expect("stuck", FAIL, "sriov_numvfs_store", "reboot");
	put_process(900, "sh", 'S'); /* as long as no signal has hit it */
	expect("stuck", FAIL, "sh (process 900) hangs in the kernel's vfio_unregister_group_dev", "reboot");
	put("proc/900/wchan", "do_wait");
	expect("stuck", PASS, "no process", NULL);
	drop("proc/900");
	drop("proc/1");
	expect("stuck", UNKNOWN, "no processes", NULL);
}
END_TEST

START_TEST(gpus)
{
	expect("gpus", PASS, "1 of 1", NULL);
	gpu()->sriov = false;
	expect("gpus", FAIL, "none of 1", "SR-IOV");
	observed->gpu_count = 0;
	expect("gpus", FAIL, "no GPU here", "SR-IOV");
	observed->gpu_count = 1;
}
END_TEST

START_TEST(vgpu_services)
{
	expect("vgpu-services", PASS, "nvidia-vgpu-mgr", NULL);
	drop("proc/701");
	expect("vgpu-services", FAIL, "nvidia-vgpu-mgr", "systemctl");
	gpu()->driver = "nouveau";
	expect("vgpu-services", ABSENT, "", NULL);
	gpu()->driver = "nvidia";
	drop("proc/1");
	expect("vgpu-services", UNKNOWN, "no processes", NULL);
}
END_TEST

START_TEST(sriov_manage)
{
	expect("sriov-manage", PASS, "/usr/lib/nvidia/sriov-manage", NULL);
	desired->policy.sriov_manage = "/opt/nvidia/sriov-manage";
	expect("sriov-manage", FAIL, "/opt/nvidia/sriov-manage", "policy");
	add_vfs(16);
	expect("sriov-manage", WARN, "/opt/nvidia/sriov-manage", "policy");
	put("opt/nvidia/sriov-manage", "");
	expect("sriov-manage", PASS, "/opt/nvidia", NULL);
	add_class("L40S");
	expect("sriov-manage", ABSENT, "vGPU host driver", NULL);
	expect("vgpu-services", ABSENT, "vGPU host driver", NULL);
}
END_TEST

/* ---- a GPU ---- */

START_TEST(sriov)
{
	expect("sriov", PASS, "16 VFs", NULL);
	gpu()->total_vfs = 0;
	expect("sriov", FAIL, "0 VFs", "displaymodeselector");
	gpu()->vendor = 0x8086;
	expect("sriov", FAIL, "0 VFs", "GuC");
	gpu()->sriov = false;
	expect("sriov", WARN, "no SR-IOV", "firmware setup");
	gpu()->vendor = 0x1a03; /* a board's management controller */
	gpu()->pci_class = 0x030000;
	expect("sriov", ABSENT, "", NULL);
}
END_TEST

START_TEST(unselected_gpu_only_warns)
{
	gpu()->driver = NULL;
	expect("driver", FAIL, "no driver", "vGPU host driver");
	add_class("L40S");
	expect("driver", WARN, "no driver", "vGPU host driver");
	add_class("A16");
	expect("driver", FAIL, "no driver", "vGPU host driver");
	gpu()->sriov = false;
	expect("sriov", FAIL, "no SR-IOV", "firmware setup");
}
END_TEST

START_TEST(driver)
{
	expect("driver", PASS, "nvidia 550.90.05", NULL);
	gpu()->driver = "nouveau";
	expect("driver", FAIL, "nouveau", "blacklist nouveau");
	gpu()->driver = "vfio-pci";
	expect("driver", FAIL, "whole GPU", "vfio-pci");
	gpu()->driver = NULL;
	gpu()->vendor = 0x8086;
	expect("driver", FAIL, "no driver", "xe");
	gpu()->total_vfs = 0;
	expect("driver", ABSENT, "", NULL);
}
END_TEST

/* sriov-manage has the GPU with another driver while it works; that one is not to be kept away. */
START_TEST(driver_while_vfs_are_made)
{
	gpu()->busy = true;
	gpu()->driver = "pci-pf-stub";
	expect("driver", ABSENT, "at work", NULL);
	gpu()->driver = NULL;
	expect("driver", ABSENT, "at work", NULL);
}
END_TEST

START_TEST(vgpu_types)
{
	expect("vgpu-types", PASS, "1", NULL);
	gpu()->device = 0x2330;
	expect("vgpu-types", FAIL, "no type", "release");
	gpu()->driver = "nouveau";
	expect("vgpu-types", ABSENT, "", NULL);
}
END_TEST

START_TEST(vgpu_types_missing)
{
	drop("usr/share/nvidia");
	expect("vgpu-types", FAIL, "vgpuConfig.xml", "vGPU host driver");
	drop("proc/1");
	expect("vgpu-types", UNKNOWN, "vgpuConfig.xml", "vGPU host driver");
}
END_TEST

START_TEST(vgpu_types_corrupt)
{
	put("usr/share/nvidia/vgpu/vgpuConfig.xml", "<vgpuconfig");
	expect("vgpu-types", UNKNOWN, "cannot be read", "install");
}
END_TEST

START_TEST(vf_space)
{
	expect("vf-space", PASS, "16GiB for 16 VFs", NULL);
	put_resource("0x0000000000000000 0x00000003ffffffff 0x000000000014220c\n");
	expect("vf-space", FAIL, "no room", "Above 4G");
	put_resource("0x0000000000000000 0x0000000000000000 0x0000000000000000\n");
	expect("vf-space", FAIL, "no room", "pci=realloc");
	put("sys/devices/pci0000:40/0000:40:01.0/0000:41:00.0/resource", "rubbish\n");
	expect("vf-space", UNKNOWN, "cannot be read", NULL);
	put("sys/devices/pci0000:40/0000:40:01.0/0000:41:00.0/resource", VF_BAR_16_GIB);
	expect("vf-space", UNKNOWN, "cannot be read", NULL);
	add_vfs(2);
	expect("vf-space", PASS, "2 VFs are there", NULL);
}
END_TEST

START_TEST(bus_numbers)
{
	expect("bus-numbers", PASS, "own bus", NULL);
	gpu()->vf_offset = 252;
	expect("bus-numbers", FAIL, "1 more", "ARI");
	put("proc/cmdline", "ro pci=realloc,noari\n");
	expect("bus-numbers", FAIL, "1 more", "take pci=noari");
	put("sys/devices/pci0000:40/0000:40:01.0/subordinate_bus_number", "66\n");
	expect("bus-numbers", PASS, "enough", NULL);
	drop("sys/devices/pci0000:40/0000:40:01.0/subordinate_bus_number");
	expect("bus-numbers", UNKNOWN, "bridge", NULL);
	gpu()->vf_offset = 0;
	expect("bus-numbers", UNKNOWN, "once they are enabled", NULL);
	gpu()->capability_known = false;
	expect("bus-numbers", UNKNOWN, "only root", NULL);
	put("sys/devices/pci0000:40/0000:40:01.0/0000:41:00.0/sriov_offset", "4\n");
	put("sys/devices/pci0000:40/0000:40:01.0/0000:41:00.0/sriov_stride", "1\n");
	expect("bus-numbers", PASS, "own bus", NULL);
}
END_TEST

START_TEST(iommu_group)
{
	expect("iommu-group", PASS, "its own", NULL);
	put("sys/kernel/iommu_groups/7/devices/0000:41:00.1", NULL); /* the same card */
	expect("iommu-group", PASS, "its own", NULL);
	put("sys/kernel/iommu_groups/7/devices/0000:40:02.0", NULL);
	expect("iommu-group", WARN, "0000:40:02.0", "ACS");
	drop("sys/devices/pci0000:40/0000:40:01.0/0000:41:00.0/iommu_group");
	expect("iommu-group", FAIL, "in none", "intel_iommu");
	drop("sys/class/iommu/dmar0");
	expect("iommu-group", ABSENT, "", NULL);
}
END_TEST

START_TEST(iommu_group_of_vfs)
{
	add_vfs(2);
	expect("iommu-group", PASS, "each VF", NULL);
	put("sys/kernel/iommu_groups/21/devices/0000:41:00.4", NULL);
	expect("iommu-group", FAIL, "VF 1 shares its group with 0000:41:00.4", "ACS");
	drop("sys/kernel/iommu_groups/21");
	expect("iommu-group", UNKNOWN, "VF 1", NULL);
	drop("sys/devices/pci0000:40/0000:40:01.0/0000:41:00.4/iommu_group");
	expect("iommu-group", FAIL, "VF 0", "dmesg");
}
END_TEST

START_TEST(settled)
{
	expect("settled", PASS, "nobody", NULL);
	gpu()->capability_known = false;
	expect("settled", UNKNOWN, "only root", "root");
	gpu()->unfit = GP_UNFIT_TRANSITION;
	gpu()->unfit_why = "4 are linked, and its capability tells 8";
	expect("settled", FAIL, "4 are linked", NULL);
	expect("usable", ABSENT, "", NULL);
	gpu()->busy = true;
	gpu()->busy_by = "gpupart-write, pid 812";
	expect("settled", WARN, "pid 812", "wait");
}
END_TEST

START_TEST(framework)
{
	expect("framework", ABSENT, "once VFs exist", NULL);
	add_vfs(1);
	expect("framework", PASS, "vendor VFIO", NULL);
	gpu()->framework = NULL;
	expect("framework", FAIL, "neither", "vgpu-mgr");
}
END_TEST

START_TEST(creatable)
{
	expect("creatable", ABSENT, "", NULL);
	add_vfs(1);
	expect("creatable", PASS, "offers", NULL);
	gpu()->not_creatable = "none";
	expect("creatable", FAIL, "none", "MIG");
	gpu()->count = 1;
	expect("creatable", ABSENT, "", NULL);
}
END_TEST

START_TEST(vfs)
{
	expect("vfs", ABSENT, "none yet", NULL);
	gpu()->autoprobe = false;
	expect("vfs", FAIL, "autoprobe", "echo 1");
	gpu()->autoprobe = true;
	add_vfs(2);
	gpu()->count = 1;
	expect("vfs", PASS, "2, 1 of them", NULL);
	gpu()->partitions[1].unusable_why = "it has no driver";
	expect("vfs", WARN, "VF 1: it has no driver", NULL);
	gpu()->partitions[0].unusable_why = "it has no driver";
	expect("vfs", FAIL, "2 of 2", NULL);
}
END_TEST

START_TEST(clients)
{
	expect("clients", UNKNOWN, "captured", NULL);
	observed->kind = GP_HOST_SIMULATED;
	expect("clients", PASS, "no process", NULL);
	struct gp_holder *client = gp_arena_push(observed->arena, gpu()->clients, gpu()->client_count);
	*client = (struct gp_holder){.kind = GP_HOLDER_CLIENT, .name = "nvidia-persistenced", .pid = 812};
	expect("clients", WARN, "nvidia-persistenced (process 812) has it open", "systemctl status 812");
	client = gp_arena_push(observed->arena, gpu()->clients, gpu()->client_count);
	*client = (struct gp_holder){.kind = GP_HOLDER_CLIENT, .name = "nv-hostengine", .pid = 901};
	expect("clients", WARN, "(process 812) and nv-hostengine (process 901) have", "systemctl status 812");
	gpu()->client_count = 0;
	observed->vfio_state = (struct gp_source_state){.why = "only root sees them"};
	expect("clients", UNKNOWN, "only root", NULL);
	add_vfs(1);
	expect("clients", ABSENT, "", NULL);
}
END_TEST

START_TEST(usable)
{
	expect("usable", PASS, "nvidia", NULL);
	gpu()->unfit = GP_UNFIT_DRIVER;
	gpu()->unfit_why = "the driver cannot";
	gpu()->unfit_remedy = "load another";
	expect("usable", FAIL, "the driver cannot", "load another");
	gpu()->unfit = GP_UNFIT_NEEDS_BACKEND;
	expect("usable", WARN, "the driver cannot", "load another");
	gpu()->unfit = GP_UNFIT_UNREADABLE;
	expect("usable", UNKNOWN, "the driver cannot", "load another");
	gpu()->unfit = GP_UNFIT_DRIVER;
	gpu()->driver = "nouveau"; /* the row `driver` says it */
	expect("usable", ABSENT, "", NULL);
}
END_TEST

/* ---- VMs ---- */

START_TEST(libvirt)
{
	expect("libvirt", PASS, "libvirt 10.0.0, QEMU 8.2.2, 0 VMs", NULL);
	observed->domains_state = (struct gp_source_state){.why = "no virtual machines can be listed"};
	expect("libvirt", UNKNOWN, "listed", NULL); /* a capture has none to ask */
	observed->kind = GP_HOST_LIVE;
	expect("libvirt", FAIL, "listed", "systemctl");
}
END_TEST

START_TEST(libvirt_version)
{
	expect("libvirt-version", PASS, "10.0.0, and vendor VFIO needs 9.7.0", NULL);
	observed->hypervisor.version = 9000000;
	expect("libvirt-version", WARN, "to be expected", "Debian 13");
	gpu()->framework_expected = false;
	expect("libvirt-version", FAIL, "9.0.0, but vendor VFIO needs 9.7.0 or newer: older ones refuse it",
	       "Debian 13");
	observed->hypervisor.version = 0;
	expect("libvirt-version", UNKNOWN, "9.7.0", NULL);
	gpu()->libvirt_min = 0;
	expect("libvirt-version", ABSENT, "", NULL);
}
END_TEST

START_TEST(memlock)
{
	expect("memlock", PASS, "gives each VM", NULL);
	put("proc/650/status", "Name:\tlibvirtd\nCapEff:\t00000000a80425fb\n"); /* a container's */
	expect("memlock", FAIL, "8MiB", "CAP_SYS_RESOURCE");
	put("proc/650/limits", "Max locked memory         8388608              68719476736          bytes\n");
	expect("memlock", WARN, "64GiB", "LimitMEMLOCK");
	put("proc/650/limits", "Max locked memory         unlimited            unlimited            bytes\n");
	expect("memlock", PASS, "unlimited", NULL);
	drop("proc/650/limits");
	expect("memlock", UNKNOWN, "limits", NULL);
	drop("proc/650");
	expect("memlock", UNKNOWN, "no process", NULL);
	put_process(651, "virtqemud", 'S');
	put("proc/651/status", "CapEff:\t000001ffffffffff\n");
	expect("memlock", PASS, "gives each VM", NULL);
	drop("proc/651");
	observed->domains_state = (struct gp_source_state){.why = "down"};
	expect("memlock", ABSENT, "", NULL);
}
END_TEST

START_TEST(vm_devices)
{
	static struct gp_hostdev vf = {.type = GP_HOSTDEV_PCI, .resolved = true, .gpu = 0, .vf = 3};
	static struct gp_hostdev mdev = {.type = GP_HOSTDEV_MDEV, .mdev = {{1, 2, 3}}};
	expect("vm-devices", PASS, "is there", NULL);
	struct gp_domain *first = gp_arena_push(observed->arena, observed->domains, observed->domain_count);
	*first = (struct gp_domain){.name = "desktop-01", .config = &vf, .config_count = 1};
	expect("vm-devices", WARN, "desktop-01 cannot start", "gpupart apply");
	struct gp_domain *second = gp_arena_push(observed->arena, observed->domains, observed->domain_count);
	*second = (struct gp_domain){.name = "desktop-02", .config = &mdev, .config_count = 1, .autostart = true};
	expect("vm-devices", WARN, "desktop-02 and 1 more cannot start", "gpupart apply");
	expect("vm-devices", WARN, "1 of them starts with the host", "gpupart apply");
	put("sys/bus/mdev/devices/01020300-0000-0000-0000-000000000000", NULL);
	add_vfs(4);
	expect("vm-devices", PASS, "is there", NULL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		ready_host_passes,
		empty_tree_passes_nothing,
		every_check_is_documented,
		ids_are_unique,
		kernel,
		cpu_virtualization,
		iommu_firmware,
		iommu_active,
		vfio,
		lockdown,
		stuck,
		gpus,
		vgpu_services,
		sriov_manage,
		sriov,
		unselected_gpu_only_warns,
		driver,
		driver_while_vfs_are_made,
		vgpu_types,
		vgpu_types_missing,
		vgpu_types_corrupt,
		vf_space,
		bus_numbers,
		iommu_group,
		iommu_group_of_vfs,
		settled,
		framework,
		creatable,
		vfs,
		clients,
		usable,
		libvirt,
		libvirt_version,
		memlock,
		vm_devices,
	};
	return run_tests("doctor", tests, COUNT_OF(tests), set_up, tear_down);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of one GPU. None names its address, so that GPUs alike are shown once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "run/doctor_exam.h"

enum { AMD = 0x1002, INTEL = 0x8086 };

static bool has_vfs_to_give(const struct gp_gpu *gpu)
{
	return gpu->sriov && gpu->total_vfs > 0;
}

static const char *vfs_text(struct gp_exam *exam, uint32_t count)
{
	return gp_arena_printf(exam->arena, "%" PRIu32 " %s", count, count == 1 ? "VF" : "VFs");
}

static const char *attribute_path(struct gp_exam *exam, struct gp_pci_addr addr, const char *attribute)
{
	char text[GP_PCI_ADDR_SIZE];
	return gp_arena_printf(exam->arena, "sys/bus/pci/devices/%s/%s", gp_pci_addr_format(addr, text), attribute);
}

/* ---- SR-IOV ---- */

/* A board's management controller has a display, and nobody expects more of it. */
static bool could_have_sriov(const struct gp_gpu *gpu)
{
	return gpu->vendor == AMD || gpu->vendor == INTEL || gp_gpu_is_nvidia(gpu) || gpu->pci_class >> 16 != 0x03;
}

static bool is_asked_for(const struct gp_finding *finding)
{
	return finding->exam->desired->class_count > 0 && gp_severity(finding) == GP_CHECK_FAIL;
}

static void say_no_capability(struct gp_finding *finding)
{
	if (!could_have_sriov(finding->gpu) && !is_asked_for(finding)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "no SR-IOV capability");
		return;
	}
	gp_find(finding, is_asked_for(finding) ? GP_CHECK_FAIL : GP_CHECK_WARN,
		"no SR-IOV capability: it cannot be partitioned");
	gp_advise(finding, "if this model has SR-IOV: switch on \"SR-IOV Support\" (and \"Above 4G Decoding\") in the "
			   "firmware setup, and use a kernel with CONFIG_PCI_IOV");
}

static void say_no_vfs(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	gp_find(finding, gp_severity(finding), "it has the capability, but offers 0 VFs");
	if (gp_gpu_is_nvidia(gpu))
		gp_advise(finding, "a card with display outputs (A40, L40, RTX) needs them switched off with NVIDIA's "
				   "displaymodeselector; then reboot");
	else if (gpu->vendor == INTEL)
		gp_advise(finding,
			  "the driver offers none: load the GuC firmware (dmesg | grep -i guc), and take max_vfs=0 "
			  "from the options of xe or i915");
	else
		gp_advise(finding, "switch SR-IOV on in the options of the driver, or in the card's own firmware");
}

void gp_check_sriov(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	if (!gpu->sriov)
		say_no_capability(finding);
	else if (gpu->total_vfs == 0)
		say_no_vfs(finding);
	else
		gp_find(finding, GP_CHECK_PASS, "up to %s", vfs_text(finding->exam, gpu->total_vfs));
}

/* ---- driver ---- */

static const char *driver_that_partitions(const struct gp_gpu *gpu)
{
	if (gp_gpu_is_nvidia(gpu))
		return "install NVIDIA's vGPU host driver (the package with \"vgpu\" in its name, from the NVIDIA "
		       "Licensing "
		       "Portal); the ordinary driver cannot partition";
	if (gpu->vendor == INTEL)
		return "load xe (or i915 with SR-IOV): modprobe xe";
	if (gpu->vendor == AMD)
		return "install AMD's host driver gim";
	return "load the driver of the device";
}

void gp_check_driver(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	const char *driver = gpu->driver;
	if (!has_vfs_to_give(gpu)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it has no VFs to give");
	} else if (gpu->busy && gp_gpu_is_nvidia(gpu) && !gp_streq(driver, "nvidia")) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "sriov-manage is at work, and has it unbound meanwhile");
	} else if (driver == NULL) {
		gp_find(finding, gp_severity(finding), "no driver is bound");
		gp_advise(finding, "%s", driver_that_partitions(gpu));
	} else if (strstr(driver, "vfio") != NULL) {
		gp_find(finding, gp_severity(finding), "bound to %s: the whole GPU is set aside for a VM", driver);
		gp_advise(finding,
			  "take the GPU from vfio-pci (ids= in /etc/modprobe.d or on the kernel's command line, "
			  "<hostdev> of a VM), and give it back to its own driver");
	} else if (gp_gpu_is_nvidia(gpu) && !gp_streq(driver, "nvidia")) {
		gp_find(finding, gp_severity(finding), "bound to %s, which cannot partition it", driver);
		gp_advise(finding, "echo 'blacklist %s' >/etc/modprobe.d/blacklist-%s.conf, rebuild the initramfs; %s",
			  driver, driver, driver_that_partitions(gpu));
	} else {
		gp_find(finding, GP_CHECK_PASS, "%s%s%s", driver, gpu->driver_version == NULL ? "" : " ",
			gpu->driver_version == NULL ? "" : gpu->driver_version);
	}
}

/* ---- NVIDIA: types, framework ---- */

static bool on_nvidia_driver(const struct gp_gpu *gpu)
{
	return gp_gpu_is_nvidia(gpu) && has_vfs_to_give(gpu) && gp_streq(gpu->driver, "nvidia");
}

void gp_check_vgpu_types(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const struct gp_gpu *gpu = finding->gpu;
	const struct gp_vgpu_type *types;
	size_t count = 0;
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	if (!on_nvidia_driver(gpu)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "not on NVIDIA's driver");
	} else if (gp_host_vgpu_types(exam->host, gpu, &types, &count, &err) < 0 && err.kind != GP_E_NOT_FOUND) {
		gp_find(finding, GP_CHECK_UNKNOWN, "the list of types cannot be read: %s", err.message);
		gp_advise(finding, "install the vGPU host driver again, which brings /" GP_VGPU_CONFIG);
	} else if (err.kind == GP_E_NOT_FOUND) {
		gp_find(finding, gp_if_absent(finding, gp_severity(finding)),
			"there is no /" GP_VGPU_CONFIG ": this is not the vGPU host driver");
		gp_advise(finding, "%s", driver_that_partitions(gpu));
	} else if (count == 0) {
		gp_find(finding, gp_severity(finding), "the vGPU driver knows no type for this GPU");
		gp_advise(finding,
			  "install a vGPU release that supports this GPU (NVIDIA's \"Virtual GPU Software Supported "
			  "Products\")");
	} else {
		gp_find(finding, GP_CHECK_PASS, "%zu %s%s%s", count, count == 1 ? "type" : "types",
			gpu->series == NULL ? "" : ", series ", gpu->series == NULL ? "" : gpu->series);
	}
}

void gp_check_framework(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	if (!on_nvidia_driver(gpu) || gpu->num_vfs == 0) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it can be seen once VFs exist");
	} else if (gpu->framework != NULL && !gpu->framework_expected) {
		gp_find(finding, GP_CHECK_PASS, "%s", gpu->framework);
	} else {
		gp_find(finding, gp_severity(finding),
			"its VFs have neither mdev_supported_types nor nvidia/current_vgpu_type");
		gp_advise(finding,
			  "systemctl restart nvidia-vgpud nvidia-vgpu-mgr; if it stays so, the driver is not the vGPU "
			  "host driver, or not for this kernel");
	}
}

void gp_check_creatable(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	if (!on_nvidia_driver(gpu) || gpu->num_vfs == 0 || gpu->count > 0) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it can be seen while VFs exist and none has a type");
	} else if (gpu->not_creatable == NULL) {
		gp_find(finding, GP_CHECK_PASS, "the driver offers its types");
	} else {
		gp_find(finding, gp_severity(finding), "no VF has a type, and yet the driver offers only: %s",
			gpu->not_creatable);
		gp_advise(finding,
			  "nvidia-smi -q | grep -A 3 -e 'MIG Mode' -e 'Host VGPU Mode': MIG must be off (nvidia-smi "
			  "-mig 0), and the mode SR-IOV; then systemctl restart nvidia-vgpu-mgr");
	}
}

/* ---- room on the bus ---- */

enum { FIRST_VF_BAR = 7, VF_BARS = 6, RESOURCE_SIZE = 2048 };

struct vf_space {
	bool known;
	bool short_of_room; /* a VF BAR without a place, or none has one */
	uint64_t bytes;
};

/* One line a BAR: six, the ROM, then those of the VFs: "0xSTART 0xEND 0xFLAGS". */
static struct vf_space read_vf_space(struct gp_exam *exam, const struct gp_gpu *gpu)
{
	char text[RESOURCE_SIZE];
	struct vf_space space = {0};
	if (gp_host_read(exam->host, attribute_path(exam, gpu->addr, "resource"), text, sizeof(text), NULL) < 0)
		return space;
	const char *line = text;
	for (int i = 0; i < FIRST_VF_BAR + VF_BARS; i++) {
		uint64_t start, end;
		int length = 0;
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %*[0-9a-fx]%n", &start, &end, &length) != 2 || length == 0)
			return space;
		line += length;
		if (i < FIRST_VF_BAR || end == 0)
			continue;
		space.short_of_room = space.short_of_room || start == 0;
		space.bytes += end - start + 1;
	}
	space.known = true;
	space.short_of_room = space.short_of_room || space.bytes == 0;
	return space;
}

void gp_check_vf_space(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const struct gp_gpu *gpu = finding->gpu;
	GP_CLEANUP(gp_str_clear) struct gp_str size = {0};
	if (!has_vfs_to_give(gpu)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it has no VFs to give");
		return;
	}
	struct vf_space space = read_vf_space(exam, gpu);
	if (gpu->num_vfs > 0) {
		gp_find(finding, GP_CHECK_PASS, "%s are there", vfs_text(exam, gpu->num_vfs));
	} else if (!space.known) {
		gp_find(finding, GP_CHECK_UNKNOWN, "its BARs cannot be read (resource)");
	} else if (space.short_of_room) {
		gp_find(finding, gp_severity(finding), "the firmware left no room for the BARs of %s",
			vfs_text(exam, gpu->total_vfs));
		gp_advise(finding,
			  "switch on \"Above 4G Decoding\" and \"SR-IOV Support\" in the firmware setup, with the "
			  "largest \"MMIO High Size\" it offers; if that is not enough, add pci=realloc to the "
			  "kernel's command line");
	} else {
		gp_add_size(&size, space.bytes);
		gp_find(finding, GP_CHECK_PASS, "%s for %s", gp_str_text(&size), vfs_text(exam, gpu->total_vfs));
	}
}

/* Where the last VF would be. False: the device does not say, or not to us. */
static bool last_vf_bus(struct gp_exam *exam, const struct gp_gpu *gpu, uint32_t *bus)
{
	uint64_t offset = gpu->vf_offset, stride = gpu->vf_stride;
	if (offset == 0 &&
	    (gp_host_read_u64(exam->host, attribute_path(exam, gpu->addr, "sriov_offset"), &offset, NULL) < 0 ||
	     gp_host_read_u64(exam->host, attribute_path(exam, gpu->addr, "sriov_stride"), &stride, NULL) < 0))
		return false;
	if (offset == 0)
		return false;
	*bus = (uint32_t)((gp_pci_addr_rid(gpu->addr) + offset + stride * (gpu->total_vfs - 1)) >> 8);
	return true;
}

static const char *ari_words(struct gp_exam *exam, const struct gp_gpu *gpu)
{
	uint64_t ari;
	if (gp_host_read_u64(exam->host, attribute_path(exam, gpu->addr, "ari_enabled"), &ari, NULL) < 0)
		return "";
	return ari == 1 ? ", ARI is on" : ", ARI is off";
}

static void advise_buses(struct gp_finding *finding)
{
	if (gp_command_line_has(&finding->exam->facts, "pci=noari"))
		gp_advise(finding, "take pci=noari from the kernel's command line, and reboot");
	else
		gp_advise(
			finding,
			"switch on \"ARI Forwarding\" (or \"ARI Support\") in the firmware setup, or move the card to "
			"another slot; as a last resort pci=assign-busses, which gives every device of the host "
			"another address");
}

void gp_check_bus_numbers(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const struct gp_gpu *gpu = finding->gpu;
	uint32_t last;
	uint64_t limit;
	if (!has_vfs_to_give(gpu)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it has no VFs to give");
	} else if (gpu->num_vfs == gpu->total_vfs) {
		gp_find(finding, GP_CHECK_PASS, "all VFs are there%s", ari_words(exam, gpu));
	} else if (!last_vf_bus(exam, gpu, &last)) {
		gp_find(finding, GP_CHECK_UNKNOWN, "%s",
			gpu->capability_known ? "the device tells where its VFs are only once they are enabled"
					      : "only root can read where its VFs will be");
	} else if (last == gpu->addr.bus) {
		gp_find(finding, GP_CHECK_PASS, "all VFs fit on its own bus%s", ari_words(exam, gpu));
	} else if (gp_host_read_u64(exam->host, attribute_path(exam, gpu->addr, "../subordinate_bus_number"), &limit,
				    NULL) < 0) {
		gp_find(finding, GP_CHECK_UNKNOWN,
			"its VFs need %u more bus numbers, and what the bridge above has cannot be read",
			last - gpu->addr.bus);
	} else if (last > limit) {
		gp_find(finding, gp_severity(finding),
			"its VFs need %u more bus numbers, and the bridge above has %u%s", last - gpu->addr.bus,
			(unsigned)(limit < gpu->addr.bus ? 0 : limit - gpu->addr.bus), ari_words(exam, gpu));
		advise_buses(finding);
	} else {
		gp_find(finding, GP_CHECK_PASS, "enough for %s%s", vfs_text(exam, gpu->total_vfs),
			ari_words(exam, gpu));
	}
}

/* ---- IOMMU groups ---- */

struct group {
	struct gp_exam *exam;
	struct gp_pci_addr of;
	const char *stranger; /* somebody else in it; NULL: none */
	size_t members;
};

static bool is_bridge(struct gp_exam *exam, const char *addr)
{
	uint64_t class_code;
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/class", addr);
	return gp_host_read_u64(exam->host, path, &class_code, NULL) == 0 && class_code >> 16 == 0x06;
}

static int look_at_member(void *context, const char *name)
{
	struct group *group = context;
	struct gp_pci_addr addr;
	group->members++;
	if (gp_pci_addr_parse(name, &addr) == 0 && gp_pci_addr_compare(addr, group->of) == 0)
		return 0;
	if (group->stranger == NULL && !is_bridge(group->exam, name))
		group->stranger = gp_arena_strdup(group->exam->arena, name);
	return 0;
}

enum group_state { GROUP_OWN, GROUP_SHARED, GROUP_NONE, GROUP_UNKNOWN };

static enum group_state look_at_group(struct gp_exam *exam, struct gp_pci_addr addr, const char **stranger)
{
	char number[32];
	struct group group = {.exam = exam, .of = addr};
	if (gp_host_read_link(exam->host, attribute_path(exam, addr, "iommu_group"), number, sizeof(number), NULL) < 0)
		return exam->facts.absence_counts ? GROUP_NONE : GROUP_UNKNOWN;
	gp_autofree char *path = gp_xasprintf("sys/kernel/iommu_groups/%s/devices", number);
	if (gp_host_list(exam->host, path, look_at_member, &group, NULL) < 0 || group.members == 0)
		return GROUP_UNKNOWN;
	*stranger = group.stranger;
	return group.stranger == NULL ? GROUP_OWN : GROUP_SHARED;
}

static void advise_acs(struct gp_finding *finding)
{
	gp_advise(finding,
		  "switch on \"ACS\" (Access Control Services) in the firmware setup, or move the card to a slot of "
		  "the processor's own");
}

static void look_at_vf_groups(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	for (size_t i = 0; i < gpu->partition_count; i++) {
		const struct gp_partition *vf = &gpu->partitions[i];
		const char *stranger = NULL;
		switch (look_at_group(finding->exam, vf->addr, &stranger)) {
		case GROUP_SHARED:
			gp_find(finding, gp_severity(finding),
				"VF %" PRIu32 " shares its group with %s: VFIO gives both or none", vf->index,
				stranger);
			advise_acs(finding);
			return;
		case GROUP_NONE:
			gp_find(finding, gp_severity(finding), "VF %" PRIu32 " is in no IOMMU group", vf->index);
			gp_advise(finding, "look why in the kernel's log: dmesg | grep -i iommu");
			return;
		case GROUP_UNKNOWN:
			gp_find(finding, GP_CHECK_UNKNOWN, "who else is in the group of VF %" PRIu32 " cannot be read",
				vf->index);
			return;
		case GROUP_OWN:
			break;
		}
	}
	gp_find(finding, GP_CHECK_PASS, "each VF has its own");
}

/* Before there are VFs: where the PF has company, its VFs will, unless that is a function of the same card. */
static void look_at_pf_group(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	const char *stranger = NULL;
	struct gp_pci_addr other;
	enum group_state state = look_at_group(finding->exam, gpu->addr, &stranger);
	bool same_card = stranger != NULL && gp_pci_addr_parse(stranger, &other) == 0 &&
			 other.domain == gpu->addr.domain && other.bus == gpu->addr.bus && other.slot == gpu->addr.slot;
	if (state == GROUP_UNKNOWN) {
		gp_find(finding, GP_CHECK_UNKNOWN, "its group cannot be read");
	} else if (state == GROUP_NONE) {
		gp_find(finding, gp_severity(finding), "it is in none");
		gp_advise(finding, "add intel_iommu=on iommu=pt (Intel) to the kernel's command line, and reboot");
	} else if (state == GROUP_SHARED && !same_card) {
		gp_find(finding, GP_CHECK_WARN, "it shares its group with %s, and its VFs may, too", stranger);
		advise_acs(finding);
	} else {
		gp_find(finding, GP_CHECK_PASS, "it has its own");
	}
}

void gp_check_iommu_group(struct gp_finding *finding)
{
	if (!has_vfs_to_give(finding->gpu))
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it has no VFs to give");
	else if (!gp_iommu_is_active(finding->exam) && finding->exam->facts.absence_counts)
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "there is no active IOMMU");
	else if (finding->gpu->partition_count > 0)
		look_at_vf_groups(finding);
	else
		look_at_pf_group(finding);
}

/* ---- what goes on with it ---- */

void gp_check_settled(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	if (!has_vfs_to_give(gpu)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it has no VFs to give");
	} else if (gpu->busy) {
		gp_find(finding, GP_CHECK_WARN, "a writer of gpupart is at work on it: %s",
			gpu->busy_by == NULL ? "it has not said who it is" : gpu->busy_by);
		gp_advise(finding,
			  "wait until it has ended; if it does not, shut down the VMs that hold a VF of this GPU");
	} else if (gpu->unfit == GP_UNFIT_TRANSITION) {
		gp_find(finding, gp_severity(finding), "%s", gpu->unfit_why);
		if (gpu->unfit_remedy != NULL)
			gp_advise(finding, "%s", gpu->unfit_remedy);
	} else if (!gpu->capability_known) {
		gp_find(finding, GP_CHECK_UNKNOWN, "only root can read whether its VFs are being made or removed");
		gp_advise(finding, "run gpupart doctor as root");
	} else {
		gp_find(finding, GP_CHECK_PASS, "nobody is making or removing VFs");
	}
}

static const struct gp_partition *first_unusable(const struct gp_gpu *gpu, size_t *count)
{
	const struct gp_partition *first = NULL;
	*count = 0;
	for (size_t i = 0; i < gpu->partition_count; i++) {
		if (gpu->partitions[i].unusable_why == NULL)
			continue;
		if (first == NULL)
			first = &gpu->partitions[i];
		++*count;
	}
	return first;
}

void gp_check_vfs(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	size_t count;
	const struct gp_partition *unusable = first_unusable(gpu, &count);
	if (!has_vfs_to_give(gpu)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it has no VFs to give");
	} else if (unusable != NULL) {
		gp_find(finding, count == gpu->partition_count ? gp_severity(finding) : GP_CHECK_WARN,
			"%zu of %zu cannot be used; VF %" PRIu32 ": %s", count, gpu->partition_count, unusable->index,
			unusable->unusable_why);
	} else if (on_nvidia_driver(gpu) && gpu->autoprobe_known && !gpu->autoprobe) {
		gp_find(finding, gp_severity(finding),
			"new VFs get no driver, and vGPUs need it (sriov_drivers_autoprobe is 0)");
		gp_advise(finding, "echo 1 >/sys/bus/pci/devices/ADDRESS/sriov_drivers_autoprobe, and take away what "
				   "sets it to 0");
	} else if (gpu->partition_count > 0) {
		gp_find(finding, GP_CHECK_PASS, "%zu, %" PRIu32 " of them partitions", gpu->partition_count,
			gpu->count);
	} else {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "none yet");
	}
}

/* "nvidia-persistenced (812) and dcgm (901)". */
static const char *clients_text(struct gp_exam *exam, const struct gp_gpu *gpu)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (size_t i = 0; i < gpu->client_count; i++)
		gp_str_printf(&text, "%s%s (process %" PRIu64 ")",
			      i == 0                       ? ""
			      : i + 1 == gpu->client_count ? " and "
							   : ", ",
			      gpu->clients[i].name, gpu->clients[i].pid);
	return gp_arena_strdup(exam->arena, gp_str_text(&text));
}

void gp_check_clients(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const struct gp_gpu *gpu = finding->gpu;
	if (!on_nvidia_driver(gpu) || gpu->num_vfs > 0) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it matters only before NVIDIA's VFs are made");
	} else if (gpu->client_count > 0) {
		gp_find(finding, GP_CHECK_WARN, "%s %s it open: its VFs cannot be made meanwhile",
			clients_text(exam, gpu), gpu->client_count == 1 ? "has" : "have");
		gp_advise(finding,
			  "systemctl status %" PRIu64
			  " names its service: stop it, run gpupart apply, and start it again "
			  "(once the VFs are there it is in nobody's way)",
			  gpu->clients[0].pid);
	} else if (!exam->observed->vfio_state.known) {
		gp_find(finding, GP_CHECK_UNKNOWN, "%s", exam->observed->vfio_state.why);
	} else if (exam->observed->kind == GP_HOST_CAPTURED) {
		gp_find(finding, GP_CHECK_UNKNOWN, "a captured tree does not tell who has it open");
	} else {
		gp_find(finding, GP_CHECK_PASS, "no process has it open");
	}
}

/* ---- the back-end's own verdict ---- */

/* Does one of the rows above say it, with its own remedy? */
static bool is_said_above(const struct gp_gpu *gpu)
{
	switch (gpu->unfit) {
	case GP_UNFIT_NO_SRIOV:
	case GP_UNFIT_NO_DRIVER:
	case GP_UNFIT_NO_MMIO:
	case GP_UNFIT_TRANSITION:
		return true;
	default:
		return !has_vfs_to_give(gpu);
	}
}

static bool another_row_failed(struct gp_finding *finding)
{
	static gp_check_function *const rows[] = {gp_check_driver, gp_check_vgpu_types, gp_check_framework,
						  gp_check_creatable, gp_check_vfs};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gp_finding other = {.exam = finding->exam, .gpu = finding->gpu, .found = ""};
		rows[i](&other);
		if (other.status == GP_CHECK_FAIL || other.status == GP_CHECK_WARN)
			return true;
	}
	return false;
}

void gp_check_usable(struct gp_finding *finding)
{
	const struct gp_gpu *gpu = finding->gpu;
	if (gpu->unfit == GP_FIT) {
		gp_find(finding, GP_CHECK_PASS, "%s can partition it", gpu->backend_name);
		return;
	}
	if (is_said_above(gpu) || another_row_failed(finding)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "another row says it");
		return;
	}
	bool ours_to_learn = gpu->unfit == GP_UNFIT_NEEDS_BACKEND && !is_asked_for(finding);
	gp_find(finding,
		gpu->unfit == GP_UNFIT_UNREADABLE ? GP_CHECK_UNKNOWN
		: ours_to_learn                   ? GP_CHECK_WARN
						  : gp_severity(finding),
		"%s", gpu->unfit_why);
	if (gpu->unfit_remedy != NULL)
		gp_advise(finding, "%s", gpu->unfit_remedy);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of the host: processors, IOMMU, kernel, and the software that all its GPUs share. */
#include <string.h>

#include "run/doctor_exam.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define COMMAND_LINE_HOW                                                                                               \
	"(GRUB: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub or grub2-mkconfig -o "                       \
	"/boot/grub2/grub.cfg), "                                                                                      \
	"and reboot"

/* ---- kernel ---- */

/* libvirt tells a VFIO driver that is not vfio-pci by VF/vfio-dev, which kernels have since 6.1. */
static bool needs_vfio_dev(const struct gp_exam *exam)
{
	for (size_t i = 0; i < exam->observed->gpu_count; i++)
		if (gp_streq(exam->observed->gpus[i].framework, "vendor VFIO") &&
		    !exam->observed->gpus[i].framework_expected)
			return true;
	return false;
}

void gp_check_kernel(struct gp_finding *finding)
{
	const struct gp_host_facts *facts = &finding->exam->facts;
	if (facts->kernel == NULL) {
		gp_find(finding, GP_CHECK_UNKNOWN, "its release cannot be read (/proc/sys/kernel/osrelease)");
	} else if (needs_vfio_dev(finding->exam) && !gp_kernel_at_least(facts, 6, 1)) {
		gp_find(finding, GP_CHECK_FAIL,
			"Linux %s, but libvirt recognises vendor VFIO by what kernels have since 6.1", facts->kernel);
		gp_advise(finding, "install a kernel 6.1 or newer that the GPU's driver supports");
	} else {
		gp_find(finding, GP_CHECK_PASS, "Linux %s", facts->kernel);
	}
}

/* ---- CPU virtualization ---- */

static const char *name_of_virtualization(enum gp_cpu_maker cpu)
{
	return cpu == GP_CPU_INTEL ? "Intel VT-x (vmx)" : cpu == GP_CPU_AMD ? "AMD-V (svm)" : "vmx or svm";
}

static bool is_x86(enum gp_cpu_maker cpu)
{
	return cpu == GP_CPU_INTEL || cpu == GP_CPU_AMD || cpu == GP_CPU_OTHER_X86;
}

static void advise_kvm_module(struct gp_finding *finding)
{
	switch (finding->exam->facts.cpu) {
	case GP_CPU_INTEL:
		gp_advise(finding,
			  "modprobe kvm_intel; if it says \"disabled by bios\", switch on Intel Virtualization "
			  "Technology (VT-x) in the firmware setup");
		break;
	case GP_CPU_AMD:
		gp_advise(finding,
			  "modprobe kvm_amd; if it says \"disabled by bios\", switch on SVM Mode in the firmware "
			  "setup");
		break;
	default:
		gp_advise(finding, "modprobe kvm, or use a kernel that was built with it");
		break;
	}
}

void gp_check_cpu(struct gp_finding *finding)
{
	const struct gp_host_facts *facts = &finding->exam->facts;
	bool kvm = gp_host_exists(finding->exam->host, "dev/kvm");
	if (facts->cpu == GP_CPU_UNKNOWN) {
		gp_find(finding, GP_CHECK_UNKNOWN, "/proc/cpuinfo cannot be read");
	} else if (is_x86(facts->cpu) && !facts->cpu_flag) {
		gp_find(finding, GP_CHECK_FAIL, "the processors show no %s", name_of_virtualization(facts->cpu));
		gp_advise(finding,
			  "switch on %s in the firmware setup; if this host is itself a VM, give it nested "
			  "virtualization (<cpu mode='host-passthrough'/>)",
			  facts->cpu == GP_CPU_AMD ? "SVM Mode" : "Intel Virtualization Technology (VT-x)");
	} else if (!kvm) {
		gp_find(finding, gp_if_absent(finding, GP_CHECK_FAIL), "there is no /dev/kvm");
		advise_kvm_module(finding);
	} else {
		gp_find(finding, GP_CHECK_PASS, "%s/dev/kvm is there",
			facts->cpu == GP_CPU_INTEL ? "Intel VT-x, "
			: facts->cpu == GP_CPU_AMD ? "AMD-V, "
						   : "");
	}
}

/* ---- IOMMU ---- */

#define ACPI_TABLES "sys/firmware/acpi/tables"

static const struct {
	const char *table, *words;
} iommu_tables[] = {
	{"DMAR", "Intel VT-d (ACPI table DMAR)"},
	{"IVRS", "AMD IOMMU (ACPI table IVRS)"},
	{"IORT", "Arm SMMU (ACPI table IORT)"},
	{"VIOT", "virtual IOMMU (ACPI table VIOT)"},
};

static const char *find_iommu_table(struct gp_exam *exam)
{
	for (size_t i = 0; i < COUNT(iommu_tables); i++)
		if (gp_host_exists(exam->host, gp_arena_printf(exam->arena, ACPI_TABLES "/%s", iommu_tables[i].table)))
			return iommu_tables[i].words;
	return NULL;
}

static void advise_iommu_firmware(struct gp_finding *finding)
{
	switch (finding->exam->facts.cpu) {
	case GP_CPU_INTEL:
		gp_advise(finding,
			  "switch on VT-d (Intel Virtualization Technology for Directed I/O) in the firmware setup");
		break;
	case GP_CPU_AMD:
		gp_advise(finding, "set IOMMU to Enabled, not Auto, in the firmware setup (Advanced > AMD CBS > NBIO)");
		break;
	case GP_CPU_ARM:
		gp_advise(finding, "switch on the SMMU in the firmware setup");
		break;
	default:
		gp_advise(finding, "switch on the IOMMU (VT-d, AMD-Vi, SMMU) in the firmware setup");
		break;
	}
}

void gp_check_iommu_firmware(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const char *words = find_iommu_table(exam);
	if (words != NULL) {
		gp_find(finding, GP_CHECK_PASS, "%s", words);
	} else if (gp_has_entries(exam->host, "sys/class/iommu")) {
		gp_find(finding, GP_CHECK_PASS, "told to the kernel without an ACPI table");
	} else if (!gp_host_exists(exam->host, ACPI_TABLES)) {
		gp_find(finding, GP_CHECK_UNKNOWN, "no ACPI tables are to be seen (/sys/firmware/acpi/tables)");
	} else {
		gp_find(finding, gp_if_absent(finding, GP_CHECK_FAIL), "the firmware tells of none (no ACPI table %s)",
			exam->facts.cpu == GP_CPU_INTEL ? "DMAR"
			: exam->facts.cpu == GP_CPU_AMD ? "IVRS"
			: exam->facts.cpu == GP_CPU_ARM ? "IORT"
							: "DMAR or IVRS");
		advise_iommu_firmware(finding);
	}
}

static const char *word_against_iommu(const struct gp_host_facts *facts)
{
	static const char *const words[] = {"intel_iommu=off", "amd_iommu=off", "iommu=off"};
	for (size_t i = 0; i < COUNT(words); i++)
		if (gp_command_line_has(facts, words[i]))
			return words[i];
	return NULL;
}

static void advise_iommu_kernel(struct gp_finding *finding)
{
	const struct gp_host_facts *facts = &finding->exam->facts;
	const char *word = word_against_iommu(facts);
	if (word != NULL)
		gp_advise(finding, "take %s from the kernel's command line " COMMAND_LINE_HOW, word);
	else if (facts->cpu == GP_CPU_INTEL)
		gp_advise(finding, "add intel_iommu=on iommu=pt to the kernel's command line " COMMAND_LINE_HOW);
	else if (facts->cpu == GP_CPU_AMD)
		gp_advise(finding, "look why in the kernel's log: dmesg | grep -i -e amd-vi -e iommu");
	else
		gp_advise(finding, "look why in the kernel's log: dmesg | grep -i iommu");
}

void gp_check_iommu_active(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	bool units = gp_has_entries(exam->host, "sys/class/iommu");
	bool groups = gp_has_entries(exam->host, "sys/kernel/iommu_groups");
	const char *word = word_against_iommu(&exam->facts);
	if (units && groups) {
		gp_find(finding, GP_CHECK_PASS, "devices are in IOMMU groups");
	} else if (!exam->facts.absence_counts) {
		gp_find(finding, GP_CHECK_UNKNOWN, "this tree does not tell (no /sys/class/iommu)");
	} else if (find_iommu_table(exam) == NULL && gp_host_exists(exam->host, ACPI_TABLES)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "it is off in the firmware first");
	} else if (groups) {
		gp_find(finding, GP_CHECK_WARN, "there are IOMMU groups, but no IOMMU is listed in /sys/class/iommu");
		gp_advise(finding, "make sure that VFIO does not run without one: cat "
				   "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode must say N");
	} else {
		gp_find(finding, GP_CHECK_FAIL, "the kernel does not use it%s%s",
			word == NULL ? "" : ": its command line says ", word == NULL ? "" : word);
		advise_iommu_kernel(finding);
	}
}

/* ---- VFIO ---- */

enum { MODULES_MAX = 16 * 1024 * 1024 };

/* "kernel/drivers/vfio/pci/vfio-pci.ko.zst: …" in modules.dep, or in modules.builtin. */
static bool is_listed(struct gp_exam *exam, const char *list, const char *module)
{
	char *text;
	gp_autofree char *path = gp_xasprintf("lib/modules/%s/%s", exam->facts.kernel, list);
	gp_autofree char *file = gp_xasprintf("/%s.ko", module);
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	return gp_host_read_file(exam->host, path, MODULES_MAX, arena, &text, NULL, NULL) == 0 &&
	       strstr(text, file) != NULL;
}

enum module_state { MODULE_READY, MODULE_LOADABLE, MODULE_MISSING, MODULE_UNKNOWN };

/* `dashed` as the file is called, `plain` as sysfs calls it. */
static enum module_state look_for_module(struct gp_exam *exam, const char *plain, const char *dashed)
{
	if (gp_host_exists(exam->host, gp_arena_printf(exam->arena, "sys/module/%s", plain)))
		return MODULE_READY;
	if (exam->facts.kernel == NULL ||
	    !gp_host_exists(exam->host, gp_arena_printf(exam->arena, "lib/modules/%s/modules.dep", exam->facts.kernel)))
		return MODULE_UNKNOWN;
	if (is_listed(exam, "modules.builtin", dashed))
		return MODULE_READY;
	return is_listed(exam, "modules.dep", dashed) ? MODULE_LOADABLE : MODULE_MISSING;
}

void gp_check_vfio(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	enum module_state pci = look_for_module(exam, "vfio_pci", "vfio-pci");
	enum module_state dma = look_for_module(exam, "vfio_iommu_type1", "vfio_iommu_type1");
	/* The old interface over iommufd does the same work as vfio_iommu_type1. */
	if (dma == MODULE_MISSING && look_for_module(exam, "iommufd", "iommufd") != MODULE_MISSING)
		dma = MODULE_UNKNOWN;
	if (pci == MODULE_MISSING || dma == MODULE_MISSING) {
		gp_find(finding, GP_CHECK_FAIL, "this kernel has no module %s",
			pci == MODULE_MISSING ? "vfio-pci" : "vfio_iommu_type1");
		gp_advise(finding,
			  "install the package with the rest of its modules (Ubuntu: linux-modules-extra-%s; Fedora, "
			  "RHEL: "
			  "kernel-modules), or a kernel with CONFIG_VFIO_PCI and CONFIG_VFIO_IOMMU_TYPE1",
			  exam->facts.kernel);
	} else if (pci == MODULE_UNKNOWN || dma == MODULE_UNKNOWN) {
		gp_find(finding, GP_CHECK_UNKNOWN, "%s is not loaded, and whether it could be cannot be read",
			pci == MODULE_UNKNOWN ? "vfio-pci" : "vfio_iommu_type1");
		gp_advise(finding, "modprobe vfio-pci");
	} else {
		gp_find(finding, GP_CHECK_PASS, "vfio-pci and vfio_iommu_type1 are %s",
			pci == MODULE_READY && dma == MODULE_READY ? "there" : "there, and loaded when needed");
	}
}

/* ---- lockdown ---- */

/* xe has its quotas in sysfs since Linux 7.0; before, they are in debugfs alone. */
static bool needs_debugfs(const struct gp_exam *exam)
{
	for (size_t i = 0; i < exam->observed->gpu_count; i++) {
		const char *driver = exam->observed->gpus[i].driver;
		if (exam->observed->gpus[i].sriov && gp_streq(driver, "xe") && !gp_kernel_at_least(&exam->facts, 7, 0))
			return true;
	}
	return false;
}

void gp_check_lockdown(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	char text[GP_ATTR_MAX];
	if (gp_host_read(exam->host, "sys/kernel/security/lockdown", text, sizeof(text), NULL) < 0) {
		if (gp_has_entries(exam->host, "sys/kernel/security") && exam->facts.absence_counts &&
		    !gp_host_exists(exam->host, "sys/kernel/security/lockdown"))
			gp_find(finding, GP_CHECK_PASS, "this kernel has none");
		else
			gp_find(finding, GP_CHECK_UNKNOWN, "/sys/kernel/security/lockdown cannot be read");
		return;
	}
	const char *mode = strstr(text, "[integrity]") != NULL         ? "integrity"
			   : strstr(text, "[confidentiality]") != NULL ? "confidentiality"
			   : strstr(text, "[none]") != NULL            ? "none"
								       : NULL;
	if (mode == NULL) {
		gp_find(finding, GP_CHECK_UNKNOWN, "/sys/kernel/security/lockdown says '%s'", text);
	} else if (gp_streq(mode, "none")) {
		gp_find(finding, GP_CHECK_PASS, "none");
	} else if (needs_debugfs(exam)) {
		gp_find(finding, GP_CHECK_WARN,
			"%s: debugfs is closed, and before Linux 7.0 xe has its memory quotas nowhere else; equal "
			"shares work",
			mode);
		gp_advise(finding, "use a kernel 7.0 or newer, or switch Secure Boot off in the firmware setup");
	} else if (gp_any_nvidia(exam)) {
		gp_find(finding, GP_CHECK_PASS,
			"%s: VFs and vGPU types still work; the driver's modules must be signed", mode);
	} else {
		gp_find(finding, GP_CHECK_PASS, "%s: VFs can still be made", mode);
	}
}

/* ---- stuck processes ---- */

static const char *const stuck_functions[] = {
	"sriov_numvfs_store", "sriov_numvfs_show", "vfio_unregister_group_dev",
	"vfio_device_remove", "pci_disable_sriov", "pci_enable_sriov",
	"nv_pci_remove",      "unbind_store",
};

static const char *stuck_in(const struct gp_process *process)
{
	for (size_t i = 0; process->waits_in != NULL && i < COUNT(stuck_functions); i++)
		if (strstr(process->waits_in, stuck_functions[i]) != NULL)
			return stuck_functions[i];
	return NULL;
}

void gp_check_stuck(struct gp_finding *finding)
{
	const struct gp_host_facts *facts = &finding->exam->facts;
	const struct gp_process *hidden = NULL;
	for (size_t i = 0; i < facts->process_count; i++) {
		const struct gp_process *process = &facts->processes[i];
		const char *function = stuck_in(process);
		if (process->state == 'D' && process->waits_in == NULL)
			hidden = process;
		if (function == NULL)
			continue;
		gp_find(finding, GP_CHECK_FAIL, "%s (process %llu) hangs in the kernel's %s", process->name,
			(unsigned long long)process->pid, function);
		gp_advise(finding,
			  "shut down the VMs that hold a VF of that GPU (gpupart vms); if it still hangs, reboot");
		return;
	}
	if (facts->processes_unknown_why != NULL)
		gp_find(finding, GP_CHECK_UNKNOWN, "%s", facts->processes_unknown_why);
	else if (hidden != NULL)
		gp_find(finding, GP_CHECK_UNKNOWN, "%s (process %llu) waits, and only root can read in what",
			hidden->name, (unsigned long long)hidden->pid);
	else
		gp_find(finding, GP_CHECK_PASS, "no process hangs while it makes or removes VFs");
}

/* ---- GPUs as a whole ---- */

void gp_check_gpus(struct gp_finding *finding)
{
	const struct gp_observed *observed = finding->exam->observed;
	size_t able = 0;
	for (size_t i = 0; i < observed->gpu_count; i++)
		able += observed->gpus[i].sriov && observed->gpus[i].total_vfs > 0;
	if (able > 0) {
		gp_find(finding, GP_CHECK_PASS, "%zu of %zu", able, observed->gpu_count);
		return;
	}
	if (observed->gpu_count == 0)
		gp_find(finding, GP_CHECK_FAIL,
			"no GPU here: no PCI device of a display (03) or accelerator (12) class");
	else
		gp_find(finding, GP_CHECK_FAIL, "none of %zu shows SR-IOV", observed->gpu_count);
	gp_advise(finding,
		  "switch on \"SR-IOV Support\" in the firmware setup; a GPU that is passed to this host as a VM "
		  "has none");
}

/* ---- NVIDIA's software ---- */

/* Its software is of interest for a GPU on NVIDIA's driver that the files do not pass over. Where that is not the vGPU
 * host driver, the rows of the GPU say so first. */
static bool wants_vgpu_software(const struct gp_finding *finding, const struct gp_gpu *gpu)
{
	const struct gp_finding of_gpu = {.exam = finding->exam, .gpu = gpu};
	return gp_gpu_is_nvidia(gpu) && gpu->sriov && gpu->total_vfs > 0 && gp_streq(gpu->driver, "nvidia") &&
	       gp_severity(&of_gpu) == GP_CHECK_FAIL;
}

static bool any_wants_vgpu_software(const struct gp_finding *finding)
{
	const struct gp_observed *observed = finding->exam->observed;
	bool host_driver = gp_host_exists(finding->exam->host, GP_VGPU_CONFIG) ||
			   gp_host_exists(finding->exam->host, "etc/nvidia/vgpu/vgpuConfig.xml") ||
			   !finding->exam->facts.absence_counts;
	for (size_t i = 0; host_driver && i < observed->gpu_count; i++)
		if (wants_vgpu_software(finding, &observed->gpus[i]))
			return true;
	return false;
}

#define NO_VGPU_DRIVER "no GPU is on NVIDIA's vGPU host driver"

/* nvidia-vgpud ends when it has told the driver its types; only the manager stays. */
void gp_check_vgpu_services(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	if (!any_wants_vgpu_software(finding)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, NO_VGPU_DRIVER);
		return;
	}
	const struct gp_process *manager = gp_find_process(&exam->facts, "nvidia-vgpu-mgr");
	if (manager != NULL) {
		gp_find(finding, GP_CHECK_PASS, "nvidia-vgpu-mgr runs");
	} else if (exam->facts.processes_unknown_why != NULL) {
		gp_find(finding, GP_CHECK_UNKNOWN, "%s", exam->facts.processes_unknown_why);
	} else {
		gp_find(finding, GP_CHECK_FAIL, "nvidia-vgpu-mgr does not run: no VM with a vGPU can start");
		gp_advise(finding,
			  "systemctl enable --now nvidia-vgpud nvidia-vgpu-mgr; if it ends at once: journalctl -u "
			  "nvidia-vgpu-mgr");
	}
}

static bool any_lacks_vfs(const struct gp_finding *finding)
{
	const struct gp_observed *observed = finding->exam->observed;
	for (size_t i = 0; i < observed->gpu_count; i++)
		if (wants_vgpu_software(finding, &observed->gpus[i]) && observed->gpus[i].num_vfs == 0)
			return true;
	return false;
}

void gp_check_sriov_manage(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const char *configured = exam->desired->policy.sriov_manage;
	const char *path = configured != NULL ? configured : GP_SRIOV_MANAGE;
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	if (!any_wants_vgpu_software(finding)) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, NO_VGPU_DRIVER);
		return;
	}
	if (!gp_host_exists(exam->host, path + 1)) {
		/* Once VFs are there it is not needed before the next boot. */
		gp_find(finding, gp_if_absent(finding, any_lacks_vfs(finding) ? GP_CHECK_FAIL : GP_CHECK_WARN),
			"there is no %s, which makes the VFs", path);
		gp_advise(finding,
			  "it comes with NVIDIA's vGPU host driver; if it is elsewhere, name it in a file: policy: "
			  "{sriov_manage: /path/to/sriov-manage}");
		return;
	}
	/* The files of a simulated or captured machine belong to whoever made it. */
	if (exam->observed->kind == GP_HOST_LIVE && gp_host_check_program(exam->host, path, &err) < 0) {
		gp_find(finding, err.kind == GP_E_PERMISSION ? GP_CHECK_UNKNOWN : GP_CHECK_FAIL, "%s", err.message);
		if (err.remedy != NULL)
			gp_advise(finding, "%s", err.remedy);
		return;
	}
	gp_find(finding, GP_CHECK_PASS, "%s", path);
}

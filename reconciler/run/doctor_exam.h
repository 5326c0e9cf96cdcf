/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the doctor share: the facts that several checks need, and how a check says what it found. */
#ifndef GP_RUN_DOCTOR_EXAM_H
#define GP_RUN_DOCTOR_EXAM_H

#include "run/doctor.h"

enum gp_cpu_maker { GP_CPU_UNKNOWN, GP_CPU_INTEL, GP_CPU_AMD, GP_CPU_OTHER_X86, GP_CPU_ARM, GP_CPU_OTHER };

struct gp_process {
	uint64_t pid;
	const char *name; /* comm: at most 15 characters */
	char state;       /* of /proc/PID/stat; '?' unknown */
	const char
		*waits_in; /* state D: the kernel's functions that it waits in, innermost first; NULL: not readable */
};

/* Read once (doctor_facts.c). */
struct gp_host_facts {
	/* False on a captured tree that was made without them: then a file that is missing says nothing. */
	bool absence_counts;
	const char *kernel; /* release; NULL unknown */
	unsigned kernel_major, kernel_minor;
	const char *command_line; /* of the kernel; NULL unknown */
	enum gp_cpu_maker cpu;
	bool cpu_flag; /* vmx or svm */
	const struct gp_process *processes;
	size_t process_count;
	const char *processes_unknown_why; /* NULL: all were seen */
};

struct gp_exam {
	struct gp_host *host;
	const struct gp_desired *desired; /* never NULL */
	const struct gp_observed *observed;
	struct gp_arena *arena;
	struct gp_host_facts facts;
};

struct gp_finding {
	struct gp_exam *exam;
	const struct gp_gpu *gpu;
	enum gp_check_status status;
	const char *found, *remedy;
};
typedef void gp_check_function(struct gp_finding *finding);

/* ---- how a check speaks (doctor.c) ---- */

void gp_find(struct gp_finding *finding, enum gp_check_status status, const char *format, ...) GP_PRINTF(3, 4);
void gp_advise(struct gp_finding *finding, const char *format, ...) GP_PRINTF(2, 3);
/* It does not work: FAIL, or WARN for a GPU that no class of the files selects. */
enum gp_check_status gp_severity(const struct gp_finding *finding);
/* What a missing file means: `status`, or unknown where the tree is no whole machine. */
enum gp_check_status gp_if_absent(const struct gp_finding *finding, enum gp_check_status status);

/* ---- facts (doctor_facts.c) ---- */

void gp_read_facts(struct gp_exam *exam);
bool gp_kernel_at_least(const struct gp_host_facts *facts, unsigned major, unsigned minor); /* false when unknown */
/* Is it a word of the kernel's command line? "pci=noari" holds for "pci=realloc,noari", too. */
bool gp_command_line_has(const struct gp_host_facts *facts, const char *word);
const struct gp_process *gp_find_process(const struct gp_host_facts *facts, const char *name); /* NULL: none runs */
/* Names in a directory that end up in `context` one by one; false: it cannot be listed. */
bool gp_has_entries(struct gp_host *host, const char *path);
bool gp_iommu_is_active(struct gp_exam *exam);
bool gp_gpu_is_nvidia(const struct gp_gpu *gpu);
bool gp_any_nvidia(const struct gp_exam *exam); /* with SR-IOV, so that its vGPU software is needed */

/* ---- the checks, in the order of the table ---- */

gp_check_function gp_check_kernel, gp_check_cpu, gp_check_iommu_firmware, gp_check_iommu_active, gp_check_vfio,
	gp_check_lockdown, gp_check_stuck, gp_check_gpus, gp_check_vgpu_services,
	gp_check_sriov_manage; /* doctor_host.c */
gp_check_function gp_check_sriov, gp_check_driver, gp_check_vgpu_types, gp_check_vf_space, gp_check_bus_numbers,
	gp_check_iommu_group, gp_check_settled, gp_check_framework, gp_check_creatable, gp_check_vfs, gp_check_clients,
	gp_check_usable;                                                                             /* doctor_gpu.c */
gp_check_function gp_check_libvirt, gp_check_libvirt_version, gp_check_memlock, gp_check_vm_devices; /* doctor_vms.c */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of checks, and the round that makes them. */
#include "run/doctor.h"

#include "run/doctor_exam.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	struct gp_check_kind kind;
	gp_check_function *look;
} rows[] = {
	{{"kernel", "kernel", GP_CHECK_OF_HOST}, gp_check_kernel},
	{{"cpu-virtualization", "CPU virtualization", GP_CHECK_OF_HOST}, gp_check_cpu},
	{{"iommu-firmware", "IOMMU in firmware", GP_CHECK_OF_HOST}, gp_check_iommu_firmware},
	{{"iommu-active", "IOMMU active", GP_CHECK_OF_HOST}, gp_check_iommu_active},
	{{"vfio", "VFIO modules", GP_CHECK_OF_HOST}, gp_check_vfio},
	{{"lockdown", "kernel lockdown", GP_CHECK_OF_HOST}, gp_check_lockdown},
	{{"stuck", "stuck in the kernel", GP_CHECK_OF_HOST}, gp_check_stuck},
	{{"gpus", "GPUs with SR-IOV", GP_CHECK_OF_HOST}, gp_check_gpus},
	{{"vgpu-services", "vGPU services", GP_CHECK_OF_HOST}, gp_check_vgpu_services},
	{{"sriov-manage", "sriov-manage", GP_CHECK_OF_HOST}, gp_check_sriov_manage},
	{{"sriov", "SR-IOV", GP_CHECK_OF_GPU}, gp_check_sriov},
	{{"driver", "driver", GP_CHECK_OF_GPU}, gp_check_driver},
	{{"vgpu-types", "vGPU types", GP_CHECK_OF_GPU}, gp_check_vgpu_types},
	{{"vf-space", "memory space of VFs", GP_CHECK_OF_GPU}, gp_check_vf_space},
	{{"bus-numbers", "bus numbers of VFs", GP_CHECK_OF_GPU}, gp_check_bus_numbers},
	{{"iommu-group", "IOMMU group", GP_CHECK_OF_GPU}, gp_check_iommu_group},
	{{"settled", "at rest", GP_CHECK_OF_GPU}, gp_check_settled},
	{{"framework", "vGPU framework", GP_CHECK_OF_GPU}, gp_check_framework},
	{{"creatable", "vGPUs can be made", GP_CHECK_OF_GPU}, gp_check_creatable},
	{{"vfs", "VFs", GP_CHECK_OF_GPU}, gp_check_vfs},
	{{"clients", "clients", GP_CHECK_OF_GPU}, gp_check_clients},
	{{"usable", "back-end", GP_CHECK_OF_GPU}, gp_check_usable},
	{{"libvirt", "libvirt answers", GP_CHECK_OF_VMS}, gp_check_libvirt},
	{{"libvirt-version", "libvirt new enough", GP_CHECK_OF_VMS}, gp_check_libvirt_version},
	{{"memlock", "locked memory", GP_CHECK_OF_VMS}, gp_check_memlock},
	{{"vm-devices", "devices of VMs", GP_CHECK_OF_VMS}, gp_check_vm_devices},
};

const struct gp_check_kind *gp_check_kind_at(size_t index)
{
	return index < COUNT(rows) ? &rows[index].kind : NULL;
}

const char *gp_check_status_name(enum gp_check_status status)
{
	static const char *const names[GP_CHECK_STATUS_COUNT] = {
		[GP_CHECK_NOT_APPLICABLE] = "not-applicable",
		[GP_CHECK_PASS] = "pass",
		[GP_CHECK_WARN] = "warn",
		[GP_CHECK_FAIL] = "fail",
		[GP_CHECK_UNKNOWN] = "unknown",
	};
	return names[status];
}

/* ---- how a check speaks ---- */

void gp_find(struct gp_finding *finding, enum gp_check_status status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	finding->status = status;
	finding->found = gp_arena_vprintf(finding->exam->arena, format, args);
	va_end(args);
}

void gp_advise(struct gp_finding *finding, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	finding->remedy = gp_arena_vprintf(finding->exam->arena, format, args);
	va_end(args);
}

static bool is_selected(const struct gp_desired *desired, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < desired->class_count; i++)
		if (gp_match_holds(&desired->classes[i].match, gpu))
			return true;
	return false;
}

enum gp_check_status gp_severity(const struct gp_finding *finding)
{
	const struct gp_desired *desired = finding->exam->desired;
	bool passed_over = finding->gpu != NULL && desired->class_count > 0 && !is_selected(desired, finding->gpu);
	return passed_over ? GP_CHECK_WARN : GP_CHECK_FAIL;
}

enum gp_check_status gp_if_absent(const struct gp_finding *finding, enum gp_check_status status)
{
	return finding->exam->facts.absence_counts ? status : GP_CHECK_UNKNOWN;
}

/* ---- the round ---- */

static void make_check(struct gp_exam *exam, size_t row, const struct gp_gpu *gpu, struct gp_checkup *checkup)
{
	struct gp_finding finding = {.exam = exam, .gpu = gpu, .found = ""};
	rows[row].look(&finding);
	*gp_arena_push(exam->arena, checkup->checks, checkup->count) = (struct gp_check){
		.kind = &rows[row].kind,
		.gpu = gpu,
		.status = finding.status,
		.found = finding.found,
		.remedy = finding.remedy,
	};
	checkup->tally[finding.status]++;
}

static void make_checks(struct gp_exam *exam, enum gp_check_scope scope, const struct gp_gpu *gpu,
			struct gp_checkup *checkup)
{
	for (size_t row = 0; row < COUNT(rows); row++)
		if (rows[row].kind.scope == scope)
			make_check(exam, row, gpu, checkup);
}

struct gp_checkup *gp_doctor(struct gp_host *host, const struct gp_desired *desired, const struct gp_observed *observed)
{
	static const struct gp_desired nothing = {0};
	struct gp_checkup *checkup = gp_xcalloc(1, sizeof(*checkup));
	checkup->arena = gp_arena_new();
	struct gp_exam exam = {
		.host = host,
		.desired = desired == NULL ? &nothing : desired,
		.observed = observed,
		.arena = checkup->arena,
	};
	gp_read_facts(&exam);
	make_checks(&exam, GP_CHECK_OF_HOST, NULL, checkup);
	for (size_t i = 0; i < observed->gpu_count; i++)
		make_checks(&exam, GP_CHECK_OF_GPU, &observed->gpus[i], checkup);
	make_checks(&exam, GP_CHECK_OF_VMS, NULL, checkup);
	return checkup;
}

void gp_checkup_free(struct gp_checkup *checkup)
{
	if (checkup == NULL)
		return;
	gp_arena_free(checkup->arena);
	free(checkup);
}

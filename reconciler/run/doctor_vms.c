/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of what runs the VMs, and of what their definitions name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "run/doctor_exam.h"

static const char *version_text(struct gp_exam *exam, uint32_t version)
{
	char text[GP_VERSION_SIZE];
	return gp_arena_strdup(exam->arena, gp_version_format(version, text));
}

/* ---- libvirt ---- */

static void say_who_answers(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const struct gp_observed *observed = exam->observed;
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	if (observed->hypervisor.version > 0)
		gp_str_printf(&text, "libvirt %s, ", version_text(exam, observed->hypervisor.version));
	if (observed->hypervisor.emulator > 0)
		gp_str_printf(&text, "QEMU %s, ", version_text(exam, observed->hypervisor.emulator));
	gp_find(finding, GP_CHECK_PASS, "%s%zu %s", gp_str_text(&text), observed->domain_count,
		observed->domain_count == 1 ? "VM" : "VMs");
}

void gp_check_libvirt(struct gp_finding *finding)
{
	const struct gp_observed *observed = finding->exam->observed;
	if (observed->domains_state.known) {
		say_who_answers(finding);
		return;
	}
	gp_find(finding, observed->kind == GP_HOST_CAPTURED ? GP_CHECK_UNKNOWN : GP_CHECK_FAIL, "%s",
		observed->domains_state.why);
	if (observed->kind != GP_HOST_CAPTURED)
		gp_advise(finding,
			  "systemctl enable --now libvirtd.socket (or virtqemud.socket, where libvirt runs as several "
			  "daemons); an ordinary user must be in the group libvirt");
}

static const struct gp_gpu *most_demanding(const struct gp_observed *observed)
{
	const struct gp_gpu *most = NULL;
	for (size_t i = 0; i < observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &observed->gpus[i];
		if (gpu->libvirt_min == 0 || (most != NULL && gpu->libvirt_min <= most->libvirt_min &&
					      (!most->framework_expected || gpu->framework_expected)))
			continue;
		most = gpu;
	}
	return most;
}

void gp_check_libvirt_version(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const struct gp_gpu *gpu = most_demanding(exam->observed);
	uint32_t version = exam->observed->hypervisor.version;
	if (gpu == NULL) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "any that is in use will do");
		return;
	}
	const char *needed = version_text(exam, gpu->libvirt_min);
	const char *what = gpu->framework == NULL ? gpu->backend_name : gpu->framework;
	if (version == 0) {
		gp_find(finding, GP_CHECK_UNKNOWN, "%s needs libvirt %s or newer, and which runs here is not known",
			what, needed);
	} else if (version >= gpu->libvirt_min) {
		gp_find(finding, GP_CHECK_PASS, "%s, and %s needs %s", version_text(exam, version), what, needed);
	} else {
		struct gp_finding of_gpu = {.exam = exam, .gpu = gpu};
		/* Which framework it is can be seen only once VFs exist. */
		gp_find(finding, gpu->framework_expected ? GP_CHECK_WARN : gp_severity(&of_gpu),
			"%s, but %s%s needs %s or newer: %s", version_text(exam, version), what,
			gpu->framework_expected ? " (which is to be expected here)" : "", needed,
			gpu->libvirt_why == NULL ? "older ones cannot do it" : gpu->libvirt_why);
		gp_advise(finding, "upgrade to a distribution that has it (Debian 13, Ubuntu 24.04, RHEL 9.4 do)");
	}
}

/* ---- locked memory ---- */

enum { CAP_SYS_RESOURCE_BIT = 24, STATUS_MAX = 16 * 1024 };
#define GIB ((uint64_t)1 << 30)

struct memlock {
	bool may_raise; /* CAP_SYS_RESOURCE: the daemon gives each VM what it needs */
	bool may_raise_known;
	bool unlimited;
	uint64_t hard;
};

/* Behind "KEY:" at the beginning of a line; NULL: no such line. */
static const char *field_of(const char *text, const char *key)
{
	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (gp_starts_with(line, key))
			return line + strlen(key);
	}
	return NULL;
}

static bool read_memlock(struct gp_exam *exam, uint64_t pid, struct memlock *out)
{
	char *text;
	char soft[32], hard[32];
	*out = (struct memlock){0};
	gp_autofree char *status = gp_xasprintf("proc/%" PRIu64 "/status", pid);
	gp_autofree char *limits = gp_xasprintf("proc/%" PRIu64 "/limits", pid);
	if (gp_host_read_file(exam->host, status, STATUS_MAX, exam->arena, &text, NULL, NULL) == 0) {
		const char *capabilities = field_of(text, "CapEff:");
		uint64_t bits;
		out->may_raise_known = capabilities != NULL && sscanf(capabilities, "%" SCNx64, &bits) == 1;
		out->may_raise = out->may_raise_known && (bits >> CAP_SYS_RESOURCE_BIT & 1) != 0;
	}
	if (gp_host_read_file(exam->host, limits, STATUS_MAX, exam->arena, &text, NULL, NULL) < 0)
		return out->may_raise;
	const char *line = field_of(text, "Max locked memory");
	if (line == NULL || sscanf(line, "%31s %31s", soft, hard) != 2)
		return out->may_raise;
	out->unlimited = gp_streq(hard, "unlimited");
	return out->unlimited || gp_parse_u64(hard, &out->hard) == 0;
}

static const struct gp_process *find_daemon(const struct gp_host_facts *facts)
{
	const struct gp_process *daemon = gp_find_process(facts, "virtqemud");
	return daemon != NULL ? daemon : gp_find_process(facts, "libvirtd");
}

static void judge_memlock(struct gp_finding *finding, const struct gp_process *daemon)
{
	struct memlock memlock;
	GP_CLEANUP(gp_str_clear) struct gp_str limit = {0};
	if (!read_memlock(finding->exam, daemon->pid, &memlock)) {
		gp_find(finding, GP_CHECK_UNKNOWN, "the limits of %s (process %" PRIu64 ") cannot be read",
			daemon->name, daemon->pid);
	} else if (memlock.unlimited || memlock.may_raise) {
		gp_find(finding, GP_CHECK_PASS, "%s",
			memlock.may_raise ? "libvirt gives each VM with a device the limit it needs"
					  : "unlimited for libvirt and its VMs");
	} else if (!memlock.may_raise_known) {
		gp_find(finding, GP_CHECK_UNKNOWN, "whether %s may raise limits cannot be read", daemon->name);
	} else {
		/* A VM with VFIO devices locks all its memory, and libvirt asks for 1 GiB more. */
		gp_add_size(&limit, memlock.hard);
		gp_find(finding, memlock.hard <= GIB ? GP_CHECK_FAIL : GP_CHECK_WARN,
			"%s may not raise limits, and has %s: a VM with a VF needs all its memory and 1GiB more locked",
			daemon->name, gp_str_text(&limit));
		gp_advise(finding,
			  "give %s CAP_SYS_RESOURCE (a container: --privileged or --cap-add SYS_RESOURCE), or a limit: "
			  "systemctl edit %s, with [Service] LimitMEMLOCK=infinity",
			  daemon->name, daemon->name);
	}
}

void gp_check_memlock(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	const struct gp_process *daemon = find_daemon(&exam->facts);
	if (daemon != NULL)
		judge_memlock(finding, daemon);
	else if (!exam->observed->domains_state.known)
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "libvirt does not answer");
	else if (exam->facts.processes_unknown_why != NULL)
		gp_find(finding, GP_CHECK_UNKNOWN, "%s", exam->facts.processes_unknown_why);
	else
		gp_find(finding, GP_CHECK_UNKNOWN, "no process called libvirtd or virtqemud is to be seen");
}

/* ---- devices that VMs name ---- */

static bool mdev_exists(struct gp_exam *exam, struct gp_uuid uuid)
{
	char text[GP_UUID_SIZE];
	gp_autofree char *path = gp_xasprintf("sys/bus/mdev/devices/%s", gp_uuid_format(uuid, text));
	return gp_host_exists(exam->host, path);
}

/* Devices that are no GPU's are not in a captured tree, and none of our business anywhere. */
static bool is_missing(struct gp_exam *exam, const struct gp_hostdev *hostdev)
{
	if (hostdev->elsewhere)
		return false;
	if (hostdev->type == GP_HOSTDEV_MDEV)
		return !mdev_exists(exam, hostdev->mdev);
	return hostdev->resolved && gp_gpu_partition(&exam->observed->gpus[hostdev->gpu], hostdev->vf) == NULL;
}

static bool lacks_a_device(struct gp_exam *exam, const struct gp_domain *domain)
{
	for (size_t i = 0; domain->state == GP_DOMAIN_OFF && i < domain->config_count; i++)
		if (is_missing(exam, &domain->config[i]))
			return true;
	return false;
}

struct lacking {
	size_t count, autostart;
	const struct gp_domain *first; /* one with autostart, if there is any */
};

static struct lacking find_lacking(struct gp_exam *exam)
{
	struct lacking lacking = {0};
	for (size_t i = 0; i < exam->observed->domain_count; i++) {
		const struct gp_domain *domain = &exam->observed->domains[i];
		if (!lacks_a_device(exam, domain))
			continue;
		lacking.count++;
		lacking.autostart += domain->autostart;
		if (lacking.first == NULL || (domain->autostart && !lacking.first->autostart))
			lacking.first = domain;
	}
	return lacking;
}

void gp_check_vm_devices(struct gp_finding *finding)
{
	struct gp_exam *exam = finding->exam;
	if (exam->observed->domain_count == 0 && !exam->observed->domains_state.known) {
		gp_find(finding, GP_CHECK_NOT_APPLICABLE, "the VMs are not known");
		return;
	}
	struct lacking lacking = find_lacking(exam);
	if (lacking.count == 0) {
		gp_find(finding, GP_CHECK_PASS, "every partition that a VM names is there");
		return;
	}
	gp_autofree char *more = lacking.count == 1 ? gp_xstrdup("") : gp_xasprintf(" and %zu more", lacking.count - 1);
	gp_autofree char *boot = lacking.autostart == 0
					 ? gp_xstrdup("")
					 : gp_xasprintf("; %zu of them %s with the host", lacking.autostart,
							lacking.autostart == 1 ? "starts" : "start");
	gp_find(finding, GP_CHECK_WARN, "%s%s cannot start: a VF or vGPU that the definition names is not there%s",
		lacking.first->name, more, boot);
	gp_advise(finding,
		  "gpupart apply, which makes them (VFs and vGPUs are gone after every boot), before libvirt starts "
		  "VMs");
}

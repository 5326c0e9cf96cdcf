/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vendor/nvidia.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "vendor/backends.h"
#include "vendor/fitness.h"

enum {
	NVIDIA = 0x10de,
	/* sriov-manage works on one GPU of a host at a time: eight in a row, up to a minute each, and a minute for a
	 * driver that was just loaded (it takes up to 30 s before it makes VFs) and for those that have a GPU open. */
	ENABLE_TIMEOUT_MS = (8 + 1) * 60 * 1000,
	APPEAR_TIMEOUT_MS = 60 * 1000,
	ATTRIBUTE_TIMEOUT_MS = 10 * 1000,
	TYPE_TIMEOUT_MS = 60 * 1000, /* the driver's daemons have a part in it */
};

#define LOOK_AT_DAEMONS "see 'systemctl status nvidia-vgpud nvidia-vgpu-mgr' and their journal, and 'dmesg'"

static int match(const struct gp_gpu *gpu)
{
	return gpu->vendor == NVIDIA ? GP_MATCH_FAMILY : GP_MATCH_NOT_MINE;
}

/* ---- VFs ---- */

size_t gp_nvidia_next_driven(const struct gp_gpu *gpu, size_t from)
{
	while (from < gpu->partition_count && !gp_streq(gpu->partitions[from].driver, GP_NVIDIA_DRIVER))
		from++;
	return from;
}

char *gp_nvidia_vf_path(const struct gp_partition *vf, const char *attribute)
{
	char addr[GP_PCI_ADDR_SIZE];
	return gp_xasprintf("sys/bus/pci/devices/%s/%s", gp_pci_addr_format(vf->addr, addr), attribute);
}

const char *gp_nvidia_type_text(struct gp_arena *arena, const char *profile, uint32_t id)
{
	return profile == NULL ? gp_arena_printf(arena, "%" PRIu32, id)
			       : gp_arena_printf(arena, "%s (%" PRIu32 ")", profile, id);
}

static const struct gp_vgpu_type *type_of(const struct gp_nvidia_look *look, uint32_t id)
{
	for (size_t i = 0; i < look->type_count; i++)
		if (look->types[i].id == id)
			return &look->types[i];
	return NULL;
}

/* Many VFs have one type: one string for all. */
static const char *shared_name(struct gp_nvidia_look *look, const struct gp_vgpu_type *type)
{
	for (size_t i = 0; i < look->gpu->layout_count; i++)
		if (look->gpu->layouts[i].groups->profile_id == type->id)
			return look->gpu->layouts[i].groups->profile;
	return gp_arena_strdup(look->arena, type->name);
}

void gp_nvidia_set_type(struct gp_nvidia_look *look, struct gp_partition *vf, uint32_t id)
{
	const struct gp_vgpu_type *type = type_of(look, id);
	vf->blank = false;
	vf->profile_id = id;
	look->gpu->count++;
	if (type == NULL)
		return;
	vf->profile = shared_name(look, type);
	gp_nvidia_offers(look->gpu, type, vf->offers);
}

void gp_nvidia_read_params(struct gp_nvidia_look *look, struct gp_partition *vf, const char *path)
{
	char text[GP_ATTR_MAX + 1];
	if (!look->gpu->want_params || gp_host_read(look->host, path, text, sizeof(text), NULL) < 0)
		return;
	size_t length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	vf->params = gp_arena_strndup(look->arena, text, length);
}

/* ---- what is the same for all GPUs of the host ---- */

static const char *read_text(struct gp_nvidia_look *look, const char *path)
{
	char text[GP_ATTR_MAX + 1];
	return gp_host_read(look->host, path, text, sizeof(text), NULL) > 0 ? gp_arena_strdup(look->arena, text) : NULL;
}

/* RegistryDwords: "RmPVMRL=0x01" */
static const char *quoted_value(struct gp_arena *arena, const char *text, const char *key)
{
	size_t length = strlen(key);
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		const char *begin = line + length + 1;
		begin += strspn(begin, " \t\"");
		return gp_arena_strndup(arena, begin, strcspn(begin, "\"\n"));
	}
	return "";
}

static struct gp_nvidia_survey *survey_host(struct gp_nvidia_look *look)
{
	struct gp_nvidia_survey *survey = gp_arena_new_of(look->arena, struct gp_nvidia_survey);
	survey->driver_version = read_text(look, "sys/module/nvidia/version");
	const char *params = read_text(look, "proc/driver/nvidia/params");
	if (params != NULL) {
		survey->settings = quoted_value(look->arena, params, "RegistryDwords");
		survey->device_settings = quoted_value(look->arena, params, "RegistryDwordsPerDevice");
	}
	survey->has_mdev_bus = gp_host_exists(look->host, "sys/class/mdev_bus");
	return survey;
}

/* ---- scheduling: what the driver was told when it was loaded ---- */

/* The next "key=value" of a list divided by ';'. False at its end. */
static bool next_setting(const char **list, char *key, size_t key_size, char *value, size_t value_size)
{
	while (**list == ';' || **list == ' ')
		++*list;
	if (**list == '\0')
		return false;
	size_t length = strcspn(*list, ";"), key_length = strcspn(*list, "=;");
	size_t value_length = length > key_length ? length - key_length - 1 : 0;
	bool fits = key_length < key_size && value_length < value_size;
	snprintf(key, key_size, "%.*s", fits ? (int)key_length : 0, *list);
	snprintf(value, value_size, "%.*s", fits ? (int)value_length : 0, *list + key_length + (value_length > 0));
	*list += length;
	return true;
}

static bool is_policy(const char *key)
{
	return gp_streq(key, "RmPVMRL");
}

/* The low byte is the policy, those above it the length of a turn. */
static const char *policy_name(const char *value)
{
	uint32_t number;
	bool hex = gp_starts_with(value, "0x") || gp_starts_with(value, "0X");
	if ((hex ? gp_parse_hex32(value, &number) : gp_parse_u32(value, &number)) < 0)
		return NULL;
	switch (number & 0xff) {
	case 0x00:
		return "best effort";
	case 0x01: /* strict round robin */
	case 0x03: /* without */
		return "equal share";
	case 0x11:
		return "fixed share";
	default:
		return NULL;
	}
}

/* NULL: unknown. */
static const char *scheduler_of(const struct gp_nvidia_survey *survey, const struct gp_gpu *gpu)
{
	char key[64], value[64];
	if (survey->settings == NULL)
		return NULL;
	const char *scheduler = "best effort";
	for (const char *list = survey->settings; next_setting(&list, key, sizeof(key), value, sizeof(value));)
		if (is_policy(key))
			scheduler = policy_name(value);
	bool mine = false;
	for (const char *list = survey->device_settings; next_setting(&list, key, sizeof(key), value, sizeof(value));) {
		struct gp_pci_addr addr;
		if (gp_streq(key, "pci"))
			mine = gp_pci_addr_parse(value, &addr) == 0 && gp_pci_addr_compare(addr, gpu->addr) == 0;
		else if (mine && is_policy(key))
			scheduler = policy_name(value);
	}
	return scheduler;
}

/* ---- model ---- */

/*
 * The types are named after the board: that tells an A16 from an A2, which have one device id. What pci.ids says is
 * kept where it says more ("A100 PCIe 80GB"), unless it names several boards or none.
 */
static void name_model(struct gp_nvidia_look *look)
{
	struct gp_gpu *gpu = look->gpu;
	char ids[16];
	const char *board = look->type_count == 0 ? NULL : gp_nvidia_board_of(look->arena, look->types[0].name);
	if (board == NULL)
		return;
	snprintf(ids, sizeof(ids), "%04x:%04x", gpu->vendor, gpu->device);
	bool vague = gpu->model == NULL || gp_streq(gpu->model, ids) || strchr(gpu->model, '/') != NULL;
	if (vague)
		gpu->model = board;
	else if (!gp_word_match(board, gpu->model))
		gpu->model = gp_arena_printf(look->arena, "%s (%s)", gpu->model, board);
}

/* ---- is it fit to be partitioned? ---- */

/* Older GPUs share their time without SR-IOV; boards with a display lose SR-IOV while it is on. */
#define NO_VFS_REMEDY                                                                                                    \
	"GPUs before Ampere (T4, V100, M10 …) have none; on later ones switch SR-IOV and \"Above 4G decoding\" on in " \
	"the firmware setup, and, where the board has a display, switch that off with NVIDIA's displaymodeselector"

static bool judge_driver(struct gp_arena *arena, struct gp_gpu *gpu)
{
	if (gp_streq(gpu->driver, GP_NVIDIA_DRIVER))
		return false;
	/* sriov-manage takes it from its driver for as long as it works. */
	if (gpu->busy)
		return gp_judge_transition(arena, gpu);
	if (gpu->driver == NULL) {
		gp_unfit(gpu, GP_UNFIT_NO_DRIVER, "no driver is bound to it, and only its vGPU host driver makes VFs",
			 "install NVIDIA's vGPU host driver (of the vGPU software, for KVM), and load the module "
			 "nvidia");
		return true;
	}
	if (gp_judge_driver(arena, gpu))
		return true;
	gp_unfit(gpu, GP_UNFIT_DRIVER, gp_arena_printf(arena, "it is bound to %s, which has no vGPU", gpu->driver),
		 gp_arena_printf(arena,
				 "keep the module %s from being loaded, and install NVIDIA's vGPU host driver (of the "
				 "vGPU software, for KVM)",
				 gpu->driver));
	return true;
}

static void judge_no_list(struct gp_arena *arena, struct gp_gpu *gpu, const struct gp_error *why)
{
	if (why->kind == GP_E_NOT_FOUND)
		gp_unfit(gpu, GP_UNFIT_DRIVER,
			 "its driver has no vGPU types (/" GP_VGPU_CONFIG " is not there): it is NVIDIA's plain driver",
			 "install the vGPU host driver (of NVIDIA's vGPU software, for KVM) in its place");
	else
		gp_unfit(gpu, GP_UNFIT_UNREADABLE,
			 gp_arena_printf(arena, "%s: %s", why->subject == NULL ? "its vGPU types" : why->subject,
					 why->message),
			 gp_arena_strdup(arena, why->remedy));
}

static void judge_not_listed(struct gp_arena *arena, struct gp_gpu *gpu, const char *version)
{
	gp_unfit(gpu, GP_UNFIT_DRIVER,
		 gp_arena_printf(arena, "the vGPU driver%s%s has no vGPU types for it (%04x:%04x, subsystem %04x:%04x)",
				 version == NULL ? "" : " ", version == NULL ? "" : version, gpu->vendor, gpu->device,
				 gpu->subsystem_vendor, gpu->subsystem_device),
		 "GPUs for consumers have none; for a new GPU, install a newer release of NVIDIA's vGPU software");
}

static void judge_fewer_vfs(struct gp_arena *arena, struct gp_gpu *gpu)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(gpu->addr, addr);
	gp_unfit(gpu, GP_UNFIT_DRIVER,
		 gp_arena_printf(arena,
				 "it has %" PRIu32 " of its %" PRIu32
				 " VFs, and NVIDIA's driver wants all: sriov-manage stopped half-way, or somebody "
				 "enabled them by hand",
				 gpu->num_vfs, gpu->total_vfs),
		 gp_arena_printf(arena, "when no VM uses them: sriov-manage -d %s, and gpupart enables all (or reboot)",
				 addr));
}

/* What can be told without looking at a VF. */
static bool judge(struct gp_nvidia_look *look)
{
	struct gp_arena *arena = look->arena;
	struct gp_gpu *gpu = look->gpu;
	if (!gpu->sriov)
		gp_unfit(gpu, GP_UNFIT_NO_SRIOV,
			 "it shows no SR-IOV capability (no sriov_totalvfs), and without VFs gpupart cannot partition "
			 "it",
			 NO_VFS_REMEDY);
	else if (gpu->total_vfs == 0)
		gp_unfit(gpu, GP_UNFIT_NO_SRIOV, "it offers no VFs (sriov_totalvfs is 0)", NO_VFS_REMEDY);
	else if (gpu->layout_count == 0)
		gp_unfit(gpu, GP_UNFIT_NEEDS_BACKEND,
			 "all its vGPU types are for MIG mode, which needs a later version of gpupart",
			 "let no class match it");
	else if (gp_judge_transition(arena, gpu))
		return true;
	else if (gpu->num_vfs > 0 && gpu->num_vfs < gpu->total_vfs)
		judge_fewer_vfs(arena, gpu);
	else
		return gp_judge_room(look->host, gpu);
	return true;
}

/* VFs are there, and none is as the vGPU driver leaves them. */
static void judge_vfs(struct gp_nvidia_look *look)
{
	struct gp_gpu *gpu = look->gpu;
	size_t driven = gp_nvidia_next_driven(gpu, 0);
	const char *driver = gpu->partitions[0].driver;
	if (driven < gpu->partition_count)
		gp_unfit(gpu, GP_UNFIT_DRIVER,
			 "its VFs can be given no vGPU type: they show neither mdev_supported_types nor "
			 "nvidia/current_vgpu_type",
			 "wait half a minute if the driver was just loaded; " LOOK_AT_DAEMONS
			 "; a driver package that is not for this kernel has no framework at all");
	else if (driver == NULL)
		gp_unfit(gpu, GP_UNFIT_DRIVER,
			 "no driver is bound to its VFs, and only with the driver nvidia they can have a vGPU type",
			 "wait if they were just enabled; else bind them to nvidia (their drivers_probe), and write 1 "
			 "into sriov_drivers_autoprobe of the GPU before VFs are enabled the next time");
	else
		gp_unfit(gpu, GP_UNFIT_DRIVER,
			 gp_arena_printf(look->arena,
					 "its VFs are bound to %s, and only with the driver nvidia they can have a "
					 "vGPU type",
					 driver),
			 "take away what binds them (driver_override, driverctl, ids= of vfio-pci), and reboot");
}

/* ---- observe ---- */

static void set_framework(struct gp_gpu *gpu, const struct gp_nvidia_framework *framework, bool expected)
{
	gpu->framework = framework->name;
	gpu->framework_expected = expected;
	gpu->libvirt_min = framework->libvirt_min;
	gpu->libvirt_why = framework->libvirt_why;
}

static void start_vf(struct gp_arena *arena, struct gp_partition *vf)
{
	vf->profile = vf->params = vf->unusable_why = NULL;
	vf->profile_id = 0;
	vf->blank = true;
	vf->has_mdev = false;
	memset(vf->offers, 0, sizeof(vf->offers));
	if (vf->driver == NULL)
		vf->unusable_why = "no driver is bound to it, and only with nvidia it can have a vGPU type";
	else if (!gp_streq(vf->driver, GP_NVIDIA_DRIVER))
		vf->unusable_why = gp_arena_printf(
			arena, "it is bound to %s, and only with nvidia it can have a vGPU type", vf->driver);
}

static void start(struct gp_arena *arena, struct gp_gpu *gpu)
{
	gpu->backend_name = gp_vendor_nvidia.name;
	gpu->count = 0;
	gpu->not_creatable = NULL;
	for (size_t i = 0; i < gpu->partition_count; i++)
		start_vf(arena, &gpu->partitions[i]);
}

/* With `fit` a GPU whose VFs show nothing becomes unfit. */
static int observe_vfs(struct gp_nvidia_look *look, bool fit, struct gp_error *err)
{
	static const struct gp_nvidia_framework *const frameworks[] = {&gp_nvidia_vfio, &gp_nvidia_mdev};
	struct gp_gpu *gpu = look->gpu;
	for (size_t i = 0; i < sizeof(frameworks) / sizeof(frameworks[0]); i++) {
		int found =
			gp_nvidia_next_driven(gpu, 0) == gpu->partition_count ? 0 : frameworks[i]->observe(look, err);
		if (found < 0)
			return -1;
		if (found > 0) {
			set_framework(gpu, frameworks[i], false);
			return 0;
		}
	}
	if (fit && gpu->partition_count > 0)
		judge_vfs(look);
	return 0;
}

static int observe(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err)
{
	GP_CLEANUP(gp_error_clear) struct gp_error why = {0};
	struct gp_nvidia_look look = {.host = host, .arena = arena, .gpu = gpu};
	start(arena, gpu);
	bool listed = gp_host_vgpu_types(host, gpu, &look.types, &look.type_count, &why) == 0;
	name_model(&look);
	if (judge_driver(arena, gpu))
		return 0;
	if (gpu->survey == NULL)
		gpu->survey = survey_host(&look);
	look.survey = gpu->survey;
	gpu->driver_version = look.survey->driver_version;
	gpu->scheduler = scheduler_of(look.survey, gpu);
	gp_nvidia_lay_out(&look);
	if (!listed || look.type_count == 0) {
		if (!listed)
			judge_no_list(arena, gpu, &why);
		else
			judge_not_listed(arena, gpu, gpu->driver_version);
		return 0;
	}
	bool fit = !judge(&look);
	set_framework(gpu, look.survey->has_mdev_bus ? &gp_nvidia_mdev : &gp_nvidia_vfio, true);
	return observe_vfs(&look, fit, err);
}

/* ---- steps ---- */

/* Its framework, as far as it is known; never NULL. */
static const struct gp_nvidia_framework *framework_of(const struct gp_gpu *gpu)
{
	return gp_streq(gpu->framework, gp_nvidia_mdev.name) ? &gp_nvidia_mdev : &gp_nvidia_vfio;
}

struct gp_step *gp_nvidia_push_write(struct gp_step_sink *sink, const struct gp_vf_change *change)
{
	struct gp_step *step = sink->push(sink, GP_STEP_WRITE);
	step->pf = sink->delta->gpu->addr;
	step->timeout_ms = TYPE_TIMEOUT_MS;
	step->reason = change->reason;
	step->case_number = change->case_number;
	return step;
}

struct gp_step *gp_nvidia_push_vf_write(struct gp_step_sink *sink, const struct gp_vf_change *change,
					const char *attribute)
{
	char device[GP_VF_REF_SIZE];
	struct gp_step *step = gp_nvidia_push_write(sink, change);
	struct gp_vf_ref vf = {sink->delta->gpu->addr, change->vf};
	step->base = GP_BASE_PCI;
	step->device = gp_arena_strdup(sink->arena, gp_vf_ref_format(vf, device));
	step->attribute = attribute;
	return step;
}

/* An empty write is none: one blank clears. */
void gp_nvidia_fill_params(struct gp_step_sink *sink, const struct gp_vf_change *change, struct gp_step *step)
{
	bool clears = *change->params == '\0';
	step->timeout_ms = ATTRIBUTE_TIMEOUT_MS;
	step->after = clears ? " " : gp_arena_strdup(sink->arena, change->params);
	step->what = clears ? "clear its vgpu_params" : "set its vgpu_params";
	if (change->to == NULL) /* it was there before, and somebody may have started with it since */
		step->guard = GP_GUARD_VF_UNHELD;
}

static struct gp_step *push_pf_step(struct gp_step_sink *sink, enum gp_step_kind kind, const char *attribute)
{
	char addr[GP_PCI_ADDR_SIZE];
	struct gp_step *step = sink->push(sink, kind);
	step->base = GP_BASE_PCI;
	step->device = gp_arena_strdup(sink->arena, gp_pci_addr_format(sink->delta->gpu->addr, addr));
	step->attribute = attribute;
	step->pf = sink->delta->gpu->addr;
	return step;
}

/* A VF that no driver is bound to can have no type. */
static void push_autoprobe(struct gp_step_sink *sink)
{
	const struct gp_gpu *gpu = sink->delta->gpu;
	if (!gpu->autoprobe_known || gpu->autoprobe)
		return;
	struct gp_step *step = push_pf_step(sink, GP_STEP_WRITE, "sriov_drivers_autoprobe");
	step->before = "0";
	step->after = "1";
	step->timeout_ms = ATTRIBUTE_TIMEOUT_MS;
	step->what = "let new VFs have their driver";
}

/* The program takes the PF from its driver and gives it back: nobody may have the GPU open, and every type is lost. So
 * it is run only while there is no VF. */
static void push_enable(struct gp_step_sink *sink)
{
	const struct gp_gpu *gpu = sink->delta->gpu;
	const struct gp_policy *policy = sink->delta->policy;
	push_autoprobe(sink);

	struct gp_step *run = push_pf_step(sink, GP_STEP_HELPER, "sriov-manage");
	bool named = policy != NULL && policy->sriov_manage != NULL;
	run->program = named ? gp_arena_strdup(sink->arena, policy->sriov_manage) : GP_SRIOV_MANAGE;
	run->after = "-e";
	run->timeout_ms = ENABLE_TIMEOUT_MS;
	run->guard = GP_GUARD_NO_VFS;
	/* It unbinds the PF for a moment. The guard sees to it that nobody notices. */
	run->what = gp_arena_printf(sink->arena, "enable all its %" PRIu32 " VFs", gpu->total_vfs);

	struct gp_step *links = push_pf_step(sink, GP_STEP_WAIT, "virtfn");
	links->after = gp_arena_printf(sink->arena, "%" PRIu32, gpu->total_vfs);
	links->timeout_ms = APPEAR_TIMEOUT_MS;
	links->what = gp_arena_printf(sink->arena, "wait for %" PRIu32 " VFs", gpu->total_vfs);

	struct gp_step *drivers = push_pf_step(sink, GP_STEP_WAIT, "vf-driver");
	drivers->after = GP_NVIDIA_DRIVER;
	drivers->timeout_ms = APPEAR_TIMEOUT_MS;
	drivers->what = "wait until all of them are bound to " GP_NVIDIA_DRIVER;

	/* What the driver shows of a VF is set up by its daemon, a moment after the driver has it. */
	struct gp_step *shows = push_pf_step(sink, GP_STEP_WAIT, "vf-shows");
	shows->after = "nvidia/current_vgpu_type mdev_supported_types";
	shows->timeout_ms = APPEAR_TIMEOUT_MS;
	shows->what = "wait until they can be given vGPU types";

	sink->observe_why = "which vGPU framework the driver uses can only be seen once VFs exist";
}

/* The types of one GPU must have one size, so all that goes, goes before anything comes. */
static void steps(const struct gp_delta *delta, struct gp_step_sink *sink)
{
	const struct gp_nvidia_framework *framework = framework_of(delta->gpu);
	if (delta->gpu->num_vfs == 0 && delta->to > 0)
		push_enable(sink);
	for (size_t i = 0; i < delta->vf_count; i++)
		if (delta->vfs[i].clears && delta->vfs[i].now != NULL)
			framework->clear(sink, &delta->vfs[i]);
	for (size_t i = 0; i < delta->vf_count; i++)
		if (delta->vfs[i].to != NULL)
			framework->give(sink, &delta->vfs[i]);
	for (size_t i = 0; i < delta->vf_count; i++)
		if (delta->vfs[i].params != NULL)
			framework->set_params(sink, &delta->vfs[i]);
}

/* ---- a VM's device, and who holds a VF ---- */

static void device(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out)
{
	(void)index;
	framework_of(gpu)->device(out);
}

/* The driver nvidia on a VF is the vGPU driver at rest. */
static bool idle_driver(const char *driver)
{
	return driver == NULL || gp_is_vfio_driver(driver) || gp_streq(driver, GP_NVIDIA_DRIVER);
}

/* ---- what would work when a step failed ---- */

enum subject { OF_OTHERS, OF_ENABLING, OF_LINKS, OF_DRIVERS, OF_FRAMEWORK, OF_GIVING, OF_CLEARING, OF_PARAMS };

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);
	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static enum subject subject_of(const struct gp_step *step)
{
	const char *attribute = step->attribute == NULL ? "" : step->attribute;
	if (step->kind == GP_STEP_HELPER)
		return OF_ENABLING;
	if (step->kind == GP_STEP_WAIT)
		return gp_streq(attribute, "virtfn")      ? OF_LINKS
		       : gp_streq(attribute, "vf-driver") ? OF_DRIVERS
		       : gp_streq(attribute, "vf-shows")  ? OF_FRAMEWORK
							  : OF_OTHERS;
	if (step->kind != GP_STEP_WRITE)
		return OF_OTHERS;
	if (ends_with(attribute, "/current_vgpu_type"))
		return gp_streq(step->after, "0") ? OF_CLEARING : OF_GIVING;
	if (ends_with(attribute, "/vgpu_params"))
		return OF_PARAMS;
	if (ends_with(attribute, "/create"))
		return OF_GIVING;
	return step->base == GP_BASE_MDEV && gp_streq(attribute, "remove") ? OF_CLEARING : OF_OTHERS;
}

#define ANYTHING (-1)

/*
 * What the driver answers, and what helps. Sources agree on few of these numbers, so those that stand for one cause are
 * told together.
 */
static const struct answer {
	enum subject subject;
	enum gp_error_kind kind; /* GP_E_NONE: any */
	int sys;                 /* ANYTHING: any */
	const char *remedy;
} answers[] = {
	{OF_ENABLING, GP_E_TIMEOUT, ANYTHING,
	 "let it end: killed half-way it would leave the GPU without a driver; 'dmesg' tells what it waits for. Then "
	 "plan again"},
	{OF_ENABLING, GP_E_NONE, ENOENT,
	 "install the vGPU host driver, or say where the program is (policy: sriov_manage)"},
	{OF_ENABLING, GP_E_NONE, ANYTHING,
	 "stop what keeps /dev/nvidia* open (DCGM, exporters, nvidia-persistenced, nvidia-smi); see 'dmesg'; a driver "
	 "that was just loaded needs half a minute"},
	{OF_LINKS, GP_E_NONE, ANYTHING, LOOK_AT_DAEMONS},
	{OF_DRIVERS, GP_E_NONE, ANYTHING,
	 "look whether sriov_drivers_autoprobe of the GPU is 1, and what else binds its VFs (driver_override, "
	 "driverctl, ids= of vfio-pci); see 'dmesg'"},
	{OF_FRAMEWORK, GP_E_NONE, ANYTHING, LOOK_AT_DAEMONS},
	{OF_GIVING, GP_E_VERIFY, ANYTHING,
	 "see 'dmesg' and the journal of nvidia-vgpu-mgr for why the driver did not take the type, then plan again"},
	{OF_GIVING, GP_E_NONE, EPERM,
	 "run gpupart as root; if it does: shut down the VM that has this VF, and see 'dmesg'"},
	{OF_GIVING, GP_E_NONE, EACCES, "run as root"},
	{OF_GIVING, GP_E_NONE, EIO,
	 "see 'dmesg' (NVRM): the GPU may be in MIG mode, or have no room left for this type; then plan again"},
	{OF_GIVING, GP_E_NONE, EINVAL,
	 "plan again: the driver cannot make this type on the VF now (it has another one, or vGPUs of another size are "
	 "on the GPU)"},
	{OF_GIVING, GP_E_NONE, ENOSPC, "plan again: no more vGPUs of this type fit on the GPU"},
	{OF_GIVING, GP_E_NONE, EEXIST, "plan again: a mediated device of this name is there already"},
	{OF_GIVING, GP_E_NONE, EBUSY, "plan again: somebody else is at work on this VF"},
	{OF_GIVING, GP_E_NONE, ENXIO, LOOK_AT_DAEMONS},
	{OF_GIVING, GP_E_NONE, ENODEV, LOOK_AT_DAEMONS},
	{OF_CLEARING, GP_E_VERIFY, ANYTHING,
	 "shut down the VM that has this VF; if none has, its release has not settled: wait, and plan again"},
	{OF_CLEARING, GP_E_NONE, EPERM, "run gpupart as root; if it does: shut down the VM that has this VF"},
	{OF_CLEARING, GP_E_NONE, EACCES, "run as root"},
	{OF_CLEARING, GP_E_NONE, EBUSY, "shut down the VM that has this VF, wait until it has let go, and plan again"},
	{OF_CLEARING, GP_E_NONE, EIO,
	 "see 'dmesg' (NVRM); a VM that was killed while it started may have left the VF "
	 "unusable: then the GPU's VFs must be made anew, with no VM on them"},
	{OF_CLEARING, GP_E_NONE, ENXIO, LOOK_AT_DAEMONS},
	{OF_CLEARING, GP_E_NONE, ENODEV, LOOK_AT_DAEMONS},
	{OF_PARAMS, GP_E_NONE, EPERM, "run gpupart as root; if it does: they can be set only while no VM has this VF"},
	{OF_PARAMS, GP_E_NONE, EACCES, "run as root"},
	{OF_PARAMS, GP_E_NONE, EINVAL, "look into NVIDIA's manual which vgpu_params this release of the driver knows"},
	{OF_PARAMS, GP_E_NONE, ENXIO, "plan again: the VF has no vGPU type any more"},
};

/* What is said of all is said by others: the plan is stale, the guard objected. */
static bool speaks_for_itself(const struct gp_error *err)
{
	return err->remedy != NULL || err->kind == GP_E_NONE || err->kind == GP_E_STALE || err->kind == GP_E_REFUSED ||
	       err->kind == GP_E_INTERNAL;
}

static void explain(const struct gp_gpu *gpu, const struct gp_step *step, struct gp_error *err)
{
	enum subject subject = subject_of(step);
	if (speaks_for_itself(err))
		return;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct answer *answer = &answers[i];
		if (answer->subject != subject || (answer->kind != GP_E_NONE && answer->kind != err->kind) ||
		    (answer->sys != ANYTHING && answer->sys != err->sys))
			continue;
		bool creatable = subject == OF_GIVING && gpu->not_creatable != NULL;
		gp_error_remedy(err, "%s%s%s", answer->remedy, creatable ? "; the driver offers now: " : "",
				creatable ? gpu->not_creatable : "");
		return;
	}
}

const struct gp_vendor gp_vendor_nvidia = {
	.name = "nvidia",
	.by_profile = true,
	.match = match,
	.observe = observe,
	.layouts = gp_nvidia_layouts,
	.check = gp_nvidia_check,
	.steps = steps,
	.device = device,
	.explain = explain,
	.idle_driver = idle_driver,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine as a directory: exactly the files that gpupart reads, so that a plan made on the copy is the plan of the
 * machine. Nothing else is copied: no other devices, no processes but a few daemons' names, and of the VMs only what is
 * compared. An anonymous capture goes through disguise.c on top of that, file by file and name by name.
 *
 * Links are made anew as relative ones that stay inside the tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/capture_host.h"
#include "host/disguise.h"
#include "host/domain_xml.h"
#include "host/host_internal.h"

#define PCI_DEVICES  "sys/bus/pci/devices"
#define MDEV_DEVICES "sys/bus/mdev/devices"
#define MDEV_BUS     "sys/class/mdev_bus"
enum { FILE_MAX = 8 * 1024 * 1024, PCI_IDS_MAX = 16 * 1024 * 1024, LINK_SIZE = 1024, HOUR_MS = 3600 * 1000 };

/* Below a PF, below a VF, and below a mediated device. '*' stands for any part of one name. A vendor whose back-end
 * reads more adds its rows. */
static const char *const pf_files[] = {
	"class",
	"vendor",
	"device",
	"subsystem_vendor",
	"subsystem_device",
	"config",
	"numa_node",
	"sriov_totalvfs",
	"sriov_drivers_autoprobe",
	"sriov_offset",
	"sriov_stride",
	"ari_enabled",
	"resource",
	"mem_info_vram_total",
	"tile*/physical_vram_size_bytes",
	"drm/card*/lmem_total_bytes",
	NULL,
};
static const char *const vf_files[] = {
	"class",
	"vendor",
	"device",
	"nvidia/creatable_vgpu_types",
	"nvidia/current_vgpu_type",
	"nvidia/vgpu_params",
	"mdev_supported_types/*/name",
	"mdev_supported_types/*/device_api",
	"mdev_supported_types/*/available_instances",
	"mdev_supported_types/*/description",
	NULL,
};
static const char *const mdev_files[] = {"nvidia/vgpu_params", NULL};
/* Of the whole machine: NVIDIA's driver, and the vGPU types that it knows. */
static const char *const machine_files[] = {
	"proc/driver/nvidia/version",     "proc/driver/nvidia/params",
	"sys/module/nvidia/version",      GP_VGPU_CONFIG,
	"etc/nvidia/vgpu/vgpuConfig.xml", NULL,
};

struct capture {
	struct gp_host *host;
	struct gp_arena *arena;
	int to_fd;
	int files;
	struct gp_names mdevs;        /* UUIDs of all of the machine */
	struct gp_disguise *disguise; /* NULL: everything as it is */
};

/* ---- making files ---- */

static int make_directory(struct capture *capture, const char *path, struct gp_error *err)
{
	gp_autofree char *there = gp_disguise_path(capture->disguise, path);
	return gp_host_make_directories(capture->to_fd, there, 0755, err);
}

static bool is_there(struct capture *capture, const char *path)
{
	gp_autofree char *there = gp_disguise_path(capture->disguise, path);
	gp_autoclose int fd = gp_open_inside(capture->to_fd, there, O_PATH, 0, GP_INSIDE_ROOT);
	return fd >= 0;
}

static int make_parent(struct capture *capture, const char *path, struct gp_error *err)
{
	gp_autofree char *parent = gp_xasprintf("%.*s", (int)(gp_last_component(path) - path - 1), path);
	return gp_host_make_directories(capture->to_fd, parent, 0755, err);
}

static int write_file(struct capture *capture, const char *path, const char *bytes, size_t size, struct gp_error *err)
{
	if (make_parent(capture, path, err) < 0)
		return -1;
	gp_autoclose int fd = gp_open_inside(capture->to_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0644, GP_INSIDE_ROOT);
	if (fd < 0)
		return gp_host_fail_path(err, errno, path, "created");
	for (size_t done = 0; done < size;) {
		ssize_t wrote = write(fd, bytes + done, size - done);
		if (wrote < 0)
			return gp_host_fail_path(err, errno, path, "written");
		done += (size_t)wrote;
	}
	capture->files++;
	return 0;
}

static int put_file(struct capture *capture, const char *path, const void *bytes, size_t size, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str kept = {0};
	if (capture->disguise == NULL)
		return write_file(capture, path, bytes, size, err);
	if (!gp_disguise_content(capture->disguise, path, bytes, size, &kept))
		return 0;
	gp_autofree char *there = gp_disguise_path(capture->disguise, path);
	return write_file(capture, there, gp_str_text(&kept), kept.length, err);
}

static int put_text(struct capture *capture, const char *path, const char *text, struct gp_error *err)
{
	return put_file(capture, path, text, strlen(text), err);
}

static int put_link(struct capture *capture, const char *real_path, const char *real_target, struct gp_error *err)
{
	gp_autofree char *path = gp_disguise_path(capture->disguise, real_path);
	gp_autofree char *target = gp_disguise_path(capture->disguise, real_target);
	if (make_parent(capture, path, err) < 0)
		return -1;
	gp_autofree char *parent = gp_xasprintf("%.*s", (int)(gp_last_component(path) - path - 1), path);
	gp_autoclose int fd = gp_open_inside(capture->to_fd, parent, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0 || (symlinkat(target, fd, gp_last_component(path)) < 0 && errno != EEXIST))
		return gp_host_fail_path(err, errno, path, "created");
	capture->files++;
	return 0;
}

/* What this host does not have, or does not let us read, the copy lacks too: a plan on either sees the same. */
static int copy_file(struct capture *capture, const char *from, const char *to, struct gp_error *err)
{
	char *bytes;
	size_t size;
	if (gp_host_read_file(capture->host, from, FILE_MAX, capture->arena, &bytes, &size, NULL) < 0)
		return 0;
	return put_file(capture, to, bytes, size, err);
}

struct copy_each {
	struct capture *capture;
	const char *from, *to, *pattern, *rest;
	struct gp_error *err;
	int result;
};

static int copy_pattern(struct capture *capture, const char *from, const char *to, const char *pattern,
			struct gp_error *err);

static int copy_matching_name(void *context, const char *name)
{
	struct copy_each *each = context;
	size_t length = strcspn(each->pattern, "/");
	gp_autofree char *component = gp_xasprintf("%.*s", (int)length, each->pattern);
	if (!gp_glob_match(component, name, false))
		return 0;
	gp_autofree char *from = gp_xasprintf("%s/%s", each->from, name);
	gp_autofree char *to = gp_xasprintf("%s/%s", each->to, name);
	each->result = copy_pattern(each->capture, from, to, each->rest, each->err);
	return each->result;
}

/* An empty pattern is the file itself. */
static int copy_pattern(struct capture *capture, const char *from, const char *to, const char *pattern,
			struct gp_error *err)
{
	if (*pattern == '\0')
		return copy_file(capture, from, to, err);
	size_t length = strcspn(pattern, "/");
	const char *rest = pattern[length] == '/' ? pattern + length + 1 : pattern + length;
	struct copy_each each = {capture, from, to, pattern, rest, err, 0};
	if (memchr(pattern, '*', length) != NULL) {
		gp_host_list(capture->host, from, copy_matching_name, &each, NULL);
		return each.result;
	}
	gp_autofree char *name = gp_xasprintf("%.*s", (int)length, pattern);
	return copy_matching_name(&each, name);
}

/* ---- PCI devices ---- */

static bool is_plain_path(const char *path)
{
	for (const char *part = path;; part++) {
		size_t length = strcspn(part, "/");
		if (length == 0 || (length <= 2 && strncmp(part, "..", length) == 0))
			return false;
		part += length;
		if (*part == '\0')
			return true;
	}
}

/* Nothing but bridges: under a hypervisor, what lies above may be named by a UUID of the machine. */
static bool is_below_pci_alone(const char *place)
{
	for (const char *part = place;; part++) {
		size_t length = strcspn(part, "/");
		gp_autofree char *name = gp_xasprintf("%.*s", (int)length, part);
		struct gp_pci_addr addr;
		bool bridge = gp_starts_with(name, "pci") && name[3 + strspn(name + 3, "0123456789abcdef:")] == '\0';
		if (!bridge && gp_pci_addr_parse(name, &addr) < 0)
			return false;
		part += length;
		if (*part == '\0')
			return true;
	}
}

/* "pci0000:40/0000:40:01.0/0000:41:00.0": where the device lies under sys/devices. */
static char *place_of(struct capture *capture, struct gp_pci_addr addr)
{
	static const char up[] = "../../../devices/";
	char name[GP_PCI_ADDR_SIZE], path[96], target[LINK_SIZE];
	gp_pci_addr_format(addr, name);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s", name);
	if (gp_readlink_inside(capture->host->root_fd, path, target, sizeof(target), GP_INSIDE_ROOT) > 0 &&
	    gp_starts_with(target, up) && is_plain_path(target + strlen(up)) &&
	    strcmp(gp_last_component(target), name) == 0 &&
	    (capture->disguise == NULL || is_below_pci_alone(target + strlen(up))))
		return gp_xstrdup(target + strlen(up));
	return gp_xasprintf("pci%04x:%02x/%s", addr.domain, addr.bus, name);
}

/* The way from a device's directory up to "sys". */
static char *way_up(const char *place)
{
	struct gp_str up = {0};
	gp_str_add(&up, "../..");
	for (const char *c = place; *c != '\0'; c++)
		if (*c == '/')
			gp_str_add(&up, "/..");
	return gp_str_take(&up);
}

static int put_named_link(struct capture *capture, const char *place, const char *name, const char *directory,
			  const char *target, struct gp_error *err)
{
	gp_autofree char *up = way_up(place);
	gp_autofree char *path = gp_xasprintf("sys/devices/%s/%s", place, name);
	gp_autofree char *to = gp_xasprintf("%s/%s/%s", up, directory, target);
	gp_autofree char *real = gp_xasprintf("sys/%s/%s", directory, target);
	/* The devices' own links come with the devices. */
	if (strcmp(directory, "bus/pci/devices") != 0 && make_directory(capture, real, err) < 0)
		return -1;
	return put_link(capture, path, to, err);
}

static int capture_device(struct capture *capture, struct gp_pci_addr addr, const char *place, const char *const *files,
			  const char *driver, struct gp_error *err)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(addr, name);
	gp_autofree char *from = gp_xasprintf(PCI_DEVICES "/%s", name);
	gp_autofree char *to = gp_xasprintf("sys/devices/%s", place);
	gp_autofree char *target = gp_xasprintf("../../../devices/%s", place);
	if (make_directory(capture, to, err) < 0 || put_link(capture, from, target, err) < 0)
		return -1;
	for (size_t i = 0; files[i] != NULL; i++)
		if (copy_pattern(capture, from, to, files[i], err) < 0)
			return -1;
	return driver == NULL ? 0 : put_named_link(capture, place, "driver", "bus/pci/drivers", driver, err);
}

static size_t parent_length(const char *place)
{
	return (size_t)(gp_last_component(place) - place);
}

/* Between a PF and its VFs: the kernel puts them side by side. */
static int put_relative(struct capture *capture, const char *place, const char *name, const char *to_place,
			struct gp_error *err)
{
	const char *target = gp_last_component(to_place);
	if (parent_length(place) != parent_length(to_place) || strncmp(place, to_place, parent_length(place)) != 0)
		return put_named_link(capture, place, name, "bus/pci/devices", target, err);
	gp_autofree char *path = gp_xasprintf("sys/devices/%s/%s", place, name);
	gp_autofree char *to = gp_xasprintf("../%s", target);
	return put_link(capture, path, to, err);
}

/* ---- mediated devices ---- */

static int capture_mdev(struct capture *capture, const char *place, const struct gp_mdev *mdev, struct gp_error *err)
{
	char uuid[GP_UUID_SIZE], group_text[16];
	uint32_t group;
	gp_uuid_format(mdev->uuid, uuid);
	gp_autofree char *below = gp_xasprintf("%s/%s", place, uuid);
	gp_autofree char *from = gp_xasprintf(MDEV_DEVICES "/%s", uuid);
	gp_autofree char *to = gp_xasprintf("sys/devices/%s", below);
	gp_autofree char *target = gp_xasprintf("../../../devices/%s", below);
	gp_autofree char *type = gp_xasprintf("%s/mdev_type", to);
	gp_autofree char *type_target = gp_xasprintf("../mdev_supported_types/%s", mdev->type);
	gp_autofree char *listed =
		gp_xasprintf("sys/devices/%s/mdev_supported_types/%s/devices/%s", place, mdev->type, uuid);
	gp_autofree char *listed_target = gp_xasprintf("../../../%s", uuid);
	if (make_directory(capture, to, err) < 0 || put_link(capture, from, target, err) < 0 ||
	    put_link(capture, type, type_target, err) < 0 || put_link(capture, listed, listed_target, err) < 0)
		return -1;
	for (size_t i = 0; mdev_files[i] != NULL; i++)
		if (copy_pattern(capture, from, to, mdev_files[i], err) < 0)
			return -1;
	if (!gp_mdev_iommu_group(capture->host, uuid, &group))
		return 0;
	snprintf(group_text, sizeof(group_text), "%u", group);
	return put_named_link(capture, below, "iommu_group", "kernel/iommu_groups", group_text, err);
}

static int capture_mdevs_on(struct capture *capture, struct gp_pci_addr vf, const char *place, struct gp_error *err)
{
	for (size_t i = 0; i < capture->mdevs.count; i++) {
		struct gp_mdev mdev;
		struct gp_uuid uuid;
		if (gp_uuid_parse(gp_names_at(&capture->mdevs, i), &uuid) < 0 ||
		    gp_host_find_mdev(capture->host, uuid, &mdev, NULL) != 1 || mdev.foreign ||
		    gp_pci_addr_compare(mdev.parent, vf) != 0)
			continue;
		if (capture_mdev(capture, place, &mdev, err) < 0)
			return -1;
	}
	return 0;
}

/* Its entry in the class says that the kernel can make mediated devices on it. */
static int capture_mdev_bus(struct capture *capture, const char *name, const char *place, struct gp_error *err)
{
	gp_autofree char *path = gp_xasprintf(MDEV_BUS "/%s", name);
	gp_autofree char *target = gp_xasprintf("../../devices/%s", place);
	return gp_host_exists(capture->host, path) ? put_link(capture, path, target, err) : 0;
}

/* ---- VFs and PFs ---- */

static int capture_group(struct capture *capture, struct gp_pci_addr addr, const char *place, struct gp_error *err)
{
	char path[96], name[GP_PCI_ADDR_SIZE], group[32];
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", gp_pci_addr_format(addr, name));
	if (gp_host_read_link(capture->host, path, group, sizeof(group), NULL) < 0)
		return 0;
	return put_named_link(capture, place, "iommu_group", "kernel/iommu_groups", group, err);
}

static int capture_vf(struct capture *capture, const char *pf_place, const struct gp_partition *vf,
		      struct gp_error *err)
{
	char link[32], name[GP_PCI_ADDR_SIZE];
	gp_autofree char *place = place_of(capture, vf->addr);
	gp_pci_addr_format(vf->addr, name);
	snprintf(link, sizeof(link), "virtfn%u", vf->index);
	if (capture_device(capture, vf->addr, place, vf_files, vf->driver, err) < 0 ||
	    put_relative(capture, place, "physfn", pf_place, err) < 0 ||
	    put_relative(capture, pf_place, link, place, err) < 0 || capture_mdev_bus(capture, name, place, err) < 0 ||
	    capture_mdevs_on(capture, vf->addr, place, err) < 0)
		return -1;
	return capture_group(capture, vf->addr, place, err);
}

static int capture_slot(struct capture *capture, const struct gp_gpu *gpu, struct gp_error *err)
{
	if (gpu->slot == NULL)
		return 0;
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/slots/%s/address", gpu->slot);
	gp_autofree char *text = gp_xasprintf("%04x:%02x:%02x\n", gpu->addr.domain, gpu->addr.bus, gpu->addr.slot);
	return is_there(capture, path) ? 0 : put_text(capture, path, text, err);
}

/* What NVIDIA's driver says of a GPU, without what only this one GPU has: its UUID. */
static int capture_information(struct capture *capture, const struct gp_gpu *gpu, struct gp_error *err)
{
	char name[GP_PCI_ADDR_SIZE], text[GP_ATTR_MAX + 1];
	GP_CLEANUP(gp_str_clear) struct gp_str kept = {0};
	gp_autofree char *path =
		gp_xasprintf("proc/driver/nvidia/gpus/%s/information", gp_pci_addr_format(gpu->addr, name));
	if (gp_host_read(capture->host, path, text, sizeof(text), NULL) < 0)
		return 0;
	for (const char *line = text, *next; *line != '\0'; line = next) {
		size_t length = strcspn(line, "\n");
		next = line + length + (line[length] == '\n');
		if (memmem(line, length, "UUID", 4) == NULL)
			gp_str_printf(&kept, "%.*s\n", (int)length, line);
	}
	return put_text(capture, path, gp_str_text(&kept), err);
}

static int capture_gpu(struct capture *capture, const struct gp_gpu *gpu, struct gp_error *err)
{
	gp_autofree char *place = place_of(capture, gpu->addr);
	if (capture_device(capture, gpu->addr, place, pf_files, gpu->driver, err) < 0 ||
	    capture_group(capture, gpu->addr, place, err) < 0 || capture_slot(capture, gpu, err) < 0 ||
	    capture_information(capture, gpu, err) < 0)
		return -1;
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (capture_vf(capture, place, &gpu->partitions[i], err) < 0)
			return -1;
	return 0;
}

/* ---- names of devices ---- */

static bool is_first(const struct gp_observed *observed, size_t index, int depth)
{
	const struct gp_gpu *gpu = &observed->gpus[index];
	for (size_t i = 0; i < index; i++) {
		const struct gp_gpu *other = &observed->gpus[i];
		if (other->vendor == gpu->vendor && (depth < 1 || other->device == gpu->device) &&
		    (depth < 2 || (other->subsystem_vendor == gpu->subsystem_vendor &&
				   other->subsystem_device == gpu->subsystem_device)))
			return false;
	}
	return true;
}

struct ids {
	const char *text;
	size_t size;
	const struct gp_observed *observed;
	struct gp_str *out;
};

static struct gp_pci_id_names names_of(const struct ids *ids, size_t index)
{
	struct gp_pci_id_names names;
	gp_pci_ids_find(ids->text, ids->size, &ids->observed->gpus[index], &names);
	return names;
}

static void add_subsystems(const struct ids *ids, const struct gp_gpu *device)
{
	for (size_t i = 0; i < ids->observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &ids->observed->gpus[i];
		if (gpu->vendor != device->vendor || gpu->device != device->device || !is_first(ids->observed, i, 2))
			continue;
		struct gp_pci_id_names names = names_of(ids, i);
		if (names.subsystem != NULL)
			gp_str_printf(ids->out, "\t\t%04x %04x  %.*s\n", gpu->subsystem_vendor, gpu->subsystem_device,
				      (int)names.subsystem_length, names.subsystem);
	}
}

static void add_devices(const struct ids *ids, uint16_t vendor)
{
	for (size_t i = 0; i < ids->observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &ids->observed->gpus[i];
		if (gpu->vendor != vendor || !is_first(ids->observed, i, 1))
			continue;
		struct gp_pci_id_names names = names_of(ids, i);
		if (names.device == NULL)
			continue;
		gp_str_printf(ids->out, "\t%04x  %.*s\n", gpu->device, (int)names.device_length, names.device);
		add_subsystems(ids, gpu);
	}
}

/* Only the lines that name these devices. */
static int capture_pci_ids(struct capture *capture, const struct gp_observed *observed, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str out = {0};
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	char *text;
	struct ids ids = {.observed = observed, .out = &out};
	if (gp_host_read_file(capture->host, "usr/share/misc/pci.ids", PCI_IDS_MAX, arena, &text, &ids.size, NULL) <
		    0 &&
	    gp_host_read_file(capture->host, "usr/share/hwdata/pci.ids", PCI_IDS_MAX, arena, &text, &ids.size, NULL) <
		    0)
		return 0;
	ids.text = text;
	for (size_t i = 0; i < observed->gpu_count; i++) {
		if (!is_first(observed, i, 0))
			continue;
		struct gp_pci_id_names names = names_of(&ids, i);
		if (names.vendor == NULL)
			continue;
		gp_str_printf(&out, "%04x  %.*s\n", observed->gpus[i].vendor, (int)names.vendor_length, names.vendor);
		add_devices(&ids, observed->gpus[i].vendor);
	}
	return put_text(capture, "usr/share/misc/pci.ids", gp_str_text(&out), err);
}

/* ---- VMs ---- */

static const char *libvirt_word(enum gp_domain_state state)
{
	switch (state) {
	case GP_DOMAIN_PAUSED:
		return "paused";
	case GP_DOMAIN_STOPPING:
		return "shutdown";
	case GP_DOMAIN_CRASHED:
		return "crashed";
	case GP_DOMAIN_SUSPENDED:
		return "pmsuspended";
	default:
		return "running";
	}
}

static void add_escaped(struct gp_str *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '&' || *text == '<' || *text == '>' || *text == '\'' || *text == '"')
			gp_str_printf(out, "&#%d;", *text);
		else
			gp_str_add_char(out, *text);
}

/* An interface or a disk that holds a device, or a hostdev. */
static void add_device(const struct gp_hostdev *device, struct gp_str *xml)
{
	struct gp_pci_addr addr = device->source;
	if (device->elsewhere)
		gp_str_printf(xml,
			      "<interface type='hostdev' managed='%s'><source><address type='pci' domain='0x%04x' "
			      "bus='0x%02x' slot='0x%02x' function='0x%x'/></source></interface>",
			      device->managed ? "yes" : "no", addr.domain, addr.bus, addr.slot, addr.function);
	else
		gp_domain_xml_hostdev(device, xml);
	gp_str_add_char(xml, '\n');
}

/* A definition, as far as it is compared. */
static void add_definition(const struct gp_domain *domain, const struct gp_hostdev *devices, size_t count,
			   const char *attributes, struct gp_str *xml)
{
	char uuid[GP_UUID_SIZE];
	gp_str_printf(xml, "<domain type='kvm'%s>\n<name>", attributes);
	add_escaped(xml, domain->name);
	gp_str_printf(xml, "</name>\n<uuid>%s</uuid>\n", gp_uuid_format(domain->uuid, uuid));
	if (domain->external != NULL)
		gp_str_printf(xml, "<metadata><m:managed xmlns:m='%s'/></metadata>\n",
			      gp_domain_xml_manager_uri(domain->external));
	gp_str_add(xml, "<devices>\n");
	for (size_t i = 0; i < count; i++)
		add_device(&devices[i], xml);
	gp_str_add(xml, "</devices>\n</domain>\n");
}

/* With since when it runs, besides; of an anonymous machine no more than that it is an hour, if it is longer. */
static void add_live(const struct capture *capture, const struct gp_domain *domain, struct gp_str *xml)
{
	uint64_t running = domain->running_ms;
	if (capture->disguise != NULL && running > HOUR_MS)
		running = HOUR_MS;
	gp_str_printf(xml, "<domstatus state='%s' reason='unknown'", libvirt_word(domain->state));
	if (running > 0)
		gp_str_printf(xml, " since='%llu'", (unsigned long long)(gp_clock_unix_ms() - running));
	gp_str_add(xml, ">\n");
	add_definition(domain, domain->live, domain->live_count, " id='1'", xml);
	gp_str_add(xml, "</domstatus>\n");
}

/* What could not be read must stay so in the copy: absent would mean that nobody has a claim. */
#define UNREADABLE "<!-- this definition could not be read -->\n"

static int capture_live(struct capture *capture, const struct gp_domain *domain, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	gp_autofree char *path = gp_xasprintf("run/libvirt/qemu/%s.xml", domain->name);
	if (!domain->live_known)
		return put_text(capture, path, UNREADABLE, err);
	add_live(capture, domain, &xml);
	return put_text(capture, path, xml.text, err);
}

/* Of an anonymous VM only what was understood of its definition is written, none of its text. */
static char *config_of(const struct capture *capture, struct gp_vmm *vmm, const struct gp_domain *domain)
{
	struct gp_domain_notes notes = {domain->to_start, domain->places, domain->place_count};
	struct gp_str xml = {0};
	char *text = NULL;
	if (capture->disguise == NULL)
		return vmm->ops->definition(vmm, domain->uuid, &text, NULL) < 0 ? NULL : text;
	add_definition(domain, domain->config, domain->config_count, "", &xml);
	text = gp_str_take(&xml);
	if (!notes.to_start && notes.place_count == 0)
		return text;
	char *with_notes = gp_domain_xml_with_notes(text, strlen(text), &notes, NULL);
	free(text);
	return with_notes;
}

static int capture_config(struct capture *capture, struct gp_vmm *vmm, const struct gp_domain *domain,
			  struct gp_error *err)
{
	gp_autofree char *path = gp_xasprintf("etc/libvirt/qemu/%s.xml", domain->name);
	gp_autofree char *xml = domain->config_known ? config_of(capture, vmm, domain) : NULL;
	return put_text(capture, path, xml == NULL ? UNREADABLE : xml, err);
}

static int capture_domain(struct capture *capture, struct gp_vmm *vmm, const struct gp_domain *domain,
			  struct gp_error *err)
{
	if (domain->name == NULL || strchr(domain->name, '/') != NULL || domain->name[0] == '.')
		return gp_fail(err, GP_E_UNSUPPORTED, "the name of a VM makes no file name: '%s'",
			       domain->name != NULL ? domain->name : "");
	if (domain->persistent && capture_config(capture, vmm, domain, err) < 0)
		return -1;
	if ((domain->state != GP_DOMAIN_OFF || !domain->live_known) && capture_live(capture, domain, err) < 0)
		return -1;
	gp_autofree char *save = gp_xasprintf("var/lib/libvirt/qemu/save/%s.save", domain->name);
	if (domain->managed_save && put_text(capture, save, "", err) < 0)
		return -1;
	gp_autofree char *autostart = gp_xasprintf("etc/libvirt/qemu/autostart/%s.xml", domain->name);
	gp_autofree char *target = gp_xasprintf("../%s.xml", domain->name);
	return domain->autostart ? put_link(capture, autostart, target, err) : 0;
}

/* ---- who runs the VMs ---- */

#define VERSIONS "run/libvirt/versions"

void gp_capture_versions(int root_fd, struct gp_hypervisor *out)
{
	char text[64];
	*out = (struct gp_hypervisor){0};
	if (gp_read_inside(root_fd, VERSIONS, text, sizeof(text), GP_INSIDE_ROOT) <= 0)
		return;
	char *blank = strchr(text, ' ');
	if (blank == NULL)
		return;
	*blank = '\0';
	if (gp_parse_u32(text, &out->version) < 0 || gp_parse_u32(blank + 1, &out->emulator) < 0)
		*out = (struct gp_hypervisor){0};
}

static int capture_versions(struct capture *capture, struct gp_vmm *vmm, struct gp_error *err)
{
	struct gp_hypervisor found = {0};
	char text[64];
	if (vmm->ops->version != NULL)
		vmm->ops->version(vmm, &found);
	if (found.version == 0 && found.emulator == 0)
		return 0;
	snprintf(text, sizeof(text), "%u %u\n", found.version, found.emulator);
	return put_text(capture, VERSIONS, text, err);
}

/* NULL: they cannot be seen. Then the copy has no place for them, and a plan on it says the same: unknown. */
static struct gp_vmm *observe_domains(struct capture *capture, struct gp_observed *observed)
{
	struct gp_vmm *vmm = gp_host_vmm(capture->host, NULL);
	return vmm == NULL || vmm->ops->observe(vmm, observed, NULL) < 0 ? NULL : vmm;
}

static int capture_domains(struct capture *capture, struct gp_vmm *vmm, const struct gp_observed *observed,
			   struct gp_error *err)
{
	if (make_directory(capture, "etc/libvirt/qemu", err) < 0 || capture_versions(capture, vmm, err) < 0)
		return -1;
	for (size_t i = 0; i < observed->domain_count; i++) {
		struct gp_domain domain = gp_disguise_domain(capture->disguise, &observed->domains[i], observed->arena);
		if (capture_domain(capture, vmm, &domain, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the whole of it ---- */

static int stop_at_first(void *context, const char *name GP_UNUSED)
{
	*(bool *)context = true;
	return 1;
}

static int open_target(const char *directory, struct gp_error *err)
{
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return gp_fail_errno(err, errno, "cannot make %s", directory);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int listing = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	bool filled = false;
	if (listing < 0 || gp_each_name(listing, stop_at_first, &filled) < 0) {
		gp_fail_errno(err, errno, "cannot open %s", directory);
	} else if (filled) {
		gp_fail(err, GP_E_USAGE, "%s is not empty", directory);
		gp_error_remedy(err, "name a directory that does not exist yet");
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int capture_machine(struct capture *capture, struct gp_error *err)
{
	for (size_t i = 0; machine_files[i] != NULL; i++)
		if (copy_file(capture, machine_files[i], machine_files[i], err) < 0)
			return -1;
	return gp_host_exists(capture->host, MDEV_BUS) ? make_directory(capture, MDEV_BUS, err) : 0;
}

/* What was copied as part of something else is there already. */
static int put_fact(void *context, const char *path, const char *text, struct gp_error *err)
{
	struct capture *capture = context;
	return is_there(capture, path) ? 0 : put_text(capture, path, text, err);
}

static int make_place(void *context, const char *path, struct gp_error *err)
{
	return make_directory(context, path, err);
}

static int capture_devices(struct capture *capture, const struct gp_observed *observed, struct gp_error *err)
{
	if (make_directory(capture, PCI_DEVICES, err) < 0 || capture_machine(capture, err) < 0)
		return -1;
	for (size_t i = 0; i < observed->gpu_count; i++)
		if (capture_gpu(capture, &observed->gpus[i], err) < 0)
			return -1;
	return 0;
}

static int capture_all(struct capture *capture, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *observed = gp_observed_new();
	gp_autofree char *hostname = gp_xasprintf("%s\n", capture->host->name);
	capture->arena = observed->arena;
	if (gp_pci_observe(capture->host, NULL, 0, true, observed, err) < 0)
		return -1;
	/* Without a list there are none in the copy either, and their VFs say so. */
	if (gp_mdev_list(capture->host, &capture->mdevs) < 0)
		gp_names_clear(&capture->mdevs);
	struct gp_vmm *vmm = observe_domains(capture, observed);
	gp_disguise_learn(capture->disguise, capture->host->name, observed, &capture->mdevs);
	const struct gp_capture_sink facts = {capture, put_fact, make_place};
	if (put_text(capture, "etc/hostname", hostname, err) < 0 || capture_devices(capture, observed, err) < 0 ||
	    gp_host_capture_facts(capture->host, observed, &facts, err) < 0 ||
	    capture_pci_ids(capture, observed, err) < 0)
		return -1;
	return vmm == NULL ? 0 : capture_domains(capture, vmm, observed, err);
}

int gp_host_capture(struct gp_host *host, const char *directory, struct gp_renames *renames, struct gp_error *err)
{
	gp_autoclose int to_fd = open_target(directory, err);
	if (to_fd < 0)
		return -1;
	struct capture capture = {.host = host, .to_fd = to_fd};
	if (renames != NULL)
		capture.disguise = gp_disguise_new(renames);
	int captured = capture_all(&capture, err);
	gp_names_clear(&capture.mdevs);
	gp_disguise_free(capture.disguise);
	if (captured < 0) {
		gp_error_prefix(err, "the capture in %s is incomplete", directory);
		return -1;
	}
	return capture.files;
}

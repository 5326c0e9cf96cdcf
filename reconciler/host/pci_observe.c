/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI facts: which PFs there are, what their SR-IOV capability says, which VFs exist and what drives them.
 *
 * As few files as possible, and none twice, since this is what a plan without changes spends its time on:
 *	each device	class; not for the VFs of a PF that was seen before (a VF's address follows its PF's)
 *	each PF		one listing of its directory, config, driver, numa_node, sriov_totalvfs, sriov_drivers_autoprobe
 *	each VF		virtfnN and driver; iommu_group only when somebody has a VFIO group open (holders.c asks)
 *
 * Never read here: sriov_numvfs, whose reader waits for a writer that may never come back (the kernel's device lock);
 * uevent and driver_override, which take the same lock on some kernels.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "host/host_internal.h"

#define PCI_DEVICES "sys/bus/pci/devices"
enum {
	CONFIG_HEADER_SIZE = 64,
	CLASS_DISPLAY = 0x03,
	CLASS_ACCELERATOR = 0x12,
	PATH_SIZE = 128,
	LINK_SIZE = 1024,
	PCI_IDS_MAX = 16 * 1024 * 1024
};

/* ---- one device ---- */

/* What the listing of a device's directory shows. */
struct entries {
	bool physfn, driver, numa_node, totalvfs, autoprobe;
	uint32_t *virtfn; /* numbers N of virtfnN */
	size_t virtfn_count;
};

struct device {
	struct gp_host *host;
	struct gp_arena *arena;
	struct gp_pci_addr addr;
	char path[PATH_SIZE]; /* of its directory, inside the root */
	int fd;               /* of its directory */
	struct entries entries;
};

static void device_close(struct device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	free(device->entries.virtfn);
}

static void add_virtfn(struct entries *entries, const char *digits)
{
	uint32_t index;
	if (gp_parse_u32(digits, &index) < 0)
		return;
	if ((entries->virtfn_count & (entries->virtfn_count - 1)) == 0) {
		size_t room = entries->virtfn_count == 0 ? 1 : entries->virtfn_count * 2;
		entries->virtfn = gp_xrealloc(entries->virtfn, room * sizeof(*entries->virtfn));
	}
	entries->virtfn[entries->virtfn_count++] = index;
}

static int note_entry(void *context, const char *name)
{
	struct entries *entries = context;
	if (gp_starts_with(name, "virtfn"))
		add_virtfn(entries, name + strlen("virtfn"));
	else if (strcmp(name, "physfn") == 0)
		entries->physfn = true;
	else if (strcmp(name, "driver") == 0)
		entries->driver = true;
	else if (strcmp(name, "numa_node") == 0)
		entries->numa_node = true;
	else if (strcmp(name, "sriov_totalvfs") == 0)
		entries->totalvfs = true;
	else if (strcmp(name, "sriov_drivers_autoprobe") == 0)
		entries->autoprobe = true;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

static int device_open(struct device *device, struct gp_error *err)
{
	char text[GP_PCI_ADDR_SIZE];
	snprintf(device->path, sizeof(device->path), PCI_DEVICES "/%s", gp_pci_addr_format(device->addr, text));
	device->fd = gp_open_inside(device->host->root_fd, device->path, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (device->fd < 0)
		return gp_host_fail_path(err, errno, device->path, "opened");
	if (gp_each_name_in(device->fd, note_entry, &device->entries) < 0)
		return gp_host_fail_path(err, errno, device->path, "listed");
	if (device->entries.virtfn_count > 1)
		qsort(device->entries.virtfn, device->entries.virtfn_count, sizeof(uint32_t), by_number);
	return 0;
}

/* An attribute of the device itself; its length or -1 with errno. */
static ssize_t device_read(const struct device *device, const char *name, char *text, size_t size)
{
	return gp_read_inside(device->fd, name, text, size, GP_INSIDE_PLAIN);
}

static bool device_read_hex(const struct device *device, const char *name, uint32_t *out)
{
	char text[32];
	return device_read(device, name, text, sizeof(text)) > 0 && gp_parse_hex32(text, out) == 0;
}

static bool device_read_u32(const struct device *device, const char *name, uint32_t *out)
{
	char text[32];
	return device_read(device, name, text, sizeof(text)) > 0 && gp_parse_u32(text, out) == 0;
}

/* A link in an opened directory: one system call, since its text is all that is wanted. */
static bool read_link_at(int dir_fd, const char *name, char *target, size_t size)
{
	ssize_t length = readlinkat(dir_fd, name, target, size);
	if (length <= 0 || (size_t)length >= size)
		return false;
	target[length] = '\0';
	return true;
}

static void read_identity_files(const struct device *device, struct gp_gpu *gpu)
{
	const struct {
		const char *name;
		uint16_t *to;
	} files[] = {
		{"vendor", &gpu->vendor},
		{"device", &gpu->device},
		{"subsystem_vendor", &gpu->subsystem_vendor},
		{"subsystem_device", &gpu->subsystem_device},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		uint32_t value;
		if (device_read_hex(device, files[i].name, &value))
			*files[i].to = (uint16_t)value;
	}
}

/* The bytes of a tree that is not the kernel's; what could not be read stays zero. False: not even the header. */
static bool read_config_bytes(const struct device *device, uint8_t bytes[GP_PCI_CONFIG_SIZE])
{
	gp_autoclose int fd = gp_open_inside(device->fd, "config", O_RDONLY | O_NONBLOCK, 0, GP_INSIDE_PLAIN);
	return fd >= 0 && read(fd, bytes, GP_PCI_CONFIG_SIZE) >= CONFIG_HEADER_SIZE;
}

static int read_config(const struct device *device, struct gp_gpu *gpu, struct gp_error *err)
{
	struct gp_pci_config config = {0};
	uint8_t bytes[GP_PCI_CONFIG_SIZE] = {0};
	bool live = device->host->kind == GP_HOST_LIVE;
	if (live || read_config_bytes(device, bytes)) {
		if (gp_pci_read_config(device->host, device->addr, live ? NULL : bytes, &config, err) < 0) {
			gp_host_path_subject(err, device->path);
			return -1;
		}
	}
	gpu->vendor = config.vendor;
	gpu->device = config.device;
	gpu->subsystem_vendor = config.subsystem_vendor;
	gpu->subsystem_device = config.subsystem_device;
	/* The kernel remembers who the device was when it still answered. */
	if (!config.identity_known)
		read_identity_files(device, gpu);
	gpu->capability_known = config.capability_known;
	gpu->vf_enable = config.vf_enable;
	gpu->cap_num_vfs = config.num_vfs;
	gpu->vf_offset = config.vf_offset;
	gpu->vf_stride = config.vf_stride;
	return 0;
}

bool gp_pci_in_transition(const struct gp_gpu *gpu)
{
	/* NumVFs may keep its value when VF Enable is off: it then means nothing. */
	return gpu->capability_known && (gpu->vf_enable ? gpu->cap_num_vfs : 0) != gpu->num_vfs;
}

/* ---- VFs ---- */

/* VFs lie beside their PF, so the directory above it saves the walk from the root; -1 when it cannot be opened. */
int gp_pci_open_siblings(struct gp_host *host, struct gp_pci_addr pf)
{
	char path[PATH_SIZE], name[GP_PCI_ADDR_SIZE];
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/..", gp_pci_addr_format(pf, name));
	return gp_open_inside(host->root_fd, path, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
}

bool gp_pci_read_vf_link(struct gp_host *host, int siblings, const char *vf, const char *name, char *target,
			 size_t size)
{
	char path[PATH_SIZE];
	if (siblings >= 0) {
		snprintf(path, sizeof(path), "%s/%s", vf, name);
		if (gp_readlink_inside(siblings, path, target, size, GP_INSIDE_PLAIN) > 0)
			return true;
		if (errno == ENOENT)
			return false;
	}
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", vf, name);
	return gp_readlink_inside(host->root_fd, path, target, size, GP_INSIDE_ROOT) > 0;
}

/* Most VFs have the same driver: one string for all. */
static const char *share_text(struct gp_arena *arena, const char *before, const char *text)
{
	return before != NULL && strcmp(before, text) == 0 ? before : gp_arena_strdup(arena, text);
}

static void read_vf(const struct device *device, int siblings, uint32_t index, struct gp_gpu *gpu)
{
	char name[32], target[LINK_SIZE], vf[GP_PCI_ADDR_SIZE];
	snprintf(name, sizeof(name), "virtfn%u", index);
	struct gp_pci_addr addr;
	if (!read_link_at(device->fd, name, target, sizeof(target)) ||
	    gp_pci_addr_parse(gp_last_component(target), &addr) < 0)
		return;
	bool beside = strncmp(target, "../", 3) == 0 && strchr(target + 3, '/') == NULL;
	int dir = beside ? siblings : -1;
	const char *driver_before = gpu->partition_count == 0 ? NULL : gpu->partitions[gpu->partition_count - 1].driver;
	struct gp_partition *partition = gp_arena_push(device->arena, gpu->partitions, gpu->partition_count);
	partition->index = index;
	partition->addr = addr;
	gp_pci_addr_format(addr, vf);
	if (!gp_pci_read_vf_link(device->host, dir, vf, "driver", target, sizeof(target)))
		return;
	partition->driver = share_text(device->arena, driver_before, gp_last_component(target));
}

static void read_vfs(const struct device *device, struct gp_gpu *gpu)
{
	const struct entries *entries = &device->entries;
	gp_autoclose int siblings = entries->virtfn_count > 0 ? gp_pci_open_siblings(device->host, device->addr) : -1;
	for (size_t i = 0; i < entries->virtfn_count; i++)
		read_vf(device, siblings, entries->virtfn[i], gpu);
	gpu->num_vfs = (uint32_t)gpu->partition_count;
}

/* Only a device with a driver can be held through its group. */
void gp_pci_read_iommu_groups(struct gp_host *host, struct gp_gpu *gpu, bool bound)
{
	char target[LINK_SIZE], vf[GP_PCI_ADDR_SIZE];
	gp_autoclose int siblings = gpu->partition_count > 0 ? gp_pci_open_siblings(host, gpu->addr) : -1;
	for (size_t i = 0; i < gpu->partition_count; i++) {
		struct gp_partition *partition = &gpu->partitions[i];
		if ((partition->driver != NULL) != bound || partition->iommu_group_known)
			continue;
		gp_pci_addr_format(partition->addr, vf);
		if (gp_pci_read_vf_link(host, siblings, vf, "iommu_group", target, sizeof(target)) ||
		    gp_pci_read_vf_link(host, -1, vf, "iommu_group", target, sizeof(target)))
			partition->iommu_group_known =
				gp_parse_u32(gp_last_component(target), &partition->iommu_group) == 0;
	}
}

/* ---- the PF ---- */

static void read_sriov(const struct device *device, struct gp_gpu *gpu)
{
	uint32_t autoprobe;
	gpu->sriov = device->entries.totalvfs && device_read_u32(device, "sriov_totalvfs", &gpu->total_vfs);
	gpu->autoprobe_known =
		device->entries.autoprobe && device_read_u32(device, "sriov_drivers_autoprobe", &autoprobe);
	gpu->autoprobe = gpu->autoprobe_known && autoprobe != 0;
}

static void read_numa_node(const struct device *device, struct gp_gpu *gpu)
{
	uint32_t node;
	gpu->numa_node = -1; /* and so says the file where there is none */
	if (device->entries.numa_node && device_read_u32(device, "numa_node", &node) && node < INT32_MAX)
		gpu->numa_node = (int)node;
}

static bool is_gpu_class(uint32_t pci_class)
{
	return pci_class >> 16 == CLASS_DISPLAY || pci_class >> 16 == CLASS_ACCELERATOR;
}

/* Everything but names and slot. */
static int read_pf(const struct device *device, uint32_t pci_class, struct gp_gpu *gpu, struct gp_error *err)
{
	char target[LINK_SIZE];
	gpu->addr = device->addr;
	gpu->pci_class = pci_class;
	gpu->named_only = !is_gpu_class(pci_class);
	if (read_config(device, gpu, err) < 0)
		return -1;
	if (device->entries.driver && read_link_at(device->fd, "driver", target, sizeof(target)))
		gpu->driver = gp_arena_strdup(device->arena, gp_last_component(target));
	read_numa_node(device, gpu);
	read_sriov(device, gpu);
	read_vfs(device, gpu);
	return 0;
}

/* ---- names and slots ---- */

static char *read_ids_text(struct gp_host *host, size_t *size)
{
	gp_autoclose int fd = gp_pci_ids_open(host);
	*size = 0;
	if (fd < 0)
		return NULL;
	off_t end = lseek(fd, 0, SEEK_END);
	if (end <= 0 || end > PCI_IDS_MAX)
		return NULL;
	char *text = gp_xmalloc((size_t)end);
	ssize_t got = pread(fd, text, (size_t)end, 0);
	*size = got > 0 ? (size_t)got : 0;
	return text;
}

static void name_from_text(struct gp_arena *arena, const char *text, size_t size, struct gp_gpu *gpu)
{
	struct gp_pci_id_names names = {0};
	if (text != NULL)
		gp_pci_ids_find(text, size, gpu, &names);
	gpu->vendor_name = names.vendor != NULL ? gp_arena_strndup(arena, names.vendor, names.vendor_length)
						: gp_arena_printf(arena, "%04x", gpu->vendor);
	gpu->model = gp_pci_ids_model(arena, gpu, &names);
}

void gp_host_pci_names(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu)
{
	size_t size;
	gp_autofree char *text = read_ids_text(host, &size);
	name_from_text(arena, text, size, gpu);
}

static bool same_ids(const struct gp_gpu *a, const struct gp_gpu *b)
{
	return a->vendor == b->vendor && a->device == b->device && a->subsystem_vendor == b->subsystem_vendor &&
	       a->subsystem_device == b->subsystem_device;
}

static void name_all(struct gp_host *host, struct gp_observed *observed)
{
	if (observed->gpu_count == 0)
		return;
	size_t size;
	gp_autofree char *text = read_ids_text(host, &size);
	for (size_t i = 0; i < observed->gpu_count; i++) {
		struct gp_gpu *gpu = &observed->gpus[i];
		const struct gp_gpu *like = gpu;
		for (size_t j = 0; j < i && like == gpu; j++)
			if (same_ids(&observed->gpus[j], gpu))
				like = &observed->gpus[j];
		if (like == gpu) {
			name_from_text(observed->arena, text, size, gpu);
		} else {
			gpu->vendor_name = like->vendor_name;
			gpu->model = like->model;
		}
	}
}

struct slot_search {
	struct gp_host *host;
	struct gp_arena *arena;
	struct gp_gpu *gpus;
	size_t gpu_count;
};

/* sys/bus/pci/slots/NAME/address holds "0000:41:00": a slot takes a device with all its functions. */
static int match_slot(void *context, const char *name)
{
	const struct slot_search *search = context;
	char path[PATH_SIZE + NAME_MAX], text[64], with_function[80];
	snprintf(path, sizeof(path), "sys/bus/pci/slots/%s/address", name);
	if (gp_read_inside(search->host->root_fd, path, text, sizeof(text), GP_INSIDE_ROOT) <= 0)
		return 0;
	snprintf(with_function, sizeof(with_function), "%s.0", text);
	struct gp_pci_addr addr;
	if (gp_pci_addr_parse(with_function, &addr) < 0)
		return 0;
	const char *slot = NULL;
	for (size_t i = 0; i < search->gpu_count; i++) {
		struct gp_gpu *gpu = &search->gpus[i];
		if (gpu->addr.domain != addr.domain || gpu->addr.bus != addr.bus || gpu->addr.slot != addr.slot)
			continue;
		if (slot == NULL)
			slot = gp_arena_strdup(search->arena, name);
		/* The first by name, so that two slots which claim one device give the same answer each time. */
		if (gpu->slot == NULL || strcmp(slot, gpu->slot) < 0)
			gpu->slot = slot;
	}
	return 0;
}

static void find_slots(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpus, size_t gpu_count)
{
	if (gpu_count == 0)
		return;
	struct slot_search search = {host, arena, gpus, gpu_count};
	int fd = gp_open_inside(host->root_fd, "sys/bus/pci/slots", O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd >= 0)
		gp_each_name(fd, match_slot, &search);
}

/* ---- all devices ---- */

struct bus_device {
	struct gp_pci_addr addr;
	bool is_known_vf;
};

static int by_address(const void *a, const void *b)
{
	const struct bus_device *left = a, *right = b;
	return gp_pci_addr_compare(left->addr, right->addr);
}

struct bus {
	struct bus_device *devices;
	size_t count;
};

static void bus_clear(struct bus *bus)
{
	free(bus->devices);
}

static int add_bus_device(void *context, const char *name)
{
	struct bus *bus = context;
	struct gp_pci_addr addr;
	if (gp_pci_addr_parse(name, &addr) < 0)
		return 0;
	if ((bus->count & (bus->count - 1)) == 0)
		bus->devices =
			gp_xrealloc(bus->devices, (bus->count == 0 ? 1 : bus->count * 2) * sizeof(*bus->devices));
	bus->devices[bus->count++] = (struct bus_device){.addr = addr};
	return 0;
}

static int list_bus(struct gp_host *host, struct bus *bus, struct gp_error *err)
{
	int fd = gp_open_inside(host->root_fd, PCI_DEVICES, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0 || gp_each_name(fd, add_bus_device, bus) < 0)
		return gp_host_fail_in(host, err, errno, PCI_DEVICES "/", "listed");
	if (bus->count > 1)
		qsort(bus->devices, bus->count, sizeof(*bus->devices), by_address);
	return 0;
}

static void mark_vf(struct bus *bus, struct gp_pci_addr addr)
{
	struct bus_device key = {.addr = addr};
	struct bus_device *found = bsearch(&key, bus->devices, bus->count, sizeof(key), by_address);
	if (found != NULL)
		found->is_known_vf = true;
}

/* While VFs come and go, the kernel has some of them on the bus without the links that say so: the capability knows. */
static void mark_vfs(struct bus *bus, const struct gp_gpu *gpu)
{
	struct gp_pci_addr addr;
	for (size_t i = 0; i < gpu->partition_count; i++)
		mark_vf(bus, gpu->partitions[i].addr);
	if (!gp_pci_in_transition(gpu) || !gpu->vf_enable)
		return;
	for (uint32_t i = 0; i < gpu->cap_num_vfs; i++)
		if (gp_gpu_vf_addr(gpu, i, &addr))
			mark_vf(bus, addr);
}

static bool read_class(struct gp_host *host, struct gp_pci_addr addr, uint32_t *pci_class)
{
	char path[PATH_SIZE], text[32], name[GP_PCI_ADDR_SIZE];
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/class", gp_pci_addr_format(addr, name));
	return gp_read_inside(host->root_fd, path, text, sizeof(text), GP_INSIDE_ROOT) > 0 &&
	       gp_parse_hex32(text, pci_class) == 0;
}

static bool is_wanted(const struct gp_pci_addr *wanted, size_t wanted_count, struct gp_pci_addr addr)
{
	for (size_t i = 0; i < wanted_count; i++)
		if (gp_pci_addr_compare(wanted[i], addr) == 0)
			return true;
	return false;
}

/* 1: *gpu is filled in; 0: not one of ours (a VF, a bridge, gone meanwhile); -1: an error. */
static int look_at_device(struct gp_host *host, struct gp_pci_addr addr, bool named, bool all_sriov,
			  struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err)
{
	uint32_t pci_class;
	if (!read_class(host, addr, &pci_class))
		return 0;
	if (!named && !all_sriov && !is_gpu_class(pci_class))
		return 0;
	GP_CLEANUP(device_close) struct device device = {.host = host, .arena = arena, .addr = addr, .fd = -1};
	GP_CLEANUP(gp_error_clear) struct gp_error gone = {0};
	if (device_open(&device, &gone) < 0) {
		if (gone.kind == GP_E_NOT_FOUND)
			return 0;
		gp_error_move(err, &gone);
		return -1;
	}
	if (device.entries.physfn)
		return 0;
	if (!named && !is_gpu_class(pci_class) && !device.entries.totalvfs)
		return 0;
	return read_pf(&device, pci_class, gpu, err) < 0 ? -1 : 1;
}

int gp_pci_observe(struct gp_host *host, const struct gp_pci_addr *wanted, size_t wanted_count, bool all_sriov,
		   struct gp_observed *observed, struct gp_error *err)
{
	GP_CLEANUP(bus_clear) struct bus bus = {0};
	if (list_bus(host, &bus, err) < 0)
		return -1;
	for (size_t i = 0; i < bus.count; i++) {
		if (bus.devices[i].is_known_vf)
			continue;
		struct gp_pci_addr addr = bus.devices[i].addr;
		struct gp_gpu gpu = {0};
		int found = look_at_device(host, addr, is_wanted(wanted, wanted_count, addr), all_sriov,
					   observed->arena, &gpu, err);
		if (found < 0)
			return -1;
		if (found == 0)
			continue;
		*gp_arena_push(observed->arena, observed->gpus, observed->gpu_count) = gpu;
		mark_vfs(&bus, &gpu);
	}
	gp_state_note_writers(host, observed->arena, observed->gpus, observed->gpu_count);
	find_slots(host, observed->arena, observed->gpus, observed->gpu_count);
	name_all(host, observed);
	return 0;
}

int gp_host_observe_pci(struct gp_host *host, const struct gp_pci_addr *wanted, size_t wanted_count,
			struct gp_observed *observed, struct gp_error *err)
{
	return gp_pci_observe(host, wanted, wanted_count, false, observed, err);
}

/* What is not read again: it belongs to the vendor, or does not change while the machine runs. */
static void keep_the_rest(const struct gp_gpu *before, struct gp_gpu *now)
{
	now->vendor_name = before->vendor_name;
	now->model = before->model;
	now->slot = before->slot;
	now->backend = before->backend;
	now->unfit = before->unfit;
	now->unfit_why = before->unfit_why;
	now->unfit_remedy = before->unfit_remedy;
	now->vram_bytes = before->vram_bytes;
	now->vram_source = before->vram_source;
	now->want_params = before->want_params;
	now->layouts = before->layouts;
	now->layout_count = before->layout_count;
}

int gp_host_observe_pf(struct gp_host *host, struct gp_arena *arena, struct gp_pci_addr addr, struct gp_gpu *gpu,
		       struct gp_error *err)
{
	GP_CLEANUP(device_close) struct device device = {.host = host, .arena = arena, .addr = addr, .fd = -1};
	uint32_t pci_class = gpu->pci_class;
	if (device_open(&device, err) < 0)
		return -1;
	if (pci_class == 0)
		device_read_hex(&device, "class", &pci_class);
	struct gp_gpu now = {0};
	keep_the_rest(gpu, &now);
	if (read_pf(&device, pci_class, &now, err) < 0)
		return -1;
	gp_state_note_writers(host, arena, &now, 1);
	*gpu = now;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sim_device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "host/nvidia_sim.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	MODE_READ = 0444,
	MODE_READ_WRITE = 0644,
	CAPABILITY_EXPRESS = 0x40,
	CAPABILITY_ARI = 0x100,
	CAPABILITY_SRIOV = 0x140,
	PAGE_SIZES = 0x553, /* 4 KiB, 8 KiB, 64 KiB … as most devices say */
	RESOURCE_LINES = 13,
	RESOURCE_VF_BAR = 7,
};

#define BAR_SIZE     UINT64_C(0x1000000)  /* 16 MiB of registers */
#define VF_BAR_SIZE  UINT64_C(0x10000000) /* 256 MiB a VF */
#define BAR_FLAGS    UINT64_C(0x14220c)   /* 64 bits, prefetchable memory */
#define VF_BAR_FLAGS UINT64_C(0x14220c)

/* ---- what is kept ---- */

enum field_kind { FIELD_HEX, FIELD_U32, FIELD_I32, FIELD_U64, FIELD_BOOL, FIELD_WORD };

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
};

#define FIELD(name, kind)                                                                                              \
	{                                                                                                              \
#name, kind, offsetof(struct gp_sim_device, name)                                                      \
	}

static const struct field fields[] = {
	FIELD(vendor, FIELD_HEX),
	FIELD(device, FIELD_HEX),
	FIELD(subsystem_vendor, FIELD_HEX),
	FIELD(subsystem_device, FIELD_HEX),
	FIELD(pci_class, FIELD_HEX),
	FIELD(revision, FIELD_HEX),
	FIELD(numa_node, FIELD_I32),
	FIELD(slot, FIELD_WORD),
	FIELD(driver, FIELD_WORD),
	FIELD(driver_sriov, FIELD_BOOL),
	FIELD(driver_total_vfs, FIELD_U32),
	FIELD(vram, FIELD_U64),
	FIELD(card, FIELD_U32),
	FIELD(total_vfs, FIELD_U32),
	FIELD(initial_vfs, FIELD_U32),
	FIELD(vf_device, FIELD_HEX),
	FIELD(offset, FIELD_U32),
	FIELD(stride, FIELD_U32),
	FIELD(offset_before_enable, FIELD_BOOL),
	FIELD(mmio, FIELD_BOOL),
	FIELD(buses, FIELD_U32),
	FIELD(latency_ms, FIELD_U32),
	FIELD(vgpu_driver, FIELD_BOOL),
	FIELD(framework, FIELD_WORD),
	FIELD(scheduler, FIELD_WORD),
	FIELD(minor, FIELD_U32),
	FIELD(num_vfs, FIELD_U32),
	FIELD(autoprobe, FIELD_BOOL),
};

static void add_field(struct gp_str *out, const struct field *field, const struct gp_sim_device *device)
{
	const void *at = (const char *)device + field->offset;
	gp_str_printf(out, "%s=", field->key);
	switch (field->kind) {
	case FIELD_HEX:
		gp_str_printf(out, "%x", *(const uint32_t *)at);
		break;
	case FIELD_U32:
		gp_str_printf(out, "%" PRIu32, *(const uint32_t *)at);
		break;
	case FIELD_I32:
		gp_str_printf(out, "%" PRId32, *(const int32_t *)at);
		break;
	case FIELD_U64:
		gp_str_printf(out, "%" PRIu64, *(const uint64_t *)at);
		break;
	case FIELD_BOOL:
		gp_str_add(out, *(const bool *)at ? "1" : "0");
		break;
	case FIELD_WORD:
		gp_str_add(out, at);
		break;
	}
	gp_str_add_char(out, '\n');
}

static void set_field(const struct field *field, struct gp_sim_device *device, const char *text)
{
	void *at = (char *)device + field->offset;
	switch (field->kind) {
	case FIELD_HEX:
		gp_parse_hex32(text, at);
		break;
	case FIELD_U32:
		gp_parse_u32(text, at);
		break;
	case FIELD_I32:
		*(int32_t *)at = (int32_t)strtol(text, NULL, 10);
		break;
	case FIELD_U64:
		gp_parse_u64(text, at);
		break;
	case FIELD_BOOL:
		*(bool *)at = gp_streq(text, "1");
		break;
	case FIELD_WORD:
		snprintf(at, GP_SIM_WORD_SIZE, "%s", text);
		break;
	}
}

int gp_sim_device_save(int root, const struct gp_sim_device *device)
{
	char addr[GP_PCI_ADDR_SIZE];
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (size_t i = 0; i < COUNT(fields); i++)
		add_field(&text, &fields[i], device);
	return gp_tree_write(root, MODE_READ_WRITE, gp_str_text(&text), ".sim/devices/%s",
			     gp_pci_addr_format(device->addr, addr));
}

int gp_sim_device_load(int root, struct gp_pci_addr addr, struct gp_sim_device *out)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_autofree char *text = gp_tree_read(root, NULL, ".sim/devices/%s", gp_pci_addr_format(addr, name));
	if (text == NULL)
		return -1;
	*out = (struct gp_sim_device){.addr = addr};
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char *equals = strchr(line, '=');
		if (equals == NULL)
			continue;
		*equals = '\0';
		for (size_t i = 0; i < COUNT(fields); i++)
			if (gp_streq(fields[i].key, line))
				set_field(&fields[i], out, equals + 1);
	}
	return 0;
}

/* ---- addresses ---- */

struct gp_pci_addr gp_sim_vf_addr(const struct gp_sim_device *device, uint32_t index)
{
	uint32_t rid = gp_pci_addr_rid(device->addr) + device->offset + index * device->stride;
	return gp_pci_addr_from_rid(device->addr.domain, rid);
}

bool gp_sim_vf_bus_fits(const struct gp_sim_device *device, uint32_t count)
{
	uint32_t rid = gp_pci_addr_rid(device->addr) + device->offset + (count - 1) * device->stride;
	return rid >> 8 < device->addr.bus + device->buses;
}

const char *gp_sim_bus_path(const struct gp_sim_device *device, char out[GP_SIM_WORD_SIZE])
{
	snprintf(out, GP_SIM_WORD_SIZE, "sys/devices/pci%04x:%02x", device->addr.domain, device->addr.bus);
	return out;
}

/* ---- config space ---- */

static void put16(uint8_t *config, unsigned at, uint32_t value)
{
	config[at] = (uint8_t)value;
	config[at + 1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *config, unsigned at, uint64_t value)
{
	put16(config, at, (uint32_t)value & 0xffff);
	put16(config, at + 2, (uint32_t)(value >> 16) & 0xffff);
}

/* Every device has its own stretch of the address space above 16 TiB. */
static uint64_t bar_base(const struct gp_sim_device *device)
{
	return UINT64_C(0x100000000000) + ((uint64_t)gp_pci_addr_rid(device->addr) << 28);
}

static uint64_t vf_bar_base(const struct gp_sim_device *device)
{
	return UINT64_C(0x200000000000) + ((uint64_t)gp_pci_addr_rid(device->addr) << 36);
}

static void put_header(const struct gp_sim_device *device, uint8_t *config)
{
	memset(config, 0, GP_SIM_CONFIG_SIZE);
	put16(config, PCI_STATUS, PCI_STATUS_CAP_LIST);
	config[PCI_REVISION_ID] = (uint8_t)device->revision;
	config[PCI_CLASS_PROG] = (uint8_t)device->pci_class;
	put16(config, PCI_CLASS_DEVICE, device->pci_class >> 8);
	put16(config, PCI_SUBSYSTEM_VENDOR_ID, device->subsystem_vendor);
	put16(config, PCI_SUBSYSTEM_ID, device->subsystem_device);
	config[PCI_CAPABILITY_LIST] = CAPABILITY_EXPRESS;

	config[CAPABILITY_EXPRESS] = PCI_CAP_ID_EXP;
	put16(config, CAPABILITY_EXPRESS + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4);
	put32(config, CAPABILITY_EXPRESS + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
}

/* Version 1 in bits 16…19, next in 20…31. */
static void put_extended(uint8_t *config, unsigned at, unsigned id, unsigned next)
{
	put32(config, at, id | 1U << 16 | (uint64_t)next << 20);
}

static void put_sriov(const struct gp_sim_device *device, uint32_t enabled, uint8_t *config)
{
	unsigned at = CAPABILITY_SRIOV;
	bool told = enabled > 0 || device->offset_before_enable;

	put_extended(config, at, PCI_EXT_CAP_ID_SRIOV, 0);
	put32(config, at + PCI_SRIOV_CAP, 0x2 /* ARI capable hierarchy preserved */);
	put16(config, at + PCI_SRIOV_CTRL,
	      PCI_SRIOV_CTRL_ARI | (enabled > 0 ? PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE : 0));
	put16(config, at + PCI_SRIOV_INITIAL_VF, device->initial_vfs);
	put16(config, at + PCI_SRIOV_TOTAL_VF, device->total_vfs);
	put16(config, at + PCI_SRIOV_NUM_VF, enabled);
	put16(config, at + PCI_SRIOV_VF_OFFSET, told ? device->offset : 0);
	put16(config, at + PCI_SRIOV_VF_STRIDE, told ? device->stride : 0);
	put16(config, at + PCI_SRIOV_VF_DID, device->vf_device);
	put32(config, at + PCI_SRIOV_SUP_PGSIZE, PAGE_SIZES);
	put32(config, at + PCI_SRIOV_SYS_PGSIZE, 1);
	uint64_t base = device->mmio ? vf_bar_base(device) : 0;
	put32(config, at + PCI_SRIOV_BAR, (base & UINT32_MAX) | 0xc);
	put32(config, at + PCI_SRIOV_BAR + 4, base >> 32);
}

void gp_sim_config_pf(const struct gp_sim_device *device, uint32_t enabled, uint8_t out[GP_SIM_CONFIG_SIZE])
{
	put_header(device, out);
	put16(out, PCI_VENDOR_ID, device->vendor);
	put16(out, PCI_DEVICE_ID, device->device);
	put16(out, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	put32(out, PCI_BASE_ADDRESS_0, (bar_base(device) & UINT32_MAX) | 0xc);
	put32(out, PCI_BASE_ADDRESS_1, bar_base(device) >> 32);
	put_extended(out, CAPABILITY_ARI, PCI_EXT_CAP_ID_ARI, device->total_vfs > 0 ? CAPABILITY_SRIOV : 0);
	if (device->total_vfs > 0)
		put_sriov(device, enabled, out);
}

void gp_sim_config_vf(const struct gp_sim_device *device, uint8_t out[GP_SIM_CONFIG_SIZE])
{
	put_header(device, out);
	/* A VF does not know who made it: its identity is the PF's, and the kernel shows that in `vendor` and `device`.
	 */
	put16(out, PCI_VENDOR_ID, 0xffff);
	put16(out, PCI_DEVICE_ID, 0xffff);
	put_extended(out, CAPABILITY_ARI, PCI_EXT_CAP_ID_ARI, 0);
}

/* ---- sysfs ---- */

static void add_resource(struct gp_str *out, uint64_t base, uint64_t size, uint64_t flags)
{
	gp_str_printf(out, "0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIx64 "\n", base,
		      size == 0 ? 0 : base + size - 1, size == 0 ? 0 : flags);
}

static void resource_of_pf(const struct gp_sim_device *device, struct gp_str *out)
{
	for (unsigned line = 0; line < RESOURCE_LINES; line++) {
		if (line == 0)
			add_resource(out, bar_base(device), BAR_SIZE, BAR_FLAGS);
		else if (line == RESOURCE_VF_BAR && device->total_vfs > 0 && device->mmio)
			add_resource(out, vf_bar_base(device), VF_BAR_SIZE * device->total_vfs, VF_BAR_FLAGS);
		else
			add_resource(out, 0, 0, 0);
	}
}

static void resource_of_vf(const struct gp_sim_device *device, uint32_t index, struct gp_str *out)
{
	add_resource(out, vf_bar_base(device) + VF_BAR_SIZE * index, VF_BAR_SIZE, VF_BAR_FLAGS);
	for (unsigned line = 1; line < RESOURCE_LINES; line++)
		add_resource(out, 0, 0, 0);
}

/* Writes one attribute of a device, unless an earlier step failed. */
static void put_attribute(int root, int *result, const char *directory, mode_t mode, const char *name,
			  const char *format, ...) GP_PRINTF(6, 7);
static void put_attribute(int root, int *result, const char *directory, mode_t mode, const char *name,
			  const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&text, format, args);
	va_end(args);
	if (*result == 0)
		*result = gp_tree_write(root, mode, gp_str_text(&text), "%s/%s", directory, name);
}

/* What PF and VF have alike. */
static int put_common(int root, const struct gp_sim_device *device, const char *directory, uint32_t device_id)
{
	int result = gp_tree_mkdir(root, "%s", directory);
	put_attribute(root, &result, directory, MODE_READ, "vendor", "0x%04x\n", device->vendor);
	put_attribute(root, &result, directory, MODE_READ, "device", "0x%04x\n", device_id);
	put_attribute(root, &result, directory, MODE_READ, "subsystem_vendor", "0x%04x\n", device->subsystem_vendor);
	put_attribute(root, &result, directory, MODE_READ, "subsystem_device", "0x%04x\n", device->subsystem_device);
	put_attribute(root, &result, directory, MODE_READ, "class", "0x%06x\n", device->pci_class);
	put_attribute(root, &result, directory, MODE_READ, "revision", "0x%02x\n", device->revision);
	put_attribute(root, &result, directory, MODE_READ, "ari_enabled", "1\n");
	put_attribute(root, &result, directory, MODE_READ_WRITE, "numa_node", "%d\n", (int)device->numa_node);
	put_attribute(root, &result, directory, MODE_READ_WRITE, "driver_override", "(null)\n");
	put_attribute(root, &result, directory, MODE_READ, "modalias", "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n",
		      device->vendor, device_id, device->subsystem_vendor, device->subsystem_device,
		      device->pci_class >> 16 & 0xff, device->pci_class >> 8 & 0xff, device->pci_class & 0xff);
	if (result == 0)
		result = gp_tree_link(root, "../../../bus/pci", "%s/subsystem", directory);
	return result;
}

/* The link that makes the device visible comes last: who finds the device finds it whole. */
static int publish(int root, const struct gp_sim_device *device, const char *addr)
{
	char bus[GP_SIM_WORD_SIZE];
	gp_autofree char *target = gp_xasprintf("../../../%s/%s", gp_sim_bus_path(device, bus) + strlen("sys/"), addr);
	return gp_tree_link(root, target, "sys/bus/pci/devices/%s", addr);
}

static int put_slot(int root, const struct gp_sim_device *device)
{
	if (device->slot[0] == '\0')
		return 0;
	if (gp_tree_mkdir(root, "sys/bus/pci/slots/%s", device->slot) < 0)
		return -1;
	gp_autofree char *text =
		gp_xasprintf("%04x:%02x:%02x\n", device->addr.domain, device->addr.bus, device->addr.slot);
	return gp_tree_write(root, MODE_READ, text, "sys/bus/pci/slots/%s/address", device->slot);
}

int gp_sim_plug_pf(int root, const struct gp_sim_device *device)
{
	char bus[GP_SIM_WORD_SIZE], addr[GP_PCI_ADDR_SIZE];
	uint8_t config[GP_SIM_CONFIG_SIZE];
	gp_pci_addr_format(device->addr, addr);
	gp_autofree char *directory = gp_xasprintf("%s/%s", gp_sim_bus_path(device, bus), addr);
	GP_CLEANUP(gp_str_clear) struct gp_str resource = {0};

	resource_of_pf(device, &resource);
	gp_sim_config_pf(device, 0, config);
	int result = put_common(root, device, directory, device->device);
	put_attribute(root, &result, directory, MODE_READ, "resource", "%s", gp_str_text(&resource));
	if (result == 0)
		result = gp_tree_write_bytes(root, MODE_READ_WRITE, config, sizeof(config), "%s/config", directory);
	if (device->total_vfs > 0) {
		put_attribute(root, &result, directory, MODE_READ, "sriov_vf_device", "%x\n", device->vf_device);
		put_attribute(root, &result, directory, MODE_READ_WRITE, "sriov_drivers_autoprobe", "%d\n",
			      device->autoprobe);
	}
	if (result < 0 || gp_sim_show_num_vfs(root, device) < 0 || gp_sim_show_driver(root, device, "") < 0 ||
	    put_slot(root, device) < 0)
		return -1;
	if (publish(root, device, addr) < 0)
		return -1;
	return gp_sim_show_enabled(root, device, 0);
}

int gp_sim_plug_vf(int root, const struct gp_sim_device *device, uint32_t index)
{
	char bus[GP_SIM_WORD_SIZE], addr[GP_PCI_ADDR_SIZE];
	uint8_t config[GP_SIM_CONFIG_SIZE];
	gp_pci_addr_format(gp_sim_vf_addr(device, index), addr);
	gp_autofree char *directory = gp_xasprintf("%s/%s", gp_sim_bus_path(device, bus), addr);
	GP_CLEANUP(gp_str_clear) struct gp_str resource = {0};
	struct gp_sim_device vf = *device;
	/* NVIDIA's VFs do not say which board they are of. */
	if (gp_nvidia_drives(device))
		vf.subsystem_device = 0;

	resource_of_vf(device, index, &resource);
	gp_sim_config_vf(&vf, config);
	int result = put_common(root, &vf, directory, device->vf_device);
	put_attribute(root, &result, directory, MODE_READ, "resource", "%s", gp_str_text(&resource));
	if (result == 0)
		result = gp_tree_write_bytes(root, MODE_READ_WRITE, config, sizeof(config), "%s/config", directory);
	return result < 0 ? -1 : publish(root, device, addr);
}

/* In place and in one write, since readers may hold the file open: control up to stride. */
static int write_capability(int root, const struct gp_sim_device *device, uint32_t enabled, const char *addr)
{
	enum { FIRST = CAPABILITY_SRIOV + PCI_SRIOV_CTRL, END = CAPABILITY_SRIOV + PCI_SRIOV_VF_STRIDE + 2 };
	uint8_t config[GP_SIM_CONFIG_SIZE];
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/config", addr);
	gp_autoclose int fd = gp_open_inside(root, path, O_WRONLY, 0, GP_INSIDE_ROOT);

	gp_sim_config_pf(device, enabled, config);
	if (fd < 0)
		return errno == EACCES || errno == ELOOP ? 0 : -1; /* made unreadable on purpose */
	return pwrite(fd, config + FIRST, END - FIRST, FIRST) == END - FIRST ? 0 : -1;
}

int gp_sim_show_enabled(int root, const struct gp_sim_device *device, uint32_t enabled)
{
	char addr[GP_PCI_ADDR_SIZE];
	if (device->total_vfs == 0)
		return 0;
	bool told = enabled > 0 || device->offset_before_enable;
	gp_pci_addr_format(device->addr, addr);
	gp_autofree char *directory = gp_xasprintf("sys/bus/pci/devices/%s", addr);
	int result = write_capability(root, device, enabled, addr);
	put_attribute(root, &result, directory, MODE_READ, "sriov_offset", "%u\n", told ? device->offset : 0);
	put_attribute(root, &result, directory, MODE_READ, "sriov_stride", "%u\n", told ? device->stride : 0);
	return result;
}

static char *pf_directory(const struct gp_sim_device *device)
{
	char bus[GP_SIM_WORD_SIZE], addr[GP_PCI_ADDR_SIZE];
	return gp_xasprintf("%s/%s", gp_sim_bus_path(device, bus), gp_pci_addr_format(device->addr, addr));
}

int gp_sim_show_num_vfs(int root, const struct gp_sim_device *device)
{
	int result = 0;
	gp_autofree char *directory = pf_directory(device);
	if (device->total_vfs > 0)
		put_attribute(root, &result, directory, MODE_READ_WRITE, "sriov_numvfs", "%u\n", device->num_vfs);
	return result;
}

/* Where a driver shows the memory of its GPU. */
static const struct {
	const char *driver, *directory;
	bool numbered; /* the directory's name ends in the number of the card */
	const char *attribute;
} vram_places[] = {
	{"amdgpu", ".", false, "mem_info_vram_total"},
	{"gim", ".", false, "mem_info_vram_total"},
	{"xe", "tile0", false, "physical_vram_size_bytes"},
	{"i915", "drm/card", true, "lmem_total_bytes"},
};

bool gp_sim_driver_shows_vram(const char *driver)
{
	for (size_t i = 0; i < COUNT(vram_places); i++)
		if (gp_streq(vram_places[i].driver, driver))
			return true;
	return false;
}

static int show_vram(int root, const struct gp_sim_device *device, const char *directory, size_t row, bool bound)
{
	GP_CLEANUP(gp_str_clear) struct gp_str place = {0};
	gp_str_printf(&place, "%s/%s", directory, vram_places[row].directory);
	if (vram_places[row].numbered)
		gp_str_printf(&place, "%u", device->card);

	if (!bound)
		return gp_tree_remove(root, "%s/%s", gp_str_text(&place), vram_places[row].attribute);
	int result = gp_tree_mkdir(root, "%s", gp_str_text(&place));
	put_attribute(root, &result, gp_str_text(&place), MODE_READ, vram_places[row].attribute, "%" PRIu64 "\n",
		      device->vram);
	return result;
}

int gp_sim_show_driver(int root, const struct gp_sim_device *device, const char *driver)
{
	gp_autofree char *directory = pf_directory(device);
	bool own = driver[0] != '\0' && gp_streq(driver, device->driver);
	int result = 0;

	if (device->total_vfs > 0) {
		uint32_t total = device->total_vfs;
		if (own && device->driver_total_vfs > 0 && device->driver_total_vfs < total)
			total = device->driver_total_vfs;
		put_attribute(root, &result, directory, MODE_READ, "sriov_totalvfs", "%u\n", total);
	}
	for (size_t i = 0; i < COUNT(vram_places) && result == 0; i++)
		if (device->vram > 0 && gp_streq(vram_places[i].driver, device->driver))
			result = show_vram(root, device, directory, i, own);
	return result;
}

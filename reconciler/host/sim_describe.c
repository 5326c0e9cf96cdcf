/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sim_describe.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/yaml_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MOST_GPUS = 4096, MOST_VMS = 65536, ANY_BUSES = 256 };

/* ---- presets: devices as they are sold. Ids from pci.ids; counts and memory from the vendors' papers ---- */

struct preset {
	const char *word;
	const char *vendor_name, *name, *subsystem_name, *vf_name;
	uint32_t vendor, device, subsystem_vendor, subsystem_device, pci_class, vf_device;
	const char *driver;
	bool driver_sriov;
	uint32_t total_vfs, offset, stride;
	uint64_t vram_mib;
};

static const struct preset presets[] = {
	{"flex-170", "Intel Corporation", "Data Center GPU Flex 170", NULL, NULL, 0x8086, 0x56c0, 0x8086, 0x4905,
	 0x038000, 0x56c0, "xe", true, 31, 1, 1, 16384},
	{"flex-140", "Intel Corporation", "Data Center GPU Flex 140", NULL, NULL, 0x8086, 0x56c1, 0x8086, 0x4905,
	 0x038000, 0x56c1, "xe", true, 31, 1, 1, 6144},
	{"max-1100", "Intel Corporation", "Ponte Vecchio XT (1 Tile) [Data Center GPU Max 1100]", NULL, NULL, 0x8086,
	 0x0bda, 0x8086, 0x0000, 0x038000, 0x0bda, "i915", true, 63, 1, 1, 49152},
	{"arc-pro-b50", "Intel Corporation", "Battlemage G21 [Arc Pro B50]", NULL, NULL, 0x8086, 0xe212, 0x8086, 0x1114,
	 0x030000, 0xe212, "xe", true, 24, 1, 1, 16384},
	{"arc-pro-b60", "Intel Corporation", "Battlemage G21 [Arc Pro B60]", NULL, NULL, 0x8086, 0xe211, 0x8086, 0x1114,
	 0x030000, 0xe211, "xe", true, 24, 1, 1, 24576},
	{"uhd-770", "Intel Corporation", "AlderLake-S GT1 [UHD Graphics 770]", NULL, NULL, 0x8086, 0x4680, 0x8086,
	 0x2212, 0x030000, 0x4680, "i915", true, 7, 1, 1, 0},
	{"radeon-v620", "Advanced Micro Devices, Inc. [AMD/ATI]", "Navi 21 [Radeon Pro V620]", NULL,
	 "Navi 21 [Radeon Pro V620 MxGPU]", 0x1002, 0x73a1, 0x1002, 0x0e34, 0x030000, 0x73ae, "gim", false, 12, 16, 1,
	 30720},
	{"mi300x", "Advanced Micro Devices, Inc. [AMD/ATI]", "Aqua Vanjaram [Instinct MI300X]", NULL,
	 "Aqua Vanjaram [Instinct MI300X VF]", 0x1002, 0x74a1, 0x1002, 0x74a1, 0x120000, 0x74b5, "gim", false, 8, 16, 1,
	 196608},
	{"a16", "NVIDIA Corporation", "GA107GL [A2 / A16]", "A16", NULL, 0x10de, 0x25b6, 0x10de, 0x14a9, 0x030200,
	 0x25b6, "nvidia", false, 16, 4, 1, 0},
	{"a2", "NVIDIA Corporation", "GA107GL [A2 / A16]", "A2", NULL, 0x10de, 0x25b6, 0x10de, 0x157e, 0x030200, 0x25b6,
	 "nvidia", false, 16, 4, 1, 0},
	{"pm173x", "Samsung Electronics Co Ltd", "NVMe SSD Controller PM173X", NULL, NULL, 0x144d, 0xa824, 0x144d,
	 0xa801, 0x010802, 0xa824, "nvme", true, 32, 1, 1, 0},
	{"x710", "Intel Corporation", "Ethernet Controller X710 for 10GbE SFP+", NULL,
	 "Ethernet Virtual Function 700 Series", 0x8086, 0x1572, 0x8086, 0x0007, 0x020000, 0x154c, "i40e", true, 64, 16,
	 1, 0},
};

static const struct preset *find_preset(const char *word)
{
	for (size_t i = 0; i < COUNT(presets); i++)
		if (gp_streq(presets[i].word, word))
			return &presets[i];
	return NULL;
}

/* ---- managers of clusters that leave a trace in what they define ---- */

static const struct {
	const char *name, *uri;
} managers[] = {
	{"nova", "http://openstack.org/xmlns/libvirt/nova/1.1"},
	{"ovirt", "http://ovirt.org/vm/1.0"},
	{"opennebula", "http://opennebula.org/xmlns/libvirt/1.0"},
};

const char *gp_sim_external_uri(const char *name)
{
	for (size_t i = 0; i < COUNT(managers); i++)
		if (gp_streq(managers[i].name, name))
			return managers[i].uri;
	return NULL;
}

/* ---- the reader ---- */

struct reader {
	struct gp_arena *arena;
	struct gp_diags *diags;
	struct gp_sim_description *out;
	size_t faults;       /* before the object that is read now */
	bool gpus_are_sound; /* or what VMs name may be among those that were not understood */
};

static void fault(struct reader *reader, const struct gp_yaml_node *node, const char *code, const char *format, ...)
	GP_PRINTF(4, 5);
static void fault(struct reader *reader, const struct gp_yaml_node *node, const char *code, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&text, format, args);
	va_end(args);
	gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, code, node->mark, "%s", gp_str_text(&text))->caret_length =
		gp_yaml_caret_length(node);
}

static void fault_at(struct reader *reader, struct gp_mark mark, const char *code, const char *format, ...)
	GP_PRINTF(4, 5);
static void fault_at(struct reader *reader, struct gp_mark mark, const char *code, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&text, format, args);
	va_end(args);
	gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, code, mark, "%s", gp_str_text(&text));
}

/* "…; did you mean 'x'?" */
static void fault_word(struct reader *reader, const struct gp_yaml_node *node, const char *code, const char *what,
		       const char *const *words, size_t count)
{
	const char *near = gp_did_you_mean(node->text, words, count);
	if (near != NULL)
		fault(reader, node, code, "unknown %s '%s'; did you mean '%s'?", what, node->text, near);
	else
		fault(reader, node, code, "unknown %s '%s'", what, node->text);
}

/* What a key takes, and where it goes. */
enum kind {
	TAKE_TEXT,     /* const char * */
	TAKE_WORD,     /* char[GP_SIM_WORD_SIZE]: a name of a driver or slot; none gives "" */
	TAKE_BOOL,     /* bool */
	TAKE_NUMBER,   /* uint32_t in [min, max] */
	TAKE_HEX,      /* uint32_t up to max */
	TAKE_SIZE,     /* uint64_t, bytes */
	TAKE_DURATION, /* uint64_t, ms */
	TAKE_ADDRESS,  /* struct gp_pci_addr */
	TAKE_NODE,     /* const struct gp_yaml_node *: looked at later */
};

struct row {
	const char *key;
	enum kind kind;
	size_t offset;
	uint32_t min, max;
};

static bool is_scalar(struct reader *reader, const struct gp_yaml_node *node, const char *key)
{
	if (node->type == GP_YAML_SCALAR && !gp_yaml_is_null(node))
		return true;
	fault(reader, node, "wrong-type", "'%s' takes one value", key);
	return false;
}

static void take_word(struct reader *reader, const struct gp_yaml_node *node, const char *key, char *out)
{
	if (strlen(node->text) >= GP_SIM_WORD_SIZE || strpbrk(node->text, "/\n") != NULL || node->text[0] == '\0' ||
	    node->text[0] == '.')
		fault(reader, node, "bad-value", "'%s' is no name for '%s'", node->text, key);
	else
		snprintf(out, GP_SIM_WORD_SIZE, "%s", gp_streq(node->text, "none") ? "" : node->text);
}

static void take_bool(struct reader *reader, const struct gp_yaml_node *node, const char *key, bool *out)
{
	if (!node->plain || gp_parse_bool(node->text, out) < 0)
		fault(reader, node, "wrong-type", "'%s' is true or false, not '%s'", key, node->text);
}

static void take_number(struct reader *reader, const struct gp_yaml_node *node, const struct row *row, uint32_t *out)
{
	uint32_t value;
	if (gp_parse_u32(node->text, &value) < 0 || value < row->min || value > row->max)
		fault(reader, node, "bad-value", "'%s' is a number from %" PRIu32 " to %" PRIu32 ", not '%s'", row->key,
		      row->min, row->max, node->text);
	else
		*out = value;
}

static void take_hex(struct reader *reader, const struct gp_yaml_node *node, const struct row *row, uint32_t *out)
{
	uint32_t value;
	if (gp_parse_hex32(node->text, &value) < 0 || value > row->max)
		fault(reader, node, "bad-value", "'%s' is a hexadecimal number up to %" PRIx32 ", not '%s'", row->key,
		      row->max, node->text);
	else
		*out = value;
}

static void take_unit(struct reader *reader, const struct gp_yaml_node *node, enum kind kind, uint64_t *out)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	int result = kind == TAKE_SIZE ? gp_parse_size(node->text, out, &problem)
				       : gp_parse_duration(node->text, out, &problem);
	if (result < 0)
		fault(reader, node, "bad-value", "%s", problem.message);
}

static void take_address(struct reader *reader, const struct gp_yaml_node *node, const char *key,
			 struct gp_pci_addr *out)
{
	if (gp_pci_addr_parse(node->text, out) < 0)
		fault(reader, node, "bad-value", "'%s' is a PCI address as in \"0000:41:00.0\", not '%s'", key,
		      node->text);
}

static void take(struct reader *reader, const struct row *row, const struct gp_yaml_node *node, void *object)
{
	void *at = (char *)object + row->offset;
	if (row->kind == TAKE_NODE) {
		*(const struct gp_yaml_node **)at = node;
		return;
	}
	if (!is_scalar(reader, node, row->key))
		return;
	switch (row->kind) {
	case TAKE_TEXT:
		*(const char **)at = gp_arena_strdup(reader->arena, node->text);
		break;
	case TAKE_WORD:
		take_word(reader, node, row->key, at);
		break;
	case TAKE_BOOL:
		take_bool(reader, node, row->key, at);
		break;
	case TAKE_NUMBER:
		take_number(reader, node, row, at);
		break;
	case TAKE_HEX:
		take_hex(reader, node, row, at);
		break;
	case TAKE_SIZE:
	case TAKE_DURATION:
		take_unit(reader, node, row->kind, at);
		break;
	case TAKE_ADDRESS:
		take_address(reader, node, row->key, at);
		break;
	case TAKE_NODE:
		break;
	}
}

static const struct row *find_row(const struct row *rows, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (gp_streq(rows[i].key, key))
			return &rows[i];
	return NULL;
}

static void unknown_key(struct reader *reader, const struct gp_yaml_node *key, const struct row *rows, size_t count)
{
	const char *words[64];
	for (size_t i = 0; i < count && i < COUNT(words); i++)
		words[i] = rows[i].key;
	fault_word(reader, key, "unknown-key", "key", words, count);
}

/* Reads a mapping by its table. False: it is none. */
static bool take_mapping(struct reader *reader, const struct gp_yaml_node *node, const char *what,
			 const struct row *rows, size_t count, void *object)
{
	reader->faults = reader->diags->error_count;
	if (node->type != GP_YAML_MAPPING) {
		fault(reader, node, "wrong-type", "%s is a mapping", what);
		return false;
	}
	for (const struct gp_yaml_item *item = node->first; item != NULL; item = item->next) {
		const struct row *row = find_row(rows, count, item->key->text);
		if (row != NULL)
			take(reader, row, item->value, object);
		else
			unknown_key(reader, item->key, rows, count);
	}
	return true;
}

static bool is_sound(const struct reader *reader)
{
	return reader->diags->error_count == reader->faults;
}

/* ---- gpus ---- */

struct gpu_entry {
	struct gp_sim_gpu gpu;
	uint32_t repeat, step;
	uint32_t numa_node; /* NO_NODE: none */
	char vf_driver[GP_SIM_WORD_SIZE];
	const struct gp_yaml_node *preset, *subsystem, *address;
	uint32_t initial_vfs, vf_device, latency_ms; /* UNSET: as the device is otherwise */
};

#define UNSET UINT32_MAX

#define GPU(member)    offsetof(struct gpu_entry, gpu.member)
#define DEVICE(member) offsetof(struct gpu_entry, gpu.device.member)
#define ENTRY(member)  offsetof(struct gpu_entry, member)

static const struct row gpu_rows[] = {
	{"address", TAKE_NODE, ENTRY(address), 0, 0},
	{"repeat", TAKE_NUMBER, ENTRY(repeat), 1, 256},
	{"step", TAKE_NUMBER, ENTRY(step), 1, 255},
	{"preset", TAKE_NODE, ENTRY(preset), 0, 0},
	{"vendor", TAKE_HEX, DEVICE(vendor), 0, UINT16_MAX},
	{"device", TAKE_HEX, DEVICE(device), 0, UINT16_MAX},
	{"subsystem", TAKE_NODE, ENTRY(subsystem), 0, 0},
	{"class", TAKE_HEX, DEVICE(pci_class), 0, 0xffffff},
	{"revision", TAKE_HEX, DEVICE(revision), 0, UINT8_MAX},
	{"vendor_name", TAKE_TEXT, GPU(vendor_name), 0, 0},
	{"name", TAKE_TEXT, GPU(name), 0, 0},
	{"subsystem_name", TAKE_TEXT, GPU(subsystem_name), 0, 0},
	{"vf_name", TAKE_TEXT, GPU(vf_name), 0, 0},
	{"driver", TAKE_WORD, DEVICE(driver), 0, 0},
	{"driver_sriov", TAKE_BOOL, DEVICE(driver_sriov), 0, 0},
	{"driver_totalvfs", TAKE_NUMBER, DEVICE(driver_total_vfs), 1, UINT16_MAX},
	{"totalvfs", TAKE_NUMBER, DEVICE(total_vfs), 0, 4096},
	{"initialvfs", TAKE_NUMBER, ENTRY(initial_vfs), 0, 4096},
	{"offset", TAKE_NUMBER, DEVICE(offset), 1, UINT16_MAX},
	{"stride", TAKE_NUMBER, DEVICE(stride), 1, UINT16_MAX},
	{"offset_before_enable", TAKE_BOOL, DEVICE(offset_before_enable), 0, 0},
	{"vf_device", TAKE_HEX, ENTRY(vf_device), 0, UINT16_MAX},
	{"mmio", TAKE_BOOL, DEVICE(mmio), 0, 0},
	{"buses", TAKE_NUMBER, DEVICE(buses), 1, 256},
	{"vram", TAKE_SIZE, DEVICE(vram), 0, 0},
	{"numa_node", TAKE_NUMBER, ENTRY(numa_node), 0, 1023},
	{"slot", TAKE_WORD, DEVICE(slot), 0, 0},
	{"vfs", TAKE_NUMBER, GPU(vfs), 0, 4096},
	{"vf_driver", TAKE_WORD, ENTRY(vf_driver), 0, 0},
	{"autoprobe", TAKE_BOOL, GPU(autoprobe), 0, 0},
	{"latency_ms", TAKE_NUMBER, DEVICE(latency_ms), 0, 3600000},
};

static void apply_preset(struct reader *reader, struct gpu_entry *entry)
{
	const char *words[COUNT(presets)];
	for (size_t i = 0; i < COUNT(presets); i++)
		words[i] = presets[i].word;
	const struct gp_yaml_node *node = entry->preset;
	if (node == NULL || !is_scalar(reader, node, "preset"))
		return;
	const struct preset *preset = find_preset(node->text);
	if (preset == NULL) {
		fault_word(reader, node, "unknown-preset", "preset", words, COUNT(words));
		return;
	}
	struct gp_sim_device *device = &entry->gpu.device;
	entry->gpu.vendor_name = preset->vendor_name;
	entry->gpu.name = preset->name;
	entry->gpu.subsystem_name = preset->subsystem_name;
	entry->gpu.vf_name = preset->vf_name;
	device->vendor = preset->vendor;
	device->device = preset->device;
	device->subsystem_vendor = preset->subsystem_vendor;
	device->subsystem_device = preset->subsystem_device;
	device->pci_class = preset->pci_class;
	device->total_vfs = preset->total_vfs;
	device->offset = preset->offset;
	device->stride = preset->stride;
	device->vram = preset->vram_mib << 20;
	device->driver_sriov = preset->driver_sriov;
	entry->vf_device = preset->vf_device;
	snprintf(device->driver, sizeof(device->driver), "%s", preset->driver);
}

static void take_subsystem(struct reader *reader, struct gpu_entry *entry)
{
	const struct gp_yaml_node *node = entry->subsystem;
	if (node == NULL || !is_scalar(reader, node, "subsystem"))
		return;
	gp_autofree char *vendor = gp_xstrdup(node->text);
	char *colon = strchr(vendor, ':');
	struct gp_sim_device *device = &entry->gpu.device;
	if (colon != NULL)
		*colon = '\0';
	if (colon == NULL || gp_parse_hex32(vendor, &device->subsystem_vendor) < 0 ||
	    gp_parse_hex32(colon + 1, &device->subsystem_device) < 0 || device->subsystem_vendor > UINT16_MAX ||
	    device->subsystem_device > UINT16_MAX)
		fault(reader, node, "bad-value", "'subsystem' is vendor and device as in \"8086:4905\", not '%s'",
		      node->text);
}

static void check_sriov(struct reader *reader, const struct gp_yaml_node *node, const struct gpu_entry *entry)
{
	const struct gp_sim_device *device = &entry->gpu.device;
	const struct gp_yaml_node *vfs = gp_yaml_get(node, "vfs");
	uint32_t total = device->total_vfs;
	if (device->driver_total_vfs > 0 && device->driver_total_vfs < total)
		total = device->driver_total_vfs;
	if (vfs != NULL && entry->gpu.vfs > total)
		fault(reader, vfs, "too-many-vfs",
		      "%" PRIu32 " VFs are enabled, but the device has no more than %" PRIu32, entry->gpu.vfs, total);
	else if (vfs != NULL && entry->gpu.vfs > 0 && !device->mmio)
		fault(reader, vfs, "no-mmio", "VFs cannot be enabled without room for their BARs (mmio: false)");
	else if (vfs != NULL && entry->gpu.vfs > 0 && !gp_sim_vf_bus_fits(device, entry->gpu.vfs))
		fault(reader, vfs, "no-bus",
		      "%" PRIu32 " VFs do not fit into the bus numbers that are left (buses: %" PRIu32 ")",
		      entry->gpu.vfs, device->buses);
}

static void check_gpu(struct reader *reader, const struct gp_yaml_node *node, const struct gpu_entry *entry)
{
	const struct gp_sim_device *device = &entry->gpu.device;
	const struct gp_yaml_node *vram = gp_yaml_get(node, "vram");
	if (device->vendor == 0)
		fault(reader, node, "missing-key", "a GPU needs a 'vendor', or a 'preset' that has one");
	if (device->device == 0)
		fault(reader, node, "missing-key", "a GPU needs a 'device', or a 'preset' that has one");
	if (vram != NULL && device->vram > 0 && !gp_sim_driver_shows_vram(device->driver))
		fault(reader, vram, "no-vram",
		      "driver '%s' does not show the memory of its GPU; amdgpu, gim, xe and i915 do",
		      device->driver[0] == '\0' ? "none" : device->driver);
	check_sriov(reader, node, entry);
}

static void finish_device(struct gpu_entry *entry)
{
	struct gp_sim_device *device = &entry->gpu.device;
	device->numa_node = entry->numa_node == UNSET ? -1 : (int32_t)entry->numa_node;
	device->vf_device = entry->vf_device == UNSET ? device->device : entry->vf_device;
	device->initial_vfs = entry->initial_vfs == UNSET ? device->total_vfs : entry->initial_vfs;
	if (!gp_sim_driver_shows_vram(device->driver))
		device->vram = 0;
}

/* slot: 3 with repeat: 4 gives 3, 4, 5, 6. */
static void nth_slot(const char *first, uint32_t n, char out[GP_SIM_WORD_SIZE])
{
	uint32_t number;
	if (gp_parse_u32(first, &number) == 0)
		snprintf(out, GP_SIM_WORD_SIZE, "%" PRIu32, number + n);
	else if (n > 0 && first[0] != '\0')
		snprintf(out, GP_SIM_WORD_SIZE, "%.*s-%" PRIu32, GP_SIM_WORD_SIZE - 16, first, n);
	else
		snprintf(out, GP_SIM_WORD_SIZE, "%s", first);
}

static void add_gpus(struct reader *reader, const struct gpu_entry *entry)
{
	const struct gp_sim_device *first = &entry->gpu.device;
	uint32_t last_bus = first->addr.bus + (entry->repeat - 1) * entry->step;
	if (last_bus > UINT8_MAX) {
		fault(reader, entry->address, "no-bus",
		      "%" PRIu32 " devices from bus %02x on do not fit: bus %" PRIx32 " would be the last",
		      entry->repeat, first->addr.bus, last_bus);
		return;
	}
	for (uint32_t i = 0; i < entry->repeat && reader->out->gpu_count < MOST_GPUS; i++) {
		struct gp_sim_gpu *gpu = gp_arena_push(reader->arena, reader->out->gpus, reader->out->gpu_count);
		*gpu = entry->gpu;
		gpu->device.addr.bus = (uint8_t)(first->addr.bus + i * entry->step);
		gpu->vf_driver = gp_arena_strdup(reader->arena, entry->vf_driver);
		nth_slot(first->slot, i, gpu->device.slot);
	}
}

static void read_gpu(struct reader *reader, const struct gp_yaml_node *node)
{
	struct gpu_entry entry = {
		.gpu = {.mark = node->mark, .autoprobe = true},
		.repeat = 1,
		.step = 1,
		.numa_node = UNSET,
		.initial_vfs = UNSET,
		.vf_device = UNSET,
	};
	struct gp_sim_device *device = &entry.gpu.device;
	*device = (struct gp_sim_device){
		.pci_class = 0x038000,
		.offset = 1,
		.stride = 1,
		.offset_before_enable = true,
		.mmio = true,
		.driver_sriov = true,
		.buses = ANY_BUSES,
	};
	reader->faults = reader->diags->error_count;
	entry.preset = node->type == GP_YAML_MAPPING ? gp_yaml_get(node, "preset") : NULL;
	apply_preset(reader, &entry);
	size_t faults = reader->faults;
	if (!take_mapping(reader, node, "a GPU", gpu_rows, COUNT(gpu_rows), &entry))
		return;
	reader->faults = faults;
	take_subsystem(reader, &entry);
	if (entry.address == NULL)
		fault(reader, node, "missing-key", "a GPU needs an 'address'");
	else if (is_scalar(reader, entry.address, "address"))
		take_address(reader, entry.address, "address", &device->addr);
	if (entry.address != NULL)
		entry.gpu.mark = entry.address->mark;
	if (is_sound(reader))
		check_gpu(reader, node, &entry);
	finish_device(&entry);
	if (is_sound(reader))
		add_gpus(reader, &entry);
}

static int by_address(const void *a, const void *b)
{
	return gp_pci_addr_compare(((const struct gp_sim_gpu *)a)->device.addr,
				   ((const struct gp_sim_gpu *)b)->device.addr);
}

static struct gp_sim_gpu *find_gpu(const struct gp_sim_description *machine, struct gp_pci_addr addr)
{
	struct gp_sim_gpu key = {.device = {.addr = addr}};
	return machine->gpu_count == 0
		       ? NULL
		       : bsearch(&key, machine->gpus, machine->gpu_count, sizeof(*machine->gpus), by_address);
}

/* Two devices at one address, or a device where another's VF would be. */
static void check_addresses(struct reader *reader)
{
	const struct gp_sim_description *machine = reader->out;
	char addr[GP_PCI_ADDR_SIZE], pf[GP_PCI_ADDR_SIZE];
	for (size_t i = 1; i < machine->gpu_count; i++)
		if (by_address(&machine->gpus[i - 1], &machine->gpus[i]) == 0)
			fault_at(reader, machine->gpus[i].mark, "duplicate-address", "two devices have the address %s",
				 gp_pci_addr_format(machine->gpus[i].device.addr, addr));
	for (size_t i = 0; i < machine->gpu_count; i++) {
		const struct gp_sim_device *device = &machine->gpus[i].device;
		for (uint32_t vf = 0; vf < device->total_vfs; vf++) {
			const struct gp_sim_gpu *other = find_gpu(machine, gp_sim_vf_addr(device, vf));
			if (other == NULL)
				continue;
			fault_at(reader, other->mark, "address-of-vf",
				 "the device at %s would be where VF %" PRIu32 " of %s is; a 'step' keeps them apart",
				 gp_pci_addr_format(other->device.addr, addr), vf,
				 gp_pci_addr_format(device->addr, pf));
			break;
		}
	}
}

/* ---- vms ---- */

struct vm_entry {
	const struct gp_yaml_node *name, *names, *uuid, *state, *hostdevs, *external;
	struct gp_sim_vm vm;
};

#define VM(member)       offsetof(struct vm_entry, vm.member)
#define VM_ENTRY(member) offsetof(struct vm_entry, member)

static const struct row vm_rows[] = {
	{"name", TAKE_NODE, VM_ENTRY(name), 0, 0},
	{"names", TAKE_NODE, VM_ENTRY(names), 0, 0},
	{"uuid", TAKE_NODE, VM_ENTRY(uuid), 0, 0},
	{"state", TAKE_NODE, VM_ENTRY(state), 0, 0},
	{"persistent", TAKE_BOOL, VM(persistent), 0, 0},
	{"autostart", TAKE_BOOL, VM(autostart), 0, 0},
	{"managed_save", TAKE_BOOL, VM(managed_save), 0, 0},
	{"hostdevs", TAKE_NODE, VM_ENTRY(hostdevs), 0, 0},
	{"external", TAKE_NODE, VM_ENTRY(external), 0, 0},
	{"ignores_shutdown", TAKE_BOOL, VM(guest.ignores_shutdown), 0, 0},
	{"shutdown", TAKE_DURATION, VM(guest.shutdown_ms), 0, 0},
	{"running_for", TAKE_DURATION, VM(running_for_ms), 0, 0},
	{"vnc_password", TAKE_TEXT, VM(vnc_password), 0, 0},
};

struct hostdev_entry {
	const struct gp_yaml_node *vf, *source, *ours, *address;
	uint32_t request; /* UNSET: its place in the list */
	bool managed;
};

#define HOSTDEV(member) offsetof(struct hostdev_entry, member)

static const struct row hostdev_rows[] = {
	{"vf", TAKE_NODE, HOSTDEV(vf), 0, 0},           {"source", TAKE_NODE, HOSTDEV(source), 0, 0},
	{"ours", TAKE_NODE, HOSTDEV(ours), 0, 0},       {"request", TAKE_NUMBER, HOSTDEV(request), 0, 255},
	{"address", TAKE_NODE, HOSTDEV(address), 0, 0}, {"managed", TAKE_BOOL, HOSTDEV(managed), 0, 0},
};

static uint32_t enabled_or_all(const struct gp_sim_gpu *gpu)
{
	return gpu->vfs > 0 ? gpu->vfs : gpu->device.total_vfs;
}

/* The VF for the nth name of a pattern: the next ones of the same GPU, then those of the next GPU that has any. */
static bool nth_vf(const struct gp_sim_description *machine, const struct gp_sim_gpu *gpu, uint32_t index, size_t nth,
		   struct gp_pci_addr *out)
{
	uint64_t left = (uint64_t)index + nth;
	for (; gpu < machine->gpus + machine->gpu_count; gpu++) {
		uint32_t has = enabled_or_all(gpu);
		if (left < has || (nth == 0 && left < gpu->device.total_vfs)) {
			*out = gp_sim_vf_addr(&gpu->device, (uint32_t)left);
			return true;
		}
		left -= has;
	}
	return false;
}

static bool take_vf(struct reader *reader, const struct gp_yaml_node *node, size_t nth, struct gp_pci_addr *out)
{
	struct gp_vf_ref vf;
	char addr[GP_PCI_ADDR_SIZE];
	if (!is_scalar(reader, node, "vf"))
		return false;
	gp_autofree char *symbolic = gp_xasprintf("vf:%s", node->text);
	if (gp_vf_ref_parse(symbolic, &vf) < 0) {
		fault(reader, node, "bad-value",
		      "'vf' is a GPU and the index of a VF as in \"0000:41:00.0/3\", not '%s'", node->text);
		return false;
	}
	const struct gp_sim_gpu *gpu = find_gpu(reader->out, vf.pf);
	if (gpu == NULL && !reader->gpus_are_sound)
		return false;
	if (gpu == NULL) {
		fault(reader, node, "unknown-gpu", "this machine has no GPU at %s", gp_pci_addr_format(vf.pf, addr));
		return false;
	}
	if (vf.index >= gpu->device.total_vfs) {
		fault(reader, node, "no-such-vf", "%s has %" PRIu32 " VFs, counted from 0; there is no VF %" PRIu32,
		      gp_pci_addr_format(vf.pf, addr), gpu->device.total_vfs, vf.index);
		return false;
	}
	if (nth_vf(reader->out, gpu, vf.index, nth, out))
		return true;
	fault(reader, node, "no-such-vf", "there are not enough VFs from %s on for all names", node->text);
	return false;
}

static bool is_class_name(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length <= 32 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static void take_ours(struct reader *reader, const struct gp_yaml_node *node, uint32_t request,
		      struct gp_sim_hostdev *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str alias = {0};
	if (node == NULL || !is_scalar(reader, node, "ours"))
		return;
	if (!is_class_name(node->text))
		fault(reader, node, "bad-value", "'ours' is the name of a class, not '%s'", node->text);
	else
		out->alias = gp_arena_strdup(reader->arena, gp_alias_format(&alias, request, node->text));
}

static void read_hostdev(struct reader *reader, const struct gp_yaml_node *node, size_t nth, struct gp_sim_vm *vm)
{
	struct hostdev_entry entry = {.request = UNSET, .managed = true};
	struct gp_sim_hostdev hostdev = {.mark = node->mark};
	if (!take_mapping(reader, node, "a hostdev", hostdev_rows, COUNT(hostdev_rows), &entry))
		return;
	hostdev.managed = entry.managed;
	if ((entry.vf == NULL) == (entry.source == NULL))
		fault(reader, node, "missing-key", "a hostdev needs either 'vf' or 'source'");
	else if (entry.vf != NULL)
		take_vf(reader, entry.vf, nth, &hostdev.source);
	else if (is_scalar(reader, entry.source, "source"))
		take_address(reader, entry.source, "source", &hostdev.source);
	if (entry.vf != NULL)
		hostdev.mark = entry.vf->mark;
	uint32_t request = entry.request == UNSET ? (uint32_t)vm->hostdev_count : entry.request;
	take_ours(reader, entry.ours, request, &hostdev);
	if (entry.address != NULL && is_scalar(reader, entry.address, "address"))
		take_address(reader, entry.address, "address", &hostdev.guest_address);
	if (is_sound(reader))
		*gp_arena_push(reader->arena, vm->hostdevs, vm->hostdev_count) = hostdev;
}

static void read_hostdevs(struct reader *reader, const struct gp_yaml_node *node, size_t nth, struct gp_sim_vm *vm)
{
	vm->hostdevs = NULL;
	vm->hostdev_count = 0;
	if (node == NULL)
		return;
	if (node->type != GP_YAML_SEQUENCE) {
		fault(reader, node, "wrong-type", "'hostdevs' is a list");
		return;
	}
	for (const struct gp_yaml_item *item = node->first; item != NULL; item = item->next)
		read_hostdev(reader, item->value, nth, vm);
}

static void take_state(struct reader *reader, const struct gp_yaml_node *node, enum gp_sim_power *out)
{
	static const char *const words[] = {"off", "running", "paused"};
	if (node == NULL || !is_scalar(reader, node, "state"))
		return;
	for (size_t i = 0; i < COUNT(words); i++)
		if (gp_streq(words[i], node->text)) {
			*out = (enum gp_sim_power)i;
			return;
		}
	fault_word(reader, node, "bad-value", "state", words, COUNT(words));
}

static void take_external(struct reader *reader, const struct gp_yaml_node *node, const char **out)
{
	const char *words[COUNT(managers)];
	for (size_t i = 0; i < COUNT(managers); i++)
		words[i] = managers[i].name;
	if (node == NULL || !is_scalar(reader, node, "external"))
		return;
	if (gp_streq(node->text, "pacemaker"))
		fault(reader, node, "bad-value",
		      "pacemaker leaves no trace in what it starts; nova, ovirt and opennebula do");
	else if (gp_sim_external_uri(node->text) == NULL)
		fault_word(reader, node, "bad-value", "cluster manager", words, COUNT(words));
	else
		*out = gp_arena_strdup(reader->arena, node->text);
}

static bool check_vm_name(struct reader *reader, const struct gp_yaml_node *node, const char *name)
{
	if (name[0] != '\0' && name[0] != '.' && strpbrk(name, "/\n<>&'\"") == NULL && strlen(name) < 200)
		return true;
	fault(reader, node, "bad-value", "'%s' is no name for a VM", name);
	return false;
}

static void check_unique(struct reader *reader, const struct gp_yaml_node *node, const char *name)
{
	for (size_t i = 0; i < reader->out->vm_count; i++)
		if (gp_streq(reader->out->vms[i].name, name)) {
			struct gp_diag *diag = gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, "duplicate-vm",
							    node->mark, "there are two VMs '%s'", name);
			diag->caret_length = gp_yaml_caret_length(node);
			gp_diag_other(diag, reader->out->vms[i].mark, "the first one");
			return;
		}
}

static void add_vm(struct reader *reader, const struct vm_entry *entry, const struct gp_yaml_node *node,
		   const char *name, size_t nth)
{
	struct gp_sim_vm vm = entry->vm;
	if (!check_vm_name(reader, node, name) || reader->out->vm_count >= MOST_VMS)
		return;
	check_unique(reader, node, name);
	vm.name = gp_arena_strdup(reader->arena, name);
	vm.mark = node->mark;
	if (gp_uuid_is_null(vm.uuid))
		vm.uuid = gp_sim_uuid_of_name(name);
	size_t faults = reader->diags->error_count;
	read_hostdevs(reader, entry->hostdevs, nth, &vm);
	if (reader->diags->error_count == faults || nth == 0)
		*gp_arena_push(reader->arena, reader->out->vms, reader->out->vm_count) = vm;
}

/* "desktop-[01-64]" is 64 names. One bracket a name; without one it is the name itself. Returns how many. */
static size_t expand_name(struct reader *reader, const struct vm_entry *entry, const struct gp_yaml_node *node,
			  size_t nth)
{
	unsigned first, last;
	int before = 0, begin = 0, middle = 0, end = 0;
	const char *open = strchr(node->text, '[');
	size_t faults = reader->diags->error_count;
	if (open == NULL) {
		add_vm(reader, entry, node, node->text, nth);
		return 1;
	}
	before = (int)(open - node->text);
	if (sscanf(open, "[%n%u-%n%u]%n", &begin, &first, &middle, &last, &end) != 2 || end == 0 || first > last ||
	    last - first >= MOST_VMS || strchr(open + end, '[') != NULL) {
		fault(reader, node, "bad-value", "'%s' is no pattern of names as in \"desktop-[01-64]\"", node->text);
		return 0;
	}
	int width = open[begin] == '0' ? middle - begin - 1 : 1;
	for (unsigned i = first; i <= last && reader->diags->error_count == faults; i++) {
		gp_autofree char *name = gp_xasprintf("%.*s%0*u%s", before, node->text, width, i, open + end);
		add_vm(reader, entry, node, name, nth + (i - first));
	}
	return last - first + 1;
}

static void expand_names(struct reader *reader, const struct vm_entry *entry, const struct gp_yaml_node *names)
{
	size_t nth = 0;
	if (names->type == GP_YAML_SCALAR) {
		expand_name(reader, entry, names, 0);
		return;
	}
	if (names->type != GP_YAML_SEQUENCE) {
		fault(reader, names, "wrong-type", "'names' is a list of names");
		return;
	}
	for (const struct gp_yaml_item *item = names->first; item != NULL; item = item->next)
		if (is_scalar(reader, item->value, "names"))
			nth += expand_name(reader, entry, item->value, nth);
}

static void take_uuid(struct reader *reader, struct vm_entry *entry)
{
	if (entry->uuid == NULL || !is_scalar(reader, entry->uuid, "uuid"))
		return;
	if (gp_uuid_parse(entry->uuid->text, &entry->vm.uuid) < 0)
		fault(reader, entry->uuid, "bad-value", "'%s' is no UUID", entry->uuid->text);
	else if (entry->names != NULL)
		fault(reader, entry->uuid, "bad-value", "one UUID cannot be that of several VMs: give it with 'name'");
}

static void check_vm(struct reader *reader, const struct gp_yaml_node *node, const struct vm_entry *entry)
{
	const struct gp_sim_vm *vm = &entry->vm;
	if (!vm->persistent && vm->power == GP_SIM_OFF)
		fault(reader, node, "transient-off", "a VM that is not persistent exists only while it runs");
	if (!vm->persistent && vm->autostart)
		fault(reader, node, "transient-autostart", "a VM that is not persistent cannot be started by itself");
	if (vm->managed_save && vm->power != GP_SIM_OFF)
		fault(reader, node, "saved-running", "a VM with a managed save image is off");
}

static void read_vm(struct reader *reader, const struct gp_yaml_node *node)
{
	enum { HOUR_MS = 3600000 };
	struct vm_entry entry = {.vm = {.persistent = true, .running_for_ms = HOUR_MS}};
	if (!take_mapping(reader, node, "a VM", vm_rows, COUNT(vm_rows), &entry))
		return;
	take_state(reader, entry.state, &entry.vm.power);
	take_external(reader, entry.external, &entry.vm.external);
	take_uuid(reader, &entry);
	if ((entry.name == NULL) == (entry.names == NULL))
		fault(reader, node, "missing-key", "a VM needs either 'name' or 'names'");
	if (is_sound(reader))
		check_vm(reader, node, &entry);
	if (entry.name != NULL && is_scalar(reader, entry.name, "name"))
		add_vm(reader, &entry, entry.name, entry.name->text, 0);
	else if (entry.name == NULL && entry.names != NULL)
		expand_names(reader, &entry, entry.names);
}

/* A VM runs only on a device that is there, and that nobody else runs on. */
static bool exists_at_first(const struct gp_sim_description *machine, struct gp_pci_addr addr)
{
	if (find_gpu(machine, addr) != NULL)
		return true;
	for (size_t i = 0; i < machine->gpu_count; i++)
		for (uint32_t vf = 0; vf < machine->gpus[i].vfs; vf++)
			if (gp_pci_addr_compare(gp_sim_vf_addr(&machine->gpus[i].device, vf), addr) == 0)
				return true;
	return false;
}

static const struct gp_sim_vm *earlier_user(const struct gp_sim_description *machine, size_t before,
					    struct gp_pci_addr addr)
{
	for (size_t i = 0; i < before; i++)
		for (size_t j = 0; machine->vms[i].power != GP_SIM_OFF && j < machine->vms[i].hostdev_count; j++)
			if (gp_pci_addr_compare(machine->vms[i].hostdevs[j].source, addr) == 0)
				return &machine->vms[i];
	return NULL;
}

static void check_running(struct reader *reader)
{
	const struct gp_sim_description *machine = reader->out;
	char addr[GP_PCI_ADDR_SIZE];
	for (size_t i = 0; i < machine->vm_count; i++) {
		const struct gp_sim_vm *vm = &machine->vms[i];
		for (size_t j = 0; vm->power != GP_SIM_OFF && j < vm->hostdev_count; j++) {
			const struct gp_sim_hostdev *hostdev = &vm->hostdevs[j];
			const struct gp_sim_vm *other = earlier_user(machine, i, hostdev->source);
			gp_pci_addr_format(hostdev->source, addr);
			if (reader->gpus_are_sound && !exists_at_first(machine, hostdev->source))
				fault_at(reader, hostdev->mark, "vf-not-enabled",
					 "VM '%s' runs, so %s must be there: enable enough VFs ('vfs')", vm->name,
					 addr);
			else if (other != NULL)
				fault_at(reader, hostdev->mark, "vf-in-use", "VMs '%s' and '%s' cannot both run on %s",
					 other->name, vm->name, addr);
		}
	}
}

/* ---- the whole ---- */

struct machine_entry {
	const struct gp_yaml_node *version, *gpus, *vms;
	const char *hostname;
};

#define MACHINE(member) offsetof(struct machine_entry, member)

static const struct row machine_rows[] = {
	{"version", TAKE_NODE, MACHINE(version), 0, 0},
	{"hostname", TAKE_TEXT, MACHINE(hostname), 0, 0},
	{"gpus", TAKE_NODE, MACHINE(gpus), 0, 0},
	{"vms", TAKE_NODE, MACHINE(vms), 0, 0},
};

static void each_of(struct reader *reader, const struct gp_yaml_node *list, const char *key,
		    void (*read)(struct reader *reader, const struct gp_yaml_node *node))
{
	if (list == NULL || gp_yaml_is_null(list))
		return;
	if (list->type != GP_YAML_SEQUENCE) {
		fault(reader, list, "wrong-type", "'%s' is a list", key);
		return;
	}
	for (const struct gp_yaml_item *item = list->first; item != NULL; item = item->next)
		read(reader, item->value);
}

static void check_version(struct reader *reader, const struct gp_yaml_node *root, const struct gp_yaml_node *version)
{
	if (version == NULL)
		fault(reader, root, "missing-key", "the description of a machine begins with 'version: 1'");
	else if (version->type != GP_YAML_SCALAR || !gp_streq(version->text, "1"))
		fault(reader, version, "bad-version", "this gpupart knows version 1 of the language");
}

static void check_hostname(struct reader *reader, const struct gp_yaml_node *root, const char *hostname)
{
	const struct gp_yaml_node *node = gp_yaml_get(root, "hostname");
	if (hostname != NULL && (hostname[0] == '\0' || strpbrk(hostname, "/ \n\t") != NULL))
		fault(reader, node, "bad-value", "'%s' is no host name", hostname);
}

int gp_sim_describe(const struct gp_source *source, struct gp_arena *arena, struct gp_sim_description *out,
		    struct gp_diags *diags)
{
	struct reader reader = {.arena = arena, .diags = diags, .out = out};
	struct machine_entry entry = {.hostname = "simulated"};
	size_t faults = diags->error_count;
	*out = (struct gp_sim_description){0};

	const struct gp_yaml_node *root = gp_yaml_parse(arena, source, diags);
	if (root == NULL && diags->error_count == faults)
		fault_at(&reader, (struct gp_mark){source, 1, 1}, "empty", "the description of the machine is empty");
	if (root == NULL ||
	    !take_mapping(&reader, root, "the description of a machine", machine_rows, COUNT(machine_rows), &entry))
		return -1;
	check_version(&reader, root, entry.version);
	check_hostname(&reader, root, entry.hostname);
	out->hostname = entry.hostname;
	size_t gpu_faults = diags->error_count;
	each_of(&reader, entry.gpus, "gpus", read_gpu);
	if (out->gpu_count > 1)
		qsort(out->gpus, out->gpu_count, sizeof(*out->gpus), by_address);
	for (size_t i = 0; i < out->gpu_count; i++)
		out->gpus[i].device.card = (uint32_t)i;
	check_addresses(&reader);
	reader.gpus_are_sound = diags->error_count == gpu_faults;
	each_of(&reader, entry.vms, "vms", read_vm);
	check_running(&reader);
	return diags->error_count == faults ? 0 : -1;
}

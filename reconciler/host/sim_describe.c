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
	/* One GPU of the four on a board: repeat: 4 gives a board. */
	{"a16", "NVIDIA Corporation", "GA107GL [A2 / A16]", "A16", NULL, 0x10de, 0x25b6, 0x10de, 0x14a9, 0x030200,
	 0x25b6, "nvidia", false, 16, 4, 1, 0},
	{"a2", "NVIDIA Corporation", "GA107GL [A2 / A16]", "A2", NULL, 0x10de, 0x25b6, 0x10de, 0x157e, 0x030200, 0x25b6,
	 "nvidia", false, 16, 4, 1, 0},
	{"a40", "NVIDIA Corporation", "GA102GL [A40]", NULL, NULL, 0x10de, 0x2235, 0x10de, 0x145a, 0x030200, 0x2235,
	 "nvidia", false, 32, 4, 1, 0},
	{"l40s", "NVIDIA Corporation", "AD102GL [L40S]", NULL, NULL, 0x10de, 0x26b9, 0x10de, 0x1851, 0x030200, 0x26b9,
	 "nvidia", false, 32, 4, 1, 0},
	{"a10", "NVIDIA Corporation", "GA102GL [A10]", NULL, NULL, 0x10de, 0x2236, 0x10de, 0x1482, 0x030200, 0x2236,
	 "nvidia", false, 32, 4, 1, 0},
	{"l4", "NVIDIA Corporation", "AD104GL [L4]", NULL, NULL, 0x10de, 0x27b8, 0x10de, 0x16ca, 0x030200, 0x27b8,
	 "nvidia", false, 32, 4, 1, 0},
	{"a100", "NVIDIA Corporation", "GA100 [A100 PCIe 40GB]", NULL, NULL, 0x10de, 0x20f1, 0x10de, 0x145f, 0x030200,
	 0x20f1, "nvidia", false, 20, 4, 1, 0},
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

/* One of the words; its place among them, or -1. */
static int take_choice(struct reader *reader, const struct gp_yaml_node *node, const char *key,
		       const char *const *words, size_t count)
{
	if (node == NULL || !is_scalar(reader, node, key))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (gp_streq(words[i], node->text))
			return (int)i;
	fault_word(reader, node, "bad-value", key, words, count);
	return -1;
}

static void take_choice_word(struct reader *reader, const struct gp_yaml_node *node, const char *key,
			     const char *const *words, size_t count, char out[GP_SIM_WORD_SIZE])
{
	int choice = take_choice(reader, node, key, words, count);
	if (choice >= 0)
		snprintf(out, GP_SIM_WORD_SIZE, "%s", words[choice]);
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
	const struct gp_yaml_node *framework, *scheduler, *profile, *profiles, *mdevs; /* NVIDIA's */
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
	{"vgpu_driver", TAKE_BOOL, DEVICE(vgpu_driver), 0, 0},
	{"framework", TAKE_NODE, ENTRY(framework), 0, 0},
	{"scheduler", TAKE_NODE, ENTRY(scheduler), 0, 0},
	{"profile", TAKE_NODE, ENTRY(profile), 0, 0},
	{"profiles", TAKE_NODE, ENTRY(profiles), 0, 0},
	{"mdevs", TAKE_NODE, ENTRY(mdevs), 0, 0},
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

/* ---- gpus: NVIDIA's ---- */

static const struct gp_sim_vgpu_type *take_profile(struct reader *reader, const struct gp_yaml_node *node,
						   const struct gpu_entry *entry)
{
	const struct gp_sim_board *board = gp_sim_board_of(&entry->gpu.device);
	if (!is_scalar(reader, node, "profile"))
		return NULL;
	const struct gp_sim_vgpu_type *type = gp_sim_vgpu_by_name(board, node->text);
	if (type == NULL)
		fault(reader, node, "unknown-profile", "the driver knows no vGPU type '%s' for this GPU", node->text);
	return type;
}

/* All of one GPU are of one size, and there are no more of them than fit. */
static void add_vgpu(struct reader *reader, const struct gp_yaml_node *node, struct gp_sim_gpu *gpu,
		     const struct gp_sim_vgpu *vgpu)
{
	const struct gp_sim_board *board = gp_sim_board_of(&gpu->device);
	const struct gp_sim_vgpu_type *type = gp_sim_vgpu_by_id(board, vgpu->type);
	const struct gp_sim_vgpu_type *first =
		gpu->vgpu_count == 0 ? type : gp_sim_vgpu_by_id(board, gpu->vgpus[0].type);
	for (size_t i = 0; i < gpu->vgpu_count; i++)
		if (gpu->vgpus[i].vf == vgpu->vf) {
			fault(reader, node, "vf-in-use", "VF %" PRIu32 " has a vGPU already", vgpu->vf);
			return;
		}
	if (type->gib != first->gib)
		fault(reader, node, "mixed-sizes", "all vGPUs of a GPU have one size of framebuffer");
	else if (gpu->vgpu_count >= gp_sim_vgpu_most(board, type))
		fault(reader, node, "too-many-vgpus", "there can be %" PRIu32 " vGPUs of this size on the GPU",
		      gp_sim_vgpu_most(board, type));
	else
		*gp_arena_push(reader->arena, gpu->vgpus, gpu->vgpu_count) = *vgpu;
}

/* profile: A16-4Q gives it to as many VFs as can have it; as a mediated device, to those that a VM names. */
static void read_profile(struct reader *reader, struct gpu_entry *entry)
{
	const struct gp_yaml_node *node = entry->profile;
	const struct gp_sim_vgpu_type *type = node == NULL ? NULL : take_profile(reader, node, entry);
	struct gp_sim_gpu *gpu = &entry->gpu;
	if (type == NULL)
		return;
	uint32_t most = gp_sim_vgpu_most(gp_sim_board_of(&gpu->device), type);
	gpu->used_vfs = most < gpu->vfs || gpu->vfs == 0 ? most : gpu->vfs;
	if (gp_nvidia_is_mdev(&gpu->device)) {
		gpu->mdev_type = type->id;
		return;
	}
	for (uint32_t i = 0; i < gpu->used_vfs && i < gpu->vfs; i++)
		add_vgpu(reader, node, gpu, &(struct gp_sim_vgpu){.vf = i, .type = type->id});
}

/* profiles: [A16-4Q, none, A16-4C], for VF 0, 1, 2. */
static void read_profiles(struct reader *reader, struct gpu_entry *entry)
{
	const struct gp_yaml_node *list = entry->profiles;
	struct gp_sim_gpu *gpu = &entry->gpu;
	uint32_t vf = 0;
	if (list == NULL)
		return;
	if (list->type != GP_YAML_SEQUENCE || gp_nvidia_is_mdev(&gpu->device) || entry->profile != NULL) {
		fault(reader, list, "wrong-type",
		      "'profiles' is a list of what each VF has, in the place of 'profile'; mediated devices are "
		      "'mdevs'");
		return;
	}
	for (const struct gp_yaml_item *item = list->first; item != NULL; item = item->next, vf++) {
		if (item->value->type == GP_YAML_SCALAR && gp_streq(item->value->text, "none"))
			continue;
		const struct gp_sim_vgpu_type *type = take_profile(reader, item->value, entry);
		if (type == NULL)
			continue;
		if (vf >= gpu->vfs)
			fault(reader, item->value, "no-such-vf", "there is no VF %" PRIu32 ": 'vfs' is %" PRIu32, vf,
			      gpu->vfs);
		else
			add_vgpu(reader, item->value, gpu, &(struct gp_sim_vgpu){.vf = vf, .type = type->id});
		gpu->used_vfs = vf + 1;
	}
}

struct mdev_entry {
	const struct gp_yaml_node *profile, *uuid;
	uint32_t vf;
};

#define MDEV(member) offsetof(struct mdev_entry, member)

static const struct row mdev_rows[] = {
	{"vf", TAKE_NUMBER, MDEV(vf), 0, 4095},
	{"profile", TAKE_NODE, MDEV(profile), 0, 0},
	{"uuid", TAKE_NODE, MDEV(uuid), 0, 0},
};

static void read_mdev(struct reader *reader, const struct gp_yaml_node *node, struct gpu_entry *entry)
{
	struct mdev_entry mdev = {.vf = UNSET};
	struct gp_sim_vgpu vgpu = {0};
	if (!take_mapping(reader, node, "a mediated device", mdev_rows, COUNT(mdev_rows), &mdev))
		return;
	if (mdev.vf == UNSET || mdev.profile == NULL || mdev.uuid == NULL) {
		fault(reader, node, "missing-key", "a mediated device needs 'vf', 'profile' and 'uuid'");
		return;
	}
	const struct gp_sim_vgpu_type *type = take_profile(reader, mdev.profile, entry);
	if (mdev.vf >= entry->gpu.vfs)
		fault(reader, node, "no-such-vf", "there is no VF %" PRIu32 ": 'vfs' is %" PRIu32, mdev.vf,
		      entry->gpu.vfs);
	else if (is_scalar(reader, mdev.uuid, "uuid") && gp_uuid_parse(mdev.uuid->text, &vgpu.mdev) < 0)
		fault(reader, mdev.uuid, "bad-value", "'%s' is no UUID", mdev.uuid->text);
	if (type == NULL || !is_sound(reader))
		return;
	vgpu.vf = mdev.vf;
	vgpu.type = type->id;
	add_vgpu(reader, node, &entry->gpu, &vgpu);
}

static void read_mdevs(struct reader *reader, struct gpu_entry *entry)
{
	const struct gp_yaml_node *list = entry->mdevs;
	size_t faults = reader->faults;
	if (list == NULL)
		return;
	if (list->type != GP_YAML_SEQUENCE || !gp_nvidia_is_mdev(&entry->gpu.device) || entry->repeat > 1) {
		fault(reader, list, "wrong-type",
		      "'mdevs' is a list of the mediated devices of one GPU, with 'framework: mdev'");
		return;
	}
	for (const struct gp_yaml_item *item = list->first; item != NULL; item = item->next)
		read_mdev(reader, item->value, entry);
	reader->faults = faults;
}

static bool refuse_nvidia_keys(struct reader *reader, const struct gp_yaml_node *node)
{
	static const char *const keys[] = {"vgpu_driver", "framework", "scheduler", "profile", "profiles", "mdevs"};
	bool refused = false;
	for (size_t i = 0; i < COUNT(keys); i++) {
		const struct gp_yaml_node *value = gp_yaml_get(node, keys[i]);
		if (value != NULL)
			fault(reader, value, "not-nvidia", "'%s' is for a GPU of NVIDIA's with driver nvidia", keys[i]);
		refused = refused || value != NULL;
	}
	return refused;
}

/* They are bound when they are made, and to no other driver. */
static void take_vf_driver(struct reader *reader, const struct gp_yaml_node *node, struct gpu_entry *entry,
			   bool has_vgpus)
{
	const struct gp_yaml_node *given = gp_yaml_get(node, "vf_driver");
	const char *own = entry->gpu.device.driver;
	if (!gp_nvidia_makes_vgpus(&entry->gpu.device))
		return;
	if (given == NULL)
		snprintf(entry->vf_driver, sizeof(entry->vf_driver), "%s", own);
	else if (!gp_streq(entry->vf_driver, own) && (has_vgpus || entry->vf_driver[0] != '\0'))
		fault(reader, given, "bad-value", "VFs of the vGPU driver have driver %s, or none and no vGPU", own);
}

static void read_nvidia(struct reader *reader, const struct gp_yaml_node *node, struct gpu_entry *entry)
{
	static const char *const frameworks[] = {"vfio", "mdev"};
	static const char *const schedulers[] = {"best-effort", "equal-share", "fixed-share"};
	struct gp_sim_gpu *gpu = &entry->gpu;
	bool has_vgpus = entry->profile != NULL || entry->profiles != NULL || entry->mdevs != NULL;
	if (!gp_nvidia_drives(&gpu->device)) {
		refuse_nvidia_keys(reader, node);
		return;
	}
	take_choice_word(reader, entry->framework, "framework", frameworks, COUNT(frameworks), gpu->device.framework);
	take_choice_word(reader, entry->scheduler, "scheduler", schedulers, COUNT(schedulers), gpu->device.scheduler);
	take_vf_driver(reader, node, entry, has_vgpus);
	if (!has_vgpus)
		return;
	if (!gp_nvidia_makes_vgpus(&gpu->device)) {
		fault(reader, node, "no-vgpu-driver", "without the vGPU driver and SR-IOV the GPU has no vGPUs");
		return;
	}
	/* sriov-manage makes all of them. */
	if (gp_yaml_get(node, "vfs") == NULL)
		gpu->vfs = gpu->device.total_vfs;
	read_profile(reader, entry);
	read_profiles(reader, entry);
	read_mdevs(reader, entry);
}

/* ---- gpus: what goes for all ---- */

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
		gpu->vgpus = NULL;
		gpu->vgpu_count = 0;
		for (size_t j = 0; j < entry->gpu.vgpu_count; j++)
			*gp_arena_push(reader->arena, gpu->vgpus, gpu->vgpu_count) = entry->gpu.vgpus[j];
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
		.vgpu_driver = true,
		.framework = "vfio",
		.scheduler = "best-effort",
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
		read_nvidia(reader, node, &entry);
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
	const struct gp_yaml_node *vf, *source, *mdev, *ours, *address, *managed;
	uint32_t request; /* UNSET: its place in the list */
};

#define HOSTDEV(member) offsetof(struct hostdev_entry, member)

static const struct row hostdev_rows[] = {
	{"vf", TAKE_NODE, HOSTDEV(vf), 0, 0},           {"source", TAKE_NODE, HOSTDEV(source), 0, 0},
	{"ours", TAKE_NODE, HOSTDEV(ours), 0, 0},       {"request", TAKE_NUMBER, HOSTDEV(request), 0, 255},
	{"address", TAKE_NODE, HOSTDEV(address), 0, 0}, {"managed", TAKE_NODE, HOSTDEV(managed), 0, 0},
	{"mdev", TAKE_NODE, HOSTDEV(mdev), 0, 0},
};

static uint32_t enabled_or_all(const struct gp_sim_gpu *gpu)
{
	if (gpu->used_vfs > 0)
		return gpu->used_vfs;
	return gpu->vfs > 0 ? gpu->vfs : gpu->device.total_vfs;
}

/* A VF of the description. */
struct place {
	struct gp_sim_gpu *gpu;
	uint32_t vf;
};

/* The VF for the nth name of a pattern: the next ones of the same GPU, then those of the next GPU that has any. */
static bool nth_vf(const struct gp_sim_description *machine, struct gp_sim_gpu *gpu, uint32_t index, size_t nth,
		   struct place *out)
{
	uint64_t left = (uint64_t)index + nth;
	for (; gpu < machine->gpus + machine->gpu_count; gpu++) {
		uint32_t has = enabled_or_all(gpu);
		if (left < has || (nth == 0 && left < gpu->device.total_vfs)) {
			*out = (struct place){gpu, (uint32_t)left};
			return true;
		}
		left -= has;
	}
	return false;
}

static bool take_vf(struct reader *reader, const struct gp_yaml_node *node, size_t nth, struct place *out)
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
	struct gp_sim_gpu *gpu = find_gpu(reader->out, vf.pf);
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

/* A mediated device has a name of its own: the one that gpupart gives it, or one that somebody drew. */
static void name_mdev(const struct gp_sim_vm *vm, uint32_t request, bool ours, struct gp_sim_hostdev *hostdev)
{
	gp_autofree char *name = gp_xasprintf("%s/%" PRIu32, vm->name, request);
	hostdev->type = GP_HOSTDEV_MDEV;
	hostdev->mdev = ours ? gp_mdev_uuid(vm->uuid, request) : gp_sim_uuid_of_name(name);
}

/* How a VM is given this VF depends on the driver of its GPU. */
static void take_place(struct reader *reader, const struct hostdev_entry *entry, size_t nth, const struct gp_sim_vm *vm,
		       uint32_t request, struct gp_sim_hostdev *hostdev)
{
	struct place place;
	hostdev->mark = entry->vf->mark;
	if (!take_vf(reader, entry->vf, nth, &place))
		return;
	hostdev->source = gp_sim_vf_addr(&place.gpu->device, place.vf);
	if (!gp_nvidia_makes_vgpus(&place.gpu->device))
		return;
	hostdev->managed = false;
	if (!gp_nvidia_is_mdev(&place.gpu->device))
		return;
	name_mdev(vm, request, entry->ours != NULL, hostdev);
	const struct gp_sim_vgpu vgpu = {place.vf, place.gpu->mdev_type, hostdev->mdev};
	if (place.gpu->mdev_type != 0 && place.gpu->vfs > 0)
		add_vgpu(reader, entry->vf, place.gpu, &vgpu);
}

static void take_mdev(struct reader *reader, const struct gp_yaml_node *node, struct gp_sim_hostdev *hostdev)
{
	hostdev->type = GP_HOSTDEV_MDEV;
	hostdev->mark = node->mark;
	if (is_scalar(reader, node, "mdev") && gp_uuid_parse(node->text, &hostdev->mdev) < 0)
		fault(reader, node, "bad-value", "'%s' is no UUID", node->text);
}

static void read_hostdev(struct reader *reader, const struct gp_yaml_node *node, size_t nth, struct gp_sim_vm *vm)
{
	struct hostdev_entry entry = {.request = UNSET};
	struct gp_sim_hostdev hostdev = {.type = GP_HOSTDEV_PCI, .managed = true, .mark = node->mark};
	if (!take_mapping(reader, node, "a hostdev", hostdev_rows, COUNT(hostdev_rows), &entry))
		return;
	uint32_t request = entry.request == UNSET ? (uint32_t)vm->hostdev_count : entry.request;
	if ((entry.vf != NULL) + (entry.source != NULL) + (entry.mdev != NULL) != 1)
		fault(reader, node, "missing-key", "a hostdev needs one of 'vf', 'source' and 'mdev'");
	else if (entry.vf != NULL)
		take_place(reader, &entry, nth, vm, request, &hostdev);
	else if (entry.mdev != NULL)
		take_mdev(reader, entry.mdev, &hostdev);
	else if (is_scalar(reader, entry.source, "source"))
		take_address(reader, entry.source, "source", &hostdev.source);
	if (entry.managed != NULL && is_scalar(reader, entry.managed, "managed"))
		take_bool(reader, entry.managed, "managed", &hostdev.managed);
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
static bool has_vf(const struct gp_sim_gpu *gpu, struct gp_pci_addr addr)
{
	for (uint32_t vf = 0; vf < gpu->vfs; vf++) {
		if (gp_pci_addr_compare(gp_sim_vf_addr(&gpu->device, vf), addr) != 0)
			continue;
		/* Without a vGPU it is there, but nothing for a VM. */
		bool ready = !gp_nvidia_makes_vgpus(&gpu->device);
		for (size_t i = 0; i < gpu->vgpu_count && !ready; i++)
			ready = gpu->vgpus[i].vf == vf;
		return ready;
	}
	return false;
}

static bool has_mdev(const struct gp_sim_gpu *gpu, struct gp_uuid mdev)
{
	for (size_t i = 0; i < gpu->vgpu_count; i++)
		if (gp_uuid_equal(gpu->vgpus[i].mdev, mdev))
			return true;
	return false;
}

static bool exists_at_first(const struct gp_sim_description *machine, const struct gp_sim_hostdev *hostdev)
{
	bool is_mdev = hostdev->type == GP_HOSTDEV_MDEV;
	if (!is_mdev && find_gpu(machine, hostdev->source) != NULL)
		return true;
	for (size_t i = 0; i < machine->gpu_count; i++)
		if (is_mdev ? has_mdev(&machine->gpus[i], hostdev->mdev) : has_vf(&machine->gpus[i], hostdev->source))
			return true;
	return false;
}

static bool is_same(const struct gp_sim_hostdev *a, const struct gp_sim_hostdev *b)
{
	if (a->type != b->type)
		return false;
	return a->type == GP_HOSTDEV_MDEV ? gp_uuid_equal(a->mdev, b->mdev)
					  : gp_pci_addr_compare(a->source, b->source) == 0;
}

static const struct gp_sim_vm *earlier_user(const struct gp_sim_description *machine, size_t before,
					    const struct gp_sim_hostdev *hostdev)
{
	for (size_t i = 0; i < before; i++)
		for (size_t j = 0; machine->vms[i].power != GP_SIM_OFF && j < machine->vms[i].hostdev_count; j++)
			if (is_same(&machine->vms[i].hostdevs[j], hostdev))
				return &machine->vms[i];
	return NULL;
}

static const char *name_source(const struct gp_sim_hostdev *hostdev, char out[GP_UUID_SIZE])
{
	return hostdev->type == GP_HOSTDEV_MDEV ? gp_uuid_format(hostdev->mdev, out)
						: gp_pci_addr_format(hostdev->source, out);
}

static const char *what_else(const struct gp_sim_description *machine, const struct gp_sim_hostdev *hostdev)
{
	if (hostdev->type == GP_HOSTDEV_MDEV)
		return ", and say of which type it is ('profile', or 'mdevs')";
	for (size_t i = 0; i < machine->gpu_count; i++)
		for (uint32_t vf = 0; vf < machine->gpus[i].vfs; vf++)
			if (gp_pci_addr_compare(gp_sim_vf_addr(&machine->gpus[i].device, vf), hostdev->source) == 0)
				return ", and give it a vGPU ('profile')";
	return "";
}

static void check_running(struct reader *reader)
{
	const struct gp_sim_description *machine = reader->out;
	char name[GP_UUID_SIZE];
	for (size_t i = 0; i < machine->vm_count; i++) {
		const struct gp_sim_vm *vm = &machine->vms[i];
		for (size_t j = 0; vm->power != GP_SIM_OFF && j < vm->hostdev_count; j++) {
			const struct gp_sim_hostdev *hostdev = &vm->hostdevs[j];
			const struct gp_sim_vm *other = earlier_user(machine, i, hostdev);
			name_source(hostdev, name);
			if (reader->gpus_are_sound && !exists_at_first(machine, hostdev))
				fault_at(reader, hostdev->mark, "vf-not-enabled",
					 "VM '%s' runs, so %s must be there: enable enough VFs ('vfs')%s", vm->name,
					 name, what_else(machine, hostdev));
			else if (other != NULL)
				fault_at(reader, hostdev->mark, "vf-in-use", "VMs '%s' and '%s' cannot both run on %s",
					 other->name, vm->name, name);
		}
	}
}

/* ---- host: what doctor looks at ---- */

struct host_entry {
	struct gp_sim_host host;
	const struct gp_yaml_node *cpu, *kvm, *iommu, *command_line, *lockdown, *vfio, *services;
};

#define HOST(member)       offsetof(struct host_entry, host.member)
#define HOST_ENTRY(member) offsetof(struct host_entry, member)

static const struct row host_rows[] = {
	{"cpu", TAKE_NODE, HOST_ENTRY(cpu), 0, 0},
	{"cpu_virtualization", TAKE_BOOL, HOST(cpu_virtualization), 0, 0},
	{"kvm", TAKE_NODE, HOST_ENTRY(kvm), 0, 0},
	{"iommu", TAKE_NODE, HOST_ENTRY(iommu), 0, 0},
	{"kernel", TAKE_WORD, HOST(kernel), 0, 0},
	{"command_line", TAKE_NODE, HOST_ENTRY(command_line), 0, 0},
	{"lockdown", TAKE_NODE, HOST_ENTRY(lockdown), 0, 0},
	{"vfio", TAKE_NODE, HOST_ENTRY(vfio), 0, 0},
	{"services", TAKE_NODE, HOST_ENTRY(services), 0, 0},
	{"stuck", TAKE_WORD, HOST(stuck), 0, 0},
	{"memlock", TAKE_SIZE, HOST(memlock), 0, 0},
};

static void take_services(struct reader *reader, const struct gp_yaml_node *list, struct gp_sim_host *out)
{
	size_t count = 0;
	memset(out->services, 0, sizeof(out->services));
	if (list->type != GP_YAML_SEQUENCE) {
		fault(reader, list, "wrong-type", "'services' is a list of names");
		return;
	}
	for (const struct gp_yaml_item *item = list->first; item != NULL; item = item->next, count++)
		if (count == COUNT(out->services))
			fault(reader, item->value, "too-many", "more services than a simulated machine has room for");
		else if (count < COUNT(out->services) && is_scalar(reader, item->value, "services"))
			take_word(reader, item->value, "services", out->services[count]);
}

static void read_host(struct reader *reader, const struct gp_yaml_node *node, struct gp_sim_host *out)
{
	static const char *const cpus[] = {"intel", "amd", "arm"};
	static const char *const iommus[] = {"active", "kernel-off", "firmware-off"};
	static const char *const lockdowns[] = {"none", "integrity", "confidentiality"};
	static const char *const modules[] = {"loaded", "loadable", "missing"};
	struct host_entry entry = {.host = *out};
	if (!take_mapping(reader, node, "'host'", host_rows, COUNT(host_rows), &entry))
		return;
	entry.host.kvm = entry.host.cpu_virtualization;
	if (entry.kvm != NULL && is_scalar(reader, entry.kvm, "kvm"))
		take_bool(reader, entry.kvm, "kvm", &entry.host.kvm);
	take_choice_word(reader, entry.cpu, "cpu", cpus, COUNT(cpus), entry.host.cpu);
	take_choice_word(reader, entry.lockdown, "lockdown", lockdowns, COUNT(lockdowns), entry.host.lockdown);
	take_choice_word(reader, entry.vfio, "vfio", modules, COUNT(modules), entry.host.vfio);
	int iommu = take_choice(reader, entry.iommu, "iommu", iommus, COUNT(iommus));
	if (iommu >= 0)
		entry.host.iommu = (enum gp_sim_iommu)iommu;
	if (entry.command_line != NULL && is_scalar(reader, entry.command_line, "command_line"))
		snprintf(entry.host.command_line, sizeof(entry.host.command_line), "%.*s",
			 (int)strcspn(entry.command_line->text, "\n"), entry.command_line->text);
	if (entry.services != NULL)
		take_services(reader, entry.services, &entry.host);
	*out = entry.host;
}

/* Where NVIDIA's driver is, its service is, too, unless the description names others. */
static void default_services(struct gp_sim_description *machine)
{
	for (size_t i = 0; i < machine->gpu_count; i++)
		if (gp_streq(machine->gpus[i].device.driver, "nvidia"))
			snprintf(machine->host.services[0], GP_SIM_WORD_SIZE, "nvidia-vgpu-mgr");
}

/* ---- the whole ---- */

struct machine_entry {
	const struct gp_yaml_node *version, *host, *gpus, *vms;
	const char *hostname, *libvirt, *qemu, *sriov_manage;
};

#define MACHINE(member) offsetof(struct machine_entry, member)

static const struct row machine_rows[] = {
	{"version", TAKE_NODE, MACHINE(version), 0, 0}, {"hostname", TAKE_TEXT, MACHINE(hostname), 0, 0},
	{"host", TAKE_NODE, MACHINE(host), 0, 0},       {"libvirt", TAKE_TEXT, MACHINE(libvirt), 0, 0},
	{"qemu", TAKE_TEXT, MACHINE(qemu), 0, 0},       {"sriov_manage", TAKE_TEXT, MACHINE(sriov_manage), 0, 0},
	{"gpus", TAKE_NODE, MACHINE(gpus), 0, 0},       {"vms", TAKE_NODE, MACHINE(vms), 0, 0},
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

static void check_release(struct reader *reader, const struct gp_yaml_node *root, const char *key, const char *version)
{
	uint32_t number;
	if (version != NULL && gp_sim_parse_version(version, &number) < 0)
		fault(reader, gp_yaml_get(root, key), "bad-value", "'%s' is a version as in \"9.0.0\", not '%s'", key,
		      version);
}

/* Into a directory of its own: not over what else the machine has. */
static void check_program(struct reader *reader, const struct gp_yaml_node *root, const char *path)
{
	if (path == NULL)
		return;
	bool plain = path[0] == '/' && strstr(path, "//") == NULL && strstr(path, "/.") == NULL;
	bool outside = gp_starts_with(path, "/usr/") || gp_starts_with(path, "/opt/");
	if (!plain || !outside || !gp_streq(gp_last_component(path), "sriov-manage"))
		fault(reader, gp_yaml_get(root, "sriov_manage"), "bad-value",
		      "'sriov_manage' is a path below /usr or /opt that ends in sriov-manage, not '%s'", path);
}

/* The driver counts its GPUs in the order of the bus. */
static void number_gpus(struct gp_sim_description *machine)
{
	uint32_t minor = 0;
	for (size_t i = 0; i < machine->gpu_count; i++) {
		struct gp_sim_device *device = &machine->gpus[i].device;
		device->card = (uint32_t)i;
		if (gp_nvidia_drives(device))
			device->minor = minor++;
	}
}

int gp_sim_describe(const struct gp_source *source, struct gp_arena *arena, struct gp_sim_description *out,
		    struct gp_diags *diags)
{
	struct reader reader = {.arena = arena, .diags = diags, .out = out};
	struct machine_entry entry = {.hostname = "simulated"};
	size_t faults = diags->error_count;
	*out = (struct gp_sim_description){0};
	gp_sim_host_defaults(&out->host);

	const struct gp_yaml_node *root = gp_yaml_parse(arena, source, diags);
	if (root == NULL && diags->error_count == faults)
		fault_at(&reader, (struct gp_mark){source, 1, 1}, "empty", "the description of the machine is empty");
	if (root == NULL ||
	    !take_mapping(&reader, root, "the description of a machine", machine_rows, COUNT(machine_rows), &entry))
		return -1;
	check_version(&reader, root, entry.version);
	check_hostname(&reader, root, entry.hostname);
	check_release(&reader, root, "libvirt", entry.libvirt);
	check_release(&reader, root, "qemu", entry.qemu);
	out->hostname = entry.hostname;
	check_program(&reader, root, entry.sriov_manage);
	out->libvirt = entry.libvirt;
	out->sriov_manage = entry.sriov_manage;
	out->qemu = entry.qemu;
	size_t gpu_faults = diags->error_count;
	each_of(&reader, entry.gpus, "gpus", read_gpu);
	if (out->gpu_count > 1)
		qsort(out->gpus, out->gpu_count, sizeof(*out->gpus), by_address);
	number_gpus(out);
	check_addresses(&reader);
	default_services(out);
	if (entry.host != NULL)
		read_host(&reader, entry.host, &out->host);
	reader.gpus_are_sound = diags->error_count == gpu_faults;
	each_of(&reader, entry.vms, "vms", read_vm);
	check_running(&reader);
	return diags->error_count == faults ? 0 : -1;
}

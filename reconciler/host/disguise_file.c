/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every file that a capture can hold, and what of it an anonymous one may: a path that no row speaks of stays out, so
 * that what is captured tomorrow is not given away by being forgotten here.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "host/disguise.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef void filter(struct gp_disguise *disguise, const char *text, size_t size, struct gp_str *out);

/* Numbers and words of the hardware, its driver or the kernel; or written anew by capture.c; or empty. */
static void as_it_is(struct gp_disguise *disguise GP_UNUSED, const char *text, size_t size, struct gp_str *out)
{
	gp_str_add_n(out, text, size);
}

static void host_name(struct gp_disguise *disguise, const char *text, size_t size, struct gp_str *out)
{
	gp_autofree char *name = gp_xasprintf("%.*s", (int)size, text);
	name[strcspn(name, "\n")] = '\0';
	gp_str_printf(out, "%s\n", gp_disguise_word(disguise, GP_IDENTITY_HOST, name));
}

static void release(struct gp_disguise *disguise, const char *text, size_t size, struct gp_str *out)
{
	gp_autofree char *name = gp_xasprintf("%.*s", (int)size, text);
	name[strcspn(name, "\n")] = '\0';
	gp_str_printf(out, "%s\n", gp_disguise_word(disguise, GP_IDENTITY_KERNEL, name));
}

/* ---- lines with a key ---- */

static bool is_line_of(const char *line, size_t length, const char *key)
{
	size_t key_length = strlen(key);
	if (length < key_length || strncmp(line, key, key_length) != 0)
		return false;
	size_t at = key_length;
	while (at < length && (line[at] == '\t' || line[at] == ' '))
		at++;
	return at < length && line[at] == ':';
}

static void lines_of(const char *text, size_t size, const char *const *keys, size_t key_count, struct gp_str *out)
{
	for (const char *line = text, *end = text + size; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = newline == NULL ? (size_t)(end - line) : (size_t)(newline - line);
		for (size_t i = 0; i < key_count; i++)
			if (is_line_of(line, length, keys[i]))
				gp_str_printf(out, "%.*s\n", (int)length, line);
		line += length + 1;
	}
}

/* Some processors have a serial number there. */
static void processor(struct gp_disguise *disguise GP_UNUSED, const char *text, size_t size, struct gp_str *out)
{
	static const char *const keys[] = {"processor", "vendor_id", "model name", "flags", "CPU implementer"};
	lines_of(text, size, keys, COUNT(keys), out);
	gp_str_add_char(out, '\n');
}

/* GPU UUID, video BIOS and where it lies stay out. */
static void gpu_information(struct gp_disguise *disguise GP_UNUSED, const char *text, size_t size, struct gp_str *out)
{
	static const char *const keys[] = {"Model", "Device Minor"};
	lines_of(text, size, keys, COUNT(keys), out);
}

/* Of what NVIDIA's driver was loaded with only how it schedules; ExcludedGpus would be UUIDs. */
static void driver_settings(struct gp_disguise *disguise GP_UNUSED, const char *text, size_t size, struct gp_str *out)
{
	static const char *const keys[] = {"RegistryDwords", "RegistryDwordsPerDevice"};
	static const char *const settings[] = {"RmPVMRL=", "pci="};
	for (size_t i = 0; i < COUNT(keys); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
		lines_of(text, size, &keys[i], 1, &line);
		const char *at = strchr(gp_str_text(&line), '"');
		if (at == NULL)
			continue;
		gp_str_printf(out, "%s: \"", keys[i]);
		for (at++; *at != '\0' && *at != '"'; at += strcspn(at, ";\""), at += *at == ';') {
			at += strspn(at, " ");
			for (size_t j = 0; j < COUNT(settings); j++)
				if (gp_starts_with(at, settings[j]))
					gp_str_printf(out, "%.*s;", (int)strcspn(at, ";\""), at);
		}
		gp_str_add(out, "\"\n");
	}
}

/* Only the words that a check reads: root=UUID=…, names of hosts and whatever else stands there stay out. */
static void command_line(struct gp_disguise *disguise GP_UNUSED, const char *text, size_t size, struct gp_str *out)
{
	static const char *const keys[] = {"intel_iommu=", "amd_iommu=", "iommu=", "pci="};
	gp_autofree char *all = gp_xasprintf("%.*s", (int)size, text);
	for (const char *word = all; *word != '\0'; word += strcspn(word, " \n"), word += strspn(word, " \n"))
		for (size_t i = 0; i < COUNT(keys); i++)
			if (gp_starts_with(word, keys[i]))
				gp_str_printf(out, "%s%.*s", out->length > 0 ? " " : "", (int)strcspn(word, " \n"),
					      word);
	gp_str_add_char(out, '\n');
}

/* ---- processes ---- */

static void process_name(struct gp_disguise *disguise, const char *text, size_t size, struct gp_str *out)
{
	gp_autofree char *name = gp_xasprintf("%.*s", (int)size, text);
	name[strcspn(name, "\n")] = '\0';
	gp_str_printf(out, "%s\n", gp_disguise_word(disguise, GP_IDENTITY_PROCESS, name));
}

/* "812 (name) S" */
static void process_state(struct gp_disguise *disguise, const char *text, size_t size, struct gp_str *out)
{
	gp_autofree char *line = gp_xasprintf("%.*s", (int)size, text);
	char *open = strchr(line, '('), *close = strrchr(line, ')');
	if (open == NULL || close == NULL || close < open)
		return;
	*open = *close = '\0';
	gp_str_printf(out, "%s(%s)%s", line, gp_disguise_word(disguise, GP_IDENTITY_PROCESS, open + 1), close + 1);
}

/* ---- configuration space ---- */

/* Bodies of capabilities that are kept; of all others only that they are there. Serial number (0003 of the extended
 * ones), VPD and what vendors put there are thereby zero. PCI Express Base Specification, 7.5 to 7.9. */
static const struct {
	uint16_t id, size;
} plain_bodies[] = {{0x10, 60} /* PCI Express */}, extended_bodies[] = {{0x0e, 8} /* ARI */, {0x10, 64} /* SR-IOV */};

enum { HEADER = 64, STATUS = 6, HAS_CAPABILITIES = 1 << 4, FIRST = 0x34, EXTENDED = 256, LINKS_MAX = 1024 };

static void keep(const uint8_t *from, uint8_t *to, size_t size, size_t at, size_t length)
{
	if (at < size)
		memcpy(to + at, from + at, length < size - at ? length : size - at);
}

static void keep_plain(const uint8_t *from, uint8_t *to, size_t size)
{
	size_t at = (from[STATUS] & HAS_CAPABILITIES) != 0 ? from[FIRST] & 0xfcu : 0;
	for (int links = 0; links < LINKS_MAX && at >= HEADER && at + 2 <= size; links++, at = from[at + 1] & 0xfcu) {
		keep(from, to, size, at, 2);
		for (size_t i = 0; i < COUNT(plain_bodies); i++)
			if (from[at] == plain_bodies[i].id)
				keep(from, to, size, at, plain_bodies[i].size);
	}
}

static void keep_extended(const uint8_t *from, uint8_t *to, size_t size)
{
	size_t at = EXTENDED;
	for (int links = 0; links < LINKS_MAX && at >= EXTENDED && at + 4 <= size; links++) {
		uint16_t id = (uint16_t)(from[at] | from[at + 1] << 8);
		keep(from, to, size, at, 4);
		for (size_t i = 0; i < COUNT(extended_bodies); i++)
			if (id == extended_bodies[i].id)
				keep(from, to, size, at, extended_bodies[i].size);
		at = (size_t)(from[at + 2] >> 4 | from[at + 3] << 4) & 0xffcu;
	}
}

static void config_space(struct gp_disguise *disguise GP_UNUSED, const char *text, size_t size, struct gp_str *out)
{
	const uint8_t *from = (const uint8_t *)text;
	gp_autofree char *kept = gp_xcalloc(1, size + 1);
	keep(from, (uint8_t *)kept, size, 0, HEADER);
	if (size > HEADER)
		keep_plain(from, (uint8_t *)kept, size);
	if (size > EXTENDED)
		keep_extended(from, (uint8_t *)kept, size);
	gp_str_add_n(out, kept, size);
}

/* ---- the table ---- */

/* '*' stands for anything, slashes too; the first row that fits counts. */
static const struct {
	const char *path;
	filter *filter;
} rows[] = {
	{"etc/hostname", host_name},
	/* Written anew from a disguised domain; the managed save is an empty file. */
	{"etc/libvirt/qemu/*.xml", as_it_is},
	{"run/libvirt/qemu/*.xml", as_it_is},
	{"run/libvirt/versions", as_it_is},
	{"var/lib/libvirt/qemu/save/*.save", as_it_is},
	/* PFs, VFs, mediated devices */
	{"sys/devices/*/config", config_space},
	{"sys/devices/*/class", as_it_is},
	{"sys/devices/*/vendor", as_it_is},
	{"sys/devices/*/device", as_it_is},
	{"sys/devices/*/subsystem_vendor", as_it_is},
	{"sys/devices/*/subsystem_device", as_it_is},
	{"sys/devices/*/numa_node", as_it_is},
	{"sys/devices/*/sriov_totalvfs", as_it_is},
	{"sys/devices/*/sriov_drivers_autoprobe", as_it_is},
	{"sys/devices/*/sriov_offset", as_it_is},
	{"sys/devices/*/sriov_stride", as_it_is},
	{"sys/devices/*/ari_enabled", as_it_is},
	{"sys/devices/*/resource", as_it_is},
	{"sys/devices/*/mem_info_vram_total", as_it_is},
	{"sys/devices/*/physical_vram_size_bytes", as_it_is},
	{"sys/devices/*/lmem_total_bytes", as_it_is},
	{"sys/devices/*/nvidia/creatable_vgpu_types", as_it_is},
	{"sys/devices/*/nvidia/current_vgpu_type", as_it_is},
	{"sys/devices/*/nvidia/vgpu_params", as_it_is},
	{"sys/devices/*/mdev_supported_types/*/name", as_it_is},
	{"sys/devices/*/mdev_supported_types/*/device_api", as_it_is},
	{"sys/devices/*/mdev_supported_types/*/available_instances", as_it_is},
	{"sys/devices/*/mdev_supported_types/*/description", as_it_is},
	/* Named by the firmware after the board's design: "3". A file may pick a GPU by it. */
	{"sys/bus/pci/slots/*/address", as_it_is},
	{"sys/bus/pci/devices/*/subordinate_bus_number", as_it_is},
	/* Drivers and lists that are alike on all machines of a release. proc/driver/nvidia/version is not: it tells
	 * who built the module, and where. */
	{"sys/module/nvidia/version", as_it_is},
	{"proc/driver/nvidia/params", driver_settings},
	{"proc/driver/nvidia/gpus/*/information", gpu_information},
	{GP_VGPU_CONFIG, as_it_is},
	{"etc/nvidia/vgpu/vgpuConfig.xml", as_it_is},
	{"usr/share/misc/pci.ids", as_it_is},
	/* What doctor reads */
	{"proc/cpuinfo", processor},
	{"proc/cmdline", command_line},
	{"proc/sys/kernel/osrelease", release},
	{"lib/modules/*/modules.dep", as_it_is},
	{"lib/modules/*/modules.builtin", as_it_is},
	{"sys/kernel/security/lockdown", as_it_is},
	{"sys/kernel/security/lsm", as_it_is},
	{"sys/firmware/acpi/tables/*", as_it_is}, /* empty: that they are there */
	{"dev/kvm", as_it_is},
	{"usr/lib/nvidia/sriov-manage", as_it_is},
	{"proc/*/comm", process_name},
	{"proc/*/stat", process_state},
	{"proc/*/status", as_it_is}, /* CapEff alone */
	{"proc/*/limits", as_it_is},
	{"proc/*/wchan", as_it_is},
	{"proc/*/stack", as_it_is}, /* functions of the kernel */
};

bool gp_disguise_content(struct gp_disguise *disguise, const char *path, const char *bytes, size_t size,
			 struct gp_str *out)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!gp_glob_match(rows[i].path, path, false))
			continue;
		(disguise == NULL ? as_it_is : rows[i].filter)(disguise, bytes, size, out);
		return true;
	}
	if (disguise == NULL)
		gp_str_add_n(out, bytes, size);
	return disguise == NULL;
}

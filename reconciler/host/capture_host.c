/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/capture_host.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CPUINFO_MAX = 4 * 1024 * 1024, MODULES_MAX = 16 * 1024 * 1024, NAME_SIZE = 64 };

struct taking {
	struct gp_host *host;
	const struct gp_capture_sink *sink;
	struct gp_arena *arena;
	struct gp_error *err;
	int result; /* the first failure */
};

static void put(struct taking *taking, const char *path, const char *text)
{
	if (taking->result == 0)
		taking->result = taking->sink->put(taking->sink->context, path, text, taking->err);
}

static void make(struct taking *taking, const char *path)
{
	if (taking->result == 0)
		taking->result = taking->sink->make(taking->sink->context, path, taking->err);
}

static const char *read_whole(struct taking *taking, const char *path, size_t most)
{
	char *text;
	return gp_host_read_file(taking->host, path, most, taking->arena, &text, NULL, NULL) < 0 ? NULL : text;
}

/* What is missing here is missing there. */
static void take_file(struct taking *taking, const char *path)
{
	const char *text = read_whole(taking, path, GP_ATTR_MAX);
	if (text != NULL)
		put(taking, path, text);
}

/* That it is there, without what it holds. */
static void take_presence(struct taking *taking, const char *path)
{
	if (gp_host_exists(taking->host, path))
		put(taking, path, "");
}

static void take_directory(struct taking *taking, const char *path)
{
	if (gp_host_exists(taking->host, path))
		make(taking, path);
}

struct listing {
	struct taking *taking;
	const char *path;
};

static int take_entry(void *context, const char *name)
{
	const struct listing *entry = context;
	gp_autofree char *path = gp_xasprintf("%s/%s", entry->path, name);
	make(entry->taking, path);
	return 0;
}

/* Names alone. */
static void take_names(struct taking *taking, const char *path)
{
	struct listing entry = {taking, path};
	take_directory(taking, path);
	gp_host_list(taking->host, path, take_entry, &entry, NULL);
}

/* ---- processors, kernel, modules ---- */

/* All are described alike; hundreds of them are no use. */
static void take_first_cpu(struct taking *taking)
{
	const char *text = read_whole(taking, "proc/cpuinfo", CPUINFO_MAX);
	const char *end = text == NULL ? NULL : strstr(text, "\n\n");
	if (text == NULL)
		return;
	gp_autofree char *first = end == NULL ? gp_xstrdup(text) : gp_xasprintf("%.*s\n\n", (int)(end - text), text);
	put(taking, "proc/cpuinfo", first);
}

static const char *take_release(struct taking *taking)
{
	char release[256];
	take_file(taking, "proc/sys/kernel/osrelease");
	return gp_host_read(taking->host, "proc/sys/kernel/osrelease", release, sizeof(release), NULL) < 0 ||
			       strchr(release, '/') != NULL
		       ? NULL
		       : gp_arena_strdup(taking->arena, release);
}

/* Lines about VFIO alone: the list of all modules is long. An empty list says that there is none. */
static void take_modules(struct taking *taking, const char *release, const char *list)
{
	GP_CLEANUP(gp_str_clear) struct gp_str kept = {0};
	gp_autofree char *path = gp_xasprintf("lib/modules/%s/%s", release, list);
	const char *text = read_whole(taking, path, MODULES_MAX);
	if (text == NULL)
		return;
	for (const char *line = text, *next; *line != '\0'; line = next) {
		size_t length = strcspn(line, "\n");
		size_t name = strcspn(line, ":\n");
		next = line + length + (line[length] == '\n');
		if (memmem(line, name, "/vfio", 5) != NULL || memmem(line, name, "/iommufd", 8) != NULL)
			gp_str_printf(&kept, "%.*s%s\n", (int)name, line, line[name] == ':' ? ":" : "");
	}
	put(taking, path, gp_str_text(&kept));
}

static void take_kernel(struct taking *taking)
{
	const char *release = take_release(taking);
	take_first_cpu(taking);
	take_file(taking, "proc/cmdline");
	make(taking, "dev");
	take_presence(taking, "dev/kvm");
	take_directory(taking, "sys/kernel/security");
	take_presence(taking, "sys/kernel/security/lsm");
	take_file(taking, "sys/kernel/security/lockdown");
	take_directory(taking, "sys/module/vfio_pci");
	take_directory(taking, "sys/module/vfio_iommu_type1");
	take_directory(taking, "sys/module/iommufd");
	take_presence(taking, &GP_SRIOV_MANAGE[1]);
	if (release != NULL) {
		take_modules(taking, release, "modules.dep");
		take_modules(taking, release, "modules.builtin");
	}
}

/* ---- IOMMU ---- */

static void take_iommu(struct taking *taking)
{
	static const char *const tables[] = {"DMAR", "IVRS", "IORT", "VIOT"};
	take_directory(taking, "sys/firmware/acpi/tables");
	for (size_t i = 0; i < COUNT(tables); i++) {
		gp_autofree char *path = gp_xasprintf("sys/firmware/acpi/tables/%s", tables[i]);
		take_presence(taking, path);
	}
	take_names(taking, "sys/class/iommu");
	take_directory(taking, "sys/kernel/iommu_groups");
}

static void take_group_of(struct taking *taking, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE], number[NAME_SIZE];
	gp_autofree char *link = gp_xasprintf("sys/bus/pci/devices/%s/iommu_group", gp_pci_addr_format(addr, name));
	if (gp_host_read_link(taking->host, link, number, sizeof(number), NULL) < 0)
		return;
	gp_autofree char *path = gp_xasprintf("sys/kernel/iommu_groups/%s/devices", number);
	take_names(taking, path);
}

static void take_bridge_above(struct taking *taking, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_autofree char *path =
		gp_xasprintf("sys/bus/pci/devices/%s/../subordinate_bus_number", gp_pci_addr_format(addr, name));
	take_file(taking, path);
}

static void take_gpu(struct taking *taking, const struct gp_gpu *gpu)
{
	take_bridge_above(taking, gpu->addr);
	take_group_of(taking, gpu->addr);
	for (size_t i = 0; i < gpu->partition_count; i++)
		take_group_of(taking, gpu->partitions[i].addr);
}

/* ---- processes ---- */

static bool is_of_interest(const char *pid, const char *comm, char state)
{
	static const char *const names[] = {"nvidia-vgpu-mgr", "nvidia-vgpud", "libvirtd", "virtqemud"};
	for (size_t i = 0; i < COUNT(names); i++)
		if (gp_streq(comm, names[i]))
			return true;
	return gp_streq(pid, "1") || state == 'D';
}

/* Who takes a VF away that somebody has open waits where a signal can reach him: S, and no D
 * (drivers/vfio/vfio_main.c). */
static bool waits_for_vfio(const struct taking *taking, const char *pid, char state)
{
	char where[GP_ATTR_MAX];
	gp_autofree char *path = gp_xasprintf("proc/%s/wchan", pid);
	return state == 'S' && gp_host_read(taking->host, path, where, sizeof(where), NULL) > 0 &&
	       gp_starts_with(where, "vfio_");
}

/* Its name, its state and its rights; nothing of its command line or its files. */
static void take_process_files(struct taking *taking, const char *pid, const char *comm, char state)
{
	enum { STATUS_MAX = 16 * 1024 };
	static const char *const files[] = {"limits", "wchan", "stack"};
	GP_CLEANUP(gp_str_clear) struct gp_str rights = {0};
	gp_autofree char *comm_path = gp_xasprintf("proc/%s/comm", pid);
	gp_autofree char *stat_path = gp_xasprintf("proc/%s/stat", pid);
	gp_autofree char *status_path = gp_xasprintf("proc/%s/status", pid);
	gp_autofree char *comm_text = gp_xasprintf("%s\n", comm);
	gp_autofree char *stat_text = gp_xasprintf("%s (%s) %c\n", pid, comm, state);
	const char *status = read_whole(taking, status_path, STATUS_MAX);
	/* In a copy it is the first line. */
	const char *line = status == NULL                      ? NULL
			   : gp_starts_with(status, "CapEff:") ? status
							       : strstr(status, "\nCapEff:");
	put(taking, comm_path, comm_text);
	put(taking, stat_path, stat_text);
	if (line != NULL) {
		line += *line == '\n';
		gp_str_printf(&rights, "%.*s\n", (int)strcspn(line, "\n"), line);
		put(taking, status_path, gp_str_text(&rights));
	}
	for (size_t i = 0; i < COUNT(files); i++) {
		gp_autofree char *path = gp_xasprintf("proc/%s/%s", pid, files[i]);
		take_file(taking, path);
	}
}

static int take_process(void *context, const char *pid)
{
	struct taking *taking = context;
	char comm[NAME_SIZE], stat[GP_ATTR_MAX];
	if (!isdigit((unsigned char)pid[0]))
		return 0;
	gp_autofree char *comm_path = gp_xasprintf("proc/%s/comm", pid);
	gp_autofree char *stat_path = gp_xasprintf("proc/%s/stat", pid);
	if (gp_host_read(taking->host, comm_path, comm, sizeof(comm), NULL) <= 0)
		return 0;
	const char *end =
		gp_host_read(taking->host, stat_path, stat, sizeof(stat), NULL) <= 0 ? NULL : strrchr(stat, ')');
	char state = end == NULL || end[1] != ' ' || end[2] == '\0' ? 'S' : end[2];
	if (is_of_interest(pid, comm, state) || waits_for_vfio(taking, pid, state))
		take_process_files(taking, pid, comm, state);
	return taking->result;
}

int gp_host_capture_facts(struct gp_host *host, const struct gp_observed *observed, const struct gp_capture_sink *sink,
			  struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct taking taking = {.host = host, .sink = sink, .arena = arena, .err = err};
	take_kernel(&taking);
	take_iommu(&taking);
	for (size_t i = 0; i < observed->gpu_count; i++)
		take_gpu(&taking, &observed->gpus[i]);
	gp_host_list(host, "proc", take_process, &taking, NULL);
	return taking.result;
}

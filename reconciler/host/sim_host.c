/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sim_host.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SAVED        ".sim/host"

enum { MODE = 0444, FIRST_SERVICE_PID = 701, LIBVIRT_PID = 650, STUCK_PID = 699 };

void gp_sim_host_defaults(struct gp_sim_host *host)
{
	*host = (struct gp_sim_host){
		.cpu = "intel",
		.cpu_virtualization = true,
		.kvm = true,
		.kernel = "6.8.0-45-generic",
		.command_line = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro",
		.lockdown = "none",
		.vfio = "loaded",
	};
}

/* ---- kept from boot to boot: one "key=value" a line ---- */

int gp_sim_host_save(int root, const struct gp_sim_host *host)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_printf(&text, "cpu=%s\ncpu_virtualization=%d\nkvm=%d\niommu=%d\nkernel=%s\ncommand_line=%s\n", host->cpu,
		      host->cpu_virtualization, host->kvm, (int)host->iommu, host->kernel, host->command_line);
	gp_str_printf(&text, "lockdown=%s\nvfio=%s\nstuck=%s\nmemlock=%" PRIu64 "\n", host->lockdown, host->vfio,
		      host->stuck, host->memlock);
	for (size_t i = 0; i < GP_SIM_SERVICES && host->services[i][0] != '\0'; i++)
		gp_str_printf(&text, "service=%s\n", host->services[i]);
	return gp_tree_write(root, 0644, gp_str_text(&text), SAVED);
}

static void take_text(char *to, size_t size, const char *value)
{
	snprintf(to, size, "%s", value);
}

static void take_line(struct gp_sim_host *host, const char *key, const char *value)
{
	static const struct {
		const char *key;
		size_t offset, size;
	} texts[] = {
		{"cpu", offsetof(struct gp_sim_host, cpu), GP_SIM_WORD_SIZE},
		{"kernel", offsetof(struct gp_sim_host, kernel), GP_SIM_WORD_SIZE},
		{"command_line", offsetof(struct gp_sim_host, command_line), GP_SIM_COMMAND_LINE},
		{"lockdown", offsetof(struct gp_sim_host, lockdown), GP_SIM_WORD_SIZE},
		{"vfio", offsetof(struct gp_sim_host, vfio), GP_SIM_WORD_SIZE},
		{"stuck", offsetof(struct gp_sim_host, stuck), GP_SIM_WORD_SIZE},
	};
	for (size_t i = 0; i < COUNT(texts); i++)
		if (gp_streq(key, texts[i].key))
			take_text((char *)host + texts[i].offset, texts[i].size, value);
	if (gp_streq(key, "cpu_virtualization"))
		host->cpu_virtualization = gp_streq(value, "1");
	else if (gp_streq(key, "kvm"))
		host->kvm = gp_streq(value, "1");
	else if (gp_streq(key, "iommu"))
		host->iommu = (enum gp_sim_iommu)(value[0] - '0');
	else if (gp_streq(key, "memlock"))
		gp_parse_u64(value, &host->memlock);
	for (size_t i = 0; i < GP_SIM_SERVICES && gp_streq(key, "service"); i++)
		if (host->services[i][0] == '\0') {
			take_text(host->services[i], GP_SIM_WORD_SIZE, value);
			break;
		}
}

static bool load(int root, struct gp_sim_host *host)
{
	gp_autofree char *text = gp_tree_read(root, NULL, SAVED);
	*host = (struct gp_sim_host){0};
	char *rest = NULL;
	for (char *line = text == NULL ? NULL : strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *equals = strchr(line, '=');
		if (equals == NULL)
			continue;
		*equals = '\0';
		take_line(host, line, equals + 1);
	}
	return text != NULL;
}

bool gp_sim_host_lacks_iommu(int root)
{
	struct gp_sim_host host;
	return load(root, &host) && host.iommu != GP_SIM_IOMMU_ACTIVE;
}

/* ---- the tree ---- */

/* Makes the directories above it, too. The first failure stays in *result. */
static void put(int root, int *result, const char *text, const char *path)
{
	gp_autofree char *directory = gp_xasprintf("%.*s", (int)(strrchr(path, '/') - path), path);
	if (*result == 0)
		*result = gp_tree_mkdir(root, "%s", directory);
	if (*result == 0)
		*result = gp_tree_write(root, MODE, text, "%s", path);
}

static void put_directory(int root, int *result, const char *path)
{
	if (*result == 0)
		*result = gp_tree_mkdir(root, "%s", path);
}

static void boot_cpu(int root, int *result, const struct gp_sim_host *host)
{
	bool intel = gp_streq(host->cpu, "intel");
	const char *flag = !host->cpu_virtualization ? "" : intel ? " vmx" : " svm";
	gp_autofree char *x86 =
		gp_xasprintf("processor\t: 0\nvendor_id\t: %s\nflags\t\t: fpu vme de pse msr pae%s ht\n\n",
			     intel ? "GenuineIntel" : "AuthenticAMD", flag);
	put(root, result,
	    gp_streq(host->cpu, "arm") ? "processor\t: 0\nFeatures\t: fp asimd aes\nCPU implementer\t: 0x41\n\n" : x86,
	    "proc/cpuinfo");
	if (host->kvm)
		put(root, result, "", "dev/kvm");
}

static void boot_iommu(int root, int *result, const struct gp_sim_host *host)
{
	bool intel = gp_streq(host->cpu, "intel"), amd = gp_streq(host->cpu, "amd");
	put_directory(root, result, "sys/class/iommu");
	put(root, result, "FACP", "sys/firmware/acpi/tables/FACP");
	if (host->iommu != GP_SIM_IOMMU_FIRMWARE_OFF)
		put(root, result, "",
		    intel ? "sys/firmware/acpi/tables/DMAR"
		    : amd ? "sys/firmware/acpi/tables/IVRS"
			  : "sys/firmware/acpi/tables/IORT");
	if (host->iommu == GP_SIM_IOMMU_ACTIVE)
		put_directory(root, result,
			      intel ? "sys/class/iommu/dmar0"
			      : amd ? "sys/class/iommu/ivhd0"
				    : "sys/class/iommu/smmu3.0x0000000100000000");
}

static void boot_kernel(int root, int *result, const struct gp_sim_host *host)
{
	gp_autofree char *release = gp_xasprintf("%s\n", host->kernel);
	gp_autofree char *command_line = gp_xasprintf("%s\n", host->command_line);
	put(root, result, release, "proc/sys/kernel/osrelease");
	put(root, result, command_line, "proc/cmdline");
	put(root, result, "capability,lockdown\n", "sys/kernel/security/lsm");
	if (gp_streq(host->lockdown, "none"))
		put(root, result, "[none] integrity confidentiality\n", "sys/kernel/security/lockdown");
	else if (gp_streq(host->lockdown, "integrity"))
		put(root, result, "none [integrity] confidentiality\n", "sys/kernel/security/lockdown");
	else if (gp_streq(host->lockdown, "confidentiality"))
		put(root, result, "none integrity [confidentiality]\n", "sys/kernel/security/lockdown");
}

static void boot_vfio(int root, int *result, const struct gp_sim_host *host)
{
	gp_autofree char *dep = gp_xasprintf("lib/modules/%s/modules.dep", host->kernel);
	gp_autofree char *builtin = gp_xasprintf("lib/modules/%s/modules.builtin", host->kernel);
	if (gp_streq(host->vfio, "loaded")) {
		put_directory(root, result, "sys/module/vfio_pci");
		put_directory(root, result, "sys/module/vfio_iommu_type1");
	}
	put(root, result, "kernel/fs/ext4/ext4.ko\n", builtin);
	put(root, result,
	    gp_streq(host->vfio, "missing")
		    ? "kernel/arch/x86/kvm/kvm.ko:\n"
		    : "kernel/drivers/vfio/vfio_iommu_type1.ko: kernel/drivers/vfio/vfio.ko\n"
		      "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/pci/vfio-pci-core.ko\n",
	    dep);
}

static void boot_process(int root, int *result, unsigned pid, const char *name, char state)
{
	gp_autofree char *comm = gp_xasprintf("%.15s\n", name);
	gp_autofree char *comm_path = gp_xasprintf("proc/%u/comm", pid);
	gp_autofree char *stat = gp_xasprintf("%u (%.15s) %c 1 %u %u 0 -1\n", pid, name, state, pid, pid);
	gp_autofree char *stat_path = gp_xasprintf("proc/%u/stat", pid);
	gp_autofree char *files = gp_xasprintf("proc/%u/fd", pid);
	put(root, result, comm, comm_path);
	put(root, result, stat, stat_path);
	put_directory(root, result, files);
}

static void boot_libvirt(int root, int *result, const struct gp_sim_host *host)
{
	gp_autofree char *hard = host->memlock == 0 ? gp_xstrdup("8388608") : gp_xasprintf("%" PRIu64, host->memlock);
	gp_autofree char *limits =
		gp_xasprintf("%-25s %-20s %-20s %-10s\n%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit",
			     "Units", "Max locked memory", hard, hard, "bytes");
	gp_autofree char *status = gp_xasprintf("Name:\tlibvirtd\nUid:\t0\t0\t0\t0\nCapEff:\t%s\n",
						host->memlock == 0 ? "000001ffffffffff" : "00000000a80425fb");
	gp_autofree char *limits_path = gp_xasprintf("proc/%d/limits", LIBVIRT_PID);
	gp_autofree char *status_path = gp_xasprintf("proc/%d/status", LIBVIRT_PID);
	boot_process(root, result, LIBVIRT_PID, "libvirtd", 'S');
	put(root, result, limits, limits_path);
	put(root, result, status, status_path);
}

static void boot_processes(int root, int *result, const struct gp_sim_host *host)
{
	boot_process(root, result, 1, "systemd", 'S');
	boot_libvirt(root, result, host);
	for (unsigned i = 0; i < GP_SIM_SERVICES && host->services[i][0] != '\0'; i++)
		boot_process(root, result, FIRST_SERVICE_PID + i, host->services[i], 'S');
	if (host->stuck[0] == '\0')
		return;
	gp_autofree char *path = gp_xasprintf("proc/%d/wchan", STUCK_PID);
	/* A signal would reach it there, and it hangs on in D after that (drivers/vfio/vfio_main.c). */
	boot_process(root, result, STUCK_PID, "tee", gp_streq(host->stuck, "vfio_unregister_group_dev") ? 'S' : 'D');
	put(root, result, host->stuck, path);
}

int gp_sim_host_boot(int root)
{
	struct gp_sim_host host;
	int result = 0;
	if (!load(root, &host))
		return 0;
	boot_cpu(root, &result, &host);
	boot_iommu(root, &result, &host);
	boot_kernel(root, &result, &host);
	boot_vfio(root, &result, &host);
	boot_processes(root, &result, &host);
	return result;
}

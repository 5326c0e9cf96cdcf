/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a simulated machine from its description: first the tree, then the kernel boots, then what was there before. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/sim.h"
#include "host/sim_describe.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MODE = 0644, LARGEST_DESCRIPTION = 4 * 1024 * 1024 };

/* ---- pci.ids ---- */

struct id_line {
	uint32_t vendor, device, subsystem_vendor, subsystem_device;
	const char *vendor_name, *name, *subsystem_name;
};

static int by_id(const void *a, const void *b)
{
	const struct id_line *x = a;
	const struct id_line *y = b;
	if (x->vendor != y->vendor)
		return x->vendor < y->vendor ? -1 : 1;
	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	if (x->subsystem_vendor != y->subsystem_vendor)
		return x->subsystem_vendor < y->subsystem_vendor ? -1 : 1;
	return x->subsystem_device < y->subsystem_device ? -1 : x->subsystem_device > y->subsystem_device;
}

static struct id_line *id_lines(const struct gp_sim_description *machine, struct gp_arena *arena, size_t *count)
{
	struct id_line *lines = NULL;
	*count = 0;
	for (size_t i = 0; i < machine->gpu_count; i++) {
		const struct gp_sim_gpu *gpu = &machine->gpus[i];
		const struct gp_sim_device *device = &gpu->device;
		*gp_arena_push(arena, lines, *count) = (struct id_line){
			device->vendor,   device->device, device->subsystem_vendor, device->subsystem_device,
			gpu->vendor_name, gpu->name,      gpu->subsystem_name};
		if (device->total_vfs > 0 && device->vf_device != device->device)
			*gp_arena_push(arena, lines, *count) = (struct id_line){
				device->vendor, device->vf_device, 0, 0, gpu->vendor_name, gpu->vf_name, NULL};
	}
	if (*count > 1)
		qsort(lines, *count, sizeof(*lines), by_id);
	return lines;
}

static int make_pci_ids(int root, const struct gp_sim_description *machine, struct gp_arena *arena)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	size_t count;
	const struct id_line *lines = id_lines(machine, arena, &count);

	gp_str_add(&text, "# The devices of this machine, in the format of the PCI ID Repository\n");
	for (size_t i = 0; i < count; i++) {
		const struct id_line *line = &lines[i];
		bool new_vendor = i == 0 || lines[i - 1].vendor != line->vendor;
		bool new_device = new_vendor || lines[i - 1].device != line->device;
		if (line->vendor_name == NULL || (i > 0 && by_id(&lines[i - 1], line) == 0))
			continue;
		if (new_vendor)
			gp_str_printf(&text, "%04x  %s\n", line->vendor, line->vendor_name);
		if (new_device && line->name != NULL)
			gp_str_printf(&text, "\t%04x  %s\n", line->device, line->name);
		if (line->name != NULL && line->subsystem_name != NULL)
			gp_str_printf(&text, "\t\t%04x %04x  %s\n", line->subsystem_vendor, line->subsystem_device,
				      line->subsystem_name);
	}
	gp_str_add(&text, "\nC 03  Display controller\n\t00  VGA compatible controller\n\t02  3D controller\n"
			  "\t80  Display controller\nC 12  Processing accelerators\n\t00  Processing accelerators\n");
	return gp_tree_write(root, MODE, gp_str_text(&text), "usr/share/misc/pci.ids");
}

/* ---- domains ---- */

static void add_hostdev(struct gp_str *out, const struct gp_sim_hostdev *hostdev, unsigned nth)
{
	enum { FIRST_BUS = 5 };
	GP_CLEANUP(gp_str_clear) struct gp_str guest = {0};
	struct gp_pci_addr at = hostdev->guest_address;
	if (at.bus == 0 && at.slot == 0)
		at.bus = (uint8_t)(FIRST_BUS + nth);
	gp_str_printf(&guest, "<address type='pci' domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>",
		      at.domain, at.bus, at.slot, at.function);
	struct gp_hostdev plain = {
		.type = hostdev->type,
		.source = hostdev->source,
		.mdev = hostdev->mdev,
		.managed = hostdev->managed,
		.alias = hostdev->alias,
		.guest_xml = gp_str_text(&guest),
	};
	gp_str_add(out, "    ");
	gp_domain_xml_hostdev(&plain, out);
	gp_str_add_char(out, '\n');
}

static void add_metadata(struct gp_str *out, const struct gp_sim_vm *vm)
{
	if (vm->external != NULL)
		gp_str_printf(out, "  <metadata>\n    <%s:instance xmlns:%s=\"%s\"/>\n  </metadata>\n", vm->external,
			      vm->external, gp_sim_external_uri(vm->external));
}

static void add_escaped(struct gp_str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '&' || *text == '<' || *text == '\'')
			gp_str_printf(out, "&#%d;", *text);
		else
			gp_str_add_char(out, *text);
	}
}

/* What libvirt makes of a small q35 guest. */
static void domain_xml(const struct gp_sim_vm *vm, struct gp_str *out)
{
	char uuid[GP_UUID_SIZE];
	gp_str_printf(out, "<domain type='kvm'>\n  <name>%s</name>\n  <uuid>%s</uuid>\n", vm->name,
		      gp_uuid_format(vm->uuid, uuid));
	add_metadata(out, vm);
	gp_str_add(out,
		   "  <memory unit='KiB'>8388608</memory>\n"
		   "  <currentMemory unit='KiB'>8388608</currentMemory>\n"
		   "  <vcpu placement='static'>4</vcpu>\n"
		   "  <os>\n    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>\n    <boot dev='hd'/>\n  </os>\n"
		   "  <on_poweroff>destroy</on_poweroff>\n"
		   "  <on_reboot>restart</on_reboot>\n"
		   "  <on_crash>destroy</on_crash>\n"
		   "  <devices>\n"
		   "    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n");
	if (vm->vnc_password != NULL) {
		gp_str_add(out, "    <graphics type='vnc' port='-1' autoport='yes' passwd='");
		add_escaped(out, vm->vnc_password);
		gp_str_add(out, "'/>\n");
	}
	for (size_t i = 0; i < vm->hostdev_count; i++)
		add_hostdev(out, &vm->hostdevs[i], (unsigned)i);
	gp_str_add(out, "  </devices>\n</domain>\n");
}

static int make_domain(int root, const struct gp_sim_vm *vm, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	domain_xml(vm, &xml);
	const char *text = gp_str_text(&xml);
	/* Checked to be unique already, and sound by construction: written as it is. */
	if (vm->persistent && gp_sim_domain_redefine(root, vm->name, text, err) < 0)
		return -1;
	gp_autofree char *definition = gp_xasprintf("/" GP_SIM_DEFINITIONS "/%s.xml", vm->name);
	if ((vm->autostart && gp_tree_link(root, definition, GP_SIM_AUTOSTART "/%s.xml", vm->name) < 0) ||
	    (vm->managed_save && gp_tree_write(root, MODE, text, GP_SIM_SAVED "/%s.save", vm->name) < 0) ||
	    ((vm->guest.ignores_shutdown || vm->guest.shutdown_ms > 0) &&
	     gp_sim_guest_save(root, vm->name, &vm->guest) < 0))
		return gp_fail_errno(err, errno, "cannot make VM %s", vm->name);
	if (vm->power == GP_SIM_OFF)
		return 0;
	if (gp_sim_domain_create(root, vm->name, text, gp_clock_unix_ms() - vm->running_for_ms, err) < 0)
		return -1;
	return vm->power == GP_SIM_PAUSED ? gp_sim_domain_pause(root, vm->name, err) : 0;
}

/* ---- the machine ---- */

static int make_skeleton(int root)
{
	static const char *const directories[] = {".sim/devices",   ".sim/locks", ".sim/tmp",       ".sim/guests",
						  GP_SIM_AUTOSTART, GP_SIM_SAVED, "usr/share/misc", "var/lib/gpupart"};
	for (size_t i = 0; i < COUNT(directories); i++)
		if (gp_tree_mkdir(root, "%s", directories[i]) < 0)
			return -1;
	if (gp_tree_write(root, MODE, "0\n", ".sim/writes") < 0 || gp_tree_write(root, MODE, "", ".sim/faults") < 0 ||
	    gp_tree_write(root, MODE, "", ".sim/trace") < 0)
		return -1;
	return gp_tree_write(root, MODE, "0\n", ".sim/boots");
}

static int make_devices(int root, const struct gp_sim_description *machine)
{
	for (size_t i = 0; i < machine->gpu_count; i++)
		if (gp_sim_device_save(root, &machine->gpus[i].device) < 0)
			return -1;
	return 0;
}

/* One GPU with the vGPU driver: it has been installed. */
static int make_driver(int root, const struct gp_sim_description *machine)
{
	for (size_t i = 0; i < machine->gpu_count; i++)
		if (gp_nvidia_makes_vgpus(&machine->gpus[i].device))
			return gp_nvidia_install(root, machine->sriov_manage);
	return 0;
}

static int make_vgpus(int root, const struct gp_sim_description *machine, struct gp_error *err)
{
	for (size_t i = 0; i < machine->gpu_count; i++) {
		const struct gp_sim_gpu *gpu = &machine->gpus[i];
		if (gpu->vgpu_count > 0 &&
		    gp_kernel_preset_vgpus(root, gpu->device.addr, gpu->vgpus, gpu->vgpu_count, err) < 0)
			return -1;
	}
	return 0;
}

static int make_vfs(int root, const struct gp_sim_description *machine, struct gp_error *err)
{
	for (size_t i = 0; i < machine->gpu_count; i++) {
		const struct gp_sim_gpu *gpu = &machine->gpus[i];
		/* VFs that stand there without a driver were made with autoprobe off. */
		bool autoprobe = gpu->autoprobe && (gpu->vfs == 0 || gp_streq(gpu->vf_driver, gpu->device.driver));
		if ((gpu->vfs > 0 || !autoprobe) && gpu->device.total_vfs > 0 &&
		    gp_kernel_preset_vfs(root, gpu->device.addr, gpu->vfs, gpu->vf_driver, autoprobe, err) < 0)
			return -1;
	}
	return 0;
}

static int make_machine(int root, const struct gp_source *source, const struct gp_sim_description *machine,
			struct gp_arena *arena, struct gp_error *err)
{
	gp_autofree char *hostname = gp_xasprintf("%s\n", machine->hostname);
	if (make_skeleton(root) < 0 || gp_sim_host_save(root, &machine->host) < 0 || make_devices(root, machine) < 0 ||
	    make_pci_ids(root, machine, arena) < 0 || gp_tree_write(root, MODE, hostname, "etc/hostname") < 0 ||
	    make_driver(root, machine) < 0 || gp_sim_hypervisor_save(root, machine->libvirt, machine->qemu) < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot be made");
	if (gp_kernel_boot(root, err) < 0 || make_vfs(root, machine, err) < 0 || make_vgpus(root, machine, err) < 0)
		return -1;
	for (size_t i = 0; i < machine->vm_count; i++)
		if (make_domain(root, &machine->vms[i], err) < 0)
			return -1;
	/* Last: with it, the directory is a simulated machine. */
	if (gp_tree_write_bytes(root, MODE, source->text, source->size, GP_SIM_MARK_FILE) < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot be made");
	return 0;
}

static int count_entry(void *context, const char *name)
{
	(void)name;
	*(bool *)context = true;
	return 1;
}

/* The directory, made if need be; it must be empty. -1 and *err otherwise. */
static int open_empty(const char *directory, bool *made, struct gp_error *err)
{
	bool has_entries = false;
	*made = mkdir(directory, 0755) == 0;
	if (!*made && errno != EEXIST)
		return gp_fail_errno(err, errno, "cannot make the directory %s", directory);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int list = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return gp_fail_errno(err, errno, "cannot open the directory %s", directory);
	gp_each_name(list, count_entry, &has_entries);
	if (!has_entries)
		return fd;
	close(fd);
	gp_fail(err, GP_E_USAGE, "%s is not empty", directory);
	return gp_error_remedy(err, "name a directory that does not exist yet");
}

static int remove_entry(void *context, const char *name)
{
	gp_tree_remove(*(int *)context, "%s", name);
	return 0;
}

static void remove_machine(int root, const char *directory, bool made)
{
	int list = fcntl(root, F_DUPFD_CLOEXEC, 0);
	if (list >= 0) {
		lseek(list, 0, SEEK_SET);
		gp_each_name(list, remove_entry, &root);
	}
	if (made)
		rmdir(directory);
}

int gp_sim_create(const char *directory, const char *description, struct gp_sources *sources, struct gp_diags *diags,
		  struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_sim_description machine;
	bool made;

	const struct gp_source *source = gp_sources_read(sources, description, LARGEST_DESCRIPTION, err);
	if (source == NULL)
		return -1;
	if (gp_sim_describe(source, arena, &machine, diags) < 0)
		return gp_fail(err, GP_E_INPUT, "%s does not describe a machine", description);
	gp_autoclose int root = open_empty(directory, &made, err);
	if (root < 0)
		return -1;
	if (make_machine(root, source, &machine, arena, err) == 0)
		return 0;
	remove_machine(root, directory, made);
	return -1;
}

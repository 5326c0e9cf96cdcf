/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nvidia_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/sim_bus.h"
#include "host/sim_fault.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define VERSION     "550.144.02"
#define PROC        "proc/driver/nvidia"
#define MDEV_BUS    "sys/class/mdev_bus"
#define VFIO_DEV    "sys/class/vfio-dev"
#define MDEV_DRIVER "bus/mdev/drivers/nvidia-vgpu-vfio"
#define TYPES       "mdev_supported_types"
#define TYPE_DIR    TYPES "/nvidia-%" PRIu32
#define FIRST_FD    20
#define NO_PARAMS   "\n"

enum {
	MODE_READ = 0444,
	MODE_READ_WRITE = 0644,
	MODE_DEVICE = 0666,
	MODE_WRITE = 0200,
	MODE_PROGRAM = 0755,
	LONGEST_PARAMS = 1024,
};

bool gp_nvidia_drives(const struct gp_sim_device *device)
{
	return device->vendor == GP_NVIDIA_VENDOR && gp_streq(device->driver, GP_NVIDIA_DRIVER);
}

bool gp_nvidia_makes_vgpus(const struct gp_sim_device *device)
{
	return gp_nvidia_drives(device) && device->vgpu_driver && device->total_vfs > 0;
}

bool gp_nvidia_is_mdev(const struct gp_sim_device *device)
{
	return gp_streq(device->framework, "mdev");
}

/* ---- which VF has which vGPU ---- */

struct vgpus {
	struct gp_sim_vgpu items[GP_NVIDIA_MOST_VGPUS];
	size_t count;
};

static void load(int root, const struct gp_sim_device *device, struct vgpus *out)
{
	char pf[GP_PCI_ADDR_SIZE];
	char *rest = NULL;
	gp_autofree char *text = gp_tree_word(root, ".sim/vgpus/%s", gp_pci_addr_format(device->addr, pf));
	*out = (struct vgpus){0};
	for (char *line = strtok_r(text, "\n", &rest); line != NULL && out->count < COUNT(out->items);
	     line = strtok_r(NULL, "\n", &rest)) {
		struct gp_sim_vgpu *vgpu = &out->items[out->count];
		char uuid[GP_UUID_SIZE];
		if (sscanf(line, "%" SCNu32 " %" SCNu32 " %36s", &vgpu->vf, &vgpu->type, uuid) != 3)
			continue;
		if (gp_uuid_parse(uuid, &vgpu->mdev) < 0)
			vgpu->mdev = (struct gp_uuid){0};
		out->count++;
	}
}

static int save(int root, const struct gp_sim_device *device, const struct vgpus *vgpus)
{
	char pf[GP_PCI_ADDR_SIZE], uuid[GP_UUID_SIZE];
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (size_t i = 0; i < vgpus->count; i++) {
		const struct gp_sim_vgpu *vgpu = &vgpus->items[i];
		gp_str_printf(&text, "%" PRIu32 " %" PRIu32 " %s\n", vgpu->vf, vgpu->type,
			      gp_uuid_is_null(vgpu->mdev) ? "-" : gp_uuid_format(vgpu->mdev, uuid));
	}
	if (gp_tree_mkdir(root, ".sim/vgpus") < 0)
		return -errno;
	return gp_tree_write(root, MODE_READ_WRITE, gp_str_text(&text), ".sim/vgpus/%s",
			     gp_pci_addr_format(device->addr, pf)) < 0
		       ? -errno
		       : 0;
}

static const struct gp_sim_vgpu *find(const struct vgpus *vgpus, uint32_t vf)
{
	for (size_t i = 0; i < vgpus->count; i++)
		if (vgpus->items[i].vf == vf)
			return &vgpus->items[i];
	return NULL;
}

static bool has_mdev(const struct vgpus *vgpus, struct gp_uuid mdev)
{
	size_t i = 0;
	while (i < vgpus->count && !gp_uuid_equal(vgpus->items[i].mdev, mdev))
		i++;
	return i < vgpus->count;
}

static void drop(struct vgpus *vgpus, uint32_t vf)
{
	size_t kept = 0;
	for (size_t i = 0; i < vgpus->count; i++)
		if (vgpus->items[i].vf != vf)
			vgpus->items[kept++] = vgpus->items[i];
	vgpus->count = kept;
}

/* All vGPUs of a GPU have one size of framebuffer: the first one decides. */
static bool fits(const struct gp_sim_board *board, const struct gp_sim_vgpu_type *type, const struct vgpus *vgpus)
{
	if (vgpus->count == 0)
		return true;
	const struct gp_sim_vgpu_type *first = gp_sim_vgpu_by_id(board, vgpus->items[0].type);
	return first != NULL && first->gib == type->gib && vgpus->count < gp_sim_vgpu_most(board, type) &&
	       vgpus->count < GP_NVIDIA_MOST_VGPUS;
}

static uint32_t index_of(const struct gp_sim_device *device, const char *vf)
{
	struct gp_pci_addr addr;
	if (gp_pci_addr_parse(vf, &addr) < 0)
		return UINT32_MAX;
	return (gp_pci_addr_rid(addr) - gp_pci_addr_rid(device->addr) - device->offset) / device->stride;
}

/* ---- what a VF shows: vendor VFIO ---- */

static void creatable_text(const struct gp_sim_board *board, const struct vgpus *vgpus, struct gp_str *out)
{
	char name[GP_SIM_WORD_SIZE];
	gp_str_add(out, "ID    : vGPU Name\n");
	for (size_t i = 0; board != NULL && i < board->type_count; i++)
		if (fits(board, &board->types[i], vgpus))
			gp_str_printf(out, "%-5" PRIu32 " : %s\n", board->types[i].id,
				      gp_sim_vgpu_name(board, &board->types[i], name));
}

/* What reading them gives is known of no VF without a vGPU but that it fails: here, nothing is in them then. */
static int show_outputs(int root, const char *vf, uint32_t type)
{
	static const char *const names[] = {"gpu_instance_id", "placement_id"};
	for (size_t i = 0; i < COUNT(names); i++)
		if (gp_tree_write(root, MODE_READ, type == 0 ? "" : "0\n", GP_BUS_DEVICES "/%s/nvidia/%s", vf,
				  names[i]) < 0)
			return -errno;
	return 0;
}

static int show_type(int root, const char *vf, uint32_t type)
{
	gp_autofree char *text = gp_xasprintf("%" PRIu32 "\n", type);
	if (gp_tree_write(root, MODE_READ_WRITE, NO_PARAMS, GP_BUS_DEVICES "/%s/nvidia/vgpu_params", vf) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, text, GP_BUS_DEVICES "/%s/nvidia/current_vgpu_type", vf) < 0)
		return -errno;
	return show_outputs(root, vf, type);
}

static int show_creatable(int root, const char *vf, const char *text)
{
	return gp_tree_write(root, MODE_READ, text, GP_BUS_DEVICES "/%s/nvidia/creatable_vgpu_types", vf) < 0 ? -errno
													      : 0;
}

/* The VF is a VFIO device though its driver is no vfio driver: it can be opened as it is. */
static int show_vfio_dev(int root, const struct gp_sim_device *device, const char *vf)
{
	char bus[GP_SIM_WORD_SIZE];
	gp_autofree char *group = gp_bus_group(root, vf);
	uint32_t number = device->minor * GP_NVIDIA_MOST_VGPUS + index_of(device, vf);
	while (gp_tree_exists(root, VFIO_DEV "/vfio%" PRIu32, number))
		number++;
	gp_autofree char *target = gp_xasprintf("../../../%s/%s/vfio-dev/vfio%" PRIu32,
						gp_sim_bus_path(device, bus) + strlen("sys/"), vf, number);
	if (gp_tree_mkdir(root, GP_BUS_DEVICES "/%s/vfio-dev/vfio%" PRIu32, vf, number) < 0 ||
	    gp_tree_mkdir(root, VFIO_DEV) < 0 || gp_tree_mkdir(root, "dev/vfio/devices") < 0 ||
	    gp_tree_link(root, target, VFIO_DEV "/vfio%" PRIu32, number) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "", "dev/vfio/devices/vfio%" PRIu32, number) < 0)
		return -errno;
	return gp_tree_write(root, MODE_READ_WRITE, "", "dev/vfio/%s", group) < 0 ? -errno : 0;
}

static void hide_vfio_dev(int root, const char *vf)
{
	gp_autofree char *group = gp_bus_group(root, vf);
	struct gp_names names = {0};
	gp_tree_names(root, &names, GP_BUS_DEVICES "/%s/vfio-dev", vf);
	for (size_t i = 0; i < names.count; i++) {
		gp_tree_remove(root, VFIO_DEV "/%s", gp_names_at(&names, i));
		gp_tree_remove(root, "dev/vfio/devices/%s", gp_names_at(&names, i));
	}
	if (names.count > 0 && group[0] != '\0')
		gp_tree_remove(root, "dev/vfio/%s", group);
	gp_names_clear(&names);
	gp_tree_remove(root, GP_BUS_DEVICES "/%s/vfio-dev", vf);
}

static int show_vendor_vfio(int root, const struct gp_sim_device *device, const char *vf, const struct vgpus *vgpus)
{
	GP_CLEANUP(gp_str_clear) struct gp_str creatable = {0};
	creatable_text(gp_sim_board_of(device), vgpus, &creatable);
	if (gp_tree_mkdir(root, GP_BUS_DEVICES "/%s/nvidia", vf) < 0)
		return -errno;
	int result = show_type(root, vf, 0);
	if (result == 0)
		result = show_creatable(root, vf, gp_str_text(&creatable));
	return result == 0 ? show_vfio_dev(root, device, vf) : result;
}

/* ---- what a VF shows: mediated devices ---- */

static int show_available(int root, const char *vf, uint32_t type, bool available)
{
	return gp_tree_write(root, MODE_READ, available ? "1\n" : "0\n",
			     GP_BUS_DEVICES "/%s/" TYPE_DIR "/available_instances", vf, type) < 0
		       ? -errno
		       : 0;
}

static int show_mdev_type(int root, const char *vf, const struct gp_sim_board *board,
			  const struct gp_sim_vgpu_type *type, bool available)
{
	char name[GP_SIM_WORD_SIZE], description[GP_SIM_VGPU_DESCRIPTION_SIZE];
	gp_autofree char *directory = gp_xasprintf(GP_BUS_DEVICES "/%s/" TYPE_DIR, vf, type->id);
	gp_autofree char *name_line = gp_xasprintf("%s\n", gp_sim_vgpu_name(board, type, name));
	gp_autofree char *description_line = gp_xasprintf("%s\n", gp_sim_vgpu_description(board, type, description));
	if (gp_tree_mkdir(root, "%s/devices", directory) < 0 ||
	    gp_tree_write(root, MODE_READ, name_line, "%s/name", directory) < 0 ||
	    gp_tree_write(root, MODE_READ, description_line, "%s/description", directory) < 0 ||
	    gp_tree_write(root, MODE_READ, "vfio-pci\n", "%s/device_api", directory) < 0 ||
	    gp_tree_write(root, MODE_WRITE, "", "%s/create", directory) < 0)
		return -errno;
	return show_available(root, vf, type->id, available);
}

static int show_mdev_parent(int root, const struct gp_sim_device *device, const char *vf, const struct vgpus *vgpus)
{
	char bus[GP_SIM_WORD_SIZE];
	const struct gp_sim_board *board = gp_sim_board_of(device);
	int result = gp_tree_mkdir(root, GP_BUS_DEVICES "/%s/" TYPES, vf) < 0 ? -errno : 0;
	for (size_t i = 0; board != NULL && i < board->type_count && result == 0; i++)
		result = show_mdev_type(root, vf, board, &board->types[i], fits(board, &board->types[i], vgpus));
	gp_autofree char *target = gp_xasprintf("../../%s/%s", gp_sim_bus_path(device, bus) + strlen("sys/"), vf);
	if (result == 0 && gp_tree_link(root, target, MDEV_BUS "/%s", vf) < 0)
		result = -errno;
	return result;
}

static int make_mdev(int root, const struct gp_sim_device *device, const char *vf, const struct gp_sim_vgpu *vgpu,
		     unsigned *next_group)
{
	char bus[GP_SIM_WORD_SIZE], uuid[GP_UUID_SIZE], group[GP_SIM_WORD_SIZE];
	gp_uuid_format(vgpu->mdev, uuid);
	gp_autofree char *directory = gp_xasprintf("%s/%s/%s", gp_sim_bus_path(device, bus), vf, uuid);
	const char *below_sys = directory + strlen("sys/");
	gp_autofree char *from_bus = gp_xasprintf("../../../%s", below_sys);
	gp_autofree char *from_group = gp_xasprintf("../../../../%s", below_sys);
	gp_autofree char *from_type = gp_xasprintf("../../../%s", uuid);
	gp_autofree char *type_link = gp_xasprintf("../" TYPE_DIR, vgpu->type);

	if (gp_bus_new_group(root, next_group, group) < 0)
		return -errno;
	gp_autofree char *group_link = gp_xasprintf("../../../../kernel/iommu_groups/%s", group);
	if (gp_tree_mkdir(root, "%s/nvidia", directory) < 0 ||
	    gp_tree_write(root, MODE_WRITE, "", "%s/remove", directory) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, NO_PARAMS, "%s/nvidia/vgpu_params", directory) < 0 ||
	    gp_tree_link(root, "../../../../bus/mdev", "%s/subsystem", directory) < 0 ||
	    gp_tree_link(root, "../../../../" MDEV_DRIVER, "%s/driver", directory) < 0 ||
	    gp_tree_link(root, type_link, "%s/mdev_type", directory) < 0 ||
	    gp_tree_link(root, group_link, "%s/iommu_group", directory) < 0 ||
	    gp_tree_link(root, from_group, GP_BUS_GROUPS "/%s/devices/%s", group, uuid) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "", "dev/vfio/%s", group) < 0 ||
	    gp_tree_link(root, from_type, GP_BUS_DEVICES "/%s/" TYPE_DIR "/devices/%s", vf, vgpu->type, uuid) < 0 ||
	    gp_tree_link(root, from_bus, GP_MDEV_DEVICES "/%s", uuid) < 0)
		return -errno;
	return 0;
}

/* Of one that is on its way out, and on a VF that is not known: among all. */
static char *search_group(int root, const char *uuid)
{
	struct gp_names groups = {0};
	char *found = gp_xstrdup("");
	gp_tree_names(root, &groups, GP_BUS_GROUPS);
	for (size_t i = 0; i < groups.count && found[0] == '\0'; i++) {
		const char *group = gp_names_at(&groups, i);
		if (!gp_tree_exists(root, GP_BUS_GROUPS "/%s/devices/%s", group, uuid))
			continue;
		free(found);
		found = gp_xstrdup(group);
	}
	gp_names_clear(&groups);
	return found;
}

char *gp_nvidia_mdev_group(int root, const char *uuid)
{
	char *group = gp_tree_link_name(root, GP_MDEV_DEVICES "/%s/iommu_group", uuid);
	return group == NULL ? search_group(root, uuid) : group;
}

/* Also of one that is on its way out. */
static char *group_on(int root, const char *vf, const char *uuid)
{
	char *group = gp_tree_link_name(root, GP_BUS_DEVICES "/%s/%s/iommu_group", vf, uuid);
	return group == NULL ? gp_xstrdup("") : group;
}

/* What goes before its driver is asked to let go (mdev_device_remove(), device_del()): nobody finds it any more. */
static void hide_mdev(int root, const char *vf, const struct gp_sim_vgpu *vgpu)
{
	char uuid[GP_UUID_SIZE];
	gp_uuid_format(vgpu->mdev, uuid);
	gp_tree_remove(root, GP_MDEV_DEVICES "/%s", uuid);
	gp_tree_remove(root, GP_BUS_DEVICES "/%s/" TYPE_DIR "/devices/%s", vf, vgpu->type, uuid);
	gp_tree_remove(root, GP_BUS_DEVICES "/%s/%s/mdev_type", vf, uuid);
	gp_tree_remove(root, GP_BUS_DEVICES "/%s/%s/remove", vf, uuid);
}

static void remove_mdev(int root, const struct gp_sim_device *device, const char *vf, const struct gp_sim_vgpu *vgpu)
{
	char bus[GP_SIM_WORD_SIZE], uuid[GP_UUID_SIZE];
	gp_uuid_format(vgpu->mdev, uuid);
	gp_autofree char *group = group_on(root, vf, uuid);
	hide_mdev(root, vf, vgpu);
	if (group[0] != '\0') {
		gp_tree_remove(root, "dev/vfio/%s", group);
		gp_tree_remove(root, GP_BUS_GROUPS "/%s", group);
	}
	gp_tree_remove(root, "%s/%s/%s", gp_sim_bus_path(device, bus), vf, uuid);
}

/* ---- what all VFs of a GPU show, when one of them changes ---- */

static int refresh_creatable(int root, const char *vf, const struct gp_sim_board *board, const struct vgpus *before,
			     const struct vgpus *now)
{
	GP_CLEANUP(gp_str_clear) struct gp_str old = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	creatable_text(board, before, &old);
	creatable_text(board, now, &text);
	if (gp_streq(gp_str_text(&old), gp_str_text(&text)) || !gp_tree_exists(root, GP_BUS_DEVICES "/%s/nvidia", vf))
		return 0;
	return show_creatable(root, vf, gp_str_text(&text));
}

static int refresh_available(int root, const char *vf, uint32_t index, const struct gp_sim_board *board,
			     const struct vgpus *before, const struct vgpus *now)
{
	int result = 0;
	if (!gp_tree_exists(root, GP_BUS_DEVICES "/%s/" TYPES, vf))
		return 0;
	for (size_t i = 0; board != NULL && i < board->type_count && result == 0; i++) {
		const struct gp_sim_vgpu_type *type = &board->types[i];
		bool was = find(before, index) == NULL && fits(board, type, before);
		bool is = find(now, index) == NULL && fits(board, type, now);
		if (was != is)
			result = show_available(root, vf, type->id, is);
	}
	return result;
}

/* Notes the vGPUs as they are now; files that change are written, the others left alone. */
static int settle(int root, const struct gp_sim_device *device, const struct vgpus *before, const struct vgpus *now)
{
	const struct gp_sim_board *board = gp_sim_board_of(device);
	char vf[GP_PCI_ADDR_SIZE];
	int result = save(root, device, now);
	for (uint32_t i = 0; i < device->total_vfs && result == 0; i++) {
		gp_pci_addr_format(gp_sim_vf_addr(device, i), vf);
		result = gp_nvidia_is_mdev(device) ? refresh_available(root, vf, i, board, before, now)
						   : refresh_creatable(root, vf, board, before, now);
	}
	return result;
}

static int add_vgpu(int root, const struct gp_sim_device *device, const struct gp_sim_vgpu *vgpu, unsigned *next_group,
		    struct vgpus *vgpus)
{
	char vf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(gp_sim_vf_addr(device, vgpu->vf), vf);
	vgpus->items[vgpus->count++] = *vgpu;
	return gp_nvidia_is_mdev(device) ? make_mdev(root, device, vf, vgpu, next_group)
					 : show_type(root, vf, vgpu->type);
}

int gp_nvidia_preset(int root, const struct gp_sim_device *device, const struct gp_sim_vgpu *vgpus, size_t count,
		     unsigned *next_group)
{
	struct vgpus before, now;
	int result = 0;
	load(root, device, &before);
	now = before;
	for (size_t i = 0; i < count && now.count < COUNT(now.items) && result == 0; i++)
		result = add_vgpu(root, device, &vgpus[i], next_group, &now);
	return result == 0 ? settle(root, device, &before, &now) : result;
}

int gp_nvidia_show_vf(int root, const struct gp_sim_device *device, const char *vf)
{
	struct vgpus vgpus;
	if (!gp_nvidia_makes_vgpus(device))
		return 0;
	load(root, device, &vgpus);
	return gp_nvidia_is_mdev(device) ? show_mdev_parent(root, device, vf, &vgpus)
					 : show_vendor_vfio(root, device, vf, &vgpus);
}

void gp_nvidia_hide_vf(int root, const struct gp_sim_device *device, const char *vf)
{
	struct vgpus before, now;
	if (!gp_nvidia_makes_vgpus(device))
		return;
	load(root, device, &before);
	now = before;
	const struct gp_sim_vgpu *vgpu = find(&before, index_of(device, vf));
	if (vgpu != NULL && gp_nvidia_is_mdev(device))
		remove_mdev(root, device, vf, vgpu);
	gp_tree_remove(root, MDEV_BUS "/%s", vf);
	gp_tree_remove(root, GP_BUS_DEVICES "/%s/" TYPES, vf);
	gp_tree_remove(root, GP_BUS_DEVICES "/%s/nvidia", vf);
	hide_vfio_dev(root, vf);
	if (vgpu == NULL)
		return;
	drop(&now, vgpu->vf);
	settle(root, device, &before, &now);
}

/* ---- attributes ---- */

/* The PF of a VF that the driver has. */
static int family(int root, const char *vf, char pf[GP_PCI_ADDR_SIZE], struct gp_sim_device *device)
{
	struct gp_pci_addr addr;
	gp_autofree char *physfn = gp_tree_link_name(root, GP_BUS_DEVICES "/%s/physfn", vf);
	if (physfn == NULL || gp_pci_addr_parse(physfn, &addr) < 0 || gp_sim_device_load(root, addr, device) < 0)
		return -1;
	gp_pci_addr_format(addr, pf);
	return gp_nvidia_makes_vgpus(device) ? 0 : -1;
}

/* Takes the last component off a path; it stands behind the end of what is left. */
static const char *take_last(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash == NULL)
		return "";
	*slash = '\0';
	return slash + 1;
}

/* Of …/VF, …/VF/UUID, …/VF/nvidia, …/VF/UUID/nvidia and …/VF/mdev_supported_types/nvidia-ID, what comes after the VF.
 */
static bool find_in_vf(const char *inner, const char *name, struct gp_nvidia_attribute *out)
{
	char uuid[GP_UUID_SIZE];
	gp_autofree char *first = gp_xasprintf("%.*s", (int)strcspn(inner, "/"), inner);
	const char *rest = inner + strlen(first);
	bool is_mdev = gp_uuid_parse(first, &out->mdev) == 0;
	if (!is_mdev)
		out->mdev = (struct gp_uuid){0};

	if (is_mdev && !gp_streq(gp_uuid_format(out->mdev, uuid), first))
		return false;
	if (gp_streq(inner, "nvidia") && gp_streq(name, "current_vgpu_type")) {
		out->kind = GP_NVIDIA_TYPE;
		out->name = "nvidia/current_vgpu_type";
	} else if (gp_streq(name, "vgpu_params") &&
		   (gp_streq(inner, "nvidia") || (is_mdev && gp_streq(rest, "/nvidia")))) {
		out->kind = GP_NVIDIA_PARAMS;
		out->name = "nvidia/vgpu_params";
	} else if (is_mdev && *rest == '\0' && gp_streq(name, "remove")) {
		out->kind = GP_NVIDIA_REMOVE;
		out->name = "remove";
	} else if (gp_streq(first, TYPES) && gp_starts_with(rest, "/nvidia-") && gp_streq(name, "create") &&
		   gp_parse_u32(rest + strlen("/nvidia-"), &out->type) == 0) {
		out->kind = GP_NVIDIA_CREATE;
		out->name = "create";
	} else {
		return false;
	}
	return true;
}

bool gp_nvidia_find_attribute(int root, const char *directory, const char *name, struct gp_nvidia_attribute *out)
{
	enum { DEEPEST = 3 };
	struct gp_sim_device device;
	struct gp_pci_addr addr;
	gp_autofree char *path = gp_xstrdup(directory);
	*out = (struct gp_nvidia_attribute){0};
	if (!gp_tree_exists(root, "%s/%s", directory, name))
		return false;
	for (unsigned i = 0; i < DEEPEST; i++) {
		const char *last = take_last(path);
		size_t inner = (size_t)(last - path) + strlen(last) + 1;
		if (gp_pci_addr_parse(last, &addr) < 0)
			continue;
		gp_pci_addr_format(addr, out->vf);
		return inner < strlen(directory) && family(root, out->vf, out->pf, &device) == 0 &&
		       find_in_vf(directory + inner, name, out);
	}
	return false;
}

/* Faults may name the VF, or the whole GPU. */
static bool has_fault(int root, const char *kind, const struct gp_nvidia_attribute *attribute)
{
	return gp_sim_fault_find(root, kind, attribute->vf, "", NULL) ||
	       gp_sim_fault_find(root, kind, attribute->pf, "", NULL);
}

/* What a guest let go of takes a while until the driver does, too. */
static bool is_settling(int root, const struct gp_nvidia_attribute *attribute, const char *device)
{
	uint64_t released = 0;
	gp_autofree char *text = gp_tree_word(root, ".sim/released/%s", device);
	uint64_t ms = gp_sim_fault_ms(root, "settle", attribute->vf, "");
	if (ms == 0)
		ms = gp_sim_fault_ms(root, "settle", attribute->pf, "");
	return ms > 0 && gp_parse_u64(text, &released) == 0 && gp_clock_unix_ms() < released + ms;
}

bool gp_nvidia_find_mdev(int root, const char *vf, struct gp_uuid *out)
{
	struct gp_sim_device device;
	struct vgpus vgpus;
	char pf[GP_PCI_ADDR_SIZE];
	if (!gp_tree_exists(root, MDEV_BUS "/%s", vf) || family(root, vf, pf, &device) < 0)
		return false;
	load(root, &device, &vgpus);
	const struct gp_sim_vgpu *vgpu = find(&vgpus, index_of(&device, vf));
	if (vgpu != NULL)
		*out = vgpu->mdev;
	return vgpu != NULL;
}

bool gp_nvidia_mdev_is_held(int root, const char *vf)
{
	char name[GP_UUID_SIZE];
	struct gp_uuid uuid;
	if (!gp_nvidia_find_mdev(root, vf, &uuid))
		return false;
	gp_autofree char *group = group_on(root, vf, gp_uuid_format(uuid, name));
	return group[0] != '\0' && gp_bus_group_is_open(root, group);
}

static int clear_type(int root, const struct gp_sim_device *device, const struct gp_nvidia_attribute *attribute,
		      const struct vgpus *before)
{
	struct vgpus now = *before;
	if (is_settling(root, attribute, attribute->vf))
		return -EPERM;
	drop(&now, index_of(device, attribute->vf));
	int result = show_type(root, attribute->vf, 0);
	return result == 0 ? settle(root, device, before, &now) : result;
}

/* A type over another one is refused like one that cannot be made now; a number that no type has is none. */
static int set_type(int root, const struct gp_sim_device *device, const struct gp_nvidia_attribute *attribute,
		    const struct vgpus *before, uint32_t id)
{
	const struct gp_sim_board *board = gp_sim_board_of(device);
	const struct gp_sim_vgpu_type *type = gp_sim_vgpu_by_id(board, id);
	const struct gp_sim_vgpu vgpu = {.vf = index_of(device, attribute->vf), .type = id};
	struct vgpus now = *before;
	if (type == NULL)
		return -EINVAL;
	if (find(before, vgpu.vf) != NULL || !fits(board, type, before))
		return -EIO;
	if (has_fault(root, "drops", attribute))
		return 0;
	int result = add_vgpu(root, device, &vgpu, NULL, &now);
	return result == 0 ? settle(root, device, before, &now) : result;
}

static int store_type(int root, const struct gp_sim_device *device, const struct gp_nvidia_attribute *attribute,
		      const struct vgpus *vgpus, const char *value)
{
	uint32_t id;
	if (gp_parse_u32(value, &id) < 0)
		return -EINVAL;
	if (gp_bus_is_held(root, attribute->vf))
		return -EPERM;
	if (id != 0)
		return set_type(root, device, attribute, vgpus, id);
	return find(vgpus, index_of(device, attribute->vf)) == NULL ? 0 : clear_type(root, device, attribute, vgpus);
}

/* "key=value,key=value" */
static bool are_params(const char *text)
{
	if (strlen(text) >= LONGEST_PARAMS)
		return false;
	for (const char *at = text;; at++) {
		size_t key = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
		size_t value = at[key] == '=' ? strcspn(at + key + 1, ",= ") : 0;
		if (key == 0 || value == 0)
			return false;
		at += key + 1 + value;
		if (*at != ',')
			return *at == '\0';
	}
}

/* The plugin reads them when the guest starts; of a VF without vGPU there is nothing to parametrize. */
static int store_params(int root, const struct gp_sim_device *device, const struct gp_nvidia_attribute *attribute,
			const struct vgpus *vgpus, const char *value)
{
	char uuid[GP_UUID_SIZE];
	bool clears = gp_streq(value, " ");
	bool is_mdev = !gp_uuid_is_null(attribute->mdev);
	if ((!clears && !are_params(value)) || find(vgpus, index_of(device, attribute->vf)) == NULL)
		return -EINVAL;
	if (gp_bus_is_held(root, attribute->vf))
		return -EPERM;
	gp_autofree char *text = gp_xasprintf("%s\n", clears ? "" : value);
	gp_autofree char *inner = is_mdev ? gp_xasprintf("%s/", gp_uuid_format(attribute->mdev, uuid)) : gp_xstrdup("");
	return gp_tree_write(root, MODE_READ_WRITE, text, GP_BUS_DEVICES "/%s/%snvidia/vgpu_params", attribute->vf,
			     inner) < 0
		       ? -errno
		       : 0;
}

static int create_mdev(int root, const struct gp_sim_device *device, const struct gp_nvidia_attribute *attribute,
		       const struct vgpus *before, const char *value, unsigned *next_group)
{
	char uuid[GP_UUID_SIZE];
	const struct gp_sim_board *board = gp_sim_board_of(device);
	const struct gp_sim_vgpu_type *type = gp_sim_vgpu_by_id(board, attribute->type);
	struct gp_sim_vgpu vgpu = {.vf = index_of(device, attribute->vf), .type = attribute->type};
	struct vgpus now = *before;
	if (type == NULL || gp_uuid_parse(value, &vgpu.mdev) < 0 || gp_uuid_is_null(vgpu.mdev))
		return -EINVAL;
	if (gp_tree_exists(root, GP_MDEV_DEVICES "/%s", gp_uuid_format(vgpu.mdev, uuid)) || has_mdev(before, vgpu.mdev))
		return -EEXIST;
	if (find(before, vgpu.vf) != NULL || !fits(board, type, before))
		return -ENOSPC;
	if (has_fault(root, "drops", attribute))
		return 0;
	int result = add_vgpu(root, device, &vgpu, next_group, &now);
	return result == 0 ? settle(root, device, before, &now) : result;
}

static int store_remove(int root, const struct gp_sim_device *device, const struct gp_nvidia_attribute *attribute,
			const struct vgpus *before, const char *value)
{
	char uuid[GP_UUID_SIZE];
	uint32_t number;
	const struct gp_sim_vgpu *vgpu = find(before, index_of(device, attribute->vf));
	struct vgpus now = *before;
	if (gp_parse_u32(value, &number) < 0)
		return -EINVAL;
	if (vgpu == NULL || !gp_uuid_equal(vgpu->mdev, attribute->mdev))
		return -ENODEV;
	if (number == 0)
		return 0;
	if (gp_nvidia_mdev_is_held(root, attribute->vf)) {
		hide_mdev(root, attribute->vf, vgpu);
		return -EAGAIN;
	}
	if (is_settling(root, attribute, gp_uuid_format(attribute->mdev, uuid)))
		return -EBUSY;
	remove_mdev(root, device, attribute->vf, vgpu);
	drop(&now, vgpu->vf);
	return settle(root, device, before, &now);
}

int gp_nvidia_store(int root, const struct gp_nvidia_attribute *attribute, const char *value, unsigned *next_group)
{
	char pf[GP_PCI_ADDR_SIZE];
	struct gp_sim_device device;
	struct vgpus vgpus;
	/* The VF may have gone while the writer waited. */
	if (family(root, attribute->vf, pf, &device) < 0)
		return -ENODEV;
	load(root, &device, &vgpus);
	switch (attribute->kind) {
	case GP_NVIDIA_TYPE:
		return store_type(root, &device, attribute, &vgpus, value);
	case GP_NVIDIA_PARAMS:
		return store_params(root, &device, attribute, &vgpus, value);
	case GP_NVIDIA_CREATE:
		return create_mdev(root, &device, attribute, &vgpus, value, next_group);
	case GP_NVIDIA_REMOVE:
		return store_remove(root, &device, attribute, &vgpus, value);
	}
	return -EINVAL;
}

const char *gp_nvidia_unready(int root, const char *vf)
{
	if (!gp_tree_exists(root, GP_BUS_DEVICES "/%s/nvidia/current_vgpu_type", vf))
		return NULL;
	gp_autofree char *type = gp_tree_word(root, GP_BUS_DEVICES "/%s/nvidia/current_vgpu_type", vf);
	return gp_streq(type, "0") ? "Input/output error" : NULL;
}

/* ---- the module, and what it shows of a GPU ---- */

int gp_nvidia_install(int root, const char *sriov_manage)
{
	GP_CLEANUP(gp_str_clear) struct gp_str config = {0};
	const char *program = (sriov_manage == NULL ? GP_SRIOV_MANAGE : sriov_manage) + 1;
	gp_autofree char *directory = gp_xasprintf("%.*s", (int)(gp_last_component(program) - program) - 1, program);
	gp_sim_vgpu_config(&config);
	if (gp_tree_mkdir(root, "usr/share/nvidia/vgpu") < 0 || gp_tree_mkdir(root, "%s", directory) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, gp_str_text(&config), GP_VGPU_CONFIG) < 0)
		return -errno;
	return gp_tree_write(root, MODE_PROGRAM, "#!/bin/sh\n# What this does, the pretend kernel does.\nexit 1\n",
			     "%s", program) < 0
		       ? -errno
		       : 0;
}

/* RmPVMRL, as the registry of the driver names it. */
static const struct {
	const char *scheduler, *value;
} schedulers[] = {{"equal-share", "0x01"}, {"fixed-share", "0x11"}};

static const char *registry_value(const struct gp_sim_device *device)
{
	for (size_t i = 0; i < COUNT(schedulers); i++)
		if (gp_streq(schedulers[i].scheduler, device->scheduler))
			return schedulers[i].value;
	return NULL;
}

/* What the module was loaded with: one value for all, or one for each GPU that differs. */
static void registry(int root, struct gp_str *all, struct gp_str *each)
{
	struct gp_names names = {0};
	const char *common = NULL;
	size_t gpus = 0, alike = 0;
	gp_tree_names(root, &names, ".sim/devices");
	for (size_t i = 0; i < names.count; i++) {
		struct gp_pci_addr addr;
		struct gp_sim_device device;
		if (gp_pci_addr_parse(gp_names_at(&names, i), &addr) < 0 ||
		    gp_sim_device_load(root, addr, &device) < 0 || !gp_nvidia_drives(&device))
			continue;
		const char *value = registry_value(&device);
		common = gpus++ == 0 ? value : common;
		alike += gp_streq(value, common) ? 1 : 0;
		if (value != NULL)
			gp_str_printf(each, "%spci=%s;RmPVMRL=%s", each->length > 0 ? ";" : "", gp_names_at(&names, i),
				      value);
	}
	gp_names_clear(&names);
	if (common == NULL || alike < gpus)
		return;
	gp_str_printf(all, "RmPVMRL=%s", common);
	gp_str_clear(each);
}

static int show_params(int root)
{
	GP_CLEANUP(gp_str_clear) struct gp_str all = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str each = {0};
	registry(root, &all, &each);
	gp_autofree char *text = gp_xasprintf("ResmanDebugLevel: 4294967295\nRmLogonRC: 1\nModifyDeviceFiles: 1\n"
					      "DeviceFileUID: 0\nDeviceFileGID: 0\nDeviceFileMode: 438\n"
					      "EnableMSI: 1\nEnableGpuFirmware: 18\nRegistryDwords: \"%s\"\n"
					      "RegistryDwordsPerDevice: \"%s\"\nRmMsg: \"\"\nGpuBlacklist: \"\"\n"
					      "ExcludedGpus: \"\"\n",
					      gp_str_text(&all), gp_str_text(&each));
	return gp_tree_write(root, MODE_READ, text, PROC "/params") < 0 ? -errno : 0;
}

int gp_nvidia_load(int root, bool mdev)
{
	static const char version[] =
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  " VERSION "  Wed Jan  8 04:21:30 UTC 2025\n"
		"GCC version:  gcc version 13.3.0 (simulated)\n";
	if (gp_tree_mkdir(root, "sys/module/nvidia") < 0 || gp_tree_mkdir(root, PROC "/gpus") < 0 ||
	    gp_tree_write(root, MODE_READ, VERSION "\n", "sys/module/nvidia/version") < 0 ||
	    gp_tree_write(root, MODE_READ, version, PROC "/version") < 0 ||
	    gp_tree_write(root, MODE_DEVICE, "", "dev/nvidiactl") < 0)
		return -errno;
	if (mdev && (gp_tree_mkdir(root, MDEV_BUS) < 0 || gp_tree_mkdir(root, GP_MDEV_DEVICES) < 0 ||
		     gp_tree_mkdir(root, "sys/" MDEV_DRIVER) < 0))
		return -errno;
	return show_params(root);
}

static int show_information(int root, const struct gp_sim_device *device, const char *pf)
{
	char uuid[GP_UUID_SIZE];
	static const struct gp_uuid space = {
		{0x47, 0x50, 0x55, 0x2d, 0x6e, 0x61, 0x4d, 0x65, 0x93, 0x70, 0x61, 0x63, 0x65, 0x2d, 0x30, 0x31}};
	const struct gp_sim_board *board = gp_sim_board_of(device);
	gp_autofree char *text = gp_xasprintf(
		"Model: \t\t NVIDIA %s\nIRQ:   \t\t %" PRIu32 "\nGPU UUID: \t GPU-%s\nVideo BIOS: \t 94.07.5d.00.01\n"
		"Bus Type: \t PCIe\nDMA Size: \t 47 bits\nDMA Mask: \t 0x7fffffffffff\nBus Location: \t %s\n"
		"Device Minor: \t %" PRIu32 "\nGPU Firmware: \t " VERSION "\nGPU Excluded:\t No\n",
		board == NULL ? "Graphics Device" : board->name, 64 + device->minor,
		gp_uuid_format(gp_uuid_from_name(space, pf), uuid), pf, device->minor);
	return gp_tree_write(root, MODE_READ, text, PROC "/gpus/%s/information", pf) < 0 ? -errno : 0;
}

int gp_nvidia_show_pf(int root, const struct gp_sim_device *device)
{
	char pf[GP_PCI_ADDR_SIZE];
	if (!gp_nvidia_drives(device))
		return 0;
	gp_pci_addr_format(device->addr, pf);
	if (gp_tree_mkdir(root, PROC "/gpus/%s", pf) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "0\n", PROC "/gpus/%s/unbindLock", pf) < 0 ||
	    gp_tree_write(root, MODE_DEVICE, "", "dev/nvidia%" PRIu32, device->minor) < 0)
		return -errno;
	return show_information(root, device, pf);
}

void gp_nvidia_hide_pf(int root, const struct gp_sim_device *device)
{
	char pf[GP_PCI_ADDR_SIZE];
	if (!gp_nvidia_drives(device))
		return;
	gp_tree_remove(root, PROC "/gpus/%s", gp_pci_addr_format(device->addr, pf));
	gp_tree_remove(root, "dev/nvidia%" PRIu32, device->minor);
}

/* ---- who has the GPU open ---- */

/* Processes that have /dev/nvidiaN open: as long as there is one, the driver cannot be made to let go of the GPU. */
static bool is_busy(int root, const struct gp_sim_device *device)
{
	struct gp_names pids = {0};
	gp_tree_names(root, &pids, ".sim/clients/%" PRIu32, device->minor);
	bool busy = pids.count > 0;
	gp_names_clear(&pids);
	return busy;
}

bool gp_nvidia_lock_unbind(int root, const struct gp_sim_device *device, bool lock)
{
	char pf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(device->addr, pf);
	if (lock && is_busy(root, device))
		return false;
	return gp_tree_write(root, MODE_READ_WRITE, lock ? "1\n" : "0\n", PROC "/gpus/%s/unbindLock", pf) == 0;
}

int gp_nvidia_open(int root, const struct gp_sim_device *device, uint64_t pid)
{
	gp_autofree char *path = gp_xasprintf("/dev/nvidia%" PRIu32, device->minor);
	if (gp_tree_mkdir(root, ".sim/clients/%" PRIu32, device->minor) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "", ".sim/clients/%" PRIu32 "/%" PRIu64, device->minor, pid) < 0 ||
	    gp_tree_link(root, "/dev/nvidiactl", "proc/%" PRIu64 "/fd/%d", pid, FIRST_FD) < 0 ||
	    gp_tree_link(root, path, "proc/%" PRIu64 "/fd/%d", pid, FIRST_FD + 1) < 0)
		return -errno;
	return 0;
}

void gp_nvidia_close(int root, uint64_t pid)
{
	struct gp_names minors = {0};
	gp_tree_names(root, &minors, ".sim/clients");
	for (size_t i = 0; i < minors.count; i++)
		gp_tree_remove(root, ".sim/clients/%s/%" PRIu64, gp_names_at(&minors, i), pid);
	gp_names_clear(&minors);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drivers/base/bus.c and drivers/pci/pci-driver.c, done to a directory: see sim_bus.h. */
#include "host/sim_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/nvidia_sim.h"
#include "host/sim_host.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NO_OVERRIDE  "(null)"
#define LEAVING      ".sim/leaving"
#define NEW_IDS      ".sim/new_id"
#define VFIO_DEVS    "sys/class/vfio-dev"

enum { MODE_READ_WRITE = 0644, MODE_WRITE = 0200 };

/* ---- devices, by the name of their directory ---- */

bool gp_bus_has(int root, const char *addr)
{
	struct gp_pci_addr parsed;
	return gp_pci_addr_parse(addr, &parsed) == 0 && gp_tree_exists(root, GP_BUS_DEVICES "/%s", addr);
}

char *gp_bus_driver(int root, const char *addr)
{
	char *driver = gp_tree_link_name(root, GP_BUS_DEVICES "/%s/driver", addr);
	return driver == NULL ? gp_xstrdup("") : driver;
}

char *gp_bus_leaving(int root, const char *addr)
{
	return gp_tree_word(root, LEAVING "/%s", addr);
}

char *gp_bus_group(int root, const char *addr)
{
	char *group = gp_tree_link_name(root, GP_BUS_DEVICES "/%s/iommu_group", addr);
	return group == NULL ? gp_xstrdup("") : group;
}

/* Of the two functions of a family: the PF's silicon, be `addr` the PF or one of its VFs. */
static int family_of(int root, const char *addr, struct gp_sim_device *out, bool *is_vf)
{
	gp_autofree char *physfn = gp_tree_link_name(root, GP_BUS_DEVICES "/%s/physfn", addr);
	struct gp_pci_addr pf;
	*is_vf = physfn != NULL;
	if (gp_pci_addr_parse(physfn == NULL ? addr : physfn, &pf) < 0)
		return -1;
	return gp_sim_device_load(root, pf, out);
}

/* How a link in a device's directory, or in a driver's, names the device: drivers and groups lie one level deeper. */
static char *device_target(const struct gp_sim_device *device, const char *addr)
{
	char bus[GP_SIM_WORD_SIZE];
	return gp_xasprintf("../../../../%s/%s", gp_sim_bus_path(device, bus) + strlen("sys/"), addr);
}

bool gp_bus_group_is_open(int root, const char *group)
{
	struct gp_names pids = {0};
	gp_tree_names(root, &pids, ".sim/open/%s", group);
	bool is_open = pids.count > 0;
	gp_names_clear(&pids);
	return is_open;
}

bool gp_bus_is_held(int root, const char *addr)
{
	gp_autofree char *bound = gp_bus_driver(root, addr);
	gp_autofree char *leaving = gp_bus_leaving(root, addr);
	gp_autofree char *group = gp_bus_group(root, addr);
	const char *driver = bound[0] != '\0' ? bound : leaving;
	bool is_vfio = gp_streq(driver, GP_BUS_VFIO) || gp_tree_exists(root, GP_BUS_DEVICES "/%s/vfio-dev", addr);
	if (is_vfio && group[0] != '\0' && gp_bus_group_is_open(root, group))
		return true;
	return gp_streq(driver, GP_NVIDIA_DRIVER) && gp_nvidia_mdev_is_held(root, addr);
}

bool gp_kernel_device_exists(int root, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	return gp_bus_has(root, gp_pci_addr_format(addr, name));
}

bool gp_kernel_device_held(int root, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	return gp_bus_is_held(root, gp_pci_addr_format(addr, name));
}

bool gp_kernel_device_is_vfio(int root, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_autofree char *driver = gp_bus_driver(root, gp_pci_addr_format(addr, name));
	return gp_streq(driver, GP_BUS_VFIO) || gp_tree_exists(root, GP_BUS_DEVICES "/%s/vfio-dev", name);
}

char *gp_kernel_device_driver(int root, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	return gp_bus_driver(root, gp_pci_addr_format(addr, name));
}

int gp_kernel_vf_owner(int root, struct gp_pci_addr addr, struct gp_pci_addr *pf)
{
	struct gp_names names = {0};
	int result = -1;
	gp_tree_names(root, &names, ".sim/devices");
	for (size_t i = 0; i < names.count && result < 0; i++) {
		struct gp_sim_device device;
		if (gp_pci_addr_parse(gp_names_at(&names, i), pf) < 0 || gp_sim_device_load(root, *pf, &device) < 0)
			continue;
		for (uint32_t vf = 0; vf < device.total_vfs && result < 0; vf++)
			if (gp_pci_addr_compare(gp_sim_vf_addr(&device, vf), addr) == 0)
				result = 0;
	}
	gp_names_clear(&names);
	return result;
}

/* ---- IOMMU groups ---- */

/* The lowest number that is free, as the kernel gives them out. */
int gp_bus_new_group(int root, unsigned *next, char name[GP_SIM_WORD_SIZE])
{
	gp_autoclose int groups = gp_open_inside(root, GP_BUS_GROUPS, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (groups < 0)
		return -1;
	for (;; (*next)++) {
		snprintf(name, GP_SIM_WORD_SIZE, "%u", *next);
		if (mkdirat(groups, name, 0755) == 0)
			break;
		if (errno != EEXIST)
			return -1;
	}
	return gp_tree_mkdir(root, GP_BUS_GROUPS "/%s/devices", name) < 0 ||
			       gp_tree_write(root, MODE_READ_WRITE, "DMA-FQ\n", GP_BUS_GROUPS "/%s/type", name) < 0
		       ? -1
		       : 0;
}

int gp_bus_join_group(int root, unsigned *next, const struct gp_sim_device *device, const char *addr)
{
	char group[GP_SIM_WORD_SIZE];
	if (gp_tree_exists(root, GP_BUS_DEVICES "/%s/iommu_group", addr) || gp_sim_host_lacks_iommu(root))
		return 0;
	gp_autofree char *target = device_target(device, addr);
	if (gp_bus_new_group(root, next, group) < 0 ||
	    gp_tree_link(root, target, GP_BUS_GROUPS "/%s/devices/%s", group, addr) < 0)
		return -1;
	gp_autofree char *link = gp_xasprintf("../../../kernel/iommu_groups/%s", group);
	return gp_tree_link(root, link, GP_BUS_DEVICES "/%s/iommu_group", addr);
}

void gp_bus_leave_group(int root, const char *addr)
{
	gp_autofree char *group = gp_bus_group(root, addr);
	if (group[0] == '\0')
		return;
	gp_tree_remove(root, "dev/vfio/%s", group);
	gp_tree_remove(root, GP_BUS_GROUPS "/%s", group);
}

/* ---- drivers ---- */

static char *override_of(int root, const char *addr)
{
	char *word = gp_tree_word(root, GP_BUS_DEVICES "/%s/driver_override", addr);
	if (gp_streq(word, NO_OVERRIDE))
		word[0] = '\0';
	return word;
}

int gp_bus_set_override(int root, const char *addr, const char *driver)
{
	gp_autofree char *text = gp_xasprintf("%s\n", driver[0] == '\0' ? NO_OVERRIDE : driver);
	return gp_tree_write(root, MODE_READ_WRITE, text, GP_BUS_DEVICES "/%s/driver_override", addr);
}

static bool driver_exists(int root, const char *driver)
{
	return driver[0] != '\0' && gp_tree_exists(root, GP_BUS_DRIVERS "/%s", driver);
}

/* ---- ids that drivers were told: those of new_id, six numbers a line in .sim/new_id/DRIVER ---- */

#define ANY_ID UINT32_MAX

struct id {
	uint32_t vendor, device, subvendor, subdevice, pci_class, class_mask;
};

/* Vendor and device are needed. The seventh number is for the driver. */
static int parse_id(const char *text, struct id *id)
{
	*id = (struct id){.subvendor = ANY_ID, .subdevice = ANY_ID};
	return sscanf(text, "%x %x %x %x %x %x", &id->vendor, &id->device, &id->subvendor, &id->subdevice,
		      &id->pci_class, &id->class_mask) < 2
		       ? -EINVAL
		       : 0;
}

/* A device, or one that new_id makes up to find out whether its driver knows it already. */
static struct id id_of(const struct gp_sim_device *device, bool is_vf)
{
	return (struct id){
		.vendor = device->vendor,
		.device = is_vf ? device->vf_device : device->device,
		.subvendor = device->subsystem_vendor,
		/* NVIDIA's VFs do not say which board they are of. */
		.subdevice = is_vf && gp_nvidia_drives(device) ? 0 : device->subsystem_device,
		.pci_class = device->pci_class,
	};
}

static bool fits(uint32_t wanted, uint32_t found)
{
	return wanted == ANY_ID || wanted == found;
}

/* pci_match_one_device() */
static bool id_matches(const struct id *id, const struct id *found)
{
	return fits(id->vendor, found->vendor) && fits(id->device, found->device) &&
	       fits(id->subvendor, found->subvendor) && fits(id->subdevice, found->subdevice) &&
	       ((id->pci_class ^ found->pci_class) & id->class_mask) == 0;
}

static bool was_told(int root, const char *driver, const struct id *found)
{
	gp_autofree char *lines = gp_tree_read(root, NULL, NEW_IDS "/%s", driver);
	char *rest = NULL;
	for (char *line = lines == NULL ? NULL : strtok_r(lines, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct id id;
		if (parse_id(line, &id) == 0 && id_matches(&id, found))
			return true;
	}
	return false;
}

/* Its own table: it drives the devices here that are described as its own. */
static bool is_in_table(int root, const char *driver, const struct id *found)
{
	struct gp_names names = {0};
	bool is_known = false;
	gp_tree_names(root, &names, ".sim/devices");
	for (size_t i = 0; i < names.count && !is_known; i++) {
		struct gp_pci_addr addr;
		struct gp_sim_device device;
		if (gp_pci_addr_parse(gp_names_at(&names, i), &addr) == 0 &&
		    gp_sim_device_load(root, addr, &device) == 0 && gp_streq(device.driver, driver))
			is_known = device.vendor == found->vendor &&
				   (device.device == found->device ||
				    (device.total_vfs > 0 && device.vf_device == found->device));
	}
	gp_names_clear(&names);
	return is_known;
}

/* driver_attach(): the driver takes every device of that kind which nobody has. */
static void attach(int root, const char *driver)
{
	struct gp_names devices = {0};
	gp_tree_names(root, &devices, GP_BUS_DEVICES);
	for (size_t i = 0; i < devices.count; i++) {
		const char *addr = gp_names_at(&devices, i);
		gp_autofree char *bound = gp_bus_driver(root, addr);
		gp_autofree char *leaving = gp_bus_leaving(root, addr);
		if (bound[0] == '\0' && leaving[0] == '\0' && gp_bus_matches(root, addr, driver) &&
		    gp_bus_may_probe(root, addr))
			gp_bus_bind(root, addr, driver);
	}
	gp_names_clear(&devices);
}

int gp_bus_add_id(int root, const char *driver, const char *value)
{
	struct id id;
	if (parse_id(value, &id) < 0)
		return -EINVAL;
	/* The device that is made up for the question has 16 bits for each. */
	const struct id asked = {.vendor = id.vendor & 0xffff,
				 .device = id.device & 0xffff,
				 .subvendor = id.subvendor & 0xffff,
				 .subdevice = id.subdevice & 0xffff,
				 .pci_class = id.pci_class};
	if (is_in_table(root, driver, &asked) || was_told(root, driver, &asked))
		return -EEXIST;
	gp_autofree char *line = gp_xasprintf("%x %x %x %x %x %x\n", id.vendor, id.device, id.subvendor, id.subdevice,
					      id.pci_class, id.class_mask);
	if (gp_tree_mkdir(root, NEW_IDS) < 0 || gp_tree_append(root, line, NEW_IDS "/%s", driver) < 0)
		return -errno;
	attach(root, driver);
	return 0;
}

static bool is_meant(const struct id *id, const struct id *removed)
{
	return id->vendor == removed->vendor && id->device == removed->device &&
	       fits(removed->subvendor, id->subvendor) && fits(removed->subdevice, id->subdevice) &&
	       ((id->pci_class ^ removed->pci_class) & removed->class_mask) == 0;
}

/* The first that fits is forgotten; who was bound by it stays. */
int gp_bus_remove_id(int root, const char *driver, const char *value)
{
	struct id removed;
	GP_CLEANUP(gp_str_clear) struct gp_str kept = {0};
	if (parse_id(value, &removed) < 0)
		return -EINVAL;
	gp_autofree char *lines = gp_tree_read(root, NULL, NEW_IDS "/%s", driver);
	bool found = false;
	char *rest = NULL;
	for (char *line = lines == NULL ? NULL : strtok_r(lines, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct id id;
		if (!found && parse_id(line, &id) == 0 && is_meant(&id, &removed))
			found = true;
		else
			gp_str_printf(&kept, "%s\n", line);
	}
	if (!found)
		return -ENODEV;
	return gp_tree_write(root, MODE_READ_WRITE, gp_str_text(&kept), NEW_IDS "/%s", driver) < 0 ? -errno : 0;
}

/* Would the bus offer this device to this driver? */
bool gp_bus_matches(int root, const char *addr, const char *driver)
{
	gp_autofree char *override = override_of(root, addr);
	struct gp_sim_device device;
	bool is_vf;
	if (override[0] != '\0')
		return gp_streq(override, driver);
	if (family_of(root, addr, &device, &is_vf) < 0)
		return false;
	const struct id found = id_of(&device, is_vf);
	return gp_streq(device.driver, driver) || was_told(root, driver, &found);
}

/* With sriov_drivers_autoprobe off, a VF is probed only by the driver that its override names. */
bool gp_bus_may_probe(int root, const char *addr)
{
	gp_autofree char *override = override_of(root, addr);
	struct gp_sim_device device;
	bool is_vf;
	if (family_of(root, addr, &device, &is_vf) < 0)
		return false;
	return !is_vf || device.autoprobe || override[0] != '\0';
}

/* Its group's node, and what it is for VFIO: VF/vfio-dev/vfio3, since Linux 6.1. */
static int show_vfio(int root, const struct gp_sim_device *device, const char *addr)
{
	char bus[GP_SIM_WORD_SIZE];
	unsigned number = 0;
	gp_autofree char *group = gp_bus_group(root, addr);
	while (gp_tree_exists(root, VFIO_DEVS "/vfio%u", number))
		number++;
	gp_autofree char *target = gp_xasprintf("../../../%s/%s/vfio-dev/vfio%u",
						gp_sim_bus_path(device, bus) + strlen("sys/"), addr, number);
	if (gp_tree_mkdir(root, GP_BUS_DEVICES "/%s/vfio-dev/vfio%u", addr, number) < 0 ||
	    gp_tree_mkdir(root, VFIO_DEVS) < 0 || gp_tree_link(root, target, VFIO_DEVS "/vfio%u", number) < 0)
		return -1;
	return group[0] == '\0' ? 0 : gp_tree_write(root, MODE_READ_WRITE, "", "dev/vfio/%s", group);
}

static void hide_vfio(int root, const char *addr)
{
	struct gp_names names = {0};
	gp_autofree char *group = gp_bus_group(root, addr);
	gp_tree_names(root, &names, GP_BUS_DEVICES "/%s/vfio-dev", addr);
	for (size_t i = 0; i < names.count; i++)
		gp_tree_remove(root, VFIO_DEVS "/%s", gp_names_at(&names, i));
	gp_names_clear(&names);
	if (gp_bus_has(root, addr))
		gp_tree_remove(root, GP_BUS_DEVICES "/%s/vfio-dev", addr);
	if (group[0] != '\0')
		gp_tree_remove(root, "dev/vfio/%s", group);
}

int gp_bus_bind(int root, const char *addr, const char *driver)
{
	struct gp_sim_device device;
	bool is_vf;
	if (family_of(root, addr, &device, &is_vf) < 0)
		return -ENODEV;
	/* NVIDIA's VFs are nothing without the driver of their PF. */
	if (is_vf && gp_nvidia_makes_vgpus(&device) && !gp_streq(driver, device.driver))
		return -EINVAL;
	gp_autofree char *target = device_target(&device, addr);
	gp_autofree char *link = gp_xasprintf("../../../bus/pci/drivers/%s", driver);
	if (gp_tree_link(root, target, GP_BUS_DRIVERS "/%s/%s", driver, addr) < 0 ||
	    gp_tree_link(root, link, GP_BUS_DEVICES "/%s/driver", addr) < 0)
		return -errno;
	if (gp_streq(driver, GP_BUS_VFIO) && show_vfio(root, &device, addr) < 0)
		return -errno;
	if (!is_vf && gp_sim_show_driver(root, &device, driver) < 0)
		return -errno;
	if (!gp_streq(driver, GP_NVIDIA_DRIVER))
		return 0;
	return is_vf ? gp_nvidia_show_vf(root, &device, addr) : gp_nvidia_show_pf(root, &device);
}

static void hide_driver(int root, const char *addr, const char *driver)
{
	struct gp_sim_device device;
	bool is_vf;
	if (family_of(root, addr, &device, &is_vf) < 0)
		return;
	if (is_vf && gp_streq(driver, GP_NVIDIA_DRIVER))
		gp_nvidia_hide_vf(root, &device, addr);
	if (is_vf)
		return;
	gp_sim_show_driver(root, &device, "");
	if (gp_streq(driver, GP_NVIDIA_DRIVER))
		gp_nvidia_hide_pf(root, &device);
}

void gp_bus_begin_unbind(int root, const char *addr)
{
	gp_autofree char *driver = gp_bus_driver(root, addr);
	if (driver[0] == '\0')
		return;
	gp_autofree char *line = gp_xasprintf("%s\n", driver);
	if (gp_tree_mkdir(root, LEAVING) == 0)
		gp_tree_write(root, MODE_READ_WRITE, line, LEAVING "/%s", addr);
	gp_tree_remove(root, GP_BUS_DEVICES "/%s/driver", addr);
	gp_tree_remove(root, GP_BUS_DRIVERS "/%s/%s", driver, addr);
}

/* Leaves the device without a driver, whoever holds it. */
void gp_bus_unbind(int root, const char *addr)
{
	gp_bus_begin_unbind(root, addr);
	gp_autofree char *driver = gp_bus_leaving(root, addr);
	if (driver[0] == '\0')
		return;
	if (gp_streq(driver, GP_BUS_VFIO))
		hide_vfio(root, addr);
	hide_driver(root, addr, driver);
	gp_tree_remove(root, LEAVING "/%s", addr);
}

/* Offers a device without a driver to those that match. */
int gp_bus_probe(int root, const char *addr)
{
	gp_autofree char *bound = gp_bus_driver(root, addr);
	gp_autofree char *leaving = gp_bus_leaving(root, addr);
	gp_autofree char *override = override_of(root, addr);
	if (bound[0] != '\0' || leaving[0] != '\0' || !gp_bus_may_probe(root, addr))
		return 0;
	int result = 0;
	/* That a driver does not take it after all is nothing that who asks is told. */
	if (override[0] != '\0') {
		result = driver_exists(root, override) ? gp_bus_bind(root, addr, override) : 0;
		return result == -EINVAL ? 0 : result;
	}

	struct gp_names drivers = {0};
	gp_tree_names(root, &drivers, GP_BUS_DRIVERS);
	for (size_t i = 0; i < drivers.count; i++)
		if (gp_bus_matches(root, addr, gp_names_at(&drivers, i))) {
			result = gp_bus_bind(root, addr, gp_names_at(&drivers, i));
			break;
		}
	gp_names_clear(&drivers);
	return result == -EINVAL ? 0 : result;
}

int gp_bus_load_driver(int root, const char *driver)
{
	static const char *const files[] = {"bind", "unbind", "new_id", "remove_id"};
	if (driver[0] == '\0' || driver_exists(root, driver))
		return 0;
	if (gp_tree_mkdir(root, GP_BUS_DRIVERS "/%s", driver) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(files); i++)
		if (gp_tree_write(root, MODE_WRITE, "", GP_BUS_DRIVERS "/%s/%s", driver, files[i]) < 0)
			return -1;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the attribute of a device lies. Names come from plans and vendors, so that each part is looked at. */
#include <ctype.h>
#include <string.h>

#include "host/host_internal.h"

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || strchr("_-+:.@", c) != NULL;
}

/* One component: letters, digits and a few signs; neither "." nor "..". */
static bool is_component(const char *text, size_t length)
{
	if (length == 0 || (text[0] == '.' && (length == 1 || (length == 2 && text[1] == '.'))))
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0' || !is_name_char(text[i]))
			return false;
	return true;
}

static bool is_relative_path(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");
		if (!is_component(path, length))
			return false;
		if (path[length] == '\0')
			return true;
		path += length + 1;
	}
}

static bool is_pci_device(const char *device)
{
	struct gp_pci_addr addr;
	char text[GP_PCI_ADDR_SIZE];
	return gp_pci_addr_parse(device, &addr) == 0 && strcmp(gp_pci_addr_format(addr, text), device) == 0;
}

static bool is_mdev_device(const char *device)
{
	struct gp_uuid uuid;
	char text[GP_UUID_SIZE];
	return gp_uuid_parse(device, &uuid) == 0 && strcmp(gp_uuid_format(uuid, text), device) == 0;
}

static bool is_plain_name(const char *device)
{
	return is_component(device, strlen(device));
}

static const struct base_row {
	const char *directory; /* NULL: no attribute lies there */
	bool (*is_device)(const char *device);
} bases[GP_STEP_BASE_COUNT] = {
	[GP_BASE_PCI] = {"sys/bus/pci/devices", is_pci_device},
	[GP_BASE_MDEV] = {"sys/bus/mdev/devices", is_mdev_device},
	[GP_BASE_DRM] = {"sys/class/drm", is_plain_name},
	[GP_BASE_NVIDIA_PROC] = {"proc/driver/nvidia/gpus", is_pci_device},
	[GP_BASE_DEBUGFS] = {"sys/kernel/debug/dri", is_plain_name},
	[GP_BASE_MODPROBE] = {NULL, NULL}, /* a file of settings, not an attribute */
	[GP_BASE_DOMAIN] = {NULL, NULL},
};

int gp_host_attribute_path(enum gp_step_base base, const char *device, const char *attribute, struct gp_str *path,
			   struct gp_error *err)
{
	if ((unsigned)base >= GP_STEP_BASE_COUNT || bases[base].directory == NULL)
		return gp_fail(err, GP_E_INTERNAL, "there are no attributes to write in this place");
	if (device == NULL || !bases[base].is_device(device))
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no name of a device under /%s",
			       device != NULL ? device : "", bases[base].directory);
	if (attribute == NULL || !is_relative_path(attribute)) {
		gp_fail(err, GP_E_INTERNAL, "'%s' is no name of an attribute", attribute != NULL ? attribute : "");
		return gp_error_subject(err, "%s", device);
	}
	gp_str_printf(path, "%s/%s/%s", bases[base].directory, device, attribute);
	return 0;
}

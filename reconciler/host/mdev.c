/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mediated devices: sys/bus/mdev/devices/UUID leads to a directory of that name below the PCI device that it was made
 * on, and its mdev_type to the type of that device that it was made as.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "host/host_internal.h"

#define MDEV_DEVICES "sys/bus/mdev/devices"
enum { PATH_SIZE = 128, LINK_SIZE = 1024 };

static bool take_parent(char *target, struct gp_pci_addr *parent)
{
	char *last = strrchr(target, '/');
	if (last == NULL)
		return false;
	*last = '\0';
	return gp_pci_addr_parse(gp_last_component(target), parent) == 0;
}

static ssize_t read_link_of(struct gp_host *host, const char *uuid, const char *name, char *target, size_t size)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), MDEV_DEVICES "/%s%s", uuid, name);
	return gp_readlink_inside(host->root_fd, path, target, size, GP_INSIDE_ROOT);
}

static int fail_unreadable(struct gp_error *err, int sys, const char *uuid)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), MDEV_DEVICES "/%s", uuid);
	return gp_host_fail_path(err, sys, path, "read");
}

int gp_host_find_mdev(struct gp_host *host, struct gp_uuid uuid, struct gp_mdev *out, struct gp_error *err)
{
	char text[GP_UUID_SIZE], target[LINK_SIZE];
	*out = (struct gp_mdev){.uuid = uuid};
	gp_uuid_format(uuid, text);
	if (read_link_of(host, text, "", target, sizeof(target)) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail_unreadable(err, errno, text);
	if (!take_parent(target, &out->parent))
		return fail_unreadable(err, EINVAL, text);
	if (read_link_of(host, text, "/mdev_type", target, sizeof(target)) < 0)
		/* Removed between the two looks. */
		return errno == ENOENT ? 0 : fail_unreadable(err, errno, text);
	snprintf(out->type, sizeof(out->type), "%s", gp_last_component(target));
	return 1;
}

int gp_mdev_list(struct gp_host *host, struct gp_names *names)
{
	int fd = gp_open_inside(host->root_fd, MDEV_DEVICES, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	return gp_names_read(fd, names);
}

bool gp_mdev_iommu_group(struct gp_host *host, const char *uuid, uint32_t *group)
{
	char target[LINK_SIZE];
	return read_link_of(host, uuid, "/iommu_group", target, sizeof(target)) > 0 &&
	       gp_parse_u32(gp_last_component(target), group) == 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mediated devices: sys/bus/mdev/devices/UUID leads to a directory of that name below the device that it was made on,
 * and its mdev_type to the type of that device that it was made as. Ours are made on PCI devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "host/host_internal.h"

#define MDEV_DEVICES "sys/bus/mdev/devices"
enum { PATH_SIZE = 128, LINK_SIZE = 1024 };

/* False: it lies below nothing. */
static bool take_parent(char *target, struct gp_mdev *out)
{
	char *last = strrchr(target, '/');
	if (last == NULL)
		return false;
	*last = '\0';
	out->foreign = gp_pci_addr_parse(gp_last_component(target), &out->parent) < 0;
	return true;
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
	if (!take_parent(target, out))
		return fail_unreadable(err, EINVAL, text);
	if (out->foreign)
		return 1;
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

bool gp_mdev_iommu_group_on(struct gp_host *host, int siblings, const char *vf, const char *uuid, uint32_t *group)
{
	char target[LINK_SIZE], name[PATH_SIZE];
	snprintf(name, sizeof(name), "%s/iommu_group", uuid);
	return gp_pci_read_vf_link(host, siblings, vf, name, target, sizeof(target)) &&
	       gp_parse_u32(gp_last_component(target), group) == 0;
}

/* ---- all of them ---- */

/* "../../../devices/pci0000:41/0000:41:00.4/UUID" leads there from the root without another link on the way. */
static bool read_type_at(struct gp_host *host, const char *link, char *target, size_t size)
{
	char path[LINK_SIZE + PATH_SIZE];
	if (!gp_starts_with(link, "../../../devices/"))
		return false;
	snprintf(path, sizeof(path), "sys/%s/mdev_type", link + strlen("../../../"));
	return gp_readlink_inside(host->root_fd, path, target, size, GP_INSIDE_PLAIN) > 0;
}

static int read_mdev_in(struct gp_host *host, int directory, const char *name, struct gp_mdev *out,
			struct gp_error *err)
{
	char link[LINK_SIZE], target[LINK_SIZE];
	if (gp_uuid_parse(name, &out->uuid) < 0)
		return 0;
	if (gp_readlink_inside(directory, name, link, sizeof(link), GP_INSIDE_PLAIN) < 0 ||
	    !read_type_at(host, link, target, sizeof(target)))
		return gp_host_find_mdev(host, out->uuid, out, err); /* the long way round, and its words */
	if (!take_parent(link, out))
		return fail_unreadable(err, EINVAL, name);
	snprintf(out->type, sizeof(out->type), "%s", gp_last_component(target));
	return 1;
}

int gp_host_each_mdev(struct gp_host *host, void (*each)(void *context, const struct gp_mdev *mdev), void *context,
		      struct gp_error *err)
{
	GP_CLEANUP(gp_names_clear) struct gp_names names = {0};
	gp_autoclose int directory =
		gp_open_inside(host->root_fd, MDEV_DEVICES, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (directory < 0)
		return errno == ENOENT ? 0 : gp_host_fail_path(err, errno, MDEV_DEVICES, "read");
	if (gp_mdev_list(host, &names) < 0)
		return gp_host_fail_path(err, errno, MDEV_DEVICES, "read");
	for (size_t i = 0; i < names.count; i++) {
		struct gp_mdev mdev = {0};
		int found = read_mdev_in(host, directory, gp_names_at(&names, i), &mdev, err);
		if (found < 0)
			return -1;
		if (found > 0 && !mdev.foreign)
			each(context, &mdev);
	}
	return 0;
}

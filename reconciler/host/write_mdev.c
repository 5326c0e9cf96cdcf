/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mediated devices. The kernel's answer to a write of `create` or `remove` says little: what counts is whether the
 * device is there afterwards, and what it is.
 */
#include <errno.h>
#include <string.h>

#include "host/host_internal.h"
#include "host/write_change.h"

#define TYPES  "mdev_supported_types/"
#define CREATE "/create"

bool gp_write_makes_mdev(const struct gp_write_request *request)
{
	return request->base == GP_BASE_PCI && request->attribute != NULL &&
	       gp_starts_with(request->attribute, TYPES) &&
	       strcmp(gp_last_component(request->attribute), "create") == 0;
}

bool gp_write_removes_mdev(const struct gp_write_request *request)
{
	return request->base == GP_BASE_MDEV && gp_streq(request->attribute, "remove");
}

/* ---- making ---- */

/* What is to be there in the end. */
static int wanted_mdev(const struct gp_write_request *request, struct gp_mdev *out, struct gp_error *err)
{
	*out = (struct gp_mdev){0};
	const char *type = request->attribute + strlen(TYPES);
	size_t length = strcspn(type, "/");
	if (strcmp(type + length, CREATE) != 0 || length == 0 || length >= sizeof(out->type))
		return gp_fail(err, GP_E_INTERNAL, "'%s' makes no mediated device", request->attribute);
	memcpy(out->type, type, length);
	if (request->after == NULL || gp_uuid_parse(request->after, &out->uuid) < 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' names no mediated device",
			       request->after != NULL ? request->after : "");
	if (gp_pci_addr_parse(request->device, &out->parent) < 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no VF", request->device);
	return 0;
}

static int fail_elsewhere(const struct gp_mdev *found, struct gp_error *err)
{
	char name[GP_UUID_SIZE], parent[GP_PCI_ADDR_SIZE];
	gp_fail(err, GP_E_BUSY, "a mediated device of this name is there already, as %s of %s", found->type,
		gp_pci_addr_format(found->parent, parent));
	return gp_error_remedy(err, "plan again; when nobody needs it: echo 1 > /sys/bus/mdev/devices/%s/remove",
			       gp_uuid_format(found->uuid, name));
}

/* 1: it is there, as wanted; 0: there is none; -1: it is something else, or that cannot be told. */
static int look_for(const struct gp_write *write, const struct gp_mdev *wanted, struct gp_error *err)
{
	struct gp_mdev found;
	int there = gp_host_find_mdev(write->host, wanted->uuid, &found, err);
	if (there <= 0)
		return there;
	bool same = gp_pci_addr_compare(found.parent, wanted->parent) == 0 && strcmp(found.type, wanted->type) == 0;
	return same ? 1 : fail_elsewhere(&found, err);
}

int gp_write_make_mdev(const struct gp_write *write, const char *path, bool *settles, struct gp_error *err)
{
	struct gp_mdev wanted;
	char name[GP_UUID_SIZE];
	if (wanted_mdev(write->request, &wanted, err) < 0)
		return -1;
	int there = look_for(write, &wanted, err);
	if (there != 0)
		return there < 0 ? -1 : 0;
	if (gp_write_check_guard(write, err) < 0)
		return -1;
	int sys = gp_write_value(write->host, path, gp_uuid_format(wanted.uuid, name));
	there = look_for(write, &wanted, err);
	if (there != 0)
		return there < 0 ? -1 : 0;
	*settles = gp_write_may_settle(write, sys);
	if (sys == ENOENT)
		return gp_fail(err, GP_E_NOT_FOUND, "the driver does not offer %s on this VF", wanted.type);
	if (sys != 0)
		return gp_fail_errno(err, sys, "%s cannot be made", wanted.type);
	return gp_fail(err, GP_E_VERIFY, "the kernel reports success, but there is no mediated device %s", name);
}

/* ---- removing ---- */

/* Some drivers remove it by themselves when its VM has ended, and then say no to whoever was about to. */
int gp_write_remove_mdev(const struct gp_write *write, const char *path, bool *settles, struct gp_error *err)
{
	struct gp_mdev found;
	struct gp_uuid uuid;
	if (gp_uuid_parse(write->request->device, &uuid) < 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no mediated device", write->request->device);
	int there = gp_host_find_mdev(write->host, uuid, &found, err);
	if (there <= 0)
		return there;
	if (gp_write_check_guard(write, err) < 0)
		return -1;
	int sys = gp_write_value(write->host, path, "1");
	there = gp_host_find_mdev(write->host, uuid, &found, err);
	if (there <= 0)
		return there;
	*settles = sys == 0 || gp_write_may_settle(write, sys);
	if (sys != 0)
		return gp_fail_errno(err, sys, "it cannot be removed");
	return gp_fail(err, GP_E_VERIFY, "the kernel reports success, but the mediated device is still there");
}

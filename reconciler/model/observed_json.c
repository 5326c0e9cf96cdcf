/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot for machines. Every fact is in it, so that a plan can be made of it elsewhere: numbers as numbers, PCI ids
 * as four hex digits, sizes in bytes, shares in millionths, what is not known as null.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "model/names.h"

static void put(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void put_text(struct json_object *object, const char *key, const char *text)
{
	put(object, key, text == NULL ? NULL : json_object_new_string(text));
}

static void put_bool(struct json_object *object, const char *key, bool value)
{
	put(object, key, json_object_new_boolean(value));
}

static void put_number(struct json_object *object, const char *key, uint64_t value)
{
	put(object, key, json_object_new_uint64(value));
}

static void put_number_if(struct json_object *object, const char *key, bool known, uint64_t value)
{
	put(object, key, known ? json_object_new_uint64(value) : NULL);
}

static void put_hex(struct json_object *object, const char *key, uint32_t value, int digits)
{
	char text[16];
	snprintf(text, sizeof(text), "%0*" PRIx32, digits, value);
	put_text(object, key, text);
}

static void put_addr(struct json_object *object, const char *key, struct gp_pci_addr addr)
{
	char text[GP_PCI_ADDR_SIZE];
	put_text(object, key, gp_pci_addr_format(addr, text));
}

static void put_uuid(struct json_object *object, const char *key, struct gp_uuid uuid)
{
	char text[GP_UUID_SIZE];
	put_text(object, key, gp_uuid_format(uuid, text));
}

static void put_uuid_if(struct json_object *object, const char *key, bool known, struct gp_uuid uuid)
{
	if (known)
		put_uuid(object, key, uuid);
	else
		put(object, key, NULL);
}

/* "9.3.2" */
static void put_version(struct json_object *object, const char *key, uint32_t version)
{
	char text[GP_VERSION_SIZE];
	put_text(object, key, version == 0 ? NULL : gp_version_format(version, text));
}

/* ---- what a partition has ---- */

static struct json_object *offer_json(const struct gp_offer *offer)
{
	struct json_object *object = json_object_new_object();
	put_text(object, "hold", gp_hold_name(offer->hold));
	if (offer->has_bytes)
		put_number(object, "bytes", offer->bytes);
	if (offer->has_share)
		put_number(object, "share_ppm", offer->share);
	if (offer->has_engines)
		put_number(object, "engines", offer->engines);
	return object;
}

static struct json_object *offers_json(const struct gp_offer offers[GP_RESOURCE_COUNT])
{
	struct json_object *object = json_object_new_object();
	for (int i = 0; i < GP_RESOURCE_COUNT; i++)
		put(object, gp_resource_name((enum gp_resource)i), offer_json(&offers[i]));
	return object;
}

static struct json_object *group_json(const struct gp_layout_group *group)
{
	struct json_object *object = json_object_new_object();
	put_number(object, "count", group->count);
	put_text(object, "profile", group->profile);
	put_number_if(object, "profile_id", group->profile_id != 0, group->profile_id);
	put_text(object, "series", group->series);
	put_number_if(object, "most", group->profile != NULL, group->most);
	put(object, "alone", group->profile == NULL ? NULL : json_object_new_boolean(group->alone));
	put(object, "offers", offers_json(group->offers));
	return object;
}

static struct json_object *layout_json(const struct gp_layout *layout)
{
	struct json_object *object = json_object_new_object();
	struct json_object *groups = json_object_new_array();
	put_number(object, "count", layout->count);
	for (size_t i = 0; i < layout->group_count; i++)
		json_object_array_add(groups, group_json(&layout->groups[i]));
	put(object, "groups", groups);
	return object;
}

/* ---- partitions ---- */

static struct json_object *holder_json(const struct gp_holder *holder)
{
	struct json_object *object = json_object_new_object();
	put_text(object, "kind", gp_holder_kind_name(holder->kind));
	put_text(object, "name", holder->name);
	if (holder->kind == GP_HOLDER_VFIO || holder->kind == GP_HOLDER_CLIENT)
		put_number(object, "pid", holder->pid);
	if (holder->kind == GP_HOLDER_DOMAIN_LIVE || holder->kind == GP_HOLDER_DOMAIN_CONFIG)
		put_number(object, "hostdev", holder->hostdev);
	return object;
}

static struct json_object *holders_json(const struct gp_holder *holders, size_t count)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, holder_json(&holders[i]));
	return array;
}

static struct json_object *partition_json(const struct gp_partition *partition)
{
	struct json_object *object = json_object_new_object();
	put_number(object, "index", partition->index);
	put_addr(object, "address", partition->addr);
	put_text(object, "driver", partition->driver);
	put_number_if(object, "iommu_group", partition->iommu_group_known, partition->iommu_group);
	put_text(object, "profile", partition->profile);
	put_number_if(object, "profile_id", partition->profile_id != 0, partition->profile_id);
	put_bool(object, "blank", partition->blank);
	put_uuid_if(object, "mdev", partition->has_mdev, partition->mdev);
	put_text(object, "params", partition->params);
	put_text(object, "unusable_why", partition->unusable_why);
	put(object, "offers", offers_json(partition->offers));
	put(object, "holders", holders_json(partition->holders, partition->holder_count));
	return object;
}

/* ---- GPUs ---- */

static void put_identity(struct json_object *object, const struct gp_gpu *gpu)
{
	put_addr(object, "address", gpu->addr);
	put_hex(object, "vendor", gpu->vendor, 4);
	put_hex(object, "device", gpu->device, 4);
	put_hex(object, "subsystem_vendor", gpu->subsystem_vendor, 4);
	put_hex(object, "subsystem_device", gpu->subsystem_device, 4);
	put_hex(object, "class", gpu->pci_class, 6);
	put_text(object, "vendor_name", gpu->vendor_name);
	put_text(object, "model", gpu->model);
	put_text(object, "driver", gpu->driver);
	put_text(object, "slot", gpu->slot);
	put(object, "numa_node", gpu->numa_node < 0 ? NULL : json_object_new_int(gpu->numa_node));
	put_bool(object, "named_only", gpu->named_only);
}

static void put_fitness(struct json_object *object, const struct gp_gpu *gpu)
{
	put_text(object, "backend", gpu->backend_name);
	put_text(object, "unfit", gpu->unfit == GP_FIT ? NULL : gp_unfit_name(gpu->unfit));
	put_text(object, "unfit_why", gpu->unfit_why);
	put_text(object, "unfit_remedy", gpu->unfit_remedy);
	put_bool(object, "busy", gpu->busy);
	put_text(object, "busy_by", gpu->busy_by);
}

static struct json_object *sriov_json(const struct gp_gpu *gpu)
{
	struct json_object *object = json_object_new_object();
	put_bool(object, "present", gpu->sriov);
	put_number(object, "total_vfs", gpu->total_vfs);
	put_number(object, "num_vfs", gpu->num_vfs);
	put_bool(object, "capability_known", gpu->capability_known);
	put(object, "vf_enable", gpu->capability_known ? json_object_new_boolean(gpu->vf_enable) : NULL);
	put_number_if(object, "capability_num_vfs", gpu->capability_known, gpu->cap_num_vfs);
	put_number(object, "vf_offset", gpu->vf_offset);
	put_number(object, "vf_stride", gpu->vf_stride);
	put(object, "drivers_autoprobe", gpu->autoprobe_known ? json_object_new_boolean(gpu->autoprobe) : NULL);
	return object;
}

/* What the vendor's driver tells, and what it needs. */
static struct json_object *vendor_json(const struct gp_gpu *gpu)
{
	struct json_object *object = json_object_new_object();
	put_text(object, "driver_version", gpu->driver_version);
	put_text(object, "framework", gpu->framework);
	put_bool(object, "framework_expected", gpu->framework_expected);
	put_text(object, "series", gpu->series);
	put_text(object, "scheduler", gpu->scheduler);
	put_version(object, "libvirt_min", gpu->libvirt_min);
	put_text(object, "libvirt_why", gpu->libvirt_why);
	put_text(object, "not_creatable", gpu->not_creatable);
	put(object, "clients", holders_json(gpu->clients, gpu->client_count));
	return object;
}

static struct json_object *gpu_json(const struct gp_gpu *gpu)
{
	struct json_object *object = json_object_new_object();
	struct json_object *layouts = json_object_new_array();
	struct json_object *partitions = json_object_new_array();
	put_identity(object, gpu);
	put_fitness(object, gpu);
	put(object, "sriov", sriov_json(gpu));
	put_number_if(object, "vram_bytes", gpu->vram_bytes != 0, gpu->vram_bytes);
	put_text(object, "vram_source", gpu->vram_source);
	put_number(object, "count", gpu->count);
	put(object, "vendor_driver", vendor_json(gpu));
	for (size_t i = 0; i < gpu->layout_count; i++)
		json_object_array_add(layouts, layout_json(&gpu->layouts[i]));
	put(object, "layouts", layouts);
	for (size_t i = 0; i < gpu->partition_count; i++)
		json_object_array_add(partitions, partition_json(&gpu->partitions[i]));
	put(object, "partitions", partitions);
	return object;
}

/* ---- domains ---- */

/* The partition is named by PF and index: indices into arrays mean nothing to a reader. */
static void put_resolved(struct json_object *object, const struct gp_hostdev *hostdev,
			 const struct gp_observed *observed)
{
	char text[GP_VF_REF_SIZE];
	bool resolved = hostdev->resolved && hostdev->gpu < observed->gpu_count;
	struct gp_vf_ref vf = {.index = hostdev->vf};
	if (resolved)
		vf.pf = observed->gpus[hostdev->gpu].addr;
	put_text(object, "partition", resolved ? gp_vf_ref_format(vf, text) : NULL);
}

static struct json_object *hostdev_json(const struct gp_hostdev *hostdev, const struct gp_observed *observed)
{
	struct json_object *object = json_object_new_object();
	put_text(object, "type", gp_hostdev_type_name(hostdev->type));
	if (hostdev->type == GP_HOSTDEV_MDEV)
		put_uuid(object, "source", hostdev->mdev);
	else
		put_addr(object, "source", hostdev->source);
	put_bool(object, "managed", hostdev->managed);
	put_bool(object, "display", hostdev->display);
	put_bool(object, "ramfb", hostdev->ramfb);
	put_bool(object, "elsewhere", hostdev->elsewhere);
	put_text(object, "alias", hostdev->alias);
	put_bool(object, "ours", hostdev->ours);
	put_text(object, "guest_xml", hostdev->guest_xml);
	put_resolved(object, hostdev, observed);
	return object;
}

static struct json_object *hostdevs_json(const struct gp_hostdev *hostdevs, size_t count,
					 const struct gp_observed *observed)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, hostdev_json(&hostdevs[i], observed));
	return array;
}

static struct json_object *domain_json(const struct gp_domain *domain, const struct gp_observed *observed)
{
	struct json_object *object = json_object_new_object();
	put_uuid(object, "uuid", domain->uuid);
	put_text(object, "name", domain->name);
	put_text(object, "state", gp_domain_state_name(domain->state));
	put_bool(object, "persistent", domain->persistent);
	put_bool(object, "autostart", domain->autostart);
	put_bool(object, "managed_save", domain->managed_save);
	put_text(object, "external", domain->external);
	put_bool(object, "to_start", domain->to_start);
	put_number_if(object, "running_ms", domain->running_ms != 0, domain->running_ms);
	put_bool(object, "config_known", domain->config_known);
	put_bool(object, "live_known", domain->live_known);
	put_text(object, "unknown_why", domain->unknown_why);
	put(object, "config", hostdevs_json(domain->config, domain->config_count, observed));
	put(object, "live", hostdevs_json(domain->live, domain->live_count, observed));
	put(object, "places", hostdevs_json(domain->places, domain->place_count, observed));
	return object;
}

/* ---- the whole ---- */

static struct json_object *source_state_json(const struct gp_source_state *state)
{
	struct json_object *object = json_object_new_object();
	put_bool(object, "known", state->known);
	put_text(object, "why", state->why);
	return object;
}

static struct json_object *hypervisor_json(const struct gp_hypervisor *hypervisor)
{
	struct json_object *object = json_object_new_object();
	put_version(object, "libvirt", hypervisor->version);
	put_version(object, "qemu", hypervisor->emulator);
	return object;
}

struct json_object *gp_observed_to_json(const struct gp_observed *observed)
{
	struct json_object *object = json_object_new_object();
	struct json_object *gpus = json_object_new_array();
	struct json_object *domains = json_object_new_array();
	put_text(object, "format_version", "1.0");
	put_text(object, "kind", "observation");
	put_text(object, "hostname", observed->hostname);
	put_text(object, "host_kind", gp_host_kind_name(observed->kind));
	put_text(object, "root", observed->root);
	put(object, "domains_state", source_state_json(&observed->domains_state));
	put(object, "hypervisor", hypervisor_json(&observed->hypervisor));
	put(object, "vfio_state", source_state_json(&observed->vfio_state));
	for (size_t i = 0; i < observed->gpu_count; i++)
		json_object_array_add(gpus, gpu_json(&observed->gpus[i]));
	put(object, "gpus", gpus);
	for (size_t i = 0; i < observed->domain_count; i++)
		json_object_array_add(domains, domain_json(&observed->domains[i], observed));
	put(object, "domains", domains);
	return object;
}

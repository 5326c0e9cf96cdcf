/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every fact of `gpus` for machines. Names once given stay; what is not known is null. */
#include <json-c/json.h>

#include "cli/gpus.h"
#include "model/names.h"

static void put(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void put_text(struct json_object *object, const char *key, const char *text)
{
	put(object, key, text ? json_object_new_string(text) : NULL);
}

static void put_number(struct json_object *object, const char *key, bool known, uint64_t value)
{
	put(object, key, known ? json_object_new_uint64(value) : NULL);
}

static struct json_object *resources_to_json(const struct gp_gpu_facts *facts)
{
	struct json_object *resources = json_object_new_object();

	for (int r = 0; r < GP_RESOURCE_COUNT; r++) {
		const struct gp_gpu_resource *resource = &facts->resources[r];
		struct json_object *item = json_object_new_object();

		put_text(item, "unit", resource->in_bytes ? "bytes" : "ppm");
		put_number(item, "total", resource->total_known, resource->total);
		put_number(item, "available", resource->available_known, resource->available);
		put_number(item, "per_partition", resource->each_known, resource->each);
		put_text(item, "hold", gp_hold_name(resource->hold));
		put(resources, gp_resource_name((enum gp_resource)r), item);
	}
	return resources;
}

static struct json_object *counts_to_json(const struct gp_gpu *gpu)
{
	struct json_object *valid = json_object_new_array();

	json_object_array_add(valid, json_object_new_int(0));
	for (size_t i = 0; i < gpu->layout_count; i++)
		if (gp_layout_is_first(gpu, i))
			json_object_array_add(valid, json_object_new_uint64(gpu->layouts[i].count));
	return valid;
}

/* What each profile that the GPU can have is; GPUs without profiles have none. */
static struct json_object *profiles_to_json(const struct gp_gpu *gpu)
{
	struct json_object *profiles = json_object_new_array();

	for (size_t i = 0; i < gpu->layout_count; i++)
		for (size_t g = 0; g < gpu->layouts[i].group_count; g++) {
			const struct gp_layout_group *group = &gpu->layouts[i].groups[g];
			const struct gp_offer *vram = &group->offers[GP_VRAM];
			struct json_object *item;

			if (!group->profile)
				continue;
			item = json_object_new_object();
			put_text(item, "profile", group->profile);
			put_number(item, "id", group->profile_id != 0, group->profile_id);
			put_text(item, "series", group->series);
			put_number(item, "max_count", true, group->most);
			put_number(item, "vram_bytes", vram->has_bytes, vram->bytes);
			put(item, "several_per_vm", json_object_new_boolean(!group->alone));
			json_object_array_add(profiles, item);
		}
	return profiles;
}

static struct json_object *partitions_to_json(const struct gp_gpu *gpu)
{
	struct json_object *partitions = json_object_new_array();

	for (size_t i = 0; i < gpu->partition_count; i++) {
		const struct gp_partition *partition = &gpu->partitions[i];
		struct json_object *item = json_object_new_object();
		char addr[GP_PCI_ADDR_SIZE];

		put_number(item, "index", true, partition->index);
		put_text(item, "address", gp_pci_addr_format(partition->addr, addr));
		put(item, "blank", json_object_new_boolean(partition->blank));
		put_text(item, "profile", partition->profile);
		put(item, "held", json_object_new_boolean(partition->holder_count > 0));
		put_text(item, "unusable_why", partition->unusable_why);
		json_object_array_add(partitions, item);
	}
	return partitions;
}

static struct json_object *clients_to_json(const struct gp_gpu *gpu)
{
	struct json_object *clients = json_object_new_array();

	for (size_t i = 0; i < gpu->client_count; i++) {
		struct json_object *item = json_object_new_object();

		put_text(item, "process", gpu->clients[i].name);
		put_number(item, "pid", true, gpu->clients[i].pid);
		json_object_array_add(clients, item);
	}
	return clients;
}

static void put_driver(struct json_object *item, const struct gp_gpu *gpu)
{
	char version[GP_VERSION_SIZE];

	put_text(item, "driver_version", gpu->driver_version);
	put_text(item, "framework", gpu->framework);
	put(item, "framework_expected", gpu->framework ? json_object_new_boolean(gpu->framework_expected) : NULL);
	put_text(item, "series", gpu->series);
	put_text(item, "scheduler", gpu->scheduler);
	put_text(item, "libvirt_min", gpu->libvirt_min ? gp_version_format(gpu->libvirt_min, version) : NULL);
	put_text(item, "libvirt_why", gpu->libvirt_why);
	put_text(item, "not_creatable", gpu->not_creatable);
	put(item, "clients", clients_to_json(gpu));
}

static struct json_object *gpu_to_json(const struct gp_gpu_facts *facts)
{
	const struct gp_gpu *gpu = facts->gpu;
	struct json_object *item = json_object_new_object();
	char addr[GP_PCI_ADDR_SIZE];

	put_text(item, "address", gp_pci_addr_format(gpu->addr, addr));
	put_text(item, "model", gpu->model);
	put_text(item, "vendor", gpu->vendor_name);
	put_text(item, "driver", gpu->driver);
	put_text(item, "backend", gpu->backend ? gpu->backend->name : gpu->backend_name);
	put_text(item, "class", facts->class_of ? facts->class_of->name : NULL);
	put(item, "partitionable", json_object_new_boolean(gpu->unfit == GP_FIT));
	put_text(item, "why_not", gpu->unfit_why);
	put_text(item, "remedy", gpu->unfit_remedy);
	put_number(item, "partition_count", true, gpu->count);
	put_text(item, "cut_into", facts->cut);
	put_number(item, "partitions_free", facts->free_known, facts->free);
	put(item, "valid_partition_counts", counts_to_json(gpu));
	put(item, "profiles", profiles_to_json(gpu));
	put(item, "partitions", partitions_to_json(gpu));
	put_number(item, "vfs", true, gpu->num_vfs);
	put_number(item, "total_vfs", gpu->sriov, gpu->total_vfs);
	put(item, "numa_node", gpu->numa_node >= 0 ? json_object_new_int(gpu->numa_node) : NULL);
	put_text(item, "slot", gpu->slot);
	put_driver(item, gpu);
	put(item, "resources", resources_to_json(facts));
	return item;
}

/* ---- classes ---- */

static void odd_one_to_json(void *context, const struct gp_gpu *gpu, const char *trait, const char *value,
			    const char *usual)
{
	struct json_object *item = json_object_new_object();
	char addr[GP_PCI_ADDR_SIZE];

	put_text(item, "gpu", gp_pci_addr_format(gpu->addr, addr));
	put_text(item, "trait", trait);
	put_text(item, "value", value);
	put_text(item, "usual", usual);
	json_object_array_add(context, item);
}

static struct json_object *recommendation_to_json(const struct gp_recommendation *recommendation)
{
	struct json_object *item;

	if (!recommendation->has_best)
		return NULL;
	item = json_object_new_object();
	put_number(item, "partition_count", true, recommendation->count);
	put_number(item, "total", true, recommendation->total);
	put_number(item, "unserved", true, recommendation->unserved);
	put(item, "enough", json_object_new_boolean(recommendation->unserved == 0));
	put(item, "needs_series", json_object_new_boolean(recommendation->needs_series));
	put_text(item, "first_unserved", recommendation->first);
	put_text(item, "why", recommendation->why);
	return item;
}

static struct json_object *class_to_json(const struct gp_desired *desired, const struct gp_observed *observed,
					 const struct gp_gpu_facts *facts, const struct gp_class *class_of,
					 struct gp_arena *arena)
{
	struct gp_members members = gp_gpu_members(facts, observed->gpu_count, class_of, arena);
	struct gp_recommendation recommendation = gp_recommend(desired, observed, class_of, &members, arena);
	struct json_object *item = json_object_new_object();
	struct json_object *odd = json_object_new_array();
	size_t differences = gp_gpu_find_odd_ones(&members, odd_one_to_json, odd);

	put_text(item, "class", class_of->name);
	put_number(item, "gpus", true, members.count);
	put(item, "homogeneous", json_object_new_boolean(differences == 0));
	put(item, "deviations", odd);
	put_number(item, "partitions_asked", true, recommendation.asked);
	put(item, "recommended", recommendation_to_json(&recommendation));
	return item;
}

struct json_object *gp_gpus_to_json(const struct gp_desired *desired, const struct gp_observed *observed,
				    const struct gp_gpu_facts *facts, struct gp_arena *arena)
{
	struct json_object *root = json_object_new_object();
	struct json_object *gpus = json_object_new_array();
	struct json_object *classes = json_object_new_array();

	for (size_t i = 0; i < observed->gpu_count; i++)
		json_object_array_add(gpus, gpu_to_json(&facts[i]));
	for (size_t i = 0; i < desired->class_count; i++)
		json_object_array_add(classes, class_to_json(desired, observed, facts, &desired->classes[i], arena));
	put_text(root, "format_version", "1.0");
	put_text(root, "kind", "gpus");
	put(root, "gpus", gpus);
	put(root, "classes", classes);
	return root;
}

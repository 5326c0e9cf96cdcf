/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/join.h"

#include <stdlib.h>
#include <string.h>

#include "vendor/vendor.h"

/*
 * All VFs of the host by address: those that exist, and those that would. A domain's hostdev must still be recognised
 * after a reboot, when its VF is gone. One sorted list, so that the join stays about linear: asking each GPU for each
 * hostdev would not.
 */
struct vf_entry {
	struct gp_pci_addr addr;
	uint32_t gpu;
	uint32_t vf;
	bool exists;
};

/* And all mediated devices, which exist or are not known. */
struct mdev_entry {
	struct gp_uuid uuid;
	struct vf_entry vf;
};

struct vf_index {
	struct vf_entry *items;
	size_t count;
	struct mdev_entry *mdevs;
	size_t mdev_count;
};

static void vf_index_clear(struct vf_index *index)
{
	free(index->items);
	free(index->mdevs);
	*index = (struct vf_index){0};
}

/* What exists goes before what is predicted: a link is a fact. */
static int compare_entries(const void *left, const void *right)
{
	const struct vf_entry *a = left, *b = right;
	int order = gp_pci_addr_compare(a->addr, b->addr);
	if (order != 0)
		return order;
	if (a->exists != b->exists)
		return a->exists ? -1 : 1;
	return a->gpu < b->gpu ? -1 : a->gpu > b->gpu;
}

static int compare_mdevs(const void *left, const void *right)
{
	const struct mdev_entry *a = left, *b = right;
	return memcmp(a->uuid.bytes, b->uuid.bytes, sizeof(a->uuid.bytes));
}

static size_t vfs_to_index(const struct gp_gpu *gpu)
{
	bool predictable = gpu->vf_offset != 0 || gpu->vf_stride != 0;
	return gpu->partition_count + (predictable ? gpu->total_vfs : 0);
}

static void index_gpu(struct vf_index *index, const struct gp_gpu *gpu, uint32_t position)
{
	for (size_t i = 0; i < gpu->partition_count; i++) {
		const struct gp_partition *partition = &gpu->partitions[i];
		index->items[index->count++] = (struct vf_entry){partition->addr, position, partition->index, true};
	}
	/* The links are in ascending order, so that those that exist can be left out while counting. */
	size_t next = 0;
	for (uint32_t vf = 0; vfs_to_index(gpu) > gpu->partition_count && vf < gpu->total_vfs; vf++) {
		while (next < gpu->partition_count && gpu->partitions[next].index < vf)
			next++;
		struct gp_pci_addr addr;
		bool exists = next < gpu->partition_count && gpu->partitions[next].index == vf;
		if (!exists && gp_gpu_vf_addr(gpu, vf, &addr))
			index->items[index->count++] = (struct vf_entry){addr, position, vf, false};
	}
}

static void index_mdevs(struct vf_index *index, const struct gp_gpu *gpu, uint32_t position)
{
	for (size_t i = 0; i < gpu->partition_count; i++) {
		const struct gp_partition *partition = &gpu->partitions[i];
		if (partition->has_mdev)
			index->mdevs[index->mdev_count++] = (struct mdev_entry){
				partition->mdev, {partition->addr, position, partition->index, true}};
	}
}

static size_t count_mdevs(const struct gp_gpu *gpu)
{
	size_t count = 0;
	for (size_t i = 0; i < gpu->partition_count; i++)
		count += gpu->partitions[i].has_mdev;
	return count;
}

static struct vf_index index_vfs(const struct gp_observed *observed)
{
	size_t room = 0, mdev_room = 0;
	for (size_t i = 0; i < observed->gpu_count; i++) {
		room += vfs_to_index(&observed->gpus[i]);
		mdev_room += count_mdevs(&observed->gpus[i]);
	}
	struct vf_index index = {.items = gp_xcalloc(room + 1, sizeof(struct vf_entry)),
				 .mdevs = gp_xcalloc(mdev_room + 1, sizeof(struct mdev_entry))};
	for (size_t i = 0; i < observed->gpu_count; i++) {
		index_gpu(&index, &observed->gpus[i], (uint32_t)i);
		index_mdevs(&index, &observed->gpus[i], (uint32_t)i);
	}
	qsort(index.items, index.count, sizeof(struct vf_entry), compare_entries);
	qsort(index.mdevs, index.mdev_count, sizeof(struct mdev_entry), compare_mdevs);
	return index;
}

/* The first entry of this address; NULL: no VF of ours. */
static const struct vf_entry *find_vf(const struct vf_index *index, struct gp_pci_addr addr)
{
	size_t low = 0, high = index->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (gp_pci_addr_compare(index->items[middle].addr, addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < index->count && gp_pci_addr_compare(index->items[low].addr, addr) == 0;
	return found ? &index->items[low] : NULL;
}

static const struct vf_entry *find_mdev(const struct vf_index *index, struct gp_uuid uuid)
{
	const struct mdev_entry wanted = {.uuid = uuid};
	const struct mdev_entry *found =
		bsearch(&wanted, index->mdevs, index->mdev_count, sizeof(wanted), compare_mdevs);
	return found == NULL ? NULL : &found->vf;
}

static struct gp_partition *partition_at(struct gp_observed *observed, const struct vf_entry *entry)
{
	/* gp_gpu_partition() looks, and hands out const; the snapshot under construction is ours to write. */
	return (struct gp_partition *)gp_gpu_partition(&observed->gpus[entry->gpu], entry->vf);
}

static void hold(struct gp_observed *observed, struct gp_partition *partition, struct gp_holder holder)
{
	*gp_arena_push(observed->arena, partition->holders, partition->holder_count) = holder;
}

static bool resolve(const struct vf_index *index, struct gp_hostdev *hostdev, const struct vf_entry **found)
{
	const struct vf_entry *entry =
		hostdev->type == GP_HOSTDEV_PCI ? find_vf(index, hostdev->source) : find_mdev(index, hostdev->mdev);
	if (entry == NULL)
		return false;
	hostdev->resolved = true;
	hostdev->gpu = entry->gpu;
	hostdev->vf = entry->vf;
	*found = entry;
	return true;
}

static void join_hostdevs(struct gp_observed *observed, const struct vf_index *index, size_t domain,
			  enum gp_holder_kind kind)
{
	struct gp_domain *holder = &observed->domains[domain];
	bool live = kind == GP_HOLDER_DOMAIN_LIVE;
	struct gp_hostdev *hostdevs = live ? holder->live : holder->config;
	size_t count = live ? holder->live_count : holder->config_count;
	for (size_t i = 0; i < count; i++) {
		const struct vf_entry *entry;
		if (resolve(index, &hostdevs[i], &entry) && entry->exists)
			hold(observed, partition_at(observed, entry),
			     (struct gp_holder){.kind = kind, .name = holder->name, .domain = domain, .hostdev = i});
	}
}

/* What was taken out is known again, but holds nothing. */
static void join_places(struct gp_domain *domain, const struct vf_index *index)
{
	const struct vf_entry *entry;
	for (size_t i = 0; i < domain->place_count; i++)
		resolve(index, &domain->places[i], &entry);
}

void gp_join_domains(struct gp_observed *observed)
{
	GP_CLEANUP(vf_index_clear) struct vf_index index = index_vfs(observed);
	for (size_t i = 0; i < observed->domain_count; i++) {
		join_hostdevs(observed, &index, i, GP_HOLDER_DOMAIN_LIVE);
		join_hostdevs(observed, &index, i, GP_HOLDER_DOMAIN_CONFIG);
		join_places(&observed->domains[i], &index);
	}
}

static bool driver_holds(const struct gp_gpu *gpu, const char *driver)
{
	if (driver == NULL || gp_streq(driver, "vfio-pci"))
		return false;
	return gpu->backend->idle_driver == NULL || !gpu->backend->idle_driver(driver);
}

void gp_join_drivers(struct gp_observed *observed)
{
	for (size_t i = 0; i < observed->gpu_count; i++) {
		struct gp_gpu *gpu = &observed->gpus[i];
		for (size_t p = 0; p < gpu->partition_count; p++) {
			const char *driver = gpu->partitions[p].driver;
			if (driver_holds(gpu, driver))
				hold(observed, &gpu->partitions[p],
				     (struct gp_holder){.kind = GP_HOLDER_DRIVER, .name = driver});
		}
	}
}

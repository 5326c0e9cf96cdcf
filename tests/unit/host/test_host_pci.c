/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI facts: which PFs, their SR-IOV capability, their VFs, their names; and libpci's fatal error. */
#include <pci/pci.h>
#include <stdio.h>
#include <string.h>

#include "host_tree.h"

static struct tree tree;
static struct gp_host *host;
static struct gp_observed *observed;

static void observe_wanted(const struct gp_pci_addr *wanted, size_t count)
{
	struct gp_error err = {0};
	host = tree_open(&tree, true, GP_HOST_READ_ONLY);
	observed = gp_observed_new();
	ck_assert_msg(gp_host_observe_pci(host, wanted, count, observed, &err) == 0, "%s", err.message);
}

static const struct gp_gpu *observe_one(void)
{
	observe_wanted(NULL, 0);
	ck_assert_uint_eq(observed->gpu_count, 1);
	return &observed->gpus[0];
}

static void finish(void)
{
	gp_observed_free(observed);
	gp_host_close(host);
	tree_remove(&tree);
	observed = NULL;
	host = NULL;
}

START_TEST(a_pf_with_its_vfs)
{
	tree_make(&tree);
	tree_usual(&tree, 3, "vfio-pci");
	tree_file(&tree, "sys/bus/pci/slots/4/address", "0000:41:00\n");
	tree_file(&tree, "sys/bus/pci/slots/5/address", "0000:42:00\n");
	const struct gp_gpu *gpu = observe_one();
	char addr[GP_PCI_ADDR_SIZE];
	ck_assert_str_eq(gp_pci_addr_format(gpu->addr, addr), TREE_PF);
	ck_assert_uint_eq(gpu->vendor, 0x8086);
	ck_assert_uint_eq(gpu->device, 0x56c0);
	ck_assert_uint_eq(gpu->subsystem_vendor, 0x8086);
	ck_assert_uint_eq(gpu->subsystem_device, 0x4905);
	ck_assert_uint_eq(gpu->pci_class, 0x030000);
	ck_assert_str_eq(gpu->vendor_name, "Intel Corporation");
	ck_assert_str_eq(gpu->model, "Data Center GPU Flex 170");
	ck_assert_str_eq(gpu->driver, "xe");
	ck_assert_str_eq(gpu->slot, "4");
	ck_assert_int_eq(gpu->numa_node, 1);
	ck_assert(gpu->sriov && gpu->capability_known && gpu->vf_enable && gpu->autoprobe_known && gpu->autoprobe);
	ck_assert(!gpu->named_only);
	ck_assert_uint_eq(gpu->total_vfs, 4);
	ck_assert_uint_eq(gpu->num_vfs, 3);
	ck_assert_uint_eq(gpu->cap_num_vfs, 3);
	ck_assert_uint_eq(gpu->vf_offset, 1);
	ck_assert_uint_eq(gpu->vf_stride, 1);
	ck_assert(!gp_pci_in_transition(gpu));
	ck_assert_uint_eq(gpu->partition_count, 3);
	ck_assert(!gpu->partitions[0].iommu_group_known);
	gp_pci_read_iommu_groups(host, &observed->gpus[0], true);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(gpu->partitions[i].index, i);
		ck_assert_uint_eq(gpu->partitions[i].addr.function, i + 1);
		ck_assert_str_eq(gpu->partitions[i].driver, "vfio-pci");
		ck_assert(gpu->partitions[i].iommu_group_known);
		ck_assert_uint_eq(gpu->partitions[i].iommu_group, 20 + i);
	}
	finish();
}
END_TEST

START_TEST(vfs_without_driver_have_none)
{
	tree_make(&tree);
	tree_usual(&tree, 2, NULL);
	const struct gp_gpu *gpu = observe_one();
	ck_assert_uint_eq(gpu->partition_count, 2);
	ck_assert_ptr_null(gpu->partitions[0].driver);
	ck_assert(!gpu->partitions[0].iommu_group_known);
	finish();
}
END_TEST

/* virtfn10 after virtfn9, and a VF that lies on another bus than its PF. */
START_TEST(vfs_come_by_number_wherever_they_are)
{
	tree_make(&tree);
	tree_pf(&tree, &(struct tree_pf){.addr = TREE_PF,
					 .vendor = 0x8086,
					 .device = 0x56c0,
					 .pci_class = 0x038000,
					 .total_vfs = 16,
					 .control = 1,
					 .num_vfs = 12});
	for (unsigned i = 12; i-- > 0;) {
		char addr[GP_PCI_ADDR_SIZE];
		snprintf(addr, sizeof(addr), "0000:41:%02x.%u", 1 + i / 8, i % 8);
		tree_vf(&tree, TREE_PF, i, addr, i == 11 ? NULL : "vfio-pci", 30 + i);
	}
	/* As on a host where the other bus hangs somewhere else. */
	tree_link(&tree, "sys/devices/pci0000:40/0000:41:00.0/virtfn11", "../../pci0000:42/0000:42:00.1");
	tree_link(&tree, "sys/bus/pci/devices/0000:42:00.1", "../../../devices/pci0000:42/0000:42:00.1");
	tree_link(&tree, "sys/devices/pci0000:42/0000:42:00.1/driver", "../../../bus/pci/drivers/vfio-pci");
	const struct gp_gpu *gpu = observe_one();
	ck_assert_uint_eq(gpu->partition_count, 12);
	for (uint32_t i = 0; i < 12; i++)
		ck_assert_uint_eq(gpu->partitions[i].index, i);
	ck_assert_uint_eq(gpu->partitions[11].addr.bus, 0x42);
	ck_assert_str_eq(gpu->partitions[11].driver, "vfio-pci");
	finish();
}
END_TEST

START_TEST(links_and_capability_that_disagree_are_a_transition)
{
	static const struct {
		uint16_t control, num_vfs;
		unsigned links;
		bool transition;
	} rows[] = {{1, 2, 2, false}, {1, 2, 0, true}, {0, 2, 2, true},
		    {0, 2, 0, false}, {1, 4, 2, true}, {0, 0, 0, false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tree_make(&tree);
		tree_pf(&tree, &(struct tree_pf){.addr = TREE_PF,
						 .vendor = 0x8086,
						 .device = 1,
						 .pci_class = 0x030000,
						 .total_vfs = 4,
						 .control = rows[i].control,
						 .num_vfs = rows[i].num_vfs});
		if (rows[i].links > 0)
			tree_vf(&tree, TREE_PF, 0, "0000:41:00.1", NULL, 0);
		if (rows[i].links > 1)
			tree_vf(&tree, TREE_PF, 1, "0000:41:00.2", NULL, 0);
		ck_assert_msg(gp_pci_in_transition(observe_one()) == rows[i].transition, "row %zu", i);
		finish();
	}
}
END_TEST

/* The kernel adds a VF to the bus before it makes the links, and takes them away first. */
START_TEST(a_vf_without_links_is_no_gpu)
{
	for (uint16_t enabled = 0; enabled < 2; enabled++) {
		tree_make(&tree);
		tree_pf(&tree, &(struct tree_pf){.addr = TREE_PF,
						 .vendor = 0x8086,
						 .device = 1,
						 .pci_class = 0x030000,
						 .total_vfs = 4,
						 .control = enabled,
						 .num_vfs = 2,
						 .offset = 1,
						 .stride = 1});
		for (unsigned i = 1; i <= 3; i++) {
			char addr[GP_PCI_ADDR_SIZE];
			snprintf(addr, sizeof(addr), "0000:41:00.%u", i);
			tree_pf(&tree,
				&(struct tree_pf){.addr = addr, .vendor = 0x8086, .device = 1, .pci_class = 0x030000});
		}
		observe_wanted(NULL, 0);
		/* The third is beyond NumVFs: another GPU. */
		ck_assert_uint_eq(observed->gpu_count, enabled ? 2 : 4);
		ck_assert_uint_eq(observed->gpus[1].addr.function, enabled ? 3 : 1);
		finish();
	}
}
END_TEST

START_TEST(an_ordinary_user_sees_64_bytes_and_no_capability)
{
	tree_make(&tree);
	tree_pf(&tree, &(struct tree_pf){.addr = TREE_PF,
					 .vendor = 0x10de,
					 .device = 0x25b6,
					 .pci_class = 0x030200,
					 .total_vfs = 16,
					 .control = 1,
					 .num_vfs = 4,
					 .config_size = 64});
	const struct gp_gpu *gpu = observe_one();
	ck_assert(!gpu->capability_known);
	ck_assert(!gp_pci_in_transition(gpu));
	ck_assert_uint_eq(gpu->vendor, 0x10de);
	ck_assert_str_eq(gpu->vendor_name, "10de");
	ck_assert_str_eq(gpu->model, "10de:25b6");
	finish();
}
END_TEST

START_TEST(a_device_that_does_not_answer_is_known_by_the_kernel)
{
	tree_make(&tree);
	tree_usual(&tree, 0, NULL);
	uint8_t ones[64];
	memset(ones, 0xff, sizeof(ones));
	tree_bytes(&tree, "sys/devices/pci0000:40/0000:41:00.0/config", ones, sizeof(ones));
	const struct gp_gpu *gpu = observe_one();
	ck_assert_uint_eq(gpu->vendor, 0x8086);
	ck_assert_uint_eq(gpu->subsystem_device, 0x4905);
	ck_assert(!gpu->capability_known);
	finish();
}
END_TEST

START_TEST(capability_lists_that_never_end_do_end)
{
	tree_make(&tree);
	tree_usual(&tree, 0, NULL);
	uint8_t config[4096] = {0};
	config[0] = 0x86, config[1] = 0x80, config[0x06] = 0x10, config[0x34] = 0x40;
	config[0x40] = 0x10, config[0x41] = 0x40;                                      /* points to itself */
	config[0x100] = 1, config[0x102] = 1, config[0x103] = 0x10, config[0x101] = 0; /* and so does this one */
	tree_bytes(&tree, "sys/devices/pci0000:40/0000:41:00.0/config", config, sizeof(config));
	ck_assert(!observe_one()->capability_known);
	finish();
}
END_TEST

START_TEST(other_devices_are_managed_only_when_named)
{
	tree_make(&tree);
	tree_usual(&tree, 0, NULL);
	tree_pf(&tree,
		&(struct tree_pf){
			.addr = "0000:42:00.0", .vendor = 0x8086, .device = 2, .pci_class = 0x020000, .total_vfs = 8});
	tree_pf(&tree, &(struct tree_pf){.addr = "0000:43:00.0", .vendor = 0x1002, .device = 3, .pci_class = 0x120000});
	struct gp_pci_addr nic, absent;
	gp_pci_addr_parse("0000:42:00.0", &nic);
	gp_pci_addr_parse("0000:99:00.0", &absent);
	observe_wanted(NULL, 0);
	ck_assert_uint_eq(observed->gpu_count, 2);
	ck_assert_uint_eq(observed->gpus[1].addr.bus, 0x43);
	ck_assert(!observed->gpus[1].sriov);
	gp_observed_free(observed);
	gp_host_close(host);
	observe_wanted((struct gp_pci_addr[]){absent, nic}, 2);
	ck_assert_uint_eq(observed->gpu_count, 3);
	ck_assert_uint_eq(observed->gpus[1].addr.bus, 0x42);
	ck_assert(observed->gpus[1].named_only);
	finish();
}
END_TEST

/* A VF whose link is gone already (a disable under way) is still no GPU. */
START_TEST(a_vf_is_never_a_pf)
{
	tree_make(&tree);
	tree_usual(&tree, 2, "vfio-pci");
	char path[256];
	tree_path(&tree, "sys/devices/pci0000:40/0000:41:00.0/virtfn0", path, sizeof(path));
	ck_assert_int_eq(unlink(path), 0);
	const struct gp_gpu *gpu = observe_one();
	ck_assert_uint_eq(gpu->num_vfs, 1);
	ck_assert_uint_eq(gpu->partitions[0].index, 1);
	ck_assert(gp_pci_in_transition(gpu));
	finish();
}
END_TEST

START_TEST(config_outside_of_the_root_is_not_read)
{
	tree_make(&tree);
	tree_usual(&tree, 0, NULL);
	struct tree other;
	tree_make(&other);
	tree_pf(&other, &(struct tree_pf){.addr = TREE_PF, .vendor = 0xdead, .device = 1, .pci_class = 0x030000});
	char target[256];
	tree_path(&other, "sys/devices/pci0000:40/0000:41:00.0/config", target, sizeof(target));
	tree_link(&tree, "sys/devices/pci0000:40/0000:41:00.0/config", target);
	ck_assert_uint_eq(observe_one()->vendor, 0x8086);
	finish();
	tree_remove(&other);
}
END_TEST

START_TEST(a_device_directory_outside_of_the_root_is_not_there)
{
	tree_make(&tree);
	tree_usual(&tree, 0, NULL);
	struct tree other;
	tree_make(&other);
	tree_pf(&other,
		&(struct tree_pf){.addr = "0000:50:00.0", .vendor = 0xdead, .device = 1, .pci_class = 0x030000});
	char target[256];
	tree_path(&other, "sys/devices/pci0000:40/0000:50:00.0", target, sizeof(target));
	tree_link(&tree, "sys/bus/pci/devices/0000:50:00.0", target);
	observe_one();
	finish();
	tree_remove(&other);
}
END_TEST

START_TEST(no_pci_bus_is_an_error)
{
	tree_make(&tree);
	struct gp_error err = {0};
	host = tree_open(&tree, true, GP_HOST_READ_ONLY);
	observed = gp_observed_new();
	ck_assert_int_eq(gp_host_observe_pci(host, NULL, 0, observed, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	gp_autofree char *expected = gp_xasprintf("%s/sys/bus/pci/devices/", tree.root);
	ck_assert_str_eq(err.subject, expected);
	gp_error_clear(&err);
	finish();
}
END_TEST

START_TEST(one_pf_is_read_again)
{
	tree_make(&tree);
	tree_usual(&tree, 0, NULL);
	struct gp_gpu gpu = *observe_one();
	tree_usual(&tree, 2, "vfio-pci");
	struct gp_error err = {0};
	ck_assert_int_eq(gp_host_observe_pf(host, observed->arena, gpu.addr, &gpu, &err), 0);
	ck_assert_uint_eq(gpu.num_vfs, 2);
	ck_assert_uint_eq(gpu.partition_count, 2);
	ck_assert_str_eq(gpu.model, "Data Center GPU Flex 170");
	struct gp_pci_addr absent = {.bus = 0x99};
	ck_assert_int_eq(gp_host_observe_pf(host, observed->arena, absent, &gpu, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	gp_error_clear(&err);
	finish();
}
END_TEST

/* ---- libpci ---- */

/* libpci wants its format writable, and no compiler can check such a one. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int give_up(struct pci_access *pci, void *context)
{
	char format[] = "no way to read %s";
	pci->error(format, (const char *)context);
	return 0;
}
#pragma GCC diagnostic pop

static int count_calls(struct pci_access *pci GP_UNUSED, void *context)
{
	++*(int *)context;
	return 0;
}

START_TEST(a_fatal_error_of_libpci_is_an_error_like_others)
{
	tree_make(&tree);
	tree_usual(&tree, 1, NULL);
	host = tree_open(&tree, true, GP_HOST_READ_ONLY);
	struct gp_error err = {0};
	int calls = 0;
	ck_assert_int_eq(gp_pci_fenced(host, count_calls, &calls, &err), 0);
	const struct pci_access *before = host->pci;
	ck_assert_ptr_nonnull(before);
	ck_assert_int_eq(gp_pci_fenced(host, give_up, (char[]){"this"}, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_IO);
	ck_assert_str_eq(err.message, "libpci gave up: no way to read this");
	ck_assert_ptr_null(host->pci);
	gp_error_clear(&err);
	ck_assert_int_eq(gp_pci_fenced(host, count_calls, &calls, &err), 0);
	ck_assert_int_eq(calls, 2);
	gp_host_close(host);
	ck_assert_uint_eq(observe_one()->num_vfs, 1);
	finish();
}
END_TEST

static void *observe_many(void *context)
{
	struct gp_host *shared = context;
	for (int i = 0; i < 50; i++) {
		GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *one = gp_observed_new();
		if (gp_host_observe_pci(shared, NULL, 0, one, NULL) < 0 || one->gpu_count != 1 ||
		    one->gpus[0].cap_num_vfs != 4)
			return (void *)1;
	}
	return NULL;
}

START_TEST(several_threads_share_a_handle)
{
	tree_make(&tree);
	tree_usual(&tree, 4, "vfio-pci");
	host = tree_open(&tree, true, GP_HOST_READ_ONLY);
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, observe_many, host), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	finish();
}
END_TEST

/* ---- pci.ids ---- */

static const char ids[] = "#\n0001  First\n\t25b6  wrong vendor\n10de  NVIDIA Corporation \n"
			  "\t# a remark\n"
			  "\t25b6  GA107GL [A2 / A16]\n\t\t10de 14a9  A16\n\t\t1028 14a9  Fancy Board\n"
			  "\t2235  GA102GL [A40]\r\n\t0001  Plain Name\n\t0002  []\n\t0003  Odd ]\n"
			  "C 03  Display controller\n\t00  VGA\n";

START_TEST(models_are_what_people_call_them)
{
	static const struct {
		uint16_t vendor, device, subsystem_vendor, subsystem_device;
		const char *model;
	} rows[] = {
		{0x10de, 0x25b6, 0x10de, 0x14a9, "A16"},
		{0x10de, 0x25b6, 0x1028, 0x14a9, "A2 / A16"}, /* a board maker's name picks none of them */
		{0x10de, 0x25b6, 0x10de, 0x0000, "A2 / A16"},
		{0x10de, 0x2235, 0x10de, 0x0000, "A40"},
		{0x10de, 0x0001, 0x10de, 0x0000, "Plain Name"},
		{0x10de, 0x0002, 0x10de, 0x0000, "[]"},
		{0x10de, 0x0003, 0x10de, 0x0000, "Odd ]"},
		{0x10de, 0x9999, 0x10de, 0x0000, "10de:9999"},
		{0x1002, 0x0001, 0x10de, 0x0000, "1002:0001"},
	};
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gp_gpu gpu = {.vendor = rows[i].vendor,
				     .device = rows[i].device,
				     .subsystem_vendor = rows[i].subsystem_vendor,
				     .subsystem_device = rows[i].subsystem_device};
		struct gp_pci_id_names names;
		gp_pci_ids_find(ids, sizeof(ids) - 1, &gpu, &names);
		ck_assert_str_eq(gp_pci_ids_model(arena, &gpu, &names), rows[i].model);
		if (rows[i].vendor == 0x10de)
			ck_assert(names.vendor_length == 18 && memcmp(names.vendor, "NVIDIA Corporation", 18) == 0);
	}
}
END_TEST

START_TEST(a_list_that_is_cut_off_anywhere_does_no_harm)
{
	struct gp_gpu gpu = {
		.vendor = 0x10de, .device = 0x25b6, .subsystem_vendor = 0x10de, .subsystem_device = 0x14a9};
	for (size_t size = 0; size < sizeof(ids); size++) {
		char *cut = gp_xmalloc(size + 1);
		memcpy(cut, ids, size);
		struct gp_pci_id_names names;
		gp_pci_ids_find(cut, size, &gpu, &names);
		ck_assert(names.subsystem == NULL || names.device != NULL);
		free(cut);
	}
}
END_TEST

TREE_RUN("host_pci", a_pf_with_its_vfs, vfs_without_driver_have_none, vfs_come_by_number_wherever_they_are,
	 links_and_capability_that_disagree_are_a_transition, a_vf_without_links_is_no_gpu,
	 an_ordinary_user_sees_64_bytes_and_no_capability, a_device_that_does_not_answer_is_known_by_the_kernel,
	 capability_lists_that_never_end_do_end, other_devices_are_managed_only_when_named, a_vf_is_never_a_pf,
	 config_outside_of_the_root_is_not_read, a_device_directory_outside_of_the_root_is_not_there,
	 no_pci_bus_is_an_error, one_pf_is_read_again, a_fatal_error_of_libpci_is_an_error_like_others,
	 several_threads_share_a_handle, models_are_what_people_call_them, a_list_that_is_cut_off_anywhere_does_no_harm)

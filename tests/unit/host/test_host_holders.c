/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has a VF open through VFIO, and when that cannot be told. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host_tree.h"

static struct tree tree;
static struct gp_host *host;
static struct gp_observed *observed;

static void start(unsigned vfs, const char *driver)
{
	tree_make(&tree);
	tree_usual(&tree, vfs, driver);
	tree_directory(&tree, "proc");
}

static void observe(bool simulated)
{
	struct gp_error err = {0};
	host = tree_open(&tree, simulated, GP_HOST_READ_ONLY);
	observed = gp_observed_new();
	ck_assert_msg(gp_host_observe_pci(host, NULL, 0, observed, &err) == 0, "%s", err.message);
	gp_host_observe_vfio(host, observed);
}

static const struct gp_partition *vf(uint32_t index)
{
	return &observed->gpus[0].partitions[index];
}

static void finish(void)
{
	gp_observed_free(observed);
	gp_host_close(host);
	tree_remove(&tree);
}

START_TEST(a_group_that_is_open_holds_its_vf)
{
	start(3, "vfio-pci");
	tree_process(&tree, 812, "qemu-system-x86", "/dev/vfio/21");
	tree_link(&tree, "proc/812/fd/32", "/dev/vfio/21");
	tree_link(&tree, "proc/812/fd/33", "anon_inode:[vfio-device]");
	tree_process(&tree, 900, "other", "/dev/vfio/vfio");
	tree_process(&tree, 901, "other", "/dev/vfio/211");
	tree_process(&tree, 902, "other", "/srv/dev/vfio/2x");
	tree_directory(&tree, "proc/903/fd");
	tree_file(&tree, "proc/uptime", "1 2\n");
	observe(true);
	ck_assert(observed->vfio_state.known);
	ck_assert_uint_eq(vf(0)->holder_count, 0);
	ck_assert_uint_eq(vf(1)->holder_count, 1);
	ck_assert_int_eq(vf(1)->holders[0].kind, GP_HOLDER_VFIO);
	ck_assert_uint_eq(vf(1)->holders[0].pid, 812);
	ck_assert_str_eq(vf(1)->holders[0].name, "qemu-system-x86");
	ck_assert_uint_eq(vf(2)->holder_count, 0);
	finish();
}
END_TEST

START_TEST(a_device_file_holds_the_vf_that_it_belongs_to)
{
	start(2, "xe-vfio-pci");
	tree_directory(&tree, "sys/devices/pci0000:40/0000:41:00.1/vfio-dev/vfio3");
	tree_directory(&tree, "sys/devices/pci0000:40/0000:41:00.2/vfio-dev/vfio4");
	tree_process(&tree, 812, "qemu", "/dev/vfio/devices/vfio4");
	observe(true);
	ck_assert(observed->vfio_state.known);
	ck_assert_uint_eq(vf(0)->holder_count, 0);
	ck_assert_uint_eq(vf(1)->holder_count, 1);
	finish();
}
END_TEST

/* libvirt gives each VM a /dev of its own, and may remove a node that is still open. */
START_TEST(a_node_that_was_removed_still_holds)
{
	start(2, "vfio-pci");
	tree_process(&tree, 812, "qemu", "/dev/vfio/20 (deleted)");
	tree_process(&tree, 813, "in-a-jail", "/srv/jail/dev/vfio/21");
	observe(true);
	ck_assert_uint_eq(vf(0)->holder_count, 1);
	ck_assert_uint_eq(vf(1)->holder_count, 1);
	finish();
}
END_TEST

START_TEST(a_group_without_an_iommu_holds_too)
{
	start(2, "vfio-pci");
	tree_process(&tree, 812, "dpdk", "/dev/vfio/noiommu-21");
	observe(true);
	ck_assert(observed->vfio_state.known);
	ck_assert_uint_eq(vf(0)->holder_count, 0);
	ck_assert_uint_eq(vf(1)->holder_count, 1);
	finish();
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_read_is_unknown)
{
	start(1, "vfio-pci");
	tree_process(&tree, 812, "qemu", "/dev/null");
	tree_file(&tree, "proc/812/fd/9", "no link");
	tree_process(&tree, 813, "qemu", "/dev/null");
	observe(true);
	ck_assert(!observed->vfio_state.known);
	ck_assert_ptr_nonnull(strstr(observed->vfio_state.why, "812"));
	finish();
}
END_TEST

START_TEST(two_processes_are_two_holders)
{
	start(1, "vfio-pci");
	tree_process(&tree, 812, "qemu", "/dev/vfio/20");
	tree_process(&tree, 813, "dpdk", "/dev/vfio/20");
	observe(true);
	ck_assert_uint_eq(vf(0)->holder_count, 2);
	finish();
}
END_TEST

START_TEST(without_a_bound_vf_nobody_is_asked)
{
	start(2, NULL);
	char path[256];
	tree_path(&tree, "proc", path, sizeof(path));
	ck_assert_int_eq(rmdir(path), 0);
	observe(true);
	ck_assert(observed->vfio_state.known);
	finish();
}
END_TEST

/* Linux takes the driver link of a VF away, then waits until who has it open lets go; the group's node stays. */
START_TEST(a_vf_that_waits_to_be_unbound_is_held)
{
	start(2, NULL);
	tree_file(&tree, "dev/vfio/21", "");
	tree_file(&tree, "dev/vfio/vfio", "");
	tree_process(&tree, 812, "qemu-system-x86", "/dev/vfio/21");
	observe(true);
	ck_assert(observed->vfio_state.known);
	ck_assert_uint_eq(vf(0)->holder_count, 0);
	ck_assert_uint_eq(vf(1)->holder_count, 1);
	ck_assert_uint_eq(vf(1)->holders[0].pid, 812);
	finish();
}
END_TEST

START_TEST(a_group_of_another_device_asks_for_proc)
{
	start(1, NULL);
	tree_file(&tree, "dev/vfio/211", "");
	char path[256];
	tree_path(&tree, "proc", path, sizeof(path));
	ck_assert_int_eq(rmdir(path), 0);
	observe(true);
	ck_assert(!observed->vfio_state.known);
	finish();
}
END_TEST

START_TEST(no_proc_is_unknown)
{
	start(1, "vfio-pci");
	char path[256];
	tree_path(&tree, "proc", path, sizeof(path));
	ck_assert_int_eq(rmdir(path), 0);
	observe(true);
	ck_assert(!observed->vfio_state.known);
	ck_assert_ptr_nonnull(strstr(observed->vfio_state.why, "/proc"));
	finish();
}
END_TEST

START_TEST(a_captured_tree_is_unknown)
{
	start(1, "vfio-pci");
	observe(false);
	ck_assert(!observed->vfio_state.known);
	ck_assert_str_eq(observed->vfio_state.why, "a captured tree does not tell who has files open");
	finish();
}
END_TEST

START_TEST(a_process_that_cannot_be_seen_is_unknown)
{
	start(1, "vfio-pci");
	tree_process(&tree, 812, "qemu", "/dev/vfio/20");
	/* For root too: its list of descriptors is a file, which cannot be listed. */
	tree_file(&tree, "proc/900/fd", "");
	observe(true);
	ck_assert(!observed->vfio_state.known);
	ck_assert_ptr_nonnull(strstr(observed->vfio_state.why, "900"));
	ck_assert_uint_eq(vf(0)->holder_count, 1);
	finish();
}
END_TEST

START_TEST(a_closed_process_is_unknown_to_an_ordinary_user)
{
	const uid_t nobody = 65534;
	bool was_root = geteuid() == 0;
	start(1, "vfio-pci");
	tree_file(&tree, GP_SIM_MARK_FILE, "");
	tree_process(&tree, 812, "qemu", "/dev/vfio/20");
	char path[256];
	tree_path(&tree, "proc/812/fd", path, sizeof(path));
	ck_assert_int_eq(chmod(path, 0), 0);
	ck_assert_int_eq(chmod(tree.root, 0755), 0);
	/* Modes do not bind root. */
	ck_assert_int_eq(was_root ? seteuid(nobody) : 0, 0);
	struct gp_host_options options = {.root = tree.root};
	ck_assert_int_eq(gp_host_open(&options, &host, NULL), 0);
	observed = gp_observed_new();
	ck_assert_int_eq(gp_host_observe_pci(host, NULL, 0, observed, NULL), 0);
	gp_host_observe_vfio(host, observed);
	ck_assert_int_eq(was_root ? seteuid(0) : 0, 0);
	ck_assert(!observed->vfio_state.known);
	ck_assert_ptr_nonnull(strstr(observed->vfio_state.why, "root"));
	ck_assert_int_eq(chmod(path, 0755), 0);
	finish();
}
END_TEST

START_TEST(a_device_without_the_file_that_tells_which_is_unknown)
{
	start(1, "vfio-pci");
	tree_process(&tree, 812, "qemu", "anon_inode:[vfio-device]");
	observe(true);
	ck_assert(!observed->vfio_state.known);
	finish();
}
END_TEST

START_TEST(a_process_directory_that_leads_elsewhere_is_not_followed)
{
	start(1, "vfio-pci");
	tree_process(&tree, 812, "qemu", "/dev/null");
	tree_process(&tree, 7, "x", "/dev/vfio/20");
	tree_link(&tree, "proc/900", "7");
	observe(true);
	/* 900 is a link: no process is one, so that it cannot be told what it is. */
	ck_assert(!observed->vfio_state.known);
	ck_assert_uint_eq(vf(0)->holder_count, 1);
	ck_assert_uint_eq(vf(0)->holders[0].pid, 7);
	finish();
}
END_TEST

/* ---- NVIDIA: groups of VFs with their own driver, of mediated devices, and clients of the GPU itself ---- */

#define UUID "8a9c4f10-55a6-5c2e-9f6b-0123456789ab"

static void nvidia_gpu(const char *addr, unsigned minor)
{
	char path[128], text[128];
	tree_pf(&tree, &(struct tree_pf){.addr = addr,
					 .vendor = 0x10de,
					 .device = 0x25b6,
					 .pci_class = 0x030200,
					 .driver = "nvidia",
					 .total_vfs = 16,
					 .config_size = 64});
	snprintf(path, sizeof(path), "proc/driver/nvidia/gpus/%s/information", addr);
	snprintf(text, sizeof(text),
		 "Model: \t\t NVIDIA A16\nGPU UUID: \t GPU-1\nDevice Minor: \t %u\nGPU Excluded:\t No\n", minor);
	tree_file(&tree, path, text);
}

static void add_mdev(const char *vf, const char *uuid, const char *group)
{
	char path[256], target[256];
	snprintf(path, sizeof(path), "sys/bus/mdev/devices/%s", uuid);
	snprintf(target, sizeof(target), "../../../devices/pci0000:40/%s/%s", vf, uuid);
	tree_link(&tree, path, target);
	snprintf(path, sizeof(path), "sys/devices/pci0000:40/%s/%s/mdev_type", vf, uuid);
	tree_link(&tree, path, "../mdev_supported_types/nvidia-712");
	snprintf(path, sizeof(path), "sys/devices/pci0000:40/%s/%s/iommu_group", vf, uuid);
	snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%s", group);
	if (*group != '\0')
		tree_link(&tree, path, target);
}

START_TEST(a_vf_with_its_vendors_driver_is_held_by_its_group)
{
	start(2, "nvidia");
	tree_directory(&tree, "sys/devices/pci0000:40/0000:41:00.1/vfio-dev/vfio3");
	tree_process(&tree, 812, "qemu", "/dev/vfio/21");
	tree_process(&tree, 813, "qemu", "/dev/vfio/devices/vfio3");
	observe(true);
	ck_assert(observed->vfio_state.known);
	ck_assert_uint_eq(vf(0)->holder_count, 1);
	ck_assert_uint_eq(vf(0)->holders[0].pid, 813);
	ck_assert_uint_eq(vf(1)->holder_count, 1);
	ck_assert_uint_eq(vf(1)->holders[0].pid, 812);
	finish();
}
END_TEST

START_TEST(a_vf_that_can_be_opened_and_has_no_group_is_unknown)
{
	start(0, NULL);
	tree_vf(&tree, TREE_PF, 0, "0000:41:00.1", "nvidia", 0);
	tree_process(&tree, 812, "qemu", "/dev/vfio/99");
	observe(true);
	ck_assert(observed->vfio_state.known);
	gp_observed_free(observed);
	gp_host_close(host);
	tree_directory(&tree, "sys/devices/pci0000:40/0000:41:00.1/vfio-dev/vfio3");
	observe(true);
	ck_assert(!observed->vfio_state.known);
	finish();
}
END_TEST

START_TEST(a_mediated_device_that_is_open_holds_its_vf)
{
	start(3, "nvidia");
	add_mdev("0000:41:00.2", UUID, "77");
	add_mdev("0000:41:00.3", "8a9c4f10-55a6-5c2e-9f6b-0123456789ac", "78");
	add_mdev("0000:99:00.3", "8a9c4f10-55a6-5c2e-9f6b-0123456789ad", "");
	tree_directory(&tree,
		       "sys/devices/pci0000:40/0000:41:00.3/8a9c4f10-55a6-5c2e-9f6b-0123456789ac/vfio-dev/vfio8");
	tree_process(&tree, 812, "qemu-web-01", "/dev/vfio/77");
	tree_process(&tree, 813, "qemu-web-02", "/dev/vfio/devices/vfio8");
	observe(true);
	ck_assert_msg(observed->vfio_state.known, "%s", observed->vfio_state.why);
	ck_assert_uint_eq(vf(0)->holder_count, 0);
	ck_assert_uint_eq(vf(1)->holder_count, 1);
	ck_assert_str_eq(vf(1)->holders[0].name, "qemu-web-01");
	ck_assert_uint_eq(vf(2)->holder_count, 1);
	ck_assert_str_eq(vf(2)->holders[0].name, "qemu-web-02");
	finish();
}
END_TEST

static void add_foreign_mdev(const char *parent, const char *uuid, const char *type)
{
	char path[256], target[256];
	snprintf(path, sizeof(path), "sys/bus/mdev/devices/%s", uuid);
	snprintf(target, sizeof(target), "../../../devices/%s/%s", parent, uuid);
	tree_link(&tree, path, target);
	snprintf(path, sizeof(path), "sys/devices/%s/%s/mdev_type", parent, uuid);
	snprintf(target, sizeof(target), "../mdev_supported_types/%s", type == NULL ? "" : type);
	if (type != NULL)
		tree_link(&tree, path, target);
}

/* On no PCI device: the kernel's sample mtty, and vfio-ap and vfio-ccw of IBM Z. */
START_TEST(a_mediated_device_of_others_makes_nothing_unknown)
{
	start(1, "nvidia");
	add_mdev("0000:41:00.1", UUID, "77");
	add_foreign_mdev("virtual/mtty/mtty", "8a9c4f10-55a6-5c2e-9f6b-0123456789ac", "mtty-1");
	add_foreign_mdev("css0/0.0.0313", "8a9c4f10-55a6-5c2e-9f6b-0123456789ad", "vfio_ccw-io");
	tree_process(&tree, 812, "qemu-web-01", "/dev/vfio/77");
	tree_process(&tree, 813, "qemu-tty", "/dev/vfio/78");
	observe(true);
	ck_assert_msg(observed->vfio_state.known, "%s", observed->vfio_state.why);
	ck_assert_uint_eq(vf(0)->holder_count, 1);
	finish();
}
END_TEST

static void count_mdev(void *context, const struct gp_mdev *mdev)
{
	ck_assert_str_eq(mdev->type, "nvidia-712");
	++*(size_t *)context;
}

START_TEST(a_mediated_device_of_others_is_there_and_no_more)
{
	static const char other[] = "8a9c4f10-55a6-5c2e-9f6b-0123456789ac";
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_mdev found;
	struct gp_uuid uuid;
	size_t count = 0;
	start(1, "nvidia");
	add_mdev("0000:41:00.1", UUID, "77");
	add_foreign_mdev("vfio_ap/matrix", other, NULL);
	observe(true);
	ck_assert_int_eq(gp_uuid_parse(other, &uuid), 0);
	ck_assert_msg(gp_host_find_mdev(host, uuid, &found, &err) == 1, "%s", err.message);
	ck_assert(found.foreign);
	ck_assert_msg(gp_host_each_mdev(host, count_mdev, &count, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(count, 1);
	/* What cannot be read may be anything. */
	tree_link(&tree, "sys/bus/mdev/devices/8a9c4f10-55a6-5c2e-9f6b-0123456789ad", "nowhere");
	ck_assert_int_eq(gp_host_each_mdev(host, count_mdev, &count, &err), -1);
	finish();
}
END_TEST

START_TEST(a_mediated_device_whose_group_is_not_known_is_unknown)
{
	start(1, "nvidia");
	add_mdev("0000:41:00.1", UUID, "");
	observe(true);
	ck_assert(observed->vfio_state.known); /* nobody has anything open */
	gp_observed_free(observed);
	gp_host_close(host);
	tree_process(&tree, 812, "qemu", "/dev/vfio/77");
	observe(true);
	ck_assert(!observed->vfio_state.known);
	finish();
}
END_TEST

START_TEST(clients_are_those_of_their_gpu)
{
	tree_make(&tree);
	nvidia_gpu("0000:51:00.0", 0);
	nvidia_gpu("0000:52:00.0", 1);
	nvidia_gpu("0000:53:00.0", 12);
	tree_process(&tree, 812, "nvidia-smi", "/dev/nvidia1");
	tree_link(&tree, "proc/812/fd/32", "/dev/nvidia1");
	tree_link(&tree, "proc/812/fd/33", "/srv/box/dev/nvidia12");
	tree_process(&tree, 813, "exporter", "/dev/nvidia12 (deleted)");
	tree_process(&tree, 814, "mgr", "/dev/nvidiactl");
	tree_process(&tree, 815, "mgr", "/dev/nvidia-uvm");
	tree_process(&tree, 816, "mgr", "/dev/nvidia-caps/nvidia-cap2");
	observe(true);
	ck_assert(observed->vfio_state.known);
	ck_assert_uint_eq(observed->gpus[0].client_count, 0);
	ck_assert_uint_eq(observed->gpus[1].client_count, 1);
	ck_assert_int_eq(observed->gpus[1].clients[0].kind, GP_HOLDER_CLIENT);
	ck_assert_str_eq(observed->gpus[1].clients[0].name, "nvidia-smi");
	ck_assert_uint_eq(observed->gpus[1].clients[0].pid, 812);
	ck_assert_uint_eq(observed->gpus[2].client_count, 2);
	finish();
}
END_TEST

/* Whose GPU is free of VFs has nothing to lose. */
START_TEST(unseen_clients_make_nothing_unknown)
{
	tree_make(&tree);
	nvidia_gpu("0000:51:00.0", 0);
	tree_file(&tree, "proc/900/fd", "");
	tree_process(&tree, 812, "nvidia-smi", "/dev/nvidia0");
	observe(true);
	ck_assert(observed->vfio_state.known);
	ck_assert_uint_eq(observed->gpus[0].client_count, 1);
	finish();
}
END_TEST

START_TEST(drivers_of_vfio_are_known_by_their_name)
{
	static const char *const vfio[] = {"vfio-pci", "xe-vfio-pci", "nvgrace-gpu-vfio-pci", "mlx5_vfio_pci"};
	for (size_t i = 0; i < 4; i++)
		ck_assert(gp_driver_is_vfio(vfio[i]));
	ck_assert(!gp_driver_is_vfio("xe"));
	ck_assert(!gp_driver_is_vfio("nvidia"));
	ck_assert(!gp_driver_is_vfio(NULL));
}
END_TEST

TREE_RUN("host_holders", a_group_that_is_open_holds_its_vf, a_device_file_holds_the_vf_that_it_belongs_to,
	 a_node_that_was_removed_still_holds, a_group_without_an_iommu_holds_too,
	 a_descriptor_that_cannot_be_read_is_unknown, two_processes_are_two_holders, without_a_bound_vf_nobody_is_asked,
	 a_vf_that_waits_to_be_unbound_is_held, a_group_of_another_device_asks_for_proc, no_proc_is_unknown,
	 a_captured_tree_is_unknown, a_process_that_cannot_be_seen_is_unknown,
	 a_closed_process_is_unknown_to_an_ordinary_user, a_device_without_the_file_that_tells_which_is_unknown,
	 a_process_directory_that_leads_elsewhere_is_not_followed, a_vf_with_its_vendors_driver_is_held_by_its_group,
	 a_vf_that_can_be_opened_and_has_no_group_is_unknown, a_mediated_device_that_is_open_holds_its_vf,
	 a_mediated_device_whose_group_is_not_known_is_unknown, a_mediated_device_of_others_makes_nothing_unknown,
	 a_mediated_device_of_others_is_there_and_no_more, clients_are_those_of_their_gpu,
	 unseen_clients_make_nothing_unknown, drivers_of_vfio_are_known_by_their_name)

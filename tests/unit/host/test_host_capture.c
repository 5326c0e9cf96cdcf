/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A capture is the machine as gpupart sees it: opened again, it shows the same, and it holds nothing else. */
#include <ftw.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/sim.h"
#include "host_tree.h"

static struct tree tree, copy;
static struct gp_error err;

static const char machine[] =
	"version: 1\n"
	"hostname: gpu-06\n"
	"gpus:\n"
	"  - {address: \"0000:41:00.0\", preset: flex-170, vfs: 4, slot: \"3\"}\n"
	"  - {address: \"0000:42:00.0\", preset: a16, vfs: 2}\n"
	"  - {address: \"0000:43:00.0\", preset: x710, vfs: 2}\n"
	"  - {address: \"0000:44:00.0\", preset: radeon-v620}\n"
	"vms:\n"
	"  - {name: web-01, state: running, running_for: 5m, vnc_password: geheim, autostart: true,\n"
	"     hostdevs: [{vf: \"0000:41:00.0/0\", ours: vdi, address: \"0000:07:00.0\"}]}\n"
	"  - {name: odd_name.2, vnc_password: geheim, hostdevs: [{vf: \"0000:41:00.0/1\"}]}\n"
	"  - {name: passing, state: running, persistent: false}\n"
	"  - {name: saved, managed_save: true}\n";

static struct gp_host *open_tree(const struct tree *which)
{
	struct gp_host *host = NULL;
	struct gp_host_options options = {.root = which->root};
	ck_assert_msg(gp_host_open(&options, &host, &err) == 0, "%s", err.message);
	return host;
}

/* All that is seen, as text; how long a VM runs is not compared, only whether it is known. */
static char *see(const struct tree *which, enum gp_host_kind kind)
{
	struct gp_host *host = open_tree(which);
	ck_assert_int_eq(gp_host_kind_of(host), kind);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *observed = gp_observed_new();
	ck_assert_msg(gp_pci_observe(host, NULL, 0, true, observed, &err) == 0, "%s", err.message);
	for (size_t i = 0; i < observed->gpu_count; i++)
		gp_pci_read_iommu_groups(host, &observed->gpus[i]);
	struct gp_vmm *vmm = gp_host_vmm(host, &err);
	ck_assert_msg(vmm != NULL && vmm->ops->observe(vmm, observed, &err) == 0, "%s", err.message);
	for (size_t i = 0; i < observed->domain_count; i++)
		observed->domains[i].running_ms = observed->domains[i].running_ms > 0;
	observed->hostname = gp_arena_strdup(observed->arena, gp_host_name(host));
	observed->kind = GP_HOST_CAPTURED;
	observed->root = "";
	struct json_object *object = gp_observed_to_json(observed);
	char *text = gp_xstrdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
	gp_host_close(host);
	return text;
}

static void make_machine_of(const char *text)
{
	char description[128];
	struct gp_diags diags = {0};
	struct gp_sources sources = {0};
	tree_make(&tree);
	tree_make(&copy);
	snprintf(description, sizeof(description), "%s.yaml", tree.root);
	FILE *file = fopen(description, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	int made = gp_sim_create(tree.root, description, &sources, &diags, &err);
	struct gp_str faults = {0};
	gp_diags_render(&diags, &faults, false);
	ck_assert_msg(made == 0 && diags.error_count == 0, "%s\n%s", err.message, gp_str_text(&faults));
	gp_diags_clear(&diags);
	gp_sources_clear(&sources);
	gp_str_clear(&faults);
	remove(description);
}

static void make_machine(void)
{
	make_machine_of(machine);
}

static int capture(void)
{
	struct gp_host *host = open_tree(&tree);
	int files = gp_host_capture(host, copy.root, &err);
	gp_host_close(host);
	return files;
}

static void finish(void)
{
	gp_error_clear(&err);
	tree_remove(&tree);
	tree_remove(&copy);
}

START_TEST(the_copy_shows_what_the_machine_shows)
{
	make_machine();
	ck_assert_msg(capture() > 0, "%s", err.message);
	gp_autofree char *original = see(&tree, GP_HOST_SIMULATED);
	gp_autofree char *copied = see(&copy, GP_HOST_CAPTURED);
	ck_assert_ptr_nonnull(strstr(original, "web-01"));
	ck_assert_str_eq(original, copied);
	finish();
}
END_TEST

START_TEST(a_copy_of_the_copy_is_the_same)
{
	make_machine();
	ck_assert_int_gt(capture(), 0);
	struct tree first = tree;
	tree = copy;
	tree_make(&copy);
	ck_assert_msg(capture() > 0, "%s", err.message);
	gp_autofree char *once = see(&tree, GP_HOST_CAPTURED);
	gp_autofree char *twice = see(&copy, GP_HOST_CAPTURED);
	ck_assert_str_eq(once, twice);
	tree_remove(&first);
	finish();
}
END_TEST

static bool has_secret, has_other_place;

static int look_for_what_must_not_be_there(const char *path, const struct stat *info GP_UNUSED, int type,
					   struct FTW *walk GP_UNUSED)
{
	char text[65536], target[512];
	if (type == FTW_SL) {
		ssize_t length = readlink(path, target, sizeof(target) - 1);
		has_other_place |= length <= 0 || target[0] == '/';
	}
	FILE *file = type == FTW_F ? fopen(path, "r") : NULL;
	if (file == NULL)
		return 0;
	size_t size = fread(text, 1, sizeof(text), file);
	has_secret |= memmem(text, size, "geheim", 6) != NULL;
	fclose(file);
	return 0;
}

START_TEST(no_secret_and_no_absolute_link_is_in_it)
{
	make_machine();
	has_secret = has_other_place = false;
	nftw(tree.root, look_for_what_must_not_be_there, 16, FTW_PHYS);
	ck_assert_msg(has_secret, "the machine has none, so that this would prove nothing");
	ck_assert_int_gt(capture(), 0);
	has_secret = has_other_place = false;
	nftw(copy.root, look_for_what_must_not_be_there, 16, FTW_PHYS);
	ck_assert(!has_secret);
	ck_assert(!has_other_place);
	finish();
}
END_TEST

START_TEST(only_the_names_of_these_devices_are_copied)
{
	make_machine();
	tree_file(&tree, "usr/share/misc/pci.ids",
		  "0001  Another\n\t25b6  Thing\n10de  NVIDIA Corporation\n\t0001  Older\n\t25b6  GA107GL [A2 / A16]\n"
		  "\t\t1028 0001  Board\n\t\t10de 14a9  A16\n8086  Intel Corporation\n\t56c0  Flex 170\n");
	ck_assert_int_gt(capture(), 0);
	struct gp_host *host = open_tree(&copy);
	char text[GP_ATTR_MAX];
	ck_assert_int_gt(gp_host_read(host, "usr/share/misc/pci.ids", text, sizeof(text), &err), 0);
	ck_assert_str_eq(text, "8086  Intel Corporation\n\t56c0  Flex 170\n"
			       "10de  NVIDIA Corporation\n\t25b6  GA107GL [A2 / A16]\n\t\t10de 14a9  A16");
	gp_host_close(host);
	finish();
}
END_TEST

START_TEST(vms_that_cannot_be_seen_are_unknown_in_the_copy)
{
	make_machine();
	static const char *const down[] = {"libvirt-down"};
	ck_assert_int_eq(gp_sim_fault(tree.root, down, 1, &err), 0);
	ck_assert_int_gt(capture(), 0);
	struct gp_host *host = open_tree(&copy);
	ck_assert_ptr_null(gp_host_vmm(host, &err));
	ck_assert_int_eq(err.kind, GP_E_UNAVAILABLE);
	gp_host_close(host);
	finish();
}
END_TEST

START_TEST(a_definition_that_cannot_be_read_stays_one)
{
	make_machine();
	tree_file(&tree, "etc/libvirt/qemu/broken.xml", "<domain><name>broken");
	ck_assert_int_gt(capture(), 0);
	struct gp_host *host = open_tree(&copy);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *observed = gp_observed_new();
	struct gp_vmm *vmm = gp_host_vmm(host, &err);
	ck_assert_ptr_nonnull(vmm);
	ck_assert_int_eq(vmm->ops->observe(vmm, observed, &err), 0);
	ck_assert_uint_eq(observed->domain_count, 5);
	ck_assert_str_eq(observed->domains[0].name, "broken");
	ck_assert(!observed->domains[0].config_known);
	gp_host_close(host);
	finish();
}
END_TEST

/* ---- NVIDIA's vGPUs ---- */

#define UUID "8a9c4f10-55a6-5c2e-9f6b-0123456789ab"

static const char vgpu_machine[] =
	"version: 1\n"
	"hostname: gpu-07\n"
	"libvirt: 9.3.2\n"
	"gpus:\n"
	"  - {address: \"0000:41:00.0\", preset: a16, profiles: [A16-4Q, none]}\n"
	"  - {address: \"0000:42:00.0\", preset: a16, framework: mdev, mdevs: [{vf: 1, profile: A16-2Q, uuid: " UUID
	"}]}\n"
	"vms:\n"
	"  - {name: web-01, hostdevs: [{mdev: " UUID "}]}\n";

static const char *vf_of(struct gp_host *host, const char *pf, unsigned vf)
{
	static char text[GP_PCI_ADDR_SIZE];
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/virtfn%u", pf, vf);
	ck_assert_int_gt(gp_host_read_link(host, path, text, sizeof(text), &err), 0);
	return text;
}

/* The same text in the copy as on the machine. */
static void expect_same(struct gp_host *original, struct gp_host *copied, const char *path)
{
	char *here, *there;
	size_t size, copied_size;
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	ck_assert_msg(gp_host_read_file(original, path, 1 << 20, arena, &here, &size, &err) == 0, "%s", path);
	ck_assert_msg(gp_host_read_file(copied, path, 1 << 20, arena, &there, &copied_size, &err) == 0, "%s", path);
	ck_assert_msg(size == copied_size && memcmp(here, there, size) == 0, "%s", path);
}

START_TEST(vgpus_and_what_their_driver_says_are_in_it)
{
	static const char *const of_machine[] = {"proc/driver/nvidia/version", "proc/driver/nvidia/params",
						 "sys/module/nvidia/version", GP_VGPU_CONFIG};
	static const char *const of_vf[] = {"creatable_vgpu_types", "current_vgpu_type", "vgpu_params"};
	static const char *const of_type[] = {"name", "device_api", "available_instances", "description"};
	make_machine_of(vgpu_machine);
	ck_assert_msg(capture() > 0, "%s", err.message);
	struct gp_host *original = open_tree(&tree), *copied = open_tree(&copy);
	for (size_t i = 0; i < 4; i++)
		expect_same(original, copied, of_machine[i]);
	for (size_t i = 0; i < 3; i++) {
		gp_autofree char *path =
			gp_xasprintf("sys/bus/pci/devices/%s/nvidia/%s", vf_of(original, "0000:41:00.0", 0), of_vf[i]);
		expect_same(original, copied, path);
	}
	for (size_t i = 0; i < 4; i++) {
		gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/mdev_supported_types/nvidia-712/%s",
						      vf_of(original, "0000:42:00.0", 2), of_type[i]);
		expect_same(original, copied, path);
	}
	gp_autofree char *bus = gp_xasprintf("sys/class/mdev_bus/%s", vf_of(original, "0000:42:00.0", 2));
	ck_assert(gp_host_exists(copied, bus));
	gp_host_close(original);
	gp_host_close(copied);
	finish();
}
END_TEST

START_TEST(mediated_devices_are_found_again)
{
	make_machine_of(vgpu_machine);
	ck_assert_msg(capture() > 0, "%s", err.message);
	struct gp_host *copied = open_tree(&copy);
	struct gp_mdev found;
	struct gp_uuid uuid;
	uint32_t group;
	ck_assert_int_eq(gp_uuid_parse(UUID, &uuid), 0);
	ck_assert_msg(gp_host_find_mdev(copied, uuid, &found, &err) == 1, "%s", err.message);
	char addr[GP_PCI_ADDR_SIZE];
	ck_assert_str_eq(gp_pci_addr_format(found.parent, addr), vf_of(copied, "0000:42:00.0", 1));
	ck_assert_str_eq(found.type, "nvidia-712");
	ck_assert(gp_mdev_iommu_group(copied, UUID, &group));
	gp_autofree char *listed =
		gp_xasprintf("sys/bus/pci/devices/%s/mdev_supported_types/nvidia-712/devices/" UUID "/mdev_type", addr);
	ck_assert(gp_host_exists(copied, listed));
	gp_host_close(copied);
	finish();
}
END_TEST

START_TEST(the_releases_of_those_who_run_the_vms_are_known)
{
	make_machine_of(vgpu_machine);
	ck_assert_int_gt(capture(), 0);
	struct gp_host *copied = open_tree(&copy);
	struct gp_vmm *vmm = gp_host_vmm(copied, &err);
	struct gp_hypervisor found;
	ck_assert_ptr_nonnull(vmm);
	vmm->ops->version(vmm, &found);
	ck_assert_uint_eq(found.version, 9003002);
	ck_assert_uint_gt(found.emulator, 0);
	gp_host_close(copied);
	/* Of a copy that an older version made it is not known; nor of one that somebody has edited. */
	static const char *const texts[] = {"", "9003002", "9003002 x", "many words"};
	for (size_t i = 0; i < 4; i++) {
		tree_file(&copy, "run/libvirt/versions", texts[i]);
		copied = open_tree(&copy);
		vmm = gp_host_vmm(copied, &err);
		vmm->ops->version(vmm, &found);
		ck_assert_uint_eq(found.version, 0);
		gp_host_close(copied);
	}
	finish();
}
END_TEST

START_TEST(what_only_one_gpu_has_stays_where_it_is)
{
	make_machine_of(vgpu_machine);
	tree_file(&tree, "proc/driver/nvidia/gpus/0000:41:00.0/information",
		  "Model: \t\t NVIDIA A16\nGPU UUID: \t GPU-geheim\nDevice Minor: \t 3\n");
	ck_assert_int_gt(capture(), 0);
	struct gp_host *copied = open_tree(&copy);
	char text[GP_ATTR_MAX];
	ck_assert_int_gt(
		gp_host_read(copied, "proc/driver/nvidia/gpus/0000:41:00.0/information", text, sizeof(text), &err), 0);
	ck_assert_str_eq(text, "Model: \t\t NVIDIA A16\nDevice Minor: \t 3");
	gp_host_close(copied);
	finish();
}
END_TEST

START_TEST(nothing_is_overwritten)
{
	make_machine();
	tree_file(&copy, "mine", "x");
	ck_assert_int_eq(capture(), -1);
	ck_assert_int_eq(err.kind, GP_E_USAGE);
	finish();
}
END_TEST

TREE_RUN("host_capture", the_copy_shows_what_the_machine_shows, a_copy_of_the_copy_is_the_same,
	 no_secret_and_no_absolute_link_is_in_it, only_the_names_of_these_devices_are_copied,
	 vgpus_and_what_their_driver_says_are_in_it, mediated_devices_are_found_again,
	 the_releases_of_those_who_run_the_vms_are_known, what_only_one_gpu_has_stays_where_it_is,
	 vms_that_cannot_be_seen_are_unknown_in_the_copy, a_definition_that_cannot_be_read_stays_one,
	 nothing_is_overwritten)

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
		gp_pci_read_iommu_groups(host, &observed->gpus[i], true);
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
	int files = gp_host_capture(host, copy.root, NULL, &err);
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

/* ---- anonymous ---- */

static struct gp_renames renames;

static int capture_anonymously(void)
{
	struct gp_host *host = open_tree(&tree);
	int files = gp_host_capture(host, copy.root, &renames, &err);
	gp_host_close(host);
	return files;
}

/* What stands for it; NULL: nothing. */
static const char *renamed(const char *what, const char *from)
{
	for (size_t i = 0; i < renames.count; i++)
		if (gp_streq(renames.items[i].what, what) && gp_streq(renames.items[i].from, from))
			return renames.items[i].to;
	return NULL;
}

static void finish_anonymous(void)
{
	gp_renames_clear(&renames);
	finish();
}

START_TEST(names_keep_their_order)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text,
		   "version: 1\nhostname: h\ngpus:\n  - {address: \"0000:41:00.0\", preset: flex-170, vfs: 4}\nvms:\n");
	for (char c = 'l'; c >= 'a'; c--)
		gp_str_printf(&text, "  - {name: %c}\n", c);
	make_machine_of(gp_str_text(&text));
	ck_assert_msg(capture_anonymously() > 0, "%s", err.message);
	ck_assert_str_eq(renamed("VM", "a"), "vm-01");
	ck_assert_str_eq(renamed("VM", "l"), "vm-12");
	ck_assert_str_eq(renamed("host", "h"), "anonymous");
	finish_anonymous();
}
END_TEST

/* Of a VM that is renamed, what follows from it follows from its new name; what somebody made by hand does not. */
START_TEST(mediated_devices_of_ours_stay_ours)
{
	static const char text[] = "version: 1\n"
				   "gpus:\n"
				   "  - {address: \"0000:42:00.0\", preset: a16, framework: mdev, profile: A16-2Q,\n"
				   "     mdevs: [{vf: 5, profile: A16-2Q, uuid: " UUID "}]}\n"
				   "vms:\n"
				   "  - {name: cad, hostdevs: [{vf: \"0000:42:00.0/0\", ours: cad}]}\n"
				   "  - {name: hand, hostdevs: [{mdev: " UUID "}]}\n";
	make_machine_of(text);
	ck_assert_msg(capture_anonymously() > 0, "%s", err.message);
	struct gp_host *copied = open_tree(&copy);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *observed = gp_observed_new();
	struct gp_vmm *vmm = gp_host_vmm(copied, &err);
	ck_assert_msg(vmm != NULL && vmm->ops->observe(vmm, observed, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(observed->domain_count, 2);
	const struct gp_domain *cad = &observed->domains[0], *hand = &observed->domains[1];
	ck_assert_str_eq(cad->name, "vm-1");
	ck_assert(gp_uuid_equal(cad->config[0].mdev, gp_mdev_uuid(cad->uuid, 0)));
	ck_assert_str_eq(cad->config[0].alias, "ua-gpupart-0-class-1");
	struct gp_mdev found;
	ck_assert_int_eq(gp_host_find_mdev(copied, cad->config[0].mdev, &found, &err), 1);
	ck_assert_int_eq(gp_host_find_mdev(copied, hand->config[0].mdev, &found, &err), 1);
	char to[GP_UUID_SIZE];
	ck_assert_str_eq(renamed("UUID", UUID), gp_uuid_format(hand->config[0].mdev, to));
	ck_assert_str_ne(to, UUID);
	gp_host_close(copied);
	finish_anonymous();
}
END_TEST

static void put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* Capabilities by hand: one that is kept, and each that tells which piece of hardware this is. */
START_TEST(serial_numbers_are_not_in_it)
{
	enum { EXPRESS = 0x40, VPD = 0x80, SRIOV = 0x100, SERIAL = 0x148, VENDOR = 0x160 };
	static const char path[] = "sys/bus/pci/devices/0000:41:00.0/config";
	uint8_t space[4096], kept[4096];
	make_machine();
	gp_autofree char *file = gp_xasprintf("%s/%s", tree.root, path);
	gp_autofree char *other = gp_xasprintf("%s/%s", copy.root, path);
	memset(space, 0xee, sizeof(space));
	memset(space, 0, 64);
	space[6] = 1 << 4;
	space[0x34] = EXPRESS;
	put_u32(space + EXPRESS, 0x00020010 | VPD << 8);
	put_u32(space + VPD, 0x0003);
	put_u32(space + SRIOV, 0x00010010 | (uint32_t)SERIAL << 20);
	put_u32(space + SERIAL, 0x00010003 | (uint32_t)VENDOR << 20);
	put_u32(space + VENDOR, 0x0001000b);
	FILE *out = fopen(file, "w");
	ck_assert(out != NULL && fwrite(space, 1, sizeof(space), out) == sizeof(space) && fclose(out) == 0);
	ck_assert_msg(capture_anonymously() > 0, "%s", err.message);
	FILE *in = fopen(other, "r");
	ck_assert(in != NULL && fread(kept, 1, sizeof(kept), in) == sizeof(kept) && fclose(in) == 0);
	for (size_t i = 0; i < sizeof(kept); i++) {
		bool whole = i < 64 || (i >= EXPRESS && i < EXPRESS + 60) || (i >= SRIOV && i < SRIOV + 64);
		bool head =
			(i >= VPD && i < VPD + 2) || (i >= SERIAL && i < SERIAL + 4) || (i >= VENDOR && i < VENDOR + 4);
		ck_assert_msg(kept[i] == (whole || head ? space[i] : 0), "byte %zx is %02x", i, kept[i]);
	}
	finish_anonymous();
}
END_TEST

/* A chain that leads nowhere, or round in circles, and a space that ends early. */
START_TEST(odd_configuration_spaces_are_survived)
{
	static const size_t sizes[] = {0, 1, 63, 64, 65, 0x41, 255, 256, 257, 260, 0x110, 4095};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t space[4096];
		make_machine();
		gp_autofree char *file = gp_xasprintf("%s/sys/bus/pci/devices/0000:41:00.0/config", tree.root);
		memset(space, 0xff, sizeof(space));
		space[0x34] = 0x40;
		space[0x41] = 0x40;
		put_u32(space + 0x100, 0x00010010 | (uint32_t)0x100 << 20);
		FILE *out = fopen(file, "w");
		ck_assert(out != NULL && fwrite(space, 1, sizes[i], out) == sizes[i] && fclose(out) == 0);
		ck_assert_msg(capture_anonymously() > 0, "%s", err.message);
		finish_anonymous();
	}
}
END_TEST

/* A device that an interface holds is one in the copy, too, of a running VM and of one that is off. */
START_TEST(what_an_interface_holds_is_told_apart)
{
	static const char definition[] =
		"<domain type='kvm'><name>net</name><uuid>11111111-2222-4333-8444-555555555555</uuid><devices>"
		"<interface type='hostdev' managed='yes'><mac address='52:54:00:12:34:56'/><source>"
		"<address type='pci' domain='0' bus='0x41' slot='0' "
		"function='3'/></source></interface></devices></domain>";
	make_machine();
	gp_autofree char *live = gp_xasprintf("<domstatus state='running' reason='booted'>%s</domstatus>", definition);
	tree_file(&tree, "etc/libvirt/qemu/net.xml", definition);
	tree_file(&tree, "run/libvirt/qemu/net.xml", live);
	ck_assert_msg(capture() > 0, "%s", err.message);
	gp_autofree char *original = see(&tree, GP_HOST_SIMULATED);
	gp_autofree char *copied = see(&copy, GP_HOST_CAPTURED);
	ck_assert_str_eq(original, copied);
	ck_assert_ptr_nonnull(strstr(copied, "\"elsewhere\":true"));
	struct tree first = copy;
	tree_make(&copy);
	ck_assert_msg(capture_anonymously() > 0, "%s", err.message);
	gp_autofree char *anonymous = see(&copy, GP_HOST_CAPTURED);
	ck_assert_ptr_nonnull(strstr(anonymous, "\"elsewhere\":true"));
	tree_remove(&first);
	finish_anonymous();
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
	 nothing_is_overwritten, names_keep_their_order, mediated_devices_of_ours_stay_ours,
	 serial_numbers_are_not_in_it, odd_configuration_spaces_are_survived, what_an_interface_holds_is_told_apart)

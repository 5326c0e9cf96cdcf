/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading inside a root: nothing leads out, and what cannot be read is told clearly. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host_tree.h"

static struct tree tree;
static struct gp_host *host;

static void setup(void)
{
	tree_make(&tree);
	host = NULL;
}

static void open_captured(void)
{
	host = tree_open(&tree, false, GP_HOST_READ_ONLY);
}

static void teardown(void)
{
	gp_host_close(host);
	tree_remove(&tree);
}

static void expect_text(const char *path, const char *expected)
{
	char text[256];
	struct gp_error err = {0};
	ck_assert_msg(gp_host_read(host, path, text, sizeof(text), &err) >= 0, "%s: %s", path, err.message);
	ck_assert_str_eq(text, expected);
	gp_error_clear(&err);
}

static void expect_failure(const char *path, enum gp_error_kind kind)
{
	char text[256];
	struct gp_error err = {0};
	ck_assert_int_eq(gp_host_read(host, path, text, sizeof(text), &err), -1);
	ck_assert_msg(err.kind == kind, "%s: %s (%s)", path, gp_error_kind_name(err.kind), err.message);
	ck_assert_ptr_nonnull(err.subject);
	gp_error_clear(&err);
}

START_TEST(an_absolute_link_starts_at_the_root)
{
	setup();
	tree_file(&tree, "etc/passwd", "ours\n");
	tree_link(&tree, "sys/absolute", "/etc/passwd");
	tree_link(&tree, "sys/outside", "/etc/hosts");
	open_captured();
	expect_text("sys/absolute", "ours");
	expect_failure("sys/outside", GP_E_NOT_FOUND);
	ck_assert(!gp_host_exists(host, "sys/outside/x"));
	teardown();
}
END_TEST

START_TEST(dots_stop_at_the_root)
{
	setup();
	tree_file(&tree, "etc/passwd", "ours\n");
	tree_link(&tree, "sys/up", "../../../../../../../../../../etc/passwd");
	open_captured();
	expect_text("sys/up", "ours");
	expect_text("../../../../../../etc/passwd", "ours");
	expect_text("/etc/passwd", "ours");
	teardown();
}
END_TEST

START_TEST(a_directory_on_the_way_that_leads_out_does_not)
{
	setup();
	tree_file(&tree, "etc/kept", "ours\n");
	tree_link(&tree, "sys/away", "/etc");
	tree_link(&tree, "sys/up", "../../../../../../../..");
	open_captured();
	expect_text("sys/away/kept", "ours");
	expect_failure("sys/away/passwd", GP_E_NOT_FOUND);
	expect_text("sys/up/etc/kept", "ours");
	expect_failure("sys/up/etc/passwd", GP_E_NOT_FOUND);
	teardown();
}
END_TEST

START_TEST(names_below_a_directory_follow_no_link_at_all)
{
	setup();
	tree_file(&tree, "sys/device/class", "0x030000\n");
	tree_link(&tree, "sys/device/link", "class");
	tree_link(&tree, "sys/device/dir", ".");
	open_captured();
	char text[64];
	gp_autoclose int fd = gp_open_inside(host->root_fd, "sys/device", O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(gp_read_inside(fd, "class", text, sizeof(text), GP_INSIDE_PLAIN), 8);
	ck_assert_int_eq(gp_read_inside(fd, "link", text, sizeof(text), GP_INSIDE_PLAIN), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(gp_read_inside(fd, "dir/class", text, sizeof(text), GP_INSIDE_PLAIN), -1);
	ck_assert_int_eq(gp_read_inside(fd, "../device/class", text, sizeof(text), GP_INSIDE_PLAIN), -1);
	ck_assert_int_eq(gp_readlink_inside(fd, "link", text, sizeof(text), GP_INSIDE_PLAIN), 5);
	ck_assert_str_eq(text, "class");
	ck_assert_int_eq(gp_readlink_inside(fd, "dir/link", text, sizeof(text), GP_INSIDE_PLAIN), -1);
	teardown();
}
END_TEST

START_TEST(magic_links_are_read_and_never_followed)
{
	setup();
	gp_autoclose int fd = open("/", O_PATH | O_CLOEXEC);
	char path[64], text[256];
	snprintf(path, sizeof(path), "proc/%d/fd/%d", (int)getpid(), fd);
	ck_assert_int_eq(gp_readlink_inside(fd, path, text, sizeof(text), GP_INSIDE_ROOT), 1);
	ck_assert_str_eq(text, "/");
	ck_assert_int_lt(gp_open_inside(fd, path, O_PATH, 0, GP_INSIDE_ROOT), 0);
	ck_assert_int_eq(errno, ELOOP);
	teardown();
}
END_TEST

START_TEST(readers_are_typed_and_bounded)
{
	setup();
	char large[GP_ATTR_MAX + 10];
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	tree_file(&tree, "sys/number", "42\n");
	tree_file(&tree, "sys/hex", "0x8086\n");
	tree_file(&tree, "sys/words", "many\n");
	tree_file(&tree, "sys/empty", "");
	tree_file(&tree, "sys/large", large);
	tree_bytes(&tree, "sys/binary", "a\0b", 3);
	open_captured();
	uint64_t value;
	struct gp_error err = {0};
	ck_assert_int_eq(gp_host_read_u64(host, "sys/number", &value, &err), 0);
	ck_assert_uint_eq(value, 42);
	ck_assert_int_eq(gp_host_read_u64(host, "sys/hex", &value, &err), 0);
	ck_assert_uint_eq(value, 0x8086);
	ck_assert_int_eq(gp_host_read_u64(host, "sys/words", &value, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
	gp_autofree char *words = gp_xasprintf("%s/sys/words", tree.root);
	ck_assert_str_eq(err.subject, words);
	gp_error_clear(&err);
	expect_text("sys/empty", "");
	expect_failure("sys/large", GP_E_CORRUPT);
	expect_failure("sys/binary", GP_E_CORRUPT);
	expect_failure("sys", GP_E_IO);
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	char *text;
	size_t size;
	ck_assert_int_eq(gp_host_read_file(host, "sys/binary", 16, arena, &text, &size, &err), 0);
	ck_assert_uint_eq(size, 3);
	ck_assert_int_eq(gp_host_read_file(host, "sys/large", 100, arena, &text, &size, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
	gp_error_clear(&err);
	teardown();
}
END_TEST

START_TEST(a_pipe_holds_nobody_up)
{
	setup();
	char path[256];
	tree_directory(&tree, "sys");
	tree_path(&tree, "sys/pipe", path, sizeof(path));
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	open_captured();
	expect_text("sys/pipe", "");
	teardown();
}
END_TEST

START_TEST(an_error_names_device_and_attribute)
{
	setup();
	tree_usual(&tree, 0, NULL);
	open_captured();
	struct gp_error err = {0};
	char text[16];
	ck_assert_int_eq(gp_host_read(host, "sys/bus/pci/devices/0000:41:00.0/nothing", text, sizeof(text), &err), -1);
	ck_assert_str_eq(err.subject, "0000:41:00.0 nothing");
	ck_assert_int_eq(err.sys, ENOENT);
	gp_error_clear(&err);
	ck_assert_int_eq(gp_host_read_link(host, "sys/bus/pci/devices/0000:41:00.0/class", text, sizeof(text), &err),
			 -1);
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
	gp_error_clear(&err);
	ck_assert_int_eq(gp_host_read_link(host, "sys/bus/pci/devices/0000:41:00.0/driver", text, sizeof(text), &err),
			 2);
	ck_assert_str_eq(text, "xe");
	teardown();
}
END_TEST

static int join_names(void *context, const char *name)
{
	struct gp_str *names = context;
	gp_str_printf(names, "%s ", name);
	return strcmp(name, "c") == 0;
}

START_TEST(names_come_sorted_until_stopped)
{
	setup();
	static const char *const names[] = {"d/z/1", "d/b/1", "d/a/1", "d/c/1"};
	for (size_t i = 0; i < 4; i++)
		tree_file(&tree, names[i], "");
	open_captured();
	GP_CLEANUP(gp_str_clear) struct gp_str seen = {0};
	ck_assert_int_eq(gp_host_list(host, "d", join_names, &seen, NULL), 0);
	ck_assert_str_eq(seen.text, "a b c ");
	struct gp_error err = {0};
	ck_assert_int_eq(gp_host_list(host, "e", join_names, &seen, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	gp_error_clear(&err);
	teardown();
}
END_TEST

START_TEST(a_captured_machine_is_not_written_and_has_no_libvirt)
{
	setup();
	struct gp_error err = {0};
	tree_directory(&tree, "sys/bus/pci/devices");
	struct gp_host_options write = {.root = tree.root, .mode = GP_HOST_READ_WRITE, .writer_path = "x"};
	ck_assert_int_eq(gp_host_open(&write, &host, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_USAGE);
	gp_error_clear(&err);
	struct gp_host_options connect = {.root = tree.root, .connect_uri = "qemu:///system"};
	ck_assert_int_eq(gp_host_open(&connect, &host, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_USAGE);
	gp_error_clear(&err);
	struct gp_host_options missing = {.root = "/nonexistent/place"};
	ck_assert_int_eq(gp_host_open(&missing, &host, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	gp_error_clear(&err);
	host = NULL;
	teardown();
}
END_TEST

START_TEST(a_directory_without_a_bus_is_no_machine)
{
	setup();
	struct gp_error err = {0};
	for (int mode = GP_HOST_READ_ONLY; mode <= GP_HOST_READ_WRITE; mode++) {
		struct gp_host_options options = {.root = tree.root, .mode = mode, .writer_path = GP_WRITER};
		ck_assert_int_eq(gp_host_open(&options, &host, &err), -1);
		ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
		gp_autofree char *expected = gp_xasprintf(
			"%s is no simulated or captured machine: it has no sys/bus/pci/devices", tree.root);
		ck_assert_str_eq(err.message, expected);
		gp_error_clear(&err);
	}
	host = NULL;
	teardown();
}
END_TEST

START_TEST(paths_in_errors_begin_with_the_root)
{
	setup();
	struct gp_error err = {0};
	char text[16];
	tree_directory(&tree, "sys/bus/pci/devices");
	gp_autofree char *named = gp_xasprintf("%s//", tree.root);
	gp_autofree char *expected = gp_xasprintf("%s/etc/nothing", tree.root);
	struct gp_host_options options = {.root = named};
	ck_assert_int_eq(gp_host_open(&options, &host, &err), 0);
	ck_assert_int_eq(gp_host_read(host, "etc/nothing", text, sizeof(text), &err), -1);
	ck_assert_str_eq(err.subject, expected);
	/* A device is the same one, wherever its files are. */
	ck_assert_int_eq(gp_host_read(host, "sys/bus/pci/devices/0000:41:00.0/class", text, sizeof(text), &err), -1);
	ck_assert_str_eq(err.subject, "0000:41:00.0 class");
	gp_error_clear(&err);
	teardown();
}
END_TEST

START_TEST(the_real_machine_is_known_by_what_it_is_not_by_its_name)
{
	setup();
	static const char *const names[] = {NULL, "/", "//", "/..", "/tmp/.."};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct gp_error err = {0};
		struct gp_host_options options = {.root = names[i]};
		ck_assert_int_eq(gp_host_open(&options, &host, &err), 0);
		ck_assert_int_eq(gp_host_kind_of(host), GP_HOST_LIVE);
		ck_assert_str_eq(gp_host_root(host), "/");
		gp_host_close(host);
	}
	host = tree_open(&tree, true, GP_HOST_READ_WRITE);
	ck_assert_int_eq(gp_host_kind_of(host), GP_HOST_SIMULATED);
	ck_assert_str_eq(gp_host_name(host), "localhost");
	teardown();
}
END_TEST

START_TEST(the_name_of_a_tree_is_in_the_tree)
{
	setup();
	tree_file(&tree, "etc/hostname", "gpu-07\n");
	open_captured();
	ck_assert_str_eq(gp_host_name(host), "gpu-07");
	teardown();
}
END_TEST

START_TEST(attribute_paths_refuse_hostile_names)
{
	static const struct {
		enum gp_step_base base;
		const char *device, *attribute, *path;
	} rows[] = {
		{GP_BASE_PCI, "0000:41:00.0", "sriov_numvfs", "sys/bus/pci/devices/0000:41:00.0/sriov_numvfs"},
		{GP_BASE_PCI, "0000:41:00.0", "sriov_admin/.bulk_profile/vram_quota",
		 "sys/bus/pci/devices/0000:41:00.0/sriov_admin/.bulk_profile/vram_quota"},
		{GP_BASE_DRM, "card1", "iov/pf/auto_provisioning", "sys/class/drm/card1/iov/pf/auto_provisioning"},
		{GP_BASE_NVIDIA_PROC, "0000:41:00.0", "unbindLock", "proc/driver/nvidia/gpus/0000:41:00.0/unbindLock"},
		{GP_BASE_PCI, "41:00.0", "sriov_numvfs", NULL},
		{GP_BASE_PCI, "vf:0000:41:00.0/3", "x", NULL},
		{GP_BASE_PCI, "0000:41:00.0", "../../../etc/passwd", NULL},
		{GP_BASE_PCI, "0000:41:00.0", "a/../b", NULL},
		{GP_BASE_PCI, "0000:41:00.0", "/etc", NULL},
		{GP_BASE_PCI, "0000:41:00.0", "a//b", NULL},
		{GP_BASE_PCI, "0000:41:00.0", "", NULL},
		{GP_BASE_PCI, "0000:41:00.0", "a b", NULL},
		{GP_BASE_PCI, "..", "x", NULL},
		{GP_BASE_DRM, "..", "x", NULL},
		{GP_BASE_DRM, "card1/../..", "x", NULL},
		{GP_BASE_PCI, "0000:41:00.4", "mdev_supported_types/nvidia-712/create",
		 "sys/bus/pci/devices/0000:41:00.4/mdev_supported_types/nvidia-712/create"},
		{GP_BASE_MDEV, "c2177883-f1bb-47f0-914d-32a22e3a8804", "remove",
		 "sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804/remove"},
		{GP_BASE_MDEV, "C2177883-F1BB-47F0-914D-32A22E3A8804", "remove", NULL}, /* the kernel writes it small */
		{GP_BASE_MDEV, "not-a-uuid", "remove", NULL},
		{GP_BASE_DOMAIN, "web-01", "x", NULL},
		{GP_BASE_PCI, NULL, "x", NULL},
		{GP_BASE_PCI, "0000:41:00.0", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		int result = gp_host_attribute_path(rows[i].base, rows[i].device, rows[i].attribute, &path, &err);
		if (rows[i].path == NULL) {
			ck_assert_msg(result == -1 && err.kind == GP_E_INTERNAL, "row %zu", i);
			continue;
		}
		ck_assert_int_eq(result, 0);
		ck_assert_str_eq(path.text, rows[i].path);
	}
}
END_TEST

TREE_RUN("host_sysfs", an_absolute_link_starts_at_the_root, dots_stop_at_the_root,
	 a_directory_on_the_way_that_leads_out_does_not, names_below_a_directory_follow_no_link_at_all,
	 magic_links_are_read_and_never_followed, readers_are_typed_and_bounded, a_pipe_holds_nobody_up,
	 an_error_names_device_and_attribute, names_come_sorted_until_stopped, a_directory_without_a_bus_is_no_machine,
	 paths_in_errors_begin_with_the_root, a_captured_machine_is_not_written_and_has_no_libvirt,
	 the_real_machine_is_known_by_what_it_is_not_by_its_name, the_name_of_a_tree_is_in_the_tree,
	 attribute_paths_refuse_hostile_names)

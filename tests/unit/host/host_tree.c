/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CONFIG_SIZE = 4096, CAP_EXPRESS = 0x40, CAP_SRIOV = 0x160 };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

void tree_make(struct tree *tree)
{
	const char *directory = getenv("TMPDIR");
	snprintf(tree->root, sizeof(tree->root), "%.40s/gpupart-XXXXXX", directory != NULL ? directory : "/tmp");
	must(mkdtemp(tree->root) != NULL, "mkdtemp");
}

static int remove_one(const char *path, const struct stat *info GP_UNUSED, int type GP_UNUSED,
		      struct FTW *walk GP_UNUSED)
{
	return remove(path);
}

void tree_remove(struct tree *tree)
{
	nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void tree_path(const struct tree *tree, const char *path, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", tree->root, path);
}

static void make_directories(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
		*slash = '/';
	}
}

void tree_bytes(const struct tree *tree, const char *path, const void *bytes, size_t size)
{
	char whole[512];
	tree_path(tree, path, whole, sizeof(whole));
	make_directories(whole);
	FILE *file = fopen(whole, "w");
	must(file != NULL, whole);
	must(fwrite(bytes, 1, size, file) == size, whole);
	must(fclose(file) == 0, whole);
}

void tree_file(const struct tree *tree, const char *path, const char *text)
{
	tree_bytes(tree, path, text, strlen(text));
}

void tree_link(const struct tree *tree, const char *path, const char *target)
{
	char whole[512];
	tree_path(tree, path, whole, sizeof(whole));
	make_directories(whole);
	unlink(whole);
	must(symlink(target, whole) == 0, whole);
}

void tree_directory(const struct tree *tree, const char *path)
{
	char whole[512];
	snprintf(whole, sizeof(whole), "%s/%s/", tree->root, path);
	make_directories(whole);
}

static void put16(uint8_t *bytes, size_t at, uint32_t value)
{
	bytes[at] = (uint8_t)value;
	bytes[at + 1] = (uint8_t)(value >> 8);
}

static void fill_config(uint8_t *bytes, const struct tree_pf *pf)
{
	put16(bytes, 0x00, pf->vendor);
	put16(bytes, 0x02, pf->device);
	put16(bytes, 0x06, 0x0010); /* status: has capabilities */
	put16(bytes, 0x0a, pf->pci_class >> 8);
	put16(bytes, 0x2c, pf->vendor);
	put16(bytes, 0x2e, 0x4905);
	bytes[0x34] = CAP_EXPRESS;
	bytes[CAP_EXPRESS] = 0x10;
	put16(bytes, 0x100, 0x0001); /* advanced error reporting, then SR-IOV */
	put16(bytes, 0x102, 0x1 | CAP_SRIOV << 4);
	put16(bytes, CAP_SRIOV, 0x0010);
	put16(bytes, CAP_SRIOV + 2, 0x1);
	put16(bytes, CAP_SRIOV + 0x08, pf->control);
	put16(bytes, CAP_SRIOV + 0x0e, pf->total_vfs);
	put16(bytes, CAP_SRIOV + 0x10, pf->num_vfs);
	put16(bytes, CAP_SRIOV + 0x14, pf->offset);
	put16(bytes, CAP_SRIOV + 0x16, pf->stride);
}

static void on_bus(const struct tree *tree, const char *addr, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "sys/devices/pci0000:40/%s/%s", addr, name);
	tree_file(tree, path, text);
}

static void link_on_bus(const struct tree *tree, const char *addr, const char *name, const char *target)
{
	char path[256];
	snprintf(path, sizeof(path), "sys/devices/pci0000:40/%s/%s", addr, name);
	tree_link(tree, path, target);
}

static void join_bus(const struct tree *tree, const char *addr, const char *driver)
{
	char path[256], target[256];
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", addr);
	snprintf(target, sizeof(target), "../../../devices/pci0000:40/%s", addr);
	tree_link(tree, path, target);
	if (driver == NULL)
		return;
	snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s", driver);
	tree_directory(tree, path);
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	link_on_bus(tree, addr, "driver", target);
}

void tree_pf(const struct tree *tree, const struct tree_pf *pf)
{
	uint8_t config[CONFIG_SIZE] = {0};
	char text[64], path[256];
	fill_config(config, pf);
	snprintf(path, sizeof(path), "sys/devices/pci0000:40/%s/config", pf->addr);
	tree_bytes(tree, path, config, pf->config_size == 0 ? CONFIG_SIZE : pf->config_size);
	snprintf(text, sizeof(text), "0x%06x\n", pf->pci_class);
	on_bus(tree, pf->addr, "class", text);
	snprintf(text, sizeof(text), "0x%04x\n", pf->vendor);
	on_bus(tree, pf->addr, "vendor", text);
	on_bus(tree, pf->addr, "subsystem_vendor", text);
	snprintf(text, sizeof(text), "0x%04x\n", pf->device);
	on_bus(tree, pf->addr, "device", text);
	on_bus(tree, pf->addr, "subsystem_device", "0x4905\n");
	on_bus(tree, pf->addr, "numa_node", "1\n");
	if (pf->total_vfs > 0) {
		snprintf(text, sizeof(text), "%u\n", pf->total_vfs);
		on_bus(tree, pf->addr, "sriov_totalvfs", text);
		on_bus(tree, pf->addr, "sriov_drivers_autoprobe", "1\n");
	}
	join_bus(tree, pf->addr, pf->driver);
}

void tree_vf(const struct tree *tree, const char *pf, unsigned index, const char *addr, const char *driver,
	     unsigned group)
{
	char name[32], target[256];
	on_bus(tree, addr, "class", "0x030000\n");
	on_bus(tree, addr, "vendor", "0x8086\n");
	on_bus(tree, addr, "device", "0x56c0\n");
	join_bus(tree, addr, driver);
	snprintf(name, sizeof(name), "virtfn%u", index);
	snprintf(target, sizeof(target), "../%s", addr);
	link_on_bus(tree, pf, name, target);
	snprintf(target, sizeof(target), "../%s", pf);
	link_on_bus(tree, addr, "physfn", target);
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%u", group);
	if (group != 0)
		link_on_bus(tree, addr, "iommu_group", target);
}

void tree_process(const struct tree *tree, unsigned pid, const char *comm, const char *opened)
{
	char path[64], text[64];
	snprintf(path, sizeof(path), "proc/%u/comm", pid);
	snprintf(text, sizeof(text), "%s\n", comm);
	tree_file(tree, path, text);
	snprintf(path, sizeof(path), "proc/%u/fd/0", pid);
	tree_link(tree, path, "/dev/null");
	snprintf(path, sizeof(path), "proc/%u/fd/31", pid);
	tree_link(tree, path, opened);
}

void tree_usual(const struct tree *tree, unsigned vfs, const char *driver)
{
	tree_pf(tree, &(struct tree_pf){.addr = TREE_PF,
					.vendor = 0x8086,
					.device = 0x56c0,
					.pci_class = 0x030000,
					.driver = "xe",
					.total_vfs = 4,
					.control = vfs > 0 ? 9 : 0,
					.num_vfs = (uint16_t)vfs,
					.offset = 1,
					.stride = 1});
	for (unsigned i = 0; i < vfs; i++) {
		char addr[GP_PCI_ADDR_SIZE];
		snprintf(addr, sizeof(addr), "0000:41:00.%u", i + 1);
		tree_vf(tree, TREE_PF, i, addr, driver, 20 + i);
	}
	tree_file(tree, "usr/share/misc/pci.ids",
		  "# names\n8086  Intel Corporation\n\t1234  Something\n\t56c0  ATS-M [Data Center GPU Flex 170]\n"
		  "\t\t8086 4905  Flex 170 with a fan\n\t56c1  ATS-M [Data Center GPU Flex 140]\n10de  NVIDIA\n");
	tree_file(tree, "etc/hostname", "gpu-1\n");
}

struct gp_host *tree_open(const struct tree *tree, bool simulated, enum gp_host_mode mode)
{
	if (simulated)
		tree_file(tree, GP_SIM_MARK_FILE, "version: 1\n");
	else
		tree_directory(tree, "sys/bus/pci/devices");
	struct gp_error err = {0};
	struct gp_host *host = NULL;
	struct gp_host_options options = {.root = tree->root, .mode = mode, .writer_path = GP_WRITER};
	ck_assert_msg(gp_host_open(&options, &host, &err) == 0, "%s", err.message);
	return host;
}

int tree_run_suite(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *all = tcase_create(name);
	tcase_set_timeout(all, 60);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(all, tests[i]);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small machine made by hand in a temporary directory, for the tests of the host room. */
#ifndef GP_TESTS_HOST_TREE_H
#define GP_TESTS_HOST_TREE_H

#include <check.h>

#include "host/host.h"
#include "host/host_internal.h"

struct tree {
	char root[64];
};

/* Ends the test program when there is no room in /tmp. */
void tree_make(struct tree *tree);
void tree_remove(struct tree *tree);
/* Directories on the way are made. */
void tree_file(const struct tree *tree, const char *path, const char *text);
void tree_bytes(const struct tree *tree, const char *path, const void *bytes, size_t size);
void tree_link(const struct tree *tree, const char *path, const char *target);
void tree_directory(const struct tree *tree, const char *path);
void tree_path(const struct tree *tree, const char *path, char *out, size_t size);

/* A PF with an SR-IOV capability, as Linux lays it out: sys/devices/pci0000:40/ADDR and its link on the bus. */
struct tree_pf {
	const char *addr;
	uint16_t vendor, device;
	uint32_t pci_class;
	const char *driver; /* NULL: none */
	uint32_t total_vfs;
	uint16_t control, num_vfs, offset, stride; /* SR-IOV capability */
	size_t config_size;                        /* 0: all 4096 bytes */
};
void tree_pf(const struct tree *tree, const struct tree_pf *pf);
/* VF `index` of `pf`, beside it; group 0: no link. */
void tree_vf(const struct tree *tree, const char *pf, unsigned index, const char *addr, const char *driver,
	     unsigned group);
/* A process with one descriptor. */
void tree_process(const struct tree *tree, unsigned pid, const char *comm, const char *opened);

/* The usual one: an Intel GPU with `vfs` of 4 VFs, bound to `driver` (NULL: none), at 0000:41:00.1… */
void tree_usual(const struct tree *tree, unsigned vfs, const char *driver);
#define TREE_PF "0000:41:00.0"

/* As a simulated machine (it gets the file that makes it one), or as a captured one. Fails the test on error. */
struct gp_host *tree_open(const struct tree *tree, bool simulated, enum gp_host_mode mode);

/* Runs all tests of one suite: the result is main's. */
int tree_run_suite(const char *name, const TTest *const *tests, size_t count);
#define TREE_SUITE(name, ...)                                                                                          \
	tree_run_suite(name, (const TTest *const[]){__VA_ARGS__},                                                      \
		       sizeof((const TTest *const[]){__VA_ARGS__}) / sizeof(const TTest *))
#define TREE_RUN(name, ...)                                                                                            \
	int main(void)                                                                                                 \
	{                                                                                                              \
		return TREE_SUITE(name, __VA_ARGS__);                                                                  \
	}

#endif

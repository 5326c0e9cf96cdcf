/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real helper program on a simulated machine: what the kernel does comes back in the right words. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host/sim.h"
#include "host_tree.h"

static struct tree tree;
static struct gp_host *host;
static struct gp_error err;

static void start(const char *gpus)
{
	char description[128];
	struct gp_diags diags = {0};
	struct gp_sources sources = {0};
	tree_make(&tree);
	snprintf(description, sizeof(description), "%s.yaml", tree.root);
	FILE *file = fopen(description, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "version: 1\nhostname: gpu-1\ngpus:\n%s", gpus);
	fclose(file);
	ck_assert_msg(gp_sim_create(tree.root, description, &sources, &diags, &err) == 0, "%s", err.message);
	gp_diags_clear(&diags);
	gp_sources_clear(&sources);
	remove(description);
	struct gp_host_options options = {.root = tree.root, .mode = GP_HOST_READ_WRITE, .writer_path = GP_WRITER};
	ck_assert_msg(gp_host_open(&options, &host, &err) == 0, "%s", err.message);
}

static void finish(void)
{
	gp_error_clear(&err);
	gp_host_close(host);
	tree_remove(&tree);
}

static void fault(const char *a, const char *b, const char *c, const char *d)
{
	const char *const words[] = {a, b, c, d};
	size_t count = 0;
	while (count < 4 && words[count] != NULL)
		count++;
	ck_assert_msg(gp_sim_fault(tree.root, words, count, &err) == 0, "%s", err.message);
}

static int set_vfs(const char *before, const char *after, enum gp_guard guard, uint64_t timeout_ms)
{
	struct gp_write_request request = {.kind = GP_STEP_WRITE,
					   .base = GP_BASE_PCI,
					   .device = TREE_PF,
					   .attribute = "sriov_numvfs",
					   .before = before,
					   .after = after,
					   .guard = guard,
					   .timeout_ms = timeout_ms};
	gp_pci_addr_parse(TREE_PF, &request.pf);
	gp_error_clear(&err);
	return gp_host_write(host, &request, &err);
}

static uint32_t vfs_now(void)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_gpu gpu = {0};
	struct gp_pci_addr pf;
	gp_pci_addr_parse(TREE_PF, &pf);
	ck_assert_int_eq(gp_host_observe_pf(host, arena, pf, &gpu, NULL), 0);
	return gpu.num_vfs;
}

#define ONE "  - {address: \"" TREE_PF "\", preset: flex-170, totalvfs: 8"
enum { LONG_MS = 60000 };

START_TEST(vfs_are_made_and_removed)
{
	start(ONE "}\n");
	ck_assert_msg(set_vfs("0", "4", GP_GUARD_NONE, LONG_MS) == 0, "%s", err.message);
	ck_assert_uint_eq(vfs_now(), 4);
	ck_assert_int_eq(set_vfs("0", "4", GP_GUARD_NONE, LONG_MS), -1);
	ck_assert_int_eq(err.kind, GP_E_STALE);
	ck_assert_str_eq(err.subject, TREE_PF " sriov_numvfs");
	ck_assert_int_eq(set_vfs("4", "2", GP_GUARD_NONE, LONG_MS), -1);
	ck_assert_int_eq(err.kind, GP_E_BUSY);
	ck_assert_int_eq(err.sys, EBUSY);
	ck_assert_int_eq(set_vfs("4", "9", GP_GUARD_NONE, LONG_MS), -1);
	ck_assert_int_eq(err.sys, ERANGE);
	/* The host's own driver took them (autoprobe): that is somebody's, until it is said not to matter. */
	ck_assert_int_eq(set_vfs("4", "0", GP_GUARD_UNHELD, LONG_MS), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	ck_assert(gp_starts_with(err.holder, "driver "));
	ck_assert_uint_eq(vfs_now(), 4);
	ck_assert_msg(set_vfs("4", "0", GP_GUARD_NONE, LONG_MS) == 0, "%s", err.message);
	ck_assert_uint_eq(vfs_now(), 0);
	finish();
}
END_TEST

START_TEST(vfs_that_nobody_has_are_removed_under_the_guard)
{
	start(ONE ", autoprobe: false, vfs: 4}\n");
	ck_assert_msg(set_vfs("4", "0", GP_GUARD_UNHELD, LONG_MS) == 0, "%s", err.message);
	ck_assert_uint_eq(vfs_now(), 0);
	finish();
}
END_TEST

START_TEST(without_a_driver_nobody_makes_vfs)
{
	start(ONE ", driver: none}\n");
	ck_assert_int_eq(set_vfs("0", "4", GP_GUARD_NONE, LONG_MS), -1);
	ck_assert_int_eq(err.kind, GP_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.message, "no driver is bound"));
	finish();
}
END_TEST

START_TEST(a_driver_without_sriov_is_named)
{
	start(ONE ", driver: gim, driver_sriov: false}\n");
	ck_assert_int_eq(set_vfs("0", "4", GP_GUARD_NONE, LONG_MS), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "driver gim does not make VFs"));
	finish();
}
END_TEST

START_TEST(no_room_is_told)
{
	start(ONE ", mmio: false}\n");
	ck_assert_int_eq(set_vfs("0", "4", GP_GUARD_NONE, LONG_MS), -1);
	ck_assert_int_eq(err.sys, ENOMEM);
	ck_assert_ptr_nonnull(strstr(err.remedy, "Above 4G"));
	finish();
}
END_TEST

START_TEST(fewer_than_asked_for_good_is_told)
{
	start(ONE "}\n");
	fault("short", TREE_PF, "sriov_numvfs", NULL);
	ck_assert_int_eq(set_vfs("0", "4", GP_GUARD_NONE, LONG_MS), -1);
	ck_assert_int_eq(err.kind, GP_E_VERIFY);
	ck_assert_str_eq(err.message, "4 VFs are asked; 2 are there after the write");
	finish();
}
END_TEST

START_TEST(fewer_than_asked_for_now_is_for_the_next_step)
{
	start(ONE "}\n");
	fault("late", TREE_PF, "1500", NULL);
	ck_assert_msg(set_vfs("0", "4", GP_GUARD_NONE, LONG_MS) == 0, "%s", err.message);
	for (uint64_t end = gp_clock_ms() + LONG_MS; vfs_now() != 4 && gp_clock_ms() < end;)
		gp_sleep_ms(20);
	ck_assert_uint_eq(vfs_now(), 4);
	finish();
}
END_TEST

START_TEST(a_held_vf_is_not_removed)
{
	start(ONE ", vfs: 2, vf_driver: vfio-pci}\n");
	fault("hold", TREE_PF "/1", NULL, NULL);
	ck_assert_int_eq(set_vfs("2", "0", GP_GUARD_UNHELD, LONG_MS), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.message, "VF 1"));
	ck_assert_ptr_nonnull(strstr(err.holder, "vfio-holder"));
	ck_assert_uint_eq(vfs_now(), 2);
	finish();
}
END_TEST

START_TEST(a_write_that_never_returns_is_left_alone)
{
	start(ONE "}\n");
	fault("block", TREE_PF, "sriov_numvfs", NULL);
	ck_assert_int_eq(set_vfs("0", "4", GP_GUARD_NONE, 1000), -1);
	ck_assert_int_eq(err.kind, GP_E_TIMEOUT);
	/* It keeps its lock: the next writer of this GPU is told who is in the way. */
	ck_assert_int_eq(set_vfs("0", "4", GP_GUARD_NONE, 400), -1);
	ck_assert_msg(err.kind == GP_E_BUSY, "%s", err.message);
	ck_assert_ptr_nonnull(strstr(err.holder, "gpupart-write, pid "));
	fault("clear", NULL, NULL, NULL);
	for (uint64_t end = gp_clock_ms() + LONG_MS; vfs_now() != 4 && gp_clock_ms() < end;)
		gp_sleep_ms(20);
	ck_assert_uint_eq(vfs_now(), 4);
	finish();
}
END_TEST

START_TEST(a_disable_that_waits_for_a_guest_names_it)
{
	start(ONE ", vfs: 2, vf_driver: vfio-pci}\n");
	fault("hold", TREE_PF "/0", NULL, NULL);
	ck_assert_int_eq(set_vfs("2", "0", GP_GUARD_NONE, 1500), -1);
	ck_assert_msg(err.kind == GP_E_TIMEOUT, "%s", err.message);
	ck_assert_msg(err.holder != NULL && strstr(err.holder, "VF 0: process vfio-holder") != NULL, "%s",
		      err.holder != NULL ? err.holder : "nobody is named");
	/* Links and capability disagree now: nobody else may touch it. */
	fault("clear", NULL, NULL, NULL);
	finish();
}
END_TEST

START_TEST(plain_attributes_are_written_too)
{
	start(ONE "}\n");
	struct gp_write_request request = {.kind = GP_STEP_WRITE,
					   .base = GP_BASE_PCI,
					   .device = TREE_PF,
					   .attribute = "sriov_drivers_autoprobe",
					   .before = "1",
					   .after = "0",
					   .timeout_ms = LONG_MS};
	gp_pci_addr_parse(TREE_PF, &request.pf);
	ck_assert_msg(gp_host_write(host, &request, &err) == 0, "%s", err.message);
	uint64_t value;
	ck_assert_int_eq(
		gp_host_read_u64(host, "sys/bus/pci/devices/" TREE_PF "/sriov_drivers_autoprobe", &value, &err), 0);
	ck_assert_uint_eq(value, 0);
	fault("attr", TREE_PF, "sriov_drivers_autoprobe", "EIO");
	request.before = NULL;
	request.after = "1";
	ck_assert_int_eq(gp_host_write(host, &request, &err), -1);
	ck_assert_int_eq(err.sys, EIO);
	finish();
}
END_TEST

struct writer {
	pthread_t thread;
	char device[GP_PCI_ADDR_SIZE];
	int result;
	struct gp_error err;
};

static void *write_one(void *context)
{
	struct writer *writer = context;
	struct gp_write_request request = {.kind = GP_STEP_WRITE,
					   .base = GP_BASE_PCI,
					   .device = writer->device,
					   .attribute = "sriov_numvfs",
					   .before = "0",
					   .after = "4",
					   .timeout_ms = LONG_MS};
	gp_pci_addr_parse(writer->device, &request.pf);
	writer->result = gp_host_write(host, &request, &writer->err);
	return NULL;
}

START_TEST(many_gpus_are_written_at_the_same_time)
{
	start("  - {address: \"0000:41:00.0\", repeat: 8, preset: flex-170}\n");
	struct writer writers[8] = {0};
	for (unsigned i = 0; i < 8; i++) {
		snprintf(writers[i].device, sizeof(writers[i].device), "0000:%02x:00.0", 0x41 + i);
		ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_one, &writers[i]), 0);
	}
	for (unsigned i = 0; i < 8; i++)
		pthread_join(writers[i].thread, NULL);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_msg(writers[i].result == 0, "%s: %s", writers[i].device, writers[i].err.message);
	finish();
}
END_TEST

TREE_RUN("host_helper", vfs_are_made_and_removed, vfs_that_nobody_has_are_removed_under_the_guard,
	 without_a_driver_nobody_makes_vfs, a_driver_without_sriov_is_named, no_room_is_told,
	 fewer_than_asked_for_good_is_told, fewer_than_asked_for_now_is_for_the_next_step, a_held_vf_is_not_removed,
	 a_write_that_never_returns_is_left_alone, a_disable_that_waits_for_a_guest_names_it,
	 plain_attributes_are_written_too, many_gpus_are_written_at_the_same_time)

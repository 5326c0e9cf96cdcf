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

/* ---- NVIDIA: types of single VFs, mediated devices, sriov-manage ---- */

#define A16  "  - {address: \"" TREE_PF "\", preset: a16"
#define UUID "8a9c4f10-55a6-5c2e-9f6b-0123456789ab"

static int perform(struct gp_write_request request)
{
	gp_pci_addr_parse(TREE_PF, &request.pf);
	request.timeout_ms = request.timeout_ms == 0 ? LONG_MS : request.timeout_ms;
	gp_error_clear(&err);
	return gp_host_write(host, &request, &err);
}

static int enable_all(uint64_t timeout_ms)
{
	return perform((struct gp_write_request){.kind = GP_STEP_HELPER,
						 .device = TREE_PF,
						 .attribute = "sriov-manage",
						 .program = "/usr/lib/nvidia/sriov-manage",
						 .after = "-e",
						 .guard = GP_GUARD_NO_VFS,
						 .timeout_ms = timeout_ms});
}

static const char *vf_addr(uint32_t vf)
{
	static char text[GP_PCI_ADDR_SIZE];
	char path[128];
	snprintf(path, sizeof(path), "sys/bus/pci/devices/" TREE_PF "/virtfn%u", vf);
	ck_assert_int_gt(gp_host_read_link(host, path, text, sizeof(text), NULL), 0);
	return text;
}

static int set_type_within(uint32_t vf, const char *before, const char *after, enum gp_guard guard, uint64_t timeout_ms)
{
	return perform((struct gp_write_request){.kind = GP_STEP_WRITE,
						 .device = vf_addr(vf),
						 .attribute = "nvidia/current_vgpu_type",
						 .before = before,
						 .after = after,
						 .guard = guard,
						 .timeout_ms = timeout_ms});
}

static int set_type(uint32_t vf, const char *before, const char *after, enum gp_guard guard)
{
	return set_type_within(vf, before, after, guard, 0);
}

static void expect_type(uint32_t vf, const char *expected)
{
	char path[128], text[64];
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/nvidia/current_vgpu_type", vf_addr(vf));
	ck_assert_int_gt(gp_host_read(host, path, text, sizeof(text), NULL), 0);
	ck_assert_str_eq(text, expected);
}

START_TEST(sriov_manage_makes_all_vfs)
{
	start(A16 "}\n");
	ck_assert_msg(enable_all(0) == 0, "%s", err.message);
	ck_assert_uint_eq(vfs_now(), 16);
	/* Who comes after that finds it done. */
	ck_assert_msg(enable_all(0) == 0, "%s", err.message);
	ck_assert_uint_eq(vfs_now(), 16);
	finish();
}
END_TEST

START_TEST(a_driver_that_starts_is_asked_again)
{
	start(A16 "}\n");
	fault("initialising", TREE_PF, "4000", NULL);
	ck_assert_msg(enable_all(0) == 0, "%s", err.message);
	ck_assert_uint_eq(vfs_now(), 16);
	finish();
	start(A16 "}\n");
	fault("initialising", TREE_PF, "600000", NULL);
	ck_assert_int_eq(enable_all(3000), -1);
	ck_assert_int_eq(err.kind, GP_E_VERIFY);
	ck_assert_ptr_nonnull(strstr(err.message, "sriov-manage reports success"));
	finish();
}
END_TEST

START_TEST(who_has_the_gpu_open_is_named)
{
	start(A16 "}\n");
	fault("client", TREE_PF, "dcgm-exporter", NULL);
	ck_assert_int_eq(enable_all(1500), -1);
	ck_assert_msg(err.kind == GP_E_BUSY, "%s", err.message);
	ck_assert_ptr_nonnull(strstr(err.holder, "process dcgm-exporter (pid "));
	ck_assert_uint_eq(vfs_now(), 0);
	finish();
}
END_TEST

START_TEST(without_the_program_there_are_no_vfs)
{
	start(A16 ", vgpu_driver: false}\n");
	ck_assert_int_eq(enable_all(0), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.remedy, "sriov_manage"));
	finish();
}
END_TEST

START_TEST(types_are_given_and_taken)
{
	start(A16 ", profiles: [A16-4Q, none, none]}\n");
	ck_assert_msg(set_type(0, "713", "0", GP_GUARD_VF_UNHELD) == 0, "%s", err.message);
	expect_type(0, "0");
	ck_assert_msg(set_type(2, "0", "712", GP_GUARD_NONE) == 0, "%s", err.message);
	expect_type(2, "712");
	/* Of another size than those that are there. */
	ck_assert_int_eq(set_type_within(3, "0", "713", GP_GUARD_NONE, 2000), -1);
	ck_assert_int_eq(err.sys, EIO);
	fault("drops", TREE_PF "/3", NULL, NULL);
	ck_assert_int_eq(set_type(3, "0", "712", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_VERIFY);
	ck_assert_msg(strstr(err.message, "was set to '712', and") != NULL, "%s", err.message);
	finish();
}
END_TEST

static void *clear_after_a_while(void *context)
{
	(void)context;
	gp_sleep_ms(700);
	const char *const words[] = {"clear"};
	gp_sim_fault(tree.root, words, 1, NULL);
	return NULL;
}

static int make_mdev_on_first_vf(const char *uuid, uint64_t timeout_ms)
{
	return perform((struct gp_write_request){.kind = GP_STEP_WRITE,
						 .device = vf_addr(0),
						 .attribute = "mdev_supported_types/nvidia-712/create",
						 .after = uuid,
						 .timeout_ms = timeout_ms});
}

START_TEST(a_place_that_is_free_a_little_later_is_taken_then)
{
	pthread_t driver;
	start(A16 ", vfs: 16}\n");
	fault("attr", TREE_PF "/0", "nvidia/current_vgpu_type", "EBUSY");
	pthread_create(&driver, NULL, clear_after_a_while, NULL);
	ck_assert_msg(set_type(0, "0", "712", GP_GUARD_NONE) == 0, "%s", err.message);
	pthread_join(driver, NULL);
	expect_type(0, "712");
	/* It does not come: a failure, after a while; and what no waiting helps against is one at once. */
	fault("attr", TREE_PF "/1", "nvidia/current_vgpu_type", "ENOSPC");
	ck_assert_int_eq(set_type_within(1, "0", "712", GP_GUARD_NONE, 1500), -1);
	ck_assert_int_eq(err.sys, ENOSPC);
	ck_assert_msg(gp_starts_with(err.message, "tried for 1."), "%s", err.message);
	fault("clear", NULL, NULL, NULL);
	fault("attr", TREE_PF "/1", "nvidia/current_vgpu_type", "EPERM");
	ck_assert_int_eq(set_type(1, "0", "712", GP_GUARD_NONE), -1);
	ck_assert_msg(gp_starts_with(err.message, "cannot be set"), "%s", err.message);
	finish();

	start(A16 ", framework: mdev, vfs: 16}\n");
	fault("attr", TREE_PF "/0", "create", "EIO");
	pthread_create(&driver, NULL, clear_after_a_while, NULL);
	ck_assert_msg(make_mdev_on_first_vf(UUID, 0) == 0, "%s", err.message);
	pthread_join(driver, NULL);
	finish();
}
END_TEST

START_TEST(a_type_under_a_guest_stays)
{
	start(A16 ", profile: A16-4Q}\n");
	fault("hold", TREE_PF "/1", NULL, NULL);
	ck_assert_int_eq(set_type(1, "713", "0", GP_GUARD_VF_UNHELD), -1);
	ck_assert_msg(err.kind == GP_E_REFUSED, "%s", err.message);
	ck_assert_ptr_nonnull(strstr(err.holder, "vfio-holder"));
	expect_type(1, "713");
	ck_assert_msg(set_type(2, "713", "0", GP_GUARD_VF_UNHELD) == 0, "%s", err.message);
	finish();
}
END_TEST

static void vm(const char *action, const char *name)
{
	ck_assert_msg(gp_sim_vm(tree.root, action, name, &err) == 0, "%s", err.message);
}

START_TEST(what_a_guest_let_go_of_settles)
{
	start(A16 ", profile: A16-4Q}\nvms:\n  - {name: web-01, state: running, hostdevs: [{vf: \"" TREE_PF
		  "/0\"}]}\n");
	fault("settle", TREE_PF, "1500", NULL);
	ck_assert_int_eq(set_type(0, "713", "0", GP_GUARD_VF_UNHELD), -1);
	ck_assert_msg(err.kind == GP_E_REFUSED, "%s", err.message);
	vm("destroy", "web-01");
	ck_assert_msg(set_type(0, "713", "0", GP_GUARD_VF_UNHELD) == 0, "%s", err.message);
	expect_type(0, "0");
	finish();
}
END_TEST

START_TEST(what_does_not_settle_is_told)
{
	start(A16 ", profile: A16-4Q}\nvms:\n  - {name: web-01, state: running, hostdevs: [{vf: \"" TREE_PF
		  "/0\"}]}\n");
	fault("settle", TREE_PF, "600000", NULL);
	vm("destroy", "web-01");
	struct gp_write_request request = {.kind = GP_STEP_WRITE,
					   .device = vf_addr(0),
					   .attribute = "nvidia/current_vgpu_type",
					   .before = "713",
					   .after = "0",
					   .guard = GP_GUARD_VF_UNHELD,
					   .timeout_ms = 1500};
	ck_assert_int_eq(perform(request), -1);
	ck_assert_int_eq(err.sys, EPERM);
	ck_assert_msg(gp_starts_with(err.message, "nobody has it open, and yet after "), "%s", err.message);
	expect_type(0, "713");
	finish();
}
END_TEST

static int make_mdev(uint32_t vf, const char *type, const char *uuid)
{
	gp_autofree char *attribute = gp_xasprintf("mdev_supported_types/%s/create", type);
	return perform((struct gp_write_request){
		.kind = GP_STEP_WRITE, .device = vf_addr(vf), .attribute = attribute, .after = uuid});
}

static int remove_mdev(const char *uuid)
{
	return perform((struct gp_write_request){.kind = GP_STEP_WRITE,
						 .base = GP_BASE_MDEV,
						 .device = uuid,
						 .attribute = "remove",
						 .after = "1",
						 .guard = GP_GUARD_VF_UNHELD});
}

START_TEST(mediated_devices_are_made_and_removed)
{
	start(A16 ", framework: mdev}\n");
	ck_assert_msg(enable_all(0) == 0, "%s", err.message);
	ck_assert_msg(make_mdev(2, "nvidia-712", UUID) == 0, "%s", err.message);
	struct gp_mdev found;
	struct gp_uuid uuid;
	gp_uuid_parse(UUID, &uuid);
	ck_assert_int_eq(gp_host_find_mdev(host, uuid, &found, &err), 1);
	ck_assert_str_eq(found.type, "nvidia-712");
	ck_assert_msg(make_mdev(2, "nvidia-712", UUID) == 0, "%s", err.message);
	ck_assert_int_eq(make_mdev(3, "nvidia-712", UUID), -1);
	ck_assert_int_eq(err.kind, GP_E_BUSY);
	ck_assert_ptr_nonnull(strstr(err.message, "as nvidia-712 of 0000:41:00."));
	ck_assert_msg(remove_mdev(UUID) == 0, "%s", err.message);
	ck_assert_int_eq(gp_host_find_mdev(host, uuid, &found, &err), 0);
	ck_assert_msg(remove_mdev(UUID) == 0, "%s", err.message);
	fault("drops", TREE_PF "/2", NULL, NULL);
	ck_assert_int_eq(make_mdev(2, "nvidia-712", UUID), -1);
	ck_assert_msg(err.kind == GP_E_VERIFY, "%s", err.message);
	finish();
}
END_TEST

START_TEST(a_mediated_device_under_a_guest_stays_and_then_settles)
{
	start(A16 ", framework: mdev, mdevs: [{vf: 1, profile: A16-4Q, uuid: " UUID "}]}\n"
		  "vms:\n  - {name: web-01, state: running, hostdevs: [{mdev: " UUID "}]}\n");
	fault("settle", TREE_PF, "1500", NULL);
	ck_assert_int_eq(remove_mdev(UUID), -1);
	ck_assert_msg(err.kind == GP_E_REFUSED, "%s", err.message);
	vm("destroy", "web-01");
	ck_assert_msg(remove_mdev(UUID) == 0, "%s", err.message);
	finish();
}
END_TEST

START_TEST(parameters_are_set_and_cleared)
{
	start(A16 ", profile: A16-4Q}\n");
	struct gp_write_request request = {.kind = GP_STEP_WRITE,
					   .device = vf_addr(0),
					   .attribute = "nvidia/vgpu_params",
					   .after = "frame_rate_limiter=0,disable_vnc=1"};
	ck_assert_msg(perform(request) == 0, "%s", err.message);
	request.after = " ";
	ck_assert_msg(perform(request) == 0, "%s", err.message);
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
	 plain_attributes_are_written_too, sriov_manage_makes_all_vfs, a_driver_that_starts_is_asked_again,
	 who_has_the_gpu_open_is_named, without_the_program_there_are_no_vfs, types_are_given_and_taken,
	 a_place_that_is_free_a_little_later_is_taken_then, a_type_under_a_guest_stays, what_a_guest_let_go_of_settles,
	 what_does_not_settle_is_told, mediated_devices_are_made_and_removed,
	 a_mediated_device_under_a_guest_stays_and_then_settles, parameters_are_set_and_cleared,
	 many_gpus_are_written_at_the_same_time)

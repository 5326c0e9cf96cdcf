/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helper's half of a write, where a driver gives each VF its own profile: guards of one VF, mediated devices, and
 * programs of vendors. On a tree that passes for a real machine; what a driver would do, nobody does here.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host/write_change.h"
#include "host_tree.h"

/* No machine has a PCI domain of this number: where the real sysfs is asked, nothing must be found. */
#define PF_ADDR "fe41:41:00.0"
#define VF(n)   "fe41:41:00." #n
#define DEVICES "sys/devices/pci0000:40/"
#define UUID    "8a9c4f10-55a6-5c2e-9f6b-0123456789ab"
#define OTHER   "8a9c4f10-55a6-5c2e-9f6b-0123456789ac"
#define TYPE    "mdev_supported_types/nvidia-712"
#define INSIDE  "usr/lib/nvidia/sriov-manage"
#define MANAGE  "/" INSIDE

static struct tree tree;
static struct gp_host *host;
static struct gp_error err;

static void start(unsigned vfs)
{
	tree_make(&tree);
	tree_pf(&tree, &(struct tree_pf){.addr = PF_ADDR,
					 .vendor = 0x10de,
					 .device = 0x25b6,
					 .pci_class = 0x030200,
					 .driver = "nvidia",
					 .total_vfs = 4,
					 .config_size = 64});
	for (unsigned i = 0; i < vfs; i++) {
		char addr[GP_PCI_ADDR_SIZE], path[128];
		snprintf(addr, sizeof(addr), "fe41:41:00.%u", i + 1);
		tree_vf(&tree, PF_ADDR, i, addr, "nvidia", 20 + i);
		snprintf(path, sizeof(path), DEVICES "%s/nvidia/current_vgpu_type", addr);
		tree_file(&tree, path, "7\n");
		snprintf(path, sizeof(path), DEVICES "%s/" TYPE "/create", addr);
		tree_file(&tree, path, "");
	}
	tree_file(&tree, "proc/driver/nvidia/gpus/" PF_ADDR "/information",
		  "Model: \t\t NVIDIA A16\nIRQ:   \t\t 44\nDevice Minor: \t 3\nGPU Excluded:\t No\n");
	tree_link(&tree, "proc/1/ns/pid", "pid:[4026531836]");
	tree_process(&tree, 1, "init", "/dev/null");
	host = tree_open(&tree, false, GP_HOST_READ_ONLY);
	host->kind = GP_HOST_LIVE;
}

static void finish(void)
{
	gp_error_clear(&err);
	gp_host_close(host);
	tree_remove(&tree);
}

static void add_mdev(const char *vf, const char *uuid, const char *type, unsigned group)
{
	char path[256], target[256];
	snprintf(path, sizeof(path), "sys/bus/mdev/devices/%s", uuid);
	snprintf(target, sizeof(target), "../../../devices/pci0000:40/%s/%s", vf, uuid);
	tree_link(&tree, path, target);
	snprintf(path, sizeof(path), DEVICES "%s/%s/mdev_type", vf, uuid);
	snprintf(target, sizeof(target), "../mdev_supported_types/%s", type);
	tree_link(&tree, path, target);
	snprintf(path, sizeof(path), DEVICES "%s/%s/remove", vf, uuid);
	tree_file(&tree, path, "");
	snprintf(path, sizeof(path), DEVICES "%s/%s/iommu_group", vf, uuid);
	snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%u", group);
	tree_link(&tree, path, target);
}

static int perform(struct gp_write_request request)
{
	gp_pci_addr_parse(PF_ADDR, &request.pf);
	if (request.timeout_ms == 0)
		request.timeout_ms = 2000;
	gp_error_clear(&err);
	return gp_write_change(host, &request, &err);
}

static int set_type(const char *vf, const char *before, const char *after)
{
	return perform((struct gp_write_request){.kind = GP_STEP_WRITE,
						 .device = vf,
						 .attribute = "nvidia/current_vgpu_type",
						 .before = before,
						 .after = after,
						 .guard = GP_GUARD_VF_UNHELD});
}

static int make_mdev(const char *vf, const char *uuid)
{
	return perform((struct gp_write_request){
		.kind = GP_STEP_WRITE, .device = vf, .attribute = TYPE "/create", .after = uuid});
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

static void expect_file(const char *path, const char *expected)
{
	char text[GP_ATTR_MAX];
	ck_assert_msg(gp_host_read(host, path, text, sizeof(text), NULL) >= 0, "%s cannot be read", path);
	ck_assert_str_eq(text, expected);
}

static void expect_refused(const char *holder)
{
	ck_assert_msg(err.kind == GP_E_REFUSED, "%s", err.message);
	if (holder == NULL)
		ck_assert_ptr_null(err.holder);
	else
		ck_assert_str_eq(err.holder, holder);
	ck_assert_ptr_nonnull(err.remedy);
}

/* ---- one VF ---- */

START_TEST(only_the_vf_itself_is_asked_about)
{
	start(2);
	tree_process(&tree, 812, "qemu-web-01", "/dev/vfio/20");
	ck_assert_int_eq(set_type(VF(1), "7", "0"), -1);
	expect_refused("process qemu-web-01 (pid 812)");
	expect_file(DEVICES VF(1) "/nvidia/current_vgpu_type", "7");
	ck_assert_msg(set_type(VF(2), "7", "0") == 0, "%s", err.message);
	expect_file(DEVICES VF(2) "/nvidia/current_vgpu_type", "0");
	finish();
}
END_TEST

START_TEST(who_cannot_be_seen_holds_the_vf)
{
	start(1);
	tree_file(&tree, "proc/900/fd", "");
	ck_assert_int_eq(set_type(VF(1), "7", "0"), -1);
	expect_refused(NULL);
	expect_file(DEVICES VF(1) "/nvidia/current_vgpu_type", "7");
	finish();
}
END_TEST

START_TEST(a_vf_of_another_gpu_is_not_touched_under_this_lock)
{
	start(1);
	tree_vf(&tree, PF_ADDR, 9, "fe41:42:00.1", "nvidia", 0);
	char path[256];
	tree_path(&tree, DEVICES PF_ADDR "/virtfn9", path, sizeof(path));
	ck_assert_int_eq(remove(path), 0);
	tree_file(&tree, DEVICES "fe41:42:00.1/nvidia/current_vgpu_type", "7\n");
	ck_assert_int_eq(set_type("fe41:42:00.1", "7", "0"), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	expect_file(DEVICES "fe41:42:00.1/nvidia/current_vgpu_type", "7");
	finish();
}
END_TEST

START_TEST(what_was_let_go_of_meanwhile_is_done)
{
	start(1);
	tree_process(&tree, 812, "qemu", "/dev/vfio/20");
	tree_file(&tree, DEVICES VF(1) "/nvidia/current_vgpu_type", "0\n");
	ck_assert_msg(set_type(VF(1), "7", "0") == 0, "%s", err.message);
	/* Something else than the plan stands on is not. */
	tree_file(&tree, DEVICES VF(1) "/nvidia/current_vgpu_type", "5\n");
	ck_assert_int_eq(set_type(VF(1), "7", "0"), -1);
	ck_assert_int_eq(err.kind, GP_E_STALE);
	finish();
}
END_TEST

/* ---- mediated devices ---- */

START_TEST(a_mediated_device_that_is_there_already_is_made)
{
	start(2);
	add_mdev(VF(1), UUID, "nvidia-712", 31);
	ck_assert_msg(make_mdev(VF(1), UUID) == 0, "%s", err.message);
	expect_file(DEVICES VF(1) "/" TYPE "/create", "");
	finish();
}
END_TEST

START_TEST(one_of_this_name_elsewhere_is_named)
{
	start(2);
	add_mdev(VF(1), UUID, "nvidia-712", 31);
	ck_assert_int_eq(make_mdev(VF(2), UUID), -1);
	ck_assert_int_eq(err.kind, GP_E_BUSY);
	ck_assert_str_eq(err.message, "a mediated device of this name is there already, as nvidia-712 of " VF(1));
	expect_file(DEVICES VF(2) "/" TYPE "/create", "");
	add_mdev(VF(2), OTHER, "nvidia-713", 32);
	ck_assert_int_eq(make_mdev(VF(2), OTHER), -1);
	ck_assert_int_eq(err.kind, GP_E_BUSY);
	ck_assert_ptr_nonnull(strstr(err.message, "nvidia-713"));
	finish();
}
END_TEST

START_TEST(success_without_a_mediated_device_is_none)
{
	start(1);
	ck_assert_int_eq(make_mdev(VF(1), UUID), -1);
	ck_assert_msg(err.kind == GP_E_VERIFY, "%s", err.message);
	ck_assert_str_eq(err.subject, VF(1) " " TYPE "/create");
	expect_file(DEVICES VF(1) "/" TYPE "/create", UUID);
	/* A type that the driver does not offer here. */
	ck_assert_int_eq(perform((struct gp_write_request){.kind = GP_STEP_WRITE,
							   .device = VF(1),
							   .attribute = "mdev_supported_types/nvidia-9/create",
							   .after = UUID}),
			 -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	ck_assert_int_eq(make_mdev(VF(1), "no-uuid"), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	finish();
}
END_TEST

START_TEST(a_mediated_device_that_is_open_is_not_removed)
{
	start(2);
	add_mdev(VF(1), UUID, "nvidia-712", 31);
	add_mdev(VF(2), OTHER, "nvidia-712", 32);
	tree_process(&tree, 812, "qemu-web-01", "/dev/vfio/31");
	ck_assert_int_eq(remove_mdev(UUID), -1);
	expect_refused("process qemu-web-01 (pid 812)");
	ck_assert_ptr_nonnull(strstr(err.message, "VF 0"));
	expect_file(DEVICES VF(1) "/" UUID "/remove", "");
	/* The other is free; nobody removes it here, so that it is tried until the time is over. */
	uint64_t began = gp_clock_ms();
	ck_assert_int_eq(remove_mdev(OTHER), -1);
	ck_assert_msg(err.kind == GP_E_VERIFY, "%s", err.message);
	ck_assert_ptr_nonnull(strstr(err.message, "nobody has it open"));
	ck_assert_uint_ge(gp_clock_ms() - began, 500);
	expect_file(DEVICES VF(2) "/" OTHER "/remove", "1");
	finish();
}
END_TEST

START_TEST(a_mediated_device_that_is_gone_is_removed)
{
	start(1);
	ck_assert_msg(remove_mdev(UUID) == 0, "%s", err.message);
	finish();
}
END_TEST

static void *remove_after_a_while(void *context)
{
	char path[256];
	gp_sleep_ms(300);
	tree_path(&tree, context, path, sizeof(path));
	remove(path);
	return NULL;
}

START_TEST(a_driver_that_removes_it_by_itself_is_waited_for)
{
	start(1);
	add_mdev(VF(1), UUID, "nvidia-712", 31);
	pthread_t driver;
	pthread_create(&driver, NULL, remove_after_a_while, (void *)("sys/bus/mdev/devices/" UUID));
	struct gp_write_request request = {.kind = GP_STEP_WRITE,
					   .base = GP_BASE_MDEV,
					   .device = UUID,
					   .attribute = "remove",
					   .after = "1",
					   .guard = GP_GUARD_VF_UNHELD,
					   .timeout_ms = 60000};
	ck_assert_msg(perform(request) == 0, "%s", err.message);
	pthread_join(driver, NULL);
	finish();
}
END_TEST

/* ---- programs of vendors ---- */

static struct gp_write_request run_request(uint64_t timeout_ms)
{
	return (struct gp_write_request){.kind = GP_STEP_HELPER,
					 .device = PF_ADDR,
					 .attribute = "sriov-manage",
					 .program = MANAGE,
					 .after = "-e",
					 .guard = GP_GUARD_NO_VFS,
					 .timeout_ms = timeout_ms};
}

/* A program in the tree, with the modes of a package; it notes what it was given, and how often it ran. */
static void install(const char *script)
{
	static const char *const parts[] = {"", "usr", "usr/lib", "usr/lib/nvidia", INSIDE};
	gp_autofree char *text = gp_xasprintf("#!/bin/sh\n"
					      "root=${0%%" MANAGE "}\n"
					      "ls /proc/$$/fd >$root/fds\n"
					      "echo run >>$root/runs\n"
					      "env >$root/env\n"
					      "echo $* >$root/arguments\n"
					      "make_vf() { ln -s ../" VF(1) " $root/" DEVICES PF_ADDR "/virtfn0; }\n"
									    "%s\n",
					      script);
	tree_file(&tree, INSIDE, text);
	tree_file(&tree, "runs", "");
	tree_vf(&tree, PF_ADDR, 9, VF(1), "nvidia", 20);
	char path[256];
	tree_path(&tree, DEVICES PF_ADDR "/virtfn9", path, sizeof(path));
	ck_assert_int_eq(remove(path), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		tree_path(&tree, parts[i], path, sizeof(path));
		ck_assert_int_eq(chmod(path, 0755), 0);
	}
}

static void expect_not_run(void)
{
	expect_file("runs", "");
}

/* Only root can own what root may run. */
static bool is_root(void)
{
	return geteuid() == 0;
}

START_TEST(only_programs_on_the_list_are_run)
{
	start(0);
	install("make_vf");
	struct gp_write_request request = run_request(600);
	request.program = "/bin/sh";
	ck_assert_int_eq(perform(request), -1);
	ck_assert_int_eq(err.kind, GP_E_UNSUPPORTED);
	request.attribute = "sh";
	ck_assert_int_eq(perform(request), -1);
	ck_assert_int_eq(err.kind, GP_E_UNSUPPORTED);
	request = run_request(600);
	request.program = NULL;
	ck_assert_int_eq(perform(request), -1);
	ck_assert_int_eq(err.kind, GP_E_UNSUPPORTED);
	static const char *const paths[] = {"sriov-manage", "usr/lib/nvidia/sriov-manage",
					    "/usr/../usr/lib/nvidia/sriov-manage"};
	for (size_t i = 0; i < 3; i++) {
		request.program = paths[i];
		ck_assert_int_eq(perform(request), -1);
		ck_assert_msg(err.kind == GP_E_INTERNAL, "%s: %s", paths[i], err.message);
	}
	request = run_request(600);
	request.device = VF(1);
	ck_assert_int_eq(perform(request), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	expect_not_run();
	finish();
}
END_TEST

START_TEST(a_program_that_is_not_installed_is_told)
{
	start(0);
	ck_assert_int_eq(perform(run_request(600)), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.message, MANAGE));
	ck_assert_ptr_nonnull(strstr(err.remedy, "vGPU host driver"));
	ck_assert_ptr_nonnull(strstr(err.remedy, "policy: {sriov_manage: /path}"));
	finish();
}
END_TEST

static void expect_refused_for(const char *part)
{
	ck_assert_int_eq(perform(run_request(600)), -1);
	ck_assert_msg(err.kind == GP_E_REFUSED && strstr(err.message, part) != NULL, "%s: %s", part, err.message);
	ck_assert_ptr_nonnull(err.remedy);
	expect_not_run();
}

START_TEST(what_others_can_change_is_not_run)
{
	static const struct {
		const char *path;
		mode_t mode;
	} rows[] = {{"usr", 0775}, {"usr/lib", 0777}, {"usr/lib/nvidia", 01777}, {"usr/lib/nvidia/sriov-manage", 0757}};
	start(0);
	install("make_vf");
	for (size_t i = 0; is_root() && i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[256];
		tree_path(&tree, rows[i].path, path, sizeof(path));
		ck_assert_int_eq(chmod(path, rows[i].mode), 0);
		expect_refused_for(rows[i].path);
		ck_assert_int_eq(chmod(path, 0755), 0);
		ck_assert_int_eq(chown(path, 65534, 0), 0);
		expect_refused_for("belongs to user 65534");
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	if (!is_root())
		expect_refused_for("belongs to user");
	finish();
}
END_TEST

START_TEST(where_a_link_leads_to_is_looked_at_too)
{
	start(0);
	install("make_vf");
	char from[256], to[256];
	tree_path(&tree, "usr/lib/nvidia", from, sizeof(from));
	tree_path(&tree, "srv", to, sizeof(to));
	ck_assert_int_eq(mkdir(to, 0755), 0);
	tree_path(&tree, "srv/place", to, sizeof(to));
	ck_assert_int_eq(rename(from, to), 0);
	tree_link(&tree, "usr/lib/nvidia", "/srv/place");
	tree_path(&tree, "srv", to, sizeof(to));
	ck_assert_int_eq(chmod(to, 0777), 0);
	expect_refused_for(is_root() ? "/srv" : "belongs to user");
	finish();
}
END_TEST

START_TEST(the_program_has_nothing_of_ours)
{
	start(0);
	install("make_vf");
	setenv("GP_SECRET", "x", 1);
	if (is_root()) {
		char text[GP_ATTR_MAX];
		ck_assert_msg(perform(run_request(60000)) == 0, "%s", err.message);
		expect_file("arguments", "-e " PF_ADDR);
		ck_assert_int_ge(gp_host_read(host, "env", text, sizeof(text), NULL), 0);
		ck_assert_ptr_nonnull(strstr(text, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"));
		ck_assert_ptr_nonnull(strstr(text, "LC_ALL=C"));
		ck_assert_ptr_null(strstr(text, "GP_SECRET"));
		/* Streams, and the two locks that it holds; its own script a shell keeps from 10 on. */
		ck_assert_int_ge(gp_host_read(host, "fds", text, sizeof(text), NULL), 0);
		for (const char *fd = strtok(text, "\n"); fd != NULL; fd = strtok(NULL, "\n"))
			ck_assert_msg(atoi(fd) <= 4 || atoi(fd) >= 10, "descriptor %s is open", fd);
	}
	finish();
}
END_TEST

START_TEST(an_exit_status_is_not_believed)
{
	start(0);
	install("make_vf; echo cannot; exit 3");
	if (is_root())
		ck_assert_msg(perform(run_request(60000)) == 0, "%s", err.message);
	finish();

	/* Success without VFs, once: it is run again. */
	start(0);
	install("[ $(wc -l <$root/runs) -gt 1 ] && make_vf; exit 0");
	if (is_root()) {
		ck_assert_msg(perform(run_request(60000)) == 0, "%s", err.message);
		expect_file("runs", "run\nrun");
	}
	finish();

	/* Success without VFs, and no time for another run. */
	start(0);
	install("exit 0");
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(2000)), -1);
		ck_assert_msg(err.kind == GP_E_VERIFY, "%s", err.message);
		ck_assert_ptr_nonnull(strstr(err.message, "sriov-manage reports success"));
		ck_assert_ptr_nonnull(strstr(err.remedy, "the driver may still be starting"));
		expect_file("runs", "run");
	}
	finish();
}
END_TEST

START_TEST(a_program_that_fails_is_told_in_its_own_words)
{
	start(0);
	install("echo one >&2; printf 'Cannot obtain \\033[1munbindLock for 0000\\n\\n'; exit 1");
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(60000)), -1);
		ck_assert_int_eq(err.kind, GP_E_IO);
		ck_assert_msg(
			gp_starts_with(
				err.message,
				"sriov-manage ended with status 1, and there are no VFs; it says: Cannot obtain "),
			"%s", err.message);
		ck_assert_ptr_null(strchr(err.message, '\033'));
		expect_file("runs", "run");
	}
	finish();

	start(0);
	install("mkdir -p $root/proc/812/fd; echo nvidia-smi >$root/proc/812/comm; "
		"ln -s /dev/nvidia3 $root/proc/812/fd/4; kill -9 $$");
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(60000)), -1);
		ck_assert_str_eq(err.message, "sriov-manage was ended by signal 9, and there are no VFs");
		ck_assert_str_eq(err.holder, "process nvidia-smi (pid 812)");
	}
	finish();
}
END_TEST

START_TEST(a_client_that_stays_is_named_and_nothing_is_run)
{
	start(0);
	install("make_vf");
	tree_process(&tree, 812, "dcgm-exporter", "/dev/nvidia3");
	tree_link(&tree, "proc/812/fd/32", "/dev/nvidia3");
	tree_process(&tree, 813, "other-gpu", "/dev/nvidia33");
	tree_process(&tree, 814, "ctl", "/dev/nvidiactl");
	tree_process(&tree, 815, "caps", "/dev/nvidia-caps/nvidia-cap1");
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(1000)), -1);
		ck_assert_msg(err.kind == GP_E_BUSY, "%s", err.message);
		ck_assert_str_eq(err.holder, "process dcgm-exporter (pid 812)");
		ck_assert_ptr_nonnull(strstr(err.remedy, "DCGM"));
		expect_not_run();
	}
	finish();
}
END_TEST

START_TEST(a_client_that_leaves_is_waited_for)
{
	start(0);
	install("make_vf");
	tree_process(&tree, 812, "nvidia-smi", "/dev/nvidia3");
	pthread_t client;
	pthread_create(&client, NULL, remove_after_a_while, (void *)"proc/812/fd/31");
	if (is_root())
		ck_assert_msg(perform(run_request(60000)) == 0, "%s", err.message);
	pthread_join(client, NULL);
	finish();
}
END_TEST

START_TEST(a_gpu_that_has_vfs_is_left_alone)
{
	start(2);
	install("make_vf");
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(60000)), -1);
		ck_assert_int_eq(err.kind, GP_E_STALE);
		expect_not_run();
	}
	finish();
}
END_TEST

#define PF_LOCK "run/gpupart/pf-" PF_ADDR ".lock"
#define LINE    "run/gpupart/sriov-manage.lock"

static bool is_locked(const char *path)
{
	gp_autoclose int fd = gp_state_lock(host->root_fd, path, "a test", 0, NULL, NULL, NULL);
	return fd < 0;
}

static bool has_file(const char *path)
{
	return gp_host_exists(host, path);
}

static void until_there(const char *path)
{
	for (int i = 0; i < 600 && !has_file(path); i++)
		gp_sleep_ms(50);
	ck_assert_msg(has_file(path), "%s does not come", path);
}

START_TEST(a_program_holds_the_locks_when_who_started_it_is_gone)
{
	start(0);
	install("readlink /proc/$$/fd/3 /proc/$$/fd/4 >$root/locks; >$root/begun; "
		"until [ -e $root/go ]; do sleep 0.1; done; make_vf");
	if (is_root()) {
		pid_t helper = fork();
		if (helper == 0)
			_exit(perform(run_request(60000)) == 0 ? 0 : 1);
		until_there("begun");
		ck_assert_int_eq(kill(helper, SIGKILL), 0);
		ck_assert_int_eq(waitpid(helper, NULL, 0), helper);
		char text[GP_ATTR_MAX];
		ck_assert_int_ge(gp_host_read(host, "locks", text, sizeof(text), NULL), 0);
		ck_assert_ptr_nonnull(strstr(text, PF_LOCK));
		ck_assert_ptr_nonnull(strstr(text, LINE));
		ck_assert(is_locked(PF_LOCK) && is_locked(LINE));
		tree_file(&tree, "go", "");
		for (int i = 0; i < 600 && (is_locked(PF_LOCK) || is_locked(LINE)); i++)
			gp_sleep_ms(50);
		ck_assert(!is_locked(PF_LOCK) && !is_locked(LINE));
		expect_file("runs", "run");
	}
	finish();
}
END_TEST

START_TEST(one_program_at_a_time_on_a_host)
{
	start(0);
	install("make_vf");
	if (is_root()) {
		int held = gp_state_lock(host->root_fd, LINE, "sriov-manage for fe41:42:00.0", 0, NULL, NULL, &err);
		ck_assert_int_ge(held, 0);
		ck_assert_int_eq(perform(run_request(1000)), -1);
		ck_assert_msg(err.kind == GP_E_BUSY, "%s", err.message);
		ck_assert_ptr_nonnull(strstr(err.message, "at work on another GPU"));
		ck_assert_ptr_nonnull(strstr(err.message, "nothing was run"));
		ck_assert(gp_starts_with(err.holder, "sriov-manage for fe41:42:00.0, pid "));
		ck_assert_ptr_nonnull(err.remedy);
		expect_not_run();
		close(held);
		ck_assert_msg(perform(run_request(60000)) == 0, "%s", err.message);
	}
	finish();
}
END_TEST

START_TEST(what_a_link_leads_to_is_what_is_run)
{
	start(0);
	install("make_vf");
	char from[256], to[256];
	tree_path(&tree, "usr/lib/nvidia", from, sizeof(from));
	tree_path(&tree, "srv", to, sizeof(to));
	ck_assert_int_eq(mkdir(to, 0755), 0);
	tree_path(&tree, "srv/place", to, sizeof(to));
	ck_assert_int_eq(rename(from, to), 0);
	tree_path(&tree, "between", to, sizeof(to));
	ck_assert_int_eq(mkdir(to, 0755), 0);
	tree_link(&tree, "usr/lib/nvidia", "../../between/link");
	tree_link(&tree, "between/link", "/srv/place");
	if (is_root()) {
		gp_autofree char *real = NULL;
		ck_assert_msg(gp_write_check_program(host->root_fd, MANAGE, &real, &err) == 0, "%s", err.message);
		ck_assert_str_eq(real, "/srv/place/sriov-manage");
		/* A link that leads there from where others can put another one. */
		ck_assert_int_eq(chmod(to, 0777), 0);
		expect_refused_for("/between");
		ck_assert_int_eq(chmod(to, 0755), 0);
		char path[256];
		tree_path(&tree, "between/link", path, sizeof(path));
		ck_assert_int_eq(remove(path), 0);
		tree_link(&tree, "between/link", "link");
		ck_assert_int_eq(perform(run_request(600)), -1);
		ck_assert_int_eq(err.sys, ELOOP);
		expect_not_run();
	}
	finish();
}
END_TEST

START_TEST(vfs_that_come_late_are_waited_for)
{
	start(0);
	/* A client keeps the second round from running at once; what the first run began comes meanwhile. */
	install("mkdir -p $root/proc/812/fd; echo nvidia-smi >$root/proc/812/comm; "
		"ln -s /dev/nvidia3 $root/proc/812/fd/4; (exec 3>&- 4>&-; sleep 7; make_vf) & exit 0");
	if (is_root()) {
		ck_assert_msg(perform(run_request(60000)) == 0, "%s", err.message);
		expect_file("runs", "run");
	}
	finish();
}
END_TEST

START_TEST(what_was_made_while_the_lock_was_waited_for_is_done)
{
	start(4);
	install("exit 1");
	if (is_root())
		ck_assert_msg(perform(run_request(2000)) == 0, "%s", err.message);
	expect_not_run();
	finish();
}
END_TEST

static void *make_vf_and_let_go(void *context)
{
	(void)context;
	gp_sleep_ms(300);
	tree_vf(&tree, PF_ADDR, 0, VF(1), "nvidia", 20);
	gp_sleep_ms(300);
	char path[256];
	tree_path(&tree, "proc/812/fd/31", path, sizeof(path));
	remove(path);
	return NULL;
}

START_TEST(vfs_that_come_while_a_client_is_waited_for_are_seen)
{
	start(0);
	install("exit 0");
	char path[256];
	tree_path(&tree, "sys/bus/pci/devices/" VF(1), path, sizeof(path));
	remove(path);
	tree_path(&tree, DEVICES VF(1), path, sizeof(path));
	gp_autofree char *command = gp_xasprintf("rm -r %s", path);
	ck_assert_int_eq(system(command), 0);
	tree_process(&tree, 812, "nvidia-smi", "/dev/nvidia3");
	pthread_t client;
	pthread_create(&client, NULL, make_vf_and_let_go, NULL);
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(60000)), -1);
		ck_assert_msg(err.kind == GP_E_STALE, "%s", err.message);
		expect_not_run();
	}
	pthread_join(client, NULL);
	finish();
}
END_TEST

START_TEST(a_gpu_that_cannot_be_read_is_not_without_clients)
{
	start(0);
	install("make_vf");
	char path[256];
	tree_path(&tree, "sys/bus/pci/devices/" PF_ADDR, path, sizeof(path));
	ck_assert_int_eq(remove(path), 0);
	if (is_root())
		ck_assert_int_eq(perform(run_request(60000)), -1);
	expect_not_run();
	finish();
}
END_TEST

START_TEST(how_it_ended_is_told_as_it_was)
{
	start(0);
	install("exit 130");
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(60000)), -1);
		ck_assert_str_eq(err.message, "sriov-manage ended with status 130, and there are no VFs");
	}
	finish();

	start(0);
	install("make_vf");
	tree_file(&tree, INSIDE, "#!/nonexistent/shell\n");
	if (is_root()) {
		ck_assert_int_eq(perform(run_request(60000)), -1);
		ck_assert_ptr_nonnull(strstr(err.message, "its first line (#!)"));
		ck_assert_ptr_null(strstr(err.remedy, "vGPU host driver"));
	}
	finish();
}
END_TEST

TREE_RUN("host_write_vgpu", only_the_vf_itself_is_asked_about, who_cannot_be_seen_holds_the_vf,
	 a_vf_of_another_gpu_is_not_touched_under_this_lock, what_was_let_go_of_meanwhile_is_done,
	 a_mediated_device_that_is_there_already_is_made, one_of_this_name_elsewhere_is_named,
	 success_without_a_mediated_device_is_none, a_mediated_device_that_is_open_is_not_removed,
	 a_mediated_device_that_is_gone_is_removed, a_driver_that_removes_it_by_itself_is_waited_for,
	 only_programs_on_the_list_are_run, a_program_that_is_not_installed_is_told, what_others_can_change_is_not_run,
	 where_a_link_leads_to_is_looked_at_too, the_program_has_nothing_of_ours, an_exit_status_is_not_believed,
	 a_program_that_fails_is_told_in_its_own_words, a_client_that_stays_is_named_and_nothing_is_run,
	 a_client_that_leaves_is_waited_for, a_gpu_that_has_vfs_is_left_alone,
	 a_program_holds_the_locks_when_who_started_it_is_gone, one_program_at_a_time_on_a_host,
	 what_a_link_leads_to_is_what_is_run, vfs_that_come_late_are_waited_for,
	 what_was_made_while_the_lock_was_waited_for_is_done, vfs_that_come_while_a_client_is_waited_for_are_seen,
	 a_gpu_that_cannot_be_read_is_not_without_clients, how_it_ended_is_told_as_it_was)

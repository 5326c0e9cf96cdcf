/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both halves of a write. The parent's half is tried with this program itself in the helper's place (it then answers,
 * hangs or dies as the request says); the helper's half is called directly on a tree that passes for a real machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host/wire.h"
#include "host/write_change.h"
#include "host_tree.h"

/* No machine has a PCI domain of this number: where the real sysfs is asked, nothing must be found. */
#define PF_ADDR "fe41:41:00.0"

static struct tree tree;
static struct gp_host *host;
static struct gp_error err;

static void finish(void)
{
	gp_error_clear(&err);
	gp_host_close(host);
	tree_remove(&tree);
}

/* ---- the stand-in for the helper ---- */

static void tell_surroundings(struct gp_str *text)
{
	DIR *dir = opendir("/proc/self/fd");
	gp_str_add(text, "fds");
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			gp_str_printf(text, " %s", entry->d_name);
	closedir(dir);
	gp_str_add(text, "; env");
	for (char **variable = environ; *variable != NULL; variable++)
		gp_str_printf(text, " %s", *variable);
	gp_str_printf(text, "; session %s", getsid(0) == getpid() ? "own" : "shared");
	sigset_t blocked;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	struct sigaction pipe_action;
	sigaction(SIGPIPE, NULL, &pipe_action);
	gp_str_printf(text, "; signals %s",
		      !sigismember(&blocked, SIGINT) && pipe_action.sa_handler == SIG_DFL ? "default" : "inherited");
}

static void put_all(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t wrote = write(STDOUT_FILENO, text, size);
		if (wrote <= 0)
			exit(9);
		text += wrote;
		size -= (size_t)wrote;
	}
}

static int stand_in(void)
{
	static char message[GP_WIRE_MAX];
	size_t size = 0;
	for (ssize_t got = 1; got > 0; size += got > 0 ? (size_t)got : 0)
		got = read(STDIN_FILENO, message + size, sizeof(message) - size);
	struct gp_write_request request;
	if (gp_wire_parse_request(message, size, &request, NULL) < 0)
		return 9;
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	struct gp_error result = {0};
	if (strcmp(request.attribute, "hang") == 0)
		pause();
	if (strcmp(request.attribute, "die") == 0)
		raise(SIGKILL);
	if (strcmp(request.attribute, "silent") == 0)
		return 3;
	if (strcmp(request.attribute, "flood") == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (int i = 0; i < 4; i++)
			put_all(message, sizeof(message));
		return 0;
	}
	if (strcmp(request.attribute, "surroundings") == 0) {
		tell_surroundings(&text);
		gp_fail(&result, GP_E_IO, "%s", text.text);
	} else if (strcmp(request.attribute, "echo") == 0) {
		gp_fail(&result, GP_E_STALE, "%s|%s|%s|%d|%d", request.device,
			request.before ? request.before : "(none)", request.after, request.kind, request.guard);
		gp_error_subject(&result, "a subject");
		gp_error_holder(&result, "a holder");
		gp_error_remedy(&result, "a remedy");
		result.sys = EBUSY;
	}
	gp_str_clear(&text);
	gp_wire_add_answer(&result, &text);
	gp_error_clear(&result);
	put_all(text.text, strcmp(request.attribute, "cut") == 0 ? text.length - 4 : text.length);
	return 0;
}

static struct gp_write_request ask(const char *attribute)
{
	struct gp_write_request request = {.kind = GP_STEP_WRITE,
					   .base = GP_BASE_PCI,
					   .device = PF_ADDR,
					   .attribute = attribute,
					   .after = "1",
					   .timeout_ms = 20000};
	gp_pci_addr_parse(PF_ADDR, &request.pf);
	return request;
}

static int write_with_stand_in(const char *attribute, uint64_t timeout_ms)
{
	char self[512];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	ck_assert_int_gt(length, 0);
	self[length] = '\0';
	tree_make(&tree);
	tree_file(&tree, GP_SIM_MARK_FILE, "");
	struct gp_host_options options = {.root = tree.root, .mode = GP_HOST_READ_WRITE, .writer_path = self};
	ck_assert_int_eq(gp_host_open(&options, &host, &err), 0);
	struct gp_write_request request = ask(attribute);
	request.timeout_ms = timeout_ms;
	request.guard = GP_GUARD_UNHELD;
	return gp_host_write(host, &request, &err);
}

START_TEST(an_answer_comes_back_whole)
{
	ck_assert_int_eq(write_with_stand_in("echo", 20000), -1);
	ck_assert_int_eq(err.kind, GP_E_STALE);
	char expected[128];
	snprintf(expected, sizeof(expected), PF_ADDR "|(none)|1|%d|%d", GP_STEP_WRITE, GP_GUARD_UNHELD);
	ck_assert_str_eq(err.message, expected);
	ck_assert_str_eq(err.subject, "a subject");
	ck_assert_str_eq(err.holder, "a holder");
	ck_assert_str_eq(err.remedy, "a remedy");
	ck_assert_int_eq(err.sys, EBUSY);
	finish();
}
END_TEST

START_TEST(success_is_no_error)
{
	ck_assert_int_eq(write_with_stand_in("done", 20000), 0);
	ck_assert_int_eq(err.kind, GP_E_NONE);
	finish();
}
END_TEST

START_TEST(the_helper_has_nothing_of_ours)
{
	/* Things that must not get through: a descriptor without close-on-exec, a variable, a blocked and an ignored
	 * signal. */
	int leak = open("/dev/null", O_RDONLY); /* NOLINT: without O_CLOEXEC on purpose */
	ck_assert_int_gt(fcntl(leak, F_DUPFD, 40), 0);
	setenv("LD_PRELOAD_NOT", "1", 1);
	sigset_t block;
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, NULL);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(write_with_stand_in("surroundings", 20000), -1);
	ck_assert_str_eq(err.message, "fds 0 1 2 3; env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; session own; "
				      "signals default");
	finish();
}
END_TEST

START_TEST(a_helper_that_dies_is_told)
{
	ck_assert_int_eq(write_with_stand_in("die", 20000), -1);
	ck_assert_int_eq(err.kind, GP_E_IO);
	ck_assert_ptr_nonnull(strstr(err.message, "signal 9"));
	ck_assert_str_eq(err.subject, PF_ADDR " die");
	finish();
}
END_TEST

START_TEST(no_answer_is_no_success)
{
	static const char *const ways[] = {"silent", "cut", "flood"};
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(write_with_stand_in(ways[i], 20000), -1);
		ck_assert_int_eq(err.kind, GP_E_IO);
		finish();
	}
}
END_TEST

START_TEST(past_the_deadline_it_is_left_alone_and_named)
{
	ck_assert_int_eq(write_with_stand_in("hang", 300), -1);
	ck_assert_int_eq(err.kind, GP_E_TIMEOUT);
	ck_assert_ptr_nonnull(err.remedy);
	ck_assert_uint_eq(host->abandoned_count, 1);
	pid_t pid = host->abandoned[0];
	char words[32];
	snprintf(words, sizeof(words), "pid %d", (int)pid);
	ck_assert_ptr_nonnull(strstr(err.message, words));
	ck_assert_int_eq(kill(pid, 0), 0);
	/* When it ends at last, the next write clears it away. */
	kill(pid, SIGKILL);
	siginfo_t info;
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	struct gp_write_request request = ask("done");
	ck_assert_int_eq(gp_host_write(host, &request, &err), 0);
	ck_assert_uint_eq(host->abandoned_count, 0);
	finish();
}
END_TEST

START_TEST(a_helper_that_is_not_there_is_told)
{
	tree_make(&tree);
	tree_file(&tree, GP_SIM_MARK_FILE, "");
	struct gp_host_options options = {
		.root = tree.root, .mode = GP_HOST_READ_WRITE, .writer_path = "/nonexistent/gpupart-write"};
	ck_assert_int_eq(gp_host_open(&options, &host, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent/gpupart-write"));
	ck_assert_ptr_nonnull(strstr(err.remedy, "install gpupart completely"));
	gp_error_clear(&err);
	/* Installing does not help against a file that is there and cannot be run. */
	char path[128];
	tree_file(&tree, "writer", "no program");
	tree_path(&tree, "writer", path, sizeof(path));
	ck_assert_int_eq(chmod(path, 0755), 0);
	options.writer_path = path;
	ck_assert_int_eq(gp_host_open(&options, &host, &err), 0);
	struct gp_write_request request = ask("done");
	ck_assert_int_eq(gp_host_write(host, &request, &err), -1);
	ck_assert_int_eq(err.sys, ENOEXEC);
	ck_assert_ptr_null(err.remedy);
	finish();
}
END_TEST

START_TEST(what_was_opened_to_look_at_cannot_be_written)
{
	tree_make(&tree);
	tree_usual(&tree, 0, NULL);
	for (int simulated = 0; simulated < 2; simulated++) {
		host = tree_open(&tree, simulated, GP_HOST_READ_ONLY);
		struct gp_write_request request = ask("done");
		ck_assert_int_eq(gp_host_write(host, &request, &err), -1);
		ck_assert_int_eq(err.kind, GP_E_INTERNAL);
		ck_assert_int_eq(gp_host_lock(host, 0, NULL, NULL, &err), -1);
		ck_assert_int_eq(err.kind, GP_E_INTERNAL);
		gp_host_close(host);
	}
	host = tree_open(&tree, true, GP_HOST_READ_WRITE);
	struct gp_write_request no_deadline = ask("done");
	no_deadline.timeout_ms = 0;
	ck_assert_int_eq(gp_host_write(host, &no_deadline, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	finish();
}
END_TEST

START_TEST(a_request_that_is_cut_off_is_none)
{
	struct gp_write_request request = ask("x"), parsed;
	request.before = "";
	request.program = "/usr/lib/nvidia/sriov-manage";
	struct gp_str message = {0};
	gp_wire_add_request(&request, &message);
	ck_assert_int_eq(gp_wire_parse_request(message.text, message.length, &parsed, NULL), 0);
	ck_assert_str_eq(parsed.before, "");
	ck_assert_str_eq(parsed.program, "/usr/lib/nvidia/sriov-manage");
	for (size_t size = 0; size < message.length; size++) {
		char *cut = gp_xmalloc(size + 1);
		memcpy(cut, message.text, size);
		ck_assert_int_eq(gp_wire_parse_request(cut, size, &parsed, NULL), -1);
		free(cut);
	}
	/* A value that says "end" is no end. */
	request.after = "end";
	gp_str_clear(&message);
	gp_wire_add_request(&request, &message);
	ck_assert_int_eq(gp_wire_parse_request(message.text, message.length, &parsed, NULL), 0);
	ck_assert_str_eq(parsed.after, "end");
	gp_str_clear(&message);
}
END_TEST

/* ---- the helper's half ---- */

#define ATTRIBUTE "sys/bus/pci/devices/" PF_ADDR "/knob"

/* A tree that passes for the real machine: attributes are plain files. */
static void make_real(unsigned vfs, const char *vf_driver)
{
	tree_make(&tree);
	tree_pf(&tree, &(struct tree_pf){.addr = PF_ADDR,
					 .vendor = 0x8086,
					 .device = 1,
					 .pci_class = 0x030000,
					 .driver = "xe",
					 .total_vfs = 4});
	for (unsigned i = 0; i < vfs; i++) {
		char addr[GP_PCI_ADDR_SIZE];
		snprintf(addr, sizeof(addr), "fe41:41:00.%u", i + 1);
		tree_vf(&tree, PF_ADDR, i, addr, vf_driver, 20 + i);
	}
	tree_file(&tree, "sys/devices/pci0000:40/" PF_ADDR "/knob", "5\n");
	tree_file(&tree, "sys/devices/pci0000:40/" PF_ADDR "/sriov_numvfs", "never read\n");
	tree_link(&tree, "proc/1/ns/pid", "pid:[4026531836]");
	tree_process(&tree, 1, "init", "/dev/null");
	host = tree_open(&tree, false, GP_HOST_READ_ONLY);
	host->kind = GP_HOST_LIVE;
}

static int change(const char *attribute, const char *before, const char *after, enum gp_guard guard)
{
	struct gp_write_request request = ask(attribute);
	request.before = before;
	request.after = after;
	request.guard = guard;
	gp_error_clear(&err);
	return gp_write_change(host, &request, &err);
}

static void expect_file(const char *path, const char *expected)
{
	char text[64];
	ck_assert_int_ge(gp_host_read(host, path, text, sizeof(text), NULL), 0);
	ck_assert_msg(gp_starts_with(text, expected), "%s holds '%s'", path, text);
}

START_TEST(an_attribute_is_compared_written_and_read_back)
{
	make_real(0, NULL);
	ck_assert_msg(change("knob", "5", "7", GP_GUARD_NONE) == 0, "%s", err.message);
	expect_file(ATTRIBUTE, "7");
	ck_assert_int_eq(change("knob", "5", "9", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_STALE);
	ck_assert_str_eq(err.message, "is '7' now; the plan stands on '5'");
	ck_assert_str_eq(err.subject, PF_ADDR " knob");
	expect_file(ATTRIBUTE, "7");
	ck_assert_int_eq(change("missing", NULL, "9", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	ck_assert_int_eq(change("../" PF_ADDR "/knob", NULL, "9", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	finish();
}
END_TEST

START_TEST(a_read_back_that_differs_is_no_success)
{
	make_real(0, NULL);
	/* The plain file keeps the longer text's end: what a kernel does that takes something else than was written. */
	tree_file(&tree, "sys/devices/pci0000:40/" PF_ADDR "/knob", "500");
	ck_assert_int_eq(change("knob", NULL, "7", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_VERIFY);
	ck_assert_str_eq(err.message, "was set to '7', and reads '700'");
	finish();
}
END_TEST

START_TEST(blanks_in_a_list_do_not_matter)
{
	make_real(0, NULL);
	tree_file(&tree, "sys/devices/pci0000:40/" PF_ADDR "/knob", "a=1, b=2 \n");
	ck_assert_int_eq(change("knob", "a=1,b=2", "c=3,d=4   ", GP_GUARD_NONE), 0);
	ck_assert_int_eq(change("knob", "c=3,d=4", "e", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_VERIFY);
	finish();
}
END_TEST

START_TEST(what_is_write_only_is_not_read_back)
{
	make_real(0, NULL);
	char path[256];
	tree_path(&tree, "sys/devices/pci0000:40/" PF_ADDR "/knob", path, sizeof(path));
	tree_file(&tree, "sys/devices/pci0000:40/" PF_ADDR "/knob", "500");
	ck_assert_int_eq(chmod(path, 0200), 0);
	ck_assert_int_eq(change("knob", NULL, "7", GP_GUARD_NONE), 0);
	finish();
}
END_TEST

START_TEST(vfs_are_counted_by_their_links)
{
	make_real(2, NULL);
	ck_assert_int_eq(change("sriov_numvfs", "0", "4", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_STALE);
	ck_assert_str_eq(err.message, "is '2' now; the plan stands on '0'");
	expect_file("sys/bus/pci/devices/" PF_ADDR "/sriov_numvfs", "never read");
	/* The links stay where they are, since nobody is there to remove them. */
	ck_assert_int_eq(change("sriov_numvfs", "2", "0", GP_GUARD_UNHELD), -1);
	ck_assert_msg(err.kind == GP_E_VERIFY, "%s", err.message);
	expect_file("sys/bus/pci/devices/" PF_ADDR "/sriov_numvfs", "0");
	/* Fewer than asked may come later. */
	ck_assert_int_eq(change("sriov_numvfs", "2", "4", GP_GUARD_NONE), 0);
	ck_assert_int_eq(change("sriov_numvfs", "2", "many", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	finish();
}
END_TEST

START_TEST(a_vf_with_a_foreign_driver_is_not_removed)
{
	make_real(2, "xe");
	ck_assert_int_eq(change("sriov_numvfs", "2", "0", GP_GUARD_UNHELD), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	ck_assert_str_eq(err.holder, "driver xe");
	expect_file("sys/bus/pci/devices/" PF_ADDR "/sriov_numvfs", "never read");
	ck_assert_int_eq(change("knob", NULL, "7", GP_GUARD_UNHELD), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	expect_file(ATTRIBUTE, "5");
	finish();
}
END_TEST

START_TEST(a_vf_that_is_open_is_not_removed)
{
	make_real(2, "vfio-pci");
	tree_process(&tree, 812, "qemu-web-01", "/dev/vfio/21");
	ck_assert_int_eq(change("sriov_numvfs", "2", "0", GP_GUARD_UNHELD), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	ck_assert_str_eq(err.holder, "process qemu-web-01 (pid 812)");
	expect_file("sys/bus/pci/devices/" PF_ADDR "/sriov_numvfs", "never read");
	finish();
}
END_TEST

START_TEST(what_cannot_be_told_is_in_use)
{
	make_real(1, "vfio-pci");
	tree_file(&tree, "proc/900/fd", "");
	ck_assert_int_eq(change("sriov_numvfs", "1", "0", GP_GUARD_UNHELD), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	finish();
	/* Hidden processes, and processes of a container only. */
	make_real(1, "vfio-pci");
	tree_link(&tree, "proc/1/ns/pid", "pid:[4026532000]");
	ck_assert_int_eq(change("sriov_numvfs", "1", "0", GP_GUARD_UNHELD), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.message, "container"));
	char path[256];
	tree_path(&tree, "proc/1/ns/pid", path, sizeof(path));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(change("sriov_numvfs", "1", "0", GP_GUARD_UNHELD), -1);
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.message, "hides"));
	expect_file("sys/bus/pci/devices/" PF_ADDR "/sriov_numvfs", "never read");
	finish();
}
END_TEST

START_TEST(drivers_are_bound_and_read_back)
{
	make_real(1, NULL);
	tree_file(&tree, "sys/bus/pci/drivers/vfio-pci/bind", "");
	tree_file(&tree, "sys/bus/pci/drivers/xe/unbind", "");
	struct gp_write_request bind = ask(NULL);
	bind.kind = GP_STEP_BIND;
	bind.device = "fe41:41:00.1";
	bind.before = "";
	bind.after = "vfio-pci";
	ck_assert_int_eq(gp_write_change(host, &bind, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_VERIFY);
	ck_assert_str_eq(err.subject, "fe41:41:00.1");
	expect_file("sys/bus/pci/drivers/vfio-pci/bind", "fe41:41:00.1");
	bind.after = "../../../../etc";
	ck_assert_int_eq(gp_write_change(host, &bind, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	bind.after = "absent";
	ck_assert_int_eq(gp_write_change(host, &bind, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	struct gp_write_request unbind = ask(NULL);
	unbind.kind = GP_STEP_UNBIND;
	unbind.before = "vfio-pci";
	ck_assert_int_eq(gp_write_change(host, &unbind, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_STALE);
	unbind.before = "xe";
	ck_assert_int_eq(gp_write_change(host, &unbind, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_VERIFY);
	expect_file("sys/bus/pci/drivers/xe/unbind", PF_ADDR);
	unbind.device = "fe41:41:00.1";
	unbind.before = NULL;
	ck_assert_int_eq(gp_write_change(host, &unbind, &err), 0);
	finish();
}
END_TEST

START_TEST(one_writer_a_gpu_at_a_time)
{
	make_real(0, NULL);
	gp_autoclose int held =
		gp_state_lock(host->root_fd, "run/gpupart/pf-" PF_ADDR ".lock", "somebody", 0, NULL, NULL, &err);
	ck_assert_int_ge(held, 0);
	struct gp_write_request request = ask("knob");
	request.timeout_ms = 200;
	ck_assert_int_eq(gp_write_change(host, &request, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_BUSY);
	ck_assert(gp_starts_with(err.holder, "somebody, pid "));
	expect_file(ATTRIBUTE, "5");
	finish();
}
END_TEST

START_TEST(under_the_lock_of_one_gpu_no_other_device_is_written)
{
	make_real(1, NULL);
	tree_file(&tree, "sys/devices/pci0000:40/fe41:41:00.1/knob", "5\n");
	tree_vf(&tree, PF_ADDR, 9, "fe41:42:00.1", NULL, 0);
	char path[256];
	tree_path(&tree, "sys/devices/pci0000:40/" PF_ADDR "/virtfn9", path, sizeof(path));
	ck_assert_int_eq(remove(path), 0);
	tree_file(&tree, "sys/devices/pci0000:40/fe41:42:00.1/knob", "5\n");
	struct gp_write_request request = ask("knob");
	request.device = "fe41:41:00.1";
	request.after = "7";
	ck_assert_msg(gp_write_change(host, &request, &err) == 0, "%s", err.message);
	request.device = "fe41:42:00.1";
	ck_assert_int_eq(gp_write_change(host, &request, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	ck_assert_str_eq(err.message, "the lock is for " PF_ADDR ", and fe41:42:00.1 is no VF of it");
	expect_file("sys/bus/pci/devices/fe41:42:00.1/knob", "5");
	finish();
}
END_TEST

START_TEST(a_captured_machine_is_not_written_by_the_helper_either)
{
	make_real(0, NULL);
	host->kind = GP_HOST_CAPTURED;
	ck_assert_int_eq(change("knob", NULL, "7", GP_GUARD_NONE), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	expect_file(ATTRIBUTE, "5");
	finish();
}
END_TEST

START_TEST(each_errno_has_its_words)
{
	static const struct {
		int sys;
		const char *driver, *asked;
		uint32_t num_vfs;
		enum gp_error_kind kind;
		const char *words;
	} rows[] = {
		{ENOENT, NULL, "4", 0, GP_E_UNSUPPORTED, "no driver is bound"},
		{ENOENT, "gim", "4", 0, GP_E_UNSUPPORTED, "driver gim does not make VFs"},
		{ENOSYS, "old", "4", 0, GP_E_UNSUPPORTED, "driver old does not make VFs"},
		{ERANGE, "xe", "9", 0, GP_E_UNSUPPORTED, "at most 4"},
		{EBUSY, "xe", "4", 2, GP_E_BUSY, "2 VFs are enabled"},
		{EBUSY, "xe", "0", 2, GP_E_BUSY, "busy"},
		{EBUSY, "xe", "4", 0, GP_E_BUSY, "busy"},
		{EIO, "xe", "4", 0, GP_E_IO, "did not enable"},
		{ENOMEM, "xe", "4", 0, GP_E_UNSUPPORTED, "no room for 4 VFs"},
		{ENOSPC, "xe", "4", 0, GP_E_UNSUPPORTED, "too little left"},
		{EPERM, "xe", "4", 0, GP_E_PERMISSION, "does not allow it"},
		{EACCES, "xe", "4", 0, GP_E_PERMISSION, "this user"},
		{EINVAL, "xe", "4", 0, GP_E_UNSUPPORTED, "does not take '4'"},
		{ENODEV, "xe", "4", 0, GP_E_IO, "cannot be set to 4"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gp_gpu gpu = {.driver = rows[i].driver, .num_vfs = rows[i].num_vfs, .total_vfs = 4};
		ck_assert_int_eq(gp_write_explain_numvfs(rows[i].sys, &gpu, rows[i].asked, &err), -1);
		ck_assert_msg(err.kind == rows[i].kind && strstr(err.message, rows[i].words) != NULL, "row %zu: %s", i,
			      err.message);
		ck_assert_int_eq(err.sys, rows[i].sys);
		gp_error_clear(&err);
	}
}
END_TEST

START_TEST(the_helper_is_for_gpupart_alone)
{
	gp_autofree char *command = gp_xasprintf("%s </dev/null >/dev/null 2>&1", GP_WRITER);
	int status = system(command);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 64);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc == 1 && strcmp(gp_last_component(argv[0]), "gpupart-write") == 0)
		return stand_in();
	return TREE_SUITE("host_write", an_answer_comes_back_whole, success_is_no_error, the_helper_has_nothing_of_ours,
			  a_helper_that_dies_is_told, no_answer_is_no_success,
			  past_the_deadline_it_is_left_alone_and_named, a_helper_that_is_not_there_is_told,
			  what_was_opened_to_look_at_cannot_be_written, a_request_that_is_cut_off_is_none,
			  an_attribute_is_compared_written_and_read_back, a_read_back_that_differs_is_no_success,
			  blanks_in_a_list_do_not_matter, what_is_write_only_is_not_read_back,
			  vfs_are_counted_by_their_links, a_vf_with_a_foreign_driver_is_not_removed,
			  a_vf_that_is_open_is_not_removed, what_cannot_be_told_is_in_use,
			  drivers_are_bound_and_read_back, one_writer_a_gpu_at_a_time,
			  under_the_lock_of_one_gpu_no_other_device_is_written,
			  a_captured_machine_is_not_written_by_the_helper_either, each_errno_has_its_words,
			  the_helper_is_for_gpupart_alone);
}

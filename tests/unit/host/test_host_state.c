/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locks that say who holds them, and the exports that are kept. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "host_tree.h"

static struct tree tree;
static struct gp_host *host;
static struct gp_error err;

static void start(void)
{
	tree_make(&tree);
	host = tree_open(&tree, true, GP_HOST_READ_WRITE);
}

static void finish(void)
{
	gp_error_clear(&err);
	gp_host_close(host);
	tree_remove(&tree);
}

static mode_t mode_of(const char *path)
{
	char whole[256];
	struct stat info;
	tree_path(&tree, path, whole, sizeof(whole));
	return stat(whole, &info) == 0 ? info.st_mode & 07777 : 0;
}

/* A second apply: takes the lock, tells so, and keeps it until it is told to go (or for ever). */
static pid_t hold_lock(int *tell)
{
	int taken[2], go[2];
	ck_assert_int_eq(pipe(taken), 0);
	ck_assert_int_eq(pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		char c = gp_host_lock(host, 0, NULL, NULL, NULL) >= 0 ? 'y' : 'n';
		if (write(taken[1], &c, 1) == 1 && read(go[0], &c, 1) >= 0)
			_exit(0);
		_exit(1);
	}
	char c = 0;
	ck_assert_int_eq(read(taken[0], &c, 1), 1);
	ck_assert_int_eq(c, 'y');
	close(go[0]);
	close(taken[0]);
	close(taken[1]);
	*tell = go[1];
	return pid;
}

struct told {
	int times;
	char holder[128];
	int let_go; /* descriptor that, closed, ends the holder; -1: it stays */
};

static void on_waiting(void *context, const char *holder)
{
	struct told *told = context;
	told->times++;
	snprintf(told->holder, sizeof(told->holder), "%s", holder);
	if (told->let_go >= 0)
		close(told->let_go);
}

START_TEST(a_second_apply_waits_and_says_for_whom)
{
	start();
	struct told told = {.let_go = -1};
	pid_t pid = hold_lock(&told.let_go);
	gp_autoclose int lock = gp_host_lock(host, 60000, on_waiting, &told, &err);
	ck_assert_int_ge(lock, 0);
	ck_assert_int_eq(told.times, 1);
	char expected[64];
	snprintf(expected, sizeof(expected), "gpupart apply, pid %d, since ", (int)pid);
	ck_assert(gp_starts_with(told.holder, expected));
	waitpid(pid, NULL, 0);
	finish();
}
END_TEST

START_TEST(waiting_ends_with_the_name_of_the_holder)
{
	start();
	struct told told = {.let_go = -1};
	int tell;
	pid_t pid = hold_lock(&tell);
	ck_assert_int_eq(gp_host_lock(host, 120, on_waiting, &told, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_BUSY);
	ck_assert_int_eq(told.times, 1);
	ck_assert_str_eq(err.holder, told.holder);
	char subject[256];
	tree_path(&tree, "run/gpupart/lock", subject, sizeof(subject));
	ck_assert_str_eq(err.subject, subject);
	close(tell);
	waitpid(pid, NULL, 0);
	/* A holder that is gone holds nothing, whatever the file says. */
	gp_autoclose int lock = gp_host_lock(host, 0, on_waiting, &told, &err);
	ck_assert_int_ge(lock, 0);
	ck_assert_int_eq(told.times, 1);
	finish();
}
END_TEST

START_TEST(who_has_just_taken_the_lock_gets_a_moment_to_sign)
{
	start();
	struct told told = {.let_go = -1};
	gp_autoclose int held = gp_host_lock(host, 0, NULL, NULL, &err);
	ck_assert_int_ge(held, 0);
	/* One round is all that there is time for. */
	ck_assert_int_eq(gp_host_lock(host, 1, on_waiting, &told, &err), -1);
	ck_assert_int_eq(told.times, 0);
	ck_assert(gp_starts_with(err.holder, "gpupart apply, pid "));
	finish();
}
END_TEST

START_TEST(a_writer_at_work_is_seen)
{
	start();
	tree_usual(&tree, 2, NULL);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *before = gp_observed_new();
	ck_assert_int_eq(gp_host_observe_pci(host, NULL, 0, before, &err), 0);
	ck_assert(!before->gpus[0].busy);
	int held =
		gp_state_lock(host->root_fd, "run/gpupart/pf-" TREE_PF ".lock", "gpupart-write", 0, NULL, NULL, &err);
	ck_assert_int_ge(held, 0);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *during = gp_observed_new();
	ck_assert_int_eq(gp_host_observe_pci(host, NULL, 0, during, &err), 0);
	struct gp_gpu *gpu = &during->gpus[0];
	ck_assert(gpu->busy);
	ck_assert(gp_starts_with(gpu->busy_by, "gpupart-write, pid "));
	close(held);
	/* The file stays, and says nothing any more. */
	ck_assert_int_eq(gp_host_observe_pf(host, during->arena, gpu->addr, gpu, &err), 0);
	ck_assert(!gpu->busy);
	ck_assert_ptr_null(gpu->busy_by);
	finish();
}
END_TEST

START_TEST(what_a_lock_file_says_cannot_steer_a_terminal)
{
	start();
	gp_autoclose int held = gp_state_lock(host->root_fd, "run/gpupart/lock", "\033[2Jme\xff", 0, NULL, NULL, &err);
	ck_assert_int_ge(held, 0);
	ck_assert_int_eq(gp_host_lock(host, 0, NULL, NULL, &err), -1);
	ck_assert(gp_starts_with(err.holder, "?[2Jme?, pid "));
	finish();
}
END_TEST

START_TEST(modes_keep_others_out)
{
	start();
	gp_autoclose int lock = gp_host_lock(host, 0, NULL, NULL, &err);
	ck_assert_int_ge(lock, 0);
	gp_autofree char *path = NULL;
	ck_assert_int_eq(gp_host_save_previous(host, "a.yaml", "version: 1\n", &path, &err), 0);
	ck_assert_uint_eq(mode_of("run/gpupart"), 0755);
	ck_assert_uint_eq(mode_of("run/gpupart/lock"), 0600);
	ck_assert_uint_eq(mode_of("var/lib/gpupart"), 0755);
	ck_assert_uint_eq(mode_of("var/lib/gpupart/previous"), 0700);
	ck_assert_uint_eq(mode_of("var/lib/gpupart/previous/a.yaml"), 0600);
	finish();
}
END_TEST

START_TEST(an_export_is_saved_and_named)
{
	start();
	gp_autofree char *path = NULL;
	ck_assert_int_eq(gp_host_save_previous(host, "a.yaml", "version: 1\n", &path, &err), 0);
	char expected[256], text[64];
	tree_path(&tree, "var/lib/gpupart/previous/a.yaml", expected, sizeof(expected));
	ck_assert_str_eq(path, expected);
	ck_assert_int_ge(gp_host_read(host, "var/lib/gpupart/previous/a.yaml", text, sizeof(text), &err), 0);
	ck_assert_str_eq(text, "version: 1");
	gp_autofree char *none = NULL;
	ck_assert_int_eq(gp_host_save_previous(host, "../a.yaml", "", &none, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	finish();
}
END_TEST

static int count_names(void *context, const char *name GP_UNUSED)
{
	++*(int *)context;
	return 0;
}

START_TEST(twenty_exports_are_kept)
{
	start();
	for (int i = 0; i < 25; i++) {
		char name[32];
		gp_autofree char *path = NULL;
		snprintf(name, sizeof(name), "export-%02d.yaml", i);
		ck_assert_int_eq(gp_host_save_previous(host, name, "version: 1\n", &path, &err), 0);
	}
	int count = 0;
	gp_host_list(host, "var/lib/gpupart/previous", count_names, &count, NULL);
	ck_assert_int_eq(count, 20);
	ck_assert(gp_host_exists(host, "var/lib/gpupart/previous/export-24.yaml"));
	ck_assert(!gp_host_exists(host, "var/lib/gpupart/previous/export-00.yaml"));
	finish();
}
END_TEST

START_TEST(what_was_just_saved_stays_when_the_clock_was_set_back)
{
	const struct timespec tomorrow[2] = {{.tv_sec = time(NULL) + 86400}, {.tv_sec = time(NULL) + 86400}};
	start();
	for (int i = 0; i < 25; i++) {
		char name[64], path[256];
		snprintf(name, sizeof(name), "var/lib/gpupart/previous/later-%02d.yaml", i);
		tree_file(&tree, name, "version: 1\n");
		tree_path(&tree, name, path, sizeof(path));
		ck_assert_int_eq(utimensat(AT_FDCWD, path, tomorrow, 0), 0);
	}
	gp_autofree char *saved = NULL;
	ck_assert_int_eq(gp_host_save_previous(host, "now.yaml", "version: 1\n", &saved, &err), 0);
	int count = 0;
	gp_host_list(host, "var/lib/gpupart/previous", count_names, &count, NULL);
	ck_assert_int_eq(count, 20);
	ck_assert(gp_host_exists(host, "var/lib/gpupart/previous/now.yaml"));
	finish();
}
END_TEST

START_TEST(state_stays_inside_of_the_root)
{
	start();
	struct tree other;
	tree_make(&other);
	tree_link(&tree, "var/lib/gpupart", other.root);
	gp_autofree char *path = NULL;
	ck_assert_int_eq(gp_host_save_previous(host, "a.yaml", "x", &path, &err), -1);
	char outside[256];
	tree_path(&other, "previous", outside, sizeof(outside));
	ck_assert_int_ne(access(outside, F_OK), 0);
	tree_remove(&other);
	finish();
}
END_TEST

TREE_RUN("host_state", a_second_apply_waits_and_says_for_whom, waiting_ends_with_the_name_of_the_holder,
	 what_a_lock_file_says_cannot_steer_a_terminal, modes_keep_others_out, an_export_is_saved_and_named,
	 twenty_exports_are_kept, who_has_just_taken_the_lock_gets_a_moment_to_sign, a_writer_at_work_is_seen,
	 what_was_just_saved_stays_when_the_clock_was_set_back, state_stays_inside_of_the_root)

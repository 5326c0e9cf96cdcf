/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs of vendors. A plan names the program and where it lies; only a program on the list is run, from a place that
 * root alone can change, with nothing of ours: no descriptors, no environment.
 *
 * It is waited for however long it takes: half-way is worse than late. What it says of itself is not believed. NVIDIA's
 * sriov-manage ends with 0 before any VF is there, or without one ever coming, while the driver is still starting.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host/host_internal.h"
#include "host/sim.h"
#include "host/write_change.h"

enum { VFS_APPEAR_MS = 5000, LAST_WORDS = 160 };

static const struct vendor_program {
	const char *name;
	const char *comes_with; /* what is to be installed */
	const char *policy;     /* the key that tells where it lies */
} vendor_programs[] = {
	{"sriov-manage", "NVIDIA's vGPU host driver (the vGPU-KVM package)", "sriov_manage"},
};

static const struct vendor_program *find_program(const char *name)
{
	for (size_t i = 0; i < sizeof(vendor_programs) / sizeof(vendor_programs[0]); i++)
		if (gp_streq(vendor_programs[i].name, name))
			return &vendor_programs[i];
	return NULL;
}

/* ---- may it be run? ---- */

static int fail_owner(const char *program, const char *part, const struct stat *info, struct gp_error *err)
{
	if (info->st_uid != 0)
		gp_fail(err, GP_E_REFUSED, "%s is not run: %s belongs to user %u, not to root", program, part,
			(unsigned)info->st_uid);
	else
		gp_fail(err, GP_E_REFUSED, "%s is not run: others than root can change %s (mode %04o)", program, part,
			(unsigned)(info->st_mode & 07777));
	return gp_error_remedy(err, "chown root:root %s && chmod go-w %s", part, part);
}

/* A link is nobody's to change but its directory's, which is looked at on its own. */
static int check_part(int root_fd, const char *program, const char *part, struct gp_error *err)
{
	struct stat info;
	gp_autoclose int fd = gp_open_inside(root_fd, part, O_PATH, 0, GP_INSIDE_ROOT);
	if (fd < 0 || fstat(fd, &info) < 0)
		return gp_fail_errno(err, errno, "%s", part);
	if (info.st_uid != 0 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return fail_owner(program, part, &info, err);
	return 0;
}

static int check_file(int root_fd, const char *program, struct gp_error *err)
{
	struct stat info;
	gp_autoclose int fd = gp_open_inside(root_fd, program, O_PATH, 0, GP_INSIDE_ROOT);
	if (fd < 0 || fstat(fd, &info) < 0)
		return gp_fail_errno(err, errno, "%s", program);
	if (S_ISREG(info.st_mode) && (info.st_mode & S_IXUSR) != 0)
		return 0;
	return gp_fail(err, GP_E_UNSUPPORTED, "%s is no program", program);
}

/* Each directory on the way of this path, from the root down, and the file itself. */
static int check_way(int root_fd, const char *program, const char *path, struct gp_error *err)
{
	gp_autofree char *part = gp_xstrdup(path);
	if (check_part(root_fd, program, "/", err) < 0)
		return -1;
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (check_part(root_fd, program, part, err) < 0)
			return -1;
		*slash = '/';
	}
	return check_part(root_fd, program, part, err);
}

/* Where it really lies, links resolved inside the root. NULL: not to be had. */
static char *resolve(int root_fd, const char *program)
{
	char place[64], target[PATH_MAX];
	gp_autoclose int fd = gp_open_inside(root_fd, program, O_PATH, 0, GP_INSIDE_ROOT);
	gp_autoclose int root = fd < 0 ? -1 : gp_open_inside(root_fd, "/", O_PATH, 0, GP_INSIDE_ROOT);
	if (root < 0)
		return NULL;
	snprintf(place, sizeof(place), "/proc/self/fd/%d", root);
	ssize_t prefix = readlink(place, target, sizeof(target) - 1);
	size_t skip = prefix == 1 ? 0 : (size_t)prefix; /* the root of a machine is "/" itself */
	snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(place, target, sizeof(target) - 1);
	if (prefix <= 0 || length <= (ssize_t)skip)
		return NULL;
	target[length] = '\0';
	return gp_xstrdup(target + skip);
}

static bool is_plain_absolute(const char *path)
{
	return path != NULL && path[0] == '/' && path[1] != '\0' && strlen(path) < PATH_MAX &&
	       strstr(path, "/../") == NULL && !gp_starts_with(gp_last_component(path), ".");
}

int gp_write_check_program(int root_fd, const char *program, struct gp_error *err)
{
	if (!is_plain_absolute(program))
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no absolute path", program != NULL ? program : "");
	if (check_file(root_fd, program, err) < 0 || check_way(root_fd, program, program, err) < 0)
		return -1;
	/* And where the links on that way lead to. */
	gp_autofree char *real = resolve(root_fd, program);
	if (real == NULL)
		return gp_fail(err, GP_E_IO, "%s cannot be looked at", program);
	return check_way(root_fd, program, real, err);
}

int gp_host_check_program(struct gp_host *host, const char *program, struct gp_error *err)
{
	return gp_write_check_program(host->root_fd, program, err);
}

/* ---- running it ---- */

/* Its last line, for people: what it was that went wrong is nowhere else to be read. */
static void read_last_words(int fd, struct gp_str *words)
{
	char text[4096];
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > (off_t)sizeof(text) - 1 ? size - ((off_t)sizeof(text) - 1) : 0;
	ssize_t got = size > 0 ? pread(fd, text, sizeof(text) - 1, from) : 0;
	while (got > 0 && strchr("\r\n\t ", text[got - 1]) != NULL)
		got--;
	if (got <= 0)
		return;
	text[got] = '\0';
	const char *newline = memrchr(text, '\n', (size_t)got);
	gp_autofree char *line = gp_xasprintf("%.*s", LAST_WORDS, newline != NULL ? newline + 1 : text);
	gp_str_add_shown(words, line);
}

/* The exit status, 128 and the signal, or a negative errno. */
static int spawn_and_wait(const char *path, const char *argument, const char *device, int output)
{
	char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *const arguments[] = {(char *)path, (char *)argument, (char *)device, NULL};
	char *const environment[] = {search, locale, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	pid_t pid;
	int sys = posix_spawn(&pid, path, &files, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	if (sys != 0)
		return -sys;
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_for_real(const struct gp_write *write, struct gp_str *words)
{
	const struct gp_write_request *request = write->request;
	const char *root = gp_host_root(write->host);
	/* A file in memory and no pipe: it never has to wait for a reader. */
	gp_autoclose int output = memfd_create("gpupart-program", MFD_CLOEXEC);
	if (output < 0)
		return -errno;
	gp_autofree char *path = gp_xasprintf("%s%s", gp_streq(root, "/") ? "" : root, request->program);
	int status = spawn_and_wait(path, request->after, request->device, output);
	read_last_words(output, words);
	return status;
}

static int run_once(const struct gp_write *write, struct gp_str *words)
{
	const struct gp_write_request *request = write->request;
	if (gp_host_kind_of(write->host) == GP_HOST_SIMULATED)
		return gp_kernel_sim_run(gp_host_root_fd(write->host), request->program, request->after,
					 request->device);
	return run_for_real(write, words);
}

/* ---- what it has brought about ---- */

/* Links, and the capability that agrees with them. */
static bool has_vfs(const struct gp_write *write)
{
	struct gp_gpu gpu;
	return gp_write_observe_pf(write, &gpu, NULL) == 0 && gpu.num_vfs > 0 && !gp_pci_in_transition(&gpu);
}

/* So long must be left, or it would be asked again for nobody. */
static bool has_time_for(const struct gp_write *write, uint64_t ms)
{
	return gp_clock_ms() + ms < write->until_ms;
}

static bool wait_for_vfs(const struct gp_write *write)
{
	uint64_t until = gp_clock_ms() + VFS_APPEAR_MS;
	if (until > write->until_ms)
		until = write->until_ms;
	do {
		if (has_vfs(write))
			return true;
	} while (gp_write_pause(until));
	return false;
}

static int fail_missing(const struct gp_write *write, const struct vendor_program *program, struct gp_error *err)
{
	gp_fail(err, GP_E_NOT_FOUND, "there is no %s, which makes the VFs of this GPU", write->request->program);
	return gp_error_remedy(err, "install %s, or tell where the program lies: policy: {%s: /path}",
			       program->comes_with, program->policy);
}

static int fail_status(const struct gp_write *write, int status, const struct gp_str *words, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str clients = {0};
	const char *name = write->request->attribute;
	if (status > 128)
		gp_fail(err, GP_E_IO, "%s was ended by signal %d, and there are no VFs", name, status - 128);
	else
		gp_fail(err, GP_E_IO, "%s ended with status %d, and there are no VFs%s%s", name, status,
			words->length > 0 ? "; it says: " : "", gp_str_text(words));
	if (!gp_write_name_clients(write, &clients))
		return -1;
	gp_error_holder(err, "%s", gp_str_text(&clients));
	return gp_error_remedy(err, "stop what has the GPU open, then run apply again");
}

static int fail_no_vfs(const struct gp_write *write, unsigned runs, struct gp_error *err)
{
	gp_fail(err, GP_E_VERIFY, "%s reports success%s, but there are no VFs", write->request->attribute,
		runs > 1 ? " each time" : "");
	return gp_error_remedy(err,
			       "the driver may still be starting (15 to 30 s after it is loaded): run apply again; "
			       "see 'dmesg', and whether nvidia-vgpud and nvidia-vgpu-mgr run");
}

static int fail_run(const struct gp_write *write, const struct vendor_program *program, int sys, struct gp_error *err)
{
	if (sys == ENOENT)
		return fail_missing(write, program, err);
	return gp_fail_errno(err, sys, "cannot run %s", write->request->program);
}

static int run_until_vfs(const struct gp_write *write, const struct vendor_program *program, struct gp_error *err)
{
	for (unsigned runs = 1;; runs++) {
		GP_CLEANUP(gp_str_clear) struct gp_str words = {0};
		if (gp_write_check_guard(write, err) < 0)
			return -1;
		uint64_t began = gp_clock_ms();
		int status = run_once(write, &words);
		if (status < 0)
			return fail_run(write, program, -status, err);
		uint64_t took = gp_clock_ms() - began;
		if (status == 0 ? wait_for_vfs(write) : has_vfs(write))
			return 0;
		if (status != 0)
			return fail_status(write, status, &words, err);
		if (!has_time_for(write, took + VFS_APPEAR_MS))
			return fail_no_vfs(write, runs, err);
	}
}

static int check_request(const struct gp_write *write, const struct vendor_program *program, struct gp_error *err)
{
	const struct gp_write_request *request = write->request;
	char pf[GP_PCI_ADDR_SIZE];
	const char *name = request->attribute != NULL ? request->attribute : "";
	if (program == NULL || request->program == NULL || strcmp(gp_last_component(request->program), name) != 0)
		return gp_fail(err, GP_E_UNSUPPORTED, "'%s' is not a program that gpupart runs",
			       request->program != NULL ? request->program : name);
	if (request->after == NULL || request->device == NULL ||
	    strcmp(request->device, gp_pci_addr_format(request->pf, pf)) != 0)
		return gp_fail(err, GP_E_INTERNAL, "a program is run for a PF, under its lock");
	if (gp_host_kind_of(write->host) != GP_HOST_LIVE)
		return is_plain_absolute(request->program)
			       ? 0
			       : gp_fail(err, GP_E_INTERNAL, "'%s' is no absolute path", request->program);
	if (gp_write_check_program(gp_host_root_fd(write->host), request->program, err) == 0)
		return 0;
	return err != NULL && err->kind == GP_E_NOT_FOUND ? fail_missing(write, program, err) : -1;
}

int gp_write_run_program(const struct gp_write *write, struct gp_error *err)
{
	const struct vendor_program *program = find_program(write->request->attribute);
	if (check_request(write, program, err) < 0)
		return -1;
	return run_until_vfs(write, program, err);
}

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

enum {
	VFS_APPEAR_MS = 5000,
	ASK_AGAIN_MS = 180 * 1000, /* a driver that was just loaded takes up to 30 s before it makes VFs */
	RUN_MS = 60 * 1000,        /* what is left for the program of the time, when others are waited for */
	LAST_WORDS = 160,
	MOST_LINKS = 40, /* as the kernel has it */
	FIRST_FREE_FD = 16,
};

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

static int fail_part(int sys, const char *part, struct gp_error *err)
{
	return gp_fail_errno(err, sys, "%s", part);
}

static int check_owner(const char *program, const char *part, const struct stat *info, struct gp_error *err)
{
	bool others = info->st_uid != 0 || (info->st_mode & (S_IWGRP | S_IWOTH)) != 0;
	return others ? fail_owner(program, part, info, err) : 0;
}

/* A path that is gone along step by step: `done` has no links, and all of it has been looked at. */
struct way {
	int root_fd;
	const char *program;
	char *done, *left;
	unsigned links;
};

static void way_clear(struct way *way)
{
	free(way->done);
	free(way->left);
}

/* The next name, or NULL at the end. */
static char *take_name(struct way *way)
{
	size_t begin = strspn(way->left, "/"), length = strcspn(way->left + begin, "/");
	if (length == 0)
		return NULL;
	char *name = gp_xasprintf("%.*s", (int)length, way->left + begin);
	memmove(way->left, way->left + begin + length, strlen(way->left + begin + length) + 1);
	return name;
}

/* A link is nobody's to change but its directory's, which was looked at already. */
static int follow(struct way *way, const char *link, struct gp_error *err)
{
	char target[PATH_MAX];
	ssize_t length = gp_readlink_inside(way->root_fd, link, target, sizeof(target) - 1, GP_INSIDE_ROOT);
	if (length < 0 || ++way->links > MOST_LINKS)
		return fail_part(length < 0 ? errno : ELOOP, link, err);
	char *left = gp_xasprintf("%.*s/%s", (int)length, target, way->left);
	free(way->left);
	way->left = left;
	if (length > 0 && target[0] == '/')
		way->done[0] = '\0';
	return 0;
}

static int go_on(struct way *way, const char *name, struct gp_error *err)
{
	struct stat info;
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		char *last = strrchr(way->done, '/');
		if (last != NULL)
			*last = '\0';
		return 0;
	}
	gp_autofree char *part = gp_xasprintf("%s/%s", way->done, name);
	gp_autoclose int fd = gp_open_inside(way->root_fd, part, O_PATH | O_NOFOLLOW, 0, GP_INSIDE_ROOT);
	if (fd < 0 || fstat(fd, &info) < 0)
		return fail_part(errno, part, err);
	if (S_ISLNK(info.st_mode))
		return follow(way, part, err);
	free(way->done);
	way->done = gp_xstrdup(part);
	return check_owner(way->program, part, &info, err);
}

static int check_root(int root_fd, const char *program, struct gp_error *err)
{
	struct stat info;
	gp_autoclose int fd = gp_open_inside(root_fd, "/", O_PATH, 0, GP_INSIDE_ROOT);
	if (fd < 0 || fstat(fd, &info) < 0)
		return fail_part(errno, "/", err);
	return check_owner(program, "/", &info, err);
}

static int check_file(int root_fd, const char *real, struct gp_error *err)
{
	struct stat info;
	gp_autoclose int fd = gp_open_inside(root_fd, real, O_PATH | O_NOFOLLOW, 0, GP_INSIDE_ROOT);
	if (fd < 0 || fstat(fd, &info) < 0)
		return fail_part(errno, real, err);
	if (S_ISREG(info.st_mode) && (info.st_mode & S_IXUSR) != 0)
		return 0;
	return gp_fail(err, GP_E_UNSUPPORTED, "%s is no program", real);
}

static bool is_plain_absolute(const char *path)
{
	return path != NULL && path[0] == '/' && path[1] != '\0' && strlen(path) < PATH_MAX &&
	       strstr(path, "/../") == NULL && !gp_starts_with(gp_last_component(path), ".");
}

int gp_write_check_program(int root_fd, const char *program, char **real, struct gp_error *err)
{
	*real = NULL;
	if (!is_plain_absolute(program))
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no absolute path", program != NULL ? program : "");
	if (check_root(root_fd, program, err) < 0)
		return -1;
	GP_CLEANUP(way_clear)
	struct way way = {root_fd, program, gp_xstrdup(""), gp_xstrdup(program), 0};
	for (char *name = take_name(&way); name != NULL; name = take_name(&way)) {
		int result = go_on(&way, name, err);
		free(name);
		if (result < 0)
			return -1;
	}
	if (check_file(root_fd, way.done, err) < 0)
		return -1;
	*real = gp_xstrdup(way.done);
	return 0;
}

int gp_host_check_program(struct gp_host *host, const char *program, struct gp_error *err)
{
	gp_autofree char *real = NULL;
	return gp_write_check_program(host->root_fd, program, &real, err);
}

/* ---- one at a time on a host ---- */

static int fail_in_line(const struct vendor_program *program, const struct gp_error *why, uint64_t waited_ms,
			struct gp_error *err)
{
	gp_fail(err, GP_E_BUSY,
		"%s is at work on another GPU, and works on one at a time: after %.1f s it is not this "
		"one's turn, and nothing was run",
		program->name, (double)waited_ms / 1000);
	if (why->holder != NULL)
		gp_error_holder(err, "%s", why->holder);
	return gp_error_remedy(err, "wait until it is done there, then run apply again");
}

/*
 * These programs rebind drivers and take locks of the driver: two of them at once get into each other's way. Who waits
 * here has run nothing yet, and leaves the program time enough when its turn comes.
 */
static int wait_in_line(const struct gp_write *write, const struct vendor_program *program, struct gp_error *err)
{
	char pf[GP_PCI_ADDR_SIZE];
	GP_CLEANUP(gp_error_clear) struct gp_error why = {0};
	gp_autofree char *path = gp_xasprintf("run/gpupart/%s.lock", program->name);
	gp_autofree char *who = gp_xasprintf("%s for %s", program->name, gp_pci_addr_format(write->request->pf, pf));
	uint64_t now = gp_clock_ms(), left = write->until_ms > now ? write->until_ms - now : 0;
	uint64_t wait_ms = left > 2 * (uint64_t)RUN_MS ? left - RUN_MS : left / 2;
	int lock = gp_state_lock(gp_host_root_fd(write->host), path, who, wait_ms, NULL, NULL, &why);
	if (lock < 0 && why.kind == GP_E_BUSY)
		return fail_in_line(program, &why, wait_ms, err);
	if (lock < 0)
		gp_error_move(err, &why);
	return lock;
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

/* One run that was waited for. */
struct ended {
	int sys; /* it could not be run */
	int signal;
	int status;
};

/* Where a program finds the locks it was started under: they are held as long as it lives, whoever started it. */
enum { PF_LOCK_FD = STDERR_FILENO + 1, LINE_FD, FIRST_CLOSED_FD };

/* What it is called and where it lies are two things when links are on the way. */
static int spawn(const struct gp_write *write, const char *path, int line, int output, pid_t *pid)
{
	const struct gp_write_request *request = write->request;
	char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *const arguments[] = {(char *)request->program, (char *)request->after, (char *)request->device, NULL};
	char *const environment[] = {search, locale, NULL};
	/* Away from where they are to be, so that none is overwritten by another one. */
	gp_autoclose int high_lock = fcntl(write->lock, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	gp_autoclose int high_line = fcntl(line, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	if (high_lock < 0 || high_line < 0)
		return errno;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&files, high_lock, PF_LOCK_FD);
	posix_spawn_file_actions_adddup2(&files, high_line, LINE_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, FIRST_CLOSED_FD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	int sys = posix_spawn(pid, path, &files, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return sys;
}

static struct ended wait_for_end(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFSIGNALED(status))
		return (struct ended){.signal = WTERMSIG(status)};
	return (struct ended){.status = WEXITSTATUS(status)};
}

static struct ended run_for_real(const struct gp_write *write, const char *real, int line, struct gp_str *words)
{
	const char *root = gp_host_root(write->host);
	/* A file in memory and no pipe: it never has to wait for a reader. */
	gp_autoclose int output = memfd_create("gpupart-program", MFD_CLOEXEC);
	if (output < 0)
		return (struct ended){.sys = errno};
	gp_autofree char *path = gp_xasprintf("%s%s", gp_streq(root, "/") ? "" : root, real);
	pid_t pid;
	int sys = spawn(write, path, line, output, &pid);
	if (sys != 0)
		return (struct ended){.sys = sys};
	struct ended ended = wait_for_end(pid);
	read_last_words(output, words);
	return ended;
}

static struct ended run_once(const struct gp_write *write, const char *real, int line, struct gp_str *words)
{
	const struct gp_write_request *request = write->request;
	if (gp_host_kind_of(write->host) != GP_HOST_SIMULATED)
		return run_for_real(write, real, line, words);
	int result = gp_kernel_sim_run(gp_host_root_fd(write->host), request->program, request->after, request->device);
	return result < 0 ? (struct ended){.sys = -result} : (struct ended){.status = result};
}

/* ---- what it has brought about ---- */

/* Links, and the capability that agrees with them. */
static bool has_vfs(const struct gp_write *write)
{
	struct gp_gpu gpu;
	return gp_write_observe_pf(write, &gpu, NULL) == 0 && gpu.num_vfs > 0 && !gp_pci_in_transition(&gpu);
}

static bool has_all_vfs(const struct gp_write *write)
{
	struct gp_gpu gpu;
	return gp_write_observe_pf(write, &gpu, NULL) == 0 && gpu.num_vfs > 0 && gpu.num_vfs == gpu.total_vfs &&
	       !gp_pci_in_transition(&gpu);
}

static bool are_vfs_coming(const struct gp_write *write)
{
	struct gp_gpu gpu;
	return gp_write_observe_pf(write, &gpu, NULL) == 0 && (gpu.num_vfs > 0 || gp_pci_in_transition(&gpu));
}

/* So long must be left, or it would be asked again for nobody. */
static bool has_time_for(const struct gp_write *write, uint64_t ms)
{
	return gp_clock_ms() + ms < write->until_ms;
}

static bool wait_for_vfs(const struct gp_write *write, uint64_t until)
{
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

static int fail_ended(const struct gp_write *write, const struct ended *ended, const struct gp_str *words,
		      struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str clients = {0};
	const char *name = write->request->attribute;
	if (ended->signal != 0)
		gp_fail(err, GP_E_IO, "%s was ended by signal %d, and there are no VFs", name, ended->signal);
	else
		gp_fail(err, GP_E_IO, "%s ended with status %d, and there are no VFs%s%s", name, ended->status,
			words->length > 0 ? "; it says: " : "", gp_str_text(words));
	if (gp_write_name_clients(write, &clients, NULL) < 0 || clients.length == 0)
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

static int fail_interpreter(const struct gp_write *write, struct gp_error *err)
{
	gp_fail(err, GP_E_UNSUPPORTED, "%s is there, but what its first line (#!) names to run it with is not",
		write->request->program);
	return gp_error_remedy(err, "look at that line, and install what it names");
}

/* A program of a real machine was found a moment ago. */
static int fail_run(const struct gp_write *write, const struct vendor_program *program, int sys, struct gp_error *err)
{
	if (sys != ENOENT)
		return gp_fail_errno(err, sys, "cannot run %s", write->request->program);
	return gp_host_kind_of(write->host) == GP_HOST_SIMULATED ? fail_missing(write, program, err)
								 : fail_interpreter(write, err);
}

enum round { ROUND_DONE, ROUND_FAILED, ROUND_COMING, ROUND_NOTHING };

/* After the first run, VFs are what that one made, late: no fault, and no reason to run it again. */
static enum round check_again(const struct gp_write *write, unsigned runs, struct gp_error *err)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	if (gp_write_check_guard(write, &problem) == 0)
		return ROUND_NOTHING;
	if (runs > 1 && are_vfs_coming(write))
		return ROUND_COMING;
	gp_error_move(err, &problem);
	return ROUND_FAILED;
}

/* The turn ends with the round: a driver that is still starting makes others wait no longer than one run. */
static enum round run_a_round(const struct gp_write *write, const struct vendor_program *program, const char *real,
			      unsigned runs, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str words = {0};
	gp_autoclose int line = wait_in_line(write, program, err);
	if (line < 0)
		return ROUND_FAILED;
	/* A program that outlived whoever started it has made them while its locks were waited for. */
	if (has_all_vfs(write))
		return ROUND_DONE;
	enum round before = check_again(write, runs, err);
	if (before != ROUND_NOTHING)
		return before;
	struct ended ended = run_once(write, real, line, &words);
	if (ended.sys != 0) {
		fail_run(write, program, ended.sys, err);
		return ROUND_FAILED;
	}
	bool well = ended.signal == 0 && ended.status == 0;
	if (well ? wait_for_vfs(write, gp_clock_ms() + VFS_APPEAR_MS) : has_vfs(write))
		return ROUND_DONE;
	if (are_vfs_coming(write))
		return ROUND_COMING;
	if (well)
		return ROUND_NOTHING;
	fail_ended(write, &ended, &words, err);
	return ROUND_FAILED;
}

static int wait_for_the_rest(const struct gp_write *write, struct gp_error *err)
{
	struct gp_gpu gpu;
	if (wait_for_vfs(write, write->until_ms))
		return 0;
	return gp_write_observe_pf(write, &gpu, err) < 0 ? -1 : gp_write_fail_transition(&gpu, err);
}

static int run_until_vfs(const struct gp_write *write, const struct vendor_program *program, const char *real,
			 struct gp_error *err)
{
	uint64_t ask_until = UINT64_MAX;
	for (unsigned runs = 1;; runs++) {
		uint64_t began = gp_clock_ms();
		switch (run_a_round(write, program, real, runs, err)) {
		case ROUND_DONE:
			return 0;
		case ROUND_FAILED:
			return -1;
		case ROUND_COMING:
			return wait_for_the_rest(write, err);
		case ROUND_NOTHING:
			break;
		}
		uint64_t now = gp_clock_ms();
		if (runs == 1)
			ask_until = now + ASK_AGAIN_MS;
		if (now >= ask_until || !has_time_for(write, now - began))
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
	return 0;
}

/* On a simulated machine nothing of it is run: its files belong to whoever made it. */
static int find_real(const struct gp_write *write, const struct vendor_program *program, char **real,
		     struct gp_error *err)
{
	const char *path = write->request->program;
	if (gp_host_kind_of(write->host) != GP_HOST_LIVE)
		return is_plain_absolute(path) ? 0 : gp_fail(err, GP_E_INTERNAL, "'%s' is no absolute path", path);
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	if (gp_write_check_program(gp_host_root_fd(write->host), path, real, &problem) == 0)
		return 0;
	if (problem.kind == GP_E_NOT_FOUND)
		return fail_missing(write, program, err);
	gp_error_move(err, &problem);
	return -1;
}

int gp_write_run_program(const struct gp_write *write, struct gp_error *err)
{
	const struct vendor_program *program = find_program(write->request->attribute);
	gp_autofree char *real = NULL;
	if (check_request(write, program, err) < 0 || find_real(write, program, &real, err) < 0)
		return -1;
	return run_until_vfs(write, program, real, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gpupart itself keeps on a host: locks under run/gpupart, earlier exports under var/lib/gpupart. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "host/host_internal.h"

#define RUN_DIRECTORY      "run/gpupart"
#define HOST_LOCK          RUN_DIRECTORY "/lock"
#define PF_LOCK_BEGIN      "pf-"
#define PF_LOCK_END        ".lock"
#define STATE_DIRECTORY    "var/lib/gpupart"
#define PREVIOUS_DIRECTORY STATE_DIRECTORY "/previous"

enum { LOCK_POLL_MS = 25, HOLDER_SIZE = 160, KEEP_PREVIOUS = 20 };

/* ---- locks ---- */

/* What the holder wrote into its lock file, fit for a line on the screen. */
static void read_holder(int fd, char holder[HOLDER_SIZE])
{
	ssize_t length = pread(fd, holder, HOLDER_SIZE - 1, 0);
	holder[length > 0 ? length : 0] = '\0';
	holder[strcspn(holder, "\n")] = '\0';
	for (char *c = holder; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (holder[0] == '\0')
		snprintf(holder, HOLDER_SIZE, "another process");
}

static void sign(int fd, const char *who)
{
	time_t now = time(NULL);
	struct tm local;
	char since[16], line[HOLDER_SIZE];
	strftime(since, sizeof(since), "%H:%M:%S", localtime_r(&now, &local));
	int length = snprintf(line, sizeof(line), "%s, pid %ld, since %s\n", who, (long)getpid(), since);
	/* The words help whoever waits; the lock holds without them. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)length, 0) < 0)
		return;
}

static int fail_locked(int fd, uint64_t wait_ms, const char *path, struct gp_error *err)
{
	char holder[HOLDER_SIZE];
	read_holder(fd, holder);
	gp_fail(err, GP_E_BUSY, "is locked, and was not released within %.1f s", (double)wait_ms / 1000);
	gp_host_path_subject(err, path);
	gp_error_holder(err, "%s", holder);
	return gp_error_remedy(err, "wait for it to end, then try again");
}

static int wait_for_lock(int fd, const char *path, uint64_t wait_ms, void (*waiting)(void *context, const char *holder),
			 void *context, struct gp_error *err)
{
	uint64_t start = gp_clock_ms();
	unsigned rounds = 0;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return gp_host_fail_path(err, errno, path, "locked");
		if (gp_clock_ms() - start >= wait_ms)
			return fail_locked(fd, wait_ms, path, err);
		/* In the first round the holder may not have signed yet. */
		if (++rounds == 2 && waiting != NULL) {
			char holder[HOLDER_SIZE];
			read_holder(fd, holder);
			waiting(context, holder);
		}
		gp_sleep_ms(LOCK_POLL_MS);
	}
	return 0;
}

int gp_state_lock(int root_fd, const char *path, const char *who, uint64_t wait_ms,
		  void (*waiting)(void *context, const char *holder), void *context, struct gp_error *err)
{
	if (gp_host_make_directories(root_fd, RUN_DIRECTORY, 0755, err) < 0)
		return -1;
	/* Not readable for others: who can open a file can lock it, and keep everybody waiting. */
	int fd = gp_open_inside(root_fd, path, O_RDWR | O_CREAT, 0600, GP_INSIDE_ROOT);
	if (fd < 0)
		return gp_host_fail_path(err, errno, path, "opened");
	if (wait_for_lock(fd, path, wait_ms, waiting, context, err) < 0) {
		close(fd);
		return -1;
	}
	sign(fd, who);
	return fd;
}

int gp_host_lock(struct gp_host *host, uint64_t wait_ms, void (*waiting)(void *context, const char *holder),
		 void *context, struct gp_error *err)
{
	if (host->mode != GP_HOST_READ_WRITE)
		return gp_fail(err, GP_E_INTERNAL, "a host that was opened read-only cannot be locked");
	int fd = gp_state_lock(host->root_fd, HOST_LOCK, "gpupart apply", wait_ms, waiting, context, err);
	return fd >= 0 ? fd : gp_host_show_root(host, err);
}

/* The shared lock, when it can be had, goes with the descriptor. */
static bool is_held(int fd)
{
	return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

bool gp_host_is_locked(struct gp_host *host)
{
	gp_autoclose int fd = gp_open_inside(host->root_fd, HOST_LOCK, O_RDONLY, 0, GP_INSIDE_ROOT);
	return fd >= 0 && is_held(fd);
}

struct writers {
	int dir_fd;
	struct gp_arena *arena;
	struct gp_gpu *gpus;
	size_t gpu_count;
};

static struct gp_gpu *gpu_of_lock(const struct writers *writers, const char *name)
{
	char text[GP_PCI_ADDR_SIZE];
	struct gp_pci_addr addr;
	size_t length = strlen(name), around = strlen(PF_LOCK_BEGIN) + strlen(PF_LOCK_END);
	if (!gp_starts_with(name, PF_LOCK_BEGIN) || length <= around || length - around >= sizeof(text) ||
	    strcmp(name + length - strlen(PF_LOCK_END), PF_LOCK_END) != 0)
		return NULL;
	memcpy(text, name + strlen(PF_LOCK_BEGIN), length - around);
	text[length - around] = '\0';
	if (gp_pci_addr_parse(text, &addr) < 0)
		return NULL;
	for (size_t i = 0; i < writers->gpu_count; i++)
		if (gp_pci_addr_compare(writers->gpus[i].addr, addr) == 0)
			return &writers->gpus[i];
	return NULL;
}

static int look_at_lock(void *context, const char *name)
{
	const struct writers *writers = context;
	struct gp_gpu *gpu = gpu_of_lock(writers, name);
	if (gpu == NULL)
		return 0;
	gp_autoclose int fd = gp_open_inside(writers->dir_fd, name, O_RDONLY | O_NONBLOCK, 0, GP_INSIDE_PLAIN);
	if (fd < 0 || !is_held(fd))
		return 0;
	char holder[HOLDER_SIZE];
	read_holder(fd, holder);
	gpu->busy = true;
	gpu->busy_by = gp_arena_strdup(writers->arena, holder);
	return 0;
}

void gp_state_note_writers(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpus, size_t gpu_count)
{
	/* What a captured tree was taken from may be busy; the tree is not. */
	if (gpu_count == 0 || host->kind == GP_HOST_CAPTURED)
		return;
	gp_autoclose int dir = gp_open_inside(host->root_fd, RUN_DIRECTORY, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	struct writers writers = {dir, arena, gpus, gpu_count};
	if (dir >= 0)
		gp_each_name_in(dir, look_at_lock, &writers);
}

/* ---- previous exports ---- */

static bool is_plain_file_name(const char *name)
{
	return *name != '\0' && *name != '.' && strchr(name, '/') == NULL;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t wrote = write(fd, text, size);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		text += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

static int write_new_file(int dir_fd, const char *name, const char *text)
{
	gp_autoclose int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd >= 0 && write_all(fd, text, strlen(text)) == 0 && fsync(fd) == 0 ? 0 : -1;
}

/* Written beside it, then renamed: whoever looks sees the whole file or none. */
static int replace_file(int dir_fd, const char *name, const char *text)
{
	gp_autofree char *fresh = gp_xasprintf(".%s.new", name);
	if (write_new_file(dir_fd, fresh, text) == 0 && renameat(dir_fd, fresh, dir_fd, name) == 0)
		return fsync(dir_fd);
	int sys = errno;
	unlinkat(dir_fd, fresh, 0);
	errno = sys;
	return -1;
}

struct saved {
	const char *name;
	struct timespec changed;
};

static int newest_first(const void *a, const void *b)
{
	const struct saved *left = a, *right = b;
	if (left->changed.tv_sec != right->changed.tv_sec)
		return left->changed.tv_sec < right->changed.tv_sec ? 1 : -1;
	if (left->changed.tv_nsec != right->changed.tv_nsec)
		return left->changed.tv_nsec < right->changed.tv_nsec ? 1 : -1;
	return strcmp(right->name, left->name);
}

/* An old file that stays does no harm, so nothing here fails. The one just written is kept whatever its time says: a
 * clock may have been set back. */
static void remove_oldest(int dir_fd, const char *fresh)
{
	GP_CLEANUP(gp_names_clear) struct gp_names names = {0};
	int listing = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (listing < 0 || gp_names_read(listing, &names) < 0 || names.count <= KEEP_PREVIOUS)
		return;
	gp_autofree struct saved *saved = gp_xcalloc(names.count, sizeof(*saved));
	size_t count = 0;
	for (size_t i = 0; i < names.count; i++) {
		struct stat info;
		const char *name = gp_names_at(&names, i);
		if (is_plain_file_name(name) && strcmp(name, fresh) != 0 &&
		    fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
			saved[count++] = (struct saved){name, info.st_mtim};
	}
	if (count > 1)
		qsort(saved, count, sizeof(*saved), newest_first);
	for (size_t i = KEEP_PREVIOUS - 1; i < count; i++)
		unlinkat(dir_fd, saved[i].name, 0);
}

int gp_host_save_previous(struct gp_host *host, const char *name, const char *text, char **path, struct gp_error *err)
{
	if (host->mode != GP_HOST_READ_WRITE)
		return gp_fail(err, GP_E_INTERNAL, "a host that was opened read-only saves nothing");
	if (!is_plain_file_name(name))
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no name of a file", name);
	if (gp_host_make_directories(host->root_fd, STATE_DIRECTORY, 0755, err) < 0 ||
	    gp_host_make_directories(host->root_fd, PREVIOUS_DIRECTORY, 0700, err) < 0)
		return gp_host_show_root(host, err);
	gp_autoclose int dir =
		gp_open_inside(host->root_fd, PREVIOUS_DIRECTORY, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (dir < 0 || replace_file(dir, name, text) < 0)
		return gp_host_fail_in(host, err, errno, PREVIOUS_DIRECTORY, "written");
	remove_oldest(dir, name);
	const char *root = strcmp(host->root, "/") == 0 ? "" : host->root;
	*path = gp_xasprintf("%s/" PREVIOUS_DIRECTORY "/%s", root, name);
	return 0;
}

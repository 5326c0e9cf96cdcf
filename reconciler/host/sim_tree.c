/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sim_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

enum { DIRECTORY_MODE = 0755, READ_CHUNK = 4096 };

#define HIDDEN ".sim/hidden"

/* Declares `path`: what the format and the arguments of the function that uses this name. */
#define PATH_OF(format)                                                                                                \
	GP_CLEANUP(gp_str_clear) struct gp_str path_str = {0};                                                         \
	do {                                                                                                           \
		va_list path_args;                                                                                     \
		va_start(path_args, format);                                                                           \
		gp_str_vprintf(&path_str, format, path_args);                                                          \
		va_end(path_args);                                                                                     \
	} while (0);                                                                                                   \
	const char *path = gp_str_text(&path_str)

/* Opens the directory in which the last name of a path stands; *name points into path. */
static int open_parent(int root, const char *path, const char **name)
{
	*name = gp_last_component(path);
	if (*name == path)
		return fcntl(root, F_DUPFD_CLOEXEC, 0);
	gp_autofree char *parent = gp_xasprintf("%.*s", (int)(*name - path) - 1, path);
	return gp_open_inside(root, parent, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
}

static int make_directory(int root, const char *path)
{
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	if (parent < 0)
		return -1;
	return mkdirat(parent, name, DIRECTORY_MODE) < 0 && errno != EEXIST ? -1 : 0;
}

int gp_tree_mkdir(int root, const char *format, ...)
{
	PATH_OF(format);
	if (make_directory(root, path) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;

	gp_autofree char *upto = gp_xstrdup(path);
	for (char *slash = strchr(upto, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_directory(root, upto) < 0)
			return -1;
		*slash = '/';
	}
	return make_directory(root, path);
}

static int write_all(int fd, const void *bytes, size_t size)
{
	for (const char *at = bytes; size > 0;) {
		ssize_t written = write(fd, at, size);
		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0) {
			at += written;
			size -= (size_t)written;
		}
	}
	return 0;
}

static int write_file(int dir_fd, const char *name, int flags, mode_t mode, const void *bytes, size_t size)
{
	gp_autoclose int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return -1;
	/* Not left to the umask: a mode is what the machine shows. */
	if (fchmod(fd, mode) < 0 || write_all(fd, bytes, size) < 0)
		return -1;
	return 0;
}

/* Where root's copy of a hidden path is kept: slashes would need directories of their own. */
static char *hidden_place(const char *path)
{
	char *place = gp_xasprintf(HIDDEN "/%s", path);
	for (char *at = place + strlen(HIDDEN "/"); *at != '\0'; at++)
		if (*at == '/')
			*at = '!';
	return place;
}

static int replace_file(int root, int parent, const char *name, mode_t mode, const void *bytes, size_t size)
{
	gp_autofree char *fresh = gp_xasprintf(".sim/tmp/%d-%ld", getpid(), syscall(SYS_gettid));
	if (write_file(root, fresh, O_CREAT | O_TRUNC, mode, bytes, size) < 0)
		return -1;
	if (renameat(root, fresh, parent, name) == 0)
		return 0;
	int saved = errno;
	unlinkat(root, fresh, 0);
	errno = saved;
	return -1;
}

static int write_at(int root, mode_t mode, const void *bytes, size_t size, const char *path)
{
	struct stat now;
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	if (parent < 0)
		return -1;
	/* A new file, too, comes into sight whole: a reader must never find it empty. */
	if (fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? replace_file(root, parent, name, mode, bytes, size) : -1;
	if (S_ISLNK(now.st_mode)) {
		gp_autofree char *place = hidden_place(path);
		return replace_file(root, root, place, mode, bytes, size);
	}
	return replace_file(root, parent, name, (now.st_mode & ACCESSPERMS) == 0 ? 0 : mode, bytes, size);
}

int gp_tree_write(int root, mode_t mode, const char *text, const char *format, ...)
{
	PATH_OF(format);
	return write_at(root, mode, text, strlen(text), path);
}

int gp_tree_write_bytes(int root, mode_t mode, const void *bytes, size_t size, const char *format, ...)
{
	PATH_OF(format);
	return write_at(root, mode, bytes, size, path);
}

int gp_tree_append(int root, const char *text, const char *format, ...)
{
	PATH_OF(format);
	gp_autoclose int fd = gp_open_inside(root, path, O_WRONLY | O_APPEND | O_CREAT,
					     S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, GP_INSIDE_ROOT);
	return fd < 0 ? -1 : write_all(fd, text, strlen(text));
}

static char *read_all(int fd, size_t *size)
{
	size_t capacity = READ_CHUNK, length = 0;
	char *text = gp_xmalloc(capacity);
	for (;;) {
		ssize_t got = read(fd, text + length, capacity - length - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(text);
			return NULL;
		}
		length += (size_t)got;
		text[length] = '\0';
		if (got == 0)
			break;
		if (capacity - length == 1)
			text = gp_xrealloc(text, capacity *= 2);
	}
	if (size != NULL)
		*size = length;
	return text;
}

static char *read_path(int root, size_t *size, const char *path)
{
	gp_autoclose int fd = gp_open_inside(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, GP_INSIDE_ROOT);
	return fd < 0 ? NULL : read_all(fd, size);
}

char *gp_tree_read(int root, size_t *size, const char *format, ...)
{
	PATH_OF(format);
	return read_path(root, size, path);
}

char *gp_tree_word(int root, const char *format, ...)
{
	PATH_OF(format);
	size_t length = 0;
	char *text = read_path(root, &length, path);
	if (text == NULL)
		return gp_xstrdup("");
	if (length > 0 && text[length - 1] == '\n')
		text[length - 1] = '\0';
	return text;
}

int gp_tree_link(int root, const char *target, const char *format, ...)
{
	PATH_OF(format);
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	if (parent < 0)
		return -1;
	if (symlinkat(target, parent, name) == 0)
		return 0;
	if (errno != EEXIST || unlinkat(parent, name, 0) < 0)
		return -1;
	return symlinkat(target, parent, name);
}

char *gp_tree_link_name_at(int dir_fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(dir_fd, name, target, sizeof(target) - 1);
	if (length < 0)
		return NULL;
	target[length] = '\0';
	return gp_xstrdup(gp_last_component(target));
}

char *gp_tree_link_name(int root, const char *format, ...)
{
	PATH_OF(format);
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	return parent < 0 ? NULL : gp_tree_link_name_at(parent, name);
}

static int remove_at(int parent, const char *name);

static int remove_child(void *context, const char *name)
{
	return remove_at(*(int *)context, name);
}

static int remove_at(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* Hidden from reading; it is ours all the same. */
	if (fd < 0 && errno == EACCES && fchmodat(parent, name, DIRECTORY_MODE, 0) == 0)
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	int list_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int result = list_fd < 0 ? -1 : gp_each_name(list_fd, remove_child, &fd);
	close(fd);
	return result != 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}

int gp_tree_remove(int root, const char *format, ...)
{
	PATH_OF(format);
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	if (parent < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	return remove_at(parent, name);
}

bool gp_tree_exists(int root, const char *format, ...)
{
	PATH_OF(format);
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	return parent >= 0 && faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void gp_tree_names(int root, struct gp_names *names, const char *format, ...)
{
	PATH_OF(format);
	gp_names_clear(names);
	int fd = gp_open_inside(root, path, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return;
	if (gp_names_read(fd, names) < 0)
		gp_names_clear(names);
	gp_names_sort(names);
}

int gp_tree_lock(int root, const char *format, ...)
{
	PATH_OF(format);
	int fd = gp_open_inside(root, path, O_RDWR | O_CREAT, S_IRUSR | S_IWUSR, GP_INSIDE_ROOT);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int gp_tree_lock_machine(int root)
{
	return gp_tree_lock(root, ".sim/lock");
}

static int hide_from_root(int root, const char *path)
{
	gp_autofree char *place = hidden_place(path);
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	if (parent < 0 || gp_tree_mkdir(root, HIDDEN) < 0)
		return -1;
	/* Hidden already. */
	if (gp_tree_exists(root, "%s", place))
		return 0;
	if (renameat(parent, name, root, place) < 0)
		return -1;
	return symlinkat(name, parent, name);
}

int gp_tree_hide(int root, const char *path)
{
	if (!gp_tree_exists(root, "%s", path)) {
		errno = ENOENT;
		return -1;
	}
	if (geteuid() == 0)
		return hide_from_root(root, path);
	gp_autoclose int fd = gp_open_inside(root, path, O_PATH, 0, GP_INSIDE_ROOT);
	gp_autofree char *magic = gp_xasprintf("/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : chmod(magic, 0);
}

/* What its mode was is not known any more; this is what nearly everything in sysfs and /proc has. */
static int give_mode_back(int parent, const char *name)
{
	struct stat now;
	if (fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW) < 0 || (now.st_mode & ACCESSPERMS) != 0)
		return -1;
	mode_t mode = S_ISDIR(now.st_mode) ? DIRECTORY_MODE : S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
	return fchmodat(parent, name, mode, 0);
}

int gp_tree_show(int root, const char *path)
{
	gp_autofree char *place = hidden_place(path);
	const char *name;
	gp_autoclose int parent = open_parent(root, path, &name);
	if (parent < 0)
		return -1;
	if (!gp_tree_exists(root, "%s", place))
		return give_mode_back(parent, name);
	return unlinkat(parent, name, 0) < 0 ? -1 : renameat(root, place, parent, name);
}

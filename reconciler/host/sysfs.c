/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading inside a root directory.
 *
 * A captured tree comes from somebody else and a simulated one is a plain directory, so a link in it may point
 * anywhere. The kernel resolves every path with the root directory as "/" (openat2 with RESOLVE_IN_ROOT), which no
 * link, no ".." and no rename under way can leave. Links of /proc/PID/fd ("magic" links) are read, never followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/num.h"
#include "host/host_internal.h"

/* The kernel gives up with EAGAIN when something was renamed while it walked over a "..". */
enum { RESOLVE_TRIES = 128 };

int gp_open_inside(int dir_fd, const char *path, int flags, mode_t mode, enum gp_inside inside)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = inside == GP_INSIDE_ROOT ? RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
						    : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;
	for (int i = 0; i < RESOLVE_TRIES; i++) {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

ssize_t gp_readlink_inside(int dir_fd, const char *path, char *buffer, size_t size, enum gp_inside inside)
{
	gp_autoclose int fd = gp_open_inside(dir_fd, path, O_PATH | O_NOFOLLOW, 0, inside);
	if (fd < 0)
		return -1;
	ssize_t length = readlinkat(fd, "", buffer, size);
	if (length < 0) {
		/* An empty path on something that is no link. */
		if (errno == ENOENT)
			errno = EINVAL;
		return -1;
	}
	if ((size_t)length >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	buffer[length] = '\0';
	return length;
}

const char *gp_last_component(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}

ssize_t gp_read_inside(int dir_fd, const char *path, char *buffer, size_t size, enum gp_inside inside)
{
	/* O_NONBLOCK: a pipe in somebody's tree must not hold us up; sysfs does not look at it. */
	gp_autoclose int fd = gp_open_inside(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, inside);
	if (fd < 0)
		return -1;
	/* The kernel gives an attribute in one piece, and a short read of a plain file is its end. */
	ssize_t length = read(fd, buffer, size);
	if (length < 0)
		return -1;
	if ((size_t)length >= size) {
		errno = EMSGSIZE;
		return -1;
	}
	buffer[length] = '\0';
	if (memchr(buffer, '\0', (size_t)length) != NULL) {
		errno = EBADMSG;
		return -1;
	}
	if (length > 0 && buffer[length - 1] == '\n')
		buffer[--length] = '\0';
	return length;
}

/* ---- words ---- */

#define PCI_DEVICES "sys/bus/pci/devices/"

void gp_host_path_subject(struct gp_error *err, const char *path)
{
	const char *rest = gp_starts_with(path, PCI_DEVICES) ? path + strlen(PCI_DEVICES) : NULL;
	const char *slash = rest == NULL ? NULL : strchr(rest, '/');
	if (slash != NULL)
		gp_error_subject(err, "%.*s %s", (int)(slash - rest), rest, slash + 1);
	else if (rest != NULL && *rest != '\0')
		gp_error_subject(err, "%s", rest);
	else
		gp_error_subject(err, "/%s", path);
}

static void words_for(struct gp_error *err, int sys, const char *path, const char *verb)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		gp_fail(err, GP_E_NOT_FOUND, "does not exist");
		break;
	case EACCES:
	case EPERM:
		gp_fail(err, GP_E_PERMISSION, "may not be %s by this user", verb);
		gp_error_remedy(err, "run as root");
		break;
	case ENOSYS:
		gp_fail(err, GP_E_UNSUPPORTED,
			"this kernel cannot open files safely inside a directory (openat2, Linux 5.6 or newer)");
		gp_error_remedy(err, "boot a newer kernel, or allow openat2 in the container's seccomp profile");
		break;
	case EMSGSIZE:
		gp_fail(err, GP_E_CORRUPT, "is longer than such a file can be");
		break;
	case EBADMSG:
		gp_fail(err, GP_E_CORRUPT, "holds bytes that are no text");
		break;
	case EINVAL:
		gp_fail(err, GP_E_CORRUPT, "is not what it should be (a symbolic link, or a file)");
		break;
	case ELOOP:
		gp_fail(err, GP_E_CORRUPT, "goes through a link that gpupart does not follow");
		break;
	default:
		gp_fail_errno(err, sys, "cannot be %s", verb);
		break;
	}
	if (err != NULL)
		err->sys = sys;
	gp_host_path_subject(err, path);
}

int gp_host_fail_path(struct gp_error *err, int sys, const char *path, const char *verb)
{
	words_for(err, sys, path, verb);
	return -1;
}

int gp_host_show_root(const struct gp_host *host, struct gp_error *err)
{
	if (err == NULL || err->subject == NULL || err->subject[0] != '/' || *host->shown_root == '\0')
		return -1;
	gp_autofree char *path = gp_xstrdup(err->subject);
	gp_error_subject(err, "%s%s", host->shown_root, path);
	return -1;
}

int gp_host_fail_in(const struct gp_host *host, struct gp_error *err, int sys, const char *path, const char *verb)
{
	words_for(err, sys, path, verb);
	return gp_host_show_root(host, err);
}

/* ---- the public readers ---- */

int gp_host_open_file(struct gp_host *host, const char *path, struct gp_error *err)
{
	int fd = gp_open_inside(host->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, GP_INSIDE_ROOT);
	return fd >= 0 ? fd : gp_host_fail_in(host, err, errno, path, "opened");
}

int gp_host_read(struct gp_host *host, const char *path, char *buffer, size_t size, struct gp_error *err)
{
	ssize_t length = gp_read_inside(host->root_fd, path, buffer, size, GP_INSIDE_ROOT);
	return length >= 0 ? (int)length : gp_host_fail_in(host, err, errno, path, "read");
}

int gp_host_read_u64(struct gp_host *host, const char *path, uint64_t *out, struct gp_error *err)
{
	char text[64];
	if (gp_host_read(host, path, text, sizeof(text), err) < 0)
		return -1;
	uint32_t hex;
	if (gp_starts_with(text, "0x") && gp_parse_hex32(text, &hex) == 0) {
		*out = hex;
		return 0;
	}
	if (gp_parse_u64(text, out) == 0)
		return 0;
	gp_fail(err, GP_E_CORRUPT, "holds '%s', which is not a number", text);
	gp_host_path_subject(err, path);
	return gp_host_show_root(host, err);
}

static int read_whole(int fd, size_t max_bytes, struct gp_str *text)
{
	char piece[16 * 1024];
	for (;;) {
		ssize_t got = read(fd, piece, sizeof(piece));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		if (text->length + (size_t)got > max_bytes) {
			errno = EMSGSIZE;
			return -1;
		}
		gp_str_add_n(text, piece, (size_t)got);
	}
}

int gp_host_read_file(struct gp_host *host, const char *path, size_t max_bytes, struct gp_arena *arena, char **text,
		      size_t *size, struct gp_error *err)
{
	gp_autoclose int fd = gp_host_open_file(host, path, err);
	if (fd < 0)
		return -1;
	GP_CLEANUP(gp_str_clear) struct gp_str whole = {0};
	if (read_whole(fd, max_bytes, &whole) < 0)
		return gp_host_fail_in(host, err, errno, path, "read");
	*text = gp_arena_alloc(arena, whole.length + 1);
	if (whole.length > 0)
		memcpy(*text, whole.text, whole.length);
	if (size != NULL)
		*size = whole.length;
	return 0;
}

int gp_host_read_link(struct gp_host *host, const char *path, char *buffer, size_t size, struct gp_error *err)
{
	char target[GP_ATTR_MAX];
	if (gp_readlink_inside(host->root_fd, path, target, sizeof(target), GP_INSIDE_ROOT) < 0)
		return gp_host_fail_in(host, err, errno, path, "read");
	const char *last = gp_last_component(target);
	size_t length = strlen(last);
	if (length == 0 || length >= size)
		return gp_host_fail_in(host, err, EINVAL, path, "read");
	memcpy(buffer, last, length + 1);
	return (int)length;
}

bool gp_host_exists(struct gp_host *host, const char *path)
{
	gp_autoclose int fd = gp_open_inside(host->root_fd, path, O_PATH | O_NOFOLLOW, 0, GP_INSIDE_ROOT);
	return fd >= 0;
}

int gp_host_list(struct gp_host *host, const char *path, int (*each)(void *context, const char *name), void *context,
		 struct gp_error *err)
{
	int fd = gp_open_inside(host->root_fd, path, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return gp_host_fail_in(host, err, errno, path, "listed");
	GP_CLEANUP(gp_names_clear) struct gp_names names = {0};
	if (gp_names_read(fd, &names) < 0)
		return gp_host_fail_in(host, err, errno, path, "listed");
	gp_names_sort(&names);
	for (size_t i = 0; i < names.count; i++)
		if (each(context, gp_names_at(&names, i)) != 0)
			break;
	return 0;
}

/* ---- directories ---- */

static bool is_dot_or_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* getdents64 itself: a DIR costs four more system calls and 32 KiB, and there are thousands of directories to list. */
int gp_each_name_in(int dir_fd, int (*each)(void *context, const char *name), void *context)
{
	_Alignas(struct dirent64) char buffer[8192];
	for (;;) {
		ssize_t size = getdents64(dir_fd, buffer, sizeof(buffer));
		if (size <= 0)
			return (int)size;
		for (ssize_t at = 0; at < size;) {
			const struct dirent64 *entry = (const void *)(buffer + at);
			at += entry->d_reclen;
			if (!is_dot_or_dots(entry->d_name) && each(context, entry->d_name) != 0)
				return 0;
		}
	}
}

int gp_each_name(int dir_fd, int (*each)(void *context, const char *name), void *context)
{
	int result = gp_each_name_in(dir_fd, each, context);
	int sys = errno;
	close(dir_fd);
	errno = sys;
	return result;
}

void gp_names_clear(struct gp_names *names)
{
	free(names->text);
	free(names->starts);
	*names = (struct gp_names){0};
}

void gp_names_add(struct gp_names *names, const char *name)
{
	size_t size = strlen(name) + 1;
	if (names->text_size + size > names->text_capacity) {
		names->text_capacity = (names->text_size + size) * 2;
		names->text = gp_xrealloc(names->text, names->text_capacity);
	}
	if (names->count == names->capacity) {
		names->capacity = names->capacity == 0 ? 64 : names->capacity * 2;
		names->starts = gp_xrealloc(names->starts, names->capacity * sizeof(*names->starts));
	}
	names->starts[names->count++] = names->text_size;
	memcpy(names->text + names->text_size, name, size);
	names->text_size += size;
}

const char *gp_names_at(const struct gp_names *names, size_t index)
{
	return names->text + names->starts[index];
}

static int by_text(const void *a, const void *b, void *text)
{
	const size_t *left = a, *right = b;
	return strcmp((const char *)text + *left, (const char *)text + *right);
}

void gp_names_sort(struct gp_names *names)
{
	if (names->count > 1)
		qsort_r(names->starts, names->count, sizeof(*names->starts), by_text, names->text);
}

static int add_name(void *context, const char *name)
{
	gp_names_add(context, name);
	return 0;
}

int gp_names_read(int dir_fd, struct gp_names *names)
{
	return gp_each_name(dir_fd, add_name, names);
}

static int make_directory(int root_fd, const char *path, mode_t mode)
{
	/* mkdirat has no RESOLVE_IN_ROOT: the parent is opened inside the root, and the last name is made in it. */
	const char *last = gp_last_component(path);
	gp_autofree char *parent = last == path ? gp_xstrdup(".") : gp_xasprintf("%.*s", (int)(last - path), path);
	gp_autoclose int fd = gp_open_inside(root_fd, parent, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return -1;
	return mkdirat(fd, last, mode) == 0 || errno == EEXIST ? 0 : -1;
}

int gp_host_make_directories(int root_fd, const char *path, mode_t mode, struct gp_error *err)
{
	gp_autofree char *part = gp_xstrdup(path);
	for (char *slash = strchr(part, '/');; slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = '\0';
		if (make_directory(root_fd, part, slash == NULL ? mode : 0755) < 0)
			return gp_host_fail_path(err, errno, part, "created");
		if (slash == NULL)
			return 0;
		*slash = '/';
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that this runs on: system calls, and nothing of gpupart. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play.h"

enum { HOLDERS = 16, EVENT_SIZE = 8192, EVENT_BUFFER = 8 * 1024 * 1024, NOT_RUN = 127 };

static pid_t holders[HOLDERS];
static size_t holder_count;
static int event_socket = -1;
static int log_fd = -1;

static ssize_t real_write(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t wrote = write(fd, bytes, size);
	if (wrote < 0)
		wrote = -errno;
	close(fd);
	return wrote;
}

static int real_run(const char *program, const char *argument, const char *device)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl(program, program, argument, device, (char *)NULL);
		_exit(NOT_RUN);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -errno;
	if (!WIFEXITED(status))
		return -EINTR;
	return WEXITSTATUS(status) == NOT_RUN ? -ENOENT : WEXITSTATUS(status);
}

/* The mediated device on a VF; NULL: there is none. */
static const char *find_mdev(const char *addr)
{
	enum { UUID_LENGTH = 36 };
	static char found[UUID_LENGTH + 1];
	char path[PLAY_PATH_SIZE];
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", addr);
	DIR *directory = opendir(path);
	const struct dirent *entry = NULL;
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (strlen(entry->d_name) == UUID_LENGTH && entry->d_name[8] == '-')
			break;
	if (entry != NULL)
		snprintf(found, sizeof(found), "%.*s", UUID_LENGTH, entry->d_name);
	if (directory != NULL)
		closedir(directory);
	return entry != NULL ? found : NULL;
}

/* As QEMU does it: a container with an IOMMU, the group in it, the device out of that. */
static int open_device(const char *addr)
{
	char link[PLAY_PATH_SIZE], target[PLAY_PATH_SIZE], node[PLAY_PATH_SIZE];
	const char *mdev = find_mdev(addr);
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/%s%siommu_group", addr, mdev != NULL ? mdev : "",
		 mdev != NULL ? "/" : "");
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	snprintf(node, sizeof(node), "/dev/vfio/%s", strrchr(target, '/') + 1);
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	int group = container < 0 ? -1 : open(node, O_RDWR | O_CLOEXEC);
	if (group < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0 ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) < 0)
		return -errno;
	return ioctl(group, VFIO_GROUP_GET_DEVICE_FD, mdev != NULL ? mdev : addr) < 0 ? -errno : 0;
}

static int real_hold(const char *addr)
{
	int ends[2], result = 0;
	if (holder_count == HOLDERS || pipe2(ends, O_CLOEXEC) < 0)
		play_die("cannot hold %s", addr);
	pid_t child = fork();
	if (child == 0) {
		result = open_device(addr);
		if (write(ends[1], &result, sizeof(result)) != (ssize_t)sizeof(result) || result < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (child < 0 || read(ends[0], &result, sizeof(result)) != (ssize_t)sizeof(result))
		play_die("cannot hold %s", addr);
	close(ends[0]);
	holders[holder_count++] = child;
	return result;
}

static void real_release(void)
{
	while (holder_count > 0) {
		pid_t child = holders[--holder_count];
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

/* ---- uevents: the kernel tells them in the order in which things happen ---- */

static void real_watch(void)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int size = EVENT_BUFFER;
	if (event_socket >= 0)
		close(event_socket);
	event_socket = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (event_socket < 0 || setsockopt(event_socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(event_socket, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		play_die("no uevents: %s", strerror(errno));
}

/* Of "KEY=value" strings, one after the other; "" when there is no such key. */
static void event_value(const char *event, size_t size, const char *key, char out[PLAY_PATH_SIZE])
{
	size_t length = strlen(key);
	out[0] = '\0';
	for (const char *at = event; at < event + size; at += strlen(at) + 1)
		if (strncmp(at, key, length) == 0 && at[length] == '=')
			snprintf(out, PLAY_PATH_SIZE, "%s", at + length + 1);
}

/* A VF is told of once more when the links between it and its PF stand; a PF, when its VFs do. */
static void tell_change(const char *path, const char *device, struct play_text *out)
{
	char numvfs[PLAY_PATH_SIZE + 32];
	snprintf(numvfs, sizeof(numvfs), "/sys%s/sriov_numvfs", path);
	if (access(numvfs, F_OK) != 0)
		play_add(out, "linked %s\n", device);
}

static void tell_event(const char *event, size_t size, struct play_text *out)
{
	char action[PLAY_PATH_SIZE], subsystem[PLAY_PATH_SIZE], path[PLAY_PATH_SIZE], driver[PLAY_PATH_SIZE];
	event_value(event, size, "ACTION", action);
	event_value(event, size, "SUBSYSTEM", subsystem);
	event_value(event, size, "DEVPATH", path);
	event_value(event, size, "DRIVER", driver);
	const char *slash = strrchr(path, '/');
	if ((strcmp(subsystem, "pci") != 0 && strcmp(subsystem, "mdev") != 0) || slash == NULL)
		return;
	if (strcmp(action, "change") == 0)
		tell_change(path, slash + 1, out);
	else if (strcmp(action, "bind") == 0)
		play_add(out, "bind %s %s\n", slash + 1, driver);
	else
		play_add(out, "%s %s\n", action, slash + 1);
}

static void real_watched(struct play_text *out)
{
	char event[EVENT_SIZE];
	ssize_t size;
	while ((size = recv(event_socket, event, sizeof(event) - 1, 0)) > 0) {
		event[size] = '\0';
		tell_event(event, (size_t)size, out);
	}
	if (size < 0 && errno != EAGAIN)
		play_die("uevents were lost: %s", strerror(errno));
}

/* ---- the kernel's log ---- */

static void real_log(struct play_text *out)
{
	char record[EVENT_SIZE];
	ssize_t size;
	bool first = log_fd < 0;
	if (first) {
		log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (log_fd < 0 || lseek(log_fd, 0, SEEK_END) < 0)
			play_die("/dev/kmsg: %s", strerror(errno));
	}
	while ((size = read(log_fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (size <= 0)
			continue;
		record[size] = '\0';
		/* "6,1234,5678,-;text", then lines of key and value. */
		char *text = strchr(record, ';');
		if (text != NULL)
			play_add(out, "%.*s\n", (int)strcspn(text + 1, "\n"), text + 1);
	}
}

/* sh COMMAND…: what has to be so on this machine and has no counterpart on the other. */
static void real_apart(char *const *words, size_t count)
{
	char line[PLAY_PATH_SIZE] = "";
	if (count < 2 || strcmp(words[0], "sh") != 0)
		play_die("on lab: sh COMMAND…");
	for (size_t i = 1; i < count; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s", i > 1 ? " " : "", words[i]);
	pid_t child = fork();
	int status = -1;
	if (child == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(NOT_RUN);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		play_die("on lab sh %s: failed", line);
}

const struct play_machine *play_real(void)
{
	static const struct play_machine machine = {
		.name = "lab",
		.write = real_write,
		.run = real_run,
		.hold = real_hold,
		.release = real_release,
		.watch = real_watch,
		.watched = real_watched,
		.log = real_log,
		.apart = real_apart,
	};
	return &machine;
}

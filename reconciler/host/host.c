/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The handle: which kind of machine a root directory is, and what belongs to it. */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "host/host_internal.h"

static bool same_directory(int fd, const char *path)
{
	struct stat ours, other;
	return fstat(fd, &ours) == 0 && stat(path, &other) == 0 && ours.st_dev == other.st_dev &&
	       ours.st_ino == other.st_ino;
}

/* By identity, not by name: "//", "/.." and a bind mount of it are the real machine too. */
static enum gp_host_kind find_kind(int root_fd)
{
	if (same_directory(root_fd, "/"))
		return GP_HOST_LIVE;
	gp_autoclose int mark = gp_open_inside(root_fd, GP_SIM_MARK_FILE, O_PATH, 0, GP_INSIDE_ROOT);
	return mark >= 0 ? GP_HOST_SIMULATED : GP_HOST_CAPTURED;
}

/* Any directory can be named; one without a PCI bus would look like a machine without GPUs. */
static int check_captured(int root_fd, const char *root, struct gp_error *err)
{
	gp_autoclose int bus = gp_open_inside(root_fd, "sys/bus/pci/devices", O_PATH, 0, GP_INSIDE_ROOT);
	if (bus >= 0 || errno != ENOENT)
		return 0;
	gp_fail(err, GP_E_NOT_FOUND, "%s is no simulated or captured machine: it has no sys/bus/pci/devices", root);
	return gp_error_remedy(err, "name a directory made by 'gpupart sim create' or 'gpupart capture'");
}

static int check_options(const struct gp_host_options *options, enum gp_host_kind kind, struct gp_error *err)
{
	if (kind == GP_HOST_CAPTURED && options->mode == GP_HOST_READ_WRITE) {
		gp_fail(err, GP_E_USAGE, "%s is a captured machine: it can be looked at and planned on, not changed",
			options->root);
		return gp_error_remedy(err, "only a directory made by 'gpupart sim create' can be changed");
	}
	if (kind == GP_HOST_CAPTURED && options->connect_uri != NULL) {
		gp_fail(err, GP_E_USAGE, "%s is a captured machine: its VMs come from the capture, not from %s",
			options->root, options->connect_uri);
		return gp_error_remedy(err, "leave out --connect");
	}
	if (options->mode == GP_HOST_READ_ONLY)
		return 0;
	if (options->writer_path == NULL)
		return gp_fail(err, GP_E_INTERNAL, "a host is opened for writing without the program that writes");
	/* Before anything was stopped for a write that cannot be. */
	if (access(options->writer_path, X_OK) < 0)
		return gp_host_fail_writer(err, errno, options->writer_path);
	return 0;
}

static char *read_hostname(struct gp_host *host)
{
	char name[HOST_NAME_MAX + 1] = "";
	if (host->kind == GP_HOST_LIVE) {
		if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
			return gp_xstrdup("localhost");
		return gp_xstrdup(name);
	}
	char text[GP_ATTR_MAX];
	if (gp_read_inside(host->root_fd, "etc/hostname", text, sizeof(text), GP_INSIDE_ROOT) <= 0)
		return gp_xstrdup("localhost");
	text[strcspn(text, " \t\r\n")] = '\0';
	return gp_xstrdup(text);
}

static struct gp_host *new_host(int root_fd)
{
	struct gp_host *host = gp_xcalloc(1, sizeof(*host));
	host->root_fd = root_fd;
	host->kind = find_kind(root_fd);
	host->shown_root = gp_xstrdup("");
	pthread_mutex_init(&host->vmm_lock, NULL);
	pthread_mutex_init(&host->pci_lock, NULL);
	pthread_mutex_init(&host->vgpu_lock, NULL);
	pthread_mutex_init(&host->abandoned_lock, NULL);
	return host;
}

static char *absolute(const char *root)
{
	char *real = realpath(root, NULL);
	return real != NULL ? real : gp_xstrdup(root);
}

static char *without_last_slashes(const char *root)
{
	size_t length = strlen(root);
	while (length > 0 && root[length - 1] == '/')
		length--;
	return gp_xasprintf("%.*s", (int)length, root);
}

/* Old kernels answer ENOSYS, and some container profiles do too; better to say so once than at every file. */
static int check_openat2(int root_fd, struct gp_error *err)
{
	gp_autoclose int fd = gp_open_inside(root_fd, ".", O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	return fd >= 0 ? 0 : gp_host_fail_path(err, errno, "", "opened");
}

int gp_host_open(const struct gp_host_options *options, struct gp_host **out, struct gp_error *err)
{
	const char *root = options->root != NULL ? options->root : "/";
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int sys = errno;
		if (sys == ENOENT || sys == ENOTDIR)
			gp_fail(err, GP_E_NOT_FOUND, "there is no directory %s", root);
		else
			gp_fail_errno(err, sys, "cannot open %s", root);
		return -1;
	}
	struct gp_host *host = new_host(fd);
	if (check_openat2(fd, err) < 0 || (host->kind == GP_HOST_CAPTURED && check_captured(fd, root, err) < 0) ||
	    check_options(options, host->kind, err) < 0) {
		gp_host_close(host);
		return -1;
	}
	host->mode = options->mode;
	host->root = absolute(root);
	free(host->shown_root);
	host->shown_root = host->kind == GP_HOST_LIVE ? gp_xstrdup("") : without_last_slashes(root);
	host->name = read_hostname(host);
	host->connect_uri = options->connect_uri != NULL ? gp_xstrdup(options->connect_uri) : NULL;
	host->writer_path = options->writer_path != NULL ? gp_xstrdup(options->writer_path) : NULL;
	*out = host;
	return 0;
}

int gp_host_adopt_root(int root_fd, struct gp_host **out, struct gp_error *err)
{
	if (check_openat2(root_fd, err) < 0)
		return -1;
	struct gp_host *host = new_host(root_fd);
	host->mode = GP_HOST_READ_ONLY;
	host->root = gp_xstrdup(host->kind == GP_HOST_LIVE ? "/" : "");
	host->name = gp_xstrdup("");
	*out = host;
	return 0;
}

void gp_host_close(struct gp_host *host)
{
	if (host == NULL)
		return;
	if (host->vmm != NULL)
		host->vmm->ops->close(host->vmm);
	gp_pci_close(host);
	gp_vgpu_config_free(host->vgpu_config);
	pthread_mutex_destroy(&host->vmm_lock);
	pthread_mutex_destroy(&host->pci_lock);
	pthread_mutex_destroy(&host->vgpu_lock);
	pthread_mutex_destroy(&host->abandoned_lock);
	free(host->abandoned);
	free(host->root);
	free(host->shown_root);
	free(host->name);
	free(host->connect_uri);
	free(host->writer_path);
	close(host->root_fd);
	free(host);
}

enum gp_host_kind gp_host_kind_of(const struct gp_host *host)
{
	return host->kind;
}
const char *gp_host_root(const struct gp_host *host)
{
	return host->root;
}
const char *gp_host_name(const struct gp_host *host)
{
	return host->name;
}
int gp_host_root_fd(const struct gp_host *host)
{
	return host->root_fd;
}

static int open_vmm(struct gp_host *host, struct gp_vmm **out, struct gp_error *err)
{
	bool read_only = host->mode == GP_HOST_READ_ONLY;
	if (host->connect_uri != NULL)
		return gp_vmm_libvirt_open(host->connect_uri, read_only, out, err);
	if (host->kind == GP_HOST_LIVE)
		return gp_vmm_libvirt_open("qemu:///system", read_only, out, err);
	if (host->kind == GP_HOST_CAPTURED && !gp_host_exists(host, "etc/libvirt/qemu"))
		return gp_fail(err, GP_E_UNAVAILABLE, "the captured tree holds no VM definitions (etc/libvirt/qemu)");
	return gp_vmm_sim_open(host, read_only, out, err);
}

struct gp_vmm *gp_host_vmm(struct gp_host *host, struct gp_error *err)
{
	pthread_mutex_lock(&host->vmm_lock);
	if (host->vmm == NULL) {
		struct gp_vmm *vmm = NULL;
		if (open_vmm(host, &vmm, err) == 0)
			host->vmm = vmm;
	}
	struct gp_vmm *vmm = host->vmm;
	pthread_mutex_unlock(&host->vmm_lock);
	return vmm;
}

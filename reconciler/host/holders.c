/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has a VF open through VFIO, or a physical GPU by its driver's own file: every descriptor of every process is
 * looked at.
 *
 * A process holds a VF by its group (/dev/vfio/12), by that of the mediated device on it, or, on newer systems, by the
 * device itself (/dev/vfio/devices/vfio3). The links of /proc/PID/fd are read as text and never followed. What cannot
 * be seen counts as held: the result is then unknown, not empty.
 *
 * A client of NVIDIA's driver has /dev/nvidiaN open, where N is the "Device Minor" of the GPU.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "host/host_internal.h"

enum { LINK_SIZE = 256, COMM_SIZE = 64 };

/* One process that has one VFIO file open, or one GPU of NVIDIA's driver. */
struct opened {
	uint64_t pid;
	uint32_t number; /* of the group, N of vfioN, or N of nvidiaN */
	bool is_device;
	bool explained; /* it is known whose device it is */
};

struct scan {
	struct gp_host *host;
	struct gp_arena *arena;
	int proc_fd;
	int fd_dir; /* of the process that is being looked at */
	uint64_t pid;
	struct opened *opened;
	size_t opened_count;
	struct opened *clients;
	size_t client_count;
	const char *unknown_why;  /* NULL: everything could be seen */
	uint32_t unseen;          /* processes whose descriptors may not be listed */
	bool device_without_file; /* the process has a VFIO device, … */
	bool has_file;            /* … and the file that leads to it */
	int link_error;           /* errno of a descriptor of it that could not be read; 0: none */
};

bool gp_driver_is_vfio(const char *driver)
{
	return driver != NULL && strstr(driver, "vfio") != NULL;
}

static void note_client(struct scan *scan, uint32_t minor)
{
	for (size_t i = scan->client_count; i > 0 && scan->clients[i - 1].pid == scan->pid; i--)
		if (scan->clients[i - 1].number == minor)
			return;
	*gp_arena_push(scan->arena, scan->clients, scan->client_count) =
		(struct opened){.pid = scan->pid, .number = minor};
}

static void note_opened(struct scan *scan, uint32_t number, bool is_device)
{
	for (size_t i = scan->opened_count; i > 0 && scan->opened[i - 1].pid == scan->pid; i--)
		if (scan->opened[i - 1].number == number && scan->opened[i - 1].is_device == is_device)
			return;
	*gp_arena_push(scan->arena, scan->opened, scan->opened_count) =
		(struct opened){.pid = scan->pid, .number = number, .is_device = is_device};
}

static bool take_number(const char *text, uint32_t *number)
{
	char digits[16];
	size_t length = strspn(text, "0123456789");
	/* A node that was removed since (libvirt makes them for each VM) shows as "/dev/vfio/12 (deleted)". */
	if (length == 0 || length >= sizeof(digits) || (text[length] != '\0' && text[length] != ' '))
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	return gp_parse_u32(digits, number) == 0;
}

#define NVIDIA_FILE "/dev/nvidia"

static void look_at_target(struct scan *scan, const char *target)
{
	uint32_t number;
	/* Anywhere in the path: a process in a container may have its /dev elsewhere. */
	const char *vfio = strstr(target, "/dev/vfio/");
	if (vfio == NULL) {
		const char *nvidia = strstr(target, NVIDIA_FILE);
		if (gp_starts_with(target, "anon_inode:[vfio-device]"))
			scan->device_without_file = true;
		/* Not nvidiactl, nvidia-uvm and the like, which belong to no GPU. */
		else if (nvidia != NULL && take_number(nvidia + strlen(NVIDIA_FILE), &number))
			note_client(scan, number);
		return;
	}
	const char *rest = vfio + strlen("/dev/vfio/");
	bool is_device = gp_starts_with(rest, "devices/vfio");
	if (is_device)
		rest += strlen("devices/vfio");
	else if (gp_starts_with(rest, "noiommu-"))
		rest += strlen("noiommu-"); /* the group that the kernel makes up where there is no IOMMU */
	if (!take_number(rest, &number))
		return;
	scan->has_file = true;
	note_opened(scan, number, is_device);
}

static int look_at_descriptor(void *context, const char *name)
{
	struct scan *scan = context;
	char target[LINK_SIZE];
	/* A longer one is cut: the paths that matter are short. A descriptor closed meanwhile is nothing. */
	ssize_t length = readlinkat(scan->fd_dir, name, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		look_at_target(scan, target);
	} else if (length < 0 && errno != ENOENT) {
		scan->link_error = errno;
	}
	return 0;
}

static void note_unseen(struct scan *scan, int sys)
{
	scan->unseen++;
	if (scan->unknown_why != NULL)
		return;
	scan->unknown_why =
		sys == EACCES || sys == EPERM
			? gp_arena_printf(scan->arena,
					  "the open files of other users' processes can only be seen by root "
					  "(process %llu)",
					  (unsigned long long)scan->pid)
			: gp_arena_printf(scan->arena, "the open files of process %llu cannot be read: %s",
					  (unsigned long long)scan->pid, strerror(sys));
}

static int look_at_process(void *context, const char *name)
{
	struct scan *scan = context;
	char path[64];
	if (!isdigit((unsigned char)name[0]) || gp_parse_u64(name, &scan->pid) < 0)
		return 0;
	snprintf(path, sizeof(path), "%s/fd", name);
	scan->fd_dir = gp_open_inside(scan->proc_fd, path, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_PLAIN);
	scan->device_without_file = scan->has_file = false;
	scan->link_error = 0;
	int sys = 0;
	if (scan->fd_dir < 0 || gp_each_name_in(scan->fd_dir, look_at_descriptor, scan) < 0)
		sys = errno;
	if (sys == 0)
		sys = scan->link_error;
	if (scan->fd_dir >= 0)
		close(scan->fd_dir);
	/* A process that ended while we looked holds nothing. */
	if (sys != 0 && sys != ENOENT && sys != ESRCH)
		note_unseen(scan, sys);
	if (scan->device_without_file && !scan->has_file && scan->unknown_why == NULL)
		scan->unknown_why = gp_arena_printf(
			scan->arena, "process %s has a VFIO device open, but not the file that tells which", name);
	return 0;
}

/*
 * Processes that are hidden cannot be counted as unseen, so it is asked for first whether any could be: in another PID
 * namespace (its first one has a fixed number since Linux 3.8), or when /proc hides other users' (hidepid).
 */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

static const char *why_processes_hide(struct scan *scan)
{
	char space[64];
	if (gp_readlink_inside(scan->proc_fd, "1/ns/pid", space, sizeof(space), GP_INSIDE_PLAIN) < 0)
		return errno == ENOENT ? "/proc is not mounted, or hides the processes of other users"
				       : "the open files of other users' processes can only be seen by root";
	if (strcmp(space, FIRST_PID_NAMESPACE) != 0)
		return "gpupart runs in a container that cannot see the host's processes";
	return NULL;
}

static int scan_processes(struct scan *scan)
{
	scan->proc_fd = gp_open_inside(scan->host->root_fd, "proc", O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	int result = scan->proc_fd < 0 ? -1 : gp_each_name_in(scan->proc_fd, look_at_process, scan);
	if (result < 0)
		scan->unknown_why = gp_arena_printf(scan->arena, "/proc cannot be read: %s", strerror(errno));
	else if (scan->host->kind == GP_HOST_LIVE && scan->unknown_why == NULL)
		scan->unknown_why = why_processes_hide(scan);
	return result;
}

/* ---- joining with the VFs ---- */

struct vfio_device {
	uint32_t number;
	bool found;
};

static int take_vfio_device(void *context, const char *name)
{
	struct vfio_device *device = context;
	device->found = gp_starts_with(name, "vfio") && gp_parse_u32(name + strlen("vfio"), &device->number) == 0;
	return device->found;
}

/* VF/vfio-dev/vfio3: there only while a VFIO driver is bound. */
static struct vfio_device find_vfio_device(struct gp_host *host, const char *bus, const char *name)
{
	char path[128];
	struct vfio_device device = {0};
	snprintf(path, sizeof(path), "sys/bus/%s/devices/%s/vfio-dev", bus, name);
	int fd = gp_open_inside(host->root_fd, path, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd >= 0)
		gp_each_name(fd, take_vfio_device, &device);
	return device;
}

static const char *name_of_process(struct scan *scan, uint64_t pid)
{
	char path[64], comm[COMM_SIZE];
	snprintf(path, sizeof(path), "%llu/comm", (unsigned long long)pid);
	if (gp_read_inside(scan->proc_fd, path, comm, sizeof(comm), GP_INSIDE_PLAIN) <= 0)
		return "unknown";
	return gp_arena_strdup(scan->arena, comm);
}

static void add_client(struct scan *scan, struct gp_gpu *gpu, uint64_t pid)
{
	*gp_arena_push(scan->arena, gpu->clients, gpu->client_count) =
		(struct gp_holder){.kind = GP_HOLDER_CLIENT, .name = name_of_process(scan, pid), .pid = pid};
}

static void add_holder(struct scan *scan, struct gp_partition *partition, uint64_t pid)
{
	for (size_t i = 0; i < partition->holder_count; i++)
		if (partition->holders[i].kind == GP_HOLDER_VFIO && partition->holders[i].pid == pid)
			return;
	struct gp_holder *holder = gp_arena_push(scan->arena, partition->holders, partition->holder_count);
	holder->kind = GP_HOLDER_VFIO;
	holder->pid = pid;
	holder->name = name_of_process(scan, pid);
}

/* Groups before devices, then by number: a host may have thousands of VFs and of processes. */
static int by_file(const void *a, const void *b)
{
	const struct opened *left = a, *right = b;
	if (left->is_device != right->is_device)
		return left->is_device ? 1 : -1;
	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

/* The first that is not before this file. */
static size_t find_opened(const struct scan *scan, bool is_device, uint32_t number)
{
	const struct opened wanted = {.is_device = is_device, .number = number};
	size_t low = 0, high = scan->opened_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_file(&scan->opened[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_holders_of(struct scan *scan, struct gp_partition *partition, bool is_device, uint32_t number)
{
	for (size_t i = find_opened(scan, is_device, number); i < scan->opened_count; i++) {
		if (scan->opened[i].is_device != is_device || scan->opened[i].number != number)
			break;
		scan->opened[i].explained = true;
		add_holder(scan, partition, scan->opened[i].pid);
	}
}

static bool any_device_opened(const struct scan *scan)
{
	return scan->opened_count > 0 && scan->opened[scan->opened_count - 1].is_device;
}

static void join_partition(struct scan *scan, struct gp_partition *partition)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(partition->addr, name);
	if (partition->iommu_group_known)
		add_holders_of(scan, partition, false, partition->iommu_group);
	struct vfio_device device = {0};
	if (any_device_opened(scan) || !partition->iommu_group_known)
		device = find_vfio_device(scan->host, "pci", name);
	if (device.found)
		add_holders_of(scan, partition, true, device.number);
	/* Somebody holds a group, and this VF's is not known: it may be that one. */
	if (!partition->iommu_group_known && (gp_driver_is_vfio(partition->driver) || device.found) &&
	    scan->unknown_why == NULL)
		scan->unknown_why = "the IOMMU group of a VF that is bound to a VFIO driver cannot be read";
}

static struct gp_partition *partition_of(struct gp_gpu *gpus, size_t gpu_count, struct gp_pci_addr addr)
{
	for (size_t i = 0; i < gpu_count; i++)
		for (size_t j = 0; j < gpus[i].partition_count; j++)
			if (gp_pci_addr_compare(gpus[i].partitions[j].addr, addr) == 0)
				return &gpus[i].partitions[j];
	return NULL;
}

/* It has an IOMMU group of its own, and so has each other on the same VF. */
static void join_mdev(struct scan *scan, int siblings, struct gp_partition *partition, const char *name)
{
	uint32_t group;
	char vf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(partition->addr, vf);
	if (gp_mdev_iommu_group_on(scan->host, siblings, vf, name, &group) ||
	    gp_mdev_iommu_group(scan->host, name, &group))
		add_holders_of(scan, partition, false, group);
	else if (scan->unknown_why == NULL)
		scan->unknown_why = "the IOMMU group of a mediated device cannot be read";
	struct vfio_device device = {0};
	if (any_device_opened(scan))
		device = find_vfio_device(scan->host, "mdev", name);
	if (device.found)
		add_holders_of(scan, partition, true, device.number);
}

static void find_and_join_mdev(struct scan *scan, struct gp_gpu *gpus, size_t gpu_count, const char *name)
{
	struct gp_mdev mdev;
	struct gp_uuid uuid;
	if (gp_uuid_parse(name, &uuid) < 0)
		return;
	int found = gp_host_find_mdev(scan->host, uuid, &mdev, NULL);
	if (found < 0 && scan->unknown_why == NULL)
		scan->unknown_why = "a mediated device cannot be read";
	bool ours = found == 1 && !mdev.foreign;
	struct gp_partition *partition = ours ? partition_of(gpus, gpu_count, mdev.parent) : NULL;
	if (partition != NULL)
		join_mdev(scan, -1, partition, name);
}

/* Where the back-end has told already which mediated devices there are. */
static void join_known_mdevs(struct scan *scan, struct gp_gpu *gpu)
{
	char name[GP_UUID_SIZE];
	gp_autoclose int siblings = gpu->count > 0 ? gp_pci_open_siblings(scan->host, gpu->addr) : -1;
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (gpu->partitions[i].has_mdev)
			join_mdev(scan, siblings, &gpu->partitions[i], gp_uuid_format(gpu->partitions[i].mdev, name));
}

static void find_mdevs(struct scan *scan, struct gp_gpu *gpus, size_t gpu_count)
{
	GP_CLEANUP(gp_names_clear) struct gp_names names = {0};
	if (gp_mdev_list(scan->host, &names) < 0 && scan->unknown_why == NULL)
		scan->unknown_why =
			gp_arena_printf(scan->arena, "mediated devices cannot be listed: %s", strerror(errno));
	for (size_t i = 0; i < names.count; i++)
		find_and_join_mdev(scan, gpus, gpu_count, gp_names_at(&names, i));
}

static void join_partitions(struct scan *scan, struct gp_gpu *gpu, bool bound)
{
	gp_pci_read_iommu_groups(scan->host, gpu, bound);
	for (size_t i = 0; i < gpu->partition_count; i++)
		if ((gpu->partitions[i].driver != NULL) == bound)
			join_partition(scan, &gpu->partitions[i]);
}

static bool all_explained(const struct scan *scan)
{
	for (size_t i = 0; i < scan->opened_count; i++)
		if (!scan->opened[i].explained)
			return false;
	return true;
}

static void join_holders(struct scan *scan, struct gp_gpu *gpus, size_t gpu_count)
{
	if (scan->opened_count == 0)
		return;
	qsort(scan->opened, scan->opened_count, sizeof(*scan->opened), by_file);
	bool told = true; /* by each GPU's back-end, which mediated devices there are */
	for (size_t i = 0; i < gpu_count; i++) {
		told = told && gpus[i].backend != NULL && gpus[i].unfit != GP_UNFIT_UNREADABLE;
		if (gp_streq(gpus[i].framework, "mdev")) { /* its VFs themselves are never opened */
			join_known_mdevs(scan, &gpus[i]);
			continue;
		}
		join_partitions(scan, &gpus[i], true);
	}
	/* What is left belongs to other devices; or to a VF without a driver, see may_be_held(). */
	for (size_t i = 0; i < gpu_count && !all_explained(scan); i++)
		if (!gp_streq(gpus[i].framework, "mdev"))
			join_partitions(scan, &gpus[i], false);
	if (!told)
		find_mdevs(scan, gpus, gpu_count);
}

/* ---- clients of NVIDIA's driver ---- */

static bool is_of_nvidia(const struct gp_gpu *gpu)
{
	return gp_streq(gpu->driver, "nvidia");
}

/* "Device Minor: \t 0", one line among others. */
static bool read_minor(struct gp_host *host, const struct gp_gpu *gpu, uint32_t *minor)
{
	static const char key[] = "Device Minor:";
	char path[96], name[GP_PCI_ADDR_SIZE], text[GP_ATTR_MAX];
	snprintf(path, sizeof(path), "proc/driver/nvidia/gpus/%s/information", gp_pci_addr_format(gpu->addr, name));
	if (gp_host_read(host, path, text, sizeof(text), NULL) < 0)
		return false;
	const char *line = strstr(text, key);
	if (line == NULL)
		return false;
	line += strlen(key);
	line += strspn(line, " \t");
	gp_autofree char *digits = gp_xasprintf("%.*s", (int)strspn(line, "0123456789"), line);
	return gp_parse_u32(digits, minor) == 0;
}

static void join_clients(struct scan *scan, struct gp_gpu *gpu)
{
	uint32_t minor;
	if (!is_of_nvidia(gpu) || !read_minor(scan->host, gpu, &minor))
		return;
	for (size_t i = 0; i < scan->client_count; i++)
		if (scan->clients[i].number == minor)
			add_client(scan, gpu, scan->clients[i].pid);
}

/* ---- the whole of it ---- */

static int note_group(void *context, const char *name)
{
	bool *found = context;
	*found = isdigit((unsigned char)name[0]) || gp_starts_with(name, "noiommu-");
	return *found;
}

/* Each group that has a device with a VFIO driver has a node. A directory that cannot be read is as good as one. */
static bool any_vfio_group(struct gp_host *host)
{
	bool found = false;
	int fd = gp_open_inside(host->root_fd, "dev/vfio", O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return errno != ENOENT;
	return gp_each_name(fd, note_group, &found) < 0 || found;
}

/*
 * A VFIO descriptor needs a bound driver. That link goes first when the driver is taken away, though, and then Linux
 * waits for who has the descriptor (drivers/base/dd.c, vfio_unregister_group_dev): until then the group keeps its node.
 */
static bool may_be_held(struct gp_host *host, const struct gp_gpu *gpus, size_t gpu_count)
{
	bool any = false;
	for (size_t i = 0; i < gpu_count; i++)
		for (size_t j = 0; j < gpus[i].partition_count; j++, any = true)
			if (gpus[i].partitions[j].driver != NULL)
				return true;
	return any && any_vfio_group(host);
}

static bool any_of_nvidia(const struct gp_gpu *gpus, size_t gpu_count)
{
	for (size_t i = 0; i < gpu_count; i++)
		if (is_of_nvidia(&gpus[i]))
			return true;
	return false;
}

void gp_holders_scan(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpus, size_t gpu_count,
		     struct gp_source_state *state)
{
	bool asked = may_be_held(host, gpus, gpu_count);
	*state = (struct gp_source_state){.known = true};
	if (!asked && !any_of_nvidia(gpus, gpu_count))
		return;
	if (host->kind == GP_HOST_CAPTURED) {
		if (asked)
			*state = (struct gp_source_state){.known = false,
							  .why = "a captured tree does not tell who has files open"};
		return;
	}
	struct scan scan = {.host = host, .arena = arena, .proc_fd = -1};
	scan_processes(&scan);
	join_holders(&scan, gpus, gpu_count);
	for (size_t i = 0; i < gpu_count && scan.client_count > 0; i++)
		join_clients(&scan, &gpus[i]);
	if (scan.proc_fd >= 0)
		close(scan.proc_fd);
	/* Whom a client belongs to needs not be known: the driver itself keeps its GPU from a change while it has one.
	 */
	if (asked && scan.unknown_why != NULL)
		*state = (struct gp_source_state){.known = false, .why = scan.unknown_why};
}

void gp_host_observe_vfio(struct gp_host *host, struct gp_observed *observed)
{
	gp_holders_scan(host, observed->arena, observed->gpus, observed->gpu_count, &observed->vfio_state);
}

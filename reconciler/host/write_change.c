/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/write_change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/host_internal.h"
#include "host/sim.h"

/* ---- the one place that changes anything ---- */

/* 0 or an errno. The kernel takes an attribute in one write(2). */
static int write_plain(struct gp_host *host, const char *path, const char *value)
{
	gp_autoclose int fd = gp_open_inside(gp_host_root_fd(host), path, O_WRONLY | O_NOCTTY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return errno;
	size_t size = strlen(value);
	ssize_t wrote = write(fd, value, size);
	if (wrote < 0)
		return errno;
	return (size_t)wrote == size ? 0 : EIO;
}

int gp_write_value(struct gp_host *host, const char *path, const char *value)
{
	/* Nothing at all cannot be written: a line end clears an attribute. */
	if (*value == '\0')
		value = "\n";
	if (gp_host_kind_of(host) == GP_HOST_SIMULATED)
		return -gp_kernel_sim_write(gp_host_root_fd(host), path, value);
	return write_plain(host, path, value);
}

static int fail_stale(const char *before, const char *found, struct gp_error *err)
{
	gp_fail(err, GP_E_STALE, "is '%s' now; the plan stands on '%s'", found, before);
	return gp_error_remedy(err, "plan again");
}

/* ---- sriov_numvfs ---- */

int gp_write_explain_numvfs(int sys, const struct gp_gpu *gpu, const char *asked, struct gp_error *err)
{
	const char *driver = gpu->driver;
	switch (sys) {
	case ENOENT:
	case ENOSYS:
		if (driver == NULL) {
			gp_fail(err, GP_E_UNSUPPORTED,
				"no driver is bound to the GPU, so there is nobody to make its VFs");
			gp_error_remedy(err, "load the GPU's driver");
		} else {
			gp_fail(err, GP_E_UNSUPPORTED, "driver %s does not make VFs through sysfs", driver);
			gp_error_remedy(err, "use a version of the driver with SR-IOV, or the vendor's own way");
		}
		break;
	case ERANGE:
		gp_fail(err, GP_E_UNSUPPORTED, "%s VFs are asked; the driver makes at most %u", asked, gpu->total_vfs);
		break;
	case EBUSY:
		if (gpu->num_vfs > 0 && strcmp(asked, "0") != 0)
			gp_fail(err, GP_E_BUSY, "%u VFs are enabled; another number can be set only after 0",
				gpu->num_vfs);
		else
			gp_fail(err, GP_E_BUSY, "driver %s says that the GPU is busy",
				driver != NULL ? driver : "(none)");
		break;
	case EIO:
		gp_fail(err, GP_E_IO, "the device did not %s its VFs (the kernel log says more)",
			strcmp(asked, "0") == 0 ? "disable" : "enable");
		break;
	case ENOMEM:
		gp_fail(err, GP_E_UNSUPPORTED,
			"there is no room for %s VFs: the firmware left too little address space, or too "
			"few bus numbers, for them",
			asked);
		gp_error_remedy(err,
				"switch on 'Above 4G Decoding' and 'SR-IOV' in the firmware, or boot with pci=realloc");
		break;
	case ENOSPC:
		gp_fail(err, GP_E_UNSUPPORTED, "the driver has too little left of something to give %s VFs a part each",
			asked);
		break;
	case EPERM:
		gp_fail(err, GP_E_PERMISSION,
			"driver %s does not allow it (VFs assigned to guests, or kernel lockdown)",
			driver != NULL ? driver : "(none)");
		break;
	case EACCES:
		gp_fail(err, GP_E_PERMISSION, "may not be written by this user");
		gp_error_remedy(err, "run as root");
		break;
	case EINVAL:
		gp_fail(err, GP_E_UNSUPPORTED, "the driver does not take '%s' as a number of VFs", asked);
		break;
	default:
		gp_fail_errno(err, sys, "cannot be set to %s", asked);
		break;
	}
	if (err != NULL)
		err->sys = sys;
	return -1;
}

int gp_write_fail_transition(const struct gp_gpu *gpu, struct gp_error *err)
{
	gp_fail(err, GP_E_BUSY, "is changing right now: %u VFs are linked, %u are enabled in the device", gpu->num_vfs,
		gpu->vf_enable ? gpu->cap_num_vfs : 0);
	return gp_error_remedy(err, "wait until whoever enables or disables VFs is done");
}

static int compare_numvfs(const struct gp_gpu *gpu, const char *before, struct gp_error *err)
{
	if (gp_pci_in_transition(gpu))
		return gp_write_fail_transition(gpu, err);
	char found[16];
	snprintf(found, sizeof(found), "%u", gpu->num_vfs);
	return before == NULL || strcmp(before, found) == 0 ? 0 : fail_stale(before, found, err);
}

/*
 * The links, not the attribute. Fewer than asked may still be on their way, and a step that waits comes next; but when
 * links and capability agree on fewer, that is all there will be.
 */
static int verify_numvfs(const struct gp_gpu *gpu, uint32_t asked, struct gp_error *err)
{
	bool settled = gpu->capability_known && !gp_pci_in_transition(gpu) && gpu->num_vfs > 0;
	if (gpu->num_vfs == asked || (gpu->num_vfs < asked && !settled))
		return 0;
	gp_fail(err, GP_E_VERIFY, "%u VFs are asked; %u are there after the write", asked, gpu->num_vfs);
	return gp_error_remedy(err, "look into the kernel log for the driver's reason");
}

static int write_numvfs(const struct gp_write *write, const char *path, struct gp_error *err)
{
	const struct gp_write_request *request = write->request;
	struct gp_gpu gpu;
	uint32_t asked;
	if (gp_parse_u32(request->after, &asked) < 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no number of VFs", request->after);
	if (gp_write_observe_pf(write, &gpu, err) < 0 || compare_numvfs(&gpu, request->before, err) < 0 ||
	    gp_write_check_guard_of(write, &gpu, err) < 0)
		return -1;
	int sys = gp_write_value(write->host, path, request->after);
	if (sys != 0)
		return gp_write_explain_numvfs(sys, &gpu, request->after, err);
	if (gp_write_observe_pf(write, &gpu, err) < 0)
		return -1;
	return verify_numvfs(&gpu, asked, err);
}

/* ---- other attributes ---- */

static bool is_write_only(struct gp_host *host, const char *path)
{
	struct stat info;
	gp_autoclose int fd = gp_open_inside(gp_host_root_fd(host), path, O_PATH, 0, GP_INSIDE_ROOT);
	return fd >= 0 && fstat(fd, &info) == 0 && (info.st_mode & 0444) == 0;
}

/* "0x10" and "16" are not the same text; "8" and "8" are, and so are "08" and "8". */
static bool same_value(const char *a, const char *b)
{
	uint64_t left, right;
	return gp_same_list(a, b) || (gp_parse_u64(a, &left) == 0 && gp_parse_u64(b, &right) == 0 && left == right);
}

static int compare_attribute(const struct gp_write *write, const char *path, struct gp_error *err)
{
	char found[GP_ATTR_MAX + 1];
	const char *before = write->request->before;
	if (before == NULL)
		return 0;
	if (gp_host_read(write->host, path, found, sizeof(found), err) < 0)
		return -1;
	return same_value(before, found) ? 0 : fail_stale(before, found, err);
}

/* 1: it reads as it should, or cannot be read by nature: that is verified by what it does, a step that waits, and the
 * next observation. 0: it reads otherwise. */
static int read_back(const struct gp_write *write, const char *path, char found[GP_ATTR_MAX + 1], struct gp_error *err)
{
	if (is_write_only(write->host, path))
		return 1;
	if (gp_host_read(write->host, path, found, GP_ATTR_MAX + 1, err) < 0)
		return gp_error_prefix(err, "was written, but the read-back failed");
	return same_value(write->request->after, found);
}

static int fail_read_back(const struct gp_write_request *request, const char *found, struct gp_error *err)
{
	if (request->before != NULL && same_value(request->before, found))
		return gp_fail(err, GP_E_VERIFY, "was set to '%s', and still reads '%s'", request->after, found);
	/* What NVIDIA's driver does with a vGPU type that it cannot make, without a word. */
	if (same_value(found, "0"))
		return gp_fail(err, GP_E_VERIFY, "was set to '%s', and fell to 0: the driver did not take it",
			       request->after);
	return gp_fail(err, GP_E_VERIFY, "was set to '%s', and reads '%s'", request->after, found);
}

static int fail_write(const struct gp_write_request *request, int sys, const char *path, struct gp_error *err)
{
	if (sys == ENOENT || sys == EACCES)
		return gp_host_fail_path(err, sys, path, "written");
	if (*request->after == '\0' || *request->after == ' ')
		return gp_fail_errno(err, sys, "cannot be cleared");
	return gp_fail_errno(err, sys, "cannot be set to '%s'", request->after);
}

static int write_attribute(const struct gp_write *write, const char *path, bool *settles, struct gp_error *err)
{
	const struct gp_write_request *request = write->request;
	char found[GP_ATTR_MAX + 1];
	if (compare_attribute(write, path, err) < 0 || gp_write_check_guard(write, err) < 0)
		return -1;
	int sys = gp_write_value(write->host, path, request->after);
	*settles = gp_write_may_settle(write, sys);
	if (sys != 0)
		return fail_write(request, sys, path, err);
	int is_so = read_back(write, path, found, err);
	if (is_so != 0)
		return is_so < 0 ? -1 : 0;
	*settles =
		request->guard == GP_GUARD_VF_UNHELD && request->before != NULL && same_value(request->before, found);
	return fail_read_back(request, found, err);
}

/* Of one VF: what lets go of it may be faster than we are. */
static int write_attribute_of_vf(const struct gp_write *write, const char *path, bool *settles, struct gp_error *err)
{
	char found[GP_ATTR_MAX + 1];
	if (!is_write_only(write->host, path) && gp_host_read(write->host, path, found, sizeof(found), NULL) >= 0 &&
	    same_value(write->request->after, found))
		return 0;
	return write_attribute(write, path, settles, err);
}

static bool gives_type(const struct gp_write_request *request)
{
	return request->base == GP_BASE_PCI && gp_streq(request->attribute, "nvidia/current_vgpu_type") &&
	       !gp_streq(request->after, "0");
}

bool gp_write_gives_vgpu(const struct gp_write_request *request)
{
	return gives_type(request) || gp_write_makes_mdev(request);
}

static gp_write_try *way_to_write(const struct gp_write_request *request)
{
	if (gp_write_makes_mdev(request))
		return gp_write_make_mdev;
	if (gp_write_removes_mdev(request))
		return gp_write_remove_mdev;
	bool of_vf = request->guard == GP_GUARD_VF_UNHELD || gives_type(request);
	return of_vf ? write_attribute_of_vf : write_attribute;
}

/* The lock keeps others from one PF and its VFs, and from nothing else. */
static int check_belongs(const struct gp_write *write, struct gp_error *err)
{
	const struct gp_write_request *request = write->request;
	struct gp_pci_addr addr;
	struct gp_gpu gpu;
	char pf[GP_PCI_ADDR_SIZE];
	if (request->device == NULL || gp_pci_addr_parse(request->device, &addr) < 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no PCI device",
			       request->device != NULL ? request->device : "");
	if (gp_pci_addr_compare(addr, request->pf) == 0)
		return 0;
	if (gp_write_observe_pf(write, &gpu, err) < 0)
		return -1;
	for (size_t i = 0; i < gpu.partition_count; i++)
		if (gp_pci_addr_compare(gpu.partitions[i].addr, addr) == 0)
			return 0;
	return gp_fail(err, GP_E_INTERNAL, "the lock is for %s, and %s is no VF of it",
		       gp_pci_addr_format(request->pf, pf), request->device);
}

static int change_attribute(const struct gp_write *write, struct gp_error *err)
{
	const struct gp_write_request *request = write->request;
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	if (gp_host_attribute_path(request->base, request->device, request->attribute, &path, err) < 0)
		return -1;
	if (request->after == NULL)
		return gp_fail(err, GP_E_INTERNAL, "a write without a value");
	if (request->base == GP_BASE_PCI && check_belongs(write, err) < 0)
		return -1;
	char pf[GP_PCI_ADDR_SIZE];
	bool counts = request->base == GP_BASE_PCI && strcmp(request->attribute, "sriov_numvfs") == 0;
	if (counts && strcmp(request->device, gp_pci_addr_format(request->pf, pf)) != 0)
		return gp_fail(err, GP_E_INTERNAL, "the lock is for %s, the write for %s", pf, request->device);
	return counts ? write_numvfs(write, path.text, err)
		      : gp_write_settling(write, path.text, way_to_write(request), err);
}

/* ---- drivers ---- */

static void read_driver(struct gp_host *host, const char *device, char *driver, size_t size)
{
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/driver", device);
	if (gp_host_read_link(host, path, driver, size, NULL) < 0)
		driver[0] = '\0';
}

/* BIND: to the driver `after`. UNBIND: from the driver `before`, or from whatever is bound. "" is no driver. */
static int change_driver(const struct gp_write *write, struct gp_error *err)
{
	struct gp_host *host = write->host;
	const struct gp_write_request *request = write->request;
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	bool bind = request->kind == GP_STEP_BIND;
	const char *wanted = bind ? request->after : "";
	char driver[128];
	/* Makes sure that the device is one, before its name goes into a path. */
	if (gp_host_attribute_path(GP_BASE_PCI, request->device, "driver", &path, err) < 0)
		return -1;
	if (wanted == NULL || strchr(wanted, '/') != NULL || (bind && *wanted == '\0') || *wanted == '.')
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no name of a driver", wanted != NULL ? wanted : "");
	if (check_belongs(write, err) < 0)
		return -1;
	read_driver(host, request->device, driver, sizeof(driver));
	if (request->before != NULL && strcmp(request->before, driver) != 0)
		return fail_stale(request->before, driver, err);
	if (strcmp(driver, wanted) == 0)
		return 0;
	if (gp_write_check_guard(write, err) < 0)
		return -1;
	gp_autofree char *file =
		gp_xasprintf("sys/bus/pci/drivers/%s/%s", bind ? wanted : driver, bind ? "bind" : "unbind");
	int sys = gp_write_value(host, file, request->device);
	if (sys != 0)
		return gp_fail_errno(err, sys,
				     bind ? "cannot be bound to driver %s" : "cannot be unbound from driver %s",
				     bind ? wanted : driver);
	read_driver(host, request->device, driver, sizeof(driver));
	if (strcmp(driver, wanted) == 0)
		return 0;
	return gp_fail(err, GP_E_VERIFY, "its driver should be '%s' now, and is '%s'", wanted, driver);
}

/* ---- the whole of it ---- */

static int change(const struct gp_write *write, struct gp_error *err)
{
	switch (write->request->kind) {
	case GP_STEP_WRITE:
		return change_attribute(write, err);
	case GP_STEP_BIND:
	case GP_STEP_UNBIND:
		return change_driver(write, err);
	case GP_STEP_HELPER:
		return gp_write_run_program(write, err);
	default:
		return gp_fail(err, GP_E_INTERNAL, "this kind of step is not for the writing helper");
	}
}

static void name_subject(const struct gp_write_request *request, struct gp_error *err)
{
	char pf[GP_PCI_ADDR_SIZE];
	gp_error_subject(err, "%s%s%s", request->device != NULL ? request->device : gp_pci_addr_format(request->pf, pf),
			 request->attribute != NULL ? " " : "", request->attribute != NULL ? request->attribute : "");
}

/* By when the answer is to be on its way. */
static uint64_t time_for_answer(uint64_t timeout_ms)
{
	enum { ANSWER_MS = 500 };
	uint64_t share = timeout_ms / 10;
	if (share >= ANSWER_MS)
		return share;
	return timeout_ms / 2 < ANSWER_MS ? timeout_ms / 2 : ANSWER_MS;
}

int gp_write_change(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	if (gp_host_kind_of(host) == GP_HOST_CAPTURED)
		return gp_fail(err, GP_E_INTERNAL, "a captured machine cannot be written");
	char pf[GP_PCI_ADDR_SIZE];
	gp_autofree char *lock_path = gp_xasprintf("run/gpupart/pf-%s.lock", gp_pci_addr_format(request->pf, pf));
	uint64_t until = gp_clock_ms() + request->timeout_ms - time_for_answer(request->timeout_ms);
	/* Half of the time for the lock leaves half for the write. */
	gp_autoclose int lock = gp_state_lock(gp_host_root_fd(host), lock_path, "gpupart-write",
					      request->timeout_ms / 2, NULL, NULL, err);
	if (lock < 0)
		return -1;
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	const struct gp_write write = {
		.host = host, .request = request, .arena = arena, .until_ms = until, .lock = lock};
	if (change(&write, err) == 0)
		return 0;
	if (err != NULL && err->subject == NULL)
		name_subject(request, err);
	return -1;
}

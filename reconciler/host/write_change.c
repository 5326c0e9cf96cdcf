/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/write_change.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
	/* Nothing at all cannot be written: a line end clears an attribute. */
	ssize_t wrote = size > 0 ? write(fd, value, size) : write(fd, "\n", size = 1);
	if (wrote < 0)
		return errno;
	return (size_t)wrote == size ? 0 : EIO;
}

static int write_value(struct gp_host *host, const char *path, const char *value)
{
	if (gp_host_kind_of(host) == GP_HOST_SIMULATED)
		return -gp_kernel_sim_write(gp_host_root_fd(host), path, value);
	return write_plain(host, path, value);
}

/* ---- guard ---- */

static int refuse_foreign_driver(const struct gp_partition *vf, struct gp_error *err)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_fail(err, GP_E_REFUSED,
		"VF %u (%s) is bound to driver %s, which hands nothing to VMs: something on this host uses it",
		vf->index, gp_pci_addr_format(vf->addr, addr), vf->driver);
	gp_error_holder(err, "driver %s", vf->driver);
	return gp_error_remedy(err, "stop what uses it (a container, a display), then unbind it from %s", vf->driver);
}

static int refuse_held(const struct gp_partition *vf, struct gp_error *err)
{
	const struct gp_holder *holder = &vf->holders[0];
	gp_fail(err, GP_E_REFUSED, "VF %u is open in process %s (pid %llu)", vf->index, holder->name,
		(unsigned long long)holder->pid);
	gp_error_holder(err, "process %s (pid %llu)", holder->name, (unsigned long long)holder->pid);
	return gp_error_remedy(err, "shut down the VM that the process runs");
}

/* Unknown is in use. */
static int check_unheld(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err)
{
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (gpu->partitions[i].driver != NULL && !gp_driver_is_vfio(gpu->partitions[i].driver))
			return refuse_foreign_driver(&gpu->partitions[i], err);
	struct gp_source_state state;
	gp_holders_scan(host, arena, gpu, 1, &state);
	for (size_t i = 0; i < gpu->partition_count; i++)
		if (gpu->partitions[i].holder_count > 0)
			return refuse_held(&gpu->partitions[i], err);
	if (state.known)
		return 0;
	gp_fail(err, GP_E_REFUSED, "who has the VFs open cannot be told: %s", state.why);
	return gp_error_remedy(err, "run as root, outside of containers");
}

static int check_guard(struct gp_host *host, const struct gp_write_request *request, struct gp_arena *arena,
		       struct gp_error *err)
{
	if (request->guard != GP_GUARD_UNHELD)
		return 0;
	struct gp_gpu gpu = {0};
	if (gp_host_observe_pf(host, arena, request->pf, &gpu, err) < 0)
		return -1;
	return check_unheld(host, arena, &gpu, err);
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

static int fail_transition(const struct gp_gpu *gpu, struct gp_error *err)
{
	gp_fail(err, GP_E_BUSY, "is changing right now: %u VFs are linked, %u are enabled in the device", gpu->num_vfs,
		gpu->vf_enable ? gpu->cap_num_vfs : 0);
	return gp_error_remedy(err, "wait until whoever enables or disables VFs is done");
}

static int compare_numvfs(const struct gp_gpu *gpu, const char *before, struct gp_error *err)
{
	if (gp_pci_in_transition(gpu))
		return fail_transition(gpu, err);
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

static int write_numvfs(struct gp_host *host, const struct gp_write_request *request, const char *path,
			struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_gpu gpu = {0};
	uint32_t asked;
	if (gp_parse_u32(request->after, &asked) < 0)
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no number of VFs", request->after);
	if (gp_host_observe_pf(host, arena, request->pf, &gpu, err) < 0 ||
	    compare_numvfs(&gpu, request->before, err) < 0)
		return -1;
	if (request->guard == GP_GUARD_UNHELD && check_unheld(host, arena, &gpu, err) < 0)
		return -1;
	int sys = write_value(host, path, request->after);
	if (sys != 0)
		return gp_write_explain_numvfs(sys, &gpu, request->after, err);
	if (gp_host_observe_pf(host, arena, request->pf, &gpu, err) < 0)
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
	return strcmp(a, b) == 0 || (gp_parse_u64(a, &left) == 0 && gp_parse_u64(b, &right) == 0 && left == right);
}

static int compare_attribute(struct gp_host *host, const char *path, const char *before, struct gp_error *err)
{
	char found[GP_ATTR_MAX + 1];
	if (before == NULL)
		return 0;
	if (gp_host_read(host, path, found, sizeof(found), err) < 0)
		return -1;
	return same_value(before, found) ? 0 : fail_stale(before, found, err);
}

static int verify_attribute(struct gp_host *host, const char *path, const char *after, struct gp_error *err)
{
	char found[GP_ATTR_MAX + 1];
	/* What cannot be read back by nature is verified by what it does: a step that waits, and the next observation.
	 */
	if (is_write_only(host, path))
		return 0;
	if (gp_host_read(host, path, found, sizeof(found), err) < 0) {
		gp_error_prefix(err, "was written, but the read-back failed");
		return -1;
	}
	if (same_value(after, found))
		return 0;
	return gp_fail(err, GP_E_VERIFY, "was set to '%s', and reads '%s'", after, found);
}

static int write_attribute(struct gp_host *host, const struct gp_write_request *request, const char *path,
			   struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	if (compare_attribute(host, path, request->before, err) < 0 || check_guard(host, request, arena, err) < 0)
		return -1;
	int sys = write_value(host, path, request->after);
	if (sys == ENOENT || sys == EACCES)
		return gp_host_fail_path(err, sys, path, "written");
	if (sys != 0)
		return gp_fail_errno(err, sys, "cannot be set to '%s'", request->after);
	return verify_attribute(host, path, request->after, err);
}

static int change_attribute(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	if (gp_host_attribute_path(request->base, request->device, request->attribute, &path, err) < 0)
		return -1;
	if (request->after == NULL)
		return gp_fail(err, GP_E_INTERNAL, "a write without a value");
	char pf[GP_PCI_ADDR_SIZE];
	bool of_pf = request->base == GP_BASE_PCI && strcmp(request->attribute, "sriov_numvfs") == 0;
	if (of_pf && strcmp(request->device, gp_pci_addr_format(request->pf, pf)) != 0)
		return gp_fail(err, GP_E_INTERNAL, "the lock is for %s, the write for %s", pf, request->device);
	return of_pf ? write_numvfs(host, request, path.text, err) : write_attribute(host, request, path.text, err);
}

/* ---- drivers ---- */

static void read_driver(struct gp_host *host, const char *device, char *driver, size_t size)
{
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/driver", device);
	if (gp_host_read_link(host, path, driver, size, NULL) < 0)
		driver[0] = '\0';
}

/* BIND: to the driver `after`. UNBIND: from the driver `before`, or from whatever is bound. "" is no driver. */
static int change_driver(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	bool bind = request->kind == GP_STEP_BIND;
	const char *wanted = bind ? request->after : "";
	char driver[128];
	/* Makes sure that the device is one, before its name goes into a path. */
	if (gp_host_attribute_path(GP_BASE_PCI, request->device, "driver", &path, err) < 0)
		return -1;
	if (wanted == NULL || strchr(wanted, '/') != NULL || (bind && *wanted == '\0') || *wanted == '.')
		return gp_fail(err, GP_E_INTERNAL, "'%s' is no name of a driver", wanted != NULL ? wanted : "");
	read_driver(host, request->device, driver, sizeof(driver));
	if (request->before != NULL && strcmp(request->before, driver) != 0)
		return fail_stale(request->before, driver, err);
	if (strcmp(driver, wanted) == 0)
		return 0;
	if (check_guard(host, request, arena, err) < 0)
		return -1;
	gp_autofree char *file =
		gp_xasprintf("sys/bus/pci/drivers/%s/%s", bind ? wanted : driver, bind ? "bind" : "unbind");
	int sys = write_value(host, file, request->device);
	if (sys != 0)
		return gp_fail_errno(err, sys,
				     bind ? "cannot be bound to driver %s" : "cannot be unbound from driver %s",
				     bind ? wanted : driver);
	read_driver(host, request->device, driver, sizeof(driver));
	if (strcmp(driver, wanted) == 0)
		return 0;
	return gp_fail(err, GP_E_VERIFY, "its driver should be '%s' now, and is '%s'", wanted, driver);
}

/* ---- vendor programs ---- */

/*
 * The programs of vendors that may be run, each from its one place: a plan names the program, never a path. A back-end
 * that needs one adds its row.
 */
static const struct vendor_program {
	const char *name;
	const char *path;
} vendor_programs[] = {{NULL, NULL}};

/* With one argument and the device; its exit status says little, so that a step that waits always follows. */
int gp_write_run_program(const char *path, const char *argument, const char *device, struct gp_error *err)
{
	char *const arguments[] = {(char *)gp_last_component(path), (char *)argument, (char *)device, NULL};
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	pid_t pid;
	int status = 0;
	int sys = posix_spawn(&pid, path, &files, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&files);
	if (sys != 0)
		return gp_fail_errno(err, sys, "cannot run %s", path);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return WIFEXITED(status) ? gp_fail(err, GP_E_IO, "%s ended with status %d", path, WEXITSTATUS(status))
				 : gp_fail(err, GP_E_IO, "%s was ended by signal %d", path, WTERMSIG(status));
}

static int run_vendor_program(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_str_clear) struct gp_str path = {0};
	const char *name = request->attribute != NULL ? request->attribute : "";
	const struct vendor_program *program = vendor_programs;
	while (program->name != NULL && strcmp(program->name, name) != 0)
		program++;
	if (program->name == NULL)
		return gp_fail(err, GP_E_UNSUPPORTED, "'%s' is not a program that gpupart runs", name);
	if (gp_host_kind_of(host) != GP_HOST_LIVE)
		return gp_fail(err, GP_E_UNSUPPORTED, "'%s' runs on a real machine only", name);
	/* Makes sure that the device is one. */
	if (gp_host_attribute_path(GP_BASE_PCI, request->device, "driver", &path, err) < 0 ||
	    check_guard(host, request, arena, err) < 0)
		return -1;
	return gp_write_run_program(program->path, request->after, request->device, err);
}

/* ---- the whole of it ---- */

static int change(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	switch (request->kind) {
	case GP_STEP_WRITE:
		return change_attribute(host, request, err);
	case GP_STEP_BIND:
	case GP_STEP_UNBIND:
		return change_driver(host, request, err);
	case GP_STEP_HELPER:
		return run_vendor_program(host, request, err);
	default:
		return gp_fail(err, GP_E_INTERNAL, "this kind of step is not for the writing helper");
	}
}

int gp_write_change(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	if (gp_host_kind_of(host) == GP_HOST_CAPTURED)
		return gp_fail(err, GP_E_INTERNAL, "a captured machine cannot be written");
	char pf[GP_PCI_ADDR_SIZE];
	gp_autofree char *lock_path = gp_xasprintf("run/gpupart/pf-%s.lock", gp_pci_addr_format(request->pf, pf));
	/* Half of the time for the lock leaves half for the write. */
	gp_autoclose int lock = gp_state_lock(gp_host_root_fd(host), lock_path, "gpupart-write",
					      request->timeout_ms / 2, NULL, NULL, err);
	if (lock < 0)
		return -1;
	if (change(host, request, err) == 0)
		return 0;
	if (err->subject == NULL)
		gp_error_subject(err, "%s%s%s", request->device != NULL ? request->device : pf,
				 request->attribute != NULL ? " " : "",
				 request->attribute != NULL ? request->attribute : "");
	return -1;
}

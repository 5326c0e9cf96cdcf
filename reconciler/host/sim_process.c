/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes: those of ours that outlive their caller, and the pretend ones that hold devices. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/nvidia_sim.h"
#include "host/sim_bus.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"

enum {
	MODE_READ = 0444,
	MODE_READ_WRITE = 0644,
	PAUSE_MS = 10, /* between two looks at what is waited for */
	FIRST_PID = 2001,
	FIRST_FD = 20,
};

/* ---- processes that outlive their caller ---- */

uint64_t gp_sim_boots(int root)
{
	gp_autofree char *text = gp_tree_word(root, ".sim/boots");
	uint64_t boots = 0;
	gp_parse_u64(text, &boots);
	return boots;
}

bool gp_sim_pause(int root, uint64_t boot, uint64_t ms)
{
	uint64_t until = gp_clock_ms() + ms;
	for (;;) {
		if (gp_sim_boots(root) != boot)
			return false;
		uint64_t now = gp_clock_ms();
		if (now >= until)
			return true;
		gp_sleep_ms(until - now < PAUSE_MS ? until - now : PAUSE_MS);
	}
}

void gp_sim_close_all_but(int first, int second)
{
	int low = first < second ? first : second;
	int high = first < second ? second : first;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
		if (fd != low && fd != high)
			dup2(null, fd);
	unsigned next = STDERR_FILENO + 1;
	if (low >= (int)next) {
		close_range(next, (unsigned)low - 1, 0);
		next = (unsigned)low + 1;
	}
	if (high >= (int)next) {
		if (high > (int)next)
			close_range(next, (unsigned)high - 1, 0);
		next = (unsigned)high + 1;
	}
	close_range(next, UINT_MAX, 0);
}

/* True in a process that is nobody's child and leads a session of its own. */
bool gp_sim_fork_away(void)
{
	pid_t child = fork();
	if (child < 0)
		return false;
	if (child == 0) {
		setsid();
		signal(SIGPIPE, SIG_IGN);
		pid_t grandchild = fork();
		if (grandchild == 0)
			return true;
		_exit(grandchild < 0 ? 1 : 0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return false;
}

bool gp_sim_background(int root, int keep)
{
	if (!gp_sim_fork_away())
		return false;
	gp_sim_close_all_but(root, keep < 0 ? root : keep);
	return true;
}

/* ---- processes that hold devices ---- */

int gp_kernel_new_process(int root, const char *comm, uint64_t *pid)
{
	for (*pid = FIRST_PID;
	     gp_tree_exists(root, "proc/%" PRIu64, *pid) || gp_tree_exists(root, ".sim/held/%" PRIu64, *pid); (*pid)++)
		;
	gp_autofree char *line = gp_xasprintf("%.15s\n", comm);
	if (gp_tree_mkdir(root, ".sim/held/%" PRIu64, *pid) < 0 || gp_tree_mkdir(root, "proc/%" PRIu64 "/fd", *pid) < 0)
		return -1;
	return gp_tree_write(root, MODE_READ, line, "proc/%" PRIu64 "/comm", *pid);
}

static int open_group(int root, const char *group, uint64_t pid)
{
	gp_autofree char *path = gp_xasprintf("/dev/vfio/%s", group);
	unsigned fd = FIRST_FD;
	while (gp_tree_exists(root, "proc/%" PRIu64 "/fd/%u", pid, fd))
		fd++;
	if (gp_tree_mkdir(root, ".sim/open/%s", group) < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "", ".sim/open/%s/%" PRIu64, group, pid) < 0)
		return -1;
	return gp_tree_link(root, path, "proc/%" PRIu64 "/fd/%u", pid, fd);
}

/* What libvirt does for managed='yes', and a person by hand. */
static int give_to_vfio(int root, const char *addr)
{
	gp_autofree char *driver = gp_bus_driver(root, addr);
	if (gp_streq(driver, GP_BUS_VFIO))
		return 0;
	if (gp_bus_set_override(root, addr, GP_BUS_VFIO) < 0)
		return -1;
	gp_bus_unbind(root, addr);
	int result = gp_bus_bind(root, addr, GP_BUS_VFIO);
	errno = -result;
	return result < 0 ? -1 : 0;
}

int gp_kernel_open(int root, struct gp_pci_addr addr, uint64_t pid, bool managed, struct gp_error *err)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(addr, name);
	gp_autofree char *before = gp_bus_driver(root, name);
	gp_autofree char *group = gp_bus_group(root, name);
	bool gives_back = managed && !gp_streq(before, GP_BUS_VFIO);

	if (!managed && !gp_kernel_device_is_vfio(root, addr))
		return gp_fail(err, GP_E_BUSY, "Unmanaged PCI device %s must be manually detached from the host", name);
	if (gp_bus_is_held(root, name))
		return gp_fail(err, GP_E_BUSY, "vfio %s: failed to open /dev/vfio/%s: Device or resource busy", name,
			       group);
	const char *unready = managed ? NULL : gp_nvidia_unready(root, name);
	if (unready != NULL)
		return gp_fail(err, GP_E_IO,
			       "internal error: qemu unexpectedly closed the monitor: vfio %s: error getting "
			       "device from group %s: %s",
			       name, group, unready);
	if (gp_tree_write(root, MODE_READ_WRITE, gives_back ? "give back\n" : "leave\n", ".sim/held/%" PRIu64 "/%s",
			  pid, name) < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot open the VFIO group of %s", name);
	if (managed && give_to_vfio(root, name) < 0)
		return gp_fail_errno(err, errno, "Failed to bind PCI device '%s' to " GP_BUS_VFIO, name);
	if (open_group(root, group, pid) < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot open the VFIO group of %s", name);
	return 0;
}

int gp_kernel_hold(int root, struct gp_pci_addr addr, const char *comm, uint64_t *pid, struct gp_error *err)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(addr, name);
	if (!gp_bus_has(root, name))
		return gp_fail(err, GP_E_NOT_FOUND, "%s does not exist now: its VF is not enabled", name);
	if (gp_kernel_new_process(root, comm, pid) < 0)
		return gp_fail_errno(err, errno, "cannot make a process under proc/");
	struct gp_uuid mdev;
	bool is_vfio = gp_kernel_device_is_vfio(root, addr);
	int result = !is_vfio && gp_nvidia_find_mdev(root, name, &mdev)
			     ? gp_kernel_open_mdev(root, mdev, *pid, err)
			     : gp_kernel_open(root, addr, *pid, !is_vfio, err);
	if (result == 0)
		return 0;
	gp_kernel_let_go(root, *pid);
	return -1;
}

int gp_kernel_client(int root, struct gp_pci_addr pf, const char *comm, uint64_t *pid, struct gp_error *err)
{
	struct gp_sim_device device;
	if (gp_sim_device_load(root, pf, &device) < 0 || gp_kernel_new_process(root, comm, pid) < 0 ||
	    gp_nvidia_open(root, &device, *pid) < 0)
		return gp_fail_errno(err, errno, "cannot make a process under proc/");
	return 0;
}

bool gp_kernel_mdev_exists(int root, struct gp_uuid uuid)
{
	char name[GP_UUID_SIZE];
	return gp_tree_exists(root, GP_MDEV_DEVICES "/%s", gp_uuid_format(uuid, name));
}

bool gp_kernel_mdev_held(int root, struct gp_uuid uuid)
{
	char name[GP_UUID_SIZE];
	gp_autofree char *group = gp_nvidia_mdev_group(root, gp_uuid_format(uuid, name));
	return group[0] != '\0' && gp_bus_group_is_open(root, group);
}

int gp_kernel_open_mdev(int root, struct gp_uuid uuid, uint64_t pid, struct gp_error *err)
{
	char name[GP_UUID_SIZE];
	gp_autofree char *group = gp_nvidia_mdev_group(root, gp_uuid_format(uuid, name));
	if (group[0] == '\0')
		return gp_fail(err, GP_E_NOT_FOUND, "device not found: mediated device '%s' not found", name);
	if (gp_bus_group_is_open(root, group))
		return gp_fail(err, GP_E_BUSY, "vfio %s: failed to open /dev/vfio/%s: Device or resource busy", name,
			       group);
	if (gp_tree_write(root, MODE_READ_WRITE, "leave\n", ".sim/held/%" PRIu64 "/%s", pid, name) < 0 ||
	    open_group(root, group, pid) < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot open the VFIO group of %s", name);
	return 0;
}

/* When it was, since drivers may take their time with what comes after. */
static void note_release(int root, const char *device)
{
	gp_autofree char *now = gp_xasprintf("%" PRIu64 "\n", gp_clock_unix_ms());
	if (gp_tree_mkdir(root, ".sim/released") == 0)
		gp_tree_write(root, MODE_READ_WRITE, now, ".sim/released/%s", device);
}

static bool let_go_of_mdev(int root, const char *name, uint64_t pid)
{
	struct gp_uuid uuid;
	if (gp_uuid_parse(name, &uuid) < 0)
		return false;
	gp_autofree char *group = gp_nvidia_mdev_group(root, name);
	if (group[0] != '\0')
		gp_tree_remove(root, ".sim/open/%s/%" PRIu64, group, pid);
	return true;
}

void gp_kernel_let_go(int root, uint64_t pid)
{
	struct gp_names held = {0};
	gp_tree_names(root, &held, ".sim/held/%" PRIu64, pid);
	gp_tree_remove(root, "proc/%" PRIu64, pid);
	gp_nvidia_close(root, pid);
	for (size_t i = 0; i < held.count; i++) {
		const char *addr = gp_names_at(&held, i);
		note_release(root, addr);
		if (let_go_of_mdev(root, addr, pid))
			continue;
		gp_autofree char *what = gp_tree_word(root, ".sim/held/%" PRIu64 "/%s", pid, addr);
		gp_autofree char *group = gp_bus_group(root, addr);
		if (!gp_bus_has(root, addr))
			continue;
		if (group[0] != '\0')
			gp_tree_remove(root, ".sim/open/%s/%" PRIu64, group, pid);
		if (!gp_streq(what, "give back"))
			continue;
		gp_bus_unbind(root, addr);
		gp_bus_set_override(root, addr, "");
		/* On its way out already: nobody binds it any more. */
		if (gp_tree_exists(root, GP_BUS_DEVICES "/%s/physfn", addr) ||
		    gp_tree_exists(root, ".sim/devices/%s", addr))
			gp_bus_probe(root, addr);
	}
	gp_tree_remove(root, ".sim/held/%" PRIu64, pid);
	gp_names_clear(&held);
}

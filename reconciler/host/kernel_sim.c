/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pretend kernel: what drivers/pci/iov.c, drivers/pci/pci-driver.c, drivers/base/bus.c and vfio do, done to a
 * directory.
 *
 * A write is carried out by a process of its own, as a write(2) is carried out by the kernel: killing who asked does
 * not stop it. Enabling and disabling VFs holds the PF's lock (a flock of .sim/locks/ADDRESS, the kernel's device lock)
 * from beginning to end; other GPUs are not held up. Only what concerns one VF at one moment (is it held? then it is
 * not removed now) is under the machine's lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/nvidia_sim.h"
#include "host/sim.h"
#include "host/sim_bus.h"
#include "host/sim_device.h"
#include "host/sim_fault.h"
#include "host/sim_host.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	MODE_READ_WRITE = 0644,
	MODE_WRITE = 0200,
	PAUSE_MS = 10,    /* between two looks at what is waited for */
	GROUP_FIRST = 10, /* other devices of the machine have the lower ones */
	GROUP_STEP = 7,   /* by how much they move at each boot */
	GROUP_BOOTS = 16,
	PAGE = 4096, /* what kernfs hands an attribute at once */
};

/* One write, or one boot: what it needs to know about itself. */
struct kernel {
	int root;
	uint64_t boot;
	unsigned next_group; /* where to look for a free group number */
	struct gp_sim_mutation mutation;
	int report_fd; /* where the result of the write goes, once; -1: nobody waits */
};

static struct kernel kernel_of(int root)
{
	uint64_t boot = gp_sim_boots(root);
	return (struct kernel){
		.root = root,
		.boot = boot,
		.next_group = GROUP_FIRST + GROUP_STEP * (unsigned)(boot % GROUP_BOOTS),
		.report_fd = -1,
	};
}

/* ---- the pretend kernel's own doings ---- */

/* Waits, and ends the process when the machine it works on is not there any more. */
static void wait_ms(const struct kernel *kernel, uint64_t ms)
{
	if (!gp_sim_pause(kernel->root, kernel->boot, ms))
		_exit(1);
}

static void report(struct kernel *kernel, int result)
{
	if (kernel->report_fd < 0)
		return;
	gp_sim_mutation_end(&kernel->mutation, result);
	while (write(kernel->report_fd, &result, sizeof(result)) < 0 && errno == EINTR)
		;
	close(kernel->report_fd);
	kernel->report_fd = -1;
}

/* As dev_printk() does: who has the device speaks of it. */
static void say(const struct kernel *kernel, const char *addr, const char *format, ...) GP_PRINTF(3, 4);
static void say(const struct kernel *kernel, const char *addr, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	gp_autofree char *driver = gp_bus_driver(kernel->root, addr);
	gp_autofree char *leaving = gp_bus_leaving(kernel->root, addr);
	const char *speaker = driver[0] != '\0' ? driver : leaving;
	va_list args;
	gp_str_printf(&line, "%s %s: ", speaker[0] != '\0' ? speaker : "pci", addr);
	va_start(args, format);
	gp_str_vprintf(&line, format, args);
	va_end(args);
	gp_str_add_char(&line, '\n');
	gp_tree_append(kernel->root, gp_str_text(&line), ".sim/dmesg");
}

/* ---- VFs come and go ---- */

/* In the order of the kernel: the device, then the links, then a driver. */
static int add_vf(struct kernel *kernel, const struct gp_sim_device *device, uint32_t index)
{
	char pf[GP_PCI_ADDR_SIZE], vf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(device->addr, pf);
	gp_pci_addr_format(gp_sim_vf_addr(device, index), vf);
	gp_autofree char *to_pf = gp_xasprintf("../%s", pf);
	gp_autofree char *to_vf = gp_xasprintf("../%s", vf);

	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	if (gp_sim_plug_vf(kernel->root, device, index) < 0 ||
	    gp_bus_join_group(kernel->root, &kernel->next_group, device, vf) < 0 ||
	    gp_tree_link(kernel->root, to_vf, GP_BUS_DEVICES "/%s/virtfn%u", pf, index) < 0 ||
	    gp_tree_link(kernel->root, to_pf, GP_BUS_DEVICES "/%s/physfn", vf) < 0)
		return -errno;
	return device->autoprobe ? gp_bus_probe(kernel->root, vf) : 0;
}

static void forget_vf(const struct kernel *kernel, const struct gp_sim_device *device, const char *vf)
{
	char bus[GP_SIM_WORD_SIZE];
	gp_nvidia_hide_vf(kernel->root, device, vf);
	gp_bus_unbind(kernel->root, vf);
	gp_bus_leave_group(kernel->root, vf);
	gp_tree_remove(kernel->root, GP_BUS_DEVICES "/%s", vf);
	gp_tree_remove(kernel->root, "%s/%s", gp_sim_bus_path(device, bus), vf);
}

/* vfio-pci asks who has the device open to let go. QEMU has said where it wants to be asked. */
static void ask_back(const struct kernel *kernel, const char *addr)
{
	struct gp_names pids = {0};
	gp_autofree char *group = gp_bus_group(kernel->root, addr);
	bool listens = false;
	gp_tree_names(kernel->root, &pids, ".sim/open/%s", group);
	for (size_t i = 0; i < pids.count; i++) {
		gp_autofree char *comm = gp_tree_word(kernel->root, "proc/%s/comm", gp_names_at(&pids, i));
		listens = listens || gp_starts_with(comm, "qemu");
	}
	gp_names_clear(&pids);
	if (listens)
		say(kernel, addr, "Relaying device request to user (#0)");
	else
		say(kernel, addr, "No device request channel registered, blocked until released by user");
}

/* The links go first, the one to the driver last of them; then the driver is asked to let go, and vfio-pci does not
 * before its last user does. */
static void remove_vf(const struct kernel *kernel, const struct gp_sim_device *device, uint32_t index)
{
	char pf[GP_PCI_ADDR_SIZE], vf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(device->addr, pf);
	gp_pci_addr_format(gp_sim_vf_addr(device, index), vf);

	for (bool told = false;; told = true) {
		gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(kernel->root);
		wait_ms(kernel, 0);
		gp_tree_remove(kernel->root, GP_BUS_DEVICES "/%s/virtfn%u", pf, index);
		if (gp_bus_has(kernel->root, vf))
			gp_tree_remove(kernel->root, GP_BUS_DEVICES "/%s/physfn", vf);
		if (!gp_bus_is_held(kernel->root, vf)) {
			forget_vf(kernel, device, vf);
			return;
		}
		gp_bus_begin_unbind(kernel->root, vf);
		if (!told)
			ask_back(kernel, vf);
		close(lock);
		lock = -1;
		wait_ms(kernel, PAUSE_MS);
	}
}

/* Others may have changed what else is known of the device meanwhile. */
static int set_num_vfs(const struct kernel *kernel, struct gp_sim_device *device, uint32_t count)
{
	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(kernel->root);
	if (gp_sim_device_load(kernel->root, device->addr, device) < 0)
		return -ENODEV;
	device->num_vfs = count;
	if (gp_sim_device_save(kernel->root, device) < 0 || gp_sim_show_num_vfs(kernel->root, device) < 0)
		return -errno;
	return 0;
}

static int add_vfs(struct kernel *kernel, struct gp_sim_device *device, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		int result = add_vf(kernel, device, i);
		if (result < 0)
			return result;
	}
	return 0;
}

/* sriov_enable(). */
static int enable(struct kernel *kernel, struct gp_sim_device *device, uint32_t count)
{
	char pf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(device->addr, pf);
	if (device->initial_vfs != device->total_vfs)
		return -EIO;
	if (!device->mmio) {
		say(kernel, pf, "not enough MMIO resources for SR-IOV");
		return -ENOMEM;
	}
	if (!gp_sim_vf_bus_fits(device, count)) {
		struct gp_pci_addr last = gp_sim_vf_addr(device, count - 1);
		say(kernel, pf, "can't enable %u VFs (bus %02x out of range of [bus %02x-%02x])", count, last.bus,
		    device->addr.bus, device->addr.bus + device->buses - 1);
		return -ENOMEM;
	}
	if (gp_sim_show_enabled(kernel->root, device, count) < 0)
		return -errno;
	wait_ms(kernel, device->latency_ms);
	int result = add_vfs(kernel, device, count);
	if (result < 0)
		return result;
	return set_num_vfs(kernel, device, count);
}

/* sriov_disable(). */
static int disable(struct kernel *kernel, struct gp_sim_device *device, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		remove_vf(kernel, device, i);
	wait_ms(kernel, device->latency_ms);
	if (gp_sim_show_enabled(kernel->root, device, 0) < 0)
		return -errno;
	return set_num_vfs(kernel, device, 0);
}

/* As `enable`, but the VFs come when the write has returned long ago. */
static int enable_late(struct kernel *kernel, struct gp_sim_device *device, uint32_t count, uint64_t ms, int lock)
{
	struct gp_sim_device promised = *device;
	promised.num_vfs = count;
	if (gp_sim_show_enabled(kernel->root, device, count) < 0 || gp_sim_show_num_vfs(kernel->root, &promised) < 0)
		return -errno;
	report(kernel, 0);
	gp_sim_close_all_but(kernel->root, lock);
	wait_ms(kernel, ms);
	return enable(kernel, device, count);
}

/* The PF's config space knows what an interrupted write was about. */
static uint32_t enabled_in_config(const struct kernel *kernel, const char *pf)
{
	enum { CONTROL = 0x148, NUM_VFS = 0x150 };
	size_t size = 0;
	gp_autofree char *config = gp_tree_read(kernel->root, &size, GP_BUS_DEVICES "/%s/config", pf);
	const uint8_t *bytes = (const uint8_t *)config;
	if (config == NULL || size < GP_SIM_CONFIG_SIZE || (bytes[CONTROL] & 1) == 0)
		return 0;
	return bytes[NUM_VFS] | (uint32_t)bytes[NUM_VFS + 1] << 8;
}

/* Completes what a killed pretend kernel left half done, so that the next write finds a state that Linux could be in.
 */
static int recover(struct kernel *kernel, struct gp_sim_device *device, const char *pf)
{
	uint32_t enabled = enabled_in_config(kernel, pf);
	if (enabled == device->num_vfs)
		return 0;
	if (device->num_vfs == 0)
		return enable(kernel, device, enabled);
	return disable(kernel, device, device->num_vfs);
}

/* ---- attributes ---- */

/* kstrtou16(text, 0, …): decimal, 0x… or 0…; a newline may follow. */
static int parse_u16(const char *text, uint32_t *out)
{
	char *end = NULL;
	if (*text == '+')
		text++;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long value = strtoul(text, &end, 0);
	if (end[0] == '\n' && end[1] == '\0')
		end++;
	if (errno != 0 || value > UINT16_MAX || *end != '\0')
		return -EINVAL;
	*out = (uint32_t)value;
	return 0;
}

/* kstrtobool() */
static int parse_kernel_bool(const char *text, bool *out)
{
	if (strchr("yYtT1", text[0]) != NULL && text[0] != '\0')
		*out = true;
	else if (strchr("nNfF0", text[0]) != NULL && text[0] != '\0')
		*out = false;
	else if ((text[0] == 'o' || text[0] == 'O') && (text[1] == 'n' || text[1] == 'N'))
		*out = true;
	else if ((text[0] == 'o' || text[0] == 'O') && (text[1] == 'f' || text[1] == 'F'))
		*out = false;
	else
		return -EINVAL;
	return 0;
}

/* Faults that strike when a driver is at work, wherever that is. */
static int stumble(const struct kernel *kernel, const char *device, const char *attribute)
{
	wait_ms(kernel, gp_sim_fault_ms(kernel->root, "slow", device, attribute));
	while (gp_sim_fault_find(kernel->root, "block", device, attribute, NULL))
		wait_ms(kernel, PAUSE_MS);
	return -gp_sim_fault_errno(kernel->root, device, attribute);
}

static bool can_configure(const struct kernel *kernel, const struct gp_sim_device *device, const char *pf)
{
	gp_autofree char *driver = gp_bus_driver(kernel->root, pf);
	if (driver[0] == '\0') {
		say(kernel, pf, "no driver bound to device; cannot configure SR-IOV");
		return false;
	}
	/* It has a sriov_configure, which refuses without a word unless the module was loaded with enable_sriov. */
	if (gp_streq(driver, GP_BUS_VFIO))
		return false;
	if (!gp_streq(driver, device->driver) || !device->driver_sriov) {
		say(kernel, pf, "driver does not support SR-IOV configuration via sysfs");
		return false;
	}
	return true;
}

/* The driver's sriov_configure(count), with the faults that can befall it. */
static int configure(struct kernel *kernel, struct gp_sim_device *device, uint32_t count, const char *pf, int lock)
{
	bool falls_short = gp_sim_fault_find(kernel->root, "short", pf, "sriov_numvfs", NULL);
	uint64_t late_ms = gp_sim_fault_ms(kernel->root, "late", pf, "");
	uint32_t made = falls_short ? count / 2 : count;

	if (falls_short)
		say(kernel, pf, "%u VFs requested; only %u enabled", count, made);
	if (made == 0)
		return 0;
	return late_ms > 0 ? enable_late(kernel, device, made, late_ms, lock) : enable(kernel, device, made);
}

/* sriov_numvfs_store() */
static int store_num_vfs(struct kernel *kernel, const char *pf, const char *value)
{
	uint32_t count, total;
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	gp_autofree char *total_text = gp_tree_word(kernel->root, GP_BUS_DEVICES "/%s/sriov_totalvfs", pf);
	if (parse_u16(value, &count) < 0 || gp_pci_addr_parse(pf, &addr) < 0)
		return -EINVAL;
	if (gp_parse_u32(total_text, &total) < 0 && gp_sim_device_load(kernel->root, addr, &device) == 0)
		total = device.total_vfs;
	if (count > total)
		return -ERANGE;

	gp_autoclose GP_UNUSED int lock = gp_tree_lock(kernel->root, ".sim/locks/%s", pf);
	wait_ms(kernel, 0);
	if (gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -ENODEV;
	int result = recover(kernel, &device, pf);
	if (result < 0 || count == device.num_vfs)
		return result;
	if (!can_configure(kernel, &device, pf))
		return -ENOENT;
	if (count > 0 && device.num_vfs > 0) {
		say(kernel, pf, "%u VFs already enabled. Disable before enabling %u VFs", device.num_vfs, count);
		return -EBUSY;
	}
	result = stumble(kernel, pf, "sriov_numvfs");
	if (result < 0)
		return result;
	return count == 0 ? disable(kernel, &device, device.num_vfs) : configure(kernel, &device, count, pf, lock);
}

/* sriov_drivers_autoprobe_store() */
static int store_autoprobe(struct kernel *kernel, const char *pf, const char *value)
{
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	bool on;
	if (parse_kernel_bool(value, &on) < 0 || gp_pci_addr_parse(pf, &addr) < 0)
		return -EINVAL;
	int result = stumble(kernel, pf, "sriov_drivers_autoprobe");
	if (result < 0)
		return result;
	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	if (gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -ENODEV;
	device.autoprobe = on;
	if (gp_sim_device_save(kernel->root, &device) < 0 ||
	    gp_tree_write(kernel->root, MODE_READ_WRITE, on ? "1\n" : "0\n",
			  GP_BUS_DEVICES "/%s/sriov_drivers_autoprobe", pf) < 0)
		return -errno;
	return 0;
}

/* The text up to its first newline; caller frees. */
static char *first_line(const char *text)
{
	return gp_xasprintf("%.*s", (int)strcspn(text, "\n"), text);
}

/* What sysfs_streq() compares: the text without one newline at its end; caller frees. */
static char *without_newline(const char *text)
{
	size_t length = strlen(text);
	return gp_xasprintf("%.*s", (int)(length > 0 && text[length - 1] == '\n' ? length - 1 : length), text);
}

/* Takes the machine's lock, and the device's with it: nobody else has that while a driver is asked to let go. */
static int lock_device(const struct kernel *kernel, const char *addr)
{
	for (;;) {
		int lock = gp_tree_lock_machine(kernel->root);
		wait_ms(kernel, 0);
		gp_autofree char *leaving = gp_bus_leaving(kernel->root, addr);
		if (leaving[0] == '\0')
			return lock;
		close(lock);
		wait_ms(kernel, PAUSE_MS);
	}
}

/* driver_override_store(), driver_set_override(): what is shown has a newline more and must fit into a page. */
static int store_override(struct kernel *kernel, const char *addr, const char *value)
{
	int result = stumble(kernel, addr, "driver_override");
	if (result < 0)
		return result;
	if (strlen(value) >= PAGE - 1)
		return -EINVAL;
	gp_autofree char *name = first_line(value);
	gp_autoclose GP_UNUSED int lock = lock_device(kernel, addr);
	/* Opened while it was there, and gone since: nobody will read it. */
	if (!gp_bus_has(kernel->root, addr))
		return 0;
	return gp_bus_set_override(kernel->root, addr, name) < 0 ? -errno : 0;
}

/* These leave VFs to pci_sriov_configure_simple(), and do not call it when they go. */
static bool leaves_vfs(const char *driver)
{
	return gp_streq(driver, "nvme") || gp_streq(driver, "pci-pf-stub");
}

/* A PF's driver takes its VFs along, or the kernel complains. */
static int unbind_pf(struct kernel *kernel, const char *pf)
{
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	gp_autoclose GP_UNUSED int lock = gp_tree_lock(kernel->root, ".sim/locks/%s", pf);
	wait_ms(kernel, 0);
	if (gp_pci_addr_parse(pf, &addr) < 0 || gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -ENODEV;
	gp_autofree char *driver = gp_bus_driver(kernel->root, pf);
	int result = 0;
	if (device.num_vfs > 0 && leaves_vfs(driver))
		say(kernel, pf, "driver left SR-IOV enabled after remove");
	else if (device.num_vfs > 0)
		result = disable(kernel, &device, device.num_vfs);
	gp_autoclose GP_UNUSED int machine = gp_tree_lock_machine(kernel->root);
	gp_bus_unbind(kernel->root, pf);
	return result;
}

static int unbind_vf(struct kernel *kernel, const char *vf)
{
	for (bool told = false;; told = true) {
		gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(kernel->root);
		gp_bus_begin_unbind(kernel->root, vf);
		if (!gp_bus_is_held(kernel->root, vf)) {
			gp_bus_unbind(kernel->root, vf);
			return 0;
		}
		if (!told)
			ask_back(kernel, vf);
		close(lock);
		lock = -1;
		wait_ms(kernel, PAUSE_MS);
		/* Who held it may have given it back to another driver. */
		gp_autofree char *leaving = gp_bus_leaving(kernel->root, vf);
		if (leaving[0] == '\0')
			return 0;
	}
}

/* bind_store(), unbind_store() of drivers/base/bus.c */
static int store_bind(struct kernel *kernel, const char *driver, const char *addr)
{
	gp_autoclose GP_UNUSED int lock = lock_device(kernel, addr);
	if (!gp_bus_has(kernel->root, addr) || !gp_bus_matches(kernel->root, addr, driver))
		return -ENODEV;
	gp_autofree char *bound = gp_bus_driver(kernel->root, addr);
	if (bound[0] != '\0')
		return -EBUSY;
	return gp_bus_may_probe(kernel->root, addr) ? gp_bus_bind(kernel->root, addr, driver) : -ENODEV;
}

static int store_unbind(struct kernel *kernel, const char *driver, const char *addr)
{
	gp_autofree char *bound = gp_bus_driver(kernel->root, addr);
	gp_autofree char *leaving = gp_bus_leaving(kernel->root, addr);
	if (gp_bus_has(kernel->root, addr) && gp_streq(leaving, driver)) {
		/* Somebody is at it already. */
		gp_autoclose GP_UNUSED int lock = lock_device(kernel, addr);
		return 0;
	}
	if (!gp_bus_has(kernel->root, addr) || !gp_streq(bound, driver))
		return -ENODEV;
	bool is_pf = gp_tree_exists(kernel->root, ".sim/devices/%s", addr);
	return is_pf ? unbind_pf(kernel, addr) : unbind_vf(kernel, addr);
}

/* drivers_probe_store() */
static int store_probe(struct kernel *kernel, const char *addr)
{
	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	return gp_bus_has(kernel->root, addr) ? gp_bus_probe(kernel->root, addr) : -ENODEV;
}

static int store_id(struct kernel *kernel, const char *driver, const char *value,
		    int (*change)(int root, const char *driver, const char *value))
{
	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	return change(kernel->root, driver, value);
}

/* ---- a write ---- */

struct target {
	char *directory; /* inside the root, without links: "sys/devices/pci0000:41/0000:41:00.0" */
	const char *name;
};

static void target_clear(struct target *target)
{
	free(target->directory);
}

/* Where a directory that was reached through links really is, below the root; caller frees. */
static char *real_place(int root, int fd)
{
	char self[PATH_MAX], base[PATH_MAX];
	gp_autofree char *self_link = gp_xasprintf("/proc/self/fd/%d", fd);
	gp_autofree char *base_link = gp_xasprintf("/proc/self/fd/%d", root);
	ssize_t self_length = readlink(self_link, self, sizeof(self) - 1);
	ssize_t base_length = readlink(base_link, base, sizeof(base) - 1);
	if (self_length < 0 || base_length < 0 || self_length <= base_length)
		return NULL;
	self[self_length] = base[base_length] = '\0';
	return gp_starts_with(self, base) && self[base_length] == '/' ? gp_xstrdup(self + base_length + 1) : NULL;
}

static int find_target(int root, const char *path, struct target *out)
{
	out->name = gp_last_component(path);
	if (out->name == path || *out->name == '\0')
		return -ENOENT;
	gp_autofree char *parent = gp_xasprintf("%.*s", (int)(out->name - path) - 1, path);
	gp_autoclose int fd = gp_open_inside(root, parent, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return -errno;
	out->directory = real_place(root, fd);
	return out->directory == NULL ? -ENOENT : 0;
}

/* What open(2) says. */
static int check_writable(const struct kernel *kernel, const char *path, mode_t *mode)
{
	struct stat found;
	gp_autoclose int fd = gp_open_inside(kernel->root, path, O_PATH, 0, GP_INSIDE_ROOT);
	if (fd < 0 || fstat(fd, &found) < 0)
		return -errno;
	if ((found.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0 || !S_ISREG(found.st_mode))
		return -EACCES;
	*mode = found.st_mode & ACCESSPERMS;
	return 0;
}

/* An attribute that only remembers what it was told. */
static int store_plain(const struct kernel *kernel, const struct target *target, const char *value)
{
	mode_t mode = 0;
	gp_autofree char *path = gp_xasprintf("%s/%s", target->directory, target->name);
	gp_autofree char *line = first_line(value);
	gp_autofree char *text = gp_xasprintf("%s\n", line);
	int result = check_writable(kernel, path, &mode);
	if (result < 0)
		return result;
	return gp_tree_write(kernel->root, mode, text, "%s", path) < 0 ? -errno : 0;
}

static int store_in_driver(struct kernel *kernel, const struct target *target, const char *driver, const char *value)
{
	gp_autofree char *device = without_newline(value);
	int result = stumble(kernel, device, target->name);
	if (result < 0)
		return result;
	if (gp_streq(target->name, "bind"))
		return store_bind(kernel, driver, device);
	if (gp_streq(target->name, "unbind"))
		return store_unbind(kernel, driver, device);
	if (gp_streq(target->name, "new_id"))
		return store_id(kernel, driver, value, gp_bus_add_id);
	if (gp_streq(target->name, "remove_id"))
		return store_id(kernel, driver, value, gp_bus_remove_id);
	return store_plain(kernel, target, value);
}

static int try_to_store_vgpu(struct kernel *kernel, const struct gp_nvidia_attribute *attribute, const char *value)
{
	gp_autoclose GP_UNUSED int machine = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	return gp_nvidia_store(kernel->root, attribute, value, &kernel->next_group);
}

/* What NVIDIA's driver keeps: one VF after the other. */
static int store_vgpu(struct kernel *kernel, const struct gp_nvidia_attribute *attribute, const char *value)
{
	gp_autoclose int lock = gp_tree_lock(kernel->root, ".sim/locks/%s", attribute->pf);
	wait_ms(kernel, 0);
	int result = stumble(kernel, attribute->vf, attribute->name);
	if (result < 0)
		return result;
	while ((result = try_to_store_vgpu(kernel, attribute, value)) == -EAGAIN) {
		/* A device that is open goes when it is closed; others are not held up until then. */
		if (lock >= 0)
			close(lock);
		lock = -1;
		wait_ms(kernel, PAUSE_MS);
	}
	return result;
}

/* The write succeeds in any case; whether the lock was had is read back. */
static int store_unbind_lock(struct kernel *kernel, const char *pf, const char *value)
{
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	bool lock;
	if (parse_kernel_bool(value, &lock) < 0)
		return -EINVAL;
	gp_autoclose GP_UNUSED int machine = gp_tree_lock_machine(kernel->root);
	if (gp_pci_addr_parse(pf, &addr) < 0 || gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -ENODEV;
	gp_nvidia_lock_unbind(kernel->root, &device, lock);
	return 0;
}

static int store_in_device(struct kernel *kernel, const struct target *target, const char *addr, const char *value)
{
	struct gp_nvidia_attribute vgpu;
	if (gp_nvidia_find_attribute(kernel->root, target->directory, target->name, &vgpu)) {
		gp_autofree char *line = first_line(value);
		return store_vgpu(kernel, &vgpu, line);
	}
	if (!gp_tree_exists(kernel->root, "%s/%s", target->directory, target->name))
		return -ENOENT;
	if (gp_streq(target->name, "sriov_numvfs"))
		return store_num_vfs(kernel, addr, value);
	if (gp_streq(target->name, "sriov_drivers_autoprobe"))
		return store_autoprobe(kernel, addr, value);
	if (gp_streq(target->name, "driver_override"))
		return store_override(kernel, addr, value);
	return store_plain(kernel, target, value);
}

/* kernfs does not hand on a write of nothing. */
static int store_nothing(const struct kernel *kernel, const struct target *target)
{
	mode_t mode = 0;
	gp_autofree char *path = gp_xasprintf("%s/%s", target->directory, target->name);
	return check_writable(kernel, path, &mode);
}

static int store_on_bus(struct kernel *kernel, const char *value)
{
	gp_autofree char *device = without_newline(value);
	int result = stumble(kernel, device, "drivers_probe");
	return result < 0 ? result : store_probe(kernel, device);
}

static int store(struct kernel *kernel, const struct target *target, const char *value)
{
	const char *last = gp_last_component(target->directory);
	if (*value == '\0')
		return store_nothing(kernel, target);
	if (gp_starts_with(target->directory, GP_BUS_DRIVERS "/"))
		return store_in_driver(kernel, target, last, value);
	if (gp_streq(target->directory, "sys/bus/pci") && gp_streq(target->name, "drivers_probe"))
		return store_on_bus(kernel, value);
	if (gp_starts_with(target->directory, "sys/devices/"))
		return store_in_device(kernel, target, last, value);
	if (gp_starts_with(target->directory, GP_NVIDIA_PROC_GPUS "/") && gp_streq(target->name, "unbindLock"))
		return store_unbind_lock(kernel, last, value);
	return store_plain(kernel, target, value);
}

static int read_result(int fd)
{
	int result = 0;
	ssize_t got;
	while ((got = read(fd, &result, sizeof(result))) < 0 && errno == EINTR)
		;
	/* The pretend kernel died: the machine was taken away under it. */
	return got == sizeof(result) ? result : -EIO;
}

/* Has the work done by a process of its own, and waits for what comes of it. */
static int run_in_kernel(struct kernel *kernel, int (*work)(struct kernel *kernel, const void *context),
			 const void *context)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	kernel->report_fd = ends[1];
	if (gp_sim_fork_away()) {
		close(ends[0]);
		report(kernel, work(kernel, context));
		_exit(0);
	}
	close(ends[1]);
	int result = read_result(ends[0]);
	close(ends[0]);
	return result;
}

struct written {
	struct target target;
	const char *value;
};

static int do_write(struct kernel *kernel, const void *context)
{
	const struct written *written = context;
	return store(kernel, &written->target, written->value);
}

int gp_kernel_sim_write(int root_fd, const char *path, const char *value)
{
	struct kernel kernel = kernel_of(root_fd);
	GP_CLEANUP(target_clear) struct target target = {0};
	/* kernfs hands on one page at a time; each attribute knows what to make of a newline. */
	gp_autofree char *text = gp_xasprintf("%.*s", (int)strnlen(value, PAGE), value);
	gp_autofree char *word = first_line(value);
	gp_autofree char *what = gp_xasprintf("write %s = %s", path, word);

	int result = gp_sim_mutation_begin(root_fd, what, &kernel.mutation);
	if (result < 0)
		return result;
	result = find_target(root_fd, path, &target);
	if (result < 0) {
		gp_sim_mutation_end(&kernel.mutation, result);
		return result;
	}
	const struct written written = {target, text};
	return run_in_kernel(&kernel, do_write, &written);
}

/* ---- sriov-manage ---- */

enum { EXIT_OK, EXIT_FAILED };

struct run {
	const char *argument, *device;
};

/* For a while after it was loaded, the driver makes no VFs, and the program does not notice. */
static bool is_initialising(const struct kernel *kernel, const char *pf)
{
	uint64_t ms = 0, since = 0, booted = 0;
	gp_autofree char *words = NULL;
	gp_autofree char *boot = gp_tree_word(kernel->root, ".sim/booted");
	if (!gp_sim_fault_find(kernel->root, "initialising", pf, "", &words) ||
	    sscanf(words, "%" SCNu64 " %" SCNu64, &ms, &since) != 2)
		return false;
	if (gp_parse_u64(boot, &booted) == 0 && booted > since)
		since = booted;
	return gp_clock_unix_ms() < since + ms;
}

/* All VFs that the driver allows, at once. */
static int enable_all(struct kernel *kernel, struct gp_sim_device *device, const char *pf, int lock)
{
	uint32_t total = device->total_vfs;
	if (device->driver_total_vfs > 0 && device->driver_total_vfs < total)
		total = device->driver_total_vfs;
	if (device->num_vfs > 0 || is_initialising(kernel, pf))
		return 0;
	return configure(kernel, device, total, pf, lock);
}

static int manage(struct kernel *kernel, struct gp_sim_device *device, const char *argument, const char *pf, int lock)
{
	int result = stumble(kernel, pf, "sriov-manage");
	if (result == 0)
		result = recover(kernel, device, pf);
	if (result < 0)
		return result;
	if (gp_streq(argument, "-e"))
		return enable_all(kernel, device, pf, lock);
	return device->num_vfs == 0 ? 0 : disable(kernel, device, device->num_vfs);
}

static bool lock_unbind(const struct kernel *kernel, const struct gp_sim_device *device, const char *pf, bool on)
{
	gp_autoclose GP_UNUSED int machine = gp_tree_lock_machine(kernel->root);
	if (gp_nvidia_lock_unbind(kernel->root, device, on))
		return true;
	gp_autofree char *line = gp_xasprintf("pci %s: sriov-manage: Cannot obtain unbindLock for %s\n", pf, pf);
	gp_tree_append(kernel->root, line, ".sim/dmesg");
	return false;
}

/* VFs that come late come when the program has ended and the GPU has its driver again. */
static bool has_work(const struct kernel *kernel, const struct gp_sim_device *device, const char *argument,
		     const char *pf)
{
	return gp_streq(argument, "-e") == (device->num_vfs == 0) && gp_sim_fault_ms(kernel->root, "late", pf, "") == 0;
}

/* The program takes the GPU from its driver while it works: nothing of that driver's is to be seen meanwhile. */
static void set_bound(const struct kernel *kernel, const struct gp_sim_device *device, const char *pf, bool bound)
{
	gp_autoclose GP_UNUSED int machine = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	if (bound)
		gp_bus_bind(kernel->root, pf, device->driver);
	else
		gp_bus_unbind(kernel->root, pf);
}

static int do_run(struct kernel *kernel, const void *context)
{
	const struct run *run = context;
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	char pf[GP_PCI_ADDR_SIZE];
	bool knows = gp_streq(run->argument, "-e") || gp_streq(run->argument, "-d");
	if (!knows || gp_pci_addr_parse(run->device, &addr) < 0)
		return EXIT_FAILED;
	gp_pci_addr_format(addr, pf);
	gp_autofree char *driver = gp_bus_driver(kernel->root, pf);
	gp_autoclose GP_UNUSED int lock = gp_tree_lock(kernel->root, ".sim/locks/%s", pf);
	wait_ms(kernel, 0);
	if (gp_sim_device_load(kernel->root, addr, &device) < 0 || !gp_nvidia_makes_vgpus(&device) ||
	    !gp_streq(driver, device.driver) || !lock_unbind(kernel, &device, pf, true))
		return EXIT_FAILED;
	bool lends = has_work(kernel, &device, run->argument, pf);
	if (lends)
		set_bound(kernel, &device, pf, false);
	int result = manage(kernel, &device, run->argument, pf, lock);
	if (lends)
		set_bound(kernel, &device, pf, true);
	lock_unbind(kernel, &device, pf, false);
	return result < 0 ? EXIT_FAILED : EXIT_OK;
}

int gp_kernel_sim_run(int root_fd, const char *program, const char *argument, const char *device)
{
	struct kernel kernel = kernel_of(root_fd);
	gp_autofree char *what = gp_xasprintf("run %s %s %s", program, argument, device);
	const struct run run = {argument, device};
	const char *path = program;
	while (*path == '/')
		path++;
	int result = gp_sim_mutation_begin(root_fd, what, &kernel.mutation);
	if (result < 0)
		return result;
	/* One program is known here, wherever it was installed. */
	if (gp_streq(gp_last_component(path), "sriov-manage") && gp_tree_exists(root_fd, "%s", path))
		return run_in_kernel(&kernel, do_run, &run);
	gp_sim_mutation_end(&kernel.mutation, -ENOENT);
	return -ENOENT;
}

/* ---- boot ---- */

static int make_bus(int root)
{
	static const char *const directories[] = {GP_BUS_DEVICES, GP_BUS_DRIVERS, "sys/bus/pci/slots", GP_BUS_GROUPS,
						  "dev/vfio",     "proc",         "run/libvirt/qemu",  "run/gpupart",
						  ".sim/open",    ".sim/held"};
	for (size_t i = 0; i < COUNT(directories); i++)
		if (gp_tree_mkdir(root, "%s", directories[i]) < 0)
			return -1;
	if (gp_tree_write(root, MODE_WRITE, "", "sys/bus/pci/drivers_probe") < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "1\n", "sys/bus/pci/drivers_autoprobe") < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "", "dev/vfio/vfio") < 0)
		return -1;
	return gp_bus_load_driver(root, GP_BUS_VFIO);
}

/* Modules are there before the devices are looked at. */
static int load_modules(int root, const struct gp_names *devices)
{
	bool nvidia = false, mdev = false;
	for (size_t i = 0; i < devices->count; i++) {
		struct gp_pci_addr addr;
		struct gp_sim_device device;
		if (gp_pci_addr_parse(gp_names_at(devices, i), &addr) < 0 ||
		    gp_sim_device_load(root, addr, &device) < 0 || !gp_nvidia_drives(&device))
			continue;
		nvidia = true;
		mdev = mdev || (gp_nvidia_makes_vgpus(&device) && gp_nvidia_is_mdev(&device));
	}
	return nvidia ? gp_nvidia_load(root, mdev) : 0;
}

static int boot_device(struct kernel *kernel, const char *name)
{
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	if (gp_pci_addr_parse(name, &addr) < 0 || gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -1;
	device.num_vfs = 0;
	device.autoprobe = true;
	if (gp_sim_device_save(kernel->root, &device) < 0 || gp_bus_load_driver(kernel->root, device.driver) < 0 ||
	    gp_sim_plug_pf(kernel->root, &device) < 0 ||
	    gp_bus_join_group(kernel->root, &kernel->next_group, &device, name) < 0)
		return -1;
	return gp_bus_probe(kernel->root, name) < 0 ? -1 : 0;
}

int gp_kernel_boot(int root, struct gp_error *err)
{
	struct gp_names names = {0};
	static const char *const forgotten[] = {"sys",           "proc",         "dev",         "run",
						".sim/open",     ".sim/held",    ".sim/new_id", ".sim/vgpus",
						".sim/released", ".sim/clients", ".sim/leaving"};
	gp_autofree char *boots = gp_xasprintf("%" PRIu64 "\n", gp_sim_boots(root) + 1);
	gp_autofree char *now = gp_xasprintf("%" PRIu64 "\n", gp_clock_unix_ms());
	if (gp_tree_write(root, MODE_READ_WRITE, boots, ".sim/boots") < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, now, ".sim/booted") < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot boot");

	struct kernel kernel = kernel_of(root);
	int result = 0;
	for (size_t i = 0; i < COUNT(forgotten) && result == 0; i++)
		result = gp_tree_remove(root, "%s", forgotten[i]);
	if (result == 0)
		result = make_bus(root);
	if (result == 0)
		result = gp_sim_host_boot(root);
	gp_tree_names(root, &names, ".sim/devices");
	if (result == 0)
		result = load_modules(root, &names);
	for (size_t i = 0; i < names.count && result == 0; i++)
		result = boot_device(&kernel, gp_names_at(&names, i));
	gp_names_clear(&names);
	return result < 0 ? gp_fail_errno(err, errno, "the simulated machine cannot boot") : 0;
}

static int preset_vf(int root, const char *addr, const char *driver)
{
	gp_autofree char *bound = gp_bus_driver(root, addr);
	if (driver[0] == '\0' || gp_streq(bound, driver))
		return 0;
	gp_bus_unbind(root, addr);
	if (gp_bus_load_driver(root, driver) < 0 || gp_bus_set_override(root, addr, driver) < 0)
		return -1;
	return gp_bus_bind(root, addr, driver) < 0 ? -1 : 0;
}

int gp_kernel_preset_vfs(int root, struct gp_pci_addr pf, uint32_t count, const char *driver, bool autoprobe,
			 struct gp_error *err)
{
	struct kernel kernel = kernel_of(root);
	struct gp_sim_device device;
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(pf, name);
	if (gp_sim_device_load(root, pf, &device) < 0)
		return gp_fail_errno(err, errno, "cannot read the device %s", name);
	device.autoprobe = autoprobe;
	int result = gp_tree_write(root, MODE_READ_WRITE, autoprobe ? "1\n" : "0\n",
				   GP_BUS_DEVICES "/%s/sriov_drivers_autoprobe", name);
	if (gp_sim_device_save(root, &device) < 0)
		result = -1;
	device.latency_ms = 0; /* now only */
	if (result == 0 && count > 0)
		result = enable(&kernel, &device, count);
	for (uint32_t i = 0; i < count && result == 0; i++) {
		char vf[GP_PCI_ADDR_SIZE];
		result = preset_vf(root, gp_pci_addr_format(gp_sim_vf_addr(&device, i), vf), driver);
	}
	return result < 0 ? gp_fail_errno(err, errno, "cannot enable %u VFs of %s", count, name) : 0;
}

int gp_kernel_preset_vgpus(int root, struct gp_pci_addr pf, const struct gp_sim_vgpu *vgpus, size_t count,
			   struct gp_error *err)
{
	struct kernel kernel = kernel_of(root);
	struct gp_sim_device device;
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(pf, name);
	if (gp_sim_device_load(root, pf, &device) < 0)
		return gp_fail_errno(err, errno, "cannot read the device %s", name);
	int result = gp_nvidia_preset(root, &device, vgpus, count, &kernel.next_group);
	return result < 0 ? gp_fail_errno(err, -result, "cannot make the vGPUs of %s", name) : 0;
}

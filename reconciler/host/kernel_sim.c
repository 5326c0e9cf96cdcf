/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pretend kernel: what drivers/pci/iov.c, drivers/pci/pci-driver.c, drivers/base/bus.c and vfio do, done to a
 * directory.
 *
 * A write is carried out by a process of its own, as a write(2) is carried out by the kernel: killing who asked does not
 * stop it. Enabling and disabling VFs holds the PF's lock (a flock of .sim/locks/ADDRESS, the kernel's device lock) from
 * beginning to end; other GPUs are not held up. Only what concerns one VF at one moment (is it held? then it is not
 * removed now) is under the machine's lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/sim.h"
#include "host/sim_device.h"
#include "host/sim_fault.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DEVICES      "sys/bus/pci/devices"
#define DRIVERS      "sys/bus/pci/drivers"
#define GROUPS       "sys/kernel/iommu_groups"
#define VFIO         "vfio-pci"
#define NO_OVERRIDE  "(null)"

enum {
	MODE_READ = 0444,
	MODE_READ_WRITE = 0644,
	MODE_WRITE = 0200,
	PAUSE_MS = 10,       /* between two looks at what is waited for */
	FIRST_PID = 2001,
	FIRST_FD = 20,
	GROUP_FIRST = 10,    /* other devices of the machine have the lower ones */
	GROUP_STEP = 7,      /* by how much they move at each boot */
	GROUP_BOOTS = 16,
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

/* Waits, and ends the process when the machine it works on is not there any more. */
static void wait_ms(const struct kernel *kernel, uint64_t ms)
{
	if (!gp_sim_pause(kernel->root, kernel->boot, ms))
		_exit(0);
}

static void close_all_but(int first, int second)
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
static bool fork_away(void)
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
	if (!fork_away())
		return false;
	close_all_but(root, keep < 0 ? root : keep);
	return true;
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

static void say(const struct kernel *kernel, const char *addr, const char *format, ...) GP_PRINTF(3, 4);
static void say(const struct kernel *kernel, const char *addr, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	va_list args;
	gp_str_printf(&line, "pci %s: ", addr);
	va_start(args, format);
	gp_str_vprintf(&line, format, args);
	va_end(args);
	gp_str_add_char(&line, '\n');
	gp_tree_append(kernel->root, gp_str_text(&line), ".sim/dmesg");
}

/* ---- devices, by the name of their directory ---- */

static bool device_exists(int root, const char *addr)
{
	return gp_tree_exists(root, DEVICES "/%s", addr);
}

static char *driver_of(int root, const char *addr)
{
	char *driver = gp_tree_link_name(root, DEVICES "/%s/driver", addr);
	return driver == NULL ? gp_xstrdup("") : driver;
}

static char *group_of(int root, const char *addr)
{
	char *group = gp_tree_link_name(root, DEVICES "/%s/iommu_group", addr);
	return group == NULL ? gp_xstrdup("") : group;
}

/* Of the two functions of a family: the PF's silicon, be `addr` the PF or one of its VFs. */
static int family_of(int root, const char *addr, struct gp_sim_device *out, bool *is_vf)
{
	gp_autofree char *physfn = gp_tree_link_name(root, DEVICES "/%s/physfn", addr);
	struct gp_pci_addr pf;
	*is_vf = physfn != NULL;
	if (gp_pci_addr_parse(physfn == NULL ? addr : physfn, &pf) < 0)
		return -1;
	return gp_sim_device_load(root, pf, out);
}

/* How a link in a device's directory, or in a driver's, names the device: drivers and groups lie one level deeper. */
static char *device_target(const struct gp_sim_device *device, const char *addr)
{
	char bus[GP_SIM_WORD_SIZE];
	return gp_xasprintf("../../../../%s/%s", gp_sim_bus_path(device, bus) + strlen("sys/"), addr);
}

/* Is anybody's descriptor of its group open? */
static bool is_held(int root, const char *addr)
{
	gp_autofree char *driver = driver_of(root, addr);
	gp_autofree char *group = group_of(root, addr);
	struct gp_names pids = {0};
	if (!gp_streq(driver, VFIO) || group[0] == '\0')
		return false;
	gp_tree_names(root, &pids, ".sim/open/%s", group);
	bool held = pids.count > 0;
	gp_names_clear(&pids);
	return held;
}

bool gp_kernel_device_exists(int root, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	return device_exists(root, gp_pci_addr_format(addr, name));
}

bool gp_kernel_device_held(int root, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	return is_held(root, gp_pci_addr_format(addr, name));
}

char *gp_kernel_device_driver(int root, struct gp_pci_addr addr)
{
	char name[GP_PCI_ADDR_SIZE];
	return driver_of(root, gp_pci_addr_format(addr, name));
}

int gp_kernel_vf_owner(int root, struct gp_pci_addr addr, struct gp_pci_addr *pf)
{
	struct gp_names names = {0};
	int result = -1;
	gp_tree_names(root, &names, ".sim/devices");
	for (size_t i = 0; i < names.count && result < 0; i++) {
		struct gp_sim_device device;
		if (gp_pci_addr_parse(gp_names_at(&names, i), pf) < 0 || gp_sim_device_load(root, *pf, &device) < 0)
			continue;
		for (uint32_t vf = 0; vf < device.total_vfs && result < 0; vf++)
			if (gp_pci_addr_compare(gp_sim_vf_addr(&device, vf), addr) == 0)
				result = 0;
	}
	gp_names_clear(&names);
	return result;
}

/* ---- IOMMU groups ---- */

/* The lowest number that is free, as the kernel gives them out. */
static int new_group(struct kernel *kernel, char name[GP_SIM_WORD_SIZE])
{
	gp_autoclose int groups = gp_open_inside(kernel->root, GROUPS, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (groups < 0)
		return -1;
	for (;; kernel->next_group++) {
		snprintf(name, GP_SIM_WORD_SIZE, "%u", kernel->next_group);
		if (mkdirat(groups, name, 0755) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
}

static int join_group(struct kernel *kernel, const struct gp_sim_device *device, const char *addr)
{
	char group[GP_SIM_WORD_SIZE];
	if (gp_tree_exists(kernel->root, DEVICES "/%s/iommu_group", addr))
		return 0;
	gp_autofree char *target = device_target(device, addr);
	if (new_group(kernel, group) < 0 || gp_tree_mkdir(kernel->root, GROUPS "/%s/devices", group) < 0 ||
	    gp_tree_write(kernel->root, MODE_READ_WRITE, "DMA-FQ\n", GROUPS "/%s/type", group) < 0 ||
	    gp_tree_link(kernel->root, target, GROUPS "/%s/devices/%s", group, addr) < 0)
		return -1;
	gp_autofree char *link = gp_xasprintf("../../../kernel/iommu_groups/%s", group);
	return gp_tree_link(kernel->root, link, DEVICES "/%s/iommu_group", addr);
}

static void leave_group(const struct kernel *kernel, const char *addr)
{
	gp_autofree char *group = group_of(kernel->root, addr);
	if (group[0] == '\0')
		return;
	gp_tree_remove(kernel->root, "dev/vfio/%s", group);
	gp_tree_remove(kernel->root, GROUPS "/%s", group);
}

/* ---- drivers ---- */

static char *override_of(int root, const char *addr)
{
	char *word = gp_tree_word(root, DEVICES "/%s/driver_override", addr);
	if (gp_streq(word, NO_OVERRIDE))
		word[0] = '\0';
	return word;
}

static int set_override(int root, const char *addr, const char *driver)
{
	gp_autofree char *text = gp_xasprintf("%s\n", driver[0] == '\0' ? NO_OVERRIDE : driver);
	return gp_tree_write(root, MODE_READ_WRITE, text, DEVICES "/%s/driver_override", addr);
}

static bool driver_exists(int root, const char *driver)
{
	return driver[0] != '\0' && gp_tree_exists(root, DRIVERS "/%s", driver);
}

/* Ids that were added to a driver by new_id: "8086 56c0" a line. */
static bool has_new_id(int root, const char *driver, const struct gp_sim_device *device, bool is_vf)
{
	gp_autofree char *ids = gp_tree_word(root, ".sim/new_id/%s", driver);
	gp_autofree char *id = gp_xasprintf("%04x %04x\n", device->vendor, is_vf ? device->vf_device : device->device);
	gp_autofree char *lines = gp_xasprintf("%s\n", ids);
	return strstr(lines, id) != NULL;
}

/* Would the bus offer this device to this driver? */
static bool driver_matches(int root, const char *addr, const char *driver)
{
	gp_autofree char *override = override_of(root, addr);
	struct gp_sim_device device;
	bool is_vf;
	if (override[0] != '\0')
		return gp_streq(override, driver);
	if (family_of(root, addr, &device, &is_vf) < 0)
		return false;
	return gp_streq(device.driver, driver) || has_new_id(root, driver, &device, is_vf);
}

/* With sriov_drivers_autoprobe off, a VF is probed only by the driver that its override names. */
static bool may_be_probed(int root, const char *addr)
{
	gp_autofree char *override = override_of(root, addr);
	struct gp_sim_device device;
	bool is_vf;
	if (family_of(root, addr, &device, &is_vf) < 0)
		return false;
	return !is_vf || device.autoprobe || override[0] != '\0';
}

static int show_vfio_group(int root, const char *addr)
{
	gp_autofree char *group = group_of(root, addr);
	return group[0] == '\0' ? 0 : gp_tree_write(root, MODE_READ_WRITE, "", "dev/vfio/%s", group);
}

static int bind(int root, const char *addr, const char *driver)
{
	struct gp_sim_device device;
	bool is_vf;
	if (family_of(root, addr, &device, &is_vf) < 0)
		return -ENODEV;
	gp_autofree char *target = device_target(&device, addr);
	gp_autofree char *link = gp_xasprintf("../../../bus/pci/drivers/%s", driver);
	if (gp_tree_link(root, target, DRIVERS "/%s/%s", driver, addr) < 0 ||
	    gp_tree_link(root, link, DEVICES "/%s/driver", addr) < 0)
		return -errno;
	if (gp_streq(driver, VFIO) && show_vfio_group(root, addr) < 0)
		return -errno;
	return is_vf || gp_sim_show_driver(root, &device, driver) == 0 ? 0 : -errno;
}

/* Leaves the device without a driver, whoever holds it. */
static void unbind(int root, const char *addr)
{
	gp_autofree char *driver = driver_of(root, addr);
	gp_autofree char *group = group_of(root, addr);
	struct gp_sim_device device;
	bool is_vf;
	if (driver[0] == '\0')
		return;
	gp_tree_remove(root, DEVICES "/%s/driver", addr);
	gp_tree_remove(root, DRIVERS "/%s/%s", driver, addr);
	if (gp_streq(driver, VFIO) && group[0] != '\0')
		gp_tree_remove(root, "dev/vfio/%s", group);
	if (family_of(root, addr, &device, &is_vf) == 0 && !is_vf)
		gp_sim_show_driver(root, &device, "");
}

/* Offers a device without a driver to those that match. */
static int probe(int root, const char *addr)
{
	gp_autofree char *bound = driver_of(root, addr);
	gp_autofree char *override = override_of(root, addr);
	if (bound[0] != '\0' || !may_be_probed(root, addr))
		return 0;
	if (override[0] != '\0')
		return driver_exists(root, override) ? bind(root, addr, override) : 0;

	struct gp_names drivers = {0};
	int result = 0;
	gp_tree_names(root, &drivers, DRIVERS);
	for (size_t i = 0; i < drivers.count; i++)
		if (driver_matches(root, addr, gp_names_at(&drivers, i))) {
			result = bind(root, addr, gp_names_at(&drivers, i));
			break;
		}
	gp_names_clear(&drivers);
	return result;
}

static int load_driver(int root, const char *driver)
{
	static const char *const files[] = {"bind", "unbind", "new_id", "remove_id"};
	if (driver[0] == '\0' || driver_exists(root, driver))
		return 0;
	if (gp_tree_mkdir(root, DRIVERS "/%s", driver) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(files); i++)
		if (gp_tree_write(root, MODE_WRITE, "", DRIVERS "/%s/%s", driver, files[i]) < 0)
			return -1;
	return 0;
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

	gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	if (gp_sim_plug_vf(kernel->root, device, index) < 0 || join_group(kernel, device, vf) < 0 ||
	    gp_tree_link(kernel->root, to_vf, DEVICES "/%s/virtfn%u", pf, index) < 0 ||
	    gp_tree_link(kernel->root, to_pf, DEVICES "/%s/physfn", vf) < 0)
		return -errno;
	return device->autoprobe ? probe(kernel->root, vf) : 0;
}

static void forget_vf(const struct kernel *kernel, const struct gp_sim_device *device, const char *vf)
{
	char bus[GP_SIM_WORD_SIZE];
	unbind(kernel->root, vf);
	leave_group(kernel, vf);
	gp_tree_remove(kernel->root, DEVICES "/%s", vf);
	gp_tree_remove(kernel->root, "%s/%s", gp_sim_bus_path(device, bus), vf);
}

/* The links go first; then the driver is asked to let go, and vfio-pci does not before its last user does. */
static void remove_vf(const struct kernel *kernel, const struct gp_sim_device *device, uint32_t index)
{
	char pf[GP_PCI_ADDR_SIZE], vf[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(device->addr, pf);
	gp_pci_addr_format(gp_sim_vf_addr(device, index), vf);

	for (bool told = false;; told = true) {
		gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
		wait_ms(kernel, 0);
		gp_tree_remove(kernel->root, DEVICES "/%s/virtfn%u", pf, index);
		if (device_exists(kernel->root, vf))
			gp_tree_remove(kernel->root, DEVICES "/%s/physfn", vf);
		if (!is_held(kernel->root, vf)) {
			forget_vf(kernel, device, vf);
			return;
		}
		if (!told)
			say(kernel, vf, "Relaying device request to user (#0)");
		close(lock);
		lock = -1;
		wait_ms(kernel, PAUSE_MS);
	}
}

/* Others may have changed what else is known of the device meanwhile. */
static int set_num_vfs(const struct kernel *kernel, struct gp_sim_device *device, uint32_t count)
{
	gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
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
	close_all_but(kernel->root, lock);
	wait_ms(kernel, ms);
	return enable(kernel, device, count);
}

/* The PF's config space knows what an interrupted write was about. */
static uint32_t enabled_in_config(const struct kernel *kernel, const char *pf)
{
	enum { CONTROL = 0x148, NUM_VFS = 0x150 };
	size_t size = 0;
	gp_autofree char *config = gp_tree_read(kernel->root, &size, DEVICES "/%s/config", pf);
	const uint8_t *bytes = (const uint8_t *)config;
	if (config == NULL || size < GP_SIM_CONFIG_SIZE || (bytes[CONTROL] & 1) == 0)
		return 0;
	return bytes[NUM_VFS] | (uint32_t)bytes[NUM_VFS + 1] << 8;
}

/* Completes what a killed pretend kernel left half done, so that the next write finds a state that Linux could be in. */
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
	gp_autofree char *driver = driver_of(kernel->root, pf);
	if (driver[0] == '\0') {
		say(kernel, pf, "no driver bound to device; cannot configure SR-IOV");
		return false;
	}
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
	gp_autofree char *total_text = gp_tree_word(kernel->root, DEVICES "/%s/sriov_totalvfs", pf);
	if (parse_u16(value, &count) < 0 || gp_pci_addr_parse(pf, &addr) < 0)
		return -EINVAL;
	if (gp_parse_u32(total_text, &total) < 0 && gp_sim_device_load(kernel->root, addr, &device) == 0)
		total = device.total_vfs;
	if (count > total)
		return -ERANGE;

	gp_autoclose int lock = gp_tree_lock(kernel->root, ".sim/locks/%s", pf);
	wait_ms(kernel, 0);
	if (gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -ENODEV;
	int result = recover(kernel, &device, pf);
	if (result < 0 || count == device.num_vfs)
		return result;
	if (!can_configure(kernel, &device, pf))
		return -ENOENT;
	if (count > 0 && device.num_vfs > 0) {
		say(kernel, pf, "%u VFs already enabled. Disable %u VFs before enabling %u VFs", device.num_vfs,
		    device.num_vfs, count);
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
	gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	if (gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -ENODEV;
	device.autoprobe = on;
	if (gp_sim_device_save(kernel->root, &device) < 0 ||
	    gp_tree_write(kernel->root, MODE_READ_WRITE, on ? "1\n" : "0\n", DEVICES "/%s/sriov_drivers_autoprobe",
			  pf) < 0)
		return -errno;
	return 0;
}

/* driver_override_store() */
static int store_override(struct kernel *kernel, const char *addr, const char *value)
{
	int result = stumble(kernel, addr, "driver_override");
	if (result < 0)
		return result;
	return set_override(kernel->root, addr, value) < 0 ? -errno : 0;
}

/* A PF's driver takes its VFs along. */
static int unbind_pf(struct kernel *kernel, const char *pf)
{
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	gp_autoclose int lock = gp_tree_lock(kernel->root, ".sim/locks/%s", pf);
	wait_ms(kernel, 0);
	if (gp_pci_addr_parse(pf, &addr) < 0 || gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -ENODEV;
	int result = device.num_vfs == 0 ? 0 : disable(kernel, &device, device.num_vfs);
	gp_autoclose int machine = gp_tree_lock_machine(kernel->root);
	unbind(kernel->root, pf);
	return result;
}

static int unbind_vf(struct kernel *kernel, const char *vf)
{
	for (;;) {
		gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
		if (!is_held(kernel->root, vf)) {
			unbind(kernel->root, vf);
			return 0;
		}
		close(lock);
		lock = -1;
		wait_ms(kernel, PAUSE_MS);
	}
}

/* bind_store(), unbind_store() of drivers/base/bus.c */
static int store_bind(struct kernel *kernel, const char *driver, const char *addr)
{
	gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	if (!device_exists(kernel->root, addr) || !driver_matches(kernel->root, addr, driver))
		return -ENODEV;
	gp_autofree char *bound = driver_of(kernel->root, addr);
	if (bound[0] != '\0')
		return -EBUSY;
	return may_be_probed(kernel->root, addr) ? bind(kernel->root, addr, driver) : -ENODEV;
}

static int store_unbind(struct kernel *kernel, const char *driver, const char *addr)
{
	gp_autofree char *bound = driver_of(kernel->root, addr);
	if (!device_exists(kernel->root, addr) || !gp_streq(bound, driver))
		return -ENODEV;
	bool is_vf = gp_tree_exists(kernel->root, DEVICES "/%s/physfn", addr);
	return is_vf ? unbind_vf(kernel, addr) : unbind_pf(kernel, addr);
}

/* drivers_probe_store() */
static int store_probe(struct kernel *kernel, const char *addr)
{
	gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
	wait_ms(kernel, 0);
	return device_exists(kernel->root, addr) ? probe(kernel->root, addr) : -ENODEV;
}

static int parse_id(const char *value, char id[GP_SIM_WORD_SIZE])
{
	unsigned vendor, device;
	if (sscanf(value, "%x %x", &vendor, &device) != 2 || vendor > UINT16_MAX || device > UINT16_MAX)
		return -EINVAL;
	snprintf(id, GP_SIM_WORD_SIZE, "%04x %04x\n", vendor, device);
	return 0;
}

/* new_id_store(): remembers the id and takes every device of that kind which nobody has. */
static int store_new_id(struct kernel *kernel, const char *driver, const char *value)
{
	char id[GP_SIM_WORD_SIZE];
	if (parse_id(value, id) < 0)
		return -EINVAL;
	gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
	gp_autofree char *known = gp_tree_read(kernel->root, NULL, ".sim/new_id/%s", driver);
	if (known != NULL && strstr(known, id) != NULL)
		return -EEXIST;
	if (gp_tree_mkdir(kernel->root, ".sim/new_id") < 0 ||
	    gp_tree_append(kernel->root, id, ".sim/new_id/%s", driver) < 0)
		return -errno;

	struct gp_names devices = {0};
	gp_tree_names(kernel->root, &devices, DEVICES);
	for (size_t i = 0; i < devices.count; i++)
		if (driver_matches(kernel->root, gp_names_at(&devices, i), driver))
			probe(kernel->root, gp_names_at(&devices, i));
	gp_names_clear(&devices);
	return 0;
}

static int store_remove_id(struct kernel *kernel, const char *driver, const char *value)
{
	char id[GP_SIM_WORD_SIZE];
	if (parse_id(value, id) < 0)
		return -EINVAL;
	gp_autoclose int lock = gp_tree_lock_machine(kernel->root);
	gp_autofree char *known = gp_tree_read(kernel->root, NULL, ".sim/new_id/%s", driver);
	char *found = known == NULL ? NULL : strstr(known, id);
	if (found == NULL)
		return -ENODEV;
	memmove(found, found + strlen(id), strlen(found + strlen(id)) + 1);
	return gp_tree_write(kernel->root, MODE_READ_WRITE, known, ".sim/new_id/%s", driver) < 0 ? -errno : 0;
}

/* ---- a write ---- */

struct target {
	char *directory; /* inside the root, without links: "sys/devices/pci0000:41/0000:41:00.0" */
	const char *name;
};

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
	gp_autofree char *parent = strndup(path, (size_t)(out->name - path) - 1);
	gp_autoclose int fd =
		parent == NULL ? -1 : gp_open_inside(root, parent, O_PATH | O_DIRECTORY, 0, GP_INSIDE_ROOT);
	if (fd < 0)
		return -errno;
	out->directory = real_place(root, fd);
	return out->directory == NULL ? -ENOENT : 0;
}

/* An attribute that only remembers what it was told. */
static int store_plain(const struct kernel *kernel, const struct target *target, const char *value)
{
	struct stat found;
	gp_autofree char *path = gp_xasprintf("%s/%s", target->directory, target->name);
	gp_autoclose int fd = gp_open_inside(kernel->root, path, O_PATH, 0, GP_INSIDE_ROOT);
	if (fd < 0 || fstat(fd, &found) < 0)
		return -errno;
	if ((found.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0 || !S_ISREG(found.st_mode))
		return -EACCES;
	gp_autofree char *text = gp_xasprintf("%s\n", value);
	return gp_tree_write(kernel->root, found.st_mode & ACCESSPERMS, text, "%s", path) < 0 ? -errno : 0;
}

static int store_in_driver(struct kernel *kernel, const struct target *target, const char *driver, const char *value)
{
	int result = stumble(kernel, value, target->name);
	if (result < 0)
		return result;
	if (gp_streq(target->name, "bind"))
		return store_bind(kernel, driver, value);
	if (gp_streq(target->name, "unbind"))
		return store_unbind(kernel, driver, value);
	if (gp_streq(target->name, "new_id"))
		return store_new_id(kernel, driver, value);
	if (gp_streq(target->name, "remove_id"))
		return store_remove_id(kernel, driver, value);
	return store_plain(kernel, target, value);
}

static int store_in_device(struct kernel *kernel, const struct target *target, const char *addr, const char *value)
{
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

static int store(struct kernel *kernel, const struct target *target, const char *value)
{
	const char *last = gp_last_component(target->directory);
	if (gp_starts_with(target->directory, DRIVERS "/"))
		return store_in_driver(kernel, target, last, value);
	if (gp_streq(target->directory, "sys/bus/pci") && gp_streq(target->name, "drivers_probe")) {
		int result = stumble(kernel, value, "drivers_probe");
		return result < 0 ? result : store_probe(kernel, value);
	}
	if (gp_starts_with(target->directory, "sys/devices/"))
		return store_in_device(kernel, target, last, value);
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

static int run_in_kernel(struct kernel *kernel, const struct target *target, const char *value)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	kernel->report_fd = ends[1];
	if (fork_away()) {
		close(ends[0]);
		report(kernel, store(kernel, target, value));
		_exit(0);
	}
	close(ends[1]);
	int result = read_result(ends[0]);
	close(ends[0]);
	return result;
}

int gp_kernel_sim_write(int root_fd, const char *path, const char *value)
{
	struct kernel kernel = kernel_of(root_fd);
	struct target target = {0};
	/* echo adds a newline, and the kernel takes one away. */
	gp_autofree char *word = strndup(value, strcspn(value, "\n"));
	gp_autofree char *what = gp_xasprintf("write %s = %s", path, word == NULL ? "" : word);

	int result = gp_sim_mutation_begin(root_fd, what, &kernel.mutation);
	if (result < 0)
		return result;
	result = find_target(root_fd, path, &target);
	gp_autofree char *directory = target.directory;
	if (result < 0) {
		gp_sim_mutation_end(&kernel.mutation, result);
		return result;
	}
	return run_in_kernel(&kernel, &target, word);
}

/* ---- processes that hold devices ---- */

int gp_kernel_new_process(int root, const char *comm, uint64_t *pid)
{
	for (*pid = FIRST_PID; gp_tree_exists(root, "proc/%" PRIu64, *pid) ||
			       gp_tree_exists(root, ".sim/held/%" PRIu64, *pid);
	     (*pid)++)
		;
	gp_autofree char *line = gp_xasprintf("%.15s\n", comm);
	if (gp_tree_mkdir(root, ".sim/held/%" PRIu64, *pid) < 0 || gp_tree_mkdir(root, "proc/%" PRIu64 "/fd", *pid) < 0)
		return -1;
	return gp_tree_write(root, MODE_READ, line, "proc/%" PRIu64 "/comm", *pid);
}

static int open_group(int root, const char *addr, uint64_t pid)
{
	gp_autofree char *group = group_of(root, addr);
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
	gp_autofree char *driver = driver_of(root, addr);
	if (gp_streq(driver, VFIO))
		return 0;
	if (set_override(root, addr, VFIO) < 0)
		return -1;
	unbind(root, addr);
	return bind(root, addr, VFIO) < 0 ? -1 : 0;
}

int gp_kernel_open(int root, struct gp_pci_addr addr, uint64_t pid, bool managed, struct gp_error *err)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(addr, name);
	gp_autofree char *before = driver_of(root, name);
	gp_autofree char *group = group_of(root, name);
	bool gives_back = managed && !gp_streq(before, VFIO);

	if (!managed && !gp_streq(before, VFIO))
		return gp_fail(err, GP_E_BUSY, "Unmanaged PCI device %s must be manually detached from the host", name);
	if (is_held(root, name))
		return gp_fail(err, GP_E_BUSY, "vfio %s: failed to open /dev/vfio/%s: Device or resource busy", name,
			       group);
	if (gp_tree_write(root, MODE_READ_WRITE, gives_back ? "give back\n" : "leave\n", ".sim/held/%" PRIu64 "/%s", pid,
			  name) < 0 ||
	    (managed && give_to_vfio(root, name) < 0) || open_group(root, name, pid) < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot open the VFIO group of %s", name);
	return 0;
}

int gp_kernel_hold(int root, struct gp_pci_addr addr, const char *comm, uint64_t *pid, struct gp_error *err)
{
	char name[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(addr, name);
	if (!device_exists(root, name))
		return gp_fail(err, GP_E_NOT_FOUND, "%s does not exist now: its VF is not enabled", name);
	if (gp_kernel_new_process(root, comm, pid) < 0)
		return gp_fail_errno(err, errno, "cannot make a process under proc/");
	if (gp_kernel_open(root, addr, *pid, true, err) == 0)
		return 0;
	gp_kernel_let_go(root, *pid);
	return -1;
}

void gp_kernel_let_go(int root, uint64_t pid)
{
	struct gp_names held = {0};
	gp_tree_names(root, &held, ".sim/held/%" PRIu64, pid);
	gp_tree_remove(root, "proc/%" PRIu64, pid);
	for (size_t i = 0; i < held.count; i++) {
		const char *addr = gp_names_at(&held, i);
		gp_autofree char *what = gp_tree_word(root, ".sim/held/%" PRIu64 "/%s", pid, addr);
		gp_autofree char *group = group_of(root, addr);
		if (!device_exists(root, addr))
			continue;
		if (group[0] != '\0')
			gp_tree_remove(root, ".sim/open/%s/%" PRIu64, group, pid);
		if (!gp_streq(what, "give back"))
			continue;
		unbind(root, addr);
		set_override(root, addr, "");
		/* On its way out already: nobody binds it any more. */
		if (gp_tree_exists(root, DEVICES "/%s/physfn", addr) || gp_tree_exists(root, ".sim/devices/%s", addr))
			probe(root, addr);
	}
	gp_tree_remove(root, ".sim/held/%" PRIu64, pid);
	gp_names_clear(&held);
}

/* ---- boot ---- */

static int make_bus(int root)
{
	static const char *const directories[] = {DEVICES,     DRIVERS, "sys/bus/pci/slots", GROUPS,
						  "dev/vfio",  "proc",  "run/libvirt/qemu",  "run/gpupart",
						  ".sim/open", ".sim/held"};
	for (size_t i = 0; i < COUNT(directories); i++)
		if (gp_tree_mkdir(root, "%s", directories[i]) < 0)
			return -1;
	if (gp_tree_write(root, MODE_WRITE, "", "sys/bus/pci/drivers_probe") < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "1\n", "sys/bus/pci/drivers_autoprobe") < 0 ||
	    gp_tree_write(root, MODE_READ_WRITE, "", "dev/vfio/vfio") < 0)
		return -1;
	return load_driver(root, VFIO);
}

static int boot_device(struct kernel *kernel, const char *name)
{
	struct gp_pci_addr addr;
	struct gp_sim_device device;
	if (gp_pci_addr_parse(name, &addr) < 0 || gp_sim_device_load(kernel->root, addr, &device) < 0)
		return -1;
	device.num_vfs = 0;
	device.autoprobe = true;
	if (gp_sim_device_save(kernel->root, &device) < 0 || load_driver(kernel->root, device.driver) < 0 ||
	    gp_sim_plug_pf(kernel->root, &device) < 0 || join_group(kernel, &device, name) < 0)
		return -1;
	return probe(kernel->root, name) < 0 ? -1 : 0;
}

int gp_kernel_boot(int root, struct gp_error *err)
{
	struct gp_names names = {0};
	static const char *const forgotten[] = {"sys", "proc", "dev", "run", ".sim/open", ".sim/held", ".sim/new_id"};
	gp_autofree char *boots = gp_xasprintf("%" PRIu64 "\n", gp_sim_boots(root) + 1);
	if (gp_tree_write(root, MODE_READ_WRITE, boots, ".sim/boots") < 0)
		return gp_fail_errno(err, errno, "the simulated machine cannot boot");

	struct kernel kernel = kernel_of(root);
	int result = 0;
	for (size_t i = 0; i < COUNT(forgotten) && result == 0; i++)
		result = gp_tree_remove(root, "%s", forgotten[i]);
	if (result == 0)
		result = make_bus(root);
	gp_tree_names(root, &names, ".sim/devices");
	for (size_t i = 0; i < names.count && result == 0; i++)
		result = boot_device(&kernel, gp_names_at(&names, i));
	gp_names_clear(&names);
	return result < 0 ? gp_fail_errno(err, errno, "the simulated machine cannot boot") : 0;
}

static int preset_vf(int root, const char *addr, const char *driver)
{
	gp_autofree char *bound = driver_of(root, addr);
	if (driver[0] == '\0' || gp_streq(bound, driver))
		return 0;
	unbind(root, addr);
	if (load_driver(root, driver) < 0 || set_override(root, addr, driver) < 0)
		return -1;
	return bind(root, addr, driver) < 0 ? -1 : 0;
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
	device.latency_ms = 0;
	int result = gp_tree_write(root, MODE_READ_WRITE, autoprobe ? "1\n" : "0\n",
				   DEVICES "/%s/sriov_drivers_autoprobe", name);
	if (gp_sim_device_save(root, &device) < 0)
		result = -1;
	if (result == 0 && count > 0)
		result = enable(&kernel, &device, count);
	for (uint32_t i = 0; i < count && result == 0; i++) {
		char vf[GP_PCI_ADDR_SIZE];
		result = preset_vf(root, gp_pci_addr_format(gp_sim_vf_addr(&device, i), vf), driver);
	}
	return result < 0 ? gp_fail_errno(err, errno, "cannot enable %u VFs of %s", count, name) : 0;
}

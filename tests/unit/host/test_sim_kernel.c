/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pretend kernel does what Linux does: sriov_numvfs case by case, config space, drivers, order, attribute formats.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim_machine.h"

#define PF      "0000:41:00.0"
#define PF_DIR  DEVICES PF "/"
#define VF0     "0000:41:00.1"
#define VF0_DIR DEVICES VF0 "/"
#define XE      "sys/bus/pci/drivers/xe/"
#define VFIO    "sys/bus/pci/drivers/vfio-pci/"
#define ONE_GPU "version: 1\ngpus:\n  - {address: \"" PF "\", preset: flex-170"

enum {
	CONTROL = 8,
	INITIAL_VFS = 0xc,
	TOTAL_VFS = 0xe,
	NUM_VFS = 0x10,
	OFFSET = 0x14,
	STRIDE = 0x16,
	VF_DEVICE = 0x1a
};

static struct machine m;

static void make(const char *more)
{
	gp_autofree char *text = gp_xasprintf(ONE_GPU "%s}\n", more);
	machine_make(&m, text);
}

static int set_vfs(const char *value)
{
	return machine_write(&m, PF_DIR "sriov_numvfs", value);
}

/* ---- sriov_numvfs ---- */

START_TEST(no_u16_is_einval)
{
	static const char *const values[] = {"\n", "abc",   "-1",  "4x",    "65536", " 4", "99999999999999999999",
					     "0x", "4\n\n", "\n4", "4\n0\n"};
	make("");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		ck_assert_msg(set_vfs(values[i]) == -EINVAL, "'%s'", values[i]);
	ck_assert_str_eq(machine_text(&m, PF_DIR "sriov_numvfs"), "0");
	machine_remove(&m);
}
END_TEST

START_TEST(a_newline_hex_and_octal_are_numbers)
{
	make("");
	ck_assert_int_eq(set_vfs("4\n"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 4);
	ck_assert_int_eq(set_vfs("0x4"), 0); /* the same value */
	ck_assert_int_eq(set_vfs("010"), -EBUSY);
	machine_remove(&m);
}
END_TEST

/* kernfs does not bother an attribute with it. */
START_TEST(nothing_written_is_no_work)
{
	make("");
	ck_assert_int_eq(set_vfs(""), 0);
	ck_assert_int_eq(machine_write(&m, XE "unbind", ""), 0);
	ck_assert_int_eq(machine_write(&m, PF_DIR "vendor", ""), -EACCES);
	ck_assert_int_eq(machine_write(&m, PF_DIR "nothing", ""), -ENOENT);
	ck_assert_int_eq(machine_write(&m, PF_DIR "driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(machine_write(&m, PF_DIR "driver_override", ""), 0);
	ck_assert_str_eq(machine_text(&m, PF_DIR "driver_override"), "vfio-pci");
	machine_remove(&m);
}
END_TEST

START_TEST(more_than_totalvfs_is_erange)
{
	make("");
	ck_assert_int_eq(set_vfs("32"), -ERANGE);
	ck_assert_int_eq(set_vfs("65535"), -ERANGE);
	ck_assert_int_eq(set_vfs("31"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 31);
	machine_remove(&m);
}
END_TEST

START_TEST(the_drivers_own_limit_counts)
{
	make(", driver_totalvfs: 7");
	ck_assert_str_eq(machine_text(&m, PF_DIR "sriov_totalvfs"), "7");
	ck_assert_uint_eq(machine_sriov(&m, PF, TOTAL_VFS), 31);
	ck_assert_int_eq(set_vfs("8"), -ERANGE);
	ck_assert_int_eq(machine_write(&m, XE "unbind", PF), 0);
	ck_assert_str_eq(machine_text(&m, PF_DIR "sriov_totalvfs"), "31");
	machine_remove(&m);
}
END_TEST

START_TEST(same_value_is_no_work)
{
	make(", driver: none");
	/* Decided before the driver is looked at. */
	ck_assert_int_eq(set_vfs("0"), 0);
	machine_remove(&m);
	make("");
	ck_assert_int_eq(set_vfs("4"), 0);
	const char *group = machine_link(&m, VF0_DIR "iommu_group");
	ck_assert_int_eq(machine_write(&m, VF0_DIR "driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(set_vfs("4"), 0);
	ck_assert_str_eq(machine_text(&m, VF0_DIR "driver_override"), "vfio-pci");
	ck_assert_str_eq(machine_link(&m, VF0_DIR "iommu_group"), group);
	machine_remove(&m);
}
END_TEST

START_TEST(no_driver_is_enoent)
{
	make(", driver: none");
	ck_assert_int_eq(set_vfs("4"), -ENOENT);
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, ".sim/dmesg"),
				     "pci " PF ": no driver bound to device; cannot configure SR-IOV\n"));
	machine_remove(&m);
}
END_TEST

START_TEST(driver_without_sriov_is_enoent)
{
	make(", driver_sriov: false");
	ck_assert_int_eq(set_vfs("4"), -ENOENT);
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, ".sim/dmesg"),
				     "xe " PF ": driver does not support SR-IOV configuration via sysfs\n"));
	machine_remove(&m);
}
END_TEST

START_TEST(n_to_m_is_ebusy)
{
	make("");
	ck_assert_int_eq(set_vfs("4"), 0);
	ck_assert_int_eq(set_vfs("8"), -EBUSY);
	ck_assert_int_eq(set_vfs("2"), -EBUSY);
	ck_assert_uint_eq(machine_vfs(&m, PF), 4);
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, ".sim/dmesg"),
				     "xe " PF ": 4 VFs already enabled. Disable before enabling 8 VFs\n"));
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert_int_eq(set_vfs("8"), 0);
	machine_remove(&m);
}
END_TEST

START_TEST(no_mmio_is_enomem)
{
	make(", mmio: false");
	ck_assert_int_eq(set_vfs("1"), -ENOMEM);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 0);
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, ".sim/dmesg"), "not enough MMIO resources for SR-IOV\n"));
	machine_remove(&m);
}
END_TEST

START_TEST(no_bus_number_is_enomem)
{
	make(", offset: 250, buses: 1");
	ck_assert_int_eq(set_vfs("6"), 0);
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert_int_eq(set_vfs("7"), -ENOMEM);
	ck_assert_ptr_nonnull(
		strstr(machine_raw(&m, ".sim/dmesg"), "can't enable 7 VFs (bus 42 out of range of [bus 41-41])\n"));
	machine_remove(&m);
}
END_TEST

START_TEST(initial_vfs_must_be_total)
{
	make(", initialvfs: 8");
	ck_assert_int_eq(set_vfs("4"), -EIO);
	machine_remove(&m);
}
END_TEST

START_TEST(fewer_than_asked_succeeds)
{
	make("");
	machine_fault(&m, "short " PF " sriov_numvfs");
	ck_assert_int_eq(set_vfs("8"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 4);
	ck_assert_str_eq(machine_text(&m, PF_DIR "sriov_numvfs"), "4");
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 4);
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, ".sim/dmesg"), "8 VFs requested; only 4 enabled\n"));
	machine_remove(&m);
}
END_TEST

/* ---- config space and addresses ---- */

START_TEST(the_capability_follows)
{
	make("");
	ck_assert_uint_eq(machine_sriov(&m, PF, CONTROL) & 1, 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, INITIAL_VFS), 31);
	ck_assert_uint_eq(machine_sriov(&m, PF, TOTAL_VFS), 31);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, OFFSET), 1);
	ck_assert_uint_eq(machine_sriov(&m, PF, STRIDE), 1);
	ck_assert_uint_eq(machine_sriov(&m, PF, VF_DEVICE), 0x56c0);
	ck_assert_int_eq(set_vfs("5"), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, CONTROL) & 1, 1);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 5);
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, CONTROL) & 1, 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 0);
	machine_remove(&m);
}
END_TEST

START_TEST(some_tell_the_offset_late)
{
	make(", offset: 4, stride: 2, offset_before_enable: false");
	ck_assert_uint_eq(machine_sriov(&m, PF, OFFSET), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, STRIDE), 0);
	ck_assert_str_eq(machine_raw(&m, PF_DIR "sriov_offset"), "0\n");
	ck_assert_int_eq(set_vfs("2"), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, OFFSET), 4);
	ck_assert_str_eq(machine_raw(&m, PF_DIR "sriov_offset"), "4\n");
	ck_assert_str_eq(machine_raw(&m, PF_DIR "sriov_stride"), "2\n");
	ck_assert_str_eq(machine_link(&m, PF_DIR "virtfn0"), "0000:41:00.4");
	ck_assert_str_eq(machine_link(&m, PF_DIR "virtfn1"), "0000:41:00.6");
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, OFFSET), 0);
	ck_assert_str_eq(machine_raw(&m, PF_DIR "sriov_stride"), "0\n");
	machine_remove(&m);
}
END_TEST

START_TEST(vfs_spill_to_the_next_bus)
{
	make(", offset: 254");
	ck_assert_int_eq(set_vfs("4"), 0);
	ck_assert_str_eq(machine_link(&m, PF_DIR "virtfn1"), "0000:41:1f.7");
	ck_assert_str_eq(machine_link(&m, PF_DIR "virtfn2"), "0000:42:00.0");
	ck_assert_str_eq(machine_text(&m, DEVICES "0000:42:00.0/vendor"), "0x8086");
	machine_remove(&m);
}
END_TEST

/* ---- what it looks like ---- */

static void look(const char *path, unsigned mode, const char *text)
{
	ck_assert_msg(machine_mode(&m, path) == mode, "%s has mode %o", path, machine_mode(&m, path));
	if (text != NULL)
		ck_assert_str_eq(machine_raw(&m, path), text);
}

START_TEST(attributes_as_on_linux)
{
	make(", numa_node: 1, slot: 7, vfs: 2");
	look(PF_DIR "vendor", 0444, "0x8086\n");
	look(PF_DIR "device", 0444, "0x56c0\n");
	look(PF_DIR "subsystem_vendor", 0444, "0x8086\n");
	look(PF_DIR "subsystem_device", 0444, "0x4905\n");
	look(PF_DIR "class", 0444, "0x038000\n");
	look(PF_DIR "revision", 0444, "0x00\n");
	look(PF_DIR "ari_enabled", 0444, "1\n");
	look(PF_DIR "irq", 0, "<none>"); /* nobody reads it, and it would not be true */
	look(PF_DIR "numa_node", 0644, "1\n");
	look(PF_DIR "driver_override", 0644, "(null)\n");
	look(PF_DIR "modalias", 0444, "pci:v00008086d000056C0sv00008086sd00004905bc03sc80i00\n");
	look(PF_DIR "sriov_totalvfs", 0444, "31\n");
	look(PF_DIR "sriov_numvfs", 0644, "2\n");
	look(PF_DIR "sriov_drivers_autoprobe", 0644, "0\n");
	look(PF_DIR "sriov_vf_device", 0444, "56c0\n");
	look(PF_DIR "sriov_offset", 0444, "1\n");
	look(PF_DIR "tile0/physical_vram_size_bytes", 0444, "17179869184\n");
	look(PF_DIR "config", 0644, NULL);
	look(PF_DIR "resource", 0444, NULL);
	look(VF0_DIR "vendor", 0444, "0x8086\n");
	look(VF0_DIR "sriov_totalvfs", 0, "<none>");
	look(XE "bind", 0200, NULL);
	look(XE "unbind", 0200, NULL);
	look("sys/bus/pci/drivers_probe", 0200, NULL);
	look("sys/bus/pci/slots/7/address", 0444, "0000:41:00\n");
	ck_assert_str_eq(machine_link(&m, PF_DIR "driver"), "xe");
	ck_assert_str_eq(machine_link(&m, XE PF), PF);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "physfn"), PF);
	ck_assert_str_eq(machine_link(&m, PF_DIR "subsystem"), "pci");
	/* Through the links, all the way. */
	ck_assert_str_eq(machine_text(&m, PF_DIR "virtfn1/physfn/virtfn0/physfn/device"), "0x56c0");
	ck_assert_str_eq(machine_text(&m, XE PF "/vendor"), "0x8086");
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, "usr/share/misc/pci.ids"),
				     "8086  Intel Corporation\n\t56c0  Data Center GPU Flex 170\n"));
	machine_remove(&m);
}
END_TEST

START_TEST(resource_lines_of_vf_bars)
{
	unsigned lines = 0;
	make("");
	const char *text = machine_raw(&m, PF_DIR "resource");
	for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1, lines++)
		if (lines == 7)
			ck_assert_ptr_ne(strstr(at, "0x0000000000000000 0x0000000000000000"), at);
	ck_assert_uint_eq(lines, 13);
	machine_remove(&m);
	make(", mmio: false");
	lines = 0;
	for (const char *at = machine_raw(&m, PF_DIR "resource"); *at != '\0'; at = strchr(at, '\n') + 1, lines++)
		if (lines == 7)
			ck_assert_ptr_eq(strstr(at, "0x0000000000000000 0x0000000000000000"), at);
	machine_remove(&m);
}
END_TEST

START_TEST(vram_as_each_driver_shows_it)
{
	machine_make(&m, "version: 1\ngpus:\n"
			 "  - {address: \"0000:41:00.0\", vendor: 1002, device: 73a1, driver: amdgpu, vram: 8GiB}\n"
			 "  - {address: \"0000:42:00.0\", vendor: 8086, device: 56c0, driver: i915, vram: 1GiB}\n"
			 "  - {address: \"0000:43:00.0\", preset: a16}\n");
	ck_assert_str_eq(machine_raw(&m, DEVICES "0000:41:00.0/mem_info_vram_total"), "8589934592\n");
	ck_assert_str_eq(machine_raw(&m, DEVICES "0000:42:00.0/drm/card1/lmem_total_bytes"), "1073741824\n");
	ck_assert(!machine_has(&m, DEVICES "0000:43:00.0/mem_info_vram_total"));
	ck_assert(!machine_has(&m, DEVICES "0000:41:00.0/sriov_totalvfs"));
	/* It is the driver that shows it. */
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers/amdgpu/unbind", "0000:41:00.0"), 0);
	ck_assert(!machine_has(&m, DEVICES "0000:41:00.0/mem_info_vram_total"));
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", "0000:41:00.0"), 0);
	ck_assert(machine_has(&m, DEVICES "0000:41:00.0/mem_info_vram_total"));
	machine_remove(&m);
}
END_TEST

START_TEST(what_cannot_be_written)
{
	make("");
	ck_assert_int_eq(machine_write(&m, PF_DIR "vendor", "1"), -EACCES);
	ck_assert_int_eq(machine_write(&m, PF_DIR "nothing", "1"), -ENOENT);
	ck_assert_int_eq(machine_write(&m, DEVICES "0000:99:00.0/sriov_numvfs", "1"), -ENOENT);
	ck_assert_int_eq(machine_write(&m, "etc", "1"), -ENOENT);
	ck_assert_int_eq(machine_write(&m, "../../../etc/nothing", "1"), -ENOENT);
	machine_remove(&m);
}
END_TEST

/* ---- drivers ---- */

START_TEST(autoprobe_on_gives_vfs_to_the_pf_driver)
{
	make("");
	ck_assert_int_eq(set_vfs("2"), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "xe");
	ck_assert(machine_has(&m, XE VF0));
	machine_remove(&m);
}
END_TEST

START_TEST(autoprobe_off_leaves_them_alone)
{
	make("");
	ck_assert_int_eq(machine_write(&m, PF_DIR "sriov_drivers_autoprobe", "maybe"), -EINVAL);
	ck_assert_int_eq(machine_write(&m, PF_DIR "sriov_drivers_autoprobe", "0"), 0);
	ck_assert_str_eq(machine_raw(&m, PF_DIR "sriov_drivers_autoprobe"), "0\n");
	ck_assert_int_eq(set_vfs("2"), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "<none>");
	/* Nor can anybody bind them, but by an override. */
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "<none>");
	ck_assert_int_eq(machine_write(&m, XE "bind", VF0), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VF0_DIR "driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(machine_write(&m, XE "bind", VF0), -ENODEV);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "vfio-pci");
	gp_autofree char *group = gp_xasprintf("dev/vfio/%s", machine_link(&m, VF0_DIR "iommu_group"));
	ck_assert(machine_has(&m, group));
	ck_assert_int_eq(machine_write(&m, VFIO "unbind", VF0), 0);
	ck_assert(!machine_has(&m, group));
	machine_remove(&m);
}
END_TEST

START_TEST(override_steers_and_does_not_unbind)
{
	make("");
	ck_assert_int_eq(set_vfs("1"), 0);
	ck_assert_int_eq(machine_write(&m, VF0_DIR "driver_override", "vfio-pci\n"), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "xe");
	ck_assert_int_eq(machine_write(&m, VFIO "bind", VF0), -EBUSY);
	ck_assert_int_eq(machine_write(&m, VF0_DIR "driver/unbind", VF0), 0);
	ck_assert_int_eq(machine_write(&m, XE "bind", VF0), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "bind", VF0), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "vfio-pci");
	/* A name that fits no driver keeps it without one; an empty line clears. */
	ck_assert_int_eq(machine_write(&m, VFIO "unbind", VF0), 0);
	ck_assert_int_eq(machine_write(&m, VF0_DIR "driver_override", "nobody"), 0);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "<none>");
	ck_assert_int_eq(machine_write(&m, VF0_DIR "driver_override", "\n"), 0);
	ck_assert_str_eq(machine_raw(&m, VF0_DIR "driver_override"), "(null)\n");
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "xe");
	machine_remove(&m);
}
END_TEST

/* It is shown with a newline, and both must fit into a page with the zero behind them. */
START_TEST(an_override_fits_into_a_page)
{
	char name[5001];
	make("");
	memset(name, 'n', sizeof(name));
	name[5000] = '\0';
	ck_assert_int_eq(machine_write(&m, PF_DIR "driver_override", name), -EINVAL);
	name[4095] = '\0';
	ck_assert_int_eq(machine_write(&m, PF_DIR "driver_override", name), -EINVAL);
	ck_assert_str_eq(machine_text(&m, PF_DIR "driver_override"), "(null)");
	name[4094] = '\0';
	ck_assert_int_eq(machine_write(&m, PF_DIR "driver_override", name), 0);
	ck_assert_str_eq(machine_text(&m, PF_DIR "driver_override"), name);
	machine_remove(&m);
}
END_TEST

START_TEST(bind_and_unbind_name_the_right_device)
{
	make("");
	ck_assert_int_eq(machine_write(&m, XE "unbind", PF "\n\n"), -ENODEV);
	ck_assert_int_eq(machine_write(&m, XE "unbind", PF "\n" PF), -ENODEV);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", ".."), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "bind", PF), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "unbind", PF), -ENODEV);
	ck_assert_int_eq(machine_write(&m, XE "bind", "0000:99:00.0"), -ENODEV);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", "0000:99:00.0"), -ENODEV);
	ck_assert_int_eq(machine_write(&m, XE "bind", PF), -EBUSY);
	machine_remove(&m);
}
END_TEST

START_TEST(unbinding_the_pf_takes_its_vfs)
{
	make("");
	ck_assert_int_eq(set_vfs("3"), 0);
	ck_assert_int_eq(machine_write(&m, XE "unbind", PF), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 0);
	ck_assert_int_eq(set_vfs("3"), -ENOENT);
	ck_assert_int_eq(machine_write(&m, XE "bind", PF), 0);
	ck_assert_int_eq(set_vfs("3"), 0);
	machine_remove(&m);
}
END_TEST

/* nvme and pci-pf-stub do not look after their VFs when they go (drivers/pci/iov.c, pci_iov_remove). */
START_TEST(some_drivers_leave_their_vfs)
{
	machine_make(&m, "version: 1\ngpus:\n  - {address: \"" PF "\", preset: pm173x}\n");
	ck_assert_int_eq(set_vfs("3"), 0);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers/nvme/unbind", PF), 0);
	ck_assert_str_eq(machine_link(&m, PF_DIR "driver"), "<none>");
	ck_assert_ptr_nonnull(
		strstr(machine_raw(&m, ".sim/dmesg"), "nvme " PF ": driver left SR-IOV enabled after remove\n"));
	ck_assert_uint_eq(machine_vfs(&m, PF), 3);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 3);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "nvme");
	ck_assert_int_eq(set_vfs("3"), 0);
	ck_assert_int_eq(set_vfs("0"), -ENOENT);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers/nvme/bind", PF), 0);
	ck_assert_int_eq(set_vfs("2"), -EBUSY);
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	machine_remove(&m);
}
END_TEST

/* Only the name says so: its sriov_configure refuses without a word unless enable_sriov is set. */
START_TEST(vfio_pci_makes_no_vfs)
{
	make(", driver: none");
	ck_assert_int_eq(machine_write(&m, PF_DIR "driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "bind", PF), 0);
	ck_assert_int_eq(set_vfs("1"), -ENOENT);
	ck_assert_str_eq(machine_raw(&m, ".sim/dmesg"), "<none>");
	machine_remove(&m);
}
END_TEST

START_TEST(a_vfio_device_is_shown_while_bound)
{
	make("");
	ck_assert_int_eq(set_vfs("1"), 0);
	ck_assert(!machine_has(&m, VF0_DIR "vfio-dev"));
	ck_assert_int_eq(machine_write(&m, VF0_DIR "driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(machine_write(&m, XE "unbind", VF0), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "bind", VF0), 0);
	ck_assert(machine_has(&m, VF0_DIR "vfio-dev/vfio0"));
	ck_assert_str_eq(machine_link(&m, "sys/class/vfio-dev/vfio0"), "vfio0");
	ck_assert_int_eq(machine_write(&m, VFIO "unbind", VF0), 0);
	ck_assert(!machine_has(&m, VF0_DIR "vfio-dev"));
	ck_assert(!machine_has(&m, "sys/class/vfio-dev/vfio0"));
	machine_remove(&m);
}
END_TEST

START_TEST(ids_are_as_wide_as_they_are_written)
{
	make("");
	/* Of 32 bits, though no device has such; compared with what is known as 16 bits. */
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "18086 156c0"), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "remove_id", "18086 156c0"), 0);
	/* A driver knows its own, and what it was told. */
	ck_assert_int_eq(machine_write(&m, XE "new_id", "8086 56c0"), -EEXIST);
	ck_assert_int_eq(machine_write(&m, XE "remove_id", "8086 56c0"), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086 56c0"), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "18086 156c0"), -EEXIST);
	ck_assert_int_eq(machine_write(&m, VFIO "remove_id", "8086 56c0"), 0);
	machine_remove(&m);
}
END_TEST

START_TEST(an_id_may_name_the_subsystem_and_the_class)
{
	make(", driver: none");
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086 56c0 8086 1"), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "bind", PF), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "remove_id", "8086 56c0 8086 2"), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "remove_id", "8086 56c0"), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086 56c0 8086 4905 020000 ff0000"), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "bind", PF), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086 56c0 8086 4905 030000 ff0000"), 0);
	ck_assert_str_eq(machine_link(&m, PF_DIR "driver"), "vfio-pci");
	machine_remove(&m);
}
END_TEST

/* driver_attach() offers them to this driver, not to the first that fits. */
START_TEST(new_id_binds_to_the_driver_that_was_told)
{
	make("");
	ck_assert_int_eq(machine_write(&m, XE "unbind", PF), 0);
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086 56c0"), 0);
	ck_assert_str_eq(machine_link(&m, PF_DIR "driver"), "vfio-pci");
	machine_remove(&m);
}
END_TEST

START_TEST(new_id_takes_what_nobody_has)
{
	make(", driver: none");
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086"), -EINVAL);
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086 56c0"), 0);
	ck_assert_str_eq(machine_link(&m, PF_DIR "driver"), "vfio-pci");
	ck_assert_int_eq(machine_write(&m, VFIO "new_id", "8086 56c0"), -EEXIST);
	ck_assert_int_eq(machine_write(&m, VFIO "remove_id", "8086 56c1"), -ENODEV);
	ck_assert_int_eq(machine_write(&m, VFIO "remove_id", "8086 56c0"), 0);
	ck_assert_str_eq(machine_link(&m, PF_DIR "driver"), "vfio-pci");
	/* vfio-pci has no SR-IOV of its own. */
	ck_assert_int_eq(set_vfs("1"), -ENOENT);
	machine_remove(&m);
}
END_TEST

/* ---- coming and going ---- */

START_TEST(removal_leaves_nothing)
{
	make("");
	ck_assert_int_eq(machine_write(&m, PF_DIR "sriov_drivers_autoprobe", "0"), 0);
	ck_assert_int_eq(set_vfs("4"), 0);
	gp_autofree char *group = gp_xasprintf("sys/kernel/iommu_groups/%s", machine_link(&m, VF0_DIR "iommu_group"));
	gp_autofree char *member = gp_xasprintf("%s/devices/%s", group, VF0);
	ck_assert(machine_has(&m, member));
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert(!machine_has(&m, group));
	ck_assert(!machine_has(&m, DEVICES VF0));
	ck_assert(!machine_has(&m, "sys/devices/pci0000:41/" VF0));
	ck_assert_str_eq(machine_raw(&m, PF_DIR "sriov_numvfs"), "0\n");
	machine_remove(&m);
}
END_TEST

START_TEST(a_held_vf_is_waited_for)
{
	make("");
	ck_assert_int_eq(set_vfs("4"), 0);
	machine_fault(&m, "hold " PF "/2");
	pid_t writer = fork();
	if (writer == 0)
		_exit(set_vfs("0") == 0 ? 0 : 1);
	/* In the order of the index, the links of each before it is waited for; what comes after stands untouched. */
	ck_assert(machine_wait(&m, PF_DIR "virtfn2", false));
	ck_assert(!machine_has(&m, DEVICES "0000:41:00.1"));
	ck_assert(!machine_has(&m, DEVICES "0000:41:00.2"));
	ck_assert(machine_has(&m, DEVICES "0000:41:00.3"));
	ck_assert(!machine_has(&m, DEVICES "0000:41:00.3/physfn"));
	ck_assert(machine_has(&m, PF_DIR "virtfn3"));
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 4);
	ck_assert_uint_eq(machine_sriov(&m, PF, CONTROL) & 1, 1);
	ck_assert_str_eq(machine_text(&m, PF_DIR "sriov_numvfs"), "4");
	/* Killing the writer does not call the kernel off. */
	kill(writer, SIGKILL);
	ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
	machine_fault(&m, "clear");
	ck_assert(machine_wait(&m, DEVICES "0000:41:00.4", false));
	/* The next write waits for the PF's lock, and finds the work done. */
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 0);
	machine_remove(&m);
}
END_TEST

/* Who has the attribute open writes into a device that nobody sees any more. */
START_TEST(an_override_waits_for_a_vf_that_goes)
{
	make(", vfs: 1, vf_driver: vfio-pci");
	machine_fault(&m, "hold " PF "/0");
	pid_t remover = fork();
	if (remover == 0)
		_exit(set_vfs("0") == 0 ? 0 : 1);
	ck_assert(machine_wait(&m, VF0_DIR "driver", false));
	pid_t writer = fork();
	if (writer == 0)
		_exit(machine_write(&m, VF0_DIR "driver_override", "\n") == 0 ? 0 : 1);
	ck_assert(machine_wait(&m, PF_DIR "virtfn0", false));
	ck_assert_int_eq(waitpid(writer, NULL, WNOHANG), 0);
	usleep(200000);
	machine_fault(&m, "clear");
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	waitpid(remover, &status, 0);
	ck_assert_int_eq(status, 0);
	machine_remove(&m);
}
END_TEST

START_TEST(a_last_held_vf_shows_no_links_but_num_vfs)
{
	make("");
	ck_assert_int_eq(set_vfs("2"), 0);
	machine_fault(&m, "hold " PF "/1");
	pid_t writer = fork();
	if (writer == 0)
		_exit(set_vfs("0") == 0 ? 0 : 1);
	ck_assert(machine_wait(&m, PF_DIR "virtfn1", false));
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 2);
	machine_fault(&m, "clear");
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	machine_remove(&m);
}
END_TEST

/* The link to the driver goes before the driver is asked to let go, and what VFIO made goes when it does
 * (drivers/base/dd.c, __device_release_driver). Meanwhile the device is locked. */
START_TEST(a_held_vf_is_unbound_in_two_halves)
{
	make(", vfs: 1, vf_driver: vfio-pci");
	gp_autofree char *node = gp_xasprintf("dev/vfio/%s", machine_link(&m, VF0_DIR "iommu_group"));
	machine_fault(&m, "hold " PF "/0");
	pid_t writer = fork();
	if (writer == 0)
		_exit(machine_write(&m, VFIO "unbind", VF0) == 0 ? 0 : 1);
	ck_assert(machine_wait(&m, VF0_DIR "driver", false));
	ck_assert(!machine_has(&m, VFIO VF0));
	ck_assert(machine_has(&m, node));
	ck_assert(machine_has(&m, VF0_DIR "vfio-dev"));
	ck_assert(machine_has(&m, VF0_DIR "iommu_group"));
	/* It still has a driver, for who looks without the lock. */
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "<none>");
	machine_fault(&m, "clear");
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert(!machine_has(&m, node));
	ck_assert(!machine_has(&m, VF0_DIR "vfio-dev"));
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, ".sim/dmesg"),
				     "vfio-pci " VF0
				     ": No device request channel registered, blocked until released by user\n"));
	machine_remove(&m);
}
END_TEST

/* As if the pretend kernel itself had been killed: the config space says what was going on. */
START_TEST(an_interrupted_write_is_completed_by_the_next)
{
	make("");
	ck_assert_int_eq(set_vfs("4"), 0);
	/* Half removed. */
	ck_assert_int_eq(unlinkat(m.root, PF_DIR "virtfn0", 0), 0);
	gp_autofree char *device = gp_xstrdup(machine_raw(&m, ".sim/devices/" PF));
	char *num_vfs = strstr(device, "num_vfs=4");
	ck_assert_ptr_nonnull(num_vfs);
	num_vfs[strlen("num_vfs=")] = '0';
	gp_autofree char *path = gp_xasprintf("%s/.sim/devices/" PF, m.dir);
	FILE *file = fopen(path, "we");
	fputs(device, file);
	fclose(file);
	ck_assert_int_eq(set_vfs("4"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 4);
	ck_assert_int_eq(set_vfs("0"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	machine_remove(&m);
}
END_TEST

START_TEST(groups_are_one_each_and_move_at_reboot)
{
	machine_make(&m, "version: 1\ngpus:\n  - {address: \"" PF "\", repeat: 2, preset: flex-170}\n");
	gp_autofree char *first = gp_xstrdup(machine_link(&m, PF_DIR "iommu_group"));
	ck_assert_str_ne(first, machine_link(&m, DEVICES "0000:42:00.0/iommu_group"));
	ck_assert_int_eq(set_vfs("4"), 0);
	ck_assert_str_ne(machine_link(&m, VF0_DIR "iommu_group"), machine_link(&m, DEVICES "0000:41:00.2/iommu_group"));
	ck_assert_int_eq(gp_sim_reboot(m.dir, NULL, NULL), 0);
	ck_assert_str_ne(first, machine_link(&m, PF_DIR "iommu_group"));
	machine_remove(&m);
}
END_TEST

START_TEST(a_reboot_forgets)
{
	make(", vfs: 4, vf_driver: vfio-pci, latency_ms: 1");
	ck_assert_uint_eq(machine_vfs(&m, PF), 4);
	ck_assert_str_eq(machine_link(&m, VF0_DIR "driver"), "vfio-pci");
	ck_assert_int_eq(machine_write(&m, PF_DIR "driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(gp_sim_reboot(m.dir, NULL, NULL), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_uint_eq(machine_sriov(&m, PF, NUM_VFS), 0);
	ck_assert_str_eq(machine_link(&m, PF_DIR "driver"), "xe");
	ck_assert_str_eq(machine_text(&m, PF_DIR "driver_override"), "(null)");
	ck_assert_str_eq(machine_text(&m, PF_DIR "sriov_drivers_autoprobe"), "1");
	ck_assert_str_eq(machine_text(&m, ".sim/devices/" PF), "vendor=8086");
	ck_assert_int_eq(set_vfs("2"), 0);
	machine_remove(&m);
}
END_TEST

MACHINE_RUN("sim_kernel", no_u16_is_einval, a_newline_hex_and_octal_are_numbers, nothing_written_is_no_work,
	    more_than_totalvfs_is_erange, the_drivers_own_limit_counts, same_value_is_no_work, no_driver_is_enoent,
	    driver_without_sriov_is_enoent, n_to_m_is_ebusy, no_mmio_is_enomem, no_bus_number_is_enomem,
	    initial_vfs_must_be_total, fewer_than_asked_succeeds, the_capability_follows, some_tell_the_offset_late,
	    vfs_spill_to_the_next_bus, attributes_as_on_linux, resource_lines_of_vf_bars, vram_as_each_driver_shows_it,
	    what_cannot_be_written, autoprobe_on_gives_vfs_to_the_pf_driver, autoprobe_off_leaves_them_alone,
	    override_steers_and_does_not_unbind, an_override_fits_into_a_page, bind_and_unbind_name_the_right_device,
	    unbinding_the_pf_takes_its_vfs, some_drivers_leave_their_vfs, vfio_pci_makes_no_vfs,
	    a_vfio_device_is_shown_while_bound, ids_are_as_wide_as_they_are_written,
	    an_id_may_name_the_subsystem_and_the_class, new_id_binds_to_the_driver_that_was_told,
	    new_id_takes_what_nobody_has, removal_leaves_nothing, a_held_vf_is_waited_for,
	    a_last_held_vf_shows_no_links_but_num_vfs, an_override_waits_for_a_vf_that_goes,
	    a_held_vf_is_unbound_in_two_halves, an_interrupted_write_is_completed_by_the_next,
	    groups_are_one_each_and_move_at_reboot, a_reboot_forgets)

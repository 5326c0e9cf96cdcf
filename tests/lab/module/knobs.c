// SPDX-License-Identifier: GPL-2.0-or-later
/* What can be set: 0444 when the module is loaded, 0644 at any time in /sys/module/nvidia/parameters. */
#include "knobs.h"

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "gpu.h"

/* ---- what there is ---- */

static char *framework = "vfio";
module_param(framework, charp, 0444);
MODULE_PARM_DESC(framework, "vfio (vendor VFIO, as on new kernels) or mdev (mediated devices, as on older ones)");

uint knob_gpus = 4, knob_totalvfs = 16, knob_vf_offset = 4, knob_vf_stride = 1, knob_fb_mb = 16384;
module_param_named(gpus, knob_gpus, uint, 0444);
MODULE_PARM_DESC(gpus, "at most so many, one below each empty root port of QEMU's");
module_param_named(totalvfs, knob_totalvfs, uint, 0444);
MODULE_PARM_DESC(totalvfs, "VFs of each");
module_param_named(vf_offset, knob_vf_offset, uint, 0444);
module_param_named(vf_stride, knob_vf_stride, uint, 0444);
module_param_named(fb_mb, knob_fb_mb, uint, 0444);
MODULE_PARM_DESC(fb_mb, "framebuffer of each in MiB");

ushort knob_device = 0x25b6, knob_vf_device = 0x25b6, knob_subsystem = 0x14a9;
module_param_named(device, knob_device, ushort, 0444);
module_param_named(vf_device, knob_vf_device, ushort, 0444);
module_param_named(subsystem, knob_subsystem, ushort, 0444);

char *knob_drvname = "nvidia";
module_param_named(drvname, knob_drvname, charp, 0444);
MODULE_PARM_DESC(drvname, "name of the driver; libvirt before 9.7 takes an unmanaged device from vfio-pci only");

bool knob_raw_numvfs, knob_mmio = true, knob_vfio_pci_refused = true;
module_param_named(raw_numvfs, knob_raw_numvfs, bool, 0444);
MODULE_PARM_DESC(raw_numvfs, "sriov_numvfs makes VFs, as other drivers have it");
module_param_named(mmio, knob_mmio, bool, 0444);
MODULE_PARM_DESC(mmio, "N: the BARs of the VFs have no address");
module_param_named(vfio_pci_refused, knob_vfio_pci_refused, bool, 0644);
MODULE_PARM_DESC(vfio_pci_refused, "vfio-pci does not take a VF (EINVAL)");

/* ---- what goes wrong ---- */

int knob_fail_enable, knob_fail_type, knob_fewer_vfs = -1;
module_param_named(fail_enable, knob_fail_enable, int, 0644);
MODULE_PARM_DESC(fail_enable, "errno with which the next enabling of VFs fails");
module_param_named(fewer_vfs, knob_fewer_vfs, int, 0644);
MODULE_PARM_DESC(fewer_vfs, "no more VFs than this are made, without an error; -1: as many as asked for");
module_param_named(fail_type, knob_fail_type, int, 0644);
MODULE_PARM_DESC(fail_type, "errno with which each making of a vGPU fails");

uint knob_enable_delay_ms, knob_type_delay_ms, knob_late_types_ms, knob_settle_ms;
module_param_named(enable_delay_ms, knob_enable_delay_ms, uint, 0644);
module_param_named(type_delay_ms, knob_type_delay_ms, uint, 0644);
module_param_named(late_types_ms, knob_late_types_ms, uint, 0644);
MODULE_PARM_DESC(late_types_ms, "so long after the GPU was bound, no type can be made");
module_param_named(settle_ms, knob_settle_ms, uint, 0644);
MODULE_PARM_DESC(settle_ms, "so long after a guest let go, its vGPU cannot be cleared");

bool knob_block_enable, knob_block_type, knob_mixed, knob_drops;
module_param_named(block_enable, knob_block_enable, bool, 0644);
MODULE_PARM_DESC(block_enable, "enabling VFs sleeps (D) until this is cleared");
module_param_named(block_type, knob_block_type, bool, 0644);
MODULE_PARM_DESC(block_type, "making a vGPU sleeps (D) until this is cleared");
module_param_named(mixed, knob_mixed, bool, 0644);
MODULE_PARM_DESC(mixed, "vGPUs of different size on one GPU");
module_param_named(drops, knob_drops, bool, 0644);
MODULE_PARM_DESC(drops, "vfio: a type is taken without an error, and reads 0");

/* ---- for a while after it was loaded, the driver makes no VFs and does not say so ---- */

static uint initialising_ms;
static unsigned long initialised; /* jiffies */
static bool is_initialising;

static int set_initialising(const char *value, const struct kernel_param *param)
{
	int result = param_set_uint(value, param);

	if (result == 0) {
		WRITE_ONCE(initialised, jiffies + msecs_to_jiffies(initialising_ms));
		WRITE_ONCE(is_initialising, initialising_ms > 0);
	}
	return result;
}

static const struct kernel_param_ops initialising_ops = {.set = set_initialising, .get = param_get_uint};
module_param_cb(initialising_ms, &initialising_ops, &initialising_ms, 0644);
MODULE_PARM_DESC(initialising_ms, "so long from now, enabling VFs succeeds and makes none");

bool knob_initialising(void)
{
	return READ_ONCE(is_initialising) && time_before(jiffies, READ_ONCE(initialised));
}

/* ---- asked of them ---- */

bool knob_is_mdev(void)
{
	return strcmp(framework, "mdev") == 0;
}

bool knobs_are_sane(void)
{
	return (knob_is_mdev() || strcmp(framework, "vfio") == 0) && knob_gpus >= 1 && knob_gpus <= MOST_GPUS &&
	       knob_totalvfs >= 1 && knob_totalvfs <= MOST_VFS && knob_vf_stride >= 1 && knob_vf_offset >= 1 &&
	       knob_vf_offset + knob_vf_stride * (knob_totalvfs - 1) < 256 && knob_fb_mb >= 1024;
}

void knob_wait_while(const bool *knob)
{
	while (READ_ONCE(*knob))
		schedule_timeout_uninterruptible(HZ / 20);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* In and out: first who drives, then what is driven. */
#include <linux/module.h>

#include "gpu.h"
#include "knobs.h"

static int __init lookalike_init(void)
{
	int result;

	if (!knobs_are_sane())
		return -EINVAL;
	result = clients_init();
	if (result < 0)
		return result;
	result = mdev_vgpu_init();
	if (result < 0)
		goto no_mdev;
	result = nvidia_driver_init();
	if (result < 0)
		goto no_driver;
	result = gpus_plug();
	if (result < 0)
		goto no_gpus;
	pr_info("%u look-alike GPUs\n", gpu_count);
	return 0;
no_gpus:
	nvidia_driver_exit();
no_driver:
	mdev_vgpu_exit();
no_mdev:
	clients_exit();
	return result;
}

static void __exit lookalike_exit(void)
{
	nvidia_driver_exit();
	gpus_unplug();
	mdev_vgpu_exit();
	clients_exit();
}

module_init(lookalike_init);
module_exit(lookalike_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(DRIVER_VERSION);
MODULE_DESCRIPTION("Looks like NVIDIA's vGPU host driver, with GPUs of its own: for tests");

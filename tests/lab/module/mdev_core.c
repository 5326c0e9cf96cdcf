// SPDX-License-Identifier: GPL-2.0-or-later
#include "mdev_core.h"

#include <linux/module.h>

const struct mdev_core lookalike_mdev_core = {
	.register_driver = mdev_register_driver,
	.unregister_driver = mdev_unregister_driver,
	.register_parent = mdev_register_parent,
	.unregister_parent = mdev_unregister_parent,
};
EXPORT_SYMBOL_GPL(lookalike_mdev_core);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Brings the mdev core to the driver that looks like NVIDIA's");

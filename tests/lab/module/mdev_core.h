/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's mdev core, through a module of its own: what is linked to it brings /sys/class/mdev_bus along, by which
 * a host with the other framework is told apart. NVIDIA's driver has a module of this name for the same.
 */
#ifndef LOOKALIKE_MDEV_CORE_H
#define LOOKALIKE_MDEV_CORE_H

#include <linux/mdev.h>

#define MDEV_MODULE "nvidia-vgpu-vfio"

struct mdev_core {
	int (*register_driver)(struct mdev_driver *driver);
	void (*unregister_driver)(struct mdev_driver *driver);
	int (*register_parent)(struct mdev_parent *parent, struct device *dev, struct mdev_driver *driver,
			       struct mdev_type **types, unsigned int type_count);
	void (*unregister_parent)(struct mdev_parent *parent);
};

extern const struct mdev_core lookalike_mdev_core;

#endif

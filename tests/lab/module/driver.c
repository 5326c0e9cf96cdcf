// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver of PFs and VFs, and how VFs are made.
 *
 * NVIDIA's driver does not make VFs when sriov_numvfs is written; sriov-manage unbinds the PF, has VFs made, and gives
 * the PF back. Here it lends the PF to a second driver meanwhile, VF_MAKER, which is offered nothing by itself (only
 * driver_override names it) and leaves the VFs alone when it lets go, as the kernel's pci-pf-stub does.
 */
#include <linux/delay.h>
#include <linux/module.h>

#include "gpu.h"
#include "knobs.h"

/* ---- VFs ---- */

static int enable(struct pci_dev *pdev, int count)
{
	int result = xchg(&knob_fail_enable, 0);

	if (result != 0)
		return -abs(result);
	if (knob_fewer_vfs >= 0)
		count = min(count, knob_fewer_vfs);
	if (count == 0 || knob_initialising())
		return 0;
	result = pci_enable_sriov(pdev, count);
	return result < 0 ? result : count;
}

static int configure_sriov(struct pci_dev *pdev, int count)
{
	if (count == 0) {
		pci_disable_sriov(pdev);
		return 0;
	}
	knob_wait_while(&knob_block_enable);
	msleep(knob_enable_delay_ms);
	return enable(pdev, count);
}

/* ---- binding ---- */

static int probe_pf(struct gpu *gpu, struct pci_dev *pdev)
{
	int result = client_node_show(gpu, pdev);

	if (result < 0)
		return result;
	mutex_lock(&gpu->lock);
	gpu->driven = true;
	gpu->driven_since = jiffies;
	mutex_unlock(&gpu->lock);
	return 0;
}

static void remove_pf(struct gpu *gpu, struct pci_dev *pdev)
{
	client_node_hide(gpu);
	mutex_lock(&gpu->lock);
	gpu->driven = false;
	mutex_unlock(&gpu->lock);
	if (pci_num_vf(pdev) > 0)
		pci_disable_sriov(pdev);
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct gpu *gpu = gpu_of(pdev);

	if (!gpu)
		return -ENODEV;
	if (!pdev->is_virtfn)
		return probe_pf(gpu, pdev);
	return knob_is_mdev() ? mdev_vgpu_probe(pdev) : vfio_vgpu_probe(pdev);
}

static void remove(struct pci_dev *pdev)
{
	if (!pdev->is_virtfn)
		remove_pf(gpu_of(pdev), pdev);
	else if (knob_is_mdev())
		mdev_vgpu_remove(pdev);
	else
		vfio_vgpu_remove(pdev);
}

static struct pci_device_id ids[3];
static struct pci_driver nvidia_driver = {
	.id_table = ids, .probe = probe, .remove = remove, .driver_managed_dma = true, /* a VF's group is its guest's */
};

/* ---- VF_MAKER ---- */

static int maker_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return gpu_of(pdev) && !pdev->is_virtfn ? 0 : -ENODEV;
}

static const struct pci_device_id no_ids[] = {{}};
static struct pci_driver maker_driver = {
	.name = VF_MAKER,
	.id_table = no_ids,
	.probe = maker_probe,
	.sriov_configure = configure_sriov,
	.driver_managed_dma = true,
};

/* ---- no other VFIO driver takes a VF ---- */

enum { NO_HEADER_TYPE = 0x7f };

/*
 * The kernel asks nobody whether a driver may have a device. vfio-pci refuses with EINVAL what has no ordinary header
 * (vfio_pci_core_register_device()), so a VF has none while such a driver looks at it.
 */
static int watch_binding(struct notifier_block *block, unsigned long action, void *data)
{
	struct device *dev = data;
	struct pci_dev *pdev = to_pci_dev(dev);

	if (!pdev->is_virtfn || !gpu_of(pdev))
		return NOTIFY_DONE;
	if (action == BUS_NOTIFY_BIND_DRIVER)
		pdev->hdr_type = knob_vfio_pci_refused && dev->driver != &nvidia_driver.driver ? NO_HEADER_TYPE
											       : PCI_HEADER_TYPE_NORMAL;
	else if (action == BUS_NOTIFY_BOUND_DRIVER || action == BUS_NOTIFY_DRIVER_NOT_BOUND)
		pdev->hdr_type = PCI_HEADER_TYPE_NORMAL;
	return NOTIFY_DONE;
}

static struct notifier_block watcher = {.notifier_call = watch_binding};

/* ---- */

static void fill_ids(void)
{
	const struct pci_device_id pf = {PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, knob_device)};
	const struct pci_device_id vf = {PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, knob_vf_device)};

	ids[0] = pf;
	if (knob_vf_device != knob_device)
		ids[1] = vf;
}

int nvidia_driver_init(void)
{
	int result;

	fill_ids();
	nvidia_driver.name = knob_drvname;
	nvidia_driver.sriov_configure = knob_raw_numvfs ? configure_sriov : NULL;
	result = bus_register_notifier(&pci_bus_type, &watcher);
	if (result < 0)
		return result;
	result = pci_register_driver(&maker_driver);
	if (result < 0)
		goto no_maker;
	result = pci_register_driver(&nvidia_driver);
	if (result < 0)
		goto no_driver;
	return 0;
no_driver:
	pci_unregister_driver(&maker_driver);
no_maker:
	bus_unregister_notifier(&pci_bus_type, &watcher);
	return result;
}

void nvidia_driver_exit(void)
{
	pci_unregister_driver(&nvidia_driver);
	pci_unregister_driver(&maker_driver);
	bus_unregister_notifier(&pci_bus_type, &watcher);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plugging the GPUs in: each empty root port of QEMU's gets one. The accessors of the bus below it are replaced, and
 * the kernel scans it, as after a hotplug; so the GPU lies in the domain that the IOMMU is for.
 */
#include "gpu.h"

#include <linux/mm.h>
#include <linux/slab.h>

#include "knobs.h"

enum { VENDOR_QEMU = 0x1b36, DEVICE_ROOT_PORT = 0x000c };

struct gpu *gpus[MOST_GPUS];
unsigned int gpu_count;

struct gpu *gpu_of(struct pci_dev *pdev)
{
	struct pci_dev *pf = pci_physfn(pdev);
	unsigned int i;

	for (i = 0; i < gpu_count; i++)
		if (gpus[i]->bus == pf->bus)
			return gpus[i];
	return NULL;
}

struct vf *vf_of(struct pci_dev *pdev)
{
	struct gpu *gpu = gpu_of(pdev);
	int index = pci_iov_vf_id(pdev);

	return gpu && index >= 0 && index < MOST_VFS ? &gpu->vfs[index] : NULL;
}

static void forget(struct gpu *gpu)
{
	kvfree(gpu->vf_functions);
	kvfree(gpu);
}

static struct gpu *make(struct pci_bus *bus)
{
	struct gpu *gpu = kvzalloc(sizeof(*gpu), GFP_KERNEL);
	unsigned int i;

	if (!gpu)
		return NULL;
	gpu->vf_functions = kvcalloc(knob_totalvfs, sizeof(*gpu->vf_functions), GFP_KERNEL);
	if (!gpu->vf_functions) {
		kvfree(gpu);
		return NULL;
	}
	gpu->bus = bus;
	gpu->minor = gpu_count;
	raw_spin_lock_init(&gpu->config_lock);
	mutex_init(&gpu->lock);
	init_waitqueue_head(&gpu->unused);
	config_fill_pf(&gpu->pf);
	for (i = 0; i < knob_totalvfs; i++)
		config_fill_vf(&gpu->vf_functions[i]);
	return gpu;
}

static bool is_free_port(const struct pci_dev *port)
{
	return port->vendor == VENDOR_QEMU && port->device == DEVICE_ROOT_PORT && port->subordinate &&
	       list_empty(&port->subordinate->devices) && pci_pcie_type(port) == PCI_EXP_TYPE_ROOT_PORT;
}

static int plug(struct pci_bus *bus)
{
	struct gpu *gpu = make(bus);

	if (!gpu)
		return -ENOMEM;
	gpus[gpu_count++] = gpu; /* from here on config accesses find it */
	pci_lock_rescan_remove();
	gpu->bus_ops = pci_bus_set_ops(bus, &config_ops);
	pci_scan_slot(bus, 0);
	if (knob_mmio)
		pci_bus_assign_resources(bus);
	pci_bus_add_devices(bus);
	pci_unlock_rescan_remove();
	return 0;
}

static void unplug(struct gpu *gpu)
{
	struct pci_dev *pf = pci_get_slot(gpu->bus, 0);
	struct pci_dev *function, *next;

	/* The core does not take a PF away that has VFs; those that VF_MAKER made stay with the PF, driver or not. */
	if (pf) {
		device_lock(&pf->dev);
		if (pci_num_vf(pf) > 0)
			pci_disable_sriov(pf);
		device_unlock(&pf->dev);
		pci_dev_put(pf);
	}
	pci_lock_rescan_remove();
	list_for_each_entry_safe_reverse(function, next, &gpu->bus->devices, bus_list)
		pci_stop_and_remove_bus_device(function);
	pci_bus_set_ops(gpu->bus, gpu->bus_ops);
	pci_unlock_rescan_remove();
}

void gpus_unplug(void)
{
	unsigned int i;

	for (i = 0; i < gpu_count; i++)
		unplug(gpus[i]);
	for (i = 0; i < gpu_count; i++)
		forget(gpus[i]);
	gpu_count = 0;
}

int gpus_plug(void)
{
	struct pci_dev *port = NULL;
	int result = 0;

	while (result == 0 && gpu_count < knob_gpus && (port = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, port)))
		if (is_free_port(port))
			result = plug(port->subordinate);
	pci_dev_put(port);
	if (result == 0 && gpu_count == 0)
		result = -ENODEV;
	if (result < 0)
		gpus_unplug();
	return result;
}

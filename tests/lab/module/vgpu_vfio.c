// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Framework "vendor VFIO": a VF has files in nvidia/, and is a VFIO device while its driver is `nvidia`. Opening it as
 * such is done by vfio_pci_core, and refused (ENODEV) while the VF has no vGPU.
 */
#include <linux/module.h>
#include <linux/vfio_pci_core.h>

#include "gpu.h"
#include "knobs.h"

/* ---- nvidia/ ---- */

static ssize_t creatable_vgpu_types_show(struct device *dev, struct device_attribute *attribute, char *page)
{
	struct gpu *gpu = gpu_of(to_pci_dev(dev));
	int length = sysfs_emit(page, "ID    : vGPU Name\n");
	char name[LONGEST_NAME];
	unsigned int i;

	mutex_lock(&gpu->lock);
	for (i = 0; i < vgpu_type_count; i++)
		if (vgpu_fits(gpu, &vgpu_types[i]))
			length += sysfs_emit_at(page, length, "%-5u : %s\n", vgpu_types[i].id,
						vgpu_type_name(&vgpu_types[i], name));
	mutex_unlock(&gpu->lock);
	return length;
}
static DEVICE_ATTR_RO(creatable_vgpu_types);

static ssize_t current_vgpu_type_show(struct device *dev, struct device_attribute *attribute, char *page)
{
	struct gpu *gpu = gpu_of(to_pci_dev(dev));
	struct vf *vf = vf_of(to_pci_dev(dev));
	u32 id;

	mutex_lock(&gpu->lock);
	id = vf->type ? vf->type->id : 0;
	mutex_unlock(&gpu->lock);
	return sysfs_emit(page, "%u\n", id);
}

/* A type over another one is refused like one that cannot be made now. */
static int set_type(struct gpu *gpu, struct vf *vf, u32 id)
{
	const struct vgpu_type *type = vgpu_type_by_id(id);

	if (vgpu_is_held(vf))
		return -EPERM;
	if (id == 0) {
		vgpu_set(vf, NULL);
		return 0;
	}
	if (!type)
		return -EINVAL;
	if (vf->type || !vgpu_fits(gpu, type))
		return -EIO;
	if (!knob_drops)
		vgpu_set(vf, type);
	return 0;
}

static ssize_t current_vgpu_type_store(struct device *dev, struct device_attribute *attribute, const char *text,
				       size_t length)
{
	struct gpu *gpu = gpu_of(to_pci_dev(dev));
	u32 id;
	int result;

	if (kstrtou32(text, 10, &id) < 0)
		return -EINVAL;
	result = vgpu_stumble();
	if (result < 0)
		return result;
	mutex_lock(&gpu->lock);
	result = set_type(gpu, vf_of(to_pci_dev(dev)), id);
	mutex_unlock(&gpu->lock);
	return result < 0 ? result : (ssize_t)length;
}
static DEVICE_ATTR_RW(current_vgpu_type);

static ssize_t vgpu_params_show(struct device *dev, struct device_attribute *attribute, char *page)
{
	struct gpu *gpu = gpu_of(to_pci_dev(dev));
	ssize_t length;

	mutex_lock(&gpu->lock);
	length = vgpu_show_params(vf_of(to_pci_dev(dev)), page);
	mutex_unlock(&gpu->lock);
	return length;
}

static ssize_t vgpu_params_store(struct device *dev, struct device_attribute *attribute, const char *text,
				 size_t length)
{
	struct gpu *gpu = gpu_of(to_pci_dev(dev));
	int result;

	mutex_lock(&gpu->lock);
	result = vgpu_set_params(vf_of(to_pci_dev(dev)), text, length);
	mutex_unlock(&gpu->lock);
	return result < 0 ? result : (ssize_t)length;
}
static DEVICE_ATTR_RW(vgpu_params);

/* Known of them is that they cannot be read while there is no vGPU. */
static ssize_t show_output(struct device *dev, char *page)
{
	struct gpu *gpu = gpu_of(to_pci_dev(dev));
	bool has_vgpu;

	mutex_lock(&gpu->lock);
	has_vgpu = vf_of(to_pci_dev(dev))->type != NULL;
	mutex_unlock(&gpu->lock);
	return has_vgpu ? sysfs_emit(page, "0\n") : -ENXIO;
}

static ssize_t gpu_instance_id_show(struct device *dev, struct device_attribute *attribute, char *page)
{
	return show_output(dev, page);
}
static DEVICE_ATTR_RO(gpu_instance_id);

static ssize_t placement_id_show(struct device *dev, struct device_attribute *attribute, char *page)
{
	return show_output(dev, page);
}
static DEVICE_ATTR_RO(placement_id);

static struct attribute *attributes[] = {
	&dev_attr_creatable_vgpu_types.attr, &dev_attr_current_vgpu_type.attr, &dev_attr_vgpu_params.attr,
	&dev_attr_gpu_instance_id.attr,      &dev_attr_placement_id.attr,      NULL,
};
static const struct attribute_group nvidia_group = {.name = "nvidia", .attrs = attributes};

/* ---- the VFIO device ---- */

struct vfio_vgpu {
	struct vfio_pci_core_device core;
};

static int open_device(struct vfio_device *device)
{
	struct vfio_pci_core_device *core = container_of(device, struct vfio_pci_core_device, vdev);
	struct gpu *gpu = gpu_of(core->pdev);
	struct vf *vf = vf_of(core->pdev);
	int result;

	/* From now on its type stays. */
	vgpu_open(gpu, vf);
	result = vf->type ? vfio_pci_core_enable(core) : -ENODEV;
	if (result < 0)
		vgpu_close(gpu, vf);
	else
		vfio_pci_core_finish_enable(core);
	return result;
}

static void close_device(struct vfio_device *device)
{
	struct pci_dev *pdev = container_of(device, struct vfio_pci_core_device, vdev)->pdev;

	vfio_pci_core_close_device(device);
	vgpu_close(gpu_of(pdev), vf_of(pdev));
}

static const struct vfio_device_ops vfio_operations = {
	.name = "nvidia-vgpu-vfio",
	.init = vfio_pci_core_init_dev,
	.release = vfio_pci_core_release_dev,
	.open_device = open_device,
	.close_device = close_device,
	.ioctl = vfio_pci_core_ioctl,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
#endif
};

int vfio_vgpu_probe(struct pci_dev *pdev)
{
	struct vfio_vgpu *vgpu;
	int result;

	vgpu = vfio_alloc_device(vfio_vgpu, core.vdev, &pdev->dev, &vfio_operations);
	if (IS_ERR(vgpu))
		return PTR_ERR(vgpu);
	dev_set_drvdata(&pdev->dev, &vgpu->core);
	result = vfio_pci_core_register_device(&vgpu->core);
	if (result < 0)
		goto no_device;
	result = device_add_group(&pdev->dev, &nvidia_group);
	if (result < 0)
		goto no_group;
	return 0;
no_group:
	vfio_pci_core_unregister_device(&vgpu->core);
no_device:
	vfio_put_device(&vgpu->core.vdev);
	return result;
}

/* The files stay until the last who has the device open is gone: that is what is waited for here. */
void vfio_vgpu_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);
	struct gpu *gpu = gpu_of(pdev);

	vfio_pci_core_unregister_device(core);
	device_remove_group(&pdev->dev, &nvidia_group);
	vfio_put_device(&core->vdev);
	mutex_lock(&gpu->lock);
	vgpu_set(vf_of(pdev), NULL);
	mutex_unlock(&gpu->lock);
}

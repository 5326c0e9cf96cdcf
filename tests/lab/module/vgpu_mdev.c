// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Framework "mdev": on a VF one mediated device can be made, of a type that fits. The files are those of the kernel's
 * mdev core; to a guest it is a PCI function that has config space and nothing else.
 */
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "gpu.h"
#include "knobs.h"
#include "mdev_core.h"

enum { GUEST_CONFIG_SIZE = 256, MOST_TYPES = 32, MOST_BYTES = 8, REGION_SHIFT = 40 };

/* Of a VF: what it can be. */
struct parent {
	struct mdev_parent parent;
	struct mdev_type types[MOST_TYPES];
	struct mdev_type *all[MOST_TYPES];
	char ids[MOST_TYPES][8], names[MOST_TYPES][LONGEST_NAME];
};

struct vgpu {
	struct vfio_device vdev;
	struct gpu *gpu;
	struct vf *vf;
	u8 config[GUEST_CONFIG_SIZE];
};

static const struct vgpu_type *type_of(struct mdev_type *type)
{
	const struct parent *parent = container_of(type->parent, struct parent, parent);

	return &vgpu_types[type - parent->types];
}

static struct vgpu *vgpu_of(struct vfio_device *device)
{
	return container_of(device, struct vgpu, vdev);
}

/* ---- config space of the guest ---- */

/* Its class is no VGA: QEMU 7.2 ends itself over such a device of NVIDIA's without BAR 0. */
static void fill_config(struct vgpu *vgpu)
{
	memcpy(vgpu->config, vgpu->gpu->pf.content, PCI_STD_HEADER_SIZEOF);
	vgpu->config[PCI_COMMAND] = vgpu->config[PCI_COMMAND + 1] = 0;
	vgpu->config[PCI_STATUS] = 0;
	vgpu->config[PCI_CAPABILITY_LIST] = 0;
}

/* *where: the place in config space that a file's offset is for. */
static bool find_place(loff_t offset, size_t size, size_t *where)
{
	u64 place = (u64)offset & (BIT_ULL(REGION_SHIFT) - 1);

	*where = place;
	return (u64)offset >> REGION_SHIFT == VFIO_PCI_CONFIG_REGION_INDEX && size <= GUEST_CONFIG_SIZE &&
	       place + size <= GUEST_CONFIG_SIZE;
}

static ssize_t read_device(struct vfio_device *device, char __user *out, size_t size, loff_t *offset)
{
	size_t where;

	if (!find_place(*offset, size, &where))
		return -EINVAL;
	if (copy_to_user(out, vgpu_of(device)->config + where, size))
		return -EFAULT;
	*offset += size;
	return size;
}

static bool can_be_written(size_t where)
{
	return where == PCI_COMMAND || where == PCI_COMMAND + 1 || where == PCI_INTERRUPT_LINE;
}

static ssize_t write_device(struct vfio_device *device, const char __user *in, size_t size, loff_t *offset)
{
	u8 bytes[MOST_BYTES];
	size_t where, i;

	if (size > MOST_BYTES || !find_place(*offset, size, &where))
		return -EINVAL;
	if (copy_from_user(bytes, in, size))
		return -EFAULT;
	for (i = 0; i < size; i++)
		if (can_be_written(where + i))
			vgpu_of(device)->config[where + i] = bytes[i];
	*offset += size;
	return size;
}

/* ---- what VFIO asks ---- */

static long get_info(void __user *argument)
{
	const size_t size = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info;

	if (copy_from_user(&info, argument, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(argument, &info, size) ? -EFAULT : 0;
}

static long get_region_info(void __user *argument)
{
	const size_t size = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info;

	if (copy_from_user(&info, argument, size))
		return -EFAULT;
	if (info.argsz < size || info.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info.size = info.index == VFIO_PCI_CONFIG_REGION_INDEX ? GUEST_CONFIG_SIZE : 0;
	info.flags = info.size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	info.cap_offset = 0;
	info.offset = (u64)info.index << REGION_SHIFT;
	return copy_to_user(argument, &info, size) ? -EFAULT : 0;
}

static long get_irq_info(void __user *argument)
{
	const size_t size = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;

	if (copy_from_user(&info, argument, size))
		return -EFAULT;
	if (info.argsz < size || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.flags = 0;
	info.count = 0;
	return copy_to_user(argument, &info, size) ? -EFAULT : 0;
}

static long control_device(struct vfio_device *device, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;

	switch (command) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(user);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(user);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq_info(user);
	case VFIO_DEVICE_SET_IRQS:
	case VFIO_DEVICE_RESET:
		return 0;
	}
	return -ENOTTY;
}

static int open_device(struct vfio_device *device)
{
	vgpu_open(vgpu_of(device)->gpu, vgpu_of(device)->vf);
	return 0;
}

static void close_device(struct vfio_device *device)
{
	vgpu_close(vgpu_of(device)->gpu, vgpu_of(device)->vf);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
static void release_device(struct vfio_device *device)
{
	vfio_free_device(device);
}
#endif

static const struct vfio_device_ops vfio_operations = {
	.name = "nvidia-vgpu-mdev",
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	.release = release_device,
#else
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
#endif
	.open_device = open_device,
	.close_device = close_device,
	.read = read_device,
	.write = write_device,
	.ioctl = control_device,
};

/* ---- UUID/nvidia/vgpu_params ---- */

static ssize_t vgpu_params_show(struct device *dev, struct device_attribute *attribute, char *page)
{
	struct vgpu *vgpu = dev_get_drvdata(dev);
	ssize_t length;

	mutex_lock(&vgpu->gpu->lock);
	length = vgpu_show_params(vgpu->vf, page);
	mutex_unlock(&vgpu->gpu->lock);
	return length;
}

static ssize_t vgpu_params_store(struct device *dev, struct device_attribute *attribute, const char *text,
				 size_t length)
{
	struct vgpu *vgpu = dev_get_drvdata(dev);
	int result;

	mutex_lock(&vgpu->gpu->lock);
	result = vgpu_set_params(vgpu->vf, text, length);
	mutex_unlock(&vgpu->gpu->lock);
	return result < 0 ? result : (ssize_t)length;
}
static DEVICE_ATTR_RW(vgpu_params);

static struct attribute *attributes[] = {&dev_attr_vgpu_params.attr, NULL};
static const struct attribute_group nvidia_group = {.name = "nvidia", .attrs = attributes};

/* ---- made and removed ---- */

/* No room is ENOSPC, as with other drivers of mediated devices. */
static int take(struct gpu *gpu, struct vf *vf, const struct vgpu_type *type)
{
	int result = vgpu_stumble();

	if (result < 0)
		return result;
	mutex_lock(&gpu->lock);
	if (vf->type || !vgpu_fits(gpu, type))
		result = -ENOSPC;
	else
		vgpu_set(vf, type);
	mutex_unlock(&gpu->lock);
	return result;
}

static void give_back(struct gpu *gpu, struct vf *vf)
{
	mutex_lock(&gpu->lock);
	vgpu_set(vf, NULL);
	mutex_unlock(&gpu->lock);
}

static int register_vgpu(struct vgpu *vgpu, struct mdev_device *mdev)
{
	int result;

	dev_set_drvdata(&mdev->dev, vgpu);
	result = vfio_register_emulated_iommu_dev(&vgpu->vdev);
	if (result < 0)
		return result;
	result = device_add_group(&mdev->dev, &nvidia_group);
	if (result < 0)
		vfio_unregister_group_dev(&vgpu->vdev);
	return result;
}

static int probe(struct mdev_device *mdev)
{
	struct pci_dev *pdev = to_pci_dev(mdev->type->parent->dev);
	struct gpu *gpu = gpu_of(pdev);
	struct vf *vf = vf_of(pdev);
	struct vgpu *vgpu;
	int result = take(gpu, vf, type_of(mdev->type));

	if (result < 0)
		return result;
	vgpu = vfio_alloc_device(vgpu, vdev, &mdev->dev, &vfio_operations);
	if (IS_ERR(vgpu)) {
		give_back(gpu, vf);
		return PTR_ERR(vgpu);
	}
	vgpu->gpu = gpu;
	vgpu->vf = vf;
	fill_config(vgpu);
	result = register_vgpu(vgpu, mdev);
	if (result < 0) {
		vfio_put_device(&vgpu->vdev);
		give_back(gpu, vf);
	}
	return result;
}

/* How long the driver still keeps what a guest has let go of. */
static void wait_settled(struct vgpu *vgpu)
{
	bool held;

	for (;;) {
		mutex_lock(&vgpu->gpu->lock);
		held = vgpu_is_held(vgpu->vf);
		mutex_unlock(&vgpu->gpu->lock);
		if (!held)
			return;
		schedule_timeout_uninterruptible(HZ / 20);
	}
}

/* VFIO waits for who has it open: a mediated device cannot refuse to go (since Linux 5.14). */
static void remove(struct mdev_device *mdev)
{
	struct vgpu *vgpu = dev_get_drvdata(&mdev->dev);
	struct gpu *gpu = vgpu->gpu;
	struct vf *vf = vgpu->vf;

	vfio_unregister_group_dev(&vgpu->vdev);
	wait_settled(vgpu);
	device_remove_group(&mdev->dev, &nvidia_group);
	vfio_put_device(&vgpu->vdev);
	give_back(gpu, vf);
}

static unsigned int get_available(struct mdev_type *type)
{
	struct pci_dev *pdev = to_pci_dev(type->parent->dev);
	struct gpu *gpu = gpu_of(pdev);
	bool available;

	mutex_lock(&gpu->lock);
	available = !vf_of(pdev)->type && vgpu_fits(gpu, type_of(type));
	mutex_unlock(&gpu->lock);
	return available;
}

static ssize_t show_description(struct mdev_type *type, char *page)
{
	return vgpu_type_describe(type_of(type), page);
}

static struct mdev_driver driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.driver = {.name = "nvidia-vgpu-vfio", .owner = THIS_MODULE, .mod_name = KBUILD_MODNAME},
	.probe = probe,
	.remove = remove,
	.get_available = get_available,
	.show_description = show_description,
};

/* ---- the mdev core, if there is to be one ---- */

static const struct mdev_core *core;

int mdev_vgpu_init(void)
{
	int result;

	if (!knob_is_mdev())
		return 0;
	request_module(MDEV_MODULE);
	core = symbol_get(lookalike_mdev_core);
	if (!core)
		return -ENOENT;
	result = core->register_driver(&driver);
	if (result < 0)
		symbol_put(lookalike_mdev_core);
	return result;
}

void mdev_vgpu_exit(void)
{
	if (!knob_is_mdev())
		return;
	core->unregister_driver(&driver);
	symbol_put(lookalike_mdev_core);
}

int mdev_vgpu_probe(struct pci_dev *pdev)
{
	struct parent *parent = kzalloc(sizeof(*parent), GFP_KERNEL);
	unsigned int i;
	int result;

	if (!parent)
		return -ENOMEM;
	for (i = 0; i < vgpu_type_count && i < MOST_TYPES; i++) {
		snprintf(parent->ids[i], sizeof(parent->ids[i]), "%u", vgpu_types[i].id);
		parent->types[i].sysfs_name = parent->ids[i];
		parent->types[i].pretty_name = vgpu_type_name(&vgpu_types[i], parent->names[i]);
		parent->all[i] = &parent->types[i];
	}
	dev_set_drvdata(&pdev->dev, parent);
	result = core->register_parent(&parent->parent, &pdev->dev, &driver, parent->all, i);
	if (result < 0)
		kfree(parent);
	return result;
}

void mdev_vgpu_remove(struct pci_dev *pdev)
{
	struct parent *parent = dev_get_drvdata(&pdev->dev);

	core->unregister_parent(&parent->parent);
	kfree(parent);
}

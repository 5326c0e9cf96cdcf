// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/nvidiaN and /proc/driver/nvidia. As NVIDIA's open kernel modules have it (nv.c, nv-pci.c, nv-procfs.c): writing
 * 1 to unbindLock takes it if nobody has the GPU open, and fails in no case; who opens the GPU then gets ENODEV;
 * unbinding the driver waits until nobody has it open. The device numbers are others than NVIDIA's.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "gpu.h"

static struct proc_dir_entry *proc_nvidia, *proc_gpus;

/* ---- the node ---- */

static struct gpu *gpu_of_file(struct file *file)
{
	return container_of((struct miscdevice *)file->private_data, struct gpu, node);
}

static int open_node(struct inode *inode, struct file *file)
{
	struct gpu *gpu = gpu_of_file(file);
	int result = 0;

	mutex_lock(&gpu->lock);
	if (gpu->unbind_lock || gpu->leaving)
		result = -ENODEV;
	else
		gpu->clients++;
	mutex_unlock(&gpu->lock);
	return result;
}

static int close_node(struct inode *inode, struct file *file)
{
	struct gpu *gpu = gpu_of_file(file);

	mutex_lock(&gpu->lock);
	gpu->clients--;
	mutex_unlock(&gpu->lock);
	wake_up_all(&gpu->unused);
	return 0;
}

static const struct file_operations node_operations = {.owner = THIS_MODULE, .open = open_node, .release = close_node};

static bool is_unused(struct gpu *gpu)
{
	bool unused;

	mutex_lock(&gpu->lock);
	unused = gpu->clients == 0;
	mutex_unlock(&gpu->lock);
	return unused;
}

/* ---- gpus/BDF ---- */

static int show_information(struct seq_file *file, void *unused)
{
	struct gpu *gpu = file->private;

	seq_printf(file,
		   "Model: \t\t NVIDIA A16\nIRQ:   \t\t %u\nGPU UUID: \t GPU-6e614d65-9370-4163-8520-3031000000%02x\n"
		   "Video BIOS: \t 94.07.5d.00.01\nBus Type: \t PCIe\nDMA Size: \t 47 bits\n"
		   "DMA Mask: \t 0x7fffffffffff\nBus Location: \t %04x:%02x:00.0\nDevice Minor: \t %u\n"
		   "GPU Firmware: \t " DRIVER_VERSION "\nGPU Excluded:\t No\n",
		   64 + gpu->minor, gpu->minor, pci_domain_nr(gpu->bus), gpu->bus->number, gpu->minor);
	return 0;
}

static int show_unbind_lock(struct seq_file *file, void *unused)
{
	struct gpu *gpu = file->private;

	mutex_lock(&gpu->lock);
	seq_printf(file, "%d\n", gpu->unbind_lock);
	mutex_unlock(&gpu->lock);
	return 0;
}

static int open_unbind_lock(struct inode *inode, struct file *file)
{
	return single_open(file, show_unbind_lock, pde_data(inode));
}

static ssize_t write_unbind_lock(struct file *file, const char __user *text, size_t length, loff_t *offset)
{
	struct gpu *gpu = pde_data(file_inode(file));
	unsigned int value;
	int result = kstrtouint_from_user(text, length, 0, &value);

	if (result < 0)
		return -EINVAL;
	mutex_lock(&gpu->lock);
	gpu->unbind_lock = value != 0 && (gpu->unbind_lock || gpu->clients == 0);
	mutex_unlock(&gpu->lock);
	return length;
}

static const struct proc_ops unbind_lock_operations = {
	.proc_open = open_unbind_lock,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = write_unbind_lock,
};

static int show_in_proc(struct gpu *gpu, struct pci_dev *pdev)
{
	gpu->proc = proc_mkdir(pci_name(pdev), proc_gpus);
	if (gpu->proc && proc_create_single_data("information", 0444, gpu->proc, show_information, gpu) &&
	    proc_create_data("unbindLock", 0644, gpu->proc, &unbind_lock_operations, gpu))
		return 0;
	proc_remove(gpu->proc);
	gpu->proc = NULL;
	return -ENOMEM;
}

int client_node_show(struct gpu *gpu, struct pci_dev *pdev)
{
	int result;

	mutex_lock(&gpu->lock);
	gpu->unbind_lock = gpu->leaving = false;
	mutex_unlock(&gpu->lock);
	snprintf(gpu->node_name, sizeof(gpu->node_name), "nvidia%u", gpu->minor);
	gpu->node = (struct miscdevice){
		.minor = MISC_DYNAMIC_MINOR, .name = gpu->node_name, .fops = &node_operations, .mode = 0666};
	result = show_in_proc(gpu, pdev);
	if (result < 0)
		return result;
	result = misc_register(&gpu->node);
	if (result < 0)
		proc_remove(gpu->proc);
	return result;
}

void client_node_hide(struct gpu *gpu)
{
	mutex_lock(&gpu->lock);
	gpu->leaving = true;
	if (gpu->clients > 0)
		pr_info("NVRM: Attempting to remove device %04x:%02x:00.0 with non-zero usage count!\n",
			pci_domain_nr(gpu->bus), gpu->bus->number);
	mutex_unlock(&gpu->lock);
	wait_event(gpu->unused, is_unused(gpu));
	misc_deregister(&gpu->node);
	proc_remove(gpu->proc);
	gpu->proc = NULL;
}

/* ---- what there is once ---- */

static int show_version(struct seq_file *file, void *unused)
{
	seq_puts(file, "NVRM version: NVIDIA UNIX x86_64 Kernel Module  " DRIVER_VERSION
		       "  Wed Jan  8 04:21:30 UTC 2025\nGCC version:  gcc version 12.2.0 (look-alike)\n");
	return 0;
}

static char *registry_dwords = "", *registry_dwords_per_device = "";
module_param_named(NVreg_RegistryDwords, registry_dwords, charp, 0444);
module_param_named(NVreg_RegistryDwordsPerDevice, registry_dwords_per_device, charp, 0444);
MODULE_PARM_DESC(NVreg_RegistryDwords, "as NVIDIA's: RmPVMRL=0x01 is the scheduler equal share");

static int show_params(struct seq_file *file, void *unused)
{
	seq_printf(file,
		   "ResmanDebugLevel: 4294967295\nRmLogonRC: 1\nModifyDeviceFiles: 1\nDeviceFileUID: 0\n"
		   "DeviceFileGID: 0\nDeviceFileMode: 438\nEnableMSI: 1\nEnableGpuFirmware: 18\n"
		   "RegistryDwords: \"%s\"\nRegistryDwordsPerDevice: \"%s\"\nRmMsg: \"\"\nGpuBlacklist: \"\"\n"
		   "ExcludedGpus: \"\"\n",
		   registry_dwords, registry_dwords_per_device);
	return 0;
}

static const struct file_operations control_operations = {.owner = THIS_MODULE};
static struct miscdevice control = {
	.minor = MISC_DYNAMIC_MINOR, .name = "nvidiactl", .fops = &control_operations, .mode = 0666};

int clients_init(void)
{
	int result;

	proc_nvidia = proc_mkdir("driver/nvidia", NULL);
	proc_gpus = proc_nvidia ? proc_mkdir("gpus", proc_nvidia) : NULL;
	if (!proc_gpus || !proc_create_single("version", 0444, proc_nvidia, show_version) ||
	    !proc_create_single("params", 0444, proc_nvidia, show_params)) {
		proc_remove(proc_nvidia);
		return -ENOMEM;
	}
	result = misc_register(&control);
	if (result < 0)
		proc_remove(proc_nvidia);
	return result;
}

void clients_exit(void)
{
	misc_deregister(&control);
	proc_remove(proc_nvidia);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Config space of a GPU and its VFs: bytes, and which bits of them can be written. The offsets of the capabilities are
 * made up; what is in them is what the kernel looks at (include/uapi/linux/pci_regs.h).
 */
#include "gpu.h"
#include "knobs.h"

enum {
	PM = 0x60,
	EXPRESS = 0x78,
	EXTENDED = 0x100, /* SR-IOV of a PF, ARI of a VF */
	ARI = 0x140,
	EXT_CAP_ID_ARI = 0x0e,
	SUBSTITUTE_HDA = 0x488, /* read by the kernel's quirk for GPUs with sound, which this bit keeps quiet */
	CLASS_3D = 0x030200a1,
	LINK_X16_GEN4 = 16 << 4 | 4,
	PAGE_SIZES = 0x553,
	VF_BAR_SIZE = 4096, /* NVIDIA's are gigabytes; the root ports of QEMU have room for 2 MiB */
};

static void put8(struct function *function, int offset, u8 value, u8 writable)
{
	function->content[offset] = value;
	function->writable[offset] = writable;
}

static void put16(struct function *function, int offset, u16 value, u16 writable)
{
	put8(function, offset, value & 0xff, writable & 0xff);
	put8(function, offset + 1, value >> 8, writable >> 8);
}

static void put32(struct function *function, int offset, u32 value, u32 writable)
{
	put16(function, offset, value & 0xffff, writable & 0xffff);
	put16(function, offset + 2, value >> 16, writable >> 16);
}

static u16 get16(const struct function *function, int offset)
{
	return function->content[offset] | function->content[offset + 1] << 8;
}

static void fill_common(struct function *function)
{
	put16(function, PCI_COMMAND, 0,
	      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	put16(function, PCI_STATUS, PCI_STATUS_CAP_LIST, 0);
	put32(function, PCI_CLASS_REVISION, CLASS_3D, 0);
	put16(function, PCI_SUBSYSTEM_VENDOR_ID, PCI_VENDOR_ID_NVIDIA, 0);
	put16(function, EXPRESS, PCI_CAP_ID_EXP, 0);
	put16(function, EXPRESS + PCI_EXP_FLAGS, 2, 0);
	put32(function, EXPRESS + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER | 1, 0);
	put32(function, EXPRESS + PCI_EXP_LNKCAP, LINK_X16_GEN4, 0);
	put32(function, SUBSTITUTE_HDA, BIT(25), 0);
}

/* Vendor and device of a VF read as ffff (PCI Express Base, SR-IOV): they are the PF's, and those in its capability. */
void config_fill_vf(struct function *function)
{
	fill_common(function);
	put16(function, PCI_VENDOR_ID, 0xffff, 0);
	put16(function, PCI_DEVICE_ID, 0xffff, 0);
	put8(function, PCI_CAPABILITY_LIST, EXPRESS, 0);
	put32(function, EXTENDED, EXT_CAP_ID_ARI | 1 << 16, 0);
}

static void fill_sriov(struct function *function)
{
	put32(function, EXTENDED, PCI_EXT_CAP_ID_SRIOV | 1 << 16 | ARI << 20, 0);
	put16(function, EXTENDED + PCI_SRIOV_CTRL, 0, 0x001f);
	put16(function, EXTENDED + PCI_SRIOV_INITIAL_VF, knob_totalvfs, 0);
	put16(function, EXTENDED + PCI_SRIOV_TOTAL_VF, knob_totalvfs, 0);
	put16(function, EXTENDED + PCI_SRIOV_NUM_VF, 0, 0xffff);
	put16(function, EXTENDED + PCI_SRIOV_VF_OFFSET, knob_vf_offset, 0);
	put16(function, EXTENDED + PCI_SRIOV_VF_STRIDE, knob_vf_stride, 0);
	put16(function, EXTENDED + PCI_SRIOV_VF_DID, knob_vf_device, 0);
	put32(function, EXTENDED + PCI_SRIOV_SUP_PGSIZE, PAGE_SIZES, 0);
	put32(function, EXTENDED + PCI_SRIOV_SYS_PGSIZE, 1, PAGE_SIZES);
	put32(function, EXTENDED + PCI_SRIOV_BAR, PCI_BASE_ADDRESS_SPACE_MEMORY, ~(u32)(VF_BAR_SIZE - 1));
	put32(function, ARI, EXT_CAP_ID_ARI | 1 << 16, 0);
}

void config_fill_pf(struct function *function)
{
	fill_common(function);
	put16(function, PCI_VENDOR_ID, PCI_VENDOR_ID_NVIDIA, 0);
	put16(function, PCI_DEVICE_ID, knob_device, 0);
	put16(function, PCI_SUBSYSTEM_ID, knob_subsystem, 0);
	put8(function, PCI_CAPABILITY_LIST, PM, 0);
	put16(function, PM, PCI_CAP_ID_PM | EXPRESS << 8, 0);
	put16(function, PM + PCI_PM_PMC, 3, 0);
	put16(function, PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET, PCI_PM_CTRL_STATE_MASK);
	put16(function, EXPRESS + PCI_EXP_DEVCTL, 0, 0x7fff);
	put16(function, EXPRESS + PCI_EXP_LNKCTL, 0, 0x01ff);
	put16(function, EXPRESS + PCI_EXP_LNKSTA, LINK_X16_GEN4, 0);
	put16(function, EXPRESS + PCI_EXP_DEVCTL2, 0, 0xffff);
	fill_sriov(function);
}

/* ---- accesses ---- */

static struct gpu *gpu_on(const struct pci_bus *bus)
{
	unsigned int i;

	for (i = 0; i < gpu_count; i++)
		if (gpus[i]->bus == bus)
			return gpus[i];
	return NULL;
}

/* With gpu->config_lock held. A VF answers while the PF has VFs enabled, and so many. */
static struct function *find_function(struct gpu *gpu, unsigned int devfn)
{
	u16 control = get16(&gpu->pf, EXTENDED + PCI_SRIOV_CTRL);
	u16 enabled = get16(&gpu->pf, EXTENDED + PCI_SRIOV_NUM_VF);
	unsigned int index;

	if (devfn == 0)
		return &gpu->pf;
	if (!(control & PCI_SRIOV_CTRL_VFE) || devfn < knob_vf_offset || (devfn - knob_vf_offset) % knob_vf_stride != 0)
		return NULL;
	index = (devfn - knob_vf_offset) / knob_vf_stride;
	return index < knob_totalvfs && index < enabled ? &gpu->vf_functions[index] : NULL;
}

static u32 load(const struct function *function, int offset, int size)
{
	u32 value = 0;
	int i;

	for (i = 0; i < size; i++)
		value |= (u32)function->content[offset + i] << (8 * i);
	return value;
}

static void store(struct function *function, int offset, int size, u32 value)
{
	int i;

	for (i = 0; i < size; i++, value >>= 8) {
		u8 writable = function->writable[offset + i];

		function->content[offset + i] = (function->content[offset + i] & ~writable) | (value & writable);
	}
}

/* NumVFs cannot be changed while VFs are enabled. */
static bool is_frozen(const struct gpu *gpu, const struct function *function, int offset)
{
	return function == &gpu->pf && offset == EXTENDED + PCI_SRIOV_NUM_VF &&
	       (get16(function, EXTENDED + PCI_SRIOV_CTRL) & PCI_SRIOV_CTRL_VFE);
}

static int config_read(struct pci_bus *bus, unsigned int devfn, int offset, int size, u32 *value)
{
	struct gpu *gpu = gpu_on(bus);
	struct function *function;
	unsigned long flags;

	*value = ~0U;
	if (!gpu || offset < 0 || offset + size > CONFIG_SIZE)
		return PCIBIOS_BAD_REGISTER_NUMBER;
	raw_spin_lock_irqsave(&gpu->config_lock, flags);
	function = find_function(gpu, devfn);
	if (function)
		*value = load(function, offset, size);
	raw_spin_unlock_irqrestore(&gpu->config_lock, flags);
	return function ? PCIBIOS_SUCCESSFUL : PCIBIOS_DEVICE_NOT_FOUND;
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int offset, int size, u32 value)
{
	struct gpu *gpu = gpu_on(bus);
	struct function *function;
	unsigned long flags;

	if (!gpu || offset < 0 || offset + size > CONFIG_SIZE)
		return PCIBIOS_BAD_REGISTER_NUMBER;
	raw_spin_lock_irqsave(&gpu->config_lock, flags);
	function = find_function(gpu, devfn);
	if (function && !is_frozen(gpu, function, offset))
		store(function, offset, size, value);
	raw_spin_unlock_irqrestore(&gpu->config_lock, flags);
	return function ? PCIBIOS_SUCCESSFUL : PCIBIOS_DEVICE_NOT_FOUND;
}

struct pci_ops config_ops = {.read = config_read, .write = config_write};

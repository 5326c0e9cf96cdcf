/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Config space, read by libpci: who a device is, and what its SR-IOV capability says. The only file that knows libpci.
 *
 * On the real machine libpci reads for itself, a few words where it finds them: all 4096 bytes are a thousand slow
 * reads on the bus. Of any other tree it is given the bytes, and no path.
 */
#include <pci/pci.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "host/host_internal.h"

enum { HEADER_SIZE = 64 };

/* ---- the fence ---- */

/*
 * libpci's fatal error must not return, and by default ends the process; it is given no context either, so the way back
 * is kept by thread, and only for the length of one call.
 */
struct fence {
	jmp_buf way_back;
	char message[256];
};
static _Thread_local struct fence *current_fence;

static void on_error(char *format, ...) GP_PRINTF(1, 2) __attribute__((noreturn));
static void on_error(char *format, ...)
{
	struct fence *fence = current_fence;
	if (fence == NULL)
		abort(); /* libpci is called inside the fence only */
	va_list args;
	va_start(args, format);
	vsnprintf(fence->message, sizeof(fence->message), format, args);
	va_end(args);
	longjmp(fence->way_back, 1);
}

static void on_remark(char *format, ...) GP_PRINTF(1, 2);
static void on_remark(char *format GP_UNUSED, ...) {}

static int start_libpci(struct pci_access *pci, void *context)
{
	const struct gp_host *host = context;
	pci->method = PCI_ACCESS_SYS_BUS_PCI;
	pci->error = on_error;
	pci->warning = on_remark;
	pci->debug = on_remark;
	/* A tree that is not the kernel's may hold links to anywhere: there libpci is given the bytes, and no path. */
	char nowhere[] = "/proc/self/fd/none";
	char param[] = "sysfs.path";
	if (host->kind != GP_HOST_LIVE)
		pci_set_param(pci, param, nowhere);
	pci_init(pci);
	return 0;
}

static int stop_libpci(struct pci_access *pci, void *context GP_UNUSED)
{
	pci_cleanup(pci);
	return 0;
}

/* 0 or what the call returned; 1 and a message when libpci gave up. */
static int call_fenced(struct pci_access *pci, int (*call)(struct pci_access *pci, void *context), void *context,
		       struct fence *fence)
{
	current_fence = fence;
	int result = setjmp(fence->way_back) == 0 ? call(pci, context) : 1;
	current_fence = NULL;
	return result;
}

void gp_pci_close(struct gp_host *host)
{
	struct fence fence = {0};
	if (host->pci != NULL)
		call_fenced(host->pci, stop_libpci, NULL, &fence);
	host->pci = NULL;
}

int gp_pci_fenced(struct gp_host *host, int (*call)(struct pci_access *pci, void *context), void *context,
		  struct gp_error *err)
{
	struct fence fence = {0};
	pthread_mutex_lock(&host->pci_lock);
	int result = 0;
	if (host->pci == NULL) {
		host->pci = pci_alloc();
		result = call_fenced(host->pci, start_libpci, host, &fence);
	}
	if (result == 0)
		result = call_fenced(host->pci, call, context, &fence);
	if (result == 1)
		gp_pci_close(host);
	pthread_mutex_unlock(&host->pci_lock);
	if (result == 1)
		return gp_fail(err, GP_E_IO, "libpci gave up: %s", fence.message);
	return result;
}

/* ---- config space ---- */

struct question {
	struct gp_pci_addr addr;
	const uint8_t *bytes; /* GP_PCI_CONFIG_SIZE of them; NULL: libpci reads for itself */
	struct gp_pci_config *config;
};

static uint16_t word_at(const uint8_t *header, int at)
{
	return (uint16_t)(header[at] | header[at + 1] << 8);
}

static void take_identity(const uint8_t *header, struct gp_pci_config *config)
{
	config->vendor = word_at(header, PCI_VENDOR_ID);
	config->device = word_at(header, PCI_DEVICE_ID);
	config->subsystem_vendor = word_at(header, PCI_SUBSYSTEM_VENDOR_ID);
	config->subsystem_device = word_at(header, PCI_SUBSYSTEM_ID);
	/* All ones: the device does not answer just now. */
	config->identity_known = config->vendor != 0xffff && config->vendor != 0;
}

static void take_capability(struct pci_dev *device, struct gp_pci_config *config)
{
	const struct pci_cap *cap = pci_find_cap(device, PCI_EXT_CAP_ID_SRIOV, PCI_CAP_EXTENDED);
	if (cap == NULL)
		return;
	int at = (int)cap->addr;
	config->vf_enable = (pci_read_word(device, at + PCI_IOV_CTRL) & PCI_IOV_CTRL_VFE) != 0;
	config->num_vfs = pci_read_word(device, at + PCI_IOV_NUMVF);
	config->vf_offset = pci_read_word(device, at + PCI_IOV_OFFSET);
	config->vf_stride = pci_read_word(device, at + PCI_IOV_STRIDE);
	config->capability_known = true;
}

/* When libpci gives up half-way, the device stays unfreed: nobody knows what state it is in. */
static int answer_question(struct pci_access *pci, void *context)
{
	const struct question *question = context;
	struct gp_pci_addr addr = question->addr;
	uint8_t header[HEADER_SIZE];
	struct pci_dev *device = pci_get_dev(pci, (int)addr.domain, addr.bus, addr.slot, addr.function);
	bool readable = true;
	if (question->bytes != NULL) {
		/* Words are read from the cache, which is never written; a block is not. */
		pci_setup_cache(device, (uint8_t *)question->bytes, GP_PCI_CONFIG_SIZE);
		memcpy(header, question->bytes, sizeof(header));
	} else {
		readable = pci_read_block(device, 0, header, sizeof(header)) != 0;
	}
	if (readable) {
		take_identity(header, question->config);
		take_capability(device, question->config);
	}
	pci_free_dev(device);
	return 0;
}

int gp_pci_read_config(struct gp_host *host, struct gp_pci_addr addr, const uint8_t *bytes,
		       struct gp_pci_config *config, struct gp_error *err)
{
	struct question question = {addr, bytes, config};
	*config = (struct gp_pci_config){0};
	return gp_pci_fenced(host, answer_question, &question, err);
}

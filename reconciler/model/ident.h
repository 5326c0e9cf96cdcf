/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How things are named: PCI addresses, UUIDs, VFs that may not exist yet. */
#ifndef GP_MODEL_IDENT_H
#define GP_MODEL_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* domain:bus:slot.function, as in /sys/bus/pci/devices ("0000:41:00.0"). */
struct gp_pci_addr {
	uint32_t domain;
	uint8_t bus;
	uint8_t slot;     /* 0…31 */
	uint8_t function; /* 0…7 */
};

enum { GP_PCI_ADDR_SIZE = 24 }; /* room for any printed address, with NUL */

int gp_pci_addr_parse(const char *text, struct gp_pci_addr *out); /* "0000:41:00.0" or "41:00.0"; -1 otherwise */
const char *gp_pci_addr_format(struct gp_pci_addr addr, char out[GP_PCI_ADDR_SIZE]); /* returns out */
int gp_pci_addr_compare(struct gp_pci_addr a, struct gp_pci_addr b);
/* Bus, slot and function as one number; the routing ID of VF i is RID(PF) + offset + i × stride (PCIe SR-IOV 1.1
 * §2.1.2). */
uint16_t gp_pci_addr_rid(struct gp_pci_addr addr);
struct gp_pci_addr gp_pci_addr_from_rid(uint32_t domain, uint32_t rid);

struct gp_uuid {
	uint8_t bytes[16];
};
enum { GP_UUID_SIZE = 37 };
int gp_uuid_parse(const char *text, struct gp_uuid *out);
const char *gp_uuid_format(struct gp_uuid uuid, char out[GP_UUID_SIZE]);
bool gp_uuid_equal(struct gp_uuid a, struct gp_uuid b);
bool gp_uuid_is_null(struct gp_uuid uuid);
/* RFC 9562, version 5: the same for the same name in the same name space, everywhere. */
struct gp_uuid gp_uuid_from_name(struct gp_uuid space, const char *name);
/* The mediated device of the nth partition that a VM asks for: the same on every host that could run the VM. */
struct gp_uuid gp_mdev_uuid(struct gp_uuid domain, uint32_t request);

/* A VF is named by its PF and its index (virtfnN): its address and IOMMU group may change, and before it is enabled it
 * has neither. */
struct gp_vf_ref {
	struct gp_pci_addr pf;
	uint32_t index;
};
enum { GP_VF_REF_SIZE = 40 };
const char *gp_vf_ref_format(struct gp_vf_ref vf, char out[GP_VF_REF_SIZE]); /* "vf:0000:41:00.0/3" */
int gp_vf_ref_parse(const char *text, struct gp_vf_ref *out);

/* Our mark on a hostdev. libvirt keeps aliases that begin with "ua-" and hold only [A-Za-z0-9_-]; others vanish
 * silently. */
#define GP_ALIAS_PREFIX "ua-gpupart-"
bool gp_alias_is_ours(const char *alias); /* NULL is not */
/* "ua-gpupart-0-vdi": the nth partition that the VM asks for, and its class. */
const char *gp_alias_format(struct gp_str *out, uint32_t request, const char *class_name);
/* 0 and both parts (class_name points into alias), or -1 for another form. */
int gp_alias_parse(const char *alias, uint32_t *request, const char **class_name);

/* The XML namespace of our element in a domain's <metadata>. */
#define GP_METADATA_URI    "urn:gpupart:domain:1"
#define GP_METADATA_PREFIX "gpupart"

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of registry.c. Private to this room. */
#ifndef GP_VENDOR_BACKENDS_H
#define GP_VENDOR_BACKENDS_H

#include "vendor/vendor.h"

/* What match() returns. Higher is more specific. */
enum {
	GP_MATCH_NOT_MINE = 0,
	GP_MATCH_ANYTHING = 1,    /* the last row */
	GP_MATCH_CAPABILITY = 10, /* has SR-IOV */
	GP_MATCH_FAMILY = 100     /* this vendor or this driver */
};

extern const struct gp_vendor gp_vendor_nvidia;        /* nvidia.c */
extern const struct gp_vendor gp_vendor_gim;           /* unsupported.c */
extern const struct gp_vendor gp_vendor_generic_sriov; /* generic_sriov.c */
extern const struct gp_vendor gp_vendor_none;          /* unsupported.c */

/* vfio-pci and the variant drivers, all of which have "vfio" in their name: they hold a device for nobody by
 * themselves. */
bool gp_is_vfio_driver(const char *driver);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joins what was read apart: which hostdev is which VF, and who therefore holds it. Pure. */
#ifndef GP_RUN_JOIN_H
#define GP_RUN_JOIN_H

#include "model/observed.h"

/* Resolves every PCI hostdev of every domain to (GPU, VF index), and adds the domains that name a VF to its holders. */
void gp_join_domains(struct gp_observed *observed);
/* Adds a holder for each VF that is bound to a driver which is neither vfio nor the vendor's own. */
void gp_join_drivers(struct gp_observed *observed);

#endif

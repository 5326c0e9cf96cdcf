/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of what a class asks of a GPU. Private to this room. */
#ifndef GP_VENDOR_FAULTS_H
#define GP_VENDOR_FAULTS_H

#include "base/diag.h"
#include "model/observed.h"

/*
 * Adds a fault of what is written. A class selects many GPUs alike: what was said of the first is not said again, but
 * its subject tells that it goes for others, too. So no message names the GPU.
 */
void gp_vendor_fault(struct gp_diags *diags, const struct gp_gpu *gpu, const char *code, struct gp_mark mark,
		     const char *message, const char *remedy);
/* Adds one of what the host is like now. */
void gp_vendor_fault_of(struct gp_diags *diags, const struct gp_gpu *gpu, enum gp_error_kind kind, const char *code,
			struct gp_mark mark, const char *message, const char *remedy);
/* Says that the SR-IOV capability could not be read, when it could not. */
void gp_say_capability(struct gp_diags *diags, const struct gp_gpu *gpu);

#endif

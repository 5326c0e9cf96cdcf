/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts of the host that `gpupart doctor` reads, for a captured tree. */
#ifndef GP_HOST_CAPTURE_HOST_H
#define GP_HOST_CAPTURE_HOST_H

#include "host/host_internal.h"

struct gp_capture_sink {
	void *context;
	int (*put)(void *context, const char *path, const char *text, struct gp_error *err);
	/* A directory that may stay empty. */
	int (*make)(void *context, const char *path, struct gp_error *err);
};

/*
 * Processors (the first one), kernel, IOMMU, VFIO modules, lockdown; who shares the IOMMU groups of these GPUs and
 * their VFs; and of the processes the first one, NVIDIA's and libvirt's daemons, and those that hang in the kernel. All
 * others stay out.
 */
int gp_host_capture_facts(struct gp_host *host, const struct gp_observed *observed, const struct gp_capture_sink *sink,
			  struct gp_error *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every word that stands for an enum, in one place: the same word in YAML, in JSON and on the screen.
 * gp_X_name() never returns NULL; gp_X_from() returns -1 for an unknown word. Tables end at the _COUNT of the enum.
 * "Not given, inherit" has no word of its own: gp_X_from() never yields it, and gp_X_words() leaves it out.
 */
#ifndef GP_MODEL_NAMES_H
#define GP_MODEL_NAMES_H

#include "model/desired.h"
#include "model/observed.h"
#include "model/plan.h"

#define GP_NAME_TABLE(type, stem)                                                                                      \
	const char *gp_##stem##_name(enum type value);                                                                 \
	int gp_##stem##_from(const char *word);                                                                        \
	const char *const *gp_##stem##_words(size_t *count);

GP_NAME_TABLE(gp_resource, resource)         /* vram encode decode compute */
GP_NAME_TABLE(gp_hold, hold)                 /* hardware, scheduler, admission, not expressible */
GP_NAME_TABLE(gp_disruption_policy, policy)  /* defer restart refuse */
GP_NAME_TABLE(gp_placement, placement)       /* pack spread */
GP_NAME_TABLE(gp_power, power)               /* keep running stopped external */
GP_NAME_TABLE(gp_bind, bind)                 /* config start */
GP_NAME_TABLE(gp_match_key, match_key)       /* address vendor device subsystem model slot numa_node */
GP_NAME_TABLE(gp_backing, backing)           /* default time-sliced mig */
GP_NAME_TABLE(gp_domain_state, domain_state) /* off running paused … */
GP_NAME_TABLE(gp_holder_kind, holder_kind)   /* domain-live domain-config vfio driver client */
GP_NAME_TABLE(gp_unfit, unfit)               /* fit no-sriov needs-backend no-driver … */
GP_NAME_TABLE(gp_host_kind, host_kind)       /* live simulated captured */
GP_NAME_TABLE(gp_hostdev_type, hostdev_type) /* pci mdev */
GP_NAME_TABLE(gp_step_kind, step_kind)   /* write bind unbind helper wait attach detach mark stop start observe-again */
GP_NAME_TABLE(gp_step_base, step_base)   /* pci mdev drm nvidia-proc debugfs modprobe.d domain */
GP_NAME_TABLE(gp_disruption, disruption) /* none partition-lost vm-device-gone vm-stopped driver-reload */
GP_NAME_TABLE(gp_guard, guard)           /* none unheld vf-unheld no-vfs off */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tells whose machine a capture is of, and what stands in its place in an anonymous one. A plan of the anonymous
 * tree is the plan of the machine, with the same words replaced: names keep their order, and mediated devices that
 * follow from a VM follow from the VM that stands for it.
 *
 *	host name               anonymous
 *	VMs                     vm-01, vm-02 … in the order of their names; files of that name as well
 *	UUIDs of VMs            from the new name
 *	mediated devices        ours: from the VM's new UUID, as ours are made; others: numbered
 *	classes (in our alias)  class-1 … in the order of their names
 *	other aliases           ua-1 …
 *	files (a guest's ROM)   /file-1 …
 *	processes               process-1 …, but for those that every such host has
 *	kernel release          its numbers, without the word that the builder gave it
 *
 * What a file of the tree may hold is said row by row in disguise_file.c; what no row speaks of stays out.
 *
 * Left as they are, since plans are made of them and other machines of the same kind have the same: PCI addresses and
 * ids, slots, drivers and their versions, sizes, vGPU types and parameters, IOMMU groups, process ids, limits, the
 * guest side of a device (its place there), who manages a VM (OpenStack, oVirt …).
 *
 * Every function takes NULL for "nothing is disguised", and hands back what it was given.
 */
#ifndef GP_HOST_DISGUISE_H
#define GP_HOST_DISGUISE_H

#include "host/host_internal.h"

enum gp_identity {
	GP_IDENTITY_HOST,
	GP_IDENTITY_VM,
	GP_IDENTITY_UUID,
	GP_IDENTITY_CLASS,
	GP_IDENTITY_ALIAS,
	GP_IDENTITY_FILE,
	GP_IDENTITY_PROCESS,
	GP_IDENTITY_KERNEL,
	GP_IDENTITY_COUNT
};

struct gp_disguise;

/* All that is learnt goes to `renames`, which must live as long. */
struct gp_disguise *gp_disguise_new(struct gp_renames *renames);
void gp_disguise_free(struct gp_disguise *disguise);

/* Before anything is asked: the domains, by name, and the UUIDs of all mediated devices of the machine. */
void gp_disguise_learn(struct gp_disguise *disguise, const char *host, const struct gp_observed *observed,
		       const struct gp_names *mdevs);

/* What stands for it. Valid as long as the list that it is in. */
const char *gp_disguise_word(struct gp_disguise *disguise, enum gp_identity kind, const char *real);
struct gp_uuid gp_disguise_uuid(struct gp_disguise *disguise, struct gp_uuid real);
/* A path of the tree, or what a link in it says: UUIDs and the kernel's release are parts of some. Caller frees. */
char *gp_disguise_path(struct gp_disguise *disguise, const char *path);
/* A copy with all its hostdevs; strings are in the arena. */
struct gp_domain gp_disguise_domain(struct gp_disguise *disguise, const struct gp_domain *real, struct gp_arena *arena);

/* What of a file may be in the tree (disguise_file.c). False: nothing, it stays out. The path is the original one. */
bool gp_disguise_content(struct gp_disguise *disguise, const char *path, const char *bytes, size_t size,
			 struct gp_str *out);

#endif

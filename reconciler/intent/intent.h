/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language: YAML files in, desired state out; and an observed host back to YAML.
 * Tables: a key of the language is one row of intent/keys.c and one entry of schema/gpupart.schema.json.
 */
#ifndef GP_INTENT_INTENT_H
#define GP_INTENT_INTENT_H

#include "base/diag.h"
#include "model/desired.h"
#include "model/observed.h"

enum { GP_INTENT_MAX_FILE = 16 * 1024 * 1024, GP_INTENT_MAX_VMS = 100 * 1000 };

/*
 * Reads and merges files and directories (*.yaml, *.yml, in name order, not recursive, dot files and editor leftovers
 * left out) and checks across objects. All faults of all files go to diags; the desired state is returned even then as
 * far as it could be read (NULL never). Whoever acts on it first asks diags->error_count.
 *
 * host: the name that `hosts:` patterns are compared with (full name, or its part before the first dot). Files for
 * other hosts are still read and checked, but not merged. That no file speaks for the host is a fault.
 *
 * Without a host (NULL, as for validate) every file counts. Names must then be unique, and policies agree, only over
 * files whose patterns some host could match both: one class may be cut otherwise in a file for another host. So what
 * such a load returns may hold a name twice; it is for looking at, not for planning.
 *
 * Not seen here, since it takes a host: two classes on one GPU, a domain that is listed by name and by UUID.
 */
struct gp_desired *gp_intent_load(const char *const *paths, size_t path_count, const char *host,
				  struct gp_diags *diags);

/* The same from texts in memory: for tests and fuzzers. */
struct gp_desired *gp_intent_load_text(const char *name, const char *text, size_t size, const char *host,
				       struct gp_diags *diags);

/*
 * `export`: the desired state that would plan to nothing on this host. One class per set of GPUs of one model and
 * count; foreign hostdevs become VMs with `adopt: true`. Planning it on the same snapshot has no steps except the
 * adoption.
 */
struct gp_export_options {
	/* Partitions that have no vgpu_params are to have none again: `vgpu_params: none`. Else that is not mentioned,
	 * and applying the file leaves alone what they have by then. */
	bool clears_params;
	/* VMs that these files do not list, and that have partitions by hand, are left out: to go back to what was is
	 * not to take over what others have made. NULL: such VMs are written with `adopt: true`. */
	const struct gp_desired *listed;
};
void gp_intent_export(const struct gp_observed *observed, struct gp_export_options options, struct gp_str *out);

/* Every key of the language as "gpus[].match.model", sorted; for the test that schema and tables agree. */
void gp_intent_list_keys(struct gp_str *out);

#endif

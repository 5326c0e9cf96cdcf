/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file as it was read, before it is merged with others. Private to this room. */
#ifndef GP_INTENT_FILE_H
#define GP_INTENT_FILE_H

#include "intent/take.h"

/* The rows of `policy`, so that the place of each can be kept. */
enum gp_policy_key {
	GP_POLICY_KEY_DISRUPTION,
	GP_POLICY_KEY_PLACEMENT,
	GP_POLICY_KEY_AT_ONCE,
	GP_POLICY_KEY_SHUTDOWN_TIMEOUT,
	GP_POLICY_KEY_FORCE_OFF,
	GP_POLICY_KEY_PROTECT,
	GP_POLICY_KEY_SRIOV_MANAGE,
	GP_POLICY_KEYS
};

struct gp_policy_draft {
	struct gp_policy values;
	struct gp_texts protect;
	struct gp_mark given[GP_POLICY_KEYS]; /* no place: not given */
};

struct gp_file {
	const struct gp_source *source;
	bool parsed;
	struct gp_texts hosts; /* none: every host */
	struct gp_mark hosts_mark;
	bool for_host; /* speaks for the host that is asked about */
	struct gp_class *classes;
	size_t class_count;
	struct gp_want_vm *vms;
	size_t vm_count, vm_room;
	struct gp_policy_draft policy;
	struct gp_mark policy_mark;
};

extern const struct gp_keys gp_keys_policy;

/* Reads one source into `file`. */
void gp_file_read(struct gp_reader *reader, struct gp_file *file, const struct gp_source *source);

/* Does the file speak for this host: by its full name, or by the part before the first dot? */
bool gp_file_is_for(const struct gp_file *file, const char *host);
/* Is there any host for which both files speak? */
bool gp_files_can_meet(const struct gp_file *a, const struct gp_file *b);
/* Is there any text that both patterns of '*' match? */
bool gp_globs_can_meet(const char *a, const char *b);

/* Checks over all files, and the desired state that they make together. */
void gp_merge(struct gp_reader *reader, const struct gp_file *files, size_t count, struct gp_desired *desired);

/* ---- names.c ---- */

/* "desktop-[01-64]": what a pattern of names stands for. Groups multiply; the last one counts fastest. */
struct gp_names;
/* NULL and *err set when it cannot be read, or is more than `most`. */
struct gp_names *gp_names_parse(struct gp_arena *arena, const char *pattern, uint64_t most, struct gp_error *err);
uint64_t gp_names_count(const struct gp_names *names);
/* The next name, in the arena; NULL after the last. */
const char *gp_names_next(struct gp_names *names, struct gp_arena *arena);
/* What is wrong with this as the name of a domain; NULL: nothing. */
const char *gp_domain_name_fault(const char *name);

#endif

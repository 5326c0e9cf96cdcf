/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The desired state: what the files ask for, parsed, checked and merged; nothing here was compared with a host yet.
 *
 * Made by intent (gp_intent_load), read by everybody else as const. Everything lives in its arena and dies with
 * gp_desired_free(). Each object carries the mark of the place that asks for it.
 */
#ifndef GP_MODEL_DESIRED_H
#define GP_MODEL_DESIRED_H

#include "base/arena.h"
#include "base/source.h"
#include "model/ident.h"

/* The four resources that a partition has a part of; the same four as Hyper-V's GPU-P. */
enum gp_resource { GP_VRAM, GP_ENCODE, GP_DECODE, GP_COMPUTE, GP_RESOURCE_COUNT };

enum gp_unit {
	GP_UNIT_NONE,   /* not given */
	GP_UNIT_BYTES,  /* vram */
	GP_UNIT_SHARE,  /* millionths of the physical GPU, 1…1000000 */
	GP_UNIT_ENGINES /* encode, decode, compute: whole engines */
};

struct gp_amount {
	enum gp_unit unit;
	uint64_t value;
};

/*
 *	vram: {min: 8GiB, optimal: 12GiB, max: 24GiB}      vram: 8GiB  (a scalar means: at least this, nearest above)
 *
 * A bound is a rule of selection: a partition fits when its amount lies in [min, max]; among those that fit the one
 * nearest to optimal wins (default: min if given, else max). All given amounts of one bound have one unit.
 */
struct gp_bound {
	bool given;
	struct gp_amount min, optimal, max; /* unit NONE: open */
	struct gp_mark mark;
};

enum gp_disruption_policy {
	GP_POLICY_INHERIT, /* not given: VM, then class, then policy, then defer */
	GP_POLICY_DEFER,   /* wait until the VM is off; a reboot inside the guest is not off */
	GP_POLICY_RESTART, /* stop it, change, start it again */
	GP_POLICY_REFUSE,  /* the whole plan is refused */
	GP_POLICY_COUNT
};
enum gp_placement { GP_PLACEMENT_INHERIT, GP_PLACEMENT_PACK, GP_PLACEMENT_SPREAD, GP_PLACEMENT_COUNT };
enum gp_power { GP_POWER_KEEP, GP_POWER_RUNNING, GP_POWER_STOPPED, GP_POWER_EXTERNAL, GP_POWER_COUNT };
enum gp_bind { GP_BIND_CONFIG, GP_BIND_START, GP_BIND_COUNT };
enum gp_backing { GP_BACKING_DEFAULT, GP_BACKING_TIME_SLICED, GP_BACKING_MIG, GP_BACKING_COUNT };

enum gp_match_key {
	GP_MATCH_ADDRESS,   /* "0000:41:00.0", '*' allowed */
	GP_MATCH_VENDOR,    /* "10de", "0x8086", or a name: nvidia, intel, amd */
	GP_MATCH_DEVICE,    /* "56c0" */
	GP_MATCH_SUBSYSTEM, /* "8086:4905" or "4905" */
	GP_MATCH_MODEL,     /* whole words, without case; '*' allowed */
	GP_MATCH_SLOT,      /* physical slot of the board (/sys/bus/pci/slots), '*' allowed */
	GP_MATCH_NUMA_NODE,
	GP_MATCH_KEY_COUNT
};

/* One key of a match: it holds when any of its values does. */
struct gp_match_term {
	enum gp_match_key key;
	const char **values;
	size_t value_count;
	struct gp_mark mark;
};

/* match: all terms must hold, and those of `not` must not all hold. */
struct gp_match {
	struct gp_match_term *terms;
	size_t term_count;
	struct gp_match_term *not_terms;
	size_t not_count;
	struct gp_mark mark;
};

enum gp_partitions_kind {
	GP_PARTITIONS_COUNT, /* partitions: 8 (0 = none) */
	GP_PARTITIONS_KEEP,  /* partitions: keep */
	GP_PARTITIONS_AUTO,  /* partitions: auto     needs a later version */
	GP_PARTITIONS_LIST   /* partitions: [{…}, …] */
};

/* - {count: 2, vram: 12GiB} */
struct gp_partition_size {
	uint32_t count;
	struct gp_amount vram;    /* one of vram, profile, mig */
	const char *profile;      /* "A16-4Q" */
	const char *mig;          /* "1g.10gb" */
	struct gp_amount compute; /* optional */
	struct gp_mark mark;
};

struct gp_class {
	const char *name; /* [a-z0-9-]{1,32} */
	struct gp_mark mark;
	struct gp_match match;
	bool has_expect;
	uint32_t expect; /* how many GPUs must match */
	struct gp_mark expect_mark;
	enum gp_partitions_kind partitions;
	uint32_t count; /* for GP_PARTITIONS_COUNT, per matched GPU */
	struct gp_partition_size *sizes;
	size_t size_count;
	struct gp_mark partitions_mark;
	const char *series; /* NVIDIA vGPU series: one of Q B A C; NULL not given */
	struct gp_mark series_mark;
	enum gp_disruption_policy disruption;
	enum gp_placement placement;
	enum gp_backing backing; /* reserved: later back-ends */
	struct gp_mark backing_mark;
	const char *scheduler; /* reserved; NULL not given */
	struct gp_mark scheduler_mark;
	const char *vgpu_params; /* "key=value,…", of each partition; "" none; NULL not given: they stay as they are */
	struct gp_mark vgpu_params_mark;
};

/* One partition that a VM asks for. */
struct gp_request {
	const char **classes; /* any of these, in this order */
	size_t class_count;
	const struct gp_bound *bounds; /* one for each gp_resource; never NULL */
	struct gp_mark mark;
};

struct gp_want_vm {
	const char *name; /* libvirt name, or a UUID as text; patterns are expanded: one object a name */
	bool by_uuid;
	struct gp_uuid uuid;
	struct gp_mark mark;         /* of the name */
	bool release;                /* partition: none */
	struct gp_request *requests; /* shared by the names of one pattern */
	size_t request_count;
	enum gp_disruption_policy disruption;
	enum gp_power power;
	struct gp_mark power_mark;
	enum gp_bind bind;
	struct gp_mark bind_mark;
	bool adopt; /* take over a hand-made hostdev that already is what is asked */
};

struct gp_policy {
	enum gp_disruption_policy disruption; /* DEFER by default, never INHERIT */
	enum gp_placement placement;          /* PACK by default, never INHERIT */
	uint32_t at_once;                     /* VMs we keep down at the same time; default 4 */
	uint64_t shutdown_timeout_ms;         /* default 120 s */
	bool force_off;                       /* default false */
	const char **protect;                 /* name patterns with '*', never stopped */
	size_t protect_count;
	struct gp_mark mark; /* of the policy mapping; no place: all defaults */
	struct gp_mark protect_mark;
	struct gp_mark at_once_mark;
	const char *sriov_manage; /* absolute path of NVIDIA's program; NULL: where its driver installs it */
	struct gp_mark sriov_manage_mark;
};

struct gp_desired {
	struct gp_arena *arena;
	struct gp_sources sources;
	const char *host; /* the name that hosts: was compared with; NULL: every file counts */
	size_t files_read;
	size_t files_for_host; /* 0: no file speaks for this host; then nothing may be released */
	struct gp_class *classes;
	size_t class_count;
	struct gp_want_vm *vms;
	size_t vm_count;
	struct gp_policy policy;
};

struct gp_desired *gp_desired_new(void);
void gp_desired_free(struct gp_desired *desired);
GP_DEFINE_CLEANUP(struct gp_desired, gp_desired_free)

const struct gp_class *gp_desired_class(const struct gp_desired *desired, const char *name); /* NULL: none */
/* The policy that is in force for a VM: its own, else its class's, else the host's. `class` may be NULL. */
enum gp_disruption_policy gp_desired_disruption(const struct gp_desired *desired, const struct gp_class *class_of,
						const struct gp_want_vm *vm);
bool gp_desired_is_protected(const struct gp_desired *desired, const char *domain_name);

void gp_amount_format(struct gp_amount amount, struct gp_str *out);     /* "8GiB", "25%", "2 engines", "-" */
void gp_bound_format(const struct gp_bound *bound, struct gp_str *out); /* "8GiB…24GiB, best 12GiB" */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `gpus` knows of GPUs and classes, worked out once for text and JSON. Private to this command. */
#ifndef GP_CLI_GPUS_H
#define GP_CLI_GPUS_H

#include <json-c/json_types.h>

#include "model/observed.h"
#include "vendor/vendor.h"

/* ---- one GPU (gpus_facts.c) ---- */

/* An amount is in bytes, or in millionths of the GPU. What is not known is left out, and never counts as available. */
struct gp_gpu_resource {
	bool in_bytes;
	bool total_known, available_known, each_known;
	uint64_t total;
	uint64_t available; /* what free partitions have; all, when it is not cut yet */
	uint64_t each;      /* what one of its partitions has now */
	enum gp_hold hold;  /* how a partition keeps that */
};

struct gp_gpu_facts {
	const struct gp_gpu *gpu;
	const struct gp_class *class_of; /* NULL: no class selects it */
	bool free_known;
	uint32_t free; /* partitions that nobody holds, or that are made as soon as a VM gets one */
	struct gp_gpu_resource resources[GP_RESOURCE_COUNT];
	const char *cut; /* "8", "8 × A16-2Q", "3 × A16-4Q + 1 × A16-4C" */
};

/* One for each GPU of the snapshot, in its order. */
struct gp_gpu_facts *gp_gpu_facts_find(const struct gp_desired *desired, const struct gp_observed *observed,
				       struct gp_arena *arena);

/* A partition that stands for all: the first that is there; NULL: none is. */
const struct gp_partition *gp_gpu_sample(const struct gp_gpu *gpu);
/* Is it the first layout of its count? There is one for each series. */
bool gp_layout_is_first(const struct gp_gpu *gpu, size_t layout);
/* "0-31" when every count is valid, else "0,1,2,4". */
void gp_gpu_add_valid_counts(const struct gp_gpu *gpu, struct gp_str *out);
/* "4GiB", "12.5%", "-" */
void gp_gpu_add_amount(const struct gp_gpu_resource *resource, bool known, uint64_t amount, struct gp_str *out);

/* ---- GPUs of one class ---- */

struct gp_members {
	const struct gp_gpu_facts **facts;
	size_t count;
};
struct gp_members gp_gpu_members(const struct gp_gpu_facts *facts, size_t count, const struct gp_class *class_of,
				 struct gp_arena *arena);

/* Calls for each GPU that differs from most of its class in something; how many differences there are. */
typedef void gp_odd_one(void *context, const struct gp_gpu *gpu, const char *trait, const char *value,
			const char *usual);
size_t gp_gpu_find_odd_ones(const struct gp_members *members, gp_odd_one *report, void *context);
extern const char gp_gpu_trait_names[]; /* what is compared, for people */

/* ---- how many partitions its VMs need (gpus_recommend.c) ---- */

struct gp_recommendation {
	size_t asked;      /* partitions that VMs of this host ask of the class, before any other */
	bool has_best;     /* there is a valid count at all */
	uint32_t count;    /* of each GPU: the least that serves all of them, else the least that serves most */
	size_t total;      /* over the GPUs that can have that count */
	size_t unserved;   /* would get none, or none that fits */
	const char *first; /* a VM of those, and why; NULL: there are too few partitions */
	const char *why;
	const struct gp_layout_group *group; /* what they would be */
	bool needs_series;                   /* several series offer that count, and the class names none */
};

struct gp_recommendation gp_recommend(const struct gp_desired *desired, const struct gp_observed *observed,
				      const struct gp_class *class_of, const struct gp_members *members,
				      struct gp_arena *arena);

/* ---- for machines (gpus_json.c) ---- */

struct json_object *gp_gpus_to_json(const struct gp_desired *desired, const struct gp_observed *observed,
				    const struct gp_gpu_facts *facts, struct gp_arena *arena);

#endif

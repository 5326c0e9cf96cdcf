/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/desired.h"

#include <inttypes.h>

#include "base/num.h"

enum { DEFAULT_AT_ONCE = 4, DEFAULT_SHUTDOWN_TIMEOUT_MS = 120 * 1000 };

struct gp_desired *gp_desired_new(void)
{
	struct gp_arena *arena = gp_arena_new();
	struct gp_desired *desired = gp_arena_new_of(arena, struct gp_desired);
	desired->arena = arena;
	desired->policy = (struct gp_policy){
		.disruption = GP_POLICY_DEFER,
		.placement = GP_PLACEMENT_PACK,
		.at_once = DEFAULT_AT_ONCE,
		.shutdown_timeout_ms = DEFAULT_SHUTDOWN_TIMEOUT_MS,
	};
	return desired;
}

void gp_desired_free(struct gp_desired *desired)
{
	if (desired == NULL)
		return;
	gp_sources_clear(&desired->sources);
	gp_arena_free(desired->arena); /* which holds *desired, too */
}

const struct gp_class *gp_desired_class(const struct gp_desired *desired, const char *name)
{
	for (size_t i = 0; i < desired->class_count; i++)
		if (gp_streq(desired->classes[i].name, name))
			return &desired->classes[i];
	return NULL;
}

enum gp_disruption_policy gp_desired_disruption(const struct gp_desired *desired, const struct gp_class *class_of,
						const struct gp_want_vm *vm)
{
	if (vm != NULL && vm->disruption != GP_POLICY_INHERIT)
		return vm->disruption;
	if (class_of != NULL && class_of->disruption != GP_POLICY_INHERIT)
		return class_of->disruption;
	return desired->policy.disruption == GP_POLICY_INHERIT ? GP_POLICY_DEFER : desired->policy.disruption;
}

bool gp_desired_is_protected(const struct gp_desired *desired, const char *domain_name)
{
	for (size_t i = 0; i < desired->policy.protect_count; i++)
		if (gp_glob_match(desired->policy.protect[i], domain_name, false))
			return true;
	return false;
}

void gp_amount_format(struct gp_amount amount, struct gp_str *out)
{
	switch (amount.unit) {
	case GP_UNIT_NONE:
		gp_str_add_char(out, '-');
		break;
	case GP_UNIT_BYTES:
		gp_add_size(out, amount.value);
		break;
	case GP_UNIT_SHARE:
		gp_add_share(out, amount.value);
		break;
	case GP_UNIT_ENGINES:
		gp_str_printf(out, "%" PRIu64 " engine%s", amount.value, amount.value == 1 ? "" : "s");
		break;
	}
}

/* "8GiB…24GiB", "at least 8GiB", "at most 24GiB", "exactly 8GiB", or nothing for a bound that is open on both sides. */
static void add_range(const struct gp_bound *bound, struct gp_str *out)
{
	bool has_min = bound->min.unit != GP_UNIT_NONE, has_max = bound->max.unit != GP_UNIT_NONE;
	if (has_min && has_max && bound->min.value != bound->max.value) {
		gp_amount_format(bound->min, out);
		gp_str_add(out, "…");
		gp_amount_format(bound->max, out);
	} else if (has_min) {
		gp_str_add(out, has_max ? "exactly " : "at least ");
		gp_amount_format(bound->min, out);
	} else if (has_max) {
		gp_str_add(out, "at most ");
		gp_amount_format(bound->max, out);
	}
}

void gp_bound_format(const struct gp_bound *bound, struct gp_str *out)
{
	size_t start = out->length;
	if (!bound->given) {
		gp_str_add_char(out, '-');
		return;
	}
	add_range(bound, out);
	if (bound->optimal.unit == GP_UNIT_NONE)
		return;
	gp_str_add(out, out->length > start ? ", best " : "best ");
	gp_amount_format(bound->optimal, out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The words of one enum. Values below `first` are "not given" and have no word. */
struct words {
	const char *const *items;
	size_t count;
	unsigned first;
};

static const char *name_of(struct words words, unsigned value)
{
	if (value < words.first)
		return "inherit";
	return value - words.first < words.count ? words.items[value - words.first] : "unknown";
}

static int value_of(struct words words, const char *word)
{
	for (size_t i = 0; i < words.count; i++)
		if (gp_streq(word, words.items[i]))
			return (int)(i + words.first);
	return -1;
}

/* Defines the three functions of one table, which must hold a word for each value in [first, end). */
#define DEFINE(type, stem, first, end, ...)                                                                            \
	static const char *const stem##_items[] = {__VA_ARGS__};                                                       \
	_Static_assert(COUNT(stem##_items) + (first) == (end), "a word for each value of enum " #type);                \
	static const struct words stem##_table = {stem##_items, COUNT(stem##_items), first};                           \
	const char *gp_##stem##_name(enum type value)                                                                  \
	{                                                                                                              \
		return name_of(stem##_table, (unsigned)value);                                                         \
	}                                                                                                              \
	int gp_##stem##_from(const char *word)                                                                         \
	{                                                                                                              \
		return value_of(stem##_table, word);                                                                   \
	}                                                                                                              \
	const char *const *gp_##stem##_words(size_t *count)                                                            \
	{                                                                                                              \
		*count = stem##_table.count;                                                                           \
		return stem##_table.items;                                                                             \
	}

DEFINE(gp_resource, resource, 0, GP_RESOURCE_COUNT, "vram", "encode", "decode", "compute")
DEFINE(gp_hold, hold, 0, GP_HOLD_COUNT, "not expressible", "admission", "scheduler", "hardware")
DEFINE(gp_disruption_policy, policy, 1, GP_POLICY_COUNT, "defer", "restart", "refuse")
DEFINE(gp_placement, placement, 1, GP_PLACEMENT_COUNT, "pack", "spread")
DEFINE(gp_power, power, 0, GP_POWER_COUNT, "keep", "running", "stopped", "external")
DEFINE(gp_bind, bind, 0, GP_BIND_COUNT, "config", "start")
DEFINE(gp_match_key, match_key, 0, GP_MATCH_KEY_COUNT, "address", "vendor", "device", "subsystem", "model", "slot",
       "numa_node")
DEFINE(gp_backing, backing, 0, GP_BACKING_COUNT, "default", "time-sliced", "mig")
DEFINE(gp_domain_state, domain_state, 0, GP_DOMAIN_STATE_COUNT, "off", "running", "paused", "stopping", "crashed",
       "suspended", "unknown")
DEFINE(gp_holder_kind, holder_kind, 0, GP_HOLDER_KIND_COUNT, "domain-live", "domain-config", "vfio", "driver", "client")
DEFINE(gp_unfit, unfit, 0, GP_UNFIT_COUNT, "fit", "no-sriov", "needs-backend", "no-driver", "driver", "no-mmio",
       "transition", "unreadable")
DEFINE(gp_host_kind, host_kind, 0, GP_HOST_KIND_COUNT, "live", "simulated", "captured")
DEFINE(gp_hostdev_type, hostdev_type, 0, GP_HOSTDEV_TYPE_COUNT, "pci", "mdev")
DEFINE(gp_step_kind, step_kind, 0, GP_STEP_KIND_COUNT, "write", "bind", "unbind", "helper", "wait", "attach", "detach",
       "replace", "mark", "stop", "start", "observe-again")
DEFINE(gp_step_base, step_base, 0, GP_STEP_BASE_COUNT, "pci", "mdev", "drm", "nvidia-proc", "debugfs", "modprobe.d",
       "domain")
DEFINE(gp_disruption, disruption, 0, GP_DISRUPTION_COUNT, "none", "partition-lost", "vm-device-gone", "vm-stopped",
       "driver-reload")
DEFINE(gp_guard, guard, 0, GP_GUARD_COUNT, "none", "unheld", "vf-unheld", "no-vfs", "off")

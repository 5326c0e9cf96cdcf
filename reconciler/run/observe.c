/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One snapshot of a host: PCI facts, what the vendors make of them, domains, and who holds what.
 *
 * Under-report: what cannot be read becomes unknown, never an error and never "free". Only a host whose PCI devices
 * cannot even be listed has no snapshot.
 */
#include <string.h>

#include "base/clock.h"
#include "run/ask.h"
#include "run/join.h"
#include "run/reconcile.h"
#include "vendor/vendor.h"

enum { SETTLE_MS = 1500, SETTLE_POLL_MS = 50 };

struct addresses {
	struct gp_pci_addr *items;
	size_t count;
};

static void add_literal_addresses(const struct gp_match_term *term, struct gp_arena *arena, struct addresses *out)
{
	for (size_t i = 0; i < term->value_count; i++) {
		struct gp_pci_addr addr;
		if (gp_pci_addr_parse(term->values[i], &addr) == 0)
			*gp_arena_push(arena, out->items, out->count) = addr;
	}
}

/* The devices that files name by address: that is how a NIC or an NVMe drive comes under management. */
static struct addresses wanted_addresses(const struct gp_desired *desired, struct gp_arena *arena)
{
	struct addresses wanted = {0};
	for (size_t i = 0; desired != NULL && i < desired->class_count; i++) {
		const struct gp_match *match = &desired->classes[i].match;
		for (size_t t = 0; t < match->term_count; t++)
			if (match->terms[t].key == GP_MATCH_ADDRESS)
				add_literal_addresses(&match->terms[t], arena, &wanted);
	}
	return wanted;
}

/* An export wants to know everything; else it is a file a VF that nobody asks about. */
static bool wants_params(const struct gp_desired *desired)
{
	for (size_t i = 0; desired != NULL && i < desired->class_count; i++)
		if (desired->classes[i].vgpu_params != NULL)
			return true;
	return desired == NULL;
}

static int ask_again(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu)
{
	if (gp_host_observe_pf(host, arena, gpu->addr, gpu, NULL) != 0)
		return -1;
	gpu->unfit = GP_FIT;
	gpu->unfit_why = gpu->unfit_remedy = NULL;
	gpu->layout_count = 0;
	gp_ask_vendor(host, arena, gpu);
	return 0;
}

/* A run that was killed leaves its last write to the kernel, which may be about to end: a moment of patience, shared by
 * all GPUs, spares the next run a fault. */
static void let_settle(struct gp_host *host, struct gp_observed *observed)
{
	uint64_t until = gp_clock_ms() + SETTLE_MS;
	if (observed->kind == GP_HOST_CAPTURED)
		return;
	for (size_t i = 0; i < observed->gpu_count; i++)
		while (observed->gpus[i].unfit == GP_UNFIT_TRANSITION && gp_clock_ms() < until) {
			gp_sleep_ms(SETTLE_POLL_MS);
			if (ask_again(host, observed->arena, &observed->gpus[i]) != 0)
				break;
		}
}

static struct gp_source_state unknown_because(struct gp_arena *arena, const char *what, const struct gp_error *err)
{
	const char *why = gp_arena_printf(arena, "%s%s%s", what, err->message == NULL ? "" : ": ",
					  err->message == NULL ? "" : err->message);
	return (struct gp_source_state){.known = false, .why = why};
}

/* One definition that cannot be read may name any VF: then nobody knows who holds what. */
static struct gp_source_state state_of_definitions(const struct gp_observed *observed)
{
	for (size_t i = 0; i < observed->domain_count; i++) {
		const struct gp_domain *domain = &observed->domains[i];
		if (!domain->config_known || !domain->live_known) {
			const char *why = domain->unknown_why == NULL ? "unknown reason" : domain->unknown_why;
			return (struct gp_source_state){
				.why = gp_arena_printf(observed->arena, "the definition of %s cannot be read: %s",
						       domain->name, why)};
		}
	}
	return (struct gp_source_state){.known = true};
}

static void observe_domains(struct gp_host *host, struct gp_observed *observed)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_vmm *vmm = gp_host_vmm(host, &err);
	if (vmm == NULL)
		observed->domains_state = unknown_because(observed->arena, "no virtual machines can be listed", &err);
	else if (vmm->ops->observe(vmm, observed, &err) != 0)
		observed->domains_state = unknown_because(observed->arena, vmm->ops->name, &err);
	else
		observed->domains_state = state_of_definitions(observed);
	if (vmm != NULL && vmm->ops->version != NULL)
		vmm->ops->version(vmm, &observed->hypervisor);
}

/* What the back-end of this GPU has found out with one before it. */
static void *survey_so_far(const struct gp_observed *observed, size_t gpu)
{
	for (size_t i = gpu; i-- > 0;)
		if (observed->gpus[i].survey != NULL &&
		    observed->gpus[i].backend == gp_vendor_for(&observed->gpus[gpu]))
			return observed->gpus[i].survey;
	return NULL;
}

/* Only NVIDIA's VFs are made by a program, and only while there are none. */
static const char *missing_program(struct gp_host *host, const struct gp_desired *desired,
				   const struct gp_observed *observed)
{
	const char *named = desired == NULL ? NULL : desired->policy.sriov_manage;
	const char *program = named == NULL ? GP_SRIOV_MANAGE : named;
	if (named != NULL && observed->kind == GP_HOST_CAPTURED)
		return NULL; /* whoever took the tree did not know that name */
	for (size_t i = 0; i < observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &observed->gpus[i];
		if (gpu->backend->by_profile && gpu->unfit == GP_FIT && gpu->num_vfs == 0)
			return gp_host_exists(host, program + 1) ? NULL : gp_arena_strdup(observed->arena, program);
	}
	return NULL;
}

struct gp_observed *gp_observe(struct gp_host *host, const struct gp_desired *desired, struct gp_error *err)
{
	struct gp_observed *observed = gp_observed_new();
	struct gp_arena *arena = observed->arena;
	observed->hostname = gp_arena_strdup(arena, gp_host_name(host));
	observed->kind = gp_host_kind_of(host);
	observed->root = gp_arena_strdup(arena, gp_host_root(host));

	struct addresses wanted = wanted_addresses(desired, arena);
	if (gp_host_observe_pci(host, wanted.items, wanted.count, observed, err) != 0) {
		gp_observed_free(observed);
		return NULL;
	}
	bool want_params = wants_params(desired);
	for (size_t i = 0; i < observed->gpu_count; i++) {
		observed->gpus[i].want_params = want_params;
		observed->gpus[i].survey = survey_so_far(observed, i);
		gp_ask_vendor(host, arena, &observed->gpus[i]);
	}
	let_settle(host, observed);
	observed->missing_program = missing_program(host, desired, observed);
	observe_domains(host, observed);
	gp_join_domains(observed);
	gp_join_drivers(observed);
	gp_host_observe_vfio(host, observed);
	return observed;
}

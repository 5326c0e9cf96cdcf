/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/stale.h"

#include <stdio.h>
#include <string.h>

#include "model/names.h"
#include "plan/planner.h"

/* ---- plans ---- */

static bool same_hostdev(const struct gp_hostdev *a, const struct gp_hostdev *b)
{
	return a->type == b->type && gp_pci_addr_compare(a->source, b->source) == 0 &&
	       gp_uuid_equal(a->mdev, b->mdev) && a->managed == b->managed && a->display == b->display &&
	       a->ramfb == b->ramfb && gp_streq(a->alias, b->alias) && gp_streq(a->guest_xml, b->guest_xml);
}

static bool same_step(const struct gp_step *a, const struct gp_step *b)
{
	return a->kind == b->kind && a->base == b->base && gp_streq(a->device, b->device) &&
	       gp_streq(a->attribute, b->attribute) && gp_streq(a->program, b->program) &&
	       gp_streq(a->before, b->before) && gp_streq(a->after, b->after) &&
	       gp_pci_addr_compare(a->pf, b->pf) == 0 && gp_uuid_equal(a->domain, b->domain) &&
	       gp_streq(a->source, b->source) && same_hostdev(&a->hostdev, &b->hostdev) &&
	       same_hostdev(&a->replaces, &b->replaces) && gp_streq(a->keeps_for, b->keeps_for) &&
	       a->timeout_ms == b->timeout_ms && a->force == b->force && a->disruption == b->disruption &&
	       a->guard == b->guard;
}

/* All steps of a plan, one after the other. */
struct walk {
	const struct gp_plan *plan;
	size_t stage, chain, step;
};

static const struct gp_step *next_step(struct walk *walk)
{
	for (; walk->stage < walk->plan->stage_count; walk->stage++, walk->chain = 0) {
		const struct gp_stage *stage = &walk->plan->stages[walk->stage];
		for (; walk->chain < stage->chain_count; walk->chain++, walk->step = 0)
			if (walk->step < stage->chains[walk->chain].step_count)
				return &stage->chains[walk->chain].steps[walk->step++];
	}
	return NULL;
}

static void name_step(const struct gp_step *step, const char *when_none, struct gp_str *out)
{
	static const struct gp_render_options plainly = {.utf8 = true};
	if (step == NULL)
		gp_str_add(out, when_none);
	else
		gp_step_render(step, plainly, out);
}

bool gp_plan_same_steps(const struct gp_plan *approved, const struct gp_plan *now, struct gp_str *why)
{
	struct walk was = {.plan = approved}, is = {.plan = now};
	for (;;) {
		const struct gp_step *a = next_step(&was), *b = next_step(&is);
		if (a == NULL && b == NULL)
			return true;
		if (a != NULL && b != NULL && was.stage == is.stage && was.chain == is.chain && same_step(a, b))
			continue;
		gp_str_add(why, "planned was: ");
		name_step(a, "nothing more", why);
		gp_str_add(why, "; now it would be: ");
		name_step(b, "nothing more", why);
		return false;
	}
}

static bool is_foreseen(const struct gp_plan *approved, const struct gp_step *step)
{
	for (size_t s = 0; s < approved->stage_count; s++)
		for (size_t c = 0; c < approved->stages[s].chain_count; c++)
			for (size_t i = 0; i < approved->stages[s].chains[c].step_count; i++) {
				const struct gp_step *was = &approved->stages[s].chains[c].steps[i];
				if (was->kind == step->kind && was->base == step->base &&
				    gp_streq(was->device, step->device) && gp_streq(was->attribute, step->attribute) &&
				    gp_streq(was->after, step->after) && gp_streq(was->source, step->source))
					return true;
			}
	return false;
}

bool gp_plan_foresaw(const struct gp_plan *approved, const struct gp_chain *chain)
{
	for (size_t i = 0; i < chain->step_count; i++)
		if (!is_foreseen(approved, &chain->steps[i]))
			return false;
	return true;
}

/* ---- facts ---- */

struct changes {
	size_t count, most;
	struct gp_str *out;
};

static bool room_for_one(struct changes *changes)
{
	if (changes->count >= changes->most)
		return false;
	if (changes->count++ > 0)
		gp_str_add(changes->out, "; ");
	return true;
}

static const char *shown_profile(const struct gp_partition *partition, char id[24])
{
	if (partition->profile != NULL)
		return partition->profile;
	if (partition->profile_id == 0)
		return partition->blank ? "blank" : "without a type";
	snprintf(id, 24, "of type %u", partition->profile_id);
	return id;
}

static void compare_partition(const char *gpu, const struct gp_partition *was, const struct gp_partition *is,
			      struct changes *changes)
{
	char was_id[24], is_id[24], name[GP_UUID_SIZE];
	if (is == NULL)
		return; /* told by the number of VFs */
	if ((!gp_streq(was->profile, is->profile) || was->profile_id != is->profile_id || was->blank != is->blank) &&
	    room_for_one(changes))
		gp_str_printf(changes->out, "VF %u of GPU %s was %s and is %s", was->index, gpu,
			      shown_profile(was, was_id), shown_profile(is, is_id));
	else if ((was->has_mdev != is->has_mdev || !gp_uuid_equal(was->mdev, is->mdev)) && room_for_one(changes))
		gp_str_printf(changes->out, "VF %u of GPU %s has %s%s", was->index, gpu,
			      is->has_mdev ? "another mediated device: " : "lost its mediated device",
			      is->has_mdev ? gp_uuid_format(is->mdev, name) : "");
	if (!gp_streq(was->params, is->params) && was->params != NULL && is->params != NULL && room_for_one(changes))
		gp_str_printf(changes->out, "VF %u of GPU %s has other vgpu_params", was->index, gpu);
}

static void compare_gpu(const struct gp_gpu *was, const struct gp_gpu *is, struct changes *changes)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(was->addr, addr);
	if (is == NULL) {
		if (room_for_one(changes))
			gp_str_printf(changes->out, "GPU %s is gone", addr);
		return;
	}
	if (was->num_vfs != is->num_vfs && room_for_one(changes))
		gp_str_printf(changes->out, "GPU %s had %u VFs and has %u", addr, was->num_vfs, is->num_vfs);
	if (!gp_streq(was->driver, is->driver) && room_for_one(changes))
		gp_str_printf(changes->out, "GPU %s had driver %s and has %s", addr,
			      was->driver == NULL ? "none" : was->driver, is->driver == NULL ? "none" : is->driver);
	for (size_t i = 0; i < was->partition_count; i++)
		compare_partition(addr, &was->partitions[i], gp_gpu_partition(is, was->partitions[i].index), changes);
	if (was->unfit != is->unfit && room_for_one(changes))
		gp_str_printf(changes->out, "GPU %s: %s", addr,
			      is->unfit_why == NULL ? "can be partitioned now" : is->unfit_why);
}

static bool same_hostdevs(const struct gp_hostdev *was, size_t was_count, const struct gp_hostdev *is, size_t is_count)
{
	if (was_count != is_count)
		return false;
	for (size_t i = 0; i < was_count; i++)
		if (!same_hostdev(&was[i], &is[i]))
			return false;
	return true;
}

static void compare_domain(const struct gp_domain *was, const struct gp_domain *is, struct changes *changes)
{
	if (is == NULL) {
		if (room_for_one(changes))
			gp_str_printf(changes->out, "VM %s is gone", was->name);
		return;
	}
	if (was->state != is->state && room_for_one(changes))
		gp_str_printf(changes->out, "VM %s was %s and is %s", was->name, gp_domain_state_name(was->state),
			      gp_domain_state_name(is->state));
	if (!same_hostdevs(was->config, was->config_count, is->config, is->config_count) && room_for_one(changes))
		gp_str_printf(changes->out, "the devices in the definition of VM %s have changed", was->name);
	if (!same_hostdevs(was->places, was->place_count, is->places, is->place_count) && room_for_one(changes))
		gp_str_printf(changes->out, "our notes of unfinished exchanges on VM %s have changed", was->name);
	if (was->managed_save != is->managed_save && room_for_one(changes))
		gp_str_printf(changes->out, "VM %s %s a managed-save image", was->name,
			      is->managed_save ? "has got" : "no longer has");
	if (was->to_start != is->to_start && room_for_one(changes))
		gp_str_printf(changes->out, "our mark on VM %s was %s", was->name, is->to_start ? "set" : "cleared");
}

static const struct gp_domain *domain_of(const struct gp_observed *observed, struct gp_uuid uuid)
{
	for (size_t i = 0; i < observed->domain_count; i++)
		if (gp_uuid_equal(observed->domains[i].uuid, uuid))
			return &observed->domains[i];
	return NULL;
}

size_t gp_observed_changes(const struct gp_observed *before, const struct gp_observed *now, size_t most,
			   struct gp_str *out)
{
	struct changes changes = {.most = most, .out = out};
	for (size_t i = 0; i < before->gpu_count; i++)
		compare_gpu(&before->gpus[i], gp_observed_gpu(now, before->gpus[i].addr), &changes);
	for (size_t i = 0; i < before->domain_count; i++)
		compare_domain(&before->domains[i], domain_of(now, before->domains[i].uuid), &changes);
	for (size_t i = 0; i < now->domain_count; i++)
		if (domain_of(before, now->domains[i].uuid) == NULL && room_for_one(&changes))
			gp_str_printf(out, "VM %s is new", now->domains[i].name);
	if (before->domains_state.known != now->domains_state.known && room_for_one(&changes))
		gp_str_printf(out, "libvirt %s",
			      now->domains_state.known ? "answers again" : "does not answer any more");
	if (before->vfio_state.known != now->vfio_state.known && room_for_one(&changes))
		gp_str_printf(out, "VFIO descriptors %s be read", now->vfio_state.known ? "can now" : "can no longer");
	return changes.count;
}

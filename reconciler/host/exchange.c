/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One hostdev in the place of another. Four changes, none of which a redefine could lose for others:
 *
 *	note the place ── detach the old ── attach the new ── forget the place
 *
 * Whoever dies in between has left behind, on the domain itself, all that is needed to go on.
 */
#include "host/vmm.h"

static const struct gp_hostdev *with_source_of(const struct gp_domain *domain, const struct gp_hostdev *wanted)
{
	for (size_t i = 0; i < domain->config_count; i++) {
		const struct gp_domain one = {.config = &domain->config[i], .config_count = 1};
		if (!gp_place_is_empty(&one, wanted))
			return &domain->config[i];
	}
	return NULL;
}

static const struct gp_hostdev *place_of(const struct gp_domain *domain, const char *alias)
{
	for (size_t i = 0; i < domain->place_count; i++)
		if (gp_streq(domain->places[i].alias, alias))
			return &domain->places[i];
	return NULL;
}

static int observe(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *domain,
		   struct gp_error *err)
{
	if (vmm->ops->observe_one(vmm, uuid, arena, domain, err) < 0)
		return -1;
	if (domain->config_known)
		return 0;
	gp_fail(err, GP_E_CORRUPT, "%s",
		domain->unknown_why == NULL ? "its definition is not known" : domain->unknown_why);
	return gp_error_subject(err, "domain %s", domain->name);
}

static int take_out(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_domain *domain,
		    const struct gp_hostdev *old, const char *alias, bool *changed, struct gp_error *err)
{
	const struct gp_hostdev *found = with_source_of(domain, old);
	bool noted = false, detached = false;

	/* What is noted is what the definition says now, not what a plan remembers. Another than was meant is no
	 * business of ours: detach has the words for that. */
	if (found != NULL && !found->elsewhere && gp_streq(found->alias, old->alias)) {
		struct gp_hostdev place = *found;
		place.alias = alias;
		if (vmm->ops->note_place(vmm, uuid, &place, &noted, err) < 0)
			return -1;
	}
	if (found != NULL && vmm->ops->detach(vmm, uuid, old, &detached, err) < 0)
		return -1;
	*changed = noted || detached;
	return 0;
}

int gp_vmm_take_out(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *old, const char *alias,
		    bool *changed, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};

	*changed = false;
	if (observe(vmm, uuid, arena, &domain, err) < 0)
		return -1;
	return take_out(vmm, uuid, &domain, old, alias, changed, err);
}

/* A run that was interrupted may have got that far; on the same partition, the old one then is the new one. */
static bool is_in(const struct gp_domain *domain, const struct gp_hostdev *wanted)
{
	const struct gp_hostdev *found = with_source_of(domain, wanted);
	return found != NULL && gp_streq(found->alias, wanted->alias) && found->managed == wanted->managed;
}

static bool same_source(const struct gp_hostdev *a, const struct gp_hostdev *b)
{
	struct gp_hostdev copy = *a;
	const struct gp_domain one = {.config = &copy, .config_count = 1};
	return !gp_place_is_empty(&one, b);
}

int gp_vmm_replace(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *old, const struct gp_hostdev *new,
		   bool *changed, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};
	bool out = false, in = false, forgotten = false;

	*changed = false;
	if (observe(vmm, uuid, arena, &domain, err) < 0)
		return -1;
	bool is_done = is_in(&domain, new) && (same_source(old, new) || with_source_of(&domain, old) == NULL);
	if (!is_done && (take_out(vmm, uuid, &domain, old, new->alias, &out, err) < 0 ||
			 vmm->ops->attach(vmm, uuid, new, &in, err) < 0))
		return -1;
	if ((!is_done || place_of(&domain, new->alias) != NULL) &&
	    vmm->ops->forget_place(vmm, uuid, new->alias, &forgotten, err) < 0)
		return -1;
	*changed = out || in || forgotten;
	return 0;
}

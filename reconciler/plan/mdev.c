/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mediated devices: a partition that is made for one VM, under a name that its definition knows it by.
 *
 *	guess   before anybody is placed: the name that a VM would have, and where that is now
 *	name    once all are placed: names that are unique, and stay what they are wherever that is possible
 *	settle  what has to be made, and what has to go for that
 *	wait    whose making cannot be now
 *
 * A name is only once on a host. So a device that moves to another VF goes first where it is, and comes only if it
 * could go there; and what is there is not taken away as long as that cannot come.
 */
#include "plan/mdev.h"

#include <stdlib.h>
#include <string.h>

#include "plan/wait.h"

enum { OTHER_NAMES = 1 << 16 };

/* ---- who names what ---- */

/* A mediated device that some definition names, or some VM runs with. */
struct name {
	struct gp_uuid uuid;
	struct gp_vm_row *vm;
	const struct gp_hostdev *hostdev;
	bool live;
	const struct gp_ask *owner; /* of the first of this name: who has it in this plan */
};

struct place {
	struct gp_uuid uuid;
	struct gp_slot *slot;
};

/* Both sorted by name. */
struct register_of_names {
	struct name *names;
	size_t name_count;
	struct place *places;
	size_t place_count;
};

static int compare_uuids(const struct gp_uuid *a, const struct gp_uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int compare_names(const void *a, const void *b)
{
	const struct name *left = a, *right = b;
	int order = compare_uuids(&left->uuid, &right->uuid);

	return order ? order : left->vm < right->vm ? -1 : left->vm > right->vm;
}

static int compare_places(const void *a, const void *b)
{
	return compare_uuids(&((const struct place *)a)->uuid, &((const struct place *)b)->uuid);
}

static void list_names(struct gp_sheet *sheet, struct register_of_names *all, struct gp_vm_row *vm, bool live)
{
	const struct gp_hostdev *hostdevs = live ? vm->domain->live : vm->domain->config;
	size_t count = live ? vm->domain->live_count : vm->domain->config_count;

	for (size_t i = 0; i < count; i++) {
		if (hostdevs[i].type == GP_HOSTDEV_MDEV)
			*gp_arena_push(sheet->scratch, all->names, all->name_count) =
				(struct name){hostdevs[i].mdev, vm, &hostdevs[i], live, NULL};
	}
}

static void list_places(struct gp_sheet *sheet, struct register_of_names *all)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		for (uint32_t i = 0; row->mdevs && i < row->slot_count; i++) {
			struct gp_slot *slot = &row->slots[i];

			if (slot->now && slot->now->has_mdev)
				*gp_arena_push(sheet->scratch, all->places, all->place_count) =
					(struct place){slot->now->mdev, slot};
		}
	}
}

static struct register_of_names read_register(struct gp_sheet *sheet)
{
	struct register_of_names all = {0};

	for (size_t v = 0; v < sheet->vm_count; v++) {
		list_names(sheet, &all, &sheet->vms[v], false);
		list_names(sheet, &all, &sheet->vms[v], true);
	}
	list_places(sheet, &all);
	if (all.name_count > 1)
		qsort(all.names, all.name_count, sizeof(*all.names), compare_names);
	if (all.place_count > 1)
		qsort(all.places, all.place_count, sizeof(*all.places), compare_places);
	return all;
}

/* The first of this name; end of the register: none. */
static struct name *first_of(const struct register_of_names *all, struct gp_uuid uuid)
{
	size_t low = 0, high = all->name_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_uuids(&all->names[middle].uuid, &uuid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return all->names ? all->names + low : NULL;
}

static bool is_of(const struct register_of_names *all, const struct name *name, struct gp_uuid uuid)
{
	return name && name < all->names + all->name_count && gp_uuid_equal(name->uuid, uuid);
}

static struct gp_slot *slot_of(const struct register_of_names *all, struct gp_uuid uuid)
{
	const struct place wanted = {.uuid = uuid};
	const struct place *found =
		all->place_count ? bsearch(&wanted, all->places, all->place_count, sizeof(wanted), compare_places)
				 : NULL;

	return found ? found->slot : NULL;
}

/* Where it cannot be taken away, so that it could come elsewhere: no file speaks for that GPU, or `keep` does. */
static bool is_out_of_reach(const struct gp_slot *slot, const struct gp_ask *ask)
{
	const struct gp_class *class_of = slot ? slot->gpu->class_of : NULL;

	if (!slot || slot == ask->slot)
		return false;
	return !class_of || slot->gpu->faulty || (class_of->partitions == GP_PARTITIONS_KEEP && ask->slot);
}

/* ---- which name ---- */

static bool has_number(const struct gp_hostdev *hostdev, uint32_t request)
{
	uint32_t number;
	const char *class_name;

	return hostdev->ours && gp_alias_parse(hostdev->alias, &number, &class_name) == 0 && number == request;
}

/* What its definition has under this number; NULL: nothing. */
static const struct gp_hostdev *named_by_definition(const struct gp_ask *ask)
{
	const struct gp_domain *domain = ask->vm->domain;

	for (size_t i = 0; i < domain->config_count; i++) {
		if (domain->config[i].type == GP_HOSTDEV_MDEV && has_number(&domain->config[i], ask->request))
			return &domain->config[i];
	}
	return NULL;
}

static struct gp_uuid derived(const struct gp_ask *ask, uint32_t attempt)
{
	return gp_mdev_uuid(ask->vm->domain->uuid, ask->request + attempt * OTHER_NAMES);
}

static bool has_mdev(const struct gp_slot *slot, struct gp_uuid uuid)
{
	return slot->now && slot->now->has_mdev && gp_uuid_equal(slot->now->mdev, uuid);
}

bool gp_ask_has_its_mdev(const struct gp_ask *ask)
{
	return has_mdev(ask->slot, ask->mdev);
}

/* What is there is what the VM has already, as ours or to be adopted, or runs with: its name stays. */
static bool is_its_own(const struct gp_slot *slot, const struct gp_ask *ask)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (claim->vm == ask->vm && claim->hostdev->type == GP_HOSTDEV_MDEV &&
		    (claim->live || gp_claim_is_own(claim)) && has_mdev(slot, claim->hostdev->mdev))
			return true;
	}
	return false;
}

static void give(const struct register_of_names *all, struct gp_ask *ask, struct gp_uuid uuid)
{
	struct name *first = first_of(all, uuid);

	ask->mdev = uuid;
	ask->mdev_at = slot_of(all, uuid);
	if (is_of(all, first, uuid))
		first->owner = ask;
}

/* May it have what its definition names? Whoever runs with it goes first, then who has it by hand, then who is listed
 * first. */
static bool may_keep(const struct register_of_names *all, const struct gp_ask *ask, struct gp_uuid uuid)
{
	const struct name *first = first_of(all, uuid);
	bool others = false;

	if (first->owner || is_out_of_reach(slot_of(all, uuid), ask))
		return false;
	for (const struct name *name = first; is_of(all, name, uuid); name++) {
		if (name->vm == ask->vm && name->live)
			return true;
		others = others || (name->vm != ask->vm && (name->live || !name->hostdev->ours));
	}
	return !others;
}

/* By hand, to be adopted, and gone with a reboot: only its name is left. */
static const struct gp_hostdev *gone_by_hand(const struct register_of_names *all, const struct gp_ask *ask)
{
	const struct gp_domain *domain = ask->vm->domain;

	for (size_t i = 0; ask->vm->want->adopt && i < domain->config_count; i++) {
		const struct gp_hostdev *hostdev = &domain->config[i];

		if (hostdev->type == GP_HOSTDEV_MDEV && !hostdev->ours && !hostdev->elsewhere && !hostdev->resolved &&
		    may_keep(all, ask, hostdev->mdev))
			return hostdev;
	}
	return NULL;
}

/* Nobody else may have it one day: no definition names it, and it is nowhere where no file lets us take it away. */
static bool is_free(const struct register_of_names *all, const struct gp_ask *ask, struct gp_uuid uuid)
{
	return !is_of(all, first_of(all, uuid), uuid) && !is_out_of_reach(slot_of(all, uuid), ask);
}

static void name(const struct register_of_names *all, struct gp_ask *ask)
{
	const struct gp_hostdev *hostdev = named_by_definition(ask);

	if (!hostdev || !may_keep(all, ask, hostdev->mdev))
		hostdev = gone_by_hand(all, ask);
	if (hostdev) {
		give(all, ask, hostdev->mdev);
		return;
	}
	/* case 109: what follows from the VM is taken; the next that follows from it is as good */
	for (uint32_t attempt = 0;; attempt++) {
		if (!is_free(all, ask, derived(ask, attempt)))
			continue;
		give(all, ask, derived(ask, attempt));
		return;
	}
}

void gp_guess_mdevs(struct gp_sheet *sheet)
{
	struct register_of_names all = read_register(sheet);

	for (size_t a = 0; a < sheet->ask_count; a++) {
		struct gp_ask *ask = sheet->asks[a];
		const struct gp_hostdev *hostdev = named_by_definition(ask);
		uint32_t number;

		if (hostdev && !hostdev->resolved)
			gp_alias_parse(hostdev->alias, &number, &ask->gone_from);
		name(&all, ask);
	}
}

static bool needs_mdev(const struct gp_ask *ask)
{
	return ask->slot && ask->slot->gpu->mdevs;
}

void gp_name_mdevs(struct gp_sheet *sheet)
{
	struct register_of_names all = read_register(sheet);

	for (size_t a = 0; a < sheet->ask_count; a++) {
		struct gp_ask *ask = sheet->asks[a];

		ask->named = needs_mdev(ask) && is_its_own(ask->slot, ask);
		if (ask->named)
			give(&all, ask, ask->slot->now->mdev);
	}
	for (size_t a = 0; a < sheet->ask_count; a++) {
		if (needs_mdev(sheet->asks[a]) && !sheet->asks[a]->named)
			name(&all, sheet->asks[a]);
	}
}

/* ---- what comes and goes ---- */

/* case 103: a mediated device for the VM that got the VF; whatever else was made there goes first */
static void settle_slot(struct gp_slot *slot)
{
	const struct gp_ask *ask = slot->taken_by;
	struct gp_slot *from = ask ? ask->mdev_at : NULL;

	if (!ask || slot->waits || slot->gpu->waits)
		return;
	slot->made = slot->wrong || !has_mdev(slot, ask->mdev);
	if (slot->made && gp_slot_is_there(slot))
		slot->lost = true;
	/* case 110: it moves */
	if (from && from != slot)
		from->lost = true;
}

void gp_settle_mdevs(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		for (uint32_t i = 0; row->mdevs && i < row->slot_count; i++) {
			row->slots[i].lost = row->slots[i].wrong;
			row->slots[i].made = false;
		}
	}
	for (size_t a = 0; a < sheet->ask_count; a++) {
		struct gp_ask *ask = sheet->asks[a];

		if (!needs_mdev(ask) || ask->slot->gpu->faulty)
			continue;
		if (ask->mdev_at && ask->mdev_at != ask->slot)
			ask->mdev_at->leaver = ask;
		settle_slot(ask->slot);
	}
}

/* ---- what cannot be now ---- */

/* Plugged into a VM that this plan does not stop. Where that is because of its policy refuse, it is refused. */
static const struct gp_vm_row *who_stays(const struct gp_sheet *sheet, const struct gp_slot *slot)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		const struct gp_vm_row *vm = claim->vm;

		if (!claim->live || gp_vm_goes_down(sheet, vm))
			continue;
		if (!vm->want || vm->edits_wait || vm->domain->state == GP_DOMAIN_STOPPING ||
		    gp_vm_policy(sheet, vm, vm->class_of) != GP_POLICY_REFUSE)
			return vm;
	}
	return NULL;
}

/* The definition of another VM names what is there, and cannot be changed yet. */
static const struct gp_vm_row *who_keeps(const struct gp_slot *slot)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (!claim->live && !claim->noted && claim->vm != slot->taken_by->vm && claim->vm->edits_wait)
			return claim->vm;
	}
	return NULL;
}

static bool wait_for(struct gp_slot *slot, const char *domain, unsigned case_number)
{
	slot->waits = true;
	slot->waits_for = slot->gpu->waits_for = domain;
	slot->wait_case = case_number;
	return true;
}

const char *gp_mdev_leaver_waits_for(const struct gp_slot *slot)
{
	const struct gp_slot *to = slot->leaver ? slot->leaver->slot : NULL;

	if (!to)
		return NULL;
	return to->waits ? to->waits_for : to->gpu->waits ? to->gpu->waits_for : NULL;
}

/* By the definition, whatever else that says of it. */
static bool is_named(const struct gp_ask *ask)
{
	const struct gp_domain *domain = ask->vm->domain;

	for (size_t i = 0; i < domain->config_count; i++) {
		if (domain->config[i].type == GP_HOSTDEV_MDEV && gp_uuid_equal(domain->config[i].mdev, ask->mdev))
			return true;
	}
	return false;
}

bool gp_mdev_must_wait(const struct gp_sheet *sheet, struct gp_slot *slot)
{
	const struct gp_slot *from = slot->taken_by->mdev_at;
	const struct gp_vm_row *vm = NULL;

	if (!slot->made || slot->waits)
		return false;
	/* No definition is to name it yet. */
	if (slot->taken_by->vm->edits_wait && !is_named(slot->taken_by))
		return wait_for(slot, slot->taken_by->vm->waits_for, 59);
	if (slot->lost && !slot->wrong) {
		if ((vm = who_stays(sheet, slot)))
			return wait_for(slot, vm->domain->name, 52);
		if ((vm = who_keeps(slot)))
			return wait_for(slot, vm->waits_for, 52);
		if (gp_mdev_leaver_waits_for(slot))
			return wait_for(slot, gp_mdev_leaver_waits_for(slot), 52);
	}
	if (!from || from == slot)
		return false;
	if (from->gpu->waits)
		return wait_for(slot, from->gpu->waits_for, 110);
	if (!from->wrong && (vm = who_stays(sheet, from)))
		return wait_for(slot, vm->domain->name, 110);
	return false;
}

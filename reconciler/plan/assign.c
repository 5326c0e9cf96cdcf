/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which ask gets which slot: what it costs, handed to gp_place(), and words for those that get none. */
#include <string.h>

#include "base/num.h"
#include "model/names.h"
#include "plan/mdev.h"
#include "plan/place.h"
#include "plan/power.h"
#include "plan/sheet.h"

/* What one request thinks of partitions of one kind. Slots of a kind stand side by side, so one memory is enough. */
struct opinion {
	const struct gp_request *want;
	const struct gp_class *class_of;
	const struct gp_offer *offers;
	bool fits;
	int64_t rank, distance;
};

struct context {
	struct gp_sheet *sheet;
	struct opinion *memory;
};

enum { DISTANCE_MAX = 1000 * 1000 * 1000 };

static bool class_rank(const struct gp_request *want, const struct gp_class *class_of, int64_t *rank)
{
	for (size_t i = 0; i < want->class_count; i++) {
		if (gp_streq(want->classes[i], class_of->name)) {
			*rank = (int64_t)i;
			return true;
		}
	}
	return false;
}

static bool bounds_fit(const struct gp_request *want, const struct gp_offer *offers, struct gp_str *why)
{
	for (enum gp_resource r = 0; r < GP_RESOURCE_COUNT; r++) {
		if (want->bounds[r].given && !gp_bound_fits(&want->bounds[r], &offers[r], r, why))
			return false;
	}
	return true;
}

static const struct opinion *opinion_of(const struct context *context, const struct gp_request *want,
					const struct gp_slot *slot)
{
	struct opinion *o = context->memory;

	if (o->want == want && o->class_of == slot->gpu->class_of && o->offers == slot->offers)
		return o;
	*o = (struct opinion){.want = want, .class_of = slot->gpu->class_of, .offers = slot->offers};
	o->fits = class_rank(want, slot->gpu->class_of, &o->rank) && bounds_fit(want, slot->offers, NULL);
	for (enum gp_resource r = 0; o->fits && r < GP_RESOURCE_COUNT; r++) {
		uint64_t distance = want->bounds[r].given ? gp_bound_distance(&want->bounds[r], &slot->offers[r]) : 0;

		o->distance += distance < DISTANCE_MAX ? (int64_t)distance : DISTANCE_MAX;
	}
	return o;
}

static bool alias_says(const struct gp_hostdev *hostdev, const struct gp_ask *ask, const struct gp_slot *slot)
{
	uint32_t request;
	const char *class_name;

	return hostdev->ours && gp_alias_parse(hostdev->alias, &request, &class_name) == 0 && request == ask->request &&
	       gp_streq(class_name, slot->gpu->class_of->name);
}

/* How long it may take until another VM's slot can be had: 0 not at all, 1 this plan may stop that VM, 2 it cannot. */
static int64_t hindrance_of(const struct gp_sheet *sheet, const struct gp_claim *claim)
{
	const struct gp_vm_row *vm = claim->vm;
	bool restarts = vm->want && gp_desired_disruption(sheet->desired, claim->slot->gpu->class_of, vm->want) ==
					    GP_POLICY_RESTART;

	if (claim->live)
		return restarts ? 1 : 2;
	return vm->want && gp_vm_is_owed_a_start(vm);
}

static void worse(int64_t *so_far, int64_t other)
{
	if (other > *so_far)
		*so_far = other;
}

static bool counts_as_up(const struct gp_vm_row *vm)
{
	return vm->up || gp_vm_is_owed_a_start(vm);
}

static bool cost_of(const void *context_pointer, size_t asker, size_t slot_number, struct gp_cost *out)
{
	const struct context *context = context_pointer;
	const struct gp_ask *ask = context->sheet->asks[asker];
	const struct gp_slot *slot = context->sheet->offered[slot_number];
	const struct opinion *opinion = opinion_of(context, ask->want, slot);
	bool barred = slot->outsider != NULL; /* unless its own definition has it */
	bool claimed = false;                 /* by another VM's definition: unless it runs with it */
	/* case 111: wherever it is made again, the definition is right */
	bool again = ask->gone_from && slot->gpu->mdevs && gp_streq(ask->gone_from, slot->gpu->class_of->name);
	bool mine = false, relabel = true, live = false;
	int64_t busy = 0;

	if (!opinion->fits)
		return false;
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (claim->vm != ask->vm) {
			/* What another VM has by hand is not ours to give, adopted by that VM or not. */
			claimed = claimed || gp_claim_is_foreign(claim) || (!claim->live && !claim->hostdev->ours);
			worse(&busy, hindrance_of(context->sheet, claim));
		} else if (gp_claim_is_own(claim)) {
			mine = true;
			/* What it has in its definition is nearer than what was taken out of it. */
			relabel = relabel && (claim->noted || !alias_says(claim->hostdev, ask, slot));
		} else {
			live = live || claim->live;
			barred = barred || gp_claim_is_foreign(claim);
		}
	}
	if ((barred && !mine) || (claimed && !live))
		return false;
	*out = (struct gp_cost){{
		[GP_COST_DISTURBS] = ask->vm->up ? !live : gp_vm_is_owed_a_start(ask->vm) && !mine,
		[GP_COST_MOVES] = !mine && !again,
		[GP_COST_RELABELS] = mine && relabel,
		[GP_COST_CLASS] = opinion->rank,
		[GP_COST_DISTANCE] = opinion->distance,
		/* The least: where a mediated device was made for it, though no definition says so any more. */
		[GP_COST_BUSY] = 2 * busy + (ask->mdev_at && ask->mdev_at != slot),
	}};
	return true;
}

/*
 * Of the slots that the VM claims, the cheapest. It is the cheapest of all: any slot that it does not claim costs a
 * move, and if the VM is up a disturbance, too. Of two that cost the same, neither is kept beforehand.
 */
static size_t kept_by(const void *context_pointer, size_t asker)
{
	const struct context *context = context_pointer;
	const struct gp_ask *ask = context->sheet->asks[asker];
	size_t best = GP_PLACE_NONE;
	struct gp_cost least = {{0}};
	bool tie = false;

	for (size_t c = 0; c < ask->vm->claim_count; c++) {
		const struct gp_slot *slot = ask->vm->claims[c]->slot;
		struct gp_cost cost;

		if (!slot->offered || slot->number == best || !cost_of(context, asker, slot->number, &cost))
			continue;
		int order = best == GP_PLACE_NONE ? -1 : gp_cost_compare(&cost, &least);

		tie = order == 0 || (tie && order > 0);
		if (order < 0) {
			best = slot->number;
			least = cost;
		}
	}
	return tie ? GP_PLACE_NONE : best;
}

/* ---- askers that are alike ---- */

static bool same_amount(struct gp_amount a, struct gp_amount b)
{
	return a.unit == b.unit && a.value == b.value;
}

static bool same_wish(const struct gp_request *a, const struct gp_request *b)
{
	if (a == b)
		return true;
	if (a->class_count != b->class_count)
		return false;
	for (size_t i = 0; i < a->class_count; i++) {
		if (!gp_streq(a->classes[i], b->classes[i]))
			return false;
	}
	for (enum gp_resource r = 0; r < GP_RESOURCE_COUNT; r++) {
		const struct gp_bound *x = &a->bounds[r], *y = &b->bounds[r];

		if (x->given != y->given || !same_amount(x->min, y->min) || !same_amount(x->optimal, y->optimal) ||
		    !same_amount(x->max, y->max))
			return false;
	}
	return true;
}

/* VMs that claim nothing yet differ only in what they ask for, and in whether they run. */
static size_t *kinds_of(const struct gp_sheet *sheet)
{
	size_t *kinds = gp_arena_array_of(sheet->scratch, size_t, sheet->ask_count);
	size_t *firsts = NULL, count = 0;

	for (size_t a = 0; a < sheet->ask_count; a++) {
		const struct gp_ask *ask = sheet->asks[a];

		kinds[a] = a;
		if (ask->vm->claim_count || ask->mdev_at)
			continue;
		for (size_t i = 0; i < count && kinds[a] == a; i++) {
			const struct gp_ask *first = sheet->asks[firsts[i]];

			if (counts_as_up(first->vm) == counts_as_up(ask->vm) &&
			    gp_streq(first->gone_from, ask->gone_from) && same_wish(first->want, ask->want))
				kinds[a] = firsts[i];
		}
		if (kinds[a] == a)
			*gp_arena_push(sheet->scratch, firsts, count) = a;
	}
	return kinds;
}

static uint64_t *preferences_of(const struct gp_sheet *sheet)
{
	uint64_t *preferences = gp_arena_array_of(sheet->scratch, uint64_t, sheet->offered_count);

	for (size_t s = 0; s < sheet->offered_count; s++)
		preferences[s] = sheet->offered[s]->preference;
	return preferences;
}

/* ---- the order in which free slots are liked ---- */

enum { GPU_SHIFT = 20, UNUSED_SHIFT = 40, MADE_SHIFT = 50 };

/* A mediated device that was made for another VM would have to be made anew. */
static bool is_made_for_one(const struct gp_slot *slot)
{
	return slot->gpu->mdevs && gp_slot_is_there(slot);
}

static bool is_used(const struct gp_slot *slot)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (!gp_claim_is_given_up(claim))
			return true;
	}
	return slot->outsider != NULL;
}

static void prefer(const struct gp_sheet *sheet, struct gp_gpu_row *row)
{
	enum gp_placement placement = row->class_of->placement;
	uint64_t gpu = (uint64_t)(row - sheet->gpus), used = 0, taken;

	if (placement == GP_PLACEMENT_INHERIT)
		placement = sheet->desired->policy.placement;
	for (size_t i = 0; i < row->slot_count; i++)
		used += is_used(&row->slots[i]);
	taken = used;
	for (size_t i = 0; i < row->slot_count; i++) {
		struct gp_slot *slot = &row->slots[i];

		if (is_used(slot))
			slot->preference = 0; /* whoever has it weighs more */
		else if (placement == GP_PLACEMENT_SPREAD)
			/* The nth partition of a GPU costs n: the cheapest sum is the most even spread. */
			slot->preference = (uint64_t)++taken << GPU_SHIFT | gpu;
		else
			/* GPUs that are used already first, then in address order, each from its first partition on. */
			slot->preference = (uint64_t)(used == 0) << UNUSED_SHIFT | gpu << GPU_SHIFT | i;
		slot->preference |= (uint64_t)is_made_for_one(slot) << MADE_SHIFT;
	}
}

static void list_offered(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		if (row->class_of)
			prefer(sheet, row);
		for (size_t i = 0; i < row->slot_count; i++) {
			if (!row->slots[i].offered)
				continue;
			row->slots[i].number = sheet->offered_count;
			*gp_arena_push(sheet->scratch, sheet->offered, sheet->offered_count) = &row->slots[i];
		}
	}
}

/* ---- words for those that get none ---- */

static void add_names(const struct gp_sheet *sheet, const size_t *askers, size_t count, struct gp_str *out)
{
	enum { SHOWN = 4 };

	for (size_t i = 0; i < count && i < SHOWN; i++)
		gp_str_printf(out, "%s%s", i ? ", " : "", sheet->asks[askers[i]]->vm->domain->name);
	if (count > SHOWN)
		gp_str_printf(out, " and %zu more", count - SHOWN);
}

static void add_classes(const struct gp_request *want, struct gp_str *out)
{
	for (size_t i = 0; i < want->class_count; i++)
		gp_str_printf(out, "%s%s", i ? " or " : "class ", want->classes[i]);
}

static bool wants_class(const struct gp_request *want, const struct gp_gpu_row *row)
{
	int64_t rank;

	return row->class_of && class_rank(want, row->class_of, &rank);
}

struct tally {
	size_t gpus, partitions, fitting, foreign;
	const struct gp_slot *first_foreign;
	const struct gp_class *first_class;
};

static struct tally tally_of(struct gp_sheet *sheet, const struct gp_ask *ask)
{
	struct tally t = {0};

	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		if (!wants_class(ask->want, row))
			continue;
		t.gpus++;
		t.first_class = t.first_class ? t.first_class : row->class_of;
		for (size_t i = 0; i < row->slot_count; i++) {
			struct gp_slot *slot = &row->slots[i];
			struct gp_cost cost;
			struct opinion memory = {0};
			struct context context = {sheet, &memory};
			size_t asker = 0;

			if (!slot->offered)
				continue;
			t.partitions++;
			if (!bounds_fit(ask->want, slot->offers, NULL))
				continue;
			t.fitting++;
			while (sheet->asks[asker] != ask)
				asker++;
			if (cost_of(&context, asker, slot->number, &cost))
				continue;
			t.foreign++;
			t.first_foreign = t.first_foreign ? t.first_foreign : slot;
		}
	}
	return t;
}

/* Of the layouts that the class's GPUs could have: the counts whose partitions fit and which give at least `needed`. */
static void add_counts_that_work(struct gp_sheet *sheet, const struct gp_request *want, size_t needed,
				 struct gp_str *out)
{
	enum { SHOWN = 4 };
	uint32_t shown[SHOWN], last = 0;
	size_t count = 0;

	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		const struct gp_gpu_row *row = &sheet->gpus[g];
		size_t alike = 0;

		if (!wants_class(want, row) || row->faulty || row->class_of->partitions != GP_PARTITIONS_COUNT)
			continue;
		for (size_t other = 0; other < sheet->observed->gpu_count; other++)
			alike += sheet->gpus[other].class_of == row->class_of;
		for (size_t l = 0; l < row->layout_count; l++) {
			const struct gp_layout *layout = &row->layouts[l];

			if (layout->group_count == 0 || layout->count == 0 || layout->count * alike < needed ||
			    !bounds_fit(want, layout->groups[0].offers, NULL))
				continue;
			if (count && layout->count == last)
				continue; /* of another series */
			if (count < SHOWN)
				shown[count] = layout->count;
			last = layout->count;
			count++;
		}
		if (count == 0)
			continue;
		gp_str_printf(out, "partitions: ");
		for (size_t i = 0; i < count && i < SHOWN; i++)
			gp_str_printf(out, "%s%u", i ? ", " : "", shown[i]);
		gp_str_printf(out, "%s in class %s", count > SHOWN ? " …" : "", row->class_of->name);
		return;
	}
}

static void describe_outsider(const struct gp_slot *slot, struct gp_str *out)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (gp_claim_is_foreign(claim) || !claim->hostdev->ours) {
			gp_str_printf(out, "VM %s has it%s", claim->vm->domain->name,
				      claim->live ? " plugged" : " in its definition, made by hand");
			return;
		}
	}
	if (slot->outsider && slot->outsider->kind == GP_HOLDER_DRIVER)
		gp_str_printf(out, "bound to driver %s", slot->outsider->name);
	else if (slot->outsider)
		gp_str_printf(out, "open in process %s, pid %llu", slot->outsider->name,
			      (unsigned long long)slot->outsider->pid);
}

/* Why no partition at all would do: the bound that the nearest one misses. */
static void describe_misfit(struct gp_sheet *sheet, const struct gp_ask *ask, struct gp_str *out)
{
	for (size_t s = 0; s < sheet->offered_count; s++) {
		const struct gp_slot *slot = sheet->offered[s];

		if (wants_class(ask->want, slot->gpu) && !bounds_fit(ask->want, slot->offers, out))
			return;
	}
}

/* What would free the slot. To cut its GPU anew is no way out: whoever holds it stands in the way of that, too. */
static const char *way_to_free(const struct gp_slot *slot)
{
	if (slot->claims)
		return "take the hostdev out of that VM, or list the VM with adopt: true";
	if (slot->outsider && slot->outsider->kind == GP_HOLDER_DRIVER)
		return "unbind it from that driver, if nothing on the host uses it";
	return "end that process";
}

/* Where no count helps. */
static const char *way_without_counts(const struct tally *t)
{
	if (t->gpus == 0)
		return "compare with 'gpupart gpus'";
	if (t->partitions > 0)
		return "a bound that they meet, or none";
	return t->first_class->partitions == GP_PARTITIONS_KEEP ? "a count in place of partitions: keep"
								: "another class";
}

static struct gp_diag *begin_fault(struct gp_sheet *sheet, const struct gp_ask *ask, const char *names, size_t count,
				   const char *what)
{
	struct gp_diag *diag = gp_sheet_fault(sheet, GP_E_INPUT, "no-partition", ask->want->mark,
					      "%s %s no partition: %s", names, count == 1 ? "gets" : "get", what);

	gp_error_subject(&diag->error, "domain %s", ask->vm->domain->name);
	return diag;
}

/* case 53: no partition fits. case 54: too few. case 55: all are held by others */
static void fault_shortage(struct gp_sheet *sheet, const struct gp_place_shortage *shortage, const size_t *failed,
			   size_t failed_count)
{
	const struct gp_ask *ask = sheet->asks[shortage->asker];
	struct tally t = tally_of(sheet, ask);
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0}, classes = {0}, what = {0}, remedy = {0}, holder = {0};
	struct gp_diag *diag;

	add_names(sheet, failed, failed_count, &names);
	add_classes(ask->want, &classes);
	if (t.gpus == 0) {
		gp_str_printf(&what, "%s has no GPU on this host", gp_str_text(&classes));
	} else if (t.partitions == 0) {
		gp_str_printf(&what, "%s has no partitions", gp_str_text(&classes));
		add_counts_that_work(sheet, ask->want, shortage->asker_count, &remedy);
	} else if (t.fitting == 0) {
		gp_str_printf(&what, "none of the %zu of %s fits: ", t.partitions, gp_str_text(&classes));
		describe_misfit(sheet, ask, &what);
		add_counts_that_work(sheet, ask->want, 1, &remedy);
	} else {
		gp_str_printf(&what, "%zu %s asked of %s, and %zu can be had", shortage->asker_count,
			      shortage->asker_count == 1 ? "is" : "are", gp_str_text(&classes), shortage->slot_count);
		if (t.fitting < t.partitions)
			gp_str_printf(&what, " (%zu of %zu fit)", t.fitting, t.partitions);
		if (t.foreign)
			gp_str_printf(&what, " (%zu held by others)", t.foreign);
		else
			add_counts_that_work(sheet, ask->want, shortage->asker_count, &remedy);
	}
	if (!remedy.length)
		gp_str_add(&remedy, t.first_foreign ? way_to_free(t.first_foreign) : way_without_counts(&t));
	diag = begin_fault(sheet, ask, gp_str_text(&names), failed_count, gp_str_text(&what));
	if (t.first_foreign) {
		describe_outsider(t.first_foreign, &holder);
		gp_error_holder(&diag->error, "%s: %s", gp_slot_name(sheet, t.first_foreign), gp_str_text(&holder));
	}
	gp_error_remedy(&diag->error, "%s", gp_str_text(&remedy));
	if (t.first_class)
		gp_diag_other(diag, t.first_class->partitions_mark, "class %s is cut here", t.first_class->name);
}

/* How many come away with nothing because of the same slots, in this fault or in another one. */
static size_t competitors_of(const struct gp_placement_result *result, const struct gp_place_shortage *shortage,
			     size_t at_least)
{
	size_t count = 0;

	for (size_t i = 0; shortage->slot_count && i < result->shortage_count; i++) {
		const struct gp_place_shortage *other = &result->shortages[i];

		count += other->slot_count && other->slots[0] == shortage->slots[0];
	}
	return count > at_least ? count : at_least;
}

/* A GPU is at fault, which was said: that others have too few for all is but what follows from it. */
static bool is_short_of_gpus(struct gp_sheet *sheet, const struct gp_ask *ask)
{
	struct tally t = tally_of(sheet, ask);
	bool any_faulty = false;

	for (size_t g = 0; g < sheet->observed->gpu_count; g++)
		any_faulty = any_faulty || (sheet->gpus[g].faulty && wants_class(ask->want, &sheet->gpus[g]));
	return any_faulty && (t.fitting > 0 || t.partitions == 0);
}

/* One fault for all the VMs of one pattern that come away with nothing. */
static void fault_shortages(struct gp_sheet *sheet, const struct gp_placement_result *result)
{
	bool *told = gp_arena_array_of(sheet->scratch, bool, result->shortage_count);

	for (size_t i = 0; i < result->shortage_count; i++) {
		const struct gp_place_shortage *widest = &result->shortages[i];
		const struct gp_request *want = sheet->asks[widest->asker]->want;
		size_t *failed = NULL, failed_count = 0;

		if (told[i] || is_short_of_gpus(sheet, sheet->asks[widest->asker]))
			continue;
		for (size_t j = i; j < result->shortage_count; j++) {
			if (sheet->asks[result->shortages[j].asker]->want != want)
				continue;
			told[j] = true;
			*gp_arena_push(sheet->scratch, failed, failed_count) = result->shortages[j].asker;
		}
		struct gp_place_shortage all = *widest;

		all.asker_count += competitors_of(result, widest, failed_count) - 1;
		fault_shortage(sheet, &all, failed, failed_count);
	}
}

/* Its definition names what the ask is to have: a partition by where it is, a mediated device by its name. */
static bool definition_has(const struct gp_ask *ask)
{
	const struct gp_domain *domain = ask->vm->domain;

	for (const struct gp_claim *claim = ask->slot->claims; claim; claim = claim->next) {
		if (claim->vm == ask->vm && !claim->noted && gp_claim_is_own(claim) &&
		    alias_says(claim->hostdev, ask, ask->slot))
			return true;
	}
	for (size_t i = 0; ask->slot->gpu->mdevs && i < domain->config_count; i++) {
		if (domain->config[i].type == GP_HOSTDEV_MDEV && gp_uuid_equal(domain->config[i].mdev, ask->mdev) &&
		    alias_says(&domain->config[i], ask, ask->slot))
			return true;
	}
	return false;
}

/* A vGPU that it has by hand, and keeps beside what it asks for; NULL: none. */
static const struct gp_slot *kept_by_hand(const struct gp_vm_row *vm)
{
	for (size_t c = 0; c < vm->claim_count; c++) {
		const struct gp_claim *claim = vm->claims[c];
		const struct gp_slot *slot = claim->slot;

		if (!claim->live && !claim->hostdev->ours && slot->gpu->by_profile &&
		    !(slot->taken_by && slot->taken_by->vm == vm))
			return slot;
	}
	return NULL;
}

/* case 107: a vGPU type that suffers no other beside it in a VM */
static void check_company(struct gp_sheet *sheet, struct gp_vm_row *vm)
{
	const struct gp_slot *by_hand = kept_by_hand(vm);

	for (size_t a = 0; a < vm->ask_count && (vm->ask_count > 1 || by_hand); a++) {
		const struct gp_slot *slot = vm->asks[a].slot;
		struct gp_diag *diag;

		if (!slot || !slot->group || !slot->group->alone)
			continue;
		diag = gp_sheet_fault(sheet, GP_E_INPUT, "one-per-vm", vm->asks[a].want->mark,
				      "%s %s, and a VM that has %s can have no other partition", vm->domain->name,
				      by_hand ? gp_sheet_printf(sheet, "has %s by hand", gp_slot_name(sheet, by_hand))
					      : gp_sheet_printf(sheet, "asks for %zu partitions", vm->ask_count),
				      slot->profile);
		gp_error_subject(&diag->error, "domain %s", vm->domain->name);
		gp_error_remedy(&diag->error,
				by_hand ? "take that hostdev out of its definition; or adopt: true, where "
					  "it is what is asked for"
					: "ask for one, larger partition; or for types of which a VM may "
					  "have several ('gpupart gpus --json' tells: several_per_vm)");
		vm->faulty = true;
		return;
	}
}

void gp_assign(struct gp_sheet *sheet)
{
	struct opinion memory = {0};
	struct context context = {sheet, &memory};
	struct gp_placement_result result;

	list_offered(sheet);
	result = gp_place(&(struct gp_place_problem){sheet->ask_count, sheet->offered_count, cost_of, kept_by, &context,
						     kinds_of(sheet), preferences_of(sheet)},
			  sheet->scratch);
	for (size_t a = 0; a < sheet->ask_count; a++) {
		struct gp_ask *ask = sheet->asks[a];

		if (result.slot_of[a] == GP_PLACE_NONE) {
			ask->vm->faulty =
				true; /* what it has is neither kept nor given back until the files are right */
			continue;
		}
		ask->slot = sheet->offered[result.slot_of[a]];
		ask->slot->taken_by = ask;
	}
	if (sheet->mdevs)
		gp_name_mdevs(sheet);
	for (size_t a = 0; a < sheet->ask_count; a++)
		sheet->asks[a]->kept = sheet->asks[a]->slot && definition_has(sheet->asks[a]);
	fault_shortages(sheet, &result);
	for (size_t v = 0; v < sheet->vm_count; v++)
		check_company(sheet, &sheet->vms[v]);
}

/* ---- for the reader: what `vms` shows ---- */

static void report(struct gp_sheet *sheet, size_t want_index, uint32_t request)
{
	const struct gp_vm_row *row = sheet->by_want[want_index];
	struct gp_assignment *out =
		gp_arena_push(sheet->arena, sheet->plan->assignments, sheet->plan->assignment_count);

	out->domain = gp_arena_strdup(sheet->arena, sheet->desired->vms[want_index].name);
	out->defined = row != NULL;
	out->want = want_index;
	out->request = request;
	if (!row || request >= row->ask_count || !row->asks[request].slot)
		return;
	const struct gp_slot *slot = row->asks[request].slot;

	out->placed = true;
	out->kept = row->asks[request].kept;
	out->class_name = gp_arena_strdup(sheet->arena, slot->gpu->class_of->name);
	out->vf = (struct gp_vf_ref){slot->gpu->gpu->addr, slot->index};
	out->profile = gp_arena_strdup(sheet->arena, slot->profile);
	memcpy(out->offers, slot->offers, sizeof(out->offers));
}

void gp_report_assignments(struct gp_sheet *sheet)
{
	for (size_t w = 0; w < sheet->desired->vm_count; w++) {
		for (uint32_t r = 0; r < sheet->desired->vms[w].request_count; r++)
			report(sheet, w, r);
	}
}

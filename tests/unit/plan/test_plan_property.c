/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random small hosts and wishes, drawn with a seed. For each:
 *
 *	- if placing by trying everything serves all, the planner does, too, and disturbs no more running VMs
 *	- the same input gives the same bytes
 *	- carrying the plan out step by step never takes a device from a running VM, and ends in "No changes."
 *	- what waits is done once the VMs are off
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

enum { ROUNDS = 3000, SEED = 7, MOST_VMS = 5, MOST_SLOTS = 16, GPUS = 2, ROUNDS_TO_REST = 4 };

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static uint32_t pick(uint32_t *state, uint32_t below)
{
	return next_random(state) % below;
}

/* ---- drawing ---- */

struct drawn {
	struct gp_str host, want;
};

static const char *const policies[] = {"defer", "restart"};
static const char *const partitions[] = {"one", "two", "{class: [one, two]}", "{class: [two, one], vram: 4GiB}",
					 "{class: [one, two], vram: {max: 4GiB}}"};

/* Places that a running VM has, that any definition names, and that a definition names by hand. */
struct places {
	bool taken[MOST_SLOTS], named[MOST_SLOTS], by_hand[MOST_SLOTS];
};

static void draw_vm(uint32_t *state, char name, struct places *places, struct drawn *drawn)
{
	uint32_t bus = pick(state, GPUS), index = pick(state, 4), kind = pick(state, 6);
	bool running = pick(state, 2), listed = pick(state, 5) > 0;
	uint32_t place = bus * 8 + index;
	static const char *const classes[] = {"one", "two"};

	gp_str_printf(&drawn->host, "\nvm %c %s", name, running ? "run" : "off");
	if (kind < 3 && !(running && places->taken[place]) && !places->by_hand[place]) {
		gp_str_printf(&drawn->host, " %c:0.%s@%u/%u", running ? 'b' : 'c', classes[bus], 41 + bus, index);
		places->taken[place] = places->taken[place] || running;
		places->named[place] = true;
	} else if (kind == 3 && !places->named[place]) {
		/* A VF that is named by hand and by another definition is a quarrel that no plan can end alone. */
		gp_str_printf(&drawn->host, " %c:hand@%u/%u", running ? 'b' : 'c', 41 + bus, index);
		places->taken[place] = running;
		places->named[place] = places->by_hand[place] = true;
	}
	if (pick(state, 8) == 0 && !running)
		gp_str_add(&drawn->host, " mark");
	if (!listed)
		return;
	bool none = pick(state, 8) == 0, adopt = pick(state, 2);

	gp_str_printf(&drawn->want, "  - {name: %c, partition: %s, disruption: %s%s%s}\n", name,
		      none ? "none" : partitions[pick(state, COUNT_OF(partitions))], policies[pick(state, 2)],
		      adopt && !none ? ", adopt: true" : "", pick(state, 4) == 0 ? ", power: running" : "");
}

static struct drawn draw(uint32_t *state)
{
	struct drawn drawn = {{0}, {0}};
	struct places places = {{false}, {false}, {false}};
	uint32_t vms = 1 + pick(state, MOST_VMS), keeps = pick(state, 2);
	uint32_t counts[GPUS];

	gp_str_add(&drawn.want, "version: 1\npolicy: {at_once: 8}\ngpus:\n");
	for (uint32_t g = 0; g < GPUS; g++) {
		counts[g] = 4;
		gp_str_printf(&drawn.host, "%sgpu %u 8 %u vram=16", g ? "\n" : "", 41 + g, counts[g]);
		gp_str_printf(&drawn.want, "  - {class: %s, match: {address: '0000:%u:00.0'}, partitions: %u%s}\n",
			      g ? "two" : "one", 41 + g, keeps ? 4 : 1 + pick(state, 8),
			      pick(state, 2) ? ", placement: spread" : "");
	}
	gp_str_add(&drawn.want, "vms:\n");
	size_t before = drawn.want.length;

	for (uint32_t v = 0; v < vms; v++)
		draw_vm(state, (char)('a' + v), &places, &drawn);
	if (drawn.want.length == before)
		gp_str_add(&drawn.want, "  - {name: nobody, partition: one}\n");
	return drawn;
}

static void drawn_clear(struct drawn *drawn)
{
	gp_str_clear(&drawn->host);
	gp_str_clear(&drawn->want);
}

/* ---- placing by trying everything, written from the language and not from the planner ---- */

struct seat {
	size_t gpu;
	uint32_t index;
	const struct gp_offer *offers;
	const struct gp_class *class_of;
};

struct brute {
	const struct run *run;
	struct seat seats[MOST_SLOTS];
	size_t seat_count;
	const struct gp_want_vm *wants[MOST_VMS];
	const struct gp_domain *domains[MOST_VMS];
	size_t want_count;
	size_t best_disturbed;
	bool found;
};

static bool names_seat(const struct gp_hostdev *hostdevs, size_t count, const struct seat *seat, bool only_foreign)
{
	for (size_t i = 0; i < count; i++) {
		if (hostdevs[i].resolved && hostdevs[i].gpu == seat->gpu && hostdevs[i].vf == seat->index &&
		    !(only_foreign && hostdevs[i].ours))
			return true;
	}
	return false;
}

static const struct gp_want_vm *want_of(const struct run *run, const struct gp_domain *domain)
{
	for (size_t i = 0; i < run->desired->vm_count; i++) {
		if (gp_streq(run->desired->vms[i].name, domain->name))
			return &run->desired->vms[i];
	}
	return NULL;
}

/* What it runs with; after an interrupted run, what it is to run with again. */
static bool runs_with(const struct gp_domain *domain, const struct seat *seat)
{
	bool owed = domain->state == GP_DOMAIN_OFF && domain->to_start;

	return owed ? names_seat(domain->config, domain->config_count, seat, false)
		    : names_seat(domain->live, domain->live_count, seat, false);
}

static bool is_up(const struct gp_domain *domain)
{
	return domain->state != GP_DOMAIN_OFF || domain->to_start;
}

static bool may_have(const struct brute *brute, size_t asker, const struct seat *seat)
{
	const struct gp_want_vm *want = brute->wants[asker];
	bool named = false;

	for (size_t i = 0; i < want->requests[0].class_count; i++)
		named = named || gp_streq(want->requests[0].classes[i], seat->class_of->name);
	if (!named)
		return false;
	for (enum gp_resource r = 0; r < GP_RESOURCE_COUNT; r++) {
		if (want->requests[0].bounds[r].given &&
		    !gp_bound_fits(&want->requests[0].bounds[r], &seat->offers[r], r, NULL))
			return false;
	}
	/* What it has by hand it may have only if that is adopted; what others have by hand, only if it runs with it.
	 */
	const struct gp_domain *own = brute->domains[asker];

	if (!want->adopt && names_seat(own->config, own->config_count, seat, true))
		return false;
	if (names_seat(own->live, own->live_count, seat, false))
		return true;
	for (size_t d = 0; d < brute->run->observed->domain_count; d++) {
		const struct gp_domain *domain = &brute->run->observed->domains[d];

		if (domain == own)
			continue;
		if (names_seat(domain->config, domain->config_count, seat, true))
			return false;
		if (!want_of(brute->run, domain) && names_seat(domain->live, domain->live_count, seat, true))
			return false;
	}
	return true;
}

static void try_all(struct brute *brute, size_t asker, uint32_t taken, size_t disturbed)
{
	if (asker == brute->want_count) {
		if (!brute->found || disturbed < brute->best_disturbed)
			brute->best_disturbed = disturbed;
		brute->found = true;
		return;
	}
	for (size_t s = 0; s < brute->seat_count; s++) {
		const struct gp_domain *own = brute->domains[asker];

		if (taken & (1u << s) || !may_have(brute, asker, &brute->seats[s]))
			continue;
		try_all(brute, asker + 1, taken | 1u << s,
			disturbed + (is_up(own) && !runs_with(own, &brute->seats[s])));
	}
}

static struct brute try_everything(const struct run *run)
{
	struct brute brute = {.run = run};

	for (size_t g = 0; g < run->observed->gpu_count; g++) {
		const struct gp_class *class_of = &run->desired->classes[g];
		const struct gp_layout *layout = gp_gpu_layout(&run->observed->gpus[g], class_of->count);

		for (uint32_t i = 0; i < class_of->count; i++)
			brute.seats[brute.seat_count++] = (struct seat){g, i, layout->groups[0].offers, class_of};
	}
	for (size_t i = 0; i < run->desired->vm_count; i++) {
		const struct gp_domain *domain = gp_observed_domain(run->observed, &run->desired->vms[i]);

		if (!domain || run->desired->vms[i].release)
			continue;
		brute.wants[brute.want_count] = &run->desired->vms[i];
		brute.domains[brute.want_count++] = domain;
	}
	try_all(&brute, 0, 0, 0);
	return brute;
}

/* ---- what must hold ---- */

static size_t disturbed_by(const struct run *run)
{
	size_t count = 0;

	for (size_t i = 0; i < run->plan->assignment_count; i++) {
		const struct gp_assignment *assignment = &run->plan->assignments[i];
		const struct gp_domain *domain =
			gp_observed_domain(run->observed, &run->desired->vms[assignment->want]);
		struct seat seat = {.index = assignment->vf.index};

		if (!assignment->placed || !domain || !is_up(domain))
			continue;
		seat.gpu = (size_t)(gp_observed_gpu(run->observed, assignment->vf.pf) - run->observed->gpus);
		count += !runs_with(domain, &seat);
	}
	return count;
}

static void check_placement(const struct run *run, const struct drawn *drawn)
{
	struct brute brute = try_everything(run);
	bool all_placed = true;

	for (size_t i = 0; i < run->plan->assignment_count; i++)
		all_placed = all_placed && (run->plan->assignments[i].placed || !run->plan->assignments[i].defined);
	ck_assert_msg(all_placed == brute.found, "placed %d, could be %d:\n%s\n%s", all_placed, brute.found,
		      gp_str_text(&drawn->host), gp_str_text(&drawn->want));
	if (brute.found)
		ck_assert_msg(disturbed_by(run) == brute.best_disturbed, "disturbs %zu, could %zu:\n%s\n%s",
			      disturbed_by(run), brute.best_disturbed, gp_str_text(&drawn->host),
			      gp_str_text(&drawn->want));
}

static void check_same_bytes(const struct run *run)
{
	struct gp_plan *again = gp_plan_make(run->desired, run->observed);
	struct json_object *one = gp_plan_to_json(run->plan), *two = gp_plan_to_json(again);

	ck_assert_str_eq(json_object_to_json_string(one), json_object_to_json_string(two));
	json_object_put(one);
	json_object_put(two);
	gp_plan_free(again);
}

static void carry_out(struct run *run, const struct drawn *drawn)
{
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};

	for (int round = 0; run->plan->stage_count && round < ROUNDS_TO_REST; round++) {
		ck_assert_msg(scene_apply(run->scene, &run->plan->stages[0], &why), "%s\n%s\n%s\n%s", gp_str_text(&why),
			      gp_str_text(&run->digest), gp_str_text(&drawn->host), gp_str_text(&drawn->want));
		run_again(run);
		ck_assert_msg(run->plan->diags.error_count == 0 && run->plan->stage_count == 0,
			      "not at rest after one apply: %s\n%s\n%s", gp_str_text(&run->digest),
			      gp_str_text(&drawn->host), gp_str_text(&drawn->want));
	}
}

/* Whoever is waited for shuts down; then nothing may be left to wait for, in a few rounds. */
static void wait_and_carry_out(struct run *run, const struct drawn *drawn)
{
	for (int round = 0; run->plan->waiting_count && round < 2 * MOST_VMS; round++) {
		for (size_t w = 0; w < run->plan->waiting_count; w++) {
			for (size_t v = 0; v < run->scene->vm_count; v++) {
				if (!gp_streq(run->scene->vms[v].name, run->plan->waiting[w].for_domain))
					continue;
				run->scene->vms[v].state = GP_DOMAIN_OFF;
				run->scene->vms[v].live_count = 0;
			}
		}
		run_again(run);
		carry_out(run, drawn);
	}
	ck_assert_msg(run->plan->waiting_count == 0, "still waiting: %s\n%s\n%s", gp_str_text(&run->digest),
		      gp_str_text(&drawn->host), gp_str_text(&drawn->want));
}

START_TEST(random_hosts_and_wishes)
{
	uint32_t state = SEED;
	size_t planned = 0, waited = 0, refused = 0;

	for (int round = 0; round < ROUNDS; round++) {
		GP_CLEANUP(drawn_clear) struct drawn drawn = draw(&state);
		GP_CLEANUP(run_clear)
		struct run run = run_plan(gp_str_text(&drawn.host), gp_str_text(&drawn.want));

		check_placement(&run, &drawn);
		check_same_bytes(&run);
		if (run.plan->diags.error_count) {
			ck_assert_uint_eq(run.plan->stage_count, 0);
			refused++;
			continue;
		}
		planned += run.plan->stage_count > 0;
		waited += run.plan->waiting_count > 0;
		carry_out(&run, &drawn);
		wait_and_carry_out(&run, &drawn);
	}
	/* The draw is no test if it draws only one kind. */
	ck_assert_uint_gt(planned, ROUNDS / 8);
	ck_assert_uint_gt(waited, ROUNDS / 8);
	ck_assert_uint_gt(refused, ROUNDS / 8);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {random_hosts_and_wishes};

	return run_tests("plan_property", tests, COUNT_OF(tests));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gp_place() against trying everything: small problems, drawn with a seed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plan/place.h"

enum { MOST = 6, ROUNDS = 4000, SEED = 20 };

struct table {
	size_t askers, slots;
	bool allowed[MOST][MOST];
	struct gp_cost cost[MOST][MOST];
	size_t kept[MOST], kind[MOST];
	uint64_t preference[MOST];
};

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static bool cost_of(const void *context, size_t asker, size_t slot, struct gp_cost *out)
{
	const struct table *table = context;

	*out = table->cost[asker][slot];
	return table->allowed[asker][slot];
}

static size_t kept_by(const void *context, size_t asker)
{
	return ((const struct table *)context)->kept[asker];
}

static struct gp_placement_result place(const struct table *table, struct gp_arena *arena)
{
	return gp_place(&(struct gp_place_problem){table->askers, table->slots, cost_of, kept_by, table, table->kind,
						   table->preference},
			arena);
}

/* ---- trying everything ---- */

struct best {
	size_t served;
	struct gp_cost cost;
	uint64_t preference;
	bool any;
};

static void try_all(const struct table *table, size_t asker, bool *taken, size_t served, struct gp_cost cost,
		    uint64_t preference, struct best *best)
{
	if (asker == table->askers) {
		int order = best->any ? gp_cost_compare(&cost, &best->cost) : -1;

		if (!best->any || served > best->served ||
		    (served == best->served && (order < 0 || (order == 0 && preference < best->preference))))
			*best = (struct best){served, cost, preference, true};
		return;
	}
	try_all(table, asker + 1, taken, served, cost, preference, best);
	for (size_t j = 0; j < table->slots; j++) {
		struct gp_cost with = cost;

		if (taken[j] || !table->allowed[asker][j])
			continue;
		for (size_t w = 0; w < GP_COST_WORDS; w++)
			with.word[w] += table->cost[asker][j].word[w];
		taken[j] = true;
		try_all(table, asker + 1, taken, served + 1, with, preference + table->preference[j], best);
		taken[j] = false;
	}
}

static struct gp_cost total_of(const struct table *table, const struct gp_placement_result *result, size_t *served,
			       uint64_t *preference)
{
	struct gp_cost sum = {{0}};

	*served = 0;
	*preference = 0;
	for (size_t i = 0; i < table->askers; i++) {
		if (result->slot_of[i] == GP_PLACE_NONE)
			continue;
		ck_assert(table->allowed[i][result->slot_of[i]]);
		++*served;
		*preference += table->preference[result->slot_of[i]];
		for (size_t w = 0; w < GP_COST_WORDS; w++)
			sum.word[w] += table->cost[i][result->slot_of[i]].word[w];
		for (size_t other = 0; other < i; other++)
			ck_assert_uint_ne(result->slot_of[other], result->slot_of[i]);
	}
	return sum;
}

/* Cheaper than any other slot, or none. */
static size_t strictly_cheapest(const struct table *table, size_t asker)
{
	size_t best = GP_PLACE_NONE;
	bool tie = false;

	for (size_t j = 0; j < table->slots; j++) {
		if (!table->allowed[asker][j])
			continue;
		int order =
			best == GP_PLACE_NONE ? -1 : gp_cost_compare(&table->cost[asker][j], &table->cost[asker][best]);

		tie = order == 0 || (tie && order > 0);
		best = order < 0 ? j : best;
	}
	return tie ? GP_PLACE_NONE : best;
}

static void draw_row(struct table *table, size_t asker, uint32_t density, uint32_t *state)
{
	for (size_t j = 0; j < table->slots; j++) {
		table->allowed[asker][j] = next_random(state) % 4 < density;
		for (size_t w = 0; w < GP_COST_WORDS; w++)
			table->cost[asker][j].word[w] = next_random(state) % 8 == 0 ? next_random(state) % 3 : 0;
	}
}

static struct table draw(uint32_t *state)
{
	struct table table = {.askers = 1 + next_random(state) % MOST, .slots = 1 + next_random(state) % MOST};
	uint32_t density = 1 + next_random(state) % 4;

	for (size_t j = 0; j < table.slots; j++)
		table.preference[j] = next_random(state) % 5;
	for (size_t i = 0; i < table.askers; i++) {
		table.kind[i] = i;
		draw_row(&table, i, density, state);
		if (i > 0 && next_random(state) % 2) { /* like one before it */
			table.kind[i] = table.kind[next_random(state) % i];
			memcpy(table.allowed[i], table.allowed[table.kind[i]], sizeof(table.allowed[i]));
			memcpy(table.cost[i], table.cost[table.kind[i]], sizeof(table.cost[i]));
		}
		table.kept[i] = next_random(state) % 2 ? strictly_cheapest(&table, i) : GP_PLACE_NONE;
	}
	return table;
}

START_TEST(as_good_as_trying_everything)
{
	uint32_t state = SEED;
	size_t shortages = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct gp_arena *arena = gp_arena_new();
		struct table table = draw(&state);
		struct gp_placement_result result = place(&table, arena);
		bool taken[MOST] = {false};
		struct best best = {0};
		size_t served;
		uint64_t preference;
		struct gp_cost cost = total_of(&table, &result, &served, &preference);

		try_all(&table, 0, taken, 0, (struct gp_cost){{0}}, 0, &best);
		ck_assert_uint_eq(served, best.served);
		/* When not all can be served, who is served is decided by order, not by cost. */
		if (served == table.askers) {
			ck_assert_int_eq(gp_cost_compare(&cost, &best.cost), 0);
			ck_assert_uint_eq(preference, best.preference);
		}
		ck_assert_uint_eq(result.shortage_count, table.askers - served);
		shortages += result.shortage_count;
		gp_arena_free(arena);
	}
	ck_assert_uint_gt(shortages, 100);
}
END_TEST

/* Every shortage is a proof: those askers may have those slots and no others, and there are more askers than slots. */
START_TEST(a_shortage_proves_itself)
{
	uint32_t state = SEED;

	for (int round = 0; round < ROUNDS; round++) {
		struct gp_arena *arena = gp_arena_new();
		struct table table = draw(&state);
		struct gp_placement_result result = place(&table, arena);

		for (size_t s = 0; s < result.shortage_count; s++) {
			const struct gp_place_shortage *shortage = &result.shortages[s];
			bool listed[MOST] = {false};

			ck_assert_uint_eq(shortage->asker_count, shortage->slot_count + 1);
			for (size_t j = 0; j < shortage->slot_count; j++)
				listed[shortage->slots[j]] = true;
			for (size_t i = 0; i < shortage->asker_count; i++) {
				for (size_t j = 0; j < table.slots; j++)
					ck_assert(!table.allowed[shortage->askers[i]][j] || listed[j]);
			}
		}
		gp_arena_free(arena);
	}
}
END_TEST

START_TEST(the_same_problem_has_the_same_result)
{
	uint32_t state = SEED;

	for (int round = 0; round < ROUNDS; round++) {
		struct gp_arena *arena = gp_arena_new();
		struct table table = draw(&state);
		struct gp_placement_result one = place(&table, arena), two = place(&table, arena);

		ck_assert_int_eq(memcmp(one.slot_of, two.slot_of, table.askers * sizeof(size_t)), 0);
		gp_arena_free(arena);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan_place");
	TCase *tcase = tcase_create("place");

	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, as_good_as_trying_everything);
	tcase_add_test(tcase, a_shortage_proves_itself);
	tcase_add_test(tcase, the_same_problem_has_the_same_result);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/place.h"

/* The state of the search. Column `slot_count` is the root: the asker that is being added sits there. */
struct search {
	const struct gp_place_problem *problem;
	struct gp_arena *arena;
	struct gp_cost *u;    /* price of an asker */
	struct gp_cost *v;    /* price of a slot */
	size_t *asker_at;     /* by column */
	size_t *slot_of;      /* by asker */
	struct gp_cost *least; /* by column: cheapest way to it from what was reached */
	bool *reachable;       /* by column: least is set */
	bool *reached;         /* by column: least is final */
	size_t *came_from;     /* by column */
};

int gp_cost_compare(const struct gp_cost *a, const struct gp_cost *b)
{
	for (size_t i = 0; i < GP_COST_WORDS; i++) {
		if (a->word[i] != b->word[i])
			return a->word[i] < b->word[i] ? -1 : 1;
	}
	return 0;
}

static void add(struct gp_cost *to, const struct gp_cost *amount)
{
	for (size_t i = 0; i < GP_COST_WORDS; i++)
		to->word[i] += amount->word[i];
}

static void subtract(struct gp_cost *from, const struct gp_cost *amount)
{
	for (size_t i = 0; i < GP_COST_WORDS; i++)
		from->word[i] -= amount->word[i];
}

/* Whoever has its cheapest slot already begins with it; a slot that two name goes to the first. */
static size_t begin_with_kept(struct search *s)
{
	size_t placed = 0;

	for (size_t i = 0; i < s->problem->asker_count; i++) {
		size_t slot = s->problem->kept(s->problem->context, i);

		if (slot == GP_PLACE_NONE || s->asker_at[slot] != GP_PLACE_NONE)
			continue;
		s->problem->cost(s->problem->context, i, slot, &s->u[i]);
		s->asker_at[slot] = i;
		s->slot_of[i] = slot;
		placed++;
	}
	return placed;
}

/* Looks from the asker at `column` at all slots that are not reached yet. */
static void relax_from(struct search *s, size_t column)
{
	size_t asker = s->asker_at[column];

	for (size_t j = 0; j < s->problem->slot_count; j++) {
		struct gp_cost way;

		if (s->reached[j] || !s->problem->cost(s->problem->context, asker, j, &way))
			continue;
		subtract(&way, &s->u[asker]);
		subtract(&way, &s->v[j]);
		if (s->reachable[j] && gp_cost_compare(&way, &s->least[j]) >= 0)
			continue;
		s->least[j] = way;
		s->reachable[j] = true;
		s->came_from[j] = column;
	}
}

/* The nearest slot that is reachable and not reached; GP_PLACE_NONE: there is none. */
static size_t nearest(const struct search *s)
{
	size_t best = GP_PLACE_NONE;

	for (size_t j = 0; j < s->problem->slot_count; j++) {
		if (s->reached[j] || !s->reachable[j])
			continue;
		if (best == GP_PLACE_NONE || gp_cost_compare(&s->least[j], &s->least[best]) < 0)
			best = j;
	}
	return best;
}

/* Moves the prices of all that was reached, so that the nearest slot costs nothing more. */
static void reprice(struct search *s, struct gp_cost delta)
{
	size_t root = s->problem->slot_count;

	for (size_t j = 0; j <= root; j++) {
		if (s->reached[j]) {
			add(&s->u[s->asker_at[j]], &delta);
			if (j != root)
				subtract(&s->v[j], &delta);
		} else if (s->reachable[j]) {
			subtract(&s->least[j], &delta);
		}
	}
}

static void follow_back(struct search *s, size_t column)
{
	size_t root = s->problem->slot_count;

	while (column != root) {
		size_t before = s->came_from[column];

		s->asker_at[column] = s->asker_at[before];
		s->slot_of[s->asker_at[column]] = column;
		column = before;
	}
}

/* Finds the cheapest way to serve one more asker. False: no slot is left that anybody could give way to. */
static bool serve(struct search *s, size_t asker)
{
	size_t root = s->problem->slot_count, column = root;

	for (size_t j = 0; j <= root; j++)
		s->reachable[j] = s->reached[j] = false;
	s->asker_at[root] = asker;
	while (s->asker_at[column] != GP_PLACE_NONE) {
		s->reached[column] = true;
		relax_from(s, column);
		column = nearest(s);
		if (column == GP_PLACE_NONE)
			return false;
		reprice(s, s->least[column]);
	}
	follow_back(s, column);
	return true;
}

static void explain(const struct search *s, size_t asker, struct gp_place_shortage *out)
{
	out->asker = asker;
	for (size_t j = 0; j < s->problem->slot_count; j++) {
		if (!s->reached[j])
			continue;
		*gp_arena_push(s->arena, out->slots, out->slot_count) = j;
		*gp_arena_push(s->arena, out->askers, out->asker_count) = s->asker_at[j];
	}
	*gp_arena_push(s->arena, out->askers, out->asker_count) = asker;
}

static struct search begin(const struct gp_place_problem *problem, struct gp_arena *arena)
{
	size_t columns = problem->slot_count + 1;
	struct search s = {
		.problem = problem,
		.arena = arena,
		.u = gp_arena_array_of(arena, struct gp_cost, problem->asker_count + 1),
		.asker_at = gp_arena_array_of(arena, size_t, columns),
		.slot_of = gp_arena_array_of(arena, size_t, problem->asker_count + 1),
	};

	for (size_t j = 0; j < columns; j++)
		s.asker_at[j] = GP_PLACE_NONE;
	for (size_t i = 0; i < problem->asker_count; i++)
		s.slot_of[i] = GP_PLACE_NONE;
	return s;
}

/* What only a search needs: a plan that keeps everything never pays for it. */
static void prepare_search(struct search *s)
{
	size_t columns = s->problem->slot_count + 1;

	s->v = gp_arena_array_of(s->arena, struct gp_cost, columns);
	s->least = gp_arena_array_of(s->arena, struct gp_cost, columns);
	s->reachable = gp_arena_array_of(s->arena, bool, columns);
	s->reached = gp_arena_array_of(s->arena, bool, columns);
	s->came_from = gp_arena_array_of(s->arena, size_t, columns);
}

struct gp_placement_result gp_place(const struct gp_place_problem *problem, struct gp_arena *arena)
{
	struct search s = begin(problem, arena);
	struct gp_placement_result result = {.slot_of = s.slot_of};

	if (begin_with_kept(&s) == problem->asker_count)
		return result;
	prepare_search(&s);
	for (size_t i = 0; i < problem->asker_count; i++) {
		if (s.slot_of[i] == GP_PLACE_NONE && !serve(&s, i))
			explain(&s, i, gp_arena_push(arena, result.shortages, result.shortage_count));
	}
	return result;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/place.h"

/* The state of the search. Column `slot_count` is the root: the asker that is being added sits there. */
struct search {
	const struct gp_place_problem *problem;
	struct gp_arena *arena;
	struct gp_cost *u;     /* price of an asker */
	struct gp_cost *v;     /* price of a slot */
	size_t *asker_at;      /* by column */
	size_t *slot_of;       /* by asker */
	size_t *began_with;    /* by asker */
	struct gp_cost *least; /* by column: cheapest way to it from what was reached */
	bool *reachable;       /* by column: least is set */
	bool *reached;         /* by column: least is final, and its asker was looked from */
	size_t *came_from;     /* by column */
	size_t *seen;          /* by kind of asker: the search in which one was looked from */
	size_t round;          /* number of this search */
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
		s->slot_of[i] = s->began_with[i] = slot;
		placed++;
	}
	return placed;
}

static bool is_zero(const struct gp_cost *cost)
{
	for (size_t i = 0; i < GP_COST_WORDS; i++) {
		if (cost->word[i] != 0)
			return false;
	}
	return true;
}

/* Looks from the asker at `column` at all slots that are not reached yet. */
static void look_from(struct search *s, size_t column)
{
	size_t asker = s->asker_at[column], kind = s->problem->kind[asker];

	s->reached[column] = true;
	if (s->seen[kind] == s->round)
		return;
	s->seen[kind] = s->round;
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

static bool is_at_hand(const struct search *s, size_t column)
{
	return s->reachable[column] && !s->reached[column] && is_zero(&s->least[column]);
}

/* Whoever began with its slot, at a price that nobody has driven up, finds every other slot dearer: looking from it
 * shows nothing that is as cheap as what is at hand. */
static bool is_content(const struct search *s, size_t column)
{
	return s->began_with[s->asker_at[column]] == column && is_zero(&s->v[column]);
}

/* Looks from all askers whose slots are at hand, until that brings no more slots to hand. */
static void look_around(struct search *s, bool from_content)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t j = 0; j < s->problem->slot_count; j++) {
			if (s->asker_at[j] == GP_PLACE_NONE || !is_at_hand(s, j) || (!from_content && is_content(s, j)))
				continue;
			look_from(s, j);
			again = true;
		}
	}
}

/* Of the free slots at hand the one that is liked best. */
static size_t best_at_hand(const struct search *s)
{
	size_t best = GP_PLACE_NONE;

	for (size_t j = 0; j < s->problem->slot_count; j++) {
		if (s->asker_at[j] != GP_PLACE_NONE || !is_at_hand(s, j))
			continue;
		if (best == GP_PLACE_NONE || s->problem->preference[j] < s->problem->preference[best])
			best = j;
	}
	return best;
}

/* What the nearest slot costs that is not reached yet. False: there is none. */
static bool find_nearest(const struct search *s, struct gp_cost *nearest)
{
	bool found = false;

	for (size_t j = 0; j < s->problem->slot_count; j++) {
		if (s->reached[j] || !s->reachable[j] || (found && gp_cost_compare(&s->least[j], nearest) >= 0))
			continue;
		*nearest = s->least[j];
		found = true;
	}
	return found;
}

/* Moves the prices of all that was reached, so that the nearest slots cost nothing more. */
static void reprice(struct search *s, const struct gp_cost *delta)
{
	size_t root = s->problem->slot_count;

	if (is_zero(delta))
		return;
	for (size_t j = 0; j <= root; j++) {
		if (s->reached[j]) {
			add(&s->u[s->asker_at[j]], delta);
			if (j != root)
				subtract(&s->v[j], delta);
		} else if (s->reachable[j]) {
			subtract(&s->least[j], delta);
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
	size_t root = s->problem->slot_count, end = GP_PLACE_NONE;
	struct gp_cost nearest;

	for (size_t j = 0; j <= root; j++)
		s->reachable[j] = s->reached[j] = false;
	s->round++;
	s->asker_at[root] = asker;
	look_from(s, root);
	while (find_nearest(s, &nearest)) {
		reprice(s, &nearest);
		look_around(s, false);
		end = best_at_hand(s);
		if (end != GP_PLACE_NONE)
			break;
		look_around(s, true);
	}
	if (end == GP_PLACE_NONE)
		return false;
	follow_back(s, end);
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
		.began_with = gp_arena_array_of(arena, size_t, problem->asker_count + 1),
	};

	for (size_t j = 0; j < columns; j++)
		s.asker_at[j] = GP_PLACE_NONE;
	for (size_t i = 0; i < problem->asker_count; i++)
		s.slot_of[i] = s.began_with[i] = GP_PLACE_NONE;
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
	s->seen = gp_arena_array_of(s->arena, size_t, s->problem->asker_count);
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
